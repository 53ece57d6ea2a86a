//! What a venue keeps and signs: fills, running commitments, attestations, and the ledger that remembers what was pledged to whom.
//!
//! Two ways lead to an attestation. On files, for a few accounts: an account or a [running commitment](running) is
//! [attested](attest()), and the venue itself remembers what it signed. In a database, with the feature `database`: a ledger holds all accounts of
//! a venue, keeps their commitments fill by fill, and refuses to pledge one account twice.
//!
//! - [`keys`]: key files of venues, subjects, audiences and publishers;
//! - [`fill`], [`running`]: what moves an account, and its commitment on file;
//! - [`mod@attest`]: a signed attestation and its opening;
//! - `ledger`: all of it in a database.

/// A `Debug` that shows nothing but the type's name. It stands before the modules, which use it.
macro_rules! opaque_debug {
    ($($secret:ident)*) => {$(
        impl std::fmt::Debug for $secret {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.debug_struct(stringify!($secret)).finish_non_exhaustive()
            }
        }
    )*};
}

pub mod attest;
pub mod fill;
pub mod keys;
#[cfg(feature = "database")]
pub mod ledger;
pub mod running;

#[cfg(feature = "database")]
pub use ledger::{Ledger, LedgerError};

pub use attest::{AttestError, attest};
