//! `zkmargin bench`.

mod tick;

use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use clap::{Args, Subcommand};
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::{Value, json};
use zkmargin_prover::bench::baselines::Baselines;
use zkmargin_prover::bench::grid::{Grid, Point, Rows};
use zkmargin_prover::bench::measure::{self, Cold, Found, Task, Warm};
use zkmargin_prover::bench::report;
use zkmargin_prover::bench::results::{Outcome, Results, Start, csv_path};
use zkmargin_prover::cost::{CostModel, LEAST_SIZES};
use zkmargin_prover::lock::Lock;
use zkmargin_prover::text::{Columns, wrapped};
use zkmargin_risk::json::MAX_BYTES;
use zkmargin_verifier::file::default_cache_dir;
use zkmargin_verifier::output::{Outputs, Secrecy};
use zkmargin_verifier::words::counted;

use crate::answer::Answer;
use crate::clock::today;
use crate::load::{self, Out};

/// `bench`: measures what proofs cost on this machine, point by point of a grid: CPU and wall time to prove and to verify, cold and warm, instructions
/// where the machine counts them, memory, bytes.
///
/// Results are written after every point, as JSON and as CSV. Run again with the same --out, it goes on where it was stopped.
#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(crate) struct Bench {
    #[command(subcommand)]
    verb: Option<Verb>,
    #[command(flatten)]
    measure: Measure,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Results as a page (HTML): plots by size, threads and batch, phases, the cost model, other systems.
    Report(Report),
    /// How long it takes from a tick of the market to a partner's verdict on it: the median, and what 99 of 100 ticks do not exceed.
    Tick(tick::Tick),
    /// Measures one point, for the process that measures all.
    #[command(hide = true)]
    Point {
        /// The task (JSON).
        task: String,
    },
}

#[derive(Debug, Args)]
struct Measure {
    /// Legs of the synthetic programs.
    #[arg(long, value_name = "N,…", value_delimiter = ',', default_value = "64,1024,2048")]
    legs: Vec<usize>,
    /// Their equations, each but one of which has every leg.
    #[arg(long, value_name = "N,…", value_delimiter = ',', default_value = "28,100,251")]
    equations: Vec<usize>,
    /// So many losses go into a Euclidean norm, whose variables are whole numbers that are squared.
    #[arg(long, value_name = "N,…", value_delimiter = ',', default_value = "0,24")]
    squares: Vec<usize>,
    /// Columns have 2^k rows; auto is the k of a universe with as many legs.
    #[arg(long, value_name = "K,…", value_delimiter = ',', default_value = "auto")]
    k: Vec<Rows>,
    /// Measures the presets on the shipped chain as well.
    #[arg(long)]
    presets: bool,
    /// Threads of prover and verifier.
    #[arg(long, value_name = "N,…", value_delimiter = ',', default_value = "1,2")]
    threads: Vec<usize>,
    /// So many proofs are verified together, and up to 16 statements proven in one proof.
    #[arg(long, value_name = "N,…", value_delimiter = ',', default_value = "1,4,16")]
    batch: Vec<usize>,
    /// Measured runs of everything.
    #[arg(long, value_name = "N", default_value_t = 7)]
    runs: usize,
    /// Fits the cost model to the results, for the estimates of `zkmargin model check` on this machine.
    #[arg(long)]
    fit: bool,
    /// The file of results (JSON); the CSV is written beside it. What is in it already is not measured again.
    #[arg(short = 'o', long, value_name = "FILE", default_value = "bench.json")]
    out: PathBuf,
}

/// `bench report`.
#[derive(Debug, Args)]
struct Report {
    /// The file of results (JSON).
    results: PathBuf,
    /// What other systems cost (JSON; `zkmargin schema baselines` has the schema).
    #[arg(long, value_name = "FILE")]
    baselines: Option<PathBuf>,
    #[command(flatten)]
    out: Out,
}

pub(crate) fn run(args: &Bench) -> anyhow::Result<Answer> {
    match &args.verb {
        None => measure_all(&args.measure),
        Some(Verb::Report(args)) => write_report(args),
        Some(Verb::Tick(args)) => tick::run(args),
        Some(Verb::Point { task }) => point(task),
    }
}

fn measure_all(args: &Measure) -> anyhow::Result<Answer> {
    let grid = Grid {
        legs: args.legs.clone(),
        equations: args.equations.clone(),
        squares: args.squares.clone(),
        k: args.k.clone(),
        presets: args.presets,
        threads: args.threads.clone(),
        batch: args.batch.clone(),
        runs: args.runs,
    };
    let points = grid.points()?;
    Outputs::new(true).reserve(&args.out)?;
    Results::check_place(&args.out).context("give another --out")?;
    // What another process wrote meanwhile would be lost.
    let _lock = Lock::beside(&args.out)?;
    let mut results = Results::resume(&args.out)?;
    let mut missing = Vec::new();
    for point in &points {
        if !results.has(point, &args.out)? {
            missing.push(point);
        }
    }
    let cache = fit_cache(args, &results, &missing)?;
    // What cannot be written is said before hours of work.
    results.write(&args.out)?;
    let skipped = points.len() - missing.len();

    let bar = progress(missing.len() as u64)?;
    let measured = missing.len();
    for point in missing {
        bar.set_message(point.to_string());
        results.points.push(outcome(point).with_context(|| point.to_string())?);
        results.write(&args.out)?;
        bar.inc(1);
    }
    bar.finish_and_clear();

    let mut text = table(&results, &points);
    let mut data = json!({
        "kind": "bench", "file": args.out.display().to_string(), "csv": csv_path(&args.out).display().to_string(),
        "points": points.len(), "measured": measured, "skipped": skipped,
    });
    if let Some(cache) = cache {
        data["cost_model"] = fit(&results, &cache, &mut text)?;
    }
    text += &format!(
        "\n{} measured, {skipped} had been before.\n{}\n{}",
        counted(measured, "point"),
        args.out.display(),
        csv_path(&args.out).display(),
    );
    Ok(Answer::new(text, data))
}

/// Draws on a terminal only, and only on standard error.
fn progress(length: u64) -> anyhow::Result<ProgressBar> {
    let bar = ProgressBar::new(length);
    bar.set_style(ProgressStyle::with_template(
        "{wide_bar} {pos}/{len}  {eta} left  {msg}",
    )?);
    bar.enable_steady_tick(Duration::from_millis(500));
    Ok(bar)
}

/// Where a fit is kept, if one is asked for and possible with what there is and what will be.
fn fit_cache(args: &Measure, results: &Results, missing: &[&Point]) -> anyhow::Result<Option<PathBuf>> {
    if !args.fit {
        return Ok(None);
    }
    let there = results.points.iter().map(|outcome| &outcome.point);
    let programs = there
        .chain(missing.iter().copied())
        .filter(|point| point.threads == 1)
        .count();
    if programs < LEAST_SIZES {
        let programs = counted(programs, "program");
        bail!("--fit: there would be {programs} on one thread, a fit needs at least {LEAST_SIZES}");
    }
    let cache = default_cache_dir().context("--fit: there is no cache folder to keep the cost model in")?;
    Ok(Some(cache))
}

fn fit(results: &Results, cache: &Path, text: &mut String) -> anyhow::Result<Value> {
    let model = results.fit(&today()?)?;
    let path = model.keep(cache)?;
    let percent = |errors: [f64; 2]| errors.map(|error| format!("{:.1} %", error * 100.0));
    let ([prove, verify], [prove_left_out, verify_left_out]) =
        (percent(model.largest_error), percent(model.left_out_error));
    let rule = results.rule(&model);
    let words = format!(
        "Cost model {}; its largest error is {prove} of the time to prove and {verify} of that to verify, and on a program that was left out of the fit \
         {prove_left_out} and {verify_left_out}. The fixed rule's shape is the fastest by it for {} of {} programs, and at worst {:.1} % slower.",
        model.provenance(),
        rule.fastest,
        rule.programs,
        rule.slower * 100.0,
    );
    *text += &format!("\n{}\n{}\n", wrapped(&words, 100, 0, 0), path.display());
    Ok(json!({
        "file": path.display().to_string(), "largest_error": model.largest_error, "left_out_error": model.left_out_error,
        "rule": { "programs": rule.programs, "fastest": rule.fastest, "slower": rule.slower },
    }))
}

/// Measures a point in processes of its own.
fn outcome(point: &Point) -> anyhow::Result<Outcome> {
    let task = |cache, cold| Task {
        point: point.clone(),
        cache,
        cold,
    };
    // This one fills the cache, if it has to.
    let warm = in_process::<Warm>(&task(default_cache_dir(), false), "warm")?;
    Ok(Outcome {
        point: point.clone(),
        cold: cold(&task(default_cache_dir(), true))?,
        cold_without_cache: cold(&task(None, true))?,
        warm,
    })
}

fn cold(task: &Task) -> anyhow::Result<Start> {
    let started = Instant::now();
    let found = in_process::<Cold>(task, "cold")?;
    Ok(Start {
        process_ms: started.elapsed().as_secs_f64() * 1e3,
        found,
    })
}

/// Does a task in a process of its own, and takes what it found from its answer.
fn in_process<T: serde::de::DeserializeOwned>(task: &Task, kind: &str) -> anyhow::Result<T> {
    let mut command = Command::new(std::env::current_exe()?);
    command.args(["--json", "bench", "point", &serde_json::to_string(task)?]);
    // The other end of its standard input closes when this process ends, whatever ends it, and then it ends as well.
    command.stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut child = command.spawn()?;
    let held = child.stdin.take();
    let output = child.wait_with_output()?;
    drop(held);
    if !output.status.success() {
        bail!("the process that measures it ended with {}", output.status);
    }
    let mut answer: Value = serde_json::from_slice(&output.stdout)?;
    Ok(serde_json::from_value(answer["found"][kind].take())?)
}

/// The process that measures one point.
fn point(task: &str) -> anyhow::Result<Answer> {
    let task: Task = serde_json::from_str(task)?;
    std::thread::spawn(|| {
        let _ = std::io::stdin().read_to_end(&mut Vec::new());
        std::process::exit(2);
    });
    let found: Found = measure::run(&task)?;
    Ok(Answer::new("", json!({ "kind": "bench-point", "found": found })))
}

/// What there is of the grid: medians.
fn table(results: &Results, points: &[Point]) -> String {
    let mut columns = Columns::new(&[
        "CPU / wall, ms",
        "threads",
        "prove",
        "verify one",
        "proof, bytes",
        "peak, MiB",
    ]);
    for Outcome { point, cold, warm, .. } in results.points.iter().filter(|one| points.contains(&one.point)) {
        let both = |cost: &measure::Cost| format!("{:.1} / {:.1}", cost.cpu_ms, cost.wall_ms);
        let one = warm.verify.iter().find(|verify| verify.batch == 1);
        let peak = cold.found.peak_bytes;
        columns.row([
            point.subject.to_string(),
            point.threads.to_string(),
            both(&warm.prove),
            one.map_or_else(|| "-".to_owned(), |verify| both(&verify.cost)),
            warm.size.proof_bytes.to_string(),
            peak.map_or_else(|| "-".to_owned(), |bytes| (bytes >> 20).to_string()),
        ]);
    }
    let mut text = String::new();
    columns.write(&mut text);
    text
}

fn write_report(args: &Report) -> anyhow::Result<Answer> {
    let mut outputs = args.out.reserve()?;
    let results = Results::read(&args.results)?;
    let baselines = match &args.baselines {
        Some(path) => Some(load::load(path, MAX_BYTES, |bytes| {
            Ok(Baselines::from_json(load::text(bytes)?)?)
        })?),
        None => None,
    };
    // Of few points no model is made: one that is there serves.
    let model = match results.fit(&today()?) {
        Ok(model) => model,
        Err(_) => CostModel::here(default_cache_dir().as_deref()),
    };
    let html =
        report::html(&results, &model, baselines.as_ref()).with_context(|| args.results.display().to_string())?;
    outputs.stage(&args.out.path, html.as_bytes(), Secrecy::Public)?;
    outputs.commit()?;
    let file = args.out.path.display().to_string();
    let text = format!("A report of {}\n{file}", counted(results.points.len(), "point"));
    Ok(Answer::new(
        text,
        json!({ "kind": "bench-report", "file": file, "points": results.points.len(), "bytes": html.len() }),
    ))
}
