//! What a circuit breaker measures: a snapshot against the partner's reference, and against what was there before.
//!
//! Everything is computed exactly, and then a whole number of basis points, rounded against calm: a distance up, a floor down.

use std::collections::BTreeMap;
use std::fmt;

use num_traits::Signed as _;
use rust_decimal::Decimal;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use thiserror::Error;
use zkmargin_risk::amount::to_ratio;
use zkmargin_risk::instant::{HOUR_MS, Instant};
use zkmargin_risk::market::{MAX_PRICE, Snapshot, UnderlyingMarket};

use crate::breaker::Limits;
use crate::breaker::known::Before;
use crate::breaker::moves::{Price, distance, points_down, price_jump, relative_move, spread, volatility_moves};

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
    before: Option<Before<'_, Snapshot>>,
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
        let before = before.map(|before| before.market(name));
        if before == Some(None) {
            blind.push(Blind::Missing(format!("underlying {name} in any snapshot before")));
        }
        let before = before.flatten();
        if let Some(before) = before {
            let (jump, price) = price_jump(market, snapshot.instant, before);
            read(Measure::PriceJump, jump, Some(price));
            let (now, then) = (to_ratio(market.index), to_ratio(before.last.index));
            moves.extend(relative_move(&now, &then));
        }
        match (median_at_the_money(market), watched.volatility.is_some()) {
            (Some(median), true) => read(Measure::LeastVolatility, median, None),
            (None, true) => blind.push(Blind::Missing(format!("volatilities of {name}"))),
            (Some(_), false) => blind.push(Blind::Unwatched(format!("volatilities of {name}"))),
            (None, false) => {}
        }
        if let (Some(before), true) = (before, watched.volatility.is_some()) {
            match volatility_moves(market, snapshot.instant, before) {
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
            match before.asset(name) {
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
    median.map(|volatility| points_down(&to_ratio(*volatility)))
}
