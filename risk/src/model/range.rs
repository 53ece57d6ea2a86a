//! Checks that parameter files of several models share.

use std::collections::BTreeMap;

use rust_decimal::Decimal;

use crate::model::ModelError;
use crate::model::assets::AssetParameters;

/// Most characters of a model's name.
const MAX_NAME_CHARS: usize = 64;
/// No factor of a rule is above this: what is larger is a slip of the pen, and would not fit the widths of a program.
pub(crate) const MAX_FACTOR: Decimal = Decimal::ONE_HUNDRED;

/// A name of 1 to 64 characters.
pub(crate) fn name(name: &str) -> Result<(), ModelError> {
    let chars = name.chars().count();
    if chars == 0 || chars > MAX_NAME_CHARS {
        return Err(ModelError::Value {
            field: "name".into(),
            value: format!("{chars} characters long"),
            bound: "1 to 64 characters",
        });
    }
    Ok(())
}

/// A number from 0 to `most`, which `bound` says in words.
pub(crate) fn at_most(field: &str, number: Decimal, most: Decimal, bound: &'static str) -> Result<(), ModelError> {
    if number < Decimal::ZERO || number > most {
        return Err(value(field, number, bound));
    }
    Ok(())
}

/// A number from `least` to 100.
pub(crate) fn at_least(field: &str, number: Decimal, least: Decimal, bound: &'static str) -> Result<(), ModelError> {
    if number < least || number > MAX_FACTOR {
        return Err(value(field, number, bound));
    }
    Ok(())
}

pub(crate) fn value(field: &str, value: Decimal, bound: &'static str) -> ModelError {
    ModelError::Value {
        field: field.to_owned(),
        value: value.to_string(),
        bound,
    }
}

/// Haircuts from 0 to 1, no caps, and underlyings that the file has. Who asks for caps is told that there are none.
pub(crate) fn uncapped_assets<U>(
    assets: &BTreeMap<String, AssetParameters>,
    underlyings: &BTreeMap<String, U>,
) -> Result<(), ModelError> {
    for (name, asset) in assets {
        at_most(&format!("assets.{name}.haircut"), asset.haircut, Decimal::ONE, "0 to 1")?;
        if let Some(cap) = asset.cap {
            return Err(value(
                &format!("assets.{name}.cap"),
                cap,
                "no cap under this kind of model",
            ));
        }
        known_underlying(assets, underlyings, name)?;
    }
    Ok(())
}

/// That the underlying which an asset moves with is in the file.
pub(crate) fn known_underlying<U>(
    assets: &BTreeMap<String, AssetParameters>,
    underlyings: &BTreeMap<String, U>,
    asset: &str,
) -> Result<(), ModelError> {
    match assets.get(asset).and_then(|asset| asset.underlying.as_ref()) {
        Some(underlying) if !underlyings.contains_key(underlying) => Err(ModelError::Unknown {
            field: format!("assets.{asset}.underlying"),
            name: underlying.clone(),
            among: "underlyings",
        }),
        _ => Ok(()),
    }
}

/// `USD`, or an asset of the file that moves with no underlying.
pub(crate) fn dollar_numeraire(numeraire: &str, assets: &BTreeMap<String, AssetParameters>) -> Result<(), ModelError> {
    if numeraire == "USD" {
        return Ok(());
    }
    match assets.get(numeraire) {
        Some(asset) if asset.underlying.is_none() => Ok(()),
        Some(_) => Err(ModelError::Value {
            field: "numeraire".into(),
            value: numeraire.to_owned(),
            bound: "USD or an asset that moves with no underlying",
        }),
        None => Err(ModelError::Unknown {
            field: "numeraire".into(),
            name: numeraire.to_owned(),
            among: "assets",
        }),
    }
}

/// At least one underlying.
pub(crate) fn some_underlying<U>(underlyings: &BTreeMap<String, U>) -> Result<(), ModelError> {
    if underlyings.is_empty() {
        return Err(ModelError::Count {
            field: "underlyings".into(),
            count: 0,
            what: "underlyings",
            bound: "at least 1".into(),
        });
    }
    Ok(())
}
