//! Account commitments and their algebra (protocol §3).
//!
//! `C_c = Σ_i q_i·G_{row(i)} + ρ_c·W`, one [`Point`] per column of the account vector. Commitments add up: a venue keeps one
//! running sum per column and applies a fill with one scalar multiplication per leg ([`RunningCommitment`]); what leaves the
//! venue is blinded afresh every time, since the difference of two points with one blind is the trade itself.

use std::fmt;

use ff::{Field, PrimeField};
use group::{Curve, CurveAffine as _, Group, GroupEncoding};
use halo2_proofs::arithmetic::best_multiexp;
use pasta_curves::{Eq, EqAffine, Fp, Fq};
use zeroize::{Zeroize, Zeroizing};
use zkmargin_program::LOT_BITS;

use crate::parameters::Parameters;

/// Why 32 bytes are not a commitment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PointError {
    /// The encoding of the identity, which commits to nothing.
    #[error("the point is the identity")]
    Identity,
    /// The x coordinate is not below the modulus of the base field.
    #[error("the encoding is not canonical")]
    NonCanonical,
    /// No point of the curve has this x coordinate.
    #[error("the point is not on the curve")]
    OffCurve,
}

/// Decodes a point that may stand where a commitment stands.
pub(crate) fn decode_point(bytes: &[u8; 32]) -> Result<EqAffine, PointError> {
    if bytes.iter().all(|byte| *byte == 0) {
        return Err(PointError::Identity);
    }
    // The highest bit is the sign of y; what is left must be a field element.
    let mut x = *bytes;
    x[31] &= 0x7f;
    if bool::from(Fq::from_repr(x).is_none()) {
        return Err(PointError::NonCanonical);
    }
    let point: EqAffine = Option::from(EqAffine::from_bytes(bytes)).ok_or(PointError::OffCurve)?;
    if bool::from(point.is_identity()) {
        return Err(PointError::Identity);
    }
    // One point, one encoding.
    if point.to_bytes() != *bytes {
        return Err(PointError::NonCanonical);
    }
    Ok(point)
}

/// A column commitment: a point of the Vesta curve that is not the identity.
#[derive(Clone, Copy, PartialEq, std::cmp::Eq)]
pub struct Point(EqAffine);

impl Point {
    /// Reads the canonical encoding.
    ///
    /// # Errors
    /// [`PointError`].
    pub fn from_bytes(bytes: &[u8; 32]) -> Result<Self, PointError> {
        decode_point(bytes).map(Self)
    }

    /// The canonical encoding.
    pub fn to_bytes(&self) -> [u8; 32] {
        self.0.to_bytes()
    }

    /// The commitment with `lots` more (negative: fewer) in a row and the same blind: one scalar multiplication. Whether that leaves the leg in its
    /// range is the business of who knows what it holds.
    ///
    /// # Errors
    /// [`CommitmentError::OutOfRange`] for a row that no leg can stand in, [`CommitmentError::Identity`].
    pub fn moved(&self, parameters: &Parameters, row: usize, lots: i64) -> Result<Self, CommitmentError> {
        Self::from_curve(&(change(parameters, row, lots)? + self.0))
    }

    /// The commitment to the same lots with `blind` added to its own: it has nothing in common with this one.
    ///
    /// # Errors
    /// [`CommitmentError::Identity`].
    pub fn reblinded(&self, parameters: &Parameters, blind: &Blind) -> Result<Self, CommitmentError> {
        Self::from_curve(&(parameters.w() * blind.0 + self.0))
    }

    pub(crate) fn from_curve(point: &Eq) -> Result<Self, CommitmentError> {
        match bool::from(point.is_identity()) {
            true => Err(CommitmentError::Identity),
            false => Ok(Self(point.to_affine())),
        }
    }

    pub(crate) fn affine(&self) -> EqAffine {
        self.0
    }
}

impl fmt::Debug for Point {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Point(")?;
        self.to_bytes().iter().try_for_each(|byte| write!(f, "{byte:02x}"))?;
        f.write_str(")")
    }
}

/// A blind `ρ`: secret, overwritten when dropped, invisible in `Debug`.
#[derive(Clone)]
pub struct Blind(Fp);

impl Blind {
    /// A fresh uniform blind from the operating system.
    ///
    /// # Errors
    /// [`CommitmentError::Randomness`].
    pub fn random() -> Result<Self, CommitmentError> {
        let mut bytes = [0; 64];
        getrandom::fill(&mut bytes).map_err(|error| CommitmentError::Randomness {
            reason: error.to_string(),
        })?;
        let blind = Self(ff::FromUniformBytes::from_uniform_bytes(&bytes));
        bytes.zeroize();
        Ok(blind)
    }

    /// Reads the canonical little-endian encoding.
    ///
    /// # Errors
    /// [`CommitmentError::BlindNotCanonical`].
    pub fn from_bytes(bytes: &[u8; 32]) -> Result<Self, CommitmentError> {
        Option::from(Fp::from_repr(*bytes))
            .map(Self)
            .ok_or(CommitmentError::BlindNotCanonical)
    }

    /// The canonical little-endian encoding. Secret.
    pub fn to_bytes(&self) -> [u8; 32] {
        self.0.to_repr()
    }

    /// The blind of the sum of two commitments.
    pub fn add(&self, other: &Self) -> Self {
        Self(self.0 + other.0)
    }

    /// The blind of an empty sum.
    pub fn zero() -> Self {
        Self(Fp::ZERO)
    }

    #[cfg(feature = "prove")]
    pub(crate) fn scalar(&self) -> Fp {
        self.0
    }
}

impl Drop for Blind {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

impl fmt::Debug for Blind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Blind(..)")
    }
}

/// Why a commitment cannot be made.
#[derive(Clone, Debug, PartialEq, std::cmp::Eq, thiserror::Error)]
pub enum CommitmentError {
    /// More legs than a column has rows.
    #[error("a column has {rows} rows for legs, {given} were given")]
    TooManyRows {
        /// Rows given.
        given: usize,
        /// Rows that a column has.
        rows: usize,
    },
    /// A row that no leg can stand in.
    #[error("row {row} of column {column} is outside {columns} columns of {rows} rows")]
    OutOfRange {
        /// The column.
        column: usize,
        /// The row.
        row: usize,
        /// Columns that there are.
        columns: usize,
        /// Rows that a column has.
        rows: usize,
    },
    /// A leg would leave `[0, 2^48)`.
    #[error("row {row} of column {column} would leave the range of 0 to 2^{LOT_BITS} - 1 lots")]
    LotsOutOfRange {
        /// The column.
        column: usize,
        /// The row.
        row: usize,
    },
    /// The sum is the identity, which no reader accepts.
    #[error("the commitment is the identity")]
    Identity,
    /// A stored sum that is no point of the curve, or not one sum per column.
    #[error("the stored sum of column {column} is missing or not a point")]
    StoredSum {
        /// The column.
        column: usize,
    },
    /// A blind that is not below the order of the group.
    #[error("the blind is not a canonical scalar")]
    BlindNotCanonical,
    /// The operating system gave no randomness.
    #[error("no randomness from the operating system: {reason}")]
    Randomness {
        /// What it said.
        reason: String,
    },
}

/// A signed integer of less than `2^255` as sign and magnitude, so that small values of either sign stay small scalars.
#[derive(Clone, Copy, Debug, PartialEq, std::cmp::Eq)]
pub(crate) struct Signed {
    pub(crate) negative: bool,
    pub(crate) magnitude: [u64; 4],
}

impl Signed {
    pub(crate) const ZERO: Signed = Signed {
        negative: false,
        magnitude: [0; 4],
    };

    /// A scalar as it is.
    pub(crate) fn from_scalar(scalar: &Fp) -> Self {
        let bytes = scalar.to_repr();
        let (words, _) = bytes.as_chunks();
        let mut magnitude = [0; 4];
        for (limb, word) in magnitude.iter_mut().zip(words) {
            *limb = u64::from_le_bytes(*word);
        }
        Self {
            negative: false,
            magnitude,
        }
    }

    /// A natural number.
    pub(crate) fn from_u128(number: u128) -> Self {
        Self {
            negative: false,
            magnitude: [number as u64, (number >> 64) as u64, 0, 0],
        }
    }

    pub(crate) fn to_scalar(self) -> Fp {
        let magnitude = Fp::from_raw(self.magnitude);
        if self.negative { -magnitude } else { magnitude }
    }
}

/// `Σ scalar·base`; rows that are zero cost nothing.
pub(crate) fn multiexp(terms: impl IntoIterator<Item = (Fp, EqAffine)>) -> Eq {
    let terms = terms.into_iter();
    // Scalars may be secret. Full capacity at once, since every caller knows how many there are at most: a vector that grows leaves copies behind.
    let (least, most) = terms.size_hint();
    let most = most.unwrap_or(least);
    let mut scalars = Zeroizing::new(Vec::with_capacity(most));
    let mut bases = Vec::with_capacity(most);
    for (scalar, base) in terms {
        if !bool::from(scalar.is_zero() | base.is_identity()) {
            scalars.push(scalar);
            bases.push(base);
        }
    }
    match scalars.is_empty() {
        true => Eq::identity(),
        false => best_multiexp(&scalars, &bases),
    }
}

/// `Σ_i q_i·G_i` over the rows of one column.
pub(crate) fn sum_of_legs(parameters: &Parameters, rows: &[u64]) -> Eq {
    multiexp(
        rows.iter()
            .map(|lots| Fp::from(*lots))
            .zip(parameters.lagrange().iter().copied()),
    )
}

/// Legs per column for parameters of this `k`.
fn rows_per_column(parameters: &Parameters) -> usize {
    parameters.lagrange().len() - zkmargin_program::RESERVED_ROWS as usize
}

/// What `lots` more (negative: fewer) in a row add to a commitment.
fn change(parameters: &Parameters, row: usize, lots: i64) -> Result<Eq, CommitmentError> {
    let rows = rows_per_column(parameters);
    let generator = parameters.lagrange().get(row).filter(|_| row < rows);
    let generator = generator.ok_or(CommitmentError::OutOfRange {
        column: 0,
        row,
        columns: 1,
        rows,
    })?;
    let change = *generator * Fp::from(lots.unsigned_abs());
    Ok(if lots < 0 { -change } else { change })
}

/// Whether the legs of a column can be committed to.
fn check_legs(parameters: &Parameters, column: usize, legs: &[u64]) -> Result<(), CommitmentError> {
    let rows = rows_per_column(parameters);
    if legs.len() > rows {
        let given = legs.len();
        return Err(CommitmentError::TooManyRows { given, rows });
    }
    match legs.iter().position(|lots| lots >> LOT_BITS != 0) {
        Some(row) => Err(CommitmentError::LotsOutOfRange { column, row }),
        None => Ok(()),
    }
}

/// Commits to one column: `rows[i]` lots in row `i`, at most `u = 2^k - 16` rows.
///
/// # Errors
/// [`CommitmentError::TooManyRows`], [`CommitmentError::LotsOutOfRange`], [`CommitmentError::Identity`].
pub fn commit(parameters: &Parameters, rows: &[u64], blind: &Blind) -> Result<Point, CommitmentError> {
    check_legs(parameters, 0, rows)?;
    Point::from_curve(&(sum_of_legs(parameters, rows) + parameters.w() * blind.0))
}

/// A venue's unblinded running sums for one account, one per column of the venue.
///
/// It is as secret as the positions themselves and never leaves the venue; what leaves is [`RunningCommitment::blinded`].
#[derive(Clone)]
pub struct RunningCommitment {
    lots: Vec<Vec<u64>>,
    sums: Vec<Eq>,
}

impl RunningCommitment {
    /// Starts from the account's legs: one slice of rows per column of the venue.
    ///
    /// # Errors
    /// [`CommitmentError::TooManyRows`], [`CommitmentError::LotsOutOfRange`].
    pub fn new(parameters: &Parameters, columns: &[&[u64]]) -> Result<Self, CommitmentError> {
        let rows = rows_per_column(parameters);
        // It is overwritten when dropped, also by a refusal halfway.
        let mut running = Self {
            lots: Vec::with_capacity(columns.len()),
            sums: Vec::with_capacity(columns.len()),
        };
        for (index, column) in columns.iter().enumerate() {
            check_legs(parameters, index, column)?;
            // Full capacity at once: a vector that grows leaves copies behind.
            let mut padded = Vec::with_capacity(rows);
            padded.extend_from_slice(column);
            padded.resize(rows, 0);
            running.sums.push(sum_of_legs(parameters, column));
            running.lots.push(padded);
        }
        Ok(running)
    }

    /// Adds `lots` (negative: takes away) to one leg, with one scalar multiplication.
    ///
    /// # Errors
    /// [`CommitmentError::OutOfRange`], [`CommitmentError::LotsOutOfRange`]; then nothing has changed.
    pub fn apply(
        &mut self,
        parameters: &Parameters,
        column: usize,
        row: usize,
        lots: i64,
    ) -> Result<(), CommitmentError> {
        let (columns, rows) = (self.sums.len(), rows_per_column(parameters));
        let out_of_range = || CommitmentError::OutOfRange {
            column,
            row,
            columns,
            rows,
        };
        let leg = self
            .lots
            .get_mut(column)
            .and_then(|legs| legs.get_mut(row))
            .ok_or_else(out_of_range)?;
        let sum = self.sums.get_mut(column).ok_or_else(out_of_range)?;
        let moved = leg
            .checked_add_signed(lots)
            .filter(|moved| moved >> LOT_BITS == 0)
            .ok_or(CommitmentError::LotsOutOfRange { column, row })?;
        *sum += change(parameters, row, lots)?;
        *leg = moved;
        Ok(())
    }

    /// The unblinded sums, one per column, in their canonical encoding (32 zeros for a column that holds nothing). Secret: they
    /// are what a venue stores between fills.
    pub fn sums(&self) -> Vec<[u8; 32]> {
        self.sums.iter().map(|sum| sum.to_affine().to_bytes()).collect()
    }

    /// Takes a stored commitment up again: legs per column, and the [`sums`](Self::sums) that they had. The sums are believed, no
    /// leg is committed to anew; [`is_consistent`](Self::is_consistent) does that.
    ///
    /// # Errors
    /// Those of [`new`](Self::new), and [`CommitmentError::StoredSum`].
    pub fn resume(parameters: &Parameters, columns: &[&[u64]], sums: &[[u8; 32]]) -> Result<Self, CommitmentError> {
        let empty: Vec<&[u64]> = vec![&[]; columns.len()];
        let mut resumed = Self::new(parameters, &empty)?;
        for (index, column) in columns.iter().enumerate() {
            check_legs(parameters, index, column)?;
            resumed.lots[index][..column.len()].copy_from_slice(column);
            let stored = sums.get(index).ok_or(CommitmentError::StoredSum { column: index })?;
            resumed.sums[index] = match decode_point(stored) {
                Ok(point) => point.into(),
                Err(PointError::Identity) => Eq::identity(),
                Err(_) => return Err(CommitmentError::StoredSum { column: index }),
            };
        }
        match sums.len() == columns.len() {
            true => Ok(resumed),
            false => Err(CommitmentError::StoredSum { column: columns.len() }),
        }
    }

    /// Whether every running sum is what committing to its legs anew gives.
    pub fn is_consistent(&self, parameters: &Parameters) -> bool {
        self.lots
            .iter()
            .zip(&self.sums)
            .all(|(column, sum)| sum_of_legs(parameters, column) == *sum)
    }

    /// The legs that the sums commit to, per column.
    pub fn lots(&self) -> &[Vec<u64>] {
        &self.lots
    }

    /// What may leave the venue: every column with a fresh, independent blind.
    ///
    /// # Errors
    /// [`CommitmentError::Randomness`], [`CommitmentError::Identity`].
    pub fn blinded(&self, parameters: &Parameters) -> Result<(Vec<Point>, Vec<Blind>), CommitmentError> {
        let mut points = Vec::with_capacity(self.sums.len());
        let mut blinds = Vec::with_capacity(self.sums.len());
        for sum in &self.sums {
            let blind = Blind::random()?;
            points.push(Point::from_curve(&(*sum + parameters.w() * blind.0))?);
            blinds.push(blind);
        }
        Ok((points, blinds))
    }
}

impl Drop for RunningCommitment {
    fn drop(&mut self) {
        self.lots.iter_mut().for_each(Zeroize::zeroize);
        self.sums.iter_mut().for_each(Zeroize::zeroize);
    }
}

impl fmt::Debug for RunningCommitment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RunningCommitment")
            .field("columns", &self.sums.len())
            .finish_non_exhaustive()
    }
}
