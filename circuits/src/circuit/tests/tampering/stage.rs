//! An honest circuit on stage: what it assigns, what each of its columns is for, and what a cell is multiplied by.

use std::collections::BTreeMap;

use super::planner::{Mutation, Tampered, Trace};
use super::*;

/// Book, public order and public deposit: of two pairs both legs are held.
const HOST: [(usize, u64); 5] = [(0, 10), (1, 3), (2, 4), (48, 6), (49, 4)];
/// Another book that satisfies the same programs.
const DONOR: [(usize, u64); 5] = [(0, 25), (1, 2), (3, 2), (48, 9), (49, 5)];

/// What a column is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Kind {
    Q,
    X,
    Z,
    Public,
    Acc,
}

pub(super) const KINDS: [Kind; 5] = [Kind::Q, Kind::X, Kind::Z, Kind::Public, Kind::Acc];

/// The values of all advice cells.
pub(super) type Cells = BTreeMap<(Column<Advice>, usize), Fp>;

/// An honest circuit, and what it assigns.
pub(super) struct Stage {
    pub(super) program: Program,
    pub(super) honest: Honest,
    pub(super) config: Config,
    pub(super) trace: Trace,
    pub(super) cells: Cells,
    columns: BTreeMap<Kind, Vec<Column<Advice>>>,
    roles: BTreeMap<Column<Advice>, (Kind, usize)>,
}

/// Items under the square root.
const ITEMS: i128 = 6;
/// Choices of the smaller of two charges: two bits each.
const CHOICES: i128 = 6;

/// Two columns, an order on one pair and a deposit on another, a square root, choices, a maximum: every kind of column, runs of several
/// lengths. `tilt` changes coefficients and leaves the shape.
fn program(requirements: i128, tilt: i128) -> Program {
    let legs: Vec<LegId> = [0, 1, 2, 3, 48, 49].map(LegId::new).to_vec();
    let pairs = [(0, 1), (2, 3), (48, 49)].map(|(a, b)| Pair {
        first: LegId::new(a),
        second: LegId::new(b),
    });
    let layout = Layout::new(K, vec![0, 1], legs, pairs.to_vec()).unwrap();
    let header = Header {
        numeraire: "USD".into(),
        unit_exponent: -10,
        value_bits: 20,
    };
    let mut builder = Builder::new(layout, header).unwrap();
    builder.net(pairs[0], u64::MAX).unwrap();
    builder.net(pairs[2], u64::MAX).unwrap();
    let whole = |units: i128| Real::from_ratio(Ratio::new(units, 1).unwrap()).unwrap();
    let form = |terms: &[(u32, i128)], constant: i128| {
        let mut linear = Linear::zero();
        for (leg, units) in terms {
            linear.add_leg(LegId::new(*leg), whole(*units));
        }
        linear.add_constant(whole(constant));
        linear
    };
    let items: Vec<_> = (0..ITEMS)
        .map(|index| {
            let item = form(
                &[(0, 2 + index), (1, -2 - index), (2, 1), (3, -1), (48, 1), (49, -1)],
                0,
            );
            builder.absolute("item", &item).unwrap()
        })
        .collect();
    let mut charge = builder.norm("norm", items.clone()).unwrap();
    for index in 0..CHOICES {
        let other = builder.upper(&form(&[(0, index), (1, 1), (2, 3), (3, 4)], 0)).unwrap();
        charge = charge + builder.any_of_upper("charge", items[0].clone(), other).unwrap();
    }
    let losses = [[(0, 1), (1, -1), (2, -3), (3, 4)], [(0, -1), (1, 2), (2, 3), (3, -3)]];
    let losses: Vec<_> = losses
        .iter()
        .map(|loss| builder.upper(&form(loss, 0)).unwrap())
        .collect();
    let worst = builder.max_non_negative("worst", losses).unwrap();
    let equity = [(0, 900 + tilt), (1, -901 - tilt), (2, 90), (3, -91), (48, 7), (49, -8)];
    let equity = builder.lower(&form(&equity, 3)).unwrap();
    builder.require_non_negative("margin", equity - charge - worst).unwrap();
    for index in 0..requirements {
        let value = [(0, 5 + index), (1, -5 - index), (3, -1), (48, 7), (49, -8)];
        let value = builder.lower(&form(&value, 3 * index)).unwrap();
        builder.require_non_negative("more", value).unwrap();
    }
    builder.finish().unwrap()
}

fn book(legs: &[(usize, u64)]) -> Vec<u64> {
    let mut book = vec![0; 96];
    legs.iter().for_each(|(leg, lots)| book[*leg] = *lots);
    book
}

/// As many requirements beside the margin as fill more than one group of `x` columns.
fn requirements(group: usize) -> i128 {
    match group {
        1 => 0,
        2 => 6,
        _ => 30,
    }
}

impl Stage {
    /// The circuit that is tampered with.
    pub(super) fn host(group: usize) -> Self {
        Self::of(program(requirements(group), 0), &HOST, group)
    }

    /// An honest witness of the same program, and one of another program of the same shape.
    pub(super) fn donors(group: usize) -> [(&'static str, Self); 2] {
        [0, 1].map(|tilt| {
            let program = program(requirements(group), tilt);
            let name = ["another book", "another program"][tilt as usize];
            (name, Self::of(program, &DONOR, group))
        })
    }

    fn of(program: Program, legs: &[(usize, u64)], group: usize) -> Self {
        let honest = honest_of(&program, &book(legs), group);
        Self::on(program, honest)
    }

    /// The stage of a circuit with these columns, which need not be a program's.
    pub(super) fn on(program: Program, honest: Honest) -> Self {
        let (trace, config) = Trace::of(&honest.circuit());
        let cells = trace
            .advice()
            .map(|(column, row, value)| ((*column, *row), *value))
            .collect();
        let columns: BTreeMap<Kind, Vec<Column<Advice>>> = [
            (Kind::Q, config.q.clone()),
            (Kind::X, config.x.clone()),
            (Kind::Z, config.z.clone()),
            (Kind::Public, config.public.clone()),
            (Kind::Acc, config.acc.clone()),
        ]
        .into();
        let roles = columns
            .iter()
            .flat_map(|(kind, columns)| {
                columns
                    .iter()
                    .enumerate()
                    .map(|(index, column)| (*column, (*kind, index)))
            })
            .collect();
        Self {
            program,
            honest,
            config,
            trace,
            cells,
            columns,
            roles,
        }
    }

    pub(super) fn shape(&self) -> &Shape {
        self.honest.placement.shape()
    }

    pub(super) fn last(&self) -> usize {
        self.honest.placement.last()
    }

    /// What a column is for, and its index among those. A column without a role would be one that nothing is said about here.
    pub(super) fn role(&self, column: Column<Advice>) -> (Kind, usize) {
        *self.roles.get(&column).expect("a column with a role")
    }

    /// The constraints that refuse the mutant.
    pub(super) fn refused_by(&self, mutation: &Mutation) -> Vec<String> {
        self.judge(mutation, &self.honest)
    }

    /// The constraints, under a mutation, that refuse other columns.
    pub(super) fn judge(&self, mutation: &Mutation, columns: &Honest) -> Vec<String> {
        let circuit = Tampered(columns.circuit());
        let run = || MockProver::run(K, &circuit, columns.instance.clone()).unwrap().verify();
        let verdict = with_shape(self.shape(), || Tampered::under(mutation, run));
        names(verdict.err().unwrap_or_default())
    }

    /// The cells of a mutant.
    pub(super) fn changed(&self, mutation: &Mutation) -> Cells {
        let mut cells = self.cells.clone();
        for (cell, value) in &mutation.advice {
            let own = cells.get_mut(cell).expect("a cell that the circuit assigns");
            *own = *value;
        }
        cells
    }

    fn at(&self, cells: &Cells, kind: Kind, index: usize, row: usize) -> Fp {
        cells[&(self.columns[&kind][index], row)]
    }

    /// Everything that a cell is multiplied by, in any gate.
    fn factors(&self, cells: &Cells, column: Column<Advice>, row: usize) -> Vec<Fp> {
        let (shape, last) = (self.shape(), self.last());
        let (q, g, groups) = (shape.q_columns(), shape.x_group(), shape.x_groups());
        let at = |kind, index| self.at(cells, kind, index, row);
        match self.role(column) {
            (Kind::Acc, _) => vec![Fp::ONE],
            // In the last row stand the ends of the accumulators.
            (Kind::Public, index) if row == last => match index < g {
                true => vec![Fp::ONE],
                false => Vec::new(),
            },
            // The row gate ends above the last row.
            _ if row == last => Vec::new(),
            (Kind::Q, index) => vec![at(Kind::Public, index)],
            (Kind::X, index) => vec![
                at(Kind::Public, q + index / g),
                at(Kind::Public, q + groups + index / g),
            ],
            (Kind::Z, index) => {
                let squares = index + shape.z_columns();
                let of_square = (index < shape.square_columns()).then(|| self.honest.instance[squares][row]);
                [self.honest.instance[index][row]]
                    .into_iter()
                    .chain(of_square)
                    .collect()
            }
            (Kind::Public, index) if index < q => vec![at(Kind::Q, index)],
            (Kind::Public, index) => {
                let group = (index - q) % groups;
                (group * g..(group + 1) * g).map(|x| at(Kind::X, x)).collect()
            }
        }
    }

    /// Whether everything that a cell is multiplied by is zero.
    pub(super) fn multiplied_by_nothing(&self, cells: &Cells, column: Column<Advice>, row: usize) -> bool {
        self.factors(cells, column, row)
            .iter()
            .all(|factor| *factor == Fp::ZERO)
    }

    /// Whether the table has the limb in a row of a `z` column, and the one above, which the cell is part of, too.
    pub(super) fn limbs_in_range(&self, cells: &Cells, column: Column<Advice>, row: usize) -> bool {
        let limb = |row: usize| {
            let m = self.trace.fixed.get(&(self.m(), row)).copied().unwrap_or(Fp::ZERO);
            let next = cells.get(&(column, row + 1)).copied().unwrap_or(Fp::ZERO);
            cells[&(column, row)] - m * next
        };
        let table = 1_u64 << self.shape().limb_bits();
        let in_table = |row: usize| (0..table).any(|value| limb(row) == Fp::from(value));
        (row.saturating_sub(1)..=row).all(in_table)
    }

    /// Whether the link ties a column to what the verifier has from elsewhere.
    pub(super) fn linked(&self, column: Column<Advice>) -> bool {
        matches!(self.role(column).0, Kind::Q | Kind::Public)
    }

    /// The column of the multipliers.
    pub(super) fn m(&self) -> Column<Fixed> {
        let (m, _) = self.config.limbs.expect("the programs here have whole variables");
        m
    }

    /// The heads of runs of whole variables, with the cells of each run.
    pub(super) fn runs(&self) -> Vec<Cell> {
        let placement = &self.honest.placement;
        let of_variables = placement.places().iter().filter_map(|place| match place {
            Place::Run(cell) => Some(*cell),
            Place::Squares(_) => None,
        });
        of_variables.collect()
    }
}
