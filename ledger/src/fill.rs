//! Fills and transfers: what moves a venue's running commitment to an account.
//!
//! A fills *file* is JSON; amounts are strings, unknown fields are refused:
//!
//! ```json
//! {
//!   "venue": "options-venue",
//!   "fills": [
//!     { "instrument": "BTC-28AUG26-70000-C", "contracts": "-5", "price": "0.0215", "fee": "0.0015" }
//!   ],
//!   "transfers": [
//!     { "asset": "BTC", "amount": "1.5" }
//!   ]
//! }
//! ```
//!
//! `contracts` are negative for a sale, and never 0. The `price` is an option's premium per unit of the underlying in the settlement asset, or the
//! price of a future or perpetual in USD. The `fee` is that of the whole fill, in the settlement asset; negative for a
//! rebate. Premium and fee move the balance; the price of a future moves the carry, so that closing a position leaves its
//! profit there. Money is rounded to whole lots once per fill, against the trader.

use rust_decimal::Decimal;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use thiserror::Error;
use zkmargin_circuits::Parameters;
use zkmargin_program::Pair;
use zkmargin_risk::account::carry;
use zkmargin_risk::amount::{LotsError, lots, lots_rounded_down, to_ratio};
use zkmargin_risk::market::MAX_PRICE;
use zkmargin_risk::universe::{Asset, Instrument, Kind, Universe, Venue};

use crate::running::{RunningAccount, RunningError};

/// Most bytes of a fills file.
pub const MAX_FILLS_BYTES: usize = 1 << 26;

/// A fills file. Secret: its `Debug` shows nothing.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Fills {
    /// The venue of the account.
    pub venue: String,
    /// Trades, in their order.
    #[serde(default)]
    pub fills: Vec<Fill>,
    /// Deposits and withdrawals, in their order, after the trades.
    #[serde(default)]
    pub transfers: Vec<Transfer>,
}

/// One trade.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Fill {
    /// The instrument's name at the venue.
    pub instrument: String,
    /// Contracts, negative if sold.
    #[serde(with = "zkmargin_risk::amount")]
    #[schemars(with = "String")]
    pub contracts: Decimal,
    /// Option: premium per unit of the underlying, in the settlement asset. Future, perpetual: price in USD.
    #[serde(with = "zkmargin_risk::amount")]
    #[schemars(with = "String")]
    pub price: Decimal,
    /// Fee of the whole fill in the settlement asset; negative for a rebate.
    #[serde(with = "zkmargin_risk::amount")]
    #[schemars(with = "String")]
    pub fee: Decimal,
}

/// One deposit or withdrawal of cross margin.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Transfer {
    /// The asset's name at the venue.
    pub asset: String,
    /// Coins, negative if withdrawn.
    #[serde(with = "zkmargin_risk::amount")]
    #[schemars(with = "String")]
    pub amount: Decimal,
}

/// What a position in a perpetual earned or paid between two trades; no withdrawal.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Funding {
    /// The perpetual's name at the venue.
    pub(crate) instrument: String,
    /// Coins of its settlement asset, negative if paid.
    pub(crate) amount: Decimal,
}

opaque_debug!(Fills Fill Transfer Funding);

/// Why a trade or transfer moves nothing. For the venue alone: it shows amounts.
#[derive(Debug, Error)]
pub enum MoveError {
    /// The venue does not list it.
    #[error("venue {venue} has no {what} {name:?}")]
    Unknown {
        /// The venue.
        venue: String,
        /// `instrument` or `asset`.
        what: &'static str,
        /// Its name.
        name: String,
    },
    /// A trade of nothing.
    #[error("contracts is {value}, expected other than 0")]
    NoContracts {
        /// The contracts, as the file has them.
        value: Decimal,
    },
    /// Funding of what has none.
    #[error("{name:?} is no perpetual, and has no funding")]
    NoFunding {
        /// The instrument.
        name: String,
    },
    /// A price out of bounds.
    #[error("price is {value}, expected {bound} and at most {MAX_PRICE}")]
    Price {
        /// The price.
        value: Decimal,
        /// The lower bound, in words.
        bound: &'static str,
    },
    /// Not whole lots, or too many.
    #[error("{field}: {error}")]
    Lots {
        /// Which amount.
        field: &'static str,
        /// What is wrong.
        error: LotsError,
    },
}

/// Why fills were not applied. For the venue alone: it shows amounts. `index` counts from 0 in its list.
#[derive(Debug, Error)]
pub enum FillError {
    /// More bytes than a fills file may have.
    #[error("fills: {length} bytes are more than the {MAX_FILLS_BYTES} that a fills file may have")]
    TooLarge {
        /// Bytes given.
        length: usize,
    },
    /// Not JSON of the format; the message has line and column.
    #[error("fills: {0}")]
    Json(#[from] serde_json::Error),
    /// Fills of another venue.
    #[error("fills: of venue {found:?}, the account is at {expected:?}")]
    Venue {
        /// The file's.
        found: String,
        /// The account's.
        expected: String,
    },
    /// It moves nothing.
    #[error("fills: {list}[{index}]: {error}")]
    Move {
        /// `fills` or `transfers`.
        list: &'static str,
        /// Its place there.
        index: usize,
        /// What is wrong.
        error: MoveError,
    },
    /// The account would leave its range.
    #[error("fills: {list}[{index}]: {error}")]
    Account {
        /// `fills` or `transfers`.
        list: &'static str,
        /// Its place there.
        index: usize,
        /// What is wrong.
        error: RunningError,
    },
}

/// What a trade or transfer does to one pair of legs: signed lots, and the name of the line for errors. Secret.
pub(crate) struct Move {
    pub(crate) name: String,
    pub(crate) pair: Pair,
    pub(crate) lots: i64,
}

impl Fills {
    /// Reads a fills file.
    ///
    /// # Errors
    /// [`FillError::TooLarge`] and [`FillError::Json`].
    pub fn from_json(text: &[u8]) -> Result<Fills, FillError> {
        if text.len() > MAX_FILLS_BYTES {
            return Err(FillError::TooLarge { length: text.len() });
        }
        Ok(zkmargin_risk::json::from_slice(text)?)
    }

    /// Applies all fills and transfers, in their order. Returns the number of scalar multiplications, one per leg that moved.
    ///
    /// # Errors
    /// [`FillError`]; the account is then half moved, and is to be thrown away.
    pub fn apply(
        &self,
        universe: &Universe,
        parameters: &Parameters,
        account: &mut RunningAccount,
    ) -> Result<usize, FillError> {
        let other = || FillError::Venue {
            found: self.venue.clone(),
            expected: account.venue().to_owned(),
        };
        if self.venue != account.venue() {
            return Err(other());
        }
        let (_, venue) = universe.venue(&self.venue).ok_or_else(other)?;
        let fills = self.fills.iter().map(|fill| fill.moves(venue)).enumerate();
        let fills = fills.map(|(index, moves)| ("fills", index, moves));
        let transfers = self.transfers.iter().map(|transfer| transfer.moves(venue)).enumerate();
        let transfers = transfers.map(|(index, moves)| ("transfers", index, moves));
        let mut moved = 0;
        for (list, index, moves) in fills.chain(transfers) {
            for step in moves.map_err(|error| FillError::Move { list, index, error })? {
                moved += account
                    .shift(universe, parameters, &step.name, step.pair, step.lots)
                    .map_err(|error| FillError::Account { list, index, error })?;
            }
        }
        Ok(moved)
    }
}

fn unknown(venue: &Venue, what: &'static str, name: &str) -> MoveError {
    MoveError::Unknown {
        venue: venue.name.clone(),
        what,
        name: name.to_owned(),
    }
}

/// An instrument of the venue, and the asset that it settles in.
fn settled<'a>(venue: &'a Venue, name: &str) -> Result<(&'a Instrument, &'a Asset), MoveError> {
    let instrument = venue.instrument(name);
    let instrument = instrument.ok_or_else(|| unknown(venue, "instrument", name))?;
    let asset = venue.settlement_of(instrument);
    Ok((
        instrument,
        asset.ok_or_else(|| unknown(venue, "asset", &instrument.settlement))?,
    ))
}

impl Fill {
    /// What it does to the legs of an account at `venue`.
    pub(crate) fn moves(&self, venue: &Venue) -> Result<Vec<Move>, MoveError> {
        let not_lots = |field| move |error| MoveError::Lots { field, error };
        let (instrument, asset) = settled(venue, &self.instrument)?;
        if self.contracts.is_zero() {
            return Err(MoveError::NoContracts { value: self.contracts });
        }
        let is_carried = instrument.kind.is_carried();
        let is_low = if is_carried {
            self.price <= Decimal::ZERO
        } else {
            self.price < Decimal::ZERO
        };
        if is_low || self.price > MAX_PRICE {
            let bound = if is_carried { "above 0" } else { "at least 0" };
            return Err(MoveError::Price {
                value: self.price,
                bound,
            });
        }
        let mut moves = vec![Move {
            name: instrument.name.clone(),
            pair: instrument.pair(),
            lots: lots(self.contracts, instrument.lot).map_err(not_lots("contracts"))?,
        }];
        let mut cash = -to_ratio(self.fee);
        if is_carried {
            let pair = asset
                .carry
                .ok_or_else(|| unknown(venue, "carry of asset", &instrument.settlement))?;
            let carry = carry(instrument, self.contracts, self.price).unwrap_or_default();
            moves.push(Move {
                name: asset.label(),
                pair,
                lots: lots_rounded_down(&carry, asset.lot).map_err(not_lots("carry"))?,
            });
        } else {
            cash -= to_ratio(self.contracts) * to_ratio(instrument.contract) * to_ratio(self.price);
        }
        moves.push(Move {
            name: asset.label(),
            pair: asset.pair(),
            lots: lots_rounded_down(&cash, asset.lot).map_err(not_lots("premium and fee"))?,
        });
        Ok(moves)
    }
}

impl Transfer {
    /// What it does to the legs of an account at `venue`.
    pub(crate) fn moves(&self, venue: &Venue) -> Result<Vec<Move>, MoveError> {
        let asset = venue.asset(&self.asset, None);
        paid(asset.ok_or_else(|| unknown(venue, "asset", &self.asset))?, self.amount)
    }
}

impl Funding {
    /// What it does to the legs of an account at `venue`.
    pub(crate) fn moves(&self, venue: &Venue) -> Result<Vec<Move>, MoveError> {
        let (instrument, asset) = settled(venue, &self.instrument)?;
        match instrument.kind {
            Kind::Perpetual => paid(asset, self.amount),
            _ => Err(MoveError::NoFunding {
                name: instrument.name.clone(),
            }),
        }
    }
}

/// A payment in whole lots of an asset.
fn paid(asset: &Asset, amount: Decimal) -> Result<Vec<Move>, MoveError> {
    let field = "amount";
    Ok(vec![Move {
        name: asset.label(),
        pair: asset.pair(),
        lots: lots(amount, asset.lot).map_err(|error| MoveError::Lots { field, error })?,
    }])
}
