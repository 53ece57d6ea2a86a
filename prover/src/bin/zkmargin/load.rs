//! Files that verbs read, and where they are written. Every error names its file.

use std::path::{Path, PathBuf};

use anyhow::Context as _;
use clap::{Args, ValueEnum};
use zeroize::Zeroizing;
use zkmargin_circuits::Parameters;
use zkmargin_prover::keys::{KeyFile, MAX_KEY_FILE_BYTES, Role};
use zkmargin_risk::account::AccountVector;
use zkmargin_risk::json::MAX_BYTES;
use zkmargin_risk::market::Snapshot;
use zkmargin_risk::model::Model;
use zkmargin_risk::universe::{Network, Universe};
use zkmargin_verifier::envelope::FileKind;
use zkmargin_verifier::file::{default_cache_dir, read_file};
use zkmargin_verifier::output::Outputs;
use zkmargin_verifier::{Opening, PublicKey, SignedAttestation};

pub(crate) use zkmargin_verifier::load::{model, preset, snapshot, text, universe, universe_of, with_history};

/// `--network`.
#[derive(Copy, Clone, Debug, ValueEnum)]
pub(crate) enum NetworkArg {
    /// Real accounts.
    Main,
    /// Tests.
    Test,
}

impl From<NetworkArg> for Network {
    fn from(network: NetworkArg) -> Network {
        match network {
            NetworkArg::Main => Network::Main,
            NetworkArg::Test => Network::Test,
        }
    }
}

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
        self.reserve_sparing([])
    }

    /// The same, where no input of these may be replaced.
    pub(crate) fn reserve_sparing<'p>(&self, inputs: impl IntoIterator<Item = &'p PathBuf>) -> anyhow::Result<Outputs> {
        let mut outputs = Outputs::new(self.force).sparing(inputs);
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
        with_history(model, self.history.as_deref()).context("--history")
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

/// Reads a text file.
pub(crate) fn text_file(path: &Path) -> anyhow::Result<String> {
    load(path, MAX_BYTES, |bytes| Ok(text(bytes)?.to_owned()))
}

/// Reads a key.
pub(crate) fn key(path: &Path, role: Role) -> anyhow::Result<KeyFile> {
    load(path, MAX_KEY_FILE_BYTES, |bytes| Ok(KeyFile::from_json(bytes, role)?))
}

/// Reads an account.
pub(crate) fn account(path: &Path, universe: &Universe) -> anyhow::Result<AccountVector> {
    load(path, MAX_BYTES, |bytes| {
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
