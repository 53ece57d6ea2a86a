//! Holding a finished bundle until an instant that was said before the work began, so that when it appears tells nothing of how long it took.

use std::thread::sleep;
use std::time::Duration;

use anyhow::bail;
use clap::Args;
use zkmargin_risk::instant::Instant;
use zkmargin_verifier::{Window, clock};

use crate::answer::working;

/// The longest time without a look at the clock, which may be set meanwhile.
const LOOK: Duration = Duration::from_millis(200);

/// `--release-at`.
#[derive(Debug, Args)]
pub(crate) struct Hold {
    /// Write the bundle at this instant of the system's clock and not before, whenever it is done; if it is not done by then, write nothing.
    #[arg(long, value_name = "INSTANT")]
    release_at: Option<Instant>,
}

impl Hold {
    /// Refuses an instant that is no later than now: before the work, not after it.
    pub(crate) fn check(&self) -> anyhow::Result<()> {
        match self.release_at {
            Some(release) if clock::now()? >= release => {
                bail!(
                    "--release-at {release} is no later than now, by the system's clock: nothing could be held until then"
                )
            }
            _ => Ok(()),
        }
    }

    /// Refuses an instant at which the statement is over.
    pub(crate) fn fits(&self, window: Window) -> anyhow::Result<()> {
        match self.release_at {
            Some(release) if release > window.until => {
                bail!(
                    "--release-at {release} is after the end of the statement, {}: nobody could rely on it",
                    window.until
                )
            }
            _ => Ok(()),
        }
    }

    /// Waits for the instant. Nothing may be written before: not even under another name, since a file keeps the time at which it was written.
    ///
    /// A clock that is set back prolongs the wait, one that is set forward ends it.
    pub(crate) fn wait(&self) -> anyhow::Result<()> {
        let Some(release) = self.release_at else { return Ok(()) };
        if clock::now()? >= release {
            bail!(
                "the proof was done only after {release}, when it was to be released: when it appears would tell how long it took. Nothing was \
                 written; give --release-at more time"
            );
        }
        let _waiting = working(format!("proven, and held until {release}"));
        loop {
            let left = release.millis_since(clock::now()?);
            if left == 0 {
                return Ok(());
            }
            sleep(Duration::from_millis(left).min(LOOK));
        }
    }
}
