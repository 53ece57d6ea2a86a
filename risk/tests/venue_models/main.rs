//! The programs of the venues' models against the oracle, on random books: what a prover can show is never more than the oracle's excess,
//! and, where the program proves the rule as it stands, less by no more than the stated bound.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod cases;
mod contracts;
mod edges;
mod published;
mod shipped;
mod world;

use num_bigint::BigInt;
use num_rational::BigRational;
use num_traits::{Signed, ToPrimitive, Zero};
use serde_json::{Value, json};
use zkmargin_risk::model::{Model, PRESETS};
use zkmargin_risk::oracle;
use zkmargin_risk::terms::{Level, Ratio20, Terms};

use crate::world::{Random, World};

/// A preset with other parts, each at a path of the file.
fn preset(name: &str, changes: &[(&str, Value)]) -> Model {
    let (_, text) = PRESETS.iter().find(|(preset, _)| *preset == name).unwrap();
    let mut file: Value = serde_json::from_str(text).unwrap();
    for (path, part) in changes {
        match part {
            Value::Null => {
                let (parent, field) = path.rsplit_once('/').unwrap();
                file.pointer_mut(parent).unwrap().as_object_mut().unwrap().remove(field);
            }
            part => *file.pointer_mut(path).unwrap_or_else(|| panic!("{path}")) = part.clone(),
        }
    }
    Model::from_json(&file.to_string()).unwrap()
}

/// What a program of a book shows less than the oracle, and its stated bound, in units of the numéraire.
fn gap(world: &World, model: &Model, book: &[u64], level: Level) -> Option<(BigRational, BigRational)> {
    let program = model
        .compile(&world.universe, &world.snapshot, &Terms::at(level))
        .unwrap();
    let evaluation = oracle::evaluate(model, &world.universe, &world.snapshot, book).unwrap();
    assert!(!evaluation.requirement(level).is_negative());
    let of_components = evaluation
        .components
        .iter()
        .fold(BigRational::zero(), |sum, part| sum + part.at(level));
    assert_eq!(&of_components, evaluation.requirement(level), "the components add up");
    let of_value = evaluation
        .collateral
        .iter()
        .fold(&evaluation.options + &evaluation.futures, |sum, line| sum + &line.value);
    assert_eq!(of_value, evaluation.value, "the parts of the value add up");
    let unit = BigRational::new(
        1.into(),
        BigInt::from(10).pow(program.header().unit_exponent.unsigned_abs()),
    );
    // A book that is too large for the program has no proof.
    let surplus = program.surplus(book).ok()?.remove(0).1;
    let excess = evaluation.excess(level, Ratio20::ONE, 0);
    let gap = excess - BigRational::from_integer(surplus.into()) * &unit;
    assert!(!gap.is_negative(), "a prover shows {} more than there is", -gap);
    Some((
        gap,
        BigRational::from_integer(program.rounding_bound(book).into()) * unit,
    ))
}

/// Checks random books of up to `2^bits` lots a leg; of how many the program is tight.
fn check(model: &Model, bits: u64, exact: bool) -> (usize, usize) {
    let (mut tight, mut books) = (0, 0);
    for seed in 0..12 {
        let mut random = Random(seed);
        let world = World::new(&mut random);
        for round in 0..6 {
            let book = world.counted(model, world.book(&mut random, bits));
            let level = [Level::Initial, Level::Maintenance][round % 2];
            let Some((gap, bound)) = gap(&world, model, &book, level) else {
                continue;
            };
            books += 1;
            tight += usize::from(gap <= bound);
            assert!(
                !exact || gap <= bound,
                "seed {seed}: a gap of {:?} over {:?}",
                gap.to_f64(),
                bound.to_f64()
            );
        }
    }
    assert!(books > 40, "{books} books");
    (tight, books)
}

#[test]
fn okx_is_exact_while_one_pair_of_dollars_is_hedged() {
    let one_pair = [("/depeg/pairs", json!([["USDC", "USD"]]))];
    check(&preset("okx-pm", &one_pair), 20, true);
    check(
        &preset(
            "okx-pm",
            &[
                ("/depeg/pairs", json!([["USDT", "USDC"]])),
                ("/numeraire", json!("BTC")),
            ],
        ),
        14,
        true,
    );
    check(
        &preset(
            "okx-pm",
            &[("/depeg", Value::Null), ("/collateral_in_scenarios", json!(true))],
        ),
        24,
        true,
    );
}

#[test]
fn okx_with_several_pairs_is_never_too_low() {
    let (tight, books) = check(&preset("okx-pm", &[]), 20, false);
    assert!(tight > books / 4, "{tight} of {books} are exact");
}

#[test]
fn okx_without_a_minimum_charge_shows_its_risks() {
    let mut changes = vec![("/depeg/pairs", json!([["USDC", "USD"]]))];
    changes.push(("/underlyings/BTC/minimum", Value::Null));
    changes.push(("/underlyings/ETH/minimum", Value::Null));
    check(&preset("okx-pm", &changes), 16, true);
}

#[test]
fn deribit_is_exact_below_the_threshold_of_the_delta_shock() {
    let high = json!("10000000000");
    let changes = [
        ("/underlyings/BTC/delta_shock/threshold", high.clone()),
        ("/underlyings/ETH/delta_shock/threshold", high),
    ];
    check(&preset("deribit-pm", &changes), 20, true);
    check(
        &preset(
            "deribit-pm",
            &[
                ("/underlyings/BTC/delta_shock", Value::Null),
                ("/underlyings/ETH/delta_shock", Value::Null),
                ("/groups", json!([])),
            ],
        ),
        16,
        true,
    );
}

#[test]
fn deribit_is_never_too_low_above_it() {
    for bits in [16, 24, 30] {
        check(&preset("deribit-pm", &[]), bits, false);
    }
}

/// A book of perpetuals alone, of 5 million to half a billion USD on either side.
#[test]
fn the_delta_shock_of_futures_is_too_high_by_no_more_than_is_stated() {
    let model = preset("deribit-pm", &[]);
    for seed in 0..4 {
        let world = World::new(&mut Random(seed));
        let is_it = |one: &zkmargin_risk::universe::Instrument| {
            one.underlying == "BTC" && one.settlement == "BTC" && one.kind == zkmargin_risk::universe::Kind::Perpetual
        };
        let instrument = world.universe.instruments().find(|(_, one)| is_it(one)).unwrap().1;
        let index = world.snapshot.underlyings["BTC"].index.to_f64().unwrap();
        // most² I / (4 increment chords²), and a ten-thousandth of a part.
        let (increment, most, chords) = (0.000_05, 0.1, 16.0);
        let stated =
            most * most * index / (4.0 * increment * chords * chords) + most * index / (increment * chords) / 1e4;
        let mut charged = 0;
        for step in 1..=25_u64 {
            let mut book = vec![0; world.universe.layout().slots()];
            let leg = if step % 2 == 0 {
                instrument.long
            } else {
                instrument.short
            };
            book[leg.index()] = step * step * 80_000;
            let (gap, bound) = gap(&world, &model, &book, Level::Initial).unwrap();
            let (gap, bound) = (gap.to_f64().unwrap(), bound.to_f64().unwrap());
            assert!(gap <= stated + bound, "{gap} over {stated}");
            let evaluation = oracle::evaluate(&model, &world.universe, &world.snapshot, &book).unwrap();
            if evaluation.underlyings["BTC"].delta_shock.is_zero() {
                assert!(gap <= bound, "nothing is charged below the threshold");
            } else {
                charged += 1;
            }
        }
        assert!(charged > 10);
    }
}

#[test]
fn options_that_reduce_the_delta_or_are_long_alone_are_charged_no_less_than_by_the_rule() {
    let model = preset("deribit-pm", &[]);
    let mut shocks = 0;
    for seed in 0..30 {
        let mut random = Random(seed);
        let world = World::new(&mut random);
        let book = world.counted(&model, world.book(&mut random, 25));
        gap(&world, &model, &book, Level::Maintenance);
        let evaluation = oracle::evaluate(&model, &world.universe, &world.snapshot, &book).unwrap();
        shocks += evaluation
            .underlyings
            .values()
            .filter(|exposure| !exposure.delta_shock.is_zero())
            .count();
    }
    assert!(shocks > 5, "{shocks} books are large enough");
}

#[test]
fn paradex_is_exact() {
    check(&preset("paradex-pm", &[]), 20, true);
}

#[test]
fn binance_is_exact_by_instrument_and_by_underlying() {
    check(&preset("binance-pm", &[]), 24, true);
    check(
        &preset(
            "binance-pm",
            &[("/by", json!("instrument")), ("/numeraire", json!("BTC"))],
        ),
        20,
        true,
    );
}

#[test]
fn bybit_is_exact() {
    check(&preset("bybit-pm", &[]), 20, true);
}
