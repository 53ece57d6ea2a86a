//! Reading files whole, with a cap that is checked before memory is taken.

use std::fs::{File, FileType};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use thiserror::Error;

/// Why a file could not be read.
#[derive(Debug, Error)]
pub enum FileError {
    /// The operating system refused.
    #[error("cannot read {}: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A folder, a device, a pipe: reading it could wait, or go on, for ever.
    #[error("{} is {what}, expected a plain file", path.display())]
    NotAFile {
        /// What stands there.
        path: PathBuf,
        /// Of which kind it is.
        what: &'static str,
    },
    /// Nothing is in it: a reader would complain of a byte 0 or a column 0.
    #[error("{}: the file is empty", path.display())]
    Empty {
        /// The file.
        path: PathBuf,
    },
    /// The file is larger than a file of its kind may be.
    #[error("{} is larger than {cap} bytes, the most that such a file may have", path.display())]
    TooLarge {
        /// The file.
        path: PathBuf,
        /// The cap in bytes.
        cap: usize,
    },
}

/// The bytes of the file at `path`, at least one and at most `cap` of them.
///
/// What is no plain file, or is longer than the cap by the file system's word, is refused before it is opened or read; reading then stops
/// behind the cap, for what grows.
///
/// # Errors
/// [`FileError`].
pub fn read_file(path: &Path, cap: usize) -> Result<Vec<u8>, FileError> {
    let io = |source| FileError::Io {
        path: path.to_owned(),
        source,
    };
    let too_large = || FileError::TooLarge {
        path: path.to_owned(),
        cap,
    };
    let not_a_file = |found: FileType| FileError::NotAFile {
        path: path.to_owned(),
        what: kind(found),
    };
    // Before it is opened: opening a pipe waits for somebody who writes to it.
    let found = std::fs::metadata(path).map_err(io)?.file_type();
    if !found.is_file() {
        return Err(not_a_file(found));
    }
    let file = File::open(path).map_err(io)?;
    let opened = file.metadata().map_err(io)?;
    if !opened.is_file() {
        return Err(not_a_file(opened.file_type()));
    }
    let length = opened.len();
    let limit = u64::try_from(cap).unwrap_or(u64::MAX);
    if length > limit {
        return Err(too_large());
    }
    let mut bytes = Vec::with_capacity(usize::try_from(length).unwrap_or(0));
    file.take(limit.saturating_add(1)).read_to_end(&mut bytes).map_err(io)?;
    match bytes.len() {
        0 => Err(FileError::Empty { path: path.to_owned() }),
        length if length > cap => Err(too_large()),
        _ => Ok(bytes),
    }
}

/// Puts the names of a folder's files onto the disk. A file system that cannot loses nothing by it, and elsewhere than on Unix no folder is opened.
///
/// # Errors
/// What the system said of the disk.
pub fn sync_folder(folder: &Path) -> io::Result<()> {
    if cfg!(not(unix)) {
        return Ok(());
    }
    match File::open(folder).and_then(|folder| folder.sync_all()) {
        Err(error)
            if !matches!(
                error.kind(),
                io::ErrorKind::Unsupported | io::ErrorKind::InvalidInput | io::ErrorKind::PermissionDenied
            ) =>
        {
            Err(error)
        }
        _ => Ok(()),
    }
}

/// The path with something behind its name.
pub fn beside(path: &Path, behind: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(behind);
    PathBuf::from(name)
}

/// What a file that is not a plain one is, in words.
fn kind(found: FileType) -> &'static str {
    #[cfg(unix)]
    {
        use std::os::unix::fs::FileTypeExt as _;
        if found.is_fifo() {
            return "a pipe";
        }
        if found.is_socket() {
            return "a socket";
        }
        if found.is_char_device() || found.is_block_device() {
            return "a device";
        }
    }
    if found.is_dir() { "a folder" } else { "something else" }
}

/// Where derived parameters are kept: `$XDG_CACHE_HOME/zkmargin`, or `$HOME/.cache/zkmargin`; `None` when neither variable is an
/// absolute path (the [XDG base directory specification](https://specifications.freedesktop.org/basedir-spec/latest/) ignores
/// relative ones). Everything works without a cache, only slower to start.
pub fn default_cache_dir() -> Option<PathBuf> {
    cache_dir_from(
        std::env::var_os("XDG_CACHE_HOME").map(PathBuf::from),
        std::env::var_os("HOME").map(PathBuf::from),
    )
}

fn cache_dir_from(xdg: Option<PathBuf>, home: Option<PathBuf>) -> Option<PathBuf> {
    let absolute = |path: Option<PathBuf>| path.filter(|path| path.is_absolute());
    absolute(xdg)
        .or_else(|| absolute(home).map(|home| home.join(".cache")))
        .map(|base| base.join("zkmargin"))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
    use super::*;

    #[test]
    fn file_at_its_cap_is_read_and_one_byte_more_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        std::fs::write(&path, [1, 2, 3]).unwrap();
        assert_eq!(read_file(&path, 3).unwrap(), [1, 2, 3]);
        assert!(matches!(read_file(&path, 2), Err(FileError::TooLarge { cap: 2, .. })));
        std::fs::write(&path, []).unwrap();
        assert!(matches!(read_file(&path, 2), Err(FileError::Empty { .. })));
        assert!(matches!(
            read_file(&folder.path().join("none"), 2),
            Err(FileError::Io { .. })
        ));
        assert!(
            matches!(
                read_file(folder.path(), 1 << 20),
                Err(FileError::NotAFile { what: "a folder", .. })
            ),
            "a folder is no file"
        );
    }

    #[cfg(unix)]
    #[test]
    fn devices_and_pipes_are_refused_and_not_waited_for() {
        assert!(matches!(
            read_file(Path::new("/dev/zero"), 1000),
            Err(FileError::NotAFile { what: "a device", .. })
        ));
        let folder = tempfile::tempdir().unwrap();
        let pipe = folder.path().join("pipe");
        // Nobody ever writes to it: whoever opens it waits for ever.
        let made = std::process::Command::new("mkfifo").arg(&pipe).status().unwrap();
        assert!(made.success());
        assert!(matches!(
            read_file(&pipe, 1000),
            Err(FileError::NotAFile { what: "a pipe", .. })
        ));
        let link = folder.path().join("link");
        std::os::unix::fs::symlink("/dev/zero", &link).unwrap();
        assert!(matches!(read_file(&link, 1000), Err(FileError::NotAFile { .. })));
    }

    #[cfg(unix)]
    #[test]
    fn file_that_grows_is_cut_off_behind_its_cap() {
        // A file of the kernel's has no length, but bytes.
        let path = Path::new("/proc/self/status");
        if path.exists() {
            assert!(matches!(read_file(path, 10), Err(FileError::TooLarge { cap: 10, .. })));
        }
    }

    #[test]
    fn cache_is_under_xdg_cache_home_or_else_under_home() {
        let path = |text: &str| Some(PathBuf::from(text));
        assert_eq!(cache_dir_from(path("/x"), path("/h")), path("/x/zkmargin"));
        assert_eq!(cache_dir_from(None, path("/h")), path("/h/.cache/zkmargin"));
        assert_eq!(cache_dir_from(path("relative"), path("/h")), path("/h/.cache/zkmargin"));
        assert_eq!(cache_dir_from(path(""), None), None);
    }
}
