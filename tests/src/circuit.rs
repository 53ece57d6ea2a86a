//! The circuit of protocol §5, written once more.
//!
//! The order of columns, gates and queries is that of circuit version 3: another order is another key.

use std::cell::RefCell;

use ff::Field;
use halo2_proofs::circuit::{Layouter, SimpleFloorPlanner, Value};
use halo2_proofs::plonk::{
    Advice, Circuit, Column, ConstraintSystem, Error, Expression, Fixed, Instance, ProvingKey, Selector, TableColumn,
    VerifyingKey, keygen_pk, keygen_vk,
};
use halo2_proofs::poly::Rotation;
use pasta_curves::{EqAffine, Fp};

use crate::columns::Columns;
use crate::plan::{Ends, Plan};
use crate::setup::Setup;

thread_local! {
    static PLAN: RefCell<Option<Plan>> = const { RefCell::new(None) };
}

/// Columns of the circuit.
#[derive(Clone, Debug)]
pub struct Config {
    advice: Vec<Column<Advice>>,
    /// `m` and the table, if there are `z` columns.
    limbs: Option<(Column<Fixed>, TableColumn)>,
    /// On the first row, on all rows but the last, on the last.
    selectors: [Selector; 3],
}

/// A circuit of a plan, with whatever columns.
#[derive(Clone, Debug)]
pub struct ForgedCircuit {
    plan: Plan,
    columns: Option<Columns>,
}

impl ForgedCircuit {
    /// A circuit with columns that nobody has checked.
    pub fn new(plan: &Plan, columns: Option<Columns>) -> Self {
        PLAN.set(Some(plan.clone()));
        Self {
            plan: plan.clone(),
            columns,
        }
    }
}

impl Circuit<Fp> for ForgedCircuit {
    type Config = Config;
    type FloorPlanner = SimpleFloorPlanner;

    fn without_witnesses(&self) -> Self {
        Self::new(&self.plan, None)
    }

    fn configure(meta: &mut ConstraintSystem<Fp>) -> Config {
        let plan = PLAN.with_borrow(Clone::clone).expect("a plan");
        configure(meta, &plan)
    }

    fn synthesize(&self, config: Config, mut layouter: impl Layouter<Fp>) -> Result<(), Error> {
        let known = |value: u64| Value::known(Fp::from(value));
        if let Some((_, column)) = config.limbs {
            layouter.assign_table(
                || "",
                |mut table| {
                    (0..1 << self.plan.limb_bits)
                        .try_for_each(|limb| table.assign_cell(|| "", column, limb, || known(limb as u64)))
                },
            )?;
        }
        layouter.assign_region(
            || "",
            |mut region| {
                if let Some((column, _)) = config.limbs {
                    for (row, m) in self.plan.m.iter().enumerate() {
                        region.assign_fixed(|| "", column, row, || known(*m))?;
                    }
                }
                let [first, sum, last] = &config.selectors;
                first.enable(&mut region, 0)?;
                last.enable(&mut region, self.plan.last)?;
                (0..self.plan.last).try_for_each(|row| sum.enable(&mut region, row))?;
                let Some(columns) = &self.columns else { return Ok(()) };
                for (column, values) in config.advice.iter().zip(columns.all()) {
                    for (row, value) in values.iter().enumerate() {
                        region.assign_advice(|| "", *column, row, || Value::known(*value))?;
                    }
                }
                Ok(())
            },
        )
    }
}

fn configure(meta: &mut ConstraintSystem<Fp>, plan: &Plan) -> Config {
    let advice: Vec<Column<Advice>> = (0..plan.advice_columns()).map(|_| meta.advice_column()).collect();
    let (q, rest) = advice.split_at(plan.q_columns);
    let (x, rest) = rest.split_at(plan.x_columns());
    let (z, rest) = rest.split_at(plan.z_columns);
    let (public, acc) = rest.split_at(plan.public_columns());
    let (a, of_roots) = public.split_at(plan.q_columns);
    let (b, s) = of_roots.split_at(plan.groups);
    let limbs = (!z.is_empty()).then(|| (meta.fixed_column(), meta.lookup_table_column()));
    let instance: Vec<Column<Instance>> = (0..plan.z_columns + plan.square_columns)
        .map(|_| meta.instance_column())
        .collect();
    let (f, squares) = instance.split_at(plan.z_columns);
    let selectors = [meta.selector(), meta.selector(), meta.selector()];

    if let Some((m, table)) = limbs {
        for column in z {
            meta.lookup(|meta| {
                let here = meta.query_advice(*column, Rotation::cur());
                let below = meta.query_advice(*column, Rotation::next());
                vec![(here - meta.query_fixed(m) * below, table)]
            });
        }
    }
    let here = |meta: &mut halo2_proofs::plonk::VirtualCells<'_, Fp>, column: &Column<Advice>| -> Expression<Fp> {
        meta.query_advice(*column, Rotation::cur())
    };
    meta.create_gate("start", |meta| {
        let on = meta.query_selector(selectors[0]);
        acc.iter().map(|acc| on.clone() * here(meta, acc)).collect::<Vec<_>>()
    });
    meta.create_gate("add", |meta| {
        let on = meta.query_selector(selectors[1]);
        let mut sum = Expression::Constant(Fp::ZERO);
        for (q, a) in q.iter().zip(a) {
            sum = sum + here(meta, q) * here(meta, a);
        }
        for (z, f) in z.iter().zip(f) {
            sum = sum + here(meta, z) * meta.query_instance(*f, Rotation::cur());
        }
        for (z, s) in z.iter().zip(squares) {
            sum = sum + here(meta, z) * here(meta, z) * meta.query_instance(*s, Rotation::cur());
        }
        for (x, s) in x.chunks(plan.group).zip(s) {
            let mut of_row = Expression::Constant(Fp::ZERO);
            for x in x {
                of_row = of_row + here(meta, x) * here(meta, x);
            }
            sum = sum - of_row * here(meta, s);
        }
        let mut rows = Vec::new();
        for (t, acc) in acc.iter().enumerate() {
            let mut rest = meta.query_advice(*acc, Rotation::next()) - here(meta, acc);
            for (x, b) in x.chunks(plan.group).zip(b) {
                rest = rest - here(meta, &x[t]) * here(meta, b);
            }
            if t == 0 {
                rest = rest - sum.clone();
            }
            rows.push(on.clone() * rest);
        }
        rows
    });
    meta.create_gate("end", |meta| {
        let on = meta.query_selector(selectors[2]);
        let ends = acc.iter().zip(public);
        let ends: Vec<_> = ends.map(|(acc, gamma)| here(meta, acc) - here(meta, gamma)).collect();
        match plan.ends {
            Ends::Each => ends.into_iter().map(|end| on.clone() * end).collect(),
            Ends::Sum => vec![on * ends.into_iter().reduce(|sum, end| sum + end).expect("an accumulator")],
        }
    });
    Config {
        advice,
        limbs,
        selectors,
    }
}

/// The rows at the end of every column that the library needs for itself, but for one.
pub fn blinding_factors(plan: &Plan) -> usize {
    let mut meta = ConstraintSystem::default();
    configure(&mut meta, plan);
    meta.blinding_factors()
}

/// The verifying key of a plan.
pub fn verifying_key(setup: &Setup, plan: &Plan) -> VerifyingKey<EqAffine> {
    keygen_vk(&setup.params, &ForgedCircuit::new(plan, None)).expect("a key")
}

/// The proving key of a plan.
pub fn proving_key(setup: &Setup, plan: &Plan) -> ProvingKey<EqAffine> {
    let key = verifying_key(setup, plan);
    keygen_pk(&setup.params, key, &ForgedCircuit::new(plan, None)).expect("a key")
}

/// A column of zeros.
pub fn zeros(rows: usize) -> Vec<Fp> {
    vec![Fp::ZERO; rows]
}
