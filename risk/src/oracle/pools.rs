//! A book taken apart: cross margin, and each isolated position by itself.

use zeroize::Zeroizing;
use zkmargin_program::LegId;

use crate::universe::{Line, Universe};

/// Books that add up to one.
pub(super) struct Pools {
    /// Without isolated positions.
    pub(super) cross: Zeroizing<Vec<u64>>,
    /// Each isolated position that has anything, in the order of venues and of names.
    pub(super) isolated: Vec<Position>,
}

/// An isolated position.
pub(super) struct Position {
    pub(super) venue: String,
    pub(super) instrument: String,
    /// Of its own lines alone.
    pub(super) legs: Zeroizing<Vec<u64>>,
}

impl Pools {
    pub(super) fn of(universe: &Universe, legs: &[u64]) -> Pools {
        let mut pools = Pools {
            cross: Zeroizing::new(legs.to_vec()),
            isolated: Vec::new(),
        };
        for venue in universe.venues() {
            for (name, lines) in venue.isolated() {
                let own: Vec<LegId> = lines.into_iter().flat_map(Line::legs).collect();
                let is_held = |leg: &LegId| legs.get(leg.index()).is_some_and(|lots| *lots > 0);
                if !own.iter().any(is_held) {
                    continue;
                }
                let mut alone = Zeroizing::new(vec![0; legs.len()]);
                for leg in own {
                    if let (Some(from), Some(to)) = (pools.cross.get_mut(leg.index()), alone.get_mut(leg.index())) {
                        std::mem::swap(from, to);
                    }
                }
                pools.isolated.push(Position {
                    venue: venue.name.clone(),
                    instrument: name.to_owned(),
                    legs: alone,
                });
            }
        }
        pools
    }
}
