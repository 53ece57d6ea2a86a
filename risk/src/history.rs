//! A price history: a close a day, and a volatility index where there was one.
//!
//! What historical simulation is computed from. Public data that both sides hold, as a snapshot is: a statement would
//! name it by its digest. A model takes the [moves](History::moves) from day to day and applies them to the prices of a
//! snapshot.
//!
//! # Units
//! Closes are USD per unit of the underlying. A volatility index is in points: percent a year (95.04, not 0.9504).
//! A row is a UTC date. Which market's close it is, and at what time of day, is what the provenance says.
//!
//! # No gaps
//! There is a row for every date from the first to the last, each has the same underlyings, and an underlying's
//! volatility index, once it has begun, is in every later row. So a move is always a day's, and a date that is missing
//! is never mistaken for a quiet one.

mod check;
mod day;
mod moves;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use rust_decimal::Decimal;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::canonical::{Digest, Personal, Writer, digest};
pub use check::HistoryError;
use check::{check_days, check_figures};
pub use day::{Day, DayError};
pub use moves::{Change, Move, Step, Window, WindowError};

/// Most rows of a history: 54 years.
pub const MAX_DAYS: usize = 20_000;
/// Largest volatility index, in points. It is above 0.
pub const MAX_VOLATILITY_INDEX: Decimal = Decimal::from_parts(1000, 0, 0, false, 0);

/// Version of the canonical form of a history.
const FORMAT: u64 = 1;

/// A history's JSON file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct HistoryFile {
    /// Where the figures are from.
    pub provenance: Provenance,
    /// The rows, by UTC date.
    #[serde(with = "crate::json::unique")]
    #[schemars(with = "BTreeMap<String, Row>")]
    pub days: BTreeMap<Day, Row>,
}

/// Where a history's figures are from, and what was done to them. Part of the digest.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Provenance {
    /// Who recorded it, and where it can be had.
    pub source: String,
    /// The licence of the recording.
    pub licence: String,
    /// The importer and its version: `closes 1`.
    pub importer: String,
    /// The figures that were recorded.
    pub recorded: Vec<String>,
    /// The figures that were computed from recorded ones, and how.
    pub derived: Vec<String>,
    /// The figures that were supposed, and what.
    pub assumed: Vec<String>,
}

/// The figures of a day, by underlying.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct Row(
    /// By the name of the underlying.
    #[serde(with = "crate::json::unique")]
    #[schemars(with = "BTreeMap<String, Figures>")]
    pub BTreeMap<String, Figures>,
);

/// The figures of one underlying on one day.
#[derive(Copy, Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Figures {
    /// The day's close.
    #[serde(with = "crate::amount")]
    #[schemars(with = "String")]
    pub close: Decimal,
    /// The day's volatility index; absent before there was one.
    #[serde(default, with = "crate::amount::option", skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    pub volatility_index: Option<Decimal>,
}

/// A checked history. See the [module](self) for the units.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct History {
    provenance: Provenance,
    first: Day,
    last: Day,
    series: BTreeMap<String, Series>,
}

/// One underlying: a close of every day, and the volatility indices of the last so many of them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Series {
    closes: Vec<Decimal>,
    indices: Vec<Decimal>,
}

impl Series {
    fn volatility_index(&self, row: usize) -> Option<Decimal> {
        let without = self.closes.len() - self.indices.len();
        self.indices.get(row.checked_sub(without)?).copied()
    }
}

impl History {
    /// Checks a history's file.
    ///
    /// # Errors
    /// [`HistoryError`].
    pub fn from_file(file: &HistoryFile) -> Result<History, HistoryError> {
        let (first, last) = check_days(file)?;
        let mut series: BTreeMap<String, Series> = BTreeMap::new();
        for (day, row) in &file.days {
            for (name, figures) in &row.0 {
                // Every row has the same names, so the series have the same length.
                let series = series.entry(name.clone()).or_default();
                check_figures(*day, name, figures, !series.indices.is_empty())?;
                series.closes.push(figures.close);
                series.indices.extend(figures.volatility_index);
            }
        }
        Ok(History {
            provenance: file.provenance.clone(),
            first,
            last,
            series,
        })
    }

    /// This history as a file.
    pub fn to_file(&self) -> HistoryFile {
        let mut days: BTreeMap<Day, Row> = BTreeMap::new();
        for (name, series) in &self.series {
            for ((row, close), day) in series.closes.iter().enumerate().zip(self.days()) {
                let figures = Figures {
                    close: *close,
                    volatility_index: series.volatility_index(row),
                };
                days.entry(day).or_default().0.insert(name.clone(), figures);
            }
        }
        HistoryFile {
            provenance: self.provenance.clone(),
            days,
        }
    }

    /// Reads and checks a history's JSON file.
    ///
    /// # Errors
    /// [`HistoryError`].
    pub fn from_json(text: &str) -> Result<History, HistoryError> {
        if text.len() > crate::json::MAX_BYTES {
            return Err(HistoryError::Size { bytes: text.len() });
        }
        History::from_file(&crate::json::from_str(text)?)
    }

    /// The JSON file: one line of text per day.
    ///
    /// # Errors
    /// [`HistoryError::Json`], which does not happen.
    pub fn to_json(&self) -> Result<String, HistoryError> {
        Ok(crate::json::to_text(&self.to_file(), 2)?)
    }

    /// Where the figures are from.
    pub const fn provenance(&self) -> &Provenance {
        &self.provenance
    }

    /// The date of the first row, to which there is no move.
    pub const fn first(&self) -> Day {
        self.first
    }

    /// The date of the last row.
    pub const fn last(&self) -> Day {
        self.last
    }

    /// All dates, in their order.
    pub fn days(&self) -> impl Iterator<Item = Day> + use<> {
        let last = self.last;
        std::iter::successors(Some(self.first), move |day| day.next().filter(|day| *day <= last))
    }

    /// The underlyings, in the order of their names.
    pub fn underlyings(&self) -> impl Iterator<Item = &str> {
        self.series.keys().map(String::as_str)
    }

    /// The figures of an underlying on a day; `None` if there are none.
    pub fn figures(&self, underlying: &str, day: Day) -> Option<Figures> {
        let series = self.series.get(underlying)?;
        let row = usize::try_from(day.days_since(self.first)?).ok()?;
        Some(Figures {
            close: *series.closes.get(row)?,
            volatility_index: series.volatility_index(row),
        })
    }

    /// The canonical bytes, of which [`digest`](Self::digest) is the digest: `[1, provenance, first, [[name, [close…],
    /// [index…]]…]]`, the first date as days since 1970-01-01, closes from the first date on, volatility indices those of
    /// the last days, the provenance its six fields.
    pub fn canonical(&self) -> Vec<u8> {
        let mut writer = Writer::new();
        writer.array(4);
        writer.uint(FORMAT);
        write_provenance(&mut writer, &self.provenance);
        writer.uint(self.first.number().into());
        writer.list(self.series.iter(), |w, (name, series)| {
            w.array(3);
            w.text(name);
            w.list(series.closes.iter(), |w, close| w.decimal(*close));
            w.list(series.indices.iter(), |w, index| w.decimal(*index));
        });
        writer.into_bytes()
    }

    /// The digest by which this history is named.
    pub fn digest(&self) -> Digest {
        digest(Personal::History, &self.canonical())
    }
}

fn write_provenance(w: &mut Writer, provenance: &Provenance) {
    let texts = |w: &mut Writer, list: &[String]| w.list(list.iter(), |w, text| w.text(text));
    w.array(6);
    w.text(&provenance.source);
    w.text(&provenance.licence);
    w.text(&provenance.importer);
    texts(w, &provenance.recorded);
    texts(w, &provenance.derived);
    texts(w, &provenance.assumed);
}
