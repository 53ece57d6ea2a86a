//! Reading what [`Writer`](super::Writer) writes.

use minicbor::Decoder;
use minicbor::data::Type;
use rust_decimal::Decimal;

use super::CanonicalError;

/// Reads CBOR of the canonical kind. Each method takes the field's name for errors.
#[derive(Debug)]
pub struct Reader<'b> {
    decoder: Decoder<'b>,
}

impl<'b> Reader<'b> {
    /// Reads from the first byte.
    pub fn new(bytes: &'b [u8]) -> Reader<'b> {
        Reader {
            decoder: Decoder::new(bytes),
        }
    }

    /// Nothing may follow.
    ///
    /// # Errors
    /// [`CanonicalError::Trailing`].
    pub fn finish(&self) -> Result<(), CanonicalError> {
        match self.left() {
            0 => Ok(()),
            count => Err(CanonicalError::Trailing { count }),
        }
    }

    fn left(&self) -> usize {
        self.decoder.input().len().saturating_sub(self.decoder.position())
    }

    fn malformed(&self, field: &'static str, error: &minicbor::decode::Error) -> CanonicalError {
        CanonicalError::Malformed {
            at: self.decoder.position(),
            field,
            problem: error.to_string(),
        }
    }

    fn length(&self, field: &'static str, length: u64, bound: String) -> CanonicalError {
        CanonicalError::Length {
            at: self.decoder.position(),
            field,
            length,
            bound,
        }
    }

    /// The head of an array of at most `most` values; each takes a byte or more, so no length exceeds the bytes that
    /// are left.
    ///
    /// # Errors
    /// [`CanonicalError::Malformed`], [`CanonicalError::Length`].
    pub fn array(&mut self, field: &'static str, most: usize) -> Result<usize, CanonicalError> {
        let length = self.decoder.array().map_err(|error| self.malformed(field, &error))?;
        let Some(length) = length else {
            let problem = "an array of indefinite length".to_owned();
            return Err(CanonicalError::Malformed {
                at: self.decoder.position(),
                field,
                problem,
            });
        };
        let most = most.min(self.left());
        match usize::try_from(length) {
            Ok(length) if length <= most => Ok(length),
            _ => Err(self.length(field, length, format!("at most {most}"))),
        }
    }

    /// The head of an array of exactly `length` values.
    ///
    /// # Errors
    /// [`CanonicalError::Malformed`], [`CanonicalError::Length`].
    pub fn array_of(&mut self, field: &'static str, length: usize) -> Result<(), CanonicalError> {
        match self.array(field, usize::MAX)? {
            read if read == length => Ok(()),
            read => Err(self.length(field, read as u64, length.to_string())),
        }
    }

    /// An array of at most `most` values.
    ///
    /// # Errors
    /// Those of [`array`](Self::array) and of `read`.
    pub fn list<T>(
        &mut self,
        field: &'static str,
        most: usize,
        mut read: impl FnMut(&mut Self) -> Result<T, CanonicalError>,
    ) -> Result<Vec<T>, CanonicalError> {
        let length = self.array(field, most)?;
        // Grown as values arrive: a stated length alone reserves nothing.
        let mut values = Vec::new();
        for _ in 0..length {
            values.push(read(self)?);
        }
        Ok(values)
    }

    /// An array of none or one.
    ///
    /// # Errors
    /// Those of [`array`](Self::array) and of `read`.
    pub fn option<T>(
        &mut self,
        field: &'static str,
        read: impl FnOnce(&mut Self) -> Result<T, CanonicalError>,
    ) -> Result<Option<T>, CanonicalError> {
        match self.array(field, 1)? {
            0 => Ok(None),
            _ => read(self).map(Some),
        }
    }

    /// An unsigned integer.
    ///
    /// # Errors
    /// [`CanonicalError::Malformed`].
    pub fn uint(&mut self, field: &'static str) -> Result<u64, CanonicalError> {
        self.decoder.u64().map_err(|error| self.malformed(field, &error))
    }

    /// A signed integer.
    ///
    /// # Errors
    /// [`CanonicalError::Malformed`].
    pub fn int(&mut self, field: &'static str) -> Result<i64, CanonicalError> {
        self.decoder.i64().map_err(|error| self.malformed(field, &error))
    }

    /// True or false.
    ///
    /// # Errors
    /// [`CanonicalError::Malformed`].
    pub fn flag(&mut self, field: &'static str) -> Result<bool, CanonicalError> {
        self.decoder.bool().map_err(|error| self.malformed(field, &error))
    }

    /// A byte string of at most `most` bytes, borrowed.
    ///
    /// # Errors
    /// [`CanonicalError::Malformed`], [`CanonicalError::Length`].
    pub fn bytes(&mut self, field: &'static str, most: usize) -> Result<&'b [u8], CanonicalError> {
        let bytes = self.decoder.bytes().map_err(|error| self.malformed(field, &error))?;
        if bytes.len() > most {
            return Err(self.length(field, bytes.len() as u64, format!("at most {most}")));
        }
        Ok(bytes)
    }

    /// A byte string of exactly `N` bytes.
    ///
    /// # Errors
    /// [`CanonicalError::Malformed`], [`CanonicalError::Length`].
    pub fn byte_array<const N: usize>(&mut self, field: &'static str) -> Result<[u8; N], CanonicalError> {
        let bytes = self.bytes(field, usize::MAX)?;
        bytes
            .try_into()
            .map_err(|_| self.length(field, bytes.len() as u64, N.to_string()))
    }

    /// A text of at most `most` bytes, borrowed.
    ///
    /// # Errors
    /// [`CanonicalError::Malformed`], [`CanonicalError::Length`].
    pub fn text(&mut self, field: &'static str, most: usize) -> Result<&'b str, CanonicalError> {
        let text = self.decoder.str().map_err(|error| self.malformed(field, &error))?;
        if text.len() > most {
            return Err(self.length(field, text.len() as u64, format!("at most {most}")));
        }
        Ok(text)
    }

    /// A decimal.
    ///
    /// # Errors
    /// [`CanonicalError::Malformed`], [`CanonicalError::Length`], and [`CanonicalError::Value`] where it is not a
    /// [`Decimal`].
    pub fn decimal(&mut self, field: &'static str) -> Result<Decimal, CanonicalError> {
        self.array_of(field, 2)?;
        let mantissa = self.wide(field)?;
        let exponent = self.int(field)?;
        let value = match u32::try_from(-i128::from(exponent)) {
            Ok(scale) => Decimal::try_from_i128_with_scale(mantissa, scale).ok(),
            Err(_) => u32::try_from(exponent)
                .ok()
                .and_then(|exponent| 10_i128.checked_pow(exponent))
                .and_then(|power| mantissa.checked_mul(power))
                .and_then(|mantissa| Decimal::try_from_i128_with_scale(mantissa, 0).ok()),
        };
        value
            .map(|value| value.normalize())
            .ok_or_else(|| CanonicalError::Value {
                field,
                value: format!("{mantissa}e{exponent}"),
                bound: "96 bits and at most 28 decimals".to_owned(),
            })
    }

    fn wide(&mut self, field: &'static str) -> Result<i128, CanonicalError> {
        let kind = self.decoder.datatype().map_err(|error| self.malformed(field, &error))?;
        if kind != Type::Tag {
            return self
                .decoder
                .int()
                .map(i128::from)
                .map_err(|error| self.malformed(field, &error));
        }
        let tag = self
            .decoder
            .tag()
            .map_err(|error| self.malformed(field, &error))?
            .as_u64();
        let bytes = self.bytes(field, 12)?;
        let magnitude = bytes.iter().fold(0_i128, |sum, byte| (sum << 8) | i128::from(*byte));
        match tag {
            2 => Ok(magnitude),
            3 => Ok(-1 - magnitude),
            _ => {
                let bound = "an integer (tag 2 or 3)".to_owned();
                Err(CanonicalError::Value {
                    field,
                    value: format!("tag {tag}"),
                    bound,
                })
            }
        }
    }
}
