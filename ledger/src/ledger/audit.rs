//! The auditor's check: everything that the ledger keeps up to date is made anew and compared.

mod holdings;
mod pledges;

use std::collections::BTreeMap;

use zkmargin_risk::canonical::Digest;
use zkmargin_risk::universe::Universe;
use zkmargin_store::{StoreError, Transaction};
use zkmargin_verifier::{Pseudonym, PublicKey};

use super::import::instant;
use super::{Facts, Ledger, LedgerError};

/// What an audit looked at, and what it found.
#[derive(Clone, Debug, Default)]
pub struct Audit {
    /// Accounts.
    pub accounts: usize,
    /// Commitments that were made anew from the legs.
    pub commitments: usize,
    /// Fills that were replayed.
    pub fills: usize,
    /// Attestations whose signature, opening and terms were checked.
    pub attestations: usize,
    /// The universes that the attestations are checked by: those that the venue published, or keys of somebody else would be taken for its own.
    pub universes: Vec<Digest>,
    /// What does not fit. Nothing, if the ledger is sound.
    pub findings: Vec<Finding>,
}

/// Something that does not fit. No amount is in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// The account.
    pub account: String,
    /// What is wrong.
    pub what: String,
}

macro_rules! strays {
    ($($table:literal)*) => {
        [$(($table, concat!("SELECT DISTINCT account FROM ", $table, " found WHERE NOT EXISTS (SELECT 1 FROM accounts WHERE name = found.account) ORDER BY account"))),*]
    };
}

/// Tables whose rows are an account's, and what finds those that are nobody's: a database that somebody edited may not have asked for it.
const STRAYS: [(&str, &str); 6] = strays!("commitments" "legs" "beginnings" "fills" "attestations" "encumbrances");

/// What an account without a name is called.
const NAMELESS: &str = "?";

impl Ledger {
    /// Makes every commitment anew from the legs, the legs anew from the fills, what every attestation opens to anew from the fills
    /// before it, and every pledge anew from the attestations and releases.
    ///
    /// What it cannot see: changes, additions and removals that agree with each other, such as an account that is gone with everything of it, or its last
    /// attestation with the pledge and clock that it made; and whether a pseudonym is the account's, for which it would need the venue's secret.
    ///
    /// # Errors
    /// [`LedgerError`]; what does not fit is no error but in [`Audit::findings`].
    pub fn audit(&mut self) -> Result<Audit, LedgerError> {
        let facts = &self.facts;
        self.store.read(|tx| {
            facts.check_universe(tx)?;
            let universes = universes(tx)?;
            let mut names = BTreeMap::new();
            let mut audit = Audit {
                universes: universes.keys().copied().collect(),
                ..Audit::default()
            };
            for (table, sql) in STRAYS {
                for row in tx.rows(sql, &[])? {
                    let what = format!("the ledger has no such account, and {table} of it");
                    audit.found(row.text(0).unwrap_or(NAMELESS), what);
                }
            }
            for account in tx.rows("SELECT name FROM accounts ORDER BY name", &[])? {
                audit.accounts += 1;
                let Ok(account) = account.text(0) else {
                    audit.found(NAMELESS, "an account whose name is no text");
                    continue;
                };
                let mut check = Check {
                    facts,
                    universes: &universes,
                    names: &mut names,
                    account,
                    audit: &mut audit,
                };
                check.part(tx, Check::commitments)?;
                check.part(tx, Check::holdings)?;
                check.part(tx, Check::pledges)?;
            }
            Ok(audit)
        })
    }
}

/// Every universe that the ledger has had. One that cannot be read is missed by the attestations in it.
fn universes(tx: &mut Transaction<'_>) -> Result<BTreeMap<Digest, Universe>, LedgerError> {
    let rows = tx.rows("SELECT text FROM universes", &[])?;
    let read = rows
        .iter()
        .filter_map(|row| Universe::from_json(row.text(0).ok()?).ok());
    Ok(read.map(|universe| (universe.digest(), universe)).collect())
}

impl Audit {
    fn found(&mut self, account: &str, what: impl Into<String>) {
        self.findings.push(Finding {
            account: account.to_owned(),
            what: what.into(),
        });
    }
}

/// The audit of one account.
struct Check<'a> {
    facts: &'a Facts,
    universes: &'a BTreeMap<Digest, Universe>,
    /// Whose each pseudonym is.
    names: &'a mut BTreeMap<(PublicKey, Pseudonym), String>,
    account: &'a str,
    audit: &'a mut Audit,
}

impl Check<'_> {
    fn found(&mut self, what: impl Into<String>) {
        self.audit.found(self.account, what);
    }

    /// One part of it. What cannot be read there is a finding: the other parts, and the other accounts, are looked at all the same.
    fn part(
        &mut self,
        tx: &mut Transaction<'_>,
        part: fn(&mut Self, &mut Transaction<'_>) -> Result<(), LedgerError>,
    ) -> Result<(), LedgerError> {
        match part(self, tx) {
            Err(LedgerError::Damaged { what }) => self.found(what),
            Err(LedgerError::Store(error @ (StoreError::Column { .. } | StoreError::Rows { .. }))) => {
                self.found(error.to_string());
            }
            other => return other,
        }
        Ok(())
    }
}

/// An instant of the database, in words.
fn words(millis: i64) -> String {
    instant(millis).map_or_else(|| format!("{millis} ms"), |instant| instant.to_string())
}
