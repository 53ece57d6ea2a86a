//! Proofs of false statements, and of true ones in forbidden ways: each is refused, for its own reason.
//!
//! Every test also shows that its forgery is real: a verifier that leaves out the one check accepts it.

#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod bytes;
mod challenges;
mod circuit_points;
mod extremes;
mod hiding;
mod insecure;
mod link;
mod linked_roots;
mod masks;
mod matrices;
mod outside_points;
mod projections;
mod roots;
mod rows;
mod second_prover;
mod secrets;

use ff::Field;
use pasta_curves::Fp;
use zkmargin_circuits::{Claim, Refusal, verify};
use zkmargin_tests::*;

/// The verdict of the real verifier, with which the strict second one must agree.
fn verdict(claims: &[Claim<'_>], proof: &[u8]) -> Result<(), Refusal> {
    on_this_thread_alone();
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

/// The columns as they are in step 4, settled, with what each accumulator lacks at its end.
fn lacking(plan: &Plan, known: &Known<'_>, public: &Matrix) -> (Columns, Vec<Fp>) {
    let mut columns = known.columns.clone();
    columns.public.clone_from(public);
    let missing = missing(plan, &columns, &known.folded.instance);
    columns.settle(plan, &known.folded.instance);
    (columns, missing)
}

/// What each of some accumulators lacks is put into its `γ_t`.
fn give_what_is_missing(plan: &Plan, known: &Known<'_>, public: &mut Matrix, accumulators: std::ops::Range<usize>) {
    let (_, missing) = lacking(plan, known, public);
    for t in accumulators {
        assert_ne!(missing[t], Fp::ZERO, "accumulator {t}");
        public[t][plan.last] -= missing[t];
    }
}
