//! Daily closes in one CSV file, and daily volatility indices in another, such as the CC0 dataset
//! `bykarantelicom/crypto-datasets` publishes daily.
//!
//! Columns of the closes: `date,symbol,us_close_usd,global_close_usd,premium_pct`. The close is `global_close_usd`; that
//! at Coinbase and the premium of the one on the other are not used. Columns of the indices: `date,currency,dvol`. Rows
//! may be in any order.
//!
//! The dates are those of the closes, which must have no gap; an index of another date, or of what has no close, is
//! left out and listed.
//!
//! ```
//! use zkmargin_risk::import::{Source, closes};
//! let csv = "date,symbol,us_close_usd,global_close_usd,premium_pct
//! 2026-08-05,BTC,64010,64000,0.0156
//! 2026-08-06,BTC,62990,63000,-0.0159
//! ";
//! let indices = "date,currency,dvol
//! 2026-08-06,BTC,35.5
//! 2026-08-07,BTC,34.25
//! ";
//! let source = Source { source: "a recording of my own".into(), licence: "CC0-1.0".into() };
//! let imported = closes::import(csv, Some(indices), &source)?;
//! assert_eq!(imported.history.last().to_string(), "2026-08-06");
//! assert_eq!(imported.dropped.len(), 1);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

use std::collections::BTreeMap;

use rust_decimal::Decimal;

use super::{ImportError, Omitted, Source, field, rows, texts};
use crate::amount;
use crate::history::{Day, Figures, History, HistoryFile, MAX_VOLATILITY_INDEX, Provenance, Row};
use crate::market::MAX_PRICE;
use crate::universe::is_name;

/// Name and version of this importer, in the provenance.
const IMPORTER: &str = "closes 1";

/// A history, and what became of the recording.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ImportedHistory {
    /// The history, checked.
    pub history: History,
    /// Volatility indices that were left out, by underlying.
    pub dropped: Vec<Omitted>,
}

/// The history of recorded closes, with recorded volatility indices if there are any.
///
/// # Errors
/// [`ImportError`]: another header, a malformed date or name, a figure out of bounds, an underlying twice on a day, and
/// what is no [`History`], such as closes with a date missing among them.
pub fn import(closes: &str, indices: Option<&str>, source: &Source) -> Result<ImportedHistory, ImportError> {
    let columns = ["date", "symbol", "us_close_usd", "global_close_usd", "premium_pct"];
    let mut days: BTreeMap<Day, Row> = BTreeMap::new();
    for ((day, name), close) in column("closes", closes, columns, 3, MAX_PRICE)? {
        let figures = Figures {
            close,
            volatility_index: None,
        };
        days.entry(day).or_default().0.insert(name, figures);
    }
    let mut dropped: BTreeMap<String, Vec<Day>> = BTreeMap::new();
    if let Some(text) = indices {
        let columns = ["date", "currency", "dvol"];
        for ((day, name), index) in column("volatility indices", text, columns, 2, MAX_VOLATILITY_INDEX)? {
            match days.get_mut(&day).and_then(|row| row.0.get_mut(&name)) {
                Some(figures) => figures.volatility_index = Some(index),
                None => dropped.entry(name).or_default().push(day),
            }
        }
    }
    let provenance = provenance(source, indices.is_some());
    Ok(ImportedHistory {
        history: History::from_file(&HistoryFile { provenance, days })?,
        dropped: dropped
            .into_iter()
            .filter_map(|(name, days)| omitted(name, &days))
            .collect(),
    })
}

/// The figures of one column by date and underlying, which are the first two columns.
fn column<const N: usize>(
    place: &'static str,
    text: &str,
    columns: [&'static str; N],
    wanted: usize,
    most: Decimal,
) -> Result<BTreeMap<(Day, String), Decimal>, ImportError> {
    let heading = |index: usize| columns.get(index).copied().unwrap_or_default();
    let mut figures = BTreeMap::new();
    for (place, record) in rows(place, text, columns)? {
        let cell = |index: usize| record.get(index).unwrap_or_default();
        let refused = |index, bound: String| field(&place, heading(index), cell(index), bound);
        let day: Day = cell(0)
            .parse()
            .map_err(|_| refused(0, "a date such as 2026-08-06".to_owned()))?;
        let name = cell(1);
        if !is_name(name) {
            return Err(refused(1, "a name such as BTC".to_owned()));
        }
        let figure = amount::parse(cell(wanted))
            .ok()
            .filter(|figure| *figure > Decimal::ZERO && *figure <= most);
        let figure = figure.ok_or_else(|| refused(wanted, format!("above 0 and at most {most}")))?;
        if figures.insert((day, name.to_owned()), figure).is_some() {
            let instrument = format!("{name} of {day}");
            return Err(ImportError::Duplicate { place, instrument });
        }
    }
    Ok(figures)
}

/// Days of an underlying's volatility index that are left out; `None` if there are none.
fn omitted(instrument: String, days: &[Day]) -> Option<Omitted> {
    let (first, last) = (days.first()?, days.last()?);
    let count = days.len();
    let reason = format!("volatility index from {first} to {last}: no close on these dates ({count})");
    Some(Omitted { instrument, reason })
}

fn provenance(source: &Source, has_indices: bool) -> Provenance {
    let mut recorded = texts(&["close of each day: global_close_usd"]);
    let mut assumed = texts(&[
        "a close is a price in USD at the end of the UTC day: the recording says neither whose it is nor at what time",
    ]);
    if has_indices {
        recorded.push("volatility index of each day since there is one: Deribit's DVOL".to_owned());
        assumed.push("a day's volatility index is of the same time as its close".to_owned());
    }
    Provenance {
        source: source.source.clone(),
        licence: source.licence.clone(),
        importer: IMPORTER.to_owned(),
        recorded,
        derived: Vec::new(),
        assumed,
    }
}
