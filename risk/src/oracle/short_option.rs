//! The rule of [`crate::model::short_option`], in its own symbols.

use num_rational::BigRational;
use rust_decimal::Decimal;

use crate::amount::to_ratio;
use crate::model::short_option::{Reference, ShortOption};
use crate::oracle::{larger, positive_part};
use crate::terms::Level;
use crate::universe::Right;

/// An option and its market: strike, index, forward in USD, and contract size and mark of a contract.
pub(super) struct Option<'a> {
    pub(super) right: Right,
    pub(super) strike: Decimal,
    pub(super) index: Decimal,
    pub(super) forward: Decimal,
    pub(super) contract: Decimal,
    pub(super) mark: &'a BigRational,
}

/// What a contract short needs by itself.
pub(super) fn isolated(rules: &ShortOption, option: &Option<'_>, level: Level) -> BigRational {
    let [index, strike, contract] = [option.index, option.strike, option.contract].map(to_ratio);
    let reference = to_ratio(match rules.moneyness {
        Reference::Index => option.index,
        Reference::Forward => option.forward,
    });
    let part = |part: Decimal| to_ratio(part) * &index * &contract;
    let out = match option.right {
        Right::Call => positive_part(&strike - &reference),
        Right::Put => positive_part(&reference - &strike),
    };
    let x = larger(
        part(rules.initial) - out * &index / &reference * &contract,
        part(rules.initial_least),
    );
    let maintenance = match option.right {
        Right::Call => part(rules.maintenance_call),
        Right::Put => larger(
            part(rules.maintenance_put),
            to_ratio(rules.maintenance_put_mark) * option.mark,
        ),
    } + option.mark;
    match (level, option.right) {
        (Level::Maintenance, _) => maintenance,
        (Level::Initial, Right::Call) => x + option.mark,
        (Level::Initial, Right::Put) => larger(x + option.mark, to_ratio(rules.initial_put_scale) * maintenance),
    }
}
