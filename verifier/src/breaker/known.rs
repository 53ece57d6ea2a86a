//! What a circuit breaker knows of the market: the last snapshot, and what that lacks and others had.

use std::collections::btree_map::Entry;

use zkmargin_risk::instant::{DAY_MS, Instant};
use zkmargin_risk::market::{Snapshot, UnderlyingMarket};

/// `snapshot`, and from `before` whatever it lacks and has not expired more than a day ago. What comes back is measured from itself: else who leaves it out
/// for a moment would choose what it is measured from.
pub(super) fn with(before: Snapshot, snapshot: &Snapshot) -> Snapshot {
    let mut known = snapshot.clone();
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

fn fill(market: &mut UnderlyingMarket, before: UnderlyingMarket, now: Instant) {
    let is_kept = |expiry: Instant| now.millis_since(expiry) <= DAY_MS;
    market.perpetual = market.perpetual.take().or(before.perpetual);
    for (expiry, future) in before.futures.into_iter().filter(|(expiry, _)| is_kept(*expiry)) {
        market.futures.entry(expiry).or_insert(future);
    }
    for (expiry, options) in before.expiries.into_iter().filter(|(expiry, _)| is_kept(*expiry)) {
        match market.expiries.entry(expiry) {
            Entry::Vacant(gap) => {
                gap.insert(options);
            }
            Entry::Occupied(mut there) => {
                for (strike, options) in options.strikes {
                    there.get_mut().strikes.entry(strike).or_insert(options);
                }
            }
        }
    }
    for (expiry, price) in before.deliveries {
        market.deliveries.entry(expiry).or_insert(price);
    }
}
