//! End to end: both tools as their users run them, on what the demonstration leaves behind, and a trader who re-signs what
//! was changed.

#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod environment;
mod facts;
mod forged;
mod kills;
mod registry;
mod resigned;
mod stage;
mod tools;
mod variation;
