//! Columns of a circuit, and what a program folds to (protocol §5).

use ff::{Field, PrimeField};
use num_bigint::BigUint;
use num_traits::ToPrimitive;
use pasta_curves::Fp;
use zkmargin_program::Program;

use crate::circuit::zeros;
use crate::plan::{Cell, Place, Plan};
use crate::setup::integer;
use crate::squares::{FactorRule, Factors, ROOTS, four_squares};

/// Columns of one kind, each a value per usable row.
pub type Matrix = Vec<Vec<Fp>>;

/// The usable rows of one circuit's advice columns.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Columns {
    /// The account vector.
    pub q: Matrix,
    /// The roots of sums of squares.
    pub x: Matrix,
    /// Whole variables and projections, as running sums.
    pub z: Matrix,
    /// What the link ties to public columns: the folded matrix `a`, then `b`, then `s`.
    pub public: Matrix,
    /// The accumulators.
    pub acc: Matrix,
}

/// A folded program.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Folded {
    /// `a`, one column per `q` column; `b` and `s`, one per group; `θ` in the last usable rows.
    pub public: Matrix,
    /// `f`, then `s'`; `γ` in the last usable row of `f_0`.
    pub instance: Matrix,
}

impl Columns {
    /// The columns of a book and hidden variables, as far as they are known before `e`: without projections, public columns, `acc`.
    pub fn new(plan: &Plan, q: &Matrix, w: &[u128]) -> Self {
        let empty = |count: usize| vec![zeros(plan.last + 1); count];
        let mut columns = Self {
            q: q.iter().map(|column| padded(plan, column)).collect(),
            x: empty(plan.x_columns()),
            z: empty(plan.z_columns),
            public: empty(plan.public_columns()),
            acc: empty(plan.group),
        };
        for (place, value) in plan.places.iter().zip(w) {
            match *place {
                Place::Run(cell) => columns.place(plan, cell, Fp::from_u128(*value)),
                Place::Squares(sum) => columns.take_roots(plan, sum, four_squares(*value).map(Fp::from_u128)),
            }
        }
        columns
    }

    /// Gives a sum of squares these roots.
    pub fn take_roots(&mut self, plan: &Plan, sum: usize, roots: [Fp; ROOTS]) {
        for ((column, row), root) in plan.roots(sum).into_iter().zip(roots) {
            self.x[column][row] = root;
        }
    }

    /// Puts a number at the head of a run, and under it what is left of it without its lower limbs; the last cell keeps all that is
    /// left, so that the table does not have it if the run is too narrow.
    pub fn place(&mut self, plan: &Plan, cell: Cell, value: Fp) {
        let mut rest = BigUint::from_bytes_le(&value.to_repr());
        for row in cell.row..cell.row + plan.limbs(cell) {
            self.z[cell.column][row] = scalar(&rest);
            rest >>= plan.limb_bits;
        }
    }

    /// `y_{p,t} = Σ_i c_{p,i}·x_{i,t}`, `p` running fastest.
    pub fn projections(&self, plan: &Plan, rule: FactorRule, e: &Fp) -> Vec<Fp> {
        let mut y = zeros(plan.projections.len());
        let per_column = y.len() / plan.group;
        for sum in 0..plan.squares {
            let factors = rule(e, sum);
            for (root, (column, row)) in plan.roots(sum).into_iter().enumerate() {
                let column_in_group = column % plan.group;
                for (p, factor) in factors[root / plan.group].iter().take(per_column).enumerate() {
                    y[column_in_group * per_column + p] += Fp::from(*factor) * self.x[column][row];
                }
            }
        }
        y
    }

    /// Puts these projections into their runs.
    pub fn project(&mut self, plan: &Plan, y: &[Fp]) {
        for (cell, y) in plan.projections.iter().zip(y) {
            self.place(plan, *cell, *y);
        }
    }

    /// All columns in the order of the circuit.
    pub fn all(&self) -> impl Iterator<Item = &Vec<Fp>> {
        let hidden = self.q.iter().chain(&self.x).chain(&self.z);
        hidden.chain(&self.public).chain(&self.acc)
    }

    /// Makes `acc` what the rows add up to.
    pub fn settle(&mut self, plan: &Plan, instance: &Matrix) {
        let (f, squares) = instance.split_at(self.z.len());
        let (a, of_roots) = self.public.split_at(plan.q_columns);
        let (b, s) = of_roots.split_at(plan.groups);
        let at = |column: &Vec<Fp>, row: usize| column.get(row).copied().unwrap_or(Fp::ZERO);
        for row in 1..=plan.last {
            let above = row - 1;
            let products = (self.q.iter().zip(a)).chain(self.z.iter().zip(f));
            let mut sum: Fp = products.map(|(x, y)| x[above] * at(y, above)).sum();
            for (z, s) in self.z.iter().zip(squares) {
                sum += z[above].square() * at(s, above);
            }
            for (x, s) in self.x.chunks(plan.group).zip(s) {
                sum -= x.iter().map(|x| x[above].square()).sum::<Fp>() * s[above];
            }
            for (t, acc) in self.acc.iter_mut().enumerate() {
                let projected: Fp = (self.x.chunks(plan.group).zip(b))
                    .map(|(x, b)| x[t][above] * b[above])
                    .sum();
                acc[row] = acc[above] + projected + if t == 0 { sum } else { Fp::ZERO };
            }
        }
    }
}

fn scalar(number: &BigUint) -> Fp {
    let mut bytes = number.to_bytes_le();
    bytes.resize(32, 0);
    Fp::from_repr(bytes.try_into().expect("32 bytes")).expect("canonical")
}

/// A scalar below `2^128` as an integer.
pub fn small(value: Fp) -> Option<u128> {
    BigUint::from_bytes_le(&value.to_repr()).to_u128()
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

/// The multipliers as scalars.
pub fn scalar_multipliers(r: &Fp, count: usize) -> Vec<Fp> {
    multipliers(r, count).into_iter().map(Fp::from_u128).collect()
}

/// `1, x, x², …`
pub fn powers(x: Fp) -> impl Iterator<Item = Fp> {
    std::iter::successors(Some(Fp::ONE), move |power| Some(*power * x))
}

/// Folds a program with given multipliers of equations, of projections, and `θ`; and the factors that a rule makes of `e`.
pub fn fold(program: &Program, plan: &Plan, rule: FactorRule, e: &Fp, multipliers: &[Fp]) -> Folded {
    let layout = program.layout();
    let mut public = vec![zeros(plan.last + 1); plan.public_columns()];
    let mut f = vec![zeros(plan.last + 1); plan.z_columns];
    let mut squares = vec![zeros(plan.last + 1); plan.square_columns];
    let (of_equations, rest) = multipliers.split_at(program.equations().len());
    let (of_projections, theta) = rest.split_at(plan.projections.len() / plan.group);
    let s_at = plan.q_columns + plan.groups;
    for (equation, r) in program.equations().iter().zip(of_equations) {
        for (leg, coefficient) in &equation.legs {
            public[layout.column_of(*leg)][layout.row_of(*leg)] += r * integer((*coefficient).into());
        }
        for (variable, coefficient) in &equation.variables {
            let product = r * integer(*coefficient);
            match plan.places[variable.index()] {
                Place::Run(cell) => f[cell.column][cell.row] += product,
                Place::Squares(sum) => {
                    let (group, rows) = plan.rows_of(sum);
                    public[s_at + group][rows].iter_mut().for_each(|s| *s -= product);
                }
            }
        }
        for (variable, coefficient) in &equation.squares {
            let cell = plan.head(variable.index());
            squares[cell.column][cell.row] += r * integer((*coefficient).into());
        }
        f[0][plan.last] += r * integer(equation.constant);
    }
    for (index, cell) in plan.projections.iter().enumerate() {
        let theta = match index / of_projections.len() {
            0 => Fp::ONE,
            t => theta[t - 1],
        };
        f[cell.column][cell.row] -= theta * of_projections[index % of_projections.len()];
    }
    let weighted = |factors: &Factors| -> Fp {
        let products = factors.iter().zip(of_projections);
        products.map(|(factor, r)| Fp::from(*factor) * r).sum()
    };
    for sum in 0..plan.squares {
        let (group, rows) = plan.rows_of(sum);
        for (row, factors) in rows.zip(rule(e, sum)) {
            public[plan.q_columns + group][row] = weighted(&factors);
        }
    }
    for (column, theta) in public.iter_mut().zip(theta) {
        column[plan.last] = *theta;
    }
    f.extend(squares);
    Folded { public, instance: f }
}

/// What the accumulators lack at their end, to be `γ`: nothing, if the columns satisfy the folded equation.
pub fn missing(plan: &Plan, columns: &Columns, instance: &Matrix) -> Fp {
    let mut settled = columns.clone();
    settled.settle(plan, instance);
    let thetas = settled.public.iter().map(|column| column[plan.last]);
    let ends = settled.acc.iter().map(|acc| acc[plan.last]);
    let sum: Fp = [Fp::ONE]
        .into_iter()
        .chain(thetas)
        .zip(ends)
        .map(|(theta, end)| theta * end)
        .sum();
    instance[0][plan.last] - sum
}

/// A row in which roots stand, and what one unit more there, in this one of the columns `b` and `s`, adds at the end.
pub fn share_of_roots(plan: &Plan, columns: &Columns, public: usize) -> (usize, Fp) {
    let group = (public - plan.q_columns) % plan.groups * plan.group;
    let roots = |row: usize| -> Vec<Fp> {
        (group..group + plan.group)
            .map(|column| columns.x[column][row])
            .collect()
    };
    let row = (0..plan.last)
        .find(|row| roots(*row).iter().any(|root| *root != Fp::ZERO))
        .expect("roots");
    let thetas = columns.public.iter().map(|column| column[plan.last]);
    let thetas = [Fp::ONE].into_iter().chain(thetas);
    let share = match public < plan.q_columns + plan.groups {
        true => thetas.zip(roots(row)).map(|(theta, root)| theta * root).sum(),
        false => -roots(row).iter().map(Field::square).sum::<Fp>(),
    };
    (row, share)
}
