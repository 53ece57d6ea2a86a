//! Bytes that are no elements, at every kind of point and of scalar that a bundle has.

use zkmargin_circuits::{Point, PointError};
use zkmargin_verifier::Bundle;

use super::cases::GREEKS;
use super::{Book, accepted, said};
use crate::stage::STAGE;

/// The order of the group, its lowest byte first: no scalar is as large.
const ORDER: &str = "01000000ed302d991bf94c09fc98462200000000000000000000000000000040";

fn order() -> [u8; 32] {
    hex::decode(ORDER).unwrap().try_into().unwrap()
}

/// What is no point, and why.
fn no_points() -> [([u8; 32], PointError); 5] {
    let small = |x: u8| std::array::from_fn(|at| if at == 0 { x } else { 0 });
    let off_curve = (1..)
        .map(small)
        .find(|bytes| Point::from_bytes(bytes) == Err(PointError::OffCurve));
    // The order of the field of coordinates: zero once more.
    let field = hex::decode("0100000021eb468cdda89409fc98462200000000000000000000000000000040").unwrap();
    let negative_identity = std::array::from_fn(|at| if at == 31 { 0x80 } else { 0 });
    [
        ([0; 32], PointError::Identity),
        (off_curve.unwrap(), PointError::OffCurve),
        ([0xff; 32], PointError::NonCanonical),
        (field.try_into().unwrap(), PointError::NonCanonical),
        (negative_identity, PointError::OffCurve),
    ]
}

/// What stands in a proof of one statement, in its order: what it is, how many of them, and whether they are points.
fn kinds(book: &Book) -> Vec<(&'static str, usize, bool)> {
    let plan = &book.plan;
    let (z, points, scalars) = (plan.z_columns, true, false);
    vec![
        ("account", plan.q_columns, points),
        ("roots", plan.x_columns(), points),
        ("masked projections", 0, points),
        ("whole variables", z, points),
        ("matrix", plan.q_columns, points),
        ("factors", plan.groups, points),
        ("coefficients", plan.groups, points),
        ("nonce", 1, points),
        ("responses", plan.unusable() + 1, scalars),
        ("accumulators", plan.group, points),
        ("permuted lookups", 2 * z, points),
        ("products of lookups", z, points),
        ("vanishing argument, blinding", 1, points),
    ]
}

#[test]
fn proof_is_refused_when_any_kind_of_element_is_none() {
    let book = &GREEKS.sound;
    let plan = &book.plan;
    let honest = book.forger().prove(&[GREEKS.scene()]).unwrap().proof;
    accepted(&[book], &honest);
    let is_point = |at: usize| {
        let mut bad = honest.clone();
        bad[at..at + 32].fill(0xff);
        let claims = [book.prepared.claim()];
        let refusal = zkmargin_circuits::verify(crate::stage::context().parameters, &claims, &bad).unwrap_err();
        let text = refusal.to_string();
        assert!(text.contains(&format!("at byte {at} of the proof: ")), "{text}");
        text.ends_with("the encoding is not canonical")
    };
    let mut places: Vec<(&str, usize, bool)> = Vec::new();
    let mut at = 0;
    for (kind, count, points) in kinds(book) {
        if count > 0 {
            places.push((kind, at, points));
            places.push((kind, at + 32 * (count - 1), points));
        } else {
            at += plan.masked_at().len();
        }
        at += 32 * count;
    }
    // From here on runs of points and of scalars follow each other, as the library has them: the quotient's pieces, all evaluations, the
    // openings of several points at once, and the inner product with two scalars at its end.
    let mut runs: Vec<(usize, usize, bool)> = Vec::new();
    for at in (at..honest.len()).step_by(32) {
        let points = is_point(at);
        match runs.last_mut() {
            Some((_, end, same)) if *same == points => *end = at,
            _ => runs.push((at, at, points)),
        }
    }
    let shape: Vec<bool> = runs.iter().map(|(.., points)| *points).collect();
    assert_eq!(shape, [true, false, true, false, true, false]);
    assert_eq!(runs[5].1 - runs[5].0, 32, "two scalars");
    // The inner product: a point that blinds, and two a round.
    assert_eq!((runs[4].1 - runs[4].0) / 32 + 1, 1 + 2 * plan.k as usize);
    let names = [
        "quotient",
        "evaluations",
        "openings",
        "openings' evaluations",
        "inner product",
        "last scalars",
    ];
    for (name, (first, last, points)) in names.into_iter().zip(runs) {
        places.push((name, first, points));
        places.push((name, last, points));
    }
    places.dedup();
    for (index, &(kind, at, points)) in places.iter().enumerate() {
        let with = |element: [u8; 32]| {
            let mut proof = honest.clone();
            proof[at..at + 32].copy_from_slice(&element);
            book.verdict(&proof)
        };
        if points {
            // Each reason at the first of a kind, and the identity at its last.
            let reasons = match index.checked_sub(1).map(|before| places[before].0) {
                None => 5,
                Some(before) if before != kind => 3,
                Some(_) => 1,
            };
            for (element, error) in no_points().into_iter().take(reasons) {
                let (code, text) = with(element);
                let because = format!("at byte {at} of the proof: {error}");
                assert!(
                    code == 1 && text.contains(&because),
                    "{kind}, {error}: exit code {code}: {text}"
                );
            }
        } else {
            for element in [order(), [0xff; 32]] {
                let (code, text) = with(element);
                let because = format!("at byte {at} of the proof: the scalar is not below the order");
                assert!(code == 1 && text.contains(&because), "{kind}: exit code {code}: {text}");
            }
        }
    }
}

#[test]
fn bundle_is_refused_when_an_attested_point_is_none() {
    let honest = STAGE.read("margin.bundle");
    let attested = Bundle::from_bytes(&honest)
        .unwrap()
        .statements
        .remove(0)
        .statement
        .attestations;
    for signed in attested {
        let points = &signed.content().points;
        for column in [0, points.len() - 1] {
            let at = honest.windows(32).position(|bytes| bytes == points[column].to_bytes());
            for (element, error) in no_points() {
                let mut bundle = honest.clone();
                bundle[at.unwrap()..][..32].copy_from_slice(&element);
                let (code, text) = said(&STAGE.verify(&bundle, &[]));
                let because = format!("commitment of its column {column}: {error}");
                assert!(
                    code == 1 && text.contains(&because),
                    "{because}: exit code {code}: {text}"
                );
            }
        }
    }
}
