//! The table that the rule reads, for whoever works it out: factors of rows, and a lot's delta notional in whole units.

use num_bigint::BigInt;
use num_rational::BigRational;
use num_traits::ToPrimitive;

use crate::amount::{to_f64, to_ratio};
use crate::market::UnderlyingMarket;
use crate::model::span::parameters::UnderlyingParameters;
use crate::scenario::{Shock, VolatilityMove};
use crate::universe::Instrument;

/// The thirds of the scan range that rows 1 to 14 move by, two rows each.
pub(crate) const THIRDS: [i8; 7] = [0, 1, -1, 2, -2, 3, -3];

/// The shocks of the 16 rows.
pub(crate) fn shocks(rules: &UnderlyingParameters) -> Vec<Shock> {
    let range = to_f64(rules.price_scan_range);
    let mut shocks = Vec::with_capacity(16);
    for thirds in THIRDS {
        let factor = 1.0 + range * f64::from(thirds) / 3.0;
        shocks.push(Shock::new(factor, VolatilityMove::Up));
        shocks.push(Shock::new(factor, VolatilityMove::Down));
    }
    let extreme = range * to_f64(rules.extreme.multiple);
    shocks.push(Shock::new(1.0 + extreme, VolatilityMove::None));
    shocks.push(Shock::new(1.0 - extreme, VolatilityMove::None));
    shocks
}

/// `n_i`; `None` if it does not fit 64 bits. `price` is that of the numéraire, whose unit is `10^-decimals`.
pub(crate) fn delta_notional(
    delta: f64,
    instrument: &Instrument,
    market: &UnderlyingMarket,
    price: &BigRational,
    decimals: u32,
) -> Option<i64> {
    let notional = BigRational::from_float(delta)? * to_ratio(instrument.lot) * to_ratio(market.index) / price;
    let units = notional * BigRational::from_integer(BigInt::from(10).pow(decimals));
    units.to_integer().to_i64()
}
