//! Every natural number as a sum of four squares, with the largest first (Lagrange, Legendre).
//!
//! `w = x_0² + m`, with `x_0` the greatest root that leaves an `m` of three squares: `m` has half the bits of `w`, and what the second
//! root leaves a quarter, so that the last two are found by trial. How long that takes depends on the number.

/// Second roots that are tried for one remainder. Below `64²` that is all of them.
const TRIES: u64 = 64;

/// The squares modulo 64, a bit each.
const SQUARES_MOD_64: u64 = 0x0202_0212_0203_0213;

/// `[x_0, x_1, x_2, x_3]` with `Σ x_i² = w`.
pub(crate) fn four_squares(w: u128) -> Option<[u64; 4]> {
    let (w, twos) = without_fours(w);
    let most = u64::try_from(w.isqrt()).ok()?;
    (0..=most).rev().find_map(|first| {
        let square = u128::from(first) * u128::from(first);
        let [second, third, fourth] = three_squares(w - square)?;
        Some([first, second, third, fourth].map(|root| root << twos))
    })
}

/// Three squares, unless there are none (`4^a·(8b + 7)`) or they are hard to find.
fn three_squares(m: u128) -> Option<[u64; 3]> {
    let (m, twos) = without_fours(m);
    if m % 8 == 7 {
        return None;
    }
    let most = u64::try_from(m.isqrt()).ok()?;
    let least = most.saturating_sub(TRIES);
    (least..=most).rev().find_map(|first| {
        let rest = m - u128::from(first) * u128::from(first);
        let [second, third] = two_squares(u64::try_from(rest).ok()?)?;
        Some([first, second, third].map(|root| root << twos))
    })
}

/// Two squares, the larger first.
fn two_squares(m: u64) -> Option<[u64; 2]> {
    // A sum of two squares is 0, 1 or 2 modulo 4.
    if m % 4 == 3 {
        return None;
    }
    let mut first = m.isqrt();
    loop {
        let square = first * first;
        let rest = m - square;
        if rest > square {
            return None;
        }
        if SQUARES_MOD_64 >> (rest % 64) & 1 == 1 {
            let second = rest.isqrt();
            if second * second == rest {
                return Some([first, second]);
            }
        }
        first = first.checked_sub(1)?;
    }
}

/// A number without its factors 4, and how many there were.
fn without_fours(number: u128) -> (u128, u32) {
    match number {
        0 => (0, 0),
        number => {
            let twos = number.trailing_zeros() / 2;
            (number >> (2 * twos), twos)
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use proptest::prelude::*;

    use super::*;

    fn is_sum(w: u128) -> bool {
        let roots = four_squares(w).unwrap();
        let sum = roots
            .iter()
            .try_fold(0_u128, |sum, root| sum.checked_add(u128::from(*root).pow(2)));
        // What the width of the projections rests on.
        let small = roots.iter().map(|root| u128::from(*root)).sum::<u128>() / 2 <= w.isqrt();
        sum == Some(w) && small
    }

    #[test]
    fn every_small_number_is_a_sum_of_four_squares() {
        assert!((0..1 << 17).all(is_sum));
    }

    #[test]
    fn squares_modulo_64_are_all_in_the_filter() {
        let filter = (0..64_u64).fold(0, |filter, root| filter | 1 << (root * root % 64));
        assert_eq!(filter, SQUARES_MOD_64);
    }

    #[test]
    fn numbers_with_few_sums_are_found() {
        for twos in 0..62 {
            for odd in [1_u128, 3, 7, 15, 23, 28, 39, 55, 71, 79] {
                assert!(is_sum(odd << (2 * twos)), "{odd}·4^{twos}");
            }
        }
        for bits in 1..=100_u32 {
            assert!(is_sum((1_u128 << bits) - 1) && is_sum(1 << bits) && is_sum((1 << bits) + 1));
        }
    }

    proptest! {
        #[test]
        fn numbers_of_every_width_are_sums_of_four_squares(bits in 1_u32..=112, number: u128) {
            prop_assert!(is_sum(number >> (128 - bits)));
        }
    }
}
