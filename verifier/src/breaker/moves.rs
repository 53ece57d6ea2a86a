//! How far prices, rates and volatilities moved, exactly, and then in basis points.
//!
//! Each is measured from itself, at last or as it was known. What was never there is measured from what the last snapshot has around it, in expiry or strike, and from
//! what was known around it, whichever is further: who leaves something out for a moment gains nothing.

use std::collections::BTreeMap;
use std::fmt;

use num_bigint::BigInt;
use num_rational::BigRational;
use num_traits::{One as _, Signed as _, ToPrimitive as _, Zero as _};
use rust_decimal::Decimal;
use zkmargin_risk::amount::to_ratio;
use zkmargin_risk::instant::{DAY_MS, Instant};
use zkmargin_risk::market::{Strike, UnderlyingMarket};
use zkmargin_risk::scenario::YEAR_DAYS;

use crate::breaker::known::Before;

/// Basis points in one.
const ONE: u32 = 10_000;

/// A price of an underlying.
#[derive(Copy, Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Price {
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

/// Every price of an underlying, each of which values positions, but for rates.
pub(super) fn prices(market: &UnderlyingMarket) -> impl Iterator<Item = (Price, Decimal)> {
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

/// The largest relative move of a price, up, or of a rate until its expiry; and which it is. Of several the first, and that is the index.
pub(super) fn price_jump(now: &UnderlyingMarket, at: Instant, before: Before<'_, UnderlyingMarket>) -> (u32, Price) {
    let then: [BTreeMap<Price, Decimal>; 2] = before.both().map(|market| prices(market).collect());
    let itself = |of: Price| {
        then.iter()
            .find_map(|prices| prices.get(&of))
            .map(|price| to_ratio(*price))
    };
    let curves = before.both().map(|market| dated(market, at));
    let moved = |of: Price, price: &BigRational| {
        let itself = itself(of).or_else(|| match of {
            Price::Delivery(expiry) => itself(Price::Forward(expiry)).or_else(|| itself(Price::Future(expiry))),
            _ => None,
        });
        match (itself, of) {
            (Some(itself), _) => apart(price, &itself),
            (None, Price::Future(expiry) | Price::Forward(expiry)) => curves
                .iter()
                .filter_map(|curve| around(curve, &expiry, time, |_, price| to_ratio(*price)))
                .map(|(least, most)| apart(price, price.clamp(&least, &most)))
                .fold(0, u32::max),
            (None, _) => apart(price, &to_ratio(before.last.index)),
        }
    };
    let moves = prices(now).map(|(of, price)| (moved(of, &to_ratio(price)), of));
    moves.chain(rate_moves(now, at, before)).fold(
        (0, Price::Index),
        |most, next| if next.0 > most.0 { next } else { most },
    )
}

/// What a coin costs at each expiry that lies ahead, and now.
fn dated(market: &UnderlyingMarket, at: Instant) -> BTreeMap<Instant, Decimal> {
    let futures = market.futures.iter().map(|(expiry, one)| (*expiry, one.price));
    let forwards = market.expiries.iter().map(|(expiry, one)| (*expiry, one.forward));
    let ahead = futures.chain(forwards).filter(|(expiry, _)| *expiry > at);
    std::iter::once((at, market.index)).chain(ahead).collect()
}

/// How far each rate moved, times the years for which it runs: so much is the move of a dollar at its expiry.
fn rate_moves<'m>(
    now: &'m UnderlyingMarket,
    at: Instant,
    before: Before<'m, UnderlyingMarket>,
) -> impl Iterator<Item = (u32, Price)> + use<'m> {
    let until = move |market: &UnderlyingMarket, expiry: Instant| to_ratio(market.rate_of(expiry)) * years(at, expiry);
    let curves = before.both().map(|market| -> BTreeMap<Instant, BigRational> {
        // What has expired has no years left.
        let expiries = market.expiries.keys().map(|expiry| (*expiry, until(market, *expiry)));
        std::iter::once((at, BigRational::zero())).chain(expiries).collect()
    });
    now.expiries.keys().map(move |&expiry| {
        let rate = until(now, expiry);
        let itself = before.first(|market| market.expiries.contains_key(&expiry).then(|| until(market, expiry)));
        let moved = match itself {
            Some(itself) => points_up(&(rate - itself)),
            None => curves
                .iter()
                .filter_map(|curve| around(curve, &expiry, time, |_, until| until.clone()))
                .map(|range| points_up(&outside(&range, &rate)))
                .fold(0, u32::max),
        };
        (moved, Price::Rate(expiry))
    })
}

pub(super) fn volatilities(market: &UnderlyingMarket) -> impl Iterator<Item = (Instant, Decimal, Decimal)> {
    market.expiries.iter().flat_map(|(expiry, options)| {
        let strikes = options.strikes.iter();
        strikes.map(|(strike, options)| (*expiry, *strike, options.volatility))
    })
}

/// The largest move of a volatility, and the spread of all moves; `None` if none can be measured. One of a new expiry is measured from what the expiries on either
/// side have around its strike.
pub(super) fn volatility_moves(
    now: &UnderlyingMarket,
    at: Instant,
    before: Before<'_, UnderlyingMarket>,
) -> Option<(u32, u32)> {
    let beside = |market: &UnderlyingMarket, expiry: Instant, strike: &Decimal| {
        let expiries = &market.expiries;
        let sides = [expiries.range(..=expiry).next_back(), expiries.range(expiry..).next()];
        let ahead = sides.into_iter().flatten().filter(|(expiry, _)| **expiry > at);
        let ranges = ahead.filter_map(|(_, options)| {
            let volatility = |_: &Decimal, options: &Strike| to_ratio(options.volatility);
            around(&options.strikes, strike, |strike| to_ratio(*strike), volatility)
        });
        ranges.reduce(|one, other| (one.0.min(other.0), one.1.max(other.1)))
    };
    let moves: Vec<BigRational> = volatilities(now)
        .filter_map(|(expiry, strike, volatility)| {
            let volatility = to_ratio(volatility);
            let itself = before.first(|market| market.expiries.get(&expiry)?.strikes.get(&strike));
            if let Some(itself) = itself {
                return Some(volatility - to_ratio(itself.volatility));
            }
            let ranges = before
                .both()
                .into_iter()
                .filter_map(|market| beside(market, expiry, &strike));
            ranges
                .map(|range| outside(&range, &volatility))
                .max_by_key(BigRational::abs)
        })
        .collect();
    let jump = moves.iter().map(points_up).max()?;
    Some((jump, spread(&moves).unwrap_or(0)))
}

/// From where to where.
type Range = (BigRational, BigRational);

/// From where to where a curve may be at `key`, by its points: at a point there; between two of them, between their values; beyond the last one, from its value as far
/// on as it came from the one before, and no further than in a line. `None` of no points.
fn around<K: Ord, V>(
    points: &BTreeMap<K, V>,
    key: &K,
    place: impl Fn(&K) -> BigRational,
    value: impl Fn(&K, &V) -> BigRational,
) -> Option<Range> {
    let point = |(key, at): (&K, &V)| (place(key), value(key, at));
    let (mut below, mut above) = (points.range(..=key).rev().map(point), points.range(key..).map(point));
    let (one, other) = match (below.next(), above.next()) {
        (Some((_, one)), Some((_, other))) => (one, other),
        (Some(last), None) => beyond(last, below.next(), &place(key)),
        (None, Some(last)) => beyond(last, above.next(), &place(key)),
        (None, None) => return None,
    };
    Some(if one < other { (one, other) } else { (other, one) })
}

type Point = (BigRational, BigRational);

/// From the last point to where the line through it and the one before is at `place`, or one gap on: two points that are close together say nothing of what is far.
fn beyond((at, last): Point, before: Option<Point>, place: &BigRational) -> Range {
    let step = before.map_or_else(BigRational::zero, |before| {
        let gaps = (place - &at) / (&at - before.0);
        (&last - before.1) * gaps.min(BigRational::one())
    });
    (last.clone(), last + step)
}

/// How far a value is above a range, or, below zero, under it.
fn outside((least, most): &Range, value: &BigRational) -> BigRational {
    value - value.clamp(least, most)
}

fn time(of: &Instant) -> BigRational {
    BigRational::from_integer(of.millis().into())
}

pub(super) fn years(from: Instant, to: Instant) -> BigRational {
    BigRational::new(to.millis_since(from).into(), (YEAR_DAYS * DAY_MS).into())
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
pub(super) fn points_up(distance: &BigRational) -> u32 {
    saturated(&points(&distance.abs()).ceil())
}

/// A value in basis points of 1, down.
pub(super) fn points_down(value: &BigRational) -> u32 {
    saturated(&points(value).floor())
}

/// `(value - base) / base`, if there is a base.
pub(super) fn relative_move(value: &BigRational, base: &BigRational) -> Option<BigRational> {
    base.is_positive().then(|| (value - base) / base)
}

/// `|value - base| / base` in basis points, up; from no base everything is infinitely far.
fn apart(value: &BigRational, base: &BigRational) -> u32 {
    relative_move(value, base).map_or(u32::MAX, |moved| points_up(&moved))
}

pub(super) fn distance(value: Decimal, base: Decimal) -> u32 {
    apart(&to_ratio(value), &to_ratio(base))
}

/// Largest less smallest, in basis points, up; `None` of fewer than two.
pub(super) fn spread(moves: &[BigRational]) -> Option<u32> {
    let (largest, smallest) = (moves.iter().max()?, moves.iter().min()?);
    (moves.len() > 1).then(|| points_up(&(largest - smallest)))
}
