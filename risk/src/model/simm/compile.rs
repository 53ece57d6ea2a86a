//! From the rule to a program.
use zkmargin_program::{Builder, Linear};
use crate::model::{Rule, Scope};
use crate::model::compile::{CompileError, Forms};
use crate::model::sheet::Sheet;
use crate::model::simm::Simm;
pub(super) fn forms(model: &Simm, builder: &mut Builder, scope: &Scope<'_>) -> Result<Forms, CompileError> {
    let sheet = Sheet::new(&model.names(), scope, &model.numeraire())?;
    let (mut value, mut capped) = (Linear::zero(), Vec::new());
    sheet.add_collateral(builder, &model.parameters().assets, &mut value, &mut capped)?;
    let value = builder.lower(&value)?;
    let value = capped.into_iter().fold(value, |sum, part| sum + part);
    let requirement = builder.upper(&Linear::zero())?;
    Ok(Forms { value, requirement })
}
