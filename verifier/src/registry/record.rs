//! The one transaction in which a verified bundle is checked against what was accepted before, and recorded.

use serde::Serialize;
use serde_json::{Value, json};
use zkmargin_risk::canonical::Digest;
use zkmargin_risk::instant::Instant;
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
        if let Some(replaces) = statement
            .replaces
            .filter(|replaces| !statement.is_supposed() && own(replaces))
        {
            return Err(RegistryRefusal::ReplacesUnknown {
                statement: index,
                replaces,
            }
            .into());
        }
        let in_series = check_statement(tx, verdict, index, statement)?;
        write_statement(tx, acceptance, statement, &in_series)?;
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

/// A snapshot and its instant.
type Point = (Digest, Instant);

/// The last statement in which an account stands or stood: it has not lapsed, and the account was not given back. It may be called, or replaced.
struct Last {
    digest: Digest,
    book: String,
    ends: Instant,
    lapses: Instant,
    is_replaced: bool,
    /// Up to where it speaks.
    spoken: Point,
    /// Whether it belongs to a series of variation of the account.
    in_series: bool,
}

impl Last {
    fn of(tx: &mut Transaction<'_>, at: Instant, account: &ProvenAccount) -> Result<Option<Last>, RegistryError> {
        let row = tx.optional(
            concat!(
                "SELECT s.digest, s.book, s.ends, s.lapses, s.replaced_by, h.snapshot, h.epoch, h.in_series
                 FROM holdings h JOIN statements s ON s.digest = h.statement WHERE h.venue = $1 AND h.account = $2 AND ",
                is_held!(),
                " ORDER BY s.number DESC LIMIT 1"
            ),
            &[account.venue.as_str().into(), (&account.account.0).into()],
        )?;
        let Some(row) = row else { return Ok(None) };
        let last = Last {
            digest: Digest(row.byte_array(0)?),
            book: row.text(1)?.to_owned(),
            ends: instant(&row, 2, "ends")?,
            lapses: instant(&row, 3, "lapses")?,
            is_replaced: digest_or_null(&row, 4)?.is_some(),
            spoken: (Digest(row.byte_array(5)?), instant(&row, 6, "epoch")?),
            in_series: row.integer(7)? != 0,
        };
        Ok(Some(last).filter(|last| at <= last.lapses))
    }
}

/// Checks a statement, and says of each of its accounts whether it is in a series of variation from now on.
fn check_statement(
    tx: &mut Transaction<'_>,
    verdict: &Verdict,
    index: usize,
    statement: &ProvenStatement,
) -> Result<Vec<bool>, RegistryError> {
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
    let mut in_series = Vec::with_capacity(statement.accounts.len());
    for account in &statement.accounts {
        let last = Last::of(tx, verdict.at, account)?;
        check_account(tx, verdict, index, statement, account, last.as_ref())?;
        in_series.push(statement.is_variation() || last.is_some_and(|last| last.in_series));
    }
    Ok(in_series)
}

fn check_replaced(
    tx: &mut Transaction<'_>,
    verdict: &Verdict,
    index: usize,
    statement: &ProvenStatement,
    replaces: Digest,
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
    if lapsed < verdict.at {
        return Err(RegistryRefusal::ReplacesLapsed {
            statement: index,
            replaces,
            lapsed,
        }
        .into());
    }
    let standing = tx.rows(
        concat!(
            "SELECT h.venue, h.account, h.in_series FROM holdings h WHERE h.statement = $1 AND ",
            is_held!(),
            " ORDER BY h.venue, h.account"
        ),
        &[(&replaces.0).into()],
    )?;
    if standing.is_empty() {
        let holdings = tx.one(
            "SELECT COUNT(*) FROM holdings WHERE statement = $1",
            &[(&replaces.0).into()],
        )?;
        // What only supposes never stood.
        return Err(match holdings.integer(0)? {
            0 => RegistryRefusal::ReplacesSupposed {
                statement: index,
                replaces,
            },
            _ => RegistryRefusal::ReplacesReleased {
                statement: index,
                replaces,
            },
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
    // What an account lost is called of whoever holds it, until it is given back.
    for row in &standing {
        let account = Account {
            venue: row.text(0)?.to_owned(),
            account: pseudonym(row, 1)?,
        };
        let in_series = statement.is_variation() || row.integer(2)? != 0;
        let is_it = |proven: &ProvenAccount| proven.venue == account.venue && proven.account == account.account;
        if in_series && !statement.accounts.iter().any(is_it) {
            return Err(RegistryRefusal::VariationWithout {
                statement: index,
                replaces,
                account: Box::new(account),
            }
            .into());
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

fn check_account(
    tx: &mut Transaction<'_>,
    verdict: &Verdict,
    index: usize,
    statement: &ProvenStatement,
    proven: &ProvenAccount,
    last: Option<&Last>,
) -> Result<(), RegistryError> {
    let account = || {
        Box::new(Account {
            venue: proven.venue.clone(),
            account: proven.account,
        })
    };
    let (venue, pseudonym) = (proven.venue.as_str(), &proven.account.0);
    let from: Point = (verdict.snapshot, verdict.snapshot_instant);
    if let Some(last) = last {
        // Whoever answers a call names it, or the call would be forgotten. What is only supposed stands beside what is so, of the same book.
        let may_follow = match statement.is_supposed() {
            true => last.book == statement.book.as_str(),
            false => statement.replaces == Some(last.digest),
        };
        if !last.is_replaced && !may_follow {
            return Err(RegistryRefusal::InLiveStatement {
                statement: index,
                account: account(),
                live: last.digest,
                book: last.book.clone(),
                until: last.ends,
                lapses: last.lapses,
            }
            .into());
        }
        // Of variation, and whatever follows one, goes on where the one before ended. Later, and a loss would fall between the two, or be of a book that
        // was traded since; earlier, and the trader could choose the instant at which the book was worth least.
        let goes_on = statement.is_variation() || last.in_series;
        if goes_on && !statement.is_supposed() && from != last.spoken {
            return Err(RegistryRefusal::SeriesBroken {
                statement: index,
                account: account(),
                before: last.digest,
                from: Box::new(from),
                spoken: Box::new(last.spoken),
            }
            .into());
        }
    }
    let shown = tx.optional(
        "SELECT epoch, snapshot FROM holdings WHERE venue = $1 AND account = $2 ORDER BY epoch DESC LIMIT 1",
        &[venue.into(), pseudonym.into()],
    )?;
    if let Some(shown) = shown {
        let (epoch, snapshot) = (instant(&shown, 0, "epoch")?, Digest(shown.byte_array(1)?));
        if from.1 < epoch {
            return Err(RegistryRefusal::EpochRollback {
                statement: index,
                account: account(),
                found: from.1,
                last: epoch,
            }
            .into());
        }
        if from.1 == epoch && from.0 != snapshot {
            return Err(RegistryRefusal::OtherSnapshot {
                statement: index,
                account: account(),
                found: from.0,
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
    Ok(())
}

fn write_statement(
    tx: &mut Transaction<'_>,
    acceptance: &Acceptance<'_>,
    statement: &ProvenStatement,
    in_series: &[bool],
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
    let spoken = verdict.later_of(statement);
    let (snapshot, epoch) = spoken.unwrap_or((verdict.snapshot, verdict.snapshot_instant));
    for (account, in_series) in statement.accounts.iter().zip(in_series) {
        tx.execute(
            "INSERT INTO holdings (statement, venue, account, subject, attested, epoch, snapshot, in_series)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
            &[
                (&statement.digest.0).into(),
                account.venue.as_str().into(),
                (&account.account.0).into(),
                account.subject.as_bytes().into(),
                millis(account.time).into(),
                millis(epoch).into(),
                (&snapshot.0).into(),
                i64::from(*in_series).into(),
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
