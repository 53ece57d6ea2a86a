//! The circuit: one running inner product and one range check (protocol §5).
//!
//! Columns: `q` (the account vector), `z` (the hidden variables as running sums of limbs), `a` (the folded matrix, linked to
//! its public commitment), `acc`; instance columns `f` and `s` (folded coefficients of `w` and `w∘w`, and `γ`). There is no permutation
//! argument and no equality constraint; which cells hold what the venue signed is the link's business.
//!
//! ```text
//! acc_0 = 0                                                                      "accumulator starts at zero"
//! acc_{i+1} = acc_i + Σ_c q_c·a_c + Σ_d z_d·f_d + Σ_{d<D_q} z_d²·s_d             "accumulator adds the row"
//! acc_last = γ                                                                    "accumulator ends at gamma"
//! z_{d,i} - m_i·z_{d,i+1} ∈ [0, 2^K)                                              lookup, one per z column
//! ```

use ff::Field;
use halo2_proofs::circuit::{Layouter, SimpleFloorPlanner, Value};
use halo2_proofs::plonk::{
    Advice, Circuit, Column, ConstraintSystem, Constraints, Error, Fixed, Instance, Selector, TableColumn,
    VerifyingKey, keygen_vk,
};
use halo2_proofs::poly::Rotation;
use pasta_curves::{EqAffine, Fp};
use zkmargin_program::RESERVED_ROWS;

use crate::parameters::Parameters;
use crate::shape::{Placement, Shape, ShapeError, current_shape, with_shape};
use crate::witness::Witness;

/// Version of the circuit; part of the statement.
pub const CIRCUIT_VERSION: u32 = 1;

/// The columns of the circuit.
#[derive(Clone, Debug)]
pub(crate) struct Config {
    q: Vec<Column<Advice>>,
    z: Vec<Column<Advice>>,
    a: Vec<Column<Advice>>,
    acc: Column<Advice>,
    m: Column<Fixed>,
    limbs: TableColumn,
    first: Selector,
    sum: Selector,
    last: Selector,
}

/// One account's proof obligation. Without a witness it is what keys are made of.
#[derive(Clone)]
pub(crate) struct MarginCircuit {
    shape: Shape,
    last: usize,
    witness: Option<Witness>,
}

impl MarginCircuit {
    pub(crate) fn new(placement: &Placement, witness: Option<Witness>) -> Self {
        Self {
            shape: placement.shape().clone(),
            last: placement.last(),
            witness,
        }
    }
}

impl Circuit<Fp> for MarginCircuit {
    type Config = Config;
    type FloorPlanner = SimpleFloorPlanner;

    fn without_witnesses(&self) -> Self {
        Self {
            shape: self.shape.clone(),
            last: self.last,
            witness: None,
        }
    }

    fn configure(meta: &mut ConstraintSystem<Fp>) -> Config {
        // A circuit of a default shape would be a circuit that proves something else. Every call goes through `with_shape`.
        #[allow(clippy::expect_used)]
        let shape = current_shape().expect("the circuit is configured inside with_shape");
        configure_shape(meta, &shape)
    }

    fn synthesize(&self, config: Config, mut layouter: impl Layouter<Fp>) -> Result<(), Error> {
        layouter.assign_table(
            || "limbs",
            |mut table| {
                for limb in 0..1u64 << self.shape.limb_bits {
                    table.assign_cell(|| "limb", config.limbs, limb as usize, || Value::known(Fp::from(limb)))?;
                }
                Ok(())
            },
        )?;
        layouter.assign_region(
            || "margin",
            |mut region| {
                for (row, multiplier) in self.shape.m().into_iter().enumerate() {
                    region.assign_fixed(|| "m", config.m, row, || Value::known(Fp::from(multiplier)))?;
                }
                config.first.enable(&mut region, 0)?;
                config.last.enable(&mut region, self.last)?;
                for row in 0..self.last {
                    config.sum.enable(&mut region, row)?;
                }
                let Some(witness) = &self.witness else { return Ok(()) };
                let columns = (config.q.iter().zip(&witness.q))
                    .chain(config.z.iter().zip(&witness.z))
                    .chain(config.a.iter().zip(&witness.a))
                    .chain([(&config.acc, &witness.acc)]);
                for (column, values) in columns {
                    // Every usable cell is assigned, so that none is left to a default of the library.
                    for row in 0..=self.last {
                        let value = values.get(row).copied().unwrap_or(Fp::ZERO);
                        region.assign_advice(|| "witness", *column, row, || Value::known(value))?;
                    }
                }
                Ok(())
            },
        )
    }
}

fn configure_shape(meta: &mut ConstraintSystem<Fp>, shape: &Shape) -> Config {
    // The order of the advice columns is the order in which the prover's randomness is drawn: q, z, a, acc.
    let mut advice = |count: usize| (0..count).map(|_| meta.advice_column()).collect::<Vec<_>>();
    let (q, z, a) = (
        advice(shape.q_columns),
        advice(shape.z_columns),
        advice(shape.q_columns),
    );
    let acc = meta.advice_column();
    let m = meta.fixed_column();
    let limbs = meta.lookup_table_column();
    let mut instance = |count: usize| {
        (0..count)
            .map(|_| meta.instance_column())
            .collect::<Vec<Column<Instance>>>()
    };
    let (f, s) = (instance(shape.z_columns), instance(shape.square_columns));
    let (first, sum, last) = (meta.selector(), meta.selector(), meta.selector());

    for z in &z {
        meta.lookup(|meta| {
            let current = meta.query_advice(*z, Rotation::cur());
            let next = meta.query_advice(*z, Rotation::next());
            let m = meta.query_fixed(m);
            vec![(current - m * next, limbs)]
        });
    }
    meta.create_gate("accumulator starts at zero", |meta| {
        let first = meta.query_selector(first);
        let acc = meta.query_advice(acc, Rotation::cur());
        Constraints::with_selector(first, [("acc_0 = 0", acc)])
    });
    meta.create_gate("accumulator adds the row", |meta| {
        let selector = meta.query_selector(sum);
        let mut difference = meta.query_advice(acc, Rotation::next()) - meta.query_advice(acc, Rotation::cur());
        for (q, a) in q.iter().zip(&a) {
            difference = difference - meta.query_advice(*q, Rotation::cur()) * meta.query_advice(*a, Rotation::cur());
        }
        for (z, f) in z.iter().zip(&f) {
            difference = difference - meta.query_advice(*z, Rotation::cur()) * meta.query_instance(*f, Rotation::cur());
        }
        for (z, s) in z.iter().zip(&s) {
            let z = meta.query_advice(*z, Rotation::cur());
            difference = difference - z.clone() * z * meta.query_instance(*s, Rotation::cur());
        }
        Constraints::with_selector(selector, [("acc' = acc + q·a + z·f + z²·s", difference)])
    });
    meta.create_gate("accumulator ends at gamma", |meta| {
        let last = meta.query_selector(last);
        let acc = meta.query_advice(acc, Rotation::cur());
        // A shape has at least one `z` column, and so one `f`.
        let gamma = meta.query_instance(f[0], Rotation::cur());
        Constraints::with_selector(last, [("acc_last = γ", acc - gamma)])
    });
    Config {
        q,
        z,
        a,
        acc,
        m,
        limbs,
        first,
        sum,
        last,
    }
}

/// The last usable row of a circuit with this shape's columns, read from its constraint system.
pub(crate) fn last_usable_row(shape: &Shape) -> Result<usize, ShapeError> {
    let mut meta = ConstraintSystem::<Fp>::default();
    configure_shape(&mut meta, shape);
    let (needed, reserved) = (meta.blinding_factors() + 2, RESERVED_ROWS as usize);
    match needed <= reserved {
        true => Ok(shape.n() - needed),
        false => Err(ShapeError::ReservedRows { needed, reserved }),
    }
}

/// The verifying key of a shape: always rebuilt, never read.
pub(crate) fn verifying_key(parameters: &Parameters, placement: &Placement) -> Result<VerifyingKey<EqAffine>, Error> {
    let circuit = MarginCircuit::new(placement, None);
    with_shape(placement.shape(), || keygen_vk(parameters.params(), &circuit))
}

#[cfg(all(test, feature = "prove"))]
mod tests;
