//! What one account at one venue holds: signed decimals in a file, whole lots on legs in a vector.
//!
//! # Leg values
//! A margin model values an account as `Σ q_i · value_i`, each leg having a value per lot in the coin or money of its
//! line. The convention, which valuation and collateral share with this module:
//!
//! | leg | value of what one contract, or one coin, of it stands for |
//! |---|---|
//! | option, long | its price, in the settlement asset: `+V` (short: `-V`) |
//! | linear future or perpetual, long | `+N·F`, with `N` = contract size in units of the underlying and `F` = price now (short: `-N·F`) |
//! | inverse future or perpetual, long | `-N/F` coins, with `N` = contract size in USD (short: `+N/F`) |
//! | balance | `+1` (debt: `-1`) |
//! | carry credit | `+1` (carry debit: `-1`) |
//! | reserve | `-1`: it is part of the balance, and set aside |
//!
//! A position of `n` contracts (negative if short) opened at the price `E` has the **carry** `-n·N·E` if linear and
//! `+n·N/E` if inverse, in its settlement asset, so that value and carry together are its unrealized profit:
//! ```text
//! linear    n·N·F - n·N·E = n·N·(F - E)
//! inverse  -n·N/F + n·N/E = n·N·(1/E - 1/F)      (a long gains as F rises above E)
//! ```
//! Carries of all positions that settle in one asset are added up exactly and become one amount, a credit if positive
//! and a debit if negative, rounded once to whole lots against the trader: credit down, debit up. So a long linear
//! position has a carry *debit*, a long inverse one a carry *credit*, and no price of the snapshot is in the vector.

use std::collections::{BTreeMap, BTreeSet};

use num_rational::BigRational;
use num_traits::Zero;
use rust_decimal::Decimal;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use zeroize::{Zeroize, ZeroizeOnDrop};
use zkmargin_program::{LegId, Pair};

use crate::amount::{LotsError, MAX_LOTS, lots, lots_rounded_down, to_ratio};
use crate::market::MAX_PRICE;
use crate::universe::{Asset, Instrument, Line, Style, Universe, Venue, asset_label};

/// An account's JSON file, as a venue writes it. Secret: its `Debug` shows nothing.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AccountFile {
    /// The venue that holds the account.
    pub venue: String,
    /// Its positions.
    #[serde(default)]
    pub positions: Vec<PositionFile>,
    /// Its balances and debts.
    #[serde(default)]
    pub balances: Vec<AmountFile>,
    /// What is set aside for open orders, fees and funding due; at least 0.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub reserve: Vec<AmountFile>,
}

/// A position in an account's file.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PositionFile {
    /// The instrument's name at the account's venue.
    pub instrument: String,
    /// Contracts, negative if short.
    #[serde(with = "crate::amount")]
    #[schemars(with = "String")]
    pub contracts: Decimal,
    /// Futures and perpetuals: the price, in USD, at which the position is carried. Either this or `carry`.
    #[serde(default, with = "crate::amount::option", skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    pub entry: Option<Decimal>,
    /// Futures and perpetuals: the carry itself, in the settlement asset (see the [module](self) for its sign).
    #[serde(default, with = "crate::amount::option", skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    pub carry: Option<Decimal>,
}

/// An amount of an asset in an account's file.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AmountFile {
    /// The asset's name at the account's venue.
    pub asset: String,
    /// The instrument of the isolated position that it belongs to; absent for cross margin.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub isolated: Option<String>,
    /// Coins; a negative balance is a debt.
    #[serde(with = "crate::amount")]
    #[schemars(with = "String")]
    pub amount: Decimal,
}

opaque_debug!(AccountFile PositionFile AmountFile AccountVector);

/// An account as legs in lots: the secret `q` of protocol §2, one number per slot of the universe's layout.
///
/// Every number is below `2^48`, those outside the account's venue are 0, and of a pair of legs at most one is not.
/// Overwritten when dropped; its `Debug` shows nothing.
#[derive(Clone, PartialEq, Eq, Zeroize, ZeroizeOnDrop)]
pub struct AccountVector {
    #[zeroize(skip)]
    venue: usize,
    lots: Vec<u64>,
}

/// Why something is not an account of a universe. For the venue and the trader only: it shows amounts.
#[derive(Debug, thiserror::Error)]
pub enum AccountError {
    /// Not JSON of the format; the message has line and column.
    #[error("account: {0}")]
    Json(#[from] serde_json::Error),
    /// A file larger than is read.
    #[error("account: {bytes} bytes, at most {} are read", crate::json::MAX_BYTES)]
    Size {
        /// Its size.
        bytes: usize,
    },
    /// The universe has no such venue.
    #[error("account: the universe has no venue `{0}`")]
    UnknownVenue(String),
    /// The venue does not list such an instrument.
    #[error("account: venue {venue} lists no instrument `{instrument}`")]
    UnknownInstrument {
        /// The venue.
        venue: String,
        /// The instrument.
        instrument: String,
    },
    /// The venue has no such asset.
    #[error("account: venue {venue} has no asset `{asset}`")]
    UnknownAsset {
        /// The venue.
        venue: String,
        /// The asset.
        asset: String,
    },
    /// Two rows for one instrument, balance or reserve.
    #[error("account: {what} {name} has two rows")]
    Duplicate {
        /// `position`, `balance` or `reserve`.
        what: &'static str,
        /// Of what.
        name: String,
    },
    /// An amount that is not a whole number of lots, or is too many.
    #[error("account: {what} {name}: {source}")]
    Lots {
        /// `position`, `balance`, `carry` or `reserve`.
        what: &'static str,
        /// Of what.
        name: String,
        /// The amount and the lot.
        source: LotsError,
    },
    /// A future or perpetual without entry and carry, or with both; an option with either.
    #[error("account: position {name}: {problem}")]
    Carry {
        /// The instrument.
        name: String,
        /// What is wrong.
        problem: &'static str,
    },
    /// An entry price out of bounds.
    #[error("account: position {name}: entry is {value}, expected above 0 and at most {MAX_PRICE} USD")]
    Entry {
        /// The instrument.
        name: String,
        /// The price.
        value: Decimal,
    },
    /// A reserve below 0, or of an asset in which nothing settles.
    #[error("account: reserve {name}: {problem}")]
    Reserve {
        /// The asset.
        name: String,
        /// What is wrong.
        problem: &'static str,
    },
    /// A vector of another length than the layout.
    #[error("account vector: {length} numbers, the universe has {slots} slots")]
    Length {
        /// How many numbers.
        length: usize,
        /// Slots of the layout.
        slots: usize,
    },
    /// A number in a slot that is no leg of the account's venue.
    #[error("account vector: slot {slot} is not empty, but no leg of venue {venue}")]
    Foreign {
        /// The slot.
        slot: usize,
        /// The venue.
        venue: String,
    },
    /// Both legs of a pair.
    #[error("account vector: both legs of {name} are held, at most one may be")]
    BothLegs {
        /// Whose legs.
        name: String,
    },
}

impl AccountVector {
    /// The vector of an account's file.
    ///
    /// # Errors
    /// [`AccountError`].
    pub fn from_file(file: &AccountFile, universe: &Universe) -> Result<AccountVector, AccountError> {
        let (index, venue) = universe
            .venue(&file.venue)
            .ok_or_else(|| AccountError::UnknownVenue(file.venue.clone()))?;
        let mut vector = AccountVector {
            venue: index,
            lots: vec![0; universe.layout().slots()],
        };
        let mut carries: BTreeMap<LegId, (&Asset, BigRational)> = BTreeMap::new();
        let mut seen = BTreeSet::new();
        for row in &file.positions {
            let instrument = venue
                .instrument(&row.instrument)
                .ok_or_else(|| AccountError::UnknownInstrument {
                    venue: venue.name.clone(),
                    instrument: row.instrument.clone(),
                })?;
            distinct(&mut seen, "position", row.instrument.clone())?;
            vector.set(
                "position",
                &row.instrument,
                instrument.pair(),
                lots(row.contracts, instrument.lot),
            )?;
            if let Some(carry) = carry_of(row, instrument)?
                && let Some(asset) = venue.settlement_of(instrument)
            {
                carries
                    .entry(asset.balance)
                    .or_insert_with(|| (asset, BigRational::zero()))
                    .1 += carry;
            }
        }
        for (asset, carry) in carries.values() {
            let Some(pair) = asset.carry else {
                let (name, problem) = (asset.label(), "the asset has no carry legs");
                return Err(AccountError::Carry { name, problem });
            };
            vector.set("carry", &asset.label(), pair, lots_rounded_down(carry, asset.lot))?;
        }
        for row in &file.balances {
            let asset = asset_of(venue, row)?;
            distinct(&mut seen, "balance", asset.label())?;
            vector.set("balance", &asset.label(), asset.pair(), lots(row.amount, asset.lot))?;
        }
        for row in &file.reserve {
            let asset = asset_of(venue, row)?;
            distinct(&mut seen, "reserve", asset.label())?;
            let refused = |problem| AccountError::Reserve {
                name: asset.label(),
                problem,
            };
            let leg = asset
                .reserve
                .ok_or_else(|| refused("nothing settles in this asset, so it has no reserve"))?;
            if row.amount < Decimal::ZERO {
                return Err(refused("it is below 0"));
            }
            // Not below 0, so only the first leg is ever set.
            vector.set(
                "reserve",
                &asset.label(),
                Pair {
                    first: leg,
                    second: leg,
                },
                lots(row.amount, asset.lot),
            )?;
        }
        Ok(vector)
    }

    /// The vector of an account's JSON file.
    ///
    /// # Errors
    /// [`AccountError`].
    pub fn from_json(text: &str, universe: &Universe) -> Result<AccountVector, AccountError> {
        if text.len() > crate::json::MAX_BYTES {
            return Err(AccountError::Size { bytes: text.len() });
        }
        AccountVector::from_file(&crate::json::from_str(text)?, universe)
    }

    /// A vector from its numbers, one per slot, as an opening carries them.
    ///
    /// # Errors
    /// [`AccountError`]: another length than the layout's, a number outside the venue's legs, one of `2^48` or more,
    /// both legs of a pair. `venue` is an index into the universe's venues.
    pub fn from_lots(universe: &Universe, venue: usize, lots: Vec<u64>) -> Result<AccountVector, AccountError> {
        let vector = AccountVector { venue, lots };
        let slots = universe.layout().slots();
        if vector.lots.len() != slots {
            return Err(AccountError::Length {
                length: vector.lots.len(),
                slots,
            });
        }
        let owner = universe
            .venues()
            .get(venue)
            .ok_or_else(|| AccountError::UnknownVenue(format!("number {venue}")))?;
        let mut own = vec![false; slots];
        for line in &owner.lines {
            vector.check_line(line, &mut own)?;
        }
        let foreign = vector.lots.iter().zip(&own).position(|(lots, own)| *lots != 0 && !own);
        match foreign {
            Some(slot) => Err(AccountError::Foreign {
                slot,
                venue: owner.name.clone(),
            }),
            None => Ok(vector),
        }
    }

    fn check_line(&self, line: &Line, own: &mut [bool]) -> Result<(), AccountError> {
        let (name, lot, pairs) = match line {
            Line::Instrument(instrument) => (instrument.name.clone(), instrument.lot, vec![instrument.pair()]),
            Line::Asset(asset) => (
                asset.label(),
                asset.lot,
                [asset.pair()].into_iter().chain(asset.carry).collect(),
            ),
        };
        for leg in line.legs() {
            if self.of(leg) > MAX_LOTS {
                let source = LotsError::TooMany {
                    value: format!("{} lots", self.of(leg)),
                    lot,
                };
                return Err(AccountError::Lots {
                    what: "leg of",
                    name,
                    source,
                });
            }
            if let Some(own) = own.get_mut(leg.index()) {
                *own = true;
            }
        }
        if pairs
            .iter()
            .any(|pair| self.of(pair.first) != 0 && self.of(pair.second) != 0)
        {
            return Err(AccountError::BothLegs { name });
        }
        Ok(())
    }

    /// The index of the account's venue in the universe.
    pub const fn venue(&self) -> usize {
        self.venue
    }

    /// Lots, one number per slot of the universe's layout.
    pub fn lots(&self) -> &[u64] {
        &self.lots
    }

    /// Lots on one leg; 0 beyond the last slot.
    pub fn of(&self, leg: LegId) -> u64 {
        self.lots.get(leg.index()).copied().unwrap_or(0)
    }

    /// Puts signed lots on a pair: on the first leg if positive, on the second if negative.
    fn set(
        &mut self,
        what: &'static str,
        name: &str,
        pair: Pair,
        lots: Result<i64, LotsError>,
    ) -> Result<(), AccountError> {
        let lots = lots.map_err(|source| AccountError::Lots {
            what,
            name: name.to_owned(),
            source,
        })?;
        let leg = if lots < 0 { pair.second } else { pair.first };
        if let Some(slot) = self.lots.get_mut(leg.index()) {
            *slot = lots.unsigned_abs();
        }
        Ok(())
    }
}

/// The carry of `contracts` (negative if sold) of a future or perpetual at `price` USD, exactly, in its settlement
/// asset: `-n·N·E` if linear, `n·N/E` if inverse. `None` for an option, which is paid for when it is traded, and for a
/// price of 0.
pub fn carry(instrument: &Instrument, contracts: Decimal, price: Decimal) -> Option<BigRational> {
    if !instrument.kind.is_carried() || price.is_zero() {
        return None;
    }
    let size = to_ratio(contracts) * to_ratio(instrument.contract);
    Some(match instrument.style {
        Style::Linear => -size * to_ratio(price),
        Style::Inverse => size / to_ratio(price),
    })
}

fn carry_of(row: &PositionFile, instrument: &Instrument) -> Result<Option<BigRational>, AccountError> {
    let name = || instrument.name.clone();
    if !instrument.kind.is_carried() {
        if row.entry.is_some() || row.carry.is_some() {
            let problem = "an option is paid for when it is traded: it has neither entry nor carry";
            return Err(AccountError::Carry { name: name(), problem });
        }
        return Ok(None);
    }
    match (row.entry, row.carry) {
        (Some(entry), None) if entry > Decimal::ZERO && entry <= MAX_PRICE => {
            Ok(carry(instrument, row.contracts, entry))
        }
        (Some(value), None) => Err(AccountError::Entry { name: name(), value }),
        (None, Some(carry)) => Ok(Some(to_ratio(carry))),
        (None, None) => Err(AccountError::Carry {
            name: name(),
            problem: "a future or perpetual needs an entry price or a carry",
        }),
        (Some(_), Some(_)) => Err(AccountError::Carry {
            name: name(),
            problem: "it has both an entry price and a carry",
        }),
    }
}

fn asset_of<'u>(venue: &'u Venue, row: &AmountFile) -> Result<&'u Asset, AccountError> {
    venue
        .asset(&row.asset, row.isolated.as_deref())
        .ok_or_else(|| AccountError::UnknownAsset {
            venue: venue.name.clone(),
            asset: asset_label(&row.asset, row.isolated.as_deref()),
        })
}

fn distinct(seen: &mut BTreeSet<(&'static str, String)>, what: &'static str, name: String) -> Result<(), AccountError> {
    if seen.insert((what, name.clone())) {
        return Ok(());
    }
    Err(AccountError::Duplicate { what, name })
}
