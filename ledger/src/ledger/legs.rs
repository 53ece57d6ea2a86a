//! The legs of one account while a transaction moves them.

use std::collections::BTreeMap;

use zeroize::Zeroize;
use zkmargin_circuits::Point;
use zkmargin_program::{LOT_BITS, LegId};
use zkmargin_store::Transaction;

use super::{Facts, LedgerError, database, signed};
use crate::fill::Move;
use crate::running::net;

/// The legs that were looked at, by slot, and what becomes of them. Overwritten when dropped.
pub(crate) struct Legs<'a> {
    facts: &'a Facts,
    account: &'a str,
    found: BTreeMap<usize, Leg>,
}

struct Leg {
    was: u64,
    is: u64,
}

impl Drop for Legs<'_> {
    fn drop(&mut self) {
        for leg in self.found.values_mut() {
            leg.was.zeroize();
            leg.is.zeroize();
        }
    }
}

impl<'a> Legs<'a> {
    pub(crate) fn new(facts: &'a Facts, account: &'a str) -> Legs<'a> {
        Legs {
            facts,
            account,
            found: BTreeMap::new(),
        }
    }

    /// Moves a pair.
    pub(crate) fn shift(&mut self, tx: &mut Transaction<'_>, step: &Move) -> Result<(), LedgerError> {
        let range = || LedgerError::Range {
            account: self.account.to_owned(),
            name: step.name.clone(),
        };
        let (first, second) = (self.facts.slot(step.pair.first)?, self.facts.slot(step.pair.second)?);
        let changes = {
            let (first, second) = (self.lots(tx, first)?, self.lots(tx, second)?);
            let changes = net(signed(first), signed(second), step.lots).ok_or_else(range)?;
            let moved = |lots: u64, change| lots.checked_add_signed(change).filter(|lots| lots >> LOT_BITS == 0);
            [
                moved(first, changes[0]).ok_or_else(range)?,
                moved(second, changes[1]).ok_or_else(range)?,
            ]
        };
        for (slot, lots) in [first, second].into_iter().zip(changes) {
            if let Some(leg) = self.found.get_mut(&slot) {
                leg.is = lots;
            }
        }
        Ok(())
    }

    fn lots(&mut self, tx: &mut Transaction<'_>, slot: usize) -> Result<u64, LedgerError> {
        if let Some(leg) = self.found.get(&slot) {
            return Ok(leg.is);
        }
        let row = tx.optional(
            "SELECT lots FROM legs WHERE account = $1 AND slot = $2",
            &[self.account.into(), database(slot).into()],
        )?;
        let was = row.map(|row| row.unsigned(0)).transpose()?.unwrap_or(0);
        self.found.insert(slot, Leg { was, is: was });
        Ok(was)
    }

    /// Writes what changed, and moves the commitments by it: one scalar multiplication per leg. How many moved.
    pub(crate) fn save(&self, tx: &mut Transaction<'_>) -> Result<usize, LedgerError> {
        let mut points: BTreeMap<usize, Point> = BTreeMap::new();
        let mut moved = 0;
        let changed = self.found.iter().filter(|(_, leg)| leg.was != leg.is);
        for (slot, leg) in changed {
            let (place, row) = (slot / self.facts.rows(), slot % self.facts.rows());
            let point = match points.get(&place) {
                Some(point) => *point,
                None => self.commitment(tx, place)?,
            };
            let change = signed(leg.is).saturating_sub(signed(leg.was));
            points.insert(place, point.moved(&self.facts.parameters, row, change)?);
            let (account, slot, lots) = (self.account.into(), database(*slot).into(), signed(leg.is).into());
            match (leg.was, leg.is) {
                (0, _) => tx.execute(
                    "INSERT INTO legs (account, slot, lots) VALUES ($1, $2, $3)",
                    &[account, slot, lots],
                )?,
                (_, 0) => tx.execute("DELETE FROM legs WHERE account = $1 AND slot = $2", &[account, slot])?,
                _ => tx.execute(
                    "UPDATE legs SET lots = $3 WHERE account = $1 AND slot = $2",
                    &[account, slot, lots],
                )?,
            };
            moved += 1;
        }
        for (place, point) in &points {
            tx.execute(
                "UPDATE commitments SET point = $3 WHERE account = $1 AND place = $2",
                &[self.account.into(), database(*place).into(), (&point.to_bytes()).into()],
            )?;
        }
        Ok(moved)
    }

    fn commitment(&self, tx: &mut Transaction<'_>, place: usize) -> Result<Point, LedgerError> {
        let row = tx.one(
            "SELECT point FROM commitments WHERE account = $1 AND place = $2",
            &[self.account.into(), database(place).into()],
        )?;
        point(self.account, place, &row.byte_array(0)?)
    }
}

/// A commitment as the database holds it.
pub(crate) fn point(account: &str, place: usize, bytes: &[u8; 32]) -> Result<Point, LedgerError> {
    Point::from_bytes(bytes).map_err(|error| LedgerError::Damaged {
        what: format!("the commitment to column {place} of account {account:?}: {error}"),
    })
}

/// All legs of an account, as columns of rows: what is held now, or was before the first fill. Overwritten when dropped.
pub(crate) struct Columns(pub(crate) Vec<Vec<u64>>);

impl Drop for Columns {
    fn drop(&mut self) {
        self.0.iter_mut().for_each(Zeroize::zeroize);
    }
}

impl Columns {
    /// From `SELECT slot, lots`.
    pub(crate) fn read(facts: &Facts, account: &str, rows: &[zkmargin_store::Row]) -> Result<Columns, LedgerError> {
        let count = facts.venue()?.columns.len();
        let mut columns = Columns(vec![vec![0; facts.rows()]; count]);
        for row in rows {
            let slot = usize::try_from(row.unsigned(0)?).unwrap_or(usize::MAX);
            let place = columns.0.get_mut(slot / facts.rows());
            let place = place.and_then(|column| column.get_mut(slot % facts.rows()));
            *place.ok_or_else(|| LedgerError::Damaged {
                what: format!("account {account:?} holds something in slot {slot}, which the universe has not"),
            })? = row.unsigned(1)?;
        }
        Ok(columns)
    }

    /// What an account holds now.
    pub(crate) fn now(facts: &Facts, tx: &mut Transaction<'_>, account: &str) -> Result<Columns, LedgerError> {
        let rows = tx.rows("SELECT slot, lots FROM legs WHERE account = $1", &[account.into()])?;
        Columns::read(facts, account, &rows)
    }

    /// What one leg holds.
    pub(crate) fn of(&self, facts: &Facts, leg: LegId) -> u64 {
        let slot = facts.slot(leg).unwrap_or(usize::MAX);
        let column = self.0.get(slot / facts.rows());
        column
            .and_then(|column| column.get(slot % facts.rows()))
            .copied()
            .unwrap_or(0)
    }
}
