//! `zkmargin margin` under a demand, its hedges and its picture.

use serde_json::{Value, json};

use crate::desk::{Ran, desk, run};

fn margin(model: &str, account: &str, more: &[&str]) -> Ran {
    let words = [
        "--json",
        "margin",
        "--universe",
        "universe.json",
        "--snapshot",
        "snapshot.json",
        "--model",
        model,
        "--account",
        account,
    ];
    run(desk().path(), &words.iter().chain(more).copied().collect::<Vec<_>>())
}

fn number(value: &Value) -> f64 {
    value.as_str().unwrap().parse().unwrap()
}

#[test]
fn a_hedge_restores_what_failed_and_a_lot_less_does_not() {
    let before = margin("paradex-pm", "short-account.json", &["--hedge", "--hedge-time", "1000"]);
    assert_eq!(before.code, 4, "{}", before.err);
    let before = before.json();
    let hedges = &before["hedges"];
    assert_eq!(hedges["fails"], "statement");
    assert_eq!(hedges["tried"], hedges["candidates"]);
    let found = hedges["found"].as_array().unwrap();
    assert!(!found.is_empty() && found.len() <= 3, "{hedges}");
    for hedge in found {
        let order = hedge["order"].as_str().unwrap();
        let after = margin("paradex-pm", "short-account.json", &["--order", order]).json();
        assert_eq!(after["statement"]["met"], true, "{order}");
        // One lot less: all of them have lots of a tenth of an option or of a whole contract.
        let contracts = number(&hedge["contracts"]);
        let lot = if hedge["instrument"].as_str().unwrap().ends_with(['C', 'P']) {
            0.1
        } else {
            1.0
        };
        let fewer = format!("{}", ((contracts - lot) * 10.0).round() / 10.0);
        let fewer = order.replacen(hedge["contracts"].as_str().unwrap(), &fewer, 1);
        let after = margin("paradex-pm", "short-account.json", &["--order", &fewer]).json();
        assert_eq!(after["statement"]["met"], false, "{fewer}");
    }
}

#[test]
fn no_hedge_is_searched_where_nothing_fails() {
    let desk = desk();
    let rich = json!({"venue": "perphouse", "balances": [{"asset": "USDC", "amount": "1000"}]});
    desk.write("rich-account.json", &rich.to_string());
    let found = margin("paradex-pm", "rich-account.json", &["--hedge", "--hedge-time", "1000"])
        .done()
        .json();
    assert_eq!(found["hedges"]["fails"], Value::Null);
    assert_eq!(found["hedges"]["candidates"], 0);
}

#[test]
fn the_report_of_a_demand_has_each_model_and_each_check_and_draws_both() {
    let desk = desk();
    let demand = json!({
        "model": "demand", "name": "two", "description": "Both.", "models": ["paradex-pm", "deribit-pm"],
        "limits": [{ "net_delta": { "underlying": "BTC", "most": "0.5" } }], "counterparties": { "without_any_one": true },
    });
    desk.write("two.json", &demand.to_string());
    let report = margin("two.json", "options-account.json", &["--svg", "two.svg"]);
    assert_eq!(report.code, 4, "{}", report.err);
    let report = report.json();
    let models = report["models"].as_array().unwrap();
    assert_eq!(models.len(), 2);
    for model in models {
        let parts = model["components"].as_array().unwrap();
        let sum: f64 = parts.iter().map(|part| number(&part["maintenance"])).sum();
        assert!((sum - number(&model["maintenance"])).abs() < 1e-6);
    }
    let checks: Vec<&str> = report["checks"]
        .as_array()
        .unwrap()
        .iter()
        .map(|check| check["name"].as_str().unwrap())
        .collect();
    assert_eq!(
        checks,
        [
            "margin without the balances at optionhouse",
            "margin without the balances at perphouse",
            "limit on net delta of BTC",
        ]
    );
    // Without the balances of a venue: what is left is that of the account which never had them.
    let file = std::fs::read_to_string(desk.path().join("options-account.json")).unwrap();
    let mut bare: Value = serde_json::from_str(&file).unwrap();
    bare["balances"] = json!([]);
    desk.write("bare-account.json", &bare.to_string());
    let bare = margin("two.json", "bare-account.json", &[]).json();
    for (place, level) in ["initial", "maintenance"].into_iter().enumerate() {
        assert_eq!(report["checks"][0][level], bare["levels"][place]["excess"], "{level}");
    }
    let svg = std::fs::read_to_string(desk.path().join("two.svg")).unwrap();
    for title in [
        "BTC: profit by scenario in USD, paradex-pm",
        "ETH: profit by scenario in USD, deribit-pm",
    ] {
        assert!(svg.contains(title), "{title}");
    }
    // The index may move under any model that names the underlying.
    assert!(
        report["index_moves"]
            .as_array()
            .unwrap()
            .iter()
            .any(|moves| moves["underlying"] == "ETH")
    );
}
