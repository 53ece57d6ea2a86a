//! What makes a history one, and why something is not.

use rust_decimal::Decimal;

use super::{Day, Figures, HistoryFile, MAX_DAYS, MAX_VOLATILITY_INDEX};
use crate::market::MAX_PRICE;
use crate::universe::{MAX_NAME_BYTES, is_name};

/// Why something is not a history.
#[derive(Debug, thiserror::Error)]
pub enum HistoryError {
    /// Not JSON of the format, or a date twice; the message has line and column.
    #[error("history: {0}")]
    Json(#[from] serde_json::Error),
    /// A file larger than is read.
    #[error("history: {bytes} bytes, at most {} are read", crate::json::MAX_BYTES)]
    Size {
        /// Its size.
        bytes: usize,
    },
    /// Too few days for a move, or more than are taken.
    #[error("history: {days} days, expected 2 to {MAX_DAYS}")]
    Days {
        /// How many.
        days: usize,
    },
    /// A date without a row between two that have one.
    #[error("history: there is no row of {missing}, between {before} and {after}")]
    Gap {
        /// The first date that is missing.
        missing: Day,
        /// The last row before it.
        before: Day,
        /// The first row after it.
        after: Day,
    },
    /// The first row has no underlying.
    #[error("history: {day}: there is no underlying")]
    NoUnderlying {
        /// The day.
        day: Day,
    },
    /// A name of an underlying that is not one.
    #[error(
        "history: {day}: `{name}` is not a name: 1 to 64 bytes in NFC, without white space, control characters, `:` and `,`"
    )]
    Name {
        /// The day.
        day: Day,
        /// The name.
        name: String,
    },
    /// A row without an underlying that the rows before it have.
    #[error("history: {day}: {underlying} is missing, which the rows before have")]
    MissingUnderlying {
        /// The day.
        day: Day,
        /// The underlying.
        underlying: String,
    },
    /// A row with an underlying that the rows before it do not have.
    #[error("history: {day}: {underlying} is new, the rows before do not have it")]
    NewUnderlying {
        /// The day.
        day: Day,
        /// The underlying.
        underlying: String,
    },
    /// A row without the volatility index that the row before it has.
    #[error("history: {day}: {underlying} has no volatility index, but the day before has one")]
    MissingIndex {
        /// The day.
        day: Day,
        /// The underlying.
        underlying: String,
    },
    /// A figure out of bounds.
    #[error("history: {day}, {underlying}: {field} is {value}, expected above 0 and at most {most}")]
    Figure {
        /// The day.
        day: Day,
        /// The underlying.
        underlying: String,
        /// `close` or `volatility index`.
        field: &'static str,
        /// Its value.
        value: Decimal,
        /// The largest that is taken.
        most: Decimal,
    },
}

/// The first and the last date, if there is a row for each between, of the same underlyings.
pub(super) fn check_days(file: &HistoryFile) -> Result<(Day, Day), HistoryError> {
    let days = file.days.len();
    let ends = file.days.first_key_value().zip(file.days.last_key_value());
    let Some(((first, row), (last, _))) = ends.filter(|_| (2..=MAX_DAYS).contains(&days)) else {
        return Err(HistoryError::Days { days });
    };
    if row.0.is_empty() {
        return Err(HistoryError::NoUnderlying { day: *first });
    }
    for name in row.0.keys() {
        if !is_name(name) {
            let name = name.chars().take(MAX_NAME_BYTES).collect();
            return Err(HistoryError::Name { day: *first, name });
        }
    }
    for ((before, _), (after, found)) in file.days.iter().zip(file.days.iter().skip(1)) {
        if let Some(missing) = before.next().filter(|missing| missing != after) {
            let (before, after) = (*before, *after);
            return Err(HistoryError::Gap { missing, before, after });
        }
        if let Some(underlying) = row.0.keys().find(|name| !found.0.contains_key(*name)) {
            let (day, underlying) = (*after, underlying.clone());
            return Err(HistoryError::MissingUnderlying { day, underlying });
        }
        if let Some(underlying) = found.0.keys().find(|name| !row.0.contains_key(*name)) {
            let (day, underlying) = (*after, underlying.chars().take(MAX_NAME_BYTES).collect());
            return Err(HistoryError::NewUnderlying { day, underlying });
        }
    }
    Ok((*first, *last))
}

/// One underlying's figures of a day; `has_begun` says whether it had a volatility index before.
pub(super) fn check_figures(
    day: Day,
    underlying: &str,
    figures: &Figures,
    has_begun: bool,
) -> Result<(), HistoryError> {
    let within = |field, value: Decimal, most| {
        if value > Decimal::ZERO && value <= most {
            return Ok(());
        }
        Err(HistoryError::Figure {
            day,
            underlying: underlying.to_owned(),
            field,
            value,
            most,
        })
    };
    within("close", figures.close, MAX_PRICE)?;
    match figures.volatility_index {
        Some(index) => within("volatility index", index, MAX_VOLATILITY_INDEX),
        None if has_begun => Err(HistoryError::MissingIndex {
            day,
            underlying: underlying.to_owned(),
        }),
        None => Ok(()),
    }
}
