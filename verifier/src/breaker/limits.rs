//! What a circuit breaker watches, and from where on: a part of the policy.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use thiserror::Error;
use zkmargin_risk::terms::Ratio20;

use crate::age::Age;
use crate::breaker::{Measure, Stance};

/// The limits of a circuit breaker. All of them are basis points: hundredths of a percent of a price, or of a volatility of 1 (25 % a year is
/// 2500).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Limits {
    /// How long everything must have been calm before the breaker goes back by one step, by the clock and by the snapshots' instants; above 0.
    pub dwell: Age,
    /// The longest time without an observation in which anything is accepted.
    pub silence: Age,
    /// The most that the reference prices may be before or after the snapshot.
    pub max_reference_age: Age,
    /// The most that publishers' snapshots of one instant may differ, in any price (relative: indices, perpetuals, futures, forwards, deliveries, assets) or
    /// fraction (absolute: volatilities, rates times the years for which they run, funding, confidences, the settled part of a forward): beyond it, a halt.
    pub publisher_band: u32,
    /// Between consecutive snapshots, the spread of the relative moves of all indices.
    pub index_dispersion: Steps,
    /// How far the price of any asset without an index moved since it was last known. One that was never there is a halt.
    pub asset_jump: Steps,
    /// What is watched of each underlying. An underlying that a snapshot has and this has not, or the other way round, is a halt.
    #[serde(with = "zkmargin_risk::json::unique")]
    #[schemars(with = "BTreeMap<String, UnderlyingLimits>")]
    pub underlyings: BTreeMap<String, UnderlyingLimits>,
    /// What is accepted in caution.
    pub cautious: Caution,
}

/// What is watched of one underlying.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct UnderlyingLimits {
    /// How far its index is from the partner's reference price.
    pub reference: Steps,
    /// How far any of its prices moved since the snapshot before: index, perpetual, futures, forwards, deliveries; and rates, times the years for
    /// which they run. What the snapshot before lacks is measured from what was last known of it; what was never there from the prices around its expiry, or the index.
    pub price_jump: Steps,
    /// What is watched of its options; absent for an underlying that has none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub volatility: Option<VolatilityLimits>,
}

/// What is watched of the implied volatilities of one underlying.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct VolatilityLimits {
    /// The largest move of a volatility since the snapshot before. One that was never there moved as far as it is outside of those around it.
    pub jump: Steps,
    /// The spread of those moves: a surface that turns moves no level.
    pub dispersion: Steps,
    /// The median over the expiries of the volatility at the money: a snapshot of a calm minute has a low one. These thresholds are lower bounds.
    pub least: Steps,
}

/// The thresholds of one measure.
#[derive(Copy, Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Steps {
    /// Those of caution.
    pub cautious: Step,
    /// Those of a halt.
    pub halted: Step,
}

/// Where a stance begins, and where it may end.
#[derive(Copy, Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Step {
    /// Reached: the breaker goes there at once.
    pub enter: u32,
    /// Reached from the other side by every measure, for the whole dwell time: the breaker may go back.
    pub leave: u32,
}

/// What is accepted in caution.
#[derive(Copy, Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Caution {
    /// Only statements that take the place of another and suppose neither order nor deposit: credit is maintained, none is opened.
    pub renewals_only: bool,
    /// The least ratio, where it is above the policy's.
    #[serde(with = "crate::policy::as_text")]
    #[schemars(with = "String")]
    pub ratio: Ratio20,
}

/// Why limits are none.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum LimitsError {
    /// Nothing is watched.
    #[error("breaker: underlyings is empty: nothing would be watched")]
    NothingWatched,
    /// A halt would end at once.
    #[error("breaker: dwell is 0, expected a time in which everything must be calm")]
    NoDwell,
    /// No hysteresis, or a halt before caution.
    #[error("breaker: {measure}{}: {what}", underlying.as_ref().map(|name| format!(" of {name:?}")).unwrap_or_default())]
    Steps {
        /// The measure.
        measure: Measure,
        /// Of which underlying.
        underlying: Option<String>,
        /// What is wrong.
        what: String,
    },
}

impl Steps {
    /// The worst stance that `value` enters, and the worst that it does not let go of; the second is at least the first.
    pub(crate) fn of(&self, measure: Measure, value: u32) -> (Stance, Stance) {
        let reaches = |threshold: u32| match measure.is_floor() {
            true => value <= threshold,
            false => value >= threshold,
        };
        // Calm is on the other side of the leaving threshold, or on it.
        let holds = |threshold: u32| match measure.is_floor() {
            true => value < threshold,
            false => value > threshold,
        };
        let worst = |halted: bool, cautious: bool| match (halted, cautious) {
            (true, _) => Stance::Halted,
            (false, true) => Stance::Cautious,
            (false, false) => Stance::Normal,
        };
        (
            worst(reaches(self.halted.enter), reaches(self.cautious.enter)),
            worst(holds(self.halted.leave), holds(self.cautious.leave)),
        )
    }

    /// The threshold at which `stance` is entered.
    pub(crate) fn enter(&self, stance: Stance) -> u32 {
        match stance {
            Stance::Halted => self.halted.enter,
            Stance::Normal | Stance::Cautious => self.cautious.enter,
        }
    }

    fn check(&self, measure: Measure, underlying: Option<&str>) -> Result<(), LimitsError> {
        let refused = |what: String| {
            Err(LimitsError::Steps {
                measure,
                underlying: underlying.map(str::to_owned),
                what,
            })
        };
        let Steps { cautious, halted } = self;
        // A floor is a ceiling seen from below.
        let (below, is_below): (&str, fn(u32, u32) -> bool) = match measure.is_floor() {
            true => ("above", |a, b| a > b),
            false => ("below", |a, b| a < b),
        };
        for (name, Step { enter, leave }) in [("cautious", cautious), ("halted", halted)] {
            if !is_below(*leave, *enter) {
                return refused(format!(
                    "{name}: leave is {leave}, expected {below} enter, which is {enter}"
                ));
            }
        }
        for (name, first, second) in [
            ("enter", cautious.enter, halted.enter),
            ("leave", cautious.leave, halted.leave),
        ] {
            if is_below(second, first) {
                return refused(format!(
                    "{name} of halted is {second}, {below} that of cautious, which is {first}"
                ));
            }
        }
        Ok(())
    }
}

impl Limits {
    /// The thresholds of a measure of an underlying or asset.
    pub(crate) fn steps(&self, measure: Measure, of: Option<&str>) -> Option<&Steps> {
        let limits = of.and_then(|name| self.underlyings.get(name));
        let volatility = limits.and_then(|limits| limits.volatility.as_ref());
        match measure {
            Measure::IndexDispersion => Some(&self.index_dispersion),
            Measure::AssetJump => Some(&self.asset_jump),
            Measure::Reference => limits.map(|limits| &limits.reference),
            Measure::PriceJump => limits.map(|limits| &limits.price_jump),
            Measure::VolatilityJump => volatility.map(|limits| &limits.jump),
            Measure::VolatilityDispersion => volatility.map(|limits| &limits.dispersion),
            Measure::LeastVolatility => volatility.map(|limits| &limits.least),
        }
    }

    /// Refuses thresholds without hysteresis, a halt that comes before caution, and limits that watch nothing.
    pub(crate) fn check(&self) -> Result<(), LimitsError> {
        if self.underlyings.is_empty() {
            return Err(LimitsError::NothingWatched);
        }
        if self.dwell.millis() == 0 {
            return Err(LimitsError::NoDwell);
        }
        self.index_dispersion.check(Measure::IndexDispersion, None)?;
        self.asset_jump.check(Measure::AssetJump, None)?;
        for name in self.underlyings.keys() {
            for measure in Measure::OF_AN_UNDERLYING {
                if let Some(steps) = self.steps(measure, Some(name)) {
                    steps.check(measure, Some(name))?;
                }
            }
        }
        Ok(())
    }
}
