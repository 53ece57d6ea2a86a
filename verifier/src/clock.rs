//! The verifier's own clock.

use std::time::{SystemTime, UNIX_EPOCH};

use thiserror::Error;
use zkmargin_risk::instant::Instant;

/// The system's clock is beyond what an instant can be.
#[derive(Copy, Clone, Debug, PartialEq, Eq, Error)]
#[error("the system's clock is before 1970, or beyond the last instant: set it right")]
pub struct ClockError;

/// The instant by the system's clock.
///
/// # Errors
/// [`ClockError`].
pub fn now() -> Result<Instant, ClockError> {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).map_err(|_| ClockError)?;
    let millis = u64::try_from(since.as_millis()).map_err(|_| ClockError)?;
    Instant::from_millis(millis).map_err(|_| ClockError)
}
