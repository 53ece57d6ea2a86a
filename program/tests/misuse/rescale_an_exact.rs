use zkmargin_program::*;

fn model(b: &mut Builder, x: Exact, y: NonNegative) {
    let _ = b.rescale("x", x, y);
}

fn main() {}
