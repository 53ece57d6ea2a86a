//! Places of a surface where prices contradict each other whatever the model.

use crate::amount::to_f64;
use crate::instant::{DAY_MS, Instant};
use crate::market::{Expiry, Snapshot};
use crate::pricing::{log_moneyness, undiscounted};

/// Milliseconds in a year of 365 days.
const YEAR_MS: f64 = 365.0 * DAY_MS as f64;
/// At the money a price moves by `F √T φ(0)` for each 1.00 of volatility, and nowhere by more: `φ(0)` rounded up.
const MOST_VEGA: f64 = 0.4;

/// A strike's moneyness `K/F`, total variance `σ²T` and undiscounted call price.
struct Point {
    strike: f64,
    moneyness: f64,
    variance: f64,
    call: f64,
}

/// A chain as numbers, by strike.
struct Curve {
    name: String,
    points: Vec<Point>,
    /// What rounding of volatilities explains in a price and, per unit of volatility, in a total variance.
    slack: f64,
    years: f64,
}

/// In words, every place with static arbitrage beyond what volatilities in steps of `volatility_step` explain.
pub(super) fn find(snapshot: &Snapshot, volatility_step: f64) -> Vec<String> {
    let mut found = Vec::new();
    for (underlying, market) in &snapshot.underlyings {
        let curves: Vec<Curve> = market
            .expiries
            .iter()
            .map(|(at, expiry)| curve(underlying, snapshot.instant, *at, expiry, volatility_step))
            .collect();
        for curve in &curves {
            within(curve, &mut found);
        }
        for pair in curves.windows(2) {
            if let [near, far] = pair {
                between(near, far, volatility_step, &mut found);
            }
        }
    }
    found
}

fn curve(underlying: &str, instant: Instant, at: Instant, expiry: &Expiry, volatility_step: f64) -> Curve {
    let years = at.millis_since(instant) as f64 / YEAR_MS;
    let (forward, root_years) = (to_f64(expiry.forward), libm::sqrt(years));
    let points = expiry.strikes.iter().map(|(strike, options)| {
        let (strike, volatility) = (to_f64(*strike), to_f64(options.volatility));
        let call = undiscounted(forward, strike, log_moneyness(forward, strike), volatility * root_years).call;
        Point {
            strike,
            moneyness: strike / forward,
            variance: volatility * volatility * years,
            call,
        }
    });
    let slack = forward * (MOST_VEGA * root_years * volatility_step + 1e-12);
    Curve {
        name: format!("{underlying}, expiry {at}"),
        points: points.collect(),
        slack,
        years,
    }
}

fn within(curve: &Curve, found: &mut Vec<String>) {
    for pair in curve.points.windows(2) {
        let [low, high] = pair else { continue };
        let fall = low.call - high.call;
        if fall < -curve.slack || fall > high.strike - low.strike + curve.slack {
            found.push(format!(
                "{}: vertical, strikes {} and {}",
                curve.name, low.strike, high.strike
            ));
        }
    }
    for triple in curve.points.windows(3) {
        let [low, middle, high] = triple else { continue };
        let weight = (high.strike - middle.strike) / (high.strike - low.strike);
        if middle.call > weight * low.call + (1.0 - weight) * high.call + 2.0 * curve.slack {
            found.push(format!(
                "{}: butterfly, strikes {}, {} and {}",
                curve.name, low.strike, middle.strike, high.strike
            ));
        }
    }
}

/// Total variance at each strike of the nearer expiry against the farther one's, interpolated at the same moneyness.
fn between(near: &Curve, far: &Curve, volatility_step: f64, found: &mut Vec<String>) {
    for point in &near.points {
        let Some(variance) = interpolate(&far.points, point.moneyness) else {
            continue;
        };
        let slack = volatility_step * (libm::sqrt(point.variance * near.years) + libm::sqrt(variance * far.years));
        if variance < point.variance - slack {
            found.push(format!(
                "{}: calendar, strike {} against {}",
                near.name, point.strike, far.name
            ));
        }
    }
}

fn interpolate(points: &[Point], moneyness: f64) -> Option<f64> {
    let above = points.partition_point(|point| point.moneyness < moneyness);
    let high = points.get(above)?;
    let low = points.get(above.checked_sub(1)?)?;
    let weight = (high.moneyness - moneyness) / (high.moneyness - low.moneyness);
    Some(weight * low.variance + (1.0 - weight) * high.variance)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
    use super::*;
    use crate::market::{Provenance, Quote, Strike, UnderlyingMarket};
    use std::collections::BTreeMap;

    fn surface(expiries: &[(&str, &[(&str, &str)])]) -> Vec<String> {
        let chain = |strikes: &[(&str, &str)]| {
            let strikes = strikes
                .iter()
                .map(|(strike, volatility)| {
                    let (call, put) = (Some(Quote::default()), Some(Quote::default()));
                    (
                        strike.parse().unwrap(),
                        Strike {
                            volatility: volatility.parse().unwrap(),
                            call,
                            put,
                        },
                    )
                })
                .collect();
            Expiry::new("100".parse().unwrap(), strikes)
        };
        let market = UnderlyingMarket {
            index: "100".parse().unwrap(),
            confidence: None,
            rate: "0".parse().unwrap(),
            perpetual: None,
            futures: BTreeMap::new(),
            expiries: expiries
                .iter()
                .map(|(at, strikes)| (at.parse().unwrap(), chain(strikes)))
                .collect(),
            deliveries: BTreeMap::new(),
        };
        let snapshot = Snapshot {
            instant: "2026-01-01T00:00:00Z".parse().unwrap(),
            provenance: Provenance::default(),
            assets: BTreeMap::new(),
            confidences: BTreeMap::new(),
            underlyings: BTreeMap::from([("X".to_owned(), market)]),
        };
        snapshot.check().unwrap();
        find(&snapshot, 0.0001)
    }

    #[test]
    fn a_flat_surface_has_none() {
        let strikes: &[_] = &[
            ("50", "0.5"),
            ("90", "0.5"),
            ("100", "0.5"),
            ("110", "0.5"),
            ("200", "0.5"),
        ];
        assert_eq!(
            surface(&[("2026-02-01T08:00:00Z", strikes), ("2026-03-01T08:00:00Z", strikes)]),
            Vec::<String>::new()
        );
    }

    #[test]
    fn each_kind_is_found() {
        let vertical = surface(&[("2026-02-01T08:00:00Z", &[("100", "0.2"), ("101", "0.6")])]);
        assert_eq!(
            vertical,
            ["X, expiry 2026-02-01T08:00:00Z: vertical, strikes 100 and 101"]
        );
        let butterfly = surface(&[(
            "2026-02-01T08:00:00Z",
            &[("95", "0.5"), ("100", "0.54"), ("105", "0.5")],
        )]);
        assert_eq!(
            butterfly,
            ["X, expiry 2026-02-01T08:00:00Z: butterfly, strikes 95, 100 and 105"]
        );
        let smile: &[_] = &[("90", "0.5"), ("100", "0.5"), ("110", "0.5")];
        let lower: &[_] = &[("90", "0.3"), ("100", "0.3"), ("110", "0.3")];
        let calendar = surface(&[("2026-02-01T08:00:00Z", smile), ("2026-02-11T08:00:00Z", lower)]);
        assert_eq!(calendar.len(), 2, "{calendar:?}");
        assert!(
            calendar[0].contains("calendar, strike 100 against X, expiry 2026-02-11"),
            "{calendar:?}"
        );
    }
}
