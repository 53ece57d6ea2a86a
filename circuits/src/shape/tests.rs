//! The rule that places variables.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::collections::BTreeSet;

use proptest::prelude::*;

use super::*;

/// Placements of variables with these widths, the first `squares` of them squared.
fn place(k: u32, limb_bits: u32, bits: &[u32], squares: usize) -> Option<Placement> {
    let squared: Vec<bool> = (0..bits.len()).map(|index| index < squares).collect();
    arrange(k, 3, limb_bits, bits, &squared).unwrap()
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
        let Some(placement) = place(k, k - narrower, &bits, squares) else { return Ok(()) };
        let shape = placement.shape();
        let mut end = 0;
        for run in shape.runs() {
            prop_assert!(run.start >= end && run.limbs > 0);
            end = run.start + run.limbs;
        }
        prop_assert!(end <= placement.last(), "no run reaches the last usable row");
        let mut heads = BTreeSet::new();
        for (index, (cell, width)) in placement.cells().iter().zip(placement.widths()).enumerate() {
            prop_assert!(heads.insert((cell.column, cell.row)), "two variables in one cell");
            let run = Run { start: cell.row, limbs: cell.limbs };
            prop_assert!(shape.runs().contains(&run));
            prop_assert!(width >= bits[index]);
            prop_assert!(cell.column < shape.z_columns());
            prop_assert!(index >= squares || cell.column < shape.square_columns(), "a square where there is no s");
        }
    }
}

#[test]
fn columns_are_as_few_as_can_be() {
    // 50 runs of 10 limbs of 8 bits are 500 of the 505 rows above the last usable one.
    assert_eq!(place(9, 8, &[80; 50], 0).unwrap().shape().z_columns(), 1);
    assert_eq!(place(9, 8, &[80; 51], 0).unwrap().shape().z_columns(), 2);
    assert_eq!(place(9, 8, &[80; 100], 0).unwrap().shape().z_columns(), 2);
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
    let shape = place(7, 6, &[80, 40, 40, 7, 1], 2).unwrap().shape().clone();
    let mut others = vec![shape.clone(); 8];
    others[0].k += 1;
    others[1].q_columns += 1;
    others[2].z_columns += 1;
    others[3].square_columns += 1;
    others[4].limb_bits += 1;
    others[5].runs[0].limbs += 1;
    others[6].runs[0].start += 1;
    others[7].runs.pop();
    let digests: BTreeSet<[u8; 32]> = others.iter().chain([&shape]).map(Shape::digest).collect();
    assert_eq!(digests.len(), 9);
}
