//! A case: market, portfolio and parameters in one file, and what a model makes of them, for anyone's own figures.
//!
//! A case is worked out twice: exactly, by the [oracle], and by the compiled program, whose witness
//! generator gives the least requirement that a prover can show. The second is at most as good for the holder as the first,
//! and worse by no more than the stated [rounding bound](zkmargin_program::Program::rounding_bound).
//!
//! A case is for trying a rule, and nobody extends credit on it. So its market may have what no market has (volatilities up to 1,000,000 and of 0,
//! rates and funding up to 100 either way), and a `derive-pm2` model in it haircuts above 1 and a maintenance factor above the initial one:
//! where a snapshot, or a model of a statement, is refused.

use num_bigint::BigInt;
use num_rational::BigRational;
use num_traits::Signed;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;
use zkmargin_program::{Program, WitnessError};

use crate::account::{AccountError, AccountFile, AccountVector};
use crate::history::{History, HistoryError, HistoryFile};
use crate::json;
use crate::listing::{LineFile, UniverseFile, VenueKey, VenueLines};
use crate::market::{Snapshot, SnapshotError};
use crate::model::about::{is_isolated, is_margin, is_without_balances};
use crate::model::{CompileError, Model, ModelError};
use crate::oracle::{self, Check, Component, Evaluation, OracleError};
use crate::report::{Rounding, decimal};
use crate::terms::{Level, Ratio20, Terms};
use crate::universe::{Network, Universe, UniverseError};

/// Decimals of amounts in an outcome.
const PLACES: u32 = 12;
const LEVELS: [Level; 2] = [Level::Initial, Level::Maintenance];

/// A case's JSON file.
#[derive(Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CaseFile {
    /// The name of a preset, or a whole model.
    pub model: serde_json::Value,
    /// The price history, for a model that needs one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub history: Option<HistoryFile>,
    /// The market.
    pub snapshot: Snapshot,
    /// What is listed where, as in a universe's file, without keys.
    pub venues: Vec<CaseVenue>,
    /// What is held.
    pub accounts: Vec<AccountFile>,
}

/// A venue of a case.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CaseVenue {
    /// Its name.
    pub name: String,
    /// What it lists.
    pub lines: Vec<LineFile>,
}

/// Why a text is no case, or a case has no outcome.
#[derive(Debug, thiserror::Error)]
pub enum CaseError {
    /// Not JSON of the format; the message has line and column.
    #[error("case: {0}")]
    Json(#[from] serde_json::Error),
    /// A file larger than is read.
    #[error("case: {bytes} bytes, at most {} are read", json::MAX_BYTES)]
    Size {
        /// Its size.
        bytes: usize,
    },
    /// The model.
    #[error(transparent)]
    Model(#[from] ModelError),
    /// The price history.
    #[error(transparent)]
    History(#[from] HistoryError),
    /// The market.
    #[error(transparent)]
    Snapshot(#[from] SnapshotError),
    /// What is listed.
    #[error(transparent)]
    Universe(#[from] UniverseError),
    /// An account.
    #[error(transparent)]
    Account(#[from] AccountError),
    /// The exact rule.
    #[error(transparent)]
    Oracle(#[from] OracleError),
    /// The program.
    #[error(transparent)]
    Compile(#[from] CompileError),
    /// The program's witness.
    #[error(transparent)]
    Witness(#[from] WitnessError),
}

/// A case, checked.
pub struct Case {
    /// The model.
    pub model: Model,
    /// The market.
    pub snapshot: Snapshot,
    /// What is listed.
    pub universe: Universe,
    /// What is held, all accounts together.
    legs: Zeroizing<Vec<u64>>,
}

/// What a model makes of a case. Amounts are decimals in the numéraire: values and excesses rounded down, requirements up.
#[derive(Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Outcome {
    /// The model's name.
    pub model: String,
    /// What amounts are counted in.
    pub numeraire: String,
    /// `V`, exactly.
    pub value: String,
    /// At the initial level.
    pub initial: LevelOutcome,
    /// At the maintenance level.
    pub maintenance: LevelOutcome,
    /// What the requirement is made of.
    pub components: Vec<ComponentOutcome>,
    /// Of a demand: what each of its models makes of the case. What stands above is of the one with the least excess.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub models: Vec<ModelOutcome>,
    /// Of a demand: what else must hold.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub checks: Vec<CheckOutcome>,
}

/// What one model of a demand makes of a case.
#[derive(Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct ModelOutcome {
    /// The model's name.
    pub model: String,
    /// `V*`.
    pub value: String,
    /// `R*` at the initial level.
    pub initial: String,
    /// `R*` at the maintenance level.
    pub maintenance: String,
    /// What the requirement is made of.
    pub components: Vec<ComponentOutcome>,
}

/// What must hold beside margin.
#[derive(Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct CheckOutcome {
    /// What.
    pub name: String,
    /// What is left of it at the initial level, negative where it is broken: the numéraire; of a limit coins or USD.
    pub initial: String,
    /// The same at the maintenance level.
    pub maintenance: String,
}

/// What a prover can show of one requirement of the program.
#[derive(Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct RequirementOutcome {
    /// What a refusal names.
    pub name: String,
    /// Whether it is met.
    pub met: bool,
    /// By how much at most, in the numéraire; not of a limit, which counts in units of its own.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub excess: Option<String>,
}

/// What a model makes of a case at one level.
#[derive(Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct LevelOutcome {
    /// `R`, exactly.
    pub requirement: String,
    /// `V - R`, exactly.
    pub excess: String,
    /// The least requirement that the program admits: `V` less the largest excess that a prover can show.
    pub program_requirement: Option<String>,
    /// The largest excess that a prover can show.
    pub program_excess: Option<String>,
    /// Why the two above are not there: no proof can be made, whatever the excess. A limit is missed, or the book is too large.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub no_proof: Option<String>,
    /// The program's stated bound on what it rounds away.
    pub rounding_bound: String,
    /// Equations of the program.
    pub equations: usize,
    /// Variables of the program.
    pub variables: usize,
    /// Every requirement of the program, where there are several.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub requirements: Vec<RequirementOutcome>,
}

/// A component of a requirement, by the venue's own term.
#[derive(Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct ComponentOutcome {
    /// The term.
    pub term: String,
    /// What it is of, or what decides it.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub note: String,
    /// At the initial level.
    pub initial: String,
    /// At the maintenance level.
    pub maintenance: String,
    /// What it is made of.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub parts: Vec<ComponentOutcome>,
}

impl Case {
    /// Reads and checks a case's JSON file.
    ///
    /// # Errors
    /// [`CaseError`].
    pub fn from_json(text: &str) -> Result<Case, CaseError> {
        if text.len() > json::MAX_BYTES {
            return Err(CaseError::Size { bytes: text.len() });
        }
        Case::new(json::from_str(text)?)
    }

    /// Checks a case.
    ///
    /// # Errors
    /// [`CaseError`].
    pub fn new(file: CaseFile) -> Result<Case, CaseError> {
        let model = match &file.model {
            serde_json::Value::String(preset) => Model::preset(preset)?,
            whole => Model::of_case(&serde_json::to_string(whole)?)?,
        };
        let model = match &file.history {
            Some(history) => model.with_history(History::from_file(history)?)?,
            None => model,
        };
        file.snapshot.check_made_up()?;
        // Any keys, as long as they differ.
        let key = |index: u64| {
            let mut key = [0; 32];
            key[..8].copy_from_slice(&index.to_le_bytes());
            VenueKey(key)
        };
        let venues = file.venues.into_iter().zip(1..).map(|(venue, index)| VenueLines {
            name: venue.name,
            keys: vec![key(index)],
            lines: venue.lines,
        });
        let universe = Universe::at_suitable_k(UniverseFile {
            network: Network::Test,
            k: 0,
            venues: venues.collect(),
        })?;
        let mut legs = Zeroizing::new(vec![0_u64; universe.layout().slots()]);
        for account in &file.accounts {
            let vector = AccountVector::from_file(account, &universe)?;
            for (sum, lots) in legs.iter_mut().zip(vector.lots()) {
                *sum = sum.saturating_add(*lots);
            }
        }
        Ok(Case {
            model,
            snapshot: file.snapshot,
            universe,
            legs,
        })
    }

    /// What is held, one number of lots per slot of the universe.
    pub fn legs(&self) -> &[u64] {
        &self.legs
    }

    /// What the exact rule makes of it.
    ///
    /// # Errors
    /// [`OracleError`].
    pub fn evaluate(&self) -> Result<Evaluation, OracleError> {
        oracle::evaluate(&self.model, &self.universe, &self.snapshot, &self.legs)
    }

    /// The program at a level.
    ///
    /// # Errors
    /// [`CompileError`].
    pub fn compile(&self, level: Level) -> Result<Program, CompileError> {
        self.model
            .compile_level(&self.universe, &self.snapshot, level, &Terms::at(level))
    }

    /// The largest excess that the program admits at a level, and its stated rounding bound, both in the numéraire.
    ///
    /// Of a demand, the least of its models; what else it requires is not in it, nor are isolated positions.
    ///
    /// # Errors
    /// [`CaseError`].
    pub fn program_excess(&self, level: Level) -> Result<(BigRational, BigRational, Program), CaseError> {
        let program = self.compile(level)?;
        let (excess, _) = self.shown(&program)?;
        Ok((excess, self.bound(&program), program))
    }

    /// The rounding bound.
    fn bound(&self, program: &Program) -> BigRational {
        BigRational::from_integer(program.rounding_bound(&self.legs).into()) * unit(program)
    }

    /// The least excess of the models, and every requirement.
    fn shown(&self, program: &Program) -> Result<(BigRational, Vec<RequirementOutcome>), WitnessError> {
        // `V - R` times the denominator of the ratio, which is 1.
        let surplus = program.surplus(&self.legs)?;
        let of_models = surplus.iter().filter(|(name, _)| is_of_model(name));
        let least = of_models.map(|(_, units)| *units).min().unwrap_or(0);
        let in_numeraire = |units: i128| BigRational::from_integer(units.into()) * unit(program);
        let requirements = surplus.iter().map(|(name, units)| RequirementOutcome {
            name: name.clone(),
            met: *units >= 0,
            excess: is_margin(name).then(|| decimal(&in_numeraire(*units), PLACES, Rounding::Down)),
        });
        Ok((in_numeraire(least), requirements.collect()))
    }

    /// Works the case out, both ways.
    ///
    /// # Errors
    /// [`CaseError`].
    pub fn run(&self) -> Result<Outcome, CaseError> {
        let evaluation = self.evaluate()?;
        let [initial, maintenance] = LEVELS.map(|level| self.level(level, &evaluation));
        let models = match &self.model {
            Model::Demand(_) => oracle::evaluate_each(&self.model, &self.universe, &self.snapshot, &self.legs)?,
            _ => Vec::new(),
        };
        let slack = |check: &Check, level| decimal(&check.slack(level, Ratio20::ONE, 0), PLACES, Rounding::Down);
        Ok(Outcome {
            model: self.model.name().to_owned(),
            numeraire: evaluation.numeraire.clone(),
            value: decimal(&evaluation.value, PLACES, Rounding::Down),
            initial: initial?,
            maintenance: maintenance?,
            components: evaluation.components.iter().map(component).collect(),
            models: models.into_iter().map(model_outcome).collect(),
            checks: evaluation
                .checks
                .iter()
                .map(|check| CheckOutcome {
                    name: check.name(),
                    initial: slack(check, Level::Initial),
                    maintenance: slack(check, Level::Maintenance),
                })
                .collect(),
        })
    }

    fn level(&self, level: Level, evaluation: &Evaluation) -> Result<LevelOutcome, CaseError> {
        let program = self.compile(level)?;
        let (shown, requirements, no_proof) = match self.shown(&program) {
            Ok((_, requirements)) if requirements.iter().any(|one| !one.met && !is_margin(&one.name)) => {
                let missed = requirements.iter().filter(|one| !one.met && !is_margin(&one.name));
                let names: Vec<&str> = missed.map(|one| one.name.as_str()).collect();
                let why = format!("not met: {}", names.join(", "));
                (None, requirements, Some(why))
            }
            Ok((excess, requirements)) => (Some(excess), requirements, None),
            Err(error @ WitnessError::TooLarge { .. }) => (None, Vec::new(), Some(error.to_string())),
            Err(error) => return Err(error.into()),
        };
        let least = shown.as_ref().map(|excess| &evaluation.value - excess);
        Ok(LevelOutcome {
            requirement: decimal(evaluation.requirement(level), PLACES, Rounding::Up),
            excess: decimal(&evaluation.excess(level, Ratio20::ONE, 0), PLACES, Rounding::Down),
            program_requirement: least.map(|least| decimal(&least, PLACES, Rounding::Up)),
            program_excess: shown.map(|excess| decimal(&excess, PLACES, Rounding::Down)),
            no_proof,
            rounding_bound: decimal(&self.bound(&program).abs(), PLACES, Rounding::Up),
            equations: program.equations().len(),
            variables: program.variables().len(),
            requirements: if requirements.len() > 1 {
                requirements
            } else {
                Vec::new()
            },
        })
    }
}

/// A unit of a program in the numéraire.
fn unit(program: &Program) -> BigRational {
    let exponent = program.header().unit_exponent.unsigned_abs();
    BigRational::new(1.into(), BigInt::from(10).pow(exponent))
}

/// Whether it is `V - ρ R - e >= 0` of a model, everything that counts being there.
fn is_of_model(requirement: &str) -> bool {
    is_margin(requirement) && !is_isolated(requirement) && !is_without_balances(requirement)
}

fn model_outcome((model, evaluation): (String, Evaluation)) -> ModelOutcome {
    ModelOutcome {
        model,
        value: decimal(&evaluation.value, PLACES, Rounding::Down),
        initial: decimal(&evaluation.initial, PLACES, Rounding::Up),
        maintenance: decimal(&evaluation.maintenance, PLACES, Rounding::Up),
        components: evaluation.components.iter().map(component).collect(),
    }
}

fn component(component: &Component) -> ComponentOutcome {
    ComponentOutcome {
        term: component.term.clone(),
        note: component.note.clone(),
        initial: decimal(&component.initial, PLACES, Rounding::Up),
        maintenance: decimal(&component.maintenance, PLACES, Rounding::Up),
        parts: component.parts.iter().map(self::component).collect(),
    }
}

opaque_debug!(CaseFile Case Outcome ModelOutcome CheckOutcome RequirementOutcome LevelOutcome ComponentOutcome);
