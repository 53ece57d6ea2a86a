#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
use zkmargin_program::Program;

use super::*;
use crate::model::fixture::{self, Book};
use crate::model::{Model, PRESETS};
use crate::terms::{Level, Terms};

fn preset(name: &str) -> ScenarioGrid {
    let Model::ScenarioGrid(model) = Model::preset(name).unwrap();
    *model
}

fn compile(model: &ScenarioGrid, level: Level) -> Program {
    model.compile(&fixture::universe(), &fixture::snapshot(), &Terms::at(level)).unwrap()
}

#[test]
fn smoke() {
    let universe = fixture::universe();
    for (name, _) in PRESETS {
        let program = compile(&preset(name), Level::Initial);
        eprintln!("{name}: {} equations {} variables", program.equations().len(), program.variables().len());
        let book = Book::empty(&universe).coins("beta", "USDC", "10000");
        let witness = program.witness(&book.q).unwrap();
        program.check(&book.q, witness.values()).unwrap();
    }
}
