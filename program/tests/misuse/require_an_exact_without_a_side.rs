use zkmargin_program::*;

fn model(b: &mut Builder, x: Exact) {
    let _ = b.require_non_negative("x", x);
}

fn main() {}
