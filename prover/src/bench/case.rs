//! A book with its commitments, from witness to the last byte of the proof.

use zkmargin_circuits::{Blind, Claim, Opening, Parameters, Point, commit, prove_unchecked, verify, verify_batch};
use zkmargin_program::Program;

use super::BenchError;

/// One book, attested and ready to be proven.
#[derive(Debug)]
pub struct Case {
    program: Program,
    points: Vec<Vec<Point>>,
    opening: Opening,
}

impl Case {
    /// Commits to a book as its venue would.
    ///
    /// # Errors
    /// [`BenchError`]: an amount that is no number of lots; no randomness.
    pub fn new(parameters: &Parameters, program: Program, book: Vec<u64>) -> Result<Self, BenchError> {
        let rows = program.layout().rows();
        let mut points = Vec::new();
        let mut blinds = Vec::new();
        for column in book.chunks(rows) {
            let blind = Blind::random()?;
            points.push(vec![commit(parameters, column, &blind)?]);
            blinds.push(blind);
        }
        Ok(Self {
            program,
            points,
            opening: Opening::new(book, blinds),
        })
    }

    /// The program that is proven.
    pub fn program(&self) -> &Program {
        &self.program
    }

    /// Proves, without the verification that ends a prover's work; it is measured beside it.
    ///
    /// # Errors
    /// [`BenchError`]: the book does not satisfy the program.
    pub fn prove(&self, parameters: &Parameters) -> Result<Vec<u8>, BenchError> {
        let openings = std::slice::from_ref(&self.opening);
        Ok(prove_unchecked(parameters, &[self.claim()], openings)?)
    }

    /// Proves this case so often in one proof, whose circuits share an opening.
    ///
    /// # Errors
    /// [`BenchError`]: more than a proof may have.
    pub fn prove_together(&self, parameters: &Parameters, statements: usize) -> Result<Vec<u8>, BenchError> {
        let claims = vec![self.claim(); statements];
        Ok(prove_unchecked(
            parameters,
            &claims,
            &vec![self.opening.clone(); statements],
        )?)
    }

    /// Verifies one proof.
    ///
    /// # Errors
    /// [`BenchError`]: it is none of this case.
    pub fn verify(&self, parameters: &Parameters, proof: &[u8]) -> Result<(), BenchError> {
        self.verify_together(parameters, 1, proof)
    }

    /// Verifies one proof of so many statements.
    ///
    /// # Errors
    /// [`BenchError`]: it is none.
    pub fn verify_together(&self, parameters: &Parameters, statements: usize, proof: &[u8]) -> Result<(), BenchError> {
        Ok(verify(parameters, &vec![self.claim(); statements], proof)?)
    }

    /// Verifies several proofs together.
    ///
    /// # Errors
    /// [`BenchError`]: one of them is none of this case, or there is none.
    pub fn verify_batch(&self, parameters: &Parameters, proofs: &[Vec<u8>]) -> Result<(), BenchError> {
        let claims = [self.claim()];
        let proofs: Vec<(&[Claim<'_>], &[u8])> = proofs.iter().map(|proof| (&claims[..], &proof[..])).collect();
        Ok(verify_batch(parameters, &proofs)?)
    }

    fn claim(&self) -> Claim<'_> {
        Claim {
            statement: [0; 32],
            program: &self.program,
            attested: &self.points,
            public: &[],
        }
    }
}
