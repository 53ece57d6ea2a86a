//! Bulletproofs without a circuit: the margins are committed to and shown to be in range; that they are what the matrix makes of the account
//! is linear, and Pedersen commitments are.
//!
//! A margin is `lo + 2^64·hi`, with 64 and 16 bits, each with a commitment of its own and one aggregated range proof over all of a kind. Two forms differ
//! in what a venue attests:
//!
//! - [`Points`]: a commitment per leg, and one to the collateral. Nothing else is to be proven: the verifier checks `Σ_j r_j·V_j = Σ_i a_i·C_i + (Σ_j r_j)·C_c` itself.
//! - [`Vector`]: one commitment to all legs, and one to the collateral. That `⟨q, a⟩` is what the committed margins say is a proof of a linear form
//!   (Gentry, Halevi, Lyubashevsky, EUROCRYPT 2022, appendix E.3), as in the crate.

use anyhow::{Context, Result, bail, ensure};
use bulletproofs::{BulletproofGens, LinearProof, PedersenGens, RangeProof};
use curve25519_dalek::ristretto::{CompressedRistretto, RistrettoPoint};
use curve25519_dalek::scalar::Scalar;
use curve25519_dalek::traits::{IsIdentity, VartimeMultiscalarMul};
use merlin::Transcript;

use crate::fold::{Multipliers, Wide};
use crate::statement::{Book, MONEY_BITS, Matrix};
use crate::system::{System, TrustedSetup};

const LOW_BITS: usize = 64;
const HIGH_BITS: usize = MONEY_BITS as usize - LOW_BITS;
const POINT_BYTES: usize = 32;
const LABEL: &str = "zkmargin-baselines bulletproofs";

/// The margins' commitments and range proofs, the same in both forms.
struct Ranges {
    generators: BulletproofGens,
    pedersen: PedersenGens,
    scenarios: usize,
}

/// A proof that committed numbers are in range.
struct Ranged {
    /// Commitments to the low parts, then to the high parts.
    commitments: Vec<u8>,
    /// `lo + 2^64·hi` as blinds.
    blinds: Vec<Scalar>,
    /// The proof of the low parts, then that of the high parts.
    proofs: Vec<u8>,
}

fn scalar(wide: Wide) -> Scalar {
    let signed = |value: i128| match value {
        0.. => Scalar::from(value.unsigned_abs()),
        _ => -Scalar::from(value.unsigned_abs()),
    };
    signed(wide.low) + signed(wide.high) * Scalar::from(1u128 << 64)
}

fn random() -> Scalar {
    Scalar::random(&mut curve25519_dalek_rng())
}

/// The generator of the operating system behind the traits that these crates use.
fn curve25519_dalek_rng() -> impl rand_core_06::RngCore + rand_core_06::CryptoRng {
    rand_core_06::OsRng
}

fn transcript(matrix: &Matrix, attestation: &[u8]) -> Transcript {
    let mut transcript = Transcript::new(LABEL.as_bytes());
    transcript.append_message(b"matrix", matrix.digest());
    transcript.append_message(b"attestation", attestation);
    transcript
}

fn points(bytes: &[u8]) -> Result<Vec<RistrettoPoint>> {
    let chunks = bytes.chunks(POINT_BYTES);
    chunks
        .map(|chunk| {
            CompressedRistretto::from_slice(chunk)?
                .decompress()
                .context("not a point")
        })
        .collect()
}

impl Ranges {
    fn new(matrix: &Matrix) -> Self {
        let scenarios = matrix.scenarios().len();
        Self {
            generators: BulletproofGens::new(LOW_BITS, scenarios.next_power_of_two()),
            pedersen: PedersenGens::default(),
            scenarios,
        }
    }

    /// `blinds` are those of the margins, if the form determines them.
    fn prove(&self, transcript: &mut Transcript, margins: &[i128], blinds: Option<Vec<Scalar>>) -> Result<Ranged> {
        let shift = Scalar::from(1u128 << 64);
        let high: Vec<Scalar> = (0..self.scenarios).map(|_| random()).collect();
        let low: Vec<Scalar> = match &blinds {
            Some(blinds) => blinds
                .iter()
                .zip(&high)
                .map(|(blind, high)| blind - shift * high)
                .collect(),
            None => (0..self.scenarios).map(|_| random()).collect(),
        };
        let mut ranged = Ranged {
            commitments: Vec::new(),
            blinds: low.iter().zip(&high).map(|(low, high)| low + shift * high).collect(),
            proofs: Vec::new(),
        };
        let lows = margins.iter().map(|margin| *margin as u64);
        let highs = margins.iter().map(|margin| u64::from((*margin >> LOW_BITS) as u16));
        for (values, mut blinds, bits) in [
            (lows.collect::<Vec<_>>(), low, LOW_BITS),
            (highs.collect(), high, HIGH_BITS),
        ] {
            // An aggregate is of a power of two. What fills it is zero without a blind, which the verifier sees.
            let mut values = values;
            values.resize(self.scenarios.next_power_of_two(), 0);
            blinds.resize(values.len(), Scalar::ZERO);
            let (proof, commitments) =
                RangeProof::prove_multiple(&self.generators, &self.pedersen, transcript, &values, &blinds, bits)?;
            let commitments = commitments.iter().take(self.scenarios);
            ranged
                .commitments
                .extend(commitments.flat_map(CompressedRistretto::to_bytes));
            ranged.proofs.extend(proof.to_bytes());
        }
        Ok(ranged)
    }

    fn commitments_bytes(&self) -> usize {
        2 * POINT_BYTES * self.scenarios
    }

    /// Bytes of the two range proofs: seven elements, two per halving, and the last two.
    fn proofs_bytes(&self) -> [usize; 2] {
        let slots = self.scenarios.next_power_of_two();
        [LOW_BITS, HIGH_BITS].map(|bits| 32 * (9 + 2 * (bits * slots).ilog2() as usize))
    }

    /// Checks the ranges and returns `Σ_j r_j·V_j` as terms, `V_j` a margin's commitment.
    fn verify(
        &self,
        transcript: &mut Transcript,
        commitments: &[u8],
        proofs: &[u8],
        r: &Multipliers,
    ) -> Result<(Vec<Scalar>, Vec<RistrettoPoint>)> {
        let slots = self.scenarios.next_power_of_two();
        let mut rest = proofs;
        let halves = commitments
            .chunks(POINT_BYTES * self.scenarios)
            .zip([LOW_BITS, HIGH_BITS]);
        for ((half, bits), bytes) in halves.zip(self.proofs_bytes()) {
            let (proof, after) = rest.split_at_checked(bytes).context("the proof is too short")?;
            rest = after;
            let mut values: Vec<CompressedRistretto> = half
                .chunks(POINT_BYTES)
                .map(CompressedRistretto::from_slice)
                .collect::<Result<_, _>>()?;
            values.resize(slots, CompressedRistretto::default());
            RangeProof::from_bytes(proof)?.verify_multiple(
                &self.generators,
                &self.pedersen,
                transcript,
                &values,
                bits,
            )?;
        }
        ensure!(rest.is_empty(), "the proof is too long");
        let low: Vec<Scalar> = r.values().iter().copied().map(Scalar::from).collect();
        let high = low.iter().map(|r| r * Scalar::from(1u128 << 64));
        Ok((low.iter().copied().chain(high).collect(), points(commitments)?))
    }
}

/// A commitment per leg.
#[allow(missing_debug_implementations)]
pub struct Points(Ranges);

impl System for Points {
    const NAME: &'static str = "bulletproofs-points";
    const TRUSTED_SETUP: TrustedSetup = TrustedSetup::None;
    const MATRIX_FREE: bool = true;
    /// Blinds of the legs, then that of the collateral.
    type Opening = Vec<Scalar>;

    fn setup(matrix: &Matrix) -> Result<Self> {
        Ok(Self(Ranges::new(matrix)))
    }

    fn key_bytes(&self) -> usize {
        0
    }

    fn attest(&self, book: &Book) -> Result<(Vec<u8>, Vec<Scalar>)> {
        let amounts = book.lots.iter().chain([&book.collateral]);
        let blinds: Vec<Scalar> = amounts.clone().map(|_| random()).collect();
        let commitments = amounts.zip(&blinds).flat_map(|(amount, blind)| {
            self.0
                .pedersen
                .commit(Scalar::from(*amount), *blind)
                .compress()
                .to_bytes()
        });
        Ok((commitments.collect(), blinds))
    }

    fn prove(
        &self,
        matrix: &Matrix,
        attestation: &[u8],
        _: &Book,
        blinds: &Vec<Scalar>,
        margins: &[i128],
    ) -> Result<Vec<u8>> {
        let (collateral, legs) = blinds.split_last().context("there is no collateral")?;
        let blind = |scenario: &Vec<i64>| {
            let weighted = scenario.iter().zip(legs).map(|(coefficient, blind)| {
                scalar(Wide {
                    low: i128::from(*coefficient),
                    high: 0,
                }) * blind
            });
            weighted.sum::<Scalar>() + collateral
        };
        let blinds = matrix.scenarios().iter().map(blind).collect();
        let mut transcript = transcript(matrix, attestation);
        let ranged = self.0.prove(&mut transcript, margins, Some(blinds))?;
        Ok([ranged.commitments, ranged.proofs].concat())
    }

    fn verify(&self, matrix: &Matrix, attestation: &[u8], proof: &[u8]) -> Result<()> {
        ensure!(
            attestation.len() == POINT_BYTES * (matrix.legs() + 1),
            "the attestation is of other legs"
        );
        let (commitments, proofs) = proof
            .split_at_checked(self.0.commitments_bytes())
            .context("the proof is too short")?;
        let r = Multipliers::new(LABEL, matrix, &[attestation, commitments]);
        let (mut scalars, mut terms) = self
            .0
            .verify(&mut transcript(matrix, attestation), commitments, proofs, &r)?;
        scalars.extend(r.fold(matrix).into_iter().map(|a| -scalar(a)));
        scalars.push(-scalar(r.sum()));
        terms.extend(points(attestation)?);
        ensure!(
            RistrettoPoint::vartime_multiscalar_mul(scalars, terms).is_identity(),
            "the margins are not those of the account"
        );
        Ok(())
    }
}

/// One commitment to all legs.
#[allow(missing_debug_implementations)]
pub struct Vector {
    ranges: Ranges,
    /// One per leg, filled up to a power of two.
    legs: Vec<RistrettoPoint>,
}

impl Vector {
    /// `C + Σ_j r_j·V_j - (Σ_j r_j)·C_c`, whose value is `⟨q, a⟩`, from the attested points and the terms of the margins.
    fn linear(
        attested: &[RistrettoPoint],
        r: &Multipliers,
        mut scalars: Vec<Scalar>,
        mut terms: Vec<RistrettoPoint>,
    ) -> Result<CompressedRistretto> {
        let [legs, collateral] = attested else {
            bail!("the attestation is not two points")
        };
        scalars.extend([Scalar::ONE, -scalar(r.sum())]);
        terms.extend([legs, collateral]);
        Ok(RistrettoPoint::vartime_multiscalar_mul(scalars, terms).compress())
    }

    fn folded(&self, r: &Multipliers, matrix: &Matrix) -> Vec<Scalar> {
        let mut folded: Vec<Scalar> = r.fold(matrix).into_iter().map(scalar).collect();
        folded.resize(self.legs.len(), Scalar::ZERO);
        folded
    }

    fn linear_bytes(&self) -> usize {
        32 * (3 + 2 * self.legs.len().ilog2() as usize)
    }
}

impl System for Vector {
    const NAME: &'static str = "bulletproofs-vector";
    const TRUSTED_SETUP: TrustedSetup = TrustedSetup::None;
    const MATRIX_FREE: bool = true;
    /// The blinds of the legs' commitment and of the collateral's.
    type Opening = [Scalar; 2];

    fn setup(matrix: &Matrix) -> Result<Self> {
        let generator = |index: u64| {
            let hash = blake2b_simd::Params::new()
                .hash_length(64)
                .key(b"baselines legs")
                .hash(&index.to_le_bytes());
            RistrettoPoint::from_uniform_bytes(hash.as_array())
        };
        Ok(Self {
            ranges: Ranges::new(matrix),
            legs: (0..matrix.legs().next_power_of_two() as u64).map(generator).collect(),
        })
    }

    fn key_bytes(&self) -> usize {
        0
    }

    fn attest(&self, book: &Book) -> Result<(Vec<u8>, [Scalar; 2])> {
        let blinds = [random(), random()];
        let lots = book.lots.iter().copied().map(Scalar::from).chain([blinds[0]]);
        let generators = self
            .legs
            .iter()
            .take(book.lots.len())
            .chain([&self.ranges.pedersen.B_blinding]);
        let legs = RistrettoPoint::vartime_multiscalar_mul(lots, generators);
        let collateral = self.ranges.pedersen.commit(Scalar::from(book.collateral), blinds[1]);
        Ok((
            [legs, collateral]
                .iter()
                .flat_map(|point| point.compress().to_bytes())
                .collect(),
            blinds,
        ))
    }

    fn prove(
        &self,
        matrix: &Matrix,
        attestation: &[u8],
        book: &Book,
        [legs, collateral]: &[Scalar; 2],
        margins: &[i128],
    ) -> Result<Vec<u8>> {
        let mut transcript = transcript(matrix, attestation);
        let ranged = self.ranges.prove(&mut transcript, margins, None)?;
        let r = Multipliers::new(LABEL, matrix, &[attestation, &ranged.commitments]);
        let low: Vec<Scalar> = r.values().iter().copied().map(Scalar::from).collect();
        let high = low.iter().map(|r| r * Scalar::from(1u128 << 64));
        let scalars = low.iter().copied().chain(high).collect();
        let commitment = Self::linear(&points(attestation)?, &r, scalars, points(&ranged.commitments)?)?;
        let blinds = low.iter().zip(&ranged.blinds).map(|(r, blind)| r * blind);
        let mut lots: Vec<Scalar> = book.lots.iter().copied().map(Scalar::from).collect();
        lots.resize(self.legs.len(), Scalar::ZERO);
        let linear = LinearProof::create(
            &mut transcript,
            &mut curve25519_dalek_rng(),
            &commitment,
            legs + blinds.sum::<Scalar>() - scalar(r.sum()) * collateral,
            lots,
            self.folded(&r, matrix),
            self.legs.clone(),
            &self.ranges.pedersen.B,
            &self.ranges.pedersen.B_blinding,
        )?;
        Ok([ranged.commitments, linear.to_bytes(), ranged.proofs].concat())
    }

    fn verify(&self, matrix: &Matrix, attestation: &[u8], proof: &[u8]) -> Result<()> {
        let short = "the proof is too short";
        let (commitments, rest) = proof.split_at_checked(self.ranges.commitments_bytes()).context(short)?;
        let (linear, proofs) = rest.split_at_checked(self.linear_bytes()).context(short)?;
        let r = Multipliers::new(LABEL, matrix, &[attestation, commitments]);
        let mut transcript = transcript(matrix, attestation);
        let (scalars, terms) = self.ranges.verify(&mut transcript, commitments, proofs, &r)?;
        LinearProof::from_bytes(linear)?.verify(
            &mut transcript,
            &Self::linear(&points(attestation)?, &r, scalars, terms)?,
            &self.legs,
            &self.ranges.pedersen.B,
            &self.ranges.pedersen.B_blinding,
            self.folded(&r, matrix),
        )?;
        Ok(())
    }
}
