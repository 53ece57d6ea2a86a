//! Margin models: a parameter file becomes a rule, and a rule becomes a [`Program`].
//!
//! A model says what a book is worth and what it must be worth: `V`, and `R >= 0`. Compiling is deterministic and
//! public: whoever has universe, snapshot, model and terms gets the same program.

pub(crate) mod factor;
#[cfg(test)]
pub(crate) mod fixture;
pub mod scenario_grid;

use serde::Deserialize;
use zkmargin_program::Program;

use crate::canonical::Digest;
use crate::json;
use crate::market::Snapshot;
use crate::terms::Terms;
use crate::universe::Universe;

pub use crate::model::scenario_grid::{CompileError, ScenarioGrid};

/// The models that come with the tool, by name: the text of each file.
pub const PRESETS: [(&str, &str); 2] = [
    ("paradex-pm", include_str!("../../presets/paradex-pm.json")),
    ("deribit-pm", include_str!("../../presets/deribit-pm.json")),
];

/// A checked margin model.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Model {
    /// Worst row of a price × volatility grid.
    ScenarioGrid(Box<ScenarioGrid>),
}

/// Why a text is not a model. `field` is the path in the file.
#[derive(Debug, thiserror::Error)]
pub enum ModelError {
    /// Not JSON of the format, an unknown field or kind of model among it; the message has line and column.
    #[error("model: {0}")]
    Json(#[from] serde_json::Error),
    /// A file larger than is read.
    #[error("model: {bytes} bytes, at most {} are read", json::MAX_BYTES)]
    Size {
        /// Its size.
        bytes: usize,
    },
    /// No preset of this name.
    #[error("there is no preset `{0}`; there are paradex-pm and deribit-pm")]
    Preset(String),
    /// A kind of model that this version does not know.
    #[error("model: `{0}` is not a kind of model; there is scenario-grid")]
    Kind(String),
    /// A number or text out of its bounds.
    #[error("model: {field} is {value}, expected {bound}")]
    Value {
        /// Which field.
        field: String,
        /// Its value.
        value: String,
        /// The bound, in words.
        bound: &'static str,
    },
    /// A count out of its bounds: an empty grid, too many rows, a group of one.
    #[error("model: {field} has {count} {what}, expected {bound}")]
    Count {
        /// Which field.
        field: String,
        /// How many.
        count: usize,
        /// Of what.
        what: &'static str,
        /// The bound, in words.
        bound: String,
    },
    /// A name that is used but not defined in the file.
    #[error("model: {field} names `{name}`, which is not among the {among} of the file")]
    Unknown {
        /// Which field.
        field: String,
        /// The name.
        name: String,
        /// Grids, underlyings, assets.
        among: &'static str,
    },
    /// An underlying that is in two groups, or twice in one.
    #[error("model: {field} names `{name}`, which is in a group already")]
    Duplicate {
        /// Which field.
        field: String,
        /// The name.
        name: String,
    },
}

#[derive(Deserialize)]
struct Head {
    model: String,
}

impl Model {
    /// Reads and checks a model's JSON file.
    ///
    /// # Errors
    /// [`ModelError`].
    pub fn from_json(text: &str) -> Result<Model, ModelError> {
        if text.len() > json::MAX_BYTES {
            return Err(ModelError::Size { bytes: text.len() });
        }
        match serde_json::from_str::<Head>(text)?.model.as_str() {
            "scenario-grid" => Ok(Model::ScenarioGrid(Box::new(ScenarioGrid::new(serde_json::from_str(
                text,
            )?)?))),
            other => Err(ModelError::Kind(other.chars().take(64).collect())),
        }
    }

    /// One of [`PRESETS`].
    ///
    /// # Errors
    /// [`ModelError::Preset`].
    pub fn preset(name: &str) -> Result<Model, ModelError> {
        let found = PRESETS.iter().find(|(preset, _)| *preset == name);
        let (_, text) = found.ok_or_else(|| ModelError::Preset(name.chars().take(64).collect()))?;
        Model::from_json(text)
    }

    /// The model's name.
    pub fn name(&self) -> &str {
        match self {
            Model::ScenarioGrid(model) => &model.parameters().name,
        }
    }

    /// What value and requirement are counted in: `USD`, or an asset.
    pub fn numeraire(&self) -> &str {
        match self {
            Model::ScenarioGrid(model) => &model.parameters().numeraire,
        }
    }

    /// The digest by which statements and policies name this model.
    pub fn digest(&self) -> Digest {
        match self {
            Model::ScenarioGrid(model) => model.digest(),
        }
    }

    /// The program whose feasibility for an account is "`V - ρ R - e >= 0`".
    ///
    /// # Errors
    /// [`CompileError`].
    pub fn compile(&self, universe: &Universe, snapshot: &Snapshot, terms: &Terms) -> Result<Program, CompileError> {
        match self {
            Model::ScenarioGrid(model) => model.compile(universe, snapshot, terms),
        }
    }
}
