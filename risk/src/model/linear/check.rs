//! What a parameter file must satisfy before it is a model.

use rust_decimal::Decimal;

use crate::model::ModelError;
use crate::model::linear::parameters::{Kind, Parameters};
use crate::model::range::{self, at_least, at_most, value};

/// Largest cap, in coins.
const MAX_CAP: Decimal = Decimal::from_parts(0xd4a5_1000, 0xe8, 0, false, 0);

pub(super) fn check(parameters: &Parameters) -> Result<(), ModelError> {
    range::name(&parameters.name)?;
    let numeraire = &parameters.numeraire;
    let unknown = |field: String, name: &String| ModelError::Unknown {
        field,
        name: name.clone(),
        among: "assets",
    };
    if numeraire != "USD" && !parameters.assets.contains_key(numeraire) {
        return Err(unknown("numeraire".into(), numeraire));
    }
    range::some_underlying(&parameters.underlyings)?;
    for (name, asset) in &parameters.assets {
        let field = |part: &str| format!("assets.{name}.{part}");
        at_most(&field("haircut"), asset.haircut, Decimal::ONE, "0 to 1")?;
        at_most(
            &field("cap"),
            asset.cap.unwrap_or_default(),
            MAX_CAP,
            "0 to 1000000000000 coins",
        )?;
        range::known_underlying(&parameters.assets, &parameters.underlyings, name)?;
    }
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
