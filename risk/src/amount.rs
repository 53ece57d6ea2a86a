//! Amounts in text: how a decimal number is written in every file, and read without rounding.

use std::collections::BTreeMap;
use std::fmt;

use num_bigint::BigInt;
use num_rational::BigRational;
use num_traits::{One, ToPrimitive};
use rust_decimal::Decimal;
use serde::{Deserialize, Deserializer, Serializer};
use zkmargin_program::LOT_BITS;

/// Most characters of an amount; the longest [`Decimal`] has 31 (sign, 29 digits, point).
const MAX_CHARS: usize = 40;

/// Why a text is not an amount.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AmountError {
    /// Not digits with at most one point between them and perhaps a minus sign before: no exponent, no plus sign, no
    /// separators, no `NaN` and no infinity.
    #[error("`{0}` is not an amount: expected decimal digits such as 0.0215 or -12")]
    Text(String),
    /// Digits beyond what 96 bits and 28 decimals hold; nothing is rounded silently.
    #[error("`{0}` has more digits than fit: at most 28 decimals and 79228162514264337593543950335 in all")]
    Digits(String),
}

/// Reads an amount exactly and without trailing zeros, and refuses what it would have to round.
///
/// ```
/// # use zkmargin_risk::amount;
/// assert_eq!(amount::parse("-12.50")?.to_string(), "-12.5");
/// assert!(amount::parse("1e3").is_err() && amount::parse("NaN").is_err());
/// # Ok::<(), amount::AmountError>(())
/// ```
///
/// # Errors
/// [`AmountError`].
pub fn parse(text: &str) -> Result<Decimal, AmountError> {
    // Of another hand, and on its way to a terminal.
    let shown = || {
        text.chars()
            .take(MAX_CHARS)
            .flat_map(char::escape_debug)
            .collect::<String>()
    };
    let digits = text.strip_prefix('-').unwrap_or(text);
    let (whole, fraction) = digits
        .split_once('.')
        .map_or((digits, None), |(whole, rest)| (whole, Some(rest)));
    let all_digits = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
    if !all_digits(whole) || !fraction.is_none_or(all_digits) {
        return Err(AmountError::Text(shown()));
    }
    if text.len() > MAX_CHARS {
        return Err(AmountError::Digits(shown()));
    }
    let value = Decimal::from_str_exact(text).map_err(|_| AmountError::Digits(shown()))?;
    Ok(value.normalize())
}

/// Reads a JSON number's text, exponent included, exactly: for other people's files, whose amounts are numbers.
///
/// # Errors
/// [`AmountError`].
pub fn parse_number(text: &str) -> Result<Decimal, AmountError> {
    // Of another hand, and on its way to a terminal.
    let shown = || {
        text.chars()
            .take(MAX_CHARS)
            .flat_map(char::escape_debug)
            .collect::<String>()
    };
    let Some((mantissa, exponent)) = text.split_once(['e', 'E']) else {
        return parse(text);
    };
    let exponent: i32 = exponent.parse().map_err(|_| AmountError::Text(shown()))?;
    let value = parse(mantissa)?;
    let scale = i64::from(value.scale()) - i64::from(exponent);
    let scaled = if scale >= 0 {
        u32::try_from(scale)
            .ok()
            .and_then(|scale| Decimal::try_from_i128_with_scale(value.mantissa(), scale).ok())
    } else {
        u32::try_from(-scale)
            .ok()
            .and_then(|zeros| 10_i128.checked_pow(zeros))
            .and_then(|power| value.mantissa().checked_mul(power))
            .and_then(|mantissa| Decimal::try_from_i128_with_scale(mantissa, 0).ok())
    };
    scaled
        .map(|value| value.normalize())
        .ok_or_else(|| AmountError::Digits(shown()))
}

/// The nearest `f64` of a decimal, from its text: the only door from amounts to pricing.
///
/// Correctly rounded, so the same on every platform.
pub fn to_f64(value: Decimal) -> f64 {
    // A decimal's text is always a number in the range of f64: the fallback is never taken.
    value.to_string().parse().unwrap_or(f64::NAN)
}

/// A decimal as an exact fraction.
pub fn to_ratio(value: Decimal) -> BigRational {
    BigRational::new(BigInt::from(value.mantissa()), BigInt::from(10).pow(value.scale()))
}

/// The decimal that an exact ratio is, if it is one that [`Decimal`] holds.
pub(crate) fn from_ratio(value: &BigRational) -> Option<Decimal> {
    (0..=Decimal::MAX_SCALE).find_map(|scale| {
        let scaled = value * BigRational::from_integer(BigInt::from(10).pow(scale));
        let mantissa = scaled.is_integer().then(|| scaled.to_integer().to_i128())??;
        Decimal::try_from_i128_with_scale(mantissa, scale).ok()
    })
}

/// Most lots of one leg of one account: `2^48 - 1`.
pub const MAX_LOTS: u64 = (1 << LOT_BITS) - 1;

/// Why an amount is not a number of lots.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LotsError {
    /// The amount is not a whole number of lots.
    #[error("{value} is not a whole number of lots of {lot}")]
    NotWhole {
        /// The amount.
        value: Decimal,
        /// The size of a lot.
        lot: Decimal,
    },
    /// More lots than a leg holds.
    #[error("{value} is more than 2^48 - 1 lots of {lot}")]
    TooMany {
        /// The amount, near enough if it is not a decimal.
        value: String,
        /// The size of a lot.
        lot: Decimal,
    },
    /// The size of a lot is not positive.
    #[error("a lot of {lot} is not above 0")]
    Lot {
        /// The size of a lot.
        lot: Decimal,
    },
}

/// The whole number of lots that an amount is, with its sign; exact.
///
/// ```
/// # use zkmargin_risk::amount;
/// let (contracts, lot) = (amount::parse("-5.0")?, amount::parse("0.1")?);
/// assert_eq!(amount::lots(contracts, lot), Ok(-50));
/// assert_eq!(amount::lots(amount::parse("0.25")?, lot).unwrap_err().to_string(), "0.25 is not a whole number of lots of 0.1");
/// # Ok::<(), amount::AmountError>(())
/// ```
///
/// # Errors
/// [`LotsError`]: not whole, more than [`MAX_LOTS`] either way, or a lot that is not above 0.
pub fn lots(value: Decimal, lot: Decimal) -> Result<i64, LotsError> {
    if lot <= Decimal::ZERO {
        return Err(LotsError::Lot { lot });
    }
    let lots = to_ratio(value) / to_ratio(lot);
    if !lots.denom().is_one() {
        return Err(LotsError::NotWhole { value, lot });
    }
    bounded(lots.numer()).ok_or_else(|| LotsError::TooMany {
        value: value.to_string(),
        lot,
    })
}

/// The largest whole number of lots that is at most an exact amount: credits are rounded down and debits up.
///
/// # Errors
/// [`LotsError`]: more than [`MAX_LOTS`] either way, or a lot that is not above 0.
pub fn lots_rounded_down(value: &BigRational, lot: Decimal) -> Result<i64, LotsError> {
    if lot <= Decimal::ZERO {
        return Err(LotsError::Lot { lot });
    }
    let lots = (value / to_ratio(lot)).floor();
    bounded(lots.numer()).ok_or_else(|| LotsError::TooMany {
        value: approximate(value),
        lot,
    })
}

fn bounded(lots: &BigInt) -> Option<i64> {
    lots.to_i64().filter(|lots| lots.unsigned_abs() <= MAX_LOTS)
}

fn approximate(value: &BigRational) -> String {
    if value.denom().is_one() {
        return value.numer().to_string();
    }
    value
        .to_f64()
        .map_or_else(|| value.to_string(), |near| format!("about {near}"))
}

struct AmountVisitor;

impl serde::de::Visitor<'_> for AmountVisitor {
    type Value = Decimal;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an amount as a string, such as \"0.0215\"")
    }

    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Decimal, E> {
        parse(text).map_err(E::custom)
    }
}

/// For `#[serde(with = "amount")]`: an amount as a string.
///
/// # Errors
/// The serializer's.
pub fn serialize<S: Serializer>(value: &Decimal, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(&value.normalize())
}

/// For `#[serde(with = "amount")]`: an amount as a string, read exactly.
///
/// # Errors
/// What is not a string, and [`AmountError`].
pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Decimal, D::Error> {
    deserializer.deserialize_str(AmountVisitor)
}

#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Amount(Decimal);

impl<'de> Deserialize<'de> for Amount {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Amount, D::Error> {
        deserialize(deserializer).map(Amount)
    }
}

impl serde::Serialize for Amount {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serialize(&self.0, serializer)
    }
}

/// `#[serde(default, with = "amount::option")]`: an amount that may be absent.
pub mod option {
    use super::{Amount, Decimal, Deserialize, Deserializer, Serializer};

    /// An absent amount is skipped by the field's `skip_serializing_if`, else `null`.
    ///
    /// # Errors
    /// The serializer's.
    pub fn serialize<S: Serializer>(value: &Option<Decimal>, serializer: S) -> Result<S::Ok, S::Error> {
        match value {
            Some(value) => super::serialize(value, serializer),
            None => serializer.serialize_none(),
        }
    }

    /// `null` and an absent field are the same.
    ///
    /// # Errors
    /// As for an amount.
    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Decimal>, D::Error> {
        Ok(Option::<Amount>::deserialize(deserializer)?.map(|amount| amount.0))
    }
}

/// `#[serde(with = "amount::map")]`: amounts by name; a key that occurs twice is refused.
pub mod map {
    use super::{Amount, BTreeMap, Decimal, Deserialize, Deserializer, Serializer};
    use serde::Serialize;

    /// In the order of the keys.
    ///
    /// # Errors
    /// The serializer's.
    pub fn serialize<K: Serialize, S: Serializer>(
        map: &BTreeMap<K, Decimal>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        serializer.collect_map(map.iter().map(|(key, value)| (key, Amount(*value))))
    }

    /// Keys in any order.
    ///
    /// # Errors
    /// As for an amount, and a duplicate key.
    pub fn deserialize<'de, K, D>(deserializer: D) -> Result<BTreeMap<K, Decimal>, D::Error>
    where
        K: Deserialize<'de> + Ord,
        D: Deserializer<'de>,
    {
        let map: BTreeMap<K, Amount> = crate::json::unique::deserialize(deserializer)?;
        Ok(map.into_iter().map(|(key, value)| (key, value.0)).collect())
    }
}

/// `#[serde(with = "amount::keyed")]`: a map whose keys are amounts (strikes); two keys of one value are refused.
pub mod keyed {
    use super::{Amount, BTreeMap, Decimal, Deserialize, Deserializer, Serializer};
    use serde::Serialize;

    /// In the order of the amounts.
    ///
    /// # Errors
    /// The serializer's.
    pub fn serialize<V: Serialize, S: Serializer>(
        map: &BTreeMap<Decimal, V>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        serializer.collect_map(map.iter().map(|(key, value)| (Amount(*key), value)))
    }

    /// Keys in any order.
    ///
    /// # Errors
    /// As for an amount, and a duplicate key, however it is written.
    pub fn deserialize<'de, V, D>(deserializer: D) -> Result<BTreeMap<Decimal, V>, D::Error>
    where
        V: Deserialize<'de>,
        D: Deserializer<'de>,
    {
        let map: BTreeMap<Amount, V> = crate::json::unique::deserialize(deserializer)?;
        Ok(map.into_iter().map(|(key, value)| (key.0, value)).collect())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
    use super::*;

    #[test]
    fn what_is_not_plain_digits_is_refused() {
        for text in [
            "", "-", ".", "1.", ".5", "+1", "1e3", "1_000", "1,5", " 1", "NaN", "inf", "-inf", "0x10", "--1", "1.2.3",
            "١",
        ] {
            assert_eq!(parse(text), Err(AmountError::Text(text.into())), "{text}");
        }
        assert_eq!(parse("1\u{1b}[2J"), Err(AmountError::Text("1\\u{1b}[2J".into())));
        for text in [
            "79228162514264337593543950336",
            "0.00000000000000000000000000001",
            &"9".repeat(1000),
        ] {
            assert!(matches!(parse(text), Err(AmountError::Digits(_))), "{text}");
        }
    }

    #[test]
    fn zero_has_no_sign_and_no_trailing_zeros() {
        let zero = parse("-0.000").unwrap();
        assert_eq!(
            (zero.to_string().as_str(), zero.is_sign_negative(), zero.scale()),
            ("0", false, 0)
        );
        assert_eq!(parse("1.500").unwrap().scale(), 1);
    }

    #[test]
    fn numbers_of_json_keep_every_digit() {
        assert_eq!(parse_number("1.5e-8").unwrap().to_string(), "0.000000015");
        assert_eq!(parse_number("1E3").unwrap().to_string(), "1000");
        assert_eq!(parse_number("0.0215").unwrap().to_string(), "0.0215");
        assert!(parse_number("1e400").is_err() && parse_number("1e-400").is_err() && parse_number("1e").is_err());
    }
}
