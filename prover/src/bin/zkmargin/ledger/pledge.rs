//! Attestations and whom an account is pledged to.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use clap::Args;
use serde_json::json;
use zkmargin_ledger::ledger::{Attested, Pledge};
use zkmargin_prover::keys::Role;
use zkmargin_prover::output::{Outputs, Secrecy};
use zkmargin_risk::instant::Instant;
use zkmargin_verifier::book::Book;
use zkmargin_verifier::envelope::FileKind;
use zkmargin_verifier::words;
use zkmargin_verifier::{PublicKey, SignedRelease};

use super::Db;
use crate::answer::Answer;
use crate::attest::expired_words;
use crate::clock::{At, Now};
use crate::failure::TOOL;
use crate::load;

/// What is attested, for whom, and where it is written.
#[derive(Debug, Args)]
pub(crate) struct Terms {
    /// The venue's key file.
    #[arg(long, value_name = "FILE")]
    key: PathBuf,
    /// The account's name in the ledger.
    #[arg(long, value_name = "NAME")]
    name: String,
    /// The instant at which the account held this; that of the snapshot on which margin will be proven. After every earlier one.
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

impl Terms {
    fn pledge(&self) -> Pledge {
        Pledge {
            account: self.name.clone(),
            audience: self.audience,
            book: self.book.clone(),
            epoch: self.epoch,
            expiry: self.expires,
            held: self.held,
        }
    }

    /// Whoever has the outputs to write: refused now if they will be, before anything is signed.
    fn reserve(&self) -> anyhow::Result<Outputs> {
        let mut outputs = Outputs::new(self.force);
        outputs.reserve(&self.out)?;
        outputs.reserve(&self.opening)?;
        Ok(outputs)
    }

    /// Writes what the ledger has recorded, and says so.
    fn give_out(&self, mut outputs: Outputs, attested: &Attested, now: &Now) -> anyhow::Result<Answer> {
        let Attested {
            attestation,
            opening,
            is_again,
            expired,
        } = attested;
        let written = outputs
            .stage(&self.out, &attestation.to_bytes(), Secrecy::Public)
            .and_then(|()| outputs.stage(&self.opening, &opening.to_bytes(), Secrecy::Secret))
            .and_then(|()| outputs.commit());
        written.context("the attestation is recorded, and the same command gives it out again")?;
        let content = attestation.content();
        let warnings = expired_words(expired, content.epoch);
        for warning in &warnings {
            words::complain(TOOL, &format!("warning: {warning}"));
        }
        let text = format!(
            "Venue {:?} attests account {:?} as {} at {}{}.\n\
             Pledged to {}, book {}; gone by {now}; good until {}; withdrawals {}.\n\
             {}  for the trader and the partner\n\
             {}  secret, for the trader alone",
            content.venue,
            self.name,
            content.account,
            content.epoch,
            if *is_again { ", as recorded before" } else { "" },
            content.audience,
            content.book,
            content.expiry,
            if content.held { "held until then" } else { "not held" },
            self.out.display(),
            self.opening.display(),
        );
        let data = json!({
            "venue": content.venue, "name": self.name, "account": content.account, "attestation_digest": attestation.digest(),
            "epoch": content.epoch, "time": content.time, "expiry": content.expiry, "audience": content.audience, "book": content.book,
            "held": content.held, "again": is_again, "warnings": warnings, "attestation": self.out.display().to_string(),
            "opening": self.opening.display().to_string(),
        });
        Ok(Answer::new(text, data))
    }
}

/// `venue ledger attest`: recorded before it is given out; the same command gives out the same again.
#[derive(Debug, Args)]
pub(crate) struct Attest {
    #[command(flatten)]
    db: Db,
    #[command(flatten)]
    terms: Terms,
}

pub(super) fn attest(args: &Attest) -> anyhow::Result<Answer> {
    let terms = &args.terms;
    let outputs = terms.reserve()?;
    let now = terms.at.now()?;
    let key = load::key(&terms.key, Role::Venue)?;
    let attested = args.db.open()?.attest(&terms.pledge(), &key, now.instant)?;
    terms.give_out(outputs, &attested, &now)
}

/// `venue ledger release`.
#[derive(Debug, Args)]
pub(crate) struct Release {
    #[command(flatten)]
    db: Db,
    /// The release that the audience signed.
    #[arg(long, value_name = "FILE")]
    release: PathBuf,
    #[command(flatten)]
    at: At,
}

pub(super) fn release(args: &Release) -> anyhow::Result<Answer> {
    let now = args.at.now()?;
    let release = read(&args.release)?;
    let released = args.db.open()?.release(&release, now.instant);
    let released = released.with_context(|| args.release.display().to_string())?;
    let content = release.content();
    let mut text = format!(
        "Account {:?} is released by audience {}, book {}{}.",
        released.account,
        content.audience,
        content.book,
        if released.is_again { ", as recorded before" } else { "" },
    );
    if let Some(attestation) = released.pledged_since {
        let _ = write!(text, " It has been pledged again since, by attestation {attestation}.");
    }
    let data = json!({
        "name": released.account, "account": content.account, "audience": content.audience, "book": content.book, "time": content.time,
        "again": released.is_again, "pledged_since": released.pledged_since,
    });
    Ok(Answer::new(text, data))
}

/// `venue ledger handover`: takes the release and attests for the next audience.
#[derive(Debug, Args)]
pub(crate) struct Handover {
    #[command(flatten)]
    db: Db,
    /// The release that the audience until now signed.
    #[arg(long, value_name = "FILE")]
    release: PathBuf,
    #[command(flatten)]
    terms: Terms,
}

pub(super) fn handover(args: &Handover) -> anyhow::Result<Answer> {
    let terms = &args.terms;
    let outputs = terms.reserve()?;
    let now = terms.at.now()?;
    let release = read(&args.release)?;
    let key = load::key(&terms.key, Role::Venue)?;
    let attested = args.db.open()?.handover(&release, &terms.pledge(), &key, now.instant)?;
    terms.give_out(outputs, &attested, &now)
}

fn read(path: &Path) -> anyhow::Result<SignedRelease> {
    load::load(path, FileKind::Release.max_bytes(), |bytes| {
        Ok(SignedRelease::from_bytes(bytes)?)
    })
}
