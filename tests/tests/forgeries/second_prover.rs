//! The protocol text, implemented twice: each side accepts the other's proofs.

use zkmargin_circuits::{Placement, prove};
use zkmargin_tests::*;

use crate::verdict;

#[test]
fn honest_proofs_of_the_second_prover_are_accepted() {
    for program in [scenarios(), norms(), single()] {
        let plan = Plan::of(&program);
        let account = match plan.q_columns {
            1 => Account::new(&SETUP, 1, &[(0, 7)], 1),
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
    for program in [scenarios(), norms()] {
        let account = Account::of(&SOLVENT, 1);
        let claims = [account.claim(0, &program)];
        let proof = prove(&PARAMETERS, &claims, &[account.opening()]).unwrap();
        assert_eq!(verdict(&claims, &proof), Ok(()));
    }
}

#[test]
fn both_find_the_same_shape_for_every_program() {
    for program in [scenarios(), norms(), single(), scenarios_at(7), scenarios_at(9)] {
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
        let runs: Vec<(usize, usize)> = shape.runs().iter().map(|run| (run.start, run.limbs)).collect();
        assert_eq!(plan.runs, runs);
        let widths: Vec<u32> = (0..plan.cells.len())
            .map(|j| plan.limbs(j) as u32 * plan.limb_bits)
            .collect();
        assert_eq!(placement.widths(), widths);
    }
}
