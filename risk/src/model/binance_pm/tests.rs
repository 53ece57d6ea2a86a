#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use serde_json::{Value, json};

use crate::model::{Model, PRESETS, Why, fixture};

fn file() -> Value {
    let (_, text) = PRESETS.iter().find(|(name, _)| *name == "binance-pm").unwrap();
    serde_json::from_str(text).unwrap()
}

fn refusal(path: &str, part: Value) -> String {
    let mut file = file();
    *file.pointer_mut(path).unwrap() = part;
    Model::from_json(&file.to_string()).unwrap_err().to_string()
}

#[test]
fn what_the_rule_does_not_bear_is_refused() {
    assert!(refusal("/levels/maintenance", json!("0.9")).contains("levels.maintenance"));
    assert!(refusal("/levels/maintenance", json!("1.3")).contains("levels.maintenance"));
    assert!(refusal("/underlyings/BTC/tiers/1/rate", json!("0.001")).contains("not below"));
    assert!(refusal("/loans/BTC", json!("2")).contains("loans.BTC"));
    assert!(refusal("/assets/BTC", json!({"haircut": "0", "cap": "5"})).contains("assets.BTC.cap"));
}

#[test]
fn options_do_not_count() {
    let model = Model::from_json(&file().to_string()).unwrap();
    let (universe, snapshot) = (fixture::universe(), fixture::snapshot());
    let uncounted = model.uncounted(&universe, &snapshot);
    let call = uncounted
        .iter()
        .find(|line| line.line == "BTC-28AUG26-70000-C")
        .unwrap();
    assert_eq!(call.why, Why::Kind);
    assert!(!uncounted.iter().any(|line| line.line == "BTC-PERPETUAL"));
}
