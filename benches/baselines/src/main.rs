//! Measures all systems side by side, each in a process of its own.

use std::io::{BufRead, BufReader, Write};
use std::path::PathBuf;
use std::process::{Child, ChildStdin, ChildStdout, Command, ExitCode, Stdio};

use anyhow::{Context, Result};
use clap::Parser;
use zkmargin_baselines::measure::{Ready, Run};
use zkmargin_baselines::report::{Line, Report, machine};
use zkmargin_baselines::statement::Matrix;
use zkmargin_baselines::{Entry, SYSTEMS};

/// Proves the same statement on the same vectors with zkmargin and with what else could be picked, and prints a table of medians.
///
/// The statement: a hidden account, committed to by a public attestation, has collateral that covers its losses under every scenario of a public
/// matrix of integers. Every system runs in a process of its own, so that its peak of memory and its failures are its own; runs are interleaved,
/// so that noise hits all alike. Numbers in brackets are ratios to the first system.
#[derive(Parser)]
#[command(version, about)]
struct Arguments {
    /// Legs of the account: an even number, a long and a short one per instrument.
    #[arg(long, default_value_t = 1024)]
    legs: usize,
    /// Scenarios of the matrix.
    #[arg(long, default_value_t = 27)]
    scenarios: usize,
    /// Proofs per system that are measured, after one that is not.
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..))]
    runs: u32,
    /// Writes the report as JSON to a file, too.
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Measures one system alone; may be given several times.
    #[arg(long, value_name = "NAME", value_parser = names())]
    only: Vec<String>,
    /// Is the process of a system.
    #[arg(long, hide = true, value_name = "NAME", value_parser = names())]
    serve: Option<String>,
}

fn names() -> clap::builder::PossibleValuesParser {
    clap::builder::PossibleValuesParser::new(SYSTEMS.iter().map(|entry| entry.name))
}

/// The process of a system.
struct Process {
    entry: Entry,
    child: Child,
    lines: ChildStdin,
    answers: BufReader<ChildStdout>,
}

impl Process {
    fn start(entry: Entry, arguments: &Arguments) -> Result<(Self, Ready)> {
        let mut child = Command::new(std::env::current_exe()?)
            .args([
                "--legs",
                &arguments.legs.to_string(),
                "--scenarios",
                &arguments.scenarios.to_string(),
            ])
            .args(["--serve", entry.name])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let lines = child.stdin.take().context("no standard input")?;
        let answers = BufReader::new(child.stdout.take().context("no standard output")?);
        let mut process = Self {
            entry,
            child,
            lines,
            answers,
        };
        let ready = process.answer()?;
        Ok((process, ready))
    }

    fn answer<T: serde::de::DeserializeOwned>(&mut self) -> Result<T> {
        let mut line = String::new();
        self.answers.read_line(&mut line)?;
        serde_json::from_str(&line).with_context(|| format!("{} has stopped", self.entry.name))
    }

    fn run(&mut self) -> Result<Run> {
        writeln!(self.lines, "run")?;
        self.answer()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It would end with its input, too, but not in the midst of a proof.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Measures; what fails is said, and left out.
fn measure(arguments: &Arguments) -> Report {
    let chosen = |entry: &Entry| arguments.only.is_empty() || arguments.only.iter().any(|name| name == entry.name);
    let mut processes = Vec::new();
    for entry in SYSTEMS.iter().copied().filter(chosen) {
        eprintln!("{}: setup", entry.name);
        match Process::start(entry, arguments) {
            Ok((process, ready)) => processes.push((process, ready, Vec::new())),
            Err(error) => eprintln!("{}: {error:#}", entry.name),
        }
    }
    for round in 1..=arguments.runs {
        eprintln!("run {round} of {}", arguments.runs);
        processes.retain_mut(|(process, _, runs)| match process.run() {
            Ok(run) => {
                runs.push(run);
                true
            }
            Err(error) => {
                eprintln!("{}: {error:#}", process.entry.name);
                false
            }
        });
    }
    Report {
        machine: machine(),
        legs: arguments.legs,
        scenarios: arguments.scenarios,
        systems: processes
            .iter()
            .map(|(process, ready, runs)| Line::new(&process.entry, ready, runs))
            .collect(),
    }
}

fn main() -> Result<ExitCode> {
    let arguments = Arguments::parse();
    let matrix = Matrix::new(arguments.legs, arguments.scenarios)?;
    if let Some(entry) = SYSTEMS
        .iter()
        .find(|entry| arguments.serve.as_deref() == Some(entry.name))
    {
        (entry.serve)(&matrix, &mut std::io::stdin().lock(), &mut std::io::stdout().lock())?;
        return Ok(ExitCode::SUCCESS);
    }
    if cfg!(all(target_arch = "x86_64", not(target_feature = "adx"))) {
        eprintln!(
            "built without RUSTFLAGS=-Ctarget-cpu=native: arkworks has its assembly only with it"
        );
    }
    let report = measure(&arguments);
    if let Some(file) = &arguments.json {
        let json = serde_json::to_string_pretty(&report)?;
        std::fs::write(file, json + "\n").with_context(|| file.display().to_string())?;
    }
    print!("{}", report.markdown());
    let expected = if arguments.only.is_empty() {
        SYSTEMS.len()
    } else {
        arguments.only.len()
    };
    Ok(if report.systems.len() == expected {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}
