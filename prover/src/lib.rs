//! What a venue and a trader do: keep a running commitment, attest an account, report its margin, prove it.
//!
//! The partner's part is the crate `zkmargin-verifier`, which this one depends on and never the other way round: no bundle
//! leaves a [`Prover`] before the verifier has accepted it.
//!
//! - [`keys`], [`fill`], [`running`], [`mod@attest`]: of the venue's crate, [`zkmargin_ledger`]: keys, running commitments, attestations;
//! - [`mod@prove`]: statements, a proof, a bundle; [`batch`]: many of them;
//! - [`mod@bench`], [`cost`]: what proofs cost: measured, and foretold;
//! - [`lock`]: who must work alone;
//! - [`signal`]: what becomes of files that are being written when the process is ended;
//! - [`margin`], [`picture`]: the private report in words, as data and as a picture; [`text`]: numbers in it;
//! - [`schemas`]: the schemas of all files that people write.

pub mod batch;
pub mod bench;
pub mod cost;
pub mod lock;
pub mod margin;
pub mod picture;
pub mod prove;
pub mod schemas;
pub mod signal;
pub mod text;

pub use zkmargin_ledger::{AttestError, attest, fill, keys, running};

pub use prove::{ProveError, Proven, Prover};
