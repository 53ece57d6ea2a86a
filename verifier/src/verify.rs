//! Verification, in order: decode, facts, policy, signatures, proof.
//!
//! Cheap refusals come first, and nothing that a bundle says is believed where the verifier can compute it: universe,
//! snapshot and model give the program, the program gives shape and key, and their digests are in the statement digest.

use rayon::prelude::*;
use thiserror::Error;
use zkmargin_circuits::{BatchRefusal, Claim, ClaimError, Parameters, Refusal, ShapeError, verify_batch};
use zkmargin_risk::canonical::Digest;
use zkmargin_risk::instant::Instant;
use zkmargin_risk::market::Snapshot;
use zkmargin_risk::model::{CompileError, Model};
use zkmargin_risk::terms::TermsError;
use zkmargin_risk::universe::Universe;

use crate::acceptance::PolicyRefusal;
use crate::attestation::AttestationError;
use crate::breaker::{Breaker, BreakerRefusal};
use crate::bundle::{Bundle, BundleError, ProofHash, SignedStatement};
use crate::dsse::{PublicKey, SignatureError};
use crate::facts::{FactRefusal, Place, check_facts};
use crate::policy::{AcceptedSnapshots, Policy, PolicyFileError};
use crate::prepare::Programs;
use crate::published::{PublisherRefusal, SnapshotSignature};
use crate::statement::{Statement, StatementError};
use crate::verdict::{ProvenStatement, Verdict};
use crate::words::keys;

pub use crate::prepare::Prepared;

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

/// What a partner decides by, besides the facts. Its policy has been checked, once for all bundles, and cannot change as long as this stands.
#[derive(Copy, Clone, Debug)]
pub struct Partner<'a> {
    pub(crate) policy: &'a Policy,
    pub(crate) nonce: Option<[u8; 32]>,
    signatures: &'a [SnapshotSignature],
    breaker: Option<&'a Breaker>,
}

/// A nonce for the statements that a partner asks for.
///
/// # Errors
/// No randomness from the operating system.
pub fn draw_nonce() -> Result<[u8; 32], getrandom::Error> {
    let mut nonce = [0; 32];
    getrandom::fill(&mut nonce)?;
    Ok(nonce)
}

impl<'a> Partner<'a> {
    /// A partner with this policy and nonce, and neither publishers nor a breaker. The nonce is the one that it [drew](draw_nonce) for these
    /// statements and remembers, if any: never one that it reads in the bundle.
    ///
    /// # Errors
    /// [`PolicyFileError`]: the policy was not [read](Policy::from_json), or was changed since.
    pub fn new(policy: &'a Policy, nonce: Option<[u8; 32]>) -> Result<Partner<'a>, PolicyFileError> {
        policy.check()?;
        Ok(Partner {
            policy,
            nonce,
            signatures: &[],
            breaker: None,
        })
    }

    /// With publishers' signatures on the snapshots.
    #[must_use]
    pub fn with_signatures(self, signatures: &'a [SnapshotSignature]) -> Partner<'a> {
        Partner { signatures, ..self }
    }

    /// With its circuit breaker, if it has one, as it is now: hold its [`Journal`](crate::journal::Journal) until what is accepted is recorded.
    #[must_use]
    pub fn with_breaker(self, breaker: Option<&'a Breaker>) -> Partner<'a> {
        Partner { breaker, ..self }
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

/// One verifier's facts, with what follows from them: programs are compiled once, for any number of bundles and threads.
#[derive(Debug)]
pub struct Verifier<'a> {
    context: Context<'a>,
    programs: Programs,
}

impl<'a> Verifier<'a> {
    /// A verifier with these facts.
    pub fn new(context: Context<'a>) -> Self {
        Self {
            context,
            programs: Programs::default(),
        }
    }

    /// The facts.
    pub fn context(&self) -> &Context<'a> {
        &self.context
    }

    /// [`Context::prepare`].
    ///
    /// # Errors
    /// As there.
    pub fn prepare(&self, statements: &[&Statement]) -> Result<Vec<Prepared>, VerifyError> {
        self.context.prepare_with(&self.programs, statements)
    }

    /// Verifies all of a bundle that needs no policy: facts, signatures and proof. For a prover, before anything leaves its hands, and for nobody
    /// else: any key may have signed as a venue's, revoked ones included, and what it gives is no [`Verdict`].
    ///
    /// # Errors
    /// The first refusal, in the order of the [module](self).
    pub fn check_bundle(&self, bundle: &[u8], at: Instant) -> Result<Vec<ProvenStatement>, VerifyError> {
        Ok(self.verify_with(bundle, at, |_| Ok(()))?.statements)
    }

    /// Verifies a bundle against the verifier's facts, the partner's policy, publishers and breaker, at the instant `at`: that of the
    /// verifier's own [clock](crate::clock::now), and never one that a bundle says.
    ///
    /// # Errors
    /// The first refusal, in the order of the [module](self).
    pub fn verify(&self, partner: &Partner<'_>, bundle: &[u8], at: Instant) -> Result<Verdict, VerifyError> {
        self.verify_with(bundle, at, |statements| partner.accept(&self.context, statements, at))
    }

    /// Verifies bundles, each for its partner (who may be one with several nonces), and all their proofs in one multi-exponentiation. One verdict
    /// each, in their order; of two bundles with one account both may be valid: what was accepted before is the business of the registry.
    #[must_use = "each of the bundles may have been refused"]
    pub fn verify_batch(&self, bundles: &[(Partner<'_>, &[u8])], at: Instant) -> Vec<Result<Verdict, VerifyError>> {
        let accept = |partner: &Partner<'_>, statements: &[&Statement]| partner.accept(&self.context, statements, at);
        let checked = bundles
            .par_iter()
            .map(|(partner, bundle)| self.check(bundle, at, |statements| accept(partner, statements)));
        let mut verdicts: Vec<Result<Checked, VerifyError>> = checked.collect();
        let claims: Vec<(usize, Vec<Claim<'_>>, &[u8])> = verdicts
            .iter()
            .enumerate()
            .filter_map(|(place, checked)| checked.as_ref().ok().map(|checked| (place, checked)))
            .map(|(place, checked)| (place, checked.claims(), &checked.proof[..]))
            .collect();
        let proofs: Vec<(&[Claim<'_>], &[u8])> =
            claims.iter().map(|(_, claims, proof)| (&claims[..], *proof)).collect();
        let refused = match verify_batch(self.context.parameters, &proofs) {
            Ok(()) | Err(BatchRefusal::Empty) => Vec::new(),
            Err(BatchRefusal::Proofs(refused)) => refused,
        };
        let refused: Vec<(usize, Refusal)> = refused
            .into_iter()
            .filter_map(|(place, refusal)| Some((claims.get(place)?.0, refusal)))
            .collect();
        for (place, refusal) in refused {
            verdicts[place] = Err(refusal.into());
        }
        verdicts
            .into_iter()
            .map(|checked| checked.map(|checked| checked.verdict))
            .collect()
    }

    fn verify_with(
        &self,
        bundle: &[u8],
        at: Instant,
        accept: impl FnOnce(&[&Statement]) -> Result<(), VerifyError>,
    ) -> Result<Verdict, VerifyError> {
        let checked = self.check(bundle, at, accept)?;
        zkmargin_circuits::verify(self.context.parameters, &checked.claims(), &checked.proof)?;
        Ok(checked.verdict)
    }

    /// Everything but the proof.
    fn check(
        &self,
        bundle: &[u8],
        at: Instant,
        accept: impl FnOnce(&[&Statement]) -> Result<(), VerifyError>,
    ) -> Result<Checked, VerifyError> {
        let context = &self.context;
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
        let prepared = context.prepare_with(&self.programs, &statements)?;
        let proof = ProofHash::of(&bundle.proof);
        for (index, (signed, prepared)) in bundle.statements.iter().zip(&prepared).enumerate() {
            verify_subjects(index, signed, prepared.digest, proof)?;
        }
        let digests: Vec<Digest> = prepared.iter().map(|prepared| prepared.digest).collect();
        Ok(Checked {
            verdict: Verdict::new(context, &statements, &digests, at),
            prepared,
            proof: bundle.proof,
        })
    }
}

/// A bundle of which only the proof is left to verify, and the verdict if it holds.
struct Checked {
    prepared: Vec<Prepared>,
    proof: Vec<u8>,
    verdict: Verdict,
}

impl Checked {
    fn claims(&self) -> Vec<Claim<'_>> {
        self.prepared.iter().map(Prepared::claim).collect()
    }
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
