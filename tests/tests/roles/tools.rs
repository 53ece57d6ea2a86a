//! `zkmargin-verify` on real bundles: accepted once, refused in every other way, with the exit code that says why.

use std::fs;
use std::process::Command;

use serde_json::{Value, json};
use zkmargin_risk::market::Snapshot;
use zkmargin_risk::model::Model;
use zkmargin_verifier::{Context, ProofHash, SignedAttestation, SignedStatement, SubjectSignature};

use crate::facts::refused;
use crate::stage::{AT, STAGE, binary, context, said};

#[test]
fn bundle_is_accepted_and_the_verdict_says_what_is_not_proven() {
    let (code, text) = said(&STAGE.verify(&STAGE.read("margin.bundle"), &[]));
    assert_eq!(code, 0, "{text}");
    assert!(text.contains("VALID at 2026-08-06T12:01:00Z"), "{text}");
    assert!(text.contains("NOT PROVEN"), "{text}");
}

/// A part of a bundle: its bytes, and how a bundle is refused in which they are others.
struct Part {
    bytes: Vec<u8>,
    code: i32,
    because: String,
}

fn part(bytes: &[u8], code: i32, because: &str) -> Part {
    let (bytes, because) = (bytes.to_vec(), because.to_owned());
    Part { bytes, code, because }
}

/// What of an attestation stands in a bundle, in its order.
fn parts_of(signed: &SignedAttestation) -> Vec<Part> {
    let content = signed.content();
    let not_signed = format!("the signature is not one of key {} over", signed.key());
    vec![
        part(&content.universe.0, 3, "attested for universe"),
        part(content.venue.as_bytes(), 3, "the universe has no such venue"),
        part(content.subject.as_bytes(), 3, "no group of the policy has together"),
        part(&content.account.0, 1, &not_signed),
        part(content.audience.as_bytes(), 3, "made for audience"),
        part(content.book.as_str().as_bytes(), 3, "made for book"),
        part(
            signed.key().as_bytes(),
            3,
            "the universe does not give this venue the key",
        ),
        part(signed.signature(), 1, &not_signed),
    ]
}

#[test]
fn bundle_with_any_part_changed_is_refused_for_that_part() {
    let bytes = STAGE.read("margin.bundle");
    let bundle = STAGE.bundle();
    let SignedStatement { statement, signatures } = &bundle.statements[0];
    let not_signed = format!(
        "statement 1: the signature is not one of key {} over",
        signatures[0].subject
    );
    let mut parts = vec![
        part(b"zkmargin-bundle", 2, "not a zkmargin-bundle file"),
        part(statement.audience.as_bytes(), 3, "made for audience"),
        part(statement.book.as_str().as_bytes(), 3, "made for book"),
        part(&statement.nonce, 3, "statement 1 carries nonce"),
    ];
    parts.extend(statement.attestations.iter().flat_map(parts_of));
    parts.extend([
        part(signatures[0].subject.as_bytes(), 1, "statement 1 is signed by"),
        part(&signatures[0].signature, 1, &not_signed),
        part(&bundle.proof, 1, &not_signed),
    ]);
    let changed_at = |at: usize| {
        let mut changed = bytes.clone();
        changed[at] ^= 1;
        said(&STAGE.verify(&changed, &[]))
    };
    let mut from = 0;
    for part in parts {
        let mut places = bytes[from..].windows(part.bytes.len());
        let place = places.position(|window| window == part.bytes);
        let start = from + place.expect("every part, in its order");
        from = start + part.bytes.len();
        for at in (start..from).step_by(101).chain([from - 1]) {
            refused(changed_at(at), part.code, &part.because);
        }
        // The byte before it says how long it is, or begins to.
        if part.bytes.len() == 32 {
            refused(changed_at(start - 1), 2, "has length 33, expected 32");
        }
    }
    assert_eq!(from, bytes.len(), "the proof is the last part");
}

#[test]
fn bundle_of_another_length_is_refused() {
    let bundle = STAGE.read("margin.bundle");
    let ends_inside = "expected proof: end of input bytes";
    for (length, because) in [
        (0, "the file is empty"),
        (1, "not one of our binary files: byte 1: "),
        (bundle.len() / 2, ends_inside),
        (bundle.len() - 1, ends_inside),
    ] {
        refused(said(&STAGE.verify(&bundle[..length], &[])), 2, because);
    }
    let longer = [&bundle[..], &[0]].concat();
    refused(
        said(&STAGE.verify(&longer, &[])),
        2,
        "bundle: 1 bytes after the end of the value",
    );
}

#[test]
fn verdict_depends_on_every_instant() {
    let bundle = STAGE.read("margin.bundle");
    let at = |at: &str| said(&STAGE.verify(&bundle, &[("--at", at)]));
    // Signed at 12:01, good for 30 minutes; the policy takes snapshots and attestations of 10 minutes.
    for good in [AT, "2026-08-06T12:10:00Z"] {
        let (code, text) = at(good);
        assert_eq!(code, 0, "{good}: {text}");
    }
    for (bad, because) in [
        (
            "2026-08-06T12:00:59.999Z",
            "signed at 2026-08-06T12:01:00Z, which is after",
        ),
        (
            "2026-08-06T12:10:00.001Z",
            "the snapshot is of 2026-08-06T12:00:00Z, at",
        ),
        ("2026-08-06T12:31:00.001Z", "is not good after 2026-08-06T12:31:00Z"),
        ("2027-08-06T12:01:00Z", "expired at 2026-08-06T13:00:00Z"),
    ] {
        refused(at(bad), 3, because);
    }
}

#[test]
fn nonce_must_be_the_partners_own() {
    let bundle = STAGE.read("margin.bundle");
    let with = |nonce: &str| said(&STAGE.verify(&bundle, &[("--nonce", nonce)]));
    let other = "00".repeat(32);
    refused(
        with(&other),
        3,
        &format!("carries nonce {}, expected {other}", hex::encode(STAGE.nonce())),
    );
    refused(with("00"), 2, "invalid value '00' for '--nonce <NONCE>'");
}

#[test]
fn policy_that_asks_for_more_refuses() {
    let bundle = STAGE.read("margin.bundle");
    let own: Value = serde_json::from_slice(&STAGE.read("policy.json")).unwrap();
    let stranger = "11".repeat(32);
    let with = |policy: &Value| {
        fs::write(STAGE.path("other-policy.json"), policy.to_string()).unwrap();
        // Some time after everything was signed, so that ages are not zero; the demonstration's own policy still accepts.
        let changes = [("--policy", "other-policy.json"), ("--at", "2026-08-06T12:02:30Z")];
        said(&STAGE.verify(&bundle, &changes))
    };
    assert_eq!(with(&own).0, 0);
    let changes = [
        (
            "level",
            json!("initial"),
            "is of level maintenance, the policy demands initial",
        ),
        (
            "ratio",
            json!("1.10"),
            "is of ratio 1.05, the policy demands at least 1.10",
        ),
        (
            "excess",
            json!("1001"),
            "is of excess 1000, the policy demands at least 1001",
        ),
        (
            "books",
            json!(["another-line"]),
            "is for book \"credit-line-7\", which is not one of",
        ),
        ("universes", json!([stranger]), ": universe "),
        ("models", json!([stranger]), ": model "),
        ("snapshots", json!([stranger]), ": snapshot "),
        (
            "network",
            json!("main"),
            "the universe is of network test, the policy is for main",
        ),
        (
            "max_snapshot_age",
            json!("59s"),
            "the snapshot is of 2026-08-06T12:00:00Z",
        ),
        ("max_attestation_age", json!("59s"), "signed at 2026-08-06T12:01:00Z"),
    ];
    for (field, value, because) in changes {
        let mut policy = own.clone();
        assert_ne!(policy[field], value);
        policy[field] = value;
        refused(with(&policy), 3, because);
    }
    // A required venue without a key is a policy that cannot be met: said before anything is verified.
    let mut policy = own.clone();
    policy["required_venues"] = json!(["optionhouse", "perphouse", "thirdhouse"]);
    refused(
        with(&policy),
        2,
        "required_venues has \"thirdhouse\", which is not among venues",
    );
    // A venue's key that the policy does not know, though the universe does.
    let mut policy = own.clone();
    let trader: Value = serde_json::from_slice(&STAGE.read("trader.key")).unwrap();
    policy["venues"]["perphouse"] = json!([trader["public"]]);
    refused(with(&policy), 3, "the policy does not accept the key");
}

/// Has two accounts proven to the demonstration's partner, after an `--order` or a `--deposit`: exit code and words.
pub fn prove_supposing(accounts: [&str; 2], supposed: [&str; 2], out: &str) -> (i32, String) {
    let policy: Value = serde_json::from_slice(&STAGE.read("policy.json")).unwrap();
    let audience = policy["audience"].as_str().unwrap();
    let nonce = hex::encode(STAGE.nonce());
    let [one, two] = accounts.map(|name| format!("--attestation {name}.attestation --opening {name}.opening"));
    let arguments = [
        "prove --universe universe.json --snapshot snapshot.json --model paradex-pm --subject-key trader.key",
        "--level maintenance --ratio 1.05 --excess 1000 --book credit-line-7 --valid-for 30m",
        &format!("{one} {two} --audience {audience} --nonce {nonce} --at {AT} -o {out}"),
    ];
    let mut command = Command::new(binary("zkmargin"));
    command
        .current_dir(STAGE.path(""))
        .args(arguments.iter().flat_map(|part| part.split(' ')));
    said(&command.args(supposed).output().unwrap())
}

/// What is proven after a deposit that nobody made is no credit: a policy has to take such statements expressly.
#[test]
fn short_book_with_a_supposed_deposit_is_refused_unless_the_policy_takes_it() {
    let deposit = ["--deposit", "5 perphouse:BTC"];
    let (code, text) = prove_supposing(["short", "hedge"], deposit, "supposed.bundle");
    assert_eq!(code, 0, "{text}");
    let bundle = STAGE.read("supposed.bundle");
    refused(said(&STAGE.verify(&bundle, &[])), 3, "holds only after the deposit");
    let mut policy: Value = serde_json::from_slice(&STAGE.read("policy.json")).unwrap();
    policy["hypothetical_deposits"] = json!(true);
    fs::write(STAGE.path("supposing-policy.json"), policy.to_string()).unwrap();
    let (code, text) = said(&STAGE.verify(&bundle, &[("--policy", "supposing-policy.json")]));
    assert_eq!(code, 0, "{text}");
    assert!(text.contains("IF what is supposed below happens"), "{text}");
}

#[test]
fn facts_of_another_hand_are_refused() {
    let bundle = STAGE.read("margin.bundle");
    let not_signed = "statement 1: the signature is not one of key";
    // One price changed by a cent, of an asset and of the index that it goes by: the partner's own snapshot is not what was proven.
    let mut snapshot: Value = serde_json::from_slice(&STAGE.read("snapshot.json")).unwrap();
    let index = &mut snapshot["underlyings"]["BTC"]["index"];
    assert_ne!(*index, json!("64415.58"));
    *index = json!("64415.58");
    let with = |snapshot: &Value| {
        fs::write(STAGE.path("other-snapshot.json"), snapshot.to_string()).unwrap();
        said(&STAGE.verify(&bundle, &[("--snapshot", "other-snapshot.json")]))
    };
    refused(with(&snapshot), 2, "but the index of BTC is 64415.58");
    snapshot["assets"]["BTC"] = json!("64415.58");
    refused(with(&snapshot), 1, not_signed);
    // Signed by its trader as a statement about that snapshot, it is not what is proven.
    let other = Snapshot::from_json(&snapshot.to_string()).unwrap();
    let context = Context {
        snapshot: &other,
        ..context()
    };
    let mut again = STAGE.bundle();
    let SignedStatement { statement, signatures } = &mut again.statements[0];
    let digest = context.prepare(&[statement]).unwrap()[0].digest;
    *signatures = vec![SubjectSignature::sign(
        &STAGE.key("trader.key"),
        digest,
        ProofHash::of(&again.proof),
    )];
    let changes = [("--snapshot", "other-snapshot.json")];
    refused(said(&STAGE.verify(&again.to_bytes(), &changes)), 1, "the link fails");
    // Another model, not in the policy.
    refused(
        said(&STAGE.verify(&bundle, &[("--model", "deribit-pm")])),
        3,
        ": model ",
    );
    // Another model, in the policy: the statement is then another one, which nobody signed.
    let mut policy: Value = serde_json::from_slice(&STAGE.read("policy.json")).unwrap();
    let digest = Model::preset("deribit-pm").unwrap().digest();
    policy["models"] = json!([digest.to_string()]);
    fs::write(STAGE.path("deribit-policy.json"), policy.to_string()).unwrap();
    let changes = [("--model", "deribit-pm"), ("--policy", "deribit-policy.json")];
    refused(said(&STAGE.verify(&bundle, &changes)), 1, not_signed);
}
