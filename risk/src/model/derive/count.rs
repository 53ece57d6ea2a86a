//! Options counted in lots instead of money: narrow numbers, one per strike.

use rust_decimal::Decimal;
use zkmargin_program::{NonNegative, Ratio};

use crate::amount::to_f64;
use crate::model::compile::Numeraire;
use crate::model::factor::{Factor, ratio};
use crate::universe::Instrument;

/// What short options of one strike and expiry may come to, in USD of notional, where they are counted in lots.
const MOST_NAKED: f64 = 5e10;
/// A lot is at most this many of the unit that lots of an underlying are counted in.
const MOST_MULTIPLE: u128 = 1 << 16;
/// Width of the charge on such a unit, and of a number of them.
const MOST_CHARGE_BITS: u32 = 60;
const MOST_COUNT_BITS: u32 = 64;

/// A unit of coins in which options are counted.
pub(super) struct Count {
    /// Units in a coin.
    pub(super) per_coin: Ratio,
    /// Units of the numéraire that a unit is charged.
    pub(super) units: NonNegative,
    /// How wide a number of them is.
    pub(super) bits: u32,
}

impl Count {
    /// The greatest size of which every lot of these is a small multiple; `None` if there is none, or no number holds the charge on
    /// it. Then what is short is counted in money.
    pub(super) fn of<'a>(
        instruments: impl Iterator<Item = &'a Instrument>,
        part: &Factor,
        index: Decimal,
        numeraire: &Numeraire,
    ) -> Option<Count> {
        let size = |instrument: &Instrument| {
            let lot = ratio(instrument.lot).ok()?;
            ratio(instrument.contract).ok()?.checked_mul(lot).ok()
        };
        let sizes: Vec<Ratio> = instruments.map(size).collect::<Option<_>>()?;
        let mut denominator = 1_u128;
        for size in &sizes {
            let shared = num_integer::gcd(denominator, size.denominator());
            denominator = (denominator / shared).checked_mul(size.denominator())?;
        }
        let mut multiples = Vec::with_capacity(sizes.len());
        for size in &sizes {
            let numerator = u128::try_from(size.numerator()).ok()?;
            multiples.push(numerator.checked_mul(denominator / size.denominator())?);
        }
        let shared = multiples.iter().copied().fold(0, num_integer::gcd);
        if shared == 0 || multiples.iter().any(|multiple| multiple / shared > MOST_MULTIPLE) {
            return None;
        }
        let whole = |number: u128| i128::try_from(number).ok();
        let unit = Ratio::new(whole(shared)?, denominator).ok()?;
        let per_coin = Ratio::new(whole(unit.denominator())?, unit.numerator().unsigned_abs()).ok()?;
        let notional = numeraire.units().ok()?.checked_mul(ratio(index).ok()?).ok()?;
        let units = notional.checked_mul(part.ratio().ok()?).ok()?.checked_mul(unit).ok()?;
        // The denominator is the width of a variable, and what the program multiplies a value with.
        if units.numerator() > 1 << MOST_CHARGE_BITS || units.denominator() > 1 << MOST_CHARGE_BITS {
            return None;
        }
        let mut worth = to_f64(index) * (unit.numerator() as f64 / unit.denominator() as f64);
        let mut bits = 0;
        while worth < MOST_NAKED && bits < MOST_COUNT_BITS {
            worth *= 2.0;
            bits += 1;
        }
        let units = NonNegative::new(units).ok()?;
        Some(Count { per_coin, units, bits })
    }
}
