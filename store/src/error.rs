//! What can go wrong with a database, in words for whoever runs it.

use std::time::Duration;

use thiserror::Error;

use crate::place::Place;

/// Why the database did not do what was asked. No variant holds a value of a row or a password.
#[derive(Debug, Error)]
pub enum StoreError {
    /// Not a path, and not a URL of a database that this build knows.
    #[error("{text:?} names no database: {reason}; a path, sqlite:PATH and postgres://USER@HOST/DATABASE do")]
    Url {
        /// The text up to what may be a password.
        text: String,
        /// What is wrong.
        reason: String,
    },
    /// Nothing is there.
    #[error("{place}: there is no such database")]
    NotFound {
        /// Which database.
        place: Place,
    },
    /// Something is there already.
    #[error("{place}: there is {found} already, and it is not replaced")]
    Exists {
        /// Which database.
        place: Place,
        /// What is there.
        found: String,
    },
    /// A folder, a device, a pipe.
    #[error("{place}: not a plain file")]
    NotAFile {
        /// Which database.
        place: Place,
    },
    /// A file with several names: what is written under one need not be seen under another.
    #[error(
        "{place}: the file has a second name (a hard link), under which it would be another database: remove one of them"
    )]
    Linked {
        /// Which database.
        place: Place,
    },
    /// A file that is no database, or a database without our tables.
    #[error("{place}: not a database of the kind {expected:?}: {reason}")]
    Foreign {
        /// Which database.
        place: Place,
        /// The application that should be there.
        expected: &'static str,
        /// What is there instead.
        reason: String,
    },
    /// A database of a later release.
    #[error("{place}: its tables have version {found}, this build knows up to version {known}: use a newer release")]
    Newer {
        /// Which database.
        place: Place,
        /// Its version.
        found: i64,
        /// The latest that this build knows.
        known: i64,
    },
    /// It cannot be opened or reached: permissions, a missing folder, a server that is not there or does not let us in.
    #[error("{place}: cannot be opened: {reason}")]
    Unreachable {
        /// Which database.
        place: Place,
        /// What the system said.
        reason: String,
    },
    /// Its file or its folder may not be written to.
    #[error("{place}: read-only: the file and its folder must be writable ({reason}); this change was not made")]
    ReadOnly {
        /// Which database.
        place: Place,
        /// What the system said.
        reason: String,
    },
    /// No room.
    #[error("{place}: the disk is full ({reason}); this change was not made")]
    Full {
        /// Which database.
        place: Place,
        /// What the system said.
        reason: String,
    },
    /// The disk does not do what it should.
    #[error("{place}: the disk failed: {reason}; what was committed before is kept, this change is not")]
    Disk {
        /// Which database.
        place: Place,
        /// What the system said.
        reason: String,
    },
    /// The file is damaged.
    #[error("{place}: the database is damaged: {reason}; restore it from a copy")]
    Damaged {
        /// Which database.
        place: Place,
        /// What the system said.
        reason: String,
    },
    /// Another process writes, and did not finish in time.
    #[error("{place}: locked by another process for more than {} s; this change was not made", waited.as_secs())]
    Locked {
        /// Which database.
        place: Place,
        /// How long was waited.
        waited: Duration,
    },
    /// Others kept changing the same rows.
    #[error("{place}: {attempts} attempts collided with changes that others made; this change was not made")]
    Contended {
        /// Which database.
        place: Place,
        /// How often it was tried.
        attempts: u32,
    },
    /// The connection broke while the change was being committed.
    #[error(
        "{place}: the connection broke during a commit ({reason}): it may or may not have been made; run the command again"
    )]
    Unknown {
        /// Which database.
        place: Place,
        /// What the system said.
        reason: String,
    },
    /// The server is set so that it loses what it confirmed.
    #[error("{place}: the server has {setting} = off, so that it may lose what it confirmed")]
    NotDurable {
        /// Which database.
        place: Place,
        /// The setting.
        setting: &'static str,
    },
    /// A rule of the tables.
    #[error("{place}: refused by a constraint of its tables: {reason}")]
    Constraint {
        /// Which database.
        place: Place,
        /// Which one.
        reason: String,
    },
    /// A column that does not hold what it should.
    #[error("column {column} of a row holds {found}, expected {expected}")]
    Column {
        /// Which column of the answer.
        column: usize,
        /// What it holds.
        found: &'static str,
        /// What it should hold.
        expected: &'static str,
    },
    /// An answer of another number of rows than the statement gives.
    #[error("{rows} rows where one was expected")]
    Rows {
        /// How many.
        rows: usize,
    },
    /// Anything else that the database said.
    #[error("{place}: {reason}")]
    Other {
        /// Which database.
        place: Place,
        /// What it said.
        reason: String,
    },
}
