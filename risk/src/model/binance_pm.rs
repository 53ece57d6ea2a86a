//! Binance portfolio margin: adjusted equity against tiered maintenance margins, by the ratio of the two (uniMMR).
//!
//! What the rule is, is written with its [`parameters`].

mod check;
mod compile;
pub mod parameters;

use zkmargin_program::Builder;

use crate::model::assets::{AssetRules, moves_with, numeraire};
use crate::model::compile::{CompileError, Forms, Numeraire};
use crate::model::{ModelError, Names, Rule, Scope};
use crate::terms::Level;
use crate::universe::Kind;

pub use parameters::Parameters;

/// A checked model of Binance portfolio margin.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BinancePm {
    parameters: Parameters,
    file: serde_json::Value,
}

impl BinancePm {
    /// Checks every number and name of the parameters.
    ///
    /// # Errors
    /// [`ModelError`] naming the field, its value and the bound.
    pub fn new(parameters: Parameters) -> Result<BinancePm, ModelError> {
        check::check(&parameters)?;
        let file = serde_json::to_value(&parameters)?;
        Ok(BinancePm { parameters, file })
    }

    /// The parameters.
    pub fn parameters(&self) -> &Parameters {
        &self.parameters
    }
}

impl Rule for BinancePm {
    fn name(&self) -> &str {
        &self.parameters.name
    }

    fn numeraire(&self) -> Numeraire {
        numeraire(&self.parameters.numeraire, &self.parameters.assets)
    }

    fn names(&self) -> Names<'_> {
        Names::in_usd(moves_with(&self.parameters.assets), self.parameters.underlyings.keys())
    }

    fn margins(&self, kind: &Kind) -> bool {
        !matches!(kind, Kind::Option { .. })
    }

    fn cash(&self) -> AssetRules {
        self.parameters.assets.clone()
    }

    fn file(&self) -> &serde_json::Value {
        &self.file
    }

    fn forms(&self, builder: &mut Builder, scope: &Scope<'_>, level: Level) -> Result<Forms, CompileError> {
        compile::compile(self, builder, scope, level)
    }
}

#[cfg(test)]
mod tests;
