//! What a parameter file must satisfy before it is a model.

use std::collections::BTreeSet;

use rust_decimal::Decimal;

use crate::model::ModelError;
use crate::model::assets::check_assets;
use crate::model::check;
use crate::model::okx_pm::compile::DOLLAR;
use crate::model::okx_pm::parameters::{Depeg, Minimum, Parameters, UnderlyingParameters};
use crate::model::stress::checks;

/// A move stays this far from taking everything.
const MAX_MOVE: Decimal = Decimal::from_parts(999, 0, 0, false, 3);

pub(super) fn check(parameters: &Parameters) -> Result<(), ModelError> {
    check::name(&parameters.name)?;
    check::numeraire(&parameters.numeraire, &parameters.assets)?;
    // A proof of initial is a proof of maintenance.
    let factor = parameters.initial_factor;
    if factor < Decimal::ONE || factor > check::MAX_FACTOR {
        return Err(check::value("initial_factor", factor, "1 to 100"));
    }
    check_assets(&parameters.assets, |underlying| {
        parameters.underlyings.contains_key(underlying)
    })?;
    for name in parameters.assets.keys() {
        checks::known("borrow", name, "entries", |name| parameters.borrow.contains_key(name))?;
    }
    for (name, rate) in &parameters.borrow {
        checks::known("borrow", name, "assets", |name| parameters.assets.contains_key(name))?;
        checks::borrow(&format!("borrow.{name}"), *rate)?;
    }
    checks::entries("underlyings", parameters.underlyings.len(), "underlyings", 1)?;
    for (name, underlying) in &parameters.underlyings {
        check_underlying(&format!("underlyings.{name}"), underlying)?;
    }
    match &parameters.depeg {
        Some(depeg) => check_depeg(parameters, depeg),
        None => Ok(()),
    }
}

fn check_underlying(place: &str, underlying: &UnderlyingParameters) -> Result<(), ModelError> {
    let field = |part: &str| format!("{place}.{part}");
    checks::entries(&field("moves"), underlying.moves.len(), "moves", 1)?;
    let mut before = Decimal::ZERO;
    for (index, x) in underlying.moves.iter().enumerate() {
        if *x <= before || *x > MAX_MOVE {
            let bound = "above the one before and at most 0.999";
            return Err(check::value(field(&format!("moves[{index}]")), *x, bound));
        }
        before = *x;
    }
    checks::shift(&field("volatility"), &underlying.volatility)?;
    let x = underlying.extreme_move;
    if x <= Decimal::ZERO || x > MAX_MOVE {
        return Err(check::value(field("extreme_move"), x, "above 0 and at most 0.999"));
    }
    checks::part(&field("extreme_factor"), underlying.extreme_factor)?;
    checks::basis(&field("basis"), underlying.basis)?;
    for (part, buckets) in [
        ("vega_buckets", &underlying.vega_buckets),
        ("rho_buckets", &underlying.rho_buckets),
    ] {
        if let Some(buckets) = buckets {
            checks::buckets(&field(part), buckets)?;
        }
    }
    if let Some(contingency) = underlying.contingency {
        checks::part(&field("contingency.short_option"), contingency.short_option)?;
        checks::part(&field("contingency.future"), contingency.future)?;
    }
    match &underlying.minimum {
        Some(minimum) => check_minimum(&field("minimum"), minimum),
        None => Ok(()),
    }
}

fn check_minimum(place: &str, minimum: &Minimum) -> Result<(), ModelError> {
    let parts = [
        ("option_least", minimum.option_least),
        ("option_delta", minimum.option_delta),
        ("option_fee", minimum.option_fee),
        ("option_fee_cap", minimum.option_fee_cap),
        ("future_rate", minimum.future_rate),
    ];
    for (part, number) in parts {
        checks::part(&format!("{place}.{part}"), number)?;
    }
    checks::tiers(&format!("{place}.tiers"), &minimum.tiers)
}

fn check_depeg(parameters: &Parameters, depeg: &Depeg) -> Result<(), ModelError> {
    checks::entries("depeg.pairs", depeg.pairs.len(), "pairs", 1)?;
    if parameters.assets.contains_key(DOLLAR) {
        let bound = "assets of other names: USD is what inverse instruments are of";
        return Err(check::value("depeg", "a charge beside an asset called USD", bound));
    }
    let is_class = |name: &str| {
        name == DOLLAR
            || parameters
                .assets
                .get(name)
                .is_some_and(|asset| asset.underlying.is_none())
    };
    let mut known = BTreeSet::new();
    for (index, pair) in depeg.pairs.iter().enumerate() {
        let field = format!("depeg.pairs[{index}]");
        for class in pair {
            checks::known(&field, class, "assets without underlying", is_class)?;
        }
        let [a, b] = pair;
        if a == b || !known.insert((a.min(b), a.max(b))) {
            return Err(ModelError::Value {
                field,
                value: format!("{a}, {b}"),
                bound: "two classes, and each pair once",
            });
        }
    }
    checks::entries("depeg.levels", depeg.levels.len(), "levels", 1)?;
    let mut before = None;
    for (index, level) in depeg.levels.iter().enumerate() {
        let field = format!("depeg.levels[{index}]");
        checks::part(&format!("{field}.at_least"), level.at_least)?;
        if before.is_some_and(|before| level.at_least >= before) {
            let bound = "below that of the level before";
            return Err(check::value(format!("{field}.at_least"), level.at_least, bound));
        }
        before = Some(level.at_least);
        checks::tiers(&format!("{field}.tiers"), &level.tiers)?;
    }
    match before {
        Some(last) if !last.is_zero() => Err(check::value("depeg.levels.at_least", last, "0, of the last level")),
        _ => Ok(()),
    }
}
