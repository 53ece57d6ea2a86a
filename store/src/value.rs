//! Parameters and rows, the same for both databases.

use sqlx::postgres::PgRow;
use sqlx::sqlite::SqliteRow;
use sqlx::{Column as _, Row as _, TypeInfo as _, ValueRef as _};
use zeroize::{Zeroize, Zeroizing};

use crate::error::StoreError;

/// A parameter of a statement; `None` is `NULL`.
#[derive(Copy, Clone)]
pub enum Value<'a> {
    /// For a `BIGINT`.
    Integer(Option<i64>),
    /// For a `TEXT`.
    Text(Option<&'a str>),
    /// For a `BLOB`.
    Bytes(Option<&'a [u8]>),
}

impl std::fmt::Debug for Value<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Value(..)")
    }
}

macro_rules! values {
    ($($from:ty => $variant:ident)*) => {$(
        impl<'a> From<$from> for Value<'a> {
            fn from(value: $from) -> Value<'a> {
                Value::$variant(Some(value))
            }
        }

        impl<'a> From<Option<$from>> for Value<'a> {
            fn from(value: Option<$from>) -> Value<'a> {
                Value::$variant(value)
            }
        }
    )*};
}

values!(i64 => Integer &'a str => Text &'a [u8] => Bytes);

impl<'a, const N: usize> From<&'a [u8; N]> for Value<'a> {
    fn from(value: &'a [u8; N]) -> Value<'a> {
        Value::Bytes(Some(value))
    }
}

/// A cell of an answer.
enum Cell {
    Null,
    Integer(i64),
    Text(Zeroizing<String>),
    Bytes(Zeroizing<Vec<u8>>),
    /// Of a type that no table of ours has.
    Other,
}

impl Cell {
    const fn what(&self) -> &'static str {
        match self {
            Cell::Null => "NULL",
            Cell::Integer(_) => "an integer",
            Cell::Text(_) => "a text",
            Cell::Bytes(_) => "bytes",
            Cell::Other => "a type that no table of ours has",
        }
    }
}

/// A row of an answer. Overwritten when dropped; its `Debug` shows nothing.
pub struct Row(Vec<Cell>);

impl Drop for Row {
    fn drop(&mut self) {
        for cell in &mut self.0 {
            if let Cell::Integer(number) = cell {
                number.zeroize();
            }
        }
    }
}

impl std::fmt::Debug for Row {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Row(..)")
    }
}

impl Row {
    /// The integer in a column, counted from 0.
    ///
    /// # Errors
    /// [`StoreError::Column`], as of every accessor: something else is there.
    pub fn integer(&self, column: usize) -> Result<i64, StoreError> {
        self.optional_integer(column)?
            .ok_or_else(|| self.not(column, "an integer"))
    }

    /// The integer in a column, or `None` for `NULL`.
    ///
    /// # Errors
    /// [`StoreError::Column`].
    pub fn optional_integer(&self, column: usize) -> Result<Option<i64>, StoreError> {
        match self.0.get(column) {
            Some(Cell::Integer(number)) => Ok(Some(*number)),
            Some(Cell::Null) => Ok(None),
            _ => Err(self.not(column, "an integer")),
        }
    }

    /// The integer in a column, where only non-negative ones are written.
    ///
    /// # Errors
    /// [`StoreError::Column`].
    pub fn unsigned(&self, column: usize) -> Result<u64, StoreError> {
        u64::try_from(self.integer(column)?).map_err(|_| self.not(column, "an integer of at least 0"))
    }

    /// The text in a column.
    ///
    /// # Errors
    /// [`StoreError::Column`].
    pub fn text(&self, column: usize) -> Result<&str, StoreError> {
        self.optional_text(column)?.ok_or_else(|| self.not(column, "a text"))
    }

    /// The text in a column, or `None` for `NULL`.
    ///
    /// # Errors
    /// [`StoreError::Column`].
    pub fn optional_text(&self, column: usize) -> Result<Option<&str>, StoreError> {
        match self.0.get(column) {
            Some(Cell::Text(text)) => Ok(Some(text)),
            Some(Cell::Null) => Ok(None),
            _ => Err(self.not(column, "a text")),
        }
    }

    /// The bytes in a column.
    ///
    /// # Errors
    /// [`StoreError::Column`].
    pub fn bytes(&self, column: usize) -> Result<&[u8], StoreError> {
        self.optional_bytes(column)?.ok_or_else(|| self.not(column, "bytes"))
    }

    /// The bytes in a column, or `None` for `NULL`.
    ///
    /// # Errors
    /// [`StoreError::Column`].
    pub fn optional_bytes(&self, column: usize) -> Result<Option<&[u8]>, StoreError> {
        match self.0.get(column) {
            Some(Cell::Bytes(bytes)) => Ok(Some(bytes)),
            Some(Cell::Null) => Ok(None),
            _ => Err(self.not(column, "bytes")),
        }
    }

    /// As many bytes as `N` in a column: a digest, a key.
    ///
    /// # Errors
    /// [`StoreError::Column`].
    pub fn byte_array<const N: usize>(&self, column: usize) -> Result<[u8; N], StoreError> {
        self.bytes(column)?
            .try_into()
            .map_err(|_| self.not(column, "bytes of a fixed length"))
    }

    fn not(&self, column: usize, expected: &'static str) -> StoreError {
        StoreError::Column {
            column,
            found: self.0.get(column).map_or("nothing", Cell::what),
            expected,
        }
    }
}

/// Takes a row of either driver apart by the types that its cells have.
macro_rules! row_from {
    ($row:ty) => {
        impl TryFrom<$row> for Row {
            type Error = sqlx::Error;

            fn try_from(row: $row) -> Result<Row, sqlx::Error> {
                let mut cells = Vec::with_capacity(row.columns().len());
                for column in row.columns() {
                    let at = column.ordinal();
                    let raw = row.try_get_raw(at)?;
                    let kind = if raw.is_null() {
                        String::from("NULL")
                    } else {
                        raw.type_info().name().to_owned()
                    };
                    cells.push(match kind.as_str() {
                        "NULL" => Cell::Null,
                        "INTEGER" | "INT8" | "BIGINT" => Cell::Integer(row.try_get(at)?),
                        "INT4" => Cell::Integer(row.try_get::<i32, _>(at)?.into()),
                        "TEXT" | "VARCHAR" | "NAME" => Cell::Text(Zeroizing::new(row.try_get(at)?)),
                        "BLOB" | "BYTEA" => Cell::Bytes(Zeroizing::new(row.try_get(at)?)),
                        _ => Cell::Other,
                    });
                }
                Ok(Row(cells))
            }
        }
    };
}

row_from!(SqliteRow);
row_from!(PgRow);
