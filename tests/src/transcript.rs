//! The one transcript of protocol §7, from both ends.

use std::collections::VecDeque;
use std::io;

use ff::FromUniformBytes;
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
    pub(crate) state: Blake2bWrite<Vec<u8>, EqAffine, Challenge255<EqAffine>>,
    pub(crate) slots: VecDeque<Slot>,
}

impl Writer {
    pub(crate) fn new(statements: &[[u8; 32]]) -> Self {
        let mut state = Blake2bWrite::init(Vec::new());
        state.common_scalar(statements_scalar(statements)).expect("hashing");
        Self {
            state,
            slots: VecDeque::new(),
        }
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
            Slot::Bytes | Slot::Same(_) => self.state.write_point(point),
            Slot::Silent => self.state.common_point(point),
            Slot::Instead(other) => self.state.common_point(other),
        }
    }

    fn write_scalar(&mut self, scalar: Fp) -> io::Result<()> {
        self.state.write_scalar(scalar)
    }
}

/// The verifier's end.
pub(crate) struct Reader<'a> {
    pub(crate) state: Blake2bRead<&'a [u8], EqAffine, Challenge255<EqAffine>>,
    pub(crate) slots: VecDeque<Slot>,
    /// A point was not the one that it had to be.
    pub(crate) differs: bool,
    /// Something was no element, or missing. The library maps that to an error of its own.
    pub(crate) malformed: bool,
    pub(crate) elements: usize,
}

impl<'a> Reader<'a> {
    pub(crate) fn new(statements: &[[u8; 32]], proof: &'a [u8]) -> Self {
        let mut state = Blake2bRead::init(proof);
        state.common_scalar(statements_scalar(statements)).expect("hashing");
        Self {
            state,
            slots: VecDeque::new(),
            differs: false,
            malformed: false,
            elements: 0,
        }
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
        self.elements += 1;
        let point = self.state.read_point().inspect_err(|_| self.malformed = true)?;
        if let Slot::Same(expected) = slot {
            self.differs |= point != expected;
        }
        Ok(point)
    }

    fn read_scalar(&mut self) -> io::Result<Fp> {
        self.elements += 1;
        self.state.read_scalar().inspect_err(|_| self.malformed = true)
    }
}
