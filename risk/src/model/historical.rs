//! Historical simulation: what the moves of past days would cost today.
//!
//! What the rule is, is written with its [`parameters`]; here it becomes a [`Program`](zkmargin_program::Program). The file names a
//! [history](crate::history) by its digest; [`Historical::with_history`] attaches it.

mod check;
mod compile;
pub mod parameters;
pub(crate) mod scenarios;

use std::collections::BTreeSet;
use std::sync::Arc;

use rust_decimal::Decimal;
use rust_decimal::prelude::ToPrimitive;
use zkmargin_program::{Builder, LegId};

use crate::history::History;
use crate::model::assets::{AssetRules, moves_with, numeraire};
use crate::model::compile::{CompileError, Forms, Numeraire};
use crate::model::coverage::{Coverage, Uncounted, Why};
use crate::model::{ModelError, Names, Rule, Scope};
use crate::terms::Level;
use crate::universe::{Instrument, Kind, Venue};

pub use parameters::Parameters;

use parameters::{LevelParameters, Measure};
use scenarios::Scenarios;

/// Most scenarios of all windows together.
pub const MAX_SCENARIOS: usize = 5_000;

/// A checked historical simulation, with or without its history.
#[derive(Clone, Debug, PartialEq)]
pub struct Historical {
    parameters: Parameters,
    file: serde_json::Value,
    attached: Option<Arc<Scenarios>>,
}

impl Eq for Historical {}

impl Historical {
    /// Checks every number and name of the parameters.
    ///
    /// # Errors
    /// [`ModelError`] naming the field, its value and the bound.
    pub fn new(parameters: Parameters) -> Result<Historical, ModelError> {
        check::check(&parameters)?;
        let file = serde_json::to_value(&parameters)?;
        Ok(Historical {
            parameters,
            file,
            attached: None,
        })
    }

    /// The parameters.
    pub fn parameters(&self) -> &Parameters {
        &self.parameters
    }

    /// Attaches the history that the file names.
    ///
    /// # Errors
    /// [`ModelError`]: another history, one without an underlying of the file, or one that does not have a window.
    pub fn with_history(self, history: &History) -> Result<Historical, ModelError> {
        let (found, expected) = (history.digest(), self.parameters.history);
        if found != expected {
            return Err(ModelError::OtherHistory { found, expected });
        }
        let attached = Some(Arc::new(Scenarios::new(&self.parameters, history)?));
        Ok(Historical { attached, ..self })
    }

    /// The scenarios of the attached history.
    ///
    /// # Errors
    /// What is missing, in words, if none is attached.
    pub(crate) fn scenarios(&self) -> Result<&Scenarios, String> {
        let missing = || format!("the price history {}, and was given none", self.parameters.history);
        self.attached.as_deref().ok_or_else(missing)
    }

    /// The figures of a level.
    pub(crate) const fn level(&self, level: Level) -> &LevelParameters {
        match level {
            Level::Initial => &self.parameters.levels.initial,
            Level::Maintenance => &self.parameters.levels.maintenance,
        }
    }

    /// Whether options do not count on what an instrument is on.
    fn is_refused(&self, instrument: &Instrument) -> bool {
        let without = |scenarios: &Scenarios| scenarios.without_options.contains(&instrument.underlying);
        matches!(instrument.kind, Kind::Option { .. }) && self.attached.as_deref().is_some_and(without)
    }
}

/// The rank of a measure at a confidence, among `n` losses: which is the value at risk, or of how many the shortfall is the mean.
pub(super) fn rank(measure: Measure, confidence: Decimal, n: usize) -> usize {
    let beyond = (Decimal::ONE - confidence) * Decimal::from(n);
    let whole = |number: Decimal| number.to_usize().unwrap_or(n);
    match measure {
        Measure::ValueAtRisk => whole(beyond.floor()) + 1,
        Measure::ExpectedShortfall => whole(beyond.ceil()).max(1),
    }
}

impl Rule for Historical {
    fn name(&self) -> &str {
        &self.parameters.name
    }

    fn numeraire(&self) -> Numeraire {
        numeraire(&self.parameters.numeraire, &self.parameters.assets)
    }

    fn names(&self) -> Names<'_> {
        Names::in_usd(moves_with(&self.parameters.assets), self.parameters.underlyings.keys())
    }

    fn cash(&self) -> AssetRules {
        self.parameters.assets.clone()
    }

    fn missing(&self) -> Option<String> {
        self.scenarios().err()
    }

    fn file(&self) -> &serde_json::Value {
        &self.file
    }

    fn forms(&self, builder: &mut Builder, scope: &Scope<'_>, level: Level) -> Result<Forms, CompileError> {
        self.compile(builder, scope, level)
    }

    fn uncounted(&self, scope: &Scope<'_>) -> (Vec<LegId>, Vec<Uncounted>) {
        let Coverage {
            instruments,
            mut empty,
            mut uncounted,
            ..
        } = Coverage::of(&self.names(), scope);
        let refused: BTreeSet<LegId> = instruments
            .into_values()
            .flatten()
            .filter(|instrument| self.is_refused(instrument))
            .flat_map(|instrument| [instrument.long, instrument.short])
            .collect();
        empty.extend(&refused);
        empty.sort_unstable();
        let listed = scope
            .venues()
            .flat_map(|venue| venue.instruments().map(move |instrument| (venue, instrument)));
        let line = |(venue, instrument): (&Venue, &Instrument)| Uncounted {
            venue: venue.name.clone(),
            line: instrument.name.clone(),
            why: Why::NoVolatilityIndex,
        };
        // Instruments first, then assets.
        let mut lines: Vec<Uncounted> = listed
            .filter(|(_, instrument)| refused.contains(&instrument.long))
            .map(line)
            .collect();
        lines.append(&mut uncounted);
        (empty, lines)
    }
}

#[cfg(test)]
mod tests;
