//! The prover of protocol §5 to §7, which departs from it wherever a test says so.

use std::collections::VecDeque;
use std::convert::Infallible;

use ff::{Field, PrimeField};
use group::Curve;
use halo2_proofs::plonk::create_proof;
use halo2_proofs::transcript::TranscriptWrite;
use pasta_curves::{Eq, EqAffine, Fp};
use rand_chacha::ChaCha20Rng;
use rand_core::{Rng, SeedableRng, TryRng};
use zkmargin_program::Program;

use crate::circuit::{ForgedCircuit, proving_key, zeros};
use crate::columns::{Columns, Folded, Matrix, fold, powers, scalar_multipliers};
use crate::plan::Plan;
use crate::setup::Setup;
use crate::squares::{FactorRule, factors};
use crate::transcript::{Slot, Writer, squeeze};

/// One circuit as the forger plays it: what steps 2 and 3 commit to, and what opens the verifier's points.
#[derive(Clone, Debug)]
pub struct Scene<'a> {
    /// The program that the verifier will fold.
    pub program: &'a Program,
    /// `q`, `x` and the whole variables in `z` as they are committed to in step 2; the rest follows.
    pub columns: Columns,
    /// What the verifier takes for the commitment to each `q` column.
    pub outside: Vec<Eq>,
    /// The blinds that open them, as far as the forger knows.
    pub blinds: Vec<Fp>,
    /// What they hold in the unusable rows: nothing, if a venue made them.
    pub unusable: Matrix,
}

/// What becomes of the advice commitments in step 4.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Advice {
    /// The library's own are hashed, as an honest prover does, whatever they are.
    Own,
    /// Those of steps 2 and 3 are hashed in their place.
    Linked,
    /// The library's own are hashed and written: the points stand in the proof twice.
    Written,
}

/// Where the nonces of the link come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Nonces {
    /// A generator of their own.
    Own,
    /// The first draws of the generator that `create_proof` draws from.
    Replayed,
}

/// A proof and what its maker knows about it.
#[derive(Clone, Debug)]
pub struct Forged {
    /// The byte string.
    pub proof: Vec<u8>,
    /// The columns `a`, `b`, `s` of step 3.
    pub matrices: Vec<Matrix>,
    /// The instance columns of step 4.
    pub instances: Vec<Matrix>,
}

/// What is drawn before step 3.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Challenges {
    /// Drawn when `q` and `x` are committed.
    pub e: Fp,
    /// Drawn when `z` is, too.
    pub r: Fp,
}

/// Given a circuit and what is known by then.
type Change<'a, K, T> = Box<dyn Fn(usize, &K, &mut T) + 'a>;

/// So many multipliers, given `r`.
type Multipliers<'a> = Box<dyn Fn(&Fp, usize) -> Vec<Fp> + 'a>;

/// A prover. With the defaults of [`Forger::new`] it is an honest one.
pub struct Forger<'a> {
    /// Generators.
    pub setup: &'a Setup,
    /// Shape and places.
    pub plan: &'a Plan,
    /// The statement digests.
    pub statements: Vec<[u8; 32]>,
    /// Where all its randomness comes from.
    pub seed: [u8; 32],
    /// Circuit, advice column, unusable row and the value that stands there.
    pub chosen: Vec<(usize, usize, usize, Fp)>,
    /// `e`, when it is known before the roots.
    pub e: Option<Fp>,
    /// The factors that it projects and folds with.
    pub factors: FactorRule,
    /// Changes the projections before they are put into their runs.
    pub projections: Change<'a, Fp, Vec<Fp>>,
    /// Changes the columns after `e` is known: `z` before it is committed to, `x` for step 4.
    pub after_e: Change<'a, Fp, Columns>,
    /// Changes the columns `q`, `x` and `z` of a circuit after `r` is known, for step 4.
    pub columns: Change<'a, Challenges, Columns>,
    /// The multipliers that it folds with.
    pub multipliers: Multipliers<'a>,
    /// Changes the columns `a`, `b`, `s` before step 3 commits to them.
    pub matrices: Change<'a, Challenges, Matrix>,
    /// The weights of the link, given `η`; honest ones are its powers.
    pub weights: Box<dyn Fn(Fp) -> Vec<Fp> + 'a>,
    /// The challenge of the link, when it is known before `T`.
    pub link_challenge: Option<Fp>,
    /// The nonces of the link.
    pub nonces: Nonces,
    /// What is added to the link's last response, that of `W`.
    pub response: Fp,
    /// Changes columns and instance of a circuit before step 4; `acc` is settled afterwards.
    pub proven: Change<'a, Challenges, (Columns, Matrix)>,
    /// The commitments of step 4.
    pub advice: Advice,
}

impl std::fmt::Debug for Forger<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Forger")
            .field("plan", self.plan)
            .finish_non_exhaustive()
    }
}

/// Everything up to the end of the link.
struct Linked {
    writer: Writer,
    /// Per circuit, what steps 2 and 3 committed to.
    points: Vec<Vec<EqAffine>>,
    columns: Vec<Columns>,
    folded: Vec<Folded>,
    challenges: Challenges,
}

/// What `create_proof` will draw for one circuit.
struct Draws {
    rows: Matrix,
    blinds: Vec<Fp>,
}

/// Hands out given draws first.
struct Chosen {
    queue: VecDeque<u64>,
    rest: ChaCha20Rng,
}

impl TryRng for Chosen {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        panic!("the library draws scalars of eight words")
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        Ok(self.queue.pop_front().unwrap_or_else(|| self.rest.next_u64()))
    }

    fn try_fill_bytes(&mut self, _: &mut [u8]) -> Result<(), Infallible> {
        panic!("the library draws scalars of eight words")
    }
}

impl<'a> Forger<'a> {
    /// An honest prover.
    pub fn new(setup: &'a Setup, plan: &'a Plan, statements: Vec<[u8; 32]>) -> Self {
        let linked = plan.linked_columns() * statements.len();
        Self {
            setup,
            plan,
            statements,
            seed: [1; 32],
            chosen: Vec::new(),
            e: None,
            factors,
            projections: Box::new(|_, _, _| ()),
            after_e: Box::new(|_, _, _| ()),
            columns: Box::new(|_, _, _| ()),
            multipliers: Box::new(scalar_multipliers),
            matrices: Box::new(|_, _, _| ()),
            weights: Box::new(move |eta| powers(eta).take(linked).collect()),
            link_challenge: None,
            nonces: Nonces::Own,
            response: Fp::ZERO,
            proven: Box::new(|_, _, _| ()),
            advice: Advice::Own,
        }
    }

    /// A proof up to the end of the link: what a verifier reads before it decides about the link.
    pub fn prove_link(&self, scenes: &[Scene<'_>]) -> Vec<u8> {
        let (draws, _) = self.draws(scenes.len());
        self.commit_and_link(scenes, &draws).writer.state.finalize()
    }

    /// Proves. An error is one of the proof library, which makes no proof for a value that its table does not have.
    pub fn prove(&self, scenes: &[Scene<'_>]) -> Result<Forged, String> {
        let (draws, generator) = self.draws(scenes.len());
        let linked = self.commit_and_link(scenes, &draws);
        self.prove_circuits(linked, generator)
    }

    fn commit_and_link(&self, scenes: &[Scene<'_>], draws: &[Draws]) -> Linked {
        let (setup, plan) = (self.setup, self.plan);
        let mut writer = Writer::new(&self.statements);
        let commit = |circuit: usize, column: usize, usable: &[Fp]| -> EqAffine {
            let draws: &Draws = &draws[circuit];
            let rows: Vec<Fp> = usable.iter().chain(&draws.rows[column]).copied().collect();
            setup.commit(&rows, draws.blinds[column]).to_affine()
        };

        // Step 2.
        let mut points: Vec<Vec<EqAffine>> = Vec::new();
        for (circuit, scene) in scenes.iter().enumerate() {
            let columns = scene.columns.q.iter().chain(&scene.columns.x).enumerate();
            points.push(
                columns
                    .map(|(column, usable)| commit(circuit, column, usable))
                    .collect(),
            );
            for point in &points[circuit] {
                writer.state.write_point(*point).expect("not the identity");
            }
        }
        let squeezed = squeeze(&mut writer);
        let e = self.e.unwrap_or(squeezed);
        let mut columns = Vec::new();
        for (circuit, scene) in scenes.iter().enumerate() {
            let mut own = scene.columns.clone();
            let mut y = own.projections(plan, self.factors, &e);
            (self.projections)(circuit, &e, &mut y);
            own.project(plan, &y);
            (self.after_e)(circuit, &e, &mut own);
            for (index, usable) in own.z.iter().enumerate() {
                let point = commit(circuit, plan.z_at() + index, usable);
                writer.state.write_point(point).expect("not the identity");
                points[circuit].push(point);
            }
            columns.push(own);
        }
        let r = squeeze(&mut writer);
        let challenges = Challenges { e, r };

        // Step 3.
        let mut folded = Vec::new();
        for (circuit, scene) in scenes.iter().enumerate() {
            let multipliers = (self.multipliers)(&r, plan.drawn(scene.program));
            let mut fold = fold(scene.program, plan, self.factors, &e, &multipliers);
            (self.matrices)(circuit, &challenges, &mut fold.public);
            for (index, usable) in fold.public.iter().enumerate() {
                let point = commit(circuit, plan.public_at() + index, usable);
                writer.state.write_point(point).expect("not the identity");
                points[circuit].push(point);
            }
            folded.push(fold);
        }
        let eta = squeeze(&mut writer);
        self.link(scenes, draws, &points, &challenges, eta, &mut writer);
        Linked {
            writer,
            points,
            columns,
            folded,
            challenges,
        }
    }

    /// Step 4.
    fn prove_circuits(&self, linked: Linked, generator: Chosen) -> Result<Forged, String> {
        let (setup, plan) = (self.setup, self.plan);
        let Linked {
            mut writer,
            points,
            columns,
            folded,
            challenges,
        } = linked;
        let matrices = folded.iter().map(|folded| folded.public.clone()).collect();
        let mut circuits = Vec::new();
        let mut instances = Vec::new();
        for (circuit, (mut columns, folded)) in columns.into_iter().zip(folded).enumerate() {
            columns.public = folded.public;
            (self.columns)(circuit, &challenges, &mut columns);
            let mut stage = (columns, folded.instance);
            (self.proven)(circuit, &challenges, &mut stage);
            let (mut columns, instance) = stage;
            columns.settle(plan, &instance);
            circuits.push(columns);
            instances.push(instance);
            let slot = |point: &EqAffine| match self.advice {
                Advice::Own => Slot::Silent,
                Advice::Linked => Slot::Instead(*point),
                Advice::Written => Slot::Bytes,
            };
            let own = std::iter::repeat_n(Slot::Bytes, plan.group);
            writer.slots.extend(points[circuit].iter().map(slot).chain(own));
        }
        let key = proving_key(setup, plan);
        let circuits: Vec<ForgedCircuit> = (circuits.into_iter())
            .map(|columns| ForgedCircuit::new(plan, Some(columns)))
            .collect();
        let columns: Vec<Vec<&[Fp]>> = (instances.iter())
            .map(|instance| instance.iter().map(Vec::as_slice).collect())
            .collect();
        let columns: Vec<&[&[Fp]]> = columns.iter().map(Vec::as_slice).collect();
        create_proof(&setup.params, &key, &circuits, &columns, generator, &mut writer)
            .map_err(|error| error.to_string())?;
        Ok(Forged {
            proof: writer.state.finalize(),
            matrices,
            instances,
        })
    }

    /// The draws of all circuits, and a generator that makes them again.
    fn draws(&self, circuits: usize) -> (Vec<Draws>, Chosen) {
        let mut rest = ChaCha20Rng::from_seed(self.seed);
        let columns = self.plan.advice_columns();
        let mut draws: Vec<Draws> = (0..circuits)
            .map(|_| {
                let mut scalars = |count: usize| (0..count).map(|_| Fp::random(&mut rest)).collect::<Vec<Fp>>();
                let rows = (0..columns).map(|_| scalars(self.plan.unusable())).collect();
                let blinds = scalars(columns);
                Draws { rows, blinds }
            })
            .collect();
        for (circuit, column, row, value) in &self.chosen {
            draws[*circuit].rows[*column][*row] = *value;
        }
        let in_order = (draws.iter()).flat_map(|draws| draws.rows.iter().flatten().chain(&draws.blinds));
        let queue = in_order.flat_map(words).collect();
        (draws, Chosen { queue, rest })
    }

    fn link(
        &self,
        scenes: &[Scene<'_>],
        draws: &[Draws],
        linked: &[Vec<EqAffine>],
        challenges: &Challenges,
        eta: Fp,
        writer: &mut Writer,
    ) {
        let (setup, plan) = (self.setup, self.plan);
        let rows = plan.unusable();
        let weights = (self.weights)(eta);
        let mut weight = weights.iter();
        // A representation of the sum of all differences in the generators of the unusable rows and `W`, and the sum itself.
        let mut representation = zeros(rows + 1);
        let mut sum = Eq::default();
        for ((scene, draws), points) in scenes.iter().zip(draws).zip(linked) {
            let multipliers = scalar_multipliers(&challenges.r, plan.drawn(scene.program));
            let public = fold(scene.program, plan, factors, &challenges.e, &multipliers).public;
            for column in plan.linked() {
                let weight = weight.next().expect("a weight");
                let (outside, blind) = match column.checked_sub(plan.public_at()) {
                    None => (scene.outside[column], scene.blinds[column]),
                    Some(index) => (setup.commit(&public[index], Fp::ZERO), Fp::ZERO),
                };
                sum += (Eq::from(points[column]) - outside) * *weight;
                let venue = scene.unusable.get(column).into_iter().flatten().copied();
                let own = draws.rows[column].iter().zip(venue.chain(std::iter::repeat(Fp::ZERO)));
                for (sum, (own, venue)) in representation.iter_mut().zip(own) {
                    *sum += *weight * (*own - venue);
                }
                representation[rows] += *weight * (draws.blinds[column] - blind);
            }
        }
        let mut generator = ChaCha20Rng::from_seed(match self.nonces {
            Nonces::Own => self.seed.map(|byte| byte ^ 0xaa),
            Nonces::Replayed => self.seed,
        });
        let scalars: Vec<Fp> = (0..=rows).map(|_| Fp::random(&mut generator)).collect();
        let combine = |scalars: &[Fp]| setup.commit_from(plan.last + 1, &scalars[..rows], scalars[rows]);
        let (nonce, challenge) = match self.link_challenge {
            None => (combine(&scalars), None),
            // With the challenge known, responses come first and `T` is what fits them.
            Some(c) => (combine(&scalars) - sum * c, Some(c)),
        };
        writer.state.write_point(nonce.to_affine()).expect("not the identity");
        let c = squeeze(writer);
        let mut responses: Vec<Fp> = (scalars.iter().zip(&representation))
            .map(|(scalar, value)| match challenge {
                None => *scalar + c * value,
                Some(_) => *scalar,
            })
            .collect();
        responses[rows] += self.response;
        for response in responses {
            writer.state.write_scalar(response).expect("writing to memory");
        }
    }
}

/// The eight words that the library makes this scalar of.
fn words(scalar: &Fp) -> Vec<u64> {
    let repr = scalar.to_repr();
    let words = repr
        .chunks(8)
        .map(|word| u64::from_le_bytes(word.try_into().expect("8 bytes")));
    words.chain([0; 4]).collect()
}
