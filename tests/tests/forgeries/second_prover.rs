//! The protocol text, implemented twice: each side accepts the other's proofs.

use zkmargin_circuits::{Placement, prove};
use zkmargin_program::Range;
use zkmargin_tests::*;

use crate::verdict;

#[test]
fn honest_proofs_of_the_second_prover_are_accepted() {
    for program in [scenarios(), norms(), single(), choice(), many(130), many(560)] {
        let plan = Plan::of(&program);
        let account = match plan.q_columns {
            1 if program.witness(&Account::new(&SETUP, 1, &[(0, 7)], 1).lots).is_ok() => {
                Account::new(&SETUP, 1, &[(0, 7)], 1)
            }
            1 => Account::new(&SETUP, 1, &[], 1),
            _ => Account::of(&SOLVENT, 1),
        };
        let forger = Forger::new(&SETUP, &plan, vec![statement(0)]);
        let forged = forger.prove(&[account.honest_scene(&plan, &program)]).unwrap();
        let claims = [account.claim(0, &program)];
        assert_eq!(verdict(&claims, &forged.proof), Ok(()));
    }
}

#[test]
fn proofs_of_the_real_prover_are_accepted_by_the_second_verifier() {
    for program in [scenarios(), norms(), many(130), many(560)] {
        let account = Account::of(&SOLVENT, 1);
        let claims = [account.claim(0, &program)];
        let proof = prove(&PARAMETERS, &claims, &[account.opening()]).unwrap();
        assert_eq!(verdict(&claims, &proof), Ok(()));
    }
}

#[test]
fn both_find_the_same_shape_for_every_program() {
    let programs = [
        scenarios(),
        norms(),
        single(),
        choice(),
        scenarios_at(7),
        scenarios_at(9),
    ];
    let mut groups = std::collections::BTreeSet::new();
    for program in programs.into_iter().chain((1..700).step_by(43).map(many)) {
        let (plan, placement) = (Plan::of(&program), Placement::new(&program).unwrap());
        let shape = placement.shape();
        assert_eq!(
            (plan.q_columns, plan.z_columns, plan.square_columns, plan.limb_bits),
            (
                shape.q_columns(),
                shape.z_columns(),
                shape.square_columns(),
                shape.limb_bits()
            )
        );
        assert_eq!((plan.x_columns(), plan.group), (shape.x_columns(), shape.x_group()));
        assert_eq!(
            (plan.masked(), plan.masked_bytes()),
            (shape.masked(), shape.masked_bytes())
        );
        let runs: Vec<(usize, usize)> = shape.runs().iter().map(|run| (run.start, run.limbs)).collect();
        assert_eq!(plan.runs, runs);
        // Λ², of numbers with four roots that are fractions below `2^ω`.
        let denominator = (1..16_u64).fold(1, num_lcm).pow(2);
        let ranges: Vec<Range> = (plan.places.iter())
            .map(|place| match place {
                Place::Run(cell) => Range::Integer {
                    bits: plan.limbs(*cell) as u32 * plan.limb_bits,
                },
                Place::Squares(_) => Range::Fraction {
                    bits: 2 * plan.omega + 2,
                    denominator,
                },
            })
            .collect();
        assert_eq!(placement.ranges(), ranges);
        groups.insert(plan.group);
    }
    assert_eq!(groups, [1, 2, 4].into(), "every number of columns in a group");
}

fn num_lcm(a: u64, b: u64) -> u64 {
    let divisor = (1..=b)
        .rev()
        .find(|d| a.is_multiple_of(*d) && b.is_multiple_of(*d))
        .unwrap();
    a / divisor * b
}
