//! The matched amount of several that may have either sign: the smaller of the long side and the short side.

use zkmargin_program::{Builder, Linear, Upper};

use crate::model::compile::CompileError;

/// At least `min( Σ max(x, 0), Σ max(-x, 0) )`; `None` where it is 0 whatever is held.
///
/// `P >= Σ max(x, 0)`, one row per amount; `P - Σ x` is then at least the other sum, and a bit chooses between the two.
pub(crate) fn matched(builder: &mut Builder, name: &str, amounts: &[Linear]) -> Result<Option<Upper>, CompileError> {
    let amounts: Vec<&Linear> = amounts.iter().filter(|amount| **amount != Linear::zero()).collect();
    if amounts.len() < 2 {
        return Ok(None);
    }
    let (mut long, mut sum) = (builder.upper(&Linear::zero())?, Linear::zero());
    for amount in amounts {
        let upper = builder.upper(amount)?;
        long = long + builder.positive_part(name, upper)?;
        sum += amount.clone();
    }
    let short = long.clone() - builder.lower(&sum)?;
    Ok(Some(builder.any_of_upper(name, long, short)?))
}
