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

/// A product of exact ratios, kept in parts because a ratio has 128 bits. The large factors come first: what a later part
/// multiplies has been rounded already.
#[derive(Copy, Clone, Debug)]
pub(crate) struct Factor {
    parts: [Ratio; PARTS],
}

/// Parts of a factor: more than the prices, sizes and charges that one coefficient is made of need, each with as many digits as a
/// float has.
const PARTS: usize = 8;
/// Largest numerator and denominator of a part, as long as another part can take what does not fit.
const FINE: u128 = 1 << 64;

impl Factor {
    pub(crate) fn new(ratio: Ratio) -> Factor {
        let mut parts = [Ratio::ONE; PARTS];
        parts[0] = ratio;
        Factor { parts }
    }

    pub(crate) fn times(mut self, ratio: Ratio) -> Result<Factor, NumberError> {
        if ratio == Ratio::ONE {
            return Ok(self);
        }
        let is_fine = |ratio: &Ratio| ratio.numerator().unsigned_abs() <= FINE && ratio.denominator() <= FINE;
        let product = |part: &Ratio| part.checked_mul(ratio).ok();
        let fine = self
            .parts
            .iter()
            .position(|part| product(part).as_ref().is_some_and(is_fine));
        let place = fine.or_else(|| self.parts.iter().position(|part| product(part).is_some()));
        let part = place.and_then(|place| self.parts.get_mut(place));
        let part = part.ok_or(NumberError::Overflow)?;
        *part = part.checked_mul(ratio)?;
        Ok(self)
    }

    /// This times another.
    pub(crate) fn times_all(self, other: &Factor) -> Result<Factor, NumberError> {
        let parts = other.parts.iter().filter(|part| **part != Ratio::ONE);
        parts.copied().try_fold(self, Factor::times)
    }

    /// Whether it is 0.
    pub(crate) fn is_zero(&self) -> bool {
        self.parts.iter().any(|part| part.numerator() == 0)
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
