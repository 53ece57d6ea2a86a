use zkmargin_program::*;

fn model(b: &mut Builder, x: Upper, y: Upper) {
    let _ = b.min("x", [x, y]);
}

fn main() {}
