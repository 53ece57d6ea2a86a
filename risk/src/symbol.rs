//! Instrument names as Deribit writes them, and what they say.
//!
//! `BTC-28AUG26-70000-C` is an option, `BTC-28AUG26` a future, `BTC-PERPETUAL` a perpetual, all inverse;
//! `BTC_USDC-28AUG26-70000-P` and so on are linear and name the currency they are quoted in; `d` is the point of a
//! strike below a unit (`XRP_USDC-28AUG26-0d5-C`). Everything expires at 08:00 UTC. This is the only place that reads
//! such names.

use std::fmt;
use std::str::FromStr;

use rust_decimal::Decimal;
use time::{Date, Month};

use crate::amount;
use crate::instant::Instant;
use crate::universe::{Kind, Right};

/// Hour of the day (UTC) at which every instrument named in this way expires.
pub const EXPIRY_HOUR: u8 = 8;
/// Most bytes of a name.
const MAX_BYTES: usize = 64;

const MONTHS: [&str; 12] = [
    "JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC",
];

/// What an instrument's name says.
///
/// ```
/// use zkmargin_risk::symbol::Symbol;
/// let symbol: Symbol = "BTC-28AUG26-70000-C".parse()?;
/// assert_eq!((symbol.underlying.as_str(), symbol.quoted_in), ("BTC", None));
/// assert_eq!(symbol.kind.expiry().map(|e| e.to_string()).as_deref(), Some("2026-08-28T08:00:00Z"));
/// # Ok::<(), zkmargin_risk::symbol::SymbolError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Symbol {
    /// What it is on: `BTC`.
    pub underlying: String,
    /// The currency that a linear instrument is quoted in; `None` for an inverse one.
    pub quoted_in: Option<String>,
    /// Option, future or perpetual, with its expiry, strike and right.
    pub kind: Kind,
}

/// Why a text is not a [`Symbol`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{name}` is not an instrument's name: {part}; expected as in BTC-28AUG26-70000-C, BTC-28AUG26, BTC-PERPETUAL")]
pub struct SymbolError {
    /// The text, at most 64 characters of it.
    pub name: String,
    /// The part that is wrong.
    pub part: &'static str,
}

impl FromStr for Symbol {
    type Err = SymbolError;

    fn from_str(name: &str) -> Result<Symbol, SymbolError> {
        let refused = |part| SymbolError {
            name: name.chars().take(MAX_BYTES).collect(),
            part,
        };
        if name.len() > MAX_BYTES {
            return Err(refused("it is too long"));
        }
        let parts: Vec<&str> = name.split('-').collect();
        let (pair, kind) = match parts.as_slice() {
            [pair, "PERPETUAL"] => (*pair, Kind::Perpetual),
            [pair, date] => (
                *pair,
                Kind::Future {
                    expiry: expiry(date).ok_or_else(|| refused("its date"))?,
                },
            ),
            [pair, date, strike, right] => {
                let expiry = expiry(date).ok_or_else(|| refused("its date"))?;
                let strike = parse_strike(strike).ok_or_else(|| refused("its strike"))?;
                let right = match *right {
                    "C" => Right::Call,
                    "P" => Right::Put,
                    _ => return Err(refused("its right, which is neither C nor P")),
                };
                (*pair, Kind::Option { expiry, strike, right })
            }
            _ => return Err(refused("it has not two or four parts")),
        };
        let currency =
            |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit());
        let (underlying, quoted_in) = match pair.split_once('_') {
            Some((underlying, quote)) if currency(quote) => (underlying, Some(quote.to_owned())),
            Some(_) => return Err(refused("its currency")),
            None => (pair, None),
        };
        if !currency(underlying) {
            return Err(refused("its underlying"));
        }
        Ok(Symbol {
            underlying: underlying.to_owned(),
            quoted_in,
            kind,
        })
    }
}

impl fmt::Display for Symbol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.underlying)?;
        if let Some(quote) = &self.quoted_in {
            write!(f, "_{quote}")?;
        }
        match &self.kind {
            Kind::Perpetual => f.write_str("-PERPETUAL"),
            // No name says one.
            Kind::Sensitivity(sensitivity) => write!(f, "-{sensitivity}"),
            Kind::Future { expiry } => write!(f, "-{}", date_text(*expiry)),
            Kind::Option { expiry, strike, right } => {
                let strike = strike_text(*strike);
                write!(
                    f,
                    "-{}-{strike}-{}",
                    date_text(*expiry),
                    if *right == Right::Call { "C" } else { "P" }
                )
            }
        }
    }
}

/// The expiry that a date such as `7AUG26` names: 08:00 UTC of that day, years 2000 to 2099.
///
/// `None` if the text is not such a date in its one form (no leading zero of the day).
pub fn expiry(date: &str) -> Option<Instant> {
    if !date.is_ascii() || !(6..=7).contains(&date.len()) || date.starts_with('0') {
        return None;
    }
    let (day, rest) = date.split_at(date.len() - 5);
    let (month, year) = rest.split_at(3);
    let digits = |text: &str| {
        if text.bytes().all(|b| b.is_ascii_digit()) {
            text.parse::<u8>().ok()
        } else {
            None
        }
    };
    let month = MONTHS.iter().position(|name| *name == month)?;
    let month = Month::try_from(u8::try_from(month + 1).ok()?).ok()?;
    let date = Date::from_calendar_date(2000 + i32::from(digits(year)?), month, digits(day)?).ok()?;
    Instant::at_hour(date, EXPIRY_HOUR)
}

/// The date of an expiry as names write it: `7AUG26`.
pub fn date_text(expiry: Instant) -> String {
    let date = expiry.date();
    let month = MONTHS
        .get(usize::from(u8::from(date.month())) - 1)
        .copied()
        .unwrap_or_default();
    format!("{}{month}{:02}", date.day(), date.year().rem_euclid(100))
}

fn parse_strike(text: &str) -> Option<Decimal> {
    let strike = amount::parse(&text.replacen('d', ".", 1))
        .ok()
        .filter(|strike| *strike > Decimal::ZERO)?;
    let has_one_form = strike_text(strike) == text;
    has_one_form.then_some(strike)
}

fn strike_text(strike: Decimal) -> String {
    strike.normalize().to_string().replace('.', "d")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
    use super::*;

    #[test]
    fn names_round_trip() {
        for name in [
            "BTC-28AUG26-70000-C",
            "ETH-7AUG26-1950-P",
            "BTC-28AUG26",
            "ETH-PERPETUAL",
            "BTC_USDC-PERPETUAL",
            "XRP_USDC-28AUG26-0d5-C",
            "SOL_USDC-1JAN27-12d25-P",
            "BTC-29FEB28",
        ] {
            assert_eq!(name.parse::<Symbol>().unwrap().to_string(), name);
        }
    }

    #[test]
    fn other_names_are_refused() {
        for (name, part) in [
            ("BTC", "it has not two or four parts"),
            ("", "it has not two or four parts"),
            ("BTC-28AUG26-70000", "it has not two or four parts"),
            ("BTC-30FEB26", "its date"),
            ("BTC-07AUG26", "its date"),
            ("BTC-7AUGX6", "its date"),
            ("BTC-7Aug26", "its date"),
            ("BTC-+7AUG26", "its date"),
            ("BTC-7AUG26-0-C", "its strike"),
            ("BTC-7AUG26--5-C", "it has not two or four parts"),
            ("BTC-7AUG26-070-C", "its strike"),
            ("BTC-7AUG26-1.5-C", "its strike"),
            ("BTC-7AUG26-1d50-C", "its strike"),
            ("BTC-7AUG26-1d-C", "its strike"),
            ("BTC-7AUG26-100-X", "its right, which is neither C nor P"),
            ("btc-PERPETUAL", "its underlying"),
            ("BTC_-PERPETUAL", "its currency"),
            ("-PERPETUAL", "its underlying"),
            ("BTC-Ä1AUG26", "its date"),
        ] {
            assert_eq!(name.parse::<Symbol>().unwrap_err().part, part, "{name}");
        }
        assert_eq!("B".repeat(100).parse::<Symbol>().unwrap_err().part, "it is too long");
    }
}
