//! The trader's part: from attested accounts to a bundle that the verifier has accepted.
//!
//! Nothing leaves [`Prover::prove`] before [`Verifier::check_bundle`], the partner's own code, has taken it in: a bundle that would be
//! refused for what it is, whatever the policy, is never handed out. Which accounts count, and how much they miss when they do, is
//! said to the trader alone.

use std::fmt;
use std::time::{Duration, Instant as Clock};

use thiserror::Error;
use zeroize::Zeroizing;
use zkmargin_circuits::{Blind, Claim, Opening as SummedOpening, ProveError as ArgumentError, prove_unchecked};
use zkmargin_program::WitnessError;
use zkmargin_risk::canonical::Digest;
use zkmargin_risk::instant::Instant;
use zkmargin_risk::oracle::{OracleError, evaluate, variation, with_public_amounts};
use zkmargin_risk::terms::{Margin, Terms};
use zkmargin_risk::universe::Universe;
use zkmargin_verifier::book::Book;
use zkmargin_verifier::bundle::MAX_PROOF_BYTES;
use zkmargin_verifier::facts::check_facts;
use zkmargin_verifier::verdict::ProvenStatement;
use zkmargin_verifier::verify::Prepared;
use zkmargin_verifier::{
    Bundle, Context, Opening, OpeningError, ProofHash, PublicKey, SignatureError, SignedAttestation, SignedStatement,
    SigningKey, Statement, SubjectSignature, Verifier, VerifyError, Window,
};

mod missed;
mod size;

pub(crate) use missed::lowest_denominator;
use missed::requirement_words;
pub use missed::{Held, Shortfall, supposed_not_counted, supposed_words};

/// One attested account with what opens it.
#[derive(Clone, Debug)]
pub struct Account {
    /// What the venue signed.
    pub attestation: SignedAttestation,
    /// The trader's secret.
    pub opening: Opening,
}

/// A statement that is to be proven.
#[derive(Clone, Debug)]
pub struct Draft {
    /// Level, ratio, least excess, and the hypothetical order or deposit.
    pub terms: Terms,
    /// Whom the statement is made to.
    pub audience: PublicKey,
    /// The audience's credit line.
    pub book: Book,
    /// The audience's challenge, or random bytes where it waived one.
    pub nonce: [u8; 32],
    /// When the statement may be relied on.
    pub window: Window,
    /// Digest of the statement that this one takes the place of.
    pub replaces: Option<Digest>,
    /// The accounts that are taken together, in any order.
    pub accounts: Vec<Account>,
}

impl Draft {
    /// Whether a statement says what this draft would, but for when it may be relied on and the nonce that was drawn for it.
    pub fn has_substance_of(&self, statement: &Statement) -> bool {
        let mut own: Vec<&SignedAttestation> = self.accounts.iter().map(|account| &account.attestation).collect();
        let mut others: Vec<&SignedAttestation> = statement.attestations.iter().collect();
        for attestations in [&mut own, &mut others] {
            attestations.sort_by_cached_key(|attestation| attestation.to_bytes());
        }
        own == others
            && (&self.terms, &self.audience) == (&statement.terms, &statement.audience)
            && (&self.book, &self.replaces) == (&statement.book, &statement.replaces)
    }
}

/// What is being done.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum Stage {
    /// Openings are recomputed, signatures and facts checked.
    Checking,
    /// Model and snapshot become a program.
    Compiling,
    /// The proof is made.
    Proving,
    /// The proof is verified.
    Verifying,
}

impl fmt::Display for Stage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Stage::Checking => "checking openings and attestations",
            Stage::Compiling => "compiling the margin program",
            Stage::Proving => "proving",
            Stage::Verifying => "verifying the proof",
        })
    }
}

/// A bundle that the verifier has taken in, as far as it needs no policy.
#[derive(Clone, Debug)]
pub struct Proven {
    /// The bundle.
    pub bundle: Bundle,
    /// The bytes of its file.
    pub bytes: Vec<u8>,
    /// What the verifier says of it: whom it is made to decides by a policy.
    pub statements: Vec<ProvenStatement>,
    /// Wall-clock time from the openings to the last byte of the proof.
    pub proving: Duration,
    /// Wall-clock time of the verification before it left.
    pub verifying: Duration,
}

/// Why there is no bundle. No variant shows what the accounts hold. `statement` and `account` count from 0, messages from 1.
#[derive(Debug, Error)]
pub enum ProveError {
    /// The opening is not that of the attestation.
    #[error("statement {}: {error}", statement + 1)]
    Opening {
        /// The statement.
        statement: usize,
        /// The account in its draft.
        account: usize,
        /// What is wrong.
        error: OpeningError,
    },
    /// The venue did not sign the attestation.
    #[error("statement {}: attestation of venue {venue:?}: {error}", statement + 1)]
    AttestationSignature {
        /// The statement.
        statement: usize,
        /// The account in its draft.
        account: usize,
        /// The venue.
        venue: String,
        /// What is wrong.
        error: SignatureError,
    },
    /// A subject whose key is not there.
    #[error("statement {}: the key of subject {subject} is needed to sign it", statement + 1)]
    SubjectKey {
        /// The statement.
        statement: usize,
        /// The subject.
        subject: PublicKey,
    },
    /// The statement does not fit universe, snapshot or instant, or has no program.
    #[error(transparent)]
    Statement(VerifyError),
    /// The accounts do not meet the model at these terms: nothing is proven.
    #[error("statement {}: {requirement} is not met; nothing was proven", statement + 1)]
    NotMet {
        /// The statement.
        statement: usize,
        /// The requirement that is missed most, in words.
        requirement: String,
        /// By how much.
        shortfall: Shortfall,
    },
    /// The order or deposit is of something that the model does not count.
    #[error("statement {}: there is no proof after the {supposed}: {reasons}", statement + 1)]
    SupposedNotCounted {
        /// The statement.
        statement: usize,
        /// The order, or deposit, or both, in words.
        supposed: String,
        /// What of it does not count, and why.
        reasons: String,
    },
    /// The accounts hold something that the model does not count.
    #[error(
        "statement {}: an account holds what the model does not count on this snapshot, so that there is no proof",
        statement + 1
    )]
    NotCounted {
        /// The statement.
        statement: usize,
        /// What it is.
        held: Held,
    },
    /// The accounts are outside what the program can speak of.
    #[error("statement {}: {error}", statement + 1)]
    Witness {
        /// The statement.
        statement: usize,
        /// What the program says.
        error: WitnessError,
    },
    /// More statements than a proof that is accepted has room for.
    #[error(
        "a proof of {statements} statements has {bytes} bytes, at most {MAX_PROOF_BYTES} are accepted: {most} statements fit"
    )]
    TooLarge {
        /// The statements.
        statements: usize,
        /// Bytes of their proof.
        bytes: usize,
        /// The most statements like these that fit.
        most: usize,
    },
    /// The argument failed.
    #[error(transparent)]
    Argument(ArgumentError),
    /// The finished bundle is refused by the verifier, and was thrown away.
    #[error("the finished bundle is refused by the verifier and was thrown away: {0}")]
    SelfCheck(VerifyError),
}

/// One prover's facts, with what follows from them: programs are compiled once, for any number of proofs and threads.
#[derive(Debug)]
pub struct Prover<'a> {
    verifier: Verifier<'a>,
    at: Instant,
}

/// Drafts that can be proven: checked, compiled and met.
struct Ready<'k> {
    statements: Vec<Statement>,
    signers: Vec<Vec<&'k SigningKey>>,
    prepared: Vec<Prepared>,
    openings: Vec<Summed>,
}

impl<'a> Prover<'a> {
    /// A prover with these facts. `at` is the instant at which bundles are verified before they leave.
    pub fn new(context: Context<'a>, at: Instant) -> Self {
        let verifier = Verifier::new(context);
        Self { verifier, at }
    }

    /// What verifies the bundles.
    pub fn verifier(&self) -> &Verifier<'a> {
        &self.verifier
    }

    /// Whether all drafts could be proven, by everything short of a proof.
    ///
    /// # Errors
    /// [`ProveError`].
    pub fn check(&self, drafts: &[Draft], subjects: &[SigningKey]) -> Result<(), ProveError> {
        self.ready(drafts, subjects, |_| {}).map(drop)
    }

    /// Proves all drafts in one proof, in this order, signs them with the keys of all their subjects, and has the verifier check the bundle
    /// before it is returned.
    ///
    /// # Errors
    /// [`ProveError`].
    pub fn prove(
        &self,
        drafts: &[Draft],
        subjects: &[SigningKey],
        mut on_stage: impl FnMut(Stage),
    ) -> Result<Proven, ProveError> {
        let context = self.verifier.context();
        let Ready {
            statements,
            signers,
            prepared,
            openings,
        } = self.ready(drafts, subjects, &mut on_stage)?;
        size::check(&prepared, prepared.len())?;

        on_stage(Stage::Proving);
        let started = Clock::now();
        let claims: Vec<Claim<'_>> = prepared.iter().map(Prepared::claim).collect();
        let openings: Vec<SummedOpening> = openings.into_iter().map(Summed::into_opening).collect();
        let proof =
            on_one_thread(|| prove_unchecked(context.parameters, &claims, &openings)).map_err(|error| match error {
                ArgumentError::Witness { index, error } => ProveError::Witness {
                    statement: index,
                    error,
                },
                error => ProveError::Argument(error),
            })?;
        let proving = started.elapsed();

        let hash = ProofHash::of(&proof);
        let statements = statements.into_iter().zip(&prepared).zip(signers);
        let statements = statements.map(|((statement, prepared), signers)| SignedStatement {
            statement,
            signatures: signers
                .iter()
                .map(|key| SubjectSignature::sign(key, prepared.digest, hash))
                .collect(),
        });
        let bundle = Bundle {
            statements: statements.collect(),
            proof,
        };
        let bytes = bundle.to_bytes();

        on_stage(Stage::Verifying);
        let started = Clock::now();
        let statements = self
            .verifier
            .check_bundle(&bytes, self.at)
            .map_err(ProveError::SelfCheck)?;
        Ok(Proven {
            bundle,
            bytes,
            statements,
            proving,
            verifying: started.elapsed(),
        })
    }

    fn ready<'k>(
        &self,
        drafts: &[Draft],
        subjects: &'k [SigningKey],
        mut on_stage: impl FnMut(Stage),
    ) -> Result<Ready<'k>, ProveError> {
        let context = self.verifier.context();
        on_stage(Stage::Checking);
        for (index, draft) in drafts.iter().enumerate() {
            check_accounts(context, index, draft)?;
        }
        let statements: Vec<Statement> = drafts.iter().map(|draft| statement(context.universe, draft)).collect();
        let all: Vec<&Statement> = statements.iter().collect();
        check_facts(context.universe, context.snapshot.instant, &all, self.at)
            .map_err(|error| ProveError::Statement(error.into()))?;
        let signers = all
            .iter()
            .enumerate()
            .map(|(index, statement)| signers_of(index, statement, subjects))
            .collect::<Result<Vec<_>, _>>()?;

        on_stage(Stage::Compiling);
        let prepared = self.verifier.prepare(&all).map_err(ProveError::Statement)?;
        let openings: Vec<Summed> = drafts.iter().map(|draft| summed(context.universe, draft)).collect();
        for (index, ((draft, prepared), opening)) in drafts.iter().zip(&prepared).zip(&openings).enumerate() {
            check_met(context, index, &draft.terms, prepared, opening)?;
        }
        Ok(Ready {
            statements,
            signers,
            prepared,
            openings,
        })
    }
}

/// Recomputes every `C_c` and checks the venues' signatures.
fn check_accounts(context: &Context<'_>, statement: usize, draft: &Draft) -> Result<(), ProveError> {
    for (account, Account { attestation, opening }) in draft.accounts.iter().enumerate() {
        attestation.verify().map_err(|error| {
            let venue = attestation.content().venue.clone();
            ProveError::AttestationSignature {
                statement,
                account,
                venue,
                error,
            }
        })?;
        opening
            .check(context.parameters, attestation.content())
            .map_err(|error| ProveError::Opening {
                statement,
                account,
                error,
            })?;
    }
    Ok(())
}

/// The statement of a draft, its attestations in the order of the universe's venues, then of their pseudonyms.
fn statement(universe: &Universe, draft: &Draft) -> Statement {
    let mut attestations: Vec<SignedAttestation> = draft
        .accounts
        .iter()
        .map(|account| account.attestation.clone())
        .collect();
    attestations.sort_by_key(|signed| {
        let content = signed.content();
        let venue = universe.venue(&content.venue).map_or(usize::MAX, |(index, _)| index);
        (venue, content.account)
    });
    Statement {
        terms: draft.terms.clone(),
        audience: draft.audience,
        book: draft.book.clone(),
        nonce: draft.nonce,
        window: draft.window,
        replaces: draft.replaces,
        attestations,
    }
}

/// The keys of a statement's subjects, in the order in which they sign.
fn signers_of<'k>(
    index: usize,
    statement: &Statement,
    keys: &'k [SigningKey],
) -> Result<Vec<&'k SigningKey>, ProveError> {
    let of = |subject| {
        let found = keys.iter().find(|key| PublicKey::of(key) == subject);
        found.ok_or(ProveError::SubjectKey {
            statement: index,
            subject,
        })
    };
    statement.subjects().into_iter().map(of).collect()
}

/// The sum of a draft's accounts, one number per slot, and of their blinds, one per column.
struct Summed {
    lots: Zeroizing<Vec<u64>>,
    blinds: Vec<Blind>,
}

impl Summed {
    fn into_opening(mut self) -> SummedOpening {
        SummedOpening::new(std::mem::take(&mut *self.lots), self.blinds)
    }
}

/// Adds the accounts up. Facts have been checked: every venue is in the universe, every opening fits its attestation.
fn summed(universe: &Universe, draft: &Draft) -> Summed {
    let layout = universe.layout();
    let mut lots = Zeroizing::new(vec![0_u64; layout.slots()]);
    let mut blinds = vec![Blind::zero(); layout.columns()];
    for Account { opening, .. } in &draft.accounts {
        let columns = universe
            .venue(&opening.venue)
            .map(|(_, venue)| venue.columns.clone())
            .unwrap_or_default();
        for (column, opened) in columns.zip(&opening.columns) {
            let slots = lots.iter_mut().skip(column * layout.rows()).take(layout.rows());
            for (slot, more) in slots.zip(&opened.lots) {
                // At most 256 numbers below 2^48: the sum fits, and the argument refuses a wrong one in any case.
                *slot = slot.saturating_add(*more);
            }
            if let Some(blind) = blinds.get_mut(column) {
                *blind = blind.add(&opened.blind);
            }
        }
    }
    Summed { lots, blinds }
}

/// Refuses accounts that miss a requirement, saying which one and, to the caller alone, by how much.
fn check_met(
    context: &Context<'_>,
    statement: usize,
    terms: &Terms,
    prepared: &Prepared,
    opening: &Summed,
) -> Result<(), ProveError> {
    let mut lots = opening.lots.clone();
    for (leg, more) in &prepared.public {
        if let Some(slot) = lots.get_mut(leg.index()) {
            *slot = slot.saturating_add(*more);
        }
    }
    match prepared.program.shortfall(&lots) {
        Ok(None) => Ok(()),
        Ok(Some((requirement, units))) => Err(ProveError::NotMet {
            statement,
            requirement: requirement_words(context.model, terms, &requirement),
            shortfall: Shortfall::of(context.model, &prepared.program, terms, &requirement, units),
        }),
        Err(error @ WitnessError::NotEmpty { .. }) => {
            Err(not_counted(context, statement, terms, &opening.lots)
                .unwrap_or(ProveError::Witness { statement, error }))
        }
        Err(error) => Err(ProveError::Witness { statement, error }),
    }
}

/// Which instruments make a book one without a proof: the program only says that there are some.
fn not_counted(context: &Context<'_>, statement: usize, terms: &Terms, lots: &[u64]) -> Option<ProveError> {
    let Context {
        universe,
        snapshot,
        model,
        ..
    } = context;
    // The order first: it is what the trader can leave out.
    if let Some(reasons) = supposed_not_counted(model, universe, snapshot, terms) {
        let supposed = supposed_words(terms);
        return Some(ProveError::SupposedNotCounted {
            statement,
            supposed,
            reasons,
        });
    }
    let after = Zeroizing::new(with_public_amounts(universe, terms, lots).ok()?);
    let counted = match (terms.margin, context.later) {
        (Margin::Variation, Some(later)) => variation(model, universe, [snapshot, later], &after).map(drop),
        _ => evaluate(model, universe, snapshot, &after).map(drop),
    };
    match counted {
        Err(OracleError::NotCounted(held)) => Some(ProveError::NotCounted {
            statement,
            held: Held(held),
        }),
        _ => None,
    }
}

/// Proves on one thread, unless `RAYON_NUM_THREADS` says otherwise.
///
/// On two threads, the library's multi-exponentiations take half as much processor time again, for a quarter less time to
/// wait: cores are better used for one proof each.
fn on_one_thread<T: Send>(prove: impl FnOnce() -> T + Send) -> T {
    if std::env::var_os("RAYON_NUM_THREADS").is_some() {
        return prove();
    }
    match rayon::ThreadPoolBuilder::new().num_threads(1).build() {
        Ok(pool) => pool.install(prove),
        Err(_) => prove(),
    }
}
