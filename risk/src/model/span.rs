//! SPAN: scanning risk, spread charges, inter-commodity credit.
//!
//! What the rule is, is written with its [`parameters`]; here it becomes a [`Program`](zkmargin_program::Program).

mod check;
mod compile;
pub mod parameters;
pub(crate) mod table;

use zkmargin_program::Builder;

use crate::model::assets::{AssetRules, moves_with, numeraire};
use crate::model::compile::{CompileError, Forms, Numeraire};
use crate::model::{ModelError, Names, Rule, Scope};
use crate::terms::Level;

pub use parameters::Parameters;

/// A checked SPAN-style model.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Span {
    parameters: Parameters,
    file: serde_json::Value,
}

impl Span {
    /// Checks every number and name of the parameters.
    ///
    /// # Errors
    /// [`ModelError`] naming the field, its value and the bound.
    pub fn new(parameters: Parameters) -> Result<Span, ModelError> {
        check::check(&parameters)?;
        let file = serde_json::to_value(&parameters)?;
        Ok(Span { parameters, file })
    }

    /// The parameters.
    pub fn parameters(&self) -> &Parameters {
        &self.parameters
    }
}

impl Rule for Span {
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

#[cfg(test)]
pub(crate) mod tests;
