//! `zkmargin-verify` on real bundles: accepted once, refused in every other way, with the exit code that says why.

use std::fs;
use std::process::Command;

use serde_json::{Value, json};

use crate::stage::{AT, STAGE, binary, said};

#[test]
fn bundle_is_accepted_and_the_verdict_says_what_is_not_proven() {
    let (code, text) = said(&STAGE.verify(&STAGE.read("margin.bundle"), &[]));
    assert_eq!(code, 0, "{text}");
    assert!(text.contains("VALID at 2026-08-06T12:01:00Z"), "{text}");
    assert!(text.contains("NOT PROVEN"), "{text}");
}

#[test]
fn bundle_with_any_byte_changed_is_refused() {
    let bundle = STAGE.read("margin.bundle");
    for at in (0..bundle.len()).step_by(101) {
        let mut changed = bundle.clone();
        changed[at] ^= 1 << (at % 8);
        let (code, text) = said(&STAGE.verify(&changed, &[]));
        assert!((1..=3).contains(&code), "byte {at}: exit code {code}: {text}");
    }
}

#[test]
fn bundle_of_another_length_is_refused() {
    let bundle = STAGE.read("margin.bundle");
    for length in [0, 1, bundle.len() / 2, bundle.len() - 1] {
        assert_eq!(said(&STAGE.verify(&bundle[..length], &[])).0, 2, "{length} bytes");
    }
    assert_eq!(said(&STAGE.verify(&[&bundle[..], &[0]].concat(), &[])).0, 2);
}

#[test]
fn verdict_depends_on_every_instant() {
    let bundle = STAGE.read("margin.bundle");
    // Signed at 12:01, good for 30 minutes; the policy takes snapshots and attestations of 10 minutes.
    for (at, code) in [
        ("2026-08-06T12:00:59.999Z", 3),
        ("2026-08-06T12:01:00Z", 0),
        ("2026-08-06T12:10:00Z", 0),
        ("2026-08-06T12:10:00.001Z", 3),
        ("2026-08-06T12:31:00.001Z", 3),
        ("2027-08-06T12:01:00Z", 3),
    ] {
        let (found, text) = said(&STAGE.verify(&bundle, &[("--at", at)]));
        assert_eq!(found, code, "{at}: {text}");
    }
}

#[test]
fn nonce_must_be_the_partners_own() {
    let bundle = STAGE.read("margin.bundle");
    let other = "00".repeat(32);
    let (code, text) = said(&STAGE.verify(&bundle, &[("--nonce", &other)]));
    assert_eq!(code, 3, "{text}");
    assert_eq!(said(&STAGE.verify(&bundle, &[("--nonce", "00")])).0, 2);
}

#[test]
fn policy_that_asks_for_more_refuses() {
    let bundle = STAGE.read("margin.bundle");
    let own: Value = serde_json::from_slice(&STAGE.read("policy.json")).unwrap();
    let stranger = "11".repeat(32);
    let changes = [
        ("level", json!("initial")),
        ("ratio", json!("1.10")),
        ("excess", json!("1001")),
        ("books", json!(["another-line"])),
        ("universes", json!([stranger])),
        ("models", json!([stranger])),
        ("snapshots", json!([stranger])),
        ("network", json!("main")),
        ("required_venues", json!(["optionhouse", "perphouse", "thirdhouse"])),
        ("max_snapshot_age", json!("59s")),
        ("max_attestation_age", json!("59s")),
    ];
    let file = STAGE.path("other-policy.json");
    for (field, value) in changes {
        let mut policy = own.clone();
        assert_ne!(policy[field], value);
        policy[field] = value;
        fs::write(&file, policy.to_string()).unwrap();
        // Some time after everything was signed, so that ages are not zero; the demonstration's own policy still accepts.
        let changes = [("--policy", "other-policy.json"), ("--at", "2026-08-06T12:02:30Z")];
        let (code, text) = said(&STAGE.verify(&bundle, &changes));
        // A required venue without a key is a policy that cannot be met: said before anything is verified.
        let expected = if field == "required_venues" { [2, 3] } else { [3, 3] };
        assert!(expected.contains(&code), "{field}: exit code {code}: {text}");
    }
    // A venue's key that the policy does not know, though the universe does.
    let mut policy = own.clone();
    let trader: Value = serde_json::from_slice(&STAGE.read("trader.key")).unwrap();
    policy["venues"]["perphouse"] = json!([trader["public"]]);
    fs::write(&file, policy.to_string()).unwrap();
    let (code, text) = said(&STAGE.verify(&bundle, &[("--policy", "other-policy.json")]));
    assert_eq!(code, 3, "{text}");
    fs::remove_file(&file).unwrap();
}

/// What is proven after a deposit that nobody made is no credit: a policy has to take such statements expressly.
#[test]
fn short_book_with_a_supposed_deposit_is_refused_unless_the_policy_takes_it() {
    let own: Value = serde_json::from_slice(&STAGE.read("policy.json")).unwrap();
    let output = STAGE.path("supposed.bundle");
    let nonce = hex::encode(STAGE.nonce());
    let audience = own["audience"].as_str().unwrap();
    let arguments = [
        "prove --universe universe.json --snapshot snapshot.json --model paradex-pm",
        "--attestation short.attestation --opening short.opening --attestation hedge.attestation --opening hedge.opening",
        "--level maintenance --ratio 1.05 --excess 1000 --book credit-line-7 --subject-key trader.key --valid-for 30m",
    ];
    let mut command = Command::new(binary("zkmargin"));
    command
        .current_dir(STAGE.path(""))
        .args(arguments.iter().flat_map(|part| part.split(' ')));
    command
        .args(["--audience", audience, "--nonce", &nonce, "--at", AT, "-o"])
        .arg(&output);
    command.args(["--deposit", "5 perphouse:BTC"]);
    let proven = command.output().unwrap();
    assert_eq!(said(&proven).0, 0, "{}", said(&proven).1);
    let bundle = fs::read(&output).unwrap();
    let (code, text) = said(&STAGE.verify(&bundle, &[]));
    assert_eq!(code, 3, "{text}");
    assert!(text.contains("holds only after the deposit"), "{text}");
    let mut policy = own;
    policy["hypothetical_deposits"] = json!(true);
    fs::write(STAGE.path("supposing-policy.json"), policy.to_string()).unwrap();
    let (code, text) = said(&STAGE.verify(&bundle, &[("--policy", "supposing-policy.json")]));
    assert_eq!(code, 0, "{text}");
    assert!(text.contains("IF what is supposed below happens"), "{text}");
}

#[test]
fn facts_of_another_hand_are_refused() {
    let bundle = STAGE.read("margin.bundle");
    // One price changed by a cent: the partner's own snapshot is not what was proven.
    let mut snapshot: Value = serde_json::from_slice(&STAGE.read("snapshot.json")).unwrap();
    let index = snapshot["underlyings"]["BTC"]["index"].as_str().unwrap().to_owned();
    snapshot["underlyings"]["BTC"]["index"] = json!("64415.58");
    assert_ne!(index, "64415.58");
    fs::write(STAGE.path("other-snapshot.json"), snapshot.to_string()).unwrap();
    let (code, text) = said(&STAGE.verify(&bundle, &[("--snapshot", "other-snapshot.json")]));
    assert!(code == 1 || code == 2, "exit code {code}: {text}");
    // Another model, not in the policy.
    let (code, text) = said(&STAGE.verify(&bundle, &[("--model", "deribit-pm")]));
    assert_eq!(code, 3, "{text}");
    // Another model, in the policy: the statement is then another one, which nobody signed.
    let mut policy: Value = serde_json::from_slice(&STAGE.read("policy.json")).unwrap();
    let digest = zkmargin_risk::model::Model::preset("deribit-pm")
        .unwrap()
        .digest()
        .to_string();
    policy["models"] = json!([digest]);
    fs::write(STAGE.path("deribit-policy.json"), policy.to_string()).unwrap();
    let changes = [("--model", "deribit-pm"), ("--policy", "deribit-policy.json")];
    let (code, text) = said(&STAGE.verify(&bundle, &changes));
    assert_eq!(code, 1, "{text}");
}
