#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

mod figures;
mod thresholds;

use num_bigint::BigInt;
use num_rational::BigRational;
use num_traits::{Signed, Zero};
use serde_json::{Value, json};
use zkmargin_program::WitnessError;

use crate::market::Snapshot;
use crate::model::{Model, ModelError};
use crate::oracle::{self, OracleError, Picture};
use crate::report::{Report, approximate};
use crate::terms::{Level, Terms};
use crate::universe::Universe;

const TEN_DAY: &str = include_str!("../../../presets/simm-2.5.json");
const ONE_DAY: &str = include_str!("../../../presets/simm-2.5-1d.json");

/// Product class, risk type, qualifier, bucket, label1, label2, USD.
type Row<'a> = (&'a str, &'a str, &'a str, &'a str, &'a str, &'a str, i64);

struct World {
    universe: Universe,
    snapshot: Snapshot,
    book: Vec<u64>,
}

/// Money of 10^12 USD and these sensitivities, lots of a dollar.
fn world(rows: &[Row<'_>]) -> World {
    let mut lines = vec![json!({"asset": {"name": "USD", "lot": "1", "reserve": true}})];
    for (index, (product, risk_type, qualifier, bucket, label1, label2, _)) in rows.iter().enumerate() {
        let sensitivity = json!({"risk_type": risk_type, "qualifier": qualifier, "bucket": bucket, "label1": label1, "label2": label2});
        lines.push(json!({"instrument": {"name": format!("S{index}"), "underlying": product, "kind": {"sensitivity": sensitivity},
            "style": "linear", "settlement": "USD", "contract": "1", "lot": "1"}}));
    }
    let venues = json!([{"name": "v", "keys": ["11".repeat(32)], "lines": lines}]);
    let universe = Universe::from_json(&json!({"network": "test", "k": 9, "venues": venues}).to_string()).unwrap();
    let nothing: [&str; 0] = [];
    let provenance = json!({"source": "none", "licence": "none", "importer": "none", "recorded": nothing, "derived": nothing, "assumed": nothing, "warnings": 0});
    let snapshot = json!({"instant": "2026-01-01T00:00:00Z", "provenance": provenance, "assets": {"USD": "1"}, "underlyings": {"BTC": {"index": "1", "rate": "0"}}});
    let mut book = vec![0; universe.layout().slots()];
    book[0] = 1_000_000_000_000;
    for (index, row) in rows.iter().enumerate() {
        let instrument = universe.lookup("v", &format!("S{index}")).unwrap();
        let leg = if row.6 < 0 { instrument.short } else { instrument.long };
        book[leg.index()] = row.6.unsigned_abs();
    }
    World {
        universe,
        snapshot: Snapshot::from_json(&snapshot.to_string()).unwrap(),
        book,
    }
}

impl World {
    fn model_refusal(&self, model: &Model) -> String {
        let program = model.compile(&self.universe, &self.snapshot, &Terms::at(Level::Initial));
        program.unwrap_err().to_string()
    }

    fn requirement(&self, model: &Model) -> BigRational {
        let evaluation = oracle::evaluate(model, &self.universe, &self.snapshot, &self.book).unwrap();
        evaluation.initial
    }

    /// The least requirement that the program shows, its stated bound, both in USD; nothing if something is concentrated.
    fn shown(&self, model: &Model) -> Option<(BigRational, BigRational)> {
        let program = model
            .compile(&self.universe, &self.snapshot, &Terms::at(Level::Initial))
            .unwrap();
        let unit = BigRational::new(1.into(), BigInt::from(10).pow(10));
        match program.witness(&self.book) {
            Ok(witness) => program.check(&self.book, witness.values()).unwrap(),
            Err(WitnessError::NotMet { name }) if name.starts_with("concentration") => return None,
            Err(other) => panic!("{other}"),
        }
        let surplus = program.surplus(&self.book).unwrap();
        let margin = surplus
            .iter()
            .find(|(name, _)| name == crate::model::REQUIREMENT)
            .unwrap()
            .1;
        let value = BigRational::from_integer(BigInt::from(self.book[0]));
        let bound = BigRational::from_integer(program.rounding_bound(&self.book).into()) * &unit;
        Some((value - BigRational::from_integer(margin.into()) * unit, bound))
    }
}

fn model(text: &str) -> Model {
    Model::from_json(text).unwrap()
}

fn changed(pointer: &str, to: Value) -> Result<Model, ModelError> {
    let mut file: Value = serde_json::from_str(TEN_DAY).unwrap();
    *file.pointer_mut(pointer).unwrap() = to;
    Model::from_json(&file.to_string())
}

#[test]
fn more_risk_factors_than_a_matrix_is_made_of_are_refused_before_it_is() {
    let labels: Vec<String> = (0..1025).map(|index| format!("curve {index}")).collect();
    let row = |label| ("RatesFX", "Risk_IRCurve", "EUR", "1", "5y", label, 0);
    let rows: Vec<Row<'_>> = labels.iter().map(|label| row(label.as_str())).collect();
    let refused = world(&rows).model_refusal(&model(TEN_DAY));
    assert_eq!(
        refused,
        "1025 risk factors in the RatesFX delta margin are more than the 1024 that are compiled"
    );
}

// Figures of the tests of AcadiaSoft's simm-lib (MIT), which are those of ISDA's unit tests; whole USD.
#[test]
fn the_figures_of_the_published_tests_come_out_and_the_program_shows_them() {
    let cases: [(&str, &str, &[Row<'_>], i64); 8] = [
        (
            "testC9",
            TEN_DAY,
            &[("RatesFX", "Risk_IRCurve", "EUR", "1", "5y", "Libor12m", 25_000_000)],
            1_300_000_000,
        ),
        (
            "testC57",
            TEN_DAY,
            &[
                ("RatesFX", "Risk_IRCurve", "EUR", "1", "3y", "Libor3m", -2_000_000),
                ("RatesFX", "Risk_IRCurve", "EUR", "1", "3y", "Libor6m", 5_000_000),
            ],
            169_856_410,
        ),
        (
            "testC65",
            TEN_DAY,
            &[
                ("RatesFX", "Risk_IRCurve", "USD", "1", "3m", "Municipal", -3_000_000),
                ("RatesFX", "Risk_IRCurve", "JPY", "2", "2w", "Libor1m", -1_000_000),
                ("RatesFX", "Risk_IRCurve", "CNY", "3", "3m", "Libor1m", -500_000),
            ],
            304_401_380,
        ),
        (
            "testC113",
            TEN_DAY,
            &[
                ("Credit", "Risk_CreditQ", "ISIN:CA82028KAP62", "3", "3y", "GBP", 180_000),
                (
                    "Credit",
                    "Risk_CreditQ",
                    "ISIN:CA82028KAP62",
                    "3",
                    "5y",
                    "JPY",
                    -100_000,
                ),
            ],
            7_366_769,
        ),
        (
            "testC305",
            TEN_DAY,
            &[("RatesFX", "Risk_IRVol", "CNY", "", "2y", "", 50_000_000)],
            25_431_378,
        ),
        (
            "testC313",
            TEN_DAY,
            &[("RatesFX", "Risk_IRVol", "JPY", "", "15y", "", -100_000_000)],
            18_000_000,
        ),
        (
            "testC336",
            ONE_DAY,
            &[("RatesFX", "Risk_FXVol", "USDGBP", "", "3m", "", 24_000_000)],
            35_410_613,
        ),
        (
            "testC440",
            ONE_DAY,
            &[(
                "Commodity",
                "Risk_CommodityVol",
                "NA Power ERCOT",
                "8",
                "5y",
                "",
                7_000_000,
            )],
            54_874_729,
        ),
    ];
    for (name, preset, rows, expected) in cases {
        let (world, model) = (world(rows), model(preset));
        let exact = world.requirement(&model);
        let rounded = exact.round().to_integer();
        assert_eq!(rounded, BigInt::from(expected), "{name}: {}", approximate(&exact));
        let (shown, _) = world.shown(&model).unwrap();
        assert!(shown >= exact, "{name}");
        let over = approximate(&(shown / exact)) - 1.0;
        assert!(over < 1e-7, "{name}: {over}");
    }
}

#[test]
fn a_book_above_its_threshold_has_a_requirement_and_no_proof() {
    // testC193: 12 million against a threshold of 10.
    let rows: &[Row<'_>] = &[("Equity", "Risk_Equity", "ISIN:INE044A01036", "1", "", "", 12_000_000)];
    let (above, model) = (world(rows), model(TEN_DAY));
    assert_eq!(
        above.requirement(&model).round().to_integer(),
        BigInt::from(341_778_876)
    );
    assert!(above.shown(&model).is_none());
    let mut at = world(rows);
    let leg = at.universe.lookup("v", "S0").unwrap().long;
    at.book[leg.index()] = 10_000_000;
    let (shown, _) = at.shown(&model).unwrap();
    assert_eq!(shown, at.requirement(&model));
    at.book[leg.index()] += 1;
    assert!(at.shown(&model).is_none());
    assert!(at.shown(&self::model(ONE_DAY)).is_some(), "one day has no thresholds");
}

#[test]
fn multipliers_notionals_and_fixed_amounts_are_added() {
    let mut file: Value = serde_json::from_str(TEN_DAY).unwrap();
    file["multipliers"] = json!({"RatesFX": "1.5"});
    file["notional_factors"] = json!({"Product Alpha": "0.125"});
    file["fixed"] = json!("30000000");
    let model = Model::from_json(&file.to_string()).unwrap();
    let world = world(&[
        ("RatesFX", "Risk_IRCurve", "EUR", "1", "5y", "", 1_000_000),
        ("AddOn", "Notional", "Product Alpha", "", "", "", -80_000_000),
    ]);
    // 1.5 · 52 · 10^6 + 0.125 · 80 · 10^6 + 30 · 10^6
    assert_eq!(world.requirement(&model), BigRational::from_integer(118_000_000.into()));
    assert_eq!(world.shown(&model).unwrap().0, world.requirement(&model));
    let evaluation = oracle::evaluate(&model, &world.universe, &world.snapshot, &world.book).unwrap();
    let sum = evaluation
        .components
        .iter()
        .fold(BigRational::zero(), |sum, part| sum + &part.initial);
    assert_eq!(sum, evaluation.initial);
}

#[test]
fn what_the_model_does_not_know_is_proven_empty() {
    for row in [
        ("RatesFX", "Risk_IRCurve", "EUR", "1", "4y", "", 1),
        ("RatesFX", "Risk_FXVol", "EURO", "", "1y", "", 1),
        ("RatesFX", "Risk_IRVol", "EUR", "", "", "", 1),
        ("Equity", "Risk_Equity", "SPX", "13", "", "", 1),
        ("Weather", "Risk_Equity", "SPX", "11", "", "", 1),
        ("AddOn", "Notional", "Product Alpha", "", "", "", 1),
    ] {
        let (world, model) = (world(&[row]), model(TEN_DAY));
        let by_oracle = oracle::evaluate(&model, &world.universe, &world.snapshot, &world.book);
        assert!(matches!(by_oracle, Err(OracleError::NotCounted(_))), "{row:?}");
        let program = model
            .compile(&world.universe, &world.snapshot, &Terms::at(Level::Initial))
            .unwrap();
        assert!(
            matches!(program.witness(&world.book), Err(WitnessError::NotEmpty { .. })),
            "{row:?}"
        );
        let scenario = Model::preset("paradex-pm").unwrap();
        let refused = oracle::evaluate(&scenario, &world.universe, &world.snapshot, &world.book);
        assert!(matches!(refused, Err(OracleError::NotCounted(_))));
    }
    // An exchange rate with itself is no risk.
    let world = world(&[("RatesFX", "Risk_FX", "USD", "", "", "", 1_000_000)]);
    assert!(world.requirement(&model(TEN_DAY)).is_zero());
}

#[test]
fn each_refusal_names_its_field() {
    for (pointer, to, said) in [
        ("/curvature_tail", json!("0.9"), "curvature_tail"),
        (
            "/risk_class_correlations/1/0",
            json!("-0.1"),
            "risk_class_correlations[1][0]",
        ),
        (
            "/risk_class_correlations/5/0",
            json!("1"),
            "risk_class_correlations is not positive semi-definite",
        ),
        (
            "/equity/bucket_correlations/9/0",
            json!("1"),
            "equity.bucket_correlations is not positive semi-definite",
        ),
        (
            "/interest_rate/tenor_correlations/11/0",
            json!("0.9"),
            "interest_rate.tenor_correlations is not positive",
        ),
        (
            "/interest_rate/inflation_correlation",
            json!("1"),
            "interest_rate is not positive semi-definite",
        ),
        ("/interest_rate/groups/0/weights", json!(["1"]), "weights"),
        ("/interest_rate/groups/1/currencies/0", json!("USD"), "USD"),
        ("/interest_rate/tenors/0", json!("2d"), "interest_rate.tenors"),
        (
            "/fx/correlations/regular/regular_high",
            json!("0.9"),
            "fx.correlations.regular is not positive",
        ),
        ("/fx/thresholds", json!(["1"]), "fx.thresholds"),
        (
            "/credit_qualifying/same_correlation",
            json!("0.1"),
            "credit_qualifying.buckets.1.correlation",
        ),
        ("/credit_qualifying/residual", json!("12"), "credit_qualifying.residual"),
        (
            "/equity/buckets/0/correlation",
            json!("-0.1"),
            "equity.buckets.1.correlation",
        ),
        ("/equity/buckets/0/threshold", json!("0"), "threshold"),
        ("/assets/USD/haircut", json!("1.1"), "assets.USD.haircut"),
    ] {
        let message = changed(pointer, to)
            .err()
            .map_or_else(String::new, |error| error.to_string());
        assert!(message.contains(said), "{pointer}: {message}");
    }
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

    fn pick<'a>(&mut self, of: &[&'a str]) -> &'a str {
        of[usize::try_from(self.below(of.len() as u64)).unwrap()]
    }
}

fn random_row(random: &mut Random, single: bool) -> Row<'static> {
    const TENORS: [&str; 5] = ["2w", "6m", "1y", "5y", "30y"];
    const CURRENCIES: [&str; 5] = ["USD", "EUR", "JPY", "AUD", "BRL"];
    const NAMES: [&str; 4] = ["A", "B", "C", "D"];
    let bucket = random.pick(&["1", "2", "7", "8", "12"]);
    let credit = random.pick(&["1", "2", "8", "Residual"]);
    let (tenor, currency, name) = (random.pick(&TENORS), random.pick(&CURRENCIES), random.pick(&NAMES));
    // Of one factor to a bucket, where that is asked.
    let (tenor, name) = if single { ("1y", "A") } else { (tenor, name) };
    let amount = i64::try_from(random.below(180_000)).unwrap() - 90_000;
    match random.below(12) {
        0 | 1 => (
            "RatesFX",
            "Risk_IRCurve",
            currency,
            "",
            tenor,
            if single { "" } else { name },
            amount,
        ),
        2 => (
            "RatesFX",
            if single { "Risk_IRCurve" } else { "Risk_Inflation" },
            currency,
            "",
            "1y",
            "",
            amount,
        ),
        3 => (
            "Credit",
            if single { "Risk_IRCurve" } else { "Risk_XCcyBasis" },
            currency,
            "",
            "1y",
            "",
            amount,
        ),
        4 => ("RatesFX", "Risk_FX", currency, "", "", "", amount),
        5 => ("Credit", "Risk_CreditQ", name, credit, tenor, "", amount),
        6 => (
            "Credit",
            "Risk_CreditNonQ",
            name,
            if credit == "8" { "2" } else { credit },
            tenor,
            "",
            amount,
        ),
        7 => ("Credit", "Risk_BaseCorr", name, "", "", "", amount),
        8 => ("Equity", "Risk_Equity", name, bucket, "", "", amount),
        9 => ("Commodity", "Risk_Commodity", name, bucket, "", "", amount),
        10 if !single => ("RatesFX", "Risk_IRVol", currency, "", tenor, "", amount),
        _ if !single => ("Equity", "Risk_EquityVol", name, bucket, tenor, "", amount),
        _ => ("Commodity", "Risk_Commodity", name, bucket, "", "", amount),
    }
}

#[test]
fn the_program_is_never_below_the_rule_and_above_it_by_a_part_on_random_books() {
    let model = model(TEN_DAY);
    let mut random = Random(11);
    let mut overs = Vec::new();
    for round in 0..60 {
        let rows: Vec<Row<'_>> = (0..2 + round % 16).map(|_| random_row(&mut random, false)).collect();
        let world = world(&rows);
        let exact = world.requirement(&model);
        let (shown, _) = world.shown(&model).unwrap();
        assert!(shown >= exact, "{rows:?}: {} below", approximate(&(&exact - &shown)));
        overs.push(approximate(&(shown / exact)) - 1.0);
    }
    overs.sort_by(f64::total_cmp);
    let (median, most) = (overs[overs.len() / 2], overs[overs.len() - 1]);
    println!("over the rule: median {median:.4}, most {most:.4}");
    assert!(median < 0.05 && most < 0.5, "median {median}, most {most}");
}

#[test]
fn with_one_factor_in_each_bucket_the_program_is_the_rule() {
    let model = model(TEN_DAY);
    let mut random = Random(5);
    for _ in 0..30 {
        let mut rows: Vec<Row<'_>> = (0..8).map(|_| random_row(&mut random, true)).collect();
        // One negative bucket correlation would not be exact: bucket 12 has them.
        rows.retain(|row| !(row.0 == "Commodity" && row.3 == "12"));
        let world = world(&rows);
        let exact = world.requirement(&model);
        let (shown, _) = world.shown(&model).unwrap();
        assert!(shown >= exact);
        assert!(
            shown <= &exact * BigRational::new(1_000_001.into(), 1_000_000.into()),
            "{rows:?}"
        );
    }
}

#[test]
fn a_long_and_a_short_of_one_sensitivity_together_never_help() {
    let model = model(TEN_DAY);
    let mut random = Random(3);
    for _ in 0..12 {
        let rows: Vec<Row<'_>> = (0..8).map(|_| random_row(&mut random, false)).collect();
        let mut world = world(&rows);
        let before = world.shown(&model).unwrap().0;
        let exact = world.requirement(&model);
        for index in 0..rows.len() {
            let pair = world.universe.lookup("v", &format!("S{index}")).unwrap().pair();
            world.book[pair.first.index()] += 1_000;
            world.book[pair.second.index()] += 1_000;
        }
        assert_eq!(world.requirement(&model), exact);
        assert!((world.shown(&model).unwrap().0 - before) >= BigRational::zero());
    }
    assert!(!exact_is_negative());
}

/// No margin is negative, whatever is held.
fn exact_is_negative() -> bool {
    let model = model(ONE_DAY);
    let mut random = Random(23);
    (0..20).any(|_| {
        let rows: Vec<Row<'_>> = (0..5).map(|_| random_row(&mut random, false)).collect();
        world(&rows).requirement(&model).is_negative()
    })
}

#[test]
fn a_book_of_sensitivities_has_a_report_and_no_greeks() {
    let model = Model::from_json(TEN_DAY).unwrap();
    let world = world(&[
        ("RatesFX", "Risk_IRCurve", "USD", "1", "5y", "OIS", 300),
        ("Equity", "Risk_Equity", "ISIN", "2", "", "", -200),
    ]);
    let terms = Terms::at(Level::Initial);
    let report = Report::new(&model, &world.universe, &world.snapshot, &terms, &world.book).unwrap();
    assert!(report.greeks.is_empty() && report.is_met());
    let Picture::WeightedSensitivities(factors) = &report.evaluation.picture else {
        panic!("no tornado");
    };
    let names: Vec<&str> = factors.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["Equity Risk_Equity 2 ISIN", "RatesFX Risk_IRCurve USD 5y OIS"]);
    // The short one to the other side.
    assert!(factors[0].1.is_negative() && factors[1].1.is_positive());
}
