use zkmargin_program::*;

fn model(b: &mut Builder, x: Linear, y: Linear) {
    let _ = b.max("x", [x, y]);
}

fn main() {}
