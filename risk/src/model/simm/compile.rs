//! From the rule to a program.
//!
//! Every concentration factor is proven to be 1: each group's sum is within its threshold. What is left is a norm of norms, over-stated
//! where the rule is not convex: the clip of `S_b` ([`aggregate`](super::aggregate)), the `λ` of curvature, which is taken for that of
//! `θ = 0`, or the whole margin for `2 · curvature_tail · Σ max(CVR, 0)`, whichever is less.

use std::collections::BTreeMap;

use num_bigint::BigInt;
use num_rational::BigRational;
use num_traits::{One, ToPrimitive};
use rust_decimal::Decimal;
use zkmargin_program::{
    Builder, LegId, Linear, MAX_NAME_BYTES, NonNegative, NumberError, RESOLUTION_BITS, Ratio, Real, Upper,
};

use crate::amount::to_ratio;
use crate::model::compile::{CompileError, Forms};
use crate::model::correlation::{Matrix, covering};
use crate::model::coverage::Coverage;
use crate::model::factor::ratio;
use crate::model::sheet::Sheet;
use crate::model::simm::Simm;
use crate::model::simm::aggregate::{Bucket, across};
use crate::model::simm::parameters::Parameters;
use crate::model::simm::tables::{Measure, Placed, RiskClass, RiskFactor};
use crate::model::{Rule, Scope};
use crate::universe::{Instrument, Kind};

/// Most risk factors of one margin: their correlations are a matrix, whose factor takes time that grows with the cube.
const MAX_RISK_FACTORS: usize = 1 << 10;
/// Decimals of `λ` and of the factor of `ψ`.
const PSI_UNITS: i64 = 1_000_000_000;

/// What an instrument adds to a risk factor: units of the numéraire per lot held long, before the risk weight.
struct Line {
    long: LegId,
    short: LegId,
    units: BigRational,
}

/// What there is to hold of a product class.
#[derive(Default)]
struct Desk {
    measured: BTreeMap<RiskFactor, Vec<Line>>,
    curvature: BTreeMap<RiskFactor, Vec<Line>>,
}

pub(super) fn forms(model: &Simm, builder: &mut Builder, scope: &Scope<'_>) -> Result<Forms, CompileError> {
    let parameters = model.parameters();
    let names = model.names();
    let sheet = Sheet::new(&names, scope, &model.numeraire())?;
    let value = sheet.value(builder, &parameters.assets, Linear::zero())?;

    let mut linear = Linear::constant(sheet.usd(parameters.fixed)?);
    let unit = units_per_usd(model, scope)?;
    let coverage = Coverage::of(&names, scope);
    let mut desks: BTreeMap<&str, Desk> = BTreeMap::new();
    for instrument in coverage.instruments.values().flatten() {
        place(parameters, &unit, instrument, &mut desks, &mut linear)?;
    }
    let mut requirement = builder.upper(&linear)?;
    for (product, desk) in &desks {
        let mut compiler = Compiler {
            parameters,
            builder,
            product,
            unit: &unit,
        };
        if let Some(margin) = compiler.product(desk)? {
            requirement = requirement + margin;
        }
    }
    Ok(Forms { value, requirement })
}

fn units_per_usd(model: &Simm, scope: &Scope<'_>) -> Result<BigRational, CompileError> {
    let numeraire = model.numeraire();
    let price = numeraire.price(scope.snapshot)?;
    let units = BigRational::from_integer(BigInt::from(10).pow(numeraire.unit_exponent().unsigned_abs()));
    Ok(units / to_ratio(price))
}

fn place<'a>(
    parameters: &Parameters,
    unit: &BigRational,
    instrument: &&'a Instrument,
    desks: &mut BTreeMap<&'a str, Desk>,
    linear: &mut Linear,
) -> Result<(), CompileError> {
    let Kind::Sensitivity(sensitivity) = &instrument.kind else {
        return Ok(());
    };
    let units = to_ratio(instrument.lot) * to_ratio(instrument.contract) * unit;
    let (long, short) = (instrument.long, instrument.short);
    let line = |units| Line { long, short, units };
    let factor = match parameters.place(&instrument.underlying, sensitivity) {
        Some(Placed::Factor(factor)) => factor,
        Some(Placed::Notional(part)) => {
            let charge = enclose(&(units * to_ratio(part)))?;
            linear.add_leg(long, charge);
            linear.add_leg(short, charge);
            return Ok(());
        }
        Some(Placed::Nothing) | None => return Ok(()),
    };
    let desk = desks.entry(instrument.underlying.as_str()).or_default();
    let mut measured = units.clone();
    if factor.measure == Measure::Vega {
        let Some((vega, curvature)) = parameters.vega_scales(&factor, &sensitivity.label1) else {
            return Ok(());
        };
        measured *= vega;
        if let Some(scale) = curvature {
            let mut scaled = units * scale;
            if factor.class == RiskClass::InterestRate {
                let ratio = to_ratio(parameters.interest_rate.historical_volatility_ratio);
                scaled /= &ratio * &ratio;
            }
            desk.curvature.entry(factor.clone()).or_default().push(line(scaled));
        }
    }
    desk.measured.entry(factor).or_default().push(line(measured));
    Ok(())
}

/// As much of a name as a program takes.
fn shortened(name: &str) -> String {
    let fits = |end: &usize| *end <= MAX_NAME_BYTES;
    let ends = name.char_indices().map(|(start, letter)| start + letter.len_utf8());
    let end = ends.take_while(fits).last().unwrap_or(0);
    name.get(..end).unwrap_or_default().to_owned()
}

/// A rational number of units, enclosed.
fn enclose(units: &BigRational) -> Result<Real, NumberError> {
    let scale = BigRational::from_integer(BigInt::one() << RESOLUTION_BITS);
    let scaled = units * scale;
    let floor = scaled.floor().to_integer().to_i128().ok_or(NumberError::Overflow)?;
    let point = Real::from_ratio(Ratio::new(floor, 1 << RESOLUTION_BITS)?)?;
    if scaled.is_integer() {
        return Ok(point);
    }
    // Between nothing and a whole of the resolution.
    point.checked_add(Real::from_ratio(Ratio::new(1, 1 << (RESOLUTION_BITS + 1))?)?)
}

/// `Σ factor · units (L - S)`.
fn net(lines: &[Line], factor: &BigRational) -> Result<Linear, CompileError> {
    let mut form = Linear::zero();
    for line in lines {
        let units = enclose(&(&line.units * factor))?;
        form.add_leg(line.long, units);
        form.add_leg(line.short, units.checked_neg()?);
    }
    Ok(form)
}

struct Compiler<'a, 'b> {
    parameters: &'a Parameters,
    builder: &'b mut Builder,
    product: &'a str,
    unit: &'a BigRational,
}

impl Compiler<'_, '_> {
    /// `multiplier_p IM_p`.
    fn product(&mut self, desk: &Desk) -> Result<Option<Upper>, CompileError> {
        let mut margins = Vec::new();
        for class in RiskClass::ALL {
            if let Some(margin) = self.class(class, desk)? {
                margins.push((class, margin));
            }
        }
        if margins.is_empty() {
            return Ok(None);
        }
        let margin = self.combined(margins)?;
        Ok(Some(match self.parameters.multipliers.get(self.product) {
            Some(multiplier) => {
                let factor = NonNegative::new(ratio(*multiplier)?)?;
                self.builder
                    .rescale(&format!("{} multiplier", self.product), margin, factor)?
            }
            None => margin,
        }))
    }

    /// `√( Σ ψ IM_r IM_s )`, which grows with each.
    fn combined(&mut self, mut margins: Vec<(RiskClass, Upper)>) -> Result<Upper, CompileError> {
        if margins.len() == 1
            && let Some((_, only)) = margins.pop()
        {
            return Ok(only);
        }
        let row = |index: usize| margins.get(index).map_or(0, |(class, _)| *class as usize);
        let psi = &self.parameters.risk_class_correlations;
        let columns = covering(|i, j| psi.get(row(i), row(j)), margins.len());
        let columns = columns.ok_or_else(|| CompileError::Missing {
            model: self.parameters.name.clone(),
            what: "risk class correlations that can be factored".to_owned(),
        })?;
        let name = format!("{} margin", self.product);
        let mut items = Vec::with_capacity(columns.len());
        for column in &columns {
            let mut sum = self.builder.upper(&Linear::zero())?;
            for (index, (_, margin)) in margins.iter().enumerate() {
                let coefficient = ratio(column.at(index) * Decimal::from(PSI_UNITS))?;
                if coefficient != Ratio::ZERO {
                    let whole = NonNegative::new(coefficient)?;
                    sum = sum + self.builder.scale(margin.clone(), whole)?;
                }
            }
            let down = Ratio::new(1, PSI_UNITS.unsigned_abs().into())?;
            let down = NonNegative::new(down)?;
            items.push(self.builder.rescale(&name, sum, down)?);
        }
        Ok(self.builder.norm(&name, items)?)
    }

    /// `IM_r`.
    fn class(&mut self, class: RiskClass, desk: &Desk) -> Result<Option<Upper>, CompileError> {
        let mut parts = Vec::new();
        for measure in [Measure::Delta, Measure::Vega, Measure::BaseCorrelation] {
            let of: Vec<_> = desk
                .measured
                .iter()
                .filter(|(factor, _)| factor.class == class && factor.measure == measure)
                .collect();
            if !of.is_empty() {
                self.concentrations(&of)?;
                let weigh = |factor: &RiskFactor| to_ratio(self.parameters.weight(factor));
                parts.extend(self.measure(measure_word(measure), &of, &weigh, 1)?);
            }
        }
        let of: Vec<_> = desk
            .curvature
            .iter()
            .filter(|(factor, _)| factor.class == class)
            .collect();
        for is_residual in [false, true] {
            let part = of.iter().copied();
            let part = part.filter(|(factor, _)| self.parameters.is_residual(class, &factor.bucket) == is_residual);
            let part: Vec<_> = part.collect();
            if !part.is_empty() {
                parts.push(self.curvature(&part)?);
            }
        }
        Ok(parts.into_iter().reduce(|sum, part| sum + part))
    }

    /// That the sum of each concentration group is within its threshold.
    fn concentrations(&mut self, of: &[(&RiskFactor, &Vec<Line>)]) -> Result<(), CompileError> {
        let mut groups: BTreeMap<(&str, &str), (Decimal, Vec<&Line>)> = BTreeMap::new();
        for (factor, lines) in of {
            let group = self
                .parameters
                .concentration(factor)
                .zip(self.parameters.threshold(factor));
            if let Some((group, threshold)) = group.filter(|_| factor.measure != Measure::BaseCorrelation) {
                let entry = groups.entry((&factor.bucket, group)).or_insert((threshold, Vec::new()));
                entry.1.extend(lines.iter());
            }
        }
        for ((bucket, group), (threshold, lines)) in groups {
            let words = ["concentration of", self.product, bucket, group];
            let words: Vec<&str> = words.into_iter().filter(|word| !word.is_empty()).collect();
            let name = shortened(&words.join(" "));
            let room = Linear::constant(enclose(&(to_ratio(threshold) * self.unit))?);
            let mut sides = vec![room.clone(), room];
            for line in &lines {
                let units = enclose(&line.units)?;
                for (index, side) in sides.iter_mut().enumerate() {
                    let (long, short) = if lines.len() == 1 {
                        // One line: both legs of it, which is the sum where it is netted, and a single row.
                        (units.checked_neg()?, units.checked_neg()?)
                    } else if index == 0 {
                        (units.checked_neg()?, units)
                    } else {
                        (units, units.checked_neg()?)
                    };
                    side.add_leg(line.long, long);
                    side.add_leg(line.short, short);
                }
            }
            sides.truncate(if lines.len() == 1 { 1 } else { 2 });
            for side in sides {
                let room = self.builder.lower(&side)?;
                self.builder.require_non_negative(&name, room)?;
            }
        }
        Ok(())
    }

    /// At least the margin of a measure, its residual bucket included.
    fn measure(
        &mut self,
        word: &str,
        of: &[(&RiskFactor, &Vec<Line>)],
        weigh: &dyn Fn(&RiskFactor) -> BigRational,
        power: u32,
    ) -> Result<Option<Upper>, CompileError> {
        let parameters = self.parameters;
        // Before memory is taken for the matrix.
        if of.len() > MAX_RISK_FACTORS {
            return Err(CompileError::TooMany {
                what: format!("risk factors in the {} {word} margin", self.product),
                found: of.len(),
                bound: MAX_RISK_FACTORS,
            });
        }
        let mut buckets: BTreeMap<&str, Vec<(&RiskFactor, &Vec<Line>)>> = BTreeMap::new();
        for (factor, lines) in of {
            buckets.entry(&factor.bucket).or_default().push((factor, lines));
        }
        let mut sides = [(Vec::new(), Vec::new()), (Vec::new(), Vec::new())];
        for (name, factors) in &buckets {
            let Some((first, _)) = factors.first() else { continue };
            let mut inner = Matrix::new(factors.len());
            inner.fill(|i, j| match (factors.get(i), factors.get(j)) {
                _ if i == j => Decimal::ONE,
                (Some((one, _)), Some((other, _))) => raised(parameters.inner(one, other), power),
                _ => Decimal::ONE,
            });
            let mut forms = Vec::with_capacity(factors.len());
            for (factor, lines) in factors {
                forms.push(net(lines, &weigh(factor))?);
            }
            let [regular, residual] = &mut sides;
            let is_residual = parameters.is_residual(first.class, name);
            let (names, list) = if is_residual { residual } else { regular };
            names.push(*name);
            list.push(Bucket { factors: forms, inner });
        }
        let Some((first, _)) = of.first() else { return Ok(None) };
        let mut margin = None;
        for (names, list) in sides {
            let name = format!("{} {} {word}", self.product, first.class.word());
            let outer = |b: usize, c: usize| match (names.get(b), names.get(c)) {
                (Some(one), Some(other)) => raised(parameters.outer(first.class, first.measure, one, other), power),
                _ => Decimal::ONE,
            };
            if let Some(part) = across(self.builder, &name, &list, &outer)? {
                margin = Some(match margin {
                    Some(sum) => sum + part,
                    None => part,
                });
            }
        }
        Ok(margin)
    }

    /// At least the curvature margin of the residual bucket, or of all others.
    fn curvature(&mut self, of: &[(&RiskFactor, &Vec<Line>)]) -> Result<Upper, CompileError> {
        let word = "curvature";
        let name = format!("{} {word}", self.product);
        let mut sum = Linear::zero();
        let mut gains = Linear::zero();
        let tail = to_ratio(self.parameters.curvature_tail);
        let twice = &tail * BigRational::from_integer(BigInt::from(2));
        for (_, lines) in of {
            sum += net(lines, &BigRational::one())?;
            for line in *lines {
                gains.add_leg(line.long, enclose(&(&line.units * &twice))?);
            }
        }
        let sum = self.builder.upper(&sum)?;
        let gains = self.builder.upper(&gains)?;
        let Some(norm) = self.measure(word, of, &|_| BigRational::one(), 2)? else {
            return Ok(gains);
        };
        let up = (tail * BigRational::from_integer(BigInt::from(PSI_UNITS)))
            .ceil()
            .to_integer();
        let lambda = Ratio::new(
            up.to_i128().ok_or(NumberError::Overflow)?,
            PSI_UNITS.unsigned_abs().into(),
        )?;
        let lambda = NonNegative::new(lambda)?;
        let norm = self.builder.rescale(&name, norm, lambda)?;
        let first = self.builder.positive_part(&name, sum + norm)?;
        Ok(self.builder.any_of_upper(&name, first, gains)?)
    }
}

const fn measure_word(measure: Measure) -> &'static str {
    match measure {
        Measure::Delta => "delta",
        Measure::Vega => "vega",
        Measure::BaseCorrelation => "base correlation",
    }
}

fn raised(correlation: Decimal, power: u32) -> Decimal {
    if power == 2 {
        correlation * correlation
    } else {
        correlation
    }
}
