//! Why statements do not fit the facts, and where.

use std::fmt;

use thiserror::Error;
use zkmargin_circuits::PROTOCOL_VERSION;
use zkmargin_program::MAX_ACCOUNTS_PER_VENUE;
use zkmargin_risk::canonical::Digest;
use zkmargin_risk::instant::Instant;
use zkmargin_risk::terms::TermsError;
use zkmargin_risk::universe::Network;

use crate::attestation::{Attestation, Pseudonym};
use crate::book::Book;
use crate::dsse::{PublicKey, SignatureError};
use crate::words::{counted, network};

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
            self.statement + 1,
            self.venue,
            self.account
        )
    }
}

/// A venue's key in a universe that can sign nothing.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("venue {venue:?}: {error}")]
pub struct UnusableVenueKey {
    /// The venue.
    pub venue: String,
    /// Its key, and what is wrong with it.
    pub error: SignatureError,
}

/// Why statements do not fit the facts. `at` is the instant of verification; `statement` counts from 0, its message from 1.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum FactRefusal {
    /// A statement about no account at all.
    #[error("statement {} has no attestation: it is about no account", statement + 1)]
    NoAttestation {
        /// The statement.
        statement: usize,
    },
    /// The statements of one bundle are made to different audiences.
    #[error("statement {} is made to audience {found}, the first statement to {expected}", statement + 1)]
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
        place: Box<Place>,
    },
    /// A key that is not the venue's in the universe.
    #[error("{place}: the universe does not give this venue the key {key}")]
    KeyNotInUniverse {
        /// The attestation.
        place: Box<Place>,
        /// The key that is said to have signed.
        key: PublicKey,
    },
    /// One account twice: in one statement, or in two of the bundle.
    #[error("{second}: this account counts already in statement {}", first.statement + 1)]
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
        place: Box<Place>,
    },
    /// More accounts at one venue than the no-wrap bound allows for.
    #[error(
        "statement {} adds {found} accounts at venue {venue:?}, at most {MAX_ACCOUNTS_PER_VENUE} are allowed", statement + 1
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
        place: Box<Place>,
        /// Its version.
        found: u32,
    },
    /// Another network.
    #[error("{place}: attested for network {}, the universe is of {}", network(*found), network(*expected))]
    Network {
        /// The attestation.
        place: Box<Place>,
        /// Its network.
        found: Network,
        /// The universe's.
        expected: Network,
    },
    /// Another universe.
    #[error("{place}: attested for universe {found}, this is {expected}")]
    Universe {
        /// The attestation.
        place: Box<Place>,
        /// Its universe.
        found: Digest,
        /// The verifier's.
        expected: Digest,
    },
    /// Another `k`.
    #[error("{place}: attested for k = {found}, the universe has {expected}")]
    K {
        /// The attestation.
        place: Box<Place>,
        /// Its `k`.
        found: u32,
        /// The universe's.
        expected: u32,
    },
    /// Not one commitment per column of the venue.
    #[error(
        "{place}: {}, the venue has {}",
        counted(found, "commitment"),
        counted(expected, "column")
    )]
    Columns {
        /// The attestation.
        place: Box<Place>,
        /// Its commitments.
        found: usize,
        /// The venue's columns.
        expected: usize,
    },
    /// An epoch that is not the snapshot's instant.
    #[error("{place}: attested at {found}, the snapshot is of {expected}")]
    Epoch {
        /// The attestation.
        place: Box<Place>,
        /// Its epoch.
        found: Instant,
        /// The snapshot's instant.
        expected: Instant,
    },
    /// Signed before the epoch that it speaks of.
    #[error("{place}: signed at {time}, before its epoch {epoch}")]
    SignedBeforeEpoch {
        /// The attestation.
        place: Box<Place>,
        /// When it was signed.
        time: Instant,
        /// Its epoch.
        epoch: Instant,
    },
    /// Signed later than now.
    #[error("{place}: signed at {time}, which is after {at}")]
    FromTheFuture {
        /// The attestation.
        place: Box<Place>,
        /// When it was signed.
        time: Instant,
        /// Instant of verification.
        at: Instant,
    },
    /// No longer good.
    #[error("{place}: expired at {expiry}, it is {at}")]
    Expired {
        /// The attestation.
        place: Box<Place>,
        /// Its last instant.
        expiry: Instant,
        /// Instant of verification.
        at: Instant,
    },
    /// Made for another audience than its statement.
    #[error("{place}: made for audience {found}, the statement is made to {expected}")]
    Audience {
        /// The attestation.
        place: Box<Place>,
        /// Its audience.
        found: PublicKey,
        /// The statement's.
        expected: PublicKey,
    },
    /// Made for another credit line than its statement.
    #[error("{place}: made for book {:?}, the statement is for {:?}", found.as_str(), expected.as_str())]
    Book {
        /// The attestation.
        place: Box<Place>,
        /// Its book.
        found: Box<Book>,
        /// The statement's.
        expected: Box<Book>,
    },
    /// More accounts of a subject than its venue says there are, or attestations that say different numbers.
    #[error(
        "{place}: the venue says that the subject has {} there, the statement has {found} (the least said is {least})",
        counted(said, "account")
    )]
    AccountsOfSubject {
        /// An attestation.
        place: Box<Place>,
        /// What it says.
        said: u32,
        /// The least that an attestation of this subject and venue says.
        least: u32,
        /// Accounts of this subject at this venue in the statement.
        found: usize,
    },
    /// An order or deposit that is none in this universe.
    #[error("statement {}: {error}", statement + 1)]
    Terms {
        /// The statement.
        statement: usize,
        /// What is wrong.
        error: Box<TermsError>,
    },
    /// An order or deposit at a venue of which the statement has no attestation.
    #[error("statement {} has an order or deposit at venue {venue:?}, of which it has no attestation", statement + 1)]
    NothingAttestedAtVenue {
        /// The statement.
        statement: usize,
        /// The venue.
        venue: String,
    },
    /// A window that ends before it begins.
    #[error("statement {} ends at {until}, before it begins at {from}", statement + 1)]
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
        place: Box<Place>,
        /// Its last instant.
        expiry: Instant,
        /// The statement's.
        until: Instant,
    },
    /// Verified before the window.
    #[error("statement {} is not good before {from}, it is {at}", statement + 1)]
    NotYetGood {
        /// The statement.
        statement: usize,
        /// Its first instant.
        from: Instant,
        /// Instant of verification.
        at: Instant,
    },
    /// Verified after the window.
    #[error("statement {} is not good after {until}, it is {at}", statement + 1)]
    NoLongerGood {
        /// The statement.
        statement: usize,
        /// Its last instant.
        until: Instant,
        /// Instant of verification.
        at: Instant,
    },
}
