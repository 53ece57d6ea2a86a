//! One database behind a small door.
//!
//! A [`Store`] is one connection to a database that one application keeps: SQLite in a file of its own, or PostgreSQL by URL. It is
//! synchronous, for tools; what is async underneath stays there. It promises
//!
//! - **durability**: what [`Store::write`] returned `Ok` for is on the disk (SQLite in WAL mode with `synchronous=FULL`; a PostgreSQL server
//!   that does not sync is refused);
//! - **all or nothing**: a transaction of which any statement failed is never committed, whatever its closure made of the failure;
//! - **one writer at a time**, and nobody overtaken for ever: SQLite transactions that write begin `IMMEDIATE`; PostgreSQL's lock the list of migrations,
//!   in the order in which they come, and are `SERIALIZABLE` and run again, a bounded number of times, beside whoever else may write there;
//! - **privacy**: an SQLite file is created with mode 0600 (its WAL takes the same), rows are overwritten in memory when they are dropped, statements and
//!   values are never logged, and no error holds a value or a password.
//!
//! SQL is written once, in what both databases take: `$1` parameters, types `BIGINT`, `TEXT` and `BLOB` (which migrations turn into `BYTEA`),
//! `ON CONFLICT DO NOTHING` instead of a unique violation that one means to survive.
//!
//! ```
//! use zkmargin_store::{Schema, Store, StoreError};
//!
//! const SCHEMA: Schema = Schema {
//!     application: "pantry",
//!     migrations: &["CREATE TABLE jars (name TEXT PRIMARY KEY, grams BIGINT NOT NULL)"],
//! };
//!
//! # let folder = tempfile::tempdir()?;
//! # let path = folder.path().join("pantry.db");
//! # let url = path.to_str().ok_or("a path in UTF-8")?;
//! let mut store = Store::create(url, &SCHEMA, |_| Ok::<_, StoreError>(()))?;
//! store.write(|tx| tx.execute("INSERT INTO jars VALUES ($1, $2)", &["plums".into(), 500.into()]))?;
//! let row = store.read(|tx| tx.optional("SELECT grams FROM jars WHERE name = $1", &["plums".into()]))?;
//! assert_eq!(row.ok_or("no such jar")?.integer(0)?, 500);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod connection;
mod error;
mod place;
mod schema;
mod transaction;
mod value;

pub use error::StoreError;
pub use schema::Schema;
pub use transaction::{Store, Transaction};
pub use value::{Row, Value};
