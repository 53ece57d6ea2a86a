//! Where a circuit breaker is kept: one file, replaced whole, so that a process that dies leaves the old state or the new one.
//!
//! A file beside it, of the same name with `.lock` behind, is locked while the journal is in use: shared by those who rely on the breaker,
//! until they have recorded what they accepted, and by one alone who changes it. So nothing is accepted on a stance that was just left.
//!
//! A third one, with `.turn` behind, is a turnstile: whoever waits to change the journal stands in it, and nobody who comes after shares it
//! before that change, or one that is under way. Else verifications that overlap without end, of bundles that need not even be good, would
//! keep an observer out, and the stance from before a crash in place.

use std::fs::{File, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::breaker::Breaker;
use crate::file::{FileError, beside, read_file};
use crate::output::{Secrecy, WriteError, write_file};

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

/// A journal that nobody else reads or changes while this stands.
#[derive(Debug)]
#[must_use = "released when dropped"]
pub struct OwnJournal(Journal);

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
    /// It could not be written; the old state then stands.
    #[error(transparent)]
    Write(#[from] WriteError),
    /// It has several names: what is written under one is not seen under another.
    #[error("{}: the journal has a second name (a hard link), under which it would not change with this one: remove one of them", path.display())]
    Linked {
        /// The file.
        path: PathBuf,
    },
    /// It could not be locked.
    #[error("cannot {what} {}: {source}", path.display())]
    Io {
        /// What was tried.
        what: &'static str,
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// It would be larger than is read again; the old state then stands.
    #[error("{}: a breaker of {bytes} bytes, at most {MAX_JOURNAL_BYTES} are read", path.display())]
    Size {
        /// The file.
        path: PathBuf,
        /// How large it would be.
        bytes: usize,
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
    /// For whoever relies on the breaker: it does not change as long as this stands. Who has shared it does not share it again before this is dropped: with an
    /// observer waiting for the first, the second would wait for the observer.
    ///
    /// # Errors
    /// [`JournalError`].
    pub fn share(path: &Path) -> Result<Journal, JournalError> {
        if !exists(path)? {
            return Err(JournalError::NotFound { path: path.to_owned() });
        }
        Journal::open(path, Hold::Shared)
    }

    /// For whoever changes it. Waits for those who rely on it.
    ///
    /// # Errors
    /// [`JournalError`].
    pub fn hold(path: &Path) -> Result<OwnJournal, JournalError> {
        Journal::open(path, Hold::Alone).map(OwnJournal)
    }

    fn open(path: &Path, hold: Hold) -> Result<Journal, JournalError> {
        // By whatever name it is opened, there is one journal, and one lock.
        let path = &match exists(path)? {
            true => path.canonicalize().map_err(unreadable(path))?,
            false => path.to_owned(),
        };
        let turn = lock(beside(path, ".turn"), hold)?;
        let lock = lock(beside(path, ".lock"), hold)?;
        drop(turn);
        Ok(Journal {
            path: path.to_owned(),
            _lock: lock,
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
        if !exists(&self.path)? {
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
}

impl OwnJournal {
    /// As [`Journal::read`].
    ///
    /// # Errors
    /// As there.
    pub fn read(&self) -> Result<Option<Breaker>, JournalError> {
        self.0.read()
    }

    /// Writes the breaker: when this returns, it is on the disk.
    ///
    /// # Errors
    /// [`JournalError`].
    pub fn write(&mut self, breaker: &Breaker) -> Result<(), JournalError> {
        let written = Written {
            journal: VERSION,
            breaker,
        };
        let mut text = serde_json::to_vec(&written).map_err(|source| JournalError::Json {
            path: self.0.path.clone(),
            source,
        })?;
        text.push(b'\n');
        if text.len() > MAX_JOURNAL_BYTES {
            return Err(JournalError::Size {
                path: self.0.path.clone(),
                bytes: text.len(),
            });
        }
        Ok(write_file(&self.0.path, &text, Secrecy::Public, true)?)
    }
}

/// Waits until the file is locked. It is released when it is closed.
fn lock(path: PathBuf, hold: Hold) -> Result<File, JournalError> {
    // Who only shares needs no more than to read it, if somebody made it before.
    let opened = OpenOptions::new().write(true).create(true).truncate(false).open(&path);
    let opened = match (opened, hold) {
        (Err(_), Hold::Shared) => File::open(&path),
        (opened, _) => opened,
    };
    let io = |what| {
        let path = path.clone();
        move |source| JournalError::Io { what, path, source }
    };
    let file = opened.map_err(io("open"))?;
    match hold {
        Hold::Shared => file.lock_shared(),
        Hold::Alone => file.lock(),
    }
    .map_err(io("lock"))?;
    Ok(file)
}

/// Whether there is a journal. A link to what is not there is no place to begin one: that may be a disk which is not mounted, with a halt on it.
fn exists(path: &Path) -> Result<bool, JournalError> {
    match path.symlink_metadata() {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        _ => match has_one_name(&path.metadata().map_err(unreadable(path))?) {
            true => Ok(true),
            false => Err(JournalError::Linked { path: path.to_owned() }),
        },
    }
}

/// A journal is replaced whole: its second name would keep the old one.
#[cfg(unix)]
fn has_one_name(found: &std::fs::Metadata) -> bool {
    use std::os::unix::fs::MetadataExt as _;
    found.nlink() <= 1
}

#[cfg(not(unix))]
fn has_one_name(_: &std::fs::Metadata) -> bool {
    true
}

fn unreadable(path: &Path) -> impl Fn(io::Error) -> JournalError + '_ {
    move |source| JournalError::Io {
        what: "open",
        path: path.to_owned(),
        source,
    }
}
