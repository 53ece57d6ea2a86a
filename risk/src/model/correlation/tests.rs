#![allow(clippy::unwrap_used, clippy::indexing_slicing)]
use super::*;

fn matrix(rows: &[&[&str]]) -> Correlations {
    let figure = |text: &&str| Figure(amount::parse(text).unwrap());
    Correlations(rows.iter().map(|row| row.iter().map(figure).collect()).collect())
}

fn full(correlations: &Correlations) -> Matrix {
    let mut matrix = Matrix::new(correlations.len());
    matrix.fill(|i, j| correlations.get(i, j));
    matrix
}

#[test]
fn a_matrix_that_is_not_positive_semi_definite_is_refused_by_name() {
    let bad = matrix(&[&["1"], &["0.9", "1"], &["-0.9", "0.9", "1"]]);
    assert!(
        matches!(bad.check("here", 3), Err(ModelError::NotSemiDefinite { field }) if field == "here"),
        "three that cannot be"
    );
    let barely = matrix(&[&["1"], &["1", "1"], &["0.5", "0.5001", "1"]]);
    assert!(barely.check("here", 3).is_err());
    for good in [
        matrix(&[&["1"], &["1", "1"]]),
        matrix(&[&["1"], &["-1", "1"]]),
        matrix(&[&["1"], &["0.5", "1"], &["-0.5", "0.5", "1"]]),
        matrix(&[&["1"]]),
    ] {
        good.check("here", good.len()).unwrap();
    }
}

#[test]
fn shape_and_range_are_checked() {
    for bad in [
        matrix(&[&["1"]]),
        matrix(&[&["1"], &["1"]]),
        matrix(&[&["1"], &["0.5", "0.9"]]),
        matrix(&[&["1"], &["1.01", "1"]]),
        matrix(&[&["1"], &["0.1234567890123", "1"]]),
    ] {
        assert!(bad.check("here", 2).is_err(), "{bad:?}");
    }
}

#[test]
fn the_factor_of_a_singular_matrix_is_over_the_matrix_by_little() {
    let correlations = matrix(&[&["1"], &["1", "1"], &["0.5", "0.5", "1"]]);
    let forms = full(&correlations).factor().unwrap();
    for i in 0..3 {
        for j in 0..3 {
            let product: Decimal = forms.iter().map(|form| form.at(i) * form.at(j)).sum();
            let over = product - correlations.get(i, j);
            assert!(over.abs() < Decimal::new(1, 11), "{i} {j}: {over}");
        }
    }
}

#[test]
fn the_least_share_is_that_of_equal_weights_where_correlations_are_equal() {
    let equal = matrix(&[&["1"], &["0.2", "1"], &["0.2", "0.2", "1"]]);
    let share = full(&equal).least_share();
    // (1 - ρ) / n + ρ
    let exact = 0.8 / 3.0 + 0.2;
    assert!(share <= exact && share > exact - 1e-5, "{share}");
    assert!(full(&matrix(&[&["1"], &["-1", "1"]])).least_share() < 1e-9);
}

#[test]
fn a_covering_has_no_negative_entry_and_is_at_least_the_matrix() {
    for correlations in [
        matrix(&[&["1"], &["0.9", "1"], &["0.9", "0.1", "1"], &["0.2", "0.9", "0.9", "1"]]),
        matrix(&[&["1"], &["0.29", "1"], &["0.13", "0.54", "1"]]),
        matrix(&[&["1"], &["1", "1"]]),
    ] {
        let forms = covering(|i, j| correlations.get(i, j), correlations.len()).unwrap();
        for form in &forms {
            assert!(form.coefficients.iter().all(|x| *x >= Decimal::ZERO));
        }
        for i in 0..correlations.len() {
            for j in 0..correlations.len() {
                let product: Decimal = forms.iter().map(|form| form.at(i) * form.at(j)).sum();
                assert!(product >= correlations.get(i, j));
            }
        }
    }
}

#[test]
fn a_matrix_of_many_rows_has_a_factor_too() {
    let mut matrix = Matrix::new(510);
    matrix.fill(|i, j| if i == j { Decimal::ONE } else { Decimal::new(25, 2) });
    assert!(matrix.factor().is_some());
    matrix.fill(|i, j| if i == j { Decimal::ONE } else { Decimal::new(-25, 2) });
    assert!(matrix.factor().is_none(), "not positive semi-definite");
}
