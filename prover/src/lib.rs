//! What a venue and a trader do: keep a running commitment, attest an account, report its margin, prove it.
//!
//! The partner's part is the crate `zkmargin-verifier`, which this one depends on and never the other way round: no bundle
//! leaves [`prove()`] before the verifier has accepted it.
//!
//! - [`keys`]: key files of venues, subjects and audiences;
//! - [`running`], [`fill`]: a venue's running commitment to an account, and what moves it;
//! - [`mod@attest`]: a signed attestation and its opening;
//! - [`mod@prove`]: statements, a proof, a bundle;
//! - [`output`]: files that are written whole or not at all, and secret ones for the user alone;
//! - [`margin`], [`picture`]: the private report in words, as data and as a picture;
//! - [`schemas`]: the schemas of all files that people write;
//! - [`signal`]: what becomes of them when the process is ended.

pub mod attest;
pub mod fill;
pub mod keys;
pub mod margin;
pub mod output;
pub mod picture;
pub mod prove;
pub mod running;
pub mod schemas;
pub mod signal;
pub mod text;

pub use attest::{AttestError, attest};
pub use prove::{ProveError, Proven, prove};
