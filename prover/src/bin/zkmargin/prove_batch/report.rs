//! What is said of a batch: while it is proven, and in the end.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use indicatif::ProgressBar;
use serde_json::{Value, json};
use zkmargin_risk::instant::Instant;
use zkmargin_verifier::verify::exit;
use zkmargin_verifier::words::{self, counted};

use crate::answer::Answer;
use crate::failure::{self, TOOL};

/// A statement with a proof, and whether the proof was there before.
pub(super) struct Stated {
    pub(super) name: String,
    pub(super) digest: String,
    pub(super) file: PathBuf,
    pub(super) nonce: [u8; 32],
    /// The last instant at which it is good.
    pub(super) until: Instant,
    pub(super) kept: bool,
}

/// What is known of a batch so far.
pub(super) struct Report {
    pub(super) bar: ProgressBar,
    pub(super) stated: Vec<Stated>,
    /// Bundles in the folder of which nothing is kept, though they are good.
    pub(super) others: Vec<PathBuf>,
    folder: PathBuf,
    /// Until when statements should be good, where that was said.
    asked_until: Option<Instant>,
    /// What in the folder cannot be kept, and why, as data.
    left: Vec<Value>,
    /// What cannot be proven, and why, as data; and the number of statements.
    refused: Vec<Value>,
    without: usize,
    /// The exit code of the first of them.
    exit: u8,
}

impl Report {
    pub(super) fn new(folder: PathBuf, asked_until: Option<Instant>) -> Report {
        Report {
            bar: ProgressBar::hidden(),
            stated: Vec::new(),
            others: Vec::new(),
            folder,
            asked_until,
            left: Vec::new(),
            refused: Vec::new(),
            without: 0,
            exit: exit::OK,
        }
    }

    /// Says why a bundle in the folder is not kept.
    pub(super) fn leave(&mut self, file: &Path, error: &anyhow::Error) {
        let error = failure::describe(error);
        words::complain(
            TOOL,
            &format!("{error}; the file is left as it is, and nothing of it is kept"),
        );
        self.left
            .push(json!({ "file": file.display().to_string(), "error": error }));
    }

    /// Says why statements have no proof.
    pub(super) fn refuse(&mut self, names: &[String], error: &anyhow::Error) {
        let quoted: Vec<String> = names.iter().map(|name| format!("{name:?}")).collect();
        let described = failure::describe(error);
        let reason = match names {
            [_] => of_one(&described),
            _ => described,
        };
        let text = format!("{}: {reason}", quoted.join(", "));
        self.bar.suspend(|| {
            words::complain(TOOL, &text);
            failure::say_private(error);
        });
        if self.refused.is_empty() {
            self.exit = failure::exit_code(error);
        }
        let mut data = failure::data(error);
        data["error"] = json!(text);
        data["names"] = json!(names);
        self.refused.push(data);
        self.without += names.len();
    }

    pub(super) fn answer(mut self) -> Answer {
        self.stated.sort_by(|a, b| (&a.file, &a.name).cmp(&(&b.file, &b.name)));
        let mut files: BTreeMap<&Path, Vec<&Stated>> = BTreeMap::new();
        for stated in &self.stated {
            files.entry(&stated.file).or_default().push(stated);
        }
        let kept = self.stated.iter().filter(|stated| stated.kept).count();
        let mut text = format!(
            "{} in {}, in {}: {} proven now, {kept} kept.\n",
            counted(self.stated.len(), "statement"),
            counted(files.len(), "bundle"),
            self.folder.display(),
            self.stated.len() - kept,
        );
        let mut of_files = Vec::new();
        for (file, stated) in files {
            let kept = stated.iter().all(|stated| stated.kept);
            // All statements of the file are good until then.
            let until = stated.iter().map(|stated| stated.until).min();
            let sooner = until.zip(self.asked_until).is_some_and(|(until, asked)| until < asked);
            text += &format!(
                "{}: {}, good until {}{}{}\n",
                short(file),
                counted(stated.len(), "statement"),
                until.map(|until| until.to_string()).unwrap_or_default(),
                if kept { ", kept" } else { "" },
                if sooner {
                    ", which is sooner than --valid-for asks"
                } else {
                    ""
                },
            );
            of_files.push(json!({
                "file": file.display().to_string(), "statements": stated.len(), "until": until, "kept": kept,
            }));
        }
        if !self.left.is_empty() {
            let left = counted(self.left.len(), "bundle");
            text += &format!("{left} here cannot be kept, see above; nothing was changed there.\n");
        }
        if !self.others.is_empty() {
            let names: Vec<String> = self.others.iter().map(|file| short(file)).collect();
            text += &format!(
                "{} here {} of nothing that was asked for, or of what another one states: {}.\n",
                counted(names.len(), "bundle"),
                if names.len() == 1 { "is" } else { "are" },
                names.join(", "),
            );
        }
        if self.without > 0 {
            text += &format!("{} without a proof, see above.\n", counted(self.without, "statement"));
        }
        let statements = self.stated.iter().map(|stated| {
            json!({
                "name": stated.name, "digest": stated.digest, "file": stated.file.display().to_string(),
                "nonce": hex::encode(stated.nonce), "until": stated.until, "kept": stated.kept,
            })
        });
        let others = self.others.iter().map(|file| file.display().to_string());
        let data = json!({
            "statements": statements.collect::<Vec<_>>(), "files": of_files, "refused": self.refused,
            "left": self.left, "not_asked_for": others.collect::<Vec<_>>(),
        });
        Answer::new(text, data).with_exit(self.exit)
    }
}

/// The name of a file in the folder.
fn short(file: &Path) -> String {
    file.file_name().unwrap_or(file.as_os_str()).display().to_string()
}

/// A message about the only statement there is, without its number.
fn of_one(message: &str) -> String {
    let rest = message
        .strip_prefix("statement 1: ")
        .or_else(|| message.strip_prefix("statement 1, "));
    match (rest, message.strip_prefix("statement 1 ")) {
        (Some(rest), _) => rest.to_owned(),
        (None, Some(rest)) => format!("it {rest}"),
        (None, None) => message.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::of_one;

    #[test]
    fn number_of_the_only_statement_is_not_said() {
        for (message, said) in [
            ("statement 1: the opening is wrong", "the opening is wrong"),
            (
                "statement 1, venue \"v\", account 0a: expired",
                "venue \"v\", account 0a: expired",
            ),
            ("statement 1 ends at noon", "it ends at noon"),
            (
                "statement 10: the opening is wrong",
                "statement 10: the opening is wrong",
            ),
            ("nobody.attestation: no such file", "nobody.attestation: no such file"),
        ] {
            assert_eq!(of_one(message), said);
        }
    }
}
