//! Protocol §7, step 4: the columns that are linked are the columns that are proven.

use ff::Field;
use pasta_curves::Fp;
use zkmargin_circuits::{Claim, Refusal};
use zkmargin_tests::*;

use crate::{statements, verdict};

/// Proves what `deceive` makes of one circuit of a bundle, whose variables were committed to as `hide` made them, in all three ways to treat the commitments of step 4: hashed as the
/// library makes them, hashed as they were linked, and written twice. Only a verifier that reads them twice and does not
/// compare is deceived, which `control` shows.
fn refused_unless_points_are_read_twice<'a>(
    accounts: &'a [Account],
    scenes: &[Scene<'a>],
    plan: &'a Plan,
    control: bool,
    hide: impl Fn(usize, &Fp, &mut Columns) + Copy + 'a,
    deceive: impl Fn(usize, &Challenges, &mut (Columns, Matrix)) + Copy + 'a,
) {
    let claims: Vec<Claim<'_>> = (accounts.iter().zip(scenes).enumerate())
        .map(|(index, (account, scene))| account.claim(index, scene.program))
        .collect();
    let mut forger = Forger::new(&SETUP, plan, statements(accounts.len()));
    forger.after_e = Box::new(hide);
    forger.proven = Box::new(deceive);
    for advice in [Advice::Linked, Advice::Own] {
        forger.advice = advice;
        let proof = forger.prove(scenes).unwrap().proof;
        assert_eq!(verdict(&claims, &proof), Err(Refusal::Circuit), "{advice:?}");
        // Whatever the challenges are, the linked points are not opened: larger bundles try the better of the two.
        if accounts.len() > 1 {
            break;
        }
    }
    if !control {
        return;
    }
    forger.advice = Advice::Written;
    let proof = forger.prove(scenes).unwrap().proof;
    let under = |points: Points| {
        Lenient {
            points,
            ..Lenient::default()
        }
        .verify(&SETUP, &claims, &proof)
    };
    assert_eq!(under(Points::Unchecked), Verdict::Accepted, "the forgery is a real one");
    assert_eq!(under(Points::Compared), Verdict::OtherPoint);
}

/// Solvent accounts, but for one of them.
fn accounts(count: usize, odd: usize, legs: &[(usize, u64)]) -> Vec<Account> {
    (0..count)
        .map(|index| Account::of(if index == odd { legs } else { &SOLVENT }, index as u64))
        .collect()
}

fn bundles() -> impl Iterator<Item = (usize, usize)> {
    (1..=3).flat_map(|count| (0..count).map(move |circuit| (count, circuit)))
}

#[test]
fn proof_is_refused_when_the_circuit_proves_another_account_than_the_linked_one() {
    let program = scenarios();
    let plan = Plan::of(&program);
    let solvent = Account::of(&SOLVENT, 0);
    let w = witness(&program, &solvent.lots);
    let honest = Columns::new(&plan, &solvent.columns, &w);
    for (count, circuit) in bundles() {
        for (column, legs) in INSOLVENT.iter().enumerate() {
            let accounts = accounts(count, circuit, legs);
            let scenes: Vec<Scene<'_>> = accounts.iter().map(|a| a.scene(&SETUP, &plan, &program, &w)).collect();
            let solvent_column = &honest.q[column];
            let control = count == 1 || column == circuit % 2;
            let hide = |_: usize, _: &Fp, _: &mut Columns| ();
            refused_unless_points_are_read_twice(&accounts, &scenes, &plan, control, hide, |index, _, (columns, _)| {
                if index == circuit {
                    columns.q[column].clone_from(solvent_column);
                }
            });
        }
    }
}

#[test]
fn proof_is_refused_when_the_circuit_proves_other_variables_than_the_committed_ones() {
    let program = norms();
    let plan = Plan::of(&program);
    assert!(plan.z_columns >= 2 && plan.square_columns >= 1);
    for (count, circuit) in bundles() {
        for column in 0..plan.z_columns {
            let accounts = accounts(count, circuit, &SOLVENT);
            let scenes: Vec<Scene<'_>> = accounts.iter().map(|a| a.honest_scene(&plan, &program)).collect();
            // What is committed before `r` is something else, and what fits is put in its place afterwards.
            let turn = |index: usize, columns: &mut Columns| {
                if index == circuit {
                    columns.z[column].reverse();
                }
            };
            let control = count == 1 || column == circuit % 2;
            let hide = |index: usize, _: &Fp, columns: &mut Columns| turn(index, columns);
            refused_unless_points_are_read_twice(&accounts, &scenes, &plan, control, hide, |index, _, (columns, _)| {
                turn(index, columns);
            });
        }
    }
}

#[test]
fn proof_is_refused_when_the_circuit_proves_other_roots_than_those_before_e() {
    for program in [scenarios(), many(130)] {
        let plan = Plan::of(&program);
        let all: Vec<(usize, usize)> = bundles().collect();
        // Of many columns each is the one at least once.
        let tried = all.iter().cycle().zip(0..plan.x_columns().max(all.len()));
        for (&(count, circuit), index) in tried {
            let column = index % plan.x_columns();
            let accounts = accounts(count, circuit, &SOLVENT);
            let mut scenes: Vec<Scene<'_>> = accounts.iter().map(|a| a.honest_scene(&plan, &program)).collect();
            let fitting = scenes[circuit].columns.x[column].clone();
            assert!(fitting.iter().any(|root| *root != Fp::ZERO));
            scenes[circuit].columns.x[column].reverse();
            let (fitting, plan) = (&fitting, &plan);
            // Roots that fit, once `e` is known, beside the masks that were committed to.
            let hide = |index: usize, _: &Fp, columns: &mut Columns| {
                if index == circuit {
                    let masks = columns.masks(plan);
                    columns.x[column].clone_from(fitting);
                    columns.take_masks(plan, &masks);
                }
            };
            refused_unless_points_are_read_twice(&accounts, &scenes, plan, count < 3, hide, |_, _, _| ());
        }
    }
}

#[test]
fn proof_is_refused_when_the_circuit_proves_another_matrix_than_the_linked_one() {
    let program = scenarios();
    let plan = Plan::of(&program);
    let w = witness(&program, &Account::of(&SOLVENT, 0).lots);
    for (count, circuit) in bundles() {
        for (column, legs) in INSOLVENT.iter().enumerate() {
            let accounts = accounts(count, circuit, legs);
            let scenes: Vec<Scene<'_>> = accounts.iter().map(|a| a.scene(&SETUP, &plan, &program, &w)).collect();
            let control = count == 1 || column == circuit % 2;
            let hide = |_: usize, _: &Fp, _: &mut Columns| ();
            let plan = &plan;
            refused_unless_points_are_read_twice(&accounts, &scenes, plan, control, hide, |index, _, stage| {
                if index == circuit {
                    // The coefficient of one leg that is held, changed by exactly what is missing.
                    let missing = missing(plan, &stage.0, &stage.1)[0];
                    assert!(!bool::from(missing.is_zero()), "the account is insolvent");
                    let columns = &mut stage.0;
                    let row = columns.q[column].iter().position(|lots| *lots != Fp::ZERO).unwrap();
                    columns.public[column][row] += missing * columns.q[column][row].invert().unwrap();
                }
            });
        }
    }
}

#[test]
fn proof_is_refused_when_the_circuit_proves_other_factors_or_coefficients_of_roots_than_the_linked_ones() {
    for program in [scenarios(), many(130)] {
        let plan = &Plan::of(&program);
        let w = witness(&program, &Account::of(&SOLVENT, 0).lots);
        for index in plan.q_columns..plan.public_columns() {
            let accounts = accounts(1, 0, &INSOLVENT_0);
            let scenes: Vec<Scene<'_>> = accounts.iter().map(|a| a.scene(&SETUP, plan, &program, &w)).collect();
            let hide = |_: usize, _: &Fp, _: &mut Columns| ();
            refused_unless_points_are_read_twice(&accounts, &scenes, plan, true, hide, |_, _, stage| {
                let missing = missing(plan, &stage.0, &stage.1)[0];
                assert!(!bool::from(missing.is_zero()), "the account is insolvent");
                lift(plan, &mut stage.0, index, 0..plan.last, missing).unwrap();
            });
        }
    }
}
