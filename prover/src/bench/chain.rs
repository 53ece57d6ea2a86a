//! The shipped chain: books on a recorded market, under the shipped models.

use std::sync::Arc;

use zkmargin_program::{LegId, Program, WitnessError};
use zkmargin_risk::history::History;
use zkmargin_risk::market::Snapshot;
use zkmargin_risk::model::Model;
use zkmargin_risk::terms::{Level, Terms};
use zkmargin_risk::universe::Universe;

use super::BenchError;

const UNIVERSE: &str = include_str!("../../../examples/universes/single.json");
const SNAPSHOT: &str = include_str!("../../../examples/snapshots/2026-08-06T1200Z.json");
const HISTORY: &str = include_str!("../../../examples/histories/2026-08-07.json");

/// Instruments in the book that is proven.
const HELD: usize = 120;

pub(super) fn shipped(error: impl std::fmt::Display) -> BenchError {
    BenchError::Chain(error.to_string())
}

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
    /// Reads the shipped files, which are part of the build.
    ///
    /// # Errors
    /// [`BenchError`], if this build is not whole.
    pub fn shipped() -> Result<Self, BenchError> {
        Ok(Self {
            universe: Universe::from_json(UNIVERSE).map_err(shipped)?,
            snapshot: Snapshot::from_json(SNAPSHOT).map_err(shipped)?,
            history: Arc::new(History::from_json(HISTORY).map_err(shipped)?),
        })
    }

    /// A preset, with the price history if it looks back.
    ///
    /// # Errors
    /// [`BenchError`]: there is no such preset.
    pub fn model(&self, preset: &str) -> Result<Model, BenchError> {
        let model = Model::preset(preset).map_err(|error| BenchError::Preset(error.to_string()))?;
        match model.history() {
            Some(_) => model.with_history(self.history.clone()).map_err(shipped),
            None => Ok(model),
        }
    }

    /// Compiles a preset at the initial level.
    ///
    /// # Errors
    /// [`BenchError`]: there is no such preset.
    pub fn compile(&self, preset: &str) -> Result<Program, BenchError> {
        let terms = Terms::at(Level::Initial);
        let model = self.model(preset)?;
        model.compile(&self.universe, &self.snapshot, &terms).map_err(shipped)
    }

    /// The book that is proven under a program: one of many instruments, or of cash alone where the model margins no options.
    pub fn book_for(&self, program: &Program) -> Vec<u64> {
        let book = self.book(HELD);
        match program.witness(&book) {
            Err(WitnessError::NotEmpty { .. }) => self.book(0),
            _ => book,
        }
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
