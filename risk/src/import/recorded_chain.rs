//! A whole option chain recorded in one CSV file, such as the CC0 dataset `bykarantelicom/crypto-datasets` publishes
//! daily.
//!
//! Columns: `date,currency,instrument,expiry,strike,type,open_interest,mark_iv,underlying_usd`, the volatility in
//! percent and `underlying_usd` being the forward of the row's expiry. The file has no time of day, so the caller gives
//! it. It has no index, futures, perpetual, rate or marks either:
//! - index: the forward of the nearest expiry;
//! - perpetual: at the index, with funding 0;
//! - futures: one per expiry, at its forward;
//! - rate 0, and USDC 1 USD; the coin of an underlying at its index;
//! - marks follow from Black-76 at the forward and the volatility, whenever something is valued: the file holds none.
//!
//! ```
//! use zkmargin_risk::import::{DEFAULT_MIN_TENOR_MS, Source, recorded_chain};
//! let csv = "date,currency,instrument,expiry,strike,type,open_interest,mark_iv,underlying_usd
//! 2026-08-06,BTC,BTC-28AUG26-70000-C,28AUG26,70000,call,12.5,35.1,64570
//! 2026-08-06,BTC,BTC-28AUG26-70000-P,28AUG26,70000,put,0,35.1,64570
//! ";
//! let source = Source { source: "a recording of my own".into(), licence: "CC0-1.0".into() };
//! let imported = recorded_chain::import(csv, "2026-08-06T12:00:00Z".parse()?, DEFAULT_MIN_TENOR_MS, &source)?;
//! assert_eq!((imported.report.options, imported.report.futures), (2, 1));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

use std::collections::BTreeMap;

use csv::StringRecord;
use rust_decimal::Decimal;

use super::chain::{Row, chains};
use super::{ImportError, ImportReport, Imported, Source, field, finish, is_kept, rows, texts};
use crate::amount;
use crate::instant::Instant;
use crate::market::{
    Expiry, FutureQuote, MAX_PRICE, MAX_VOLATILITY, PerpetualQuote, Provenance, Quote, Snapshot, UnderlyingMarket,
};
use crate::symbol::{Symbol, date_text};
use crate::universe::{Kind, Right};

const COLUMNS: [&str; 9] = [
    "date",
    "currency",
    "instrument",
    "expiry",
    "strike",
    "type",
    "open_interest",
    "mark_iv",
    "underlying_usd",
];
/// Name and version of this importer, in the provenance.
const IMPORTER: &str = "recorded-chain 1";
const PERCENT: Decimal = Decimal::from_parts(100, 0, 0, false, 0);
/// Volatilities are recorded in steps of 0.01 %.
const VOLATILITY_STEP: f64 = 1e-4;

/// The snapshot of a recorded chain at `time`, without what expires in less than `min_tenor_ms` milliseconds.
///
/// # Errors
/// [`ImportError`]: another header, a row that contradicts its instrument's name or its file's date, a figure out of
/// bounds, an option that has expired at `time`, duplicates, forwards or volatilities that are too far apart to be one
/// market.
pub fn import(csv: &str, time: Instant, min_tenor_ms: u64, source: &Source) -> Result<Imported, ImportError> {
    let mut report = ImportReport::default();
    let mut kept = Vec::new();
    for (place, record) in rows("recorded chain", csv, COLUMNS)? {
        let row = read_row(place, &record, time)?;
        if is_kept(&mut report, &row.place, &row.name, row.expiry, (time, min_tenor_ms))? {
            kept.push(row);
        }
    }
    let mut underlyings = BTreeMap::new();
    for (underlying, expiries) in chains(kept)? {
        underlyings.insert(underlying.clone(), market(&underlying, expiries)?);
    }
    let mut assets: BTreeMap<String, Decimal> = underlyings
        .iter()
        .map(|(name, market)| (name.clone(), market.index))
        .collect();
    assets.insert("USDC".to_owned(), Decimal::ONE);
    finish(
        Snapshot {
            instant: time,
            provenance: provenance(source),
            assets,
            confidences: BTreeMap::new(),
            underlyings,
        },
        report,
        VOLATILITY_STEP,
    )
}

fn market(underlying: &str, expiries: BTreeMap<Instant, Expiry>) -> Result<UnderlyingMarket, ImportError> {
    let missing = || ImportError::Missing {
        place: underlying.to_owned(),
        what: "no expiry is left".to_owned(),
    };
    let index = expiries.values().next().ok_or_else(missing)?.forward;
    let future = |expiry: &Expiry| FutureQuote {
        price: expiry.forward,
        quote: Quote::default(),
    };
    Ok(UnderlyingMarket {
        index,
        confidence: None,
        rate: Decimal::ZERO,
        perpetual: Some(PerpetualQuote {
            price: index,
            funding: Decimal::ZERO,
            confidence: None,
            quote: Quote::default(),
        }),
        futures: expiries
            .iter()
            .map(|(instant, expiry)| (*instant, future(expiry)))
            .collect(),
        expiries,
        deliveries: BTreeMap::new(),
    })
}

fn read_row(place: String, record: &StringRecord, time: Instant) -> Result<Row, ImportError> {
    let column = |index: usize| record.get(index).unwrap_or_default();
    let (date, currency, name, right) = (column(0), column(1), column(2), column(5));
    // Only the day is recorded: a time on another day is a mistake of the caller.
    let day = time.to_string().chars().take(10).collect::<String>();
    if date != day {
        return Err(field(
            &place,
            "date",
            date,
            format!("{day}, the day of the time {time}"),
        ));
    }
    let symbol: Symbol = name
        .parse()
        .map_err(|error| field(&place, "instrument", name, format!("an option: {error}")))?;
    let Kind::Option {
        expiry,
        strike,
        right: said,
    } = symbol.kind
    else {
        return Err(field(&place, "instrument", name, "an option"));
    };
    if symbol.quoted_in.is_some() {
        return Err(field(
            &place,
            "instrument",
            name,
            "an inverse option, such as BTC-28AUG26-70000-C",
        ));
    }
    let agrees = |column: &'static str, found: &str, expected: &str| {
        if found == expected {
            Ok(())
        } else {
            Err(field(&place, column, found, format!("{expected}, as {name} says")))
        }
    };
    agrees("currency", currency, &symbol.underlying)?;
    agrees("expiry", column(3), &date_text(expiry))?;
    agrees("type", right, if said == Right::Call { "call" } else { "put" })?;
    let number = |index: usize, most: Decimal, bound: &str, zero: bool| {
        let (name, text) = (COLUMNS.get(index).copied().unwrap_or_default(), column(index));
        let refused = || field(&place, name, text, format!("{bound}, at most {most}"));
        let value = amount::parse(text).map_err(|_| refused())?;
        let positive = value > Decimal::ZERO || (zero && value.is_zero());
        if positive && value <= most {
            Ok(value)
        } else {
            Err(refused())
        }
    };
    if number(4, MAX_PRICE, "a price above 0", false)? != strike {
        return Err(field(&place, "strike", column(4), format!("{strike}, as {name} says")));
    }
    let open_interest = number(6, crate::market::MAX_QUANTITY, "an amount of at least 0", true)?;
    let percent = number(7, MAX_VOLATILITY * PERCENT, "a volatility in percent above 0", false)?;
    let forward = number(8, MAX_PRICE, "a price above 0", false)?;
    Ok(Row {
        name: name.to_owned(),
        underlying: symbol.underlying.clone(),
        expiry,
        strike,
        right: said,
        forward,
        volatility: (percent / PERCENT).normalize(),
        quote: Quote {
            open_interest: Some(open_interest),
            ..Quote::default()
        },
        place,
    })
}

fn provenance(source: &Source) -> Provenance {
    Provenance {
        source: source.source.clone(),
        licence: source.licence.clone(),
        importer: IMPORTER.to_owned(),
        recorded: texts(&[
            "listed options",
            "open interest of options",
            "implied volatility of each option",
            "forward of each option",
        ]),
        derived: texts(&[
            "forward of an expiry: the commonest of its options', the lower of two as common",
            "volatility of a strike: that of its out-of-the-money option",
            "index: the forward of the nearest expiry",
            "futures: one per expiry at its forward",
            "marks: not stored; Black-76 at the forward and the volatility",
        ]),
        assumed: texts(&[
            "time of day of the recording",
            "expiry at 08:00 UTC",
            "perpetual: at the index, funding 0",
            "rate 0",
            "USDC: 1 USD",
        ]),
        warnings: 0,
    }
}
