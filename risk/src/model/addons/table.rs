//! The public figures of the rule: how large markets are, and the second move.

use num_bigint::BigInt;
use num_rational::BigRational;
use num_traits::{ToPrimitive, Zero};
use rust_decimal::Decimal;

use crate::amount::{to_f64, to_ratio};
use crate::market::{Quote, UnderlyingMarket};
use crate::model::addons::Contagion;
use crate::scenario::{Shock, VolatilityMove};

/// `y` of a market: the open interest of everything on it, and what that moves the price by.
pub(crate) fn second_move(market: &UnderlyingMarket, rule: &Contagion) -> Decimal {
    let interest = |quote: &Quote| quote.open_interest.map_or_else(BigRational::zero, to_ratio);
    let mut usd = market
        .perpetual
        .iter()
        .map(|one| interest(&one.quote))
        .sum::<BigRational>();
    usd += market
        .futures
        .values()
        .map(|one| interest(&one.quote))
        .sum::<BigRational>();
    let options = market.expiries.values().flat_map(|expiry| expiry.strikes.values());
    let options = options.flat_map(|strike| [&strike.call, &strike.put]).flatten();
    usd += options.map(interest).sum::<BigRational>() * to_ratio(market.index);
    let million = BigRational::from_integer(BigInt::from(1_000_000));
    let millionths = (to_ratio(rule.first) * usd / to_ratio(rule.depth) * million).ceil();
    // What does not fit is more than any bound.
    let moved = millionths.to_integer().to_i64().map(|moved| Decimal::new(moved, 6));
    moved.map_or(rule.most, |moved| moved.min(rule.most))
}

/// The shocks of the first and of both moves, down and up.
pub(crate) fn shocks(rule: &Contagion, second: Decimal) -> Vec<Shock> {
    let (first, both) = (to_f64(rule.first), to_f64(rule.first + second));
    let factors = [1.0 - first, 1.0 - both, 1.0 + first, 1.0 + both];
    factors
        .into_iter()
        .map(|factor| Shock::new(factor, VolatilityMove::None))
        .collect()
}
