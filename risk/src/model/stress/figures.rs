//! Figures of a contract under stress: the one definition that program and oracle share. See [`super::parameters`].

use crate::amount::to_f64;
use crate::instant::DAY_MS;
use crate::market::Snapshot;
use crate::model::stress::parameters::ShiftNode;
use crate::pricing::{PricingError, log_moneyness, undiscounted};
use crate::scenario::{Shock, VolatilityMove, YEAR_DAYS, days, years};
use crate::universe::{Instrument, Kind, Style};
use crate::valuation::{self, Quote, quote};

/// What a contract is priced under.
pub(crate) struct Stresses<'a> {
    /// Moves, with the direction of volatility.
    pub(crate) rows: &'a [Shock],
    /// How far volatility shifts.
    pub(crate) shift: &'a [ShiftNode],
    /// The time after which the decayed value is taken.
    pub(crate) decay_ms: u64,
}

impl Stresses<'_> {
    /// Marks and greeks alone.
    pub(crate) const NONE: Stresses<'static> = Stresses {
        rows: &[],
        shift: &[],
        decay_ms: 0,
    };
}

/// Figures of one contract, long.
#[derive(Clone, Debug)]
pub(crate) struct Figures {
    /// USD, or coins of a linear settlement asset.
    pub(crate) mark: f64,
    /// Value under each row.
    pub(crate) rows: Vec<f64>,
    /// Value after the decay.
    pub(crate) decayed: f64,
    /// Coins of the underlying.
    pub(crate) delta: f64,
    /// USD per 1.00 of volatility.
    pub(crate) vega: f64,
    /// USD per 1.00 of rate.
    pub(crate) rho: f64,
}

impl Figures {
    /// The figures of an instrument; `None` if the snapshot does not price it.
    ///
    /// # Errors
    /// [`PricingError`], for a snapshot that was not checked.
    pub(crate) fn new(
        snapshot: &Snapshot,
        instrument: &Instrument,
        stresses: &Stresses<'_>,
    ) -> Result<Option<Figures>, PricingError> {
        let Some(market) = snapshot.underlyings.get(&instrument.underlying) else {
            return Ok(None);
        };
        let Ok(quote) = quote(market, &instrument.kind, snapshot.instant) else {
            return Ok(None);
        };
        let Ok(greeks) = valuation::greeks(snapshot, instrument)? else {
            return Ok(None);
        };
        let (index, contract) = (to_f64(market.index), to_f64(instrument.contract));
        let (forward, strike, volatility, expiry, right) = match quote {
            Quote::Forward { price } => {
                let price = to_f64(price);
                let value = |factor: f64| match instrument.style {
                    Style::Inverse => -(contract * (index / price)),
                    Style::Linear => (price * factor) * contract,
                };
                return Ok(Some(Figures {
                    mark: value(1.0),
                    rows: stresses.rows.iter().map(|row| value(row.factor())).collect(),
                    decayed: value(1.0),
                    delta: greeks.delta,
                    vega: 0.0,
                    rho: 0.0,
                }));
            }
            Quote::Option {
                forward,
                strike,
                volatility,
                expiry,
                right,
            } => (to_f64(forward), to_f64(strike), to_f64(volatility), expiry, right),
        };
        let rate = to_f64(market.rate_of(expiry));
        let log = log_moneyness(forward, strike);
        let value = |factor: f64, log_factor: f64, volatility: f64, years: f64| {
            let w = volatility * libm::sqrt(years);
            let undiscounted = undiscounted(forward * factor, strike, log + log_factor, w).of(right);
            match instrument.style {
                Style::Inverse => undiscounted * (index / forward) * contract,
                Style::Linear => {
                    let discount = if rate == 0.0 { 1.0 } else { libm::exp(-rate * years) };
                    discount * undiscounted * contract
                }
            }
        };
        let tenor = years(snapshot.instant, expiry);
        let left = expiry.millis_since(snapshot.instant).saturating_sub(stresses.decay_ms);
        let left = left as f64 / (YEAR_DAYS * DAY_MS) as f64;
        let shift = at(stresses.shift, volatility, days(snapshot.instant, expiry));
        let row = |row: &Shock| {
            let moved = match row.volatility() {
                VolatilityMove::Up => volatility + shift,
                VolatilityMove::None => volatility,
                VolatilityMove::Down => at_least_zero(volatility - shift),
            };
            value(row.factor(), row.log_factor(), moved, tenor)
        };
        Ok(Some(Figures {
            mark: value(1.0, 0.0, volatility, tenor),
            rows: stresses.rows.iter().map(row).collect(),
            decayed: value(1.0, 0.0, volatility, left),
            delta: greeks.delta,
            vega: greeks.vega,
            rho: greeks.rho,
        }))
    }
}

/// `max(points(d), σ part(d))`.
fn at(nodes: &[ShiftNode], volatility: f64, days: f64) -> f64 {
    let points = interpolated(nodes, days, |node| to_f64(node.points));
    let part = volatility * interpolated(nodes, days, |node| to_f64(node.part));
    if part > points { part } else { points }
}

fn interpolated(nodes: &[ShiftNode], days: f64, figure: impl Fn(&ShiftNode) -> f64) -> f64 {
    let mut before: Option<&ShiftNode> = None;
    for node in nodes {
        let at = to_f64(node.days);
        if days <= at {
            let Some(before) = before else { return figure(node) };
            let (from, a, b) = (to_f64(before.days), figure(before), figure(node));
            return a + (b - a) * ((days - from) / (at - from));
        }
        before = Some(node);
    }
    before.map_or(0.0, figure)
}

fn at_least_zero(x: f64) -> f64 {
    if x > 0.0 { x } else { 0.0 }
}

/// Whether an instrument is an option.
pub(crate) const fn is_option(instrument: &Instrument) -> bool {
    matches!(instrument.kind, Kind::Option { .. })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use rust_decimal::Decimal;

    use super::*;
    use crate::model::fixture::{self, NEAR};

    /// A 60,000 call at a forward of 64,200 and a volatility of 0.48, 524 hours to go: 5,475.794 USD before it is discounted.
    #[test]
    fn a_linear_option_is_discounted_at_the_rate_of_its_expiry_as_its_mark_is() {
        let (universe, mut snapshot) = (fixture::universe(), fixture::snapshot());
        let call = fixture::instrument(&universe, "BTC-LINEAR-60000-C");
        let figures = |snapshot: &Snapshot, decay_ms: u64| {
            let stresses = Stresses {
                decay_ms,
                ..Stresses::NONE
            };
            Figures::new(snapshot, call, &stresses).unwrap().unwrap()
        };
        // exp(-0.02 T) of it at the rate of the underlying, exp(-0.5 T) at one of the expiry's own.
        for (own, mark) in [(None, 5_469.247), (Some(Decimal::new(5, 1)), 5_314.445)] {
            let market = snapshot.underlyings.get_mut("BTC").unwrap();
            market.expiries.get_mut(&NEAR.parse().unwrap()).unwrap().rate = own;
            let now = figures(&snapshot, 0);
            assert!((now.mark - mark).abs() < 1e-3, "{} instead of {mark}", now.mark);
            let valued = valuation::mark(&snapshot, call).unwrap().unwrap();
            assert_eq!(now.mark.to_bits(), valued.to_bits());
            assert_eq!(now.decayed.to_bits(), now.mark.to_bits());
            // With no time left it is what exercise pays, and nothing is discounted.
            assert_eq!(figures(&snapshot, u64::MAX).decayed, 4_200.0);
        }
    }

    #[test]
    fn a_shift_is_the_larger_of_points_and_part_interpolated_in_tenor() {
        let node = |days: i64, points: i64, part: i64| ShiftNode {
            days: Decimal::from(days),
            points: Decimal::new(points, 2),
            part: Decimal::new(part, 2),
        };
        let nodes = [node(0, 30, 50), node(30, 25, 35), node(60, 20, 25)];
        assert_eq!(at(&nodes, 0.4, 0.0), 0.3);
        assert!((at(&nodes, 0.4, 15.0) - 0.275).abs() < 1e-15);
        // 42.5 % of a volatility of 1 is more than 27.5 points.
        assert!((at(&nodes, 1.0, 15.0) - 0.425).abs() < 1e-15);
        assert_eq!(at(&nodes, 0.4, 400.0), 0.2);
    }
}
