//! What other proof systems cost for the same kind of statement, as somebody measured it.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Figures of other systems, on one machine and for one size.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Baselines {
    /// Where they were measured.
    pub machine: String,
    /// Legs of the account.
    pub legs: u64,
    /// Scenarios, that is losses of which the worst is taken.
    pub scenarios: u64,
    /// The systems.
    pub systems: Vec<System>,
}

/// A proof system and its figures; what was not measured is null.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct System {
    /// Its name.
    pub name: String,
    /// Whom one has to trust for its parameters.
    pub trusted_setup: TrustedSetup,
    /// Whether its key does not depend on the matrix of losses: whether the market may move without a new one.
    pub matrix_free: bool,
    /// To make its key: wall milliseconds.
    pub setup_ms: Option<f64>,
    /// Bytes of the prover's key.
    pub key_bytes: Option<u64>,
    /// To prove: CPU milliseconds.
    pub prove_cpu_ms: Option<f64>,
    /// To prove: wall milliseconds.
    pub prove_wall_ms: Option<f64>,
    /// To verify: CPU milliseconds.
    pub verify_cpu_ms: Option<f64>,
    /// To verify: wall milliseconds.
    pub verify_wall_ms: Option<f64>,
    /// Bytes of a proof.
    pub proof_bytes: Option<u64>,
    /// The most memory of a prover, in bytes.
    pub peak_bytes: Option<u64>,
}

/// Whom one has to trust.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum TrustedSetup {
    /// Nobody.
    #[serde(rename = "none")]
    None,
    /// Whoever took part in one ceremony for all circuits.
    #[serde(rename = "universal")]
    Universal,
    /// Whoever took part in a ceremony for this circuit.
    #[serde(rename = "per circuit")]
    PerCircuit,
}

impl TrustedSetup {
    /// As it is written.
    pub fn name(self) -> &'static str {
        match self {
            TrustedSetup::None => "none",
            TrustedSetup::Universal => "universal",
            TrustedSetup::PerCircuit => "per circuit",
        }
    }
}

impl Baselines {
    /// Reads a file.
    ///
    /// # Errors
    /// What is wrong with it, and where.
    pub fn from_json(text: &str) -> Result<Baselines, serde_json::Error> {
        serde_json::from_str(text)
    }
}
