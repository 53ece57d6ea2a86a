//! The trader's part: from attested accounts to a bundle that the verifier has accepted.
//!
//! Nothing leaves [`prove`] before [`check_bundle`], the partner's own code, has taken it in: a bundle that would be refused for what
//! it is, whatever the policy, is never handed out. Which accounts count, and how much they miss when they do, is said to the
//! trader alone.

use std::fmt;
use std::time::{Duration, Instant as Clock};

use rust_decimal::Decimal;
use thiserror::Error;
use zeroize::Zeroizing;
use zkmargin_circuits::{Blind, Claim, Opening as SummedOpening, ProveError as ArgumentError, prove_unchecked};
use zkmargin_program::{Program, WitnessError};
use zkmargin_risk::canonical::Digest;
use zkmargin_risk::instant::Instant;
use zkmargin_risk::terms::Terms;
use zkmargin_risk::universe::Universe;
use zkmargin_verifier::book::Book;
use zkmargin_verifier::facts::check_facts;
use zkmargin_verifier::verify::Prepared;
use zkmargin_verifier::{
    Bundle, Context, Opening, OpeningError, ProofHash, PublicKey, SignatureError, SignedAttestation, SignedStatement,
    SigningKey, Statement, SubjectSignature, Verdict, VerifyError, Window, check_bundle,
};

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

/// What is to be proven, by one proof.
#[derive(Debug)]
pub struct Request<'a> {
    /// Universe, snapshot, model and parameters.
    pub context: Context<'a>,
    /// The statements, in circuit order.
    pub drafts: Vec<Draft>,
    /// Keys of all subjects.
    pub subjects: &'a [SigningKey],
    /// The instant at which the bundle is verified before it leaves.
    pub at: Instant,
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

/// A bundle that the verifier has accepted, for want of a policy, as true.
#[derive(Clone, Debug)]
pub struct Proven {
    /// The bundle.
    pub bundle: Bundle,
    /// The bytes of its file.
    pub bytes: Vec<u8>,
    /// What the verifier says of it.
    pub verdict: Verdict,
    /// Wall-clock time from the witness to the last byte of the proof.
    pub proving: Duration,
    /// Wall-clock time of the verification before it left.
    pub verifying: Duration,
}

/// By how much a requirement is missed: for the trader alone, so neither `Debug` nor any error shows it.
#[derive(Clone, PartialEq, Eq)]
pub struct Shortfall {
    units: i128,
    unit_exponent: i32,
    numeraire: String,
}

impl Shortfall {
    /// The requirement of a program is in lowest terms `D V - N R - D e` with `ρ = N/D`: what is missing of it is `D` times what is
    /// missing of `V`.
    fn of(program: &Program, terms: &Terms, units: i128) -> Shortfall {
        let denominator = i128::from(lowest_denominator(terms.ratio.twentieths()));
        let header = program.header();
        Shortfall {
            units: units / denominator + i128::from(units % denominator > 0),
            unit_exponent: header.unit_exponent,
            numeraire: header.numeraire.clone(),
        }
    }

    /// The missing amount, in text: what must be added to the value for the requirement to be met, rounded up to a hundredth of a
    /// USD or a millionth of a coin, and what it is counted in.
    pub fn reveal(&self) -> String {
        let decimals = if self.numeraire == "USD" { 2 } else { 6 };
        let scale = u32::try_from(-self.unit_exponent).ok();
        let exact = scale.and_then(|scale| Decimal::try_from_i128_with_scale(self.units, scale).ok());
        match exact {
            Some(amount) => {
                let up = rust_decimal::RoundingStrategy::AwayFromZero;
                format!("{} {}", amount.round_dp_with_strategy(decimals, up), self.numeraire)
            }
            None => format!("{} x 1e{} {}", self.units, self.unit_exponent, self.numeraire),
        }
    }
}

/// `D` of `twentieths / 20 = N / D` in lowest terms.
fn lowest_denominator(twentieths: u32) -> u32 {
    let divides = |divisor: &u32| 20 % divisor == 0 && twentieths.is_multiple_of(*divisor);
    20 / [20, 10, 5, 4, 2].into_iter().find(divides).unwrap_or(1)
}

impl fmt::Debug for Shortfall {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Shortfall(..)")
    }
}

/// Why there is no bundle. No variant shows an amount of the accounts. `statement` counts from 0.
#[derive(Debug, Error)]
pub enum ProveError {
    /// The opening is not that of the attestation.
    #[error("statement {statement}: {error}")]
    Opening {
        /// The statement.
        statement: usize,
        /// What is wrong.
        error: OpeningError,
    },
    /// The venue did not sign the attestation.
    #[error("statement {statement}: attestation of venue {venue:?}: {error}")]
    AttestationSignature {
        /// The statement.
        statement: usize,
        /// The venue.
        venue: String,
        /// What is wrong.
        error: SignatureError,
    },
    /// A subject whose key is not there.
    #[error("statement {statement}: the key of subject {subject} is needed to sign it")]
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
    #[error("statement {statement}: the requirement {requirement:?} is not met; nothing was proven")]
    NotMet {
        /// The statement.
        statement: usize,
        /// The requirement that is missed most.
        requirement: String,
        /// By how much.
        shortfall: Shortfall,
    },
    /// The accounts are outside what the program can speak of.
    #[error("statement {statement}: {error}")]
    Witness {
        /// The statement.
        statement: usize,
        /// What the program says.
        error: WitnessError,
    },
    /// The argument failed.
    #[error(transparent)]
    Argument(ArgumentError),
    /// The finished bundle is refused by the verifier, and was thrown away.
    #[error("the finished bundle is refused by the verifier and was thrown away: {0}")]
    SelfCheck(VerifyError),
}

/// Proves all drafts in one proof, signs them, and has the verifier check the bundle before it is returned.
///
/// # Errors
/// [`ProveError`].
pub fn prove(request: &Request<'_>, mut on_stage: impl FnMut(Stage)) -> Result<Proven, ProveError> {
    let Request {
        context,
        drafts,
        subjects,
        at,
    } = request;
    on_stage(Stage::Checking);
    for (index, draft) in drafts.iter().enumerate() {
        check_accounts(context, index, draft)?;
    }
    let statements: Vec<Statement> = drafts.iter().map(|draft| statement(context.universe, draft)).collect();
    let all: Vec<&Statement> = statements.iter().collect();
    check_facts(context.universe, context.snapshot.instant, &all, *at)
        .map_err(|error| ProveError::Statement(error.into()))?;
    let signers = all
        .iter()
        .enumerate()
        .map(|(index, statement)| signers_of(index, statement, subjects))
        .collect::<Result<Vec<_>, _>>()?;

    on_stage(Stage::Compiling);
    let prepared = context.prepare(&all).map_err(ProveError::Statement)?;

    on_stage(Stage::Proving);
    let started = Clock::now();
    let openings = drafts
        .iter()
        .map(|draft| summed(context.universe, draft))
        .collect::<Vec<_>>();
    for (index, ((draft, prepared), opening)) in drafts.iter().zip(&prepared).zip(&openings).enumerate() {
        check_met(index, &draft.terms, prepared, opening)?;
    }
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
    let verdict = check_bundle(context, &bytes, *at).map_err(ProveError::SelfCheck)?;
    Ok(Proven {
        bundle,
        bytes,
        verdict,
        proving,
        verifying: started.elapsed(),
    })
}

/// Recomputes every `C_c` and checks the venues' signatures.
fn check_accounts(context: &Context<'_>, statement: usize, draft: &Draft) -> Result<(), ProveError> {
    for Account { attestation, opening } in &draft.accounts {
        attestation.verify().map_err(|error| {
            let venue = attestation.content().venue.clone();
            ProveError::AttestationSignature {
                statement,
                venue,
                error,
            }
        })?;
        opening
            .check(context.parameters, attestation.content())
            .map_err(|error| ProveError::Opening { statement, error })?;
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
fn check_met(statement: usize, terms: &Terms, prepared: &Prepared, opening: &Summed) -> Result<(), ProveError> {
    let mut lots = opening.lots.clone();
    for (leg, more) in &prepared.public {
        if let Some(slot) = lots.get_mut(leg.index()) {
            *slot = slot.saturating_add(*more);
        }
    }
    match prepared.program.shortfall(&lots) {
        Ok(None) => Ok(()),
        Ok(Some((requirement, units))) => {
            let shortfall = Shortfall::of(&prepared.program, terms, units);
            Err(ProveError::NotMet {
                statement,
                requirement,
                shortfall,
            })
        }
        Err(error) => Err(ProveError::Witness { statement, error }),
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shortfall_is_rounded_up_and_shown_only_on_request() {
        let of = |units, unit_exponent, numeraire: &str| Shortfall {
            units,
            unit_exponent,
            numeraire: numeraire.to_owned(),
        };
        assert_eq!(of(12_345_000_000_001, -10, "USD").reveal(), "1234.51 USD");
        assert_eq!(of(1, -10, "USD").reveal(), "0.01 USD");
        assert_eq!(of(1, -14, "BTC").reveal(), "0.000001 BTC");
        assert_eq!(of(i128::MAX, -10, "USD").reveal(), format!("{} x 1e-10 USD", i128::MAX));
        assert_eq!(format!("{:?}", of(7, -10, "USD")), "Shortfall(..)");
    }
    #[test]
    fn ratios_are_taken_in_lowest_terms() {
        for (twentieths, denominator) in [
            (20, 1),
            (21, 20),
            (22, 10),
            (24, 5),
            (25, 4),
            (30, 2),
            (40, 1),
            (2000, 1),
        ] {
            assert_eq!(lowest_denominator(twentieths), denominator, "{twentieths}/20");
        }
    }
}
