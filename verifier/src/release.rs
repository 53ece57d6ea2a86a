//! What an audience signs to give an account back before its attestation expires (protocol §8, *encumbrance*).
//!
//! The signed payload is the canonical CBOR array
//!
//! ```text
//! [protocol version, network, venue, account pseudonym, audience, book, attestation digest, time]
//! ```
//!
//! under the DSSE payload type [`RELEASE_TYPE`], signed with the audience's own key, which is in the payload. From `time` on the audience
//! accepts no statement about the account that rests on this attestation or an earlier one: its
//! registry (cargo feature `registry`, `Registry::release`) sees to it.
//!
//! A release *file* is the canonical CBOR array `["zkmargin-release", 1, payload, signature]`.

use thiserror::Error;
use zkmargin_risk::canonical::{CanonicalError, Digest, Reader, Writer};
use zkmargin_risk::instant::Instant;
use zkmargin_risk::universe::{MAX_NAME_BYTES, Network};

use crate::attestation::{Pseudonym, SignedAttestation, read_instant, read_network, read_u32};
use crate::book::Book;
use crate::dsse::{self, PublicKey, RELEASE_TYPE, SIGNATURE_BYTES, SignatureError, SigningKey};
use crate::envelope::{EnvelopeError, FileKind};

/// Elements of the payload's array.
const FIELDS: usize = 8;
/// Longest payload, in bytes.
const MAX_PAYLOAD_BYTES: usize = 1 << 10;

/// The content of a release, in the order in which it is signed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Release {
    /// Version of the protocol.
    pub protocol: u32,
    /// Network: `main` or `test`.
    pub network: Network,
    /// The venue that attested the account.
    pub venue: String,
    /// The account, as the venue names it to this audience.
    pub account: Pseudonym,
    /// Who releases, and signs.
    pub audience: PublicKey,
    /// The audience's credit line that the account supported.
    pub book: Book,
    /// The attestation that is given back: the last one of the account to this audience.
    pub attestation: Digest,
    /// From when on.
    pub time: Instant,
}

/// Why bytes are no release.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum ReleaseError {
    /// The file's envelope.
    #[error(transparent)]
    Envelope(#[from] EnvelopeError),
    /// A field that does not decode, or an encoding that is not the canonical one.
    #[error("release: {0}")]
    Malformed(#[from] CanonicalError),
    /// The key is not that of whom the attestation was made for.
    #[error("the key {key} is not that of the attestation's audience {audience}")]
    NotTheAudience {
        /// The key that would sign.
        key: PublicKey,
        /// Whom the attestation was made for.
        audience: PublicKey,
    },
    /// A release of what is not yet signed.
    #[error("the release at {time} is before the time {attested} of the attestation")]
    Early {
        /// When it would be released.
        time: Instant,
        /// When it was attested.
        attested: Instant,
    },
}

impl Release {
    /// The release of an attestation at `time`.
    ///
    /// # Errors
    /// [`ReleaseError::Early`].
    pub fn of(attestation: &SignedAttestation, time: Instant) -> Result<Release, ReleaseError> {
        let content = attestation.content();
        if time < content.time {
            let attested = content.time;
            return Err(ReleaseError::Early { time, attested });
        }
        Ok(Release {
            protocol: content.protocol,
            network: content.network,
            venue: content.venue.clone(),
            account: content.account,
            audience: content.audience,
            book: content.book.clone(),
            attestation: attestation.digest(),
            time,
        })
    }

    /// The canonical payload that is signed.
    pub fn to_payload(&self) -> Vec<u8> {
        // Taken apart by name: a field that is added and not written does not compile.
        let Release {
            protocol,
            network,
            venue,
            account,
            audience,
            book,
            attestation,
            time,
        } = self;
        let mut w = Writer::new();
        w.array(FIELDS);
        w.uint(u64::from(*protocol));
        w.uint(network.code());
        w.text(venue);
        w.bytes(&account.0);
        w.bytes(audience.as_bytes());
        book.write(&mut w);
        w.bytes(&attestation.0);
        w.uint(time.millis());
        w.into_bytes()
    }

    /// Reads a payload strictly: decode, encode again, compare.
    ///
    /// # Errors
    /// [`ReleaseError::Malformed`].
    pub fn from_payload(payload: &[u8]) -> Result<Release, ReleaseError> {
        let mut r = Reader::new(payload);
        r.array_of("payload", FIELDS)?;
        let release = Release {
            protocol: read_u32(&mut r, "protocol version")?,
            network: read_network(&mut r)?,
            venue: r.text("venue", MAX_NAME_BYTES)?.to_owned(),
            account: Pseudonym(r.byte_array("account")?),
            audience: PublicKey(r.byte_array("audience")?),
            book: Book::read(&mut r)?,
            attestation: Digest(r.byte_array("attestation")?),
            time: read_instant(&mut r, "time")?,
        };
        r.finish()?;
        if release.to_payload() != payload {
            return Err(CanonicalError::NotCanonical.into());
        }
        Ok(release)
    }

    /// Signs the release with the audience's key.
    ///
    /// # Errors
    /// [`ReleaseError::NotTheAudience`].
    pub fn sign(self, key: &SigningKey) -> Result<SignedRelease, ReleaseError> {
        let signer = PublicKey::of(key);
        if signer != self.audience {
            return Err(ReleaseError::NotTheAudience {
                key: signer,
                audience: self.audience,
            });
        }
        let payload = self.to_payload();
        let signature = dsse::sign(key, RELEASE_TYPE, &payload);
        Ok(SignedRelease {
            content: self,
            payload,
            signature,
        })
    }
}

/// A release with its complete signed bytes and the signature.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignedRelease {
    content: Release,
    payload: Vec<u8>,
    signature: [u8; SIGNATURE_BYTES],
}

impl SignedRelease {
    /// What was signed.
    pub fn content(&self) -> &Release {
        &self.content
    }

    /// Verifies that the audience named in the release signed it.
    ///
    /// # Errors
    /// [`SignatureError`].
    pub fn verify(&self) -> Result<(), SignatureError> {
        self.content
            .audience
            .verify(RELEASE_TYPE, &self.payload, &self.signature)
    }

    /// The bytes of a release file.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut w = Writer::new();
        FileKind::Release.open(&mut w);
        w.bytes(&self.payload);
        w.bytes(&self.signature);
        w.into_bytes()
    }

    /// Reads a release file strictly; the signature is **not** verified.
    ///
    /// # Errors
    /// [`ReleaseError`].
    pub fn from_bytes(bytes: &[u8]) -> Result<SignedRelease, ReleaseError> {
        let mut r = FileKind::Release.reader(bytes)?;
        let payload = r.bytes("payload", MAX_PAYLOAD_BYTES)?.to_vec();
        let signature = r.byte_array("signature")?;
        r.finish()?;
        let release = SignedRelease {
            content: Release::from_payload(&payload)?,
            payload,
            signature,
        };
        if release.to_bytes() != bytes {
            return Err(CanonicalError::NotCanonical.into());
        }
        Ok(release)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
    use super::*;
    use crate::fixture::attestation;

    fn audience() -> SigningKey {
        SigningKey::from_bytes(&[9; 32])
    }

    fn signed() -> (SignedAttestation, SignedRelease) {
        let attested = attestation("gamma", "account", |a| a.audience = PublicKey::of(&audience()));
        let release = Release::of(&attested, attested.content().time).unwrap();
        let signed = release.sign(&audience()).unwrap();
        (attested, signed)
    }

    #[test]
    fn release_file_round_trips_and_names_its_attestation() {
        let (attested, signed) = signed();
        let read = SignedRelease::from_bytes(&signed.to_bytes()).unwrap();
        assert_eq!(read, signed);
        assert_eq!(read.verify(), Ok(()));
        assert_eq!(read.content().attestation, attested.digest());
    }

    #[test]
    fn release_with_any_byte_changed_does_not_verify() {
        let (_, signed) = signed();
        let bytes = signed.to_bytes();
        for index in 0..bytes.len() {
            let mut changed = bytes.clone();
            changed[index] ^= 1;
            let read = SignedRelease::from_bytes(&changed);
            assert!(read.is_err() || read.unwrap().verify().is_err(), "byte {index}");
        }
        for wrong in [&bytes[..bytes.len() - 1], &[&bytes[..], &[0]].concat()] {
            assert!(SignedRelease::from_bytes(wrong).is_err());
        }
    }

    #[test]
    fn only_the_audience_can_sign_and_not_before_the_attestation() {
        let (attested, signed) = signed();
        let other = SigningKey::from_bytes(&[8; 32]);
        assert!(matches!(
            signed.content().clone().sign(&other),
            Err(ReleaseError::NotTheAudience { .. })
        ));
        let early = Instant::from_millis(attested.content().time.millis() - 1).unwrap();
        assert!(matches!(Release::of(&attested, early), Err(ReleaseError::Early { .. })));
    }

    #[test]
    fn attestations_that_differ_in_anything_have_different_digests() {
        let (attested, _) = signed();
        let other = attestation("gamma", "account", |a| {
            a.audience = PublicKey::of(&audience());
            a.held = !a.held;
        });
        assert_ne!(attested.digest(), other.digest());
    }
}
