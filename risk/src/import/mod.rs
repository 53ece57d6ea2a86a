//! Snapshots and histories from other people's recordings.
//!
//! Every importer gives a [`Snapshot`] or a [`History`](crate::history::History) in which it says what was recorded,
//! what it derived and what it assumed, and lists what it left out. What is malformed, contradictory or expired is
//! refused.
//!
//! | importer | input |
//! |---|---|
//! | [`recorded_chain`] | CSV of a whole option chain: forward and implied volatility of each option |
//! | [`deribit_api`] | answers of Deribit's public API, saved to files |
//! | [`deribit_recording`] | a recording of Deribit's order books, without volatilities and index |
//! | [`closes`] | CSV of daily closes, and one of daily volatility indices: a history |
//!
//! # One market per expiry
//! All options of an expiry are priced on one forward and those of a strike at one volatility. Recordings differ by a
//! little within an expiry, since rows are not written at once: the forward is the commonest of the recorded ones (the
//! lower of two that are as common), and more than 5 basis points between the lowest and the highest is refused; the
//! volatility is that of the out-of-the-money option (the call's at the money), and more than half a point between call
//! and put is refused.
//!
//! # Static arbitrage
//! A surface in which prices contradict each other is imported with a warning for each place: a call that gains value
//! as the strike rises, or loses more than the strike rises (vertical); three strikes between which the price is not
//! convex (butterfly); total variance `σ²T` that falls from one expiry to the next at the same moneyness `K/F`
//! (calendar). What the recording's own rounding of volatilities explains is not counted.

mod arbitrage;
mod chain;
pub mod closes;
pub mod deribit_api;
pub mod deribit_recording;
mod implied;
pub mod recorded_chain;

use std::collections::BTreeSet;

use csv::{Position, StringRecord};
use rust_decimal::Decimal;

use crate::history::HistoryError;
use crate::instant::{HOUR_MS, Instant};
use crate::market::{Snapshot, SnapshotError};

/// Shortest time to expiry that is imported unless something else is wanted: one hour, in milliseconds.
pub const DEFAULT_MIN_TENOR_MS: u64 = HOUR_MS;

/// Where a recording is from. Goes into the snapshot's provenance.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Source {
    /// Who recorded it, and where it can be had.
    pub source: String,
    /// Its licence.
    pub licence: String,
}

/// A snapshot, and what became of the recording.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Imported {
    /// The snapshot, checked.
    pub snapshot: Snapshot,
    /// What was counted, left out and noticed.
    pub report: ImportReport,
}

/// What an importer counted, left out and noticed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ImportReport {
    /// Options in the snapshot.
    pub options: usize,
    /// Distinct expiries of options, over all underlyings.
    pub expiries: usize,
    /// Dated futures in the snapshot.
    pub futures: usize,
    /// Perpetuals in the snapshot.
    pub perpetuals: usize,
    /// Instruments left out because they expire too soon or are of a kind that is not imported.
    pub dropped: Vec<Omitted>,
    /// Instruments left out because the recording gives no price for them.
    pub unpriced: Vec<Omitted>,
    /// Places of the surface with static arbitrage, in words.
    pub arbitrage: Vec<String>,
}

/// An instrument that was left out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Omitted {
    /// Its name in the recording.
    pub instrument: String,
    /// Why.
    pub reason: String,
}

/// Why a recording is refused. `place` says where: the file's name by its role, and the line or instrument.
#[derive(Debug, thiserror::Error)]
pub enum ImportError {
    /// Not CSV, or a row of another length than the header.
    #[error("{place}: {source}")]
    Csv {
        /// Which file.
        place: &'static str,
        /// What is wrong.
        source: csv::Error,
    },
    /// A CSV header that is not the expected one.
    #[error("{place}: the header is `{found}`, expected `{expected}`")]
    Header {
        /// Which file.
        place: &'static str,
        /// What it is.
        found: String,
        /// What it should be.
        expected: String,
    },
    /// Not JSON, or not of the expected shape; the message has line and column.
    #[error("{place}: {source}")]
    Json {
        /// Which file.
        place: &'static str,
        /// What is wrong.
        source: serde_json::Error,
    },
    /// An answer that is an error.
    #[error("{place}: the answer is an error: {message}")]
    Answer {
        /// Which file.
        place: &'static str,
        /// Its text.
        message: String,
    },
    /// A value that is malformed or out of bounds.
    #[error("{place}: {field} is `{value}`, expected {bound}")]
    Field {
        /// Where.
        place: String,
        /// Which field.
        field: &'static str,
        /// Its value.
        value: String,
        /// The bound, in words.
        bound: String,
    },
    /// An instrument that has expired at the snapshot's instant.
    #[error(
        "{place}: {instrument} expired at {expiry}, the snapshot is of {time}: give the time at which it was recorded"
    )]
    Expired {
        /// Where.
        place: String,
        /// Which.
        instrument: String,
        /// When.
        expiry: Instant,
        /// The snapshot's instant.
        time: Instant,
    },
    /// An instrument that occurs twice.
    #[error("{place}: {instrument} occurs twice")]
    Duplicate {
        /// Where.
        place: String,
        /// Which.
        instrument: String,
    },
    /// Forwards of one expiry that differ too much to be one market.
    #[error("{underlying}, expiry {expiry}: forwards from {lowest} to {highest}, more than {most} basis points apart")]
    ForwardSpread {
        /// Of what.
        underlying: String,
        /// Of which expiry.
        expiry: Instant,
        /// The lowest.
        lowest: Decimal,
        /// The highest.
        highest: Decimal,
        /// The bound.
        most: Decimal,
    },
    /// Call and put of one strike at volatilities that differ too much to be one.
    #[error(
        "{underlying}, expiry {expiry}, strike {strike}: volatility of the call {call}, of the put {put}, \
             more than {most} apart"
    )]
    VolatilityGap {
        /// Of what.
        underlying: String,
        /// Of which expiry.
        expiry: Instant,
        /// Of which strike.
        strike: Decimal,
        /// The call's, as a fraction.
        call: Decimal,
        /// The put's, as a fraction.
        put: Decimal,
        /// The bound.
        most: Decimal,
    },
    /// Something that a snapshot needs is not in the recording.
    #[error("{place}: {what}")]
    Missing {
        /// Where.
        place: String,
        /// What is missing.
        what: String,
    },
    /// The figures make no snapshot.
    #[error(transparent)]
    Snapshot(#[from] SnapshotError),
    /// The figures make no history.
    #[error(transparent)]
    History(#[from] HistoryError),
}

/// Whether an instrument lives long enough to be imported; one that does not is listed in the report.
fn is_kept(
    report: &mut ImportReport,
    place: &str,
    instrument: &str,
    expiry: Instant,
    (time, min_tenor_ms): (Instant, u64),
) -> Result<bool, ImportError> {
    if expiry <= time {
        return Err(ImportError::Expired {
            place: place.to_owned(),
            instrument: instrument.to_owned(),
            expiry,
            time,
        });
    }
    let tenor = expiry.millis_since(time);
    if tenor < min_tenor_ms {
        let reason = format!(
            "expires in {} min, the least is {} min",
            tenor / 60_000,
            min_tenor_ms / 60_000
        );
        report.dropped.push(Omitted {
            instrument: instrument.to_owned(),
            reason,
        });
        return Ok(false);
    }
    Ok(true)
}

/// Counts, looks for static arbitrage, and checks the finished snapshot.
fn finish(mut snapshot: Snapshot, mut report: ImportReport, volatility_step: f64) -> Result<Imported, ImportError> {
    snapshot.check()?;
    let mut expiries = BTreeSet::new();
    for market in snapshot.underlyings.values() {
        for (expiry, chain) in &market.expiries {
            expiries.insert(*expiry);
            let sides = chain.strikes.values().flat_map(|strike| [&strike.call, &strike.put]);
            report.options += sides.flatten().count();
        }
        report.futures += market.futures.len();
        report.perpetuals += usize::from(market.perpetual.is_some());
    }
    report.expiries = expiries.len();
    report.arbitrage = arbitrage::find(&snapshot, volatility_step);
    snapshot.provenance.warnings = u32::try_from(report.arbitrage.len()).unwrap_or(u32::MAX);
    Ok(Imported { snapshot, report })
}

fn field(place: &str, field: &'static str, value: impl ToString, bound: impl Into<String>) -> ImportError {
    let value = value.to_string().chars().take(64).collect();
    ImportError::Field {
        place: place.to_owned(),
        field,
        value,
        bound: bound.into(),
    }
}

/// The rows of a CSV file with exactly these columns, each with its place.
fn rows<const N: usize>(
    place: &'static str,
    text: &str,
    columns: [&str; N],
) -> Result<Vec<(String, StringRecord)>, ImportError> {
    let refused = |source| ImportError::Csv { place, source };
    let mut reader = csv::ReaderBuilder::new().from_reader(text.as_bytes());
    let header = reader.headers().map_err(refused)?;
    if header.iter().ne(columns) {
        return Err(ImportError::Header {
            place,
            found: header.iter().collect::<Vec<_>>().join(",").chars().take(200).collect(),
            expected: columns.join(","),
        });
    }
    let mut rows = Vec::new();
    for record in reader.records() {
        let record = record.map_err(refused)?;
        let line = record.position().map_or(0, Position::line);
        rows.push((format!("{place}, line {line}"), record));
    }
    Ok(rows)
}

/// A JSON number, from its text.
fn number(place: &str, name: &'static str, value: &serde_json::value::RawValue) -> Result<Decimal, ImportError> {
    crate::amount::parse_number(value.get())
        .map_err(|error| field(place, name, value.get(), format!("a number: {error}")))
}

/// A JSON number that may be absent.
fn optional(
    place: &str,
    name: &'static str,
    value: Option<&serde_json::value::RawValue>,
) -> Result<Option<Decimal>, ImportError> {
    value.map(|value| number(place, name, value)).transpose()
}

fn texts(list: &[&str]) -> Vec<String> {
    list.iter().map(|text| (*text).to_owned()).collect()
}
