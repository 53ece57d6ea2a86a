//! Bounds from above of progressive charges.

use num_rational::BigRational;
use num_traits::Zero as _;
use rust_decimal::Decimal;
use zkmargin_program::{Builder, Linear, NonNegative, NumberError, Ratio, Real, Upper};

use crate::amount::{from_ratio, to_ratio};
use crate::model::compile::CompileError;
use crate::model::factor::{Factor, ratio};
use crate::model::stress::parameters::Tier;

/// `d` of each tier, exactly; nothing where that is no decimal.
pub(crate) fn offsets(tiers: &[Tier]) -> impl Iterator<Item = Option<Decimal>> + '_ {
    let (mut sum, mut before) = (BigRational::zero(), BigRational::zero());
    tiers.iter().map(move |tier| {
        let rate = to_ratio(tier.rate);
        sum += to_ratio(tier.above) * (&rate - &before);
        before = rate;
        from_ratio(&sum)
    })
}

/// A progressive charge in the program: pieces `rate h - d`.
pub(crate) struct Progressive {
    pieces: Vec<(Decimal, Decimal)>,
}

impl Progressive {
    /// The largest of several progressive charges of one amount.
    pub(crate) fn new<'t>(charges: impl IntoIterator<Item = &'t [Tier]>) -> Result<Progressive, NumberError> {
        let mut pieces: Vec<(Decimal, Decimal)> = Vec::new();
        for charge in charges {
            for (tier, offset) in charge.iter().zip(offsets(charge)) {
                // A checked file has none that is no decimal.
                let offset = offset.ok_or(NumberError::Overflow)?;
                // Of one rate, the piece with the smallest offset is the largest.
                match pieces.iter_mut().find(|(rate, _)| *rate == tier.rate) {
                    Some((_, known)) => *known = offset.min(*known),
                    None => pieces.push((tier.rate, offset)),
                }
            }
        }
        pieces.sort_unstable();
        Ok(Progressive { pieces })
    }

    /// At least `factor` times the charge of what `amount` is `factor` times at least; `units_per_usd` turns an offset into units.
    pub(crate) fn charge(
        &self,
        builder: &mut Builder,
        name: &str,
        amount: Upper,
        units_per_usd: Factor,
        factor: Ratio,
    ) -> Result<Upper, CompileError> {
        let mut items = Vec::with_capacity(self.pieces.len());
        for (rate, offset) in &self.pieces {
            let rate = NonNegative::new(ratio(*rate)?)?;
            // A whole rate is multiplied; another one has a variable, so that it does not multiply what is rounded.
            let part = builder.rescale(name, amount.clone(), rate)?;
            let offset: Real = units_per_usd.times(ratio(*offset)?)?.times(factor)?.real()?;
            let offset = builder.lower(&Linear::constant(offset))?;
            items.push(part - offset);
        }
        Ok(match (items.len(), self.pieces.first()) {
            // A single rate: no further variable.
            (1, Some((_, offset))) if offset.is_zero() => items.swap_remove(0),
            _ => builder.max_non_negative(name, items)?,
        })
    }
}
