//! What a verifier holds: universe, snapshot, model. Whatever of them differs, the statement is another one.

use std::collections::BTreeSet;

use zkmargin_risk::canonical::Digest;
use zkmargin_risk::market::Snapshot;
use zkmargin_risk::model::Model;
use zkmargin_risk::universe::Universe;
use zkmargin_tests::small::{SMALL, key, now, signed};
use zkmargin_tests::tree::{Mutant, Tree};
use zkmargin_verifier::{Context, Statement, Verifier, VerifyError};

use crate::{Harmless, Tally, assert_all_are_harmless};

/// The verdict on the honest bundle under other facts, as it is and when venues and subjects sign again; `None` if there is no program.
fn verdicts(context: &Context<'_>) -> [Option<Result<(), VerifyError>>; 2] {
    let check = |bytes: &[u8]| Verifier::new(*context).check_bundle(bytes, now()).map(drop);
    let mut statement: Statement = SMALL.bundle.statements[0].statement.clone();
    for signed in &mut statement.attestations {
        let mut content = signed.content().clone();
        content.universe = context.universe.digest();
        content.k = context.universe.k();
        content.network = context.universe.network();
        let venue = content.venue.clone();
        *signed = content.sign(&key(&venue));
    }
    let again = signed(context, vec![statement], SMALL.bundle.proof.clone());
    [
        Some(check(&SMALL.bundle.to_bytes())),
        again.map(|bundle| check(&bundle.to_bytes())),
    ]
}

/// Goes through the mutants of a file; `read` gives a digest and the verdicts, or `None` where there is no such file.
fn all_are_refused(
    title: &str,
    file: &serde_json::Value,
    honest: Digest,
    read: impl Fn(&str) -> Option<(Digest, [Option<Result<(), VerifyError>>; 2])>,
    same: &[Harmless],
) {
    let (mut tally, mut digests) = (Tally::default(), BTreeSet::from([honest]));
    let mut unchanged: Vec<Mutant> = Vec::new();
    for mutant in Tree::of_json(file).mutants() {
        let place = || format!("{title}: {}: {}", mutant.path, mutant.how);
        let Some((digest, verdicts)) = read(&mutant.tree.to_json()) else {
            tally.count("refused by the reader");
            continue;
        };
        if digest == honest {
            // Another file for the same thing.
            tally.count("the same");
            unchanged.push(mutant);
            continue;
        }
        digests.insert(digest);
        for (who, verdict) in ["as it was", "signed again"].into_iter().zip(verdicts) {
            match verdict {
                None => tally.count("no program"),
                Some(verdict) => {
                    verdict.expect_err(&place());
                    tally.count(who);
                }
            }
        }
    }
    tally.show(title);
    assert!(digests.len() > 20, "{title}: {} others", digests.len() - 1);
    assert_all_are_harmless(&unchanged, same);
}

#[test]
fn universe_changed_anywhere_is_another_one() {
    let read = |text: &str| {
        let universe = Universe::from_json(text).ok()?;
        // A universe of another size has other parameters.
        if universe.k() != SMALL.universe.k() {
            return None;
        }
        let context = Context {
            universe: &universe,
            ..SMALL.context()
        };
        Some((universe.digest(), verdicts(&context)))
    };
    let why = "no carry and no reserve is what an asset has that does not say";
    let same = [Harmless {
        path: "/venues/*/lines/*/asset",
        how: "dropped",
        why,
    }];
    all_are_refused("universe", &SMALL.universe_file, SMALL.universe.digest(), read, &same);
}

#[test]
fn snapshot_changed_anywhere_is_another_one() {
    let read = |text: &str| {
        let snapshot = Snapshot::from_json(text).ok()?;
        let context = Context {
            snapshot: &snapshot,
            ..SMALL.context()
        };
        Some((snapshot.digest(), verdicts(&context)))
    };
    let why = "nothing settled is what an expiry has that does not say";
    let same = [Harmless {
        path: "/underlyings/*/expiries/*",
        how: "dropped",
        why,
    }];
    all_are_refused("snapshot", &SMALL.snapshot_file, SMALL.snapshot.digest(), read, &same);
}

#[test]
fn model_changed_anywhere_is_another_one() {
    let read = |text: &str| {
        let model = Model::from_json(text).ok()?;
        let context = Context {
            model: &model,
            ..SMALL.context()
        };
        Some((model.digest(), verdicts(&context)))
    };
    let why = "one of its figures is what a model has that does not say";
    let same = [Harmless {
        path: "/underlyings/*/volatility",
        how: "dropped",
        why,
    }];
    all_are_refused("model", &SMALL.model_file, SMALL.model.digest(), read, &same);
}
