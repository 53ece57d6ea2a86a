//! The hidden columns of a circuit.

#[cfg(feature = "prove")]
use ff::{Field, PrimeField};
use pasta_curves::Fp;
use zeroize::Zeroize;
#[cfg(feature = "prove")]
use zeroize::Zeroizing;

#[cfg(feature = "prove")]
use crate::shape::Placement;

/// The hidden columns of one circuit, without their unusable rows. Overwritten when dropped.
#[derive(Clone)]
pub(crate) struct Witness {
    pub(crate) q: Vec<Vec<Fp>>,
    pub(crate) z: Vec<Vec<Fp>>,
    pub(crate) a: Vec<Vec<Fp>>,
    pub(crate) acc: Vec<Fp>,
}

impl Drop for Witness {
    fn drop(&mut self) {
        for column in self.q.iter_mut().chain(&mut self.z) {
            column.zeroize();
        }
        self.acc.zeroize();
    }
}

#[cfg(feature = "prove")]
impl Witness {
    /// Adds to the given columns `acc`, the sums that the gate demands.
    pub(crate) fn new(
        placement: &Placement,
        q: Vec<Vec<Fp>>,
        z: Vec<Vec<Fp>>,
        a: Vec<Vec<Fp>>,
        instance: &[Vec<Fp>],
    ) -> Self {
        let mut witness = Self {
            q,
            z,
            a,
            acc: Vec::new(),
        };
        witness.acc = witness.accumulate(placement, instance);
        witness
    }

    pub(crate) fn accumulate(&self, placement: &Placement, instance: &[Vec<Fp>]) -> Vec<Fp> {
        let shape = placement.shape();
        let (f, s) = instance.split_at(shape.z_columns);
        let mut sums = Zeroizing::new(vec![Fp::ZERO; placement.last()]);
        let mut add = |left: &[Fp], right: &[Fp]| {
            for (sum, (left, right)) in sums.iter_mut().zip(left.iter().zip(right)) {
                if !bool::from(left.is_zero()) {
                    *sum += left * right;
                }
            }
        };
        self.q.iter().zip(&self.a).for_each(|(q, a)| add(q, a));
        self.z.iter().zip(f).for_each(|(z, f)| add(z, f));
        for (z, s) in self.z.iter().zip(s) {
            let squares = Zeroizing::new(z.iter().map(Field::square).collect::<Vec<Fp>>());
            add(&squares, s);
        }
        let mut acc = Vec::with_capacity(sums.len() + 1);
        acc.push(Fp::ZERO);
        acc.extend(sums.iter().scan(Fp::ZERO, |total, sum| {
            *total += sum;
            Some(*total)
        }));
        acc
    }
}

/// The `z` columns: each variable as the running sum of its limbs, `z_i = limb_i + 2^K·z_{i+1}`.
#[cfg(feature = "prove")]
pub(crate) fn running_sums(placement: &Placement, w: &[u128]) -> Vec<Vec<Fp>> {
    let shape = placement.shape();
    let rows = shape.runs.last().map_or(0, |run| run.start + run.limbs);
    let mut z = vec![vec![Fp::ZERO; rows]; shape.z_columns];
    for (cell, value) in placement.cells().iter().zip(w) {
        let mut rest = *value;
        for sum in &mut z[cell.column][cell.row..cell.row + cell.limbs] {
            *sum = Fp::from_u128(rest);
            rest >>= shape.limb_bits;
        }
    }
    z
}
