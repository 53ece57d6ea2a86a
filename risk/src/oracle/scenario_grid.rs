//! The rule of [`crate::model::scenario_grid::parameters`], step by step in its own symbols.

mod collateral;
mod exposure;

use std::collections::{BTreeMap, BTreeSet};

use num_rational::BigRational;
use num_traits::Zero;

use crate::amount::to_ratio;
use crate::model::ScenarioGrid;
use crate::model::scenario_grid::parameters::{Group, Parameters};
use crate::oracle::book::Book;
use crate::oracle::{Binding, Cell, Component, Evaluation, Exposure, GroupLoss, OracleError, Picture, smaller};
use crate::scenario::VolatilityMove;

/// What a scenario-grid model makes of a book; see [`evaluate`](crate::oracle::evaluate).
///
/// # Errors
/// [`OracleError`].
pub(super) fn evaluate(book: Book<'_>, rules: &ScenarioGrid) -> Result<Evaluation, OracleError> {
    let parameters = rules.parameters();
    let collateral = book.collateral(&parameters.assets);
    let desk = Desk { book, parameters };

    let (mut options, mut futures) = (BigRational::zero(), BigRational::zero());
    let mut underlyings = BTreeMap::new();
    for (name, rules) in &parameters.underlyings {
        if desk.book.coverage.snapshot.underlyings.contains_key(name) {
            let (exposure, marks) = desk.exposure(name, rules, &collateral)?;
            underlyings.insert(name.clone(), exposure);
            options += marks.options;
            futures += marks.futures;
        }
    }
    let groups: Vec<GroupLoss> = desk
        .groups()
        .iter()
        .filter_map(|group| group_loss(group, &underlyings))
        .collect();

    let components = components(parameters, &groups, &underlyings);
    let picture = picture(parameters, &underlyings);
    Ok(Evaluation {
        underlyings,
        groups,
        ..Evaluation::of(
            &parameters.numeraire,
            [options, futures],
            collateral,
            components,
            picture,
        )
    })
}

/// `factor(level) body_g`, `factor(level) roll_u`, `fees_u` and `funding_u`: what `R` is the sum of.
fn components(
    parameters: &Parameters,
    groups: &[GroupLoss],
    underlyings: &BTreeMap<String, Exposure>,
) -> Vec<Component> {
    let scaled = |term: &str, note: String, amount: &BigRational| {
        let (initial, maintenance) = (parameters.levels.initial, parameters.levels.maintenance);
        Component::new(term, note, to_ratio(initial) * amount, to_ratio(maintenance) * amount)
    };
    let mut components = Vec::new();
    for group in groups {
        let term = match group.binding {
            Binding::DeltaProvision => "delta provision",
            Binding::ShortOptionMinimum => "short option minimum",
            Binding::Nothing | Binding::Scenario => "worst scenario",
        };
        components.push(scaled(term, group.underlyings.join("+"), &group.body));
    }
    for (name, exposure) in underlyings {
        let kept = [
            scaled("roll charge", name.clone(), &exposure.roll),
            scaled("delta shock", name.clone(), &exposure.delta_shock),
            Component::of_both("fee provision", name.clone(), exposure.fees.clone()),
            Component::of_both("funding provision", name.clone(), exposure.funding.clone()),
        ];
        components.extend(kept.into_iter().filter(|component| !component.initial.is_zero()));
    }
    components
}

fn picture(parameters: &Parameters, underlyings: &BTreeMap<String, Exposure>) -> Picture {
    let mut cells = Vec::new();
    for (name, exposure) in underlyings {
        for (row, profit) in parameters.grid(name).into_iter().flatten().zip(&exposure.rows) {
            cells.push(Cell {
                underlying: name.clone(),
                price_move: row.price_move,
                volatility: match row.volatility {
                    VolatilityMove::Up => "up",
                    VolatilityMove::None => "none",
                    VolatilityMove::Down => "down",
                }
                .to_owned(),
                weight: row.weight,
                profit: profit.weighted.clone(),
            });
        }
    }
    Picture::Grid(cells)
}

/// A book under the rule.
struct Desk<'a> {
    book: Book<'a>,
    parameters: &'a Parameters,
}

/// Which group an underlying is in.
enum GroupOf<'a> {
    One(&'a str),
    Several(&'a Group),
}

impl<'a> Desk<'a> {
    /// The groups of the rule, in the order of the file, then each remaining underlying by itself.
    fn groups(&self) -> Vec<GroupOf<'a>> {
        let parameters = self.parameters;
        let grouped: BTreeSet<&String> = parameters.groups.iter().flat_map(|group| &group.underlyings).collect();
        let alone = parameters.underlyings.keys().filter(|name| !grouped.contains(name));
        parameters
            .groups
            .iter()
            .map(GroupOf::Several)
            .chain(alone.map(|name| GroupOf::One(name)))
            .collect()
    }
}

/// `body_g`. Underlyings that the snapshot does not have are not among the exposures and lose nothing; `None` if it has none of them.
fn group_loss(group: &GroupOf<'_>, exposures: &BTreeMap<String, Exposure>) -> Option<GroupLoss> {
    let names: Vec<String> = match group {
        GroupOf::One(name) => vec![(*name).to_owned()],
        GroupOf::Several(group) => group.underlyings.clone(),
    };
    let members: Vec<&Exposure> = names.iter().filter_map(|name| exposures.get(name)).collect();
    let kept = |gain: &BigRational| match group {
        GroupOf::One(_) => gain.clone(),
        GroupOf::Several(group) => {
            let part = smaller(gain.clone(), to_ratio(group.gain_factor) * gain);
            group
                .gain_cap
                .map_or_else(|| part.clone(), |cap| smaller(part.clone(), to_ratio(cap)))
        }
    };
    let rows = members.iter().map(|exposure| exposure.rows.len()).max()?;
    let losses: Vec<BigRational> = (0..rows)
        .map(|row| {
            let profits = members.iter().filter_map(|exposure| exposure.rows.get(row));
            -profits.fold(BigRational::zero(), |sum, profit| sum + kept(&profit.damped))
        })
        .collect();
    let total =
        |part: fn(&Exposure) -> &BigRational| members.iter().fold(BigRational::zero(), |sum, one| sum + part(one));
    let delta_provision = total(|exposure| &exposure.delta_provision);
    let short_option_minimum = total(|exposure| &exposure.short_option_minimum);

    let mut worst = 0;
    for (row, loss) in losses.iter().enumerate() {
        if losses.get(worst).is_some_and(|largest| loss > largest) {
            worst = row;
        }
    }
    let (mut body, mut binding) = (BigRational::zero(), Binding::Nothing);
    let candidates = [
        (losses.get(worst), Binding::Scenario),
        (Some(&delta_provision), Binding::DeltaProvision),
        (Some(&short_option_minimum), Binding::ShortOptionMinimum),
    ];
    for (candidate, which) in candidates {
        if let Some(candidate) = candidate.filter(|candidate| **candidate > body) {
            (body, binding) = (candidate.clone(), which);
        }
    }
    Some(GroupLoss {
        underlyings: names,
        losses,
        worst,
        delta_provision,
        short_option_minimum,
        body,
        binding,
    })
}
