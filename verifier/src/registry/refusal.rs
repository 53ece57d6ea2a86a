//! Why a registry takes nothing, or finds nothing.

use thiserror::Error;
use zkmargin_risk::canonical::Digest;
use zkmargin_risk::instant::Instant;
use zkmargin_risk::universe::Network;
use zkmargin_store::StoreError;

use crate::book::Book;
use crate::dsse::{PublicKey, SignatureError};
use crate::registry::Account;
use crate::verify::{VerifyError, exit};
use crate::words::network;

/// Why the registry does not take a valid bundle. `statement` counts from 0, its message from 1.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum RegistryRefusal {
    /// The same statement again, whatever its proof.
    #[error("statement {} is {digest}, which was accepted at {accepted} already", statement + 1)]
    AlreadyAccepted {
        /// The statement.
        statement: usize,
        /// Its digest.
        digest: Digest,
        /// When it was accepted.
        accepted: Instant,
    },
    /// The nonce was used.
    #[error("nonce {nonce} was used at {used} already: draw one for every proof")]
    NonceUsed {
        /// The nonce, in hexadecimal.
        nonce: String,
        /// When.
        used: Instant,
    },
    /// The statement that it takes the place of was never accepted.
    #[error("statement {} takes the place of {replaces}, which was never accepted", statement + 1)]
    ReplacesUnknown {
        /// The statement.
        statement: usize,
        /// What it names.
        replaces: Digest,
    },
    /// The statement that it takes the place of has been replaced.
    #[error("statement {} takes the place of {replaces}, which {by} took already", statement + 1)]
    AlreadyReplaced {
        /// The statement.
        statement: usize,
        /// What it names.
        replaces: Digest,
        /// What took its place.
        by: Digest,
    },
    /// The statement that it takes the place of has lapsed.
    #[error("statement {} takes the place of {replaces}, which lapsed at {lapsed}: there is nothing left to replace", statement + 1)]
    ReplacesLapsed {
        /// The statement.
        statement: usize,
        /// What it names.
        replaces: Digest,
        /// When it lapsed.
        lapsed: Instant,
    },
    /// The statement that it takes the place of is for another credit line.
    #[error("statement {} is for book {:?} and takes the place of {replaces}, which is for {:?}", statement + 1, found.as_str(), expected)]
    ReplacesOtherBook {
        /// The statement.
        statement: usize,
        /// What it names.
        replaces: Digest,
        /// Its book.
        found: Book,
        /// The other's.
        expected: String,
    },
    /// Everything that it takes the place of was given back.
    #[error("statement {} takes the place of {replaces}, of which every account was given back: there is nothing left to replace", statement + 1)]
    ReplacesReleased {
        /// The statement.
        statement: usize,
        /// What it names.
        replaces: Digest,
    },
    /// A statement of variation, or one that follows one, that does not go on where the account's last statement ended.
    #[error(
        "statement {}: account {} at {:?} is shown from {} on (snapshot {}), and its last statement, {before}, ended at {} (snapshot {}): a series of variation has no gap",
        statement + 1, account.account, account.venue, from.1, from.0, spoken.1, spoken.0
    )]
    SeriesBroken {
        /// The statement.
        statement: usize,
        /// The account.
        account: Box<Account>,
        /// Its last statement.
        before: Digest,
        /// The first snapshot of the statement, and the instant of that.
        from: Box<(Digest, Instant)>,
        /// The snapshot up to which the other speaks.
        spoken: Box<(Digest, Instant)>,
    },
    /// The statement that it takes the place of supposes something, and stands for nothing.
    #[error("statement {} takes the place of {replaces}, which supposes an order or deposit and stands for nothing", statement + 1)]
    ReplacesSupposed {
        /// The statement.
        statement: usize,
        /// What it names.
        replaces: Digest,
    },
    /// A statement that leaves an account out of a series of variation that was not given back.
    #[error(
        "statement {} takes the place of {replaces} without account {} at {:?}: what it lost would be called of nobody; release it first",
        statement + 1, account.account, account.venue
    )]
    VariationWithout {
        /// The statement.
        statement: usize,
        /// What it names.
        replaces: Digest,
        /// The account.
        account: Box<Account>,
    },
    /// The statement that it takes the place of is somebody else's.
    #[error("statement {} takes the place of {replaces}, with which it has no subject in common", statement + 1)]
    ReplacesStranger {
        /// The statement.
        statement: usize,
        /// What it names.
        replaces: Digest,
    },
    /// An account that was given back.
    #[error(
        "statement {}: account {} at {:?} was attested at {attested} and given back at {released}", statement + 1, account.account, account.venue
    )]
    Released {
        /// The statement.
        statement: usize,
        /// The account.
        account: Box<Account>,
        /// When the attestation was signed that the statement rests on.
        attested: Instant,
        /// When the partner released what had been attested by then.
        released: Instant,
    },
    /// An account stands in a statement that has not lapsed; if this one only supposes something, in one of another book.
    #[error(
        "statement {}: account {} at {:?} stands in {live} for book {book:?}, good until {until} and called until {lapses}, which it does not take the place of",
        statement + 1, account.account, account.venue
    )]
    InLiveStatement {
        /// The statement.
        statement: usize,
        /// The account.
        account: Box<Account>,
        /// The live statement.
        live: Digest,
        /// Its book.
        book: String,
        /// Its last instant.
        until: Instant,
        /// The last instant at which a call for another may be answered.
        lapses: Instant,
    },
    /// An epoch before one that was accepted.
    #[error(
        "statement {}: account {} at {:?} is of epoch {found}, one of {last} was accepted", statement + 1, account.account, account.venue
    )]
    EpochRollback {
        /// The statement.
        statement: usize,
        /// The account.
        account: Box<Account>,
        /// Its epoch.
        found: Instant,
        /// The last one accepted.
        last: Instant,
    },
    /// Another snapshot of an epoch that was accepted.
    #[error(
        "statement {}: account {} at {:?} is on snapshot {found}, at its epoch {last} was accepted", statement + 1, account.account, account.venue
    )]
    OtherSnapshot {
        /// The statement.
        statement: usize,
        /// The account.
        account: Box<Account>,
        /// Its snapshot.
        found: Digest,
        /// The one accepted.
        last: Digest,
    },
}

/// Why nothing was accepted, or nothing found.
#[derive(Debug, Error)]
pub enum RegistryError {
    /// The bundle is refused.
    #[error(transparent)]
    Verify(#[from] Box<VerifyError>),
    /// The bundle is good, and does not fit what was accepted before.
    #[error(transparent)]
    Refused(#[from] RegistryRefusal),
    /// The policy does not say when proofs are due.
    #[error("the policy has no `calls`: a registry must know when a proof is due again")]
    NoCalls,
    /// A release that is not one of this partner's.
    #[error("the release is by audience {found} on network {}, the registry of {expected} on {}", network(*on), network(*expected_on))]
    OthersRelease {
        /// Who released.
        found: PublicKey,
        /// On which network.
        on: Network,
        /// Whose the registry is.
        expected: PublicKey,
        /// The registry's network.
        expected_on: Network,
    },
    /// A release of what is still to come.
    #[error("the release is of {time}, it is {at}: a release is not recorded before its time")]
    EarlyRelease {
        /// The release's time.
        time: Instant,
        /// By the clock, and the registry's if that is later.
        at: Instant,
    },
    /// A release that its audience did not sign.
    #[error("the release: {0}")]
    ReleaseSignature(#[from] SignatureError),
    /// It is somebody else's.
    #[error("the registry is of audience {found} on network {}, the policy of {expected} on {}", network(*on), network(*expected_on))]
    OtherPartner {
        /// Whose it is.
        found: PublicKey,
        /// Of which network.
        on: Network,
        /// The policy's audience.
        expected: PublicKey,
        /// The policy's network.
        expected_on: Network,
    },
    /// No such account was ever accepted.
    #[error("no statement about account {} at {:?} was accepted by {at}", account.account, account.venue)]
    UnknownAccount {
        /// The account.
        account: Account,
        /// Until when it was looked for.
        at: Instant,
    },
    /// No such statement was ever accepted.
    #[error("no statement {digest} was accepted")]
    UnknownStatement {
        /// Its digest.
        digest: Digest,
    },
    /// A value in the database that this build did not write.
    #[error("the registry's {field} of a row is not what it should be: {value}")]
    Row {
        /// Which.
        field: &'static str,
        /// What it is.
        value: String,
    },
    /// The database.
    #[error("registry: {0}")]
    Store(#[from] StoreError),
}

impl RegistryError {
    /// Whether it is the bundle that was refused, and not the registry that failed.
    pub fn is_refusal(&self) -> bool {
        matches!(self, RegistryError::Verify(_) | RegistryError::Refused(_))
    }

    /// The exit code that says what kind of error this is.
    pub fn exit_code(&self) -> u8 {
        match self {
            RegistryError::Verify(error) => error.exit_code(),
            RegistryError::Refused(_) => exit::POLICY,
            RegistryError::ReleaseSignature(_) => exit::PROOF,
            RegistryError::EarlyRelease { .. } => exit::POLICY,
            _ => exit::USAGE,
        }
    }
}
