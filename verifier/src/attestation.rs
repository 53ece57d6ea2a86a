//! What a venue signs: the commitment to one account, and what it is good for (protocol §8).
//!
//! The signed payload is the canonical CBOR array
//!
//! ```text
//! [protocol version, network, universe, k, venue, subject, account pseudonym, accounts of the subject here,
//!  epoch, time, expiry, audience, book, held, [C_0, C_1, …]]
//! ```
//!
//! under the DSSE payload type [`ATTESTATION_TYPE`]. Reading is strict: a payload that is not the canonical encoding of
//! its content, and a point that is the identity, off the curve or not in canonical form, are refused here, before anybody asks
//! what the attestation says.
//!
//! An attestation *file* is the canonical CBOR array `["zkmargin-attestation", 1, payload, key, signature]`.

use std::fmt;

use thiserror::Error;
use zeroize::{Zeroize, ZeroizeOnDrop};
use zkmargin_circuits::{Point, PointError};
use zkmargin_risk::canonical::{CanonicalError, Digest, Personal, Reader, Writer, digest};
use zkmargin_risk::instant::Instant;
use zkmargin_risk::universe::{MAX_COLUMNS, MAX_NAME_BYTES, Network};

use crate::book::Book;
use crate::dsse::{self, ATTESTATION_TYPE, PublicKey, SIGNATURE_BYTES, SignatureError, SigningKey};
use crate::envelope::{EnvelopeError, FileKind};

/// Longest payload, in bytes; a point for each of [`MAX_COLUMNS`] columns with everything else at its longest fit.
pub const MAX_PAYLOAD_BYTES: usize = 1 << 14;

/// Elements of the payload's array.
const FIELDS: usize = 15;

/// An account, as its venue names it to one audience: the same for one (account, audience) through every epoch, key and
/// blind, and unlinkable between audiences.
#[derive(Copy, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Pseudonym(pub [u8; 32]);

/// A venue's secret behind its pseudonyms. It is not the signing key and survives the key's rotation. Overwritten when dropped.
#[derive(Clone, Zeroize, ZeroizeOnDrop)]
pub struct PseudonymSecret([u8; 32]);

impl PseudonymSecret {
    /// The secret with these bytes, which must have been drawn uniformly.
    pub fn from_bytes(bytes: [u8; 32]) -> PseudonymSecret {
        PseudonymSecret(bytes)
    }

    /// The secret bytes.
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// BLAKE2b-256, keyed with this secret and personalised `zkmargin-pseu-v1`, of the CBOR array `[account, audience]`.
    pub fn pseudonym(&self, account: &str, audience: &PublicKey) -> Pseudonym {
        let mut writer = Writer::new();
        writer.array(2);
        writer.text(account);
        writer.bytes(audience.as_bytes());
        let hash = blake2b_simd::Params::new()
            .hash_length(32)
            .key(&self.0)
            .personal(Personal::Pseudonym.bytes())
            .hash(&writer.into_bytes());
        let mut pseudonym = [0; 32];
        pseudonym.copy_from_slice(hash.as_bytes());
        Pseudonym(pseudonym)
    }
}

/// The content of an attestation, in the order in which it is signed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attestation {
    /// Version of the protocol.
    pub protocol: u32,
    /// Network: `main` or `test`.
    pub network: Network,
    /// Digest of the universe whose columns the points belong to.
    pub universe: Digest,
    /// `k` of that universe: the same point opens under generators of another `k` too.
    pub k: u32,
    /// Name of the venue in the universe.
    pub venue: String,
    /// Key that the holder registered with the venue under its legal identity.
    pub subject: PublicKey,
    /// The account, as the venue names it to this audience.
    pub account: Pseudonym,
    /// How many accounts the subject has at this venue.
    pub accounts: u32,
    /// The instant at which the account held what is committed.
    pub epoch: Instant,
    /// When the venue signed.
    pub time: Instant,
    /// The last instant at which the attestation is good.
    pub expiry: Instant,
    /// Whom it is made for.
    pub audience: PublicKey,
    /// The audience's credit line that it supports.
    pub book: Book,
    /// Whether the venue holds withdrawals from the account until the attestation ends.
    pub held: bool,
    /// `C_c`, one commitment for each of the venue's columns.
    pub points: Vec<Point>,
}

/// Why bytes are no attestation.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum AttestationError {
    /// The file's envelope.
    #[error(transparent)]
    Envelope(#[from] EnvelopeError),
    /// A field that does not decode, or an encoding that is not the canonical one.
    #[error("attestation: {0}")]
    Malformed(#[from] CanonicalError),
    /// A commitment that is none.
    #[error("attestation of venue {venue:?}: commitment of its column {column}: {error}")]
    Point {
        /// The venue it names.
        venue: String,
        /// Column, counted from the venue's first.
        column: usize,
        /// What is wrong with the point.
        error: PointError,
    },
}

impl Attestation {
    /// The canonical payload that is signed.
    pub fn to_payload(&self) -> Vec<u8> {
        // Taken apart by name: a field that is added and not written does not compile.
        let Attestation {
            protocol,
            network,
            universe,
            k,
            venue,
            subject,
            account,
            accounts,
            epoch,
            time,
            expiry,
            audience,
            book,
            held,
            points,
        } = self;
        let mut w = Writer::new();
        w.array(FIELDS);
        w.uint(u64::from(*protocol));
        w.uint(network.code());
        w.bytes(&universe.0);
        w.uint(u64::from(*k));
        w.text(venue);
        w.bytes(subject.as_bytes());
        w.bytes(&account.0);
        w.uint(u64::from(*accounts));
        w.uint(epoch.millis());
        w.uint(time.millis());
        w.uint(expiry.millis());
        w.bytes(audience.as_bytes());
        book.write(&mut w);
        w.flag(*held);
        w.list(points.iter(), |w, point| w.bytes(&point.to_bytes()));
        w.into_bytes()
    }

    /// Reads a payload strictly: decode, encode again, compare.
    ///
    /// # Errors
    /// [`AttestationError`].
    pub fn from_payload(payload: &[u8]) -> Result<Attestation, AttestationError> {
        let mut r = Reader::new(payload);
        r.array_of("payload", FIELDS)?;
        let protocol = read_u32(&mut r, "protocol version")?;
        let network = read_network(&mut r)?;
        let universe = Digest(r.byte_array("universe")?);
        let k = read_u32(&mut r, "k")?;
        let venue = r.text("venue", MAX_NAME_BYTES)?.to_owned();
        let subject = PublicKey(r.byte_array("subject")?);
        let account = Pseudonym(r.byte_array("account")?);
        let accounts = read_u32(&mut r, "accounts of the subject")?;
        let epoch = read_instant(&mut r, "epoch")?;
        let time = read_instant(&mut r, "time")?;
        let expiry = read_instant(&mut r, "expiry")?;
        let audience = PublicKey(r.byte_array("audience")?);
        let book = Book::read(&mut r)?;
        let held = r.flag("held")?;
        let mut points = Vec::new();
        for column in 0..r.array("commitments", MAX_COLUMNS)? {
            let bytes: [u8; 32] = r.byte_array("commitment")?;
            let point = Point::from_bytes(&bytes);
            points.push(point.map_err(|error| AttestationError::Point {
                venue: venue.clone(),
                column,
                error,
            })?);
        }
        r.finish()?;
        let attestation = Attestation {
            protocol,
            network,
            universe,
            k,
            venue,
            subject,
            account,
            accounts,
            epoch,
            time,
            expiry,
            audience,
            book,
            held,
            points,
        };
        if attestation.to_payload() != payload {
            return Err(CanonicalError::NotCanonical.into());
        }
        Ok(attestation)
    }

    /// Signs the attestation with the venue's key.
    pub fn sign(self, key: &SigningKey) -> SignedAttestation {
        let payload = self.to_payload();
        let signature = dsse::sign(key, ATTESTATION_TYPE, &payload);
        SignedAttestation {
            content: self,
            payload,
            key: PublicKey::of(key),
            signature,
        }
    }
}

/// An attestation with its complete signed bytes, the key that is said to have signed them, and the signature.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignedAttestation {
    content: Attestation,
    payload: Vec<u8>,
    key: PublicKey,
    signature: [u8; SIGNATURE_BYTES],
}

impl SignedAttestation {
    /// From its parts; the payload is read strictly, the signature is **not** verified.
    ///
    /// # Errors
    /// [`AttestationError`] of the payload.
    pub fn from_parts(
        payload: Vec<u8>,
        key: PublicKey,
        signature: [u8; SIGNATURE_BYTES],
    ) -> Result<Self, AttestationError> {
        let content = Attestation::from_payload(&payload)?;
        Ok(SignedAttestation {
            content,
            payload,
            key,
            signature,
        })
    }

    /// What was signed.
    pub fn content(&self) -> &Attestation {
        &self.content
    }

    /// The complete signed bytes.
    pub fn payload(&self) -> &[u8] {
        &self.payload
    }

    /// The key that is said to have signed.
    pub fn key(&self) -> PublicKey {
        self.key
    }

    /// The signature over the payload under [`ATTESTATION_TYPE`].
    pub fn signature(&self) -> &[u8; SIGNATURE_BYTES] {
        &self.signature
    }

    /// Verifies the signature; whose key it should be is the universe's and the policy's business.
    ///
    /// # Errors
    /// [`SignatureError`].
    pub fn verify(&self) -> Result<(), SignatureError> {
        self.key.verify(ATTESTATION_TYPE, &self.payload, &self.signature)
    }

    /// The digest by which a [release](crate::release) names it: BLAKE2b-256, personalised `zkmargin-atts-v1`, of the CBOR array
    /// `[payload, key, signature]`.
    pub fn digest(&self) -> Digest {
        let mut w = Writer::new();
        w.array(3);
        self.write_parts(&mut w);
        digest(Personal::Attestation, &w.into_bytes())
    }

    /// The bytes of an attestation file.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut w = Writer::new();
        FileKind::Attestation.open(&mut w);
        self.write_parts(&mut w);
        w.into_bytes()
    }

    /// Reads an attestation file strictly; the signature is **not** verified.
    ///
    /// # Errors
    /// [`AttestationError`].
    pub fn from_bytes(bytes: &[u8]) -> Result<SignedAttestation, AttestationError> {
        let mut reader = FileKind::Attestation.reader(bytes)?;
        let attestation = SignedAttestation::read_parts(&mut reader)?;
        reader.finish()?;
        if attestation.to_bytes() != bytes {
            return Err(CanonicalError::NotCanonical.into());
        }
        Ok(attestation)
    }

    /// Writes payload, key and signature, three elements of an array.
    pub(crate) fn write_parts(&self, w: &mut Writer) {
        w.bytes(&self.payload);
        w.bytes(self.key.as_bytes());
        w.bytes(&self.signature);
    }

    pub(crate) fn read_parts(r: &mut Reader<'_>) -> Result<SignedAttestation, AttestationError> {
        let payload = r.bytes("payload", MAX_PAYLOAD_BYTES)?.to_vec();
        let key = PublicKey(r.byte_array("key")?);
        let signature = r.byte_array("signature")?;
        SignedAttestation::from_parts(payload, key, signature)
    }
}

pub(crate) fn read_network(r: &mut Reader<'_>) -> Result<Network, CanonicalError> {
    let code = r.uint("network")?;
    Network::from_code(code).ok_or_else(|| CanonicalError::Value {
        field: "network",
        value: code.to_string(),
        bound: "0 (main) or 1 (test)".to_owned(),
    })
}

pub(crate) fn read_u32(r: &mut Reader<'_>, field: &'static str) -> Result<u32, CanonicalError> {
    let value = r.uint(field)?;
    u32::try_from(value).map_err(|_| CanonicalError::Value {
        field,
        value: value.to_string(),
        bound: format!("at most {}", u32::MAX),
    })
}

pub(crate) fn read_instant(r: &mut Reader<'_>, field: &'static str) -> Result<Instant, CanonicalError> {
    let millis = r.uint(field)?;
    Instant::from_millis(millis).map_err(|_| CanonicalError::Value {
        field,
        value: format!("{millis} ms"),
        bound: format!("at most {} ms", Instant::MAX.millis()),
    })
}

impl fmt::Display for Pseudonym {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

impl fmt::Debug for Pseudonym {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Pseudonym({self})")
    }
}

impl serde::Serialize for Pseudonym {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl fmt::Debug for PseudonymSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PseudonymSecret(..)")
    }
}

#[cfg(test)]
mod tests;
