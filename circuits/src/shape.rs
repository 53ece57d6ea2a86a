//! The shape of a circuit and where a program's variables stand in it (protocol §4, §5).
//!
//! The key of the circuit depends on the [`Shape`] alone: market data, scenarios and factors change without a new key. The
//! shape follows from the program by one public rule, so that a verifier computes it and never reads it.
//!
//! *Rule.* Every variable of `b` bits takes a run of `⌈b/K⌉` cells of `K` bits in one `z` column. One fixed column marks the
//! runs of all `z` columns, so runs start in the same rows in each: the variables are sorted by their length and dealt
//! out, a row of runs at a time, each as long as its longest variable. Variables that are squared stand in the first `D_q`
//! columns. Of the limb widths `K = k-1, k-2, k-3` the one with the fewest `z` columns is taken, the widest of equals: a `z` column costs
//! three commitments of a lookup beside its own, more than anything else that the choice changes.

use std::cell::RefCell;

use minicbor::Encoder;
use zkmargin_program::{Program, VarId};

use crate::circuit;
use crate::transcript::{ELEMENT_BYTES, Personal, hash32};

/// More `z` columns than this are refused: the program is too large for one proof.
pub const MAX_Z_COLUMNS: usize = 128;

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
}

/// Why a program has no shape.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ShapeError {
    /// The variables do not fit into the columns that are allowed.
    #[error("{variables} variables of {bits} bits together need more than {MAX_Z_COLUMNS} columns of 2^{k} rows")]
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

    /// Columns of the account vector; as many hold the folded matrix.
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

    /// Bytes of a proof of one statement with this shape.
    ///
    /// Elements of 32 bytes: `C'` of `q`, `z` and `a`, and of `acc`; the link's `T` and responses; per lookup three
    /// commitments and five evaluations; the quotient's four pieces; an evaluation of each column at each point at which it
    /// is asked for; the opening at three sets of points; two elements per round of the inner-product argument.
    pub fn proof_bytes(&self) -> usize {
        let link = 1 + BLINDED_ROWS + 1;
        let columns = (2 * self.q_columns + self.z_columns + 1) + 3 * self.z_columns;
        let vanishing = 1 + 4;
        // `q` and `a` here; `z` and `acc` here and in the next row; `f`, `s`; `m`, the limbs, two of the selectors; the random polynomial.
        let advice = 2 * self.q_columns + 2 * self.z_columns + 2;
        let evaluations = advice + self.z_columns + self.square_columns + 4 + 1 + 5 * self.z_columns;
        let opening = 1 + 3 + 1 + 2 * self.k as usize + 2;
        ELEMENT_BYTES * (columns + link + vanishing + evaluations + opening)
    }

    /// `n = 2^k`.
    pub(crate) fn n(&self) -> usize {
        1 << self.k
    }

    /// Advice columns of one circuit: `q, z, a, acc`.
    #[cfg(feature = "prove")]
    pub(crate) fn advice_columns(&self) -> usize {
        2 * self.q_columns + self.z_columns + 1
    }

    /// The fixed column `m`: `2^K` inside a run, `0` on its last row and on every other row, among them the last usable one.
    pub(crate) fn m(&self) -> Vec<u64> {
        let mut m = vec![0; self.runs.last().map_or(0, |run| run.start + run.limbs)];
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
        encoder.array(6)?.u32(self.k)?;
        for columns in [self.q_columns, self.z_columns, self.square_columns] {
            encoder.u64(columns as u64)?;
        }
        encoder.u32(self.limb_bits)?.array(self.runs.len() as u64)?;
        for run in &self.runs {
            encoder.array(2)?.u64(run.start as u64)?.u64(run.limbs as u64)?;
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

/// A program's variables in a circuit of the program's shape.
#[derive(Clone, Debug)]
pub struct Placement {
    shape: Shape,
    /// One cell per variable.
    cells: Vec<Cell>,
    /// The last usable row, where `acc` holds `γ`.
    last: usize,
}

impl Placement {
    /// The shape of a program and the place of each variable.
    pub fn new(program: &Program) -> Result<Self, ShapeError> {
        let k = program.layout().k();
        let bits: Vec<u32> = program.variables().iter().map(|variable| variable.bits).collect();
        let mut squared = vec![false; bits.len()];
        for (variable, _) in program.equations().iter().flat_map(|equation| &equation.squares) {
            squared[variable.index()] = true;
        }
        let best = (1..=3)
            .map(|narrower| k - narrower)
            .filter_map(|limb_bits| arrange(k, program.layout().columns(), limb_bits, &bits, &squared).transpose())
            .collect::<Result<Vec<_>, _>>()?
            .into_iter()
            // `min_by_key` keeps the first of equals, which is the widest limb.
            .min_by_key(|placement| placement.shape.z_columns);
        best.ok_or_else(|| ShapeError::TooLarge {
            variables: bits.len(),
            bits: bits.iter().map(|bits| u64::from(*bits)).sum(),
            k,
        })
    }

    /// The shape.
    pub fn shape(&self) -> &Shape {
        &self.shape
    }

    /// True widths `b_j`: `K` times the limbs of the run, as placed.
    pub fn widths(&self) -> Vec<u32> {
        self.cells
            .iter()
            .map(|cell| cell.limbs as u32 * self.shape.limb_bits)
            .collect()
    }

    pub(crate) fn cell(&self, variable: VarId) -> Cell {
        self.cells[variable.index()]
    }

    #[cfg(feature = "prove")]
    pub(crate) fn cells(&self) -> &[Cell] {
        &self.cells
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

/// The placement with the fewest `z` columns for limbs of `limb_bits`, if one exists.
fn arrange(
    k: u32,
    q_columns: usize,
    limb_bits: u32,
    bits: &[u32],
    squared: &[bool],
) -> Result<Option<Placement>, ShapeError> {
    let limbs = |index: &usize| bits[*index].div_ceil(limb_bits).max(1) as usize;
    let by_length = |wanted: bool| {
        let mut indices: Vec<usize> = (0..bits.len()).filter(|index| squared[*index] == wanted).collect();
        // A stable sort: equal lengths stay in program order, so that the placement is a function of the program.
        indices.sort_by_key(|index| std::cmp::Reverse(limbs(index)));
        indices
    };
    let (squares, others) = (by_length(true), by_length(false));
    let total: usize = (0..bits.len()).map(|index| limbs(&index)).sum();
    let fewest = total.div_ceil(1 << k).max(1);
    for z_columns in fewest..=MAX_Z_COLUMNS {
        for square_columns in 0..=z_columns.min(squares.len()) {
            let plain_columns = z_columns - square_columns;
            if (square_columns == 0) != squares.is_empty() || (plain_columns == 0 && !others.is_empty()) {
                continue;
            }
            let mut shape = Shape {
                k,
                q_columns,
                z_columns,
                square_columns,
                limb_bits,
                runs: Vec::new(),
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
            if start <= last {
                return Ok(Some(Placement { shape, cells, last }));
            }
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
