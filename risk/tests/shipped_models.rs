//! The presets on the shipped markets and universes: they compile, they are small, and books whose verdict is plain get it.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::path::PathBuf;

use serde_json::Value;
use zkmargin_program::{LegId, Program, VarId, WitnessError};
use zkmargin_risk::amount;
use zkmargin_risk::history::History;
use zkmargin_risk::market::Snapshot;
use zkmargin_risk::model::{Exactness, Model, PRESETS};
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

/// The model with the shipped history, if it needs one.
fn with_history(model: Model) -> Model {
    match model.history() {
        Some(_) => model
            .with_history(History::from_json(&read("histories/2026-08-07.json")).unwrap())
            .unwrap(),
        None => model,
    }
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

/// Models of which plain amounts are known: the others margin no short option, or charge for more than the book's risk.
fn of_options() -> impl Iterator<Item = (&'static str, &'static str)> {
    let plain = [
        "paradex-pm",
        "deribit-pm",
        "okx-pm",
        "hs-var",
        "hs-es",
        "derive-standard",
        "deribit-standard",
    ];
    PRESETS.into_iter().filter(move |(name, _)| plain.contains(name))
}

#[test]
fn the_digests_of_the_presets_are_golden() {
    let digests: String = PRESETS
        .iter()
        .map(|(name, text)| format!("{name} {}\n", Model::from_json(text).unwrap().digest()))
        .collect();
    let golden = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/golden/presets.txt");
    if std::env::var_os("ZKMARGIN_REWRITE_GOLDEN").is_some() {
        std::fs::write(&golden, &digests).unwrap();
    }
    assert_eq!(digests, std::fs::read_to_string(golden).unwrap());
}

/// A compiled program in text, but for the names of what is in it.
fn text(program: &Program) -> String {
    fn terms<V: Copy, C: std::fmt::Display>(terms: &[(V, C)], index: fn(V) -> usize) -> String {
        let each = terms
            .iter()
            .map(|(at, coefficient)| format!(" {}:{coefficient}", index(*at)));
        each.collect()
    }
    let header = program.header();
    let mut text = format!("{} {} {}\n", header.numeraire, header.unit_exponent, header.value_bits);
    for variable in program.variables() {
        text += &format!("{} {}\n", variable.bits, variable.whole);
    }
    for equation in program.equations() {
        text += &format!(
            "A{} F{} Q{} g {}\n",
            terms(&equation.legs, LegId::index),
            terms(&equation.variables, VarId::index),
            terms(&equation.squares, VarId::index),
            equation.constant
        );
    }
    text
}

/// A change of any compiler shows here. Whoever proves and whoever verifies compile for themselves: where the change is wanted, statements
/// of the version before are not accepted any more, and `COMPILER_VERSION` has to say so.
#[test]
fn the_programs_of_the_presets_on_the_shipped_chain_are_golden() {
    let (universe, market) = (universe("single"), snapshot(SNAPSHOTS[0]));
    let mut lines = String::new();
    for (name, text_of_model) in PRESETS {
        let model = with_history(Model::from_json(text_of_model).unwrap());
        for level in [Level::Initial, Level::Maintenance] {
            let program = model.compile(&universe, &market, &Terms::at(level)).unwrap();
            let hash = blake2b_simd::Params::new()
                .hash_length(16)
                .hash(text(&program).as_bytes());
            lines += &format!(
                "{name} {level} {} equations {} variables {}\n",
                program.equations().len(),
                program.variables().len(),
                hash.to_hex()
            );
        }
    }
    let golden = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/golden/programs.txt");
    if std::env::var_os("ZKMARGIN_REWRITE_GOLDEN").is_some() {
        std::fs::write(&golden, &lines).unwrap();
    }
    assert_eq!(lines, std::fs::read_to_string(golden).unwrap());
}

#[test]
fn no_kind_of_model_takes_a_haircut_or_weight_that_favours_the_trader() {
    let bad = [
        (r#"{ "haircut": "-0.1" }"#, "haircut"),
        (r#"{ "haircut": "1.01" }"#, "haircut"),
        (r#"{ "haircut": "0", "debt_weight": "0.1" }"#, "debt_weight"),
        (r#"{ "haircut": "0", "cap": "-1" }"#, "cap"),
        (
            r#"{ "haircut": "0", "tiers": [{ "above": "10", "haircut": "-3" }] }"#,
            "tiers",
        ),
        (
            r#"{ "haircut": "0.5", "tiers": [{ "above": "10", "haircut": "0.2" }] }"#,
            "tiers",
        ),
        (
            r#"{ "haircut": "0", "tiers": [{ "above": "10", "haircut": "0.1" }, { "above": "9", "haircut": "0.2" }] }"#,
            "tiers",
        ),
    ];
    // Collateral counts whole under the grids of Derive: their assets have charges of their own, each checked there.
    let whole = ["derive-pm2", "derive-pmrm1"];
    for (name, text) in PRESETS.into_iter().filter(|(name, _)| !whole.contains(name)) {
        for (asset, field) in bad {
            let mut file: Value = serde_json::from_str(text).unwrap();
            let assets = file["assets"].as_object_mut().unwrap();
            assets.insert("USDC".into(), serde_json::from_str(asset).unwrap());
            let refusal = Model::from_json(&file.to_string()).unwrap_err().to_string();
            assert!(
                refusal.contains(&format!("assets.USDC.{field}")),
                "{name}: {asset}: {refusal}"
            );
        }
    }
}

#[test]
fn no_kind_of_model_takes_a_name_with_a_control_character() {
    for (name, text) in PRESETS {
        let model: Value = serde_json::from_str(text).unwrap();
        let fields = ["name", "numeraire", "calculation_currency"];
        for field in fields.into_iter().filter(|field| model.get(field).is_some()) {
            let mut file = model.clone();
            file[field] = "a\u{1b}[2J".into();
            let refusal = Model::from_json(&file.to_string()).unwrap_err().to_string();
            let expected =
                format!("{field} is a text with a control character in place 2, expected no control characters");
            assert!(refusal.ends_with(&expected), "{name}: {refusal}");
        }
    }
}

#[test]
fn every_preset_compiles_on_every_shipped_market_and_universe() {
    for universe in ["single", "demo"].map(universe) {
        for snapshot in SNAPSHOTS.map(snapshot) {
            for (name, text) in PRESETS {
                let model = with_history(Model::from_json(text).unwrap());
                let terms = Terms {
                    ratio: Ratio20::new(21).unwrap(),
                    excess: 1_000,
                    ..Terms::at(Level::Maintenance)
                };
                let program = model.compile(&universe, &snapshot, &terms).unwrap();
                let most = match name {
                    "paradex-pm" => 62,
                    "deribit-pm" => 270,
                    "hs-var" | "hs-es" => 510,
                    "derive-standard" => 950,
                    "deribit-standard" => 450,
                    "binance-usdm" => 300,
                    "hyperliquid" | "dydx" | "simm-2.5" | "simm-2.5-1d" => 40,
                    "binance-pm" => 60,
                    "derive-pmrm1" => 1_500,
                    "derive-pm2" => 1_950,
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
    for (name, text) in of_options() {
        let model = with_history(Model::from_json(text).unwrap());
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
        // A day's loss is less than that of a grid.
        let little = if name.starts_with("hs-") { "3000" } else { "10000" };
        assert!(
            !verdict(&[(CALL, "-5"), ("USDC", little)]),
            "{name}: too little behind them"
        );
        assert!(verdict(&[(CALL, "-5"), ("USDC", "200000")]), "{name}: much behind them");
        // Standard margin at Deribit has no offsets.
        assert_eq!(
            verdict(&[(CALL, "-5"), ("BTC-28AUG26-72000-C", "5"), ("USDC", "15000")]),
            name != "deribit-standard",
            "{name}: a spread"
        );
    }
}

#[test]
fn account_that_only_owes_has_no_margin_under_any_preset() {
    let (universe, snapshot) = (universe("single"), snapshot(SNAPSHOTS[0]));
    for (name, text) in PRESETS {
        let model = with_history(Model::from_json(text).unwrap());
        let [holds, owes] = ["0.0001", "-0.0001"].map(|cash| book(&universe, &[("USDC", cash)]));
        for level in [Level::Initial, Level::Maintenance] {
            let program = model.compile(&universe, &snapshot, &Terms::at(level)).unwrap();
            assert!(has_margin(&program, &holds), "{name}");
            assert!(program.witness(&owes).is_err(), "{name}");
        }
    }
}

#[test]
fn perpetuals_need_what_their_tiers_say() {
    let (universe, snapshot) = (universe("single"), snapshot(SNAPSHOTS[0]));
    // 10 million USD of a perpetual, and what it needs initially.
    for (name, least, too_little) in [
        ("binance-usdm", "200001", "199999"),
        ("hyperliquid", "250001", "249999"),
        ("dydx", "500001", "499999"),
        ("derive-standard", "1000001", "999999"),
    ] {
        let model = Model::preset(name).unwrap();
        let program = model.compile(&universe, &snapshot, &Terms::at(Level::Initial)).unwrap();
        let carried = |cash| {
            let mut q = book(&universe, &[("BTC-PERPETUAL", "1000000"), ("USDC", cash)]);
            let asset = universe.assets().find(|(_, asset)| asset.name == "BTC").unwrap().1;
            // Opened at the mark: carry of 10,000,000 / 64,415.57 coins.
            q[asset.carry.unwrap().first.index()] = 15_524_197_022;
            has_margin(&program, &q)
        };
        assert!(carried(least), "{name}");
        assert!(!carried(too_little), "{name}");
    }
}

#[test]
fn an_order_is_proven_before_it_is_sent() {
    let (universe, snapshot) = (universe("single"), snapshot(SNAPSHOTS[0]));
    for (name, text) in of_options() {
        let model = with_history(Model::from_json(text).unwrap());
        let cash = if name.ends_with("-pm") { "30000" } else { "40000" };
        let mut q = book(&universe, &[("BTC-28AUG26-70000-C", "2"), ("USDC", cash)]);
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
        assert!(has_margin(&program, &q), "{name}: 3 short against {cash} USDC");
        if name.starts_with("hs-") {
            // The order is far above the mark: it brings more than a day loses.
            continue;
        }
        // The same order once more: 8 short.
        for (leg, lots) in terms.public_amounts(&universe).unwrap() {
            q[leg.index()] += lots;
        }
        assert!(!has_margin(&program, &q), "{name}: 8 short against {cash} USDC");
    }
}

#[test]
fn the_shipped_demand_has_a_program_and_names_the_venues_of_the_universe() {
    let model = Model::from_json(&read("demands/two-venues.json")).unwrap();
    let Model::Demand(demand) = &model else {
        panic!("it is a demand")
    };
    let universe = universe("demo");
    for venue in demand.parameters().counterparties.most.keys() {
        assert!(universe.venue(venue).is_some(), "{venue}");
    }
    let program = model
        .compile(&universe, &snapshot(SNAPSHOTS[0]), &Terms::at(Level::Initial))
        .unwrap();
    assert!(
        program.equations().len() < 3_600,
        "{} equations",
        program.equations().len()
    );
}

/// One tier has no bracket to jump at, and marginal tiers do not jump.
#[test]
fn linear_models_are_conservative_only_where_their_brackets_jump() {
    let words = |file: &Value| match Model::from_json(&file.to_string()).unwrap().exactness() {
        Exactness::Exact => String::new(),
        Exactness::Conservative(why) => why,
    };
    let preset = |name: &str| -> Value {
        let (_, text) = PRESETS.iter().find(|(preset, _)| *preset == name).unwrap();
        serde_json::from_str(text).unwrap()
    };
    assert_eq!(words(&preset("dydx")), "");
    assert!(words(&preset("deribit-standard")).contains("chords"));
    let mut hyperliquid = preset("hyperliquid");
    assert!(words(&hyperliquid).contains("beginning of a bracket"));
    for underlying in ["BTC", "ETH"] {
        hyperliquid["underlyings"][underlying]["perpetual"]["initial_by"] = "marginal".into();
    }
    assert_eq!(words(&hyperliquid), "");
}
