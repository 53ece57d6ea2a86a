//! What a circuit breaker knows of the market: the last snapshot, and what that lacks and others had outside of halts.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use rust_decimal::Decimal;
use zkmargin_risk::collateral;
use zkmargin_risk::instant::Instant;
use zkmargin_risk::market::{Snapshot, Strike, UnderlyingMarket};

/// What was there before a snapshot.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Before<'a, T> {
    /// At last, be it wild.
    pub(super) last: &'a T,
    /// And what that lacks and was known.
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

/// Prices of what is left out go with the index, volatilities with those around them. What has expired is what it will be delivered at, until that is said.
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
            Entry::Occupied(mut there) => fill_smile(&mut there.get_mut().strikes, options.strikes),
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

fn fill_smile(strikes: &mut BTreeMap<Decimal, Strike>, before: BTreeMap<Decimal, Strike>) {
    let both = before
        .iter()
        .filter_map(|(strike, then)| Some((*strike, strikes.get(strike)?, then)));
    // Both are at most 10.
    let moves = both.map(|(strike, now, then)| (strike, now.volatility.saturating_sub(then.volatility)));
    let moves: BTreeMap<Decimal, Decimal> = moves.collect();
    for (strike, mut options) in before {
        let Entry::Vacant(gap) = strikes.entry(strike) else {
            continue;
        };
        let below = moves.range(..strike).next_back().map(|(_, by)| *by);
        let above = moves.range(strike..).next().map(|(_, by)| *by);
        let by = match (below, above) {
            // As far as both went: one alone pushes nothing between the two.
            (Some(one), Some(other)) if one.is_sign_positive() == other.is_sign_positive() => {
                if one.abs() < other.abs() { one } else { other }
            }
            (Some(_), Some(_)) => Decimal::ZERO,
            (one, other) => one.or(other).unwrap_or(Decimal::ZERO),
        };
        let moved = options.volatility.saturating_add(by);
        if moved > Decimal::ZERO {
            options.volatility = moved;
        }
        gap.insert(options);
    }
}
