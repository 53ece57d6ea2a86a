//! The small world has every field that the types have, so that the other tests change every field.

use std::collections::BTreeSet;

use serde_json::Value;
use zkmargin_risk::listing::UniverseFile;
use zkmargin_risk::market::Snapshot;
use zkmargin_tests::small::SMALL;
use zkmargin_verifier::Policy;

/// Every property of every structure of a schema, as `Structure.field`.
fn properties(schema: &Value) -> BTreeSet<(String, String)> {
    let mut structures = vec![("root".to_owned(), schema)];
    let defs = schema["$defs"].as_object().into_iter().flatten();
    structures.extend(defs.map(|(name, schema)| (name.clone(), schema)));
    let mut all = BTreeSet::new();
    for (name, schema) in structures {
        for field in schema["properties"]
            .as_object()
            .into_iter()
            .flatten()
            .map(|(field, _)| field)
        {
            all.insert((name.clone(), field.clone()));
        }
    }
    all
}

fn names(value: &Value, found: &mut BTreeSet<String>) {
    match value {
        Value::Array(items) => items.iter().for_each(|item| names(item, found)),
        Value::Object(fields) => fields.iter().for_each(|(name, value)| {
            found.insert(name.clone());
            names(value, found);
        }),
        _ => (),
    }
}

#[track_caller]
fn is_complete(file: &Value, schema: &schemars::Schema, but: &[&str]) {
    let mut found = BTreeSet::new();
    names(file, &mut found);
    let all = properties(schema.as_value());
    assert!(all.len() > 5);
    let missing: Vec<_> = all
        .iter()
        .filter(|(_, field)| !found.contains(field))
        .map(|(_, field)| field.as_str())
        .collect();
    assert_eq!(missing, but, "fields that no test changes: give the small world one");
}

#[test]
fn small_world_has_every_field() {
    is_complete(&SMALL.policy_file, &schemars::schema_for!(Policy), &[]);
    is_complete(&SMALL.snapshot_file, &schemars::schema_for!(Snapshot), &[]);
    // An isolated position is an asset that names it.
    is_complete(
        &SMALL.universe_file,
        &schemars::schema_for!(UniverseFile),
        &["isolated"],
    );
}
