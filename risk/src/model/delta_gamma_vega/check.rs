//! What makes parameters a delta-gamma-vega model.

use rust_decimal::Decimal;

use crate::model::ModelError;
use crate::model::assets::check_assets;
use crate::model::check::{self, value};
use crate::model::delta_gamma_vega::parameters::Parameters;

const TEN: Decimal = Decimal::from_parts(10, 0, 0, false, 0);
const MAX_LEVEL: Decimal = Decimal::from_parts(100, 0, 0, false, 0);
/// Most decimals of a figure that is multiplied with others.
const DECIMALS: u32 = 9;

pub(super) fn check(parameters: &Parameters) -> Result<(), ModelError> {
    check::name(&parameters.name)?;
    check::numeraire(&parameters.numeraire, &parameters.assets)?;
    rounded("quantile", parameters.quantile, TEN, "0 to 10, with 9 decimals at most")?;
    let levels = parameters.levels;
    rounded(
        "levels.initial",
        levels.initial,
        MAX_LEVEL,
        "0 to 100, with 9 decimals at most",
    )?;
    rounded(
        "levels.maintenance",
        levels.maintenance,
        MAX_LEVEL,
        "0 to 100, with 9 decimals at most",
    )?;
    if levels.maintenance > levels.initial {
        return Err(value(
            "levels.maintenance",
            levels.maintenance,
            "at most levels.initial",
        ));
    }
    if parameters.underlyings.is_empty() {
        return Err(check::count("underlyings", 0, "underlyings", "1 to 64"));
    }
    for (name, underlying) in &parameters.underlyings {
        let moves = [
            ("move", underlying.price_move),
            ("volatility_move", underlying.volatility_move),
        ];
        for (field, figure) in moves {
            rounded(
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
    check_assets(&parameters.assets, |underlying| {
        parameters.underlyings.contains_key(underlying)
    })
}

fn rounded(field: &str, figure: Decimal, most: Decimal, bound: &'static str) -> Result<(), ModelError> {
    if figure < Decimal::ZERO || figure > most || figure.normalize().scale() > DECIMALS {
        return Err(value(field, figure, bound));
    }
    Ok(())
}
