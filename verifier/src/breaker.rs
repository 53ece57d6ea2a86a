//! The circuit breaker: whether markets are calm enough to extend credit on a proof.
//!
//! A breaker watches snapshots one after another and is in one of three [stances](Stance):
//!
//! ```text
//! normal ──▶ cautious ──▶ halted        at once, when a measure reaches the stance's `enter`
//! normal ◀── cautious ◀── halted        one step, when every measure has been on the calm side of `leave` for the whole dwell time
//! ```
//!
//! Worsening never waits. Going back waits for the dwell time twice: by the clock, and by the instants of the snapshots, so that neither a
//! clock that is set forward nor a feed that stands still ends a halt. Every transition is recorded with its causes.
//!
//! Nothing here reads a file or a clock; [`crate::journal`] keeps a [`Breaker`] on disk.

use std::fmt;

use serde::{Deserialize, Serialize};
use zkmargin_risk::canonical::Digest;
use zkmargin_risk::instant::Instant;
use zkmargin_risk::market::Snapshot;
use zkmargin_risk::universe::Network;

use crate::age::Age;

mod disagreement;
mod guard;
mod known;
mod limits;
mod measure;
mod moves;
mod observe;

pub use guard::BreakerRefusal;
pub use limits::{Caution, Limits, LimitsError, Step, Steps, UnderlyingLimits, VolatilityLimits};
pub use measure::{Measure, Reference, ReferenceError};
pub use observe::{ObserveError, Sight};

/// How a partner stands to the market.
#[derive(Copy, Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Stance {
    /// The policy as it is.
    Normal,
    /// What the limits say of caution, besides the policy.
    Cautious,
    /// Nothing new is accepted.
    Halted,
}

impl Stance {
    /// One step back.
    const fn calmer(self) -> Stance {
        match self {
            Stance::Normal | Stance::Cautious => Stance::Normal,
            Stance::Halted => Stance::Cautious,
        }
    }
}

impl fmt::Display for Stance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Stance::Normal => "normal",
            Stance::Cautious => "cautious",
            Stance::Halted => "halted",
        })
    }
}

/// An instant by the clock, and by the market.
#[derive(Copy, Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Moment {
    /// By the clock.
    pub at: Instant,
    /// By the snapshot that was observed then.
    pub market: Instant,
}

impl Moment {
    /// Milliseconds from `earlier` to this moment, by whichever of the two shows less.
    fn millis_since(self, earlier: Moment) -> u64 {
        let (at, market) = (
            self.at.millis_since(earlier.at),
            self.market.millis_since(earlier.market),
        );
        at.min(market)
    }
}

/// Why the stance changed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "cause", rename_all = "snake_case", deny_unknown_fields)]
pub enum Cause {
    /// A measure reached its threshold.
    Measured {
        /// Which.
        measure: Measure,
        /// Of which underlying or asset.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        of: Option<String>,
        /// Which price of it, if it has several.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        price: Option<String>,
        /// Its value in basis points.
        value: u32,
        /// The threshold in basis points.
        threshold: u32,
    },
    /// The snapshot has what the limits do not watch.
    Unwatched {
        /// What.
        what: String,
    },
    /// What should be measured is not there.
    Missing {
        /// What.
        what: String,
    },
    /// Publishers' snapshots of one instant differ beyond the band. Neither is taken, and no average of them.
    Disagreement {
        /// Digests of the two.
        snapshots: [Digest; 2],
        /// Where they differ most.
        what: String,
        /// By how many basis points.
        value: u32,
        /// The band.
        band: u32,
    },
    /// Everything has been calm for the dwell time.
    Calm {
        /// Since this instant of the clock.
        since: Instant,
    },
}

/// A change of stance.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Transition {
    /// When, by the clock.
    pub at: Instant,
    /// When, by the market.
    pub market: Instant,
    /// From where.
    pub from: Stance,
    /// To where.
    pub to: Stance,
    /// Why, at least one cause.
    pub causes: Vec<Cause>,
}

/// A snapshot on which proofs may rest.
#[derive(Copy, Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Seen {
    /// Its digest.
    pub snapshot: Digest,
    /// Its instant.
    pub instant: Instant,
}

/// A circuit breaker: its stance, how it came to it, and what it needs to go on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Breaker {
    network: Network,
    stance: Stance,
    /// When it took its stance.
    since: Moment,
    /// When something last stood in the way of going back.
    unrest: Moment,
    /// When it last observed anything.
    observed: Moment,
    /// Every change of stance, the first one first.
    transitions: Vec<Transition>,
    /// Snapshots since the last halt that gave no cause to halt, and are not too old to be used.
    seen: Vec<Seen>,
    /// The last one that was taken.
    last: Option<Snapshot>,
    /// Of all outside of halts, what each had that those after it lack.
    known: Option<Snapshot>,
}

/// What an observation comes to: the worst stance that it enters, the worst that it does not let go of, and why.
#[derive(Clone, Debug)]
pub(crate) struct Finding {
    entered: Stance,
    held: Stance,
    causes: Vec<Cause>,
}

impl Breaker {
    /// How the partner stands to the market.
    pub fn stance(&self) -> Stance {
        self.stance
    }

    /// The network whose snapshots it observes.
    pub fn network(&self) -> Network {
        self.network
    }

    /// When it took its stance.
    pub fn since(&self) -> Moment {
        self.since
    }

    /// When it last observed anything.
    pub fn observed(&self) -> Moment {
        self.observed
    }

    /// Every change of stance, the first one first.
    pub fn transitions(&self) -> &[Transition] {
        &self.transitions
    }

    /// The snapshots on which proofs may rest.
    pub fn seen(&self) -> &[Seen] {
        &self.seen
    }

    /// A breaker that begins calm, to be told what it sees at once.
    fn calm(network: Network, now: Moment) -> Breaker {
        Breaker {
            network,
            stance: Stance::Normal,
            since: now,
            unrest: now,
            observed: now,
            transitions: Vec::new(),
            seen: Vec::new(),
            last: None,
            known: None,
        }
    }

    /// The rule of the state machine, and all of it.
    fn settle(&mut self, finding: Finding, dwell: Age, silence: Age, now: Moment) {
        // A clock that was set back begins the wait anew; what it said before is not believed.
        for moment in [&mut self.since, &mut self.unrest] {
            moment.at = moment.at.min(now.at);
        }
        // While nobody looked, nothing was calm.
        let silent = |from: Instant, to: Instant| to.millis_since(from) > silence.millis();
        let was_silent = silent(self.observed.at, now.at) || silent(self.observed.market, now.market);
        self.observed = now;
        if finding.entered > self.stance {
            self.go(finding.entered, finding.causes, now);
        } else if finding.held >= self.stance || was_silent {
            self.unrest = now;
        } else if now.millis_since(self.unrest) >= dwell.millis() {
            let since = self.unrest.at;
            self.go(self.stance.calmer(), vec![Cause::Calm { since }], now);
        }
        if self.stance == Stance::Halted {
            // What was seen before the halt, or calm beside something wild, does not become good again when it ends.
            self.seen.clear();
        }
    }

    fn go(&mut self, to: Stance, causes: Vec<Cause>, now: Moment) {
        self.transitions.push(Transition {
            at: now.at,
            market: now.market,
            from: self.stance,
            to,
            causes,
        });
        self.stance = to;
        self.since = now;
        self.unrest = now;
    }
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Cause::Measured {
                measure,
                of,
                price,
                value,
                threshold,
            } => {
                write!(f, "{measure}")?;
                if let Some(name) = of {
                    write!(f, " of {name}")?;
                }
                if let Some(price) = price {
                    write!(f, " ({price})")?;
                }
                write!(f, " is {value} basis points, the threshold is {threshold}")
            }
            Cause::Unwatched { what } => write!(f, "the limits do not watch {what}"),
            Cause::Missing { what } => write!(f, "there is no {what}"),
            Cause::Disagreement {
                snapshots: [first, second],
                what,
                value,
                band,
            } => write!(
                f,
                "publishers disagree: snapshots {first} and {second} differ in the {what} by {value} basis points, the band is {band}"
            ),
            Cause::Calm { since } => write!(f, "calm since {since}"),
        }
    }
}

impl fmt::Display for Transition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Transition {
            at, from, to, causes, ..
        } = self;
        write!(f, "{at}  {from} to {to}: ")?;
        let causes: Vec<String> = causes.iter().map(ToString::to_string).collect();
        f.write_str(&causes.join("; "))
    }
}

#[cfg(test)]
mod tests;
