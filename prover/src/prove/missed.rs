//! Why a book has no proof, in words: what is missed and by how much, what does not count. The book's own part of it is said to the
//! trader alone.

use std::fmt;

use num_traits::ToPrimitive;
use rust_decimal::Decimal;
use zkmargin_program::Program;
use zkmargin_risk::amount::to_ratio;
use zkmargin_risk::market::Snapshot;
use zkmargin_risk::model::about::{is_isolated, is_margin};
use zkmargin_risk::model::demand::Limit;
use zkmargin_risk::model::{Model, REQUIREMENT, USD_UNIT_EXPONENT};
use zkmargin_risk::oracle::{NotCounted, OracleError, evaluate, with_public_amounts};
use zkmargin_risk::terms::{Ratio20, Terms};
use zkmargin_risk::universe::Universe;

/// By how much a requirement is missed: for the trader alone, so neither `Debug` nor any error shows it.
#[derive(Clone, PartialEq, Eq)]
pub struct Shortfall {
    units: i128,
    unit_exponent: i32,
    numeraire: String,
    is_limit: bool,
}

impl Shortfall {
    /// A requirement of margin is in lowest terms `D V - N R - D e` with `ρ = N/D`: what is missing of it is `D` times what is
    /// missing of `V`. A limit has nothing to do with the ratio; one on leverage, `N_u <= most V`, is times the denominator of `most`.
    pub(super) fn of(model: &Model, program: &Program, terms: &Terms, requirement: &str, units: i128) -> Shortfall {
        let is_limit = !is_margin(requirement);
        let denominator = if is_limit {
            leverage_denominator(model, requirement)
        } else {
            i128::from(lowest_denominator(terms.ratio.twentieths()))
        };
        let header = program.header();
        Shortfall {
            units: units / denominator + i128::from(units % denominator > 0),
            unit_exponent: header.unit_exponent,
            numeraire: header.numeraire.clone(),
            is_limit,
        }
    }

    /// The missing amount, in text: what must be added to the value for the requirement to be met, or what the book is above a limit, rounded
    /// up to a hundredth of a USD or a millionth of a coin, and what it is counted in.
    pub fn reveal(&self) -> String {
        let decimals = if self.unit_exponent >= USD_UNIT_EXPONENT { 2 } else { 6 };
        let scale = u32::try_from(-self.unit_exponent).ok();
        let exact = scale.and_then(|scale| Decimal::try_from_i128_with_scale(self.units, scale).ok());
        match exact {
            Some(amount) => {
                let up = rust_decimal::RoundingStrategy::AwayFromZero;
                format!("{} {}", amount.round_dp_with_strategy(decimals, up), self.numeraire)
            }
            None => format!("{} x 1e{} {}", self.units, self.unit_exponent, self.numeraire),
        }
    }

    /// The same in a sentence.
    pub fn words(&self) -> String {
        if self.is_limit {
            format!("above the limit by what is worth {}", self.reveal())
        } else {
            format!("short by {}", self.reveal())
        }
    }
}

/// What a limit of leverage is multiplied by, so that it is a whole number; 1 of any other.
fn leverage_denominator(model: &Model, requirement: &str) -> i128 {
    let Model::Demand(demand) = model else { return 1 };
    let limits = demand
        .parameters()
        .limits
        .iter()
        .filter(|limit| limit.name() == requirement);
    let most = limits.filter_map(|limit| match limit {
        Limit::Leverage(on) => Some(to_ratio(on.most)),
        _ => None,
    });
    // Several of one name have one name in a refusal, too.
    most.filter_map(|most| most.denom().to_i128()).min().unwrap_or(1)
}

/// `D` of `twentieths / 20 = N / D` in lowest terms.
pub(crate) fn lowest_denominator(twentieths: u32) -> u32 {
    let divides = |divisor: &u32| 20 % divisor == 0 && twentieths.is_multiple_of(*divisor);
    20 / [20, 10, 5, 4, 2].into_iter().find(divides).unwrap_or(1)
}

impl fmt::Debug for Shortfall {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Shortfall(..)")
    }
}

/// What the accounts hold and the model does not count: for the trader alone, so neither `Debug` nor any error shows it.
#[derive(Clone, PartialEq, Eq)]
pub struct Held(pub(super) Vec<NotCounted>);

impl Held {
    /// Each instrument or asset, with its venue and why it does not count.
    pub fn reveal(&self) -> Vec<String> {
        self.0.iter().map(line).collect()
    }
}

impl fmt::Debug for Held {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Held(..)")
    }
}

fn line(held: &NotCounted) -> String {
    format!("{}:{} ({})", held.venue, held.line, held.reason)
}

/// What is asked for, in the model's terms.
pub(super) fn requirement_words(model: &Model, terms: &Terms, requirement: &str) -> String {
    if !is_margin(requirement) {
        return format!("the {requirement} of {}", model.name());
    }
    let ratio = (terms.ratio != Ratio20::ONE).then(|| format!("{} times over", terms.ratio));
    let excess = (terms.excess > 0 && !is_isolated(requirement))
        .then(|| format!("with {} {} to spare", terms.excess, model.numeraire()));
    let conditions: Vec<String> = ratio.into_iter().chain(excess).collect();
    // `by MODEL`, `without the balances at VENUE`, or both, of a demand; `isolated in INSTRUMENT at VENUE`.
    let which = requirement.strip_prefix(REQUIREMENT).unwrap_or_default();
    let words = format!("the {} requirement of {}{which}", terms.margin, model.name());
    if conditions.is_empty() {
        words
    } else {
        format!("{words}, {},", conditions.join(" and "))
    }
}

/// Why a book after the order and deposit of `terms` has no margin whatever it is: what of them the model does not count.
pub fn supposed_not_counted(model: &Model, universe: &Universe, snapshot: &Snapshot, terms: &Terms) -> Option<String> {
    let nothing = vec![0; universe.layout().slots()];
    let supposed = with_public_amounts(universe, terms, &nothing).ok()?;
    match evaluate(model, universe, snapshot, &supposed) {
        Err(OracleError::NotCounted(lines)) => Some(lines.iter().map(line).collect::<Vec<_>>().join("; ")),
        _ => None,
    }
}

/// `order sell 5 …`, `deposit 2 …`, or both; empty if nothing is supposed.
pub fn supposed_words(terms: &Terms) -> String {
    let order = terms.order.as_ref().map(|order| format!("order {order}"));
    let deposit = terms.deposit.as_ref().map(|deposit| format!("deposit {deposit}"));
    order.into_iter().chain(deposit).collect::<Vec<_>>().join(" and ")
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn shortfall_is_rounded_up_and_shown_only_on_request() {
        let of = |units, unit_exponent, numeraire: &str| Shortfall {
            units,
            unit_exponent,
            numeraire: numeraire.to_owned(),
            is_limit: false,
        };
        assert_eq!(of(12_345_000_000_001, -10, "USD").reveal(), "1234.51 USD");
        assert_eq!(of(1, -10, "USD").reveal(), "0.01 USD");
        assert_eq!(of(1, -14, "BTC").reveal(), "0.000001 BTC");
        assert_eq!(of(1, -10, "USDC").words(), "short by 0.01 USDC");
        assert_eq!(of(i128::MAX, -10, "USD").reveal(), format!("{} x 1e-10 USD", i128::MAX));
        assert_eq!(format!("{:?}", of(7, -10, "USD")), "Shortfall(..)");
    }

    #[test]
    fn limits_of_a_demand_are_not_times_the_ratio_and_have_their_own_names() {
        let demand = r#"{"model": "demand", "name": "desk", "description": "", "models": ["paradex-pm"], "limits": [
            {"net_delta": {"underlying": "BTC", "most": "3"}}, {"leverage": {"most": "2.5"}}]}"#;
        let model = Model::from_json(demand).unwrap();
        let terms = Terms {
            ratio: Ratio20::new(25).unwrap(),
            ..Terms::at(zkmargin_risk::terms::Level::Initial)
        };
        for (requirement, words) in [
            ("margin", "the initial requirement of desk, 1.25 times over,"),
            (
                "margin by paradex-pm",
                "the initial requirement of desk by paradex-pm, 1.25 times over,",
            ),
            (
                "margin without the balances at V",
                "the initial requirement of desk without the balances at V, 1.25 times over,",
            ),
            (
                "margin isolated in X at V by hyperliquid",
                "the initial requirement of desk isolated in X at V by hyperliquid, 1.25 times over,",
            ),
            ("limit on net delta of BTC", "the limit on net delta of BTC of desk"),
        ] {
            assert_eq!(requirement_words(&model, &terms, requirement), words);
        }
        assert_eq!(leverage_denominator(&model, "limit on leverage"), 2);
        assert_eq!(leverage_denominator(&model, "limit on net delta of BTC"), 1);
    }

    #[test]
    fn ratios_are_taken_in_lowest_terms() {
        for (twentieths, denominator) in [
            (20, 1),
            (21, 20),
            (22, 10),
            (24, 5),
            (25, 4),
            (30, 2),
            (40, 1),
            (2000, 1),
        ] {
            assert_eq!(lowest_denominator(twentieths), denominator, "{twentieths}/20");
        }
    }
}
