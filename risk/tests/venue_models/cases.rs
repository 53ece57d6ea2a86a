//! What cases say: figures that were worked out by hand, a book without a proof, and rows in which nothing moves.

use zkmargin_risk::case::{Case, Outcome};

use super::*;

pub(crate) fn run(file: &Value) -> Outcome {
    Case::from_json(&file.to_string()).unwrap().run().unwrap()
}

/// A case of these lines and positions, with money of `cash` USD.
pub(crate) fn case(model: Value, market: Value, lines: Vec<Value>, positions: Value, cash: &str) -> Value {
    let mut all = vec![json!({"asset": {"name": "USD", "lot": "0.01", "carry": true, "reserve": true}})];
    all.extend(lines);
    let nothing: [&str; 0] = [];
    json!({
        "model": model,
        "snapshot": {
            "instant": "2025-02-05T00:00:00Z",
            "provenance": {"source": "", "licence": "", "importer": "", "recorded": nothing, "derived": nothing, "assumed": nothing, "warnings": 0},
            "assets": {"USD": "1"}, "underlyings": {"X": market}
        },
        "venues": [{"name": "V", "lines": all}],
        "accounts": [{"venue": "V", "positions": positions, "balances": [{"asset": "USD", "amount": cash}]}]
    })
}

/// A preset with the parts of BTC for `X`, and USD for money.
pub(crate) fn of_x(name: &str, changes: &[(&str, Value)]) -> Value {
    let (_, text) = PRESETS.iter().find(|(preset, _)| *preset == name).unwrap();
    let mut model: Value = serde_json::from_str(text).unwrap();
    model["underlyings"] = json!({"X": model["underlyings"]["BTC"]});
    model["assets"] = json!({"USD": {"haircut": "0"}});
    for (part, to) in changes {
        match to {
            Value::Null => drop(model.as_object_mut().unwrap().remove(*part)),
            to => model[part] = to.clone(),
        }
    }
    model
}

/// A perpetual of one coin at 50,000, that many opened at that price.
fn of_perpetuals(model: Value, contracts: &str, cash: &str) -> Outcome {
    let line = json!({"instrument": {"name": "P", "underlying": "X", "kind": "perpetual", "style": "linear", "settlement": "USD", "contract": "1", "lot": "1"}});
    let positions = json!([{"instrument": "P", "contracts": contracts, "entry": "50000"}]);
    let market = json!({"index": "50000", "rate": "0", "perpetual": {"price": "50000", "funding": "0"}});
    run(&case(model, market, vec![line], positions, cash))
}

#[track_caller]
fn requires(outcome: &Outcome, initial: &str, maintenance: &str) {
    for (level, expected) in [(&outcome.initial, initial), (&outcome.maintenance, maintenance)] {
        let number = |text: &str| text.parse::<f64>().unwrap();
        // The mark after a move of 15 % is a float.
        let exact = number(&level.requirement);
        assert!((exact - number(expected)).abs() < 1e-10, "{exact}, expected {expected}");
        let program = number(level.program_requirement.as_ref().unwrap());
        assert!(program >= exact && program <= exact + number(&level.rounding_bound) + 1e-10);
    }
}

/// Binance's brackets of BTCUSDT (October 2024) are 0.5 % less 50 USD from 50,000 on, 0.65 % less 950 from 600,000, 1 % less 11,450 from
/// 3,000,000; 1.2 and 1.05 times that, and 5 % of a debt.
#[test]
fn binance_requires_its_brackets_and_a_part_of_debts() {
    let model = of_x("binance-pm", &[("loans", json!({"USD": "0.05"}))]);
    requires(&of_perpetuals(model.clone(), "-2", "0"), "540", "472.5"); // 450
    requires(&of_perpetuals(model.clone(), "60", "0"), "22260", "19477.5"); // 18,550
    requires(&of_perpetuals(model.clone(), "-100", "0"), "46260", "40477.5"); // 38,550
    requires(&of_perpetuals(model, "-2", "-10000"), "1140", "997.5"); // 450 + 500
}

/// The furthest move of 15 %, and 0.5 % of perpetuals whichever side: of 2, 15,000 + 500 at maintenance, 1.2 times that at initial.
#[test]
fn bybit_requires_the_worst_move_and_a_part_of_futures() {
    let model = of_x(
        "bybit-pm",
        &[
            ("borrow", json!({"USD": {"initial": "0.1", "maintenance": "0.04"}})),
            ("depeg", Value::Null),
        ],
    );
    for contracts in ["2", "-2"] {
        let outcome = of_perpetuals(model.clone(), contracts, "0");
        requires(&outcome, "18600", "15500");
    }
    requires(&of_perpetuals(model, "2", "-10000"), "19600", "15900");
}

/// The least requirement of the program is never a figure below the rule's: where something else is missed there is none.
#[test]
fn a_concentration_above_its_threshold_has_a_requirement_and_no_proof() {
    let sensitivity = json!({"sensitivity": {"risk_type": "Risk_Commodity", "qualifier": "Oil", "bucket": "2", "label1": "", "label2": ""}});
    let line = json!({"instrument": {"name": "S", "underlying": "Commodity", "kind": sensitivity, "style": "linear", "settlement": "USD", "contract": "1", "lot": "1"}});
    let (_, text) = PRESETS.iter().find(|(name, _)| *name == "simm-2.5").unwrap();
    let mut model: Value = serde_json::from_str(text).unwrap();
    let bucket = &model["commodity"]["buckets"][1];
    assert_eq!(bucket["name"], "2");
    let threshold: u64 = bucket["threshold"].as_str().unwrap().parse().unwrap();
    let weight: f64 = bucket["weight"].as_str().unwrap().parse().unwrap();
    model["assets"] = json!({"USD": {"haircut": "0"}});
    let of = |amount: u64| {
        let positions = json!([{"instrument": "S", "contracts": amount.to_string()}]);
        run(&case(
            model.clone(),
            json!({"index": "1", "rate": "0"}),
            vec![line.clone()],
            positions,
            "0",
        ))
    };
    let within = of(threshold);
    assert_eq!(
        within.initial.program_requirement.as_ref(),
        Some(&within.initial.requirement)
    );
    assert_eq!(within.initial.no_proof, None);
    let above = of(4 * threshold);
    let requirement: f64 = above.initial.requirement.parse().unwrap();
    let expected = weight * 4.0 * threshold as f64 * 2.0;
    assert!(
        (requirement / expected - 1.0).abs() < 1e-12,
        "{requirement}, expected {expected}"
    );
    for level in [&above.initial, &above.maintenance] {
        assert_eq!((&level.program_requirement, &level.program_excess), (&None, &None));
        assert_eq!(
            level.no_proof.as_deref(),
            Some("not met: concentration of Commodity 2 Oil")
        );
    }
}

#[test]
fn a_book_too_large_for_its_program_has_a_requirement_and_no_proof() {
    let line = json!({"instrument": {"name": "P", "underlying": "X", "kind": "perpetual", "style": "linear", "settlement": "USD", "contract": "100000", "lot": "1"}});
    let model = of_x("paradex-pm", &[]);
    let market = json!({"index": "1000", "rate": "0", "perpetual": {"price": "1000", "funding": "0"}});
    let positions = json!([{"instrument": "P", "contracts": "10000000", "carry": "-1000000000000"}]);
    let outcome = run(&case(model, market, vec![line], positions, "0"));
    assert!(outcome.initial.requirement.parse::<f64>().unwrap() > 1e14);
    assert_eq!(outcome.initial.program_requirement, None);
    let why = outcome.initial.no_proof.unwrap();
    assert!(why.ends_with("the book is too large for this program"), "{why}");
}

/// No kind needs a row in which nothing moves: the worst row is at least 0.
#[test]
fn a_row_without_a_move_changes_no_requirement() {
    let still = json!({"move": "0", "volatility": "none"});
    for name in ["paradex-pm", "derive-pm2", "derive-pmrm1"] {
        let asset = if name == "paradex-pm" {
            json!({"haircut": "0"})
        } else {
            json!({})
        };
        let mut model = of_x(name, &[("assets", json!({"USD": asset})), ("numeraire", json!("USD"))]);
        let grid = model["underlyings"]["X"]["grid"].as_str().unwrap().to_owned();
        let rows = model["grids"][&grid].as_array_mut().unwrap();
        rows.retain(|row| row["move"] != "0" || row["volatility"] != "none");
        let mut with_still = model.clone();
        with_still["grids"][&grid].as_array_mut().unwrap().push(still.clone());
        let expiry = "2025-02-28T08:00:00Z";
        let market = json!({"index": "50000", "rate": "0", "perpetual": {"price": "50000", "funding": "0"},
            "expiries": {expiry: {"forward": "50100", "strikes": {"50000": {"volatility": "0.6", "call": {}, "put": {}}}}}});
        let option = |right: &str| {
            let kind = json!({"option": {"expiry": expiry, "strike": "50000", "right": right}});
            json!({"instrument": {"name": right, "underlying": "X", "kind": kind, "style": "linear", "settlement": "USD", "contract": "1", "lot": "0.1"}})
        };
        for contracts in [["3", "3"], ["-1", "-1"], ["0.1", "-2"], ["0", "0"]] {
            let positions: Vec<Value> = ["call", "put"]
                .iter()
                .zip(contracts)
                .map(|(name, contracts)| json!({"instrument": name, "contracts": contracts}))
                .collect();
            let of = |model: &Value| {
                let lines = vec![option("call"), option("put")];
                run(&case(model.clone(), market.clone(), lines, json!(positions), "1000"))
            };
            let (with, without) = (of(&with_still), of(&model));
            assert_eq!(
                with.initial.requirement, without.initial.requirement,
                "{name} {contracts:?}"
            );
            assert_eq!(
                with.maintenance.requirement, without.maintenance.requirement,
                "{name} {contracts:?}"
            );
        }
    }
}

/// Linear in USDC against inverse, where USDT is at half a dollar: listed, and not held.
#[test]
fn okx_charges_no_pair_of_dollars_that_is_not_hedged() {
    let perpetual = |name: &str, style: &str, settlement: &str, contract: &str, lot: &str| json!({"instrument": {"name": name, "underlying": "BTC", "kind": "perpetual", "style": style, "settlement": settlement, "contract": contract, "lot": lot}});
    let asset = |name: &str, lot: &str| json!({"asset": {"name": name, "lot": lot, "carry": true, "reserve": true}});
    let lines = |with_usdt: bool| {
        let mut lines = vec![asset("USDC", "0.01"), asset("BTC", "0.00001")];
        lines.push(perpetual("P-USDC", "linear", "USDC", "1", "0.1"));
        lines.push(perpetual("P-INV", "inverse", "BTC", "10", "100"));
        if with_usdt {
            lines.push(asset("USDT", "0.01"));
            lines.push(perpetual("P-USDT", "linear", "USDT", "1", "0.1"));
        }
        lines
    };
    let positions = json!([
        {"instrument": "P-USDC", "contracts": "10", "entry": "50000"}, {"instrument": "P-INV", "contracts": "-50000", "entry": "50000"},
    ]);
    let market = json!({"index": "50000", "rate": "0", "perpetual": {"price": "50000", "funding": "0"}});
    let of = |with_usdt: bool| {
        let mut file = case(
            json!("okx-pm"),
            market.clone(),
            lines(with_usdt),
            positions.clone(),
            "0",
        );
        file["snapshot"]["underlyings"] = json!({"BTC": market});
        file["snapshot"]["assets"] = json!({"USD": "1", "USDC": "1", "USDT": "0.5"});
        file["accounts"][0]["balances"] = json!([{"asset": "USDC", "amount": "100000"}]);
        file["venues"][0]["lines"].as_array_mut().unwrap().remove(0);
        run(&file)
    };
    let (with, without) = (of(true), of(false));
    for (with, without) in [
        (&with.initial, &without.initial),
        (&with.maintenance, &without.maintenance),
    ] {
        let number = |text: &str| text.parse::<f64>().unwrap();
        assert_eq!(with.requirement, without.requirement);
        assert!(number(&with.requirement) > 1_000.0);
        let program = number(with.program_requirement.as_ref().unwrap());
        let most = number(&with.requirement) + number(&with.rounding_bound) + 1e-9;
        assert!(program <= most, "{program}, at most {most}");
    }
}

/// A limit on what no listed instrument has is met by every book.
#[test]
fn a_limit_on_vega_where_no_option_is_listed_is_no_requirement() {
    let of = |limits: Value| {
        let model = of_x("paradex-pm", &[]);
        let demand = json!({"model": "demand", "name": "d", "description": "", "models": [model], "limits": limits});
        of_perpetuals(demand, "2", "100000")
    };
    let limited = of(json!([{"vega": {"underlying": "X", "most": "5"}}, {"gamma": {"underlying": "X", "most": "5"}}]));
    let free = of(json!([{"net_delta": {"underlying": "X", "most": "1000000"}}]));
    assert_eq!(limited.initial.program_requirement, free.initial.program_requirement);
    assert!(limited.initial.program_requirement.is_some());
}

/// Without its money a book opened at the mark is worth nothing.
#[test]
fn a_check_of_a_demand_is_said_at_each_level() {
    let demand = json!({"model": "demand", "name": "d", "description": "", "models": [of_x("paradex-pm", &[])],
        "counterparties": {"without_any_one": true}});
    let outcome = of_perpetuals(demand, "2", "100000");
    let number = |text: &str| text.parse::<f64>().unwrap();
    assert_eq!(outcome.checks.len(), 1);
    let check = &outcome.checks[0];
    for (left, level) in [
        (&check.initial, &outcome.initial),
        (&check.maintenance, &outcome.maintenance),
    ] {
        assert!((number(left) + number(&level.requirement)).abs() < 1e-6, "{left}");
    }
    assert!(number(&check.initial) < number(&check.maintenance));
}
