//! A hostile search: files with every number at its edge, markets and books at their edges, and for each of them what the compiled program
//! lets a prover show against what the oracle says of the same book.
//!
//! - No program shows more than the oracle: `surplus <= excess`.
//! - No requirement is negative, and none at the initial level is below that at maintenance.
//! - What the oracle refuses as not counted has no witness.
//! - A lot more on both legs of a pair never helps.
//!
//! A few books of each preset by default; `ADVERSARY_SECONDS=600` searches so long, and `ADVERSARY_SEED` from another seed on;
//! `ADVERSARY_PRESET` takes one preset alone.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod free;
mod mutate;
mod variation;
mod world;

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use num_bigint::BigInt;
use num_rational::BigRational;
use num_traits::Signed;
use rust_decimal::Decimal;
use zkmargin_program::{Program, WitnessError};
use zkmargin_risk::history::History;
use zkmargin_risk::model::about::is_isolated;
use zkmargin_risk::model::{Model, PRESETS};
use zkmargin_risk::oracle::{self, Check, Evaluation, OracleError};
use zkmargin_risk::terms::{Deposit, Level, Order, Ratio20, Terms};

use crate::world::{Random, World};

/// What follows the name of a requirement of a demand that is met without the balances at a venue.
const WITHOUT: &str = " without the balances at ";
const LEVELS: [Level; 2] = [Level::Initial, Level::Maintenance];

/// What a search has seen.
#[derive(Debug, Default)]
struct Seen {
    models: u64,
    refused_files: u64,
    not_compiled: BTreeMap<String, u64>,
    books: u64,
    too_large: u64,
    loose: u64,
    found: Vec<String>,
}

/// A model on a market, compiled at both levels.
struct Target<'w> {
    world: &'w World,
    model: Model,
    terms: [Terms; 2],
    programs: [Program; 2],
}

impl<'w> Target<'w> {
    fn new(world: &'w World, model: Model, random: &mut Random) -> Result<Target<'w>, String> {
        let order = random.chance(3).then(|| order(world, random));
        let deposit = random
            .chance(6)
            .then(|| Deposit::parse("12.5 beta:USDC", &world.universe).unwrap());
        let terms = LEVELS.map(|level| Terms {
            order: order.clone(),
            deposit: deposit.clone(),
            ..Terms::at(level)
        });
        let compile = |terms| model.compile(&world.universe, &world.snapshot, terms);
        let [initial, maintenance] = [compile(&terms[0]), compile(&terms[1])];
        let said = |error: zkmargin_risk::model::CompileError| error.to_string().chars().take(60).collect::<String>();
        Ok(Target {
            world,
            programs: [initial.map_err(said)?, maintenance.map_err(said)?],
            terms,
            model,
        })
    }

    /// The book with public amounts, as the program sees it.
    fn gross(&self, book: &[u64]) -> Vec<u64> {
        let mut gross = book.to_vec();
        for (leg, lots) in self.terms[0].public_amounts(&self.world.universe).unwrap() {
            gross[leg.index()] += lots;
        }
        gross
    }

    fn evaluate(&self, book: &[u64]) -> Result<Evaluation, OracleError> {
        let World { universe, snapshot, .. } = self.world;
        let after = oracle::with_public_amounts(universe, &self.terms[0], book).unwrap();
        oracle::evaluate(&self.model, universe, snapshot, &after)
    }

    /// What of a book is wrong with this model; `None` if it is too large for the program. How far the program is below the oracle, at
    /// most, in units of the numéraire.
    fn attack(&self, book: &[u64], seen: &mut Seen) -> Option<f64> {
        let (evaluation, book) = (self.evaluate(book), self.gross(book));
        let evaluation = match evaluation {
            Ok(evaluation) => evaluation,
            Err(OracleError::NotCounted(refused)) => {
                for program in &self.programs {
                    if !matches!(
                        program.surplus(&book),
                        Err(WitnessError::NotEmpty { .. } | WitnessError::Lots)
                    ) {
                        seen.found
                            .push(format!("not counted, but there is a witness: {}", refused[0].line));
                    }
                }
                return None;
            }
            Err(other) => {
                seen.found.push(format!("the oracle has no answer: {other}"));
                return None;
            }
        };
        seen.books += 1;
        let [initial, maintenance] = LEVELS.map(|level| evaluation.excess(level, Ratio20::ONE, 0));
        if initial > maintenance {
            seen.found.push(format!(
                "initial asks for less than maintenance by {}",
                show(&(&initial - &maintenance))
            ));
        }
        let isolated = evaluation.checks.iter().filter_map(|check| match check {
            Check::Isolated { evaluation, .. } => Some(&**evaluation),
            _ => None,
        });
        let all = std::iter::once(&evaluation).chain(&evaluation.beside).chain(isolated);
        if all
            .into_iter()
            .any(|one| one.initial.is_negative() || one.maintenance.is_negative())
        {
            seen.found.push("a requirement is negative".to_owned());
        }
        let mut closest = f64::MIN;
        for (level, program) in LEVELS.into_iter().zip(&self.programs) {
            let unit = BigRational::new(
                1.into(),
                BigInt::from(10).pow(program.header().unit_exponent.unsigned_abs()),
            );
            let surplus = match program.surplus(&book) {
                Ok(surplus) => surplus,
                Err(WitnessError::TooLarge { .. } | WitnessError::Lots) => {
                    seen.too_large += 1;
                    return None;
                }
                Err(other) => {
                    seen.found.push(format!("counted, but {other}"));
                    return None;
                }
            };
            let excess = evaluation.excess(level, Ratio20::ONE, 0);
            let shown = surplus
                .iter()
                .filter(|(name, _)| is_margin(name))
                .map(|(_, units)| *units)
                .min()
                .unwrap();
            let shown = BigRational::from_integer(shown.into()) * &unit;
            let over = &shown - &excess;
            // What breaks a limit, or is above a threshold of concentration, has no proof whatever its margin is.
            let is_of_margin = |name: &str| is_margin(name) || is_of_a_part(name);
            let rest_holds = surplus.iter().all(|(name, units)| is_of_margin(name) || *units >= 0);
            if over.is_positive() && rest_holds {
                seen.found.push(format!(
                    "{level:?}: a prover shows {} more than there is, {}",
                    show(&over),
                    show(&excess)
                ));
            }
            for (name, units) in surplus.iter().filter(|(name, _)| is_of_a_part(name)) {
                let exact = of_a_part(&evaluation, name, level);
                if BigRational::from_integer((*units).into()) * &unit > exact && rest_holds {
                    seen.found
                        .push(format!("{level:?}: a prover shows more of {name} than there is"));
                }
            }
            let bound = BigRational::from_integer(program.rounding_bound(&book).into()) * &unit;
            seen.loose += u64::from(-&over > bound);
            let over = ratio(&over);
            closest = if over > closest { over } else { closest };
            let verdict = program.witness(&book).is_ok();
            if verdict != surplus.iter().all(|(_, units)| *units >= 0) {
                seen.found.push("surplus and witness differ".to_owned());
            }
            if verdict && !evaluation.is_met(level, Ratio20::ONE, 0) {
                seen.found
                    .push(format!("{level:?}: feasible, and the oracle says it is not met"));
            }
        }
        Some(closest)
    }
}

/// Whether a requirement is that of a model: neither a limit nor of a part.
fn is_margin(name: &str) -> bool {
    name.starts_with("margin") && !is_of_a_part(name)
}

/// Whether a requirement is that of an isolated position, or that of a demand without the balances at a venue.
fn is_of_a_part(name: &str) -> bool {
    is_isolated(name) || name.contains(WITHOUT)
}

/// `V - R` of it; under a demand, by whichever of its models.
fn of_a_part(evaluation: &Evaluation, name: &str, level: Level) -> BigRational {
    let parts = evaluation.checks.iter().filter_map(|check| match check {
        Check::Isolated { evaluation, .. } if name.starts_with(&check.name()) => Some(evaluation),
        Check::WithoutBalances { venue, evaluation } if name.ends_with(&format!("{WITHOUT}{venue}")) => {
            Some(evaluation)
        }
        _ => None,
    });
    let all = parts.flat_map(|part| std::iter::once(&**part).chain(&part.beside));
    all.map(|one| &one.value - one.requirement(level))
        .max()
        .unwrap_or_default()
}

fn order(world: &World, random: &mut Random) -> Order {
    let (venue, instrument) = *random.pick(&world.universe.instruments().collect::<Vec<_>>());
    let contracts = instrument.lot * Decimal::from(1 + random.below(50));
    let side = random.pick(&["buy", "sell"]);
    let text = format!(
        "{side} {} {}:{} @ {} fee 0.001",
        contracts.normalize(),
        venue.name,
        instrument.name,
        random.decimal(1, 500, 3)
    );
    Order::parse(&text, &world.universe).unwrap()
}

fn ratio(number: &BigRational) -> f64 {
    num_traits::ToPrimitive::to_f64(number).unwrap_or(f64::MAX)
}

fn show(number: &BigRational) -> String {
    format!("{:.6e}", ratio(number))
}

/// The book with lots on both legs of a pair.
fn gross(world: &World, random: &mut Random, book: &[u64]) -> Vec<u64> {
    let mut gross = book.to_vec();
    let pair = *random.pick(world.universe.layout().pairs());
    let lots = random.magnitude(30);
    gross[pair.first.index()] += lots;
    gross[pair.second.index()] += lots;
    gross
}

/// One step of an ascent.
fn changed(world: &World, random: &mut Random, book: &[u64]) -> Vec<u64> {
    let mut book = book.to_vec();
    let legs = world.universe.layout().legs();
    for _ in 0..1 + random.below(2) {
        let slot = random.pick(legs).index();
        book[slot] = match random.below(4) {
            0 => 0,
            1 => book[slot] / 2,
            2 => (book[slot] * 2 + 1).min((1 << 48) - 1),
            _ => random.magnitude(30),
        };
    }
    book
}

fn history() -> History {
    let root = std::path::PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../examples");
    History::from_json(&std::fs::read_to_string(root.join("histories/2026-08-07.json")).unwrap()).unwrap()
}

fn attached(model: Model, history: &std::sync::Arc<History>) -> Result<Model, String> {
    match model.history() {
        Some(_) => model.with_history(history.clone()).map_err(|error| error.to_string()),
        None => Ok(model),
    }
}

fn search(preset: &str, text: &str, seeds: std::ops::Range<u64>, deadline: Instant) -> Seen {
    let history = std::sync::Arc::new(history());
    let mut seen = Seen::default();
    for seed in seeds {
        if Instant::now() > deadline {
            break;
        }
        let mut random = Random(seed);
        let world = World::new(&mut random);
        let file = match (preset, seed % 4) {
            ("demand", _) => mutate::demand(&mut random),
            (_, 0) => text.to_owned(),
            _ => mutate::file(&mut random, text),
        };
        let model = match Model::from_json(&file)
            .map_err(|error| error.to_string())
            .and_then(|model| attached(model, &history))
        {
            Ok(model) => model,
            Err(_) => {
                seen.refused_files += 1;
                continue;
            }
        };
        seen.models += 1;
        let target = match Target::new(&world, model, &mut random) {
            Ok(target) => target,
            Err(said) => {
                *seen.not_compiled.entry(said).or_default() += 1;
                continue;
            }
        };
        let before = seen.found.len();
        attack(&target, &mut random, &mut seen);
        for found in &mut seen.found[before..] {
            *found = format!("{preset}, seed {seed}: {found}");
        }
    }
    seen
}

fn attack(target: &Target<'_>, random: &mut Random, seen: &mut Seen) {
    let world = target.world;
    target.attack(&vec![0; world.universe.layout().slots()], seen);
    for _ in 0..6 {
        let book = world.book(random);
        target.attack(&book, seen);
        let mut book = world.counted(&target.model, book);
        let mut closest = target.attack(&book, seen);
        for _ in 0..6 {
            let next = world.counted(&target.model, changed(world, random, &book));
            let reached = target.attack(&next, seen);
            if reached > closest {
                (book, closest) = (next, reached);
            }
        }
        let wide = gross(world, random, &book);
        if let (Some(_), Ok(_)) = (closest, target.evaluate(&wide)) {
            let [narrow, wide] = [&book, &wide].map(|book| target.gross(book));
            for program in &target.programs {
                if let (Ok(narrow), Ok(wide)) = (program.surplus(&narrow), program.surplus(&wide))
                    // Without the one leg, more of the other may hedge.
                    && (narrow.iter().zip(&wide)).any(|(narrow, wide)| wide.1 > narrow.1 && !narrow.0.contains(WITHOUT))
                {
                    seen.found.push("a lot on both legs of a pair helps".to_owned());
                }
            }
        }
    }
}

#[test]
fn no_program_shows_more_than_the_oracle_of_any_accepted_file() {
    let number = |name: &str| std::env::var(name).ok().and_then(|text| text.parse::<u64>().ok());
    let only = std::env::var("ADVERSARY_PRESET").ok();
    let first = number("ADVERSARY_SEED").unwrap_or(0);
    let demand = ("demand", "");
    let presets: Vec<_> = PRESETS
        .iter()
        .chain([&demand])
        .filter(|(name, _)| only.as_deref().is_none_or(|only| only == *name))
        .collect();
    let long = number("ADVERSARY_SECONDS");
    let workers = std::thread::available_parallelism().map_or(1, usize::from);
    let (next, found) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
    std::thread::scope(|scope| {
        for _ in 0..workers {
            scope.spawn(|| {
                while let Some((name, text)) = presets.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let share = long.map_or(600, |seconds| (seconds * workers as u64 / presets.len() as u64).max(1));
                    let seeds = if long.is_some() {
                        first..u64::MAX
                    } else {
                        first..first + 6
                    };
                    let seen = search(name, text, seeds, Instant::now() + Duration::from_secs(share));
                    println!("{name}: {seen:?}");
                    // Or nothing was tried.
                    assert!(seen.books > 0, "{name}: {seen:?}");
                    found.lock().unwrap().extend(seen.found);
                }
            });
        }
    });
    let mut found = found.into_inner().unwrap();
    found.sort();
    assert!(
        found.is_empty(),
        "{} findings:\n{}",
        found.len(),
        found.iter().take(60).cloned().collect::<Vec<_>>().join("\n")
    );
}
