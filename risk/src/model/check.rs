//! Checks that the parameter files of all models share; those of assets are in [`assets`](crate::model::assets).

use std::collections::BTreeMap;

use rust_decimal::Decimal;
use serde_json::Value;

use crate::canonical::is_nfc;
use crate::model::ModelError;
use crate::model::assets::AssetParameters;

/// Most characters of a model's name.
const MAX_NAME_CHARS: usize = 64;
/// No factor of a rule is above this: what is larger is a slip of the pen, and would not fit the widths of a program.
pub(crate) const MAX_FACTOR: Decimal = Decimal::ONE_HUNDRED;

/// A model's name.
pub(crate) fn name(name: &str) -> Result<(), ModelError> {
    label("name", name)
}

/// A text of 1 to 64 characters, none of which is a control character.
pub(crate) fn label(field: &str, text: &str) -> Result<(), ModelError> {
    let chars = text.chars().count();
    if chars == 0 || chars > MAX_NAME_CHARS {
        return Err(value(field, format!("{chars} characters long"), "1 to 64 characters"));
    }
    if let Some(place) = text.chars().position(char::is_control) {
        let found = format!("a text with a control character in place {}", place + 1);
        return Err(value(field, found, "no control characters"));
    }
    Ok(())
}

/// Texts that are spelt as the canonical bytes have them. Of a name that is not, the digest would be that of another name, and the model's figures would be nobody's.
pub(crate) fn spelling(file: &Value) -> Result<(), ModelError> {
    let text = |text: &str| match is_nfc(text) {
        true => Ok(()),
        false => Err(value("a text of the file", text, "texts in Unicode's NFC")),
    };
    match file {
        Value::String(content) => text(content),
        Value::Array(elements) => elements.iter().try_for_each(spelling),
        Value::Object(members) => members.iter().try_for_each(|(name, content)| {
            text(name)?;
            spelling(content)
        }),
        Value::Null | Value::Bool(_) | Value::Number(_) => Ok(()),
    }
}

/// A number from 0 to `most`, which `bound` says in words.
pub(crate) fn at_most(
    field: impl Into<String>,
    number: Decimal,
    most: Decimal,
    bound: &'static str,
) -> Result<(), ModelError> {
    within(field, number, Decimal::ZERO, most, bound)
}

/// A number from `least` to `most`, which `bound` says in words.
pub(crate) fn within(
    field: impl Into<String>,
    number: Decimal,
    least: Decimal,
    most: Decimal,
    bound: &'static str,
) -> Result<(), ModelError> {
    if (least..=most).contains(&number) {
        return Ok(());
    }
    Err(value(field, number, bound))
}

/// A number from `least` to 100.
pub(crate) fn at_least(field: &str, number: Decimal, least: Decimal, bound: &'static str) -> Result<(), ModelError> {
    within(field, number, least, MAX_FACTOR, bound)
}

/// Of a number or text that is out of its bound; no more of it than a name may have.
pub(crate) fn value(field: impl Into<String>, value: impl ToString, bound: &'static str) -> ModelError {
    ModelError::Value {
        field: field.into(),
        value: value.to_string().chars().take(MAX_NAME_CHARS).collect(),
        bound,
    }
}

/// Of too few or too many of something.
pub(crate) fn count(
    field: impl Into<String>,
    count: usize,
    what: &'static str,
    bound: impl Into<String>,
) -> ModelError {
    ModelError::Count {
        field: field.into(),
        count,
        what,
        bound: bound.into(),
    }
}

/// `USD`, or an asset of the file.
pub(crate) fn numeraire<A>(numeraire: &str, assets: &BTreeMap<String, A>) -> Result<(), ModelError> {
    label("numeraire", numeraire)?;
    if numeraire == "USD" || assets.contains_key(numeraire) {
        return Ok(());
    }
    Err(ModelError::Unknown {
        field: "numeraire".into(),
        name: numeraire.to_owned(),
        among: "assets",
    })
}

/// `USD`, or an asset of the file that moves with no underlying.
pub(crate) fn dollar_numeraire(name: &str, assets: &BTreeMap<String, AssetParameters>) -> Result<(), ModelError> {
    numeraire(name, assets)?;
    if name != "USD" && assets.get(name).is_some_and(|asset| asset.underlying.is_some()) {
        return Err(value(
            "numeraire",
            name,
            "USD or an asset that moves with no underlying",
        ));
    }
    Ok(())
}

/// At least one underlying.
pub(crate) fn some_underlying<U>(underlyings: &BTreeMap<String, U>) -> Result<(), ModelError> {
    if underlyings.is_empty() {
        return Err(count("underlyings", 0, "underlyings", "at least 1"));
    }
    Ok(())
}
