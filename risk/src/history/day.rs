//! UTC calendar dates, which a history has a row for each of.

use std::fmt;
use std::str::FromStr;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::instant::{DAY_MS, Instant};

/// A UTC calendar date of the years 1970 to 9999, counted in days since 1970-01-01.
///
/// Its one text form is that of RFC 3339: `2026-08-06`.
///
/// ```
/// use zkmargin_risk::history::Day;
/// let leap: Day = "2024-02-28".parse()?;
/// assert_eq!(leap.next().map(|day| day.to_string()).as_deref(), Some("2024-02-29"));
/// assert_eq!(Day::of("2024-02-28T23:59:59.999Z".parse()?), leap);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Copy, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Day(u32);

/// A text that is not a [`Day`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is not a date: expected one of the years 1970 to 9999 such as 2026-08-06")]
pub struct DayError {
    /// The text, at most 64 characters of it.
    pub text: String,
}

impl Day {
    /// The last day: 9999-12-31.
    pub const MAX: Day = Day((Instant::MAX.millis() / DAY_MS) as u32);

    /// The UTC date of an instant.
    pub const fn of(instant: Instant) -> Day {
        // At most that of `MAX`, since the instant is at most the last one.
        Day((instant.millis() / DAY_MS) as u32)
    }

    /// Days since 1970-01-01.
    pub const fn number(self) -> u32 {
        self.0
    }

    /// Days from `earlier` to this day; `None` if `earlier` is the later one.
    pub const fn days_since(self, earlier: Day) -> Option<u32> {
        self.0.checked_sub(earlier.0)
    }

    /// The day this many days later; `None` beyond [`Day::MAX`].
    pub fn after(self, days: u32) -> Option<Day> {
        self.0.checked_add(days).map(Day).filter(|day| *day <= Day::MAX)
    }

    /// The day after this one; `None` after [`Day::MAX`].
    pub fn next(self) -> Option<Day> {
        self.after(1)
    }
}

impl fmt::Display for Day {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Never above the last instant: the fallback is never taken.
        let date = Instant::from_millis(u64::from(self.0) * DAY_MS).map_or(time::Date::MIN, Instant::date);
        write!(f, "{:04}-{:02}-{:02}", date.year(), u8::from(date.month()), date.day())
    }
}

impl fmt::Debug for Day {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for Day {
    type Err = DayError;

    fn from_str(text: &str) -> Result<Day, DayError> {
        let refused = || DayError {
            text: text.chars().take(64).collect(),
        };
        if text.len() != 10 {
            return Err(refused());
        }
        let midnight: Instant = format!("{text}T00:00:00Z").parse().map_err(|_| refused())?;
        Ok(Day::of(midnight))
    }
}

impl Serialize for Day {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Day {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Day, D::Error> {
        String::deserialize(deserializer)?
            .parse()
            .map_err(serde::de::Error::custom)
    }
}

impl JsonSchema for Day {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Day".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "string",
            "format": "date",
            "description": "A UTC date of the years 1970 to 9999: 2026-08-06",
        })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_date_has_one_text() {
        for text in ["1970-01-01", "2000-02-29", "2026-08-06", "9999-12-31"] {
            assert_eq!(text.parse::<Day>().unwrap().to_string(), text);
        }
        assert_eq!("1970-01-01".parse::<Day>().unwrap().number(), 0);
        assert_eq!("9999-12-31".parse::<Day>().unwrap(), Day::MAX);
        assert_eq!(Day::MAX.next(), None);
        assert_eq!(Day::MAX.after(u32::MAX), None);
    }

    #[test]
    fn other_texts_are_refused() {
        for text in [
            "",
            "2026-8-06",
            "2026-08-6",
            "2026-8-006",
            "20260-8-06",
            "2026-02-29",
            "2026-13-01",
            "2026-00-10",
            "2026-08-00",
            "1969-12-31",
            "-001-01-01",
            "2026/08/06",
            "2026-08-06Z",
            " 2026-08-6",
            "2026-08-0６",
            "6-AUG-2026",
        ] {
            assert!(text.parse::<Day>().is_err(), "{text}");
        }
    }

    proptest! {
        #[test]
        fn text_and_number_agree(number in 0..=Day::MAX.0) {
            let day = Day(number);
            prop_assert_eq!(day.to_string().parse::<Day>().unwrap(), day);
            if let Some(next) = day.next() {
                prop_assert!(next.to_string() > day.to_string());
                prop_assert_eq!(next.days_since(day), Some(1));
                prop_assert_eq!(day.days_since(next), None);
            }
        }
    }
}
