//! The files of facts, from where they are kept. Every error names its file.

use std::error::Error;
use std::path::{Path, PathBuf};
use std::str::Utf8Error;

use thiserror::Error;
use zkmargin_risk::canonical::Digest;
use zkmargin_risk::history::History;
use zkmargin_risk::json::MAX_BYTES;
use zkmargin_risk::market::Snapshot;
use zkmargin_risk::model::{Model, ModelError, PRESETS};
use zkmargin_risk::universe::{Universe, UniverseError};

use crate::facts::{UnusableVenueKey, check_venue_keys};
use crate::file::{FileError, read_file};
use crate::words;

/// Why a file does not give what it should.
#[derive(Debug, Error)]
pub enum LoadError {
    /// It cannot be read.
    #[error(transparent)]
    File(#[from] FileError),
    /// What is in it is something else; the source says what is wrong.
    #[error("{}", path.display())]
    Content {
        /// The file.
        path: PathBuf,
        /// What its reader says.
        source: Box<dyn Error + Send + Sync>,
    },
    /// Neither a preset nor a file.
    #[error("{}", words::no_model(name))]
    NoModel {
        /// What was asked for.
        name: PathBuf,
    },
    /// A preset that is none.
    #[error(transparent)]
    Preset(#[from] ModelError),
    /// A model that needs a price history, and there is none.
    #[error("{}", words::no_history(model, *history))]
    NoHistory {
        /// The model.
        model: String,
        /// Digest of the history that it needs.
        history: Digest,
    },
}

/// Why a text is no universe that a tool takes.
#[derive(Debug, Error)]
pub enum UnusableUniverse {
    /// It is none.
    #[error(transparent)]
    Universe(#[from] UniverseError),
    /// A venue has a key that cannot sign.
    #[error(transparent)]
    Key(#[from] UnusableVenueKey),
}

/// Bytes that are no text.
#[derive(Copy, Clone, Debug, PartialEq, Eq, Error)]
#[error("not UTF-8 text")]
pub struct NotText(#[from] Utf8Error);

/// JSON and CSV files are UTF-8.
///
/// # Errors
/// [`NotText`].
pub fn text(bytes: &[u8]) -> Result<&str, NotText> {
    Ok(std::str::from_utf8(bytes)?)
}

fn load<T, E: Into<Box<dyn Error + Send + Sync>>>(
    path: &Path,
    read: impl FnOnce(&str) -> Result<T, E>,
) -> Result<T, LoadError> {
    let bytes = read_file(path, MAX_BYTES)?;
    let read = text(&bytes)
        .map_err(Into::into)
        .and_then(|text| read(text).map_err(Into::into));
    read.map_err(|source| LoadError::Content {
        path: path.to_owned(),
        source,
    })
}

/// A universe in which every venue's keys can sign.
///
/// # Errors
/// [`UnusableUniverse`].
pub fn universe_of(text: &str) -> Result<Universe, UnusableUniverse> {
    let universe = Universe::from_json(text)?;
    check_venue_keys(&universe)?;
    Ok(universe)
}

/// Reads a [universe](universe_of).
///
/// # Errors
/// [`LoadError`].
pub fn universe(path: &Path) -> Result<Universe, LoadError> {
    load(path, universe_of)
}

/// Reads a snapshot.
///
/// # Errors
/// [`LoadError`].
pub fn snapshot(path: &Path) -> Result<Snapshot, LoadError> {
    load(path, Snapshot::from_json)
}

/// Reads a price history.
///
/// # Errors
/// [`LoadError`].
pub fn history(path: &Path) -> Result<History, LoadError> {
    load(path, History::from_json)
}

/// The name, if it is that of a preset.
pub fn preset(name: &Path) -> Option<&str> {
    name.to_str()
        .filter(|name| PRESETS.iter().any(|(preset, _)| preset == name))
}

/// Reads a model, or takes a preset.
///
/// # Errors
/// [`LoadError`].
pub fn model(name: &Path) -> Result<Model, LoadError> {
    match preset(name) {
        Some(preset) => Ok(Model::preset(preset)?),
        None if !name.exists() => Err(LoadError::NoModel { name: name.to_owned() }),
        None => load(name, Model::from_json),
    }
}

/// The model with the price history in a file, where it needs one.
///
/// # Errors
/// [`LoadError`].
pub fn with_history(model: Model, path: Option<&Path>) -> Result<Model, LoadError> {
    match (path, model.history()) {
        (None, None) => Ok(model),
        (None, Some(history)) => Err(LoadError::NoHistory {
            model: model.name().to_owned(),
            history,
        }),
        (Some(path), _) => model.with_history(history(path)?).map_err(|error| LoadError::Content {
            path: path.to_owned(),
            source: error.into(),
        }),
    }
}
