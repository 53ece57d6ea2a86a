//! A bundle: statements, the signatures of their subjects, and one proof of them all (protocol §7).
//!
//! A bundle *file* is the canonical CBOR array
//!
//! ```text
//! ["zkmargin-bundle", 1, [protocol version, compiler version, circuit version],
//!  [[statement, [[subject, signature], …]], …], proof]
//! ```
//!
//! The versions are what the prover says that it proved under. They are compared with this build's, for a refusal that names both, and
//! never used: the statement digest has this build's own.
//!
//! Nothing in it names a shape, a key, a parameter, a snapshot or a model: those are the verifier's own. Whoever holds a
//! bundle can verify it; it is meant to be sent encrypted to its audience.

use thiserror::Error;
use zkmargin_circuits::{CIRCUIT_VERSION, MAX_STATEMENTS, PROTOCOL_VERSION};
use zkmargin_program::COMPILER_VERSION;
use zkmargin_risk::canonical::{CanonicalError, Digest, Personal, Writer, digest};

use crate::dsse::{self, PublicKey, SIGNATURE_BYTES, SUBJECT_TYPE, SignatureError, SigningKey};
use crate::envelope::{EnvelopeError, FileKind};
use crate::statement::{MAX_ATTESTATIONS, Statement, StatementError};

/// Longest proof, in bytes.
pub const MAX_PROOF_BYTES: usize = 1 << 20;

/// What a bundle names the version of, and which one this build has.
const VERSIONS: [(&str, u32); 3] = [
    ("protocol", PROTOCOL_VERSION),
    ("program compiler", COMPILER_VERSION),
    ("circuit", CIRCUIT_VERSION),
];

/// BLAKE2b-256 of a proof's bytes, personalised `zkmargin-prof-v1`: what subjects sign.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub struct ProofHash(pub [u8; 32]);

impl ProofHash {
    /// The hash of these proof bytes.
    pub fn of(proof: &[u8]) -> ProofHash {
        ProofHash(digest(Personal::Proof, proof).0)
    }
}

/// A subject's signature over a statement digest and the hash of the proof: the trader stands by this proof of its own accounts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SubjectSignature {
    /// Who signed.
    pub subject: PublicKey,
    /// Over the CBOR array `[statement digest, proof hash]`, under [`SUBJECT_TYPE`].
    pub signature: [u8; SIGNATURE_BYTES],
}

impl SubjectSignature {
    /// Signs as the subject whose key this is.
    pub fn sign(key: &SigningKey, statement: Digest, proof: ProofHash) -> SubjectSignature {
        let signature = dsse::sign(key, SUBJECT_TYPE, &subject_payload(statement, proof));
        SubjectSignature {
            subject: PublicKey::of(key),
            signature,
        }
    }

    /// Verifies the signature.
    ///
    /// # Errors
    /// [`SignatureError`].
    pub fn verify(&self, statement: Digest, proof: ProofHash) -> Result<(), SignatureError> {
        self.subject
            .verify(SUBJECT_TYPE, &subject_payload(statement, proof), &self.signature)
    }
}

fn subject_payload(statement: Digest, proof: ProofHash) -> Vec<u8> {
    let mut w = Writer::new();
    w.array(2);
    w.bytes(&statement.0);
    w.bytes(&proof.0);
    w.into_bytes()
}

/// A statement with the signatures of its subjects.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignedStatement {
    /// The statement.
    pub statement: Statement,
    /// One signature for each of [`Statement::subjects`], in that order.
    pub signatures: Vec<SubjectSignature>,
}

/// `M` statements and one proof, circuit `i` proving statement `i`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bundle {
    /// The statements, at least one, in circuit order.
    pub statements: Vec<SignedStatement>,
    /// The proof's bytes.
    pub proof: Vec<u8>,
}

/// Why bytes are no bundle.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum BundleError {
    /// The envelope.
    #[error(transparent)]
    Envelope(#[from] EnvelopeError),
    /// A field that does not decode, or an encoding that is not the canonical one.
    #[error("bundle: {0}")]
    Malformed(#[from] CanonicalError),
    /// Proven under another version. There is no other negotiation: both sides run the same one.
    #[error("the bundle was made under {what} version {found}, this build verifies version {expected}")]
    Version {
        /// Of what.
        what: &'static str,
        /// The version that it names.
        found: u64,
        /// This build's.
        expected: u32,
    },
    /// No statement at all.
    #[error("the bundle has no statement")]
    NoStatement,
    /// A statement that does not decode.
    #[error("statement {}: {error}", index + 1)]
    Statement {
        /// Its place in the bundle, from 0.
        index: usize,
        /// What is wrong with it.
        error: StatementError,
    },
}

impl Bundle {
    /// The bytes of a bundle file.
    pub fn to_bytes(&self) -> Vec<u8> {
        let Bundle { statements, proof } = self;
        let mut w = Writer::new();
        FileKind::Bundle.open(&mut w);
        w.list(VERSIONS.iter(), |w, (_, version)| w.uint(u64::from(*version)));
        w.list(statements.iter(), |w, SignedStatement { statement, signatures }| {
            w.array(2);
            statement.write(w);
            w.list(signatures.iter(), |w, SubjectSignature { subject, signature }| {
                w.array(2);
                w.bytes(subject.as_bytes());
                w.bytes(signature);
            });
        });
        w.bytes(proof);
        w.into_bytes()
    }

    /// Reads a bundle file strictly: decode, encode again, compare. Verifies nothing.
    ///
    /// # Errors
    /// [`BundleError`].
    pub fn from_bytes(bytes: &[u8]) -> Result<Bundle, BundleError> {
        let mut r = FileKind::Bundle.reader(bytes)?;
        r.array_of("versions", VERSIONS.len())?;
        for (what, expected) in VERSIONS {
            let found = r.uint(what)?;
            if found != u64::from(expected) {
                return Err(BundleError::Version { what, found, expected });
            }
        }
        let mut statements = Vec::new();
        for index in 0..r.array("statements", MAX_STATEMENTS)? {
            r.array_of("signed statement", 2)?;
            let statement = Statement::read(&mut r).map_err(|error| BundleError::Statement { index, error })?;
            let signatures = r.list("subject signatures", MAX_ATTESTATIONS, |r| {
                r.array_of("subject signature", 2)?;
                Ok(SubjectSignature {
                    subject: PublicKey(r.byte_array("subject")?),
                    signature: r.byte_array("signature")?,
                })
            })?;
            statements.push(SignedStatement { statement, signatures });
        }
        let proof = r.bytes("proof", MAX_PROOF_BYTES)?.to_vec();
        r.finish()?;
        let bundle = Bundle { statements, proof };
        if bundle.to_bytes() != bytes {
            return Err(CanonicalError::NotCanonical.into());
        }
        if bundle.statements.is_empty() {
            return Err(BundleError::NoStatement);
        }
        Ok(bundle)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
    use super::*;
    use crate::fixture::{Item, good_statement, key, public};
    use proptest::prelude::*;

    fn bundle() -> Bundle {
        let proof = vec![1, 2, 3];
        let signature = SubjectSignature::sign(&key("subject"), Digest([1; 32]), ProofHash::of(&proof));
        Bundle {
            statements: vec![SignedStatement {
                statement: good_statement(),
                signatures: vec![signature],
            }],
            proof,
        }
    }

    #[test]
    fn subject_signs_the_statements_digest_and_the_proofs_hash() {
        let (statement, proof) = (Digest([1; 32]), ProofHash::of(&[1, 2, 3]));
        // An array of two strings of 32 bytes.
        let payload = [&[0x82, 0x58, 32][..], &statement.0, &[0x58, 32], &proof.0].concat();
        let signed = SubjectSignature::sign(&key("subject"), statement, proof);
        assert_eq!(
            public("subject").verify(SUBJECT_TYPE, &payload, &signed.signature),
            Ok(())
        );
    }

    #[test]
    fn bundle_file_round_trips() {
        let mut two = bundle();
        two.statements.push(two.statements[0].clone());
        for bundle in [bundle(), two] {
            assert_eq!(Bundle::from_bytes(&bundle.to_bytes()).unwrap(), bundle);
        }
    }

    #[test]
    fn bundle_of_another_version_is_refused_and_both_are_named() {
        for (place, (what, expected)) in VERSIONS.into_iter().enumerate() {
            for other in [expected - 1, expected + 1] {
                let Item::Array(mut file) = Item::decode(&bundle().to_bytes()) else {
                    panic!("no array");
                };
                let mut versions = VERSIONS.map(|(_, version)| Item::Uint(u64::from(version)));
                versions[place] = Item::Uint(u64::from(other));
                file[2] = Item::Array(versions.to_vec());
                let found = u64::from(other);
                assert_eq!(
                    Bundle::from_bytes(&Item::Array(file).encode()),
                    Err(BundleError::Version { what, found, expected })
                );
            }
        }
    }

    #[test]
    fn bundle_without_a_statement_is_refused() {
        let empty = Bundle {
            statements: Vec::new(),
            proof: vec![1],
        };
        assert_eq!(Bundle::from_bytes(&empty.to_bytes()), Err(BundleError::NoStatement));
    }

    #[test]
    fn bytes_more_or_less_are_refused() {
        let bytes = bundle().to_bytes();
        assert_eq!(
            Bundle::from_bytes(&[bytes.as_slice(), &[0]].concat()),
            Err(CanonicalError::Trailing { count: 1 }.into())
        );
        for length in 0..bytes.len() {
            assert!(Bundle::from_bytes(&bytes[..length]).is_err(), "{length} bytes");
        }
    }

    #[test]
    fn second_encoding_of_the_same_bundle_is_refused() {
        let bytes = bundle().to_bytes();
        // The proof's length in two bytes where one will do.
        let (head, proof) = bytes.split_at(bytes.len() - 4);
        assert_eq!(proof, [0x43, 1, 2, 3]);
        let longer = [head, &[0x58, 3, 1, 2, 3]].concat();
        assert_eq!(Bundle::from_bytes(&longer), Err(CanonicalError::NotCanonical.into()));
        // An array of indefinite length.
        let indefinite = [&[0x9f], &bytes[1..], &[0xff]].concat();
        assert!(matches!(
            Bundle::from_bytes(&indefinite),
            Err(BundleError::Envelope(EnvelopeError::Malformed(_)))
        ));
    }

    #[test]
    fn sizes_past_their_caps_are_refused_before_they_are_read() {
        let mut large = bundle();
        large.proof = vec![0; MAX_PROOF_BYTES];
        assert!(Bundle::from_bytes(&large.to_bytes()).is_ok());
        large.proof.push(0);
        assert!(matches!(
            Bundle::from_bytes(&large.to_bytes()),
            Err(BundleError::Malformed(CanonicalError::Length { field: "proof", .. }))
        ));
        large.proof = vec![0; FileKind::Bundle.max_bytes()];
        assert!(matches!(
            Bundle::from_bytes(&large.to_bytes()),
            Err(BundleError::Envelope(EnvelopeError::TooLarge { .. }))
        ));
        // A head that promises 2^63 statements in a file of a few bytes.
        let mut head = Vec::new();
        head.extend([0x85, 0x6f]);
        head.extend(b"zkmargin-bundle");
        head.extend([0x01, 0x83]);
        head.extend(VERSIONS.map(|(_, version)| u8::try_from(version).unwrap()));
        head.extend([0x9b, 0x80, 0, 0, 0, 0, 0, 0, 0]);
        assert!(matches!(
            Bundle::from_bytes(&head),
            Err(BundleError::Malformed(CanonicalError::Length {
                field: "statements",
                ..
            }))
        ));
        let mut many = bundle();
        many.statements = vec![
            SignedStatement {
                statement: good_statement(),
                signatures: Vec::new()
            };
            MAX_STATEMENTS + 1
        ];
        many.statements
            .iter_mut()
            .for_each(|signed| signed.statement.attestations.clear());
        assert!(matches!(
            Bundle::from_bytes(&many.to_bytes()),
            Err(BundleError::Malformed(CanonicalError::Length {
                field: "statements",
                ..
            }))
        ));
    }

    #[test]
    fn no_two_bundles_have_the_same_bytes_and_none_reads_as_another() {
        let good = bundle();
        for (path, mutant) in Item::decode(&good.to_bytes()).mutants() {
            if let Ok(other) = Bundle::from_bytes(&mutant.encode()) {
                assert_ne!(other, good, "{path:?}");
                assert_eq!(other.to_bytes(), mutant.encode(), "{path:?}");
            }
        }
    }

    proptest! {
        /// Whatever is done to a file, its reader answers, and what it accepts has no second form.
        #[test]
        fn damaged_bundle_is_refused_or_read_as_what_it_says(
            changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
            cut in prop::option::of(any::<prop::sample::Index>()),
        ) {
            let mut bytes = bundle().to_bytes();
            for (index, byte) in &changes {
                *index.get_mut(&mut bytes) = *byte;
            }
            if let Some(cut) = cut {
                bytes.truncate(cut.index(bytes.len()));
            }
            if let Ok(read) = Bundle::from_bytes(&bytes) {
                prop_assert_eq!(read.to_bytes(), bytes);
            }
        }

        #[test]
        fn random_bytes_are_no_file(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
            prop_assert!(Bundle::from_bytes(&bytes).is_err());
            prop_assert!(crate::SignedAttestation::from_bytes(&bytes).is_err());
            prop_assert!(crate::Attestation::from_payload(&bytes).is_err());
            prop_assert!(crate::Opening::from_bytes(&bytes).is_err());
            prop_assert!(crate::Policy::from_json(&bytes).is_err());
        }
    }

    #[test]
    fn subject_signs_this_statement_and_this_proof() {
        let (statement, proof) = (Digest([1; 32]), ProofHash::of(b"proof"));
        let signature = SubjectSignature::sign(&key("subject"), statement, proof);
        let wrong = Err(SignatureError::Wrong { key: public("subject") });
        assert_eq!(signature.verify(statement, proof), Ok(()));
        assert_eq!(signature.verify(Digest([2; 32]), proof), wrong);
        assert_eq!(signature.verify(statement, ProofHash::of(b"prooe")), wrong);
        assert_eq!(signature.verify(Digest(proof.0), ProofHash(statement.0)), wrong);
    }

    #[test]
    fn golden_proof_hash() {
        assert_eq!(
            hex::encode(ProofHash::of(b"proof").0),
            "424bbc32e8f5ae986729b65dd02ddb5697b191e985fd11b2df6ca3e64a7118a2"
        );
    }
}
