//! `zkmargin venue attest`.

use std::path::PathBuf;

use anyhow::Context as _;
use clap::{ArgGroup, Args};
use serde_json::json;
use zkmargin_prover::attest::{AttestError, Request, attest};
use zkmargin_prover::keys::Role;
use zkmargin_prover::running::{MAX_STATE_BYTES, RunningAccount};
use zkmargin_risk::instant::Instant;
use zkmargin_verifier::book::Book;
use zkmargin_verifier::output::{Outputs, Secrecy};
use zkmargin_verifier::words::{self, counted};
use zkmargin_verifier::{Opening, PublicKey, SignedAttestation};

use crate::answer::Answer;
use crate::clock::{At, Now};
use crate::failure::TOOL;
use crate::load;

/// What a venue says of an account beside what it holds, and where it is written.
#[derive(Debug, Args)]
pub(crate) struct Terms {
    /// The venue's key file.
    #[arg(long, value_name = "FILE")]
    pub(crate) key: PathBuf,
    /// The venue's own, lasting name for the account. The audience sees a pseudonym of it, the same at every epoch.
    #[arg(long, value_name = "NAME")]
    pub(crate) name: String,
    /// The instant at which the account held this; that of the snapshot on which margin will be proven.
    #[arg(long, value_name = "INSTANT")]
    pub(crate) epoch: Instant,
    /// Public key of the partner for whom this is made (64 lower-case hexadecimal digits).
    #[arg(long, value_name = "HEX", value_parser = load::public_key)]
    pub(crate) audience: PublicKey,
    /// The partner's name of the credit line that the account supports.
    #[arg(long, value_name = "NAME")]
    pub(crate) book: Book,
    /// The last instant at which the attestation is good.
    #[arg(long, value_name = "INSTANT")]
    pub(crate) expires: Instant,
    /// The venue holds withdrawals from the account until then.
    #[arg(long)]
    pub(crate) held: bool,
    #[command(flatten)]
    pub(crate) at: At,
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

impl Terms {
    /// The outputs: refused now if they will be, before anything is signed.
    pub(crate) fn reserve(&self) -> anyhow::Result<Outputs> {
        let mut outputs = Outputs::new(self.force).sparing([&self.key]);
        outputs.reserve(&self.out)?;
        outputs.reserve(&self.opening)?;
        Ok(outputs)
    }

    /// Writes both files, and says so; `expired` is what the account holds of what has expired.
    pub(crate) fn give_out(
        &self,
        mut outputs: Outputs,
        attestation: &SignedAttestation,
        opening: &Opening,
        expired: &[(String, Instant)],
        now: &Now,
    ) -> anyhow::Result<Answer> {
        outputs.stage(&self.out, &attestation.to_bytes(), Secrecy::Public)?;
        outputs.stage(&self.opening, &opening.to_bytes(), Secrecy::Secret)?;
        outputs.commit()?;
        let content = attestation.content();
        let warnings = expired_words(expired, content.epoch);
        for warning in &warnings {
            words::complain(TOOL, &format!("warning: {warning}"));
        }
        let text = format!(
            "Venue {:?} attests account {:?} as {} at {} in {}.\n\
             For {}, book {}; signed at {}, gone by {now}; good until {}; withdrawals {}.\n\
             {}  for the trader and the partner\n\
             {}  secret, for the trader alone",
            content.venue,
            self.name,
            content.account,
            content.epoch,
            counted(content.points.len(), "commitment"),
            content.audience,
            content.book,
            content.time,
            content.expiry,
            if content.held { "held until then" } else { "not held" },
            self.out.display(),
            self.opening.display(),
        );
        let data = json!({
            "venue": content.venue, "name": self.name, "account": content.account, "attestation_digest": attestation.digest(),
            "commitments": content.points.len(), "epoch": content.epoch, "time": content.time, "expiry": content.expiry,
            "audience": content.audience, "book": content.book, "held": content.held, "warnings": warnings,
            "attestation": self.out.display().to_string(), "opening": self.opening.display().to_string(),
        });
        Ok(Answer::new(text, data))
    }
}

/// `venue attest`: amounts that are not whole lots are refused; every column gets a fresh blind.
#[derive(Debug, Args)]
#[command(group = ArgGroup::new("what").required(true))]
pub(crate) struct Attest {
    /// The universe (JSON).
    #[arg(long, value_name = "FILE")]
    universe: PathBuf,
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
    #[command(flatten)]
    terms: Terms,
}

pub(crate) fn run(args: &Attest) -> anyhow::Result<Answer> {
    let terms = &args.terms;
    let outputs = terms.reserve()?;
    let now = terms.at.now()?;
    let universe = load::universe(&args.universe)?;
    let key = load::key(&terms.key, Role::Venue)?;
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
        account: &terms.name,
        subject: args.subject,
        accounts: args.accounts,
        epoch: terms.epoch,
        time: now.instant,
        expiry: terms.expires,
        audience: terms.audience,
        book: terms.book.clone(),
        held: terms.held,
    };
    let (attestation, opening) = attest(&request, &account).map_err(|error| {
        let path = match &error {
            AttestError::Role { .. } | AttestError::Key { .. } => Some(&terms.key),
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
    let expired = account.expired(&universe, now.instant);
    terms.give_out(outputs, &attestation, &opening, &expired, &now)
}

/// What it means that the account holds what has expired, for the venue alone.
fn expired_words(expired: &[(String, Instant)], epoch: Instant) -> Vec<String> {
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
