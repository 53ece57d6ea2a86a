//! Results in a file that a kill does not hurt: after each point the whole file is replaced, as JSON and, beside it, as CSV.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use serde_json::Value;
use zkmargin_verifier::file::{FileError, read_file};
use zkmargin_verifier::output::{Outputs, Secrecy, WriteError};

use super::grid::{Point, Subject};
use super::machine::{Build, Machine};
use super::measure::{BatchCost, Cold, Cost, Warm};
use crate::cost::{CostModel, FitError, Measured};

/// What a file of results says that it is.
const KIND: &str = "bench";
/// More bytes than this are not read.
const MAX_BYTES: usize = 1 << 26;
/// No time in milliseconds, and no count, is above it; products of two can still be drawn.
const MAX_FIGURE: f64 = 1e15;

/// What was measured on one machine with one build.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Results {
    kind: String,
    /// The machine.
    pub machine: Machine,
    /// The build.
    pub build: Build,
    /// Points, in the order in which they were measured.
    pub points: Vec<Outcome>,
}

/// One point and what was measured of it.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Outcome {
    /// The point.
    pub point: Point,
    /// A process that finds the parameters in its cache.
    pub cold: Start,
    /// A process that has to derive them.
    pub cold_without_cache: Start,
    /// What runs again and again.
    pub warm: Warm,
}

/// A process from its start to its end.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Start {
    /// All of it, the program's compilation included: wall milliseconds.
    pub process_ms: f64,
    /// What it found.
    pub found: Cold,
}

/// Why a file of results is not taken.
#[derive(Debug, thiserror::Error)]
pub enum ResultsError {
    /// It cannot be read.
    #[error(transparent)]
    Read(#[from] FileError),
    /// It is no file of results.
    #[error("{}: not results of `zkmargin bench`: {reason}", path.display())]
    Format {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// The same program on as many threads, otherwise: both would stand in one series.
    #[error("{}: {subject} on {threads} thread(s) was measured with {found}, asked for are {asked}. Give another --out", path.display())]
    Otherwise {
        /// The file.
        path: PathBuf,
        /// The program.
        subject: Subject,
        /// The threads.
        threads: usize,
        /// Runs and batches of the file.
        found: String,
        /// Those that are asked for.
        asked: String,
    },
    /// It is of another machine or build: figures of two are not put into one file.
    #[error("{}: measured on another {what}: {found}; here it is {here}. Give another --out", path.display())]
    Elsewhere {
        /// The file.
        path: PathBuf,
        /// Machine or build.
        what: &'static str,
        /// The file's.
        found: String,
        /// This one.
        here: String,
    },
}

impl Results {
    /// No results yet, of this machine and this build.
    pub fn here() -> Results {
        Results {
            kind: KIND.to_owned(),
            machine: Machine::here(),
            build: Build::this(),
            points: Vec::new(),
        }
    }

    /// Reads a file of results, of any machine and build.
    ///
    /// # Errors
    /// [`ResultsError::Read`], [`ResultsError::Format`].
    pub fn read(path: &Path) -> Result<Results, ResultsError> {
        let format = |reason: String| ResultsError::Format {
            path: path.to_owned(),
            reason,
        };
        let bytes = read_file(path, MAX_BYTES)?;
        let value: Value = serde_json::from_slice(&bytes).map_err(|error| format(error.to_string()))?;
        if let Some(figure) = out_of_range(&value) {
            return Err(format(format!("{figure}, expected figures from 0 to {MAX_FIGURE:e}")));
        }
        let results: Results = serde_json::from_value(value).map_err(|error| format(error.to_string()))?;
        if results.kind != KIND {
            return Err(format(format!("the kind is `{}`, expected `{KIND}`", results.kind)));
        }
        Ok(results)
    }

    /// The results in a file, if there is one, to go on with.
    ///
    /// # Errors
    /// [`ResultsError`].
    pub fn resume(path: &Path) -> Result<Results, ResultsError> {
        let here = Results::here();
        if !path.exists() {
            return Ok(here);
        }
        let found = Results::read(path)?;
        let elsewhere = |what, found: String, here: String| ResultsError::Elsewhere {
            path: path.to_owned(),
            what,
            found,
            here,
        };
        if found.machine != here.machine {
            return Err(elsewhere("machine", json(&found.machine), json(&here.machine)));
        }
        if found.build != here.build {
            return Err(elsewhere("build", json(&found.build), json(&here.build)));
        }
        Ok(found)
    }

    /// Whether a point was measured. `path` is where the results are from.
    ///
    /// # Errors
    /// [`ResultsError::Otherwise`].
    pub fn has(&self, point: &Point, path: &Path) -> Result<bool, ResultsError> {
        let is_same = |other: &Point| (&other.subject, other.threads) == (&point.subject, point.threads);
        match self.points.iter().find(|outcome| is_same(&outcome.point)) {
            None => Ok(false),
            Some(outcome) if outcome.point == *point => Ok(true),
            Some(outcome) => Err(ResultsError::Otherwise {
                path: path.to_owned(),
                subject: point.subject.clone(),
                threads: point.threads,
                found: flags(&outcome.point),
                asked: flags(point),
            }),
        }
    }

    /// Refuses a table that would be replaced and is not that of results at `path`.
    ///
    /// # Errors
    /// [`WriteError::Exists`].
    pub fn check_place(path: &Path) -> Result<(), WriteError> {
        let csv = csv_path(path);
        match csv.exists() && !path.exists() {
            true => Err(WriteError::Exists { path: csv }),
            false => Ok(()),
        }
    }

    /// Writes them, as JSON to `path` and as CSV to [`csv_path`]; whole or not at all.
    ///
    /// # Errors
    /// [`WriteError`].
    pub fn write(&self, path: &Path) -> Result<(), WriteError> {
        let csv = csv_path(path);
        let table = self.csv().map_err(|error| WriteError::Io {
            path: csv.clone(),
            source: std::io::Error::other(error),
        })?;
        let mut outputs = Outputs::new(true);
        outputs.reserve(path)?;
        outputs.reserve(&csv)?;
        outputs.stage(path, (json(self) + "\n").as_bytes(), Secrecy::Public)?;
        outputs.stage(&csv, &table, Secrecy::Public)?;
        outputs.commit()
    }

    /// CPU milliseconds at the speed of the machine's best moment: multiples of the reference times its least time in all of the results.
    pub fn quiet_ms(&self, cost: &Cost) -> f64 {
        let all = self.points.iter().flat_map(|outcome| {
            let batches = outcome.warm.verify.iter().chain(&outcome.warm.together);
            batches.map(|batch| &batch.cost).chain([&outcome.warm.prove])
        });
        let least = all.map(|cost| cost.reference_ms).fold(f64::INFINITY, f64::min);
        if least.is_finite() {
            cost.relative * least
        } else {
            cost.least_cpu_ms
        }
    }

    /// The cost model that fits what was measured on one thread, at the speed of the machine's best moment.
    ///
    /// # Errors
    /// [`FitError`].
    pub fn fit(&self, date: &str) -> Result<CostModel, FitError> {
        let on_one_thread = self.points.iter().filter(|outcome| outcome.point.threads == 1);
        let measured: Vec<Measured<'_>> = on_one_thread
            .map(|outcome| Measured {
                size: &outcome.warm.size,
                prove_ms: self.quiet_ms(&outcome.warm.prove),
                verify_ms: (outcome.warm.verify.iter())
                    .map(|verify| (verify.batch, self.quiet_ms(&verify.cost)))
                    .collect(),
            })
            .collect();
        CostModel::fit(&measured, date, &self.machine.processor)
    }

    /// How often the shape that the rule takes is the fastest to prove in by a model, of how many programs, and the part by which it is slower
    /// at worst.
    pub fn rule(&self, model: &CostModel) -> Rule {
        let mut seen: Vec<&Subject> = Vec::new();
        let mut rule = Rule::default();
        for Outcome { point, warm, .. } in &self.points {
            if seen.contains(&&point.subject) {
                continue;
            }
            seen.push(&point.subject);
            let chosen = model.prove_ms(&warm.size);
            let best = warm
                .candidates
                .iter()
                .map(|size| model.prove_ms(size))
                .fold(chosen, f64::min);
            rule.programs += 1;
            rule.fastest += usize::from(chosen <= best);
            if chosen > best * (1.0 + rule.slower) {
                rule.slower = chosen / best - 1.0;
                rule.slowest = Some(point.subject.clone());
            }
        }
        rule
    }

    /// A line per point and batch.
    fn csv(&self) -> Result<Vec<u8>, csv::Error> {
        let mut writer = csv::Writer::from_writer(Vec::new());
        for outcome in &self.points {
            for batch in &outcome.warm.verify {
                writer.serialize(Row::new(self, outcome, batch))?;
            }
        }
        writer.into_inner().map_err(|error| error.into_error().into())
    }
}

/// Runs and batches of a point, as they are asked for.
fn flags(point: &Point) -> String {
    let batches: Vec<String> = point.batch.iter().map(ToString::to_string).collect();
    format!("--runs {} --batch {}", point.runs, batches.join(","))
}

/// The first number of a file that no figure is: one that is negative, or large beyond all measure.
fn out_of_range(value: &Value) -> Option<String> {
    match value {
        Value::Number(number) => {
            let is_figure = number.as_f64().is_some_and(|x| (0.0..=MAX_FIGURE).contains(&x));
            (!is_figure).then(|| number.to_string())
        }
        Value::Array(items) => items.iter().find_map(out_of_range),
        Value::Object(fields) => {
            let mut fields = fields.iter();
            fields.find_map(|(name, value)| Some(format!("{name}: {}", out_of_range(value)?)))
        }
        Value::Null | Value::Bool(_) | Value::String(_) => None,
    }
}

/// A line of the CSV, whose heads are the names.
#[derive(Serialize)]
struct Row<'a> {
    preset: Option<&'a str>,
    legs: usize,
    held: usize,
    equations: usize,
    squares: Option<usize>,
    k: u32,
    threads: usize,
    batch: usize,
    runs: usize,
    variables: usize,
    entries: usize,
    q_columns: usize,
    x_columns: usize,
    z_columns: usize,
    x_group: usize,
    limb_bits: u32,
    proof_bytes: usize,
    prove_cpu_ms: f64,
    prove_least_cpu_ms: f64,
    prove_relative: f64,
    prove_quiet_ms: f64,
    prove_wall_ms: f64,
    prove_least_wall_ms: f64,
    prove_instructions: Option<u64>,
    prove_together_cpu_ms: Option<f64>,
    prove_together_quiet_ms: Option<f64>,
    verify_cpu_ms: f64,
    verify_least_cpu_ms: f64,
    verify_relative: f64,
    verify_quiet_ms: f64,
    prove_reference_ms: f64,
    verify_reference_ms: f64,
    verify_wall_ms: f64,
    verify_least_wall_ms: f64,
    verify_instructions: Option<u64>,
    compile_ms: f64,
    peak_bytes: Option<u64>,
    cold_process_ms: f64,
    cold_first_proof_ms: f64,
    cold_first_verification_ms: f64,
    cold_without_cache_process_ms: f64,
    cold_without_cache_parameters_ms: f64,
    processor: &'a str,
    cores: usize,
    version: &'a str,
    protocol: u32,
    compiler: u32,
    circuit: u32,
    rustc: Option<&'a str>,
    commit: Option<&'a str>,
}

impl<'a> Row<'a> {
    fn new(results: &'a Results, outcome: &'a Outcome, batch: &BatchCost) -> Row<'a> {
        let Outcome {
            point,
            cold,
            cold_without_cache,
            warm,
        } = outcome;
        let (preset, squares) = match &point.subject {
            Subject::Preset { name } => (Some(name.as_str()), None),
            Subject::Synthetic { squares, .. } => (None, Some(*squares)),
        };
        let (size, prove, verify, build) = (&warm.size, &warm.prove, &batch.cost, &results.build);
        let together = warm.together.iter().find(|together| together.batch == batch.batch);
        let together = together.map(|together| &together.cost);
        Row {
            preset,
            legs: warm.legs,
            held: warm.held,
            equations: size.equations,
            squares,
            k: size.k,
            threads: point.threads,
            batch: batch.batch,
            runs: point.runs,
            variables: size.variables,
            entries: size.entries,
            q_columns: size.q_columns,
            x_columns: size.x_columns,
            z_columns: size.z_columns,
            x_group: size.x_group,
            limb_bits: size.limb_bits,
            proof_bytes: size.proof_bytes,
            prove_cpu_ms: prove.cpu_ms,
            prove_least_cpu_ms: prove.least_cpu_ms,
            prove_relative: prove.relative,
            prove_quiet_ms: results.quiet_ms(prove),
            prove_wall_ms: prove.wall_ms,
            prove_least_wall_ms: prove.least_wall_ms,
            prove_instructions: prove.instructions,
            prove_together_cpu_ms: together.map(|cost| cost.cpu_ms),
            prove_together_quiet_ms: together.map(|cost| results.quiet_ms(cost)),
            verify_cpu_ms: verify.cpu_ms,
            verify_least_cpu_ms: verify.least_cpu_ms,
            verify_relative: verify.relative,
            verify_quiet_ms: results.quiet_ms(verify),
            prove_reference_ms: prove.reference_ms,
            verify_reference_ms: verify.reference_ms,
            verify_wall_ms: verify.wall_ms,
            verify_least_wall_ms: verify.least_wall_ms,
            verify_instructions: verify.instructions,
            compile_ms: warm.compile_ms,
            peak_bytes: cold.found.peak_bytes,
            cold_process_ms: cold.process_ms,
            cold_first_proof_ms: cold.found.first_proof_ms,
            cold_first_verification_ms: cold.found.first_verification_ms,
            cold_without_cache_process_ms: cold_without_cache.process_ms,
            cold_without_cache_parameters_ms: cold_without_cache.found.parameters_ms,
            processor: &results.machine.processor,
            cores: results.machine.cores,
            version: &build.version,
            protocol: build.protocol,
            compiler: build.compiler,
            circuit: build.circuit,
            rustc: build.rustc.as_deref(),
            commit: build.commit.as_deref(),
        }
    }
}

/// How good the shape is that the fixed rule takes.
#[derive(Clone, Debug, Default)]
pub struct Rule {
    /// Programs.
    pub programs: usize,
    /// Those of which it is the fastest.
    pub fastest: usize,
    /// The largest part by which it is slower than the fastest.
    pub slower: f64,
    /// The program of which it is.
    pub slowest: Option<Subject>,
}

/// Where the CSV is.
pub fn csv_path(path: &Path) -> PathBuf {
    path.with_extension("csv")
}

fn json(value: &impl Serialize) -> String {
    // Names, numbers and texts: there is nothing that JSON cannot say.
    serde_json::to_string_pretty(value).unwrap_or_default()
}
