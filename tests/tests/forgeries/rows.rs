//! Rows: those of legs, the usable ones after them, the unusable ones, and the runs of limbs (protocol §5, §6).

use ff::{Field, PrimeField};
use pasta_curves::Fp;
use zkmargin_circuits::{Placement, Refusal, verify};
use zkmargin_program::Program;
use zkmargin_tests::*;

use crate::{statements, verdict};

#[test]
fn proof_is_refused_when_a_row_outside_the_legs_is_not_what_the_venue_signed() {
    let program = scenarios();
    let plan = Plan::of(&program);
    let account = Account::of(&SOLVENT, 1);
    let claims = [account.claim(0, &program)];
    let forger = Forger::new(&SETUP, &plan, statements(1));
    let w = witness(&program, &account.lots);
    // A row without a leg, the rows from `u` on, the last usable one.
    for (column, row) in [
        (0, 4),
        (1, 47),
        (0, 48),
        (1, 50),
        (0, plan.last - 1),
        (0, plan.last),
        (1, plan.last),
    ] {
        let mut scene = account.scene(&SETUP, &plan, &program, &w);
        scene.columns.q[column][row] = Fp::from(777);
        let proof = forger.prove(&[scene]).unwrap().proof;
        assert_eq!(
            verdict(&claims, &proof),
            Err(Refusal::Link),
            "row {row} of column {column}"
        );
        let lenient = Lenient {
            link: false,
            ..Lenient::default()
        };
        assert_eq!(lenient.verify(&SETUP, &claims, &proof), Verdict::Accepted);

        // Were it what the venue signed, nothing would be wrong with it: the row is multiplied by nothing.
        let mut columns = account.columns.clone();
        columns[column].resize(plan.last + 1, Fp::ZERO);
        columns[column][row] = Fp::from(777);
        let signed = Account::holding(&SETUP, account.lots.clone(), columns, 1);
        let proof = forger
            .prove(&[signed.scene(&SETUP, &plan, &program, &w)])
            .unwrap()
            .proof;
        assert_eq!(verdict(&[signed.claim(0, &program)], &proof), Ok(()));
    }
}

#[test]
fn proof_is_refused_when_a_row_outside_the_legs_of_the_matrix_is_not_zero() {
    let program = scenarios();
    let plan = Plan::of(&program);
    let account = Account::of(&SOLVENT, 1);
    let claims = [account.claim(0, &program)];
    // A row without a leg, one from `u` on, the last usable one where no accumulator ends.
    for (column, row) in [(0, 4), (1, 48), (plan.group, plan.last)] {
        let mut forger = Forger::new(&SETUP, &plan, statements(1));
        forger.matrices = Box::new(move |_, _, a| a[column][row] = Fp::from(777));
        let proof = forger.prove(&[account.honest_scene(&plan, &program)]).unwrap().proof;
        assert_eq!(
            verdict(&claims, &proof),
            Err(Refusal::Link),
            "row {row} of column {column}"
        );
        let lenient = Lenient {
            link: false,
            ..Lenient::default()
        };
        assert_eq!(lenient.verify(&SETUP, &claims, &proof), Verdict::Accepted);
    }
}

#[test]
fn chosen_values_in_the_unusable_rows_prove_what_is_true_and_nothing_else() {
    let program = norms();
    let plan = Plan::of(&program);
    let w = witness(&program, &Account::of(&SOLVENT, 1).lots);
    for (legs, expected) in [
        (SOLVENT, Ok(())),
        (INSOLVENT_0, Err(Refusal::Circuit)),
        (INSOLVENT_1, Err(Refusal::Circuit)),
    ] {
        let account = Account::of(&legs, 1);
        let claims = [account.claim(0, &program)];
        let mut forger = Forger::new(&SETUP, &plan, statements(1));
        let mut scene = account.scene(&SETUP, &plan, &program, &w);
        // What is missing stands in an unusable row of `acc`, and in every other column is the solvent book, moved there.
        for column in 0..plan.advice_columns() {
            let solvent = [10, 3, 4, 0, 777, 1].map(Fp::from);
            forger.chosen.extend(
                solvent
                    .into_iter()
                    .enumerate()
                    .map(|(row, value)| (0, column, row, value)),
            );
        }
        let proof = forger.prove(&[scene.clone()]).unwrap().proof;
        assert_eq!(verdict(&claims, &proof), expected);
        // The same with zeros, without any blinding: still no other statement.
        forger.chosen.iter_mut().for_each(|(_, _, _, value)| *value = Fp::ZERO);
        scene.columns.acc = vec![vec![Fp::ZERO; plan.last + 1]; plan.group];
        let proof = forger.prove(&[scene]).unwrap().proof;
        assert_eq!(verdict(&claims, &proof), expected);
    }
}

/// A run from `head` with every limb zero, so that each cell is `2^K` times the next: the field's quotients of `value`.
fn quotients(value: Fp, limb_bits: u32, cells: usize) -> Vec<Fp> {
    let inverse = Fp::from(1 << limb_bits).invert().unwrap();
    std::iter::successors(Some(value), |cell| Some(*cell * inverse))
        .take(cells)
        .collect()
}

/// Of [`choice`], not met: and a "bit" that frees half of the width in both of its rows, which is no small integer.
fn half_a_bit(account: &Account, plan: &Plan, program: &Program) -> (Fp, Vec<u128>) {
    let half = 1_u128 << 39;
    let big_m = Fp::from_u128(2 * half - 1);
    let bit = Fp::from_u128(half) * big_m.invert().unwrap();
    let charge = 10 * u128::from(account.lots[0]);
    assert!(program.witness(&account.lots).is_err());
    assert_eq!(
        plan.places[..3].iter().filter(|p| matches!(p, Place::Run(_))).count(),
        2
    );
    // Bit, complement, the charge less `half - 1` above `-half`, how far that is above either, and what is left of the equity.
    let left = 3 * u128::from(account.lots[0]) + half - 1 - charge;
    (bit, vec![0, 0, charge + 1, 1, 0, left])
}

#[test]
fn proof_is_refused_when_a_run_ends_on_the_last_usable_row() {
    let program = choice();
    let honest = Plan::of(&program);
    let account = Account::new(&SETUP, 1, &[(0, 7)], 1);
    let claims = [account.claim(0, &program)];
    let (bit, w) = half_a_bit(&account, &honest, &program);
    let mut moved = honest.clone();
    // Both runs of one cell become runs of two at the very end, each of a column.
    let head = honest.last - 1;
    moved.z_columns = 2;
    for (column, place) in moved.places[..2].iter_mut().enumerate() {
        let Place::Run(cell) = place else { unreachable!() };
        assert_eq!(honest.limbs(*cell), 1);
        *cell = Cell { column, row: head };
    }
    moved.runs = vec![(head, 2)];
    moved.m = moved.multipliers();
    let prove = |plan: &Plan| {
        let mut scene = account.scene(&SETUP, plan, &program, &w);
        let mut forger = Forger::new(&SETUP, plan, statements(1));
        for (column, value) in [bit, Fp::ONE - bit].into_iter().enumerate() {
            let cells = quotients(value, plan.limb_bits, 3);
            scene.columns.z[column][head..].copy_from_slice(&cells[..2]);
            // The first unusable row of `z` carries on what the run cannot hold.
            forger.chosen.push((0, plan.z_at() + column, 0, cells[2]));
        }
        forger.prove(&[scene])
    };
    assert_eq!(moved.m[moved.last], 0);
    // With m zero there, the table does not have the last limb.
    assert_eq!(prove(&moved).unwrap_err(), "The constraint system is not satisfied");
    moved.m[moved.last] = 1 << moved.limb_bits;
    let proof = prove(&moved).unwrap().proof;
    let lenient = Lenient {
        plan: Some(&moved),
        ..Lenient::default()
    };
    assert_eq!(
        lenient.verify(&SETUP, &claims, &proof),
        Verdict::Accepted,
        "and with it, it would be accepted"
    );
    let refusal = verdict(&claims, &proof).unwrap_err();
    assert!(matches!(refusal, Refusal::Link | Refusal::Malformed(_)), "{refusal}");
}

#[test]
fn proof_is_refused_when_m_is_not_zero_on_the_last_usable_row() {
    let program = choice();
    let account = Account::new(&SETUP, 1, &[], 1);
    let claims = [account.claim(0, &program)];
    let mut plan = Plan::of(&program);
    assert_eq!((plan.z_columns, plan.m[plan.last]), (1, 0));
    plan.m[plan.last] = 1 << plan.limb_bits;
    // Of the same shape, and a good book: what differs is the key.
    let mut forger = Forger::new(&SETUP, &plan, statements(1));
    forger.chosen = vec![(0, plan.z_at(), 0, Fp::ZERO)];
    let proof = forger.prove(&[account.honest_scene(&plan, &program)]).unwrap().proof;
    let lenient = Lenient {
        plan: Some(&plan),
        ..Lenient::default()
    };
    assert_eq!(lenient.verify(&SETUP, &claims, &proof), Verdict::Accepted);
    assert_eq!(verdict(&claims, &proof), Err(Refusal::Circuit));
}

#[test]
fn no_run_and_no_sum_of_any_shape_reaches_the_last_usable_row() {
    let programs = [
        scenarios(),
        norms(),
        single(),
        choice(),
        many(130),
        many(560),
        scenarios_at(7),
        scenarios_at(8),
    ];
    for program in programs {
        let (placement, plan) = (Placement::new(&program).unwrap(), Plan::of(&program));
        let ends = placement.shape().runs().iter().map(|run| run.start + run.limbs);
        let rows = (0..plan.squares).map(|sum| plan.rows_of(sum).1.end);
        let end = ends.chain(rows).max().unwrap();
        assert!(end <= plan.last, "rows up to {end} of {}", plan.last);
        assert_eq!(plan.last, (1 << plan.k) - 7);
    }
    // The fullest column that there is: one choice more, of a bit and its complement, and there are more columns.
    let mut ends = Vec::new();
    let mut columns = std::collections::BTreeSet::new();
    for count in 1..40 {
        let mut builder = builder(K);
        for index in 0..count {
            let charges = [1, 2 + index].map(|units| builder.upper(&form(K, &[(0, units), (1, 0)])).unwrap());
            let [first, second] = charges;
            let charge = builder.any_of_upper("charge", first, second).unwrap();
            let equity = builder.lower(&form(K, &[(0, 5), (1, -5)])).unwrap();
            builder.require_non_negative("margin", equity - charge).unwrap();
        }
        let placement = Placement::new(&builder.finish().unwrap()).unwrap();
        let shape = placement.shape();
        ends.push(shape.runs().last().map(|run| run.start + run.limbs).unwrap());
        columns.insert(shape.z_columns());
    }
    assert!(columns.len() > 1);
    assert_eq!(ends.iter().max(), Some(&((1 << K) - 8)), "{ends:?}");
}

#[test]
fn parameters_of_another_k_are_refused_before_the_proof_is_read() {
    let program = scenarios();
    let account = Account::of(&SOLVENT, 1);
    let other = zkmargin_circuits::Parameters::load(7, None).unwrap();
    let refusal = verify(&other, &[account.claim(0, &program)], &[]).unwrap_err();
    let expected = zkmargin_circuits::ClaimError::OtherK {
        universe: 6,
        parameters: 7,
    };
    assert_eq!(refusal, expected.into());
}
