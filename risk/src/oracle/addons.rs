//! The rule of [`crate::model::addons`], step by step in its own symbols.

use std::collections::BTreeMap;

use num_bigint::BigInt;
use num_rational::BigRational;
use num_traits::{One, Signed, Zero};
use rust_decimal::Decimal;

use crate::amount::to_ratio;
use crate::instant::{DAY_MS, Instant};
use crate::market::{Quote, Snapshot, UnderlyingMarket};
use crate::model::addons::{AddOns, Bound, Closing, Concentration, Measure, table};
use crate::oracle::book::{Book, Held};
use crate::oracle::exact::ExactSum;
use crate::oracle::scan::{holdings, moving};
use crate::oracle::{Component, OracleError, larger, positive_part, whole};
use crate::scenario::VolatilityShock;
use crate::universe::{Instrument, Kind, Right};
use crate::valuation::{self, InstrumentGreeks};

/// The charges on a book, by their terms.
///
/// # Errors
/// [`OracleError`].
pub(crate) fn evaluate(book: &Book<'_>, rules: &AddOns) -> Result<Vec<Component>, OracleError> {
    let mut components = Vec::new();
    let mut keep = |term: &str, note: &str, amount: BigRational| {
        if !amount.is_zero() {
            components.push(Component::of_both(term, note, amount));
        }
    };
    if let Some(rule) = &rules.concentration {
        for (note, amount) in concentration(book, rule)? {
            keep("concentration", &note, amount);
        }
    }
    let mut closing: BTreeMap<&str, BigRational> = BTreeMap::new();
    let mut rebalancing: BTreeMap<&str, BigRational> = BTreeMap::new();
    for held in book.held()? {
        let (instrument, greeks) = (held.instrument, greeks(book, held.instrument)?);
        let name = instrument.underlying.as_str();
        let Some(market) = book.coverage.snapshot.underlyings.get(name) else {
            continue;
        };
        let gross = BigRational::from_integer(held.gross());
        if let Some(rule) = &rules.closing {
            let half = half(rule, &held, market, &greeks)?;
            *closing.entry(name).or_default() += to_ratio(rule.factor) * half * &gross;
        }
        if let Some(rule) = rules.rebalancing.get(name) {
            let moved = to_ratio(rule.size) * to_ratio(market.index);
            let profit = exact(greeks.gamma.abs(), instrument)? * &moved * &moved / whole(2);
            *rebalancing.entry(name).or_default() += to_ratio(rule.rate) * profit * &held.usd_per_lot * gross;
        }
    }
    for (term, sums) in [("closing cost", closing), ("rebalancing cost", rebalancing)] {
        for (name, amount) in sums {
            keep(term, name, amount);
        }
    }
    let collateral = book.collateral(&BTreeMap::new());
    for (name, rule) in &rules.contagion {
        let Some(market) = book.coverage.snapshot.underlyings.get(name) else {
            continue;
        };
        let second = table::second_move(market, rule);
        let names = [(name.as_str(), VolatilityShock::STILL, table::shocks(rule, second))];
        let desks = holdings(book, names)?;
        let Some(desk) = desks.get(name.as_str()) else { continue };
        // Of two moves, coins make the difference.
        let coins = to_ratio(second) * moving(book, &collateral, name, true);
        let down = desk.gain(0)? - desk.gain(1)? + &coins;
        let up = desk.gain(2)? - desk.gain(3)? - coins;
        keep("contagion", name, positive_part(larger(down, up)));
    }
    Ok(components)
}

fn no_value(instrument: &Instrument) -> OracleError {
    OracleError::NoValue {
        instrument: instrument.name.clone(),
    }
}

/// A float as the fraction it is.
fn exact(x: f64, instrument: &Instrument) -> Result<BigRational, OracleError> {
    let mut sum = ExactSum::default();
    sum.add(x, &BigInt::one()).ok_or_else(|| no_value(instrument))?;
    Ok(sum.value())
}

fn greeks(book: &Book<'_>, instrument: &Instrument) -> Result<InstrumentGreeks, OracleError> {
    let greeks = valuation::greeks(book.coverage.snapshot, instrument);
    let greeks = greeks.map_err(|source| OracleError::Pricing {
        underlying: instrument.underlying.clone(),
        source,
    })?;
    greeks.map_err(|_| no_value(instrument))
}

/// `half_i` of a lot, in the numéraire.
fn half(
    rule: &Closing,
    held: &Held<'_>,
    market: &UnderlyingMarket,
    greeks: &InstrumentGreeks,
) -> Result<BigRational, OracleError> {
    let instrument = held.instrument;
    let (index, size) = (to_ratio(market.index), to_ratio(instrument.contract));
    let delta = exact(greeks.delta.abs(), instrument)?;
    let quote = match &instrument.kind {
        Kind::Perpetual => market.perpetual.as_ref().map(|one| one.quote),
        Kind::Future { expiry } => market.futures.get(expiry).map(|one| one.quote),
        Kind::Option { expiry, strike, right } => {
            let strike = market.expiries.get(expiry).and_then(|chain| chain.strikes.get(strike));
            strike.and_then(|strike| match right {
                Right::Call => strike.call,
                Right::Put => strike.put,
            })
        }
        Kind::Sensitivity(_) => None,
    };
    let recorded = quote
        .and_then(|quote| Some((to_ratio(quote.bid?), to_ratio(quote.ask?))))
        .filter(|(bid, ask)| ask.is_positive() && ask >= bid)
        .map(|(bid, ask)| (ask - bid) / whole(2));
    let is_option = matches!(instrument.kind, Kind::Option { .. });
    Ok(match (recorded, is_option) {
        (Some(half), true) => half * index * size * &held.per_lot,
        (Some(half), false) => half * delta * &held.usd_per_lot,
        (None, true) => {
            let vega = exact(greeks.vega.abs(), instrument)?;
            (to_ratio(rule.volatility) * vega + to_ratio(rule.least) * index * size) * &held.per_lot
        }
        (None, false) => to_ratio(rule.future) * index * delta * &held.usd_per_lot,
    })
}

/// A bucket by its words, so that what is held and what the market has are sorted alike.
fn bucket(rule: &Concentration, name: &str, kind: &Kind, forward: Option<Decimal>, now: Instant) -> String {
    let exceeded = |bounds: &[Bound], figure: BigRational| {
        let exceeded = bounds.iter().rposition(|bound| figure > to_ratio(bound.0));
        exceeded.map_or(0, |at| at + 1)
    };
    match kind {
        Kind::Perpetual | Kind::Sensitivity(_) => format!("{name} perpetuals"),
        Kind::Future { expiry } => format!("{name} futures of {expiry}"),
        Kind::Option { expiry, strike, .. } => {
            let days = exceeded(&rule.days, whole(expiry.millis_since(now)) / whole(DAY_MS));
            let forward = forward.map_or_else(BigRational::one, to_ratio);
            let moneyness = exceeded(&rule.moneyness, to_ratio(*strike) / forward);
            format!("{name} options, time {days}, moneyness {moneyness}")
        }
    }
}

/// `M_b` before it is cut and floored.
fn depths(rule: &Concentration, snapshot: &Snapshot) -> BTreeMap<String, BigRational> {
    let mut depths: BTreeMap<String, BigRational> = BTreeMap::new();
    for (name, market) in &snapshot.underlyings {
        let index = to_ratio(market.index);
        let mut add = |kind: &Kind, forward: Option<Decimal>, quote: &Quote| {
            let unit = if matches!(kind, Kind::Option { .. }) {
                index.clone()
            } else {
                BigRational::one()
            };
            let usd = match rule.measure {
                Measure::Volume if quote.volume.is_some() => quote.volume.map(|coins| to_ratio(coins) * &index),
                Measure::Volume | Measure::OpenInterest => quote.open_interest.map(|held| to_ratio(held) * unit),
            };
            let bucket = bucket(rule, name, kind, forward, snapshot.instant);
            *depths.entry(bucket).or_default() += usd.unwrap_or_default();
        };
        if let Some(perpetual) = &market.perpetual {
            add(&Kind::Perpetual, None, &perpetual.quote);
        }
        for (expiry, future) in &market.futures {
            add(&Kind::Future { expiry: *expiry }, None, &future.quote);
        }
        for (expiry, chain) in &market.expiries {
            for (strike, both) in &chain.strikes {
                for (right, quote) in [(Right::Call, &both.call), (Right::Put, &both.put)] {
                    let (expiry, strike) = (*expiry, *strike);
                    let kind = Kind::Option { expiry, strike, right };
                    quote.iter().for_each(|quote| add(&kind, Some(chain.forward), quote));
                }
            }
        }
    }
    depths
}

/// `charge_b` of each bucket, in the numéraire.
fn concentration(book: &Book<'_>, rule: &Concentration) -> Result<BTreeMap<String, BigRational>, OracleError> {
    let snapshot = book.coverage.snapshot;
    let depths = depths(rule, snapshot);
    // `N_b` in USD, and `M_b`.
    let mut buckets: BTreeMap<String, (BigRational, BigRational)> = BTreeMap::new();
    for held in book.held()? {
        let instrument = held.instrument;
        let Some(market) = snapshot.underlyings.get(&instrument.underlying) else {
            continue;
        };
        let coins = match instrument.kind {
            Kind::Option { .. } => to_ratio(instrument.contract),
            Kind::Future { .. } | Kind::Perpetual | Kind::Sensitivity(_) => {
                exact(greeks(book, instrument)?.delta.abs(), instrument)?
            }
        };
        let gross = to_ratio(instrument.lot) * BigRational::from_integer(held.gross());
        let chain = instrument.kind.expiry().and_then(|expiry| market.expiries.get(&expiry));
        let (name, forward) = (&instrument.underlying, chain.map(|chain| chain.forward));
        let bucket = bucket(rule, name, &instrument.kind, forward, snapshot.instant);
        let depth = depths.get(&bucket).map(BigRational::floor).unwrap_or_default();
        let depth = larger(depth, to_ratio(rule.least_depth));
        let (notional, _) = buckets.entry(bucket).or_insert_with(|| (BigRational::zero(), depth));
        *notional += to_ratio(market.index) * coins * gross;
    }
    for line in book.collateral(&BTreeMap::new()) {
        if let (Some(depth), Some(price), None) = (rule.assets.get(&line.asset), &line.price, &line.uncounted) {
            let notional = price * (&line.balance + &line.debt);
            buckets.insert(line.asset, (notional, to_ratio(*depth)));
        }
    }
    let charges = buckets.into_iter().map(|(bucket, (notional, depth))| {
        let mut charge = BigRational::zero();
        let mut before = BigRational::zero();
        for step in &rule.tiers {
            let rate = to_ratio(step.rate);
            charge += (&rate - before) * positive_part(&notional - to_ratio(step.above) * &depth);
            before = rate;
        }
        debug_assert!(!charge.is_negative());
        (bucket, charge / &book.numeraire_price)
    });
    Ok(charges.collect())
}
