//! Sums of floats times whole numbers, without rounding.

use num_bigint::BigInt;
use num_rational::BigRational;
use num_traits::float::FloatCore;
use num_traits::{One, Signed, Zero};

/// Every finite `f64` is a whole number of `2^-1075` (the smallest subnormal is `2^-1074`; decoding gives even multiples there).
const FRACTION_BITS: u32 = 1075;

/// An exact sum of `f64 × whole number`. Adding needs no common denominator, which a sum of fractions would.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct ExactSum(BigInt);

impl ExactSum {
    /// Adds `x · times`; `None` if `x` is not finite.
    pub(crate) fn add(&mut self, x: f64, times: &BigInt) -> Option<()> {
        if !x.is_finite() {
            return None;
        }
        let (mantissa, exponent, sign) = FloatCore::integer_decode(x);
        let shift = u32::try_from(i32::from(exponent) + FRACTION_BITS as i32).ok()?;
        self.0 += (times * BigInt::from(mantissa) * BigInt::from(sign)) << shift;
        Some(())
    }

    /// The sum.
    pub(crate) fn value(self) -> BigRational {
        BigRational::new(self.0, BigInt::one() << FRACTION_BITS)
    }
}

/// Decimals of a root.
const ROOT_DECIMALS: u32 = 30;

/// The root of what is above 0, rounded down to 30 decimals; 0 of anything else.
pub(crate) fn root(square: &BigRational) -> BigRational {
    if !square.is_positive() {
        return BigRational::zero();
    }
    let scale = BigInt::from(10).pow(ROOT_DECIMALS);
    let scaled = square.numer() * &scale * &scale / square.denom();
    BigRational::new(scaled.sqrt(), scale)
}

/// A float as the dyadic fraction it is; `None` if it is not finite.
#[cfg(test)]
pub(crate) fn dyadic(x: f64) -> Option<BigRational> {
    BigRational::from_float(x)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn floats_are_taken_as_the_dyadic_fractions_they_are() {
        let smallest = f64::from_bits(1);
        for x in [
            0.0,
            -0.0,
            1.0,
            -0.1,
            64_432.44,
            1e300,
            -1e-300,
            smallest,
            -smallest,
            f64::MAX,
            f64::MIN_POSITIVE,
        ] {
            let mut sum = ExactSum::default();
            sum.add(x, &7.into()).unwrap();
            assert_eq!(
                sum.value(),
                dyadic(x).unwrap() * BigRational::from_integer(7.into()),
                "{x:e}"
            );
        }
        for x in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
            assert!(ExactSum::default().add(x, &1.into()).is_none());
        }
    }

    #[test]
    fn nothing_of_a_sum_is_lost() {
        let mut sum = ExactSum::default();
        for (x, times) in [(1e300, 1), (1e-300, 3), (1e300, -1)] {
            sum.add(x, &times.into()).unwrap();
        }
        assert_eq!(
            sum.value(),
            dyadic(1e-300).unwrap() * BigRational::from_integer(3.into())
        );
    }
}
