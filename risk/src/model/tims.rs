//! TIMS, customer portfolio margin: ten points of the price, classes and product groups, a minimum per contract.
//!
//! What the rule is, is written with its [`parameters`]; here it becomes a [`Program`](zkmargin_program::Program).

mod compile;
pub mod parameters;

use std::collections::BTreeSet;

use rust_decimal::Decimal;
use zkmargin_program::Builder;

use crate::amount::to_f64;
use crate::model::assets::{AssetRules, moves_with, numeraire};
use crate::model::check::{at_most, count, value};
use crate::model::compile::{CompileError, Forms, Numeraire};
use crate::model::scan::Head;
use crate::model::{ModelError, Names, Rule, Scope};
use crate::scenario::{Shock, VolatilityMove};
use crate::terms::Level;

pub use parameters::Parameters;

use parameters::UnderlyingParameters;

/// Largest fall: the index stays above 0, and far from where a float loses it.
const MAX_DOWN: Decimal = Decimal::from_parts(999, 0, 0, false, 3);
/// Largest rise.
const MAX_UP: Decimal = Decimal::ONE_HUNDRED;
/// Largest minimum, in USD.
const MAX_MINIMUM: Decimal = Decimal::from_parts(1_000_000_000, 0, 0, false, 0);
/// Points on each side.
pub(crate) const POINTS: u8 = 5;

/// A checked model of ten points.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tims {
    parameters: Parameters,
    file: serde_json::Value,
}

impl Tims {
    /// Checks every number and name of the parameters.
    ///
    /// # Errors
    /// [`ModelError`] naming the field, its value and the bound.
    pub fn new(parameters: Parameters) -> Result<Tims, ModelError> {
        check(&parameters)?;
        let file = serde_json::to_value(&parameters)?;
        Ok(Tims { parameters, file })
    }

    /// The parameters.
    pub fn parameters(&self) -> &Parameters {
        &self.parameters
    }
}

/// The table's factors of the ten points, lowest first.
pub(crate) fn shocks(rules: &UnderlyingParameters) -> Vec<Shock> {
    let at = |range: Decimal, point: u8| to_f64(range) * f64::from(point) / f64::from(POINTS);
    let falls = (1..=POINTS).rev().map(|point| 1.0 - at(rules.down, point));
    let rises = (1..=POINTS).map(|point| 1.0 + at(rules.up, point));
    let factors = falls.chain(rises);
    factors.map(|factor| Shock::new(factor, VolatilityMove::None)).collect()
}

fn check(parameters: &Parameters) -> Result<(), ModelError> {
    let head = Head {
        name: &parameters.name,
        numeraire: &parameters.numeraire,
        levels: parameters.levels,
        assets: &parameters.assets,
    };
    head.check(&parameters.underlyings)?;
    for (name, underlying) in &parameters.underlyings {
        let field = |part: &str| format!("underlyings.{name}.{part}");
        at_most(field("down"), underlying.down, MAX_DOWN, "0 to 0.999")?;
        at_most(field("up"), underlying.up, MAX_UP, "0 to 100")?;
        for (part, range) in [("down", underlying.down), ("up", underlying.up)] {
            if range.is_zero() {
                return Err(value(field(part), range, "above 0"));
            }
        }
        at_most(field("minimum"), underlying.minimum, MAX_MINIMUM, "0 to 1000000000")?;
    }
    let mut grouped = BTreeSet::new();
    for (index, group) in parameters.groups.iter().enumerate() {
        let field = format!("groups[{index}].underlyings");
        if group.underlyings.len() < 2 {
            let names = group.underlyings.len();
            return Err(count(&field, names, "underlyings", "at least 2"));
        }
        for name in &group.underlyings {
            if !parameters.underlyings.contains_key(name) {
                return Err(ModelError::Unknown {
                    field,
                    name: name.clone(),
                    among: "underlyings",
                });
            }
            if !grouped.insert(name) {
                return Err(ModelError::Duplicate {
                    field,
                    name: name.clone(),
                });
            }
        }
        at_most(format!("groups[{index}].offset"), group.offset, Decimal::ONE, "0 to 1")?;
    }
    Ok(())
}

impl Rule for Tims {
    fn name(&self) -> &str {
        &self.parameters.name
    }

    fn numeraire(&self) -> Numeraire {
        numeraire(&self.parameters.numeraire, &self.parameters.assets)
    }

    fn names(&self) -> Names<'_> {
        Names::in_usd(moves_with(&self.parameters.assets), self.parameters.underlyings.keys())
    }

    fn cash(&self) -> AssetRules {
        self.parameters.assets.clone()
    }

    fn file(&self) -> &serde_json::Value {
        &self.file
    }

    fn forms(&self, builder: &mut Builder, scope: &Scope<'_>, level: Level) -> Result<Forms, CompileError> {
        self.compile(builder, scope, level)
    }
}

#[cfg(test)]
mod tests;
