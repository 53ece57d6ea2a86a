//! Bounds from above of matched amounts and progressive charges.

use rust_decimal::Decimal;
use zkmargin_program::{Builder, Linear, NonNegative, NumberError, Ratio, Real, Upper};

use crate::model::compile::CompileError;
use crate::model::factor::{Factor, ratio};
use crate::model::stress::parameters::Tier;

/// At least `min( Σ max(x, 0), Σ max(-x, 0) )`; `None` where it is 0 whatever is held.
///
/// `P >= Σ max(x, 0)`, one row per amount; `P - Σ x` is then at least the other sum, and a bit chooses between the two.
pub(crate) fn matched(builder: &mut Builder, name: &str, amounts: &[Linear]) -> Result<Option<Upper>, CompileError> {
    let amounts: Vec<&Linear> = amounts.iter().filter(|amount| **amount != Linear::zero()).collect();
    if amounts.len() < 2 {
        return Ok(None);
    }
    let (mut long, mut sum) = (builder.upper(&Linear::zero())?, Linear::zero());
    for amount in amounts {
        let upper = builder.upper(amount)?;
        long = long + builder.positive_part(name, upper)?;
        sum += amount.clone();
    }
    let short = long.clone() - builder.lower(&sum)?;
    Ok(Some(builder.any_of_upper(name, long, short)?))
}

/// A progressive charge in the program: pieces `n_k h' - d_k` of `h' = h / D` with whole `n_k = rate_k D`.
pub(crate) struct Progressive {
    pieces: Vec<(u32, Decimal)>,
    divisor: u32,
}

impl Progressive {
    /// The largest of several progressive charges of one amount.
    pub(crate) fn new<'t>(charges: impl IntoIterator<Item = &'t [Tier]> + Clone) -> Result<Progressive, NumberError> {
        let tiers = charges.clone().into_iter().flatten();
        let places = tiers.map(|tier| tier.rate.normalize().scale()).max().unwrap_or(0);
        let divisor = 10_u32.checked_pow(places).ok_or(NumberError::Overflow)?;
        let mut pieces: Vec<(u32, Decimal)> = Vec::new();
        for charge in charges {
            let (mut offset, mut before) = (Decimal::ZERO, Decimal::ZERO);
            for tier in charge {
                let step = tier
                    .above
                    .checked_mul(tier.rate - before)
                    .ok_or(NumberError::Overflow)?;
                offset = offset.checked_add(step).ok_or(NumberError::Overflow)?;
                before = tier.rate;
                let whole = tier
                    .rate
                    .checked_mul(Decimal::from(divisor))
                    .ok_or(NumberError::Overflow)?;
                let whole = u32::try_from(whole).map_err(|_| NumberError::Overflow)?;
                // Of one slope, the piece with the smallest offset is the largest.
                match pieces.iter_mut().find(|(slope, _)| *slope == whole) {
                    Some((_, known)) => *known = offset.min(*known),
                    None => pieces.push((whole, offset)),
                }
            }
        }
        pieces.sort_by_key(|(slope, _)| *slope);
        Ok(Progressive { pieces, divisor })
    }

    /// What the amount is multiplied by before it is charged: `1 / D`.
    pub(crate) fn scale(&self) -> Result<Ratio, NumberError> {
        Ratio::new(1, u128::from(self.divisor))
    }

    /// At least the charge of the amount that `scaled` is `factor / D` times at least; `units_per_usd` turns an offset into units.
    pub(crate) fn charge(
        &self,
        builder: &mut Builder,
        name: &str,
        scaled: Upper,
        units_per_usd: Factor,
        factor: Ratio,
    ) -> Result<Upper, CompileError> {
        let mut items = Vec::with_capacity(self.pieces.len());
        for (slope, offset) in &self.pieces {
            let amount = builder.scale(scaled.clone(), NonNegative::from(*slope))?;
            let offset: Real = units_per_usd.times(ratio(*offset)?)?.times(factor)?.real()?;
            let offset = builder.lower(&Linear::constant(offset))?;
            items.push(amount - offset);
        }
        Ok(match (items.len(), self.pieces.first()) {
            // A single rate: no variable.
            (1, Some((_, offset))) if offset.is_zero() => items.swap_remove(0),
            _ => builder.max_non_negative(name, items)?,
        })
    }
}
