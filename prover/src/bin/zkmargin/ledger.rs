//! `zkmargin venue ledger`.

mod accounts;
mod pledge;

use std::path::PathBuf;

use anyhow::Context as _;
use clap::{Args, Subcommand};
use serde_json::json;
use zkmargin_ledger::Ledger;
use zkmargin_prover::keys::Role;
use zkmargin_verifier::file::default_cache_dir;
use zkmargin_verifier::words::counted;

use crate::answer::Answer;
use crate::load;

/// Which ledger.
#[derive(Debug, Args)]
pub(crate) struct Db {
    /// The ledger: the path of an SQLite file, or postgres://USER@HOST/DATABASE. As secret as the accounts in it.
    #[arg(long, value_name = "PATH|URL", env = "ZKMARGIN_LEDGER", hide_env_values = true)]
    ledger: String,
}

impl Db {
    fn open(&self) -> anyhow::Result<Ledger> {
        Ok(Ledger::open(&self.ledger, default_cache_dir().as_deref())?)
    }
}

/// The verbs.
#[derive(Debug, Subcommand)]
pub(crate) enum Verb {
    /// Makes a ledger for a venue: for the one whose key is given.
    Init(Init),
    /// Opens an account.
    Account(accounts::Account),
    /// Records fills from a file, each once, and moves the commitments by them.
    Import(accounts::Import),
    /// Attests an account and pledges it to an audience: refused while another pledge stands.
    Attest(pledge::Attest),
    /// Ends a pledge: the audience gave the account back.
    Release(pledge::Release),
    /// Gives an account from one audience to the next: a release and an attestation, both or neither.
    Handover(pledge::Handover),
    /// Says which accounts there are and whom they are pledged to; with --name, what one holds.
    Show(accounts::Show),
    /// Makes all commitments and positions anew and compares them; checks every attestation and pledge.
    Audit(accounts::Audit),
    /// Writes all fills into a file that `import` reads.
    Export(accounts::Export),
    /// Goes over to a new version of the universe, in which the venue lists more.
    Relist(Relist),
}

pub(crate) fn run(verb: &Verb) -> anyhow::Result<Answer> {
    match verb {
        Verb::Init(args) => init(args),
        Verb::Account(args) => accounts::add(args),
        Verb::Import(args) => accounts::import(args),
        Verb::Attest(args) => pledge::attest(args),
        Verb::Release(args) => pledge::release(args),
        Verb::Handover(args) => pledge::handover(args),
        Verb::Show(args) => accounts::show(args),
        Verb::Audit(args) => accounts::audit(args),
        Verb::Export(args) => accounts::export(args),
        Verb::Relist(args) => relist(args),
    }
}

/// `venue ledger init`.
#[derive(Debug, Args)]
pub(crate) struct Init {
    #[command(flatten)]
    db: Db,
    /// The universe (JSON). The ledger keeps it.
    #[arg(long, value_name = "FILE")]
    universe: PathBuf,
    /// The venue's key file. Its keys do not go into the ledger.
    #[arg(long, value_name = "FILE")]
    key: PathBuf,
}

fn init(args: &Init) -> anyhow::Result<Answer> {
    let universe = load::universe(&args.universe)?;
    let key = load::key(&args.key, Role::Venue)?;
    let digest = universe.digest();
    let ledger = Ledger::create(&args.db.ledger, universe, &key, default_cache_dir().as_deref())?;
    let (venue, place) = (ledger.venue(), ledger.place());
    Ok(Answer::new(
        format!("Ledger of venue {venue:?}, universe {digest}\n{place}  secret"),
        json!({ "venue": venue, "universe": digest, "ledger": place }),
    ))
}

/// `venue ledger relist`.
#[derive(Debug, Args)]
pub(crate) struct Relist {
    #[command(flatten)]
    db: Db,
    /// The new universe (JSON): the venue lists what it listed, in the same order, and more.
    #[arg(long, value_name = "FILE")]
    universe: PathBuf,
}

fn relist(args: &Relist) -> anyhow::Result<Answer> {
    let universe = load::universe(&args.universe)?;
    let digest = universe.digest();
    let mut ledger = args.db.open()?;
    ledger
        .relist(universe, default_cache_dir().as_deref())
        .with_context(|| args.universe.display().to_string())?;
    let venue = ledger.universe().venue(ledger.venue());
    let lines = venue.map_or(0, |(_, venue)| venue.lines.len());
    Ok(Answer::new(
        format!(
            "Venue {:?} lists {} in universe {digest}; every commitment is kept.",
            ledger.venue(),
            counted(lines, "line")
        ),
        json!({ "venue": ledger.venue(), "universe": digest, "lines": lines }),
    ))
}
