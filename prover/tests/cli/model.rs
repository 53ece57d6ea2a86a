//! `zkmargin model` and `zkmargin schema`, and the shipped schemas.

use std::path::Path;

use serde_json::{Value, json};

use crate::desk::{desk, example, run};

fn case(model: &Value, usdc: &str) -> String {
    let text = std::fs::read_to_string(example("cases/short-call.json")).unwrap();
    let mut case: Value = serde_json::from_str(&text).unwrap();
    case["model"] = model.clone();
    case["accounts"][0]["balances"][0]["amount"] = json!(usdc);
    case.to_string()
}

fn number(value: &Value) -> f64 {
    value.as_str().unwrap().parse().unwrap()
}

#[test]
fn a_case_is_worked_out_by_the_rule_and_by_the_program_which_agree_within_the_bound() {
    let desk = desk();
    desk.write("case.json", &case(&json!("paradex-pm"), "20000"));
    assert_eq!(
        run(desk.path(), &["--json", "inspect", "case.json"]).done().json()["kind"],
        "case"
    );
    let shown = run(desk.path(), &["model", "run", "case.json"]).done().out;
    for words in [
        "by paradex-pm, in USD",
        "requirement R, exactly",
        "least requirement of the program",
        "worst scenario",
        "funding provision",
    ] {
        assert!(shown.contains(words), "{words} in {shown}");
    }
    let found = run(desk.path(), &["--json", "model", "run", "case.json"]).done().json();
    let outcome = &found["cases"][0];
    assert_eq!(outcome["file"], "case.json");
    let level = &outcome["initial"];
    let (exact, program) = (number(&level["requirement"]), number(&level["program_requirement"]));
    assert!(exact > 5_000.0 && program >= exact && program - exact <= number(&level["rounding_bound"]));
    let parts = outcome["components"].as_array().unwrap();
    let sum: f64 = parts.iter().map(|part| number(&part["initial"])).sum();
    assert!((sum - exact).abs() < 1e-6, "{sum} {exact}");
}

#[test]
fn a_file_that_is_no_case_is_named_and_the_others_are_worked_out_all_the_same() {
    let desk = desk();
    desk.write("good-case.json", &case(&json!("paradex-pm"), "20000"));
    desk.write("bad-case.json", &case(&json!("paradex-pm"), "-0.0000001"));
    desk.write("no-model.json", &case(&json!("no-such-preset"), "1"));
    let words = [
        "--json",
        "model",
        "run",
        "bad-case.json",
        "good-case.json",
        "no-model.json",
        "absent.json",
    ];
    let ran = run(desk.path(), &words);
    ran.refused(
        2,
        &[
            "bad-case.json: account: balance USDC",
            "no-model.json: there is no preset `no-such-preset`",
            "absent.json",
        ],
    );
    let data = ran.json();
    assert_eq!(data["exit"], 2);
    assert!(data["cases"][0]["error"].as_str().unwrap().contains("balance USDC"));
    assert_eq!(data["cases"][1]["model"], "paradex-pm");
}

#[test]
fn a_demand_of_two_models_shows_both_and_what_else_must_hold() {
    let desk = desk();
    let demand = json!({
        "model": "demand", "name": "desk", "description": "Both presets, and little delta.", "models": ["paradex-pm", paradex("0.9")],
        "limits": [{ "net_delta": { "underlying": "BTC", "most": "0.01" } }],
    });
    desk.write("demand-case.json", &case(&demand, "20000"));
    let shown = run(desk.path(), &["model", "run", "demand-case.json"]).done().out;
    assert!(shown.contains("Components by paradex-pm, where V is"), "{shown}");
    assert!(shown.contains("Components by stricter, where V is"), "{shown}");
    assert!(shown.contains("limit on net delta of BTC  "), "{shown}");
    assert!(
        shown.contains("No proof can be made at the initial level: not met: limit on net delta of BTC"),
        "{shown}"
    );
    let least = shown
        .lines()
        .find(|line| line.contains("least requirement of the program"))
        .unwrap();
    assert_eq!(least.matches("no proof").count(), 2, "{shown}");
}

/// `paradex-pm` with another maintenance factor, and name.
fn paradex(maintenance: &str) -> Value {
    let (_, text) = zkmargin_risk::model::PRESETS[0];
    let mut file: Value = serde_json::from_str(text).unwrap();
    file["name"] = json!("stricter");
    file["levels"]["maintenance"] = json!(maintenance);
    file
}

#[test]
fn every_preset_is_listed_with_what_it_is() {
    let listed = run(Path::new("."), &["--json", "model", "list"]).done().json();
    let shown = run(Path::new("."), &["model", "list"]).done().out;
    let models = listed["models"].as_array().unwrap();
    assert_eq!(models.len(), zkmargin_risk::model::PRESETS.len());
    for model in models {
        let name = model["name"].as_str().unwrap();
        assert!(shown.contains(name), "{name}");
        assert!(model["exact"].is_boolean() && model["needs_history"].is_boolean());
        assert!(!model["kind"].as_str().unwrap().is_empty() && !model["description"].as_str().unwrap().is_empty());
    }
}

#[test]
fn check_says_what_is_wrong_with_a_file_and_what_a_proof_of_a_right_one_takes() {
    let desk = desk();
    let mut wrong = paradex("0.5");
    wrong["levels"]["maintenance"] = json!("1.5");
    desk.write("wrong-model.json", &wrong.to_string());
    run(desk.path(), &["model", "check", "wrong-model.json"])
        .refused(2, &["wrong-model.json", "levels.maintenance", "1.5"]);
    let plain = run(desk.path(), &["model", "check", "paradex-pm"]).done().out;
    assert!(
        plain.contains("The file is valid") && plain.contains("Left out:"),
        "{plain}"
    );
    let words = [
        "--json",
        "model",
        "check",
        "paradex-pm",
        "--universe",
        "universe.json",
        "--snapshot",
        "snapshot.json",
    ];
    let figures = &run(desk.path(), &words).done().json()["figures"];
    let initial = &figures["levels"][0];
    // As the README's table has it, with one column more: the universe has two venues.
    assert_eq!(initial["equations"], 53);
    assert_eq!(initial["q_columns"], 8);
    assert_eq!(initial["one_bit_variables"], 0);
    let (variables, bits) = (
        initial["variables"].as_u64().unwrap(),
        initial["bits"].as_u64().unwrap(),
    );
    assert!(
        bits > 40 * variables && bits <= 80 * variables,
        "{bits} bits of {variables} variables"
    );
    assert_eq!(initial["proof_bytes"], 2_720 + 4 * 32);
    assert!(initial["prove_ms_estimate"].as_f64().unwrap() > 100.0);
    run(
        desk.path(),
        &["model", "check", "paradex-pm", "--universe", "universe.json"],
    )
    .refused(2, &["--snapshot"]);
}

#[test]
fn explain_says_what_each_number_means() {
    let shown = run(Path::new("."), &["model", "explain", "deribit-pm"]).done().out;
    let said: String = shown.split_whitespace().collect::<Vec<_>>().join(" ");
    for words in [
        "maintenance 0.8: Factor at the maintenance level",
        "profit coin: What the profit of a row is counted in. coin: Coins of the underlying",
        "gain_factor 0.6",
        "Left out: - ",
    ] {
        assert!(said.contains(words), "{words} in {shown}");
    }
    assert!(shown.lines().all(|line| line.chars().count() <= 110), "{shown}");
}

#[test]
fn shipped_schemas_are_those_that_the_tool_writes() {
    let folder = tempfile::tempdir().unwrap();
    run(folder.path(), &["schema", "--all", "-o", "schemas"]).done();
    run(folder.path(), &["schema", "--all", "-o", "schemas"]).refused(2, &["account.json", "--force"]);
    let shipped = Path::new(env!("CARGO_MANIFEST_DIR")).join("../schemas");
    let names = |folder: &Path| {
        let mut names: Vec<_> = std::fs::read_dir(folder)
            .unwrap()
            .map(|entry| entry.unwrap().file_name())
            .collect();
        names.sort();
        names
    };
    if std::env::var_os("ZKMARGIN_REWRITE_GOLDEN").is_some() {
        run(
            folder.path(),
            &["schema", "--all", "--force", "-o", shipped.to_str().unwrap()],
        )
        .done();
    }
    assert_eq!(names(&folder.path().join("schemas")), names(&shipped));
    for name in names(&shipped) {
        let read = |folder: &Path| std::fs::read_to_string(folder.join(&name)).unwrap();
        assert_eq!(
            read(&folder.path().join("schemas")),
            read(&shipped),
            "{name:?} is not current"
        );
    }
    run(folder.path(), &["schema", "cat"]).refused(2, &["`cat` is not a kind of file", "model-scenario-grid"]);
    let one = run(folder.path(), &["schema", "policy"]).done().out;
    assert_eq!(
        one.trim(),
        std::fs::read_to_string(shipped.join("policy.json")).unwrap().trim()
    );
}

/// Only the words that say of what type a value is, and which names a structure has.
fn fits(root: &Value, schema: &Value, value: &Value, place: &str) {
    if let Some(path) = schema["$ref"].as_str() {
        return fits(
            root,
            root.pointer(path.strip_prefix('#').unwrap()).unwrap(),
            value,
            place,
        );
    }
    for several in ["anyOf", "oneOf"] {
        if let Some(list) = schema[several].as_array() {
            let one = list
                .iter()
                .any(|schema| std::panic::catch_unwind(|| fits(root, schema, value, place)).is_ok());
            assert!(one, "{place} fits none of {schema}");
        }
    }
    if let Some(constant) = schema.get("const") {
        assert_eq!(value, constant, "{place}");
    }
    let is = |name: &str| match name {
        "object" => value.is_object(),
        "array" => value.is_array(),
        "string" => value.is_string(),
        "boolean" => value.is_boolean(),
        "integer" => value.is_u64() || value.is_i64(),
        "number" => value.is_number(),
        _ => value.is_null(),
    };
    match &schema["type"] {
        Value::String(name) => assert!(is(name), "{place} is no {name}: {value}"),
        Value::Array(names) => assert!(names.iter().any(|name| is(name.as_str().unwrap())), "{place}"),
        _ => {}
    }
    for name in schema["required"].as_array().into_iter().flatten() {
        assert!(value.get(name.as_str().unwrap()).is_some(), "{place} has no {name}");
    }
    for (name, value) in value.as_object().into_iter().flatten() {
        let place = format!("{place}.{name}");
        match (schema["properties"].get(name), &schema["additionalProperties"]) {
            (Some(schema), _) => fits(root, schema, value, &place),
            (None, Value::Bool(false)) => panic!("{place} is not known"),
            (None, Value::Object(of_all)) => fits(root, &Value::Object(of_all.clone()), value, &place),
            (None, _) => {}
        }
    }
    for value in value.as_array().into_iter().flatten() {
        fits(root, &schema["items"], value, place);
    }
}

#[test]
fn shipped_files_fit_their_schemas() {
    let read = |path: &Path| -> Value { serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap() };
    let schema = |kind: &str| {
        let shipped = Path::new(env!("CARGO_MANIFEST_DIR")).join("../schemas");
        read(&shipped.join(format!("{kind}.json")))
    };
    for (kind, file) in [
        ("account", "accounts/options-account.json"),
        ("account", "accounts/hedge-account.json"),
        ("case", "cases/short-call.json"),
        ("history", "histories/2026-08-07.json"),
        ("snapshot", "snapshots/2026-08-06T1200Z.json"),
        ("universe", "universes/demo.json"),
        ("venue", "venues/perphouse.json"),
    ] {
        let schema = schema(kind);
        fits(&schema, &schema, &read(&example(file)), file);
    }
    for (name, text) in zkmargin_risk::model::PRESETS {
        let file: Value = serde_json::from_str(text).unwrap();
        let schema = schema(&format!("model-{}", file["model"].as_str().unwrap()));
        fits(&schema, &schema, &file, name);
    }
}

#[test]
fn words_of_a_hostile_file_do_not_reach_the_terminal_as_commands() {
    let desk = desk();
    desk.write("hostile.json", r#"{"model":"\u001b]0;owned\u0007\u009b2J"}"#);
    let ran = run(desk.path(), &["model", "check", "hostile.json"]);
    ran.refused(2, &["hostile.json", r"\u001b]0;owned\u0007\u009b2J"]);
    let obeyed = |text: &str| text.contains(|c: char| c.is_control() && c != '\n');
    assert!(!obeyed(&ran.err), "{:?}", ran.err);
    // Nor do those of one that is good otherwise.
    let mut model: Value = serde_json::from_str(zkmargin_risk::model::PRESETS[0].1).unwrap();
    model["description"] = "\u{1b}]0;owned\u{7}\u{9b}2J".into();
    desk.write("good.json", &model.to_string());
    let shown = run(desk.path(), &["model", "explain", "good.json"]).done().out;
    assert!(
        shown.contains(r"\u001b]0;owned\u0007\u009b2J") && !obeyed(&shown),
        "{shown:?}"
    );
    let shown = run(desk.path(), &["model", "explain", "good.json", "--json"])
        .done()
        .out;
    let data: Value = serde_json::from_str(&shown).unwrap();
    assert!(
        data.to_string().contains(&model["description"].to_string()) && !obeyed(&shown),
        "{shown:?}"
    );
}
