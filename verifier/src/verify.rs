//! Verification, in order: decode, facts, policy, signatures, proof.
//!
//! Cheap refusals come first, and nothing that a bundle says is believed where the verifier can compute it: universe,
//! snapshot and model give the program, the program gives shape and key, and their digests are in the statement digest.

use std::sync::Arc;

use thiserror::Error;
use zkmargin_circuits::{Claim, ClaimError, Parameters, Placement, Point, Refusal, ShapeError};
use zkmargin_program::{LegId, Program};
use zkmargin_risk::canonical::Digest;
use zkmargin_risk::instant::Instant;
use zkmargin_risk::market::Snapshot;
use zkmargin_risk::model::{CompileError, Model};
use zkmargin_risk::terms::{Terms, TermsError};
use zkmargin_risk::universe::Universe;

use crate::acceptance::{PolicyRefusal, Presented};
use crate::attestation::AttestationError;
use crate::breaker::{Breaker, BreakerRefusal};
use crate::bundle::{Bundle, BundleError, ProofHash, SignedStatement};
use crate::dsse::{PublicKey, SignatureError};
use crate::facts::{FactRefusal, Place, check_facts};
use crate::policy::{AcceptedSnapshots, Policy};
use crate::published::{PublisherRefusal, SnapshotSignature};
use crate::statement::{PublicFacts, Statement, StatementError};
use crate::verdict::Verdict;
use crate::words::keys;

/// The verifier's own facts.
#[derive(Copy, Clone, Debug)]
pub struct Context<'a> {
    /// The universe.
    pub universe: &'a Universe,
    /// The snapshot at the attestations' epoch.
    pub snapshot: &'a Snapshot,
    /// For variation, the later snapshot.
    pub later: Option<&'a Snapshot>,
    /// The margin model, with the price history that it needs.
    pub model: &'a Model,
    /// The commitment parameters for the universe's `k`.
    pub parameters: &'a Parameters,
}

/// Why a bundle is refused. `statement` counts from 0, its message from 1.
#[derive(Debug, Error)]
pub enum VerifyError {
    /// The later of two snapshots is of an instant that has not come.
    #[error("the later snapshot is of {instant}, which is after {at}")]
    LaterAhead {
        /// Its instant.
        instant: Instant,
        /// Instant of verification.
        at: Instant,
    },
    /// The bytes are no bundle.
    #[error(transparent)]
    Bundle(#[from] BundleError),
    /// It does not fit the verifier's facts.
    #[error(transparent)]
    Facts(#[from] FactRefusal),
    /// The policy does not accept it.
    #[error(transparent)]
    Policy(#[from] PolicyRefusal),
    /// The circuit breaker does not let it pass.
    #[error(transparent)]
    Breaker(#[from] BreakerRefusal),
    /// A snapshot is not published as the policy demands.
    #[error(transparent)]
    Publisher(#[from] PublisherRefusal),
    /// A venue's signature is wrong.
    #[error("{place}: {error}")]
    AttestationSignature {
        /// The attestation.
        place: Box<Place>,
        /// What is wrong with its signature.
        error: SignatureError,
    },
    /// A subject did not sign, or somebody signed who is no subject, or the signatures are out of order.
    #[error("statement {} is signed by {}, its subjects are {}", statement + 1, keys(found), keys(expected))]
    Signers {
        /// The statement.
        statement: usize,
        /// Who is said to have signed.
        found: Vec<PublicKey>,
        /// Who should have, in the order of their bytes.
        expected: Vec<PublicKey>,
    },
    /// A subject's signature is wrong.
    #[error("statement {}: {error}", statement + 1)]
    SubjectSignature {
        /// The statement.
        statement: usize,
        /// What is wrong with the signature.
        error: SignatureError,
    },
    /// The order or deposit is none in this universe.
    #[error("statement {}: {error}", statement + 1)]
    Terms {
        /// The statement.
        statement: usize,
        /// What is wrong.
        error: TermsError,
    },
    /// Universe, snapshot, model and terms give no program.
    #[error("statement {}: {error}", statement + 1)]
    Compile {
        /// The statement.
        statement: usize,
        /// Why not.
        error: CompileError,
    },
    /// The program has no shape.
    #[error("statement {}: {error}", statement + 1)]
    Shape {
        /// The statement.
        statement: usize,
        /// Why not.
        error: ShapeError,
    },
    /// The proof is refused.
    #[error(transparent)]
    Proof(#[from] Refusal),
}

/// Exit codes of the binaries.
pub mod exit {
    /// Valid, or done.
    pub const OK: u8 = 0;
    /// Anything wrong inside proof or signature bytes, encodings included.
    pub const PROOF: u8 = 1;
    /// Usage, input and output, a file or envelope that does not decode.
    pub const USAGE: u8 = 2;
    /// Refused by policy: duplicates, nonce and audience too.
    pub const POLICY: u8 = 3;
    /// Something that cannot be.
    pub const INTERNAL: u8 = 70;
    /// Whoever reads standard output closed it before the answer was out, as `head` does: what a shell says of SIGPIPE. Files are
    /// written before that.
    pub const CLOSED: u8 = 141;
}

impl VerifyError {
    /// The exit code that says what kind of refusal this is.
    pub fn exit_code(&self) -> u8 {
        match self {
            VerifyError::Bundle(BundleError::Statement {
                error:
                    StatementError::Attestation {
                        error: AttestationError::Point { .. },
                        ..
                    },
                ..
            }) => exit::PROOF,
            VerifyError::Bundle(_)
            | VerifyError::Terms { .. }
            | VerifyError::Compile { .. }
            | VerifyError::Shape { .. } => exit::USAGE,
            VerifyError::Facts(FactRefusal::Terms { .. }) | VerifyError::Policy(PolicyRefusal::NonceNotGiven) => {
                exit::USAGE
            }
            VerifyError::Breaker(BreakerRefusal::NotGiven | BreakerRefusal::NoLimits) => exit::USAGE,
            VerifyError::Publisher(refusal) => refusal.exit_code(),
            VerifyError::LaterAhead { .. }
            | VerifyError::Facts(_)
            | VerifyError::Policy(_)
            | VerifyError::Breaker(_) => exit::POLICY,
            VerifyError::AttestationSignature { .. }
            | VerifyError::Signers { .. }
            | VerifyError::SubjectSignature { .. } => exit::PROOF,
            VerifyError::Proof(Refusal::Claim(ClaimError::Shape(_) | ClaimError::WrapAround(_))) => exit::USAGE,
            VerifyError::Proof(Refusal::Key { .. }) => exit::INTERNAL,
            VerifyError::Proof(_) => exit::PROOF,
        }
    }
}

/// A statement with everything that follows from it and the verifier's facts: what the argument proves.
#[derive(Clone, Debug)]
pub struct Prepared {
    /// The statement digest.
    pub digest: Digest,
    /// The margin program.
    pub program: Arc<Program>,
    /// Per column of the universe, the attested points that are added up there.
    pub attested: Vec<Vec<Point>>,
    /// The lots that the public order and deposit add, by leg.
    pub public: Vec<(LegId, u64)>,
}

impl Prepared {
    /// The claim that the argument proves or verifies.
    pub fn claim(&self) -> Claim<'_> {
        Claim {
            statement: self.digest.0,
            program: &self.program,
            attested: &self.attested,
            public: &self.public,
        }
    }
}

impl<'a> Context<'a> {
    /// The snapshots that terms are of, as far as they are there.
    fn snapshots(&self, terms: &Terms) -> Vec<&'a Snapshot> {
        let later = self.later.filter(|_| terms.margin.snapshots() > 1);
        [Some(self.snapshot), later].into_iter().flatten().collect()
    }

    /// The facts as a policy sees them.
    pub fn presented(&self) -> Presented {
        Presented {
            network: self.universe.network(),
            universe: self.universe.digest(),
            snapshot: self.snapshot.digest(),
            snapshot_instant: self.snapshot.instant,
            later: self.later.map(|later| (later.digest(), later.instant)),
            model: self.model.digest(),
        }
    }

    /// Compiles the statements' programs and computes their digests: for a verifier before the signatures, for a prover
    /// before it proves. Checks nothing.
    ///
    /// # Errors
    /// [`VerifyError::Terms`], [`VerifyError::Compile`] and [`VerifyError::Shape`].
    pub fn prepare(&self, statements: &[&Statement]) -> Result<Vec<Prepared>, VerifyError> {
        let (universe, model) = (self.universe.digest(), self.model.digest());
        let digests = [Some(self.snapshot), self.later].map(|snapshot| snapshot.map(Snapshot::digest));
        let digest_of = |snapshot: &Snapshot| {
            let first = std::ptr::eq(snapshot, self.snapshot);
            let [own, later] = digests;
            (if first { own } else { later }).unwrap_or_else(|| snapshot.digest())
        };
        // Statements of the same terms have the same program: one compilation serves them all.
        let mut compiled: Vec<(&Terms, Arc<Program>, Digest)> = Vec::new();
        let mut prepared = Vec::with_capacity(statements.len());
        for (index, statement) in statements.iter().enumerate() {
            let terms = &statement.terms;
            let found = compiled
                .iter()
                .find(|(other, ..)| *other == terms)
                .map(|(_, program, shape)| (program.clone(), *shape));
            let (program, shape) = match found {
                Some(found) => found,
                None => {
                    let program = self.model.compile_on(self.universe, &self.snapshots(terms), terms);
                    let program = Arc::new(program.map_err(|error| VerifyError::Compile {
                        statement: index,
                        error,
                    })?);
                    let placement = Placement::new(&program).map_err(|error| VerifyError::Shape {
                        statement: index,
                        error,
                    })?;
                    let shape = Digest(placement.shape().digest());
                    compiled.push((terms, program.clone(), shape));
                    (program, shape)
                }
            };
            let facts = PublicFacts {
                network: self.universe.network(),
                k: self.universe.k(),
                parameters: Digest(self.parameters.digest()),
                shape,
                universe,
                snapshots: self.snapshots(terms).into_iter().map(digest_of).collect(),
                models: vec![model],
                history: self.model.history(),
            };
            let public = terms.public_amounts(self.universe);
            prepared.push(Prepared {
                digest: statement.digest(&facts),
                program,
                attested: attested_points(self.universe, statement),
                public: public.map_err(|error| VerifyError::Terms {
                    statement: index,
                    error,
                })?,
            });
        }
        Ok(prepared)
    }
}

/// Per column of the universe, the attested points of its one venue.
fn attested_points(universe: &Universe, statement: &Statement) -> Vec<Vec<Point>> {
    let mut attested = vec![Vec::new(); universe.layout().columns()];
    for content in statement.attestations.iter().map(crate::SignedAttestation::content) {
        let columns = universe
            .venue(&content.venue)
            .map(|(_, venue)| venue.columns.clone())
            .unwrap_or_default();
        for (points, point) in attested
            .get_mut(columns)
            .unwrap_or_default()
            .iter_mut()
            .zip(&content.points)
        {
            points.push(*point);
        }
    }
    attested
}

/// What a partner decides by, besides the facts.
#[derive(Copy, Clone, Debug)]
pub struct Partner<'a> {
    /// What it accepts.
    pub policy: &'a Policy,
    /// The nonce that it drew for these statements, if any.
    pub nonce: Option<[u8; 32]>,
    /// Publishers' signatures on the snapshots.
    pub signatures: &'a [SnapshotSignature],
    /// Its circuit breaker.
    pub breaker: Option<&'a Breaker>,
}

impl Partner<'_> {
    /// Verifies a bundle against the verifier's facts, this partner's policy, publishers and breaker, at the instant `at`.
    ///
    /// # Errors
    /// The first refusal, in the order of the [module](self).
    pub fn verify(&self, context: &Context<'_>, bundle: &[u8], at: Instant) -> Result<Verdict, VerifyError> {
        verify_with(context, bundle, at, |statements| self.accept(context, statements, at))
    }

    fn accept(&self, context: &Context<'_>, statements: &[&Statement], at: Instant) -> Result<(), VerifyError> {
        let (policy, presented) = (self.policy, context.presented());
        policy.accept(&presented, statements, self.nonce, at)?;
        match (&policy.breaker, self.breaker) {
            (None, None) => {}
            (None, Some(_)) => return Err(BreakerRefusal::NoLimits.into()),
            (Some(_), None) => return Err(BreakerRefusal::NotGiven.into()),
            (Some(limits), Some(breaker)) => breaker.accept(limits, &presented, statements, at)?,
        }
        if let AcceptedSnapshots::Signed(publishers) = &policy.snapshots {
            for snapshot in [Some(context.snapshot), context.later].into_iter().flatten() {
                publishers.accept(policy.network, snapshot, self.signatures, at)?;
            }
        }
        Ok(())
    }
}

/// Verifies a bundle against the verifier's facts and its policy, at the instant `at`. `nonce` is the one that the partner drew
/// for these statements, if any. For a policy with publishers or a breaker there is [`Partner::verify`].
///
/// # Errors
/// The first refusal, in the order of the [module](self).
pub fn verify_bundle(
    context: &Context<'_>,
    policy: &Policy,
    nonce: Option<[u8; 32]>,
    bundle: &[u8],
    at: Instant,
) -> Result<Verdict, VerifyError> {
    let partner = Partner {
        policy,
        nonce,
        signatures: &[],
        breaker: None,
    };
    partner.verify(context, bundle, at)
}

/// Verifies all of a bundle that needs no policy: facts, signatures and proof. For a prover, before anything leaves its hands.
///
/// # Errors
/// The first refusal, in the order of the [module](self).
pub fn check_bundle(context: &Context<'_>, bundle: &[u8], at: Instant) -> Result<Verdict, VerifyError> {
    verify_with(context, bundle, at, |_| Ok(()))
}

fn verify_with(
    context: &Context<'_>,
    bundle: &[u8],
    at: Instant,
    accept: impl FnOnce(&[&Statement]) -> Result<(), VerifyError>,
) -> Result<Verdict, VerifyError> {
    let bundle = Bundle::from_bytes(bundle)?;
    let statements: Vec<&Statement> = bundle.statements.iter().map(|signed| &signed.statement).collect();
    check_facts(context.universe, context.snapshot.instant, &statements, at)?;
    if let Some(later) = context.later.filter(|later| later.instant > at) {
        return Err(VerifyError::LaterAhead {
            instant: later.instant,
            at,
        });
    }
    accept(&statements)?;
    for (index, statement) in statements.iter().enumerate() {
        verify_attestations(index, statement)?;
    }
    let prepared = context.prepare(&statements)?;
    let proof = ProofHash::of(&bundle.proof);
    for (index, (signed, prepared)) in bundle.statements.iter().zip(&prepared).enumerate() {
        verify_subjects(index, signed, prepared.digest, proof)?;
    }
    let claims: Vec<Claim<'_>> = prepared.iter().map(Prepared::claim).collect();
    zkmargin_circuits::verify(context.parameters, &claims, &bundle.proof)?;
    let digests: Vec<Digest> = prepared.iter().map(|prepared| prepared.digest).collect();
    Ok(Verdict::new(context, &statements, &digests, at))
}

/// The venues' signatures.
fn verify_attestations(index: usize, statement: &Statement) -> Result<(), VerifyError> {
    for signed in &statement.attestations {
        signed.verify().map_err(|error| {
            let place = Box::new(Place::of(index, signed.content()));
            VerifyError::AttestationSignature { place, error }
        })?;
    }
    Ok(())
}

/// One signature of every distinct subject, in the order of their bytes, and none of anybody else.
fn verify_subjects(
    index: usize,
    signed: &SignedStatement,
    digest: Digest,
    proof: ProofHash,
) -> Result<(), VerifyError> {
    let expected = signed.statement.subjects();
    let found: Vec<PublicKey> = signed.signatures.iter().map(|signature| signature.subject).collect();
    if found != expected {
        return Err(VerifyError::Signers {
            statement: index,
            found,
            expected,
        });
    }
    for signature in &signed.signatures {
        signature
            .verify(digest, proof)
            .map_err(|error| VerifyError::SubjectSignature {
                statement: index,
                error,
            })?;
    }
    Ok(())
}

#[cfg(test)]
mod tests;
