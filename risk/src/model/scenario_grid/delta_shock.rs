//! The delta shock as affine pieces: chords of its quadratic part, and its cap.

use num_bigint::BigInt;
use num_rational::BigRational;
use num_traits::Zero;
use rust_decimal::Decimal;
use zkmargin_program::{NumberError, Ratio};

use crate::amount::to_ratio;
use crate::model::scenario_grid::parameters::DeltaShock;

/// A slope is a whole number of one part in so many: the program multiplies by it without a variable.
pub(super) const SLOPES: u32 = 10_000;
/// An offset is a whole number of one part of a USD in so many.
const PLACES: u64 = 100;

/// The chords of `D (increment / index) (D - threshold)` over equal parts of `threshold` to `threshold + most index / increment`:
/// slopes, rounded up, and offsets in USD, rounded down; on its part, and beyond, a chord is not below.
pub(super) fn chords(shock: DeltaShock, index: Decimal) -> Result<Vec<(u32, Ratio)>, NumberError> {
    let whole = |number: u64| BigRational::from_integer(BigInt::from(number));
    let steepness = to_ratio(shock.increment) / to_ratio(index);
    let threshold = to_ratio(shock.threshold);
    let part = to_ratio(shock.most) / (&steepness * whole(shock.chords.into()));
    let mut pieces = Vec::new();
    let (mut at, mut charged) = (threshold.clone(), BigRational::zero());
    for _ in 0..shock.chords {
        let next = &at + &part;
        let then = &steepness * &next * (&next - &threshold);
        let slope = rounded_up((&then - &charged) / &part)?;
        // Through the left end of the part: with a steeper slope it is not below at the right one, either.
        let offset = whole(slope.into()) / whole(SLOPES.into()) * &at - &charged;
        let offset = (offset * whole(PLACES)).floor().to_integer();
        let offset = i128::try_from(offset).map_err(|_| NumberError::Overflow)?;
        pieces.push((slope, Ratio::new(offset, PLACES.into())?));
        (at, charged) = (next, then);
    }
    Ok(pieces)
}

/// The slope of the cap.
pub(super) fn steepest(shock: DeltaShock) -> Result<u32, NumberError> {
    rounded_up(to_ratio(shock.most))
}

fn rounded_up(slope: BigRational) -> Result<u32, NumberError> {
    let parts = (slope * BigRational::from_integer(SLOPES.into())).ceil().to_integer();
    u32::try_from(parts).map_err(|_| NumberError::Overflow)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    /// With the figures of `private/pme/simulate` in Deribit's API documentation: threshold 20 million USD, increment 0.00005, most 0.1,
    /// index 65,666.19.
    #[test]
    fn chords_and_cap_are_never_below_the_shock_and_above_it_by_no_more_than_is_stated() {
        let shock = DeltaShock {
            threshold: Decimal::from(20_000_000),
            increment: Decimal::new(5, 5),
            most: Decimal::new(1, 1),
            chords: 16,
        };
        let index = Decimal::new(6_566_619, 2);
        let pieces = chords(shock, index).unwrap();
        let (k, t, s) = (0.000_05 / 65_666.19, 2e7, 0.1);
        let part = s / (k * 16.0);
        let stated = s * s / (4.0 * k * 256.0) + part / 1e4 + 1.0;
        for step in 0..4_000 {
            let d = f64::from(step) * 1e5;
            let larger = |a: f64, b: f64| if b > a { b } else { a };
            let smaller = |a: f64, b: f64| if b < a { b } else { a };
            let exact = d * smaller(k * larger(d - t, 0.0), s);
            let affine = |(slope, offset): &(u32, Ratio)| {
                f64::from(*slope) / 1e4 * d - offset.numerator() as f64 / offset.denominator() as f64
            };
            let quadratic = pieces.iter().map(affine).fold(0.0, larger);
            let bound = smaller(quadratic, f64::from(steepest(shock).unwrap()) / 1e4 * d);
            assert!(
                bound >= exact - 1e-3 && bound <= exact + stated,
                "{d}: {bound} of {exact}"
            );
        }
    }
}
