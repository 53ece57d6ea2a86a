//! Numbers that are not negative, as sums of four squares (protocol §5).
//!
//! Most hidden variables need no more than a sign: a slack, a bound that is at least each of several losses. Such a `w_j` has no
//! run of limbs. It *is* `x_0² + x_1² + x_2² + x_3²`, of four cells of the `x` columns, and enters the running inner product
//! through their squares. In the field every number is such a sum; over the rationals only numbers that are not negative
//! are. So the circuit shows that the `x` are fractions with small numerators and a common denominator.
//!
//! *Projections.* The `x` columns come in groups of `g`; `x_{i,t}` is the cell of column `t` of its group in a row `i`, counted over
//! all groups. With the roots, masks `μ_{p,t}` are committed. Then a challenge `e` gives every `i` factors `c_{p,i} ∈ [0, C)`, and the
//! prover says in public what the circuit shows to be the masked projections:
//!
//! ```text
//! Σ_i c_{p,i}·x_{i,t} + μ_{p,t} = u_{p,t} ,     u_{p,t} ∈ [0, 2^ω)          p < P ,  t < g
//! ```
//!
//! *They show that roots are small.* Fix a cell `x_{i,t}`, the masks, and all factors but those of `i`. If two values of `c_{p,i}` allow
//! a `u_{p,t}` in range, their difference `d` and that of the two `u_{p,t}` give `d·x_{i,t} = η`, `0 < d < C`, `|η| < 2^ω`. A cell that is
//! no such fraction passes its `P` projections with probability `C^{-P} = 2^-128` at most, whatever the masks are. So every root is a
//! fraction below `2^ω` whose denominator divides `Λ = lcm(1 .. C-1)`, every such `w_j` one below `4·2^{2ω}` whose denominator divides
//! `Λ²`, and not negative; and an equation, multiplied by `Λ²`, is one of integers, which the no-wrap bound covers ([`Range::Fraction`]).
//!
//! *They show nothing else.* An honest projection is below `2^β`, `β + 16 <= ω`. Masks are uniform below `2^ω`, and a prover that finds
//! any `u_{p,t}` below `2^β` begins anew. Of the masks that give a `u` from `2^β` to `2^ω - 1` there is one for each projection below
//! `2^β`: those that are said are uniform, whatever was projected, and so is how often a prover begins anew.
//!
//! What is fractional cannot understate a requirement: the verbs that need integers say so
//! ([`Variable::whole`](zkmargin_program::Variable::whole)), and theirs stay in runs of limbs.

use ff::PrimeField;
use pasta_curves::Fp;
use zkmargin_program::Range;

use crate::transcript::{Personal, hash64};

/// Roots of a variable: every natural number is a sum of four squares (Lagrange).
pub(crate) const ROOTS: usize = 4;

/// `P`: projections of each column of a group of `x` columns.
pub(crate) const PROJECTIONS: usize = 32;

/// `C = 2^4`: a factor is one hexadecimal digit of a hash.
const FACTOR_BITS: u32 = 4;

/// `C^{-P} = 2^-128`: all factors of a row are one 128-bit number.
const _: () = assert!(PROJECTIONS as u32 * FACTOR_BITS == u128::BITS);

/// `Λ = lcm(1 .. 15)`.
const DENOMINATOR: u64 = 360_360;

/// The factors of one row, `c_{p,i}` in bits `4p` to `4p + 3`.
#[derive(Clone, Copy)]
pub(crate) struct Factors(u128);

impl Factors {
    /// `c_{p,i}` for `p = 0, 1, …`
    pub(crate) fn digits(self) -> impl Iterator<Item = u64> {
        (0..PROJECTIONS as u32).map(move |p| (self.0 >> (p * FACTOR_BITS)) as u64 & ((1 << FACTOR_BITS) - 1))
    }
}

/// The factors of the rows, at most four, of the `index`-th variable that is a sum of squares: the 16-byte words of `H(e ‖ index)`.
pub(crate) fn factors(e: &Fp, index: u64) -> [Factors; ROOTS] {
    let words = hash64(Personal::Projection, &[&e.to_repr(), &index.to_le_bytes()]);
    let (words, _) = words.as_chunks();
    let mut factors = [Factors(0); ROOTS];
    for (factors, word) in factors.iter_mut().zip(words) {
        *factors = Factors(u128::from_le_bytes(*word));
    }
    factors
}

/// `ω - β`, at least: one mask in `2^16` does not let its projection be said. The largest proofs have `2^15` of them.
const MASK_BITS: u32 = 16;

/// `β`: bits that hold every projection of an honest prover, for sums of squares of these widths: four roots of a `w < 2^b` add up to
/// at most `2·sqrt(w)`.
pub(crate) fn projection_bits(widths: impl Iterator<Item = u32>) -> u32 {
    let most: u128 = widths.map(|bits| 2 << bits.div_ceil(2)).sum::<u128>() * ((1 << FACTOR_BITS) - 1);
    (u128::BITS - most.leading_zeros()).max(1)
}

/// `ω/8`: bytes of a masked projection.
pub(crate) fn masked_bytes(projection_bits: u32) -> usize {
    (projection_bits + MASK_BITS).div_ceil(u8::BITS) as usize
}

/// What masked projections of so many bytes show of a sum of squares.
pub(crate) fn shown(masked_bytes: usize) -> Range {
    Range::Fraction {
        bits: 2 * u8::BITS * masked_bytes as u32 + 2,
        denominator: DENOMINATOR * DENOMINATOR,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_denominator_below_c_divides_the_common_one_and_no_smaller_number_will_do() {
        let divisors = 1..1_u64 << FACTOR_BITS;
        assert!(divisors.clone().all(|d| DENOMINATOR.is_multiple_of(d)));
        for prime in [2, 3, 5, 7, 11, 13] {
            assert!(divisors.clone().any(|d| !(DENOMINATOR / prime).is_multiple_of(d)));
        }
    }

    #[test]
    fn factors_are_digits_of_a_hash_of_challenge_and_place() {
        let digits = |e: u64, index| factors(&Fp::from(e), index).map(|f| f.digits().collect::<Vec<_>>());
        let all: Vec<_> = [(1, 0), (1, 1), (2, 0)]
            .into_iter()
            .flat_map(|(e, i)| digits(e, i))
            .collect();
        assert!(
            all.iter()
                .all(|digits| digits.len() == PROJECTIONS && digits.iter().all(|d| *d < 16))
        );
        for (index, one) in all.iter().enumerate() {
            assert!(!all[index + 1..].contains(one));
        }
        let seen: std::collections::BTreeSet<u64> = all.into_iter().flatten().collect();
        assert_eq!(seen.len(), 16);
    }

    #[test]
    fn the_width_of_projections_holds_the_largest_roots() {
        // A number below 2^80 has roots that add up to at most 2·2^40; a digit is at most 15.
        assert_eq!(projection_bits([80].into_iter()), 45);
        assert_eq!(projection_bits([80; 100].into_iter()), 52);
        // 18 times at most 4, times 15, is 1080.
        assert_eq!(projection_bits([2; 18].into_iter()), 11);
        assert_eq!(projection_bits([128; 1 << 15].into_iter()), 84);
    }

    #[test]
    fn a_sum_of_squares_is_shown_to_be_below_four_squares_of_masked_projections_over_the_denominator_squared() {
        for (bytes, bits) in [(1, 18), (8, 130), (12, 194)] {
            let denominator = 129_859_329_600;
            assert_eq!(shown(bytes), Range::Fraction { bits, denominator });
        }
    }
}
