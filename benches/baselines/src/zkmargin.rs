//! zkmargin itself, by its own crates: a program with one requirement per scenario.

use anyhow::{Context, Result};
use zkmargin_circuits::{Blind, Claim, Opening, Parameters, Point, commit, prove_unchecked, verify};
use zkmargin_program::{Builder, Header, Layout, LegId, Linear, Pair, Program, Real, suitable_k};

use crate::statement::{Book, MONEY_BITS, Matrix};
use crate::system::{System, TrustedSetup};

const POINT_BYTES: usize = 32;

/// The generators, and the matrix as a program.
#[allow(missing_debug_implementations)]
pub struct Zkmargin {
    parameters: Parameters,
    program: Program,
}

impl Zkmargin {
    /// One point per column, of one venue.
    fn attested(bytes: &[u8]) -> Result<Vec<Vec<Point>>> {
        let point = |bytes: &[u8]| {
            Ok(vec![Point::from_bytes(
                bytes.try_into().context("the attestation is cut short")?,
            )?])
        };
        bytes.chunks(POINT_BYTES).map(point).collect()
    }

    /// The model's digest is what the statement digest has of the matrix.
    fn claim<'a>(&'a self, matrix: &Matrix, attested: &'a [Vec<Point>]) -> Claim<'a> {
        Claim {
            statement: *matrix.digest(),
            program: &self.program,
            attested,
            public: &[],
        }
    }

    /// The account vector: legs, the collateral, and nothing up to the end of the last column.
    fn slots(&self, book: &Book) -> Vec<u64> {
        let mut lots = book.lots.clone();
        lots.push(book.collateral);
        lots.resize(self.program.layout().slots(), 0);
        lots
    }
}

impl System for Zkmargin {
    const NAME: &'static str = "zkmargin";
    const TRUSTED_SETUP: TrustedSetup = TrustedSetup::None;
    const MATRIX_FREE: bool = true;
    type Opening = Vec<Blind>;

    fn setup(matrix: &Matrix) -> Result<Self> {
        let legs: Vec<LegId> = (0..=matrix.legs() as u32).map(LegId::new).collect();
        let pairs = legs.chunks_exact(2).map(|pair| Pair {
            first: pair[0],
            second: pair[1],
        });
        let columns = |k: u32| {
            legs.len()
                .div_ceil(((1 << k) - zkmargin_program::RESERVED_ROWS) as usize)
        };
        let k = suitable_k(|k| Some(columns(k)));
        let layout = Layout::new(k, vec![0; columns(k)], legs.clone(), pairs.collect())?;
        let header = Header {
            numeraire: "USD".into(),
            unit_exponent: 0,
            value_bits: MONEY_BITS,
        };
        let mut builder = Builder::new(layout, header)?;
        for (index, scenario) in matrix.scenarios().iter().enumerate() {
            let mut margin = Linear::zero();
            for (leg, coefficient) in legs.iter().zip(scenario.iter().chain([&1])) {
                margin.add_leg(*leg, Real::from_integer(*coefficient));
            }
            let margin = builder.lower(&margin)?;
            builder.require_non_negative(&format!("scenario {index}"), margin)?;
        }
        Ok(Self {
            parameters: Parameters::load(k, None)?,
            program: builder.finish()?,
        })
    }

    fn key_bytes(&self) -> usize {
        0
    }

    fn attest(&self, book: &Book) -> Result<(Vec<u8>, Vec<Blind>)> {
        let (mut attestation, mut blinds) = (Vec::new(), Vec::new());
        for column in self.slots(book).chunks(self.program.layout().rows()) {
            let blind = Blind::random()?;
            attestation.extend(commit(&self.parameters, column, &blind)?.to_bytes());
            blinds.push(blind);
        }
        Ok((attestation, blinds))
    }

    fn prove(
        &self,
        matrix: &Matrix,
        attestation: &[u8],
        book: &Book,
        blinds: &Vec<Blind>,
        _: &[i128],
    ) -> Result<Vec<u8>> {
        let attested = Self::attested(attestation)?;
        let opening = Opening::new(self.slots(book), blinds.clone());
        Ok(prove_unchecked(
            &self.parameters,
            &[self.claim(matrix, &attested)],
            &[opening],
        )?)
    }

    fn verify(&self, matrix: &Matrix, attestation: &[u8], proof: &[u8]) -> Result<()> {
        let attested = Self::attested(attestation)?;
        Ok(verify(&self.parameters, &[self.claim(matrix, &attested)], proof)?)
    }
}
