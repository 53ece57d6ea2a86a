//! `zkmargin prove-batch`.
//!
//! First all that the folder holds is verified and all statements are checked, many at a time; then it is known what is still to be proven, and
//! in how many proofs. Of a statement that waits for its proof only its entry is held: what its files say is read again.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError, mpsc};
use std::thread;

use anyhow::{Context as _, bail};
use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};
use rayon::prelude::*;
use zkmargin_circuits::MAX_STATEMENTS;
use zkmargin_prover::batch::{BatchFile, Entry, MAX_NUMBER, PER_PROOF, bundle_name, bundle_number};
use zkmargin_prover::lock::Lock;
use zkmargin_prover::prove::{Account, Draft, Prover};
use zkmargin_risk::canonical::parse_hex;
use zkmargin_risk::json::MAX_BYTES;
use zkmargin_risk::terms::Terms;
use zkmargin_verifier::envelope::FileKind;
use zkmargin_verifier::output::{Outputs, Secrecy};
use zkmargin_verifier::words::counted;
use zkmargin_verifier::{Bundle, Context, Pseudonym, SignedAttestation, SigningKey, Statement};

use crate::answer::{Answer, working};
use crate::clock::{At, Now};
use crate::load::{self, Facts};
use crate::prove::{Address, TermArgs, random_nonce, subject_keys};
use crate::prove_batch::report::{Report, Stated};

mod report;

/// In the folder, locked by whoever is at work in it.
const LOCK: &str = ".lock";

/// `prove-batch`: proves many accounts to one audience, several in a proof, and begins where it was stopped.
///
/// Every bundle is written as soon as the verifier has accepted it. Called again with the same folder, what is there is kept, and only
/// what is missing is proven. A bundle that is damaged or no longer good is named and left where it is. Statements that cannot be proven are
/// named, and keep no other from being proven.
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
    /// A nonce that the partner drew (64 lower-case hexadecimal digits); once for each proof that is still to be made, since a partner takes a nonce once.
    /// Bundles in the folder are kept if they carry one of them, which is then used. Random if the partner asked for none.
    #[arg(long = "nonce", value_name = "HEX", value_parser = parse_hex::<32>)]
    nonces: Vec<[u8; 32]>,
    /// Most statements in a proof: the more, the less each costs, and the later the first is there. More than are accepted in one are refused
    /// before anything is proven.
    #[arg(long, value_name = "N", default_value_t = PER_PROOF, value_parser = clap::value_parser!(u16).range(1..=MAX_STATEMENTS as i64))]
    per_proof: u16,
    /// Proofs that are made at a time; by default as many as there are processors. Each takes some tens of MiB.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024))]
    jobs: Option<u16>,
    #[command(flatten)]
    at: At,
    /// The folder for the bundles, of this batch alone; made if it is not there. One prove-batch at a time is at work in it.
    #[arg(short = 'o', long = "out", value_name = "FOLDER")]
    out: PathBuf,
}

/// A venue's name and its pseudonym of an account.
type AccountName = (String, Pseudonym);

/// Whose accounts are stated together, in an order that does not depend on who says so.
fn accounts_of<'s>(attestations: impl Iterator<Item = &'s SignedAttestation>) -> Vec<AccountName> {
    let contents = attestations.map(SignedAttestation::content);
    let mut names: Vec<AccountName> = contents
        .map(|content| (content.venue.clone(), content.account))
        .collect();
    names.sort_unstable();
    names
}

/// A statement of a bundle in the folder.
struct There {
    statement: Statement,
    digest: String,
    file: PathBuf,
}

/// What is in the folder.
#[derive(Default)]
struct Bundles {
    /// What may be kept, by accounts.
    there: BTreeMap<Vec<AccountName>, Vec<There>>,
    /// Every bundle that is good, whatever it is of.
    good: BTreeSet<PathBuf>,
    /// What cannot be kept, and why.
    left: Vec<(PathBuf, anyhow::Error)>,
    /// The number of the last bundle.
    last: u32,
}

/// An entry that is stated already, or can be.
struct Checked<'b> {
    accounts: Vec<AccountName>,
    there: Option<&'b There>,
}

/// What one proof is made of.
struct Group<'e> {
    file: PathBuf,
    nonce: [u8; 32],
    entries: &'e [&'e Entry],
}

/// What became of a group: what is stated, and what cannot be, with the names that it is called by.
#[derive(Default)]
struct Done {
    stated: Vec<Stated>,
    refused: Vec<(Vec<String>, anyhow::Error)>,
}

/// What a batch is proven with.
struct Batch<'a> {
    args: &'a ProveBatch,
    prover: &'a Prover<'a>,
    now: Now,
    terms: Terms,
    jobs: usize,
}

pub(crate) fn run(args: &ProveBatch) -> anyhow::Result<Answer> {
    let now = args.at.now()?;
    let distinct: BTreeSet<&[u8; 32]> = args.nonces.iter().collect();
    if distinct.len() < args.nonces.len() {
        let (given, distinct) = (args.nonces.len(), distinct.len());
        bail!("--nonce: {given} are given, of which {distinct} are different: a partner takes a nonce once");
    }
    let file = load::load(&args.batch, MAX_BYTES, |bytes| {
        Ok(BatchFile::from_json(load::text(bytes)?)?)
    })?;
    let facts = args.facts.load()?;
    let terms = args.terms.terms(&facts.universe)?;
    let later = args.terms.later()?;
    let asked_until = args.address.asked_until(now)?;
    if args.out.exists() && !args.out.is_dir() {
        bail!("{} is a file, expected a folder for the bundles", args.out.display());
    }
    std::fs::create_dir_all(&args.out).with_context(|| args.out.display().to_string())?;
    let _lock = Lock::take(&args.out.join(LOCK))?;
    let parameters = load::parameters(&facts.universe)?;
    let context = Context {
        universe: &facts.universe,
        snapshot: &facts.snapshot,
        later: later.as_ref(),
        model: &facts.model,
        parameters: &parameters,
    };
    let prover = Prover::new(context, now.instant);
    let processors = || thread::available_parallelism().map_or(1, usize::from);
    let batch = Batch {
        args,
        prover: &prover,
        now,
        terms,
        jobs: args.jobs.map_or_else(processors, usize::from),
    };
    let mut report = Report::new(args.out.clone(), asked_until);
    let (pending, last) = batch.check(&file.statements, &mut report)?;
    let per_proof = usize::from(args.per_proof);
    // Hours of proofs that nobody accepts begin with one that is too large.
    if let Some(first) = pending.first() {
        prover
            .check_size(&batch.draft(first, [0; 32])?, per_proof.min(pending.len()))
            .with_context(|| format!("--per-proof {per_proof}"))?;
    }
    let nonces = batch.nonces(pending.len().div_ceil(per_proof), &report)?;
    let groups: Vec<Group<'_>> = pending
        .chunks(per_proof)
        .zip(nonces)
        .zip(last + 1..=MAX_NUMBER)
        .map(|((entries, nonce), number)| Group {
            file: args.out.join(bundle_name(number)),
            nonce,
            entries,
        })
        .collect();
    if groups.len() < pending.len().div_ceil(per_proof) {
        let name = args.out.join(bundle_name(last));
        bail!(
            "{}: not enough numbers are left after it, the last is {MAX_NUMBER}",
            name.display()
        );
    }
    batch.prove(groups, pending.len(), &mut report)?;
    Ok(report.answer())
}

/// Draws on a terminal only, and only on standard error.
fn progress(statements: usize, done: &'static str) -> ProgressBar {
    let bar = ProgressBar::new(statements as u64).with_message(done);
    let template = "{bar:30} {pos} of {len} statements {msg}, {elapsed} gone, {eta} left";
    match ProgressStyle::with_template(template) {
        Ok(style) => bar.with_style(style),
        Err(_) => bar,
    }
}

impl Batch<'_> {
    /// Which entries are still to be proven, and the number of the last bundle in the folder. What is there, what cannot be kept and what cannot
    /// be proven is in the report.
    fn check<'e>(&self, entries: &'e [Entry], report: &mut Report) -> anyhow::Result<(Vec<&'e Entry>, u32)> {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(self.jobs).build()?;
        let bundles = pool.install(|| self.look_into_folder())?;
        for (file, error) in &bundles.left {
            report.leave(file, error);
        }
        report.bar = progress(entries.len(), "checked");
        let bar = report.bar.clone();
        let checked: Vec<anyhow::Result<Checked<'_>>> = pool.install(|| {
            let checked = entries.par_iter().map(|entry| {
                let checked = self.check_entry(entry, &bundles);
                bar.inc(1);
                checked
            });
            checked.collect()
        });
        let mut pending = Vec::new();
        // In which statement an account is: none is taken twice.
        let mut taken: BTreeMap<AccountName, &str> = BTreeMap::new();
        for (entry, checked) in entries.iter().zip(checked) {
            let names = [entry.name.clone()];
            let Checked { accounts, there } = match checked {
                Ok(checked) => checked,
                Err(error) => {
                    report.refuse(&names, &error);
                    continue;
                }
            };
            let twice = accounts.iter().find_map(|name| Some((name, taken.get(name)?)));
            if let Some(((venue, account), other)) = twice {
                let error = anyhow::anyhow!("account {account} of venue {venue:?} is in statement {other:?} already");
                report.refuse(&names, &error);
                continue;
            }
            taken.extend(accounts.into_iter().map(|account| (account, entry.name.as_str())));
            match there {
                None => pending.push(entry),
                Some(There {
                    statement,
                    digest,
                    file,
                }) => report.stated.push(Stated {
                    name: entry.name.clone(),
                    digest: digest.clone(),
                    file: file.clone(),
                    nonce: statement.nonce,
                    until: statement.window.until,
                    kept: true,
                }),
            }
        }
        let kept: BTreeSet<&PathBuf> = report.stated.iter().map(|stated| &stated.file).collect();
        report.others = bundles
            .good
            .iter()
            .filter(|file| !kept.contains(file))
            .cloned()
            .collect();
        report.bar.finish_and_clear();
        Ok((pending, bundles.last))
    }

    /// Verifies what is in the folder.
    fn look_into_folder(&self) -> anyhow::Result<Bundles> {
        let folder = &self.args.out;
        let of_folder = || folder.display().to_string();
        let mut files: Vec<(u32, PathBuf)> = Vec::new();
        for found in std::fs::read_dir(folder).with_context(of_folder)? {
            let found = found.with_context(of_folder)?;
            let number = found.file_name().to_str().and_then(bundle_number);
            files.extend(number.map(|number| (number, found.path())));
        }
        files.sort_unstable();
        let verifying = working(format!("verifying {} that are there", counted(files.len(), "bundle")));
        let read: Vec<anyhow::Result<Vec<There>>> = files.par_iter().map(|(_, file)| self.read(file)).collect();
        verifying.finish_and_clear();
        let mut bundles = Bundles::default();
        let mut carried = BTreeSet::new();
        for ((number, file), read) in files.into_iter().zip(read) {
            bundles.last = number;
            match read {
                Ok(statements) => {
                    if self.nonce_is_given(&statements, &mut carried) {
                        let admitted = statements
                            .into_iter()
                            .filter(|there| self.args.address.admits(&there.statement));
                        for there in admitted {
                            let accounts = accounts_of(there.statement.attestations.iter());
                            bundles.there.entry(accounts).or_default().push(there);
                        }
                    }
                    bundles.good.insert(file);
                }
                Err(error) => bundles.left.push((file, error)),
            }
        }
        Ok(bundles)
    }

    /// The statements of a bundle that the verifier accepts, now.
    fn read(&self, file: &Path) -> anyhow::Result<Vec<There>> {
        load::load(file, FileKind::Bundle.max_bytes(), |bytes| {
            let proven = self.prover.verifier().check_bundle(bytes, self.now.instant)?;
            let statements = Bundle::from_bytes(bytes)?.statements.into_iter().zip(proven);
            let there = statements.map(|(signed, proven)| There {
                statement: signed.statement,
                digest: proven.digest.to_string(),
                file: file.to_owned(),
            });
            Ok(there.collect())
        })
    }

    /// Whether a bundle may be kept for the nonce that it carries: any one where none is given, else one of those, and no other bundle has it.
    fn nonce_is_given(&self, statements: &[There], carried: &mut BTreeSet<[u8; 32]>) -> bool {
        let nonces: BTreeSet<[u8; 32]> = statements.iter().map(|there| there.statement.nonce).collect();
        self.args.nonces.is_empty()
            || (nonces.len() == 1 && nonces.iter().all(|nonce| self.args.nonces.contains(nonce)))
                && nonces.into_iter().all(|nonce| carried.insert(nonce))
    }

    /// What an entry wants to be stated.
    fn draft(&self, entry: &Entry, nonce: [u8; 32]) -> anyhow::Result<Draft> {
        let (address, folder) = (&self.args.address, self.folder());
        let accounts = entry.accounts.iter().map(|files| {
            Ok(Account {
                attestation: load::attestation(&folder.join(&files.attestation))?,
                opening: load::opening(&folder.join(&files.opening))?,
            })
        });
        let accounts = accounts.collect::<anyhow::Result<Vec<_>>>()?;
        Ok(Draft {
            terms: self.terms.clone(),
            audience: address.audience,
            book: entry.book.clone(),
            nonce,
            window: address.window(self.now, &accounts)?,
            replaces: entry.replaces,
            accounts,
        })
    }

    /// The keys that an entry is signed with.
    fn subjects(&self, entry: &Entry) -> anyhow::Result<Vec<SigningKey>> {
        let paths: Vec<PathBuf> = entry.subject_keys.iter().map(|path| self.folder().join(path)).collect();
        subject_keys(&paths)
    }

    /// The folder that the paths of the batch are relative to.
    fn folder(&self) -> &Path {
        self.args.batch.parent().unwrap_or(Path::new(""))
    }

    /// Whether an entry is stated in the folder, or can be.
    fn check_entry<'b>(&self, entry: &Entry, bundles: &'b Bundles) -> anyhow::Result<Checked<'b>> {
        // Whether a statement can be proven does not depend on its nonce.
        let draft = self.draft(entry, [0; 32])?;
        let accounts = accounts_of(draft.accounts.iter().map(|account| &account.attestation));
        let there = bundles.there.get(&accounts).into_iter().flatten();
        let there = there
            .filter(|there| draft.has_substance_of(&there.statement))
            .max_by_key(|there| there.statement.window.until);
        if there.is_none() {
            self.prover
                .check(std::slice::from_ref(&draft), &self.subjects(entry)?)?;
        }
        Ok(Checked { accounts, there })
    }

    /// A nonce for each proof: of those given, such as no kept bundle carries.
    fn nonces(&self, proofs: usize, report: &Report) -> anyhow::Result<Vec<[u8; 32]>> {
        let given = &self.args.nonces;
        if given.is_empty() {
            return (0..proofs).map(|_| random_nonce()).collect();
        }
        let kept: BTreeSet<[u8; 32]> = report.stated.iter().map(|stated| stated.nonce).collect();
        let left: Vec<[u8; 32]> = given.iter().filter(|nonce| !kept.contains(*nonce)).copied().collect();
        if left.len() < proofs {
            bail!(
                "--nonce: proofs that are still to be made: {proofs}, each with a nonce of its own; nonces that are given: {}, \
                 of which kept bundles carry {}",
                given.len(),
                given.len() - left.len(),
            );
        }
        Ok(left)
    }

    /// Proves group after group, as many at a time as there are jobs: whoever is done takes the next. What is proven is written at once.
    ///
    /// These are threads and no pool's tasks: a thread of a pool that waits for a proof would begin another.
    ///
    /// # Errors
    /// A bundle that cannot be written; what is being proven is finished.
    fn prove(&self, groups: Vec<Group<'_>>, statements: usize, report: &mut Report) -> anyhow::Result<()> {
        report.bar = progress(statements, "done");
        let workers = self.jobs.min(groups.len());
        let groups = Mutex::new(groups.into_iter());
        // Each group is whole at any time, whatever a thread that held the lock came to.
        let next = || groups.lock().unwrap_or_else(PoisonError::into_inner).next();
        thread::scope(|scope| {
            let (send, receive) = mpsc::channel();
            for _ in 0..workers {
                let (send, next) = (send.clone(), &next);
                scope.spawn(move || {
                    while let Some(group) = next() {
                        // Nobody listens any more after an error.
                        if send.send(self.prove_group(group)).is_err() {
                            break;
                        }
                    }
                });
            }
            drop(send);
            for done in receive {
                let Done { stated, refused } = done?;
                let refused_names: usize = refused.iter().map(|(names, _)| names.len()).sum();
                report.bar.inc((stated.len() + refused_names) as u64);
                report.stated.extend(stated);
                for (names, error) in refused {
                    report.refuse(&names, &error);
                }
            }
            anyhow::Ok(())
        })?;
        report.bar.finish_and_clear();
        Ok(())
    }

    /// Proves a group and writes its bundle.
    ///
    /// # Errors
    /// The bundle cannot be written.
    fn prove_group(&self, group: Group<'_>) -> anyhow::Result<Done> {
        let mut done = Done::default();
        let (mut names, mut drafts, mut subjects) = (Vec::new(), Vec::new(), Vec::new());
        for entry in group.entries {
            let read = self
                .draft(entry, group.nonce)
                .and_then(|draft| Ok((draft, self.subjects(entry)?)));
            match read {
                Ok((draft, keys)) => {
                    names.push(entry.name.clone());
                    drafts.push(draft);
                    subjects.extend(keys);
                }
                // Somebody took its files away meanwhile.
                Err(error) => done.refused.push((vec![entry.name.clone()], error)),
            }
        }
        if drafts.is_empty() {
            return Ok(done);
        }
        let proven = match self.prover.prove(&drafts, &subjects, |_| {}) {
            Ok(proven) => proven,
            Err(error) => {
                done.refused.push((names, error.into()));
                return Ok(done);
            }
        };
        let mut outputs = Outputs::new(false);
        outputs.reserve(&group.file)?;
        outputs.stage(&group.file, &proven.bytes, Secrecy::Public)?;
        outputs.commit()?;
        let statements = names.into_iter().zip(proven.statements);
        done.stated.extend(statements.map(|(name, statement)| Stated {
            name,
            digest: statement.digest.to_string(),
            file: group.file.clone(),
            nonce: group.nonce,
            until: statement.until,
            kept: false,
        }));
        Ok(done)
    }
}
