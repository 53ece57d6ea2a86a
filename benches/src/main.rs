//! Prints what a proof costs on the shipped chain: `cargo run --release -p zkmargin-benches`.

use std::time::{Duration, Instant};

use anyhow::Result;
use cpu_time::ProcessTime;
use zkmargin_benches::{Case, Chain};
use zkmargin_circuits::{Parameters, Placement};
use zkmargin_risk::model::PRESETS;

/// Measured runs of each figure, if the first argument does not say otherwise; one more goes before them and does not count.
const RUNS: usize = 11;

fn runs() -> usize {
    let given = std::env::args().nth(1).and_then(|runs| runs.parse().ok());
    given.filter(|runs| *runs > 0).unwrap_or(RUNS)
}

/// Processor and wall time of one run.
#[derive(Clone, Copy)]
struct Cost {
    cpu: Duration,
    wall: Duration,
}

fn main() -> Result<()> {
    let chain = Chain::shipped()?;
    let parameters = Parameters::load(chain.universe.k(), None)?;
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    println!(
        "{threads} processors; medians of {} runs in milliseconds, CPU (all threads) / wall\n",
        runs()
    );
    // As `zkmargin prove` does.
    let one_thread = rayon::ThreadPoolBuilder::new().num_threads(1).build()?;

    println!(
        "| model | legs | equations | columns q+x+z | compile | prove, 1 thread | prove, all | verify | proof bytes |"
    );
    println!("|---|---|---|---|---|---|---|---|---|");
    for (preset, _) in PRESETS {
        let compile = median(|| chain.compile(preset).map(drop))?;
        let program = chain.compile(preset)?;
        // A model that margins no options has proofs of cash alone.
        let held = if program.witness(&chain.book(120)).is_ok() {
            120
        } else {
            0
        };
        let case = Case::new(&parameters, program, chain.book(held))?;
        let proof = case.prove(&parameters)?;
        let prove = one_thread.install(|| median(|| case.prove(&parameters).map(drop)))?;
        let prove_on_all = median(|| case.prove(&parameters).map(drop))?;
        let verify = median(|| case.verify(&parameters, &proof))?;
        let placement = Placement::new(case.program())?;
        println!(
            "| {preset} | {} | {} | {}+{}+{} | {compile} | {prove} | {prove_on_all} | {verify} | {} |",
            case.program().layout().legs().len(),
            case.program().equations().len(),
            placement.shape().q_columns(),
            placement.shape().x_columns(),
            placement.shape().z_columns(),
            proof.len(),
        );
    }

    println!("\n| instruments held (paradex-pm) | prove, 1 thread |");
    println!("|---|---|");
    let program = chain.compile("paradex-pm")?;
    for held in [0, 1, 10, 100, 500, 1_000, usize::MAX] {
        let case = Case::new(&parameters, program.clone(), chain.book(held))?;
        let prove = one_thread.install(|| median(|| case.prove(&parameters).map(drop)))?;
        let held = held.min(chain.universe.instruments().count());
        println!("| {held} | {prove} |");
    }
    if let Some(peak) = peak_memory() {
        println!("\npeak memory of this process: {peak}");
    }
    Ok(())
}

impl std::fmt::Display for Cost {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "{:.1} / {:.1}",
            self.cpu.as_secs_f64() * 1e3,
            self.wall.as_secs_f64() * 1e3
        )
    }
}

fn median(mut run: impl FnMut() -> Result<()>) -> Result<Cost> {
    run()?;
    let mut costs = Vec::with_capacity(runs());
    for _ in 0..runs() {
        let (cpu, wall) = (ProcessTime::now(), Instant::now());
        run()?;
        costs.push(Cost {
            cpu: cpu.elapsed(),
            wall: wall.elapsed(),
        });
    }
    costs.sort_by_key(|cost| cost.cpu);
    Ok(costs[costs.len() / 2])
}

/// The high-water mark of this process's memory, where the system tells.
fn peak_memory() -> Option<String> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    Some(line.trim().to_owned())
}
