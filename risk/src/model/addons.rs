//! Charges that any model can carry on top of its own: what a large book costs to close, to hedge, and to hold while others sell.
//!
//! This page is the rule. All charges are in USD here, and count divided by the price `p_M` of the numéraire; none depends on the level.
//! Symbols and what counts are those of the model that carries them; `g_i = l_i (L_i + S_i)` is what is held gross (an account's long
//! and another's short are two positions to close), `I` the index of the underlying, `δ`, `γ`, `v` delta, gamma and vega of a contract
//! ([`crate::valuation::greeks`]; delta in coins). `n_i` is the notional of a contract: `I k_i` of an option, `I |δ_i|` of a future or perpetual.
//!
//! # Concentration
//! A *bucket* is: the perpetuals on one underlying; its futures of one expiry; its options by time to expiry and moneyness (as many bounds as are
//! below: days for the time, `K / F` for the strike); an asset. With `N_b` what is held of it and `M_b` its depth:
//! ```text
//! N_b      = Σ_{i in b} n_i g_i                          of an asset: price · (balances + debts)
//! M_b      = max( least_depth, floor( Σ what the snapshot has of b, in USD ) )            of an asset: as the file says
//! charge_b = Σ_j (rate_j - rate_{j-1}) · max( 0, N_b - above_j M_b )                      rate_0 = 0
//! ```
//! so that what is above `above_j M_b` is charged `rate_j`. What the snapshot has is open interest (coins times index of options, USD of
//! futures and perpetuals), or with [`Measure::Volume`] the volume of a day times the index where that is recorded. Rates rise: the charge is convex.
//!
//! # Closing out
//! ```text
//! Σ_i factor · half_i g_i
//! half_i = (ask - bid) / 2                               where both are recorded: times I k_i (option), |δ_i| (others)
//! half_i = volatility · v_i + least · I k_i              of another option
//! half_i = future · I |δ_i|                              of another future or perpetual
//! ```
//! An option's quotes are in coins, whatever it settles in; a linear one's half is in its settlement asset. An ask of nothing, or below the bid, is no quote.
//!
//! # Rebalancing
//! What hedging a move costs, as a part of the profit of the gamma that is hedged:
//! ```text
//! Σ_i rate · 1/2 |γ_i| (move · I)² g_i
//! ```
//!
//! # Contagion
//! A first move `x` makes others sell in proportion to the open interest `O_u` of the underlying in USD; what that moves the price by is public. Open interest
//! that the snapshot does not say counts nothing, to the holder's favour:
//! ```text
//! y = min( most, ceil( x O_u / depth, at 6 decimals ) )
//! contagion_u = max( 0, Π_u(x) - Π_u(x + y), Π_u(-x) - Π_u(-x - y) )
//! ```
//! `Π_u(z)` is the profit when index and forwards move by `z`, volatilities as they are: instruments in USD at the moved index, and
//! `z p_a (B_a - D_a + K_a - G_a)` of the assets that move with it. Prices are computed with the `f64` factor `1 ± z`.

mod check;
mod compile;
pub(crate) mod table;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use rust_decimal::Decimal;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{amount, json};

/// Charges on top of a model's own. Amounts are strings; every number is `>= 0`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AddOns {
    /// For what is large against the market.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub concentration: Option<Concentration>,
    /// For the spread between bid and ask.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub closing: Option<Closing>,
    /// For hedging gamma, by underlying.
    #[serde(default, with = "json::unique", skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(with = "BTreeMap<String, Rebalancing>")]
    pub rebalancing: BTreeMap<String, Rebalancing>,
    /// For what others sell, by underlying.
    #[serde(default, with = "json::unique", skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(with = "BTreeMap<String, Contagion>")]
    pub contagion: BTreeMap<String, Contagion>,
}

/// What the depth of a bucket is measured by.
#[derive(Copy, Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Measure {
    /// Open interest.
    OpenInterest,
    /// Volume of a day where it is recorded, else open interest.
    Volume,
}

/// Liquidity and concentration.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Concentration {
    /// What depth is measured by.
    pub measure: Measure,
    /// Least depth of a bucket, in USD.
    #[serde(with = "amount")]
    #[schemars(with = "String")]
    pub least_depth: Decimal,
    /// Bounds of time to expiry in days, rising: an option is in the bucket of the number of bounds that it exceeds.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub days: Vec<Bound>,
    /// Bounds of `K / F`, rising.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub moneyness: Vec<Bound>,
    /// The rates, rising.
    pub tiers: Vec<Step>,
    /// Depths of assets in USD, by name; others are not charged.
    #[serde(default, with = "amount::map", skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(with = "BTreeMap<String, String>")]
    pub assets: BTreeMap<String, Decimal>,
}

/// A bound between two buckets.
#[derive(Copy, Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct Bound(
    #[serde(with = "amount")]
    #[schemars(with = "String")]
    pub Decimal,
);

/// A rate from a part of the depth on.
#[derive(Copy, Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Step {
    /// The part of the depth above which it is charged.
    #[serde(with = "amount")]
    #[schemars(with = "String")]
    pub above: Decimal,
    /// The charge, as a part of notional.
    #[serde(with = "amount")]
    #[schemars(with = "String")]
    pub rate: Decimal,
}

/// The cost of closing out.
#[derive(Copy, Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Closing {
    /// How many half spreads.
    #[serde(with = "amount")]
    #[schemars(with = "String")]
    pub factor: Decimal,
    /// Half spread of an option without a recorded one, in volatility: 0.01 is a point.
    #[serde(with = "amount")]
    #[schemars(with = "String")]
    pub volatility: Decimal,
    /// And as a part of the index.
    #[serde(with = "amount")]
    #[schemars(with = "String")]
    pub least: Decimal,
    /// Half spread of a future or perpetual without a recorded one, as a part of the index.
    #[serde(with = "amount")]
    #[schemars(with = "String")]
    pub future: Decimal,
}

/// The cost of hedging.
#[derive(Copy, Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Rebalancing {
    /// The move that is hedged, as a part of the index.
    #[serde(rename = "move", with = "amount")]
    #[schemars(with = "String")]
    pub size: Decimal,
    /// Fees and slippage, as a part of the profit of the gamma.
    #[serde(with = "amount")]
    #[schemars(with = "String")]
    pub rate: Decimal,
}

/// The second round of a move.
#[derive(Copy, Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Contagion {
    /// `x`: the first move, as a part of the index.
    #[serde(rename = "move", with = "amount")]
    #[schemars(with = "String")]
    pub first: Decimal,
    /// USD of open interest at which the second move is as large as the first; above 0.
    #[serde(with = "amount")]
    #[schemars(with = "String")]
    pub depth: Decimal,
    /// The largest second move. With the first at most 0.999.
    #[serde(with = "amount")]
    #[schemars(with = "String")]
    pub most: Decimal,
}
