//! JSON as our files are written: objects where structures are meant, maps without duplicate keys, and one short line
//! per entry.
//!
//! All files of ours that people write, or that decide anything, are read by [`from_str`] or [`from_slice`].

mod strict;

use std::io;

use serde::{Deserialize, Serialize};
use serde_json::de::Read;
use serde_json::ser::{CompactFormatter, Formatter, PrettyFormatter};

/// Largest JSON text that is read, in bytes (32 MiB; the shipped files are below 1 MiB).
pub const MAX_BYTES: usize = 1 << 25;

/// The value of a JSON text. A structure must be an object at every depth: an array of its values, which
/// [`serde_json`] takes too, is refused. So is an object with a key twice, at every depth and whatever it is read as: in a tree of any
/// values (a model within a demand) [`serde_json`] would keep the last.
///
/// ```
/// #[derive(Debug, serde::Deserialize)]
/// struct Range { low: u8, high: u8 }
///
/// use zkmargin_risk::json;
/// let range: Range = json::from_str(r#"{"low": 1, "high": 9}"#)?;
/// assert_eq!((range.low, range.high), (1, 9));
/// let refusal = json::from_str::<Vec<Range>>("[[1, 9]]").unwrap_err().to_string();
/// assert_eq!(refusal, "invalid type: sequence, expected struct Range at line 1 column 1");
/// # Ok::<(), serde_json::Error>(())
/// ```
///
/// # Errors
/// Those of the text and of the value's own `Deserialize`, with line and column.
pub fn from_str<'de, T: Deserialize<'de>>(text: &'de str) -> Result<T, serde_json::Error> {
    read(serde_json::Deserializer::from_str(text))
}

/// The value of a JSON text in bytes, as [`from_str`] reads it.
///
/// # Errors
/// As for [`from_str`], and bytes that are not UTF-8.
pub fn from_slice<'de, T: Deserialize<'de>>(text: &'de [u8]) -> Result<T, serde_json::Error> {
    read(serde_json::Deserializer::from_slice(text))
}

fn read<'de, R: Read<'de>, T: Deserialize<'de>>(
    mut reader: serde_json::Deserializer<R>,
) -> Result<T, serde_json::Error> {
    let value = T::deserialize(strict::Strict(&mut reader))?;
    reader.end()?;
    Ok(value)
}

/// `#[serde(with = "json::unique")]`: a map in which a key that occurs twice is refused, also where it is written in two
/// ways (the reader of this module sees the texts alone).
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
mod tests;
