use zkmargin_program::*;

fn model(b: &mut Builder, x: Lower, y: Lower) {
    let _ = b.max("x", [x, y]);
}

fn main() {}
