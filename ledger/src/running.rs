//! A venue's running commitment to one account: what it stores between fills, and attests at an epoch (protocol §3).
//!
//! A fill moves a few legs, and each costs one scalar multiplication, however much the account holds. What is stored is as secret
//! as the account itself. A state *file* (mode 0600) is the canonical CBOR array
//!
//! ```text
//! ["zkmargin-running", 1, universe, k, venue, [[sum, [[row, lots], …]], …]]
//! ```
//!
//! with one entry per column of the venue: the unblinded sum (32 zeros when the column holds nothing) and the rows that hold
//! anything, in increasing order.

use std::convert::Infallible;
use std::fmt;

use minicbor::Encoder;
use thiserror::Error;
use zeroize::Zeroizing;
use zkmargin_circuits::{CommitmentError, Parameters, RunningCommitment};
use zkmargin_program::{LOT_BITS, LegId, Pair};
use zkmargin_risk::account::AccountVector;
use zkmargin_risk::canonical::{CanonicalError, Digest, Reader};
use zkmargin_risk::instant::Instant;
use zkmargin_risk::universe::{MAX_COLUMNS, MAX_NAME_BYTES, Universe, Venue};

/// The text that a state file starts with.
pub const MAGIC: &str = "zkmargin-running";
/// The only version of state files, so far.
const VERSION: u64 = 1;
/// Most bytes of a state file.
pub const MAX_STATE_BYTES: usize = 1 << 24;

/// One account at one venue, with its running commitment.
pub struct RunningAccount {
    universe: Digest,
    k: u32,
    venue: String,
    commitment: RunningCommitment,
}

/// Why there is no running account. For the venue alone.
#[derive(Debug, Error)]
pub enum RunningError {
    /// A field that does not decode, or an encoding that is not the canonical one.
    #[error("running commitment: {0}")]
    Malformed(#[from] CanonicalError),
    /// Another kind of file.
    #[error("running commitment: the file starts with {found:?}, expected {MAGIC:?}")]
    Kind {
        /// What it starts with.
        found: String,
    },
    /// A version that this build does not read.
    #[error("running commitment: version {found}, this build reads version {VERSION}")]
    Version {
        /// The version found.
        found: u64,
    },
    /// It belongs to another universe.
    #[error("running commitment: of universe {found}, this is {expected}")]
    Universe {
        /// The file's.
        found: Digest,
        /// The one given.
        expected: Digest,
    },
    /// The universe has no such venue.
    #[error("running commitment: the universe has no venue {0:?}")]
    UnknownVenue(String),
    /// Not one entry per column of the venue.
    #[error("running commitment: {found} columns, the venue has {expected}")]
    Columns {
        /// Columns in the file.
        found: usize,
        /// Columns of the venue.
        expected: usize,
    },
    /// A row outside a column.
    #[error("running commitment: row {row} of column {column}, expected below {rows}")]
    Row {
        /// Column, counted from the venue's first.
        column: usize,
        /// The row.
        row: u64,
        /// Rows of a column that may hold legs.
        rows: usize,
    },
    /// Lots that cannot be committed to, or a sum that is no point.
    #[error("running commitment: {0}")]
    Commitment(#[from] CommitmentError),
    /// The sums are not those of the lots.
    #[error("running commitment: the stored sums are not the commitment to the stored lots: the file was changed")]
    Inconsistent,
    /// A leg would leave its range.
    #[error("running commitment: {name} would leave the range of 2^{LOT_BITS} lots")]
    Range {
        /// Whose leg.
        name: String,
    },
}

/// Writing to a `Vec` cannot fail.
type Written = Result<(), minicbor::encode::Error<Infallible>>;

impl RunningAccount {
    /// Commits to an account for the first time.
    ///
    /// # Errors
    /// [`RunningError::Commitment`].
    pub fn open(universe: &Universe, parameters: &Parameters, account: &AccountVector) -> Result<Self, RunningError> {
        let missing = || RunningError::UnknownVenue(format!("number {}", account.venue()));
        let venue = universe.venues().get(account.venue()).ok_or_else(missing)?;
        let all: Vec<&[u64]> = account.lots().chunks(universe.layout().rows()).collect();
        let columns = all.get(venue.columns.clone()).ok_or_else(missing)?;
        let commitment = RunningCommitment::new(parameters, columns)?;
        Ok(RunningAccount {
            universe: universe.digest(),
            k: universe.k(),
            venue: venue.name.clone(),
            commitment,
        })
    }

    /// Name of the venue.
    pub fn venue(&self) -> &str {
        &self.venue
    }

    /// Digest of the universe.
    pub const fn universe(&self) -> Digest {
        self.universe
    }

    /// The commitment.
    pub const fn commitment(&self) -> &RunningCommitment {
        &self.commitment
    }

    /// The instruments of which the account holds any and that have expired at `at`, with their expiries. Secret.
    pub fn expired(&self, universe: &Universe, at: Instant) -> Vec<(String, Instant)> {
        let Some((_, venue)) = universe.venue(&self.venue) else {
            return Vec::new();
        };
        let holds = |leg| {
            let lots = place(universe, venue, leg)
                .and_then(|(column, row)| self.commitment.lots().get(column)?.get(row).copied());
            lots.is_some_and(|lots| lots > 0)
        };
        expired(venue, at, holds)
    }

    /// Whether the running sums are what committing to the whole account anew gives.
    pub fn is_consistent(&self, parameters: &Parameters) -> bool {
        self.commitment.is_consistent(parameters)
    }

    /// Moves a pair of legs by signed lots: what one leg holds is used up before the other is touched. `name` names the line in
    /// errors. Returns how many legs moved.
    ///
    /// # Errors
    /// [`RunningError::Range`]; the account may then be half moved, and is to be thrown away.
    pub fn shift(
        &mut self,
        universe: &Universe,
        parameters: &Parameters,
        name: &str,
        pair: Pair,
        lots: i64,
    ) -> Result<usize, RunningError> {
        let range = || RunningError::Range { name: name.to_owned() };
        let unknown = || RunningError::UnknownVenue(self.venue.clone());
        let (_, venue) = universe.venue(&self.venue).ok_or_else(unknown)?;
        let held = |leg| {
            let (column, row) = place(universe, venue, leg)?;
            self.commitment
                .lots()
                .get(column)?
                .get(row)
                .copied()
                .and_then(|lots| i64::try_from(lots).ok())
        };
        let (first, second) = (
            held(pair.first).ok_or_else(range)?,
            held(pair.second).ok_or_else(range)?,
        );
        let changes = net(first, second, lots).ok_or_else(range)?;
        let moves = [pair.first, pair.second].into_iter().zip(changes);
        let mut moved = 0;
        for (leg, change) in moves.filter(|(_, change)| *change != 0) {
            let (column, row) = place(universe, venue, leg).ok_or_else(range)?;
            self.commitment
                .apply(parameters, column, row, change)
                .map_err(|error| match error {
                    CommitmentError::LotsOutOfRange { .. } => range(),
                    other => other.into(),
                })?;
            moved += 1;
        }
        Ok(moved)
    }

    /// The bytes of a state file. Secret.
    pub fn to_bytes(&self) -> Zeroizing<Vec<u8>> {
        // Reserved whole, so that no growth leaves a copy behind: every number takes at most 9 bytes.
        let columns = self.commitment.lots();
        let entries: usize = columns.iter().map(|column| held(column).count()).sum();
        let capacity = 256 + self.venue.len() + 64 * columns.len() + 20 * entries;
        let mut encoder = Encoder::new(Vec::with_capacity(capacity));
        let _: Written = self.encode(&mut encoder);
        Zeroizing::new(encoder.into_writer())
    }

    fn encode(&self, e: &mut Encoder<Vec<u8>>) -> Written {
        let columns = self.commitment.lots();
        e.array(6)?
            .str(MAGIC)?
            .u64(VERSION)?
            .bytes(&self.universe.0)?
            .u32(self.k)?
            .str(&self.venue)?;
        e.array(columns.len() as u64)?;
        for (column, sum) in columns.iter().zip(Zeroizing::new(self.commitment.sums()).iter()) {
            e.array(2)?.bytes(sum)?.array(held(column).count() as u64)?;
            for (row, lots) in held(column) {
                e.array(2)?.u64(row as u64)?.u64(lots)?;
            }
        }
        Ok(())
    }

    /// Reads a state file strictly, and recommits to what it holds: sums that are not those of the lots are refused.
    ///
    /// # Errors
    /// [`RunningError`].
    pub fn from_bytes(bytes: &[u8], universe: &Universe, parameters: &Parameters) -> Result<Self, RunningError> {
        let head = Head::read(bytes)?;
        let expected = universe.digest();
        if head.universe != expected {
            return Err(RunningError::Universe {
                found: head.universe,
                expected,
            });
        }
        let (_, venue) = universe
            .venue(&head.venue)
            .ok_or_else(|| RunningError::UnknownVenue(head.venue.clone()))?;
        let mut r = head.reader;
        let found = r.array("columns", MAX_COLUMNS)?;
        if found != venue.columns.len() {
            return Err(RunningError::Columns {
                found,
                expected: venue.columns.len(),
            });
        }
        let rows = universe.layout().rows();
        let mut sums = Zeroizing::new(Vec::with_capacity(found));
        let mut lots = Vec::with_capacity(found);
        for column in 0..found {
            r.array_of("column", 2)?;
            sums.push(r.byte_array("sum")?);
            lots.push(read_rows(&mut r, column, rows)?);
        }
        r.finish()?;
        let columns: Vec<&[u64]> = lots.iter().map(|column| column.as_slice()).collect();
        let commitment = RunningCommitment::resume(parameters, &columns, &sums)?;
        let account = RunningAccount {
            universe: head.universe,
            k: head.k,
            venue: head.venue,
            commitment,
        };
        if *account.to_bytes() != bytes {
            return Err(CanonicalError::NotCanonical.into());
        }
        if !account.is_consistent(parameters) {
            return Err(RunningError::Inconsistent);
        }
        Ok(account)
    }
}

impl fmt::Debug for RunningAccount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RunningAccount")
            .field("universe", &self.universe)
            .field("k", &self.k)
            .field("venue", &self.venue)
            .finish_non_exhaustive()
    }
}

/// What a state file says of itself before anything secret.
pub struct Head<'b> {
    /// Digest of the universe.
    pub universe: Digest,
    /// `k` of the universe.
    pub k: u32,
    /// The venue.
    pub venue: String,
    reader: Reader<'b>,
}

impl fmt::Debug for Head<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Head")
            .field("universe", &self.universe)
            .field("venue", &self.venue)
            .finish_non_exhaustive()
    }
}

impl Head<'_> {
    /// Reads the head of a state file.
    ///
    /// # Errors
    /// [`RunningError`].
    pub fn read(bytes: &[u8]) -> Result<Head<'_>, RunningError> {
        let mut r = Reader::new(bytes);
        r.array_of("file", 6)?;
        let found = r.text("magic", MAX_NAME_BYTES)?;
        if found != MAGIC {
            return Err(RunningError::Kind {
                found: found.to_owned(),
            });
        }
        let version = r.uint("version")?;
        if version != VERSION {
            return Err(RunningError::Version { found: version });
        }
        let universe = Digest(r.byte_array("universe")?);
        let k = u32::try_from(r.uint("k")?).unwrap_or(u32::MAX);
        let venue = r.text("venue", MAX_NAME_BYTES)?.to_owned();
        Ok(Head {
            universe,
            k,
            venue,
            reader: r,
        })
    }
}

/// The lots of a column; overwritten when dropped, also by a refusal halfway.
fn read_rows(r: &mut Reader<'_>, column: usize, rows: usize) -> Result<Zeroizing<Vec<u64>>, RunningError> {
    let mut lots = Zeroizing::new(vec![0; rows]);
    for _ in 0..r.array("rows", rows)? {
        r.array_of("row", 2)?;
        let row = r.uint("row")?;
        let place = usize::try_from(row).ok().and_then(|row| lots.get_mut(row));
        // A row that occurs twice, out of order or with nothing in it shows when the state is encoded again.
        *place.ok_or(RunningError::Row { column, row, rows })? = r.uint("lots")?;
    }
    Ok(lots)
}

/// The rows that hold anything.
fn held(column: &[u64]) -> impl Iterator<Item = (usize, u64)> + '_ {
    column.iter().copied().enumerate().filter(|(_, lots)| *lots != 0)
}

/// The instruments of a venue of which something is held and that have expired at `at`, with their expiries.
pub(crate) fn expired(venue: &Venue, at: Instant, holds: impl Fn(LegId) -> bool) -> Vec<(String, Instant)> {
    let held = venue.instruments().filter(|instrument| {
        let pair = instrument.pair();
        holds(pair.first) || holds(pair.second)
    });
    held.filter_map(|instrument| Some((instrument.name.clone(), instrument.kind.expiry()?)))
        .filter(|(_, expiry)| *expiry <= at)
        .collect()
}

/// By how much each leg of a pair changes when the pair moves by signed lots: what one leg holds is used up before the other is touched, so
/// that at most one holds anything. `None` where a number leaves 64 bits.
pub(crate) fn net(first: i64, second: i64, lots: i64) -> Option<[i64; 2]> {
    let net = first.checked_sub(second)?.checked_add(lots)?;
    let short = net.checked_neg()?.max(0);
    Some([net.max(0).checked_sub(first)?, short.checked_sub(second)?])
}

/// Column, counted from the venue's first, and row of a leg.
pub(crate) fn place(universe: &Universe, venue: &Venue, leg: LegId) -> Option<(usize, usize)> {
    let layout = universe.layout();
    let column = layout.column_of(leg).checked_sub(venue.columns.start)?;
    Some((column, layout.row_of(leg)))
}
