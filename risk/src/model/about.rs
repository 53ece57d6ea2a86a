//! What a model says of itself, and the schemas of the files of all kinds.

use std::fmt;

use schemars::Schema;

use crate::model::{Demand, ISOLATED_REQUIREMENT, KINDS, Model, REQUIREMENT, WITHOUT_BALANCES};

/// Makes the schema of a file.
pub type MakeSchema = fn() -> Schema;

/// How near a program is to the exact rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Exactness {
    /// But for rounding, which is bounded by what [the program states](zkmargin_program::Program::rounding_bound).
    Exact,
    /// Against the holder, by what the words say: never in the holder's favour.
    Conservative(String),
}

impl fmt::Display for Exactness {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Exactness::Exact => f.write_str("exact"),
            Exactness::Conservative(words) => write!(f, "conservative: {words}"),
        }
    }
}

impl Model {
    /// The word of its file: `scenario-grid`.
    pub fn kind(&self) -> &str {
        self.says("model")
    }

    /// Whose rule it follows, as its file says.
    pub fn description(&self) -> &str {
        self.says("description")
    }

    /// What the rule it follows has and the file leaves out.
    pub fn left_out(&self) -> Vec<&str> {
        self.lists("left_out")
    }

    /// Which figures are assumed, not taken from that rule.
    pub fn assumed(&self) -> Vec<&str> {
        self.lists("assumed")
    }

    /// Whether its programs are the exact rule but for rounding; of a demand, whether those of all its models are, and its own rules.
    pub fn exactness(&self) -> Exactness {
        let Model::Demand(demand) = self else {
            return self.rule().exactness();
        };
        let of_models = Demand::models(demand)
            .iter()
            .filter_map(|model| match model.exactness() {
                Exactness::Exact => None,
                Exactness::Conservative(words) => Some(format!("{}: {words}", model.name())),
            });
        let words: Vec<String> = of_models.collect();
        if words.is_empty() {
            Exactness::Exact
        } else {
            Exactness::Conservative(words.join("; "))
        }
    }

    /// Whether it is computed from a [history](Model::history) of prices.
    pub fn needs_history(&self) -> bool {
        self.history().is_some()
    }

    /// The rule in words, a paragraph each; nothing where the meanings of the fields say it all.
    pub fn words(&self) -> Vec<String> {
        self.rule().words()
    }

    /// Exponent of the unit of its programs: amounts are written with as many decimals.
    pub fn unit_exponent(&self) -> i32 {
        self.rule().numeraire().unit_exponent()
    }

    fn says(&self, field: &str) -> &str {
        let found = self.rule().file().get(field);
        found.and_then(serde_json::Value::as_str).unwrap_or_default()
    }

    fn lists(&self, field: &str) -> Vec<&str> {
        let found = self.rule().file().get(field).and_then(serde_json::Value::as_array);
        found
            .into_iter()
            .flatten()
            .filter_map(serde_json::Value::as_str)
            .collect()
    }
}

/// The names of a list, for a message.
pub(crate) fn names<T>(list: &[(&str, T)]) -> String {
    list.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(", ")
}

/// The schema of the file of a kind of model.
pub fn schema_of_kind(kind: &str) -> Option<Schema> {
    KINDS
        .iter()
        .find(|(known, _)| *known == kind)
        .map(|(_, schema)| schema())
}

/// Whether a requirement of a program is one of margin, by its name: it counts in the numéraire, times the denominator of the
/// ratio. The limits of a demand have names of their own, and units.
pub fn is_margin(requirement: &str) -> bool {
    requirement.starts_with(REQUIREMENT)
}

/// Whether a requirement of a program is that of an isolated position, by its name: it is of its own lines, and without a least excess.
pub fn is_isolated(requirement: &str) -> bool {
    requirement.starts_with(ISOLATED_REQUIREMENT)
}

/// Whether a requirement of a program is one of margin without the balances at a venue, by its name.
pub fn is_without_balances(requirement: &str) -> bool {
    is_margin(requirement) && requirement.contains(WITHOUT_BALANCES)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use crate::model::PRESETS;

    #[test]
    fn every_preset_has_a_schema_and_says_what_it_is() {
        for (name, _) in PRESETS {
            let model = Model::preset(name).unwrap();
            assert_eq!(model.name(), name, "a preset is asked for by its model's name");
            let schema = schema_of_kind(model.kind());
            assert!(schema.is_some(), "{name}: no schema of {}", model.kind());
            assert!(!model.description().is_empty(), "{name}");
        }
    }

    #[test]
    fn each_kind_stands_once_and_its_schema_takes_its_word() {
        for (kind, schema) in KINDS {
            let schema = serde_json::to_string(&schema()).unwrap();
            assert!(schema.contains(&format!("\"{kind}\"")), "{kind}");
            assert_eq!(KINDS.iter().filter(|(other, _)| other == kind).count(), 1);
        }
    }
}
