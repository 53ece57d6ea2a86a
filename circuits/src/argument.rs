//! The whole argument, in the order of protocol §7.
//!
//! 1. absorb the statements;
//! 2. `C'_q`, `C'_x` of all circuits; challenge `e`; the masked projections `u` and `C'_z` of all circuits; challenge `r`;
//! 3. `C'_a`, `C'_b`, `C'_s` of all circuits; challenge `η`; the link (module `link`);
//! 4. `halo2_proofs` on the same transcript, whose advice commitments are the points of steps 2 and 3.
//!
//! A verifier gets everything but the proof bytes out of its own hands: the parameters, the programs (from which shape and
//! key follow) and the attested points.

use std::collections::VecDeque;

use ff::{Field, PrimeField};
use halo2_proofs::plonk::{Error, VerificationStrategy, VerifyingKey, verify_proof};
use halo2_proofs::poly::commitment::{Guard, MSM};
use halo2_proofs::transcript::{EncodedChallenge, TranscriptRead};
use pasta_curves::{EqAffine, Fp};
use zkmargin_program::{LegId, MAX_ACCOUNTS_PER_VENUE, Program, WrapAround};

use crate::commitment::Point;
use crate::fold::{Folded, fold};
use crate::keys::verifying_key;
use crate::link::{self, Outside};
use crate::parameters::Parameters;
use crate::shape::{Placement, ShapeError};
use crate::transcript::{Malformed, Reader, challenge};

/// Version of the protocol; part of every statement and attestation.
pub const PROTOCOL_VERSION: u32 = 3;

/// Statements that one proof may cover.
pub const MAX_STATEMENTS: usize = 256;

/// One statement as the argument sees it: a program that the sum of attested accounts satisfies.
///
/// The transcript absorbs the digest alone. **It must cover everything else that is here**: the program (by the digests of what it is
/// compiled of), every attested point, every public amount. With a digest that does not, a prover could choose what it
/// leaves out after the challenges. `zkmargin-verifier` makes such digests.
#[derive(Clone, Copy, Debug)]
pub struct Claim<'a> {
    /// The statement digest.
    pub statement: [u8; 32],
    /// The margin program.
    pub program: &'a Program,
    /// Per column of the account vector, the attested points that are added up there; none for a venue without an
    /// attestation, whose legs are thereby proven zero.
    pub attested: &'a [Vec<Point>],
    /// Public amounts (lots) of an order or a deposit, added to the attested account.
    pub public: &'a [(LegId, u64)],
}

/// Why claims cannot be proven or verified, whatever the proof says.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ClaimError {
    /// Nothing is claimed.
    #[error("there is no statement")]
    None,
    /// More statements than one proof may cover.
    #[error("{given} statements in one proof, at most {MAX_STATEMENTS} are allowed")]
    TooMany {
        /// Statements given.
        given: usize,
    },
    /// The parameters are for another `k` than the universe.
    #[error("the universe has k = {universe}, the parameters have k = {parameters}")]
    OtherK {
        /// `k` of the universe.
        universe: u32,
        /// `k` of the parameters.
        parameters: u32,
    },
    /// The statements of one proof have different shapes or layouts.
    #[error("statement {} has another shape than the first one", index + 1)]
    OtherShape {
        /// The statement.
        index: usize,
    },
    /// The points are not one list per column.
    #[error("statement {} has points for {given} columns, the universe has {columns}", index + 1)]
    Columns {
        /// The statement.
        index: usize,
        /// Columns given.
        given: usize,
        /// Columns of the universe.
        columns: usize,
    },
    /// More accounts than the no-wrap bound allows for.
    #[error("statement {} adds {given} accounts in column {column}, at most {MAX_ACCOUNTS_PER_VENUE} are allowed", index + 1)]
    TooManyAccounts {
        /// The statement.
        index: usize,
        /// The column.
        column: usize,
        /// Accounts given.
        given: usize,
    },
    /// A public amount on a leg that the universe does not have, or at a venue without an attestation.
    #[error("statement {} adds a public amount to leg {leg}, where nothing is attested", index + 1)]
    PublicLeg {
        /// The statement.
        index: usize,
        /// The leg.
        leg: usize,
    },
    /// Public amounts that leave the range of a leg.
    #[error("statement {} adds 2^48 lots or more to leg {leg}", index + 1)]
    PublicAmount {
        /// The statement.
        index: usize,
        /// The leg.
        leg: usize,
    },
    /// The program has no shape.
    #[error(transparent)]
    Shape(#[from] ShapeError),
    /// The equations could wrap around the field at the widths of this shape.
    #[error(transparent)]
    WrapAround(#[from] WrapAround),
}

/// Why a proof is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The claims themselves are not well formed.
    #[error(transparent)]
    Claim(#[from] ClaimError),
    /// The bytes are not a proof of this shape.
    #[error(transparent)]
    Malformed(#[from] Malformed),
    /// The columns of the circuit do not hold what the venues signed or what the public program folds to.
    #[error("the link fails: the proof is not about the attested accounts")]
    Link,
    /// The proof of the circuit does not hold.
    #[error("the proof of the circuit fails")]
    Circuit,
    /// The operating system gave no randomness for the weights of the sums.
    #[error("no randomness from the operating system: {reason}")]
    Randomness {
        /// What it said.
        reason: String,
    },
    /// The key could not be built.
    #[error("the verifying key cannot be built: {reason}")]
    Key {
        /// What the proof library said.
        reason: String,
    },
}

/// Checks the claims and finds the placement of each one's variables; all have one shape.
pub(crate) fn placements(parameters: &Parameters, claims: &[Claim<'_>]) -> Result<Vec<Placement>, ClaimError> {
    if claims.len() > MAX_STATEMENTS {
        return Err(ClaimError::TooMany { given: claims.len() });
    }
    let first = claims.first().ok_or(ClaimError::None)?;
    let mut placements: Vec<Placement> = Vec::with_capacity(claims.len());
    for (index, claim) in claims.iter().enumerate() {
        let layout = claim.program.layout();
        if layout.k() != parameters.k() {
            return Err(ClaimError::OtherK {
                universe: layout.k(),
                parameters: parameters.k(),
            });
        }
        let columns = layout.columns();
        if claim.attested.len() != columns {
            return Err(ClaimError::Columns {
                index,
                given: claim.attested.len(),
                columns,
            });
        }
        for (column, points) in claim.attested.iter().enumerate() {
            if points.len() > MAX_ACCOUNTS_PER_VENUE as usize {
                return Err(ClaimError::TooManyAccounts {
                    index,
                    column,
                    given: points.len(),
                });
            }
        }
        for (leg, _) in claim.public {
            let attested = layout.contains(*leg) && !claim.attested[layout.column_of(*leg)].is_empty();
            if !attested {
                return Err(ClaimError::PublicLeg {
                    index,
                    leg: leg.index(),
                });
            }
        }
        public_amounts(index, claim)?;
        let placement = match placements.first() {
            Some(placement) if std::ptr::eq(claim.program, first.program) => placement.clone(),
            _ => {
                let placement = Placement::new(claim.program)?;
                claim.program.check_no_wrap(&placement.ranges())?;
                placement
            }
        };
        if placements
            .first()
            .is_some_and(|first| first.shape() != placement.shape())
            || layout != first.program.layout()
        {
            return Err(ClaimError::OtherShape { index });
        }
        placements.push(placement);
    }
    Ok(placements)
}

/// Per leg, what the public amounts of a claim add up to.
pub(crate) fn public_amounts(index: usize, claim: &Claim<'_>) -> Result<Vec<(LegId, u64)>, ClaimError> {
    let mut sums: Vec<(LegId, u64)> = Vec::with_capacity(claim.public.len());
    for (leg, lots) in claim.public {
        let too_large = ClaimError::PublicAmount {
            index,
            leg: leg.index(),
        };
        let sum = match sums.iter_mut().find(|(other, _)| other == leg) {
            Some((_, sum)) => sum,
            None => {
                sums.push((*leg, 0));
                &mut sums.last_mut().ok_or(too_large.clone())?.1
            }
        };
        *sum = sum
            .checked_add(*lots)
            .filter(|sum| sum >> zkmargin_program::LOT_BITS == 0)
            .ok_or(too_large)?;
    }
    Ok(sums)
}

/// Verifies one proof of all claims, in their order.
///
/// # Errors
/// [`Refusal`].
pub fn verify(parameters: &Parameters, claims: &[Claim<'_>], proof: &[u8]) -> Result<(), Refusal> {
    let read = read(parameters, claims, proof)?;
    let mut sum = MSM::new(parameters.params());
    read.add_to(&mut sum)?;
    match sum.eval() {
        true => Ok(()),
        false => Err(read.refusal()),
    }
}

/// A proof of which everything is checked but that two sums of points vanish: that of the link, and that of the circuit.
pub(crate) struct Read<'p> {
    link: MSM<'p, EqAffine>,
    circuit: MSM<'p, EqAffine>,
}

impl<'p> Read<'p> {
    /// Adds both, each with a weight of its own, to a sum that vanishes with all of them; with an error of `2^-128`, since whoever made
    /// the proof could not know the weights.
    pub(crate) fn add_to(&self, sum: &mut MSM<'p, EqAffine>) -> Result<(), Refusal> {
        for own in [&self.link, &self.circuit] {
            let mut own = own.clone();
            own.scale(weight()?);
            sum.add_msm(&own);
        }
        Ok(())
    }

    /// Why the proof is refused, if not both vanish.
    fn refusal(&self) -> Refusal {
        match self.link.clone().eval() {
            true => Refusal::Circuit,
            false => Refusal::Link,
        }
    }
}

/// A number of 128 bits from the operating system.
fn weight() -> Result<Fp, Refusal> {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes).map_err(|error| Refusal::Randomness {
        reason: error.to_string(),
    })?;
    Ok(Fp::from_u128(u128::from_le_bytes(bytes)))
}

/// Hands out the sum of an opening instead of evaluating it.
struct Unevaluated<'p>(MSM<'p, EqAffine>);

impl<'p> VerificationStrategy<'p, EqAffine> for Unevaluated<'p> {
    type Output = MSM<'p, EqAffine>;

    fn process<E: EncodedChallenge<EqAffine>>(
        self,
        opening: impl FnOnce(MSM<'p, EqAffine>) -> Result<Guard<'p, EqAffine, E>, Error>,
    ) -> Result<Self::Output, Error> {
        Ok(opening(self.0)?.use_challenges())
    }
}

/// Reads a proof and checks everything but its sums.
pub(crate) fn read<'p>(parameters: &'p Parameters, claims: &[Claim<'_>], proof: &[u8]) -> Result<Read<'p>, Refusal> {
    let placements = placements(parameters, claims)?;
    let placement = placements.first().ok_or(ClaimError::None)?;
    let key = verifying_key(parameters, placement).map_err(|error| Refusal::Key {
        reason: error.to_string(),
    })?;

    let digests: Vec<[u8; 32]> = claims.iter().map(|claim| claim.statement).collect();
    let mut reader = Reader::new(&digests, proof);
    let outcome = read_and_check(parameters, claims, &placements, &key, &mut reader);
    match (outcome, reader.refusal()) {
        // The reader knows better than the library why it stopped.
        (_, Some(refusal)) => Err(refusal.into()),
        (outcome, None) => {
            let read = outcome?;
            reader.finish()?;
            Ok(read)
        }
    }
}

fn read_and_check<'p>(
    parameters: &'p Parameters,
    claims: &[Claim<'_>],
    placements: &[Placement],
    key: &VerifyingKey<EqAffine>,
    reader: &mut Reader<'_>,
) -> Result<Read<'p>, Refusal> {
    let placement = placements.first().ok_or(ClaimError::None)?;
    let shape = placement.shape();
    // Any error of the reader is remembered by the reader, so what is made of it here never surfaces.
    let stopped = |_: std::io::Error| Refusal::Circuit;
    let read = |reader: &mut Reader<'_>, count: usize| {
        (0..count)
            .map(|_| reader.read_point())
            .collect::<Result<Vec<_>, _>>()
            .map_err(stopped)
    };

    let mut committed = Vec::with_capacity(claims.len());
    for _ in claims {
        committed.push((read(reader, shape.q_columns)?, read(reader, shape.x_columns)?));
    }
    let e = challenge(reader);
    let mut variables = Vec::with_capacity(claims.len());
    for _ in claims {
        let masked: Vec<u128> = (0..shape.masked())
            .map(|_| reader.read_number(shape.masked_bytes))
            .collect::<Result<_, _>>()
            .map_err(stopped)?;
        variables.push((masked, read(reader, shape.z_columns)?));
    }
    let r = challenge(reader);
    let folded: Vec<Folded> = (claims.iter().zip(placements).zip(&variables))
        .map(|((claim, placement), (masked, _))| fold(claim.program, placement, &e, masked, &r))
        .collect();

    let mut matrices = Vec::with_capacity(claims.len());
    for _ in claims {
        matrices.push(read(reader, shape.public_columns())?);
    }
    let eta = challenge(reader);

    let mut outside = Outside {
        terms: Vec::new(),
        rows: vec![Fp::ZERO; placement.last() + 1],
    };
    let mut weight = Fp::ONE;
    for (index, claim) in claims.iter().enumerate() {
        let amounts = public_amounts(index, claim)?;
        for ((column, own), attested) in committed[index].0.iter().enumerate().zip(claim.attested) {
            outside.terms.push((-weight, *own));
            outside
                .terms
                .extend(attested.iter().map(|point| (weight, point.affine())));
            let layout = claim.program.layout();
            for (leg, lots) in amounts.iter().filter(|(leg, _)| layout.column_of(*leg) == column) {
                outside.rows[layout.row_of(*leg)] += weight * Fp::from(*lots);
            }
            weight *= eta;
        }
        for (own, column) in matrices[index].iter().zip(&folded[index].public) {
            outside.terms.push((-weight, *own));
            for (sum, value) in outside.rows.iter_mut().zip(column) {
                *sum += weight * value.to_scalar();
            }
            weight *= eta;
        }
    }
    let link = link::read(parameters, placement, reader, outside).map_err(stopped)?;

    let linked: VecDeque<_> = committed
        .iter()
        .zip(&variables)
        .zip(&matrices)
        .flat_map(|(((q, x), (_, z)), a)| {
            q.iter()
                .chain(x)
                .chain(z)
                .chain(a)
                .copied()
                .map(Some)
                .chain(vec![None; shape.x_group])
        })
        .collect();
    reader.answer_with(linked);
    let columns: Vec<Vec<&[Fp]>> = folded
        .iter()
        .map(|folded| folded.instance.iter().map(Vec::as_slice).collect())
        .collect();
    let instances: Vec<&[&[Fp]]> = columns.iter().map(Vec::as_slice).collect();
    let strategy = Unevaluated(MSM::new(parameters.params()));
    let circuit = verify_proof(parameters.params(), key, strategy, &instances, reader).map_err(|_| Refusal::Circuit)?;
    Ok(Read { link, circuit })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn errors_of_link_and_circuit_do_not_cancel() {
        let parameters = Parameters::load(crate::parameters::MIN_K, None).unwrap();
        let sum = |scalar: Fp| {
            let mut sum = MSM::new(parameters.params());
            sum.append_term(scalar, parameters.w());
            sum
        };
        let read = Read {
            link: sum(Fp::ONE),
            circuit: sum(-Fp::ONE),
        };
        let mut both = read.link.clone();
        both.add_msm(&read.circuit);
        assert!(both.eval(), "they would cancel if they shared a weight");
        let mut weighted = MSM::new(parameters.params());
        read.add_to(&mut weighted).unwrap();
        assert!(!weighted.eval());
        assert_eq!(read.refusal(), Refusal::Link);
    }

    #[test]
    fn errors_of_two_proofs_do_not_cancel() {
        let parameters = Parameters::load(crate::parameters::MIN_K, None).unwrap();
        let read = |scalar: Fp| {
            let mut circuit = MSM::new(parameters.params());
            circuit.append_term(scalar, parameters.w());
            Read {
                link: MSM::new(parameters.params()),
                circuit,
            }
        };
        let mut weighted = MSM::new(parameters.params());
        for read in [read(Fp::ONE), read(-Fp::ONE)] {
            read.add_to(&mut weighted).unwrap();
            assert_eq!(read.refusal(), Refusal::Circuit);
        }
        assert!(!weighted.eval());
    }
}
