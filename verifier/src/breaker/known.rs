//! What a circuit breaker knows of the market: the last snapshot, and what that lacks and others had.

use std::collections::btree_map::Entry;

use rust_decimal::Decimal;
use zkmargin_risk::instant::Instant;
use zkmargin_risk::market::{Snapshot, UnderlyingMarket};

/// What was there before a snapshot.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Before<'a, T> {
    /// At last.
    pub(super) last: &'a T,
    /// And what that lacks.
    pub(super) known: &'a T,
}

impl<T> Clone for Before<'_, T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for Before<'_, T> {}

impl<'a> Before<'a, Snapshot> {
    /// The market of an underlying; where the last snapshot lacks it, as it was known.
    pub(super) fn market(self, name: &str) -> Option<Before<'a, UnderlyingMarket>> {
        let known = self.known.underlyings.get(name)?;
        let last = self.last.underlyings.get(name).unwrap_or(known);
        Some(Before { last, known })
    }
}

/// `snapshot`, and from `before` whatever it lacks. What comes back is measured from itself: else who leaves it out for a moment would choose what it is measured
/// from.
pub(super) fn with(before: Option<Snapshot>, snapshot: &Snapshot) -> Snapshot {
    let mut known = snapshot.clone();
    let Some(before) = before else { return known };
    for (name, market) in before.underlyings {
        match known.underlyings.entry(name) {
            Entry::Vacant(gap) => {
                gap.insert(market);
            }
            Entry::Occupied(mut there) => fill(there.get_mut(), market, snapshot.instant),
        }
    }
    for (name, price) in before.assets {
        known.assets.entry(name).or_insert(price);
    }
    known
}

/// Prices of what is left out go with the index. What has expired is what it will be delivered at, until that is said.
fn fill(market: &mut UnderlyingMarket, before: UnderlyingMarket, now: Instant) {
    let (from, to) = (before.index, market.index);
    let moved = |price: Decimal| match from == to {
        true => price,
        false => price
            .checked_mul(to)
            .and_then(|price| price.checked_div(from))
            .unwrap_or(price),
    };
    for (expiry, price) in before.deliveries {
        market.deliveries.entry(expiry).or_insert(price);
    }
    if let (None, Some(mut perpetual)) = (&market.perpetual, before.perpetual) {
        perpetual.price = moved(perpetual.price);
        market.perpetual = Some(perpetual);
    }
    for (expiry, mut options) in before.expiries {
        if expiry <= now {
            market.deliveries.entry(expiry).or_insert(options.forward);
            continue;
        }
        match market.expiries.entry(expiry) {
            Entry::Vacant(gap) => {
                options.forward = moved(options.forward);
                options.rate = options.rate.or(Some(before.rate));
                gap.insert(options);
            }
            Entry::Occupied(mut there) => {
                for (strike, options) in options.strikes {
                    there.get_mut().strikes.entry(strike).or_insert(options);
                }
            }
        }
    }
    for (expiry, mut future) in before.futures {
        if expiry <= now {
            market.deliveries.entry(expiry).or_insert(future.price);
            continue;
        }
        future.price = moved(future.price);
        market.futures.entry(expiry).or_insert(future);
    }
}
