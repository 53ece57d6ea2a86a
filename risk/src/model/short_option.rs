//! What a short option needs by itself: the isolated margin that standard margin models share.
//!
//! Per contract of size `k` short, with index `I`, mark `m` in USD and strike `K`; `U` is the index or the forward, as
//! [`Reference`] says, and `out = max(K - U, 0)` of a call, `max(U - K, 0)` of a put:
//! ```text
//! x            = max( initial · I - out · I / U , initial_least · I ) · k
//! call         initial      x + m
//!              maintenance  maintenance_call · I · k + m
//! put          initial      max( x + m , initial_put_scale · maintenance )
//!              maintenance  max( maintenance_put · I · k , maintenance_put_mark · m ) + m
//! ```

use num_bigint::BigInt;
use num_rational::BigRational;
use num_traits::{One as _, ToPrimitive as _, Zero as _};
use rust_decimal::Decimal;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use zkmargin_program::{NumberError, Ratio, Real};

use crate::amount::{self, to_ratio};
use crate::model::ModelError;
use crate::model::check::{MAX_FACTOR, at_least, at_most};
use crate::model::compile::CompileError;
use crate::model::factor::ratio;
use crate::model::sheet::Position;
use crate::terms::Level;
use crate::universe::Right;

/// The parts of the index that a short option needs beside its mark.
#[derive(Copy, Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ShortOption {
    /// `initial`: at or in the money, at the initial level; how far out of the money an option is comes off.
    #[serde(with = "amount")]
    #[schemars(with = "String")]
    pub initial: Decimal,
    /// `initial_least`: what is left of it at least; at least `maintenance_call`, at most `initial`.
    #[serde(with = "amount")]
    #[schemars(with = "String")]
    pub initial_least: Decimal,
    /// `maintenance_call`: of a call, at the maintenance level.
    #[serde(with = "amount")]
    #[schemars(with = "String")]
    pub maintenance_call: Decimal,
    /// `maintenance_put`: of a put, at the maintenance level.
    #[serde(with = "amount")]
    #[schemars(with = "String")]
    pub maintenance_put: Decimal,
    /// `maintenance_put_mark`: of a put, at least this part of its mark.
    #[serde(with = "amount")]
    #[schemars(with = "String")]
    pub maintenance_put_mark: Decimal,
    /// `initial_put_scale`: the initial margin of a put is at least this multiple of its maintenance margin; at least 1.
    #[serde(with = "amount")]
    #[schemars(with = "String")]
    pub initial_put_scale: Decimal,
    /// `U`: what an option's moneyness is measured against; the index if it is not given.
    #[serde(default)]
    pub moneyness: Reference,
}

/// What moneyness is measured against.
#[derive(Copy, Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Reference {
    /// The index.
    #[default]
    Index,
    /// The forward of the option's expiry.
    Forward,
}

/// An option, and the market it is in.
#[derive(Copy, Clone, Debug)]
pub(crate) struct Facts {
    pub(crate) right: Right,
    pub(crate) strike: Decimal,
    pub(crate) index: Decimal,
    pub(crate) forward: Decimal,
    /// The value of a contract.
    pub(crate) mark: f64,
}

/// `scale · ( per_coin · k + part · mark )` per contract: kept apart, so that figures with many digits stay exact.
#[derive(Copy, Clone, Debug)]
struct Charge {
    per_coin: Ratio,
    part: Ratio,
    scale: Ratio,
}

impl ShortOption {
    /// Refuses what is out of range, and an initial margin that could be below maintenance.
    pub(crate) fn check(&self, place: &str) -> Result<(), ModelError> {
        let field = |part: &str| format!("{place}.{part}");
        at_most(field("initial"), self.initial, MAX_FACTOR, "0 to 100")?;
        at_most(field("initial_least"), self.initial_least, self.initial, "0 to initial")?;
        at_most(
            field("maintenance_call"),
            self.maintenance_call,
            self.initial_least,
            "0 to initial_least",
        )?;
        at_most(field("maintenance_put"), self.maintenance_put, MAX_FACTOR, "0 to 100")?;
        at_most(
            field("maintenance_put_mark"),
            self.maintenance_put_mark,
            MAX_FACTOR,
            "0 to 100",
        )?;
        at_least(
            &field("initial_put_scale"),
            self.initial_put_scale,
            Decimal::ONE,
            "1 to 100",
        )
    }

    /// Units of the numéraire that a lot short needs.
    pub(crate) fn units(&self, position: &Position<'_>, facts: &Facts, level: Level) -> Result<Real, CompileError> {
        let contract = ratio(position.instrument.contract)?;
        let charge = match (facts.right, level) {
            (Right::Call, Level::Initial) => self.by_moneyness(facts)?,
            (Right::Call, Level::Maintenance) => Charge::of(facts.index, self.maintenance_call)?,
            (Right::Put, Level::Maintenance) => self.put(facts, contract)?,
            (Right::Put, Level::Initial) => {
                let maintenance = self.put(facts, contract)?;
                let scaled = Charge {
                    scale: ratio(self.initial_put_scale)?,
                    ..maintenance
                };
                self.by_moneyness(facts)?.or(scaled, facts.mark, contract)
            }
        };
        let per_coin = position.per_lot.times(contract)?.times(charge.per_coin)?;
        let by_mark = position.per_lot.times(charge.part)?.times(charge.scale)?;
        let usd = per_coin.times(charge.scale)?.real()?;
        Ok(usd.checked_add(by_mark.enclose(facts.mark)?)?)
    }

    fn by_moneyness(&self, facts: &Facts) -> Result<Charge, NumberError> {
        let (strike, index, forward) = (to_ratio(facts.strike), to_ratio(facts.index), to_ratio(facts.forward));
        // Of the index, `I / U` is 1.
        let (reference, per_reference) = match self.moneyness {
            Reference::Index => (index.clone(), BigRational::one()),
            Reference::Forward if forward.is_zero() => return Err(NumberError::ZeroDenominator),
            Reference::Forward => (forward.clone(), &index / forward),
        };
        let out = match facts.right {
            Right::Call => strike - reference,
            Right::Put => reference - strike,
        };
        let out = out.max(BigRational::zero()) * per_reference;
        let least = &index * to_ratio(self.initial_least);
        let most = index * to_ratio(self.initial) - out;
        Ok(Charge {
            per_coin: above(&most.max(least))?,
            part: Ratio::ONE,
            scale: Ratio::ONE,
        })
    }

    fn put(&self, facts: &Facts, contract: Ratio) -> Result<Charge, NumberError> {
        let by_index = Charge::of(facts.index, self.maintenance_put)?;
        let by_mark = Charge {
            per_coin: Ratio::ZERO,
            part: Ratio::ONE.checked_add(ratio(self.maintenance_put_mark)?)?,
            scale: Ratio::ONE,
        };
        Ok(by_index.or(by_mark, facts.mark, contract))
    }
}

/// A charge in USD as a ratio of 128 bits; one that has more digits, up to a multiple of `2^-48`.
fn above(charge: &BigRational) -> Result<Ratio, NumberError> {
    if let (Some(num), Some(den)) = (charge.numer().to_i128(), charge.denom().to_u128()) {
        return Ratio::new(num, den);
    }
    const BITS: u32 = 48;
    let up = (charge * BigRational::from_integer(BigInt::one() << BITS)).ceil();
    Ratio::new(up.to_integer().to_i128().ok_or(NumberError::Overflow)?, 1 << BITS)
}

impl Charge {
    /// A part of the index, and the mark.
    fn of(index: Decimal, part: Decimal) -> Result<Charge, NumberError> {
        Ok(Charge {
            per_coin: above(&(to_ratio(index) * to_ratio(part)))?,
            part: Ratio::ONE,
            scale: Ratio::ONE,
        })
    }

    /// The larger of two charges on an option of this mark and contract size, without rounding.
    fn or(self, other: Charge, mark: f64, contract: Ratio) -> Charge {
        let exact = |ratio: Ratio| BigRational::new(ratio.numerator().into(), ratio.denominator().into());
        // A mark that is no number has no enclosure either, and so no program.
        let mark = BigRational::from_float(mark).unwrap_or_default();
        let contract = exact(contract);
        let amount =
            |charge: &Charge| exact(charge.scale) * (exact(charge.per_coin) * &contract + exact(charge.part) * &mark);
        if amount(&other) > amount(&self) { other } else { self }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
    use super::*;

    #[test]
    fn charge_of_figures_with_all_digits_is_that_of_exact_ones_and_never_less() {
        let rule: ShortOption = serde_json::from_str(
            r#"{"initial":"0.15","initial_least":"0.1","maintenance_call":"0.075","maintenance_put":"0.075",
                "maintenance_put_mark":"0.075","initial_put_scale":"1","moneyness":"forward"}"#,
        )
        .unwrap();
        let charge = |index: &str, forward: &str| {
            let facts = Facts {
                right: Right::Call,
                strike: "66000".parse().unwrap(),
                index: index.parse().unwrap(),
                forward: forward.parse().unwrap(),
                mark: 1.0,
            };
            let shown = rule.by_moneyness(&facts).unwrap().per_coin;
            let shown = BigRational::new(shown.numerator().into(), shown.denominator().into());
            let (index, forward) = (to_ratio(facts.index), to_ratio(facts.forward));
            let out = (to_ratio(facts.strike) - &forward) / &forward;
            (shown, &index * to_ratio(rule.initial) - out * index)
        };
        let (shown, exact) = charge("65000", "65100.5");
        assert_eq!(shown, exact);
        let (shown, exact) = charge("65000.12345678901234567890123", "65100.50000000000000000000001");
        let least = BigRational::new(1.into(), BigInt::one() << 48);
        assert!(shown >= exact && &shown - &exact < least);
    }
}
