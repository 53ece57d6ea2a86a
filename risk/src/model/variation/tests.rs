#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
//! Two snapshots of a small market, between which one expiry passes.

use num_bigint::BigInt;
use num_rational::BigRational;
use num_traits::Signed;
use proptest::prelude::*;
use rust_decimal::Decimal;
use zkmargin_program::WitnessError;

use super::*;
use crate::model::fixture::{self, Book, FAR, NEAR};
use crate::oracle;
use crate::terms::{Deposit, Level, Margin, Order, Ratio20};

/// The second snapshot: two hours after the near expiry, BTC at 61,000, delivered at 60,500.
fn later() -> Snapshot {
    let mut snapshot = fixture::snapshot();
    snapshot.instant = "2026-08-28T10:00:00Z".parse().unwrap();
    let delivered = NEAR.parse().unwrap();
    for (name, price, index) in [("BTC", "60500", "61000"), ("ETH", "1700", "1710")] {
        let market = snapshot.underlyings.get_mut(name).unwrap();
        market.index = index.parse().unwrap();
        market.expiries.remove(&delivered);
        market.futures.remove(&delivered);
        market.deliveries.insert(delivered, price.parse().unwrap());
        if let Some(perpetual) = &mut market.perpetual {
            perpetual.price = index.parse().unwrap();
        }
    }
    let far = FAR.parse().unwrap();
    let market = snapshot.underlyings.get_mut("BTC").unwrap();
    market.futures.get_mut(&far).unwrap().price = "62500".parse().unwrap();
    market.expiries.get_mut(&far).unwrap().forward = "62500".parse().unwrap();
    snapshot
}

fn whole(number: i64) -> BigRational {
    BigRational::from_integer(number.into())
}

fn variation(model: &Model, q: &[u64]) -> oracle::Variation {
    let universe = fixture::universe();
    oracle::variation(model, &universe, [&fixture::snapshot(), &later()], q).unwrap()
}

#[test]
fn what_a_book_has_lost_is_known_for_each_kind_of_instrument() {
    let (universe, model) = (fixture::universe(), Model::preset("paradex-pm").unwrap());
    // 20,000 USD of an inverse perpetual from 64,010.5 to 61,000: at the index of t0 and t1 by turns.
    let book = Book::empty(&universe)
        .hold("BTC_USDC-PERPETUAL", "2", Some("60000"))
        .coins("beta", "USDC", "9000");
    let known = variation(&model, &book.q);
    assert_eq!(
        known.loss,
        BigRational::new((2 * (640_105 - 610_000)).into(), 10.into())
    );
    assert_eq!(known.cash, whole(9_000));
    // Expired worth nothing: all of its mark is lost, and a short one has gained it.
    let long = Book::empty(&universe).hold("BTC-28AUG26-70000-C", "1", None);
    let short = Book::empty(&universe).hold("BTC-28AUG26-70000-C", "-1", None);
    let (long, short) = (variation(&model, &long.q).loss, variation(&model, &short.q).loss);
    assert!(long.is_positive());
    assert_eq!(long, -short);
    // Delivered at 60,500: a 70,000 put pays 9,500 USD in coins at the delivery, which are worth 61,000 each now.
    let mut expired = fixture::instrument(&universe, "BTC-28AUG26-70000-P").clone();
    let paid = worth(&later(), &expired).unwrap().unwrap();
    assert!((paid - 9_500.0 / 60_500.0 * 61_000.0).abs() < 1e-9, "{paid}");
    expired.style = Style::Linear;
    assert_eq!(worth(&later(), &expired).unwrap(), Some(9_500.0));
    let future = fixture::instrument(&universe, "BTC-28AUG26");
    let settled = worth(&later(), future).unwrap().unwrap();
    assert!((settled + 10.0 / 60_500.0 * 61_000.0).abs() < 1e-12, "{settled}");
}

/// Delivered at 60,500, at an index of 61,000.
#[test]
fn a_call_that_expired_is_worth_what_it_pays_and_a_linear_future_its_delivery_price() {
    let universe = fixture::universe();
    let worth = |name: &str, style: Style| {
        let listed = Instrument {
            style,
            ..fixture::instrument(&universe, name).clone()
        };
        worth(&later(), &listed).unwrap().unwrap()
    };
    // A call of 60,000 pays 500 USD, or that much in coins at the delivery.
    assert_eq!(worth("BTC-LINEAR-60000-C", Style::Linear), 500.0);
    let coins = worth("BTC-LINEAR-60000-C", Style::Inverse);
    assert!((coins - 500.0 / 60_500.0 * 61_000.0).abs() < 1e-9, "{coins}");
    // Ten coins of a future that settles in dollars.
    assert_eq!(worth("BTC-28AUG26", Style::Linear), 605_000.0);
}

#[test]
fn what_an_inverse_future_loses_is_in_the_price_of_its_carry() {
    let (universe, model) = (fixture::universe(), Model::preset("paradex-pm").unwrap());
    // 20,000 USD at 64,000 are 0.3125 BTC of carry, which are worth 3,000 USD less each at 61,000; and the basis of 10.5 USD has gone.
    let long = Book::empty(&universe).hold("BTC-PERPETUAL", "2000", Some("64000"));
    let short = Book::empty(&universe).hold("BTC-PERPETUAL", "-2000", Some("64000"));
    let lost = variation(&model, &long.q).loss;
    let basis = 20_000.0 - 20_000.0 * (64_000.0 / 64_010.5);
    let exact = BigRational::new(9_375.into(), 10.into()) + BigRational::from_float(basis).unwrap();
    let cent = BigRational::new(1.into(), 100.into());
    assert!((&lost - exact).abs() < cent, "{lost}");
    assert_eq!(lost, -variation(&model, &short.q).loss);
    // Nor has it a proof without the cash for that, and with it it has.
    let snapshots = [&fixture::snapshot(), &later()];
    let program = model
        .compile_on(&universe, &snapshots, &Terms::at(Margin::Variation))
        .unwrap();
    let refused = program.witness(&long.q).unwrap_err();
    assert!(matches!(refused, WitnessError::NotMet { .. }), "{refused}");
    let long = long.coins("beta", "USDC", "941");
    program.witness(&long.q).unwrap();
}

/// With one of hindsight, any hedge at any price would undo any loss.
#[test]
fn a_variation_supposes_no_order() {
    let (universe, model) = (fixture::universe(), Model::preset("paradex-pm").unwrap());
    let terms = |order: Option<&str>, deposit: Option<&str>| Terms {
        order: order.map(|order| Order::parse(order, &universe).unwrap()),
        deposit: deposit.map(|deposit| Deposit::parse(deposit, &universe).unwrap()),
        ..Terms::at(Margin::Variation)
    };
    let snapshots = [&fixture::snapshot(), &later()];
    let compiled = |terms: &Terms| model.compile_on(&universe, &snapshots, terms);
    let refused = compiled(&terms(Some("sell 2 BTC_USDC-PERPETUAL @ 1"), None)).unwrap_err();
    assert!(
        refused.to_string().contains("a variation of what was held"),
        "{refused}"
    );
    assert!(compiled(&terms(None, Some("1 beta:USDC"))).is_ok());
}

#[test]
fn a_demand_has_the_haircuts_of_each_of_its_models_and_nothing_else_in_a_variation() {
    let universe = fixture::universe();
    let demand = |more: &str| {
        let with = |haircut: &str| {
            let mut file: serde_json::Value =
                serde_json::from_str(&Model::preset("paradex-pm").unwrap().to_json().unwrap()).unwrap();
            file["assets"]["USDC"]["haircut"] = haircut.into();
            file.to_string()
        };
        let models = format!("[{}, {}]", with("0"), with("0.5"));
        let text = format!(r#"{{"model":"demand","name":"two","description":"","models":{models}{more}}}"#);
        Model::from_json(&text).unwrap()
    };
    let snapshots = [&fixture::snapshot(), &later()];
    let terms = Terms::at(Margin::Variation);
    let model = demand("");
    let program = model.compile_on(&universe, &snapshots, &terms).unwrap();
    // A loss of 6,021 USD: twice that is needed where half of the cash counts.
    let book = |cash: &str| {
        Book::empty(&universe)
            .hold("BTC_USDC-PERPETUAL", "2", Some("60000"))
            .coins("beta", "USDC", cash)
    };
    for (cash, is_met) in [("6021", false), ("12041", false), ("12043", true)] {
        let book = book(cash);
        assert_eq!(program.witness(&book.q).is_ok(), is_met, "{cash}");
        assert_eq!(
            !variation(&model, &book.q).excess(Ratio20::ONE, 0).is_negative(),
            is_met,
            "{cash}"
        );
    }
    for more in [
        r#","netting":"alone""#,
        r#","counterparties":{"without_any_one":true}"#,
        r#","counterparties":{"haircuts":{"beta":{"USDC":"1"}}}"#,
        r#","limits":[{"net_delta":{"underlying":"BTC","most":"1"}}]"#,
        r#","add_ons":{"contagion":{"BTC":{"move":"0.1","depth":"1","most":"0.1"}}}"#,
    ] {
        let model = demand(more);
        let refused = model.compile_on(&universe, &snapshots, &terms).unwrap_err().to_string();
        assert!(refused.contains("to ask for its models alone"), "{refused}");
        assert!(oracle::variation(&model, &universe, snapshots, &book("0").q).is_err());
    }
}

#[test]
fn what_expired_without_a_delivery_is_proven_empty() {
    let (universe, model) = (fixture::universe(), Model::preset("paradex-pm").unwrap());
    let mut undelivered = later();
    undelivered.underlyings.get_mut("BTC").unwrap().deliveries.clear();
    let snapshots = [&fixture::snapshot(), &undelivered];
    let program = model
        .compile_on(&universe, &snapshots, &Terms::at(Margin::Variation))
        .unwrap();
    let book = Book::empty(&universe)
        .hold("BTC-28AUG26-70000-C", "0.1", None)
        .coins("beta", "USDC", "90000");
    let refused = program.witness(&book.q).unwrap_err();
    assert!(matches!(refused, WitnessError::NotEmpty { .. }), "{refused}");
    assert!(oracle::variation(&model, &universe, snapshots, &book.q).is_err());
}

#[test]
fn what_is_cash_is_what_each_kind_says_of_its_assets() {
    let universe = fixture::universe();
    // A coin at 61,000 USD less its haircut: at maintenance where a kind has one at each level, whole where charges are all there is.
    for (preset, cash) in [
        ("paradex-pm", "57950"),
        ("hyperliquid", "54900"),
        ("derive-pm2", "54534"),
        ("derive-pmrm1", "61000"),
    ] {
        let model = Model::preset(preset).unwrap();
        let book = Book::empty(&universe).coins("alpha", "BTC", "1");
        let found = variation(&model, &book.q);
        assert_eq!(found.cash, crate::amount::to_ratio(cash.parse().unwrap()), "{preset}");
    }
    // A debt comes off the cash also where it is the requirement.
    let mut file: serde_json::Value =
        serde_json::from_str(&Model::preset("hyperliquid").unwrap().to_json().unwrap()).unwrap();
    file["debts"] = "requirement".into();
    let model = Model::from_json(&file.to_string()).unwrap();
    let program = model
        .compile_on(
            &universe,
            &[&fixture::snapshot(), &later()],
            &Terms::at(Margin::Variation),
        )
        .unwrap();
    for (coins, is_met) in [("101", true), ("99", false)] {
        let book = Book::empty(&universe)
            .coins("alpha", "USDC", coins)
            .coins("beta", "USDC", "-100");
        assert_eq!(program.witness(&book.q).is_ok(), is_met, "{coins}");
        assert_eq!(
            !variation(&model, &book.q).excess(Ratio20::ONE, 0).is_negative(),
            is_met,
            "{coins}"
        );
    }
}

/// A market of a product class's name prices no sensitivity.
#[test]
fn sensitivities_have_no_variation_and_are_proven_empty() {
    let lines = r#"[{"asset":{"name":"USDC","lot":"0.01","carry":true,"reserve":true}},
        {"instrument":{"name":"EUR5Y","underlying":"RatesFX","kind":{"sensitivity":{"risk_type":"Risk_IRCurve","qualifier":"EUR","bucket":"1",
        "label1":"5y","label2":"Libor3m"}},"style":"linear","settlement":"USDC","contract":"1","lot":"1"}}]"#;
    let key = "1".repeat(64);
    let universe =
        format!(r#"{{"network":"test","k":6,"venues":[{{"name":"bank","keys":["{key}"],"lines":{lines}}}]}}"#);
    let universe = Universe::from_json(&universe).unwrap();
    let with_market = |mut snapshot: Snapshot| {
        let market = snapshot.underlyings.get("ETH").unwrap().clone();
        snapshot.underlyings.insert("RatesFX".to_owned(), market);
        snapshot
    };
    let [before, after] = [fixture::snapshot(), later()].map(with_market);
    let model = Model::preset("simm-2.5").unwrap();
    let program = model
        .compile_on(&universe, &[&before, &after], &Terms::at(Margin::Variation))
        .unwrap();
    let cash = Book::empty(&universe).coins("bank", "USDC", "5");
    program.witness(&cash.q).unwrap();
    let at_level = model.compile(&universe, &before, &Terms::at(Level::Initial)).unwrap();
    for contracts in ["1", "-1"] {
        let book = Book::empty(&universe)
            .coins("bank", "USDC", "1000")
            .hold("EUR5Y", contracts, None);
        at_level.witness(&book.q).unwrap();
        let refused = program.witness(&book.q).unwrap_err();
        assert!(matches!(refused, WitnessError::NotEmpty { .. }), "{refused}");
        let refused = oracle::variation(&model, &universe, [&before, &after], &book.q).unwrap_err();
        assert!(refused.to_string().contains("a sensitivity has no price"), "{refused}");
    }
}

#[test]
fn a_model_without_its_price_history_has_no_variation() {
    let (universe, model) = (fixture::universe(), Model::preset("hs-var").unwrap());
    let refused = model.compile_on(
        &universe,
        &[&fixture::snapshot(), &later()],
        &Terms::at(Margin::Variation),
    );
    let refused = refused.unwrap_err().to_string();
    assert!(refused.contains("needs the price history"), "{refused}");
}

/// The oracle refuses what the program proves empty: a debt of an asset that has no price any more.
#[test]
fn an_asset_that_lost_its_price_is_not_owed() {
    let (universe, model) = (fixture::universe(), Model::preset("paradex-pm").unwrap());
    let mut after = later();
    after.assets.remove("USDC");
    let snapshots = [&fixture::snapshot(), &after];
    let program = model
        .compile_on(&universe, &snapshots, &Terms::at(Margin::Variation))
        .unwrap();
    let book = Book::empty(&universe)
        .coins("alpha", "BTC", "1")
        .coins("beta", "USDC", "-1");
    assert!(matches!(program.witness(&book.q), Err(WitnessError::NotEmpty { .. })));
    let refused = oracle::variation(&model, &universe, snapshots, &book.q).unwrap_err();
    assert!(refused.to_string().contains("USDC"), "{refused}");
}

#[test]
fn snapshots_in_the_wrong_order_are_refused() {
    let (universe, model) = (fixture::universe(), Model::preset("paradex-pm").unwrap());
    let refused = model
        .compile_on(
            &universe,
            &[&later(), &fixture::snapshot()],
            &Terms::at(Margin::Variation),
        )
        .unwrap_err();
    assert!(refused.to_string().contains("later than the first"), "{refused}");
}

#[test]
fn a_level_is_of_one_snapshot_and_variation_of_two() {
    let (universe, model) = (fixture::universe(), Model::preset("paradex-pm").unwrap());
    let (before, after) = (fixture::snapshot(), later());
    for (margin, snapshots) in [
        (Margin::Level(Level::Initial), vec![&before, &after]),
        (Margin::Variation, vec![&before]),
    ] {
        let refused = model.compile_on(&universe, &snapshots, &Terms::at(margin)).unwrap_err();
        assert!(matches!(refused, CompileError::Snapshots { .. }), "{refused}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn the_program_admits_what_the_oracle_admits(
        call in -30_i64..30, put in -30_i64..30, linear in -10_i64..10, perpetual in -9_000_i64..9_000,
        future in -9_000_i64..9_000, coins in -100_i64..300, cash in -90_000_i64..90_000, twentieths in 20_u32..40,
    ) {
        let (universe, model) = (fixture::universe(), Model::preset("paradex-pm").unwrap());
        let tenths = |number: i64| Decimal::new(number, 1).to_string();
        let book = Book::empty(&universe)
            .hold("BTC-28AUG26-70000-C", &tenths(call), None)
            .hold("BTC-26MAR27-50000-P", &tenths(put), None)
            .hold("BTC-LINEAR-60000-C", &tenths(linear), None)
            .hold("BTC-PERPETUAL", &perpetual.to_string(), Some("63000"))
            .hold("BTC-28AUG26", &future.to_string(), Some("65000"))
            .coins("alpha", "BTC", &Decimal::new(coins, 2).to_string())
            .coins("beta", "USDC", &cash.to_string());
        let terms = Terms { ratio: Ratio20::new(twentieths).unwrap(), ..Terms::at(Margin::Variation) };
        let snapshots = [&fixture::snapshot(), &later()];
        let program = model.compile_on(&universe, &snapshots, &terms).unwrap();
        let unit = BigRational::new(1.into(), BigInt::from(10).pow(10));
        let divisor = BigInt::from(20 / num_integer::gcd(20, twentieths));
        let scaled = |units: BigInt| BigRational::new(units, divisor.clone()) * &unit;
        let shown = scaled(program.surplus(&book.q).unwrap()[0].1.into());
        let bound = scaled(program.rounding_bound(&book.q).into());
        let exact = oracle::variation(&model, &universe, snapshots, &book.q).unwrap().excess(terms.ratio, 0);
        prop_assert!(shown <= exact && exact <= shown + bound);
    }
}

/// A coin that one account holds and another owes, and half a coin that is paid in.
#[test]
fn a_deposit_in_a_variation_closes_what_is_owed_against_it_and_nothing_else() {
    let (universe, model) = (fixture::universe(), Model::preset("paradex-pm").unwrap());
    let snapshots = [&fixture::snapshot(), &later()];
    let terms = |excess: u64| Terms {
        excess,
        deposit: Some(Deposit::parse("0.5 alpha:BTC", &universe).unwrap()),
        ..Terms::at(Margin::Variation)
    };
    let held = Book::empty(&universe)
        .coins("alpha", "BTC", "1")
        .coins("alpha", "BTC", "-1");
    let after = oracle::with_public_amounts(&universe, &terms(0), &held.q).unwrap();
    let mut gross = held.q.clone();
    for (leg, lots) in terms(0).public_amounts(&universe).unwrap() {
        gross[leg.index()] += lots;
    }
    // A coin less its haircut, and half a coin of debt: 57,950 - 30,500.
    for (excess, is_met) in [(27_449, true), (27_451, false)] {
        let program = model.compile_on(&universe, &snapshots, &terms(excess)).unwrap();
        assert_eq!(program.witness(&gross).is_ok(), is_met, "{excess}");
        let known = oracle::variation(&model, &universe, snapshots, &after).unwrap();
        assert_eq!(!known.excess(Ratio20::ONE, excess).is_negative(), is_met, "{excess}");
    }
}

#[test]
fn what_a_model_does_not_margin_is_proven_empty_in_a_variation_too() {
    let (universe, model) = (fixture::universe(), Model::preset("hyperliquid").unwrap());
    let snapshots = [&fixture::snapshot(), &later()];
    let program = model
        .compile_on(&universe, &snapshots, &Terms::at(Margin::Variation))
        .unwrap();
    let book = |name: &str, contracts: &str| {
        let book = Book::empty(&universe).hold(name, contracts, None);
        book.coins("beta", "USDC", "90000").q
    };
    for (name, contracts) in [
        ("BTC-LINEAR-60000-C", "-1"),
        ("BTC-26MAR27", "1"),
        ("BTC-26MAR27", "-1"),
    ] {
        let book = book(name, contracts);
        let refused = program.witness(&book).unwrap_err();
        assert!(matches!(refused, WitnessError::NotEmpty { .. }), "{name}: {refused}");
        assert!(oracle::variation(&model, &universe, snapshots, &book).is_err());
    }
    program.witness(&book("BTC-LINEAR-60000-C", "1")).unwrap();
}

#[test]
fn a_snapshot_is_not_later_than_itself() {
    let (universe, model) = (fixture::universe(), Model::preset("paradex-pm").unwrap());
    let now = fixture::snapshot();
    let refused = model.compile_on(&universe, &[&now, &now], &Terms::at(Margin::Variation));
    assert!(refused.unwrap_err().to_string().contains("later than the first"));
}
