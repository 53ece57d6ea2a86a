//! Ed25519 signatures over a DSSE pre-authentication encoding.
//!
//! Nothing is ever signed as bare bytes: the signed message is
//!
//! ```text
//! PAE(type, payload) = "DSSEv1" SP len(type) SP type SP len(payload) SP payload
//! ```
//!
//! with lengths in decimal ASCII ([DSSE protocol, v1](https://github.com/secure-systems-lab/dsse/blob/v1.0.0/protocol.md)),
//! so that a signature made for one kind of payload can never be shown as one of another kind. Verification is
//! `verify_strict`: weak keys, small-order `R` and non-canonical `s` are refused, and so is a key that is not the canonical
//! encoding of its point. One payload and one key therefore have no second form.

use std::fmt;
use std::str::FromStr;

pub use ed25519_dalek::SigningKey;
use ed25519_dalek::{Signature, Signer, VerifyingKey};
use thiserror::Error;
use zkmargin_risk::canonical::{HexError, parse_hex};

/// Payload type of a venue's attestation (protocol §8).
pub const ATTESTATION_TYPE: &str = "application/vnd.zkmargin.attestation.v1+cbor";

/// Payload type of a subject's signature over a statement digest and the hash of the proof (protocol §8, *one party*).
pub const SUBJECT_TYPE: &str = "application/vnd.zkmargin.subject.v1+cbor";

/// Payload type of an audience's release of an account (protocol §8, *encumbrance*).
pub const RELEASE_TYPE: &str = "application/vnd.zkmargin.release.v1+cbor";

/// Payload type of a publisher's signature on a snapshot.
pub const SNAPSHOT_TYPE: &str = "application/vnd.zkmargin.snapshot.v1+cbor";

/// Bytes of an Ed25519 signature.
pub const SIGNATURE_BYTES: usize = 64;

/// An Ed25519 public key: of a venue, a subject or an audience. Any 32 bytes; whether they are a usable key is
/// decided when a signature is verified.
#[derive(Copy, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PublicKey(pub [u8; 32]);

impl PublicKey {
    /// The public half of `key`.
    pub fn of(key: &SigningKey) -> PublicKey {
        PublicKey(key.verifying_key().to_bytes())
    }

    /// The 32 bytes of RFC 8032.
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// Whether this is the canonical encoding of a point that is not of small order, as every key that can sign is.
    ///
    /// # Errors
    /// [`SignatureError::UnusableKey`].
    pub fn check(&self) -> Result<(), SignatureError> {
        self.usable().map(|_| ())
    }

    fn usable(&self) -> Result<VerifyingKey, SignatureError> {
        let unusable = || SignatureError::UnusableKey { key: *self };
        let key = VerifyingKey::from_bytes(&self.0).map_err(|_| unusable())?;
        // `from_bytes` keeps the bytes it was given; compressing again shows a second encoding of the point.
        let canonical = key.to_edwards().compress().to_bytes() == self.0;
        if canonical && !key.is_weak() {
            Ok(key)
        } else {
            Err(unusable())
        }
    }

    /// Verifies `signature` over `PAE(payload_type, payload)`.
    ///
    /// # Errors
    /// [`SignatureError`]: the key is none, or the signature is not its.
    pub fn verify(
        &self,
        payload_type: &str,
        payload: &[u8],
        signature: &[u8; SIGNATURE_BYTES],
    ) -> Result<(), SignatureError> {
        self.usable()?
            .verify_strict(
                &pre_authentication_encoding(payload_type, payload),
                &Signature::from_bytes(signature),
            )
            .map_err(|_| SignatureError::Wrong { key: *self })
    }
}

/// The message that is signed for `payload`: `"DSSEv1" SP len(type) SP type SP len(payload) SP payload`.
pub fn pre_authentication_encoding(payload_type: &str, payload: &[u8]) -> Vec<u8> {
    let mut message = format!("DSSEv1 {} {payload_type} {} ", payload_type.len(), payload.len()).into_bytes();
    message.extend_from_slice(payload);
    message
}

/// Signs `PAE(payload_type, payload)`.
pub fn sign(key: &SigningKey, payload_type: &str, payload: &[u8]) -> [u8; SIGNATURE_BYTES] {
    key.sign(&pre_authentication_encoding(payload_type, payload)).to_bytes()
}

/// Why a signature is not accepted.
#[derive(Copy, Clone, Debug, PartialEq, Eq, Error)]
pub enum SignatureError {
    /// The bytes are no point, a small-order point, or not the canonical encoding of their point.
    #[error("{key} is no usable Ed25519 public key (not a point, of small order, or not in canonical form)")]
    UnusableKey {
        /// The bytes in question.
        key: PublicKey,
    },
    /// The signature was not made by this key over these bytes.
    #[error("the signature is not one of key {key} over these bytes")]
    Wrong {
        /// The key that was said to have signed.
        key: PublicKey,
    },
}

impl fmt::Display for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PublicKey({self})")
    }
}

impl FromStr for PublicKey {
    type Err = HexError;

    fn from_str(text: &str) -> Result<PublicKey, HexError> {
        parse_hex(text).map(PublicKey)
    }
}

impl serde::Serialize for PublicKey {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> serde::Deserialize<'de> for PublicKey {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<PublicKey, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

impl schemars::JsonSchema for PublicKey {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "PublicKey".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({
            "type": "string",
            "description": "An Ed25519 public key: 32 bytes in lower-case hexadecimal",
            "pattern": "^[0-9a-f]{64}$",
        })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
    use super::*;

    fn key() -> SigningKey {
        SigningKey::from_bytes(&[7; 32])
    }

    #[test]
    fn pre_authentication_encoding_is_the_one_of_the_dsse_document() {
        // The example of the DSSE protocol document, section "Signature Definition"/test vector.
        assert_eq!(
            pre_authentication_encoding("http://example.com/HelloWorld", b"hello world"),
            b"DSSEv1 29 http://example.com/HelloWorld 11 hello world"
        );
    }

    #[test]
    fn signature_is_accepted_for_its_own_payload_and_type_only() {
        let public = PublicKey::of(&key());
        let signature = sign(&key(), ATTESTATION_TYPE, b"payload");
        assert_eq!(public.verify(ATTESTATION_TYPE, b"payload", &signature), Ok(()));
        let wrong = Err(SignatureError::Wrong { key: public });
        assert_eq!(public.verify(SUBJECT_TYPE, b"payload", &signature), wrong);
        assert_eq!(public.verify(ATTESTATION_TYPE, b"payloae", &signature), wrong);
        let other = PublicKey::of(&SigningKey::from_bytes(&[8; 32]));
        assert_eq!(
            other.verify(ATTESTATION_TYPE, b"payload", &signature),
            Err(SignatureError::Wrong { key: other })
        );
    }

    #[test]
    fn signature_with_any_byte_changed_is_refused() {
        let public = PublicKey::of(&key());
        let signature = sign(&key(), ATTESTATION_TYPE, b"payload");
        for index in 0..SIGNATURE_BYTES {
            let mut changed = signature;
            changed[index] ^= 1;
            assert!(
                public.verify(ATTESTATION_TYPE, b"payload", &changed).is_err(),
                "byte {index}"
            );
        }
    }

    #[test]
    fn signature_with_the_group_order_added_to_s_is_refused() {
        // s + l is the same scalar: accepting it would give one signature two forms.
        const L: [u8; 32] = [
            0xed, 0xd3, 0xf5, 0x5c, 0x1a, 0x63, 0x12, 0x58, 0xd6, 0x9c, 0xf7, 0xa2, 0xde, 0xf9, 0xde, 0x14, 0, 0, 0, 0,
            0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x10,
        ];
        let mut signature = sign(&key(), ATTESTATION_TYPE, b"payload");
        let mut carry = 0u16;
        for (byte, addend) in signature[32..].iter_mut().zip(L) {
            carry += u16::from(*byte) + u16::from(addend);
            *byte = carry.to_le_bytes()[0];
            carry >>= 8;
        }
        assert!(
            PublicKey::of(&key())
                .verify(ATTESTATION_TYPE, b"payload", &signature)
                .is_err()
        );
    }

    #[test]
    fn key_of_small_order_or_in_a_second_encoding_is_unusable() {
        let mut identity = [0; 32];
        identity[0] = 1;
        // y = p + 1 is the identity again; y = p + 3 is a point of large order whose canonical form is y = 3.
        let second_form = |low: u8| {
            let mut bytes = [0xff; 32];
            bytes[0] = 0xed + low;
            bytes[31] = 0x7f;
            bytes
        };
        for bytes in [identity, second_form(1), second_form(3), [0; 32], [2; 32]] {
            let key = PublicKey(bytes);
            assert_eq!(key.check(), Err(SignatureError::UnusableKey { key }));
        }
        let mut three = [0; 32];
        three[0] = 3;
        assert_eq!(
            PublicKey(three).check(),
            Ok(()),
            "y = 3 is on the curve, so its second form was refused as a second form"
        );
    }

    #[test]
    fn hexadecimal_text_has_one_form() {
        let public = PublicKey::of(&key());
        let text = public.to_string();
        assert_eq!(text.parse(), Ok(public));
        for refused in [
            text.to_uppercase(),
            text[1..].to_owned(),
            format!("{text}0"),
            format!(" {text}"),
            text.replace(&text[..1], "g"),
        ] {
            assert!(refused.parse::<PublicKey>().is_err(), "{refused:?}");
        }
    }
}
