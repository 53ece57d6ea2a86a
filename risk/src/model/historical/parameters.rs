//! The parameter file of a historical simulation, and the rule that it parametrizes.
//!
//! This page is the model. Two people who implement it from these words get the same figures: nothing below rounds but
//! the `f64` operations that it names, every one of which is read as the exact dyadic rational that it gives.
//!
//! # Facts
//! Snapshot, lots, prices, assets and what of them **counts** are those of the [scenario
//! grid](crate::model::scenario_grid::parameters), profit being counted in USD at the scenario's index: `t0`, `I_u`, `p_a`, `p_M`,
//! `q_i`, `B_a`, `D_a`, `K_a`, `G_a`, `H_a`. Options on an underlying of which [volatility](Volatility::Index) is not known on every day that is
//! used do not count either, unless the file says that volatility then stays.
//!
//! # Moves
//! The [history] is the one whose digest is [`Parameters::history`]. Of the series of underlying `u` and a date `d` with
//! the day before it, with every figure read as its nearest `f64`:
//! ```text
//! s_{u,d} = close_d / close_{d-1}                  one division
//! y_{u,d} = index_d / index_{d-1} - 1              one division, one subtraction; none unless both days have a volatility index
//! ```
//! The **window** is the [`Parameters::window`], `n` moves. All underlyings move together: a scenario is a date.
//!
//! # Filter
//! With a [`Filter`], the moves of prices in the window are scaled to the volatility at its end; other windows and volatility
//! indices are not. From the history's first move, 1, to the window's last, `N`, with `λ` the decay, all `f64` and from left to right:
//! ```text
//! l_d     = ln(s_d)                                v_1 = l_1 · l_1
//! v_{d+1} = λ · v_d  +  (1 - λ) · (l_d · l_d)      v_d is known the day before d
//! k_d     = sqrt( v_{N+1} / v_d ), at least `least`, at most `most`; `most` where v_d = 0
//! s_d    <- exp( k_d · l_d )
//! ```
//!
//! # Loss of a scenario
//! Index and every forward of `u` are multiplied by `s_{u,d}`, and volatilities move as [`Volatility`] says; `v_i(d)` is the value of
//! a contract by [`crate::valuation`] then, `m_i` its mark, both in USD (in the settlement asset if linear), `c_i = 1 / p_M` if the instrument is
//! inverse and `p_a / p_M` if it is linear, settled in `a`. `x_{u,d} = s_{u,d} - 1`, one subtraction.
//! ```text
//! L_d = - Σ_i c_i ( v_i(d) - m_i ) q_i  -  Σ_{a that moves with u} (p_a / p_M) · x_{u,d} · A_a
//! A_a = K_a                            where collateral_in_scenarios is false
//! A_a = K_a + B_a - D_a - G_a          where it is true (whole amounts: no haircut, no cap)
//! ```
//! An underlying of the file that the snapshot does not have loses nothing.
//!
//! # Measure
//! Of the losses of `n` scenarios, at confidence `c`, the largest being the first:
//! ```text
//! value at risk         the ( floor( (1 - c) n ) + 1 )-th largest
//! expected shortfall    the mean of the ceil( (1 - c) n ) largest
//! ```
//!
//! # Procyclicality
//! With `M` the measure of the window and `M'` that of the other window that the rule names, at the same confidence:
//! ```text
//! none        P = M
//! buffer      P = (1 + part) · M                       Art. 28 (1) (a) of Regulation (EU) 153/2013: 25 %
//! stressed    P = (1 - weight) · M + weight · M'       (b): at least 25 % weight on stressed observations
//! floor       P = max( M, M' )                         (c): not below what ten years would give
//! ```
//! The stressed window is a range of dates in the file. Some rules look for the worst one of each book; a public range is not a
//! book's own.
//!
//! # Value, requirement and statement
//! ```text
//! V = Σ_i c_i m_i q_i  +  Σ_a (p_a / p_M) ( H_a - D_a + K_a - G_a )
//! R = factor(level) · max( 0, P )
//! met  ⇔  V - ρ R - e >= 0
//! ```
//! Confidence and factor are those of the level. A quantile is not convex: which scenarios are beyond it is proven with a
//! number per scenario. An expected shortfall is convex.
//!
//! # What of a book has a proof
//! The losses of a window, times the factors before them, are less than [`Parameters::span`] apart; a larger book has none. An
//! expected shortfall is proven in steps of `2^24` units (0.0017 USD), rounded against the holder.

use std::collections::BTreeMap;

use rust_decimal::Decimal;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::canonical::Digest;
use crate::history::Day;
use crate::scenario::VolatilityShock;
use crate::{amount, history, json};

pub use crate::model::assets::AssetParameters;

/// A historical simulation as its file says it; unchecked (a [`Historical`](super::Historical) is checked).
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
    /// The digest of the price history.
    pub history: Digest,
    /// The moves that are scenarios.
    pub window: Range,
    /// What is made of their losses.
    pub measure: Measure,
    /// Confidence and factor by level.
    pub levels: Levels,
    /// What keeps the requirement from following the market too closely.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub procyclicality: Option<Procyclicality>,
    /// How moves of other days are scaled to the volatility of the last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub filter: Option<Filter>,
    /// What scenarios do to volatilities.
    pub volatility: Volatility,
    /// Whether balances, debts and reserves move with the scenarios, or carry alone.
    pub collateral_in_scenarios: bool,
    /// How far apart the losses of a book may be, in units of the numéraire; `2^64` units (1.8 billion USD) if it is not given.
    #[serde(default, with = "amount::option", skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    pub span: Option<Decimal>,
    /// The assets that count, by name.
    #[serde(with = "json::unique")]
    #[schemars(with = "BTreeMap<String, AssetParameters>")]
    pub assets: BTreeMap<String, AssetParameters>,
    /// The underlyings that count, by name.
    #[serde(with = "json::unique")]
    #[schemars(with = "BTreeMap<String, UnderlyingParameters>")]
    pub underlyings: BTreeMap<String, UnderlyingParameters>,
}

/// The kind of model of a file.
#[derive(Copy, Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Kind {
    /// Value at risk or expected shortfall of past moves.
    #[serde(rename = "historical")]
    Historical,
}

/// Moves of a history, as a file names them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Range {
    /// All of them: `"whole"`.
    Whole,
    /// All up to a date: `{"until": "2026-08-07"}`.
    Until(Day),
    /// The last so many: `{"last": {"moves": 500, "until": "2026-08-07"}}`.
    Last(Last),
    /// Those of all dates from one to another: `{"between": {"first": "2020-02-20", "last": "2020-10-26"}}`.
    Between(Between),
}

/// The last so many moves up to a date.
#[derive(Copy, Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Last {
    /// How many.
    pub moves: u32,
    /// The last one's date; the history's last if it is not given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<Day>,
}

/// The moves of all dates from one to another, both included.
#[derive(Copy, Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Between {
    /// The first date.
    pub first: Day,
    /// The last date.
    pub last: Day,
}

impl Range {
    /// The window of a history whose last date is given.
    pub fn window(&self, last_day: Day) -> history::Window {
        match *self {
            Range::Whole => history::Window::Whole,
            Range::Until(until) => history::Window::Until(until),
            Range::Last(Last { moves, until }) => history::Window::Last {
                moves: usize::try_from(moves).unwrap_or(usize::MAX),
                until: until.unwrap_or(last_day),
            },
            Range::Between(Between { first, last }) => history::Window::Between { first, last },
        }
    }
}

/// What is made of the losses of a window.
#[derive(Copy, Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Measure {
    /// The loss that so many scenarios exceed.
    ValueAtRisk,
    /// The mean of the largest losses.
    ExpectedShortfall,
}

impl Measure {
    /// Its name in words.
    pub const fn words(self) -> &'static str {
        match self {
            Measure::ValueAtRisk => "value at risk",
            Measure::ExpectedShortfall => "expected shortfall",
        }
    }
}

/// Confidence and factor by level.
#[derive(Copy, Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Levels {
    /// Of initial margin.
    pub initial: LevelParameters,
    /// Of maintenance margin; neither figure above that of initial.
    pub maintenance: LevelParameters,
}

/// Confidence and factor of a level.
#[derive(Copy, Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct LevelParameters {
    /// `c`, from 0.5 to below 1, of at most 6 decimals: `0.99`.
    #[serde(with = "amount")]
    #[schemars(with = "String")]
    pub confidence: Decimal,
    /// What the measure is multiplied by, above 0 and at most 100.
    #[serde(with = "amount")]
    #[schemars(with = "String")]
    pub factor: Decimal,
}

/// What keeps a requirement from following the market too closely.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Procyclicality {
    /// A part on top.
    Buffer(Buffer),
    /// A weight on moves of a time of stress.
    Stressed(Stressed),
    /// Not below what a long window gives.
    Floor(Floor),
}

/// A part on top of the measure.
#[derive(Copy, Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Buffer {
    /// The part, 0 to 10: `0.25`.
    #[serde(with = "amount")]
    #[schemars(with = "String")]
    pub part: Decimal,
}

/// A weight on moves of a time of stress.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Stressed {
    /// The weight, above 0 and below 1: `0.25`.
    #[serde(with = "amount")]
    #[schemars(with = "String")]
    pub weight: Decimal,
    /// The time of stress.
    pub window: Range,
}

/// A floor.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Floor {
    /// The long window.
    pub window: Range,
}

impl Procyclicality {
    /// Its second window, and the field that says which.
    pub fn window(&self) -> Option<(&'static str, &Range)> {
        match self {
            Procyclicality::Buffer(_) => None,
            Procyclicality::Stressed(stressed) => Some(("procyclicality.stressed.window", &stressed.window)),
            Procyclicality::Floor(floor) => Some(("procyclicality.floor.window", &floor.window)),
        }
    }
}

/// Exponentially weighted volatilities, to the last of which the moves of the window are scaled.
#[derive(Copy, Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Filter {
    /// `λ`, from 0.5 to below 1: `0.97`.
    #[serde(with = "amount")]
    #[schemars(with = "String")]
    pub decay: Decimal,
    /// Least scale, 0 to 1: a 1 never scales down.
    #[serde(with = "amount")]
    #[schemars(with = "String")]
    pub least: Decimal,
    /// Largest scale, 1 to 10.
    #[serde(with = "amount")]
    #[schemars(with = "String")]
    pub most: Decimal,
}

/// What scenarios do to volatilities.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Volatility {
    /// Nothing: `"unchanged"`. What an option loses when volatility rises is left out, in the holder's favour if it is short.
    Unchanged,
    /// They move with the volatility index.
    Index(Index),
}

/// How volatilities move with a volatility index.
///
/// `σ' = σ · max( 1 + y · (30 / τ)^p, 0 )`, `τ` and `p` as in [`VolatilityShock::at`]; with exponents of 0 all move by the
/// same part.
#[derive(Copy, Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Index {
    /// Exponent of `30 / τ` up to 30 days, 0 to 4.
    #[serde(with = "amount")]
    #[schemars(with = "String")]
    pub short_power: Decimal,
    /// Exponent of `30 / τ` beyond, 0 to 4.
    #[serde(with = "amount")]
    #[schemars(with = "String")]
    pub long_power: Decimal,
    /// Shorter tenors are scaled as this one, in days: 0.001 to 3650.
    #[serde(with = "amount")]
    #[schemars(with = "String")]
    pub tenor_floor_days: Decimal,
    /// What of options on an underlying where a day that is used has no volatility index.
    pub without: Without,
}

/// What is made of a day without a volatility index.
#[derive(Copy, Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Without {
    /// Options on the underlying do not count: an account that holds one has no proof.
    NoOptions,
    /// Volatilities stay on that day. It errs in favour of who is short of options.
    Unchanged,
}

impl Volatility {
    /// How the tenors scale.
    pub(crate) fn shock(&self) -> VolatilityShock {
        match self {
            Volatility::Unchanged => VolatilityShock::STILL,
            Volatility::Index(index) => VolatilityShock {
                short_power: index.short_power,
                long_power: index.long_power,
                tenor_floor_days: index.tenor_floor_days,
                ..VolatilityShock::STILL
            },
        }
    }
}

/// An underlying.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct UnderlyingParameters {
    /// The underlying of the history that it moves as; the one of its own name if it is not given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub series: Option<String>,
}
