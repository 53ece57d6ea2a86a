//! The parameter file of a delta-gamma-vega model, and the rule that it parametrizes.
//!
//! A book is taken as a quadratic function of the relative moves of its underlyings and a linear one of moves of their
//! volatilities, all of them normal: what RiskMetrics called the delta-normal method, with the curvature of each underlying
//! added where it hurts. Nothing below rounds; every number of a file is an exact decimal, and the only binary floats are the four
//! figures of each instrument in [`crate::valuation::dollar_greeks`], each read as the exact dyadic rational it is.
//!
//! # Facts, and what counts
//! As in a [scenario grid](crate::model::scenario_grid::parameters) that counts profit in USD: `p_a`, `p_M`, `q_i`, `B_a`, `D_a`, `G_a`, `K_a`,
//! and which assets and instruments count (underlyings are [`Parameters::underlyings`]). `c_i` is `1 / p_M` of an inverse instrument and
//! `p_a / p_M` of a linear one that settles in `a`.
//!
//! # Tables
//! Per contract held long: its mark `m_i` (USD at the index, or coins of a linear settlement asset), and how that changes:
//! `δ_i` by a relative move of index and forwards of its underlying, `γ_i` by its square (twice the quadratic coefficient), `ν_i` by
//! 1.00 of its volatility. An inverse future or perpetual has `δ_i = γ_i = ν_i = 0`: what moves is the coin of its carry.
//!
//! # Value
//! As in a scenario grid: `V = Σ_i c_i m_i q_i + Σ_a (p_a / p_M)(H_a - D_a + K_a - G_a)`.
//!
//! # Greeks of a book
//! Of an underlying `u` that the snapshot has:
//! ```text
//! δ_u = Σ_{i on u} c_i δ_i q_i  +  Σ_{a with underlying u} (p_a / p_M) A_a
//! A_a = K_a                      where collateral_in_delta is false
//! A_a = K_a + B_a - D_a - G_a    where it is true (whole amounts: no haircut, no cap)
//! γ_u = Σ_{i on u} c_i γ_i q_i           ν_u = Σ_{i on u} c_i ν_i q_i
//! ```
//!
//! # Requirement
//! With `z` the quantile, `σ_u` the underlying's `move`, `ξ_u` its `volatility_move`, `ρ` and `ρ'` the correlations of prices and of
//! volatilities:
//! ```text
//! delta = z √( Σ_u Σ_v ρ_uv (σ_u δ_u) (σ_v δ_v) )
//! gamma = Σ_u ½ (z σ_u)² max( 0, -γ_u )
//! vega  = z √( Σ_u Σ_v ρ'_uv (ξ_u ν_u) (ξ_v ν_v) )
//! R     = factor(level) · ( delta + gamma + vega )
//! ```
//! `gamma` is what the quadratic term loses at a move of `z σ_u` either way. A gain of gamma counts nothing, nor does it that the moves
//! of several underlyings, or those of price and volatility, do not all come at once: the three are added. An underlying that the
//! snapshot does not have contributes nothing. `R` is convex: nothing in it needs a choice.

use std::collections::BTreeMap;

use rust_decimal::Decimal;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{amount, json};

pub use crate::model::assets::AssetParameters;
pub use crate::model::correlation::Correlations;

/// A delta-gamma-vega model as its file says it; unchecked (a [`DeltaGammaVega`](super::DeltaGammaVega) is checked).
///
/// Amounts are strings. A field that is not below is refused. Every number is `>= 0`, a correlation apart.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Parameters {
    /// Which kind of model the file holds.
    pub model: Kind,
    /// The model's name, 1 to 64 characters.
    pub name: String,
    /// Whose rule it follows, in a sentence or two.
    pub description: String,
    /// What is left out, and on which side that errs.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub left_out: Vec<String>,
    /// Which figures are assumed here.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub assumed: Vec<String>,
    /// What value and requirement are counted in: `USD` or the name of an asset of this file.
    pub numeraire: String,
    /// `z`: 2.326 is 99 % of one side. 0 to 10.
    #[serde(with = "amount")]
    #[schemars(with = "String")]
    pub quantile: Decimal,
    /// Whether what is held of a coin moves with it, and not its carry alone.
    pub collateral_in_delta: bool,
    /// `factor(level)`.
    pub levels: Levels,
    /// The underlyings.
    #[serde(with = "json::unique")]
    #[schemars(with = "BTreeMap<String, UnderlyingParameters>")]
    pub underlyings: BTreeMap<String, UnderlyingParameters>,
    /// `ρ`: the rows are the underlyings in the order of the alphabet.
    pub price_correlations: Correlations,
    /// `ρ'`, likewise.
    pub volatility_correlations: Correlations,
    /// The assets that count.
    #[serde(with = "json::unique")]
    #[schemars(with = "BTreeMap<String, AssetParameters>")]
    pub assets: BTreeMap<String, AssetParameters>,
}

/// `"delta-gamma-vega"`.
#[derive(Copy, Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Kind {
    /// Parametric value at risk on greeks.
    #[serde(rename = "delta-gamma-vega")]
    DeltaGammaVega,
}

/// Factors of the two levels, 0 to 100.
#[derive(Copy, Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Levels {
    /// Of initial margin, at least that of maintenance.
    #[serde(with = "amount")]
    #[schemars(with = "String")]
    pub initial: Decimal,
    /// Of maintenance margin.
    #[serde(with = "amount")]
    #[schemars(with = "String")]
    pub maintenance: Decimal,
}

/// What an underlying does over the horizon.
#[derive(Copy, Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct UnderlyingParameters {
    /// `σ_u`: standard deviation of its relative move, 0 to 10.
    #[serde(rename = "move", with = "amount")]
    #[schemars(with = "String")]
    pub price_move: Decimal,
    /// `ξ_u`: standard deviation of its volatility's move, in volatility: 0.05 is five points. 0 to 10.
    #[serde(with = "amount")]
    #[schemars(with = "String")]
    pub volatility_move: Decimal,
}
