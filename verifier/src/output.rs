//! Writing files so that a crash, a full disk or a second process leaves the old file or the new one, never half of either.
//!
//! Every output is written in full to a temporary file in its own folder, synchronised, and only then renamed. Outputs that
//! belong together are [staged](Outputs::stage) first and [committed](Outputs::commit) together. A process that a signal ends takes its
//! temporary files away by [`abandon`]; what a process left that could not is taken away by the next one that writes to the folder.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tempfile::NamedTempFile;
use thiserror::Error;

use crate::file::sync_folder;

/// Names of files that are being written begin and end so.
const PREFIX: &str = ".zkmargin-";
const SUFFIX: &str = ".tmp";
/// How long an unlocked temporary file must have been there to be somebody's leavings: one that was just created is not locked yet.
const STALE: Duration = Duration::from_secs(60);

/// Temporary files of this process, and some that are gone already. Held while one is created and while outputs get their names, so
/// that [`abandon`] meets all or none.
static UNFINISHED: Mutex<BTreeSet<PathBuf>> = Mutex::new(BTreeSet::new());

fn unfinished() -> MutexGuard<'static, BTreeSet<PathBuf>> {
    // A set of paths is whole at any instant, also where somebody panicked.
    UNFINISHED.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What [`abandon`] gives.
#[derive(Debug)]
#[must_use = "outputs are begun and named again once this is dropped"]
pub struct Abandoned(#[expect(dead_code, reason = "held")] MutexGuard<'static, BTreeSet<PathBuf>>);

/// Takes away every file of this process that has not got its name yet. No other is begun or named until what this gives is dropped:
/// for a process that ends now.
pub fn abandon() -> Abandoned {
    let mut files = unfinished();
    for path in std::mem::take(&mut *files) {
        let _ = std::fs::remove_file(path);
    }
    Abandoned(files)
}

/// Who may read an output.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum Secrecy {
    /// Whoever the user's `umask` lets.
    Public,
    /// The user alone, from the moment that the file exists: mode 0600.
    Secret,
}

/// Why an output was not written.
#[derive(Debug, Error)]
pub enum WriteError {
    /// Something is there already, and nobody said that it may be replaced.
    #[error("{} exists already; --force replaces it", path.display())]
    Exists {
        /// The output.
        path: PathBuf,
    },
    /// A folder, a device or a link: what is not a plain file is never replaced.
    #[error("{} is not a plain file and is not replaced", path.display())]
    NotAFile {
        /// The output.
        path: PathBuf,
    },
    /// What the same command reads.
    #[error("{} is read by the same command, and is not replaced", path.display())]
    Input {
        /// The output.
        path: PathBuf,
    },
    /// Two outputs of one command have one path.
    #[error("two outputs would be written to {}", path.display())]
    Twice {
        /// The output.
        path: PathBuf,
    },
    /// The operating system refused.
    #[error("cannot write {}: {source}", path.display())]
    Io {
        /// The output.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

/// The outputs of one command: all written, or, if a single one cannot be, none. But files that were replaced by then stay replaced.
#[derive(Debug)]
pub struct Outputs {
    replace: bool,
    /// What is reserved, by the one name that its folder has.
    places: BTreeSet<PathBuf>,
    /// What is never replaced, likewise.
    spared: BTreeSet<PathBuf>,
    staged: Vec<(PathBuf, Unfinished)>,
}

impl Outputs {
    /// No outputs yet; `replace` says whether existing files may be replaced.
    pub fn new(replace: bool) -> Outputs {
        Outputs {
            replace,
            places: BTreeSet::new(),
            spared: BTreeSet::new(),
            staged: Vec::new(),
        }
    }

    /// An input that no output may take the place of, such as a key: to be said before outputs are [reserved](Self::reserve).
    #[must_use]
    pub fn sparing<'p>(mut self, inputs: impl IntoIterator<Item = &'p PathBuf>) -> Outputs {
        // What is not there is refused by whoever reads it.
        let places = inputs.into_iter().filter_map(|input| input.canonicalize().ok());
        self.spared.extend(places);
        self
    }

    /// Refuses now what [`stage`](Self::stage) would refuse later: before hours of work, not after them.
    ///
    /// # Errors
    /// [`WriteError::Exists`], [`WriteError::NotAFile`], [`WriteError::Twice`], [`WriteError::Input`], and [`WriteError::Io`] for a missing folder.
    pub fn reserve(&mut self, path: &Path) -> Result<(), WriteError> {
        let io = |source| WriteError::Io {
            path: path.to_owned(),
            source,
        };
        let folder = folder_of(path);
        if !folder.is_dir() {
            let reason = format!("there is no folder {}", folder.display());
            return Err(io(io::Error::new(io::ErrorKind::NotFound, reason)));
        }
        // Of a name that ends in `..` or is none: a folder, which is refused below.
        let name = path.file_name().unwrap_or_default();
        // A folder has many names, and two outputs of which one is secret must not be one file.
        let place = folder.canonicalize().map_err(io)?.join(name);
        if self.spared.contains(&place) {
            return Err(WriteError::Input { path: path.to_owned() });
        }
        if !self.places.insert(place) {
            return Err(WriteError::Twice { path: path.to_owned() });
        }
        match path.symlink_metadata() {
            Ok(found) if !found.is_file() => Err(WriteError::NotAFile { path: path.to_owned() }),
            Ok(_) if !self.replace => Err(WriteError::Exists { path: path.to_owned() }),
            Err(source) if source.kind() != io::ErrorKind::NotFound => Err(io(source)),
            _ => Ok(()),
        }
    }

    /// Writes `bytes` beside a [reserved](Self::reserve) `path`, under another name.
    ///
    /// # Errors
    /// [`WriteError::Io`].
    pub fn stage(&mut self, path: &Path, bytes: &[u8], secrecy: Secrecy) -> Result<(), WriteError> {
        let io = |source| WriteError::Io {
            path: path.to_owned(),
            source: unnamed(source),
        };
        let mut file = Unfinished::begin(folder_of(path), secrecy).map_err(io)?;
        file.0.write_all(bytes).map_err(io)?;
        file.0.as_file().sync_all().map_err(io)?;
        self.staged.push((path.to_owned(), file));
        Ok(())
    }

    /// Gives every staged file its name. If one cannot have it, those that were new are taken away again; files that were replaced stay replaced.
    ///
    /// # Errors
    /// [`WriteError::Exists`] when somebody else wrote the file meanwhile; [`WriteError::Io`].
    pub fn commit(self) -> Result<(), WriteError> {
        let mut done: Vec<PathBuf> = Vec::new();
        // Of these, where there was nothing before.
        let mut new: Vec<PathBuf> = Vec::new();
        // Their names are given, or taken back, before a signal ends the process.
        let mut unfinished = unfinished();
        for (path, file) in self.staged {
            let file = file.0;
            unfinished.remove(file.path());
            let is_new = path.symlink_metadata().is_err();
            let persisted = if self.replace {
                file.persist(&path)
            } else {
                file.persist_noclobber(&path)
            };
            if let Err(error) = persisted {
                for path in &new {
                    let _ = std::fs::remove_file(path);
                }
                return Err(match error.error.kind() {
                    io::ErrorKind::AlreadyExists => WriteError::Exists { path },
                    _ => WriteError::Io {
                        path,
                        source: error.error,
                    },
                });
            }
            if is_new {
                new.push(path.clone());
            }
            done.push(path);
        }
        drop(unfinished);
        // The names last only once their folders are on the disk.
        let folders: BTreeSet<&Path> = done.iter().map(|path| folder_of(path)).collect();
        for folder in folders {
            sync_folder(folder).map_err(|source| WriteError::Io {
                path: folder.to_owned(),
                source,
            })?;
            let _ = sweep(folder);
        }
        Ok(())
    }
}

/// What the system said of a temporary file, without that file's name, which nobody asked for.
fn unnamed(error: io::Error) -> io::Error {
    let text = error.to_string();
    match text.split_once(" at path \"") {
        Some((reason, _)) => io::Error::new(error.kind(), reason),
        None => error,
    }
}

/// A temporary file, locked and known to [`abandon`] as long as it is one.
#[derive(Debug)]
struct Unfinished(NamedTempFile);

impl Unfinished {
    fn begin(folder: &Path, secrecy: Secrecy) -> io::Result<Unfinished> {
        let mut unfinished = unfinished();
        let file = temporary(folder, secrecy)?;
        // For other processes' `sweep`; a file system without locks has nothing swept either.
        let _ = file.as_file().try_lock();
        unfinished.insert(file.path().to_owned());
        Ok(Unfinished(file))
    }
}

/// Takes away temporary files that a killed process left in a folder: old ones on which nobody has a lock.
fn sweep(folder: &Path) -> io::Result<()> {
    for entry in folder.read_dir()? {
        let entry = entry?;
        let name = entry.file_name();
        let is_ours = name
            .to_str()
            .is_some_and(|name| name.starts_with(PREFIX) && name.ends_with(SUFFIX));
        if is_ours && entry.file_type()?.is_file() {
            let _ = sweep_one(&entry.path());
        }
    }
    Ok(())
}

fn sweep_one(path: &Path) -> io::Result<()> {
    let file = File::open(path)?;
    let age = file.metadata()?.modified()?.elapsed().unwrap_or_default();
    if age >= STALE && file.try_lock().is_ok() {
        std::fs::remove_file(path)?;
    }
    Ok(())
}

/// Writes one file, replacing an existing one only if `replace`.
///
/// # Errors
/// [`WriteError`].
pub fn write_file(path: &Path, bytes: &[u8], secrecy: Secrecy, replace: bool) -> Result<(), WriteError> {
    let mut outputs = Outputs::new(replace);
    outputs.reserve(path)?;
    outputs.stage(path, bytes, secrecy)?;
    outputs.commit()
}

fn folder_of(path: &Path) -> &Path {
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    }
}

#[cfg(unix)]
fn temporary(folder: &Path, secrecy: Secrecy) -> io::Result<NamedTempFile> {
    use std::os::unix::fs::PermissionsExt as _;
    let mode = match secrecy {
        // What the umask leaves of it.
        Secrecy::Public => 0o666,
        Secrecy::Secret => 0o600,
    };
    let permissions = std::fs::Permissions::from_mode(mode);
    tempfile::Builder::new()
        .prefix(PREFIX)
        .suffix(SUFFIX)
        .permissions(permissions)
        .tempfile_in(folder)
}

/// Elsewhere a folder's own rules say who may read.
#[cfg(not(unix))]
fn temporary(folder: &Path, _: Secrecy) -> io::Result<NamedTempFile> {
    tempfile::Builder::new()
        .prefix(PREFIX)
        .suffix(SUFFIX)
        .tempfile_in(folder)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
    use super::*;

    fn names(folder: &Path) -> Vec<String> {
        let mut names: Vec<String> = std::fs::read_dir(folder)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }

    #[test]
    fn existing_file_is_replaced_only_when_that_was_said() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        write_file(&path, b"old", Secrecy::Public, false).unwrap();
        assert!(matches!(
            write_file(&path, b"new", Secrecy::Public, false),
            Err(WriteError::Exists { .. })
        ));
        assert_eq!(std::fs::read(&path).unwrap(), b"old");
        write_file(&path, b"new", Secrecy::Public, true).unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), b"new");
        assert_eq!(names(folder.path()), ["file"]);
    }

    #[test]
    fn interrupted_write_leaves_the_old_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        write_file(&path, b"old", Secrecy::Public, false).unwrap();
        let mut outputs = Outputs::new(true);
        outputs.reserve(&path).unwrap();
        outputs.stage(&path, b"new", Secrecy::Public).unwrap();
        drop(outputs);
        assert_eq!(std::fs::read(&path).unwrap(), b"old");
        assert_eq!(names(folder.path()), ["file"]);
    }

    /// A file as another process would have left it, this long ago.
    fn leavings(folder: &Path, name: &str, age: Duration) -> File {
        let file = File::create(folder.join(name)).unwrap();
        file.set_modified(std::time::SystemTime::now() - age).unwrap();
        file
    }

    #[test]
    fn leavings_of_a_killed_process_are_taken_away_by_the_next_write() {
        let folder = tempfile::tempdir().unwrap();
        let at = folder.path();
        let old = STALE * 2;
        leavings(at, ".zkmargin-stale.tmp", old);
        leavings(at, ".zkmargin-young.tmp", Duration::ZERO);
        leavings(at, ".other-stale.tmp", old);
        let busy = leavings(at, ".zkmargin-busy.tmp", old);
        busy.lock().unwrap();
        std::fs::create_dir(at.join(".zkmargin-folder.tmp")).unwrap();
        write_file(&at.join("file"), b"x", Secrecy::Public, false).unwrap();
        let left = [
            ".other-stale.tmp",
            ".zkmargin-busy.tmp",
            ".zkmargin-folder.tmp",
            ".zkmargin-young.tmp",
            "file",
        ];
        assert_eq!(names(at), left);
    }

    #[test]
    fn unfinished_files_are_known_until_they_have_their_name() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        let mut outputs = Outputs::new(false);
        outputs.reserve(&path).unwrap();
        outputs.stage(&path, b"x", Secrecy::Secret).unwrap();
        let known = || {
            let here = |path: &&PathBuf| path.parent() == Some(folder.path());
            unfinished().iter().filter(here).count()
        };
        assert_eq!((known(), names(folder.path()).len()), (1, 1));
        outputs.commit().unwrap();
        assert_eq!((known(), names(folder.path())), (0, vec!["file".to_owned()]));
    }

    #[test]
    fn outputs_that_belong_together_are_written_together_or_not_at_all() {
        let folder = tempfile::tempdir().unwrap();
        let (first, second) = (folder.path().join("a"), folder.path().join("b"));
        let mut outputs = Outputs::new(false);
        for path in [&first, &second] {
            outputs.reserve(path).unwrap();
            outputs.stage(path, b"new", Secrecy::Public).unwrap();
        }
        std::fs::write(&second, b"somebody else's").unwrap();
        assert!(matches!(outputs.commit(), Err(WriteError::Exists { path }) if path == second));
        assert_eq!(names(folder.path()), ["b"]);
    }

    #[test]
    fn new_outputs_are_taken_away_and_replaced_ones_stay_when_one_cannot_have_its_name() {
        let folder = tempfile::tempdir().unwrap();
        let paths = ["a", "b", "c"].map(|name| folder.path().join(name));
        let [new, replaced, refused] = &paths;
        std::fs::write(replaced, b"old").unwrap();
        let mut outputs = Outputs::new(true);
        for path in &paths {
            outputs.reserve(path).unwrap();
            outputs.stage(path, b"new", Secrecy::Public).unwrap();
        }
        // A folder is never replaced by a file.
        std::fs::create_dir(refused).unwrap();
        assert!(matches!(outputs.commit(), Err(WriteError::Io { path, .. }) if path == *refused));
        assert!(!new.exists());
        assert_eq!(std::fs::read(replaced).unwrap(), b"new");
        assert_eq!(names(folder.path()), ["b", "c"]);
    }

    #[test]
    fn refusal_of_the_system_does_not_name_a_temporary_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("none/file");
        let mut outputs = Outputs::new(false);
        let said = outputs.stage(&path, b"x", Secrecy::Public).unwrap_err().to_string();
        assert!(
            said.starts_with(&format!("cannot write {}: ", path.display())),
            "{said}"
        );
        assert!(!said.contains(PREFIX) && said.contains("os error"), "{said}");
    }

    #[test]
    fn one_file_for_two_outputs_however_it_is_named_a_folder_and_a_missing_folder_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        let mut outputs = Outputs::new(true);
        let path = folder.path().join("a");
        outputs.reserve(&path).unwrap();
        std::fs::create_dir(folder.path().join("sub")).unwrap();
        for same in ["a", "./a", "sub/../a"] {
            let same = folder.path().join(same);
            assert!(
                matches!(outputs.reserve(&same), Err(WriteError::Twice { .. })),
                "{}",
                same.display()
            );
        }
        assert!(matches!(
            outputs.reserve(folder.path()),
            Err(WriteError::NotAFile { .. })
        ));
        assert!(matches!(
            outputs.reserve(&folder.path().join("none/a")),
            Err(WriteError::Io { .. })
        ));
    }

    #[test]
    fn input_is_not_replaced_however_it_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let key = folder.path().join("key");
        std::fs::write(&key, "secret").unwrap();
        let mut outputs = Outputs::new(true).sparing([&key, &folder.path().join("absent")]);
        let refused = outputs.reserve(&folder.path().join("./key"));
        assert!(matches!(refused, Err(WriteError::Input { .. })));
        outputs.reserve(&folder.path().join("other")).unwrap();
    }

    #[cfg(unix)]
    #[test]
    fn secret_file_is_0600_also_when_it_replaces_an_open_one() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("key");
        let mode = || path.metadata().unwrap().permissions().mode() & 0o777;
        write_file(&path, b"x", Secrecy::Secret, false).unwrap();
        assert_eq!(mode(), 0o600);
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o644)).unwrap();
        write_file(&path, b"y", Secrecy::Secret, true).unwrap();
        assert_eq!(mode(), 0o600);
    }
}
