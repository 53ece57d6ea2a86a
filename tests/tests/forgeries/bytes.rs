//! The byte string: nothing after it, and no point twice (protocol §7).

use std::panic::catch_unwind;

use group::GroupEncoding;
use zkmargin_circuits::{Malformed, Refusal, verify};
use zkmargin_tests::*;

use crate::{statements, verdict};

#[test]
fn proof_is_refused_when_anything_follows_it() {
    let program = scenarios();
    let (plan, account) = (Plan::of(&program), Account::of(&SOLVENT, 1));
    let claims = [account.claim(0, &program)];
    let proof = Forger::new(&SETUP, &plan, statements(1))
        .prove(&[account.honest_scene(&plan, &program)])
        .unwrap()
        .proof;
    for tail in [&[0][..], &[0; 32], &proof[..32], &proof] {
        let longer = [&proof[..], tail].concat();
        let refusal = Malformed::TrailingBytes {
            at: proof.len(),
            count: tail.len(),
        };
        assert_eq!(verdict(&claims, &longer), Err(refusal.into()));
        let lenient = Lenient {
            trailing: false,
            ..Lenient::default()
        };
        assert_eq!(
            lenient.verify(&SETUP, &claims, &longer),
            Verdict::Accepted,
            "another proof of the same"
        );
    }
}

#[test]
fn proof_is_refused_when_its_points_are_written_a_second_time() {
    let program = scenarios();
    let plan = Plan::of(&program);
    for count in 1..=3 {
        let accounts: Vec<Account> = (0..count).map(|index| Account::of(&SOLVENT, index as u64)).collect();
        let scenes: Vec<Scene<'_>> = accounts
            .iter()
            .map(|account| account.honest_scene(&plan, &program))
            .collect();
        let claims: Vec<_> = (0..count).map(|index| accounts[index].claim(index, &program)).collect();
        let mut forger = Forger::new(&SETUP, &plan, statements(count));
        let honest = forger.prove(&scenes).unwrap().proof;
        assert_eq!(verdict(&claims, &honest), Ok(()));
        forger.advice = Advice::Written;
        let proof = forger.prove(&scenes).unwrap().proof;
        assert_eq!(proof.len(), honest.len() + 32 * count * plan.acc_at());
        let lenient = Lenient {
            points: Points::Compared,
            ..Lenient::default()
        };
        assert_eq!(
            lenient.verify(&SETUP, &claims, &proof),
            Verdict::Accepted,
            "the old format"
        );
        // Points stand where scalars should; some are no scalars.
        let refusal = verify(&PARAMETERS, &claims, &proof).unwrap_err();
        assert!(
            matches!(refusal, Refusal::Malformed(Malformed::Scalar { .. })),
            "{refusal}"
        );
    }
}

#[test]
fn proof_of_a_bundle_is_refused_for_any_part_of_it() {
    let program = scenarios();
    let plan = Plan::of(&program);
    let accounts: Vec<Account> = (0..3).map(|index| Account::of(&SOLVENT, index)).collect();
    let scenes: Vec<Scene<'_>> = accounts
        .iter()
        .map(|account| account.honest_scene(&plan, &program))
        .collect();
    let claims: Vec<_> = (0..3).map(|index| accounts[index].claim(index, &program)).collect();
    let proof = Forger::new(&SETUP, &plan, statements(3)).prove(&scenes).unwrap().proof;
    assert_eq!(verdict(&claims, &proof), Ok(()));
    for part in [
        &claims[..1],
        &claims[..2],
        &claims[1..],
        &[claims[0], claims[2]],
        &[claims[1], claims[0], claims[2]],
    ] {
        let refusal = verify(&PARAMETERS, part, &proof).unwrap_err();
        // The digest of the bundle is absorbed first: everything after it is another proof's.
        assert!(matches!(refusal, Refusal::Link | Refusal::Malformed(_)), "{refusal}");
    }
}

/// Points that are repeated, negated or known, and scalars at the edges: what is read is an element, and the wrong one.
#[test]
fn proof_is_refused_without_a_panic_when_any_element_is_another_valid_one() {
    let program = scenarios();
    let (plan, account) = (Plan::of(&program), Account::of(&SOLVENT, 1));
    let claims = [account.claim(0, &program)];
    let proof = Forger::new(&SETUP, &plan, statements(1))
        .prove(&[account.honest_scene(&plan, &program)])
        .unwrap()
        .proof;
    let masked = plan.masked_at();
    let offsets = || {
        (0..masked.start)
            .step_by(32)
            .chain((masked.end..proof.len()).step_by(32))
    };
    let element = |at: usize| -> [u8; 32] { proof[at..at + 32].try_into().unwrap() };
    let mut one = [0; 32];
    one[0] = 1;
    let (first, generator) = (element(0), SETUP.w.to_bytes());
    for (at, next) in offsets().zip(offsets().cycle().skip(1)) {
        let own = element(at);
        let mut negated = own;
        negated[31] ^= 0x80;
        for other in [one, first, element(next), negated, generator]
            .into_iter()
            .filter(|other| *other != own)
        {
            let mut bad = proof.clone();
            bad[at..at + 32].copy_from_slice(&other);
            let outcome = catch_unwind(|| verify(&PARAMETERS, &claims, &bad));
            let refusal = outcome.expect("no panic").expect_err("the wrong element");
            let expected = if at < plan.link_at().end {
                Refusal::Link
            } else {
                Refusal::Circuit
            };
            assert!(
                refusal == expected || matches!(refusal, Refusal::Malformed(_)),
                "byte {at}: {refusal}"
            );
        }
    }
}

/// Every byte string of their length is one of masked projections: none is malformed, and none but one is right.
#[test]
fn proof_is_refused_when_a_masked_projection_is_another() {
    let program = scenarios();
    let (plan, account) = (Plan::of(&program), Account::of(&SOLVENT, 1));
    let claims = [account.claim(0, &program)];
    let proof = Forger::new(&SETUP, &plan, statements(1))
        .prove(&[account.honest_scene(&plan, &program)])
        .unwrap()
        .proof;
    let numbers: Vec<usize> = plan.masked_at().step_by(plan.masked_bytes()).collect();
    let count = numbers.len();
    assert_eq!(count, PROJECTIONS * plan.group);
    for (index, at) in numbers.into_iter().enumerate() {
        let own = at..at + plan.masked_bytes();
        let next = match index + 1 < count {
            true => own.end..own.end + plan.masked_bytes(),
            false => plan.masked_at().start..plan.masked_at().start + plan.masked_bytes(),
        };
        let mut swapped = proof.clone();
        swapped[own.clone()].copy_from_slice(&proof[next.clone()]);
        swapped[next].copy_from_slice(&proof[own.clone()]);
        let filled = [0, 0xff].map(|byte| {
            let mut bad = proof.clone();
            bad[own.clone()].fill(byte);
            bad
        });
        for bad in filled.into_iter().chain([swapped]) {
            assert_eq!(verdict(&claims, &bad), Err(Refusal::Link), "number {index}");
        }
    }
}
