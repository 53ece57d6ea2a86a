//! What a circuit breaker measures: a snapshot against the partner's reference, against the snapshot before, and against other publishers'.
//!
//! Everything is computed exactly, and then a whole number of basis points, rounded against calm: a distance up, a floor down.

use std::collections::BTreeMap;
use std::fmt;

use num_bigint::BigInt;
use num_rational::BigRational;
use num_traits::{Signed as _, ToPrimitive as _, Zero as _};
use rust_decimal::Decimal;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use thiserror::Error;
use zkmargin_risk::amount::to_ratio;
use zkmargin_risk::collateral;
use zkmargin_risk::instant::{DAY_MS, HOUR_MS, Instant};
use zkmargin_risk::market::{Expiry, MAX_PRICE, Snapshot, UnderlyingMarket};

use crate::breaker::Limits;

/// Basis points in one.
const ONE: u32 = 10_000;

/// No venue's average of prices begins longer before the expiry.
const LONGEST_AVERAGE_MS: u64 = HOUR_MS;

/// What is measured.
#[derive(Copy, Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Measure {
    /// Distance of an index from the reference price.
    Reference,
    /// Largest move of a price since the snapshot before: of the index, the perpetual, a future, a forward, a delivery; or of a rate, until its expiry.
    PriceJump,
    /// Move of the price of an asset since the snapshot before.
    AssetJump,
    /// Spread of the relative moves of all indices.
    IndexDispersion,
    /// Largest move of an implied volatility.
    VolatilityJump,
    /// Spread of the moves of the implied volatilities of an underlying.
    VolatilityDispersion,
    /// Median over the expiries of the volatility at the money.
    LeastVolatility,
}

impl Measure {
    /// Those that every underlying has.
    pub(crate) const OF_AN_UNDERLYING: [Measure; 5] = [
        Measure::Reference,
        Measure::PriceJump,
        Measure::VolatilityJump,
        Measure::VolatilityDispersion,
        Measure::LeastVolatility,
    ];

    /// Whether a small value is the bad one.
    pub(crate) const fn is_floor(self) -> bool {
        matches!(self, Measure::LeastVolatility)
    }
}

impl fmt::Display for Measure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Measure::Reference => "distance from the reference",
            Measure::PriceJump => "move of a price",
            Measure::AssetJump => "move of the asset",
            Measure::IndexDispersion => "spread of the moves of the indices",
            Measure::VolatilityJump => "move of a volatility",
            Measure::VolatilityDispersion => "spread of the moves of the volatilities",
            Measure::LeastVolatility => "volatility at the money",
        })
    }
}

/// A partner's own prices, from wherever it trusts: the reference file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Reference {
    /// When they were taken.
    pub instant: Instant,
    /// Price of a unit of each underlying, in USD.
    #[serde(with = "zkmargin_risk::amount::map")]
    #[schemars(with = "BTreeMap<String, String>")]
    pub indices: BTreeMap<String, Decimal>,
}

/// Why a text is no reference file.
#[derive(Debug, Error)]
pub enum ReferenceError {
    /// Not JSON of the format; the message has line and column.
    #[error("reference: {0}")]
    Json(#[from] serde_json::Error),
    /// A price that is none.
    #[error("reference: {underlying:?} is at {price}, expected above 0 and at most {MAX_PRICE}")]
    Price {
        /// The underlying.
        underlying: String,
        /// Its price.
        price: Decimal,
    },
}

impl Reference {
    /// Reads and checks a reference file.
    ///
    /// # Errors
    /// [`ReferenceError`].
    pub fn from_json(text: &[u8]) -> Result<Reference, ReferenceError> {
        let reference: Reference = zkmargin_risk::json::from_slice(text)?;
        for (underlying, price) in &reference.indices {
            if *price <= Decimal::ZERO || *price > MAX_PRICE {
                return Err(ReferenceError::Price {
                    underlying: underlying.clone(),
                    price: *price,
                });
            }
        }
        Ok(reference)
    }
}

/// A measured value, in basis points.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Reading {
    pub(crate) measure: Measure,
    /// The underlying, or the asset.
    pub(crate) of: Option<String>,
    /// Which price of it, if it has several.
    pub(crate) price: Option<String>,
    pub(crate) value: u32,
}

/// What cannot be measured where it should be: a reason to halt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Blind {
    /// The snapshot has it, the limits have not.
    Unwatched(String),
    /// The limits have it, the snapshot has not.
    Missing(String),
}

/// Everything that the limits watch, of a snapshot and of what was known before.
pub(crate) fn measure(
    limits: &Limits,
    before: Option<&Snapshot>,
    snapshot: &Snapshot,
    reference: &Reference,
) -> (Vec<Reading>, Vec<Blind>) {
    let (mut readings, mut blind) = (Vec::new(), Vec::new());
    let unwatched = snapshot
        .underlyings
        .keys()
        .filter(|name| !limits.underlyings.contains_key(*name));
    blind.extend(unwatched.map(|name| Blind::Unwatched(format!("underlying {name}"))));
    let mut moves = Vec::new();
    for (name, watched) in &limits.underlyings {
        let Some(market) = snapshot.underlyings.get(name) else {
            blind.push(Blind::Missing(format!("underlying {name}")));
            continue;
        };
        let mut read = |measure, value, price: Option<Price>| {
            readings.push(Reading {
                measure,
                of: Some(name.clone()),
                price: price.map(|price| price.to_string()),
                value,
            });
        };
        match reference.indices.get(name) {
            Some(price) => read(Measure::Reference, distance(market.index, *price), None),
            None => blind.push(Blind::Missing(format!("reference price of {name}"))),
        }
        for (expiry, options) in &market.expiries {
            let is_ahead = expiry.millis_since(snapshot.instant) > LONGEST_AVERAGE_MS;
            if is_ahead && !options.settled.is_zero() {
                blind.push(Blind::Unwatched(format!(
                    "what is settled of {name} {expiry} more than an hour before"
                )));
            }
        }
        let known = before.map(|before| before.underlyings.get(name));
        if known == Some(None) {
            blind.push(Blind::Missing(format!("underlying {name} in any snapshot before")));
        }
        let before = known.flatten();
        if let Some(before) = before {
            let (jump, price) = price_jump(market, snapshot.instant, before);
            read(Measure::PriceJump, jump, Some(price));
            moves.extend(relative_move(&to_ratio(market.index), &to_ratio(before.index)));
        }
        match (median_at_the_money(market), watched.volatility.is_some()) {
            (Some(median), true) => read(Measure::LeastVolatility, median, None),
            (None, true) => blind.push(Blind::Missing(format!("volatilities of {name}"))),
            (Some(_), false) => blind.push(Blind::Unwatched(format!("volatilities of {name}"))),
            (None, false) => {}
        }
        if let (Some(before), true) = (before, watched.volatility.is_some()) {
            match volatility_moves(market, before) {
                Some((jump, spread)) => {
                    read(Measure::VolatilityJump, jump, None);
                    read(Measure::VolatilityDispersion, spread, None);
                }
                None => blind.push(Blind::Missing(format!("volatilities of {name} in any snapshot before"))),
            }
        }
    }
    if let Some(value) = spread(&moves) {
        readings.push(Reading {
            measure: Measure::IndexDispersion,
            of: None,
            price: None,
            value,
        });
    }
    if let Some(before) = before {
        // A coin with an index has the price of that.
        let assets = snapshot.assets.iter();
        for (name, price) in assets.filter(|(name, _)| !snapshot.underlyings.contains_key(*name)) {
            match collateral::price(before, name) {
                Some(then) => readings.push(Reading {
                    measure: Measure::AssetJump,
                    of: Some(name.clone()),
                    price: None,
                    value: distance(*price, then),
                }),
                None => blind.push(Blind::Missing(format!("price of {name} in any snapshot before"))),
            }
        }
    }
    (readings, blind)
}

/// The most that two snapshots of one instant differ by: in a price (relative), a volatility or another fraction (absolute). What only one has differs by
/// everything.
pub(crate) fn disagreement(first: &Snapshot, second: &Snapshot) -> (String, u32) {
    let mut worst = (String::new(), 0);
    let mut take = |what: &dyn Fn() -> String, value: u32| {
        if value > worst.1 {
            worst = (what(), value);
        }
    };
    for (one, other) in [(first, second), (second, first)] {
        for (name, market) in &one.underlyings {
            let Some(counterpart) = other.underlyings.get(name) else {
                take(&|| format!("underlying {name}"), u32::MAX);
                continue;
            };
            let there: BTreeMap<Price, Decimal> = prices(counterpart).collect();
            for (of, price) in prices(market) {
                let value = there.get(&of).map_or(u32::MAX, |there| distance(price, *there));
                take(&|| format!("{of} of {name}"), value);
            }
            for (expiry, strike, volatility) in volatilities(market) {
                let there = counterpart
                    .expiries
                    .get(&expiry)
                    .and_then(|options| options.strikes.get(&strike));
                let value = there.map_or(u32::MAX, |there| {
                    points_up(&(to_ratio(volatility) - to_ratio(there.volatility)))
                });
                take(&|| format!("volatility of {name} {expiry} {strike}"), value);
            }
            let there = fractions(counterpart, second.instant);
            for (of, fraction) in fractions(market, first.instant) {
                // Where the other has none, it lacks the price as well.
                let value = there.get(&of).map_or(0, |there| points_up(&(fraction - there)));
                take(&|| format!("{of} of {name}"), value);
            }
        }
        for (name, price) in &one.assets {
            let there = collateral::price(other, name);
            let value = there.map_or(u32::MAX, |there| distance(*price, there));
            take(&|| format!("price of {name}"), value);
        }
        for (name, confidence) in &one.confidences {
            let there = other.confidences.get(name).copied();
            let value = points_up(&(to_ratio(*confidence) - to_ratio(there.unwrap_or(Decimal::ONE))));
            take(&|| format!("confidence of {name}"), value);
        }
    }
    worst
}

/// What is a fraction itself, by what it is called.
fn fractions(market: &UnderlyingMarket, at: Instant) -> BTreeMap<String, BigRational> {
    let sure = |confidence: Option<Decimal>| to_ratio(confidence.unwrap_or(Decimal::ONE));
    let mut fractions = BTreeMap::from([("confidence of the index".to_owned(), sure(market.confidence))]);
    if let Some(perpetual) = &market.perpetual {
        fractions.insert("confidence of the perpetual".to_owned(), sure(perpetual.confidence));
        fractions.insert("funding".to_owned(), to_ratio(perpetual.funding));
    }
    for (expiry, options) in &market.expiries {
        fractions.insert(format!("confidence of {expiry}"), sure(options.confidence));
        let rate = to_ratio(market.rate_of(*expiry)) * years(at, *expiry);
        fractions.insert(format!("rate {expiry}"), rate);
        // A forward is above 0.
        let settled = to_ratio(options.settled) / to_ratio(options.forward);
        fractions.insert(format!("settled part of {expiry}"), settled);
    }
    fractions
}

/// A price of an underlying.
#[derive(Copy, Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Price {
    Index,
    Perpetual,
    Future(Instant),
    Forward(Instant),
    Delivery(Instant),
    /// Of a dollar at an expiry.
    Rate(Instant),
}

impl fmt::Display for Price {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Price::Index => f.write_str("index"),
            Price::Perpetual => f.write_str("perpetual"),
            Price::Future(expiry) => write!(f, "future {expiry}"),
            Price::Forward(expiry) => write!(f, "forward {expiry}"),
            Price::Delivery(expiry) => write!(f, "delivery {expiry}"),
            Price::Rate(expiry) => write!(f, "rate {expiry}"),
        }
    }
}

/// Every price of an underlying: each of them values positions.
fn prices(market: &UnderlyingMarket) -> impl Iterator<Item = (Price, Decimal)> {
    let perpetual = market.perpetual.iter().map(|one| (Price::Perpetual, one.price));
    let futures = market.futures.iter();
    let forwards = market.expiries.iter();
    let deliveries = market.deliveries.iter();
    std::iter::once((Price::Index, market.index))
        .chain(perpetual)
        .chain(futures.map(|(expiry, one)| (Price::Future(*expiry), one.price)))
        .chain(forwards.map(|(expiry, options)| (Price::Forward(*expiry), options.forward)))
        .chain(deliveries.map(|(expiry, price)| (Price::Delivery(*expiry), *price)))
}

/// The largest relative move of a price, up, or of a rate until its expiry; and which it is.
fn price_jump(now: &UnderlyingMarket, at: Instant, before: &UnderlyingMarket) -> (u32, Price) {
    let then: BTreeMap<Price, Decimal> = prices(before).collect();
    let futures = before.futures.iter().map(|(expiry, one)| (*expiry, one.price));
    let forwards = before.expiries.iter().map(|(expiry, one)| (*expiry, one.forward));
    let by_expiry = futures
        .chain(forwards)
        .map(|(expiry, price)| (time(expiry), to_ratio(price)));
    let by_expiry: Curve = by_expiry.collect();
    // What a price is measured from: itself; where that was never there, what is known around its expiry, or the index. Else nobody would have measured it.
    let base = |of: Price, price: &BigRational| {
        let known = match of {
            Price::Delivery(expiry) => then.get(&Price::Forward(expiry)).or(then.get(&Price::Future(expiry))),
            _ => then.get(&of),
        };
        let known = then.get(&of).or(known).copied().map(to_ratio);
        let beside = || match of {
            Price::Future(expiry) | Price::Forward(expiry) => {
                Some(price - outside(&around(&by_expiry, &time(expiry))?, price))
            }
            _ => None,
        };
        known.or_else(beside).unwrap_or_else(|| to_ratio(before.index))
    };
    let moved = prices(now).map(|(of, price)| {
        let price = to_ratio(price);
        (apart(&price, &base(of, &price)), of)
    });
    let index = (distance(now.index, before.index), Price::Index);
    moved
        .chain(rate_moves(now, at, before))
        .fold(index, |most, next| if next.0 > most.0 { next } else { most })
}

/// How far each rate moved, times the years for which it runs: so much is the move of a dollar at its expiry.
fn rate_moves<'m>(
    now: &'m UnderlyingMarket,
    at: Instant,
    before: &'m UnderlyingMarket,
) -> impl Iterator<Item = (u32, Price)> + use<'m> {
    let expiries = before.expiries.keys();
    let then: Curve = expiries
        .map(|expiry| (time(*expiry), to_ratio(before.rate_of(*expiry))))
        .collect();
    now.expiries.keys().map(move |expiry| {
        let rate = to_ratio(now.rate_of(*expiry));
        let moved = match around(&then, &time(*expiry)) {
            Some(known) => outside(&known, &rate),
            None => rate - to_ratio(before.rate),
        };
        (points_up(&(moved * years(at, *expiry))), Price::Rate(*expiry))
    })
}

fn time(of: Instant) -> BigRational {
    BigRational::from_integer(of.millis().into())
}

fn years(from: Instant, to: Instant) -> BigRational {
    BigRational::new(to.millis_since(from).into(), (365 * DAY_MS).into())
}

fn volatilities(market: &UnderlyingMarket) -> impl Iterator<Item = (Instant, Decimal, Decimal)> {
    market.expiries.iter().flat_map(|(expiry, options)| {
        let strikes = options.strikes.iter();
        strikes.map(|(strike, options)| (*expiry, *strike, options.volatility))
    })
}

/// In basis points.
fn points(value: &BigRational) -> BigRational {
    value * BigRational::from_integer(ONE.into())
}

/// A whole number of basis points, as far as they are counted.
fn saturated(points: &BigRational) -> u32 {
    points.to_integer().max(BigInt::zero()).to_u32().unwrap_or(u32::MAX)
}

/// A distance of either sign in basis points of 1, up.
fn points_up(distance: &BigRational) -> u32 {
    saturated(&points(&distance.abs()).ceil())
}

/// `(value - base) / base`, if there is a base.
fn relative_move(value: &BigRational, base: &BigRational) -> Option<BigRational> {
    base.is_positive().then(|| (value - base) / base)
}

/// `|value - base| / base` in basis points, up; from no base everything is infinitely far.
fn apart(value: &BigRational, base: &BigRational) -> u32 {
    relative_move(value, base).map_or(u32::MAX, |moved| points_up(&moved))
}

fn distance(value: Decimal, base: Decimal) -> u32 {
    apart(&to_ratio(value), &to_ratio(base))
}

/// Largest less smallest, in basis points, up; `None` of fewer than two.
fn spread(moves: &[BigRational]) -> Option<u32> {
    let (largest, smallest) = (moves.iter().max()?, moves.iter().min()?);
    (moves.len() > 1).then(|| points_up(&(largest - smallest)))
}

/// The largest move of a volatility, and the spread of all moves; `None` if none can be measured.
///
/// A volatility moved from itself; where its strike was never there, from what is known around it; where its expiry was never there, from what is known
/// at the expiries on either side. Else nobody would have measured it.
fn volatility_moves(now: &UnderlyingMarket, before: &UnderlyingMarket) -> Option<(u32, u32)> {
    let smile = |options: &Expiry| -> Curve {
        let strikes = options.strikes.iter();
        strikes
            .map(|(strike, at)| (to_ratio(*strike), to_ratio(at.volatility)))
            .collect()
    };
    let then: BTreeMap<Instant, Curve> = before
        .expiries
        .iter()
        .map(|(expiry, at)| (*expiry, smile(at)))
        .collect();
    let moves: Vec<BigRational> = volatilities(now)
        .filter_map(|(expiry, strike, volatility)| {
            let sides = [then.range(..=expiry).next_back(), then.range(expiry..).next()];
            let smiles = sides.into_iter().flatten().map(|(_, smile)| smile);
            let known = smiles.filter_map(|smile| around(smile, &to_ratio(strike)));
            let known = known.reduce(|one, other| (one.0.min(other.0), one.1.max(other.1)))?;
            Some(outside(&known, &to_ratio(volatility)))
        })
        .collect();
    let jump = moves.iter().map(points_up).max()?;
    Some((jump, spread(&moves).unwrap_or(0)))
}

/// Points of a curve.
type Curve = BTreeMap<BigRational, BigRational>;

/// From where to where a curve may be at `x` by its points: at a point there; between two, between them; beyond the last, between it and the line through the
/// last two. `None` of no points.
fn around(curve: &Curve, x: &BigRational) -> Option<(BigRational, BigRational)> {
    let (mut below, mut above) = (curve.range(..=x).rev(), curve.range(x..));
    let (one, other) = match (below.next(), above.next()) {
        (Some((_, one)), Some((_, other))) => (one.clone(), other.clone()),
        (Some(last), None) => (last.1.clone(), beyond(last, below.next(), x)),
        (None, Some(last)) => (last.1.clone(), beyond(last, above.next(), x)),
        (None, None) => return None,
    };
    Some(if one < other { (one, other) } else { (other, one) })
}

type Point<'a> = (&'a BigRational, &'a BigRational);

fn beyond(last: Point<'_>, before: Option<Point<'_>>, x: &BigRational) -> BigRational {
    match before {
        Some(before) => last.1 + (last.1 - before.1) / (last.0 - before.0) * (x - last.0),
        None => last.1.clone(),
    }
}

/// How far a value is above a range, or, below zero, under it.
fn outside((least, most): &(BigRational, BigRational), value: &BigRational) -> BigRational {
    value - value.clamp(least, most)
}

/// The lower median over the expiries of the volatility at the strike nearest to the forward (of two, the lower), in basis points, down.
fn median_at_the_money(market: &UnderlyingMarket) -> Option<u32> {
    let mut at_the_money: Vec<Decimal> = market
        .expiries
        .values()
        .filter_map(|options| {
            let forward = to_ratio(options.forward);
            let distance = |strike: &Decimal| (to_ratio(*strike) - &forward).abs();
            let nearest = options.strikes.iter().min_by_key(|(strike, _)| distance(strike));
            nearest.map(|(_, options)| options.volatility)
        })
        .collect();
    at_the_money.sort_unstable();
    let middle = at_the_money.len().checked_sub(1)? / 2;
    let median = at_the_money.get(middle);
    median.map(|volatility| saturated(&points(&to_ratio(*volatility)).floor()))
}
