//! How large a proof will be, before there is one: a verifier reads none that is larger than its bound.

use zkmargin_circuits::{Placement, Shape};
use zkmargin_verifier::VerifyError;
use zkmargin_verifier::bundle::MAX_PROOF_BYTES;
use zkmargin_verifier::verify::Prepared;

use super::{Draft, ProveError, Prover, statement};

impl Prover<'_> {
    /// Whether the proof of so many statements like this one is small enough to be accepted. Nothing else is checked.
    ///
    /// # Errors
    /// [`ProveError::TooLarge`]; [`ProveError::Statement`], if there is no program.
    pub fn check_size(&self, draft: &Draft, statements: usize) -> Result<(), ProveError> {
        let statement = statement(self.verifier.context().universe, draft);
        let prepared = self.verifier.prepare(&[&statement]).map_err(ProveError::Statement)?;
        check(&prepared, statements)
    }
}

/// Whether the proof of so many statements is small enough, by the first of them: all statements of a proof have one shape.
pub(super) fn check(prepared: &[Prepared], statements: usize) -> Result<(), ProveError> {
    let Some(first) = prepared.first() else { return Ok(()) };
    let placement = Placement::new(&first.program)
        .map_err(|error| ProveError::Statement(VerifyError::Shape { statement: 0, error }))?;
    check_shape(placement.shape(), statements)
}

fn check_shape(shape: &Shape, statements: usize) -> Result<(), ProveError> {
    let most = shape.statements_within(MAX_PROOF_BYTES);
    if statements <= most {
        return Ok(());
    }
    Err(ProveError::TooLarge {
        statements,
        bytes: shape.proof_bytes_of(statements),
        most,
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use zkmargin_circuits::MAX_STATEMENTS;
    use zkmargin_risk::model::PRESETS;

    use super::*;
    use crate::batch::PER_PROOF;
    use crate::bench::chain::Chain;

    fn shape(preset: &str) -> Shape {
        let program = Chain::shipped().unwrap().compile(preset).unwrap();
        Placement::new(&program).unwrap().shape().clone()
    }

    #[test]
    fn proof_that_no_verifier_reads_is_refused_and_the_most_statements_that_fit_are_named() {
        let shape = shape("derive-pm2");
        let most = shape.statements_within(MAX_PROOF_BYTES);
        assert!(usize::from(PER_PROOF) < most && most < MAX_STATEMENTS, "{most}");
        assert!(check_shape(&shape, most).is_ok());
        let bytes = shape.proof_bytes_of(MAX_STATEMENTS);
        assert_eq!(
            check_shape(&shape, MAX_STATEMENTS).unwrap_err().to_string(),
            format!("a proof of 256 statements has {bytes} bytes, at most 1048576 are accepted: {most} statements fit")
        );
        assert!(check_shape(&shape, most + 1).is_err());
    }

    #[test]
    fn as_many_statements_as_a_proof_has_unless_more_are_asked_for_fit_under_every_preset() {
        for (preset, _) in PRESETS {
            assert!(check_shape(&shape(preset), PER_PROOF.into()).is_ok(), "{preset}");
        }
    }
}
