//! The prover of protocol §5 to §7, which departs from it wherever a test says so.

use ff::{Field, PrimeField};
use group::Curve;
use halo2_proofs::plonk::create_proof;
use halo2_proofs::transcript::TranscriptWrite;
use num_bigint::BigUint;
use pasta_curves::{Eq, EqAffine, Fp};
use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng;
use zkmargin_program::Program;

use crate::circuit::{ForgedCircuit, proving_key, zeros};
use crate::columns::{Columns, Folded, Matrix, fold, powers, scalar_multipliers};
use crate::draws::{Chosen, Draws, draw};
use crate::plan::Plan;
use crate::setup::Setup;
use crate::squares::{FactorRule, factors};
use crate::threads::on_this_thread_alone;
use crate::transcript::{Slot, Writer, squeeze};

/// One circuit as the forger plays it: what steps 2 and 3 commit to, and what opens the verifier's points.
#[derive(Clone, Debug)]
pub struct Scene<'a> {
    /// The program that the verifier will fold.
    pub program: &'a Program,
    /// `q`, the roots in `x` and `z` as they are committed to in step 2; masks and the rest follow.
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

/// When it begins anew.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rejection {
    /// Where a masked projection would tell something: the protocol.
    Telling,
    /// Where a masked projection cannot be written, and only there.
    Unsayable,
    /// Never.
    Never,
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

/// What a proof says in its first half.
#[derive(Clone, Debug)]
pub struct Said {
    /// The masked projections of each circuit, `p` running fastest.
    pub masked: Vec<Vec<Fp>>,
    /// How often was begun, in the end with success.
    pub attempts: u32,
}

/// What is drawn before step 3.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Challenges {
    /// Drawn when `q` and `x` are committed.
    pub e: Fp,
    /// Drawn when `z` is, too.
    pub r: Fp,
}

/// What is known of a circuit when its columns `a`, `b` and `s` are committed to.
#[derive(Debug)]
pub struct Known<'k> {
    /// The challenges.
    pub challenges: Challenges,
    /// The columns `q`, `x` and `z`.
    pub columns: &'k Columns,
    /// The folded program.
    pub folded: &'k Folded,
}

/// Given a circuit and what is known by then.
type Change<'a, K, T> = Box<dyn Fn(usize, &K, &mut T) + 'a>;

/// Given a circuit.
type Masks<'a> = Box<dyn Fn(usize, &mut [Fp]) + 'a>;

/// Given `e`.
type Masked<'a> = Box<dyn Fn(&Fp, &mut [Vec<Fp>]) + 'a>;

/// Given a circuit and what is known of it.
type Matrices<'a> = Box<dyn Fn(usize, &Known<'_>, &mut Matrix) + 'a>;

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
    /// When it begins anew.
    pub rejection: Rejection,
    /// Changes the masks of a circuit before they are committed to, `p` running fastest.
    pub masks: Masks<'a>,
    /// Changes the columns after `e` is known: `z` before it is committed to, `x` for the masked projections and step 4.
    pub after_e: Change<'a, Fp, Columns>,
    /// Changes the masked projections of all circuits before they are said.
    pub masked: Masked<'a>,
    /// If given, masked projections are said when `r` is known, and changed by this before.
    pub after_r: Option<Change<'a, Challenges, Vec<Fp>>>,
    /// Changes the columns `q`, `x` and `z` of a circuit after `r` is known, for step 4.
    pub columns: Change<'a, Challenges, Columns>,
    /// The multipliers that it folds with.
    pub multipliers: Multipliers<'a>,
    /// Changes the columns `a`, `b`, `s` before step 3 commits to them.
    pub matrices: Matrices<'a>,
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

/// One attempt, up to the projections with their masks.
struct Begun {
    writer: Writer,
    seed: [u8; 32],
    draws: Vec<Draws>,
    generator: Chosen,
    /// Per circuit, what was committed to.
    points: Vec<Vec<EqAffine>>,
    columns: Vec<Columns>,
    e: Fp,
    said: Said,
}

/// Everything up to the end of the link.
struct Linked {
    writer: Writer,
    generator: Chosen,
    /// Per circuit, what steps 2 and 3 committed to.
    points: Vec<Vec<EqAffine>>,
    columns: Vec<Columns>,
    folded: Vec<Folded>,
    challenges: Challenges,
}

impl<'a> Forger<'a> {
    /// An honest prover.
    pub fn new(setup: &'a Setup, plan: &'a Plan, statements: Vec<[u8; 32]>) -> Self {
        on_this_thread_alone();
        let linked = plan.linked_columns() * statements.len();
        Self {
            setup,
            plan,
            statements,
            seed: [1; 32],
            chosen: Vec::new(),
            e: None,
            factors,
            rejection: Rejection::Telling,
            masks: Box::new(|_, _| ()),
            after_e: Box::new(|_, _, _| ()),
            masked: Box::new(|_, _| ()),
            after_r: None,
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
        self.commit_and_link(scenes).writer.bytes
    }

    /// What an attempt comes to that is good enough.
    pub fn say(&self, scenes: &[Scene<'_>]) -> Said {
        self.begin(scenes).said
    }

    /// Proves. An error is one of the proof library, which makes no proof for a value that its table does not have.
    pub fn prove(&self, scenes: &[Scene<'_>]) -> Result<Forged, String> {
        self.prove_circuits(self.commit_and_link(scenes))
    }

    /// The first attempt that is good enough.
    fn begin(&self, scenes: &[Scene<'_>]) -> Begun {
        (1..=1 << 20)
            .find_map(|attempts| self.attempt(scenes, attempts))
            .expect("a good attempt")
    }

    /// Up to the masked projections, if they may be said.
    fn attempt(&self, scenes: &[Scene<'_>], attempts: u32) -> Option<Begun> {
        let plan = self.plan;
        let mut seed = self.seed;
        seed.iter_mut()
            .zip((attempts - 1).to_le_bytes())
            .for_each(|(seed, byte)| *seed ^= byte);
        let (draws, generator) = draw(plan, scenes.len(), seed, &self.chosen);
        let mut own = ChaCha20Rng::from_seed(seed.map(|byte| byte ^ 0x55));
        let mut writer = Writer::new(&self.statements);
        let mut points: Vec<Vec<EqAffine>> = Vec::new();
        let mut columns = Vec::new();
        for (circuit, scene) in scenes.iter().enumerate() {
            let mut hidden = scene.columns.clone();
            let mut masks: Vec<Fp> = (0..plan.masked()).map(|_| plan.mask(&mut own)).collect();
            (self.masks)(circuit, &mut masks);
            hidden.take_masks(plan, &masks);
            let committed = hidden.q.iter().chain(&hidden.x).enumerate();
            points.push(
                committed
                    .map(|(column, usable)| draws[circuit].commit(self.setup, column, usable))
                    .collect(),
            );
            for point in &points[circuit] {
                writer.write_point(*point).expect("not the identity");
            }
            columns.push(hidden);
        }
        let squeezed = squeeze(&mut writer);
        let e = self.e.unwrap_or(squeezed);
        let mut masked = Vec::new();
        for (circuit, columns) in columns.iter_mut().enumerate() {
            (self.after_e)(circuit, &e, columns);
            let y = columns.projections(plan, self.factors, &e);
            let u = columns.masked(plan, self.factors, &e);
            // Who projects what an honest prover does not would begin for ever.
            let bits = |number: &Fp| BigUint::from_bytes_le(&number.to_repr()).bits() as u32;
            let honest = y.iter().all(|y| bits(y) <= plan.beta);
            let refused = |u: &Fp| match self.rejection {
                Rejection::Telling => bits(u) > plan.omega || bits(u) <= plan.beta,
                Rejection::Unsayable => bits(u) > plan.omega,
                Rejection::Never => false,
            };
            if honest && u.iter().any(refused) {
                return None;
            }
            masked.push(u);
        }
        let said = Said { masked, attempts };
        Some(Begun {
            writer,
            seed,
            draws,
            generator,
            points,
            columns,
            e,
            said,
        })
    }

    fn commit_and_link(&self, scenes: &[Scene<'_>]) -> Linked {
        let (setup, plan) = (self.setup, self.plan);
        let Begun {
            mut writer,
            seed,
            draws,
            generator,
            mut points,
            columns,
            e,
            said,
        } = self.begin(scenes);
        let mut masked = said.masked;
        (self.masked)(&e, &mut masked);
        let say = |writer: &mut Writer, numbers: &mut [Fp]| {
            for number in numbers {
                *number = writer.write_number(*number, plan.masked_bytes());
            }
        };
        for (circuit, columns) in columns.iter().enumerate() {
            if self.after_r.is_none() {
                say(&mut writer, &mut masked[circuit]);
            }
            for (index, usable) in columns.z.iter().enumerate() {
                let point = draws[circuit].commit(setup, plan.z_at() + index, usable);
                writer.write_point(point).expect("not the identity");
                points[circuit].push(point);
            }
        }
        let challenges = Challenges {
            e,
            r: squeeze(&mut writer),
        };
        for (circuit, masked) in masked.iter_mut().enumerate() {
            let Some(change) = &self.after_r else { break };
            change(circuit, &challenges, masked);
            say(&mut writer, masked);
        }

        // Step 3.
        let mut folded = Vec::new();
        for (circuit, scene) in scenes.iter().enumerate() {
            let multipliers = (self.multipliers)(&challenges.r, plan.drawn(scene.program));
            let honest = fold(scene.program, plan, self.factors, &e, &masked[circuit], &multipliers);
            let mut public = honest.public.clone();
            let known = Known {
                challenges,
                columns: &columns[circuit],
                folded: &honest,
            };
            (self.matrices)(circuit, &known, &mut public);
            for (index, usable) in public.iter().enumerate() {
                let point = draws[circuit].commit(setup, plan.public_at() + index, usable);
                writer.write_point(point).expect("not the identity");
                points[circuit].push(point);
            }
            folded.push(Folded { public, ..honest });
        }
        let eta = squeeze(&mut writer);
        // What the verifier folds.
        let publics: Vec<Matrix> = (scenes.iter().zip(&masked))
            .map(|(scene, masked)| {
                let multipliers = scalar_multipliers(&challenges.r, plan.drawn(scene.program));
                fold(scene.program, plan, factors, &e, masked, &multipliers).public
            })
            .collect();
        self.link(scenes, (&draws, seed), (&points, &publics), eta, &mut writer);
        Linked {
            writer,
            generator,
            points,
            columns,
            folded,
            challenges,
        }
    }

    /// Step 4.
    fn prove_circuits(&self, linked: Linked) -> Result<Forged, String> {
        let (setup, plan) = (self.setup, self.plan);
        let Linked {
            mut writer,
            generator,
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
            proof: writer.bytes,
            matrices,
            instances,
        })
    }

    fn link(
        &self,
        scenes: &[Scene<'_>],
        (draws, seed): (&[Draws], [u8; 32]),
        (linked, publics): (&[Vec<EqAffine>], &[Matrix]),
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
        for ((scene, draws), (points, public)) in scenes.iter().zip(draws).zip(linked.iter().zip(publics)) {
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
            Nonces::Own => seed.map(|byte| byte ^ 0xaa),
            Nonces::Replayed => seed,
        });
        let scalars: Vec<Fp> = (0..=rows).map(|_| Fp::random(&mut generator)).collect();
        let combine = |scalars: &[Fp]| setup.commit_from(plan.last + 1, &scalars[..rows], scalars[rows]);
        let (nonce, challenge) = match self.link_challenge {
            None => (combine(&scalars), None),
            // With the challenge known, responses come first and `T` is what fits them.
            Some(c) => (combine(&scalars) - sum * c, Some(c)),
        };
        writer.write_point(nonce.to_affine()).expect("not the identity");
        let c = squeeze(writer);
        let mut responses: Vec<Fp> = (scalars.iter().zip(&representation))
            .map(|(scalar, value)| match challenge {
                None => *scalar + c * value,
                Some(_) => *scalar,
            })
            .collect();
        responses[rows] += self.response;
        for response in responses {
            writer.write_scalar(response).expect("writing to memory");
        }
    }
}
