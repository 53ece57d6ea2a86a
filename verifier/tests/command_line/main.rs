//! `zkmargin-verify` as a process: exit codes, what it prints, and that it leaves nothing behind.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod library;
mod partner;

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use serde_json::{Value, json};
use zkmargin_circuits::{Blind, Opening, PROTOCOL_VERSION, Parameters, commit, prove};
use zkmargin_risk::canonical::Digest;
use zkmargin_risk::history::History;
use zkmargin_risk::instant::Instant;
use zkmargin_risk::market::Snapshot;
use zkmargin_risk::model::Model;
use zkmargin_risk::terms::{Level, Terms};
use zkmargin_risk::universe::{Network, Universe};
use zkmargin_verifier::attestation::{Attestation, PseudonymSecret};
use zkmargin_verifier::book::Book;
use zkmargin_verifier::{
    Bundle, Context, ProofHash, PublicKey, SignedStatement, SigningKey, Statement, SubjectSignature, Window,
};

const EPOCH: &str = "2026-08-06T12:00:00Z";
const NOW: &str = "2026-08-06T12:01:00Z";
const NO_PROOF: &[u8] = b"no proof";

fn key(byte: u8) -> SigningKey {
    SigningKey::from_bytes(&[byte; 32])
}

fn public(byte: u8) -> PublicKey {
    PublicKey::of(&key(byte))
}

/// A folder with a partner's files and a bundle whose proof is none, but everything else good.
struct Folder(tempfile::TempDir);

impl Folder {
    fn new() -> Folder {
        let folder = Folder(tempfile::tempdir().unwrap());
        let asset = |name: &str| json!({ "asset": { "name": name, "lot": "0.00000001", "reserve": true } });
        folder.write(
            "universe.json",
            &json!({ "network": "test", "k": 6, "venues": [
            { "name": "alpha", "keys": [public(1).to_string()], "lines": [asset("BTC"), asset("USDC")] },
        ] }),
        );
        folder.write("snapshot.json", &json!({
            "instant": EPOCH,
            "provenance": {
                "source": "made up", "licence": "CC0", "importer": "none", "recorded": [], "derived": [], "assumed": [], "warnings": 0,
            },
            "assets": { "BTC": "65000", "ETH": "1900", "USDC": "1" },
            "underlyings": { "BTC": { "index": "65000", "rate": "0" }, "ETH": { "index": "1900", "rate": "0" } },
        }));
        folder.write(
            "policy.json",
            &json!({
                "network": "test",
                "audience": public(3).to_string(),
                "books": ["line-1"],
                "universes": [folder.universe().digest().to_string()],
                "venues": { "alpha": [public(1).to_string()] },
                "required_venues": ["alpha"],
                "subject_groups": [],
                "all_accounts": true,
                "held": false,
                "hypothetical_orders": true,
                "hypothetical_deposits": true,
                "models": [Model::preset("paradex-pm").unwrap().digest().to_string()],
                "snapshots": "given",
                "level": "initial",
                "ratio": "1",
                "excess": "0",
                "max_snapshot_age": "10m",
                "max_attestation_age": "10m",
                "nonce": "required",
            }),
        );
        fs::write(folder.path("bundle"), folder.bundle()).unwrap();
        folder
    }

    fn path(&self, name: &str) -> std::path::PathBuf {
        self.0.path().join(name)
    }

    fn write(&self, name: &str, value: &Value) {
        fs::write(self.path(name), value.to_string()).unwrap();
    }

    fn universe(&self) -> Universe {
        Universe::from_json(&fs::read_to_string(self.path("universe.json")).unwrap()).unwrap()
    }

    fn bundle(&self) -> Vec<u8> {
        self.bundle_of(&Model::preset("paradex-pm").unwrap())
    }

    fn bundle_of(&self, model: &Model) -> Vec<u8> {
        self.make_bundle(model, "account", None, false)
    }

    /// A bundle about this account, with a proof, for a statement that takes the place of another, if any; and its statement digest.
    fn proven(&self, account: &str, replaces: Option<Digest>) -> (Vec<u8>, Digest) {
        let model = Model::preset("paradex-pm").unwrap();
        let bundle = self.make_bundle(&model, account, replaces, true);
        let statement = Bundle::from_bytes(&bundle).unwrap().statements.remove(0).statement;
        let (universe, parameters) = (self.universe(), Parameters::load(6, None).unwrap());
        let snapshot = self.snapshot();
        let context = Context {
            universe: &universe,
            snapshot: &snapshot,
            later: None,
            model: &model,
            parameters: &parameters,
        };
        let digest = context.prepare(&[&statement]).unwrap()[0].digest;
        (bundle, digest)
    }

    fn snapshot(&self) -> Snapshot {
        Snapshot::from_json(&fs::read_to_string(self.path("snapshot.json")).unwrap()).unwrap()
    }

    fn make_bundle(&self, model: &Model, account: &str, replaces: Option<Digest>, is_proven: bool) -> Vec<u8> {
        let instant = |text: &str| text.parse::<Instant>().unwrap();
        let (universe, parameters) = (self.universe(), Parameters::load(6, None).unwrap());
        let snapshot = self.snapshot();
        let blind = Blind::random().unwrap();
        let book = Book::new("line-1").unwrap();
        let attestation = Attestation {
            protocol: PROTOCOL_VERSION,
            network: Network::Test,
            universe: universe.digest(),
            k: 6,
            venue: "alpha".to_owned(),
            subject: public(2),
            account: PseudonymSecret::from_bytes([9; 32]).pseudonym(account, &public(3)),
            accounts: 1,
            epoch: instant(EPOCH),
            time: instant(EPOCH),
            expiry: instant("2026-08-06T13:00:00Z"),
            audience: public(3),
            book: book.clone(),
            held: false,
            points: vec![commit(&parameters, &[500_000_000], &blind).unwrap()],
        };
        let statement = Statement {
            terms: Terms::at(Level::Initial),
            audience: public(3),
            book,
            nonce: [7; 32],
            window: Window {
                from: instant(NOW),
                until: instant("2026-08-06T13:00:00Z"),
            },
            replaces,
            attestations: vec![attestation.sign(&key(1))],
        };
        let context = Context {
            universe: &universe,
            snapshot: &snapshot,
            later: None,
            model,
            parameters: &parameters,
        };
        let prepared = context.prepare(&[&statement]).unwrap().remove(0);
        let proof = if is_proven {
            let mut lots = vec![0; universe.layout().slots()];
            lots[0] = 500_000_000;
            prove(&parameters, &[prepared.claim()], &[Opening::new(lots, vec![blind])]).unwrap()
        } else {
            NO_PROOF.to_vec()
        };
        let signature = SubjectSignature::sign(&key(2), prepared.digest, ProofHash::of(&proof));
        let signatures = vec![signature];
        Bundle {
            statements: vec![SignedStatement { statement, signatures }],
            proof,
        }
        .to_bytes()
    }

    fn verify(&self, more: &[&str]) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_zkmargin-verify"));
        command.current_dir(self.0.path()).args([
            "--policy",
            "policy.json",
            "--universe",
            "universe.json",
            "--snapshot",
            "snapshot.json",
            "--model",
            "paradex-pm",
            "bundle",
        ]);
        command
            .env("XDG_CACHE_HOME", self.path("cache"))
            .args(more)
            .output()
            .unwrap()
    }

    /// Verifies at [`NOW`] with the nonce that the statement carries.
    fn verify_now(&self, more: &[&str]) -> Output {
        self.verify(&[&["--at", NOW, "--nonce", &"07".repeat(32)], more].concat())
    }

    fn files(&self) -> Vec<String> {
        let mut names: Vec<String> = fs::read_dir(self.0.path())
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }
}

#[track_caller]
fn assert_refused(output: &Output, code: i32, part: &str) {
    let error = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(code), "{error}");
    assert!(error.contains(part), "{part:?} is not in {error}");
    assert!(!error.contains("panicked"), "{error}");
}

#[test]
fn nonce_is_32_random_bytes() {
    let draw = || {
        Command::new(env!("CARGO_BIN_EXE_zkmargin-verify"))
            .arg("nonce")
            .output()
            .unwrap()
    };
    let (first, second) = (draw(), draw());
    assert!(first.status.success());
    let text = String::from_utf8(first.stdout.clone()).unwrap();
    assert_eq!(text.trim_end().len(), 64);
    assert!(text.trim_end().bytes().all(|byte| byte.is_ascii_hexdigit()));
    assert_ne!(first.stdout, second.stdout);
}

#[test]
fn usage_errors_exit_with_2_and_help_with_0() {
    let run = |args: &[&str]| {
        Command::new(env!("CARGO_BIN_EXE_zkmargin-verify"))
            .args(args)
            .output()
            .unwrap()
            .status
            .code()
    };
    assert_eq!(run(&[]), Some(2));
    assert_eq!(run(&["--policy", "p", "proof"]), Some(2));
    assert_eq!(run(&["nonce", "extra"]), Some(2));
    assert_eq!(run(&["--help"]), Some(0));
    assert_eq!(run(&["--version"]), Some(0));
    let folder = Folder::new();
    assert_eq!(folder.verify(&["--nonce", "07"]).status.code(), Some(2));
    assert_eq!(folder.verify(&["--at", "yesterday"]).status.code(), Some(2));
    assert_eq!(folder.verify(&["--cache", "x", "--no-cache"]).status.code(), Some(2));
}

#[test]
fn bundle_without_a_proof_is_refused_with_1_and_the_instant_is_named() {
    let folder = Folder::new();
    let output = folder.verify_now(&[]);
    assert_refused(&output, 1, "refused at 2026-08-06T12:01:00Z");
    assert!(output.stdout.is_empty());
}

#[test]
fn nothing_is_written_but_the_parameter_cache() {
    let folder = Folder::new();
    let before = folder.files();
    folder.verify_now(&["--no-cache"]);
    assert_eq!(folder.files(), before);
    folder.verify_now(&[]);
    let with_cache: Vec<String> = ["bundle", "cache", "policy.json", "snapshot.json", "universe.json"]
        .map(str::to_owned)
        .to_vec();
    assert_eq!(folder.files(), with_cache);
    assert_eq!(fs::read_dir(folder.path("cache/zkmargin")).unwrap().count(), 1);
}

#[test]
fn cache_that_cannot_be_written_is_no_error() {
    let folder = Folder::new();
    fs::write(folder.path("file"), "in the way").unwrap();
    assert_refused(&folder.verify_now(&["--cache", "file"]), 1, "the proof ends at byte 0");
}

#[test]
fn policy_refusals_exit_with_3() {
    let folder = Folder::new();
    assert_refused(
        &folder.verify(&["--at", NOW, "--nonce", &"08".repeat(32)]),
        3,
        "carries nonce 0707",
    );
    let late = ["--at", "2026-08-06T12:30:00Z", "--nonce", &"07".repeat(32)];
    assert_refused(&folder.verify(&late), 3, "more than 10m ago");
    // Without --at it is the system's clock that counts; the snapshot is of a day in August 2026.
    assert_eq!(folder.verify(&["--nonce", &"07".repeat(32)]).status.code(), Some(3));
    let mut policy: Value = serde_json::from_slice(&fs::read(folder.path("policy.json")).unwrap()).unwrap();
    policy["audience"] = json!(public(4).to_string());
    folder.write("policy.json", &policy);
    assert_refused(&folder.verify_now(&[]), 3, "made to audience");
}

#[test]
fn required_nonce_that_is_not_given_is_a_usage_error() {
    assert_refused(
        &Folder::new().verify(&["--at", NOW]),
        2,
        "--nonce: the policy requires a nonce: give the one that was drawn for this statement",
    );
}

#[test]
fn json_says_the_same_as_the_exit_code() {
    let output = Folder::new().verify_now(&["--json"]);
    let value: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((&value["valid"], &value["exit"]), (&json!(false), &json!(1)));
    assert!(value["error"].as_str().unwrap().contains("the proof ends at byte 0"));
    assert_eq!(output.status.code(), Some(1));
}

#[test]
fn empty_file_is_called_empty() {
    for name in ["policy.json", "universe.json", "snapshot.json", "bundle"] {
        let folder = Folder::new();
        fs::write(folder.path(name), "").unwrap();
        let said = format!("zkmargin-verify: {name}: the file is empty\n");
        assert_refused(&folder.verify_now(&[]), 2, &said);
    }
    let folder = Folder::new();
    fs::write(folder.path("empty"), "").unwrap();
    for flag in ["--later", "--history", "--snapshot-signature"] {
        assert_refused(&folder.verify_now(&[flag, "empty"]), 2, "empty: the file is empty\n");
    }
}

#[test]
fn malformed_missing_and_oversized_files_exit_with_2_and_are_named() {
    for name in ["policy.json", "universe.json", "snapshot.json", "bundle"] {
        let folder = Folder::new();
        let path = folder.path(name);
        let whole = fs::read(&path).unwrap();
        for bytes in [
            &b""[..],
            &whole[..whole.len() - 1],
            b"\xff\xfe",
            b"{}",
            b"null",
            b"[[[[[[[[",
        ] {
            fs::write(&path, bytes).unwrap();
            assert_refused(&folder.verify_now(&[]), 2, name);
        }
        fs::remove_file(&path).unwrap();
        assert_refused(&folder.verify_now(&[]), 2, name);
        // A sparse file that is larger than any of its kind may be.
        fs::File::create(&path).unwrap().set_len(1 << 40).unwrap();
        assert_refused(&folder.verify_now(&[]), 2, "is larger than");
    }
}

#[test]
fn model_is_a_preset_or_a_file() {
    let folder = Folder::new();
    let with = |model: &str| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_zkmargin-verify"));
        let files = [
            "--policy",
            "policy.json",
            "--universe",
            "universe.json",
            "--snapshot",
            "snapshot.json",
            "bundle",
            "--no-cache",
        ];
        let nonce = "07".repeat(32);
        command
            .current_dir(folder.0.path())
            .args(files)
            .args(["--at", NOW, "--nonce", &nonce, "--model", model])
            .output()
            .unwrap()
    };
    assert_refused(&with("paradex-pm"), 1, "the proof ends");
    assert_refused(&with("deribit-pm"), 3, "model");
    assert_refused(&with("no-such-model"), 2, "no-such-model");
    let preset = zkmargin_risk::model::PRESETS
        .iter()
        .find(|(name, _)| *name == "paradex-pm")
        .unwrap()
        .1;
    fs::write(folder.path("model.json"), preset).unwrap();
    assert_refused(&with("model.json"), 1, "the proof ends");
    fs::write(folder.path("model.json"), preset.replacen("\"name\"", "\"nome\"", 1)).unwrap();
    assert_refused(&with("model.json"), 2, "model.json");
    assert!(Path::new(&folder.path("bundle")).exists());
}

#[test]
fn a_model_that_looks_back_is_verified_with_the_history_that_it_names_alone() {
    let folder = Folder::new();
    let history = |last: &str| {
        let day = |btc: &str| json!({ "BTC": { "close": btc } });
        json!({
            "provenance": { "source": "", "licence": "", "importer": "", "recorded": [], "derived": [], "assumed": [] },
            "days": { "2026-08-04": day("64000"), "2026-08-05": day("60000"), "2026-08-06": day(last) },
        })
    };
    folder.write("history.json", &history("61000"));
    folder.write("other.json", &history("61000.5"));
    let digest = History::from_json(&history("61000").to_string()).unwrap().digest();
    let level = json!({ "confidence": "0.9", "factor": "1" });
    let file = json!({
        "model": "historical", "name": "looks-back", "description": "", "numeraire": "USD", "history": digest, "window": "whole",
        "measure": "expected-shortfall", "levels": { "initial": level, "maintenance": level }, "volatility": "unchanged",
        "collateral_in_scenarios": true, "assets": { "USDC": { "haircut": "0" }, "BTC": { "haircut": "0", "underlying": "BTC" } },
        "underlyings": { "BTC": {} },
    });
    folder.write("model.json", &file);
    let model = Model::from_json(&file.to_string()).unwrap();
    let mut policy: Value = serde_json::from_str(&fs::read_to_string(folder.path("policy.json")).unwrap()).unwrap();
    policy["models"] = json!([model.digest()]);
    folder.write("policy.json", &policy);
    let attached = model
        .with_history(History::from_json(&history("61000").to_string()).unwrap())
        .unwrap();
    fs::write(folder.path("bundle"), folder.bundle_of(&attached)).unwrap();
    let with = |model: &str, more: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_zkmargin-verify"));
        command
            .current_dir(folder.0.path())
            .args(["--policy", "policy.json", "--universe", "universe.json"]);
        command.args([
            "--snapshot",
            "snapshot.json",
            "bundle",
            "--no-cache",
            "--at",
            NOW,
            "--nonce",
            &"07".repeat(32),
        ]);
        command.args(["--model", model]).args(more).output().unwrap()
    };
    assert_refused(&with("model.json", &["--history", "history.json"]), 1, "the proof ends");
    let needs = format!("--history: looks-back needs the price history {digest}");
    assert_refused(&with("model.json", &[]), 2, &needs);
    let other = format!("other.json: the model needs the price history {digest}, this is");
    assert_refused(&with("model.json", &["--history", "other.json"]), 2, &other);
    assert_refused(
        &with("model.json", &["--history", "snapshot.json"]),
        2,
        "snapshot.json: history: ",
    );
    assert_refused(
        &with("paradex-pm", &["--history", "history.json"]),
        2,
        "paradex-pm needs no price history",
    );
}

#[test]
fn each_cause_is_said_once_and_statements_count_from_1() {
    let folder = Folder::new();
    let refused = folder.verify(&["--at", NOW, "--nonce", &"08".repeat(32)]);
    assert_refused(&refused, 3, "statement 1 carries nonce");
    let said = |output: &Output| String::from_utf8(output.stderr.clone()).unwrap();
    let text = fs::read_to_string(folder.path("snapshot.json")).unwrap();
    fs::write(folder.path("snapshot.json"), &text[..text.len() - 1]).unwrap();
    let cut = folder.verify_now(&[]);
    assert_eq!(said(&cut).matches("EOF").count(), 1, "{}", said(&cut));
    let data: Value = serde_json::from_slice(&folder.verify_now(&["--json"]).stdout).unwrap();
    assert_eq!(data["error"].as_str().unwrap().matches("EOF").count(), 1, "{data}");
}

#[test]
fn signers_are_named_by_their_keys() {
    let folder = Folder::new();
    let mut bundle = Bundle::from_bytes(&fs::read(folder.path("bundle")).unwrap()).unwrap();
    bundle.statements[0].signatures.clear();
    fs::write(folder.path("bundle"), bundle.to_bytes()).unwrap();
    let expected = format!("statement 1 is signed by nobody, its subjects are {}\n", public(2));
    assert_refused(&folder.verify_now(&[]), 1, &expected);
}

#[test]
fn universe_with_a_key_that_cannot_sign_is_refused() {
    let folder = Folder::new();
    let mut universe: Value = serde_json::from_slice(&fs::read(folder.path("universe.json")).unwrap()).unwrap();
    universe["venues"][0]["keys"][0] = json!("00".repeat(32));
    folder.write("universe.json", &universe);
    let refused = folder.verify_now(&[]);
    assert_refused(&refused, 2, "universe.json: venue \"alpha\": 0000");
    assert_refused(&refused, 2, "no usable Ed25519 public key");
}

#[test]
fn policy_with_a_group_of_nobody_is_refused() {
    let folder = Folder::new();
    let mut policy: Value = serde_json::from_slice(&fs::read(folder.path("policy.json")).unwrap()).unwrap();
    policy["subject_groups"] = json!([[]]);
    folder.write("policy.json", &policy);
    assert_refused(
        &folder.verify_now(&[]),
        2,
        "policy.json: policy: subject_groups: group 1 of 1 is empty",
    );
}

#[cfg(unix)]
#[test]
fn pipes_are_not_waited_for_and_lost_answers_are_not_silent() {
    let folder = Folder::new();
    fs::remove_file(folder.path("bundle")).unwrap();
    let made = Command::new("mkfifo").arg(folder.path("bundle")).status().unwrap();
    assert!(made.success());
    assert_refused(&folder.verify_now(&[]), 2, "bundle is a pipe, expected a plain file");

    let nonce = || {
        let mut command = Command::new(env!("CARGO_BIN_EXE_zkmargin-verify"));
        command.arg("nonce");
        command
    };
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let closed = nonce().stdout(writer).output().unwrap();
    assert_eq!((closed.status.code(), closed.stderr.len()), (Some(141), 0));
    if let Ok(full) = fs::File::options().write(true).open("/dev/full") {
        assert_refused(
            &nonce().stdout(full).output().unwrap(),
            2,
            "cannot write to standard output",
        );
    }
}
