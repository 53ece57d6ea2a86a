use zkmargin_program::*;

fn model(b: &mut Builder, x: Lower) {
    let _ = b.expected_shortfall("x", [x], 1);
}

fn main() {}
