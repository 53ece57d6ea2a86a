//! What a circuit breaker knows of the market: the last snapshot, and what others had that gave no cause to halt.

use std::collections::btree_map::Entry;

use rust_decimal::Decimal;
use zkmargin_risk::collateral;
use zkmargin_risk::instant::Instant;
use zkmargin_risk::market::{Snapshot, UnderlyingMarket};

/// What was there before a snapshot.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Before<'a, T> {
    /// At last, be it wild.
    pub(super) last: &'a T,
    /// Of all that were in order, what each had that those after it lack.
    pub(super) known: &'a T,
}

impl<T> Clone for Before<'_, T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for Before<'_, T> {}

impl<'a> Before<'a, Snapshot> {
    /// The market of an underlying.
    pub(super) fn market(self, name: &str) -> Option<Before<'a, UnderlyingMarket>> {
        let [last, known] = self.both().map(|snapshot| snapshot.underlyings.get(name));
        Some(Before {
            last: last.or(known)?,
            known: known.or(last)?,
        })
    }

    /// The price of an asset.
    pub(super) fn asset(self, name: &str) -> Option<Decimal> {
        self.first(|snapshot| collateral::price(snapshot, name))
    }
}

impl<'a, T> Before<'a, T> {
    pub(super) fn both(self) -> [&'a T; 2] {
        [self.last, self.known]
    }

    /// What there was at last, or else what was known.
    pub(super) fn first<V>(self, of: impl Fn(&'a T) -> Option<V>) -> Option<V> {
        of(self.last).or_else(|| of(self.known))
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
