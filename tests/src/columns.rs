//! Columns of a circuit, and what a program folds to (protocol §5).

use ff::{Field, PrimeField};
use num_bigint::BigUint;
use num_traits::ToPrimitive;
use pasta_curves::Fp;
use zkmargin_program::Program;

use crate::circuit::zeros;
use crate::linear::solve;
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
    /// The masks, and the roots of sums of squares.
    pub x: Matrix,
    /// Whole variables, as running sums.
    pub z: Matrix,
    /// What the link ties to public columns: the folded matrix `a`, then `b`, then `s`.
    pub public: Matrix,
    /// The accumulators.
    pub acc: Matrix,
}

/// A folded program.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Folded {
    /// `a`, one column per `q` column; `b` and `s`, one per group; the `γ_t` in the last usable rows.
    pub public: Matrix,
    /// `f`, then `s'`.
    pub instance: Matrix,
}

impl Columns {
    /// The columns of a book and hidden variables, without masks, public columns, `acc`.
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

    /// Puts these masks into their rows, `p` running fastest.
    pub fn take_masks(&mut self, plan: &Plan, masks: &[Fp]) {
        for (column, masks) in self.x.iter_mut().zip(masks.chunks(plan.projections.max(1))) {
            column[plan.rows_of_masks()].copy_from_slice(masks);
        }
    }

    /// What stands in the rows of the masks.
    pub fn masks(&self, plan: &Plan) -> Vec<Fp> {
        let columns = self.x.iter().take(plan.group);
        columns
            .flat_map(|column| &column[plan.rows_of_masks()])
            .copied()
            .collect()
    }

    /// `Σ_i c_{p,i}·x_{i,t}`, `p` running fastest.
    pub fn projections(&self, plan: &Plan, rule: FactorRule, e: &Fp) -> Vec<Fp> {
        let mut y = zeros(plan.masked());
        for sum in 0..plan.squares {
            let factors = rule(e, sum);
            for (root, (column, row)) in plan.roots(sum).into_iter().enumerate() {
                let column_in_group = column % plan.group;
                for (p, factor) in factors[root / plan.group].iter().take(plan.projections).enumerate() {
                    y[column_in_group * plan.projections + p] += Fp::from(*factor) * self.x[column][row];
                }
            }
        }
        y
    }

    /// `u_{p,t}`: the projections with their masks.
    pub fn masked(&self, plan: &Plan, rule: FactorRule, e: &Fp) -> Vec<Fp> {
        let projections = self.projections(plan, rule, e).into_iter();
        projections.zip(self.masks(plan)).map(|(y, mask)| y + mask).collect()
    }

    /// Makes the masks such that this is what they make of the projections.
    pub fn mask_to(&mut self, plan: &Plan, rule: FactorRule, e: &Fp, masked: &[Fp]) {
        let y = self.projections(plan, rule, e);
        let masks: Vec<Fp> = masked.iter().zip(y).map(|(u, y)| u - y).collect();
        self.take_masks(plan, &masks);
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

/// Folds a program and what is said of the projections, with given multipliers of equations and of projections; and the factors that a
/// rule makes of `e`.
pub fn fold(program: &Program, plan: &Plan, rule: FactorRule, e: &Fp, masked: &[Fp], multipliers: &[Fp]) -> Folded {
    let layout = program.layout();
    let mut public = vec![zeros(plan.last + 1); plan.public_columns()];
    let mut f = vec![zeros(plan.last + 1); plan.z_columns];
    let mut squares = vec![zeros(plan.last + 1); plan.square_columns];
    let (of_equations, of_projections) = multipliers.split_at(program.equations().len());
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
        public[0][plan.last] += r * integer(equation.constant);
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
    for (row, r) in plan.rows_of_masks().zip(of_projections) {
        public[plan.q_columns][row] += r;
    }
    for (column, masked) in public.iter_mut().zip(masked.chunks(plan.projections.max(1))) {
        column[plan.last] += masked.iter().zip(of_projections).map(|(u, r)| u * r).sum::<Fp>();
    }
    f.extend(squares);
    Folded { public, instance: f }
}

/// What each accumulator lacks at its end, to be `γ_t`: nothing, if the columns satisfy the folded equations.
pub fn missing(plan: &Plan, columns: &Columns, instance: &Matrix) -> Vec<Fp> {
    let mut settled = columns.clone();
    settled.settle(plan, instance);
    let ends = settled.acc.iter().zip(&settled.public);
    ends.map(|(acc, public)| public[plan.last] - acc[plan.last]).collect()
}

/// Changes this one of the columns `b` and `s`, in these rows of its group alone, so that the first accumulator ends with so much more and
/// the others do not change. Nothing, if what stands in those rows does not allow it.
pub fn lift(plan: &Plan, columns: &mut Columns, public: usize, rows: std::ops::Range<usize>, more: Fp) -> Option<()> {
    let at = public - plan.q_columns;
    let group = at % plan.groups * plan.group;
    let x = &columns.x[group..group + plan.group];
    // What one unit more in each of the rows adds to each accumulator.
    let mut shares: Vec<Vec<Fp>> = match at < plan.groups {
        true => x.iter().map(|column| column[rows.clone()].to_vec()).collect(),
        false => vec![
            rows.clone()
                .map(|row| -x.iter().map(|x| x[row].square()).sum::<Fp>())
                .collect(),
        ],
    };
    for (t, shares) in shares.iter_mut().enumerate() {
        shares.push(if t == 0 { more } else { Fp::ZERO });
    }
    for (cell, change) in columns.public[public][rows].iter_mut().zip(solve(shares)?) {
        *cell += change;
    }
    Some(())
}
