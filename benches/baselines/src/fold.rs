//! Folding with multipliers of 128 bits that are hashed from what was committed to: `Σ_j r_j·m_j = (Σ_j r_j)·c + Σ_i (Σ_j r_j·A_ji)·q_i` holds
//! exactly if every scenario's equation does, but for a chance of `2^-128`.

use crate::statement::Matrix;

/// `low + 2^64·high`: a sum of products that no machine integer holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Wide {
    /// Below `2^126` in magnitude.
    pub low: i128,
    /// Below `2^126` in magnitude.
    pub high: i128,
}

/// The multipliers, one per scenario, from everything that precedes them.
#[derive(Clone, Debug)]
pub struct Multipliers(Vec<u128>);

impl Multipliers {
    /// `said` is what the prover has said so far; the matrix is added here.
    pub fn new(label: &str, matrix: &Matrix, said: &[&[u8]]) -> Self {
        let mut state = blake2b_simd::Params::new().hash_length(32).to_state();
        for part in [label.as_bytes(), matrix.digest()].iter().chain(said) {
            state.update(&(part.len() as u64).to_le_bytes()).update(part);
        }
        let seed = state.finalize();
        let multiplier = |index: u64| {
            let hash = blake2b_simd::Params::new()
                .hash_length(16)
                .key(seed.as_bytes())
                .hash(&index.to_le_bytes());
            hash.as_bytes()
                .iter()
                .rev()
                .fold(0, |sum, byte| sum << 8 | u128::from(*byte))
        };
        Self((0..matrix.scenarios().len() as u64).map(multiplier).collect())
    }

    /// `r_j`.
    pub fn values(&self) -> &[u128] {
        &self.0
    }

    /// `Σ_j r_j`.
    pub fn sum(&self) -> Wide {
        self.0.iter().fold(Wide::default(), |sum, r| sum.plus(*r, 1))
    }

    /// `Σ_j r_j·A_ji`, one per leg.
    pub fn fold(&self, matrix: &Matrix) -> Vec<Wide> {
        let mut folded = vec![Wide::default(); matrix.legs()];
        for (r, scenario) in self.0.iter().zip(matrix.scenarios()) {
            for (sum, coefficient) in folded.iter_mut().zip(scenario) {
                *sum = sum.plus(*r, *coefficient);
            }
        }
        folded
    }
}

impl Wide {
    /// Two machine multiplications instead of one in a field. `2^64` times a coefficient of 40 bits leaves room for `2^22` summands.
    fn plus(self, r: u128, coefficient: i64) -> Self {
        let (low, high) = (r as u64, (r >> 64) as u64);
        Self {
            low: self.low + i128::from(low) * i128::from(coefficient),
            high: self.high + i128::from(high) * i128::from(coefficient),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn multipliers_depend_on_all_that_was_said() -> anyhow::Result<()> {
        let matrix = Matrix::new(4, 3)?;
        let first = |matrix: &Matrix, said: &[&[u8]]| Multipliers::new("test", matrix, said).values()[0];
        let all = [
            first(&matrix, &[b"ab", b"c"]),
            first(&matrix, &[b"a", b"bc"]),
            first(&matrix, &[b"ab"]),
            first(&Matrix::new(4, 4)?, &[b"ab", b"c"]),
        ];
        assert!((0..4).all(|i| (0..i).all(|j| all[i] != all[j])));
        Ok(())
    }

    #[test]
    fn folding_is_linear() -> anyhow::Result<()> {
        let matrix = Matrix::new(6, 5)?;
        let r = Multipliers::new("test", &matrix, &[]);
        // Modulo 2^128, where the halves of a number meet again.
        let joined = |wide: Wide| wide.low.wrapping_add(wide.high.wrapping_shl(64)) as u128;
        for (leg, folded) in r.fold(&matrix).into_iter().enumerate() {
            let products = r.values().iter().zip(matrix.scenarios());
            let expected = products.fold(0u128, |sum, (r, row)| {
                sum.wrapping_add(r.wrapping_mul(i128::from(row[leg]) as u128))
            });
            assert_eq!(joined(folded), expected);
        }
        Ok(())
    }
}
