//! What masked projections tell: nothing, if masks are drawn and rejected as the protocol says (protocol §5).

use ff::{Field, PrimeField};
use num_bigint::BigUint;
use pasta_curves::Fp;
use zkmargin_circuits::{Claim, prove};
use zkmargin_program::Program;
use zkmargin_tests::*;

use crate::{statements, verdict};

/// Nothing at all, and of what [`single`] holds almost the most: the projections of the one are zero, those of the other large.
const BOOKS: [&[(usize, u64)]; 2] = [&[], &[(0, 3 << 34)]];

/// Masked projections of many attempts that were good enough, and how often was begun for one of them.
struct Heard {
    masked: Vec<f64>,
    attempts: f64,
}

fn heard(plan: &Plan, legs: &[(usize, u64)], rejection: Rejection) -> Heard {
    const PROOFS: u16 = 150;
    let program = single();
    let account = Account::new(&SETUP, 1, legs, 1);
    let scene = account.honest_scene(plan, &program);
    let mut forger = Forger::new(&SETUP, plan, statements(1));
    forger.rejection = rejection;
    let (mut masked, mut attempts) = (Vec::new(), 0);
    for proof in 0..PROOFS {
        forger.seed[30..].copy_from_slice(&proof.to_le_bytes());
        let said = forger.say(std::slice::from_ref(&scene));
        attempts += said.attempts;
        masked.extend(said.masked[0].iter().map(|u| small(*u).expect("a number") as f64));
    }
    Heard {
        masked,
        attempts: f64::from(attempts) / f64::from(PROOFS),
    }
}

/// Kolmogorov's statistic against the uniform distribution on an interval, times the square root of the number of samples: above 1.95
/// once in a thousand times.
fn departure(samples: &[f64], from: f64, to: f64) -> f64 {
    let mut samples = samples.to_vec();
    samples.sort_by(f64::total_cmp);
    let count = samples.len() as f64;
    let steps = samples.iter().enumerate().map(|(index, sample)| {
        let expected = (sample - from) / (to - from);
        (expected - index as f64 / count)
            .abs()
            .max((expected - (index + 1) as f64 / count).abs())
    });
    steps.fold(0.0, f64::max) * count.sqrt()
}

fn below(bits: u32) -> f64 {
    2_f64.powi(bits as i32)
}

/// With an `ω` so near to `β` that most attempts are rejected, and every projection would show.
#[test]
fn masked_projections_and_attempts_of_different_books_are_distributed_alike() {
    let program = single();
    let plan = Plan {
        omega: Plan::of(&program).beta + 4,
        ..Plan::of(&program)
    };
    let (from, to) = (below(plan.beta), below(plan.omega));
    for legs in BOOKS {
        let heard = heard(&plan, legs, Rejection::Telling);
        assert!(heard.masked.iter().all(|u| (from..to).contains(u)));
        let departure = departure(&heard.masked, from, to);
        assert!(departure < 1.95, "{departure}");
        // One in (16/15)^32 = 7.9 attempts, with a standard deviation of 0.6 of the mean of 150.
        assert!((6.0..10.0).contains(&heard.attempts), "{}", heard.attempts);
    }
}

#[test]
fn without_rejection_masked_projections_tell_books_apart() {
    let program = single();
    let plan = Plan {
        omega: Plan::of(&program).beta + 4,
        ..Plan::of(&program)
    };
    let [empty, large] = BOOKS.map(|legs| heard(&plan, legs, Rejection::Never));
    let (from, to) = (below(plan.beta), below(plan.omega));
    // Numbers that an honest prover never says: some for both, and above 2^ω for one of them alone.
    assert!(
        [&empty, &large]
            .iter()
            .all(|heard| heard.masked.iter().any(|u| *u < from))
    );
    assert!(empty.masked.iter().all(|u| *u < to));
    assert!(large.masked.iter().any(|u| *u >= to));
}

#[test]
fn masks_no_wider_than_projections_tell_books_apart() {
    let program = single();
    let plan = Plan {
        omega: Plan::of(&program).beta,
        ..Plan::of(&program)
    };
    // What cannot be said is not said, and that is all.
    let [empty, large] = BOOKS.map(|legs| heard(&plan, legs, Rejection::Unsayable));
    let departures = [&empty, &large].map(|heard| departure(&heard.masked, 0.0, below(plan.omega)));
    assert!(departures[0] < 1.95 && departures[1] > 4.0, "{departures:?}");
    assert!(
        empty.attempts == 1.0 && large.attempts > 4.0,
        "{} {}",
        empty.attempts,
        large.attempts
    );
}

/// The excess of a book of [`single`], from projections that are known: thirty-two equations for four roots.
fn excess_from(plan: &Plan, equations: impl Fn(usize) -> (Vec<Fp>, Fp)) -> Option<Fp> {
    let rows = (0..plan.projections).map(|p| {
        let (mut row, projection) = equations(p);
        row.push(projection);
        row
    });
    let roots = solve(rows.collect())?;
    Some(roots.iter().map(Field::square).sum())
}

/// What [`excess_from`] one proof finds, if masks were zero.
fn excess_from_one(plan: &Plan, proof: &Observer) -> Option<Fp> {
    let factors = factors(&proof.e(), 0);
    excess_from(plan, |p| {
        let row = factors.iter().map(|row| Fp::from(row[p]));
        (row.collect(), proof.masked()[p])
    })
}

/// What [`excess_from`] two proofs finds, if they shared their masks.
fn excess_from_two(plan: &Plan, proofs: [&Observer; 2]) -> Option<Fp> {
    let [one, two] = proofs.map(|proof| factors(&proof.e(), 0));
    excess_from(plan, |p| {
        let row = one
            .iter()
            .zip(&two)
            .map(|(one, two)| Fp::from(one[p]) - Fp::from(two[p]));
        (row.collect(), proofs[0].masked()[p] - proofs[1].masked()[p])
    })
}

/// How many masked projections two proofs differ in by less than `2^β`.
fn close(plan: &Plan, proofs: [&Observer; 2]) -> usize {
    let bits = |number: Fp| BigUint::from_bytes_le(&number.to_repr()).bits() as u32;
    let differences = proofs[0]
        .masked()
        .iter()
        .zip(proofs[1].masked())
        .map(|(one, two)| *one - *two);
    differences.filter(|d| bits(*d).min(bits(-*d)) <= plan.beta).count()
}

#[test]
fn masks_that_are_left_out_or_shared_would_give_the_excess_away_and_the_real_ones_do_not() {
    let program: Program = single();
    let plan = &Plan::of(&program);
    let account = Account::new(&SETUP, 1, &[(0, 70_000), (1, 3)], 1);
    let claims: [Claim<'_>; 1] = [account.claim(0, &program)];
    let excess = Fp::from(3 * 70_000 - 5 * 3);
    let scene = account.honest_scene(plan, &program);
    let observe = |proof: &[u8]| {
        // Nothing is wrong with the proof itself.
        assert_eq!(verdict(&claims, proof), Ok(()));
        Observer::read(&SETUP, &claims[0], proof)
    };
    let prove_with = |seed: u8, masks: fn(&mut [Fp])| {
        let mut forger = Forger::new(&SETUP, plan, statements(1));
        forger.seed[31] = seed;
        forger.rejection = Rejection::Never;
        forger.masks = Box::new(move |_, own| masks(own));
        observe(&forger.prove(std::slice::from_ref(&scene)).unwrap().proof)
    };
    let unmasked = prove_with(1, |masks| masks.fill(Fp::ZERO));
    assert_eq!(excess_from_one(plan, &unmasked), Some(excess));
    let shared = [1, 2].map(|seed| {
        prove_with(seed, |masks| {
            for (mask, number) in masks.iter_mut().zip(1_u64..) {
                *mask = Fp::from(number << 33);
            }
        })
    });
    assert_eq!(excess_from_two(plan, [&shared[0], &shared[1]]), Some(excess));
    assert_eq!(close(plan, [&shared[0], &shared[1]]), PROJECTIONS);

    let second = [1, 2].map(|seed| prove_with(seed, |_| ()));
    let real = [(); 4].map(|()| observe(&prove(&PARAMETERS, &claims, &[account.opening()]).unwrap()));
    let all: Vec<&Observer> = second.iter().chain(&real).collect();
    for (index, one) in all.iter().enumerate() {
        let range = below(plan.beta)..below(plan.omega);
        assert!((one.masked().iter()).all(|u| range.contains(&(small(*u).expect("a number") as f64))));
        assert_eq!(excess_from_one(plan, one), None);
        for two in &all[..index] {
            assert_eq!(excess_from_two(plan, [one, two]), None);
            // One in four million.
            assert!(close(plan, [one, two]) < 2);
        }
    }
}

#[test]
fn circuits_of_a_bundle_share_no_mask() {
    let program = scenarios();
    let plan = Plan::of(&program);
    // One account twice: with one `e`, what is projected is the same.
    let account = Account::of(&SOLVENT, 1);
    let claims = [account.claim(0, &program), account.claim(1, &program)];
    let proof = prove(&PARAMETERS, &claims, &[account.opening(), account.opening()]).unwrap();
    assert_eq!(verdict(&claims, &proof), Ok(()));
    let numbers = &proof[2 * 32 * plan.z_at()..][..2 * plan.masked() * plan.masked_bytes()];
    assert_eq!(plan.z_columns, 0, "they follow each other");
    let mut distinct: Vec<&[u8]> = numbers.chunks(plan.masked_bytes()).collect();
    distinct.sort_unstable();
    distinct.dedup();
    assert_eq!(distinct.len(), 2 * plan.masked());
}
