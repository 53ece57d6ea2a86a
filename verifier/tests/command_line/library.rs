//! The library on proofs that are ones: many at once, and on many threads for as long as one likes.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant as Clock};

use super::*;
use zkmargin_circuits::Refusal;
use zkmargin_verifier::acceptance::PolicyRefusal;
use zkmargin_verifier::{Partner, Policy, Verifier, VerifyError};

/// A verifier's facts and three bundles, about an account each.
struct Desk {
    universe: Universe,
    snapshot: Snapshot,
    model: Model,
    parameters: Parameters,
    policy: Policy,
    bundles: Vec<Vec<u8>>,
}

impl Desk {
    fn new() -> Self {
        let folder = Folder::new();
        let policy = fs::read(folder.path("policy.json")).unwrap();
        Self {
            universe: folder.universe(),
            snapshot: folder.snapshot(),
            model: Model::preset("paradex-pm").unwrap(),
            parameters: Parameters::load(6, None).unwrap(),
            policy: Policy::from_json(&policy).unwrap(),
            bundles: ["a", "b", "c"].map(|account| folder.proven(account, None).0).to_vec(),
        }
    }

    fn verifier(&self) -> Verifier<'_> {
        Verifier::new(Context {
            universe: &self.universe,
            snapshot: &self.snapshot,
            later: None,
            model: &self.model,
            parameters: &self.parameters,
        })
    }

    fn partner(&self, nonce: u8) -> Partner<'_> {
        Partner::new(&self.policy, Some([nonce; 32])).unwrap()
    }

    /// A bundle whose proof was changed in its last element, and signed anew by its subject.
    fn false_proof(&self, place: usize) -> Vec<u8> {
        let mut bundle = Bundle::from_bytes(&self.bundles[place]).unwrap();
        let last = bundle.proof.len() - 32;
        bundle.proof[last] ^= 1;
        let digest = self.digest(&bundle);
        bundle.statements[0].signatures = vec![SubjectSignature::sign(&key(2), digest, ProofHash::of(&bundle.proof))];
        bundle.to_bytes()
    }

    fn digest(&self, bundle: &Bundle) -> Digest {
        let context = Context {
            universe: &self.universe,
            snapshot: &self.snapshot,
            later: None,
            model: &self.model,
            parameters: &self.parameters,
        };
        context.prepare(&[&bundle.statements[0].statement]).unwrap()[0].digest
    }
}

fn now() -> Instant {
    NOW.parse().unwrap()
}

#[test]
fn batch_has_the_verdicts_that_its_bundles_have_alone() {
    let desk = Desk::new();
    let verifier = desk.verifier();
    let (good, other_nonce) = (desk.partner(7), desk.partner(8));
    let bad = desk.false_proof(1);
    let batch = [
        (good, &desk.bundles[0][..]),
        (good, &bad[..]),
        (other_nonce, &desk.bundles[1][..]),
        (good, b"no bundle"),
        (good, &desk.bundles[2][..]),
    ];
    let together = verifier.verify_batch(&batch, now());
    assert_eq!(together.len(), batch.len());
    for ((partner, bundle), together) in batch.iter().zip(together) {
        match (verifier.verify(partner, bundle, now()), together) {
            (Ok(alone), Ok(together)) => assert_eq!(alone.statements[0].digest, together.statements[0].digest),
            (Err(alone), Err(together)) => assert_eq!(alone.to_string(), together.to_string()),
            (alone, together) => panic!("alone {alone:?}, together {together:?}"),
        }
    }
    assert!(verifier.verify_batch(&[], now()).is_empty());
}

#[test]
fn false_proof_spoils_no_other_of_its_batch() {
    let desk = Desk::new();
    let verifier = desk.verifier();
    for culprit in 0..3 {
        let bad = desk.false_proof(culprit);
        let batch: Vec<_> = (0..3)
            .map(|place| {
                if place == culprit {
                    &bad[..]
                } else {
                    &desk.bundles[place][..]
                }
            })
            .map(|bundle| (desk.partner(7), bundle))
            .collect();
        for (place, verdict) in verifier.verify_batch(&batch, now()).into_iter().enumerate() {
            match verdict {
                Ok(_) => assert_ne!(place, culprit),
                Err(VerifyError::Proof(Refusal::Circuit)) => assert_eq!(place, culprit),
                Err(error) => panic!("bundle {place}: {error}"),
            }
        }
    }
}

/// Resident memory of this process in KiB, where the system tells.
fn resident() -> Option<usize> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    line.trim().strip_suffix(" kB")?.trim().parse().ok()
}

/// For two seconds, or as many as `ZKMARGIN_LOAD_SECONDS` says.
#[test]
fn eight_threads_get_no_wrong_verdict_and_memory_stays_flat() {
    const THREADS: usize = 8;
    /// What threads may allocate for themselves, in KiB.
    const SLACK: usize = 8 << 10;
    /// What the tests of this process that run beside it may hold, unless it is run alone and long.
    const OTHERS: usize = 56 << 10;
    let seconds = std::env::var("ZKMARGIN_LOAD_SECONDS").ok();
    let slack = SLACK + if seconds.is_none() { OTHERS } else { 0 };
    let seconds = seconds.and_then(|text| text.parse().ok()).unwrap_or(2);
    let desk = Desk::new();
    let verifier = desk.verifier();
    let bad: Vec<Vec<u8>> = (0..3).map(|place| desk.false_proof(place)).collect();
    let verdicts = AtomicUsize::new(0);
    let run = |until: Clock| {
        std::thread::scope(|scope| {
            for thread in 0..THREADS {
                let (desk, verifier, bad, verdicts) = (&desk, &verifier, &bad, &verdicts);
                scope.spawn(move || {
                    let mut turn = thread;
                    while Clock::now() < until {
                        let place = turn % 3;
                        let (good, partner) = (&desk.bundles[place], desk.partner(7));
                        match turn % 5 {
                            0 | 1 => assert!(verifier.verify(&partner, good, now()).is_ok()),
                            2 => assert!(matches!(
                                verifier.verify(&partner, &bad[place], now()),
                                Err(VerifyError::Proof(Refusal::Circuit))
                            )),
                            3 => assert!(matches!(
                                verifier.verify(&desk.partner(9), good, now()),
                                Err(VerifyError::Policy(PolicyRefusal::Nonce { .. }))
                            )),
                            _ => {
                                let batch = [(partner, &good[..]), (partner, &bad[place][..])];
                                let both = verifier.verify_batch(&batch, now());
                                assert!(matches!(&both[..], [Ok(_), Err(VerifyError::Proof(Refusal::Circuit))]));
                            }
                        }
                        verdicts.fetch_add(1, Ordering::Relaxed);
                        turn += 1;
                    }
                });
            }
        });
    };
    run(Clock::now() + Duration::from_millis(500));
    let before = resident();
    run(Clock::now() + Duration::from_secs(seconds));
    let after = resident();
    eprintln!(
        "{} verdicts, {before:?} and {after:?} KiB",
        verdicts.load(Ordering::Relaxed)
    );
    assert!(verdicts.load(Ordering::Relaxed) > 5 * THREADS);
    if let (Some(before), Some(after)) = (before, after) {
        assert!(after <= before + slack, "{before} KiB, then {after}");
    }
}
