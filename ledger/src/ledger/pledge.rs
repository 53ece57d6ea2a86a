//! Attestations, and whom an account is pledged to.

use zeroize::Zeroizing;
use zkmargin_circuits::Blind;
use zkmargin_risk::canonical::Digest;
use zkmargin_risk::instant::Instant;
use zkmargin_store::{Row, Transaction};
use zkmargin_verifier::book::Book;
use zkmargin_verifier::{Attestation, OpenedColumn, Opening, PublicKey, Release, SignedAttestation, SignedRelease};

use super::import::{instant, optional_instant};
use super::legs::{Columns, point};
use super::{Facts, Ledger, LedgerError, secret_check, signed};
use crate::attest::{Request, sign};
use crate::keys::KeyFile;
use crate::running::expired;

/// What an account is attested for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pledge {
    /// The account's name in the ledger.
    pub account: String,
    /// Whom it is made for.
    pub audience: PublicKey,
    /// The audience's credit line.
    pub book: Book,
    /// The instant at which the account held what is committed.
    pub epoch: Instant,
    /// The last instant at which the attestation is good.
    pub expiry: Instant,
    /// Whether the venue holds withdrawals until then.
    pub held: bool,
}

/// An attestation that the ledger has recorded.
pub struct Attested {
    /// For the partner and the trader.
    pub attestation: SignedAttestation,
    /// For the trader alone.
    pub opening: Opening,
    /// Whether it was recorded before, and is given out again.
    pub is_again: bool,
    /// Instruments that the account holds and that have expired, with their expiries. Secret.
    pub expired: Vec<(String, Instant)>,
}

opaque_debug!(Attested);

/// What a release did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Released {
    /// The account's name in the ledger.
    pub account: String,
    /// Whether it was recorded before.
    pub is_again: bool,
    /// The attestation by which the account has been pledged again since.
    pub pledged_since: Option<Digest>,
}

impl Ledger {
    /// Attests an account, with a fresh blind for every column. What is signed is recorded, together with whom the account is then pledged to,
    /// before this returns; the same pledge at the same epoch gives the recorded attestation again. A further epoch for the same audience
    /// and book is a refresh; another audience or book is refused as long as one stands at `now`.
    ///
    /// # Errors
    /// [`LedgerError`]; then nothing was signed that could leave.
    pub fn attest(&mut self, pledge: &Pledge, key: &KeyFile, now: Instant) -> Result<Attested, LedgerError> {
        let facts = &self.facts;
        self.store.write(|tx| {
            facts.check_universe(tx)?;
            attest(facts, tx, pledge, key, now)
        })
    }

    /// Ends an encumbrance: the audience gave the account back.
    ///
    /// # Errors
    /// [`LedgerError`]: not signed by the audience, of something else than the last attestation, not yet in force.
    pub fn release(&mut self, release: &SignedRelease, now: Instant) -> Result<Released, LedgerError> {
        self.store.write(|tx| end(tx, release, now))
    }

    /// Gives an account from one audience to the next: a release and an attestation, both or neither.
    ///
    /// # Errors
    /// As [`release`](Self::release) and [`attest`](Self::attest).
    pub fn handover(
        &mut self,
        release: &SignedRelease,
        pledge: &Pledge,
        key: &KeyFile,
        now: Instant,
    ) -> Result<Attested, LedgerError> {
        let facts = &self.facts;
        self.store.write(|tx| {
            facts.check_universe(tx)?;
            let released = end(tx, release, now)?;
            if released.account != pledge.account {
                return Err(LedgerError::Release {
                    field: "account",
                    release: released.account,
                    expected: pledge.account.clone(),
                });
            }
            attest(facts, tx, pledge, key, now)
        })
    }
}

fn attest(
    facts: &Facts,
    tx: &mut Transaction<'_>,
    pledge: &Pledge,
    key: &KeyFile,
    now: Instant,
) -> Result<Attested, LedgerError> {
    let name = pledge.account.as_str();
    let secret = key.pseudonym_secret().ok_or(LedgerError::Role { found: key.role() })?;
    let begun_with: [u8; 32] = tx.one("SELECT secret_check FROM venue", &[])?.byte_array(0)?;
    if begun_with != secret_check(secret) {
        return Err(LedgerError::Secret);
    }
    let row = tx.optional(
        "SELECT subject, epoch, clock, moved FROM accounts WHERE name = $1",
        &[name.into()],
    )?;
    let row = row.ok_or_else(|| LedgerError::UnknownAccount { name: name.to_owned() })?;
    let subject = PublicKey(row.byte_array(0)?);
    let columns = Columns::now(facts, tx, name)?;
    let expired = expired(facts.venue()?, now, |leg| columns.of(facts, leg) > 0);
    if let Some(attested) = recorded(tx, pledge)? {
        return Ok(Attested { expired, ..attested });
    }
    let known = |column| optional_instant(&row, column);
    check_clock(name, known(2)?, now)?;
    if let Some(last) = known(1)?.filter(|last| pledge.epoch <= *last) {
        return Err(LedgerError::Epoch {
            account: name.to_owned(),
            epoch: pledge.epoch,
            last,
        });
    }
    if let Some(moved) = known(3)?.filter(|moved| *moved > pledge.epoch) {
        return Err(LedgerError::MovedSince {
            account: name.to_owned(),
            moved,
            epoch: pledge.epoch,
        });
    }
    let standing = Standing::load(tx, name)?.filter(|standing| now <= standing.until);
    if let Some(other) = standing
        .as_ref()
        .filter(|standing| (standing.audience, &standing.book) != (pledge.audience, &pledge.book))
    {
        return Err(LedgerError::Encumbered {
            account: name.to_owned(),
            audience: other.audience,
            book: other.book.clone(),
            until: other.until,
        });
    }
    let accounts = tx.one(
        "SELECT count(*) FROM accounts WHERE subject = $1",
        &[subject.as_bytes().into()],
    )?;
    let request = Request {
        universe: &facts.universe,
        parameters: &facts.parameters,
        key,
        account: name,
        subject,
        accounts: u32::try_from(accounts.unsigned(0)?).unwrap_or(u32::MAX),
        epoch: pledge.epoch,
        time: now,
        expiry: pledge.expiry,
        audience: pledge.audience,
        book: pledge.book.clone(),
        held: pledge.held,
    };
    let (attestation, opening) = commit_afresh(facts, tx, &request, &columns)?;
    insert(tx, name, &attestation, &opening)?;
    Standing::next(standing, attestation.content(), attestation.digest()).save(tx, name)?;
    tx.execute(
        "UPDATE accounts SET epoch = $2, clock = $3 WHERE name = $1",
        &[name.into(), millis(pledge.epoch).into(), millis(now).into()],
    )?;
    Ok(Attested {
        attestation,
        opening,
        is_again: false,
        expired,
    })
}

/// Blinds every running commitment afresh, signs the result, and compares it with committing to the whole account anew.
fn commit_afresh(
    facts: &Facts,
    tx: &mut Transaction<'_>,
    request: &Request<'_>,
    columns: &Columns,
) -> Result<(SignedAttestation, Opening), LedgerError> {
    let rows = tx.rows(
        "SELECT point, blind FROM commitments WHERE account = $1 ORDER BY place",
        &[request.account.into()],
    )?;
    if rows.len() != columns.0.len() {
        let what = format!("account {:?} has {} commitments", request.account, rows.len());
        return Err(LedgerError::Damaged { what });
    }
    let (mut points, mut opened) = (Vec::with_capacity(rows.len()), Vec::with_capacity(rows.len()));
    for (place, (row, lots)) in rows.iter().zip(&columns.0).enumerate() {
        let running = point(request.account, place, &row.byte_array(0)?)?;
        let kept = Blind::from_bytes(&Zeroizing::new(row.byte_array(1)?))?;
        let fresh = Blind::random()?;
        points.push(running.reblinded(&facts.parameters, &fresh)?);
        opened.push(OpenedColumn {
            lots: lots.clone(),
            blind: kept.add(&fresh),
        });
    }
    let (attestation, opening) = sign(request, &facts.name, points, opened)?;
    opening.check(&facts.parameters, attestation.content())?;
    Ok((attestation, opening))
}

/// The attestation of this epoch, if it was signed on these terms and nobody released it.
fn recorded(tx: &mut Transaction<'_>, pledge: &Pledge) -> Result<Option<Attested>, LedgerError> {
    let row = tx.optional(
        "SELECT file, opening FROM attestations WHERE account = $1 AND epoch = $2 AND ended IS NULL",
        &[pledge.account.as_str().into(), millis(pledge.epoch).into()],
    )?;
    let Some(row) = row else { return Ok(None) };
    let attestation = SignedAttestation::from_bytes(row.bytes(0)?)?;
    let content = attestation.content();
    let (expiry, held) = (content.expiry, content.held);
    if (content.audience, &content.book, expiry, held) != (pledge.audience, &pledge.book, pledge.expiry, pledge.held) {
        return Ok(None);
    }
    Ok(Some(Attested {
        opening: Opening::from_bytes(row.bytes(1)?)?,
        attestation,
        is_again: true,
        expired: Vec::new(),
    }))
}

fn insert(
    tx: &mut Transaction<'_>,
    account: &str,
    attestation: &SignedAttestation,
    opening: &Opening,
) -> Result<(), LedgerError> {
    let content = attestation.content();
    tx.execute(
        "INSERT INTO attestations (digest, account, epoch, audience, book, file, opening) \
         VALUES ($1, $2, $3, $4, $5, $6, $7)",
        &[
            (&attestation.digest().0).into(),
            account.into(),
            millis(content.epoch).into(),
            content.audience.as_bytes().into(),
            content.book.as_str().into(),
            attestation.to_bytes().as_slice().into(),
            opening.to_bytes().as_slice().into(),
        ],
    )?;
    Ok(())
}

/// Whom an account is pledged to, whether or not that is over.
#[derive(PartialEq, Eq)]
pub(crate) struct Standing {
    pub(crate) audience: PublicKey,
    pub(crate) book: Book,
    pub(crate) until: Instant,
    pub(crate) held_until: Option<Instant>,
    /// The last attestation.
    pub(crate) attestation: Digest,
}

impl Standing {
    /// The one of an account, if it was pledged at all.
    pub(crate) fn load(tx: &mut Transaction<'_>, account: &str) -> Result<Option<Standing>, LedgerError> {
        let row = tx.optional(
            "SELECT audience, book, until, held_until, attestation FROM encumbrances WHERE account = $1",
            &[account.into()],
        )?;
        row.map(|row| Standing::read(&row, 0)).transpose()
    }

    /// From `audience, book, until, held_until, attestation` in the columns from `start` on.
    pub(crate) fn read(row: &Row, start: usize) -> Result<Standing, LedgerError> {
        let damaged = |what: &str| LedgerError::Damaged { what: what.to_owned() };
        let book = Book::new(row.text(start + 1)?).map_err(|_| damaged("an encumbrance has a book that is none"))?;
        let until =
            instant(row.integer(start + 2)?).ok_or_else(|| damaged("an encumbrance has no instant of its end"))?;
        Ok(Standing {
            audience: PublicKey(row.byte_array(start)?),
            book,
            until,
            held_until: optional_instant(row, start + 3)?,
            attestation: Digest(row.byte_array(start + 4)?),
        })
    }

    /// What stands after a further attestation: nothing of what was promised to the same audience ends by it.
    pub(crate) fn next(before: Option<Standing>, attested: &Attestation, attestation: Digest) -> Standing {
        let held = attested.held.then_some(attested.expiry);
        Standing {
            audience: attested.audience,
            book: attested.book.clone(),
            until: before
                .as_ref()
                .map_or(attested.expiry, |before| before.until.max(attested.expiry)),
            held_until: before.and_then(|before| before.held_until).max(held),
            attestation,
        }
    }

    fn save(&self, tx: &mut Transaction<'_>, account: &str) -> Result<(), LedgerError> {
        tx.execute("DELETE FROM encumbrances WHERE account = $1", &[account.into()])?;
        tx.execute(
            "INSERT INTO encumbrances (account, attestation, audience, book, until, held_until) \
             VALUES ($1, $2, $3, $4, $5, $6)",
            &[
                account.into(),
                (&self.attestation.0).into(),
                self.audience.as_bytes().into(),
                self.book.as_str().into(),
                millis(self.until).into(),
                self.held_until.map(millis).into(),
            ],
        )?;
        Ok(())
    }
}

/// Ends the encumbrance that a release is of.
fn end(tx: &mut Transaction<'_>, release: &SignedRelease, now: Instant) -> Result<Released, LedgerError> {
    release.verify().map_err(LedgerError::ReleaseSignature)?;
    let content = release.content();
    let row = tx.optional(
        "SELECT account, file, ended FROM attestations WHERE digest = $1",
        &[(&content.attestation.0).into()],
    )?;
    let row = row.ok_or(LedgerError::UnknownAttestation(content.attestation))?;
    let attestation = SignedAttestation::from_bytes(row.bytes(1)?)?;
    compare(content, &attestation)?;
    let account = row.text(0)?.to_owned();
    let stands = Standing::load(tx, &account)?.map(|standing| standing.attestation);
    if row.optional_integer(2)?.is_some() {
        return Ok(Released {
            account,
            is_again: true,
            pledged_since: stands,
        });
    }
    // Also where no pledge stands any more: it would end what was not released.
    let last = tx.one(
        "SELECT digest FROM attestations WHERE account = $1 ORDER BY epoch DESC LIMIT 1",
        &[account.as_str().into()],
    )?;
    let last = Digest(last.byte_array(0)?);
    if last != content.attestation {
        return Err(LedgerError::NotTheLast {
            release: content.attestation,
            last,
        });
    }
    let clock = tx.one("SELECT clock FROM accounts WHERE name = $1", &[account.as_str().into()])?;
    check_clock(&account, optional_instant(&clock, 0)?, now)?;
    if content.time > now || content.time < attestation.content().time {
        return Err(LedgerError::Release {
            field: "time",
            release: content.time.to_string(),
            expected: format!("from {} to {now}", attestation.content().time),
        });
    }
    // A refresh replaced the earlier ones; the audience gives all of them back with the last.
    tx.execute(
        "UPDATE attestations SET ended = $4 WHERE account = $1 AND audience = $2 AND book = $3 AND ended IS NULL",
        &[
            account.as_str().into(),
            content.audience.as_bytes().into(),
            content.book.as_str().into(),
            millis(now).into(),
        ],
    )?;
    tx.execute(
        "UPDATE attestations SET release_file = $2 WHERE digest = $1",
        &[(&content.attestation.0).into(), release.to_bytes().as_slice().into()],
    )?;
    tx.execute(
        "DELETE FROM encumbrances WHERE account = $1",
        &[account.as_str().into()],
    )?;
    tx.execute(
        "UPDATE accounts SET clock = $2 WHERE name = $1",
        &[account.as_str().into(), millis(now).into()],
    )?;
    Ok(Released {
        account,
        is_again: false,
        pledged_since: None,
    })
}

/// Every field that a release repeats is that of its attestation.
pub(crate) fn compare(release: &Release, attestation: &SignedAttestation) -> Result<(), LedgerError> {
    let content = attestation.content();
    let network = zkmargin_verifier::words::network;
    let fields = [
        (
            "protocol version",
            release.protocol.to_string(),
            content.protocol.to_string(),
        ),
        (
            "network",
            network(release.network).to_owned(),
            network(content.network).to_owned(),
        ),
        ("venue", release.venue.clone(), content.venue.clone()),
        ("account", release.account.to_string(), content.account.to_string()),
        ("audience", release.audience.to_string(), content.audience.to_string()),
        ("book", release.book.to_string(), content.book.to_string()),
    ];
    match fields.into_iter().find(|(_, release, expected)| release != expected) {
        Some((field, release, expected)) => Err(LedgerError::Release {
            field,
            release,
            expected,
        }),
        None => Ok(()),
    }
}

fn check_clock(account: &str, last: Option<Instant>, now: Instant) -> Result<(), LedgerError> {
    match last.filter(|last| now < *last) {
        Some(last) => Err(LedgerError::ClockBack {
            account: account.to_owned(),
            now,
            last,
        }),
        None => Ok(()),
    }
}

pub(crate) fn millis(instant: Instant) -> i64 {
    signed(instant.millis())
}
