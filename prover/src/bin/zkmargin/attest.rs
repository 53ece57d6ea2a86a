//! `zkmargin venue attest`.

use std::path::PathBuf;

use anyhow::Context as _;
use clap::{ArgGroup, Args};
use serde_json::json;
use zkmargin_prover::attest::{AttestError, Request, attest};
use zkmargin_prover::keys::Role;
use zkmargin_prover::output::{Outputs, Secrecy};
use zkmargin_prover::running::{MAX_STATE_BYTES, RunningAccount};
use zkmargin_risk::instant::Instant;
use zkmargin_verifier::PublicKey;
use zkmargin_verifier::book::Book;
use zkmargin_verifier::words::{self, counted};

use crate::answer::Answer;
use crate::clock::At;
use crate::failure::TOOL;
use crate::load;

/// `venue attest`: amounts that are not whole lots are refused; every column gets a fresh blind.
#[derive(Debug, Args)]
#[command(group = ArgGroup::new("what").required(true))]
pub(crate) struct Attest {
    /// The universe (JSON).
    #[arg(long, value_name = "FILE")]
    universe: PathBuf,
    /// The venue's key file.
    #[arg(long, value_name = "FILE")]
    key: PathBuf,
    /// The holder's public key, as registered with the venue (64 lower-case hexadecimal digits).
    #[arg(long, value_name = "HEX", value_parser = load::public_key)]
    subject: PublicKey,
    /// How many accounts the holder has at the venue.
    #[arg(long, value_name = "COUNT", default_value_t = 1)]
    accounts: u32,
    /// What the account holds: signed decimal contracts and amounts (JSON).
    #[arg(long, value_name = "FILE", group = "what")]
    account: Option<PathBuf>,
    /// What the account holds: its running commitment, as `venue update` keeps it.
    #[arg(long, value_name = "FILE", group = "what")]
    state: Option<PathBuf>,
    /// The venue's own, lasting name for the account. The audience sees a pseudonym of it, the same at every epoch.
    #[arg(long, value_name = "NAME")]
    account_id: String,
    /// The instant at which the account held this; that of the snapshot on which margin will be proven.
    #[arg(long, value_name = "INSTANT")]
    epoch: Instant,
    /// Public key of the partner for whom this is made (64 lower-case hexadecimal digits).
    #[arg(long, value_name = "HEX", value_parser = load::public_key)]
    audience: PublicKey,
    /// The partner's name of the credit line that the account supports.
    #[arg(long, value_name = "NAME")]
    book: Book,
    /// The last instant at which the attestation is good.
    #[arg(long, value_name = "INSTANT")]
    expires: Instant,
    /// The venue holds withdrawals from the account until then.
    #[arg(long)]
    held: bool,
    #[command(flatten)]
    at: At,
    /// The attestation to write: signed, for the trader and the partner.
    #[arg(short = 'o', long = "out", value_name = "FILE")]
    out: PathBuf,
    /// The opening to write: secret, for the trader alone.
    #[arg(long, value_name = "FILE")]
    opening: PathBuf,
    /// Replaces existing output files.
    #[arg(long)]
    force: bool,
}

pub(crate) fn run(args: &Attest) -> anyhow::Result<Answer> {
    let mut outputs = Outputs::new(args.force);
    outputs.reserve(&args.out)?;
    outputs.reserve(&args.opening)?;
    let now = args.at.now()?;
    let universe = load::universe(&args.universe)?;
    let key = load::key(&args.key, Role::Venue)?;
    let parameters = load::parameters(&universe)?;
    let account = match (&args.account, &args.state) {
        (Some(path), _) => RunningAccount::open(&universe, &parameters, &load::account(path, &universe)?)
            .with_context(|| path.display().to_string())?,
        (None, Some(path)) => load::load(path, MAX_STATE_BYTES, |bytes| {
            Ok(RunningAccount::from_bytes(bytes, &universe, &parameters)?)
        })?,
        (None, None) => anyhow::bail!("give --account or --state"),
    };
    let request = Request {
        universe: &universe,
        parameters: &parameters,
        key: &key,
        account: &args.account_id,
        subject: args.subject,
        accounts: args.accounts,
        epoch: args.epoch,
        time: now.instant,
        expiry: args.expires,
        audience: args.audience,
        book: args.book.clone(),
        held: args.held,
    };
    let (attestation, opening) = attest(&request, &account).map_err(|error| {
        let path = match &error {
            AttestError::Role { .. } | AttestError::Key { .. } => Some(&args.key),
            AttestError::UnknownVenue(_) | AttestError::Universe { .. } => {
                args.account.as_ref().or(args.state.as_ref())
            }
            _ => None,
        };
        match path {
            Some(path) => anyhow::Error::from(error).context(path.display().to_string()),
            None => error.into(),
        }
    })?;
    outputs.stage(&args.out, &attestation.to_bytes(), Secrecy::Public)?;
    outputs.stage(&args.opening, &opening.to_bytes(), Secrecy::Secret)?;
    outputs.commit()?;

    let warnings = expired_words(&account.expired(&universe, now.instant), args.epoch);
    for warning in &warnings {
        words::complain(TOOL, &format!("warning: {warning}"));
    }
    let content = attestation.content();
    let (columns, pseudonym) = (content.points.len(), content.account);
    let text = format!(
        "Venue {:?} attests account {pseudonym} at {} in {}.\n\
         Signed at {now}; good until {}; withdrawals {}.\n\
         {}  for the trader and the partner\n\
         {}  secret, for the trader alone",
        content.venue,
        content.epoch,
        counted(columns, "commitment"),
        content.expiry,
        if content.held { "held until then" } else { "not held" },
        args.out.display(),
        args.opening.display(),
    );
    let data = json!({
        "venue": content.venue, "account": pseudonym, "commitments": columns, "epoch": content.epoch,
        "time": content.time, "expiry": content.expiry, "held": content.held,
        "warnings": warnings, "attestation": args.out.display().to_string(), "opening": args.opening.display().to_string(),
    });
    Ok(Answer::new(text, data))
}

/// What it means that the account holds what has expired, for the venue alone.
pub(crate) fn expired_words(expired: &[(String, Instant)], epoch: Instant) -> Vec<String> {
    let one = |(name, expiry): &(String, Instant)| {
        let consequence = if *expiry <= epoch {
            "no snapshot of this epoch prices it, so that nothing can be proven with this attestation. Settle it and attest again"
        } else {
            "it is attested as it was at the epoch, and is not there any more"
        };
        format!("the account holds {name}, which expired at {expiry}: {consequence}")
    };
    expired.iter().map(one).collect()
}
