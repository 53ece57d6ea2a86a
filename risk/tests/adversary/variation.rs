//! Variation under every kind of model, against marks of either snapshot that are added up here without any model.

use std::sync::Arc;

use num_bigint::BigInt;
use num_rational::BigRational;
use num_traits::Signed;
use zkmargin_program::WitnessError;
use zkmargin_risk::amount::to_ratio;
use zkmargin_risk::collateral;
use zkmargin_risk::market::Snapshot;
use zkmargin_risk::model::{Model, PRESETS};
use zkmargin_risk::oracle::{self, OracleError};
use zkmargin_risk::terms::{Margin, Ratio20, Terms};
use zkmargin_risk::universe::{Line, Style};
use zkmargin_risk::valuation;

use crate::world::{Random, World};

/// What positions and their carry are worth, in the numéraire; `None` if the snapshot does not price one that is held.
fn positions(model: &Model, world: &World, snapshot: &Snapshot, book: &[u64]) -> Option<BigRational> {
    let price = |asset: &str| collateral::price(snapshot, asset).map(to_ratio);
    let lots = |leg: zkmargin_program::LegId| BigRational::from_integer(book[leg.index()].into());
    let one = || BigRational::from_integer(1.into());
    let mut usd = BigRational::from_integer(0.into());
    for (_, instrument) in world.universe.instruments() {
        let net = lots(instrument.long) - lots(instrument.short);
        if book[instrument.long.index()] == 0 && book[instrument.short.index()] == 0 {
            continue;
        }
        let coin = match instrument.style {
            Style::Inverse => one(),
            Style::Linear => price(&instrument.settlement)?,
        };
        let mark = valuation::mark(snapshot, instrument).unwrap()?;
        usd += BigRational::from_float(mark).unwrap() * to_ratio(instrument.lot) * net * coin;
    }
    for (_, asset) in world.universe.assets() {
        if let (Some(pair), Some(price)) = (asset.carry, price(&asset.name)) {
            usd += price * to_ratio(asset.lot) * (lots(pair.first) - lots(pair.second));
        }
    }
    let numeraire = match model.numeraire().as_str() {
        "USD" => one(),
        asset => price(asset)?,
    };
    Some(usd / numeraire)
}

/// What of a book has no value at the second snapshot is taken out.
fn with_value(model: &Model, world: &World, later: &Snapshot, mut book: Vec<u64>) -> Vec<u64> {
    if let Err(OracleError::NotCounted(refused)) =
        oracle::variation(model, &world.universe, [&world.snapshot, later], &book)
    {
        for held in refused {
            if let Some(instrument) = world.universe.lookup(&held.venue, &held.line) {
                book[instrument.long.index()] = 0;
                book[instrument.short.index()] = 0;
            }
        }
    }
    book
}

#[test]
fn under_every_kind_a_variation_is_what_positions_with_their_carry_are_worth_less_and_no_program_shows_more() {
    let history = Arc::new(crate::history());
    for (name, text) in PRESETS {
        let model = crate::attached(Model::from_json(text).unwrap(), &history).unwrap();
        let (mut compared, mut losses) = (0, 0);
        for seed in 0..6 {
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
            for _ in 0..8 {
                let mut wide = world.counted(&model, world.book(&mut random));
                // What is isolated is compared by itself, elsewhere.
                for venue in world.universe.venues() {
                    let lines = venue.isolated().into_values().flatten();
                    lines.flat_map(Line::legs).for_each(|leg| wide[leg.index()] = 0);
                }
                let book = with_value(&model, &world, &later, wide.clone());
                if book != wide {
                    let refused = program.witness(&wide);
                    assert!(
                        matches!(refused, Err(WitnessError::NotEmpty { .. })),
                        "{name}, seed {seed}"
                    );
                }
                let found = match oracle::variation(&model, &world.universe, snapshots, &book) {
                    Ok(found) => found,
                    Err(OracleError::NotCounted(_)) => {
                        assert!(matches!(program.witness(&book), Err(WitnessError::NotEmpty { .. })));
                        continue;
                    }
                    Err(other) => panic!("{name}: {other}"),
                };
                let then = positions(&model, &world, &world.snapshot, &book).unwrap();
                // What has expired since has its payoff, and no mark.
                if let Some(now) = positions(&model, &world, &later, &book) {
                    assert_eq!(found.loss, then - now, "{name}, seed {seed}");
                    compared += 1;
                    losses += usize::from(found.loss.is_positive());
                }
                if let Ok(surplus) = program.surplus(&book) {
                    assert_eq!(surplus[0].0, "margin", "{name}");
                    let shown = BigRational::from_integer(surplus[0].1.into()) * &unit;
                    let exact = found.excess(Ratio20::ONE, 0);
                    let bound = BigRational::from_integer(program.rounding_bound(&book).into()) * &unit;
                    assert!(shown <= exact && exact <= shown + bound, "{name}, seed {seed}");
                }
            }
        }
        // Sensitivities have no price: of their model's books, cash alone.
        let has_positions = !name.starts_with("simm");
        assert!(
            compared > 20 && (losses > 3 || !has_positions),
            "{name}: {compared} books, {losses} losses"
        );
    }
}
