//! Advice cells: each alone, and everything of one honest witness in another.

use std::collections::{BTreeMap, BTreeSet};

use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng;

use super::planner::Mutation;
use super::stage::{Cells, KINDS, Kind, Stage};
use super::*;
use crate::roots::ROOTS;

/// How a cell is changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Change {
    OneMore,
    Random,
    Zero,
}

pub(super) const CHANGES: [Change; 3] = [Change::OneMore, Change::Random, Change::Zero];

/// What refuses a mutant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Verdict {
    /// A gate or the lookup.
    Constraint,
    /// The circuit takes it, for the cell is multiplied by nothing; it stands in a linked column, where the link refuses every other value.
    Link,
    /// Nothing refuses it, and nothing reads it.
    Unread,
}

/// How many mutants there were, and what became of them.
#[derive(Debug, Default)]
pub(super) struct Tally(pub(super) BTreeMap<(Kind, Change, Verdict), usize>);

/// Changes every advice cell that the circuit assigns, one at a time. A mutant that the circuit takes, though something other than zero is
/// multiplied with the cell, or one that it refuses although nothing is, is an error.
pub(super) fn every_cell(stage: &Stage, changes: &[Change], judge: impl Fn(&Mutation) -> Vec<String>) -> Tally {
    let mut generator = ChaCha20Rng::seed_from_u64(1);
    let mut tally = Tally::default();
    for (column, row, value) in stage.trace.advice() {
        for change in changes {
            let other = match change {
                Change::OneMore => *value + Fp::ONE,
                Change::Random => Fp::random(&mut generator),
                Change::Zero => Fp::ZERO,
            };
            if other == *value {
                continue;
            }
            let mutation = Mutation {
                advice: [((*column, *row), other)].into(),
                ..Mutation::default()
            };
            let cells = stage.changed(&mutation);
            let (kind, index) = stage.role(*column);
            let read = !stage.multiplied_by_nothing(&cells, *column, *row);
            let out_of_range = kind == Kind::Z && !stage.limbs_in_range(&cells, *column, *row);
            let refused_by = judge(&mutation);
            assert_eq!(
                !refused_by.is_empty(),
                read || out_of_range,
                "{change:?} in row {row} of {kind:?} {index}: refused by {refused_by:?}"
            );
            let verdict = match (refused_by.is_empty(), stage.linked(*column)) {
                (false, _) => Verdict::Constraint,
                (true, true) => Verdict::Link,
                (true, false) => Verdict::Unread,
            };
            *tally.0.entry((kind, *change, verdict)).or_default() += 1;
        }
    }
    tally
}

/// How many mutants of a kind the circuit takes, counted from program, book and shape, not from any circuit's columns.
pub(super) fn taken(stage: &Stage, kind: Kind, change: Change) -> usize {
    let (placement, shape, program) = (&stage.honest.placement, stage.shape(), &stage.program);
    let (rows, layout) = (stage.last() + 1, program.layout());
    let lots = &stage.honest.witness.q;
    let held: BTreeSet<LegId> = (layout.legs().iter().copied())
        .filter(|leg| lots[layout.column_of(*leg)][layout.row_of(*leg)] != Fp::ZERO)
        .collect();
    let priced: BTreeSet<LegId> = (program.equations().iter())
        .flat_map(|equation| equation.legs.iter().map(|(leg, _)| *leg))
        .collect();
    let cells_of_roots = ROOTS * placement.squares();
    // Rows of a group in which some root is not zero.
    let rows_of_roots: BTreeSet<(usize, usize)> = (0..placement.squares())
        .flat_map(|sum| placement.roots(sum))
        .filter(|(column, row)| stage.honest.witness.x[*column][*row] != Fp::ZERO)
        .map(|(column, row)| (column / shape.x_group(), row))
        .collect();
    match (kind, change) {
        (Kind::Acc, _) => 0,
        // A leg that no equation knows, a row that is no leg.
        (Kind::Q, Change::Zero) => held.difference(&priced).count(),
        (Kind::Q, _) => shape.q_columns() * rows - priced.len(),
        // What is no root is zero already.
        (Kind::X, Change::Zero) => 0,
        (Kind::X, _) => shape.x_columns() * rows - cells_of_roots - shape.masked(),
        // Of what is multiplied by nothing, a zero alone is a limb and stays one.
        (Kind::Z, Change::OneMore) => {
            let in_runs: usize = shape.runs().iter().map(|run| run.limbs).sum();
            let idle_heads = shape.runs().len() * shape.z_columns() - stage.runs().len();
            shape.z_columns() * (rows - in_runs) + idle_heads
        }
        (Kind::Z, _) => 0,
        // Where nothing is held, where no root is.
        (Kind::Public, Change::Zero) => {
            let rows_of_sums = cells_of_roots / shape.x_group();
            priced.difference(&held).count() + 2 * (rows_of_sums - rows_of_roots.len())
        }
        (Kind::Public, _) => {
            // The masks have rows of their own, and each accumulator an end.
            let read = held.len() + 2 * (rows_of_roots.len() + PROJECTIONS) + shape.x_group();
            shape.public_columns() * rows - read
        }
    }
}

/// What came of splicing.
#[derive(Debug, Default)]
pub(super) struct Spliced {
    pub(super) refused: usize,
    pub(super) by_link: usize,
    pub(super) unread: usize,
}

/// Puts what a donor has in place of what the host has: every region, every set of kinds of columns, every column, row, run and sum of
/// squares, all rows from the first and all to the last.
pub(super) fn every_splice(host: &Stage, donor: &Stage, judge: impl Fn(&Mutation) -> Vec<String>) -> Spliced {
    let mut spliced = Spliced::default();
    for (name, cells) in selections(host) {
        let advice: Cells = cells
            .into_iter()
            .map(|cell| (cell, donor.cells[&cell]))
            .filter(|(cell, value)| host.cells[cell] != *value)
            .collect();
        if advice.is_empty() {
            continue;
        }
        let mutation = Mutation {
            advice,
            ..Mutation::default()
        };
        if !judge(&mutation).is_empty() {
            spliced.refused += 1;
            continue;
        }
        // What the circuit takes: cells that nothing is multiplied with, or the donor as a whole, of the very same program.
        let cells = host.changed(&mutation);
        let unread = |column: Column<Advice>, row: usize| host.multiplied_by_nothing(&cells, column, row);
        let changed = || mutation.advice.keys().copied();
        let nothing_read = changed().all(|(column, row)| unread(column, row));
        let all_of_donor = cells
            .iter()
            .all(|(cell, value)| *value == donor.cells[cell] || unread(cell.0, cell.1));
        assert!(nothing_read || all_of_donor, "{name} of the donor is taken");
        match changed().any(|(column, _)| host.linked(column)) {
            true => spliced.by_link += 1,
            false if nothing_read => spliced.unread += 1,
            false => panic!("{name} of the donor is taken, and the link ties none of it"),
        }
    }
    spliced
}

type Selection = BTreeSet<(Column<Advice>, usize)>;

fn selections(host: &Stage) -> Vec<(String, Selection)> {
    let all: Selection = host.cells.keys().copied().collect();
    let select = |wanted: &dyn Fn(Column<Advice>, usize) -> bool| -> Selection {
        let cells = all.iter().filter(|(column, row)| wanted(*column, *row));
        cells.copied().collect()
    };
    let mut selections: Vec<(String, Selection)> = Vec::new();
    for (name, cells) in &host.trace.regions {
        let cells = cells.iter().map(|(column, row, _)| (*column, *row));
        selections.push((format!("region {name}"), cells.collect()));
    }
    for set in 1..1_usize << KINDS.len() {
        let kinds: Vec<Kind> = (0..KINDS.len())
            .filter(|bit| set >> bit & 1 == 1)
            .map(|bit| KINDS[bit])
            .collect();
        let cells = select(&|column, _| kinds.contains(&host.role(column).0));
        selections.push((format!("columns {kinds:?}"), cells));
    }
    let columns: BTreeSet<Column<Advice>> = all.iter().map(|(column, _)| *column).collect();
    for column in columns {
        let (kind, index) = host.role(column);
        selections.push((format!("column {kind:?} {index}"), select(&|other, _| other == column)));
    }
    for row in 0..=host.last() {
        selections.push((format!("row {row}"), select(&|_, other| other == row)));
        selections.push((format!("rows up to {row}"), select(&|_, other| other <= row)));
        selections.push((format!("rows from {row}"), select(&|_, other| other >= row)));
    }
    for cell in host.runs() {
        let rows = cell.row..cell.row + cell.limbs;
        let run = select(&|column, row| host.role(column) == (Kind::Z, cell.column) && rows.contains(&row));
        selections.push((format!("run {} of z {}", cell.row, cell.column), run));
    }
    for sum in 0..host.honest.placement.squares() {
        let roots: Vec<(usize, usize)> = host.honest.placement.roots(sum).collect();
        let cells = select(&|column, row| match host.role(column) {
            (Kind::X, index) => roots.contains(&(index, row)),
            _ => false,
        });
        selections.push((format!("roots of sum {sum}"), cells));
    }
    selections
}
