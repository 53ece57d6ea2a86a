//! The one byte string of a fact, and its digest (protocol §7).
//!
//! Whatever is hashed or signed is a CBOR (RFC 8949) array in field order: definite lengths, shortest integers, text in
//! NFC, a decimal as `[mantissa, exponent]` without trailing zeros and without a negative zero, an optional value as an
//! array of none or one. There are no maps, no floats, no tags but those of integers beyond 64 bits, and no `null`. So
//! a value has exactly one encoding, and its digest is BLAKE2b-256, personalised by what the value is.
//!
//! Reading is strict by construction: [`Canonical::from_canonical`] decodes, encodes again, and refuses any difference.
//! Lengths are compared with the bytes that are left before anything is allocated.

mod reader;

use std::fmt;
use std::str::FromStr;

use minicbor::Encoder;
use minicbor::data::Tag;
use rust_decimal::Decimal;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use unicode_normalization::UnicodeNormalization;
/// Whether a text is spelt as canonical bytes have it, in Unicode's NFC: of names that are told apart, all must be.
pub use unicode_normalization::is_nfc;

pub use reader::Reader;

/// What a digest is a digest of: the 16 bytes of personalisation of protocol §7. Those of the proof system are its own.
#[derive(Copy, Clone, Debug, PartialEq, Eq, Hash)]
pub enum Personal {
    /// A statement.
    Statement,
    /// A universe.
    Universe,
    /// A market snapshot.
    Snapshot,
    /// A margin model.
    Model,
    /// A price history.
    History,
    /// Account pseudonyms.
    Pseudonym,
    /// A signed attestation.
    Attestation,
    /// A proof's bytes.
    Proof,
}

impl Personal {
    /// The personalisation, exactly 16 bytes of ASCII.
    pub const fn bytes(self) -> &'static [u8; 16] {
        match self {
            // The transcript's hash of the statement digests has the same personalisation. It is another function all the same: its output has 64
            // bytes where a digest has 32, and BLAKE2b's parameter block has that length.
            Personal::Statement => b"zkmargin-stmt-v1",
            Personal::Universe => b"zkmargin-univ-v1",
            Personal::Snapshot => b"zkmargin-snap-v1",
            Personal::Model => b"zkmargin-modl-v1",
            Personal::History => b"zkmargin-hist-v1",
            Personal::Pseudonym => b"zkmargin-pseu-v1",
            Personal::Attestation => b"zkmargin-atts-v1",
            Personal::Proof => b"zkmargin-prof-v1",
        }
    }
}

/// A BLAKE2b-256 digest. Its text is 64 lower-case hexadecimal digits.
#[derive(Copy, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Digest(pub [u8; 32]);

/// BLAKE2b-256 of `bytes`, personalised.
pub fn digest(personal: Personal, bytes: &[u8]) -> Digest {
    let hash = blake2b_simd::Params::new()
        .hash_length(32)
        .personal(personal.bytes())
        .hash(bytes);
    let mut digest = [0; 32];
    digest.copy_from_slice(hash.as_bytes());
    Digest(digest)
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// A text that should be hexadecimal digits of a number of bytes and is not.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is not {bytes} bytes in lower-case hexadecimal digits")]
pub struct HexError {
    /// The text, at most 80 characters of it.
    pub text: String,
    /// The number of bytes that was expected.
    pub bytes: usize,
}

/// `N` bytes from exactly `2 N` lower-case hexadecimal digits.
///
/// # Errors
/// [`HexError`] for any other text, upper-case digits included: a value has one text.
pub fn parse_hex<const N: usize>(text: &str) -> Result<[u8; N], HexError> {
    let refused = || HexError {
        text: text.chars().take(80).collect(),
        bytes: N,
    };
    let mut bytes = [0; N];
    if text.len() != 2 * N || text.bytes().any(|b| b.is_ascii_uppercase()) {
        return Err(refused());
    }
    hex::decode_to_slice(text, &mut bytes).map_err(|_| refused())?;
    Ok(bytes)
}

impl FromStr for Digest {
    type Err = HexError;

    fn from_str(text: &str) -> Result<Digest, HexError> {
        parse_hex(text).map(Digest)
    }
}

impl Serialize for Digest {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Digest {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Digest, D::Error> {
        String::deserialize(deserializer)?
            .parse()
            .map_err(serde::de::Error::custom)
    }
}

impl JsonSchema for Digest {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Digest".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({"type": "string", "pattern": "^[0-9a-f]{64}$"})
    }
}

/// A value with exactly one encoding.
///
/// ```
/// use zkmargin_risk::canonical::{Canonical, CanonicalError, Reader, Writer};
///
/// #[derive(Debug, PartialEq)]
/// struct Range { low: u64, high: u64 }
///
/// impl Canonical for Range {
///     fn write(&self, w: &mut Writer) {
///         w.array(2);
///         w.uint(self.low);
///         w.uint(self.high);
///     }
///     fn read(r: &mut Reader<'_>) -> Result<Range, CanonicalError> {
///         r.array_of("range", 2)?;
///         Ok(Range { low: r.uint("low")?, high: r.uint("high")? })
///     }
/// }
///
/// let bytes = Range { low: 1, high: 500 }.to_canonical();
/// assert_eq!(bytes, [0x82, 0x01, 0x19, 0x01, 0xf4]);
/// assert_eq!(Range::from_canonical(&bytes)?, Range { low: 1, high: 500 });
/// // The same numbers with a longer integer than need be:
/// assert!(Range::from_canonical(&[0x82, 0x18, 0x01, 0x19, 0x01, 0xf4]).is_err());
/// # Ok::<(), CanonicalError>(())
/// ```
pub trait Canonical: Sized {
    /// Writes this value.
    fn write(&self, writer: &mut Writer);

    /// Reads a value, which may be encoded in a way that is not the canonical one:
    /// [`from_canonical`](Self::from_canonical) is the strict rule.
    ///
    /// # Errors
    /// [`CanonicalError`] naming the field.
    fn read(reader: &mut Reader<'_>) -> Result<Self, CanonicalError>;

    /// The canonical bytes.
    fn to_canonical(&self) -> Vec<u8> {
        let mut writer = Writer::new();
        self.write(&mut writer);
        writer.into_bytes()
    }

    /// The value whose canonical bytes these are: decode, no trailing bytes, encode again, compare.
    ///
    /// # Errors
    /// [`CanonicalError`].
    fn from_canonical(bytes: &[u8]) -> Result<Self, CanonicalError> {
        let mut reader = Reader::new(bytes);
        let value = Self::read(&mut reader)?;
        reader.finish()?;
        if value.to_canonical() != bytes {
            return Err(CanonicalError::NotCanonical);
        }
        Ok(value)
    }
}

/// Why bytes are not a canonical encoding. `field` is the name that the format gives the value.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CanonicalError {
    /// The bytes end before, or are of another type than, the field.
    #[error("byte {at}: expected {field}: {problem}")]
    Malformed {
        /// Where.
        at: usize,
        /// What was to be read.
        field: &'static str,
        /// What is wrong.
        problem: String,
    },
    /// An array, text or byte string of a length that the field does not have, or longer than the bytes that are left.
    #[error("byte {at}: {field} has length {length}, expected {bound}")]
    Length {
        /// Where.
        at: usize,
        /// What was to be read.
        field: &'static str,
        /// The length it states.
        length: u64,
        /// The bound, in words.
        bound: String,
    },
    /// A value outside the bounds of the field.
    #[error("{field} is {value}, expected {bound}")]
    Value {
        /// What was read.
        field: &'static str,
        /// Its value.
        value: String,
        /// The bound, in words.
        bound: String,
    },
    /// Bytes after the end of the value.
    #[error("{count} bytes after the end of the value")]
    Trailing {
        /// How many.
        count: usize,
    },
    /// The value decodes, but its encoding is another one: a longer integer, trailing zeros of a decimal, text that is
    /// not in NFC …
    #[error("the encoding is not the canonical one of its value")]
    NotCanonical,
}

/// Writes canonical CBOR. The caller writes an array's length, then that many values.
#[derive(Debug)]
pub struct Writer {
    encoder: Encoder<Vec<u8>>,
}

impl Default for Writer {
    fn default() -> Writer {
        Writer::new()
    }
}

/// Writing to a `Vec` cannot fail.
macro_rules! infallible {
    ($written:expr) => {{
        let _: Result<_, minicbor::encode::Error<std::convert::Infallible>> = $written;
    }};
}

impl Writer {
    /// Nothing written yet.
    pub fn new() -> Writer {
        Writer {
            encoder: Encoder::new(Vec::new()),
        }
    }

    /// The bytes written.
    pub fn into_bytes(self) -> Vec<u8> {
        self.encoder.into_writer()
    }

    /// The head of an array of this many values.
    pub fn array(&mut self, length: usize) {
        infallible!(self.encoder.array(length as u64));
    }

    /// An array of values.
    pub fn list<T>(&mut self, values: impl ExactSizeIterator<Item = T>, mut write: impl FnMut(&mut Writer, T)) {
        self.array(values.len());
        for value in values {
            write(self, value);
        }
    }

    /// An array of none or one.
    pub fn option<T>(&mut self, value: Option<T>, write: impl FnOnce(&mut Writer, T)) {
        self.array(usize::from(value.is_some()));
        if let Some(value) = value {
            write(self, value);
        }
    }

    /// An unsigned integer.
    pub fn uint(&mut self, value: u64) {
        infallible!(self.encoder.u64(value));
    }

    /// A signed integer.
    pub fn int(&mut self, value: i64) {
        infallible!(self.encoder.i64(value));
    }

    /// True or false.
    pub fn flag(&mut self, value: bool) {
        infallible!(self.encoder.bool(value));
    }

    /// A byte string.
    pub fn bytes(&mut self, value: &[u8]) {
        infallible!(self.encoder.bytes(value));
    }

    /// A text, in NFC.
    pub fn text(&mut self, value: &str) {
        if is_nfc(value) {
            infallible!(self.encoder.str(value));
        } else {
            infallible!(self.encoder.str(&value.nfc().collect::<String>()));
        }
    }

    /// A decimal as `[mantissa, exponent]`: value = mantissa · 10^exponent, without trailing zeros, zero as `[0, 0]`.
    ///
    /// The exponent is negative for decimals and positive for round numbers: 70000 is `[7, 4]`.
    pub fn decimal(&mut self, value: Decimal) {
        let (mut mantissa, mut exponent) = (value.mantissa(), -i64::from(value.scale()));
        if mantissa == 0 {
            exponent = 0;
        }
        while mantissa != 0 && mantissa % 10 == 0 {
            mantissa /= 10;
            exponent += 1;
        }
        self.array(2);
        self.wide(mantissa);
        self.int(exponent);
    }

    /// What a JSON text says, in the form in which our files are written (amounts are texts, without trailing zeros): a text,
    /// `true` or `false` and an unsigned number as they are; an array as `[0, element…]`; an object as `[1, [name,
    /// value]…]` in the order of its names, without the members that are `null`. Anything else, which our files do not
    /// have, as its JSON text.
    pub fn json(&mut self, value: &serde_json::Value) {
        use serde_json::Value;
        match value {
            Value::String(text) => self.text(text),
            Value::Bool(flag) => self.flag(*flag),
            Value::Array(elements) => {
                self.array(elements.len() + 1);
                self.uint(0);
                elements.iter().for_each(|element| self.json(element));
            }
            Value::Object(members) => {
                let mut members: Vec<_> = members.iter().filter(|(_, value)| !value.is_null()).collect();
                members.sort_unstable_by_key(|(name, _)| name.as_str());
                self.array(members.len() + 1);
                self.uint(1);
                for (name, value) in members {
                    self.array(2);
                    self.text(name);
                    self.json(value);
                }
            }
            Value::Null | Value::Number(_) => match value.as_u64() {
                Some(number) => self.uint(number),
                None => self.text(&value.to_string()),
            },
        }
    }

    /// An integer of at most 97 bits: as CBOR's own, or (RFC 8949, section 3.4.3) a tagged byte string where that is
    /// too short.
    fn wide(&mut self, value: i128) {
        if let Ok(int) = minicbor::data::Int::try_from(value) {
            infallible!(self.encoder.int(int));
            return;
        }
        let tag = if value < 0 { 3 } else { 2 };
        let magnitude = if value < 0 { -1 - value } else { value };
        let bytes = magnitude.to_be_bytes();
        let zeros = bytes.iter().take_while(|byte| **byte == 0).count();
        infallible!(self.encoder.tag(Tag::new(tag)));
        self.bytes(bytes.get(zeros..).unwrap_or_default());
    }
}
