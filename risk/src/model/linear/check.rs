//! What a parameter file must satisfy before it is a model.

use rust_decimal::Decimal;

use crate::model::ModelError;
use crate::model::assets::check_assets;
use crate::model::check::{self, at_least, value};
use crate::model::linear::parameters::{Kind, Parameters};

pub(super) fn check(parameters: &Parameters) -> Result<(), ModelError> {
    check::name(&parameters.name)?;
    let unknown = |field: String, name: &String| ModelError::Unknown {
        field,
        name: name.clone(),
        among: "assets",
    };
    check::numeraire(&parameters.numeraire, &parameters.assets)?;
    check::some_underlying(&parameters.underlyings)?;
    check_assets(&parameters.assets, |underlying| {
        parameters.underlyings.contains_key(underlying)
    })?;
    for (name, haircut) in &parameters.initial_haircuts {
        let field = format!("initial_haircuts.{name}");
        let asset = parameters
            .assets
            .get(name)
            .ok_or_else(|| unknown(field.clone(), name))?;
        if *haircut < asset.haircut || *haircut > Decimal::ONE {
            return Err(value(&field, *haircut, "the asset's haircut to 1"));
        }
        // What is above a cap counts nothing, and would be charged all the same.
        if asset.cap.is_some() {
            return Err(value(&field, *haircut, "none, of an asset with a cap"));
        }
        // The further haircut is of the first tier.
        if !asset.tiers.is_empty() {
            return Err(value(&field, *haircut, "none, of an asset with tiers"));
        }
    }
    for (name, factor) in &parameters.debt_factors {
        let field = format!("debt_factors.{name}");
        if !parameters.assets.contains_key(name) {
            return Err(unknown(field, name));
        }
        at_least(&field, *factor, Decimal::ONE, "1 to 100")?;
    }
    for (name, underlying) in &parameters.underlyings {
        let field = |part: &str| format!("underlyings.{name}.{part}");
        if let Some(schedule) = &underlying.perpetual {
            schedule.check(&field("perpetual"), true)?;
        }
        if let Some(schedule) = &underlying.future {
            schedule.check(&field("future"), false)?;
        }
        match &underlying.short_option {
            Some(rule) => rule.check(&field("short_option"))?,
            None if parameters.model == Kind::DeribitStandard => {
                return Err(ModelError::Value {
                    field: field("short_option"),
                    value: "absent".into(),
                    bound: "given, under deribit-standard",
                });
            }
            None => {}
        }
    }
    Ok(())
}
