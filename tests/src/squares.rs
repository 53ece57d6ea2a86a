//! Sums of four squares and the factors of their projections (protocol §5).

use ff::PrimeField;
use pasta_curves::Fp;

/// Roots of a sum of squares.
pub const ROOTS: usize = 4;
/// `P`.
pub const PROJECTIONS: usize = 32;

/// `c_{p,i}` of one row, `p < P`.
pub type Factors = [u64; PROJECTIONS];

/// The factors of the rows of the sum with an index, given `e`.
pub type FactorRule = fn(&Fp, usize) -> [Factors; ROOTS];

/// The protocol's: hexadecimal digits of the words of a hash, lowest first.
pub fn factors(e: &Fp, sum: usize) -> [Factors; ROOTS] {
    let mut state = blake2b_simd::Params::new()
        .hash_length(64)
        .personal(b"zkmargin-proj-v1")
        .to_state();
    state.update(&e.to_repr()).update(&(sum as u64).to_le_bytes());
    let bytes = state.finalize();
    let digit = |row: usize, p: usize| u64::from(bytes.as_bytes()[16 * row + p / 2] >> (4 * (p % 2)) & 15);
    std::array::from_fn(|row| std::array::from_fn(|p| digit(row, p)))
}

/// Four numbers whose squares add up to this one.
///
/// The largest square, then the largest of the rest: little is left, and it is searched for two squares. If it is none such,
/// smaller second squares are tried, then smaller first ones.
pub fn four_squares(number: u128) -> [u128; ROOTS] {
    // A multiple of eight has the sums of a quarter of it, twice as large, and no others: far too few to come upon.
    if number > 0 && number.is_multiple_of(4) {
        return four_squares(number / 4).map(|root| 2 * root);
    }
    for first in (0..=number.isqrt()).rev() {
        let rest = number - first * first;
        let most = rest.isqrt();
        for second in (most.saturating_sub(1000)..=most).rev() {
            if let Some([third, fourth]) = two_squares(rest - second * second) {
                return [first, second, third, fourth];
            }
        }
    }
    unreachable!("Lagrange's theorem")
}

fn two_squares(number: u128) -> Option<[u128; 2]> {
    let mut small = 0;
    while 2 * small * small <= number {
        let large = (number - small * small).isqrt();
        if large * large + small * small == number {
            return Some([large, small]);
        }
        small += 1;
    }
    None
}
