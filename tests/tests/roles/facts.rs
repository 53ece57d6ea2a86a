//! What venues signed, used where it does not belong: `zkmargin-verify` refuses it before it looks at the proof.

use zkmargin_risk::canonical::Digest;
use zkmargin_verifier::{Attestation, PublicKey, Statement};

use crate::stage::{STAGE, said, signed_again};

/// The tool's verdict on the demonstration's bundle with its statement changed and signed again.
fn with_statement(change: impl FnOnce(&mut Statement)) -> (i32, String) {
    let mut bundle = STAGE.bundle();
    change(&mut bundle.statements[0].statement);
    said(&STAGE.verify(&signed_again(bundle), &[]))
}

/// Exit code and words of a refusal are these.
#[track_caller]
pub fn refused(outcome: (i32, String), code: i32, because: &str) {
    let (found, text) = outcome;
    assert!(
        found == code && text.contains(because),
        "exit code {found}, not {code} for {because:?}: {text}"
    );
}

#[test]
fn attestation_that_does_not_fit_is_refused_though_its_venue_signed_it() {
    type Change = fn(&mut Attestation);
    fn stranger() -> PublicKey {
        PublicKey::of(&STAGE.key("stranger.key"))
    }
    let changes: [(&str, Change); 14] = [
        ("attested under protocol version", |content| content.protocol -= 1),
        ("attested for universe", |content| content.universe = Digest([1; 32])),
        ("attested for k =", |content| content.k += 1),
        ("the universe has no such venue", |content| {
            content.venue = "nohouse".to_owned()
        }),
        ("the universe does not give this venue the key", |content| {
            content.venue = "perphouse".to_owned()
        }),
        ("1 commitment, the venue has", |content| content.points.truncate(1)),
        ("the snapshot is of", |content| {
            content.epoch = "2026-08-06T11:59:59.999Z".parse().unwrap()
        }),
        ("the snapshot is of", |content| {
            content.epoch = "2026-08-06T12:00:00.001Z".parse().unwrap()
        }),
        ("before its epoch", |content| {
            content.time = "2026-08-06T11:59:59.999Z".parse().unwrap()
        }),
        ("which is after", |content| {
            content.time = "2026-08-06T12:01:00.001Z".parse().unwrap()
        }),
        ("before the statement's end", |content| {
            content.expiry = "2026-08-06T12:30:59.999Z".parse().unwrap()
        }),
        ("made for audience", |content| content.audience = stranger()),
        ("made for book", |content| {
            content.book = "credit-line-8".parse().unwrap()
        }),
        ("subject", |content| content.subject = stranger()),
    ];
    for (because, change) in changes {
        let outcome = with_statement(|statement| {
            let mut content = statement.attestations[0].content().clone();
            change(&mut content);
            statement.attestations[0] = content.sign(&STAGE.key("optionhouse.key"));
        });
        refused(outcome, 3, because);
    }
}

#[test]
fn account_that_counts_twice_or_not_at_all_is_refused() {
    let twice = "this account counts already in statement 1";
    refused(
        with_statement(|statement| statement.attestations.insert(0, statement.attestations[0].clone())),
        3,
        twice,
    );
    // The venue attests again, under another epoch's blinds: still the same account.
    let again = with_statement(|statement| {
        let mut content = statement.attestations[0].content().clone();
        content.points.reverse();
        statement
            .attestations
            .insert(1, content.sign(&STAGE.key("optionhouse.key")));
    });
    refused(again, 3, twice);
    // In two circuits of one bundle.
    let mut bundle = STAGE.bundle();
    bundle.statements.push(bundle.statements[0].clone());
    refused(said(&STAGE.verify(&signed_again(bundle), &[])), 3, twice);
    refused(
        with_statement(|statement| statement.attestations.clear()),
        3,
        "has no attestation",
    );
    refused(
        with_statement(|statement| statement.attestations.reverse()),
        3,
        "out of order",
    );
}

#[test]
fn attestation_that_its_venue_did_not_sign_is_refused() {
    // By a key that is another venue's, and by the venue's key over something else.
    let other_key = with_statement(|statement| {
        let content = statement.attestations[0].content().clone();
        statement.attestations[0] = content.sign(&STAGE.key("perphouse.key"));
    });
    refused(other_key, 3, "the universe does not give this venue the key");
    let points = STAGE.bundle().statements[0].statement.attestations[0]
        .content()
        .points
        .clone();
    let signed = STAGE.read("margin.bundle");
    let at = signed
        .windows(32)
        .position(|window| window == points[0].to_bytes())
        .unwrap();
    let with = |bytes: [u8; 32]| {
        let mut changed = signed.clone();
        changed[at..at + 32].copy_from_slice(&bytes);
        said(&STAGE.verify(&changed, &[]))
    };
    refused(with(points[1].to_bytes()), 1, "signature");
    refused(with([0; 32]), 1, "the point is the identity");
    refused(with([0xff; 32]), 1, "the encoding is not canonical");
}
