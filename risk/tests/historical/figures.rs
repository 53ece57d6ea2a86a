//! Figures of a plain float reference on the shipped closes: one-day losses of futures at the close of a day, from the 500 returns
//! up to it; stressed: the 250 from 2017-08-27 to 2018-05-03.

use serde_json::{Value, json};
use zkmargin_risk::case::Case;

use crate::{history, read};

/// Perpetuals on BTC and ETH, settled in USDC, at these closes.
fn requirement(closes: [&str; 2], contracts: [&str; 2], rule: Value) -> (f64, f64) {
    let mut model = json!({
        "model": "historical", "name": "figures", "description": "", "numeraire": "USD", "history": history().digest(),
        "window": {"last": {"moves": 500, "until": "2021-05-18"}}, "measure": "value-at-risk",
        "levels": {"initial": {"confidence": "0.99", "factor": "1"}, "maintenance": {"confidence": "0.99", "factor": "1"}},
        "volatility": "unchanged", "collateral_in_scenarios": true,
        "assets": {"USDC": {"haircut": "0"}}, "underlyings": {"BTC": {}, "ETH": {}},
    });
    for (field, value) in rule.as_object().unwrap() {
        model[field] = value.clone();
    }
    let names = ["BTC", "ETH"];
    let market = |close: &str| json!({"index": close, "rate": "0", "perpetual": {"price": close, "funding": "0"}});
    let line = |name: &&str| {
        json!({"instrument": {"name": format!("{name}-PERPETUAL"), "underlying": name, "kind": "perpetual", "style": "linear",
            "settlement": "USDC", "contract": "1", "lot": "1"}})
    };
    let mut lines: Vec<Value> = names.iter().map(line).collect();
    lines.push(json!({"asset": {"name": "USDC", "lot": "0.0001", "carry": true, "reserve": true}}));
    let held = names.iter().zip(closes).zip(contracts).map(|((name, close), contracts)| {
        json!({"instrument": format!("{name}-PERPETUAL"), "contracts": contracts, "entry": close})
    });
    let case = json!({
        "model": model,
        "history": serde_json::from_str::<Value>(&read("histories/2026-08-07.json")).unwrap(),
        "snapshot": {
            "instant": "2021-05-18T23:59:59Z",
            "provenance": {"source": "", "licence": "", "importer": "", "recorded": [], "derived": [], "assumed": [], "warnings": 0},
            "assets": {"USDC": "1"}, "underlyings": {"BTC": market(closes[0]), "ETH": market(closes[1])},
        },
        "venues": [{"name": "venue", "lines": lines}],
        "accounts": [{"venue": "venue", "positions": held.collect::<Vec<_>>(), "balances": [{"asset": "USDC", "amount": "1000000"}]}],
    });
    let outcome = Case::from_json(&case.to_string()).unwrap().run().unwrap();
    let parse = |text: &str| text.parse::<f64>().unwrap();
    (
        parse(&outcome.initial.requirement),
        parse(outcome.initial.program_requirement.as_deref().unwrap()),
    )
}

#[test]
fn a_plain_reference_gives_the_same_figures() {
    let (closes, short) = (["42849.78", "3375.07"], ["-1", "0"]);
    let stressed = json!({"between": {"first": "2017-08-27", "last": "2018-05-03"}});
    let shortfall = json!({"measure": "expected-shortfall", "levels": {"initial": {"confidence": "0.975", "factor": "1"},
            "maintenance": {"confidence": "0.975", "factor": "1"}}});
    for (rule, expected) in [
        (json!({}), 4_739.149_753_975_711),
        (shortfall, 5_109.366_810_008_204),
        (
            json!({"procyclicality": {"buffer": {"part": "0.25"}}}),
            5_923.937_192_469_639,
        ),
        (
            json!({"procyclicality": {"stressed": {"weight": "0.25", "window": stressed}}}),
            5_248.266_839_904_454,
        ),
        (
            json!({"procyclicality": {"floor": {"window": {"until": "2021-05-18"}}}}),
            5_260.861_524_833_099,
        ),
        (json!({"window": stressed}), 6_775.618_097_690_683_5),
    ] {
        let (exact, program) = requirement(closes, short, rule.clone());
        assert!(
            (exact - expected).abs() < 1e-9 * expected,
            "{exact}, expected {expected}: {rule}"
        );
        assert!(
            exact <= program && program < exact + 0.002,
            "{program} of {exact}: {rule}"
        );
    }
}

#[test]
fn a_book_without_a_losing_tail_requires_nothing() {
    assert_eq!(requirement(["42849.78", "3375.07"], ["0", "0"], json!({})), (0.0, 0.0));
}
