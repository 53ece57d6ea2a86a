//! Files that are not models, and what they are refused for.

use super::*;
use crate::model::ModelError;
use crate::model::scenario_grid::parameters::{Scenario, UnderlyingParameters, VolatilityMove};

fn refusal(change: impl FnOnce(&mut serde_json::Value)) -> String {
    let mut file: serde_json::Value = serde_json::from_str(PRESETS[1].1).unwrap();
    change(&mut file);
    let text = serde_json::to_string(&file).unwrap();
    Model::from_json(&text).unwrap_err().to_string()
}

/// Sets the value at a JSON pointer, adding the last key if it is not there.
fn set(file: &mut serde_json::Value, pointer: &str, value: serde_json::Value) {
    let (parent, key) = pointer.rsplit_once('/').unwrap();
    match file.pointer_mut(parent).unwrap() {
        serde_json::Value::Object(map) => drop(map.insert(key.to_owned(), value)),
        serde_json::Value::Array(list) => list[key.parse::<usize>().unwrap()] = value,
        other => panic!("{other}"),
    }
}

#[test]
fn each_number_has_its_bounds() {
    for (pointer, value, expected) in [
        (
            "/assets/BTC/haircut",
            "-0.05",
            "assets.BTC.haircut is -0.05, expected 0 to 1",
        ),
        (
            "/assets/BTC/haircut",
            "1.01",
            "assets.BTC.haircut is 1.01, expected 0 to 1",
        ),
        ("/assets/BTC/cap", "-1", "assets.BTC.cap is -1"),
        (
            "/levels/maintenance",
            "-0.8",
            "levels.maintenance is -0.8, expected 0 to levels.initial",
        ),
        (
            "/levels/maintenance",
            "1.1",
            "levels.maintenance is 1.1, expected 0 to levels.initial",
        ),
        ("/levels/initial", "101", "levels.initial is 101"),
        (
            "/grids/range-16/3/move",
            "-1",
            "grids.range-16[3].move is -1, expected -0.999 to 100",
        ),
        ("/grids/range-16/3/weight", "-0.1", "grids.range-16[3].weight is -0.1"),
        (
            "/underlyings/BTC/volatility/up",
            "-0.5",
            "underlyings.BTC.volatility.up is -0.5",
        ),
        (
            "/underlyings/BTC/volatility/short_power",
            "5",
            "underlyings.BTC.volatility.short_power is 5, expected 0 to 4",
        ),
        (
            "/underlyings/BTC/volatility/tenor_floor_days",
            "0",
            "underlyings.BTC.volatility.tenor_floor_days is 0",
        ),
        (
            "/underlyings/ETH/roll/annual_move",
            "11",
            "underlyings.ETH.roll.annual_move is 11, expected 0 to 10",
        ),
        (
            "/underlyings/ETH/short_option_minimum",
            "-1",
            "underlyings.ETH.short_option_minimum is -1",
        ),
        ("/underlyings/ETH/option_fee", "-1", "underlyings.ETH.option_fee is -1"),
        (
            "/underlyings/ETH/funding_intervals",
            "-1",
            "underlyings.ETH.funding_intervals is -1",
        ),
        (
            "/groups/0/gain_factor",
            "1.5",
            "groups[0].gain_factor is 1.5, expected 0 to 1",
        ),
        ("/groups/0/gain_cap", "-1", "groups[0].gain_cap is -1"),
        ("/assets/BTC/haircut", "NaN", "`NaN` is not an amount"),
        ("/assets/BTC/haircut", "1e-1", "`1e-1` is not an amount"),
    ] {
        let refusal = refusal(|file| set(file, pointer, value.into()));
        assert!(refusal.contains(expected), "{pointer} = {value}: {refusal}");
    }
}

#[test]
fn each_name_must_be_known() {
    for (pointer, value, expected) in [
        (
            "/numeraire",
            "EUR",
            "numeraire names `EUR`, which is not among the assets",
        ),
        (
            "/assets/BTC/underlying",
            "SOL",
            "assets.BTC.underlying names `SOL`, which is not among the underlyings",
        ),
        (
            "/underlyings/BTC/grid",
            "fine",
            "underlyings.BTC.grid names `fine`, which is not among the grids",
        ),
        ("/groups/0/underlyings/1", "SOL", "groups[0].underlyings names `SOL`"),
        (
            "/groups/0/underlyings/1",
            "BTC",
            "groups[0].underlyings names `BTC`, which is in a group already",
        ),
        ("/model", "var", "`var` is not a kind of model"),
        ("/name", "", "name is 0 characters long"),
        ("/levels/variation", "1", "unknown field `variation`"),
        ("/dampener", "1", "unknown field `dampener`"),
        ("/grids/range-16/0/volatility", "sideways", "unknown variant `sideways`"),
        ("/underlyings/BTC/profit", "eur", "unknown variant `eur`"),
    ] {
        let refusal = refusal(|file| set(file, pointer, value.into()));
        assert!(refusal.contains(expected), "{pointer} = {value}: {refusal}");
    }
}

#[test]
fn grids_have_one_row_or_more_and_not_too_many() {
    let empty = refusal(|file| set(file, "/grids/range-16", serde_json::json!([])));
    assert!(
        empty.contains("grids.range-16 has 0 rows, expected 1 to 4096"),
        "{empty}"
    );
    let row = serde_json::json!({"move": "0.1", "volatility": "up"});
    let long = refusal(|file| set(file, "/grids/range-16", vec![row.clone(); 4_097].into()));
    assert!(long.contains("grids.range-16 has 4097 rows"), "{long}");
    let unequal = refusal(|file| set(file, "/grids/range-16", vec![row.clone(); 3].into()));
    assert!(
        unequal.contains("has 35 rows, expected 3, as many as the others of its group"),
        "{unequal}"
    );
    let total = refusal(|file| {
        set(file, "/grids/range-16", vec![row.clone(); 2_049].into());
        set(file, "/grids/range-18", vec![row.clone(); 2_049].into());
    });
    assert!(
        total.contains("underlyings has 4098 rows in all, expected at most 4096"),
        "{total}"
    );
    let alone = refusal(|file| set(file, "/groups/0/underlyings", serde_json::json!(["BTC"])));
    assert!(
        alone.contains("groups[0].underlyings has 1 underlyings, expected at least 2"),
        "{alone}"
    );
}

#[test]
fn malformed_files_are_refused_with_their_place() {
    let text = PRESETS[0].1;
    let cut = Model::from_json(&text[..text.len() / 2]).unwrap_err();
    assert!(cut.to_string().contains("line"), "{cut}");
    assert!(matches!(Model::from_json(""), Err(ModelError::Json(_))));
    assert!(matches!(Model::from_json("[]"), Err(ModelError::Json(_))));
    let twice = text.replacen(
        r#""levels""#,
        r#""levels": {"initial": "1", "maintenance": "1"}, "levels""#,
        1,
    );
    assert!(
        Model::from_json(&twice)
            .unwrap_err()
            .to_string()
            .contains("duplicate field")
    );
    let twice = text.replacen(r#""USDC": {"#, r#""USDC": { "haircut": "0.1" }, "USDC": {"#, 1);
    assert!(
        Model::from_json(&twice)
            .unwrap_err()
            .to_string()
            .contains("duplicate field")
    );
    let number = text.replacen(r#""initial": "1""#, r#""initial": 1"#, 1);
    assert!(
        Model::from_json(&number)
            .unwrap_err()
            .to_string()
            .contains("an amount as a string")
    );
    assert!(matches!(Model::preset("cme-span"), Err(ModelError::Preset(_))));
}

#[test]
fn terms_and_snapshots_that_do_not_fit_are_refused() {
    let model = ScenarioGrid::new(preset("paradex-pm")).unwrap();
    let (universe, snapshot) = (fixture::universe(), fixture::snapshot());
    let terms = Terms {
        excess: u64::MAX,
        ..Terms::at(Level::Initial)
    };
    assert!(matches!(
        Model::from(model.clone()).compile(&universe, &snapshot, &terms),
        Err(CompileError::Excess { .. })
    ));
    let mut negative = snapshot.clone();
    negative.underlyings.get_mut("BTC").unwrap().index = decimal("-1");
    let terms = Terms::at(Level::Initial);
    assert!(matches!(
        Model::from(model.clone()).compile(&universe, &negative, &terms),
        Err(CompileError::Snapshot(_))
    ));
    let mut parameters = preset("paradex-pm");
    parameters.numeraire = "USDC".into();
    let mut priceless = snapshot;
    priceless.assets.clear();
    let model = ScenarioGrid::new(parameters).unwrap();
    assert!(matches!(
        Model::from(model.clone()).compile(&universe, &priceless, &terms),
        Err(CompileError::Numeraire(_))
    ));
}

#[test]
fn presets_are_read_back() {
    for (name, text) in PRESETS {
        let model = Model::from_json(text).unwrap();
        assert_eq!(model.name(), name);
        let again = Model::from_json(&model.to_json().unwrap()).unwrap();
        assert_eq!(again, model);
    }
}

#[test]
fn the_digest_is_of_every_field() {
    let base = Model::from(ScenarioGrid::new(preset("deribit-pm")).unwrap()).digest();
    type Change = Box<dyn Fn(&mut Parameters)>;
    let mut changes: Vec<Change> = vec![
        Box::new(|p| p.name.push('x')),
        Box::new(|p| p.description.push('x')),
        Box::new(|p| p.left_out.clear()),
        Box::new(|p| p.assumed.clear()),
        Box::new(|p| p.numeraire = "BTC".into()),
        Box::new(|p| p.collateral_in_scenarios = true),
        Box::new(|p| p.levels.initial = decimal("1.1")),
        Box::new(|p| p.levels.maintenance = decimal("0.7")),
        Box::new(|p| p.groups[0].gain_factor = decimal("0.5")),
        Box::new(|p| p.groups[0].gain_cap = None),
        Box::new(|p| p.groups[0].underlyings.reverse()),
    ];
    for change in [
        |asset: &mut AssetParameters| asset.haircut = decimal("0.5"),
        |asset: &mut AssetParameters| asset.cap = Some(decimal("5")),
        |asset: &mut AssetParameters| asset.underlying = None,
    ] {
        changes.push(Box::new(move |p| change(p.assets.get_mut("BTC").unwrap())));
    }
    for change in [
        |row: &mut Scenario| row.price_move = decimal("0.5"),
        |row: &mut Scenario| row.volatility = VolatilityMove::Down,
        |row: &mut Scenario| row.weight = decimal("0.5"),
    ] {
        changes.push(Box::new(move |p| change(&mut p.grids.get_mut("range-16").unwrap()[0])));
    }
    for change in [
        |u: &mut UnderlyingParameters| u.grid = "range-18".into(),
        |u: &mut UnderlyingParameters| u.profit = Profit::Usd,
        |u: &mut UnderlyingParameters| u.volatility.up = decimal("0.6"),
        |u: &mut UnderlyingParameters| u.volatility.down = decimal("0.6"),
        |u: &mut UnderlyingParameters| u.volatility.short_power = decimal("0.6"),
        |u: &mut UnderlyingParameters| u.volatility.long_power = decimal("0.6"),
        |u: &mut UnderlyingParameters| u.volatility.tenor_floor_days = decimal("2"),
        |u: &mut UnderlyingParameters| u.volatility.up_floor = decimal("0.6"),
        |u: &mut UnderlyingParameters| {
            u.delta_provision = Some(DeltaProvision {
                net: Decimal::ONE,
                gross: Decimal::ONE,
            })
        },
        |u: &mut UnderlyingParameters| u.short_option_minimum = decimal("0.6"),
        |u: &mut UnderlyingParameters| u.roll = None,
        |u: &mut UnderlyingParameters| u.option_fee = decimal("0.6"),
        |u: &mut UnderlyingParameters| u.option_fee_cap = Some(decimal("0.6")),
        |u: &mut UnderlyingParameters| u.dampener = None,
        |u: &mut UnderlyingParameters| u.delta_shock.as_mut().unwrap().chords = 8,
        |u: &mut UnderlyingParameters| u.future_fee = decimal("0.6"),
        |u: &mut UnderlyingParameters| u.funding_intervals = decimal("0.6"),
    ] {
        changes.push(Box::new(move |p| change(p.underlyings.get_mut("BTC").unwrap())));
    }
    let mut digests = std::collections::BTreeSet::from([base]);
    for (index, change) in changes.iter().enumerate() {
        let mut parameters = preset("deribit-pm");
        change(&mut parameters);
        let digest = Model::from(ScenarioGrid::new(parameters).unwrap()).digest();
        assert!(
            digests.insert(digest),
            "change {index} gives a digest that is known already"
        );
    }
}
