//! What makes a snapshot one, and why something is not.

use rust_decimal::Decimal;

use super::{MAX_PRICE, MAX_QUANTITY, MAX_VOLATILITY, Quote, Strike, UnderlyingMarket};
use crate::instant::Instant;

/// How large figures may be that are fractions.
pub(super) struct Bounds {
    /// Least volatility a year.
    least_volatility: Decimal,
    /// Largest volatility a year.
    volatility: Decimal,
    /// Largest rate a year in either direction.
    rate: Decimal,
    /// Largest funding per 8 hours in either direction.
    funding: Decimal,
}

impl Bounds {
    /// What a market has. The least volatility is the least decimal above 0.
    pub(super) const MARKET: Bounds = Bounds {
        least_volatility: Decimal::from_parts(1, 0, 0, false, 28),
        volatility: MAX_VOLATILITY,
        rate: Decimal::ONE,
        funding: Decimal::from_parts(1, 0, 0, false, 1),
    };
    /// What can be computed.
    pub(super) const MADE_UP: Bounds = Bounds {
        least_volatility: Decimal::ZERO,
        volatility: Decimal::from_parts(1_000_000, 0, 0, false, 0),
        rate: Decimal::ONE_HUNDRED,
        funding: Decimal::ONE_HUNDRED,
    };
}

/// Why something is not a snapshot. `place` is a path in the file, such as
/// `BTC, expiry 2026-08-28T08:00:00Z, strike 70000`.
#[derive(Debug, thiserror::Error)]
pub enum SnapshotError {
    /// Not JSON of the format; the message has line and column.
    #[error("snapshot: {0}")]
    Json(#[from] serde_json::Error),
    /// A file larger than is read.
    #[error("snapshot: {bytes} bytes, at most {} are read", crate::json::MAX_BYTES)]
    Size {
        /// Its size.
        bytes: usize,
    },
    /// A figure out of bounds.
    #[error("snapshot: {place}: {field} is {value}, expected {bound}")]
    Figure {
        /// Where.
        place: String,
        /// Which figure.
        field: &'static str,
        /// Its value.
        value: Decimal,
        /// The bound, in words.
        bound: String,
    },
    /// An instrument that has expired at the snapshot's instant.
    #[error("snapshot: {place}: expired at {expiry}, the snapshot is of {instant}")]
    Expired {
        /// Where.
        place: String,
        /// Its expiry.
        expiry: Instant,
        /// The snapshot's instant.
        instant: Instant,
    },
    /// A delivery price of an expiry that lies ahead.
    #[error("snapshot: {place}: delivery price of {expiry}, which is after the snapshot's {instant}")]
    DeliveryAhead {
        /// Where.
        place: String,
        /// The expiry.
        expiry: Instant,
        /// The snapshot's instant.
        instant: Instant,
    },
    /// A name of an underlying or asset that is not one.
    #[error(
        "snapshot: `{0}` is not a name: 1 to 64 bytes in NFC, without white space, control characters, `:` and `,`"
    )]
    Name(String),
    /// A strike with neither call nor put, an expiry without strikes, or no underlying at all.
    #[error("snapshot: {place}: {what}")]
    Nothing {
        /// Where.
        place: String,
        /// What is missing.
        what: &'static str,
    },
    /// An underlying's coin has another price than the index.
    #[error("snapshot: asset {asset} is {price} USD, but the index of {asset} is {index}")]
    CoinAgainstIndex {
        /// The asset.
        asset: String,
        /// Its price among the assets.
        price: Decimal,
        /// Its index among the underlyings.
        index: Decimal,
    },
}

pub(super) fn check_market(
    name: &str,
    market: &UnderlyingMarket,
    instant: Instant,
    bounds: &Bounds,
) -> Result<(), SnapshotError> {
    check_price(name, "index", market.index)?;
    check_confidence(name, market.confidence)?;
    check_within(name, "rate", market.rate, -bounds.rate, bounds.rate)?;
    if let Some(perpetual) = &market.perpetual {
        let place = format!("{name}, perpetual");
        check_price(&place, "price", perpetual.price)?;
        check_within(&place, "funding", perpetual.funding, -bounds.funding, bounds.funding)?;
        check_confidence(&place, perpetual.confidence)?;
        check_quote(&place, &perpetual.quote)?;
    }
    for (expiry, future) in &market.futures {
        let place = format!("{name}, future {expiry}");
        check_ahead(&place, *expiry, instant)?;
        check_price(&place, "price", future.price)?;
        check_quote(&place, &future.quote)?;
    }
    for (instant_of, expiry) in &market.expiries {
        let place = format!("{name}, expiry {instant_of}");
        check_ahead(&place, *instant_of, instant)?;
        check_price(&place, "forward", expiry.forward)?;
        let rate = expiry.rate.unwrap_or_default();
        check_within(&place, "rate", rate, -bounds.rate, bounds.rate)?;
        check_within(&place, "settled", expiry.settled, Decimal::ZERO, expiry.forward)?;
        check_confidence(&place, expiry.confidence)?;
        if expiry.strikes.is_empty() {
            return Err(SnapshotError::Nothing {
                place,
                what: "it has no strikes",
            });
        }
        for (strike, options) in &expiry.strikes {
            check_strike(&format!("{place}, strike {strike}"), *strike, options, bounds)?;
        }
    }
    for (expiry, price) in &market.deliveries {
        let place = format!("{name}, delivery {expiry}");
        if *expiry > instant {
            return Err(SnapshotError::DeliveryAhead {
                place,
                expiry: *expiry,
                instant,
            });
        }
        check_price(&place, "price", *price)?;
    }
    Ok(())
}

fn check_strike(place: &str, strike: Decimal, options: &Strike, bounds: &Bounds) -> Result<(), SnapshotError> {
    check_price(place, "strike", strike)?;
    if options.volatility < bounds.least_volatility || options.volatility > bounds.volatility {
        let least = if bounds.least_volatility.is_zero() {
            "at least 0"
        } else {
            "above 0"
        };
        let bound = format!("{least} and at most {} (a fraction a year)", bounds.volatility);
        return Err(SnapshotError::Figure {
            place: place.to_owned(),
            field: "volatility",
            value: options.volatility,
            bound,
        });
    }
    if options.call.is_none() && options.put.is_none() {
        return Err(SnapshotError::Nothing {
            place: place.to_owned(),
            what: "it has neither a call nor a put",
        });
    }
    for quote in [&options.call, &options.put].into_iter().flatten() {
        check_quote(place, quote)?;
    }
    Ok(())
}

fn check_quote(place: &str, quote: &Quote) -> Result<(), SnapshotError> {
    let fields = [
        ("open interest", quote.open_interest, MAX_QUANTITY),
        ("bid", quote.bid, MAX_PRICE),
        ("ask", quote.ask, MAX_PRICE),
        ("volume", quote.volume, MAX_QUANTITY),
        ("mark", quote.mark, MAX_PRICE),
    ];
    for (field, value, most) in fields {
        check_within(place, field, value.unwrap_or_default(), Decimal::ZERO, most)?;
    }
    Ok(())
}

fn check_ahead(place: &str, expiry: Instant, instant: Instant) -> Result<(), SnapshotError> {
    if expiry > instant {
        return Ok(());
    }
    Err(SnapshotError::Expired {
        place: place.to_owned(),
        expiry,
        instant,
    })
}

pub(super) fn check_price(place: &str, field: &'static str, value: Decimal) -> Result<(), SnapshotError> {
    if value > Decimal::ZERO && value <= MAX_PRICE {
        return Ok(());
    }
    let bound = format!("above 0 and at most {MAX_PRICE} USD");
    Err(SnapshotError::Figure {
        place: place.to_owned(),
        field,
        value,
        bound,
    })
}

fn check_within(
    place: &str,
    field: &'static str,
    value: Decimal,
    least: Decimal,
    most: Decimal,
) -> Result<(), SnapshotError> {
    if (least..=most).contains(&value) {
        return Ok(());
    }
    Err(SnapshotError::Figure {
        place: place.to_owned(),
        field,
        value,
        bound: format!("{least} to {most}"),
    })
}

pub(super) fn check_confidence(place: &str, confidence: Option<Decimal>) -> Result<(), SnapshotError> {
    check_within(
        place,
        "confidence",
        confidence.unwrap_or(Decimal::ONE),
        Decimal::ZERO,
        Decimal::ONE,
    )
}

pub(super) fn check_name(name: &str) -> Result<(), SnapshotError> {
    if crate::universe::is_name(name) {
        return Ok(());
    }
    Err(SnapshotError::Name(
        name.chars().take(crate::universe::MAX_NAME_BYTES).collect(),
    ))
}
