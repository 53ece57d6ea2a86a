//! Verifies margin proofs: what a partner must trust, and nothing that only a prover needs.
//!
//! A trader sends a [bundle](bundle::Bundle): statements about accounts that venues have [attested](attestation::Attestation), and
//! one proof. The partner has a [policy](policy::Policy) and its own copies of universe, snapshot and model, and asks
//! [`verify_bundle`]. Everything public is recomputed from the partner's own files: universe,
//! snapshot and model give the margin program, the program gives the circuit's shape and key, and all of it goes into the
//! [statement digest](statement::Statement::digest) that the proof is bound to.
//!
//! What a valid proof does *not* say: that the prices are right, that a venue tells the truth about its own books, that the
//! trader has no account elsewhere, or that the model is wise. None of this has been audited.
//!
//! # Modules
//! - [`dsse`]: signatures; [`keys`]: which keys are good, and when; [`envelope`]: the head of every binary file; [`age`], [`book`]: words of files;
//! - [`attestation`], [`opening`]: what a venue signs, and the secret that the trader gets with it; [`release`]: how an audience gives it back;
//! - [`statement`], [`bundle`]: what a trader asserts, and what travels;
//! - [`published`]: whose snapshot it is;
//! - [`facts`]: whether it fits the verifier's own facts; [`policy`], [`acceptance`]: whether the partner accepts it;
//! - [`breaker`], [`journal`]: whether markets are calm enough, and where that is written;
//! - [`verify`]: all of it in order; [`verdict`]: the answer, in words and as data;
//! - `registry` (cargo feature of that name): what was accepted, at most once, and how every account stands;
//! - [`mod@file`]: reading files with a cap, and where the parameter cache is; [`words`]: what messages are made of.

pub mod acceptance;
pub mod age;
pub mod attestation;
pub mod book;
pub mod breaker;
pub mod bundle;
pub mod dsse;
pub mod envelope;
pub mod facts;
pub mod file;
pub mod journal;
pub mod keys;
pub mod opening;
pub mod policy;
mod prepare;
pub mod published;
#[cfg(feature = "registry")]
pub mod registry;
pub mod release;
pub mod statement;
pub mod verdict;
pub mod verify;
pub mod words;

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod fixture;

pub use attestation::{Attestation, AttestationError, Pseudonym, PseudonymSecret, SignedAttestation};
pub use bundle::{Bundle, BundleError, ProofHash, SignedStatement, SubjectSignature};
pub use dsse::{PublicKey, SignatureError, SigningKey};
pub use opening::{OpenedColumn, Opening, OpeningError};
pub use policy::{Policy, PolicyFileError};
pub use published::{Publishers, SnapshotSignature};
pub use release::{Release, ReleaseError, SignedRelease};
pub use statement::{PublicFacts, Statement, Window};
pub use verdict::Verdict;
pub use verify::{Context, Partner, Verifier, VerifyError, check_bundle, verify_bundle};
