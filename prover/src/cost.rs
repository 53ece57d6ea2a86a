//! What a proof costs: a formula in the size of its program.
//!
//! A [`Size`] has the counts that matter: rows, columns by kind, coefficients. Each cost in CPU milliseconds on one thread is a sum of a few of
//! them, each times a coefficient that is not negative:
//!
//! ```text
//! prove    = fixed + row·n + m(n)·(opening + hidden·(q + x) + linked·(a + b + s) + accumulator·g + limbs·z) + entry·entries
//! verify B = sum·m(n + B·elements) + B·(fixed + n·(row + projection·(b + s)) + instance·s(n)·(f + s') + element·elements + entry·entries)
//! m(t)     = (t + t^(ln 2)) / ln t
//! s(t)     = 1 + t^(ln 2) / ln t
//! ```
//!
//! with `n = 2^k`. `m(t)` is proportional to the additions of a multi-exponentiation of `t` terms: in windows of `ln t` bits, of which there are in
//! proportion to `1/ln t`, there is an addition per term and one per bucket, `2^(ln t)` of them. `s(t)` is what is left of it for a column that is nearly
//! empty, as instance columns are: buckets and doublings. The coefficients are [fitted](CostModel::fit) where `zkmargin bench --fit` runs, and kept with the cached parameters; elsewhere
//! they are the [built-in](CostModel::built_in) ones. They say how long a proof takes and nothing else: the shape of a circuit follows from its
//! program by a fixed rule, the same for prover and verifier.

mod file;
mod fit;

use std::f64::consts::LN_2;

use serde::{Deserialize, Serialize};
use zkmargin_circuits::{Placement, Shape};
use zkmargin_program::Program;

pub use fit::{FitError, LEAST_SIZES, Measured};

/// Bytes of an element of a proof, point or scalar.
const ELEMENT_BYTES: usize = 32;

/// What there is of everything that costs time, for one statement.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Size {
    /// `k`: columns have `n = 2^k` rows.
    pub k: u32,
    /// Columns of the account vector.
    pub q_columns: usize,
    /// Columns of roots.
    pub x_columns: usize,
    /// Columns of limbs, each with a lookup.
    pub z_columns: usize,
    /// `D_q`: the first columns of limbs, which have an `s'` of their own.
    pub square_columns: usize,
    /// `g`: columns of roots that share `b` and `s`; also the number of accumulators.
    pub x_group: usize,
    /// `K`: bits of a limb.
    pub limb_bits: u32,
    /// Equations of the program.
    pub equations: usize,
    /// Hidden variables of the program.
    pub variables: usize,
    /// Coefficients of the program that are not zero, of legs, variables and squares together.
    pub entries: usize,
    /// Bytes of the proof, exactly.
    pub proof_bytes: usize,
}

impl Size {
    /// The size of a program in the shape that the rule gives it.
    ///
    /// # Errors
    /// [`ShapeError`](zkmargin_circuits::ShapeError).
    pub fn of(program: &Program) -> Result<Size, zkmargin_circuits::ShapeError> {
        Ok(Size::in_shape(program, Placement::new(program)?.shape()))
    }

    /// The sizes of a program in every shape that the rule chooses from.
    ///
    /// # Errors
    /// [`ShapeError`](zkmargin_circuits::ShapeError).
    pub fn candidates(program: &Program) -> Result<Vec<Size>, zkmargin_circuits::ShapeError> {
        let shapes = Placement::candidates(program)?;
        Ok(shapes.iter().map(|shape| Size::in_shape(program, shape)).collect())
    }

    fn in_shape(program: &Program, shape: &Shape) -> Size {
        let entries = program.equations().iter();
        let entries = entries.map(|equation| equation.legs.len() + equation.variables.len() + equation.squares.len());
        Size {
            k: shape.k(),
            q_columns: shape.q_columns(),
            x_columns: shape.x_columns(),
            z_columns: shape.z_columns(),
            square_columns: shape.square_columns(),
            x_group: shape.x_group(),
            limb_bits: shape.limb_bits(),
            equations: program.equations().len(),
            variables: program.variables().len(),
            entries: entries.sum(),
            proof_bytes: shape.proof_bytes(),
        }
    }

    fn n(&self) -> f64 {
        f64::from(self.k).exp2()
    }

    /// Columns `b` and `s`.
    fn of_groups(&self) -> f64 {
        2.0 * (self.x_columns / self.x_group.max(1)) as f64
    }

    /// What each coefficient of a prover's formula is multiplied with.
    pub fn to_prove(&self) -> [f64; PROVE.len()] {
        let (n, m) = (self.n(), additions(self.n()));
        let linked = self.q_columns as f64 + self.of_groups();
        [
            1.0,
            n,
            m,
            m * (self.q_columns + self.x_columns) as f64,
            m * linked,
            m * self.x_group as f64,
            m * self.z_columns as f64,
            self.entries as f64,
        ]
    }

    /// What each coefficient of a verifier's formula is multiplied with, for `batch` proofs that are verified together.
    pub fn to_verify(&self, batch: usize) -> [f64; VERIFY.len()] {
        let (n, each) = (self.n(), batch as f64);
        let elements = each * (self.proof_bytes / ELEMENT_BYTES) as f64;
        [
            additions(n + elements),
            each,
            each * n,
            each * n * self.of_groups(),
            each * sparse(n) * (self.z_columns + self.square_columns) as f64,
            elements,
            each * self.entries as f64,
        ]
    }
}

/// `m(t)`.
fn additions(terms: f64) -> f64 {
    (terms + terms.powf(LN_2)) / terms.ln()
}

/// `s(t)`.
fn sparse(terms: f64) -> f64 {
    1.0 + terms.powf(LN_2) / terms.ln()
}

/// The formulas, as above.
pub const FORMULAS: [&str; 4] = [
    "prove    = fixed + row·n + m(n)·(opening + hidden·(q + x) + linked·(a + b + s) + accumulator·g + limbs·z) + entry·entries",
    "verify B = sum·m(n + B·elements) + B·(fixed + n·(row + projection·(b + s)) + instance·s(n)·(f + s') + element·elements + entry·entries)",
    "m(t)     = (t + t^(ln 2)) / ln t",
    "s(t)     = 1 + t^(ln 2) / ln t",
];

/// The coefficients of a prover's formula, in the order of [`Size::to_prove`]: CPU milliseconds each.
pub const PROVE: [&str; 8] = [
    "fixed",
    "row",
    "opening",
    "hidden",
    "linked",
    "accumulator",
    "limbs",
    "entry",
];
/// The coefficients of a verifier's formula, in the order of [`Size::to_verify`]: CPU milliseconds each.
pub const VERIFY: [&str; 7] = ["sum", "fixed", "row", "projection", "instance", "element", "entry"];

/// Where coefficients are from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// Measured by the authors, on the machine of the documentation.
    BuiltIn,
    /// Fitted here, on this day.
    Fitted {
        /// The day, `YYYY-MM-DD`.
        date: String,
    },
}

/// The coefficients of both formulas.
#[derive(Clone, Debug, PartialEq)]
pub struct CostModel {
    /// Where they are from.
    pub source: Source,
    /// The processor that they were measured on.
    pub processor: String,
    /// CPU milliseconds, in the order of [`PROVE`].
    pub prove: [f64; PROVE.len()],
    /// CPU milliseconds, in the order of [`VERIFY`].
    pub verify: [f64; VERIFY.len()],
    /// The largest relative error on what they were fitted to: of proving and of verifying.
    pub largest_error: [f64; 2],
    /// The largest relative error on a program that was left out of a fit to all others: of proving and of verifying.
    pub left_out_error: [f64; 2],
}

impl CostModel {
    /// The coefficients that were fitted to the grid of `docs/measuring.md`.
    pub fn built_in() -> CostModel {
        CostModel {
            source: Source::BuiltIn,
            processor: "two shared cores of an Intel Xeon at 2.5 GHz".to_owned(),
            prove: [1.47, 0.0, 1.6, 0.118, 0.0175, 0.0, 0.259, 1.09e-05],
            verify: [0.0802, 0.0, 0.000657, 0.000366, 0.061, 0.0, 4.59e-06],
            largest_error: [0.03, 0.111],
            left_out_error: [0.042, 0.138],
        }
    }

    /// CPU milliseconds of a proof on one thread.
    pub fn prove_ms(&self, size: &Size) -> f64 {
        product(&self.prove, &size.to_prove())
    }

    /// CPU milliseconds of the verification of `batch` proofs together, on one thread.
    pub fn verify_ms(&self, size: &Size, batch: usize) -> f64 {
        product(&self.verify, &size.to_verify(batch))
    }

    /// Whose coefficients these are, in words.
    pub fn provenance(&self) -> String {
        match &self.source {
            Source::BuiltIn => format!("built in, of measurements on {}", self.processor),
            Source::Fitted { date } => format!("fitted on {date} to measurements on {}", self.processor),
        }
    }
}

fn product(coefficients: &[f64], counts: &[f64]) -> f64 {
    coefficients.iter().zip(counts).map(|(ms, count)| ms * count).sum()
}
