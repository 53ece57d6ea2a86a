//! The policy file: what a partner accepts, in JSON.
//!
//! Every field must be there and none may be unknown, so that a policy says in full what it means:
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
use crate::dsse::{PublicKey, SignatureError};

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
    /// Accepted venues by name, with the keys accepted for each. A signature must be by a key that is here and in the universe.
    #[serde(with = "zkmargin_risk::json::unique")]
    #[schemars(with = "BTreeMap<String, BTreeSet<PublicKey>>")]
    pub venues: BTreeMap<String, BTreeSet<PublicKey>>,
    /// Venues that every statement must have an attestation of.
    pub required_venues: BTreeSet<String>,
    /// Subjects that are one party. A statement about several subjects is accepted only if one group has them all.
    pub subject_groups: Vec<BTreeSet<PublicKey>>,
    /// Whether a statement must have all accounts that a subject has at each venue that it names.
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
    /// The oldest attestation that is accepted, by the time at which its venue signed.
    pub max_attestation_age: Age,
    /// Whether a statement must carry a nonce that the partner drew.
    pub nonce: NonceRule,
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
    /// A required venue that is not accepted.
    #[error("policy: required_venues has {venue:?}, which is not among venues")]
    RequiredVenue {
        /// The venue.
        venue: String,
    },
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
        policy.check_itself()?;
        Ok(policy)
    }

    /// The JSON file.
    ///
    /// # Errors
    /// None that a policy can cause.
    pub fn to_json(&self) -> Result<String, serde_json::Error> {
        serde_json::to_string_pretty(self).map(|text| text + "\n")
    }

    /// Refuses what contradicts itself or could accept nothing: a slip that would otherwise show as odd refusals later.
    fn check_itself(&self) -> Result<(), PolicyFileError> {
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
        let mut owners: BTreeMap<PublicKey, &str> = BTreeMap::new();
        for (venue, keys) in &self.venues {
            if keys.is_empty() {
                return Err(PolicyFileError::Empty {
                    field: format!("the list of keys of venue {venue:?}"),
                });
            }
            for key in keys {
                usable(&format!("venue {venue:?}"), key)?;
                if let Some(first) = owners.insert(*key, venue) {
                    return Err(PolicyFileError::SharedKey {
                        first: first.to_owned(),
                        second: venue.clone(),
                        key: *key,
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
mod as_text {
    use std::fmt::Display;
    use std::str::FromStr;

    use serde::{Deserialize, Deserializer, Serializer};

    pub(super) fn serialize<T: Display, S: Serializer>(value: &T, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(value)
    }

    pub(super) fn deserialize<'de, T: FromStr<Err: Display>, D: Deserializer<'de>>(
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
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
    use super::*;
    use crate::fixture::public;
    use serde_json::{Value, json};

    fn file() -> Value {
        json!({
            "network": "test",
            "audience": public("audience").to_string(),
            "books": ["line-1"],
            "universes": ["11".repeat(32)],
            "venues": { "alpha": [public("alpha").to_string()], "beta": [public("beta").to_string()] },
            "required_venues": ["alpha"],
            "subject_groups": [[public("a").to_string(), public("b").to_string()]],
            "all_accounts": true,
            "held": true,
            "hypothetical_orders": false,
            "hypothetical_deposits": false,
            "models": ["22".repeat(32)],
            "snapshots": "given",
            "level": "maintenance",
            "ratio": "1.05",
            "excess": "1000",
            "max_snapshot_age": "10m",
            "max_attestation_age": 600_000,
            "nonce": "required",
        })
    }

    fn with(field: &str, value: Value) -> Result<Policy, PolicyFileError> {
        let mut file = file();
        file[field] = value;
        Policy::from_json(file.to_string().as_bytes())
    }

    #[test]
    fn policy_file_round_trips() {
        let policy = Policy::from_json(file().to_string().as_bytes()).unwrap();
        assert_eq!(
            (policy.ratio.twentieths(), policy.excess, policy.level),
            (21, 1000, zkmargin_risk::terms::Level::Maintenance.into())
        );
        assert_eq!(policy.snapshots, AcceptedSnapshots::Given);
        assert_eq!(policy.max_snapshot_age, policy.max_attestation_age);
        assert_eq!(Policy::from_json(policy.to_json().unwrap().as_bytes()).unwrap(), policy);
        let listed = with("snapshots", json!(["33".repeat(32)])).unwrap();
        assert_eq!(
            listed.snapshots,
            AcceptedSnapshots::Listed(BTreeSet::from([Digest([0x33; 32])]))
        );
        assert_eq!(Policy::from_json(listed.to_json().unwrap().as_bytes()).unwrap(), listed);
    }

    #[test]
    fn unknown_missing_and_duplicate_fields_are_refused() {
        assert!(matches!(with("extra", json!(1)), Err(PolicyFileError::Json(_))));
        for field in file().as_object().unwrap().keys() {
            let mut file = file();
            file.as_object_mut().unwrap().remove(field);
            assert!(
                matches!(
                    Policy::from_json(file.to_string().as_bytes()),
                    Err(PolicyFileError::Json(_))
                ),
                "{field}"
            );
        }
        let text = file().to_string();
        let twice = format!("{{\"all_accounts\": false, {}", &text[1..]);
        assert!(
            Policy::from_json(twice.as_bytes())
                .unwrap_err()
                .to_string()
                .contains("duplicate field")
        );
        let venue_twice = text.replacen("\"beta\":", "\"alpha\":", 1);
        assert!(
            Policy::from_json(venue_twice.as_bytes())
                .unwrap_err()
                .to_string()
                .contains("occurs twice")
        );
        assert!(Policy::from_json(&text.as_bytes()[..text.len() - 1]).is_err());
        assert!(Policy::from_json(format!("{text} {{}}").as_bytes()).is_err());
    }

    #[test]
    fn values_out_of_bounds_are_refused() {
        for (field, value) in [
            ("network", json!("live")),
            ("level", json!("variance")),
            ("ratio", json!("0.95")),
            ("ratio", json!("1.01")),
            ("ratio", json!(1.05)),
            ("ratio", json!("NaN")),
            ("excess", json!("-1")),
            ("excess", json!(1000)),
            ("excess", json!("+1")),
            ("excess", json!("18446744073709551616")),
            ("max_snapshot_age", json!("10")),
            ("max_attestation_age", json!(-1)),
            ("nonce", json!("optional")),
            ("snapshots", json!("any")),
            ("books", json!([""])),
            ("audience", json!("00")),
            ("models", json!(["22"])),
            ("all_accounts", json!("yes")),
            ("held", json!("yes")),
            ("hypothetical_orders", json!("refused")),
            ("hypothetical_deposits", json!(0)),
        ] {
            assert!(
                matches!(with(field, value.clone()), Err(PolicyFileError::Json(_))),
                "{field}: {value}"
            );
        }
    }

    #[test]
    fn policy_that_could_accept_nothing_is_refused() {
        for field in ["books", "universes", "models", "snapshots"] {
            assert!(matches!(with(field, json!([])), Err(PolicyFileError::Empty { field: empty }) if empty == field));
        }
        assert!(matches!(with("venues", json!({})), Err(PolicyFileError::Empty { .. })));
        assert!(matches!(
            with("venues", json!({ "alpha": [] })),
            Err(PolicyFileError::Empty { .. })
        ));
        assert!(
            matches!(with("required_venues", json!(["gamma"])), Err(PolicyFileError::RequiredVenue { venue }) if venue == "gamma")
        );
    }

    #[test]
    fn group_of_nobody_is_refused() {
        assert!(with("subject_groups", json!([])).is_ok());
        let key = public("a").to_string();
        for (groups, place, count) in [(json!([[]]), 1, 1), (json!([[key], []]), 2, 2)] {
            assert!(matches!(
                with("subject_groups", groups),
                Err(PolicyFileError::EmptyGroup { group, groups }) if (group, groups) == (place, count)
            ));
        }
    }

    #[test]
    fn keys_that_cannot_sign_or_are_shared_are_refused() {
        let identity = format!("01{}", "00".repeat(31));
        assert!(matches!(
            with("audience", json!(identity)),
            Err(PolicyFileError::Key { .. })
        ));
        assert!(matches!(
            with("venues", json!({ "alpha": [identity] })),
            Err(PolicyFileError::Key { .. })
        ));
        assert!(matches!(
            with("subject_groups", json!([[identity]])),
            Err(PolicyFileError::Key { .. })
        ));
        let key = public("alpha").to_string();
        let shared = with("venues", json!({ "alpha": [key], "beta": [key] }));
        assert!(
            matches!(shared, Err(PolicyFileError::SharedKey { first, second, .. }) if (first.as_str(), second.as_str()) == ("alpha", "beta"))
        );
        let subject = public("a").to_string();
        let twice = with("subject_groups", json!([[subject], [subject]]));
        assert!(matches!(twice, Err(PolicyFileError::SubjectInTwoGroups { subject }) if subject == public("a")));
    }

    #[test]
    fn file_larger_than_the_cap_is_refused() {
        let large = vec![b' '; MAX_POLICY_BYTES + 1];
        assert!(matches!(
            Policy::from_json(&large),
            Err(PolicyFileError::TooLarge { .. })
        ));
    }

    #[test]
    fn schema_names_every_field_and_allows_no_other() {
        let schema = schemars::schema_for!(Policy).to_value();
        let names = |value: &Value| value.as_object().unwrap().keys().cloned().collect::<BTreeSet<_>>();
        assert_eq!(names(&schema["properties"]), names(&file()));
        assert_eq!(schema["additionalProperties"], json!(false));
        assert_eq!(schema["required"].as_array().unwrap().len(), names(&file()).len());
    }
}
