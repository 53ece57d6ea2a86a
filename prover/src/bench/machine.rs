//! Where and with what something was measured.

use serde::{Deserialize, Serialize};
use zkmargin_circuits::{CIRCUIT_VERSION, PROTOCOL_VERSION};
use zkmargin_program::COMPILER_VERSION;

/// A machine, as far as it tells.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Machine {
    /// The processor's name for itself.
    pub processor: String,
    /// `x86_64`, `aarch64`.
    pub architecture: String,
    /// The operating system.
    pub system: String,
    /// Processors that this process may use.
    pub cores: usize,
    /// Bytes of memory.
    pub memory_bytes: Option<u64>,
}

/// What is measured.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Build {
    /// The version of the crate.
    pub version: String,
    /// Of the protocol.
    pub protocol: u32,
    /// Of the program compiler.
    pub compiler: u32,
    /// Of the circuit.
    pub circuit: u32,
    /// The Rust compiler, if `ZKMARGIN_RUSTC` named it when this was built.
    pub rustc: Option<String>,
    /// The commit, if `ZKMARGIN_COMMIT` named it when this was built.
    pub commit: Option<String>,
}

impl Machine {
    /// This one.
    pub fn here() -> Machine {
        let memory = field("/proc/meminfo", "MemTotal").and_then(|text| kibibytes(&text));
        Machine {
            processor: field("/proc/cpuinfo", "model name").unwrap_or_else(|| "an unnamed processor".to_owned()),
            architecture: std::env::consts::ARCH.to_owned(),
            system: std::env::consts::OS.to_owned(),
            cores: std::thread::available_parallelism().map_or(1, usize::from),
            memory_bytes: memory,
        }
    }
}

impl Build {
    /// This one.
    pub fn this() -> Build {
        Build {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            protocol: PROTOCOL_VERSION,
            compiler: COMPILER_VERSION,
            circuit: CIRCUIT_VERSION,
            rustc: option_env!("ZKMARGIN_RUSTC").map(str::to_owned),
            commit: option_env!("ZKMARGIN_COMMIT").map(str::to_owned),
        }
    }
}

/// The most memory that this process ever had, in bytes, where the system tells.
pub(super) fn peak_bytes() -> Option<u64> {
    kibibytes(&field("/proc/self/status", "VmHWM")?)
}

/// What stands behind a name in a file of names and values.
fn field(path: &str, name: &str) -> Option<String> {
    let text = std::fs::read_to_string(path).ok()?;
    let mut lines = text.lines().filter_map(|line| line.split_once(':'));
    let (_, value) = lines.find(|(found, _)| found.trim() == name)?;
    Some(value.trim().to_owned())
}

/// `1234 kB` in bytes.
fn kibibytes(text: &str) -> Option<u64> {
    let number: u64 = text.strip_suffix("kB")?.trim().parse().ok()?;
    number.checked_mul(1024)
}
