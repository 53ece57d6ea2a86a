//! A lock for whoever must work alone, such as in a folder: a file that one process at a time has, and that ends with the process however
//! it ends.

use std::fs::{File, OpenOptions, TryLockError};
use std::io;
use std::path::{Path, PathBuf};

use thiserror::Error;
use zkmargin_verifier::file::beside;

/// A locked file; taken away and released when dropped. The file of a process that was killed stays, and is free.
#[derive(Debug)]
#[must_use = "released when dropped"]
pub struct Lock {
    path: PathBuf,
    /// Released when it is closed.
    _file: File,
}

/// Why a lock could not be taken.
#[derive(Debug, Error)]
pub enum LockError {
    /// Somebody has it.
    #[error("{}: another zkmargin is at work on it", path.display())]
    Held {
        /// The lock file.
        path: PathBuf,
    },
    /// The operating system refused.
    #[error("cannot lock {}: {source}", path.display())]
    Io {
        /// The lock file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

impl Lock {
    /// [Locks](Self::take) the file whose name is that of `path` with `.lock` behind it: for whoever replaces the file at `path`.
    ///
    /// # Errors
    /// As [`take`](Self::take).
    pub fn beside(path: &Path) -> Result<Lock, LockError> {
        Lock::take(&beside(path, ".lock"))
    }

    /// Locks a file, which is made if it is not there. Does not wait.
    ///
    /// # Errors
    /// [`LockError::Held`] where somebody else has it, [`LockError::Io`] where the file cannot be made or locked.
    pub fn take(path: &Path) -> Result<Lock, LockError> {
        let of_path = || path.to_owned();
        let io = |source| LockError::Io {
            path: of_path(),
            source,
        };
        loop {
            let mut options = OpenOptions::new();
            let file = options
                .write(true)
                .create(true)
                .truncate(false)
                .open(path)
                .map_err(io)?;
            match file.try_lock() {
                Ok(()) => {}
                Err(TryLockError::WouldBlock) => return Err(LockError::Held { path: of_path() }),
                Err(TryLockError::Error(source)) => return Err(io(source)),
            }
            // Whoever had it may have taken the file away after we opened it: then others lock another one of that name.
            if is_at(&file, path).map_err(io)? {
                return Ok(Lock {
                    path: of_path(),
                    _file: file,
                });
            }
        }
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        // Only where it can be told whether a file is still the one of its name.
        if cfg!(unix) {
            let _ = std::fs::remove_file(&self.path);
        }
    }
}

/// Whether a path still leads to an open file.
#[cfg(unix)]
fn is_at(file: &File, path: &Path) -> io::Result<bool> {
    use std::os::unix::fs::MetadataExt as _;
    let own = file.metadata()?;
    match path.metadata() {
        Ok(there) => Ok((own.dev(), own.ino()) == (there.dev(), there.ino())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}

/// Elsewhere lock files are never taken away.
#[cfg(not(unix))]
fn is_at(_: &File, _: &Path) -> io::Result<bool> {
    Ok(true)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn lock_is_one_holders_at_a_time_and_leaves_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(".lock");
        let lock = Lock::take(&path).unwrap();
        let refused = Lock::take(&path).unwrap_err();
        assert!(matches!(refused, LockError::Held { .. }), "{refused}");
        assert_eq!(
            refused.to_string(),
            format!("{}: another zkmargin is at work on it", path.display())
        );
        drop(lock);
        assert!(!path.exists() || cfg!(not(unix)));
        drop(Lock::take(&path).unwrap());
    }

    #[test]
    fn file_that_a_killed_process_left_is_free() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(".lock");
        std::fs::write(&path, "").unwrap();
        drop(Lock::take(&path).unwrap());
    }

    #[test]
    fn threads_that_lock_and_release_without_pause_are_never_two_at_a_time() {
        use std::sync::atomic::{AtomicUsize, Ordering};
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(".lock");
        let (inside, taken) = (AtomicUsize::new(0), AtomicUsize::new(0));
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    for _ in 0..2_000 {
                        if let Ok(_lock) = Lock::take(&path) {
                            assert_eq!(inside.fetch_add(1, Ordering::SeqCst), 0);
                            taken.fetch_add(1, Ordering::SeqCst);
                            inside.fetch_sub(1, Ordering::SeqCst);
                        }
                    }
                });
            }
        });
        assert!(taken.into_inner() > 0);
    }

    #[test]
    fn lock_in_a_missing_folder_is_an_error_that_names_the_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("none").join(".lock");
        let refused = Lock::take(&path).unwrap_err();
        assert!(matches!(refused, LockError::Io { .. }), "{refused}");
        assert!(refused.to_string().contains(&path.display().to_string()));
    }
}
