//! Measuring one system, in a process of its own.
//!
//! The process sets up, attests, proves once to warm up, says what it has, and then proves and verifies once for every line that it reads: whoever
//! started several can interleave them.

use std::io::{BufRead, Write};
use std::time::Instant;

use anyhow::{Context, Result};
use cpu_time::ProcessTime;
use serde::{Deserialize, Serialize};

use crate::statement::Matrix;
use crate::system::System;

/// What every measured book has left in its worst scenario.
const LEAST_MARGIN: i64 = 1_000_000;

/// The first line that a process writes.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Ready {
    /// Wall time of the setup, in milliseconds.
    pub setup_ms: f64,
    /// [`System::key_bytes`].
    pub key_bytes: usize,
    /// Bytes that a venue attests.
    pub attestation_bytes: usize,
}

/// One proof, the answer to a line.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Run {
    /// Processor time of the prover with one thread, in milliseconds.
    pub prove_cpu_ms: f64,
    /// Wall time of the prover with all threads, in milliseconds.
    pub prove_wall_ms: f64,
    /// Processor time of the verifier with one thread, in milliseconds.
    pub verify_cpu_ms: f64,
    /// Wall time of the verifier with all threads, in milliseconds.
    pub verify_wall_ms: f64,
    /// Bytes of the proof.
    pub proof_bytes: usize,
    /// The most memory that the process has had since its setup, in bytes, where the system says so.
    pub peak_bytes: Option<u64>,
}

/// Answers lines until there are no more.
pub fn serve<S: System + Sync>(matrix: &Matrix, lines: impl BufRead, mut answers: impl Write) -> Result<()>
where
    S::Opening: Sync,
{
    let start = Instant::now();
    let system = S::setup(matrix)?;
    let setup_ms = milliseconds(start.elapsed());
    let book = matrix.book(LEAST_MARGIN)?;
    let margins = matrix.margins(&book);
    let (attestation, opening) = system.attest(&book)?;
    let ready = Ready {
        setup_ms,
        key_bytes: system.key_bytes(),
        attestation_bytes: attestation.len(),
    };
    let single = rayon::ThreadPoolBuilder::new().num_threads(1).build()?;
    let prove = || system.prove(matrix, &attestation, &book, &opening, &margins);
    let verify = |proof: &[u8]| system.verify(matrix, &attestation, proof);
    forget_peak();
    verify(&single.install(prove)?)?;
    answer(&mut answers, &ready)?;
    for line in lines.lines() {
        line?;
        let cpu = ProcessTime::now();
        let proof = single.install(prove)?;
        let prove_cpu_ms = milliseconds(cpu.elapsed());
        let cpu = ProcessTime::now();
        single.install(|| verify(&proof))?;
        let verify_cpu_ms = milliseconds(cpu.elapsed());
        let wall = Instant::now();
        let proof = prove()?;
        let prove_wall_ms = milliseconds(wall.elapsed());
        let wall = Instant::now();
        verify(&proof)?;
        let run = Run {
            prove_cpu_ms,
            prove_wall_ms,
            verify_cpu_ms,
            verify_wall_ms: milliseconds(wall.elapsed()),
            proof_bytes: proof.len(),
            peak_bytes: peak(),
        };
        answer(&mut answers, &run)?;
    }
    Ok(())
}

fn milliseconds(duration: std::time::Duration) -> f64 {
    (duration.as_secs_f64() * 1e5).round() / 1e2
}

fn answer(answers: &mut impl Write, value: &impl Serialize) -> Result<()> {
    writeln!(answers, "{}", serde_json::to_string(value)?)?;
    answers.flush().context("nobody reads the answers")
}

/// Makes Linux count the peak anew: a prover need not have run the setup. Elsewhere, and where it may not, the peak is that of the whole process.
fn forget_peak() {
    let _ = std::fs::write("/proc/self/clear_refs", "5");
}

fn peak() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kibibytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kibibytes * 1024)
}
