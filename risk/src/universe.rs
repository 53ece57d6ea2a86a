//! What there is to hold, where it is held, and in which row of which column it stands (protocol §2).
//!
//! # Legs
//! A venue has whole columns of its own. Its lines stand in them in order; each takes adjacent rows of one column:
//!
//! | line | legs |
//! |---|---|
//! | instrument | long, short |
//! | asset | balance, debt; then carry credit, carry debit, if futures or perpetuals settle in it; then reserve, if anything settles in it |
//!
//! A line that does not fit into what is left of a column starts the next one. So the file needs no row numbers, and a
//! line that is added at the end ([`Universe::extend`]) moves no row. Column `c`, row `r` is slot `c·u + r` of an
//! account vector, `u = 2^k - 16`.

mod check;
mod line;
mod sensitivity;

use std::collections::BTreeSet;

use rust_decimal::Decimal;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use zkmargin_program::{Layout, LayoutError, LegId, RESERVED_ROWS, suitable_k};

/// The bounds of a universe are those of its layout.
pub use zkmargin_program::{K_RANGE, MAX_COLUMNS};

pub use check::UniverseError;
pub(crate) use check::{asset_label, is_name};
pub use line::{Asset, Instrument, Kind, Line, Right, Style, Venue};
pub use sensitivity::{RiskType, Sensitivity};

use crate::canonical::{Digest, Personal, Writer, digest};
use crate::listing::{LineFile, UniverseFile, VenueLines};
use check::{check_count, check_lines, check_name, distinct};

/// Most signing keys of a venue.
pub const MAX_KEYS: usize = 16;
/// Most bytes of a name.
pub const MAX_NAME_BYTES: usize = 64;
/// Largest contract size, lot and strike.
pub const MAX_TERM: Decimal = Decimal::from_parts(1_000_000_000, 0, 0, false, 0);

/// Version of the canonical form of a universe.
const FORMAT: u64 = 1;

/// Which network a universe belongs to; the two have nothing in common.
#[derive(Copy, Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Network {
    /// Real venues and real keys.
    Main,
    /// Everything else: examples, rehearsals, tests.
    Test,
}

impl Network {
    /// The number by which statements, attestations and universes name the network: 0 main, 1 test.
    pub const fn code(self) -> u64 {
        match self {
            Network::Main => 0,
            Network::Test => 1,
        }
    }

    /// The network of a number.
    pub const fn from_code(code: u64) -> Option<Network> {
        match code {
            0 => Some(Network::Main),
            1 => Some(Network::Test),
            _ => None,
        }
    }
}

/// A public list of venues and what they list, and the layout of account vectors that follows from it.
///
/// Made from a file ([`Universe::from_json`]) or from venue files and a listing ([`Universe::build`]); either way
/// everything that [`UniverseError`] names has been checked.
#[derive(Clone, Debug)]
pub struct Universe {
    network: Network,
    k: u32,
    venues: Vec<Venue>,
    layout: Layout,
}

impl PartialEq for Universe {
    fn eq(&self, other: &Universe) -> bool {
        // The layout is a function of the rest.
        (self.network, self.k) == (other.network, other.k) && self.venues == other.venues
    }
}

impl Eq for Universe {}

impl Universe {
    /// The universe of a file at the `k` that [suits](suitable_k) the number of its legs, whatever `k` the file has.
    ///
    /// # Errors
    /// [`UniverseError`].
    pub fn at_suitable_k(file: UniverseFile) -> Result<Universe, UniverseError> {
        let columns = |k| {
            let rows = (1_usize << k) - RESERVED_ROWS as usize;
            let place = |column, venue| place_lines(venue, column, rows).columns.end;
            Some(file.venues.iter().fold(0, place))
        };
        let k = suitable_k(columns);
        Universe::from_file(&UniverseFile { k, ..file })
    }

    /// Checks a universe's file and places its legs.
    ///
    /// # Errors
    /// [`UniverseError`].
    pub fn from_file(file: &UniverseFile) -> Result<Universe, UniverseError> {
        if !K_RANGE.contains(&file.k) {
            return Err(UniverseError::K(file.k));
        }
        check_count("universe", "venues", file.venues.len(), 1..=MAX_COLUMNS, "1 to 256")?;
        let rows = (1_usize << file.k) - RESERVED_ROWS as usize;
        let (mut names, mut keys) = (BTreeSet::new(), BTreeSet::new());
        let mut venues: Vec<Venue> = Vec::new();
        let mut column = 0;
        for venue in &file.venues {
            check_name("universe", &venue.name)?;
            distinct(&mut names, venue.name.as_str(), "universe", "venue")?;
            let place = format!("venue {}", venue.name);
            check_count(&place, "keys", venue.keys.len(), 1..=MAX_KEYS, "1 to 16")?;
            check_count(
                &place,
                "lines",
                venue.lines.len(),
                1..=MAX_COLUMNS * rows,
                "at least 1, and no more than fit",
            )?;
            for key in &venue.keys {
                // Of another venue just as well: a key stands for one venue.
                distinct(&mut keys, key.to_string(), &place, "key")?;
            }
            let venue = place_lines(venue, column, rows);
            check_lines(&venue)?;
            column = venue.columns.end;
            venues.push(venue);
        }
        if column > MAX_COLUMNS {
            return Err(UniverseError::Columns { columns: column, rows });
        }
        let layout = layout(file.k, &venues)?;
        Ok(Universe {
            network: file.network,
            k: file.k,
            venues,
            layout,
        })
    }

    /// This universe as a file.
    pub fn to_file(&self) -> UniverseFile {
        UniverseFile {
            network: self.network,
            k: self.k,
            venues: self.venues.iter().map(VenueLines::of).collect(),
        }
    }

    /// Reads a universe's JSON file.
    ///
    /// # Errors
    /// [`UniverseError`].
    pub fn from_json(text: &str) -> Result<Universe, UniverseError> {
        if text.len() > crate::json::MAX_BYTES {
            return Err(UniverseError::Size { bytes: text.len() });
        }
        Universe::from_file(&crate::json::from_str(text)?)
    }

    /// The JSON file: one line of text per line of a venue.
    ///
    /// # Errors
    /// [`UniverseError::Json`], which does not happen.
    pub fn to_json(&self) -> Result<String, UniverseError> {
        // Universe, venues, venue, lines: a line of the file per line of the venue.
        Ok(crate::json::to_text(&self.to_file(), 4)?)
    }

    /// A new version with further lines at the end of one venue. No row moves: a leg keeps its row, and its column
    /// counted from the first of its venue. (If the venue needs another column, those of later venues are numbered
    /// higher as a whole.)
    ///
    /// # Errors
    /// [`UniverseError`].
    pub fn extend(&self, venue: &str, lines: &[LineFile]) -> Result<Universe, UniverseError> {
        let mut file = self.to_file();
        let found = file.venues.iter_mut().find(|listed| listed.name == venue);
        let found = found.ok_or_else(|| UniverseError::UnknownVenue(venue.to_owned()))?;
        found.lines.extend_from_slice(lines);
        Universe::from_file(&file)
    }

    /// The network.
    pub const fn network(&self) -> Network {
        self.network
    }

    /// log2 of the rows of a column.
    pub const fn k(&self) -> u32 {
        self.k
    }

    /// The venues, in the order of their columns.
    pub fn venues(&self) -> &[Venue] {
        &self.venues
    }

    /// The layout of account vectors. A column's owner is the index of its venue in [`venues`](Self::venues).
    pub const fn layout(&self) -> &Layout {
        &self.layout
    }

    /// The venue of this name and its index.
    pub fn venue(&self, name: &str) -> Option<(usize, &Venue)> {
        self.venues.iter().enumerate().find(|(_, venue)| venue.name == name)
    }

    /// The instrument of this name at a venue.
    pub fn lookup(&self, venue: &str, instrument: &str) -> Option<&Instrument> {
        self.venue(venue)?.1.instrument(instrument)
    }

    /// All instruments with their venues, in row order.
    pub fn instruments(&self) -> impl Iterator<Item = (&Venue, &Instrument)> {
        self.venues
            .iter()
            .flat_map(|venue| venue.instruments().map(move |instrument| (venue, instrument)))
    }

    /// All assets with their venues, in row order.
    pub fn assets(&self) -> impl Iterator<Item = (&Venue, &Asset)> {
        self.venues
            .iter()
            .flat_map(|venue| venue.assets().map(move |asset| (venue, asset)))
    }

    /// The canonical bytes, of which [`digest`](Self::digest) is the digest:
    /// `[1, network, k, u, [[name, [key…], [line…]]…]]`, a line being `[0, name, underlying, kind, style, settlement,
    /// contract, lot]` or `[1, name, [isolated]?, lot, carry, reserve]`, a kind `[0, expiry, strike, right]`,
    /// `[1, expiry]` or `[2]`, instants in milliseconds; style 0 linear, 1 inverse; right 0 call, 1 put. Rows follow
    /// from the order of the lines.
    pub fn canonical(&self) -> Vec<u8> {
        let mut writer = Writer::new();
        writer.array(5);
        writer.uint(FORMAT);
        writer.uint(self.network.code());
        writer.uint(self.k.into());
        writer.uint(self.layout.rows() as u64);
        writer.list(self.venues.iter(), |w, venue| {
            w.array(3);
            w.text(&venue.name);
            w.list(venue.keys.iter(), |w, key| w.bytes(key));
            w.list(venue.lines.iter(), write_line);
        });
        writer.into_bytes()
    }

    /// The digest by which statements, attestations and policies name this universe.
    pub fn digest(&self) -> Digest {
        digest(Personal::Universe, &self.canonical())
    }
}

fn write_line(w: &mut Writer, line: &Line) {
    match line {
        Line::Instrument(instrument) => {
            w.array(8);
            w.uint(0);
            w.text(&instrument.name);
            w.text(&instrument.underlying);
            match &instrument.kind {
                Kind::Option { expiry, strike, right } => {
                    w.array(4);
                    w.uint(0);
                    w.uint(expiry.millis());
                    w.decimal(*strike);
                    w.uint(u64::from(*right == Right::Put));
                }
                Kind::Future { expiry } => {
                    w.array(2);
                    w.uint(1);
                    w.uint(expiry.millis());
                }
                Kind::Perpetual => {
                    w.array(1);
                    w.uint(2);
                }
                Kind::Sensitivity(sensitivity) => {
                    w.array(6);
                    w.uint(3);
                    w.text(sensitivity.risk_type.word());
                    for (_, text) in sensitivity.texts() {
                        w.text(text);
                    }
                }
            }
            w.uint(u64::from(instrument.style == Style::Inverse));
            w.text(&instrument.settlement);
            w.decimal(instrument.contract);
            w.decimal(instrument.lot);
        }
        Line::Asset(asset) => {
            w.array(6);
            w.uint(1);
            w.text(&asset.name);
            w.option(asset.isolated.as_deref(), Writer::text);
            w.decimal(asset.lot);
            w.flag(asset.carry.is_some());
            w.flag(asset.reserve.is_some());
        }
    }
}

/// Places a venue's lines in rows, from the first row of `column` on.
fn place_lines(venue: &VenueLines, column: usize, rows: usize) -> Venue {
    let first = column;
    let (mut column, mut row) = (column, 0);
    let mut lines = Vec::with_capacity(venue.lines.len());
    for line in &venue.lines {
        let count = line.legs();
        if row + count > rows {
            (column, row) = (column + 1, 0);
        }
        // A leg beyond u32 is beyond MAX_COLUMNS, too, and refused there.
        let slot = u32::try_from(column * rows + row).unwrap_or(u32::MAX - 8);
        lines.push(line.place(|offset| LegId::new(slot + offset)));
        row += count;
    }
    let keys = venue.keys.iter().map(|key| key.0).collect();
    Venue {
        name: venue.name.clone(),
        keys,
        columns: first..column + 1,
        lines,
    }
}

fn layout(k: u32, venues: &[Venue]) -> Result<Layout, LayoutError> {
    let owners = venues
        .iter()
        .zip(0_u16..)
        .flat_map(|(venue, index)| venue.columns.clone().map(move |_| index));
    let lines = || venues.iter().flat_map(|venue| &venue.lines);
    Layout::new(
        k,
        owners.collect(),
        lines().flat_map(Line::legs).collect(),
        lines().flat_map(Line::pairs).collect(),
    )
}
