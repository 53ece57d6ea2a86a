//! The rule that places variables.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::collections::BTreeSet;

use proptest::prelude::*;

use zkmargin_program::LegId;

use super::*;

fn layout(k: u32) -> Layout {
    Layout::new(k, vec![0], vec![LegId::new(0)], Vec::new()).unwrap()
}

/// Runs for numbers of these widths, the first `squares` of them squared.
fn place(k: u32, limb_bits: u32, bits: &[u32], squares: usize) -> Option<Arranged> {
    let squared: Vec<bool> = (0..bits.len()).map(|index| index < squares).collect();
    let sums = Sums {
        count: 0,
        projection_bits: 1,
    };
    arrange(&layout(k), limb_bits, bits, &squared, sums, 1).unwrap()
}

/// A placement of so many sums of squares.
fn sums(k: u32, squares: usize, group: usize) -> Option<Placement> {
    let sums = Sums {
        count: squares,
        projection_bits: 40,
    };
    let arranged = arrange(&layout(k), k - 1, &[], &[], sums, group).unwrap()?;
    Some(Placement {
        shape: arranged.shape,
        places: (0..squares).map(Place::Squares).collect(),
        squares,
        projection_bits: sums.projection_bits,
        last: arranged.last,
    })
}

proptest! {
    #[test]
    fn every_variable_has_a_run_of_its_own_that_holds_it(
        k in 6u32..=9,
        narrower in 1u32..=3,
        bits in proptest::collection::vec(1u32..=128, 1..120),
        squares in 0usize..20,
    ) {
        let squares = squares.min(bits.len());
        let Some(Arranged { shape, cells, last }) = place(k, k - narrower, &bits, squares) else { return Ok(()) };
        let mut end = 0;
        for run in shape.runs() {
            prop_assert!(run.start >= end && run.limbs > 0);
            end = run.start + run.limbs;
        }
        prop_assert!(end <= last, "no run reaches the last usable row");
        let mut heads = BTreeSet::new();
        for (index, cell) in cells.iter().enumerate() {
            prop_assert!(heads.insert((cell.column, cell.row)), "two variables in one cell");
            let run = Run { start: cell.row, limbs: cell.limbs };
            prop_assert!(shape.runs().contains(&run));
            prop_assert!(cell.limbs as u32 * shape.limb_bits >= bits[index]);
            prop_assert!(cell.column < shape.z_columns());
            prop_assert!(index >= squares || cell.column < shape.square_columns(), "a square where there is no s");
        }
    }

    #[test]
    fn every_root_has_a_cell_of_its_own_and_every_sum_rows_of_its_own(k in 6u32..=10, squares in 1usize..3_000, two in 0u32..=2) {
        let Some(placement) = sums(k, squares, 1 << two) else { return Ok(()) };
        let shape = placement.shape();
        // The masks' own.
        let masks = |row| (0..shape.x_group()).map(move |column| (column, row));
        let mut cells: BTreeSet<_> = (0..PROJECTIONS).flat_map(masks).collect();
        let mut rows: BTreeSet<_> = (0..PROJECTIONS).map(|row| (0, row)).collect();
        for index in 0..squares {
            for (column, row) in placement.roots(index) {
                prop_assert!(column < shape.x_columns() && row < placement.last());
                prop_assert!(cells.insert((column, row)), "two roots in one cell");
            }
            prop_assert_eq!(placement.roots(index).count(), ROOTS);
            let own: BTreeSet<_> = placement.roots(index).map(|(column, row)| (column / shape.x_group(), row)).collect();
            prop_assert_eq!(own.len(), ROOTS / shape.x_group());
            for row in own {
                prop_assert!(rows.insert(row), "two sums share a coefficient");
            }
        }
    }
}

#[test]
fn groups_of_roots_have_a_mask_for_each_projection_of_each_column() {
    for group in [1, 2] {
        let placement = sums(9, 600, group).unwrap();
        let shape = placement.shape();
        assert_eq!(shape.x_columns() % group, 0);
        assert_eq!(shape.masked(), group * PROJECTIONS);
        assert_eq!(shape.masked_bytes(), 7, "40 bits and 16");
        assert_eq!(shape.z_columns(), 0);
    }
}

#[test]
fn accumulators_for_which_there_is_no_public_column_are_not_chosen() {
    // One column of legs, `b` and `s`.
    assert!(sums(9, 100, 4).is_none());
    assert!(sums(9, 600, 4).is_some());
}

#[test]
fn columns_are_as_few_as_can_be() {
    // 50 runs of 10 limbs of 8 bits are 500 of the 505 rows above the last usable one.
    let columns = |variables| place(9, 8, &vec![80; variables], 0).unwrap().shape.z_columns();
    assert_eq!([50, 51, 100].map(columns), [1, 2, 2]);
}

#[test]
fn without_sums_of_squares_there_is_no_column_of_roots_and_no_mask() {
    let shape = place(9, 8, &[80, 1], 1).unwrap().shape;
    assert_eq!((shape.x_columns(), shape.masked(), shape.masked_bytes()), (0, 0, 0));
    let one = sums(9, 1, 1).unwrap();
    assert_eq!((one.shape().x_columns(), one.shape().masked()), (1, PROJECTIONS));
}

#[test]
fn roots_have_as_many_columns_as_there_may_be_and_no_more() {
    let per_column = sums(6, 1, 1).unwrap().last / ROOTS;
    let most = MAX_X_COLUMNS * per_column - PROJECTIONS / ROOTS;
    assert_eq!(sums(6, most, 1).unwrap().shape.x_columns(), MAX_X_COLUMNS);
    assert!(sums(6, most + 1, 1).is_none());
}

#[test]
fn variables_that_no_proof_can_hold_are_refused_soon() {
    let start = std::time::Instant::now();
    assert!(place(6, 5, &[128; 5_000], 400).is_none());
    assert!(place(6, 5, &[128; 250], 200).is_some());
    assert!(
        start.elapsed().as_secs() < 5,
        "a hostile model must not keep a verifier busy"
    );
}

#[test]
fn digest_depends_on_every_field() {
    let shape = place(7, 6, &[80, 40, 40, 7, 1], 2).unwrap().shape;
    let mut others = vec![shape.clone(); 11];
    others[0].k += 1;
    others[1].q_columns += 1;
    others[2].z_columns += 1;
    others[3].square_columns += 1;
    others[4].limb_bits += 1;
    others[5].runs[0].limbs += 1;
    others[6].runs[0].start += 1;
    others[7].runs.pop();
    others[8].x_columns += 1;
    others[9].x_group += 1;
    others[10].masked_bytes += 1;
    let digests: BTreeSet<[u8; 32]> = others.iter().chain([&shape]).map(Shape::digest).collect();
    assert_eq!(digests.len(), 12);
}

#[test]
fn program_that_is_too_large_is_told_both_bounds() {
    let error = ShapeError::TooLarge {
        variables: 3,
        bits: 99,
        k: 6,
    };
    assert_eq!(
        error.to_string(),
        "3 variables of 99 bits together need more than 128 columns of limbs or 256 columns of roots, each of 2^6 rows"
    );
}
