//! `zkmargin prove`.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context as _, bail};
use clap::Args;
use serde_json::json;
use zkmargin_prover::keys::Role;
use zkmargin_prover::prove::{Account, Draft, ProveError, Prover};
use zkmargin_risk::canonical::{Digest, parse_hex};
use zkmargin_risk::instant::Instant;
use zkmargin_risk::market::Snapshot;
use zkmargin_risk::terms::{Deposit, Margin, Order, Ratio20, Terms};
use zkmargin_risk::universe::Universe;
use zkmargin_verifier::age::Age;
use zkmargin_verifier::book::Book;
use zkmargin_verifier::output::Secrecy;
use zkmargin_verifier::words::counted;
use zkmargin_verifier::{Context, PublicKey, SigningKey, Statement, VerifyError, Window, draw_nonce};

use crate::answer::{Answer, working};
use crate::clock::{At, Now};
use crate::hold::Hold;
use crate::load::{self, Facts, Out};

/// `prove`: writes a bundle of statement and proof, or, if the margin is not met or something is held that the model does not count, nothing (exit code 4).
///
/// The opening of every attestation is recomputed first, and the finished bundle is verified before it is written.
#[derive(Debug, Args)]
pub(crate) struct Prove {
    #[command(flatten)]
    facts: Facts,
    #[command(flatten)]
    accounts: Accounts,
    #[command(flatten)]
    terms: TermArgs,
    #[command(flatten)]
    address: Address,
    /// The nonce that the partner drew (64 lower-case hexadecimal digits); random if the partner asked for none.
    #[arg(long, value_name = "HEX", value_parser = parse_hex::<32>)]
    nonce: Option<[u8; 32]>,
    /// The partner's name of the credit line.
    #[arg(long, value_name = "NAME")]
    book: Book,
    /// Your key file; may be given several times when the accounts have several holders.
    #[arg(long = "subject-key", value_name = "FILE", required = true)]
    subject_keys: Vec<PathBuf>,
    /// Digest of the statement that this one takes the place of (64 lower-case hexadecimal digits).
    #[arg(long, value_name = "HEX")]
    replaces: Option<Digest>,
    #[command(flatten)]
    hold: Hold,
    #[command(flatten)]
    at: At,
    #[command(flatten)]
    out: Out,
}

/// To whom something is stated, and for how long.
#[derive(Debug, Args)]
pub(crate) struct Address {
    /// Public key of the partner to whom the statement is made (64 lower-case hexadecimal digits).
    #[arg(long, value_name = "HEX", value_parser = load::public_key)]
    pub(crate) audience: PublicKey,
    /// How long the statement may be relied on, from now: 10m, 2h. By default until the first attestation expires.
    #[arg(long, value_name = "AGE", conflicts_with = "window")]
    valid_for: Option<Age>,
    /// From when until when the statement may be relied on: INSTANT/INSTANT.
    #[arg(long, value_name = "FROM/UNTIL", value_parser = window)]
    window: Option<Window>,
}

/// A nonce of our own, where the partner drew none.
pub(crate) fn random_nonce() -> anyhow::Result<[u8; 32]> {
    Ok(draw_nonce().map_err(zkmargin_prover::keys::KeyError::Randomness)?)
}

impl Address {
    /// The window of a statement: as given, or from now until the first attestation expires.
    pub(crate) fn window(&self, now: Now, accounts: &[Account]) -> anyhow::Result<Window> {
        if let Some(window) = self.window {
            return Ok(window);
        }
        let from = now.instant;
        let until = match self.asked_until(now)? {
            Some(until) => until,
            None => {
                let expiries = accounts.iter().map(|account| account.attestation.content().expiry);
                expiries.min().unwrap_or(from)
            }
        };
        Ok(Window { from, until })
    }

    /// Where a window from now ends, if `--valid-for` says so.
    pub(crate) fn asked_until(&self, now: Now) -> anyhow::Result<Option<Instant>> {
        let Some(age) = self.valid_for else { return Ok(None) };
        let until = now.instant.checked_add(age.millis());
        until.context("--valid-for ends beyond the year 9999").map(Some)
    }

    /// Whether a statement may stand where this was asked for: its window is the one given, where one was.
    pub(crate) fn admits(&self, statement: &Statement) -> bool {
        self.window.is_none_or(|window| window == statement.window)
    }
}

/// Attested accounts.
#[derive(Debug, Args)]
pub(crate) struct Accounts {
    /// An attestation, as the venue gave it; may be given several times.
    #[arg(long = "attestation", value_name = "FILE", required = true)]
    attestations: Vec<PathBuf>,
    /// The opening of an attestation; as many as attestations, in the same order.
    #[arg(long = "opening", value_name = "FILE", required = true)]
    openings: Vec<PathBuf>,
}

impl Accounts {
    fn load(&self) -> anyhow::Result<Vec<Account>> {
        let (attestations, openings) = (self.attestations.len(), self.openings.len());
        if attestations != openings {
            bail!(
                "{} and {}: give one --opening for each --attestation, in the same order",
                counted(attestations, "attestation"),
                counted(openings, "opening")
            );
        }
        let pairs = self.attestations.iter().zip(&self.openings);
        pairs
            .map(|(attestation, opening)| {
                Ok(Account {
                    attestation: load::attestation(attestation)?,
                    opening: load::opening(opening)?,
                })
            })
            .collect()
    }
}

/// What is to be met.
#[derive(Debug, Args)]
pub(crate) struct TermArgs {
    /// The requirement: initial or maintenance; or variation, that the cash covers what positions lost until the snapshot of --later.
    #[arg(long, default_value = "maintenance")]
    level: Margin,
    /// For --level variation: the later snapshot (JSON).
    #[arg(long, value_name = "FILE")]
    later: Option<PathBuf>,
    /// The value must be at least this many times the requirement, in steps of 0.05 from 1.
    #[arg(long, value_name = "RATIO", default_value = "1.00", allow_negative_numbers = true)]
    ratio: Ratio20,
    /// And exceed it by at least this many whole units of the model's numeraire (USD, or a coin).
    #[arg(long, value_name = "UNITS", default_value_t = 0, value_parser = whole_units, allow_negative_numbers = true)]
    excess: u64,
    /// As if this order were filled: "sell 5 BTC-28AUG26-70000-C @ 0.0215 fee 0.0003", price and fee per contract; VENUE:INSTRUMENT if several
    /// venues list it. Not for --level variation.
    #[arg(long, value_name = "ORDER", allow_hyphen_values = true)]
    order: Option<String>,
    /// As if this were deposited: "2.5 BTC", or "2.5 VENUE:BTC".
    #[arg(long, value_name = "DEPOSIT", allow_hyphen_values = true)]
    deposit: Option<String>,
}

impl TermArgs {
    /// The later snapshot, if there is one.
    pub(crate) fn later(&self) -> anyhow::Result<Option<Snapshot>> {
        match (self.level, &self.later) {
            (Margin::Variation, None) => {
                bail!("--level variation is of two snapshots: give the later one with --later FILE")
            }
            (Margin::Level(level), Some(path)) => bail!(
                "--later {}: {level} margin is of one snapshot; --later goes with --level variation",
                path.display()
            ),
            (_, path) => Ok(path.as_deref().map(load::snapshot).transpose()?),
        }
    }

    /// The terms in a universe.
    pub(crate) fn terms(&self, universe: &Universe) -> anyhow::Result<Terms> {
        let order = self
            .order
            .as_ref()
            .map(|text| Order::parse(text, universe))
            .transpose()
            .context("--order")?;
        let deposit = self
            .deposit
            .as_ref()
            .map(|text| Deposit::parse(text, universe))
            .transpose()
            .context("--deposit")?;
        Ok(Terms {
            margin: self.level,
            ratio: self.ratio,
            excess: self.excess,
            order,
            deposit,
        })
    }
}

fn whole_units(text: &str) -> anyhow::Result<u64> {
    let is_plain = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let units = text.parse().ok().filter(|_| is_plain);
    units.with_context(|| format!("`{text}` is not a number of whole units: 0 to {}", u64::MAX))
}

/// Reads the keys of subjects.
pub(crate) fn subject_keys(paths: &[PathBuf]) -> anyhow::Result<Vec<SigningKey>> {
    let keys = paths
        .iter()
        .map(|path| Ok(load::key(path, Role::Subject)?.signing().clone()));
    keys.collect()
}

fn window(text: &str) -> anyhow::Result<Window> {
    let (from, until) = text.split_once('/').context("expected FROM/UNTIL, two instants")?;
    Ok(Window {
        from: from.parse()?,
        until: until.parse()?,
    })
}

impl Prove {
    /// The files that an error is about.
    fn place(&self, error: &ProveError) -> Option<String> {
        let path = |paths: &[PathBuf], place: usize| paths.get(place).map(|path| path.display().to_string());
        match error {
            ProveError::Opening { account, .. } => path(&self.accounts.openings, *account),
            ProveError::AttestationSignature { account, .. } => path(&self.accounts.attestations, *account),
            ProveError::Statement(VerifyError::Compile { .. } | VerifyError::Shape { .. })
            | ProveError::SupposedNotCounted { .. }
            | ProveError::NotCounted { .. }
            | ProveError::Witness { .. } => Some(self.facts.names()),
            _ => None,
        }
    }
}

pub(crate) fn run(args: &Prove) -> anyhow::Result<Answer> {
    let mut outputs = args
        .out
        .reserve_sparing(args.subject_keys.iter().chain(&args.accounts.openings))?;
    args.hold.check()?;
    let now = args.at.now()?;
    let facts = args.facts.load()?;
    let accounts = args.accounts.load()?;
    let subjects = subject_keys(&args.subject_keys)?;
    let draft = Draft {
        terms: args.terms.terms(&facts.universe)?,
        audience: args.address.audience,
        book: args.book.clone(),
        nonce: args.nonce.map_or_else(random_nonce, Ok)?,
        window: args.address.window(now, &accounts)?,
        replaces: args.replaces,
        accounts,
    };
    args.hold.fits(draft.window)?;
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

    let spinner = working("");
    let proven = prover.prove(&[draft], &subjects, |stage| spinner.set_message(stage.to_string()));
    spinner.finish_and_clear();
    let proven = proven.map_err(|error| match args.place(&error) {
        Some(place) => anyhow::Error::from(error).context(place),
        None => error.into(),
    })?;
    // What is on the disk before, under whatever name, says by its time when it was done.
    args.hold.wait()?;
    outputs.stage(&args.out.path, &proven.bytes, Secrecy::Public)?;
    outputs.commit()?;

    let millis = |time: Duration| time.as_secs_f64() * 1e3;
    let (proof, bundle) = (proven.bundle.proof.len(), proven.bytes.len());
    let (proving, verifying) = (millis(proven.proving), millis(proven.verifying));
    let mut text = String::new();
    for statement in &proven.statements {
        let supposed = [("order", &statement.order), ("deposit", &statement.deposit)];
        let supposed: Vec<String> = supposed
            .into_iter()
            .filter_map(|(what, text)| Some(format!("{what} {}", text.as_ref()?)))
            .collect();
        let condition = match supposed.as_slice() {
            [] => String::new(),
            some => format!("IF what is supposed happens ({}), ", some.join("; ")),
        };
        text += &format!(
            "Statement {}\nis proven: {condition}{} together {}, {} times over and with {} {} to spare.\n",
            statement.digest,
            counted(statement.accounts.len(), "account"),
            match statement.level {
                Margin::Variation => "have the cash for what their positions lost".to_owned(),
                Margin::Level(level) => format!("meet the {level} requirement"),
            },
            statement.ratio,
            statement.excess,
            facts.model.numeraire(),
        );
    }
    text += &format!(
        "Proven in {proving:.0} ms and verified in {verifying:.0} ms, at {now}.\n\
         {}  {bundle} bytes, of which the proof is {proof}",
        args.out.path.display(),
    );
    let data = json!({
        "at": now.instant, "statements": proven.statements, "history": facts.model.history(), "proof_bytes": proof, "bundle_bytes": bundle,
        "proving_ms": proving, "verifying_ms": verifying, "file": args.out.path.display().to_string(),
    });
    Ok(Answer::new(text, data))
}
