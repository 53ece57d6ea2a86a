//! Thresholds of the presets' rules: one unit below, at, and one above, with figures by hand from the rule's text.

mod collateral;
mod confidence;
mod deribit;
mod derive;
mod okx;
mod options;
mod tenors;
mod tiers;

use num_bigint::BigInt;
use zkmargin_risk::case::Case;
use zkmargin_risk::oracle::Evaluation;

use super::*;
use crate::cases::{case, of_x};
use crate::published::exact;

const LEVELS: [Level; 2] = [Level::Initial, Level::Maintenance];

/// A price at which a contract is a whole number of dollars, as a float too.
const PRICE: &str = "65536";
/// The contract of a linear instrument that is one dollar at it.
const DOLLAR: &str = "0.0000152587890625";

fn whole(units: i64) -> BigRational {
    BigRational::from_integer(BigInt::from(units))
}

/// A preset's part.
fn part(name: &str, pointer: &str) -> Value {
    let (_, text) = PRESETS.iter().find(|(preset, _)| *preset == name).unwrap();
    let file: Value = serde_json::from_str(text).unwrap();
    file.pointer(pointer).unwrap_or_else(|| panic!("{pointer}")).clone()
}

/// A linear instrument on X.
fn linear(name: &str, kind: Value, contract: &str) -> Value {
    json!({"instrument": {"name": name, "underlying": "X", "kind": kind, "style": "linear", "settlement": "USD", "contract": contract, "lot": "1"}})
}

fn perpetual() -> Value {
    linear("P", json!("perpetual"), DOLLAR)
}

/// The market of a perpetual at [`PRICE`].
fn at_price() -> Value {
    json!({"index": PRICE, "rate": "0", "perpetual": {"price": PRICE, "funding": "0"}})
}

/// So many contracts, opened at [`PRICE`].
fn opened(contracts: i64) -> Value {
    json!({"instrument": "P", "contracts": contracts.to_string(), "entry": PRICE})
}

/// What the rule makes of a case; the program shows no more, and at most its bound less.
#[track_caller]
fn evaluate(file: &Value) -> Evaluation {
    let (evaluation, gaps) = with_gaps(file);
    for (gap, bound) in gaps {
        assert!(gap <= bound, "{gap} of {bound}");
    }
    evaluation
}

/// With what the program shows less at each level, and its stated bound.
#[track_caller]
fn with_gaps(file: &Value) -> (Evaluation, [(BigRational, BigRational); 2]) {
    let case = Case::from_json(&file.to_string()).unwrap();
    let evaluation = case.evaluate().unwrap();
    let gaps = LEVELS.map(|level| {
        let (shown, bound, _) = case.program_excess(level).unwrap();
        let gap = evaluation.excess(level, Ratio20::ONE, 0) - shown;
        assert!(!gap.is_negative(), "a prover shows {} more than there is", -gap);
        (gap, bound)
    });
    (evaluation, gaps)
}

/// What the rule requires at both levels.
#[track_caller]
fn requires(file: &Value, initial: &BigRational, maintenance: &BigRational) {
    let evaluation = evaluate(file);
    assert_eq!((&evaluation.initial, &evaluation.maintenance), (initial, maintenance));
}

/// The sum of a term's components at both levels.
fn of_term(evaluation: &Evaluation, term: &str) -> [BigRational; 2] {
    LEVELS.map(|level| {
        let parts = evaluation.components.iter().filter(|part| part.term == term);
        parts.fold(BigRational::zero(), |sum, part| sum + part.at(level))
    })
}
