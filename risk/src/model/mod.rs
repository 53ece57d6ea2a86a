//! Margin models: a parameter file becomes a rule, and a rule becomes a [`Program`].
//!
//! A model says what a book is worth and what it must be worth: `V`, and `R >= 0`. Compiling is deterministic and
//! public: whoever has universe, snapshot, model and terms gets the same program.

//!
//! # Adding a model
//! A model is its file (`parameters`, with the rule in words), its [`Rule`] here, and an [oracle](crate::oracle) written from
//! those words alone. [`Model`] knows every kind.

pub mod assets;
mod compile;
pub mod correlation;
mod coverage;
pub mod delta_gamma_vega;
pub(crate) mod factor;
#[cfg(test)]
pub(crate) mod fixture;
pub mod scenario_grid;
#[allow(dead_code)]
mod sheet;
pub mod simm;

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;
use zkmargin_program::{Builder, Program};

use crate::canonical::{Digest, Personal, Writer, digest};
use crate::json;
use crate::market::Snapshot;
use crate::terms::{Level, Terms};
use crate::universe::{Sensitivity, Universe, Venue};
use crate::valuation::Denomination;

pub use crate::model::compile::{COIN_UNIT_EXPONENT, CompileError, REQUIREMENT, USD_UNIT_EXPONENT, VALUE_BITS};
pub(crate) use crate::model::compile::{Forms, Numeraire};
pub use crate::model::coverage::{Uncounted, Why};
pub use crate::model::delta_gamma_vega::DeltaGammaVega;
pub use crate::model::scenario_grid::ScenarioGrid;
pub use crate::model::simm::Simm;

/// Version of the canonical form of a model.
const FORMAT: u64 = 2;

/// What a model is applied to.
#[derive(Copy, Clone)]
pub(crate) struct Scope<'a> {
    pub(crate) universe: &'a Universe,
    pub(crate) snapshot: &'a Snapshot,
    /// Only these venues, by their place in the universe; all of them if there is none.
    pub(crate) only: Option<&'a BTreeSet<usize>>,
}

impl<'a> Scope<'a> {
    /// All venues.
    pub(crate) fn new(universe: &'a Universe, snapshot: &'a Snapshot) -> Scope<'a> {
        Scope {
            universe,
            snapshot,
            only: None,
        }
    }

    /// The venues, in the order of the universe.
    pub(crate) fn venues(&self) -> impl Iterator<Item = &'a Venue> {
        let only = self.only;
        let venues = self.universe.venues().iter().enumerate();
        venues
            .filter(move |(index, _)| only.is_none_or(|only| only.contains(index)))
            .map(|(_, venue)| venue)
    }
}

/// What a model names of a market: anything else does not count, and is proven empty.
#[derive(Clone, Debug, Default)]
pub(crate) struct Names<'m> {
    /// The assets, and the underlying that each moves with.
    pub(crate) assets: BTreeMap<&'m str, Option<&'m str>>,
    /// The underlyings, and what their profit is counted in.
    pub(crate) underlyings: BTreeMap<&'m str, Denomination>,
    /// Which sensitivities count, in a model that counts any.
    pub(crate) sensitivities: Option<&'m dyn Sensitivities>,
}

/// Which sensitivities a model knows. It is looked up in the parameters, and so has one definition for program and oracle.
pub(crate) trait Sensitivities: std::fmt::Debug + Sync {
    /// Whether the risk factor, margined in a product class, is one of the model's.
    fn counts(&self, product: &str, sensitivity: &Sensitivity) -> bool;
}

/// What a margin model says, as a program needs it.
pub(crate) trait Rule {
    /// The model's name.
    fn name(&self) -> &str;

    /// What value and requirement are counted in.
    fn numeraire(&self) -> Numeraire;

    /// What counts.
    fn names(&self) -> Names<'_>;

    /// The checked parameters, as their file says them.
    fn file(&self) -> &serde_json::Value;

    /// `V` and `R` at a level, of the accounts in a scope. What does not count is proven empty by the caller.
    fn forms(&self, builder: &mut Builder, scope: &Scope<'_>, level: Level) -> Result<Forms, CompileError>;
}

/// The models that come with the tool, by name: the text of each file.
pub const PRESETS: [(&str, &str); 5] = [
    ("paradex-pm", include_str!("../../presets/paradex-pm.json")),
    ("deribit-pm", include_str!("../../presets/deribit-pm.json")),
    ("simm-2.5", include_str!("../../presets/simm-2.5.json")),
    ("simm-2.5-1d", include_str!("../../presets/simm-2.5-1d.json")),
    ("delta-gamma-vega", include_str!("../../presets/delta-gamma-vega.json")),
];

/// A checked margin model.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Model {
    /// Worst row of a price × volatility grid.
    ScenarioGrid(Box<ScenarioGrid>),
    /// ISDA SIMM.
    Simm(Box<Simm>),
    /// Parametric value at risk on greeks.
    DeltaGammaVega(Box<DeltaGammaVega>),
}

impl From<ScenarioGrid> for Model {
    fn from(model: ScenarioGrid) -> Model {
        Model::ScenarioGrid(Box::new(model))
    }
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
    #[error("there is no preset `{0}`; there are paradex-pm, deribit-pm, simm-2.5, simm-2.5-1d and delta-gamma-vega")]
    Preset(String),
    /// A kind of model that this version does not know.
    #[error("model: `{0}` is not a kind of model; there are scenario-grid, simm and delta-gamma-vega")]
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
    /// A correlation matrix that is none: some portfolio would have a negative variance.
    #[error("model: {field} is not positive semi-definite, so no correlation matrix")]
    NotSemiDefinite {
        /// Which field.
        field: String,
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
            "simm" => Ok(Model::Simm(Box::new(Simm::new(serde_json::from_str(text)?)?))),
            "delta-gamma-vega" => Ok(Model::DeltaGammaVega(Box::new(DeltaGammaVega::new(
                serde_json::from_str(text)?,
            )?))),
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

    fn rule(&self) -> &dyn Rule {
        match self {
            Model::ScenarioGrid(model) => model.as_ref(),
            Model::Simm(model) => model.as_ref(),
            Model::DeltaGammaVega(model) => model.as_ref(),
        }
    }

    /// The model's name.
    pub fn name(&self) -> &str {
        self.rule().name()
    }

    /// What value and requirement are counted in: `USD`, or an asset.
    pub fn numeraire(&self) -> String {
        self.rule().numeraire().name
    }

    /// What of a market counts under this model.
    pub(crate) fn names(&self) -> Names<'_> {
        self.rule().names()
    }

    /// The file's JSON text.
    ///
    /// # Errors
    /// [`ModelError::Json`], which does not happen.
    pub fn to_json(&self) -> Result<String, ModelError> {
        Ok(json::to_text(self.rule().file(), 3)?)
    }

    /// The canonical bytes (protocol §7): `[2, file]`, where `file` is what the file says, in [canonical
    /// form](Writer::json).
    pub fn canonical(&self) -> Vec<u8> {
        let mut w = Writer::new();
        w.array(2);
        w.uint(FORMAT);
        w.json(self.rule().file());
        w.into_bytes()
    }

    /// The digest by which statements and policies name this model.
    pub fn digest(&self) -> Digest {
        digest(Personal::Model, &self.canonical())
    }

    /// The lines of a universe that do not count under this model and a snapshot: instruments first, then assets.
    pub fn uncounted(&self, universe: &Universe, snapshot: &Snapshot) -> Vec<Uncounted> {
        coverage::Coverage::of(&self.names(), &Scope::new(universe, snapshot)).uncounted
    }

    /// The program whose feasibility for an account is "`V - ρ R - e >= 0`".
    ///
    /// # Errors
    /// [`CompileError`].
    pub fn compile(&self, universe: &Universe, snapshot: &Snapshot, terms: &Terms) -> Result<Program, CompileError> {
        snapshot.check()?;
        let (rule, scope) = (self.rule(), Scope::new(universe, snapshot));
        let numeraire = rule.numeraire();
        let mut builder = Builder::new(universe.layout().clone(), numeraire.header())?;
        for pair in terms.touched_pairs(universe)? {
            builder.net(pair)?;
        }
        let coverage = coverage::Coverage::of(&rule.names(), &scope);
        builder.prove_empty(&coverage.empty)?;
        let forms = rule.forms(&mut builder, &scope, terms.level)?;
        numeraire.require(&mut builder, REQUIREMENT, terms, forms)?;
        Ok(builder.finish()?)
    }
}
