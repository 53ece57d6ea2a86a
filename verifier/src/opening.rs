//! The opening of an attestation's commitments: what the account holds, and the blinds. The trader's secret.
//!
//! The venue hands it over with the attestation; the trader recomputes every `C_c` on receipt ([`Opening::check`]). A partner
//! never sees it. All copies that this module makes are overwritten when they are dropped.
//!
//! An opening *file* is the canonical CBOR array
//!
//! ```text
//! ["zkmargin-opening", 1, universe, k, venue, account, epoch, [[blind, [[row, lots], …]], …]]
//! ```
//!
//! with one entry per column of the venue, and in it the rows that hold anything, in increasing order.

use std::convert::Infallible;
use std::fmt;

use minicbor::Encoder;
use thiserror::Error;
use zeroize::{Zeroize, Zeroizing};
use zkmargin_circuits::{Blind, CommitmentError, Parameters, commit};
use zkmargin_program::{LOT_BITS, RESERVED_ROWS};
use zkmargin_risk::canonical::{CanonicalError, Digest, Reader};
use zkmargin_risk::instant::Instant;
use zkmargin_risk::universe::{K_RANGE, MAX_COLUMNS, MAX_NAME_BYTES};

use crate::attestation::{Attestation, Pseudonym, read_instant};
use crate::envelope::{EnvelopeError, FILE_VERSION, FileKind};

/// One column of an opening: the lots in each of its rows, and the blind `ρ_c`.
#[derive(Clone)]
pub struct OpenedColumn {
    /// Lots by row, at most `2^k - 16` rows, each below `2^48`; rows that are left out at the end hold nothing.
    pub lots: Vec<u64>,
    /// `ρ_c`.
    pub blind: Blind,
}

impl Drop for OpenedColumn {
    fn drop(&mut self) {
        self.lots.zeroize();
    }
}

/// What opens the commitments of one attestation.
#[derive(Clone)]
pub struct Opening {
    /// Digest of the universe.
    pub universe: Digest,
    /// `k` of the universe.
    pub k: u32,
    /// The venue.
    pub venue: String,
    /// The account, as in the attestation.
    pub account: Pseudonym,
    /// The epoch of the attestation.
    pub epoch: Instant,
    /// One entry per column of the venue.
    pub columns: Vec<OpenedColumn>,
}

/// Why bytes are no opening, or not the one of an attestation. No variant holds a secret.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum OpeningError {
    /// The file's envelope.
    #[error(transparent)]
    Envelope(#[from] EnvelopeError),
    /// A field that does not decode, or an encoding that is not the canonical one.
    #[error("opening: {0}")]
    Malformed(#[from] CanonicalError),
    /// A `k` without parameters.
    #[error("opening: k is {0}, expected 6 to 12")]
    K(u32),
    /// A row outside a column.
    #[error("opening: row {row} of column {column}, expected below {rows}")]
    Row {
        /// Column, counted from the venue's first.
        column: usize,
        /// The row.
        row: u64,
        /// Rows of a column that may hold legs.
        rows: usize,
    },
    /// More lots than a leg holds.
    #[error("opening: row {row} of column {column} holds 2^{LOT_BITS} lots or more")]
    Lots {
        /// Column, counted from the venue's first.
        column: usize,
        /// The row.
        row: u64,
    },
    /// A column that cannot be committed to, or a blind that is no scalar.
    #[error("opening, column {column}: {error}")]
    Commitment {
        /// Column, counted from the venue's first.
        column: usize,
        /// Why not.
        error: CommitmentError,
    },
    /// Parameters of another size than the attestation's.
    #[error("the attestation is of k = {attestation}, the parameters are of k = {parameters}")]
    Parameters {
        /// The attestation's.
        attestation: u32,
        /// The parameters'.
        parameters: u32,
    },
    /// It belongs to another attestation.
    #[error("the opening and the attestation differ in {field}: {opening} and {attestation}")]
    Differs {
        /// The field.
        field: &'static str,
        /// The opening's value.
        opening: String,
        /// The attestation's value.
        attestation: String,
    },
    /// It does not open a commitment: other lots, another blind, or a venue that signed something else.
    #[error("the opening does not fit its attestation: column {column} of venue {venue:?} commits to something else")]
    DoesNotOpen {
        /// The venue.
        venue: String,
        /// Column, counted from the venue's first.
        column: usize,
    },
}

/// Writing to a `Vec` cannot fail.
type Written = Result<(), minicbor::encode::Error<Infallible>>;

impl Opening {
    /// The bytes of an opening file. Secret.
    pub fn to_bytes(&self) -> Zeroizing<Vec<u8>> {
        // Reserved whole, so that no growth leaves a copy behind: every number takes at most 9 bytes.
        let entries: usize = self.columns.iter().map(|column| held(&column.lots).count()).sum();
        let mut encoder = Encoder::new(Vec::with_capacity(
            256 + self.venue.len() + 64 * self.columns.len() + 20 * entries,
        ));
        let _: Written = self.encode(&mut encoder);
        Zeroizing::new(encoder.into_writer())
    }

    fn encode(&self, e: &mut Encoder<Vec<u8>>) -> Written {
        e.array(8)?.str(FileKind::Opening.magic())?.u64(FILE_VERSION)?;
        e.bytes(&self.universe.0)?
            .u32(self.k)?
            .str(&self.venue)?
            .bytes(&self.account.0)?
            .u64(self.epoch.millis())?;
        e.array(self.columns.len() as u64)?;
        for column in &self.columns {
            e.array(2)?
                .bytes(&*Zeroizing::new(column.blind.to_bytes()))?
                .array(held(&column.lots).count() as u64)?;
            for (row, lots) in held(&column.lots) {
                e.array(2)?.u64(row as u64)?.u64(lots)?;
            }
        }
        Ok(())
    }

    /// Reads an opening file strictly: decode, encode again, compare.
    ///
    /// # Errors
    /// [`OpeningError`].
    pub fn from_bytes(bytes: &[u8]) -> Result<Opening, OpeningError> {
        let mut r = FileKind::Opening.reader(bytes)?;
        let universe = Digest(r.byte_array("universe")?);
        let k = u32::try_from(r.uint("k")?).unwrap_or(u32::MAX);
        if !K_RANGE.contains(&k) {
            return Err(OpeningError::K(k));
        }
        let venue = r.text("venue", MAX_NAME_BYTES)?.to_owned();
        let account = Pseudonym(r.byte_array("account")?);
        let epoch = read_instant(&mut r, "epoch")?;
        let count = r.array("columns", MAX_COLUMNS)?;
        // Reserved whole: a vector that grows leaves copies of the blinds behind.
        let mut columns = Vec::with_capacity(count);
        for column in 0..count {
            columns.push(read_column(&mut r, column, rows(k))?);
        }
        r.finish()?;
        let opening = Opening {
            universe,
            k,
            venue,
            account,
            epoch,
            columns,
        };
        if *opening.to_bytes() != bytes {
            return Err(CanonicalError::NotCanonical.into());
        }
        Ok(opening)
    }

    /// Recomputes every commitment of `attestation` from this opening.
    ///
    /// # Errors
    /// [`OpeningError::Differs`] and [`OpeningError::DoesNotOpen`]; [`OpeningError::Commitment`] for lots out of range.
    pub fn check(&self, parameters: &Parameters, attestation: &Attestation) -> Result<(), OpeningError> {
        let differs = |field, opening: &dyn fmt::Display, attestation: &dyn fmt::Display| {
            Err(OpeningError::Differs {
                field,
                opening: opening.to_string(),
                attestation: attestation.to_string(),
            })
        };
        if self.universe != attestation.universe {
            return differs("universe", &self.universe, &attestation.universe);
        }
        if self.k != attestation.k {
            return differs("k", &self.k, &attestation.k);
        }
        if attestation.k != parameters.k() {
            return Err(OpeningError::Parameters {
                attestation: attestation.k,
                parameters: parameters.k(),
            });
        }
        if self.venue != attestation.venue {
            return differs(
                "venue",
                &format!("{:?}", self.venue),
                &format!("{:?}", attestation.venue),
            );
        }
        if self.account != attestation.account {
            return differs("account", &self.account, &attestation.account);
        }
        if self.epoch != attestation.epoch {
            return differs("epoch", &self.epoch, &attestation.epoch);
        }
        if self.columns.len() != attestation.points.len() {
            return differs("number of columns", &self.columns.len(), &attestation.points.len());
        }
        for (column, (opened, point)) in self.columns.iter().zip(&attestation.points).enumerate() {
            let made = commit(parameters, &opened.lots, &opened.blind);
            match made {
                Ok(made) if made == *point => {}
                Ok(_) | Err(CommitmentError::Identity) => {
                    return Err(OpeningError::DoesNotOpen {
                        venue: self.venue.clone(),
                        column,
                    });
                }
                Err(error) => return Err(OpeningError::Commitment { column, error }),
            }
        }
        Ok(())
    }
}

/// Rows of a column that may hold legs: `2^k - 16`.
fn rows(k: u32) -> usize {
    (1_usize << k).saturating_sub(RESERVED_ROWS as usize)
}

/// The rows that hold anything.
fn held(lots: &[u64]) -> impl Iterator<Item = (usize, u64)> + '_ {
    lots.iter().copied().enumerate().filter(|(_, lots)| *lots != 0)
}

fn read_column(r: &mut Reader<'_>, column: usize, rows: usize) -> Result<OpenedColumn, OpeningError> {
    r.array_of("column", 2)?;
    let blind = Blind::from_bytes(&Zeroizing::new(r.byte_array("blind")?));
    let blind = blind.map_err(|error| OpeningError::Commitment { column, error })?;
    let mut opened = OpenedColumn {
        lots: vec![0; rows],
        blind,
    };
    for _ in 0..r.array("rows", rows)? {
        r.array_of("row", 2)?;
        let row = r.uint("row")?;
        let lots = r.uint("lots")?;
        let place = usize::try_from(row).ok().and_then(|row| opened.lots.get_mut(row));
        let place = place.ok_or(OpeningError::Row { column, row, rows })?;
        if lots >> LOT_BITS != 0 {
            return Err(OpeningError::Lots { column, row });
        }
        // A row that occurs twice, out of order or with nothing in it shows when the opening is encoded again.
        *place = lots;
    }
    Ok(opened)
}

impl fmt::Debug for OpenedColumn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("OpenedColumn(..)")
    }
}

impl fmt::Debug for Opening {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Opening {
            universe,
            k,
            venue,
            account,
            epoch,
            columns,
        } = self;
        f.debug_struct("Opening")
            .field("universe", universe)
            .field("k", k)
            .field("venue", venue)
            .field("account", account)
            .field("epoch", epoch)
            .field("columns", &columns.len())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
    use super::*;
    use crate::attestation::SignedAttestation;
    use crate::fixture::{Item, K, attestation, parameters, universe};

    /// An attestation at gamma, which has two columns, and its opening.
    fn pair() -> (SignedAttestation, Opening) {
        let mut first = vec![0; rows(K)];
        (first[0], first[3], first[47]) = (1, (1 << LOT_BITS) - 1, 500);
        let columns: Vec<OpenedColumn> = [first, vec![0; rows(K)]]
            .into_iter()
            .map(|lots| OpenedColumn {
                lots,
                blind: Blind::random().unwrap(),
            })
            .collect();
        let points = columns
            .iter()
            .map(|column| commit(parameters(), &column.lots, &column.blind).unwrap())
            .collect();
        let signed = attestation("gamma", "account", |a| a.points = points);
        let Attestation {
            universe,
            k,
            venue,
            account,
            epoch,
            ..
        } = signed.content().clone();
        (
            signed,
            Opening {
                universe,
                k,
                venue,
                account,
                epoch,
                columns,
            },
        )
    }

    #[test]
    fn opening_file_round_trips_and_opens_its_attestation() {
        let (signed, opening) = pair();
        let read = Opening::from_bytes(&opening.to_bytes()).unwrap();
        assert_eq!(*read.to_bytes(), *opening.to_bytes());
        assert_eq!(read.columns[0].lots, opening.columns[0].lots);
        assert_eq!(read.check(parameters(), signed.content()), Ok(()));
        assert_eq!(opening.universe, universe().digest());
    }

    #[test]
    fn opening_of_other_lots_or_another_blind_does_not_open() {
        let (signed, opening) = pair();
        let does_not = |column| {
            Err(OpeningError::DoesNotOpen {
                venue: "gamma".to_owned(),
                column,
            })
        };
        for row in [0, 1, 47] {
            let mut other = opening.clone();
            other.columns[0].lots[row] ^= 1;
            assert_eq!(other.check(parameters(), signed.content()), does_not(0));
        }
        let mut other = opening.clone();
        other.columns[1].blind = Blind::random().unwrap();
        assert_eq!(other.check(parameters(), signed.content()), does_not(1));
        let mut other = opening.clone();
        other.columns.swap(0, 1);
        assert_eq!(other.check(parameters(), signed.content()), does_not(0));
        let mut other = opening.clone();
        other.columns[1].blind = Blind::zero();
        assert_eq!(
            other.check(parameters(), signed.content()),
            does_not(1),
            "a commitment to nothing is the identity"
        );
    }

    #[test]
    fn opening_of_another_attestation_is_told_by_the_field() {
        let (signed, opening) = pair();
        let field = |change: fn(&mut Opening)| {
            let mut other = opening.clone();
            change(&mut other);
            match other.check(parameters(), signed.content()) {
                Err(OpeningError::Differs { field, .. }) => field,
                other => panic!("{other:?}"),
            }
        };
        assert_eq!(field(|o| o.universe.0[0] ^= 1), "universe");
        assert_eq!(field(|o| o.k = 7), "k");
        assert_eq!(field(|o| o.venue.push('x')), "venue");
        assert_eq!(field(|o| o.account.0[0] ^= 1), "account");
        assert_eq!(field(|o| o.epoch = o.epoch.checked_add(1).unwrap()), "epoch");
        assert_eq!(field(|o| drop(o.columns.pop())), "number of columns");
        // Of one k with its attestation, and of another than the parameters; and the other way round.
        let of = |k: u32| {
            let (mut other, mut content) = (opening.clone(), signed.content().clone());
            [content.k, other.k] = [7, k];
            other.check(parameters(), &content)
        };
        assert!(matches!(of(K), Err(OpeningError::Differs { field: "k", .. })));
        assert_eq!(
            of(7),
            Err(OpeningError::Parameters {
                attestation: 7,
                parameters: K
            })
        );
    }

    #[test]
    fn rows_lots_and_blinds_out_of_bounds_are_refused() {
        let (_, opening) = pair();
        let with = |path: &[usize], item: Item| {
            let mut file = Item::decode(&opening.to_bytes());
            let place = path.iter().fold(&mut file, |place, index| match place {
                Item::Array(items) => &mut items[*index],
                other => panic!("{other:?} is no array"),
            });
            *place = item;
            Opening::from_bytes(&file.encode()).unwrap_err()
        };
        let row = |entry: usize, part: usize| [7, 0, 1, entry, part];
        assert_eq!(
            with(&row(2, 0), Item::Uint(48)),
            OpeningError::Row {
                column: 0,
                row: 48,
                rows: 48
            }
        );
        assert_eq!(
            with(&row(1, 1), Item::Uint(1 << LOT_BITS)),
            OpeningError::Lots { column: 0, row: 3 }
        );
        // Nothing in a row, rows out of order, a row twice: other encodings of some opening.
        assert_eq!(with(&row(1, 1), Item::Uint(0)), CanonicalError::NotCanonical.into());
        assert_eq!(with(&row(0, 0), Item::Uint(5)), CanonicalError::NotCanonical.into());
        assert_eq!(with(&row(1, 0), Item::Uint(0)), CanonicalError::NotCanonical.into());
        assert_eq!(
            with(&[7, 1, 0], Item::Bytes(vec![0xff; 32])),
            OpeningError::Commitment {
                column: 1,
                error: CommitmentError::BlindNotCanonical
            }
        );
        for k in [5, 13, u64::MAX] {
            assert!(matches!(with(&[3], Item::Uint(k)), OpeningError::K(_)));
        }
    }

    #[test]
    fn bytes_more_or_less_are_refused() {
        let bytes = pair().1.to_bytes();
        assert_eq!(
            Opening::from_bytes(&[bytes.as_slice(), &[0]].concat()).unwrap_err(),
            CanonicalError::Trailing { count: 1 }.into()
        );
        for length in 0..bytes.len() {
            assert!(Opening::from_bytes(&bytes[..length]).is_err(), "{length} bytes");
        }
    }

    #[test]
    fn debug_shows_no_secret() {
        let (_, opening) = pair();
        let text = format!("{opening:?} {:?}", opening.columns);
        assert!(!text.contains("500") && text.contains("OpenedColumn(..)"), "{text}");
    }
}
