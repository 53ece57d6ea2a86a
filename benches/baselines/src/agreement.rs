//! Every system accepts the same books, and refuses the same.

use crate::bulletproofs::{Points, Vector};
use crate::groth16::Groth16;
use crate::halo2_poseidon::Halo2Poseidon;
use crate::halo2_unfolded::Halo2Unfolded;
use crate::statement::Matrix;
use crate::system::System;
use crate::zkmargin::Zkmargin;
use anyhow::Result;

/// An odd number of scenarios, and legs that fill no column and no power of two.
const LEGS: usize = 38;
const SCENARIOS: usize = 5;

fn agrees<S: System>() -> Result<()> {
    let matrix = Matrix::new(LEGS, SCENARIOS)?;
    let system = S::setup(&matrix)?;

    // A margin of exactly zero is met.
    let book = matrix.book(0)?;
    let margins = matrix.margins(&book);
    let (attestation, opening) = system.attest(&book)?;
    let prove = |margins: &[i128]| system.prove(&matrix, &attestation, &book, &opening, margins);
    let proof = prove(&margins)?;
    system.verify(&matrix, &attestation, &proof)?;

    // One that is violated by one is not, whether the margin is said to be what it is or what it should be.
    let short = matrix.book(-1)?;
    let truth = matrix.margins(&short);
    assert_eq!(truth.iter().filter(|margin| **margin < 0).count(), 1);
    let (short_attestation, short_opening) = system.attest(&short)?;
    let said: Vec<i128> = truth.iter().map(|margin| *margin.max(&0)).collect();
    // Nor with another scenario's margin lowered by as much, so that the sum of all is right.
    let mut shifted = said.clone();
    let highest = (0..SCENARIOS).max_by_key(|index| shifted[*index]).unwrap_or(0);
    shifted[highest] -= 1;
    for claimed in [&truth, &said, &shifted] {
        if let Ok(proof) = system.prove(&matrix, &short_attestation, &short, &short_opening, claimed) {
            assert!(
                system.verify(&matrix, &short_attestation, &proof).is_err(),
                "{claimed:?}"
            );
        }
        // Nor with the account that does meet it in place of the attested one.
        if let Ok(proof) = system.prove(&matrix, &short_attestation, &book, &opening, &margins) {
            assert!(system.verify(&matrix, &short_attestation, &proof).is_err());
        }
    }

    // Another account, the same one attested anew.
    assert!(system.verify(&matrix, &short_attestation, &proof).is_err());
    assert!(system.verify(&matrix, &system.attest(&book)?.0, &proof).is_err());

    // Another matrix: by one in a scenario, which the book no longer meets, and by a scenario more.
    let worst = (0..SCENARIOS).min_by_key(|index| margins[*index]).unwrap_or(0);
    let held = book.lots.iter().position(|lots| *lots > 0).unwrap_or(0);
    let mut scenarios = matrix.scenarios().to_vec();
    scenarios[worst][held] -= 1;
    let worse = Matrix::from_scenarios(scenarios)?;
    assert!(worse.margins(&book).iter().any(|margin| *margin < 0));
    for other in [worse, Matrix::new(LEGS, SCENARIOS + 1)?] {
        assert!(system.verify(&other, &attestation, &proof).is_err());
        assert!(S::setup(&other)?.verify(&other, &attestation, &proof).is_err());
    }

    // Any element of proof or attestation.
    for byte in (0..proof.len()).step_by(31) {
        let mut tampered = proof.clone();
        tampered[byte] ^= 1;
        assert!(
            system.verify(&matrix, &attestation, &tampered).is_err(),
            "byte {byte} of the proof"
        );
    }
    for byte in (0..attestation.len()).step_by(31) {
        let mut tampered = attestation.clone();
        tampered[byte] ^= 1;
        assert!(
            system.verify(&matrix, &tampered, &proof).is_err(),
            "byte {byte} of the attestation"
        );
    }
    for length in [0, 31, proof.len() - 1] {
        assert!(
            system.verify(&matrix, &attestation, &proof[..length]).is_err(),
            "{length} bytes"
        );
    }
    assert!(
        system
            .verify(&matrix, &attestation, &[&proof[..], &[0]].concat())
            .is_err()
    );

    // No proof is another, and none is a function of what is hidden.
    assert_ne!(proof, prove(&margins)?);
    Ok(())
}

#[test]
fn zkmargin() -> Result<()> {
    agrees::<Zkmargin>()
}

#[test]
fn halo2_unfolded() -> Result<()> {
    agrees::<Halo2Unfolded>()
}

#[test]
fn halo2_poseidon() -> Result<()> {
    agrees::<Halo2Poseidon>()
}

#[test]
fn groth16_folded() -> Result<()> {
    agrees::<Groth16<true>>()
}

#[test]
fn groth16_fixed() -> Result<()> {
    agrees::<Groth16<false>>()
}

#[test]
fn bulletproofs_points() -> Result<()> {
    agrees::<Points>()
}

#[test]
fn bulletproofs_vector() -> Result<()> {
    agrees::<Vector>()
}
