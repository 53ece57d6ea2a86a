//! What came out, for people and for tools.

use std::fmt::Write;

use serde::Serialize;

use crate::measure::{Ready, Run};
use crate::{Entry, TrustedSetup};

/// All systems on one size of the statement. The names of its fields, and of [`Line`]'s, are read by others.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// Processor and operating system.
    pub machine: String,
    /// Legs of the account, without the collateral.
    pub legs: usize,
    /// Scenarios of the matrix.
    pub scenarios: usize,
    /// In the order of [`SYSTEMS`](crate::SYSTEMS).
    pub systems: Vec<Line>,
}

/// One system. Times are medians.
#[derive(Clone, Debug, Serialize)]
pub struct Line {
    /// Its name.
    pub name: &'static str,
    /// Its trusted setup.
    pub trusted_setup: TrustedSetup,
    /// Whether its keys serve every matrix of the size.
    pub matrix_free: bool,
    /// As in [`Ready`].
    pub setup_ms: f64,
    /// As in [`Ready`].
    pub key_bytes: usize,
    /// As in [`Run`].
    pub prove_cpu_ms: f64,
    /// As in [`Run`].
    pub prove_wall_ms: f64,
    /// As in [`Run`].
    pub verify_cpu_ms: f64,
    /// As in [`Run`].
    pub verify_wall_ms: f64,
    /// As in [`Run`].
    pub proof_bytes: usize,
    /// As in [`Run`].
    pub peak_bytes: Option<u64>,
    /// As in [`Ready`]; in the table alone.
    #[serde(skip)]
    pub attestation_bytes: usize,
}

impl Line {
    /// Sums up a system's runs.
    pub fn new(entry: &Entry, ready: &Ready, runs: &[Run]) -> Self {
        let median = |field: fn(&Run) -> f64| {
            let mut values: Vec<f64> = runs.iter().map(field).collect();
            values.sort_by(f64::total_cmp);
            values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
        };
        Self {
            name: entry.name,
            trusted_setup: entry.trusted_setup,
            matrix_free: entry.matrix_free,
            setup_ms: ready.setup_ms,
            key_bytes: ready.key_bytes,
            prove_cpu_ms: median(|run| run.prove_cpu_ms),
            prove_wall_ms: median(|run| run.prove_wall_ms),
            verify_cpu_ms: median(|run| run.verify_cpu_ms),
            verify_wall_ms: median(|run| run.verify_wall_ms),
            proof_bytes: runs.iter().map(|run| run.proof_bytes).max().unwrap_or(0),
            peak_bytes: runs.iter().filter_map(|run| run.peak_bytes).max(),
            attestation_bytes: ready.attestation_bytes,
        }
    }
}

impl Report {
    /// A Markdown table. In brackets stand ratios to the first system.
    pub fn markdown(&self) -> String {
        let mut text = format!(
            "{} legs × {} scenarios, {}\n\n",
            self.legs, self.scenarios, self.machine
        );
        text += "| system | trusted setup | any matrix | setup ms | keys | attested bytes | prove, 1 thread, CPU ms | prove, all threads, wall ms | verify, 1 thread, CPU ms | verify, all threads, wall ms | proof bytes | peak MiB |\n";
        text += "|---|---|---|---|---|---|---|---|---|---|---|---|\n";
        for line in &self.systems {
            let first = self.systems.first().unwrap_or(line);
            let against = |value: f64, of: f64, digits: usize| format!("{value:.digits$} ({:.2})", value / of);
            let setup = match line.trusted_setup {
                TrustedSetup::None => "none",
                TrustedSetup::PerCircuit => "per circuit",
            };
            let keys = match line.key_bytes {
                0 => "–".to_owned(),
                bytes => format!("{:.1} MB", bytes as f64 / 1e6),
            };
            let peak = line.peak_bytes.map_or("?".to_owned(), |bytes| {
                format!("{:.0}", bytes as f64 / f64::from(1 << 20))
            });
            let cells = [
                format!("`{}`", line.name),
                setup.to_owned(),
                if line.matrix_free { "yes" } else { "no" }.to_owned(),
                format!("{:.0}", line.setup_ms),
                keys,
                line.attestation_bytes.to_string(),
                against(line.prove_cpu_ms, first.prove_cpu_ms, 0),
                against(line.prove_wall_ms, first.prove_wall_ms, 0),
                against(line.verify_cpu_ms, first.verify_cpu_ms, 1),
                against(line.verify_wall_ms, first.verify_wall_ms, 1),
                against(line.proof_bytes as f64, first.proof_bytes as f64, 0),
                peak,
            ];
            let _ = writeln!(text, "| {} |", cells.join(" | "));
        }
        text
    }
}

/// Processor, threads, architecture and system.
pub fn machine() -> String {
    let info = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = info
        .lines()
        .find_map(|line| line.strip_prefix("model name")?.split_once(": "));
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let (os, arch) = (std::env::consts::OS, std::env::consts::ARCH);
    let model = model.map_or("unknown processor", |(_, model)| model);
    format!("{model}, {threads} threads, {os} {arch}")
}
