//! A refusal names the file, the place, the value and the bound.

use std::path::Path;

use serde_json::{Value, json};

use crate::desk::{Desk, EPOCH, EXPIRES, Ran, desk, run};

const LATER: &str = "2026-08-07T12:00:00Z";
const LATER_EXPIRES: &str = "2026-08-07T13:00:00Z";
/// Expires between the two epochs.
const SHORT_LIVED: &str = "BTC-7AUG26-65000-C";

fn read(path: &Path) -> Value {
    serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
}

/// The desk's snapshot a day later, without what has expired, and without one strike.
fn later(desk: &Desk) -> &'static str {
    let mut snapshot = read(&desk.path().join("snapshot.json"));
    snapshot["instant"] = json!(LATER);
    for market in snapshot["underlyings"].as_object_mut().unwrap().values_mut() {
        for list in ["expiries", "futures"] {
            market[list].as_object_mut().unwrap().remove("2026-08-07T08:00:00Z");
        }
    }
    let strikes = &mut snapshot["underlyings"]["BTC"]["expiries"]["2026-08-28T08:00:00Z"]["strikes"];
    strikes.as_object_mut().unwrap().remove("70000").unwrap();
    desk.write("later.json", &snapshot.to_string());
    "later.json"
}

/// Attests an option account at the later epoch as `NAME.attestation` and `NAME.opening`.
fn attest_later(desk: &Desk, name: &str, positions: &str) -> Ran {
    let account = format!("{name}-account.json");
    desk.write(
        &account,
        &format!(r#"{{"venue":"optionhouse","positions":[{positions}],"balances":[{{"asset":"BTC","amount":"10"}}]}}"#),
    );
    let (attestation, opening) = (format!("{name}.attestation"), format!("{name}.opening"));
    let words = desk.attest("optionhouse.key", &account, &attestation, &opening);
    let words: Vec<&str> = words.into_iter().map(move_on).collect();
    run(desk.path(), &words).done()
}

/// A day later.
fn move_on(word: &str) -> &str {
    match word {
        EPOCH | crate::desk::AT => LATER,
        EXPIRES => LATER_EXPIRES,
        "snapshot.json" => "later.json",
        other => other,
    }
}

fn prove_later(desk: &Desk, name: &str, more: &[&str]) -> Ran {
    let (attestation, opening) = (format!("{name}.attestation"), format!("{name}.opening"));
    let words = desk.prove(&[(&attestation, &opening)], "uncounted.bundle");
    let words: Vec<&str> = words.into_iter().map(move_on).chain(more.iter().copied()).collect();
    let ran = run(desk.path(), &words);
    assert!(!desk.exists("uncounted.bundle"));
    ran
}

#[test]
fn what_is_held_and_not_priced_is_named_to_the_trader_alone() {
    let desk = desk();
    later(desk);
    let warned = attest_later(
        desk,
        "stale",
        &format!(
            r#"{{"instrument":"{SHORT_LIVED}","contracts":"1"}},{{"instrument":"BTC-28AUG26-70000-C","contracts":"1"}}"#
        ),
    );
    for part in [
        "warning",
        SHORT_LIVED,
        "expired at 2026-08-07T08:00:00Z",
        "nothing can be proven",
    ] {
        assert!(warned.err.contains(part), "no {part:?} in: {}", warned.err);
    }
    assert!(!warned.err.contains("70000"), "it has not expired");
    let refused = prove_later(desk, "stale", &[]);
    let named = ["optionhouse:BTC-7AUG26-65000-C (", "optionhouse:BTC-28AUG26-70000-C ("];
    refused.refused(
        4,
        &[&named[..], &["paradex-pm on later.json", "said to you alone"]].concat(),
    );
    let first = refused.err.lines().next().unwrap();
    assert!(first.contains("statement 1") && !first.contains("AUG26"), "{first}");
    let data = prove_later(desk, "stale", &["--json"]).json();
    assert_eq!(data["not_counted"].as_array().unwrap().len(), 2);
    assert!(!data["error"].as_str().unwrap().contains("AUG26"));
}

#[test]
fn order_on_what_is_not_priced_is_to_blame_itself() {
    let desk = desk();
    later(desk);
    let quiet = attest_later(desk, "fresh", r#"{"instrument":"BTC-28AUG26-72000-C","contracts":"1"}"#);
    assert!(!quiet.err.contains("warning"), "{}", quiet.err);
    for (instrument, reason) in [(SHORT_LIVED, "expired"), ("BTC-28AUG26-70000-C", "does not list")] {
        let order = format!("buy 1 {instrument} @ 0.01");
        let named = format!("after the order buy 1 optionhouse:{instrument}");
        prove_later(desk, "fresh", &["--order", &order]).refused(2, &[&named, reason, "statement 1"]);
        let words = [
            "margin",
            "--universe",
            "universe.json",
            "--snapshot",
            "later.json",
            "--model",
            "paradex-pm",
            "--opening",
            "fresh.opening",
            "--order",
            &order,
        ];
        run(desk.path(), &words).refused(2, &[&named, reason, "paradex-pm on later.json"]);
    }
    // The book is to blame for what it holds, whatever the order is.
    attest_later(
        desk,
        "stale-order",
        &format!(r#"{{"instrument":"{SHORT_LIVED}","contracts":"1"}}"#),
    );
    let refused = prove_later(desk, "stale-order", &["--order", "buy 1 BTC-28AUG26-72000-C @ 0.01"]);
    refused.refused(4, &["not counted: optionhouse:BTC-7AUG26-65000-C ("]);
    assert!(!refused.err.contains("72000"), "{}", refused.err);
}

#[test]
fn attestation_of_what_expired_since_its_epoch_says_so() {
    let desk = desk();
    desk.write(
        "lately.json",
        &format!(
            r#"{{"venue":"optionhouse","positions":[{{"instrument":"{SHORT_LIVED}","contracts":"-1"}}],"balances":[{{"asset":"BTC","amount":"10"}}]}}"#
        ),
    );
    let words = desk.attest("optionhouse.key", "lately.json", "lately.attestation", "lately.opening");
    let later: Vec<&str> = words
        .iter()
        .map(|word| match *word {
            crate::desk::AT => LATER,
            EXPIRES => LATER_EXPIRES,
            other => other,
        })
        .chain(["--json"])
        .collect();
    let warned = run(desk.path(), &later).done();
    assert!(warned.err.contains("is not there any more"), "{}", warned.err);
    assert_eq!(warned.json()["warnings"].as_array().unwrap().len(), 1);
}

#[test]
fn venue_file_that_makes_no_universe_is_named() {
    let desk = desk();
    let build = |second: &str, more: &[&str]| {
        let words = [
            "universe",
            "build",
            "--venue",
            "optionhouse.json",
            "--venue",
            second,
            "--snapshot",
            "snapshot.json",
            "--network",
            "test",
            "-o",
            "never.json",
        ];
        let ran = run(desk.path(), &words.iter().chain(more).copied().collect::<Vec<_>>());
        assert!(!desk.exists("never.json"));
        ran
    };
    let edited = |edit: &dyn Fn(&mut Value)| {
        let mut file = read(&desk.path().join("perphouse.json"));
        edit(&mut file);
        desk.write("edited.json", &file.to_string());
        build("edited.json", &[])
    };
    edited(&|file| file["classes"][0]["underlying"] = json!("DOGE"))
        .refused(2, &["edited.json, listing of snapshot.json", "class DOGE"]);
    edited(&|file| file["classes"][0]["contract"] = json!("0")).refused(2, &["edited.json", "contract is 0"]);
    edited(&|file| file["name"] = json!("optionhouse")).refused(2, &["edited.json", "occurs twice"]);
    edited(&|file| file["keys"][0] = json!("00".repeat(32))).refused(
        2,
        &["edited.json", "venue \"perphouse\"", "no usable Ed25519 public key"],
    );
    let refused = build("perphouse.json", &["-k", "13"]);
    refused.refused(2, &["13"]);
    assert!(!refused.err.contains("perphouse.json"), "{}", refused.err);
}

#[test]
fn recording_that_is_refused_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    let fixture = |name: &str| crate::desk::example("../risk/tests/fixtures").join(name);
    std::fs::write(at.join("chain.csv"), "date,currency\n").unwrap();
    let import = |words: &[&str]| {
        let all: Vec<&str> = [&["snapshot", "import"], words, &["-o", "never.json"]].concat();
        let ran = run(at, &all);
        assert!(!at.join("never.json").exists());
        ran
    };
    import(&["recorded-chain", "chain.csv", "--time", EPOCH]).refused(2, &["chain.csv: ", "header"]);
    std::fs::write(at.join("recording.json"), "{}").unwrap();
    import(&["deribit-recording", "recording.json"]).refused(2, &["recording.json: "]);
    for folder in ["good", "bad"] {
        std::fs::create_dir(at.join(folder)).unwrap();
        for name in ["instruments.json", "options.json", "futures.json", "perpetual.json"] {
            let text = std::fs::read_to_string(fixture("deribit_api").join(format!("btc-{name}"))).unwrap();
            let text = if folder == "bad" && name == "futures.json" {
                "{}".to_owned()
            } else {
                text
            };
            std::fs::write(at.join(folder).join(name), text).unwrap();
        }
    }
    let refused = import(&["deribit-api", "good", "bad"]);
    refused.refused(2, &["zkmargin: bad: ", "futures"]);
}

#[test]
fn opening_account_and_model_at_fault_are_named() {
    let desk = desk();
    let swapped = [
        ("options.attestation", "hedge.opening"),
        ("hedge.attestation", "options.opening"),
    ];
    run(desk.path(), &desk.prove(&swapped, "none.bundle")).refused(2, &["zkmargin: hedge.opening: statement 1: "]);
    let mut words = desk.prove(&[("options.attestation", "options.opening")], "none.bundle");
    let model = words.iter().position(|word| *word == "paradex-pm").unwrap();
    words[model] = "paradex";
    run(desk.path(), &words).refused(
        2,
        &[
            "--model: paradex is neither a preset (paradex-pm, deribit-pm, ",
            ") nor a file",
        ],
    );
    // A model that is good in itself, and counts in what this snapshot does not price.
    let preset = crate::desk::example("../risk/presets/deribit-pm.json");
    let mut file = read(&preset);
    file["numeraire"] = json!("USDT");
    file["assets"]["USDT"] = json!({ "haircut": "0" });
    desk.write("usdt.json", &file.to_string());
    words[model] = "usdt.json";
    run(desk.path(), &words).refused(2, &["usdt.json on snapshot.json", "USDT"]);
    // Fills that do not fit the account are named in venue.rs; an account that is another venue's, here.
    run(
        desk.path(),
        &desk.attest("perphouse.key", "options-account.json", "no.attestation", "no.opening"),
    )
    .refused(2, &["perphouse.key: ", "does not give venue"]);
}

#[test]
fn account_that_is_given_twice_is_named_and_counts_in_no_report() {
    let desk = desk();
    let mut words = vec!["margin", "--universe", "universe.json", "--snapshot", "snapshot.json"];
    words.extend(["--model", "paradex-pm", "--opening", "options.opening"]);
    words.extend(["--opening", "hedge.opening"]);
    run(desk.path(), &words).done();
    std::fs::copy(desk.path().join("hedge.opening"), desk.path().join("same.opening")).unwrap();
    words.extend(["--opening", "same.opening"]);
    run(desk.path(), &words).refused(
        2,
        &[
            "same.opening: venue \"perphouse\", account ",
            ": this account is given already, by hedge.opening",
        ],
    );
    words.truncate(words.len() - 2);
    words.extend(["--opening", "hedge.opening"]);
    run(desk.path(), &words).refused(2, &["this account is given already, by hedge.opening"]);
}

#[test]
fn openings_and_attestations_that_are_not_as_many_are_counted() {
    let desk = desk();
    let mut words = desk.prove(&[("options.attestation", "options.opening")], "none.bundle");
    words.extend(["--attestation", "hedge.attestation"]);
    run(desk.path(), &words).refused(2, &["2 attestations and 1 opening: give one --opening"]);
}

#[test]
fn universe_with_a_key_that_cannot_sign_is_refused_wherever_it_is_read() {
    let desk = desk();
    // Nothing; the identity; the identity in a second encoding.
    let second = format!("ee{}7f", "ff".repeat(30));
    for key in ["00".repeat(32), format!("01{}", "00".repeat(31)), second] {
        let mut universe = read(&desk.path().join("universe.json"));
        universe["venues"][1]["keys"][0] = json!(key);
        desk.write("unusable.json", &universe.to_string());
        let parts = [
            "unusable.json",
            "venue \"perphouse\"",
            key.as_str(),
            "no usable Ed25519 public key",
        ];
        let margin = [
            "margin",
            "--universe",
            "unusable.json",
            "--snapshot",
            "snapshot.json",
            "--model",
            "paradex-pm",
            "--account",
            "hedge-account.json",
        ];
        run(desk.path(), &margin).refused(2, &parts);
        run(desk.path(), &["inspect", "unusable.json"]).refused(2, &parts);
    }
}

#[test]
fn negative_amounts_are_refused_with_their_bounds() {
    let desk = desk();
    let margin = |more: [&str; 2]| {
        let words = [
            "margin",
            "--universe",
            "universe.json",
            "--snapshot",
            "snapshot.json",
            "--model",
            "paradex-pm",
            "--account",
            "hedge-account.json",
        ];
        run(desk.path(), &words.into_iter().chain(more).collect::<Vec<_>>())
    };
    margin(["--ratio", "-1.05"]).refused(2, &["`-1.05` is not a ratio: 1.00 to 100.00"]);
    margin(["--excess", "-5"]).refused(2, &["`-5` is not a number of whole units: 0 to 18446744073709551615"]);
    margin(["--deposit", "-2.5 USDC"]).refused(2, &["--deposit", "-2.5", "above 0"]);
    margin(["--deposit", "-2.5 perphouse:USDC"]).refused(2, &["--deposit", "-2.5", "above 0"]);
    margin(["--order", "-5 BTC-PERPETUAL"]).refused(2, &["--order", "`-5 BTC-PERPETUAL` is not an order"]);
}
