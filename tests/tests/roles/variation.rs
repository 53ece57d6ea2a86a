//! Variation margin from the trader's prover to the partner's verdict: a book that has the cash for what it lost, another later
//! snapshot, and a policy that asks for something else.

use std::fs;
use std::process::{Command, Output};

use serde_json::{Value, json};

use crate::stage::{STAGE, binary, said};

const LATER_AT: &str = "2026-08-06T12:06:00Z";

/// The demonstration's market five minutes later, BTC moved by `thousandths`.
fn later(name: &str, thousandths: i64) {
    let mut snapshot: Value = serde_json::from_slice(&STAGE.read("snapshot.json")).unwrap();
    snapshot["instant"] = json!("2026-08-06T12:05:00Z");
    let moved = |price: &Value| {
        let price: f64 = price.as_str().unwrap().parse().unwrap();
        json!(format!("{:.2}", price * (1000 + thousandths) as f64 / 1000.0))
    };
    let market = &mut snapshot["underlyings"]["BTC"];
    market["index"] = moved(&market["index"]);
    market["perpetual"]["price"] = moved(&market["perpetual"]["price"]);
    for name in ["futures", "expiries"] {
        let field = if name == "futures" { "price" } else { "forward" };
        for one in market[name].as_object_mut().unwrap().values_mut() {
            one[field] = moved(&one[field]);
        }
    }
    if snapshot["assets"].get("BTC").is_some() {
        snapshot["assets"]["BTC"] = snapshot["underlyings"]["BTC"]["index"].clone();
    }
    fs::write(STAGE.path(name), snapshot.to_string()).unwrap();
}

fn zkmargin(words: &[&str]) -> Output {
    let mut command = Command::new(binary("zkmargin"));
    command
        .current_dir(STAGE.path(""))
        .env("XDG_CACHE_HOME", STAGE.path("cache"))
        .args(words);
    command.output().unwrap()
}

#[test]
fn a_book_that_has_the_cash_for_its_losses_is_proven_and_verified() {
    later("later.json", -5);
    later("other.json", -4);
    let policy: Value = serde_json::from_slice(&STAGE.read("policy.json")).unwrap();
    let audience = policy["audience"].as_str().unwrap().to_owned();
    let nonce = hex::encode(STAGE.nonce());
    let book = policy["books"][0].as_str().unwrap().to_owned();
    let prove = |level: &str, later: &[&str], out: &str| {
        let mut words = vec![
            "prove",
            "--universe",
            "universe.json",
            "--snapshot",
            "snapshot.json",
            "--model",
            "paradex-pm",
            "--attestation",
            "options.attestation",
            "--opening",
            "options.opening",
            "--attestation",
            "hedge.attestation",
            "--opening",
            "hedge.opening",
            "--subject-key",
            "trader.key",
            "--audience",
            &audience,
            "--book",
            &book,
            "--nonce",
            &nonce,
            "--ratio",
            "1.05",
            "--excess",
            "1000",
            "--at",
            LATER_AT,
            "--out",
            out,
            "--level",
            level,
        ];
        words.extend(later);
        said(&zkmargin(&words))
    };
    let (code, text) = prove("variation", &["--later", "later.json"], "variation.bundle");
    assert_eq!(code, 0, "{text}");
    assert!(text.contains("have the cash for what their positions lost"), "{text}");
    assert_eq!(prove("variation", &[], "none.bundle").0, 2);
    assert_eq!(prove("maintenance", &["--later", "later.json"], "none.bundle").0, 2);

    let mut asks = policy.clone();
    asks["level"] = json!("variation");
    fs::write(STAGE.path("variation-policy.json"), asks.to_string()).unwrap();
    let verify = |policy: &str, later: &[&str]| {
        let mut command = Command::new(binary("zkmargin-verify"));
        command
            .current_dir(STAGE.path(""))
            .env("XDG_CACHE_HOME", STAGE.path("cache"));
        command.args([
            "--policy",
            policy,
            "--universe",
            "universe.json",
            "--snapshot",
            "snapshot.json",
        ]);
        command.args(["--model", "paradex-pm", "--nonce", &nonce, "--at", LATER_AT]);
        said(&command.args(later).arg("variation.bundle").output().unwrap())
    };
    let (code, text) = verify("variation-policy.json", &["--later", "later.json"]);
    assert_eq!(code, 0, "{text}");
    assert!(text.contains("have the cash for what their positions lost"), "{text}");
    // Another later market is another statement; none is no program; margin at a level was not proven.
    assert_eq!(verify("variation-policy.json", &["--later", "other.json"]).0, 1);
    assert_eq!(verify("variation-policy.json", &[]).0, 2);
    assert_eq!(verify("policy.json", &["--later", "later.json"]).0, 3);
    // And a proof of maintenance margin is none of variation.
    let at_level = STAGE.verify(&STAGE.read("margin.bundle"), &[("--policy", "variation-policy.json")]);
    assert_eq!(said(&at_level).0, 3);
}

#[test]
fn a_later_snapshot_that_lies_ahead_is_refused() {
    later("ahead.json", 0);
    let nonce = hex::encode(STAGE.nonce());
    let mut command = Command::new(binary("zkmargin-verify"));
    command
        .current_dir(STAGE.path(""))
        .env("XDG_CACHE_HOME", STAGE.path("cache"));
    command.args([
        "--policy",
        "policy.json",
        "--universe",
        "universe.json",
        "--snapshot",
        "snapshot.json",
    ]);
    command.args([
        "--model",
        "paradex-pm",
        "--nonce",
        &nonce,
        "--at",
        "2026-08-06T12:04:00Z",
        "--later",
        "ahead.json",
    ]);
    let (code, text) = said(&command.arg("margin.bundle").output().unwrap());
    assert_eq!(code, 3, "{text}");
    assert!(text.contains("the later snapshot is of 2026-08-06T12:05:00Z"), "{text}");
}
