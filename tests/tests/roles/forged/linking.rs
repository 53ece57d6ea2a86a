//! The link: rows and columns of an account and of the matrices, whose points they are, and which circuit they belong to.

use ff::Field;
use pasta_curves::{Eq, Fp};
use zkmargin_circuits::{Claim, Point};
use zkmargin_tests::*;

use super::cases::{DERIBIT, GREEKS, VENUES, attest, attest_points, cash};
use super::{
    Book, CIRCUIT, GENERATORS, LINK, accepted, accepted_by, forger_of, refused, refused_unless_points_are_read_twice,
};
use crate::facts;
use crate::stage::STAGE;

/// Without a link.
fn unlinked() -> Lenient<'static> {
    Lenient {
        link: false,
        ..Lenient::default()
    }
}

#[test]
fn bundle_is_refused_when_a_row_of_the_account_or_of_a_public_column_is_another() {
    let (case, plan) = (&*GREEKS, GREEKS.plan());
    let honest = case.sound.forger().prove(&[case.scene()]).unwrap().proof;
    // What follows the link of an honest proof, after every other: it is read, and the link is what decides.
    let rest = &honest[plan.link_at().end..];
    let last = plan.q_columns - 1;
    // A leg that is not held, a row without a leg, those from `u` on, the last usable one.
    let rows = [5, GENERATORS.legs() - 1, GENERATORS.legs(), plan.last];
    for (index, row) in rows.into_iter().enumerate() {
        let mut scene = case.scene();
        let column = if index < 2 { last } else { index };
        assert_eq!(scene.columns.q[column][row], Fp::ZERO);
        scene.columns.q[column][row] += Fp::from(777);
        let proof = [case.sound.forger().prove_link(&[scene]), rest.to_vec()].concat();
        case.sound.refused(&proof, LINK);
        // `a`, `b` and `s`.
        let public = [last, 0, plan.q_columns, plan.q_columns + 1][index];
        let mut forger = case.sound.forger();
        forger.matrices = Box::new(move |_, _, columns| columns[public][row] += Fp::from(777));
        let proof = [forger.prove_link(&[case.scene()]), rest.to_vec()].concat();
        case.sound.refused(&proof, LINK);
    }
    // Such rows are multiplied by nothing: whole proofs that nothing else is wrong with.
    let row = GENERATORS.legs() - 1;
    for (account, matrix) in [(777, 0), (0, 777)] {
        let mut scene = case.scene();
        scene.columns.q[last][row] += Fp::from(account);
        let mut forger = case.sound.forger();
        forger.matrices = Box::new(move |_, _, columns| columns[last][row] += Fp::from(matrix));
        let proof = forger.prove(&[scene]).unwrap().proof;
        case.sound.refused(&proof, LINK);
        accepted_by(&[&case.sound], &unlinked(), &proof);
    }
}

/// The sound book's columns, proven for what is attested in this one: refused without a link alone.
fn refused_unless_unlinked(book: &Book) {
    let mut scene = GREEKS.scene();
    scene.outside = outside(&GENERATORS, &book.prepared.claim());
    let proof = book.forger().prove(&[scene]).unwrap().proof;
    book.refused(&proof, LINK);
    accepted_by(&[book], &unlinked(), &proof);
}

#[test]
fn bundle_is_refused_when_the_proof_is_about_what_was_attested_of_the_account_an_epoch_before() {
    let case = &*GREEKS;
    let Account { lots, columns, .. } = &case.sound.account;
    // Then it held what the sound book holds; now the same, under other blinds, or a lot less.
    let before = Account::holding(&GENERATORS, lots.clone(), columns.clone(), 77);
    for now in [&case.sound, &case.short] {
        let old = Claim {
            attested: &before.points,
            ..now.prepared.claim()
        };
        let mut scene = case.scene();
        scene.outside = outside(&GENERATORS, &old);
        scene.blinds.clone_from(&before.blinds);
        let proof = now.forger().prove(&[scene]).unwrap().proof;
        now.refused(&proof, LINK);
        let verdict = Lenient::default().verify(&GENERATORS, &[old], &proof);
        assert_eq!(verdict, Verdict::Accepted, "a good proof of what was attested before");
    }
    // Stated as it was signed then, it is of another instant than the snapshot, whatever the proof is.
    let earlier = [0, 1].map(|venue| {
        let mut content = attest(venue, &before, 2).content().clone();
        content.epoch = "2026-08-06T11:00:00Z".parse().unwrap();
        content.sign(&STAGE.key(VENUES[venue].1))
    });
    let book = Book::attested(case.sound.model, before, earlier.to_vec());
    let proof = book
        .forger()
        .prove(&[case.scene_with_its_variables(&book)])
        .unwrap()
        .proof;
    let claims = [book.prepared.claim()];
    assert_eq!(
        Lenient::default().verify(&GENERATORS, &claims, &proof),
        Verdict::Accepted
    );
    facts::refused(book.verdict(&proof), 3, "the snapshot is of");
}

#[test]
fn bundle_is_refused_when_a_venue_that_is_left_out_is_not_empty() {
    let mut account = GREEKS.sound.account.clone();
    let attestation = attest(0, &account, 6);
    let attested = attestation.content().points.len();
    account.points[attested..].iter_mut().for_each(Vec::clear);
    let book = Book::attested(GREEKS.sound.model, account, vec![attestation]);
    // Without its cash it is not met.
    let mut lots = GREEKS.sound.account.lots.clone();
    lots[attested * GENERATORS.legs()..].fill(0);
    assert!(book.program().witness(&lots).is_err());
    refused_unless_unlinked(&book);
}

#[test]
fn bundle_is_refused_when_a_venues_point_would_erase_what_another_venue_signed() {
    let (short, first) = (&GREEKS.short, 0);
    // The second venue signs, in its own column, what would make a column of the first one that of a rich book.
    let mut lots = short.account.lots.clone();
    lots[first] += 1 << 40;
    let wanted = GREEKS.book(lots, 2);
    let w = witness(wanted.program(), &wanted.account.lots);
    let [own, rich] = [short, &wanted].map(|book| outside(&GENERATORS, &book.prepared.claim())[first]);
    let erasing = point(&(rich - own));
    let attestations = vec![attest(0, &short.account, 2), attest_points(1, vec![erasing], 2, 1)];
    let book = Book::attested(short.model, short.account.clone(), attestations);
    let mut scene = wanted.scene(&w);
    scene.outside = outside(&GENERATORS, &book.prepared.claim());
    let proof = book.forger().prove(&[scene]).unwrap().proof;
    book.refused(&proof, LINK);
    accepted_by(&[&book], &unlinked(), &proof);
    // Added up with the first venue's, it would do: so no column has two venues.
    let mut added = wanted.prepared.attested.clone();
    added[first] = vec![short.prepared.attested[first][0], erasing];
    let claim = Claim {
        attested: &added,
        ..book.prepared.claim()
    };
    let mut scene = wanted.scene(&w);
    scene.outside = outside(&GENERATORS, &claim);
    let proof = book.forger().prove(&[scene]).unwrap().proof;
    book.refused(&proof, LINK);
    let verdict = Lenient::default().verify(&GENERATORS, &[claim], &proof);
    assert_eq!(verdict, Verdict::Accepted);
}

#[test]
fn bundle_is_refused_when_it_proves_anything_of_columns_whose_points_cancel() {
    // Two accounts at one venue, whose columns add up to zeros.
    let account = &GREEKS.short.account;
    let [first, second] = [0, 1].map(|venue| attest(venue, account, 2));
    let points = &second.content().points;
    let negated = |own: &Point| point(&-Eq::from(decode(&own.to_bytes())));
    let attestations = vec![
        first,
        attest_points(1, points.clone(), 2, 2),
        attest_points(1, points.iter().map(negated).collect(), 3, 2),
    ];
    let book = Book::attested(GREEKS.short.model, account.clone(), attestations);
    refused_unless_unlinked(&book);
}

// --- the circuit and the link are about the same columns, in every circuit of a bundle

/// Of two statements one is proven by a circuit of its trader's own making, the first or the second: after `e` its columns are changed, whose `z` are then
/// committed to, and once more in step 4.
fn refused_in_circuit<'a>(
    circuit: usize,
    odd: (&'a Book, Scene<'a>),
    hide: impl Fn(&mut Columns) + 'a,
    deceive: impl Fn(&mut (Columns, Matrix)) + 'a,
) {
    let other = GREEKS.book(GREEKS.sound.account.lots.clone(), 9);
    let honest = GREEKS.scene_with_its_variables(&other);
    let (mut books, mut scenes) = ([&other; 2], [honest.clone(), honest]);
    (books[circuit], scenes[circuit]) = odd;
    let mut forger = forger_of(&books);
    forger.after_e = Box::new(move |index, _, columns| {
        if index == circuit {
            hide(columns);
        }
    });
    forger.proven = Box::new(move |index, _, stage| {
        if index == circuit {
            deceive(stage);
        }
    });
    refused_unless_points_are_read_twice(&books, forger, &scenes);
}

/// The same of one statement.
fn refused_alone<'a>(
    odd: (&'a Book, Scene<'a>),
    hide: impl Fn(&mut Columns) + 'a,
    deceive: impl Fn(&mut (Columns, Matrix)) + 'a,
) {
    let mut forger = odd.0.forger();
    forger.after_e = Box::new(move |_, _, columns| hide(columns));
    forger.proven = Box::new(move |_, _, stage| deceive(stage));
    refused_unless_points_are_read_twice(&[odd.0], forger, &[odd.1]);
}

#[test]
fn bundle_is_refused_when_one_of_its_circuits_proves_another_account_than_the_linked_one() {
    let column = cash() / GENERATORS.legs();
    let sound = GREEKS.usable(&GREEKS.sound.account.columns[column]);
    for circuit in [0, 1] {
        let scene = GREEKS.scene_with_its_variables(&GREEKS.short);
        let deceive = |(columns, _): &mut (Columns, Matrix)| columns.q[column].clone_from(&sound);
        refused_in_circuit(circuit, (&GREEKS.short, scene), |_| (), deceive);
    }
}

#[test]
fn bundle_is_refused_when_one_of_its_circuits_proves_other_whole_variables_than_the_committed_ones() {
    // What is committed to is something else, and what fits is put in its place afterwards.
    fn turn(columns: &mut Columns, column: usize) {
        columns.z[column].reverse();
    }
    refused_in_circuit(
        1,
        (&GREEKS.sound, GREEKS.scene()),
        |columns| turn(columns, 0),
        |(columns, _)| turn(columns, 0),
    );
    for (case, column) in [(&*GREEKS, 1), (&*DERIBIT, 0)] {
        refused_alone(
            (&case.sound, case.scene()),
            |columns| turn(columns, column),
            |(columns, _)| turn(columns, column),
        );
    }
}

#[test]
fn bundle_is_refused_when_one_of_its_circuits_proves_other_roots_than_those_before_e() {
    let plan = GREEKS.plan();
    let mut scene = GREEKS.scene();
    let fitting = scene.columns.x[0].clone();
    scene.columns.x[0].reverse();
    let hide = |columns: &mut Columns| {
        let masks = columns.masks(plan);
        columns.x[0].clone_from(&fitting);
        columns.take_masks(plan, &masks);
    };
    refused_in_circuit(1, (&GREEKS.sound, scene), hide, |_| ());
}

#[test]
fn bundle_is_refused_when_one_of_its_circuits_proves_another_matrix_than_the_linked_one() {
    let (column, row) = (cash() / GENERATORS.legs(), cash() % GENERATORS.legs());
    for circuit in [0, 1] {
        let deceive = |(columns, instance): &mut (Columns, Matrix)| {
            let missing = missing(GREEKS.plan(), columns, instance)[0];
            assert_ne!(missing, Fp::ZERO);
            columns.public[column][row] += missing * columns.q[column][row].invert().unwrap();
        };
        refused_in_circuit(circuit, (&GREEKS.short, GREEKS.short_scene()), |_| (), deceive);
    }
}

#[test]
fn bundle_is_refused_when_one_of_its_circuits_proves_other_factors_or_coefficients_of_roots() {
    // `b`, then `s`; where groups have four columns, in a bundle of one statement.
    for case in [&*GREEKS, &*DERIBIT] {
        let plan = case.plan();
        for index in plan.q_columns..plan.public_columns() {
            let odd = (&case.short, case.short_scene());
            let deceive = |(columns, instance): &mut (Columns, Matrix)| {
                let missing = missing(plan, columns, instance)[0];
                assert_ne!(missing, Fp::ZERO);
                lift(plan, columns, index, 0..plan.last, missing).unwrap();
            };
            match plan.group {
                1 => refused_in_circuit(1, odd, |_| (), deceive),
                _ => refused_alone(odd, |_| (), deceive),
            }
        }
    }
}

#[test]
fn bundle_of_two_statements_is_refused_when_they_change_places_or_one_is_left_out() {
    let case = &*GREEKS;
    let other = case.book(case.sound.account.lots.clone(), 9);
    let books = [&case.sound, &other];
    let scenes = [case.scene(), case.scene_with_its_variables(&other)];
    let mut forger = forger_of(&books);
    let proof = forger.prove(&scenes).unwrap().proof;
    accepted(&books, &proof);
    refused(&[books[1], books[0]], &proof, LINK);
    books[0].refused_where_it_is_misread(&proof);
    books[1].refused_where_it_is_misread(&proof);
    // What is said of the projections of one is said of the other's.
    forger.masked = Box::new(|_, masked| masked.swap(0, 1));
    let proof = forger.prove(&scenes).unwrap().proof;
    refused(&books, &proof, CIRCUIT);
}
