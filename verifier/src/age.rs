//! Ages: how old a fact may be.

use std::fmt;
use std::str::FromStr;

use serde::de::{self, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use thiserror::Error;

/// The units that an age may be written in, with their milliseconds, longest first.
const UNITS: [(&str, u64); 5] = [
    ("d", 86_400_000),
    ("h", 3_600_000),
    ("m", 60_000),
    ("s", 1000),
    ("ms", 1),
];

/// A span of time in milliseconds, at most [`Age::MAX`].
///
/// In a file it is a whole number of milliseconds (`600000`) or text with one unit: `500ms`, `90s`, `10m`, `2h`, `1d`.
#[derive(Copy, Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Age(u64);

/// What is no age.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error(
    "{text:?} is no age: write a whole number with its unit, ms, s, m, h or d, at most {}",
    Age::MAX
)]
pub struct AgeError {
    /// What was read, cut after 80 characters.
    pub text: String,
}

impl Age {
    /// The longest age: 3650 days. Longer ones are taken for a slip of the pen, and sums of ages with instants cannot overflow.
    pub const MAX: Age = Age(3650 * 86_400_000);

    /// An age of `millis` milliseconds.
    ///
    /// # Errors
    /// [`AgeError`] above [`Age::MAX`].
    pub fn from_millis(millis: u64) -> Result<Age, AgeError> {
        if millis > Age::MAX.0 {
            return Err(AgeError {
                text: millis.to_string(),
            });
        }
        Ok(Age(millis))
    }

    /// Milliseconds.
    pub fn millis(self) -> u64 {
        self.0
    }
}

impl FromStr for Age {
    type Err = AgeError;

    fn from_str(text: &str) -> Result<Age, AgeError> {
        let refused = || AgeError {
            text: text.chars().take(80).collect(),
        };
        let unit_at = text.find(|c: char| !c.is_ascii_digit()).ok_or_else(refused)?;
        let (digits, unit) = text.split_at(unit_at);
        let (_, factor) = UNITS.iter().find(|(name, _)| *name == unit).ok_or_else(refused)?;
        let count: u64 = digits.parse().map_err(|_| refused())?;
        count
            .checked_mul(*factor)
            .filter(|millis| *millis <= Age::MAX.0)
            .map(Age)
            .ok_or_else(refused)
    }
}

impl fmt::Display for Age {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0 == 0 {
            return f.write_str("0s");
        }
        // The last unit divides everything.
        UNITS
            .iter()
            .find(|(_, factor)| self.0.is_multiple_of(*factor))
            .map_or(Ok(()), |(name, factor)| write!(f, "{}{name}", self.0 / factor))
    }
}

impl Serialize for Age {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Age {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Age, D::Error> {
        struct AgeVisitor;
        impl Visitor<'_> for AgeVisitor {
            type Value = Age;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an age: milliseconds, or text such as \"10m\"")
            }

            fn visit_u64<E: de::Error>(self, millis: u64) -> Result<Age, E> {
                Age::from_millis(millis).map_err(E::custom)
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Age, E> {
                text.parse().map_err(E::custom)
            }
        }
        deserializer.deserialize_any(AgeVisitor)
    }
}

impl schemars::JsonSchema for Age {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Age".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({
            "description": "Milliseconds, or a whole number with a unit: 500ms, 90s, 10m, 2h, 1d",
            "oneOf": [
                { "type": "integer", "minimum": 0, "maximum": Age::MAX.0 },
                { "type": "string", "pattern": "^[0-9]+(ms|s|m|h|d)$" },
            ],
        })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
    use super::*;

    #[test]
    fn age_is_milliseconds_or_a_number_with_one_unit() {
        for (json, millis) in [
            ("600000", 600_000),
            ("\"10m\"", 600_000),
            ("\"90s\"", 90_000),
            ("\"500ms\"", 500),
            ("\"2h\"", 7_200_000),
            ("\"1d\"", 86_400_000),
            ("0", 0),
            ("\"3650d\"", Age::MAX.0),
        ] {
            assert_eq!(serde_json::from_str::<Age>(json).unwrap().millis(), millis, "{json}");
        }
    }

    #[test]
    fn what_is_no_age_is_refused() {
        for json in [
            "-1",
            "1.5",
            "\"10\"",
            "\"m\"",
            "\"\"",
            "\"-1m\"",
            "\"1.5h\"",
            "\"10 m\"",
            "\"10M\"",
            "\"1h30m\"",
            "\"3651d\"",
            "\"99999999999999999999d\"",
            "\"18446744073709551615d\"",
            "315360000001",
            "null",
        ] {
            assert!(serde_json::from_str::<Age>(json).is_err(), "{json}");
        }
    }

    #[test]
    fn age_is_written_in_its_longest_whole_unit() {
        for text in ["0s", "1ms", "90s", "10m", "36h", "3650d"] {
            assert_eq!(text.parse::<Age>().unwrap().to_string(), text);
        }
        assert_eq!(Age(60_000).to_string(), "1m");
    }
}
