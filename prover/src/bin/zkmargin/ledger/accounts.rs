//! Accounts and fills.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::time::Instant as Clock;

use anyhow::{Context as _, bail};
use clap::Args;
use serde_json::{Value, json};
use zkmargin_ledger::ledger::{AccountSummary, Entries, EntryFormat, MAX_ENTRIES_BYTES};
use zkmargin_verifier::PublicKey;
use zkmargin_verifier::output::Secrecy;
use zkmargin_verifier::verify::exit;
use zkmargin_verifier::words::counted;

use super::Db;
use crate::answer::{Answer, working};
use crate::clock::At;
use crate::load::{self, Out};

/// `venue ledger account`.
#[derive(Debug, Args)]
pub(crate) struct Account {
    #[command(flatten)]
    db: Db,
    /// The venue's own, lasting name for the account. Audiences see a pseudonym of it.
    #[arg(long, value_name = "NAME")]
    name: String,
    /// The holder's public key, as registered with the venue (64 lower-case hexadecimal digits).
    #[arg(long, value_name = "HEX", value_parser = load::public_key)]
    subject: PublicKey,
    /// What the account holds before the first fill (JSON), at this instant: no epoch of before it is attested. By default nothing.
    #[arg(long, value_name = "FILE")]
    account: Option<PathBuf>,
    #[command(flatten)]
    at: At,
}

pub(super) fn add(args: &Account) -> anyhow::Result<Answer> {
    let mut ledger = args.db.open()?;
    let holds = match &args.account {
        Some(path) => Some(load::account(path, ledger.universe())?),
        None => None,
    };
    let now = args.at.now()?;
    let holds = holds.as_ref().map(|holds| (holds, now.instant));
    ledger.add_account(&args.name, args.subject, holds)?;
    let (name, venue) = (&args.name, ledger.venue());
    Ok(Answer::new(
        format!("Account {name:?} at {venue:?} of subject {}.", args.subject),
        json!({ "venue": venue, "name": name, "subject": args.subject }),
    ))
}

/// `venue ledger import`: all of the file, or, after whatever interrupted it, the rest of it.
#[derive(Debug, Args)]
pub(crate) struct Import {
    #[command(flatten)]
    db: Db,
    /// The fills: *.csv with a first line that names the fields, or a JSON object per line (*.jsonl).
    #[arg(long, value_name = "FILE")]
    fills: PathBuf,
    #[command(flatten)]
    at: At,
}

pub(super) fn import(args: &Import) -> anyhow::Result<Answer> {
    let format = format_of(&args.fills)?;
    let now = args.at.now()?;
    let entries = load::load(&args.fills, MAX_ENTRIES_BYTES, |bytes| {
        Ok(Entries::read(bytes, format)?)
    })?;
    let mut ledger = args.db.open()?;
    let started = Clock::now();
    let _recording = working(format!("recording {}", counted(entries.0.len(), "fill")));
    let done = ledger
        .import(&entries, now.instant)
        .with_context(|| args.fills.display().to_string())?;
    let ms = started.elapsed().as_secs_f64() * 1e3;
    let mut text = format!(
        "{} recorded, {} recorded before and skipped; {} moved, {ms:.0} ms.",
        counted(done.recorded, "fill"),
        done.skipped,
        counted(done.legs_moved, "leg"),
    );
    if done.late > 0 {
        let _ = write!(
            text,
            "\n{} happened at or before an epoch that was attested without: that attestation does not say what the account held. Attest again.",
            counted(done.late, "fill")
        );
    }
    let data = json!({
        "venue": ledger.venue(), "recorded": done.recorded, "skipped": done.skipped, "late": done.late, "legs_moved": done.legs_moved,
        "ms": ms,
    });
    Ok(Answer::new(text, data))
}

fn format_of(path: &Path) -> anyhow::Result<EntryFormat> {
    match path.extension().and_then(|extension| extension.to_str()) {
        Some("csv") => Ok(EntryFormat::Csv),
        Some("jsonl" | "ndjson") => Ok(EntryFormat::JsonLines),
        _ => bail!("{}: the name of a file of fills ends in .csv or .jsonl", path.display()),
    }
}

/// `venue ledger show`.
#[derive(Debug, Args)]
pub(crate) struct Show {
    #[command(flatten)]
    db: Db,
    /// One account, with what it holds.
    #[arg(long, value_name = "NAME")]
    name: Option<String>,
    #[command(flatten)]
    at: At,
}

pub(super) fn show(args: &Show) -> anyhow::Result<Answer> {
    let now = args.at.now()?;
    let mut ledger = args.db.open()?;
    let mut accounts = ledger.accounts(now.instant)?;
    let mut text = format!("Venue {:?}, {}\n", ledger.venue(), counted(accounts.len(), "account"));
    let mut data = json!({ "venue": ledger.venue(), "universe": ledger.universe().digest(), "at": now.instant });
    if let Some(name) = &args.name {
        let held = ledger.holdings(name)?;
        accounts.retain(|account| account.name == *name);
        describe(&mut text, &accounts);
        for line in &held {
            let _ = writeln!(text, "  {:>24}  {} {}", line.amount, line.name, line.what);
        }
        let held = held.iter();
        data["holds"] = held
            .map(|line| json!({ "name": line.name, "what": line.what, "amount": line.amount.to_string() }))
            .collect();
    } else {
        describe(&mut text, &accounts);
    }
    data["accounts"] = accounts.iter().map(as_data).collect();
    Ok(Answer::new(text, data))
}

fn describe(text: &mut String, accounts: &[AccountSummary]) {
    for account in accounts {
        let pledged = match &account.encumbrance {
            Some(pledge) => {
                let held = pledge.held_until;
                let held = held.map_or(String::new(), |until| format!(", withdrawals held until {until}"));
                format!(
                    "pledged to {}, book {}, until {}{held}",
                    pledge.audience, pledge.book, pledge.until
                )
            }
            None => "not pledged".to_owned(),
        };
        let _ = writeln!(
            text,
            "{}  {}, {}; {pledged}",
            account.name,
            counted(account.fills, "fill"),
            counted(account.attestations, "attestation")
        );
    }
}

fn as_data(account: &AccountSummary) -> Value {
    let pledge = account.encumbrance.as_ref().map(|pledge| {
        json!({ "audience": pledge.audience, "book": pledge.book, "until": pledge.until, "held_until": pledge.held_until })
    });
    json!({
        "name": account.name, "subject": account.subject, "fills": account.fills, "attestations": account.attestations,
        "moved": account.moved, "epoch": account.epoch, "pledged": pledge,
    })
}

/// `venue ledger audit`.
#[derive(Debug, Args)]
pub(crate) struct Audit {
    #[command(flatten)]
    db: Db,
}

pub(super) fn audit(args: &Audit) -> anyhow::Result<Answer> {
    let mut ledger = args.db.open()?;
    let making_anew = working("making everything anew");
    let audit = ledger.audit()?;
    making_anew.finish_and_clear();
    let mut text = format!(
        "{}: {} made anew, {} replayed, {} checked.\n",
        counted(audit.accounts, "account"),
        counted(audit.commitments, "commitment"),
        counted(audit.fills, "fill"),
        counted(audit.attestations, "attestation"),
    );
    for universe in &audit.universes {
        let _ = writeln!(text, "By universe {universe}: one that you published?");
    }
    for finding in &audit.findings {
        let _ = writeln!(text, "account {:?}: {}", finding.account, finding.what);
    }
    let is_sound = audit.findings.is_empty();
    text.push_str(if is_sound {
        "Everything fits."
    } else {
        "The ledger is damaged: sign nothing with it."
    });
    let findings: Vec<Value> = audit
        .findings
        .iter()
        .map(|finding| json!({ "name": finding.account, "what": finding.what }))
        .collect();
    let data = json!({
        "venue": ledger.venue(), "accounts": audit.accounts, "commitments": audit.commitments, "fills": audit.fills,
        "attestations": audit.attestations, "universes": audit.universes, "findings": findings,
    });
    let answer = Answer::new(text, data);
    Ok(if is_sound {
        answer
    } else {
        answer.with_exit(exit::PROOF)
    })
}

/// `venue ledger export`: all fills, as CSV (*.csv) or a JSON object per line (*.jsonl), in a file that `import` reads.
#[derive(Debug, Args)]
pub(crate) struct Export {
    #[command(flatten)]
    db: Db,
    #[command(flatten)]
    out: Out,
}

pub(super) fn export(args: &Export) -> anyhow::Result<Answer> {
    let format = format_of(&args.out.path)?;
    let mut outputs = args.out.reserve()?;
    let mut ledger = args.db.open()?;
    let (file, count) = ledger.export(format)?;
    outputs.stage(&args.out.path, &file, Secrecy::Secret)?;
    outputs.commit()?;
    let path = args.out.path.display();
    Ok(Answer::new(
        format!(
            "{} of all accounts at {:?}\n{path}  secret",
            counted(count, "fill"),
            ledger.venue()
        ),
        json!({ "venue": ledger.venue(), "fills": count, "file": path.to_string() }),
    ))
}
