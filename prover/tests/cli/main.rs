//! The tool as its users meet it: the built binary, its exit codes, its messages, and what it leaves behind.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

mod batch;
mod bench;
mod demo;
mod desk;
mod files;
mod hedge;
mod history;
mod hold;
mod isolated;
mod ledger;
mod model;
mod opaque;
mod process;
mod prove;
mod publish;
mod refusals;
mod secrets;
mod venue;
