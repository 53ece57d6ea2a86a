//! Whether statements and their attestations fit the verifier's own facts, whatever its policy says (protocol §8).
//!
//! Complete and disjoint, one party, one instant: an account counts once, all attestations are of the snapshot's instant, of
//! this universe, and made for the audience and book of their statement, and no statement outlives one of them. Signatures
//! and policy are checked elsewhere.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use thiserror::Error;
use zkmargin_circuits::PROTOCOL_VERSION;
use zkmargin_program::MAX_ACCOUNTS_PER_VENUE;
use zkmargin_risk::canonical::Digest;
use zkmargin_risk::instant::Instant;
use zkmargin_risk::terms::TermsError;
use zkmargin_risk::universe::{Network, Universe};

use crate::attestation::{Attestation, Pseudonym, SignedAttestation};
use crate::book::Book;
use crate::dsse::PublicKey;
use crate::statement::Statement;

/// Which attestation of a bundle is meant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// The statement, from 0.
    pub statement: usize,
    /// The venue that the attestation names.
    pub venue: String,
    /// The account that it names.
    pub account: Pseudonym,
}

impl Place {
    pub(crate) fn of(statement: usize, attestation: &Attestation) -> Place {
        Place {
            statement,
            venue: attestation.venue.clone(),
            account: attestation.account,
        }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "statement {}, venue {:?}, account {}",
            self.statement, self.venue, self.account
        )
    }
}

/// Why statements do not fit the facts. `at` is the instant of verification.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum FactRefusal {
    /// A statement about no account at all.
    #[error("statement {statement} has no attestation: it is about no account")]
    NoAttestation {
        /// The statement.
        statement: usize,
    },
    /// The statements of one bundle are made to different audiences.
    #[error("statement {statement} is made to audience {found}, the first statement to {expected}")]
    AudienceOfStatement {
        /// The statement.
        statement: usize,
        /// Its audience.
        found: PublicKey,
        /// The first statement's.
        expected: PublicKey,
    },
    /// A venue that the universe does not have.
    #[error("{place}: the universe has no such venue")]
    UnknownVenue {
        /// The attestation.
        place: Place,
    },
    /// A key that is not the venue's in the universe.
    #[error("{place}: the universe does not give this venue the key {key}")]
    KeyNotInUniverse {
        /// The attestation.
        place: Place,
        /// The key that is said to have signed.
        key: PublicKey,
    },
    /// One account twice: in one statement, or in two of the bundle.
    #[error("{second}: this account counts already in statement {}", first.statement)]
    AccountTwice {
        /// Where it is first.
        first: Box<Place>,
        /// Where it is again.
        second: Box<Place>,
    },
    /// Attestations that do not stand in the order of the universe's venues and of their pseudonyms.
    #[error(
        "{place}: out of order: attestations stand in the order of the universe's venues, then of their pseudonyms"
    )]
    OutOfOrder {
        /// The attestation that should stand earlier.
        place: Place,
    },
    /// More accounts at one venue than the no-wrap bound allows for.
    #[error(
        "statement {statement} adds {found} accounts at venue {venue:?}, at most {MAX_ACCOUNTS_PER_VENUE} are allowed"
    )]
    TooManyAccounts {
        /// The statement.
        statement: usize,
        /// The venue.
        venue: String,
        /// Accounts there.
        found: usize,
    },
    /// Another version of the protocol.
    #[error("{place}: attested under protocol version {found}, this build verifies version {PROTOCOL_VERSION}")]
    Protocol {
        /// The attestation.
        place: Place,
        /// Its version.
        found: u32,
    },
    /// Another network.
    #[error("{place}: attested for network {found:?}, the universe is of {expected:?}")]
    Network {
        /// The attestation.
        place: Place,
        /// Its network.
        found: Network,
        /// The universe's.
        expected: Network,
    },
    /// Another universe.
    #[error("{place}: attested for universe {found}, this is {expected}")]
    Universe {
        /// The attestation.
        place: Place,
        /// Its universe.
        found: Digest,
        /// The verifier's.
        expected: Digest,
    },
    /// Another `k`.
    #[error("{place}: attested for k = {found}, the universe has {expected}")]
    K {
        /// The attestation.
        place: Place,
        /// Its `k`.
        found: u32,
        /// The universe's.
        expected: u32,
    },
    /// Not one commitment per column of the venue.
    #[error("{place}: {found} commitments, the venue has {expected} columns")]
    Columns {
        /// The attestation.
        place: Place,
        /// Its commitments.
        found: usize,
        /// The venue's columns.
        expected: usize,
    },
    /// An epoch that is not the snapshot's instant.
    #[error("{place}: attested at {found}, the snapshot is of {expected}")]
    Epoch {
        /// The attestation.
        place: Place,
        /// Its epoch.
        found: Instant,
        /// The snapshot's instant.
        expected: Instant,
    },
    /// Signed before the epoch that it speaks of.
    #[error("{place}: signed at {time}, before its epoch {epoch}")]
    SignedBeforeEpoch {
        /// The attestation.
        place: Place,
        /// When it was signed.
        time: Instant,
        /// Its epoch.
        epoch: Instant,
    },
    /// Signed later than now.
    #[error("{place}: signed at {time}, which is after {at}")]
    FromTheFuture {
        /// The attestation.
        place: Place,
        /// When it was signed.
        time: Instant,
        /// Instant of verification.
        at: Instant,
    },
    /// No longer good.
    #[error("{place}: expired at {expiry}, it is {at}")]
    Expired {
        /// The attestation.
        place: Place,
        /// Its last instant.
        expiry: Instant,
        /// Instant of verification.
        at: Instant,
    },
    /// Made for another audience than its statement.
    #[error("{place}: made for audience {found}, the statement is made to {expected}")]
    Audience {
        /// The attestation.
        place: Place,
        /// Its audience.
        found: PublicKey,
        /// The statement's.
        expected: PublicKey,
    },
    /// Made for another credit line than its statement.
    #[error("{place}: made for book {:?}, the statement is for {:?}", found.as_str(), expected.as_str())]
    Book {
        /// The attestation.
        place: Place,
        /// Its book.
        found: Box<Book>,
        /// The statement's.
        expected: Box<Book>,
    },
    /// More accounts of a subject than its venue says there are, or attestations that say different numbers.
    #[error(
        "{place}: the venue says that the subject has {said} accounts there, the statement has {found} (the least said is {least})"
    )]
    AccountsOfSubject {
        /// An attestation.
        place: Place,
        /// What it says.
        said: u32,
        /// The least that an attestation of this subject and venue says.
        least: u32,
        /// Accounts of this subject at this venue in the statement.
        found: usize,
    },
    /// An order or deposit that is none in this universe.
    #[error("statement {statement}: {error}")]
    Terms {
        /// The statement.
        statement: usize,
        /// What is wrong.
        error: Box<TermsError>,
    },
    /// An order or deposit at a venue of which the statement has no attestation.
    #[error("statement {statement} has an order or deposit at venue {venue:?}, of which it has no attestation")]
    NothingAttestedAtVenue {
        /// The statement.
        statement: usize,
        /// The venue.
        venue: String,
    },
    /// A window that ends before it begins.
    #[error("statement {statement} ends at {until}, before it begins at {from}")]
    EmptyWindow {
        /// The statement.
        statement: usize,
        /// Its first instant.
        from: Instant,
        /// Its last instant.
        until: Instant,
    },
    /// A statement that outlives an attestation.
    #[error("{place}: expires at {expiry}, before the statement's end {until}")]
    OutlivesAttestation {
        /// The attestation.
        place: Place,
        /// Its last instant.
        expiry: Instant,
        /// The statement's.
        until: Instant,
    },
    /// Verified before the window.
    #[error("statement {statement} is not good before {from}, it is {at}")]
    NotYetGood {
        /// The statement.
        statement: usize,
        /// Its first instant.
        from: Instant,
        /// Instant of verification.
        at: Instant,
    },
    /// Verified after the window.
    #[error("statement {statement} is not good after {until}, it is {at}")]
    NoLongerGood {
        /// The statement.
        statement: usize,
        /// Its last instant.
        until: Instant,
        /// Instant of verification.
        at: Instant,
    },
}

/// Checks all statements of a bundle against the universe, the instant of the (first) snapshot, and the instant `at` of
/// verification.
///
/// # Errors
/// The first [`FactRefusal`].
pub fn check_facts(
    universe: &Universe,
    epoch: Instant,
    statements: &[&Statement],
    at: Instant,
) -> Result<(), FactRefusal> {
    let digest = universe.digest();
    let mut seen: BTreeMap<(usize, Pseudonym), Place> = BTreeMap::new();
    for (index, statement) in statements.iter().enumerate() {
        if statement.attestations.is_empty() {
            return Err(FactRefusal::NoAttestation { statement: index });
        }
        let expected = statements.first().map_or(statement.audience, |first| first.audience);
        if statement.audience != expected {
            return Err(FactRefusal::AudienceOfStatement {
                statement: index,
                found: statement.audience,
                expected,
            });
        }
        let mut last: Option<(usize, Pseudonym)> = None;
        for signed in &statement.attestations {
            let place = Place::of(index, signed.content());
            let venue = check_attestation(universe, digest, epoch, statement, signed, &place, at)?;
            // The account is known by its venue's place in the universe, not by the key that signed.
            let account = (venue, signed.content().account);
            if let Some(first) = seen.insert(account, place.clone()) {
                return Err(FactRefusal::AccountTwice {
                    first: Box::new(first),
                    second: Box::new(place),
                });
            }
            if last.is_some_and(|last| account < last) {
                return Err(FactRefusal::OutOfOrder { place });
            }
            last = Some(account);
        }
        check_counts(index, statement)?;
        check_terms(universe, index, statement)?;
        check_window(index, statement, at)?;
    }
    Ok(())
}

/// One attestation; its venue's index in the universe.
fn check_attestation(
    universe: &Universe,
    digest: Digest,
    epoch: Instant,
    statement: &Statement,
    signed: &SignedAttestation,
    place: &Place,
    at: Instant,
) -> Result<usize, FactRefusal> {
    let content = signed.content();
    let place = || place.clone();
    if content.protocol != PROTOCOL_VERSION {
        return Err(FactRefusal::Protocol {
            place: place(),
            found: content.protocol,
        });
    }
    if content.network != universe.network() {
        return Err(FactRefusal::Network {
            place: place(),
            found: content.network,
            expected: universe.network(),
        });
    }
    if content.universe != digest {
        return Err(FactRefusal::Universe {
            place: place(),
            found: content.universe,
            expected: digest,
        });
    }
    if content.k != universe.k() {
        return Err(FactRefusal::K {
            place: place(),
            found: content.k,
            expected: universe.k(),
        });
    }
    let (index, venue) = universe
        .venue(&content.venue)
        .ok_or_else(|| FactRefusal::UnknownVenue { place: place() })?;
    if !venue.keys.contains(signed.key().as_bytes()) {
        return Err(FactRefusal::KeyNotInUniverse {
            place: place(),
            key: signed.key(),
        });
    }
    if content.points.len() != venue.columns.len() {
        return Err(FactRefusal::Columns {
            place: place(),
            found: content.points.len(),
            expected: venue.columns.len(),
        });
    }
    if content.epoch != epoch {
        return Err(FactRefusal::Epoch {
            place: place(),
            found: content.epoch,
            expected: epoch,
        });
    }
    if content.time < content.epoch {
        return Err(FactRefusal::SignedBeforeEpoch {
            place: place(),
            time: content.time,
            epoch: content.epoch,
        });
    }
    if content.time > at {
        return Err(FactRefusal::FromTheFuture {
            place: place(),
            time: content.time,
            at,
        });
    }
    if content.expiry < at {
        return Err(FactRefusal::Expired {
            place: place(),
            expiry: content.expiry,
            at,
        });
    }
    if content.audience != statement.audience {
        return Err(FactRefusal::Audience {
            place: place(),
            found: content.audience,
            expected: statement.audience,
        });
    }
    if content.book != statement.book {
        let (found, expected) = (Box::new(content.book.clone()), Box::new(statement.book.clone()));
        return Err(FactRefusal::Book {
            place: place(),
            found,
            expected,
        });
    }
    if statement.window.until > content.expiry {
        return Err(FactRefusal::OutlivesAttestation {
            place: place(),
            expiry: content.expiry,
            until: statement.window.until,
        });
    }
    Ok(index)
}

/// How many accounts a venue attested for a subject in one statement.
#[derive(Copy, Clone, Debug)]
pub(crate) struct AccountCount {
    /// Attestations in the statement.
    pub(crate) found: usize,
    /// The least number that one of them says there are.
    pub(crate) least: u32,
    /// The largest number that one of them says there are.
    pub(crate) most: u32,
}

/// Per (venue, subject), what a statement has and what the venue says there is.
pub(crate) fn account_counts(statement: &Statement) -> BTreeMap<(&str, PublicKey), AccountCount> {
    let mut counts: BTreeMap<(&str, PublicKey), AccountCount> = BTreeMap::new();
    for content in statement.attestations.iter().map(SignedAttestation::content) {
        let said = content.accounts;
        let count = counts.entry((&content.venue, content.subject)).or_insert(AccountCount {
            found: 0,
            least: said,
            most: said,
        });
        *count = AccountCount {
            found: count.found + 1,
            least: count.least.min(said),
            most: count.most.max(said),
        };
    }
    counts
}

fn check_counts(index: usize, statement: &Statement) -> Result<(), FactRefusal> {
    let contents = || statement.attestations.iter().map(SignedAttestation::content);
    let venues: BTreeSet<&str> = contents().map(|content| content.venue.as_str()).collect();
    for venue in venues {
        let found = contents().filter(|content| content.venue == venue).count();
        if found > MAX_ACCOUNTS_PER_VENUE as usize {
            return Err(FactRefusal::TooManyAccounts {
                statement: index,
                venue: venue.to_owned(),
                found,
            });
        }
    }
    let counts = account_counts(statement);
    for content in contents() {
        let Some(count) = counts.get(&(content.venue.as_str(), content.subject)) else {
            continue;
        };
        if count.least != count.most || usize::try_from(count.least).is_ok_and(|least| least < count.found) {
            let (place, said) = (Place::of(index, content), content.accounts);
            return Err(FactRefusal::AccountsOfSubject {
                place,
                said,
                least: count.least,
                found: count.found,
            });
        }
    }
    Ok(())
}

fn check_terms(universe: &Universe, index: usize, statement: &Statement) -> Result<(), FactRefusal> {
    let terms = &statement.terms;
    let refused = |error| FactRefusal::Terms {
        statement: index,
        error: Box::new(error),
    };
    terms.public_amounts(universe).map_err(refused)?;
    let order = terms.order.as_ref().map(|order| &order.venue);
    let deposit = terms.deposit.as_ref().map(|deposit| &deposit.venue);
    let attested = |venue: &&String| {
        statement
            .attestations
            .iter()
            .any(|signed| signed.content().venue == **venue)
    };
    match order.into_iter().chain(deposit).find(|venue| !attested(venue)) {
        Some(venue) => Err(FactRefusal::NothingAttestedAtVenue {
            statement: index,
            venue: venue.clone(),
        }),
        None => Ok(()),
    }
}

fn check_window(index: usize, statement: &Statement, at: Instant) -> Result<(), FactRefusal> {
    let (from, until) = (statement.window.from, statement.window.until);
    if until < from {
        return Err(FactRefusal::EmptyWindow {
            statement: index,
            from,
            until,
        });
    }
    if at < from {
        return Err(FactRefusal::NotYetGood {
            statement: index,
            from,
            at,
        });
    }
    if at > until {
        return Err(FactRefusal::NoLongerGood {
            statement: index,
            until,
            at,
        });
    }
    Ok(())
}

#[cfg(test)]
mod tests;
