//! What a schedule must satisfy before it is part of a model.

use rust_decimal::Decimal;
use zkmargin_program::{NumberError, Ratio};

use crate::model::ModelError;
use crate::model::check::{MAX_FACTOR, at_most, value};
use crate::model::tiers::{Schedule, Tier, denominator, less};
use crate::terms::Level;

/// Most tiers of a schedule.
const MAX_TIERS: usize = 64;
/// Largest `from`.
const MAX_NOTIONAL: Decimal = Decimal::from_parts(0xd4a5_1000, 0xe8, 0, false, 0);
/// The common denominator of a schedule's rates is at most this: amounts are multiplied by it.
const MAX_DENOMINATOR: u128 = 100_000;
/// The largest leverage that may be written down.
const MAX_LEVERAGE: Decimal = Decimal::from_parts(1_000, 0, 0, false, 0);

impl Schedule {
    /// Refuses gaps, overlaps and steps down, and rates without a common denominator that a program can multiply by.
    pub(crate) fn check(&self, place: &str, of_perpetuals: bool) -> Result<(), ModelError> {
        let count = self.tiers.len();
        if count == 0 || count > MAX_TIERS {
            return Err(ModelError::Count {
                field: format!("{place}.tiers"),
                count,
                what: "tiers",
                bound: format!("1 to {MAX_TIERS}"),
            });
        }
        let mut before: Option<&Tier> = None;
        for (index, tier) in self.tiers.iter().enumerate() {
            let field = |part: &str| format!("{place}.tiers[{index}].{part}");
            match (tier.initial, tier.leverage) {
                (Some(rate), None) => at_most(field("initial"), rate, MAX_FACTOR, "0 to 100")?,
                (None, Some(leverage)) if leverage < Decimal::ONE || leverage > MAX_LEVERAGE => {
                    return Err(value(field("leverage"), leverage, "1 to 1000"));
                }
                (None, Some(_)) => {}
                _ => {
                    return Err(ModelError::Value {
                        field: field("initial"),
                        value: "given twice, or not at all".into(),
                        bound: "either initial or leverage",
                    });
                }
            }
            at_most(
                field("maintenance"),
                tier.maintenance.unwrap_or_default(),
                MAX_FACTOR,
                "0 to 100",
            )?;
            at_most(field("from"), tier.from, MAX_NOTIONAL, "0 to 1000000000000")?;
            let is_less = |a: Result<Ratio, NumberError>, b: Result<Ratio, NumberError>| match (a, b) {
                (Ok(a), Ok(b)) => less(a, b).unwrap_or(true),
                _ => true,
            };
            if is_less(tier.initial(), tier.maintenance()) {
                return Err(value(
                    field("maintenance"),
                    tier.maintenance.unwrap_or_default(),
                    "at most the initial rate",
                ));
            }
            let Some(last) = before.replace(tier) else {
                if !tier.from.is_zero() {
                    return Err(value(field("from"), tier.from, "0, of the first tier"));
                }
                continue;
            };
            if tier.from <= last.from {
                return Err(value(field("from"), tier.from, "above that of the tier before"));
            }
            if is_less(tier.initial(), last.initial()) {
                return Err(match (tier.initial, tier.leverage) {
                    (None, Some(leverage)) => value(field("leverage"), leverage, "not above that of the tier before"),
                    (initial, _) => value(
                        field("initial"),
                        initial.unwrap_or_default(),
                        "a rate not below that of the tier before",
                    ),
                });
            }
            if is_less(tier.maintenance(), last.maintenance()) {
                let shown = tier.maintenance.unwrap_or_default();
                return Err(value(
                    field("maintenance"),
                    shown,
                    "a rate not below that of the tier before",
                ));
            }
        }
        self.check_rest(place, of_perpetuals)
    }

    fn check_rest(&self, place: &str, of_perpetuals: bool) -> Result<(), ModelError> {
        let field = |part: &str| format!("{place}.{part}");
        if let Some(leverage) = self
            .leverage
            .filter(|leverage| *leverage < Decimal::ONE || *leverage > MAX_LEVERAGE)
        {
            return Err(value(field("leverage"), leverage, "1 to 1000"));
        }
        at_most(field("fee"), self.fee, Decimal::ONE, "0 to 1")?;
        at_most(
            field("funding_intervals"),
            self.funding_intervals,
            MAX_NOTIONAL,
            "0 to 1000000000000",
        )?;
        if !of_perpetuals && !self.funding_intervals.is_zero() {
            return Err(value(
                field("funding_intervals"),
                self.funding_intervals,
                "0, of dated futures",
            ));
        }
        if let Some(interest) = &self.open_interest {
            at_most(
                field("open_interest.upper"),
                interest.upper,
                MAX_NOTIONAL,
                "0 to 1000000000000",
            )?;
            if interest.lower < Decimal::ZERO || interest.lower >= interest.upper {
                return Err(value(
                    field("open_interest.lower"),
                    interest.lower,
                    "0 to less than upper",
                ));
            }
            let unknown = interest.unknown.unwrap_or_default();
            at_most(
                field("open_interest.unknown"),
                unknown,
                MAX_NOTIONAL,
                "0 to 1000000000000",
            )?;
            let is_small = self
                .tiers
                .iter()
                .all(|tier| tier.initial.is_none_or(|rate| rate <= Decimal::ONE));
            if !of_perpetuals || self.tiers.len() > 1 || !is_small {
                return Err(ModelError::Value {
                    field: field("open_interest"),
                    value: "given".into(),
                    bound: "a schedule of perpetuals, of one tier with an initial rate of at most 1",
                });
            }
            return Ok(());
        }
        // One tier alone is a factor of the position itself.
        let levels = [Level::Initial, Level::Maintenance]
            .into_iter()
            .filter(|_| self.tiers.len() > 1);
        for level in levels {
            let steps = self
                .steps(level, Decimal::ONE, None)
                .and_then(|steps| denominator(&steps));
            if !matches!(steps, Ok(denominator) if denominator <= MAX_DENOMINATOR) {
                return Err(ModelError::Value {
                    field: field("tiers"),
                    value: "of rates without a small common denominator".into(),
                    bound: "rates with a common denominator of at most 100000",
                });
            }
        }
        Ok(())
    }
}
