//! The ledger of a venue in a database: its accounts, what moved them, their running commitments, and whom they are pledged to.
//!
//! # What is kept
//! - every fill, by account and id, and with it every leg and one commitment per column with a blind of its own: all three change in
//!   one transaction, with one scalar multiplication per leg that moved;
//! - every attestation that was signed, with its opening, **before** it is given out, in one transaction with the encumbrance: whatever
//!   happens afterwards, the ledger knows that it may be in the world, and gives out the same again on request;
//! - at most one encumbrance per account: the audience and the book that stand until the last attestation to them expires, or until the audience
//!   releases it.
//!
//! Everything in it is as secret as the accounts. The venue's keys are not in it.
//!
//! # Time
//! An attestation stands as long as the instant that one goes by is not after its expiry. An account never signs at an instant before
//! the last one at which it signed: a clock that was put back is refused, since the ledger can no longer tell what has ended.

mod audit;
mod entry;
mod error;
mod import;
mod legs;
mod pledge;
mod schema;
mod show;

use std::collections::BTreeSet;
use std::fmt;
use std::path::Path;

use zeroize::Zeroizing;
use zkmargin_circuits::{Blind, Parameters, Point, commit};
use zkmargin_program::LegId;
use zkmargin_risk::account::AccountVector;
use zkmargin_risk::canonical::Digest;
use zkmargin_risk::instant::Instant;
use zkmargin_risk::listing::LineFile;
use zkmargin_risk::universe::{Line, MAX_NAME_BYTES, Universe, Venue};
use zkmargin_store::{Store, Transaction};
use zkmargin_verifier::{PseudonymSecret, PublicKey};

use crate::attest::check_account;
use crate::keys::KeyFile;
use pledge::millis;
use schema::SCHEMA;

pub use audit::{Audit, Finding};
pub use entry::{Entries, Entry, EntryError, EntryFormat, EntryRow, MAX_ENTRIES_BYTES};
pub use error::LedgerError;
pub use import::Imported;
pub use pledge::{Attested, Pledge, Released};
pub use show::{AccountSummary, Encumbrance, Holding};

/// A venue's ledger, open.
pub struct Ledger {
    store: Store,
    facts: Facts,
}

/// What every transaction goes by: the universe, the venue's place in it, and the generators.
pub(crate) struct Facts {
    universe: Universe,
    digest: Digest,
    venue: usize,
    name: String,
    parameters: Parameters,
}

impl Ledger {
    /// Makes a ledger for the venue whose key this is; `cache` is where commitment parameters are kept.
    ///
    /// # Errors
    /// [`LedgerError`].
    pub fn create(url: &str, universe: Universe, key: &KeyFile, cache: Option<&Path>) -> Result<Ledger, LedgerError> {
        let secret = key.pseudonym_secret().ok_or(LedgerError::Role { found: key.role() })?;
        let public = key.public();
        let venue = universe
            .venues()
            .iter()
            .find(|venue| venue.keys.contains(public.as_bytes()))
            .ok_or(LedgerError::Key { key: public })?;
        let facts = Facts::new(universe.clone(), &venue.name, cache)?;
        let (name, text) = (venue.name.as_str(), universe.to_json()?);
        let (check, digest) = (secret_check(secret), facts.digest);
        let store = Store::create(url, &SCHEMA, |tx| {
            insert_universe(tx, &digest, &text)?;
            tx.execute(
                "INSERT INTO venue (one, name, digest, secret_check) VALUES (1, $1, $2, $3)",
                &[name.into(), (&digest.0).into(), (&check).into()],
            )?;
            Ok::<(), LedgerError>(())
        })?;
        Ok(Ledger { store, facts })
    }

    /// Opens a ledger.
    ///
    /// # Errors
    /// [`LedgerError`].
    pub fn open(url: &str, cache: Option<&Path>) -> Result<Ledger, LedgerError> {
        let mut store = Store::open(url, &SCHEMA)?;
        let row = store.read(|tx| {
            tx.one(
                "SELECT name, text FROM venue JOIN universes ON universes.digest = venue.digest",
                &[],
            )
        })?;
        let universe = Universe::from_json(row.text(1)?)?;
        let facts = Facts::new(universe, row.text(0)?, cache)?;
        Ok(Ledger { store, facts })
    }

    /// Where it is, without user or password.
    pub fn place(&self) -> String {
        self.store.place()
    }

    /// The venue's name.
    pub fn venue(&self) -> &str {
        &self.facts.name
    }

    /// The universe whose columns are committed to.
    pub fn universe(&self) -> &Universe {
        &self.facts.universe
    }

    /// Opens an account that holds nothing, or what `holds` says that it held before the first fill, at that instant: no epoch of before it
    /// is attested, when somebody else may have held it.
    ///
    /// # Errors
    /// [`LedgerError`]; [`LedgerError::AccountExists`].
    pub fn add_account(
        &mut self,
        name: &str,
        subject: PublicKey,
        holds: Option<(&AccountVector, Instant)>,
    ) -> Result<(), LedgerError> {
        check_name("account", name)?;
        check_account(name)?;
        let check = subject.check();
        check.map_err(|error| LedgerError::UnusableKey {
            field: "subject",
            error,
        })?;
        let facts = &self.facts;
        if let Some((vector, _)) = holds
            && vector.venue() != facts.venue
        {
            return Err(LedgerError::OtherVenue {
                expected: facts.name.clone(),
            });
        }
        let empty = Zeroizing::new(vec![0; facts.rows()]);
        self.store.write(|tx| {
            facts.check_universe(tx)?;
            let added = tx.execute(
                "INSERT INTO accounts (name, subject, begun, moved) VALUES ($1, $2, $3, $3) ON CONFLICT DO NOTHING",
                &[
                    name.into(),
                    subject.as_bytes().into(),
                    holds.map(|(_, begun)| millis(begun)).into(),
                ],
            )?;
            if added == 0 {
                return Err(LedgerError::AccountExists { name: name.to_owned() });
            }
            for (place, column) in facts.venue()?.columns.clone().enumerate() {
                let start = column.saturating_mul(facts.rows());
                let lots = holds.and_then(|(vector, _)| vector.lots().get(start..)?.get(..facts.rows()));
                let lots = lots.unwrap_or(&empty);
                let blind = Blind::random()?;
                let point = commit(&facts.parameters, lots, &blind)?;
                insert_commitment(tx, name, place, &point, &blind)?;
                for (row, lots) in lots.iter().enumerate().filter(|(_, lots)| **lots != 0) {
                    let slot = database(place.saturating_mul(facts.rows()).saturating_add(row));
                    let values = [name.into(), slot.into(), signed(*lots).into()];
                    tx.execute("INSERT INTO legs (account, slot, lots) VALUES ($1, $2, $3)", &values)?;
                    tx.execute(
                        "INSERT INTO beginnings (account, slot, lots) VALUES ($1, $2, $3)",
                        &values,
                    )?;
                }
            }
            Ok(())
        })
    }

    /// Goes over to a new version of the universe, in which the venue lists what it listed, in the same rows, and more. New columns are
    /// committed to as empty.
    ///
    /// # Errors
    /// [`LedgerError`]; [`LedgerError::Relisted`] where a row would get another meaning.
    pub fn relist(&mut self, universe: Universe, cache: Option<&Path>) -> Result<(), LedgerError> {
        let new = Facts::new(universe, &self.facts.name, cache)?;
        let old = &self.facts;
        let (before, after) = (old.venue()?, new.venue()?);
        let differs = |what: String| Err(LedgerError::Relisted { what });
        if old.universe.network() != new.universe.network() {
            return differs("the network".to_owned());
        }
        if old.universe.k() != new.universe.k() {
            return differs("k".to_owned());
        }
        for (place, line) in before.lines.iter().enumerate() {
            let found = after.lines.get(place);
            if !found.is_some_and(|found| is_same_line(old, line, &new, found)) {
                return differs(format!("line {place} of venue {:?}", old.name));
            }
        }
        // What an instrument has made so far lies in cross margin: a later line does not isolate it, in whatever asset.
        let listed: BTreeSet<&str> = before
            .instruments()
            .map(|instrument| instrument.name.as_str())
            .collect();
        let added = after.lines.iter().skip(before.lines.len());
        let mut isolated = added.filter_map(|line| match line {
            Line::Asset(asset) => Some((asset, asset.isolated.as_deref()?)),
            Line::Instrument(_) => None,
        });
        if let Some((asset, _)) = isolated.find(|(_, of)| listed.contains(of)) {
            return differs(format!(
                "{} of venue {:?}, which was listed without it",
                asset.label(),
                old.name
            ));
        }
        let text = new.universe.to_json()?;
        let (from, to) = (before.columns.len(), after.columns.len());
        self.store.write(|tx| {
            old.check_universe(tx)?;
            insert_universe(tx, &new.digest, &text)?;
            tx.execute("UPDATE venue SET digest = $1", &[(&new.digest.0).into()])?;
            for account in tx.rows("SELECT name FROM accounts", &[])? {
                for place in from..to {
                    let blind = Blind::random()?;
                    let point = commit(&new.parameters, &[], &blind)?;
                    insert_commitment(tx, account.text(0)?, place, &point, &blind)?;
                }
            }
            Ok::<(), LedgerError>(())
        })?;
        self.facts = new;
        Ok(())
    }
}

impl fmt::Debug for Ledger {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Ledger")
            .field("store", &self.store)
            .field("venue", &self.facts.name)
            .field("universe", &self.facts.digest)
            .finish_non_exhaustive()
    }
}

impl Facts {
    fn new(universe: Universe, name: &str, cache: Option<&Path>) -> Result<Facts, LedgerError> {
        let unknown = || LedgerError::UnknownVenue { name: name.to_owned() };
        let (venue, _) = universe.venue(name).ok_or_else(unknown)?;
        let parameters = Parameters::load(universe.k(), cache)?;
        Ok(Facts {
            digest: universe.digest(),
            venue,
            name: name.to_owned(),
            parameters,
            universe,
        })
    }

    /// The venue.
    pub(crate) fn venue(&self) -> Result<&Venue, LedgerError> {
        let unknown = || LedgerError::UnknownVenue {
            name: self.name.clone(),
        };
        self.universe.venues().get(self.venue).ok_or_else(unknown)
    }

    /// Rows of a column.
    pub(crate) fn rows(&self) -> usize {
        self.universe.layout().rows()
    }

    /// Where a leg of the venue stands, counted from its first: what the ledger calls a slot, which no new version of the universe moves.
    pub(crate) fn slot(&self, leg: LegId) -> Result<usize, LedgerError> {
        let start = self.venue()?.columns.start.saturating_mul(self.rows());
        let own = leg.index().checked_sub(start);
        own.ok_or_else(|| LedgerError::UnknownVenue {
            name: self.name.clone(),
        })
    }

    /// Within a transaction: refuses a ledger that went over to another universe since it was opened.
    pub(crate) fn check_universe(&self, tx: &mut Transaction<'_>) -> Result<(), LedgerError> {
        let row = tx.one("SELECT digest FROM venue", &[])?;
        match row.byte_array::<32>(0)? == self.digest.0 {
            true => Ok(()),
            false => Err(LedgerError::Meanwhile),
        }
    }
}

/// Tells one pseudonym secret from another without giving it away: a pseudonym that no account and no audience has.
fn secret_check(secret: &PseudonymSecret) -> [u8; 32] {
    secret.pseudonym("", &PublicKey([0; 32])).0
}

fn insert_universe(tx: &mut Transaction<'_>, digest: &Digest, text: &str) -> Result<(), LedgerError> {
    tx.execute(
        "INSERT INTO universes (digest, text) VALUES ($1, $2) ON CONFLICT DO NOTHING",
        &[(&digest.0).into(), text.into()],
    )?;
    Ok(())
}

fn insert_commitment(
    tx: &mut Transaction<'_>,
    account: &str,
    place: usize,
    point: &Point,
    blind: &Blind,
) -> Result<(), LedgerError> {
    let (point, blind) = (point.to_bytes(), Zeroizing::new(blind.to_bytes()));
    tx.execute(
        "INSERT INTO commitments (account, place, point, blind) VALUES ($1, $2, $3, $4)",
        &[
            account.into(),
            database(place).into(),
            (&point).into(),
            (&*blind).into(),
        ],
    )?;
    Ok(())
}

/// Whether a line means the same in both versions; the rows that it stands in are compared as slots.
fn is_same_line(old: &Facts, line: &Line, new: &Facts, found: &Line) -> bool {
    let slots = |facts: &Facts, line: &Line| -> Vec<Option<usize>> {
        line.legs().into_iter().map(|leg| facts.slot(leg).ok()).collect()
    };
    slots(old, line) == slots(new, found) && LineFile::of(line) == LineFile::of(found)
}

/// A name of an account or an id of a fill: in messages, in files and in a database, it is one line of text.
pub(crate) fn check_name(what: &'static str, name: &str) -> Result<(), LedgerError> {
    let fits = (1..=MAX_NAME_BYTES).contains(&name.len());
    match fits && !name.chars().any(char::is_control) {
        true => Ok(()),
        false => Err(LedgerError::Name {
            what,
            name: name.chars().take(80).collect(),
        }),
    }
}

/// Columns, rows and counts are far below `2^63`.
pub(crate) fn database(number: usize) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// Lots and milliseconds are far below `2^63`.
pub(crate) fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}
