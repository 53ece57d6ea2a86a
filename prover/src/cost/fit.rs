//! Coefficients from measurements: least squares of relative errors, none of them negative.

use super::{CostModel, PROVE, Size, Source, VERIFY, product};

/// Fewest programs of different size that are fitted to: a formula has up to eight coefficients, and each program is left out once.
pub const LEAST_SIZES: usize = 10;
/// Rounds of descent. A round is a few thousand operations.
const ROUNDS: usize = 200_000;
/// A round that changes no coefficient by more than this part of the largest ends the descent.
const SETTLED: f64 = 1e-12;

/// What was measured of one program: CPU milliseconds on one thread.
#[derive(Clone, Debug)]
pub struct Measured<'a> {
    /// The program's size.
    pub size: &'a Size,
    /// To prove.
    pub prove_ms: f64,
    /// To verify this many proofs together, each time.
    pub verify_ms: Vec<(usize, f64)>,
}

/// Why there is no fit.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum FitError {
    /// Too little was measured.
    #[error("programs of different size that were measured on one thread: {given}; a fit needs at least {LEAST_SIZES}")]
    TooFew {
        /// Different sizes.
        given: usize,
    },
}

impl CostModel {
    /// The coefficients that come nearest to what was measured on `processor`, on this day.
    ///
    /// # Errors
    /// [`FitError`].
    pub fn fit(measured: &[Measured<'_>], date: &str, processor: &str) -> Result<CostModel, FitError> {
        let mut sizes: Vec<&Size> = Vec::new();
        for one in measured.iter().filter(|one| one.prove_ms > 0.0) {
            if !sizes.contains(&one.size) {
                sizes.push(one.size);
            }
        }
        if sizes.len() < LEAST_SIZES {
            return Err(FitError::TooFew { given: sizes.len() });
        }
        let all = Rows::of(measured.iter());
        let (prove, verify) = (nearest(&all.prove), nearest(&all.verify));
        let mut left_out_error = [0.0; 2];
        for size in sizes {
            let (left_out, others): (Vec<&Measured<'_>>, Vec<_>) = measured.iter().partition(|one| one.size == size);
            let (left_out, others) = (Rows::of(left_out), Rows::of(others));
            let errors = [
                largest_error(&nearest(&others.prove), &left_out.prove),
                largest_error(&nearest(&others.verify), &left_out.verify),
            ];
            for (largest, error) in left_out_error.iter_mut().zip(errors) {
                *largest = error.max(*largest);
            }
        }
        Ok(CostModel {
            source: Source::Fitted { date: date.to_owned() },
            processor: processor.to_owned(),
            largest_error: [largest_error(&prove, &all.prove), largest_error(&verify, &all.verify)],
            left_out_error,
            prove,
            verify,
        })
    }
}

/// Counts divided by the milliseconds that were measured of them, of proving and of verifying: times coefficients they should be one.
struct Rows {
    prove: Vec<[f64; PROVE.len()]>,
    verify: Vec<[f64; VERIFY.len()]>,
}

impl Rows {
    fn of<'a>(measured: impl IntoIterator<Item = &'a Measured<'a>>) -> Rows {
        let mut rows = Rows {
            prove: Vec::new(),
            verify: Vec::new(),
        };
        for one in measured {
            if one.prove_ms > 0.0 {
                rows.prove.push(one.size.to_prove().map(|count| count / one.prove_ms));
            }
            for (batch, ms) in one.verify_ms.iter().filter(|(_, ms)| *ms > 0.0) {
                rows.verify.push(one.size.to_verify(*batch).map(|count| count / ms));
            }
        }
        rows
    }
}

/// The largest relative error of coefficients on some rows.
fn largest_error<const N: usize>(coefficients: &[f64; N], rows: &[[f64; N]]) -> f64 {
    let error = |row: &[f64; N]| (product(coefficients, row) - 1.0).abs();
    rows.iter().map(error).fold(0.0, f64::max)
}

/// The coefficients `c ≥ 0` that minimise `Σ (c·row − 1)²`.
///
/// Coordinate descent: each coefficient in turn takes its best value, or zero. The problem is convex, so that this comes to the minimum.
fn nearest<const N: usize>(rows: &[[f64; N]]) -> [f64; N] {
    // Columns of one length, so that no unit of counting is favoured.
    let mut scale = [0.0; N];
    for (index, scale) in scale.iter_mut().enumerate() {
        *scale = rows.iter().map(|row| row[index] * row[index]).sum::<f64>().sqrt();
    }
    let entry = |row: &[f64; N], index: usize| {
        if scale[index] > 0.0 {
            row[index] / scale[index]
        } else {
            0.0
        }
    };
    let mut gram = [[0.0; N]; N];
    let mut toward = [0.0; N];
    for row in rows {
        let row: [f64; N] = std::array::from_fn(|index| entry(row, index));
        for (i, a) in row.iter().enumerate() {
            toward[i] += a;
            for (j, b) in row.iter().enumerate() {
                gram[i][j] += a * b;
            }
        }
    }
    let mut scaled = [0.0_f64; N];
    for _ in 0..ROUNDS {
        let (mut change, mut largest) = (0.0_f64, 0.0_f64);
        for (i, row) in gram.iter().enumerate() {
            if row[i] <= 0.0 {
                continue;
            }
            let rest = toward[i] - product(row, &scaled);
            let best = (scaled[i] + rest / row[i]).max(0.0);
            change = change.max((best - scaled[i]).abs());
            scaled[i] = best;
            largest = largest.max(best);
        }
        if change <= SETTLED * largest {
            break;
        }
    }
    let mut coefficients = [0.0; N];
    for (index, coefficient) in coefficients.iter_mut().enumerate() {
        if scale[index] > 0.0 {
            *coefficient = scaled[index] / scale[index];
        }
    }
    coefficients
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    /// Sizes of many kinds.
    fn sizes() -> Vec<Size> {
        let mut sizes = Vec::new();
        for k in 6..11_u32 {
            for step in 1..7_usize {
                let x_group = 1 << (step % 3);
                sizes.push(Size {
                    k,
                    q_columns: step * 2 % 7 + 1,
                    x_columns: step * step % 5 * x_group + x_group,
                    z_columns: (step + k as usize) % 4,
                    square_columns: (step + k as usize) % 4 / 2,
                    x_group,
                    limb_bits: k - 1,
                    equations: 30 * step,
                    variables: 60 * step,
                    entries: (step << k) * (step + 3),
                    proof_bytes: 1_500 + 400 * step + 64 * k as usize,
                });
            }
        }
        sizes
    }

    const TRUE_PROVE: [f64; 8] = [2.0, 0.1, 0.5, 0.05, 0.1, 0.2, 0.45, 1e-5];
    const TRUE_VERIFY: [f64; 7] = [0.1, 0.4, 0.003, 0.001, 0.01, 0.02, 8e-6];

    fn fitted(noise: impl Fn(usize) -> f64) -> CostModel {
        let sizes = sizes();
        let measured: Vec<Measured<'_>> = sizes
            .iter()
            .enumerate()
            .map(|(index, size)| Measured {
                size,
                prove_ms: product(&TRUE_PROVE, &size.to_prove()) * noise(index),
                verify_ms: [1, 4, 16]
                    .map(|batch| {
                        (
                            batch,
                            product(&TRUE_VERIFY, &size.to_verify(batch)) * noise(index + batch),
                        )
                    })
                    .to_vec(),
            })
            .collect();
        CostModel::fit(&measured, "2026-01-01", "none").unwrap()
    }

    #[test]
    fn coefficients_behind_exact_times_are_found() {
        let model = fitted(|_| 1.0);
        let prove = model.prove.iter().zip(&TRUE_PROVE);
        for (found, expected) in prove.chain(model.verify.iter().zip(&TRUE_VERIFY)) {
            assert!((found / expected - 1.0).abs() < 0.02, "{found} {expected}");
        }
        assert!(
            model.largest_error.iter().all(|error| *error < 1e-3),
            "{:?}",
            model.largest_error
        );
    }

    #[test]
    fn noise_of_a_twentieth_moves_predictions_by_no_more() {
        // Deterministic, and up to 5 % either way.
        let model = fitted(|index| 1.0 + 0.05 * (index as f64 * 12.9898).sin());
        for size in sizes() {
            for (found, expected) in [
                (model.prove_ms(&size), product(&TRUE_PROVE, &size.to_prove())),
                (model.verify_ms(&size, 4), product(&TRUE_VERIFY, &size.to_verify(4))),
            ] {
                assert!((found / expected - 1.0).abs() < 0.05, "{found} {expected} {size:?}");
            }
        }
        assert!(model.largest_error.iter().all(|error| *error > 0.01 && *error < 0.1));
        // What a program that was not fitted to comes out at is told no better.
        let errors = model.left_out_error.iter().zip(&model.largest_error);
        assert!(
            errors
                .clone()
                .all(|(left_out, fitted)| left_out >= fitted && *left_out < 0.2)
        );
    }

    #[test]
    fn no_coefficient_is_negative_whatever_was_measured() {
        // Times that fall where there is more to do ask for negative coefficients.
        let sizes = sizes();
        let measured: Vec<Measured<'_>> = (sizes.iter())
            .map(|size| Measured {
                size,
                prove_ms: 1e4 / (1.0 + size.entries as f64),
                verify_ms: vec![(1, 1e3 / (1.0 + size.x_columns as f64))],
            })
            .collect();
        let model = CostModel::fit(&measured, "2026-01-01", "none").unwrap();
        let all = model.prove.iter().chain(&model.verify);
        assert!(
            all.clone().all(|ms| *ms >= 0.0) && all.clone().any(|ms| *ms == 0.0),
            "{model:?}"
        );
    }

    #[test]
    fn few_measurements_are_no_fit() {
        let sizes = sizes();
        let measured: Vec<Measured<'_>> = (sizes.iter().take(LEAST_SIZES - 1).cycle().take(40))
            .map(|size| Measured {
                size,
                prove_ms: 1.0,
                verify_ms: vec![(1, 1.0)],
            })
            .collect();
        assert_eq!(
            CostModel::fit(&measured, "2026-01-01", "none"),
            Err(FitError::TooFew { given: LEAST_SIZES - 1 })
        );
    }

    #[test]
    fn more_of_anything_never_costs_less() {
        let fitted = fitted(|index| 1.0 + 0.05 * (index as f64).sin());
        for model in [&CostModel::built_in(), &fitted] {
            for size in sizes() {
                let grow: [fn(&mut Size); 7] = [
                    |size| size.k += 1,
                    |size| size.q_columns += 1,
                    |size| size.x_columns += size.x_group,
                    |size| size.z_columns += 1,
                    |size| size.square_columns += 1,
                    |size| size.entries += 1_000,
                    |size| size.proof_bytes += 32,
                ];
                for grow in grow {
                    let mut more = size.clone();
                    grow(&mut more);
                    assert!(model.prove_ms(&more) >= model.prove_ms(&size), "{size:?} {more:?}");
                    for batch in [1, 16] {
                        assert!(model.verify_ms(&more, batch) >= model.verify_ms(&size, batch));
                    }
                }
                assert!(model.verify_ms(&size, 4) > model.verify_ms(&size, 3));
                // A batch is never dearer than its proofs one by one.
                assert!(model.verify_ms(&size, 4) <= 4.0 * model.verify_ms(&size, 1));
            }
        }
    }
}
