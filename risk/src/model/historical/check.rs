//! What a parameter file must satisfy before it is a model.

use rust_decimal::Decimal;

use super::MAX_SCENARIOS;
use super::parameters::{LevelParameters, Parameters, Procyclicality, Range, Volatility};
use crate::model::ModelError;
use crate::model::assets::check_assets;
use crate::model::check::{self, MAX_FACTOR, value, within};

/// A confidence has at most this many decimals, so that its ranks are exact.
const CONFIDENCE_SCALE: u32 = 6;
const MAX_CAP: Decimal = Decimal::from_parts(0xd4a5_1000, 0xe8, 0, false, 0);
const MAX_POWER: Decimal = Decimal::from_parts(4, 0, 0, false, 0);
const MAX_TENOR_FLOOR: Decimal = Decimal::from_parts(3_650, 0, 0, false, 0);
const HALF: Decimal = Decimal::from_parts(5, 0, 0, false, 1);

pub(super) fn check(parameters: &Parameters) -> Result<(), ModelError> {
    check::name(&parameters.name)?;
    check::numeraire(&parameters.numeraire, &parameters.assets)?;
    check_window("window", &parameters.window)?;
    check_levels(parameters)?;
    check_procyclicality(parameters)?;
    if let Some(filter) = parameters.filter {
        open("filter.decay", filter.decay, HALF, Decimal::ONE, "0.5 to below 1")?;
        within("filter.least", filter.least, Decimal::ZERO, Decimal::ONE, "0 to 1")?;
        within("filter.most", filter.most, Decimal::ONE, Decimal::TEN, "1 to 10")?;
    }
    if let Volatility::Index(index) = &parameters.volatility {
        let field = |part: &str| format!("volatility.index.{part}");
        within(
            field("short_power"),
            index.short_power,
            Decimal::ZERO,
            MAX_POWER,
            "0 to 4",
        )?;
        within(
            field("long_power"),
            index.long_power,
            Decimal::ZERO,
            MAX_POWER,
            "0 to 4",
        )?;
        let least = Decimal::new(1, 3);
        within(
            field("tenor_floor_days"),
            index.tenor_floor_days,
            least,
            MAX_TENOR_FLOOR,
            "0.001 to 3650",
        )?;
    }
    if let Some(span) = parameters.span {
        within(
            "span",
            span,
            Decimal::ONE,
            MAX_CAP,
            "1 to 1000000000000 units of the numéraire",
        )?;
    }
    check_assets(&parameters.assets, |underlying| {
        parameters.underlyings.contains_key(underlying)
    })?;
    check::some_underlying(&parameters.underlyings)
}

fn check_levels(parameters: &Parameters) -> Result<(), ModelError> {
    let (initial, maintenance) = (&parameters.levels.initial, &parameters.levels.maintenance);
    for (name, level) in [("initial", initial), ("maintenance", maintenance)] {
        let LevelParameters { confidence, factor } = *level;
        let field = format!("levels.{name}.confidence");
        open(&field, confidence, HALF, Decimal::ONE, "0.5 to below 1")?;
        if confidence.normalize().scale() > CONFIDENCE_SCALE {
            return Err(value(field, confidence, "at most 6 decimals"));
        }
        if factor <= Decimal::ZERO || factor > MAX_FACTOR {
            return Err(value(
                format!("levels.{name}.factor"),
                factor,
                "above 0 and at most 100",
            ));
        }
    }
    // A policy that asks for maintenance takes a proof of initial: it must not be the weaker of the two.
    if maintenance.confidence > initial.confidence {
        let field = "levels.maintenance.confidence";
        return Err(value(
            field,
            maintenance.confidence,
            "at most levels.initial.confidence",
        ));
    }
    if maintenance.factor > initial.factor {
        let field = "levels.maintenance.factor";
        return Err(value(field, maintenance.factor, "at most levels.initial.factor"));
    }
    Ok(())
}

fn check_procyclicality(parameters: &Parameters) -> Result<(), ModelError> {
    match &parameters.procyclicality {
        None => {}
        Some(Procyclicality::Buffer(buffer)) => {
            within(
                "procyclicality.buffer.part",
                buffer.part,
                Decimal::ZERO,
                Decimal::TEN,
                "0 to 10",
            )?;
        }
        Some(Procyclicality::Stressed(stressed)) => {
            let (field, weight) = ("procyclicality.stressed.weight", stressed.weight);
            if weight <= Decimal::ZERO || weight >= Decimal::ONE {
                return Err(value(field, weight, "above 0 and below 1"));
            }
        }
        Some(Procyclicality::Floor(_)) => {}
    }
    match parameters.procyclicality.as_ref().and_then(Procyclicality::window) {
        Some((field, window)) => check_window(field, window),
        None => Ok(()),
    }
}

fn check_window(field: &str, window: &Range) -> Result<(), ModelError> {
    if let Range::Last(last) = window {
        let moves = usize::try_from(last.moves).unwrap_or(usize::MAX);
        if moves == 0 || moves > MAX_SCENARIOS {
            return Err(ModelError::Count {
                field: format!("{field}.last.moves"),
                count: moves,
                what: "moves",
                bound: format!("1 to {MAX_SCENARIOS}"),
            });
        }
    }
    Ok(())
}

fn open(field: &str, number: Decimal, least: Decimal, below: Decimal, bound: &'static str) -> Result<(), ModelError> {
    if (least..below).contains(&number) {
        return Ok(());
    }
    Err(value(field, number, bound))
}
