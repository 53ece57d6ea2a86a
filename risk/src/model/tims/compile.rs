//! From the rule to a program.

use std::collections::{BTreeMap, BTreeSet};

use rust_decimal::Decimal;
use zkmargin_program::{Builder, Linear, Lower, NumberError, Ratio, Upper};

use crate::model::compile::{CompileError, Forms};
use crate::model::factor::ratio;
use crate::model::scan::{Facts, Move, Scan};
use crate::model::sheet::Sheet;
use crate::model::tims::parameters::UnderlyingParameters;
use crate::model::tims::{POINTS, Tims, shocks};
use crate::model::{Rule, Scope};
use crate::scenario::VolatilityShock;
use crate::terms::Level;
use crate::universe::Kind;

/// A class that the snapshot has.
type Class<'m, 's, 'a> = (&'m str, &'m UnderlyingParameters, Scan<'s, 'a>);

impl Tims {
    /// `V` and `R` of the accounts in a scope.
    pub(super) fn compile(
        &self,
        builder: &mut Builder,
        scope: &Scope<'_>,
        level: Level,
    ) -> Result<Forms, CompileError> {
        let (parameters, numeraire) = (self.parameters(), self.numeraire());
        let names = self.names();
        let sheet = Sheet::new(&names, scope, &numeraire)?;
        let facts = Facts {
            model: self.name(),
            sheet: &sheet,
            snapshot: scope.snapshot,
            names: &names,
            whole: parameters.collateral_in_scenarios,
        };
        let level = ratio(match level {
            Level::Initial => parameters.levels.initial,
            Level::Maintenance => parameters.levels.maintenance,
        })?;
        let mut linear = Linear::zero();
        let mut classes: BTreeMap<&str, Class<'_, '_, '_>> = BTreeMap::new();
        for (name, rules) in &parameters.underlyings {
            if let Some(scan) = facts.scan(name, &VolatilityShock::STILL, moves(rules)?)? {
                scan.add_marks(&mut linear)?;
                classes.insert(name, (name, rules, scan));
            }
        }
        let value = sheet.value(builder, &parameters.assets, linear)?;

        let mut requirement = builder.upper(&Linear::zero())?;
        for group in &parameters.groups {
            let members = group.underlyings.iter().collect::<BTreeSet<_>>().into_iter();
            let members: Vec<_> = members.filter_map(|name| classes.remove(name.as_str())).collect();
            // A class without the others: what a gain would offset is not there.
            let offset = (members.len() > 1).then_some(group.offset);
            requirement = requirement + risk(builder, &members, offset, level)?;
        }
        for class in classes.into_values() {
            requirement = requirement + risk(builder, &[class], None, level)?;
        }
        Ok(Forms { value, requirement })
    }
}

/// The ten points.
fn moves(rules: &UnderlyingParameters) -> Result<Vec<Move>, NumberError> {
    let (down, up) = (ratio(rules.down)?, ratio(rules.up)?);
    let points = i128::from(POINTS);
    let falls = (1..=points).rev().map(|n| (down, -n));
    let rises = (1..=points).map(|n| (up, n));
    let by = falls.chain(rises).zip(shocks(rules));
    by.map(|((range, n), shock)| {
        Ok(Move {
            shock,
            by: range.checked_mul(Ratio::new(n, points.unsigned_abs())?)?,
            weight: Ratio::ONE,
        })
    })
    .collect()
}

/// `factor(level) · risk_g`.
fn risk(
    builder: &mut Builder,
    members: &[Class<'_, '_, '_>],
    offset: Option<Decimal>,
    level: Ratio,
) -> Result<Upper, CompileError> {
    let mut items = Vec::new();
    for row in 0..2 * usize::from(POINTS) {
        let mut profits: Option<Lower> = None;
        for (name, _, scan) in members {
            let profit = scan.profit(row, level)?;
            let part = match offset {
                Some(offset) if offset < Decimal::ONE => gain(builder, name, profit, offset)?,
                _ => builder.lower(&profit)?,
            };
            profits = Some(match profits {
                Some(sum) => sum + part,
                None => part,
            });
        }
        items.extend(profits.map(|sum| -sum));
    }
    let mut minimum = Linear::zero();
    for (_, rules, scan) in members {
        for (position, delta) in scan.deltas() {
            let instrument = position.instrument;
            let usd = position.usd_per_lot.times(ratio(rules.minimum)?)?.times(level)?;
            let units = match instrument.kind {
                Kind::Option { .. } => usd.times(ratio(instrument.contract)?)?.real()?,
                Kind::Future { .. } | Kind::Perpetual | Kind::Sensitivity(_) => usd.enclose(delta.abs())?,
            };
            minimum.add_leg(instrument.long, units);
            minimum.add_leg(instrument.short, units);
        }
    }
    items.push(builder.upper(&minimum)?);
    let first = members.first().map_or("", |(name, ..)| *name);
    let name = match members.len() {
        0 | 1 => format!("worst point of {first}"),
        several => format!("worst point of {first} and {} more", several - 1),
    };
    Ok(builder.max_non_negative(&name, items)?)
}

/// `κ(profit)` of a part below 1.
fn gain(builder: &mut Builder, name: &str, profit: Linear, offset: Decimal) -> Result<Lower, CompileError> {
    let name = format!("gain of {name} that offsets");
    let whole = builder.lower(&profit)?;
    if offset.is_zero() {
        return Ok(builder.min_non_positive(&name, [whole])?);
    }
    let part = builder.lower(&profit.scale(ratio(offset)?))?;
    Ok(builder.min(&name, [whole, part])?)
}
