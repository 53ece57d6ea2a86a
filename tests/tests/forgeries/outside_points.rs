//! The attested points: whose they are, of which epoch, of which `k` (protocol §3, §6, §8).

use ff::Field;
use group::Curve;
use halo2_proofs::poly::EvaluationDomain;
use pasta_curves::{Eq, Fp};
use zkmargin_circuits::{Claim, Parameters, Point, PointError, Refusal, verify};
use zkmargin_program::{Builder, Header, Layout, LegId, Pair, Program};
use zkmargin_tests::*;

use crate::{statements, verdict};

/// Proves about the account that the forger has the opening of, with the outside of another claim.
fn prove_about(own: &Account, program: &Program, claim: &Claim<'_>) -> Vec<u8> {
    let plan = Plan::of(program);
    let mut scene = own.honest_scene(&plan, program);
    scene.outside = outside(&SETUP, claim);
    Forger::new(&SETUP, &plan, statements(1)).prove(&[scene]).unwrap().proof
}

#[test]
fn proof_is_refused_when_the_opening_is_that_of_another_account_or_epoch_or_venue() {
    let program = scenarios();
    let own = Account::of(&SOLVENT, 1);
    let mut swapped = own.clone();
    swapped.points.swap(0, 1);
    let mut half = Account::of(&SOLVENT, 2);
    half.points[0].clone_from(&own.points[0]);
    let others = [
        Account::of(&SOLVENT, 2),
        Account::of(&INSOLVENT_0, 1),
        Account::of(&INSOLVENT_1, 1),
        swapped,
        half,
    ];
    for other in &others {
        let claims = [other.claim(0, &program)];
        let proof = prove_about(&own, &program, &claims[0]);
        assert_eq!(verdict(&claims, &proof), Err(Refusal::Link));
        // It is a good proof about the account whose opening it is, had that been the statement's.
        assert_eq!(verdict(&[own.claim(0, &program)], &proof), Ok(()));
    }
}

#[test]
fn proof_is_refused_when_a_venue_left_out_is_not_empty() {
    let program = scenarios();
    // Insolvent by what stands in column 1; without it solvent.
    let account = Account::of(&INSOLVENT_1, 1);
    let plan = Plan::of(&program);
    let mut shown = account.points.clone();
    shown[0].clear();
    // What is in the first column makes it solvent, but is not attested.
    let rich = Account::of(&SOLVENT, 3);
    let claims = [Claim {
        attested: &shown,
        ..rich.claim(0, &program)
    }];
    let mut scene = rich.honest_scene(&plan, &program);
    scene.outside = outside(&SETUP, &claims[0]);
    let proof = Forger::new(&SETUP, &plan, statements(1)).prove(&[scene]).unwrap().proof;
    assert_eq!(verdict(&claims, &proof), Err(Refusal::Link));
    let lenient = Lenient {
        link: false,
        ..Lenient::default()
    };
    assert_eq!(lenient.verify(&SETUP, &claims, &proof), Verdict::Accepted);
}

#[test]
fn proof_is_refused_when_one_venues_point_would_erase_what_another_venue_signed() {
    let program = scenarios();
    let plan = Plan::of(&program);
    // Venue 0 signs a ruinous column; venue 1 signs what would make it a good one.
    let honest = Account::of(&INSOLVENT_0, 1);
    let wanted = Account::of(&SOLVENT, 2);
    let wanted_outside = outside(&SETUP, &wanted.claim(0, &program));
    let erasing = point(&(wanted_outside[0] - outside(&SETUP, &honest.claim(0, &program))[0]));

    // In its own column it erases nothing.
    let own_column = vec![honest.points[0].clone(), vec![erasing]];
    let claims = [Claim {
        attested: &own_column,
        ..honest.claim(0, &program)
    }];
    let proof = prove_about(&wanted, &program, &claims[0]);
    assert_eq!(verdict(&claims, &proof), Err(Refusal::Link));
    // If points of two venues were added up in one column, the account would be proven solvent: so no column has two venues.
    let one_column = vec![vec![honest.points[0][0], erasing], wanted.points[1].clone()];
    let claims = [Claim {
        attested: &one_column,
        ..honest.claim(0, &program)
    }];
    let scene = wanted.honest_scene(&plan, &program);
    let proof = Forger::new(&SETUP, &plan, statements(1)).prove(&[scene]).unwrap().proof;
    assert_eq!(verdict(&claims, &proof), Ok(()));
}

#[test]
fn identity_is_no_point_and_points_that_cancel_attest_an_empty_column() {
    assert_eq!(Point::from_bytes(&[0; 32]), Err(PointError::Identity));
    let mut negative_identity = [0; 32];
    negative_identity[31] = 0x80;
    assert_eq!(Point::from_bytes(&negative_identity), Err(PointError::OffCurve));

    let program = scenarios();
    let account = Account::of(&INSOLVENT_1, 1);
    let attested = account.points[1][0];
    let negated = point(&-Eq::from(decode(&attested.to_bytes())));
    let cancelled = vec![account.points[0].clone(), vec![attested, negated]];
    let claims = [Claim {
        attested: &cancelled,
        ..account.claim(0, &program)
    }];
    for seed in [1, 2] {
        let proof = prove_about(&Account::of(&SOLVENT, seed), &program, &claims[0]);
        assert_eq!(verdict(&claims, &proof), Err(Refusal::Link));
    }
}

/// One pair in one column: legs 0 and 2 with `k = 7`, of which the first is worth much.
fn even_rows() -> Program {
    let pair = Pair {
        first: LegId::new(2),
        second: LegId::new(0),
    };
    let layout = Layout::new(7, vec![0], [0, 2].map(LegId::new).to_vec(), vec![pair]).unwrap();
    let header = Header {
        numeraire: "USD".into(),
        unit_exponent: -10,
        value_bits: 40,
    };
    let mut builder = Builder::new(layout, header).unwrap();
    let value = builder.lower(&form(7, &[(2, 5), (0, -7)])).unwrap();
    builder.require_non_negative("margin", value).unwrap();
    builder.finish().unwrap()
}

/// A point of `k = 6` with `q_i` in row `i` is a point of `k = 7` with `q_i` in row `2i`: the signed `k` is all that tells them
/// apart, and a link to the rows as they were signed fails.
#[test]
fn point_of_another_k_holds_other_legs_so_that_its_k_must_be_signed() {
    let setup = Setup::new(7);
    let parameters = Parameters::load(7, None).unwrap();
    let program = even_rows();
    let plan = Plan::of(&program);
    // With k = 6, long 40 of leg 1, which is no leg of the other universe.
    let narrow = Account::new(&SETUP, 1, &[(1, 40)], 1);
    let mut lots = vec![0; setup.legs()];
    lots[2] = 40;
    let honest = Account::new(&setup, 1, &[(1, 40)], 1);
    assert_ne!(narrow.points, honest.points, "the same rows are another point");

    // The same polynomial, evaluated on the larger domain.
    let (small, large) = (EvaluationDomain::<Fp>::new(1, 6), EvaluationDomain::<Fp>::new(1, 7));
    let mut values = narrow.columns[0].clone();
    values.resize(1 << 6, Fp::ZERO);
    let coefficients = small.lagrange_to_coeff(small.lagrange_from_vec(values)).to_vec();
    let evaluate = |x: Fp| coefficients.iter().rev().fold(Fp::ZERO, |sum, c| sum * x + c);
    let rows: Vec<Fp> = powers(large.get_omega()).take(1 << 7).map(evaluate).collect();
    assert_eq!(rows[2], Fp::from(40));
    let wide = Account {
        columns: vec![rows[..=plan.last].to_vec()],
        lots: lots.clone(),
        ..narrow.clone()
    };
    assert_eq!(
        decode(&narrow.points[0][0].to_bytes()),
        setup.commit(&rows, narrow.blinds[0]).to_affine()
    );

    let claims = [wide.claim(0, &program)];
    let mut scene = wide.scene(&setup, &plan, &program, &witness(&program, &lots));
    let forger = Forger::new(&setup, &plan, statements(1));
    // Who links the rows as they were signed is refused.
    let proof = forger
        .prove(&[honest.scene(&setup, &plan, &program, &witness(&program, &lots))])
        .unwrap()
        .proof;
    assert_eq!(verify(&parameters, &claims, &proof), Err(Refusal::Link));
    // Who knows the relation is not, if the point is taken for one of k = 7: leg 1 has become leg 2.
    scene.unusable = vec![rows[plan.last + 1..].to_vec()];
    let proof = forger.prove(&[scene]).unwrap().proof;
    assert_eq!(verify(&parameters, &claims, &proof), Ok(()));
}

#[test]
fn claim_is_bound_to_the_proof_by_its_statement_digest_alone() {
    let program = scenarios();
    let account = Account::of(&SOLVENT, 1);
    let plan = Plan::of(&program);
    let proof = Forger::new(&SETUP, &plan, statements(1))
        .prove(&[account.honest_scene(&plan, &program)])
        .unwrap()
        .proof;
    for byte in [0, 31] {
        let mut claim = account.claim(0, &program);
        claim.statement[byte] ^= 0x80;
        assert_eq!(verdict(&[claim], &proof), Err(Refusal::Link));
    }
}
