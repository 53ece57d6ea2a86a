//! Legs, pairs, columns: the layout of an account vector `q` (protocol §2).

use thiserror::Error;

/// Width of one account's amount on one leg: every attested amount is below `2^48` lots.
pub const LOT_BITS: u32 = 48;

/// Accounts of one venue that may be added up in its columns: the `N` of the no-wrap bound (protocol §4).
pub const MAX_ACCOUNTS_PER_VENUE: u32 = 256;

/// Rows of a column that carry no leg: a column of `2^k` rows holds `u = 2^k - 16` legs.
pub const RESERVED_ROWS: u32 = 16;

/// Every entry of `q` is below this many lots: `N` accounts and one public amount, each below `2^48`.
pub const LOTS_LIMIT: u64 = (MAX_ACCOUNTS_PER_VENUE as u64 + 1) << LOT_BITS;

/// The least width, in bits, that holds every amount below [`LOTS_LIMIT`].
pub const SUMMED_LOT_BITS: u32 = u64::BITS - (LOTS_LIMIT - 1).leading_zeros();

/// Least and greatest `k` (base-2 logarithm of the rows of a column).
pub const K_RANGE: std::ops::RangeInclusive<u32> = 6..=12;

/// Most columns of one layout.
pub const MAX_COLUMNS: usize = 256;

/// The `k` that suits what takes so many columns at each `k`: the least with at most `2^(k-5)` of them, but not 7, at which a proof takes as long as
/// at 8 and is longer; the greatest where there is none.
///
/// What a proof costs beside its columns doubles with `k`, and the number of columns halves. Proving is fastest at a `k` of one less for 1,000 to
/// 4,000 legs, by a sixth to a quarter; proofs are longer there by half, and those of the largest models beyond 8 KiB.
pub fn suitable_k(columns: impl Fn(u32) -> Option<usize>) -> u32 {
    let suits = |k: &u32| *k != 7 && columns(*k).is_some_and(|columns| columns <= 1 << (k - 5));
    K_RANGE.into_iter().find(suits).unwrap_or(*K_RANGE.end())
}

/// One slot of the account vector: `column * u + row`.
#[derive(Copy, Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LegId(u32);

impl LegId {
    /// The leg in slot `slot` of the account vector.
    pub const fn new(slot: u32) -> Self {
        Self(slot)
    }

    /// Its slot, an index into `q`.
    pub const fn index(self) -> usize {
        self.0 as usize
    }
}

/// Two legs of one thing: long and short, balance and debt, carry credit and carry debit.
///
/// Of an attested account at most one of the two is non-zero; a sum of accounts may have both.
#[derive(Copy, Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Pair {
    /// Long, balance or carry credit.
    pub first: LegId,
    /// Short, debt or carry debit.
    pub second: LegId,
}

/// Why a [`Layout`] was refused.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum LayoutError {
    /// `k` is out of range.
    #[error("k is {k}, it must be {} to {}", K_RANGE.start(), K_RANGE.end())]
    K {
        /// The refused `k`.
        k: u32,
    },
    /// No column, or more than [`MAX_COLUMNS`].
    #[error("the layout has {columns} columns, it must have 1 to {MAX_COLUMNS}")]
    Columns {
        /// Columns given.
        columns: usize,
    },
    /// The columns of a venue are not side by side.
    #[error("the venues of the columns are not in order: column {column} has a lower venue than the one before it")]
    VenueOrder {
        /// The first column out of order.
        column: usize,
    },
    /// A leg beyond the last slot.
    #[error("leg {} is beyond the last of {slots} slots", leg.index())]
    LegOutOfRange {
        /// The refused leg.
        leg: LegId,
        /// Slots of the layout.
        slots: usize,
    },
    /// Legs are not in increasing order, or one is there twice.
    #[error("the legs are not in increasing order without repetition at leg {}", leg.index())]
    LegOrder {
        /// The first leg out of order.
        leg: LegId,
    },
    /// A layout without legs.
    #[error("the layout has no leg")]
    NoLeg,
    /// A member of a pair is no leg of the layout.
    #[error("leg {} of a pair is no leg of the layout", leg.index())]
    PairLeg {
        /// The refused leg.
        leg: LegId,
    },
    /// A leg is in two pairs, or twice in one.
    #[error("leg {} is a member of two pairs, or twice of one", leg.index())]
    PairOverlap {
        /// The refused leg.
        leg: LegId,
    },
    /// The two legs of a pair belong to two venues.
    #[error("legs {} and {} of a pair belong to two venues", pair.first.index(), pair.second.index())]
    PairAcrossVenues {
        /// The refused pair.
        pair: Pair,
    },
}

/// Where every leg of an account vector stands: `k`, the venue of each column, the legs and their pairs.
///
/// A column has `2^k` rows, of which the first `u = 2^k - 16` may carry legs, and belongs to one venue.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Layout {
    k: u32,
    column_venues: Vec<u16>,
    legs: Vec<LegId>,
    pairs: Vec<Pair>,
}

impl Layout {
    /// A layout of columns with `2^k` rows; `column_venues[c]` is the index of the venue that owns column `c`.
    ///
    /// # Errors
    /// [`LayoutError`]: `k` outside [`K_RANGE`]; no column or more than [`MAX_COLUMNS`]; venues that decrease; legs
    /// that do not strictly increase or stand beyond the last slot; pairs that overlap, name no leg, or span two venues.
    pub fn new(k: u32, column_venues: Vec<u16>, legs: Vec<LegId>, pairs: Vec<Pair>) -> Result<Self, LayoutError> {
        if !K_RANGE.contains(&k) {
            return Err(LayoutError::K { k });
        }
        let columns = column_venues.len();
        if columns == 0 || columns > MAX_COLUMNS {
            return Err(LayoutError::Columns { columns });
        }
        if let Some(at) = column_venues.windows(2).position(|two| two[0] > two[1]) {
            return Err(LayoutError::VenueOrder { column: at + 1 });
        }
        let layout = Self {
            k,
            column_venues,
            legs,
            pairs,
        };
        layout.check_legs()?;
        layout.check_pairs()?;
        Ok(layout)
    }

    fn check_legs(&self) -> Result<(), LayoutError> {
        let last = *self.legs.last().ok_or(LayoutError::NoLeg)?;
        if let Some(two) = self.legs.windows(2).find(|two| two[0] >= two[1]) {
            return Err(LayoutError::LegOrder { leg: two[1] });
        }
        let slots = self.slots();
        if last.index() >= slots {
            return Err(LayoutError::LegOutOfRange { leg: last, slots });
        }
        Ok(())
    }

    fn check_pairs(&self) -> Result<(), LayoutError> {
        let mut used = vec![false; self.slots()];
        for pair in &self.pairs {
            for leg in [pair.first, pair.second] {
                if !self.contains(leg) {
                    return Err(LayoutError::PairLeg { leg });
                }
                if std::mem::replace(&mut used[leg.index()], true) {
                    return Err(LayoutError::PairOverlap { leg });
                }
            }
            let venue = |leg| self.column_venues[self.column_of(leg)];
            if venue(pair.first) != venue(pair.second) {
                return Err(LayoutError::PairAcrossVenues { pair: *pair });
            }
        }
        Ok(())
    }

    /// Base-2 logarithm of the rows of a column.
    pub fn k(&self) -> u32 {
        self.k
    }

    /// Legs per column, `u = 2^k - 16`.
    pub fn rows(&self) -> usize {
        (1 << self.k) - RESERVED_ROWS as usize
    }

    /// Number of columns.
    pub fn columns(&self) -> usize {
        self.column_venues.len()
    }

    /// Length of the account vector: columns × legs per column.
    pub fn slots(&self) -> usize {
        self.columns() * self.rows()
    }

    /// The index of the venue that owns each column.
    pub fn column_venues(&self) -> &[u16] {
        &self.column_venues
    }

    /// The slots that are legs, in increasing order.
    pub fn legs(&self) -> &[LegId] {
        &self.legs
    }

    /// The pairs of legs.
    pub fn pairs(&self) -> &[Pair] {
        &self.pairs
    }

    /// Whether a slot is a leg.
    pub fn contains(&self, leg: LegId) -> bool {
        self.legs.binary_search(&leg).is_ok()
    }

    /// The column of a leg.
    pub fn column_of(&self, leg: LegId) -> usize {
        leg.index() / self.rows()
    }

    /// The row of a leg inside its column.
    pub fn row_of(&self, leg: LegId) -> usize {
        leg.index() % self.rows()
    }
}

#[cfg(test)]
mod tests {
    use super::{K_RANGE, suitable_k};

    #[test]
    fn k_is_the_least_with_few_columns_and_never_seven() {
        let of_legs = |legs: usize| suitable_k(|k| Some(legs.div_ceil((1 << k) - 16)));
        for (legs, k) in [
            (2, 6),
            (2 * 48, 6),
            (2 * 48 + 1, 8),
            (8 * 240, 8),
            (8 * 240 + 1, 9),
            (20_000, 10),
        ] {
            assert_eq!(of_legs(legs), k, "{legs} legs");
        }
        assert_eq!(suitable_k(|k| (k == 9).then_some(1)), 9);
        assert_eq!(suitable_k(|_| None), *K_RANGE.end());
    }
}
