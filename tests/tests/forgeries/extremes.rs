//! Sums of the largest lots with the largest coefficients.

use ff::Field;
use pasta_curves::Fp;
use zkmargin_circuits::{ProveError, Refusal, prove};
use zkmargin_program::{Builder, Header, LOT_BITS, Layout, LegId, MAX_ACCOUNTS_PER_VENUE, Pair, Program};
use zkmargin_tests::*;

use crate::{statements, verdict};

/// One column and one requirement, `c·long - c·short >= 0` with the largest `c`.
fn program() -> Program {
    let pair = Pair {
        first: LegId::new(0),
        second: LegId::new(1),
    };
    let layout = Layout::new(K, vec![0], vec![pair.first, pair.second], vec![pair]).unwrap();
    let header = Header {
        numeraire: "USD".into(),
        unit_exponent: -10,
        value_bits: 112,
    };
    let mut builder = Builder::new(layout, header).unwrap();
    let value = builder.lower(&form(K, &[(0, i64::MAX), (1, -i64::MAX)])).unwrap();
    builder.require_non_negative("margin", value).unwrap();
    builder.finish().unwrap()
}

/// As many accounts as a venue may attest, each with as much as a leg may hold; of the long leg `fewer` lots less altogether.
fn account(fewer: u64) -> Account {
    let (most, accounts) = ((1 << LOT_BITS) - 1, u64::from(MAX_ACCOUNTS_PER_VENUE));
    let single = |index: u64| [if index == 0 { most - fewer } else { most }, most];
    let blinds: Vec<Fp> = (0..accounts).map(|index| Fp::from(index + 1)).collect();
    let points = (0..accounts).zip(&blinds);
    let points = points
        .map(|(index, blind)| SETUP.point(&scalars(&single(index)), *blind))
        .collect();
    let mut lots = vec![0; ROWS];
    (lots[0], lots[1]) = (accounts * most - fewer, accounts * most);
    Account {
        columns: vec![scalars(&lots)],
        lots,
        blinds: vec![blinds.iter().sum()],
        points: vec![points],
    }
}

#[test]
fn largest_lots_and_coefficients_are_exact_to_the_lot() {
    let program = program();
    let plan = Plan::of(&program);
    let level = account(0);
    let claims = [level.claim(0, &program)];
    let proof = prove(&PARAMETERS, &claims, &[level.opening()]).unwrap();
    assert_eq!(verdict(&claims, &proof), Ok(()));

    let short = account(1);
    let claims = [short.claim(0, &program)];
    let refused = prove(&PARAMETERS, &claims, &[short.opening()]);
    assert!(matches!(refused, Err(ProveError::Witness { index: 0, .. })));
    // The requirement is short of its largest coefficient: a sum of squares in the field, whose masked projections are in no range.
    let mut scene = short.scene(&SETUP, &plan, &program, &[0]);
    let forger = Forger::new(&SETUP, &plan, statements(1));
    let proof = forger.prove(&[scene.clone()]).unwrap().proof;
    assert_eq!(verdict(&claims, &proof), Err(Refusal::Circuit));
    scene
        .columns
        .take_roots(&plan, 0, field_roots(integer(-i128::from(i64::MAX)), [Fp::ONE; 2]));
    if let Ok(forged) = forger.prove(&[scene]) {
        assert_eq!(verdict(&claims, &forged.proof), Err(Refusal::Circuit));
    }
}
