//! What has no program, and why.

use serde_json::{Value, json};
use zkmargin_risk::history::History;
use zkmargin_risk::model::{CompileError, Model};
use zkmargin_risk::oracle::{self, OracleError};
use zkmargin_risk::terms::{Level, Terms};

use crate::{history, last, model, read, snapshot, unattached, universe};

#[test]
fn a_model_without_its_history_has_no_program_and_no_margin() {
    let model = unattached(json!({}));
    let q = vec![0; universe().layout().slots()];
    let missing = format!(
        "hs-var needs the price history {}, and was given none",
        history().digest()
    );
    let error = model
        .compile(universe(), snapshot(), &Terms::at(Level::Initial))
        .unwrap_err();
    assert!(matches!(error, CompileError::Missing { .. }));
    assert_eq!(error.to_string(), missing);
    let error = oracle::evaluate(&model, universe(), snapshot(), &q).unwrap_err();
    assert!(matches!(error, OracleError::Missing { .. }));
    assert_eq!(error.to_string(), missing);
}

#[test]
fn a_history_that_does_not_fit_is_refused_by_what_it_lacks() {
    let refusal = |changes: Value| unattached(changes).with_history(history()).unwrap_err().to_string();
    let is = "the history has those of 2017-08-18 to 2026-08-07";
    assert_eq!(
        refusal(json!({"window": last(4000)})),
        "model: window: 4000 moves up to 2026-08-07 are wanted, expected 1 to 3277"
    );
    assert_eq!(
        refusal(json!({"window": {"until": "2026-08-08"}})),
        format!("model: window: there is no move of 2026-08-08: {is}")
    );
    let stress = |first: &str, last: &str| json!({"procyclicality": {"stressed": {"weight": "0.25", "window": {"between": {"first": first, "last": last}}}}});
    assert_eq!(
        refusal(stress("2016-01-01", "2018-01-01")),
        format!("model: procyclicality.stressed.window: there is no move of 2016-01-01: {is}")
    );
    assert!(refusal(stress("2020-01-02", "2020-01-01")).contains("which is before"));
    assert_eq!(
        refusal(json!({"underlyings": {"BTC": {}, "ETH": {}, "SOL": {}}})),
        "model: underlyings.SOL moves as `SOL`, which the price history does not have; it has BTC, ETH"
    );
    let mut other = history().to_file();
    other.provenance.source.push('x');
    let other = History::from_file(&other).unwrap();
    let digests = format!(
        "the model needs the price history {}, this is {}",
        history().digest(),
        other.digest()
    );
    assert_eq!(
        unattached(json!({})).with_history(other).unwrap_err().to_string(),
        digests
    );
    let grid = Model::preset("paradex-pm").unwrap();
    assert_eq!(grid.history(), None);
    assert_eq!(
        grid.with_history(history()).unwrap_err().to_string(),
        "paradex-pm needs no price history"
    );
    let gap = read("histories/2026-08-07.json").replacen("2020-01-01", "2027-01-01", 1);
    let gap = History::from_json(&gap).unwrap_err().to_string();
    assert_eq!(
        gap,
        "history: there is no row of 2020-01-01, between 2019-12-31 and 2020-01-02"
    );
}

#[test]
fn each_bad_parameter_is_refused_by_field_value_and_bound() {
    let refusal = |field: &str, value: Value| {
        let mut file: Value = serde_json::from_str(include_str!("../../presets/hs-var.json")).unwrap();
        *file.pointer_mut(field).unwrap_or_else(|| panic!("{field}")) = value;
        Model::from_json(&file.to_string()).unwrap_err().to_string()
    };
    for (field, value, expected) in [
        (
            "/levels/initial/confidence",
            json!("1"),
            "levels.initial.confidence is 1, expected 0.5 to below 1",
        ),
        (
            "/levels/initial/confidence",
            json!("0.4"),
            "levels.initial.confidence is 0.4",
        ),
        (
            "/levels/initial/confidence",
            json!("0.9900001"),
            "0.9900001, expected at most 6 decimals",
        ),
        (
            "/levels/maintenance/confidence",
            json!("0.995"),
            "0.995, expected at most levels.initial.confidence",
        ),
        (
            "/levels/maintenance/factor",
            json!("1.1"),
            "1.1, expected at most levels.initial.factor",
        ),
        (
            "/levels/maintenance/factor",
            json!("0"),
            "0, expected above 0 and at most 100",
        ),
        (
            "/procyclicality/buffer/part",
            json!("-0.1"),
            "procyclicality.buffer.part is -0.1, expected 0 to 10",
        ),
        (
            "/procyclicality",
            json!({"stressed": {"weight": "1", "window": "whole"}}),
            "1, expected above 0 and below 1",
        ),
        (
            "/window",
            json!({"last": {"moves": 0}}),
            "window.last.moves has 0 moves, expected 1 to 5000",
        ),
        (
            "/window",
            json!({"last": {"moves": 5001}}),
            "window.last.moves has 5001 moves",
        ),
        (
            "/volatility/index/short_power",
            json!("5"),
            "volatility.index.short_power is 5, expected 0 to 4",
        ),
        (
            "/volatility/index/tenor_floor_days",
            json!("0"),
            "volatility.index.tenor_floor_days is 0",
        ),
        (
            "/assets/BTC/haircut",
            json!("1.5"),
            "assets.BTC.haircut is 1.5, expected 0 to 1",
        ),
        (
            "/assets/BTC/underlying",
            json!("SOL"),
            "assets.BTC.underlying names `SOL`",
        ),
        (
            "/underlyings",
            json!({"ETH": {}}),
            "names `BTC`, which is not among the underlyings of the file",
        ),
        ("/numeraire", json!("EUR"), "numeraire names `EUR`"),
        ("/name", json!(""), "name is 0 characters long"),
        ("/history", json!("00"), "`00` is not 32 bytes"),
        ("/measure", json!("var"), "unknown variant `var`"),
    ] {
        let found = refusal(field, value);
        assert!(found.contains(expected), "{found}\nexpected {expected}");
    }
    let with = |changes: Value| {
        let mut file: Value = serde_json::from_str(include_str!("../../presets/hs-var.json")).unwrap();
        file.as_object_mut()
            .unwrap()
            .extend(changes.as_object().unwrap().clone());
        Model::from_json(&file.to_string()).unwrap_err().to_string()
    };
    let filter =
        |decay: &str, least: &str, most: &str| with(json!({"filter": {"decay": decay, "least": least, "most": most}}));
    assert!(filter("1", "0", "2").contains("filter.decay is 1, expected 0.5 to below 1"));
    assert!(filter("0.97", "1.1", "2").contains("filter.least is 1.1"));
    assert!(filter("0.97", "0", "0.9").contains("filter.most is 0.9"));
    assert!(with(json!({"span": "0"})).contains("span is 0"));
    assert!(
        with(json!({"underlyings": {}, "assets": {}})).contains("underlyings has 0 underlyings, expected at least 1")
    );
}

#[test]
fn a_demand_gives_the_history_to_its_models() {
    let of = |models: Value| {
        Model::from_json(&json!({"model": "demand", "name": "both", "description": "", "models": models}).to_string())
    };
    let demand = of(json!(["paradex-pm", "hs-var"])).unwrap();
    assert_eq!(demand.history(), Some(history().digest()));
    let terms = Terms::at(Level::Initial);
    assert!(matches!(
        demand.compile(universe(), snapshot(), &terms),
        Err(CompileError::Missing { .. })
    ));
    let digest = demand.digest();
    let demand = demand.with_history(history()).unwrap();
    assert_eq!(demand.digest(), digest);
    let program = demand.compile(universe(), snapshot(), &terms).unwrap();
    let alone = model(json!({})).compile(universe(), snapshot(), &terms).unwrap();
    assert!(program.equations().len() > alone.equations().len());
    let other = serde_json::from_str::<Value>(include_str!("../../presets/hs-es.json")).map(|mut file| {
        file["history"] = json!("0".repeat(64));
        file
    });
    let refusal = of(json!(["hs-var", other.unwrap()])).unwrap_err().to_string();
    assert!(refusal.contains("models that need one history"), "{refusal}");
    let plain = of(json!(["paradex-pm"])).unwrap();
    assert_eq!(plain.history(), None);
    assert!(plain.with_history(history()).is_err());
}
