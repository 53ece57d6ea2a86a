#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use serde_json::{Value, json};

use super::scenarios::Scenarios;
use super::*;

const HISTORY: &str = r#"{
 "provenance": {"source": "", "licence": "", "importer": "", "recorded": [], "derived": [], "assumed": []},
 "days": {
  "2024-02-27": {"BTC":{"close":"50000"}},
  "2024-02-28": {"BTC":{"close":"60000","volatility_index":"64"}},
  "2024-02-29": {"BTC":{"close":"57000","volatility_index":"80"}},
  "2024-03-01": {"BTC":{"close":"57000","volatility_index":"72"}}
 }
}"#;

fn scenarios(changes: &Value) -> Scenarios {
    let history = History::from_json(HISTORY).unwrap();
    let mut file: Value = serde_json::from_str(include_str!("../../../presets/hs-var.json")).unwrap();
    file["history"] = json!(history.digest());
    file["underlyings"] = json!({"BTC": {}});
    file["assets"] = json!({"USDC": {"haircut": "0"}});
    file["window"] = json!("whole");
    file.as_object_mut()
        .unwrap()
        .extend(changes.as_object().unwrap().clone());
    let rules = Historical::new(serde_json::from_value(file).unwrap()).unwrap();
    rules.with_history(&history).unwrap().scenarios().unwrap().clone()
}

#[test]
fn ranks_are_those_of_the_definitions() {
    let of = |measure, confidence: &str, n| rank(measure, crate::amount::parse(confidence).unwrap(), n);
    let (var, shortfall) = (Measure::ValueAtRisk, Measure::ExpectedShortfall);
    assert_eq!(
        [
            of(var, "0.99", 500),
            of(var, "0.99", 250),
            of(var, "0.99", 99),
            of(var, "0.5", 1)
        ],
        [6, 3, 1, 1]
    );
    assert_eq!(
        [
            of(shortfall, "0.975", 500),
            of(shortfall, "0.975", 480),
            of(shortfall, "0.975", 40),
            of(shortfall, "0.99", 1)
        ],
        [13, 12, 1, 1]
    );
}

#[test]
fn a_move_is_that_of_price_and_index() {
    let found = scenarios(&json!({}));
    let moves = &found.moves["BTC"];
    let factors: Vec<f64> = moves.iter().map(|one| one.shock.factor()).collect();
    assert_eq!(factors, [1.2, 0.95, 1.0]);
    assert_eq!(moves[0].relative, 1.2 - 1.0);
    let changes: Vec<Option<f64>> = moves.iter().map(|one| one.shock.index_change()).collect();
    assert_eq!(changes, [None, Some(0.25), Some(0.9 - 1.0)]);
    // One day is without an index.
    assert!(found.without_options.contains("BTC"));
    let later = json!({"window": {"last": {"moves": 2}}});
    assert!(scenarios(&later).without_options.is_empty());
    assert!(
        scenarios(&json!({"volatility": "unchanged"}))
            .without_options
            .is_empty()
    );
}

#[test]
fn filtered_moves_are_scaled_to_the_last_volatility() {
    let filter = json!({"decay": "0.9", "least": "0", "most": "10"});
    let found = scenarios(&json!({"filter": filter}));
    // By hand: l = ln 1.2, ln 0.95, 0; v_1 = l_1², v_2 = v_1, v_3 and v_4 as below.
    let (first, second) = (1.2_f64, 0.95_f64);
    let (l1, l2) = (libm::log(first), libm::log(second));
    let v1 = l1 * l1;
    let v2 = 0.9 * v1 + (1.0 - 0.9) * v1;
    let v3 = 0.9 * v2 + (1.0 - 0.9) * (l2 * l2);
    let v4 = 0.9 * v3;
    let factors: Vec<f64> = found.moves["BTC"].iter().map(|one| one.shock.factor()).collect();
    let expected = [
        libm::exp(libm::sqrt(v4 / v1) * l1),
        libm::exp(libm::sqrt(v4 / v2) * l2),
        1.0,
    ];
    for (factor, expected) in factors.iter().zip(expected) {
        assert!((factor - expected).abs() < 1e-14, "{factor}, expected {expected}");
    }
    let capped = scenarios(&json!({"filter": {"decay": "0.9", "least": "1", "most": "1"}}));
    assert!((capped.moves["BTC"][1].shock.factor() - 0.95).abs() < 1e-15);
}

#[test]
fn another_window_is_never_filtered() {
    let rule = json!({
        "filter": {"decay": "0.5", "least": "0", "most": "10"}, "window": {"last": {"moves": 1}},
        "procyclicality": {"floor": {"window": "whole"}},
    });
    let found = scenarios(&rule);
    assert_eq!((found.window, found.days.len()), (1, 4));
    assert_eq!(found.of_other().len(), 3);
    assert_eq!(found.moves["BTC"][1].shock.factor(), 1.2);
}
