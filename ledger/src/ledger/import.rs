//! Fills into the ledger.

use std::collections::BTreeMap;

use zkmargin_risk::instant::Instant;
use zkmargin_store::{Row, Transaction};

use super::entry::{Entries, Entry, EntryError};
use super::legs::Legs;
use super::{Facts, Ledger, LedgerError, signed};
use crate::fill::Move;

/// Fills of one transaction: enough that a sync of the disk is shared by many, few enough that others who wait get their turn.
const CHUNK: usize = 256;

/// What an import did.
#[derive(Copy, Clone, Debug, Default, PartialEq, Eq)]
pub struct Imported {
    /// Fills that are in the ledger now and were not before.
    pub recorded: usize,
    /// Fills that were in it already, with the same content.
    pub skipped: usize,
    /// Recorded fills that happened at or before an epoch that was attested without them.
    pub late: usize,
    /// Legs that moved, each with one scalar multiplication.
    pub legs_moved: usize,
}

/// In place of an epoch, where there is none yet: before all.
pub(crate) const NEVER: i64 = -1;

/// A line's number, what is on it, and what that does.
type Planned<'a> = (u64, &'a Entry, Vec<Move>);

/// What is known of an account within a transaction.
struct Account<'a> {
    legs: Legs<'a>,
    epoch: Option<i64>,
    held_until: Option<Instant>,
    moved: Option<i64>,
    begun: Option<Instant>,
}

impl Ledger {
    /// Records fills and moves the accounts and their commitments by them, in their order. A fill that is recorded already, with the same
    /// content, is skipped: a file may be imported again after whatever interrupted it. `now` is what withdrawals are
    /// [held](LedgerError::Held) by, and no fill is [after it](LedgerError::Future) or [before the account](LedgerError::BeforeBeginning).
    ///
    /// What is wrong with a line by itself is found before anything is recorded. What is wrong with it in this ledger stops the import there:
    /// fills before it may be recorded, and [`LedgerError::Import`] says how many; [`LedgerError::Interrupted`], where it is the database that stops it.
    ///
    /// # Errors
    /// [`LedgerError`]; [`LedgerError::Import`] names the line.
    pub fn import(&mut self, entries: &Entries, now: Instant) -> Result<Imported, LedgerError> {
        let facts = &self.facts;
        let venue = facts.venue()?;
        let planned: Result<Vec<Planned<'_>>, EntryError> = entries
            .0
            .iter()
            .map(|(line, entry)| {
                let moves = entry.moves(venue).map_err(|error| EntryError::Move {
                    line: *line,
                    id: entry.id.clone(),
                    error,
                })?;
                Ok((*line, entry, moves))
            })
            .collect();
        let mut done = Imported::default();
        for chunk in planned?.chunks(CHUNK) {
            let result = self.store.write(|tx| record(facts, tx, chunk, now));
            let chunk = result.map_err(|error| match error {
                LedgerError::Import { line, error, .. } => LedgerError::Import {
                    line,
                    error,
                    recorded: done.recorded,
                },
                error if done.recorded == 0 => error,
                error => LedgerError::Interrupted {
                    error: Box::new(error),
                    recorded: done.recorded,
                },
            })?;
            done.recorded += chunk.recorded;
            done.skipped += chunk.skipped;
            done.late += chunk.late;
            done.legs_moved += chunk.legs_moved;
        }
        Ok(done)
    }
}

fn record(
    facts: &Facts,
    tx: &mut Transaction<'_>,
    chunk: &[Planned<'_>],
    now: Instant,
) -> Result<Imported, LedgerError> {
    facts.check_universe(tx)?;
    let mut accounts: BTreeMap<&str, Account<'_>> = BTreeMap::new();
    let mut done = Imported::default();
    for (line, entry, moves) in chunk {
        let at_line = |error: LedgerError| match error {
            LedgerError::Store(_) => error,
            error => LedgerError::Import {
                line: *line,
                error: Box::new(error),
                recorded: 0,
            },
        };
        let name = entry.account.as_str();
        if !accounts.contains_key(name) {
            accounts.insert(name, Account::load(facts, tx, name).map_err(at_line)?);
        }
        let Some(account) = accounts.get_mut(name) else {
            continue;
        };
        match account.apply(tx, entry, moves, now).map_err(at_line)? {
            Applied::Already => done.skipped += 1,
            Applied::Recorded { is_late } => {
                done.recorded += 1;
                done.late += usize::from(is_late);
            }
        }
    }
    for (name, account) in &accounts {
        done.legs_moved += account.legs.save(tx)?;
        tx.execute(
            "UPDATE accounts SET moved = $2 WHERE name = $1",
            &[(*name).into(), account.moved.into()],
        )?;
    }
    Ok(done)
}

enum Applied {
    Already,
    Recorded { is_late: bool },
}

impl<'a> Account<'a> {
    fn load(facts: &'a Facts, tx: &mut Transaction<'_>, name: &'a str) -> Result<Account<'a>, LedgerError> {
        let row = tx.optional(
            "SELECT epoch, moved, held_until, begun FROM accounts \
             LEFT JOIN encumbrances ON encumbrances.account = accounts.name WHERE name = $1",
            &[name.into()],
        )?;
        let row = row.ok_or_else(|| LedgerError::UnknownAccount { name: name.to_owned() })?;
        Ok(Account {
            legs: Legs::new(facts, name),
            epoch: row.optional_integer(0)?,
            moved: row.optional_integer(1)?,
            held_until: optional_instant(&row, 2)?,
            begun: optional_instant(&row, 3)?,
        })
    }

    fn apply(
        &mut self,
        tx: &mut Transaction<'_>,
        entry: &Entry,
        moves: &[Move],
        now: Instant,
    ) -> Result<Applied, LedgerError> {
        let (account, id) = (entry.account.as_str(), entry.id.as_str());
        let (at, content) = (signed(entry.time.millis()), entry.content()?);
        let after = self.epoch.unwrap_or(NEVER);
        let is_new = tx.execute(
            "INSERT INTO fills (account, id, instant, content, after_epoch) VALUES ($1, $2, $3, $4, $5) ON CONFLICT DO NOTHING",
            &[account.into(), id.into(), at.into(), content.as_str().into(), after.into()],
        )?;
        if is_new == 0 {
            let row = tx.one(
                "SELECT content FROM fills WHERE account = $1 AND id = $2",
                &[account.into(), id.into()],
            )?;
            if row.text(0)? == content.as_str() {
                return Ok(Applied::Already);
            }
            return Err(LedgerError::Conflict {
                account: account.to_owned(),
                id: id.to_owned(),
                recorded: row.text(0)?.to_owned(),
                given: content.as_str().to_owned(),
            });
        }
        if entry.time > now {
            return Err(LedgerError::Future {
                account: account.to_owned(),
                id: id.to_owned(),
                time: entry.time,
                now,
            });
        }
        if let Some(begun) = self.begun.filter(|begun| entry.time <= *begun) {
            return Err(LedgerError::BeforeBeginning {
                account: account.to_owned(),
                id: id.to_owned(),
                time: entry.time,
                begun,
            });
        }
        if let Some(until) = self.held_until
            && entry.is_withdrawal()
            && now <= until
        {
            return Err(LedgerError::Held {
                account: account.to_owned(),
                id: id.to_owned(),
                until,
                now,
            });
        }
        for step in moves {
            self.legs.shift(tx, step)?;
        }
        self.moved = self.moved.max(Some(at));
        let is_late = self.epoch.is_some_and(|epoch| at <= epoch);
        Ok(Applied::Recorded { is_late })
    }
}

/// An instant that may be there.
pub(crate) fn optional_instant(row: &Row, column: usize) -> Result<Option<Instant>, LedgerError> {
    let millis = row.optional_integer(column)?;
    let damaged = |millis: i64| LedgerError::Damaged {
        what: format!("{millis} ms is no instant"),
    };
    millis
        .map(|millis| instant(millis).ok_or_else(|| damaged(millis)))
        .transpose()
}

/// An instant of the database.
pub(crate) fn instant(millis: i64) -> Option<Instant> {
    Instant::from_millis(u64::try_from(millis).ok()?).ok()
}
