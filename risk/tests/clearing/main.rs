//! The clearing houses' models, `span` and `tims`: the compiled program against the oracle, on random books, markets and
//! parameters, and on the shipped chain. Both models are exact: the largest excess that a prover can show is that of the
//! oracle, less at most the program's stated bound.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[allow(dead_code)]
#[path = "../oracle_bounds/world.rs"]
mod world;

mod shipped;

use num_bigint::BigInt;
use num_rational::BigRational;
use num_traits::Signed;
use proptest::prelude::*;
use serde_json::{Value, json};
use zkmargin_program::{Program, WitnessError};
use zkmargin_risk::market::Snapshot;
use zkmargin_risk::model::Model;
use zkmargin_risk::oracle::{self, Evaluation};
use zkmargin_risk::terms::{Level, Ratio20, Terms};
use zkmargin_risk::universe::Universe;

use crate::world::{Random, World};

/// `numerator / denominator` with this many decimals, at random.
fn decimal(random: &mut Random, most: u64, places: u32) -> String {
    random.decimal(0, most, places).to_string()
}

fn head(random: &mut Random) -> Value {
    let haircut = |random: &mut Random| decimal(random, 100, 2);
    let mut assets = json!({"USDC": {"haircut": "0"}});
    for (name, underlying) in [("AAA", "AAA"), ("BBB", "BBB"), ("STAA", "AAA")] {
        assets[name] = json!({"haircut": haircut(random), "underlying": underlying});
        if random.chance(3) {
            assets[name]["cap"] = json!(decimal(random, 500, 1));
        }
    }
    json!({
        "name": "random", "description": "random", "numeraire": random.pick(&["USD", "USD", "AAA", "USDC"]),
        "collateral_in_scenarios": random.chance(2), "assets": assets,
        "levels": {"initial": random.decimal(10, 15, 1).to_string(), "maintenance": random.decimal(0, 10, 1).to_string()},
    })
}

fn span(random: &mut Random) -> Value {
    let mut file = head(random);
    let mut underlyings = json!({});
    for name in ["AAA", "BBB"] {
        let tiers = match random.chance(3) {
            true => json!([{"rate": decimal(random, 500, 4)}]),
            false => {
                json!([{"until_days": "30", "rate": decimal(random, 500, 4)}, {"until_days": "200.5", "rate": decimal(random, 500, 4)}, {"rate": decimal(random, 500, 4)}])
            }
        };
        underlyings[name] = json!({
            "price_scan_range": decimal(random, 3_300, 4),
            "volatility": {"up": decimal(random, 900, 3), "down": decimal(random, 900, 3),
                "short_power": decimal(random, 60, 2), "long_power": decimal(random, 30, 2)},
            "extreme": {"multiple": random.pick(&["2", "3", "0.5"]), "coverage": decimal(random, 100, 2)},
            "tiers": tiers, "between_tiers": decimal(random, 500, 4),
        });
        if random.chance(2) {
            underlyings[name]["delivery"] =
                json!({"days": random.pick(&["0.5", "10", "400"]), "rate": decimal(random, 300, 4)});
        }
        if random.chance(2) {
            underlyings[name]["short_option_minimum"] = json!(decimal(random, 600, 3));
        }
    }
    file["model"] = json!("span");
    file["underlyings"] = underlyings;
    file["credit"] = json!(random.pick(&["exact", "exact", "none"]));
    file["spreads"] = json!([{"legs": ["BBB", "AAA"], "rate": decimal(random, 10_000, 4)}]);
    file
}

fn tims(random: &mut Random) -> Value {
    let mut file = head(random);
    let mut underlyings = json!({});
    for name in ["AAA", "BBB"] {
        let range = |random: &mut Random| random.decimal(1, 900, 3).to_string();
        underlyings[name] = json!({"down": range(random), "up": range(random), "minimum": decimal(random, 5_000, 3)});
    }
    file["model"] = json!("tims");
    file["underlyings"] = underlyings;
    if random.chance(2) {
        file["groups"] = json!([{"underlyings": ["BBB", "AAA"], "offset": decimal(random, 1_000, 3)}]);
    }
    file
}

/// Checks a book at a level: `excess - bound <= surplus <= excess`. The excess; `None` if the book is too large.
fn check(
    model: &Model,
    universe: &Universe,
    snapshot: &Snapshot,
    program: &Program,
    level: Level,
    book: &[u64],
) -> Option<BigRational> {
    let evaluation: Evaluation = oracle::evaluate(model, universe, snapshot, book).unwrap();
    let excess = evaluation.excess(level, Ratio20::ONE, 0);
    assert!(!evaluation.requirement(level).is_negative());
    let unit = BigRational::new(
        1.into(),
        BigInt::from(10).pow(program.header().unit_exponent.unsigned_abs()),
    );
    let surplus = match program.surplus(book) {
        Ok(surplus) => surplus,
        Err(WitnessError::TooLarge { .. }) => return None,
        Err(other) => panic!("{other}"),
    };
    let surplus = BigRational::from_integer(surplus[0].1.into()) * &unit;
    let bound = BigRational::from_integer(program.rounding_bound(book).into()) * unit;
    assert!(surplus <= excess, "the program shows {surplus} of {excess}");
    assert!(
        surplus > &excess - &bound,
        "the program shows {surplus} of {excess}, with a bound of {bound}"
    );
    if let Ok(witness) = program.witness(book) {
        program.check(book, witness.values()).unwrap();
        assert!(!excess.is_negative());
    }
    Some(excess)
}

fn cases() -> u32 {
    let cases = std::env::var("ORACLE_CASES").ok();
    cases.and_then(|cases| cases.parse().ok()).unwrap_or(32)
}

/// How many books of a seed fit the program.
fn agree(seed: u64, model: fn(&mut Random) -> Value) -> usize {
    let mut random = Random(seed);
    let mut world = World::new(&mut random);
    world.model = Model::from_json(&model(&mut random).to_string()).unwrap();
    let (model, universe, snapshot) = (&world.model, &world.universe, &world.snapshot);
    let mut fit = 0;
    for level in [Level::Initial, Level::Maintenance] {
        let program = match model.compile(universe, snapshot, &Terms::at(level)) {
            Ok(program) => program,
            // A contract is worth so much of the numéraire that a coefficient of it is refused.
            Err(error) if error.to_string().contains("64 bits") || error.to_string().contains("does not fit") => {
                return 0;
            }
            Err(error) => panic!("{error}"),
        };
        for _ in 0..4 {
            let book = world.counted(world.book(&mut random));
            fit += usize::from(check(model, universe, snapshot, &program, level, &book).is_some());
        }
    }
    fit
}

proptest! {
    #![proptest_config(ProptestConfig { cases: cases(), max_shrink_iters: 0, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_a_prover_can_show_under_span_is_what_the_oracle_says_within_the_bound(seed: u64) {
        agree(seed, span);
    }

    #[test]
    fn what_a_prover_can_show_under_tims_is_what_the_oracle_says_within_the_bound(seed: u64) {
        agree(seed, tims);
    }
}

#[test]
fn most_random_books_fit() {
    for model in [span, tims] {
        let fit: usize = (0..8).map(|seed| agree(seed, model)).sum();
        assert!(fit >= 32, "{fit} of 64 books");
    }
}
