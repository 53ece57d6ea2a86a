use zkmargin_program::*;

fn model(b: &mut Builder, x: Lower) {
    let _ = b.positive_part("x", x);
}

fn main() {}
