//! Prints what a proof costs on the shipped chain: `cargo run --release -p zkmargin-benches`.

use std::time::{Duration, Instant};

use anyhow::Result;
use cpu_time::ProcessTime;
use zkmargin_benches::{Case, Chain, sensitivities};
use zkmargin_circuits::{Parameters, Placement};
use zkmargin_program::Program;
use zkmargin_risk::model::PRESETS;
use zkmargin_risk::terms::Level;

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
    let row = |name: &str, compile: &dyn Fn() -> Result<Program>, book: &dyn Fn(&Program) -> Vec<u64>| -> Result<()> {
        let compiling = median(|| compile().map(drop))?;
        let program = compile()?;
        let parameters = Parameters::load(program.layout().k(), None)?;
        let held = book(&program);
        let case = Case::new(&parameters, program, held)?;
        let proof = case.prove(&parameters)?;
        let prove = one_thread.install(|| median(|| case.prove(&parameters).map(drop)))?;
        let prove_on_all = median(|| case.prove(&parameters).map(drop))?;
        let verify = median(|| case.verify(&parameters, &proof))?;
        let placement = Placement::new(case.program())?;
        println!(
            "| {name} | {} | {} | {}+{}+{} | {compiling} | {prove} | {prove_on_all} | {verify} | {} |",
            case.program().layout().legs().len(),
            case.program().equations().len(),
            placement.shape().q_columns(),
            placement.shape().x_columns(),
            placement.shape().z_columns(),
            proof.len(),
        );
        Ok(())
    };
    // A model that margins no options has proofs of cash alone.
    let of_chain = |chain: &Chain, program: &Program| {
        let held = chain.book(120);
        if program.witness(&held).is_ok() {
            held
        } else {
            chain.book(0)
        }
    };
    for (preset, _) in PRESETS {
        row(preset, &|| chain.compile(preset), &|program| of_chain(&chain, program))?;
    }
    let bitcoin = chain.on("BTC")?;
    row("derive-pm2, BTC alone", &|| bitcoin.compile("derive-pm2"), &|program| {
        of_chain(&bitcoin, program)
    })?;
    let case = sensitivities()?;
    let compile = || Ok(case.compile(Level::Initial)?);
    row("simm-2.5, 100 sensitivities", &compile, &|_| case.legs().to_vec())?;

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
