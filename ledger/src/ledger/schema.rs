//! The tables.

use zkmargin_store::Schema;

/// Instants are Unix milliseconds. A *slot* is column × rows + row, counted from the venue's first column.
pub(crate) const SCHEMA: Schema = Schema {
    application: "ledger",
    migrations: &[FIRST],
};

/// - `universes`: every one that the ledger has had, since old attestations are signed with the keys of old ones.
/// - `venue`: one row; `digest` is that of the universe that it has; `secret_check` tells the pseudonym secret from another.
/// - `accounts`: `begun` at the instant of what it held before the first fill, if anything; `epoch` of the last attestation, `clock` at the last signature,
///   `moved` of the latest fill, or of its beginning.
/// - `commitments`: to a column of an account, with a blind that never leaves the venue.
/// - `legs`: what is held now, `beginnings` what was held before the first fill; rows that hold nothing are not there.
/// - `fills`: `after_epoch` is the epoch of the account's last attestation when the fill was recorded, `-1` if there was none.
/// - `attestations`: whole files, and the opening; `ended` by a release.
/// - `encumbrances`: at most one per account, by its key.
const FIRST: &str = "
CREATE TABLE universes (
    digest BLOB PRIMARY KEY,
    text TEXT NOT NULL
);
CREATE TABLE venue (
    one BIGINT PRIMARY KEY CHECK (one = 1),
    name TEXT NOT NULL,
    digest BLOB NOT NULL REFERENCES universes (digest),
    secret_check BLOB NOT NULL
);
CREATE TABLE accounts (
    name TEXT PRIMARY KEY,
    subject BLOB NOT NULL,
    begun BIGINT,
    epoch BIGINT,
    clock BIGINT,
    moved BIGINT
);
CREATE INDEX accounts_by_subject ON accounts (subject);
CREATE TABLE commitments (
    account TEXT NOT NULL REFERENCES accounts (name),
    place BIGINT NOT NULL,
    point BLOB NOT NULL,
    blind BLOB NOT NULL,
    PRIMARY KEY (account, place)
);
CREATE TABLE legs (
    account TEXT NOT NULL REFERENCES accounts (name),
    slot BIGINT NOT NULL,
    lots BIGINT NOT NULL CHECK (lots > 0 AND lots < 281474976710656),
    PRIMARY KEY (account, slot)
);
CREATE TABLE beginnings (
    account TEXT NOT NULL REFERENCES accounts (name),
    slot BIGINT NOT NULL,
    lots BIGINT NOT NULL CHECK (lots > 0 AND lots < 281474976710656),
    PRIMARY KEY (account, slot)
);
CREATE TABLE fills (
    account TEXT NOT NULL REFERENCES accounts (name),
    id TEXT NOT NULL,
    instant BIGINT NOT NULL,
    content TEXT NOT NULL,
    after_epoch BIGINT NOT NULL,
    PRIMARY KEY (account, id)
);
CREATE TABLE attestations (
    digest BLOB PRIMARY KEY,
    account TEXT NOT NULL REFERENCES accounts (name),
    epoch BIGINT NOT NULL,
    audience BLOB NOT NULL,
    book TEXT NOT NULL,
    file BLOB NOT NULL,
    opening BLOB NOT NULL,
    ended BIGINT,
    release_file BLOB,
    UNIQUE (account, epoch)
);
CREATE TABLE encumbrances (
    account TEXT PRIMARY KEY REFERENCES accounts (name),
    attestation BLOB NOT NULL REFERENCES attestations (digest),
    audience BLOB NOT NULL,
    book TEXT NOT NULL,
    until BIGINT NOT NULL,
    held_until BIGINT
)";
