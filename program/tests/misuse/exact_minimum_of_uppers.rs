use zkmargin_program::*;

fn model(b: &mut Builder, x: Upper, y: Upper) {
    let _ = b.exact_min("x", x, y);
}

fn main() {}
