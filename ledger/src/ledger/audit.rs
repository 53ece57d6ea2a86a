//! The auditor's check: everything that the ledger keeps up to date is made anew and compared.

use zeroize::Zeroizing;
use zkmargin_circuits::{Blind, commit};
use zkmargin_program::LOT_BITS;
use zkmargin_risk::instant::Instant;
use zkmargin_store::{Row, Transaction};
use zkmargin_verifier::{Opening, SignedAttestation, SignedRelease};

use super::entry::Entry;
use super::import::instant;
use super::legs::{Columns, point};
use super::pledge::Standing;
use super::{Facts, Ledger, LedgerError};
use crate::fill::Move;
use crate::running::net;

/// What an audit looked at, and what it found.
#[derive(Clone, Debug, Default)]
pub struct Audit {
    /// Accounts.
    pub accounts: usize,
    /// Commitments that were made anew from the legs.
    pub commitments: usize,
    /// Fills that were replayed.
    pub fills: usize,
    /// Attestations whose signature and opening were checked.
    pub attestations: usize,
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

impl Ledger {
    /// Makes every commitment anew from the legs, the legs anew from the fills, and checks every attestation and encumbrance against each other.
    ///
    /// # Errors
    /// [`LedgerError`]; what does not fit is no error but in [`Audit::findings`].
    pub fn audit(&mut self) -> Result<Audit, LedgerError> {
        let facts = &self.facts;
        self.store.read(|tx| {
            facts.check_universe(tx)?;
            let mut audit = Audit::default();
            for account in tx.rows("SELECT name FROM accounts ORDER BY name", &[])? {
                let name = account.text(0)?;
                audit.accounts += 1;
                let mut check = Check {
                    facts,
                    account: name,
                    audit: &mut audit,
                };
                let legs = Columns::now(facts, tx, name)?;
                check.commitments(tx, &legs)?;
                check.replay(tx, &legs)?;
                check.pledges(tx)?;
            }
            Ok(audit)
        })
    }
}

/// The audit of one account.
struct Check<'a> {
    facts: &'a Facts,
    account: &'a str,
    audit: &'a mut Audit,
}

impl Check<'_> {
    fn found(&mut self, what: impl Into<String>) {
        self.audit.findings.push(Finding {
            account: self.account.to_owned(),
            what: what.into(),
        });
    }

    fn commitments(&mut self, tx: &mut Transaction<'_>, legs: &Columns) -> Result<(), LedgerError> {
        let rows = tx.rows(
            "SELECT place, point, blind FROM commitments WHERE account = $1 ORDER BY place",
            &[self.account.into()],
        )?;
        if rows.len() != legs.0.len() {
            self.found(format!(
                "{} commitments, the venue has {} columns",
                rows.len(),
                legs.0.len()
            ));
        }
        for (place, (row, lots)) in rows.iter().zip(&legs.0).enumerate() {
            self.audit.commitments += 1;
            let running = point(self.account, place, &row.byte_array(1)?);
            let blind = Blind::from_bytes(&Zeroizing::new(row.byte_array(2)?));
            let anew = blind.and_then(|blind| commit(&self.facts.parameters, lots, &blind));
            let is_same = matches!((running, anew), (Ok(running), Ok(anew)) if running == anew);
            if !is_same || row.integer(0)? != super::database(place) {
                self.found(format!(
                    "the commitment to column {place} is not the one to what the account holds"
                ));
            }
        }
        Ok(())
    }

    /// What was held before the first fill, and every fill after it.
    fn replay(&mut self, tx: &mut Transaction<'_>, legs: &Columns) -> Result<(), LedgerError> {
        let values = &[self.account.into()];
        let rows = tx.rows("SELECT slot, lots FROM beginnings WHERE account = $1", values)?;
        let mut anew = Columns::read(self.facts, self.account, &rows)?;
        let rows = tx.rows(
            "SELECT id, instant, content FROM fills WHERE account = $1 ORDER BY instant, id",
            values,
        )?;
        let (venue, mut latest) = (self.facts.venue()?, None);
        for row in &rows {
            self.audit.fills += 1;
            let id = row.text(0)?;
            let entry = Entry::from_content(row.text(2)?);
            let fits = |entry: &&Entry| {
                let at = instant(row.integer(1).unwrap_or(-1));
                (entry.account.as_str(), entry.id.as_str(), Some(entry.time)) == (self.account, id, at)
            };
            let Some(entry) = entry.as_ref().ok().filter(fits) else {
                self.found(format!("fill {id:?} is not what was recorded"));
                continue;
            };
            latest = latest.max(Some(entry.time));
            let moved = entry.moves(venue).is_ok_and(|moves| {
                let moved = moves.iter().map(|step| shift(self.facts, &mut anew, step));
                moved.collect::<Option<Vec<()>>>().is_some()
            });
            if !moved {
                self.found(format!("fill {id:?} cannot be replayed"));
            }
        }
        if anew.0 != legs.0 {
            self.found("what it holds is not what its fills make of what it held before them");
        }
        // Fills come in any order, and at most their end is bounded.
        if anew.0.iter().flatten().any(|lots| lots >> LOT_BITS != 0) {
            self.found("a leg holds 2^48 lots or more");
        }
        let moved = tx.one("SELECT moved FROM accounts WHERE name = $1", values)?;
        if moved.optional_integer(0)?.and_then(instant) != latest {
            self.found("the instant of its latest fill is not the one that is kept");
        }
        Ok(())
    }

    fn pledges(&mut self, tx: &mut Transaction<'_>) -> Result<(), LedgerError> {
        let values = &[self.account.into()];
        let rows = tx.rows(
            "SELECT digest, epoch, ended, release_file, file, opening FROM attestations WHERE account = $1 ORDER BY epoch",
            values,
        )?;
        let standing = Standing::load(tx, self.account)?;
        let account = tx.one("SELECT epoch, clock FROM accounts WHERE name = $1", values)?;
        let clock = account.optional_integer(1)?.and_then(instant);
        let mut last = None;
        for row in &rows {
            self.audit.attestations += 1;
            match self.attestation(row) {
                Ok(signed) => {
                    self.stands(row, &signed, standing.as_ref(), clock)?;
                    last = Some(signed.digest());
                }
                Err(what) => self.found(format!("the attestation of epoch {}: {what}", words(row.integer(1)?))),
            }
        }
        let kept = account.optional_integer(0)?;
        if rows.last().map(|row| row.integer(1)).transpose()? != kept {
            self.found("its last epoch is not that of its last attestation");
        }
        if let Some(standing) = standing
            && Some(standing.attestation) != last
        {
            self.found("it is pledged by another attestation than its last");
        }
        Ok(())
    }

    /// An attestation that has not ended by `clock` is that of the one audience and book that the account is pledged to.
    fn stands(
        &mut self,
        row: &Row,
        signed: &SignedAttestation,
        standing: Option<&Standing>,
        clock: Option<Instant>,
    ) -> Result<(), LedgerError> {
        let content = signed.content();
        if row.optional_integer(2)?.is_some() || clock.is_some_and(|clock| clock > content.expiry) {
            return Ok(());
        }
        let is_pledged = standing.is_some_and(|standing| {
            (standing.audience, &standing.book) == (content.audience, &content.book)
                && standing.until >= content.expiry
                && (!content.held || standing.held_until >= Some(content.expiry))
        });
        if !is_pledged {
            let epoch = content.epoch;
            self.found(format!(
                "the attestation of epoch {epoch} stands, and the account is not pledged by it"
            ));
        }
        Ok(())
    }

    /// An attestation that is what was recorded, verifies, and is opened by its opening.
    fn attestation(&self, row: &Row) -> Result<SignedAttestation, String> {
        let text = |error: &dyn std::error::Error| error.to_string();
        let bytes = |column| row.bytes(column).map_err(|error| text(&error));
        let signed = SignedAttestation::from_bytes(bytes(4)?).map_err(|error| text(&error))?;
        signed.verify().map_err(|error| text(&error))?;
        if bytes(0)? != signed.digest().0 || words(row.integer(1).unwrap_or(-1)) != signed.content().epoch.to_string() {
            return Err("it is recorded as another".to_owned());
        }
        let opening = Opening::from_bytes(bytes(5)?).map_err(|error| text(&error))?;
        opening
            .check(&self.facts.parameters, signed.content())
            .map_err(|error| text(&error))?;
        if let Some(release) = row.optional_bytes(3).map_err(|error| text(&error))? {
            let release = SignedRelease::from_bytes(release).map_err(|error| text(&error))?;
            release.verify().map_err(|error| text(&error))?;
            if release.content().attestation != signed.digest() {
                return Err("its release is of another".to_owned());
            }
        }
        Ok(signed)
    }
}

/// Moves a pair of legs. The bound of a leg is not checked: fills are replayed in the order of their instants, in which they need not have come.
fn shift(facts: &Facts, columns: &mut Columns, step: &Move) -> Option<()> {
    let (first, second) = (step.pair.first, step.pair.second);
    let lots = |leg| i64::try_from(columns.of(facts, leg)).ok();
    let changes = net(lots(first)?, lots(second)?, step.lots)?;
    for (leg, change) in [first, second].into_iter().zip(changes) {
        let slot = facts.slot(leg).ok()?;
        let column = columns.0.get_mut(slot / facts.rows())?;
        let held = column.get_mut(slot % facts.rows())?;
        *held = held.checked_add_signed(change)?;
    }
    Some(())
}

fn words(millis: i64) -> String {
    instant(millis).map_or_else(|| format!("{millis} ms"), |instant| instant.to_string())
}
