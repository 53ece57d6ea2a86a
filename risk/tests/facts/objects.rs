//! A structure is an object in every file: an array of its values, which serde's readers take too, is refused wherever
//! it stands.

use std::fmt::Debug;

use serde::de::DeserializeOwned;
use serde_json::Value;
use zkmargin_risk::account::AccountFile;
use zkmargin_risk::history::HistoryFile;
use zkmargin_risk::json;
use zkmargin_risk::listing::UniverseFile;
use zkmargin_risk::market::Snapshot;
use zkmargin_risk::model::PRESETS;
use zkmargin_risk::model::scenario_grid::Parameters;
use zkmargin_risk::universe::Universe;
use zkmargin_risk::venue_file::VenueFile;

const ACCOUNT: &str = include_str!("../fixtures/account.json");
const SNAPSHOT: &str = include_str!("../fixtures/snapshot.json");
const VENUE: &str = include_str!("../../../examples/venues/perphouse.json");
const HISTORY: &str = r#"{
 "provenance": {"source": "s", "licence": "l", "importer": "i", "recorded": [], "derived": [], "assumed": []},
 "days": {"2026-08-06": {"BTC": {"close": "1"}}, "2026-08-07": {"BTC": {"close": "1", "volatility_index": "2"}}}
}"#;

/// Paths of all objects in a value.
fn objects(value: &Value, path: &str, found: &mut Vec<String>) {
    match value {
        Value::Object(map) => {
            found.push(path.to_owned());
            for (key, value) in map {
                let key = key.replace('~', "~0").replace('/', "~1");
                objects(value, &format!("{path}/{key}"), found);
            }
        }
        Value::Array(list) => {
            for (index, value) in list.iter().enumerate() {
                objects(value, &format!("{path}/{index}"), found);
            }
        }
        _ => {}
    }
}

/// Every object of a file, one after the other, becomes the array of its values. Returns how many were refused as
/// structures.
fn every_object_is_needed<T: DeserializeOwned + Debug>(text: &str) -> usize {
    let file: Value = serde_json::from_str(text).unwrap();
    json::from_str::<T>(text).expect("the file itself");
    let mut paths = Vec::new();
    objects(&file, "", &mut paths);
    let mut structures = 0;
    for path in &paths {
        let mut changed = file.clone();
        let place = changed.pointer_mut(path).unwrap();
        *place = place.as_object().unwrap().values().cloned().collect();
        let refusal = json::from_str::<T>(&changed.to_string()).expect_err(path).to_string();
        // The array itself is refused and not a value in it. What is neither structure nor map is an enumeration.
        let is_structure = refusal.starts_with("invalid type: sequence, expected struct ");
        let is_map = refusal.starts_with("invalid type: sequence, expected a map ");
        assert!(
            is_structure || is_map || refusal.starts_with("expected value at line "),
            "{path}: {refusal}"
        );
        structures += usize::from(is_structure);
    }
    structures
}

#[test]
fn in_files_of_every_kind() {
    assert_eq!(every_object_is_needed::<UniverseFile>(crate::UNIVERSE), 16);
    assert_eq!(every_object_is_needed::<AccountFile>(ACCOUNT), 8);
    assert_eq!(every_object_is_needed::<Snapshot>(SNAPSHOT), 12);
    assert_eq!(every_object_is_needed::<VenueFile>(VENUE), 8);
    assert_eq!(every_object_is_needed::<HistoryFile>(HISTORY), 4);
    assert_eq!(every_object_is_needed::<Parameters>(PRESETS[1].1), 86);
}

/// Files that the library reads, each with one structure as an array in the order of its fields.
#[test]
fn where_the_library_takes_an_array() {
    fn refused<T: DeserializeOwned>(text: &str, error: impl Fn(&str) -> Option<String>) {
        assert!(serde_json::from_str::<T>(text).is_ok(), "the library takes {text}");
        let refusal = error(text).expect(text);
        assert!(
            refusal.contains("invalid type: sequence, expected struct "),
            "{refusal}"
        );
    }
    let account = |text: &str| {
        let read = zkmargin_risk::account::AccountVector::from_json(text, &crate::universe());
        read.err().map(|error| error.to_string())
    };
    refused::<AccountFile>(r#"["a",[],[],[]]"#, account);
    refused::<AccountFile>(
        r#"{"venue":"a","positions":[["BTC-PERPETUAL","1","64000",null]]}"#,
        account,
    );
    refused::<AccountFile>(r#"{"venue":"a","balances":[["BTC",null,"1"]]}"#, account);

    let universe = |text: &str| Universe::from_json(text).err().map(|error| error.to_string());
    let option = r#"{"instrument":{"name":"x","underlying":"BTC","kind":{"option":["2026-08-28T08:00:00Z","1","call"]},
        "style":"inverse","settlement":"BTC","contract":"1","lot":"1"}}"#;
    for line in [r#"{"asset":["BTC",null,"1",false,false]}"#, option] {
        let text = format!(r#"{{"network":"test","k":6,"venues":[{{"name":"a","keys":[],"lines":[{line}]}}]}}"#);
        refused::<UniverseFile>(&text, universe);
    }
    refused::<UniverseFile>(r#"["test",6,[]]"#, universe);
    refused::<UniverseFile>(r#"{"network":"test","k":6,"venues":[["a",[],[]]]}"#, universe);

    let snapshot = |text: &str| Snapshot::from_json(text).err().map(|error| error.to_string());
    let quote = crate::with(
        SNAPSHOT,
        r#""price": "64410.5""#,
        r#""quote": [null,null,null,null,null], "price": "64410.5""#,
    );
    assert!(
        snapshot(&quote).is_some_and(|refusal| refusal.contains("expected struct Quote")),
        "{:?}",
        snapshot(&quote)
    );

    let venue = |text: &str| VenueFile::from_json(text).err().map(|error| error.to_string());
    refused::<VenueFile>(r#"["a",[],[],[]]"#, venue);
    refused::<VenueFile>(
        r#"{"name":"a","keys":[],"assets":[["BTC","1",null]],"classes":[]}"#,
        venue,
    );

    let history = |text: &str| {
        zkmargin_risk::history::History::from_json(text)
            .err()
            .map(|error| error.to_string())
    };
    refused::<HistoryFile>(r#"[["s","l","i",[],[],[]],{}]"#, history);
    refused::<HistoryFile>(&HISTORY.replacen(r#"{"close": "1"}"#, r#"["1",null]"#, 1), history);
}
