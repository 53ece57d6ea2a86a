//! A model that would let the prover understate its requirement does not compile.
//!
//! The expected messages are those of the newest stable compiler; `TRYBUILD=overwrite` writes them anew.

#[test]
fn misuse_of_sides_does_not_compile() {
    trybuild::TestCases::new().compile_fail("tests/misuse/*.rs");
}
