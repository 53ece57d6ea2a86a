//! The parameter file of a `derive-standard` model, and the rule that it parametrizes.
//!
//! This page is the model. Two people who implement it from these words get the same figures: nothing below rounds, every
//! number of a file is an exact decimal, and the only binary floats are the marks of [`crate::valuation`], each read as the
//! exact dyadic rational it is.
//!
//! # Facts
//! As under [`crate::model::scenario_grid::parameters`]: what counts, `p_a`, `p_M`, lots `L_i` and `S_i`, contracts
//! `q_i = l_i (L_i - S_i)` and `s_i = l_i S_i`, contract size `k_i`, and the coins `B_a`, `D_a`, `K_a`, `G_a` of an asset.
//! Every underlying counts profit in USD, so linear instruments count, and inverse ones at the index of the snapshot.
//! - `I_u` is the index of an underlying, `F_e` the forward of an expiry, `P_b` the price of a bucket of futures: the
//!   perpetuals of an underlying are one bucket, the futures of one expiry another.
//! - `m_i` is the mark of an instrument per contract, in USD of the snapshot's index, or in coins of the settlement asset of
//!   a linear one.
//! - `c_i` turns a USD of an inverse instrument, or a coin of the settlement asset of a linear one, into the numéraire:
//!   `1 / p_M`, or `p_a / p_M`. **Prices of the rule (index, strike, forward) count as coins of the settlement asset of a
//!   linear instrument.** So with the settlement asset as the numéraire, all figures of linear instruments are in it.
//! - `conf_u`, `conf_e`, `conf_p`: the snapshot's confidence in an index, an expiry, a perpetual; 1 where it does not say.
//!
//! # Value
//! ```text
//! V = Σ_{futures, perpetuals i} c_i m_i q_i  +  Σ_a (p_a / p_M) ( (1 - haircut_a) B_a - D_a + K_a - G_a )
//! ```
//! **Options are worth nothing**: what a long option is good for is in the max loss of its expiry.
//!
//! # Options
//! Each underlying and expiry by itself. `iso_i` is what a contract short needs by itself
//! ([`crate::model::short_option`]). At a settlement price `s`, a call pays `w_i(s) = k_i max(s - K_i, 0)`, a put
//! `w_i(s) = k_i max(K_i - s, 0)`.
//! ```text
//! isolated_e = Σ_{i in e} c_i iso_i(level) s_i
//! worst_e    = max( 0 , max_s - Σ_{i in e} c_i w_i(s) q_i )           s over 0 and the strikes that are held
//! unpaired_e = unpaired(level) · F_e · max( 0 , - Σ_{calls i in e} c_i k_i q_i )
//! option_e   = min( isolated_e , worst_e + unpaired_e )
//! ```
//! A strike is held if any lot of an option at it is, long or short. (The program takes every strike that is *listed*; see
//! "What is conservative".)
//!
//! # Futures and perpetuals
//! With `n_i = k_i` coins in a contract of a linear instrument and `n_i = k_i / P_b` of an inverse one:
//! ```text
//! future_b = futures(level) · P_b · | Σ_{i in b} c_i n_i q_i |
//! ```
//!
//! # At the initial level alone
//! ```text
//! gap(t, c)     = factor · (1 - c) if c < t, else 0                            a threshold of 0 is never undercut
//! μ             = depeg.factor · max( 0 , depeg.threshold - p_{depeg.asset} )  0 without depeg
//! oracle_e      = gap(option_threshold, min(conf_u, conf_e)) · I_u · Σ_{i in e} c_i k_i s_i
//! oracle_b      = gap(future_threshold, min(conf_u, conf_p)) · I_u · | Σ_{i in b} c_i n_i q_i |     conf_p of perpetuals alone
//! depeg_u       = μ · I_u · ( Σ_b | Σ_{i in b} c_i n_i q_i | + Σ_{options i} c_i k_i s_i )
//! oracle_a      = gap(base_threshold, min(conf_u, conf_a)) · p_a · B_a         assets a with underlying u
//! ```
//! # Base assets
//! The rule values a coin at its index, in the numéraire whatever that is worth; and less at the initial level, by
//! [`Parameters::initial_scale`]. With `σ_a(initial)` that, `σ_a(maintenance) = 1`, for assets with an underlying:
//! ```text
//! base_a = (1 - haircut_a) · p_a · B_a · max( 0 , 1 / p_M - σ_a(level) )
//! ```
//! # Requirement
//! ```text
//! R = Σ_u ( Σ_e option_e + Σ_b future_b ) + Σ_a base_a  +  at the initial level Σ ( oracle_e + oracle_b + oracle_a + depeg_u )
//! met  ⇔  V - ρ R - e >= 0
//! ```
//!
//! # What is conservative
//! - `option_e` is the smaller of two: the program lets the prover choose which one it is held to, so it is exact.
//! - With [`Settlements::Listed`], the program's `worst_e` looks at every listed strike that counts. Between held strikes that
//!   changes nothing. Above the highest held one it does only where more calls are short than long: there the loss goes on
//!   growing to the highest listed strike. Such an expiry is exact if its isolated margin is the smaller one. With
//!   [`Settlements::Held`] the program is exact.
//! - Where `p_M` is above 1, a base coin is worth `p_a / p_M`, less than the rule's `p_a`.
//! - A lot both long and short, as added-up accounts may hold, has its isolated margin and its surcharges.

use std::collections::BTreeMap;

use rust_decimal::Decimal;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{amount, json};

pub use crate::model::assets::AssetParameters;
pub use crate::model::short_option::{Reference, ShortOption};

/// A `derive-standard` model as its file says it; unchecked.
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
    /// What value and requirement are counted in: `USD` or an asset of this file without an underlying.
    pub numeraire: String,
    /// The assets that count, by name; caps are refused.
    #[serde(with = "json::unique")]
    #[schemars(with = "BTreeMap<String, AssetParameters>")]
    pub assets: BTreeMap<String, AssetParameters>,
    /// `σ_a(initial)`: what is left at the initial level of what a balance is worth after its haircut, 0 to 1, by asset;
    /// 1 for assets that are not among them. Assets with an underlying alone.
    #[serde(default, with = "amount::map", skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(with = "BTreeMap<String, String>")]
    pub initial_scale: BTreeMap<String, Decimal>,
    /// Which strikes the program takes for settlement prices.
    #[serde(default)]
    pub settlements: Settlements,
    /// The surcharge for a stablecoin that lost its peg; none is 0.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub depeg: Option<Depeg>,
    /// The underlyings that count, by name.
    #[serde(with = "json::unique")]
    #[schemars(with = "BTreeMap<String, UnderlyingParameters>")]
    pub underlyings: BTreeMap<String, UnderlyingParameters>,
}

/// The kind of model of a file.
#[derive(Copy, Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Kind {
    /// Isolated margin or max loss of each expiry, whichever is less.
    #[serde(rename = "derive-standard")]
    DeriveStandard,
}

/// Which strikes the program takes for settlement prices.
#[derive(Copy, Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Settlements {
    /// All that are listed: a row each. See "What is conservative".
    #[default]
    Listed,
    /// Those that are held, as the rule says: two rows and a bit each.
    Held,
}

/// The surcharge for a stablecoin that lost its peg.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Depeg {
    /// The stablecoin, one of the file's assets.
    pub asset: String,
    /// The price below which there is a surcharge, at most 1.
    #[serde(with = "amount")]
    #[schemars(with = "String")]
    pub threshold: Decimal,
    /// By how much of the index per coin short or of futures it grows, per USD below the threshold.
    #[serde(with = "amount")]
    #[schemars(with = "String")]
    pub factor: Decimal,
}

/// What applies to the instruments on one underlying.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct UnderlyingParameters {
    /// `futures(level)`: the part of their notional that futures and perpetuals need.
    pub futures: ByLevel,
    /// What a short option needs by itself.
    pub short_option: ShortOption,
    /// `unpaired(level)`: what part of the forward a net short call adds to the max loss.
    pub unpaired: ByLevel,
    /// Surcharges for prices that the oracle is not sure of; none is 0.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub oracle: Option<OracleContingency>,
}

/// A figure at both levels.
#[derive(Copy, Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ByLevel {
    /// At the initial level.
    #[serde(with = "amount")]
    #[schemars(with = "String")]
    pub initial: Decimal,
    /// At the maintenance level, at most that at the initial one.
    #[serde(with = "amount")]
    #[schemars(with = "String")]
    pub maintenance: Decimal,
}

impl ByLevel {
    /// The figure at a level.
    pub const fn at(&self, level: crate::terms::Level) -> Decimal {
        match level {
            crate::terms::Level::Initial => self.initial,
            crate::terms::Level::Maintenance => self.maintenance,
        }
    }
}

/// Surcharges of `(1 - confidence) · factor` where a confidence is below its threshold.
#[derive(Copy, Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct OracleContingency {
    /// Of the index and an expiry, for its short options; at most 1.
    #[serde(with = "amount")]
    #[schemars(with = "String")]
    pub option_threshold: Decimal,
    /// Of the index and the perpetual, for futures and perpetuals; at most 1.
    #[serde(with = "amount")]
    #[schemars(with = "String")]
    pub future_threshold: Decimal,
    /// Of the index and an asset, for balances that move with the underlying; at most 1.
    #[serde(with = "amount")]
    #[schemars(with = "String")]
    pub base_threshold: Decimal,
    /// `factor`.
    #[serde(with = "amount")]
    #[schemars(with = "String")]
    pub factor: Decimal,
}

impl OracleContingency {
    /// `gap(threshold, confidence)`; none where it is 0.
    pub(crate) fn gap(&self, threshold: Decimal, confidence: Decimal) -> Option<[Decimal; 2]> {
        (confidence < threshold).then_some([self.factor, Decimal::ONE - confidence])
    }
}
