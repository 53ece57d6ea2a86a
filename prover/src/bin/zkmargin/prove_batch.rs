//! `zkmargin prove-batch`.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::thread;

use anyhow::{Context as _, bail};
use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::{Value, json};
use zkmargin_circuits::MAX_STATEMENTS;
use zkmargin_prover::batch::{BatchFile, Entry};
use zkmargin_prover::output::{Outputs, Secrecy};
use zkmargin_prover::prove::{Account, Draft, ProveError, Prover};
use zkmargin_risk::json::MAX_BYTES;
use zkmargin_risk::terms::Terms;
use zkmargin_verifier::envelope::FileKind;
use zkmargin_verifier::verify::exit;
use zkmargin_verifier::words::counted;
use zkmargin_verifier::{Bundle, Context, Pseudonym, SigningKey, Statement};

use crate::answer::Answer;
use crate::clock::{At, Now};
use crate::failure;
use crate::load::{self, Facts};
use crate::prove::{Address, TermArgs, subject_keys};

/// `prove-batch`: proves many accounts to one audience, several in a proof, and begins where it was stopped.
///
/// Every bundle is written as soon as the verifier has accepted it. Called again with the same folder, what is there is kept, and only
/// what is missing is proven. Statements that cannot be proven are named, and keep no other from being proven.
#[derive(Debug, Args)]
pub(crate) struct ProveBatch {
    /// The batch (JSON): what is to be stated, of which accounts; paths in it are relative to its folder.
    #[arg(value_name = "FILE")]
    batch: PathBuf,
    #[command(flatten)]
    facts: Facts,
    #[command(flatten)]
    terms: TermArgs,
    #[command(flatten)]
    address: Address,
    /// Most statements in a proof: the more, the less each costs, and the later the first is there.
    #[arg(long, value_name = "N", default_value_t = 16, value_parser = clap::value_parser!(u16).range(1..=MAX_STATEMENTS as i64))]
    per_proof: u16,
    /// Proofs that are made at a time; by default as many as there are processors. Each takes some tens of MiB.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024))]
    jobs: Option<u16>,
    #[command(flatten)]
    at: At,
    /// The folder for the bundles, of this batch alone; made if it is not there.
    #[arg(short = 'o', long = "out", value_name = "FOLDER")]
    out: PathBuf,
}

/// A statement that can be proven.
struct Pending {
    name: String,
    draft: Draft,
    subjects: Vec<SigningKey>,
}

/// A statement with a proof, and whether the proof was there before.
struct Stated {
    name: String,
    digest: String,
    file: PathBuf,
    kept: bool,
}

/// A statement of a bundle in the folder.
struct There {
    statement: Statement,
    digest: String,
    file: PathBuf,
}

/// What is known of a batch so far.
struct Batch<'a> {
    args: &'a ProveBatch,
    prover: &'a Prover<'a>,
    now: Now,
    terms: Terms,
    bar: ProgressBar,
    /// Of the folder, whatever nobody has asked for yet.
    there: Vec<There>,
    stated: Vec<Stated>,
    /// What cannot be proven, and why, as data.
    refused: Vec<Value>,
    /// The exit code of the first of them.
    exit: u8,
    /// In which statement an account is: none is taken twice.
    taken: BTreeMap<(String, Pseudonym), String>,
    /// The number of the last bundle in the folder.
    last: usize,
}

pub(crate) fn run(args: &ProveBatch) -> anyhow::Result<Answer> {
    let now = args.at.now()?;
    let facts = args.facts.load()?;
    let file = load::load(&args.batch, MAX_BYTES, |bytes| {
        Ok(BatchFile::from_json(load::text(bytes)?)?)
    })?;
    let parameters = load::parameters(&facts.universe)?;
    let later = args.terms.later()?;
    let context = Context {
        universe: &facts.universe,
        snapshot: &facts.snapshot,
        later: later.as_ref(),
        model: &facts.model,
        parameters: &parameters,
    };
    let prover = Prover::new(context, now.instant);
    let mut batch = Batch {
        args,
        prover: &prover,
        now,
        terms: args.terms.terms(&facts.universe)?,
        bar: progress(file.statements.len()),
        there: Vec::new(),
        stated: Vec::new(),
        refused: Vec::new(),
        exit: exit::OK,
        taken: BTreeMap::new(),
        last: 0,
    };
    batch.look_into_folder()?;
    let processors = || thread::available_parallelism().map_or(1, usize::from);
    let jobs = args.jobs.map_or_else(processors, usize::from);
    let mut entries = file.statements.iter();
    loop {
        let groups: Vec<Vec<Pending>> = (0..jobs)
            .map(|_| batch.group(&mut entries))
            .filter(|group| !group.is_empty())
            .collect();
        if groups.is_empty() {
            break;
        }
        batch.prove(groups)?;
    }
    batch.bar.finish_and_clear();
    Ok(batch.answer())
}

/// Draws on a terminal only, and only on standard error.
fn progress(statements: usize) -> ProgressBar {
    let bar = ProgressBar::new(statements as u64);
    let template = "{bar:30} {pos} of {len} statements, {elapsed} gone, {eta} left";
    match ProgressStyle::with_template(template) {
        Ok(style) => bar.with_style(style),
        Err(_) => bar,
    }
}

/// The number in the name of one of our bundles.
fn number_of(name: &str) -> Option<usize> {
    let digits = name.strip_prefix("proof-")?.strip_suffix(".bundle")?;
    digits.parse().ok()
}

impl Batch<'_> {
    /// Makes the folder, or verifies what is in it.
    fn look_into_folder(&mut self) -> anyhow::Result<()> {
        let folder = &self.args.out;
        let of_folder = || folder.display().to_string();
        std::fs::create_dir_all(folder).with_context(of_folder)?;
        for found in std::fs::read_dir(folder).with_context(of_folder)? {
            let file = found.with_context(of_folder)?.path();
            let Some(number) = file.file_name().and_then(|name| name.to_str()).and_then(number_of) else {
                continue;
            };
            self.last = self.last.max(number);
            let (bundle, verdict) = load::load(&file, FileKind::Bundle.max_bytes(), |bytes| {
                let verdict = self.prover.verifier().check_bundle(bytes, self.now.instant);
                let verdict = verdict.context("cannot be kept, give another folder")?;
                Ok((Bundle::from_bytes(bytes)?, verdict))
            })?;
            let statements = bundle.statements.into_iter().zip(verdict.statements);
            self.there.extend(statements.map(|(signed, verdict)| There {
                statement: signed.statement,
                digest: verdict.digest.to_string(),
                file: file.clone(),
            }));
        }
        Ok(())
    }

    /// The next statements that one proof is made of; none if there are no more.
    fn group<'e>(&mut self, entries: &mut impl Iterator<Item = &'e Entry>) -> Vec<Pending> {
        let mut group = Vec::new();
        while group.len() < usize::from(self.args.per_proof)
            && let Some(entry) = entries.next()
        {
            match self.pending(entry) {
                Ok(Some(pending)) => group.push(pending),
                Ok(None) => self.bar.inc(1),
                Err(error) => self.refuse(&[&entry.name], error),
            }
        }
        group
    }

    /// What is to be proven of an entry; nothing if the folder has its proof.
    fn pending(&mut self, entry: &Entry) -> anyhow::Result<Option<Pending>> {
        let (address, folder) = (&self.args.address, self.args.batch.parent().unwrap_or(Path::new("")));
        let accounts = entry.accounts.iter().map(|files| {
            Ok(Account {
                attestation: load::attestation(&folder.join(&files.attestation))?,
                opening: load::opening(&folder.join(&files.opening))?,
            })
        });
        let accounts = accounts.collect::<anyhow::Result<Vec<_>>>()?;
        let names: Vec<(String, Pseudonym)> = accounts
            .iter()
            .map(|account| account.attestation.content())
            .map(|content| (content.venue.clone(), content.account))
            .collect();
        for name in &names {
            if let Some(other) = self.taken.get(name) {
                let (venue, account) = name;
                bail!("account {account} of venue {venue:?} is in statement {other:?} already");
            }
        }
        let draft = Draft {
            terms: self.terms.clone(),
            audience: address.audience,
            book: entry.book.clone(),
            nonce: address.nonce()?,
            window: address.window(self.now, &accounts)?,
            replaces: entry.replaces,
            accounts,
        };
        let is_there = |there: &There| address.admits(&there.statement) && draft.has_substance_of(&there.statement);
        let place = self.there.iter().position(is_there);
        let pending = if let Some(place) = place {
            let There { digest, file, .. } = self.there.swap_remove(place);
            self.stated.push(Stated {
                name: entry.name.clone(),
                digest,
                file,
                kept: true,
            });
            None
        } else {
            let paths: Vec<PathBuf> = entry.subject_keys.iter().map(|path| folder.join(path)).collect();
            let subjects = subject_keys(&paths)?;
            self.prover.check(std::slice::from_ref(&draft), &subjects)?;
            let name = entry.name.clone();
            Some(Pending { name, draft, subjects })
        };
        self.taken
            .extend(names.into_iter().map(|name| (name, entry.name.clone())));
        Ok(pending)
    }

    /// Proves each group on a thread of its own, and writes what was proven.
    ///
    /// # Errors
    /// A bundle that cannot be written.
    fn prove(&mut self, groups: Vec<Vec<Pending>>) -> anyhow::Result<()> {
        let (prover, folder, last) = (self.prover, &self.args.out, self.last);
        let groups: Vec<(PathBuf, Vec<Pending>)> = groups
            .into_iter()
            .zip(last + 1..)
            .map(|(group, number)| (folder.join(format!("proof-{number:05}.bundle")), group))
            .collect();
        self.last += groups.len();
        let bar = &self.bar;
        let proven: Vec<Group> = thread::scope(|scope| {
            let threads: Vec<_> = groups
                .into_iter()
                .map(|(file, group)| scope.spawn(move || Group::prove(prover, file, group, bar)))
                .collect();
            threads
                .into_iter()
                .map(|thread| thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)))
                .collect()
        });
        for Group { file, names, outcome } in proven {
            match outcome {
                Ok(digests) => self
                    .stated
                    .extend(names.into_iter().zip(digests).map(|(name, digest)| Stated {
                        name,
                        digest,
                        file: file.clone(),
                        kept: false,
                    })),
                Err(error) if error.is::<ProveError>() => {
                    let names: Vec<&String> = names.iter().collect();
                    self.refuse(&names, error);
                }
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Says why statements have no proof.
    fn refuse(&mut self, names: &[&String], error: anyhow::Error) {
        let quoted: Vec<String> = names.iter().map(|name| format!("{name:?}")).collect();
        let error = error.context(quoted.join(", "));
        self.bar.suspend(|| failure::say(&error));
        let mut data = failure::data(&error);
        data["names"] = json!(names);
        if self.refused.is_empty() {
            self.exit = failure::exit_code(&error);
        }
        self.refused.push(data);
        self.bar.inc(names.len() as u64);
    }

    fn answer(mut self) -> Answer {
        self.stated.sort_by(|a, b| (&a.file, &a.name).cmp(&(&b.file, &b.name)));
        let kept = self.stated.iter().filter(|stated| stated.kept).count();
        let files: BTreeSet<&Path> = self.stated.iter().map(|stated| stated.file.as_path()).collect();
        let without: usize = self
            .refused
            .iter()
            .filter_map(|data| data["names"].as_array())
            .map(Vec::len)
            .sum();
        let mut text = format!(
            "{} in {}, in {}: {} proven now, {kept} kept.\n",
            counted(self.stated.len(), "statement"),
            counted(files.len(), "bundle"),
            self.args.out.display(),
            self.stated.len() - kept,
        );
        if without > 0 {
            text += &format!("{} without a proof, see above.\n", counted(without, "statement"));
        }
        let stated = self.stated.iter().map(|stated| {
            json!({
                "name": stated.name, "digest": stated.digest, "file": stated.file.display().to_string(), "kept": stated.kept,
            })
        });
        let data = json!({ "statements": stated.collect::<Vec<_>>(), "refused": self.refused });
        Answer::new(text, data).with_exit(self.exit)
    }
}

/// What became of the statements of one proof.
struct Group {
    file: PathBuf,
    names: Vec<String>,
    /// The digests of the statements.
    outcome: anyhow::Result<Vec<String>>,
}

impl Group {
    fn prove(prover: &Prover<'_>, file: PathBuf, group: Vec<Pending>, bar: &ProgressBar) -> Group {
        let (mut names, mut drafts, mut subjects) = (Vec::new(), Vec::new(), Vec::new());
        for pending in group {
            names.push(pending.name);
            drafts.push(pending.draft);
            subjects.extend(pending.subjects);
        }
        let outcome = || -> anyhow::Result<Vec<String>> {
            let proven = prover.prove(&drafts, &subjects, |_| {})?;
            let mut outputs = Outputs::new(false);
            outputs.reserve(&file)?;
            outputs.stage(&file, &proven.bytes, Secrecy::Public)?;
            outputs.commit()?;
            bar.inc(names.len() as u64);
            let statements = proven.verdict.statements.iter();
            Ok(statements.map(|statement| statement.digest.to_string()).collect())
        };
        let outcome = outcome();
        Group { file, names, outcome }
    }
}
