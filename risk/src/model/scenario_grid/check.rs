//! What a parameter file must satisfy before it is a model.

use std::collections::BTreeSet;

use rust_decimal::Decimal;

use crate::model::ModelError;
use crate::model::assets::check_assets;
use crate::model::check::{self, MAX_FACTOR, at_most, count, value};
use crate::model::scenario_grid::MAX_ROWS;
use crate::model::scenario_grid::parameters::{DeltaShock, Group, Parameters, Scenario, UnderlyingParameters};

/// Largest exponent of tenor scaling, and largest annual move of a roll charge.
const MAX_POWER: Decimal = Decimal::from_parts(4, 0, 0, false, 0);
const MAX_ANNUAL_MOVE: Decimal = Decimal::TEN;
/// Longest tenor floor, in days.
const MAX_TENOR_FLOOR: Decimal = Decimal::from_parts(3_650, 0, 0, false, 0);
/// Largest threshold of a delta shock, in USD.
const MAX_THRESHOLD: Decimal = Decimal::from_parts(0x540b_e400, 0x2, 0, false, 0);
/// Most chords of a delta shock: a row each.
const MAX_CHORDS: u32 = 64;
/// Largest cap, in coins or in units of the numéraire.
const MAX_CAP: Decimal = Decimal::from_parts(0xd4a5_1000, 0xe8, 0, false, 0);

pub(super) fn check(parameters: &Parameters) -> Result<(), ModelError> {
    check::name(&parameters.name)?;
    check::numeraire(&parameters.numeraire, &parameters.assets)?;
    at_most("levels.initial", parameters.levels.initial, MAX_FACTOR, "0 to 100")?;
    // A policy that asks for maintenance takes a proof of initial: it must not be the weaker of the two.
    let (maintenance, initial) = (parameters.levels.maintenance, parameters.levels.initial);
    at_most("levels.maintenance", maintenance, initial, "0 to levels.initial")?;
    check_assets(&parameters.assets, |underlying| {
        parameters.underlyings.contains_key(underlying)
    })?;
    for (name, rows) in &parameters.grids {
        check_grid(&format!("grids.{name}"), rows)?;
    }
    let mut total = 0_usize;
    for (name, underlying) in &parameters.underlyings {
        total = total.saturating_add(check_underlying(
            parameters,
            &format!("underlyings.{name}"),
            underlying,
        )?);
    }
    if parameters.underlyings.is_empty() {
        return Err(count("underlyings", 0, "underlyings", "at least 1"));
    }
    if total > MAX_ROWS {
        return Err(count(
            "underlyings",
            total,
            "rows in all",
            format!("at most {MAX_ROWS}"),
        ));
    }
    let mut grouped = BTreeSet::new();
    for (index, group) in parameters.groups.iter().enumerate() {
        check_group(parameters, &format!("groups[{index}]"), group, &mut grouped)?;
    }
    Ok(())
}

fn check_grid(field: &str, rows: &[Scenario]) -> Result<(), ModelError> {
    if rows.is_empty() || rows.len() > MAX_ROWS {
        return Err(count(field, rows.len(), "rows", format!("1 to {MAX_ROWS}")));
    }
    for (index, row) in rows.iter().enumerate() {
        let place = format!("{field}[{index}]");
        // The shocked index must stay above 0, and far from where a float loses it.
        let least = Decimal::from_parts(999, 0, 0, true, 3);
        if row.price_move < least || row.price_move > MAX_FACTOR {
            return Err(value(format!("{place}.move"), row.price_move, "-0.999 to 100"));
        }
        at_most(format!("{place}.weight"), row.weight, MAX_FACTOR, "0 to 100")?;
    }
    Ok(())
}

/// The number of its rows.
fn check_underlying(
    parameters: &Parameters,
    place: &str,
    underlying: &UnderlyingParameters,
) -> Result<usize, ModelError> {
    let field = |part: &str| format!("{place}.{part}");
    let Some(rows) = parameters.grids.get(&underlying.grid) else {
        return Err(ModelError::Unknown {
            field: field("grid"),
            name: underlying.grid.clone(),
            among: "grids",
        });
    };
    let volatility = &underlying.volatility;
    at_most(field("volatility.up"), volatility.up, MAX_FACTOR, "0 to 100")?;
    at_most(field("volatility.down"), volatility.down, MAX_FACTOR, "0 to 100")?;
    at_most(
        field("volatility.short_power"),
        volatility.short_power,
        MAX_POWER,
        "0 to 4",
    )?;
    at_most(
        field("volatility.long_power"),
        volatility.long_power,
        MAX_POWER,
        "0 to 4",
    )?;
    at_most(
        field("volatility.up_floor"),
        volatility.up_floor,
        MAX_FACTOR,
        "0 to 100",
    )?;
    let floor = volatility.tenor_floor_days;
    if floor < Decimal::new(1, 3) || floor > MAX_TENOR_FLOOR {
        return Err(value(field("volatility.tenor_floor_days"), floor, "0.001 to 3650"));
    }
    if let Some(provision) = underlying.delta_provision {
        at_most(field("delta_provision.net"), provision.net, MAX_FACTOR, "0 to 100")?;
        at_most(field("delta_provision.gross"), provision.gross, MAX_FACTOR, "0 to 100")?;
    }
    if let Some(roll) = underlying.roll {
        at_most(field("roll.annual_move"), roll.annual_move, MAX_ANNUAL_MOVE, "0 to 10")?;
        at_most(field("roll.least"), roll.least, MAX_FACTOR, "0 to 100")?;
    }
    if let Some(dampener) = underlying.dampener {
        let range = dampener.range;
        if range <= Decimal::ZERO || range >= Decimal::ONE {
            return Err(value(field("dampener.range"), range, "above 0 and below 1"));
        }
        at_most(field("dampener.amount"), dampener.amount, MAX_CAP, "0 to 1000000000000")?;
    }
    if let Some(shock) = underlying.delta_shock {
        check_delta_shock(&field("delta_shock"), shock)?;
    }
    if let Some(cap) = underlying.option_fee_cap {
        at_most(field("option_fee_cap"), cap, MAX_FACTOR, "0 to 100")?;
    }
    at_most(
        field("short_option_minimum"),
        underlying.short_option_minimum,
        MAX_FACTOR,
        "0 to 100",
    )?;
    at_most(field("option_fee"), underlying.option_fee, MAX_FACTOR, "0 to 100")?;
    at_most(field("future_fee"), underlying.future_fee, MAX_FACTOR, "0 to 100")?;
    at_most(
        field("funding_intervals"),
        underlying.funding_intervals,
        MAX_CAP,
        "0 to 1000000000000",
    )?;
    Ok(rows.len())
}

fn check_delta_shock(place: &str, shock: DeltaShock) -> Result<(), ModelError> {
    at_most(
        format!("{place}.threshold"),
        shock.threshold,
        MAX_THRESHOLD,
        "0 to 10000000000",
    )?;
    let increment = shock.increment;
    if increment < Decimal::new(1, 12) || increment > Decimal::ONE {
        return Err(value(format!("{place}.increment"), increment, "0.000000000001 to 1"));
    }
    at_most(format!("{place}.most"), shock.most, Decimal::ONE, "0 to 1")?;
    if shock.chords == 0 || shock.chords > MAX_CHORDS {
        return Err(count(
            format!("{place}.chords"),
            shock.chords as usize,
            "chords",
            format!("1 to {MAX_CHORDS}"),
        ));
    }
    Ok(())
}

fn check_group<'a>(
    parameters: &'a Parameters,
    place: &str,
    group: &'a Group,
    grouped: &mut BTreeSet<&'a str>,
) -> Result<(), ModelError> {
    let field = format!("{place}.underlyings");
    if group.underlyings.len() < 2 {
        return Err(count(&field, group.underlyings.len(), "underlyings", "at least 2"));
    }
    let mut rows = None;
    for name in &group.underlyings {
        let underlying = known_underlying(parameters, &field, name)?;
        if !grouped.insert(name) {
            return Err(ModelError::Duplicate {
                field,
                name: name.clone(),
            });
        }
        let own = parameters.grids.get(&underlying.grid).map_or(0, Vec::len);
        let expected = *rows.get_or_insert(own);
        if own != expected {
            let field = format!("grids.{}", underlying.grid);
            return Err(count(
                &field,
                own,
                "rows",
                format!("{expected}, as many as the others of its group"),
            ));
        }
    }
    at_most(
        format!("{place}.gain_factor"),
        group.gain_factor,
        Decimal::ONE,
        "0 to 1",
    )?;
    if let Some(cap) = group.gain_cap {
        at_most(
            format!("{place}.gain_cap"),
            cap,
            MAX_CAP,
            "0 to 1000000000000 units of the numéraire",
        )?;
    }
    Ok(())
}

fn known_underlying<'a>(
    parameters: &'a Parameters,
    field: &str,
    name: &str,
) -> Result<&'a UnderlyingParameters, ModelError> {
    let unknown = || ModelError::Unknown {
        field: field.to_owned(),
        name: name.to_owned(),
        among: "underlyings",
    };
    parameters.underlyings.get(name).ok_or_else(unknown)
}
