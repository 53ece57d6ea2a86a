//! Why the ledger does not do what it was asked.

use thiserror::Error;
use zkmargin_circuits::{CommitmentError, ParametersError};
use zkmargin_program::LOT_BITS;
use zkmargin_risk::canonical::Digest;
use zkmargin_risk::instant::Instant;
use zkmargin_risk::universe::{MAX_NAME_BYTES, UniverseError};
use zkmargin_store::StoreError;
use zkmargin_verifier::book::Book;
use zkmargin_verifier::{AttestationError, OpeningError, PublicKey, ReleaseError, SignatureError};

use super::entry::EntryError;
use crate::attest::AttestError;
use crate::keys::Role;

/// Why not. For the venue alone: some variants show amounts of fills.
#[derive(Debug, Error)]
pub enum LedgerError {
    /// The database.
    #[error("ledger {0}")]
    Store(#[from] StoreError),
    /// The universe that the ledger holds, or is to hold.
    #[error("the ledger's universe: {0}")]
    Universe(#[from] UniverseError),
    /// The commitment parameters.
    #[error(transparent)]
    Parameters(#[from] ParametersError),
    /// A commitment.
    #[error(transparent)]
    Commitment(#[from] CommitmentError),
    /// Not a venue's key.
    #[error("the key is that of {}, not of a venue", found.with_article())]
    Role {
        /// Whose it is.
        found: Role,
    },
    /// A key of no venue.
    #[error("the universe gives no venue the key {key}")]
    Key {
        /// The key.
        key: PublicKey,
    },
    /// Another pseudonym secret: audiences would meet known accounts under new names.
    #[error(
        "the key file has another pseudonym secret than the one that the ledger was begun with: it must outlive the signing key"
    )]
    Secret,
    /// A subject or audience that cannot sign anything.
    #[error("{field}: {error}")]
    UnusableKey {
        /// Whose.
        field: &'static str,
        /// What is wrong.
        error: SignatureError,
    },
    /// The universe has no such venue.
    #[error("the universe has no venue {name:?}")]
    UnknownVenue {
        /// The ledger's venue.
        name: String,
    },
    /// An account of another venue.
    #[error("the account's file is of another venue than {expected:?}, whose ledger this is")]
    OtherVenue {
        /// The ledger's venue.
        expected: String,
    },
    /// Another process moved the ledger to another universe.
    #[error("the ledger went over to another universe meanwhile; run the command again")]
    Meanwhile,
    /// A universe in which something would move.
    #[error(
        "{what} differs between the ledger's universe and this one: a venue may only list more, behind what it lists"
    )]
    Relisted {
        /// What.
        what: String,
    },
    /// A name that is none.
    #[error("{what} {name:?} is no name: 1 to {MAX_NAME_BYTES} bytes of UTF-8 without control characters are")]
    Name {
        /// Of what.
        what: &'static str,
        /// The name, cut after 80 characters.
        name: String,
    },
    /// An account that is there.
    #[error("the ledger has an account {name:?} already")]
    AccountExists {
        /// Its name.
        name: String,
    },
    /// An account that is not there.
    #[error("the ledger has no account {name:?}")]
    UnknownAccount {
        /// The name.
        name: String,
    },
    /// A leg would leave its range.
    #[error("{name} of account {account:?} would leave the range of 2^{LOT_BITS} lots")]
    Range {
        /// Whose.
        account: String,
        /// Whose leg.
        name: String,
    },
    /// A fill with an id that is taken.
    #[error(
        "fill {id:?} of account {account:?} is recorded as {recorded}, and this one is {given}: an id stands for one fill"
    )]
    Conflict {
        /// The account.
        account: String,
        /// The id.
        id: String,
        /// What is in the ledger.
        recorded: String,
        /// What was to be imported.
        given: String,
    },
    /// Money that the venue promised not to let go.
    #[error(
        "withdrawal {id:?} of account {account:?}: the venue holds withdrawals from it until {until}, as it attested; it is {now}"
    )]
    Held {
        /// The account.
        account: String,
        /// The withdrawal's id.
        id: String,
        /// Until when.
        until: Instant,
        /// The instant gone by.
        now: Instant,
    },
    /// A fill that has not happened yet: until then nothing else could be attested, and nothing undoes it.
    #[error(
        "fill {id:?} of account {account:?} happened at {time}, and it is {now}: set the clock, or the fill's time, right"
    )]
    Future {
        /// The account.
        account: String,
        /// The fill's id.
        id: String,
        /// When it is said to have happened.
        time: Instant,
        /// The instant gone by.
        now: Instant,
    },
    /// A fill of before the account's beginning: what the account held then has it already.
    #[error(
        "fill {id:?} of account {account:?} happened at {time}, and the account began with what it held at {begun}: that has the fill already"
    )]
    BeforeBeginning {
        /// The account.
        account: String,
        /// The fill's id.
        id: String,
        /// When it happened.
        time: Instant,
        /// When the account began.
        begun: Instant,
    },
    /// What is to be imported is none.
    #[error(transparent)]
    Entry(#[from] EntryError),
    /// A fill that stops an import.
    #[error("line {line}: {error} ({recorded} of this file recorded before; the rest was not)")]
    Import {
        /// Line of the file.
        line: u64,
        /// What is wrong.
        error: Box<LedgerError>,
        /// Fills of the file that are in the ledger now and were not before.
        recorded: usize,
    },
    /// What stops an import, and is not a fill of the file.
    #[error("{error} ({recorded} of this file recorded before)")]
    Interrupted {
        /// What it is.
        error: Box<LedgerError>,
        /// Fills of the file that are in the ledger now and were not before.
        recorded: usize,
    },
    /// The clock was put back.
    #[error("it is {now}, but account {account:?} signed at {last}: set the clock right")]
    ClockBack {
        /// The account.
        account: String,
        /// The instant gone by.
        now: Instant,
        /// The last one.
        last: Instant,
    },
    /// An epoch that is not after the last.
    #[error("epoch {epoch} of account {account:?} is not after the last one, {last}{}", if epoch == last { ", which was signed on other terms or released" } else { "" })]
    Epoch {
        /// The account.
        account: String,
        /// The one asked for.
        epoch: Instant,
        /// The last.
        last: Instant,
    },
    /// An epoch before the state that would be attested.
    #[error(
        "account {account:?} began or last moved at {moved}, after the epoch {epoch}: what it held then is not what it holds"
    )]
    MovedSince {
        /// The account.
        account: String,
        /// When it began or last moved.
        moved: Instant,
        /// The epoch.
        epoch: Instant,
    },
    /// It is pledged.
    #[error(
        "account {account:?} is pledged to audience {audience}, book {book}, until {until}: no other until then, or until that audience releases it"
    )]
    Encumbered {
        /// The account.
        account: String,
        /// To whom.
        audience: PublicKey,
        /// For what.
        book: Book,
        /// Until when.
        until: Instant,
    },
    /// The attestation's terms.
    #[error(transparent)]
    Attest(#[from] AttestError),
    /// A release that the audience did not sign.
    #[error("release: {0}")]
    ReleaseSignature(SignatureError),
    /// A release of something else.
    #[error("release: {field} is {release}, expected {expected}")]
    Release {
        /// The field.
        field: &'static str,
        /// The release's.
        release: String,
        /// The attestation's or the ledger's.
        expected: String,
    },
    /// A release of an attestation that this ledger did not sign.
    #[error("release: the ledger signed no attestation {0}")]
    UnknownAttestation(Digest),
    /// A release of an attestation that was refreshed since.
    #[error(
        "release: of attestation {release}, but {last} is the account's last, and that is what an audience releases"
    )]
    NotTheLast {
        /// The release's.
        release: Digest,
        /// The last one.
        last: Digest,
    },
    /// What the database holds is not what was written.
    #[error("the ledger is damaged: {what}; run the audit")]
    Damaged {
        /// What does not fit.
        what: String,
    },
}

impl From<OpeningError> for LedgerError {
    fn from(error: OpeningError) -> LedgerError {
        LedgerError::Damaged {
            what: error.to_string(),
        }
    }
}

impl From<AttestationError> for LedgerError {
    fn from(error: AttestationError) -> LedgerError {
        LedgerError::Damaged {
            what: error.to_string(),
        }
    }
}

impl From<ReleaseError> for LedgerError {
    fn from(error: ReleaseError) -> LedgerError {
        LedgerError::Damaged {
            what: error.to_string(),
        }
    }
}
