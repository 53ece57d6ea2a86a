//! The audience's name of a credit line.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use thiserror::Error;
use zkmargin_risk::canonical::{CanonicalError, Reader, Writer};

/// The audience's identifier of a credit line (protocol §8): 1 to 64 bytes of UTF-8 in NFC, without control characters.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Book(String);

/// Why a text names no book.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error(
    "{text:?} names no book: 1 to {} bytes of UTF-8 in NFC without control characters do",
    Book::MAX_BYTES
)]
pub struct BookError {
    /// What was given, cut after 80 characters.
    pub text: String,
}

impl Book {
    /// Longest name, in bytes.
    pub const MAX_BYTES: usize = 64;

    /// The book of this name.
    ///
    /// # Errors
    /// [`BookError`].
    pub fn new(text: &str) -> Result<Book, BookError> {
        let fits = (1..=Book::MAX_BYTES).contains(&text.len());
        if fits && !text.chars().any(char::is_control) && is_canonical_text(text) {
            Ok(Book(text.to_owned()))
        } else {
            Err(BookError {
                text: text.chars().take(80).collect(),
            })
        }
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    pub(crate) fn write(&self, writer: &mut Writer) {
        writer.text(&self.0);
    }

    pub(crate) fn read(reader: &mut Reader<'_>) -> Result<Book, CanonicalError> {
        let text = reader.text("book", Book::MAX_BYTES)?;
        Book::new(text).map_err(|error| CanonicalError::Value {
            field: "book",
            value: format!("{:?}", error.text),
            bound: format!(
                "1 to {} bytes of UTF-8 in NFC without control characters",
                Book::MAX_BYTES
            ),
        })
    }
}

/// Whether `text` is what the canonical writer makes of it, that is in NFC.
fn is_canonical_text(text: &str) -> bool {
    let mut writer = Writer::new();
    writer.text(text);
    Reader::new(&writer.into_bytes()).text("text", usize::MAX) == Ok(text)
}

impl fmt::Display for Book {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for Book {
    type Err = BookError;

    fn from_str(text: &str) -> Result<Book, BookError> {
        Book::new(text)
    }
}

impl Serialize for Book {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for Book {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Book, D::Error> {
        Book::new(&String::deserialize(deserializer)?).map_err(serde::de::Error::custom)
    }
}

impl schemars::JsonSchema for Book {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Book".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({
            "type": "string",
            "minLength": 1,
            "maxLength": Book::MAX_BYTES,
            "description": "The audience's identifier of a credit line: 1 to 64 bytes of UTF-8 in NFC",
        })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
    use super::*;

    #[test]
    fn book_is_1_to_64_bytes_of_plain_text_in_nfc() {
        for text in ["a", "line-1", "Kreditlinie Zürich", &"x".repeat(64)] {
            assert_eq!(Book::new(text).unwrap().as_str(), text);
        }
        // The last one is ü as u with a combining diaeresis: the same text to a reader, other bytes.
        for text in ["", &"x".repeat(65), "a\nb", "\u{1b}[2J", "Zu\u{308}rich"] {
            assert!(Book::new(text).is_err(), "{text:?}");
        }
    }

    #[test]
    fn book_with_a_control_character_is_refused_by_the_reader() {
        let mut writer = Writer::new();
        writer.text("a\u{7}");
        assert!(matches!(
            Book::read(&mut Reader::new(&writer.into_bytes())),
            Err(CanonicalError::Value { field: "book", .. })
        ));
    }
}
