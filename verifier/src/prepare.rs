//! Statements with what follows from them and the verifier's facts: programs and digests.

use std::sync::{Arc, Mutex, PoisonError};

use zkmargin_circuits::{Claim, Placement, Point};
use zkmargin_program::{LegId, Program};
use zkmargin_risk::canonical::Digest;
use zkmargin_risk::market::Snapshot;
use zkmargin_risk::terms::Terms;
use zkmargin_risk::universe::Universe;

use crate::acceptance::Presented;
use crate::statement::{PublicFacts, Statement};
use crate::verify::{Context, VerifyError};

/// Programs that are kept. An order or a deposit makes terms that nobody else has.
const KEPT: usize = 16;

/// What one context was compiled to, by the terms of statements: with its shape's digest, the one that was used last first.
#[derive(Debug, Default)]
pub(crate) struct Programs(Mutex<Vec<(Terms, Arc<Program>, Digest)>>);

impl Programs {
    /// The program of these terms: statements of the same terms have the same one, and one compilation serves them all.
    fn of(
        &self,
        terms: &Terms,
        compile: impl FnOnce() -> Result<(Arc<Program>, Digest), VerifyError>,
    ) -> Result<(Arc<Program>, Digest), VerifyError> {
        // Every entry is whole at any time, whatever a thread that held the lock came to.
        let lock = || self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut kept = lock();
        if let Some(place) = kept.iter().position(|(other, ..)| other == terms) {
            let found = kept.remove(place);
            let answer = (found.1.clone(), found.2);
            kept.insert(0, found);
            return Ok(answer);
        }
        drop(kept);
        let (program, shape) = compile()?;
        let mut kept = lock();
        kept.insert(0, (terms.clone(), program.clone(), shape));
        kept.truncate(KEPT);
        Ok((program, shape))
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
        self.prepare_with(&Programs::default(), statements)
    }

    /// [`Context::prepare`] with the programs that this context was compiled to before.
    pub(crate) fn prepare_with(
        &self,
        programs: &Programs,
        statements: &[&Statement],
    ) -> Result<Vec<Prepared>, VerifyError> {
        let (universe, model) = (self.universe.digest(), self.model.digest());
        let digests = [Some(self.snapshot), self.later].map(|snapshot| snapshot.map(Snapshot::digest));
        let digest_of = |snapshot: &Snapshot| {
            let first = std::ptr::eq(snapshot, self.snapshot);
            let [own, later] = digests;
            (if first { own } else { later }).unwrap_or_else(|| snapshot.digest())
        };
        let mut prepared = Vec::with_capacity(statements.len());
        for (index, statement) in statements.iter().enumerate() {
            let terms = &statement.terms;
            let (program, shape) = programs.of(terms, || self.compile(index, terms))?;
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

    fn compile(&self, statement: usize, terms: &Terms) -> Result<(Arc<Program>, Digest), VerifyError> {
        let program = self.model.compile_on(self.universe, &self.snapshots(terms), terms);
        let program = program.map_err(|error| VerifyError::Compile { statement, error })?;
        let placement = Placement::new(&program).map_err(|error| VerifyError::Shape { statement, error })?;
        Ok((Arc::new(program), Digest(placement.shape().digest())))
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

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
    use super::*;
    use crate::fixture::{snapshot, universe};
    use zkmargin_risk::model::Model;
    use zkmargin_risk::terms::{Level, Ratio20};

    /// Terms that differ in a ratio.
    fn terms(twentieths: usize) -> Terms {
        let ratio = format!("{}.{:02}", 1 + twentieths / 20, twentieths % 20 * 5);
        Terms {
            ratio: ratio.parse::<Ratio20>().unwrap(),
            ..Terms::at(Level::Initial)
        }
    }

    #[test]
    fn terms_have_their_own_program_whatever_was_asked_for_between() {
        let program = Model::preset("paradex-pm")
            .unwrap()
            .compile(&universe(), &snapshot(), &terms(0));
        let program = Arc::new(program.unwrap());
        let (programs, mut compiled) = (Programs::default(), Vec::new());
        let mut ask = |of: usize| {
            let (_, shape) = programs
                .of(&terms(of), || {
                    compiled.push(of);
                    Ok((program.clone(), Digest([of as u8; 32])))
                })
                .unwrap();
            assert_eq!(shape, Digest([of as u8; 32]), "{of}");
        };
        (0..KEPT).for_each(&mut ask);
        // All of them are there, in whatever order they are asked for.
        (0..KEPT).rev().for_each(&mut ask);
        (0..KEPT).for_each(&mut ask);
        // One more takes the place of the one that was not asked for longest.
        ask(KEPT);
        ask(1);
        ask(0);
        assert_eq!(compiled, (0..=KEPT).chain([0]).collect::<Vec<_>>());
    }
}
