//! What a process does that measures one point, and finds.
//!
//! Every point has processes of its own. One proves and verifies again and again. Two are cold: they make one proof, verify it and end, the first
//! with the parameters in the user's cache, the second without a cache; the first one's peak is the memory of one proof.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use cpu_time::ProcessTime;
use serde::{Deserialize, Serialize};
use zkmargin_circuits::parameters::MIN_K as REFERENCE_K;
use zkmargin_circuits::phase::Phase;
use zkmargin_circuits::{Blind, Parameters, commit};
use zkmargin_program::{LOT_BITS, Program};

use super::BenchError;
use super::case::Case;
use super::chain::Chain;
use super::grid::{Point, Subject, rows};
use super::instructions::Instructions;
use super::machine::peak_bytes;
use super::phases::{ByPhase, record};
use super::rank::percentile;
use super::synthetic::Synthetic;
use crate::batch::PER_PROOF;
use crate::cost::Size;

/// Commitments of the [`Reference`]: a few milliseconds.
const REFERENCE_COMMITMENTS: usize = 20;
/// A run between two references that differ by more than this factor says little of either speed, and is repeated.
const STEADY: f64 = 1.1;
/// So often at most; of all of them the run with the steadiest references counts.
const REPETITIONS: usize = 5;

/// What one process is to do.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Task {
    /// The point.
    pub point: Point,
    /// Where parameters are cached; none, and they are derived.
    pub cache: Option<PathBuf>,
    /// Whether to end after one proof.
    pub cold: bool,
}

/// What it found.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Found {
    /// After one proof.
    Cold(Cold),
    /// After many.
    Warm(Box<Warm>),
}

/// The start of a process: wall milliseconds.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Cold {
    /// To load the parameters, or to derive them.
    pub parameters_ms: f64,
    /// Of the first proof; the key is made in it.
    pub first_proof_ms: f64,
    /// Of its verification.
    pub first_verification_ms: f64,
    /// The most memory until the proof was there, in bytes, where the system tells.
    pub peak_bytes: Option<u64>,
}

/// What runs again and again.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Warm {
    /// The size of the program.
    pub size: Size,
    /// Its legs.
    pub legs: usize,
    /// Legs of which the book holds any: of a model that margins no options it holds cash alone.
    pub held: usize,
    /// Its sizes in all shapes that the rule chooses from.
    pub candidates: Vec<Size>,
    /// To compile the program once: wall milliseconds.
    pub compile_ms: f64,
    /// One proof.
    pub prove: Cost,
    /// CPU milliseconds of each phase of a proof, medians.
    pub phases: Vec<PhaseCost>,
    /// One proof of so many statements, up to [`PER_PROOF`].
    pub together: Vec<BatchCost>,
    /// The verification of so many proofs together.
    pub verify: Vec<BatchCost>,
}

/// CPU time of one phase.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PhaseCost {
    /// The [phase](Phase).
    pub phase: String,
    /// CPU milliseconds.
    pub cpu_ms: f64,
}

/// A batch: so many statements in one proof, or so many proofs that are verified together.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BatchCost {
    /// How many.
    pub batch: usize,
    /// Of all of them.
    pub cost: Cost,
}

/// What something costs.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Cost {
    /// CPU milliseconds of all threads: the median.
    pub cpu_ms: f64,
    /// The least.
    pub least_cpu_ms: f64,
    /// Wall milliseconds: the median.
    pub wall_ms: f64,
    /// The least.
    pub least_wall_ms: f64,
    /// CPU time in multiples of that of the reference right before and after it: the median. A machine that is slower for a while is so for both, and
    /// a run in which its speed changed is repeated.
    pub relative: f64,
    /// CPU milliseconds of the reference: the least.
    pub reference_ms: f64,
    /// Instructions: the median; none where the machine does not count them.
    pub instructions: Option<u64>,
}

/// Does a task.
///
/// # Errors
/// [`BenchError`].
pub fn run(task: &Task) -> Result<Found, BenchError> {
    // Before there are threads: those that are started later are counted as well.
    let instructions = Instructions::new();
    let threads = task.point.threads;
    let pool = pool_of(threads)?;
    let started = Instant::now();
    let (program, book) = build(&task.point.subject)?;
    let compile_ms = millis(started.elapsed());
    let held = book.iter().filter(|lots| **lots > 0).count();
    let started = Instant::now();
    let parameters = Parameters::load(program.layout().k(), task.cache.as_deref())?;
    let parameters_ms = millis(started.elapsed());
    let case = Case::new(&parameters, program, book)?;
    if task.cold {
        return pool
            .install(|| cold(&parameters, &case, parameters_ms))
            .map(Found::Cold);
    }
    let program = case.program();
    let mut meter = Meter {
        instructions,
        reference: Reference::new(task.cache.as_deref())?,
    };
    let point = &task.point;
    let (prove, phases, proofs) = {
        let most = point.batch.iter().copied().max().unwrap_or(1);
        prove_often(&pool, &mut meter, &parameters, &case, point.runs, most)?
    };
    let together = together_often(&pool, &mut meter, &parameters, &case, point)?;
    let verify = verify_often(&pool, &mut meter, &parameters, &case, point, &proofs)?;
    Ok(Found::Warm(Box::new(Warm {
        size: Size::of(program)?,
        legs: program.layout().legs().len(),
        held,
        candidates: Size::candidates(program)?,
        compile_ms,
        prove,
        phases,
        together,
        verify,
    })))
}

fn pool_of(threads: usize) -> Result<rayon::ThreadPool, BenchError> {
    let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build();
    pool.map_err(|error| BenchError::Threads {
        threads,
        reason: error.to_string(),
    })
}

/// A program, and a book that satisfies it.
fn build(subject: &Subject) -> Result<(Program, Vec<u64>), BenchError> {
    match subject {
        Subject::Synthetic {
            legs,
            equations,
            squares,
            k,
        } => {
            let synthetic = Synthetic {
                k: *k,
                legs: *legs,
                equations: *equations,
                squares: *squares,
            };
            synthetic.build()
        }
        Subject::Preset { name } => {
            let chain = Chain::shipped()?;
            let program = chain.compile(name)?;
            let book = chain.book_for(&program);
            Ok((program, book))
        }
    }
}

fn cold(parameters: &Parameters, case: &Case, parameters_ms: f64) -> Result<Cold, BenchError> {
    let started = Instant::now();
    let proof = case.prove(parameters)?;
    let first_proof_ms = millis(started.elapsed());
    let peak_bytes = peak_bytes();
    let started = Instant::now();
    case.verify(parameters, &proof)?;
    Ok(Cold {
        parameters_ms,
        first_proof_ms,
        first_verification_ms: millis(started.elapsed()),
        peak_bytes,
    })
}

/// What proofs cost, as a whole and by phase, and their bytes.
type Proofs = (Cost, Vec<PhaseCost>, Vec<Vec<u8>>);

/// Proves so often after one proof that does not count; at least `most` proofs.
fn prove_often(
    pool: &rayon::ThreadPool,
    meter: &mut Meter,
    parameters: &Parameters,
    case: &Case,
    runs: usize,
    most: usize,
) -> Result<Proofs, BenchError> {
    let mut proofs = vec![pool.install(|| case.prove(parameters))?];
    let (mut samples, mut by_phase) = (Vec::new(), Vec::<ByPhase>::new());
    for _ in 0..runs {
        let (proof, spent) = meter.sample(&mut samples, || pool.install(|| record(|| case.prove(parameters))))?;
        proofs.push(proof?);
        by_phase.push(spent);
    }
    while proofs.len() < most {
        proofs.push(pool.install(|| case.prove(parameters))?);
    }
    let phases = Phase::ALL.iter().enumerate().map(|(place, phase)| PhaseCost {
        phase: phase.name().to_owned(),
        cpu_ms: millis(median(by_phase.iter().filter_map(|spent| spent.get(place).copied()))),
    });
    Ok((Cost::of(&samples), phases.collect(), proofs))
}

/// Proves statements together so often, in turn, after one proof of each number that does not count and is verified.
fn together_often(
    pool: &rayon::ThreadPool,
    meter: &mut Meter,
    parameters: &Parameters,
    case: &Case,
    point: &Point,
) -> Result<Vec<BatchCost>, BenchError> {
    let batches = point.batch.iter().copied();
    let batches: Vec<usize> = batches
        .filter(|batch| (2..=usize::from(PER_PROOF)).contains(batch))
        .collect();
    let prove = |statements| pool.install(|| case.prove_together(parameters, statements));
    for statements in &batches {
        case.verify_together(parameters, *statements, &prove(*statements)?)?;
    }
    let mut samples = vec![Vec::new(); batches.len()];
    for _ in 0..point.runs {
        for (statements, samples) in batches.iter().zip(&mut samples) {
            meter.sample(samples, || prove(*statements))??;
        }
    }
    Ok(costs(&batches, &samples))
}

fn costs(batches: &[usize], samples: &[Vec<Sample>]) -> Vec<BatchCost> {
    let costs = batches.iter().zip(samples);
    costs
        .map(|(batch, samples)| BatchCost {
            batch: *batch,
            cost: Cost::of(samples),
        })
        .collect()
}

/// Verifies batches of each size so often, in turn: what disturbs the machine for a while disturbs all of them.
fn verify_often(
    pool: &rayon::ThreadPool,
    meter: &mut Meter,
    parameters: &Parameters,
    case: &Case,
    point: &Point,
    proofs: &[Vec<u8>],
) -> Result<Vec<BatchCost>, BenchError> {
    let verify = |batch: usize| {
        let proofs = proofs.get(..batch).unwrap_or(proofs);
        pool.install(|| match proofs {
            [proof] => case.verify(parameters, proof),
            proofs => case.verify_batch(parameters, proofs),
        })
    };
    verify(1)?;
    let mut samples = vec![Vec::new(); point.batch.len()];
    for _ in 0..point.runs {
        for (batch, samples) in point.batch.iter().zip(&mut samples) {
            meter.sample(samples, || verify(*batch))??;
        }
    }
    Ok(costs(&point.batch, &samples))
}

/// A fixed computation of a few milliseconds, the same for every point: commitments to small columns, on a thread of its own whatever the point is
/// measured on, for on several the library's multi-exponentiation does more work.
struct Reference {
    pool: rayon::ThreadPool,
    parameters: Parameters,
    column: Vec<u64>,
}

impl Reference {
    fn new(cache: Option<&Path>) -> Result<Reference, BenchError> {
        let rows = rows(REFERENCE_K) as u64;
        Ok(Reference {
            pool: pool_of(1)?,
            parameters: Parameters::load(REFERENCE_K, cache)?,
            column: (1..=rows).map(|row| row * ((1 << LOT_BITS) / (rows + 1))).collect(),
        })
    }

    /// CPU time of it.
    fn run(&self) -> Result<Duration, BenchError> {
        let started = ProcessTime::now();
        self.pool.install(|| {
            for _ in 0..REFERENCE_COMMITMENTS {
                std::hint::black_box(commit(&self.parameters, &self.column, &Blind::random()?)?);
            }
            Ok::<(), BenchError>(())
        })?;
        Ok(started.elapsed())
    }
}

/// What measures.
struct Meter {
    instructions: Instructions,
    reference: Reference,
}

/// One run.
#[derive(Clone)]
struct Sample {
    cpu: Duration,
    wall: Duration,
    /// CPU time of the reference, before and after it.
    reference: [Duration; 2],
    instructions: Option<u64>,
}

impl Meter {
    /// Measures a run, again if the machine's speed changed meanwhile, and keeps the sample of the steadiest one with what it returned.
    fn sample<T>(&mut self, samples: &mut Vec<Sample>, run: impl Fn() -> T) -> Result<T, BenchError> {
        let mut steadiest = self.once(&run)?;
        for _ in 1..REPETITIONS {
            if steadiest.0.unsteadiness() <= STEADY {
                break;
            }
            let again = self.once(&run)?;
            if again.0.unsteadiness() < steadiest.0.unsteadiness() {
                steadiest = again;
            }
        }
        let (sample, done) = steadiest;
        samples.push(sample);
        Ok(done)
    }

    fn once<T>(&mut self, run: impl Fn() -> T) -> Result<(Sample, T), BenchError> {
        let before_it = self.reference.run()?;
        let before = self.instructions.count();
        let (cpu, wall) = (ProcessTime::now(), Instant::now());
        let done = run();
        let (cpu, wall) = (cpu.elapsed(), wall.elapsed());
        let counted = self.instructions.count().zip(before);
        let sample = Sample {
            cpu,
            wall,
            reference: [before_it, self.reference.run()?],
            instructions: counted.map(|(after, before)| after.saturating_sub(before)),
        };
        Ok((sample, done))
    }
}

impl Sample {
    /// By what factor the references before and after it differ.
    fn unsteadiness(&self) -> f64 {
        let [before, after] = self.reference.map(|time| time.as_secs_f64().max(f64::MIN_POSITIVE));
        (before / after).max(after / before)
    }
}

impl Cost {
    fn of(samples: &[Sample]) -> Cost {
        let cpu = || samples.iter().map(|sample| sample.cpu);
        let wall = || samples.iter().map(|sample| sample.wall);
        let reference = |sample: &Sample| sample.reference.iter().sum::<Duration>() / 2;
        let mut relative: Vec<f64> = (samples.iter())
            .map(|sample| sample.cpu.as_secs_f64() / reference(sample).as_secs_f64().max(f64::MIN_POSITIVE))
            .collect();
        relative.sort_by(f64::total_cmp);
        let references = samples.iter().flat_map(|sample| sample.reference);
        let mut instructions: Vec<u64> = samples.iter().filter_map(|sample| sample.instructions).collect();
        instructions.sort_unstable();
        Cost {
            cpu_ms: millis(median(cpu())),
            least_cpu_ms: millis(cpu().min().unwrap_or_default()),
            wall_ms: millis(median(wall())),
            least_wall_ms: millis(wall().min().unwrap_or_default()),
            relative: percentile(&relative, 50),
            reference_ms: millis(references.min().unwrap_or_default()),
            instructions: (!instructions.is_empty()).then(|| percentile(&instructions, 50)),
        }
    }
}

fn median(times: impl Iterator<Item = Duration>) -> Duration {
    let mut times: Vec<Duration> = times.collect();
    times.sort_unstable();
    percentile(&times, 50)
}

fn millis(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}
