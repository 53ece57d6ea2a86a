//! A floor planner that lets the real circuit assign what it assigns, and changes some of it on the way.

use std::any::Any as Anything;
use std::cell::RefCell;
use std::collections::BTreeMap;

use halo2_proofs::circuit::Value;
use halo2_proofs::plonk::{Any, Assigned, Assignment, FloorPlanner};

use super::*;

/// The floor planner of the real circuit.
type Real = <MarginCircuit as Circuit<Fp>>::FloorPlanner;

/// What is changed of what a circuit assigns.
#[derive(Clone, Debug, Default)]
pub(super) struct Mutation {
    /// Advice cells that get another value.
    pub(super) advice: BTreeMap<(Column<Advice>, usize), Fp>,
    /// Fixed cells that get another value, also where none is assigned. A cell that is not assigned is zero.
    pub(super) fixed: BTreeMap<(Column<Fixed>, usize), Fp>,
    /// A selector that is off in a row where it is on, and on in another one, if that is given.
    pub(super) selector: Option<(Selector, usize, Option<usize>)>,
}

thread_local! {
    /// What the floor planner of this thread changes: the proof library hands it a circuit of a type that it does not know.
    static MUTATION: RefCell<Mutation> = RefCell::default();
}

/// The real circuit under the tampering floor planner.
#[derive(Clone)]
pub(super) struct Tampered(pub(super) MarginCircuit);

impl Circuit<Fp> for Tampered {
    type Config = Config;
    type FloorPlanner = TamperingFloorPlanner;

    fn without_witnesses(&self) -> Self {
        Self(self.0.without_witnesses())
    }

    fn configure(meta: &mut ConstraintSystem<Fp>) -> Config {
        MarginCircuit::configure(meta)
    }

    fn synthesize(&self, config: Config, layouter: impl Layouter<Fp>) -> Result<(), Error> {
        self.0.synthesize(config, layouter)
    }
}

impl Tampered {
    /// Runs `body`, in which every circuit of this type is changed.
    pub(super) fn under<T>(mutation: &Mutation, body: impl FnOnce() -> T) -> T {
        MUTATION.set(mutation.clone());
        let result = body();
        MUTATION.take();
        result
    }
}

/// The real floor planner over an assignment that is tampered with.
pub(super) struct TamperingFloorPlanner;

impl FloorPlanner for TamperingFloorPlanner {
    fn synthesize<F: Field, CS: Assignment<F>, C: Circuit<F>>(
        cs: &mut CS,
        circuit: &C,
        config: C::Config,
        constants: Vec<Column<Fixed>>,
    ) -> Result<(), Error> {
        let mutation = MUTATION.with_borrow(Clone::clone);
        let added = mutation.fixed.clone();
        let mut tampering = Tampering { cs, mutation };
        Real::synthesize(&mut tampering, circuit, config, constants)?;
        // Where nothing is assigned, and where the table was filled up.
        for ((column, row), value) in added {
            cs.assign_fixed(|| "added", column, row, || Value::known(scalar::<F>(value)))?;
        }
        Ok(())
    }
}

/// The circuit's field is the only one that there is.
fn scalar<F: Field>(value: Fp) -> F {
    *(&value as &dyn Anything).downcast_ref().expect("the circuit's field")
}

struct Tampering<'a, CS> {
    cs: &'a mut CS,
    mutation: Mutation,
}

impl<F: Field, CS: Assignment<F>> Assignment<F> for Tampering<'_, CS> {
    fn enter_region<NR: Into<String>, N: FnOnce() -> NR>(&mut self, name: N) {
        self.cs.enter_region(name);
    }

    fn exit_region(&mut self) {
        self.cs.exit_region();
    }

    fn enable_selector<A, AR>(&mut self, annotation: A, selector: &Selector, row: usize) -> Result<(), Error>
    where
        A: FnOnce() -> AR,
        AR: Into<String>,
    {
        match self.mutation.selector {
            Some((other, from, to)) if (other, from) == (*selector, row) => match to {
                Some(row) => self.cs.enable_selector(annotation, selector, row),
                None => Ok(()),
            },
            _ => self.cs.enable_selector(annotation, selector, row),
        }
    }

    fn query_instance(&self, column: Column<Instance>, row: usize) -> Result<Value<F>, Error> {
        self.cs.query_instance(column, row)
    }

    fn assign_advice<V, VR, A, AR>(
        &mut self,
        annotation: A,
        column: Column<Advice>,
        row: usize,
        to: V,
    ) -> Result<(), Error>
    where
        V: FnOnce() -> Value<VR>,
        VR: Into<Assigned<F>>,
        A: FnOnce() -> AR,
        AR: Into<String>,
    {
        match self.mutation.advice.get(&(column, row)) {
            Some(value) => {
                let value = scalar::<F>(*value);
                self.cs.assign_advice(annotation, column, row, || Value::known(value))
            }
            None => self.cs.assign_advice(annotation, column, row, to),
        }
    }

    fn assign_fixed<V, VR, A, AR>(
        &mut self,
        annotation: A,
        column: Column<Fixed>,
        row: usize,
        to: V,
    ) -> Result<(), Error>
    where
        V: FnOnce() -> Value<VR>,
        VR: Into<Assigned<F>>,
        A: FnOnce() -> AR,
        AR: Into<String>,
    {
        self.cs.assign_fixed(annotation, column, row, to)
    }

    fn copy(&mut self, left: Column<Any>, left_row: usize, right: Column<Any>, right_row: usize) -> Result<(), Error> {
        self.cs.copy(left, left_row, right, right_row)
    }

    fn fill_from_row(&mut self, column: Column<Fixed>, row: usize, to: Value<Assigned<F>>) -> Result<(), Error> {
        self.cs.fill_from_row(column, row, to)
    }

    fn push_namespace<NR: Into<String>, N: FnOnce() -> NR>(&mut self, name: N) {
        self.cs.push_namespace(name);
    }

    fn pop_namespace(&mut self, gadget: Option<String>) {
        self.cs.pop_namespace(gadget);
    }
}

/// An advice cell and its value.
pub(super) type Assigning = (Column<Advice>, usize, Fp);

/// What the real circuit assigns, in its order.
#[derive(Default)]
pub(super) struct Trace {
    /// The regions by their names, with the advice cells that each assigns.
    pub(super) regions: Vec<(String, Vec<Assigning>)>,
    /// All fixed cells, those of tables and the rows that tables are filled up with, too.
    pub(super) fixed: BTreeMap<(Column<Fixed>, usize), Fp>,
    /// Selectors that are on.
    pub(super) selectors: Vec<(Selector, usize)>,
    /// Usable rows.
    rows: usize,
}

impl Trace {
    /// Synthesizes a circuit of a shape.
    pub(super) fn of(circuit: &MarginCircuit) -> (Self, Config) {
        let mut meta = ConstraintSystem::default();
        let config = with_shape(&circuit.shape, || MarginCircuit::configure(&mut meta));
        let mut trace = Self {
            rows: circuit.last + 1,
            ..Self::default()
        };
        Real::synthesize(&mut trace, circuit, config.clone(), Vec::new()).unwrap();
        (trace, config)
    }

    /// All advice cells.
    pub(super) fn advice(&self) -> impl Iterator<Item = &Assigning> {
        self.regions.iter().flat_map(|(_, cells)| cells)
    }
}

/// What a known value is.
fn known<V: Into<Assigned<Fp>>>(value: Value<V>) -> Fp {
    let mut found = None;
    value.map(|value| found = Some(value.into().evaluate()));
    found.expect("a known value")
}

impl Assignment<Fp> for Trace {
    fn enter_region<NR: Into<String>, N: FnOnce() -> NR>(&mut self, name: N) {
        self.regions.push((name().into(), Vec::new()));
    }

    fn exit_region(&mut self) {}

    fn enable_selector<A, AR>(&mut self, _: A, selector: &Selector, row: usize) -> Result<(), Error>
    where
        A: FnOnce() -> AR,
        AR: Into<String>,
    {
        self.selectors.push((*selector, row));
        Ok(())
    }

    fn query_instance(&self, _: Column<Instance>, _: usize) -> Result<Value<Fp>, Error> {
        panic!("the circuit asks for no instance cell while it assigns")
    }

    fn assign_advice<V, VR, A, AR>(&mut self, _: A, column: Column<Advice>, row: usize, to: V) -> Result<(), Error>
    where
        V: FnOnce() -> Value<VR>,
        VR: Into<Assigned<Fp>>,
        A: FnOnce() -> AR,
        AR: Into<String>,
    {
        let (_, cells) = self.regions.last_mut().expect("a region");
        cells.push((column, row, known(to())));
        Ok(())
    }

    fn assign_fixed<V, VR, A, AR>(&mut self, _: A, column: Column<Fixed>, row: usize, to: V) -> Result<(), Error>
    where
        V: FnOnce() -> Value<VR>,
        VR: Into<Assigned<Fp>>,
        A: FnOnce() -> AR,
        AR: Into<String>,
    {
        self.fixed.insert((column, row), known(to()));
        Ok(())
    }

    fn copy(&mut self, _: Column<Any>, _: usize, _: Column<Any>, _: usize) -> Result<(), Error> {
        panic!("the circuit has no equality constraints")
    }

    fn fill_from_row(&mut self, column: Column<Fixed>, row: usize, to: Value<Assigned<Fp>>) -> Result<(), Error> {
        let value = known(to);
        self.fixed.extend((row..self.rows).map(|row| ((column, row), value)));
        Ok(())
    }

    fn push_namespace<NR: Into<String>, N: FnOnce() -> NR>(&mut self, _: N) {}

    fn pop_namespace(&mut self, _: Option<String>) {}
}
