//! Answers of Deribit's public API, saved to files.
//!
//! Four answers per currency, taken within a minute; no account is needed:
//!
//! ```sh
//! api=https://www.deribit.com/api/v2/public
//! curl -s "$api/get_instruments?currency=BTC&expired=false"                > btc-instruments.json
//! curl -s "$api/get_book_summary_by_currency?currency=BTC&kind=option"     > btc-options.json
//! curl -s "$api/get_book_summary_by_currency?currency=BTC&kind=future"     > btc-futures.json
//! curl -s "$api/ticker?instrument_name=BTC-PERPETUAL"                      > btc-perpetual.json
//! ```
//!
//! Each file is a JSON-RPC answer, `{"jsonrpc": "2.0", "result": …}`, in the shape that Deribit documents; fields that
//! are not needed are not looked at. Imported are inverse options and futures that are active: mark volatility
//! (percent) and underlying price of options, mark prices of futures, mark price, index price and 8-hour funding of the
//! perpetual, and bid, ask, volume and open interest. Everything else that the answers list (spot, linear instruments,
//! combinations) is dropped and listed. The snapshot is of the latest instant in the answers; one that is older by more
//! than a minute is refused.

use std::collections::{BTreeMap, BTreeSet};

use rust_decimal::Decimal;
use serde::Deserialize;
use serde_json::value::RawValue;

use super::chain::{Row, chains};
use super::{ImportError, ImportReport, Imported, Omitted, Source, field, finish, is_kept, number, optional, texts};
use crate::instant::Instant;
use crate::market::{FutureQuote, PerpetualQuote, Provenance, Quote, Snapshot, UnderlyingMarket};
use crate::symbol::Symbol;
use crate::universe::Kind;

/// Name and version of this importer, in the provenance.
const IMPORTER: &str = "deribit-api 1";
/// Oldest an answer may be when the snapshot is taken: one minute, in milliseconds.
const MAX_AGE_MS: u64 = 60_000;
const PERCENT: Decimal = Decimal::from_parts(100, 0, 0, false, 0);
/// Mark volatilities are given in steps of 0.01 %.
const VOLATILITY_STEP: f64 = 1e-4;

/// The texts of the four answers for one currency.
#[derive(Copy, Clone, Debug)]
pub struct Answers<'a> {
    /// `get_instruments`.
    pub instruments: &'a str,
    /// `get_book_summary_by_currency` with `kind=option`.
    pub options: &'a str,
    /// `get_book_summary_by_currency` with `kind=future`.
    pub futures: &'a str,
    /// `ticker` of the perpetual.
    pub perpetual: &'a str,
}

#[derive(Deserialize)]
struct Envelope<'a> {
    #[serde(borrow)]
    result: Option<&'a RawValue>,
    #[serde(borrow)]
    error: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct Listed {
    instrument_name: String,
    kind: String,
    instrument_type: Option<String>,
    expiration_timestamp: Option<u64>,
    is_active: bool,
}

#[derive(Deserialize)]
struct Summary<'a> {
    instrument_name: String,
    creation_timestamp: u64,
    #[serde(borrow)]
    mark_price: Option<&'a RawValue>,
    #[serde(borrow)]
    mark_iv: Option<&'a RawValue>,
    #[serde(borrow)]
    underlying_price: Option<&'a RawValue>,
    #[serde(borrow)]
    open_interest: Option<&'a RawValue>,
    #[serde(borrow)]
    bid_price: Option<&'a RawValue>,
    #[serde(borrow)]
    ask_price: Option<&'a RawValue>,
    #[serde(borrow)]
    volume: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct Ticker<'a> {
    instrument_name: String,
    timestamp: u64,
    #[serde(borrow)]
    index_price: &'a RawValue,
    #[serde(borrow)]
    mark_price: &'a RawValue,
    #[serde(borrow)]
    funding_8h: &'a RawValue,
    #[serde(borrow)]
    open_interest: Option<&'a RawValue>,
    #[serde(borrow)]
    best_bid_price: Option<&'a RawValue>,
    #[serde(borrow)]
    best_ask_price: Option<&'a RawValue>,
    #[serde(borrow)]
    stats: Option<Stats<'a>>,
}

#[derive(Deserialize)]
struct Stats<'a> {
    #[serde(borrow)]
    volume: Option<&'a RawValue>,
}

/// The answers of one currency, decoded.
struct Decoded<'a> {
    listed: BTreeMap<String, Listed>,
    options: Vec<Summary<'a>>,
    futures: Vec<Summary<'a>>,
    ticker: Ticker<'a>,
    underlying: String,
}

/// The snapshot of the answers for one or more currencies, without what expires in less than `min_tenor_ms`
/// milliseconds.
///
/// # Errors
/// [`ImportError`]: an answer of another shape or that is an error, answers of different times, an instrument whose
/// expiry contradicts its name, figures out of bounds, expired instruments, duplicates, forwards or volatilities too
/// far apart to be one market.
pub fn import(answers: &[Answers<'_>], min_tenor_ms: u64, source: &Source) -> Result<Imported, ImportError> {
    let decoded = answers.iter().map(decode).collect::<Result<Vec<_>, _>>()?;
    let instant = latest(&decoded)?;
    let mut report = ImportReport::default();
    let mut underlyings = BTreeMap::new();
    for answers in &decoded {
        let market = market(answers, (instant, min_tenor_ms), &mut report)?;
        if underlyings.insert(answers.underlying.clone(), market).is_some() {
            let instrument = answers.ticker.instrument_name.clone();
            return Err(ImportError::Duplicate {
                place: "answers".to_owned(),
                instrument,
            });
        }
    }
    let mut assets: BTreeMap<String, Decimal> = underlyings
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
            underlyings,
        },
        report,
        VOLATILITY_STEP,
    )
}

fn answer<'a, T: Deserialize<'a>>(place: &'static str, text: &'a str) -> Result<T, ImportError> {
    let json = |source| ImportError::Json { place, source };
    let envelope: Envelope<'a> = serde_json::from_str(text).map_err(json)?;
    match (envelope.result, envelope.error) {
        (Some(result), None) => serde_json::from_str(result.get()).map_err(json),
        (_, Some(error)) => Err(ImportError::Answer {
            place,
            message: error.get().chars().take(200).collect(),
        }),
        (None, None) => Err(ImportError::Missing {
            place: place.to_owned(),
            what: "the answer has no result".to_owned(),
        }),
    }
}

fn decode<'a>(answers: &Answers<'a>) -> Result<Decoded<'a>, ImportError> {
    let list: Vec<Listed> = answer("instruments", answers.instruments)?;
    let mut listed = BTreeMap::new();
    for instrument in list {
        let name = instrument.instrument_name.clone();
        if listed.insert(name.clone(), instrument).is_some() {
            return Err(ImportError::Duplicate {
                place: "instruments".to_owned(),
                instrument: name,
            });
        }
    }
    let ticker: Ticker<'a> = answer("perpetual", answers.perpetual)?;
    let underlying = match ticker.instrument_name.parse() {
        Ok(Symbol {
            underlying,
            quoted_in: None,
            kind: Kind::Perpetual,
        }) => underlying,
        _ => {
            return Err(field(
                "perpetual",
                "instrument_name",
                &ticker.instrument_name,
                "an inverse perpetual, such as BTC-PERPETUAL",
            ));
        }
    };
    let (options, futures) = (answer("options", answers.options)?, answer("futures", answers.futures)?);
    Ok(Decoded {
        listed,
        options,
        futures,
        ticker,
        underlying,
    })
}

/// The latest instant of all answers, none of which may be much older.
fn latest(decoded: &[Decoded<'_>]) -> Result<Instant, ImportError> {
    let times = || {
        decoded.iter().flat_map(|answers| {
            let summaries = answers.options.iter().chain(&answers.futures);
            let summaries = summaries.map(|summary| (&summary.instrument_name, summary.creation_timestamp));
            summaries.chain([(&answers.ticker.instrument_name, answers.ticker.timestamp)])
        })
    };
    let missing = || ImportError::Missing {
        place: "answers".to_owned(),
        what: "there are none".to_owned(),
    };
    let latest = times().map(|(_, time)| time).max().ok_or_else(missing)?;
    let instant =
        Instant::from_millis(latest).map_err(|error| field("answers", "timestamp", latest, error.to_string()))?;
    match times().find(|(_, time)| latest - time > MAX_AGE_MS) {
        Some((name, time)) => Err(field(
            name,
            "timestamp",
            time,
            format!("at most {MAX_AGE_MS} ms before the latest answer's, {latest}"),
        )),
        None => Ok(instant),
    }
}

fn market(
    answers: &Decoded<'_>,
    times: (Instant, u64),
    report: &mut ImportReport,
) -> Result<UnderlyingMarket, ImportError> {
    let mut rows = Vec::new();
    for summary in &answers.options {
        let Some(symbol) = inverse(answers, summary, times, report)? else {
            continue;
        };
        let Kind::Option { expiry, strike, right } = symbol.kind else {
            report.dropped.push(omitted(summary, "not an option"));
            continue;
        };
        let place = format!("options, {}", summary.instrument_name);
        let volatility = optional(&place, "mark_iv", summary.mark_iv)?.filter(|volatility| !volatility.is_zero());
        let forward = optional(&place, "underlying_price", summary.underlying_price)?;
        let (Some(volatility), Some(forward)) = (volatility, forward) else {
            report
                .unpriced
                .push(omitted(summary, "no mark volatility or no underlying price"));
            continue;
        };
        let (name, underlying) = (summary.instrument_name.clone(), symbol.underlying);
        let (volatility, quote) = ((volatility / PERCENT).normalize(), quote(&place, summary)?);
        rows.push(Row {
            name,
            underlying,
            expiry,
            strike,
            right,
            forward,
            volatility,
            quote,
            place,
        });
    }
    let mut futures = BTreeMap::new();
    let mut seen = BTreeSet::new();
    for summary in &answers.futures {
        if !seen.insert(&summary.instrument_name) {
            return Err(ImportError::Duplicate {
                place: "futures".to_owned(),
                instrument: summary.instrument_name.clone(),
            });
        }
        let Some(symbol) = inverse(answers, summary, times, report)? else {
            continue;
        };
        match symbol.kind {
            Kind::Future { expiry } => {
                let place = format!("futures, {}", summary.instrument_name);
                match optional(&place, "mark_price", summary.mark_price)? {
                    Some(price) => drop(futures.insert(
                        expiry,
                        FutureQuote {
                            price,
                            quote: quote(&place, summary)?,
                        },
                    )),
                    None => report.unpriced.push(omitted(summary, "no mark price")),
                }
            }
            // The perpetual comes from its ticker, which has its funding.
            Kind::Perpetual => {}
            Kind::Option { .. } | Kind::Sensitivity(_) => report.dropped.push(omitted(summary, "not a future")),
        }
    }
    let place = format!("perpetual, {}", answers.ticker.instrument_name);
    Ok(UnderlyingMarket {
        index: number(&place, "index_price", answers.ticker.index_price)?,
        confidence: None,
        rate: Decimal::ZERO,
        perpetual: Some(perpetual(&place, &answers.ticker)?),
        futures,
        expiries: chains(rows)?.remove(&answers.underlying).unwrap_or_default(),
        deliveries: BTreeMap::new(),
    })
}

fn perpetual(place: &str, ticker: &Ticker<'_>) -> Result<PerpetualQuote, ImportError> {
    Ok(PerpetualQuote {
        price: number(place, "mark_price", ticker.mark_price)?,
        funding: number(place, "funding_8h", ticker.funding_8h)?,
        confidence: None,
        quote: Quote {
            open_interest: optional(place, "open_interest", ticker.open_interest)?,
            bid: optional(place, "best_bid_price", ticker.best_bid_price)?,
            ask: optional(place, "best_ask_price", ticker.best_ask_price)?,
            volume: optional(place, "volume", ticker.stats.as_ref().and_then(|stats| stats.volume))?,
            mark: None,
        },
    })
}

fn quote(place: &str, summary: &Summary<'_>) -> Result<Quote, ImportError> {
    Ok(Quote {
        open_interest: optional(place, "open_interest", summary.open_interest)?,
        bid: optional(place, "bid_price", summary.bid_price)?,
        ask: optional(place, "ask_price", summary.ask_price)?,
        volume: optional(place, "volume", summary.volume)?,
        mark: optional(place, "mark_price", summary.mark_price)?,
    })
}

/// What an active inverse instrument of the underlying is; `None`, and listed in the report, if it is something else or
/// expires too soon.
fn inverse(
    answers: &Decoded<'_>,
    summary: &Summary<'_>,
    times: (Instant, u64),
    report: &mut ImportReport,
) -> Result<Option<Symbol>, ImportError> {
    let reason = match answers.listed.get(&summary.instrument_name) {
        None => "not among the instruments",
        Some(listed) if !listed.is_active => "not active",
        Some(listed) if !matches!(listed.kind.as_str(), "option" | "future") => "neither option nor future",
        Some(listed) if listed.instrument_type.as_deref() != Some("reversed") => "not inverse",
        Some(listed) => {
            let place = format!("instruments, {}", summary.instrument_name);
            let refused = |error: String| field(&place, "instrument_name", &summary.instrument_name, error);
            let symbol: Symbol = summary
                .instrument_name
                .parse()
                .map_err(|error| refused(format!("{error}")))?;
            if symbol.underlying != answers.underlying || symbol.quoted_in.is_some() {
                return Err(refused(format!("an inverse instrument on {}", answers.underlying)));
            }
            let Some(expiry) = symbol.kind.expiry() else {
                return Ok(Some(symbol));
            };
            if listed.expiration_timestamp != Some(expiry.millis()) {
                let found = listed
                    .expiration_timestamp
                    .map_or_else(|| "absent".to_owned(), |found| found.to_string());
                return Err(field(
                    &place,
                    "expiration_timestamp",
                    found,
                    format!("{}, as the name says", expiry.millis()),
                ));
            }
            let kept = is_kept(report, &place, &summary.instrument_name, expiry, times)?;
            return Ok(kept.then_some(symbol));
        }
    };
    report.dropped.push(omitted(summary, reason));
    Ok(None)
}

fn omitted(summary: &Summary<'_>, reason: &str) -> Omitted {
    Omitted {
        instrument: summary.instrument_name.clone(),
        reason: reason.to_owned(),
    }
}

fn provenance(source: &Source) -> Provenance {
    Provenance {
        source: source.source.clone(),
        licence: source.licence.clone(),
        importer: IMPORTER.to_owned(),
        recorded: texts(&[
            "index, funding and mark price of the perpetual",
            "mark prices of futures",
            "mark volatility, mark price and underlying price of options",
            "open interest, bid, ask and volume",
        ]),
        derived: texts(&[
            "forward of an expiry: the commonest underlying price of its options, the lower of two as common",
            "volatility of a strike: that of its out-of-the-money option",
        ]),
        assumed: texts(&["rate 0", "USDC: 1 USD"]),
        warnings: 0,
    }
}
