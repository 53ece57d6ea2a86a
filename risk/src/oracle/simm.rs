//! The rule of [`crate::model::simm::parameters`], step by step in its own symbols.
//!
//! Roots and the quotient `f` are irrational or long: they are taken to 30 decimals, downwards. So a requirement is within `1e-20`
//! of itself for any book that fits a program.

use std::collections::BTreeMap;

use num_bigint::BigInt;
use num_rational::BigRational;
use num_traits::{One, Signed, Zero};
use rust_decimal::Decimal;

use crate::amount::to_ratio;
use crate::model::Simm;
use crate::model::simm::parameters::Parameters;
use crate::model::simm::tables::{Measure, Placed, RiskClass, RiskFactor};
use crate::oracle::book::Book;
use crate::oracle::exact::root;
use crate::oracle::{Component, Evaluation, OracleError, Picture, larger, positive_part, smaller};
use crate::universe::Kind;

/// Amounts by risk factor.
type Exposures = BTreeMap<RiskFactor, BigRational>;

/// What a product class has.
#[derive(Default)]
struct Desk {
    /// `x`.
    measured: Exposures,
    /// `CVR`.
    curvature: Exposures,
}

/// What a SIMM model makes of a book; see [`evaluate`](crate::oracle::evaluate).
///
/// # Errors
/// [`OracleError`].
pub(super) fn evaluate(book: Book<'_>, rules: &Simm) -> Result<Evaluation, OracleError> {
    let parameters = rules.parameters();
    let collateral = book.collateral(&parameters.assets);
    let (desks, notional) = desks(&book, parameters)?;
    let in_numeraire = |usd: BigRational| usd / &book.numeraire_price;

    let mut components = Vec::new();
    let mut factors = Vec::new();
    for (product, desk) in &desks {
        let mut parts = Vec::new();
        for class in RiskClass::ALL {
            let margins = class_margins(parameters, class, desk);
            let total = margins
                .iter()
                .fold(BigRational::zero(), |sum, (_, margin)| sum + margin);
            if !total.is_zero() {
                let mut part = Component::of_both("risk class", class.word(), in_numeraire(total.clone()));
                let of_measure =
                    |(term, margin): (&str, BigRational)| Component::of_both(term, "", in_numeraire(margin));
                part.parts = margins.into_iter().map(of_measure).collect();
                parts.push((class, total, part));
            }
        }
        let margin = product_margin(parameters, &parts);
        if let Some(multiplier) = parameters.multipliers.get(*product) {
            let add_on = (to_ratio(*multiplier) - BigRational::one()) * &margin;
            components.push(Component::of_both("multiplier add-on", *product, in_numeraire(add_on)));
        }
        let mut component = Component::of_both("product margin", *product, in_numeraire(margin));
        component.parts = parts.into_iter().map(|(_, _, part)| part).collect();
        components.push(component);
        factors.extend(weighted_factors(parameters, desk).map(|(label, amount)| {
            let label = format!("{product} {label}");
            (label, in_numeraire(amount))
        }));
    }
    let add_ons = [
        ("notional add-on", notional),
        ("fixed add-on", to_ratio(parameters.fixed)),
    ];
    for (term, usd) in add_ons {
        components.push(Component::of_both(term, "", in_numeraire(usd)));
    }
    components.retain(|component| !component.initial.is_zero());
    let marks = [BigRational::zero(), BigRational::zero()];
    let picture = Picture::WeightedSensitivities(factors);
    Ok(Evaluation::of(
        &parameters.numeraire,
        marks,
        collateral,
        components,
        picture,
    ))
}

/// What is held, by product class and risk factor, and the add-on of notionals in USD.
fn desks<'a>(book: &Book<'a>, parameters: &Parameters) -> Result<(BTreeMap<&'a str, Desk>, BigRational), OracleError> {
    let mut desks: BTreeMap<&'a str, Desk> = BTreeMap::new();
    let mut notional = BigRational::zero();
    for held in book.held()? {
        let Kind::Sensitivity(sensitivity) = &held.instrument.kind else {
            continue;
        };
        let per_lot = to_ratio(held.instrument.lot) * to_ratio(held.instrument.contract);
        let amount = &per_lot * BigRational::from_integer(held.net());
        let factor = match parameters.place(&held.instrument.underlying, sensitivity) {
            Some(Placed::Factor(factor)) => factor,
            Some(Placed::Notional(part)) => {
                notional += to_ratio(part) * per_lot * BigRational::from_integer(held.gross());
                continue;
            }
            Some(Placed::Nothing) | None => continue,
        };
        let desk = desks.entry(held.instrument.underlying.as_str()).or_default();
        let mut measured = amount.clone();
        if factor.measure == Measure::Vega {
            let Some((vega, curvature)) = parameters.vega_scales(&factor, &sensitivity.label1) else {
                continue;
            };
            measured *= vega;
            if let Some(scale) = curvature {
                *desk.curvature.entry(factor.clone()).or_default() += amount * scale;
            }
        }
        *desk.measured.entry(factor).or_default() += measured;
    }
    Ok((desks, notional))
}

/// Delta, vega, curvature and base correlation of a risk class, those that are not 0.
fn class_margins(parameters: &Parameters, class: RiskClass, desk: &Desk) -> Vec<(&'static str, BigRational)> {
    let of = |exposures: &Exposures, measure| -> Exposures {
        let is_of = |(factor, _): &(&RiskFactor, &BigRational)| factor.class == class && factor.measure == measure;
        let found = exposures.iter().filter(is_of);
        found.map(|(factor, amount)| (factor.clone(), amount.clone())).collect()
    };
    let margins = [
        (
            "delta",
            sensitivity_margin(parameters, &of(&desk.measured, Measure::Delta)),
        ),
        (
            "vega",
            sensitivity_margin(parameters, &of(&desk.measured, Measure::Vega)),
        ),
        (
            "curvature",
            curvature_margin(parameters, class, &of(&desk.curvature, Measure::Vega)),
        ),
        (
            "base correlation",
            base_correlation(parameters, &of(&desk.measured, Measure::BaseCorrelation)),
        ),
    ];
    margins.into_iter().filter(|(_, margin)| !margin.is_zero()).collect()
}

/// A bucket's weighted factors with their `CR`, and what it adds up to.
struct Bucket<'a> {
    name: &'a str,
    factors: Vec<(&'a RiskFactor, BigRational, BigRational)>,
    /// Of the bucket, where it has one; else 1.
    concentration: BigRational,
}

impl Bucket<'_> {
    fn sum(&self) -> BigRational {
        self.factors
            .iter()
            .fold(BigRational::zero(), |sum, (_, ws, _)| sum + ws)
    }

    /// `K_b`.
    fn margin(&self, parameters: &Parameters, power: u32) -> BigRational {
        let mut square = BigRational::zero();
        for (index, (factor, ws, cr)) in self.factors.iter().enumerate() {
            square += ws * ws;
            for (other, other_ws, other_cr) in self.factors.iter().take(index) {
                let rho = raised(parameters.inner(factor, other), power);
                square += rho * alike(cr, other_cr) * ws * other_ws * two();
            }
        }
        root(&square)
    }
}

/// The buckets of a measure's exposures, residual ones apart: `CR`, `WS`.
fn buckets<'a>(parameters: &Parameters, exposures: &'a Exposures, is_curvature: bool) -> [Vec<Bucket<'a>>; 2] {
    let mut groups: BTreeMap<(&str, &str), BigRational> = BTreeMap::new();
    for (factor, amount) in exposures {
        if let Some(group) = parameters.concentration(factor) {
            *groups.entry((&factor.bucket, group)).or_default() += amount;
        }
    }
    let concentration = |factor: &RiskFactor| {
        let group = match factor.class {
            // What a cross-currency basis has in f and g.
            RiskClass::InterestRate => "",
            _ => parameters.concentration(factor).unwrap_or_default(),
        };
        let sum = groups.get(&(factor.bucket.as_str(), group));
        match sum.zip(parameters.threshold(factor)) {
            Some((sum, threshold)) if !is_curvature => {
                larger(BigRational::one(), root(&(sum.abs() / to_ratio(threshold))))
            }
            _ => BigRational::one(),
        }
    };
    let mut found: BTreeMap<&str, Bucket<'a>> = BTreeMap::new();
    for (factor, amount) in exposures {
        let cr = concentration(factor);
        let weight = if is_curvature {
            Decimal::ONE
        } else {
            parameters.weight(factor)
        };
        let mut ws = to_ratio(weight) * amount;
        if parameters.concentration(factor).is_some() {
            ws *= &cr;
        }
        let has_one = matches!(factor.class, RiskClass::InterestRate | RiskClass::Fx);
        let bucket = found.entry(&factor.bucket).or_insert_with(|| Bucket {
            name: &factor.bucket,
            factors: Vec::new(),
            concentration: if has_one { cr.clone() } else { BigRational::one() },
        });
        bucket.factors.push((factor, ws, cr));
    }
    let is_residual = |bucket: &Bucket<'_>| {
        let first = bucket.factors.first();
        first.is_some_and(|(factor, ..)| parameters.is_residual(factor.class, bucket.name))
    };
    let (residual, regular) = found.into_values().partition(is_residual);
    [regular, residual]
}

/// `√( Σ K_b² + Σ γ g S_b S_c )`, with correlations to a power.
fn across(parameters: &Parameters, buckets: &[Bucket<'_>], power: u32) -> BigRational {
    let sides: Vec<(BigRational, BigRational)> = buckets
        .iter()
        .map(|bucket| {
            let k = bucket.margin(parameters, power);
            let s = larger(smaller(bucket.sum(), k.clone()), -k.clone());
            (k, s)
        })
        .collect();
    let mut square = BigRational::zero();
    for (index, (bucket, (k, s))) in buckets.iter().zip(&sides).enumerate() {
        square += k * k;
        for (other, (_, other_s)) in buckets.iter().zip(&sides).take(index) {
            let Some((factor, ..)) = bucket.factors.first() else {
                continue;
            };
            let gamma = parameters.outer(factor.class, factor.measure, bucket.name, other.name);
            let g = alike(&bucket.concentration, &other.concentration);
            square += raised(gamma, power) * g * s * other_s * two();
        }
    }
    root(&square)
}

fn sensitivity_margin(parameters: &Parameters, exposures: &Exposures) -> BigRational {
    let parts = buckets(parameters, exposures, false);
    parts
        .iter()
        .fold(BigRational::zero(), |sum, part| sum + across(parameters, part, 1))
}

fn curvature_margin(parameters: &Parameters, class: RiskClass, exposures: &Exposures) -> BigRational {
    let mut margin = BigRational::zero();
    for part in buckets(parameters, exposures, true) {
        let all = part.iter().flat_map(|bucket| &bucket.factors);
        let (sum, gross) = all.fold(
            (BigRational::zero(), BigRational::zero()),
            |(sum, gross), (_, cvr, _)| (sum + cvr, gross + cvr.abs()),
        );
        let theta = if gross.is_zero() {
            BigRational::zero()
        } else {
            smaller(BigRational::zero(), &sum / gross)
        };
        let lambda = to_ratio(parameters.curvature_tail) * (BigRational::one() + &theta) - theta;
        margin += positive_part(sum + lambda * across(parameters, &part, 2));
    }
    if class == RiskClass::InterestRate {
        let ratio = to_ratio(parameters.interest_rate.historical_volatility_ratio);
        margin /= &ratio * &ratio;
    }
    margin
}

fn base_correlation(parameters: &Parameters, exposures: &Exposures) -> BigRational {
    let weighted = |(factor, amount): (&RiskFactor, &BigRational)| to_ratio(parameters.weight(factor)) * amount;
    let weighted: Vec<BigRational> = exposures.iter().map(weighted).collect();
    let squares = weighted.iter().fold(BigRational::zero(), |sum, ws| sum + ws * ws);
    let sum = weighted.iter().fold(BigRational::zero(), |sum, ws| sum + ws);
    let rho = to_ratio(parameters.base_correlation.correlation);
    root(&(&squares + rho * (&sum * &sum - &squares)))
}

/// `IM_p`.
fn product_margin(parameters: &Parameters, parts: &[(RiskClass, BigRational, Component)]) -> BigRational {
    let mut square = BigRational::zero();
    for (class, margin, _) in parts {
        for (other, other_margin, _) in parts {
            let psi = parameters.risk_class_correlations.get(*class as usize, *other as usize);
            square += to_ratio(psi) * margin * other_margin;
        }
    }
    root(&square)
}

/// `WS` of each factor, for the eye.
fn weighted_factors<'a>(
    parameters: &'a Parameters,
    desk: &'a Desk,
) -> impl Iterator<Item = (String, BigRational)> + 'a {
    let base = desk
        .measured
        .iter()
        .filter(|(factor, _)| factor.measure == Measure::BaseCorrelation);
    let base = base.map(|(factor, amount)| (factor.to_string(), to_ratio(parameters.weight(factor)) * amount));
    let measures = [Measure::Delta, Measure::Vega].into_iter().flat_map(move |measure| {
        let is_of = |(factor, _): &(&RiskFactor, &BigRational)| factor.measure == measure;
        let mut found = Vec::new();
        for class in RiskClass::ALL {
            let of_class: Exposures = desk
                .measured
                .iter()
                .filter(is_of)
                .filter(|(factor, _)| factor.class == class)
                .map(|(factor, amount)| (factor.clone(), amount.clone()))
                .collect();
            let all = buckets(parameters, &of_class, false);
            let factors = all.iter().flatten().flat_map(|bucket| &bucket.factors);
            found.extend(factors.map(|(factor, ws, _)| (factor.to_string(), ws.clone())));
        }
        found
    });
    measures.chain(base).filter(|(_, amount)| !amount.is_zero())
}

/// `min / max` of two concentration factors, which are at least 1.
fn alike(one: &BigRational, other: &BigRational) -> BigRational {
    let one_is_less = one < other;
    let (less, more) = if one_is_less { (one, other) } else { (other, one) };
    let scale = BigInt::from(10).pow(30);
    BigRational::new(
        (less / more * BigRational::from_integer(scale.clone()))
            .floor()
            .to_integer(),
        scale,
    )
}

fn raised(correlation: Decimal, power: u32) -> BigRational {
    let correlation = to_ratio(correlation);
    if power == 2 {
        &correlation * &correlation
    } else {
        correlation
    }
}

fn two() -> BigRational {
    BigRational::from_integer(BigInt::from(2))
}
