#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
use super::*;
use std::collections::BTreeMap;

#[test]
fn outer_levels_break_and_inner_levels_do_not() {
    let value = serde_json::json!({"a": {"x": {"y": [1, 2]}, "z": {}}, "b": []});
    let text = to_text(&value, 2).unwrap();
    assert_eq!(
        text,
        "{\n \"a\": {\n  \"x\": {\"y\":[1,2]},\n  \"z\": {}\n },\n \"b\": []\n}\n"
    );
    assert_eq!(serde_json::from_str::<serde_json::Value>(&text).unwrap(), value);
}

#[test]
fn a_duplicate_key_is_refused() {
    #[derive(Debug, serde::Deserialize)]
    struct File {
        #[serde(with = "unique")]
        map: BTreeMap<String, u8>,
    }
    let read = |text: &str| from_str::<File>(text).map(|file| file.map);
    assert_eq!(read(r#"{"map":{"a":1,"b":2}}"#).unwrap().len(), 2);
    let refusal = read(r#"{"map":{"a":1,"a":2}}"#).unwrap_err();
    assert!(
        refusal.to_string().starts_with("duplicate field `a` at line 1 column"),
        "{refusal}"
    );
    // Keys that are read as something else than text.
    assert_eq!(from_str::<BTreeMap<u8, u8>>(r#"{"1":2,"2":1}"#).unwrap()[&1], 2);
    assert!(from_str::<BTreeMap<i8, u8>>(r#"{"-1":2,"-1":1}"#).is_err());
    #[derive(Debug, PartialEq, Eq, PartialOrd, Ord, serde::Deserialize)]
    enum Side {
        Left,
        Right,
    }
    assert_eq!(
        from_str::<BTreeMap<Side, u8>>(r#"{"Right":2,"Left":1}"#).unwrap()[&Side::Left],
        1
    );
    assert!(from_str::<BTreeMap<Side, u8>>(r#"{"Left":2,"Left":1}"#).is_err());
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Leaf {
    a: u8,
    b: String,
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Choice {
    Unit,
    New(Leaf),
    Pair(Leaf, u8),
    Fields { leaf: Leaf, n: i64 },
}

/// Everything of serde's data model that a file can have, with a structure in each place where one can be.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Tree {
    leaf: Leaf,
    list: Vec<Leaf>,
    pair: (Leaf, f64),
    new: New,
    #[serde(default)]
    option: Option<Leaf>,
    #[serde(with = "unique")]
    map: BTreeMap<String, Leaf>,
    choices: Vec<Choice>,
    flag: bool,
    unit: (),
    letter: char,
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct New(Leaf);

const TREE: &str = r#"{"leaf":{"a":1,"b":"x"},"list":[{"a":2,"b":"x"}],"pair":[{"a":3,"b":"x"},0.5],"new":{"a":4,"b":"x"},
"option":{"a":5,"b":"x"},"map":{"k":{"a":6,"b":"x"}},
"choices":["unit",{"new":{"a":7,"b":"x"}},{"pair":[{"a":8,"b":"x"},1]},{"fields":{"leaf":{"a":9,"b":"x"},"n":-1}}],
"flag":true,"unit":null,"letter":"l"}"#;

#[test]
fn objects_are_read_as_the_library_reads_them() {
    let tree: Tree = serde_json::from_str(TREE).unwrap();
    assert_eq!(from_str::<Tree>(TREE).unwrap(), tree);
    assert_eq!(from_slice::<Tree>(TREE.as_bytes()).unwrap(), tree);
    let text = to_text(&tree, 1).unwrap();
    assert_eq!(from_str::<Tree>(&text).unwrap(), tree);
    // Text is borrowed where the value borrows it.
    assert_eq!(from_str::<Vec<&str>>(r#"["a","b"]"#).unwrap(), ["a", "b"]);
    for text in ["", "{", "nul", "{} {}", "{\"a\":1}", &"[".repeat(1000)] {
        let theirs = serde_json::from_str::<Tree>(text).unwrap_err().to_string();
        if !text.starts_with('[') {
            assert_eq!(from_str::<Tree>(text).unwrap_err().to_string(), theirs);
        }
        assert!(from_str::<Tree>(text).is_err(), "{text}");
    }
    assert!(
        from_str::<u8>("1 2")
            .unwrap_err()
            .to_string()
            .starts_with("trailing characters")
    );
}

#[test]
fn an_array_is_no_structure_at_any_depth() {
    for n in 1..=9 {
        let leaf = format!(r#"{{"a":{n},"b":"x"}}"#);
        assert_eq!(TREE.matches(&leaf).count(), 1);
        let array = TREE.replace(&leaf, &format!(r#"[{n},"x"]"#));
        assert!(
            serde_json::from_str::<Tree>(&array).is_ok(),
            "the library takes {array}"
        );
        let refusal = from_str::<Tree>(&array).unwrap_err();
        let at = array.find(&format!(r#"[{n},"x"]"#)).unwrap();
        let line = array[..at].matches('\n').count() + 1;
        assert_eq!(refusal.line(), line);
        assert!(
            refusal
                .to_string()
                .starts_with("invalid type: sequence, expected struct Leaf at line"),
            "{refusal}"
        );
    }
    let fields = r#"{"leaf":{"a":9,"b":"x"},"n":-1}"#;
    let array = TREE.replace(fields, r#"[{"a":9,"b":"x"},-1]"#);
    assert!(
        serde_json::from_str::<Tree>(&array).is_ok(),
        "the library takes {array}"
    );
    let refusal = from_str::<Tree>(&array).unwrap_err().to_string();
    assert!(
        refusal.starts_with("invalid type: sequence, expected struct variant Choice::Fields at line 3"),
        "{refusal}"
    );
}

#[test]
fn fields_that_are_unknown_missing_or_twice_are_refused() {
    let leaf = r#"{"a":1,"b":"x"}"#;
    for (to, problem) in [
        (r#"{"a":1,"b":"x","c":0}"#, "unknown field `c`"),
        (r#"{"a":1,"b":"x","a":1}"#, "duplicate field `a`"),
        (r#"{"a":1}"#, "missing field `b`"),
    ] {
        let refusal = from_str::<Tree>(&TREE.replace(leaf, to)).unwrap_err().to_string();
        assert!(
            refusal.starts_with(problem) && refusal.contains(" at line 1 column "),
            "{refusal}"
        );
    }
}

#[test]
fn a_key_that_occurs_twice_is_refused_in_a_tree_of_any_values_too() {
    use serde_json::Value;
    for (text, key) in [
        (r#"{"a":1,"a":1}"#, "a"),
        (r#"{"a":{"b":[{"c":1,"d":2,"c":3}]}}"#, "c"),
        // The same key in another spelling.
        (r#"{"a":1,"\u0061":2}"#, "a"),
        (r#"{"":1,"":2}"#, ""),
    ] {
        assert!(serde_json::from_str::<Value>(text).is_ok(), "the library takes {text}");
        let refusal = from_str::<Value>(text).unwrap_err().to_string();
        assert!(
            refusal.starts_with(&format!("duplicate field `{key}` at line 1 column ")),
            "{refusal}"
        );
        assert!(from_slice::<BTreeMap<String, Value>>(text.as_bytes()).is_err());
    }
    // The same key in two objects is none twice.
    let text = r#"{"a":{"a":1},"b":[{"a":1},{"a":2}]}"#;
    assert_eq!(
        from_str::<Value>(text).unwrap(),
        serde_json::from_str::<Value>(text).unwrap()
    );
}

#[test]
fn what_is_read_and_thrown_away_has_no_key_twice_either() {
    #[derive(Debug, Deserialize)]
    struct Head {
        #[serde(rename = "model")]
        _model: String,
    }
    assert!(from_str::<Head>(r#"{"model":"x","rest":{"a":1}}"#).is_ok());
    assert!(from_str::<Head>(r#"{"model":"x","rest":1,"rest":2}"#).is_err());
    // Inside of what is skipped the library keeps nothing to compare: the second reading of a file, by its kind, is what refuses it.
    assert!(from_str::<Head>(r#"{"model":"x","model":"y"}"#).is_err());
}
