//! Everything that travels, and everything that a verifier holds, changed in one place at a time: what is changed is found by walking the files
//! themselves, so that a field that a type gains is changed without anybody thinking of it.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod bundle;
mod complete;
mod facts;
mod policy;

use std::collections::BTreeMap;
use std::sync::LazyLock;

use zkmargin_tests::small::{HISTORICAL, SMALL, Small, VARIATION};
use zkmargin_tests::tree::Mutant;

/// A world with an honest bundle for every margin that can be proven.
static WORLDS: [&LazyLock<Small>; 3] = [&SMALL, &VARIATION, &HISTORICAL];

/// How often mutants ended in what way.
#[derive(Default)]
struct Tally(BTreeMap<String, usize>);

impl Tally {
    fn count(&mut self, how: &str) {
        *self.0.entry(how.to_owned()).or_default() += 1;
    }

    fn of(&self, how: &str) -> usize {
        self.0.get(how).copied().unwrap_or(0)
    }

    fn total(&self) -> usize {
        self.0.values().sum()
    }

    /// For `--nocapture`, and for the security page.
    fn show(&self, title: &str) {
        println!("{title}: {} mutants", self.total());
        self.0.iter().for_each(|(how, count)| println!("  {count:>6}  {how}"));
    }
}

/// A kind of mutant that is no attack, and why.
struct Harmless {
    /// Its path; a step `*` is any step, and a last step `**` anything below.
    path: &'static str,
    /// What was done, or anything if empty.
    how: &'static str,
    why: &'static str,
}

impl Harmless {
    fn covers(&self, mutant: &Mutant) -> bool {
        let path = mutant.path.to_string();
        let steps: Vec<&str> = path.split('/').collect();
        let (own, is_below) = match self.path.strip_suffix("/**") {
            Some(above) => (above, true),
            None => (self.path, false),
        };
        let own: Vec<&str> = own.split('/').collect();
        let is_as_long = own.len() == steps.len() || (is_below && own.len() < steps.len());
        let is_there = is_as_long && own.iter().zip(&steps).all(|(own, step)| *own == "*" || own == step);
        is_there && (self.how.is_empty() || self.how == mutant.how)
    }
}

/// Fails where mutants were accepted that no reason covers, and where a reason covers none: it is then out of date.
#[track_caller]
fn assert_all_are_harmless(accepted: &[Mutant], reasons: &[Harmless]) {
    let unexplained: Vec<String> = accepted
        .iter()
        .filter(|mutant| !reasons.iter().any(|reason| reason.covers(mutant)))
        .map(|mutant| format!("{}: {}", mutant.path, mutant.how))
        .collect();
    assert!(
        unexplained.is_empty(),
        "accepted without a reason:\n{}",
        unexplained.join("\n")
    );
    for reason in reasons {
        assert!(
            accepted.iter().any(|mutant| reason.covers(mutant)),
            "no mutant of {} ({}) is accepted any more, though {}",
            reason.path,
            reason.how,
            reason.why
        );
    }
}
