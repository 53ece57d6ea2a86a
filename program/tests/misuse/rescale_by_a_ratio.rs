use zkmargin_program::*;

fn model(b: &mut Builder, x: Lower, y: Ratio) {
    let _ = b.rescale("x", x, y);
}

fn main() {}
