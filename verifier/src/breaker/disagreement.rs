//! By how much publishers' snapshots of one instant differ.

use std::collections::BTreeMap;

use num_rational::BigRational;
use num_traits::Zero as _;
use rust_decimal::Decimal;
use zkmargin_risk::amount::to_ratio;
use zkmargin_risk::collateral;
use zkmargin_risk::instant::Instant;
use zkmargin_risk::market::{Snapshot, UnderlyingMarket};

use crate::breaker::moves::{Price, distance, points_up, prices, relative_move, volatilities, years};

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
            let there = fractions(counterpart, other.instant);
            for (of, fraction) in fractions(market, one.instant) {
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
        // All of them less by one: what counts is by how much they differ.
        let settled = relative_move(&to_ratio(options.settled), &to_ratio(options.forward));
        fractions.insert(
            format!("settled part of {expiry}"),
            settled.unwrap_or_else(BigRational::zero),
        );
    }
    fractions
}
