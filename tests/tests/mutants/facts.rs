//! What a verifier holds: universe, snapshots, model, price history. Whatever of them differs, the statement is another one.

use std::collections::BTreeSet;
use std::sync::Arc;

use zkmargin_risk::canonical::Digest;
use zkmargin_risk::history::History;
use zkmargin_risk::market::Snapshot;
use zkmargin_risk::model::{Model, ModelError};
use zkmargin_risk::universe::Universe;
use zkmargin_tests::small::{HISTORICAL, SMALL, Small, VARIATION, key, now, signed};
use zkmargin_tests::tree::{Mutant, Tree};
use zkmargin_verifier::{Context, Statement, Verifier, VerifyError};

use crate::{Harmless, Tally, assert_all_are_harmless};

/// As a bundle is, and when venues and subjects sign again; `None` if there is no program.
type Verdicts = [Option<Result<(), VerifyError>>; 2];

/// The verdicts on a world's honest bundle under other facts.
fn verdicts(world: &Small, context: &Context<'_>) -> Verdicts {
    let check = |bytes: &[u8]| Verifier::new(*context).check_bundle(bytes, now()).map(drop);
    let mut statement: Statement = world.bundle.statements[0].statement.clone();
    for signed in &mut statement.attestations {
        let mut content = signed.content().clone();
        content.universe = context.universe.digest();
        content.k = context.universe.k();
        content.network = context.universe.network();
        let venue = content.venue.clone();
        *signed = content.sign(&key(&venue));
    }
    let again = signed(context, vec![statement], world.bundle.proof.clone());
    [
        Some(check(&world.bundle.to_bytes())),
        again.map(|bundle| check(&bundle.to_bytes())),
    ]
}

/// Goes through the mutants of a file; `read` gives a digest and the verdicts, or `None` where there is no such file.
fn all_are_refused(
    title: &str,
    file: &serde_json::Value,
    honest: Digest,
    read: impl Fn(&str) -> Option<(Digest, Verdicts)>,
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
        Some((universe.digest(), verdicts(&SMALL, &context)))
    };
    let why = "no carry and no reserve is what an asset has that does not say";
    let same = [Harmless {
        path: "/venues/*/lines/*/asset",
        how: "dropped",
        why,
    }];
    all_are_refused("universe", &SMALL.universe_file, SMALL.universe.digest(), read, &same);
}

/// Goes through the mutants of a snapshot of a world: of the later one, or of the first.
fn all_snapshots_are_refused(title: &str, world: &Small, file: &serde_json::Value, is_later: bool) {
    let read = |text: &str| {
        let snapshot = Snapshot::from_json(text).ok()?;
        let mut context = world.context();
        if is_later {
            context.later = Some(&snapshot);
        } else {
            context.snapshot = &snapshot;
        }
        Some((snapshot.digest(), verdicts(world, &context)))
    };
    let honest = Snapshot::from_json(&file.to_string()).unwrap().digest();
    let why = "nothing settled is what an expiry has that does not say";
    let same = [Harmless {
        path: "/underlyings/*/expiries/*",
        how: "dropped",
        why,
    }];
    all_are_refused(title, file, honest, read, &same);
}

#[test]
fn snapshot_changed_anywhere_is_another_one() {
    all_snapshots_are_refused("snapshot", &SMALL, &SMALL.snapshot_file, false);
}

#[test]
fn either_snapshot_of_a_variation_changed_anywhere_is_another_one() {
    let later = VARIATION.later_file.as_ref().unwrap();
    all_snapshots_are_refused(
        "first snapshot of a variation",
        &VARIATION,
        &VARIATION.snapshot_file,
        false,
    );
    all_snapshots_are_refused("later snapshot of a variation", &VARIATION, later, true);
}

#[test]
fn model_changed_anywhere_is_another_one() {
    let read = |text: &str| {
        let model = Model::from_json(text).ok()?;
        let context = Context {
            model: &model,
            ..SMALL.context()
        };
        Some((model.digest(), verdicts(&SMALL, &context)))
    };
    let why = "one of its figures is what a model has that does not say";
    let same = [Harmless {
        path: "/underlyings/*/volatility",
        how: "dropped",
        why,
    }];
    all_are_refused("model", &SMALL.model_file, SMALL.model.digest(), read, &same);
}

fn history() -> History {
    History::from_json(&HISTORICAL.history_file.as_ref().unwrap().to_string()).unwrap()
}

#[test]
fn model_that_reads_a_history_changed_anywhere_is_another_one() {
    let history = Arc::new(history());
    let read = |text: &str| {
        let model = Model::from_json(text).ok()?.with_history(history.clone()).ok()?;
        let context = Context {
            model: &model,
            ..HISTORICAL.context()
        };
        Some((model.digest(), verdicts(&HISTORICAL, &context)))
    };
    all_are_refused(
        "model with a history",
        &HISTORICAL.model_file,
        HISTORICAL.model.digest(),
        read,
        &[],
    );
}

/// The honest model takes no other history; a model that names the other one is another model.
#[test]
fn history_changed_anywhere_is_another_one() {
    let honest = history().digest();
    let model_of = |history: Digest| {
        let mut file = HISTORICAL.model_file.clone();
        file["history"] = serde_json::json!(history);
        Model::from_json(&file.to_string()).unwrap()
    };
    let read = |text: &str| {
        let history = Arc::new(History::from_json(text).ok()?);
        let digest = history.digest();
        let taken = model_of(honest).with_history(history.clone());
        let is_refused = matches!(taken, Err(ModelError::OtherHistory { .. }));
        assert_eq!(is_refused, digest != honest, "{text}");
        let Ok(model) = model_of(digest).with_history(history) else {
            return Some((digest, [None, None]));
        };
        let context = Context {
            model: &model,
            ..HISTORICAL.context()
        };
        Some((digest, verdicts(&HISTORICAL, &context)))
    };
    all_are_refused("history", HISTORICAL.history_file.as_ref().unwrap(), honest, read, &[]);
}
