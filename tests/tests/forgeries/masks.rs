//! The masks of the projections: what they must not make good (protocol §5, §9).

use ff::{Field, PrimeField};
use pasta_curves::Fp;
use zkmargin_circuits::Refusal;
use zkmargin_program::Program;
use zkmargin_tests::*;

use crate::{statements, verdict};

/// Of [`many`]: the first requirement is short of five, every other is met.
const SHORT: [(usize, u64); 2] = [(0, 10), (3, 55)];

/// [`SHORT`] on stage: what the first requirement lacks is a sum of squares in the field.
fn short_scene<'a>(account: &Account, plan: &Plan, program: &'a Program) -> Scene<'a> {
    let solvent = Account::of(&[(0, 10), (3, 50)], 1);
    let slacks = witness(program, &solvent.lots).into_iter();
    let slacks: Vec<u128> = slacks.map(|slack| slack.saturating_sub(5)).collect();
    let mut scene = account.scene(&SETUP, plan, program, &slacks);
    let roots = field_roots(-Fp::from(5), [Fp::from(3), Fp::from(4)]);
    scene.columns.take_roots(plan, 0, roots);
    scene
}

/// Numbers that can be said.
fn sayable(plan: &Plan) -> Vec<Fp> {
    (0..plan.masked() as u128)
        .map(|index| Fp::from_u128((1 << (plan.omega - 1)) + index))
        .collect()
}

#[test]
fn proof_is_refused_when_masks_are_chosen_after_e() {
    for count in [20, 68, 130] {
        let program = many(count);
        let plan = &Plan::of(&program);
        let account = Account::of(&SHORT, 1);
        assert!(program.witness(&account.lots).is_err());
        let claims = [account.claim(0, &program)];
        let mut forger = Forger::new(&SETUP, plan, statements(1));
        // Roots are those that were committed to; other masks make the projections numbers that can be said.
        forger.after_e = Box::new(|_, e, columns| columns.mask_to(plan, factors, e, &sayable(plan)));
        for advice in [Advice::Linked, Advice::Own] {
            forger.advice = advice;
            let proof = forger.prove(&[short_scene(&account, plan, &program)]).unwrap().proof;
            assert_eq!(verdict(&claims, &proof), Err(Refusal::Circuit));
        }
        // If masks could be committed to after `e`, an insolvent account would be proven solvent.
        forger.advice = Advice::Written;
        let proof = forger.prove(&[short_scene(&account, plan, &program)]).unwrap().proof;
        let lenient = Lenient {
            points: Points::Unchecked,
            ..Lenient::default()
        };
        assert_eq!(lenient.verify(&SETUP, &claims, &proof), Verdict::Accepted);
    }
}

#[test]
fn proof_is_refused_when_e_is_known_before_the_masks() {
    for count in [20, 68, 130] {
        let program = many(count);
        let plan = &Plan::of(&program);
        let account = Account::of(&SHORT, 1);
        let claims = [account.claim(0, &program)];
        let scene = short_scene(&account, plan, &program);
        let known = Fp::from(192_837_465);
        let mut forger = Forger::new(&SETUP, plan, statements(1));
        forger.masks = Box::new(|_, masks| {
            let mut columns = scene.columns.clone();
            columns.mask_to(plan, factors, &known, &sayable(plan));
            masks.copy_from_slice(&columns.masks(plan));
        });
        forger.e = Some(known);
        let proof = forger.prove(std::slice::from_ref(&scene)).unwrap().proof;
        assert_eq!(verdict(&claims, &proof), Err(Refusal::Link));
        let lenient = Lenient {
            e: Some(known),
            ..Lenient::default()
        };
        assert_eq!(lenient.verify(&SETUP, &claims, &proof), Verdict::Accepted);
        // With the `e` of these very points, they mask other projections.
        forger.e = None;
        let proof = forger.prove(std::slice::from_ref(&scene)).unwrap().proof;
        assert_eq!(verdict(&claims, &proof), Err(Refusal::Circuit));
    }
}

#[test]
fn columns_without_masks_prove_what_is_true_and_nothing_else() {
    for count in [20, 68, 130] {
        let program = many(count);
        let plan = &Plan::of(&program);
        let (solvent, short) = (Account::of(&SOLVENT, 1), Account::of(&SHORT, 1));
        for t in 0..plan.group {
            let mut forger = Forger::new(&SETUP, plan, statements(1));
            forger.rejection = Rejection::Never;
            forger.masks = Box::new(move |_, masks| masks[t * PROJECTIONS..][..PROJECTIONS].fill(Fp::ZERO));
            let honest = solvent.honest_scene(plan, &program);
            // It is the prover alone who needs them.
            let proof = forger.prove(&[honest]).unwrap().proof;
            assert_eq!(verdict(&[solvent.claim(0, &program)], &proof), Ok(()));
            let proof = forger.prove(&[short_scene(&short, plan, &program)]).unwrap().proof;
            assert_eq!(verdict(&[short.claim(0, &program)], &proof), Err(Refusal::Circuit));
        }
    }
}

/// Roots of `-5` of which one alone is no small number.
fn one_bad_root() -> [Fp; ROOTS] {
    let small = (0..10_u64).map(|a| [a, 1, 2].map(Fp::from));
    small
        .filter_map(|small| {
            let rest = -Fp::from(5) - small.iter().map(Field::square).sum::<Fp>();
            let root = Option::<Fp>::from(rest.sqrt())?;
            Some([root, small[0], small[1], small[2]])
        })
        .next()
        .expect("a square")
}

#[test]
fn masks_that_are_right_for_one_factor_of_a_bad_root_pass_one_projection_in_sixteen() {
    let program = single();
    let plan = &Plan::of(&program);
    let account = Account::new(&SETUP, 1, &[(1, 1)], 1);
    let claims = [account.claim(0, &program)];
    assert!(program.witness(&account.lots).is_err());
    let roots = one_bad_root();
    let scene = |plan: &Plan| {
        let mut scene = account.scene(&SETUP, plan, &program, &[0]);
        scene.columns.take_roots(plan, 0, roots);
        scene
    };
    // As if every factor of the bad root were seven.
    fn guess<'a>(plan: &'a Plan, root: Fp, seed: u8) -> Forger<'a> {
        let mut forger = Forger::new(&SETUP, plan, statements(1));
        forger.seed[31] = seed;
        forger.masks = Box::new(move |_, masks| {
            masks.fill(Fp::from_u128(1 << (plan.omega - 1)) - Fp::from(7) * root);
        });
        forger
    }
    let passes = |plan: &Plan, seed: u8| {
        let said = &guess(plan, roots[0], seed).say(&[scene(plan)]).masked[0];
        let sayable = said.iter().filter(|u| small(**u).is_some_and(|u| u >> plan.omega == 0));
        sayable.count()
    };
    let passed: Vec<usize> = (0..200).map(|seed| passes(plan, seed)).collect();
    // Of 6400 with a chance of one in sixteen: 400, with a standard deviation of 19.
    let all: usize = passed.iter().sum();
    assert!((300..500).contains(&all), "{all}");
    assert!(passed.iter().all(|passed| *passed < PROJECTIONS / 2), "{passed:?}");
    let proof = guess(plan, roots[0], 0).prove(&[scene(plan)]).unwrap().proof;
    assert_eq!(verdict(&claims, &proof), Err(Refusal::Circuit));
    // With a single projection, a few attempts would be enough.
    let one = &Plan {
        projections: 1,
        ..plan.clone()
    };
    let seed = (0..200).find(|seed| passes(one, *seed) == 1).expect("luck");
    let proof = guess(one, roots[0], seed).prove(&[scene(one)]).unwrap().proof;
    let lenient = Lenient {
        plan: Some(one),
        ..Lenient::default()
    };
    assert_eq!(lenient.verify(&SETUP, &claims, &proof), Verdict::Accepted);
    let refusal = verdict(&claims, &proof).unwrap_err();
    assert!(matches!(refusal, Refusal::Link | Refusal::Malformed(_)), "{refusal}");
}

#[test]
fn proof_is_refused_when_masks_and_roots_stand_in_each_others_rows() {
    let program = single();
    let honest = Plan::of(&program);
    let account = Account::new(&SETUP, 1, &[(0, 7)], 1);
    let claims = [account.claim(0, &program)];
    assert_eq!((honest.masks_from, honest.sums_from), (0, PROJECTIONS));
    let after_roots = Plan {
        masks_from: ROOTS,
        sums_from: 0,
        ..honest.clone()
    };
    let one_row_on = Plan {
        masks_from: 1,
        sums_from: PROJECTIONS + ROOTS,
        ..honest.clone()
    };
    for plan in [after_roots, one_row_on] {
        let proof = Forger::new(&SETUP, &plan, statements(1))
            .prove(&[account.honest_scene(&plan, &program)])
            .unwrap()
            .proof;
        let lenient = Lenient {
            plan: Some(&plan),
            ..Lenient::default()
        };
        assert_eq!(lenient.verify(&SETUP, &claims, &proof), Verdict::Accepted);
        assert_eq!(verdict(&claims, &proof), Err(Refusal::Link));
    }
    // Of an insolvent account: in the rows of masks a root has no factors, and may be anything.
    let account = Account::new(&SETUP, 1, &[(1, 1)], 1);
    let claims = [account.claim(0, &program)];
    let plan = &honest;
    let roots = field_roots(-Fp::from(5), [Fp::from(3), Fp::from(4)]);
    let mut forger = Forger::new(&SETUP, plan, statements(1));
    forger.masks = Box::new(move |_, masks| masks[..ROOTS].copy_from_slice(&roots));
    forger.rejection = Rejection::Never;
    // What is said of those four is a number that can be said, and their masks have no factors either.
    forger.masked = Box::new(|_, masked| masked[0][..ROOTS].fill(Fp::ZERO));
    forger.matrices = Box::new(|_, known, public| {
        let (b, s) = (plan.q_columns, plan.q_columns + plan.groups);
        let multipliers = scalar_multipliers(&known.challenges.r, plan.drawn(&program));
        let of_projections = &multipliers[program.equations().len()..];
        for (index, row) in plan.rows_of(0).1.enumerate() {
            let factors = factors(&known.challenges.e, 0)[index];
            public[s][index] = public[s][row];
            public[s][row] = Fp::ZERO;
            public[b][index] = Fp::ZERO;
            let others = factors.iter().zip(of_projections).skip(ROOTS);
            public[b][row] = others.map(|(factor, r)| Fp::from(*factor) * r).sum();
        }
    });
    let forged = forger.prove(&[account.scene(&SETUP, plan, &program, &[0])]).unwrap();
    assert_eq!(verdict(&claims, &forged.proof), Err(Refusal::Link));
    let lenient = Lenient {
        matrices: Some(&forged.matrices),
        ..Lenient::default()
    };
    assert_eq!(lenient.verify(&SETUP, &claims, &forged.proof), Verdict::Accepted);
}
