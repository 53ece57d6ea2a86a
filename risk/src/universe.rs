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
//! A line that does not fit into what is left of a column starts the next one. So the file needs no row numbers, and a line
//! that is added at the end ([`Universe::extend`]) moves no row. Column `c`, row `r` is slot `c·u + r` of an account vector,
//! `u = 2^k - 16`.

use std::collections::BTreeSet;
use std::ops::Range;

use rust_decimal::Decimal;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use unicode_normalization::is_nfc;
use zkmargin_program::{LegId, Layout, LayoutError, Pair, RESERVED_ROWS};

use crate::canonical::{Digest, Personal, Writer, digest};
use crate::instant::Instant;
use crate::listing::{LineFile, UniverseFile, VenueLines};
use crate::symbol::Symbol;

/// `k` of a universe if nothing else is wanted: columns of 2^9 rows.
pub const DEFAULT_K: u32 = 9;
/// The `k` a universe may have.
pub const K_RANGE: std::ops::RangeInclusive<u32> = 6..=12;
/// Most columns of a universe.
pub const MAX_COLUMNS: usize = 256;
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
#[derive(Copy, Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
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
}

impl Kind {
    /// When it expires; `None` for a perpetual.
    pub const fn expiry(&self) -> Option<Instant> {
        match self {
            Kind::Option { expiry, .. } | Kind::Future { expiry } => Some(*expiry),
            Kind::Perpetual => None,
        }
    }

    /// Whether positions are carried at a price (futures and perpetuals), so that the settlement asset needs carry legs.
    pub const fn is_carried(&self) -> bool {
        !matches!(self, Kind::Option { .. })
    }
}

/// What the contract size counts and what is paid.
#[derive(Copy, Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Style {
    /// The contract is an amount of the underlying; value `contract × price` in a settlement asset that counts as the quote currency.
    Linear,
    /// Settled in the underlying coin itself. Option: the contract is an amount of the underlying, its premium a fraction of a
    /// coin per unit. Future and perpetual: the contract is an amount of USD, `N`, worth `N/F` coins at the price `F`.
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
    /// Size of one contract: units of the underlying, or USD for inverse futures and perpetuals.
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
        Pair { first: self.long, second: self.short }
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
        Pair { first: self.balance, second: self.debt }
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
            Line::Asset(asset) => {
                let carry = asset.carry.iter().flat_map(|pair| [pair.first, pair.second]);
                [asset.balance, asset.debt].into_iter().chain(carry).chain(asset.reserve).collect()
            }
        }
    }

    fn pairs(&self) -> impl Iterator<Item = Pair> {
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
    /// Its Ed25519 public keys, at least one. Here they are 32 bytes: who verifies a signature checks that they are keys.
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

    /// The instrument of this name.
    pub fn instrument(&self, name: &str) -> Option<&Instrument> {
        self.instruments().find(|instrument| instrument.name == name)
    }

    /// The asset of this name, of cross margin or of one isolated position.
    pub fn asset(&self, name: &str, isolated: Option<&str>) -> Option<&Asset> {
        self.assets().find(|asset| asset.name == name && asset.isolated.as_deref() == isolated)
    }

    /// The asset whose balance, carry and reserve an instrument's cash flows belong to: its isolated position's if there is
    /// one, else that of cross margin. Every instrument of a universe has one.
    pub fn settlement_of(&self, instrument: &Instrument) -> Option<&Asset> {
        self.asset(&instrument.settlement, Some(&instrument.name)).or_else(|| self.asset(&instrument.settlement, None))
    }
}

/// A public list of venues and what they list, and the layout of account vectors that follows from it.
///
/// Made from a file ([`Universe::from_json`]) or from venue files and a listing ([`Universe::build`]); either way everything
/// that [`UniverseError`] names has been checked.
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

/// Why something is not a universe. `venue` is a venue's name, `line` an instrument's or asset's.
#[derive(Debug, thiserror::Error)]
pub enum UniverseError {
    /// Not JSON of the format; the message has line and column.
    #[error("universe: {0}")]
    Json(#[from] serde_json::Error),
    /// A file larger than is read.
    #[error("universe: {bytes} bytes, at most {} are read", crate::json::MAX_BYTES)]
    Size {
        /// Its size.
        bytes: usize,
    },
    /// `k` out of bounds.
    #[error("universe: k is {0}, expected 6 to 12")]
    K(u32),
    /// No venue at all, or one without lines or keys, or with too many keys.
    #[error("{place}: {count} {what}, expected {bound}")]
    Count {
        /// Where.
        place: String,
        /// Of what.
        what: &'static str,
        /// How many.
        count: usize,
        /// The bound, in words.
        bound: &'static str,
    },
    /// A name that is empty, too long, not in NFC, or contains white space, control characters, `:` or `,`.
    #[error("{place}: `{name}` is not a name: 1 to 64 bytes in NFC, without white space, control characters, `:` and `,`")]
    Name {
        /// Where.
        place: String,
        /// The name.
        name: String,
    },
    /// Something is there twice.
    #[error("{place}: {what} `{name}` occurs twice")]
    Duplicate {
        /// Where.
        place: String,
        /// Venue, instrument, asset or key.
        what: &'static str,
        /// Which.
        name: String,
    },
    /// A contract size, lot or strike that is not positive, or absurd.
    #[error("venue {venue}, {line}: {field} is {value}, expected above 0 and at most {MAX_TERM}")]
    Term {
        /// Where.
        venue: String,
        /// Where.
        line: String,
        /// `contract`, `lot` or `strike`.
        field: &'static str,
        /// Its value.
        value: Decimal,
    },
    /// The settlement asset is not listed at the venue, or lacks the legs that settlement needs, or is not the coin itself.
    #[error("venue {venue}, {line}: settles in {asset}, which {problem}")]
    Settlement {
        /// Where.
        venue: String,
        /// The instrument.
        line: String,
        /// The settlement asset.
        asset: String,
        /// What is wrong.
        problem: &'static str,
    },
    /// An asset for the isolated position of an instrument that the venue does not list.
    #[error("venue {venue}, {line}: the venue lists no such instrument")]
    Isolated {
        /// Where.
        venue: String,
        /// The asset.
        line: String,
    },
    /// The name says something else than the terms.
    #[error("venue {venue}, {line}: the name says {said}, the terms say otherwise")]
    NameAgainstTerms {
        /// Where.
        venue: String,
        /// The instrument.
        line: String,
        /// What the name says.
        said: String,
    },
    /// More legs than fit.
    #[error("universe: {columns} columns of {rows} legs are needed, at most {MAX_COLUMNS} fit: take a larger k")]
    Columns {
        /// How many would be needed.
        columns: usize,
        /// Legs per column.
        rows: usize,
    },
    /// A venue that is to be extended is not in the universe.
    #[error("the universe has no venue `{0}`")]
    UnknownVenue(String),
    /// The layout was refused; cannot happen after the checks above.
    #[error("universe: {0}")]
    Layout(#[from] LayoutError),
}

impl Universe {
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
            check_count(&place, "lines", venue.lines.len(), 1..=MAX_COLUMNS * rows, "at least 1, and no more than fit")?;
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
        Ok(Universe { network: file.network, k: file.k, venues, layout })
    }

    /// This universe as a file.
    pub fn to_file(&self) -> UniverseFile {
        UniverseFile { network: self.network, k: self.k, venues: self.venues.iter().map(VenueLines::of).collect() }
    }

    /// Reads a universe's JSON file.
    ///
    /// # Errors
    /// [`UniverseError`].
    pub fn from_json(text: &str) -> Result<Universe, UniverseError> {
        if text.len() > crate::json::MAX_BYTES {
            return Err(UniverseError::Size { bytes: text.len() });
        }
        Universe::from_file(&serde_json::from_str(text)?)
    }

    /// The JSON file: one line of text per line of a venue.
    ///
    /// # Errors
    /// [`UniverseError::Json`], which does not happen.
    pub fn to_json(&self) -> Result<String, UniverseError> {
        // Universe, venues, venue, lines: a line of the file per line of the venue.
        Ok(crate::json::to_text(&self.to_file(), 4)?)
    }

    /// A new version with further lines at the end of one venue. No row moves: a leg keeps its row, and its column counted from
    /// the first of its venue. (If the venue needs another column, those of later venues are numbered higher as a whole.)
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
        self.venues.iter().flat_map(|venue| venue.instruments().map(move |instrument| (venue, instrument)))
    }

    /// All assets with their venues, in row order.
    pub fn assets(&self) -> impl Iterator<Item = (&Venue, &Asset)> {
        self.venues.iter().flat_map(|venue| venue.assets().map(move |asset| (venue, asset)))
    }

    /// The canonical bytes, of which [`digest`](Self::digest) is the digest:
    /// `[1, network, k, [[name, [key…], [line…]]…]]`, a line being `[0, name, underlying, kind, style, settlement, contract, lot]` or
    /// `[1, name, [isolated]?, lot, carry, reserve]`, a kind `[0, expiry, strike, right]`, `[1, expiry]` or `[2]`, instants in milliseconds;
    /// style 0 linear, 1 inverse; right 0 call, 1 put. Rows follow from the order of the lines.
    pub fn canonical(&self) -> Vec<u8> {
        let mut writer = Writer::new();
        writer.array(4);
        writer.uint(FORMAT);
        writer.uint(self.network.code());
        writer.uint(self.k.into());
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
            match instrument.kind {
                Kind::Option { expiry, strike, right } => {
                    w.array(4);
                    w.uint(0);
                    w.uint(expiry.millis());
                    w.decimal(strike);
                    w.uint(u64::from(right == Right::Put));
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
    Venue { name: venue.name.clone(), keys, columns: first..column + 1, lines }
}

fn layout(k: u32, venues: &[Venue]) -> Result<Layout, LayoutError> {
    let owners = venues.iter().zip(0_u16..).flat_map(|(venue, index)| venue.columns.clone().map(move |_| index));
    let lines = || venues.iter().flat_map(|venue| &venue.lines);
    Layout::new(k, owners.collect(), lines().flat_map(Line::legs).collect(), lines().flat_map(Line::pairs).collect())
}

fn check_lines(venue: &Venue) -> Result<(), UniverseError> {
    let place = format!("venue {}", venue.name);
    let mut instruments: BTreeSet<&str> = BTreeSet::new();
    let mut assets = BTreeSet::new();
    for instrument in venue.instruments() {
        check_name(&place, &instrument.name)?;
        check_name(&format!("{place}, {}", instrument.name), &instrument.underlying)?;
        distinct(&mut instruments, instrument.name.as_str(), &place, "instrument")?;
    }
    for asset in venue.assets() {
        check_name(&place, &asset.name)?;
        distinct(&mut assets, asset.label(), &place, "asset")?;
        check_term(venue, &asset.name, "lot", asset.lot)?;
        if asset.isolated.as_deref().is_some_and(|instrument| !instruments.contains(instrument)) {
            return Err(UniverseError::Isolated { venue: venue.name.clone(), line: asset.label() });
        }
    }
    for instrument in venue.instruments() {
        check_term(venue, &instrument.name, "contract", instrument.contract)?;
        check_term(venue, &instrument.name, "lot", instrument.lot)?;
        if let Kind::Option { strike, .. } = instrument.kind {
            check_term(venue, &instrument.name, "strike", strike)?;
        }
        check_settlement(venue, instrument)?;
        if let Ok(symbol) = instrument.name.parse::<Symbol>() {
            if (symbol.underlying.as_str(), symbol.kind) != (instrument.underlying.as_str(), instrument.kind) {
                let said = format!("{} {:?}", symbol.underlying, symbol.kind);
                return Err(UniverseError::NameAgainstTerms { venue: venue.name.clone(), line: instrument.name.clone(), said });
            }
        }
    }
    Ok(())
}

fn check_settlement(venue: &Venue, instrument: &Instrument) -> Result<(), UniverseError> {
    let problem = match venue.settlement_of(instrument) {
        None => "is not an asset of the venue",
        Some(_) if instrument.style == Style::Inverse && instrument.settlement != instrument.underlying => {
            "is not the underlying of this inverse instrument"
        }
        Some(asset) if instrument.kind.is_carried() && asset.carry.is_none() => "has no carry legs",
        Some(asset) if asset.reserve.is_none() => "has no reserve leg",
        Some(_) => return Ok(()),
    };
    let (venue, line) = (venue.name.clone(), instrument.name.clone());
    Err(UniverseError::Settlement { venue, line, asset: instrument.settlement.clone(), problem })
}

pub(crate) fn asset_label(name: &str, isolated: Option<&str>) -> String {
    match isolated {
        Some(instrument) => format!("{name} isolated in {instrument}"),
        None => name.to_owned(),
    }
}

pub(crate) fn is_name(name: &str) -> bool {
    let forbidden = |c: char| c.is_whitespace() || c.is_control() || c == ':' || c == ',';
    !name.is_empty() && name.len() <= MAX_NAME_BYTES && is_nfc(name) && !name.chars().any(forbidden)
}

fn check_name(place: &str, name: &str) -> Result<(), UniverseError> {
    if is_name(name) {
        return Ok(());
    }
    Err(UniverseError::Name { place: place.to_owned(), name: name.chars().take(MAX_NAME_BYTES).collect() })
}

fn check_term(venue: &Venue, line: &str, field: &'static str, value: Decimal) -> Result<(), UniverseError> {
    if value > Decimal::ZERO && value <= MAX_TERM {
        return Ok(());
    }
    Err(UniverseError::Term { venue: venue.name.clone(), line: line.to_owned(), field, value })
}

fn check_count(
    place: &str,
    what: &'static str,
    count: usize,
    range: std::ops::RangeInclusive<usize>,
    bound: &'static str,
) -> Result<(), UniverseError> {
    if range.contains(&count) {
        return Ok(());
    }
    Err(UniverseError::Count { place: place.to_owned(), what, count, bound })
}

fn distinct<T: Ord + ToString>(set: &mut BTreeSet<T>, name: T, place: &str, what: &'static str) -> Result<(), UniverseError> {
    let text = name.to_string();
    if set.insert(name) {
        return Ok(());
    }
    Err(UniverseError::Duplicate { place: place.to_owned(), what, name: text })
}
