//! The equations of the projections: errors that would cancel, the `γ_t` at the accumulators' ends (protocol §5).

use ff::Field;
use pasta_curves::Fp;
use zkmargin_circuits::{Claim, Refusal};
use zkmargin_tests::*;

use crate::{give_what_is_missing, lacking, statements, verdict};

/// Says other masked projections, which `multipliers` do not notice; the protocol's do.
fn refused_unless_multipliers_are(count: usize, error: impl Fn(&mut [Fp]), rule: fn(&Fp, usize) -> Vec<Fp>) {
    let program = many(count);
    let plan = Plan::of(&program);
    let account = Account::of(&SOLVENT, 1);
    let claims = [account.claim(0, &program)];
    let mut forger = Forger::new(&SETUP, &plan, statements(1));
    forger.masked = Box::new(|_, masked| error(&mut masked[0]));
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
        |u| {
            u[3] += Fp::from(1000);
            u[31] -= Fp::from(1000);
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
    // All columns have the same multipliers: what keeps them apart is that each accumulator has an end of its own.
    for (count, group, columns) in [(68, 2, [0, 1]), (130, 4, [0, 3]), (560, 4, [2, 3])] {
        let program = many(count);
        let plan = Plan::of(&program);
        assert_eq!(plan.group, group);
        let account = Account::of(&SOLVENT, 1);
        let claims = [account.claim(0, &program)];
        let together = Plan {
            ends: Ends::Sum,
            ..plan.clone()
        };
        for (plan, error) in [(&plan, 1000), (&together, 1000), (&together, 1001)] {
            let mut forger = Forger::new(&SETUP, plan, statements(1));
            forger.masked = Box::new(|_, masked| {
                masked[0][columns[0] * PROJECTIONS + 5] += Fp::from(1000);
                masked[0][columns[1] * PROJECTIONS + 5] -= Fp::from(error);
            });
            let proof = forger.prove(&[account.honest_scene(plan, &program)]).unwrap().proof;
            assert_eq!(verdict(&claims, &proof), Err(Refusal::Circuit));
            let lenient = Lenient {
                plan: Some(&together),
                ..Lenient::default()
            };
            let cancels = plan.ends == Ends::Sum && error == 1000;
            let expected = if cancels { Verdict::Accepted } else { Verdict::Circuit };
            assert_eq!(lenient.verify(&SETUP, &claims, &proof), expected);
        }
    }
}

/// Of [`many`]: the first requirement is short of five, every other is met by five at least.
const SHORT: [(usize, u64); 2] = [(0, 10), (3, 55)];

/// The slacks of `many(20)` for [`SHORT`]; that of the first requirement is zero, so that its equation lacks five.
fn short_slacks() -> Vec<u128> {
    let solvent = Account::of(&[(0, 10), (3, 50)], 1);
    let slacks = witness(&many(20), &solvent.lots).into_iter().enumerate();
    slacks
        .map(|(index, value)| if index == 0 { 0 } else { value - 5 })
        .collect()
}

#[test]
fn proof_is_refused_when_an_error_of_a_projection_cancels_one_of_an_equation() {
    // A multiplier shared with a projection would give the requirement what it is short of.
    fn shared(r: &Fp, count: usize) -> Vec<Fp> {
        let mut multipliers = scalar_multipliers(r, count);
        multipliers[20] = multipliers[0];
        multipliers
    }
    let program = many(20);
    let plan = Plan::of(&program);
    let account = Account::of(&SHORT, 1);
    let claims = [account.claim(0, &program)];
    let mut forger = Forger::new(&SETUP, &plan, statements(1));
    forger.masked = Box::new(|_, masked| masked[0][0] -= Fp::from(5));
    let scene = account.scene(&SETUP, &plan, &program, &short_slacks());
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
fn proof_is_refused_when_masked_projections_are_chosen_after_r() {
    let program = many(20);
    let plan = &Plan::of(&program);
    let account = Account::of(&SHORT, 1);
    let claims = [account.claim(0, &program)];
    let scene = || account.scene(&SETUP, plan, &program, &short_slacks());
    // Changes of ten masked projections, with their multipliers as much as the first equation lacks: a short relation of the eleven
    // multipliers, which lattice reduction finds.
    let choose = |challenges: &Challenges, masked: &mut Vec<Fp>| {
        let multipliers = multipliers(&challenges.r, plan.drawn(&program));
        let of_projections = &multipliers[program.equations().len()..];
        let those: Vec<u128> = [multipliers[0]]
            .into_iter()
            .chain(of_projections[..10].to_vec())
            .collect();
        let relation = short_relation_from(&those, 5);
        for (u, change) in masked.iter_mut().zip(&relation[1..]) {
            *u += integer(*change);
        }
        assert!(masked.iter().all(|u| small(*u).is_some_and(|u| u >> plan.omega == 0)));
    };
    // Said before `r`, and others meant: the accumulator does not end with what follows from those that were said.
    let mut forger = Forger::new(&SETUP, plan, statements(1));
    let proof = forger.prove(&[scene()]).unwrap().proof;
    assert_eq!(verdict(&claims, &proof), Err(Refusal::Circuit));
    forger.matrices = Box::new(|_, known, public| {
        let mut masked = known.columns.masked(plan, factors, &known.challenges.e);
        choose(&known.challenges, &mut masked);
        let multipliers = scalar_multipliers(&known.challenges.r, plan.drawn(&program));
        *public = fold(&program, plan, factors, &known.challenges.e, &masked, &multipliers).public;
        assert!(
            lacking(plan, known, public)
                .1
                .iter()
                .all(|missing| *missing == Fp::ZERO)
        );
    });
    let forged = forger.prove(&[scene()]).unwrap();
    assert_eq!(verdict(&claims, &forged.proof), Err(Refusal::Link));
    // If they were said after `r`, or not absorbed before it, an insolvent account would be proven solvent.
    let mut forger = Forger::new(&SETUP, plan, statements(1));
    forger.after_r = Some(Box::new(|_, challenges, masked| choose(challenges, masked)));
    let proof = forger.prove(&[scene()]).unwrap().proof;
    let lenient = Lenient {
        masked_after_r: true,
        ..Lenient::default()
    };
    assert_eq!(lenient.verify(&SETUP, &claims, &proof), Verdict::Accepted);
    assert_eq!(verdict(&claims, &proof), Err(Refusal::Link));
}

#[test]
fn proof_is_refused_when_an_accumulator_ends_with_another_gamma() {
    for count in [20, 68, 130] {
        let program = many(count);
        let plan = &Plan::of(&program);
        let w = witness(&program, &Account::of(&SOLVENT, 1).lots);
        let account = Account::of(&INSOLVENT_0, 1);
        let claims = [account.claim(0, &program)];
        for t in 0..plan.group {
            // What an insolvent account lacks; what a column lacks whose masked projections are nothing but zeros.
            let mut forger = Forger::new(&SETUP, plan, statements(1));
            forger.masked = Box::new(move |_, masked| masked[0][t * PROJECTIONS..][..PROJECTIONS].fill(Fp::ZERO));
            forger.matrices = Box::new(move |_, known, public| {
                give_what_is_missing(plan, known, public, t..t + 1);
                if t > 0 {
                    give_what_is_missing(plan, known, public, 0..1);
                }
            });
            let scene = account.scene(&SETUP, plan, &program, &w);
            let forged = forger.prove(&[scene]).unwrap();
            assert_eq!(verdict(&claims, &forged.proof), Err(Refusal::Link), "γ_{t}");
            let lenient = Lenient {
                matrices: Some(&forged.matrices),
                ..Lenient::default()
            };
            assert_eq!(lenient.verify(&SETUP, &claims, &forged.proof), Verdict::Accepted);
        }
    }
}

#[test]
fn proof_is_refused_when_a_gamma_is_that_of_another_accumulator_or_stands_elsewhere_or_has_less_in_it() {
    type Change = fn(&Plan, &Folded, &mut Matrix);
    let swap: Change = |plan, _, public| {
        let (one, two) = (public[0][plan.last], public[1][plan.last]);
        (public[0][plan.last], public[1][plan.last]) = (two, one);
    };
    let shift: Change = |plan, _, public| {
        let ends: Vec<Fp> = public.iter().map(|column| column[plan.last]).collect();
        let before = ends.iter().cycle().skip(ends.len() - 1);
        public
            .iter_mut()
            .zip(before)
            .for_each(|(column, end)| column[plan.last] = *end);
    };
    let above: Change = |plan, _, public| {
        public[0][plan.last - 1] = public[0][plan.last];
        public[0][plan.last] = Fp::ZERO;
    };
    let without_projections: Change = |plan, unsaid, public| public[0][plan.last] = unsaid.public[0][plan.last];
    let without_equations: Change = |plan, unsaid, public| public[0][plan.last] -= unsaid.public[0][plan.last];
    let in_all: Change = |plan, unsaid, public| public[1][plan.last] += unsaid.public[0][plan.last];
    for count in [20, 68, 130] {
        let program = many(count);
        let plan = &Plan::of(&program);
        let account = Account::of(&SOLVENT, 1);
        let claims = [account.claim(0, &program)];
        let of_groups = [swap, shift, in_all].into_iter().filter(|_| plan.group > 1);
        for change in [above, without_projections, without_equations]
            .into_iter()
            .chain(of_groups)
        {
            let mut forger = Forger::new(&SETUP, plan, statements(1));
            forger.matrices = Box::new(|_, known, public| {
                let multipliers = scalar_multipliers(&known.challenges.r, plan.drawn(&program));
                // As if nothing but zeros had been said: γ alone.
                let zeros = vec![Fp::ZERO; plan.masked()];
                let unsaid = fold(&program, plan, factors, &known.challenges.e, &zeros, &multipliers);
                change(plan, &unsaid, public);
                assert!(
                    lacking(plan, known, public)
                        .1
                        .iter()
                        .any(|missing| *missing != Fp::ZERO)
                );
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
fn proof_is_refused_when_masked_projections_of_two_columns_or_two_circuits_are_swapped() {
    let program = many(68);
    let plan = &Plan::of(&program);
    assert_eq!(plan.group, 2);
    let accounts = [Account::of(&SOLVENT, 1), Account::of(&SOLVENT, 2)];
    let claims: Vec<Claim<'_>> = (0..2).map(|index| accounts[index].claim(index, &program)).collect();
    let scenes: Vec<Scene<'_>> = accounts
        .iter()
        .map(|account| account.honest_scene(plan, &program))
        .collect();
    let mut forger = Forger::new(&SETUP, plan, statements(2));
    assert_eq!(verdict(&claims, &forger.prove(&scenes).unwrap().proof), Ok(()));
    type Swap = fn(&mut [Vec<Fp>]);
    let of_columns: Swap = |masked| masked[1].rotate_left(PROJECTIONS);
    let of_circuits: Swap = |masked| masked.swap(0, 1);
    let of_one_column: Swap = |masked| {
        let (one, two) = masked.split_at_mut(1);
        one[0][PROJECTIONS..].swap_with_slice(&mut two[0][PROJECTIONS..]);
    };
    for swap in [of_columns, of_circuits, of_one_column] {
        forger.masked = Box::new(move |_, masked| swap(masked));
        forger.matrices = Box::new(|_, _, _| ());
        let proof = forger.prove(&scenes).unwrap().proof;
        assert_eq!(verdict(&claims, &proof), Err(Refusal::Circuit));
        // With the ends that the columns come to, they are not those that follow from what is said.
        forger.matrices = Box::new(|_, known, public| {
            let (columns, _) = lacking(plan, known, public);
            for (column, acc) in public.iter_mut().zip(&columns.acc) {
                column[plan.last] = acc[plan.last];
            }
        });
        let forged = forger.prove(&scenes).unwrap();
        assert_eq!(verdict(&claims, &forged.proof), Err(Refusal::Link));
        let lenient = Lenient {
            matrices: Some(&forged.matrices),
            ..Lenient::default()
        };
        assert_eq!(lenient.verify(&SETUP, &claims, &forged.proof), Verdict::Accepted);
    }
}
