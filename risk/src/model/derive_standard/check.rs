//! What a parameter file must satisfy before it is a model.

use rust_decimal::Decimal;

use crate::model::ModelError;
use crate::model::assets::{check_assets, check_haircuts_alone};
use crate::model::check::{self, MAX_FACTOR, at_most};
use crate::model::derive_standard::parameters::{ByLevel, Parameters};

pub(super) fn check(parameters: &Parameters) -> Result<(), ModelError> {
    check::name(&parameters.name)?;
    check::dollar_numeraire(&parameters.numeraire, &parameters.assets)?;
    check::some_underlying(&parameters.underlyings)?;
    check_assets(&parameters.assets, |underlying| {
        parameters.underlyings.contains_key(underlying)
    })?;
    check_haircuts_alone(&parameters.assets)?;
    for (name, scale) in &parameters.initial_scale {
        let field = format!("initial_scale.{name}");
        match parameters.assets.get(name) {
            Some(asset) if asset.underlying.is_some() => at_most(&field, *scale, Decimal::ONE, "0 to 1")?,
            _ => {
                return Err(ModelError::Unknown {
                    field,
                    name: name.clone(),
                    among: "assets with an underlying",
                });
            }
        }
    }
    if let Some(depeg) = &parameters.depeg {
        if !parameters.assets.contains_key(&depeg.asset) {
            return Err(ModelError::Unknown {
                field: "depeg.asset".into(),
                name: depeg.asset.clone(),
                among: "assets",
            });
        }
        at_most("depeg.threshold", depeg.threshold, Decimal::ONE, "0 to 1")?;
        at_most("depeg.factor", depeg.factor, MAX_FACTOR, "0 to 100")?;
    }
    for (name, underlying) in &parameters.underlyings {
        let field = |part: &str| format!("underlyings.{name}.{part}");
        by_level(&field("futures"), underlying.futures)?;
        by_level(&field("unpaired"), underlying.unpaired)?;
        underlying.short_option.check(&field("short_option"))?;
        if let Some(oracle) = underlying.oracle {
            for (part, threshold) in [
                ("option_threshold", oracle.option_threshold),
                ("future_threshold", oracle.future_threshold),
                ("base_threshold", oracle.base_threshold),
            ] {
                at_most(field(&format!("oracle.{part}")), threshold, Decimal::ONE, "0 to 1")?;
            }
            at_most(field("oracle.factor"), oracle.factor, MAX_FACTOR, "0 to 100")?;
        }
    }
    Ok(())
}

// A policy that asks for maintenance takes a proof of initial: it must not be the weaker of the two.
fn by_level(field: &str, figure: ByLevel) -> Result<(), ModelError> {
    at_most(format!("{field}.initial"), figure.initial, MAX_FACTOR, "0 to 100")?;
    at_most(
        format!("{field}.maintenance"),
        figure.maintenance,
        figure.initial,
        "0 to initial",
    )
}
