//! Files of fills for the ledger: CSV with a header, or a JSON object per line. Both have the fields of [`EntryRow`].

use std::io::Write as _;

use rust_decimal::Decimal;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use thiserror::Error;
use zeroize::Zeroizing;
use zkmargin_risk::instant::Instant;

use crate::fill::{Fill, Funding, Move, MoveError, Transfer};

/// Most bytes of a file of fills. Reading one takes up to 14 times as much memory.
pub const MAX_ENTRIES_BYTES: usize = 1 << 26;

/// The first line of a file of CSV that we write: the fields of [`EntryRow`], in their order.
pub(crate) const CSV_HEADER: &str = "id,account,time,instrument,contracts,price,fee,asset,amount\n";

/// How a file of fills is written.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum EntryFormat {
    /// Comma-separated values; the first line names the fields.
    Csv,
    /// A JSON object per line.
    JsonLines,
}

/// A line of a file of fills: a trade has `instrument`, `contracts`, `price` and `fee`, a transfer `asset` and `amount`, funding `instrument`
/// and `amount`. Secret: its `Debug` shows nothing.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct EntryRow {
    /// The venue's id of the fill, unique within the account.
    pub id: String,
    /// The account's name in the ledger.
    pub account: String,
    /// When it happened, such as 2026-08-06T12:00:00Z.
    pub time: String,
    /// The instrument's name at the venue.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub instrument: Option<String>,
    /// Contracts, negative if sold.
    #[serde(
        default,
        with = "zkmargin_risk::amount::option",
        skip_serializing_if = "Option::is_none"
    )]
    #[schemars(with = "Option<String>")]
    pub contracts: Option<Decimal>,
    /// Option: premium per unit of the underlying, in the settlement asset. Future, perpetual: price in USD.
    #[serde(
        default,
        with = "zkmargin_risk::amount::option",
        skip_serializing_if = "Option::is_none"
    )]
    #[schemars(with = "Option<String>")]
    pub price: Option<Decimal>,
    /// Fee of the whole fill in the settlement asset; negative for a rebate.
    #[serde(
        default,
        with = "zkmargin_risk::amount::option",
        skip_serializing_if = "Option::is_none"
    )]
    #[schemars(with = "Option<String>")]
    pub fee: Option<Decimal>,
    /// The asset's name at the venue.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub asset: Option<String>,
    /// Coins, negative if withdrawn or paid. Funding: of the perpetual's settlement asset.
    #[serde(
        default,
        with = "zkmargin_risk::amount::option",
        skip_serializing_if = "Option::is_none"
    )]
    #[schemars(with = "Option<String>")]
    pub amount: Option<Decimal>,
}

/// What happened to an account: a trade, a transfer or funding. Secret: its `Debug` shows nothing.
#[derive(Clone, PartialEq, Eq)]
pub struct Entry {
    /// The venue's id, unique within the account.
    pub id: String,
    /// The account.
    pub account: String,
    /// When.
    pub time: Instant,
    pub(crate) what: What,
}

#[derive(Clone, PartialEq, Eq)]
pub(crate) enum What {
    Trade(Fill),
    Transfer(Transfer),
    Funding(Funding),
}

/// Lines of a file with their numbers, from 1.
pub struct Entries(pub Vec<(u64, Entry)>);

opaque_debug!(Entries Entry EntryRow);

/// Why a file is no file of fills. For the venue alone: it shows amounts.
#[derive(Debug, Error)]
pub enum EntryError {
    /// More bytes than such a file may have.
    #[error("fills: {length} bytes are more than the {MAX_ENTRIES_BYTES} that a file of fills may have")]
    TooLarge {
        /// Bytes given.
        length: usize,
    },
    /// A line that is not of the format.
    #[error("line {line}: {reason}")]
    Line {
        /// The line.
        line: u64,
        /// What is wrong.
        reason: String,
    },
    /// A file that may be cut short: what a line of CSV ends with may be the beginning of an amount.
    #[error("the file ends in the middle of a line, and may be cut short: line {line} has no line feed behind it")]
    Cut {
        /// The last line.
        line: u64,
    },
    /// A line that is neither a trade nor a transfer nor funding.
    #[error(
        "line {line}: a trade has instrument, contracts, price and fee, a transfer asset and amount, funding instrument and amount; this has {found}"
    )]
    Neither {
        /// The line.
        line: u64,
        /// The fields that it has.
        found: String,
    },
    /// It moves nothing.
    #[error("line {line}: fill {id:?}: {error}")]
    Move {
        /// The line.
        line: u64,
        /// The fill.
        id: String,
        /// What is wrong.
        error: MoveError,
    },
}

impl Entries {
    /// Reads a file of fills.
    ///
    /// # Errors
    /// [`EntryError`], by line.
    pub fn read(bytes: &[u8], format: EntryFormat) -> Result<Entries, EntryError> {
        if bytes.len() > MAX_ENTRIES_BYTES {
            return Err(EntryError::TooLarge { length: bytes.len() });
        }
        let entries = match format {
            EntryFormat::Csv => csv_rows(bytes)?,
            EntryFormat::JsonLines => json_rows(bytes)?,
        };
        let entries: Result<Vec<_>, _> = entries
            .into_iter()
            .map(|(line, row)| Ok((line, Entry::of(line, row)?)))
            .collect();
        entries.map(Entries)
    }
}

fn json_rows(bytes: &[u8]) -> Result<Vec<(u64, EntryRow)>, EntryError> {
    let mut rows = Vec::new();
    for (line, text) in (1..).zip(bytes.split(|byte| *byte == b'\n')) {
        if text.iter().all(u8::is_ascii_whitespace) {
            continue;
        }
        let row = zkmargin_risk::json::from_slice(text);
        rows.push((
            line,
            row.map_err(|error| EntryError::Line {
                line,
                reason: error.to_string(),
            })?,
        ));
    }
    Ok(rows)
}

fn csv_rows(bytes: &[u8]) -> Result<Vec<(u64, EntryRow)>, EntryError> {
    let mut reader = csv::ReaderBuilder::new().from_reader(bytes);
    let broken = |error: csv::Error, line: u64| {
        let line = error.position().map_or(line, csv::Position::line);
        let reason = match error.kind() {
            csv::ErrorKind::Deserialize { err, .. } => {
                match err.field().and_then(|field| usize::try_from(field).ok()) {
                    Some(field) => format!("field {}: {}", field.saturating_add(1), err.kind()),
                    None => err.kind().to_string(),
                }
            }
            csv::ErrorKind::Utf8 { .. } => "not UTF-8 text".to_owned(),
            csv::ErrorKind::UnequalLengths { expected_len, len, .. } => {
                format!("{len} fields, the first line has {expected_len}")
            }
            _ => "not CSV".to_owned(),
        };
        EntryError::Line { line, reason }
    };
    if bytes.last() != Some(&b'\n') {
        let ends = bytes.iter().filter(|byte| **byte == b'\n').count();
        return Err(EntryError::Cut {
            line: u64::try_from(ends).unwrap_or(u64::MAX).saturating_add(1),
        });
    }
    let headers = reader.headers().map_err(|error| broken(error, 1))?.clone();
    let mut names: Vec<&str> = headers.iter().collect();
    names.sort_unstable();
    if let Some(pair) = names.windows(2).find(|pair| pair.first() == pair.last()) {
        let name = pair.first().copied().unwrap_or_default();
        return Err(EntryError::Line {
            line: 1,
            reason: format!("field {name:?} occurs twice"),
        });
    }
    if let Some(missing) = ["id", "account", "time"].into_iter().find(|name| !names.contains(name)) {
        return Err(EntryError::Line {
            line: 1,
            reason: format!("no field {missing:?}: the first line names the fields"),
        });
    }
    let (mut rows, mut record) = (Vec::new(), csv::StringRecord::new());
    while reader.read_record(&mut record).map_err(|error| broken(error, 1))? {
        let line = record.position().map_or(1, csv::Position::line);
        let row = record
            .deserialize(Some(&headers))
            .map_err(|error| broken(error, line))?;
        rows.push((line, row));
    }
    Ok(rows)
}

impl Entry {
    fn of(line: u64, row: EntryRow) -> Result<Entry, EntryError> {
        let broken = |reason: String| EntryError::Line { line, reason };
        for (what, name) in [("id", &row.id), ("account", &row.account)] {
            super::check_name(what, name).map_err(|error| broken(error.to_string()))?;
        }
        let time = row.time.parse().map_err(|error| broken(format!("time: {error}")))?;
        let what = match &row {
            EntryRow {
                instrument: Some(instrument),
                contracts: Some(contracts),
                price: Some(price),
                fee: Some(fee),
                asset: None,
                amount: None,
                ..
            } => What::Trade(Fill {
                instrument: instrument.clone(),
                contracts: *contracts,
                price: *price,
                fee: *fee,
            }),
            EntryRow {
                instrument: None,
                contracts: None,
                price: None,
                fee: None,
                asset: Some(asset),
                amount: Some(amount),
                ..
            } => What::Transfer(Transfer {
                asset: asset.clone(),
                amount: *amount,
            }),
            EntryRow {
                instrument: Some(instrument),
                contracts: None,
                price: None,
                fee: None,
                asset: None,
                amount: Some(amount),
                ..
            } => What::Funding(Funding {
                instrument: instrument.clone(),
                amount: *amount,
            }),
            _ => {
                let found = row.fields().join(", ");
                return Err(EntryError::Neither { line, found });
            }
        };
        Ok(Entry {
            id: row.id,
            account: row.account,
            time,
            what,
        })
    }

    /// Whether it takes money out of the account.
    pub(crate) fn is_withdrawal(&self) -> bool {
        matches!(&self.what, What::Transfer(transfer) if transfer.amount < Decimal::ZERO)
    }

    /// What it does to the legs of an account at `venue`.
    pub(crate) fn moves(&self, venue: &zkmargin_risk::universe::Venue) -> Result<Vec<Move>, MoveError> {
        match &self.what {
            What::Trade(fill) => fill.moves(venue),
            What::Transfer(transfer) => transfer.moves(venue),
            What::Funding(funding) => funding.moves(venue),
        }
    }

    /// The line of a file that it is.
    fn row(&self) -> EntryRow {
        let row = match &self.what {
            What::Trade(fill) => EntryRow {
                instrument: Some(fill.instrument.clone()),
                contracts: Some(fill.contracts),
                price: Some(fill.price),
                fee: Some(fill.fee),
                ..EntryRow::default()
            },
            What::Transfer(transfer) => EntryRow {
                asset: Some(transfer.asset.clone()),
                amount: Some(transfer.amount),
                ..EntryRow::default()
            },
            What::Funding(funding) => EntryRow {
                instrument: Some(funding.instrument.clone()),
                amount: Some(funding.amount),
                ..EntryRow::default()
            },
        };
        EntryRow {
            id: self.id.clone(),
            account: self.account.clone(),
            time: self.time.to_string(),
            ..row
        }
    }

    /// Its one text: what the ledger keeps of it, and compares when an id comes again.
    pub(crate) fn content(&self) -> Result<Zeroizing<String>, EntryError> {
        // Reserved for all but the longest names, so that no growth leaves a copy behind.
        let mut text = Vec::with_capacity(1 << 10);
        let broken = |reason: String| EntryError::Line { line: 0, reason };
        serde_json::to_writer(&mut text, &self.row()).map_err(|error| broken(error.to_string()))?;
        let text = String::from_utf8(text).map_err(|error| broken(error.utf8_error().to_string()))?;
        Ok(Zeroizing::new(text))
    }

    /// Appends it to a file of CSV that begins with [`CSV_HEADER`].
    pub(crate) fn write_csv(&self, file: &mut Vec<u8>) {
        let row = self.row();
        push_quoted(file, &row.id);
        for text in [Some(&row.account), Some(&row.time), row.instrument.as_ref()] {
            file.push(b',');
            push_quoted(file, text.map_or("", String::as_str));
        }
        for amount in [row.contracts, row.price, row.fee] {
            push_amount(file, amount);
        }
        file.push(b',');
        push_quoted(file, row.asset.as_deref().unwrap_or_default());
        push_amount(file, row.amount);
        file.push(b'\n');
    }

    /// Reads what [`content`](Self::content) wrote.
    pub(crate) fn from_content(text: &str) -> Result<Entry, EntryError> {
        let row = zkmargin_risk::json::from_str(text).map_err(|error| EntryError::Line {
            line: 0,
            reason: error.to_string(),
        })?;
        Entry::of(0, row)
    }
}

/// Appends a field of CSV, in quotes where it would not be one field without.
fn push_quoted(file: &mut Vec<u8>, text: &str) {
    if !text.contains([',', '"', '\r', '\n']) {
        file.extend_from_slice(text.as_bytes());
        return;
    }
    file.push(b'"');
    for byte in text.bytes() {
        if byte == b'"' {
            file.push(byte);
        }
        file.push(byte);
    }
    file.push(b'"');
}

/// Appends a comma and an amount, if there is one.
fn push_amount(file: &mut Vec<u8>, amount: Option<Decimal>) {
    file.push(b',');
    if let Some(amount) = amount {
        // Writing to memory does not fail.
        let _ = write!(file, "{amount}");
    }
}

impl EntryRow {
    /// The optional fields that are there.
    fn fields(&self) -> Vec<&'static str> {
        [
            ("instrument", self.instrument.is_some()),
            ("contracts", self.contracts.is_some()),
            ("price", self.price.is_some()),
            ("fee", self.fee.is_some()),
            ("asset", self.asset.is_some()),
            ("amount", self.amount.is_some()),
        ]
        .into_iter()
        .filter_map(|(name, is_there)| is_there.then_some(name))
        .collect()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
    use super::*;

    const JSON: &str = r#"{"id":"1","account":"a","time":"2026-08-06T12:00:00Z","instrument":"X","contracts":"-2.50","price":"3","fee":"0"}

{"id":"2","account":"a","time":"2026-08-06T12:00:01.500Z","asset":"BTC","amount":"1"}
"#;
    const CSV: &str = "id,account,time,instrument,contracts,price,fee,asset,amount\n\
        1,a,2026-08-06T12:00:00Z,X,-2.5,3,0.0,,\n\
        2,a,2026-08-06T12:00:01.500Z,,,,,BTC,1.0\n";

    #[test]
    fn csv_and_json_lines_are_two_writings_of_one_file() {
        let json = Entries::read(JSON.as_bytes(), EntryFormat::JsonLines).unwrap().0;
        let csv = Entries::read(CSV.as_bytes(), EntryFormat::Csv).unwrap().0;
        assert_eq!((json.len(), json[1].0, csv[1].0), (2, 3, 3));
        for ((_, from_json), (_, from_csv)) in json.iter().zip(&csv) {
            assert!(from_json == from_csv);
            assert_eq!(from_json.content().unwrap(), from_csv.content().unwrap());
            assert!(Entry::from_content(&from_json.content().unwrap()).unwrap() == *from_json);
        }
    }

    #[test]
    fn csv_that_we_write_is_read_as_the_same_entries() {
        let odd =
            r#"{"id":"\"odd, id\" ü","account":"a,b","time":"2026-08-06T12:00:02Z","asset":"BTC","amount":"-0.5"}"#;
        let entries = Entries::read(format!("{JSON}{odd}").as_bytes(), EntryFormat::JsonLines).unwrap();
        let mut file = CSV_HEADER.as_bytes().to_vec();
        entries.0.iter().for_each(|(_, entry)| entry.write_csv(&mut file));
        let read = Entries::read(&file, EntryFormat::Csv).unwrap();
        let written = |entries: &Entries| {
            let entries = entries.0.iter().map(|(_, entry)| entry.content().unwrap().to_string());
            entries.collect::<Vec<_>>()
        };
        assert_eq!(written(&read), written(&entries));
        assert_eq!(read.0.len(), 3);
        let text = String::from_utf8(file).unwrap();
        assert!(
            text.starts_with(&CSV.replace("3,0.0,", "3,0,").replace("BTC,1.0", "BTC,1")),
            "{text}"
        );
    }

    #[test]
    fn csv_that_is_cut_short_is_refused_wherever_that_is_not_at_the_end_of_a_line() {
        for length in 0..CSV.len() {
            let (cut, read) = (
                &CSV[..length],
                Entries::read(&CSV.as_bytes()[..length], EntryFormat::Csv),
            );
            assert_eq!(read.is_ok(), cut.ends_with('\n'), "{cut}");
            if let Ok(read) = read {
                assert_eq!(read.0.len(), cut.matches('\n').count() - 1);
            }
        }
        let open = CSV.replace("2,a,", "\"2,a,");
        assert!(Entries::read(open.as_bytes(), EntryFormat::Csv).is_err());
        let said = Entries::read(&CSV.as_bytes()[..CSV.len() - 2], EntryFormat::Csv)
            .unwrap_err()
            .to_string();
        assert!(said.contains("line 3 has no line feed"), "{said}");
    }

    #[test]
    fn broken_line_is_named() {
        let refusal = |text: &str, format| Entries::read(text.as_bytes(), format).unwrap_err().to_string();
        for (from, to, parts) in [
            ("-2.5,", "NaN,", ["line 2", "`NaN` is not an amount"]),
            (",3,0.0", ",,0.0", ["line 2", "this has instrument, contracts, fee"]),
            ("BTC,1.0", "BTC", ["line 3", "8 fields"]),
            ("id,account", "id,id", ["line 1", "occurs twice"]),
            ("id,account", "ID,account", ["line 1", "no field \"id\""]),
            (",asset,", ",coin,", ["line", "unknown field"]),
            ("12:00:01.500Z", "12:00", ["line 3", "is not an instant"]),
            ("2,a,", ",a,", ["line 3", "id \"\" is no name"]),
        ] {
            let changed = CSV.replace(from, to);
            assert_ne!(changed, CSV);
            let said = refusal(&changed, EntryFormat::Csv);
            assert!(parts.iter().all(|part| said.contains(part)), "{said}");
        }
        for (from, to, parts) in [
            ("\"1\"}", "1}", ["line 3", "an amount as a string"]),
            ("\"amount\"", "\"Amount\"", ["line 3", "unknown field"]),
        ] {
            let said = refusal(&JSON.replace(from, to), EntryFormat::JsonLines);
            assert!(parts.iter().all(|part| said.contains(part)), "{said}");
        }
    }
}
