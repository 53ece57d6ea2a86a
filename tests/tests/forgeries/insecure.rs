//! A proof that a frozen circuit with one check missing accepts.

use std::fs;
use std::path::Path;

use group::Curve;
use pasta_curves::Fp;
use zkmargin_circuits::{Claim, Placement, Refusal};
use zkmargin_tests::*;

use crate::verdict;

/// Of [`single`], `3·long - 5·short >= 0`: short five lots, and nothing else.
const UNSOUND: [u64; 2] = [0, 5];

#[test]
fn forged_proof_of_the_insecure_circuit_is_refused() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("golden/insecure-proof.txt");
    let program = single();
    let shape = Placement::new(&program).unwrap().shape().clone();
    assert_eq!(shape.masked_bytes(), insecure::MASKED_BYTES);
    let (statement, blind) = (statement(0), Fp::from(7_654_321));
    let account = SETUP.commit(&UNSOUND.map(Fp::from), blind);
    let made = insecure::forge(&SETUP, statement, UNSOUND, blind);
    if std::env::var_os("ZKMARGIN_REWRITE_GOLDEN").is_some_and(|value| value == "1") {
        fs::write(&path, format!("{}\n", hex::encode(&made))).unwrap();
    }
    let stored = hex::decode(fs::read_to_string(&path).unwrap().trim()).unwrap();
    assert_eq!(made, stored, "it is made as it always was");

    // The account is attested, and short of its margin.
    let mut lots = vec![0; ROWS];
    lots[..2].copy_from_slice(&UNSOUND);
    assert!(program.witness(&lots).is_err());
    let attested = vec![vec![point(&account)]];
    let claim = Claim {
        statement,
        program: &program,
        attested: &attested,
        public: &[],
    };
    assert_eq!(insecure::verify(&SETUP, statement, account, &stored), Verdict::Accepted);
    assert_eq!(verdict(&[claim], &stored), Err(Refusal::Circuit));

    // Every other check of the insecure circuit's verifier is there.
    let other = SETUP.commit(&[Fp::from(1), Fp::from(5)], blind);
    assert_ne!(other.to_affine(), account.to_affine());
    assert_eq!(insecure::verify(&SETUP, statement, other, &stored), Verdict::Link);
    let mut changed = stored.clone();
    let last = changed.len() - 32;
    changed[last] ^= 1;
    assert_eq!(insecure::verify(&SETUP, statement, account, &changed), Verdict::Circuit);
}
