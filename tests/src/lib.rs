//! A malicious prover, and a verifier that forgets what it is told to forget.
//!
//! Everything here is written from the protocol text, not from the code of `zkmargin-circuits`: generators, shape, circuit,
//! transcript, folding, link and replayed draws. That its honest proofs are accepted by the real verifier, and the real
//! prover's proofs by its own strict verifier, checks the text against the code. What is dishonest is written in the tests:
//! a [`Forger`] follows the protocol except where a test tells it not to.
//!
//! No forgery means anything unless it would have worked: so every test shows with a [`Lenient`] verifier, which leaves out
//! the one check that is at stake, that the forged proof is otherwise a good one.
//!
//! Broken inputs panic: this crate is used by tests alone.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod circuit;
mod columns;
mod draws;
mod fixture;
mod forger;
pub mod insecure;
mod lattice;
mod lenient;
mod linear;
mod observer;
mod plan;
pub mod readers;
mod setup;
pub mod small;
mod squares;
mod threads;
mod transcript;
pub mod tree;

pub use circuit::{ForgedCircuit, blinding_factors, proving_key, verifying_key};
pub use columns::{Columns, Folded, Matrix, fold, lift, missing, multipliers, powers, scalar_multipliers, small};
pub use fixture::*;
pub use forger::{Advice, Challenges, Forged, Forger, Known, Nonces, Rejection, Said, Scene};
pub use lattice::{short_relation, short_relation_from, short_relations};
pub use lenient::{Lenient, Points, Verdict, outside};
pub use linear::{field_roots, hide_roots, isotropic, solve};
pub use observer::Observer;
pub use plan::{Cell, Ends, Place, Plan};
pub use setup::{Setup, decode, integer, point, scalars};
pub use squares::{FactorRule, Factors, PROJECTIONS, ROOTS, factors, four_squares};
pub use threads::on_this_thread_alone;
pub use transcript::statements_scalar;

/// The README's example, run as a test.
#[cfg(doctest)]
#[doc = include_str!("../../README.md")]
#[derive(Debug)]
pub struct Readme;
