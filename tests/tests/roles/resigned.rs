//! A trader who changes a statement or an attestation after the fact and signs again: the subject's signature is then right,
//! and what is left to refuse is the proof, or the venue's signature.

use zkmargin_circuits::{Blind, Malformed, Refusal, commit};
use zkmargin_risk::canonical::Digest;
use zkmargin_risk::terms::{Level, Ratio20};
use zkmargin_tests::Plan;
use zkmargin_verifier::facts::FactRefusal;
use zkmargin_verifier::{OpenedColumn, Opening, SignedAttestation, Statement, Verifier, VerifyError};

use crate::stage::{AT, STAGE, context, signed_again};

fn verdict(bundle: &[u8]) -> Result<(), VerifyError> {
    Verifier::new(context())
        .check_bundle(bundle, AT.parse().unwrap())
        .map(drop)
}

fn with_statement(change: impl FnOnce(&mut Statement)) -> Result<(), VerifyError> {
    let mut bundle = STAGE.bundle();
    change(&mut bundle.statements[0].statement);
    verdict(&signed_again(bundle))
}

#[test]
fn honest_bundle_signed_again_is_accepted() {
    assert!(verdict(&signed_again(STAGE.bundle())).is_ok());
}

#[test]
fn proof_is_refused_when_any_field_of_the_statement_is_changed_and_signed_again() {
    type Change = fn(&mut Statement);
    let changes: [(&str, Change); 8] = [
        ("level", |statement| statement.terms.margin = Level::Initial.into()),
        ("ratio", |statement| statement.terms.ratio = Ratio20::new(22).unwrap()),
        ("a lower ratio", |statement| {
            statement.terms.ratio = Ratio20::new(20).unwrap()
        }),
        ("excess", |statement| statement.terms.excess += 1),
        ("a lower excess", |statement| statement.terms.excess -= 1),
        ("nonce", |statement| statement.nonce[31] ^= 1),
        ("window", |statement| {
            statement.window.until = "2026-08-06T12:30:59Z".parse().unwrap()
        }),
        ("replaces", |statement| statement.replaces = Some(Digest([7; 32]))),
    ];
    for (field, change) in changes {
        let refusal = with_statement(change).unwrap_err();
        assert!(
            matches!(refusal, VerifyError::Proof(Refusal::Link)),
            "{field}: {refusal}"
        );
    }
}

#[test]
fn proof_with_any_byte_changed_is_refused_when_signed_again() {
    let bytes = STAGE.bundle().proof.len();
    let prepared = context().prepare(&[&STAGE.bundle().statements[0].statement]).unwrap();
    let link = Plan::of(&prepared[0].program).link_at().end;
    for at in (0..bytes).step_by(127) {
        let mut bundle = STAGE.bundle();
        bundle.proof[at] ^= 1;
        let refusal = verdict(&signed_again(bundle)).unwrap_err();
        // A byte of a point may make it none, and one of a scalar too large: that is said of the element that it is in.
        let fits = match &refusal {
            VerifyError::Proof(Refusal::Malformed(
                Malformed::Point { at: element, .. } | Malformed::Scalar { at: element },
            )) => (*element..*element + 32).contains(&at),
            VerifyError::Proof(Refusal::Link) => at < link,
            VerifyError::Proof(Refusal::Circuit) => at >= link,
            _ => false,
        };
        assert!(fits, "byte {at}: {refusal}");
    }
}

#[test]
fn attestation_with_any_field_changed_has_no_valid_signature() {
    let own = STAGE.bundle().statements[0].statement.attestations[0].clone();
    let payload = own.payload().to_vec();
    for at in (0..payload.len()).step_by(7) {
        let mut changed = payload.clone();
        changed[at] ^= 1;
        // Most changes do not decode; those that do have lost the venue's signature.
        let Ok(attestation) = SignedAttestation::from_parts(changed, own.key(), *own.signature()) else {
            continue;
        };
        let refused = with_statement(|statement| statement.attestations[0] = attestation);
        // By the facts, which are looked at first, or for its signature: the proof is not looked at.
        assert!(
            matches!(
                refused,
                Err(VerifyError::Facts(_) | VerifyError::AttestationSignature { .. })
            ),
            "byte {at}"
        );
    }
}

#[test]
fn attestation_signed_by_another_key_is_refused() {
    let own = STAGE.bundle().statements[0].statement.attestations[0].clone();
    let forged = own.content().clone().sign(&STAGE.key("trader.key"));
    let refusal = with_statement(|statement| statement.attestations[0] = forged).unwrap_err();
    assert!(
        matches!(refusal, VerifyError::Facts(FactRefusal::KeyNotInUniverse { .. })),
        "{refusal}"
    );
}

#[test]
fn venue_that_is_left_out_cannot_be_left_out_of_the_proof() {
    let refusal = with_statement(|statement| drop(statement.attestations.pop())).unwrap_err();
    assert!(matches!(refusal, VerifyError::Proof(Refusal::Link)), "{refusal}");
}

#[test]
fn attestation_of_another_epoch_is_refused_though_its_venue_signed_it() {
    for (epoch, what) in [
        ("2026-08-06T11:59:59.999Z", "before"),
        ("2026-08-06T12:00:00.001Z", "after"),
    ] {
        let mut content = STAGE.bundle().statements[0].statement.attestations[0].content().clone();
        content.epoch = epoch.parse().unwrap();
        let signed = content.sign(&STAGE.key("optionhouse.key"));
        let refusal = with_statement(|statement| statement.attestations[0] = signed).unwrap_err();
        assert!(
            matches!(refusal, VerifyError::Facts(FactRefusal::Epoch { .. })),
            "{what}: {refusal}"
        );
    }
}

#[test]
fn point_of_another_attestation_is_refused_though_its_venue_signed_it() {
    // The venue attests again: same account, same epoch, fresh blinds. The proof is about the first one.
    let mut content = STAGE.bundle().statements[0].statement.attestations[0].content().clone();
    let opening = Opening::from_bytes(&STAGE.read("options.opening")).unwrap();
    let again = |column: &OpenedColumn| commit(context().parameters, &column.lots, &Blind::random().unwrap()).unwrap();
    content.points = opening.columns.iter().map(again).collect();
    let signed = content.sign(&STAGE.key("optionhouse.key"));
    let refusal = with_statement(|statement| statement.attestations[0] = signed).unwrap_err();
    assert!(matches!(refusal, VerifyError::Proof(Refusal::Link)), "{refusal}");
}

#[test]
fn bundle_of_two_statements_over_one_account_is_refused() {
    let mut bundle = STAGE.bundle();
    bundle.statements.push(bundle.statements[0].clone());
    let refusal = verdict(&bundle.to_bytes()).unwrap_err();
    assert!(
        matches!(refusal, VerifyError::Facts(FactRefusal::AccountTwice { .. })),
        "{refusal}"
    );
}
