//! What a parameter file must satisfy before it is a model.

use rust_decimal::Decimal;

use crate::model::ModelError;
use crate::model::binance_pm::parameters::Parameters;
use crate::model::stress::checks;

pub(super) fn check(parameters: &Parameters) -> Result<(), ModelError> {
    checks::name(&parameters.name)?;
    let numeraire = &parameters.numeraire;
    if numeraire != "USD" {
        checks::known("numeraire", numeraire, "assets", |name| {
            parameters.assets.contains_key(name)
        })?;
    }
    let levels = parameters.levels;
    if levels.maintenance < Decimal::ONE {
        return Err(checks::value(
            "levels.maintenance",
            levels.maintenance,
            "1 to levels.initial",
        ));
    }
    checks::factor("levels.initial", levels.initial)?;
    checks::at_most(
        "levels.maintenance",
        levels.maintenance,
        levels.initial,
        "1 to levels.initial",
    )?;
    for (name, asset) in &parameters.assets {
        checks::asset(name, asset, |underlying| {
            parameters.underlyings.contains_key(underlying)
        })?;
        if let Some(cap) = asset.cap {
            return Err(checks::value(&format!("assets.{name}.cap"), cap, "none"));
        }
        checks::known("loans", name, "entries", |name| parameters.loans.contains_key(name))?;
    }
    for (name, rate) in &parameters.loans {
        checks::known("loans", name, "assets", |name| parameters.assets.contains_key(name))?;
        checks::part(&format!("loans.{name}"), *rate)?;
    }
    checks::entries("underlyings", parameters.underlyings.len(), "underlyings", 1)?;
    for (name, underlying) in &parameters.underlyings {
        checks::tiers(&format!("underlyings.{name}.tiers"), &underlying.tiers)?;
    }
    Ok(())
}
