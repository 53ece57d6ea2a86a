//! Criterion benches of what `zkmargin bench` measures, and the cost of a single case.

pub use zkmargin_prover::bench::case::Case;
pub use zkmargin_prover::bench::chain::Chain;
