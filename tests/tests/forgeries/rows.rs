//! Rows: those of legs, the usable ones after them, the unusable ones, and the runs of limbs (protocol §5, §6).

use ff::{Field, PrimeField};
use pasta_curves::Fp;
use zkmargin_circuits::{Placement, Refusal, verify};
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
    for (column, row) in [(0, 4), (1, 48), (0, plan.last)] {
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
        scene.columns.acc.clear();
        scene.columns.acc.resize(plan.last + 1, Fp::ZERO);
        let proof = forger.prove(&[scene]).unwrap().proof;
        assert_eq!(verdict(&claims, &proof), expected);
    }
}

/// One requirement, not met: its slack is `-5` in the field, which no run of the plan holds.
fn short_account() -> Account {
    Account::new(&SETUP, 1, &[(1, 1)], 1)
}

/// A run from `head` with every limb zero, so that each cell is `2^K` times the next: the field's quotients of `value`.
fn quotients(value: Fp, limb_bits: u32, cells: usize) -> Vec<Fp> {
    let inverse = Fp::from(1 << limb_bits).invert().unwrap();
    std::iter::successors(Some(value), |cell| Some(*cell * inverse))
        .take(cells)
        .collect()
}

#[test]
fn proof_is_refused_when_a_run_ends_on_the_last_usable_row() {
    let program = single();
    let honest = Plan::of(&program);
    let account = short_account();
    let claims = [account.claim(0, &program)];
    let limbs = honest.limbs(0);
    let mut moved = honest.clone();
    moved.cells[0].row = honest.last + 1 - limbs;
    moved.runs = vec![(moved.cells[0].row, limbs)];
    moved.m = moved.multipliers();
    let prove = |plan: &Plan| {
        let cells = quotients(-Fp::from(5), plan.limb_bits, limbs + 1);
        let mut scene = account.scene(&SETUP, plan, &program, &[]);
        scene.columns.z[0][plan.cells[0].row..].copy_from_slice(&cells[..limbs]);
        let mut forger = Forger::new(&SETUP, plan, statements(1));
        // The first unusable row of `z` carries on what the run cannot hold.
        forger.chosen = vec![(0, 1, 0, cells[limbs])];
        forger.prove(&[scene])
    };
    assert_eq!(moved.m[moved.last], 0);
    assert!(
        prove(&moved).is_err(),
        "with m zero there, the table does not have the last limb"
    );
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
    assert_eq!(verdict(&claims, &proof), Err(Refusal::Circuit));
}

#[test]
fn proof_is_refused_when_it_is_made_under_a_key_with_wider_runs() {
    let program = single();
    let account = short_account();
    let claims = [account.claim(0, &program)];
    let mut wide = Plan::of(&program);
    // Fifty-one limbs of five bits hold every element of the field.
    let cells = 51;
    wide.runs = vec![(0, cells)];
    wide.m = wide.multipliers();
    let mut scene = account.scene(&SETUP, &wide, &program, &[]);
    let value = -Fp::from(5);
    let bytes = value.to_repr();
    let bit = |index: usize| {
        bytes
            .get(index / 8)
            .map_or(0, |byte| u64::from(byte >> (index % 8) & 1))
    };
    let limb = |at: usize| Fp::from((0..5).map(|place| bit(5 * at + place) << place).sum::<u64>());
    let mut rest = Fp::ZERO;
    for at in (0..cells).rev() {
        rest = rest * Fp::from(32) + limb(at);
        scene.columns.z[0][at] = rest;
    }
    assert_eq!(rest, value);
    let proof = Forger::new(&SETUP, &wide, statements(1)).prove(&[scene]).unwrap().proof;
    let lenient = Lenient {
        plan: Some(&wide),
        ..Lenient::default()
    };
    assert_eq!(lenient.verify(&SETUP, &claims, &proof), Verdict::Accepted);
    assert_eq!(verdict(&claims, &proof), Err(Refusal::Circuit));
}

#[test]
fn no_run_of_any_shape_ends_on_the_last_usable_row() {
    let programs = [scenarios(), norms(), single(), scenarios_at(7), scenarios_at(8)];
    for program in programs {
        let (placement, plan) = (Placement::new(&program).unwrap(), Plan::of(&program));
        let end = placement
            .shape()
            .runs()
            .last()
            .map(|run| run.start + run.limbs)
            .unwrap();
        assert!(end <= plan.last, "rows up to {end} of {}", plan.last);
        assert_eq!(plan.last, (1 << plan.k) - 7);
    }
    // The fullest column that there is: one run more and there are more columns.
    let mut ends = Vec::new();
    for count in 1..40 {
        let mut builder = builder(K);
        for index in 0..count {
            let value = builder.lower(&form(K, &[(0, 1), (1, -1 - index)])).unwrap();
            builder.require_non_negative("margin", value).unwrap();
        }
        let placement = Placement::new(&builder.finish().unwrap()).unwrap();
        let runs = placement.shape().runs();
        ends.push(runs.last().map(|run| run.start + run.limbs).unwrap());
    }
    assert!(ends.iter().all(|end| *end <= (1 << K) - 7), "{ends:?}");
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
