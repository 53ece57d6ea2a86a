#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
//! What the model makes of books whose figures are known.

mod evaluation;
mod refusals;

use rust_decimal::Decimal;
use zkmargin_program::{Program, WitnessError};

use super::parameters::{AssetParameters, DeltaProvision, Levels, Profit};
use super::*;
use crate::amount;
use crate::market::Snapshot;
use crate::model::fixture::{self, Book};
use crate::model::{COIN_UNIT_EXPONENT, CompileError, Model, PRESETS, REQUIREMENT, Why};
use crate::terms::{Deposit, Level, Order, Ratio20, Terms};
use crate::universe::Universe;

fn preset(name: &str) -> Parameters {
    let (_, text) = PRESETS.iter().find(|(preset, _)| *preset == name).unwrap();
    serde_json::from_str(text).unwrap()
}

/// A preset in which no row moves anything: collateral and floors alone.
fn still(name: &str) -> Parameters {
    let mut parameters = preset(name);
    let row = r#"{"move":"0","volatility":"none"}"#;
    for rows in parameters.grids.values_mut() {
        *rows = vec![serde_json::from_str(row).unwrap()];
    }
    for underlying in parameters.underlyings.values_mut() {
        underlying.delta_provision = None;
        underlying.funding_intervals = Decimal::ZERO;
        underlying.roll = None;
    }
    parameters
}

fn compile(parameters: &Parameters, terms: &Terms) -> Program {
    let model = ScenarioGrid::new(parameters.clone()).unwrap();
    Model::from(model.clone())
        .compile(&fixture::universe(), &fixture::snapshot(), terms)
        .unwrap()
}

/// `R - V` in units of the numéraire where a book is short of margin, 0 where it is not.
fn missing(program: &Program, q: &[u64]) -> f64 {
    let unit = libm::pow(10.0, f64::from(program.header().unit_exponent));
    let short = program.shortfall(q).unwrap();
    match (program.witness(q), &short) {
        (Ok(witness), None) => program.check(q, witness.values()).unwrap(),
        (Err(WitnessError::NotMet { name }), Some(_)) => assert_eq!(name, REQUIREMENT),
        (witness, short) => panic!("{witness:?} against {short:?}"),
    }
    short.map_or(0.0, |(_, units)| units.unsigned_abs() as f64 * unit)
}

fn decimal(text: &str) -> Decimal {
    amount::parse(text).unwrap()
}

#[track_caller]
fn near(got: f64, want: f64, tolerance: f64) {
    assert!((got - want).abs() <= tolerance, "{got} against {want}");
}

#[test]
fn a_program_is_small_and_an_empty_book_has_margin() {
    let universe = fixture::universe();
    for (name, equations, variables) in [("paradex-pm", 54, 55), ("deribit-pm", 245, 318)] {
        let program = compile(&preset(name), &Terms::at(Level::Initial));
        let size = (program.equations().len(), program.variables().len());
        assert!(size.0 <= equations && size.1 <= variables, "{name}: {size:?}");
        assert_eq!(missing(&program, &Book::empty(&universe).q), 0.0);
    }
}

#[test]
fn compiling_twice_gives_one_program() {
    for name in ["paradex-pm", "deribit-pm"] {
        let terms = Terms::at(Level::Maintenance);
        assert_eq!(compile(&preset(name), &terms), compile(&preset(name), &terms));
    }
}

/// A universe of a perpetual and a future, and the market of the response example of `private/pme/simulate` in
/// Deribit's public API documentation (17 June 2024).
fn documented() -> (Universe, Snapshot) {
    const EXPIRY: &str = "2024-06-28T08:00:00Z";
    let line = |name: &str, kind: &str| {
        format!(
            r#"{{"instrument":{{"name":"{name}","underlying":"BTC","kind":{kind},"style":"inverse","settlement":"BTC","contract":"10","lot":"1"}}}}"#
        )
    };
    let universe = format!(
        r#"{{"network":"test","k":6,"venues":[{{"name":"v","keys":["{}"],"lines":[{},{},
{{"asset":{{"name":"BTC","lot":"0.00000001","carry":true,"reserve":true}}}}]}}]}}"#,
        "1".repeat(64),
        line("BTC-PERPETUAL", r#""perpetual""#),
        line("BTC-28JUN24", &format!(r#"{{"future":{{"expiry":"{EXPIRY}"}}}}"#)),
    );
    let snapshot = format!(
        r#"{{"instant":"2024-06-17T10:22:20.501Z",
"provenance":{{"source":"","licence":"","importer":"","recorded":[],"derived":[],"assumed":[],"warnings":0}},"assets":{{}},
"underlyings":{{"BTC":{{"index":"65666.19","rate":"0","perpetual":{{"price":"65910.57","funding":"0"}},
"futures":{{"{EXPIRY}":{{"price":"67371.75"}}}}}}}}}}"#
    );
    (
        Universe::from_json(&universe).unwrap(),
        Snapshot::from_json(&snapshot).unwrap(),
    )
}

#[test]
fn the_documented_worst_case_and_roll_are_required() {
    let (universe, snapshot) = documented();
    // A million times the documented positions, so that they are whole contracts to nine digits.
    let contracts = |coins: f64, price: f64| {
        Decimal::try_from(coins * 1e6 * price / 10.0)
            .unwrap()
            .round()
            .to_string()
    };
    let book = Book::empty(&universe)
        .hold("BTC-PERPETUAL", &contracts(0.314538364, 65_910.57), Some("65910.57"))
        .hold("BTC-28JUN24", &contracts(-0.001187534, 67_371.75), Some("67371.75"));
    let model = ScenarioGrid::new(Parameters {
        numeraire: "BTC".into(),
        ..preset("deribit-pm")
    })
    .unwrap();
    // risk_matrix_margin, and the same by 0.8: maintenance margin. Opened at the marks, the book is worth nothing.
    for (level, coins) in [
        (Level::Initial, 0.062_843_130_98),
        (Level::Maintenance, 0.050_274_504_784),
    ] {
        let program = Model::from(model.clone())
            .compile(&universe, &snapshot, &Terms::at(level))
            .unwrap();
        near(missing(&program, &book.q) / 1e6, coins, 1e-9);
    }
}

/// The worked example of Paradex's documentation on portfolio margin: spot 70,000, a perpetual of 1 and five short
/// calls of delta 0.3 give a net delta of 0.5, a hedged one of 1, and a provision of 1,400.
#[test]
fn the_documented_delta_provision_is_required() {
    let universe = fixture::universe();
    let mut snapshot = fixture::snapshot();
    let year = "2027-08-06T12:00:00Z";
    let market = snapshot.underlyings.get_mut("BTC").unwrap();
    market.index = decimal("70000");
    market.rate = Decimal::ZERO;
    market.perpetual.as_mut().unwrap().price = decimal("70000");
    // Φ(d1) = 0.3 at F = 66,000, K = 70,000, T = 1 needs this volatility (by mpmath).
    let mut strikes = market.expiries.values().next().unwrap().strikes.clone();
    strikes.retain(|strike, _| *strike == decimal("70000"));
    strikes
        .values_mut()
        .for_each(|strike| strike.volatility = decimal("0.1022388554889493197605"));
    market.expiries.insert(
        year.parse().unwrap(),
        crate::market::Expiry::new(decimal("66000"), strikes),
    );
    let call = format!(
        r#"{{"instrument":{{"name":"CALL","underlying":"BTC","kind":{{"option":{{"expiry":"{year}","strike":"70000","right":"call"}}}},"style":"linear","settlement":"USDC","contract":"1","lot":"1"}}}}"#
    );
    let universe = universe
        .extend("alpha", &[serde_json::from_str(&call).unwrap()])
        .unwrap();
    let mut parameters = still("paradex-pm");
    parameters.underlyings.get_mut("BTC").unwrap().delta_provision =
        preset("paradex-pm").underlyings["BTC"].delta_provision;
    let model = ScenarioGrid::new(parameters).unwrap();
    let program = Model::from(model.clone())
        .compile(&universe, &snapshot, &Terms::at(Level::Initial))
        .unwrap();
    let book = Book::empty(&universe)
        .hold("BTC_USDC-PERPETUAL", "1", Some("70000"))
        .hold("CALL", "-5", None);
    let mark = crate::pricing::Black76::new(66_000.0, 70_000.0, 0.102_238_855_488_949_32, 1.0, 0.0).unwrap();
    let mark = mark.value(crate::universe::Right::Call);
    near(missing(&program, &book.q) - 5.0 * mark, 1_400.0, 1e-6);
}

#[test]
fn collateral_is_haircut_and_capped_and_debts_count_whole() {
    let universe = fixture::universe();
    let mut parameters = still("paradex-pm");
    let asset = |haircut: &str, cap: Option<&str>, underlying: Option<&str>| AssetParameters {
        haircut: decimal(haircut),
        cap: cap.map(decimal),
        underlying: underlying.map(str::to_owned),
    };
    parameters
        .assets
        .insert("BTC".into(), asset("0.05", Some("2"), Some("BTC")));
    parameters.assets.insert("USDC".into(), asset("0", None, None));
    let program = compile(&parameters, &Terms::at(Level::Initial));
    // 64,000 USD a coin: owed 1.5 at alpha, held 1 and then 5 at beta, of which 2 count.
    let owing = || Book::empty(&universe).coins("alpha", "BTC", "-1.5");
    near(missing(&program, &owing().q), 96_000.0, 1e-6);
    near(
        missing(&program, &owing().coins("beta", "BTC", "1").q),
        96_000.0 - 60_800.0,
        1e-6,
    );
    assert_eq!(
        missing(
            &program,
            &owing().coins("beta", "BTC", "1.5").coins("beta", "USDC", "4800").q
        ),
        0.0
    );
    near(
        missing(
            &program,
            &owing().coins("beta", "BTC", "1.5").coins("beta", "USDC", "4799").q,
        ),
        1.0,
        1e-6,
    );
    let rich = Book::empty(&universe)
        .coins("beta", "BTC", "5")
        .coins("alpha", "USDC", "-121601");
    near(missing(&program, &rich.q), 1.0, 1e-6);
}

#[test]
fn reserves_are_taken_off_and_carry_is_added() {
    let universe = fixture::universe();
    let program = compile(&still("paradex-pm"), &Terms::at(Level::Initial));
    let money = fixture::asset_at(&universe, "beta", "USDC");
    let mut book = Book::empty(&universe).hold("BTC_USDC-PERPETUAL", "2", Some("64000"));
    // Up by 10.5 a coin.
    assert_eq!(missing(&program, &book.q), 0.0);
    book.q[money.reserve.unwrap().index()] = 220_000;
    near(missing(&program, &book.q), 1.0, 1e-6);
}

#[test]
fn what_does_not_count_is_worth_nothing_and_may_not_be_held() {
    let (universe, snapshot) = (fixture::universe(), fixture::snapshot());
    for (name, unheld) in [
        ("paradex-pm", vec!["BTC-GONE-60000-C", "SOL-PERPETUAL"]),
        (
            "deribit-pm",
            vec![
                "BTC-GONE-60000-C",
                "BTC-LINEAR-60000-C",
                "BTC_USDC-PERPETUAL",
                "SOL-PERPETUAL",
            ],
        ),
    ] {
        let program = compile(&preset(name), &Terms::at(Level::Initial));
        let rich = || Book::empty(&universe).coins("beta", "USDC", "1000000");
        for instrument in &unheld {
            for contracts in ["1", "-1"] {
                let refusal = program
                    .witness(&rich().hold(instrument, contracts, None).q)
                    .unwrap_err();
                assert!(
                    matches!(refusal, WitnessError::NotEmpty { .. }),
                    "{instrument}: {refusal}"
                );
            }
        }
        assert!(program.witness(&rich().coins("beta", "DUST", "5").q).is_ok());
        assert!(program.witness(&rich().coins("beta", "DUST", "-5").q).is_err());
        let poor = Book::empty(&universe)
            .coins("beta", "USDC", "-1")
            .coins("beta", "DUST", "1000000");
        near(missing(&program, &poor.q), 1.0, 1e-6);
        let lines = Model::from(ScenarioGrid::new(preset(name)).unwrap()).uncounted(&universe, &snapshot);
        let mut named: Vec<&str> = lines.iter().map(|line| line.line.as_str()).collect();
        named.sort_unstable();
        let mut expected = [unheld, vec!["DUST"]].concat();
        expected.sort_unstable();
        assert_eq!(named, expected, "{name}");
    }
}

#[test]
fn an_asset_whose_underlying_has_no_market_does_not_count() {
    let universe = fixture::universe();
    let mut snapshot = fixture::snapshot();
    snapshot.underlyings.remove("ETH");
    snapshot.assets.insert("ETH".into(), decimal("1800"));
    for name in ["paradex-pm", "deribit-pm"] {
        let model = ScenarioGrid::new(preset(name)).unwrap();
        let program = Model::from(model.clone())
            .compile(&universe, &snapshot, &Terms::at(Level::Initial))
            .unwrap();
        let owing = Book::empty(&universe)
            .coins("beta", "USDC", "-100")
            .coins("beta", "ETH", "1");
        near(missing(&program, &owing.q), 100.0, 1e-6);
        assert!(
            program
                .witness(&Book::empty(&universe).coins("beta", "ETH", "-0.1").q)
                .is_err()
        );
        assert!(
            Model::from(model.clone())
                .uncounted(&universe, &snapshot)
                .iter()
                .any(|line| line.why == Why::AssetUnderlying)
        );
    }
}

#[test]
fn more_of_a_ratio_or_an_excess_needs_more() {
    let universe = fixture::universe();
    let book = || Book::empty(&universe).hold("BTC-PERPETUAL", "-6400", Some("64010.5"));
    let at = |level, ratio, excess| {
        let terms = Terms {
            ratio: Ratio20::new(ratio).unwrap(),
            excess,
            ..Terms::at(level)
        };
        // In twentieths where the ratio is not whole.
        compile(&preset("paradex-pm"), &terms)
    };
    let once = missing(&at(Level::Initial, 20, 0), &book().q);
    near(missing(&at(Level::Initial, 40, 0), &book().q), 2.0 * once, 1e-3);
    near(missing(&at(Level::Initial, 25, 0), &book().q) / 4.0, 1.25 * once, 1e-3);
    near(missing(&at(Level::Maintenance, 20, 0), &book().q), 0.5 * once, 1e-3);
    near(missing(&at(Level::Initial, 20, 1_000), &book().q), once + 1_000.0, 1e-3);
    let held = |coins: f64| book().coins("beta", "USDC", &format!("{coins:.2}"));
    let program = at(Level::Initial, 30, 7);
    assert_eq!(missing(&program, &held(1.5 * once + 7.02).q), 0.0);
    assert!(missing(&program, &held(1.5 * once + 6.98).q) > 0.0);
}

#[test]
fn a_sale_of_what_is_held_closes_it() {
    let universe = fixture::universe();
    let order = Order::parse("sell 5 BTC-28AUG26-70000-C @ 0.02", &universe).unwrap();
    let deposit = Deposit::parse("100 beta:USDC", &universe).unwrap();
    let terms = Terms {
        order: Some(order),
        deposit: Some(deposit),
        ..Terms::at(Level::Initial)
    };
    let program = compile(&preset("deribit-pm"), &terms);
    let gross = compile(&preset("deribit-pm"), &Terms::at(Level::Initial));
    let mut book = Book::empty(&universe)
        .hold("BTC-28AUG26-70000-C", "5", None)
        .coins("alpha", "BTC", "-0.095");
    for (leg, lots) in terms.public_amounts(&universe).unwrap() {
        book.q[leg.index()] += lots;
    }
    // Flat, with 0.1 BTC received against 0.095 owed, and 100 USDC.
    assert_eq!(missing(&program, &book.q), 0.0);
    // Without netting the received coins are haircut beside the debt: 64,000 (0.095 - 0.95 * 0.1) is 0, so the deposit
    // decides.
    let unpaid = Book {
        q: book.q.clone(),
        universe: &universe,
    }
    .coins("beta", "USDC", "-100.01");
    near(missing(&gross, &unpaid.q), 0.01, 1e-3);
    assert_eq!(missing(&program, &unpaid.q), 0.0);
}

#[test]
fn a_coin_numeraire_gives_the_same_verdict() {
    let universe = fixture::universe();
    let mut parameters = preset("paradex-pm");
    let usd = compile(&parameters, &Terms::at(Level::Initial));
    parameters.numeraire = "BTC".into();
    let coin = compile(&parameters, &Terms::at(Level::Initial));
    assert_eq!(
        (coin.header().numeraire.as_str(), coin.header().unit_exponent),
        ("BTC", COIN_UNIT_EXPONENT)
    );
    let book = Book::empty(&universe)
        .hold("BTC-28AUG26-70000-C", "-5", None)
        .hold("ETH-PERPETUAL", "5000", Some("1790"))
        .hold("BTC_USDC-PERPETUAL", "0.5", Some("63000"))
        .coins("beta", "ETH", "2");
    near(missing(&coin, &book.q) * 64_000.0, missing(&usd, &book.q), 0.01);
}

#[test]
fn gains_of_one_underlying_offset_losses_of_another_in_part_and_up_to_a_cap() {
    let universe = fixture::universe();
    // Long BTC, short ETH: 10 % up and down, no weights, profit in USD so that it is linear.
    let mut parameters = still("deribit-pm");
    let rows = [
        r#"{"move":"0.1","volatility":"none"}"#,
        r#"{"move":"-0.1","volatility":"none"}"#,
    ];
    for grid in parameters.grids.values_mut() {
        *grid = rows.iter().map(|row| serde_json::from_str(row).unwrap()).collect();
    }
    parameters
        .underlyings
        .values_mut()
        .for_each(|underlying| underlying.profit = Profit::Usd);
    let requirement = |parameters: &Parameters| {
        let book = Book::empty(&universe)
            .hold("BTC_USDC-PERPETUAL", "1", Some("64010.5"))
            .hold("ETH-PERPETUAL", "-36000", Some("1800.25"));
        missing(&compile(parameters, &Terms::at(Level::Initial)), &book.q)
    };
    // BTC gains and loses 6,401.05. ETH: 36,000 USD short at 1,800.25 with the index at 1,800 is -3,599.500...
    let (btc, eth) = (6_401.05, 36_000.0 / 1_800.25 * 1_800.0 * 0.1);
    parameters.groups[0].gain_factor = decimal("0.6");
    parameters.groups[0].gain_cap = None;
    // Index up: BTC gains and ETH loses. Index down: BTC loses, and 0.6 of ETH's gain offsets it.
    near(requirement(&parameters), btc - 0.6 * eth, 1e-3);
    parameters.groups[0].gain_cap = Some(decimal("1000"));
    near(requirement(&parameters), btc - 1_000.0, 1e-3);
    parameters.groups[0].gain_factor = Decimal::ZERO;
    near(requirement(&parameters), btc, 1e-3);
    parameters.groups[0].gain_factor = Decimal::ONE;
    parameters.groups[0].gain_cap = None;
    near(requirement(&parameters), btc - eth, 1e-3);
    parameters.groups.clear();
    near(requirement(&parameters), btc + eth, 1e-3);
}

#[test]
fn floors_of_several_underlyings_of_a_group_add_up() {
    let universe = fixture::universe();
    let mut parameters = still("deribit-pm");
    for underlying in parameters.underlyings.values_mut() {
        underlying.delta_provision = Some(DeltaProvision {
            net: decimal("0.015"),
            gross: decimal("0.005"),
        });
        underlying.short_option_minimum = decimal("0.01");
    }
    let program = |parameters: &Parameters| compile(parameters, &Terms::at(Level::Initial));
    let futures = Book::empty(&universe)
        .hold("BTC-PERPETUAL", "6401", Some("64010.5"))
        .hold("BTC-26MAR27", "-3300", Some("66000"))
        .hold("ETH-PERPETUAL", "-1800", Some("1800.25"));
    let (long, short, ether) = (64_010.0 / 64_010.5, 33_000.0 / 66_000.0, 1_800.0 / 1_800.25);
    let provision = 64_000.0 * (0.015 * (long - short) + 0.005 * (long + short)) + 1_800.0 * 0.02 * ether;
    let worth = 64_000.0 * 1e-8 + 1_800.0 * 1e-7;
    near(missing(&program(&parameters), &futures.q), provision, 2.0 * worth);
    // Short options: the minimum is 0.01 of 64,000 a coin; long ones have none.
    parameters
        .underlyings
        .values_mut()
        .for_each(|underlying| underlying.delta_provision = None);
    let program = program(&parameters);
    let mark = |name: &str, contracts: &str| {
        let long = Book::empty(&universe)
            .coins("beta", "USDC", "-100000")
            .hold(name, contracts, None);
        100_000.0 - missing(&program, &long.q)
    };
    let worth = mark("BTC-28AUG26-70000-C", "2");
    let short = Book::empty(&universe)
        .hold("BTC-28AUG26-70000-C", "-2", None)
        .hold("ETH-28AUG26-2000-P", "1", None);
    near(
        missing(&program, &short.q),
        worth + 2.0 * 640.0 - mark("ETH-28AUG26-2000-P", "1"),
        1e-4,
    );
}

#[test]
fn fees_and_funding_are_charged_gross_and_outside_the_level() {
    let universe = fixture::universe();
    let mut parameters = still("paradex-pm");
    parameters.levels = Levels {
        initial: Decimal::ONE,
        maintenance: Decimal::ZERO,
    };
    let bitcoin = parameters.underlyings.get_mut("BTC").unwrap();
    bitcoin.option_fee = decimal("0.0003");
    bitcoin.future_fee = decimal("0.0005");
    bitcoin.funding_intervals = decimal("3");
    for level in [Level::Initial, Level::Maintenance] {
        let program = compile(&parameters, &Terms::at(level));
        let long = Book::empty(&universe).hold("BTC_USDC-PERPETUAL", "2", Some("64010.5"));
        // Longs pay 0.0001 an interval.
        near(missing(&program, &long.q), 2.0 * 64_000.0 * (0.0005 + 0.0003), 1e-6);
        let short = Book::empty(&universe).hold("BTC_USDC-PERPETUAL", "-2", Some("64010.5"));
        near(missing(&program, &short.q), 2.0 * 64_000.0 * 0.0005, 1e-6);
        let both =
            Book::empty(&universe)
                .hold("BTC-28AUG26-70000-C", "-1", None)
                .hold("BTC-28AUG26-70000-C", "1", None);
        near(missing(&program, &both.q), 2.0 * 64_000.0 * 0.0003, 1e-6);
    }
}
