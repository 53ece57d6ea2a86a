//! The circuit: one running inner product and one range check (protocol §5).
//!
//! Columns: `q` (the account vector), `x` (the roots of hidden variables that are sums of squares), `z` (hidden variables as running
//! sums of limbs); `a`, `b` and `s` (the folded matrix, the folded projections of the roots, the folded coefficients of their squares;
//! linked to their public commitments), `acc`; instance columns `f` and `s'` (folded coefficients of what stands in `z`, and of its
//! squares). The linked columns hold the `γ_t` in their last usable row, the `t`-th of them one each. There is no permutation argument and no equality constraint; which cells hold what the venue signed is the
//! link's business.
//!
//! ```text
//! acc_{t,0} = 0                                                                   "accumulators start at zero"
//! acc_{0,i+1} = acc_{0,i} + Σ_c q_c·a_c + Σ_d z_d·f_d + Σ_{d<D_q} z_d²·s'_d
//!             + Σ_G ( x_{G,0}·b_G - Σ_t x_{G,t}²·s_G )                            "accumulators add the row"
//! acc_{t,i+1} = acc_{t,i} + Σ_G x_{G,t}·b_G                        0 < t < g      "accumulators add the row"
//! acc_{t,last} = γ_t                                                              "accumulators end at gamma"
//! z_{d,i} - m_i·z_{d,i+1} ∈ [0, 2^K)                                              lookup, one per z column
//! ```

use ff::Field;
use halo2_proofs::circuit::{Layouter, SimpleFloorPlanner, Value};
use halo2_proofs::plonk::{
    Advice, Circuit, Column, ConstraintSystem, Constraints, Error, Expression, Fixed, Instance, Selector, TableColumn,
};
use halo2_proofs::poly::Rotation;
use pasta_curves::Fp;
use zkmargin_program::RESERVED_ROWS;

use crate::shape::{Placement, Shape, ShapeError, current_shape};
use crate::witness::Witness;

/// Version of the circuit; part of the statement.
pub const CIRCUIT_VERSION: u32 = 3;

/// The columns of the circuit.
#[derive(Clone, Debug)]
pub(crate) struct Config {
    q: Vec<Column<Advice>>,
    x: Vec<Column<Advice>>,
    z: Vec<Column<Advice>>,
    /// `a`, `b`, `s`.
    public: Vec<Column<Advice>>,
    /// `g` of them.
    acc: Vec<Column<Advice>>,
    /// `m` and the table of limbs, if there are lookups.
    limbs: Option<(Column<Fixed>, TableColumn)>,
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
        if let Some((_, limbs)) = config.limbs {
            layouter.assign_table(
                || "limbs",
                |mut table| {
                    for limb in 0..1u64 << self.shape.limb_bits {
                        table.assign_cell(|| "limb", limbs, limb as usize, || Value::known(Fp::from(limb)))?;
                    }
                    Ok(())
                },
            )?;
        }
        layouter.assign_region(
            || "margin",
            |mut region| {
                if let Some((m, _)) = config.limbs {
                    for (row, multiplier) in self.shape.m().into_iter().enumerate() {
                        region.assign_fixed(|| "m", m, row, || Value::known(Fp::from(multiplier)))?;
                    }
                }
                config.first.enable(&mut region, 0)?;
                config.last.enable(&mut region, self.last)?;
                for row in 0..self.last {
                    config.sum.enable(&mut region, row)?;
                }
                let Some(witness) = &self.witness else { return Ok(()) };
                let columns = (config.q.iter().zip(&witness.q))
                    .chain(config.x.iter().zip(&witness.x))
                    .chain(config.z.iter().zip(&witness.z))
                    .chain(config.public.iter().zip(&witness.public))
                    .chain(config.acc.iter().zip(&witness.acc));
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
    // The order of the advice columns is the order in which the prover's randomness is drawn: q, x, z, a, b, s, acc.
    let mut advice = |count: usize| (0..count).map(|_| meta.advice_column()).collect::<Vec<_>>();
    let (q, x, z, public) = (
        advice(shape.q_columns),
        advice(shape.x_columns),
        advice(shape.z_columns),
        advice(shape.public_columns()),
    );
    let acc: Vec<Column<Advice>> = (0..shape.x_group).map(|_| meta.advice_column()).collect();
    let limbs = (shape.z_columns > 0).then(|| (meta.fixed_column(), meta.lookup_table_column()));
    let mut instance = |count: usize| {
        (0..count)
            .map(|_| meta.instance_column())
            .collect::<Vec<Column<Instance>>>()
    };
    let (f, s) = (instance(shape.z_columns), instance(shape.square_columns));
    let (first, sum, last) = (meta.selector(), meta.selector(), meta.selector());

    if let Some((m, limbs)) = limbs {
        for z in &z {
            meta.lookup(|meta| {
                let current = meta.query_advice(*z, Rotation::cur());
                let next = meta.query_advice(*z, Rotation::next());
                let m = meta.query_fixed(m);
                vec![(current - m * next, limbs)]
            });
        }
    }
    meta.create_gate("accumulators start at zero", |meta| {
        let first = meta.query_selector(first);
        let starts = acc
            .iter()
            .map(|acc| ("acc_0 = 0", meta.query_advice(*acc, Rotation::cur())));
        Constraints::with_selector(first, starts.collect::<Vec<_>>())
    });
    meta.create_gate("accumulators add the row", |meta| {
        let selector = meta.query_selector(sum);
        let (a, of_roots) = public.split_at(shape.q_columns);
        let (b, of_squares) = of_roots.split_at(shape.x_groups());
        let mut program = Expression::Constant(Fp::ZERO);
        for (q, a) in q.iter().zip(a) {
            program = program + meta.query_advice(*q, Rotation::cur()) * meta.query_advice(*a, Rotation::cur());
        }
        for (z, f) in z.iter().zip(&f) {
            program = program + meta.query_advice(*z, Rotation::cur()) * meta.query_instance(*f, Rotation::cur());
        }
        for (z, s) in z.iter().zip(&s) {
            let z = meta.query_advice(*z, Rotation::cur());
            program = program + z.clone() * z * meta.query_instance(*s, Rotation::cur());
        }
        for (group, s) in x.chunks(shape.x_group).zip(of_squares) {
            let mut squares = Expression::Constant(Fp::ZERO);
            for x in group {
                let x = meta.query_advice(*x, Rotation::cur());
                squares = squares + x.clone() * x;
            }
            program = program - squares * meta.query_advice(*s, Rotation::cur());
        }
        let mut differences = Vec::with_capacity(acc.len());
        for (place, acc) in acc.iter().enumerate() {
            let mut difference = meta.query_advice(*acc, Rotation::next()) - meta.query_advice(*acc, Rotation::cur());
            for (group, b) in x.chunks(shape.x_group).zip(b) {
                let x = meta.query_advice(group[place], Rotation::cur());
                difference = difference - x * meta.query_advice(*b, Rotation::cur());
            }
            differences.push(match place {
                0 => (
                    "acc_0' = acc_0 + q·a + z·f + z²·s' - x²·s + x_0·b",
                    difference - program.clone(),
                ),
                _ => ("acc_t' = acc_t + x_t·b", difference),
            });
        }
        Constraints::with_selector(selector, differences)
    });
    meta.create_gate("accumulators end at gamma", |meta| {
        let last = meta.query_selector(last);
        // A shape has at least as many public columns as accumulators.
        let ends = acc.iter().zip(&public).map(|(acc, gamma)| {
            let (acc, gamma) = (
                meta.query_advice(*acc, Rotation::cur()),
                meta.query_advice(*gamma, Rotation::cur()),
            );
            ("acc_t = γ_t", acc - gamma)
        });
        Constraints::with_selector(last, ends.collect::<Vec<_>>())
    });
    Config {
        q,
        x,
        z,
        public,
        acc,
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

#[cfg(all(test, feature = "prove"))]
mod tests;
