//! The scenario grid: the worst of many moves of price and volatility.
//!
//! What the rule is, is written with its [`parameters`]; here it becomes a [`Program`](zkmargin_program::Program).

mod check;
mod compile;
mod delta_shock;
mod desk;
pub mod parameters;

use zkmargin_program::Builder;

use crate::model::about::Exactness;
use crate::model::assets::{AssetRules, moves_with, numeraire};
use crate::model::compile::{CompileError, Forms, Numeraire};
use crate::model::{ModelError, Names, Rule, Scope};
use crate::terms::Level;
use crate::valuation::Denomination;

pub use parameters::Parameters;

use parameters::{Profit, UnderlyingParameters};

/// Most rows of all underlyings together.
pub const MAX_ROWS: usize = 4_096;

/// A checked scenario-grid model.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ScenarioGrid {
    parameters: Parameters,
    file: serde_json::Value,
}

impl ScenarioGrid {
    /// Checks every number and name of the parameters.
    ///
    /// # Errors
    /// [`ModelError`] naming the field, its value and the bound.
    pub fn new(parameters: Parameters) -> Result<ScenarioGrid, ModelError> {
        check::check(&parameters)?;
        let file = serde_json::to_value(&parameters)?;
        Ok(ScenarioGrid { parameters, file })
    }

    /// The parameters.
    pub fn parameters(&self) -> &Parameters {
        &self.parameters
    }

    /// The file's JSON text.
    ///
    /// # Errors
    /// [`ModelError::Json`], which does not happen.
    pub fn to_json(&self) -> Result<String, ModelError> {
        Ok(crate::json::to_text(&self.parameters, 3)?)
    }
}

impl Rule for ScenarioGrid {
    fn exactness(&self) -> Exactness {
        if self
            .parameters
            .underlyings
            .values()
            .any(|rules| rules.delta_shock.is_some())
        {
            Exactness::Conservative("the delta shock is of the whole net delta, by chords above the curve".to_owned())
        } else {
            Exactness::Exact
        }
    }

    fn name(&self) -> &str {
        &self.parameters.name
    }

    fn numeraire(&self) -> Numeraire {
        numeraire(&self.parameters.numeraire, &self.parameters.assets)
    }

    fn names(&self) -> Names<'_> {
        let profit = |underlying: &UnderlyingParameters| match underlying.profit {
            Profit::Coin => Denomination::Coin,
            Profit::Usd => Denomination::Usd,
        };
        Names {
            assets: moves_with(&self.parameters.assets),
            underlyings: self
                .parameters
                .underlyings
                .iter()
                .map(|(name, underlying)| (name.as_str(), profit(underlying)))
                .collect(),
            sensitivities: None,
            isolated: false,
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
}

#[cfg(test)]
mod tests;
