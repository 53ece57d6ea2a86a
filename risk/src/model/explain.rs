//! A model's file in words: each field with its value and, where it comes first, what it means.
//!
//! What a field means is said in the schema of its kind, from which this is made; so it holds for every kind.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

use crate::model::Model;
use crate::model::about::schema_of_kind;

/// Rows of a list that are shown; of the others, how many there are.
const MAX_ROWS: usize = 60;
/// Lists of no more words, or of no longer ones, stand in a line.
const FEW: usize = 8;
const SHORT_WORD: usize = 8;
/// Deeper than any file: a schema that refers to itself ends here.
const MAX_DEPTH: usize = 16;

/// A line of an explanation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// How deep it stands.
    pub depth: usize,
    /// The field, or the name that a map gives.
    pub name: String,
    /// Its value, where that is not made of further lines.
    pub value: Option<String>,
    /// What it means, where that has not been said before.
    pub meaning: Option<String>,
}

impl Model {
    /// Every field of its file, by name, with what it means.
    pub fn explain(&self) -> Vec<Line> {
        let schema = schema_of_kind(self.kind()).map_or(Value::Null, Value::from);
        let mut walk = Walk {
            root: &schema,
            said: BTreeSet::new(),
            lines: Vec::new(),
        };
        let is_demand = matches!(self, Model::Demand(_));
        let but: &[&str] = if is_demand { &["models"] } else { &[] };
        if let Value::Object(fields) = self.rule().file() {
            walk.fields(0, &schema, fields, &[&HEAD[..], but].concat());
        }
        let mut lines = walk.lines;
        if let Model::Demand(demand) = self {
            for model in demand.models() {
                lines.push(Line {
                    depth: 0,
                    name: format!("model {} ({})", model.name(), model.kind()),
                    value: None,
                    meaning: Some(model.description().to_owned()),
                });
                lines.extend(model.explain().into_iter().map(|line| Line {
                    depth: line.depth + 1,
                    ..line
                }));
            }
        }
        lines
    }
}

/// What a file says of itself: it is not among its parameters.
const HEAD: [&str; 5] = ["model", "name", "description", "left_out", "assumed"];

struct Walk<'a> {
    root: &'a Value,
    /// Meanings that stand above already.
    said: BTreeSet<String>,
    lines: Vec<Line>,
}

impl<'a> Walk<'a> {
    fn push(&mut self, depth: usize, name: &str, value: Option<String>, meaning: Option<String>) {
        let meaning = meaning.filter(|meaning| self.said.insert(format!("{name}: {meaning}")));
        let name = name.to_owned();
        self.lines.push(Line {
            depth,
            name,
            value,
            meaning,
        });
    }

    /// The fields of a structure that its schema has, then what it does not have.
    fn fields(&mut self, depth: usize, schema: &'a Value, fields: &Map<String, Value>, but: &[&str]) {
        let known = schema.get("properties").and_then(Value::as_object);
        let known = || known.into_iter().flatten();
        for (name, of_field) in known().filter(|(name, _)| !but.contains(&name.as_str())) {
            if let Some(value) = fields.get(name) {
                self.value(depth, name, of_field, value);
            }
        }
        let is_known = |name: &str| known().any(|(known, _)| known == name);
        for (name, value) in fields {
            if !is_known(name) && !but.contains(&name.as_str()) {
                self.value(depth, name, &Value::Null, value);
            }
        }
        let absent: Vec<&str> = known()
            .map(|(name, _)| name.as_str())
            .filter(|name| !fields.contains_key(*name) && !but.contains(name))
            .collect();
        if !absent.is_empty() {
            let name = format!("not given: {}", absent.join(", "));
            // Once for each kind of structure is enough.
            if self.said.insert(name.clone()) {
                self.push(depth, &name, None, None);
            }
        }
    }

    fn value(&mut self, depth: usize, name: &str, schema: &'a Value, value: &Value) {
        let own = described(schema);
        let schema = self.resolve(schema, value);
        let meaning = own.or_else(|| described(schema));
        match value {
            Value::Object(fields) if depth < MAX_DEPTH => {
                let variant = self.variant(schema, fields);
                self.push(depth, name, None, meaning);
                if schema.get("properties").is_some() && variant.is_none() {
                    return self.fields(depth + 1, schema, fields, &[]);
                }
                let of_all = schema.get("additionalProperties").unwrap_or(&Value::Null);
                for (key, value) in fields {
                    match variant {
                        Some(variant) => self.variant_of(depth + 1, key, variant, value),
                        None => self.entry(depth + 1, key, of_all, value),
                    }
                }
            }
            Value::Array(rows) if is_one_line(rows) => {
                let words: Vec<String> = rows.iter().map(plain).collect();
                self.push(depth, name, Some(words.join(", ")), meaning);
            }
            Value::Array(rows) if depth < MAX_DEPTH => {
                let what = if rows.len() == 1 { "row" } else { "rows" };
                self.push(depth, name, Some(format!("{} {what}", rows.len())), meaning);
                self.rows(depth + 1, schema.get("items").unwrap_or(&Value::Null), rows);
            }
            Value::Object(_) | Value::Array(_) => self.push(depth, name, Some("…".to_owned()), meaning),
            _ => {
                let said = own_words(schema, value).map(|words| format!("{}: {words}", plain(value)));
                let both: Vec<String> = meaning.into_iter().chain(said).collect();
                self.push(
                    depth,
                    name,
                    Some(plain(value)),
                    (!both.is_empty()).then(|| both.join(" ")),
                );
            }
        }
    }

    /// A word and what follows it, of an enumeration: the word's meaning, then the fields of the rest.
    fn variant_of(&mut self, depth: usize, word: &str, variant: &'a Value, value: &Value) {
        let schema = variant
            .get("properties")
            .and_then(|of| of.get(word))
            .unwrap_or(&Value::Null);
        match (described(variant), value) {
            (Some(meaning), Value::Object(fields)) => {
                self.push(depth, word, None, Some(meaning));
                let schema = self.resolve(schema, value);
                self.fields(depth + 1, schema, fields, &[]);
            }
            _ => self.value(depth, word, schema, value),
        }
    }

    /// An entry of a map: what entries mean is said at the first of them, whatever its name.
    fn entry(&mut self, depth: usize, name: &str, schema: &'a Value, value: &Value) {
        let meaning = described(schema).or_else(|| described(self.resolve(schema, value)));
        if let Some(meaning) = meaning
            && !self.said.insert(format!("an entry: {meaning}"))
        {
            self.said.insert(format!("{name}: {meaning}"));
        }
        self.value(depth, name, schema, value);
    }

    /// Rows of a list: a line each where their fields are plain, with the meaning of the fields before them.
    fn rows(&mut self, depth: usize, schema: &'a Value, rows: &[Value]) {
        let flat = |row: &Value| match row {
            Value::Object(fields) => fields.values().all(is_plain),
            other => is_plain(other),
        };
        if let (true, Some(Value::Object(first))) = (rows.iter().all(flat), rows.first()) {
            let of_row = self.resolve(schema, &Value::Object(first.clone()));
            let known = of_row.get("properties").and_then(Value::as_object);
            for (name, of_field) in known.into_iter().flatten() {
                if rows.iter().any(|row| row.get(name).is_some()) {
                    let meaning = described(of_field).or_else(|| described(self.resolve(of_field, &Value::Null)));
                    let Some(meaning) = meaning else { continue };
                    let name = format!("{name} of a row");
                    if !self.said.contains(&format!("{name}: {meaning}")) {
                        self.push(depth, &name, None, Some(meaning));
                    }
                }
            }
        }
        for (index, row) in rows.iter().enumerate().take(MAX_ROWS) {
            let number = (index + 1).to_string();
            match row {
                Value::Object(fields) if flat(row) => {
                    let words = fields.iter().map(|(name, value)| format!("{name} {}", plain(value)));
                    let words: Vec<String> = words.collect();
                    self.push(depth, &number, Some(words.join(", ")), None);
                }
                row => self.entry(depth, &number, schema, row),
            }
        }
        if rows.len() > MAX_ROWS {
            self.push(depth, &format!("and {} more", rows.len() - MAX_ROWS), None, None);
        }
    }

    /// The schema behind references and options.
    fn resolve(&self, schema: &'a Value, value: &Value) -> &'a Value {
        let mut at = schema;
        for _ in 0..MAX_DEPTH {
            let refers = at
                .get("$ref")
                .and_then(Value::as_str)
                .and_then(|path| path.strip_prefix("#"));
            if let Some(found) = refers.and_then(|path| self.root.pointer(path)) {
                at = found;
                continue;
            }
            // An option is any of a schema and of null.
            let mut any = at.get("anyOf").and_then(Value::as_array).into_iter().flatten();
            let is_null = |schema: &&Value| schema.get("type").and_then(Value::as_str) == Some("null");
            match any.find(|schema| !is_null(schema) || value.is_null()) {
                Some(found) => at = found,
                None => break,
            }
        }
        at
    }

    /// Of an enumeration with values in it, `{"partial": …}`: the schema of the word and what follows it.
    fn variant(&self, schema: &'a Value, fields: &Map<String, Value>) -> Option<&'a Value> {
        let (word, _) = fields.iter().next()?;
        let variants = schema.get("oneOf").and_then(Value::as_array)?;
        variants.iter().find_map(|variant| {
            let variant = self.resolve(variant, &Value::Null);
            variant.get("properties")?.get(word).map(|_| variant)
        })
    }
}

/// The word's own meaning, of an enumeration.
fn own_words(schema: &Value, value: &Value) -> Option<String> {
    let word = value.as_str()?;
    let variants = schema.get("oneOf").and_then(Value::as_array)?;
    let variant = variants
        .iter()
        .find(|variant| variant.get("const").and_then(Value::as_str) == Some(word))?;
    described(variant)
}

/// A schema's description, without the marks of a link.
fn described(schema: &Value) -> Option<String> {
    let text = schema.get("description").and_then(Value::as_str)?;
    let joined = text.split_whitespace().collect::<Vec<_>>().join(" ");
    Some(without_links(&joined))
}

/// `[text](address)` and `` [`text`] `` become their text.
fn without_links(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('[') {
        out.push_str(before);
        let Some((inside, tail)) = after.split_once(']') else {
            out.push('[');
            rest = after;
            continue;
        };
        let address = tail.strip_prefix('(').and_then(|tail| tail.split_once(')'));
        match address {
            Some((_, tail)) => (out.push_str(inside), rest = tail).1,
            None if inside.starts_with('`') => (out.push_str(inside), rest = tail).1,
            None => {
                out.push('[');
                rest = after;
            }
        }
    }
    out.push_str(rest);
    out
}

/// A list of a few words, or of numbers, such as a row of a matrix.
fn is_one_line(rows: &[Value]) -> bool {
    let is_short = |row: &Value| plain(row).chars().count() <= SHORT_WORD;
    rows.iter().all(is_plain) && (rows.len() <= FEW || rows.iter().all(is_short))
}

fn is_plain(value: &Value) -> bool {
    !matches!(value, Value::Object(_) | Value::Array(_))
}

fn plain(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Bool(true) => "yes".to_owned(),
        Value::Bool(false) => "no".to_owned(),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use crate::model::PRESETS;

    fn line<'l>(lines: &'l [Line], name: &str) -> &'l Line {
        lines.iter().find(|line| line.name == name).unwrap()
    }

    #[test]
    fn each_field_has_its_value_and_at_first_its_meaning() {
        let lines = Model::preset("deribit-pm").unwrap().explain();
        let maintenance = line(&lines, "maintenance");
        assert_eq!((maintenance.depth, maintenance.value.as_deref()), (1, Some("0.8")));
        assert!(
            maintenance
                .meaning
                .as_ref()
                .unwrap()
                .starts_with("Factor at the maintenance level")
        );
        let profit: Vec<&Line> = lines.iter().filter(|line| line.name == "profit").collect();
        assert!(
            profit[0]
                .meaning
                .as_ref()
                .unwrap()
                .contains("coin: Coins of the underlying")
        );
        assert_eq!(profit[1].meaning, None, "said once");
        assert!(
            lines
                .iter()
                .any(|line| line.value.as_deref() == Some("move -0.16, volatility up"))
        );
    }

    #[test]
    fn every_number_of_every_preset_is_among_the_lines() {
        fn leaves(value: &Value, out: &mut Vec<String>) {
            match value {
                Value::Object(fields) => fields.values().for_each(|value| leaves(value, out)),
                Value::Array(rows) => rows.iter().take(MAX_ROWS).for_each(|value| leaves(value, out)),
                other => out.push(plain(other)),
            }
        }
        for (name, _) in PRESETS {
            let model = Model::preset(name).unwrap();
            let shown: Vec<String> = model.explain().into_iter().filter_map(|line| line.value).collect();
            let shown = shown.join("\n");
            let mut file = model.rule().file().clone();
            for field in HEAD {
                file.as_object_mut().unwrap().remove(field);
            }
            let mut expected = Vec::new();
            leaves(&file, &mut expected);
            for value in expected {
                assert!(shown.contains(&value), "{name}: {value}");
            }
        }
    }

    #[test]
    fn a_demand_is_explained_with_its_models_and_each_kind_of_limit() {
        let demand = r#"{"model": "demand", "name": "desk", "description": "", "models": ["paradex-pm"],
            "netting": {"partial": [{"between": ["a", "b"], "fraction": "0.5"}]},
            "limits": [{"net_delta": {"underlying": "BTC", "most": "3"}}, {"leverage": {"most": "2.5"}}]}"#;
        let lines = Model::from_json(demand).unwrap().explain();
        assert_eq!(
            line(&lines, "net_delta").meaning.as_deref(),
            Some("Net delta, in coins.")
        );
        assert!(line(&lines, "partial").depth == 1);
        let at = lines
            .iter()
            .position(|line| line.name == "model paradex-pm (scenario-grid)")
            .unwrap();
        let maintenance = line(&lines[at..], "maintenance");
        assert_eq!((maintenance.depth, maintenance.value.as_deref()), (2, Some("0.5")));
    }

    #[test]
    fn links_lose_their_marks_and_intervals_keep_theirs() {
        assert_eq!(
            without_links("see [`A::b`], [the rule](x::y) and [0, 1)"),
            "see `A::b`, the rule and [0, 1)"
        );
    }
}
