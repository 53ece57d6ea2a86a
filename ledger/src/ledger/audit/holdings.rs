//! Commitments to what is held, what is held by the fills, and what attestations opened to.

use std::iter::repeat;

use zeroize::Zeroizing;
use zkmargin_circuits::{Blind, commit};
use zkmargin_program::LOT_BITS;
use zkmargin_store::{Row, Transaction};
use zkmargin_verifier::Opening;

use super::{Check, words};
use crate::fill::Move;
use crate::ledger::entry::Entry;
use crate::ledger::import::{NEVER, instant};
use crate::ledger::legs::{Columns, point};
use crate::ledger::pledge::millis;
use crate::ledger::{Facts, LedgerError, database};
use crate::running::net;

/// A fill of the database.
struct Recorded<'a> {
    id: &'a str,
    /// Nothing, if it is not what was recorded.
    entry: Option<Entry>,
    /// The epoch of the account's last attestation when it was recorded, below all if there was none.
    follows: i64,
}

impl Check<'_> {
    /// Each running commitment is the one to what the account holds.
    pub(super) fn commitments(&mut self, tx: &mut Transaction<'_>) -> Result<(), LedgerError> {
        let legs = Columns::now(self.facts, tx, self.account)?;
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
            if !is_same || row.integer(0)? != database(place) {
                self.found(format!(
                    "the commitment to column {place} is not the one to what the account holds"
                ));
            }
        }
        Ok(())
    }

    /// What was held before the first fill, and every fill after it: in the end what is held now, and at each attestation what it opens to.
    pub(super) fn holdings(&mut self, tx: &mut Transaction<'_>) -> Result<(), LedgerError> {
        let values = &[self.account.into()];
        let rows = tx.rows("SELECT slot, lots FROM beginnings WHERE account = $1", values)?;
        let began = !rows.is_empty();
        let mut anew = Columns::read(self.facts, self.account, &rows)?;
        let attested = tx.rows(
            "SELECT epoch, opening FROM attestations WHERE account = $1 ORDER BY epoch",
            values,
        )?;
        let rows = tx.rows(
            "SELECT id, instant, content, after_epoch FROM fills WHERE account = $1 ORDER BY after_epoch, instant, id",
            values,
        )?;
        let fills = rows
            .iter()
            .map(|row| self.recorded(row))
            .collect::<Result<Vec<_>, _>>()?;
        let times = || fills.iter().filter_map(|fill| Some(fill.entry.as_ref()?.time));
        let (earliest, latest) = (times().min(), times().max());
        let mut fills = fills.into_iter().peekable();
        let mut before = NEVER;
        for row in &attested {
            let epoch = row.integer(0)?;
            while let Some(fill) = fills.next_if(|fill| fill.follows < epoch) {
                if fill.entry.as_ref().is_some_and(|entry| millis(entry.time) > epoch) {
                    self.found(format!(
                        "fill {:?} is later than epoch {}, and is in its attestation",
                        fill.id,
                        words(epoch)
                    ));
                }
                self.replay(&mut anew, &fill, before)?;
            }
            before = epoch;
            // One that cannot be read is found where attestations are checked.
            let Ok(opening) = Opening::from_bytes(row.bytes(1)?) else {
                continue;
            };
            let lots: Vec<&[u64]> = opening.columns.iter().map(|column| column.lots.as_slice()).collect();
            if !opens_to(&lots, &anew) {
                self.found(format!(
                    "the attestation of epoch {} opens to something else than the fills before it made",
                    words(epoch)
                ));
            }
        }
        for fill in fills {
            self.replay(&mut anew, &fill, before)?;
        }
        if anew.0 != Columns::now(self.facts, tx, self.account)?.0 {
            self.found("what it holds is not what its fills make of what it held before them");
        }
        // Fills come in any order, and at most their end is bounded.
        if anew.0.iter().flatten().any(|lots| lots >> LOT_BITS != 0) {
            self.found("a leg holds 2^48 lots or more");
        }
        let kept = tx.one("SELECT moved, begun FROM accounts WHERE name = $1", values)?;
        let begun = kept.optional_integer(1)?;
        if began && begun.is_none() {
            self.found("the instant of what it held before its fills is not kept");
        }
        let first = attested.first().map(|row| row.integer(0)).transpose()?;
        if first.is_some_and(|first| begun > Some(first)) {
            self.found("an attestation is of before the instant of what it held before its fills");
        }
        if earliest.map(millis).is_some_and(|earliest| begun >= Some(earliest)) {
            self.found("a fill is of before the instant of what it held before its fills");
        }
        if kept.optional_integer(0)? != latest.map(millis).max(begun) {
            self.found("the instant of its latest fill is not the one that is kept");
        }
        Ok(())
    }

    fn recorded<'r>(&self, row: &'r Row) -> Result<Recorded<'r>, LedgerError> {
        let (id, at) = (row.text(0)?, instant(row.integer(1)?));
        let entry = Entry::from_content(row.text(2)?).ok();
        let is_it =
            |entry: &Entry| (entry.account.as_str(), entry.id.as_str(), Some(entry.time)) == (self.account, id, at);
        Ok(Recorded {
            id,
            entry: entry.filter(is_it),
            follows: row.integer(3)?,
        })
    }

    /// Moves the columns by a fill; `before` is the epoch of the last attestation before it.
    fn replay(&mut self, columns: &mut Columns, fill: &Recorded<'_>, before: i64) -> Result<(), LedgerError> {
        self.audit.fills += 1;
        if fill.follows != before {
            self.found(format!("fill {:?} follows an attestation that is not there", fill.id));
        }
        let Some(entry) = &fill.entry else {
            self.found(format!("fill {:?} is not what was recorded", fill.id));
            return Ok(());
        };
        let venue = self.facts.venue()?;
        let moved = entry.moves(venue).is_ok_and(|moves| {
            let moved = moves.iter().map(|step| shift(self.facts, columns, step));
            moved.collect::<Option<Vec<()>>>().is_some()
        });
        if !moved {
            self.found(format!("fill {:?} cannot be replayed", fill.id));
        }
        Ok(())
    }
}

/// Whether these lots, with nothing where they end, are what is held.
fn opens_to(opened: &[&[u64]], held: &Columns) -> bool {
    let is_same = |opened: &[u64], held: &[u64]| {
        opened.len() <= held.len()
            && opened
                .iter()
                .chain(repeat(&0))
                .zip(held)
                .all(|(opened, held)| opened == held)
    };
    let columns = opened.iter().copied().chain(repeat::<&[u64]>(&[]));
    opened.len() <= held.0.len() && columns.zip(&held.0).all(|(opened, held)| is_same(opened, held))
}

/// Moves a pair of legs. The bound of a leg is not checked: fills are replayed in an order in which they need not have come.
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
