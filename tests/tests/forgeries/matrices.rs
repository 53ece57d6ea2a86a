//! The public side: the folded matrices and the instance columns are the verifier's own (protocol §5, §7).

use ff::Field;
use pasta_curves::Fp;
use zkmargin_circuits::Refusal;
use zkmargin_tests::*;

use crate::{statements, verdict};

#[test]
fn proof_is_refused_when_rows_or_columns_of_the_matrix_are_permuted() {
    let program = scenarios();
    let plan = Plan::of(&program);
    type Book<'a> = &'a [(usize, u64)];
    type Permute = fn(&mut Matrix);
    // Each book is insolvent; with its legs in other places it would not be.
    let cases: [(Book<'_>, Book<'_>, Permute); 2] = [
        (&[(1, 10), (2, 3), (49, 4)], &SOLVENT, |a| a[0].swap(0, 1)),
        (&[(1, 4), (48, 10)], &[(0, 10), (49, 4)], |a| {
            // In the last rows are no legs, but the ends of the accumulators.
            a.swap(0, 1);
            let last = a[0].len() - 1;
            (a[0][last], a[1][last]) = (a[1][last], a[0][last]);
        }),
    ];
    for (legs, elsewhere, permute) in cases {
        let (account, solvent) = (Account::of(legs, 1), Account::of(elsewhere, 1));
        assert!(program.witness(&account.lots).is_err());
        let claims = [account.claim(0, &program)];
        let mut forger = Forger::new(&SETUP, &plan, statements(1));
        forger.matrices = Box::new(|_, _, a| permute(a));
        let scene = account.scene(&SETUP, &plan, &program, &witness(&program, &solvent.lots));
        let forged = forger.prove(&[scene]).unwrap();
        assert_eq!(verdict(&claims, &forged.proof), Err(Refusal::Link));
        let lenient = Lenient {
            matrices: Some(&forged.matrices),
            ..Lenient::default()
        };
        assert_eq!(lenient.verify(&SETUP, &claims, &forged.proof), Verdict::Accepted);
    }
}

#[test]
fn proof_is_refused_when_it_is_folded_with_other_multipliers() {
    let program = norms();
    let plan = Plan::of(&program);
    let account = Account::of(&SOLVENT, 1);
    let claims = [account.claim(0, &program)];
    type Multipliers = fn(&Fp, usize) -> Vec<Fp>;
    let others: [Multipliers; 4] = [
        |r, count| powers(*r).take(count).collect(),
        |r, count| scalar_multipliers(&(*r + Fp::ONE), count),
        |r, count| scalar_multipliers(r, count + 1).split_off(1),
        // One equation left out.
        |r, count| {
            let mut multipliers = scalar_multipliers(r, count);
            multipliers[norms().equations().len() - 1] = Fp::ZERO;
            multipliers
        },
    ];
    for other in others {
        let mut forger = Forger::new(&SETUP, &plan, statements(1));
        forger.multipliers = Box::new(other);
        let forged = forger.prove(&[account.honest_scene(&plan, &program)]).unwrap();
        assert_eq!(verdict(&claims, &forged.proof), Err(Refusal::Link));
        let lenient = Lenient {
            matrices: Some(&forged.matrices),
            instances: Some(&forged.instances),
            ..Lenient::default()
        };
        assert_eq!(lenient.verify(&SETUP, &claims, &forged.proof), Verdict::Accepted);
    }
}

/// The head of a run of several limbs that is not zero, and is not squared.
fn head(plan: &Plan, columns: &Columns) -> Cell {
    let cells = plan.places.iter().filter_map(|place| match place {
        Place::Run(cell) => Some(*cell),
        Place::Squares(_) => None,
    });
    let mut cells = cells.filter(|cell| cell.column >= plan.square_columns && plan.limbs(*cell) > 4);
    cells
        .find(|cell| columns.z[cell.column][cell.row + 4] != Fp::ZERO)
        .expect("a large whole variable")
}

/// An insolvent account is proven solvent with other instance columns: refused, unless the columns come from the prover.
fn refused_unless_instances_are_the_provers(change: impl Fn(&Plan, &Columns, Fp, &mut Matrix)) {
    let program = norms();
    let plan = Plan::of(&program);
    let account = Account::of(&INSOLVENT_0, 1);
    let claims = [account.claim(0, &program)];
    // Large values, so that no cell of a run is zero.
    let w: Vec<u128> = program
        .variables()
        .iter()
        .map(|variable| (1 << variable.bits) - 1)
        .collect();
    let mut forger = Forger::new(&SETUP, &plan, statements(1));
    forger.proven = Box::new(|_, _, (columns, instance)| {
        let lacked = missing(&plan, columns, instance);
        assert_ne!(lacked[0], Fp::ZERO);
        change(&plan, columns, lacked[0], instance);
        assert!(
            missing(&plan, columns, instance)
                .iter()
                .all(|missing| *missing == Fp::ZERO)
        );
    });
    let forged = forger.prove(&[account.scene(&SETUP, &plan, &program, &w)]).unwrap();
    assert_eq!(verdict(&claims, &forged.proof), Err(Refusal::Circuit));
    let lenient = Lenient {
        instances: Some(&forged.instances),
        ..Lenient::default()
    };
    assert_eq!(lenient.verify(&SETUP, &claims, &forged.proof), Verdict::Accepted);
}

#[test]
fn proof_is_refused_when_a_coefficient_of_a_variable_is_another() {
    refused_unless_instances_are_the_provers(|plan, columns, missing, instance| {
        let cell = head(plan, columns);
        let value = columns.z[cell.column][cell.row];
        instance[cell.column][cell.row] += missing * value.invert().unwrap();
    });
}

#[test]
fn proof_is_refused_when_a_coefficient_of_a_square_is_another() {
    refused_unless_instances_are_the_provers(|plan, columns, missing, instance| {
        assert!(plan.square_columns > 0);
        let square = columns.z[0][0].square();
        instance[plan.z_columns][0] += missing * square.invert().unwrap();
    });
}

#[test]
fn proof_is_refused_when_a_coefficient_stands_in_a_row_that_is_no_head() {
    for limb in [1, 2, 4] {
        refused_unless_instances_are_the_provers(|plan, columns, missing, instance| {
            let cell = head(plan, columns);
            let value = columns.z[cell.column][cell.row + limb];
            instance[cell.column][cell.row + limb] = missing * value.invert().unwrap();
        });
    }
}

#[test]
fn proof_is_refused_when_an_instance_column_is_cut_before_its_last_coefficient() {
    let program = norms();
    let plan = Plan::of(&program);
    let account = Account::of(&SOLVENT, 1);
    let claims = [account.claim(0, &program)];
    let honest = Forger::new(&SETUP, &plan, statements(1))
        .prove(&[account.honest_scene(&plan, &program)])
        .unwrap();
    let with_lengths = |length: usize, column: usize| {
        let mut forger = Forger::new(&SETUP, &plan, statements(1));
        forger.proven = Box::new(move |_, _, (_, instance)| instance[column].resize(length, Fp::ZERO));
        forger.prove(&[account.honest_scene(&plan, &program)])
    };
    for (column, values) in honest.instances[0].iter().enumerate() {
        let end = values.iter().rposition(|value| *value != Fp::ZERO).unwrap();
        let cut = with_lengths(end, column).unwrap();
        assert_eq!(verdict(&claims, &cut.proof), Err(Refusal::Circuit));
        // Zeros that are cut off are the same polynomial: the very same proof, not a second one.
        assert_eq!(with_lengths(end + 1, column).unwrap().proof, honest.proof);
        // No column reaches into the unusable rows: the library makes no such proof.
        let error = with_lengths(plan.last + 2, column).unwrap_err();
        assert_eq!(error, "Instance vectors are larger than the circuit");
    }
    assert_eq!(verdict(&claims, &honest.proof), Ok(()));
}
