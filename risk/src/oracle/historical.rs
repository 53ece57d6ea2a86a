//! The rule of [`crate::model::historical::parameters`], step by step in its own symbols.

use std::cmp::Reverse;
use std::ops::Range;

use num_bigint::BigInt;
use num_integer::Integer;
use num_rational::BigRational;
use num_traits::{One, ToPrimitive, Zero};
use rust_decimal::Decimal;

use crate::amount::to_ratio;
use crate::model::historical::Historical;
use crate::model::historical::parameters::{LevelParameters, Measure, Procyclicality};
use crate::model::historical::scenarios::Scenarios;
use crate::oracle::book::{Book, Held};
use crate::oracle::coverage::{NotCounted, Uncounted};
use crate::oracle::exact::ExactSum;
use crate::oracle::{Collateral, Component, Evaluation, OracleError, Picture, larger, positive_part};
use crate::scenario::Shock;
use crate::terms::Level;
use crate::universe::Kind;
use crate::valuation::{Denomination, ValueTable, Values};

/// Most of the largest losses that a component shows.
const SHOWN: usize = 10;

/// What a historical simulation makes of a book; see [`evaluate`](crate::oracle::evaluate).
///
/// # Errors
/// [`OracleError`]; [`OracleError::Missing`] without a history.
pub(super) fn evaluate(book: &Book<'_>, rules: &Historical) -> Result<Evaluation, OracleError> {
    let parameters = rules.parameters();
    let scenarios = rules.scenarios().map_err(|what| OracleError::Missing {
        model: parameters.name.clone(),
        what,
    })?;
    let held = book.held()?;
    refuse_options(book, scenarios, &held)?;
    let collateral = book.collateral(&parameters.assets);
    let values = values(book, rules, scenarios, &held)?;

    let (mut options, mut futures) = (BigRational::zero(), BigRational::zero());
    for (held, values) in held.iter().zip(&values) {
        let worth = held.worth(values.mark, &held.net())?;
        match held.instrument.kind {
            Kind::Option { .. } => options += worth,
            Kind::Future { .. } | Kind::Perpetual | Kind::Sensitivity(_) => futures += worth,
        }
    }
    let losses = Losses {
        rules,
        scenarios,
        all: losses(book, rules, scenarios, &held, &values, &collateral)?,
    };
    let components = losses.components();
    Ok(Evaluation::of(
        &parameters.numeraire,
        [options, futures],
        collateral,
        components,
        losses.picture(),
    ))
}

/// Refuses a book with an option of which volatility is not known every day.
fn refuse_options(book: &Book<'_>, scenarios: &Scenarios, held: &[Held<'_>]) -> Result<(), OracleError> {
    let mut refused = Vec::new();
    for held in held {
        let instrument = held.instrument;
        let is_option = matches!(instrument.kind, Kind::Option { .. });
        if is_option && scenarios.without_options.contains(&instrument.underlying) {
            let listed = book
                .coverage
                .universe
                .instruments()
                .find(|(_, listed)| listed.long == instrument.long);
            refused.push(NotCounted {
                venue: listed.map(|(venue, _)| venue.name.clone()).unwrap_or_default(),
                line: instrument.name.clone(),
                reason: Uncounted::NoVolatilityIndex(instrument.underlying.clone()),
            });
        }
    }
    if refused.is_empty() {
        Ok(())
    } else {
        Err(OracleError::NotCounted(refused))
    }
}

/// `m_i` and `v_i(d)` of what is held.
fn values(
    book: &Book<'_>,
    rules: &Historical,
    scenarios: &Scenarios,
    held: &[Held<'_>],
) -> Result<Vec<Values>, OracleError> {
    let snapshot = book.coverage.snapshot;
    let shock = rules.parameters().volatility.shock();
    let mut tables = Vec::new();
    for (name, moves) in &scenarios.moves {
        let Some(market) = snapshot.underlyings.get(name) else {
            continue;
        };
        let shocks: Vec<Shock> = moves.iter().map(|one| one.shock).collect();
        let on = held
            .iter()
            .map(|held| held.instrument)
            .filter(|instrument| instrument.underlying == *name);
        let table = ValueTable::new(market, snapshot.instant, Denomination::Usd, &shock, &shocks, on);
        tables.push(table.map_err(|source| OracleError::Pricing {
            underlying: name.clone(),
            source,
        })?);
    }
    held.iter()
        .map(|held| {
            let found = tables.iter().find_map(|table| table.get(held.instrument.long).cloned());
            found.ok_or_else(|| no_value(held))
        })
        .collect()
}

fn no_value(held: &Held<'_>) -> OracleError {
    OracleError::NoValue {
        instrument: held.instrument.name.clone(),
    }
}

/// `L_d`, by number of the scenario.
fn losses(
    book: &Book<'_>,
    rules: &Historical,
    scenarios: &Scenarios,
    held: &[Held<'_>],
    values: &[Values],
    collateral: &[Collateral],
) -> Result<Vec<BigRational>, OracleError> {
    // What a profit of one per contract, or a move of one, brings; whole numbers over one denominator.
    let of_contracts: Vec<BigRational> = held
        .iter()
        .map(|held| &held.per_lot * BigRational::from_integer(held.net()))
        .collect();
    let mut moving = Vec::new();
    for line in collateral.iter().filter(|line| line.uncounted.is_none()) {
        let asset = rules.parameters().assets.get(&line.asset);
        let moves = asset
            .and_then(|asset| asset.underlying.as_ref())
            .and_then(|name| scenarios.moves.get(name));
        if let (Some(moves), Some(price)) = (moves, &line.price) {
            let whole = &line.carry + &line.balance - &line.debt - &line.reserve;
            let amount = if rules.parameters().collateral_in_scenarios {
                whole
            } else {
                line.carry.clone()
            };
            moving.push((moves, price / &book.numeraire_price * amount));
        }
    }
    let parts = of_contracts.iter().chain(moving.iter().map(|(_, part)| part));
    let denominator = parts.fold(BigInt::one(), |common, part| common.lcm(part.denom()));
    let whole = |part: &BigRational| part.numer() * (&denominator / part.denom());
    let of_contracts: Vec<BigInt> = of_contracts.iter().map(whole).collect();
    let moving: Vec<_> = moving.iter().map(|(moves, part)| (*moves, whole(part))).collect();

    let mut losses = Vec::with_capacity(scenarios.days.len());
    for scenario in 0..scenarios.days.len() {
        let mut profit = ExactSum::default();
        for ((held, values), times) in held.iter().zip(values).zip(&of_contracts) {
            let shocked = values.shocked.get(scenario).copied().ok_or_else(|| no_value(held))?;
            profit.add(shocked, times).ok_or_else(|| no_value(held))?;
            profit.add(-values.mark, times).ok_or_else(|| no_value(held))?;
        }
        for (moves, times) in &moving {
            let relative = moves.get(scenario).map_or(f64::NAN, |moved| moved.relative);
            profit.add(relative, times).ok_or_else(|| OracleError::NoValue {
                instrument: "collateral".to_owned(),
            })?;
        }
        losses.push(-profit.value() / BigRational::from_integer(denominator.clone()));
    }
    Ok(losses)
}

struct Losses<'a> {
    rules: &'a Historical,
    scenarios: &'a Scenarios,
    all: Vec<BigRational>,
}

/// Two levels at once: initial, maintenance.
type ByLevel = [BigRational; 2];

impl Losses<'_> {
    /// The scenarios of a range, from the largest loss to the smallest.
    fn sorted(&self, range: Range<usize>) -> Vec<(&BigRational, usize)> {
        let losses = self.all.iter().zip(0..).skip(range.start).take(range.len());
        let mut sorted: Vec<(&BigRational, usize)> = losses.collect();
        sorted.sort_by_key(|(loss, _)| Reverse(*loss));
        sorted
    }

    /// `M` by level.
    fn measure(&self, range: Range<usize>) -> ByLevel {
        let sorted = self.sorted(range);
        [Level::Initial, Level::Maintenance].map(|level| {
            let beyond = beyond(self.rules.level(level), sorted.len());
            match self.rules.parameters().measure {
                Measure::ValueAtRisk => {
                    let after = beyond.floor().to_usize().unwrap_or(usize::MAX);
                    sorted
                        .get(after)
                        .map_or_else(BigRational::zero, |(loss, _)| (*loss).clone())
                }
                Measure::ExpectedShortfall => {
                    let count = beyond.ceil().to_usize().unwrap_or(usize::MAX);
                    let tail = sorted
                        .iter()
                        .take(count)
                        .fold(BigRational::zero(), |sum, (loss, _)| sum + *loss);
                    tail / BigRational::from_integer(count.into())
                }
            }
        })
    }

    /// Which add up to `R`.
    fn components(&self) -> Vec<Component> {
        let parameters = self.rules.parameters();
        let words = parameters.measure.words();
        let (window, other) = (self.scenarios.of_window(), self.scenarios.of_other());
        let own = self.measure(window.clone());
        let (note, other_note) = (self.note(window.clone()), self.note(other.clone()));
        let mut parts: Vec<(String, String, ByLevel)> = Vec::new();
        match &parameters.procyclicality {
            None => parts.push((words.to_owned(), note, own)),
            Some(Procyclicality::Buffer(buffer)) => {
                let part = own.each_ref().map(|measure| to_ratio(buffer.part) * measure);
                parts.push((words.to_owned(), note, own));
                parts.push((
                    "procyclicality buffer".to_owned(),
                    format!("{} of it", buffer.part),
                    part,
                ));
            }
            Some(Procyclicality::Stressed(stressed)) => {
                let weight = to_ratio(stressed.weight);
                let rest = BigRational::one() - &weight;
                let theirs = self.measure(other).map(|measure| measure * &weight);
                let weighted = |weight: Decimal, note: String| format!("{weight} of {note}");
                let own = own.map(|measure| measure * &rest);
                parts.push((words.to_owned(), weighted(Decimal::ONE - stressed.weight, note), own));
                parts.push((
                    format!("stressed {words}"),
                    weighted(stressed.weight, other_note),
                    theirs,
                ));
            }
            Some(Procyclicality::Floor(_)) => {
                // What the floor adds: nothing where the window's own is above it, and never below 0 in all.
                let [initial, maintenance] = self.measure(other);
                let own = own.map(positive_part);
                let [first, second] = &own;
                let above = [
                    larger(first.clone(), initial) - first,
                    larger(second.clone(), maintenance) - second,
                ];
                parts.push((words.to_owned(), note, own));
                parts.push(("floor of the long window".to_owned(), other_note, above));
            }
        }
        let sums = parts
            .iter()
            .fold([BigRational::zero(), BigRational::zero()], |[a, b], (_, _, [x, y])| {
                [a + x, b + y]
            });
        let factors = [Level::Initial, Level::Maintenance].map(|level| to_ratio(self.rules.level(level).factor));
        // `max( 0, P )`: where P is not above 0, no part counts.
        let counts = |sum: &BigRational, part: BigRational, factor: &BigRational| {
            if *sum > BigRational::zero() {
                part * factor
            } else {
                BigRational::zero()
            }
        };
        let [sum_initial, sum_maintenance] = &sums;
        let [factor_initial, factor_maintenance] = &factors;
        let mut components = Vec::new();
        for (term, note, [initial, maintenance]) in parts {
            let initial = counts(sum_initial, initial, factor_initial);
            let maintenance = counts(sum_maintenance, maintenance, factor_maintenance);
            components.push(Component::new(&term, note, initial, maintenance));
        }
        if let Some(first) = components.first_mut() {
            first.parts = self.largest(window, &factors);
        }
        components
    }

    /// `0.99 of 500 moves, 2025-03-26 to 2026-08-07`.
    fn note(&self, range: Range<usize>) -> String {
        let days = self.scenarios.days.get(range).unwrap_or(&[]);
        let confidence = self.rules.level(Level::Initial).confidence;
        match (days.first(), days.last()) {
            (Some(first), Some(last)) => format!("{confidence} of {} moves, {first} to {last}", days.len()),
            _ => String::new(),
        }
    }

    /// The scenarios of the largest losses.
    fn largest(&self, range: Range<usize>, [initial, maintenance]: &ByLevel) -> Vec<Component> {
        let shown = self.sorted(range).into_iter().take(SHOWN);
        let of = |(loss, scenario): (&BigRational, usize)| {
            let day = self
                .scenarios
                .days
                .get(scenario)
                .map(ToString::to_string)
                .unwrap_or_default();
            Component::new(&day, "loss", loss * initial, loss * maintenance)
        };
        shown.map(of).collect()
    }

    /// The losses of the window by date.
    fn picture(&self) -> Picture {
        let dated = self.scenarios.days.iter().zip(&self.all).take(self.scenarios.window);
        Picture::Losses(dated.map(|(day, loss)| (day.to_string(), loss.clone())).collect())
    }
}

/// `(1 - c) n`.
fn beyond(level: &LevelParameters, n: usize) -> BigRational {
    (BigRational::one() - to_ratio(level.confidence)) * BigRational::from_integer(n.into())
}
