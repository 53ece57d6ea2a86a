//! What a proof under each shipped preset takes on the shipped chain: a change of any figure is made on purpose.

#![allow(clippy::unwrap_used)]

use std::fmt::Write as _;
use std::path::Path;

use zkmargin_benches::Chain;
use zkmargin_circuits::Placement;
use zkmargin_risk::model::PRESETS;

/// Largest proof that a preset may take, in bytes.
const MOST_BYTES: usize = 8 * 1024;

#[test]
fn costs_of_the_presets_are_golden_and_no_proof_is_above_eight_kibibytes() {
    let chain = Chain::shipped().unwrap();
    let mut table =
        "preset | k | equations | variables | q columns | x columns, in groups of | z columns, each a lookup | bits of a limb | proof bytes\n"
            .to_owned();
    for (preset, _) in PRESETS {
        let program = chain.compile(preset).unwrap();
        let placement = Placement::new(&program).unwrap();
        let shape = placement.shape();
        let (equations, variables) = (program.equations().len(), program.variables().len());
        let (q, x, g, z) = (shape.q_columns(), shape.x_columns(), shape.x_group(), shape.z_columns());
        let (k, limb, bytes) = (shape.k(), shape.limb_bits(), shape.proof_bytes());
        writeln!(
            table,
            "{preset} | {k} | {equations} | {variables} | {q} | {x}, {g} | {z} | {limb} | {bytes}"
        )
        .unwrap();
        assert!(bytes <= MOST_BYTES, "{preset}: {bytes} bytes");
    }
    let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/costs.txt");
    if std::env::var_os("ZKMARGIN_REWRITE_GOLDEN").is_some() {
        std::fs::write(&golden, &table).unwrap();
    }
    assert_eq!(table, std::fs::read_to_string(golden).unwrap());
}
