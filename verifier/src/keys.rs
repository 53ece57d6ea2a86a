//! Keys that a partner accepts, each with the time for which it is good: rotation and revocation.
//!
//! In a policy file a list of keys has, for each, its text alone (good at any time) or an object:
//!
//! ```json
//! ["<key>", { "key": "<key>", "from": "2026-08-01T00:00:00Z", "until": "2026-09-01T00:00:00Z", "revoked": "2026-08-20T10:00:00Z" }]
//! ```
//!
//! `from` and `until` are about *when something was signed*: a key that was replaced goes on being accepted for what it signed in
//! its time. `revoked` is about *when it is verified*: whoever stole a key can write any date over its signature, so that
//! from the revocation on nothing that it signed is believed, whatever date it bears.

use std::collections::BTreeMap;
use std::fmt;
use std::marker::PhantomData;

use schemars::JsonSchema;
use serde::de::value::MapAccessDeserializer;
use serde::de::{MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use thiserror::Error;
use zkmargin_risk::instant::Instant;

use crate::dsse::PublicKey;

/// When a key is good. An end that is absent is no bound; both ends belong to it.
#[derive(Copy, Clone, Debug, Default, PartialEq, Eq)]
pub struct Validity {
    /// The first instant at which it may sign.
    pub from: Option<Instant>,
    /// The last instant at which it may sign.
    pub until: Option<Instant>,
    /// The first instant at which nothing that it signed is believed any more.
    pub revoked: Option<Instant>,
}

/// Accepted keys.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Keys(BTreeMap<PublicKey, Validity>);

/// Why a key is not accepted.
#[derive(Copy, Clone, Debug, PartialEq, Eq, Error)]
pub enum KeyRefusal {
    /// It is not in the list.
    #[error("the key is not in the list")]
    Unknown,
    /// It signed before its time.
    #[error("the key is good from {from} on")]
    NotYetValid {
        /// The first instant at which it may sign.
        from: Instant,
    },
    /// It signed after its time.
    #[error("the key was good until {until}")]
    NoLongerValid {
        /// The last instant at which it may sign.
        until: Instant,
    },
    /// It is revoked.
    #[error("the key was revoked at {revoked}")]
    Revoked {
        /// The first instant at which nothing of it is believed.
        revoked: Instant,
    },
}

/// Why a list of keys is none.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum KeysError {
    /// One key stands twice.
    #[error("key {key} stands there twice: give one time for it")]
    Twice {
        /// The key.
        key: PublicKey,
    },
    /// A time that ends before it begins.
    #[error("key {key} is good until {until}, before it begins to be at {from}")]
    NoTime {
        /// The key.
        key: PublicKey,
        /// Where its time begins.
        from: Instant,
        /// Where it ends.
        until: Instant,
    },
}

impl Keys {
    /// The list of these keys with their times, if it is one. Whether they are keys that can sign, [`PublicKey::check`] says.
    ///
    /// # Errors
    /// [`KeysError`].
    pub fn new(entries: impl IntoIterator<Item = (PublicKey, Validity)>) -> Result<Keys, KeysError> {
        let mut keys = BTreeMap::new();
        for (key, validity) in entries {
            if let (Some(from), Some(until)) = (validity.from, validity.until)
                && until < from
            {
                return Err(KeysError::NoTime { key, from, until });
            }
            if keys.insert(key, validity).is_some() {
                return Err(KeysError::Twice { key });
            }
        }
        Ok(Keys(keys))
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// The keys, in the order of their bytes.
    pub fn iter(&self) -> impl Iterator<Item = PublicKey> {
        self.0.keys().copied()
    }

    /// Whether what `key` signed at `signed` is accepted at the instant `at` of verification.
    ///
    /// # Errors
    /// [`KeyRefusal`].
    pub(crate) fn accept(&self, key: PublicKey, signed: Instant, at: Instant) -> Result<(), KeyRefusal> {
        let Validity { from, until, revoked } = *self.0.get(&key).ok_or(KeyRefusal::Unknown)?;
        if let Some(revoked) = revoked.filter(|revoked| at >= *revoked) {
            return Err(KeyRefusal::Revoked { revoked });
        }
        if let Some(from) = from.filter(|from| signed < *from) {
            return Err(KeyRefusal::NotYetValid { from });
        }
        match until.filter(|until| signed > *until) {
            Some(until) => Err(KeyRefusal::NoLongerValid { until }),
            None => Ok(()),
        }
    }
}

impl FromIterator<PublicKey> for Keys {
    /// Keys that are good at any time.
    fn from_iter<I: IntoIterator<Item = PublicKey>>(keys: I) -> Keys {
        Keys(keys.into_iter().map(|key| (key, Validity::default())).collect())
    }
}

impl<const N: usize> From<[PublicKey; N]> for Keys {
    fn from(keys: [PublicKey; N]) -> Keys {
        keys.into_iter().collect()
    }
}

/// A key of a list, as it is written.
#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
enum Entry {
    /// Good at any time.
    Always(PublicKey),
    /// Good for a time.
    For(#[serde(deserialize_with = "object")] Timed),
}

/// A structure within an untagged enumeration. It is an object, as everywhere in our files: serde, which reads such an enumeration from a store of
/// its own, would take an array of the values, too.
pub(crate) fn object<'de, T: Deserialize<'de>, D: Deserializer<'de>>(deserializer: D) -> Result<T, D::Error> {
    struct Object<T>(PhantomData<T>);

    impl<'de, T: Deserialize<'de>> Visitor<'de> for Object<T> {
        type Value = T;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("an object")
        }

        fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<T, A::Error> {
            T::deserialize(MapAccessDeserializer::new(map))
        }
    }

    deserializer.deserialize_map(Object(PhantomData))
}

/// A key that is good for a time.
#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Timed {
    /// The key.
    key: PublicKey,
    /// The first instant at which it may sign.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    from: Option<Instant>,
    /// The last instant at which it may sign.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    until: Option<Instant>,
    /// The first instant at which nothing that it signed is believed, whatever date it bears.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    revoked: Option<Instant>,
}

impl Serialize for Keys {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.0.iter().map(|(key, validity)| {
            if *validity == Validity::default() {
                return Entry::Always(*key);
            }
            let Validity { from, until, revoked } = *validity;
            Entry::For(Timed {
                key: *key,
                from,
                until,
                revoked,
            })
        }))
    }
}

impl<'de> Deserialize<'de> for Keys {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Keys, D::Error> {
        let entries = Vec::<Entry>::deserialize(deserializer)?
            .into_iter()
            .map(|entry| match entry {
                Entry::Always(key) => (key, Validity::default()),
                Entry::For(Timed {
                    key,
                    from,
                    until,
                    revoked,
                }) => (key, Validity { from, until, revoked }),
            });
        Keys::new(entries).map_err(serde::de::Error::custom)
    }
}

impl JsonSchema for Keys {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Keys".into()
    }

    fn json_schema(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
        let entry = generator.subschema_for::<Entry>();
        schemars::json_schema!({
            "description": "Keys: each its text, good at any time, or an object with the time for which it is good",
            "type": "array",
            "items": entry,
        })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
    use super::*;
    use crate::fixture::{instant, public};
    use serde_json::json;

    const AT: &str = "2026-08-06T12:00:00Z";

    fn around(at: Instant) -> [Instant; 3] {
        [at.millis() - 1, at.millis(), at.millis() + 1].map(|millis| Instant::from_millis(millis).unwrap())
    }

    fn with(validity: Validity) -> Keys {
        Keys::new([(public("alpha"), validity)]).unwrap()
    }

    #[test]
    fn key_that_is_not_listed_is_unknown() {
        let keys = Keys::from([public("alpha")]);
        let at = instant(AT);
        assert_eq!(keys.accept(public("alpha"), at, at), Ok(()));
        assert_eq!(keys.accept(public("beta"), at, at), Err(KeyRefusal::Unknown));
    }

    #[test]
    fn key_signs_from_its_first_to_its_last_instant_whenever_it_is_verified() {
        let edge = instant(AT);
        let [before, at, after] = around(edge);
        let much_later = instant("2030-01-01T00:00:00Z");
        let key = public("alpha");
        let not_yet = with(Validity {
            from: Some(edge),
            ..Validity::default()
        });
        let answers = [before, at, after].map(|signed| not_yet.accept(key, signed, much_later));
        assert_eq!(answers, [Err(KeyRefusal::NotYetValid { from: edge }), Ok(()), Ok(())]);
        let rotated = with(Validity {
            until: Some(edge),
            ..Validity::default()
        });
        let answers = [before, at, after].map(|signed| rotated.accept(key, signed, much_later));
        assert_eq!(
            answers,
            [Ok(()), Ok(()), Err(KeyRefusal::NoLongerValid { until: edge })]
        );
    }

    #[test]
    fn revoked_key_is_refused_whatever_date_it_wrote() {
        let edge = instant(AT);
        let revoked = with(Validity {
            revoked: Some(edge),
            ..Validity::default()
        });
        let long_ago = instant("2020-01-01T00:00:00Z");
        let answers = around(edge).map(|at| revoked.accept(public("alpha"), long_ago, at));
        let refused = Err(KeyRefusal::Revoked { revoked: edge });
        assert_eq!(answers, [Ok(()), refused, refused]);
    }

    #[test]
    fn list_is_read_as_it_is_written() {
        let [alpha, beta] = ["alpha", "beta"].map(public);
        let text = json!([alpha, { "key": beta, "from": AT, "revoked": "2026-08-07T00:00:00Z" }]);
        let keys: Keys = serde_json::from_value(text).unwrap();
        assert_eq!(keys.len(), 2);
        let again: Keys = serde_json::from_value(serde_json::to_value(&keys).unwrap()).unwrap();
        assert_eq!(again, keys);
        assert_eq!(serde_json::to_value(Keys::from([alpha])).unwrap(), json!([alpha]));
        assert_eq!(
            keys.accept(beta, instant("2026-08-06T11:59:59.999Z"), instant(AT)),
            Err(KeyRefusal::NotYetValid { from: instant(AT) })
        );
    }

    #[test]
    fn list_that_contradicts_itself_is_refused() {
        let alpha = public("alpha");
        let refused = |value| serde_json::from_value::<Keys>(value).unwrap_err().to_string();
        let twice = refused(json!([alpha, { "key": alpha, "until": AT }]));
        assert!(twice.contains("stands there twice"), "{twice}");
        let one_instant: Keys = serde_json::from_value(json!([{ "key": alpha, "from": AT, "until": AT }])).unwrap();
        assert_eq!(one_instant.accept(alpha, instant(AT), instant(AT)), Ok(()));
        let no_time = refused(json!([{ "key": alpha, "from": AT, "until": "2026-08-06T11:59:59.999Z" }]));
        assert!(no_time.contains("before it begins"), "{no_time}");
        refused(json!([{ "key": alpha, "till": AT }]));
        refused(json!(["00"]));
    }
}
