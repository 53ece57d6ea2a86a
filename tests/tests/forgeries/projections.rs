//! The equations of the projections: errors that would cancel, `θ` and `γ` at the accumulators' ends (protocol §5).

use ff::Field;
use pasta_curves::Fp;
use zkmargin_circuits::Refusal;
use zkmargin_tests::*;

use crate::{lacking, statements, verdict};

/// Changes the projections, which `multipliers` does not notice; the protocol's do.
fn refused_unless_multipliers_are(count: usize, error: impl Fn(&Plan, &mut Vec<Fp>), rule: fn(&Fp, usize) -> Vec<Fp>) {
    let program = many(count);
    let plan = Plan::of(&program);
    let account = Account::of(&SOLVENT, 1);
    let claims = [account.claim(0, &program)];
    let mut forger = Forger::new(&SETUP, &plan, statements(1));
    forger.projections = Box::new(|_, _, y| error(&plan, y));
    let proof = forger.prove(&[account.honest_scene(&plan, &program)]).unwrap().proof;
    assert_eq!(verdict(&claims, &proof), Err(Refusal::Circuit));
    forger.multipliers = Box::new(rule);
    let proof = forger.prove(&[account.honest_scene(&plan, &program)]).unwrap().proof;
    assert_eq!(verdict(&claims, &proof), Err(Refusal::Link));
    let lenient = Lenient {
        multipliers: rule,
        ..Lenient::default()
    };
    assert_eq!(lenient.verify(&SETUP, &claims, &proof), Verdict::Accepted);
}

#[test]
fn proof_is_refused_when_errors_of_two_projections_cancel() {
    // One multiplier for all projections would let one take what another gives.
    refused_unless_multipliers_are(
        20,
        |plan, y| {
            assert_eq!(plan.group, 1);
            y[3] += Fp::from(1000);
            y[31] -= Fp::from(1000);
        },
        |r, count| {
            let mut multipliers = scalar_multipliers(r, count);
            let shared = multipliers[20];
            multipliers[20..20 + PROJECTIONS].fill(shared);
            multipliers
        },
    );
}

#[test]
fn proof_is_refused_when_errors_of_one_projection_in_two_columns_cancel() {
    // `θ = 1` would let the columns of a group take from each other.
    refused_unless_multipliers_are(
        130,
        |plan, y| {
            assert_eq!(plan.group, 2);
            y[5] += Fp::from(1000);
            y[PROJECTIONS + 5] -= Fp::from(1000);
        },
        |r, count| {
            let mut multipliers = scalar_multipliers(r, count);
            multipliers[count - 1] = Fp::ONE;
            multipliers
        },
    );
    refused_unless_multipliers_are(
        560,
        |plan, y| {
            assert_eq!(plan.group, 4);
            y[2 * PROJECTIONS] += Fp::from(1000);
            y[3 * PROJECTIONS] -= Fp::from(1000);
        },
        |r, count| {
            let mut multipliers = scalar_multipliers(r, count);
            multipliers[count - 1] = multipliers[count - 2];
            multipliers
        },
    );
}

#[test]
fn proof_is_refused_when_an_error_of_a_projection_cancels_one_of_an_equation() {
    // One requirement is short of five, which a multiplier shared with a projection would give it.
    fn shared(r: &Fp, count: usize) -> Vec<Fp> {
        let mut multipliers = scalar_multipliers(r, count);
        multipliers[20] = multipliers[0];
        multipliers
    }
    let program = many(20);
    let plan = Plan::of(&program);
    let account = Account::of(&[(0, 10), (3, 55)], 1);
    let claims = [account.claim(0, &program)];
    let solvent = Account::of(&[(0, 10), (3, 50)], 1);
    let w: Vec<u128> = witness(&program, &solvent.lots)
        .into_iter()
        .enumerate()
        .map(|(index, value)| if index == 0 { 0 } else { value - 5 })
        .collect();
    // The first requirement's equation lacks five.
    let mut forger = Forger::new(&SETUP, &plan, statements(1));
    forger.projections = Box::new(|_, _, y| y[0] -= Fp::from(5));
    let scene = account.scene(&SETUP, &plan, &program, &w);
    let proof = forger.prove(std::slice::from_ref(&scene)).unwrap().proof;
    assert_eq!(verdict(&claims, &proof), Err(Refusal::Circuit));
    forger.multipliers = Box::new(shared);
    let proof = forger.prove(&[scene]).unwrap().proof;
    assert_eq!(verdict(&claims, &proof), Err(Refusal::Link));
    let lenient = Lenient {
        multipliers: shared,
        ..Lenient::default()
    };
    assert_eq!(lenient.verify(&SETUP, &claims, &proof), Verdict::Accepted);
}

#[test]
fn proof_is_refused_when_theta_is_another_or_stands_elsewhere() {
    for count in [130, 560] {
        let program = many(count);
        let plan = &Plan::of(&program);
        let w = witness(&program, &Account::of(&SOLVENT, 1).lots);
        let account = Account::of(&INSOLVENT_0, 1);
        let claims = [account.claim(0, &program)];
        let scene = account.scene(&SETUP, plan, &program, &w);
        for t in 1..plan.group {
            // As much as an insolvent account lacks.
            let mut forger = Forger::new(&SETUP, plan, statements(1));
            forger.matrices = Box::new(|_, challenges, public| {
                let (columns, missing) = lacking(plan, &scene, challenges, public);
                assert_ne!(missing, Fp::ZERO);
                public[t - 1][plan.last] += missing * columns.acc[t][plan.last].invert().unwrap();
            });
            let forged = forger.prove(std::slice::from_ref(&scene)).unwrap();
            assert_eq!(verdict(&claims, &forged.proof), Err(Refusal::Link));
            let lenient = Lenient {
                matrices: Some(&forged.matrices),
                ..Lenient::default()
            };
            assert_eq!(lenient.verify(&SETUP, &claims, &forged.proof), Verdict::Accepted);
        }
        // Swapped, missing: of a good account's proof nothing is left.
        let account = Account::of(&SOLVENT, 1);
        let claims = [account.claim(0, &program)];
        for change in [0, 1, 2] {
            let mut forger = Forger::new(&SETUP, plan, statements(1));
            forger.matrices = Box::new(move |_, _, public| match change {
                0 => public[0][plan.last] = Fp::ZERO,
                1 => {
                    let (one, two) = (public[0][plan.last], public[1][plan.last]);
                    (public[0][plan.last], public[1][plan.last]) = (two, one);
                }
                _ => {
                    public[0][plan.last - 1] = public[0][plan.last];
                    public[0][plan.last] = Fp::ZERO;
                }
            });
            let proof = forger.prove(&[account.honest_scene(plan, &program)]).unwrap().proof;
            assert_eq!(verdict(&claims, &proof), Err(Refusal::Link));
            let lenient = Lenient {
                link: false,
                ..Lenient::default()
            };
            assert_eq!(lenient.verify(&SETUP, &claims, &proof), Verdict::Circuit);
        }
    }
}

#[test]
fn proof_is_refused_when_gamma_is_shifted_by_the_end_of_an_accumulator() {
    for count in [130, 560] {
        let program = many(count);
        let plan = &Plan::of(&program);
        let account = Account::of(&SOLVENT, 1);
        let claims = [account.claim(0, &program)];
        for t in 1..plan.group {
            // Without its projections, the column may hold anything; what its accumulator lacks, `γ` gives.
            let mut forger = Forger::new(&SETUP, plan, statements(1));
            forger.projections = Box::new(move |_, _, y| y[t * PROJECTIONS..(t + 1) * PROJECTIONS].fill(Fp::ZERO));
            forger.proven = Box::new(|_, _, (columns, instance)| {
                let missing = missing(plan, columns, instance);
                assert_ne!(missing, Fp::ZERO);
                instance[0][plan.last] -= missing;
            });
            let forged = forger.prove(&[account.honest_scene(plan, &program)]).unwrap();
            assert_eq!(verdict(&claims, &forged.proof), Err(Refusal::Circuit));
            let lenient = Lenient {
                instances: Some(&forged.instances),
                ..Lenient::default()
            };
            assert_eq!(lenient.verify(&SETUP, &claims, &forged.proof), Verdict::Accepted);
        }
    }
}
