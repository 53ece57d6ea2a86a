#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
//! Figures that were worked out by hand, and files that are refused.

use std::collections::BTreeSet;

use num_traits::ToPrimitive;
use serde_json::{Value, json};
use zkmargin_program::{Equation, Program, Variable, WitnessError};

use super::*;
use crate::model::fixture::Book;
use crate::model::{Model, PRESETS};
use crate::terms::Terms;
use crate::universe::Universe;

const NEAR: &str = "2026-08-16T12:00:00Z";
const MID: &str = "2026-08-26T12:00:00Z";
const FAR: &str = "2026-11-14T12:00:00Z";
const UNDERLYINGS: [(&str, &str); 3] = [("AAA", "100"), ("BBB", "50"), ("CCC", "20")];

/// Linear futures of 10, 20 and 100 days at the index, perpetuals, and a call far out of the money.
pub(crate) fn market() -> (Universe, crate::market::Snapshot) {
    let mut lines = vec![json!({"asset": {"name": "USDC", "lot": "0.0001", "carry": true, "reserve": true}})];
    let mut underlyings = json!({});
    for (name, index) in UNDERLYINGS {
        let mut add = |label: &str, kind: Value| {
            lines.push(json!({"instrument": {"name": format!("{name}-{label}"), "underlying": name, "kind": kind, "style": "linear",
                "settlement": "USDC", "contract": "1", "lot": "1"}}));
        };
        let mut futures = json!({});
        for (label, expiry) in [("NEAR", NEAR), ("MID", MID), ("FAR", FAR)] {
            add(label, json!({"future": {"expiry": expiry}}));
            futures[expiry] = json!({"price": index});
        }
        add("PERPETUAL", json!("perpetual"));
        add(
            "CALL",
            json!({"option": {"expiry": NEAR, "strike": "100000", "right": "call"}}),
        );
        let strikes = json!({"100000": {"volatility": "0.1", "call": {}, "put": {}}});
        underlyings[name] = json!({"index": index, "rate": "0", "perpetual": {"price": index, "funding": "0"}, "futures": futures,
            "expiries": {NEAR: {"forward": index, "strikes": strikes}}});
    }
    let venue = json!({"name": "V", "keys": ["11".repeat(32)], "lines": lines});
    let universe = json!({"network": "test", "k": 6, "venues": [venue]});
    let nothing: [&str; 0] = [];
    let snapshot = json!({"instant": "2026-08-06T12:00:00Z", "assets": {"USDC": "1"}, "underlyings": underlyings,
        "provenance": {"source": "", "licence": "", "importer": "", "recorded": nothing, "derived": nothing, "assumed": nothing, "warnings": 0}});
    (
        Universe::from_json(&universe.to_string()).unwrap(),
        crate::market::Snapshot::from_json(&snapshot.to_string()).unwrap(),
    )
}

fn file() -> Value {
    let underlying = |range: &str| {
        json!({"price_scan_range": range, "volatility": {"up": "0.25", "down": "0.25", "short_power": "0", "long_power": "0"},
            "extreme": {"multiple": "1.5", "coverage": "0.35"}, "tiers": [{"until_days": "30", "rate": "0.01"}, {"rate": "0.02"}],
            "between_tiers": "0.03"})
    };
    json!({"model": "span", "name": "by hand", "description": "", "numeraire": "USD", "collateral_in_scenarios": false,
        "levels": {"initial": "1.1", "maintenance": "1"}, "assets": {"USDC": {"haircut": "0"}},
        "underlyings": {"AAA": underlying("0.125"), "BBB": underlying("0.25"), "CCC": underlying("0.5")}, "credit": "exact",
        "spreads": [{"legs": ["AAA", "BBB"], "rate": "0.5"}, {"legs": ["AAA", "CCC"], "rate": "0.8"}]})
}

/// The requirement at maintenance of futures opened at the index, so that they are worth nothing, by the oracle and by the program.
#[track_caller]
pub(crate) fn requires(file: &Value, book: &[(&str, &str)], want: f64) {
    requires_at("1", file, book, want);
}

/// With USDC at this price.
#[track_caller]
fn requires_at(price: &str, file: &Value, book: &[(&str, &str)], want: f64) {
    let (universe, mut snapshot) = market();
    snapshot.assets.insert("USDC".to_owned(), price.parse().unwrap());
    let model = Model::from_json(&file.to_string()).unwrap();
    let mut held = Book::empty(&universe);
    for (name, contracts) in book {
        let entry = UNDERLYINGS
            .iter()
            .find(|(underlying, _)| name.starts_with(underlying))
            .unwrap()
            .1;
        held = held.hold(name, contracts, (!name.ends_with("CALL")).then_some(entry));
    }
    let evaluation = crate::oracle::evaluate(&model, &universe, &snapshot, &held.q).unwrap();
    let exact = evaluation.maintenance.to_f64().unwrap();
    assert!((exact - want).abs() < 1e-9, "the oracle requires {exact}, not {want}");
    let program = model
        .compile(&universe, &snapshot, &Terms::at(Level::Maintenance))
        .unwrap();
    let shown = program.surplus(&held.q).unwrap()[0].1 as f64 * 1e-10;
    let shown = evaluation.value.to_f64().unwrap() - shown;
    assert!((shown - want).abs() < 1e-6, "a prover can show {shown}, not {want}");
    assert!(shown >= exact - 1e-12);
}

#[test]
fn months_are_spread_within_their_tier_first_and_what_is_left_between_tiers() {
    // Net 3 coins of 100: scanning 3 · 100 · 0.125 = 37.5. Tier 1: 10 long, 4 short, so 4 · 100 · 0.01 = 4. Tier 2: 3 short, nothing
    // long. Tier 1 has 6 left, tier 2 -3: 3 · 100 · 0.03 = 9. Together 50.5.
    let book = [("AAA-NEAR", "10"), ("AAA-MID", "-4"), ("AAA-FAR", "-3")];
    requires(&file(), &book, 37.5 + 4.0 + 9.0);
    let opposite = [("AAA-NEAR", "-10"), ("AAA-MID", "4"), ("AAA-FAR", "3")];
    requires(&file(), &opposite, 50.5);
    // The perpetual is a month of the first tier: 4 of it against 4 of the future are spread within it, 4 · 100 · 0.01.
    requires(&file(), &[("AAA-PERPETUAL", "4"), ("AAA-MID", "-4")], 4.0);
    // One side only: no spread.
    requires(&file(), &[("AAA-NEAR", "1"), ("AAA-FAR", "1")], 25.0);
}

#[test]
fn near_delivery_each_month_is_charged_by_itself() {
    let mut file = file();
    file["underlyings"]["AAA"]["delivery"] = json!({"days": "20", "rate": "0.1"});
    // Net 0. Within the tier 5 · 100 · 0.01 = 5; both months are within 20 days: (5 + 5) · 100 · 0.1 = 100. The perpetual has none.
    requires(&file, &[("AAA-NEAR", "5"), ("AAA-MID", "-5")], 5.0 + 100.0);
    requires(&file, &[("AAA-PERPETUAL", "5"), ("AAA-FAR", "-5")], 15.0);
}

/// 1,000 USD of AAA against 400 of BBB and 800 of CCC. Scanning risks 125, 100, 400.
const THREE: [(&str, &str); 3] = [("AAA-NEAR", "10"), ("BBB-NEAR", "-8"), ("CCC-NEAR", "-40")];

#[test]
fn the_first_spread_takes_what_there_is_even_where_the_second_would_give_more() {
    // AAA-BBB takes 400, which leaves 600 of AAA for CCC. Credits: AAA 0.5 · 0.125 · 400 + 0.8 · 0.125 · 600 = 85 (at most 0.8 · 125),
    // BBB 0.5 · 0.25 · 400 = 50, CCC 0.8 · 0.5 · 600 = 240. Requirement 625 - 375 = 250.
    requires(&file(), &THREE, 250.0);
    // Who took nothing for AAA-BBB would be credited 80 + 320 = 400 on AAA-CCC: with the spreads in that order it is so, and 200 of
    // AAA are left for BBB: 12.5 + 25 more. AAA is then given 92.5, and 625 - 437.5 = 187.5 is required.
    let mut reversed = file();
    reversed["spreads"].as_array_mut().unwrap().reverse();
    requires(&reversed, &THREE, 187.5);
}

#[test]
fn in_another_numeraire_notionals_are_divided_by_its_price() {
    // Profits are USDC, so scanning risks stay 125, 100, 400 of them. Notionals of dollars are 500, 200 and 400 USDC at 2 USD: credits
    // AAA 0.5 · 0.125 · 200 + 0.8 · 0.125 · 300 = 42.5, BBB 0.5 · 0.25 · 200 = 25, CCC 0.8 · 0.5 · 300 = 120.
    let mut file = file();
    file["numeraire"] = json!("USDC");
    requires_at("2", &file, &THREE, 625.0 - 42.5 - 25.0 - 120.0);
}

#[test]
fn credit_is_for_opposite_sides_at_most_a_part_of_scanning_risk_and_can_be_switched_off() {
    let same: Vec<(&str, &str)> = vec![("AAA-NEAR", "10"), ("BBB-NEAR", "8"), ("CCC-NEAR", "40")];
    requires(&file(), &same, 625.0);
    // Short against long is spread as long against short.
    let opposite: Vec<(&str, &str)> = vec![("AAA-NEAR", "-10"), ("BBB-NEAR", "8"), ("CCC-NEAR", "40")];
    requires(&file(), &opposite, 250.0);
    let mut none = file();
    none["credit"] = json!("none");
    requires(&none, &THREE, 625.0);
    // Every rate 1, all of AAA spread: 125 given of 125, and 100 and 300 of 100 and 400. Nothing is given beyond.
    let mut full = file();
    for spread in full["spreads"].as_array_mut().unwrap() {
        spread["rate"] = json!("1");
    }
    requires(&full, &THREE, 625.0 - 125.0 - 100.0 - 300.0);
}

/// Every variable at its least, row by row: what the witness generator does, but for `forged`, whose value is given, and for the bits of
/// spread charges, which are those of a witness of the same positions. The rows that nothing can satisfy then.
fn solve(program: &Program, q: &[u64], known: &[u128], forged: Option<(usize, i128)>) -> (Vec<i128>, Vec<usize>) {
    let (rows, variables) = (program.equations(), program.variables());
    let slack = |row: &Equation| {
        row.variables
            .iter()
            .map(|(variable, _)| variable.index())
            .max()
            .unwrap()
    };
    let slacks: BTreeSet<usize> = rows.iter().map(slack).collect();
    let mut values = vec![0; variables.len()];
    // Legs, constant, and every variable below `below`.
    let residual = |row: &Equation, values: &[i128], below: usize| {
        let legs: i128 = row
            .legs
            .iter()
            .map(|(leg, units)| i128::from(*units) * i128::from(q[leg.index()]))
            .sum();
        let known = row.variables.iter().filter(|(variable, _)| variable.index() < below);
        legs - row.constant
            + known
                .map(|(variable, factor)| factor * values[variable.index()])
                .sum::<i128>()
    };
    let mut broken = Vec::new();
    for at in 0..values.len() {
        if slacks.contains(&at) {
            let row = rows.iter().position(|row| slack(row) == at).unwrap();
            values[at] = residual(&rows[row], &values, at);
            if values[at] < 0 {
                broken.push(row);
                values[at] = 0;
            }
            continue;
        }
        // Rows in which it is the last but the slack, and that it can raise.
        let mut least = 0;
        for row in rows {
            let last = row
                .variables
                .iter()
                .rfind(|(variable, _)| variable.index() != slack(row));
            if let Some((_, factor)) = last.filter(|(variable, factor)| variable.index() == at && *factor > 0) {
                let lacking = -residual(row, &values, at);
                least = least.max(lacking / factor + i128::from(lacking % factor > 0));
            }
        }
        values[at] = match forged {
            Some((forged, value)) if forged == at => value,
            _ if variables[at].bits == 1 && variables[at].name.starts_with("spreads of") => {
                known[at].try_into().unwrap()
            }
            _ => least,
        };
    }
    (values, broken)
}

#[test]
fn a_prover_who_takes_less_or_more_for_the_first_spread_breaks_one_row_and_no_other() {
    let (universe, snapshot) = market();
    let model = Model::from_json(&file().to_string()).unwrap();
    let program = model
        .compile(&universe, &snapshot, &Terms::at(Level::Maintenance))
        .unwrap();
    let mut book = Book::empty(&universe);
    for (name, contracts) in THREE {
        let entry = UNDERLYINGS
            .iter()
            .find(|(underlying, _)| name.starts_with(underlying))
            .unwrap()
            .1;
        book = book.hold(name, contracts, Some(entry));
    }
    // 250 are required. With less for the first spread it would be 225: 226 are enough for a forger.
    let q = book.coins("V", "USDC", "226").q;
    let mut rich = q.clone();
    rich[crate::model::fixture::asset_at(&universe, "V", "USDC").balance.index()] = 2_500_000;
    let known = program.witness(&rich).unwrap();
    let known = known.values();
    assert!(matches!(program.witness(&q), Err(WitnessError::NotMet { .. })));
    let (honest, broken) = solve(&program, &q, known, None);
    assert_eq!(broken, [program.equations().len() - 1], "the requirement");
    // The first variable of the spread is what AAA has over the smaller of the two notionals: 600 of 1,000 USD.
    let spread = |variable: &Variable| variable.name == "spread of AAA and BBB";
    let over = program.variables().iter().position(spread).unwrap();
    let usd = |usd: i128| usd * 10_000_000_000;
    assert_eq!(honest[over], usd(600));
    for (forged, gains) in [(usd(1_000), true), (usd(0), false)] {
        let (values, broken) = solve(&program, &q, known, Some((over, forged)));
        let spreads = broken.iter().filter(|row| {
            let variables = &program.equations()[**row].variables;
            variables
                .iter()
                .any(|(variable, _)| spread(&program.variables()[variable.index()]))
        });
        assert_eq!(spreads.count(), 1, "{forged}: rows {broken:?}");
        // The row is all that stands between the forger and a margin that is not there.
        assert_eq!(broken.len() == 1, gains, "{forged}: rows {broken:?}");
        let values: Vec<u128> = values.into_iter().map(|value| value.try_into().unwrap()).collect();
        assert!(program.check(&q, &values).is_err());
    }
}

#[test]
fn a_short_option_costs_its_minimum_where_nothing_else_does() {
    let mut file = file();
    file["underlyings"]["AAA"]["short_option_minimum"] = json!("0.01");
    // Worth nothing in every row: 5 · 100 · 0.01. Long options and futures have none, and it is not added to scanning risk.
    requires(&file, &[("AAA-CALL", "-5")], 5.0);
    requires(&file, &[("AAA-CALL", "5")], 0.0);
    requires(&file, &[("AAA-CALL", "-5"), ("AAA-NEAR", "1")], 12.5);
}

#[test]
fn an_extreme_move_counts_in_part() {
    let mut file = file();
    file["underlyings"]["AAA"]["extreme"] = json!({"multiple": "4", "coverage": "0.5"});
    // 0.125 · 4 · 0.5 = 0.25 of 100.
    requires(&file, &[("AAA-NEAR", "1")], 25.0);
}

#[test]
fn a_file_that_the_program_could_not_prove_soundly_is_refused() {
    let refuse = |change: &dyn Fn(&mut Value), part: &str| {
        let mut file = file();
        change(&mut file);
        let error = Model::from_json(&file.to_string()).unwrap_err().to_string();
        assert!(error.contains(part), "{error} does not name {part}");
    };
    let aaa = |file: &mut Value, field: &str, value: Value| file["underlyings"]["AAA"][field] = value;
    refuse(&|f| f["surprise"] = json!(1), "surprise");
    refuse(&|f| f["name"] = json!(""), "name");
    refuse(&|f| f["numeraire"] = json!("DOGE"), "DOGE");
    refuse(&|f| f["levels"]["maintenance"] = json!("1.2"), "levels.maintenance");
    refuse(&|f| f["levels"]["initial"] = json!("1.00001"), "4 decimals");
    refuse(&|f| f["assets"]["USDC"]["haircut"] = json!("1.1"), "haircut");
    refuse(&|f| f["underlyings"] = json!({}), "underlyings");
    refuse(&|f| aaa(f, "price_scan_range", json!("1")), "price_scan_range");
    refuse(&|f| aaa(f, "price_scan_range", json!("0.7")), "extreme.multiple");
    refuse(&|f| aaa(f, "price_scan_range", json!("-0.1")), "price_scan_range");
    refuse(
        &|f| f["underlyings"]["AAA"]["extreme"]["coverage"] = json!("1.1"),
        "extreme.coverage",
    );
    refuse(
        &|f| f["underlyings"]["AAA"]["volatility"]["up"] = json!("-0.1"),
        "volatility.up",
    );
    refuse(&|f| aaa(f, "tiers", json!([])), "tiers");
    refuse(
        &|f| aaa(f, "tiers", json!([{"until_days": "30", "rate": "0"}])),
        "none in the last tier",
    );
    refuse(
        &|f| aaa(f, "tiers", json!([{"rate": "0"}, {"rate": "0"}])),
        "tiers[0].until_days",
    );
    let gap = json!([{"until_days": "30", "rate": "0"}, {"until_days": "30", "rate": "0"}, {"rate": "0"}]);
    refuse(&|f| aaa(f, "tiers", gap.clone()), "tiers[1].until_days");
    refuse(&|f| aaa(f, "tiers", json!([{"rate": "-0.1"}])), "tiers[0].rate");
    refuse(&|f| aaa(f, "between_tiers", json!("-1")), "between_tiers");
    refuse(
        &|f| aaa(f, "delivery", json!({"days": "-1", "rate": "0"})),
        "delivery.days",
    );
    refuse(&|f| aaa(f, "short_option_minimum", json!("-1")), "short_option_minimum");
    refuse(&|f| f["credit"] = json!("some"), "some");
    refuse(&|f| f["spreads"][0]["rate"] = json!("1.01"), "spreads[0].rate");
    refuse(&|f| f["spreads"][0]["rate"] = json!("0.12345"), "4 decimals");
    refuse(&|f| f["spreads"][0]["legs"] = json!(["AAA", "ZZZ"]), "ZZZ");
    refuse(&|f| f["spreads"][0]["legs"] = json!(["AAA", "AAA"]), "spreads[0].legs");
    refuse(&|f| f["spreads"][1]["legs"] = json!(["BBB", "AAA"]), "spreads[1].legs");
}

#[test]
fn the_preset_is_read_back_and_compiles_the_same_twice() {
    let (_, text) = PRESETS.iter().find(|(name, _)| *name == "span").unwrap();
    let model = Model::from_json(text).unwrap();
    assert_eq!(Model::from_json(&model.to_json().unwrap()).unwrap(), model);
    let (universe, snapshot) = (crate::model::fixture::universe(), crate::model::fixture::snapshot());
    let compile = || model.compile(&universe, &snapshot, &Terms::at(Level::Initial)).unwrap();
    assert_eq!(compile(), compile());
}
