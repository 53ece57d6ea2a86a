//! What a venue's ledger promises, on SQLite and, where `ZKMARGIN_TEST_POSTGRES` gives a URL, on PostgreSQL.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

mod audits;
mod commitments;
mod imports;
mod kills;
mod pledges;
mod processes;
mod states;
mod world;
