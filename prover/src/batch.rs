//! A batch: many statements to one audience, several to a proof.
//!
//! A proof of several statements shares what does not depend on their number, the opening above all. So a batch is cut into groups, and
//! what is finished stays finished: a statement that a bundle of the batch's folder has is not proven again.
//! The bundles are [numbered](bundle_name).

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

/// Statements that are put into one proof unless somebody asks for more or fewer.
pub const PER_PROOF: u16 = 16;

/// The last number of a bundle.
pub const MAX_NUMBER: u32 = 999_999_999;

/// The name of a batch's bundle.
pub fn bundle_name(number: u32) -> String {
    format!("proof-{number:05}.bundle")
}

/// The number in a name, if it is one that [`bundle_name`] gives for a number from 1 to [`MAX_NUMBER`].
pub fn bundle_number(name: &str) -> Option<u32> {
    let digits = name.strip_prefix("proof-")?.strip_suffix(".bundle")?;
    let number = digits.parse().ok()?;
    let is_ours = (1..=MAX_NUMBER).contains(&number) && bundle_name(number) == name;
    is_ours.then_some(number)
}

/// The JSON file of a batch. Paths are relative to its folder.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "a batch: an object with `statements`")]
pub struct BatchFile {
    /// What is to be stated, in the order in which it is proven.
    pub statements: Vec<Entry>,
}

/// A statement of a batch.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(
    deny_unknown_fields,
    expecting = "a statement: an object with `name`, `book`, `accounts` and `subject_keys`"
)]
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
#[serde(
    deny_unknown_fields,
    expecting = "an account: an object with `attestation` and `opening`"
)]
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_names_that_are_written_have_a_number() {
        for number in [1, 2, 99_999, 100_000, MAX_NUMBER] {
            assert_eq!(bundle_number(&bundle_name(number)), Some(number));
        }
        for name in [
            "proof-00000.bundle",
            "proof-1.bundle",
            "proof-+0001.bundle",
            "proof-000001.bundle",
            "proof-00001.bundle.tmp",
            "proof-1000000000.bundle",
            "proof-18446744073709551615.bundle",
            "proof-18446744073709551616.bundle",
        ] {
            assert_eq!(bundle_number(name), None, "{name}");
        }
    }

    #[test]
    fn what_is_no_batch_is_told_what_a_batch_is() {
        for (text, expected) in [
            ("[", "expected a batch: an object with `statements`"),
            (r#"{"statements": [[]]}"#, "expected a statement: an object with `name`"),
            (
                r#"{"statements": [{"accounts": [["a", "b"]]}]}"#,
                "expected an account: an object with `attestation` and `opening`",
            ),
        ] {
            let refused = BatchFile::from_json(text).err().map(|error| error.to_string());
            assert!(
                refused.as_deref().is_some_and(|refused| refused.contains(expected)),
                "{text}: {refused:?}"
            );
        }
    }
}
