//! A partner's registry from both tools: what was released stays given back, and a clock that is set back revives nothing.

use std::fs;
use std::process::{Command, Output};

use serde_json::{Value, json};

use crate::stage::{STAGE, binary, said};

/// A registry of its own, and policies with more than the demonstration's.
struct Partner {
    folder: tempfile::TempDir,
}

impl Partner {
    fn new() -> Partner {
        let partner = Partner {
            folder: tempfile::tempdir().unwrap(),
        };
        partner.policy("policy.json", |_| ());
        partner.ok(
            "zkmargin-verify",
            "registry create --registry registry.db --policy policy.json",
        );
        partner
    }

    /// Writes the demonstration's policy with `calls` and a change.
    fn policy(&self, name: &str, change: impl FnOnce(&mut Value)) {
        let mut policy: Value = serde_json::from_slice(&STAGE.read("policy.json")).unwrap();
        policy["calls"] = json!({ "notice": "1m", "grace": "5m" });
        policy["nonce"] = json!("waived");
        change(&mut policy);
        fs::write(self.folder.path().join(name), policy.to_string()).unwrap();
    }

    /// Runs a tool in the partner's folder; `@NAME` is a file of the demonstration.
    fn run(&self, tool: &str, words: &str) -> Output {
        let mut command = Command::new(binary(tool));
        command
            .current_dir(self.folder.path())
            .env("XDG_CACHE_HOME", STAGE.path("cache"));
        for word in words.split_whitespace() {
            match word.strip_prefix('@') {
                Some(name) => command.arg(STAGE.path(name)),
                None => command.arg(word),
            };
        }
        command.output().unwrap()
    }

    fn ok(&self, tool: &str, words: &str) -> String {
        let (code, text) = said(&self.run(tool, words));
        assert_eq!(code, 0, "{words}: {text}");
        text
    }

    fn verify(&self, bundle: &str, policy: &str, at: &str) -> (i32, String) {
        let facts = "--universe @universe.json --snapshot @snapshot.json --model paradex-pm --registry registry.db";
        said(&self.run(
            "zkmargin-verify",
            &format!("--policy {policy} {facts} --at {at} {bundle}"),
        ))
    }

    /// Another proof of the demonstration's two accounts, which takes the place of the demonstration's own.
    fn prove_again(&self, out: &str) {
        let policy: Value = serde_json::from_slice(&STAGE.read("policy.json")).unwrap();
        let (audience, book) = (
            policy["audience"].as_str().unwrap(),
            policy["books"][0].as_str().unwrap(),
        );
        let lines = self.ok(
            "zkmargin-verify",
            "registry export --registry registry.db --format jsonl --at 2026-08-06T12:59:00Z",
        );
        let accepted: Value = serde_json::from_str(lines.lines().next().unwrap()).unwrap();
        let replaces = accepted["statement"]["digest"].as_str().unwrap();
        self.ok(
            "zkmargin",
            &format!(
                "prove --universe @universe.json --snapshot @snapshot.json --model paradex-pm --attestation @options.attestation \
                 --opening @options.opening --attestation @hedge.attestation --opening @hedge.opening --subject-key @trader.key \
                 --audience {audience} --book {book} --ratio 1.05 --excess 1000 --replaces {replaces} \
                 --window 2026-08-06T12:01:00Z/2026-08-06T12:20:00Z --at 2026-08-06T12:01:00Z -o {out}"
            ),
        );
    }
}

#[test]
fn what_the_partner_released_it_accepts_no_more_and_the_statement_ends() {
    let partner = Partner::new();
    let (code, text) = partner.verify("@margin.bundle", "policy.json", "2026-08-06T12:02:00Z");
    assert_eq!(code, 0, "{text}");
    partner.ok(
        "zkmargin",
        "release --key @partner.key --attestation @options.attestation --at 2026-08-06T12:04:00Z -o options.release",
    );
    let recorded = "registry release --registry registry.db options.release --at 2026-08-06T12:04:00Z";
    assert!(
        partner
            .ok("zkmargin-verify", recorded)
            .contains("given back from 2026-08-06T12:04:00Z")
    );
    let standings = |at: &str| {
        let text = partner.ok(
            "zkmargin-verify",
            &format!("registry accounts --registry registry.db --json --at {at}"),
        );
        let answer: Value = serde_json::from_str(&text).unwrap();
        let accounts = answer["accounts"].as_array().unwrap().clone();
        let one = |account: &Value| {
            format!(
                "{} {}",
                account["venue"].as_str().unwrap(),
                account["standing"].as_str().unwrap()
            )
        };
        accounts.iter().map(one).collect::<Vec<_>>()
    };
    assert_eq!(
        standings("2026-08-06T12:03:00Z"),
        ["optionhouse current", "perphouse current"]
    );
    assert_eq!(
        standings("2026-08-06T12:04:00Z"),
        ["optionhouse released", "perphouse called"]
    );
    // A good proof of the same accounts, that takes the place of the old one, rests on what was given back.
    partner.prove_again("again.bundle");
    let (code, text) = partner.verify("again.bundle", "policy.json", "2026-08-06T12:05:00Z");
    assert!(
        code == 3 && text.contains("given back at 2026-08-06T12:04:00Z"),
        "{code}: {text}"
    );
}

#[test]
fn clock_that_is_set_back_behind_the_registry_revives_no_revoked_key() {
    let partner = Partner::new();
    let (code, text) = partner.verify("@margin.bundle", "policy.json", "2026-08-06T12:03:00Z");
    assert_eq!(code, 0, "{text}");
    partner.prove_again("again.bundle");
    partner.policy("revoked.json", |policy| {
        let key = policy["venues"]["perphouse"][0].clone();
        policy["venues"]["perphouse"] = json!([{ "key": key, "revoked": "2026-08-06T12:02:00Z" }]);
    });
    // By the clock of the machine the key is good; by the registry's, it was revoked a minute ago.
    let (code, text) = partner.verify("again.bundle", "revoked.json", "2026-08-06T12:01:30Z");
    assert!(
        code == 3 && text.contains("revoked at 2026-08-06T12:02:00Z"),
        "{code}: {text}"
    );
    assert!(text.contains("refused at 2026-08-06T12:03:00Z"), "{text}");
    // Where no key is revoked, it is accepted at the registry's clock.
    let (code, text) = partner.verify("again.bundle", "policy.json", "2026-08-06T12:01:30Z");
    assert_eq!(code, 0, "{text}");
    assert!(
        text.contains("Verified at 2026-08-06T12:03:00Z, the registry's clock, which is ahead."),
        "{text}"
    );
}
