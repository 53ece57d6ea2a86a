//! Whose snapshot it is: publishers sign the digest of a snapshot, and a policy says how many of which must have.
//!
//! The signed payload is the canonical CBOR array `[protocol version, network, snapshot digest]` under the DSSE payload type
//! [`SNAPSHOT_TYPE`]; a snapshot names no network, so that its signature has to. A signature *file* is the canonical CBOR array
//! `["zkmargin-snapshot-signature", 1, payload, key, signature]`.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use thiserror::Error;
use zkmargin_circuits::PROTOCOL_VERSION;
use zkmargin_risk::canonical::{CanonicalError, Digest, Reader, Writer};
use zkmargin_risk::instant::Instant;
use zkmargin_risk::market::Snapshot;
use zkmargin_risk::universe::Network;

use crate::attestation::{read_network, read_u32};
use crate::dsse::{self, PublicKey, SIGNATURE_BYTES, SNAPSHOT_TYPE, SignatureError, SigningKey};
use crate::envelope::{EnvelopeError, FileKind};
use crate::keys::{KeyRefusal, Keys};
use crate::verify::exit;
use crate::words::network;

/// Longest payload, in bytes.
const MAX_PAYLOAD_BYTES: usize = 64;
/// Elements of the payload's array.
const FIELDS: usize = 3;

/// A publisher's signature on a snapshot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SnapshotSignature {
    /// Version of the protocol.
    pub protocol: u32,
    /// The network that the snapshot was published for.
    pub network: Network,
    /// Digest of the snapshot.
    pub snapshot: Digest,
    /// Who is said to have signed.
    pub key: PublicKey,
    /// Over the payload, under [`SNAPSHOT_TYPE`].
    pub signature: [u8; SIGNATURE_BYTES],
}

/// Why bytes are no signature on a snapshot.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum SnapshotSignatureError {
    /// The file's envelope.
    #[error(transparent)]
    Envelope(#[from] EnvelopeError),
    /// A field that does not decode, or an encoding that is not the canonical one.
    #[error("snapshot signature: {0}")]
    Malformed(#[from] CanonicalError),
}

impl SnapshotSignature {
    /// Signs a snapshot for a network.
    pub fn sign(key: &SigningKey, network: Network, snapshot: Digest) -> SnapshotSignature {
        let payload = payload(PROTOCOL_VERSION, network, snapshot);
        SnapshotSignature {
            protocol: PROTOCOL_VERSION,
            network,
            snapshot,
            key: PublicKey::of(key),
            signature: dsse::sign(key, SNAPSHOT_TYPE, &payload),
        }
    }

    /// Verifies the signature; whose key it should be is the policy's business.
    ///
    /// # Errors
    /// [`SignatureError`].
    pub fn verify(&self) -> Result<(), SignatureError> {
        let payload = payload(self.protocol, self.network, self.snapshot);
        self.key.verify(SNAPSHOT_TYPE, &payload, &self.signature)
    }

    /// The bytes of a signature file.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut w = Writer::new();
        FileKind::SnapshotSignature.open(&mut w);
        w.bytes(&payload(self.protocol, self.network, self.snapshot));
        w.bytes(self.key.as_bytes());
        w.bytes(&self.signature);
        w.into_bytes()
    }

    /// Reads a signature file strictly; the signature is **not** verified.
    ///
    /// # Errors
    /// [`SnapshotSignatureError`].
    pub fn from_bytes(bytes: &[u8]) -> Result<SnapshotSignature, SnapshotSignatureError> {
        let mut file = FileKind::SnapshotSignature.reader(bytes)?;
        let mut r = Reader::new(file.bytes("payload", MAX_PAYLOAD_BYTES)?);
        r.array_of("payload", FIELDS)?;
        let protocol = read_u32(&mut r, "protocol version")?;
        let network = read_network(&mut r)?;
        let snapshot = Digest(r.byte_array("snapshot")?);
        r.finish()?;
        let (key, signature) = (PublicKey(file.byte_array("key")?), file.byte_array("signature")?);
        file.finish()?;
        let read = SnapshotSignature {
            protocol,
            network,
            snapshot,
            key,
            signature,
        };
        if read.to_bytes() != bytes {
            return Err(CanonicalError::NotCanonical.into());
        }
        Ok(read)
    }
}

fn payload(protocol: u32, network: Network, snapshot: Digest) -> Vec<u8> {
    let mut w = Writer::new();
    w.array(FIELDS);
    w.uint(u64::from(protocol));
    w.uint(network.code());
    w.bytes(&snapshot.0);
    w.into_bytes()
}

/// Of whom how many must have signed a snapshot.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Publishers {
    /// How many, at least 1.
    pub signed_by: usize,
    /// Of these. A key's time counts by the snapshot's instant, its revocation by that of verification.
    pub of: Keys,
}

/// Why a snapshot is not published as a policy demands.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum PublisherRefusal {
    /// Signed under another version of the protocol.
    #[error(
        "the signature of {key} on a snapshot is of protocol version {found}, this build verifies version {PROTOCOL_VERSION}"
    )]
    Protocol {
        /// Who signed.
        key: PublicKey,
        /// The version.
        found: u32,
    },
    /// Signed for another network.
    #[error("{key} signed snapshot {snapshot} for network {}, the policy is for {}", network(*found), network(*expected))]
    Network {
        /// Who signed.
        key: PublicKey,
        /// What.
        snapshot: Digest,
        /// The network it names.
        found: Network,
        /// The policy's.
        expected: Network,
    },
    /// Signed by somebody whose word the policy does not take.
    #[error("snapshot {snapshot} of {instant} is signed by {key}, whom the policy does not accept: {why}")]
    Publisher {
        /// What.
        snapshot: Digest,
        /// Its instant.
        instant: Instant,
        /// Who signed.
        key: PublicKey,
        /// Why not.
        why: KeyRefusal,
    },
    /// A signature that is none.
    #[error("snapshot {snapshot}: {error}")]
    Signature {
        /// What.
        snapshot: Digest,
        /// What is wrong.
        error: SignatureError,
    },
    /// Too few of them.
    #[error("snapshot {snapshot} is signed by {found} of the policy's publishers, it demands {expected}")]
    TooFew {
        /// What.
        snapshot: Digest,
        /// Distinct publishers that signed it.
        found: usize,
        /// How many must have.
        expected: usize,
    },
}

impl PublisherRefusal {
    /// The exit code that says what kind of refusal this is.
    pub(crate) const fn exit_code(&self) -> u8 {
        match self {
            PublisherRefusal::Signature { .. } => exit::PROOF,
            _ => exit::POLICY,
        }
    }
}

impl Publishers {
    /// Who of these publishers signed `snapshot`. Signatures on other snapshots are passed over; one on this that is not good is refused,
    /// even where the others would do: whoever collected it should know.
    ///
    /// # Errors
    /// [`PublisherRefusal`], but not that there are too few.
    pub fn signers(
        &self,
        expected: Network,
        snapshot: &Snapshot,
        signatures: &[SnapshotSignature],
        at: Instant,
    ) -> Result<BTreeSet<PublicKey>, PublisherRefusal> {
        let (digest, instant) = (snapshot.digest(), snapshot.instant);
        let mut signers = BTreeSet::new();
        for signed in signatures.iter().filter(|signed| signed.snapshot == digest) {
            let key = signed.key;
            if signed.protocol != PROTOCOL_VERSION {
                let found = signed.protocol;
                return Err(PublisherRefusal::Protocol { key, found });
            }
            if signed.network != expected {
                return Err(PublisherRefusal::Network {
                    key,
                    snapshot: digest,
                    found: signed.network,
                    expected,
                });
            }
            self.of
                .accept(key, instant, at)
                .map_err(|why| PublisherRefusal::Publisher {
                    snapshot: digest,
                    instant,
                    key,
                    why,
                })?;
            signed.verify().map_err(|error| PublisherRefusal::Signature {
                snapshot: digest,
                error,
            })?;
            signers.insert(key);
        }
        Ok(signers)
    }

    /// Whether enough of these publishers signed `snapshot`.
    ///
    /// # Errors
    /// [`PublisherRefusal`].
    pub(crate) fn accept(
        &self,
        network: Network,
        snapshot: &Snapshot,
        signatures: &[SnapshotSignature],
        at: Instant,
    ) -> Result<(), PublisherRefusal> {
        let found = self.signers(network, snapshot, signatures, at)?.len();
        if found < self.signed_by {
            return Err(PublisherRefusal::TooFew {
                snapshot: snapshot.digest(),
                found,
                expected: self.signed_by,
            });
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
    use super::*;
    use crate::fixture::{Item, instant, key, now, public, snapshot};
    use crate::keys::Validity;

    fn publishers(signed_by: usize) -> Publishers {
        Publishers {
            signed_by,
            of: Keys::from(["one", "two", "three"].map(public)),
        }
    }

    fn signed(name: &str) -> SnapshotSignature {
        SnapshotSignature::sign(&key(name), Network::Test, snapshot().digest())
    }

    fn accept(publishers: &Publishers, signatures: &[SnapshotSignature]) -> Result<(), PublisherRefusal> {
        publishers.accept(Network::Test, &snapshot(), signatures, now())
    }

    #[test]
    fn snapshot_is_accepted_from_k_publishers_on_and_one_counts_once() {
        let [one, two, three] = ["one", "two", "three"].map(signed);
        let answers = [
            vec![],
            vec![one.clone()],
            vec![one.clone(), one.clone()],
            vec![one.clone(), two.clone()],
            vec![one, two, three],
        ]
        .map(|signatures| accept(&publishers(2), &signatures));
        let too_few = |found| {
            Err(PublisherRefusal::TooFew {
                snapshot: snapshot().digest(),
                found,
                expected: 2,
            })
        };
        assert_eq!(answers, [too_few(0), too_few(1), too_few(1), Ok(()), Ok(())]);
    }

    #[test]
    fn signature_for_another_network_version_or_snapshot_does_not_count() {
        let other = SnapshotSignature::sign(&key("one"), Network::Main, snapshot().digest());
        assert!(matches!(
            accept(&publishers(1), &[other]),
            Err(PublisherRefusal::Network {
                found: Network::Main,
                expected: Network::Test,
                ..
            })
        ));
        let mut relabelled = SnapshotSignature::sign(&key("one"), Network::Main, snapshot().digest());
        relabelled.network = Network::Test;
        assert!(matches!(
            accept(&publishers(1), &[relabelled]),
            Err(PublisherRefusal::Signature {
                error: SignatureError::Wrong { .. },
                ..
            })
        ));
        let mut later = signed("one");
        later.protocol += 1;
        assert!(matches!(
            accept(&publishers(1), &[later]),
            Err(PublisherRefusal::Protocol { found, .. }) if found == PROTOCOL_VERSION + 1
        ));
        let elsewhere = SnapshotSignature::sign(&key("one"), Network::Test, Digest([9; 32]));
        assert!(matches!(
            accept(&publishers(1), &[elsewhere]),
            Err(PublisherRefusal::TooFew { found: 0, .. })
        ));
    }

    #[test]
    fn stranger_and_revoked_publisher_are_refused_by_name_even_beside_enough_others() {
        let stranger = [signed("one"), signed("two"), signed("stranger")];
        assert!(matches!(
            accept(&publishers(2), &stranger),
            Err(PublisherRefusal::Publisher { key, why: KeyRefusal::Unknown, .. }) if key == public("stranger")
        ));
        let revoked = Validity {
            revoked: Some(now()),
            ..Validity::default()
        };
        let of = Keys::new([(public("one"), revoked), (public("two"), Validity::default())]).unwrap();
        let publishers = Publishers { signed_by: 1, of };
        assert!(matches!(
            accept(&publishers, &[signed("two"), signed("one")]),
            Err(PublisherRefusal::Publisher {
                why: KeyRefusal::Revoked { .. },
                ..
            })
        ));
        assert_eq!(accept(&publishers, &[signed("two")]), Ok(()));
        let until = Validity {
            until: Some(instant("2026-08-06T11:59:59.999Z")),
            ..Validity::default()
        };
        let of = Keys::new([(public("one"), until)]).unwrap();
        assert!(matches!(
            accept(&Publishers { signed_by: 1, of }, &[signed("one")]),
            Err(PublisherRefusal::Publisher {
                why: KeyRefusal::NoLongerValid { .. },
                ..
            })
        ));
    }

    #[test]
    fn signature_file_round_trips_and_has_no_second_form() {
        let good = signed("one");
        let bytes = good.to_bytes();
        assert_eq!(SnapshotSignature::from_bytes(&bytes).unwrap(), good);
        for (path, mutant) in Item::decode(&bytes).mutants() {
            if let Ok(other) = SnapshotSignature::from_bytes(&mutant.encode()) {
                assert_ne!(other, good, "{path:?}");
                assert!(accept(&publishers(1), &[other]).is_err(), "{path:?}");
            }
        }
        for length in 0..bytes.len() {
            assert!(SnapshotSignature::from_bytes(&bytes[..length]).is_err());
        }
    }
}
