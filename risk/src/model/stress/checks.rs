//! Checks that several models make of their files.

use rust_decimal::Decimal;

use crate::model::ModelError;
use crate::model::check::{MAX_FACTOR, at_most, count, value};
use crate::model::stress::parameters::{Basis, BorrowRate, Buckets, ShiftNode, Tier};
use crate::model::stress::progressive::offsets;

/// Largest amount of money of a file.
pub(crate) const MAX_AMOUNT: Decimal = Decimal::from_parts(0xd4a5_1000, 0xe8, 0, false, 0);
/// Most entries of a list.
const MAX_ENTRIES: usize = 64;
/// A rate of a tier has at most this many decimals.
const MAX_RATE_SCALE: u32 = 6;
/// Longest tenor of a file.
const MAX_DAYS: Decimal = Decimal::from_parts(36_500, 0, 0, false, 0);

pub(crate) fn part(field: &str, number: Decimal) -> Result<(), ModelError> {
    at_most(field, number, Decimal::ONE, "0 to 1")
}

pub(crate) fn factor(field: &str, number: Decimal) -> Result<(), ModelError> {
    at_most(field, number, MAX_FACTOR, "0 to 100")
}

pub(crate) fn entries(field: &str, found: usize, what: &'static str, least: usize) -> Result<(), ModelError> {
    if found < least || found > MAX_ENTRIES {
        return Err(count(field, found, what, format!("{least} to {MAX_ENTRIES}")));
    }
    Ok(())
}

/// `name` is among the keys that `known` accepts.
pub(crate) fn known(
    field: &str,
    name: &str,
    among: &'static str,
    known: impl Fn(&str) -> bool,
) -> Result<(), ModelError> {
    if known(name) {
        return Ok(());
    }
    Err(ModelError::Unknown {
        field: field.to_owned(),
        name: name.to_owned(),
        among,
    })
}

pub(crate) fn shift(field: &str, nodes: &[ShiftNode]) -> Result<(), ModelError> {
    entries(field, nodes.len(), "nodes", 1)?;
    let mut before = None;
    for (index, node) in nodes.iter().enumerate() {
        let place = |part: &str| format!("{field}[{index}].{part}");
        at_most(place("days"), node.days, MAX_DAYS, "0 to 36500")?;
        factor(&place("points"), node.points)?;
        factor(&place("part"), node.part)?;
        if before.is_some_and(|days| node.days <= days) {
            return Err(value(place("days"), node.days, "more than those of the node before"));
        }
        before = Some(node.days);
    }
    Ok(())
}

pub(crate) fn buckets(field: &str, buckets: &Buckets) -> Result<(), ModelError> {
    entries(&format!("{field}.buckets"), buckets.buckets.len(), "buckets", 1)?;
    factor(&format!("{field}.across"), buckets.across)?;
    let last = buckets.buckets.len() - 1;
    let mut before = Decimal::ZERO;
    for (index, bucket) in buckets.buckets.iter().enumerate() {
        let place = |part: &str| format!("{field}.buckets[{index}].{part}");
        factor(&place("within"), bucket.within)?;
        match bucket.days {
            Some(days) if index < last => {
                at_most(place("days"), days, MAX_DAYS, "0 to 36500")?;
                if days <= before {
                    return Err(value(place("days"), days, "more than those of the bucket before"));
                }
                before = days;
            }
            Some(days) => return Err(value(place("days"), days, "none: the last bucket reaches to the end")),
            None if index < last => {
                return Err(ModelError::Value {
                    field: place("days"),
                    value: "none".into(),
                    bound: "days, except of the last bucket",
                });
            }
            None => {}
        }
    }
    Ok(())
}

/// Tiers without gap or overlap, whose rates do not fall: the charge is convex.
pub(crate) fn tiers(field: &str, tiers: &[Tier]) -> Result<(), ModelError> {
    entries(field, tiers.len(), "tiers", 1)?;
    let mut before: Option<Tier> = None;
    for (index, (tier, offset)) in tiers.iter().zip(offsets(tiers)).enumerate() {
        let place = |part: &str| format!("{field}[{index}].{part}");
        at_most(place("above"), tier.above, MAX_AMOUNT, "0 to 1000000000000")?;
        factor(&place("rate"), tier.rate)?;
        if tier.rate.normalize().scale() > MAX_RATE_SCALE {
            return Err(value(place("rate"), tier.rate, "at most 6 decimals"));
        }
        match before {
            None if !tier.above.is_zero() => {
                return Err(value(place("above"), tier.above, "0, of the first tier"));
            }
            Some(before) if tier.above <= before.above => {
                return Err(value(place("above"), tier.above, "more than that of the tier before"));
            }
            Some(before) if tier.rate < before.rate => {
                return Err(value(place("rate"), tier.rate, "not below that of the tier before"));
            }
            _ => {}
        }
        if offset.is_none() {
            return Err(value(place("above"), tier.above, "an amount of fewer digits"));
        }
        before = Some(*tier);
    }
    Ok(())
}

pub(crate) fn borrow(field: &str, rate: BorrowRate) -> Result<(), ModelError> {
    factor(&format!("{field}.initial"), rate.initial)?;
    at_most(
        format!("{field}.maintenance"),
        rate.maintenance,
        rate.initial,
        "0 to that of the initial level",
    )
}

pub(crate) fn basis(field: &str, basis: Basis) -> Result<(), ModelError> {
    at_most(
        format!("{field}.annual_move"),
        basis.annual_move,
        Decimal::TEN,
        "0 to 10",
    )?;
    factor(&format!("{field}.least"), basis.least)
}
