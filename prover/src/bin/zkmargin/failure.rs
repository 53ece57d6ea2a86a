//! From errors to exit codes.

use serde_json::json;
use zkmargin_circuits::{ClaimError, CommitmentError, ParametersError, ProveError as ArgumentError};
#[cfg(feature = "ledger")]
use zkmargin_ledger::LedgerError;
use zkmargin_prover::attest::AttestError;
use zkmargin_prover::keys::KeyError;
use zkmargin_prover::prove::ProveError;
use zkmargin_risk::oracle::OracleError;
use zkmargin_risk::report::ReportError;
use zkmargin_verifier::verify::exit;
use zkmargin_verifier::words::{self, OutputError};
use zkmargin_verifier::{AttestationError, VerifyError};

/// Margin not met, or not provable of what is held.
pub(crate) const NOT_MET: u8 = 4;
/// In whose name errors are said.
pub(crate) const TOOL: &str = "zkmargin";

/// What is said of a refusal to the trader alone, as lines and as data.
struct Private {
    lines: Vec<String>,
    field: &'static str,
    data: serde_json::Value,
}

/// Says what went wrong, on standard error, with `--json` also as data on standard output; the exit code.
pub(crate) fn report(error: &anyhow::Error, as_json: bool) -> u8 {
    let code = exit_code(error);
    // Whoever reads has gone: as with any other tool, there is nothing to say.
    if code == exit::CLOSED {
        return code;
    }
    if as_json {
        // The exit code says it all even if nobody reads standard output.
        let _ = words::print(&format!("{:#}", data(error)));
    }
    say(error);
    code
}

/// An error with its exit code as data; with what is said to the trader alone.
pub(crate) fn data(error: &anyhow::Error) -> serde_json::Value {
    let mut data = json!({ "exit": exit_code(error), "error": describe(error) });
    if let Some(Private { field, data: value, .. }) = error.chain().find_map(private) {
        data[field] = value;
    }
    data
}

/// Says what went wrong, on standard error.
///
/// By how much a margin is missed, and what is held that does not count, is said here and nowhere else: this is the trader's own terminal.
pub(crate) fn say(error: &anyhow::Error) {
    words::complain(TOOL, &describe(error));
    say_private(error);
}

/// Says what is for the trader alone of what went wrong.
pub(crate) fn say_private(error: &anyhow::Error) {
    let private = error.chain().find_map(private);
    for line in private.iter().flat_map(|private| &private.lines) {
        words::complain(TOOL, &format!("{line} (said to you alone: no bundle says it)"));
    }
}

fn private(cause: &(dyn std::error::Error + 'static)) -> Option<Private> {
    match cause.downcast_ref()? {
        ProveError::NotMet { shortfall, .. } => Some(Private {
            lines: vec![shortfall.words()],
            field: "shortfall",
            data: json!(shortfall.reveal()),
        }),
        ProveError::NotCounted { held, .. } => Some(Private {
            lines: held
                .reveal()
                .iter()
                .map(|line| format!("not counted: {line}"))
                .collect(),
            field: "not_counted",
            data: json!(held.reveal()),
        }),
        _ => None,
    }
}

/// An error with its causes.
pub(crate) fn describe(error: &anyhow::Error) -> String {
    words::describe(error.as_ref())
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
    if let Some(error) = cause.downcast_ref::<OutputError>() {
        return Some(error.exit_code());
    }
    #[cfg(feature = "ledger")]
    if let Some(code) = cause.downcast_ref().and_then(of_ledger) {
        return Some(code);
    }
    if let Some(ReportError::Oracle(OracleError::NotCounted(_))) = cause.downcast_ref() {
        return Some(NOT_MET);
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

/// Refused by what the ledger knows, or by somebody's signature.
#[cfg(feature = "ledger")]
fn of_ledger(error: &LedgerError) -> Option<u8> {
    match error {
        LedgerError::Import { error, .. } | LedgerError::Interrupted { error, .. } => of_ledger(error),
        LedgerError::ReleaseSignature(_) => Some(exit::PROOF),
        LedgerError::BeforeBeginning { .. }
        | LedgerError::ClockBack { .. }
        | LedgerError::Conflict { .. }
        | LedgerError::Encumbered { .. }
        | LedgerError::Epoch { .. }
        | LedgerError::Future { .. }
        | LedgerError::Held { .. }
        | LedgerError::MovedSince { .. }
        | LedgerError::NotTheLast { .. }
        | LedgerError::Release { .. }
        | LedgerError::Secret
        | LedgerError::UnknownAttestation(_) => Some(exit::POLICY),
        LedgerError::Damaged { .. } => Some(exit::INTERNAL),
        LedgerError::Commitment(CommitmentError::Randomness { .. }) => Some(exit::INTERNAL),
        _ => None,
    }
}

fn of_prove(error: &ProveError) -> u8 {
    match error {
        ProveError::NotMet { .. } | ProveError::NotCounted { .. } => NOT_MET,
        ProveError::AttestationSignature { .. } => exit::PROOF,
        ProveError::Statement(error) => error.exit_code(),
        ProveError::Opening { .. }
        | ProveError::SubjectKey { .. }
        | ProveError::SupposedNotCounted { .. }
        | ProveError::TooLarge { .. }
        | ProveError::Witness { .. } => exit::USAGE,
        ProveError::Argument(ArgumentError::Claim(
            ClaimError::PublicLeg { .. }
            | ClaimError::PublicAmount { .. }
            | ClaimError::Shape(_)
            | ClaimError::WrapAround(_),
        )) => exit::USAGE,
        ProveError::Argument(_) | ProveError::SelfCheck(_) => exit::INTERNAL,
    }
}
