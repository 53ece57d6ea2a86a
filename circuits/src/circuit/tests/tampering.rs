//! Everything that the real circuit assigns, changed one thing at a time under a tampering floor planner.
//!
//! Advice is the prover's: every cell is changed, and everything of one honest witness is put into another; the honest circuit judges.
//! What it takes must be a cell that is multiplied by nothing, by a rule that says which those are, and how many.
//! Fixed cells and selectors are the verifier's, who builds the key: every mutant must have another key, and must take a false
//! witness that the honest circuit refuses.
//!
//! The long run asks the proof library instead of its mock prover:
//! `cargo test --release -p zkmargin-circuits --features prove -- --ignored tampering --nocapture`.

mod advice;
mod fixed;
mod planner;
mod proofs;
mod stage;

use halo2_proofs::plonk::{VerifyingKey, keygen_vk};
use pasta_curves::EqAffine;

use self::advice::{CHANGES, Change, Verdict, every_cell, every_splice, taken};
use self::planner::{Mutation, Tampered};
use self::proofs::Library;
use self::stage::{KINDS, Stage};
use super::*;
use crate::keys::verifying_key;
use crate::transcript::{Writer, challenge};

const GROUPS: [usize; 3] = [1, 2, 4];

fn parameters() -> Parameters {
    Parameters::load(K, None).unwrap()
}

/// What a transcript knows of a key: a challenge after the library has absorbed its description.
fn digest(key: &VerifyingKey<EqAffine>) -> Fp {
    let mut writer = Writer::new(&[]);
    key.hash_into(&mut writer).unwrap();
    challenge(&mut writer)
}

impl Stage {
    fn key(&self, parameters: &Parameters, mutation: &Mutation) -> VerifyingKey<EqAffine> {
        let circuit = Tampered(self.honest.circuit().without_witnesses());
        let key = || keygen_vk(parameters.params(), &circuit).unwrap();
        with_shape(self.shape(), || Tampered::under(mutation, key))
    }
}

#[test]
fn tampering_floor_planner_that_changes_nothing_is_the_real_one() {
    let parameters = parameters();
    for group in GROUPS {
        let stage = Stage::host(group);
        let nothing = Mutation::default();
        assert_eq!(stage.refused_by(&nothing), Vec::<String>::new());
        let real = verifying_key(&parameters, &stage.honest.placement).unwrap();
        let tampered = stage.key(&parameters, &nothing);
        assert_eq!(format!("{:?}", tampered.pinned()), format!("{:?}", real.pinned()));
        assert_eq!(digest(&tampered), digest(&real));
        // Everything that a circuit of this kind can have.
        let shape = stage.shape();
        let lengths: std::collections::BTreeSet<usize> = shape.runs().iter().map(|run| run.limbs).collect();
        assert!(shape.q_columns() > 1 && shape.square_columns() > 0 && shape.x_groups() > 1 && lengths.len() > 1);
        assert_eq!(shape.x_group(), group);
        for (name, donor) in Stage::donors(group) {
            assert_eq!(donor.refused_by(&nothing), Vec::<String>::new(), "{name}");
            assert_eq!(donor.shape(), shape, "{name}");
        }
    }
}

/// Changes every advice cell, and counts what is taken.
fn change_every_cell(stage: &Stage, judge: impl Fn(&Mutation) -> Vec<String>) {
    let group = stage.shape().x_group();
    let tally = every_cell(stage, &CHANGES, judge).0;
    let mut totals = [0; 3];
    for (kind, change) in KINDS.into_iter().flat_map(|kind| CHANGES.map(|change| (kind, change))) {
        let counts = [Verdict::Constraint, Verdict::Link, Verdict::Unread]
            .map(|verdict| tally.get(&(kind, change, verdict)).copied().unwrap_or(0));
        let [refused, linked, unread] = counts;
        println!(
            "g = {group}, {kind:?}, {change:?}: refused by a constraint {refused}, by the link {linked}, read by nothing {unread}"
        );
        assert_eq!(linked + unread, taken(stage, kind, change), "{change:?} of {kind:?}");
        totals.iter_mut().zip(counts).for_each(|(total, count)| *total += count);
    }
    let [refused, linked, unread] = totals;
    println!(
        "g = {group}: {} mutants of advice cells, refused by a constraint {refused}, by the link {linked}, read by nothing {unread}",
        refused + linked + unread
    );
    assert!(totals.iter().all(|count| *count > 0));
}

#[test]
fn every_advice_cell_that_is_changed_is_refused_or_multiplied_by_nothing() {
    for group in GROUPS {
        let stage = Stage::host(group);
        change_every_cell(&stage, |mutation| stage.refused_by(mutation));
    }
}

/// What the test above says if a check is missing: the multiplier of the first cell of a run.
#[test]
fn cell_that_a_missing_multiplier_frees_is_noticed() {
    let host = Stage::host(1);
    let cell = host.runs().into_iter().find(|cell| cell.limbs > 1).unwrap();
    // All numbers are zero, so that nothing else minds.
    let stage = Stage::on(host.program.clone(), host.without_variables().balanced());
    let without = |mutation: &Mutation| Mutation {
        fixed: [((stage.m(), cell.row), Fp::ZERO)].into(),
        ..mutation.clone()
    };
    assert_eq!(stage.refused_by(&without(&Mutation::default())), Vec::<String>::new());
    let change = || {
        every_cell(&stage, &[Change::OneMore], |mutation| {
            stage.refused_by(&without(mutation))
        })
    };
    let noticed = std::panic::catch_unwind(std::panic::AssertUnwindSafe(change)).unwrap_err();
    let said = noticed.downcast_ref::<String>().unwrap();
    let expected = format!("OneMore in row {} of Z 0: refused by []", cell.row + 1);
    assert!(said.contains(&expected), "{said}");
}

#[test]
fn nothing_of_another_honest_witness_can_be_spliced_in() {
    for group in GROUPS {
        let host = Stage::host(group);
        splice_everything(&host, |mutation| host.refused_by(mutation));
    }
}

fn splice_everything(host: &Stage, judge: impl Fn(&Mutation) -> Vec<String>) {
    let group = host.shape().x_group();
    for (name, donor) in Stage::donors(group) {
        let spliced = every_splice(host, &donor, &judge);
        println!("g = {group}, {name}: {spliced:?}");
        // All of another book is an honest witness, of what nobody attested.
        assert!(spliced.refused > 0 && spliced.by_link > 0);
    }
}

/// In the long run for every `g`.
#[test]
fn every_fixed_cell_and_selector_is_in_the_key_and_refuses_what_nothing_else_does() {
    let (stage, parameters) = (Stage::host(4), parameters());
    change_everything_fixed(&stage, &parameters, |mutation, columns| stage.judge(mutation, columns));
}

fn change_everything_fixed(stage: &Stage, parameters: &Parameters, judge: impl Fn(&Mutation, &Honest) -> Vec<String>) {
    let (mutants, same) = fixed::mutants(stage);
    let tally = fixed::every_mutant(stage, parameters, &mutants, judge);
    println!(
        "g = {}: {} mutants of fixed cells and selectors, {tally:?}; {same} zeros dropped, which is no change",
        stage.shape().x_group(),
        mutants.len()
    );
}

/// One mutant for each constraint: what its key proves, the honest key does not.
#[test]
fn proof_with_the_key_of_a_mutant_is_refused_by_the_honest_key() {
    let (stage, parameters) = (Stage::host(2), parameters());
    let honest = Library::new(&stage, &parameters, &Mutation::default());
    let (mutants, _) = fixed::mutants(&stage);
    for constraint in fixed::CONSTRAINTS {
        let (mutant, forged) = mutants
            .iter()
            .find_map(|mutant| Some((mutant, mutant.forged_for(constraint)?)))
            .unwrap();
        let library = Library::new(&stage, &parameters, &mutant.mutation);
        let proof = library.prove(&Mutation::default(), forged).unwrap();
        assert!(library.accepts(&proof, forged), "{}", mutant.name);
        assert!(!honest.accepts(&proof, forged), "{}", mutant.name);
        assert!(!honest.takes(&Mutation::default(), forged), "{}", mutant.name);
    }
}

/// Every mutant, with real proofs: about half an hour.
#[test]
#[ignore = "long"]
fn every_mutant_is_refused_by_the_proof_library() {
    let (parameters, nothing) = (parameters(), Mutation::default());
    for group in GROUPS {
        let stage = Stage::host(group);
        let honest = Library::new(&stage, &parameters, &nothing);
        let judge = |mutation: &Mutation| match honest.takes(mutation, &stage.honest) {
            true => Vec::new(),
            false => vec!["the proof library".to_owned()],
        };
        assert!(judge(&nothing).is_empty());
        change_every_cell(&stage, judge);
        splice_everything(&stage, judge);
        change_everything_fixed(&stage, &parameters, |mutation, columns| {
            let library = Library::new(&stage, &parameters, mutation);
            let said = stage.judge(mutation, columns);
            // What the mock prover takes, and nothing else, has a proof.
            assert_eq!(library.takes(&nothing, columns), said.is_empty());
            said
        });
    }
}
