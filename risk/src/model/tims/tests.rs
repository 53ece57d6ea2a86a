#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
//! Figures that were worked out by hand, and files that are refused.

use serde_json::{Value, json};

use crate::model::span::tests::requires;
use crate::model::{Model, PRESETS};

/// Futures of AAA at 100 USD, BBB at 50, CCC at 20.
fn file() -> Value {
    json!({"model": "tims", "name": "by hand", "description": "", "numeraire": "USD", "collateral_in_scenarios": false,
        "levels": {"initial": "1", "maintenance": "1"}, "assets": {"USDC": {"haircut": "0"}},
        "underlyings": {"AAA": {"down": "0.15", "up": "0.15", "minimum": "1"}, "BBB": {"down": "0.25", "up": "0.125", "minimum": "0.5"},
            "CCC": {"down": "0.08", "up": "0.06"}},
        "groups": [{"underlyings": ["AAA", "BBB"], "offset": "0.75"}]})
}

#[test]
fn gains_of_a_class_offset_the_losses_of_its_group_in_part() {
    // Long 1,000 USD of AAA, short 400 of BBB. All the way down: -150 and 0.25 · 400 = 100, of which 75 count: a loss of 75. One step:
    // -30 + 0.75 · 20 = -15. All the way up: 0.75 · 150 - 0.125 · 400 = 62.5, a gain. The minimum is 10 + 4.
    requires(&file(), &[("AAA-NEAR", "10"), ("BBB-NEAR", "-8")], 75.0);
    // Both short, all the way up: 150 + 50; both long, all the way down: 150 + 100.
    requires(&file(), &[("AAA-NEAR", "-10"), ("BBB-NEAR", "-8")], 200.0);
    requires(&file(), &[("AAA-NEAR", "10"), ("BBB-NEAR", "8")], 250.0);
    // Apart from each other: 150 + 50.
    let mut apart = file();
    apart["groups"] = json!([]);
    requires(&apart, &[("AAA-NEAR", "10"), ("BBB-NEAR", "-8")], 200.0);
    // CCC is in no group: its gain of 0.08 · 800 offsets nothing, and its loss of 0.06 · 800 is at the other end and counts.
    requires(&file(), &[("AAA-NEAR", "10"), ("CCC-NEAR", "-40")], 150.0 + 48.0);
}

#[test]
fn every_contract_costs_its_minimum_long_and_short() {
    // Nothing at any point: 1 · (5 + 5) + 0.5 · 4, and options as futures.
    requires(&file(), &[("AAA-NEAR", "5"), ("AAA-FAR", "-5")], 10.0);
    requires(&file(), &[("AAA-CALL", "5"), ("BBB-CALL", "-4")], 7.0);
}

#[test]
fn a_file_that_the_program_could_not_prove_soundly_is_refused() {
    let refuse = |change: &dyn Fn(&mut Value), part: &str| {
        let mut file = file();
        change(&mut file);
        let error = Model::from_json(&file.to_string()).unwrap_err().to_string();
        assert!(error.contains(part), "{error} does not name {part}");
    };
    refuse(&|f| f["surprise"] = json!(1), "surprise");
    refuse(&|f| f["levels"]["maintenance"] = json!("1.2"), "levels.maintenance");
    refuse(&|f| f["underlyings"]["AAA"]["down"] = json!("1"), "AAA.down");
    refuse(&|f| f["underlyings"]["AAA"]["up"] = json!("0"), "AAA");
    refuse(&|f| f["underlyings"]["AAA"]["minimum"] = json!("-1"), "AAA.minimum");
    refuse(&|f| f["groups"][0]["offset"] = json!("1.01"), "groups[0].offset");
    refuse(
        &|f| f["groups"][0]["underlyings"] = json!(["AAA"]),
        "groups[0].underlyings",
    );
    refuse(&|f| f["groups"][0]["underlyings"] = json!(["AAA", "ZZZ"]), "ZZZ");
    refuse(&|f| f["groups"][0]["underlyings"] = json!(["AAA", "AAA"]), "AAA");
}

#[test]
fn the_preset_is_read_back() {
    let (_, text) = PRESETS.iter().find(|(name, _)| *name == "tims").unwrap();
    let model = Model::from_json(text).unwrap();
    assert_eq!(Model::from_json(&model.to_json().unwrap()).unwrap(), model);
}
