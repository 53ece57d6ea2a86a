//! The instant that a command goes by.

use std::fmt;
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::Context as _;
use clap::Args;
use zkmargin_risk::instant::Instant;

/// `--at`.
#[derive(Debug, Args)]
pub(crate) struct At {
    /// The instant to go by, such as 2026-08-06T12:01:00Z; by default the system's clock.
    #[arg(long, value_name = "INSTANT")]
    at: Option<Instant>,
}

/// An instant, and where it is from: every answer that depends on it names it.
#[derive(Copy, Clone, Debug)]
pub(crate) struct Now {
    /// The instant.
    pub(crate) instant: Instant,
    is_given: bool,
}

impl At {
    /// The instant given, or that of the system's clock.
    pub(crate) fn now(&self) -> anyhow::Result<Now> {
        if let Some(instant) = self.at {
            return Ok(Now {
                instant,
                is_given: true,
            });
        }
        Ok(Now {
            instant: system()?,
            is_given: false,
        })
    }
}

/// The instant by the system's clock, whatever `--at` says.
pub(crate) fn system() -> anyhow::Result<Instant> {
    let since = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .context("the system's clock is before 1970")?;
    Instant::from_millis(u64::try_from(since.as_millis())?).context("the system's clock")
}

/// The day by the system's clock, in UTC: `YYYY-MM-DD`.
pub(crate) fn today() -> anyhow::Result<String> {
    let now = system()?.to_string();
    Ok(now.split('T').next().unwrap_or_default().to_owned())
}

impl fmt::Display for Now {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let source = if self.is_given {
            "the instant given with --at"
        } else {
            "the system's clock"
        };
        write!(f, "{}, {source}", self.instant)
    }
}
