//! What a venue lists: instruments and assets, and the legs that they stand on.

use std::collections::BTreeMap;
use std::ops::Range;

use rust_decimal::Decimal;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use zkmargin_program::{LegId, Pair};

use super::check::asset_label;
use super::sensitivity::Sensitivity;
use crate::instant::Instant;

/// Call or put.
#[derive(Copy, Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Right {
    /// The right to buy.
    Call,
    /// The right to sell.
    Put,
}

/// What kind of instrument, with the terms that belong to the kind.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase", deny_unknown_fields)]
pub enum Kind {
    /// A European option.
    Option {
        /// When it expires and is settled.
        expiry: Instant,
        /// Strike in USD per unit of the underlying.
        #[serde(with = "crate::amount")]
        #[schemars(with = "String")]
        strike: Decimal,
        /// Call or put.
        right: Right,
    },
    /// A dated future.
    Future {
        /// When it expires and is settled.
        expiry: Instant,
    },
    /// A perpetual future.
    Perpetual,
    /// A sensitivity to a risk factor: a contract is an amount of USD of it. It has no price; a model of sensitivities says what
    /// it counts. Its `underlying` is the product class that it is margined in.
    Sensitivity(Box<Sensitivity>),
}

impl Kind {
    /// When it expires; `None` for a perpetual and a sensitivity.
    pub const fn expiry(&self) -> Option<Instant> {
        match self {
            Kind::Option { expiry, .. } | Kind::Future { expiry } => Some(*expiry),
            Kind::Perpetual | Kind::Sensitivity(_) => None,
        }
    }

    /// Whether positions are carried at a price (futures and perpetuals), so that the settlement asset needs carry
    /// legs.
    pub const fn is_carried(&self) -> bool {
        matches!(self, Kind::Future { .. } | Kind::Perpetual)
    }
}

/// What the contract size counts and what is paid.
#[derive(Copy, Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Style {
    /// The contract is an amount of the underlying; value `contract × price` in a settlement asset that counts as the
    /// quote currency.
    Linear,
    /// Settled in the underlying coin itself. Option: the contract is an amount of the underlying, its premium a
    /// fraction of a coin per unit. Future and perpetual: the contract is an amount of USD, `N`, worth `N/F` coins at
    /// the price `F`.
    Inverse,
}

/// Something that is traded at one venue. Two venues' listings on the same terms are two instruments on one underlying.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Instrument {
    /// Its name, unique within its venue: `BTC-28AUG26-70000-C`.
    pub name: String,
    /// What it is on: a name among a snapshot's underlyings.
    pub underlying: String,
    /// Option, future, perpetual.
    pub kind: Kind,
    /// Linear or inverse.
    pub style: Style,
    /// The asset of its venue that it settles in; the underlying itself if inverse.
    pub settlement: String,
    /// Size of one contract: units of the underlying, or USD for inverse futures and perpetuals and for sensitivities.
    pub contract: Decimal,
    /// Contracts per lot.
    pub lot: Decimal,
    /// The leg that counts lots held long.
    pub long: LegId,
    /// The leg that counts lots held short.
    pub short: LegId,
}

impl Instrument {
    /// Long and short.
    pub const fn pair(&self) -> Pair {
        Pair {
            first: self.long,
            second: self.short,
        }
    }
}

/// Money or a coin at one venue, for the whole account or for one isolated position.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Asset {
    /// Its name: `BTC`, `USDC`.
    pub name: String,
    /// The instrument whose isolated position this belongs to; `None` for the account's cross margin.
    pub isolated: Option<String>,
    /// Coins per lot.
    pub lot: Decimal,
    /// The leg that counts what is held.
    pub balance: LegId,
    /// The leg that counts what is owed.
    pub debt: LegId,
    /// Carry credit (first) and carry debit (second) of futures and perpetuals that settle in it.
    pub carry: Option<Pair>,
    /// What is set aside for open orders, fees and funding due.
    pub reserve: Option<LegId>,
}

impl Asset {
    /// Balance and debt.
    pub const fn pair(&self) -> Pair {
        Pair {
            first: self.balance,
            second: self.debt,
        }
    }

    /// Debt, carry and reserve, in row order: what must be empty where the asset does not count.
    pub fn all_but_balance(&self) -> Vec<LegId> {
        let carry = self.carry.iter().flat_map(|pair| [pair.first, pair.second]);
        [self.debt].into_iter().chain(carry).chain(self.reserve).collect()
    }

    /// `USDC`, or `USDC isolated in BTC-PERPETUAL`.
    pub fn label(&self) -> String {
        asset_label(&self.name, self.isolated.as_deref())
    }
}

/// One line of a venue.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Line {
    /// Something traded.
    Instrument(Instrument),
    /// Money or a coin.
    Asset(Asset),
}

impl Line {
    /// The line's legs, in row order.
    pub fn legs(&self) -> Vec<LegId> {
        match self {
            Line::Instrument(instrument) => vec![instrument.long, instrument.short],
            Line::Asset(asset) => [asset.balance].into_iter().chain(asset.all_but_balance()).collect(),
        }
    }

    pub(super) fn pairs(&self) -> impl Iterator<Item = Pair> {
        let (pair, carry) = match self {
            Line::Instrument(instrument) => (instrument.pair(), None),
            Line::Asset(asset) => (asset.pair(), asset.carry),
        };
        [pair].into_iter().chain(carry)
    }
}

/// A venue: whose word is taken for the legs of its columns, and for no others.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Venue {
    /// Its name, unique in the universe.
    pub name: String,
    /// Its Ed25519 public keys, at least one. Here they are 32 bytes: who verifies a signature checks that they are
    /// keys.
    pub keys: Vec<[u8; 32]>,
    /// Its columns.
    pub columns: Range<usize>,
    /// What it lists, in row order.
    pub lines: Vec<Line>,
}

impl Venue {
    /// Its instruments, in row order.
    pub fn instruments(&self) -> impl Iterator<Item = &Instrument> {
        self.lines.iter().filter_map(|line| match line {
            Line::Instrument(instrument) => Some(instrument),
            Line::Asset(_) => None,
        })
    }

    /// Its assets, in row order.
    pub fn assets(&self) -> impl Iterator<Item = &Asset> {
        self.lines.iter().filter_map(|line| match line {
            Line::Asset(asset) => Some(asset),
            Line::Instrument(_) => None,
        })
    }

    /// The legs of the balances in cross margin, in row order.
    pub(crate) fn cross_balances(&self) -> Vec<LegId> {
        let cross = self.assets().filter(|asset| asset.isolated.is_none());
        cross.map(|asset| asset.balance).collect()
    }

    /// The instrument of this name.
    pub fn instrument(&self, name: &str) -> Option<&Instrument> {
        self.instruments().find(|instrument| instrument.name == name)
    }

    /// The asset of this name, of cross margin or of one isolated position.
    pub fn asset(&self, name: &str, isolated: Option<&str>) -> Option<&Asset> {
        self.assets()
            .find(|asset| asset.name == name && asset.isolated.as_deref() == isolated)
    }

    /// The isolated positions that can be held here, by the names of their instruments: the lines of each, which are the instrument and the
    /// assets that are isolated in it.
    pub fn isolated(&self) -> BTreeMap<&str, Vec<&Line>> {
        let named = self.assets().filter_map(|asset| asset.isolated.as_deref());
        let mut positions: BTreeMap<&str, Vec<&Line>> = named.map(|name| (name, Vec::new())).collect();
        for line in &self.lines {
            let of = match line {
                Line::Instrument(instrument) => Some(instrument.name.as_str()),
                Line::Asset(asset) => asset.isolated.as_deref(),
            };
            if let Some(lines) = of.and_then(|name| positions.get_mut(name)) {
                lines.push(line);
            }
        }
        positions
    }

    /// The asset whose balance, carry and reserve an instrument's cash flows belong to: its isolated position's if
    /// there is one, else that of cross margin. Every instrument of a universe has one.
    pub fn settlement_of(&self, instrument: &Instrument) -> Option<&Asset> {
        self.asset(&instrument.settlement, Some(&instrument.name))
            .or_else(|| self.asset(&instrument.settlement, None))
    }
}
