//! Correlation matrices of a file, and their factors: rows whose squares add up to at least the quadratic form.
//!
//! A program proves `√(Σ_kl m_kl y_k y_l)` as the norm of linear forms. With `L Lᵀ - M` positive semi-definite the norm of `Lᵀ y` is
//! never below it, whatever `y` is. `L` is a Cholesky factor of `M + η`, computed in `f64`, rounded to `1e-15`, and then *checked*
//! in integers: `L Lᵀ - M` is diagonally dominant, by more than the entries of `M` are rounded. So what is over-stated is at most `√η |y|`, and nothing rests on the floats.

use rust_decimal::Decimal;
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::amount;
use crate::model::ModelError;

/// Most rows of a matrix in a file.
pub const MAX_CORRELATED: usize = 64;
/// Most decimals of a correlation.
pub const CORRELATION_DECIMALS: u32 = 12;
/// The largest `η`: a matrix that has an eigenvalue below `-1e-9` is not taken for positive semi-definite.
const MOST_SHIFT: f64 = 1e-9;
/// Entries of a factor are whole numbers of this.
const FACTOR_DECIMALS: u32 = 15;
const FACTOR_UNIT: f64 = 1e15;
/// Entries of a matrix are whole numbers of `1e-30`, the square of a factor's unit.
const ENTRY_ONE: i128 = 1_000_000_000_000_000_000_000_000_000_000;

/// A decimal in a list of a file.
#[derive(Copy, Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Figure(pub Decimal);

impl Serialize for Figure {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        amount::serialize(&self.0, serializer)
    }
}

impl<'de> Deserialize<'de> for Figure {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Figure, D::Error> {
        amount::deserialize(deserializer).map(Figure)
    }
}

impl JsonSchema for Figure {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Figure".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        String::json_schema(generator)
    }
}

/// A correlation matrix: its lower triangle with the ones of the diagonal, a list for each row. Positive semi-definite.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct Correlations(pub Vec<Vec<Figure>>);

impl Correlations {
    /// How many rows.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is no row.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The correlation of two rows; 0 of what is not there.
    pub fn get(&self, row: usize, column: usize) -> Decimal {
        let found = self.0.get(row.max(column)).and_then(|list| list.get(row.min(column)));
        found.map_or(Decimal::ZERO, |figure| figure.0)
    }

    /// Checks shape, range and definiteness.
    ///
    /// # Errors
    /// [`ModelError`] naming the field.
    pub(crate) fn check(&self, field: &str, rows: usize) -> Result<(), ModelError> {
        let count = |field: String, count, bound: String| ModelError::Count {
            field,
            count,
            what: "correlations",
            bound,
        };
        if self.len() != rows || rows > MAX_CORRELATED {
            let most = rows.min(MAX_CORRELATED);
            return Err(count(field.to_owned(), self.len(), format!("{most} lists")));
        }
        for (index, row) in self.0.iter().enumerate() {
            let place = format!("{field}[{index}]");
            if row.len() != index + 1 {
                return Err(count(
                    place,
                    row.len(),
                    format!("{}: one for each row so far", index + 1),
                ));
            }
            for (column, figure) in row.iter().enumerate() {
                let is_good = if column == index {
                    figure.0 == Decimal::ONE
                } else {
                    figure.0.abs() <= Decimal::ONE && figure.0.normalize().scale() <= CORRELATION_DECIMALS
                };
                if !is_good {
                    return Err(ModelError::Value {
                        field: format!("{place}[{column}]"),
                        value: figure.0.to_string(),
                        bound: "-1 to 1 with 12 decimals at most, and 1 with itself",
                    });
                }
            }
        }
        let mut matrix = Matrix::new(rows);
        matrix.fill(|i, j| self.get(i, j));
        match matrix.factor() {
            Some(_) => Ok(()),
            None => Err(ModelError::NotSemiDefinite {
                field: field.to_owned(),
            }),
        }
    }
}

/// A symmetric matrix of decimals.
#[derive(Clone, Debug)]
pub(crate) struct Matrix {
    rows: usize,
    /// Row by row, in `1e-30`.
    entries: Vec<i128>,
}

/// The columns of a lower triangular factor `L`: each is a linear form, from its own row on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct LinearForm {
    /// The first row with a coefficient.
    pub(crate) first: usize,
    /// A coefficient for each row from there.
    pub(crate) coefficients: Vec<Decimal>,
}

impl Matrix {
    /// The matrix of zeros.
    pub(crate) fn new(rows: usize) -> Matrix {
        Matrix {
            rows,
            entries: vec![0; rows * rows],
        }
    }

    /// Sets every entry to what the function gives of its row and column; it is asked for the lower triangle.
    pub(crate) fn fill(&mut self, entry: impl Fn(usize, usize) -> Decimal) {
        for i in 0..self.rows {
            for j in 0..=i {
                let value = fixed(entry(i, j));
                for at in [i * self.rows + j, j * self.rows + i] {
                    if let Some(slot) = self.entries.get_mut(at) {
                        *slot = value;
                    }
                }
            }
        }
    }

    fn at(&self, i: usize, j: usize) -> i128 {
        self.entries.get(i * self.rows + j).copied().unwrap_or(0)
    }

    /// An entry; 0 of what is not there.
    pub(crate) fn entry(&self, i: usize, j: usize) -> Decimal {
        let units = if i < self.rows && j < self.rows {
            self.at(i, j)
        } else {
            0
        };
        // A whole number of 1e-15.
        Decimal::from_i128_with_scale(units / 10_i128.pow(30 - FACTOR_DECIMALS), FACTOR_DECIMALS)
    }

    /// Linear forms whose squares add up to at least the quadratic form, or nothing if the matrix is not positive semi-definite.
    pub(crate) fn factor(&self) -> Option<Vec<LinearForm>> {
        if self.rows == 1 && self.at(0, 0) == ENTRY_ONE {
            return Some(vec![LinearForm {
                first: 0,
                coefficients: vec![Decimal::ONE],
            }]);
        }
        let dominant = |(_, columns): &(f64, Vec<Vec<i64>>)| self.is_dominated_by(columns);
        let (_, columns) = shifts(self.rows)
            .filter_map(|shift| Some((shift, rounded(&self.cholesky(shift)?)?)))
            .find(dominant)?;
        let forms = columns.into_iter().enumerate().map(|(first, column)| LinearForm {
            first,
            coefficients: column
                .into_iter()
                .map(|units| Decimal::new(units, FACTOR_DECIMALS))
                .collect(),
        });
        Some(forms.collect())
    }

    /// The columns of the Cholesky factor of this plus a multiple of one; `None` if a pivot is not above 0.
    pub(crate) fn cholesky(&self, shift: f64) -> Option<Vec<Vec<f64>>> {
        let n = self.rows;
        // The remainder, column by column.
        let mut rest: Vec<Vec<f64>> = (0..n)
            .map(|j| (j..n).map(|i| self.at(i, j) as f64 / ENTRY_ONE as f64).collect())
            .collect();
        let mut columns: Vec<Vec<f64>> = Vec::with_capacity(n);
        for j in 0..n {
            let mut column = rest.get_mut(j).map(std::mem::take)?;
            let pivot = column.first()? + shift;
            if pivot.is_nan() || pivot <= shift / 2.0 {
                return None;
            }
            let root = libm::sqrt(pivot);
            for (place, entry) in column.iter_mut().enumerate() {
                *entry = if place == 0 { root } else { *entry / root };
            }
            for (offset, entry) in column.iter().enumerate().skip(1) {
                let later = rest.get_mut(j + offset)?;
                for (slot, other) in later.iter_mut().zip(column.iter().skip(offset)) {
                    *slot -= entry * other;
                }
            }
            columns.push(column);
        }
        Some(columns)
    }

    /// Whether `L Lᵀ - M` is diagonally dominant, and so positive semi-definite. In integers.
    fn is_dominated_by(&self, columns: &[Vec<i64>]) -> bool {
        let n = self.rows;
        let mut product = vec![0_i128; n * n];
        for (j, column) in columns.iter().enumerate() {
            for (a, x) in column.iter().enumerate() {
                for (b, y) in column.iter().enumerate().take(a + 1) {
                    if let Some(slot) = product.get_mut((j + a) * n + j + b) {
                        *slot += i128::from(*x) * i128::from(*y);
                    }
                }
            }
        }
        let over = |i: usize, j: usize| product.get(i.max(j) * n + i.min(j)).copied().unwrap_or(0) - self.at(i, j);
        // Entries are rounded to 1e-15 themselves, those inside a bucket twice.
        let rounding = 2 * n as i128 * 10_i128.pow(30 - FACTOR_DECIMALS);
        (0..n).all(|i| {
            let others: i128 = (0..n).filter(|j| *j != i).map(|j| over(i, j).abs()).sum();
            over(i, i) >= others + rounding
        })
    }

    /// `min (yᵀ M y) / (Σ y)²`, from below to nine digits; 0 if the matrix is near singular.
    pub(crate) fn least_share(&self) -> f64 {
        // Well above the floats' error, and well below what a correlation matrix of a methodology has.
        const LEAST_EIGENVALUE: f64 = 1e-5;
        const FLOAT_SHIFT: f64 = 1e-13;
        if self.rows == 1 {
            return 1.0;
        }
        let mut lowered = self.clone();
        for i in 0..self.rows {
            if let Some(slot) = lowered.entries.get_mut(i * self.rows + i) {
                *slot -= (LEAST_EIGENVALUE * FACTOR_UNIT) as i128 * (ENTRY_ONE / FACTOR_UNIT as i128);
            }
        }
        let Some(columns) = lowered.factor().and_then(|_| self.cholesky(FLOAT_SHIFT)) else {
            return 0.0;
        };
        // |L⁻¹ 1|² = 1ᵀ M⁻¹ 1.
        let mut rest = vec![1.0_f64; self.rows];
        let mut sum = 0.0;
        for (j, column) in columns.iter().enumerate() {
            let Some(solved) = rest.get(j).zip(column.first()).map(|(right, pivot)| right / pivot) else {
                return 0.0;
            };
            sum += solved * solved;
            for (slot, entry) in rest.iter_mut().skip(j).zip(column) {
                *slot -= entry * solved;
            }
        }
        if sum > 0.0 { (1.0 - 1e-6) / sum } else { 0.0 }
    }
}

/// The multiples of one that are tried, smallest first.
fn shifts(rows: usize) -> impl Iterator<Item = f64> {
    let rows = rows as f64;
    let first = 4e-15 * (rows + 1.0) * rows;
    // Of many rows the rounding of the factor alone takes more than that.
    std::iter::successors(Some(first), |shift| Some(shift * 8.0))
        .take_while(move |shift| *shift <= MOST_SHIFT || *shift <= first)
}

fn rounded(columns: &[Vec<f64>]) -> Option<Vec<Vec<i64>>> {
    let whole = |x: &f64| {
        let units = libm::rint(x * FACTOR_UNIT);
        (libm::fabs(units) < 1e17).then_some(units as i64)
    };
    columns
        .iter()
        .map(|column| column.iter().map(whole).collect())
        .collect()
}

/// A decimal in `1e-30`, rounded toward zero.
fn fixed(value: Decimal) -> i128 {
    let value = value.round_dp_with_strategy(FACTOR_DECIMALS, rust_decimal::RoundingStrategy::ToZero);
    let shift = 10_i128.pow(30 - value.scale().min(FACTOR_DECIMALS));
    value.mantissa().saturating_mul(shift)
}

/// Rows `b_r`, none of whose entries is negative, with `Σ_j b_rj b_sj >= m_rs` for every two rows: for `x >= 0` the norm of the sums
/// `Σ_r b_rj x_r` is at least `√(Σ m_rs x_r x_s)`, and grows with every `x_r`. Columns, as [`Matrix::factor`] gives them.
pub(crate) fn covering(correlations: impl Fn(usize, usize) -> Decimal, rows: usize) -> Option<Vec<LinearForm>> {
    let entry = |i, j| amount::to_f64(correlations(i, j));
    let mut columns: Vec<Vec<f64>> = Vec::with_capacity(rows);
    for j in 0..rows {
        let rest = |i: usize| {
            let known = columns.iter().enumerate().map(|(c, column)| {
                let at = |row: usize| row.checked_sub(c).and_then(|place| column.get(place)).copied();
                at(i).unwrap_or(0.0) * at(j).unwrap_or(0.0)
            });
            entry(i, j) - known.sum::<f64>()
        };
        let square = rest(j);
        let root = libm::sqrt(if square > 1e-8 { square } else { 1e-8 });
        let below = |i: usize| {
            let part = rest(i) / root;
            if part > 0.0 { part } else { 0.0 }
        };
        let column = (j..rows).map(|i| if i == j { root } else { below(i) }).collect();
        columns.push(column);
    }
    const DECIMALS: u32 = 9;
    let lifted = |units: i64| -> Option<Vec<LinearForm>> {
        let form = |(first, column): (usize, &Vec<f64>)| {
            let lift = |x: &f64| Decimal::new(libm::ceil(x * 1e9) as i64 + units, DECIMALS);
            LinearForm {
                first,
                coefficients: column.iter().map(lift).collect(),
            }
        };
        let forms: Vec<LinearForm> = columns.iter().enumerate().map(form).collect();
        let covers = |i: usize, j: usize| {
            let product = forms.iter().map(|form| form.at(i) * form.at(j)).sum::<Decimal>();
            product >= correlations(i, j)
        };
        (0..rows).all(|i| (0..=i).all(|j| covers(i, j))).then_some(forms)
    };
    [1, 100, 10_000, 1_000_000].into_iter().find_map(lifted)
}

impl LinearForm {
    /// The coefficient of a row.
    pub(crate) fn at(&self, row: usize) -> Decimal {
        let place = row.checked_sub(self.first);
        let found = place.and_then(|place| self.coefficients.get(place));
        found.copied().unwrap_or(Decimal::ZERO)
    }
}

#[cfg(test)]
mod tests;
