//! The venue's part: a signed attestation for the partner, and its opening for the trader (protocol §8).

use thiserror::Error;
use zkmargin_circuits::{CommitmentError, PROTOCOL_VERSION, Parameters, Point};
use zkmargin_risk::canonical::{Digest, is_nfc};
use zkmargin_risk::instant::Instant;
use zkmargin_risk::universe::{MAX_NAME_BYTES, Universe};
use zkmargin_verifier::book::Book;
use zkmargin_verifier::{Attestation, OpenedColumn, Opening, PublicKey, SignatureError, SignedAttestation};

use crate::keys::{KeyFile, Role};
use crate::running::RunningAccount;

/// What a venue says of an account, beside what it holds.
#[derive(Debug)]
pub struct Request<'a> {
    /// The universe.
    pub universe: &'a Universe,
    /// The commitment parameters for its `k`.
    pub parameters: &'a Parameters,
    /// The venue's key.
    pub key: &'a KeyFile,
    /// The venue's own, lasting name for the account: the audience sees a pseudonym of it, the same at every epoch.
    pub account: &'a str,
    /// Key of the holder.
    pub subject: PublicKey,
    /// How many accounts the holder has at the venue.
    pub accounts: u32,
    /// The instant at which the account held what is committed.
    pub epoch: Instant,
    /// When the venue signs.
    pub time: Instant,
    /// The last instant at which the attestation is good.
    pub expiry: Instant,
    /// Whom it is made for.
    pub audience: PublicKey,
    /// The audience's credit line.
    pub book: Book,
    /// Whether the venue holds withdrawals until the expiry.
    pub held: bool,
}

/// Why a venue does not attest.
#[derive(Debug, Error)]
pub enum AttestError {
    /// Not a venue's key.
    #[error("the key is that of {}, not of a venue", found.with_article())]
    Role {
        /// Whose it is.
        found: Role,
    },
    /// The universe has no such venue.
    #[error("the universe has no venue {0:?}")]
    UnknownVenue(String),
    /// The account was committed to in another universe.
    #[error("the account is committed to in universe {found}, this is {expected}")]
    Universe {
        /// The account's.
        found: Digest,
        /// The one given.
        expected: Digest,
    },
    /// The universe gives the venue other keys.
    #[error("the universe does not give venue {venue:?} the key {key}")]
    Key {
        /// The venue.
        venue: String,
        /// The key that would sign.
        key: PublicKey,
    },
    /// A subject or audience that cannot sign anything.
    #[error("{field}: {error}")]
    UnusableKey {
        /// `subject` or `audience`.
        field: &'static str,
        /// What is wrong.
        error: SignatureError,
    },
    /// A name of an account that is none.
    #[error("the account's name has {length} bytes, expected 1 to {MAX_NAME_BYTES}")]
    AccountName {
        /// Its length.
        length: usize,
    },
    /// A name of an account in another spelling than pseudonyms are made of: of two spellings of one name, both accounts would have one.
    #[error("the account's name {name:?} is not in Unicode's NFC")]
    Spelling {
        /// The name.
        name: String,
    },
    /// A holder without accounts.
    #[error("the subject has {0} accounts at the venue, expected at least 1")]
    Accounts(u32),
    /// Instants that are out of order.
    #[error("{earlier_field} {earlier} is after {later_field} {later}")]
    Order {
        /// What should be earlier.
        earlier_field: &'static str,
        /// Its instant.
        earlier: Instant,
        /// What should be later.
        later_field: &'static str,
        /// Its instant.
        later: Instant,
    },
    /// No commitment.
    #[error(transparent)]
    Commitment(#[from] CommitmentError),
}

/// Attests an account: every column with a fresh blind, so that no two attestations have a point or a difference in common.
///
/// # Errors
/// [`AttestError`].
pub fn attest(request: &Request<'_>, account: &RunningAccount) -> Result<(SignedAttestation, Opening), AttestError> {
    let Request {
        universe, parameters, ..
    } = request;
    let digest = universe.digest();
    if account.universe() != digest {
        return Err(AttestError::Universe {
            found: account.universe(),
            expected: digest,
        });
    }
    let name = account.venue();
    let (points, blinds) = account.commitment().blinded(parameters)?;
    let columns = account.commitment().lots().iter().zip(blinds);
    let columns = columns.map(|(lots, blind)| OpenedColumn {
        lots: lots.clone(),
        blind,
    });
    sign(request, name, points, columns.collect())
}

/// Signs what is committed already: `points`, freshly blinded, and what opens them, one entry per column of the venue.
pub(crate) fn sign(
    request: &Request<'_>,
    venue: &str,
    points: Vec<Point>,
    columns: Vec<OpenedColumn>,
) -> Result<(SignedAttestation, Opening), AttestError> {
    let Request { universe, key, .. } = request;
    let (_, listed) = universe
        .venue(venue)
        .ok_or_else(|| AttestError::UnknownVenue(venue.to_owned()))?;
    let pseudonyms = key.pseudonym_secret().ok_or(AttestError::Role { found: key.role() })?;
    if !listed.keys.contains(key.public().as_bytes()) {
        return Err(AttestError::Key {
            venue: venue.to_owned(),
            key: key.public(),
        });
    }
    check(request)?;
    let account = pseudonyms.pseudonym(request.account, &request.audience);
    let opening = Opening {
        universe: universe.digest(),
        k: universe.k(),
        venue: venue.to_owned(),
        account,
        epoch: request.epoch,
        columns,
    };
    let attestation = Attestation {
        protocol: PROTOCOL_VERSION,
        network: universe.network(),
        universe: opening.universe,
        k: opening.k,
        venue: venue.to_owned(),
        subject: request.subject,
        account,
        accounts: request.accounts,
        epoch: request.epoch,
        time: request.time,
        expiry: request.expiry,
        audience: request.audience,
        book: request.book.clone(),
        held: request.held,
        points,
    };
    Ok((attestation.sign(key.signing()), opening))
}

/// A name that an account may be attested by: short enough, and in the one spelling that its pseudonym is made of.
pub(crate) fn check_account(name: &str) -> Result<(), AttestError> {
    if !(1..=MAX_NAME_BYTES).contains(&name.len()) {
        return Err(AttestError::AccountName { length: name.len() });
    }
    if !is_nfc(name) {
        return Err(AttestError::Spelling { name: name.to_owned() });
    }
    Ok(())
}

fn check(request: &Request<'_>) -> Result<(), AttestError> {
    for (field, key) in [("subject", request.subject), ("audience", request.audience)] {
        key.check().map_err(|error| AttestError::UnusableKey { field, error })?;
    }
    check_account(request.account)?;
    if request.accounts == 0 {
        return Err(AttestError::Accounts(request.accounts));
    }
    let order = [
        ("the epoch", request.epoch),
        ("the time of signing", request.time),
        ("the expiry", request.expiry),
    ];
    for [(earlier_field, earlier), (later_field, later)] in [[order[0], order[1]], [order[1], order[2]]] {
        if earlier > later {
            return Err(AttestError::Order {
                earlier_field,
                earlier,
                later_field,
                later,
            });
        }
    }
    Ok(())
}
