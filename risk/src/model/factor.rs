//! Exact factors between a table's figure and units per lot.

use rust_decimal::Decimal;
use zkmargin_program::{NumberError, Ratio, Real};

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

/// A product of exact ratios, kept in two parts because one part may be applied to a real number only while its
/// numerator and denominator are below 2^64. The large factors come first: what the second part multiplies has been
/// rounded already.
#[derive(Copy, Clone, Debug)]
pub(crate) struct Factor {
    first: Ratio,
    second: Ratio,
}

impl Factor {
    pub(crate) fn new(ratio: Ratio) -> Factor {
        Factor {
            first: ratio,
            second: Ratio::ONE,
        }
    }

    pub(crate) fn times(self, ratio: Ratio) -> Result<Factor, NumberError> {
        let is_fine = |ratio: &Ratio| ratio.numerator().unsigned_abs() <= 1 << 64 && ratio.denominator() <= 1 << 64;
        match self.first.checked_mul(ratio) {
            Ok(first) if is_fine(&first) => Ok(Factor { first, ..self }),
            _ => Ok(Factor {
                second: self.second.checked_mul(ratio)?,
                ..self
            }),
        }
    }

    /// Encloses `x` times this.
    pub(crate) fn enclose(&self, x: f64) -> Result<Real, NumberError> {
        let real = Real::from_f64(x, self.first)?;
        if self.second == Ratio::ONE {
            Ok(real)
        } else {
            real.checked_mul(self.second)
        }
    }

    /// Encloses this.
    pub(crate) fn real(&self) -> Result<Real, NumberError> {
        let real = Real::from_ratio(self.first)?;
        if self.second == Ratio::ONE {
            Ok(real)
        } else {
            real.checked_mul(self.second)
        }
    }
}
