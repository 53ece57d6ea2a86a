//! What a demand's file must satisfy.

use std::collections::{BTreeMap, BTreeSet};

use rust_decimal::Decimal;

use super::{MAX_MODELS, Netting, Parameters};
use crate::model::check::{self, at_most, count};
use crate::model::compile::Numeraire;
use crate::model::{Model, ModelError};

/// Most limits, and most pairs of venues.
const MAX_ENTRIES: usize = 64;
/// Largest limit.
const MAX_LIMIT: Decimal = Decimal::from_parts(0xd4a5_1000, 0xe8, 0, false, 0);
/// A leverage or a fraction has at most this many decimals: its numerator and denominator multiply whole programs.
const SCALE: u32 = 4;
/// Largest leverage.
const MAX_LEVERAGE: Decimal = Decimal::from_parts(10_000, 0, 0, false, 0);

pub(super) fn check(parameters: &Parameters, models: &[Model]) -> Result<(), ModelError> {
    check::name(&parameters.name)?;
    entries("models", models.len(), "models", 1, MAX_MODELS)?;
    // Not by name alone: one that moves is counted in finer units.
    let counted = |model: &Model| match model.rule().numeraire() {
        Numeraire { name, is_coin: true } => format!("{name} that moves with an underlying"),
        Numeraire { name, is_coin: false } => name,
    };
    let numeraires: BTreeSet<String> = models.iter().map(counted).collect();
    if numeraires.len() > 1 {
        return Err(ModelError::Value {
            field: "models".into(),
            value: numeraires.into_iter().collect::<Vec<_>>().join(" and "),
            bound: "models that count in one numeraire",
        });
    }
    let histories: BTreeSet<String> = models
        .iter()
        .filter_map(Model::history)
        .map(|digest| digest.to_string())
        .collect();
    if histories.len() > 1 {
        return Err(ModelError::Value {
            field: "models".into(),
            value: format!(
                "of the histories {}",
                histories.into_iter().collect::<Vec<_>>().join(" and ")
            ),
            bound: "models that need one history",
        });
    }
    if let Netting::Partial(offsets) = &parameters.netting {
        check_offsets(offsets)?;
    }
    if let Some(add_ons) = &parameters.add_ons {
        add_ons.check("add_ons")?;
    }
    for (venue, haircuts) in &parameters.counterparties.haircuts {
        for (asset, haircut) in &haircuts.0 {
            let field = format!("counterparties.haircuts.{venue}.{asset}");
            at_most(field, *haircut, Decimal::ONE, "0 to 1")?;
        }
    }
    for (venue, most) in &parameters.counterparties.most {
        at_most(
            format!("counterparties.most.{venue}"),
            *most,
            MAX_LIMIT,
            "0 to 1000000000000",
        )?;
    }
    entries("limits", parameters.limits.len(), "limits", 0, MAX_ENTRIES)?;
    for (index, limit) in parameters.limits.iter().enumerate() {
        let field = format!("limits[{index}].most");
        if matches!(limit, super::Limit::Leverage(_)) {
            at_most(field.clone(), limit.most(), MAX_LEVERAGE, "0 to 10000")?;
            coarse(field, limit.most())?;
        } else {
            at_most(field, limit.most(), MAX_LIMIT, "0 to 1000000000000")?;
        }
    }
    Ok(())
}

fn check_offsets(offsets: &[super::Offset]) -> Result<(), ModelError> {
    entries("netting.partial", offsets.len(), "pairs", 1, MAX_ENTRIES)?;
    let mut pairs = BTreeSet::new();
    let mut sums: BTreeMap<&str, Decimal> = BTreeMap::new();
    for (index, offset) in offsets.iter().enumerate() {
        let place = format!("netting.partial[{index}]");
        at_most(format!("{place}.fraction"), offset.fraction, Decimal::ONE, "0 to 1")?;
        coarse(format!("{place}.fraction"), offset.fraction)?;
        let [a, b] = &offset.between;
        if a == b || !pairs.insert(if a < b { (a, b) } else { (b, a) }) {
            return Err(ModelError::Value {
                field: format!("{place}.between"),
                value: format!("{a} and {b}"),
                bound: "two venues, each pair once",
            });
        }
        for venue in [a, b] {
            let sum = sums.entry(venue).or_default();
            *sum += offset.fraction;
            if *sum > Decimal::ONE {
                return Err(ModelError::Value {
                    field: format!("netting.partial: the fractions of {venue}"),
                    value: sum.to_string(),
                    bound: "a sum of at most 1",
                });
            }
        }
    }
    Ok(())
}

fn coarse(field: String, figure: Decimal) -> Result<(), ModelError> {
    if figure.normalize().scale() <= SCALE {
        return Ok(());
    }
    Err(ModelError::Value {
        field,
        value: figure.to_string(),
        bound: "at most 4 decimals",
    })
}

fn entries(field: &str, found: usize, what: &'static str, least: usize, most: usize) -> Result<(), ModelError> {
    if (least..=most).contains(&found) {
        return Ok(());
    }
    Err(count(field, found, what, format!("{least} to {most}")))
}
