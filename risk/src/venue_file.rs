//! Venue files: what a venue lists, in a few lines, and the universe that follows from them and a listing.
//!
//! A venue file names the venue's keys, its assets with their lots, and *classes* of instruments: everything on one
//! underlying that has the same kind, style, contract size, lot and settlement. A class lists either everything of its
//! kind that a snapshot has, or instruments by name.
//!
//! ```json
//! {
//!   "name": "deribit",
//!   "keys": ["…64 hexadecimal digits…"],
//!   "assets": [{"name": "BTC", "lot": "0.00000001"}],
//!   "classes": [
//!     {"underlying": "BTC", "kind": "option", "style": "inverse", "contract": "1", "lot": "0.1", "settlement": "BTC", "list": "all"},
//!     {"underlying": "BTC", "kind": "future", "style": "inverse", "contract": "10", "lot": "1", "settlement": "BTC", "list": ["BTC-28AUG26"]}
//!   ]
//! }
//! ```
//!
//! # Isolated positions
//! An instrument that is held isolated has an asset of its own, `"isolated"` in it. A class with `"isolated": true` has one for each of its
//! instruments, after the venue's other assets, with the lot of the settlement asset in cross margin.

use rust_decimal::Decimal;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::listing::{AssetFile, InstrumentFile, LineFile, UniverseFile, VenueKey, VenueLines};
use crate::market::{Snapshot, UnderlyingMarket};
use crate::symbol::{Symbol, SymbolError};
use crate::universe::{Kind, Network, Right, Style, Universe, UniverseError};

/// A venue's JSON file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct VenueFile {
    /// Its name, unique in a universe.
    pub name: String,
    /// Its Ed25519 public keys.
    pub keys: Vec<VenueKey>,
    /// Its assets. They stand in its first rows.
    pub assets: Vec<VenueAsset>,
    /// Its instruments, in row order.
    pub classes: Vec<Class>,
}

/// An asset in a venue file. Carry and reserve legs follow from what settles in it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct VenueAsset {
    /// Its name.
    pub name: String,
    /// Coins per lot.
    #[serde(with = "crate::amount")]
    #[schemars(with = "String")]
    pub lot: Decimal,
    /// The instrument whose isolated position this belongs to; absent for cross margin. The instrument is then held isolated alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub isolated: Option<String>,
}

/// Instruments on the same terms but for expiry, strike and right.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Class {
    /// What they are on.
    pub underlying: String,
    /// Options, futures or the perpetual.
    pub kind: ClassKind,
    /// Linear or inverse.
    pub style: Style,
    /// Size of one contract: units of the underlying, or USD for inverse futures and perpetuals.
    #[serde(with = "crate::amount")]
    #[schemars(with = "String")]
    pub contract: Decimal,
    /// Contracts per lot.
    #[serde(with = "crate::amount")]
    #[schemars(with = "String")]
    pub lot: Decimal,
    /// The asset that they settle in.
    pub settlement: String,
    /// Which of them.
    pub list: List,
    /// Whether they are held isolated, each with a balance of its own in the settlement asset. Their names end in `-ISOLATED`, so that the
    /// same instruments may be listed for cross margin, too.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub isolated: bool,
}

/// What the names of a class of isolated positions end in.
const ISOLATED: &str = "-ISOLATED";

/// The kind of a class.
#[derive(Copy, Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum ClassKind {
    /// European options.
    Option,
    /// Dated futures.
    Future,
    /// The perpetual future.
    Perpetual,
}

impl ClassKind {
    const fn is_of(self, kind: &Kind) -> bool {
        matches!(
            (self, kind),
            (ClassKind::Option, Kind::Option { .. })
                | (ClassKind::Future, Kind::Future { .. })
                | (ClassKind::Perpetual, Kind::Perpetual)
        )
    }

    /// `option`, `future` or `perpetual`.
    pub const fn word(self) -> &'static str {
        match self {
            ClassKind::Option => "option",
            ClassKind::Future => "future",
            ClassKind::Perpetual => "perpetual",
        }
    }
}

/// Which instruments of a class a venue lists.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged, expecting = "expected \"all\" or an array of instruments' names")]
pub enum List {
    /// Everything of the class that the listing has.
    Word(ListWord),
    /// These, by name ([`crate::symbol`]), whether the listing has them or not.
    Names(Vec<String>),
}

/// The one word a [`List`] may be.
#[derive(Copy, Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum ListWord {
    /// Everything.
    All,
}

/// Why venue files and a listing make no universe.
#[derive(Debug, thiserror::Error)]
pub enum VenueFileError {
    /// Not JSON of the format; the message has line and column.
    #[error("venue file: {0}")]
    Json(#[from] serde_json::Error),
    /// A class lists everything on an underlying that the listing does not have, or nothing of its kind.
    #[error("venue {venue}, class {class}: the listing has no {class}")]
    NothingListed {
        /// The venue.
        venue: String,
        /// Underlying and kind.
        class: String,
    },
    /// A name that says nothing.
    #[error("venue {venue}: {source}")]
    Symbol {
        /// The venue.
        venue: String,
        /// The name.
        source: SymbolError,
    },
    /// A name that does not belong to its class.
    #[error("venue {venue}, class {class}: {name} is not one of this class")]
    OtherClass {
        /// The venue.
        venue: String,
        /// Underlying, kind and style.
        class: String,
        /// The name.
        name: String,
    },
    /// The venues make no universe.
    #[error(transparent)]
    Universe(#[from] UniverseError),
}

impl VenueFile {
    /// Reads a venue's JSON file.
    ///
    /// # Errors
    /// [`VenueFileError::Json`]; everything else is checked by [`Universe::build`].
    pub fn from_json(text: &str) -> Result<VenueFile, VenueFileError> {
        Ok(crate::json::from_str(text)?)
    }

    /// The JSON file: one line of text per class.
    ///
    /// # Errors
    /// [`VenueFileError::Json`], which does not happen.
    pub fn to_json(&self) -> Result<String, VenueFileError> {
        Ok(crate::json::to_text(self, 2)?)
    }

    fn lines(&self, listing: &Snapshot) -> Result<VenueLines, VenueFileError> {
        let (mut assets, mut instruments) = (self.assets.clone(), Vec::new());
        for class in &self.classes {
            let settlement = self
                .assets
                .iter()
                .find(|asset| asset.name == class.settlement && asset.isolated.is_none());
            for symbol in self.symbols(class, listing)? {
                let mut name = symbol.to_string();
                if class.isolated {
                    name += ISOLATED;
                    // Without the asset, the universe is refused.
                    assets.extend(settlement.map(|asset| VenueAsset {
                        isolated: Some(name.clone()),
                        ..asset.clone()
                    }));
                }
                instruments.push(InstrumentFile {
                    name,
                    underlying: symbol.underlying,
                    kind: symbol.kind,
                    style: class.style,
                    settlement: class.settlement.clone(),
                    contract: class.contract,
                    lot: class.lot,
                });
            }
        }
        let assets = assets.iter().map(|asset| {
            let settles = |instrument: &&InstrumentFile| {
                instrument.settlement == asset.name
                    && asset
                        .isolated
                        .as_ref()
                        .is_none_or(|isolated| *isolated == instrument.name)
            };
            LineFile::Asset(AssetFile {
                name: asset.name.clone(),
                isolated: asset.isolated.clone(),
                lot: asset.lot,
                carry: instruments
                    .iter()
                    .filter(settles)
                    .any(|instrument| instrument.kind.is_carried()),
                reserve: instruments.iter().any(|instrument| settles(&instrument)),
            })
        });
        let lines = assets
            .collect::<Vec<_>>()
            .into_iter()
            .chain(instruments.into_iter().map(LineFile::Instrument))
            .collect();
        Ok(VenueLines {
            name: self.name.clone(),
            keys: self.keys.clone(),
            lines,
        })
    }

    fn symbols(&self, class: &Class, listing: &Snapshot) -> Result<Vec<Symbol>, VenueFileError> {
        let words = format!("{} {}", class.underlying, class.kind.word());
        let names = match &class.list {
            List::Names(names) => names,
            List::Word(ListWord::All) => {
                let kinds = listing
                    .underlyings
                    .get(&class.underlying)
                    .map(|market| listed(market, class.kind))
                    .unwrap_or_default();
                if kinds.is_empty() {
                    return Err(VenueFileError::NothingListed {
                        venue: self.name.clone(),
                        class: words,
                    });
                }
                let quoted_in = (class.style == Style::Linear).then(|| class.settlement.clone());
                let symbol = |kind| Symbol {
                    underlying: class.underlying.clone(),
                    quoted_in: quoted_in.clone(),
                    kind,
                };
                return Ok(kinds.into_iter().map(symbol).collect());
            }
        };
        let mut symbols = Vec::new();
        for name in names {
            let symbol: Symbol = name.parse().map_err(|source| VenueFileError::Symbol {
                venue: self.name.clone(),
                source,
            })?;
            let quoted = match class.style {
                Style::Inverse => symbol.quoted_in.is_none(),
                Style::Linear => symbol.quoted_in.as_ref().is_none_or(|quote| *quote == class.settlement),
            };
            if symbol.underlying != class.underlying || !class.kind.is_of(&symbol.kind) || !quoted {
                let class = format!("{words} {:?}", class.style).to_lowercase();
                return Err(VenueFileError::OtherClass {
                    venue: self.name.clone(),
                    class,
                    name: name.clone(),
                });
            }
            symbols.push(symbol);
        }
        Ok(symbols)
    }
}

/// Everything of a kind that a market has: by expiry, then strike, the call before the put.
fn listed(market: &UnderlyingMarket, kind: ClassKind) -> Vec<Kind> {
    match kind {
        ClassKind::Perpetual => market.perpetual.iter().map(|_| Kind::Perpetual).collect(),
        ClassKind::Future => market
            .futures
            .keys()
            .map(|expiry| Kind::Future { expiry: *expiry })
            .collect(),
        ClassKind::Option => {
            let mut kinds = Vec::new();
            for (expiry, chain) in &market.expiries {
                for (strike, options) in &chain.strikes {
                    let sides = [(Right::Call, &options.call), (Right::Put, &options.put)];
                    let (expiry, strike) = (*expiry, *strike);
                    kinds.extend(
                        sides
                            .iter()
                            .filter(|(_, quote)| quote.is_some())
                            .map(|(right, _)| Kind::Option {
                                expiry,
                                strike,
                                right: *right,
                            }),
                    );
                }
            }
            kinds
        }
    }
}

impl Universe {
    /// The universe of these venues, in this order, with everything of their classes that the listing has; without a `k`, at the one
    /// that [suits](Universe::at_suitable_k).
    ///
    /// # Errors
    /// [`VenueFileError`].
    pub fn build(
        network: Network,
        k: Option<u32>,
        venues: &[VenueFile],
        listing: &Snapshot,
    ) -> Result<Universe, VenueFileError> {
        let venues = venues
            .iter()
            .map(|venue| venue.lines(listing))
            .collect::<Result<_, _>>()?;
        let mut file = UniverseFile { network, k: 0, venues };
        match k {
            Some(k) => {
                file.k = k;
                Ok(Universe::from_file(&file)?)
            }
            None => Ok(Universe::at_suitable_k(file)?),
        }
    }
}
