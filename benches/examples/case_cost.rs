//! What a proof of a case file costs: `cargo run --release -p zkmargin-benches --example case_cost -- CASE.json…`.

use std::time::Instant;

use anyhow::Result;
use cpu_time::ProcessTime;
use zkmargin_benches::Case;
use zkmargin_circuits::{Parameters, Placement};
use zkmargin_risk::terms::Level;

fn main() -> Result<()> {
    let one_thread = rayon::ThreadPoolBuilder::new().num_threads(1).build()?;
    for path in std::env::args().skip(1) {
        let case = zkmargin_risk::case::Case::from_json(&std::fs::read_to_string(&path)?)?;
        let parameters = Parameters::load(case.universe.k(), None)?;
        let started = Instant::now();
        let program = case.compile(Level::Initial)?;
        let compiled = started.elapsed();
        let attested = Case::new(&parameters, program, case.legs().to_vec())?;
        let mut times = Vec::new();
        let mut bytes = 0;
        for _ in 0..5 {
            let started = ProcessTime::now();
            let proof = one_thread.install(|| attested.prove(&parameters))?;
            times.push(started.elapsed());
            attested.verify(&parameters, &proof)?;
            bytes = proof.len();
        }
        times.sort_unstable();
        let placement = Placement::new(attested.program())?;
        println!(
            "{path}: {} legs, {} equations, {} variables, {}+{}+{} columns, compiled in {compiled:.1?}, proven in {:.1?} of CPU, {bytes} bytes",
            attested.program().layout().legs().len(),
            attested.program().equations().len(),
            attested.program().variables().len(),
            placement.shape().q_columns(),
            placement.shape().x_columns(),
            placement.shape().z_columns(),
            times.get(times.len() / 2).copied().unwrap_or_default(),
        );
    }
    Ok(())
}
