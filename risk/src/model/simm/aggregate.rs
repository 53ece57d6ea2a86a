//! `√( Σ_b K_b² + Σ_{b≠c} γ_bc S_b S_c )` of a measure as the norm of linear forms, at least.
//!
//! `K_b² = yᵀ ρ y` is a sum of squares. What is not convex is the clip of `S_b`: it is `c Σ y` with an unknown `c <= 1`, of which only
//! `c >= κ_b` is public, `κ_b² = min yᵀ ρ y / (Σ y)²`. With any public `c_b <= κ_b` and `t_bc = c_b c_c`, and with `P_b`, `N_b` the positive
//! parts of `Σ y` and `-Σ y`,
//! ```text
//! γ_bc S_b S_c  <=  γ_bc t_bc (Σ y)_b (Σ y)_c  +  γ_bc (1 - t_bc) ( P_b P_c + N_b N_c )                        γ_bc >= 0
//! γ_bc S_b S_c  <=  γ_bc t_bc (Σ y)_b (Σ y)_c  +  |γ_bc| (1 - t_bc) ( (Σ y)_b² + (Σ y)_c² ) / 2                 γ_bc < 0
//! ```
//! since `c` is between `t` and 1 for every pair. The first terms and the `K_b²` are one quadratic form, and positive semi-definite. The
//! second are at most `(Σ v_b P_b)² + (Σ v_b N_b)²` with `v_b v_c >= γ_bc (1 - t_bc)`, of which `θ_b <= v_b²` of the squares
//! `v_b² (P_b² + N_b²) = v_b² (Σ y)_b²` is taken out of the quadratic form again as far as it stays definite. `c_b` is the largest that leaves
//! room for all of it: `c_b² + v_b² = κ_b²`. Where every bucket has one factor `κ = 1`, and nothing is over-stated.

use rust_decimal::Decimal;
use zkmargin_program::{Builder, Linear, Upper};

use crate::amount::to_f64;
use crate::model::compile::CompileError;
use crate::model::correlation::{LinearForm, Matrix};
use crate::model::factor::ratio;

/// Decimals of `t`, `θ` and `v`.
const DECIMALS: u32 = 12;
/// What is added to `v` against the rounding of `t`.
const MARGIN: f64 = 1e-8;

/// A bucket's weighted factors, each as a form.
pub(super) struct Bucket {
    pub(super) factors: Vec<Linear>,
    /// `ρ`.
    pub(super) inner: Matrix,
}

/// What the public figures of a measure are made to.
struct Weights {
    /// `t_bc γ_bc`, as a lower triangle.
    outer: Vec<Vec<Decimal>>,
    /// What is added to `ρ` of each bucket: `Σ |γ| (1 - t) - θ`.
    inner: Vec<Decimal>,
    /// `v_b`.
    same_side: Vec<Decimal>,
}

/// At least the margin of the buckets; nothing of none.
pub(super) fn across(
    builder: &mut Builder,
    name: &str,
    buckets: &[Bucket],
    outer: &dyn Fn(usize, usize) -> Decimal,
) -> Result<Option<Upper>, CompileError> {
    let shares: Vec<f64> = if buckets.len() > 1 {
        buckets.iter().map(|bucket| bucket.inner.least_share()).collect()
    } else {
        vec![1.0; buckets.len()]
    };
    let weighed = [
        Weights::new(&shares, outer),
        Weights::new(&vec![0.0; buckets.len()], outer),
    ];
    let found = weighed
        .into_iter()
        .find_map(|weights| Some((matrix(buckets, &weights).factor()?, weights)));
    let (rows, weights) = found.ok_or_else(|| CompileError::Missing {
        model: name.to_owned(),
        what: "correlations of the listed factors that are positive semi-definite".to_owned(),
    })?;
    let mut items = squares(builder, name, buckets, &rows)?;
    if weights.same_side.iter().any(|weight| *weight > Decimal::ZERO) {
        let [mut long, mut short] = [builder.upper(&Linear::zero())?, builder.upper(&Linear::zero())?];
        for (bucket, weight) in buckets.iter().zip(&weights.same_side) {
            if *weight == Decimal::ZERO {
                continue;
            }
            let sum = bucket
                .factors
                .iter()
                .cloned()
                .fold(Linear::zero(), |sum, factor| sum + factor);
            let weighted = sum.scale(ratio(*weight)?);
            let (above, below) = (builder.upper(&weighted)?, builder.upper(&-weighted)?);
            long = long + builder.positive_part(&format!("{name}, long buckets"), above)?;
            short = short + builder.positive_part(&format!("{name}, short buckets"), below)?;
        }
        items.extend([long, short]);
    }
    Ok(match items.len() {
        0 => None,
        1 => items.pop(),
        _ => Some(builder.norm(name, items)?),
    })
}

/// The absolute values of the factor's forms.
fn squares(
    builder: &mut Builder,
    name: &str,
    buckets: &[Bucket],
    rows: &[LinearForm],
) -> Result<Vec<Upper>, CompileError> {
    let factors: Vec<&Linear> = buckets.iter().flat_map(|bucket| &bucket.factors).collect();
    let mut items = Vec::with_capacity(rows.len());
    for row in rows {
        let mut sum = Linear::zero();
        for (coefficient, factor) in row.coefficients.iter().zip(factors.iter().skip(row.first)) {
            if *coefficient != Decimal::ZERO {
                sum += (*factor).clone().scale(ratio(*coefficient)?);
            }
        }
        items.push(builder.absolute(name, &sum)?);
    }
    Ok(items)
}

/// The quadratic form over all factors, bucket by bucket.
fn matrix(buckets: &[Bucket], weights: &Weights) -> Matrix {
    let places = buckets.iter().enumerate();
    let places = places.flat_map(|(index, bucket)| (0..bucket.factors.len()).map(move |place| (index, place)));
    let places: Vec<(usize, usize)> = places.collect();
    let mut whole = Matrix::new(places.len());
    whole.fill(|i, j| {
        let (Some((b, k)), Some((c, l))) = (places.get(i), places.get(j)) else {
            return Decimal::ZERO;
        };
        if b == c {
            let inner = buckets
                .get(*b)
                .map_or(Decimal::ZERO, |bucket| bucket.inner.entry(*k, *l));
            inner + weights.inner.get(*b).copied().unwrap_or_default()
        } else {
            let row = weights.outer.get(*b.max(c));
            row.and_then(|row| row.get(*b.min(c))).copied().unwrap_or_default()
        }
    });
    whole
}

impl Weights {
    /// From `κ_b²` and `γ`.
    fn new(shares: &[f64], outer: &dyn Fn(usize, usize) -> Decimal) -> Weights {
        let count = shares.len();
        let gamma: Vec<Vec<f64>> = (0..count)
            .map(|b| {
                (0..count)
                    .map(|c| if b == c { 0.0 } else { to_f64(outer(b, c)) })
                    .collect()
            })
            .collect();
        let pairs = |b: usize| gamma.get(b).into_iter().flatten().copied().enumerate();
        let mut credit: Vec<f64> = shares.iter().map(|share| libm::sqrt(*share)).collect();
        let at = |credit: &[f64], b: usize, c: usize| {
            let of = |index: usize| credit.get(index).copied().unwrap_or(0.0);
            of(b) * of(c)
        };
        let same_side = |credit: &[f64], b: usize| {
            let each = pairs(b).map(|(c, gamma)| gamma * (1.0 - at(credit, b, c)));
            each.fold(0.0, |most: f64, one| if one > most { one } else { most })
        };
        // Falls from κ to the largest fixed point.
        for _ in 0..100 {
            let next = |(b, share): (usize, &f64)| {
                let rest = share - same_side(&credit, b);
                libm::sqrt(if rest > 0.0 { rest } else { 0.0 })
            };
            credit = shares.iter().enumerate().map(next).collect();
        }
        let down = |x: f64| Decimal::new(libm::floor(x * 1e12) as i64, DECIMALS);
        let up = |x: f64| Decimal::new(libm::ceil(x * 1e12) as i64, DECIMALS);
        let share_of = |b: usize, c: usize| down(at(&credit, b, c));
        let mut weights = Weights {
            outer: Vec::with_capacity(count),
            inner: Vec::with_capacity(count),
            same_side: Vec::with_capacity(count),
        };
        for (b, share) in shares.iter().enumerate() {
            weights
                .outer
                .push((0..b).map(|c| outer(b, c) * share_of(b, c)).collect());
            let most = same_side(&credit, b);
            let weight = if most > 0.0 {
                up(libm::sqrt(most) + MARGIN)
            } else {
                Decimal::ZERO
            };
            let square = at(&credit, b, b);
            let room = down(if *share > square { share - square } else { 0.0 });
            let opposite = pairs(b).filter(|(_, gamma)| *gamma < 0.0);
            let opposite: Decimal = opposite
                .map(|(c, _)| -outer(b, c) * (Decimal::ONE - share_of(b, c)))
                .sum();
            weights.inner.push(opposite - room.min(weight * weight));
            weights.same_side.push(weight);
        }
        weights
    }
}
