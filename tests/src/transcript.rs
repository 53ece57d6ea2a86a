//! The one transcript of protocol §7, from both ends.

use std::collections::VecDeque;
use std::io;

use ff::{FromUniformBytes, PrimeField};
use group::GroupEncoding;
use halo2_proofs::transcript::{
    Blake2bRead, Blake2bWrite, Challenge255, EncodedChallenge, Transcript, TranscriptRead, TranscriptWrite,
};
use pasta_curves::{EqAffine, Fp};

/// What the transcript starts with: the scalar of `BLAKE2b-512(M ‖ the M statement digests)`.
pub fn statements_scalar(statements: &[[u8; 32]]) -> Fp {
    let mut state = blake2b_simd::Params::new()
        .hash_length(64)
        .personal(b"zkmargin-stmt-v1")
        .to_state();
    state.update(&(statements.len() as u64).to_le_bytes());
    statements.iter().for_each(|digest| {
        state.update(digest);
    });
    Fp::from_uniform_bytes(state.finalize().as_array())
}

/// A challenge.
pub(crate) fn squeeze(transcript: &mut impl Transcript<EqAffine, Challenge255<EqAffine>>) -> Fp {
    transcript.squeeze_challenge().get_scalar()
}

/// What becomes of a point that the proof library writes or reads.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Slot {
    /// It is in the byte string.
    Bytes,
    /// It is absorbed as the library gives it, and not in the byte string.
    Silent,
    /// This point is absorbed in its place, and nothing is in the byte string.
    Instead(EqAffine),
    /// It is in the byte string, and must be this point.
    Same(EqAffine),
}

/// The prover's end.
pub(crate) struct Writer {
    state: Blake2bWrite<io::Sink, EqAffine, Challenge255<EqAffine>>,
    pub(crate) bytes: Vec<u8>,
    pub(crate) slots: VecDeque<Slot>,
}

impl Writer {
    pub(crate) fn new(statements: &[[u8; 32]]) -> Self {
        let mut state = Blake2bWrite::init(io::sink());
        state.common_scalar(statements_scalar(statements)).expect("hashing");
        Self {
            state,
            bytes: Vec::new(),
            slots: VecDeque::new(),
        }
    }

    /// Writes the lowest bytes of a number, and absorbs what they are as a scalar, which is returned.
    pub(crate) fn write_number(&mut self, number: Fp, bytes: usize) -> Fp {
        let mut low = [0; 32];
        low[..bytes].copy_from_slice(&number.to_repr()[..bytes]);
        let low = Fp::from_repr(low).expect("canonical");
        self.state.common_scalar(low).expect("hashing");
        self.bytes.extend(&low.to_repr()[..bytes]);
        low
    }
}

impl Transcript<EqAffine, Challenge255<EqAffine>> for Writer {
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

impl TranscriptWrite<EqAffine, Challenge255<EqAffine>> for Writer {
    fn write_point(&mut self, point: EqAffine) -> io::Result<()> {
        match self.slots.pop_front().unwrap_or(Slot::Bytes) {
            Slot::Bytes | Slot::Same(_) => {
                self.bytes.extend(point.to_bytes());
                self.state.common_point(point)
            }
            Slot::Silent => self.state.common_point(point),
            Slot::Instead(other) => self.state.common_point(other),
        }
    }

    fn write_scalar(&mut self, scalar: Fp) -> io::Result<()> {
        self.bytes.extend(scalar.to_repr());
        self.state.common_scalar(scalar)
    }
}

/// The verifier's end.
pub(crate) struct Reader<'a> {
    state: Blake2bRead<io::Empty, EqAffine, Challenge255<EqAffine>>,
    /// What has not been read.
    pub(crate) bytes: &'a [u8],
    pub(crate) slots: VecDeque<Slot>,
    /// A point was not the one that it had to be.
    pub(crate) differs: bool,
    /// Something was no element, or missing. The library maps that to an error of its own.
    pub(crate) malformed: bool,
}

impl<'a> Reader<'a> {
    pub(crate) fn new(statements: &[[u8; 32]], proof: &'a [u8]) -> Self {
        let mut state = Blake2bRead::init(io::empty());
        state.common_scalar(statements_scalar(statements)).expect("hashing");
        Self {
            state,
            bytes: proof,
            slots: VecDeque::new(),
            differs: false,
            malformed: false,
        }
    }

    /// So many bytes, and zeros up to 32.
    fn take(&mut self, count: usize) -> io::Result<[u8; 32]> {
        let (bytes, rest) = self.bytes.split_at_checked(count).ok_or(io::ErrorKind::UnexpectedEof)?;
        self.bytes = rest;
        let mut taken = [0; 32];
        taken[..count].copy_from_slice(bytes);
        Ok(taken)
    }

    fn point(&mut self) -> io::Result<EqAffine> {
        let point = Option::from(EqAffine::from_bytes(&self.take(32)?));
        let point = point.ok_or(io::ErrorKind::InvalidData)?;
        // Fails at the identity.
        self.state.common_point(point)?;
        Ok(point)
    }

    fn scalar(&mut self, bytes: usize) -> io::Result<Fp> {
        let scalar = Option::from(Fp::from_repr(self.take(bytes)?));
        let scalar = scalar.ok_or(io::ErrorKind::InvalidData)?;
        self.state.common_scalar(scalar)?;
        Ok(scalar)
    }

    /// A number of so many bytes.
    pub(crate) fn read_number(&mut self, bytes: usize) -> io::Result<Fp> {
        self.scalar(bytes).inspect_err(|_| self.malformed = true)
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
        let slot = self.slots.pop_front().unwrap_or(Slot::Bytes);
        if let Slot::Instead(point) = slot {
            self.state.common_point(point)?;
            return Ok(point);
        }
        let point = self.point().inspect_err(|_| self.malformed = true)?;
        if let Slot::Same(expected) = slot {
            self.differs |= point != expected;
        }
        Ok(point)
    }

    fn read_scalar(&mut self) -> io::Result<Fp> {
        self.scalar(32).inspect_err(|_| self.malformed = true)
    }
}
