//! Proofs of false statements, and of true ones in forbidden ways: each is refused, for its own reason.
//!
//! Every test also shows that its forgery is real: a verifier that leaves out the one check accepts it.

#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod bytes;
mod challenges;
mod circuit_points;
mod extremes;
mod insecure;
mod link;
mod linked_roots;
mod matrices;
mod outside_points;
mod projections;
mod roots;
mod rows;
mod second_prover;
mod secrets;

use pasta_curves::Fp;
use zkmargin_circuits::{Claim, Refusal, verify};
use zkmargin_tests::*;

/// The verdict of the real verifier, with which the strict second one must agree.
fn verdict(claims: &[Claim<'_>], proof: &[u8]) -> Result<(), Refusal> {
    let (real, second) = (
        verify(&PARAMETERS, claims, proof),
        Lenient::default().verify(&SETUP, claims, proof),
    );
    let same = match &real {
        Ok(()) => Verdict::Accepted,
        Err(Refusal::Link) => Verdict::Link,
        Err(Refusal::Circuit) => Verdict::Circuit,
        Err(Refusal::Malformed(_)) => Verdict::Malformed,
        Err(other) => panic!("{other}"),
    };
    assert_eq!(second, same, "two verifiers of one protocol disagree: {real:?}");
    real
}

fn statements(count: usize) -> Vec<[u8; 32]> {
    (0..count).map(statement).collect()
}

/// The columns as they are in step 4, with what they lack at their ends.
fn lacking(plan: &Plan, scene: &Scene<'_>, challenges: &Challenges, public: &Matrix) -> (Columns, Fp) {
    let multipliers = scalar_multipliers(&challenges.r, plan.drawn(scene.program));
    let folded = fold(scene.program, plan, factors, &challenges.e, &multipliers);
    let mut columns = scene.columns.clone();
    let y = columns.projections(plan, factors, &challenges.e);
    columns.project(plan, &y);
    columns.public.clone_from(public);
    let missing = missing(plan, &columns, &folded.instance);
    columns.settle(plan, &folded.instance);
    (columns, missing)
}
