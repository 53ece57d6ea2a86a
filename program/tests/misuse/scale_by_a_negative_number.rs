use zkmargin_program::*;

fn model(b: &mut Builder, x: Upper) {
    let _ = b.scale(x, -2);
}

fn main() {}
