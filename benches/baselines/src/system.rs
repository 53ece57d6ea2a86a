//! What a baseline is.

use anyhow::Result;
use serde::Serialize;

use crate::statement::{Book, Matrix};

/// What a prover and a verifier must take on trust before the first proof.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub enum TrustedSetup {
    /// Generators are hashed to a curve.
    #[serde(rename = "none")]
    None,
    /// A ceremony for every circuit.
    #[serde(rename = "per circuit")]
    PerCircuit,
}

/// One way to prove the [statement](crate::statement).
pub trait System: Sized {
    /// What `--only` and the tables call it.
    const NAME: &'static str;
    /// Its trusted setup.
    const TRUSTED_SETUP: TrustedSetup;
    /// Whether another matrix of the same size has the same keys.
    const MATRIX_FREE: bool;
    /// What opens an attested account, beside the book.
    type Opening;

    /// Everything that is done once, before there is a book.
    fn setup(matrix: &Matrix) -> Result<Self>;

    /// Bytes of keys that cannot be derived from public constants in the time of [`setup`](Self::setup), so that they are downloaded or
    /// kept: the prover's and the verifier's.
    fn key_bytes(&self) -> usize;

    /// Commits to a book as its venue would: the public attestation, and its opening.
    fn attest(&self, book: &Book) -> Result<(Vec<u8>, Self::Opening)>;

    /// Proves, with the margins that are claimed: those of [`Matrix::margins`], unless one means to cheat. A prover checks nothing.
    fn prove(
        &self,
        matrix: &Matrix,
        attestation: &[u8],
        book: &Book,
        opening: &Self::Opening,
        margins: &[i128],
    ) -> Result<Vec<u8>>;

    /// Accepts a proof that the attested account meets the matrix, and nothing else.
    fn verify(&self, matrix: &Matrix, attestation: &[u8], proof: &[u8]) -> Result<()>;
}
