//! What is folded is the verifier's: the matrices, the ends of the accumulators, the instance columns, the projections.

use ff::{Field, PrimeField};
use pasta_curves::Fp;
use zkmargin_tests::*;

use super::cases::{DERIBIT, GREEKS, cash, debt, own_slack};
use super::{Book, CIRCUIT, GENERATORS, LINK, accepted_by};

/// Refused, unless the columns `a`, `b`, `s` and the instance come from the prover.
fn refused_unless_matrices_are_the_provers(book: &Book, forger: &Forger<'_>, scene: Scene<'_>) {
    let forged = forger.prove(&[scene]).unwrap();
    book.refused(&forged.proof, LINK);
    let lenient = Lenient {
        matrices: Some(&forged.matrices),
        instances: Some(&forged.instances),
        ..Lenient::default()
    };
    accepted_by(&[book], &lenient, &forged.proof);
}

#[test]
fn bundle_is_refused_when_rows_or_columns_of_the_matrix_are_permuted() {
    let case = &*GREEKS;
    let sound = &case.sound.account.lots;
    // The sound book with its cash as a debt, and with two of its columns exchanged: with the matrix likewise, it would be the sound book.
    let mut owed = sound.clone();
    owed.swap(cash(), debt());
    let rows_of = GENERATORS.legs();
    let exchange = |one: usize, two: usize| {
        let mut exchanged = sound.clone();
        (0..rows_of).for_each(|row| exchanged.swap(one * rows_of + row, two * rows_of + row));
        exchanged
    };
    let mut pairs = (0..case.plan().q_columns).flat_map(|two| (0..two).map(move |one| (one, two)));
    let is_short = |(one, two): &(usize, usize)| case.sound.program().witness(&exchange(*one, *two)).is_err();
    let (one, two) = pairs.find(is_short).expect("a book that is not met");
    let (column, legs) = (cash() / rows_of, [cash(), debt()].map(|leg| leg % rows_of));
    let rows = move |_: &Plan, a: &mut Matrix| a[column].swap(legs[0], legs[1]);
    let columns = |plan: &Plan, a: &mut Matrix| {
        a.swap(one, two);
        // In the last row are no legs, but the ends of the accumulators.
        let ends = (a[one][plan.last], a[two][plan.last]);
        (a[two][plan.last], a[one][plan.last]) = ends;
    };
    type Permute<'a> = &'a dyn Fn(&Plan, &mut Matrix);
    for (lots, permute) in [(owed, &rows as Permute<'_>), (exchange(one, two), &columns)] {
        let book = case.book(lots, 3);
        assert!(book.program().witness(&book.account.lots).is_err());
        let mut forger = book.forger();
        forger.matrices = Box::new(|_, _, public| permute(&book.plan, public));
        refused_unless_matrices_are_the_provers(&book, &forger, case.scene_with_its_variables(&book));
    }
}

#[test]
fn bundle_is_refused_when_it_is_folded_with_other_multipliers() {
    type Multipliers = fn(&Fp, usize) -> Vec<Fp>;
    let others: [Multipliers; 2] = [
        |r, count| powers(*r).take(count).collect(),
        |r, count| scalar_multipliers(r, count + 1).split_off(1),
    ];
    for other in others {
        let mut forger = GREEKS.sound.forger();
        forger.multipliers = Box::new(other);
        refused_unless_matrices_are_the_provers(&GREEKS.sound, &forger, GREEKS.scene());
    }
    // The equation that does not hold is left out.
    for case in [&*DERIBIT, &*GREEKS] {
        let mut forger = case.short.forger();
        forger.multipliers = Box::new(|r, count| {
            let mut multipliers = scalar_multipliers(r, count);
            multipliers[case.lacking.equation] = Fp::ZERO;
            multipliers
        });
        refused_unless_matrices_are_the_provers(&case.short, &forger, case.short_scene());
    }
}

#[test]
fn bundle_is_refused_when_an_accumulator_ends_with_another_gamma() {
    let (case, plan) = (&*DERIBIT, DERIBIT.plan());
    for t in [0, plan.group - 1] {
        let mut forger = case.short.forger();
        // What the short book lacks; and what a column lacks of which nothing but zeros are said.
        forger.masked = Box::new(move |_, masked| masked[0][t * PROJECTIONS..][..PROJECTIONS].fill(Fp::ZERO));
        forger.matrices = Box::new(move |_, known, public| {
            let mut columns = known.columns.clone();
            columns.public.clone_from(public);
            let missing = missing(plan, &columns, &known.folded.instance);
            for (end, missing) in missing.into_iter().enumerate() {
                assert_eq!(missing != Fp::ZERO, end == 0 || end == t, "accumulator {end}");
                public[end][plan.last] -= missing;
            }
        });
        refused_unless_matrices_are_the_provers(&case.short, &forger, case.short_scene());
    }
}

#[test]
fn bundle_is_refused_when_a_gamma_is_that_of_another_accumulator() {
    let (case, plan) = (&*DERIBIT, DERIBIT.plan());
    let mut forger = case.sound.forger();
    forger.matrices = Box::new(|_, _, public| {
        let (one, two) = (public[1][plan.last], public[2][plan.last]);
        (public[1][plan.last], public[2][plan.last]) = (two, one);
    });
    let forged = forger.prove(&[case.scene()]).unwrap();
    case.sound.refused(&forged.proof, LINK);
    // Were they taken for the verifier's, the accumulators would not end there.
    let lenient = Lenient {
        matrices: Some(&forged.matrices),
        ..Lenient::default()
    };
    assert_eq!(case.sound.leniently(&lenient, &forged.proof), Verdict::Circuit);
}

/// A whole variable that is not squared and large, so that no cell of its run is zero.
fn large() -> Cell {
    let (plan, columns) = (GREEKS.plan(), GREEKS.scene().columns);
    let cells = plan.places.iter().filter_map(|place| match place {
        Place::Run(cell) if cell.column >= plan.square_columns => Some(*cell),
        _ => None,
    });
    let mut cells = cells.filter(|cell| plan.limbs(*cell) > 4);
    let all = |cell: &Cell| (0..=4).all(|limb| columns.z[cell.column][cell.row + limb] != Fp::ZERO);
    cells.find(all).expect("a large whole variable")
}

/// The short book with other instance columns, and what is then missing in the first of these cells that allows it: refused, unless they come from the prover.
fn refused_unless_instances_are_the_provers(change: impl Fn(&Columns, &mut Matrix, &dyn Fn(&Matrix) -> Fp)) {
    let (case, plan) = (&*GREEKS, GREEKS.plan());
    let mut forger = case.short.forger();
    forger.proven = Box::new(|_, _, (columns, instance)| {
        assert_ne!(missing(plan, columns, instance)[0], Fp::ZERO);
        change(columns, instance, &|instance| missing(plan, columns, instance)[0]);
        assert_eq!(missing(plan, columns, instance), [Fp::ZERO]);
    });
    let forged = forger.prove(&[case.short_scene()]).unwrap();
    case.short.refused(&forged.proof, CIRCUIT);
    let lenient = Lenient {
        instances: Some(&forged.instances),
        ..Lenient::default()
    };
    accepted_by(&[&case.short], &lenient, &forged.proof);
}

#[test]
fn bundle_is_refused_when_a_coefficient_of_a_variable_is_another_or_stands_where_no_head_is() {
    let cell = large();
    for limb in [0, 4] {
        refused_unless_instances_are_the_provers(|columns, instance, missing| {
            let value = columns.z[cell.column][cell.row + limb];
            let more = missing(instance) * value.invert().unwrap();
            instance[cell.column][cell.row + limb] += more;
        });
    }
}

#[test]
fn bundle_is_refused_when_a_coefficient_of_a_square_is_another() {
    refused_unless_instances_are_the_provers(|columns, instance, missing| {
        let more = missing(instance) * columns.z[0][0].square().invert().unwrap();
        instance[GREEKS.plan().z_columns][0] += more;
    });
}

#[test]
fn bundle_is_refused_when_an_instance_column_is_cut_before_its_last_coefficient() {
    let plan = GREEKS.plan();
    for column in 0..plan.z_columns + plan.square_columns {
        refused_unless_instances_are_the_provers(|columns, instance, missing| {
            let end = instance[column].iter().rposition(|value| *value != Fp::ZERO).unwrap();
            instance[column].truncate(end);
            // What is missing now, and what was, is made up for by a column that has its first coefficients.
            let (other, row) = if column == 0 {
                (large().column, large().row)
            } else {
                (0, 0)
            };
            let more = missing(instance) * columns.z[other][row].invert().unwrap();
            instance[other][row] += more;
        });
    }
}

/// A proof of a book in the shape that its maker chose.
fn refused_unless_the_plan_is_the_provers(plan: &Plan, book: &Book, scene: Scene<'_>) {
    let forger = Forger::new(&GENERATORS, plan, vec![book.prepared.digest.0]);
    let proof = forger.prove(&[scene]).unwrap().proof;
    book.refused_where_it_is_misread(&proof);
    let lenient = Lenient {
        plan: Some(plan),
        ..Lenient::default()
    };
    accepted_by(&[book], &lenient, &proof);
}

/// The short book, with a slack below zero as a sum of squares in the field.
fn refused_with_bad_roots_unless_the_plan_is_the_provers(plan: &Plan) {
    let mut scene = DERIBIT.scene_with_bad_roots();
    scene.columns.acc = vec![vec![Fp::ZERO; plan.last + 1]; plan.group];
    refused_unless_the_plan_is_the_provers(plan, &DERIBIT.short, scene);
}

#[test]
fn bundle_is_refused_when_there_are_no_projections() {
    refused_with_bad_roots_unless_the_plan_is_the_provers(&Plan {
        projections: 0,
        ..DERIBIT.plan().clone()
    });
}

#[test]
fn bundle_is_refused_when_there_are_fewer_projections() {
    // One fewer, and a book that is met: the proof is another one already.
    let plan = Plan {
        projections: PROJECTIONS - 1,
        ..DERIBIT.plan().clone()
    };
    refused_unless_the_plan_is_the_provers(&plan, &DERIBIT.sound, DERIBIT.scene());
}

#[test]
fn bundle_is_refused_when_a_slack_is_negative_and_a_sum_of_squares_in_the_field() {
    // What masked projections are modulo 2^ω is all that can be said of them, and not what the accumulators end with.
    for case in [&*DERIBIT, &*GREEKS] {
        let forger = case.short.forger();
        let said = forger.say(&[case.scene_with_bad_roots()]).masked;
        assert!(
            said[0]
                .iter()
                .any(|u| small(*u).is_none_or(|u| u >> case.plan().omega > 0))
        );
        let proof = forger.prove(&[case.scene_with_bad_roots()]).unwrap().proof;
        case.short.refused(&proof, CIRCUIT);
    }
    // In bytes that hold everything: a proof of the same shape but for them, under the same key.
    refused_with_bad_roots_unless_the_plan_is_the_provers(&Plan {
        omega: 256,
        ..DERIBIT.plan().clone()
    });
}

/// The first unusable row of `z`, which its prover chooses, is what the last usable one is compared with, if `m` is not zero there.
#[test]
fn bundle_is_refused_when_m_is_not_zero_on_the_last_usable_row() {
    let mut plan = DERIBIT.plan().clone();
    assert_eq!((plan.z_columns, plan.m[plan.last]), (1, 0));
    plan.m[plan.last] = 1 << plan.limb_bits;
    let mut forger = Forger::new(&GENERATORS, &plan, vec![DERIBIT.sound.prepared.digest.0]);
    forger.chosen = vec![(0, plan.z_at(), 0, Fp::ZERO)];
    let proof = forger.prove(&[DERIBIT.scene()]).unwrap().proof;
    DERIBIT.sound.refused(&proof, CIRCUIT);
    let lenient = Lenient {
        plan: Some(&plan),
        ..Lenient::default()
    };
    accepted_by(&[&DERIBIT.sound], &lenient, &proof);
}

/// The short book with a "bit" that is a fraction: it frees a little of each of two charges of which one must be borne. The bit and its complement, their
/// places, and the columns with all that follows from them.
fn short_book_with_a_fraction() -> ([Fp; 2], [usize; 2], Columns) {
    let (case, program, lacking) = (&*DERIBIT, DERIBIT.short.program(), DERIBIT.lacking);
    let factor = |equation: usize, variable: usize| {
        let mut variables = program.equations()[equation].variables.iter();
        variables.find_map(|(other, factor)| (other.index() == variable).then_some(*factor))
    };
    let is_free = |j: &usize| program.variables()[*j].whole && case.short_w[*j] == 0;
    let bit = (0..program.variables().len())
        .find(is_free)
        .expect("a bit that is zero");
    let of_bit: Vec<usize> = (0..program.equations().len())
        .filter(|index| factor(*index, bit).is_some())
        .collect();
    let [with_complement, tight, loose] = of_bit[..] else {
        panic!("a choice of two")
    };
    let slack = |equation: usize| own_slack(program, equation).unwrap().0;
    let complement = slack(with_complement);
    let in_both = |j: &usize| {
        [tight, lacking.equation]
            .iter()
            .all(|equation| factor(*equation, *j).is_some())
    };
    let charge = (0..program.variables().len()).find(in_both).expect("a charge");
    let relief = -factor(lacking.equation, charge).unwrap();
    assert_eq!((factor(tight, charge), factor(loose, charge)), (Some(1), Some(1)));
    // So much less of the charge that the requirement is met.
    let less = lacking.units.div_ceil(u128::try_from(relief).unwrap());
    let fraction = Fp::from_u128(less) * integer(factor(tight, bit).unwrap()).invert().unwrap();
    let mut columns = case.short_scene().columns;
    for (variable, value) in [
        (charge, case.short_w[charge] - less),
        (slack(loose), case.short_w[slack(loose)] - 2 * less),
        (lacking.slack, less * relief as u128 - lacking.units),
    ] {
        let Place::Squares(sum) = case.plan().places[variable] else {
            panic!("a whole variable")
        };
        columns.take_roots(case.plan(), sum, four_squares(value).map(Fp::from_u128));
    }
    ([fraction, Fp::ONE - fraction], [bit, complement], columns)
}

#[test]
fn bundle_is_refused_when_a_run_ends_on_the_last_usable_row() {
    let ([fraction, rest], bits, columns) = short_book_with_a_fraction();
    // The runs of one cell become runs of two at the very end, each of a column.
    let mut plan = DERIBIT.plan().clone();
    let head = plan.last - 1;
    for (column, bit) in bits.into_iter().enumerate() {
        assert_eq!(plan.limbs(plan.head(bit)), 1);
        plan.places[bit] = Place::Run(Cell { column, row: head });
    }
    plan.z_columns = 2;
    plan.runs.push((head, 2));
    plan.m = plan.multipliers();
    let mut scene = DERIBIT.short.scene_of(columns);
    scene.columns.z = vec![vec![Fp::ZERO; plan.last + 1]; 2];
    let mut chosen = Vec::new();
    for (variable, place) in plan.places.iter().enumerate() {
        if let (Place::Run(cell), false) = (*place, bits.contains(&variable)) {
            scene
                .columns
                .place(&plan, cell, Fp::from_u128(DERIBIT.short_w[variable]));
        }
    }
    for (column, value) in [fraction, rest].into_iter().enumerate() {
        // Every limb is zero: each cell is the field's quotient of the one above it, and the first unusable row carries on what the run cannot hold.
        let quotient = Fp::from(1 << plan.limb_bits).invert().unwrap();
        scene.columns.z[column][head] = value;
        scene.columns.z[column][head + 1] = value * quotient;
        chosen.push((0, plan.z_at() + column, 0, value * quotient.square()));
    }
    let prove = |plan: &Plan| {
        let mut forger = Forger::new(&GENERATORS, plan, vec![DERIBIT.short.prepared.digest.0]);
        forger.chosen.clone_from(&chosen);
        forger.prove(std::slice::from_ref(&scene))
    };
    assert_eq!(plan.m[plan.last], 0);
    // The table does not have the last limb.
    assert_eq!(prove(&plan).unwrap_err(), "The constraint system is not satisfied");
    plan.m[plan.last] = 1 << plan.limb_bits;
    let proof = prove(&plan).unwrap().proof;
    DERIBIT.short.refused_where_it_is_misread(&proof);
    let lenient = Lenient {
        plan: Some(&plan),
        ..Lenient::default()
    };
    accepted_by(&[&DERIBIT.short], &lenient, &proof);
}
