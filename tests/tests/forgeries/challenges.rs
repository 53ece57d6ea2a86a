//! Challenges: what must be fixed before each of them, and what could be done if it were not (protocol §5, §6).

use ff::Field;
use pasta_curves::Fp;
use zkmargin_circuits::{Claim, Refusal};
use zkmargin_program::Program;
use zkmargin_tests::*;

use crate::{statements, verdict};

/// Hidden variables in their ranges for a book that violates the program, so that all violations cancel under these multipliers.
///
/// Of [`scenarios`]: the worst loss is set far too high, which leaves room in every slack but the requirement's; the
/// equations are then violated by a multiple of a short relation of the multipliers.
fn cancelling_variables(program: &Program, lots: &[u64], multipliers: &[u128]) -> Vec<u128> {
    let (equations, variables) = (program.equations(), program.variables().len());
    let requirement = equations.len() - 1;
    let count = |j: usize| {
        equations
            .iter()
            .filter(|e| e.variables.iter().any(|(v, _)| v.index() == j))
            .count()
    };
    let worst = (0..variables).find(|j| count(*j) > 1).unwrap();
    let claimed: i128 = 1 << 36;
    let open: Vec<i128> = (equations.iter())
        .map(|equation| {
            let legs = equation
                .legs
                .iter()
                .map(|(leg, a)| i128::from(*a) * i128::from(lots[leg.index()]));
            let worst = equation.variables.iter().find(|(v, _)| v.index() == worst).unwrap().1;
            legs.sum::<i128>() + worst * claimed - equation.constant
        })
        .collect();
    let relation = short_relation(multipliers, requirement);
    // As many times as lifts the requirement's slack to zero or more.
    let times = (-open[requirement]) / -relation[requirement] + 1;
    let mut w = vec![0; variables];
    w[worst] = claimed as u128;
    for (equation, (open, violation)) in equations.iter().zip(open.iter().zip(&relation)) {
        let (slack, coefficient) = equation.variables.iter().find(|(v, _)| v.index() != worst).unwrap();
        assert_eq!((*coefficient, count(slack.index())), (-1, 1));
        w[slack.index()] = u128::try_from(open - times * violation).unwrap();
    }
    for (value, variable) in w.iter().zip(program.variables()) {
        assert_eq!(value >> variable.bits, 0, "in its range");
    }
    assert!(program.check(lots, &w).is_err(), "and still the equations do not hold");
    w
}

#[test]
fn proof_is_refused_when_the_variables_are_chosen_after_r() {
    let program = scenarios();
    let plan = Plan::of(&program);
    let account = Account::of(&INSOLVENT_0, 1);
    let claims = [account.claim(0, &program)];
    let mut forger = Forger::new(&SETUP, &plan, statements(1));
    forger.columns = Box::new(|_, challenges, columns| {
        let multipliers = multipliers(&challenges.r, program.equations().len());
        let w = cancelling_variables(&program, &account.lots, &multipliers);
        let fitting = Columns::new(&plan, &account.columns, &w);
        let said = columns.masked(&plan, factors, &challenges.e);
        (columns.x, columns.z) = (fitting.x, fitting.z);
        columns.mask_to(&plan, factors, &challenges.e, &said);
    });
    let scenes = [account.scene(&SETUP, &plan, &program, &[])];
    for advice in [Advice::Own, Advice::Linked] {
        forger.advice = advice;
        let proof = forger.prove(&scenes).unwrap().proof;
        assert_eq!(verdict(&claims, &proof), Err(Refusal::Circuit));
    }
    // If variables could be committed to after `r`, an insolvent account would be proven solvent.
    forger.advice = Advice::Written;
    let proof = forger.prove(&scenes).unwrap().proof;
    let lenient = Lenient {
        points: Points::Unchecked,
        ..Lenient::default()
    };
    assert_eq!(lenient.verify(&SETUP, &claims, &proof), Verdict::Accepted);
}

#[test]
fn proof_is_refused_when_r_is_that_of_another_statement() {
    let program = scenarios();
    let plan = Plan::of(&program);
    let account = Account::of(&INSOLVENT_1, 1);
    let claims = [account.claim(0, &program)];
    let known = Fp::from(123_456_789);
    let count = program.equations().len();
    let w = cancelling_variables(&program, &account.lots, &multipliers(&known, count));
    let mut forger = Forger::new(&SETUP, &plan, statements(1));
    forger.multipliers = Box::new(|_, count| scalar_multipliers(&known, count));
    let proof = forger
        .prove(&[account.scene(&SETUP, &plan, &program, &w)])
        .unwrap()
        .proof;
    assert_eq!(verdict(&claims, &proof), Err(Refusal::Link));
    let lenient = Lenient {
        r: Some(known),
        ..Lenient::default()
    };
    assert_eq!(lenient.verify(&SETUP, &claims, &proof), Verdict::Accepted);
}

/// Solvent but for a debt in row 3 of column 0.
const INDEBTED: [(usize, u64); 3] = [(0, 10), (3, 1000), (49, 4)];
/// The same without it.
const RELIEVED: [(usize, u64); 2] = [(0, 10), (49, 4)];
const DEBT: u64 = 1000;

#[test]
fn proof_is_refused_when_errors_of_two_columns_cancel() {
    let program = scenarios();
    let plan = Plan::of(&program);
    let (account, relieved) = (Account::of(&INDEBTED, 1), Account::of(&RELIEVED, 1));
    let claims = [account.claim(0, &program)];
    // The debt moves to a row of the other column where there is no leg.
    let mut scene = account.scene(&SETUP, &plan, &program, &witness(&program, &relieved.lots));
    scene.columns.q[0][3] -= Fp::from(DEBT);
    scene.columns.q[1][3] += Fp::from(DEBT);
    let mut forger = Forger::new(&SETUP, &plan, statements(1));
    let proof = forger.prove(&[scene.clone()]).unwrap().proof;
    assert_eq!(verdict(&claims, &proof), Err(Refusal::Link));
    // With η known, or the same weight for both columns, nothing would be noticed.
    forger.weights = Box::new(|_| vec![Fp::ONE; plan.linked_columns()]);
    let proof = forger.prove(&[scene]).unwrap().proof;
    assert_eq!(verdict(&claims, &proof), Err(Refusal::Link));
    let lenient = Lenient {
        eta: Some(Fp::ONE),
        ..Lenient::default()
    };
    assert_eq!(lenient.verify(&SETUP, &claims, &proof), Verdict::Accepted);
}

#[test]
fn proof_is_refused_when_errors_of_an_account_and_a_matrix_cancel() {
    let program = scenarios();
    let plan = Plan::of(&program);
    let (account, relieved) = (Account::of(&INDEBTED, 1), Account::of(&RELIEVED, 1));
    let claims = [account.claim(0, &program)];
    let mut scene = account.scene(&SETUP, &plan, &program, &witness(&program, &relieved.lots));
    scene.columns.q[0][3] -= Fp::from(DEBT);
    let mut forger = Forger::new(&SETUP, &plan, statements(1));
    // Nothing is held in that row any more: what the matrix has there does not matter.
    forger.matrices = Box::new(|_, _, a| a[0][3] += Fp::from(DEBT));
    // The columns are `q_0, q_1, a_0, a_1`, then others.
    fn shared(plan: &Plan, eta: Fp) -> Vec<Fp> {
        let others = powers(eta).skip(4).take(plan.linked_columns() - 4);
        [Fp::ONE, eta, Fp::ONE, eta].into_iter().chain(others).collect()
    }
    forger.weights = Box::new(|eta| shared(&plan, eta));
    let proof = forger.prove(&[scene]).unwrap().proof;
    assert_eq!(verdict(&claims, &proof), Err(Refusal::Link));
    let lenient = Lenient {
        weights: Some(shared),
        ..Lenient::default()
    };
    assert_eq!(lenient.verify(&SETUP, &claims, &proof), Verdict::Accepted);
}

#[test]
fn proof_is_refused_when_errors_of_two_circuits_cancel() {
    let program = scenarios();
    let plan = Plan::of(&program);
    let accounts = [Account::of(&INDEBTED, 1), Account::of(&[(0, 100_000), (49, 4)], 2)];
    let claims: Vec<Claim<'_>> = (0..2).map(|index| accounts[index].claim(index, &program)).collect();
    // The debt moves to another account, which can bear it.
    let (mut relieved, mut burdened) = (accounts[0].lots.clone(), accounts[1].lots.clone());
    relieved[3] -= DEBT;
    burdened[3] += DEBT;
    let scene = |account: &Account, lots: &[u64]| account.scene(&SETUP, &plan, &program, &witness(&program, lots));
    let mut scenes = [scene(&accounts[0], &relieved), scene(&accounts[1], &burdened)];
    scenes[0].columns.q[0][3] -= Fp::from(DEBT);
    scenes[1].columns.q[0][3] += Fp::from(DEBT);
    let mut forger = Forger::new(&SETUP, &plan, statements(2));
    let proof = forger.prove(&scenes).unwrap().proof;
    assert_eq!(verdict(&claims, &proof), Err(Refusal::Link));
    // If the powers of η began anew in every circuit, nothing would be noticed.
    fn again(plan: &Plan, eta: Fp) -> Vec<Fp> {
        let of_circuit = || powers(eta).take(plan.linked_columns());
        of_circuit().chain(of_circuit()).collect()
    }
    forger.weights = Box::new(|eta| again(&plan, eta));
    let proof = forger.prove(&scenes).unwrap().proof;
    assert_eq!(verdict(&claims, &proof), Err(Refusal::Link));
    let lenient = Lenient {
        weights: Some(again),
        ..Lenient::default()
    };
    assert_eq!(lenient.verify(&SETUP, &claims, &proof), Verdict::Accepted);
}

#[test]
fn proof_is_refused_when_the_challenge_of_the_link_is_that_of_another_proof() {
    let program = scenarios();
    let plan = Plan::of(&program);
    let known = Fp::from(987_654_321);
    let (account, solvent) = (Account::of(&INSOLVENT_0, 1), Account::of(&SOLVENT, 2));
    let claims = [account.claim(0, &program)];
    // Nothing of what the venue signed, and a `T` that fits responses that were drawn first.
    let mut scene = solvent.honest_scene(&plan, &program);
    scene.outside = outside(&SETUP, &claims[0]);
    let mut forger = Forger::new(&SETUP, &plan, statements(1));
    forger.link_challenge = Some(known);
    let proof = forger.prove(&[scene]).unwrap().proof;
    assert_eq!(verdict(&claims, &proof), Err(Refusal::Link));
    let lenient = Lenient {
        link_challenge: Some(known),
        ..Lenient::default()
    };
    assert_eq!(lenient.verify(&SETUP, &claims, &proof), Verdict::Accepted);
}
