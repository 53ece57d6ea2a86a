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
    let element = |index: usize| -> [u8; 32] { proof[32 * index..32 * (index + 1)].try_into().unwrap() };
    let end_of_link = plan.acc_at() + plan.unusable() + 2;
    let mut one = [0; 32];
    one[0] = 1;
    let (first, generator) = (element(0), SETUP.w.to_bytes());
    for index in 0..proof.len() / 32 {
        let own = element(index);
        let mut negated = own;
        negated[31] ^= 0x80;
        let next = element((index + 1) % (proof.len() / 32));
        for other in [one, first, next, negated, generator]
            .into_iter()
            .filter(|other| *other != own)
        {
            let mut bad = proof.clone();
            bad[32 * index..32 * (index + 1)].copy_from_slice(&other);
            let outcome = catch_unwind(|| verify(&PARAMETERS, &claims, &bad));
            let refusal = outcome.expect("no panic").expect_err("the wrong element");
            let expected = if index < end_of_link {
                Refusal::Link
            } else {
                Refusal::Circuit
            };
            assert!(
                refusal == expected || matches!(refusal, Refusal::Malformed(_)),
                "element {index}: {refusal}"
            );
        }
    }
}
