//! The prover's side of the argument.
//!
//! `halo2_proofs` has no challenge phases, and needs none: its `create_proof` draws its randomness in a fixed order (per
//! circuit, the unusable rows of each advice column, then one blind per column). The prover seeds a generator, replays those
//! draws, and so knows the commitments of the advice columns before it calls `create_proof` with a fresh generator of the
//! same seed. Should the library change its order, its commitments are not the predicted ones, the transcript refuses to
//! write them, and no proof leaves.

use std::collections::VecDeque;

use blake2b_simd::State;
use ff::Field;
use group::Curve;
use halo2_proofs::plonk::create_proof;
use halo2_proofs::transcript::TranscriptWrite;
use pasta_curves::{Eq, EqAffine, Fp};
use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng;
use zeroize::{Zeroize, Zeroizing};
use zkmargin_program::WitnessError;

use crate::argument::{Claim, ClaimError, Refusal, placements, public_amounts, verify};
use crate::circuit::MarginCircuit;
use crate::commitment::{Blind, CommitmentError, Point, Signed, multiexp, sum_of_legs};
use crate::fold::fold;
use crate::keys::proving_key;
use crate::link::{self, Difference};
use crate::parameters::Parameters;
use crate::phase::Phase;
use crate::shape::{Placement, Shape, with_shape};
use crate::transcript::{Personal, Writer, challenge, hash32_fed};
use crate::witness::{Masks, Roots, Witness, running_sums};

/// Attempts that a prover makes. At 256 statements with four accumulators each, six of ten succeed; at one statement, nearly all.
const MAX_ATTEMPTS: usize = 128;

/// What opens the attested points of one claim. Overwritten when dropped.
#[derive(Clone)]
pub struct Opening {
    lots: Zeroizing<Vec<u64>>,
    blinds: Vec<Blind>,
}

impl Opening {
    /// `lots`: one per slot of the account vector, summed over the accounts, without public amounts. `blinds`: one per column,
    /// summed likewise.
    pub fn new(lots: Vec<u64>, blinds: Vec<Blind>) -> Self {
        Self {
            lots: Zeroizing::new(lots),
            blinds,
        }
    }
}

impl std::fmt::Debug for Opening {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Opening(..)")
    }
}

/// Why no proof was made.
#[derive(Debug, thiserror::Error)]
pub enum ProveError {
    /// The claims are not well formed.
    #[error(transparent)]
    Claim(#[from] ClaimError),
    /// The accounts do not satisfy the program, or are outside its ranges.
    #[error("statement {}: {error}", index + 1)]
    Witness {
        /// The statement.
        index: usize,
        /// What the program said.
        error: WitnessError,
    },
    /// There is not one opening per claim, or one value per slot and column.
    #[error("statement {} needs an opening of {slots} legs and {columns} blinds", index + 1)]
    OpeningLength {
        /// The statement.
        index: usize,
        /// Slots of the account vector.
        slots: usize,
        /// Columns of the account vector.
        columns: usize,
    },
    /// The opening is not that of the attested points.
    #[error("statement {}: the opening does not fit the attested point of column {column}", index + 1)]
    OpeningMismatch {
        /// The statement.
        index: usize,
        /// The column.
        column: usize,
    },
    /// A leg and the public amounts on it exceed 64 bits.
    #[error("statement {}: the lots of a leg exceed 64 bits", index + 1)]
    Lots {
        /// The statement.
        index: usize,
    },
    /// A number whose four squares were not found.
    #[error("statement {}: four squares of a hidden number were not found", index + 1)]
    Roots {
        /// The statement.
        index: usize,
    },
    /// No attempt gave masked projections that may be said; among so many that is as good as impossible.
    #[error("{MAX_ATTEMPTS} times, some projection came out unmasked")]
    Masks,
    /// The operating system gave no randomness.
    #[error(transparent)]
    Randomness(#[from] CommitmentError),
    /// The proof library draws its randomness in another order than this version replays.
    #[error("the proof library committed to other columns than were predicted; no proof was made")]
    Diverged,
    /// The proof library failed.
    #[error("the proof library failed: {reason}")]
    Library {
        /// What it said.
        reason: String,
    },
    /// The proof was made and did not verify; it was thrown away.
    #[error("the finished proof does not verify and was thrown away: {0}")]
    SelfCheck(Refusal),
}

/// Proves all claims in one proof, and verifies it before returning it.
///
/// # Errors
/// [`ProveError`].
pub fn prove(parameters: &Parameters, claims: &[Claim<'_>], openings: &[Opening]) -> Result<Vec<u8>, ProveError> {
    let proof = prove_unchecked(parameters, claims, openings)?;
    verify(parameters, claims, &proof).map_err(ProveError::SelfCheck)?;
    Ok(proof)
}

/// [`prove`] without the verification at its end, which is measured beside it. The caller verifies.
///
/// # Errors
/// [`ProveError`], of which [`ProveError::SelfCheck`] never.
pub fn prove_unchecked(
    parameters: &Parameters,
    claims: &[Claim<'_>],
    openings: &[Opening],
) -> Result<Vec<u8>, ProveError> {
    let placements = placements(parameters, claims)?;
    let accounts = accounts(parameters, claims, openings, &placements)?;
    Phase::Witness.ended();
    for _ in 0..MAX_ATTEMPTS {
        if let Some(proof) = attempt(parameters, claims, openings, &placements, &accounts)? {
            return Ok(proof);
        }
    }
    Err(ProveError::Masks)
}

/// One attempt; `None` if a masked projection came to be one that may not be said.
fn attempt(
    parameters: &Parameters,
    claims: &[Claim<'_>],
    openings: &[Opening],
    placements: &[Placement],
    accounts: &[Account],
) -> Result<Option<Vec<u8>>, ProveError> {
    let placement = placements.first().ok_or(ClaimError::None)?;
    let shape = placement.shape();
    let seeds = Seeds::draw(claims, accounts, openings, shape)?;
    let draws = replay(placement, claims.len(), &seeds.halo2);
    let mut masks = ChaCha20Rng::from_seed(*seeds.masks);
    let masks: Vec<Masks> = (placements.iter().map(|placement| Masks::draw(placement, &mut masks))).collect();
    let roots = accounts.iter().zip(placements).zip(&masks);
    let roots: Vec<Columns> = roots
        .map(|((account, placement), masks)| Columns(account.roots.columns(placement, masks)))
        .collect();

    let library = |reason: String| ProveError::Library { reason };
    let stopped = |error: std::io::Error| ProveError::Library {
        reason: error.to_string(),
    };
    let digests: Vec<[u8; 32]> = claims.iter().map(|claim| claim.statement).collect();
    let mut writer = Writer::new(&digests);

    // Step 2. `C'_q` differs from the attested sum in the unusable rows and the blind only.
    let mut linked: Vec<Vec<EqAffine>> = Vec::with_capacity(claims.len());
    for (((account, draws), placement), x) in accounts.iter().zip(&draws).zip(placements).zip(&roots) {
        let mut points = Vec::with_capacity(shape.advice_columns());
        for (column, outside) in account.outside.iter().enumerate() {
            let blind = draws.blinds[column] - account.blinds[column];
            points.push((draws.unusable(parameters, placement, column, blind) + outside).to_affine());
        }
        points.extend(draws.commitments(parameters, placement, shape.q_columns, &x.0));
        for point in &points {
            writer.write_point(*point).map_err(stopped)?;
        }
        linked.push(points);
    }
    Phase::Commit.ended();
    let e = challenge(&mut writer);
    let masked = accounts.iter().zip(placements).zip(&masks);
    let masked: Option<Vec<Vec<u128>>> = masked
        .map(|((account, placement), masks)| account.roots.masked(placement, masks, &e))
        .collect();
    let Some(masked) = masked else { return Ok(None) };
    let mut variables = Vec::with_capacity(claims.len());
    for ((((account, draws), placement), points), masked) in
        (accounts.iter().zip(&draws).zip(placements).zip(&mut linked)).zip(&masked)
    {
        for u in masked {
            writer.write_number(*u, shape.masked_bytes).map_err(stopped)?;
        }
        let z = Columns(running_sums(placement, account.w.values()));
        for point in draws.commitments(parameters, placement, shape.hidden_columns(), &z.0) {
            writer.write_point(point).map_err(stopped)?;
            points.push(point);
        }
        variables.push(z);
    }
    Phase::Project.ended();
    let r = challenge(&mut writer);

    // Step 3.
    let folded: Vec<_> = claims
        .iter()
        .zip(placements)
        .zip(&masked)
        .map(|((claim, placement), masked)| fold(claim.program, placement, &e, masked, &r))
        .collect();
    let first_public = shape.hidden_columns() + shape.z_columns;
    for ((folded, draws), points) in folded.iter().zip(&draws).zip(&mut linked) {
        for (index, values) in folded.public.iter().enumerate() {
            let column = first_public + index;
            let own = draws.unusable(parameters, placement, column, draws.blinds[column]);
            let point = (signed_multiexp(parameters, values) + own).to_affine();
            writer.write_point(point).map_err(stopped)?;
            points.push(point);
        }
    }
    Phase::Fold.ended();
    let eta = challenge(&mut writer);
    let mut difference = Difference::new(placement);
    let mut weight = Fp::ONE;
    for (account, draws) in accounts.iter().zip(&draws) {
        for column in 0..shape.q_columns {
            let blind = draws.blinds[column] - account.blinds[column];
            difference.add(weight, &draws.rows[column], blind);
            weight *= eta;
        }
        for column in first_public..first_public + shape.public_columns() {
            difference.add(weight, &draws.rows[column], draws.blinds[column]);
            weight *= eta;
        }
    }
    let mut nonces = ChaCha20Rng::from_seed(*seeds.link);
    link::prove(parameters, placement, &mut writer, &difference, &mut nonces).map_err(stopped)?;
    Phase::Link.ended();

    // Step 4.
    let circuits: Vec<MarginCircuit> = accounts
        .iter()
        .zip(roots.into_iter().zip(variables))
        .zip(&folded)
        .zip(placements)
        .map(|(((account, (mut x, mut z)), folded), placement)| {
            let public = folded
                .public
                .iter()
                .map(|column| column.iter().map(|value| value.to_scalar()).collect())
                .collect();
            let (x, z) = (std::mem::take(&mut x.0), std::mem::take(&mut z.0));
            let witness = Witness::new(placement, account.q(), x, z, public, &folded.instance);
            MarginCircuit::new(placement, Some(witness))
        })
        .collect();
    let columns: Vec<Vec<&[Fp]>> = folded
        .iter()
        .map(|folded| folded.instance.iter().map(Vec::as_slice).collect())
        .collect();
    let instances: Vec<&[&[Fp]]> = columns.iter().map(Vec::as_slice).collect();
    let expected: VecDeque<_> = linked
        .into_iter()
        .flat_map(|points| points.into_iter().map(Some).chain(vec![None; shape.x_group]))
        .collect();
    writer.expect(expected);
    let key = proving_key(parameters, placement).map_err(|error| library(error.to_string()))?;
    let outcome = with_shape(placement.shape(), || {
        let generator = ChaCha20Rng::from_seed(*seeds.halo2);
        create_proof(parameters.params(), &key, &circuits, &instances, generator, &mut writer)
    });
    Phase::Open.ended();
    match outcome {
        _ if writer.diverged() => Err(ProveError::Diverged),
        Ok(()) => Ok(Some(writer.finish())),
        Err(error) => Err(library(error.to_string())),
    }
}

/// One claim's account with its public amounts, its variables, and what its columns are linked to.
struct Account {
    /// Lots per slot, public amounts included.
    lots: Zeroizing<Vec<u64>>,
    rows: usize,
    w: zkmargin_program::Witness,
    roots: Roots,
    outside: Vec<Eq>,
    blinds: Vec<Fp>,
}

impl Account {
    fn q(&self) -> Vec<Vec<Fp>> {
        self.lots
            .chunks(self.rows)
            .map(|column| column.iter().copied().map(Fp::from).collect())
            .collect()
    }
}

impl Drop for Account {
    fn drop(&mut self) {
        self.blinds.zeroize();
    }
}

/// Hidden columns. Overwritten when dropped.
struct Columns(Vec<Vec<Fp>>);

impl Drop for Columns {
    fn drop(&mut self) {
        self.0.iter_mut().for_each(Zeroize::zeroize);
    }
}

fn accounts(
    parameters: &Parameters,
    claims: &[Claim<'_>],
    openings: &[Opening],
    placements: &[Placement],
) -> Result<Vec<Account>, ProveError> {
    claims
        .iter()
        .zip(placements)
        .enumerate()
        .map(|(index, (claim, placement))| {
            let layout = claim.program.layout();
            let opening = openings
                .get(index)
                .filter(|opening| opening.lots.len() == layout.slots() && opening.blinds.len() == layout.columns())
                .ok_or(ProveError::OpeningLength {
                    index,
                    slots: layout.slots(),
                    columns: layout.columns(),
                })?;
            let public = public_amounts(index, claim)?;
            let mut lots = opening.lots.clone();
            for (leg, amount) in &public {
                let leg = lots.get_mut(leg.index()).ok_or(ProveError::Lots { index })?;
                *leg = leg.checked_add(*amount).ok_or(ProveError::Lots { index })?;
            }
            let mut outside = Vec::with_capacity(layout.columns());
            for (column, rows) in lots.chunks(layout.rows()).enumerate() {
                let amounts: Vec<(usize, u64)> = public
                    .iter()
                    .filter(|(leg, _)| layout.column_of(*leg) == column)
                    .map(|(leg, lots)| (layout.row_of(*leg), *lots))
                    .collect();
                let point = outside_point(parameters, &claim.attested[column], &amounts);
                let blind = parameters.w() * opening.blinds[column].scalar();
                if point != sum_of_legs(parameters, rows) + blind {
                    return Err(ProveError::OpeningMismatch { index, column });
                }
                outside.push(point);
            }
            let w = claim
                .program
                .witness(&lots)
                .map_err(|error| ProveError::Witness { index, error })?;
            let roots = Roots::new(placement, w.values()).ok_or(ProveError::Roots { index })?;
            let blinds = opening.blinds.iter().map(Blind::scalar).collect();
            Ok(Account {
                lots,
                rows: layout.rows(),
                w,
                roots,
                outside,
                blinds,
            })
        })
        .collect()
}

/// The seeds of the prover's three generators. They are never one: a nonce of the link from the replayed stream would give away
/// an unblinded evaluation of `q`, a mask from it the projection that it masks.
struct Seeds {
    halo2: Zeroizing<[u8; 32]>,
    link: Zeroizing<[u8; 32]>,
    masks: Zeroizing<[u8; 32]>,
}

impl Seeds {
    /// Fresh for every attempt.
    fn draw(
        claims: &[Claim<'_>],
        accounts: &[Account],
        openings: &[Opening],
        shape: &Shape,
    ) -> Result<Self, CommitmentError> {
        let mut fresh = Zeroizing::new([0; 32]);
        getrandom::fill(&mut *fresh).map_err(|error| CommitmentError::Randomness {
            reason: error.to_string(),
        })?;
        Ok(Self::of(&fresh, claims, accounts, openings, shape))
    }

    /// `H(label ‖ 32 bytes of the operating system ‖ q ‖ every ρ ‖ w ‖ statement digests ‖ shape)`: still unpredictable, and different for
    /// different secrets, if the operating system's generator is broken.
    fn of(fresh: &[u8; 32], claims: &[Claim<'_>], accounts: &[Account], openings: &[Opening], shape: &Shape) -> Self {
        let count = |state: &mut State, items: usize| {
            state.update(&(items as u64).to_le_bytes());
        };
        let feed = |state: &mut State| {
            count(state, claims.len());
            for ((claim, account), opening) in claims.iter().zip(accounts).zip(openings) {
                count(state, account.lots.len());
                for lots in &*account.lots {
                    state.update(&lots.to_le_bytes());
                }
                count(state, opening.blinds.len());
                for blind in &opening.blinds {
                    state.update(&*Zeroizing::new(blind.to_bytes()));
                }
                count(state, account.w.values().len());
                for value in account.w.values() {
                    state.update(&value.to_le_bytes());
                }
                state.update(&claim.statement);
            }
            state.update(&shape.digest());
        };
        let seed = |label: &[u8; 5]| {
            Zeroizing::new(hash32_fed(Personal::Seed, |state| {
                feed(state.update(label).update(fresh));
            }))
        };
        Self {
            halo2: seed(b"halo2"),
            link: seed(b"link-"),
            masks: seed(b"masks"),
        }
    }
}

/// What `create_proof` will draw for one circuit.
struct Draws {
    /// Per advice column, the values of its unusable rows.
    rows: Vec<Vec<Fp>>,
    /// Per advice column, its blind.
    blinds: Vec<Fp>,
}

impl Draws {
    /// `Σ_i β_i·G_i + blind·W` over the unusable rows of a column.
    fn unusable(&self, parameters: &Parameters, placement: &Placement, column: usize, blind: Fp) -> Eq {
        let generators = parameters.lagrange()[placement.unusable()].iter().copied();
        multiexp(
            self.rows[column]
                .iter()
                .copied()
                .zip(generators)
                .chain([(blind, parameters.w())]),
        )
    }
}

impl Draws {
    /// The commitments of hidden columns, the first of which is `first` among the advice columns.
    fn commitments(
        &self,
        parameters: &Parameters,
        placement: &Placement,
        first: usize,
        columns: &[Vec<Fp>],
    ) -> Vec<EqAffine> {
        let commit = |(index, values): (usize, &Vec<Fp>)| {
            let usable = multiexp(values.iter().copied().zip(parameters.lagrange().iter().copied()));
            let column = first + index;
            (usable + self.unusable(parameters, placement, column, self.blinds[column])).to_affine()
        };
        columns.iter().enumerate().map(commit).collect()
    }
}

impl Drop for Draws {
    fn drop(&mut self) {
        self.rows.iter_mut().for_each(Zeroize::zeroize);
        self.blinds.zeroize();
    }
}

fn replay(placement: &Placement, circuits: usize, seed: &[u8; 32]) -> Vec<Draws> {
    let mut generator = ChaCha20Rng::from_seed(*seed);
    let columns = placement.shape().advice_columns();
    (0..circuits)
        .map(|_| {
            let rows = (0..columns)
                .map(|_| placement.unusable().map(|_| Fp::random(&mut generator)).collect())
                .collect();
            let blinds = (0..columns).map(|_| Fp::random(&mut generator)).collect();
            Draws { rows, blinds }
        })
        .collect()
}

/// `Σ value·G_i`: negative values negate the generator, so that small values stay small scalars.
fn signed_multiexp(parameters: &Parameters, values: &[Signed]) -> Eq {
    multiexp(values.iter().zip(parameters.lagrange()).map(|(value, generator)| {
        let base = if value.negative { -*generator } else { *generator };
        (Fp::from_raw(value.magnitude), base)
    }))
}

/// The outside point of one column: what its venue's attestations add up to, and the public order.
fn outside_point(parameters: &Parameters, attested: &[Point], public: &[(usize, u64)]) -> Eq {
    let order = multiexp(
        public
            .iter()
            .filter_map(|(row, lots)| Some((Fp::from(*lots), *parameters.lagrange().get(*row)?))),
    );
    attested.iter().fold(order, |sum, point| sum + point.affine())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::collections::BTreeSet;

    use super::*;
    use crate::commitment::commit;
    use zkmargin_program::{Builder, Header, Layout, LegId, Linear, Program, Real, Witness};

    /// What no two draws share by chance.
    const BYTES: usize = 16;

    /// A program that wants something of one leg, and no more than so many bits of it.
    fn program(value_bits: u32) -> Program {
        let leg = LegId::new(0);
        let layout = Layout::new(6, vec![0], vec![leg], Vec::new()).unwrap();
        let header = Header {
            numeraire: "USD".into(),
            unit_exponent: -2,
            value_bits,
        };
        let mut builder = Builder::new(layout, header).unwrap();
        let held = builder.lower(&Linear::leg(leg, Real::from_integer(1))).unwrap();
        builder.require_non_negative("held", held).unwrap();
        builder.finish().unwrap()
    }

    #[test]
    fn attempts_at_one_proof_share_nothing_that_they_draw() {
        let program = program(60);
        let parameters = Parameters::load(6, None).unwrap();
        let (mut lots, blind) = (vec![0; program.layout().slots()], Blind::random().unwrap());
        lots[0] = 5;
        let attested = vec![vec![commit(&parameters, &[5], &blind).unwrap()]];
        let claims = [Claim {
            statement: [7; 32],
            program: &program,
            attested: &attested,
            public: &[],
        }];
        let openings = [Opening::new(lots, vec![blind])];
        let placements = placements(&parameters, &claims).unwrap();
        let accounts = accounts(&parameters, &claims, &openings, &placements).unwrap();
        // As where the first one is given up for its masks.
        let proof = || {
            (0..MAX_ATTEMPTS).find_map(|_| attempt(&parameters, &claims, &openings, &placements, &accounts).unwrap())
        };
        let (first, second) = (proof().unwrap(), proof().unwrap());
        let seen: BTreeSet<&[u8]> = first.windows(BYTES).collect();
        assert!(!second.windows(BYTES).any(|bytes| seen.contains(bytes)));
        // Nor do the three generators of one attempt.
        let seeds = Seeds::draw(&claims, &accounts, &openings, placements[0].shape()).unwrap();
        let seeds = BTreeSet::from([*seeds.halo2, *seeds.link, *seeds.masks]);
        assert_eq!(seeds.len(), 3);
    }

    #[test]
    fn seeds_differ_with_every_secret_and_statement_though_the_system_draws_the_same() {
        let (program, other_program) = (program(60), program(30));
        let of = |program| Placement::new(program).unwrap();
        let (placement, other_placement) = (of(&program), of(&other_program));
        let blinds = [Blind::random().unwrap(), Blind::random().unwrap()];
        let seeds = |fresh: u8, statements: &[u8], lots: u64, blind: &Blind, value: u128, placement: &Placement| {
            let claim = |statement: &u8| Claim {
                statement: [*statement; 32],
                program: &program,
                attested: &[],
                public: &[],
            };
            let account = |_: &u8| Account {
                lots: Zeroizing::new(vec![lots]),
                rows: 1,
                w: Witness::from_values(vec![value]),
                roots: Roots::new(placement, &[]).unwrap(),
                outside: Vec::new(),
                blinds: Vec::new(),
            };
            let claims: Vec<Claim<'_>> = statements.iter().map(claim).collect();
            let accounts: Vec<Account> = statements.iter().map(account).collect();
            let opening = |_: &u8| Opening::new(vec![lots], vec![blind.clone()]);
            let openings: Vec<Opening> = statements.iter().map(opening).collect();
            let Seeds { halo2, link, masks } =
                Seeds::of(&[fresh; 32], &claims, &accounts, &openings, placement.shape());
            [*halo2, *link, *masks]
        };
        let all = [
            seeds(0, &[7], 5, &blinds[0], 9, &placement),
            seeds(1, &[7], 5, &blinds[0], 9, &placement),
            seeds(0, &[8], 5, &blinds[0], 9, &placement),
            seeds(0, &[7, 7], 5, &blinds[0], 9, &placement),
            seeds(0, &[7], 6, &blinds[0], 9, &placement),
            seeds(0, &[7], 5, &blinds[1], 9, &placement),
            seeds(0, &[7], 5, &blinds[0], 10, &placement),
            seeds(0, &[7], 5, &blinds[0], 9, &other_placement),
        ];
        assert_eq!(all[0], seeds(0, &[7], 5, &blinds[0], 9, &placement));
        let different: BTreeSet<[u8; 32]> = all.iter().flatten().copied().collect();
        assert_eq!(different.len(), all.len() * 3);
    }
}
