//! Standard margin models: the compiled program against the oracle on random markets and books, published figures, forgers.
//!
//! Soundness needs no tolerance: what a program admits, the exact rule admits. Where a model is exact, the other side
//! holds within the program's stated bound.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod derive;
mod isolated;
mod linear;
mod world;
