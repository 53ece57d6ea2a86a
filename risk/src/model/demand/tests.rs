#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
//! Demands against their oracle, and files that are refused.

use num_bigint::BigInt;
use num_rational::BigRational;
use num_traits::Signed;
use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::market::Snapshot;
use crate::model::PRESETS;
use crate::model::fixture::{self, Book};
use crate::oracle::{self, Check, Evaluation};
use crate::terms::Ratio20;
use crate::universe::Universe;

fn file(change: impl FnOnce(&mut Value)) -> String {
    let mut file = json!({
        "model": "demand", "name": "a partner's", "description": "for tests",
        "models": ["paradex-pm", "deribit-pm"],
    });
    change(&mut file);
    file.to_string()
}

fn demand(members: Value) -> Model {
    let text = file(|file| {
        for (name, value) in members.as_object().unwrap() {
            file[name] = value.clone();
        }
    });
    Model::from_json(&text).unwrap()
}

/// What a prover can show of each requirement (of the two signs of a limit, the worse), and its bound, in the numéraire.
fn shown(model: &Model, terms: &Terms, q: &[u64]) -> (BTreeMap<String, BigRational>, BigRational) {
    let program = model
        .compile(&fixture::universe(), &fixture::snapshot(), terms)
        .unwrap();
    let unit = BigRational::new(1.into(), BigInt::from(10).pow(10));
    let mut shown = BTreeMap::new();
    for (name, units) in program.surplus(q).unwrap() {
        let units = BigRational::from_integer(units.into()) * &unit;
        let least = shown
            .get(&name)
            .map_or(units.clone(), |known: &BigRational| known.clone().min(units.clone()));
        shown.insert(name, least);
    }
    let bound = BigRational::from_integer(program.rounding_bound(q).into()) * &unit;
    (shown, bound)
}

fn evaluate(model: &Model, q: &[u64]) -> Evaluation {
    oracle::evaluate(model, &fixture::universe(), &fixture::snapshot(), q).unwrap()
}

/// `V* - R*` of each model.
fn each(evaluation: &Evaluation, level: Level) -> Vec<BigRational> {
    let all = std::iter::once(evaluation).chain(&evaluation.beside);
    all.map(|one| &one.value - one.requirement(level)).collect()
}

/// Both implications for every requirement of a demand: what can be shown is at most what is so, and less by at most the bound.
fn compare(model: &Model, q: &[u64]) {
    for level in [Level::Initial, Level::Maintenance] {
        let (shown, bound) = shown(model, &Terms::at(level), q);
        let evaluation = evaluate(model, q);
        let excesses = each(&evaluation, level);
        let index = BigRational::from_integer(64_000.into());
        for (name, shown) in shown {
            let exact: Vec<BigRational> = match name.strip_prefix("limit on ") {
                None => match name.split_once(" without the balances at ") {
                    None => excesses.clone(),
                    Some((_, at)) => {
                        let rest = evaluation.checks.iter().find_map(|check| match check {
                            Check::WithoutBalances { venue, evaluation } if venue == at => Some(evaluation),
                            _ => None,
                        });
                        each(rest.unwrap(), level)
                    }
                },
                Some(_) => {
                    let slacks = evaluation.checks.iter().filter(|check| check.name() == name);
                    slacks
                        .map(|check| check.slack(level, Ratio20::ONE, 0))
                        .map(|slack| match name.as_str() {
                            // Coins are counted at the index, and a leverage of 7/2 is required twice over.
                            name if name.contains("delta") || name.contains("gamma") => slack * &index,
                            "limit on leverage" => slack * BigRational::from_integer(2.into()),
                            _ => slack,
                        })
                        .collect()
                }
            };
            assert!(
                exact.iter().any(|exact| shown <= *exact),
                "{name}: {shown} is shown, but it is {exact:?}"
            );
            assert!(
                exact.iter().any(|exact| exact - &bound <= shown && shown <= *exact),
                "{name}: {shown} is not within {bound} of {exact:?}"
            );
        }
        let met = evaluation.is_met(level, Ratio20::ONE, 0);
        let program = model
            .compile(&fixture::universe(), &fixture::snapshot(), &Terms::at(level))
            .unwrap();
        match program.witness(q) {
            Ok(witness) => {
                program.check(q, witness.values()).unwrap();
                assert!(met, "a witness for what is not met");
            }
            Err(_) => {
                let slacks = evaluation
                    .checks
                    .iter()
                    .map(|check| check.slack(level, Ratio20::ONE, 0));
                let least = slacks.chain(excesses.clone()).min().unwrap();
                assert!(
                    !met || least < bound,
                    "met by {least}, beyond {bound}, without a witness"
                );
            }
        }
    }
}

fn members() -> Vec<Value> {
    vec![
        json!({}),
        json!({"netting": "alone"}),
        json!({"netting": {"partial": [{"between": ["alpha", "beta"], "fraction": "0.4"}]}}),
        json!({"netting": {"partial": [{"between": ["alpha", "beta"], "fraction": "1"}, {"between": ["alpha", "elsewhere"], "fraction": "0"}]}}),
        json!({"counterparties": {"haircuts": {"alpha": {"BTC": "0.1", "USDC": "0.02"}}, "most": {"beta": "1000"}}}),
        json!({"counterparties": {"without_any_one": true, "most": {"beta": "1000"}}, "netting": "alone"}),
        json!({"netting": "alone", "add_ons": {
            "concentration": {"measure": "volume", "least_depth": "5000", "days": ["30"], "moneyness": ["1"],
                "tiers": [{"above": "0", "rate": "0.0005"}, {"above": "2", "rate": "0.03"}], "assets": {"BTC": "100000"}},
            "closing": {"factor": "1", "volatility": "0.015", "least": "0.0002", "future": "0.0004"},
            "rebalancing": {"BTC": {"move": "0.05", "rate": "0.1"}},
            "contagion": {"BTC": {"move": "0.15", "depth": "1000000000", "most": "0.2"}}
        }}),
        json!({"limits": [
            {"net_delta": {"underlying": "BTC", "most": "1.5"}}, {"gamma": {"underlying": "BTC", "most": "0.01"}},
            {"vega": {"underlying": "BTC", "most": "90"}}, {"gross_notional": {"most": "400000"}},
            {"gross_notional": {"underlying": "BTC", "most": "300000"}}, {"leverage": {"most": "3.5"}},
            {"leverage": {"underlying": "BTC", "most": "2"}}
        ]}),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn a_demand_admits_what_its_oracle_admits(
        options in -20_i64..20, puts in -20_i64..20, linear in -10_i64..10, perpetual in -9_000_i64..9_000,
        far in -9_000_i64..9_000, coins in -100_i64..300, cash in -50_000_i64..200_000, which in 0_usize..8,
    ) {
        let universe = fixture::universe();
        let book = Book::empty(&universe)
            .hold("BTC-28AUG26-70000-C", &format!("{}", Decimal::new(options, 1)), None)
            .hold("BTC-26MAR27-50000-P", &format!("{}", Decimal::new(puts, 1)), None)
            .hold("BTC-LINEAR-60000-C", &format!("{}", Decimal::new(linear, 1)), None)
            .hold("BTC-PERPETUAL", &perpetual.to_string(), Some("63000"))
            .hold("BTC-26MAR27", &far.to_string(), Some("65000"))
            .coins("alpha", "BTC", &Decimal::new(coins, 2).to_string())
            .coins("beta", "USDC", &cash.to_string());
        // The coin model counts no linear option.
        let mut members = members()[which].clone();
        members["models"] = if linear == 0 { json!(["paradex-pm", "deribit-pm"]) } else { json!(["paradex-pm"]) };
        compare(&demand(members), &book.q);
    }
}

#[test]
fn stand_alone_requirements_are_at_least_the_netted_one_and_partial_ones_lie_between() {
    let universe = fixture::universe();
    let book = Book::empty(&universe)
        .hold("BTC-28AUG26-70000-C", "-2", None)
        .hold("BTC-PERPETUAL", "6000", Some("64010.5"))
        .coins("alpha", "BTC", "1")
        .coins("beta", "USDC", "50000");
    let of = |netting: Value| evaluate(&demand(json!({"models": ["paradex-pm"], "netting": netting})), &book.q).initial;
    let half = json!({"partial": [{"between": ["alpha", "beta"], "fraction": "0.5"}]});
    let (full, alone, half) = (of(json!("full")), of(json!("alone")), of(half));
    assert!(full < alone);
    assert_eq!(half, (full + alone) / BigRational::from_integer(2.into()));
}

#[test]
fn every_model_of_a_demand_must_be_met() {
    let universe = fixture::universe();
    let book = Book::empty(&universe)
        .hold("BTC-28AUG26-70000-C", "-2", None)
        .coins("alpha", "BTC", "0.3");
    let mut models = ["paradex-pm", "deribit-pm"];
    let alone = models.map(|name| evaluate(&Model::preset(name).unwrap(), &book.q));
    let least = alone.iter().map(|one| &one.value - &one.initial).min().unwrap();
    for _ in 0..2 {
        models.reverse();
        let evaluation = evaluate(&demand(json!({ "models": models })), &book.q);
        assert_eq!(evaluation.excess(Level::Initial, Ratio20::ONE, 0), least);
        // That which asks for most is shown, the other beside it.
        assert_eq!(&evaluation.value - &evaluation.initial, least, "{models:?}");
        assert_eq!(evaluation.beside.len(), 1);
    }
}

#[test]
fn what_one_model_does_not_count_is_proven_empty() {
    let model = demand(json!({}));
    let (universe, snapshot) = (fixture::universe(), fixture::snapshot());
    let book = Book::empty(&universe)
        .hold("BTC-LINEAR-60000-C", "1", None)
        .coins("alpha", "BTC", "9");
    let program = model.compile(&universe, &snapshot, &Terms::at(Level::Initial)).unwrap();
    let refused = program.witness(&book.q).unwrap_err();
    assert!(
        matches!(refused, zkmargin_program::WitnessError::NotEmpty { .. }),
        "{refused}"
    );
    assert!(oracle::evaluate(&model, &universe, &snapshot, &book.q).is_err());
}

#[test]
fn a_venue_counts_for_no_more_than_its_limit() {
    let universe = fixture::universe();
    let book = Book::empty(&universe)
        .coins("beta", "USDC", "1500")
        .coins("alpha", "USDC", "300");
    let model = demand(json!({"models": ["paradex-pm"], "counterparties": {"most": {"beta": "1000"}}}));
    assert_eq!(evaluate(&model, &book.q).value, BigRational::from_integer(1300.into()));
    let model = demand(json!({"models": ["paradex-pm"], "counterparties": {"without_any_one": true}}));
    assert!(evaluate(&model, &book.q).is_met(Level::Initial, Ratio20::ONE, 300));
    assert!(!evaluate(&model, &book.q).is_met(Level::Initial, Ratio20::ONE, 301));
    let owes = Book::empty(&universe)
        .coins("beta", "USDC", "1500")
        .coins("alpha", "USDC", "-1");
    assert!(!evaluate(&model, &owes.q).is_met(Level::Initial, Ratio20::ONE, 0));
}

#[test]
fn coins_at_a_venue_that_is_lost_hedge_nothing() {
    let universe = fixture::universe();
    let hedged = |coins: &str| {
        Book::empty(&universe)
            .coins("alpha", "BTC", coins)
            .hold("BTC-PERPETUAL", "-6400", Some("64010.5"))
            .coins("beta", "USDC", "3000")
    };
    let model = demand(json!({"models": ["paradex-pm"], "counterparties": {"without_any_one": true}}));
    let (book, rest) = (hedged("1"), hedged("0"));
    let evaluation = evaluate(&model, &book.q);
    let alone = evaluate(&Model::preset("paradex-pm").unwrap(), &rest.q);
    let without = without(&evaluation, "alpha");
    assert_eq!((&without.value, &without.initial), (&alone.value, &alone.initial));
    // 3,000 dollars would be enough for what is hedged, and are not for a short perpetual alone.
    let cash = BigRational::from_integer(3000.into());
    assert!(evaluation.initial < cash && cash < without.initial);
    let program = model
        .compile(&universe, &fixture::snapshot(), &Terms::at(Level::Initial))
        .unwrap();
    assert_eq!(
        program.witness(&book.q).unwrap_err(),
        zkmargin_program::WitnessError::NotMet {
            name: "margin without the balances at alpha".to_owned()
        }
    );
    assert!(!evaluation.is_met(Level::Initial, Ratio20::ONE, 0));
    compare(&model, &book.q);
    compare(&model, &rest.q);
}

#[test]
fn long_names_of_models_and_venues_fit() {
    let long = "модель".repeat(10);
    let (mut first, mut second) = (
        serde_json::from_str::<Value>(PRESETS[0].1).unwrap(),
        json!("deribit-pm"),
    );
    first["name"] = json!(long);
    let members = json!({"models": [first, second.take()], "counterparties": {"without_any_one": true}});
    let mut file = fixture::universe().to_file();
    file.venues[0].name = "b".repeat(64);
    let universe = Universe::from_file(&file).unwrap();
    demand(members)
        .compile(&universe, &fixture::snapshot(), &Terms::at(Level::Initial))
        .unwrap();
}

#[test]
fn a_demand_names_what_is_wrong_with_it() {
    let refused = |change: &dyn Fn(&mut Value)| Model::from_json(&file(|file| change(file))).unwrap_err().to_string();
    for (change, words) in [
        (
            Box::new(|f: &mut Value| f["models"] = json!([])) as Box<dyn Fn(&mut Value)>,
            "models has 0 models, expected 1 to 8",
        ),
        (
            Box::new(|f| f["models"] = json!(["nobody's"])),
            "there is no preset `nobody's`",
        ),
        (
            Box::new(|f| f["models"] = json!([serde_json::from_str::<Value>(&file(|_| {})).unwrap()])),
            "models[0] is a demand, expected a margin model",
        ),
        (
            Box::new(|f| {
                f["netting"] = json!({"partial": [{"between": ["a", "b"], "fraction": "0.6"}, {"between": ["c", "a"], "fraction": "0.5"}]});
            }),
            "the fractions of a is 1.1, expected a sum of at most 1",
        ),
        (
            Box::new(|f| f["netting"] = json!({"partial": [{"between": ["a", "a"], "fraction": "0.5"}]})),
            "netting.partial[0].between is a and a",
        ),
        (
            Box::new(|f| f["counterparties"] = json!({"haircuts": {"beta": {"BTC": "1.1"}}})),
            "counterparties.haircuts.beta.BTC is 1.1, expected 0 to 1",
        ),
        (
            Box::new(|f| f["limits"] = json!([{"leverage": {"most": "1.00001"}}])),
            "limits[0].most is 1.00001, expected at most 4 decimals",
        ),
        (
            Box::new(|f| {
                f["netting"] = json!({"partial": [{"between": ["a", "b"], "fraction": "0.33333"}]});
            }),
            "netting.partial[0].fraction is 0.33333, expected at most 4 decimals",
        ),
        (
            Box::new(|f| f["limits"] = json!([{"leverage": {"most": "10001"}}])),
            "limits[0].most is 10001, expected 0 to 10000",
        ),
        (
            Box::new(|f| f["models"] = json!(["paradex-pm", {"model": "tims", "name": "t"}])),
            "models[1]: model: missing field",
        ),
        (
            Box::new(|f| f["limits"] = json!([{"leverage": {"most": "-1"}}])),
            "limits[0].most is -1, expected 0 to",
        ),
        (
            Box::new(|f| {
                f["add_ons"] = json!({"closing": {"factor": "-1", "volatility": "0", "least": "0", "future": "0"}});
            }),
            "add_ons.closing.factor",
        ),
        (
            Box::new(|f| f["counterparties"] = json!({"most": {"beta": "-1"}})),
            "counterparties.most.beta is -1, expected 0 to",
        ),
        (
            Box::new(|f| f["limits"] = json!([{"gross_notional": {"most": "-1"}}])),
            "limits[0].most is -1, expected 0 to",
        ),
        (
            Box::new(|f| f["limits"] = json!(vec![json!({"gross_notional": {"most": "1"}}); 65])),
            "limits has 65 limits, expected 0 to 64",
        ),
        (
            Box::new(|f| f["counterparties"] = json!({"haircuts": {"beta": {"A\u{30a}": "1"}}})),
            "a text of the file is A\u{30a}, expected texts in Unicode's NFC",
        ),
        (
            Box::new(|f| f["name"] = json!("a\u{1b}[2J")),
            "name is a text with a control character in place 2, expected no control characters",
        ),
        (Box::new(|f| f["nettig"] = json!("full")), "unknown field `nettig`"),
    ] {
        let text = refused(&*change);
        assert!(text.contains(words), "{text}");
    }
}

/// A model with a perpetual of BTC, these assets, and this numeraire.
fn plain(name: &str, numeraire: &str, assets: Value) -> Value {
    json!({ "model": "linear", "name": name, "description": "", "numeraire": numeraire, "assets": assets,
        "underlyings": { "BTC": { "perpetual": { "tiers": [{ "from": "0", "initial": "0.01", "maintenance": "0.01" }] } } } })
}

#[test]
fn models_that_count_in_one_coin_in_different_units_are_refused() {
    let still = || plain("still", "BTC", json!({ "BTC": { "haircut": "0" } }));
    let moving = || {
        plain(
            "moving",
            "BTC",
            json!({ "BTC": { "haircut": "0", "underlying": "BTC" } }),
        )
    };
    for models in [[still(), moving()], [moving(), still()]] {
        let refused = Model::from_json(&file(|file| file["models"] = json!(models)));
        let said = refused.unwrap_err().to_string();
        assert!(
            said.contains(
                "models is BTC and BTC that moves with an underlying, expected models that count in one numeraire"
            ),
            "{said}"
        );
    }
    for one in [still, moving] {
        demand(json!({ "models": [one(), one()] }));
    }
}

#[test]
fn add_ons_of_a_model_are_on_what_that_model_counts_wherever_it_stands() {
    let universe = fixture::universe();
    let mut snapshot = fixture::snapshot();
    snapshot.assets.insert("DUST".to_owned(), Decimal::ONE);
    let narrow = || plain("narrow", "USD", json!({ "USDC": { "haircut": "0" } }));
    let wide = || {
        plain(
            "wide",
            "USD",
            json!({ "USDC": { "haircut": "0" }, "DUST": { "haircut": "0" } }),
        )
    };
    let book = Book::empty(&universe)
        .coins("beta", "USDC", "1000")
        .coins("beta", "DUST", "5000");
    let add_ons = || {
        json!({ "concentration": { "measure": "volume", "least_depth": "5000", "days": ["30"], "moneyness": ["1"],
            "tiers": [{ "above": "0", "rate": "1.5" }], "assets": { "DUST": "0" } } })
    };
    let excess = |models: Value, add_ons: Option<Value>| -> BTreeMap<String, BigRational> {
        let mut members = json!({ "models": models });
        if let Some(add_ons) = add_ons {
            members["add_ons"] = add_ons;
        }
        let (model, terms) = (demand(members), Terms::at(Level::Initial));
        let program = model.compile(&universe, &snapshot, &terms).unwrap();
        let unit = BigRational::new(1.into(), BigInt::from(10).pow(10));
        let shown: BTreeMap<String, BigRational> = program
            .surplus(&book.q)
            .unwrap()
            .into_iter()
            .map(|(name, units)| (name, BigRational::from_integer(units.into()) * &unit))
            .collect();
        let bound = BigRational::from_integer(program.rounding_bound(&book.q).into()) * unit;
        for (name, evaluation) in oracle::evaluate_each(&model, &universe, &snapshot, &book.q).unwrap() {
            let exact = evaluation.value - evaluation.initial;
            let shown = &shown[&format!("margin by {name}")];
            assert!(
                *shown <= exact && exact <= shown + &bound,
                "{name}: {shown} is shown of {exact}"
            );
        }
        shown
    };
    let with = excess(json!([narrow(), wide()]), Some(add_ons()));
    assert_eq!(with, excess(json!([wide(), narrow()]), Some(add_ons())));
    let without = excess(json!([narrow(), wide()]), None);
    let charged = |name: &str| {
        let name = format!("margin by {name}");
        (&without[&name] - &with[&name]).is_positive()
    };
    assert_eq!((charged("narrow"), charged("wide")), (false, true));
}

#[test]
fn the_digest_is_of_the_models_and_not_of_their_names() {
    let by_name = demand(json!({"models": ["paradex-pm"]}));
    let text = by_name.to_json().unwrap();
    let whole = Model::from_json(&text).unwrap();
    assert_eq!(by_name.digest(), whole.digest());
    let mut other: Value = serde_json::from_str(&text).unwrap();
    other["models"][0]["levels"]["initial"] = json!("0.9");
    assert_ne!(by_name.digest(), Model::from_json(&other.to_string()).unwrap().digest());
    assert!(
        !by_name.digest().0.iter().all(|byte| *byte == 0)
            && !evaluate(&by_name, &Book::empty(&fixture::universe()).q)
                .value
                .is_negative()
    );
}

#[test]
fn a_key_that_is_there_twice_in_a_model_of_a_demand_is_refused() {
    let inner = PRESETS[0].1.replacen(
        "\"levels\":",
        "\"levels\": {\"initial\": \"0\", \"maintenance\": \"0\"}, \"levels\":",
        1,
    );
    assert_ne!(inner, PRESETS[0].1);
    let text = format!(r#"{{"model":"demand","name":"x","description":"","models":[{inner}]}}"#);
    let refused = Model::from_json(&text).unwrap_err().to_string();
    assert!(refused.contains("duplicate field `levels`"), "{refused}");
}

/// The snapshot with a market of the dollar that everything settles in.
fn with_a_market_of_usdc() -> Snapshot {
    let mut snapshot = fixture::snapshot();
    let mut market = snapshot.underlyings["ETH"].clone();
    market.index = 1.into();
    (market.perpetual, market.expiries) = (None, BTreeMap::new());
    snapshot.underlyings.insert("USDC".to_owned(), market);
    snapshot.check().unwrap();
    snapshot
}

#[test]
fn what_settles_in_an_asset_that_has_a_market_is_in_every_limit_and_in_what_a_venue_owes() {
    let (universe, snapshot) = (fixture::universe(), with_a_market_of_usdc());
    let book = Book::empty(&universe)
        .hold("BTC_USDC-PERPETUAL", "2", Some("64000"))
        .hold("BTC-LINEAR-60000-C", "10", None)
        .coins("beta", "USDC", "900000");
    for limit in [
        json!({"limits": [{"net_delta": {"underlying": "BTC", "most": "1"}}]}),
        json!({"limits": [{"gamma": {"underlying": "BTC", "most": "0.000001"}}]}),
        json!({"limits": [{"vega": {"underlying": "BTC", "most": "1"}}]}),
        json!({"limits": [{"gross_notional": {"most": "700000"}}]}),
        json!({"limits": [{"leverage": {"most": "0.5"}}]}),
        json!({"counterparties": {"most": {"alpha": "0", "beta": "22000"}}}),
    ] {
        let mut members = limit.clone();
        members["models"] = json!(["paradex-pm"]);
        let model = demand(members);
        let evaluation = oracle::evaluate(&model, &universe, &snapshot, &book.q).unwrap();
        let is_met = evaluation.is_met(Level::Maintenance, Ratio20::ONE, 0);
        assert!(!is_met, "{limit}");
        let program = model
            .compile(&universe, &snapshot, &Terms::at(Level::Maintenance))
            .unwrap();
        let refused = program.witness(&book.q).unwrap_err();
        assert!(
            matches!(refused, zkmargin_program::WitnessError::NotMet { .. }),
            "{limit}: {refused}"
        );
    }
}

#[test]
fn what_one_model_alone_has_no_margin_for_is_among_what_does_not_count() {
    let (universe, snapshot) = (fixture::universe(), fixture::snapshot());
    let model = demand(json!({"models": ["paradex-pm", "hyperliquid"]}));
    let uncounted = model.uncounted(&universe, &snapshot);
    let why = |name: &str| {
        uncounted
            .iter()
            .find(|line| line.line == name)
            .map(|line| line.why.to_string())
    };
    assert_eq!(
        why("BTC-LINEAR-60000-C").unwrap(),
        "the model does not margin it held short"
    );
    assert_eq!(
        why("BTC-26MAR27").unwrap(),
        "the model does not margin instruments of its kind"
    );
    assert_eq!(why("BTC-PERPETUAL"), None);
    let program = model.compile(&universe, &snapshot, &Terms::at(Level::Initial)).unwrap();
    for (name, side) in [
        ("BTC-LINEAR-60000-C", "-1"),
        ("BTC-26MAR27", "1"),
        ("BTC-26MAR27", "-1"),
    ] {
        let book = Book::empty(&universe).hold(name, side, None);
        let refused = program.witness(&book.q).unwrap_err();
        assert!(
            matches!(refused, zkmargin_program::WitnessError::NotEmpty { .. }),
            "{name}: {refused}"
        );
        assert!(oracle::evaluate(&model, &universe, &snapshot, &book.q).is_err());
    }
}

#[test]
fn a_limit_or_haircut_on_what_nobody_lists_is_refused_by_name() {
    let refused = |members: Value| {
        let model = demand(members);
        let terms = Terms::at(Level::Initial);
        model
            .compile(&fixture::universe(), &fixture::snapshot(), &terms)
            .unwrap_err()
            .to_string()
    };
    for kind in ["net_delta", "gamma", "vega", "gross_notional", "leverage"] {
        let said = refused(json!({ "limits": [{ kind: { "underlying": "BTCC", "most": "1" } }] }));
        assert!(said.contains("limits[0].underlying") && said.contains("BTCC"), "{said}");
    }
    let said = refused(json!({ "counterparties": { "most": { "nowhere": "1" } } }));
    assert!(
        said.contains("counterparties.most") && said.contains("nowhere"),
        "{said}"
    );
    let said = refused(json!({ "counterparties": { "haircuts": { "nowhere": { "BTC": "0.5" } } } }));
    assert!(
        said.contains("counterparties.haircuts") && said.contains("nowhere"),
        "{said}"
    );
    let venue = fixture::universe().venues()[0].name.clone();
    let said = refused(json!({ "counterparties": { "haircuts": { venue: { "BTX": "0.5" } } } }));
    assert!(said.contains("BTX"), "{said}");
    let rule = json!({ "move": "0.1", "rate": "0.001" });
    let said = refused(json!({ "add_ons": { "rebalancing": { "BTCC": rule } } }));
    assert!(said.contains("add_ons.rebalancing") && said.contains("BTCC"), "{said}");
}

/// What is left without the balances at `lost`.
fn without<'a>(evaluation: &'a Evaluation, lost: &str) -> &'a Evaluation {
    let found = evaluation.checks.iter().find_map(|check| match check {
        Check::WithoutBalances { venue, evaluation } if venue == lost => Some(evaluation),
        _ => None,
    });
    found.unwrap()
}

#[test]
fn each_venue_is_lost_by_turns_with_its_balances_alone() {
    let universe = fixture::universe();
    let of = |alpha: &str, beta: &str| {
        Book::empty(&universe)
            .coins("alpha", "USDC", alpha)
            .hold("BTC_USDC-PERPETUAL", "-1", Some("64010.5"))
            .coins("beta", "USDC", beta)
            .coins("beta", "ETH", "-0.5")
    };
    let paradex = Model::preset("paradex-pm").unwrap();
    let model = demand(json!({"models": ["paradex-pm"], "counterparties": {"without_any_one": true}}));
    let ratio = Ratio20::new(30).unwrap();
    for (alpha, beta, worst) in [("40000", "70000", "beta"), ("70000", "40000", "alpha")] {
        let book = of(alpha, beta);
        let evaluation = evaluate(&model, &book.q);
        let mut left = Vec::new();
        for (lost, rest) in [("alpha", of("0", beta)), ("beta", of(alpha, "0"))] {
            let alone = evaluate(&paradex, &rest.q);
            let without = without(&evaluation, lost);
            assert_eq!(
                (&without.value, &without.initial),
                (&alone.value, &alone.initial),
                "{lost}"
            );
            left.push(alone.excess(Level::Initial, ratio, 0));
        }
        let least = u64::try_from(left.into_iter().min().unwrap().to_integer()).unwrap();
        let missed = |excess: u64| {
            let terms = Terms {
                ratio,
                excess,
                ..Terms::at(Level::Initial)
            };
            let program = model.compile(&universe, &fixture::snapshot(), &terms).unwrap();
            program.shortfall(&book.q).unwrap().map(|(name, _)| name)
        };
        assert_eq!(missed(least - 1), None);
        let expected = format!("margin without the balances at {worst}");
        assert_eq!(missed(least + 1), Some(expected));
    }
}

#[test]
fn what_is_set_aside_at_a_venue_that_is_lost_is_still_owed() {
    let universe = fixture::universe();
    let held = |coins: &str, reserved: u64| {
        let mut book = Book::empty(&universe)
            .coins("alpha", "BTC", coins)
            .hold("BTC-PERPETUAL", "6400", Some("64010.5"))
            .coins("beta", "USDC", "90000");
        let (_, alpha) = universe.venue("alpha").unwrap();
        book.q[alpha.asset("BTC", None).unwrap().reserve.unwrap().index()] = reserved;
        book
    };
    let model = demand(json!({"models": ["paradex-pm"], "counterparties": {"without_any_one": true}}));
    let (book, rest) = (held("1", 7), held("0", 7));
    let evaluation = evaluate(&model, &book.q);
    let alone = evaluate(&Model::preset("paradex-pm").unwrap(), &rest.q);
    let without = without(&evaluation, "alpha");
    assert_eq!((&without.value, &without.initial), (&alone.value, &alone.initial));
    let free = evaluate(&Model::preset("paradex-pm").unwrap(), &held("0", 0).q);
    assert!(without.value < free.value);
    compare(&model, &book.q);
}

#[test]
fn what_is_left_without_a_venue_has_its_haircuts_limit_and_charges_and_leverage_is_of_what_counts() {
    let universe = fixture::universe();
    let book = Book::empty(&universe)
        .hold("BTC-28AUG26-70000-C", "2", None)
        .hold("BTC-PERPETUAL", "600", Some("63000"))
        .coins("alpha", "BTC", "1")
        .coins("alpha", "USDC", "60000")
        .coins("beta", "BTC", "0.5")
        .coins("beta", "USDC", "50000");
    let model = demand(json!({
        "models": ["paradex-pm"],
        "counterparties": {
            "haircuts": {"alpha": {"BTC": "0.1", "USDC": "0.02"}, "beta": {"BTC": "0.3", "USDC": "0.04"}},
            "most": {"beta": "1000"}, "without_any_one": true,
        },
        "add_ons": {"closing": {"factor": "1", "volatility": "0.015", "least": "0.0002", "future": "0.0004"}},
        "limits": [{"leverage": {"most": "3.5"}}],
    }));
    compare(&model, &book.q);
}

#[test]
fn what_a_venue_is_not_trusted_with_is_off_the_value_under_every_model() {
    let universe = fixture::universe();
    let book = Book::empty(&universe)
        .coins("alpha", "USDC", "3000")
        .coins("beta", "USDC", "1000");
    // 4,000 less a quarter of 1,000, and less what is above the limit.
    for (most, left) in [("900", 3_650), ("5000", 3_750)] {
        let model = demand(json!({"counterparties": {"haircuts": {"beta": {"USDC": "0.25"}}, "most": {"beta": most}}}));
        let left = BigRational::from_integer(left.into());
        let excesses = each(&evaluate(&model, &book.q), Level::Initial);
        assert!(excesses.iter().all(|excess| *excess == left));
        let (shown, bound) = shown(&model, &Terms::at(Level::Initial), &book.q);
        assert_eq!(shown.len(), 2);
        for (name, shown) in shown {
            assert!(shown <= left && left <= &shown + &bound, "{name}: {shown}");
        }
    }
}

#[test]
fn contagion_under_a_demand_moves_coins_too() {
    let (universe, mut snapshot) = (fixture::universe(), fixture::snapshot());
    let market = snapshot.underlyings.get_mut("BTC").unwrap();
    market.perpetual.as_mut().unwrap().quote.open_interest = Some(Decimal::from(50_000_000));
    let book = Book::empty(&universe).coins("alpha", "BTC", "1");
    let shown = |members: Value| {
        let program = demand(members)
            .compile(&universe, &snapshot, &Terms::at(Level::Initial))
            .unwrap();
        program.surplus(&book.q).unwrap()[0].1 as f64 * 1e-10
    };
    let rule = json!({"contagion": {"BTC": {"move": "0.25", "depth": "100000000", "most": "0.125"}}});
    let free = shown(json!({"models": ["paradex-pm"]}));
    let charged = shown(json!({"models": ["paradex-pm"], "add_ons": rule}));
    // A coin loses 0.125 of 64,000 USD more.
    assert!((free - charged - 8_000.0).abs() < 1e-3, "{free} {charged}");
}

#[test]
fn models_that_count_in_different_numeraires_are_refused_whether_or_not_these_move() {
    let usdc = || json!({ "USDC": { "haircut": "0" } });
    let coin = |name: &str| json!({ name: { "haircut": "0", "underlying": "BTC" } });
    for models in [
        [plain("a", "USD", usdc()), plain("b", "USDC", usdc())],
        [plain("a", "BTC", coin("BTC")), plain("b", "ETH", coin("ETH"))],
    ] {
        let refused = Model::from_json(&file(|file| file["models"] = json!(models)));
        let said = refused.unwrap_err().to_string();
        assert!(said.contains("expected models that count in one numeraire"), "{said}");
    }
}
