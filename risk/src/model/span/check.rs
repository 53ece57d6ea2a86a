//! What a parameter file must satisfy before it is a model.

use std::collections::BTreeSet;

use rust_decimal::Decimal;

use crate::model::ModelError;
use crate::model::check::{MAX_FACTOR, at_most, count, value};
use crate::model::scan::{Head, check_volatility};
use crate::model::span::parameters::{Parameters, Spread, Tier, UnderlyingParameters};

/// Most tiers of an underlying, and most spreads.
const MAX_TIERS: usize = 16;
const MAX_SPREADS: usize = 32;
/// Largest scan range, extreme or not: the index stays above 0, and far from where a float loses it.
const MAX_RANGE: Decimal = Decimal::from_parts(999, 0, 0, false, 3);
/// Longest time to expiry that a tier is told from another by.
const MAX_DAYS: Decimal = Decimal::from_parts(36_500, 0, 0, false, 0);
/// Most decimals of what multiplies a credit: three of these have a denominator that a program's numbers hold.
const MAX_DECIMALS: u32 = 4;

pub(super) fn check(parameters: &Parameters) -> Result<(), ModelError> {
    let head = Head {
        name: &parameters.name,
        numeraire: &parameters.numeraire,
        levels: parameters.levels,
        assets: &parameters.assets,
    };
    head.check(&parameters.underlyings)?;
    decimals("levels.initial", parameters.levels.initial)?;
    decimals("levels.maintenance", parameters.levels.maintenance)?;
    for (name, underlying) in &parameters.underlyings {
        check_underlying(&format!("underlyings.{name}"), underlying)?;
    }
    let spreads = &parameters.spreads;
    if spreads.len() > MAX_SPREADS {
        return Err(count("spreads", spreads.len(), "spreads", "at most 32"));
    }
    let mut known = BTreeSet::new();
    for (index, spread) in spreads.iter().enumerate() {
        check_spread(parameters, &format!("spreads[{index}]"), spread, &mut known)?;
    }
    Ok(())
}

fn check_underlying(place: &str, underlying: &UnderlyingParameters) -> Result<(), ModelError> {
    let field = |part: &str| format!("{place}.{part}");
    let range = underlying.price_scan_range;
    at_most(field("price_scan_range"), range, MAX_RANGE, "0 to 0.999")?;
    decimals(&field("price_scan_range"), range)?;
    let extreme = underlying.extreme;
    at_most(field("extreme.multiple"), extreme.multiple, MAX_FACTOR, "0 to 100")?;
    at_most(field("extreme.coverage"), extreme.coverage, Decimal::ONE, "0 to 1")?;
    if extreme.multiple.checked_mul(range).is_none_or(|most| most > MAX_RANGE) {
        let bound = "at most 0.999 when multiplied by price_scan_range";
        return Err(value(field("extreme.multiple"), extreme.multiple, bound));
    }
    check_volatility(place, &underlying.volatility)?;
    check_tiers(&field("tiers"), &underlying.tiers)?;
    at_most(field("between_tiers"), underlying.between_tiers, MAX_FACTOR, "0 to 100")?;
    if let Some(delivery) = underlying.delivery {
        at_most(field("delivery.days"), delivery.days, MAX_DAYS, "0 to 36500")?;
        at_most(field("delivery.rate"), delivery.rate, MAX_FACTOR, "0 to 100")?;
    }
    let minimum = underlying.short_option_minimum;
    at_most(field("short_option_minimum"), minimum, MAX_FACTOR, "0 to 100")
}

/// Every month is in one tier: the bounds rise, and only the last tier has none.
fn check_tiers(place: &str, tiers: &[Tier]) -> Result<(), ModelError> {
    let Some((last, before)) = tiers.split_last().filter(|_| tiers.len() <= MAX_TIERS) else {
        return Err(count(place, tiers.len(), "tiers", "1 to 16"));
    };
    let mut least = Decimal::ZERO;
    for (index, tier) in before.iter().enumerate() {
        let field = format!("{place}[{index}].until_days");
        let missing = || ModelError::Value {
            field: field.clone(),
            value: "not given".into(),
            bound: "a number of days in every tier but the last",
        };
        let until = tier.until_days.ok_or_else(missing)?;
        if until <= least || until > MAX_DAYS {
            return Err(value(
                field,
                until,
                "above that of the tier before (or 0), at most 36500",
            ));
        }
        least = until;
    }
    if let Some(until) = last.until_days {
        let field = format!("{place}[{}].until_days", before.len());
        return Err(value(field, until, "none in the last tier"));
    }
    for (index, tier) in tiers.iter().enumerate() {
        at_most(format!("{place}[{index}].rate"), tier.rate, MAX_FACTOR, "0 to 100")?;
    }
    Ok(())
}

fn check_spread<'a>(
    parameters: &'a Parameters,
    place: &str,
    spread: &'a Spread,
    known: &mut BTreeSet<[&'a str; 2]>,
) -> Result<(), ModelError> {
    let field = format!("{place}.legs");
    let [first, second] = &spread.legs;
    for name in [first, second] {
        if !parameters.underlyings.contains_key(name) {
            return Err(ModelError::Unknown {
                field,
                name: name.clone(),
                among: "underlyings",
            });
        }
    }
    let pair = [first.min(second).as_str(), first.max(second).as_str()];
    if first == second || !known.insert(pair) {
        return Err(ModelError::Value {
            field,
            value: format!("{first}, {second}"),
            bound: "two underlyings that no other spread names together",
        });
    }
    at_most(format!("{place}.rate"), spread.rate, Decimal::ONE, "0 to 1")?;
    decimals(&format!("{place}.rate"), spread.rate)
}

fn decimals(field: &str, number: Decimal) -> Result<(), ModelError> {
    if number.normalize().scale() > MAX_DECIMALS {
        return Err(value(field.to_owned(), number, "at most 4 decimals"));
    }
    Ok(())
}
