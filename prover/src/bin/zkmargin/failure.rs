//! From errors to exit codes.

use serde_json::json;
use zkmargin_circuits::{ClaimError, CommitmentError, ParametersError, ProveError as ArgumentError};
use zkmargin_prover::attest::AttestError;
use zkmargin_prover::keys::KeyError;
use zkmargin_prover::prove::ProveError;
use zkmargin_verifier::verify::exit;
use zkmargin_verifier::{AttestationError, VerifyError};

use crate::answer::print;

/// Margin not met.
pub(crate) const NOT_MET: u8 = 4;

/// Says what went wrong, on standard error, with `--json` also as data on standard output; the exit code.
///
/// By how much a margin is missed is said here and nowhere else: this is the trader's own terminal.
pub(crate) fn report(error: &anyhow::Error, as_json: bool) -> u8 {
    let code = exit_code(error);
    let shortfall = error.chain().find_map(|cause| match cause.downcast_ref() {
        Some(ProveError::NotMet { shortfall, .. }) => Some(shortfall.reveal()),
        _ => None,
    });
    if as_json {
        let mut data = json!({ "exit": code, "error": describe(error) });
        if let Some(shortfall) = &shortfall {
            data["shortfall"] = json!(shortfall);
        }
        // The exit code says it all even if nobody reads standard output.
        let _ = print(&format!("{data:#}"));
    }
    eprintln!("zkmargin: {}", describe(error));
    if let Some(shortfall) = shortfall {
        eprintln!("zkmargin: short by {shortfall} (said to you alone: it is in no file)");
    }
    code
}

/// An error with its causes; a cause that is in the message above it already is left out.
pub(crate) fn describe(error: &anyhow::Error) -> String {
    let mut text = String::new();
    for message in error.chain().map(ToString::to_string) {
        if text.is_empty() {
            text = message;
        } else if !text.contains(&message) {
            text = format!("{text}: {message}");
        }
    }
    text
}

/// The exit code of an error: that of the first cause that has one of its own, else 2.
pub(crate) fn exit_code(error: &anyhow::Error) -> u8 {
    error.chain().find_map(code_of).unwrap_or(exit::USAGE)
}

fn code_of(cause: &(dyn std::error::Error + 'static)) -> Option<u8> {
    if let Some(error) = cause.downcast_ref() {
        return Some(of_prove(error));
    }
    if let Some(error) = cause.downcast_ref::<VerifyError>() {
        return Some(error.exit_code());
    }
    if let Some(AttestationError::Point { .. }) = cause.downcast_ref() {
        return Some(exit::PROOF);
    }
    let is_internal = matches!(
        cause.downcast_ref(),
        Some(ParametersError::Derived { .. } | ParametersError::Unreadable { .. })
    ) || matches!(cause.downcast_ref(), Some(KeyError::Randomness(_)))
        || matches!(cause.downcast_ref(), Some(CommitmentError::Randomness { .. }))
        || matches!(
            cause.downcast_ref(),
            Some(AttestError::Commitment(CommitmentError::Randomness { .. }))
        );
    is_internal.then_some(exit::INTERNAL)
}

fn of_prove(error: &ProveError) -> u8 {
    match error {
        ProveError::NotMet { .. } => NOT_MET,
        ProveError::AttestationSignature { .. } => exit::PROOF,
        ProveError::Statement(error) => error.exit_code(),
        ProveError::Opening { .. } | ProveError::SubjectKey { .. } | ProveError::Witness { .. } => exit::USAGE,
        ProveError::Argument(ArgumentError::Claim(
            ClaimError::PublicLeg { .. }
            | ClaimError::PublicAmount { .. }
            | ClaimError::Shape(_)
            | ClaimError::WrapAround(_),
        )) => exit::USAGE,
        ProveError::Argument(_) | ProveError::SelfCheck(_) => exit::INTERNAL,
    }
}
