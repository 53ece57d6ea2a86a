//! The policy file: what a partner accepts, in JSON.
//!
//! Every field must be there, but for `max_validity`, `breaker` and `calls`, and none may be unknown, so that a policy says in full what it means:
//!
//! ```json
//! {
//!   "network": "test",
//!   "audience": "5866666666666666666666666666666666666666666666666666666666666666",
//!   "books": ["line-1"],
//!   "universes": ["<digest of an accepted universe>"],
//!   "venues": { "options-venue": ["<accepted key>"], "futures-venue": ["<accepted key>"] },
//!   "required_venues": ["options-venue"],
//!   "subject_groups": [["<key>", "<key of the same party>"]],
//!   "all_accounts": true,
//!   "held": true,
//!   "hypothetical_orders": false,
//!   "hypothetical_deposits": false,
//!   "models": ["<digest of an accepted model>"],
//!   "snapshots": "given",
//!   "level": "maintenance",
//!   "ratio": "1.05",
//!   "excess": "1000",
//!   "max_snapshot_age": "10m",
//!   "max_attestation_age": "10m",
//!   "nonce": "required"
//! }
//! ```

use std::collections::{BTreeMap, BTreeSet};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use thiserror::Error;
use zkmargin_risk::canonical::Digest;
use zkmargin_risk::terms::{Margin, Ratio20};
use zkmargin_risk::universe::Network;

use crate::age::Age;
use crate::book::Book;
use crate::breaker::{Limits, LimitsError};
use crate::dsse::{PublicKey, SignatureError};
use crate::keys::Keys;
use crate::published::Publishers;

/// Most bytes of a policy file.
pub const MAX_POLICY_BYTES: usize = 1 << 20;

/// What a partner accepts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Policy {
    /// The network, `main` or `test`.
    pub network: Network,
    /// The partner's own key: whom statements must be made to.
    pub audience: PublicKey,
    /// The partner's credit lines that a statement may support.
    pub books: BTreeSet<Book>,
    /// Digests of the accepted universes.
    pub universes: BTreeSet<Digest>,
    /// Accepted venues by name, with the keys accepted for each and the times for which they are. A signature must be by a key that is here
    /// and in the universe.
    #[serde(with = "zkmargin_risk::json::unique")]
    #[schemars(with = "BTreeMap<String, Keys>")]
    pub venues: BTreeMap<String, Keys>,
    /// Venues that every statement must have an attestation of.
    pub required_venues: BTreeSet<String>,
    /// Subjects that are one party. A statement about several subjects is accepted only if one group has them all.
    pub subject_groups: Vec<BTreeSet<PublicKey>>,
    /// Whether a statement must have all accounts of its party at each venue that it names. A party is a subject, or a whole group: each
    /// subject of it must then have an account at each of the venues.
    pub all_accounts: bool,
    /// Whether every venue must hold withdrawals until its attestation expires.
    pub held: bool,
    /// Whether a statement may add an order to the book. It may never be made, or not at the price that it states: a
    /// statement with one says only what would be so after it.
    pub hypothetical_orders: bool,
    /// Whether a statement may add a deposit to the book, with the same caution.
    pub hypothetical_deposits: bool,
    /// Digests of the accepted models.
    pub models: BTreeSet<Digest>,
    /// Which snapshots are accepted.
    pub snapshots: AcceptedSnapshots,
    /// The least level: `initial` is more than `maintenance`; or `variation`, which is neither.
    #[serde(with = "as_text")]
    #[schemars(with = "String")]
    pub level: Margin,
    /// The least ratio, a decimal in steps of 0.05 from 1.
    #[serde(with = "as_text")]
    #[schemars(with = "String")]
    pub ratio: Ratio20,
    /// The least excess, in whole units of the model's numéraire.
    #[serde(with = "whole_units")]
    #[schemars(with = "String")]
    pub excess: u64,
    /// The oldest snapshot that is accepted.
    pub max_snapshot_age: Age,
    /// How long after its snapshot a statement may be good; absent where the expiry of its attestations alone bounds that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_validity: Option<Age>,
    /// The oldest attestation that is accepted, by the time at which its venue signed.
    pub max_attestation_age: Age,
    /// Whether a statement must carry a nonce that the partner drew.
    pub nonce: NonceRule,
    /// Limits of the circuit breaker; absent where there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub breaker: Option<Limits>,
    /// When a proof is due again; absent where no registry keeps what was accepted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub calls: Option<Calls>,
}

/// When a proof is due again, and how late it may be. A statement is good to the end of its window; a late successor is a margin call.
#[derive(Copy, Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Calls {
    /// How long before the end of a statement its successor is due.
    pub notice: Age,
    /// How long after the end of a statement its account is called, before it lapses.
    pub grace: Age,
}

/// Which snapshots a policy accepts. A bundle never supplies one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum AcceptedSnapshots {
    /// The partner's own copy, given to the verifier beside the bundle.
    Given,
    /// Those with these digests.
    #[serde(untagged)]
    Listed(BTreeSet<Digest>),
    /// The partner's own copy, signed by so many of these publishers.
    #[serde(untagged)]
    Signed(#[serde(deserialize_with = "crate::keys::object")] Publishers),
}

/// What a policy says of nonces.
#[derive(Copy, Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum NonceRule {
    /// The verifier must be told the nonce that it drew, and every statement must carry it.
    Required,
    /// Any nonce will do, unless the verifier is told one all the same.
    Waived,
}

/// Why a policy file is none, or one that nothing could satisfy.
#[derive(Debug, Error)]
pub enum PolicyFileError {
    /// More bytes than a policy file may have.
    #[error("policy: {length} bytes are more than the {MAX_POLICY_BYTES} that a policy file may have")]
    TooLarge {
        /// Bytes given.
        length: usize,
    },
    /// Not JSON of the format; the message has line and column.
    #[error("policy: {0}")]
    Json(#[from] serde_json::Error),
    /// A list without which nothing can be accepted is empty.
    #[error("policy: {field} is empty: nothing could be accepted")]
    Empty {
        /// The field.
        field: String,
    },
    /// More or fewer signatures than there are publishers are demanded.
    #[error("policy: snapshots: signed_by is {signed_by}, expected 1 to {publishers}, the number of publishers")]
    Publishers {
        /// How many must have signed.
        signed_by: usize,
        /// How many publishers there are.
        publishers: usize,
    },
    /// A required venue that is not accepted.
    #[error("policy: required_venues has {venue:?}, which is not among venues")]
    RequiredVenue {
        /// The venue.
        venue: String,
    },
    /// Limits of a circuit breaker that are none.
    #[error("policy: {0}")]
    Breaker(#[from] LimitsError),
    /// A key that can sign nothing.
    #[error("policy: {field}: {error}")]
    Key {
        /// Where it stands.
        field: String,
        /// What is wrong with it.
        error: SignatureError,
    },
    /// One key stands for two venues.
    #[error("policy: venues {first:?} and {second:?} have the same key {key}")]
    SharedKey {
        /// A venue.
        first: String,
        /// Another.
        second: String,
        /// Their key.
        key: PublicKey,
    },
    /// A group of nobody.
    #[error("policy: subject_groups: group {group} of {groups} is empty: a group has at least one subject")]
    EmptyGroup {
        /// Which group, from 1.
        group: usize,
        /// How many groups there are.
        groups: usize,
    },
    /// A subject in two groups: which party is it?
    #[error("policy: subject {subject} is in more than one group")]
    SubjectInTwoGroups {
        /// The subject.
        subject: PublicKey,
    },
}

impl Policy {
    /// Reads and checks a policy file.
    ///
    /// # Errors
    /// [`PolicyFileError`].
    pub fn from_json(text: &[u8]) -> Result<Policy, PolicyFileError> {
        if text.len() > MAX_POLICY_BYTES {
            return Err(PolicyFileError::TooLarge { length: text.len() });
        }
        let policy: Policy = zkmargin_risk::json::from_slice(text)?;
        policy.check()?;
        Ok(policy)
    }

    /// The JSON file.
    ///
    /// # Errors
    /// None that a policy can cause.
    pub fn to_json(&self) -> Result<String, serde_json::Error> {
        serde_json::to_string_pretty(self).map(|text| text + "\n")
    }

    /// Refuses what contradicts itself or could accept nothing. Whoever goes by a policy asks this first, since not every policy was
    /// [read](Self::from_json) from a file by itself.
    ///
    /// # Errors
    /// [`PolicyFileError`].
    pub fn check(&self) -> Result<(), PolicyFileError> {
        let no_snapshot = matches!(&self.snapshots, AcceptedSnapshots::Listed(digests) if digests.is_empty());
        let lists = [
            ("books", self.books.is_empty()),
            ("universes", self.universes.is_empty()),
            ("venues", self.venues.is_empty()),
            ("models", self.models.is_empty()),
            ("snapshots", no_snapshot),
        ];
        if let Some((field, _)) = lists.iter().find(|(_, empty)| *empty) {
            return Err(PolicyFileError::Empty {
                field: (*field).to_owned(),
            });
        }
        let usable = |field: &str, key: &PublicKey| {
            key.check().map_err(|error| PolicyFileError::Key {
                field: field.to_owned(),
                error,
            })
        };
        usable("audience", &self.audience)?;
        if let Some(limits) = &self.breaker {
            limits.check()?;
        }
        if let AcceptedSnapshots::Signed(Publishers { signed_by, of }) = &self.snapshots {
            of.iter().try_for_each(|key| usable("snapshots", &key))?;
            if !(1..=of.len()).contains(signed_by) {
                return Err(PolicyFileError::Publishers {
                    signed_by: *signed_by,
                    publishers: of.len(),
                });
            }
        }
        let mut owners: BTreeMap<PublicKey, &str> = BTreeMap::new();
        for (venue, keys) in &self.venues {
            if keys.is_empty() {
                return Err(PolicyFileError::Empty {
                    field: format!("the list of keys of venue {venue:?}"),
                });
            }
            for key in keys.iter() {
                usable(&format!("venue {venue:?}"), &key)?;
                if let Some(first) = owners.insert(key, venue) {
                    return Err(PolicyFileError::SharedKey {
                        first: first.to_owned(),
                        second: venue.clone(),
                        key,
                    });
                }
            }
        }
        if let Some(venue) = self
            .required_venues
            .iter()
            .find(|venue| !self.venues.contains_key(*venue))
        {
            return Err(PolicyFileError::RequiredVenue { venue: venue.clone() });
        }
        if let Some(place) = self.subject_groups.iter().position(BTreeSet::is_empty) {
            return Err(PolicyFileError::EmptyGroup {
                group: place + 1,
                groups: self.subject_groups.len(),
            });
        }
        let mut grouped = BTreeSet::new();
        for subject in self.subject_groups.iter().flatten() {
            usable("subject_groups", subject)?;
            if !grouped.insert(*subject) {
                return Err(PolicyFileError::SubjectInTwoGroups { subject: *subject });
            }
        }
        Ok(())
    }
}

/// What has one text form, as that text.
pub(crate) mod as_text {
    use std::fmt::Display;
    use std::str::FromStr;

    use serde::{Deserialize, Deserializer, Serializer};

    pub(crate) fn serialize<T: Display, S: Serializer>(value: &T, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(value)
    }

    pub(crate) fn deserialize<'de, T: FromStr<Err: Display>, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<T, D::Error> {
        String::deserialize(deserializer)?
            .parse()
            .map_err(serde::de::Error::custom)
    }
}

/// A whole number of units as text: amounts are strings in every file.
mod whole_units {
    use serde::{Deserialize, Deserializer, Serializer};

    pub(super) fn serialize<S: Serializer>(units: &u64, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(units)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u64, D::Error> {
        let text = String::deserialize(deserializer)?;
        let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        let units = text.parse().ok().filter(|_| digits);
        units.ok_or_else(|| serde::de::Error::custom(format!("{text:?} is no whole number of units")))
    }
}

#[cfg(test)]
mod tests;
