//! The statement that every system proves, and the vectors that it is proven on.
//!
//! Public: a matrix of integers `A`, a scenario per row and a leg per column, and a hiding commitment. Hidden: the account that the
//! commitment opens to, lots `q_i` per leg and collateral `c`, and
//!
//! ```text
//! m_j = c + Σ_i A_ji·q_i ≥ 0     for every scenario j
//! ```
//!
//! That lots and collateral are from `0` to `2^48 - 1` is the word of whoever attests the commitment, here as in `docs/protocol.md`, section 2:
//! no system proves it, and every system may rely on it.

use anyhow::{Result, ensure};
use rand_chacha::ChaCha20Rng;
use rand_core::{Rng, SeedableRng};

/// Lots and collateral are below two to this power.
pub const LOT_BITS: u32 = 48;
/// Coefficients of the matrix are below two to this power, in magnitude.
pub const COEFFICIENT_BITS: u32 = 40;
/// Margins are proven in at least this many bits, and no system need prove a larger one.
pub const MONEY_BITS: u32 = 80;
/// More legs than this could make a sum that wraps around in one of the systems.
pub const MAX_LEGS: usize = 1 << 14;

/// Every drawing of the vectors starts here.
const SEED: u64 = 0x7a6b_6d61_7267_696e;
/// Instruments that a book holds at most: a trader's book, not a market's, so that collateral fits into `2^48`.
const HELD: usize = 128;
/// Lots of one held instrument are from 1 to this.
const MAX_HELD_LOTS: u64 = 16;

/// A public margin matrix.
#[derive(Clone, Debug)]
pub struct Matrix {
    scenarios: Vec<Vec<i64>>,
    legs: usize,
    digest: [u8; 32],
}

/// A hidden account.
#[derive(Clone, Debug)]
pub struct Book {
    /// Lots per leg; of a long and the short leg after it at most one is not zero.
    pub lots: Vec<u64>,
    /// In the unit of the matrix times lots.
    pub collateral: u64,
}

impl Matrix {
    /// The matrix of the given size: profit and loss of a lot under each scenario. A long leg is followed by its short leg, which loses
    /// what the long one wins and a charge, so that neither is the other's negative and a commitment to net positions would not do.
    pub fn new(legs: usize, scenarios: usize) -> Result<Self> {
        ensure!(
            legs > 0 && legs.is_multiple_of(2),
            "legs come in pairs, and there are {legs}"
        );
        ensure!(legs <= MAX_LEGS, "{legs} legs are more than {MAX_LEGS}");
        ensure!(scenarios > 0, "there is no scenario");
        let mut rng = ChaCha20Rng::seed_from_u64(SEED);
        let bits = |rng: &mut ChaCha20Rng, bits: u32| (rng.next_u64() >> (64 - bits)) as i64;
        let scenarios: Vec<Vec<i64>> = (0..scenarios)
            .map(|_| {
                let pairs = (0..legs / 2).flat_map(|_| {
                    let move_ = bits(&mut rng, COEFFICIENT_BITS) - (1 << (COEFFICIENT_BITS - 1));
                    let charge = bits(&mut rng, COEFFICIENT_BITS - 10);
                    [move_, -move_ - charge]
                });
                pairs.collect()
            })
            .collect();
        Self::from_scenarios(scenarios)
    }

    /// The matrix of given scenarios. The two legs of an instrument together never win.
    pub fn from_scenarios(scenarios: Vec<Vec<i64>>) -> Result<Self> {
        let legs = scenarios.first().map_or(0, Vec::len);
        let mut state = blake2b_simd::Params::new().hash_length(32).to_state();
        state.update(&(legs as u64).to_le_bytes());
        for scenario in &scenarios {
            ensure!(
                scenario.len() == legs,
                "a scenario has {} legs, another has {legs}",
                scenario.len()
            );
            for coefficient in scenario {
                ensure!(
                    coefficient.unsigned_abs() >> COEFFICIENT_BITS == 0,
                    "{coefficient} is too large"
                );
                state.update(&coefficient.to_le_bytes());
            }
        }
        let mut digest = [0; 32];
        digest.copy_from_slice(state.finalize().as_bytes());
        Ok(Self {
            scenarios,
            legs,
            digest,
        })
    }

    /// One row per scenario, one coefficient per leg.
    pub fn scenarios(&self) -> &[Vec<i64>] {
        &self.scenarios
    }

    /// Legs, without the collateral.
    pub fn legs(&self) -> usize {
        self.legs
    }

    /// Binds proofs to the matrix. It is computed once, as by a partner who gets many proofs under one matrix.
    pub fn digest(&self) -> &[u8; 32] {
        &self.digest
    }

    /// `m_j` for every scenario.
    pub fn margins(&self, book: &Book) -> Vec<i128> {
        let margin = |scenario: &Vec<i64>| {
            let products = scenario.iter().zip(&book.lots);
            i128::from(book.collateral) + products.map(|(a, q)| i128::from(*a) * i128::from(*q)).sum::<i128>()
        };
        self.scenarios.iter().map(margin).collect()
    }

    /// The book whose least margin is `least`, negative for a book that does not meet the statement.
    pub fn book(&self, least: i64) -> Result<Book> {
        let mut rng = ChaCha20Rng::seed_from_u64(SEED ^ 1);
        let instruments = self.legs / 2;
        let held = (instruments / 3).clamp(1, HELD);
        let mut book = Book {
            lots: vec![0; self.legs],
            collateral: 0,
        };
        for index in 0..held {
            let leg = 2 * (index * instruments / held) + (rng.next_u32() % 2) as usize;
            book.lots[leg] = 1 + rng.next_u64() % MAX_HELD_LOTS;
        }
        let worst = |book: &Book| self.margins(book).into_iter().min().unwrap_or(0);
        if worst(&book) > 0 {
            // It wins under every scenario, as happens with few of them, and no collateral is low enough. The other sides lose under all.
            book.lots.chunks_exact_mut(2).for_each(|pair| pair.swap(0, 1));
        }
        let worst = worst(&book);
        book.collateral = u64::try_from(i128::from(least) - worst)?;
        ensure!(
            book.collateral >> LOT_BITS == 0,
            "the collateral has more than {LOT_BITS} bits"
        );
        Ok(book)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn books_have_the_least_margin_that_was_asked_for() -> Result<()> {
        for (legs, scenarios) in [(2, 1), (64, 27), (1024, 27), (1024, 250)] {
            let matrix = Matrix::new(legs, scenarios)?;
            for least in [-1, 0, 1_000_000] {
                let margins = matrix.margins(&matrix.book(least)?);
                assert_eq!(margins.iter().min(), Some(&i128::from(least)));
                assert_eq!(
                    margins.iter().filter(|margin| **margin < 0).count(),
                    usize::from(least < 0)
                );
            }
        }
        Ok(())
    }
}
