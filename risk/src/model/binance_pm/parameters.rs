//! The parameter file of Binance portfolio margin, and the rule that it parametrizes.
//!
//! This page is the model: nothing below rounds, every number of a file is an exact decimal, and the only binary floats are
//! marks of [`crate::model::stress::parameters`], each read as the exact dyadic rational it is. Facts (`p_a`, `p_M`, `q_i`, `L_i`,
//! `S_i`, `l_i`, `B_a`, `D_a`, `K_a`, `G_a`) and what counts are those of the
//! [scenario grid](crate::model::scenario_grid::parameters), with profit in USD; options do not count: both their legs are *proven
//! empty*.
//!
//! With `m_i` the mark of a future or perpetual and `c_i = 1 / p_M`, of a linear one settled in `a` `c_i = p_a / p_M`:
//!
//! # Value
//! ```text
//! E_a = (p_a / p_M) ( B_a - D_a + K_a - G_a ) + Σ_{i settled in a} c_i m_i q_i
//! V   = Σ_a min( (1 - haircut_a) E_a, E_a )                    1 - haircut_a is the collateral rate
//! ```
//!
//! # Requirement
//! ```text
//! N_i  = l_i ( L_i + S_i ) c_i |m_i|                            notional, both sides of a position
//! MM   = Σ_u Σ_{i on u} f_u(N_i)  +  Σ_a loan_a (p_a / p_M) D_a        where by is instrument
//! MM   = Σ_u f_u( Σ_{i on u} N_i )  +  Σ_a loan_a (p_a / p_M) D_a      where by is underlying
//! R    = factor(level) · MM
//! ```
//! `f_u` is the progressive charge of [`UnderlyingParameters::tiers`], in USD, so `f(h)` is `(1 / p_M) f(p_M h)`. The tiers are
//! convex and 0 at 0: by underlying is never less than by instrument.
//!
//! The venue states `uniMMR = equity / MM` and compares it with a level `factor`: `V - factor · MM >= 0` says the same without a
//! division. `V` is concave and `R` convex: the program proves both as they stand, up to roundings against the holder.

use std::collections::BTreeMap;

use rust_decimal::Decimal;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{amount, json};

pub use crate::model::assets::AssetParameters;
pub use crate::model::stress::parameters::Tier;

/// A model of Binance portfolio margin as its file says it; unchecked (a [`BinancePm`](super::BinancePm) is checked).
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
    /// The least uniMMR at each level.
    pub levels: Levels,
    /// The assets that count, by name; the haircut is what their collateral rate lacks of 1, and there are no caps.
    #[serde(with = "json::unique")]
    #[schemars(with = "BTreeMap<String, AssetParameters>")]
    pub assets: BTreeMap<String, AssetParameters>,
    /// `loan_a`: the maintenance rate of what is owed of each asset; every asset has one.
    #[serde(with = "amount::map")]
    #[schemars(with = "BTreeMap<String, String>")]
    pub loans: BTreeMap<String, Decimal>,
    /// Whether tiers are of an instrument's notional, or of that of all instruments on an underlying (fewer equations).
    pub by: By,
    /// The underlyings that count, by name.
    #[serde(with = "json::unique")]
    #[schemars(with = "BTreeMap<String, UnderlyingParameters>")]
    pub underlyings: BTreeMap<String, UnderlyingParameters>,
}

/// The kind of model of a file.
#[derive(Copy, Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Kind {
    /// Binance portfolio margin.
    #[serde(rename = "binance-pm")]
    BinancePm,
}

/// What a tier is of.
#[derive(Copy, Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum By {
    /// The notional of an instrument.
    Instrument,
    /// The notional of all instruments on an underlying.
    Underlying,
}

/// `factor(level)`: the least ratio of value to maintenance margin.
#[derive(Copy, Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Levels {
    /// At the initial level, 1 to 100.
    #[serde(with = "amount")]
    #[schemars(with = "String")]
    pub initial: Decimal,
    /// At the maintenance level, 1 to that of the initial one.
    #[serde(with = "amount")]
    #[schemars(with = "String")]
    pub maintenance: Decimal,
}

/// What applies to the instruments on one underlying.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct UnderlyingParameters {
    /// `f_u`: maintenance rates by notional in USD.
    pub tiers: Vec<Tier>,
}
