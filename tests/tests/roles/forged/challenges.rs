//! Challenges: what must be fixed before each of them, and what could be done if it were not.

use ff::{Field, PrimeField};
use pasta_curves::Fp;
use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng;
use zkmargin_tests::*;

use super::cases::{Case, DERIBIT, GREEKS, cash, own_slack};
use super::{Book, CIRCUIT, GENERATORS, LINK, accepted_by, forger_of, refused, refused_unless_points_are_read_twice};
use crate::stage::context;

/// A challenge that is known before what it should depend on.
fn known() -> Fp {
    Fp::from(123_456_789)
}

// --- r

/// Gives some slacks of the short book other values in their ranges, so that all violations cancel under these multipliers.
fn take_cancelling_slacks(case: &Case, columns: &mut Columns, multipliers: &[u128]) -> Vec<usize> {
    let (program, lacking) = (case.short.program(), case.lacking);
    let room = |(equation, slack): (usize, usize)| {
        let (value, bits) = (case.short_w[slack], program.variables()[slack].bits);
        (equation != lacking.equation && value >> 40 > 0 && (value + (1 << 40)) >> bits == 0)
            .then_some((equation, slack))
    };
    let slacks = (0..program.equations().len())
        .filter_map(|equation| Some((equation, own_slack(program, equation)?)))
        .filter_map(|(equation, (slack, factor))| {
            assert_eq!(factor, -Fp::ONE);
            room((equation, slack))
        });
    // Whole ones first: those that are no sums of squares.
    let mut slacks: Vec<(usize, usize)> = slacks.collect();
    slacks.sort_by_key(|(_, slack)| matches!(case.plan().places[*slack], Place::Squares(_)));
    slacks.truncate(8);
    let those: Vec<u128> = [lacking.equation]
        .into_iter()
        .chain(slacks.iter().map(|(equation, _)| *equation))
        .map(|equation| multipliers[equation])
        .collect();
    let short = i128::try_from(lacking.units).unwrap();
    // As many times as lifts the slack that is below zero to zero or more; of all short relations the one that then changes least.
    let relations = short_relations(&those).into_iter().filter(|relation| relation[0] != 0);
    let relations = relations.map(|relation| {
        let times = (short / relation[0].abs() + 1) * relation[0].signum();
        relation.into_iter().map(|entry| -times * entry).collect::<Vec<_>>()
    });
    let relation = relations
        .min_by_key(|relation| relation.iter().map(|entry| entry.abs()).max())
        .unwrap();
    let changed: Vec<(usize, i128)> = [(lacking.slack, -short - relation[0])]
        .into_iter()
        .chain((slacks.iter().zip(&relation[1..])).map(|((_, slack), entry)| (*slack, -entry)))
        .collect();
    for (slack, change) in &changed {
        let value = u128::try_from(i128::try_from(case.short_w[*slack]).unwrap() + change).unwrap();
        assert_eq!(value >> program.variables()[*slack].bits, 0, "in its range");
        match case.plan().places[*slack] {
            Place::Run(cell) => columns.place(case.plan(), cell, Fp::from_u128(value)),
            Place::Squares(sum) => columns.take_roots(case.plan(), sum, four_squares(value).map(Fp::from_u128)),
        }
    }
    changed.into_iter().map(|(slack, _)| slack).collect()
}

#[test]
fn bundle_is_refused_when_hidden_variables_are_chosen_after_r() {
    for case in [&*DERIBIT, &*GREEKS] {
        let mut forger = case.short.forger();
        forger.columns = Box::new(|_, challenges, columns| {
            let multipliers = multipliers(&challenges.r, case.short.program().equations().len());
            let said = columns.masked(case.plan(), factors, &challenges.e);
            let changed = take_cancelling_slacks(case, columns, &multipliers);
            columns.mask_to(case.plan(), factors, &challenges.e, &said);
            let whole = changed
                .iter()
                .any(|slack| case.short.program().variables()[*slack].whole);
            assert_eq!(whole, std::ptr::eq(case, &*GREEKS), "z columns change, too");
        });
        refused_unless_points_are_read_twice(&[&case.short], forger, &[case.short_scene()]);
    }
}

#[test]
fn bundle_is_refused_when_r_was_known() {
    for case in [&*DERIBIT, &*GREEKS] {
        let mut scene = case.short_scene();
        let multipliers = multipliers(&known(), case.short.program().equations().len());
        take_cancelling_slacks(case, &mut scene.columns, &multipliers);
        let mut forger = case.short.forger();
        forger.multipliers = Box::new(|_, count| scalar_multipliers(&known(), count));
        let proof = forger.prove(&[scene]).unwrap().proof;
        case.short.refused(&proof, LINK);
        let lenient = Lenient {
            r: Some(known()),
            ..Lenient::default()
        };
        accepted_by(&[&case.short], &lenient, &proof);
    }
}

#[test]
fn bundle_is_refused_when_masked_projections_are_chosen_after_r() {
    for case in [&*DERIBIT, &*GREEKS] {
        let (plan, program) = (case.plan(), case.short.program());
        // Changes of ten masked projections that are, with their multipliers, what the equation lacks.
        let choose = |challenges: &Challenges, masked: &mut [Fp]| {
            let multipliers = multipliers(&challenges.r, plan.drawn(program));
            let of_projections = &multipliers[program.equations().len()..];
            let those = [
                &multipliers[case.lacking.equation..=case.lacking.equation],
                &of_projections[..10],
            ]
            .concat();
            let relation = short_relation_from(&those, i128::try_from(case.lacking.units).unwrap());
            for (u, change) in masked.iter_mut().zip(&relation[1..]) {
                *u += integer(*change);
            }
            assert!(masked.iter().all(|u| small(*u).is_some_and(|u| u >> plan.omega == 0)));
        };
        // Said before `r`, and others meant.
        let mut forger = case.short.forger();
        forger.matrices = Box::new(|_, known, public| {
            let mut masked = known.columns.masked(plan, factors, &known.challenges.e);
            choose(&known.challenges, &mut masked);
            let multipliers = scalar_multipliers(&known.challenges.r, plan.drawn(program));
            *public = fold(program, plan, factors, &known.challenges.e, &masked, &multipliers).public;
        });
        let forged = forger.prove(&[case.short_scene()]).unwrap();
        case.short.refused(&forged.proof, LINK);
        let lenient = Lenient {
            matrices: Some(&forged.matrices),
            ..Lenient::default()
        };
        accepted_by(&[&case.short], &lenient, &forged.proof);
        // Said after `r`.
        let mut forger = case.short.forger();
        forger.after_r = Some(Box::new(|_, challenges, masked| choose(challenges, masked)));
        let proof = forger.prove(&[case.short_scene()]).unwrap().proof;
        case.short.refused_where_it_is_misread(&proof);
        let lenient = Lenient {
            masked_after_r: true,
            ..Lenient::default()
        };
        accepted_by(&[&case.short], &lenient, &proof);
    }
}

// --- e

/// Puts roots that are no small numbers where a slack is below zero, and lets the others make up for them in the projections by this `e`.
fn fit_roots(columns: &mut Columns, e: &Fp) {
    let case = &*DERIBIT;
    columns.take_roots(case.plan(), case.bad_sum(), case.bad_roots());
    let mut generator = ChaCha20Rng::seed_from_u64(7);
    hide_roots(case.plan(), columns, case.bad_sum(), factors, e, &mut generator);
    let y = columns.projections(case.plan(), factors, e);
    assert!(y.iter().all(|y| small(*y).is_some_and(|y| y >> case.plan().beta == 0)));
}

#[test]
fn bundle_is_refused_when_roots_are_fitted_to_e() {
    let mut forger = DERIBIT.short.forger();
    forger.after_e = Box::new(|_, e, columns| fit_roots(columns, e));
    refused_unless_points_are_read_twice(&[&DERIBIT.short], forger, &[DERIBIT.short_scene()]);
}

/// The proof of the short book by a forger who knows `e` in time; with the `e` of its own points it would not be one either.
fn refused_unless_e_is_known(case: &Case, mut forger: Forger<'_>, scene: &Scene<'_>) {
    forger.e = Some(known());
    let proof = forger.prove(std::slice::from_ref(scene)).unwrap().proof;
    case.short.refused(&proof, LINK);
    let lenient = Lenient {
        e: Some(known()),
        ..Lenient::default()
    };
    accepted_by(&[&case.short], &lenient, &proof);
    forger.e = None;
    let proof = forger.prove(std::slice::from_ref(scene)).unwrap().proof;
    case.short.refused(&proof, CIRCUIT);
}

#[test]
fn bundle_is_refused_when_e_was_known_before_the_roots() {
    let mut scene = DERIBIT.short_scene();
    fit_roots(&mut scene.columns, &known());
    refused_unless_e_is_known(&DERIBIT, DERIBIT.short.forger(), &scene);
}

/// Numbers that can be said.
fn sayable(plan: &Plan) -> Vec<Fp> {
    let numbers = 0..plan.masked() as u128;
    numbers
        .map(|index| Fp::from_u128((1 << (plan.omega - 1)) + index))
        .collect()
}

#[test]
fn bundle_is_refused_when_masks_are_chosen_after_e() {
    let (case, plan) = (&*DERIBIT, DERIBIT.plan());
    let mut forger = case.short.forger();
    forger.after_e = Box::new(|_, e, columns| columns.mask_to(plan, factors, e, &sayable(plan)));
    refused_unless_points_are_read_twice(&[&case.short], forger, &[case.scene_with_bad_roots()]);
}

#[test]
fn bundle_is_refused_when_e_was_known_before_the_masks() {
    let case = &*GREEKS;
    let scene = case.scene_with_bad_roots();
    let mut forger = case.short.forger();
    forger.masks = Box::new(|_, masks| {
        let mut columns = scene.columns.clone();
        columns.mask_to(case.plan(), factors, &known(), &sayable(case.plan()));
        masks.copy_from_slice(&columns.masks(case.plan()));
    });
    refused_unless_e_is_known(case, forger, &scene);
}

// --- η, and errors that would cancel

/// A debt that makes an account short, and where else it could stand: in the same row of another column, as something that is borne there.
struct Debt {
    lots: u64,
    /// Column and row.
    at: (usize, usize),
    /// With the debt.
    indebted: Book,
    /// Without it, and its hidden variables.
    relieved: Columns,
    /// With something else in that row of another column instead.
    elsewhere: Columns,
}

impl Debt {
    fn new(case: &Case) -> Self {
        let layout = case.sound.program().layout();
        // Not of cash: in that row of every other column is a leg that costs more than it brings.
        let leg = context().universe.venues()[1].asset("ETH", None).unwrap().debt;
        let at = (layout.column_of(leg), layout.row_of(leg));
        let lots = 1_000_000;
        let with = |changes: &[(usize, u64)]| {
            let mut all = case.sound.account.lots.clone();
            changes.iter().for_each(|(leg, lots)| all[*leg] += lots);
            all
        };
        let columns = |lots: &[u64]| {
            let w = case.sound.program().witness(lots).ok()?.values().to_vec();
            let q: Matrix = lots.chunks(GENERATORS.legs()).map(scalars).collect();
            Some(Columns::new(case.plan(), &q, &w))
        };
        // Cash for a part of it.
        let part = (cash(), lots);
        let indebted = case.book(with(&[part, (leg.index(), lots)]), 4);
        assert!(indebted.program().witness(&indebted.account.lots).is_err());
        let moved = (0..case.plan().q_columns)
            .filter(|column| *column != at.0)
            .find_map(|column| {
                let other = column * GENERATORS.legs() + at.1;
                columns(&with(&[part, (other, lots)]))
            });
        Self {
            lots,
            at,
            indebted,
            relieved: columns(&with(&[part])).unwrap(),
            elsewhere: moved.expect("a column that bears it"),
        }
    }
}

#[test]
fn bundle_is_refused_when_errors_of_two_columns_cancel() {
    let debt = Debt::new(&GREEKS);
    let mut forger = debt.indebted.forger();
    // With η known, or the same weight for all columns, nothing would be noticed.
    forger.weights = Box::new(|_| vec![Fp::ONE; GREEKS.plan().linked_columns()]);
    let proof = forger.prove(&[debt.indebted.scene_of(debt.elsewhere)]).unwrap().proof;
    debt.indebted.refused(&proof, LINK);
    let lenient = Lenient {
        eta: Some(Fp::ONE),
        ..Lenient::default()
    };
    accepted_by(&[&debt.indebted], &lenient, &proof);
}

#[test]
fn bundle_is_refused_when_errors_of_an_account_and_a_matrix_cancel() {
    // Each column of the account has the weight of its column of the matrix.
    fn shared(plan: &Plan, eta: Fp) -> Vec<Fp> {
        let of_accounts = || powers(eta).take(plan.q_columns);
        let others = powers(eta)
            .skip(plan.q_columns)
            .take(plan.linked_columns() - 2 * plan.q_columns);
        of_accounts().chain(of_accounts()).chain(others).collect()
    }
    let debt = Debt::new(&GREEKS);
    let mut forger = debt.indebted.forger();
    // Nothing is held in that row any more: what the matrix has there does not matter.
    forger.matrices = Box::new(|_, _, a| a[debt.at.0][debt.at.1] += Fp::from(debt.lots));
    forger.weights = Box::new(|eta| shared(GREEKS.plan(), eta));
    let proof = forger
        .prove(&[debt.indebted.scene_of(debt.relieved.clone())])
        .unwrap()
        .proof;
    debt.indebted.refused(&proof, LINK);
    let lenient = Lenient {
        weights: Some(shared),
        ..Lenient::default()
    };
    accepted_by(&[&debt.indebted], &lenient, &proof);
}

#[test]
fn bundle_is_refused_when_errors_of_two_statements_cancel() {
    // The powers of η begin anew in every circuit.
    fn again(plan: &Plan, eta: Fp) -> Vec<Fp> {
        let of_circuit = || powers(eta).take(plan.linked_columns());
        of_circuit().chain(of_circuit()).collect()
    }
    let (case, owed) = (&*GREEKS, Debt::new(&GREEKS));
    let mut lots = case.sound.account.lots.clone();
    lots[cash()] += 1 << 40;
    let rich = case.book(lots.clone(), 5);
    lots[owed.at.0 * GENERATORS.legs() + owed.at.1] += owed.lots;
    let w = witness(case.sound.program(), &lots);
    let mut burdened = rich.scene(&w);
    burdened.columns.q[owed.at.0][owed.at.1] += Fp::from(owed.lots);
    let books = [&owed.indebted, &rich];
    let scenes = [owed.indebted.scene_of(owed.relieved.clone()), burdened];
    let mut forger = forger_of(&books);
    forger.weights = Box::new(|eta| again(case.plan(), eta));
    let proof = forger.prove(&scenes).unwrap().proof;
    refused(&books, &proof, LINK);
    let lenient = Lenient {
        weights: Some(again),
        ..Lenient::default()
    };
    accepted_by(&books, &lenient, &proof);
}

#[test]
fn bundle_is_refused_when_errors_of_link_and_circuit_cancel() {
    let book = &GREEKS.sound;
    let mut forger = book.forger();
    forger.response = Fp::from(5);
    let mut proof = forger.prove(&[GREEKS.scene()]).unwrap().proof;
    // The last scalar of the opening counts `W`, as the last response does, and the other way round.
    let last = proof.len() - 32;
    let scalar = Fp::from_repr(proof[last..].try_into().unwrap()).unwrap() + forger.response;
    proof[last..].copy_from_slice(&scalar.to_repr());
    book.refused(&proof, LINK);
    let no_link = Lenient {
        link: false,
        ..Lenient::default()
    };
    assert_eq!(book.leniently(&no_link, &proof), Verdict::Circuit);
    let one_weight = Lenient {
        one_weight: true,
        ..Lenient::default()
    };
    accepted_by(&[book], &one_weight, &proof);
}

/// The projections of all columns have the same multipliers: what keeps columns apart is that each accumulator has an end of its own.
#[test]
fn bundle_is_refused_when_errors_of_one_projection_in_two_columns_cancel() {
    let (book, plan) = (&DERIBIT.sound, DERIBIT.plan());
    let together = Plan {
        ends: Ends::Sum,
        ..plan.clone()
    };
    let mut forger = Forger::new(&GENERATORS, &together, vec![book.prepared.digest.0]);
    forger.masked = Box::new(|_, masked| {
        masked[0][5] += Fp::from(1000);
        masked[0][3 * PROJECTIONS + 5] -= Fp::from(1000);
    });
    let proof = forger.prove(&[DERIBIT.scene()]).unwrap().proof;
    book.refused(&proof, CIRCUIT);
    let lenient = Lenient {
        plan: Some(&together),
        ..Lenient::default()
    };
    accepted_by(&[book], &lenient, &proof);
}
