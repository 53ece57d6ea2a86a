//! Works out a case file: `cargo run -p zkmargin-risk --example run_case CASE.json`.
fn main() -> Result<(), Box<dyn std::error::Error>> {
    for path in std::env::args().skip(1) {
        let outcome = zkmargin_risk::case::Case::from_json(&std::fs::read_to_string(&path)?)?.run()?;
        println!("{}", serde_json::to_string_pretty(&outcome)?);
    }
    Ok(())
}
