//! The schemas of the files that people write say what the readers do.

use schemars::{JsonSchema, schema_for};
use zkmargin_risk::account::AccountFile;
use zkmargin_risk::history::HistoryFile;
use zkmargin_risk::listing::UniverseFile;
use zkmargin_risk::market::Snapshot;
use zkmargin_risk::venue_file::VenueFile;

fn refuses_unknown_fields<T: JsonSchema>(fields: &[&str]) {
    let schema = serde_json::to_value(schema_for!(T)).unwrap();
    assert_eq!(schema["additionalProperties"], false, "{schema}");
    for field in fields {
        assert!(schema["properties"].get(field).is_some(), "{field} in {schema}");
    }
}

#[test]
fn unknown_fields_are_not_in_the_schemas() {
    refuses_unknown_fields::<UniverseFile>(&["network", "k", "venues"]);
    refuses_unknown_fields::<VenueFile>(&["name", "keys", "assets", "classes"]);
    refuses_unknown_fields::<Snapshot>(&["instant", "provenance", "assets", "underlyings"]);
    refuses_unknown_fields::<HistoryFile>(&["provenance", "days"]);
    refuses_unknown_fields::<AccountFile>(&["venue", "positions", "balances", "reserve"]);
}

#[test]
fn amounts_are_strings_in_the_schemas() {
    let schema = serde_json::to_value(schema_for!(AccountFile)).unwrap();
    assert_eq!(
        schema["$defs"]["PositionFile"]["properties"]["contracts"]["type"], "string",
        "{schema}"
    );
}
