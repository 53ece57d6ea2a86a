//! The small world has every field that the types have, so that the other tests change every field. Of its models, the one that
//! reads a history; the other is a preset, and has what the preset has.

use std::collections::BTreeSet;

use serde_json::Value;
use zkmargin_risk::canonical::Canonical;
use zkmargin_risk::history::HistoryFile;
use zkmargin_risk::listing::UniverseFile;
use zkmargin_risk::market::Snapshot;
use zkmargin_risk::model::historical::Parameters;
use zkmargin_risk::terms::{Level, Terms};
use zkmargin_tests::small::{HISTORICAL, SMALL, VARIATION};
use zkmargin_tests::tree::Tree;
use zkmargin_verifier::Policy;

use crate::WORLDS;

/// A schema of a file, with what its references are of.
struct Walk<'a> {
    root: &'a Value,
    /// The fields that files have: the place of a structure in the schema, and a field's name.
    found: BTreeSet<(String, String)>,
}

/// The keywords of alternatives.
const SEVERAL: [&str; 3] = ["anyOf", "oneOf", "allOf"];

impl<'a> Walk<'a> {
    fn new(root: &'a Value) -> Walk<'a> {
        Walk {
            root,
            found: BTreeSet::new(),
        }
    }

    /// The schema at a place, and the place that its references lead to.
    fn at(&self, place: &str) -> (String, &'a Value) {
        let schema = self.root.pointer(place).expect("a place in the schema");
        match schema["$ref"].as_str() {
            Some(path) => self.at(path.strip_prefix('#').expect("a reference within the schema")),
            None => (place.to_owned(), schema),
        }
    }

    /// Whether a value is of a schema, by types, constants and the names of fields.
    fn fits(&self, value: &Value, place: &str) -> bool {
        let (place, schema) = self.at(place);
        let is = |name: &Value| match name.as_str() {
            Some("object") => value.is_object(),
            Some("array") => value.is_array(),
            Some("string") => value.is_string(),
            Some("boolean") => value.is_boolean(),
            Some("integer" | "number") => value.is_number(),
            _ => value.is_null(),
        };
        let of_type = match &schema["type"] {
            Value::Null => true,
            Value::Array(names) => names.iter().any(is),
            name => is(name),
        };
        let said = schema.get("const").is_none_or(|constant| constant == value)
            && schema["enum"].as_array().is_none_or(|list| list.contains(value));
        let is_closed = schema["additionalProperties"] == false;
        let fields =
            value
                .as_object()
                .into_iter()
                .flatten()
                .all(|(name, value)| match schema["properties"].get(name) {
                    Some(_) => self.fits(value, &format!("{place}/properties/{}", escaped(name))),
                    None => !is_closed,
                });
        let required = schema["required"].as_array().into_iter().flatten();
        let has_all = required
            .clone()
            .all(|name| value.get(name.as_str().unwrap_or("")).is_some());
        let one_of_several = SEVERAL.iter().all(|several| {
            let count = schema[several].as_array().map(Vec::len);
            count.is_none_or(|count| (0..count).any(|one| self.fits(value, &format!("{place}/{several}/{one}"))))
        });
        of_type && said && fields && (has_all || !value.is_object()) && one_of_several
    }

    /// Goes through value and schema together.
    fn file(&mut self, value: &Value, place: &str) {
        let (place, schema) = self.at(place);
        for several in SEVERAL {
            for one in 0..schema[several].as_array().map_or(0, Vec::len) {
                let one = format!("{place}/{several}/{one}");
                if self.fits(value, &one) {
                    self.file(value, &one);
                }
            }
        }
        match value {
            Value::Array(items) => {
                let own = format!("{place}/items");
                let items = items.iter().enumerate();
                items.for_each(|(index, item)| match schema.get("prefixItems") {
                    Some(_) => self.file(item, &format!("{place}/prefixItems/{index}")),
                    None => self.file(item, &own),
                });
            }
            Value::Object(fields) => {
                for (name, value) in fields {
                    if schema["properties"].get(name).is_some() {
                        self.found.insert((place.clone(), name.clone()));
                        self.file(value, &format!("{place}/properties/{}", escaped(name)));
                    } else if let Some(pattern) = schema["patternProperties"]
                        .as_object()
                        .and_then(|all| all.keys().next())
                    {
                        self.file(value, &format!("{place}/patternProperties/{}", escaped(pattern)));
                    } else if schema["additionalProperties"].is_object() {
                        self.file(value, &format!("{place}/additionalProperties"));
                    }
                }
            }
            _ => {}
        }
    }

    /// Every field of every structure, wherever in the schema it is written.
    fn all(&self) -> BTreeSet<(String, String)> {
        let (mut all, mut places) = (BTreeSet::new(), vec![(String::new(), self.root)]);
        while let Some((place, schema)) = places.pop() {
            match schema {
                Value::Object(keywords) => {
                    // A field may have the name of a keyword: below `properties` and `$defs` there are names, and each has a schema.
                    let is_names = place.ends_with("/properties") || place == "/$defs";
                    if let (false, Some(fields)) = (is_names, keywords.get("properties").and_then(Value::as_object)) {
                        all.extend(fields.keys().map(|name| (place.clone(), name.clone())));
                    }
                    let steps = keywords
                        .iter()
                        .filter(|(name, _)| is_names || !["default", "const", "enum"].contains(&name.as_str()));
                    places.extend(steps.map(|(name, schema)| (format!("{place}/{}", escaped(name)), schema)));
                }
                Value::Array(list) => {
                    places.extend(
                        list.iter()
                            .enumerate()
                            .map(|(index, schema)| (format!("{place}/{index}"), schema)),
                    );
                }
                _ => {}
            }
        }
        all
    }

    /// The fields that no file has, as `structure.field`.
    fn missing(&self) -> Vec<String> {
        let all = self.all();
        assert!(all.len() > 5);
        let missing = all.difference(&self.found);
        missing.map(|(place, field)| format!("{place}.{field}")).collect()
    }
}

/// A step of a JSON pointer.
fn escaped(name: &str) -> String {
    name.replace('~', "~0").replace('/', "~1")
}

#[track_caller]
fn is_complete(file: &Value, schema: &schemars::Schema, but: &[&str]) {
    let mut walk = Walk::new(schema.as_value());
    assert!(walk.fits(file, ""), "the file is not of its schema");
    walk.file(file, "");
    assert_eq!(
        walk.missing(),
        but,
        "fields that no test changes: give the small world one"
    );
}

#[test]
fn small_world_has_every_field() {
    is_complete(&SMALL.policy_file, &schemars::schema_for!(Policy), &[]);
    for snapshot in [&SMALL.snapshot_file, VARIATION.later_file.as_ref().unwrap()] {
        is_complete(snapshot, &schemars::schema_for!(Snapshot), &[]);
    }
    let history = HISTORICAL.history_file.as_ref().unwrap();
    is_complete(history, &schemars::schema_for!(HistoryFile), &[]);
    // It has one of three against procyclicality, and two windows of four kinds.
    is_complete(
        &HISTORICAL.model_file,
        &schemars::schema_for!(Parameters),
        &[
            "/$defs/Buffer.part",
            "/$defs/Floor.window",
            "/$defs/Procyclicality/oneOf/0.buffer",
            "/$defs/Procyclicality/oneOf/2.floor",
            "/$defs/Range/oneOf/1.until",
        ],
    );
    // An isolated position is an asset that names it.
    is_complete(
        &SMALL.universe_file,
        &schemars::schema_for!(UniverseFile),
        &["/$defs/AssetFile.isolated"],
    );
}

/// Where a binary file has nothing: an option that is not there is an empty list in it. A reader makes every field of what it reads,
/// and has nothing else to make it of.
fn nothing(tree: &Tree, place: &str) -> Vec<String> {
    match tree {
        Tree::List(items) if !items.is_empty() => {
            let below = items.iter().enumerate();
            below
                .flat_map(|(index, item)| nothing(item, &format!("{place}/{index}")))
                .collect()
        }
        Tree::Null | Tree::List(_) => vec![place.to_owned()],
        Tree::Bytes(bytes) if bytes.is_empty() => vec![place.to_owned()],
        Tree::Text(text) if text.is_empty() => vec![place.to_owned()],
        _ => Vec::new(),
    }
}

#[test]
fn bundle_and_attestations_have_every_field() {
    let attestations = &SMALL.bundle.statements[0].statement.attestations;
    assert_eq!(attestations.len(), SMALL.universe.venues().len());
    let mut missing = nothing(&Tree::of_cbor(&SMALL.bundle.to_bytes()), "bundle");
    for attestation in attestations {
        missing.extend(nothing(&Tree::of_cbor(attestation.payload()), "attestation"));
    }
    assert!(
        missing.is_empty(),
        "fields that no test changes: give the small world one: {missing:?}"
    );
}

#[test]
fn every_margin_has_a_bundle() {
    // The numbers that a reader takes: a margin that is added is among them unasked.
    let Tree::List(mut terms) = Tree::of_cbor(&Terms::at(Level::Initial).to_canonical()) else {
        panic!("no list");
    };
    let mut is_read = |code: &u64| {
        terms[0] = Tree::Integer(i128::from(*code));
        Terms::from_canonical(&Tree::List(terms.clone()).to_cbor()).is_ok()
    };
    let all: BTreeSet<u64> = (0..1 << 10).filter(&mut is_read).collect();
    let statements = WORLDS.iter().flat_map(|world| &world.bundle.statements);
    let proven: BTreeSet<u64> = statements.map(|signed| signed.statement.terms.margin.code()).collect();
    assert_eq!(proven, all);
}

#[test]
fn a_field_of_the_same_name_elsewhere_is_not_the_field_that_is_missing() {
    let schema = serde_json::json!({
        "properties": {
            "one": { "oneOf": [{ "const": "none" }, { "$ref": "#/$defs/Inner" }] },
            "same": { "type": "string" },
        },
        "$defs": { "Inner": { "type": "object", "properties": { "same": { "type": "string" } } } },
    });
    let missing = |file: Value| {
        let mut walk = Walk::new(&schema);
        walk.file(&file, "");
        walk.all().difference(&walk.found).cloned().collect::<Vec<_>>()
    };
    let inner = ("/$defs/Inner".to_owned(), "same".to_owned());
    assert_eq!(missing(serde_json::json!({ "one": "none", "same": "" })), [inner]);
    assert_eq!(missing(serde_json::json!({ "one": { "same": "" }, "same": "" })), []);
}
