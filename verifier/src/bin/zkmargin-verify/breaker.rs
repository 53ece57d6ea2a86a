//! `zkmargin-verify breaker`.

use std::fmt::Write as _;
use std::path::PathBuf;

use clap::{Args, Subcommand};
use serde_json::{Value, json};
use zkmargin_risk::instant::Instant;
use zkmargin_risk::json::MAX_BYTES;
use zkmargin_verifier::breaker::{Breaker, Reference, Sight};
use zkmargin_verifier::journal::{Journal, JournalError};
use zkmargin_verifier::{load as files, words};

use crate::{Failure, load, respond};

#[derive(Debug, Subcommand)]
pub(crate) enum Verb {
    /// Observes a snapshot against your reference prices and the snapshot before, and writes down how you stand to the market.
    Observe(Observe),
    /// Says how you stand to the market, and how you came to it.
    Status(Status),
}

/// `breaker observe`: run it on every snapshot that you get. What is refused leaves the journal as it was; if no better snapshot comes, nothing
/// is accepted once the policy's `silence` is over.
#[derive(Debug, Args)]
pub(crate) struct Observe {
    /// Your policy; its `breaker` has the limits (JSON).
    #[arg(long)]
    policy: PathBuf,
    /// The breaker's journal; it is begun if it is not there.
    #[arg(long)]
    journal: PathBuf,
    /// The snapshot (JSON); where publishers differ, every one that they signed for this instant.
    #[arg(long = "snapshot", value_name = "FILE", required = true)]
    snapshots: Vec<PathBuf>,
    /// A publisher's signature on a snapshot; may be given several times.
    #[arg(long = "snapshot-signature", value_name = "FILE")]
    signatures: Vec<PathBuf>,
    /// Your own prices (JSON).
    #[arg(long, value_name = "FILE")]
    reference: PathBuf,
    /// The instant of the observation; by default the system's clock.
    #[arg(long)]
    at: Option<Instant>,
    /// Prints the answer as JSON.
    #[arg(long)]
    json: bool,
}

/// `breaker status`.
#[derive(Debug, Args)]
pub(crate) struct Status {
    /// The breaker's journal.
    #[arg(long)]
    journal: PathBuf,
    /// Prints the answer as JSON.
    #[arg(long)]
    json: bool,
}

pub(crate) fn run(verb: &Verb) -> u8 {
    match verb {
        Verb::Observe(args) => respond(args.json, observe(args)),
        Verb::Status(args) => respond(args.json, status(args)),
    }
}

/// The breaker in a journal that is there.
pub(crate) fn of(journal: &Journal) -> Result<Breaker, Failure> {
    let read = journal.read().and_then(|breaker| {
        let path = journal.path().to_owned();
        breaker.ok_or(JournalError::NotFound { path })
    });
    read.map_err(Failure::usage)
}

fn observe(args: &Observe) -> Result<(String, Value), Failure> {
    let policy = load::policy(&args.policy)?;
    let snapshots = args.snapshots.iter().map(|path| files::snapshot(path));
    let snapshots = snapshots.collect::<Result<Vec<_>, _>>().map_err(Failure::usage)?;
    let signatures = load::signatures(&args.signatures)?;
    let reference = load::load(&args.reference, MAX_BYTES, |bytes| Ok(Reference::from_json(bytes)?));
    let reference = reference.map_err(Failure::usage)?;
    let usage = |error: JournalError| Failure::usage(error);
    let mut journal = Journal::hold(&args.journal).map_err(usage)?;
    let before = journal.read().map_err(usage)?;
    // Now, and not before whatever was waited for.
    let at = load::instant(args.at)?;
    let sight = Sight {
        snapshots: &snapshots,
        signatures: &signatures,
        reference: &reference,
        at,
    };
    let observed = match &before {
        Some(before) => before.observe(&policy, &sight),
        None => Breaker::begin(&policy, &sight),
    };
    let breaker = observed.map_err(|error| {
        let code = error.exit_code();
        let error = anyhow::Error::from(error).context(format!("not observed at {at}"));
        Failure { code, error }
    })?;
    journal.write(&breaker).map_err(usage)?;
    let known = before.map_or(0, |before| before.transitions().len());
    Ok(describe(&breaker, known))
}

fn status(args: &Status) -> Result<(String, Value), Failure> {
    let journal = Journal::share(&args.journal).map_err(Failure::usage)?;
    Ok(describe(&of(&journal)?, 0))
}

/// The stance, and the transitions from the `known`-th on.
fn describe(breaker: &Breaker, known: usize) -> (String, Value) {
    let (stance, since, observed) = (breaker.stance(), breaker.since(), breaker.observed());
    let transitions = breaker.transitions().get(known..).unwrap_or_default();
    let mut text = format!(
        "{} since {}; observed at {}, the market of {} ({} network)",
        stance.to_string().to_uppercase(),
        since.at,
        observed.at,
        observed.market,
        words::network(breaker.network()),
    );
    for transition in transitions {
        let _ = write!(text, "\n  {transition}");
    }
    let data = json!({
        "stance": stance, "since": since, "observed": observed, "network": breaker.network(), "transitions": transitions,
        "snapshots": breaker.seen(),
    });
    (text, data)
}
