//! From the rule to a program.

use std::collections::BTreeMap;

use rust_decimal::Decimal;
use zkmargin_program::{Builder, Linear, Lower, Ratio, Upper};

use crate::model::binance_pm::BinancePm;
use crate::model::binance_pm::parameters::By;
use crate::model::compile::{CompileError, Forms};
use crate::model::factor::ratio;
use crate::model::sheet::{Position, Sheet};
use crate::model::stress::figures::{Figures, Stresses, is_option};
use crate::model::stress::progressive::Progressive;
use crate::model::{Rule, Scope};
use crate::terms::Level;

pub(super) fn compile(
    model: &BinancePm,
    builder: &mut Builder,
    scope: &Scope<'_>,
    level: Level,
) -> Result<Forms, CompileError> {
    let parameters = model.parameters();
    let sheet = Sheet::new(&model.names(), scope, &model.numeraire())?;
    let factor = ratio(match level {
        Level::Initial => parameters.levels.initial,
        Level::Maintenance => parameters.levels.maintenance,
    })?;
    let mut marked: BTreeMap<&str, Vec<(&Position<'_>, f64)>> = BTreeMap::new();
    for (name, positions) in &sheet.positions {
        for position in positions.iter().filter(|position| !is_option(position.instrument)) {
            // What the snapshot does not price does not count.
            if let Some(figures) = Figures::new(scope.snapshot, position.instrument, &Stresses::NONE)? {
                marked.entry(name).or_default().push((position, figures.mark));
            }
        }
    }
    let value = value(model, builder, &sheet, &marked)?;

    let mut requirement = builder.upper(&Linear::zero())?;
    for (name, positions) in &marked {
        let Some(underlying) = parameters.underlyings.get(*name) else {
            continue;
        };
        let progressive = Progressive::new([underlying.tiers.as_slice()])?;
        let groups: Vec<&[(&Position<'_>, f64)]> = match parameters.by {
            By::Instrument => positions.chunks(1).collect(),
            By::Underlying => vec![positions],
        };
        let label = format!("maintenance of {name}");
        for group in groups {
            let mut notional = Linear::zero();
            for (position, mark) in group {
                position.add_gross(&mut notional, mark.abs(), factor)?;
            }
            let notional: Upper = builder.upper(&notional)?;
            let notional = if parameters.by == By::Underlying && underlying.tiers.len() > 1 {
                // One long row; those of the tiers are short.
                builder.positive_part(&label, notional)?
            } else {
                notional
            };
            requirement = requirement + progressive.charge(builder, &label, notional, sheet.units_per_usd, factor)?;
        }
    }
    let mut loans = Linear::zero();
    for (name, asset) in &sheet.assets {
        let rate = parameters.loans.get(*name).copied().unwrap_or_default();
        if !rate.is_zero() {
            let per_coin = asset.per_coin.times(ratio(-rate)?)?.times(factor)?;
            asset.holding.take_debt(&mut loans, per_coin)?;
        }
    }
    Ok(Forms {
        value,
        requirement: requirement + builder.upper(&loans)?,
    })
}

/// `V`.
fn value(
    model: &BinancePm,
    builder: &mut Builder,
    sheet: &Sheet<'_>,
    marked: &BTreeMap<&str, Vec<(&Position<'_>, f64)>>,
) -> Result<Lower, CompileError> {
    let mut whole = Linear::zero();
    let mut parts = Vec::new();
    for (name, asset) in &sheet.assets {
        let mut equity = Linear::zero();
        asset.holding.add_balance(&mut equity, asset.per_coin)?;
        asset.holding.take_debt(&mut equity, asset.per_coin)?;
        asset.holding.add_carry(&mut equity, asset.per_coin)?;
        asset.holding.take_reserve(&mut equity, asset.per_coin)?;
        for (position, mark) in marked.values().flatten() {
            if position.instrument.settlement == *name {
                position.add_net(&mut equity, *mark, Ratio::ONE)?;
            }
        }
        let haircut = model.parameters().assets.get(*name).map(|asset| asset.haircut);
        let rate = Decimal::ONE - haircut.unwrap_or_default();
        if rate == Decimal::ONE {
            whole += equity;
            continue;
        }
        let pieces = [
            builder.lower(&equity.clone().scale(ratio(rate)?))?,
            builder.lower(&equity)?,
        ];
        parts.push(builder.min(&format!("adjusted equity in {name}"), pieces)?);
    }
    let whole = builder.lower(&whole)?;
    Ok(parts.into_iter().fold(whole, |sum: Lower, part| sum + part))
}
