//! How accounts stand: current, due, called, lapsed; at any instant, and how they came to it.

use std::collections::BTreeMap;
use std::fmt;

use serde::Serialize;
use zkmargin_risk::canonical::Digest;
use zkmargin_risk::instant::Instant;

use crate::attestation::Pseudonym;
use crate::registry::{Registry, RegistryError, digest_or_null, instant, instant_or_null, millis, pseudonym};

/// An account: a venue and its name for it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Account {
    /// The venue.
    pub venue: String,
    /// The venue's name for it, to this audience.
    pub account: Pseudonym,
}

/// How an account stands.
#[derive(Copy, Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Standing {
    /// Its statement is good, and a next one is not due yet.
    Current,
    /// Its statement is good, and a next one is due.
    Due,
    /// Its statement has ended: the holder is called for another. Not a liquidation.
    Called,
    /// The call was not answered within the grace time.
    Lapsed,
    /// It was given back, or a later statement that is not about it took the place of its own.
    Released,
}

/// An account and how it stands at an instant.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct AccountStanding {
    /// The account.
    #[serde(flatten)]
    pub account: Account,
    /// How it stands.
    pub standing: Standing,
    /// The credit line.
    pub book: String,
    /// Its last statement.
    pub statement: Digest,
    /// Its last epoch.
    pub epoch: Instant,
    /// Its last snapshot.
    pub snapshot: Digest,
    /// From when on a next statement is due.
    pub due: Instant,
    /// The last instant of its statement; it is called after it.
    pub until: Instant,
    /// The last instant at which a call may be answered.
    pub lapses: Instant,
}

/// What happened to an account.
#[derive(Copy, Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum EventKind {
    /// A statement about it was accepted.
    Accepted,
    /// The next one was due.
    Due,
    /// Its statement ended without a next one.
    Called,
    /// The call was not answered.
    Lapsed,
    /// It was given back, or a statement that is not about it took the place of its own.
    Released,
}

/// Something that happened to an account.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Event {
    /// When.
    pub at: Instant,
    /// What.
    pub event: EventKind,
    /// Of which statement.
    pub statement: Digest,
}

/// A statement about an account.
struct Held {
    account: Account,
    book: String,
    statement: Digest,
    accepted: Instant,
    epoch: Instant,
    snapshot: Digest,
    due: Instant,
    until: Instant,
    lapses: Instant,
    /// When another statement took its place or the account was given back, if that was by the instant that is asked for.
    over: Option<Instant>,
}

impl Held {
    fn standing(&self, at: Instant) -> Standing {
        match () {
            // Whether the other one is about this account, too, is known by whether it is the last.
            () if self.over.is_some() => Standing::Released,
            () if at > self.lapses => Standing::Lapsed,
            () if at > self.until => Standing::Called,
            () if at >= self.due => Standing::Due,
            () => Standing::Current,
        }
    }
}

impl Registry {
    /// How every account stood at an instant, in the order of venues and pseudonyms: [`now`](Registry::now), or an earlier one, with what had been
    /// accepted by then.
    ///
    /// # Errors
    /// [`RegistryError::Store`].
    pub fn accounts(&mut self, at: Instant) -> Result<Vec<AccountStanding>, RegistryError> {
        let mut last: BTreeMap<Account, Held> = BTreeMap::new();
        for held in self.held(None, at)? {
            last.insert(held.account.clone(), held);
        }
        Ok(last
            .into_values()
            .map(|held| AccountStanding {
                standing: held.standing(at),
                account: held.account,
                book: held.book,
                statement: held.statement,
                epoch: held.epoch,
                snapshot: held.snapshot,
                due: held.due,
                until: held.until,
                lapses: held.lapses,
            })
            .collect())
    }

    /// What happened to an account by an instant, the first thing first.
    ///
    /// # Errors
    /// [`RegistryError::UnknownAccount`], [`RegistryError::Store`].
    pub fn history(&mut self, account: &Account, at: Instant) -> Result<Vec<Event>, RegistryError> {
        let held = self.held(Some(account), at)?;
        if held.is_empty() {
            let account = account.clone();
            return Err(RegistryError::UnknownAccount { account, at });
        }
        let mut events = Vec::new();
        for (place, this) in held.iter().enumerate() {
            let next = held.get(place + 1).map(|next| next.accepted);
            let statement = this.statement;
            events.push(Event {
                at: this.accepted,
                event: EventKind::Accepted,
                statement,
            });
            // What its end brings, it brings unless something came before.
            let end = next.or(this.over);
            for (event, last) in [
                (EventKind::Due, this.due.millis().checked_sub(1)),
                (EventKind::Called, Some(this.until.millis())),
                (EventKind::Lapsed, Some(this.lapses.millis())),
            ] {
                let begins = last
                    .map_or(Some(0), |last| last.checked_add(1))
                    .and_then(|millis| Instant::from_millis(millis).ok());
                if let Some(begins) = begins.filter(|begins| *begins <= at && end.is_none_or(|end| *begins < end)) {
                    events.push(Event {
                        at: begins.max(this.accepted),
                        event,
                        statement,
                    });
                }
            }
            if let (None, Some(over)) = (next, this.over) {
                events.push(Event {
                    at: over.max(this.accepted),
                    event: EventKind::Released,
                    statement,
                });
            }
        }
        Ok(events)
    }

    /// What was accepted by an instant, of one account or of all, in the order of acceptance.
    fn held(&mut self, account: Option<&Account>, at: Instant) -> Result<Vec<Held>, RegistryError> {
        let venue = account.map(|account| account.venue.as_str());
        let name = account.map(|account| account.account.0.as_slice());
        self.store.read(|tx| {
            let rows = tx.rows(
                "SELECT h.venue, h.account, s.book, s.digest, s.accepted, h.epoch, h.snapshot, s.due, s.ends, s.lapses, s.replaced_by, s.replaced,
                 (SELECT MIN(r.time) FROM releases r WHERE r.venue = h.venue AND r.account = h.account AND r.time >= h.attested)
                 FROM holdings h JOIN statements s ON s.digest = h.statement WHERE s.accepted <= $1
                 AND (h.venue = $2 OR $2 IS NULL) AND (h.account = $3 OR $3 IS NULL) ORDER BY s.number",
                &[millis(at).into(), venue.into(), name.into()],
            )?;
            rows.iter()
                .map(|row| {
                    let replaced = match digest_or_null(row, 10)? {
                        Some(_) => Some(instant(row, 11, "replaced")?),
                        None => None,
                    };
                    let released = instant_or_null(row, 12, "time")?;
                    let over = replaced.into_iter().chain(released).min().filter(|over| *over <= at);
                    Ok(Held {
                        account: Account {
                            venue: row.text(0)?.to_owned(),
                            account: pseudonym(row, 1)?,
                        },
                        book: row.text(2)?.to_owned(),
                        statement: Digest(row.byte_array(3)?),
                        accepted: instant(row, 4, "accepted")?,
                        epoch: instant(row, 5, "epoch")?,
                        snapshot: Digest(row.byte_array(6)?),
                        due: instant(row, 7, "due")?,
                        until: instant(row, 8, "ends")?,
                        lapses: instant(row, 9, "lapses")?,
                        over,
                    })
                })
                .collect()
        })
    }
}

impl fmt::Display for Standing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Standing::Current => "current",
            Standing::Due => "due",
            Standing::Called => "called",
            Standing::Lapsed => "lapsed",
            Standing::Released => "released",
        })
    }
}

impl fmt::Display for EventKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            EventKind::Accepted => "accepted",
            EventKind::Due => "due",
            EventKind::Called => "called",
            EventKind::Lapsed => "lapsed",
            EventKind::Released => "released",
        })
    }
}
