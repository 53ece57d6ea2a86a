//! What one contract is worth now and under a shock.
//!
//! These figures are `f64` and are **the** prices: a model encloses each as the exact dyadic rational it is, and so
//! does who checks the model. Their operations and order are therefore part of the rule. With `s` the shock's factor,
//! `I` the index, `k` the contract size, `Φ` the normal distribution function and every decimal of the snapshot read as
//! its nearest `f64`:
//!
//! | instrument | coins of the underlying | USD at the scenario's index `I s` | delta, coins |
//! |---|---|---|---|
//! | inverse option | `(B / (F s)) k` | `(B (I / F)) k` | call `Φ(d1) k`, put `-Φ(-d1) k` |
//! | inverse future, perpetual | `-(k / (F s))` | `-(k (I / F))` | `k / F` |
//! | linear option | | `(D B) k` | call `(D Φ(d1)) k`, put `(D (-Φ(-d1))) k` |
//! | linear future, perpetual | | `(F s) k` | `k` |
//!
//! `B` is the undiscounted Black-76 value at forward `F s` and the shocked volatility `σ'` ([`crate::scenario`]), with
//! `ln(F s / K)` taken as `ln(F / K) + ln(s)` (deltas: of the unshocked market) and `w = σ' √T`; `D = exp(-r T)` with the rate of the
//! expiry. Index
//! and forward move together, so an inverse option in USD at the scenario's index is `B I / F`. Linear figures are in
//! the settlement asset, a coin of which counts as one USD here. A long inverse future is worth `-k/F` coins against
//! its carry credit of `k/E` coins at entry price `E`: together `k/E - k/F`, its profit.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use rust_decimal::Decimal;
use zkmargin_program::LegId;

use crate::amount::to_f64;
use crate::instant::Instant;
use crate::market::{Snapshot, UnderlyingMarket};
use crate::pricing::{Black76, CallPut, PricingError, log_moneyness, undiscounted};
use crate::scenario::{Shock, VolatilityMove, VolatilityScale, VolatilityShock, days, years};
use crate::universe::{Instrument, Kind, Right, Style};

/// What values are counted in.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum Denomination {
    /// Coins of the underlying. Inverse instruments only.
    Coin,
    /// USD at the scenario's index.
    Usd,
}

/// Why a snapshot has no price for an instrument.
#[derive(Copy, Clone, Debug, PartialEq, Eq, Hash, thiserror::Error)]
pub enum Unpriced {
    /// Its underlying is not in the snapshot.
    #[error("the snapshot has no market for its underlying")]
    Underlying,
    /// It expired at or before the snapshot's instant.
    #[error("it has expired")]
    Expired,
    /// Its expiry is not in the snapshot.
    #[error("the snapshot has no such expiry")]
    Expiry,
    /// Its strike, or the call or put of that strike, is not in the snapshot.
    #[error("the snapshot does not list the option")]
    Strike,
    /// The underlying has no perpetual in the snapshot.
    #[error("the snapshot has no perpetual")]
    Perpetual,
    /// A sensitivity is not priced.
    #[error("a sensitivity has no price")]
    Sensitivity,
    /// A linear instrument has no value in coins.
    #[error("a linear instrument has no value in coins")]
    Linear,
}

/// Where the snapshot has one instrument's market.
#[derive(Copy, Clone, Debug)]
pub(crate) enum Quote {
    /// An option, and the forward and volatility that it is priced at.
    Option {
        forward: Decimal,
        strike: Decimal,
        volatility: Decimal,
        expiry: Instant,
        right: Right,
    },
    /// A future or perpetual at its mark.
    Forward { price: Decimal },
}

/// The market of one instrument.
///
/// # Errors
/// [`Unpriced`], if the snapshot does not price it.
pub(crate) fn quote(market: &UnderlyingMarket, kind: &Kind, now: Instant) -> Result<Quote, Unpriced> {
    if kind.expiry().is_some_and(|expiry| expiry <= now) {
        return Err(Unpriced::Expired);
    }
    match kind {
        Kind::Option { expiry, strike, right } => {
            let chain = market.expiries.get(expiry).ok_or(Unpriced::Expiry)?;
            let options = chain.strikes.get(strike).ok_or(Unpriced::Strike)?;
            let listed = match right {
                Right::Call => options.call.is_some(),
                Right::Put => options.put.is_some(),
            };
            if !listed {
                return Err(Unpriced::Strike);
            }
            let (expiry, right) = (*expiry, *right);
            Ok(Quote::Option {
                forward: chain.forward,
                strike: *strike,
                volatility: options.volatility,
                expiry,
                right,
            })
        }
        Kind::Future { expiry } => {
            let future = market.futures.get(expiry).ok_or(Unpriced::Expiry)?;
            Ok(Quote::Forward { price: future.price })
        }
        Kind::Perpetual => {
            let perpetual = market.perpetual.as_ref().ok_or(Unpriced::Perpetual)?;
            Ok(Quote::Forward { price: perpetual.price })
        }
        Kind::Sensitivity(_) => Err(Unpriced::Sensitivity),
    }
}

/// Whether the snapshot prices an instrument.
///
/// # Errors
/// [`Unpriced`], if it does not.
pub fn priced(snapshot: &Snapshot, instrument: &Instrument) -> Result<(), Unpriced> {
    let market = snapshot
        .underlyings
        .get(&instrument.underlying)
        .ok_or(Unpriced::Underlying)?;
    quote(market, &instrument.kind, snapshot.instant).map(|_| ())
}

/// The roll rate of an expiry `years` away: `expm1(annual_move · years)`, or `least` if that is larger.
pub fn roll_rate(annual_move: f64, least: f64, years: f64) -> f64 {
    let grown = libm::expm1(annual_move * years);
    if grown > least { grown } else { least }
}

/// Values of one contract, long.
#[derive(Clone, Debug, PartialEq)]
pub struct Values {
    /// Value now.
    pub mark: f64,
    /// Value under each shock, in the order of the shocks.
    pub shocked: Vec<f64>,
    /// Delta in coins of the underlying.
    pub delta: f64,
}

/// The values of the instruments on one underlying, by the leg of their long side.
#[derive(Clone, Debug, PartialEq)]
pub struct ValueTable {
    values: BTreeMap<LegId, Values>,
    unpriced: Vec<(LegId, Unpriced)>,
}

impl ValueTable {
    /// Values each of `instruments`, all of which are on the underlying of `market`, at `now` and under each of
    /// `shocks`.
    ///
    /// # Errors
    /// [`PricingError`], for a snapshot that was not checked.
    pub fn new<'a>(
        market: &UnderlyingMarket,
        now: Instant,
        denomination: Denomination,
        volatility: &VolatilityShock,
        shocks: &[Shock],
        instruments: impl IntoIterator<Item = &'a Instrument>,
    ) -> Result<ValueTable, PricingError> {
        let mut valuer = Valuer {
            market,
            now,
            denomination,
            volatility,
            shocks,
            index: to_f64(market.index),
            tenors: BTreeMap::new(),
            strikes: BTreeMap::new(),
        };
        let mut table = ValueTable {
            values: BTreeMap::new(),
            unpriced: Vec::new(),
        };
        for instrument in instruments {
            if instrument.style == Style::Linear && denomination == Denomination::Coin {
                table.unpriced.push((instrument.long, Unpriced::Linear));
                continue;
            }
            match quote(market, &instrument.kind, now) {
                Ok(quote) => {
                    let values = valuer.values(&quote, instrument.style, to_f64(instrument.contract))?;
                    table.values.insert(instrument.long, values);
                }
                Err(reason) => table.unpriced.push((instrument.long, reason)),
            }
        }
        Ok(table)
    }

    /// The values of the instrument with this long leg; `None` if it has no price.
    pub fn get(&self, long: LegId) -> Option<&Values> {
        self.values.get(&long)
    }

    /// The values of the instrument with this long leg, taken out; `None` if it has no price, or was taken before.
    pub fn take(&mut self, long: LegId) -> Option<Values> {
        self.values.remove(&long)
    }

    /// The instruments that could not be priced, by their long legs, and why.
    pub fn unpriced(&self) -> &[(LegId, Unpriced)] {
        &self.unpriced
    }
}

/// Values each of `instruments` as it is, without shocks.
///
/// # Errors
/// As [`ValueTable::new`].
pub fn marks<'a>(
    market: &UnderlyingMarket,
    now: Instant,
    denomination: Denomination,
    instruments: impl IntoIterator<Item = &'a Instrument>,
) -> Result<ValueTable, PricingError> {
    ValueTable::new(market, now, denomination, &VolatilityShock::STILL, &[], instruments)
}

/// What the options of one expiry share.
#[derive(Copy, Clone)]
struct Tenor {
    forward: f64,
    years: f64,
    root_years: f64,
    discount: f64,
    scale: VolatilityScale,
}

/// The undiscounted values of one strike: of call and put now, and under each shock with the forward they are at.
struct StrikeValues {
    now: CallPut,
    shocked: Vec<CallPut>,
    call_delta: f64,
    put_delta: f64,
}

/// Values instruments of one underlying; call and put of a strike, and its listings at several venues, share their
/// evaluations.
struct Valuer<'a> {
    market: &'a UnderlyingMarket,
    now: Instant,
    denomination: Denomination,
    volatility: &'a VolatilityShock,
    shocks: &'a [Shock],
    index: f64,
    tenors: BTreeMap<Instant, Tenor>,
    strikes: BTreeMap<(Instant, Decimal), StrikeValues>,
}

impl Valuer<'_> {
    fn tenor(&mut self, expiry: Instant, forward: Decimal) -> Tenor {
        let (market, now, volatility) = (self.market, self.now, self.volatility);
        *self.tenors.entry(expiry).or_insert_with(|| {
            let years = years(now, expiry);
            let rate = to_f64(market.rate_of(expiry));
            let discount = if rate == 0.0 { 1.0 } else { libm::exp(-rate * years) };
            Tenor {
                forward: to_f64(forward),
                years,
                root_years: libm::sqrt(years),
                discount,
                scale: volatility.at(days(now, expiry)),
            }
        })
    }

    fn values(&mut self, quote: &Quote, style: Style, contract: f64) -> Result<Values, PricingError> {
        let (forward, strike, volatility, expiry, right) = match *quote {
            Quote::Forward { price } => return Ok(self.forward_values(to_f64(price), style, contract)),
            Quote::Option {
                forward,
                strike,
                volatility,
                expiry,
                right,
            } => (forward, strike, volatility, expiry, right),
        };
        let tenor = self.tenor(expiry, forward);
        let (denomination, index, shocks) = (self.denomination, self.index, self.shocks);
        let known = match self.strikes.entry((expiry, strike)) {
            Entry::Occupied(entry) => entry.into_mut(),
            Entry::Vacant(entry) => entry.insert(strike_values(to_f64(strike), to_f64(volatility), tenor, shocks)?),
        };
        let value = |undiscounted: f64, forward_now: f64| match (style, denomination) {
            (Style::Inverse, Denomination::Coin) => undiscounted / forward_now * contract,
            (Style::Inverse, Denomination::Usd) => undiscounted * (index / tenor.forward) * contract,
            (Style::Linear, _) => tenor.discount * undiscounted * contract,
        };
        let delta = match right {
            Right::Call => known.call_delta,
            Right::Put => known.put_delta,
        };
        let discounted = match style {
            Style::Inverse => delta,
            Style::Linear => tenor.discount * delta,
        };
        let shocked = shocks.iter().zip(&known.shocked);
        Ok(Values {
            mark: value(known.now.of(right), tenor.forward),
            shocked: shocked
                .map(|(shock, values)| value(values.of(right), tenor.forward * shock.factor()))
                .collect(),
            delta: discounted * contract,
        })
    }

    fn forward_values(&self, price: f64, style: Style, contract: f64) -> Values {
        let (denomination, index) = (self.denomination, self.index);
        let value = |shocked: f64| match (style, denomination) {
            (Style::Inverse, Denomination::Coin) => -(contract / shocked),
            (Style::Inverse, Denomination::Usd) => -(contract * (index / price)),
            (Style::Linear, _) => shocked * contract,
        };
        Values {
            mark: value(price),
            shocked: self.shocks.iter().map(|shock| value(price * shock.factor())).collect(),
            delta: match style {
                Style::Inverse => contract / price,
                Style::Linear => contract,
            },
        }
    }
}

fn strike_values(strike: f64, volatility: f64, tenor: Tenor, shocks: &[Shock]) -> Result<StrikeValues, PricingError> {
    let forward = tenor.forward;
    let market = Black76::new(forward, strike, volatility, tenor.years, 0.0)?;
    let log = log_moneyness(forward, strike);
    // One total volatility per direction, not per shock.
    let total = |direction| tenor.scale.shocked(volatility, direction) * tenor.root_years;
    let (up, none, down) = (
        total(VolatilityMove::Up),
        total(VolatilityMove::None),
        total(VolatilityMove::Down),
    );
    let at = |shock: &Shock| {
        let w = match (shock.index_change(), shock.volatility()) {
            (Some(change), _) => tenor.scale.with_index(volatility, change) * tenor.root_years,
            (None, VolatilityMove::Up) => up,
            (None, VolatilityMove::None) => none,
            (None, VolatilityMove::Down) => down,
        };
        undiscounted(forward * shock.factor(), strike, log + shock.log_factor(), w)
    };
    Ok(StrikeValues {
        now: at(&Shock::STILL),
        shocked: shocks.iter().map(at).collect(),
        call_delta: market.delta(Right::Call),
        put_delta: market.delta(Right::Put),
    })
}

/// The mark of one contract, long: in USD, or in the settlement asset of a linear instrument. `None` if the snapshot does not
/// price it.
///
/// # Errors
/// [`PricingError`], for a snapshot that was not checked.
pub fn mark(snapshot: &Snapshot, instrument: &Instrument) -> Result<Option<f64>, PricingError> {
    let Some(market) = snapshot.underlyings.get(&instrument.underlying) else {
        return Ok(None);
    };
    let table = marks(market, snapshot.instant, Denomination::Usd, [instrument])?;
    Ok(table.get(instrument.long).map(|values| values.mark))
}

/// Greeks of one contract, long, in USD and coins of the underlying: for reports, and what [`DollarGreeks`] are made of.
#[derive(Copy, Clone, Debug, Default, PartialEq)]
pub struct InstrumentGreeks {
    /// Coins of the underlying.
    pub delta: f64,
    /// Change of delta in coins per USD of index, forwards moving with it.
    pub gamma: f64,
    /// USD per 1.00 of volatility.
    pub vega: f64,
    /// USD per year that passes.
    pub theta: f64,
    /// USD per 1.00 of rate, forwards as they are; 0 for inverse instruments, whose value has no rate in it.
    pub rho: f64,
}

/// The greeks of one contract at the snapshot.
///
/// # Errors
/// `Ok(Err(_))` if the snapshot does not price it; [`PricingError`] for a snapshot that was not checked.
pub fn greeks(
    snapshot: &Snapshot,
    instrument: &Instrument,
) -> Result<Result<InstrumentGreeks, Unpriced>, PricingError> {
    let Some(market) = snapshot.underlyings.get(&instrument.underlying) else {
        return Ok(Err(Unpriced::Underlying));
    };
    let contract = to_f64(instrument.contract);
    let index = to_f64(market.index);
    let quote = match quote(market, &instrument.kind, snapshot.instant) {
        Ok(quote) => quote,
        Err(reason) => return Ok(Err(reason)),
    };
    let greeks = match quote {
        Quote::Forward { price } => {
            let delta = match instrument.style {
                Style::Inverse => contract / to_f64(price),
                Style::Linear => contract,
            };
            InstrumentGreeks {
                delta,
                ..InstrumentGreeks::default()
            }
        }
        Quote::Option {
            forward,
            strike,
            volatility,
            expiry,
            right,
        } => {
            let forward = to_f64(forward);
            let (rate, usd) = match instrument.style {
                Style::Inverse => (0.0, index / forward * contract),
                Style::Linear => (to_f64(market.rate_of(expiry)), contract),
            };
            let years = years(snapshot.instant, expiry);
            let greeks = Black76::new(forward, to_f64(strike), to_f64(volatility), years, rate)?.greeks(right);
            InstrumentGreeks {
                delta: greeks.delta * contract,
                gamma: greeks.gamma * (forward / index) * contract,
                vega: greeks.vega * usd,
                theta: greeks.theta * usd,
                rho: match instrument.style {
                    Style::Inverse => 0.0,
                    Style::Linear => greeks.rho * usd,
                },
            }
        }
    };
    Ok(Ok(greeks))
}

/// Mark of one contract, long, and how it changes with moves of its underlying: in USD at the index, or in coins of a linear
/// settlement asset. These are margin figures: their operations and order are part of the rule of a model of greeks.
#[derive(Copy, Clone, Debug, Default, PartialEq)]
pub struct DollarGreeks {
    /// Value now, as [`ValueTable`] has it in USD.
    pub mark: f64,
    /// By a relative move of index and forwards: `Δ I` of an inverse option, `Δ F` of a linear one, `k F` of a linear future or
    /// perpetual, 0 of an inverse one, whose value in USD does not move (its carry does).
    pub delta: f64,
    /// By the square of that: `(Γ I) I` of an inverse option, `(Γ I) F` of a linear one, else 0.
    pub gamma: f64,
    /// By 1.00 of volatility.
    pub vega: f64,
}

/// The figures of one contract at the snapshot; `Δ`, `Γ` and vega are those of [`greeks`].
///
/// # Errors
/// As [`greeks`].
pub fn dollar_greeks(
    snapshot: &Snapshot,
    instrument: &Instrument,
) -> Result<Result<DollarGreeks, Unpriced>, PricingError> {
    let Some(market) = snapshot.underlyings.get(&instrument.underlying) else {
        return Ok(Err(Unpriced::Underlying));
    };
    let of = match greeks(snapshot, instrument)? {
        Ok(of) => of,
        Err(reason) => return Ok(Err(reason)),
    };
    let index = to_f64(market.index);
    let table = marks(market, snapshot.instant, Denomination::Usd, [instrument])?;
    let Some(values) = table.get(instrument.long) else {
        return Ok(Err(Unpriced::Linear));
    };
    let mark = values.mark;
    let (delta, gamma) = match (quote(market, &instrument.kind, snapshot.instant), instrument.style) {
        (Err(reason), _) => return Ok(Err(reason)),
        (Ok(Quote::Forward { .. }), Style::Inverse) => (0.0, 0.0),
        (Ok(Quote::Forward { price }), Style::Linear) => (of.delta * to_f64(price), 0.0),
        (Ok(Quote::Option { .. }), Style::Inverse) => (of.delta * index, of.gamma * index * index),
        (Ok(Quote::Option { forward, .. }), Style::Linear) => {
            let forward = to_f64(forward);
            (of.delta * forward, of.gamma * index * forward)
        }
    };
    Ok(Ok(DollarGreeks {
        mark,
        delta,
        gamma,
        vega: of.vega,
    }))
}

#[cfg(test)]
mod tests;
