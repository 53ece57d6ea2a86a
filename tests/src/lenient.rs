//! The verifier of protocol §7 once more, which leaves out what a test tells it to.

use ff::Field;
use group::{Curve, Group};
use halo2_proofs::plonk::{Error, VerificationStrategy, verify_proof};
use halo2_proofs::poly::commitment::{Guard, MSM, Params};
use halo2_proofs::transcript::{EncodedChallenge, TranscriptRead};
use pasta_curves::{Eq, EqAffine, Fp};
use zkmargin_circuits::Claim;

use crate::circuit::verifying_key;
use crate::columns::{Matrix, fold, powers, scalar_multipliers};
use crate::plan::Plan;
use crate::setup::{Setup, decode};
use crate::squares::{FactorRule, factors};
use crate::threads::on_this_thread_alone;
use crate::transcript::{Reader, Slot, squeeze};

/// What is done about the advice commitments of step 4.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Points {
    /// They are those of steps 2 and 3: the protocol.
    Reused,
    /// They stand in the proof again, and are compared.
    Compared,
    /// They stand in the proof again, and nobody compares them.
    Unchecked,
}

/// What came of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Accepted.
    Accepted,
    /// Bytes that are missing, too many, or no elements.
    Malformed,
    /// The link fails.
    Link,
    /// A point of step 4 is not the linked one.
    OtherPoint,
    /// The proof of the circuit fails.
    Circuit,
}

/// A verifier; with its defaults a strict one.
#[derive(Clone, Debug)]
pub struct Lenient<'a> {
    /// Another shape than that of the program.
    pub plan: Option<&'a Plan>,
    /// Whether the link is checked.
    pub link: bool,
    /// Whether what the link lacks is added to what the library's last equation lacks, and their sum is checked.
    pub one_weight: bool,
    /// The points of step 4.
    pub points: Points,
    /// `e`, if it does not depend on the transcript.
    pub e: Option<Fp>,
    /// What it makes of `e`.
    pub factors: FactorRule,
    /// `r`, likewise.
    pub r: Option<Fp>,
    /// What it makes of `r`: so many multipliers.
    pub multipliers: fn(&Fp, usize) -> Vec<Fp>,
    /// `η`, likewise.
    pub eta: Option<Fp>,
    /// The link's challenge, likewise.
    pub link_challenge: Option<Fp>,
    /// Weights of the link, given `η`.
    pub weights: Option<fn(&Plan, Fp) -> Vec<Fp>>,
    /// Whether it draws `r` before it reads the masked projections.
    pub masked_after_r: bool,
    /// The columns `a`, `b`, `s`, with the `γ_t` in them, that it takes for those of the program.
    pub matrices: Option<&'a [Matrix]>,
    /// Instance columns that it takes from the prover.
    pub instances: Option<&'a [Matrix]>,
    /// Whether bytes after the proof are refused.
    pub trailing: bool,
}

impl Default for Lenient<'_> {
    fn default() -> Self {
        Self {
            plan: None,
            link: true,
            one_weight: false,
            points: Points::Reused,
            e: None,
            factors,
            r: None,
            multipliers: scalar_multipliers,
            eta: None,
            link_challenge: None,
            weights: None,
            masked_after_r: false,
            matrices: None,
            instances: None,
            trailing: true,
        }
    }
}

impl Lenient<'_> {
    /// The verdict on a proof.
    pub fn verify(&self, setup: &Setup, claims: &[Claim<'_>], proof: &[u8]) -> Verdict {
        on_this_thread_alone();
        match self.check(setup, claims, proof) {
            Ok(()) => Verdict::Accepted,
            Err(verdict) => verdict,
        }
    }

    fn check(&self, setup: &Setup, claims: &[Claim<'_>], proof: &[u8]) -> Result<(), Verdict> {
        let own = Plan::of(claims[0].program);
        let plan = self.plan.unwrap_or(&own);
        let statements: Vec<[u8; 32]> = claims.iter().map(|claim| claim.statement).collect();
        let mut reader = Reader::new(&statements, proof);
        let points = |reader: &mut Reader<'_>, count: usize| -> Result<Vec<EqAffine>, Verdict> {
            let points = (0..count).map(|_| reader.read_point());
            points.collect::<Result<_, _>>().map_err(|_| Verdict::Malformed)
        };

        let mut linked = Vec::new();
        for _ in claims {
            linked.push(points(&mut reader, plan.z_at())?);
        }
        let squeezed = squeeze(&mut reader);
        let e = self.e.unwrap_or(squeezed);
        let masked = |reader: &mut Reader<'_>| -> Result<Vec<Fp>, Verdict> {
            let numbers = (0..plan.masked()).map(|_| reader.read_number(plan.masked_bytes()));
            numbers.collect::<Result<_, _>>().map_err(|_| Verdict::Malformed)
        };
        let mut said = Vec::new();
        for linked in &mut linked {
            if !self.masked_after_r {
                said.push(masked(&mut reader)?);
            }
            linked.extend(points(&mut reader, plan.z_columns)?);
        }
        let squeezed = squeeze(&mut reader);
        let r = self.r.unwrap_or(squeezed);
        if self.masked_after_r {
            for _ in claims {
                said.push(masked(&mut reader)?);
            }
        }
        let mut folded = Vec::new();
        for (index, (claim, linked)) in claims.iter().zip(&mut linked).enumerate() {
            let multipliers = (self.multipliers)(&r, plan.drawn(claim.program));
            let mut fold = fold(claim.program, plan, self.factors, &e, &said[index], &multipliers);
            if let Some(matrices) = self.matrices {
                fold.public.clone_from(&matrices[index]);
            }
            folded.push(fold);
            linked.extend(points(&mut reader, plan.public_columns())?);
        }
        let squeezed = squeeze(&mut reader);
        let eta = self.eta.unwrap_or(squeezed);
        let weights = match self.weights {
            Some(weights) => weights(plan, eta),
            None => powers(eta).take(plan.linked_columns() * claims.len()).collect(),
        };
        let mut weights = weights.into_iter();

        // `Σ weight·(C' - C)` over all linked columns.
        let mut difference = Eq::default();
        for ((claim, points), folded) in claims.iter().zip(&linked).zip(&folded) {
            let insides = plan.linked().map(|column| &points[column]);
            let matrices = folded.public.iter().map(|column| setup.commit(column, Fp::ZERO));
            let outsides = outside(setup, claim).into_iter().chain(matrices);
            for (inside, outside) in insides.zip(outsides) {
                difference += (Eq::from(*inside) - outside) * weights.next().expect("a weight");
            }
        }
        let nonce = points(&mut reader, 1)?[0];
        let squeezed = squeeze(&mut reader);
        let c = self.link_challenge.unwrap_or(squeezed);
        let responses: Vec<Fp> = (0..=plan.unusable())
            .map(|_| reader.read_scalar())
            .collect::<Result<_, _>>()
            .map_err(|_| Verdict::Malformed)?;
        let (rows, blind) = responses.split_at(plan.unusable());
        let answer = setup.commit_from(plan.last + 1, rows, blind[0]);
        let lacking = answer - Eq::from(nonce) - difference * c;
        let holds = self.one_weight || bool::from(lacking.is_identity());

        for points in &linked {
            let slot = |point: &EqAffine| match self.points {
                Points::Reused => Slot::Instead(*point),
                Points::Compared => Slot::Same(*point),
                Points::Unchecked => Slot::Bytes,
            };
            let accumulators = std::iter::repeat_n(Slot::Bytes, plan.group);
            reader.slots.extend(points.iter().map(slot).chain(accumulators));
        }
        let own: Vec<Matrix> = folded.into_iter().map(|folded| folded.instance).collect();
        let instances = self.instances.unwrap_or(&own);
        let columns: Vec<Vec<&[Fp]>> = (instances.iter())
            .map(|instance| instance.iter().map(Vec::as_slice).collect())
            .collect();
        let columns: Vec<&[&[Fp]]> = columns.iter().map(Vec::as_slice).collect();
        let key = verifying_key(setup, plan);
        let strategy = WithTheLink {
            params: &setup.params,
            lacking: if self.one_weight { lacking } else { Eq::default() },
        };
        let outcome = verify_proof(&setup.params, &key, strategy, &columns, &mut reader);
        // What is no proof is refused as such, whatever it would say.
        if reader.malformed || self.trailing && outcome.is_ok() && !reader.bytes.is_empty() {
            return Err(Verdict::Malformed);
        }
        if self.link && !holds {
            return Err(Verdict::Link);
        }
        if reader.differs {
            return Err(Verdict::OtherPoint);
        }
        outcome.map_err(|_| Verdict::Circuit)
    }
}

/// The library's own check of its last equation, with a point added to it.
struct WithTheLink<'a> {
    params: &'a Params<EqAffine>,
    lacking: Eq,
}

impl<'a> VerificationStrategy<'a, EqAffine> for WithTheLink<'a> {
    type Output = ();

    fn process<E: EncodedChallenge<EqAffine>>(
        self,
        proof: impl FnOnce(MSM<'a, EqAffine>) -> Result<Guard<'a, EqAffine, E>, Error>,
    ) -> Result<(), Error> {
        let mut equation = proof(MSM::new(self.params))?.use_challenges();
        equation.append_term(Fp::ONE, self.lacking.to_affine());
        equation.eval().then_some(()).ok_or(Error::ConstraintSystemFailure)
    }
}

/// The commitments that a claim's `q` columns are linked to.
pub fn outside(setup: &Setup, claim: &Claim<'_>) -> Vec<Eq> {
    let layout = claim.program.layout();
    let mut outside: Vec<Eq> = (claim.attested.iter())
        .map(|points| points.iter().map(|point| Eq::from(decode(&point.to_bytes()))).sum())
        .collect();
    for (leg, lots) in claim.public {
        let generator = setup.lagrange[layout.row_of(*leg)];
        outside[layout.column_of(*leg)] += generator * Fp::from(*lots);
    }
    outside
}
