//! What a parameter file must satisfy before it is a model.

use rust_decimal::Decimal;

use crate::model::ModelError;
use crate::model::assets::{check_assets, check_haircuts_alone};
use crate::model::binance_pm::parameters::Parameters;
use crate::model::check;
use crate::model::stress::checks;

pub(super) fn check(parameters: &Parameters) -> Result<(), ModelError> {
    check::name(&parameters.name)?;
    check::numeraire(&parameters.numeraire, &parameters.assets)?;
    let levels = parameters.levels;
    if levels.maintenance < Decimal::ONE {
        return Err(check::value(
            "levels.maintenance",
            levels.maintenance,
            "1 to levels.initial",
        ));
    }
    checks::factor("levels.initial", levels.initial)?;
    check::at_most(
        "levels.maintenance",
        levels.maintenance,
        levels.initial,
        "1 to levels.initial",
    )?;
    check_assets(&parameters.assets, |underlying| {
        parameters.underlyings.contains_key(underlying)
    })?;
    check_haircuts_alone(&parameters.assets)?;
    for name in parameters.assets.keys() {
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
