//! Folding: matrices times challenge, to columns (protocol §5).
//!
//! `Σ_j r_j · equation_j` holds exactly when every equation holds, except with negligible probability, if `r` is drawn after `q`
//! and `w` are committed. The multipliers are `r_j` = the first 128 bits of `H(r ‖ j)`: a false equation survives with probability
//! `2^-128`, as with powers of a full-size `r`, but `f` has scalars of half the size, and a coefficient times `r_j` is two
//! machine multiplications instead of one in the field.

use ff::{Field, PrimeField};
use pasta_curves::Fp;
use zkmargin_program::Program;

use crate::commitment::Signed;
use crate::shape::Placement;
use crate::transcript::{Personal, hash_u128};

/// The rule for `r_j` that this version uses; part of the statement.
pub const FOLDING_RULE: u32 = 1;

/// The folded program: `a = Σ r_j A_j`, `f = Σ r_j F_j`, `s = Σ r_j Q_j`, `γ = Σ r_j g_j`, as columns.
pub(crate) struct Folded {
    /// One per `q` column, a value per row of legs.
    pub(crate) a: Vec<Vec<Signed>>,
    /// The instance columns, a value per usable row: `f_0 .. f_{D-1}` (`γ` in the last row of `f_0`), then `s_0 .. s_{D_q-1}`.
    pub(crate) instance: Vec<Vec<Fp>>,
}

/// `r_j` for `j < count`.
fn multipliers(r: &Fp, count: usize) -> Vec<u128> {
    let r = r.to_repr();
    (0..count as u64)
        .map(|j| hash_u128(Personal::Fold, &[&r, &j.to_le_bytes()]))
        .collect()
}

/// Folds a program whose variables are placed.
pub(crate) fn fold(program: &Program, placement: &Placement, r: &Fp) -> Folded {
    let (layout, shape) = (program.layout(), placement.shape());
    let multipliers = multipliers(r, program.equations().len());

    let mut legs = vec![Wide::default(); layout.slots()];
    let mut f = vec![vec![Fp::ZERO; placement.last() + 1]; shape.z_columns];
    let mut s = vec![vec![Fp::ZERO; placement.last() + 1]; shape.square_columns];
    let mut gamma = Fp::ZERO;
    for (equation, multiplier) in program.equations().iter().zip(&multipliers) {
        for (leg, coefficient) in &equation.legs {
            legs[leg.index()].add_product(*multiplier, *coefficient);
        }
        let multiplier = Fp::from_u128(*multiplier);
        for (variable, coefficient) in &equation.variables {
            let cell = placement.cell(*variable);
            f[cell.column][cell.row] += multiplier * integer(*coefficient);
        }
        for (variable, coefficient) in &equation.squares {
            let cell = placement.cell(*variable);
            s[cell.column][cell.row] += multiplier * integer(i128::from(*coefficient));
        }
        gamma += multiplier * integer(equation.constant);
    }
    // `γ` stands where `acc` ends: in a row that no run reaches.
    f[0][placement.last()] = gamma;
    f.extend(s);

    let a = legs
        .chunks(layout.rows())
        .map(|column| column.iter().map(Wide::signed).collect())
        .collect();
    Folded { a, instance: f }
}

/// An integer as a scalar.
fn integer(value: i128) -> Fp {
    let magnitude = Fp::from_u128(value.unsigned_abs());
    if value < 0 { -magnitude } else { magnitude }
}

/// A 256-bit two's complement sum of products of 128 by 64 bits: no wrap for fewer than `2^64` of them.
#[derive(Clone, Copy, Default)]
struct Wide([u64; 4]);

impl Wide {
    fn add_product(&mut self, multiplier: u128, coefficient: i64) {
        let factor = u128::from(coefficient.unsigned_abs());
        let low = (multiplier & u128::from(u64::MAX)) * factor;
        // At most (2^64 - 1)·2^63 + 2^64, below 2^128.
        let high = (multiplier >> 64) * factor + (low >> 64);
        let product = [low as u64, high as u64, (high >> 64) as u64, 0];
        let subtract = coefficient < 0;
        let mut carry = subtract;
        for (limb, addend) in self.0.iter_mut().zip(product) {
            // Subtracting is adding the complement and one.
            let addend = if subtract { !addend } else { addend };
            let (sum, first) = limb.overflowing_add(addend);
            let (sum, second) = sum.overflowing_add(u64::from(carry));
            *limb = sum;
            carry = first | second;
        }
    }

    fn signed(&self) -> Signed {
        let negative = self.0[3] >> 63 == 1;
        let mut magnitude = self.0;
        if negative {
            let mut carry = true;
            for limb in &mut magnitude {
                let (sum, overflow) = (!*limb).overflowing_add(u64::from(carry));
                *limb = sum;
                carry = overflow;
            }
        }
        Signed { negative, magnitude }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn wide_sums_equal_sums_in_the_field(terms in proptest::collection::vec((any::<u128>(), any::<i64>()), 0..50)) {
            let mut wide = Wide::default();
            let mut expected = Fp::ZERO;
            for (multiplier, coefficient) in terms {
                wide.add_product(multiplier, coefficient);
                expected += Fp::from_u128(multiplier) * integer(i128::from(coefficient));
            }
            prop_assert_eq!(wide.signed().to_scalar(), expected);
        }
    }

    #[test]
    fn extreme_products_do_not_wrap() {
        let mut wide = Wide::default();
        wide.add_product(u128::MAX, i64::MIN);
        wide.add_product(u128::MAX, i64::MIN);
        let expected = -(Fp::from_u128(u128::MAX) * Fp::from_u128(1 << 64));
        assert_eq!(wide.signed().to_scalar(), expected);
    }

    #[test]
    fn multipliers_depend_on_every_index_and_on_r() {
        let (one, two) = (multipliers(&Fp::from(1), 64), multipliers(&Fp::from(2), 64));
        assert!(one.iter().zip(&two).all(|(x, y)| x != y));
        assert!((1..64).all(|j| one[j] != one[j - 1]));
    }
}
