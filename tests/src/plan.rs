//! The shape of a program's circuit and the places of its variables, by the rule of protocol §5.

use ff::PrimeField;
use pasta_curves::Fp;
use rand_chacha::ChaCha20Rng;
use rand_core::Rng;
use zkmargin_program::Program;

use crate::circuit::blinding_factors;
use crate::squares::{PROJECTIONS, ROOTS};

/// The head of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cell {
    /// The `z` column.
    pub column: usize,
    /// The head of its run.
    pub row: usize,
}

/// Where a variable stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// In a run of limbs.
    Run(Cell),
    /// It is the sum of squares with this index.
    Squares(usize),
}

/// What is shown of the accumulators at their ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ends {
    /// That each ends with its own `γ_t`: the protocol.
    Each,
    /// That they end with numbers that add up to what the `γ_t` add up to.
    Sum,
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
    /// `g`: columns in a group of `x` columns, and accumulators.
    pub group: usize,
    /// Groups of `x` columns.
    pub groups: usize,
    /// One per variable.
    pub places: Vec<Place>,
    /// `P`; none if there are no sums of squares.
    pub projections: usize,
    /// The row of the first group in which `μ_0` stands; the others follow it.
    pub masks_from: usize,
    /// The row of the first group from which on the sums take theirs.
    pub sums_from: usize,
    /// `β`.
    pub beta: u32,
    /// `ω`.
    pub omega: u32,
    /// What is shown at the end.
    pub ends: Ends,
    /// Sums of squares.
    pub squares: usize,
    /// The last usable row.
    pub last: usize,
}

/// What stands in runs: how wide it is, and whether it is squared.
type InRuns = Vec<(u32, bool)>;

impl Plan {
    /// The plan of a program: of all `g` and `K` the cheapest, the smallest `g` and then the widest limb of equals.
    pub fn of(program: &Program) -> Self {
        [1, 2, 4]
            .into_iter()
            .flat_map(|group| Self::candidates(program, group))
            .reduce(|best, next| if next.cost() < best.cost() { next } else { best })
            .expect("the program fits")
    }

    /// The cheapest plan with groups of so many columns.
    pub fn with_group(program: &Program, group: usize) -> Self {
        Self::candidates(program, group)
            .into_iter()
            .reduce(|best, next| if next.cost() < best.cost() { next } else { best })
            .expect("the program fits")
    }

    fn candidates(program: &Program, group: usize) -> Vec<Self> {
        let whole: Vec<bool> = program.variables().iter().map(|variable| variable.whole).collect();
        Self::candidates_with(program, group, &whole)
    }

    /// The cheapest plan in which other variables than the program's rule says stand in runs.
    pub fn with_whole(program: &Program, whole: &[bool]) -> Self {
        [1, 2, 4]
            .into_iter()
            .flat_map(|group| Self::candidates_with(program, group, whole))
            .reduce(|best, next| if next.cost() < best.cost() { next } else { best })
            .expect("the program fits")
    }

    fn candidates_with(program: &Program, group: usize, whole: &[bool]) -> Vec<Self> {
        let k = program.layout().k();
        if group > 1 && whole.iter().all(|whole| *whole) {
            return Vec::new();
        }
        (1..=3)
            .filter_map(|narrower| Self::with_limbs(program, group, whole, k - narrower))
            .filter(|plan| group <= plan.public_columns())
            .collect()
    }

    fn cost(&self) -> usize {
        8 * self.z_columns + 2 * self.x_columns() + 8 * self.groups + 3 * self.group
    }

    fn with_limbs(program: &Program, group: usize, whole: &[bool], limb_bits: u32) -> Option<Self> {
        let squared: std::collections::BTreeSet<usize> = program
            .equations()
            .iter()
            .flat_map(|equation| equation.squares.iter().map(|(variable, _)| variable.index()))
            .collect();
        let variables = program.variables();
        let is_run = |j: &usize| whole[*j];
        let in_runs: InRuns = (0..variables.len())
            .filter(is_run)
            .map(|j| (variables[j].bits, squared.contains(&j)))
            .collect();
        let sums: Vec<u32> = (0..variables.len())
            .filter(|j| !is_run(j))
            .map(|j| variables[j].bits)
            .collect();
        let mut plan = Self {
            k: program.layout().k(),
            q_columns: program.layout().columns(),
            z_columns: 0,
            square_columns: 0,
            limb_bits,
            runs: Vec::new(),
            m: Vec::new(),
            group,
            groups: 0,
            places: Vec::new(),
            projections: 0,
            masks_from: 0,
            sums_from: 0,
            beta: 0,
            omega: 0,
            ends: Ends::Each,
            squares: sums.len(),
            last: 0,
        };
        let cells = (0..=128).find_map(|columns| {
            (0..=columns).find_map(|square_columns| plan.arrange(&in_runs, columns, square_columns))
        })?;
        let mut run = cells.iter();
        let mut index = 0..;
        plan.places = (0..variables.len())
            .map(|j| match is_run(&j) {
                true => Place::Run(*run.next().expect("a run")),
                false => Place::Squares(index.next().expect("an index")),
            })
            .collect();
        if !sums.is_empty() {
            plan.projections = PROJECTIONS;
            plan.sums_from = PROJECTIONS;
            plan.beta = projection_bits(&sums);
            plan.omega = (plan.beta + MASK_BITS).next_multiple_of(8);
            plan.groups = (plan.places_before() + sums.len()).div_ceil(plan.sums_per_group());
        }
        plan.m = plan.multipliers();
        Some(plan)
    }

    /// Deals out what stands in runs: sorted by length, longest first, a row of runs at a time; what is squared to the first columns.
    fn arrange(&mut self, in_runs: &InRuns, z_columns: usize, square_columns: usize) -> Option<Vec<Cell>> {
        let limbs = |j: usize| in_runs[j].0.div_ceil(self.limb_bits).max(1) as usize;
        let mut order: Vec<usize> = (0..in_runs.len()).collect();
        order.sort_by_key(|j| (std::cmp::Reverse(limbs(*j)), *j));
        let (squares, others): (Vec<usize>, Vec<usize>) = order.into_iter().partition(|j| in_runs[*j].1);
        let plain_columns = z_columns - square_columns;
        // Squares have columns of their own, and there are such columns only if something is squared.
        let square_rows = rows(squares.len(), square_columns).filter(|rows| (*rows > 0) == (square_columns > 0))?;
        let plain_rows = rows(others.len(), plain_columns)?;
        let mut cells = vec![Cell { column: 0, row: 0 }; in_runs.len()];
        let mut runs = Vec::new();
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
                cells[j] = Cell { column, row: start };
                length = length.max(limbs(j));
            }
            runs.push((start, length));
            start += length;
        }
        // A constraint system is slow to build: only where the runs could fit.
        if start >= 1 << self.k {
            return None;
        }
        let plan = Self {
            z_columns,
            square_columns,
            runs,
            groups: self.squares.min(1),
            ..self.clone()
        };
        let last = (1 << self.k) - blinding_factors(&plan) - 2;
        if start > last {
            return None;
        }
        *self = Self { last, ..plan };
        Some(cells)
    }

    /// Sums of squares that a group of `x` columns holds.
    fn sums_per_group(&self) -> usize {
        self.last / self.rows_per_sum()
    }

    fn rows_per_sum(&self) -> usize {
        ROOTS / self.group
    }

    /// How many sums would stand in the rows of the first group that are for masks.
    fn places_before(&self) -> usize {
        self.sums_from.div_ceil(self.rows_per_sum())
    }

    /// Group and rows of the roots of a sum of squares.
    pub fn rows_of(&self, sum: usize) -> (usize, std::ops::Range<usize>) {
        let place = self.places_before() + sum;
        let first = place % self.sums_per_group() * self.rows_per_sum();
        (place / self.sums_per_group(), first..first + self.rows_per_sum())
    }

    /// Column and row of each root of a sum of squares: row by row.
    pub fn roots(&self, sum: usize) -> [(usize, usize); ROOTS] {
        let (group, rows) = self.rows_of(sum);
        std::array::from_fn(|root| (group * self.group + root % self.group, rows.start + root / self.group))
    }

    /// `m` of the runs: `2^K` inside a run, `0` on its last row and outside.
    pub fn multipliers(&self) -> Vec<u64> {
        let mut m = vec![0; self.last + 1];
        for (start, limbs) in &self.runs {
            m[*start..start + limbs - 1].fill(1 << self.limb_bits);
        }
        m
    }

    /// Cells in the run with this head.
    pub fn limbs(&self, cell: Cell) -> usize {
        self.runs
            .iter()
            .find(|(start, _)| *start == cell.row)
            .map_or(0, |(_, limbs)| *limbs)
    }

    /// The head of a whole variable's run.
    pub fn head(&self, variable: usize) -> Cell {
        match self.places[variable] {
            Place::Run(cell) => cell,
            Place::Squares(_) => panic!("a sum of squares"),
        }
    }

    /// The rows of the masks in the columns of the first group.
    pub fn rows_of_masks(&self) -> std::ops::Range<usize> {
        self.masks_from..self.masks_from + self.projections
    }

    /// How many masks there are, and masked projections.
    pub fn masked(&self) -> usize {
        self.projections * self.group
    }

    /// `ω/8`: bytes of a masked projection.
    pub fn masked_bytes(&self) -> usize {
        self.omega.div_ceil(8) as usize
    }

    /// A mask: uniform below `2^ω`, or as far as the field has whole bytes.
    pub fn mask(&self, generator: &mut ChaCha20Rng) -> Fp {
        let mut bytes = [0; 32];
        let bits = self.omega.min(248);
        let whole = bits as usize / 8;
        generator.fill_bytes(&mut bytes[..=whole]);
        bytes[whole] &= (1 << (bits % 8)) - 1;
        Fp::from_repr(bytes).expect("canonical")
    }

    /// Where in a proof of one claim the masked projections are.
    pub fn masked_at(&self) -> std::ops::Range<usize> {
        let start = 32 * self.z_at();
        start..start + self.masked() * self.masked_bytes()
    }

    /// Where in a proof of one claim `T` is, and the responses are.
    pub fn link_at(&self) -> std::ops::Range<usize> {
        let start = 32 * self.acc_at() + self.masked_at().len();
        start..start + 32 * (1 + self.unusable() + 1)
    }

    /// Rows that the library fills with random values.
    pub fn unusable(&self) -> usize {
        (1 << self.k) - self.last - 1
    }

    /// The roots' columns.
    pub fn x_columns(&self) -> usize {
        self.groups * self.group
    }

    /// Columns that the link ties to public ones: `a, b, s`.
    pub fn public_columns(&self) -> usize {
        self.q_columns + 2 * self.groups
    }

    /// Advice columns: `q, x, z, a, b, s, acc`.
    pub fn advice_columns(&self) -> usize {
        self.acc_at() + self.group
    }

    /// Advice columns before `z`: those that are committed to before `e`.
    pub fn z_at(&self) -> usize {
        self.q_columns + self.x_columns()
    }

    /// Advice columns before `a`.
    pub fn public_at(&self) -> usize {
        self.z_at() + self.z_columns
    }

    /// Advice columns before the accumulators: all that are committed to before step 4.
    pub fn acc_at(&self) -> usize {
        self.public_at() + self.public_columns()
    }

    /// Advice columns that are linked, in the order of the link's weights.
    pub fn linked(&self) -> impl Iterator<Item = usize> + use<> {
        (0..self.q_columns).chain(self.public_at()..self.acc_at())
    }

    /// How many columns a circuit adds to the link.
    pub fn linked_columns(&self) -> usize {
        self.q_columns + self.public_columns()
    }

    /// Multipliers that are drawn from `r`: of the equations, then of the projections.
    pub fn drawn(&self, program: &Program) -> usize {
        program.equations().len() + self.projections
    }
}

/// `ω − β`, at least.
const MASK_BITS: u32 = 16;

/// Bits of `15·Σ_j 2·2^{⌈b_j/2⌉}`.
fn projection_bits(widths: &[u32]) -> u32 {
    let most: u128 = widths.iter().map(|bits| 15 * 2 * (1_u128 << bits.div_ceil(2))).sum();
    128 - most.leading_zeros()
}

/// Rows of runs that `count` variables take in so many columns.
fn rows(count: usize, columns: usize) -> Option<usize> {
    match (count, columns) {
        (0, _) => Some(0),
        (_, 0) => None,
        (count, columns) => Some(count.div_ceil(columns)),
    }
}
