//! The parameter file of a TIMS-style model (customer portfolio margin), and the rule that it parametrizes.
//!
//! This page is the model. Two people who implement it from these words get the same figures: nothing below rounds, every number of a
//! file is an exact decimal, and the only binary floats are the entries of [`crate::valuation`], each read as the exact dyadic
//! rational it is.
//!
//! # Facts
//! Symbols, what counts, and prices are those of [scenario grids](crate::model::scenario_grid::parameters) where profit is USD:
//! `I_u`, `p_a`, `p_M`, `L_i`, `S_i`, `l_i`, `k_i`, `q_i = l_i (L_i - S_i)`, `g_i = l_i (L_i + S_i)`, `B_a`, `D_a`, `K_a`, `G_a`; an instrument
//! counts by the same conditions, and what does not is proven empty. `m_i` is its mark, `v_i(r)` its value at point `r`, in USD at the
//! point's index; `δ_i` its delta in coins. `c_i` is `1 / p_M` for an inverse instrument and `p_a / p_M` for a linear one, settled in `a`.
//!
//! # Value
//! ```text
//! V = Σ_i c_i m_i q_i + Σ_a (p_a / p_M) ( (1 - haircut_a) min(B_a, cap_a) - D_a + K_a - G_a )
//! ```
//!
//! # Classes
//! A *class* is everything on one underlying. Its ten points are equidistant on either side, lowest first, volatilities as they are:
//! ```text
//! x_1 … x_10 = -down, -4/5 down, -3/5 down, -2/5 down, -1/5 down, 1/5 up, 2/5 up, 3/5 up, 4/5 up, up
//! Π_{u,r}    = Σ_{i on u} c_i ( v_i(r) - m_i ) q_i + Σ_{a with underlying u} (p_a / p_M) x_r A_a
//! A_a        = K_a, or K_a + B_a - D_a - G_a where collateral_in_scenarios
//! ```
//! The factor with which prices are computed is the `f64` `1 ± (range · n / 5)`, from left to right.
//!
//! # Product groups
//! The classes of one group happen together, point by point; of a class's gain, the part `offset` counts against the losses of others. A
//! class in no group is one by itself.
//! ```text
//! κ_g(y)    = min( y, offset_g · y )       in a group of two or more
//! κ_g(y)    = y                            in a group of one
//! loss_{g,r} = - Σ_{u in g} κ_g( Π_{u,r} )
//! ```
//!
//! # Minimum
//! ```text
//! minimum_u = Σ_{options i on u} minimum k_i g_i / p_M  +  Σ_{futures, perpetuals i on u} minimum |δ_i| g_i / p_M
//! ```
//! [`UnderlyingParameters::minimum`] is in USD per unit of the underlying: a minimum of 37.50 USD per contract of 100 shares is 0.375.
//!
//! # Requirement
//! ```text
//! risk_g = max( 0, loss_{g,1}, …, loss_{g,10}, Σ_{u in g} minimum_u )
//! R      = factor(level) Σ_g risk_g
//! ```
//! `R` is convex and `V` concave in the legs: every bound that the program rounds, it rounds against the holder.

use std::collections::BTreeMap;

use rust_decimal::Decimal;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{amount, json};

pub use crate::model::assets::AssetParameters;
pub use crate::model::scenario_grid::parameters::Levels;

/// A TIMS-style model as its file says it; unchecked (a [`Tims`](super::Tims) is checked).
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
    /// Whether balances, debts and reserves of an asset with an underlying move with its index at the points (carry always does).
    pub collateral_in_scenarios: bool,
    /// The factors of the two levels.
    pub levels: Levels,
    /// The assets that count, by name.
    #[serde(with = "json::unique")]
    #[schemars(with = "BTreeMap<String, AssetParameters>")]
    pub assets: BTreeMap<String, AssetParameters>,
    /// The underlyings that count, by name.
    #[serde(with = "json::unique")]
    #[schemars(with = "BTreeMap<String, UnderlyingParameters>")]
    pub underlyings: BTreeMap<String, UnderlyingParameters>,
    /// The product groups of two classes or more.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub groups: Vec<Group>,
}

/// The kind of model of a file.
#[derive(Copy, Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Kind {
    /// Theoretical intermarket margin system.
    #[serde(rename = "tims")]
    Tims,
}

/// What applies to the instruments on one underlying.
#[derive(Copy, Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct UnderlyingParameters {
    /// The largest fall, a part of the index: 0.08 of a large index, 0.1 of another, 0.15 of an equity. Above 0, at most 0.999.
    #[serde(with = "amount")]
    #[schemars(with = "String")]
    pub down: Decimal,
    /// The largest rise: 0.06, 0.1, 0.15. Above 0.
    #[serde(with = "amount")]
    #[schemars(with = "String")]
    pub up: Decimal,
    /// The least charge in USD per unit of the underlying, of what is held long and short.
    #[serde(default, with = "amount", skip_serializing_if = "Decimal::is_zero")]
    #[schemars(with = "String")]
    pub minimum: Decimal,
}

/// Classes that happen together.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Group {
    /// Two or more underlyings of the file, each in one group at most.
    pub underlyings: Vec<String>,
    /// Which part of one class's gain offsets the losses of others, 0 to 1.
    #[serde(with = "amount")]
    #[schemars(with = "String")]
    pub offset: Decimal,
}
