//! ISDA SIMM: initial margin from sensitivities.
//!
//! What the rule is, is written with its [`parameters`]; here it becomes a [`Program`](zkmargin_program::Program), which proves books
//! within their concentration thresholds. Whoever uses ISDA SIMM commercially needs a licence from ISDA.

mod aggregate;
mod check;
mod compile;
pub mod parameters;
pub(crate) mod tables;

use zkmargin_program::Builder;

use crate::model::about::Exactness;
use crate::model::assets::{AssetRules, moves_with, numeraire};
use crate::model::compile::{CompileError, Forms, Numeraire};
use crate::model::{ModelError, Names, Rule, Scope};
use crate::terms::Level;

pub use parameters::Parameters;

/// A checked SIMM parameter set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Simm {
    parameters: Parameters,
    file: serde_json::Value,
}

impl Simm {
    /// Checks every number and name of the parameters.
    ///
    /// # Errors
    /// [`ModelError`] naming the field, its value and the bound.
    pub fn new(parameters: Parameters) -> Result<Simm, ModelError> {
        check::check(&parameters)?;
        let file = serde_json::to_value(&parameters)?;
        Ok(Simm { parameters, file })
    }

    /// The parameters.
    pub fn parameters(&self) -> &Parameters {
        &self.parameters
    }
}

impl Rule for Simm {
    fn exactness(&self) -> Exactness {
        Exactness::Conservative(
            "no concentration above a threshold, bounds for clipped sums, curvature and product classes".to_owned(),
        )
    }

    fn name(&self) -> &str {
        &self.parameters.name
    }

    fn numeraire(&self) -> Numeraire {
        numeraire(&self.parameters.numeraire, &self.parameters.assets)
    }

    fn names(&self) -> Names<'_> {
        Names {
            assets: moves_with(&self.parameters.assets),
            underlyings: std::collections::BTreeMap::new(),
            sensitivities: Some(&self.parameters),
            isolated: false,
        }
    }

    fn cash(&self) -> AssetRules {
        self.parameters.assets.clone()
    }

    fn file(&self) -> &serde_json::Value {
        &self.file
    }

    fn forms(&self, builder: &mut Builder, scope: &Scope<'_>, _: Level) -> Result<Forms, CompileError> {
        compile::forms(self, builder, scope)
    }
}

#[cfg(test)]
mod tests;
