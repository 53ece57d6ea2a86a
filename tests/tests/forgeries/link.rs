//! The link itself: nonce, challenge, responses (protocol §6).

use ff::{Field, PrimeField};
use pasta_curves::Fp;
use zkmargin_circuits::{Malformed, PointError, Refusal, verify};
use zkmargin_tests::*;

use crate::{statements, verdict};

/// Where `T` stands in a proof of one claim, in elements; the responses follow.
fn nonce_at(plan: &Plan) -> usize {
    plan.acc_at()
}

fn element(proof: &[u8], index: usize) -> &[u8] {
    &proof[32 * index..32 * (index + 1)]
}

/// Copies elements of one proof over those of another.
fn spliced(proof: &[u8], other: &[u8], elements: std::ops::Range<usize>) -> Vec<u8> {
    let mut spliced = proof.to_vec();
    let bytes = 32 * elements.start..32 * elements.end;
    spliced[bytes.clone()].copy_from_slice(&other[bytes]);
    spliced
}

#[test]
fn proof_is_refused_when_the_nonce_of_the_link_is_the_identity() {
    let program = scenarios();
    let (plan, account) = (Plan::of(&program), Account::of(&SOLVENT, 1));
    let forger = Forger::new(&SETUP, &plan, statements(1));
    let mut proof = forger.prove(&[account.honest_scene(&plan, &program)]).unwrap().proof;
    let at = 32 * nonce_at(&plan);
    proof[at..at + 32].fill(0);
    let refusal = Malformed::Point {
        at,
        error: PointError::Identity,
    };
    assert_eq!(verdict(&[account.claim(0, &program)], &proof), Err(refusal.into()));
}

#[test]
fn proof_is_refused_when_parts_of_its_link_are_those_of_another_proof() {
    let program = scenarios();
    let (plan, account) = (Plan::of(&program), Account::of(&SOLVENT, 1));
    let claims = [account.claim(0, &program)];
    let mut forger = Forger::new(&SETUP, &plan, statements(1));
    let scene = account.honest_scene(&plan, &program);
    let first = forger.prove(std::slice::from_ref(&scene)).unwrap().proof;
    forger.seed = [2; 32];
    let second = forger.prove(&[scene]).unwrap().proof;
    let (nonce, end) = (nonce_at(&plan), nonce_at(&plan) + plan.unusable() + 2);
    assert_eq!((verdict(&claims, &first), verdict(&claims, &second)), (Ok(()), Ok(())));
    assert_ne!(element(&first, nonce), element(&second, nonce));
    // All responses; one of them; `T` too; all that comes before.
    for elements in [
        nonce + 1..end,
        nonce + 1..nonce + 2,
        end - 1..end,
        nonce..nonce + 1,
        nonce..end,
        0..nonce,
    ] {
        let proof = spliced(&first, &second, elements.clone());
        assert_eq!(verdict(&claims, &proof), Err(Refusal::Link), "{elements:?}");
    }
    // The whole link with everything before it is the other proof's: then the circuit's is not.
    assert_eq!(
        verdict(&claims, &spliced(&first, &second, 0..end)),
        Err(Refusal::Circuit)
    );
}

#[test]
fn proof_is_refused_when_a_difference_reaches_into_any_usable_row() {
    let program = scenarios();
    let (plan, account) = (Plan::of(&program), Account::of(&SOLVENT, 1));
    let claims = [account.claim(0, &program)];
    let forger = Forger::new(&SETUP, &plan, statements(1));
    let honest = account.honest_scene(&plan, &program);
    // With the link alone, and nothing after it, a proof is refused where it ends.
    let cut = verdict(&claims, &forger.prove_link(std::slice::from_ref(&honest)));
    assert!(
        matches!(cut, Err(Refusal::Malformed(Malformed::Truncated { .. }))),
        "{cut:?}"
    );
    // As small an error as there is, in every linked cell, where it does not even matter for most.
    for row in 0..=plan.last {
        for column in 0..plan.q_columns {
            let mut scene = honest.clone();
            scene.columns.q[column][row] += Fp::ONE;
            let proof = forger.prove_link(&[scene]);
            assert_eq!(
                verify(&PARAMETERS, &claims, &proof),
                Err(Refusal::Link),
                "row {row} of column {column}"
            );
        }
        for column in 0..plan.public_columns() {
            let mut forger = Forger::new(&SETUP, &plan, statements(1));
            forger.matrices = Box::new(move |_, _, public| public[column][row] -= Fp::ONE);
            let proof = forger.prove_link(std::slice::from_ref(&honest));
            assert_eq!(
                verify(&PARAMETERS, &claims, &proof),
                Err(Refusal::Link),
                "row {row} of public column {column}"
            );
        }
    }
}

#[test]
fn proof_is_refused_when_errors_of_its_link_and_of_its_circuit_cancel() {
    let program = scenarios();
    let (plan, account) = (Plan::of(&program), Account::of(&SOLVENT, 1));
    let claims = [account.claim(0, &program)];
    let mut forger = Forger::new(&SETUP, &plan, statements(1));
    forger.response = Fp::from(5);
    let mut proof = forger.prove(&[account.honest_scene(&plan, &program)]).unwrap().proof;
    // The last scalar of the opening counts `W`, as the last response does, and the other way round.
    let last = proof.len() - 32;
    let scalar = Fp::from_repr(proof[last..].try_into().unwrap()).unwrap() + forger.response;
    proof[last..].copy_from_slice(&scalar.to_repr());
    assert_eq!(verdict(&claims, &proof), Err(Refusal::Link));
    let under = |lenient: Lenient<'_>| lenient.verify(&SETUP, &claims, &proof);
    let no_link = Lenient {
        link: false,
        ..Lenient::default()
    };
    assert_eq!(under(no_link), Verdict::Circuit);
    let one_weight = Lenient {
        one_weight: true,
        ..Lenient::default()
    };
    assert_eq!(under(one_weight), Verdict::Accepted);
}
