//! A recording of Deribit's order books at one instant: bid and ask of options, futures and the perpetual, without
//! volatilities, forwards and index, such as the one among the test fixtures of `quantmind/quantflow`.
//!
//! The file is JSON, `{"as_of": …, "futures": […], "options": […], "instruments": […]}`; a compressed one is to be
//! unpacked first (`gunzip`).
//! - forward of an expiry: the mid of its future's bid and ask;
//! - volatility of a strike: the one at which Black-76 gives the mid of its out-of-the-money option, or of the other
//!   one if only that has both bid and ask, and a bid above what exercise pays;
//! - perpetual: at the mid of its bid and ask, with funding 0, and the index there, too;
//! - an instrument without both bid and ask, or whose strike or expiry has no volatility or forward, is unpriced: it is
//!   listed in the report and left out of the snapshot.

use std::collections::BTreeMap;

use rust_decimal::Decimal;
use serde::Deserialize;
use serde_json::value::RawValue;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::{ImportError, ImportReport, Imported, Omitted, Source, field, finish, implied, is_kept, optional, texts};
use crate::amount::to_f64;
use crate::instant::{DAY_MS, Instant};
use crate::market::{Expiry, FutureQuote, PerpetualQuote, Provenance, Quote, Snapshot, Strike, UnderlyingMarket};
use crate::symbol::Symbol;
use crate::universe::{Kind, Right};

/// Name and version of this importer, in the provenance.
const IMPORTER: &str = "deribit-recording 1";
/// Milliseconds in a year of 365 days.
const YEAR_MS: f64 = 365.0 * DAY_MS as f64;
const TWO: Decimal = Decimal::from_parts(2, 0, 0, false, 0);
/// Volatilities are solved to six decimals. What bid and ask explain beyond that is still a warning.
const VOLATILITY_STEP: f64 = 1e-6;

#[derive(Deserialize)]
struct Recording<'a> {
    as_of: String,
    #[serde(borrow)]
    futures: Vec<Book<'a>>,
    #[serde(borrow)]
    options: Vec<Book<'a>>,
    instruments: Vec<Listed>,
}

#[derive(Deserialize)]
struct Book<'a> {
    instrument_name: String,
    #[serde(borrow)]
    bid_price: Option<&'a RawValue>,
    #[serde(borrow)]
    ask_price: Option<&'a RawValue>,
    #[serde(borrow)]
    open_interest: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct Listed {
    instrument_name: String,
    expiration_timestamp: Option<u64>,
}

/// An instrument that is kept, with the mid of its bid and ask if it has both.
struct Quoted {
    name: String,
    symbol: Symbol,
    quote: Quote,
    mid: Option<Decimal>,
}

type Sides = (Option<Quoted>, Option<Quoted>);

/// The snapshot of a recording, without what expires in less than `min_tenor_ms` milliseconds.
///
/// # Errors
/// [`ImportError`]: another shape, an instrument whose expiry contradicts its name, figures out of bounds, expired
/// instruments, duplicates, or no price for an index.
pub fn import(json: &str, min_tenor_ms: u64, source: &Source) -> Result<Imported, ImportError> {
    let recording: Recording<'_> = serde_json::from_str(json).map_err(|source| ImportError::Json {
        place: "recording",
        source,
    })?;
    let instant = as_of(&recording.as_of)?;
    let listed: BTreeMap<&str, u64> = recording
        .instruments
        .iter()
        .filter_map(|listed| Some((listed.instrument_name.as_str(), listed.expiration_timestamp?)))
        .collect();
    let mut report = ImportReport::default();
    let mut markets: BTreeMap<String, UnderlyingMarket> = BTreeMap::new();
    let mut options: BTreeMap<(String, Instant), BTreeMap<Decimal, Sides>> = BTreeMap::new();
    for book in recording.futures.iter().chain(&recording.options) {
        let Some(quoted) = quoted(book, &listed, (instant, min_tenor_ms), &mut report)? else {
            continue;
        };
        let duplicate = || ImportError::Duplicate {
            place: "recording".to_owned(),
            instrument: book.instrument_name.clone(),
        };
        if let Kind::Option { expiry, strike, right } = quoted.symbol.kind {
            let strikes = options.entry((quoted.symbol.underlying.clone(), expiry)).or_default();
            let sides = strikes.entry(strike).or_default();
            let side = if right == Right::Call {
                &mut sides.0
            } else {
                &mut sides.1
            };
            if side.replace(quoted).is_some() {
                return Err(duplicate());
            }
        } else if !add_future(&mut markets, quoted, &mut report) {
            return Err(duplicate());
        }
    }
    for ((underlying, at), strikes) in options {
        let market = markets.entry(underlying).or_insert_with(empty);
        let Some(forward) = market.futures.get(&at).map(|future| future.price) else {
            let sides = strikes.into_values().flat_map(|(call, put)| [call, put]).flatten();
            report
                .unpriced
                .extend(sides.map(|option| omitted(option.name, "its expiry has no future with bid and ask")));
            continue;
        };
        let years = at.millis_since(instant) as f64 / YEAR_MS;
        let strikes = solve(strikes, forward, years, &mut report);
        if !strikes.is_empty() {
            market.expiries.insert(at, Expiry::new(forward, strikes));
        }
    }
    for (name, market) in &mut markets {
        let nearest = market.futures.values().next().map(|future| future.price);
        let price = market.perpetual.as_ref().map(|perpetual| perpetual.price).or(nearest);
        let missing = || ImportError::Missing {
            place: format!("recording, {name}"),
            what: "neither perpetual nor future has bid and ask".to_owned(),
        };
        market.index = price.ok_or_else(missing)?;
    }
    let mut assets: BTreeMap<String, Decimal> = markets
        .iter()
        .map(|(name, market)| (name.clone(), market.index))
        .collect();
    assets.insert("USDC".to_owned(), Decimal::ONE);
    finish(
        Snapshot {
            instant,
            provenance: provenance(source),
            assets,
            confidences: BTreeMap::new(),
            underlyings: markets,
        },
        report,
        VOLATILITY_STEP,
    )
}

fn empty() -> UnderlyingMarket {
    let (index, rate, perpetual) = (Decimal::ZERO, Decimal::ZERO, None);
    let (futures, expiries, deliveries) = (BTreeMap::new(), BTreeMap::new(), BTreeMap::new());
    UnderlyingMarket {
        index,
        confidence: None,
        rate,
        perpetual,
        futures,
        expiries,
        deliveries,
    }
}

/// The instant of the recording, fractions of a millisecond cut off.
fn as_of(text: &str) -> Result<Instant, ImportError> {
    let refused = || field("recording", "as_of", text, "an instant in RFC 3339");
    let nanos = OffsetDateTime::parse(text, &Rfc3339)
        .map_err(|_| refused())?
        .unix_timestamp_nanos();
    let millis = u64::try_from(nanos / 1_000_000).map_err(|_| refused())?;
    Instant::from_millis(millis).map_err(|_| refused())
}

fn quoted(
    book: &Book<'_>,
    listed: &BTreeMap<&str, u64>,
    times: (Instant, u64),
    report: &mut ImportReport,
) -> Result<Option<Quoted>, ImportError> {
    let name = book.instrument_name.clone();
    let place = format!("recording, {name}");
    let symbol: Symbol = name
        .parse()
        .map_err(|error| field(&place, "instrument_name", &name, format!("{error}")))?;
    if symbol.quoted_in.is_some() {
        report.dropped.push(omitted(name, "not inverse"));
        return Ok(None);
    }
    if let Some(expiry) = symbol.kind.expiry() {
        match listed.get(name.as_str()) {
            Some(found) if *found != expiry.millis() => {
                return Err(field(
                    &place,
                    "expiration_timestamp",
                    found,
                    format!("{}, as the name says", expiry.millis()),
                ));
            }
            _ => {}
        }
        if !is_kept(report, &place, &name, expiry, times)? {
            return Ok(None);
        }
    }
    let amount = |name, value| match optional(&place, name, value)? {
        Some(negative) if negative < Decimal::ZERO => Err(field(&place, name, negative, "at least 0")),
        amount => Ok(amount),
    };
    let quote = Quote {
        open_interest: amount("open_interest", book.open_interest)?,
        bid: amount("bid_price", book.bid_price)?,
        ask: amount("ask_price", book.ask_price)?,
        volume: None,
        mark: None,
    };
    let mid = match (quote.bid, quote.ask) {
        (Some(bid), Some(ask)) if bid > Decimal::ZERO && bid <= ask => {
            bid.checked_add(ask).map(|sum| (sum / TWO).normalize())
        }
        _ => None,
    };
    Ok(Some(Quoted {
        name,
        symbol,
        quote,
        mid,
    }))
}

/// Adds a future or perpetual, or lists it as unpriced; false if it is there already.
fn add_future(markets: &mut BTreeMap<String, UnderlyingMarket>, quoted: Quoted, report: &mut ImportReport) -> bool {
    let Some(price) = quoted.mid else {
        report.unpriced.push(omitted(quoted.name, "no bid and ask"));
        return true;
    };
    let (quote, market) = (
        quoted.quote,
        markets.entry(quoted.symbol.underlying).or_insert_with(empty),
    );
    match quoted.symbol.kind.expiry() {
        Some(expiry) => market.futures.insert(expiry, FutureQuote { price, quote }).is_none(),
        None => market
            .perpetual
            .replace(PerpetualQuote {
                price,
                funding: Decimal::ZERO,
                confidence: None,
                quote,
            })
            .is_none(),
    }
}

/// The strikes of one expiry with the volatilities that their mids imply.
fn solve(
    strikes: BTreeMap<Decimal, Sides>,
    forward: Decimal,
    years: f64,
    report: &mut ImportReport,
) -> BTreeMap<Decimal, Strike> {
    let mut solved = BTreeMap::new();
    for (strike, (call, put)) in strikes {
        // Quotes are in coins per unit: times the forward, in USD. Where the bid does not exceed what exercise pays,
        // the quotes do not tell a volatility.
        let of = |side: &Option<Quoted>, right| {
            let (forward, strike) = (to_f64(forward), to_f64(strike));
            let (bid, mid) = side
                .as_ref()
                .and_then(|option| Some((option.quote.bid?, option.mid?)))?;
            let exercise = if right == Right::Call {
                forward - strike
            } else {
                strike - forward
            };
            let tells = to_f64(bid) * forward > exercise;
            if tells {
                implied::volatility(forward, strike, years, right, to_f64(mid) * forward)
            } else {
                None
            }
        };
        let (of_call, of_put) = (of(&call, Right::Call), of(&put, Right::Put));
        let volatility = if strike >= forward {
            of_call.or(of_put)
        } else {
            of_put.or(of_call)
        };
        let mut keep = |side: Option<Quoted>| {
            let option = side?;
            match (option.mid, volatility) {
                (None, _) => report.unpriced.push(omitted(option.name, "no bid and ask")),
                (_, None) => report
                    .unpriced
                    .push(omitted(option.name, "bid and ask tell no volatility")),
                _ => return Some(option.quote),
            }
            None
        };
        let (call, put) = (keep(call), keep(put));
        if let Some(volatility) = volatility.filter(|_| call.is_some() || put.is_some()) {
            solved.insert(strike, Strike { volatility, call, put });
        }
    }
    solved
}

fn omitted(instrument: String, reason: &str) -> Omitted {
    Omitted {
        instrument,
        reason: reason.to_owned(),
    }
}

fn provenance(source: &Source) -> Provenance {
    Provenance {
        source: source.source.clone(),
        licence: source.licence.clone(),
        importer: IMPORTER.to_owned(),
        recorded: texts(&["bid, ask and open interest"]),
        derived: texts(&[
            "forward of an expiry and price of a future or perpetual: the mid of bid and ask",
            "volatility of a strike: from the mid of its out-of-the-money option, or of the other one if only its quotes tell",
            "marks: not stored; Black-76 at the forward and the volatility",
        ]),
        assumed: texts(&[
            "index: at the perpetual",
            "funding 0",
            "rate 0",
            "USDC: 1 USD",
            "expiry at 08:00 UTC",
        ]),
        warnings: 0,
    }
}
