//! Short integer relations: the reason why `r` must come after the hidden variables.
//!
//! The multipliers `r_j` have 128 bits. If they are known, a handful of equations may be violated by small amounts `e_j` with
//! `Σ r_j·e_j = 0`, and the folded equation holds all the same. Lattice reduction finds such amounts.

use num_bigint::BigInt;
use num_traits::{One, Signed, ToPrimitive, Zero};

/// Short vectors `e` with `Σ r_j·e_j = 0`: a reduced basis of all of them.
pub fn short_relations(multipliers: &[u128]) -> Vec<Vec<i128>> {
    let count = multipliers.len();
    // The identity, and a last coordinate so long that only zero in it is short.
    let basis = (multipliers.iter().enumerate())
        .map(|(index, multiplier)| {
            let mut row = vec![BigInt::zero(); count + 1];
            row[index] = BigInt::one();
            row[count] = BigInt::from(*multiplier) << 64;
            row
        })
        .collect();
    let reduced = Reduction::new(basis).run();
    (reduced.into_iter())
        .filter(|row| row[count].is_zero())
        .map(|row| {
            row[..count]
                .iter()
                .map(|entry| entry.to_i128().expect("short"))
                .collect()
        })
        .collect()
}

/// A combination of short relations whose entry at `at` is negative, and larger than every other entry by an eighth.
pub fn short_relation(multipliers: &[u128], at: usize) -> Vec<i128> {
    let basis = short_relations(multipliers);
    let suits = |e: &Vec<i128>| e[at] < 0 && e.iter().all(|entry| 8 * entry < -7 * e[at] || *entry == e[at]);
    let digits = basis.len() as u32;
    (0..3u64.pow(digits))
        .map(|code| {
            let mut sum = vec![0; multipliers.len()];
            for (index, row) in basis.iter().enumerate() {
                let factor = i128::from(code / 3u64.pow(index as u32) % 3) - 1;
                sum.iter_mut().zip(row).for_each(|(sum, entry)| *sum += factor * entry);
            }
            sum
        })
        .find(suits)
        .expect("a relation that suits")
}

/// A short vector `e` with `Σ r_j·e_j = 0` that begins with this number.
pub fn short_relation_from(multipliers: &[u128], first: i128) -> Vec<i128> {
    let basis = short_relations(multipliers);
    let pairs = (0..basis.len()).flat_map(|index| basis[..index].iter().map(move |two| (index, two)));
    let combined = |(index, two): (usize, &Vec<i128>)| -> Option<Vec<i128>> {
        let one = &basis[index];
        let (a, b) = bezout(one[0], two[0])?;
        Some(
            one.iter()
                .zip(two)
                .map(|(one, two)| first * (a * one + b * two))
                .collect(),
        )
    };
    pairs
        .filter_map(combined)
        .min_by_key(|e| e.iter().map(|e| e.abs()).max())
        .expect("two relations whose first entries have no common divisor")
}

/// `a`, `b` with `a·x + b·y = 1`, if there are such.
fn bezout(x: i128, y: i128) -> Option<(i128, i128)> {
    if y == 0 {
        return (x.abs() == 1).then_some((x, 0));
    }
    let (a, b) = bezout(y, x % y)?;
    Some((b, a - x / y * b))
}

/// LLL in integers.
struct Reduction {
    b: Vec<Vec<BigInt>>,
    /// `d[i + 1]` is the determinant of the first `i + 1` vectors' Gram matrix.
    d: Vec<BigInt>,
    lambda: Vec<Vec<BigInt>>,
}

impl Reduction {
    fn new(b: Vec<Vec<BigInt>>) -> Self {
        let n = b.len();
        let mut this = Self {
            b,
            d: vec![BigInt::one(); n + 1],
            lambda: vec![vec![BigInt::zero(); n]; n],
        };
        (0..n).for_each(|k| this.orthogonalize(k));
        this
    }

    fn orthogonalize(&mut self, k: usize) {
        for j in 0..=k {
            let mut u: BigInt = self.b[k].iter().zip(&self.b[j]).map(|(x, y)| x * y).sum();
            for i in 0..j {
                u = (&self.d[i + 1] * u - &self.lambda[k][i] * &self.lambda[j][i]) / &self.d[i];
            }
            match j < k {
                true => self.lambda[k][j] = u,
                false => self.d[k + 1] = u,
            }
        }
    }

    fn run(mut self) -> Vec<Vec<BigInt>> {
        let mut k = 1;
        while k < self.b.len() {
            self.reduce(k, k - 1);
            let square = |x: &BigInt| x * x;
            let left = BigInt::from(4) * (&self.d[k + 1] * &self.d[k - 1] + square(&self.lambda[k][k - 1]));
            if left < BigInt::from(3) * square(&self.d[k]) {
                self.swap(k);
                k = (k - 1).max(1);
            } else {
                (0..k - 1).rev().for_each(|l| self.reduce(k, l));
                k += 1;
            }
        }
        self.b
    }

    fn reduce(&mut self, k: usize, l: usize) {
        let d = self.d[l + 1].clone();
        let twice: BigInt = &self.lambda[k][l] * 2;
        if twice.abs() <= d {
            return;
        }
        // The nearest integer; `d` is positive.
        let shifted = twice + &d;
        let double: BigInt = &d * 2;
        let mut q = &shifted / &double;
        if (&q * &double) > shifted {
            q -= 1;
        }
        let row = self.b[l].clone();
        self.b[k].iter_mut().zip(row).for_each(|(x, y)| *x -= &q * y);
        self.lambda[k][l] -= &q * d;
        for i in 0..l {
            let change = &q * &self.lambda[l][i];
            self.lambda[k][i] -= change;
        }
    }

    fn swap(&mut self, k: usize) {
        self.b.swap(k, k - 1);
        for j in 0..k - 1 {
            let held = self.lambda[k][j].clone();
            self.lambda[k][j] = std::mem::replace(&mut self.lambda[k - 1][j], held);
        }
        let lambda = self.lambda[k][k - 1].clone();
        let changed = (&self.d[k - 1] * &self.d[k + 1] + &lambda * &lambda) / &self.d[k];
        for i in k + 1..self.b.len() {
            let t = self.lambda[i][k].clone();
            self.lambda[i][k] = (&self.d[k + 1] * &self.lambda[i][k - 1] - &lambda * &t) / &self.d[k];
            self.lambda[i][k - 1] = (&changed * t + &lambda * &self.lambda[i][k]) / &self.d[k + 1];
        }
        self.d[k] = changed;
    }
}
