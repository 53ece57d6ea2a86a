#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
use serde_json::json;
use zkmargin_risk::account::{AccountFile, AccountVector};
use zkmargin_risk::market::Snapshot;
use zkmargin_risk::model::Model;
use zkmargin_risk::terms::{Ratio20, Terms};
use zkmargin_risk::universe::Universe;

use super::*;
use crate::heatmap::heat_map;

const EXPIRY: &str = "2026-08-28T08:00:00Z";

/// Long 2 perpetuals entered at the index of 50,000, short 1 call far in the money, and cash, by `paradex-pm`.
fn report(cash: &str) -> Report {
    let terms = |name: &str, kind: serde_json::Value| json!({"instrument": {"name": name, "underlying": "BTC", "kind": kind, "style": "linear", "settlement": "USDC", "contract": "1", "lot": "0.1"}});
    let lines = json!([
        {"asset": {"name": "USDC", "lot": "0.01", "carry": true, "reserve": true}},
        terms("PERP", json!("perpetual")),
        terms("CALL", json!({"option": {"expiry": EXPIRY, "strike": "40000", "right": "call"}})),
    ]);
    let venue = json!({"name": "V", "keys": ["11".repeat(32)], "lines": lines});
    let universe = Universe::from_json(&json!({"network": "test", "k": 6, "venues": [venue]}).to_string()).unwrap();
    let nothing: [&str; 0] = [];
    let snapshot = json!({
        "instant": "2026-08-18T08:00:00Z",
        "provenance": {"source": "made up", "licence": "CC0-1.0", "importer": "none", "recorded": nothing, "derived": nothing, "assumed": nothing, "warnings": 0},
        "assets": {"USDC": "1"},
        "underlyings": {"BTC": {
            "index": "50000", "rate": "0", "perpetual": {"price": "50000", "funding": "0"},
            "expiries": {EXPIRY: {"forward": "50000", "strikes": {"40000": {"volatility": "0.0001", "call": {}}}}},
        }},
    });
    let snapshot = Snapshot::from_json(&snapshot.to_string()).unwrap();
    let file = json!({
        "venue": "V",
        "positions": [{"instrument": "PERP", "contracts": "2", "entry": "50000"}, {"instrument": "CALL", "contracts": "-1"}],
        "balances": [{"asset": "USDC", "amount": cash}],
    });
    let file: AccountFile = serde_json::from_value(file).unwrap();
    let legs = AccountVector::from_file(&file, &universe).unwrap();
    let terms = Terms {
        ratio: Ratio20::new(25).unwrap(),
        excess: 7,
        ..Terms::at(Level::Initial)
    };
    Report::new(
        &Model::preset("paradex-pm").unwrap(),
        &universe,
        &snapshot,
        &terms,
        legs.lots(),
    )
    .unwrap()
}

#[test]
fn the_table_shows_value_requirement_and_excess() {
    // V = 1,000,000 - 10,000. Worst row: -33 % at 0.48: perpetuals lose 33,000, the call gains 10,000: 11,040; of -16 %: 16,000 - 8,000; of
    // -66 % at 0.24: (66,000 - 10,000) · 0.24 = 13,440. Fees: 0.02 % of 100,000 and 0.03 % of 50,000, 35 in all.
    let text = render_table(&report("1000000"));
    for line in [
        "value V        990,000.00   990,000.00",
        "requirement R   13,475.00     6,755.00",
        "excess V - R   976,525.00   983,245.00",
        "statement at initial: V - 1.25 R - 7 = 973,149.25: met",
        "BTC -66 %, volatility up, weight 0.24",
        "BTC perpetual",
        "BTC in all",
        "none within +500.00 %",
    ] {
        assert!(text.contains(line), "no `{line}` in\n{text}");
    }
    assert!(text.lines().all(|line| line == line.trim_end()));
    assert!(render_table(&report("0")).contains("fails now"));
}

#[test]
fn the_json_has_every_part_as_exact_decimals() {
    let value = render_json(&report("1000000")).unwrap();
    assert_eq!(
        value["levels"][0],
        json!({"level": "initial", "requirement": "13475.0000000000", "excess": "976525.0000000000"})
    );
    assert_eq!(value["statement"]["met"], json!(true));
    assert_eq!(value["groups"][0]["worst_row"], json!(16));
    let scenarios = value["underlyings"][0]["scenarios"].as_array().unwrap();
    assert_eq!(scenarios.len(), 24);
    assert_eq!(
        scenarios[16],
        json!({"move": "-0.66", "volatility": "up", "weight": "0.24", "profit": "-56000.0000000000", "weighted": "-13440.0000000000"})
    );
    assert_eq!(value["collateral"][0]["counted"], json!("1000000.000000000000"));
    assert_eq!(value["index_moves"][0]["up"], json!({"none_within": 50_000}));
    assert_eq!(
        render_json(&report("0")).unwrap()["index_moves"][0]["down"],
        json!({"fails_now": true})
    );
}

#[test]
fn the_heat_map_has_a_cell_per_scenario_and_frames_the_worst() {
    let svg = heat_map(&report("1000000")).unwrap();
    assert!(svg.starts_with("<svg") && svg.trim_end().ends_with("</svg>"));
    // The background, 24 cells, and one frame of three lines.
    assert_eq!(svg.matches("<rect").count(), 28);
    assert_eq!(svg.matches("fill=\"none\"").count(), 3);
    assert!(svg.contains("-13.4k") && svg.contains("tails, weighted") && svg.contains("worst of BTC"));
}

#[test]
fn numbers_are_grouped_by_thousands() {
    for (number, text) in [
        ("-1234567.5", "-1,234,567.5"),
        ("123", "123"),
        ("1000", "1,000"),
        ("-0.12", "-0.12"),
    ] {
        assert_eq!(grouped(number), text);
    }
}
