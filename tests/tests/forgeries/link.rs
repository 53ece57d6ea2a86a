//! The link itself: nonce, challenge, responses (protocol §6).

use std::ops::Range;

use ff::{Field, PrimeField};
use pasta_curves::Fp;
use zkmargin_circuits::{Malformed, PointError, Refusal, verify};
use zkmargin_tests::*;

use crate::{statements, verdict};

/// Copies bytes of one proof over those of another.
fn spliced(proof: &[u8], other: &[u8], bytes: Range<usize>) -> Vec<u8> {
    let mut spliced = proof.to_vec();
    spliced[bytes.clone()].copy_from_slice(&other[bytes]);
    spliced
}

#[test]
fn proof_is_refused_when_the_nonce_of_the_link_is_the_identity() {
    let program = scenarios();
    let (plan, account) = (Plan::of(&program), Account::of(&SOLVENT, 1));
    let forger = Forger::new(&SETUP, &plan, statements(1));
    let mut proof = forger.prove(&[account.honest_scene(&plan, &program)]).unwrap().proof;
    let at = plan.link_at().start;
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
    let Range { start: nonce, end } = plan.link_at();
    let responses = nonce + 32;
    assert_eq!((verdict(&claims, &first), verdict(&claims, &second)), (Ok(()), Ok(())));
    assert_ne!(first[nonce..responses], second[nonce..responses]);
    // All responses; one of them; `T` too; the masked projections; all that comes before.
    for bytes in [
        responses..end,
        responses..responses + 32,
        end - 32..end,
        nonce..responses,
        nonce..end,
        plan.masked_at(),
        0..nonce,
    ] {
        let proof = spliced(&first, &second, bytes.clone());
        assert_eq!(verdict(&claims, &proof), Err(Refusal::Link), "{bytes:?}");
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
    // What follows the link of an honest proof, after every other: it is read, and the link is what decides.
    let rest = forger.prove(std::slice::from_ref(&honest)).unwrap().proof[plan.link_at().end..].to_vec();
    let link_of = |forger: &Forger<'_>, scene: Scene<'_>| [forger.prove_link(&[scene]), rest.clone()].concat();
    assert_eq!(verdict(&claims, &link_of(&forger, honest.clone())), Ok(()));
    // As small an error as there is, where it does not even matter for most rows; each column has its turn.
    for row in 0..=plan.last {
        let column = row % plan.q_columns;
        let mut scene = honest.clone();
        scene.columns.q[column][row] += Fp::ONE;
        assert_eq!(
            verify(&PARAMETERS, &claims, &link_of(&forger, scene)),
            Err(Refusal::Link),
            "row {row} of column {column}"
        );
        let column = row % plan.public_columns();
        let mut forger = Forger::new(&SETUP, &plan, statements(1));
        forger.matrices = Box::new(move |_, _, public| public[column][row] -= Fp::ONE);
        assert_eq!(
            verify(&PARAMETERS, &claims, &link_of(&forger, honest.clone())),
            Err(Refusal::Link),
            "row {row} of public column {column}"
        );
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
