//! A partner's registry: what it accepted, at most once, and how every account stands (protocol §8).
//!
//! [`Registry::accept`] verifies a bundle and then, in one transaction of the database, checks it against everything that was accepted before
//! and records it. So a refused bundle leaves the registry as it was, two processes never both accept one statement, and what was
//! confirmed survives a crash.
//!
//! - The key is the **statement digest**, not the proof's bytes: another proof of the same statement is the same acceptance.
//! - An **account** (a venue's pseudonym) stands in one statement until that lapses, unless the new one names that one as replaced. Its epoch
//!   never goes back, and one epoch has one snapshot.
//! - What the partner **released** is over: statements that rest on it end, and none that does is accepted any more.
//! - The registry has a **clock** of its own, the latest instant at which it accepted anything. Nothing is verified at an earlier one: a system
//!   clock that is set back revives no statement, no key and no snapshot.
//! - An account is current, due, called or lapsed by the end of its last statement. A late proof is a call, not a liquidation: whoever
//!   brings one within the grace time is current again, and the history shows that it was late.

use zkmargin_risk::canonical::Digest;
use zkmargin_risk::instant::Instant;
use zkmargin_risk::universe::Network;
#[cfg(test)]
use zkmargin_store::StoreError;
use zkmargin_store::{Row, Schema, Store, Transaction};

use crate::attestation::Pseudonym;
use crate::bundle::{Bundle, ProofHash};
use crate::dsse::PublicKey;
use crate::verdict::Verdict;
use crate::verify::{Partner, Verifier};

/// In a statement of SQL, of a holding `h`: that it was not given back.
macro_rules! is_held {
    () => {
        "NOT EXISTS (SELECT 1 FROM releases r WHERE r.venue = h.venue AND r.account = h.account AND r.time >= h.attested)"
    };
}

mod export;
mod record;
mod refusal;
mod release;
mod standing;

pub use export::ExportError;
use record::{Acceptance, Recorded, record};
pub use refusal::{RegistryError, RegistryRefusal};
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
            replaced_by BLOB, replaced BIGINT, proof BLOB NOT NULL REFERENCES bundles (proof), record TEXT NOT NULL
        );
        CREATE TABLE holdings (
            statement BLOB NOT NULL REFERENCES statements (digest), venue TEXT NOT NULL, account BLOB NOT NULL, subject BLOB NOT NULL,
            attested BIGINT NOT NULL, epoch BIGINT NOT NULL, snapshot BLOB NOT NULL, in_series BIGINT NOT NULL,
            PRIMARY KEY (statement, venue, account)
        );
        CREATE INDEX holdings_by_account ON holdings (venue, account, epoch);
        CREATE TABLE releases (
            attestation BLOB NOT NULL, time BIGINT NOT NULL, venue TEXT NOT NULL, account BLOB NOT NULL, recorded BIGINT NOT NULL,
            bytes BLOB NOT NULL, PRIMARY KEY (attestation, time)
        );
        CREATE INDEX releases_by_account ON releases (venue, account, time);
    "],
};

/// What a partner accepted.
///
/// Not to be made, used or dropped on a thread that drives an async runtime, where that panics: give it a thread of its own.
#[derive(Debug)]
pub struct Registry {
    store: Store,
    /// Whose it is, and on which network.
    owner: (Network, PublicKey),
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
        let owner = (on, audience);
        Ok(Registry { store, owner })
    }

    /// Opens the registry of this partner on this network.
    ///
    /// # Errors
    /// [`RegistryError::OtherPartner`], [`RegistryError::Store`].
    pub fn open(url: &str, on: Network, audience: PublicKey) -> Result<Registry, RegistryError> {
        let registry = Registry::open_any(url)?;
        registry.check_owner(on, audience)?;
        Ok(registry)
    }

    /// Opens a registry, whosever it is.
    ///
    /// # Errors
    /// [`RegistryError::Store`].
    pub fn open_any(url: &str) -> Result<Registry, RegistryError> {
        let mut store = Store::open(url, &SCHEMA)?;
        let owner = store.read(|tx| {
            let row = tx.one("SELECT network, audience FROM partner", &[])?;
            let code = row.unsigned(0)?;
            let on = Network::from_code(code).ok_or(RegistryError::Row {
                field: "network",
                value: code.to_string(),
            })?;
            Ok::<_, RegistryError>((on, PublicKey(row.byte_array(1)?)))
        })?;
        Ok(Registry { store, owner })
    }

    fn check_owner(&self, on: Network, audience: PublicKey) -> Result<(), RegistryError> {
        match self.owner == (on, audience) {
            true => Ok(()),
            false => Err(RegistryError::OtherPartner {
                found: self.owner.1,
                on: self.owner.0,
                expected: audience,
                expected_on: on,
            }),
        }
    }

    /// The registry's clock: the latest instant at which it accepted anything.
    ///
    /// # Errors
    /// [`RegistryError::Store`].
    pub fn clock(&mut self) -> Result<Instant, RegistryError> {
        self.store.read(clock)
    }

    /// The later of `at` and the [clock](Self::clock): by what a registry is asked how its accounts stand now.
    ///
    /// # Errors
    /// [`RegistryError::Store`].
    pub fn now(&mut self, at: Instant) -> Result<Instant, RegistryError> {
        Ok(at.max(self.clock()?))
    }

    /// Verifies a bundle, at `at` or at the registry's [clock](Self::clock) if that is later, and records it, at most once. When this returns
    /// `Ok`, it is on the disk. The partner is the one whose registry this is.
    ///
    /// # Errors
    /// The first [`RegistryError`]; nothing is recorded then.
    pub fn accept(
        &mut self,
        partner: &Partner<'_>,
        verifier: &Verifier<'_>,
        bundle: &[u8],
        at: Instant,
    ) -> Result<Verdict, RegistryError> {
        self.check_owner(partner.policy.network, partner.policy.audience)?;
        let calls = partner.policy.calls.ok_or(RegistryError::NoCalls)?;
        let mut at = self.now(at)?;
        loop {
            let verdict = verifier.verify(partner, bundle, at).map_err(Box::new)?;
            let proof = Bundle::from_bytes(bundle)
                .map_err(|error| Box::new(error.into()))?
                .proof;
            let recorded = self.record(&Acceptance {
                verdict: &verdict,
                calls,
                nonce_is_drawn: partner.nonce.is_some(),
                bundle,
                proof: ProofHash::of(&proof),
            })?;
            match recorded {
                Recorded::Yes => return Ok(verdict),
                // Somebody else accepted something meanwhile.
                Recorded::Behind(clock) => at = clock,
            }
        }
    }

    fn record(&mut self, acceptance: &Acceptance<'_>) -> Result<Recorded, RegistryError> {
        self.store.write(|tx| record(tx, acceptance))
    }
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

fn clock(tx: &mut Transaction<'_>) -> Result<Instant, RegistryError> {
    instant(&tx.one("SELECT clock FROM partner", &[])?, 0, "clock")
}

fn instant_or_null(row: &Row, column: usize, field: &'static str) -> Result<Option<Instant>, RegistryError> {
    match row.optional_integer(column)? {
        None => Ok(None),
        Some(_) => instant(row, column, field).map(Some),
    }
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
