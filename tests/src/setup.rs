//! The generators of one `k`, taken out of the proof library (protocol §3).

use ff::{Field, PrimeField};
use group::{Curve, GroupEncoding};
use halo2_proofs::arithmetic::best_multiexp;
use halo2_proofs::poly::commitment::Params;
use pasta_curves::{Eq, EqAffine, Fp};
use zkmargin_circuits::Point;

/// `G_0 .. G_{n-1}` and `W`.
#[derive(Clone, Debug)]
pub struct Setup {
    /// `k`: columns have `2^k` rows.
    pub k: u32,
    /// What the library takes.
    pub params: Params<EqAffine>,
    /// The Lagrange basis.
    pub lagrange: Vec<EqAffine>,
    /// The blinding generator.
    pub w: EqAffine,
}

/// A point from its canonical encoding.
pub fn decode(bytes: &[u8]) -> EqAffine {
    let mut repr = <EqAffine as GroupEncoding>::Repr::default();
    repr.as_mut().copy_from_slice(bytes);
    Option::from(EqAffine::from_bytes(&repr)).expect("a point")
}

impl Setup {
    /// Derives the generators.
    pub fn new(k: u32) -> Self {
        let params = Params::<EqAffine>::new(k);
        let mut bytes = Vec::new();
        params.write(&mut bytes).expect("writing to memory");
        // `k` as four bytes; then the monomial basis, the Lagrange basis, `W` and `U`.
        let points: Vec<EqAffine> = bytes[4..].chunks(32).map(decode).collect();
        let n = 1 << k;
        assert_eq!(points.len(), 2 * n + 2);
        Self {
            k,
            params,
            lagrange: points[n..2 * n].to_vec(),
            w: points[2 * n],
        }
    }

    /// Rows of a column that may carry legs: `u`.
    pub fn legs(&self) -> usize {
        (1 << self.k) - 16
    }

    /// `Σ values_i·G_{from+i} + blind·W`.
    pub fn commit_from(&self, from: usize, values: &[Fp], blind: Fp) -> Eq {
        let scalars: Vec<Fp> = values.iter().copied().chain([blind]).collect();
        let bases: Vec<EqAffine> = (self.lagrange[from..from + values.len()].iter().copied())
            .chain([self.w])
            .collect();
        match scalars.iter().all(|scalar| bool::from(scalar.is_zero())) {
            true => Eq::default(),
            false => best_multiexp(&scalars, &bases),
        }
    }

    /// `Σ values_i·G_i + blind·W`.
    pub fn commit(&self, values: &[Fp], blind: Fp) -> Eq {
        self.commit_from(0, values, blind)
    }

    /// A column's point as a venue would sign it, whatever the values.
    pub fn point(&self, values: &[Fp], blind: Fp) -> Point {
        point(&self.commit(values, blind))
    }
}

/// A group element as an attested point.
pub fn point(element: &Eq) -> Point {
    Point::from_bytes(&element.to_affine().to_bytes()).expect("not the identity")
}

/// An integer as a scalar.
pub fn integer(value: i128) -> Fp {
    let magnitude = Fp::from_u128(value.unsigned_abs());
    if value < 0 { -magnitude } else { magnitude }
}

/// Lots as scalars.
pub fn scalars(lots: &[u64]) -> Vec<Fp> {
    lots.iter().map(|lots| Fp::from(*lots)).collect()
}
