#![allow(clippy::unwrap_used, clippy::panic)]
use num_bigint::BigInt;
use num_rational::BigRational;
use num_traits::{Signed, Zero};
use serde_json::{Value, json};

use crate::model::fixture::{Book, instrument, snapshot, universe};
use crate::model::{Model, ModelError};
use crate::oracle::{self, Evaluation};
use crate::report::approximate;
use crate::terms::{Level, Terms};
use crate::universe::Line;

const PRESET: &str = include_str!("../../../presets/delta-gamma-vega.json");

fn changed(pointer: &str, to: Value) -> Result<Model, ModelError> {
    let mut file: Value = serde_json::from_str(PRESET).unwrap();
    *file.pointer_mut(pointer).unwrap() = to;
    Model::from_json(&file.to_string())
}

fn preset() -> Model {
    Model::from_json(PRESET).unwrap()
}

fn evaluate(model: &Model, book: &Book<'_>) -> Evaluation {
    oracle::evaluate(model, book.universe, &snapshot(), &book.q).unwrap()
}

/// The largest excess of the program in USD, and its stated bound.
fn surplus(model: &Model, book: &Book<'_>, level: Level) -> (BigRational, BigRational) {
    let program = model.compile(book.universe, &snapshot(), &Terms::at(level)).unwrap();
    let unit = BigRational::new(
        1.into(),
        BigInt::from(10).pow(program.header().unit_exponent.unsigned_abs()),
    );
    let units = program
        .surplus(&book.q)
        .unwrap()
        .into_iter()
        .map(|(_, units)| units)
        .min()
        .unwrap();
    if units >= 0 {
        let witness = program.witness(&book.q).unwrap();
        program.check(&book.q, witness.values()).unwrap();
    }
    let bound = program.rounding_bound(&book.q);
    (
        BigRational::from_integer(units.into()) * &unit,
        BigRational::from_integer(bound.into()) * unit,
    )
}

#[test]
fn each_refusal_names_its_field() {
    let refused = |pointer: &str, to: Value| changed(pointer, to).unwrap_err().to_string();
    for (pointer, to, said) in [
        ("/quantile", json!("11"), "quantile"),
        ("/quantile", json!("1.0000000001"), "quantile"),
        ("/levels/maintenance", json!("1.1"), "levels.maintenance"),
        ("/underlyings/BTC/move", json!("-0.1"), "underlyings.BTC.move"),
        (
            "/underlyings/ETH/volatility_move",
            json!("11"),
            "underlyings.ETH.volatility_move",
        ),
        ("/price_correlations", json!([["1"]]), "price_correlations"),
        (
            "/price_correlations",
            json!([["1"], ["1.1", "1"]]),
            "price_correlations[1][0]",
        ),
        ("/assets/BTC/haircut", json!("2"), "assets.BTC.haircut"),
        ("/assets/BTC/underlying", json!("SOL"), "assets.BTC.underlying"),
        ("/numeraire", json!("SOL"), "numeraire"),
    ] {
        let message = refused(pointer, to);
        assert!(message.contains(said), "{message}");
    }
    let mut file: Value = serde_json::from_str(PRESET).unwrap();
    file["underlyings"]["SOL"] = json!({"move": "0.06", "volatility_move": "0.1"});
    for field in ["price_correlations", "volatility_correlations"] {
        file[field] = json!([["1"], ["0.9", "1"], ["-0.9", "0.9", "1"]]);
        let message = Model::from_json(&file.to_string()).unwrap_err().to_string();
        assert_eq!(
            message,
            format!("model: {field} is not positive semi-definite, so no correlation matrix")
        );
        file[field] = json!([["1"], ["0.9", "1"], ["0.8", "0.9", "1"]]);
    }
    Model::from_json(&file.to_string()).unwrap();
}

#[test]
fn a_linear_perpetual_has_its_quantile_move_and_nothing_else() {
    let universe = universe();
    let book = Book::empty(&universe).hold("BTC_USDC-PERPETUAL", "2", Some("64010.5"));
    let evaluation = evaluate(&preset(), &book);
    // 2.326 · 0.035 · 2 · 64010.5
    assert!(
        (approximate(&evaluation.initial) - 10_422.189_61).abs() < 1e-4,
        "{}",
        approximate(&evaluation.initial)
    );
    assert!((approximate(&evaluation.maintenance) - 0.8 * 10_422.189_61).abs() < 1e-4);
}

#[test]
fn an_inverse_perpetual_and_the_coin_that_it_hedges_have_no_delta() {
    let universe = universe();
    // Short 64010.5 USD at the mark against one coin: the carry owes what the coin is.
    let book = Book::empty(&universe)
        .coins("beta", "BTC", "1")
        .hold("BTC-PERPETUAL", "-6401", Some("64010"));
    let evaluation = evaluate(&preset(), &book);
    assert!(
        approximate(&evaluation.initial) < 1e-3,
        "{}",
        approximate(&evaluation.initial)
    );
    let (excess, _) = surplus(&preset(), &book, Level::Initial);
    assert!(excess.is_positive());
}

#[test]
fn underlyings_that_offset_each_other_do_so_by_their_correlation() {
    let universe = universe();
    let book = Book::empty(&universe)
        .coins("beta", "BTC", "1")
        .coins("alpha", "ETH", "-20");
    let evaluation = evaluate(&preset(), &book);
    let (btc, eth) = (2.326 * 0.035 * 64_000.0, 2.326 * 0.045 * 36_000.0);
    let exact = libm::sqrt(btc * btc + eth * eth - 1.6 * btc * eth);
    assert!((approximate(&evaluation.initial) - exact).abs() < 1e-6);
}

#[test]
fn short_gamma_costs_and_long_gamma_does_not() {
    let universe = universe();
    let model = preset();
    let parts = |contracts: &str| {
        let book = Book::empty(&universe).hold("BTC-28AUG26-70000-C", contracts, None);
        let evaluation = evaluate(&model, &book);
        evaluation
            .components
            .iter()
            .map(|part| approximate(&part.initial))
            .collect::<Vec<_>>()
    };
    let (long, short) = (parts("1"), parts("-1"));
    assert_eq!((long[0], long[2]), (short[0], short[2]), "delta and vega are symmetric");
    assert_eq!(long[1], 0.0);
    assert!(short[1] > 0.0);
}

/// splitmix64
struct Random(u64);

impl Random {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % bound
    }
}

#[test]
fn the_program_is_the_rule_but_for_its_stated_bound_on_random_books() {
    let universe = universe();
    let singular = changed("/price_correlations", json!([["1"], ["1", "1"]])).unwrap();
    let opposite = changed("/price_correlations", json!([["1"], ["-1", "1"]])).unwrap();
    let apart = changed("/collateral_in_delta", json!(false)).unwrap();
    let in_coins = changed("/numeraire", json!("BTC")).unwrap();
    let mut random = Random(7);
    for model in [preset(), singular, opposite, apart, in_coins] {
        for round in 0..24 {
            let mut book = Book::empty(&universe);
            for line in universe.venues().iter().flat_map(|venue| &venue.lines) {
                let counts = match line {
                    Line::Instrument(instrument) => {
                        !["BTC-GONE-60000-C", "SOL-PERPETUAL"].contains(&instrument.name.as_str())
                    }
                    Line::Asset(asset) => asset.name != "DUST",
                };
                for leg in line.legs() {
                    if counts && random.below(3) == 0 {
                        let size = random.below(1 + round);
                        book.q[leg.index()] = random.below(2 << size);
                    }
                }
            }
            let evaluation = evaluate(&model, &book);
            for level in [Level::Initial, Level::Maintenance] {
                let exact = &evaluation.value - evaluation.requirement(level);
                let (shown, bound) = surplus(&model, &book, level);
                assert!(shown <= exact, "above the rule by {}", approximate(&(&shown - &exact)));
                // And what the factors of the correlations are over them, at most 1e-6 of what they are applied to.
                let amounts = match &evaluation.picture {
                    oracle::Picture::Sensitivities(list) => {
                        list.iter().fold(BigRational::zero(), |sum, (_, x)| sum + x)
                    }
                    _ => panic!("another picture"),
                };
                let slack = amounts * BigRational::new(1.into(), 1_000_000.into());
                assert!(
                    shown >= &exact - bound - slack,
                    "below the rule by {}",
                    approximate(&(exact - shown))
                );
            }
        }
    }
}

#[test]
fn a_long_and_a_short_of_one_instrument_together_never_help() {
    let universe = universe();
    let model = preset();
    let hedged = Book::empty(&universe)
        .coins("beta", "BTC", "3")
        .hold("BTC-28AUG26-70000-C", "-5", None)
        .hold("BTC-PERPETUAL", "-100", Some("64000"));
    let both = |name: &str| {
        let mut q = hedged.q.clone();
        let pair = instrument(&universe, name).pair();
        q[pair.first.index()] += 7;
        q[pair.second.index()] += 7;
        Book { universe: &universe, q }
    };
    let before = surplus(&model, &hedged, Level::Initial).0;
    for name in [
        "BTC-28AUG26-70000-C",
        "BTC-PERPETUAL",
        "BTC_USDC-PERPETUAL",
        "ETH-28AUG26-2000-P",
    ] {
        assert!(surplus(&model, &both(name), Level::Initial).0 <= before, "{name}");
    }
}
