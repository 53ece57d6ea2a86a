//! Toy programs, and forgers: searches for a satisfying witness that makes a side lie.
#![allow(dead_code, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

pub mod tree;

use zkmargin_program::{
    BuildError, Builder, Equation, Header, Layout, LegId, Linear, Lower, NonNegative, Pair, Program, Ratio, Real, Upper,
};

/// Rows of a column with `k = 6`.
pub const SLOTS: usize = 48;

/// Width of a slack in the search: wider than any run, since nothing may depend on a slack being narrow.
const SLACK_BITS: u32 = 100;

pub fn leg(slot: u32) -> LegId {
    LegId::new(slot)
}

pub fn pair(first: u32, second: u32) -> Pair {
    Pair {
        first: leg(first),
        second: leg(second),
    }
}

pub fn layout(legs: u32, pairs: Vec<Pair>) -> Layout {
    Layout::new(6, vec![0], (0..legs).map(leg).collect(), pairs).unwrap()
}

pub fn header(value_bits: u32) -> Header {
    Header {
        numeraire: "USD".into(),
        unit_exponent: -10,
        value_bits,
    }
}

pub fn builder(value_bits: u32, legs: u32, pairs: Vec<Pair>) -> Builder {
    Builder::new(layout(legs, pairs), header(value_bits)).unwrap()
}

pub fn whole(units: i64) -> Real {
    Real::from_integer(units)
}

/// Whole coefficients on the first legs.
pub fn linear(coefficients: &[i64], constant: i64) -> Linear {
    let mut form = Linear::constant(whole(constant));
    for (slot, units) in coefficients.iter().enumerate() {
        form.add_leg(leg(slot as u32), whole(*units));
    }
    form
}

pub fn value(coefficients: &[i64], constant: i64, q: &[u64]) -> i128 {
    let terms = coefficients.iter().zip(q);
    terms.fold(i128::from(constant), |sum, (a, q)| {
        sum + i128::from(*a) * i128::from(*q)
    })
}

pub fn factor(num: i128, den: u128) -> NonNegative {
    NonNegative::new(Ratio::new(num, den).unwrap()).unwrap()
}

/// A book on the first legs.
pub fn book(lots: &[u64]) -> Vec<u64> {
    let mut q = vec![0; SLOTS];
    q[..lots.len()].copy_from_slice(lots);
    q
}

/// The program that requires `limit - upper >= 0`: satisfiable exactly when `upper` can be shown to be at most `limit`.
pub fn at_most(
    mut builder: Builder,
    limit: i128,
    make: impl FnOnce(&mut Builder) -> Result<Upper, BuildError>,
) -> Result<Program, BuildError> {
    let upper = make(&mut builder)?;
    let limit = Linear::constant(Real::from_ratio(Ratio::new(limit, 1).unwrap()).unwrap());
    let limit: Lower = builder.lower(&limit)?;
    builder.require_non_negative("limit", limit - upper)?;
    builder.finish()
}

/// One equation, prepared for a fixed book.
struct Row<'a> {
    equation: &'a Equation,
    /// `A·q - g`
    fixed: i128,
    /// Whether its last variable is its slack.
    solves: bool,
}

impl Row<'_> {
    fn residual(&self, w: &[u128]) -> Option<i128> {
        let mut sum = self.fixed;
        for &(j, f) in &self.equation.variables {
            sum = sum.checked_add(f.checked_mul(i128::try_from(w[j.index()]).ok()?)?)?;
        }
        for &(j, s) in &self.equation.squares {
            let value = i128::try_from(w[j.index()]).ok()?;
            sum = sum.checked_add(value.checked_mul(value)?.checked_mul(s.into())?)?;
        }
        Some(sum)
    }
}

/// A dishonest prover for one book: it tries values for the variables that are free, and lets each slack be what its row
/// makes it.
pub struct Forger<'a> {
    program: &'a Program,
    /// The rows that are complete once variable `j` is known.
    rows: Vec<Vec<Row<'a>>>,
    closed: bool,
    q: &'a [u64],
}

impl<'a> Forger<'a> {
    pub fn new(program: &'a Program, q: &'a [u64]) -> Self {
        let mut rows: Vec<Vec<Row<'a>>> = program.variables().iter().map(|_| vec![]).collect();
        let mut closed = false;
        for equation in program.equations() {
            let legs = equation.legs.iter();
            let fixed = legs
                .map(|&(leg, a)| i128::from(a) * i128::from(q[leg.index()]))
                .sum::<i128>()
                - equation.constant;
            let linear = equation.variables.last();
            let last = linear.map(|v| v.0).max(equation.squares.last().map(|v| v.0));
            let Some(last) = last else {
                closed |= fixed != 0;
                continue;
            };
            let solves = linear == Some(&(last, -1)) && rows[last.index()].is_empty();
            rows[last.index()].push(Row {
                equation,
                fixed,
                solves,
            });
        }
        Self {
            program,
            rows,
            closed,
            q,
        }
    }

    /// Every value below `2^(b_j + extra)` of every free variable: a satisfying witness, if there is one.
    pub fn search(&self, extra: u32) -> Option<Vec<u128>> {
        let mut w = vec![0; self.rows.len()];
        let mut candidates = |j: usize| 0..1u128 << (self.program.variables()[j].bits + extra).min(8);
        let found = !self.closed && self.fill(0, &mut w, &mut candidates);
        found.then(|| self.confirm(w))
    }

    /// One attempt with free variables from `choose`.
    pub fn attempt(&self, mut choose: impl FnMut(usize) -> u128) -> Option<Vec<u128>> {
        let mut w = vec![0; self.rows.len()];
        let mut candidates = |j: usize| {
            let value = choose(j);
            value..value + 1
        };
        let found = !self.closed && self.fill(0, &mut w, &mut candidates);
        found.then(|| self.confirm(w))
    }

    fn fill(&self, j: usize, w: &mut Vec<u128>, candidates: &mut dyn FnMut(usize) -> std::ops::Range<u128>) -> bool {
        let Some(rows) = self.rows.get(j) else {
            return true;
        };
        w[j] = 0;
        let values = match rows.first().filter(|row| row.solves) {
            Some(row) => match row.residual(w).map(u128::try_from) {
                Some(Ok(value)) if value >> SLACK_BITS == 0 => value..value + 1,
                _ => return false,
            },
            None => candidates(j),
        };
        for value in values {
            w[j] = value;
            if rows.iter().all(|row| row.residual(w) == Some(0)) && self.fill(j + 1, w, candidates) {
                return true;
            }
        }
        false
    }

    /// What the search found must convince the program's own evaluation, with runs as wide as the search's.
    fn confirm(&self, w: Vec<u128>) -> Vec<u128> {
        let widths = vec![SLACK_BITS + 1; w.len()];
        assert_eq!(self.program.check_at(&widths, self.q, &w), Ok(()));
        w
    }
}
