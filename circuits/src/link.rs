//! Linking the circuit's columns to outside commitments (protocol §6).
//!
//! `C'` commits to a column of the circuit, `C` to the same column outside of it (what a venue signed, or the public folded
//! matrix). They agree on every usable row exactly when `D = C' - C` is a combination of the generators of the unusable rows
//! and `W` alone. A Schnorr proof of a representation of `Σ_c η^c·D_c` in those generators shows that for all linked columns of
//! all circuits at once:
//!
//! ```text
//! prover:    T = Σ_i τ_i·G_i + τ_W·W          c = challenge          s_i = τ_i + c·β_i ,  s_W = τ_W + c·δ
//! verifier:  Σ_i s_i·G_i + s_W·W - T - c·Σ_c η^c·D_c = 0              i over the unusable rows
//! ```

use ff::Field;
use halo2_proofs::poly::commitment::MSM;
use halo2_proofs::transcript::TranscriptRead;
use pasta_curves::{EqAffine, Fp};

use crate::parameters::Parameters;
use crate::shape::Placement;
use crate::transcript::{Reader, challenge};

/// The outside of the linked columns: `Σ_c η^c·C_c` as terms of one multi-exponentiation.
pub(crate) struct Outside {
    /// Points with their weights: attested points and the circuit's own commitments, negated.
    pub(crate) terms: Vec<(Fp, EqAffine)>,
    /// Weights of the Lagrange generators of the usable rows.
    pub(crate) rows: Vec<Fp>,
}

/// Reads the link. The multi-exponentiation that is returned vanishes exactly if it holds; `outside` is `Σ_c η^c·(C_c - C'_c)`.
///
/// The generators of the rows are the Lagrange basis, those of the result are of the coefficients: as scalars, one is the inverse transform of
/// the other, so that the rows of a link and the generators of an opening are terms of one sum.
pub(crate) fn read<'p>(
    parameters: &'p Parameters,
    placement: &Placement,
    reader: &mut Reader<'_>,
    outside: Outside,
) -> std::io::Result<MSM<'p, EqAffine>> {
    let nonce = reader.read_point()?;
    let c = challenge(reader);
    let mut rows: Vec<Fp> = outside.rows.into_iter().map(|weight| c * weight).collect();
    for _ in placement.unusable() {
        rows.push(reader.read_scalar()?);
    }
    let mut sum = MSM::new(parameters.params());
    sum.add_to_g_scalars(&parameters.coefficients(rows));
    sum.add_to_w_scalar(reader.read_scalar()?);
    sum.append_term(-Fp::ONE, nonce);
    for (weight, point) in outside.terms {
        sum.append_term(c * weight, point);
    }
    Ok(sum)
}

#[cfg(feature = "prove")]
pub(crate) use self::prover::{Difference, prove};

#[cfg(feature = "prove")]
mod prover {
    use group::Curve;
    use halo2_proofs::transcript::TranscriptWrite;
    use rand_chacha::ChaCha20Rng;
    use zeroize::{Zeroize, Zeroizing};

    use super::*;
    use crate::commitment::multiexp;
    use crate::transcript::Writer;

    /// A representation of `Σ_c η^c·D_c`: `β` for the unusable rows, then `δ` for `W`. Overwritten when dropped.
    pub(crate) struct Difference(Vec<Fp>);

    impl Difference {
        pub(crate) fn new(placement: &Placement) -> Self {
            Self(vec![Fp::ZERO; placement.unusable().len() + 1])
        }

        /// Adds `weight·D` for a column with these unusable rows and this difference of blinds.
        pub(crate) fn add(&mut self, weight: Fp, unusable_rows: &[Fp], blind: Fp) {
            let column = unusable_rows.iter().copied().chain([blind]);
            for (sum, value) in self.0.iter_mut().zip(column) {
                *sum += weight * value;
            }
        }
    }

    impl Drop for Difference {
        fn drop(&mut self) {
            self.0.zeroize();
        }
    }

    /// The generators of the unusable rows, then `W`.
    fn generators(parameters: &Parameters, placement: &Placement) -> Vec<EqAffine> {
        let mut generators = parameters.lagrange()[placement.unusable()].to_vec();
        generators.push(parameters.w());
        generators
    }

    /// Writes `T` and the responses. `nonces` is a generator that nothing else draws from.
    pub(crate) fn prove(
        parameters: &Parameters,
        placement: &Placement,
        writer: &mut Writer,
        difference: &Difference,
        nonces: &mut ChaCha20Rng,
    ) -> std::io::Result<()> {
        let generators = generators(parameters, placement);
        let tau: Vec<Fp> = generators.iter().map(|_| Fp::random(&mut *nonces)).collect();
        let tau = Zeroizing::new(tau);
        let nonce = multiexp(tau.iter().copied().zip(generators));
        writer.write_point(nonce.to_affine())?;
        let c = challenge(writer);
        for (tau, value) in tau.iter().zip(&difference.0) {
            writer.write_scalar(*tau + c * value)?;
        }
        Ok(())
    }
}
