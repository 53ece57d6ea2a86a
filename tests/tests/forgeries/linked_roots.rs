//! The columns `b` and `s`, which the link ties to what the verifier folds (protocol §5, §6).

use std::ops::Range;

use ff::Field;
use pasta_curves::Fp;
use zkmargin_circuits::Refusal;
use zkmargin_program::Program;
use zkmargin_tests::*;

use crate::{lacking, statements, verdict};

/// An insolvent account gets what it lacks from other factors or coefficients, in these rows of this public column.
fn refused_unless_columns_are_the_provers(program: &Program, index: usize, rows: Range<usize>) {
    let plan = &Plan::of(program);
    let w = witness(program, &Account::of(&SOLVENT, 1).lots);
    let account = Account::of(&INSOLVENT_0, 1);
    let claims = [account.claim(0, program)];
    let mut forger = Forger::new(&SETUP, plan, statements(1));
    forger.matrices = Box::new(|_, known, public| {
        let (mut columns, missing) = lacking(plan, known, public);
        assert_ne!(missing[0], Fp::ZERO, "the account is insolvent");
        lift(plan, &mut columns, index, rows.clone(), missing[0]).unwrap();
        *public = columns.public;
    });
    let forged = forger.prove(&[account.scene(&SETUP, plan, program, &w)]).unwrap();
    assert_eq!(
        verdict(&claims, &forged.proof),
        Err(Refusal::Link),
        "public column {index}, rows {rows:?}"
    );
    let lenient = Lenient {
        matrices: Some(&forged.matrices),
        ..Lenient::default()
    };
    assert_eq!(lenient.verify(&SETUP, &claims, &forged.proof), Verdict::Accepted);
}

#[test]
fn proof_is_refused_when_a_factor_or_the_coefficient_of_one_root_of_four_is_another() {
    for program in [scenarios(), many(130), many(560)] {
        let plan = &Plan::of(&program);
        for index in plan.q_columns..plan.public_columns() {
            // In the first group roots stand below the masks.
            let first = [plan.q_columns, plan.q_columns + plan.groups].contains(&index);
            let from = if first { plan.sums_from } else { 0 };
            refused_unless_columns_are_the_provers(&program, index, from..plan.last);
        }
    }
}

#[test]
fn proof_is_refused_when_a_mask_has_a_coefficient_of_its_square_or_another_factor() {
    for program in [scenarios(), many(130), many(560)] {
        let plan = &Plan::of(&program);
        for index in [plan.q_columns, plan.q_columns + plan.groups] {
            for p in [0, PROJECTIONS - plan.group] {
                refused_unless_columns_are_the_provers(&program, index, p..p + plan.group);
            }
        }
    }
}

#[test]
fn proof_is_refused_when_public_columns_are_swapped() {
    let program = many(130);
    let plan = &Plan::of(&program);
    let account = Account::of(&SOLVENT, 1);
    let claims = [account.claim(0, &program)];
    assert!(plan.groups >= 2);
    let (q, groups) = (plan.q_columns, plan.groups);
    // `a` and `b`; `b` and `s`; two of `b`; two of `s`.
    for (one, other) in [(0, q), (q, q + groups), (q, q + 1), (q + groups, q + groups + 1)] {
        let mut forger = Forger::new(&SETUP, plan, statements(1));
        forger.matrices = Box::new(move |_, _, public| public.swap(one, other));
        let forged = forger.prove(&[account.honest_scene(plan, &program)]).unwrap();
        assert_eq!(verdict(&claims, &forged.proof), Err(Refusal::Link));
        // With their weights swapped, too: each is still linked to the other's value.
        forger.weights = Box::new(move |eta| {
            let mut weights: Vec<Fp> = powers(eta).take(plan.linked_columns()).collect();
            weights.swap(q + one, q + other);
            weights
        });
        let proof = forger.prove(&[account.honest_scene(plan, &program)]).unwrap().proof;
        assert_eq!(verdict(&claims, &proof), Err(Refusal::Link));
    }
}

#[test]
fn proof_is_refused_when_a_column_of_factors_is_linked_with_another_weight() {
    let program = scenarios();
    let plan = &Plan::of(&program);
    let account = Account::of(&SOLVENT, 1);
    let claims = [account.claim(0, &program)];
    for column in plan.q_columns..plan.public_columns() {
        let mut forger = Forger::new(&SETUP, plan, statements(1));
        forger.weights = Box::new(move |eta| {
            let mut weights: Vec<Fp> = powers(eta).take(plan.linked_columns()).collect();
            weights[plan.q_columns + column] *= eta;
            weights
        });
        let proof = forger.prove(&[account.honest_scene(plan, &program)]).unwrap().proof;
        assert_eq!(verdict(&claims, &proof), Err(Refusal::Link));
    }
}

#[test]
fn cells_of_no_sum_prove_nothing_and_must_not_have_factors_or_coefficients() {
    let program = scenarios();
    let plan = &Plan::of(&program);
    let free = plan.rows_of(plan.squares - 1).1.end;
    assert!(free < plan.last);
    let w = witness(&program, &Account::of(&SOLVENT, 1).lots);
    for (legs, expected) in [(SOLVENT, Ok(())), (INSOLVENT_0, Err(Refusal::Circuit))] {
        let account = Account::of(&legs, 1);
        let claims = [account.claim(0, &program)];
        let mut scene = account.scene(&SETUP, plan, &program, &w);
        // Beyond the last sum, in the last usable row, and in an unusable one: multiplied by nothing.
        let last = plan.x_columns() - plan.group;
        for row in [free, plan.last - 1, plan.last] {
            scene.columns.x[last][row] = Fp::from(777);
        }
        let mut forger = Forger::new(&SETUP, plan, statements(1));
        forger.chosen = vec![(0, plan.q_columns + last, 0, Fp::from(777))];
        let proof = forger.prove(&[scene.clone()]).unwrap().proof;
        assert_eq!(verdict(&claims, &proof), expected);
        if expected.is_ok() {
            continue;
        }
        // Unless `s` or `b` lets them in.
        for index in [plan.q_columns + plan.groups - 1, plan.public_columns() - 1] {
            let scene = scene.clone();
            let mut forger = Forger::new(&SETUP, plan, statements(1));
            forger.matrices = Box::new(move |_, known, public| {
                let missing = lacking(plan, known, public).1[0];
                let root = Fp::from(777);
                public[index][free] = match index < plan.q_columns + plan.groups {
                    true => missing * root.invert().unwrap(),
                    false => -missing * root.square().invert().unwrap(),
                };
            });
            let forged = forger.prove(&[scene]).unwrap();
            assert_eq!(verdict(&claims, &forged.proof), Err(Refusal::Link));
            let lenient = Lenient {
                matrices: Some(&forged.matrices),
                ..Lenient::default()
            };
            assert_eq!(lenient.verify(&SETUP, &claims, &forged.proof), Verdict::Accepted);
        }
    }
}
