//! From the rule to a program.

use rust_decimal::Decimal;
use rust_decimal::prelude::ToPrimitive;
use zkmargin_program::{Builder, LegId, Linear, Ratio, Real, Upper};

use super::parameters::{Buffer, Measure, Procyclicality};
use super::scenarios::{DayMove, Scenarios};
use super::{Historical, rank};
use crate::model::compile::{CompileError, Forms, Numeraire, VALUE_BITS};
use crate::model::factor::{Factor, ratio};
use crate::model::sheet::{AssetSheet, Sheet};
use crate::model::{Rule, Scope};
use crate::scenario::Shock;
use crate::terms::Level;
use crate::valuation::{Denomination, ValueTable};

/// Losses of one window are less than `2^64` units apart, unless the file says otherwise.
const SPAN_BITS: u32 = 64;
/// Excesses of an expected shortfall are whole multiples of `2^24` units: 0.0017 USD, 1.7e-7 of a coin.
const GRAIN_BITS: u32 = 24;

impl Historical {
    /// `V` and `R` of the accounts in a scope.
    pub(super) fn compile(
        &self,
        builder: &mut Builder,
        scope: &Scope<'_>,
        level: Level,
    ) -> Result<Forms, CompileError> {
        let scenarios = self.scenarios().map_err(|what| CompileError::Missing {
            model: self.name().to_owned(),
            what,
        })?;
        let numeraire = self.numeraire();
        let sheet = Sheet::new(&self.names(), scope, &numeraire)?;
        let (shocked, positions) = valued(self, scope, scenarios, &sheet)?;
        let compiler = Compiler {
            rules: self,
            level,
            scenarios,
            positions,
            shocked,
            moving: moving(self, scenarios, &sheet),
            span_bits: span_bits(self.parameters.span, &numeraire),
        };
        let mut value = Linear::zero();
        for position in &compiler.positions {
            let mark = position.per_lot.enclose(position.mark)?;
            position.add(&mut value, mark)?;
        }
        Ok(Forms {
            value: sheet.value(builder, &self.parameters.assets, value)?,
            requirement: compiler.requirement(builder)?,
        })
    }
}

/// The width of a number of units of the numéraire.
fn span_bits(span: Option<Decimal>, numeraire: &Numeraire) -> u32 {
    let Some(span) = span else { return SPAN_BITS };
    let units_of_one = 10_u128.pow(numeraire.unit_exponent().unsigned_abs());
    let units = span.ceil().to_u128().and_then(|span| span.checked_mul(units_of_one));
    units.map_or(VALUE_BITS, |units| (u128::BITS - units.leading_zeros()).min(VALUE_BITS))
}

struct Compiler<'a> {
    rules: &'a Historical,
    level: Level,
    scenarios: &'a Scenarios,
    /// By their legs, so that a form is made from its first leg to its last.
    positions: Vec<Valued>,
    /// Per scenario, the values of the positions: forms are made scenario by scenario, and read one after the other.
    shocked: Vec<Vec<f64>>,
    moving: Vec<(&'a AssetSheet<'a>, &'a [DayMove])>,
    span_bits: u32,
}

/// An instrument with its value.
struct Valued {
    long: LegId,
    short: LegId,
    per_lot: Factor,
    mark: f64,
}

impl Valued {
    fn add(&self, form: &mut Linear, units: Real) -> Result<(), CompileError> {
        form.add_leg(self.long, units);
        form.add_leg(self.short, units.checked_neg()?);
        Ok(())
    }
}

/// Per scenario the values of every instrument that counts, and these instruments, by their legs.
fn valued(
    rules: &Historical,
    scope: &Scope<'_>,
    scenarios: &Scenarios,
    sheet: &Sheet<'_>,
) -> Result<(Vec<Vec<f64>>, Vec<Valued>), CompileError> {
    let shock = rules.parameters.volatility.shock();
    let mut columns = Vec::new();
    for (name, moves) in &scenarios.moves {
        let Some(market) = scope.snapshot.underlyings.get(name) else {
            continue;
        };
        let counted = sheet
            .on(name)
            .iter()
            .filter(|position| !rules.is_refused(position.instrument));
        let shocks: Vec<Shock> = moves.iter().map(|one| one.shock).collect();
        let instruments = counted.clone().map(|position| position.instrument);
        let now = scope.snapshot.instant;
        let mut table = ValueTable::new(market, now, Denomination::Usd, &shock, &shocks, instruments)?;
        for position in counted {
            // What counts has a price.
            if let Some(values) = table.take(position.instrument.long) {
                let position = Valued {
                    long: position.instrument.long,
                    short: position.instrument.short,
                    per_lot: position.per_lot,
                    mark: values.mark,
                };
                columns.push((position, values.shocked));
            }
        }
    }
    columns.sort_unstable_by_key(|(position, _)| position.long);
    // There is a value per scenario; one that was missing would be refused as no number, and shift no other.
    let of = |scenario| move |(_, values): &(_, Vec<f64>)| values.get(scenario).copied().unwrap_or(f64::NAN);
    let shocked = (0..scenarios.days.len()).map(|scenario| columns.iter().map(of(scenario)).collect());
    Ok((
        shocked.collect(),
        columns.into_iter().map(|(position, _)| position).collect(),
    ))
}

/// The assets whose price moves with an underlying, and its moves.
fn moving<'a>(
    rules: &Historical,
    scenarios: &'a Scenarios,
    sheet: &'a Sheet<'a>,
) -> Vec<(&'a AssetSheet<'a>, &'a [DayMove])> {
    let assets = sheet.assets.iter().filter_map(|(name, asset)| {
        let underlying = rules.parameters.assets.get(*name)?.underlying.as_ref()?;
        Some((asset, scenarios.moves.get(underlying)?.as_slice()))
    });
    assets.collect()
}

impl Compiler<'_> {
    /// `R`.
    fn requirement(&self, builder: &mut Builder) -> Result<Upper, CompileError> {
        let factor = ratio(self.rules.level(self.level).factor)?;
        let (window, other) = (self.scenarios.of_window(), self.scenarios.of_other());
        let words = self.rules.parameters.measure.words();
        let items = match &self.rules.parameters.procyclicality {
            None => vec![self.measure(builder, words, window, factor)?],
            Some(Procyclicality::Buffer(Buffer { part })) => {
                let factor = factor.checked_mul(Ratio::ONE.checked_add(ratio(*part)?)?)?;
                vec![self.measure(builder, words, window, factor)?]
            }
            Some(Procyclicality::Stressed(stressed)) => {
                let rest = factor.checked_mul(ratio(Decimal::ONE - stressed.weight)?)?;
                let weight = factor.checked_mul(ratio(stressed.weight)?)?;
                let own = self.measure(builder, words, window, rest)?;
                vec![own + self.measure(builder, &format!("stressed {words}"), other, weight)?]
            }
            Some(Procyclicality::Floor(_)) => vec![
                self.measure(builder, words, window, factor)?,
                self.measure(builder, &format!("{words} of the long window"), other, factor)?,
            ],
        };
        Ok(builder.max_non_negative("requirement", items)?)
    }

    /// `factor · M` of some scenarios.
    fn measure(
        &self,
        builder: &mut Builder,
        name: &str,
        range: std::ops::Range<usize>,
        factor: Ratio,
    ) -> Result<Upper, CompileError> {
        let measure = self.rules.parameters.measure;
        let rank = rank(measure, self.rules.level(self.level).confidence, range.len());
        let losses = self.losses(builder, range, factor)?;
        Ok(match measure {
            Measure::ValueAtRisk => builder.quantile_within(name, losses, rank, self.span_bits)?,
            Measure::ExpectedShortfall => {
                builder.expected_shortfall_within(name, losses, rank, self.span_bits, GRAIN_BITS)?
            }
        })
    }

    /// `factor · L_d` of some scenarios.
    fn losses(
        &self,
        builder: &mut Builder,
        range: std::ops::Range<usize>,
        factor: Ratio,
    ) -> Result<Vec<Upper>, CompileError> {
        // Factors and marks once, not once per scenario.
        let fixed = |position: &Valued| -> Result<_, CompileError> {
            let per_lot = position.per_lot.times(factor)?;
            Ok((per_lot, per_lot.enclose(position.mark)?))
        };
        let fixed = self.positions.iter().map(fixed).collect::<Result<Vec<_>, _>>()?;
        let mut losses = Vec::with_capacity(range.len());
        let mut profit = Linear::zero();
        for scenario in range {
            profit.clear();
            let shocked = self.shocked.get(scenario).into_iter().flatten();
            for ((position, (per_lot, mark)), shocked) in self.positions.iter().zip(&fixed).zip(shocked) {
                let gain = per_lot.enclose(*shocked)?.checked_sub(*mark)?;
                if gain != Real::ZERO {
                    position.add(&mut profit, gain)?;
                }
            }
            for (asset, moves) in &self.moving {
                let relative = moves.get(scenario).map_or(f64::NAN, |moved| moved.relative);
                self.add_moving(&mut profit, asset, relative, factor)?;
            }
            losses.push(-builder.lower(&profit)?);
        }
        Ok(losses)
    }

    /// Adds `factor · (p_a / p_M) · x · A_a`.
    fn add_moving(
        &self,
        form: &mut Linear,
        asset: &AssetSheet<'_>,
        relative: f64,
        factor: Ratio,
    ) -> Result<(), CompileError> {
        let per_coin = asset.per_coin.times(factor)?;
        for line in &asset.holding.lines {
            let units = per_coin.times(ratio(line.lot)?)?.enclose(relative)?;
            let against = units.checked_neg()?;
            if let Some(carry) = line.carry {
                form.add_leg(carry.first, units);
                form.add_leg(carry.second, against);
            }
            if self.rules.parameters.collateral_in_scenarios {
                form.add_leg(line.balance, units);
                form.add_leg(line.debt, against);
                if let Some(reserve) = line.reserve {
                    form.add_leg(reserve, against);
                }
            }
        }
        Ok(())
    }
}
