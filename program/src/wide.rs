//! Unsigned 256-bit integers: just enough to evaluate an equation without wrapping, and to take a square root.

/// `hi * 2^128 + lo`.
#[derive(Copy, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Wide {
    hi: u128,
    lo: u128,
}

const HALF_BITS: u32 = 64;
const HALF_MASK: u128 = (1 << HALF_BITS) - 1;

impl Wide {
    pub(crate) const ZERO: Self = Self { hi: 0, lo: 0 };
    pub(crate) const MAX: Self = Self {
        hi: u128::MAX,
        lo: u128::MAX,
    };

    pub(crate) fn product(a: u128, b: u128) -> Self {
        let (a1, a0) = (a >> HALF_BITS, a & HALF_MASK);
        let (b1, b0) = (b >> HALF_BITS, b & HALF_MASK);
        let low = a0 * b0;
        let (middle, middle_carry) = (a1 * b0).overflowing_add(a0 * b1);
        let (lo, low_carry) = low.overflowing_add(middle << HALF_BITS);
        let hi = a1 * b1 + (middle >> HALF_BITS) + (u128::from(middle_carry) << HALF_BITS) + u128::from(low_carry);
        Self { hi, lo }
    }

    pub(crate) fn checked_add(self, other: Self) -> Option<Self> {
        let (lo, carry) = self.lo.overflowing_add(other.lo);
        let hi = self.hi.checked_add(other.hi)?.checked_add(u128::from(carry))?;
        Some(Self { hi, lo })
    }

    pub(crate) fn checked_sub(self, other: Self) -> Option<Self> {
        let (lo, borrow) = self.lo.overflowing_sub(other.lo);
        let hi = self.hi.checked_sub(other.hi)?.checked_sub(u128::from(borrow))?;
        Some(Self { hi, lo })
    }

    pub(crate) fn checked_mul(self, factor: u128) -> Option<Self> {
        let high = Self::product(self.hi, factor);
        if high.hi != 0 {
            return None;
        }
        Self::product(self.lo, factor).checked_add(Self { hi: high.lo, lo: 0 })
    }

    /// `self * 2^bits`, or `None` when a bit would be lost.
    pub(crate) fn checked_shl(self, bits: u32) -> Option<Self> {
        if self == Self::ZERO {
            return Some(self);
        }
        if bits >= 2 * u128::BITS {
            return None;
        }
        if bits >= u128::BITS {
            let hi = self.lo << (bits - u128::BITS);
            return (self.hi == 0 && hi >> (bits - u128::BITS) == self.lo).then_some(Self { hi, lo: 0 });
        }
        if bits == 0 {
            return Some(self);
        }
        (self.hi.leading_zeros() >= bits).then(|| Self {
            hi: self.hi << bits | self.lo >> (u128::BITS - bits),
            lo: self.lo << bits,
        })
    }

    pub(crate) fn saturating_add(self, other: Self) -> Self {
        self.checked_add(other).unwrap_or(Self::MAX)
    }

    pub(crate) fn saturating_shl(self, bits: u32) -> Self {
        self.checked_shl(bits).unwrap_or(Self::MAX)
    }

    /// The least `m` with `m^2 >= self`, or `None` beyond 128 bits.
    pub(crate) fn ceil_sqrt(self) -> Option<u128> {
        if Self::product(u128::MAX, u128::MAX) < self {
            return None;
        }
        // The greatest `below` with `below^2 < self`, bit by bit; the answer is the next integer.
        if self == Self::ZERO {
            return Some(0);
        }
        let mut below = 0u128;
        for bit in (0..u128::BITS).rev() {
            let candidate = below | 1 << bit;
            if Self::product(candidate, candidate) < self {
                below = candidate;
            }
        }
        below.checked_add(1)
    }

    /// How many bits it has.
    pub(crate) fn bits(self) -> u32 {
        if self.hi == 0 {
            u128::BITS - self.lo.leading_zeros()
        } else {
            2 * u128::BITS - self.hi.leading_zeros()
        }
    }

    /// `self / 2^bits` rounded down, and whether nothing was lost.
    pub(crate) fn shr(self, bits: u32) -> (Self, bool) {
        let shifted = match bits {
            0 => self,
            1..128 => Self {
                hi: self.hi >> bits,
                lo: self.lo >> bits | self.hi << (u128::BITS - bits),
            },
            _ => Self {
                hi: 0,
                lo: self.hi.checked_shr(bits - u128::BITS).unwrap_or(0),
            },
        };
        (shifted, shifted.checked_shl(bits) == Some(self))
    }

    /// Quotient and rest, or `None` when the quotient does not fit 128 bits or the divisor is zero.
    pub(crate) fn div_rem(self, divisor: u128) -> Option<(u128, u128)> {
        if self.hi >= divisor {
            return None;
        }
        if divisor >> HALF_BITS == 0 {
            // A half at a time: the rest is below the divisor, so that each quotient is half as wide, too.
            let step = |rest: u128, half: u128| {
                let part = rest << HALF_BITS | half;
                (part / divisor, part % divisor)
            };
            let (high, rest) = step(self.hi, self.lo >> HALF_BITS);
            let (low, rest) = step(rest, self.lo & HALF_MASK);
            return Some((high << HALF_BITS | low, rest));
        }
        // Bit by bit; the rest stays below the divisor, and twice it may have a bit more than fits.
        let (mut quotient, mut rest) = (0_u128, self.hi);
        for bit in (0..u128::BITS).rev() {
            let carries = rest >> (u128::BITS - 1) == 1;
            rest = rest << 1 | self.lo >> bit & 1;
            if carries || rest >= divisor {
                rest = rest.wrapping_sub(divisor);
                quotient |= 1 << bit;
            }
        }
        Some((quotient, rest))
    }

    /// The value, when it fits 128 bits.
    pub(crate) fn low(self) -> Option<u128> {
        (self.hi == 0).then_some(self.lo)
    }
}

impl From<u128> for Wide {
    fn from(lo: u128) -> Self {
        Self { hi: 0, lo }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use num_bigint::BigUint;
    use proptest::prelude::*;

    fn big(x: Wide) -> BigUint {
        (BigUint::from(x.hi) << 128) + x.lo
    }

    /// Operands of every magnitude: a uniform u128 is almost never small.
    fn any_magnitude() -> impl Strategy<Value = u128> {
        (any::<u128>(), 0..128u32).prop_map(|(x, shift)| x >> shift)
    }

    proptest! {
        #[test]
        fn wide_arithmetic_agrees_with_big_integers(a in any_magnitude(), b in any_magnitude(), c in any_magnitude(), shift in 0..300u32) {
            let product = Wide::product(a, b);
            let limit = BigUint::from(1u8) << 256;
            let checked = |x: BigUint, y: Option<Wide>| if x < limit { y.is_some_and(|y| big(y) == x) } else { y.is_none() };
            prop_assert_eq!(big(product), BigUint::from(a) * b);
            let other = Wide::product(c, b);
            prop_assert!(checked(big(product) + big(other), product.checked_add(other)));
            prop_assert!(checked(big(product) * c, product.checked_mul(c)));
            prop_assert!(checked(big(product) << shift, product.checked_shl(shift)));
            let (shifted, none_lost) = product.shr(shift);
            prop_assert_eq!(big(shifted), big(product) >> shift);
            prop_assert_eq!(none_lost, big(shifted) << shift == big(product));
            prop_assert_eq!(u64::from(product.bits()), big(product).bits());
            match product.div_rem(c) {
                Some((quotient, rest)) => {
                    prop_assert!(rest < c);
                    prop_assert_eq!(BigUint::from(quotient) * c + rest, big(product));
                }
                None => prop_assert!(c == 0 || big(product) / c > BigUint::from(u128::MAX)),
            }
            match product.checked_sub(other) {
                Some(difference) => prop_assert_eq!(big(difference) + big(other), big(product)),
                None => prop_assert!(product < other),
            }
            let root = product.ceil_sqrt().unwrap();
            prop_assert!(Wide::product(root, root) >= product);
            prop_assert!(root == 0 || Wide::product(root - 1, root - 1) < product);
        }
    }

    #[test]
    fn square_roots_at_the_edges_are_exact() {
        for x in [0u128, 1, 2, 3, 4, 5, 1 << 127, u128::MAX] {
            assert_eq!(Wide::product(x, x).ceil_sqrt(), Some(x));
        }
        assert_eq!(Wide::MAX.ceil_sqrt(), None);
    }

    #[test]
    fn a_divisor_without_a_low_half_is_divided_by_all_the_same() {
        let divisor = 3 << 120;
        let quotient = (1 << 127) | 1;
        let product = Wide::product(divisor, quotient).checked_add(Wide::from(7)).unwrap();
        assert_eq!(product.div_rem(divisor), Some((quotient, 7)));
    }
}
