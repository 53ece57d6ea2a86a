//! Standard margin as Derive has it: each expiry needs the smaller of isolated margin and max loss.
//!
//! What the rule is, is written with its [`parameters`]; here it becomes a [`Program`](zkmargin_program::Program).

mod check;
mod compile;
pub mod parameters;
#[cfg(test)]
mod tests;

use zkmargin_program::Builder;

use crate::model::about::Exactness;
use crate::model::assets::{AssetRules, moves_with, numeraire};
use crate::model::compile::{CompileError, Forms, Numeraire};
use crate::model::{ModelError, Names, Rule, Scope};
use crate::terms::Level;

pub use parameters::Parameters;

/// A checked `derive-standard` model.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeriveStandard {
    parameters: Parameters,
    file: serde_json::Value,
}

impl DeriveStandard {
    /// Checks every number and name of the parameters.
    ///
    /// # Errors
    /// [`ModelError`] naming the field, its value and the bound.
    pub fn new(parameters: Parameters) -> Result<DeriveStandard, ModelError> {
        check::check(&parameters)?;
        let file = serde_json::to_value(&parameters)?;
        Ok(DeriveStandard { parameters, file })
    }

    /// The parameters.
    pub fn parameters(&self) -> &Parameters {
        &self.parameters
    }
}

impl Rule for DeriveStandard {
    fn exactness(&self) -> Exactness {
        if self.parameters.settlements == parameters::Settlements::Listed {
            Exactness::Conservative("max loss over every listed strike, not only those held".to_owned())
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
        Names::in_usd(moves_with(&self.parameters.assets), self.parameters.underlyings.keys())
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
