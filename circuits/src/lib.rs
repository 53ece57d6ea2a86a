//! The argument: how a margin program is proven about a hidden account vector.
//!
//! This crate knows programs and layouts, nothing of risk. See [`argument`] for the protocol's phases in their order.

pub mod argument;
mod batch;
mod circuit;
pub mod commitment;
mod fold;
#[cfg(feature = "prove")]
mod four_squares;
#[cfg(all(test, feature = "prove"))]
mod golden;
mod keys;
mod link;
pub mod parameters;
#[cfg(feature = "prove")]
pub mod phase;
#[cfg(feature = "prove")]
pub mod prove;
pub mod roots;
pub mod shape;
pub mod transcript;
mod witness;

pub use argument::{Claim, ClaimError, MAX_STATEMENTS, PROTOCOL_VERSION, Refusal, verify};
pub use batch::{BatchRefusal, verify_batch};
pub use circuit::CIRCUIT_VERSION;
pub use commitment::{Blind, CommitmentError, Point, PointError, RunningCommitment, commit};
pub use fold::FOLDING_RULE;
pub use parameters::{Parameters, ParametersError};
#[cfg(feature = "prove")]
pub use prove::{Opening, ProveError, prove, prove_unchecked};
pub use shape::{Placement, Run, Shape, ShapeError};
pub use transcript::Malformed;
