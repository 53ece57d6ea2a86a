//! What add-ons must satisfy.

use rust_decimal::Decimal;

use crate::model::ModelError;
use crate::model::addons::{AddOns, Bound, Concentration, Step};
use crate::model::check::{MAX_FACTOR, at_most, count, value};

/// Most bounds of one kind, and most tiers.
const MAX_STEPS: usize = 16;
/// Largest depth in USD, and largest bound.
const MAX_DEPTH: Decimal = Decimal::from_parts(0xa4c6_8000, 0x0003_8d7e, 0, false, 0);
/// Largest move.
const MAX_MOVE: Decimal = Decimal::from_parts(999, 0, 0, false, 3);

impl AddOns {
    /// Checks every number; `place` is where in the file they are.
    pub(crate) fn check(&self, place: &str) -> Result<(), ModelError> {
        if let Some(concentration) = &self.concentration {
            concentration.check(&format!("{place}.concentration"))?;
        }
        if let Some(closing) = self.closing {
            let fields = [
                ("factor", closing.factor),
                ("volatility", closing.volatility),
                ("least", closing.least),
                ("future", closing.future),
            ];
            for (field, number) in fields {
                at_most(format!("{place}.closing.{field}"), number, MAX_FACTOR, "0 to 100")?;
            }
        }
        for (name, rule) in &self.rebalancing {
            let field = format!("{place}.rebalancing.{name}");
            at_most(format!("{field}.move"), rule.size, MAX_MOVE, "0 to 0.999")?;
            at_most(format!("{field}.rate"), rule.rate, MAX_FACTOR, "0 to 100")?;
        }
        for (name, rule) in &self.contagion {
            let field = format!("{place}.contagion.{name}");
            at_most(format!("{field}.move"), rule.first, MAX_MOVE, "0 to 0.999")?;
            at_most(format!("{field}.most"), rule.most, MAX_MOVE, "0 to 0.999")?;
            if rule.first + rule.most > MAX_MOVE {
                return Err(value(
                    format!("{field}.most"),
                    rule.most,
                    "at most 0.999 with the first move",
                ));
            }
            if rule.depth <= Decimal::ZERO || rule.depth > MAX_DEPTH {
                return Err(value(
                    format!("{field}.depth"),
                    rule.depth,
                    "above 0, at most 1000000000000000",
                ));
            }
        }
        Ok(())
    }
}

impl Concentration {
    fn check(&self, place: &str) -> Result<(), ModelError> {
        let depth = |field: &str, usd| at_most(field, usd, MAX_DEPTH, "0 to 1000000000000000");
        depth(&format!("{place}.least_depth"), self.least_depth)?;
        for (name, usd) in &self.assets {
            depth(&format!("{place}.assets.{name}"), *usd)?;
        }
        check_bounds(&format!("{place}.days"), &self.days)?;
        check_bounds(&format!("{place}.moneyness"), &self.moneyness)?;
        if self.tiers.is_empty() || self.tiers.len() > MAX_STEPS {
            let tiers = self.tiers.len();
            return Err(count(format!("{place}.tiers"), tiers, "tiers", "1 to 16"));
        }
        let mut before: Option<Step> = None;
        for (index, step) in self.tiers.iter().enumerate() {
            let field = |part: &str| format!("{place}.tiers[{index}].{part}");
            at_most(field("above"), step.above, MAX_FACTOR, "0 to 100")?;
            at_most(field("rate"), step.rate, MAX_FACTOR, "0 to 100")?;
            if before.is_some_and(|before| step.above <= before.above) {
                return Err(value(field("above"), step.above, "above that of the tier before"));
            }
            // A rate that falls would make the charge concave, and a bound from above would not be one.
            if before.is_some_and(|before| step.rate < before.rate) {
                return Err(value(field("rate"), step.rate, "not below that of the tier before"));
            }
            before = Some(*step);
        }
        Ok(())
    }
}

fn check_bounds(place: &str, bounds: &[Bound]) -> Result<(), ModelError> {
    if bounds.len() > MAX_STEPS {
        return Err(count(place, bounds.len(), "bounds", "at most 16"));
    }
    let mut least = Decimal::ZERO;
    for (index, Bound(bound)) in bounds.iter().enumerate() {
        if *bound <= least || *bound > MAX_DEPTH {
            let field = format!("{place}[{index}]");
            return Err(value(field, *bound, "above that before (or 0)"));
        }
        least = *bound;
    }
    Ok(())
}
