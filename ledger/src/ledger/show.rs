//! What is in the ledger, and its fills as a file.

use std::collections::BTreeMap;

use rust_decimal::Decimal;
use zeroize::Zeroizing;
use zkmargin_program::Pair;
use zkmargin_risk::instant::Instant;
use zkmargin_risk::universe::Line;
use zkmargin_store::{Row, StoreError};
use zkmargin_verifier::PublicKey;
use zkmargin_verifier::book::Book;

use super::entry::{CSV_HEADER, Entry, EntryFormat};
use super::import::optional_instant;
use super::legs::Columns;
use super::pledge::Standing;
use super::{Facts, Ledger, LedgerError};

/// An account, without what it holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AccountSummary {
    /// Its name.
    pub name: String,
    /// Its holder.
    pub subject: PublicKey,
    /// Fills recorded.
    pub fills: u64,
    /// Attestations signed.
    pub attestations: u64,
    /// When it last moved.
    pub moved: Option<Instant>,
    /// The epoch of its last attestation.
    pub epoch: Option<Instant>,
    /// Whom it is pledged to at the instant gone by.
    pub encumbrance: Option<Encumbrance>,
}

/// Whom an account is pledged to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Encumbrance {
    /// To whom.
    pub audience: PublicKey,
    /// For which credit line.
    pub book: Book,
    /// Until when, unless it is released.
    pub until: Instant,
    /// Until when the venue holds withdrawals, if it still does.
    pub held_until: Option<Instant>,
}

/// What an account holds on one line. Secret.
#[derive(Clone, PartialEq, Eq)]
pub struct Holding {
    /// The instrument or asset.
    pub name: String,
    /// `position`, `balance`, `carry` or `reserve`.
    pub what: &'static str,
    /// Contracts or coins, negative if short or owed.
    pub amount: Decimal,
}

impl std::fmt::Debug for Holding {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Holding(..)")
    }
}

impl Ledger {
    /// All accounts by name, as they stand at `now`.
    ///
    /// # Errors
    /// [`LedgerError`].
    pub fn accounts(&mut self, now: Instant) -> Result<Vec<AccountSummary>, LedgerError> {
        self.store.read(|tx| {
            let rows = tx.rows(
                "SELECT name, subject, moved, epoch, \
                 (SELECT count(*) FROM fills WHERE fills.account = name), \
                 (SELECT count(*) FROM attestations WHERE attestations.account = name) FROM accounts ORDER BY name",
                &[],
            )?;
            let pledged = tx.rows(
                "SELECT account, audience, book, until, held_until, attestation FROM encumbrances",
                &[],
            )?;
            let pledged: Result<BTreeMap<&str, &Row>, StoreError> =
                pledged.iter().map(|row| Ok((row.text(0)?, row))).collect();
            let pledged = pledged?;
            let mut accounts = Vec::with_capacity(rows.len());
            for row in &rows {
                let name = row.text(0)?;
                let standing = pledged.get(name).map(|row| Standing::read(row, 1)).transpose()?;
                accounts.push(AccountSummary {
                    name: name.to_owned(),
                    subject: PublicKey(row.byte_array(1)?),
                    fills: row.unsigned(4)?,
                    attestations: row.unsigned(5)?,
                    moved: optional_instant(row, 2)?,
                    epoch: optional_instant(row, 3)?,
                    encumbrance: standing
                        .filter(|standing| now <= standing.until)
                        .map(|standing| Encumbrance {
                            audience: standing.audience,
                            book: standing.book,
                            until: standing.until,
                            held_until: standing.held_until.filter(|until| now <= *until),
                        }),
                });
            }
            Ok(accounts)
        })
    }

    /// What an account holds, in the order of the venue's lines. Secret.
    ///
    /// # Errors
    /// [`LedgerError`].
    pub fn holdings(&mut self, account: &str) -> Result<Vec<Holding>, LedgerError> {
        let facts = &self.facts;
        self.store.read(|tx| {
            facts.check_universe(tx)?;
            let known = tx.optional("SELECT name FROM accounts WHERE name = $1", &[account.into()])?;
            if known.is_none() {
                let name = account.to_owned();
                return Err(LedgerError::UnknownAccount { name });
            }
            let columns = Columns::now(facts, tx, account)?;
            let lines = facts.venue()?.lines.iter();
            Ok(lines.flat_map(|line| held(facts, &columns, line)).collect())
        })
    }

    /// All fills, by account and in the order of their instants, with their number: a file that [`import`](Self::import) takes. Secret.
    ///
    /// # Errors
    /// [`LedgerError`].
    pub fn export(&mut self, format: EntryFormat) -> Result<(Zeroizing<Vec<u8>>, usize), LedgerError> {
        let rows = self.store.read(|tx| {
            Ok::<_, LedgerError>(tx.rows(
                "SELECT content, id, account FROM fills ORDER BY account, instant, id",
                &[],
            )?)
        })?;
        let mut length = CSV_HEADER.len();
        for row in &rows {
            length = length.saturating_add(row.text(0)?.len()).saturating_add(1);
        }
        // Reserved whole, so that no growth leaves a copy behind: a line of CSV is shorter than the JSON that it is of, which names its fields.
        let mut file = Zeroizing::new(Vec::with_capacity(length));
        if format == EntryFormat::Csv {
            file.extend_from_slice(CSV_HEADER.as_bytes());
        }
        for row in &rows {
            let content = row.text(0)?;
            match format {
                EntryFormat::Csv => {
                    let entry = Entry::from_content(content).map_err(|_| LedgerError::Damaged {
                        what: format!(
                            "fill {:?} of account {:?} is not what was recorded",
                            row.text(1).unwrap_or(""),
                            row.text(2).unwrap_or("")
                        ),
                    })?;
                    entry.write_csv(&mut file);
                }
                EntryFormat::JsonLines => {
                    file.extend_from_slice(content.as_bytes());
                    file.push(b'\n');
                }
            }
        }
        Ok((file, rows.len()))
    }
}

fn held(facts: &Facts, columns: &Columns, line: &Line) -> Vec<Holding> {
    let net = |pair: Pair| {
        let lots = |leg| i64::try_from(columns.of(facts, leg)).unwrap_or(i64::MAX);
        lots(pair.first).saturating_sub(lots(pair.second))
    };
    let (name, lot, legs) = match line {
        Line::Instrument(instrument) => (
            instrument.name.clone(),
            instrument.lot,
            vec![("position", net(instrument.pair()))],
        ),
        Line::Asset(asset) => {
            let carry = asset.carry.map(|pair| ("carry", net(pair)));
            let reserve = asset.reserve.map(|leg| {
                let lots = i64::try_from(columns.of(facts, leg)).unwrap_or(i64::MAX);
                ("reserve", lots)
            });
            let legs = [("balance", net(asset.pair()))].into_iter().chain(carry).chain(reserve);
            (asset.label(), asset.lot, legs.collect())
        }
    };
    legs.into_iter()
        .filter(|(_, lots)| *lots != 0)
        .map(|(what, lots)| Holding {
            name: name.clone(),
            what,
            // Fewer than 2^48 lots of at most a billion: both have fewer digits than a decimal.
            amount: Decimal::from(lots).checked_mul(lot).unwrap_or(Decimal::MAX).normalize(),
        })
        .collect()
}
