//! What is measured: a book on the shipped chain, under a shipped model, from witness to the last byte of the proof.

use std::path::Path;
use std::sync::Arc;

use anyhow::{Context, Result};
use zkmargin_circuits::{Blind, Claim, Opening, Parameters, Point, commit};
use zkmargin_program::{LegId, Program};
use zkmargin_risk::history::History;
use zkmargin_risk::market::Snapshot;
use zkmargin_risk::model::Model;
use zkmargin_risk::terms::{Level, Terms};
use zkmargin_risk::universe::Universe;

/// The shipped universe and snapshot: every option, future and perpetual of one recorded chain at one venue.
#[derive(Debug)]
pub struct Chain {
    /// Universe `single`.
    pub universe: Universe,
    /// The snapshot of 2026-08-06, 12:00 UTC.
    pub snapshot: Snapshot,
    /// The price history up to 2026-08-07.
    pub history: Arc<History>,
}

impl Chain {
    /// Reads the shipped files.
    pub fn shipped() -> Result<Self> {
        let examples = Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples");
        let read = |name: &str| std::fs::read_to_string(examples.join(name)).with_context(|| name.to_owned());
        Ok(Self {
            universe: Universe::from_json(&read("universes/single.json")?)?,
            snapshot: Snapshot::from_json(&read("snapshots/2026-08-06T1200Z.json")?)?,
            history: Arc::new(History::from_json(&read("histories/2026-08-07.json")?)?),
        })
    }

    /// The chain of one underlying: its instruments, and all assets.
    pub fn on(&self, underlying: &str) -> Result<Self> {
        let mut file: serde_json::Value = serde_json::from_str(&self.universe.to_json()?)?;
        let venues = file["venues"].as_array_mut().into_iter().flatten();
        for lines in venues.filter_map(|venue| venue["lines"].as_array_mut()) {
            lines.retain(|line| {
                line.get("instrument")
                    .is_none_or(|listed| listed["underlying"] == underlying)
            });
        }
        Ok(Self {
            universe: Universe::from_json(&file.to_string())?,
            snapshot: self.snapshot.clone(),
            history: self.history.clone(),
        })
    }

    /// Compiles a preset at the initial level.
    pub fn compile(&self, preset: &str) -> Result<Program> {
        let model = Model::preset(preset)?;
        let model = match model.history() {
            Some(_) => model.with_history(self.history.clone())?,
            None => model,
        };
        Ok(model.compile(&self.universe, &self.snapshot, &Terms::at(Level::Initial))?)
    }

    /// A book that holds `held` of the chain's instruments, every other one short, and enough dollars for any model.
    pub fn book(&self, held: usize) -> Vec<u64> {
        let mut lots = vec![0; self.universe.layout().slots()];
        let instruments: Vec<(LegId, LegId)> = self
            .universe
            .instruments()
            .map(|(_, instrument)| (instrument.long, instrument.short))
            .collect();
        let mut put = |leg: LegId, amount: u64| {
            if let Some(slot) = lots.get_mut(leg.index()) {
                *slot = amount;
            }
        };
        for index in 0..held.min(instruments.len()) {
            // Spread over the chain, whatever the number held.
            let (long, short) = instruments[index * instruments.len() / held.min(instruments.len())];
            put(if index % 2 == 0 { long } else { short }, 1 + index as u64 % 7);
        }
        for (_, asset) in self.universe.assets().filter(|(_, asset)| asset.name == "USDC") {
            put(asset.balance, 1 << 44);
        }
        lots
    }
}

/// The shipped case of 100 sensitivities under SIMM.
pub fn sensitivities() -> Result<zkmargin_risk::case::Case> {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/cases/simm-100.json");
    Ok(zkmargin_risk::case::Case::from_json(&std::fs::read_to_string(file)?)?)
}

/// One book, attested and ready to be proven.
#[derive(Debug)]
pub struct Case {
    program: Program,
    points: Vec<Vec<Point>>,
    opening: Opening,
}

impl Case {
    /// Commits to a book as its venue would.
    pub fn new(parameters: &Parameters, program: Program, book: Vec<u64>) -> Result<Self> {
        let rows = program.layout().rows();
        let mut points = Vec::new();
        let mut blinds = Vec::new();
        for column in book.chunks(rows) {
            let blind = Blind::random()?;
            points.push(vec![commit(parameters, column, &blind)?]);
            blinds.push(blind);
        }
        Ok(Self {
            program,
            points,
            opening: Opening::new(book, blinds),
        })
    }

    /// The program that is proven.
    pub fn program(&self) -> &Program {
        &self.program
    }

    /// Proves, without the verification that ends a prover's work; it is measured beside it.
    pub fn prove(&self, parameters: &Parameters) -> Result<Vec<u8>> {
        let openings = std::slice::from_ref(&self.opening);
        Ok(zkmargin_circuits::prove_unchecked(
            parameters,
            &[self.claim()],
            openings,
        )?)
    }

    /// Verifies.
    pub fn verify(&self, parameters: &Parameters, proof: &[u8]) -> Result<()> {
        Ok(zkmargin_circuits::verify(parameters, &[self.claim()], proof)?)
    }

    fn claim(&self) -> Claim<'_> {
        Claim {
            statement: [0; 32],
            program: &self.program,
            attested: &self.points,
            public: &[],
        }
    }
}
