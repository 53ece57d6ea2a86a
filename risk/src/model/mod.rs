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
mod coverage;
pub mod derive_standard;
pub(crate) mod factor;
#[cfg(test)]
pub(crate) mod fixture;
pub mod linear;
mod range;
pub mod scenario_grid;
#[allow(dead_code)]
mod sheet;
pub mod short_option;
pub mod tiers;

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;
use zkmargin_program::{Builder, Program};

use crate::canonical::{Digest, Personal, Writer, digest};
use crate::json;
use crate::market::Snapshot;
use crate::terms::{Level, Terms};
use crate::universe::{Universe, Venue};
use crate::valuation::Denomination;

pub use crate::model::compile::{COIN_UNIT_EXPONENT, CompileError, REQUIREMENT, USD_UNIT_EXPONENT, VALUE_BITS};
pub(crate) use crate::model::compile::{Forms, Numeraire};
pub use crate::model::coverage::{Uncounted, Why};
pub use crate::model::derive_standard::DeriveStandard;
pub use crate::model::linear::LinearMargin;
pub use crate::model::scenario_grid::ScenarioGrid;

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
pub const PRESETS: [(&str, &str); 7] = [
    ("paradex-pm", include_str!("../../presets/paradex-pm.json")),
    ("deribit-pm", include_str!("../../presets/deribit-pm.json")),
    ("derive-standard", include_str!("../../presets/derive-standard.json")),
    ("deribit-standard", include_str!("../../presets/deribit-standard.json")),
    ("binance-usdm", include_str!("../../presets/binance-usdm.json")),
    ("hyperliquid", include_str!("../../presets/hyperliquid.json")),
    ("dydx", include_str!("../../presets/dydx.json")),
];

/// A checked margin model.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Model {
    /// Worst row of a price × volatility grid.
    ScenarioGrid(Box<ScenarioGrid>),
    /// Isolated margin or max loss of each expiry.
    DeriveStandard(Box<DeriveStandard>),
    /// Futures and perpetuals by tiers; short options each by itself.
    Linear(Box<LinearMargin>),
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
    #[error("there is no preset `{0}`; there are {among}", among = preset_names())]
    Preset(String),
    /// A kind of model that this version does not know.
    #[error("model: `{0}` is not a kind of model")]
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

fn preset_names() -> String {
    PRESETS.map(|(name, _)| name).join(", ")
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
            "derive-standard" => Ok(Model::DeriveStandard(Box::new(DeriveStandard::new(
                serde_json::from_str(text)?,
            )?))),
            "linear" | "deribit-standard" => {
                Ok(Model::Linear(Box::new(LinearMargin::new(serde_json::from_str(text)?)?)))
            }
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
            Model::DeriveStandard(model) => model.as_ref(),
            Model::Linear(model) => model.as_ref(),
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
