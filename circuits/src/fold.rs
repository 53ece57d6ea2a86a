//! Folding: matrices times challenge, to columns (protocol §5).
//!
//! `Σ_j r_j · equation_j` holds exactly when every equation holds, except with negligible probability, if `r` is drawn after `q`
//! and `w` are committed. The multipliers are `r_j` = the first 128 bits of `H(r ‖ j)`: a false equation survives with probability
//! `2^-128`, as with powers of a full-size `r`, but `f` has scalars of half the size, and a coefficient times `r_j` is two
//! machine multiplications instead of one in the field.
//!
//! A variable that is a sum of squares has its coefficient in the `s` of its group, negated: in the rows of a slack, which is most of them,
//! it is a multiplier of 128 bits and not its negative in the field. The projections ([`roots`](crate::roots)) are equations, too:
//! those of the columns `t` of all groups have the multipliers `r_p` that follow those of the program, the same ones for each `t`, and an
//! accumulator for each `t`, that of the program for `t = 0`. So their factors fold to one column `b = Σ_p r_p c_p` per group, in which
//! the row of the mask `μ_p` has `r_p`, and what accumulator `t` ends with is `γ_t = Σ_p r_p u_{p,t}`, `γ = Σ r_j g_j` added to the first.
//! `b`, `s` and the `γ_t` are public like `a`, and linked like it.

use ff::{Field, PrimeField};
use pasta_curves::Fp;
use zkmargin_program::Program;
use zkmargin_program::bounds::MAX_EQUATIONS;

use crate::commitment::Signed;
use crate::roots::{PROJECTIONS, factors};
use crate::shape::{Place, Placement};
use crate::transcript::{Personal, hash_u128};

/// The rule for `r_j` that this version uses; part of the statement.
pub const FOLDING_RULE: u32 = 1;

/// The folded program: `a = Σ r_j A_j`, `f = Σ r_j F_j`, `s = Σ r_j Q_j`, `γ = Σ r_j g_j`, as columns.
pub(crate) struct Folded {
    /// What advice columns are linked to: `a`, one per `q` column; `b` and then `s`, one per group of `x` columns. The last usable row of
    /// the `t`-th of them holds `γ_t`.
    pub(crate) public: Vec<Vec<Signed>>,
    /// The instance columns, a value per usable row: `f_0 .. f_{D-1}`, then `s_0 .. s_{D_q-1}`.
    pub(crate) instance: Vec<Vec<Fp>>,
}

/// `r_j` for `j < count`.
fn multipliers(r: &Fp, count: usize) -> Vec<u128> {
    let r = r.to_repr();
    (0..count as u64)
        .map(|j| hash_u128(Personal::Fold, &[&r, &j.to_le_bytes()]))
        .collect()
}

/// Folds a program whose variables are placed, and the projections that `e` draws and that are said to be `masked`, once there are masks.
pub(crate) fn fold(program: &Program, placement: &Placement, e: &Fp, masked: &[u128], r: &Fp) -> Folded {
    let (layout, shape) = (program.layout(), placement.shape());
    let equations = program.equations().len();
    let projections = if shape.x_columns > 0 { PROJECTIONS } else { 0 };
    let multipliers = multipliers(r, equations + projections);
    let of_projections = multipliers.get(equations..).unwrap_or_default();

    let mut legs = vec![Sum::default(); layout.slots()];
    let mut f = vec![vec![Fp::ZERO; placement.last() + 1]; shape.z_columns];
    let mut s = vec![vec![Fp::ZERO; placement.last() + 1]; shape.square_columns];
    let mut sums = vec![Fp::ZERO; placement.squares()];
    let mut gamma = Fp::ZERO;
    for (equation, multiplier) in program.equations().iter().zip(&multipliers) {
        let in_limbs = limbs(*multiplier);
        for (leg, coefficient) in &equation.legs {
            legs[leg.index()].add_product(&in_limbs, *coefficient);
        }
        let multiplier = Fp::from_u128(*multiplier);
        for (variable, coefficient) in &equation.variables {
            let product = multiplier * integer(*coefficient);
            match placement.place(*variable) {
                Place::Run(cell) => f[cell.column][cell.row] += product,
                Place::Squares(index) => sums[index] -= product,
            }
        }
        for (variable, coefficient) in &equation.squares {
            // What is squared is whole, and stands in a run.
            if let Place::Run(cell) = placement.place(*variable) {
                s[cell.column][cell.row] += multiplier * integer(i128::from(*coefficient));
            }
        }
        gamma += multiplier * integer(equation.constant);
    }
    f.extend(s);

    let (q, groups) = (shape.q_columns, shape.x_groups());
    let mut public = vec![vec![Signed::ZERO; placement.last() + 1]; shape.public_columns()];
    for (column, legs) in public.iter_mut().zip(legs.chunks(layout.rows())) {
        column
            .iter_mut()
            .zip(legs)
            .for_each(|(value, leg)| *value = leg.signed());
    }
    if let Some(masks) = public.get_mut(q) {
        for (row, multiplier) in masks.iter_mut().zip(of_projections) {
            *row = Signed::from_u128(*multiplier);
        }
    }
    for (index, sum) in sums.into_iter().enumerate() {
        let (group, rows) = placement.rows_of_roots(index);
        for (row, factors) in rows.zip(factors(e, index as u64)) {
            public[q + group][row] = weighted(of_projections, factors.digits());
            public[q + groups + group][row] = Signed::from_scalar(&sum);
        }
    }
    // They stand where the accumulators end: in a row that no leg and no root reaches.
    let mut ends = vec![Fp::ZERO; shape.x_group];
    for (end, masked) in ends.iter_mut().zip(masked.chunks(PROJECTIONS)) {
        let products = masked.iter().zip(of_projections);
        *end = products.map(|(u, r)| Fp::from_u128(*u) * Fp::from_u128(*r)).sum();
    }
    ends[0] += gamma;
    for (column, end) in public.iter_mut().zip(ends) {
        column[placement.last()] = Signed::from_scalar(&end);
    }
    Folded { public, instance: f }
}

/// `Σ_p r_p·c_p` of 128-bit multipliers and digits.
fn weighted(multipliers: &[u128], digits: impl Iterator<Item = u64>) -> Signed {
    const { assert!(PROJECTIONS <= 1 << 8) };
    // 2^8 digits of 4 bits times 64 bits: below 2^76.
    let (mut low, mut high) = (0_u128, 0_u128);
    for (multiplier, digit) in multipliers.iter().zip(digits) {
        low += (multiplier & u128::from(u64::MAX)) * u128::from(digit);
        high += (multiplier >> 64) * u128::from(digit);
    }
    high += low >> 64;
    Signed {
        negative: false,
        magnitude: [low as u64, high as u64, (high >> 64) as u64, 0],
    }
}

/// An integer as a scalar.
fn integer(value: i128) -> Fp {
    let magnitude = Fp::from_u128(value.unsigned_abs());
    if value < 0 { -magnitude } else { magnitude }
}

/// Bits of a limb of a multiplier in [`Sum`].
const LIMB_BITS: u32 = 43;

/// A multiplier of 128 bits in limbs.
fn limbs(multiplier: u128) -> [i64; 3] {
    [0, 1, 2].map(|place| (multiplier >> (LIMB_BITS * place)) as i64 & ((1 << LIMB_BITS) - 1))
}

/// A sum of products of multipliers of 128 bits and coefficients of 64, limb by limb of the multipliers: three products of machine words each, and
/// neither a carry nor a branch on a sign before the end.
#[derive(Clone, Copy, Default)]
struct Sum([i128; 3]);

// A product has fewer than 43 + 63 bits, and there are fewer than 2^20 of them.
const _: () = assert!(MAX_EQUATIONS < 1 << 20);

impl Sum {
    fn add_product(&mut self, multiplier: &[i64; 3], coefficient: i64) {
        for (sum, limb) in self.0.iter_mut().zip(multiplier) {
            *sum += i128::from(*limb) * i128::from(coefficient);
        }
    }

    fn signed(&self) -> Signed {
        let [low, middle, high] = self.0;
        let middle = middle + (low >> LIMB_BITS);
        let high = high + (middle >> LIMB_BITS);
        let mask = (1_i128 << LIMB_BITS) - 1;
        // Two limbs that are not negative, under one of up to 127 bits that has the sign.
        let below = (low & mask) as u128 | ((middle & mask) as u128) << LIMB_BITS;
        let negative = high < 0;
        let (high, below) = match (negative, below) {
            (false, below) => (high as u128, below),
            (true, 0) => (high.unsigned_abs(), 0),
            (true, below) => ((high + 1).unsigned_abs(), (1 << (2 * LIMB_BITS)) - below),
        };
        // `below` ends after 86 bits, 22 of them in the second word.
        let second = (below >> 64) | (high << (2 * LIMB_BITS - 64));
        Signed {
            negative,
            magnitude: [
                below as u64,
                second as u64,
                (high >> (128 - 2 * LIMB_BITS)) as u64,
                (high >> (192 - 2 * LIMB_BITS)) as u64,
            ],
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn sums_in_limbs_equal_sums_in_the_field(
            terms in proptest::collection::vec((any::<u128>(), prop_oneof![any::<i64>(), -3..4_i64]), 0..50),
        ) {
            let mut sum = Sum::default();
            let mut expected = Fp::ZERO;
            for (multiplier, coefficient) in terms {
                sum.add_product(&limbs(multiplier), coefficient);
                expected += Fp::from_u128(multiplier) * integer(i128::from(coefficient));
            }
            prop_assert_eq!(sum.signed().to_scalar(), expected);
        }
    }

    proptest! {
        #[test]
        fn weighted_digits_equal_sums_in_the_field(terms in proptest::collection::vec((any::<u128>(), 0_u64..16), 0..32)) {
            let (multipliers, digits): (Vec<u128>, Vec<u64>) = terms.into_iter().unzip();
            let expected: Fp = multipliers.iter().zip(&digits).map(|(r, c)| Fp::from_u128(*r) * Fp::from(*c)).sum();
            prop_assert_eq!(weighted(&multipliers, digits.into_iter()).to_scalar(), expected);
        }
    }

    #[test]
    fn most_products_of_the_greatest_factors_do_not_wrap() {
        for coefficient in [i64::MIN, i64::MAX] {
            let mut sum = Sum::default();
            (0..MAX_EQUATIONS).for_each(|_| sum.add_product(&limbs(u128::MAX), coefficient));
            let one = Fp::from_u128(u128::MAX) * integer(i128::from(coefficient));
            assert_eq!(sum.signed().to_scalar(), one * Fp::from(MAX_EQUATIONS as u64));
        }
    }

    #[test]
    fn sums_next_to_the_ends_of_limbs_are_what_they_are() {
        for (multiplier, coefficient) in [
            (1, 1),
            (1, -1),
            ((1 << 86) - 1, 1),
            (1 << 43, -1),
            (1 << 86, -1),
            ((1 << 86) - 1, -1),
            (1 << 86, 1),
            (3 << 85, -1),
        ] {
            let mut sum = Sum::default();
            sum.add_product(&limbs(multiplier), coefficient);
            let expected = Fp::from_u128(multiplier) * integer(i128::from(coefficient));
            assert_eq!(sum.signed().to_scalar(), expected);
            assert_eq!(sum.signed().negative, coefficient < 0);
        }
    }

    #[test]
    fn multipliers_depend_on_every_index_and_on_r() {
        let (one, two) = (multipliers(&Fp::from(1), 64), multipliers(&Fp::from(2), 64));
        assert!(one.iter().zip(&two).all(|(x, y)| x != y));
        assert!((1..64).all(|j| one[j] != one[j - 1]));
    }
}
