//! Whether statements and their attestations fit the verifier's own facts, whatever its policy says (protocol §8).
//!
//! Complete and disjoint, one party, one instant: an account counts once, all attestations are of the snapshot's instant, of
//! this universe, and made for the audience and book of their statement, and no statement outlives one of them. Signatures
//! and policy are checked elsewhere.

use std::collections::{BTreeMap, BTreeSet};

use zkmargin_circuits::PROTOCOL_VERSION;
use zkmargin_program::MAX_ACCOUNTS_PER_VENUE;
use zkmargin_risk::canonical::Digest;
use zkmargin_risk::instant::Instant;
use zkmargin_risk::universe::Universe;

use crate::attestation::{Pseudonym, SignedAttestation};
use crate::dsse::PublicKey;
use crate::statement::Statement;

mod refusal;

pub use refusal::{FactRefusal, Place, UnusableVenueKey};

/// Whether every key of a universe's venues can sign. Both tools refuse a universe in which one cannot: nobody can have meant it. A signature by such a
/// key verifies nowhere.
///
/// # Errors
/// The first [`UnusableVenueKey`].
pub fn check_venue_keys(universe: &Universe) -> Result<(), UnusableVenueKey> {
    for venue in universe.venues() {
        for key in &venue.keys {
            PublicKey(*key).check().map_err(|error| UnusableVenueKey {
                venue: venue.name.clone(),
                error,
            })?;
        }
    }
    Ok(())
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
                return Err(FactRefusal::OutOfOrder { place: Box::new(place) });
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
    let place = || Box::new(place.clone());
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
            let (place, said) = (Box::new(Place::of(index, content)), content.accounts);
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
