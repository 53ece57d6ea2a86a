//! Margin models: a parameter file becomes a rule, and a rule becomes a [`Program`].
//!
//! A model says what a book is worth and what it must be worth: `V`, and `R >= 0`. Compiling is deterministic and
//! public: whoever has universe, snapshot, model and terms gets the same program.
//!
//! # Adding a model
//! A model is its file (`parameters`, with the rule in words), its `Rule` here, and an [oracle](crate::oracle) written from
//! those words alone. `registry` lists every kind and every preset.

pub mod about;
pub mod addons;
pub mod assets;
pub mod binance_pm;
mod check;
mod compile;
pub mod correlation;
mod coverage;
pub mod delta_gamma_vega;
pub mod demand;
pub mod derive;
pub mod derive_standard;
pub mod explain;
pub(crate) mod factor;
#[cfg(test)]
pub(crate) mod fixture;
pub mod historical;
pub mod linear;
pub(crate) mod matched;
pub mod okx_pm;
mod registry;
mod scan;
pub mod scenario_grid;
mod sheet;
pub mod short_option;
pub mod simm;
pub mod span;
pub mod stress;
pub mod tiers;
pub mod tims;
pub mod variation;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde::Deserialize;
use zkmargin_program::{Builder, LegId, Program};

use crate::canonical::{Digest, Personal, Writer, digest};
use crate::history::{History, WindowError};
use crate::json;
use crate::market::Snapshot;
use crate::model::assets::AssetRules;
use crate::terms::{Level, Margin, Terms};
use crate::universe::{Kind, Line, Sensitivity, Universe, Venue};
use crate::valuation::Denomination;

pub use crate::model::about::Exactness;
pub use crate::model::binance_pm::BinancePm;
pub use crate::model::compile::{
    COIN_UNIT_EXPONENT, CompileError, ISOLATED_REQUIREMENT, REQUIREMENT, USD_UNIT_EXPONENT, VALUE_BITS,
    WITHOUT_BALANCES,
};
pub(crate) use crate::model::compile::{Forms, Numeraire, beginning};
pub use crate::model::coverage::{Uncounted, Why};
pub use crate::model::delta_gamma_vega::DeltaGammaVega;
pub use crate::model::demand::Demand;
pub use crate::model::derive::{Pm2, Pmrm1};
pub use crate::model::derive_standard::DeriveStandard;
pub use crate::model::historical::Historical;
pub use crate::model::linear::LinearMargin;
pub use crate::model::okx_pm::OkxPm;
pub use crate::model::registry::{KINDS, Model, PRESETS};
pub use crate::model::scenario_grid::ScenarioGrid;
pub use crate::model::simm::Simm;
pub use crate::model::span::Span;
pub use crate::model::tims::Tims;

/// Bytes of the names of an instrument and a venue in the name of a requirement.
const NAME_ROOM: usize = 32;

/// Version of the canonical form of a model.
const FORMAT: u64 = 2;

/// What a model is applied to.
#[derive(Clone)]
pub(crate) struct Scope<'a> {
    pub(crate) universe: &'a Universe,
    pub(crate) snapshot: &'a Snapshot,
    /// Only these venues, by their place in the universe; all of them if there is none.
    pub(crate) only: Option<BTreeSet<usize>>,
    /// One isolated position, of one venue, whose lines alone are in it; cross margin if there is none.
    pub(crate) position: Option<Position<'a>>,
}

/// An isolated position that can be held.
#[derive(Clone)]
pub(crate) struct Position<'a> {
    /// The name of its instrument.
    pub(crate) name: &'a str,
    /// Its instrument, and the assets that are isolated in it.
    pub(crate) lines: Vec<&'a Line>,
}

impl<'a> Scope<'a> {
    /// All venues.
    pub(crate) fn new(universe: &'a Universe, snapshot: &'a Snapshot) -> Scope<'a> {
        Scope {
            universe,
            snapshot,
            only: None,
            position: None,
        }
    }

    /// The same, of these venues alone.
    pub(crate) fn of(&self, venues: impl IntoIterator<Item = usize>) -> Scope<'a> {
        let venues = venues.into_iter().filter(|index| self.has(*index));
        Scope {
            only: Some(venues.collect()),
            position: self.position.clone(),
            ..*self
        }
    }

    /// Whether the venue of this place is in it.
    pub(crate) fn has(&self, index: usize) -> bool {
        self.only.as_ref().is_none_or(|only| only.contains(&index))
    }

    /// Each isolated position that can be held at its venues, in the order of these and of their names.
    pub(crate) fn positions(&self) -> Vec<Scope<'a>> {
        let venues = self.universe.venues().iter().enumerate();
        let of_venue = |(index, venue): (usize, &'a Venue)| {
            let scope = self.of([index]);
            venue.isolated().into_iter().map(move |(name, lines)| Scope {
                position: Some(Position { name, lines }),
                ..scope.clone()
            })
        };
        venues
            .filter(|(index, _)| self.has(*index))
            .flat_map(of_venue)
            .collect()
    }

    /// What a requirement of its isolated position is called where it is not met, `name` being that of cross margin.
    pub(crate) fn requirement(&self, name: &str) -> String {
        let venue = self.venues().next().map_or("", |venue| &venue.name);
        let position = self.position.as_ref().map_or("", |position| position.name);
        let by = name.strip_prefix(REQUIREMENT).unwrap_or_default();
        format!(
            "{ISOLATED_REQUIREMENT}{} at {}{by}",
            beginning(position, NAME_ROOM),
            beginning(venue, NAME_ROOM)
        )
    }

    /// The venues, in the order of the universe.
    pub(crate) fn venues(&self) -> impl Iterator<Item = &'a Venue> + '_ {
        let venues = self.universe.venues().iter().enumerate();
        venues.filter(|(index, _)| self.has(*index)).map(|(_, venue)| venue)
    }
}

/// What a model names of a market: anything else does not count, and is proven empty.
#[derive(Clone, Debug, Default)]
pub(crate) struct Names<'m> {
    /// The assets, and the underlying that each moves with.
    pub(crate) assets: BTreeMap<&'m str, Option<&'m str>>,
    /// The underlyings, and what their profit is counted in.
    pub(crate) underlyings: BTreeMap<&'m str, Denomination>,
    /// The sensitivities; none if there is none.
    pub(crate) sensitivities: Option<&'m dyn Sensitivities>,
    /// Whether isolated positions count, each by itself.
    pub(crate) isolated: bool,
}

impl<'m> Names<'m> {
    /// Assets, and underlyings with profit in USD.
    pub(crate) fn in_usd(
        assets: BTreeMap<&'m str, Option<&'m str>>,
        underlyings: impl IntoIterator<Item = &'m String>,
    ) -> Names<'m> {
        Names {
            assets,
            underlyings: underlyings
                .into_iter()
                .map(|name| (name.as_str(), Denomination::Usd))
                .collect(),
            sensitivities: None,
            isolated: false,
        }
    }
}

/// Which sensitivities a model knows. It is looked up in the parameters, and so has one definition for program and oracle.
pub(crate) trait Sensitivities: std::fmt::Debug + Sync {
    /// Whether a sensitivity of a product class counts.
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

    /// How assets count as [cash](variation#cash).
    fn cash(&self) -> AssetRules;

    /// What it needs beside its file and was not given, in words.
    fn missing(&self) -> Option<String> {
        None
    }

    /// The checked parameters, as their file says them.
    fn file(&self) -> &serde_json::Value;

    /// `V` and `R` at a level, of the accounts in a scope. What does not count is proven empty by the caller.
    fn forms(&self, builder: &mut Builder, scope: &Scope<'_>, level: Level) -> Result<Forms, CompileError>;

    /// Whether it margins instruments of a kind.
    fn margins(&self, _kind: &Kind) -> bool {
        true
    }

    /// The legs of a scope that are proven empty, in increasing order, and the lines that do not count.
    fn uncounted(&self, scope: &Scope<'_>) -> (Vec<LegId>, Vec<Uncounted>) {
        let mut coverage = coverage::Coverage::of(&self.names(), scope);
        coverage.leave_out(|kind| self.margins(kind), scope.universe);
        (coverage.empty, coverage.uncounted)
    }

    /// The legs of assets of a scope that are proven empty.
    fn uncounted_assets(&self, scope: &Scope<'_>) -> Vec<LegId> {
        let empty = self.uncounted(scope).0;
        let assets = scope.venues().flat_map(Venue::assets);
        let assets = assets.flat_map(|asset| asset.all_but_balance());
        assets.filter(|leg| empty.binary_search(leg).is_ok()).collect()
    }

    /// Whether its programs are the exact rule but for rounding.
    fn exactness(&self) -> Exactness {
        Exactness::Exact
    }

    /// The rule in words, a paragraph each.
    fn words(&self) -> Vec<String> {
        Vec::new()
    }

    /// Everything that terms require of the accounts in a scope.
    fn require(
        &self,
        builder: &mut Builder,
        scope: &Scope<'_>,
        level: Level,
        terms: &Terms,
    ) -> Result<(), CompileError> {
        let forms = self.forms(builder, scope, level)?;
        self.numeraire().require(builder, REQUIREMENT, terms, forms)?;
        self.require_isolated(builder, scope, level, terms, REQUIREMENT)
    }

    /// That each isolated position meets the model by itself, if it margins them: `V - ρ R >= 0` of its own lines.
    fn require_isolated(
        &self,
        builder: &mut Builder,
        scope: &Scope<'_>,
        level: Level,
        terms: &Terms,
        name: &str,
    ) -> Result<(), CompileError> {
        let names = self.names();
        if !names.isolated {
            return Ok(());
        }
        let terms = Terms {
            excess: 0,
            ..terms.clone()
        };
        for position in scope.positions() {
            // Of which nothing counts, there is nothing to require: it is proven empty.
            if coverage::Coverage::of(&names, &position).holdings.is_empty() {
                continue;
            }
            let forms = self.forms(builder, &position, level)?;
            let name = position.requirement(name);
            self.numeraire().require(builder, &name, &terms, forms)?;
        }
        Ok(())
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
    #[error("there is no preset `{0}`; there are {among}", among = registry::presets())]
    Preset(String),
    /// A kind of model that this version does not know.
    #[error("model: `{0}` is not a kind of model; there are {among}", among = registry::kinds())]
    Kind(String),
    /// A model of a demand; lines and columns are counted in it.
    #[error("models[{index}]: {error}")]
    Within {
        /// Its place, from 0.
        index: usize,
        /// What is wrong with it.
        error: Box<ModelError>,
    },
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
    /// A correlation matrix that is none.
    #[error("model: {field} is not positive semi-definite, so no correlation matrix")]
    NotSemiDefinite {
        /// Which field.
        field: String,
    },
    /// A price history for a model that needs none.
    #[error("{model} needs no price history")]
    NoHistory {
        /// The model's name.
        model: String,
    },
    /// Another price history than the file names.
    #[error("the model needs the price history {expected}, this is {found}")]
    OtherHistory {
        /// The digest of the one that was given.
        found: Digest,
        /// The digest in the file.
        expected: Digest,
    },
    /// The price history does not have a window of the file.
    #[error("model: {field}: {source}")]
    Window {
        /// Which field.
        field: &'static str,
        /// Why not.
        source: WindowError,
    },
    /// The price history does not have an underlying of the file.
    #[error("model: {field} moves as `{series}`, which the price history does not have; it has {known}")]
    Series {
        /// Which field.
        field: String,
        /// The underlying of the history that is missing.
        series: String,
        /// Those that it has.
        known: String,
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
        let model = Model::of_kind(&json::from_str::<Head>(text)?.model, text)?;
        check::spelling(model.rule().file())?;
        Ok(model)
    }

    /// Reads and checks the model of a [case](crate::case): as any other, but for what only a statement relies on.
    ///
    /// # Errors
    /// [`ModelError`].
    pub(crate) fn of_case(text: &str) -> Result<Model, ModelError> {
        match json::from_str::<Head>(text)?.model.as_str() {
            "derive-pm2" => Ok(Pm2::of_case(json::from_str(text)?)?.into()),
            kind => Model::of_kind(kind, text),
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

    /// The digest of the price history that the model is computed from, if there is one.
    pub fn history(&self) -> Option<Digest> {
        match self {
            Model::Historical(model) => Some(model.parameters().history),
            Model::Demand(demand) => demand.models().iter().find_map(Model::history),
            _ => None,
        }
    }

    /// The model with the price history that it [needs](Self::history).
    ///
    /// # Errors
    /// [`ModelError`]: a model that needs none; another history; one without an underlying or a window of the file.
    pub fn with_history(self, history: impl Into<Arc<History>>) -> Result<Model, ModelError> {
        let history = history.into();
        match self {
            Model::Historical(model) => Ok(Model::Historical(Box::new(model.with_history(&history)?))),
            Model::Demand(demand) if demand.models().iter().any(|model| model.history().is_some()) => {
                Ok(Model::Demand(Box::new(demand.with_history(&history)?)))
            }
            other => Err(ModelError::NoHistory {
                model: other.name().to_owned(),
            }),
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
        self.rule().uncounted(&Scope::new(universe, snapshot)).1
    }

    /// The program whose feasibility for an account is "`V - ρ R - e >= 0`".
    ///
    /// # Errors
    /// [`CompileError`].
    pub fn compile(&self, universe: &Universe, snapshot: &Snapshot, terms: &Terms) -> Result<Program, CompileError> {
        self.compile_on(universe, &[snapshot], terms)
    }

    /// The same on as many snapshots as [`Margin::snapshots`] says, the one of the book first.
    ///
    /// # Errors
    /// [`CompileError`].
    pub fn compile_on(
        &self,
        universe: &Universe,
        snapshots: &[&Snapshot],
        terms: &Terms,
    ) -> Result<Program, CompileError> {
        let (level, snapshot) = match (terms.margin, snapshots) {
            (Margin::Level(level), [snapshot]) => (level, *snapshot),
            (Margin::Variation, [before, after]) => return self.compile_variation(universe, [before, after], terms),
            (margin, snapshots) => {
                return Err(CompileError::Snapshots {
                    margin,
                    found: snapshots.len(),
                });
            }
        };
        snapshot.check()?;
        self.compile_level(universe, snapshot, level, terms)
    }

    /// The program at a level on a snapshot that was checked.
    pub(crate) fn compile_level(
        &self,
        universe: &Universe,
        snapshot: &Snapshot,
        level: Level,
        terms: &Terms,
    ) -> Result<Program, CompileError> {
        let (rule, scope) = (self.rule(), Scope::new(universe, snapshot));
        let numeraire = rule.numeraire();
        let mut builder = Builder::new(universe.layout().clone(), numeraire.header())?;
        for (pair, public) in terms.touched_pairs(universe)? {
            builder.net(pair, public)?;
        }
        builder.prove_empty(&rule.uncounted(&scope).0)?;
        rule.require(&mut builder, &scope, level, terms)?;
        Ok(builder.finish()?)
    }
}
