//! The envelope of our binary files: canonical CBOR `[magic, version, body…]`.
//!
//! The magic is a text, so that a file names itself to people and to `file(1)`; the version counts formats of this kind
//! of file. A file of another kind or version is told from a broken one.

use thiserror::Error;
use zkmargin_risk::canonical::{CanonicalError, Reader, Writer};

/// The only version of every kind of file, so far.
pub const FILE_VERSION: u64 = 1;

/// Longest magic that is looked at, in bytes.
const MAX_MAGIC: usize = 32;

/// The kinds of binary files.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum FileKind {
    /// A venue's signed attestation (public to trader and partner).
    Attestation,
    /// The opening of an attestation's commitments (the trader's secret).
    Opening,
    /// Statements, their attestations and signatures, and the proof.
    Bundle,
    /// An audience's signed release of an account.
    Release,
    /// A publisher's signature on a snapshot.
    SnapshotSignature,
}

/// Every [`FileKind`].
pub const FILE_KINDS: [FileKind; 5] = [
    FileKind::Attestation,
    FileKind::Opening,
    FileKind::Bundle,
    FileKind::Release,
    FileKind::SnapshotSignature,
];

/// Why bytes are not a file of the kind that was expected.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum EnvelopeError {
    /// More bytes than such a file may have.
    #[error("{length} bytes are more than the {cap} that such a file may have")]
    TooLarge {
        /// Bytes given.
        length: usize,
        /// The cap in bytes.
        cap: usize,
    },
    /// The magic is another one.
    #[error("not a {} file: it starts with {found:?}", expected.magic())]
    Kind {
        /// The kind that was asked for.
        expected: FileKind,
        /// The magic that was found.
        found: String,
    },
    /// A version that this build does not read.
    #[error("version {found} of a {} file; this build reads version {FILE_VERSION}", kind.magic())]
    Version {
        /// The kind of file.
        kind: FileKind,
        /// The version found.
        found: u64,
    },
    /// No envelope at all.
    #[error("not one of our binary files: {0}")]
    Malformed(#[source] CanonicalError),
}

impl FileKind {
    /// The text that a file of this kind starts with.
    pub const fn magic(self) -> &'static str {
        match self {
            FileKind::Attestation => "zkmargin-attestation",
            FileKind::Opening => "zkmargin-opening",
            FileKind::Bundle => "zkmargin-bundle",
            FileKind::Release => "zkmargin-release",
            FileKind::SnapshotSignature => "zkmargin-snapshot-signature",
        }
    }

    /// The most bytes that a file of this kind may have.
    pub const fn max_bytes(self) -> usize {
        match self {
            FileKind::Attestation => 1 << 16,
            FileKind::Opening => 1 << 24,
            FileKind::Bundle => 1 << 21,
            FileKind::Release => 1 << 12,
            FileKind::SnapshotSignature => 1 << 10,
        }
    }

    /// Elements of the array behind magic and version.
    const fn body_length(self) -> usize {
        match self {
            FileKind::Attestation | FileKind::Bundle | FileKind::SnapshotSignature => 3,
            FileKind::Opening => 6,
            FileKind::Release => 2,
        }
    }

    /// The kind that `bytes` say they are, by their magic alone.
    pub fn of(bytes: &[u8]) -> Option<FileKind> {
        let mut reader = Reader::new(bytes);
        reader.array("file", usize::MAX).ok()?;
        let magic = reader.text("magic", MAX_MAGIC).ok()?;
        FILE_KINDS.into_iter().find(|kind| kind.magic() == magic)
    }

    /// Writes array head, magic and version; the body's elements follow.
    pub(crate) fn open(self, writer: &mut Writer) {
        writer.array(2 + self.body_length());
        writer.text(self.magic());
        writer.uint(FILE_VERSION);
    }

    /// A reader that stands before the body.
    pub(crate) fn reader(self, bytes: &[u8]) -> Result<Reader<'_>, EnvelopeError> {
        let cap = self.max_bytes();
        if bytes.len() > cap {
            return Err(EnvelopeError::TooLarge {
                length: bytes.len(),
                cap,
            });
        }
        let mut reader = Reader::new(bytes);
        let elements = reader.array("file", usize::MAX).map_err(EnvelopeError::Malformed)?;
        let magic = reader.text("magic", MAX_MAGIC).map_err(EnvelopeError::Malformed)?;
        if magic != self.magic() {
            return Err(EnvelopeError::Kind {
                expected: self,
                found: magic.to_owned(),
            });
        }
        let version = reader.uint("version").map_err(EnvelopeError::Malformed)?;
        if version != FILE_VERSION {
            return Err(EnvelopeError::Version {
                kind: self,
                found: version,
            });
        }
        let expected = 2 + self.body_length();
        if elements != expected {
            let length = u64::try_from(elements).unwrap_or(u64::MAX);
            let bound = expected.to_string();
            return Err(EnvelopeError::Malformed(CanonicalError::Length {
                at: 0,
                field: "file",
                length,
                bound,
            }));
        }
        Ok(reader)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
    use super::*;

    fn file(magic: &str, version: u64, elements: usize) -> Vec<u8> {
        let mut writer = Writer::new();
        writer.array(elements);
        writer.text(magic);
        writer.uint(version);
        for _ in 2..elements {
            writer.uint(0);
        }
        writer.into_bytes()
    }

    #[test]
    fn file_is_told_by_its_magic() {
        for kind in FILE_KINDS {
            let bytes = file(kind.magic(), FILE_VERSION, 2 + kind.body_length());
            assert_eq!(FileKind::of(&bytes), Some(kind));
            assert!(kind.reader(&bytes).is_ok());
        }
        assert_eq!(FileKind::of(b"{\"network\": \"test\"}"), None);
        assert_eq!(FileKind::of(&[]), None);
    }

    #[test]
    fn other_kind_version_length_and_size_are_refused_as_such() {
        let kind = FileKind::Bundle;
        let refusal = |bytes: &[u8]| kind.reader(bytes).unwrap_err();
        assert!(matches!(
            refusal(&file("zkmargin-opening", 1, 8)),
            EnvelopeError::Kind { .. }
        ));
        assert_eq!(
            refusal(&file("zkmargin-bundle", 2, 9)),
            EnvelopeError::Version { kind, found: 2 }
        );
        for elements in [4, 6] {
            assert!(matches!(
                refusal(&file("zkmargin-bundle", 1, elements)),
                EnvelopeError::Malformed(CanonicalError::Length { .. })
            ));
        }
        assert!(matches!(refusal(&[]), EnvelopeError::Malformed(_)));
        let huge = vec![0; kind.max_bytes() + 1];
        assert_eq!(
            refusal(&huge),
            EnvelopeError::TooLarge {
                length: huge.len(),
                cap: kind.max_bytes()
            }
        );
    }
}
