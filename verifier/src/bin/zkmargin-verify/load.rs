//! The partner's files, and the exit code where one is not what it should be.

use std::path::{Path, PathBuf};

use anyhow::Context as _;
use zkmargin_risk::instant::Instant;
use zkmargin_verifier::envelope::FileKind;
use zkmargin_verifier::file::read_file;
use zkmargin_verifier::policy::MAX_POLICY_BYTES;
use zkmargin_verifier::{Policy, SnapshotSignature, clock};

use crate::Failure;

/// Reads a file and what is in it; an error names the file.
pub(crate) fn load<T>(path: &Path, cap: usize, read: impl FnOnce(&[u8]) -> anyhow::Result<T>) -> anyhow::Result<T> {
    read(&read_file(path, cap)?).with_context(|| path.display().to_string())
}

/// The instant given, or that of the system's clock.
pub(crate) fn instant(given: Option<Instant>) -> Result<Instant, Failure> {
    match given {
        Some(at) => Ok(at),
        None => clock::now().map_err(Failure::usage),
    }
}

pub(crate) fn policy(path: &Path) -> Result<Policy, Failure> {
    load(path, MAX_POLICY_BYTES, |bytes| Ok(Policy::from_json(bytes)?)).map_err(Failure::usage)
}

pub(crate) fn signatures(paths: &[PathBuf]) -> Result<Vec<SnapshotSignature>, Failure> {
    let one = |path: &PathBuf| {
        let cap = FileKind::SnapshotSignature.max_bytes();
        load(path, cap, |bytes| Ok(SnapshotSignature::from_bytes(bytes)?))
    };
    paths
        .iter()
        .map(one)
        .collect::<anyhow::Result<_>>()
        .map_err(Failure::usage)
}
