//! Each constraint of the circuit, with a class of invalid witness that it alone refuses.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use halo2_proofs::dev::{FailureLocation, MockProver, VerifyFailure};
use zkmargin_program::{Builder, Header, Layout, LegId, Linear, NonNegative, Pair, Program, Ratio, Real};

use super::*;
use crate::fold::fold;
use crate::parameters::Parameters;
use crate::roots::PROJECTIONS;
use crate::shape::{Cell, Place, Placement, with_shape};
use crate::witness::{Masks, Roots, running_sums};
use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng;

mod tampering;

const K: u32 = 6;

/// Two columns; inequalities, a bit and a square root, so that every kind of column and run occurs.
fn program() -> Program {
    program_of(Charge::RootOrAbsolute)
}

enum Charge {
    RootOrAbsolute,
    /// With a bit, and no other number in limbs.
    EitherSide,
    Nothing,
}

fn program_of(charge: Charge) -> Program {
    let legs: Vec<LegId> = [0, 1, 2, 3, 48, 49].map(LegId::new).to_vec();
    let pairs = [(0, 1), (2, 3), (48, 49)].map(|(a, b)| Pair {
        first: LegId::new(a),
        second: LegId::new(b),
    });
    let layout = Layout::new(K, vec![0, 1], legs, pairs.to_vec()).unwrap();
    let header = Header {
        numeraire: "USD".into(),
        unit_exponent: -10,
        value_bits: 40,
    };
    let mut builder = Builder::new(layout, header).unwrap();
    let whole = |units: i128| Real::from_ratio(Ratio::new(units, 1).unwrap()).unwrap();
    let form = |terms: &[(u32, i128)]| {
        let mut linear = Linear::zero();
        terms
            .iter()
            .for_each(|(leg, units)| linear.add_leg(LegId::new(*leg), whole(*units)));
        linear
    };
    let delta = form(&[(0, 3), (1, -3), (48, 2), (49, -2)]);
    let spread = form(&[(2, 5), (3, -5)]);
    let sides = match charge {
        Charge::RootOrAbsolute => {
            let absolute = builder.absolute("delta", &delta).unwrap();
            let spread = builder.absolute("spread", &spread).unwrap();
            Some([builder.norm("norm", [absolute.clone(), spread]).unwrap(), absolute])
        }
        Charge::EitherSide => Some([&delta, &spread].map(|side| builder.upper(side).unwrap())),
        Charge::Nothing => None,
    };
    let mut value = builder
        .lower(&form(&[(0, 40), (1, -41), (2, 90), (3, -91), (48, 7), (49, -8)]))
        .unwrap();
    if let Some([one, other]) = sides {
        let charge = builder.any_of_upper("charge", one, other).unwrap();
        let twice = NonNegative::new(Ratio::new(2, 1).unwrap()).unwrap();
        value = value - builder.scale(charge, twice).unwrap();
    }
    builder.require_non_negative("margin", value).unwrap();
    builder.finish().unwrap()
}

fn book() -> Vec<u64> {
    let mut q = vec![0; 96];
    (q[0], q[2], q[49]) = (10, 4, 3);
    q
}

/// An honest circuit's columns for some `e` and `r`.
#[derive(Clone)]
struct Honest {
    placement: Placement,
    witness: Witness,
    instance: Vec<Vec<Fp>>,
}

fn honest() -> Honest {
    honest_in_groups(2)
}

fn honest_in_groups(of: usize) -> Honest {
    honest_of(&program(), &book(), of)
}

fn honest_of(program: &Program, book: &[u64], of: usize) -> Honest {
    let placement = Placement::of_groups(program, &[of]).unwrap();
    let e = Fp::from(55);
    let w = program.witness(book).unwrap();
    let roots = Roots::new(&placement, w.values()).unwrap();
    let masks = Masks::draw(&placement, &mut ChaCha20Rng::seed_from_u64(3));
    let masked = roots.masked(&placement, &masks, &e).unwrap();
    let folded = fold(program, &placement, &e, &masked, &Fp::from(77));
    let q = book
        .chunks(48)
        .map(|rows| rows.iter().copied().map(Fp::from).collect())
        .collect();
    let public = folded
        .public
        .iter()
        .map(|column| column.iter().map(|value| value.to_scalar()).collect())
        .collect();
    let (x, z) = (roots.columns(&placement, &masks), running_sums(&placement, w.values()));
    let witness = Witness::new(&placement, q, x, z, public, &folded.instance);
    Honest {
        placement,
        witness,
        instance: folded.instance,
    }
}

impl Honest {
    fn circuit(&self) -> MarginCircuit {
        MarginCircuit::new(&self.placement, Some(self.witness.clone()))
    }

    fn failures(self) -> Vec<VerifyFailure> {
        let circuit = self.circuit();
        with_shape(self.placement.shape(), || {
            let prover = MockProver::run(K, &circuit, self.instance).unwrap();
            prover.verify().err().unwrap_or_default()
        })
    }

    /// The names of the gates that refuse, or `lookup`; each once.
    fn refused_by(self) -> Vec<String> {
        names(self.failures())
    }

    /// The lookups that refuse: the column of `z` that each is of, and the row of the region.
    fn lookups(self) -> Vec<(usize, usize)> {
        let refused = self.failures().into_iter().filter_map(|failure| match failure {
            VerifyFailure::Lookup {
                lookup_index,
                location: FailureLocation::InRegion { region, offset },
            } => {
                assert_eq!(region, (1, "margin").into());
                Some((lookup_index, offset))
            }
            VerifyFailure::Lookup { location, .. } => panic!("{location}"),
            _ => None,
        });
        refused.collect()
    }

    /// Makes `acc` what the rows add up to, so that only what was changed is wrong.
    fn settle(mut self) -> Self {
        self.witness.acc = self.witness.accumulate(&self.placement, &self.instance);
        self
    }
}

fn names(failures: Vec<VerifyFailure>) -> Vec<String> {
    let mut names: Vec<String> = failures
        .into_iter()
        .map(|failure| match failure {
            VerifyFailure::ConstraintNotSatisfied { constraint, .. } => {
                // `Constraint 0 ('equation') in gate 1 ('name')`: the name is the last quoted text.
                let text = constraint.to_string();
                text.rsplit('\'').nth(1).unwrap_or(&text).to_owned()
            }
            VerifyFailure::Lookup { .. } => "lookup".to_owned(),
            other => other.to_string(),
        })
        .collect();
    names.sort();
    names.dedup();
    names
}

/// The heads of the runs of whole variables.
fn runs() -> Vec<Cell> {
    let placement = honest().placement;
    let of_variables = placement.places().iter().filter_map(|place| match place {
        Place::Run(cell) => Some(*cell),
        Place::Squares(_) => None,
    });
    let runs: Vec<Cell> = of_variables.collect();
    assert!(!runs.is_empty(), "a whole variable occurs");
    runs
}

/// One cell changed and nothing settled: the sum no longer follows.
fn adds() -> Vec<String> {
    vec!["accumulators add the row".to_owned()]
}

fn ends() -> Vec<String> {
    vec!["accumulators end at gamma".to_owned()]
}

#[test]
fn honest_witness_satisfies_every_constraint() {
    for group in [1, 2, 4] {
        let circuit = honest_in_groups(group);
        assert_eq!(circuit.witness.acc.len(), group);
        assert_eq!(circuit.refused_by(), Vec::<String>::new());
    }
}

#[test]
fn accumulator_that_does_not_start_at_zero_is_refused() {
    for place in 0..honest().witness.acc.len() {
        let mut circuit = honest();
        // Shifting the whole column leaves every step right.
        let shift = Fp::from(5);
        circuit.witness.acc[place].iter_mut().for_each(|acc| *acc += shift);
        let last = circuit.placement.last();
        circuit.witness.public[place][last] += shift;
        assert_eq!(
            circuit.refused_by(),
            ["accumulators start at zero"],
            "accumulator {place}"
        );
    }
}

#[test]
fn accumulator_that_skips_a_row_is_refused() {
    for place in 0..honest().witness.acc.len() {
        for row in [0, 1, 20, honest().placement.last() - 1] {
            let mut circuit = honest();
            let last = circuit.placement.last();
            circuit.witness.acc[place][row + 1..=last]
                .iter_mut()
                .for_each(|acc| *acc += Fp::ONE);
            circuit.witness.public[place][last] += Fp::ONE;
            assert_eq!(circuit.refused_by(), adds(), "row {row} of accumulator {place}");
        }
    }
}

#[test]
fn accumulator_that_does_not_end_at_gamma_is_refused() {
    for place in 0..honest().witness.acc.len() {
        let mut circuit = honest();
        let last = circuit.placement.last();
        circuit.witness.public[place][last] += Fp::ONE;
        assert_eq!(circuit.refused_by(), ends(), "γ_{place}");
    }
}

#[test]
fn every_leg_enters_the_sum() {
    for (column, row) in [(0, 0), (0, 1), (0, 3), (1, 0), (1, 1)] {
        let mut circuit = honest();
        circuit.witness.q[column][row] += Fp::ONE;
        assert_eq!(circuit.settle().refused_by(), ends(), "leg {row} of column {column}");
        let mut circuit = honest();
        circuit.witness.q[column][row] += Fp::ONE;
        assert_eq!(circuit.refused_by(), adds());
    }
}

#[test]
fn every_matrix_entry_of_a_held_leg_enters_the_sum() {
    for (column, row) in [(0, 0), (0, 2), (1, 1)] {
        let mut circuit = honest();
        circuit.witness.public[column][row] += Fp::ONE;
        assert_eq!(circuit.settle().refused_by(), ends());
    }
}

#[test]
fn every_variable_enters_the_sum_and_every_square_does() {
    for (index, cell) in runs().into_iter().enumerate() {
        let mut circuit = honest();
        // One more in the lowest limb: still a valid run unless the limb was full.
        let values = &mut circuit.witness.z[cell.column];
        values[cell.row] += Fp::ONE;
        let refused = circuit.settle().refused_by();
        assert!(refused.contains(&ends()[0]), "variable {index}: {refused:?}");
    }
    let circuit = honest();
    assert!(circuit.placement.shape().square_columns() > 0);
    for coefficient in 0..circuit.placement.shape().rows_of_runs() {
        let mut circuit = honest();
        let s = circuit.placement.shape().z_columns();
        // The only squared variables stand in the first column.
        if circuit.instance[s][coefficient] == Fp::ZERO || circuit.witness.z[0][coefficient] == Fp::ZERO {
            continue;
        }
        circuit.instance[s][coefficient] += Fp::ONE;
        assert_eq!(circuit.settle().refused_by(), ends());
    }
}

#[test]
fn every_root_enters_the_sum_by_its_square_and_by_its_projection() {
    let squares = honest().placement.squares();
    assert!(squares > 0);
    for (column, row) in (0..squares).flat_map(|index| honest().placement.roots(index)) {
        let mut circuit = honest();
        circuit.witness.x[column][row] += Fp::ONE;
        assert_eq!(circuit.refused_by(), adds(), "root {row} of column {column}");
        let mut circuit = honest();
        circuit.witness.x[column][row] += Fp::ONE;
        assert_eq!(circuit.settle().refused_by(), ends());
        // The negative root has the same square.
        let mut circuit = honest();
        let root = circuit.witness.x[column][row];
        if root != Fp::ZERO {
            circuit.witness.x[column][row] = -root;
            assert_eq!(circuit.settle().refused_by(), ends());
        }
        // A row of zeros enters by nothing.
        let mut circuit = honest();
        let shape = circuit.placement.shape().clone();
        let group = column / shape.x_group();
        let zeros = circuit
            .witness
            .x
            .chunks(shape.x_group())
            .nth(group)
            .unwrap()
            .iter()
            .all(|x| x[row] == Fp::ZERO);
        circuit.witness.public[shape.q_columns() + shape.x_groups() + group][row] += Fp::ONE;
        let refused = circuit.settle().refused_by();
        assert_eq!(refused.is_empty(), zeros, "{refused:?}");
    }
}

#[test]
fn every_mask_enters_the_sum_of_its_column_once() {
    for group in [1, 2, 4] {
        for (column, row) in (0..group).flat_map(|column| (0..PROJECTIONS).map(move |row| (column, row))) {
            let mut circuit = honest_in_groups(group);
            circuit.witness.x[column][row] += Fp::ONE;
            assert_eq!(circuit.settle().refused_by(), ends());
            // Its square enters by nothing.
            let mut circuit = honest_in_groups(group);
            let (q, groups) = (
                circuit.placement.shape().q_columns(),
                circuit.placement.shape().x_groups(),
            );
            assert_eq!(circuit.witness.public[q + groups][row], Fp::ZERO);
            circuit.witness.x[column][row] = -circuit.witness.x[column][row];
            assert_eq!(circuit.settle().refused_by(), ends());
        }
    }
}

#[test]
fn column_of_limbs_that_is_the_only_one_is_range_checked() {
    let honest = honest_of(&program_of(Charge::EitherSide), &book(), 1);
    assert_eq!(honest.placement.shape().z_columns(), 1);
    assert_eq!(honest.clone().refused_by(), Vec::<String>::new());
    let mut circuit = honest;
    circuit.witness.z[0][0] = -Fp::ONE;
    assert_eq!(circuit.settle().lookups(), [(0, 0)]);
}

#[test]
fn roots_and_masks_in_a_column_that_is_the_only_one_enter_the_sum() {
    let honest = honest_of(&program_of(Charge::Nothing), &book(), 1);
    assert_eq!(honest.placement.shape().x_columns(), 1);
    assert_eq!(honest.clone().refused_by(), Vec::<String>::new());
    let roots = (0..honest.placement.squares()).flat_map(|index| honest.placement.roots(index));
    for (column, row) in roots.chain((0..PROJECTIONS).map(|row| (0, row))) {
        let mut circuit = honest.clone();
        circuit.witness.x[column][row] += Fp::ONE;
        assert_eq!(circuit.settle().refused_by(), ends(), "row {row}");
    }
}

#[test]
fn variable_wider_than_its_run_is_refused() {
    for (index, cell) in runs().into_iter().enumerate() {
        let mut circuit = honest();
        let bits = circuit.placement.shape().limb_bits() as usize;
        // 2^(K·limbs), carried up the run as high as it goes.
        let column = &mut circuit.witness.z[cell.column];
        for (place, row) in (cell.row..cell.row + cell.limbs).enumerate() {
            column[row] += Fp::from(2).pow([(bits * (cell.limbs - place)) as u64]);
        }
        // What the last limb cannot hold has nowhere to go.
        let end = (cell.column, cell.row + cell.limbs - 1);
        assert_eq!(circuit.settle().lookups(), [end], "variable {index}");
    }
}

#[test]
fn negative_variable_is_refused() {
    for (index, cell) in runs().into_iter().enumerate() {
        let mut circuit = honest();
        let column = &mut circuit.witness.z[cell.column];
        column[cell.row..cell.row + cell.limbs].fill(Fp::ZERO);
        column[cell.row] = -Fp::ONE;
        assert_eq!(
            circuit.settle().lookups(),
            [(cell.column, cell.row)],
            "variable {index}"
        );
    }
}

#[test]
fn limb_of_two_to_the_k_is_refused_and_one_less_is_accepted() {
    for (limb, refused) in [(1u64 << (K - 1), true), ((1 << (K - 1)) - 1, false)] {
        let mut circuit = honest();
        let cell = runs()[0];
        let column = &mut circuit.witness.z[cell.column];
        column[cell.row..cell.row + cell.limbs].fill(Fp::ZERO);
        column[cell.row] = Fp::from(limb);
        let expected = refused.then_some((cell.column, cell.row));
        assert_eq!(circuit.settle().lookups(), Vec::from_iter(expected));
    }
}

#[test]
fn value_outside_every_run_is_range_checked_and_multiplied_by_nothing() {
    let circuit = honest();
    let (end, last, columns) = (
        circuit.placement.shape().m().len(),
        circuit.placement.last(),
        circuit.placement.shape().z_columns(),
    );
    assert!(columns > 1, "a lookup each");
    for (column, row) in (0..columns).flat_map(|column| (end..=last).map(move |row| (column, row))) {
        let mut circuit = circuit.clone();
        let values = &mut circuit.witness.z[column];
        values.resize(row + 1, Fp::ZERO);
        values[row] = Fp::from(1 << K);
        let circuit = circuit.settle();
        assert_eq!(circuit.clone().refused_by(), ["lookup"]);
        assert_eq!(circuit.lookups(), [(column, row)]);
    }
}

#[test]
fn multiplier_column_is_zero_at_the_end_of_each_run_and_below_the_runs() {
    let circuit = honest();
    let shape = circuit.placement.shape();
    let m = shape.m();
    assert!(
        m.len() <= circuit.placement.last(),
        "the last usable row is outside every run"
    );
    for run in shape.runs() {
        assert_eq!(m[run.start + run.limbs - 1], 0);
        assert!(
            m[run.start..run.start + run.limbs - 1]
                .iter()
                .all(|value| *value == 1 << shape.limb_bits())
        );
    }
}

#[test]
fn unset_shape_never_configures_a_circuit() {
    let configured = std::panic::catch_unwind(|| {
        MarginCircuit::configure(&mut ConstraintSystem::<Fp>::default());
    });
    // Without one it would prove something else.
    let panic = configured.unwrap_err();
    let words = panic.downcast_ref::<String>().expect("a message");
    assert!(words.contains("the circuit is configured inside with_shape"), "{words}");
}

#[test]
fn unusable_rows_fit_the_rows_that_the_protocol_reserves() {
    let circuit = honest();
    let unusable = circuit.placement.unusable().len() + 1;
    assert!(unusable <= RESERVED_ROWS as usize);
}

#[test]
fn key_description_is_the_pinned_one() {
    let placement = Placement::of_groups(&program(), &[2]).unwrap();
    let parameters = Parameters::load(K, None).unwrap();
    let key = crate::keys::verifying_key(&parameters, &placement).unwrap();
    crate::golden::check("key.txt", &format!("{:#?}\n", key.pinned()));
}
