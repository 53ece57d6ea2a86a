#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
//! Figures that were worked out by hand, the program against the oracle, and what is refused.

use num_bigint::BigInt;
use num_rational::BigRational;
use num_traits::{ToPrimitive, Zero};
use serde_json::{Value, json};
use zkmargin_program::{Builder, Linear, Program, Real};

use super::*;
use crate::market::{Expiry, Quote, Snapshot, Strike};
use crate::model::fixture::{self, Book};
use crate::model::scan::Facts;
use crate::model::sheet::Sheet;
use crate::model::{Model, Scope};
use crate::oracle;
use crate::universe::Universe;

/// What a program starts from, in units of 1e-10 USD.
const PLENTY: i64 = 1 << 62;

fn addons(file: &Value) -> AddOns {
    let addons: AddOns = serde_json::from_value(file.clone()).unwrap();
    addons.check("add_ons").unwrap();
    addons
}

/// A model that names BTC, ETH and USDC, as the fixture does, or AAA, BBB and CCC, as the market of SPAN's tests.
fn model(of_fixture: bool) -> Model {
    let (_, tims) = crate::model::PRESETS.iter().find(|(name, _)| *name == "tims").unwrap();
    let mut file: Value = serde_json::from_str(tims).unwrap();
    if !of_fixture {
        let rules = file["underlyings"]["BTC"].clone();
        file["underlyings"] = json!({"AAA": rules.clone(), "BBB": rules.clone(), "CCC": rules});
        file["assets"] = json!({"USDC": {"haircut": "0"}});
        file["groups"] = json!([]);
    }
    Model::from_json(&file.to_string()).unwrap()
}

fn compile(addons: &AddOns, model: &Model, universe: &Universe, snapshot: &Snapshot) -> Program {
    let (rule, scope) = (model.rule(), Scope::new(universe, snapshot));
    let numeraire = rule.numeraire();
    let mut builder = Builder::new(universe.layout().clone(), numeraire.header()).unwrap();
    let names = rule.names();
    let sheet = Sheet::new(&names, &scope, &numeraire).unwrap();
    let facts = Facts {
        model: "add-ons",
        sheet: &sheet,
        snapshot,
        names: &names,
        whole: true,
    };
    let charges = addons.forms(&mut builder, &facts).unwrap();
    let plenty = builder.lower(&Linear::constant(Real::from_integer(PLENTY))).unwrap();
    builder.require_non_negative("add-ons", plenty - charges).unwrap();
    builder.finish().unwrap()
}

/// What the oracle charges, after checking that the program charges as much and at most its bound more.
#[track_caller]
fn charges(addons: &AddOns, model: &Model, universe: &Universe, snapshot: &Snapshot, book: &[u64]) -> f64 {
    let program = compile(addons, model, universe, snapshot);
    let components = oracle::addons::evaluate(
        &oracle::book::Book::new(model, universe, snapshot, book).unwrap(),
        addons,
    );
    let exact = components
        .unwrap()
        .iter()
        .fold(BigRational::zero(), |sum, one| sum + &one.initial);
    let units = |units: i128| BigRational::new(units.into(), BigInt::from(10).pow(10));
    let shown = units(i128::from(PLENTY) - program.surplus(book).unwrap()[0].1);
    let witness = program.witness(book).unwrap();
    program.check(book, witness.values()).unwrap();
    let bound = units(i128::try_from(program.rounding_bound(book)).unwrap());
    assert!(shown >= exact && shown <= &exact + bound, "{shown} is shown of {exact}");
    exact.to_f64().unwrap()
}

#[track_caller]
fn by_hand(file: &Value, change: impl FnOnce(&mut Snapshot), book: &[(&str, &str)], want: f64) {
    let (universe, mut snapshot) = crate::model::span::tests::market();
    change(&mut snapshot);
    let mut held = Book::empty(&universe);
    for (name, amount) in book {
        held = match *name {
            "USDC" => held.coins("V", "USDC", amount),
            name => held.hold(name, amount, None),
        };
    }
    let got = charges(&addons(file), &model(false), &universe, &snapshot, &held.q);
    assert!((got - want).abs() < 1e-9 * (1.0 + want), "{got} against {want}");
}

fn interest(snapshot: &mut Snapshot, usd: i64) {
    let market = snapshot.underlyings.get_mut("AAA").unwrap();
    market.perpetual.as_mut().unwrap().quote.open_interest = Some(Decimal::from(usd));
}

#[test]
fn what_is_above_a_part_of_the_depth_is_charged_progressively() {
    let file = json!({"concentration": {"measure": "open-interest", "least_depth": "500",
        "tiers": [{"above": "0.1", "rate": "0.01"}, {"above": "0.5", "rate": "0.05"}], "assets": {"USDC": "1000"}}});
    // 100 perpetuals at 100 USD are 10,000 of an open interest of 10,000: 0.01 · (5,000 - 1,000) + 0.05 · (10,000 - 5,000) = 290.
    by_hand(&file, |s| interest(s, 10_000), &[("AAA-PERPETUAL", "-100")], 290.0);
    // Of 90 at most the first rate: 0.01 · (3,000 - 1,000).
    by_hand(&file, |s| interest(s, 10_000), &[("AAA-PERPETUAL", "30")], 20.0);
    by_hand(&file, |s| interest(s, 10_000), &[("AAA-PERPETUAL", "9")], 0.0);
    // Without open interest 500 is supposed: 1 future of BBB is at the threshold, 5 are 0.01 · (250 - 50).
    by_hand(&file, |_| (), &[("BBB-NEAR", "1")], 0.0);
    by_hand(&file, |_| (), &[("BBB-NEAR", "5")], 2.0);
    // Two expiries are two buckets.
    by_hand(&file, |_| (), &[("BBB-NEAR", "5"), ("BBB-FAR", "-5")], 4.0);
    // Money owed is to be found: 0.01 · (400 - 100).
    by_hand(&file, |_| (), &[("USDC", "-400")], 3.0);
    // Options are by index: 5 calls on 100 USD are 500, 0.01 · (250 - 50) + 0.05 · 250.
    by_hand(&file, |_| (), &[("AAA-CALL", "5")], 14.5);
}

#[test]
fn a_position_at_a_part_of_the_depth_is_charged_for_none_of_it_and_one_contract_more_for_that_one() {
    let file = json!({"concentration": {"measure": "open-interest", "least_depth": "500",
        "tiers": [{"above": "0.1", "rate": "0.01"}, {"above": "0.5", "rate": "0.05"}], "assets": {"USDC": "1000"}}});
    // Of an open interest of 10,000 USD the tiers begin at 10 and at 50 contracts of 100 USD.
    for (contracts, want) in [
        ("9", 0.0),
        ("10", 0.0),
        ("11", 1.0),
        ("49", 39.0),
        ("50", 40.0),
        ("51", 45.0),
    ] {
        by_hand(&file, |s| interest(s, 10_000), &[("AAA-PERPETUAL", contracts)], want);
    }
    // Of a depth of 1,000 USDC at 100, a lot of a ten-thousandth less and more.
    for (coins, want) in [("-99.9999", 0.0), ("-100", 0.0), ("-100.0001", 1e-6)] {
        by_hand(&file, |_| (), &[("USDC", coins)], want);
    }
}

/// Of 11 contracts of 100 USD 1 % is charged above a tenth of the depth.
#[test]
fn a_depth_is_cut_to_whole_dollars_and_is_at_least_the_least() {
    let file = json!({"concentration": {"measure": "open-interest", "least_depth": "5000",
        "tiers": [{"above": "0.1", "rate": "0.01"}]}});
    for (interest, depth) in [
        ("4999", 5_000),
        ("5000", 5_000),
        ("5001", 5_001),
        ("9999.999999", 9_999),
        ("10000", 10_000),
        ("10000.999999", 10_000),
        ("10001", 10_001),
    ] {
        let change = |snapshot: &mut Snapshot| {
            let market = snapshot.underlyings.get_mut("AAA").unwrap();
            market.perpetual.as_mut().unwrap().quote.open_interest = Some(interest.parse().unwrap());
        };
        let want = 0.01 * (1_100.0 - 0.1 * f64::from(depth));
        by_hand(&file, change, &[("AAA-PERPETUAL", "11")], want);
    }
}

/// 1,000 USD lose the second move, a millionth for each USD of open interest.
#[test]
fn a_second_move_is_rounded_up_to_a_millionth_and_is_at_most_its_most() {
    let file = json!({"contagion": {"AAA": {"move": "0.25", "depth": "250000", "most": "0.125"}}});
    for (interest, want) in [
        ("49999", 49.999),
        ("49999.000001", 50.0),
        ("50000", 50.0),
        ("50000.000001", 50.001),
        ("124999", 124.999),
        ("125000", 125.0),
        ("125001", 125.0),
    ] {
        let change = |snapshot: &mut Snapshot| {
            let market = snapshot.underlyings.get_mut("AAA").unwrap();
            market.perpetual.as_mut().unwrap().quote.open_interest = Some(interest.parse().unwrap());
        };
        by_hand(&file, change, &[("AAA-PERPETUAL", "10")], want);
    }
}

/// A strike with this many coins of open interest.
fn strike(coins: i64) -> Strike {
    let quote = Quote {
        open_interest: Some(Decimal::from(coins)),
        ..Quote::default()
    };
    Strike {
        volatility: Decimal::ONE,
        call: Some(quote),
        put: None,
    }
}

#[test]
fn an_option_exactly_at_a_bound_is_of_the_bucket_below_it() {
    let by = |bounds: &str, bound: &str| {
        json!({"concentration": {"measure": "open-interest", "least_depth": "500", bounds: [bound],
            "tiers": [{"above": "0.1", "rate": "0.01"}, {"above": "0.5", "rate": "0.05"}]}})
    };
    // 5 calls are 500 USD, 14.5 where 500 are supposed. With 10 coins of 100 USD in their bucket 0.01 · (500 - 100).
    let (alone, together) = (14.5, 4.0);
    let book = [("AAA-CALL", "5")];
    // The call has 10 days.
    let days = by("days", "10");
    let expiry = |at: &str, coins| {
        let at = at.parse().unwrap();
        let chain = Expiry::new(Decimal::ONE_HUNDRED, [(Decimal::ONE_HUNDRED, strike(coins))].into());
        move |snapshot: &mut Snapshot| drop(snapshot.underlyings.get_mut("AAA").unwrap().expiries.insert(at, chain))
    };
    by_hand(&days, expiry("2026-08-16T12:00:00.001Z", 1_000), &book, alone);
    by_hand(&days, expiry("2026-08-16T11:59:59.999Z", 10), &book, together);
    // Its strike is 100,000, 0.8 of this forward.
    let moneyness = by("moneyness", "0.8");
    let forward = |at: i64, coins| {
        move |snapshot: &mut Snapshot| {
            let market = snapshot.underlyings.get_mut("AAA").unwrap();
            let chain = market.expiries.values_mut().next().unwrap();
            chain.forward = Decimal::from(125_000);
            chain.strikes.insert(Decimal::from(at), strike(coins));
        }
    };
    by_hand(&moneyness, forward(100_001, 1_000), &book, alone);
    by_hand(&moneyness, forward(99_999, 10), &book, together);
}

#[test]
fn a_first_tier_from_nothing_on_is_linear() {
    let file = json!({"concentration": {"measure": "volume", "least_depth": "1000",
        "tiers": [{"above": "0", "rate": "0.01"}, {"above": "1", "rate": "0.03"}]}});
    // 0.01 · 1,000 + 0.03 · 500.
    by_hand(&file, |_| (), &[("AAA-PERPETUAL", "15")], 25.0);
    // With a volume of 20 coins the depth is 2,000: 0.01 · 1,500.
    let volume = |snapshot: &mut Snapshot| {
        let market = snapshot.underlyings.get_mut("AAA").unwrap();
        market.perpetual.as_mut().unwrap().quote.volume = Some(Decimal::from(20));
    };
    by_hand(&file, volume, &[("AAA-PERPETUAL", "15")], 15.0);
}

#[test]
fn closing_out_costs_half_the_spread_that_is_recorded_or_supposed() {
    let file = json!({"closing": {"factor": "2", "volatility": "0.01", "least": "0.0001", "future": "0.0005"}});
    // 2 · 0.0005 · 100 · 10, long or short; of options without vega 2 · 0.0001 · 100 · 3.
    by_hand(&file, |_| (), &[("AAA-NEAR", "-10")], 1.0);
    by_hand(&file, |_| (), &[("AAA-CALL", "3")], 0.06);
    let quoted = |snapshot: &mut Snapshot| {
        let market = snapshot.underlyings.get_mut("AAA").unwrap();
        let quote = &mut market.perpetual.as_mut().unwrap().quote;
        (quote.bid, quote.ask) = (Some(Decimal::from(99)), Some(Decimal::from(102)));
    };
    // 2 · 1.5 · 10.
    by_hand(&file, quoted, &[("AAA-PERPETUAL", "10")], 30.0);
    // What is no quote is as if there were none: 2 · 0.0005 · 100 · 10.
    for (bid, ask) in [(99, 0), (0, 0), (102, 99)] {
        let quoted = |snapshot: &mut Snapshot| {
            let market = snapshot.underlyings.get_mut("AAA").unwrap();
            let quote = &mut market.perpetual.as_mut().unwrap().quote;
            (quote.bid, quote.ask) = (Some(Decimal::from(bid)), Some(Decimal::from(ask)));
        };
        by_hand(&file, quoted, &[("AAA-PERPETUAL", "10")], 1.0);
    }
    // A spread of nothing is one.
    let locked = |snapshot: &mut Snapshot| {
        let market = snapshot.underlyings.get_mut("AAA").unwrap();
        let quote = &mut market.perpetual.as_mut().unwrap().quote;
        (quote.bid, quote.ask) = (Some(Decimal::from(100)), Some(Decimal::from(100)));
    };
    by_hand(&file, locked, &[("AAA-PERPETUAL", "10")], 0.0);
}

#[test]
fn quote_of_an_option_is_in_coins_whatever_it_settles_in() {
    let (universe, mut snapshot) = (fixture::universe(), fixture::snapshot());
    let quote = Quote {
        bid: Some("0.0115".parse().unwrap()),
        ask: Some("0.0125".parse().unwrap()),
        ..Quote::default()
    };
    let near: crate::instant::Instant = fixture::NEAR.parse().unwrap();
    let strikes = &mut snapshot
        .underlyings
        .get_mut("BTC")
        .unwrap()
        .expiries
        .get_mut(&near)
        .unwrap()
        .strikes;
    for strike in ["60000", "70000"] {
        strikes.get_mut(&strike.parse().unwrap()).unwrap().call = Some(quote);
    }
    let file = json!({"closing": {"factor": "1", "volatility": "0.015", "least": "0.0002", "future": "0.0004"}});
    // Half of 0.001 coins of 64,000 USD.
    for name in ["BTC-28AUG26-70000-C", "BTC-LINEAR-60000-C"] {
        let book = Book::empty(&universe).hold(name, "1", None);
        let got = charges(&addons(&file), &model(true), &universe, &snapshot, &book.q);
        assert!((got - 32.0).abs() < 1e-6, "{name}: {got}");
    }
}

fn of_future(snapshot: &mut Snapshot) {
    let market = snapshot.underlyings.get_mut("AAA").unwrap();
    let future = market.futures.values_mut().next().unwrap();
    future.quote.open_interest = Some(Decimal::from(50_000));
}

fn of_call(snapshot: &mut Snapshot) {
    let market = snapshot.underlyings.get_mut("AAA").unwrap();
    let mut strikes = market.expiries.values_mut().next().unwrap().strikes.values_mut();
    strikes.next().unwrap().call.as_mut().unwrap().open_interest = Some(Decimal::from(500));
}

#[test]
fn what_others_sell_moves_the_price_once_more() {
    let file = json!({"contagion": {"AAA": {"move": "0.25", "depth": "100000", "most": "0.125"}}});
    // Open interest of 50,000 USD: 0.25 · 50,000 / 100,000 = 0.125 more. 10 coins of 100 lose 125 in it, on either side.
    by_hand(&file, |s| interest(s, 50_000), &[("AAA-PERPETUAL", "10")], 125.0);
    by_hand(&file, |s| interest(s, 50_000), &[("AAA-NEAR", "-10")], 125.0);
    by_hand(&file, |s| interest(s, 25_000), &[("AAA-NEAR", "-10")], 62.5);
    // Futures have theirs in USD too, options in coins: 500 of 100 USD.
    by_hand(&file, of_future, &[("AAA-PERPETUAL", "10")], 125.0);
    by_hand(&file, of_call, &[("AAA-PERPETUAL", "10")], 125.0);
    // No more than the most; nothing without open interest, or of another underlying.
    by_hand(&file, |s| interest(s, 9_000_000), &[("AAA-NEAR", "-10")], 125.0);
    by_hand(&file, |_| (), &[("AAA-NEAR", "-10")], 0.0);
    by_hand(&file, |s| interest(s, 50_000), &[("BBB-NEAR", "-10")], 0.0);
}

fn all() -> Value {
    json!({
        "concentration": {"measure": "volume", "least_depth": "5000", "days": ["30", "90"], "moneyness": ["0.9", "1.1"],
            "tiers": [{"above": "0", "rate": "0.0005"}, {"above": "0.5", "rate": "0.01"}, {"above": "2", "rate": "0.03"}],
            "assets": {"BTC": "100000", "ETH": "20000.5"}},
        "closing": {"factor": "1", "volatility": "0.015", "least": "0.0002", "future": "0.0004"},
        "rebalancing": {"BTC": {"move": "0.05", "rate": "0.1"}, "ETH": {"move": "0.07", "rate": "0.1"}},
        "contagion": {"BTC": {"move": "0.15", "depth": "1000000000", "most": "0.2"}, "ETH": {"move": "0.2", "depth": "3000000.7", "most": "0.2"}}
    })
}

#[test]
fn gamma_is_charged_long_and_short() {
    let (universe, snapshot) = (fixture::universe(), fixture::snapshot());
    let file = json!({"rebalancing": {"BTC": {"move": "0.05", "rate": "0.1"}}});
    let name = "BTC-28AUG26-70000-C";
    let gamma = crate::valuation::greeks(&snapshot, fixture::instrument(&universe, name))
        .unwrap()
        .unwrap()
        .gamma;
    // 0.1 · 1/2 γ (0.05 · 64,000)² of 3 contracts.
    let want = 0.1 * 0.5 * gamma * 3_200.0 * 3_200.0 * 3.0;
    assert!(want > 1.0);
    for contracts in ["3", "-3"] {
        let book = Book::empty(&universe).hold(name, contracts, None);
        let got = charges(&addons(&file), &model(true), &universe, &snapshot, &book.q);
        assert!((got - want).abs() < 1e-9 * want, "{got} against {want}");
    }
}

/// Some of everything that counts; both legs of some pairs.
fn random(universe: &Universe, snapshot: &Snapshot, mut seed: u64) -> Vec<u64> {
    let mut next = || {
        seed = seed
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        seed >> 33
    };
    let model = model(true);
    let uncounted = model.uncounted(universe, snapshot);
    let mut book = vec![0; universe.layout().slots()];
    for line in universe.venues().iter().flat_map(|venue| &venue.lines) {
        let name = match line {
            crate::universe::Line::Instrument(instrument) => instrument.name.clone(),
            crate::universe::Line::Asset(asset) => asset.label(),
        };
        for leg in line.legs() {
            if next() % 3 == 0 && uncounted.iter().all(|gone| gone.line != name) {
                book[leg.index()] = next() % (1 << (next() % 20));
            }
        }
    }
    book
}

#[test]
fn the_program_charges_what_the_oracle_does_and_at_most_its_bound_more() {
    let (universe, mut snapshot) = (fixture::universe(), fixture::snapshot());
    let market = snapshot.underlyings.get_mut("BTC").unwrap();
    market.perpetual.as_mut().unwrap().quote.open_interest = Some(Decimal::new(77_777_777_777, 3));
    for chain in market.expiries.values_mut() {
        for strike in chain.strikes.values_mut() {
            let call = strike.call.as_mut().unwrap();
            (call.open_interest, call.bid, call.ask) = (
                Some(Decimal::new(123, 1)),
                Some(Decimal::new(11, 4)),
                Some(Decimal::new(12, 4)),
            );
        }
    }
    for seed in 0..40 {
        let book = random(&universe, &snapshot, seed);
        charges(&addons(&all()), &model(true), &universe, &snapshot, &book);
    }
}

#[test]
fn a_lot_of_both_legs_never_lowers_a_charge() {
    let (universe, snapshot) = (fixture::universe(), fixture::snapshot());
    let program = compile(&addons(&all()), &model(true), &universe, &snapshot);
    let book = random(&universe, &snapshot, 3);
    let surplus = |book: &[u64]| program.surplus(book).unwrap()[0].1;
    for pair in universe.layout().pairs() {
        let mut more = book.clone();
        more[pair.first.index()] += 1;
        more[pair.second.index()] += 1;
        assert!(surplus(&more) <= surplus(&book), "{pair:?}");
    }
}

#[test]
fn rates_that_fall_and_moves_beyond_the_price_are_refused() {
    let refuse = |change: &dyn Fn(&mut Value), part: &str| {
        let mut file = all();
        change(&mut file);
        let addons: AddOns = serde_json::from_value(file).unwrap();
        let error = addons.check("add_ons").unwrap_err().to_string();
        assert!(error.contains(part), "{error} does not name {part}");
    };
    refuse(
        &|f| f["concentration"]["tiers"][1]["rate"] = json!("0.0004"),
        "tiers[1].rate",
    );
    refuse(
        &|f| f["concentration"]["tiers"][1]["above"] = json!("0"),
        "tiers[1].above",
    );
    refuse(&|f| f["concentration"]["tiers"] = json!([]), "tiers");
    refuse(&|f| f["concentration"]["days"] = json!(["90", "30"]), "days[1]");
    refuse(&|f| f["concentration"]["moneyness"] = json!(["0"]), "moneyness[0]");
    refuse(&|f| f["concentration"]["least_depth"] = json!("-1"), "least_depth");
    refuse(&|f| f["concentration"]["assets"]["BTC"] = json!("-1"), "assets.BTC");
    refuse(&|f| f["closing"]["factor"] = json!("-1"), "closing.factor");
    refuse(
        &|f| f["rebalancing"]["BTC"]["rate"] = json!("-1"),
        "rebalancing.BTC.rate",
    );
    refuse(
        &|f| f["rebalancing"]["BTC"]["move"] = json!("1"),
        "rebalancing.BTC.move",
    );
    refuse(&|f| f["contagion"]["BTC"]["most"] = json!("0.9"), "contagion.BTC.most");
    refuse(&|f| f["contagion"]["BTC"]["depth"] = json!("0"), "contagion.BTC.depth");
}

#[test]
fn on_the_shipped_chain_all_charges_together_are_small() {
    let read = |path: &str| {
        let root = std::path::PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../examples");
        std::fs::read_to_string(root.join(path)).unwrap()
    };
    let universe = Universe::from_json(&read("universes/single.json")).unwrap();
    let snapshot = Snapshot::from_json(&read("snapshots/2026-08-06T1200Z.json")).unwrap();
    let program = compile(&addons(&all()), &model(true), &universe, &snapshot);
    let size = (program.equations().len(), program.variables().len());
    assert!(size.0 <= 105 && size.1 <= 155, "{size:?}");
}

/// Ten coins in a contract, half a dollar in a coin of what the linear ones settle in, two half spreads.
#[test]
fn closing_out_is_of_all_coins_of_a_contract_in_the_money_that_a_half_is_in() {
    let option = |name: &str, style: &str, settlement: &str| {
        json!({"instrument": {"name": name, "underlying": "BTC", "style": style, "settlement": settlement, "contract": "10", "lot": "0.1",
            "kind": {"option": {"expiry": fixture::NEAR, "strike": "70000", "right": "call"}}}})
    };
    let mut perpetual = option("PERPETUAL", "linear", "USDC");
    perpetual["instrument"]["kind"] = json!("perpetual");
    let lines = json!([
        option("INVERSE", "inverse", "BTC"),
        option("LINEAR", "linear", "USDC"),
        perpetual
    ])
    .to_string();
    let universe = fixture::universe();
    let universe = universe
        .extend("alpha", &serde_json::from_str::<Vec<_>>(&lines).unwrap())
        .unwrap();
    let quote = |bid: &str, ask: &str| Quote {
        bid: Some(bid.parse().unwrap()),
        ask: Some(ask.parse().unwrap()),
        ..Quote::default()
    };
    let mut plain = fixture::snapshot();
    plain.assets.insert("USDC".to_owned(), Decimal::new(5, 1));
    let mut quoted = plain.clone();
    let market = quoted.underlyings.get_mut("BTC").unwrap();
    market.perpetual.as_mut().unwrap().quote = quote("64000", "64003");
    let near: crate::instant::Instant = fixture::NEAR.parse().unwrap();
    let strikes = &mut market.expiries.get_mut(&near).unwrap().strikes;
    strikes.get_mut(&Decimal::from(70_000)).unwrap().call = Some(quote("0.0115", "0.0125"));
    let file = json!({"closing": {"factor": "2", "volatility": "0.01", "least": "0.0002", "future": "0.0004"}});
    let supposed = |name: &str| {
        let greeks = crate::valuation::greeks(&plain, fixture::instrument(&universe, name));
        2.0 * (0.01 * greeks.unwrap().unwrap().vega + 0.0002 * 640_000.0)
    };
    for (name, recorded, supposed) in [
        // 0.001 of ten coins of 64,000 USD.
        ("INVERSE", 640.0, supposed("INVERSE")),
        ("LINEAR", 320.0, 0.5 * supposed("LINEAR")),
        // 3 USD; 0.0004 of 64,000 USD twice.
        ("BTC_USDC-PERPETUAL", 3.0, 51.2),
        ("PERPETUAL", 30.0, 512.0),
    ] {
        let book = Book::empty(&universe).hold(name, "1", None);
        for (snapshot, want) in [(&quoted, recorded), (&plain, supposed)] {
            let got = charges(&addons(&file), &model(true), &universe, snapshot, &book.q);
            assert!((got - want).abs() < 1e-6, "{name}: {got} against {want}");
        }
    }
    let file = json!({"concentration": {"measure": "open-interest", "least_depth": "0", "tiers": [{"above": "0", "rate": "0.01"}]}});
    for name in ["INVERSE", "LINEAR"] {
        let book = Book::empty(&universe).hold(name, "1", None);
        let got = charges(&addons(&file), &model(true), &universe, &plain, &book.q);
        assert!((got - 6_400.0).abs() < 1e-6, "{name}: {got}");
    }
}
