//! Variation against what the oracle of the levels says that positions are worth at either snapshot.

use num_bigint::BigInt;
use num_rational::BigRational;
use num_traits::Signed;
use zkmargin_program::WitnessError;
use zkmargin_risk::model::Model;
use zkmargin_risk::oracle::{self, OracleError};
use zkmargin_risk::terms::{Margin, Ratio20, Terms};

use crate::world::{Random, World};

/// What positions and their carry are worth, in the numéraire.
fn positions(
    model: &Model,
    world: &World,
    snapshot: &zkmargin_risk::market::Snapshot,
    book: &[u64],
) -> Option<BigRational> {
    let evaluation = oracle::evaluate(model, &world.universe, snapshot, book).ok()?;
    let carry = evaluation
        .collateral
        .iter()
        .filter(|line| line.uncounted.is_none())
        .map(|line| line.price.clone().unwrap_or_default() * &line.carry);
    Some(evaluation.options + evaluation.futures + carry.sum::<BigRational>())
}

#[test]
fn a_variation_is_what_positions_with_their_carry_are_worth_less_and_no_program_shows_more() {
    let model = Model::preset("paradex-pm").unwrap();
    let (mut compared, mut losses) = (0, 0);
    for seed in 0..24 {
        let mut random = Random(seed);
        let world = World::new(&mut random);
        let is_delivered = random.chance(2);
        let later = world.later(&mut random, is_delivered);
        let snapshots = [&world.snapshot, &later];
        let terms = Terms::at(Margin::Variation);
        let program = model.compile_on(&world.universe, &snapshots, &terms).unwrap();
        let unit = BigRational::new(
            1.into(),
            BigInt::from(10).pow(program.header().unit_exponent.unsigned_abs()),
        );
        for _ in 0..6 {
            let mut book = world.book(&mut random);
            book = world.counted(&model, book);
            let found = match oracle::variation(&model, &world.universe, snapshots, &book) {
                Ok(found) => found,
                Err(OracleError::NotCounted(_)) => {
                    assert!(matches!(program.witness(&book), Err(WitnessError::NotEmpty { .. })));
                    continue;
                }
                Err(other) => panic!("{other}"),
            };
            let then = positions(&model, &world, &world.snapshot, &book).unwrap();
            // What has expired since has no margin at the second snapshot.
            if let Some(now) = positions(&model, &world, &later, &book) {
                assert_eq!(found.loss, then - now, "seed {seed}");
                compared += 1;
                losses += usize::from(found.loss.is_positive());
            }
            if let Ok(surplus) = program.surplus(&book) {
                let shown = BigRational::from_integer(surplus[0].1.into()) * &unit;
                assert!(shown <= found.excess(Ratio20::ONE, 0), "seed {seed}");
            }
        }
    }
    assert!(compared > 50 && losses > 15, "{compared} books, {losses} losses");
}
