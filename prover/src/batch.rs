//! A batch: many statements to one audience, several to a proof.
//!
//! A proof of several statements shares what does not depend on their number, the opening above all. So a batch is cut into groups, and
//! what is finished stays finished: a statement that a bundle of the batch's folder has is not proven again.

use std::collections::BTreeSet;
use std::path::PathBuf;

use schemars::JsonSchema;
use serde::Deserialize;
use thiserror::Error;
use zkmargin_risk::canonical::Digest;
use zkmargin_risk::json;
use zkmargin_verifier::book::Book;

/// Most statements of a batch.
pub const MAX_ENTRIES: usize = 100_000;

/// The JSON file of a batch. Paths are relative to its folder.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct BatchFile {
    /// What is to be stated, in the order in which it is proven.
    pub statements: Vec<Entry>,
}

/// A statement of a batch.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Entry {
    /// What the batch's holder calls it; not said to anybody else.
    pub name: String,
    /// The audience's name of the credit line.
    pub book: Book,
    /// The accounts that are taken together.
    pub accounts: Vec<AccountFiles>,
    /// Key files of the accounts' holders.
    #[schemars(with = "Vec<String>")]
    pub subject_keys: Vec<PathBuf>,
    /// Digest of the statement that this one takes the place of.
    #[serde(default)]
    pub replaces: Option<Digest>,
}

/// The two files of an attested account.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AccountFiles {
    /// What the venue signed.
    #[schemars(with = "String")]
    pub attestation: PathBuf,
    /// What opens it. Secret.
    #[schemars(with = "String")]
    pub opening: PathBuf,
}

/// Why a text is no batch.
#[derive(Debug, Error)]
pub enum BatchError {
    /// Not JSON, or not of this form.
    #[error(transparent)]
    Json(#[from] serde_json::Error),
    /// Nothing to prove, or too much.
    #[error("a batch has 1 to {MAX_ENTRIES} statements, this one has {0}")]
    Entries(usize),
    /// Two statements of one name.
    #[error("two statements are called {0:?}")]
    Name(String),
    /// A statement about nothing, or that nobody can sign.
    #[error("statement {name:?} has no {what}")]
    Nothing {
        /// The statement.
        name: String,
        /// What it lacks.
        what: &'static str,
    },
}

impl BatchFile {
    /// Reads a batch.
    ///
    /// # Errors
    /// [`BatchError`].
    pub fn from_json(text: &str) -> Result<BatchFile, BatchError> {
        let batch: BatchFile = json::from_str(text)?;
        let entries = batch.statements.len();
        if !(1..=MAX_ENTRIES).contains(&entries) {
            return Err(BatchError::Entries(entries));
        }
        let mut names = BTreeSet::new();
        for entry in &batch.statements {
            let name = || entry.name.clone();
            if !names.insert(&entry.name) {
                return Err(BatchError::Name(name()));
            }
            let lacks = [
                ("accounts", entry.accounts.is_empty()),
                ("subject_keys", entry.subject_keys.is_empty()),
            ];
            if let Some((what, _)) = lacks.into_iter().find(|(_, lacks)| *lacks) {
                return Err(BatchError::Nothing { name: name(), what });
            }
        }
        Ok(batch)
    }
}
