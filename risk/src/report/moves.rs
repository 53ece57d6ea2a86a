//! How far an index may move before a level fails.

use rust_decimal::Decimal;

use crate::market::Snapshot;
use crate::model::Model;
use crate::oracle::{self, Evaluation};
use crate::report::ReportError;
use crate::terms::{Level, Margin, Ratio20, Terms};
use crate::universe::Universe;

/// The furthest fall that is tried, in basis points: at 100 % nothing has a price.
pub const MAX_DOWN_BP: i32 = 9_990;
/// The furthest rise that is tried, in basis points.
pub const MAX_UP_BP: i32 = 50_000;
/// The steps of the scan: up to a distance, in strides, all in basis points.
const STRIDES: [(i32, i32); 4] = [(2_000, 100), (5_000, 250), (10_000, 500), (MAX_UP_BP, 1_000)];

/// What may fail.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum Criterion {
    /// `V - R >= 0` at a level.
    Level(Level),
    /// `V - ρ R - e >= 0`, as the statement says it.
    Statement,
}

impl Criterion {
    /// Level, ratio and least excess.
    pub(super) const fn of(self, terms: &Terms) -> (Level, Ratio20, u64) {
        match self {
            Criterion::Level(level) => (level, Ratio20::ONE, 0),
            Criterion::Statement => {
                let level = match terms.margin {
                    Margin::Level(level) => level,
                    // Of which there is no report.
                    Margin::Variation => Level::Initial,
                };
                (level, terms.ratio, terms.excess)
            }
        }
    }
}

/// Where something fails.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum Failure {
    /// It fails without any move.
    Now,
    /// It fails at this move in basis points, negative for a fall.
    At(i32),
    /// It holds at every move that was tried, to [`MAX_DOWN_BP`] or [`MAX_UP_BP`].
    NotWithin,
}

/// The smallest moves of one underlying at which the rule fails, down and up.
///
/// Index, forwards, futures and perpetual of the underlying move together, and with them the price of every asset that the model moves with it;
/// volatilities, time and all else stay, and book, value and requirement are evaluated anew. The moves that are tried are 1 % apart to 20 %, 2.5 %
/// to 50 %, 5 % to 100 % and 10 % to 500 %; between the last that holds and the first that fails the edge is found to a basis
/// point. A failure between two tried moves that both hold is not seen.
#[derive(Clone, PartialEq, Eq)]
pub struct IndexMoves {
    /// The underlying.
    pub underlying: String,
    /// What fails.
    pub criterion: Criterion,
    /// The fall at which it does.
    pub down: Failure,
    /// The rise at which it does.
    pub up: Failure,
}

opaque_debug!(IndexMoves);

/// A book whose index is moved.
struct Scan<'a> {
    model: &'a Model,
    universe: &'a Universe,
    snapshot: &'a Snapshot,
    terms: &'a Terms,
    legs: &'a [u64],
    underlying: &'a str,
}

/// The smallest moves for each underlying that the model names and the snapshot has: initial, maintenance, and the statement where that asks for more than its level.
pub(super) fn index_moves(
    model: &Model,
    universe: &Universe,
    snapshot: &Snapshot,
    terms: &Terms,
    legs: &[u64],
    now: &Evaluation,
) -> Result<Vec<IndexMoves>, ReportError> {
    let criteria = [
        Criterion::Level(Level::Initial),
        Criterion::Level(Level::Maintenance),
        Criterion::Statement,
    ];
    let is_own = |criterion| criterion != Criterion::Statement || terms.ratio != Ratio20::ONE || terms.excess > 0;
    let mut found = Vec::new();
    let names = model.names();
    for underlying in names.underlyings.keys().copied() {
        if !snapshot.underlyings.contains_key(underlying) {
            continue;
        }
        let scan = Scan {
            model,
            universe,
            snapshot,
            terms,
            legs,
            underlying,
        };
        let holds_now = criteria.map(|criterion| scan.holds(now, criterion));
        let down = scan.failures(criteria, holds_now, -1, MAX_DOWN_BP)?;
        let up = scan.failures(criteria, holds_now, 1, MAX_UP_BP)?;
        for ((criterion, down), up) in criteria
            .into_iter()
            .zip(down)
            .zip(up)
            .filter(|((criterion, _), _)| is_own(*criterion))
        {
            found.push(IndexMoves {
                underlying: underlying.to_owned(),
                criterion,
                down,
                up,
            });
        }
    }
    Ok(found)
}

impl Scan<'_> {
    fn holds(&self, evaluation: &Evaluation, criterion: Criterion) -> bool {
        let (level, ratio, excess) = criterion.of(self.terms);
        evaluation.is_met(level, ratio, excess)
    }

    /// The first failure of each criterion in one direction, `sign` being 1 or -1.
    fn failures<const N: usize>(
        &self,
        criteria: [Criterion; N],
        holds_now: [bool; N],
        sign: i32,
        furthest: i32,
    ) -> Result<[Failure; N], ReportError> {
        let mut failures = holds_now.map(|holds| if holds { Failure::NotWithin } else { Failure::Now });
        let mut last = 0;
        for distance in distances(furthest) {
            if !failures.contains(&Failure::NotWithin) {
                break;
            }
            let evaluation = self.evaluate(sign * distance)?;
            for (failure, criterion) in failures.iter_mut().zip(criteria) {
                if *failure == Failure::NotWithin && !self.holds(&evaluation, criterion) {
                    *failure = Failure::At(sign * self.edge(criterion, sign, last, distance)?);
                }
            }
            last = distance;
        }
        Ok(failures)
    }

    /// The edge between a distance that holds and one that fails: the nearer neighbor of the distance that is returned holds.
    fn edge(&self, criterion: Criterion, sign: i32, mut holds: i32, mut fails: i32) -> Result<i32, ReportError> {
        while fails - holds > 1 {
            let middle = holds + (fails - holds) / 2;
            if self.holds(&self.evaluate(sign * middle)?, criterion) {
                holds = middle;
            } else {
                fails = middle;
            }
        }
        Ok(fails)
    }

    fn evaluate(&self, basis_points: i32) -> Result<Evaluation, ReportError> {
        let moved = self.moved(basis_points);
        let moved = moved.ok_or_else(|| ReportError::Move {
            underlying: self.underlying.to_owned(),
            basis_points,
        })?;
        Ok(oracle::evaluate(self.model, self.universe, &moved, self.legs)?)
    }

    /// The snapshot with one underlying moved; `None` if a price does not fit into a decimal.
    fn moved(&self, basis_points: i32) -> Option<Snapshot> {
        let factor = Decimal::new(i64::from(10_000 + basis_points), 4);
        let times = |price: Decimal| price.checked_mul(factor).filter(|moved| *moved > Decimal::ZERO);
        let mut snapshot = self.snapshot.clone();
        let market = snapshot.underlyings.get_mut(self.underlying)?;
        market.index = times(market.index)?;
        if let Some(perpetual) = &mut market.perpetual {
            perpetual.price = times(perpetual.price)?;
        }
        for future in market.futures.values_mut() {
            future.price = times(future.price)?;
        }
        for expiry in market.expiries.values_mut() {
            expiry.forward = times(expiry.forward)?;
        }
        let names = self.model.names();
        for (name, price) in &mut snapshot.assets {
            let moves_with = names.assets.get(name.as_str()).copied().flatten();
            let is_coin = self.snapshot.underlyings.contains_key(name);
            if name == self.underlying || (!is_coin && moves_with == Some(self.underlying)) {
                *price = times(*price)?;
            }
        }
        Some(snapshot)
    }
}

/// The distances that are tried, in basis points, nearest first, the furthest among them.
fn distances(furthest: i32) -> Vec<i32> {
    let mut distances = Vec::new();
    let mut at = 0;
    for (to, stride) in STRIDES {
        while at < to.min(furthest) {
            at = (at + stride).min(furthest);
            distances.push(at);
        }
    }
    distances
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_scan_is_finest_near_the_market_and_ends_at_its_bounds() {
        let (down, up) = (distances(MAX_DOWN_BP), distances(MAX_UP_BP));
        assert_eq!(down.first().zip(down.last()), Some((&100, &MAX_DOWN_BP)));
        assert_eq!(up.last(), Some(&MAX_UP_BP));
        assert_eq!((down.len(), up.len()), (20 + 12 + 10, 20 + 12 + 10 + 40));
        assert!(up.windows(2).all(|pair| pair[0] < pair[1]));
    }
}
