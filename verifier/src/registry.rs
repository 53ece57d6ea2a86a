//! A partner's registry: what it accepted, at most once, and how every account stands (protocol §8).
//!
//! [`Registry::accept`] verifies a bundle and then, in one transaction of the database, checks it against everything that was accepted before
//! and records it. So a refused bundle leaves the registry as it was, two processes never both accept one statement, and what was
//! confirmed survives a crash.
//!
//! - The key is the **statement digest**, not the proof's bytes: another proof of the same statement is the same acceptance.
//! - An **account** (a venue's pseudonym) stands in one live statement, unless the new one names that one as replaced. Its epoch never goes
//!   back, and one epoch has one snapshot.
//! - The registry has a **clock** of its own, the latest instant at which it accepted anything: a system clock that is set back revives no
//!   statement that had ended.
//! - An account is current, due, called or lapsed by the end of its last statement. A late proof is a call, not a liquidation: whoever
//!   brings one within the grace time is current again, and the history shows that it was late.

use serde::Serialize;
use serde_json::{Value as Json, json};
use thiserror::Error;
use zkmargin_risk::canonical::Digest;
use zkmargin_risk::instant::Instant;
use zkmargin_risk::universe::Network;
use zkmargin_store::{Row, Schema, Store, StoreError, Transaction};

use crate::attestation::Pseudonym;
use crate::book::Book;
use crate::bundle::{Bundle, ProofHash};
use crate::dsse::PublicKey;
use crate::policy::{Calls, NonceRule};
use crate::verdict::{ProvenAccount, ProvenStatement, Verdict};
use crate::verify::{Context, Partner, VerifyError, exit};
use crate::words::network;

mod export;
mod standing;

pub use export::ExportError;
pub use standing::{Account, AccountStanding, Event, EventKind, Standing};

/// The tables.
const SCHEMA: Schema = Schema {
    application: "zkmargin-registry",
    migrations: &["
        CREATE TABLE partner (id BIGINT PRIMARY KEY, network BIGINT NOT NULL, audience BLOB NOT NULL, clock BIGINT NOT NULL);
        CREATE TABLE bundles (proof BLOB PRIMARY KEY, accepted BIGINT NOT NULL, bytes BLOB NOT NULL);
        CREATE TABLE nonces (nonce TEXT PRIMARY KEY, proof BLOB NOT NULL, used BIGINT NOT NULL);
        CREATE TABLE statements (
            digest BLOB PRIMARY KEY, number BIGINT NOT NULL UNIQUE, accepted BIGINT NOT NULL, book TEXT NOT NULL,
            due BIGINT NOT NULL, ends BIGINT NOT NULL, lapses BIGINT NOT NULL,
            replaced_by BLOB, replaced BIGINT, record TEXT NOT NULL
        );
        CREATE TABLE holdings (
            statement BLOB NOT NULL REFERENCES statements (digest), venue TEXT NOT NULL, account BLOB NOT NULL, subject BLOB NOT NULL,
            epoch BIGINT NOT NULL, snapshot BLOB NOT NULL, PRIMARY KEY (statement, venue, account)
        );
        CREATE INDEX holdings_by_account ON holdings (venue, account, epoch);
    "],
};

/// What a partner accepted.
#[derive(Debug)]
pub struct Registry {
    store: Store,
}

/// Why the registry does not take a valid bundle. `statement` counts from 0, its message from 1.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum RegistryRefusal {
    /// The same statement again, whatever its proof.
    #[error("statement {} is {digest}, which was accepted at {accepted} already", statement + 1)]
    AlreadyAccepted {
        /// The statement.
        statement: usize,
        /// Its digest.
        digest: Digest,
        /// When it was accepted.
        accepted: Instant,
    },
    /// The nonce was used.
    #[error("nonce {nonce} was used at {used} already: draw one for every proof")]
    NonceUsed {
        /// The nonce, in hexadecimal.
        nonce: String,
        /// When.
        used: Instant,
    },
    /// It ended, by the registry's clock.
    #[error(
        "statement {} is not good after {until}: the registry accepted something at {clock}, the clock has been set back since", statement + 1
    )]
    ClockWentBack {
        /// The statement.
        statement: usize,
        /// Its last instant.
        until: Instant,
        /// The registry's clock.
        clock: Instant,
    },
    /// The statement that it takes the place of was never accepted.
    #[error("statement {} takes the place of {replaces}, which was never accepted", statement + 1)]
    ReplacesUnknown {
        /// The statement.
        statement: usize,
        /// What it names.
        replaces: Digest,
    },
    /// The statement that it takes the place of has been replaced.
    #[error("statement {} takes the place of {replaces}, which {by} took already", statement + 1)]
    AlreadyReplaced {
        /// The statement.
        statement: usize,
        /// What it names.
        replaces: Digest,
        /// What took its place.
        by: Digest,
    },
    /// The statement that it takes the place of has lapsed.
    #[error("statement {} takes the place of {replaces}, which lapsed at {lapsed}: there is nothing left to replace", statement + 1)]
    ReplacesLapsed {
        /// The statement.
        statement: usize,
        /// What it names.
        replaces: Digest,
        /// When it lapsed.
        lapsed: Instant,
    },
    /// The statement that it takes the place of is for another credit line.
    #[error("statement {} is for book {:?} and takes the place of {replaces}, which is for {:?}", statement + 1, found.as_str(), expected)]
    ReplacesOtherBook {
        /// The statement.
        statement: usize,
        /// What it names.
        replaces: Digest,
        /// Its book.
        found: Book,
        /// The other's.
        expected: String,
    },
    /// The statement that it takes the place of is somebody else's.
    #[error("statement {} takes the place of {replaces}, with which it has no subject in common", statement + 1)]
    ReplacesStranger {
        /// The statement.
        statement: usize,
        /// What it names.
        replaces: Digest,
    },
    /// An account stands in a live statement.
    #[error(
        "statement {}: account {} at {:?} stands in {live} until {until}, which it does not take the place of",
        statement + 1, account.account, account.venue
    )]
    InLiveStatement {
        /// The statement.
        statement: usize,
        /// The account.
        account: Account,
        /// The live statement.
        live: Digest,
        /// Its last instant.
        until: Instant,
    },
    /// An epoch before one that was accepted.
    #[error(
        "statement {}: account {} at {:?} is of epoch {found}, one of {last} was accepted", statement + 1, account.account, account.venue
    )]
    EpochRollback {
        /// The statement.
        statement: usize,
        /// The account.
        account: Account,
        /// Its epoch.
        found: Instant,
        /// The last one accepted.
        last: Instant,
    },
    /// Another snapshot of an epoch that was accepted.
    #[error(
        "statement {}: account {} at {:?} is on snapshot {found}, at its epoch {last} was accepted", statement + 1, account.account, account.venue
    )]
    OtherSnapshot {
        /// The statement.
        statement: usize,
        /// The account.
        account: Account,
        /// Its snapshot.
        found: Digest,
        /// The one accepted.
        last: Digest,
    },
}

/// Why nothing was accepted, or nothing found.
#[derive(Debug, Error)]
pub enum RegistryError {
    /// The bundle is refused.
    #[error(transparent)]
    Verify(#[from] Box<VerifyError>),
    /// The bundle is good, and does not fit what was accepted before.
    #[error(transparent)]
    Refused(#[from] RegistryRefusal),
    /// The policy does not say when proofs are due.
    #[error("the policy has no `calls`: a registry must know when a proof is due again")]
    NoCalls,
    /// It is somebody else's.
    #[error("the registry is of audience {found} on network {}, the policy of {expected} on {}", network(*on), network(*expected_on))]
    OtherPartner {
        /// Whose it is.
        found: PublicKey,
        /// Of which network.
        on: Network,
        /// The policy's audience.
        expected: PublicKey,
        /// The policy's network.
        expected_on: Network,
    },
    /// No such account was ever accepted.
    #[error("no statement about account {} at {:?} was accepted by {at}", account.account, account.venue)]
    UnknownAccount {
        /// The account.
        account: Account,
        /// Until when it was looked for.
        at: Instant,
    },
    /// A value in the database that this build did not write.
    #[error("the registry's {field} of a row is not what it should be: {value}")]
    Row {
        /// Which.
        field: &'static str,
        /// What it is.
        value: String,
    },
    /// The database.
    #[error("registry: {0}")]
    Store(#[from] StoreError),
}

impl RegistryError {
    /// The exit code that says what kind of error this is.
    pub fn exit_code(&self) -> u8 {
        match self {
            RegistryError::Verify(error) => error.exit_code(),
            RegistryError::Refused(_) => exit::POLICY,
            _ => exit::USAGE,
        }
    }
}

/// A verified bundle and what is recorded beside it.
#[derive(Copy, Clone, Debug)]
struct Acceptance<'a> {
    verdict: &'a Verdict,
    calls: Calls,
    /// Whether the nonce counts: the partner drew it.
    nonce_is_drawn: bool,
    bundle: &'a [u8],
    proof: ProofHash,
}

impl Registry {
    /// Makes a new registry of one partner on one network. What is there already is not replaced.
    ///
    /// # Errors
    /// [`RegistryError::Store`].
    pub fn create(url: &str, on: Network, audience: PublicKey) -> Result<Registry, RegistryError> {
        let store = Store::create(url, &SCHEMA, |tx| -> Result<(), RegistryError> {
            tx.execute(
                "INSERT INTO partner (id, network, audience, clock) VALUES (1, $1, $2, 0)",
                &[signed(on.code()).into(), audience.as_bytes().into()],
            )?;
            Ok(())
        })?;
        Ok(Registry { store })
    }

    /// Opens the registry of this partner on this network.
    ///
    /// # Errors
    /// [`RegistryError::OtherPartner`], [`RegistryError::Store`].
    pub fn open(url: &str, on: Network, audience: PublicKey) -> Result<Registry, RegistryError> {
        let mut registry = Registry::open_any(url)?;
        let (found_on, found) = registry.partner()?;
        if (found_on, found) != (on, audience) {
            return Err(RegistryError::OtherPartner {
                found,
                on: found_on,
                expected: audience,
                expected_on: on,
            });
        }
        Ok(registry)
    }

    /// Opens a registry, whosever it is: to look, not to accept.
    ///
    /// # Errors
    /// [`RegistryError::Store`].
    pub fn open_any(url: &str) -> Result<Registry, RegistryError> {
        let store = Store::open(url, &SCHEMA)?;
        Ok(Registry { store })
    }

    fn partner(&mut self) -> Result<(Network, PublicKey), RegistryError> {
        self.store.read(|tx| {
            let row = tx.one("SELECT network, audience FROM partner", &[])?;
            let code = row.unsigned(0)?;
            let on = Network::from_code(code).ok_or(RegistryError::Row {
                field: "network",
                value: code.to_string(),
            })?;
            Ok((on, PublicKey(row.byte_array(1)?)))
        })
    }

    /// Verifies a bundle and records it, at most once. When this returns `Ok`, it is on the disk.
    ///
    /// # Errors
    /// The first [`RegistryError`]; nothing is recorded then.
    pub fn accept(
        &mut self,
        partner: &Partner<'_>,
        context: &Context<'_>,
        bundle: &[u8],
        at: Instant,
    ) -> Result<Verdict, RegistryError> {
        let policy = partner.policy;
        let calls = policy.calls.ok_or(RegistryError::NoCalls)?;
        let verdict = partner.verify(context, bundle, at).map_err(Box::new)?;
        let proof = Bundle::from_bytes(bundle)
            .map_err(|error| Box::new(error.into()))?
            .proof;
        self.record(&Acceptance {
            verdict: &verdict,
            calls,
            nonce_is_drawn: partner.nonce.is_some() || policy.nonce == NonceRule::Required,
            bundle,
            proof: ProofHash::of(&proof),
        })?;
        Ok(verdict)
    }

    fn record(&mut self, acceptance: &Acceptance<'_>) -> Result<(), RegistryError> {
        self.store.write(|tx| record(tx, acceptance))
    }
}

/// Everything that one transaction checks and writes.
fn record(tx: &mut Transaction<'_>, acceptance: &Acceptance<'_>) -> Result<(), RegistryError> {
    let Acceptance {
        verdict,
        nonce_is_drawn,
        bundle,
        proof,
        ..
    } = *acceptance;
    let at = verdict.at;
    let clock = instant(&tx.one("SELECT clock FROM partner", &[])?, 0, "clock")?.max(at);
    for (index, statement) in verdict.statements.iter().enumerate() {
        check_statement(tx, verdict, index, statement, clock)?;
    }
    // All statements of a bundle carry the one nonce that was drawn for them.
    if let Some(statement) = verdict.statements.first().filter(|_| nonce_is_drawn) {
        let nonce = &statement.nonce;
        let used = tx.optional("SELECT used FROM nonces WHERE nonce = $1", &[nonce.as_str().into()])?;
        if let Some(used) = used {
            return Err(RegistryRefusal::NonceUsed {
                nonce: nonce.clone(),
                used: instant(&used, 0, "used")?,
            }
            .into());
        }
        tx.execute(
            "INSERT INTO nonces (nonce, proof, used) VALUES ($1, $2, $3)",
            &[nonce.as_str().into(), (&proof.0).into(), millis(at).into()],
        )?;
    }
    tx.execute(
        "INSERT INTO bundles (proof, accepted, bytes) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING",
        &[(&proof.0).into(), millis(at).into(), bundle.into()],
    )?;
    for statement in &verdict.statements {
        write_statement(tx, acceptance, statement)?;
    }
    tx.execute("UPDATE partner SET clock = $1", &[millis(clock).into()])?;
    Ok(())
}

fn check_statement(
    tx: &mut Transaction<'_>,
    verdict: &Verdict,
    index: usize,
    statement: &ProvenStatement,
    clock: Instant,
) -> Result<(), RegistryError> {
    let digest = statement.digest;
    if let Some(row) = tx.optional(
        "SELECT accepted FROM statements WHERE digest = $1",
        &[(&digest.0).into()],
    )? {
        return Err(RegistryRefusal::AlreadyAccepted {
            statement: index,
            digest,
            accepted: instant(&row, 0, "accepted")?,
        }
        .into());
    }
    if statement.until < clock {
        return Err(RegistryRefusal::ClockWentBack {
            statement: index,
            until: statement.until,
            clock,
        }
        .into());
    }
    if let Some(replaces) = statement.replaces {
        check_replaced(tx, index, statement, replaces, clock)?;
    }
    for account in &statement.accounts {
        check_account(tx, verdict, index, statement, account, clock)?;
    }
    Ok(())
}

fn check_replaced(
    tx: &mut Transaction<'_>,
    index: usize,
    statement: &ProvenStatement,
    replaces: Digest,
    clock: Instant,
) -> Result<(), RegistryError> {
    let found = tx.optional(
        "SELECT replaced_by, lapses, book FROM statements WHERE digest = $1",
        &[(&replaces.0).into()],
    )?;
    let found = found.ok_or(RegistryRefusal::ReplacesUnknown {
        statement: index,
        replaces,
    })?;
    if let Some(by) = digest_or_null(&found, 0)? {
        return Err(RegistryRefusal::AlreadyReplaced {
            statement: index,
            replaces,
            by,
        }
        .into());
    }
    let lapsed = instant(&found, 1, "lapses")?;
    if lapsed < clock {
        return Err(RegistryRefusal::ReplacesLapsed {
            statement: index,
            replaces,
            lapsed,
        }
        .into());
    }
    let expected = found.text(2)?;
    if expected != statement.book.as_str() {
        return Err(RegistryRefusal::ReplacesOtherBook {
            statement: index,
            replaces,
            found: statement.book.clone(),
            expected: expected.to_owned(),
        }
        .into());
    }
    let subjects = tx.rows(
        "SELECT DISTINCT subject FROM holdings WHERE statement = $1",
        &[(&replaces.0).into()],
    )?;
    for row in &subjects {
        let subject = PublicKey(row.byte_array(0)?);
        if statement.accounts.iter().any(|account| account.subject == subject) {
            return Ok(());
        }
    }
    Err(RegistryRefusal::ReplacesStranger {
        statement: index,
        replaces,
    }
    .into())
}

fn check_account(
    tx: &mut Transaction<'_>,
    verdict: &Verdict,
    index: usize,
    statement: &ProvenStatement,
    proven: &ProvenAccount,
    clock: Instant,
) -> Result<(), RegistryError> {
    let account = || Account {
        venue: proven.venue.clone(),
        account: proven.account,
    };
    let (venue, pseudonym) = (proven.venue.as_str(), &proven.account.0);
    let last = tx.optional(
        "SELECT epoch, snapshot FROM holdings WHERE venue = $1 AND account = $2 ORDER BY epoch DESC LIMIT 1",
        &[venue.into(), pseudonym.into()],
    )?;
    if let Some(last) = last {
        let (epoch, snapshot) = (instant(&last, 0, "epoch")?, Digest(last.byte_array(1)?));
        if verdict.snapshot_instant < epoch {
            return Err(RegistryRefusal::EpochRollback {
                statement: index,
                account: account(),
                found: verdict.snapshot_instant,
                last: epoch,
            }
            .into());
        }
        if verdict.snapshot_instant == epoch && verdict.snapshot != snapshot {
            return Err(RegistryRefusal::OtherSnapshot {
                statement: index,
                account: account(),
                found: verdict.snapshot,
                last: snapshot,
            }
            .into());
        }
    }
    let live = tx.rows(
        "SELECT s.digest, s.ends FROM holdings h JOIN statements s ON s.digest = h.statement
         WHERE h.venue = $1 AND h.account = $2 AND s.replaced_by IS NULL AND s.ends >= $3",
        &[venue.into(), pseudonym.into(), millis(clock).into()],
    )?;
    for row in &live {
        let live = Digest(row.byte_array(0)?);
        if statement.replaces != Some(live) {
            return Err(RegistryRefusal::InLiveStatement {
                statement: index,
                account: account(),
                live,
                until: instant(row, 1, "ends")?,
            }
            .into());
        }
    }
    Ok(())
}

fn write_statement(
    tx: &mut Transaction<'_>,
    acceptance: &Acceptance<'_>,
    statement: &ProvenStatement,
) -> Result<(), RegistryError> {
    let Acceptance {
        verdict, calls, proof, ..
    } = acceptance;
    let (at, until) = (verdict.at, statement.until);
    let due = Instant::from_millis(until.millis().saturating_sub(calls.notice.millis())).unwrap_or(until);
    let lapses = until.checked_add(calls.grace.millis()).unwrap_or(Instant::MAX);
    let record = recorded(verdict, statement, *proof).to_string();
    let number = tx.one("SELECT COUNT(*) FROM statements", &[])?.integer(0)?;
    tx.execute(
        "INSERT INTO statements (digest, number, accepted, book, due, ends, lapses, record) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
        &[
            (&statement.digest.0).into(),
            number.into(),
            millis(at).into(),
            statement.book.as_str().into(),
            millis(due).into(),
            millis(until).into(),
            millis(lapses).into(),
            record.as_str().into(),
        ],
    )?;
    if let Some(replaces) = &statement.replaces {
        tx.execute(
            "UPDATE statements SET replaced_by = $1, replaced = $2 WHERE digest = $3",
            &[(&statement.digest.0).into(), millis(at).into(), (&replaces.0).into()],
        )?;
    }
    for account in &statement.accounts {
        tx.execute(
            "INSERT INTO holdings (statement, venue, account, subject, epoch, snapshot) VALUES ($1, $2, $3, $4, $5, $6)",
            &[
                (&statement.digest.0).into(),
                account.venue.as_str().into(),
                (&account.account.0).into(),
                account.subject.as_bytes().into(),
                millis(verdict.snapshot_instant).into(),
                (&verdict.snapshot.0).into(),
            ],
        )?;
    }
    Ok(())
}

/// What is kept of a statement for whoever audits: all that was proven, on which facts, and the hash of the proof.
fn recorded(verdict: &Verdict, statement: &ProvenStatement, proof: ProofHash) -> Json {
    #[derive(Serialize)]
    struct Facts<'a> {
        network: Network,
        universe: Digest,
        snapshot: Digest,
        epoch: Instant,
        #[serde(skip_serializing_if = "Option::is_none")]
        later: Option<(Digest, Instant)>,
        model: &'a str,
        model_digest: Digest,
        #[serde(skip_serializing_if = "Option::is_none")]
        history: Option<Digest>,
        numeraire: &'a str,
    }
    let facts = Facts {
        network: verdict.network,
        universe: verdict.universe,
        snapshot: verdict.snapshot,
        epoch: verdict.snapshot_instant,
        later: verdict.later,
        model: &verdict.model,
        model_digest: verdict.model_digest,
        history: verdict.history,
        numeraire: &verdict.numeraire,
    };
    json!({ "facts": facts, "statement": statement, "proof": hex::encode(proof.0) })
}

/// Codes and instants are far below what a database's integer holds.
fn signed(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

fn millis(instant: Instant) -> i64 {
    signed(instant.millis())
}

fn instant(row: &Row, column: usize, field: &'static str) -> Result<Instant, RegistryError> {
    let millis = row.unsigned(column)?;
    Instant::from_millis(millis).map_err(|error| RegistryError::Row {
        field,
        value: error.to_string(),
    })
}

fn digest_or_null(row: &Row, column: usize) -> Result<Option<Digest>, RegistryError> {
    match row.optional_bytes(column)? {
        None => Ok(None),
        Some(_) => Ok(Some(Digest(row.byte_array(column)?))),
    }
}

/// The pseudonym in a column.
fn pseudonym(row: &Row, column: usize) -> Result<Pseudonym, RegistryError> {
    Ok(Pseudonym(row.byte_array(column)?))
}

#[cfg(test)]
mod tests;
