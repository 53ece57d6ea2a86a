//! Instants: Unix milliseconds, written as RFC 3339 text in UTC.

use std::fmt;
use std::str::FromStr;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use time::format_description::well_known::Rfc3339;
use time::{Date, OffsetDateTime};

/// Milliseconds in an hour.
pub const HOUR_MS: u64 = 60 * 60 * 1000;
/// Milliseconds in a day.
pub const DAY_MS: u64 = 24 * HOUR_MS;

/// A point in time in Unix milliseconds (UTC, without leap seconds), at most the last one of the year 9999.
///
/// Its one text form is RFC 3339 with an upper-case `Z`: `2026-08-06T12:00:00Z`, with three decimals of a second only
/// where they are not all zero.
///
/// ```
/// use zkmargin_risk::instant::Instant;
/// let noon: Instant = "2026-08-06T12:00:00Z".parse()?;
/// assert_eq!(noon.millis(), 1_786_017_600_000);
/// assert_eq!(noon.to_string(), "2026-08-06T12:00:00Z");
/// # Ok::<(), zkmargin_risk::instant::InstantError>(())
/// ```
#[derive(Copy, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Instant(u64);

/// Why something is not an [`Instant`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InstantError {
    /// The text is not RFC 3339 in UTC with an upper-case `Z` and at most three decimals of a second.
    #[error("`{0}` is not an instant: expected RFC 3339 in UTC such as 2026-08-06T12:00:00Z, at most milliseconds")]
    Text(String),
    /// The number of milliseconds lies outside the years 1970 to 9999.
    #[error("{0} ms is not an instant: at most {max} (the end of the year 9999)", max = Instant::MAX.0)]
    Range(u64),
}

impl Instant {
    /// The last instant: 9999-12-31T23:59:59.999Z.
    pub const MAX: Instant = Instant(253_402_300_799_999);

    /// The instant this many milliseconds after 1970-01-01T00:00:00Z.
    ///
    /// # Errors
    /// [`InstantError::Range`] above [`Instant::MAX`].
    pub fn from_millis(millis: u64) -> Result<Instant, InstantError> {
        if millis > Self::MAX.0 {
            return Err(InstantError::Range(millis));
        }
        Ok(Instant(millis))
    }

    /// Milliseconds since 1970-01-01T00:00:00Z.
    pub const fn millis(self) -> u64 {
        self.0
    }

    /// Milliseconds from `earlier` to this instant; 0 if `earlier` is the later one.
    pub const fn millis_since(self, earlier: Instant) -> u64 {
        self.0.saturating_sub(earlier.0)
    }

    /// This instant and `millis` more; `None` beyond [`Instant::MAX`].
    pub fn checked_add(self, millis: u64) -> Option<Instant> {
        Instant::from_millis(self.0.checked_add(millis)?).ok()
    }

    /// The UTC calendar date of this instant.
    pub(crate) fn date(self) -> Date {
        // Within the years 1970 to 9999 by construction: the fallback is never taken.
        self.datetime().map_or(Date::MIN, OffsetDateTime::date)
    }

    /// An hour of a UTC day; `None` before 1970, after 9999, or for an hour above 23.
    pub(crate) fn at_hour(date: Date, hour: u8) -> Option<Instant> {
        let seconds = date.with_hms(hour, 0, 0).ok()?.assume_utc().unix_timestamp();
        Instant::from_millis(u64::try_from(seconds).ok()?.checked_mul(1000)?).ok()
    }

    fn datetime(self) -> Option<OffsetDateTime> {
        OffsetDateTime::from_unix_timestamp_nanos(i128::from(self.0) * 1_000_000).ok()
    }
}

impl fmt::Display for Instant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let date = self.date();
        let of_day = self.0 % DAY_MS;
        let (hour, minute) = (of_day / HOUR_MS, of_day / 60_000 % 60);
        let (second, milli) = (of_day / 1000 % 60, of_day % 1000);
        let month = u8::from(date.month());
        write!(
            f,
            "{:04}-{month:02}-{:02}T{hour:02}:{minute:02}:{second:02}",
            date.year(),
            date.day()
        )?;
        if milli != 0 {
            write!(f, ".{milli:03}")?;
        }
        f.write_str("Z")
    }
}

impl fmt::Debug for Instant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for Instant {
    type Err = InstantError;

    fn from_str(text: &str) -> Result<Instant, InstantError> {
        let refused = || InstantError::Text(text.chars().take(64).collect());
        if !text.ends_with('Z') {
            return Err(refused());
        }
        let parsed = OffsetDateTime::parse(text, &Rfc3339).map_err(|_| refused())?;
        if parsed.nanosecond() % 1_000_000 != 0 {
            return Err(refused());
        }
        let millis = parsed.unix_timestamp_nanos() / 1_000_000;
        Instant::from_millis(u64::try_from(millis).map_err(|_| refused())?)
    }
}

impl Serialize for Instant {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Instant {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Instant, D::Error> {
        String::deserialize(deserializer)?
            .parse()
            .map_err(serde::de::Error::custom)
    }
}

impl JsonSchema for Instant {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Instant".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "string",
            "format": "date-time",
            "description": "RFC 3339 in UTC with Z, at most milliseconds: 2026-08-06T12:00:00Z",
        })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn text_has_one_form() {
        for text in [
            "2026-08-06T12:00:00Z",
            "1970-01-01T00:00:00Z",
            "9999-12-31T23:59:59.999Z",
            "2026-02-28T00:00:00.010Z",
        ] {
            assert_eq!(text.parse::<Instant>().unwrap().to_string(), text);
        }
        assert_eq!(
            "2026-08-06T12:00:00.500Z".parse::<Instant>().unwrap().millis() % 1000,
            500
        );
    }

    #[test]
    fn other_texts_are_refused() {
        for text in [
            "",
            "Z",
            "2026-08-06",
            "2026-08-06T12:00Z",
            "2026-08-06T12:00:00",
            "2026-08-06T12:00:00+00:00",
            "2026-08-06T12:00:00z",
            "2026-13-06T12:00:00Z",
            "2026-02-30T12:00:00Z",
            "1969-12-31T23:59:59Z",
            "2026-08-06T12:00:00.0001Z",
            "2026-06-30T23:59:60Z",
            " 2026-08-06T12:00:00Z",
        ] {
            assert!(matches!(text.parse::<Instant>(), Err(InstantError::Text(_))), "{text}");
        }
        assert_eq!(
            Instant::from_millis(Instant::MAX.0 + 1),
            Err(InstantError::Range(Instant::MAX.0 + 1))
        );
        assert_eq!(Instant::MAX.checked_add(1), None);
    }

    proptest! {
        #[test]
        fn text_round_trips(millis in 0..=Instant::MAX.0) {
            let instant = Instant::from_millis(millis).unwrap();
            prop_assert_eq!(instant.to_string().parse::<Instant>().unwrap(), instant);
        }
    }
}
