//! Every byte that is hashed, in order (protocol §7).
//!
//! One Blake2b transcript carries the whole argument: the statements, the column commitments of steps 2 and 3, the link, and
//! `halo2_proofs`' own proof. The advice commitments are in the byte string **once**, before the challenges that depend on
//! them. When `halo2_proofs` comes to write them, the `Writer` only compares; when it comes to read them, the `Reader`
//! answers with the points that were linked. An attacker therefore cannot link one book and prove another: this is the one
//! line on which everything hangs.

use std::collections::VecDeque;
use std::io;

use blake2b_simd::State;
use ff::{FromUniformBytes, PrimeField};
#[cfg(feature = "prove")]
use group::GroupEncoding;
use halo2_proofs::transcript::{Blake2bRead, Challenge255, EncodedChallenge, Transcript, TranscriptRead};
#[cfg(feature = "prove")]
use halo2_proofs::transcript::{Blake2bWrite, TranscriptWrite};
use pasta_curves::{EqAffine, Fp};

use crate::commitment::{PointError, decode_point};
#[cfg(feature = "prove")]
use crate::phase::Phase;

/// The personalisations of BLAKE2b that this crate uses, 16 bytes each.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Personal {
    /// Statements.
    Statement,
    /// Parameter files.
    Parameters,
    /// Seeds of the prover's generators.
    #[cfg(feature = "prove")]
    Seed,
    /// The multipliers `r_j`.
    Fold,
    /// The factors of the projections.
    Projection,
    /// Shapes.
    Shape,
}

impl Personal {
    fn bytes(self) -> &'static [u8; 16] {
        match self {
            Self::Statement => b"zkmargin-stmt-v1",
            Self::Parameters => b"zkmargin-parm-v1",
            #[cfg(feature = "prove")]
            Self::Seed => b"zkmargin-seed-v1",
            Self::Fold => b"zkmargin-fold-v1",
            Self::Projection => b"zkmargin-proj-v1",
            Self::Shape => b"zkmargin-shap-v1",
        }
    }
}

fn hash_fed<const LENGTH: usize>(personal: Personal, feed: impl FnOnce(&mut State)) -> [u8; LENGTH] {
    let mut state = blake2b_simd::Params::new()
        .hash_length(LENGTH)
        .personal(personal.bytes())
        .to_state();
    feed(&mut state);
    let mut out = [0; LENGTH];
    out.copy_from_slice(state.finalize().as_bytes());
    out
}

fn hash<const LENGTH: usize>(personal: Personal, parts: &[&[u8]]) -> [u8; LENGTH] {
    hash_fed(personal, |state| {
        for part in parts {
            state.update(part);
        }
    })
}

/// BLAKE2b-256 of what it is fed with, which need not be in one place: of secrets no copy is made but of the last block. The caller makes lengths unambiguous.
#[cfg(feature = "prove")]
pub(crate) fn hash32_fed(personal: Personal, feed: impl FnOnce(&mut State)) -> [u8; 32] {
    hash_fed(personal, feed)
}

/// BLAKE2b-256 of the concatenated parts, whose lengths the caller makes unambiguous.
pub(crate) fn hash32(personal: Personal, parts: &[&[u8]]) -> [u8; 32] {
    hash(personal, parts)
}

/// BLAKE2b-512 of the concatenated parts.
pub(crate) fn hash64(personal: Personal, parts: &[&[u8]]) -> [u8; 64] {
    hash(personal, parts)
}

/// BLAKE2b-128 of the concatenated parts, as a little-endian integer.
pub(crate) fn hash_u128(personal: Personal, parts: &[&[u8]]) -> u128 {
    u128::from_le_bytes(hash(personal, parts))
}

/// The scalar that the transcript starts with: the number of statements and their digests, in circuit order.
fn statements_scalar(digests: &[[u8; 32]]) -> Fp {
    let count = (digests.len() as u64).to_le_bytes();
    let mut parts: Vec<&[u8]> = vec![&count];
    parts.extend(digests.iter().map(|digest| &digest[..]));
    Fp::from_uniform_bytes(&hash::<64>(Personal::Statement, &parts))
}

/// What a reader refuses: the first thing in the byte string that is not as it must be.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Malformed {
    /// The bytes end within an element.
    #[error("the proof ends at byte {at}, inside an element of {needed} bytes")]
    Truncated {
        /// Offset of the element.
        at: usize,
        /// Bytes that it has.
        needed: usize,
    },
    /// Bytes after the last element.
    #[error("the proof has {count} bytes more than the {at} that were read")]
    TrailingBytes {
        /// Where the proof ends.
        at: usize,
        /// How many bytes follow.
        count: usize,
    },
    /// The proof library did not ask for every linked point: it is not the one that this version was written for.
    #[error("{count} linked points were not read")]
    Unread {
        /// How many.
        count: usize,
    },
    /// An element that should be a point is none, or the identity.
    #[error("at byte {at} of the proof: {error}")]
    Point {
        /// Offset of the point.
        at: usize,
        /// What is wrong with it.
        error: PointError,
    },
    /// An element that should be a scalar is not a canonical one.
    #[error("at byte {at} of the proof: the scalar is not below the order of the group")]
    Scalar {
        /// Offset of the scalar.
        at: usize,
    },
}

/// Bytes of an element of a proof, point or scalar.
pub(crate) const ELEMENT_BYTES: usize = 32;

/// The verifier's end of the transcript.
pub(crate) struct Reader<'a> {
    state: Blake2bRead<io::Empty, EqAffine, Challenge255<EqAffine>>,
    bytes: &'a [u8],
    position: usize,
    /// What the next point reads of `halo2_proofs` are answered with; `None` is read from the bytes.
    linked: VecDeque<Option<EqAffine>>,
    refusal: Option<Malformed>,
}

impl<'a> Reader<'a> {
    pub(crate) fn new(digests: &[[u8; 32]], bytes: &'a [u8]) -> Self {
        let mut state = Blake2bRead::init(io::empty());
        // Absorbing a scalar only feeds the hash, which cannot fail.
        let _ = state.common_scalar(statements_scalar(digests));
        Self {
            state,
            bytes,
            position: 0,
            linked: VecDeque::new(),
            refusal: None,
        }
    }

    /// From here on, point reads are answered from `linked` first.
    pub(crate) fn answer_with(&mut self, linked: VecDeque<Option<EqAffine>>) {
        self.linked = linked;
    }

    /// Ends the transcript: every linked point must have been asked for, and every byte read.
    pub(crate) fn finish(self) -> Result<(), Malformed> {
        if !self.linked.is_empty() {
            return Err(Malformed::Unread {
                count: self.linked.len(),
            });
        }
        match self.bytes.len() - self.position {
            0 => Ok(()),
            count => Err(Malformed::TrailingBytes {
                at: self.position,
                count,
            }),
        }
    }

    /// The first refusal. The proof library maps all of them to one error of its own.
    pub(crate) fn refusal(&self) -> Option<Malformed> {
        self.refusal.clone()
    }

    fn refuse<T>(&mut self, refusal: Malformed) -> io::Result<T> {
        let error = io::Error::other(refusal.to_string());
        self.refusal.get_or_insert(refusal);
        Err(error)
    }

    fn take(&mut self, needed: usize) -> io::Result<&'a [u8]> {
        let at = self.position;
        match self.bytes.get(at..).and_then(|rest| rest.get(..needed)) {
            Some(bytes) => {
                self.position += needed;
                Ok(bytes)
            }
            None => self.refuse(Malformed::Truncated { at, needed }),
        }
    }

    fn element(&mut self) -> io::Result<(usize, [u8; ELEMENT_BYTES])> {
        let at = self.position;
        let mut element = [0; ELEMENT_BYTES];
        element.copy_from_slice(self.take(ELEMENT_BYTES)?);
        Ok((at, element))
    }

    /// A number of so many bytes, at most 16, little-endian: all byte strings of this length are one.
    pub(crate) fn read_number(&mut self, bytes: usize) -> io::Result<u128> {
        let mut number = [0; 16];
        for (to, from) in number.iter_mut().zip(self.take(bytes)?) {
            *to = *from;
        }
        let number = u128::from_le_bytes(number);
        self.state.common_scalar(Fp::from_u128(number))?;
        Ok(number)
    }
}

impl Transcript<EqAffine, Challenge255<EqAffine>> for Reader<'_> {
    fn squeeze_challenge(&mut self) -> Challenge255<EqAffine> {
        self.state.squeeze_challenge()
    }

    fn common_point(&mut self, point: EqAffine) -> io::Result<()> {
        self.state.common_point(point)
    }

    fn common_scalar(&mut self, scalar: Fp) -> io::Result<()> {
        self.state.common_scalar(scalar)
    }
}

impl TranscriptRead<EqAffine, Challenge255<EqAffine>> for Reader<'_> {
    fn read_point(&mut self) -> io::Result<EqAffine> {
        let point = match self.linked.pop_front() {
            Some(Some(point)) => point,
            Some(None) | None => {
                let (at, bytes) = self.element()?;
                match decode_point(&bytes) {
                    Ok(point) => point,
                    Err(error) => return self.refuse(Malformed::Point { at, error }),
                }
            }
        };
        self.state.common_point(point)?;
        Ok(point)
    }

    fn read_scalar(&mut self) -> io::Result<Fp> {
        let (at, bytes) = self.element()?;
        match Option::from(Fp::from_repr(bytes)) {
            Some(scalar) => {
                self.state.common_scalar(scalar)?;
                Ok(scalar)
            }
            None => self.refuse(Malformed::Scalar { at }),
        }
    }
}

/// The prover's end of the transcript, the mirror image of [`Reader`].
#[cfg(feature = "prove")]
pub(crate) struct Writer {
    state: Blake2bWrite<io::Sink, EqAffine, Challenge255<EqAffine>>,
    bytes: Vec<u8>,
    /// What the next point writes of `halo2_proofs` must be; `None` is written.
    linked: VecDeque<Option<EqAffine>>,
    /// A point that `halo2_proofs` wrote was not the predicted one.
    diverged: bool,
    /// Challenges that `halo2_proofs` has squeezed, once it is the library that writes.
    squeezed: Option<usize>,
}

#[cfg(feature = "prove")]
impl Writer {
    pub(crate) fn new(digests: &[[u8; 32]]) -> Self {
        let mut state = Blake2bWrite::init(io::sink());
        let _ = state.common_scalar(statements_scalar(digests));
        Self {
            state,
            bytes: Vec::new(),
            linked: VecDeque::new(),
            diverged: false,
            squeezed: None,
        }
    }

    /// From here on, points that are written are first compared with `linked`.
    pub(crate) fn expect(&mut self, linked: VecDeque<Option<EqAffine>>) {
        self.linked = linked;
        self.squeezed = Some(0);
    }

    /// Whether the library committed to something else than was predicted, or did not commit to all of it.
    pub(crate) fn diverged(&self) -> bool {
        self.diverged || !self.linked.is_empty()
    }

    pub(crate) fn finish(self) -> Vec<u8> {
        self.bytes
    }

    /// Writes a number in its lowest `bytes` bytes, of which there are at most 16 and which must hold it.
    pub(crate) fn write_number(&mut self, number: u128, bytes: usize) -> io::Result<()> {
        self.state.common_scalar(Fp::from_u128(number))?;
        self.bytes.extend(number.to_le_bytes().iter().take(bytes));
        Ok(())
    }
}

#[cfg(feature = "prove")]
impl Transcript<EqAffine, Challenge255<EqAffine>> for Writer {
    fn squeeze_challenge(&mut self) -> Challenge255<EqAffine> {
        if let Some(squeezed) = &mut self.squeezed {
            Phase::of_challenge(*squeezed).into_iter().for_each(Phase::ended);
            *squeezed += 1;
        }
        self.state.squeeze_challenge()
    }

    fn common_point(&mut self, point: EqAffine) -> io::Result<()> {
        self.state.common_point(point)
    }

    fn common_scalar(&mut self, scalar: Fp) -> io::Result<()> {
        self.state.common_scalar(scalar)
    }
}

#[cfg(feature = "prove")]
impl TranscriptWrite<EqAffine, Challenge255<EqAffine>> for Writer {
    fn write_point(&mut self, point: EqAffine) -> io::Result<()> {
        match self.linked.pop_front() {
            Some(Some(expected)) if expected == point => self.state.common_point(point),
            Some(Some(_)) => {
                self.diverged = true;
                Err(io::Error::other("an advice commitment is not the predicted one"))
            }
            Some(None) | None => {
                self.state.common_point(point)?;
                self.bytes.extend(point.to_bytes());
                Ok(())
            }
        }
    }

    fn write_scalar(&mut self, scalar: Fp) -> io::Result<()> {
        self.state.common_scalar(scalar)?;
        self.bytes.extend(scalar.to_repr());
        Ok(())
    }
}

/// A challenge of the transcript.
pub(crate) fn challenge(transcript: &mut impl Transcript<EqAffine, Challenge255<EqAffine>>) -> Fp {
    transcript.squeeze_challenge().get_scalar()
}

#[cfg(all(test, feature = "prove"))]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]

    use group::CurveAffine;

    use super::*;

    fn hex(scalar: Fp) -> String {
        scalar.to_repr().iter().map(|byte| format!("{byte:02x}")).collect()
    }

    /// The first two challenges over fixed statements and points: whoever implements the protocol anew gets these.
    #[test]
    fn challenges_over_fixed_bytes_are_the_pinned_ones() {
        let point = (<EqAffine as CurveAffine>::generator() * Fp::from(7)).into();
        let mut writer = Writer::new(&[[1; 32], [2; 32]]);
        let first = challenge(&mut writer);
        writer.write_point(point).unwrap();
        writer.write_scalar(Fp::from(9)).unwrap();
        let second = challenge(&mut writer);
        crate::golden::check("challenges.txt", &format!("{}\n{}\n", hex(first), hex(second)));

        let bytes = writer.finish();
        let mut reader = Reader::new(&[[1; 32], [2; 32]], &bytes);
        assert_eq!(challenge(&mut reader), first);
        assert_eq!(reader.read_point().unwrap(), point);
        assert_eq!(reader.read_scalar().unwrap(), Fp::from(9));
        assert_eq!(challenge(&mut reader), second);
        assert_eq!(reader.finish(), Ok(()));
    }

    #[test]
    fn number_and_order_of_statements_are_absorbed() {
        let first = |digests: &[[u8; 32]]| challenge(&mut Writer::new(digests));
        let all = [
            first(&[[1; 32]]),
            first(&[[1; 32], [2; 32]]),
            first(&[[2; 32], [1; 32]]),
            first(&[]),
        ];
        for (index, challenge) in all.iter().enumerate() {
            assert!(!all[index + 1..].contains(challenge));
        }
    }

    #[test]
    fn linked_points_that_the_library_does_not_ask_for_are_noticed() {
        let mut reader = Reader::new(&[[1; 32]], &[]);
        reader.answer_with([None].into());
        assert_eq!(reader.finish(), Err(Malformed::Unread { count: 1 }));
        let mut writer = Writer::new(&[[1; 32]]);
        writer.expect([None].into());
        assert!(writer.diverged());
    }

    #[test]
    fn commitment_that_was_not_predicted_is_not_written() {
        let generator = <EqAffine as CurveAffine>::generator();
        let other: EqAffine = (generator * Fp::from(2)).into();
        let mut writer = Writer::new(&[[1; 32]]);
        writer.expect([Some(generator)].into());
        assert!(writer.write_point(other).is_err());
        assert!(writer.diverged());
        assert!(writer.finish().is_empty());
    }
}
