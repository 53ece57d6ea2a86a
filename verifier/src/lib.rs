//! Verifies margin proofs: what a partner must trust, and nothing that only a prover needs.
//!
//! A trader sends a [bundle](bundle::Bundle): statements about accounts that venues have [attested](attestation::Attestation), and
//! one proof. The partner has a [policy](policy::Policy) and its own copies of universe, snapshot and model, and asks a [`Verifier`]; what it
//! relies on, it records with `Registry::accept`, which verifies first, and accepts everything at most once. Everything public is recomputed from the partner's own files: universe,
//! snapshot and model give the margin program, the program gives the circuit's shape and key, and all of it goes into the
//! [statement digest](statement::Statement::digest) that the proof is bound to.
//!
//! ```no_run
//! use zkmargin_verifier::policy::MAX_POLICY_BYTES;
//! use zkmargin_verifier::envelope::FileKind;
//! use zkmargin_verifier::file::{default_cache_dir, read_file};
//! use zkmargin_verifier::{Context, Parameters, Partner, Policy, Verifier, clock, load};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let nonce_of_this_request = [0; 32];
//! let universe = load::universe("universe.json".as_ref())?;
//! let snapshot = load::snapshot("snapshot.json".as_ref())?;
//! let model = load::model("paradex-pm".as_ref())?;
//! let parameters = Parameters::load(universe.k(), default_cache_dir().as_deref())?;
//! let policy = Policy::from_json(&read_file("policy.json".as_ref(), MAX_POLICY_BYTES)?)?;
//!
//! // One for all bundles on this snapshot, from any thread: it compiles every program once.
//! let verifier = Verifier::new(Context { universe: &universe, snapshot: &snapshot, later: None, model: &model, parameters: &parameters });
//! let partner = Partner::new(&policy, Some(nonce_of_this_request))?;
//! let bundle = read_file("book.bundle".as_ref(), FileKind::Bundle.max_bytes())?;
//! # #[cfg(feature = "registry")] {
//! use zkmargin_verifier::registry::Registry;
//!
//! let mut registry = Registry::open("registry.db", policy.network, policy.audience)?;
//! let verdict = registry.accept(&partner, &verifier, &bundle, clock::now()?)?;
//! # let asked_for = verdict.statements[0].book.clone();
//! // It is on the disk. Whose book, and which line: a policy may accept several.
//! assert!(verdict.statements.iter().all(|statement| statement.book == asked_for));
//! # }
//! // Without a registry nothing remembers that it was accepted.
//! let verdict = verifier.verify(&partner, &bundle, clock::now()?)?;
//! println!("{verdict}");
//! # Ok(())
//! # }
//! ```
//!
//! A profile of cargo is not inherited: see the partner's manual for `overflow-checks`, which this workspace turns on for its crates.
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
//! - [`mod@file`], [`load`]: reading files with a cap, and where the parameter cache is; [`output`]: writing them whole, and secret ones for the user alone; [`clock`]: the instant to go by; [`words`]: what messages are made of.

pub mod acceptance;
pub mod age;
pub mod attestation;
pub mod book;
pub mod breaker;
pub mod bundle;
pub mod clock;
pub mod dsse;
pub mod envelope;
pub mod facts;
pub mod file;
pub mod journal;
pub mod keys;
pub mod load;
pub mod opening;
pub mod output;
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
pub use verify::{Context, Partner, Verifier, VerifyError, draw_nonce};
pub use zkmargin_circuits::Parameters;
