//! What a circuit breaker is shown, and what it makes of it.

use std::collections::BTreeSet;

use thiserror::Error;
use zkmargin_risk::canonical::Digest;
use zkmargin_risk::instant::Instant;
use zkmargin_risk::market::Snapshot;
use zkmargin_risk::universe::Network;

use crate::age::Age;
use crate::breaker::disagreement::disagreement;
use crate::breaker::known::Before;
use crate::breaker::measure::{Blind, Reading, measure};
use crate::breaker::{Breaker, Cause, Finding, Limits, Moment, Reference, Seen, Stance, known};
use crate::policy::{AcceptedSnapshots, Policy, PolicyFileError};
use crate::published::{PublisherRefusal, SnapshotSignature};
use crate::verify::exit;
use crate::words::{listed, network};

/// What is observed at one instant.
#[derive(Copy, Clone, Debug)]
pub struct Sight<'a> {
    /// Snapshots of one instant: one, or as many as publishers differ in.
    pub snapshots: &'a [Snapshot],
    /// Publishers' signatures on them.
    pub signatures: &'a [SnapshotSignature],
    /// The partner's own prices.
    pub reference: &'a Reference,
    /// By the partner's clock.
    pub at: Instant,
}

/// Why an observation is none. The breaker is then as it was before; if no better one comes, it refuses by its silence.
#[derive(Debug, Error)]
pub enum ObserveError {
    /// The policy has no breaker.
    #[error("the policy has no breaker: nothing says what to watch")]
    NoLimits,
    /// The journal is of another network.
    #[error("the breaker is of network {}, the policy is for {}", network(*found), network(*expected))]
    Network {
        /// The breaker's.
        found: Network,
        /// The policy's.
        expected: Network,
    },
    /// Nothing to observe, or several snapshots of which none is signed.
    #[error("{found} snapshots, expected {expected}")]
    Count {
        /// How many there are.
        found: usize,
        /// How many there may be.
        expected: &'static str,
    },
    /// Snapshots of several instants.
    #[error("one snapshot is of {first}, another of {second}: what is observed together is of one instant")]
    Instants {
        /// Of one.
        first: Instant,
        /// Of another.
        second: Instant,
    },
    /// A snapshot of an instant that has not come.
    #[error("the snapshot is of {instant}, which is after {at}")]
    Ahead {
        /// Its instant.
        instant: Instant,
        /// By the clock.
        at: Instant,
    },
    /// A snapshot from before the newest one that was observed, taken or not.
    #[error("the snapshot is of {found}, the last one observed of {last}: a breaker goes forward")]
    Rollback {
        /// Its instant.
        found: Instant,
        /// That of the last one.
        last: Instant,
    },
    /// A second snapshot of one instant, within the band.
    #[error("{instant} has the snapshot {last} already, this one is {found}")]
    SecondOfInstant {
        /// The instant.
        instant: Instant,
        /// The one that stands.
        last: Digest,
        /// The other.
        found: Digest,
    },
    /// A snapshot that is too old to be the market's.
    #[error("the snapshot is of {instant}, at {at} that is more than {most} ago")]
    Stale {
        /// Its instant.
        instant: Instant,
        /// By the clock.
        at: Instant,
        /// The most that is accepted.
        most: Age,
    },
    /// Reference prices of another time.
    #[error("the reference is of {reference}, the snapshot of {snapshot}: more than {most} apart")]
    StaleReference {
        /// Instant of the reference.
        reference: Instant,
        /// Instant of the snapshot.
        snapshot: Instant,
        /// The most that is accepted.
        most: Age,
    },
    /// The policy is none: it was not [read](Policy::from_json), or was changed since.
    #[error(transparent)]
    Policy(#[from] PolicyFileError),
    /// A snapshot that the policy does not list.
    #[error("snapshot {found} is not one of the policy's: {}", listed(accepted.iter()))]
    NotListed {
        /// Its digest.
        found: Digest,
        /// Those that the policy accepts.
        accepted: BTreeSet<Digest>,
    },
    /// Not published as the policy demands.
    #[error(transparent)]
    Publisher(#[from] PublisherRefusal),
}

impl ObserveError {
    /// The exit code that says what kind of error this is.
    pub fn exit_code(&self) -> u8 {
        match self {
            ObserveError::Policy(_)
            | ObserveError::NoLimits
            | ObserveError::Count { .. }
            | ObserveError::Instants { .. } => exit::USAGE,
            ObserveError::Publisher(refusal) => refusal.exit_code(),
            _ => exit::POLICY,
        }
    }
}

impl Breaker {
    /// A breaker by its first observation. Where there is one already this forgets it, and ends a halt: only where there has never been a
    /// [journal](crate::journal::Journal).
    ///
    /// # Errors
    /// [`ObserveError`].
    pub fn begin(policy: &Policy, sight: &Sight<'_>) -> Result<Breaker, ObserveError> {
        Breaker::after(None, policy, sight)
    }

    /// Observes: the breaker as it is afterwards.
    ///
    /// # Errors
    /// [`ObserveError`].
    pub fn observe(&self, policy: &Policy, sight: &Sight<'_>) -> Result<Breaker, ObserveError> {
        Breaker::after(Some(self), policy, sight)
    }

    fn after(before: Option<&Breaker>, policy: &Policy, sight: &Sight<'_>) -> Result<Breaker, ObserveError> {
        policy.check()?;
        let limits = policy.breaker.as_ref().ok_or(ObserveError::NoLimits)?;
        let (snapshots, at) = (sight.snapshots, sight.at);
        let first = snapshots.first().ok_or(ObserveError::Count {
            found: 0,
            expected: "at least one",
        })?;
        let now = Moment {
            at,
            market: first.instant,
        };
        check_instants(policy, limits, sight, now)?;
        let mut breaker = before.cloned().unwrap_or_else(|| Breaker::calm(policy.network, now));
        if breaker.network != policy.network {
            return Err(ObserveError::Network {
                found: breaker.network,
                expected: policy.network,
            });
        }
        let newest = breaker.observed.market;
        if newest > now.market {
            return Err(ObserveError::Rollback {
                found: now.market,
                last: newest,
            });
        }
        let published = published(policy, sight)?;
        let last = breaker.last.as_ref();
        // Another snapshot of the last one's instant is one more voice about that instant.
        let standing = last.filter(|last| last.instant == now.market);
        // What was observed leaves a snapshot of its instant, unless voices disagreed about it.
        let is_disputed = before.is_some() && newest == now.market && standing.is_none();
        let voices: Vec<&Snapshot> = snapshots.iter().chain(standing).collect();
        if let Some(cause) = worst_disagreement(limits, &voices) {
            let finding = Finding {
                entered: Stance::Halted,
                held: Stance::Halted,
                causes: vec![cause],
            };
            breaker.settle(finding, limits.dwell, limits.silence, now);
            return Ok(breaker);
        }
        let (digest, snapshot) = published?;
        if is_disputed {
            // One of the voices alone settles nothing: the other was heard as well. The halt is held, nothing is taken.
            let finding = Finding {
                entered: Stance::Normal,
                held: Stance::Halted,
                causes: Vec::new(),
            };
            breaker.settle(finding, limits.dwell, limits.silence, now);
            return Ok(breaker);
        }
        if let Some(standing) = standing.map(Snapshot::digest).filter(|standing| *standing != digest) {
            return Err(ObserveError::SecondOfInstant {
                instant: now.market,
                last: standing,
                found: digest,
            });
        }
        let known = last.map(|last| known::with(breaker.known.clone(), last));
        let last_and_known = last.zip(known.as_ref()).map(|(last, known)| Before { last, known });
        let finding = find(limits, last_and_known, snapshot, sight.reference);
        let oldest = policy.max_snapshot_age.millis();
        breaker
            .seen
            .retain(|seen| seen.snapshot != digest && now.market.millis_since(seen.instant) <= oldest);
        // A halt empties the list again.
        breaker.seen.push(Seen {
            snapshot: digest,
            instant: now.market,
        });
        breaker.settle(finding, limits.dwell, limits.silence, now);
        breaker.last = Some(snapshot.clone());
        if breaker.stance < Stance::Halted {
            // What is wild, and hidden before the halt ends, is not known: it is wild when it comes back.
            breaker.known = Some(known::with(breaker.known.take(), snapshot));
        }
        Ok(breaker)
    }
}

fn check_instants(policy: &Policy, limits: &Limits, sight: &Sight<'_>, now: Moment) -> Result<(), ObserveError> {
    let Moment { at, market } = now;
    if let Some(other) = sight.snapshots.iter().find(|other| other.instant != market) {
        return Err(ObserveError::Instants {
            first: market,
            second: other.instant,
        });
    }
    if market > at {
        return Err(ObserveError::Ahead { instant: market, at });
    }
    let most = policy.max_snapshot_age;
    if at.millis_since(market) > most.millis() {
        return Err(ObserveError::Stale {
            instant: market,
            at,
            most,
        });
    }
    let (reference, most) = (sight.reference.instant, limits.max_reference_age);
    if reference.millis_since(market).max(market.millis_since(reference)) > most.millis() {
        return Err(ObserveError::StaleReference {
            reference,
            snapshot: market,
            most,
        });
    }
    Ok(())
}

/// A snapshot that is published as a policy demands, or why none is.
type Published<'a> = Result<(Digest, &'a Snapshot), ObserveError>;

/// The one snapshot that is published as the policy demands. The outer error is of what is no observation at all; the inner one, that none
/// of them is published enough, is said only if they do not disagree.
fn published<'a>(policy: &Policy, sight: &Sight<'a>) -> Result<Published<'a>, ObserveError> {
    let AcceptedSnapshots::Signed(publishers) = &policy.snapshots else {
        let [snapshot] = sight.snapshots else {
            return Err(ObserveError::Count {
                found: sight.snapshots.len(),
                expected: "one, where no publishers sign",
            });
        };
        let found = snapshot.digest();
        return match &policy.snapshots {
            AcceptedSnapshots::Listed(accepted) if !accepted.contains(&found) => Err(ObserveError::NotListed {
                found,
                accepted: accepted.clone(),
            }),
            _ => Ok(Ok((found, snapshot))),
        };
    };
    let mut enough = Vec::new();
    let mut most = 0;
    let mut first = None;
    for snapshot in sight.snapshots {
        let signers = publishers.signers(policy.network, snapshot, sight.signatures, sight.at)?;
        let digest = snapshot.digest();
        if signers.is_empty() {
            return Err(PublisherRefusal::TooFew {
                snapshot: digest,
                found: 0,
                expected: publishers.signed_by,
            }
            .into());
        }
        most = most.max(signers.len());
        first = first.or(Some(digest));
        if signers.len() >= publishers.signed_by {
            enough.push((digest, snapshot));
        }
    }
    Ok(match (enough.as_slice(), first) {
        ([(digest, snapshot)], _) => Ok((*digest, *snapshot)),
        ([(last, snapshot), (found, _), ..], _) => Err(ObserveError::SecondOfInstant {
            instant: snapshot.instant,
            last: *last,
            found: *found,
        }),
        ([], first) => Err(PublisherRefusal::TooFew {
            snapshot: first.unwrap_or(Digest([0; 32])),
            found: most,
            expected: publishers.signed_by,
        }
        .into()),
    })
}

fn worst_disagreement(limits: &Limits, voices: &[&Snapshot]) -> Option<Cause> {
    let mut worst: Option<Cause> = None;
    for (place, first) in voices.iter().enumerate() {
        for second in voices.iter().skip(place + 1) {
            let (what, value) = disagreement(first, second);
            let is_worst = worst
                .as_ref()
                .is_none_or(|cause| matches!(cause, Cause::Disagreement { value: least, .. } if value > *least));
            if value > limits.publisher_band && is_worst {
                worst = Some(Cause::Disagreement {
                    snapshots: [first.digest(), second.digest()],
                    what,
                    value,
                    band: limits.publisher_band,
                });
            }
        }
    }
    worst
}

/// Most causes that are kept of a transition: of one snapshot there may be as many as it has assets.
const MAX_CAUSES: usize = 64;

/// What the limits say of a snapshot.
fn find(limits: &Limits, before: Option<Before<'_, Snapshot>>, snapshot: &Snapshot, reference: &Reference) -> Finding {
    let (readings, blind) = measure(limits, before, snapshot, reference);
    let mut finding = Finding {
        entered: Stance::Normal,
        held: Stance::Normal,
        causes: Vec::new(),
    };
    let mut causes: Vec<(Stance, Cause)> = Vec::new();
    for Reading {
        measure,
        of,
        price,
        value,
    } in readings
    {
        let Some(steps) = limits.steps(measure, of.as_deref()) else {
            continue;
        };
        let (entered, held) = steps.of(measure, value);
        finding.held = finding.held.max(held);
        finding.entered = finding.entered.max(entered);
        if entered > Stance::Normal {
            let threshold = steps.enter(entered);
            causes.push((
                entered,
                Cause::Measured {
                    measure,
                    of,
                    price,
                    value,
                    threshold,
                },
            ));
        }
    }
    for blind in blind {
        (finding.entered, finding.held) = (Stance::Halted, Stance::Halted);
        let cause = match blind {
            Blind::Unwatched(what) => Cause::Unwatched { what },
            Blind::Missing(what) => Cause::Missing { what },
        };
        causes.push((Stance::Halted, cause));
    }
    let worst = finding.entered;
    finding.causes = causes
        .into_iter()
        .filter(|(stance, _)| *stance == worst)
        .map(|(_, cause)| cause)
        .take(MAX_CAUSES)
        .collect();
    finding
}
