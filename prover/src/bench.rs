//! What proofs cost, for researchers: `zkmargin bench`.
//!
//! - [`grid`]: which programs are measured, how often, on how many threads;
//! - [`measure`]: what a process does that measures one point of the grid, and finds;
//! - [`results`]: the file that outlives a kill, as JSON and as CSV;
//! - [`baselines`]: what others' systems cost, for comparison;
//! - [`report`]: all of it as a page of pictures;
//! - [`case`], [`chain`]: a book that is proven, and where the shipped ones are from;
//! - [`tick`]: how long it takes from a tick of the market to a verdict.

pub mod baselines;
pub mod case;
pub mod chain;
pub mod grid;
mod instructions;
pub mod machine;
pub mod measure;
mod phases;
mod rank;
pub mod report;
pub mod results;
mod synthetic;
pub mod tick;

/// Why a point cannot be measured.
#[derive(Debug, thiserror::Error)]
pub enum BenchError {
    /// A shipped file or model is not what this build was made with.
    #[error("the shipped chain: {0}")]
    Chain(String),
    /// There is no such preset.
    #[error("{0}")]
    Preset(String),
    /// There is no such layout.
    #[error(transparent)]
    Layout(#[from] zkmargin_program::LayoutError),
    /// There is no such program.
    #[error(transparent)]
    Build(#[from] zkmargin_program::BuildError),
    /// The program has no shape.
    #[error(transparent)]
    Shape(#[from] zkmargin_circuits::ShapeError),
    /// No parameters.
    #[error(transparent)]
    Parameters(#[from] zkmargin_circuits::ParametersError),
    /// No commitment.
    #[error(transparent)]
    Commitment(#[from] zkmargin_circuits::CommitmentError),
    /// No proof.
    #[error(transparent)]
    Prove(#[from] zkmargin_circuits::ProveError),
    /// A proof that does not verify.
    #[error(transparent)]
    Verify(#[from] zkmargin_circuits::Refusal),
    /// A batch that does not verify.
    #[error(transparent)]
    Batch(#[from] zkmargin_circuits::BatchRefusal),
    /// A tick that did not end with a verdict.
    #[error("tick {index}: {reason}")]
    Tick {
        /// Which one.
        index: usize,
        /// Why not.
        reason: String,
    },
    /// The operating system gave no threads.
    #[error("{threads} threads: {reason}")]
    Threads {
        /// So many were asked for.
        threads: usize,
        /// What it said.
        reason: String,
    },
}
