//! The one transaction in which a verified bundle is checked against what was accepted before, and recorded.

use serde::Serialize;
use serde_json::{Value, json};
use zkmargin_risk::canonical::Digest;
use zkmargin_risk::instant::Instant;
use zkmargin_risk::universe::Network;
use zkmargin_store::{Row, Transaction};

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
        let series = check_statement(tx, verdict, index, statement)?;
        write_statement(tx, acceptance, statement, &series)?;
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

/// The point of a statement's facts, and the one up to which it speaks: the later one of variation.
fn span(verdict: &Verdict, statement: &ProvenStatement) -> (Point, Point) {
    let from = (verdict.snapshot, verdict.snapshot_instant);
    (from, verdict.later_of(statement).unwrap_or(from))
}

/// A statement in which an account stands: it has not lapsed, and the account was not given back. It may be called, or replaced.
struct Live {
    digest: Digest,
    book: String,
    ends: Instant,
    lapses: Instant,
    is_replaced: bool,
    /// Up to where it speaks.
    spoken: Point,
    /// Up to where variation has covered what the account lost, by it or by one that it goes back to.
    varied: Option<Point>,
}

/// Those of an account, the last one first.
fn live(tx: &mut Transaction<'_>, at: Instant, account: &ProvenAccount) -> Result<Vec<Live>, RegistryError> {
    let rows = tx.rows(
        concat!(
            "SELECT s.digest, s.book, s.ends, s.lapses, s.replaced_by, h.snapshot, h.epoch, h.varied_snapshot, h.varied_epoch
             FROM holdings h JOIN statements s ON s.digest = h.statement WHERE h.venue = $1 AND h.account = $2 AND s.lapses >= $3 AND ",
            is_held!(),
            " ORDER BY s.number DESC"
        ),
        &[
            account.venue.as_str().into(),
            (&account.account.0).into(),
            millis(at).into(),
        ],
    )?;
    let live = |row: &Row| {
        let varied = digest_or_null(row, 7)?
            .map(|snapshot| Ok::<_, RegistryError>((snapshot, instant(row, 8, "varied_epoch")?)));
        Ok(Live {
            digest: Digest(row.byte_array(0)?),
            book: row.text(1)?.to_owned(),
            ends: instant(row, 2, "ends")?,
            lapses: instant(row, 3, "lapses")?,
            is_replaced: digest_or_null(row, 4)?.is_some(),
            spoken: (Digest(row.byte_array(5)?), instant(row, 6, "epoch")?),
            varied: varied.transpose()?,
        })
    };
    rows.iter().map(live).collect()
}

/// Checks a statement, and says of each of its accounts up to where variation covers what it lost, if it ever did.
fn check_statement(
    tx: &mut Transaction<'_>,
    verdict: &Verdict,
    index: usize,
    statement: &ProvenStatement,
) -> Result<Vec<Option<Point>>, RegistryError> {
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
    let stands = !statement.is_supposed();
    if let Some(replaces) = statement.replaces.filter(|_| stands) {
        check_replaced(tx, verdict, index, statement, replaces)?;
    }
    let (from, to) = span(verdict, statement);
    let lives = statement.accounts.iter().map(|account| live(tx, verdict.at, account));
    let lives = lives.collect::<Result<Vec<_>, _>>()?;
    let last: Vec<&Live> = lives.iter().filter_map(|live| live.first()).collect();
    let goes_on = statement.is_variation() && stands && last.iter().any(|last| last.varied.is_some());
    if statement.is_variation() && stands {
        check_start(index, from, &last)?;
    }
    // Where a series goes on, where it begins is no choice, and may be before a level that was proven since.
    let shown = if goes_on { to } else { from };
    for (account, live) in statement.accounts.iter().zip(&lives) {
        check_account(tx, index, statement, account, live, shown)?;
    }
    let varied = |live: &Vec<Live>| match statement.is_variation() {
        true => Some(to),
        false => live.first().and_then(|last| last.varied),
    };
    Ok(lives.iter().map(varied).collect())
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
            "SELECT h.venue, h.account, h.varied_snapshot FROM holdings h WHERE h.statement = $1 AND ",
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
        let varies = statement.is_variation() || digest_or_null(row, 2)?.is_some();
        let is_it = |proven: &ProvenAccount| proven.venue == account.venue && proven.account == account.account;
        if varies && !statement.accounts.iter().any(is_it) {
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

/// A statement of variation begins where the one before it ended, whatever levels were proven in between: later, and a loss would fall between the two;
/// earlier, and the trader could choose the instant at which the book was worth least. The first one begins where `last` ended, what each account stands in.
fn check_start(index: usize, from: Point, last: &[&Live]) -> Result<(), RegistryRefusal> {
    let series = last.iter().filter_map(|last| Some((last.digest, last.varied?)));
    let mut before: Vec<(Digest, Point)> = series.collect();
    if before.is_empty() {
        before = last.iter().map(|last| (last.digest, last.spoken)).collect();
    }
    match before.into_iter().find(|(_, covered)| *covered != from) {
        Some((before, covered)) => Err(RegistryRefusal::VariationStart {
            statement: index,
            before,
            from: Box::new(from),
            covered: Box::new(covered),
        }),
        None => Ok(()),
    }
}

/// `shown` is the point that may not lie before what was shown of the account already.
fn check_account(
    tx: &mut Transaction<'_>,
    index: usize,
    statement: &ProvenStatement,
    proven: &ProvenAccount,
    live: &[Live],
    shown: Point,
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
        if shown.1 < epoch {
            return Err(RegistryRefusal::EpochRollback {
                statement: index,
                account: account(),
                found: shown.1,
                last: epoch,
            }
            .into());
        }
        if shown.1 == epoch && shown.0 != snapshot {
            return Err(RegistryRefusal::OtherSnapshot {
                statement: index,
                account: account(),
                found: shown.0,
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
    for one in live.iter().filter(|one| !one.is_replaced) {
        // Whoever answers a call names it, or the call would be forgotten. What is only supposed stands beside what is so, of the same book.
        let may_stand_beside = match statement.is_supposed() {
            true => one.book == statement.book.as_str(),
            false => statement.replaces == Some(one.digest),
        };
        if !may_stand_beside {
            return Err(RegistryRefusal::InLiveStatement {
                statement: index,
                account: account(),
                live: one.digest,
                book: one.book.clone(),
                until: one.ends,
                lapses: one.lapses,
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
    series: &[Option<Point>],
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
    let (_, spoken) = span(verdict, statement);
    for (account, varied) in statement.accounts.iter().zip(series) {
        tx.execute(
            "INSERT INTO holdings (statement, venue, account, subject, attested, epoch, snapshot, varied_epoch, varied_snapshot)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
            &[
                (&statement.digest.0).into(),
                account.venue.as_str().into(),
                (&account.account.0).into(),
                account.subject.as_bytes().into(),
                millis(account.time).into(),
                millis(spoken.1).into(),
                (&spoken.0.0).into(),
                varied.map(|(_, instant)| millis(instant)).into(),
                varied.as_ref().map(|(snapshot, _)| snapshot.0.as_slice()).into(),
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
