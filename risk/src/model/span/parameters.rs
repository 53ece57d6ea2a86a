//! The parameter file of a SPAN-style model, and the rule that it parametrizes.
//!
//! This page is the model: SPAN's structure (scanning risk, spread charges, delivery, inter-commodity credit, short
//! option minimum, net option value), with what it simplifies stated where it does. Two people who implement it from these
//! words get the same figures: nothing below rounds but `n_i`, every number of a file is an exact decimal, and the only binary floats
//! are the entries of [`crate::valuation`], each read as the exact dyadic rational it is.
//!
//! # Facts
//! Symbols, what counts, and prices are those of [scenario grids](crate::model::scenario_grid::parameters) where profit is USD:
//! `I_u`, `p_a`, `p_M`, `L_i`, `S_i`, `l_i`, `k_i`, `q_i = l_i (L_i - S_i)`, `B_a`, `D_a`, `K_a`, `G_a`; an instrument counts by the same
//! conditions, and what does not is proven empty. `m_i` is its mark, `v_i(r)` its value in row `r`, in USD at the row's index; `δ_i` its
//! delta in coins at the snapshot (SPAN's *composite delta* is a weighted mean over price moves: here it is the
//! delta of the snapshot). `c_i` is `1 / p_M` for an inverse instrument and `p_a / p_M` for a linear one, settled in `a`.
//!
//! # Value
//! ```text
//! V = Σ_i c_i m_i q_i + Σ_a (p_a / p_M) ( (1 - haircut_a) min(B_a, cap_a) - D_a + K_a - G_a )
//! ```
//! The net option value is in `V`, and not in `R`: options count at their mark.
//!
//! # Scanning risk
//! With the price scan range `ψ_u` and `x` the relative move of the index and of every forward:
//! ```text
//! rows 1-14    x = 0, ±ψ/3, ±2ψ/3, ±ψ, each with volatility up and down     weight 1
//! rows 15, 16  x = ±multiple · ψ, volatility as it is                       weight coverage
//! Π_{u,r} = w_r ( Σ_{i on u} c_i ( v_i(r) - m_i ) q_i + Σ_{a with underlying u} (p_a / p_M) x_r A_a )
//! A_a     = K_a, or K_a + B_a - D_a - G_a where collateral_in_scenarios
//! A_u     = max( 0, -Π_{u,1}, …, -Π_{u,16} )
//! ```
//! The factor of a row, with which prices are computed, is the `f64` `1 + ψ · n / 3` (`n` from -3 to 3) or `1 ± ψ · multiple`, from left
//! to right. The volatility scan range is `volatility`: `σ' = σ (1 + up · scale)`, `σ (1 - down · scale)` as in
//! [`crate::scenario`]; with both powers 0 it is the same for every expiry. No time passes in a row.
//!
//! # Spread charges
//! A *month* `e` is what expires at one instant, options and futures together; the perpetuals are one more, of 0 days. It is in
//! the first tier whose `until_days` it does not exceed (`t_e - t0` in whole milliseconds), else in the last.
//! ```text
//! Δ_{u,e}  = (I_u / p_M) Σ_{i in e} δ_i q_i           Δ_{u,T} = Σ_{e in T} Δ_{u,e}           x⁺ = max(x, 0), x⁻ = max(-x, 0)
//! spread_u = Σ_T rate_T · min( Σ_{e in T} Δ⁺_{u,e}, Σ_{e in T} Δ⁻_{u,e} )  +  between_tiers · min( Σ_T Δ⁺_{u,T}, Σ_T Δ⁻_{u,T} )
//! delivery_u = delivery.rate · Σ | Δ_{u,e} |            over the months, without the perpetuals, of at most delivery.days
//! ```
//! Deltas are spread within a tier first; what is left of each tier, which is its net delta, is spread between tiers at one rate.
//!
//! # Inter-commodity credit
//! In whole units of the numéraire (1e-10 USD, 1e-14 coins), `n_i` is a lot's delta notional, cut towards 0:
//! ```text
//! n_i = trunc( δ_i l_i I_u / p_M in units )             N_u = Σ_{i on u} n_i (L_i - S_i)
//! ```
//! What all months leave is net, `N_u`: an equal notional of both sides went into spreads. For each of
//! [`Parameters::spreads`] in order, of `u` against `v`, with `X_u`, `X_v` what is left (at first `N_u`, `N_v`; 0 for an underlying
//! that the snapshot does not have):
//! ```text
//! y = median( 0, X_u, -X_v )        m_s = |y|        X_u := X_u - y        X_v := X_v + y
//! ```
//! A spread takes as much as there is on opposite sides, no more and no less. Then
//! ```text
//! credit_u = min( Σ_{s with u} rate_s ψ_u m_s, ρ_u A_u )          ρ_u the largest rate of the spreads that name u
//! ```
//! and 0 where [`Parameters::credit`] is `none`. The weighted price risk of SPAN is a ratio of two risks of the book; here it is
//! `ψ_u`, which is what it is of futures, and the credit is at most the part `ρ_u` of the scanning risk.
//!
//! # Requirement
//! ```text
//! minimum_u = (I_u / p_M) short_option_minimum_u Σ_{options i on u} k_i l_i S_i
//! risk_u    = max( A_u - credit_u + spread_u + delivery_u, minimum_u )
//! R         = factor(level) Σ_u risk_u
//! ```

use std::collections::BTreeMap;

use rust_decimal::Decimal;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{amount, json};

pub use crate::model::assets::AssetParameters;
pub use crate::model::scenario_grid::parameters::Levels;
pub use crate::scenario::VolatilityShock;

/// A SPAN-style model as its file says it; unchecked (a [`Span`](super::Span) is checked).
///
/// Amounts are strings. A field that is not below is refused. Every number is `>= 0`.
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
    /// Whether balances, debts and reserves of an asset with an underlying move with its index in the rows (carry always does).
    pub collateral_in_scenarios: bool,
    /// The factors of the two levels.
    pub levels: Levels,
    /// The assets that count, by name.
    #[serde(with = "json::unique")]
    #[schemars(with = "BTreeMap<String, AssetParameters>")]
    pub assets: BTreeMap<String, AssetParameters>,
    /// The underlyings that count (SPAN's combined commodities), by name.
    #[serde(with = "json::unique")]
    #[schemars(with = "BTreeMap<String, UnderlyingParameters>")]
    pub underlyings: BTreeMap<String, UnderlyingParameters>,
    /// Whether inter-commodity credit is given.
    pub credit: Credit,
    /// The inter-commodity spreads, first priority first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub spreads: Vec<Spread>,
}

/// The kind of model of a file.
#[derive(Copy, Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Kind {
    /// Standard portfolio analysis of risk.
    #[serde(rename = "span")]
    Span,
}

/// Whether inter-commodity credit is given.
#[derive(Copy, Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Credit {
    /// As the rule says.
    Exact,
    /// None: a smaller program, and a requirement that is never less.
    None,
}

/// What applies to the instruments on one underlying.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct UnderlyingParameters {
    /// `ψ`: the price scan range, a part of the index. With the extreme multiple it is at most 0.999.
    #[serde(with = "amount")]
    #[schemars(with = "String")]
    pub price_scan_range: Decimal,
    /// The volatility scan range.
    pub volatility: VolatilityShock,
    /// Rows 15 and 16.
    pub extreme: Extreme,
    /// The tiers of months, nearest first.
    pub tiers: Vec<Tier>,
    /// Charge for a spread between tiers, as a part of the index per coin of delta on either side.
    #[serde(default, with = "amount", skip_serializing_if = "Decimal::is_zero")]
    #[schemars(with = "String")]
    pub between_tiers: Decimal,
    /// The charge on months near delivery; none is 0.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub delivery: Option<Delivery>,
    /// Least charge for a short option, as a part of the index per coin of underlying.
    #[serde(default, with = "amount", skip_serializing_if = "Decimal::is_zero")]
    #[schemars(with = "String")]
    pub short_option_minimum: Decimal,
}

/// The extreme moves.
#[derive(Copy, Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Extreme {
    /// How many scan ranges the price moves: 3, or 2.
    #[serde(with = "amount")]
    #[schemars(with = "String")]
    pub multiple: Decimal,
    /// Which part of the profit counts: 0.33, or 0.35. 0 to 1.
    #[serde(with = "amount")]
    #[schemars(with = "String")]
    pub coverage: Decimal,
}

/// Months that are spread among themselves.
#[derive(Copy, Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Tier {
    /// The longest time to expiry in days; only the last tier has none. Larger from tier to tier.
    #[serde(default, with = "amount::option", skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    pub until_days: Option<Decimal>,
    /// Charge for a spread within the tier, as a part of the index per coin of delta on either side.
    #[serde(with = "amount")]
    #[schemars(with = "String")]
    pub rate: Decimal,
}

/// The charge on months near delivery.
#[derive(Copy, Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Delivery {
    /// How near, in days.
    #[serde(with = "amount")]
    #[schemars(with = "String")]
    pub days: Decimal,
    /// Charge per coin of a month's net delta, as a part of the index.
    #[serde(with = "amount")]
    #[schemars(with = "String")]
    pub rate: Decimal,
}

/// An inter-commodity spread: one notional of delta of each, on opposite sides.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Spread {
    /// The two underlyings.
    pub legs: [String; 2],
    /// The credit, as a part of the price risk of what is spread: 0 to 1.
    #[serde(with = "amount")]
    #[schemars(with = "String")]
    pub rate: Decimal,
}
