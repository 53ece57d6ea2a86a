//! Sums of squares: roots that are no small numbers, roots after `e`, fractions (protocol §5, §9).

use ff::{Field, PrimeField};
use pasta_curves::Fp;
use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng;
use zkmargin_circuits::Refusal;
use zkmargin_program::Program;
use zkmargin_tests::*;

use crate::{statements, verdict};

/// Of [`single`]: its slack is `-5`.
fn short_account() -> Account {
    Account::new(&SETUP, 1, &[(1, 1)], 1)
}

/// Roots in the field of a slack that is `-5`.
fn short_roots(seed: u64) -> [Fp; ROOTS] {
    let mut generator = ChaCha20Rng::seed_from_u64(seed);
    let first = match seed {
        0 => [Fp::ZERO; 2],
        _ => [(); 2].map(|()| Fp::random(&mut generator)),
    };
    field_roots(-Fp::from(5), first)
}

/// Masked projections in as many bytes as the field has: with room for anything.
fn without_range(program: &Program) -> Plan {
    let mut wide = Plan::of(program);
    wide.omega = 256;
    wide
}

#[test]
fn proof_is_refused_when_a_slack_is_negative_and_a_sum_of_squares_in_the_field() {
    let program = single();
    let account = short_account();
    let claims = [account.claim(0, &program)];
    assert!(program.witness(&account.lots).is_err());
    let (plan, wide) = (Plan::of(&program), without_range(&program));
    assert_eq!(plan.squares, 1);
    for seed in 0..3 {
        let scene = |plan: &Plan| {
            let mut scene = account.scene(&SETUP, plan, &program, &[0]);
            scene.columns.take_roots(plan, 0, short_roots(seed));
            scene
        };
        // What masked projections are modulo 2^ω is all that can be said of them, and not what the accumulator ends with.
        let forger = Forger::new(&SETUP, &plan, statements(1));
        let said = forger.say(&[scene(&plan)]).masked;
        assert!(said[0].iter().any(|u| small(*u).is_none_or(|u| u >> plan.omega > 0)));
        let proof = forger.prove(&[scene(&plan)]).unwrap().proof;
        assert_eq!(verdict(&claims, &proof), Err(Refusal::Circuit));
        // In bytes that hold everything: a proof of the same shape but for them, under the same key.
        let proof = Forger::new(&SETUP, &wide, statements(1))
            .prove(&[scene(&wide)])
            .unwrap()
            .proof;
        let lenient = Lenient {
            plan: Some(&wide),
            ..Lenient::default()
        };
        assert_eq!(lenient.verify(&SETUP, &claims, &proof), Verdict::Accepted);
        let refusal = verdict(&claims, &proof).unwrap_err();
        assert!(matches!(refusal, Refusal::Link | Refusal::Malformed(_)), "{refusal}");
    }
}

#[test]
fn proof_is_refused_when_there_are_fewer_projections() {
    let program = single();
    let account = short_account();
    let claims = [account.claim(0, &program)];
    let honest = Plan::of(&program);
    assert_eq!((honest.projections, honest.group), (PROJECTIONS, 1));
    // Without any, of the same key: the slack may be negative. With one fewer, the proof is another one already.
    for count in [0, PROJECTIONS - 1] {
        let mut plan = honest.clone();
        plan.projections = count;
        let mut scene = account.scene(&SETUP, &plan, &program, &[0]);
        let solvent = Account::new(&SETUP, 1, &[(0, 7)], 1);
        let of_solvent = [solvent.claim(0, &program)];
        let claims = if count == 0 { &claims } else { &of_solvent };
        match count {
            0 => scene.columns.take_roots(&plan, 0, short_roots(1)),
            _ => scene = solvent.scene(&SETUP, &plan, &program, &witness(&program, &solvent.lots)),
        }
        let forger = Forger::new(&SETUP, &plan, statements(1));
        let proof = forger.prove(&[scene]).unwrap().proof;
        let lenient = Lenient {
            plan: Some(&plan),
            ..Lenient::default()
        };
        assert_eq!(lenient.verify(&SETUP, claims, &proof), Verdict::Accepted);
        let refusal = verdict(claims, &proof).unwrap_err();
        assert!(matches!(refusal, Refusal::Link | Refusal::Malformed(_)), "{refusal}");
    }
}

#[test]
fn proof_is_refused_when_masked_projections_have_more_or_fewer_bytes() {
    let program = single();
    let honest = Plan::of(&program);
    let account = Account::new(&SETUP, 1, &[(0, 2)], 1);
    let claims = [account.claim(0, &program)];
    for omega in [honest.omega - 8, honest.omega + 8, 128] {
        let plan = Plan {
            omega,
            ..honest.clone()
        };
        let proof = Forger::new(&SETUP, &plan, statements(1))
            .prove(&[account.honest_scene(&plan, &program)])
            .unwrap()
            .proof;
        let lenient = Lenient {
            plan: Some(&plan),
            ..Lenient::default()
        };
        assert_eq!(lenient.verify(&SETUP, &claims, &proof), Verdict::Accepted);
        let refusal = verdict(&claims, &proof).unwrap_err();
        assert!(matches!(refusal, Refusal::Link | Refusal::Malformed(_)), "{refusal}");
    }
}

/// Of [`many`]: one requirement is short of five, and every other is met.
const SHORT: [(usize, u64); 2] = [(0, 10), (3, 55)];

/// Roots whose squares are what the requirements are worth, also the one below zero, and whose projections with these factors are in
/// range: those of a number below zero are cancelled by others', which move along isotropic lines.
fn fitted_roots(plan: &Plan, program: &Program, lots: &[u64], rule: FactorRule, e: &Fp) -> Columns {
    let mut generator = ChaCha20Rng::seed_from_u64(7);
    let values = program.equations().iter().map(|equation| -> i128 {
        let legs = equation.legs.iter();
        legs.map(|(leg, a)| i128::from(*a) * i128::from(lots[leg.index()]))
            .sum::<i128>()
            - equation.constant
    });
    let columns: Vec<Vec<u64>> = lots.chunks(SETUP.legs()).map(<[u64]>::to_vec).collect();
    let q: Matrix = columns.iter().map(|column| scalars(column)).collect();
    let mut columns = Columns::new(plan, &q, &[]);
    let mut negative = Vec::new();
    for (sum, value) in values.enumerate() {
        let roots = match u128::try_from(value) {
            Ok(value) => four_squares(value).map(Fp::from_u128),
            Err(_) => {
                negative.push(sum);
                field_roots(integer(value), [Fp::ONE, Fp::from(2)])
            }
        };
        columns.take_roots(plan, sum, roots);
    }
    assert_eq!(negative.len(), 1);
    hide_roots(plan, &mut columns, negative[0], rule, e, &mut generator);
    columns
}

#[test]
fn proof_is_refused_when_roots_are_fitted_to_e() {
    for count in [68, 130] {
        let program = many(count);
        let plan = Plan::of(&program);
        let account = Account::of(&SHORT, 1);
        assert!(program.witness(&account.lots).is_err());
        let claims = [account.claim(0, &program)];
        let scene = || account.scene(&SETUP, &plan, &program, &[]);
        let mut forger = Forger::new(&SETUP, &plan, statements(1));
        forger.after_e = Box::new(|_, e, columns| {
            let masks = columns.masks(&plan);
            columns.x = fitted_roots(&plan, &program, &account.lots, factors, e).x;
            columns.take_masks(&plan, &masks);
            let y = columns.projections(&plan, factors, e);
            assert!(y.iter().all(|y| small(*y).is_some_and(|y| y >> plan.beta == 0)));
        });
        for advice in [Advice::Linked, Advice::Own] {
            forger.advice = advice;
            let proof = forger.prove(&[scene()]).unwrap().proof;
            assert_eq!(verdict(&claims, &proof), Err(Refusal::Circuit));
        }
        // If roots could be committed to after `e`, an insolvent account would be proven solvent.
        forger.advice = Advice::Written;
        let proof = forger.prove(&[scene()]).unwrap().proof;
        let lenient = Lenient {
            points: Points::Unchecked,
            ..Lenient::default()
        };
        assert_eq!(lenient.verify(&SETUP, &claims, &proof), Verdict::Accepted);
    }
}

#[test]
fn proof_is_refused_when_e_is_known_before_the_roots() {
    let program = many(68);
    let plan = Plan::of(&program);
    let account = Account::of(&SHORT, 1);
    let claims = [account.claim(0, &program)];
    // That of another proof, or one that does not depend on the roots' points.
    let known = Fp::from(192_837_465);
    let mut scene = account.scene(&SETUP, &plan, &program, &[]);
    scene.columns.x = fitted_roots(&plan, &program, &account.lots, factors, &known).x;
    let mut forger = Forger::new(&SETUP, &plan, statements(1));
    forger.e = Some(known);
    let proof = forger.prove(&[scene.clone()]).unwrap().proof;
    assert_eq!(verdict(&claims, &proof), Err(Refusal::Link));
    let lenient = Lenient {
        e: Some(known),
        ..Lenient::default()
    };
    assert_eq!(lenient.verify(&SETUP, &claims, &proof), Verdict::Accepted);
    // With the `e` of these very points, the masked projections are no numbers of so few bytes.
    forger.e = None;
    let proof = forger.prove(&[scene]).unwrap().proof;
    assert_eq!(verdict(&claims, &proof), Err(Refusal::Circuit));
}

/// Factors that are all even: the luck that halves need.
fn even(e: &Fp, sum: usize) -> [Factors; ROOTS] {
    factors(e, sum).map(|row| row.map(|factor| factor & !1))
}

#[test]
fn fraction_passes_a_projection_only_by_luck_and_what_it_proves_is_no_less() {
    // With the mask -r·η/d, η/d passes with the factors that are r modulo its denominator; one whose denominator is above 15 with one
    // alone. So a mask chooses which factors pass, and not how many.
    for denominator in 2..40_u64 {
        let inverse = Fp::from(denominator).invert().unwrap();
        for numerator in (1..200_u64).filter(|n| (2..=denominator).all(|d| n % d > 0 || denominator % d > 0)) {
            for remainder in [0, 1, denominator / 2, denominator - 1] {
                let mask = Fp::from(1 << 20) - Fp::from(remainder * numerator) * inverse;
                let masked = |c: &u64| Fp::from(*c * numerator) * inverse + mask;
                let passing = (0..16).filter(|c| small(masked(c)).is_some_and(|u| u >> 64 == 0));
                assert!(passing.eq((0..16).filter(|c| c % denominator == remainder)));
            }
        }
    }
    // A slack of one as four halves.
    let program = single();
    let plan = Plan::of(&program);
    let half = [Fp::TWO_INV; ROOTS];
    let account = Account::new(&SETUP, 1, &[(0, 2), (1, 1)], 1);
    let claims = [account.claim(0, &program)];
    let mut scene = account.scene(&SETUP, &plan, &program, &[0]);
    scene.columns.take_roots(&plan, 0, half);
    let mut forger = Forger::new(&SETUP, &plan, statements(1));
    let proof = forger.prove(&[scene.clone()]).unwrap().proof;
    assert_eq!(verdict(&claims, &proof), Err(Refusal::Circuit), "without luck");
    forger.factors = even;
    let proof = forger.prove(&[scene]).unwrap().proof;
    let lenient = Lenient {
        factors: even,
        ..Lenient::default()
    };
    assert_eq!(lenient.verify(&SETUP, &claims, &proof), Verdict::Accepted);
    assert_eq!(verdict(&claims, &proof), Err(Refusal::Link));
    // One unit short, the same roots and luck are of no use: their squares are above zero, and the equation does not hold.
    let short = Account::new(&SETUP, 1, &[(0, 3), (1, 2)], 1);
    let claims = [short.claim(0, &program)];
    for roots in [half, [Fp::ZERO; ROOTS], [Fp::TWO_INV, Fp::ZERO, Fp::ZERO, Fp::ZERO]] {
        let mut scene = short.scene(&SETUP, &plan, &program, &[0]);
        scene.columns.take_roots(&plan, 0, roots);
        let proof = forger.prove(&[scene]).unwrap().proof;
        assert_eq!(lenient.verify(&SETUP, &claims, &proof), Verdict::Circuit);
        assert_eq!(verdict(&claims, &proof), Err(Refusal::Link));
    }
}

#[test]
fn proof_is_refused_when_it_is_made_for_another_placement() {
    let program = norms();
    let account = Account::of(&SOLVENT, 1);
    let claims = [account.claim(0, &program)];
    let honest = Plan::of(&program);
    let whole: Vec<bool> = program.variables().iter().map(|variable| variable.whole).collect();
    // One more in a run; one fewer, which is not squared; other groups.
    let groups = [1, 2, 4].into_iter().filter(|group| *group != honest.group);
    let mut plans: Vec<Plan> = groups.map(|group| Plan::with_group(&program, group)).collect();
    let squared = |j: usize| {
        let mut of_equations = program.equations().iter().flat_map(|equation| &equation.squares);
        of_equations.any(|(variable, _)| variable.index() == j)
    };
    for wanted in [false, true] {
        let mut other = whole.clone();
        let changed = (0..other.len()).find(|j| other[*j] == wanted && !squared(*j)).unwrap();
        other[changed] ^= true;
        plans.push(Plan::with_whole(&program, &other));
    }
    for plan in plans {
        assert_ne!(plan, honest);
        let proof = Forger::new(&SETUP, &plan, statements(1))
            .prove(&[account.honest_scene(&plan, &program)])
            .unwrap()
            .proof;
        let lenient = Lenient {
            plan: Some(&plan),
            ..Lenient::default()
        };
        assert_eq!(lenient.verify(&SETUP, &claims, &proof), Verdict::Accepted);
        let refusal = verdict(&claims, &proof).unwrap_err();
        assert!(matches!(refusal, Refusal::Link | Refusal::Malformed(_)), "{refusal}");
    }
}

#[test]
fn proof_is_refused_when_a_bit_is_half_a_bit_among_sums_of_squares() {
    let program = choice();
    let account = Account::new(&SETUP, 1, &[(0, 7)], 1);
    let claims = [account.claim(0, &program)];
    assert!(program.witness(&account.lots).is_err());
    // Bit and complement are sums of squares, of fractions whose squares are both about a half of the big-M's worth.
    let plan = Plan::with_whole(&program, &vec![false; program.variables().len()]);
    let big_m = Fp::from_u128((1 << 40) - 1);
    let bit = Fp::from_u128(1 << 39) * big_m.invert().unwrap();
    let charge = 70;
    let left = 3 * 7 + (1 << 39) - 1 - charge;
    let mut scene = account.scene(&SETUP, &plan, &program, &[0, 0, charge + 1, 1, 0, left]);
    for (variable, value) in [bit, Fp::ONE - bit].into_iter().enumerate() {
        let Place::Squares(sum) = plan.places[variable] else {
            unreachable!()
        };
        scene.columns.take_roots(&plan, sum, field_roots(value, [Fp::ZERO; 2]));
    }
    // Factors of zero for those two: all the luck that there is, and more.
    fn lucky(e: &Fp, sum: usize) -> [Factors; ROOTS] {
        if sum < 2 {
            [[0; PROJECTIONS]; ROOTS]
        } else {
            factors(e, sum)
        }
    }
    let mut forger = Forger::new(&SETUP, &plan, statements(1));
    forger.factors = lucky;
    let proof = forger.prove(&[scene]).unwrap().proof;
    let lenient = Lenient {
        plan: Some(&plan),
        factors: lucky,
        ..Lenient::default()
    };
    assert_eq!(
        lenient.verify(&SETUP, &claims, &proof),
        Verdict::Accepted,
        "why bits are whole"
    );
    let refusal = verdict(&claims, &proof).unwrap_err();
    assert!(matches!(refusal, Refusal::Link | Refusal::Malformed(_)), "{refusal}");
    assert!(program.variables()[..2].iter().all(|variable| variable.whole));
}
