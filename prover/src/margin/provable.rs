//! Whether a margin that is met can be proven: the program rounds against the holder, by no more than a bound that it states.

use num_bigint::BigInt;
use num_rational::BigRational;
use zeroize::Zeroizing;
use zkmargin_program::WitnessError;
use zkmargin_risk::market::Snapshot;
use zkmargin_risk::model::{CompileError, Model};
use zkmargin_risk::report::Report;
use zkmargin_risk::terms::{Level, Terms};
use zkmargin_risk::universe::Universe;

use super::LEVELS;
use crate::prove::lowest_denominator;

/// What the programs of a report's book say. As secret as the report.
#[derive(Clone)]
pub struct Provable {
    /// Per level, initial first: an excess `V - R` of this and more can be proven.
    pub levels: [BigRational; 2],
    /// The same of the statement's `V - ρ R - e`.
    pub statement: BigRational,
    /// Whether the statement has a proof: below the bound it may have one. The error is that of a book of which the program cannot speak.
    pub has_proof: Result<bool, WitnessError>,
}

impl std::fmt::Debug for Provable {
    /// Shows nothing: a bound tells how many lots are held.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Provable").finish_non_exhaustive()
    }
}

impl Provable {
    /// Whether a variation has a proof.
    ///
    /// # Errors
    /// [`CompileError`]: there is no program, and so no proof.
    pub fn of_variation(
        model: &Model,
        universe: &Universe,
        snapshots: [&Snapshot; 2],
        terms: &Terms,
        legs: &[u64],
    ) -> Result<bool, CompileError> {
        let program = model.compile_on(universe, &snapshots, terms)?;
        let gross = gross(universe, terms, legs)?;
        Ok(matches!(program.shortfall(&gross), Ok(None)))
    }

    /// Compiles the program of each level and of the statement, for a book as in [`Report::new`].
    ///
    /// # Errors
    /// [`CompileError`]: there is no program, and so no proof.
    pub fn new(
        model: &Model,
        universe: &Universe,
        snapshot: &Snapshot,
        terms: &Terms,
        legs: &[u64],
    ) -> Result<Provable, CompileError> {
        let gross = gross(universe, terms, legs)?;
        let of = |terms: &Terms| {
            let program = model.compile(universe, snapshot, terms)?;
            // The program's requirement is `D` times the excess, with `ρ = N/D`, and so is its bound.
            let unit = BigInt::from(10).pow(program.header().unit_exponent.unsigned_abs());
            let denominator = unit * lowest_denominator(terms.ratio.twentieths());
            let bound = BigRational::new(program.rounding_bound(&gross).into(), denominator);
            let has_proof = program.shortfall(&gross).map(|missed| missed.is_none());
            Ok::<_, CompileError>((bound, has_proof))
        };
        let [initial, maintenance] = LEVELS.map(|level: Level| {
            let terms = Terms {
                order: terms.order.clone(),
                deposit: terms.deposit.clone(),
                ..Terms::at(level)
            };
            of(&terms).map(|(bound, _)| bound)
        });
        let (statement, has_proof) = of(terms)?;
        Ok(Provable {
            levels: [initial?, maintenance?],
            statement,
            has_proof,
        })
    }

    /// Whether `zkmargin prove` will make a proof of the statement.
    pub fn is_provable(&self) -> bool {
        self.has_proof == Ok(true)
    }

    /// The verdict on the statement of a report; the bound as `shown`.
    pub(super) fn verdict(&self, report: &Report, shown: &str) -> String {
        match &self.has_proof {
            _ if !report.is_met() => "NOT met".to_owned(),
            Ok(true) => "met".to_owned(),
            Ok(false) => format!("met, but not provable: within the rounding bound {shown}"),
            Err(error) => format!("met, but not provable: {error}"),
        }
    }
}

/// The book with public amounts, gross, as the argument sees it: pairs are netted inside the program.
fn gross(universe: &Universe, terms: &Terms, legs: &[u64]) -> Result<Zeroizing<Vec<u64>>, CompileError> {
    let mut gross = Zeroizing::new(legs.to_vec());
    for (leg, more) in terms.public_amounts(universe)? {
        if let Some(slot) = gross.get_mut(leg.index()) {
            *slot = slot.saturating_add(more);
        }
    }
    Ok(gross)
}
