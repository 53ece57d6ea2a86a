//! From the rule to a program.

use std::collections::BTreeMap;

use rust_decimal::Decimal;
use zkmargin_program::{Builder, Linear, Lower, Ratio, Upper};

use crate::collateral::{self, Holding};
use crate::market::Snapshot;
use crate::model::assets::AssetParameters;
use crate::model::compile::{CompileError, Forms, Numeraire, magnitude};
use crate::model::coverage::Coverage;
use crate::model::factor::{Factor, inverse, ratio};
use crate::model::scenario_grid::ScenarioGrid;
use crate::model::scenario_grid::desk::{Desk, Facts, Moving};
use crate::model::scenario_grid::parameters::Parameters;
use crate::model::{Rule, Scope};
use crate::terms::Level;

impl ScenarioGrid {
    /// `V` and `R` of the accounts in a scope.
    pub(super) fn compile(
        &self,
        builder: &mut Builder,
        scope: &Scope<'_>,
        level: Level,
    ) -> Result<Forms, CompileError> {
        let coverage = Coverage::of(&self.names(), scope);
        let compiler = Compiler::new(self.parameters(), self.numeraire(), scope.snapshot, level, &coverage)?;
        Ok(Forms {
            value: compiler.value(builder)?,
            requirement: compiler.requirement(builder)?,
        })
    }
}

struct Compiler<'a> {
    parameters: &'a Parameters,
    numeraire: Numeraire,
    /// The factor of the level.
    level: Ratio,
    desks: BTreeMap<&'a str, Desk<'a>>,
    /// Holding, units per coin, what of it counts.
    assets: Vec<(&'a Holding<'a>, Factor, &'a AssetParameters)>,
}

/// An underlying of a group, by name.
type Member<'d, 'a> = (&'a str, &'d Desk<'a>);

/// What of gains counts in a group of two or more.
#[derive(Copy, Clone)]
struct Gains {
    factor: Decimal,
    cap: Option<Decimal>,
}

impl<'a> Compiler<'a> {
    fn new(
        parameters: &'a Parameters,
        numeraire: Numeraire,
        snapshot: &'a Snapshot,
        level: Level,
        coverage: &'a Coverage<'a>,
    ) -> Result<Compiler<'a>, CompileError> {
        let units = numeraire.units()?;
        let numeraire_price = numeraire.price(snapshot)?;
        let units_per_usd = Factor::new(units).times(inverse(numeraire_price)?)?;
        let mut assets = Vec::new();
        let mut moving: BTreeMap<&str, Vec<Moving<'a>>> = BTreeMap::new();
        for (name, holding) in &coverage.holdings {
            // What counts has parameters and a price.
            let (Some(asset), Some(price)) = (parameters.assets.get(*name), collateral::price(snapshot, name)) else {
                continue;
            };
            let per_coin = units_per_usd.times(ratio(price)?)?;
            assets.push((holding, per_coin, asset));
            if let Some(underlying) = &asset.underlying {
                let whole = parameters.collateral_in_scenarios;
                moving.entry(underlying).or_default().push(Moving {
                    holding,
                    per_coin,
                    whole,
                });
            }
        }
        let mut desks = BTreeMap::new();
        for (name, underlying) in &parameters.underlyings {
            // An underlying without a market has no instrument that counts, and nothing that moves with it.
            let (Some(market), Some(rows)) = (snapshot.underlyings.get(name), parameters.grids.get(&underlying.grid))
            else {
                continue;
            };
            let facts = Facts {
                parameters: underlying,
                rows,
                market,
                now: snapshot.instant,
                units_per_usd,
                instruments: coverage.instruments.get(name.as_str()).cloned().unwrap_or_default(),
                moving: moving.remove(name.as_str()).unwrap_or_default(),
            };
            desks.insert(
                name.as_str(),
                Desk::new(facts, |asset| collateral::price(snapshot, asset))?,
            );
        }
        let level = match level {
            Level::Initial => parameters.levels.initial,
            Level::Maintenance => parameters.levels.maintenance,
        };
        Ok(Compiler {
            parameters,
            numeraire,
            level: ratio(level)?,
            desks,
            assets,
        })
    }

    /// `V`.
    fn value(&self, builder: &mut Builder) -> Result<Lower, CompileError> {
        let mut linear = Linear::zero();
        let mut capped = Vec::new();
        for desk in self.desks.values() {
            desk.add_marks(&mut linear)?;
        }
        for (holding, per_coin, rule) in &self.assets {
            holding.add_value(builder, *per_coin, rule, &mut linear, &mut capped)?;
        }
        let value = builder.lower(&linear)?;
        Ok(capped.into_iter().fold(value, |sum, part| sum + part))
    }

    /// `R`.
    fn requirement(&self, builder: &mut Builder) -> Result<Upper, CompileError> {
        let mut linear = Linear::zero();
        let mut parts = Vec::new();
        for (members, gains) in self.groups() {
            parts.push(self.body(builder, &members, gains)?);
        }
        for (name, desk) in &self.desks {
            for form in desk.roll(self.level)? {
                let part = magnitude(builder, &format!("roll of {name}"), form, &mut linear)?;
                parts.push(part);
            }
            parts.extend(desk.delta_shock(builder, name, self.level)?);
            desk.add_provisions(&mut linear)?;
        }
        let requirement = builder.upper(&linear)?;
        Ok(parts.into_iter().fold(requirement, |sum, part| sum + part))
    }

    /// The groups. One of which one underlying alone has a market is a group of one: without another's losses, what a
    /// gain offsets is the same.
    fn groups(&self) -> Vec<(Vec<Member<'_, 'a>>, Option<Gains>)> {
        let mut single: BTreeMap<&'a str, &Desk<'a>> = self.desks.iter().map(|(name, desk)| (*name, desk)).collect();
        let mut groups = Vec::new();
        for group in &self.parameters.groups {
            let members: Vec<_> = group
                .underlyings
                .iter()
                .filter_map(|name| single.remove_entry(name.as_str()))
                .collect();
            match members.len() {
                0 => {}
                1 => groups.push((members, None)),
                _ => groups.push((
                    members,
                    Some(Gains {
                        factor: group.gain_factor,
                        cap: group.gain_cap,
                    }),
                )),
            }
        }
        groups.extend(single.into_iter().map(|member| (vec![member], None)));
        groups
    }

    /// `factor(level) · body_g`.
    fn body(
        &self,
        builder: &mut Builder,
        members: &[Member<'_, 'a>],
        gains: Option<Gains>,
    ) -> Result<Upper, CompileError> {
        let mut items = Vec::new();
        let rows = members.iter().map(|(_, desk)| desk.rows()).max().unwrap_or(0);
        for row in 0..rows {
            let mut contributions = Vec::new();
            for (name, desk) in members {
                let Some(profit) = desk.profit(row, self.level)? else {
                    continue;
                };
                let damp = desk.damp(row, self.level)?;
                contributions.push(match (damp, gains) {
                    // The body is at least 0: a gain that is left changes nothing.
                    (Some(damp), None) => builder.lower(&(profit + Linear::constant(damp)))?,
                    (Some(damp), Some(_)) => {
                        let damped = builder.lower(&(profit + Linear::constant(damp)))?;
                        builder.min_non_positive(&format!("damped loss of {name}"), [damped])?
                    }
                    (None, None) => builder.lower(&profit)?,
                    (None, Some(gains)) => self.offset(builder, name, profit, gains)?,
                });
            }
            items.extend(contributions.into_iter().reduce(|sum, part| sum + part).map(|sum| -sum));
        }
        self.floors(builder, members, &mut items)?;
        let first = members.first().map_or("", |(name, _)| *name);
        let name = match members.len() {
            0 | 1 => format!("worst row of {first}"),
            several => format!("worst row of {first} and {} more", several - 1),
        };
        Ok(builder.max_non_negative(&name, items)?)
    }

    /// `factor(level) · κ_g(profit)`, from `factor(level) · profit`.
    fn offset(&self, builder: &mut Builder, name: &str, profit: Linear, gains: Gains) -> Result<Lower, CompileError> {
        let mut pieces = Vec::new();
        if gains.factor < Decimal::ONE {
            pieces.push(builder.lower(&profit)?);
        }
        let name = format!("gain of {name} that offsets");
        if gains.factor.is_zero() {
            return Ok(builder.min_non_positive(&name, pieces)?);
        }
        let part = if gains.factor == Decimal::ONE {
            profit
        } else {
            profit.scale(ratio(gains.factor)?)
        };
        pieces.push(builder.lower(&part)?);
        if let Some(cap) = gains.cap {
            let units = Factor::new(self.numeraire.units()?)
                .times(ratio(cap)?)?
                .times(self.level)?;
            pieces.push(builder.lower(&Linear::constant(units.real()?))?);
        }
        Ok(builder.min(&name, pieces)?)
    }

    /// Adds `factor(level) · N_g` and `factor(level) · O_g` to what the body is at least.
    fn floors(
        &self,
        builder: &mut Builder,
        members: &[Member<'_, 'a>],
        items: &mut Vec<Upper>,
    ) -> Result<(), CompileError> {
        let mut minimum = None;
        let mut provisions = Vec::new();
        for (name, desk) in members {
            provisions.extend(
                desk.delta_provision(self.level)?
                    .map(|(net, gross)| (*name, net, gross)),
            );
            if let Some(form) = desk.short_options(self.level)? {
                *minimum.get_or_insert_with(Linear::zero) += form;
            }
        }
        if members.len() == 1 {
            // The two signs of one magnitude are two rows of the body: no variable of its own.
            for (_, net, gross) in provisions {
                if net != Linear::zero() {
                    items.push(builder.upper(&(gross.clone() - net.clone()))?);
                }
                items.push(builder.upper(&(gross + net))?);
            }
        } else if !provisions.is_empty() {
            let (mut linear, mut parts) = (Linear::zero(), Vec::new());
            for (name, net, gross) in provisions {
                linear += gross;
                parts.push(magnitude(builder, &format!("net delta of {name}"), net, &mut linear)?);
            }
            let linear = builder.upper(&linear)?;
            items.push(parts.into_iter().fold(linear, |sum, part| sum + part));
        }
        if let Some(form) = minimum {
            items.push(builder.upper(&form)?);
        }
        Ok(())
    }
}
