//! What else proves that a hidden, committed book meets a public margin matrix, beside zkmargin, on the same vectors.
//!
//! [`statement`] says what is proven, [`system`] what a way to prove it is, and each system has a module that says how its best known form goes about it.
//! The README has what came out, and what each of them proves that another does not.

use std::io::{BufRead, Write};

use anyhow::Result;

#[cfg(test)]
mod agreement;
pub mod bulletproofs;
pub mod fold;
pub mod groth16;
mod halo2;
pub mod halo2_poseidon;
pub mod halo2_unfolded;
pub mod measure;
mod r1cs;
pub mod report;
pub mod statement;
pub mod system;
pub mod zkmargin;

use statement::Matrix;
use system::{System, TrustedSetup};

/// A system whose type has been forgotten.
#[derive(Clone, Copy, Debug)]
pub struct Entry {
    /// [`System::NAME`].
    pub name: &'static str,
    /// [`System::TRUSTED_SETUP`].
    pub trusted_setup: TrustedSetup,
    /// [`System::MATRIX_FREE`].
    pub matrix_free: bool,
    /// [`measure::serve`].
    pub serve: fn(&Matrix, &mut dyn BufRead, &mut dyn Write) -> Result<()>,
}

impl Entry {
    const fn of<S: System + Sync>() -> Self
    where
        S::Opening: Sync,
    {
        Self {
            name: S::NAME,
            trusted_setup: S::TRUSTED_SETUP,
            matrix_free: S::MATRIX_FREE,
            serve: |matrix, lines, answers| measure::serve::<S>(matrix, lines, answers),
        }
    }
}

/// All systems; the first is what the others are compared with. It is not a constant, which every crate that names it would compile anew.
pub static SYSTEMS: [Entry; 7] = [
    Entry::of::<zkmargin::Zkmargin>(),
    Entry::of::<halo2_unfolded::Halo2Unfolded>(),
    Entry::of::<halo2_poseidon::Halo2Poseidon>(),
    Entry::of::<groth16::Groth16<true>>(),
    Entry::of::<groth16::Groth16<false>>(),
    Entry::of::<bulletproofs::Vector>(),
    Entry::of::<bulletproofs::Points>(),
];
