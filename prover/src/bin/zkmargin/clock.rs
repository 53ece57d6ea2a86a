//! The instant that a command goes by.

use std::fmt;

use clap::Args;
use zkmargin_risk::instant::Instant;
use zkmargin_verifier::clock;

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
            instant: clock::now()?,
            is_given: false,
        })
    }
}

/// The day by the system's clock, in UTC: `YYYY-MM-DD`.
pub(crate) fn today() -> anyhow::Result<String> {
    let now = clock::now()?.to_string();
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
