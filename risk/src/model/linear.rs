//! Linear margining: futures and perpetuals by tiers of their notional, haircut collateral, debts; short options each by
//! itself.
//!
//! What the rule is, is written with its [`parameters`]; here it becomes a [`Program`](zkmargin_program::Program).

mod check;
mod compile;
pub mod parameters;
#[cfg(test)]
mod tests;

use zkmargin_program::{Builder, LegId};

use crate::model::about::Exactness;
use crate::model::assets::{AssetRules, moves_with, numeraire};
use crate::model::compile::{CompileError, Forms, Numeraire};
use crate::model::coverage::{Coverage, Uncounted};
use crate::model::{ModelError, Names, Rule, Scope};
use crate::terms::Level;
use crate::universe::{Instrument, Kind};

pub use parameters::Parameters;

use parameters::{InitialBy, Schedule, UnderlyingParameters};

/// A checked `linear` or `deribit-standard` model.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LinearMargin {
    parameters: Parameters,
    file: serde_json::Value,
}

impl LinearMargin {
    /// Checks every number and name of the parameters.
    ///
    /// # Errors
    /// [`ModelError`] naming the field, its value and the bound.
    pub fn new(parameters: Parameters) -> Result<LinearMargin, ModelError> {
        check::check(&parameters)?;
        let file = serde_json::to_value(&parameters)?;
        Ok(LinearMargin { parameters, file })
    }

    /// The parameters.
    pub fn parameters(&self) -> &Parameters {
        &self.parameters
    }
}

impl UnderlyingParameters {
    /// Whether an instrument has a margin: long and short.
    pub(crate) const fn may_be_held(&self, kind: &Kind) -> (bool, bool) {
        match kind {
            Kind::Option { .. } => (true, self.short_option.is_some()),
            Kind::Future { .. } => (self.future.is_some(), self.future.is_some()),
            Kind::Perpetual => (self.perpetual.is_some(), self.perpetual.is_some()),
            Kind::Sensitivity(_) => (false, false),
        }
    }
}

impl Rule for LinearMargin {
    fn exactness(&self) -> Exactness {
        if self.parameters.model == parameters::Kind::DeribitStandard {
            let why = "what grows with the square of a position, by the file's chords above it";
            return Exactness::Conservative(why.to_owned());
        }
        let underlyings = self.parameters.underlyings.values();
        let mut schedules = underlyings.flat_map(|underlying| [&underlying.perpetual, &underlying.future]);
        let jumps = |schedule: &Schedule| schedule.initial_by == InitialBy::Bracket && schedule.tiers.len() > 1;
        if schedules.any(|schedule| schedule.as_ref().is_some_and(jumps)) {
            let why = "initial margin less than a thousandth below the beginning of a bracket, and at it";
            return Exactness::Conservative(why.to_owned());
        }
        Exactness::Exact
    }

    fn name(&self) -> &str {
        &self.parameters.name
    }

    fn numeraire(&self) -> Numeraire {
        numeraire(&self.parameters.numeraire, &self.parameters.assets)
    }

    fn names(&self) -> Names<'_> {
        Names {
            // Of the venue whose standard margin that is, every position is in cross margin.
            isolated: self.parameters.model == parameters::Kind::Linear,
            ..Names::in_usd(moves_with(&self.parameters.assets), self.parameters.underlyings.keys())
        }
    }

    fn cash(&self) -> AssetRules {
        self.parameters.assets.clone()
    }

    fn file(&self) -> &serde_json::Value {
        &self.file
    }

    fn forms(&self, builder: &mut Builder, scope: &Scope<'_>, level: Level) -> Result<Forms, CompileError> {
        self.compile(builder, scope, level)
    }

    /// What counts but has no margin must not be held, either.
    fn uncounted(&self, scope: &Scope<'_>) -> (Vec<LegId>, Vec<Uncounted>) {
        let mut coverage = Coverage::of(&self.names(), scope);
        let rules = |instrument: &Instrument| self.parameters.underlyings.get(&instrument.underlying);
        coverage.leave_out_sides(
            |instrument| rules(instrument).map_or((true, true), |rules| rules.may_be_held(&instrument.kind)),
            scope.universe,
        );
        (coverage.empty, coverage.uncounted)
    }
}
