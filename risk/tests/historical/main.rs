//! Historical simulation: the program against the oracle on the shipped chain and history, figures of a plain reference, and
//! what is refused.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod figures;
mod refusals;

use std::path::PathBuf;
use std::sync::{Arc, OnceLock};

use num_bigint::BigInt;
use num_rational::BigRational;
use num_traits::Signed;
use serde_json::{Value, json};
use zkmargin_risk::history::History;
use zkmargin_risk::market::Snapshot;
use zkmargin_risk::model::Model;
use zkmargin_risk::oracle::{self, Picture};
use zkmargin_risk::terms::{Level, Ratio20, Terms};
use zkmargin_risk::universe::Universe;

fn read(path: &str) -> String {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../examples");
    std::fs::read_to_string(root.join(path)).unwrap()
}

fn universe() -> &'static Universe {
    static UNIVERSE: OnceLock<Universe> = OnceLock::new();
    UNIVERSE.get_or_init(|| Universe::from_json(&read("universes/single.json")).unwrap())
}

fn snapshot() -> &'static Snapshot {
    static SNAPSHOT: OnceLock<Snapshot> = OnceLock::new();
    SNAPSHOT.get_or_init(|| Snapshot::from_json(&read("snapshots/2026-08-06T1200Z.json")).unwrap())
}

fn history() -> Arc<History> {
    static HISTORY: OnceLock<Arc<History>> = OnceLock::new();
    HISTORY
        .get_or_init(|| Arc::new(History::from_json(&read("histories/2026-08-07.json")).unwrap()))
        .clone()
}

/// The preset `hs-var` with fields replaced, without a history.
fn unattached(changes: Value) -> Model {
    let mut file: Value = serde_json::from_str(include_str!("../../presets/hs-var.json")).unwrap();
    for (field, value) in changes.as_object().unwrap() {
        if value.is_null() {
            file.as_object_mut().unwrap().remove(field);
        } else {
            file[field] = value.clone();
        }
    }
    Model::from_json(&file.to_string()).unwrap()
}

fn model(changes: Value) -> Model {
    unattached(changes).with_history(history()).unwrap()
}

/// Splitmix64.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % limit
    }

    /// A book of some instruments, some held both ways, and collateral.
    fn book(&mut self, options: bool) -> Vec<u64> {
        let universe = universe();
        let mut q = vec![0; universe.layout().slots()];
        let listed: Vec<_> = universe.instruments().map(|(_, instrument)| instrument).collect();
        for _ in 0..self.below(40) {
            let instrument = listed[usize::try_from(self.below(listed.len() as u64)).unwrap()];
            let is_option = matches!(instrument.kind, zkmargin_risk::universe::Kind::Option { .. });
            if (is_option && !options) || oracle_refuses(instrument.long.index()) {
                continue;
            }
            let most = if self.below(4) == 0 { 100_000 } else { 200 };
            for leg in [instrument.long, instrument.short] {
                if self.below(2) == 0 {
                    q[leg.index()] += self.below(most);
                }
            }
        }
        for (_, asset) in universe.assets() {
            let most = if asset.name == "USDC" { 1 << 40 } else { 1 << 32 };
            q[asset.balance.index()] = self.below(most);
            if self.below(3) == 0 {
                q[asset.debt.index()] = self.below(most >> 4);
            }
            if let Some(carry) = asset.carry {
                q[carry.first.index()] = self.below(most >> 2);
                q[carry.second.index()] = self.below(most >> 2);
            }
        }
        q
    }
}

/// Whether a slot is of a line that does not count by `hs-var`.
fn oracle_refuses(slot: usize) -> bool {
    static EMPTY: OnceLock<Vec<String>> = OnceLock::new();
    let empty = EMPTY.get_or_init(|| {
        model(json!({}))
            .uncounted(universe(), snapshot())
            .into_iter()
            .map(|line| line.line)
            .collect()
    });
    let mut listed = universe().instruments();
    let found = listed.find(|(_, instrument)| instrument.long.index() == slot);
    found.is_some_and(|(_, instrument)| empty.contains(&instrument.name))
}

/// `oracle excess - bound <= program's excess <= oracle excess`, at both levels, for some books.
fn check(model: &Model, options: bool, books: u32, seed: u64) {
    for level in [Level::Initial, Level::Maintenance] {
        let program = model.compile(universe(), snapshot(), &Terms::at(level)).unwrap();
        let unit = BigInt::from(10).pow(program.header().unit_exponent.unsigned_abs());
        let mut random = Random(seed);
        for _ in 0..books {
            let q = random.book(options);
            let evaluation = oracle::evaluate(model, universe(), snapshot(), &q).unwrap();
            let exact = evaluation.excess(level, Ratio20::ONE, 0) * BigRational::from_integer(unit.clone());
            let [(_, shown)] = program.surplus(&q).unwrap().try_into().unwrap();
            let shown = BigRational::from_integer(shown.into());
            let bound = BigRational::from_integer(program.rounding_bound(&q).into());
            assert!(
                shown <= exact,
                "{}: the program is above the oracle by {}",
                model.name(),
                &shown - &exact
            );
            assert!(
                &exact - &bound <= shown,
                "{}: {} above the bound {bound}",
                model.name(),
                &exact - &shown
            );
            let sum = evaluation
                .components
                .iter()
                .fold(BigRational::default(), |sum, part| sum + part.at(level));
            assert_eq!(&sum, evaluation.requirement(level));
            assert!(!sum.is_negative());
            if let Ok(witness) = program.witness(&q) {
                program.check(&q, witness.values()).unwrap();
            }
        }
    }
}

fn last(moves: u32) -> Value {
    json!({"last": {"moves": moves, "until": "2026-08-07"}})
}

#[test]
fn presets_are_of_the_shipped_history_and_within_the_bound_of_the_oracle() {
    for (name, text) in zkmargin_risk::model::PRESETS
        .into_iter()
        .filter(|(name, _)| name.starts_with("hs-"))
    {
        let model = Model::from_json(text).unwrap();
        assert_eq!(model.history(), Some(history().digest()), "{name}");
        let model = model.with_history(history()).unwrap();
        check(&model, true, 6, 1);
        let program = model
            .compile(universe(), snapshot(), &Terms::at(Level::Initial))
            .unwrap();
        assert!(
            program.equations().len() <= 510 && program.variables().len() <= 1010,
            "{name}"
        );
    }
}

#[test]
fn every_setting_is_within_the_bound_of_the_oracle() {
    let shortfall = json!("expected-shortfall");
    let stress = json!({"between": {"first": "2022-05-01", "last": "2022-06-30"}});
    for (seed, changes) in [
        json!({"window": last(60), "procyclicality": null}),
        json!({"window": last(60), "procyclicality": {"stressed": {"weight": "0.25", "window": stress}}}),
        json!({"window": last(60), "procyclicality": {"floor": {"window": stress}}, "measure": shortfall}),
        json!({"window": last(60), "procyclicality": {"stressed": {"weight": "0.4", "window": stress}}, "measure": shortfall}),
        json!({"window": last(60), "filter": {"decay": "0.94", "least": "0.5", "most": "2"}, "collateral_in_scenarios": false}),
        json!({"window": stress, "volatility": "unchanged", "numeraire": "BTC"}),
        json!({"window": last(9), "levels": {
            "initial": {"confidence": "0.95", "factor": "3.16"}, "maintenance": {"confidence": "0.5", "factor": "0.1"},
        }}),
        json!({"window": last(60), "span": "1000000000000"}),
    ]
    .into_iter()
    .enumerate()
    {
        check(&model(changes), true, 12, seed as u64);
    }
}

#[test]
fn without_volatility_indices_futures_and_perpetuals_alone_count() {
    let window = json!({"between": {"first": "2019-01-01", "last": "2019-03-31"}});
    let bare = model(json!({"window": window}));
    let listed = universe().instruments().map(|(_, one)| one);
    let options: Vec<_> = listed
        .filter(|one| matches!(one.kind, zkmargin_risk::universe::Kind::Option { .. }))
        .collect();
    let option = options[0];
    assert!(bare.uncounted(universe(), snapshot()).len() >= options.len());
    check(&bare, false, 12, 3);
    let mut q = vec![0; universe().layout().slots()];
    q[option.long.index()] = 1;
    let program = bare
        .compile(universe(), snapshot(), &Terms::at(Level::Initial))
        .unwrap();
    assert!(matches!(
        program.witness(&q),
        Err(zkmargin_program::WitnessError::NotEmpty { .. })
    ));
    let refusal = oracle::evaluate(&bare, universe(), snapshot(), &q)
        .unwrap_err()
        .to_string();
    assert!(
        refusal.contains("no volatility index of BTC on every day that the model uses"),
        "{refusal}"
    );
    let stays =
        json!({"index": {"short_power": "0", "long_power": "0", "tenor_floor_days": "1", "without": "unchanged"}});
    check(&model(json!({"window": window, "volatility": stays})), true, 6, 4);
}

#[test]
fn losses_are_shown_by_date() {
    let model = model(json!({"window": last(3)}));
    let q = Random(7).book(true);
    let Picture::Losses(losses) = oracle::evaluate(&model, universe(), snapshot(), &q).unwrap().picture else {
        panic!("no losses");
    };
    let days: Vec<&str> = losses.iter().map(|(day, _)| day.as_str()).collect();
    assert_eq!(days, ["2026-08-05", "2026-08-06", "2026-08-07"]);
}
