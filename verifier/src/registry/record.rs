//! The one transaction in which a verified bundle is checked against what was accepted before, and recorded.

use serde::Serialize;
use serde_json::{Value, json};
use zkmargin_risk::canonical::Digest;
use zkmargin_risk::instant::Instant;
use zkmargin_risk::terms::Margin;
use zkmargin_risk::universe::Network;
use zkmargin_store::Transaction;

use crate::bundle::ProofHash;
use crate::dsse::PublicKey;
use crate::policy::Calls;
use crate::registry::{Account, RegistryError, RegistryRefusal, clock, digest_or_null, instant, millis, pseudonym};
use crate::verdict::{ProvenAccount, ProvenStatement, Verdict};

/// A verified bundle and what is recorded beside it.
#[derive(Copy, Clone, Debug)]
pub(super) struct Acceptance<'a> {
    pub(super) verdict: &'a Verdict,
    pub(super) calls: Calls,
    /// Whether the nonce counts: the partner drew it.
    pub(super) nonce_is_drawn: bool,
    pub(super) bundle: &'a [u8],
    pub(super) proof: ProofHash,
}

/// What became of a verified bundle that is not refused.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub(super) enum Recorded {
    Yes,
    /// It was verified before the registry's clock: what it says must hold at that instant.
    Behind(Instant),
}

/// Everything that one transaction checks and writes.
pub(super) fn record(tx: &mut Transaction<'_>, acceptance: &Acceptance<'_>) -> Result<Recorded, RegistryError> {
    let Acceptance {
        verdict,
        nonce_is_drawn,
        bundle,
        proof,
        ..
    } = *acceptance;
    let at = verdict.at;
    let clock = clock(tx)?;
    if at < clock {
        return Ok(Recorded::Behind(clock));
    }
    tx.execute(
        "INSERT INTO bundles (proof, accepted, bytes) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING",
        &[(&proof.0).into(), millis(at).into(), bundle.into()],
    )?;
    // One after another: a statement is checked beside those of its own bundle, too.
    for (index, statement) in verdict.statements.iter().enumerate() {
        // What a bundle brings, it does not take away again: both would be said to be proven, and one would stand.
        let own = |replaces: &Digest| verdict.statements.iter().any(|other| other.digest == *replaces);
        if let Some(replaces) = statement.replaces.filter(own) {
            return Err(RegistryRefusal::ReplacesUnknown {
                statement: index,
                replaces,
            }
            .into());
        }
        check_statement(tx, verdict, index, statement)?;
        write_statement(tx, acceptance, statement)?;
    }
    // All statements of a bundle carry the one nonce that was drawn for them.
    if let Some(statement) = verdict.statements.first().filter(|_| nonce_is_drawn) {
        use_nonce(tx, &statement.nonce, proof, at)?;
    }
    tx.execute("UPDATE partner SET clock = $1", &[millis(at).into()])?;
    Ok(Recorded::Yes)
}

fn use_nonce(tx: &mut Transaction<'_>, nonce: &str, proof: ProofHash, at: Instant) -> Result<(), RegistryError> {
    let used = tx.optional("SELECT used FROM nonces WHERE nonce = $1", &[nonce.into()])?;
    if let Some(used) = used {
        return Err(RegistryRefusal::NonceUsed {
            nonce: nonce.to_owned(),
            used: instant(&used, 0, "used")?,
        }
        .into());
    }
    tx.execute(
        "INSERT INTO nonces (nonce, proof, used) VALUES ($1, $2, $3)",
        &[nonce.into(), (&proof.0).into(), millis(at).into()],
    )?;
    Ok(())
}

fn check_statement(
    tx: &mut Transaction<'_>,
    verdict: &Verdict,
    index: usize,
    statement: &ProvenStatement,
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
    if let Some(replaces) = statement.replaces.filter(|_| !statement.is_supposed()) {
        check_replaced(tx, verdict, index, statement, replaces)?;
    }
    for account in &statement.accounts {
        check_account(tx, verdict, index, statement, account)?;
    }
    Ok(())
}

fn check_replaced(
    tx: &mut Transaction<'_>,
    verdict: &Verdict,
    index: usize,
    statement: &ProvenStatement,
    replaces: Digest,
) -> Result<(), RegistryError> {
    let found = tx.optional(
        "SELECT replaced_by, lapses, book, record FROM statements WHERE digest = $1",
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
    if lapsed < verdict.at {
        return Err(RegistryRefusal::ReplacesLapsed {
            statement: index,
            replaces,
            lapsed,
        }
        .into());
    }
    let before = Before::of(found.text(3)?)?;
    if before.is_supposed {
        return Err(RegistryRefusal::ReplacesSupposed {
            statement: index,
            replaces,
        }
        .into());
    }
    let stands = tx.rows(
        concat!(
            "SELECT h.venue, h.account FROM holdings h WHERE h.statement = $1 AND ",
            is_held!(),
            " ORDER BY h.venue, h.account"
        ),
        &[(&replaces.0).into()],
    )?;
    if stands.is_empty() {
        return Err(RegistryRefusal::ReplacesReleased {
            statement: index,
            replaces,
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
    check_start(verdict, index, statement, replaces, before)?;
    // What an account lost is called of whoever holds it, until it is given back.
    if statement.is_variation() || before.is_variation {
        for row in &stands {
            let account = Account {
                venue: row.text(0)?.to_owned(),
                account: pseudonym(row, 1)?,
            };
            let is_it = |proven: &ProvenAccount| proven.venue == account.venue && proven.account == account.account;
            if !statement.accounts.iter().any(is_it) {
                return Err(RegistryRefusal::VariationWithout {
                    statement: index,
                    replaces,
                    account: Box::new(account),
                }
                .into());
            }
        }
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

/// A statement of variation begins where the one before it ended: later, and a loss would fall between the two; earlier, and the trader could choose the
/// instant at which the book was worth least.
fn check_start(
    verdict: &Verdict,
    index: usize,
    statement: &ProvenStatement,
    before: Digest,
    Before { covered, .. }: Before,
) -> Result<(), RegistryError> {
    let from = (verdict.snapshot, verdict.snapshot_instant);
    if statement.is_variation() && from != covered {
        return Err(RegistryRefusal::VariationStart {
            statement: index,
            before,
            from: Box::new(from),
            covered: Box::new(covered),
        }
        .into());
    }
    Ok(())
}

/// What a recorded statement says of the time up to it.
#[derive(Copy, Clone)]
struct Before {
    is_variation: bool,
    is_supposed: bool,
    /// The snapshot up to which it says what the market did, the later one of variation, and its instant.
    covered: (Digest, Instant),
}

impl Before {
    fn of(record: &str) -> Result<Before, RegistryError> {
        let damaged = |value: String| RegistryError::Row { field: "record", value };
        let record: Value = serde_json::from_str(record).map_err(|error| damaged(error.to_string()))?;
        let level = record.pointer("/statement/level").and_then(Value::as_str);
        let is_variation = level.is_some_and(|level| level == Margin::Variation.to_string());
        let is_there = |field: &str| record.pointer(field).is_some_and(|value| !value.is_null());
        let covered = match record.pointer("/facts/later").filter(|_| is_variation) {
            Some(later) => later.clone(),
            None => json!([record.pointer("/facts/snapshot"), record.pointer("/facts/epoch")]),
        };
        Ok(Before {
            is_variation,
            is_supposed: is_there("/statement/order") || is_there("/statement/deposit"),
            covered: serde_json::from_value(covered).map_err(|error| damaged(error.to_string()))?,
        })
    }
}

fn check_account(
    tx: &mut Transaction<'_>,
    verdict: &Verdict,
    index: usize,
    statement: &ProvenStatement,
    proven: &ProvenAccount,
) -> Result<(), RegistryError> {
    let account = || {
        Box::new(Account {
            venue: proven.venue.clone(),
            account: proven.account,
        })
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
    let released = tx.optional(
        "SELECT time FROM releases WHERE venue = $1 AND account = $2 AND time >= $3 ORDER BY time LIMIT 1",
        &[venue.into(), pseudonym.into(), millis(proven.time).into()],
    )?;
    if let Some(released) = released {
        return Err(RegistryRefusal::Released {
            statement: index,
            account: account(),
            attested: proven.time,
            released: instant(&released, 0, "time")?,
        }
        .into());
    }
    // What is only supposed stands beside what is so.
    if statement.is_supposed() {
        return Ok(());
    }
    // Those that have not lapsed, the last one first: also one that is called. Whoever answers the call names it, or the call would be forgotten.
    let rows = tx.rows(
        concat!(
            "SELECT s.digest, s.ends, s.lapses, s.replaced_by, s.record FROM holdings h JOIN statements s ON s.digest = h.statement
             WHERE h.venue = $1 AND h.account = $2 AND s.lapses >= $3 AND ",
            is_held!(),
            " ORDER BY s.number DESC"
        ),
        &[venue.into(), pseudonym.into(), millis(verdict.at).into()],
    )?;
    // What an account lost between two calls is not forgotten because another account answered one of them.
    if let Some(last) = rows.first() {
        let before = Before::of(last.text(4)?)?;
        check_start(verdict, index, statement, Digest(last.byte_array(0)?), before)?;
    }
    for row in &rows {
        let live = Digest(row.byte_array(0)?);
        if digest_or_null(row, 3)?.is_none() && statement.replaces != Some(live) {
            return Err(RegistryRefusal::InLiveStatement {
                statement: index,
                account: account(),
                live,
                until: instant(row, 1, "ends")?,
                lapses: instant(row, 2, "lapses")?,
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
        "INSERT INTO statements (digest, number, accepted, book, due, ends, lapses, proof, record)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
        &[
            (&statement.digest.0).into(),
            number.into(),
            millis(at).into(),
            statement.book.as_str().into(),
            millis(due).into(),
            millis(until).into(),
            millis(lapses).into(),
            (&proof.0).into(),
            record.as_str().into(),
        ],
    )?;
    // What may never happen is recorded, takes the place of nothing, and is in no account's standing: it would answer a call.
    if statement.is_supposed() {
        return Ok(());
    }
    if let Some(replaces) = &statement.replaces {
        tx.execute(
            "UPDATE statements SET replaced_by = $1, replaced = $2 WHERE digest = $3",
            &[(&statement.digest.0).into(), millis(at).into(), (&replaces.0).into()],
        )?;
    }
    for account in &statement.accounts {
        tx.execute(
            "INSERT INTO holdings (statement, venue, account, subject, epoch, snapshot, attested) VALUES ($1, $2, $3, $4, $5, $6, $7)",
            &[
                (&statement.digest.0).into(),
                account.venue.as_str().into(),
                (&account.account.0).into(),
                account.subject.as_bytes().into(),
                millis(verdict.snapshot_instant).into(),
                (&verdict.snapshot.0).into(),
                millis(account.time).into(),
            ],
        )?;
    }
    Ok(())
}

/// What is kept of a statement for whoever audits: all that was proven, on which facts, and the hash of the proof.
fn recorded(verdict: &Verdict, statement: &ProvenStatement, proof: ProofHash) -> Value {
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
        later: verdict.later_of(statement),
        model: &verdict.model,
        model_digest: verdict.model_digest,
        history: verdict.history,
        numeraire: &verdict.numeraire,
    };
    json!({ "facts": facts, "statement": statement, "proof": hex::encode(proof.0) })
}
