//! Scenarios: a move of the price, a direction of volatility, a weight.

use rust_decimal::Decimal;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::amount;
use crate::instant::{DAY_MS, Instant};

/// Days of the reference tenor: volatility shocks are stated for options that expire in 30 days.
pub const REFERENCE_DAYS: f64 = 30.0;
/// Days in a year of pricing.
pub const YEAR_DAYS: u64 = 365;

/// Which way a scenario moves volatility.
#[derive(Copy, Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum VolatilityMove {
    /// Volatility rises.
    Up,
    /// Volatility stays.
    None,
    /// Volatility falls.
    Down,
}

/// One row of a grid.
#[derive(Copy, Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Scenario {
    /// Relative move of index and forwards, above -1: `-0.16` is 16 % down.
    #[serde(rename = "move", with = "amount")]
    #[schemars(with = "String")]
    pub price_move: Decimal,
    /// What volatility does.
    pub volatility: VolatilityMove,
    /// What the row's profit is multiplied by; 1 if it is not given.
    #[serde(default = "one", with = "amount", skip_serializing_if = "is_one")]
    #[schemars(with = "String")]
    pub weight: Decimal,
}

fn one() -> Decimal {
    Decimal::ONE
}

fn is_one(value: &Decimal) -> bool {
    *value == Decimal::ONE
}

impl Scenario {
    /// Whether the row moves nothing, so that its profit is 0 whatever is held.
    pub fn is_still(&self) -> bool {
        self.price_move.is_zero() && self.volatility == VolatilityMove::None
    }

    /// The row as a shock; `None` if the factor is not above 0.
    pub fn shock(&self) -> Option<Shock> {
        let factor = Decimal::ONE.checked_add(self.price_move)?;
        (factor > Decimal::ZERO).then(|| Shock::new(amount::to_f64(factor), self.volatility))
    }
}

/// A scenario as pricing uses it.
#[derive(Copy, Clone, Debug, PartialEq)]
pub struct Shock {
    factor: f64,
    log_factor: f64,
    volatility: VolatilityMove,
    /// Relative change of a volatility index, in the place of `volatility`.
    index_change: Option<f64>,
}

impl Shock {
    /// What the market is now.
    pub const STILL: Shock = Shock {
        factor: 1.0,
        log_factor: 0.0,
        volatility: VolatilityMove::None,
        index_change: None,
    };

    /// Index and forwards times `factor` (finite, above 0), volatility as said.
    pub fn new(factor: f64, volatility: VolatilityMove) -> Shock {
        Shock {
            factor,
            log_factor: libm::log(factor),
            volatility,
            index_change: None,
        }
    }

    /// Index and forwards times `factor` (finite, above 0), volatilities as a volatility index that changes by `change` of
    /// itself: [`VolatilityScale::with_index`].
    pub fn with_index(factor: f64, change: f64) -> Shock {
        Shock {
            index_change: Some(change),
            ..Shock::new(factor, VolatilityMove::None)
        }
    }

    /// `s`, what index and forwards are multiplied by.
    pub fn factor(&self) -> f64 {
        self.factor
    }

    /// `ln(s)`.
    pub fn log_factor(&self) -> f64 {
        self.log_factor
    }

    /// What volatility does, unless it follows an index.
    pub fn volatility(&self) -> VolatilityMove {
        self.volatility
    }

    /// The relative change of the volatility index that volatilities follow.
    pub fn index_change(&self) -> Option<f64> {
        self.index_change
    }
}

/// How far scenarios move volatility, by tenor.
#[derive(Copy, Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct VolatilityShock {
    /// Relative rise at the reference tenor of 30 days.
    #[serde(with = "amount")]
    #[schemars(with = "String")]
    pub up: Decimal,
    /// Relative fall at the reference tenor.
    #[serde(with = "amount")]
    #[schemars(with = "String")]
    pub down: Decimal,
    /// Exponent of `30 / τ` up to 30 days, at most 4.
    #[serde(with = "amount")]
    #[schemars(with = "String")]
    pub short_power: Decimal,
    /// Exponent of `30 / τ` beyond, at most 4.
    #[serde(with = "amount")]
    #[schemars(with = "String")]
    pub long_power: Decimal,
    /// Shorter tenors are scaled as this one, in days; above 0, 1 if it is not given.
    #[serde(default = "one", with = "amount")]
    #[schemars(with = "String")]
    pub tenor_floor_days: Decimal,
    /// What a volatility that is moved up is at least, a year as a fraction; 0 if it is not given.
    #[serde(default, with = "amount", skip_serializing_if = "Decimal::is_zero")]
    #[schemars(with = "String")]
    pub up_floor: Decimal,
}

/// What the scenarios make of the volatilities of one expiry: `σ -> σ'`.
#[derive(Copy, Clone, Debug, PartialEq)]
pub struct VolatilityScale {
    up: f64,
    up_floor: f64,
    kept: f64,
    scale: f64,
}

impl VolatilityShock {
    /// A shock that moves nothing.
    pub const STILL: VolatilityShock = VolatilityShock {
        up: Decimal::ZERO,
        down: Decimal::ZERO,
        short_power: Decimal::ZERO,
        long_power: Decimal::ZERO,
        tenor_floor_days: Decimal::ONE,
        up_floor: Decimal::ZERO,
    };

    /// The shock for options that expire in `days` (above 0).
    ///
    /// In this order, all `f64`: `τ = days` or the floor if that is larger, `scale = pow(30 / τ, power)`, and the two
    /// factors `1 + up · scale` and `1 - down · scale`, the latter 0 where it would be negative.
    pub fn at(&self, days: f64) -> VolatilityScale {
        let floor = amount::to_f64(self.tenor_floor_days);
        let tenor = if days > floor { days } else { floor };
        let power = if days <= REFERENCE_DAYS {
            self.short_power
        } else {
            self.long_power
        };
        let scale = libm::pow(REFERENCE_DAYS / tenor, amount::to_f64(power));
        let kept = 1.0 - amount::to_f64(self.down) * scale;
        VolatilityScale {
            up: 1.0 + amount::to_f64(self.up) * scale,
            up_floor: amount::to_f64(self.up_floor),
            kept: if kept > 0.0 { kept } else { 0.0 },
            scale,
        }
    }
}

impl VolatilityScale {
    /// `σ'`, never negative.
    pub fn shocked(&self, volatility: f64, direction: VolatilityMove) -> f64 {
        match direction {
            VolatilityMove::Up => {
                let raised = volatility * self.up;
                if raised > self.up_floor { raised } else { self.up_floor }
            }
            VolatilityMove::None => volatility,
            VolatilityMove::Down => volatility * self.kept,
        }
    }

    /// `σ'` where an index of the reference tenor changes by `change` of itself: `σ (1 + change · scale)`, 0 where that would be
    /// negative; product, sum and product in this order.
    pub fn with_index(&self, volatility: f64, change: f64) -> f64 {
        let factor = 1.0 + change * self.scale;
        if factor > 0.0 { volatility * factor } else { 0.0 }
    }
}

/// Milliseconds from `from` to `to` as a float (exact below 285,000 years), 0 if `to` is not later.
fn milliseconds(from: Instant, to: Instant) -> f64 {
    to.millis().saturating_sub(from.millis()) as f64
}

/// Days from `from` to `to` with their fraction: milliseconds / 86,400,000.
pub fn days(from: Instant, to: Instant) -> f64 {
    milliseconds(from, to) / DAY_MS as f64
}

/// Years of 365 days from `from` to `to`: milliseconds / 31,536,000,000.
pub fn years(from: Instant, to: Instant) -> f64 {
    milliseconds(from, to) / (YEAR_DAYS * DAY_MS) as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shock() -> VolatilityShock {
        VolatilityShock {
            up: Decimal::new(5, 1),
            down: Decimal::new(25, 2),
            short_power: Decimal::new(3, 1),
            long_power: Decimal::new(13, 2),
            tenor_floor_days: Decimal::new(1, 0),
            up_floor: Decimal::new(5, 1),
        }
    }

    #[test]
    fn the_reference_tenor_is_not_scaled() {
        let scale = shock().at(30.0);
        assert_eq!(scale.shocked(0.8, VolatilityMove::Up), 0.8 * 1.5);
        assert_eq!(scale.shocked(0.8, VolatilityMove::None), 0.8);
        assert_eq!(scale.shocked(0.8, VolatilityMove::Down), 0.8 * 0.75);
    }

    #[test]
    fn a_raised_volatility_has_a_floor_and_a_lowered_one_stops_at_zero() {
        assert_eq!(shock().at(30.0).shocked(0.1, VolatilityMove::Up), 0.5);
        let steep = VolatilityShock {
            down: Decimal::new(9, 1),
            ..shock()
        };
        assert_eq!(steep.at(1.0).shocked(0.8, VolatilityMove::Down), 0.0);
    }

    #[test]
    fn tenors_below_the_floor_are_scaled_as_the_floor_and_the_power_changes_after_thirty_days() {
        assert_eq!(shock().at(0.01), shock().at(1.0));
        // 30^0.3 and (30/300)^0.13 by mpmath
        assert!(
            (shock().at(1.0).up - (1.0 + 0.5 * 2.774_191_114_672_181)).abs() < 1e-12,
            "{:?}",
            shock().at(1.0)
        );
        assert!(
            (shock().at(300.0).up - (1.0 + 0.5 * 0.741_310_241_300_917_5)).abs() < 1e-12,
            "{:?}",
            shock().at(300.0)
        );
    }

    #[test]
    fn volatilities_follow_an_index_by_their_tenor() {
        assert_eq!(shock().at(30.0).with_index(0.8, 0.25), 0.8 * 1.25);
        let short = shock().at(1.0);
        assert!(short.with_index(0.8, 0.25) > 0.8 * 1.25);
        assert_eq!(short.with_index(0.8, -0.5), 0.0);
        assert_eq!(VolatilityShock::STILL.at(1.0).with_index(0.8, -0.5), 0.4);
    }

    #[test]
    fn a_move_of_minus_one_or_less_has_no_shock() {
        let row = |price_move| Scenario {
            price_move,
            volatility: VolatilityMove::Up,
            weight: Decimal::new(1, 0),
        };
        assert!(row(Decimal::new(-1, 0)).shock().is_none() && row(Decimal::new(-3, 0)).shock().is_none());
        assert_eq!(
            row(Decimal::new(-66, 2)).shock().map(|shock| shock.factor()),
            Some(0.34)
        );
    }
}
