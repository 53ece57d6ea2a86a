//! What travels: bundle, statement, attestation.

use zkmargin_tests::small::{SMALL, Small, key, now, public, signed};
use zkmargin_tests::tree::Tree;
use zkmargin_verifier::{Attestation, Bundle, Statement, Verifier, VerifyError};

use crate::{Tally, WORLDS};

/// Which check refused, without its figures.
fn kind(error: &VerifyError) -> String {
    let text = format!("{error:?}");
    let words: Vec<&str> = text
        .split(['(', ' ', '{', ')'])
        .filter(|word| !word.is_empty())
        .take(2)
        .collect();
    words.join(" ")
}

fn title(world: &Small) -> String {
    format!("bundle of {} margin", world.bundle.statements[0].statement.terms.margin)
}

#[test]
fn honest_bundle_is_accepted() {
    for world in WORLDS {
        world.verdict(&world.policy, &world.bundle.to_bytes()).unwrap();
        let statements = vec![world.bundle.statements[0].statement.clone()];
        let again = signed(&world.context(), statements, world.bundle.proof.clone());
        assert_eq!(again.unwrap(), world.bundle);
    }
}

#[test]
fn bundle_changed_anywhere_is_refused() {
    for world in WORLDS {
        every_change_is_refused(world);
    }
}

fn every_change_is_refused(world: &Small) {
    let mut tally = Tally::default();
    for mutant in Tree::of_cbor(&world.bundle.to_bytes()).mutants() {
        let refusal = world.verdict(&world.policy, &mutant.tree.to_cbor());
        let refusal = refusal.expect_err(&format!("{}: {}", mutant.path, mutant.how));
        tally.count(&kind(&refusal));
    }
    tally.show(&title(world));
    // The proof itself stands under the subjects' signatures.
    assert_eq!(tally.of("Proof"), 0);
    assert!(tally.total() > 400, "{}", tally.total());
}

#[test]
fn bundle_changed_anywhere_is_refused_when_its_subjects_sign_again() {
    for world in WORLDS {
        every_change_is_refused_when_subjects_sign_again(world);
    }
}

fn every_change_is_refused_when_subjects_sign_again(world: &Small) {
    let (mut tally, mut undone) = (Tally::default(), Vec::new());
    for mutant in Tree::of_cbor(&world.bundle.to_bytes()).mutants() {
        let Ok(bundle) = Bundle::from_bytes(&mutant.tree.to_cbor()) else {
            tally.count("no bundle");
            continue;
        };
        let statements = bundle.statements.into_iter().map(|signed| signed.statement).collect();
        let Some(again) = signed(&world.context(), statements, bundle.proof) else {
            tally.count("no program");
            continue;
        };
        if again == world.bundle {
            undone.push(mutant);
            continue;
        }
        // No policy: facts, signatures and the proof are left to refuse it.
        let refusal = Verifier::new(world.context()).check_bundle(&again.to_bytes(), now());
        let refusal = refusal.expect_err(&format!("{}: {}", mutant.path, mutant.how));
        tally.count(&kind(&refusal));
    }
    tally.show(&format!("{}, signed again", title(world)));
    // Signing again undoes what was done to the signatures and to nothing else.
    let of_signatures = |path: &str| path == "/3/0" || path.starts_with("/3/0/1");
    assert!(!undone.is_empty());
    for mutant in undone {
        assert!(
            of_signatures(&mutant.path.to_string()),
            "{}: {} is in no digest",
            mutant.path,
            mutant.how
        );
    }
    assert!(tally.of("Proof Link") > 15 && tally.of("Proof Malformed") > 1 && tally.of("Proof Circuit") > 0);
}

/// A venue attests something else than what was proven, and everybody signs again: facts and the proof are left.
#[test]
fn attestation_changed_anywhere_is_refused_when_venue_and_subjects_sign_again() {
    let mut tally = Tally::default();
    let honest = &SMALL.bundle.statements[0].statement;
    for (place, venue) in SMALL.universe.venues().iter().enumerate() {
        for mutant in Tree::of_cbor(honest.attestations[place].payload()).mutants() {
            let Ok(content) = Attestation::from_payload(&mutant.tree.to_cbor()) else {
                tally.count("no attestation");
                continue;
            };
            let mut statement: Statement = honest.clone();
            statement.attestations[place] = content.sign(&key(&venue.name));
            let Some(bundle) = signed(&SMALL.context(), vec![statement], SMALL.bundle.proof.clone()) else {
                tally.count("no program");
                continue;
            };
            let refusal = Verifier::new(SMALL.context()).check_bundle(&bundle.to_bytes(), now());
            let refusal = refusal.expect_err(&format!("{}: {}", mutant.path, mutant.how));
            tally.count(&kind(&refusal));
        }
    }
    tally.show("attestation, signed again");
    assert!(tally.of("Proof Link") > 10);
}

/// Two accounts of one holder in place of two holders' ones: the same proof is none of that.
#[test]
fn subject_in_place_of_another_is_refused() {
    let mut statement = SMALL.bundle.statements[0].statement.clone();
    let mut content = statement.attestations[1].content().clone();
    content.subject = public("trader");
    statement.attestations[1] = content.sign(&key("perps"));
    let bundle = signed(&SMALL.context(), vec![statement], SMALL.bundle.proof.clone()).unwrap();
    assert!(matches!(
        Verifier::new(SMALL.context()).check_bundle(&bundle.to_bytes(), now()),
        Err(VerifyError::Proof(_))
    ));
}
