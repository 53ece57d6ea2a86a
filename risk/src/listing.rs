//! The file form of a universe: what people read, without row numbers, which follow from the order.

use std::fmt;
use std::str::FromStr;

use rust_decimal::Decimal;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use zkmargin_program::{LegId, Pair};

use crate::canonical::{HexError, parse_hex};
use crate::universe::{Asset, Instrument, Kind, Line, Network, Style, Venue};

/// A universe's JSON file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct UniverseFile {
    /// `main` or `test`.
    pub network: Network,
    /// log2 of the rows of a column, 6 to 12.
    pub k: u32,
    /// The venues, in the order of their columns.
    pub venues: Vec<VenueLines>,
}

/// A venue in a universe's file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct VenueLines {
    /// Its name.
    pub name: String,
    /// Its Ed25519 public keys.
    pub keys: Vec<VenueKey>,
    /// What it lists, in row order.
    pub lines: Vec<LineFile>,
}

impl VenueLines {
    /// The file form of a venue.
    pub fn of(venue: &Venue) -> VenueLines {
        VenueLines {
            name: venue.name.clone(),
            keys: venue.keys.iter().copied().map(VenueKey).collect(),
            lines: venue.lines.iter().map(LineFile::of).collect(),
        }
    }
}

/// A venue's Ed25519 public key: 32 bytes, in files 64 hexadecimal digits.
#[derive(Copy, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct VenueKey(pub [u8; 32]);

impl fmt::Display for VenueKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

impl fmt::Debug for VenueKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for VenueKey {
    type Err = HexError;

    fn from_str(text: &str) -> Result<VenueKey, HexError> {
        parse_hex(text).map(VenueKey)
    }
}

impl Serialize for VenueKey {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for VenueKey {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<VenueKey, D::Error> {
        String::deserialize(deserializer)?
            .parse()
            .map_err(serde::de::Error::custom)
    }
}

impl JsonSchema for VenueKey {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "VenueKey".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({"type": "string", "pattern": "^[0-9a-f]{64}$"})
    }
}

/// A line of a venue.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum LineFile {
    /// Something traded.
    Instrument(InstrumentFile),
    /// Money or a coin.
    Asset(AssetFile),
}

/// An instrument in a file: [`Instrument`] without its legs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct InstrumentFile {
    /// Its name, unique within its venue.
    pub name: String,
    /// What it is on.
    pub underlying: String,
    /// Option, future, perpetual.
    pub kind: Kind,
    /// Linear or inverse.
    pub style: Style,
    /// The asset that it settles in.
    pub settlement: String,
    /// Size of one contract: units of the underlying, or USD for inverse futures and perpetuals and for sensitivities.
    #[serde(with = "crate::amount")]
    #[schemars(with = "String")]
    pub contract: Decimal,
    /// Contracts per lot.
    #[serde(with = "crate::amount")]
    #[schemars(with = "String")]
    pub lot: Decimal,
}

/// An asset in a file: [`Asset`] without its legs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AssetFile {
    /// Its name.
    pub name: String,
    /// The instrument whose isolated position this belongs to; absent for cross margin.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub isolated: Option<String>,
    /// Coins per lot.
    #[serde(with = "crate::amount")]
    #[schemars(with = "String")]
    pub lot: Decimal,
    /// Whether futures or perpetuals settle in it, so that it has carry legs.
    #[serde(default)]
    pub carry: bool,
    /// Whether anything settles in it, so that it has a reserve leg.
    #[serde(default)]
    pub reserve: bool,
}

impl LineFile {
    /// The file form of a line.
    pub fn of(line: &Line) -> LineFile {
        match line {
            Line::Instrument(instrument) => LineFile::Instrument(InstrumentFile {
                name: instrument.name.clone(),
                underlying: instrument.underlying.clone(),
                kind: instrument.kind.clone(),
                style: instrument.style,
                settlement: instrument.settlement.clone(),
                contract: instrument.contract,
                lot: instrument.lot,
            }),
            Line::Asset(asset) => LineFile::Asset(AssetFile {
                name: asset.name.clone(),
                isolated: asset.isolated.clone(),
                lot: asset.lot,
                carry: asset.carry.is_some(),
                reserve: asset.reserve.is_some(),
            }),
        }
    }

    /// How many legs, and so rows, it takes: 2 to 5.
    pub const fn legs(&self) -> usize {
        match self {
            LineFile::Instrument(_) => 2,
            LineFile::Asset(asset) => 2 + 2 * asset.carry as usize + asset.reserve as usize,
        }
    }

    /// The line with its legs, the one `offset` rows below its first being `leg(offset)`.
    pub(crate) fn place(&self, leg: impl Fn(u32) -> LegId) -> Line {
        match self {
            LineFile::Instrument(file) => Line::Instrument(Instrument {
                name: file.name.clone(),
                underlying: file.underlying.clone(),
                kind: file.kind.clone(),
                style: file.style,
                settlement: file.settlement.clone(),
                contract: file.contract,
                lot: file.lot,
                long: leg(0),
                short: leg(1),
            }),
            LineFile::Asset(file) => Line::Asset(Asset {
                name: file.name.clone(),
                isolated: file.isolated.clone(),
                lot: file.lot,
                balance: leg(0),
                debt: leg(1),
                carry: file.carry.then(|| Pair {
                    first: leg(2),
                    second: leg(3),
                }),
                reserve: file.reserve.then(|| leg(if file.carry { 4 } else { 2 })),
            }),
        }
    }
}
