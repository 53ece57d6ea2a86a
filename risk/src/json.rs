//! JSON as our files are written: maps without duplicate keys, and one short line per entry.

use std::io;

use serde::Serialize;
use serde_json::ser::{CompactFormatter, Formatter, PrettyFormatter};

/// Largest JSON text that is read, in bytes (32 MiB; the shipped files are below 1 MiB).
pub const MAX_BYTES: usize = 1 << 25;

/// `#[serde(with = "json::unique")]`: a map in which a key that occurs twice is refused (the library keeps the last).
pub mod unique {
    use std::collections::BTreeMap;
    use std::collections::btree_map::Entry;
    use std::fmt;
    use std::marker::PhantomData;

    use serde::de::{Error, MapAccess, Visitor};
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    /// In the order of the keys.
    ///
    /// # Errors
    /// The serializer's.
    pub fn serialize<K: Serialize, V: Serialize, S: Serializer>(
        map: &BTreeMap<K, V>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        serializer.collect_map(map)
    }

    /// Keys in any order.
    ///
    /// # Errors
    /// Those of keys and values, and a duplicate key.
    pub fn deserialize<'de, K, V, D>(deserializer: D) -> Result<BTreeMap<K, V>, D::Error>
    where
        K: Deserialize<'de> + Ord,
        V: Deserialize<'de>,
        D: Deserializer<'de>,
    {
        struct Unique<K, V>(PhantomData<(K, V)>);

        impl<'de, K: Deserialize<'de> + Ord, V: Deserialize<'de>> Visitor<'de> for Unique<K, V> {
            type Value = BTreeMap<K, V>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a map without duplicate keys")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<Self::Value, A::Error> {
                let mut map = BTreeMap::new();
                while let Some((key, value)) = access.next_entry()? {
                    match map.entry(key) {
                        Entry::Vacant(entry) => entry.insert(value),
                        Entry::Occupied(_) => return Err(A::Error::custom("the key of this entry occurs twice")),
                    };
                }
                Ok(map)
            }
        }

        deserializer.deserialize_map(Unique(PhantomData))
    }
}

/// JSON of `value` with a line break between the entries of the outer `depth` levels, and each deeper value on one
/// line.
///
/// Ends with a line feed.
///
/// # Errors
/// Those of the value's own `Serialize`.
pub(crate) fn to_text<T: Serialize>(value: &T, depth: usize) -> Result<String, serde_json::Error> {
    let mut bytes = Vec::new();
    let formatter = Lines {
        pretty: PrettyFormatter::with_indent(b" "),
        depth,
        level: 0,
    };
    value.serialize(&mut serde_json::Serializer::with_formatter(&mut bytes, formatter))?;
    bytes.push(b'\n');
    String::from_utf8(bytes).map_err(serde::ser::Error::custom)
}

/// Pretty down to `depth` levels, compact below.
struct Lines {
    pretty: PrettyFormatter<'static>,
    depth: usize,
    level: usize,
}

impl Lines {
    fn open(&mut self) -> bool {
        self.level += 1;
        self.level <= self.depth
    }

    fn close(&mut self) -> bool {
        self.level -= 1;
        self.level < self.depth
    }

    fn is_pretty(&self) -> bool {
        self.level <= self.depth
    }
}

/// Each method is the pretty or the compact formatter's, by the level.
macro_rules! by_level {
    ($($method:ident($($arg:ident: $type:ty),*) when $pretty:ident;)*) => {$(
        fn $method<W: ?Sized + io::Write>(&mut self, writer: &mut W $(, $arg: $type)*) -> io::Result<()> {
            if self.$pretty() { self.pretty.$method(writer $(, $arg)*) } else { CompactFormatter.$method(writer $(, $arg)*) }
        }
    )*};
}

impl Formatter for Lines {
    by_level! {
        begin_array() when open;
        end_array() when close;
        begin_array_value(first: bool) when is_pretty;
        end_array_value() when is_pretty;
        begin_object() when open;
        end_object() when close;
        begin_object_key(first: bool) when is_pretty;
        begin_object_value() when is_pretty;
        end_object_value() when is_pretty;
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
    use super::*;
    use std::collections::BTreeMap;

    #[test]
    fn outer_levels_break_and_inner_levels_do_not() {
        let value = serde_json::json!({"a": {"x": {"y": [1, 2]}, "z": {}}, "b": []});
        let text = to_text(&value, 2).unwrap();
        assert_eq!(
            text,
            "{\n \"a\": {\n  \"x\": {\"y\":[1,2]},\n  \"z\": {}\n },\n \"b\": []\n}\n"
        );
        assert_eq!(serde_json::from_str::<serde_json::Value>(&text).unwrap(), value);
    }

    #[test]
    fn a_duplicate_key_is_refused() {
        #[derive(Debug, serde::Deserialize)]
        struct File {
            #[serde(with = "unique")]
            map: BTreeMap<String, u8>,
        }
        let read = |text: &str| serde_json::from_str::<File>(text).map(|file| file.map);
        assert_eq!(read(r#"{"map":{"a":1,"b":2}}"#).unwrap().len(), 2);
        let refusal = read(r#"{"map":{"a":1,"a":2}}"#).unwrap_err();
        assert!(
            refusal.to_string().contains("occurs twice at line 1 column"),
            "{refusal}"
        );
    }
}
