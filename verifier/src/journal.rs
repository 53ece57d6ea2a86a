//! Where a circuit breaker is kept: one file, replaced whole, so that a process that dies leaves the old state or the new one.
//!
//! A file beside it, of the same name with `.lock` behind, is locked while the journal is in use: shared by those who rely on the breaker,
//! until they have recorded what they accepted, and by one alone who changes it. So nothing is accepted on a stance that was just left.

use std::fs::{File, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::breaker::Breaker;
use crate::file::{FileError, beside, read_file, write_whole};

/// Most bytes of a journal.
pub const MAX_JOURNAL_BYTES: usize = 1 << 28;
/// The only version of journals, so far.
const VERSION: u32 = 1;

/// A journal that nobody changes while this stands.
#[derive(Debug)]
#[must_use = "whoever relies on the breaker holds this until what it accepted is recorded"]
pub struct Journal {
    path: PathBuf,
    /// Released when it is closed.
    _lock: File,
}

/// Why a journal could not be used.
#[derive(Debug, Error)]
pub enum JournalError {
    /// It could not be read.
    #[error(transparent)]
    Read(#[from] FileError),
    /// It is not there.
    #[error("{}: there is no such journal; `zkmargin-verify breaker observe` begins one", path.display())]
    NotFound {
        /// The file.
        path: PathBuf,
    },
    /// It could not be locked or written.
    #[error("cannot {what} {}: {source}", path.display())]
    Io {
        /// What was tried.
        what: &'static str,
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// Not a journal; the message has line and column.
    #[error("{}: not a breaker's journal: {source}", path.display())]
    Json {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        source: serde_json::Error,
    },
    /// A version that this build does not read.
    #[error("{}: journal of version {found}, this build reads version {VERSION}", path.display())]
    Version {
        /// The file.
        path: PathBuf,
        /// Its version.
        found: u32,
    },
}

#[derive(Serialize)]
struct Written<'a> {
    journal: u32,
    breaker: &'a Breaker,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Read {
    journal: u32,
    breaker: Breaker,
}

#[derive(Copy, Clone)]
enum Hold {
    Shared,
    Alone,
}

impl Journal {
    /// For whoever relies on the breaker: it does not change as long as this stands.
    ///
    /// # Errors
    /// [`JournalError`].
    pub fn share(path: &Path) -> Result<Journal, JournalError> {
        if !path.exists() {
            return Err(JournalError::NotFound { path: path.to_owned() });
        }
        Journal::open(path, Hold::Shared)
    }

    /// For whoever changes it. Waits for those who rely on it.
    ///
    /// # Errors
    /// [`JournalError`].
    pub fn hold(path: &Path) -> Result<Journal, JournalError> {
        Journal::open(path, Hold::Alone)
    }

    fn open(path: &Path, hold: Hold) -> Result<Journal, JournalError> {
        let lock = beside(path, ".lock");
        let io = |what| {
            let path = lock.clone();
            move |source| JournalError::Io { what, path, source }
        };
        // Who only shares needs no more than to read it, if somebody made it before.
        let opened = OpenOptions::new().write(true).create(true).truncate(false).open(&lock);
        let opened = match (opened, hold) {
            (Err(_), Hold::Shared) => File::open(&lock),
            (opened, _) => opened,
        };
        let file = opened.map_err(io("open"))?;
        match hold {
            Hold::Shared => file.lock_shared(),
            Hold::Alone => file.lock(),
        }
        .map_err(io("lock"))?;
        Ok(Journal {
            path: path.to_owned(),
            _lock: file,
        })
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The breaker as it was last written; `None` where none ever was. It is good as long as this journal is held.
    ///
    /// # Errors
    /// [`JournalError`].
    pub fn read(&self) -> Result<Option<Breaker>, JournalError> {
        if !self.path.exists() {
            return Ok(None);
        }
        let path = || self.path.clone();
        let bytes = read_file(&self.path, MAX_JOURNAL_BYTES)?;
        let read: Read =
            zkmargin_risk::json::from_slice(&bytes).map_err(|source| JournalError::Json { path: path(), source })?;
        if read.journal != VERSION {
            return Err(JournalError::Version {
                path: path(),
                found: read.journal,
            });
        }
        Ok(Some(read.breaker))
    }

    /// Writes the breaker: when this returns, it is on the disk.
    ///
    /// # Errors
    /// [`JournalError`]; the old state then stands.
    pub fn write(&mut self, breaker: &Breaker) -> Result<(), JournalError> {
        let written = Written {
            journal: VERSION,
            breaker,
        };
        let mut text = serde_json::to_vec(&written).map_err(|source| JournalError::Json {
            path: self.path.clone(),
            source,
        })?;
        text.push(b'\n');
        write_whole(&self.path, &text).map_err(|source| JournalError::Io {
            what: "write",
            path: self.path.clone(),
            source,
        })
    }
}
