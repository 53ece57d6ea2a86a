//! The shape of a circuit and where a program's variables stand in it (protocol §4, §5).
//!
//! The key of the circuit depends on the [`Shape`] alone: market data, scenarios and factors change without a new key. The
//! shape follows from the program by one public rule, so that a verifier computes it and never reads it.
//!
//! *Rule.* Variables that are [whole](zkmargin_program::Variable::whole) stand in runs of limbs. One of `b` bits takes a run of
//! `⌈b/K⌉` cells of `K` bits in one `z` column. One fixed column marks the runs of all `z` columns, so runs
//! start in the same rows in each: the variables are sorted by their length and dealt out, a row of runs at a time, each as
//! long as its longest variable. Variables that are squared stand in the first `D_q` columns. `K` is `k-1`, `k-2` or `k-3`.
//!
//! The other variables are sums of four squares ([`roots`]), in the program's order. Their cells are in `x` columns, of
//! which every `g` (1, 2 or 4) share a column `b` and a column `s`: a variable takes `4/g` rows of such a group. The masks of the
//! projections stand in the first rows of the first group. A `g` needs as many accumulators and as many times the projections.
//!
//! Of all `g` and `K` the cheapest is taken, by what a column costs a prover in multi-exponentiations: eight for `z`, which has a
//! lookup, two for `x`, whose numbers are small, eight for `b` and `s`, three for an accumulator; of equals the smallest `g` and the
//! widest limb.

use std::cell::RefCell;

use minicbor::Encoder;
use zkmargin_program::{Layout, Program, Range, VarId};

use crate::circuit;
use crate::roots::{self, PROJECTIONS, ROOTS};
use crate::transcript::{ELEMENT_BYTES, Personal, hash32};

/// More `z` columns than this are refused: the program is too large for one proof.
pub const MAX_Z_COLUMNS: usize = 128;

/// More `x` columns than this are refused, likewise.
pub const MAX_X_COLUMNS: usize = 256;

/// `g`: the numbers of `x` columns that a group may have.
const GROUPS: [usize; 3] = [1, 2, 4];

/// Rows of every column that the proof library blinds, in every shape: as many responses has the link, and one for `W`.
const BLINDED_ROWS: usize = 6;

/// Consecutive rows of every `z` column that hold one variable each.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Run {
    /// The row of the variable itself, the head of its running sum.
    pub start: usize,
    /// Cells in the run.
    pub limbs: usize,
}

/// Everything that the key of a circuit depends on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shape {
    pub(crate) k: u32,
    pub(crate) q_columns: usize,
    pub(crate) z_columns: usize,
    pub(crate) square_columns: usize,
    pub(crate) limb_bits: u32,
    pub(crate) runs: Vec<Run>,
    pub(crate) x_columns: usize,
    pub(crate) x_group: usize,
    pub(crate) masked_bytes: usize,
}

/// Why a program has no shape.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ShapeError {
    /// The variables do not fit into the columns that are allowed.
    #[error(
        "{variables} variables of {bits} bits together need more than {MAX_Z_COLUMNS} columns of limbs or {MAX_X_COLUMNS} columns \
         of roots, each of 2^{k} rows"
    )]
    TooLarge {
        /// Variables of the program.
        variables: usize,
        /// Sum of their widths.
        bits: u64,
        /// `k` of the universe.
        k: u32,
    },
    /// The unusable rows of the circuit reach into the legs.
    #[error("the circuit needs {needed} rows of each column for itself, the protocol reserves {reserved}")]
    ReservedRows {
        /// `blinding_factors() + 2`.
        needed: usize,
        /// Rows that the protocol reserves.
        reserved: usize,
    },
}

impl Shape {
    /// `k`: columns have `n = 2^k` rows.
    pub fn k(&self) -> u32 {
        self.k
    }

    /// Columns of the account vector.
    pub fn q_columns(&self) -> usize {
        self.q_columns
    }

    /// `z` columns, each with a lookup.
    pub fn z_columns(&self) -> usize {
        self.z_columns
    }

    /// `D_q`: the first `z` columns, whose heads may be squared.
    pub fn square_columns(&self) -> usize {
        self.square_columns
    }

    /// `K`: bits of a limb.
    pub fn limb_bits(&self) -> u32 {
        self.limb_bits
    }

    /// The runs, in their order.
    pub fn runs(&self) -> &[Run] {
        &self.runs
    }

    /// `x` columns, the roots of sums of squares.
    pub fn x_columns(&self) -> usize {
        self.x_columns
    }

    /// `g`: `x` columns that share their columns `b` and `s`; also the number of accumulators.
    pub fn x_group(&self) -> usize {
        self.x_group
    }

    /// `ω/8`: bytes of a masked projection; none if there are no `x` columns.
    pub fn masked_bytes(&self) -> usize {
        self.masked_bytes
    }

    /// Masked projections `u_{p,t}`, `p` running fastest.
    pub fn masked(&self) -> usize {
        if self.x_columns == 0 {
            0
        } else {
            PROJECTIONS * self.x_group
        }
    }

    /// Groups of `x` columns.
    pub(crate) fn x_groups(&self) -> usize {
        self.x_columns / self.x_group
    }

    /// Columns that are linked to public ones: `a` of the folded matrix, `b` of the folded projections, `s` of the roots.
    pub(crate) fn public_columns(&self) -> usize {
        self.q_columns + 2 * self.x_groups()
    }

    /// Columns of what is hidden and committed before the challenge `e`.
    pub(crate) fn hidden_columns(&self) -> usize {
        self.q_columns + self.x_columns
    }

    /// What the columns that depend on the program cost a prover: eight for one with a lookup, the others in proportion to their
    /// multi-exponentiations. The unit is about eight thousand additions on the curve at `k = 9`.
    pub fn cost(&self) -> usize {
        8 * self.z_columns + 2 * self.x_columns + 8 * self.x_groups() + 3 * self.x_group
    }

    /// Bytes of a proof of one statement with this shape.
    pub fn proof_bytes(&self) -> usize {
        self.proof_bytes_of(1)
    }

    /// Bytes of a proof of so many statements with this shape.
    pub fn proof_bytes_of(&self, statements: usize) -> usize {
        self.shared_bytes() + statements * self.statement_bytes()
    }

    /// Most statements with this shape whose proof has at most so many bytes.
    pub fn statements_within(&self, bytes: usize) -> usize {
        bytes.saturating_sub(self.shared_bytes()) / self.statement_bytes()
    }

    /// What a proof has for each statement.
    ///
    /// The masked projections, and elements of 32 bytes: `C'` of `q`, `x`, `z`, `a`, `b`, `s` and each `acc`; per lookup three commitments
    /// and five evaluations; an evaluation of each column at each point at which it is asked for.
    fn statement_bytes(&self) -> usize {
        let linked = self.hidden_columns() + self.public_columns();
        let columns = (linked + self.z_columns + self.x_group) + 3 * self.z_columns;
        // `q`, `x`, `a`, `b` and `s` here; `z` and `acc` here and in the next row; `f`, `s'`.
        let advice = linked + 2 * self.z_columns + 2 * self.x_group;
        let evaluations = advice + self.z_columns + self.square_columns + 5 * self.z_columns;
        self.masked() * self.masked_bytes + ELEMENT_BYTES * (columns + evaluations)
    }

    /// What a proof has once, however many its statements are.
    ///
    /// Elements of 32 bytes: the link's `T` and responses; the random polynomial and the quotient's pieces, one more if there are lookups; the
    /// evaluations of `m`, the limbs, two of the selectors and the random polynomial; the opening at two sets of points, or three if there are
    /// lookups; two elements per round of the inner-product argument.
    fn shared_bytes(&self) -> usize {
        let lookups = usize::from(self.z_columns > 0);
        let link = 1 + BLINDED_ROWS + 1;
        let vanishing = 1 + 3 + lookups;
        let evaluations = 2 * lookups + 2 + 1;
        let opening = 1 + 2 + lookups + 1 + 2 * self.k as usize + 2;
        ELEMENT_BYTES * (link + vanishing + evaluations + opening)
    }

    /// `n = 2^k`.
    pub(crate) fn n(&self) -> usize {
        1 << self.k
    }

    /// Advice columns of one circuit: `q, x, z, a, b, s, acc`.
    #[cfg(feature = "prove")]
    pub(crate) fn advice_columns(&self) -> usize {
        self.hidden_columns() + self.z_columns + self.public_columns() + self.x_group
    }

    /// Rows from the first to the last in which there is a run.
    pub(crate) fn rows_of_runs(&self) -> usize {
        self.runs.last().map_or(0, |run| run.start + run.limbs)
    }

    /// The fixed column `m`: `2^K` inside a run, `0` on its last row and on every other row, among them the last usable one.
    pub(crate) fn m(&self) -> Vec<u64> {
        let mut m = vec![0; self.rows_of_runs()];
        for run in &self.runs {
            let inside = run.start..run.start + run.limbs - 1;
            m[inside].fill(1 << self.limb_bits);
        }
        m
    }

    /// Digest over the canonical CBOR array of the shape's fields.
    pub fn digest(&self) -> [u8; 32] {
        let mut bytes = Vec::new();
        // Writing to memory does not fail, and the numbers encode in shortest form.
        let _ = self.encode(&mut Encoder::new(&mut bytes));
        hash32(Personal::Shape, &[&bytes])
    }

    fn encode(
        &self,
        encoder: &mut Encoder<&mut Vec<u8>>,
    ) -> Result<(), minicbor::encode::Error<std::convert::Infallible>> {
        encoder.array(9)?.u32(self.k)?;
        for columns in [self.q_columns, self.z_columns, self.square_columns] {
            encoder.u64(columns as u64)?;
        }
        encoder.u32(self.limb_bits)?.array(self.runs.len() as u64)?;
        for run in &self.runs {
            encoder.array(2)?.u64(run.start as u64)?.u64(run.limbs as u64)?;
        }
        for number in [self.x_columns, self.x_group, self.masked_bytes] {
            encoder.u64(number as u64)?;
        }
        Ok(())
    }
}

/// The head of a variable's run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Cell {
    pub(crate) column: usize,
    pub(crate) row: usize,
    pub(crate) limbs: usize,
}

/// Where a variable stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// In a run of limbs.
    Run(Cell),
    /// As a sum of squares: the index-th of them.
    Squares(usize),
}

/// A program's variables in a circuit of the program's shape.
#[derive(Clone, Debug)]
pub struct Placement {
    shape: Shape,
    /// One per variable.
    places: Vec<Place>,
    /// Sums of squares.
    squares: usize,
    /// `β`.
    #[cfg_attr(not(feature = "prove"), allow(dead_code))]
    projection_bits: u32,
    /// The last usable row, where the accumulators end.
    last: usize,
}

impl Placement {
    /// The shape of a program and the place of each variable.
    ///
    /// # Errors
    /// [`ShapeError`].
    pub fn new(program: &Program) -> Result<Self, ShapeError> {
        Self::of_groups(program, &GROUPS)
    }

    /// The shapes among which the rule chooses, in the order in which the first of equals is taken.
    ///
    /// # Errors
    /// [`ShapeError::ReservedRows`].
    pub fn candidates(program: &Program) -> Result<Vec<Shape>, ShapeError> {
        let (_, candidates) = arrangements(program, &GROUPS)?;
        Ok(candidates.into_iter().map(|arranged| arranged.shape).collect())
    }

    /// The cheapest with one of these numbers of columns per group.
    pub(crate) fn of_groups(program: &Program, groups: &[usize]) -> Result<Self, ShapeError> {
        let variables = program.variables();
        let (sums, candidates) = arrangements(program, groups)?;
        // `min_by_key` keeps the first of equals.
        let best = candidates.into_iter().min_by_key(|arranged| arranged.shape.cost());
        let Arranged { shape, cells, last } = best.ok_or_else(|| ShapeError::TooLarge {
            variables: variables.len(),
            bits: variables.iter().map(|variable| u64::from(variable.bits)).sum(),
            k: program.layout().k(),
        })?;
        let (mut cells, mut indices) = (cells.into_iter(), 0..);
        let place = |whole: bool| match whole {
            true => cells.next().map(Place::Run),
            false => indices.next().map(Place::Squares),
        };
        let places = variables
            .iter()
            .map(|variable| variable.whole)
            .filter_map(place)
            .collect();
        Ok(Self {
            shape,
            places,
            squares: sums.count,
            projection_bits: sums.projection_bits,
            last,
        })
    }

    /// The shape.
    pub fn shape(&self) -> &Shape {
        &self.shape
    }

    /// What a proof of this shape shows of every variable: of a run `K` times its limbs, as placed.
    pub fn ranges(&self) -> Vec<Range> {
        let width = |cell: &Cell| cell.limbs as u32 * self.shape.limb_bits;
        let sum_of_squares = roots::shown(self.shape.masked_bytes);
        // Runs in one row of runs are as long as the longest of them needs to be.
        let range = |place: &Place| match place {
            Place::Run(cell) => Range::Integer { bits: width(cell) },
            Place::Squares(_) => sum_of_squares,
        };
        self.places.iter().map(range).collect()
    }

    pub(crate) fn place(&self, variable: VarId) -> Place {
        self.places[variable.index()]
    }

    #[cfg(feature = "prove")]
    pub(crate) fn places(&self) -> &[Place] {
        &self.places
    }

    /// Sums of squares.
    pub(crate) fn squares(&self) -> usize {
        self.squares
    }

    /// `β`: bits that hold every projection of an honest prover.
    #[cfg(feature = "prove")]
    pub(crate) fn projection_bits(&self) -> u32 {
        self.projection_bits
    }

    /// The group of a sum of squares, and its rows there, which no other has. The masks stand in the first rows of the first group.
    pub(crate) fn rows_of_roots(&self, index: usize) -> (usize, std::ops::Range<usize>) {
        let rows = ROOTS / self.shape.x_group;
        let per_group = self.last / rows;
        let place = PROJECTIONS / rows + index;
        let first = place % per_group * rows;
        (place / per_group, first..first + rows)
    }

    /// The cells `(x column, row)` of the roots of a sum of squares, row by row.
    #[cfg(feature = "prove")]
    pub(crate) fn roots(&self, index: usize) -> impl Iterator<Item = (usize, usize)> + use<> {
        let width = self.shape.x_group;
        let (group, rows) = self.rows_of_roots(index);
        rows.flat_map(move |row| (group * width..(group + 1) * width).map(move |column| (column, row)))
    }

    /// The last usable row.
    pub(crate) fn last(&self) -> usize {
        self.last
    }

    /// Rows that the proof system fills with random values, from the first of them to `n`.
    pub(crate) fn unusable(&self) -> std::ops::Range<usize> {
        self.last + 1..self.shape.n()
    }
}

/// The sums of squares of a program.
#[derive(Clone, Copy)]
struct Sums {
    count: usize,
    /// `β`.
    projection_bits: u32,
}

/// A shape with the heads of its runs, one per number that was to be placed.
struct Arranged {
    shape: Shape,
    cells: Vec<Cell>,
    last: usize,
}

/// Every arrangement of a program's variables with one of these numbers of columns per group, and what there is of sums of squares.
fn arrangements(program: &Program, groups: &[usize]) -> Result<(Sums, Vec<Arranged>), ShapeError> {
    let k = program.layout().k();
    let variables = program.variables();
    let mut squared = vec![false; variables.len()];
    for (variable, _) in program.equations().iter().flat_map(|equation| &equation.squares) {
        squared[variable.index()] = true;
    }
    let whole = variables.iter().zip(&squared).filter(|(variable, _)| variable.whole);
    let (bits, of_root): (Vec<u32>, Vec<bool>) = whole.map(|(variable, squared)| (variable.bits, squared)).unzip();
    let sums = variables.iter().filter(|variable| !variable.whole);
    let sums = Sums {
        count: variables.len() - bits.len(),
        projection_bits: roots::projection_bits(sums.map(|variable| variable.bits)),
    };
    let groups = if sums.count > 0 { groups } else { &[1] };
    let mut candidates = Vec::new();
    for group in groups {
        for limb_bits in (k - 3..k).rev() {
            candidates.extend(arrange(program.layout(), limb_bits, &bits, &of_root, sums, *group)?);
        }
    }
    Ok((sums, candidates))
}

/// The arrangement with the fewest `z` columns for limbs of `limb_bits` and groups of `x_group` columns of roots, if one exists.
fn arrange(
    layout: &Layout,
    limb_bits: u32,
    bits: &[u32],
    squared: &[bool],
    sums: Sums,
    x_group: usize,
) -> Result<Option<Arranged>, ShapeError> {
    let limbs = |index: &usize| bits[*index].div_ceil(limb_bits).max(1) as usize;
    let by_length = |wanted: bool| {
        let mut indices: Vec<usize> = (0..bits.len()).filter(|index| squared[*index] == wanted).collect();
        // A stable sort: equal lengths stay in program order, so that the placement is a function of the program.
        indices.sort_by_key(|index| std::cmp::Reverse(limbs(index)));
        indices
    };
    let (squares, others) = (by_length(true), by_length(false));
    let total: usize = (0..bits.len()).map(|index| limbs(&index)).sum();
    let fewest = total.div_ceil(1 << layout.k());
    for z_columns in fewest..=MAX_Z_COLUMNS {
        for square_columns in 0..=z_columns.min(squares.len()) {
            let plain_columns = z_columns - square_columns;
            if (square_columns == 0) != squares.is_empty() || (plain_columns == 0 && !others.is_empty()) {
                continue;
            }
            let mut shape = Shape {
                k: layout.k(),
                q_columns: layout.columns(),
                z_columns,
                square_columns,
                limb_bits,
                runs: Vec::new(),
                x_columns: 0,
                x_group,
                masked_bytes: 0,
            };
            let mut cells = vec![
                Cell {
                    column: 0,
                    row: 0,
                    limbs: 0
                };
                bits.len()
            ];
            let mut square_rows = squares.chunks(square_columns.max(1));
            let mut plain_rows = others.chunks(plain_columns.max(1));
            let mut start = 0;
            loop {
                let (heads, more) = (square_rows.next().unwrap_or(&[]), plain_rows.next().unwrap_or(&[]));
                let run: Vec<(usize, usize)> = heads
                    .iter()
                    .copied()
                    .enumerate()
                    .chain(
                        more.iter()
                            .enumerate()
                            .map(|(column, index)| (square_columns + column, *index)),
                    )
                    .collect();
                let Some(length) = run.iter().map(|(_, index)| limbs(index)).max() else {
                    break;
                };
                for (column, index) in run {
                    cells[index] = Cell {
                        column,
                        row: start,
                        limbs: length,
                    };
                }
                shape.runs.push(Run { start, limbs: length });
                start += length;
            }
            // Counting rows is cheap, a constraint system is not: it is asked only when the runs could fit.
            if start >= shape.n() {
                continue;
            }
            // Every run ends above the last usable row: a head there would stand in no equation.
            let last = circuit::last_usable_row(&shape)?;
            if start > last {
                continue;
            }
            if sums.count > 0 {
                let rows = ROOTS / x_group;
                shape.x_columns = (PROJECTIONS / rows + sums.count).div_ceil(last / rows) * x_group;
                shape.masked_bytes = roots::masked_bytes(sums.projection_bits);
            }
            // Every accumulator ends in a public column of its own.
            let fits = shape.x_columns <= MAX_X_COLUMNS && x_group <= shape.public_columns();
            // The roots' columns are asked for once each, fewer times than those that are there already.
            return match fits && circuit::last_usable_row(&shape)? == last {
                true => Ok(Some(Arranged { shape, cells, last })),
                false => Ok(None),
            };
        }
    }
    Ok(None)
}

thread_local! {
    /// The shapes of the circuits that this thread is configuring, innermost last.
    static SHAPES: RefCell<Vec<Shape>> = const { RefCell::new(Vec::new()) };
}

/// Makes a shape known to `Circuit::configure`, which takes no parameter, while a closure runs.
///
/// The proof library calls `configure` on the caller's thread, so a stack per thread is enough, and two threads can prove
/// two shapes.
pub(crate) fn with_shape<T>(shape: &Shape, body: impl FnOnce() -> T) -> T {
    /// Takes the shape away again, also when `body` unwinds.
    struct Scope;
    impl Drop for Scope {
        fn drop(&mut self) {
            SHAPES.with_borrow_mut(Vec::pop);
        }
    }
    SHAPES.with_borrow_mut(|shapes| shapes.push(shape.clone()));
    let _scope = Scope;
    body()
}

/// The innermost shape. Every entry of this crate into the proof library goes through [`with_shape`].
pub(crate) fn current_shape() -> Option<Shape> {
    SHAPES.with_borrow(|shapes| shapes.last().cloned())
}

#[cfg(all(test, feature = "prove"))]
mod tests;
