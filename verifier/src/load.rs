//! The files that both tools read, on their command lines: every error names its file.

use std::path::Path;

use anyhow::{Context as _, bail};
use zeroize::Zeroizing;
use zkmargin_risk::history::History;
use zkmargin_risk::json::MAX_BYTES;
use zkmargin_risk::market::Snapshot;
use zkmargin_risk::model::{Model, PRESETS};
use zkmargin_risk::universe::Universe;

use crate::facts::check_venue_keys;
use crate::file::read_file;
use crate::words;

/// Reads a file of at most `cap` bytes, and what is in it.
///
/// # Errors
/// What the file, or `read`, says.
pub fn load<T>(path: &Path, cap: usize, read: impl FnOnce(&[u8]) -> anyhow::Result<T>) -> anyhow::Result<T> {
    // Overwritten when dropped, whatever it is: some of these files are secret.
    let bytes = Zeroizing::new(read_file(path, cap)?);
    read(&bytes).with_context(|| path.display().to_string())
}

/// JSON and CSV files are UTF-8.
///
/// # Errors
/// They are not.
pub fn text(bytes: &[u8]) -> anyhow::Result<&str> {
    std::str::from_utf8(bytes).context("not UTF-8 text")
}

/// A universe in which every venue's keys can sign.
///
/// # Errors
/// What is wrong with it.
pub fn universe_of(text: &str) -> anyhow::Result<Universe> {
    let universe = Universe::from_json(text)?;
    check_venue_keys(&universe)?;
    Ok(universe)
}

/// Reads a [universe](universe_of).
///
/// # Errors
/// With the file's name.
pub fn universe(path: &Path) -> anyhow::Result<Universe> {
    load(path, MAX_BYTES, |bytes| universe_of(text(bytes)?))
}

/// Reads a snapshot.
///
/// # Errors
/// With the file's name.
pub fn snapshot(path: &Path) -> anyhow::Result<Snapshot> {
    load(path, MAX_BYTES, |bytes| Ok(Snapshot::from_json(text(bytes)?)?))
}

/// Reads a price history.
///
/// # Errors
/// With the file's name.
pub fn history(path: &Path) -> anyhow::Result<History> {
    load(path, MAX_BYTES, |bytes| Ok(History::from_json(text(bytes)?)?))
}

/// The name, if it is that of a preset.
pub fn preset(name: &Path) -> Option<&str> {
    name.to_str()
        .filter(|name| PRESETS.iter().any(|(preset, _)| preset == name))
}

/// Reads a model, or takes a preset.
///
/// # Errors
/// With the file's name, or that there is neither.
pub fn model(name: &Path) -> anyhow::Result<Model> {
    match preset(name) {
        Some(preset) => Ok(Model::preset(preset)?),
        None if !name.exists() => bail!("{}", words::no_model(name)),
        None => load(name, MAX_BYTES, |bytes| Ok(Model::from_json(text(bytes)?)?)),
    }
}

/// The model with the price history in a file, where it needs one.
///
/// # Errors
/// With the file's name, or that of the flag which is missing.
pub fn with_history(model: Model, path: Option<&Path>) -> anyhow::Result<Model> {
    match (path, model.history()) {
        (None, None) => Ok(model),
        (None, Some(digest)) => bail!("--history: {}", words::no_history(model.name(), digest)),
        (Some(path), _) => {
            let history = history(path)?;
            model.with_history(history).with_context(|| path.display().to_string())
        }
    }
}
