//! The parameter file of OKX and of Bybit portfolio margin, and the rule that it parametrizes.
//!
//! This page is the model: nothing below rounds, every number of a file is an exact decimal, and the only binary floats are
//! the figures of [`crate::model::stress::parameters`], each read as the exact dyadic rational it is. Facts (`t0`, `I_u`,
//! `p_a`, `p_M`, `q_i`, `L_i`, `S_i`, `l_i`, `k_i`, `B_a`, `D_a`, `K_a`, `G_a`), what counts, and the value of assets are
//! those of the [scenario grid](crate::model::scenario_grid::parameters), with profit in USD.
//!
//! # Figures and conversion
//! `m_i` mark, `v_i(x, d)` value at the move `x` with volatility `d` of up, none, down, `y_i` decayed value (24 hours),
//! `δ_i` delta, `ν_i` vega, `ρ_i` rho. `c_i` is `1 / p_M`, and of a linear instrument settled in `a` it is `p_a / p_M`.
//!
//! # Value
//! ```text
//! V = Σ_i c_i m_i q_i  +  Σ_a (p_a / p_M) ( (1 - haircut_a) min(B_a, cap_a) - D_a + K_a - G_a )
//! ```
//!
//! # Risk unit of an underlying `u`
//! ```text
//! Π(x, d) = Σ_i c_i ( v_i(x, d) - m_i ) q_i  +  Σ_{a with underlying u} (p_a / p_M) x A_a
//! A_a     = K_a                         where collateral_in_scenarios is false
//! A_a     = K_a + B_a - D_a - G_a       where it is true
//!
//! MR1 = max( 0, -Π(x, d) )              x over 0 and ± each of moves, d over up, none, down
//! MR2 = max( 0, Σ_i c_i ( m_i - y_i ) q_i )
//! MR3 = the charge of vega_buckets on the vegas   c_i ν_i q_i, options by their expiry
//! MR4 = Σ_e | Σ_{i in e} (I_u / p_M) ω_i q_i |    e over the expiries of all instruments, and one bucket for the perpetuals
//! MR5 = the charge of rho_buckets on the rhos     c_i ρ_i q_i
//! MR6 = extreme_factor · max( 0, -Π(± extreme_move, none) )
//! MR7 = f_min( Σ_i c_i l_i ( charge⁺_i L_i + charge⁻_i S_i ) )
//! MR9 = Σ_pairs f_pair( hedged_pair )
//!
//! CON = Σ_i (I_u / p_M) l_i ( short_option k_i S_i of an option,  future |δ_i| (L_i + S_i) of a future or perpetual )
//!
//! MMR_u = max( max(MR1, MR2, MR6) + MR3 + MR4 + MR5 + MR9 + CON,  MR7 )
//! ```
//! - A part that a file does not have is 0: the `kind` of a file names whose rule it is and what its parts are called, and changes
//!   no figure. OKX has no `CON`; Bybit has neither MR2 nor MR6 nor MR7.
//! - `ω_i` is `δ_i` times [`roll_rate`](crate::valuation::roll_rate)`(annual_move, least, T)` of its expiry, `least` of perpetuals;
//!   rates and product are `f64`.
//! - `f_min` and `f_pair` are progressive charges, in USD, so `f(h)` is `(1 / p_M) f(p_M h)`.
//! - *Minimum charge* per contract, in `f64`: of an option with `n = I_u k_i`,
//!   `slip = max(option_least, option_delta · |δ_i / k_i|) · n` and `fee = min(option_fee · n, option_fee_cap · m_i)`:
//!   `charge⁻ = slip + fee`, `charge⁺ = min(slip, m_i) + fee`. Of a future or perpetual, both are `future_rate · |δ_i| · I_u`, and
//!   `c_i` is `1 / p_M`.
//! - *Hedged amounts.* A linear instrument is of the class of its settlement asset, an inverse one of the class `USD`. With
//!   `C_c = Σ_{i of class c} (I_u / p_M) δ_i q_i`, for each of [`Depeg::pairs`] in its order: if `C_a` and `C_b` have opposite signs,
//!   `h = min(|C_a|, |C_b|)` is hedged, and both are taken towards 0 by `h`. The class prices are 1 of `USD`, else `p_a` (a
//!   class without a price has no instrument that counts); the pair's tiers are those of the first of [`Depeg::levels`] whose
//!   `at_least` is at most `min(p_a, p_b) / max(p_a, p_b)`.
//!
//! # Borrowing
//! ```text
//! E_a = (p_a / p_M) ( B_a - D_a + K_a - G_a ) + Σ_{i settled in a} c_i m_i q_i
//! MR8 = Σ_a borrow_a(level) · max( 0, -E_a )        a over the assets that count
//! ```
//!
//! # Requirement
//! ```text
//! R = factor(level) · Σ_u MMR_u + MR8               factor is initial_factor at the initial level, 1 at maintenance
//! ```
//!
//! # What the program proves
//! `R` as it stands, with two exceptions, both against the holder: MR9 is charged on the amount that is hedged in all pairs
//! together, at the dearest of the pairs' tiers (the same figure as long as one pair is hedged); and every bound that is rounded.

use std::collections::BTreeMap;

use rust_decimal::Decimal;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{amount, json};

pub use crate::model::assets::AssetParameters;
pub use crate::model::stress::parameters::{Basis, BorrowRate, Bucket, Buckets, ShiftNode, Tier};

/// A model of OKX portfolio margin as its file says it; unchecked (an [`OkxPm`](super::OkxPm) is checked).
///
/// Amounts are strings. A field that is not below is refused. Every number is `>= 0` unless it says otherwise.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Parameters {
    /// Which kind of model the file holds.
    pub model: Kind,
    /// The model's name, 1 to 64 characters.
    pub name: String,
    /// Whose rule it follows, in a sentence or two.
    pub description: String,
    /// What the rule it follows has and this file leaves out, and on which side that errs.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub left_out: Vec<String>,
    /// Which figures are assumed here, not taken from that rule.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub assumed: Vec<String>,
    /// What value and requirement are counted in: `USD` or the name of an asset of this file.
    pub numeraire: String,
    /// Whether balances, debts and reserves of an asset with an underlying move with its index in MR1 and MR6 (carry always does).
    pub collateral_in_scenarios: bool,
    /// What the maintenance of risk units is multiplied by at the initial level, at least 1.
    #[serde(with = "amount")]
    #[schemars(with = "String")]
    pub initial_factor: Decimal,
    /// The assets that count, by name.
    #[serde(with = "json::unique")]
    #[schemars(with = "BTreeMap<String, AssetParameters>")]
    pub assets: BTreeMap<String, AssetParameters>,
    /// What borrowing costs: every asset has an entry.
    #[serde(with = "json::unique")]
    #[schemars(with = "BTreeMap<String, BorrowRate>")]
    pub borrow: BTreeMap<String, BorrowRate>,
    /// The underlyings that count, by name.
    #[serde(with = "json::unique")]
    #[schemars(with = "BTreeMap<String, UnderlyingParameters>")]
    pub underlyings: BTreeMap<String, UnderlyingParameters>,
    /// The charge on hedges between instruments that settle in different dollars; none is 0.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub depeg: Option<Depeg>,
}

/// The kind of model of a file.
#[derive(Copy, Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Kind {
    /// OKX portfolio margin.
    #[serde(rename = "okx-pm")]
    OkxPm,
    /// Bybit portfolio margin.
    #[serde(rename = "bybit-pm")]
    BybitPm,
}

/// What applies to the instruments on one underlying.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct UnderlyingParameters {
    /// MR1: the moves up and down, each above the one before and below 1: `["0.04", "0.08", "0.12"]`. No move is among the rows too.
    #[serde(with = "moves")]
    #[schemars(with = "Vec<String>")]
    pub moves: Vec<Decimal>,
    /// MR1: the shift of volatilities, the larger of points and part.
    pub volatility: Vec<ShiftNode>,
    /// Whether MR2, a day's decay, is among the risks.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub decay: bool,
    /// MR6: the move, above 0 and below 1.
    #[serde(with = "amount")]
    #[schemars(with = "String")]
    pub extreme_move: Decimal,
    /// MR6: the part of the loss that is charged, 0 to 1.
    #[serde(with = "amount")]
    #[schemars(with = "String")]
    pub extreme_factor: Decimal,
    /// MR3; none is 0.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub vega_buckets: Option<Buckets>,
    /// MR4: the rate of each expiry's net delta.
    pub basis: Basis,
    /// MR5; none is 0.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rho_buckets: Option<Buckets>,
    /// CON; none is 0.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub contingency: Option<Contingency>,
    /// MR7; none is 0.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub minimum: Option<Minimum>,
}

/// Charges on what is held, whatever it hedges.
#[derive(Copy, Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Contingency {
    /// `short_option`: of an option held short, as a part of the index per coin of underlying.
    #[serde(with = "amount")]
    #[schemars(with = "String")]
    pub short_option: Decimal,
    /// `future`: of a future or perpetual on either side, as a part of its delta at the index.
    #[serde(with = "amount")]
    #[schemars(with = "String")]
    pub future: Decimal,
}

/// The minimum charge: what closing the book costs, more than in proportion where it is large.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Minimum {
    /// `option_least`: least slippage of an option, as a part of the index.
    #[serde(with = "amount")]
    #[schemars(with = "String")]
    pub option_least: Decimal,
    /// `option_delta`: slippage of an option per delta, as a part of the index.
    #[serde(with = "amount")]
    #[schemars(with = "String")]
    pub option_delta: Decimal,
    /// `option_fee`: as a part of the index.
    #[serde(with = "amount")]
    #[schemars(with = "String")]
    pub option_fee: Decimal,
    /// `option_fee_cap`: most of the fee, as a part of the mark.
    #[serde(with = "amount")]
    #[schemars(with = "String")]
    pub option_fee_cap: Decimal,
    /// `future_rate`: slippage and fee of futures and perpetuals, as a part of their delta at the index.
    #[serde(with = "amount")]
    #[schemars(with = "String")]
    pub future_rate: Decimal,
    /// `f_min`.
    pub tiers: Vec<Tier>,
}

/// The charge on hedges between instruments that settle in different dollars.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Depeg {
    /// The pairs of classes (`USD`, or an asset of this file without underlying), in the order in which they are matched.
    pub pairs: Vec<[String; 2]>,
    /// The tiers by how near the two prices are, the nearest first.
    pub levels: Vec<DepegLevel>,
}

/// Tiers that apply while two dollars are at least so near.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DepegLevel {
    /// The least ratio of the lower price to the higher one; falling from level to level, 0 of the last.
    #[serde(with = "amount")]
    #[schemars(with = "String")]
    pub at_least: Decimal,
    /// `f_pair`.
    pub tiers: Vec<Tier>,
}

/// A list of decimals as strings.
mod moves {
    use super::*;
    use serde::{Deserializer, Serializer};

    #[derive(Serialize, Deserialize)]
    struct One(#[serde(with = "amount")] Decimal);

    pub(super) fn serialize<S: Serializer>(moves: &[Decimal], serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(moves.iter().map(|one| One(*one)))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<Decimal>, D::Error> {
        Ok(Vec::<One>::deserialize(deserializer)?
            .into_iter()
            .map(|one| one.0)
            .collect())
    }
}

impl UnderlyingParameters {
    /// The rows of MR1 and then those of MR6: the move, and what volatility does.
    pub(crate) fn rows(&self) -> Vec<(Decimal, crate::scenario::VolatilityMove)> {
        use crate::scenario::VolatilityMove::{Down, None, Up};
        let moves = self.moves.iter().rev().map(|x| -x).chain([Decimal::ZERO]);
        let moves = moves.chain(self.moves.iter().copied());
        let stress = moves.flat_map(|x| [Up, None, Down].map(|direction| (x, direction)));
        stress
            .chain([(-self.extreme_move, None), (self.extreme_move, None)])
            .collect()
    }

    /// Rows of MR1.
    pub(crate) fn stress_rows(&self) -> usize {
        3 * (2 * self.moves.len() + 1)
    }
}

impl Depeg {
    /// The tiers of two prices.
    pub(crate) fn tiers(&self, a: Decimal, b: Decimal) -> &[Tier] {
        let (low, high) = (amount::to_ratio(a.min(b)), amount::to_ratio(a.max(b)));
        // Exactly: a product of decimals is rounded, and may be rounded to the other side.
        let reaches = |least: Decimal| amount::to_ratio(least) * &high <= low;
        let level = self.levels.iter().find(|level| reaches(level.at_least));
        level.or(self.levels.last()).map_or(&[], |level| &level.tiers)
    }
}

impl Minimum {
    /// `charge⁺` and `charge⁻` of an option with this index, contract, delta and mark.
    pub(crate) fn of_option(&self, index: f64, contract: f64, delta: f64, mark: f64) -> (f64, f64) {
        let smaller = |a: f64, b: f64| if b < a { b } else { a };
        let notional = index * contract;
        let by_delta = amount::to_f64(self.option_delta) * (delta / contract).abs();
        let least = amount::to_f64(self.option_least);
        let slip = (if by_delta > least { by_delta } else { least }) * notional;
        let fee = smaller(
            amount::to_f64(self.option_fee) * notional,
            amount::to_f64(self.option_fee_cap) * mark,
        );
        (smaller(slip, mark) + fee, slip + fee)
    }

    /// Both charges of a future or perpetual, in USD.
    pub(crate) fn of_future(&self, index: f64, delta: f64) -> f64 {
        amount::to_f64(self.future_rate) * delta.abs() * index
    }
}
