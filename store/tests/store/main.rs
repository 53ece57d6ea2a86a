//! What a store promises, on SQLite and, where `ZKMARGIN_TEST_POSTGRES` gives a URL, on PostgreSQL.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

mod both;
mod disk;
mod files;
mod place;
