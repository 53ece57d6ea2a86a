//! The randomness of the proof library, replayed (protocol §5).

use std::collections::VecDeque;
use std::convert::Infallible;

use ff::{Field, PrimeField};
use group::Curve;
use pasta_curves::{EqAffine, Fp};
use rand_chacha::ChaCha20Rng;
use rand_core::{Rng, SeedableRng, TryRng};

use crate::columns::Matrix;
use crate::plan::Plan;
use crate::setup::Setup;

/// What `create_proof` will draw for one circuit.
pub(crate) struct Draws {
    pub(crate) rows: Matrix,
    pub(crate) blinds: Vec<Fp>,
}

impl Draws {
    /// The commitment to an advice column.
    pub(crate) fn commit(&self, setup: &Setup, column: usize, usable: &[Fp]) -> EqAffine {
        let rows: Vec<Fp> = usable.iter().chain(&self.rows[column]).copied().collect();
        setup.commit(&rows, self.blinds[column]).to_affine()
    }
}

/// Hands out given draws first.
pub(crate) struct Chosen {
    queue: VecDeque<u64>,
    rest: ChaCha20Rng,
}

impl TryRng for Chosen {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        panic!("the library draws scalars of eight words")
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        Ok(self.queue.pop_front().unwrap_or_else(|| self.rest.next_u64()))
    }

    fn try_fill_bytes(&mut self, _: &mut [u8]) -> Result<(), Infallible> {
        panic!("the library draws scalars of eight words")
    }
}

/// The draws of all circuits, some of them chosen, and a generator that makes them again.
pub(crate) fn draw(
    plan: &Plan,
    circuits: usize,
    seed: [u8; 32],
    chosen: &[(usize, usize, usize, Fp)],
) -> (Vec<Draws>, Chosen) {
    let mut rest = ChaCha20Rng::from_seed(seed);
    let columns = plan.advice_columns();
    let mut draws: Vec<Draws> = (0..circuits)
        .map(|_| {
            let mut scalars = |count: usize| (0..count).map(|_| Fp::random(&mut rest)).collect::<Vec<Fp>>();
            let rows = (0..columns).map(|_| scalars(plan.unusable())).collect();
            let blinds = scalars(columns);
            Draws { rows, blinds }
        })
        .collect();
    for (circuit, column, row, value) in chosen {
        draws[*circuit].rows[*column][*row] = *value;
    }
    let in_order = (draws.iter()).flat_map(|draws| draws.rows.iter().flatten().chain(&draws.blinds));
    let queue = in_order.flat_map(words).collect();
    (draws, Chosen { queue, rest })
}

/// The eight words that the library makes this scalar of.
fn words(scalar: &Fp) -> Vec<u64> {
    let repr = scalar.to_repr();
    let words = repr
        .chunks(8)
        .map(|word| u64::from_le_bytes(word.try_into().expect("8 bytes")));
    words.chain([0; 4]).collect()
}
