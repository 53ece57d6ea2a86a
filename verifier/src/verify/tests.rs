#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
use super::*;
use crate::acceptance::PolicyRefusal;
use crate::bundle::SubjectSignature;
use crate::fixture::{
    EPOCH, Item, attestation, good_statement, instant, key, now, parameters, point, public, snapshot, statement,
    universe,
};
use crate::keys::Keys;
use crate::policy::{AcceptedSnapshots, NonceRule};
use crate::published::Publishers;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, OnceLock};
use zkmargin_circuits::Malformed;
use zkmargin_risk::terms::{Level, Margin, Order, Ratio20};

/// The files of a verifier.
struct World {
    universe: Universe,
    snapshot: Snapshot,
    model: Model,
}

impl World {
    fn context(&self) -> Context<'_> {
        Context {
            universe: &self.universe,
            snapshot: &self.snapshot,
            later: None,
            model: &self.model,
            parameters: parameters(),
        }
    }
}

fn world() -> &'static World {
    static WORLD: OnceLock<World> = OnceLock::new();
    WORLD.get_or_init(|| World {
        universe: universe(),
        snapshot: snapshot(),
        model: Model::preset("paradex-pm").unwrap(),
    })
}

/// No proof: what gets as far as this is refused for it.
const NO_PROOF: &[u8] = b"no proof";

/// These statements, signed by their subjects as they should be, with a proof that is none.
fn bundle(statements: Vec<Statement>) -> Bundle {
    let references: Vec<&Statement> = statements.iter().collect();
    let prepared = world().context().prepare(&references).unwrap();
    let proof = ProofHash::of(NO_PROOF);
    let names: BTreeMap<PublicKey, &str> = ["subject", "a", "b"]
        .into_iter()
        .map(|name| (public(name), name))
        .collect();
    let signed = statements.into_iter().zip(prepared).map(|(statement, prepared)| {
        let sign = |subject: PublicKey| SubjectSignature::sign(&key(names[&subject]), prepared.digest, proof);
        let signatures = statement.subjects().into_iter().map(sign).collect();
        SignedStatement { statement, signatures }
    });
    Bundle {
        statements: signed.collect(),
        proof: NO_PROOF.to_vec(),
    }
}

fn good() -> Bundle {
    bundle(vec![good_statement()])
}

fn policy() -> Policy {
    let keys = |name: &str| (name.to_owned(), Keys::from([public(name)]));
    Policy {
        network: world().universe.network(),
        audience: public("audience"),
        books: BTreeSet::from([crate::fixture::book("line-1")]),
        universes: BTreeSet::from([world().universe.digest()]),
        venues: BTreeMap::from([keys("alpha"), keys("beta"), keys("gamma")]),
        required_venues: BTreeSet::new(),
        subject_groups: vec![BTreeSet::from([public("a"), public("b")])],
        all_accounts: false,
        held: false,
        hypothetical_orders: true,
        hypothetical_deposits: true,
        models: BTreeSet::from([world().model.digest()]),
        snapshots: AcceptedSnapshots::Listed(BTreeSet::from([world().snapshot.digest()])),
        level: Level::Initial.into(),
        ratio: Ratio20::ONE,
        excess: 0,
        max_snapshot_age: "10m".parse().unwrap(),
        max_validity: None,
        max_attestation_age: "10m".parse().unwrap(),
        nonce: NonceRule::Required,
        breaker: None,
        calls: None,
    }
}

fn verify(
    context: &Context<'_>,
    policy: &Policy,
    nonce: Option<[u8; 32]>,
    bytes: &[u8],
) -> Result<Verdict, VerifyError> {
    Verifier::new(*context).verify(&Partner::new(policy, nonce).unwrap(), bytes, now())
}

fn refusal_in(context: &Context<'_>, bytes: &[u8]) -> VerifyError {
    verify(context, &policy(), Some([3; 32]), bytes).unwrap_err()
}

fn refusal(bundle: &Bundle) -> VerifyError {
    refusal_in(&world().context(), &bundle.to_bytes())
}

/// Everything before the proof was accepted.
fn is_of_the_proof(error: &VerifyError) -> bool {
    matches!(
        error,
        VerifyError::Proof(Refusal::Malformed(Malformed::Truncated { .. }))
    )
}

#[test]
fn policy_that_its_reader_would_refuse_is_no_partners() {
    let empty = |policy: &mut Policy| {
        let publishers = Publishers {
            signed_by: 0,
            of: Keys::from([public("publisher")]),
        };
        policy.snapshots = AcceptedSnapshots::Signed(publishers);
    };
    let twice = |policy: &mut Policy| policy.subject_groups.push(BTreeSet::from([public("a"), public("c")]));
    let refused = |change: &dyn Fn(&mut Policy)| {
        let mut policy = policy();
        change(&mut policy);
        Partner::new(&policy, Some([3; 32])).unwrap_err()
    };
    assert!(matches!(
        refused(&empty),
        PolicyFileError::Publishers {
            signed_by: 0,
            publishers: 1
        }
    ));
    assert!(matches!(refused(&twice), PolicyFileError::SubjectInTwoGroups { subject } if subject == public("a")));
}

#[test]
fn snapshot_that_too_few_publishers_signed_is_accepted_by_no_verifier() {
    let publishers = Publishers {
        signed_by: 1,
        of: Keys::from([public("publisher")]),
    };
    let policy = Policy {
        snapshots: AcceptedSnapshots::Signed(publishers),
        ..policy()
    };
    let refused = |signatures: &[SnapshotSignature]| {
        let partner = Partner::new(&policy, Some([3; 32]))
            .unwrap()
            .with_signatures(signatures);
        let verified = Verifier::new(world().context()).verify(&partner, &good().to_bytes(), now());
        verified.unwrap_err()
    };
    assert!(matches!(
        refused(&[]),
        VerifyError::Publisher(PublisherRefusal::TooFew {
            found: 0,
            expected: 1,
            ..
        })
    ));
    let signed = SnapshotSignature::sign(&key("publisher"), policy.network, world().snapshot.digest());
    assert!(is_of_the_proof(&refused(&[signed])));
}

#[test]
fn every_bundle_of_a_batch_whose_proof_is_none_is_refused() {
    let policy = policy();
    let partner = Partner::new(&policy, Some([3; 32])).unwrap();
    let (bytes, unread) = (good().to_bytes(), b"no bundle".to_vec());
    let batch = [&bytes, &unread, &bytes].map(|bytes| (partner, &bytes[..]));
    let verdicts = Verifier::new(world().context()).verify_batch(&batch, now());
    let refusals: Vec<VerifyError> = verdicts.into_iter().map(Result::unwrap_err).collect();
    assert!(
        matches!(&refusals[..], [first, VerifyError::Bundle(_), last] if is_of_the_proof(first) && is_of_the_proof(last))
    );
}

#[test]
fn nonces_that_are_drawn_are_no_two_alike() {
    let drawn: BTreeSet<[u8; 32]> = (0..16).map(|_| draw_nonce().unwrap()).collect();
    assert_eq!(drawn.len(), 16);
}

#[cfg(feature = "registry")]
#[test]
fn registry_takes_nothing_by_another_partners_policy() {
    use zkmargin_risk::universe::Network;

    use crate::registry::{Registry, RegistryError};

    let folder = tempfile::tempdir().unwrap();
    let policy = Policy {
        calls: Some(crate::policy::Calls {
            notice: "1m".parse().unwrap(),
            grace: "1m".parse().unwrap(),
        }),
        ..policy()
    };
    let verifier = Verifier::new(world().context());
    let partner = Partner::new(&policy, Some([3; 32])).unwrap();
    let of = |name: &str, on, audience| {
        let path = folder.path().join(name);
        drop(Registry::create(path.to_str().unwrap(), on, audience).unwrap());
        let mut registry = Registry::open_any(path.to_str().unwrap()).unwrap();
        registry
            .accept(&partner, &verifier, &good().to_bytes(), now())
            .unwrap_err()
    };
    let (own, other) = (policy.network, public("another"));
    let elsewhere = if own == Network::Test {
        Network::Main
    } else {
        Network::Test
    };
    assert!(matches!(of("own", own, policy.audience), RegistryError::Verify(error) if is_of_the_proof(&error)));
    assert!(matches!(of("other", own, other), RegistryError::OtherPartner { .. }));
    assert!(matches!(
        of("network", elsewhere, policy.audience),
        RegistryError::OtherPartner { .. }
    ));
}

#[test]
fn good_bundle_is_refused_for_its_missing_proof_alone() {
    let error = refusal(&good());
    assert!(is_of_the_proof(&error), "{error}");
    assert_eq!(error.exit_code(), exit::PROOF);
    let two = bundle(vec![
        good_statement(),
        statement(vec![attestation("gamma", "three", |_| {})]),
    ]);
    assert!(is_of_the_proof(&refusal(&two)));
    let group = bundle(vec![statement(vec![
        attestation("alpha", "one", |a| a.subject = public("a")),
        attestation("beta", "two", |a| a.subject = public("b")),
    ])]);
    assert!(is_of_the_proof(&refusal(&group)));
}

#[test]
fn every_item_of_a_bundle_but_the_proof_is_refused_before_the_proof() {
    let mut ordered = good_statement();
    ordered.terms.order =
        Some(Order::parse("buy 1 alpha:BTC-28AUG26-70000-C @ 0.02 fee 0.0003", &world().universe).unwrap());
    ordered.replaces = Some(Digest([8; 32]));
    let file = Item::decode(&bundle(vec![ordered]).to_bytes());
    let mutants = file.mutants();
    assert!(mutants.len() > 50);
    for (path, mutant) in mutants {
        let error = refusal_in(&world().context(), &mutant.encode());
        assert!(
            !matches!(error, VerifyError::Proof(_)),
            "{path:?} is bound by nothing: {error}"
        );
    }
}

#[test]
fn proof_with_a_changed_byte_is_refused_by_the_subjects_signature() {
    let mut changed = good();
    changed.proof[0] ^= 1;
    let error = refusal(&changed);
    assert!(matches!(
        error,
        VerifyError::SubjectSignature {
            statement: 0,
            error: SignatureError::Wrong { .. }
        }
    ));
    assert_eq!(error.exit_code(), exit::PROOF);
}

#[test]
fn attestation_with_a_wrong_signature_is_refused() {
    let mut forged = good();
    let first = &forged.statements[0].statement.attestations[0];
    let mut signature = *first.signature();
    signature[0] ^= 1;
    let wrong = crate::SignedAttestation::from_parts(first.payload().to_vec(), first.key(), signature).unwrap();
    forged.statements[0].statement.attestations[0] = wrong;
    let error = refusal(&forged);
    assert!(
        matches!(&error, VerifyError::AttestationSignature { place, .. } if place.venue == "alpha"),
        "{error}"
    );
    assert_eq!(error.exit_code(), exit::PROOF);
}

#[test]
fn subject_that_did_not_sign_and_signer_that_is_no_subject_are_refused() {
    let refused = |change: fn(&mut Vec<SubjectSignature>)| {
        let mut bundle = good();
        change(&mut bundle.statements[0].signatures);
        let error = refusal(&bundle);
        assert_eq!(error.exit_code(), exit::PROOF);
        error
    };
    assert!(matches!(refused(Vec::clear), VerifyError::Signers { statement: 0, found, .. } if found.is_empty()));
    assert!(matches!(refused(|s| s.push(s[0].clone())), VerifyError::Signers { .. }));
    assert!(matches!(
        refused(|s| s[0].subject = public("a")),
        VerifyError::Signers { .. }
    ));
    assert!(matches!(
        refused(|s| s[0].signature[5] ^= 1),
        VerifyError::SubjectSignature { .. }
    ));
    let two = bundle(vec![statement(vec![
        attestation("alpha", "one", |a| a.subject = public("a")),
        attestation("beta", "two", |a| a.subject = public("b")),
    ])]);
    for change in [
        |s: &mut Vec<SubjectSignature>| s.truncate(1),
        |s: &mut Vec<SubjectSignature>| s.reverse(),
    ] {
        let mut bundle = two.clone();
        change(&mut bundle.statements[0].signatures);
        assert!(matches!(refusal(&bundle), VerifyError::Signers { .. }));
    }
}

#[test]
fn later_snapshot_of_an_instant_that_has_not_come_is_refused() {
    let refused = |later: Instant| {
        let mut snapshot = world().snapshot.clone();
        snapshot.instant = later;
        let context = Context {
            later: Some(&snapshot),
            ..world().context()
        };
        Verifier::new(context)
            .check_bundle(&good().to_bytes(), now())
            .unwrap_err()
    };
    let ahead = now().checked_add(1).unwrap();
    let error = refused(ahead);
    assert!(matches!(error, VerifyError::LaterAhead { instant, at } if (instant, at) == (ahead, now())));
    assert_eq!(error.exit_code(), exit::POLICY);
    let error = refused(now());
    assert!(!matches!(error, VerifyError::LaterAhead { .. }), "{error}");
}

#[test]
fn statement_signed_for_another_snapshot_model_or_universe_is_refused() {
    let bytes = good().to_bytes();
    let check = |universe: &Universe, snapshot: &Snapshot, model: &Model| {
        let context = Context {
            universe,
            snapshot,
            later: None,
            model,
            parameters: parameters(),
        };
        Verifier::new(context).check_bundle(&bytes, now()).unwrap_err()
    };
    let World {
        universe,
        snapshot,
        model,
    } = world();
    assert!(is_of_the_proof(&check(universe, snapshot, model)));
    let mut other = snapshot.clone();
    other.provenance.source.push('x');
    assert!(matches!(
        check(universe, &other, model),
        VerifyError::SubjectSignature { .. }
    ));
    let other = Model::preset("deribit-pm").unwrap();
    assert!(matches!(
        check(universe, snapshot, &other),
        VerifyError::SubjectSignature { .. }
    ));
    let mut file = universe.to_file();
    file.venues[2].lines.pop();
    let other = Universe::from_file(&file).unwrap();
    assert!(matches!(
        check(&other, snapshot, model),
        VerifyError::Facts(FactRefusal::Universe { .. })
    ));
}

#[test]
fn facts_come_before_policy_and_policy_before_signatures() {
    let mut bad = good();
    bad.statements[0].signatures.clear();
    let forged = |venue, account| {
        let signed = attestation(venue, account, |_| {});
        crate::SignedAttestation::from_parts(signed.payload().to_vec(), signed.key(), [0; 64]).unwrap()
    };
    bad.statements[0].statement.attestations = vec![forged("alpha", "one"), forged("beta", "two")];
    bad.statements[0].statement.nonce = [4; 32];
    bad.statements[0].statement.window.until = instant(EPOCH);
    let order = [
        (refusal(&bad), exit::POLICY),
        {
            bad.statements[0].statement.window = good_statement().window;
            (refusal(&bad), exit::POLICY)
        },
        {
            bad.statements[0].statement.nonce = [3; 32];
            (refusal(&bad), exit::PROOF)
        },
        {
            bad.statements[0].statement.attestations = good_statement().attestations;
            (refusal(&bad), exit::PROOF)
        },
    ];
    assert!(matches!(
        order[0].0,
        VerifyError::Facts(FactRefusal::EmptyWindow { .. })
    ));
    assert!(matches!(order[1].0, VerifyError::Policy(PolicyRefusal::Nonce { .. })));
    assert!(matches!(order[2].0, VerifyError::AttestationSignature { .. }));
    assert!(matches!(order[3].0, VerifyError::Signers { .. }));
    for (error, code) in &order {
        assert_eq!(error.exit_code(), *code, "{error}");
    }
}

#[test]
fn policy_free_check_needs_neither_nonce_nor_policy() {
    let error = Verifier::new(world().context())
        .check_bundle(&good().to_bytes(), now())
        .unwrap_err();
    assert!(is_of_the_proof(&error));
    let error = verify(&world().context(), &policy(), None, &good().to_bytes()).unwrap_err();
    assert!(matches!(error, VerifyError::Policy(PolicyRefusal::NonceNotGiven)));
    assert_eq!(error.exit_code(), exit::USAGE);
}

#[test]
fn bytes_that_do_not_decode_are_an_error_of_the_file_and_a_bad_point_one_of_the_proof() {
    assert_eq!(refusal_in(&world().context(), b"{}").exit_code(), exit::USAGE);
    assert_eq!(refusal_in(&world().context(), &[]).exit_code(), exit::USAGE);
    let mut trailing = good().to_bytes();
    trailing.push(0);
    assert_eq!(refusal_in(&world().context(), &trailing).exit_code(), exit::USAGE);
    // The identity in place of a commitment.
    let bytes = good().to_bytes();
    let at = bytes
        .windows(32)
        .position(|window| window == point(1).to_bytes())
        .unwrap();
    let identity = [&bytes[..at], &[0; 32], &bytes[at + 32..]].concat();
    assert_eq!(refusal_in(&world().context(), &identity).exit_code(), exit::PROOF);
}

#[test]
fn attested_points_stand_in_the_columns_of_their_own_venue() {
    let accounts =
        ["one", "two"].map(|account| attestation("beta", account, |a| a.points = vec![point(account.len() as u64)]));
    let statement = statement(vec![
        accounts[0].clone(),
        accounts[1].clone(),
        attestation("gamma", "three", |_| {}),
    ]);
    let prepared = world().context().prepare(&[&statement]).unwrap();
    let columns: Vec<usize> = prepared[0].attested.iter().map(Vec::len).collect();
    // Alpha has no account, beta two in its one column, gamma one in each of its two.
    assert_eq!(columns, [0, 2, 1, 1]);
    assert_eq!(prepared[0].attested[2..], [vec![point(1)], vec![point(2)]]);
    assert_eq!(prepared[0].claim().statement, prepared[0].digest.0);
}

#[test]
fn statements_of_the_same_terms_share_a_program_and_others_do_not() {
    let mut maintenance = good_statement();
    maintenance.terms.margin = Level::Maintenance.into();
    let prepared = world()
        .context()
        .prepare(&[&good_statement(), &good_statement(), &maintenance])
        .unwrap();
    assert!(Arc::ptr_eq(&prepared[0].program, &prepared[1].program));
    assert!(!Arc::ptr_eq(&prepared[0].program, &prepared[2].program));
    assert_eq!(prepared[0].digest, prepared[1].digest);
    assert_ne!(prepared[0].digest, prepared[2].digest);
}

#[test]
fn verdict_says_what_is_proven_and_what_is_not() {
    let mut statement = good_statement();
    statement.terms.order = Some(Order::parse("buy 1 alpha:BTC-28AUG26-70000-C @ 0.02", &world().universe).unwrap());
    let verdict = Verdict::new(&world().context(), &[&statement], &[Digest([1; 32])], now());
    let text = verdict.to_string();
    for part in [
        "VALID at 2026-08-06T12:01:00Z",
        "meet the initial requirement",
        "1.00 times over",
        "at least 0 USD",
        "buy 1 alpha:BTC-28AUG26-70000-C @ 0.02",
        "nothing   counted of the other venues: gamma",
        "NOT PROVEN",
        "prices of the snapshot are right",
        "TEST network",
    ] {
        assert!(text.contains(part), "{part:?} is not in\n{text}");
    }
    let json = serde_json::to_value(&verdict).unwrap();
    assert_eq!(json["statements"][0]["accounts"][1]["venue"], "beta");
    assert_eq!(json["at"], "2026-08-06T12:01:00Z");
}

#[test]
fn later_snapshot_is_in_the_verdict_of_statements_about_it_alone() {
    let context = Context {
        later: Some(&world().snapshot),
        ..world().context()
    };
    let (level, mut variation) = (good_statement(), good_statement());
    variation.terms.margin = Margin::Variation;
    let digests = [Digest([1; 32]), Digest([2; 32])];
    let alone = Verdict::new(&context, &[&level], &digests[..1], now());
    assert_eq!(alone.later, None);
    assert!(!alone.to_string().contains("and then"), "{alone}");
    let both = Verdict::new(&context, &[&level, &variation], &digests, now());
    let later = world().snapshot.digest();
    assert_eq!(both.later, Some((later, world().snapshot.instant)));
    assert_eq!(both.to_string().matches("and then").count(), 1, "{both}");
}
