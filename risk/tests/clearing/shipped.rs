//! The presets on the shipped chain.

use std::path::PathBuf;

use zkmargin_risk::market::Snapshot;
use zkmargin_risk::model::Model;
use zkmargin_risk::terms::{Level, Terms};
use zkmargin_risk::universe::{Line, Universe};

use crate::check;
use crate::world::Random;

fn read(path: &str) -> String {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../examples");
    std::fs::read_to_string(root.join(path)).unwrap()
}

#[test]
fn on_the_shipped_chain_the_presets_are_small_and_agree_with_the_oracle() {
    let universe = Universe::from_json(&read("universes/single.json")).unwrap();
    let snapshot = Snapshot::from_json(&read("snapshots/2026-08-06T1200Z.json")).unwrap();
    let mut random = Random(7);
    for (name, equations, variables) in [("span", 120, 190), ("tims", 80, 100)] {
        let model = Model::preset(name).unwrap();
        for level in [Level::Initial, Level::Maintenance] {
            let program = model.compile(&universe, &snapshot, &Terms::at(level)).unwrap();
            let size = (program.equations().len(), program.variables().len());
            assert!(size.0 <= equations && size.1 <= variables, "{name}: {size:?}");
            for one_in in [2, 10, 50, 200] {
                let mut book = vec![0; universe.layout().slots()];
                for line in universe.venues().iter().flat_map(|venue| &venue.lines) {
                    let legs = line.legs();
                    if random.chance(one_in) {
                        let at = usize::from(random.chance(2));
                        book[legs[at].index()] = random.magnitude(if matches!(line, Line::Asset(_)) { 30 } else { 9 });
                    }
                }
                assert!(check(&model, &universe, &snapshot, &program, level, &book).is_some());
            }
        }
    }
}
