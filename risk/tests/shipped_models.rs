//! The presets on the shipped markets and universes: they compile, they are small, and books whose verdict is plain get it.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::path::PathBuf;

use zkmargin_program::{Program, WitnessError};
use zkmargin_risk::amount;
use zkmargin_risk::market::Snapshot;
use zkmargin_risk::model::{Model, PRESETS};
use zkmargin_risk::terms::{Level, Order, Ratio20, Terms};
use zkmargin_risk::universe::Universe;

const SNAPSHOTS: [&str; 3] = ["2026-08-06T1200Z", "2026-08-07T0400Z", "2026-08-08T0400Z"];

fn read(path: &str) -> String {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../examples");
    std::fs::read_to_string(root.join(path)).unwrap()
}

fn universe(name: &str) -> Universe {
    Universe::from_json(&read(&format!("universes/{name}.json"))).unwrap()
}

fn snapshot(name: &str) -> Snapshot {
    Snapshot::from_json(&read(&format!("snapshots/{name}.json"))).unwrap()
}

/// Lots of a book: instruments by contracts, assets by coins.
fn book(universe: &Universe, lines: &[(&str, &str)]) -> Vec<u64> {
    let mut q = vec![0; universe.layout().slots()];
    for (name, quantity) in lines {
        let quantity = amount::parse(quantity).unwrap();
        let instrument = universe.instruments().find(|(_, instrument)| instrument.name == *name);
        let (pair, lot) = match instrument {
            Some((_, instrument)) => (instrument.pair(), instrument.lot),
            None => {
                let asset = universe.assets().find(|(_, asset)| asset.name == *name).unwrap().1;
                (asset.pair(), asset.lot)
            }
        };
        let lots = amount::lots(quantity, lot).unwrap();
        let leg = if lots < 0 { pair.second } else { pair.first };
        q[leg.index()] += lots.unsigned_abs();
    }
    q
}

fn has_margin(program: &Program, q: &[u64]) -> bool {
    match program.witness(q) {
        Ok(witness) => {
            program.check(q, witness.values()).unwrap();
            true
        }
        Err(WitnessError::NotMet { .. }) => false,
        Err(other) => panic!("{other}"),
    }
}

#[test]
fn every_preset_compiles_on_every_shipped_market_and_universe() {
    for universe in ["single", "demo"].map(universe) {
        for snapshot in SNAPSHOTS.map(snapshot) {
            for (name, text) in PRESETS {
                let model = Model::from_json(text).unwrap();
                let terms = Terms {
                    ratio: Ratio20::new(21).unwrap(),
                    excess: 1_000,
                    ..Terms::at(Level::Maintenance)
                };
                let program = model.compile(&universe, &snapshot, &terms).unwrap();
                let most = match name {
                    "paradex-pm" => 62,
                    "delta-gamma-vega" => 14,
                    _ => 270,
                };
                assert!(
                    program.equations().len() <= most,
                    "{name}: {} equations",
                    program.equations().len()
                );
            }
        }
    }
}

#[test]
fn what_expired_overnight_must_be_gone() {
    let (universe, model) = (universe("single"), Model::preset("paradex-pm").unwrap());
    let gone = "BTC-7AUG26-64000-C";
    for (day, is_listed) in SNAPSHOTS.into_iter().zip([true, true, false]) {
        let program = model
            .compile(&universe, &snapshot(day), &Terms::at(Level::Initial))
            .unwrap();
        let verdict = program.witness(&book(&universe, &[("USDC", "100000"), (gone, "1")]));
        let is_refused = matches!(verdict, Err(WitnessError::NotEmpty { .. }));
        assert_eq!(is_refused, !is_listed, "{day}");
        let uncounted = model.uncounted(&universe, &snapshot(day));
        assert_eq!(uncounted.iter().any(|line| line.line == gone), !is_listed, "{day}");
    }
}

#[test]
fn plain_books_get_plain_verdicts() {
    let (universe, snapshot) = (universe("single"), snapshot(SNAPSHOTS[0]));
    const CALL: &str = "BTC-28AUG26-70000-C";
    for (name, text) in PRESETS.into_iter().filter(|(name, _)| name.ends_with("-pm")) {
        let model = Model::from_json(text).unwrap();
        let initial = model.compile(&universe, &snapshot, &Terms::at(Level::Initial)).unwrap();
        let verdict = |lines: &[(&str, &str)]| has_margin(&initial, &book(&universe, lines));
        assert!(verdict(&[]), "{name}: an empty book");
        assert!(verdict(&[("USDC", "0.0001")]), "{name}: a coin");
        assert!(
            verdict(&[(CALL, "5"), ("USDC", "2000")]),
            "{name}: long options, and their roll charge"
        );
        assert!(!verdict(&[("USDC", "-0.0001")]), "{name}: a debt");
        assert!(!verdict(&[(CALL, "-5")]), "{name}: short options alone");
        assert!(
            !verdict(&[(CALL, "-5"), ("USDC", "10000")]),
            "{name}: too little behind them"
        );
        assert!(verdict(&[(CALL, "-5"), ("USDC", "200000")]), "{name}: much behind them");
        assert!(
            verdict(&[(CALL, "-5"), ("BTC-28AUG26-72000-C", "5"), ("USDC", "15000")]),
            "{name}: a spread"
        );
    }
}

#[test]
fn an_order_is_proven_before_it_is_sent() {
    let (universe, snapshot) = (universe("single"), snapshot(SNAPSHOTS[0]));
    for (name, text) in PRESETS.into_iter().filter(|(name, _)| name.ends_with("-pm")) {
        let model = Model::from_json(text).unwrap();
        let mut q = book(&universe, &[("BTC-28AUG26-70000-C", "2"), ("USDC", "40000")]);
        let order = Order::parse("sell 5 BTC-28AUG26-70000-C @ 0.0215 fee 0.0003", &universe).unwrap();
        let terms = Terms {
            order: Some(order),
            ..Terms::at(Level::Initial)
        };
        let program = model.compile(&universe, &snapshot, &terms).unwrap();
        assert!(has_margin(&program, &q), "{name}: the book before the order");
        for (leg, lots) in terms.public_amounts(&universe).unwrap() {
            q[leg.index()] += lots;
        }
        assert!(has_margin(&program, &q), "{name}: 3 short against 40,000 USDC");
        // The same order once more: 8 short.
        for (leg, lots) in terms.public_amounts(&universe).unwrap() {
            q[leg.index()] += lots;
        }
        assert!(!has_margin(&program, &q), "{name}: 8 short against 40,000 USDC");
    }
}

#[test]
fn greeks_of_the_chain_make_a_margin_that_cash_covers() {
    let (universe, snapshot) = (universe("single"), snapshot(SNAPSHOTS[0]));
    let model = Model::preset("delta-gamma-vega").unwrap();
    let program = model.compile(&universe, &snapshot, &Terms::at(Level::Initial)).unwrap();
    let verdict = |lines: &[(&str, &str)]| has_margin(&program, &book(&universe, lines));
    assert!(verdict(&[]));
    assert!(!verdict(&[("BTC-28AUG26-70000-C", "-5"), ("USDC", "10000")]));
    assert!(verdict(&[("BTC-28AUG26-70000-C", "-5"), ("USDC", "200000")]));
}
