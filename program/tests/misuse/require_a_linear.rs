use zkmargin_program::*;

fn model(b: &mut Builder, x: Linear) {
    let _ = b.require_non_negative("x", x);
}

fn main() {}
