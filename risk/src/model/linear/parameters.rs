//! The parameter file of a `linear` or `deribit-standard` model, and the rule that it parametrizes.
//!
//! This page is the model. Two people who implement it from these words get the same figures: nothing below rounds, every
//! number of a file is an exact decimal, and the only binary floats are the marks of [`crate::valuation`], each read as the
//! exact dyadic rational it is.
//!
//! The two kinds are one rule. Under `linear` the margin of short options may be left out, and then an account that holds
//! one has no margin; under `deribit-standard` every underlying has one.
//!
//! # Facts
//! As under [`crate::model::scenario_grid::parameters`]: what counts, `p_a`, `p_M`, lots `L_i` and `S_i`, contracts
//! `q_i = l_i (L_i - S_i)` and `s_i = l_i S_i`, `g_i = l_i (L_i + S_i)`, contract size `k_i`, and the coins `B_a`, `D_a`,
//! `K_a`, `G_a`, `H_a` of an asset, those of isolated positions not among them (see below). Every underlying counts profit in USD, so
//! linear instruments count, and inverse ones at the index of the snapshot.
//! - `I_u` is the index of an underlying; `m_i` the mark of an instrument per contract, in USD of the snapshot's index, or
//!   in coins of the settlement asset of a linear one.
//! - `c_i` turns a USD of an inverse instrument, or a coin of the settlement asset of a linear one, into the numéraire:
//!   `1 / p_M`, or `p_a / p_M`.
//! - The perpetuals of an underlying are one bucket `b`, its futures of one expiry another; `P_b` is their price. Positions
//!   of a bucket are netted, at whatever venue they are. A future of an underlying whose file has no `future`, a perpetual
//!   without `perpetual`, and a short option without `short_option` **must not be held**: they are proven empty.
//!
//! # Value
//! ```text
//! V = Σ_{futures, perpetuals i} c_i m_i q_i  +  Σ_a (p_a / p_M) ( H_a - D_a + K_a - G_a )     where debts is value
//!                                            +  Σ_a (p_a / p_M) D_a                           more, where it is requirement
//! ```
//! **Options are worth nothing**: a long one is no collateral, and the mark of a short one is in its margin.
//!
//! # Futures and perpetuals
//! `n_i P_b` is the notional of a contract: `k_i P_b` of a linear instrument, `k_i` of an inverse one. With the schedule of
//! the bucket ([`crate::model::tiers`]), of which `from` and results are in USD:
//! ```text
//! X_b       = | Σ_{i in b} c_i n_i P_b q_i |
//! margin_b  = schedule(level)( X_b )                         from_n (USD) counted as from_n / p_M
//! fees_b    = fee · Σ_{i in b} c_i n_i P_b g_i
//! funding_b = funding_intervals · Σ_{i in b} c_i n_i P_b l_i ( max(φ, 0) L_i + max(-φ, 0) S_i )    φ the snapshot's funding
//! ```
//! # Options
//! ```text
//! options_u = Σ_{options i on u} c_i iso_i(level) s_i        iso_i of crate::model::short_option
//! ```
//! # Collateral and debts
//! ```text
//! initial_a = (p_a / p_M) (initial_haircut_a - haircut_a) B_a            at the initial level; 0 for assets not among them
//! debt_a    = (p_a / p_M) (debt_factor_a - 1) D_a                        where debts is value
//! debt_a    = (p_a / p_M) debt_factor_a D_a                              where debts is requirement
//! ```
//! With debts as the requirement, `V / R` is the health factor of a lending protocol: assets by their liquidation
//! thresholds `1 - haircut`, against debts; and at the initial level by their loan-to-value `1 - initial_haircut`, which adds to `R` what
//! is between them.
//!
//! # Requirement
//! ```text
//! R = Σ_b ( margin_b + fees_b + funding_b ) + Σ_u options_u + Σ_a debt_a  +  at the initial level Σ_a initial_a
//! met  ⇔  V - ρ R - e >= 0
//! ```
//! A ratio of margins, as uniMMR = adjusted equity / maintenance margin, is `ρ`.
//!
//! # Isolated positions
//! Under `linear`, an instrument that its venue's file has an asset isolated in is a position by itself: its own two legs, and the balance,
//! debt, carry and reserve of the assets that are isolated in it. It counts if the asset that it settles in is isolated in it and counts.
//! `V_i` and `R_i` are `V` and `R` of what is above, with nothing in the book but these lines, and
//! ```text
//! X = c_i n_i P_b g_i                     in the place of X_b: long and short add up
//! met  ⇔  V - ρ R - e >= 0  and  V_i - ρ R_i >= 0 for each isolated position
//! ```
//! So a surplus stays in its position, and a deficit is that position's own. The accounts at a venue are one book before anything is
//! asked of it: their isolated positions in one instrument are one position, whose balances and profits add up; sizes do not net, so
//! that no account's position covers that of another. Under `deribit-standard` isolated positions are proven empty.
//!
//! # What is conservative
//! - Brackets ask for more than the rule less than a thousandth below where a tier begins ([`crate::model::tiers`]).
//! - A lot both long and short, as added-up accounts may hold, has its margin as a short option, and fees.
//! - Isolated positions of several accounts in one instrument on opposite sides have the margin of the sum of their sizes.

use std::collections::BTreeMap;

use rust_decimal::Decimal;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{amount, json};

pub use crate::model::assets::AssetParameters;
pub use crate::model::short_option::{Reference, ShortOption};
pub use crate::model::tiers::{InitialBy, OpenInterest, Schedule, Size, Tier};

/// A `linear` or `deribit-standard` model as its file says it; unchecked.
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
    /// What value and requirement are counted in: `USD` (unit 1e-10) or the name of an asset of this file (unit 1e-14 of a coin that moves
    /// with an underlying).
    pub numeraire: String,
    /// The assets that count, by name.
    #[serde(with = "json::unique")]
    #[schemars(with = "BTreeMap<String, AssetParameters>")]
    pub assets: BTreeMap<String, AssetParameters>,
    /// The haircut at the initial level, `haircut` to 1, of assets without a cap.
    #[serde(default, with = "amount::map", skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(with = "BTreeMap<String, String>")]
    pub initial_haircuts: BTreeMap<String, Decimal>,
    /// What a debt counts, 1 to 100 times; 1 for assets that are not among them.
    #[serde(default, with = "amount::map", skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(with = "BTreeMap<String, String>")]
    pub debt_factors: BTreeMap<String, Decimal>,
    /// Whether debts come off the value or are the requirement.
    #[serde(default)]
    pub debts: Debts,
    /// The underlyings that count, by name.
    #[serde(with = "json::unique")]
    #[schemars(with = "BTreeMap<String, UnderlyingParameters>")]
    pub underlyings: BTreeMap<String, UnderlyingParameters>,
}

/// The kind of model of a file.
#[derive(Copy, Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Kind {
    /// Futures and perpetuals by tiers of their notional.
    #[serde(rename = "linear")]
    Linear,
    /// The same, with short options each by itself.
    #[serde(rename = "deribit-standard")]
    DeribitStandard,
}

/// Where debts count.
#[derive(Copy, Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Debts {
    /// They come off the value.
    #[default]
    Value,
    /// They are part of the requirement.
    Requirement,
}

/// What applies to the instruments on one underlying.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct UnderlyingParameters {
    /// The schedule of its perpetuals; without one none may be held.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub perpetual: Option<Schedule>,
    /// The schedule of its futures, of each expiry by itself; without one none may be held.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub future: Option<Schedule>,
    /// What a short option needs; without it none may be held.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub short_option: Option<ShortOption>,
}
