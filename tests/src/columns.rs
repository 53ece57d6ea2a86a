//! Columns of a circuit, and what a program folds to (protocol §5).

use ff::{Field, PrimeField};
use pasta_curves::Fp;
use zkmargin_program::Program;

use crate::circuit::zeros;
use crate::plan::Plan;
use crate::setup::integer;

/// Columns of one kind, each a value per usable row.
pub type Matrix = Vec<Vec<Fp>>;

/// The usable rows of one circuit's advice columns.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Columns {
    /// The account vector.
    pub q: Matrix,
    /// The hidden variables, as running sums.
    pub z: Matrix,
    /// The folded matrix.
    pub a: Matrix,
    /// The accumulator.
    pub acc: Vec<Fp>,
}

/// A folded program.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Folded {
    /// One column per `q` column.
    pub a: Matrix,
    /// `f`, then `s`; `γ` in the last usable row of `f_0`.
    pub instance: Matrix,
}

impl Columns {
    /// The columns of a book and hidden variables; `a` and `acc` are not known yet.
    pub fn new(plan: &Plan, q: &Matrix, w: &[u128]) -> Self {
        let mut z = vec![zeros(plan.last + 1); plan.z_columns];
        for (j, value) in w.iter().enumerate() {
            let cell = plan.cells[j];
            for limb in 0..plan.limbs(j) {
                let rest = value.checked_shr(limb as u32 * plan.limb_bits).unwrap_or(0);
                z[cell.column][cell.row + limb] = Fp::from_u128(rest);
            }
        }
        let q = q.iter().map(|column| padded(plan, column)).collect();
        Self {
            q,
            z,
            a: vec![zeros(plan.last + 1); plan.q_columns],
            acc: zeros(plan.last + 1),
        }
    }

    /// All columns in the order of the circuit.
    pub fn all(&self) -> impl Iterator<Item = &Vec<Fp>> {
        self.q.iter().chain(&self.z).chain(&self.a).chain([&self.acc])
    }

    /// The column with this index in the order of the circuit.
    pub fn at(&mut self, column: usize) -> &mut Vec<Fp> {
        let Self { q, z, a, acc } = self;
        let mut all = q.iter_mut().chain(z).chain(a).chain([acc]);
        all.nth(column).expect("a column")
    }

    /// Makes `acc` what the rows add up to.
    pub fn settle(&mut self, instance: &Matrix) {
        let (f, s) = instance.split_at(self.z.len());
        let at = |column: &Vec<Fp>, row: usize| column.get(row).copied().unwrap_or(Fp::ZERO);
        for row in 1..self.acc.len() {
            let above = row - 1;
            let products = (self.q.iter().zip(&self.a)).chain(self.z.iter().zip(f));
            let linear: Fp = products.map(|(x, y)| x[above] * at(y, above)).sum();
            let squares: Fp = self
                .z
                .iter()
                .zip(s)
                .map(|(z, s)| z[above].square() * at(s, above))
                .sum();
            self.acc[row] = self.acc[above] + linear + squares;
        }
    }
}

/// A column with all its usable rows.
pub fn padded(plan: &Plan, column: &[Fp]) -> Vec<Fp> {
    let mut column = column.to_vec();
    column.resize(plan.last + 1, Fp::ZERO);
    column
}

/// `r_j`: the 128-bit BLAKE2b hash of `r` and `j`.
pub fn multipliers(r: &Fp, count: usize) -> Vec<u128> {
    let multiplier = |j: usize| {
        let mut state = blake2b_simd::Params::new()
            .hash_length(16)
            .personal(b"zkmargin-fold-v1")
            .to_state();
        state.update(&r.to_repr()).update(&(j as u64).to_le_bytes());
        u128::from_le_bytes(state.finalize().as_bytes().try_into().expect("16 bytes"))
    };
    (0..count).map(multiplier).collect()
}

/// `1, x, x², …`
pub fn powers(x: Fp) -> impl Iterator<Item = Fp> {
    std::iter::successors(Some(Fp::ONE), move |power| Some(*power * x))
}

/// Folds a program with given multipliers.
pub fn fold(program: &Program, plan: &Plan, multipliers: impl IntoIterator<Item = Fp>) -> Folded {
    let layout = program.layout();
    let mut a = vec![zeros(plan.last + 1); plan.q_columns];
    let mut f = vec![zeros(plan.last + 1); plan.z_columns];
    let mut s = vec![zeros(plan.last + 1); plan.square_columns];
    for (equation, r) in program.equations().iter().zip(multipliers) {
        for (leg, coefficient) in &equation.legs {
            a[layout.column_of(*leg)][layout.row_of(*leg)] += r * integer((*coefficient).into());
        }
        for (variable, coefficient) in &equation.variables {
            let cell = plan.cells[variable.index()];
            f[cell.column][cell.row] += r * integer(*coefficient);
        }
        for (variable, coefficient) in &equation.squares {
            let cell = plan.cells[variable.index()];
            s[cell.column][cell.row] += r * integer((*coefficient).into());
        }
        f[0][plan.last] += r * integer(equation.constant);
    }
    f.extend(s);
    Folded { a, instance: f }
}

/// What `acc` lacks at its end, to be `γ`: nothing, if the columns satisfy the folded equation.
pub fn missing(columns: &Columns, instance: &Matrix) -> Fp {
    let mut settled = columns.clone();
    settled.settle(instance);
    let last = settled.acc.len() - 1;
    instance[0][last] - settled.acc[last]
}
