//! The presets on the shipped chain.

use super::*;
use std::path::PathBuf;
use zkmargin_risk::market::Snapshot;
use zkmargin_risk::universe::Universe;

fn world(universe: &str) -> World {
    let read = |path: String| {
        let root = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../examples");
        std::fs::read_to_string(root.join(path)).unwrap()
    };
    World {
        universe: Universe::from_json(&read(format!("universes/{universe}.json"))).unwrap(),
        snapshot: Snapshot::from_json(&read("snapshots/2026-08-06T1200Z.json".into())).unwrap(),
    }
}

#[test]
fn presets_are_small_and_right_on_the_shipped_chain() {
    let world = world("single");
    for (name, most, exact) in [
        ("okx-pm", 170, true),
        ("binance-pm", 60, true),
        ("bybit-pm", 180, true),
        ("deribit-pm", 230, false),
        ("paradex-pm", 60, true),
    ] {
        let model = preset(name, &[]);
        let program = model
            .compile(&world.universe, &world.snapshot, &Terms::at(Level::Initial))
            .unwrap();
        assert!(
            program.equations().len() <= most,
            "{name}: {} equations",
            program.equations().len()
        );
        let mut random = Random(7);
        for one_in in [3, 40, 400] {
            let mut book = world::book_of(&world.universe, &mut random, 8, one_in);
            if name == "binance-pm" {
                world
                    .universe
                    .instruments()
                    .filter(|(_, one)| matches!(one.kind, zkmargin_risk::universe::Kind::Option { .. }))
                    .for_each(|(_, one)| {
                        book[one.long.index()] = 0;
                        book[one.short.index()] = 0;
                    });
            }
            let (gap, bound) = gap(&world, &model, &book, Level::Initial).unwrap();
            assert!(
                !exact || gap <= bound,
                "{name}: {:?} over {:?}",
                gap.to_f64(),
                bound.to_f64()
            );
        }
    }
}
