//! How far prices, rates and volatilities moved, exactly, and then in basis points.
//!
//! Each is measured from itself as it was last known. What was never there is measured from what the last snapshot has around it, in expiry or strike: else
//! nobody would have measured it.

use std::collections::BTreeMap;
use std::fmt;

use num_bigint::BigInt;
use num_rational::BigRational;
use num_traits::{One as _, Signed as _, ToPrimitive as _, Zero as _};
use rust_decimal::Decimal;
use zkmargin_risk::amount::to_ratio;
use zkmargin_risk::instant::{DAY_MS, Instant};
use zkmargin_risk::market::UnderlyingMarket;

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
    let known: BTreeMap<Price, Decimal> = prices(before.known).collect();
    let futures = before.last.futures.iter().map(|(expiry, one)| (*expiry, one.price));
    let forwards = before.last.expiries.iter().map(|(expiry, one)| (*expiry, one.forward));
    let dated: BTreeMap<Instant, Decimal> = futures.chain(forwards).collect();
    let base = |of: Price, price: &BigRational| {
        let itself = known.get(&of).or_else(|| match of {
            Price::Delivery(expiry) => known
                .get(&Price::Forward(expiry))
                .or_else(|| known.get(&Price::Future(expiry))),
            _ => None,
        });
        let beside = || match of {
            Price::Future(expiry) | Price::Forward(expiry) => {
                around(&dated, &expiry, time, |_, price| to_ratio(*price))
            }
            Price::Index | Price::Perpetual | Price::Delivery(_) | Price::Rate(_) => None,
        };
        itself
            .map(|itself| to_ratio(*itself))
            .or_else(|| Some(price - outside(&beside()?, price)))
            .unwrap_or_else(|| to_ratio(before.known.index))
    };
    let moves = prices(now).map(|(of, price)| {
        let price = to_ratio(price);
        (apart(&price, &base(of, &price)), of)
    });
    moves.chain(rate_moves(now, at, before)).fold(
        (0, Price::Index),
        |most, next| if next.0 > most.0 { next } else { most },
    )
}

/// How far each rate moved, times the years for which it runs: so much is the move of a dollar at its expiry.
fn rate_moves<'m>(
    now: &'m UnderlyingMarket,
    at: Instant,
    before: Before<'m, UnderlyingMarket>,
) -> impl Iterator<Item = (u32, Price)> + use<'m> {
    let until = move |market: &UnderlyingMarket, expiry: Instant| to_ratio(market.rate_of(expiry)) * years(at, expiry);
    now.expiries.keys().filter_map(move |&expiry| {
        let range = match before.known.expiries.contains_key(&expiry) {
            true => exactly(until(before.known, expiry)),
            false => around(&before.last.expiries, &expiry, time, |expiry, _| {
                until(before.last, *expiry)
            })?,
        };
        let moved = outside(&range, &until(now, expiry));
        Some((points_up(&moved), Price::Rate(expiry)))
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
pub(super) fn volatility_moves(now: &UnderlyingMarket, before: Before<'_, UnderlyingMarket>) -> Option<(u32, u32)> {
    let expiries = &before.last.expiries;
    let moves: Vec<BigRational> = volatilities(now)
        .filter_map(|(expiry, strike, volatility)| {
            let itself = before
                .known
                .expiries
                .get(&expiry)
                .and_then(|options| options.strikes.get(&strike));
            let beside = || {
                let sides = [expiries.range(..=expiry).next_back(), expiries.range(expiry..).next()];
                let sides = sides.into_iter().flatten();
                let ranges = sides.filter_map(|(_, options)| {
                    around(
                        &options.strikes,
                        &strike,
                        |strike| to_ratio(*strike),
                        |_, at| to_ratio(at.volatility),
                    )
                });
                ranges.reduce(|one, other| (one.0.min(other.0), one.1.max(other.1)))
            };
            let range = itself.map(|at| exactly(to_ratio(at.volatility))).or_else(beside)?;
            Some(outside(&range, &to_ratio(volatility)))
        })
        .collect();
    let jump = moves.iter().map(points_up).max()?;
    Some((jump, spread(&moves).unwrap_or(0)))
}

/// From where to where.
type Range = (BigRational, BigRational);

fn exactly(value: BigRational) -> Range {
    (value.clone(), value)
}

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
    BigRational::new(to.millis_since(from).into(), (365 * DAY_MS).into())
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
