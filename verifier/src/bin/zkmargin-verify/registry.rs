//! `zkmargin-verify registry`.

use std::fmt::Write as _;
use std::io;
use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};
use serde_json::{Value, json};
use zkmargin_risk::canonical::{Digest, parse_hex};
use zkmargin_risk::instant::Instant;
use zkmargin_verifier::envelope::FileKind;
use zkmargin_verifier::output::{Secrecy, write_file};
use zkmargin_verifier::registry::{Account, ExportError, Registry, RegistryError};
use zkmargin_verifier::release::SignedRelease;
use zkmargin_verifier::verify::exit;
use zkmargin_verifier::words::{self, OutputError};
use zkmargin_verifier::{Policy, Pseudonym};

use crate::{Failure, TOOL, load, refuse, respond};

#[derive(Debug, Subcommand)]
pub(crate) enum Verb {
    /// Makes the registry of your policy's audience and network. What is there already is not replaced.
    Create(Create),
    /// How every account stands: current, due, called, lapsed or released.
    Accounts(Accounts),
    /// What happened to an account.
    History(History),
    /// Records what you release: what rests on it is over. Do it before you hand the release out.
    Release(Release),
    /// Every accepted statement, for whoever audits.
    Export(Export),
    /// Gives back the bundle that a statement was accepted with.
    Bundle(BundleOf),
}

/// Where the registry is, and of when to speak.
#[derive(Debug, Args)]
struct Of {
    /// The registry: a path, sqlite:PATH or postgres://USER@HOST/DATABASE.
    #[arg(long, value_name = "URL")]
    registry: String,
    /// The instant to speak of; by default the system's clock, or the registry's if that is ahead.
    #[arg(long)]
    at: Option<Instant>,
}

impl Of {
    /// The registry, and the instant to speak of.
    fn open(&self) -> Result<(Registry, Instant), Failure> {
        let mut registry = Registry::open_any(&self.registry).map_err(failure)?;
        let at = match self.at {
            Some(at) => at,
            None => registry.now(load::instant(None)?).map_err(failure)?,
        };
        Ok((registry, at))
    }
}

/// `registry create`.
#[derive(Debug, Args)]
pub(crate) struct Create {
    /// The registry: a path, sqlite:PATH or postgres://USER@HOST/DATABASE.
    #[arg(long, value_name = "URL")]
    registry: String,
    /// Your policy (JSON).
    #[arg(long)]
    policy: PathBuf,
    /// Prints the answer as JSON.
    #[arg(long)]
    json: bool,
}

/// `registry accounts`.
#[derive(Debug, Args)]
pub(crate) struct Accounts {
    #[command(flatten)]
    of: Of,
    /// Prints the answer as JSON.
    #[arg(long)]
    json: bool,
}

/// `registry history`.
#[derive(Debug, Args)]
pub(crate) struct History {
    #[command(flatten)]
    of: Of,
    /// The account's venue.
    #[arg(long)]
    venue: String,
    /// The account's pseudonym, 64 lower-case hexadecimal digits.
    #[arg(long, value_parser = parse_hex::<32>)]
    account: [u8; 32],
    /// Prints the answer as JSON.
    #[arg(long)]
    json: bool,
}

/// `registry release`.
#[derive(Debug, Args)]
pub(crate) struct Release {
    /// The registry: a path, sqlite:PATH or postgres://USER@HOST/DATABASE.
    #[arg(long, value_name = "URL")]
    registry: String,
    /// The release that you signed with `zkmargin release`.
    release: PathBuf,
    /// The instant to write down; by default the system's clock.
    #[arg(long)]
    at: Option<Instant>,
    /// Prints the answer as JSON.
    #[arg(long)]
    json: bool,
}

/// `registry export`.
#[derive(Debug, Args)]
pub(crate) struct Export {
    #[command(flatten)]
    of: Of,
    /// The form.
    #[arg(long)]
    format: Format,
}

/// `registry bundle`.
#[derive(Debug, Args)]
pub(crate) struct BundleOf {
    /// The registry.
    #[arg(long, value_name = "URL")]
    registry: String,
    /// The statement digest, 64 lower-case hexadecimal digits.
    #[arg(long, value_parser = parse_hex::<32>)]
    statement: [u8; 32],
    /// The file to write.
    #[arg(short = 'o', long, value_name = "FILE")]
    out: PathBuf,
    /// Replaces an existing file.
    #[arg(long)]
    force: bool,
    /// Prints the answer as JSON.
    #[arg(long)]
    json: bool,
}

#[derive(Copy, Clone, Debug, ValueEnum)]
enum Format {
    /// A JSON object a line, one line a statement.
    Jsonl,
    /// A row for every account of every statement.
    Csv,
}

pub(crate) fn run(verb: &Verb) -> u8 {
    match verb {
        Verb::Create(args) => respond(args.json, create(args)),
        Verb::Accounts(args) => respond(args.json, accounts(args)),
        Verb::History(args) => respond(args.json, history(args)),
        Verb::Release(args) => respond(args.json, release(args)),
        Verb::Export(args) => export(args),
        Verb::Bundle(args) => respond(args.json, bundle(args)),
    }
}

/// The registry in which this policy's partner records.
pub(crate) fn open_for(url: &str, policy: &Policy) -> Result<Registry, Failure> {
    Registry::open(url, policy.network, policy.audience).map_err(failure)
}

pub(crate) fn failure(error: RegistryError) -> Failure {
    Failure {
        code: error.exit_code(),
        error: error.into(),
    }
}

fn create(args: &Create) -> Result<(String, Value), Failure> {
    let policy = load::policy(&args.policy)?;
    // Nothing could ever be recorded in it.
    if policy.calls.is_none() {
        return Err(failure(RegistryError::NoCalls));
    }
    Registry::create(&args.registry, policy.network, policy.audience).map_err(failure)?;
    let text = format!(
        "A registry for audience {} on network {}.",
        policy.audience,
        words::network(policy.network)
    );
    Ok((text, json!({ "audience": policy.audience, "network": policy.network })))
}

fn accounts(args: &Accounts) -> Result<(String, Value), Failure> {
    let (mut registry, at) = args.of.open()?;
    let accounts = registry.accounts(at).map_err(failure)?;
    let mut text = format!("{} at {at}", words::counted(accounts.len(), "account"));
    for account in &accounts {
        let _ = write!(
            text,
            "\n  {:8}  {} at {:?}, book {:?}: {} until {}",
            account.standing.to_string(),
            account.account.account,
            account.account.venue,
            account.book,
            account.statement,
            account.until,
        );
    }
    Ok((text, json!({ "at": at, "accounts": accounts })))
}

fn history(args: &History) -> Result<(String, Value), Failure> {
    let (mut registry, at) = args.of.open()?;
    let account = Account {
        venue: args.venue.clone(),
        account: Pseudonym(args.account),
    };
    let events = registry.history(&account, at).map_err(failure)?;
    let lines: Vec<String> = events
        .iter()
        .map(|event| format!("{}  {:8}  {}", event.at, event.event.to_string(), event.statement))
        .collect();
    Ok((
        lines.join("\n"),
        json!({ "at": at, "account": account, "events": events }),
    ))
}

fn release(args: &Release) -> Result<(String, Value), Failure> {
    let release = load::load(&args.release, FileKind::Release.max_bytes(), |bytes| {
        Ok(SignedRelease::from_bytes(bytes)?)
    })
    .map_err(Failure::usage)?;
    let refused = |error| {
        let Failure { code, error } = failure(error);
        let error = error.context(args.release.display().to_string());
        Failure { code, error }
    };
    let mut registry = Registry::open_any(&args.registry).map_err(refused)?;
    let at = load::instant(args.at)?;
    registry.release(&release, at).map_err(refused)?;
    let content = release.content();
    let text = format!(
        "Account {} at {:?} is given back from {} on: nothing that rests on its attestation {} or an earlier one is good after that.",
        content.account, content.venue, content.time, content.attestation
    );
    Ok((
        text,
        json!({
            "venue": content.venue, "account": content.account, "attestation": content.attestation, "time": content.time,
        }),
    ))
}

fn bundle(args: &BundleOf) -> Result<(String, Value), Failure> {
    let bytes = Registry::open_any(&args.registry)
        .and_then(|mut registry| registry.bundle(Digest(args.statement)))
        .map_err(failure)?;
    let path = args.out.display().to_string();
    write_file(&args.out, &bytes, Secrecy::Public, args.force).map_err(Failure::usage)?;
    Ok((
        format!("{path}: {}", words::counted(bytes.len(), "byte")),
        json!({ "file": path, "bytes": bytes.len() }),
    ))
}

fn export(args: &Export) -> u8 {
    let (mut registry, at) = match args.of.open() {
        Ok(opened) => opened,
        Err(failure) => return refuse(&failure, None),
    };
    let mut run = || -> Result<(), ExportError> {
        let out = io::stdout().lock();
        match args.format {
            Format::Jsonl => registry.export_json_lines(at, out),
            Format::Csv => registry.export_csv(at, out),
        }
    };
    let error = match run() {
        Ok(()) => return exit::OK,
        Err(ExportError::Registry(error)) => return refuse(&failure(error), None),
        Err(ExportError::Output(error)) => OutputError::from(error),
    };
    if !error.is_closed() {
        words::complain(TOOL, &error);
    }
    error.exit_code()
}
