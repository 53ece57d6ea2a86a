//! From rows of options to one forward per expiry and one volatility per strike.

use std::collections::BTreeMap;

use rust_decimal::Decimal;

use super::{ImportError, field};
use crate::instant::Instant;
use crate::market::{Expiry, MAX_PRICE, Quote, Strike};
use crate::universe::Right;

/// Largest spread of an expiry's forwards: 5 basis points, in basis points.
const MAX_SPREAD_BP: Decimal = Decimal::from_parts(5, 0, 0, false, 0);
const BP_PER_UNIT: Decimal = Decimal::from_parts(10_000, 0, 0, false, 0);
/// Largest difference between the volatilities of call and put: half a point, as a fraction.
const MAX_GAP: Decimal = Decimal::from_parts(5, 0, 0, false, 3);

/// One option of a recording.
#[derive(Clone, Debug)]
pub(super) struct Row {
    /// Where it stands, for errors.
    pub place: String,
    /// Its name.
    pub name: String,
    /// What it is on.
    pub underlying: String,
    /// When it expires.
    pub expiry: Instant,
    /// Its strike.
    pub strike: Decimal,
    /// Call or put.
    pub right: Right,
    /// The forward that was recorded with it.
    pub forward: Decimal,
    /// Its implied volatility as a fraction.
    pub volatility: Decimal,
    /// What else was recorded.
    pub quote: Quote,
}

type Sides = (Option<Row>, Option<Row>);

/// The chains, by underlying and expiry.
pub(super) fn chains(rows: Vec<Row>) -> Result<BTreeMap<String, BTreeMap<Instant, Expiry>>, ImportError> {
    let mut grouped: BTreeMap<(String, Instant), BTreeMap<Decimal, Sides>> = BTreeMap::new();
    for row in rows {
        // What is compared below is multiplied, and a recording has any number.
        if row.forward <= Decimal::ZERO || row.forward > MAX_PRICE {
            let expected = format!("above 0, at most {MAX_PRICE}");
            return Err(field(&row.place, "forward", row.forward, expected));
        }
        let strikes = grouped.entry((row.underlying.clone(), row.expiry)).or_default();
        let sides = strikes.entry(row.strike).or_default();
        let side = match row.right {
            Right::Call => &mut sides.0,
            Right::Put => &mut sides.1,
        };
        if side.is_some() {
            return Err(ImportError::Duplicate {
                place: row.place,
                instrument: row.name,
            });
        }
        *side = Some(row);
    }
    let mut chains: BTreeMap<String, BTreeMap<Instant, Expiry>> = BTreeMap::new();
    for ((underlying, expiry), strikes) in grouped {
        let forwards = strikes
            .values()
            .flat_map(|(call, put)| [call, put])
            .flatten()
            .map(|row| row.forward);
        let forward = forward(&underlying, expiry, forwards)?;
        let mut priced = BTreeMap::new();
        for (strike, (call, put)) in strikes {
            let Some(volatility) = volatility(&underlying, expiry, strike, forward, (&call, &put))? else {
                continue;
            };
            let quote = |row: Option<Row>| row.map(|row| row.quote);
            priced.insert(
                strike,
                Strike {
                    volatility,
                    call: quote(call),
                    put: quote(put),
                },
            );
        }
        let options = Expiry::new(forward, priced);
        chains.entry(underlying).or_default().insert(expiry, options);
    }
    Ok(chains)
}

/// The commonest forward, the lower of two that are as common.
fn forward(underlying: &str, expiry: Instant, forwards: impl Iterator<Item = Decimal>) -> Result<Decimal, ImportError> {
    let mut counts: BTreeMap<Decimal, usize> = BTreeMap::new();
    for forward in forwards {
        *counts.entry(forward).or_default() += 1;
    }
    let missing = || ImportError::Missing {
        place: format!("{underlying}, expiry {expiry}"),
        what: "no forward".to_owned(),
    };
    let (lowest, highest) = counts
        .keys()
        .next()
        .zip(counts.keys().next_back())
        .ok_or_else(missing)?;
    if (highest - lowest) * BP_PER_UNIT > lowest * MAX_SPREAD_BP {
        let (underlying, lowest, highest) = (underlying.to_owned(), *lowest, *highest);
        return Err(ImportError::ForwardSpread {
            underlying,
            expiry,
            lowest,
            highest,
            most: MAX_SPREAD_BP,
        });
    }
    // Ascending keys and a strict comparison: the lower one stays.
    let commonest = counts.iter().fold((Decimal::ZERO, 0), |best, (forward, count)| {
        if *count > best.1 { (*forward, *count) } else { best }
    });
    Ok(commonest.0)
}

/// The volatility of the out-of-the-money side, or of the only one.
fn volatility(
    underlying: &str,
    expiry: Instant,
    strike: Decimal,
    forward: Decimal,
    (call, put): (&Option<Row>, &Option<Row>),
) -> Result<Option<Decimal>, ImportError> {
    let (call, put) = match (call, put) {
        (Some(call), Some(put)) => (call.volatility, put.volatility),
        (Some(only), None) | (None, Some(only)) => return Ok(Some(only.volatility)),
        (None, None) => return Ok(None),
    };
    if (call - put).abs() > MAX_GAP {
        return Err(ImportError::VolatilityGap {
            underlying: underlying.to_owned(),
            expiry,
            strike,
            call,
            put,
            most: MAX_GAP,
        });
    }
    Ok(Some(if strike >= forward { call } else { put }))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
    use super::*;

    fn row(strike: &str, right: Right, forward: &str, volatility: &str) -> Row {
        Row {
            place: "line 2".to_owned(),
            name: format!("BTC-28AUG26-{strike}-{right:?}"),
            underlying: "BTC".to_owned(),
            expiry: "2026-08-28T08:00:00Z".parse().unwrap(),
            strike: strike.parse().unwrap(),
            right,
            forward: forward.parse().unwrap(),
            volatility: volatility.parse().unwrap(),
            quote: Quote::default(),
        }
    }

    fn only(rows: Vec<Row>) -> Expiry {
        let chains = chains(rows).unwrap();
        chains.into_values().next().unwrap().into_values().next().unwrap()
    }

    #[test]
    fn the_forward_is_the_commonest_and_of_two_the_lower() {
        let forwards = |list: &[&str]| {
            let rows = list
                .iter()
                .zip(1..)
                .map(|(forward, strike)| row(&format!("{strike}000"), Right::Call, forward, "0.5"));
            only(rows.collect()).forward.to_string()
        };
        assert_eq!(forwards(&["64000", "64001", "64001"]), "64001");
        assert_eq!(forwards(&["64001", "64000", "64001", "64000"]), "64000");
    }

    #[test]
    fn a_spread_above_five_basis_points_is_refused() {
        let pair = |high: &str| {
            chains(vec![
                row("1000", Right::Call, "64000", "0.5"),
                row("2000", Right::Call, high, "0.5"),
            ])
        };
        assert!(pair("64032").is_ok());
        let refusal = pair("64032.01").unwrap_err().to_string();
        assert!(
            refusal.contains("forwards from 64000 to 64032.01, more than 5 basis points"),
            "{refusal}"
        );
    }

    #[test]
    fn a_forward_that_is_no_price_is_refused_before_it_is_reckoned_with() {
        for forward in [
            "79228162514264337593543950335",
            "20000000000000000000000000",
            "1000000000.1",
            "0",
            "-1",
        ] {
            let refused = chains(vec![row("1000", Right::Call, forward, "0.5")])
                .unwrap_err()
                .to_string();
            assert!(
                refused.contains("forward") && refused.contains("above 0, at most 1000000000"),
                "{refused}"
            );
        }
    }

    #[test]
    fn the_volatility_is_that_of_the_out_of_the_money_side() {
        for (strike, expected) in [("60000", "0.502"), ("64000", "0.5"), ("70000", "0.5")] {
            let rows = vec![
                row(strike, Right::Call, "64000", "0.5"),
                row(strike, Right::Put, "64000", "0.502"),
            ];
            assert_eq!(
                only(rows).strikes.values().next().unwrap().volatility.to_string(),
                expected,
                "{strike}"
            );
        }
        let single = only(vec![row("60000", Right::Call, "64000", "0.5")]);
        assert_eq!(single.strikes.values().next().unwrap().volatility.to_string(), "0.5");
    }

    #[test]
    fn a_gap_above_half_a_point_is_refused() {
        let pair = |put: &str| {
            chains(vec![
                row("1000", Right::Call, "64000", "0.5"),
                row("1000", Right::Put, "64000", put),
            ])
        };
        assert!(pair("0.505").is_ok());
        assert!(matches!(pair("0.50501"), Err(ImportError::VolatilityGap { .. })));
    }

    #[test]
    fn an_option_that_occurs_twice_is_refused() {
        let twice = vec![
            row("1000", Right::Call, "64000", "0.5"),
            row("1000.0", Right::Call, "64000", "0.5"),
        ];
        assert!(matches!(chains(twice), Err(ImportError::Duplicate { .. })));
    }
}
