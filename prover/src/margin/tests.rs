#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
use serde_json::json;
use zkmargin_risk::account::{AccountFile, AccountVector};
use zkmargin_risk::market::Snapshot;
use zkmargin_risk::model::Model;
use zkmargin_risk::terms::{Ratio20, Terms};
use zkmargin_risk::universe::Universe;

use super::*;
use crate::picture::draw;

const EXPIRY: &str = "2026-08-28T08:00:00Z";

/// Long 2 perpetuals entered at the index of 50,000, short 1 call far in the money, and cash, by `paradex-pm`.
fn report(cash: &str) -> (Report, Provable) {
    report_of(cash, ["2", "-1"], "0.0001")
}

fn report_of(cash: &str, [perpetuals, calls]: [&str; 2], volatility: &str) -> (Report, Provable) {
    let terms = |name: &str, kind: serde_json::Value| json!({"instrument": {"name": name, "underlying": "BTC", "kind": kind, "style": "linear", "settlement": "USDC", "contract": "1", "lot": "0.1"}});
    let lines = json!([
        {"asset": {"name": "USDC", "lot": "0.000001", "carry": true, "reserve": true}},
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
            "expiries": {EXPIRY: {"forward": "50000", "strikes": {"40000": {"volatility": volatility, "call": {}}}}},
        }},
    });
    let snapshot = Snapshot::from_json(&snapshot.to_string()).unwrap();
    let file = json!({
        "venue": "V",
        "positions": [{"instrument": "PERP", "contracts": perpetuals, "entry": "50000"}, {"instrument": "CALL", "contracts": calls}],
        "balances": [{"asset": "USDC", "amount": cash}],
    });
    let file: AccountFile = serde_json::from_value(file).unwrap();
    let legs = AccountVector::from_file(&file, &universe).unwrap();
    let terms = Terms {
        ratio: Ratio20::new(25).unwrap(),
        excess: 7,
        ..Terms::at(Level::Initial)
    };
    let model = Model::preset("paradex-pm").unwrap();
    (
        Report::new(&model, &universe, &snapshot, &terms, legs.lots()).unwrap(),
        Provable::new(&model, &universe, &snapshot, &terms, legs.lots()).unwrap(),
    )
}

fn table(cash: &str) -> String {
    let (report, provable) = report(cash);
    render_table(&report, &provable)
}

fn data(cash: &str) -> serde_json::Value {
    let (report, provable) = report(cash);
    render_json(&report, &provable).unwrap()
}

#[test]
fn the_table_shows_value_requirement_and_excess() {
    // V = 1,000,000 - 10,000. Worst row: -33 % at 0.48: perpetuals lose 33,000, the call gains 10,000: 11,040; of -16 %: 16,000 - 8,000; of
    // -66 % at 0.24: (66,000 - 10,000) · 0.24 = 13,440. Fees: 0.02 % of 100,000 and 0.03 % of 50,000, 35 in all.
    let text = table("1000000");
    for line in [
        "value V                      990,000.00    990,000.00",
        "requirement R                 13,475.00      6,755.00",
        "excess V - R                 976,525.00    983,245.00",
        "statement at initial: V - 1.25 R - 7 = 973,149.25: met\n",
        "BTC -66 %, volatility up, weight 0.24",
        "BTC perpetual",
        "BTC in all",
        "none within +500.00 %",
    ] {
        assert!(text.contains(line), "no `{line}` in\n{text}");
    }
    assert!(text.lines().all(|line| line == line.trim_end()));
    assert!(table("0").contains("fails now"));
    assert!(!text.contains("What else must hold"));
}

#[test]
fn met_by_less_than_the_rounding_bound_is_met_but_not_provable() {
    // Thousands of lots at prices that are no whole units: the bound is more than a lot of cash, so that some cash is within it.
    let of = |millionths: u64| {
        let cash = rust_decimal::Decimal::new(i64::try_from(millionths).unwrap(), 6);
        report_of(&cash.to_string(), ["2000", "-1000"], "0.5")
    };
    let (least, most) = (0_u64, 200_000_000_000_000);
    let (mut not_met, mut met) = (least, most);
    while met - not_met > 1 {
        let middle = not_met.midpoint(met);
        if of(middle).0.is_met() {
            met = middle;
        } else {
            not_met = middle;
        }
    }
    let text = |millionths| {
        let (report, provable) = of(millionths);
        render_table(&report, &provable)
    };
    assert!(text(not_met).contains(": NOT met\n"));
    let (report, provable) = of(met);
    assert!(report.statement_excess() < provable.statement && !provable.is_provable());
    let shown = text(met);
    assert!(
        shown.contains("= 0.00: met, but not provable: within the rounding bound 0.0000"),
        "{shown}"
    );
    let found = render_json(&report, &provable).unwrap();
    assert_eq!(
        (&found["statement"]["met"], &found["statement"]["provable"]),
        (&json!(true), &json!(false))
    );
    // From the bound on there is a proof.
    let (report, provable) = of(met + 100);
    assert!(report.statement_excess() >= provable.statement && provable.is_provable());
    assert!(text(met + 100).contains("= 0.00: met\n"));
}

#[test]
fn the_collateral_table_adds_up_to_the_value() {
    // Two perpetuals at 50,000 against a carry of as much; an option at its mark.
    let text = table("1000000");
    let (_, table) = text.split_once("\nCollateral").unwrap();
    let ends = |name: &str, amount: &str| {
        let row = table.lines().find(|line| line.trim_start().starts_with(name)).unwrap();
        assert!(row.ends_with(amount), "{row}");
    };
    ends("USDC", " 900,000.00");
    ends("futures, against carry", " 100,000.00");
    ends("options at their mark", " -10,000.00");
    ends("value V", " 990,000.00");
    assert!(data("1000000")["futures"].as_str().unwrap().starts_with("100000.0"));
}

#[test]
fn the_json_has_every_part_as_exact_decimals() {
    let value = data("1000000");
    assert_eq!(
        value["levels"][0],
        json!({"level": "initial", "requirement": "13475.0000000000", "excess": "976525.0000000000", "rounding_bound": "0.0000000030"})
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
    assert_eq!(data("0")["index_moves"][0]["down"], json!({"fails_now": true}));
}

#[test]
fn the_heat_map_has_a_cell_per_scenario_and_frames_the_worst() {
    let svg = draw(&report("1000000").0).unwrap();
    assert!(svg.starts_with("<svg") && svg.trim_end().ends_with("</svg>"));
    // The background, 24 cells, and one frame of three lines.
    assert_eq!(svg.matches("<rect").count(), 28);
    assert_eq!(svg.matches("fill=\"none\"").count(), 3);
    assert!(
        svg.contains("-13.4k")
            && svg.contains("tails, times their weight")
            && svg.contains("worst of BTC, framed: -66 %, volatility up")
    );
}
