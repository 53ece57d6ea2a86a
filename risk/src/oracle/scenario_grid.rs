//! The rule of [`crate::model::scenario_grid::parameters`], step by step in its own symbols.

mod collateral;
mod exposure;

use std::collections::{BTreeMap, BTreeSet};

use num_rational::BigRational;
use num_traits::Zero;
use zkmargin_program::LegId;

use crate::amount::to_ratio;
use crate::market::Snapshot;
use crate::model::ScenarioGrid;
use crate::model::scenario_grid::parameters::Group;
use crate::oracle::coverage::{Coverage, NotCounted};
use crate::oracle::{Binding, Evaluation, Exposure, GroupLoss, OracleError, smaller};
use crate::universe::{Line, Universe};

/// What a scenario-grid model makes of a book; see [`evaluate`](crate::oracle::evaluate).
///
/// # Errors
/// [`OracleError`].
pub fn evaluate(
    model: &ScenarioGrid,
    universe: &Universe,
    snapshot: &Snapshot,
    legs: &[u64],
) -> Result<Evaluation, OracleError> {
    let coverage = Coverage {
        parameters: model.parameters(),
        universe,
        snapshot,
    };
    let book = Book {
        coverage,
        legs,
        numeraire_price: coverage.numeraire_price()?,
    };
    book.check_legs()?;
    let collateral = book.collateral();
    let parameters = model.parameters();

    let (mut options, mut futures) = (BigRational::zero(), BigRational::zero());
    let mut underlyings = BTreeMap::new();
    for (name, rules) in &parameters.underlyings {
        if snapshot.underlyings.contains_key(name) {
            let (exposure, marks) = book.exposure(name, rules, &collateral)?;
            underlyings.insert(name.clone(), exposure);
            options += marks.options;
            futures += marks.futures;
        }
    }
    let groups: Vec<GroupLoss> = book
        .groups()
        .iter()
        .filter_map(|group| group_loss(group, &underlyings))
        .collect();

    let mut scaled = BigRational::zero();
    let mut provisions = BigRational::zero();
    for group in &groups {
        scaled += &group.body;
    }
    for exposure in underlyings.values() {
        scaled += &exposure.roll;
        provisions += &exposure.fees + &exposure.funding;
    }
    let value = collateral
        .iter()
        .fold(&options + &futures, |sum, line| sum + &line.value);
    Ok(Evaluation {
        numeraire: parameters.numeraire.clone(),
        value,
        options,
        futures,
        collateral,
        underlyings,
        groups,
        initial: to_ratio(parameters.levels.initial) * &scaled + &provisions,
        maintenance: to_ratio(parameters.levels.maintenance) * scaled + provisions,
    })
}

/// A book with everything that the rule reads.
struct Book<'a> {
    coverage: Coverage<'a>,
    legs: &'a [u64],
    numeraire_price: BigRational,
}

/// Which group an underlying is in.
enum GroupOf<'a> {
    One(&'a str),
    Several(&'a Group),
}

impl<'a> Book<'a> {
    fn lots(&self, leg: LegId) -> u64 {
        self.legs.get(leg.index()).copied().unwrap_or(0)
    }

    /// Refuses a book of another universe, and one that holds what does not count.
    fn check_legs(&self) -> Result<(), OracleError> {
        let Coverage { universe, .. } = self.coverage;
        let slots = universe.layout().slots();
        if self.legs.len() != slots {
            return Err(OracleError::Length {
                length: self.legs.len(),
                slots,
            });
        }
        let mut known = BTreeSet::new();
        let mut refused = Vec::new();
        for venue in universe.venues() {
            for line in &venue.lines {
                known.extend(line.legs().into_iter().map(|leg| leg.index()));
                let mut refuse = |line: String, reason| {
                    refused.push(NotCounted {
                        venue: venue.name.clone(),
                        line,
                        reason,
                    });
                };
                match line {
                    Line::Instrument(instrument) => {
                        let is_held = self.lots(instrument.long) > 0 || self.lots(instrument.short) > 0;
                        if let (true, Err(reason)) = (is_held, self.coverage.instrument(venue, instrument)) {
                            refuse(instrument.name.clone(), reason);
                        }
                    }
                    Line::Asset(asset) => {
                        if let Err(reason) = self.coverage.line(asset) {
                            let carry = asset
                                .carry
                                .map_or(0, |pair| self.lots(pair.first).max(self.lots(pair.second)));
                            let reserve = asset.reserve.map_or(0, |leg| self.lots(leg));
                            let legs = [("debt", self.lots(asset.debt)), ("carry", carry), ("reserve", reserve)];
                            for (leg, _) in legs.iter().filter(|(_, lots)| *lots > 0) {
                                refuse(format!("{} {leg}", asset.label()), reason.clone());
                            }
                        }
                    }
                }
            }
        }
        if let Some(slot) = (0..slots).find(|slot| !known.contains(slot) && self.legs.get(*slot) != Some(&0)) {
            return Err(OracleError::NoLeg { slot });
        }
        if refused.is_empty() {
            Ok(())
        } else {
            Err(OracleError::NotCounted(refused))
        }
    }

    /// The groups of the rule, in the order of the file, then each remaining underlying by itself.
    fn groups(&self) -> Vec<GroupOf<'a>> {
        let parameters = self.coverage.parameters;
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
            -profits.fold(BigRational::zero(), |sum, profit| sum + kept(&profit.weighted))
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
