//! Fixed cells, selectors and the rows of the table: what a key is made of.
//!
//! A prover cannot change them: every verifier builds the key itself. So each mutant is asked for two things. Its key must be another
//! one; and what it is there for must be seen: with the mutant's key a false witness is proven, which the honest key refuses.

use std::collections::BTreeSet;

use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng;

use super::planner::Mutation;
use super::stage::Stage;
use super::*;

/// What shows that a mutant is not the honest circuit.
pub(super) struct Mutant {
    pub(super) name: String,
    pub(super) mutation: Mutation,
    pub(super) shown_by: Witnessed,
}

/// A witness that only one of both circuits takes and the other refuses.
pub(super) enum Witnessed {
    /// A false one that the mutant takes; the honest circuit refuses it by this constraint.
    Forged(Box<Honest>, &'static str),
    /// One that the honest circuit takes and the mutant refuses: the table lost a limb and got none.
    Lost(Box<Honest>),
    /// The rows of the table are other ones, and it has the same limbs.
    SameLimbs,
    /// The mutant reads a row that the proof library fills with random values: no honest witness fits, and none is tried.
    UnusableRow,
}

const LOOKUP: &str = "lookup";
const START: &str = "accumulators start at zero";
const ADD: &str = "accumulators add the row";
const END: &str = "accumulators end at gamma";

pub(super) const CONSTRAINTS: [&str; 4] = [LOOKUP, START, ADD, END];

impl Mutant {
    /// The false witness that this constraint refuses, if it is one.
    pub(super) fn forged_for(&self, constraint: &str) -> Option<&Honest> {
        match &self.shown_by {
            Witnessed::Forged(forged, by) if *by == constraint => Some(forged),
            _ => None,
        }
    }
}

impl Honest {
    /// Makes `acc` what the rows add up to, and `γ` what that ends at: no equation is violated.
    pub(super) fn balanced(mut self) -> Self {
        self = self.settle();
        self.end(self.placement.last());
        self
    }

    /// Makes the `γ_t` in a row what the accumulators are there.
    fn end(&mut self, row: usize) {
        for (gamma, acc) in self.witness.public.iter_mut().zip(&self.witness.acc) {
            gamma[row] = acc[row];
        }
    }
}

impl Stage {
    /// The honest circuit with zeros for all that stands in runs: whatever is changed in one place, no other place minds.
    pub(super) fn without_variables(&self) -> Honest {
        let mut circuit = self.honest.clone();
        for z in &mut circuit.witness.z {
            *z = vec![Fp::ZERO; self.last() + 1];
        }
        circuit
    }
}

/// All mutants of fixed cells and selectors: a fixed cell is dropped, changed to one more and to a random value, also where none is
/// assigned; a selector is dropped, and on one row later or earlier instead. What is no change is left out and counted.
pub(super) fn mutants(stage: &Stage) -> (Vec<Mutant>, usize) {
    let mut generator = ChaCha20Rng::seed_from_u64(2);
    let (mut mutants, mut same) = (Vec::new(), 0);
    let columns: BTreeSet<Column<Fixed>> = stage.trace.fixed.keys().map(|(column, _)| *column).collect();
    for column in columns {
        for row in 0..=stage.last() {
            let own = stage.trace.fixed.get(&(column, row)).copied().unwrap_or(Fp::ZERO);
            for (change, value) in [
                ("dropped", Fp::ZERO),
                ("one more", own + Fp::ONE),
                ("random", Fp::random(&mut generator)),
            ] {
                if value == own {
                    same += 1;
                    continue;
                }
                let shown_by = match column == stage.m() {
                    true => multiplier(stage, row, own, value),
                    false => limb(stage, column, row, own, value),
                };
                mutants.push(Mutant {
                    name: format!("{column:?} row {row} {change}"),
                    mutation: Mutation {
                        fixed: [((column, row), value)].into(),
                        ..Mutation::default()
                    },
                    shown_by,
                });
            }
        }
    }
    for (selector, row) in &stage.trace.selectors {
        let earlier = row.checked_sub(1);
        let later = Some(row + 1).filter(|row| *row <= stage.last());
        for to in [None]
            .into_iter()
            .chain([earlier, later].into_iter().flatten().map(Some))
        {
            mutants.push(Mutant {
                name: format!("{selector:?} of row {row} in {to:?}"),
                mutation: Mutation {
                    selector: Some((*selector, *row, to)),
                    ..Mutation::default()
                },
                shown_by: gate(stage, *selector, *row, to),
            });
        }
    }
    (mutants, same)
}

/// `m` of a row is another: a cell and the next one, as they are with it. In the first column; all columns share `m`.
fn multiplier(stage: &Stage, row: usize, own: Fp, other: Fp) -> Witnessed {
    if row == stage.last() {
        return Witnessed::UnusableRow;
    }
    let m = |at: usize| match at == row {
        true => other,
        false => stage.trace.fixed.get(&(stage.m(), at)).copied().unwrap_or(Fp::ZERO),
    };
    let mut forged = stage.without_variables();
    let limbs = 1_u64 << stage.shape().limb_bits();
    // A limb that is none any more with the multiplier as it should be, if the next cell is one.
    let in_table = |value: Fp| (0..limbs).any(|limb| Fp::from(limb) == value);
    let limb = [0, limbs - 1]
        .map(Fp::from)
        .into_iter()
        .find(|limb| !in_table(*limb + other - own));
    let z = &mut forged.witness.z[0];
    z[row + 1] = Fp::ONE;
    z[row] = other + limb.expect("one of both");
    // Up to the head of its run all limbs are zero.
    for above in (0..row).rev().take_while(|above| m(*above) != Fp::ZERO) {
        z[above] = m(above) * z[above + 1];
    }
    Witnessed::Forged(Box::new(forged.balanced()), LOOKUP)
}

/// A row of the table is another: a new limb, or one that is lost.
fn limb(stage: &Stage, table: Column<Fixed>, row: usize, own: Fp, other: Fp) -> Witnessed {
    let elsewhere = |value: Fp| {
        let mut rows = stage
            .trace
            .fixed
            .iter()
            .filter(|((column, at), _)| *column == table && *at != row);
        rows.any(|(_, other)| *other == value)
    };
    let holds = |value: Fp| {
        let mut circuit = stage.without_variables();
        let cell = stage.runs()[0];
        circuit.witness.z[cell.column][cell.row] = value;
        Box::new(circuit.balanced())
    };
    match elsewhere(other) {
        false => Witnessed::Forged(holds(other), LOOKUP),
        true if !elsewhere(own) => Witnessed::Lost(holds(own)),
        true => Witnessed::SameLimbs,
    }
}

/// A gate is off in a row, and on in another one instead, if that is given.
fn gate(stage: &Stage, selector: Selector, row: usize, to: Option<usize>) -> Witnessed {
    let (last, mut forged) = (stage.last(), stage.honest.clone());
    let by = if selector == stage.config.first {
        for acc in &mut forged.witness.acc {
            let shift = to.map_or(Fp::ONE, |row| -acc[row]);
            acc.iter_mut().for_each(|value| *value += shift);
        }
        forged.end(last);
        START
    } else if selector == stage.config.sum {
        if to == Some(last) {
            return Witnessed::UnusableRow;
        }
        for acc in &mut forged.witness.acc {
            acc[row + 1..].iter_mut().for_each(|value| *value += Fp::ONE);
        }
        forged.end(last);
        ADD
    } else {
        if let Some(row) = to {
            forged.end(row);
            forged = forged.settle();
        }
        forged.end(last);
        forged.witness.public[0][last] += Fp::ONE;
        END
    };
    Witnessed::Forged(Box::new(forged), by)
}

/// What became of the mutants.
#[derive(Debug, Default)]
pub(super) struct Tally {
    pub(super) forged: usize,
    pub(super) lost: usize,
    pub(super) same_limbs: usize,
    pub(super) unusable_row: usize,
}

/// Builds the key of every mutant, and shows what the mutated cell or selector is there for. `judge` says what refuses a witness under
/// a mutation.
pub(super) fn every_mutant(
    stage: &Stage,
    parameters: &Parameters,
    mutants: &[Mutant],
    judge: impl Fn(&Mutation, &Honest) -> Vec<String>,
) -> Tally {
    let key = |mutation: &Mutation| digest(&stage.key(parameters, mutation));
    let (honest, mut tally) = (key(&Mutation::default()), Tally::default());
    for Mutant {
        name,
        mutation,
        shown_by,
    } in mutants
    {
        assert_ne!(key(mutation), honest, "{name}: the same key");
        let by_both = |circuit: &Honest| [mutation, &Mutation::default()].map(|mutation| judge(mutation, circuit));
        let taken = Vec::<String>::new();
        match shown_by {
            Witnessed::Forged(forged, by) => {
                assert_eq!(
                    by_both(forged),
                    [taken, vec![(*by).to_owned()]],
                    "{name}: the forged witness"
                );
                tally.forged += 1;
            }
            Witnessed::Lost(circuit) => {
                assert_eq!(
                    by_both(circuit),
                    [vec![LOOKUP.to_owned()], taken],
                    "{name}: the witness"
                );
                tally.lost += 1;
            }
            Witnessed::SameLimbs => tally.same_limbs += 1,
            Witnessed::UnusableRow => {
                assert!(!stage.refused_by(mutation).is_empty(), "{name}: the honest witness");
                tally.unusable_row += 1;
            }
        }
    }
    tally
}
