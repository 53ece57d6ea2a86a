//! What the field allows and the integers do not: any number as a sum of squares, and roots without a length.

use ff::{Field, PrimeField};
use pasta_curves::Fp;
use rand_chacha::ChaCha20Rng;

use crate::columns::Columns;
use crate::plan::Plan;
use crate::squares::{FactorRule, ROOTS};

/// Four elements whose squares add up to `value`; the first two are given.
///
/// With `i² = -1` in the field, `((v+1)/2)² + (i·(v-1)/2)² = v`.
pub fn field_roots(value: Fp, first: [Fp; 2]) -> [Fp; ROOTS] {
    let rest = value - first[0].square() - first[1].square();
    let i = (-Fp::ONE).sqrt().expect("p is 1 modulo 4");
    let roots = [
        first[0],
        first[1],
        (rest + Fp::ONE) * Fp::TWO_INV,
        i * (rest - Fp::ONE) * Fp::TWO_INV,
    ];
    assert_eq!(roots.iter().map(Field::square).sum::<Fp>(), value);
    roots
}

/// A vector that is orthogonal to `roots` and to itself: any multiple of it, added to the roots, leaves the sum of their squares.
pub fn isotropic(roots: &[Fp; ROOTS], generator: &mut ChaCha20Rng) -> [Fp; ROOTS] {
    let dot = |a: &[Fp; ROOTS], b: &[Fp; ROOTS]| -> Fp { a.iter().zip(b).map(|(a, b)| a * b).sum() };
    let inverse = dot(roots, roots).invert().expect("not zero");
    loop {
        let mut orthogonal = || -> [Fp; ROOTS] {
            let any: [Fp; ROOTS] = std::array::from_fn(|_| Fp::random(&mut *generator));
            let part = dot(&any, roots) * inverse;
            std::array::from_fn(|at| any[at] - part * roots[at])
        };
        let (u, v) = (orthogonal(), orthogonal());
        // |u + κ·v|² = 0
        let (uu, uv, vv) = (dot(&u, &u), dot(&u, &v), dot(&v, &v));
        let Some(root) = Option::<Fp>::from((uv.square() - uu * vv).sqrt()) else {
            continue;
        };
        let kappa = (root - uv) * vv.invert().expect("not zero");
        let found = std::array::from_fn(|at| u[at] + kappa * v[at]);
        assert_eq!((dot(&found, &found), dot(&found, roots)), (Fp::ZERO, Fp::ZERO));
        return found;
    }
}

/// Moves the roots of other sums of squares along isotropic lines, so that each sum stays what it is and the projections come to what they would be if
/// the roots of this one were zeros.
pub fn hide_roots(
    plan: &Plan,
    columns: &mut Columns,
    hidden: usize,
    rule: FactorRule,
    e: &Fp,
    generator: &mut ChaCha20Rng,
) {
    let projected = |roots: &[Fp; ROOTS], sum: usize| -> Vec<Fp> {
        let mut y = vec![Fp::ZERO; plan.masked()];
        let factors = rule(e, sum);
        for (root, (column, _)) in plan.roots(sum).into_iter().enumerate() {
            for (p, factor) in factors[root / plan.group].iter().enumerate() {
                y[column % plan.group * plan.projections + p] += Fp::from(*factor) * roots[root];
            }
        }
        y
    };
    let roots_of = |columns: &Columns, sum: usize| plan.roots(sum).map(|(column, row)| columns.x[column][row]);
    // As many as there are projections, and one more.
    let others: Vec<(usize, [Fp; ROOTS])> = (0..plan.squares)
        .filter(|sum| *sum != hidden)
        .map(|sum| (sum, roots_of(columns, sum)))
        .filter(|(_, roots)| roots.iter().map(Field::square).sum::<Fp>() != Fp::ZERO)
        .take(plan.masked() + 1)
        .map(|(sum, roots)| (sum, isotropic(&roots, generator)))
        .collect();
    let mut rows = vec![Vec::new(); plan.masked()];
    let along = others.iter().map(|(sum, direction)| projected(direction, *sum));
    let target = projected(&roots_of(columns, hidden), hidden)
        .into_iter()
        .map(|y| -y)
        .collect();
    for y in along.chain([target]) {
        rows.iter_mut().zip(y).for_each(|(row, y)| row.push(y));
    }
    let steps = solve(rows).expect("more sums than projections");
    for ((sum, direction), step) in others.iter().zip(steps) {
        for ((column, row), along) in plan.roots(*sum).into_iter().zip(direction) {
            columns.x[column][row] += step * along;
        }
    }
}

/// A solution of the equations `Σ_j row_j·x_j = row_last`.
pub fn solve(mut rows: Vec<Vec<Fp>>) -> Option<Vec<Fp>> {
    let unknowns = rows.first()?.len() - 1;
    let mut pivots = Vec::new();
    for column in 0..unknowns {
        let at = pivots.len();
        let Some(found) = (at..rows.len()).find(|row| rows[*row][column] != Fp::ZERO) else {
            continue;
        };
        rows.swap(at, found);
        let inverse = rows[at][column].invert().expect("not zero");
        rows[at].iter_mut().for_each(|value| *value *= inverse);
        let pivot = rows[at].clone();
        for (_, row) in rows.iter_mut().enumerate().filter(|(index, _)| *index != at) {
            let factor = row[column];
            row.iter_mut()
                .zip(&pivot)
                .for_each(|(value, own)| *value -= factor * own);
        }
        pivots.push(column);
    }
    if rows[pivots.len()..].iter().any(|row| row[unknowns] != Fp::ZERO) {
        return None;
    }
    let mut solution = vec![Fp::ZERO; unknowns];
    for (row, column) in rows.iter().zip(pivots) {
        solution[column] = row[unknowns];
    }
    Some(solution)
}
