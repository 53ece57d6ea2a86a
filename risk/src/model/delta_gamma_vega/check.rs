//! What makes parameters a delta-gamma-vega model.

use rust_decimal::Decimal;

use crate::model::ModelError;
use crate::model::delta_gamma_vega::parameters::Parameters;

const MAX_NAME: usize = 64;
const TEN: Decimal = Decimal::from_parts(10, 0, 0, false, 0);
const MAX_LEVEL: Decimal = Decimal::from_parts(100, 0, 0, false, 0);
/// 10^12 coins.
const MAX_CAP: Decimal = Decimal::from_parts(0xd4a5_1000, 0xe8, 0, false, 0);
/// Most decimals of a figure that is multiplied with others.
const DECIMALS: u32 = 9;

pub(super) fn check(parameters: &Parameters) -> Result<(), ModelError> {
    for (field, name) in [("name", &parameters.name), ("numeraire", &parameters.numeraire)] {
        if name.is_empty() || name.chars().count() > MAX_NAME {
            return Err(value(
                field,
                name.chars().take(MAX_NAME).collect(),
                "1 to 64 characters",
            ));
        }
    }
    let unknown = |field: &str, name: &str, among| ModelError::Unknown {
        field: field.to_owned(),
        name: name.to_owned(),
        among,
    };
    if parameters.numeraire != "USD" && !parameters.assets.contains_key(&parameters.numeraire) {
        return Err(unknown("numeraire", &parameters.numeraire, "assets"));
    }
    within("quantile", parameters.quantile, TEN, "0 to 10, with 9 decimals at most")?;
    let levels = parameters.levels;
    within(
        "levels.initial",
        levels.initial,
        MAX_LEVEL,
        "0 to 100, with 9 decimals at most",
    )?;
    within(
        "levels.maintenance",
        levels.maintenance,
        MAX_LEVEL,
        "0 to 100, with 9 decimals at most",
    )?;
    if levels.maintenance > levels.initial {
        return Err(value(
            "levels.maintenance",
            levels.maintenance.to_string(),
            "at most levels.initial",
        ));
    }
    if parameters.underlyings.is_empty() {
        return Err(ModelError::Count {
            field: "underlyings".to_owned(),
            count: 0,
            what: "underlyings",
            bound: "1 to 64".to_owned(),
        });
    }
    for (name, underlying) in &parameters.underlyings {
        let moves = [
            ("move", underlying.price_move),
            ("volatility_move", underlying.volatility_move),
        ];
        for (field, figure) in moves {
            within(
                &format!("underlyings.{name}.{field}"),
                figure,
                TEN,
                "0 to 10, with 9 decimals at most",
            )?;
        }
    }
    let rows = parameters.underlyings.len();
    parameters.price_correlations.check("price_correlations", rows)?;
    parameters
        .volatility_correlations
        .check("volatility_correlations", rows)?;
    for (name, asset) in &parameters.assets {
        if asset.haircut < Decimal::ZERO || asset.haircut > Decimal::ONE {
            return Err(value(
                &format!("assets.{name}.haircut"),
                asset.haircut.to_string(),
                "0 to 1",
            ));
        }
        if let Some(cap) = asset.cap.filter(|cap| *cap < Decimal::ZERO || *cap > MAX_CAP) {
            return Err(value(
                &format!("assets.{name}.cap"),
                cap.to_string(),
                "0 to 1000000000000 coins",
            ));
        }
        let listed = |underlying: &&String| !parameters.underlyings.contains_key(*underlying);
        if let Some(underlying) = asset.underlying.as_ref().filter(listed) {
            return Err(unknown(&format!("assets.{name}.underlying"), underlying, "underlyings"));
        }
    }
    Ok(())
}

fn within(field: &str, figure: Decimal, most: Decimal, bound: &'static str) -> Result<(), ModelError> {
    if figure < Decimal::ZERO || figure > most || figure.normalize().scale() > DECIMALS {
        return Err(value(field, figure.to_string(), bound));
    }
    Ok(())
}

fn value(field: &str, value: String, bound: &'static str) -> ModelError {
    ModelError::Value {
        field: field.to_owned(),
        value,
        bound,
    }
}
