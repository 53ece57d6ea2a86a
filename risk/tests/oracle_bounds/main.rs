//! The compiled program against the oracle, on random books, markets and models:
//! - a feasible program implies an excess of at least 0, without any tolerance;
//! - an excess of at least the program's stated bound implies a feasible program;
//! - what does not count is refused by both.
//!
//! Books are taken to the edge: cash is bisected lot by lot to where the program becomes feasible.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod world;

use num_bigint::BigInt;
use num_rational::BigRational;
use num_traits::Signed;
use proptest::prelude::*;
use zkmargin_program::{Program, WitnessError};
use zkmargin_risk::oracle::{self, Evaluation, OracleError};
use zkmargin_risk::terms::{Level, Terms};

use crate::world::{FINE_OF_COARSE, Random, World};

/// A program, and the oracle beside it.
struct Pair<'a> {
    world: &'a World,
    terms: Terms,
    program: Program,
}

impl Pair<'_> {
    /// The book with public amounts, gross, as the program sees it.
    fn gross(&self, book: &[u64]) -> Vec<u64> {
        let mut gross = book.to_vec();
        for (leg, lots) in self.terms.public_amounts(&self.world.universe).unwrap() {
            gross[leg.index()] += lots;
        }
        gross
    }

    fn evaluate(&self, book: &[u64]) -> Result<Evaluation, OracleError> {
        let World {
            universe,
            snapshot,
            model,
        } = self.world;
        oracle::evaluate(
            model,
            universe,
            snapshot,
            &oracle::with_public_amounts(universe, &self.terms, book).unwrap(),
        )
    }

    /// Checks both implications for a book; whether the program is feasible, `None` if the book is too large for it.
    fn check(&self, book: &[u64]) -> Option<bool> {
        let gross = self.gross(book);
        let evaluation = self.evaluate(book).unwrap();
        let excess = evaluation.excess(self.terms.margin.level().unwrap(), self.terms.ratio, self.terms.excess);
        let header = self.program.header();
        let unit = BigRational::new(1.into(), BigInt::from(10).pow(header.unit_exponent.unsigned_abs()));
        let bound = BigRational::from_integer(self.program.rounding_bound(&gross).into()) * &unit;
        match self.program.witness(&gross) {
            Ok(witness) => {
                self.program.check(&gross, witness.values()).unwrap();
                assert!(!excess.is_negative(), "feasible, but the excess is {excess}");
                Some(true)
            }
            Err(WitnessError::NotMet { name }) => {
                assert!(
                    excess < bound,
                    "{name} is not met, but the excess {excess} reaches the bound {bound}"
                );
                Some(false)
            }
            Err(WitnessError::TooLarge { name, bits }) => {
                // A figure of the book is not far below the width, which may be that of a sum, or of twentieths (ratios).
                let width = BigRational::from_integer(BigInt::from(1) << (header.value_bits - 10)) * unit;
                assert!(
                    largest(&evaluation) > width,
                    "{name} does not fit {bits} bits, but nothing is above {width}"
                );
                None
            }
            Err(other) => panic!("{other}"),
        }
    }
}

/// The largest of a book's figures.
fn largest(evaluation: &Evaluation) -> BigRational {
    let rows = evaluation
        .underlyings
        .values()
        .flat_map(|exposure| &exposure.rows)
        .map(|row| row.profit.abs());
    let assets = evaluation.collateral.iter().map(|line| line.market_value.abs());
    let figures = [
        &evaluation.value,
        &evaluation.options,
        &evaluation.futures,
        &evaluation.initial,
        &evaluation.maintenance,
    ];
    rows.chain(assets).chain(figures.map(Signed::abs)).max().unwrap()
}

/// `None` where a contract is worth so much of the numéraire that a coefficient of it is refused.
fn compile(world: &World, terms: Terms) -> Option<Pair<'_>> {
    match world.model.compile(&world.universe, &world.snapshot, &terms) {
        Ok(program) => Some(Pair { world, terms, program }),
        Err(error) if error.to_string().contains("64 bits") => None,
        Err(error) => panic!("{error}"),
    }
}

/// Whether what an order touches counts: an order for something else has no program or no margin.
fn order_counts(world: &World, terms: &Terms) -> bool {
    let nothing = vec![0; world.universe.layout().slots()];
    let after = oracle::with_public_amounts(&world.universe, terms, &nothing).unwrap();
    oracle::evaluate(&world.model, &world.universe, &world.snapshot, &after).is_ok()
}

fn case(seed: u64) -> Option<(World, Terms, Random)> {
    let mut random = Random(seed);
    let world = World::new(&mut random);
    let terms = world.terms(&mut random);
    order_counts(&world, &terms).then_some((world, terms, random))
}

/// Takes three books of a seed to the edge of feasibility, and checks both implications at every step: first coarse cash at one venue, then
/// fine cash at the other. How many had an edge.
fn edges(seed: u64) -> usize {
    let Some((world, terms, mut random)) = case(seed) else {
        return 0;
    };
    let Some(pair) = compile(&world, terms) else { return 0 };
    let [coarse, fine] = [0, 1].map(|venue| world.universe.venues()[venue].asset("USDC", None).unwrap().pair());
    let mut found = 0;
    for _ in 0..3 {
        let book = world.counted(world.book(&mut random));
        let with = |lots: i64| {
            let mut book = book.clone();
            let (leg, other) = if lots < 0 {
                (coarse.second, coarse.first)
            } else {
                (coarse.first, coarse.second)
            };
            book[leg.index()] = lots.unsigned_abs();
            book[other.index()] = 0;
            book
        };
        // The narrowest of these that is a bracket.
        let mut brackets = (20..47).map(|bits| (-(1_i64 << bits), 1_i64 << bits));
        let is_bracket = |(short, enough): &(i64, i64)| {
            pair.check(&with(*short)) == Some(false) && pair.check(&with(*enough)) == Some(true)
        };
        let Some((short, enough)) = brackets.find(is_bracket) else {
            continue;
        };
        let enough = edge(&pair, short, enough, with);

        let book = with(enough - 1);
        let with = |lots: i64| {
            let mut book = book.clone();
            book[fine.first.index()] += lots.unsigned_abs();
            book
        };
        // What is rounded per fine lot is less than its worth.
        edge(&pair, 0, i64::try_from(4 * FINE_OF_COARSE).unwrap(), with);
        found += 1;
    }
    found
}

/// The least number of lots at which a book is feasible, between one at which it is not and one at which it is.
fn edge(pair: &Pair<'_>, mut short: i64, mut enough: i64, with: impl Fn(i64) -> Vec<u64>) -> i64 {
    assert_eq!(pair.check(&with(enough)), Some(true));
    while enough - short > 1 {
        let middle = short + (enough - short) / 2;
        if pair.check(&with(middle)) == Some(true) {
            enough = middle
        } else {
            short = middle
        }
    }
    assert_eq!(
        [enough - 1, enough].map(|lots| pair.check(&with(lots))),
        [Some(false), Some(true)]
    );
    enough
}

/// How many seeds of each test, a few by default: `ORACLE_CASES=1000` for a long search.
fn cases() -> u32 {
    std::env::var("ORACLE_CASES")
        .ok()
        .and_then(|cases| cases.parse().ok())
        .unwrap_or(32)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: cases(), max_shrink_iters: 0, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_program_and_the_oracle_agree_within_the_stated_bound(seed: u64) {
        let Some((world, terms, mut random)) = case(seed) else { return Ok(()) };
        let Some(pair) = compile(&world, terms) else { return Ok(()) };
        for _ in 0..8 {
            let book = world.counted(world.book(&mut random));
            pair.check(&book);
        }
    }

    #[test]
    fn at_the_edge_of_feasibility_the_excess_is_at_least_zero_and_below_the_bound(seed: u64) {
        edges(seed);
    }

    #[test]
    fn what_does_not_count_is_refused_by_both(seed: u64) {
        let mut random = Random(seed);
        let world = World::new(&mut random);
        let Some(pair) = compile(&world, Terms::at(Level::Maintenance)) else { return Ok(()) };
        for line in world.universe.venues().iter().flat_map(|venue| &venue.lines) {
            for leg in line.legs() {
                let mut book = vec![0; world.universe.layout().slots()];
                book[leg.index()] = 1;
                let by_oracle = matches!(pair.evaluate(&book), Err(OracleError::NotCounted(_)));
                let by_program = matches!(pair.program.witness(&book), Err(WitnessError::NotEmpty { .. }));
                prop_assert_eq!(by_oracle, by_program, "{:?}", line);
            }
        }
    }
}

#[test]
fn most_random_books_have_an_edge() {
    let found: usize = (0..8).map(edges).sum();
    assert!(found >= 8, "{found} edges in 24 books");
}
