//! Attestations and whom an account is pledged to.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use clap::Args;
use serde_json::json;
use zkmargin_ledger::ledger::{Attested, Pledge};
use zkmargin_prover::keys::Role;
use zkmargin_verifier::SignedRelease;
use zkmargin_verifier::envelope::FileKind;
use zkmargin_verifier::output::Outputs;

use super::Db;
use crate::answer::Answer;
use crate::attest::Terms;
use crate::clock::{At, Now};
use crate::load;

/// What is attested, as the ledger has it.
fn pledge(terms: &Terms) -> Pledge {
    Pledge {
        account: terms.name.clone(),
        audience: terms.audience,
        book: terms.book.clone(),
        epoch: terms.epoch,
        expiry: terms.expires,
        held: terms.held,
    }
}

/// Writes what the ledger has recorded, and says so.
fn give_out(terms: &Terms, outputs: Outputs, attested: &Attested, now: &Now) -> anyhow::Result<Answer> {
    let Attested {
        attestation,
        opening,
        is_again,
        expired,
    } = attested;
    let answer = terms
        .give_out(outputs, attestation, opening, expired, now)
        .context("the attestation is recorded, and the same command gives it out again")?;
    let before = if *is_again {
        " Recorded before, and given out again."
    } else {
        ""
    };
    Ok(answer.with(
        &format!("The account is pledged.{before}"),
        json!({ "again": is_again }),
    ))
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
    let attested = args.db.open()?.attest(&pledge(terms), &key, now.instant)?;
    give_out(terms, outputs, &attested, &now)
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
    let attested = args.db.open()?.handover(&release, &pledge(terms), &key, now.instant)?;
    give_out(terms, outputs, &attested, &now)
}

fn read(path: &Path) -> anyhow::Result<SignedRelease> {
    load::load(path, FileKind::Release.max_bytes(), |bytes| {
        Ok(SignedRelease::from_bytes(bytes)?)
    })
}
