//! Exact factors between a table's figure and units per lot.

use rust_decimal::Decimal;
use zkmargin_program::{Linear, NumberError, Ratio, Real};

/// A decimal as an exact ratio.
///
/// # Errors
/// [`NumberError`], for none that a checked file has.
pub(crate) fn ratio(value: Decimal) -> Result<Ratio, NumberError> {
    // The scale of a decimal is at most 28.
    Ratio::from_decimal(value.mantissa(), -(value.scale() as i32))
}

/// `1 / value`.
///
/// # Errors
/// [`NumberError::ZeroDenominator`], and [`NumberError`] for none that a checked file has.
pub(crate) fn inverse(value: Decimal) -> Result<Ratio, NumberError> {
    let value = ratio(value)?;
    let sign = if value.is_negative() { -1 } else { 1 };
    let denominator = i128::try_from(value.denominator()).map_err(|_| NumberError::Overflow)?;
    Ratio::new(sign * denominator, value.numerator().unsigned_abs())
}

/// A product of exact ratios, kept in parts because each may be applied to a real number only while its numerator and
/// denominator are at most 2^64. The large factors come first: what a later part multiplies has been rounded already.
#[derive(Copy, Clone, Debug)]
pub(crate) struct Factor {
    parts: [Ratio; PARTS],
}

/// Parts of a factor: more than the prices, sizes and charges that one coefficient is made of need.
const PARTS: usize = 4;

impl Factor {
    pub(crate) fn new(ratio: Ratio) -> Factor {
        let mut parts = [Ratio::ONE; PARTS];
        parts[0] = ratio;
        Factor { parts }
    }

    pub(crate) fn times(mut self, ratio: Ratio) -> Result<Factor, NumberError> {
        let is_fine = |ratio: &Ratio| ratio.numerator().unsigned_abs() <= 1 << 64 && ratio.denominator() <= 1 << 64;
        for part in &mut self.parts {
            if let Some(product) = part.checked_mul(ratio).ok().filter(is_fine) {
                *part = product;
                return Ok(self);
            }
        }
        Err(NumberError::TooFine)
    }

    /// Encloses `x` times this.
    pub(crate) fn enclose(&self, x: f64) -> Result<Real, NumberError> {
        self.rest(Real::from_f64(x, self.parts[0])?)
    }

    /// Encloses this.
    pub(crate) fn real(&self) -> Result<Real, NumberError> {
        self.rest(Real::from_ratio(self.parts[0])?)
    }

    /// Encloses `real` times this.
    pub(crate) fn apply(&self, real: Real) -> Result<Real, NumberError> {
        let parts = self.parts.iter().filter(|part| **part != Ratio::ONE);
        parts.copied().try_fold(real, Real::checked_mul)
    }

    fn rest(&self, real: Real) -> Result<Real, NumberError> {
        let parts = self.parts.iter().skip(1).filter(|part| **part != Ratio::ONE);
        parts.copied().try_fold(real, Real::checked_mul)
    }

    /// The form times this.
    pub(crate) fn scale(&self, form: Linear) -> Linear {
        let parts = self.parts.iter().filter(|part| **part != Ratio::ONE);
        parts.copied().fold(form, Linear::scale)
    }
}
