//! What one contract is worth under each row of either model, long: the prices of the rule, program and oracle alike.
//!
//! All of these are `f64`, in this order of operations. With `I` the index, `F` the forward of the expiry and `A` what of it is
//! settled, `T` in years, `r = max(rate of the expiry, 0)`, `k` the contract size and a row of factor `s = 1 + move`:
//!
//! | figure | is |
//! |---|---|
//! | forward of a row | `F' = (F - A) s + A` |
//! | total volatility | `w = min(σ' √T, 24)` |
//! | undiscounted value | `B`: Black-76 ([`pricing::undiscounted`]) at `F'`, `K`, `ln(F' / K)`, `w` |
//! | linear option | `v = (D B) k` with `D = exp(-r T)`, or 1 where prices are not discounted |
//! | inverse option, in USD at the row's index | `v = (B ((I s) / F')) k` |
//! | linear future or perpetual at price `P` | `v = (P s) k`; coins `k` |
//! | inverse future or perpetual, in USD | `v = -(k (I / P))`; coins `k / P` |
//!
//! Where `F'` is 0 a put is worth `K`, a call nothing, and `(I s) / F'` is `I / F`.
//!
//! The mark `m` is `v` at `s = 1`, `σ' = σ`. The basis gains of an option are `g = φ (v - m)` at the two moves of the basis and
//! the volatility as it is, with `φ = add + per_year T`.
//!
//! # Volatility
//! `up`, `none` and `down` are those of [`crate::scenario`]. In a skew row, with `k = ln(K / F)` and `x = k` (`linear`) or `|k|`
//! (`abs`):
//! ```text
//! cap = slope √T + base          wide = (√T width) (volatility + √T volatility_slope)          κ = max( least_width, wide )
//! y   = (x cap) / κ
//! σ'  = σ max( 0, 1 + ( min( cap, y ) if x >= 0, else max( -cap, y ) ) )
//! ```
//! Where `κ` is 0, `y` is `cap` of `x >= 0`, else `-cap`.
//!
//! # Static discounts
//! ```text
//! positive = base exp( -(T (r rate_factor + rate_add)) )
//! negative = min( 1 / exp(-r T), base / exp( -(T (r rate_factor + rate_add)) ) )       1 where the model has none
//! p = positive v          n = negative v
//! ```

use std::collections::BTreeMap;

use rust_decimal::Decimal;
use zkmargin_program::LegId;

use crate::amount::to_f64;
use crate::instant::Instant;
use crate::market::UnderlyingMarket;
use crate::model::derive::parameters::{Basis, Row, Shock, Skew, SkewCap, StaticDiscount};
use crate::pricing::{self, CallPut, PricingError};
use crate::scenario::{VolatilityMove, VolatilityScale, VolatilityShock, days, years};
use crate::universe::{Instrument, Style};
use crate::valuation::{self, Quote};

/// Largest total volatility.
const MAX_TOTAL: f64 = 24.0;

/// Of what a model's prices are made.
#[derive(Copy, Clone)]
pub(crate) struct Prices<'m> {
    pub(crate) rows: &'m [Row],
    pub(crate) volatility: &'m VolatilityShock,
    /// None where there are no skew rows.
    pub(crate) skew: Option<&'m Skew>,
    pub(crate) basis: &'m Basis,
    /// Whether options are discounted at the rate of their expiry.
    pub(crate) discounted: bool,
    pub(crate) positive: &'m StaticDiscount,
    /// None is 1.
    pub(crate) negative: Option<&'m StaticDiscount>,
}

/// Values of one option, long.
#[derive(Clone, Debug)]
pub(crate) struct OptionValues {
    /// `m`.
    pub(crate) mark: f64,
    /// `p` and `n` of each row.
    pub(crate) rows: Vec<(f64, f64)>,
    /// `g` of the rise and of the fall.
    pub(crate) basis: [f64; 2],
}

/// Values of one future or perpetual, long.
#[derive(Clone, Debug)]
pub(crate) struct ForwardValues {
    /// `m`.
    pub(crate) mark: f64,
    /// `v` of each row.
    pub(crate) rows: Vec<f64>,
    /// Coins of the underlying that it is on.
    pub(crate) coins: f64,
}

/// What the options of one expiry share.
#[derive(Copy, Clone, Debug)]
pub(crate) struct Tenor {
    /// The static discount of a value that is not negative.
    pub(crate) positive: f64,
    /// That of a negative one.
    pub(crate) negative: f64,
    forward: f64,
    moving: f64,
    settled: f64,
    years: f64,
    root: f64,
    discount: f64,
    scale: VolatilityScale,
    basis: f64,
}

/// Every instrument on one underlying, by the leg of its long side.
pub(crate) struct Table {
    pub(crate) tenors: BTreeMap<Instant, Tenor>,
    pub(crate) options: BTreeMap<LegId, OptionValues>,
    pub(crate) forwards: BTreeMap<LegId, ForwardValues>,
}

/// Undiscounted values of a strike, with the factor `I s / F'` of inverse options: mark, rows, basis.
struct StrikeValues {
    mark: (CallPut, f64),
    rows: Vec<(CallPut, f64)>,
    basis: [(CallPut, f64); 2],
}

impl Table {
    /// Values `instruments`, which the snapshot prices.
    pub(crate) fn new<'a>(
        market: &UnderlyingMarket,
        now: Instant,
        prices: &Prices<'_>,
        instruments: impl IntoIterator<Item = &'a Instrument>,
    ) -> Result<Table, PricingError> {
        let index = to_f64(market.index);
        let mut table = Table {
            tenors: BTreeMap::new(),
            options: BTreeMap::new(),
            forwards: BTreeMap::new(),
        };
        let mut strikes: BTreeMap<(Instant, Decimal), StrikeValues> = BTreeMap::new();
        for instrument in instruments {
            let contract = to_f64(instrument.contract);
            match valuation::quote(market, &instrument.kind, now) {
                Ok(Quote::Option {
                    strike,
                    volatility,
                    expiry,
                    right,
                    ..
                }) => {
                    let tenor = *table
                        .tenors
                        .entry(expiry)
                        .or_insert_with(|| Tenor::new(market, now, expiry, prices));
                    let known = match strikes.entry((expiry, strike)) {
                        std::collections::btree_map::Entry::Occupied(known) => known.into_mut(),
                        std::collections::btree_map::Entry::Vacant(place) => {
                            place.insert(tenor.strike(index, to_f64(strike), to_f64(volatility), prices)?)
                        }
                    };
                    let value = |(undiscounted, of_forward): &(CallPut, f64)| match instrument.style {
                        Style::Linear => tenor.discount * undiscounted.of(right) * contract,
                        Style::Inverse => undiscounted.of(right) * of_forward * contract,
                    };
                    let mark = value(&known.mark);
                    let discounted = |at: &(CallPut, f64)| {
                        let shocked = value(at);
                        (tenor.positive * shocked, tenor.negative * shocked)
                    };
                    let values = OptionValues {
                        mark,
                        rows: known.rows.iter().map(discounted).collect(),
                        basis: [0, 1].map(|at: usize| {
                            let shocked = known.basis.get(at).map_or(mark, value);
                            tenor.basis * (shocked - mark)
                        }),
                    };
                    table.options.insert(instrument.long, values);
                }
                Ok(Quote::Forward { price }) => {
                    let price = to_f64(price);
                    let value = |factor: f64| match instrument.style {
                        Style::Linear => price * factor * contract,
                        Style::Inverse => -(contract * (index / price)),
                    };
                    let values = ForwardValues {
                        mark: value(1.0),
                        rows: prices.rows.iter().map(|row| value(factor(row.price_move))).collect(),
                        coins: match instrument.style {
                            Style::Linear => contract,
                            Style::Inverse => contract / price,
                        },
                    };
                    table.forwards.insert(instrument.long, values);
                }
                // What the snapshot does not price does not count.
                Err(_) => {}
            }
        }
        Ok(table)
    }
}

/// `1 + move`, the decimal sum as its nearest float.
fn factor(price_move: Decimal) -> f64 {
    to_f64(Decimal::ONE.checked_add(price_move).unwrap_or_default())
}

/// The exponential of a decay: `exp(-(T (r factor + add)))`.
fn decay(discount: &StaticDiscount, rate: f64, years: f64) -> f64 {
    libm::exp(-(years * (rate * to_f64(discount.rate_factor) + to_f64(discount.rate_add))))
}

impl Tenor {
    fn new(market: &UnderlyingMarket, now: Instant, expiry: Instant, prices: &Prices<'_>) -> Tenor {
        let years = years(now, expiry);
        let rate = to_f64(market.rate_of(expiry).max(Decimal::ZERO));
        let (forward, settled) = market
            .expiries
            .get(&expiry)
            .map_or((Decimal::ONE, Decimal::ZERO), |options| {
                (options.forward, options.settled)
            });
        let discount = libm::exp(-(rate * years));
        let negative = prices.negative.map_or(1.0, |negative| {
            let (shocked, most) = (to_f64(negative.base) / decay(negative, rate, years), 1.0 / discount);
            if shocked < most { shocked } else { most }
        });
        Tenor {
            positive: to_f64(prices.positive.base) * decay(prices.positive, rate, years),
            negative,
            forward: to_f64(forward),
            moving: to_f64(forward.checked_sub(settled).unwrap_or_default()),
            settled: to_f64(settled),
            years,
            root: libm::sqrt(years),
            discount: if prices.discounted { discount } else { 1.0 },
            scale: prices.volatility.at(days(now, expiry)),
            basis: to_f64(prices.basis.add) + to_f64(prices.basis.per_year) * years,
        }
    }

    fn strike(
        &self,
        index: f64,
        strike: f64,
        volatility: f64,
        prices: &Prices<'_>,
    ) -> Result<StrikeValues, PricingError> {
        // Refuses what no option is priced from.
        pricing::Black76::new(self.forward, strike, volatility, self.years, 0.0)?;
        let at = |factor: f64, volatility: f64| {
            let forward = self.moving * factor + self.settled;
            let total = volatility * self.root;
            let total = if total < MAX_TOTAL { total } else { MAX_TOTAL };
            let log = pricing::log_moneyness(forward, strike);
            let of_forward = if forward > 0.0 {
                index * factor / forward
            } else {
                index / self.forward
            };
            (pricing::undiscounted(forward, strike, log, total), of_forward)
        };
        let row = |row: &Row| {
            let shocked = match row.volatility {
                Shock::Up => self.scale.shocked(volatility, VolatilityMove::Up),
                Shock::None => volatility,
                Shock::Down => self.scale.shocked(volatility, VolatilityMove::Down),
                Shock::Linear | Shock::Abs => prices.skew.map_or(volatility, |skew| {
                    volatility * self.skewed(skew, row.volatility, strike)
                }),
            };
            at(factor(row.price_move), shocked)
        };
        Ok(StrikeValues {
            mark: at(1.0, volatility),
            rows: prices.rows.iter().map(row).collect(),
            basis: [prices.basis.up, prices.basis.down].map(|price_move| at(factor(price_move), volatility)),
        })
    }

    /// What a skew row multiplies the volatility of a strike by.
    fn skewed(&self, skew: &Skew, shock: Shock, strike: f64) -> f64 {
        let log = libm::log(strike / self.forward);
        let (SkewCap { base, slope }, x) = match shock {
            Shock::Abs => (skew.abs, if log < 0.0 { -log } else { log }),
            _ => (skew.linear, log),
        };
        let cap = to_f64(slope) * self.root + to_f64(base);
        let wide =
            self.root * to_f64(skew.width) * (to_f64(skew.volatility) + self.root * to_f64(skew.volatility_slope));
        let least = to_f64(skew.least_width);
        let width = if wide > least { wide } else { least };
        let y = match width > 0.0 {
            true => x * cap / width,
            false if x < 0.0 => -cap,
            false => cap,
        };
        let by = if x >= 0.0 {
            if y < cap { y } else { cap }
        } else if y > -cap {
            y
        } else {
            -cap
        };
        let multiplier = 1.0 + by;
        if multiplier > 0.0 { multiplier } else { 0.0 }
    }
}
