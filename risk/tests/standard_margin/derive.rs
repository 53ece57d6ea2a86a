//! `derive-standard`.

use num_rational::BigRational;
use num_traits::{Signed, Zero};
use zkmargin_risk::case::Case;
use zkmargin_risk::terms::Level;
use zkmargin_risk::universe::{Kind, Right};

use crate::world::{Bench, Random, cases, snapshot, universe};

const PRESET: &str = include_str!("../../presets/derive-standard.json");

fn bench(random: &mut Random) -> Bench {
    let market = snapshot(random);
    // Every other market counts in USD, where a coin of USDC is not one.
    let model = match random.below(2) {
        0 => PRESET.to_owned(),
        _ => PRESET.replace(r#""numeraire": "USDC""#, r#""numeraire": "USD""#),
    };
    Bench::new(&model, universe(), market)
}

/// Adds long calls at the highest strike until no expiry has more calls short than long: then listed strikes are as good
/// as held ones.
fn pair_calls(bench: &Bench, book: &mut [u64]) {
    let short: u64 = book.iter().copied().filter(|lots| *lots < 1 << 17).sum();
    for (_, instrument) in bench.universe.instruments() {
        if let Kind::Option {
            strike,
            right: Right::Call,
            ..
        } = instrument.kind
            && ["80000", "2400"].contains(&strike.to_string().as_str())
        {
            book[instrument.long.index()] += short;
        }
    }
}

#[test]
fn what_the_program_admits_the_rule_admits() {
    for seed in 0..cases() {
        let mut random = Random(seed);
        let bench = bench(&mut random);
        for _ in 0..6 {
            for both in bench.both(&bench.book(&mut random)) {
                assert!(both.program <= both.oracle, "seed {seed} at {:?}", both.level);
            }
        }
    }
}

#[test]
fn the_program_is_exact_within_its_bound_where_calls_are_paired() {
    for seed in 0..cases() {
        let mut random = Random(seed);
        let bench = bench(&mut random);
        for _ in 0..6 {
            let mut book = bench.book(&mut random);
            pair_calls(&bench, &mut book);
            for both in bench.both(&book) {
                assert!(
                    both.oracle - both.bound <= both.program,
                    "seed {seed} at {:?}",
                    both.level
                );
            }
        }
    }
}

#[test]
fn where_held_strikes_are_asked_for_the_program_is_exact_for_every_book() {
    let model = PRESET.replace(r#""depeg""#, r#""settlements": "held", "depeg""#);
    let (mut gaps, mut books) = (0, 0);
    for seed in 0..cases() {
        let mut random = Random(seed);
        let market = snapshot(&mut random);
        let [held, listed] = [&model, PRESET].map(|model| Bench::new(model, universe(), market.clone()));
        for _ in 0..6 {
            let book = held.book(&mut random);
            for (exact, listed) in held.both(&book).into_iter().zip(listed.both(&book)) {
                assert!(
                    exact.program <= exact.oracle && &exact.oracle - &exact.bound <= exact.program,
                    "seed {seed}"
                );
                assert!(listed.program <= exact.oracle, "seed {seed}");
                gaps += u64::from(&listed.oracle - &listed.bound > listed.program);
                books += 1;
            }
        }
    }
    println!("listed strikes ask for more in {gaps} of {books} cases");
    assert!(gaps > 0);
}

#[test]
fn initial_asks_for_at_least_maintenance() {
    for seed in 0..cases() {
        let mut random = Random(seed);
        let bench = bench(&mut random);
        let evaluation = bench.evaluate(&bench.book(&mut random));
        assert!(evaluation.initial >= evaluation.maintenance && !evaluation.maintenance.is_negative());
    }
}

#[test]
fn the_requirement_of_an_expiry_is_the_smaller_of_its_parts() {
    let mut decided = [0, 0];
    for seed in 0..cases() {
        let mut random = Random(seed);
        let bench = bench(&mut random);
        let mut book = bench.book(&mut random);
        pair_calls(&bench, &mut book);
        for component in bench.evaluate(&book).components {
            if let [isolated, max_loss] = component.parts.as_slice() {
                let smaller = isolated.initial.clone().min(max_loss.initial.clone());
                assert_eq!(component.initial, smaller);
                decided[usize::from(max_loss.initial < isolated.initial)] += 1;
            }
        }
    }
    assert!(decided.iter().all(|count| *count > 0), "{decided:?}");
}

/// Figures of v2-core's `StandardManager` tests: `test_short_call_spread_with_offset` and
/// `test_short_options_two_expiries_low_conf_one_expiry` (portfolio tests), `testCase21` and `testCase25`.
#[test]
fn figures_of_the_venues_own_tests_come_out() {
    let spread = r#"{"1100":{"volatility":"0.5","call":{}},"1200":{"volatility":"0.5","call":{}}}"#;
    let near = format!(r#"{{"2024-01-11T08:00:00Z":{{"forward":"2002.83305","strikes":{spread}}}}}"#);
    check(
        &case(
            &near,
            "2000",
            &[
                ("c", "2024-01-11T08:00:00Z", "1100", "call", "-1.01"),
                ("c", "2024-01-11T08:00:00Z", "1200", "call", "1"),
            ],
        ),
        (-125.033_997, -123.031_164),
    );
    let put = r#"{"2024-01-06T19:00:00Z":{"forward":"1500.833279310994","strikes":{"4500":{"volatility":"1.5973444422286496","put":{}}}}}"#;
    check(
        &case(put, "1500", &[("p", "2024-01-06T19:00:00Z", "4500", "put", "-1")]),
        (-3_385.309_438, -3_224.104_227),
    );
    let unsure = r#"{"2024-01-18T08:00:00Z":{"forward":"2004.75","strikes":{"2000":{"volatility":"0.5","call":{}}},"confidence":"0.3"},
        "2024-02-27T08:00:00Z":{"forward":"2015.7696","strikes":{"2300":{"volatility":"0.5","put":{}}}}}"#;
    check(
        &case(
            unsure,
            "2000",
            &[
                ("c", "2024-01-18T08:00:00Z", "2000", "call", "-1"),
                ("p", "2024-02-27T08:00:00Z", "2300", "put", "-2"),
            ],
        ),
        (-2_246.683_475, -1_236.683_475),
    );
}

/// The parameters of those tests, and options on ETH settled in USDC.
fn case(expiries: &str, index: &str, options: &[(&str, &str, &str, &str, &str)]) -> Case {
    let (mut lines, mut positions) = (Vec::new(), Vec::new());
    for (name, expiry, strike, right, contracts) in options {
        let name = format!("{name}{strike}");
        lines.push(format!(
            r#"{{"instrument":{{"name":"{name}","underlying":"ETH","kind":{{"option":{{"expiry":"{expiry}","strike":"{strike}","right":"{right}"}}}},"style":"linear","settlement":"USDC","contract":"1","lot":"0.01"}}}}"#
        ));
        positions.push(format!(r#"{{"instrument":"{name}","contracts":"{contracts}"}}"#));
    }
    let text = format!(
        r#"{{"model":{{"model":"derive-standard","name":"v2-core","description":"","numeraire":"USDC","assets":{{"USDC":{{"haircut":"0"}}}},
"depeg":{{"asset":"USDC","threshold":"0.98","factor":"1.2"}},
"underlyings":{{"ETH":{{"futures":{{"initial":"0.065","maintenance":"0.05"}},
"short_option":{{"initial":"0.15","initial_least":"0.1","maintenance_call":"0.075","maintenance_put":"0.075","maintenance_put_mark":"0.075","initial_put_scale":"1.05"}},
"unpaired":{{"initial":"1.2","maintenance":"1.1"}},
"oracle":{{"option_threshold":"0.4","future_threshold":"0.4","base_threshold":"0.4","factor":"0.4"}}}}}}}},
"snapshot":{{"instant":"2024-01-01T00:00:00Z","provenance":{{"source":"v2-core","licence":"-","importer":"-","recorded":[],"derived":[],"assumed":[],"warnings":0}},
"assets":{{"USDC":"1"}},"underlyings":{{"ETH":{{"index":"{index}","rate":"0","expiries":{expiries}}}}}}},
"venues":[{{"name":"v","lines":[{{"asset":{{"name":"USDC","lot":"0.0001","carry":false,"reserve":true}}}},{}]}}],
"accounts":[{{"venue":"v","positions":[{}]}}]}}"#,
        lines.join(","),
        positions.join(",")
    );
    Case::from_json(&text).unwrap()
}

/// Excess at initial and maintenance, to 1e-6.
fn check(case: &Case, (initial, maintenance): (f64, f64)) {
    let near = BigRational::new(1.into(), 1_000_000.into());
    let evaluation = case.evaluate().unwrap();
    for (level, expected) in [(Level::Initial, initial), (Level::Maintenance, maintenance)] {
        let exact = &evaluation.value - evaluation.requirement(level);
        let expected = BigRational::from_float(expected).unwrap();
        assert!((&exact - expected).abs() < near, "{exact} at {level:?}");
        let (program, bound, _) = case.program_excess(level).unwrap();
        assert!(program <= exact && &exact - bound <= program);
    }
}

#[test]
fn a_short_call_alone_needs_its_isolated_margin_whatever_else_is_listed() {
    let bench = bench(&mut Random(1));
    let mut book = vec![0; bench.universe.layout().slots()];
    let (_, call) = bench
        .universe
        .instruments()
        .find(|(_, i)| i.name == "BTC-linear-N-64000-call")
        .unwrap();
    book[call.short.index()] = 10;
    for both in bench.both(&book) {
        assert!(both.program <= both.oracle && &both.oracle - &both.bound <= both.program);
        assert!(both.oracle < BigRational::zero());
    }
}
