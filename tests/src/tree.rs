//! Files as trees without a meaning, and everything that differs from a tree in one place.
//!
//! A mutation knows nothing of formats: a field that a format gains is changed unasked.

use std::fmt;

use minicbor::data::Type;
use minicbor::{Decoder, Encoder};
use rust_decimal::Decimal;
use serde_json::Value;

/// A value of CBOR or JSON.
#[derive(Clone, Debug, PartialEq)]
pub enum Tree {
    /// Nothing.
    Null,
    /// A truth value.
    Flag(bool),
    /// An integer.
    Integer(i128),
    /// Bytes.
    Bytes(Vec<u8>),
    /// Text.
    Text(String),
    /// A list.
    List(Vec<Tree>),
    /// An object; a key may be there twice.
    Object(Vec<(String, Tree)>),
}

/// Where in a tree, from its root.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Path(Vec<String>);

impl fmt::Display for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|step| write!(f, "/{step}"))
    }
}

impl fmt::Debug for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// A tree that was changed in one place.
#[derive(Clone, Debug)]
pub struct Mutant {
    /// Where.
    pub path: Path,
    /// What was done there.
    pub how: &'static str,
    /// What it is now.
    pub tree: Tree,
}

impl Tree {
    /// The tree of canonical CBOR; a byte string stays one, whatever is in it.
    pub fn of_cbor(bytes: &[u8]) -> Tree {
        let mut decoder = Decoder::new(bytes);
        let tree = read(&mut decoder);
        assert_eq!(decoder.position(), bytes.len(), "trailing bytes");
        tree
    }

    /// Canonical CBOR: definite lengths, shortest integers.
    pub fn to_cbor(&self) -> Vec<u8> {
        let mut encoder = Encoder::new(Vec::new());
        write(self, &mut encoder);
        encoder.into_writer()
    }

    /// The tree of a JSON value.
    pub fn of_json(value: &Value) -> Tree {
        match value {
            Value::Null => Tree::Null,
            Value::Bool(flag) => Tree::Flag(*flag),
            Value::Number(number) => Tree::Integer(number.as_i128().expect("our files have no fractions but in texts")),
            Value::String(text) => Tree::Text(text.clone()),
            Value::Array(items) => Tree::List(items.iter().map(Tree::of_json).collect()),
            Value::Object(fields) => Tree::Object(
                fields
                    .iter()
                    .map(|(name, value)| (name.clone(), Tree::of_json(value)))
                    .collect(),
            ),
        }
    }

    /// JSON text.
    pub fn to_json(&self) -> String {
        let quoted = |text: &str| Value::from(text).to_string();
        match self {
            Tree::Null => "null".to_owned(),
            Tree::Flag(flag) => flag.to_string(),
            Tree::Integer(value) => value.to_string(),
            Tree::Bytes(bytes) => quoted(&String::from_utf8_lossy(bytes)),
            Tree::Text(text) => quoted(text),
            Tree::List(items) => format!("[{}]", items.iter().map(Tree::to_json).collect::<Vec<_>>().join(",")),
            Tree::Object(fields) => {
                let fields = fields
                    .iter()
                    .map(|(name, value)| format!("{}:{}", quoted(name), value.to_json()));
                format!("{{{}}}", fields.collect::<Vec<_>>().join(","))
            }
        }
    }

    /// Everything that differs from this tree in one place.
    pub fn mutants(&self) -> Vec<Mutant> {
        let mut mutants = Vec::new();
        self.visit(&mut Vec::new(), &mut |path, how, tree| {
            mutants.push(Mutant {
                path: Path(path.to_vec()),
                how,
                tree,
            });
        });
        mutants
    }

    /// Calls `found` with every mutant of this node and of those below it.
    fn visit(&self, path: &mut Vec<String>, found: &mut dyn FnMut(&[String], &'static str, Tree)) {
        for (how, tree) in self.changed() {
            if tree != *self {
                found(path, how, tree);
            }
        }
        match self {
            Tree::List(items) => {
                for (index, item) in items.iter().enumerate() {
                    path.push(index.to_string());
                    item.visit(path, &mut |path, how, changed| {
                        let mut items = items.clone();
                        items[index] = changed;
                        found(path, how, Tree::List(items));
                    });
                    path.pop();
                }
            }
            Tree::Object(fields) => {
                for (index, (name, value)) in fields.iter().enumerate() {
                    path.push(name.clone());
                    value.visit(path, &mut |path, how, changed| {
                        let mut fields = fields.clone();
                        fields[index].1 = changed;
                        found(path, how, Tree::Object(fields));
                    });
                    path.pop();
                }
            }
            _ => (),
        }
    }

    /// This node alone, changed: its value, its members, its type.
    fn changed(&self) -> Vec<(&'static str, Tree)> {
        let mut changed = match self {
            Tree::Null => vec![("type", Tree::Integer(0))],
            Tree::Flag(flag) => vec![("flip", Tree::Flag(!flag)), ("type", Tree::Integer(i128::from(*flag)))],
            Tree::Integer(value) => vec![
                ("one more", Tree::Integer(value + 1)),
                ("one less", Tree::Integer(value - 1)),
                ("type", Tree::Text(value.to_string())),
            ],
            Tree::Bytes(bytes) => of_bytes(bytes),
            Tree::Text(text) => of_text(text),
            Tree::List(items) => of_list(items),
            Tree::Object(fields) => of_object(fields),
        };
        changed.push(("nothing", Tree::Null));
        changed.push(("wrapped", Tree::List(vec![self.clone()])));
        changed
    }
}

fn of_bytes(bytes: &[u8]) -> Vec<(&'static str, Tree)> {
    let flipped = |at: usize| {
        let mut bytes = bytes.to_vec();
        if let Some(byte) = bytes.get_mut(at) {
            *byte ^= 1;
        }
        Tree::Bytes(bytes)
    };
    vec![
        ("first bit", flipped(0)),
        ("middle bit", flipped(bytes.len() / 2)),
        ("last bit", flipped(bytes.len().saturating_sub(1))),
        ("shorter", Tree::Bytes(bytes[..bytes.len().saturating_sub(1)].to_vec())),
        ("longer", Tree::Bytes([bytes, &[0]].concat())),
        ("zero", Tree::Bytes(vec![0; bytes.len()])),
        ("type", Tree::Text("text".to_owned())),
    ]
}

fn of_text(text: &str) -> Vec<(&'static str, Tree)> {
    let mut changed = vec![
        ("longer", Tree::Text(format!("{text}x"))),
        (
            "shorter",
            Tree::Text(text.chars().take(text.chars().count().saturating_sub(1)).collect()),
        ),
        ("upper case", Tree::Text(text.to_uppercase())),
        ("lower case", Tree::Text(text.to_lowercase())),
        ("space", Tree::Text(format!("{text} "))),
        ("type", Tree::Integer(1)),
    ];
    if let Ok(number) = text.parse::<Decimal>() {
        let unit = Decimal::new(1, number.scale());
        changed.extend([
            ("one more", Tree::Text((number + unit).to_string())),
            ("one less", Tree::Text((number - unit).to_string())),
        ]);
    }
    // Digests, keys, instants, orders: each of the digits stands for something, so the first and the last do.
    let digits: Vec<usize> = text
        .char_indices()
        .filter(|(_, one)| one.is_ascii_hexdigit())
        .map(|(at, _)| at)
        .collect();
    for (how, at) in [("first digit", digits.first()), ("last digit", digits.last())] {
        let Some(at) = at else { continue };
        let mut bytes = text.as_bytes().to_vec();
        bytes[*at] = if bytes[*at] == b'1' { b'2' } else { b'1' };
        changed.push((how, Tree::Text(String::from_utf8(bytes).expect("ASCII for ASCII"))));
    }
    changed
}

fn of_list(items: &[Tree]) -> Vec<(&'static str, Tree)> {
    let mut changed = vec![
        ("type", Tree::Object(Vec::new())),
        ("longer", Tree::List([items, &[Tree::Integer(0)]].concat())),
    ];
    for (index, item) in items.iter().enumerate() {
        let without = [&items[..index], &items[index + 1..]].concat();
        changed.push(("dropped", Tree::List(without)));
        let twice = [&items[..=index], std::slice::from_ref(item), &items[index + 1..]].concat();
        changed.push(("twice", Tree::List(twice)));
        for other in index + 1..items.len() {
            let mut swapped = items.to_vec();
            swapped.swap(index, other);
            changed.push(("swapped", Tree::List(swapped)));
        }
    }
    changed
}

fn of_object(fields: &[(String, Tree)]) -> Vec<(&'static str, Tree)> {
    let mut changed = vec![(
        "type",
        Tree::List(fields.iter().map(|(_, value)| value.clone()).collect()),
    )];
    let with = |more: (String, Tree)| Tree::Object([fields, &[more]].concat());
    changed.push(("unknown field", with(("unknown field".to_owned(), Tree::Null))));
    for (index, (name, value)) in fields.iter().enumerate() {
        let without = [&fields[..index], &fields[index + 1..]].concat();
        changed.push(("dropped", Tree::Object(without.clone())));
        changed.push(("twice", with((name.clone(), value.clone()))));
        // Names of venues, prices of strikes, instants of expiries are keys too.
        for (how, other) in of_text(name) {
            if let Tree::Text(other) = other
                && other != *name
            {
                let renamed = [&without[..], &[(other, value.clone())]].concat();
                changed.push((how, Tree::Object(renamed)));
            }
        }
        for other in index + 1..fields.len() {
            let mut swapped = fields.to_vec();
            (swapped[index].1, swapped[other].1) = (fields[other].1.clone(), value.clone());
            changed.push(("swapped", Tree::Object(swapped)));
        }
    }
    changed
}

fn read(d: &mut Decoder<'_>) -> Tree {
    match d.datatype().expect("CBOR") {
        Type::Null => {
            d.null().expect("null");
            Tree::Null
        }
        Type::Bool => Tree::Flag(d.bool().expect("a flag")),
        Type::Bytes => Tree::Bytes(d.bytes().expect("bytes").to_vec()),
        Type::String => Tree::Text(d.str().expect("text").to_owned()),
        Type::Array => {
            let length = d.array().expect("an array").expect("of definite length");
            Tree::List((0..length).map(|_| read(d)).collect())
        }
        _ => Tree::Integer(i128::from(
            d.int().expect("an integer, the only other kind in our formats"),
        )),
    }
}

fn write(tree: &Tree, e: &mut Encoder<Vec<u8>>) {
    match tree {
        Tree::Null => e.null().map(drop),
        Tree::Flag(flag) => e.bool(*flag).map(drop),
        // What is no integer of CBOR can stand in no file.
        Tree::Integer(value) => match minicbor::data::Int::try_from(*value) {
            Ok(value) => e.int(value).map(drop),
            Err(_) => e.null().map(drop),
        },
        Tree::Bytes(bytes) => e.bytes(bytes).map(drop),
        Tree::Text(text) => e.str(text).map(drop),
        Tree::List(items) => {
            e.array(items.len() as u64).expect("a vector");
            items.iter().for_each(|item| write(item, e));
            Ok(())
        }
        Tree::Object(fields) => {
            e.map(fields.len() as u64).expect("a vector");
            for (name, value) in fields {
                e.str(name).expect("a vector");
                write(value, e);
            }
            Ok(())
        }
    }
    .expect("a vector takes everything");
}
