//! Implied volatility from a price.

use rust_decimal::Decimal;

use crate::amount;
use crate::market::MAX_VOLATILITY;
use crate::pricing::{log_moneyness, undiscounted};
use crate::universe::Right;

/// Least volatility that is looked for.
const LEAST: f64 = 1e-4;
/// Halvings of the interval: from 10 to below the distance of two neighbouring floats.
const STEPS: u32 = 64;

/// The volatility, to six decimals, at which an option's undiscounted Black-76 value is `value` (in the units of the
/// forward).
///
/// By bisection, since the value rises with the volatility. `None` if no volatility from 0.0001 to 10 gives the value,
/// or none can be told from it: the value is at or below what exercise pays, or at or above what the option can be
/// worth.
pub(super) fn volatility(forward: f64, strike: f64, years: f64, right: Right, value: f64) -> Option<Decimal> {
    let (log, root_years) = (log_moneyness(forward, strike), libm::sqrt(years));
    let at = |volatility: f64| undiscounted(forward, strike, log, volatility * root_years).of(right);
    let (mut low, mut high) = (LEAST, amount::to_f64(MAX_VOLATILITY));
    // Also false for a NaN.
    let inside = at(low) < value && value < at(high);
    if !inside {
        return None;
    }
    for _ in 0..STEPS {
        let middle = 0.5 * (low + high);
        if at(middle) < value {
            low = middle;
        } else {
            high = middle;
        }
    }
    amount::parse(&format!("{:.6}", 0.5 * (low + high))).ok()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn gives_back_the_volatility_of_a_price(moneyness in 0.7..1.4_f64, volatility in 0.15..3.0_f64, years in 0.05..2.0_f64) {
            let (forward, strike) = (64_000.0, 64_000.0 * moneyness);
            let right = if strike > forward { Right::Call } else { Right::Put };
            let value = undiscounted(forward, strike, log_moneyness(forward, strike), volatility * libm::sqrt(years)).of(right);
            prop_assume!(value > 1e-6 * forward);
            let solved = super::volatility(forward, strike, years, right, value).unwrap();
            prop_assert!((amount::to_f64(solved) - volatility).abs() < 1e-6);
        }
    }

    #[test]
    fn impossible_values_have_none() {
        for value in [0.0, -1.0, 36_000.0, 64_000.0, 1e9, f64::NAN, f64::INFINITY] {
            assert_eq!(volatility(64_000.0, 28_000.0, 0.1, Right::Call, value), None, "{value}");
        }
    }
}
