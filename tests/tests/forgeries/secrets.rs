//! What an observer may not learn: from nonces, from blinds, from two proofs of one account (protocol §3, §5, §9).

use group::{Curve, Group};
use pasta_curves::Eq;
use zkmargin_circuits::{Blind, RunningCommitment, commit, prove, verify};
use zkmargin_tests::*;

use crate::{statements, verdict};

#[test]
fn nonces_out_of_the_replayed_draws_would_give_the_account_away_and_the_real_ones_do_not() {
    let program = single();
    let plan = Plan::of(&program);
    let account = Account::new(&SETUP, 1, &[(0, 70), (1, 3)], 1);
    let claims = [account.claim(0, &program)];
    let found = |proof: &[u8]| {
        let observer = Observer::read(&SETUP, &claims[0], proof);
        observer.unblinded_account() == observer.truth(&account.lots)
    };
    let mut forger = Forger::new(&SETUP, &plan, statements(1));
    let scene = account.honest_scene(&plan, &program);
    forger.nonces = Nonces::Replayed;
    let careless = forger.prove(std::slice::from_ref(&scene)).unwrap().proof;
    assert_eq!(
        verdict(&claims, &careless),
        Ok(()),
        "nothing is wrong with the proof itself"
    );
    assert!(
        found(&careless),
        "an observer has an evaluation of the account without any blinding"
    );

    forger.nonces = Nonces::Own;
    assert!(!found(&forger.prove(&[scene]).unwrap().proof));
    for _ in 0..3 {
        assert!(!found(&prove(&PARAMETERS, &claims, &[account.opening()]).unwrap()));
    }
}

#[test]
fn two_proofs_of_one_attestation_share_no_element() {
    for program in [scenarios(), norms()] {
        let account = Account::of(&SOLVENT, 1);
        let claims = [account.claim(0, &program)];
        let proofs = [(); 3].map(|()| prove(&PARAMETERS, &claims, &[account.opening()]).unwrap());
        let plan = Plan::of(&program);
        let parts = |proof| {
            let (before, rest) = <[u8]>::split_at(proof, plan.masked_at().start);
            let (numbers, after) = rest.split_at(plan.masked_at().len());
            (before.chunks(32).chain(after.chunks(32))).chain(numbers.chunks(plan.masked_bytes()))
        };
        let elements: Vec<&[u8]> = proofs.iter().flat_map(|proof| parts(proof)).collect();
        let mut distinct = elements.clone();
        distinct.sort_unstable();
        distinct.dedup();
        // Not even within one proof does an element stand twice.
        assert_eq!(distinct.len(), elements.len());
        assert!(proofs.iter().all(|proof| verify(&PARAMETERS, &claims, proof).is_ok()));
    }
}

/// The trade between two points with one blind, by trying every leg and every number of lots.
fn trade_between(before: &Eq, after: &Eq) -> Option<(usize, u64)> {
    let difference = (*after - *before).to_affine();
    (0..ROWS).find_map(|row| {
        let mut sum = Eq::identity();
        (1..=1000).find_map(|lots| {
            sum += SETUP.lagrange[row];
            (sum.to_affine() == difference).then_some((row, lots))
        })
    })
}

#[test]
fn one_blind_in_two_epochs_gives_the_trade_away_and_fresh_blinds_do_not() {
    let element = |point: &zkmargin_circuits::Point| Eq::from(decode(&point.to_bytes()));
    let (before, after): ([u64; 40], [u64; 40]) = ([5; 40], std::array::from_fn(|row| if row == 37 { 47 } else { 5 }));
    let blind = Blind::random().unwrap();
    let kept = [before, after].map(|rows| element(&commit(&PARAMETERS, &rows, &blind).unwrap()));
    assert_eq!(trade_between(&kept[0], &kept[1]), Some((37, 42)));

    let mut running = RunningCommitment::new(&PARAMETERS, &[&before]).unwrap();
    let (first, _) = running.blinded(&PARAMETERS).unwrap();
    running.apply(&PARAMETERS, 0, 37, 42).unwrap();
    let (second, blinds) = running.blinded(&PARAMETERS).unwrap();
    assert_eq!(second[0], commit(&PARAMETERS, &after, &blinds[0]).unwrap());
    assert_eq!(trade_between(&element(&first[0]), &element(&second[0])), None);
    // An account that has not changed is attested by other points, too, and the difference is no column's identity.
    let (third, _) = running.blinded(&PARAMETERS).unwrap();
    assert_ne!(second, third);
    assert_eq!(trade_between(&element(&second[0]), &element(&third[0])), None);
}

#[test]
fn columns_of_one_attestation_do_not_share_a_blind() {
    let running = RunningCommitment::new(&PARAMETERS, &[&[9, 9], &[9, 9], &[9, 8]]).unwrap();
    let (points, _) = running.blinded(&PARAMETERS).unwrap();
    let elements: Vec<Eq> = points.iter().map(|point| Eq::from(decode(&point.to_bytes()))).collect();
    assert_ne!(elements[0], elements[1], "columns that hold the same");
    assert_eq!(
        trade_between(&elements[2], &elements[1]),
        None,
        "columns that differ by one lot"
    );
}
