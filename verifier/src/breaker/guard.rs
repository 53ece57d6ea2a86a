//! What a circuit breaker lets pass.

use thiserror::Error;
use zkmargin_risk::canonical::Digest;
use zkmargin_risk::instant::Instant;
use zkmargin_risk::terms::{Margin, Ratio20};
use zkmargin_risk::universe::Network;

use crate::acceptance::Presented;
use crate::age::Age;
use crate::breaker::{Breaker, Limits, Stance, Transition};
use crate::statement::Statement;
use crate::words::network;

/// Why a circuit breaker does not let statements pass. `statement` counts from 0, its message from 1.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum BreakerRefusal {
    /// The policy has a breaker, and the verifier was shown none.
    #[error("the policy has a breaker: give its journal")]
    NotGiven,
    /// The verifier was shown a breaker, and the policy has none.
    #[error("a breaker's journal is given, the policy has no breaker")]
    NoLimits,
    /// It is of another network.
    #[error("the breaker is of network {}, the universe of {}", network(*found), network(*expected))]
    Network {
        /// The breaker's.
        found: Network,
        /// The universe's.
        expected: Network,
    },
    /// It has not observed anything for too long.
    #[error("the breaker observed nothing after {last}, at {at} that is more than {most} ago")]
    Silent {
        /// When it last did.
        last: Instant,
        /// Instant of verification.
        at: Instant,
        /// The longest silence in which anything is accepted.
        most: Age,
    },
    /// Its clock was far ahead of the verifier's.
    #[error(
        "the breaker observed something at {last}, which is more than {most} after {at}: one of the two clocks is wrong"
    )]
    Ahead {
        /// When it last observed anything.
        last: Instant,
        /// Instant of verification.
        at: Instant,
        /// The longest silence in which anything is accepted.
        most: Age,
    },
    /// Nothing new is accepted.
    #[error("the breaker is halted since {since}: {}", why.as_ref().map(ToString::to_string).unwrap_or_default())]
    Halted {
        /// Since when.
        since: Instant,
        /// How it came to it.
        why: Option<Box<Transition>>,
    },
    /// A snapshot that it did not observe, or that gave cause to halt.
    #[error("snapshot {found} is none that the breaker observed in good order")]
    Snapshot {
        /// Its digest.
        found: Digest,
    },
    /// In caution, a statement that does not take the place of another, or supposes an order or a deposit.
    #[error("statement {} {what}: in caution the breaker lets only renewals pass", statement + 1)]
    NotARenewal {
        /// The statement.
        statement: usize,
        /// Why it is none.
        what: &'static str,
    },
    /// In caution, too small a ratio.
    #[error("statement {} is of ratio {found}, in caution the breaker demands at least {expected}", statement + 1)]
    Ratio {
        /// The statement.
        statement: usize,
        /// Its ratio.
        found: Ratio20,
        /// The least.
        expected: Ratio20,
    },
}

impl Breaker {
    /// Whether statements about the facts `presented` pass at the instant `at`.
    ///
    /// # Errors
    /// The first [`BreakerRefusal`].
    pub(crate) fn accept(
        &self,
        limits: &Limits,
        presented: &Presented,
        statements: &[&Statement],
        at: Instant,
    ) -> Result<(), BreakerRefusal> {
        if self.network != presented.network {
            return Err(BreakerRefusal::Network {
                found: self.network,
                expected: presented.network,
            });
        }
        if self.stance == Stance::Halted {
            return Err(BreakerRefusal::Halted {
                since: self.since.at,
                why: self.transitions.last().cloned().map(Box::new),
            });
        }
        // By the clock, and by what it saw: a feed that repeats one snapshot is as silent as none.
        for last in [self.observed.at, self.observed.market] {
            if at.millis_since(last) > limits.silence.millis() {
                return Err(BreakerRefusal::Silent {
                    last,
                    at,
                    most: limits.silence,
                });
            }
        }
        if self.observed.at.millis_since(at) > limits.silence.millis() {
            return Err(BreakerRefusal::Ahead {
                last: self.observed.at,
                at,
                most: limits.silence,
            });
        }
        for statement in statements {
            // For variation, the first snapshot may be of long ago: that of the margin call before.
            let found = match (statement.terms.margin, presented.later) {
                (Margin::Variation, Some((later, _))) => later,
                (Margin::Variation, None) | (Margin::Level(_), _) => presented.snapshot,
            };
            if !self.seen.iter().any(|seen| seen.snapshot == found) {
                return Err(BreakerRefusal::Snapshot { found });
            }
        }
        match self.stance {
            Stance::Normal | Stance::Halted => Ok(()),
            Stance::Cautious => statements
                .iter()
                .enumerate()
                .try_for_each(|(index, statement)| accept_in_caution(limits, index, statement)),
        }
    }
}

fn accept_in_caution(limits: &Limits, index: usize, statement: &Statement) -> Result<(), BreakerRefusal> {
    let caution = limits.cautious;
    let what = match (&statement.replaces, &statement.terms.order, &statement.terms.deposit) {
        (None, _, _) => Some("takes the place of no other"),
        (Some(_), Some(_), _) => Some("supposes an order"),
        (Some(_), None, Some(_)) => Some("supposes a deposit"),
        (Some(_), None, None) => None,
    };
    if let Some(what) = what.filter(|_| caution.renewals_only) {
        return Err(BreakerRefusal::NotARenewal { statement: index, what });
    }
    if statement.terms.ratio < caution.ratio {
        return Err(BreakerRefusal::Ratio {
            statement: index,
            found: statement.terms.ratio,
            expected: caution.ratio,
        });
    }
    Ok(())
}
