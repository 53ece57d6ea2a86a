//! The shape of a program's circuit and the places of its variables, by the rule of protocol §5.

use zkmargin_program::Program;

use crate::circuit::blinding_factors;

/// Where a variable stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cell {
    /// The `z` column.
    pub column: usize,
    /// The head of its run.
    pub row: usize,
}

/// A shape with the places of one program's variables.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    /// Columns have `2^k` rows.
    pub k: u32,
    /// Columns of the account vector.
    pub q_columns: usize,
    /// Columns of hidden variables.
    pub z_columns: usize,
    /// `D_q`: how many of them may be squared.
    pub square_columns: usize,
    /// `K`: bits of a limb.
    pub limb_bits: u32,
    /// First row and cells of every run.
    pub runs: Vec<(usize, usize)>,
    /// The fixed column `m`, as far as it is not zero.
    pub m: Vec<u64>,
    /// One per variable.
    pub cells: Vec<Cell>,
    /// The last usable row.
    pub last: usize,
}

impl Plan {
    /// The plan of a program.
    ///
    /// Variables are sorted by length, longest first, and dealt out a row of runs at a time; those that are squared to the
    /// first columns. Of the limb widths `k-1, k-2, k-3` the one with the fewest columns is taken, the widest of equals.
    pub fn of(program: &Program) -> Self {
        let k = program.layout().k();
        (1..=3)
            .filter_map(|narrower| Self::with_limbs(program, k - narrower))
            .reduce(|best, next| if next.z_columns < best.z_columns { next } else { best })
            .expect("the program fits")
    }

    fn with_limbs(program: &Program, limb_bits: u32) -> Option<Self> {
        (1..=128).find_map(|columns| {
            (0..=columns).find_map(|square_columns| Self::with_columns(program, limb_bits, columns, square_columns))
        })
    }

    fn with_columns(program: &Program, limb_bits: u32, z_columns: usize, square_columns: usize) -> Option<Self> {
        let squared: std::collections::BTreeSet<usize> = program
            .equations()
            .iter()
            .flat_map(|equation| equation.squares.iter().map(|(variable, _)| variable.index()))
            .collect();
        let variables = program.variables();
        let limbs = |j: usize| variables[j].bits.div_ceil(limb_bits).max(1) as usize;
        let mut order: Vec<usize> = (0..variables.len()).collect();
        order.sort_by_key(|j| (std::cmp::Reverse(limbs(*j)), *j));
        let (squares, others): (Vec<usize>, Vec<usize>) = order.into_iter().partition(|j| squared.contains(j));
        let mut plan = Self {
            k: program.layout().k(),
            q_columns: program.layout().columns(),
            z_columns,
            square_columns,
            limb_bits,
            runs: Vec::new(),
            m: Vec::new(),
            cells: vec![Cell { column: 0, row: 0 }; variables.len()],
            last: 0,
        };
        let plain_columns = z_columns - square_columns;
        // Squares have columns of their own, and there are such columns only if something is squared.
        let square_rows = rows(squares.len(), square_columns).filter(|rows| (*rows > 0) == (square_columns > 0))?;
        let plain_rows = rows(others.len(), plain_columns)?;
        let mut start = 0;
        for row in 0..square_rows.max(plain_rows) {
            let members = (0..z_columns).filter_map(|column| {
                let from = match column.checked_sub(square_columns) {
                    None => squares.get(row * square_columns + column),
                    Some(column) => others.get(row * plain_columns + column),
                };
                Some((column, *from?))
            });
            let mut length = 0;
            for (column, j) in members {
                plan.cells[j] = Cell { column, row: start };
                length = length.max(limbs(j));
            }
            plan.runs.push((start, length));
            start += length;
        }
        plan.last = (1 << plan.k) - blinding_factors(&plan) - 2;
        if start > plan.last {
            return None;
        }
        plan.m = plan.multipliers();
        Some(plan)
    }

    /// `m` of the runs: `2^K` inside a run, `0` on its last row and outside.
    pub fn multipliers(&self) -> Vec<u64> {
        let mut m = vec![0; self.last + 1];
        for (start, limbs) in &self.runs {
            m[*start..start + limbs - 1].fill(1 << self.limb_bits);
        }
        m
    }

    /// Cells in the run of a variable.
    pub fn limbs(&self, variable: usize) -> usize {
        let row = self.cells[variable].row;
        self.runs
            .iter()
            .find(|(start, _)| *start == row)
            .map_or(0, |(_, limbs)| *limbs)
    }

    /// Rows that the library fills with random values.
    pub fn unusable(&self) -> usize {
        (1 << self.k) - self.last - 1
    }

    /// Advice columns: `q, z, a, acc`.
    pub fn advice_columns(&self) -> usize {
        2 * self.q_columns + self.z_columns + 1
    }
}

/// Rows of runs that `count` variables take in so many columns.
fn rows(count: usize, columns: usize) -> Option<usize> {
    match (count, columns) {
        (0, _) => Some(0),
        (_, 0) => None,
        (count, columns) => Some(count.div_ceil(columns)),
    }
}
