//! Files that verbs read, and where they are written. Every error names its file.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use clap::Args;
use zeroize::Zeroizing;
use zkmargin_circuits::Parameters;
use zkmargin_prover::keys::{KeyFile, MAX_KEY_FILE_BYTES, Role};
use zkmargin_prover::output::Outputs;
use zkmargin_risk::account::AccountVector;
use zkmargin_risk::history::History;
use zkmargin_risk::json::MAX_BYTES;
use zkmargin_risk::market::Snapshot;
use zkmargin_risk::model::{Model, PRESETS};
use zkmargin_risk::universe::Universe;
use zkmargin_verifier::envelope::FileKind;
use zkmargin_verifier::facts::check_venue_keys;
use zkmargin_verifier::file::{default_cache_dir, read_file};
use zkmargin_verifier::{Opening, PublicKey, SignedAttestation, words};

/// Most bytes of an account's file.
const MAX_ACCOUNT_BYTES: usize = 1 << 26;

/// Where a verb writes, and whether it may replace.
#[derive(Debug, Args)]
pub(crate) struct Out {
    /// The file to write.
    #[arg(short = 'o', long = "out", value_name = "FILE")]
    pub(crate) path: PathBuf,
    /// Replaces existing output files.
    #[arg(long)]
    pub(crate) force: bool,
}

impl Out {
    /// The outputs of a verb that writes this one file: refused now if it will be.
    pub(crate) fn reserve(&self) -> anyhow::Result<Outputs> {
        let mut outputs = Outputs::new(self.force);
        outputs.reserve(&self.path)?;
        Ok(outputs)
    }
}

/// Universe, snapshot, model and, where it needs one, price history: what margin is computed from.
#[derive(Debug, Args)]
pub(crate) struct Facts {
    /// The universe (JSON).
    #[arg(long, value_name = "FILE")]
    universe: PathBuf,
    /// The market snapshot (JSON).
    #[arg(long, value_name = "FILE")]
    snapshot: PathBuf,
    /// The margin model: the name of a preset (`zkmargin model list`), or a file (JSON).
    #[arg(long, value_name = "PRESET|FILE")]
    model: PathBuf,
    /// The price history (JSON), for a model that needs one.
    #[arg(long, value_name = "FILE")]
    history: Option<PathBuf>,
}

/// What [`Facts`] name.
#[derive(Debug)]
pub(crate) struct LoadedFacts {
    pub(crate) universe: Universe,
    pub(crate) snapshot: Snapshot,
    pub(crate) model: Model,
}

impl Facts {
    /// Reads them.
    pub(crate) fn load(&self) -> anyhow::Result<LoadedFacts> {
        Ok(LoadedFacts {
            universe: universe(&self.universe)?,
            snapshot: snapshot(&self.snapshot)?,
            model: self.model()?,
        })
    }

    fn model(&self) -> anyhow::Result<Model> {
        let model = model(&self.model).context("--model")?;
        with_history(model, self.history.as_deref())
    }

    /// Model and snapshot, for errors that only both together make.
    pub(crate) fn names(&self) -> String {
        format!("{} on {}", self.model.display(), self.snapshot.display())
    }
}

/// Reads a file and what is in it.
pub(crate) fn load<T>(path: &Path, cap: usize, read: impl FnOnce(&[u8]) -> anyhow::Result<T>) -> anyhow::Result<T> {
    // Overwritten when dropped, whatever it is: some of these files are secret.
    let bytes = Zeroizing::new(read_file(path, cap)?);
    tracing::debug!(file = %path.display(), bytes = bytes.len(), "read");
    read(&bytes).with_context(|| path.display().to_string())
}

/// JSON and CSV files are UTF-8.
pub(crate) fn text(bytes: &[u8]) -> anyhow::Result<&str> {
    std::str::from_utf8(bytes).context("not UTF-8 text")
}

/// Reads a text file.
pub(crate) fn text_file(path: &Path) -> anyhow::Result<String> {
    load(path, MAX_BYTES, |bytes| Ok(text(bytes)?.to_owned()))
}

/// A universe in which every venue's keys can sign.
pub(crate) fn universe_of(text: &str) -> anyhow::Result<Universe> {
    let universe = Universe::from_json(text)?;
    check_venue_keys(&universe)?;
    Ok(universe)
}

/// Reads a universe.
pub(crate) fn universe(path: &Path) -> anyhow::Result<Universe> {
    load(path, MAX_BYTES, |bytes| universe_of(text(bytes)?))
}

/// Reads a snapshot.
pub(crate) fn snapshot(path: &Path) -> anyhow::Result<Snapshot> {
    load(path, MAX_BYTES, |bytes| Ok(Snapshot::from_json(text(bytes)?)?))
}

/// Reads a price history.
pub(crate) fn history(path: &Path) -> anyhow::Result<History> {
    load(path, MAX_BYTES, |bytes| Ok(History::from_json(text(bytes)?)?))
}

/// The name, if it is that of a preset.
pub(crate) fn preset(name: &Path) -> Option<&str> {
    name.to_str()
        .filter(|name| PRESETS.iter().any(|(preset, _)| preset == name))
}

/// Reads a model, or takes a preset.
pub(crate) fn model(name: &Path) -> anyhow::Result<Model> {
    match preset(name) {
        Some(preset) => Ok(Model::preset(preset)?),
        None if !name.exists() => bail!("{}", words::no_model(name)),
        None => load(name, MAX_BYTES, |bytes| Ok(Model::from_json(text(bytes)?)?)),
    }
}

/// The model with the price history in a file, where it needs one.
pub(crate) fn with_history(model: Model, path: Option<&Path>) -> anyhow::Result<Model> {
    match (path, model.history()) {
        (None, None) => Ok(model),
        (None, Some(digest)) => bail!("--history: {}", words::no_history(model.name(), digest)),
        (Some(path), _) => {
            let history = history(path)?;
            model.with_history(history).with_context(|| path.display().to_string())
        }
    }
}

/// Reads a key.
pub(crate) fn key(path: &Path, role: Role) -> anyhow::Result<KeyFile> {
    load(path, MAX_KEY_FILE_BYTES, |bytes| Ok(KeyFile::from_json(bytes, role)?))
}

/// Reads an account.
pub(crate) fn account(path: &Path, universe: &Universe) -> anyhow::Result<AccountVector> {
    load(path, MAX_ACCOUNT_BYTES, |bytes| {
        Ok(AccountVector::from_json(text(bytes)?, universe)?)
    })
}

/// Reads an attestation; its signature is not verified.
pub(crate) fn attestation(path: &Path) -> anyhow::Result<SignedAttestation> {
    load(path, FileKind::Attestation.max_bytes(), |bytes| {
        Ok(SignedAttestation::from_bytes(bytes)?)
    })
}

/// Reads an opening.
pub(crate) fn opening(path: &Path) -> anyhow::Result<Opening> {
    load(path, FileKind::Opening.max_bytes(), |bytes| {
        Ok(Opening::from_bytes(bytes)?)
    })
}

/// The commitment parameters, from the cache under the user's cache folder if there is one.
pub(crate) fn parameters(universe: &Universe) -> anyhow::Result<Parameters> {
    Ok(Parameters::load(universe.k(), default_cache_dir().as_deref())?)
}

/// For `value_parser`: a public key that can sign.
pub(crate) fn public_key(text: &str) -> anyhow::Result<PublicKey> {
    let key: PublicKey = text.parse()?;
    key.check()?;
    Ok(key)
}
