//! Real numbers of units before they are rounded: [`Ratio`] is exact, [`Real`] an enclosure, [`NonNegative`] a checked
//! factor.

use thiserror::Error;

use crate::wide::Wide;

/// A [`Real`] is kept in `2^-16`ths of a unit.
pub const RESOLUTION_BITS: u32 = 16;

/// One unit, in the resolution of a [`Real`].
const UNIT: i128 = 1 << RESOLUTION_BITS;

/// Most decimal digits that [`Ratio::from_decimal`] shifts by: `10^38 < 2^127`.
const MAX_DECIMAL_SHIFT: u32 = 38;

/// Why a number was refused.
#[derive(Copy, Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum NumberError {
    /// NaN or infinite.
    #[error("a number is NaN or infinite")]
    NotFinite,
    /// Beyond what 128 bits hold.
    #[error("a number does not fit 128 bits")]
    Overflow,
    /// A denominator of zero.
    #[error("a denominator is zero")]
    ZeroDenominator,
}

/// A factor that must not be negative is negative.
#[derive(Copy, Clone, Debug, PartialEq, Eq, Error)]
#[error("factor {}/{} is negative", .0.numerator(), .0.denominator())]
pub struct NegativeFactor(pub Ratio);

/// An exact rational number in lowest terms.
#[derive(Copy, Clone, Debug, PartialEq, Eq, Hash)]
pub struct Ratio {
    num: i128,
    den: u128,
}

impl Ratio {
    /// Zero.
    pub const ZERO: Self = Self { num: 0, den: 1 };
    /// One.
    pub const ONE: Self = Self { num: 1, den: 1 };

    /// `num / den`, reduced.
    ///
    /// # Errors
    /// [`NumberError::ZeroDenominator`].
    pub fn new(num: i128, den: u128) -> Result<Self, NumberError> {
        if den == 0 {
            return Err(NumberError::ZeroDenominator);
        }
        // The divisor of nothing is the whole denominator, which a numerator may not hold.
        if num == 0 {
            return Ok(Self::ZERO);
        }
        let divisor = gcd(num.unsigned_abs(), den);
        // A divisor of 2^127 can only be num = i128::MIN itself.
        let num = match i128::try_from(divisor) {
            Ok(divisor) => num / divisor,
            Err(_) => -1,
        };
        Ok(Self {
            num,
            den: den / divisor,
        })
    }

    /// `mantissa * 10^exponent`.
    ///
    /// # Errors
    /// [`NumberError::Overflow`] beyond 128 bits.
    pub fn from_decimal(mantissa: i128, exponent: i32) -> Result<Self, NumberError> {
        if mantissa == 0 {
            return Ok(Self::ZERO);
        }
        let shift = exponent.unsigned_abs();
        if shift > MAX_DECIMAL_SHIFT {
            return Err(NumberError::Overflow);
        }
        let power = 10u128.pow(shift);
        if exponent < 0 {
            return Self::new(mantissa, power);
        }
        let power = i128::try_from(power).map_err(|_| NumberError::Overflow)?;
        let num = mantissa.checked_mul(power).ok_or(NumberError::Overflow)?;
        Ok(Self { num, den: 1 })
    }

    /// The numerator; its sign is that of the number.
    pub fn numerator(self) -> i128 {
        self.num
    }

    /// The denominator, at least 1.
    pub fn denominator(self) -> u128 {
        self.den
    }

    /// Whether the number is below zero.
    pub fn is_negative(self) -> bool {
        self.num < 0
    }

    /// `self * other`.
    ///
    /// # Errors
    /// [`NumberError::Overflow`].
    pub fn checked_mul(self, other: Self) -> Result<Self, NumberError> {
        // Crosswise reduction first, so that only a result too large in lowest terms overflows.
        let left = Self::new(self.num, other.den)?;
        let right = Self::new(other.num, self.den)?;
        Ok(Self {
            num: left.num.checked_mul(right.num).ok_or(NumberError::Overflow)?,
            den: left.den.checked_mul(right.den).ok_or(NumberError::Overflow)?,
        })
    }

    /// `self + other`.
    ///
    /// # Errors
    /// [`NumberError::Overflow`].
    pub fn checked_add(self, other: Self) -> Result<Self, NumberError> {
        let shared = gcd(self.den, other.den);
        let raise = |num: i128, by: u128| {
            i128::try_from(by)
                .ok()
                .and_then(|by| num.checked_mul(by))
                .ok_or(NumberError::Overflow)
        };
        let num = raise(self.num, other.den / shared)?
            .checked_add(raise(other.num, self.den / shared)?)
            .ok_or(NumberError::Overflow)?;
        let den = (self.den / shared)
            .checked_mul(other.den)
            .ok_or(NumberError::Overflow)?;
        Self::new(num, den)
    }

    /// `-self`.
    ///
    /// # Errors
    /// [`NumberError::Overflow`] when the numerator is `-2^127`.
    pub fn checked_neg(self) -> Result<Self, NumberError> {
        let num = self.num.checked_neg().ok_or(NumberError::Overflow)?;
        Ok(Self { num, den: self.den })
    }
}

impl From<i64> for Ratio {
    fn from(whole: i64) -> Self {
        Self {
            num: whole.into(),
            den: 1,
        }
    }
}

/// A factor that was checked not to be negative: the only one that a form with a side may be multiplied by.
#[derive(Copy, Clone, Debug, PartialEq, Eq, Hash)]
pub struct NonNegative(Ratio);

impl NonNegative {
    /// Zero.
    pub const ZERO: Self = Self(Ratio::ZERO);
    /// One.
    pub const ONE: Self = Self(Ratio::ONE);

    /// `ratio`, if it is not below zero.
    ///
    /// # Errors
    /// [`NegativeFactor`] otherwise.
    pub fn new(ratio: Ratio) -> Result<Self, NegativeFactor> {
        if ratio.is_negative() {
            return Err(NegativeFactor(ratio));
        }
        Ok(Self(ratio))
    }

    /// The number.
    pub fn ratio(self) -> Ratio {
        self.0
    }
}

impl From<u32> for NonNegative {
    fn from(whole: u32) -> Self {
        Self(Ratio::from(i64::from(whole)))
    }
}

/// A real number of units, enclosed in `[lo, hi]`, both in `2^-16`ths of a unit; every operation rounds outward.
///
/// It is exact where it can be: a number of `2^-16`ths stays one point through addition, negation and whole factors.
#[derive(Copy, Clone, Debug, Default, PartialEq, Eq)]
pub struct Real {
    lo: i128,
    hi: i128,
}

impl Real {
    /// Zero.
    pub const ZERO: Self = Self { lo: 0, hi: 0 };

    /// A whole number of units, exactly.
    pub fn from_integer(units: i64) -> Self {
        let point = i128::from(units) << RESOLUTION_BITS;
        Self { lo: point, hi: point }
    }

    /// Encloses `x * scale`, with `x` taken as the dyadic rational that it is: no floating-point operation is made.
    ///
    /// # Errors
    /// [`NumberError`]: NaN or infinite; beyond 128 bits.
    pub fn from_f64(x: f64, scale: Ratio) -> Result<Self, NumberError> {
        const FRACTION_BITS: u32 = f64::MANTISSA_DIGITS - 1;
        const EXPONENT_BIAS: i32 = 1023 + FRACTION_BITS as i32;
        if !x.is_finite() {
            return Err(NumberError::NotFinite);
        }
        let bits = x.to_bits();
        let fraction = bits & ((1 << FRACTION_BITS) - 1);
        let biased = (bits >> FRACTION_BITS & 0x7ff) as i32;
        let (mantissa, exponent) = if biased == 0 {
            (fraction, 1 - EXPONENT_BIAS)
        } else {
            (fraction | 1 << FRACTION_BITS, biased - EXPONENT_BIAS)
        };
        let (num, den) = (scale.num.unsigned_abs(), scale.den);
        if mantissa == 0 || num == 0 {
            return Ok(Self::ZERO);
        }
        let zeros = mantissa.trailing_zeros();
        let mantissa = u128::from(mantissa >> zeros);
        let shift = exponent + zeros as i32 + RESOLUTION_BITS as i32;
        let magnitude = if shift >= 0 {
            let shift = shift.unsigned_abs();
            if mantissa.leading_zeros() <= shift {
                return Err(NumberError::Overflow);
            }
            Magnitude::mul_div(mantissa << shift, num, den)
        } else {
            Magnitude::mul_div_shifted(mantissa, num, den, shift.unsigned_abs())
        };
        magnitude
            .and_then(|m| m.signed(x.is_sign_negative() != scale.is_negative()))
            .ok_or(NumberError::Overflow)
    }

    /// Encloses a rational number of units.
    ///
    /// # Errors
    /// [`NumberError::Overflow`] beyond 128 bits.
    pub fn from_ratio(ratio: Ratio) -> Result<Self, NumberError> {
        Magnitude::mul_div(ratio.num.unsigned_abs(), 1 << RESOLUTION_BITS, ratio.den)
            .and_then(|m| m.signed(ratio.is_negative()))
            .ok_or(NumberError::Overflow)
    }

    /// `self + other`.
    ///
    /// # Errors
    /// [`NumberError::Overflow`].
    pub fn checked_add(self, other: Self) -> Result<Self, NumberError> {
        match (self.lo.checked_add(other.lo), self.hi.checked_add(other.hi)) {
            (Some(lo), Some(hi)) => Ok(Self { lo, hi }),
            _ => Err(NumberError::Overflow),
        }
    }

    /// `self - other`.
    ///
    /// # Errors
    /// [`NumberError::Overflow`].
    pub fn checked_sub(self, other: Self) -> Result<Self, NumberError> {
        self.checked_add(other.checked_neg()?)
    }

    /// `-self`.
    ///
    /// # Errors
    /// [`NumberError::Overflow`] when a bound is `-2^127`.
    pub fn checked_neg(self) -> Result<Self, NumberError> {
        match (self.hi.checked_neg(), self.lo.checked_neg()) {
            (Some(lo), Some(hi)) => Ok(Self { lo, hi }),
            _ => Err(NumberError::Overflow),
        }
    }

    /// `self * factor`, rounded outward to `2^-16`ths.
    ///
    /// # Errors
    /// [`NumberError::Overflow`] beyond 128 bits.
    pub fn checked_mul(self, factor: Ratio) -> Result<Self, NumberError> {
        let (num, den) = (factor.num.unsigned_abs(), factor.den);
        let times = |bound: i128| {
            Magnitude::mul_div(bound.unsigned_abs(), num, den)
                .and_then(|m| m.signed((bound < 0) != factor.is_negative()))
                .ok_or(NumberError::Overflow)
        };
        let (one, other) = (times(self.lo)?, times(self.hi)?);
        Ok(Self {
            lo: one.lo.min(other.lo),
            hi: one.hi.max(other.hi),
        })
    }

    /// The bounds `(lo, hi)`, in `2^-16`ths of a unit.
    pub fn bounds(self) -> (i128, i128) {
        (self.lo, self.hi)
    }

    /// The least whole number of units that is certainly not below the real number, and how far above it that can be, in
    /// `2^-16`ths.
    pub(crate) fn ceil(self) -> (i128, u128) {
        let rest = self.hi & (UNIT - 1);
        let pad = if rest == 0 { 0 } else { UNIT - rest };
        (
            (self.hi >> RESOLUTION_BITS) + i128::from(rest != 0),
            self.hi.abs_diff(self.lo).saturating_add(pad.unsigned_abs()),
        )
    }

    /// The greatest whole number of units that is certainly not above the real number, and how far below it that can be.
    pub(crate) fn floor(self) -> (i128, u128) {
        let rest = self.lo & (UNIT - 1);
        (
            self.lo >> RESOLUTION_BITS,
            self.hi.abs_diff(self.lo).saturating_add(rest.unsigned_abs()),
        )
    }

    /// The number of units, when the number is known to be whole.
    pub(crate) fn whole(self) -> Option<i128> {
        let units = self.lo >> RESOLUTION_BITS;
        (self.lo == self.hi && units << RESOLUTION_BITS == self.lo).then_some(units)
    }
}

/// A non-negative number between `floor` and, unless it is exact, `floor + 1`.
struct Magnitude {
    floor: u128,
    exact: bool,
}

impl Magnitude {
    /// `value * num / den`; `None` when the result does not fit.
    fn mul_div(value: u128, num: u128, den: u128) -> Option<Self> {
        if den == 1 {
            let floor = value.checked_mul(num)?;
            return Some(Self { floor, exact: true });
        }
        if let Some(product) = value.checked_mul(num) {
            let floor = product / den;
            let exact = floor * den == product;
            return Some(Self { floor, exact });
        }
        let (floor, rest) = Wide::product(value, num).div_rem(den)?;
        Some(Self {
            floor,
            exact: rest == 0,
        })
    }

    /// `value * num / (den * 2^bits)`; `None` when the result does not fit.
    fn mul_div_shifted(value: u128, num: u128, den: u128, bits: u32) -> Option<Self> {
        // What market data comes to: a price of 53 bits times a scale of a few digits.
        if let Some(product) = value.checked_mul(num) {
            let quotient = Self::mul_div(product, 1, den)?;
            let floor = quotient.floor.checked_shr(bits).unwrap_or(0);
            let exact = quotient.exact && floor.checked_shl(bits).unwrap_or(0) == quotient.floor;
            return Some(Self { floor, exact });
        }
        let product = Wide::product(value, num);
        // As many bits first as the quotient needs to fit, the others after it.
        let first = bits.min(product.bits().saturating_sub(u128::BITS));
        let (kept, none_lost) = product.shr(first);
        let (floor, rest) = kept.div_rem(den)?;
        let after = bits - first;
        let shifted = floor.checked_shr(after).unwrap_or(0);
        Some(Self {
            floor: shifted,
            exact: none_lost && rest == 0 && shifted.checked_shl(after).unwrap_or(0) == floor,
        })
    }

    fn signed(self, negative: bool) -> Option<Real> {
        let near = i128::try_from(self.floor).ok()?;
        let far = near.checked_add(i128::from(!self.exact))?;
        Some(if negative {
            Real { lo: -far, hi: -near }
        } else {
            Real { lo: near, hi: far }
        })
    }
}

/// The greatest common divisor; 1 of two zeros.
fn gcd(mut a: u128, mut b: u128) -> u128 {
    while b != 0 {
        // As most are; the processor divides 64 bits by itself.
        if let (Ok(mut a), Ok(mut b)) = (u64::try_from(a), u64::try_from(b)) {
            while b != 0 {
                (a, b) = (b, a % b);
            }
            return a.into();
        }
        (a, b) = (b, a % b);
    }
    a.max(1)
}
