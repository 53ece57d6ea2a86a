//! What a file of either model must satisfy before it is a model.

use std::collections::BTreeMap;

use rust_decimal::Decimal;

use crate::model::ModelError;
use crate::model::check::{self, MAX_FACTOR, count, within};
use crate::model::derive::parameters::{Basis, Charge, Confidence, Peg, Row, Skew, StaticDiscount, VolatilityShock};
use crate::model::derive::{pm2, pmrm1};

/// Most rows of all underlyings together.
const MAX_ROWS: usize = 1_024;
/// Most of what enters an exponential.
const MAX_RATE: Decimal = Decimal::TEN;
/// Longest tenor floor, in days.
const MAX_TENOR_FLOOR: Decimal = Decimal::from_parts(3_650, 0, 0, false, 0);

pub(super) fn pm2(parameters: &pm2::Parameters) -> Result<(), ModelError> {
    check::name(&parameters.name)?;
    check::label("numeraire", &parameters.numeraire)?;
    let underlyings: Vec<&str> = parameters.underlyings.keys().map(String::as_str).collect();
    let moving = parameters.assets.iter();
    let moving = moving.map(|(name, asset)| (name.as_str(), asset.underlying.as_deref()));
    check_assets(&parameters.numeraire, moving.collect(), &underlyings)?;
    for (name, asset) in &parameters.assets {
        check_charge(&format!("assets.{name}.haircut"), &asset.haircut)?;
    }
    check_grids(&parameters.grids, true)?;
    let mut rows = 0;
    for (name, underlying) in &parameters.underlyings {
        let place = format!("underlyings.{name}");
        let field = |part: &str| format!("{place}.{part}");
        rows += grid(&parameters.grids, &field("grid"), &underlying.grid)?;
        factor(&field("initial_factor"), underlying.initial_factor)?;
        factor(&field("maintenance_factor"), underlying.maintenance_factor)?;
        check_peg(&field("peg"), &underlying.peg)?;
        check_volatility(&field("volatility"), &underlying.volatility)?;
        check_skew(&field("skew"), &underlying.skew)?;
        check_discount(&field("positive_discount"), &underlying.positive_discount)?;
        check_discount(&field("negative_discount"), &underlying.negative_discount)?;
        check_basis(&field("basis"), &underlying.basis)?;
        check_charge(&field("forward_charge"), &underlying.forward_charge)?;
        check_charge(&field("naked_short_charge"), &underlying.naked_short_charge)?;
        check_confidence(&field("confidence"), &underlying.confidence)?;
    }
    check_rows(rows)
}

/// What a file needs besides before anything is proven of it: collateral that is worth no less than nothing, and levels in order.
pub(super) fn pm2_of_statement(parameters: &pm2::Parameters) -> Result<(), ModelError> {
    for (name, asset) in &parameters.assets {
        within(
            format!("assets.{name}.haircut"),
            asset.haircut.maintenance.saturating_add(asset.haircut.initial_adds),
            Decimal::ZERO,
            Decimal::ONE,
            "0 to 1, at both levels together",
        )?;
    }
    for (name, underlying) in &parameters.underlyings {
        // A policy that asks for maintenance takes a proof of initial: it must not be the weaker of the two.
        within(
            format!("underlyings.{name}.maintenance_factor"),
            underlying.maintenance_factor,
            Decimal::ZERO,
            underlying.initial_factor,
            "0 to initial_factor",
        )?;
    }
    Ok(())
}

pub(super) fn pmrm1(parameters: &pmrm1::Parameters) -> Result<(), ModelError> {
    check::name(&parameters.name)?;
    check::label("numeraire", &parameters.numeraire)?;
    let underlyings: Vec<&str> = parameters.underlyings.keys().map(String::as_str).collect();
    let moving = parameters.assets.iter();
    let moving: BTreeMap<_, _> = moving
        .map(|(name, asset)| (name.as_str(), asset.underlying.as_deref()))
        .collect();
    for (name, moves_with) in &moving {
        if moves_with.is_none() && *name != parameters.numeraire && parameters.numeraire != "USD" {
            return Err(ModelError::Value {
                field: format!("assets.{name}.underlying"),
                value: "none".to_owned(),
                bound: "an underlying, of every asset but the numéraire",
            });
        }
    }
    check_assets(&parameters.numeraire, moving, &underlyings)?;
    check_grids(&parameters.grids, false)?;
    let mut rows = 0;
    for (name, underlying) in &parameters.underlyings {
        let place = format!("underlyings.{name}");
        let field = |part: &str| format!("{place}.{part}");
        rows += grid(&parameters.grids, &field("grid"), &underlying.grid)?;
        within(
            field("initial_factor"),
            underlying.initial_factor,
            Decimal::ONE,
            MAX_FACTOR,
            "1 to 100",
        )?;
        check_peg(&field("peg"), &underlying.peg)?;
        check_volatility(&field("volatility"), &underlying.volatility)?;
        check_discount(&field("discount"), &underlying.discount)?;
        // The value that counts is the smaller of the whole and the discounted one.
        within(
            field("discount.base"),
            underlying.discount.base,
            Decimal::ZERO,
            Decimal::ONE,
            "0 to 1",
        )?;
        check_basis(&field("basis"), &underlying.basis)?;
        for (part, charge) in [
            ("forward_charge", underlying.forward_charge),
            ("base_charge", underlying.base_charge),
            ("naked_short_charge", underlying.naked_short_charge),
        ] {
            factor(&field(part), charge)?;
        }
        check_confidence(&field("confidence"), &underlying.confidence)?;
    }
    check_rows(rows)
}

fn check_assets(numeraire: &str, assets: BTreeMap<&str, Option<&str>>, underlyings: &[&str]) -> Result<(), ModelError> {
    let unknown = |field: String, name: &str, among| ModelError::Unknown {
        field,
        name: name.to_owned(),
        among,
    };
    if underlyings.is_empty() {
        return Err(count("underlyings", 0, "underlyings", "at least 1"));
    }
    match assets.get(numeraire) {
        Some(Some(underlying)) => {
            return Err(ModelError::Value {
                field: "numeraire".into(),
                value: format!("{numeraire}, which moves with {underlying}"),
                bound: "USD, or an asset that moves with no underlying",
            });
        }
        None if numeraire != "USD" => return Err(unknown("numeraire".into(), numeraire, "assets")),
        Some(None) | None => {}
    }
    for (name, moves_with) in assets {
        if let Some(underlying) = moves_with.filter(|underlying| !underlyings.contains(underlying)) {
            return Err(unknown(format!("assets.{name}.underlying"), underlying, "underlyings"));
        }
    }
    Ok(())
}

fn check_grids(grids: &BTreeMap<String, Vec<Row>>, has_skew: bool) -> Result<(), ModelError> {
    for (name, rows) in grids {
        let field = format!("grids.{name}");
        if rows.is_empty() || rows.len() > MAX_ROWS {
            return Err(ModelError::Count {
                field,
                count: rows.len(),
                what: "rows",
                bound: format!("1 to {MAX_ROWS}"),
            });
        }
        for (index, row) in rows.iter().enumerate() {
            let place = format!("{field}[{index}]");
            let place_of_move = format!("{place}.move");
            within(
                place_of_move,
                row.price_move,
                Decimal::NEGATIVE_ONE,
                MAX_FACTOR,
                "-1 to 100",
            )?;
            factor(&format!("{place}.weight"), row.weight)?;
            if row.volatility.is_skew() {
                if !has_skew {
                    return Err(ModelError::Value {
                        field: format!("{place}.volatility"),
                        value: row.volatility.name().to_owned(),
                        bound: "up, none or down",
                    });
                }
                let still = Decimal::ZERO;
                within(format!("{place}.move"), row.price_move, still, still, "0 in a skew row")?;
            }
            if !has_skew {
                within(
                    format!("{place}.weight"),
                    row.weight,
                    Decimal::ONE,
                    Decimal::ONE,
                    "1 in this model",
                )?;
            }
        }
    }
    Ok(())
}

fn grid(grids: &BTreeMap<String, Vec<Row>>, field: &str, name: &str) -> Result<usize, ModelError> {
    grids.get(name).map(Vec::len).ok_or_else(|| ModelError::Unknown {
        field: field.to_owned(),
        name: name.to_owned(),
        among: "grids",
    })
}

fn check_rows(rows: usize) -> Result<(), ModelError> {
    if rows > MAX_ROWS {
        return Err(ModelError::Count {
            field: "underlyings".into(),
            count: rows,
            what: "rows in all",
            bound: format!("at most {MAX_ROWS}"),
        });
    }
    Ok(())
}

fn check_peg(field: &str, peg: &Peg) -> Result<(), ModelError> {
    factor(&format!("{field}.threshold"), peg.threshold)?;
    factor(&format!("{field}.factor"), peg.factor)
}

fn check_volatility(field: &str, shock: &VolatilityShock) -> Result<(), ModelError> {
    factor(&format!("{field}.up"), shock.up)?;
    factor(&format!("{field}.down"), shock.down)?;
    factor(&format!("{field}.up_floor"), shock.up_floor)?;
    rate(&format!("{field}.short_power"), shock.short_power)?;
    rate(&format!("{field}.long_power"), shock.long_power)?;
    within(
        format!("{field}.tenor_floor_days"),
        shock.tenor_floor_days,
        Decimal::ZERO,
        MAX_TENOR_FLOOR,
        "0 to 3650",
    )
}

fn check_skew(field: &str, skew: &Skew) -> Result<(), ModelError> {
    for (part, cap) in [("linear", skew.linear), ("abs", skew.abs)] {
        rate(&format!("{field}.{part}.base"), cap.base)?;
        let slope = format!("{field}.{part}.slope");
        within(&slope, cap.slope, -MAX_RATE, MAX_RATE, "-10 to 10")?;
    }
    rate(&format!("{field}.least_width"), skew.least_width)?;
    rate(&format!("{field}.width"), skew.width)?;
    rate(&format!("{field}.volatility"), skew.volatility)?;
    within(
        format!("{field}.volatility_slope"),
        skew.volatility_slope,
        -MAX_FACTOR,
        MAX_FACTOR,
        "-100 to 100",
    )
}

fn check_discount(field: &str, discount: &StaticDiscount) -> Result<(), ModelError> {
    rate(&format!("{field}.base"), discount.base)?;
    rate(&format!("{field}.rate_factor"), discount.rate_factor)?;
    rate(&format!("{field}.rate_add"), discount.rate_add)
}

fn check_basis(field: &str, basis: &Basis) -> Result<(), ModelError> {
    let most = Decimal::TWO;
    within(format!("{field}.up"), basis.up, Decimal::ZERO, most, "0 to 2")?;
    let down = format!("{field}.down");
    within(&down, basis.down, Decimal::NEGATIVE_ONE, Decimal::ZERO, "-1 to 0")?;
    factor(&format!("{field}.add"), basis.add)?;
    factor(&format!("{field}.per_year"), basis.per_year)
}

fn check_charge(field: &str, charge: &Charge) -> Result<(), ModelError> {
    rate(&format!("{field}.maintenance"), charge.maintenance)?;
    rate(&format!("{field}.initial_adds"), charge.initial_adds)
}

fn check_confidence(field: &str, confidence: &Confidence) -> Result<(), ModelError> {
    let threshold = format!("{field}.threshold");
    within(&threshold, confidence.threshold, Decimal::ZERO, Decimal::ONE, "0 to 1")?;
    factor(&format!("{field}.factor"), confidence.factor)
}

/// 0 to 100.
fn factor(field: &str, value: Decimal) -> Result<(), ModelError> {
    within(field, value, Decimal::ZERO, MAX_FACTOR, "0 to 100")
}

/// 0 to 10.
fn rate(field: &str, value: Decimal) -> Result<(), ModelError> {
    within(field, value, Decimal::ZERO, MAX_RATE, "0 to 10")
}
