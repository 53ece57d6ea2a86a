//! The partner's files. Every error names its file.

use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::{Context as _, bail};
use zkmargin_risk::history::History;
use zkmargin_risk::instant::Instant;
use zkmargin_risk::json::MAX_BYTES;
use zkmargin_risk::market::Snapshot;
use zkmargin_risk::model::{Model, PRESETS};
use zkmargin_risk::universe::Universe;
use zkmargin_verifier::envelope::FileKind;
use zkmargin_verifier::facts::check_venue_keys;
use zkmargin_verifier::file::read_file;
use zkmargin_verifier::policy::MAX_POLICY_BYTES;
use zkmargin_verifier::{Policy, SnapshotSignature, words};

use crate::Failure;

/// The bytes of a file in which there should be `what`. An empty one is refused as such: a reader would complain of a byte 0 or a column 0.
pub(crate) fn bytes(path: &Path, cap: usize, what: &str) -> anyhow::Result<Vec<u8>> {
    let bytes = read_file(path, cap)?;
    if bytes.is_empty() {
        bail!("{}: the file is empty, expected {what}", path.display());
    }
    Ok(bytes)
}

/// Reads a file and what is in it; an error names the file.
pub(crate) fn load<T>(
    path: &Path,
    cap: usize,
    what: &str,
    read: impl FnOnce(&[u8]) -> anyhow::Result<T>,
) -> anyhow::Result<T> {
    read(&bytes(path, cap, what)?).with_context(|| path.display().to_string())
}

fn text(bytes: &[u8]) -> anyhow::Result<&str> {
    std::str::from_utf8(bytes).context("not UTF-8")
}

pub(crate) fn load_model(name: &Path) -> anyhow::Result<Model> {
    let preset = name
        .to_str()
        .filter(|name| PRESETS.iter().any(|(preset, _)| preset == name));
    match preset {
        Some(preset) => Ok(Model::preset(preset)?),
        None if !name.exists() => bail!("--model: {}", words::no_model(name)),
        None => load(name, MAX_BYTES, "a model", |bytes| Ok(Model::from_json(text(bytes)?)?)),
    }
}

/// The model with the history that it needs.
pub(crate) fn with_history(model: Model, path: Option<&Path>) -> anyhow::Result<Model> {
    match (path, model.history()) {
        (None, None) => Ok(model),
        (None, Some(digest)) => bail!("--history: {}", words::no_history(model.name(), digest)),
        (Some(path), _) => {
            let history = load(path, MAX_BYTES, "a price history", |bytes| {
                Ok(History::from_json(text(bytes)?)?)
            })?;
            model.with_history(history).with_context(|| path.display().to_string())
        }
    }
}

fn now() -> anyhow::Result<Instant> {
    let since = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .context("the system's clock is before 1970")?;
    Ok(Instant::from_millis(u64::try_from(since.as_millis())?)?)
}

/// The instant given, or that of the system's clock.
pub(crate) fn instant(given: Option<Instant>) -> Result<Instant, Failure> {
    match given {
        Some(at) => Ok(at),
        None => now().map_err(Failure::usage),
    }
}

pub(crate) fn policy(path: &Path) -> Result<Policy, Failure> {
    load(path, MAX_POLICY_BYTES, "a policy", |bytes| {
        Ok(Policy::from_json(bytes)?)
    })
    .map_err(Failure::usage)
}

pub(crate) fn snapshot(path: &Path) -> Result<Snapshot, Failure> {
    load(path, MAX_BYTES, "a snapshot", |bytes| {
        Ok(Snapshot::from_json(text(bytes)?)?)
    })
    .map_err(Failure::usage)
}

pub(crate) fn signatures(paths: &[PathBuf]) -> Result<Vec<SnapshotSignature>, Failure> {
    let one = |path: &PathBuf| {
        let cap = FileKind::SnapshotSignature.max_bytes();
        load(path, cap, "a signature on a snapshot", |bytes| {
            Ok(SnapshotSignature::from_bytes(bytes)?)
        })
    };
    paths
        .iter()
        .map(one)
        .collect::<anyhow::Result<_>>()
        .map_err(Failure::usage)
}

pub(crate) fn universe(path: &Path) -> Result<Universe, Failure> {
    load(path, MAX_BYTES, "a universe", |bytes| {
        let universe = Universe::from_json(text(bytes)?)?;
        check_venue_keys(&universe)?;
        Ok(universe)
    })
    .map_err(Failure::usage)
}
