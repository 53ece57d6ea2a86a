//! The parameter file of a scenario grid, and the rule that it parametrizes.
//!
//! This page is the model. Two people who implement it from these words get the same figures: nothing below rounds,
//! every number of a file is an exact decimal, and the only binary floats are the four tables of [`crate::valuation`]
//! named in "Tables", each entry of which is read as the exact dyadic rational it is.
//!
//! # Facts
//! - `t0` is the snapshot's instant, `I_u > 0` the index of underlying `u` in USD.
//! - `p_a` is the USD price of asset `a`: the snapshot's own price of the asset if it has one, else the index of the
//!   underlying whose name is `a`, else none.
//! - `p_M` is the USD price of the [numéraire](Parameters::numeraire): 1 where that is `USD`, else the price of that
//!   asset by the same rule (no price is an error).
//! - An instrument `i` has `L_i` lots long and `S_i` lots short, `l_i` contracts in a lot and `k_i` as its contract
//!   size. `q_i = l_i (L_i - S_i)` contracts are held net, `g_i = l_i (L_i + S_i)` gross. Several listings of one
//!   instrument are several instruments.
//! - An asset `a` has, in coins (lots × coins per lot) and summed over every venue at which it is listed for cross
//!   margin: balance `B_a`, debt `D_a`, reserve `G_a`, and carry `K_a` = carry credit - carry debit. What an asset
//!   lacks is 0.
//!
//! # What counts
//! An asset **counts** if it is in [`Parameters::assets`], has a price `p_a`, is listed for cross margin, and its
//! [`AssetParameters::underlying`], if it has one, is in the snapshot (else nothing would move it).
//! - The balance of an asset that does not count is worth 0. Its debt, carry and reserve legs are *proven empty*.
//!
//! An instrument **counts** if
//! - its underlying is in [`Parameters::underlyings`] and in the snapshot;
//! - it is margined across: no asset of its venue is isolated in it;
//! - the snapshot prices it: an option's expiry, strike and side (call or put), a future's expiry, a perpetual are
//!   there;
//! - its settlement asset counts;
//! - it is inverse and [`AssetParameters::underlying`] of its settlement asset is its own underlying, **or** it is
//!   linear, its settlement asset has no [`AssetParameters::underlying`], and [`UnderlyingParameters::profit`] of its
//!   underlying is [`Profit::Usd`].
//!
//! Both legs of an instrument that does not count are *proven empty*: an account that holds it has no proof. (An
//! inverse instrument settles in the coin that its underlying is named after, whose price is the index: universes and
//! snapshots are refused otherwise.)
//!
//! # Tables
//! For each instrument that counts, per contract and for the long side, from [`crate::valuation`]:
//! - `m_i`, its mark, and `v_i(r)`, its value in row `r` of its underlying's grid, both in the denomination of its
//!   underlying's `profit` (coins of the underlying, or USD at the row's index, a coin of a linear settlement asset
//!   taken as one USD);
//! - `δ_i`, its delta in coins of the underlying;
//! - `ω_i`, its roll delta: `δ_i` times the roll rate of its expiry (both factors and the product are `f64`).
//!
//! `c_i` turns a value of the table into the numéraire, exactly: `I_u / p_M` where `profit` is coin; `1 / p_M` where it
//! is USD and the instrument inverse; `p_a / p_M` where it is USD and the instrument linear, settled in `a`. So in coin
//! mode the profit of a row is counted in coins and converted at **today's** index, in USD mode at the **row's** index.
//!
//! # Value
//! ```text
//! V = Σ_i c_i m_i q_i  +  Σ_a (p_a / p_M) ( H_a(B_a) - debt_weight_a D_a + K_a - G_a )     i, a over what counts
//! H_a as [`AssetParameters`] says                     without tiers and cap: (1 - haircut_a) · B_a
//! ```
//! The first sum holds options at their mark. A future adds its leg's value to its carry, together its unrealized
//! profit.
//!
//! # Profit of a row
//! For underlying `u` and row `r` of its grid, with move `x_r` (the index and every forward times `1 + x_r`) and weight
//! `w_r`:
//! ```text
//! Π_{u,r} = w_r · (  Σ_{i on u} c_i ( v_i(r) - m_i ) q_i
//!                  + Σ_{a with underlying u} (p_a / p_M) · x_r · A_a  )      the second sum only where profit is USD
//! A_a = K_a                            where collateral_in_scenarios is false
//! A_a = K_a + B_a - D_a - G_a          where it is true (whole amounts: no haircut, no cap)
//! ```
//! In coin mode no collateral moves: a coin is the measure.
//!
//! An underlying with a [`dampener`](UnderlyingParameters::dampener) takes the profit of a row that moves further than its
//! range towards 0, and what is then left of a gain counts nothing:
//! ```text
//! damp_{u,r} = max( |x_r| / range - 1, 0 ) · amount / (1 + sign(x_r) range) / p_M
//! Π~_{u,r}   = min( Π_{u,r} + damp_{u,r}, 0 )     where damp_{u,r} > 0, else Π_{u,r}
//! ```
//!
//! # Groups
//! Every underlying belongs to one group: those of [`Parameters::groups`], and for each underlying in none of them a
//! group of its own. Grids of one group have equally many rows, and row `r` of one happens together with row `r` of the
//! others.
//! ```text
//! κ_g(y)  = min( y, gain_factor · y, gain_cap )        in a group of two or more; without a cap, min(y, gain_factor · y)
//! κ_g(y)  = y                                          in a group of one
//! loss_{g,r} = - Σ_{u in g} κ_g( Π~_{u,r} )            so: Σ losses - Σ min(gain, gain_factor · gain, gain_cap)
//! ```
//! `gain_cap` is per underlying and row, in units of the numéraire.
//!
//! # Floors
//! ```text
//! Δ_u = Σ_{i on u} δ_i q_i            Γ_u = Σ_{i on u} |δ_i| g_i
//! N_g = Σ_{u in g} (I_u / p_M) ( net_u · |Δ_u| + gross_u · Γ_u )                      delta provision
//! O_g = Σ_{u in g} (I_u / p_M) · short_option_minimum_u · Σ_{options i on u} k_i l_i S_i
//! body_g = max( 0, loss_{g,1}, …, loss_{g,rows}, N_g, O_g )
//! ```
//!
//! # Add-ons
//! With `e` over the expiries of the instruments on `u` that count, options and futures together, and one more bucket
//! for the perpetuals:
//! ```text
//! roll_u    = (I_u / p_M) Σ_e | Σ_{i on u in bucket e} ω_i q_i |
//! fees_u    = (I_u / p_M) ( option_fee_u Σ_{options i} k_i g_i  +  future_fee_u Σ_{futures, perpetuals i} |δ_i| g_i )
//! funding_u = (I_u / p_M) · funding_intervals_u · Σ_{perpetuals i} |δ_i| l_i ( max(φ, 0) L_i + max(-φ, 0) S_i )
//! ```
//! `φ` is the snapshot's funding rate of the perpetual, per interval of 8 hours, paid by longs where positive. In
//! `roll_u` the rate of an expiry at `T` years is `max(exp(annual_move · T) - 1, least)`, that of perpetuals `least`;
//! an underlying without `roll` has `roll_u = 0`.
//!
//! An option's fee is `min( option_fee_u k_i I_u, option_fee_cap_u m_i )` of a contract where there is an
//! [`option_fee_cap`](UnderlyingParameters::option_fee_cap), the mark `m_i` taken in the numéraire (`c_i m_i`).
//!
//! An underlying with a [`delta_shock`](UnderlyingParameters::delta_shock) is charged for a delta that is too large to be
//! traded at once. Long options take delta off, but do not turn it round:
//! ```text
//! F = Σ_{futures, perpetuals i} δ_i q_i + Σ_{options i} δ_i min(q_i, 0)        O = Σ_{options i} δ_i max(q_i, 0)
//! D = I_u · max( 0, min(F, F + O), min(-F, -F - O) )                                         in USD
//! shock_u = (1 / p_M) D · min( (increment / I_u) max(D - threshold, 0), most )
//! ```
//!
//! # Requirement and statement
//! ```text
//! R = factor(level) · ( Σ_g body_g + Σ_u roll_u + Σ_u shock_u ) + Σ_u ( fees_u + funding_u )
//! met  ⇔  V - ρ R - e >= 0                             ρ the ratio, e the least excess in units of the numéraire
//! ```
//! `factor(level)` is [`Levels::initial`] or [`Levels::maintenance`]. Without delta shock `R` is convex, and `V` is concave, in the legs:
//! every bound that the program rounds, it rounds against the holder.
//!
//! The delta shock is neither convex nor a matter of the net position alone (what is a long option depends on the sum over
//! accounts). The program proves it with `|Δ_u| I_u`, which is at least `D`, and bounds the quadratic piece by
//! [`chords`](DeltaShock::chords) over equal parts of `threshold` to `threshold + most I_u / increment`, their slopes rounded up
//! to 1/10000. So it is exact while `|Δ_u| I_u` is at most the threshold; above, it charges too much by at most
//! `most² I_u / (4 increment chords²)` and a ten-thousandth of a part, where no long options reduce `D`; and that of
//! `|Δ_u|` instead of `D / I_u`, where long options add to the delta.
//!
//! # Volatility of a row
//! With `days` from `t0` to the expiry (fraction of 86,400,000 ms), `τ = max(days, tenor_floor_days)` and the exponent
//! `p = short_power` if `days <= 30`, else `long_power`, all as `f64` ([`crate::scenario`] has the order of
//! operations):
//! ```text
//! scale = (30 / τ)^p
//! up    σ' = max( σ (1 + up · scale), up_floor )
//! none  σ' = σ
//! down  σ' = σ · max( 1 - down · scale, 0 )
//! ```

use std::collections::BTreeMap;

use rust_decimal::Decimal;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{amount, json};

pub use crate::model::assets::AssetParameters;
pub use crate::scenario::{Scenario, VolatilityMove, VolatilityShock};

/// A scenario-grid model as its file says it; unchecked (a [`ScenarioGrid`](super::ScenarioGrid) is checked).
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
    /// What value and requirement are counted in: `USD` (unit 1e-10) or the name of an asset of this file (unit 1e-14).
    pub numeraire: String,
    /// Whether balances, debts and reserves of an asset with an underlying move with its index in the rows (carry
    /// always does).
    pub collateral_in_scenarios: bool,
    /// The factors of the two levels.
    pub levels: Levels,
    /// The assets that count, by name.
    #[serde(with = "json::unique")]
    #[schemars(with = "BTreeMap<String, AssetParameters>")]
    pub assets: BTreeMap<String, AssetParameters>,
    /// Lists of rows, by name; an order of rows matters only to groups.
    #[serde(with = "json::unique")]
    #[schemars(with = "BTreeMap<String, Vec<Scenario>>")]
    pub grids: BTreeMap<String, Vec<Scenario>>,
    /// The underlyings that count, by name.
    #[serde(with = "json::unique")]
    #[schemars(with = "BTreeMap<String, UnderlyingParameters>")]
    pub underlyings: BTreeMap<String, UnderlyingParameters>,
    /// Underlyings whose rows happen together.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub groups: Vec<Group>,
}

impl Parameters {
    /// The rows of an underlying.
    pub fn grid(&self, underlying: &str) -> Option<&[Scenario]> {
        let grid = &self.underlyings.get(underlying)?.grid;
        self.grids.get(grid).map(Vec::as_slice)
    }
}

/// The kind of model of a file.
#[derive(Copy, Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Kind {
    /// Worst row of a price × volatility grid.
    #[serde(rename = "scenario-grid")]
    ScenarioGrid,
}

/// `factor(level)`: what body and roll are multiplied by.
#[derive(Copy, Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Levels {
    /// Factor at the initial level.
    #[serde(with = "amount")]
    #[schemars(with = "String")]
    pub initial: Decimal,
    /// Factor at the maintenance level, at most that at the initial one: who accepts maintenance may accept initial.
    #[serde(with = "amount")]
    #[schemars(with = "String")]
    pub maintenance: Decimal,
}

/// What the profit of a row is counted in, per underlying.
#[derive(Copy, Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Profit {
    /// Coins of the underlying, converted at today's index. Only inverse instruments count.
    Coin,
    /// USD at the row's index.
    Usd,
}

/// What applies to the instruments on one underlying.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct UnderlyingParameters {
    /// The grid of its rows, by name.
    pub grid: String,
    /// What the profit of a row is counted in.
    pub profit: Profit,
    /// How the rows move volatilities.
    pub volatility: VolatilityShock,
    /// `net_u` and `gross_u`; none is 0 and 0.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub delta_provision: Option<DeltaProvision>,
    /// `short_option_minimum_u`: least charge for a short option, as a part of the index per coin of underlying.
    #[serde(default, with = "amount", skip_serializing_if = "Decimal::is_zero")]
    #[schemars(with = "String")]
    pub short_option_minimum: Decimal,
    /// The charge for basis between expiries; none is 0.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub roll: Option<Roll>,
    /// What extended rows are damped by; none is not at all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dampener: Option<Dampener>,
    /// The charge on a very large delta; none is 0.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub delta_shock: Option<DeltaShock>,
    /// `option_fee_u`: provision for the fee of closing an option, as a part of the index per coin of underlying.
    #[serde(default, with = "amount", skip_serializing_if = "Decimal::is_zero")]
    #[schemars(with = "String")]
    pub option_fee: Decimal,
    /// `option_fee_cap_u`: most of that, as a part of the option's mark; without it there is no such bound.
    #[serde(default, with = "amount::option", skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    pub option_fee_cap: Option<Decimal>,
    /// `future_fee_u`: the same for futures and perpetuals, as a part of their notional.
    #[serde(default, with = "amount", skip_serializing_if = "Decimal::is_zero")]
    #[schemars(with = "String")]
    pub future_fee: Decimal,
    /// `funding_intervals_u`: how many intervals of the snapshot's funding rate are provided for.
    #[serde(default, with = "amount", skip_serializing_if = "Decimal::is_zero")]
    #[schemars(with = "String")]
    pub funding_intervals: Decimal,
}

/// `net_u · |Δ_u| + gross_u · Γ_u` in coins.
///
/// A rule with `x` on net and `y` on *hedged* delta, hedged = (Γ - |Δ|) / 2, is `net = x - y / 2`, `gross = y / 2`.
#[derive(Copy, Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DeltaProvision {
    /// `net_u`, a part of the index per coin of net delta.
    #[serde(with = "amount")]
    #[schemars(with = "String")]
    pub net: Decimal,
    /// `gross_u`, a part of the index per coin of gross delta.
    #[serde(with = "amount")]
    #[schemars(with = "String")]
    pub gross: Decimal,
}

/// The roll charge per expiry.
#[derive(Copy, Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Roll {
    /// `annual_move`, a continuously compounded rate a year, at most 10.
    #[serde(with = "amount")]
    #[schemars(with = "String")]
    pub annual_move: Decimal,
    /// `least`: the least rate of an expiry, and the rate of perpetuals.
    #[serde(with = "amount")]
    #[schemars(with = "String")]
    pub least: Decimal,
}

/// By what the profit and loss of rows beyond a range shrink.
#[derive(Copy, Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Dampener {
    /// `range`: the move up to which nothing is damped, above 0 and below 1.
    #[serde(with = "amount")]
    #[schemars(with = "String")]
    pub range: Decimal,
    /// `amount` in USD: what a move of twice the range is damped by, before it is divided by the index's factor at the range.
    #[serde(with = "amount")]
    #[schemars(with = "String")]
    pub amount: Decimal,
}

/// The charge on a very large delta.
#[derive(Copy, Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DeltaShock {
    /// `threshold`: the delta in USD up to which nothing is charged.
    #[serde(with = "amount")]
    #[schemars(with = "String")]
    pub threshold: Decimal,
    /// `increment`: by how many USD the price moves for each USD of delta beyond, above 0.
    #[serde(with = "amount")]
    #[schemars(with = "String")]
    pub increment: Decimal,
    /// `most`: the largest move, as a part of the price, 0 to 1.
    #[serde(with = "amount")]
    #[schemars(with = "String")]
    pub most: Decimal,
    /// How many chords bound the quadratic piece, 1 to 64.
    pub chords: u32,
}

/// Underlyings that share a scenario number.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Group {
    /// Two or more underlyings of the file, each in one group at most.
    pub underlyings: Vec<String>,
    /// Which part of one underlying's gain offsets the losses of others, 0 to 1.
    #[serde(with = "amount")]
    #[schemars(with = "String")]
    pub gain_factor: Decimal,
    /// Most gain of one underlying in a row that does, in units of the numéraire.
    #[serde(default, with = "amount::option", skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    pub gain_cap: Option<Decimal>,
}
