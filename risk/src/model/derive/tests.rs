#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use num_bigint::BigInt;
use num_rational::BigRational;
use num_traits::{Signed, Zero};
use rust_decimal::Decimal;
use serde_json::{Value, json};

use crate::case::Case;
use crate::market::{Expiry, Quote, Snapshot, Strike};
use crate::model::derive::parameters::{Row, Shock};
use crate::model::derive::values::{Prices, Table};
use crate::model::fixture;
use crate::model::{Model, ModelError, PRESETS};
use crate::oracle;
use crate::pricing;
use crate::terms::{Level, Ratio20, Terms};
use crate::universe::{Instrument, Kind, Line, Right, Style, Universe};

const LEVELS: [Level; 2] = [Level::Initial, Level::Maintenance];

fn preset(name: &str) -> Value {
    let (_, text) = PRESETS.iter().find(|(preset, _)| *preset == name).unwrap();
    serde_json::from_str(text).unwrap()
}

fn model(file: &Value) -> Result<Model, ModelError> {
    Model::from_json(&file.to_string())
}

/// A preset with one value changed.
fn with(name: &str, pointer: &str, value: Value) -> Value {
    let mut file = preset(name);
    *file.pointer_mut(pointer).unwrap() = value;
    file
}

/// Numbers from a seed (splitmix64).
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

/// Some of what counts, one line in `one_in`; sometimes both legs of a pair, as accounts that are added up have them.
fn book(model: &Model, universe: &Universe, snapshot: &Snapshot, random: &mut Random, one_in: u64) -> Vec<u64> {
    let uncounted: Vec<String> = model
        .uncounted(universe, snapshot)
        .into_iter()
        .map(|line| line.line)
        .collect();
    let mut q = vec![0; universe.layout().slots()];
    for line in universe.venues().iter().flat_map(|venue| &venue.lines) {
        let (name, bits) = match line {
            Line::Instrument(instrument) => (instrument.name.clone(), 8),
            Line::Asset(asset) => (asset.label(), 34),
        };
        if uncounted.contains(&name) || random.below(one_in) > 0 {
            continue;
        }
        let legs = line.legs();
        let first = usize::try_from(random.below(2)).unwrap();
        q[legs[first].index()] = random.below(1 << bits);
        if random.below(8) == 0 {
            q[legs[1 - first].index()] = random.below(1 << (bits - 3));
        }
        for leg in legs.iter().skip(2) {
            if random.below(2) == 0 {
                q[leg.index()] = random.below(1 << (bits - 2));
            }
        }
    }
    q
}

/// What the program leaves on the table: the exact excess less the largest that a prover can show, and the stated bound.
fn gap(model: &Model, universe: &Universe, snapshot: &Snapshot, level: Level, q: &[u64]) -> (BigRational, BigRational) {
    let program = model.compile(universe, snapshot, &Terms::at(level)).unwrap();
    let unit = BigRational::new(1.into(), BigInt::from(10).pow(10));
    let shown = program
        .surplus(q)
        .unwrap()
        .into_iter()
        .map(|(_, units)| units)
        .min()
        .unwrap();
    let evaluation = oracle::evaluate(model, universe, snapshot, q).unwrap();
    let parts = evaluation
        .components
        .iter()
        .fold(BigRational::zero(), |sum, part| sum + part.at(level));
    assert_eq!(&parts, evaluation.requirement(level));
    assert!(!parts.is_negative());
    let exact = evaluation.excess(level, Ratio20::ONE, 0);
    let bound = BigRational::from_integer(program.rounding_bound(q).into()) * &unit;
    (exact - BigRational::from_integer(shown.into()) * unit, bound)
}

/// A snapshot with a rate for one expiry, a part of another settled, and a numéraire off its peg.
fn odd_snapshot() -> Snapshot {
    let mut snapshot = fixture::snapshot();
    let decimal = |text: &str| crate::amount::parse(text).unwrap();
    snapshot.assets.insert("USDC".into(), decimal("0.9731"));
    let market = snapshot.underlyings.get_mut("BTC").unwrap();
    for (at, (_, expiry)) in market.expiries.iter_mut().enumerate() {
        expiry.rate = Some(decimal(if at == 0 { "0.21" } else { "-0.05" }));
        if at == 0 {
            expiry.settled = decimal("21400.125");
        }
    }
    snapshot.check().unwrap();
    snapshot
}

/// Both presets, PM2 with a discount of gains that is the larger, and with one that is the same.
fn exact_models() -> Vec<Model> {
    let mut inverted = preset("derive-pm2");
    let mut even = preset("derive-pm2");
    for underlying in ["BTC", "ETH"] {
        let of = |part: &str| format!("/underlyings/{underlying}/{part}");
        *inverted.pointer_mut(&of("positive_discount/base")).unwrap() = json!("1.05");
        *inverted.pointer_mut(&of("negative_discount/base")).unwrap() = json!("0.95");
        for part in ["positive_discount", "negative_discount"] {
            *even.pointer_mut(&of(part)).unwrap() = json!({"base": "0.9", "rate_factor": "0", "rate_add": "0"});
        }
    }
    let files = [preset("derive-pm2"), preset("derive-pmrm1"), inverted, even];
    files.iter().map(|file| model(file).unwrap()).collect()
}

#[test]
fn the_program_shows_the_exact_excess_less_at_most_the_stated_bound() {
    let universe = fixture::universe();
    let mut random = Random(1);
    let mut least = 0;
    for snapshot in [fixture::snapshot(), odd_snapshot()] {
        for model in exact_models() {
            for level in LEVELS {
                for _ in 0..8 {
                    let q = book(&model, &universe, &snapshot, &mut random, 2);
                    let (gap, bound) = gap(&model, &universe, &snapshot, level, &q);
                    assert!(!gap.is_negative(), "{} shows more than the rule: {gap}", model.name());
                    assert!(gap <= bound, "{}: {gap} is above {bound}", model.name());
                    least += usize::from(!gap.is_zero());
                }
            }
        }
    }
    assert!(least > 30, "{least} books were rounded");
}

#[test]
fn with_uncertain_prices_the_program_is_never_above_the_rule_and_meets_it_where_a_perpetual_is_held() {
    let universe = fixture::universe();
    let decimal = |text: &str| crate::amount::parse(text).unwrap();
    let mut snapshot = fixture::snapshot();
    snapshot.confidences.insert("BTC".into(), decimal("0.5"));
    snapshot.confidences.insert("USDC".into(), decimal("0.1"));
    let market = snapshot.underlyings.get_mut("BTC").unwrap();
    market.confidence = Some(decimal("0.54"));
    market.perpetual.as_mut().unwrap().confidence = Some(decimal("0.2"));
    market.expiries.values_mut().next().unwrap().confidence = Some(decimal("0.1"));
    snapshot.check().unwrap();
    let perpetual = fixture::instrument(&universe, "BTC-PERPETUAL").long;
    let mut random = Random(2);
    let mut charged = 0;
    for name in ["derive-pm2", "derive-pmrm1"] {
        let model = model(&preset(name)).unwrap();
        for _ in 0..16 {
            let mut q = book(&model, &universe, &snapshot, &mut random, 2);
            let (without, _) = gap(&model, &universe, &snapshot, Level::Initial, &q);
            assert!(!without.is_negative());
            q[perpetual.index()] = 1;
            let (exact, bound) = gap(&model, &universe, &snapshot, Level::Initial, &q);
            assert!(!exact.is_negative() && exact <= bound);
            charged += usize::from(without > bound);
        }
    }
    assert!(
        charged > 0,
        "no book without a perpetual was charged for its confidence"
    );
}

#[test]
fn the_conservative_file_never_shows_more_and_is_the_rule_where_no_skew_row_decides() {
    let universe = fixture::universe();
    let snapshot = fixture::snapshot();
    let mut file = preset("derive-pm2");
    file["conservative"] = json!(true);
    // Skew rows alone, and a wide gap between the discounts.
    let mut narrow = file.clone();
    narrow["grids"]["range-18"] = json!([{"move": "0", "volatility": "linear"}, {"move": "0", "volatility": "abs"}]);
    narrow["underlyings"]["BTC"]["positive_discount"]["base"] = json!("0.5");
    let mut random = Random(3);
    let (mut exact, mut above) = (0, 0);
    for file in [file, narrow] {
        let model = model(&file).unwrap();
        for _ in 0..12 {
            let q = book(&model, &universe, &snapshot, &mut random, 3);
            let (gap, bound) = gap(&model, &universe, &snapshot, Level::Initial, &q);
            assert!(!gap.is_negative());
            if gap <= bound { exact += 1 } else { above += 1 }
        }
    }
    assert!(exact > 0 && above > 0, "{exact} as the rule, {above} above");
}

#[test]
fn a_lot_of_both_legs_of_any_pair_never_helps() {
    let universe = fixture::universe();
    let snapshot = fixture::snapshot();
    let mut random = Random(4);
    for model in exact_models() {
        let program = model.compile(&universe, &snapshot, &Terms::at(Level::Initial)).unwrap();
        let mut q = book(&model, &universe, &snapshot, &mut random, 2);
        let uncounted = model.uncounted(&universe, &snapshot);
        let before = program.surplus(&q).unwrap();
        for line in universe.venues().iter().flat_map(|venue| &venue.lines) {
            let name = match line {
                Line::Instrument(instrument) => instrument.name.clone(),
                Line::Asset(asset) => asset.label(),
            };
            if uncounted.iter().any(|other| other.line == name) {
                continue;
            }
            for leg in line.legs().iter().take(2) {
                q[leg.index()] += 1;
            }
            let after = program.surplus(&q).unwrap();
            assert!(
                after.iter().zip(&before).all(|(after, before)| after.1 <= before.1),
                "{name}"
            );
        }
    }
}

/// A case on an underlying X with cash in USDC: `markets` and `lines` beside what every case has.
fn case(model: Value, market: Value, lines: Vec<Value>, positions: Value, cash: &str) -> Case {
    let mut all = vec![json!({"asset": {"name": "USDC", "lot": "0.0001", "carry": true, "reserve": true}})];
    all.extend(lines);
    let file = json!({
        "model": model,
        "snapshot": {
            "instant": "2025-02-05T00:00:00Z",
            "provenance": {"source": "", "licence": "", "importer": "", "recorded": [], "derived": [], "assumed": [], "warnings": 0},
            "assets": {"USDC": "1.00019088635"},
            "underlyings": {"X": market}
        },
        "venues": [{"name": "V", "lines": all}],
        "accounts": [{"venue": "V", "positions": positions, "balances": [{"asset": "USDC", "amount": cash}]}]
    });
    Case::from_json(&file.to_string()).unwrap()
}

/// A preset for one underlying X, without the coins of the shipped chain.
fn on_x(name: &str) -> Value {
    let mut file = preset(name);
    file["underlyings"]["X"] = file["underlyings"]["BTC"].clone();
    for other in ["BTC", "ETH"] {
        file["underlyings"].as_object_mut().unwrap().remove(other);
        file["assets"].as_object_mut().unwrap().remove(other);
    }
    file
}

fn perpetual() -> Value {
    json!({"instrument": {"name": "P", "underlying": "X", "kind": "perpetual", "style": "linear", "settlement": "USDC", "contract": "1", "lot": "0.01"}})
}

#[test]
fn a_perpetual_has_the_margin_of_the_contracts_own_test() {
    // derivexyz/v2-core, PMRM_2 portfolio case 29: one perpetual at 3,100, index 3,000, 10 of funding due; 1.5 % and 2 %.
    let mut file = on_x("derive-pm2");
    file["underlyings"]["X"]["forward_charge"] = json!({"maintenance": "0.015", "initial_adds": "0.005"});
    let market = json!({"index": "3000", "rate": "0", "perpetual": {"price": "3100", "funding": "0"}});
    let positions = json!([{"instrument": "P", "contracts": "1", "carry": "-3090"}]);
    let outcome = case(file, market, vec![perpetual()], positions, "0").run().unwrap();
    assert_eq!(outcome.initial.excess, "-608.000000000000");
    assert_eq!(outcome.maintenance.excess, "-481.400000000000");

    // The same repository, PMRM scenario 17: 1,000 of cash, one perpetual at 1,505, index 1,500, 65 of profit and funding.
    let mut file = on_x("derive-pmrm1");
    file["grids"]["range-18"] = json!([{"move": "0.15", "volatility": "up"}, {"move": "-0.15", "volatility": "up"}]);
    file["underlyings"]["X"]["initial_factor"] = json!("1.3");
    file["underlyings"]["X"]["forward_charge"] = json!("0.02");
    let market = json!({"index": "1500", "rate": "0", "perpetual": {"price": "1505", "funding": "0"}});
    let positions = json!([{"instrument": "P", "contracts": "1", "carry": "-1440"}]);
    let outcome = case(file, market, vec![perpetual()], positions, "1000").run().unwrap();
    assert_eq!(outcome.initial.excess, "732.525000000000");
    assert_eq!(outcome.maintenance.excess, "809.250000000000");
}

#[test]
fn a_short_call_has_the_margin_of_the_contracts_own_test() {
    // derivexyz/v2-core, PMRM scenario 1: one short call at the money, 500,400 seconds to go.
    let mut file = on_x("derive-pmrm1");
    let moves = ["0.15", "0.1", "0.05", "0", "-0.05", "-0.1", "-0.15"];
    let rows: Vec<Value> = moves
        .iter()
        .flat_map(|x| ["up", "none", "down"].map(|volatility| json!({"move": x, "volatility": volatility})))
        .collect();
    file["grids"]["range-18"] = json!(rows);
    let rules = &mut file["underlyings"]["X"];
    rules["initial_factor"] = json!("1.3");
    rules["volatility"]["up"] = json!("0.45");
    rules["volatility"]["down"] = json!("0.3");
    rules["naked_short_charge"] = json!("0.01");
    let market = json!({
        "index": "1500", "rate": "0.03",
        "expiries": {"2025-02-10T19:00:00Z": {"forward": "1500.833279310994", "strikes": {"1500": {"volatility": "1.0478844940849863", "call": {}}}}}
    });
    let option = json!({"instrument": {"name": "C", "underlying": "X",
        "kind": {"option": {"expiry": "2025-02-10T19:00:00Z", "strike": "1500", "right": "call"}},
        "style": "linear", "settlement": "USDC", "contract": "1", "lot": "1"}});
    let positions = json!([{"instrument": "C", "contracts": "-1"}]);
    let outcome = case(file, market, vec![option], positions, "0").run().unwrap();
    for (excess, expected) in [
        (&outcome.maintenance.excess, -301.768_534_860_364_3),
        (&outcome.initial.excess, -368.487_619_761_755_6),
    ] {
        let excess: f64 = excess.parse().unwrap();
        assert!((excess - expected).abs() < 1e-10, "{excess} instead of {expected}");
    }
}

#[test]
fn naked_shorts_are_those_of_call_and_put_together() {
    let universe = fixture::universe();
    let snapshot = fixture::snapshot();
    let model = model(&preset("derive-pm2")).unwrap();
    let charge = |contracts: [&str; 2]| {
        let book = fixture::Book::empty(&universe)
            .hold("BTC-28AUG26-70000-C", contracts[0], None)
            .hold("BTC-28AUG26-70000-P", contracts[1], None);
        let evaluation = oracle::evaluate(&model, &universe, &snapshot, &book.q).unwrap();
        let part = evaluation
            .components
            .iter()
            .find(|part| part.term == "option contingency");
        part.map_or_else(BigRational::zero, |part| part.maintenance.clone())
    };
    // 0.3 % of 64,000 per coin.
    let coins = |coins: i64| BigRational::from_integer((192 * coins).into());
    assert_eq!(charge(["-3", "1"]), coins(2));
    assert_eq!(charge(["-3", "-1"]), coins(4));
    assert_eq!(charge(["-3", "5"]), coins(0));
}

#[test]
fn a_negative_rate_discounts_as_none_does() {
    let (universe, mut snapshot) = (fixture::universe(), fixture::snapshot());
    let book = fixture::Book::empty(&universe)
        .hold("BTC-LINEAR-60000-C", "1", None)
        .hold("BTC-26MAR27-50000-P", "-1", None);
    for name in ["derive-pm2", "derive-pmrm1"] {
        let model = model(&preset(name)).unwrap();
        let mut at = |rate: &str| {
            snapshot.underlyings.get_mut("BTC").unwrap().rate = rate.parse().unwrap();
            oracle::evaluate(&model, &universe, &snapshot, &book.q).unwrap()
        };
        assert_eq!(at("-0.21"), at("0"), "{name}");
        assert_ne!(at("0.21"), at("0"), "{name}: a rate is seen at all");
    }
}

#[test]
fn the_settled_part_of_a_forward_is_in_the_mark_and_does_not_move() {
    let (universe, mut snapshot) = (fixture::universe(), fixture::snapshot());
    let near = fixture::NEAR.parse().unwrap();
    let market = snapshot.underlyings.get_mut("BTC").unwrap();
    let expiry = market.expiries.get_mut(&near).unwrap();
    // A third of 64,200.
    expiry.settled = Decimal::from(21_400);
    // A put of 70,000 is worth what it is to who knows of no settled part: 5,800 if it were exercised, and some time.
    let book = fixture::Book::empty(&universe).hold("BTC-28AUG26-70000-P", "1", None);
    let value = |name: &str| {
        let evaluation = oracle::evaluate(&Model::preset(name).unwrap(), &universe, &snapshot, &book.q);
        evaluation.unwrap().value
    };
    assert_eq!(value("derive-pm2"), value("paradex-pm"));
    assert_eq!(value("derive-pm2").to_integer(), 6_687.into());

    // Without volatility and rate it is what exercise pays: at 64,200 now, and at 42,800 / 2 + 21,400 = 42,800 half way down.
    let market = snapshot.underlyings.get_mut("BTC").unwrap();
    market.rate = Decimal::ZERO;
    let expiry = market.expiries.get_mut(&near).unwrap();
    expiry.strikes.get_mut(&Decimal::from(70_000)).unwrap().volatility = Decimal::ZERO;
    let Model::DerivePm2(pm2) = Model::preset("derive-pm2").unwrap() else {
        panic!("no PM2");
    };
    let rows = [Row {
        price_move: Decimal::new(-5, 1),
        volatility: Shock::None,
        weight: Decimal::ONE,
    }];
    let prices = Prices {
        rows: &rows,
        negative: None,
        ..pm2.prices(&pm2.parameters().underlyings["BTC"])
    };
    let put = Instrument {
        style: Style::Linear,
        ..fixture::instrument(&universe, "BTC-28AUG26-70000-P").clone()
    };
    let table = Table::new(market, snapshot.instant, &prices, [&put]).unwrap();
    let values = &table.options[&put.long];
    assert_eq!((values.mark, values.rows[0].1), (5_800.0, 27_200.0));
}

/// A call at 65,536 and a volatility of 0.8, without a rate: its value at the positive discount in a linear and in an abs row.
fn skewed(strike: Decimal, millis: u64) -> [f64; 2] {
    let (universe, mut snapshot) = (fixture::universe(), fixture::snapshot());
    let expiry = snapshot.instant.checked_add(millis).unwrap();
    let market = snapshot.underlyings.get_mut("BTC").unwrap();
    market.rate = Decimal::ZERO;
    let listed = Strike {
        volatility: Decimal::new(8, 1),
        call: Some(Quote::default()),
        put: None,
    };
    let chain = Expiry::new(Decimal::from(65_536), [(strike, listed)].into());
    market.expiries.insert(expiry, chain);
    let right = Right::Call;
    let call = Instrument {
        style: Style::Linear,
        kind: Kind::Option { expiry, strike, right },
        ..fixture::instrument(&universe, "BTC-28AUG26-70000-C").clone()
    };
    let Model::DerivePm2(pm2) = Model::preset("derive-pm2").unwrap() else {
        panic!("no PM2");
    };
    let rows = [Shock::Linear, Shock::Abs].map(|volatility| Row {
        price_move: Decimal::ZERO,
        volatility,
        weight: Decimal::ONE,
    });
    let prices = Prices {
        rows: &rows,
        ..pm2.prices(&pm2.parameters().underlyings["BTC"])
    };
    let table = Table::new(market, snapshot.instant, &prices, [&call]).unwrap();
    [0, 1].map(|row: usize| table.options[&call.long].rows[row].0)
}

#[track_caller]
fn is_skewed(strike: i64, millis: u64, moved: [f64; 2]) {
    let years = millis as f64 / 31_536_000_000.0;
    for (found, moved) in skewed(Decimal::from(strike), millis).into_iter().zip(moved) {
        let (forward, strike) = (65_536.0, strike as f64);
        let total = 0.8 * (1.0 + moved) * libm::sqrt(years);
        let value = pricing::undiscounted(forward, strike, pricing::log_moneyness(forward, strike), total);
        let want = 0.98 * libm::exp(-0.1 * years) * value.call;
        assert!(
            (found / want - 1.0).abs() < 1e-11,
            "{strike}, {millis} ms: {found}, not {want}"
        );
    }
}

/// In a year the cap is 0.25 - 0.1, reached at a log-moneyness of 4 · 0.6: 65,536 times or over `e^2.4`, which is 722,414.899 or 5,945.279.
#[test]
fn a_skew_is_capped_from_its_width_on_and_in_proportion_within() {
    let year = 31_536_000_000;
    let part = |strike: f64| libm::log(strike / 65_536.0) * 0.15 / 2.4;
    is_skewed(722_414, year, [part(722_414.0); 2]);
    is_skewed(722_415, year, [0.15; 2]);
    is_skewed(65_535, year, [part(65_535.0), -part(65_535.0)]);
    is_skewed(65_536, year, [0.0; 2]);
    is_skewed(65_537, year, [part(65_537.0); 2]);
    is_skewed(5_946, year, [part(5_946.0), -part(5_946.0)]);
    is_skewed(5_945, year, [-0.15, 0.15]);
}

/// `√T · 4 · 0.6` is 0.01, the least width, at `1 / 240²` of a year, 547,500 ms.
#[test]
fn a_skew_is_no_narrower_than_its_least_width() {
    for (millis, width) in [
        (547_499_u32, 0.01),
        (547_500, 0.01),
        (547_501, 0.01 * libm::sqrt(547_501.0 / 547_500.0)),
    ] {
        let cap = 0.25 - 0.1 * libm::sqrt(f64::from(millis) / 31_536_000_000.0);
        is_skewed(
            65_864,
            u64::from(millis),
            [libm::log(65_864.0 / 65_536.0) * cap / width; 2],
        );
    }
}

#[test]
fn files_outside_the_bounds_are_refused_by_field() {
    let (btc, rows) = ("/underlyings/BTC", json!([{"move": "0.1", "volatility": "linear"}]));
    let cases = [
        (
            "derive-pm2",
            format!("{btc}/maintenance_factor"),
            json!("1.01"),
            "maintenance_factor is 1.01, expected 0 to initial_factor",
        ),
        (
            "derive-pm2",
            "/grids/range-18".into(),
            rows.clone(),
            "move is 0.1, expected 0 in a skew row",
        ),
        (
            "derive-pm2",
            "/numeraire".into(),
            json!("BTC"),
            "numeraire is BTC, which moves with BTC",
        ),
        ("derive-pm2", "/numeraire".into(), json!("EURC"), "names `EURC`"),
        (
            "derive-pm2",
            "/assets/BTC/underlying".into(),
            json!("SOL"),
            "names `SOL`",
        ),
        ("derive-pm2", format!("{btc}/grid"), json!("none"), "names `none`"),
        (
            "derive-pm2",
            "/assets/BTC/haircut/initial_adds".into(),
            json!("0.9"),
            "assets.BTC.haircut is 1.006",
        ),
        (
            "derive-pm2",
            format!("{btc}/skew/least_width"),
            json!("-0.1"),
            "least_width is -0.1",
        ),
        ("derive-pm2", format!("{btc}/basis/down"), json!("0.1"), "down is 0.1"),
        (
            "derive-pm2",
            format!("{btc}/confidence/threshold"),
            json!("1.1"),
            "threshold is 1.1",
        ),
        ("derive-pm2", "/underlyings".into(), json!({}), "at least 1"),
        (
            "derive-pmrm1",
            format!("{btc}/discount/base"),
            json!("1.1"),
            "discount.base is 1.1",
        ),
        (
            "derive-pmrm1",
            format!("{btc}/initial_factor"),
            json!("0.9"),
            "initial_factor is 0.9",
        ),
        (
            "derive-pmrm1",
            "/grids/range-18".into(),
            rows,
            "expected up, none or down",
        ),
        (
            "derive-pmrm1",
            "/assets/BTC".into(),
            json!({}),
            "assets.BTC.underlying is none",
        ),
        ("derive-pmrm1", "/grids/range-18".into(), json!([]), "has 0 rows"),
    ];
    for (name, pointer, value, expected) in cases {
        let error = model(&with(name, &pointer, value)).unwrap_err().to_string();
        assert!(error.contains(expected), "{pointer}: {error}");
    }
}

#[test]
fn the_presets_on_the_shipped_chain_meet_the_oracle_and_stay_small() {
    let examples = std::path::PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../examples");
    let read = |path: &str| std::fs::read_to_string(examples.join(path)).unwrap();
    let universe = Universe::from_json(&read("universes/single.json")).unwrap();
    let snapshot = Snapshot::from_json(&read("snapshots/2026-08-06T1200Z.json")).unwrap();
    let mut random = Random(5);
    for (name, equations, variables) in [("derive-pm2", 1_950, 3_650), ("derive-pmrm1", 1_500, 2_850)] {
        let model = model(&preset(name)).unwrap();
        let program = model.compile(&universe, &snapshot, &Terms::at(Level::Initial)).unwrap();
        let (rows, hidden) = (program.equations().len(), program.variables().len());
        assert!(
            rows <= equations && hidden <= variables,
            "{name}: {rows} equations, {hidden} variables"
        );
        for one_in in [3, 40] {
            let q = book(&model, &universe, &snapshot, &mut random, one_in);
            let (gap, bound) = gap(&model, &universe, &snapshot, Level::Initial, &q);
            assert!(!gap.is_negative() && gap <= bound, "{name}: {gap} of {bound}");
        }
    }
}
