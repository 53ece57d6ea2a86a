use zkmargin_program::*;

fn model(b: &mut Builder, x: Upper, y: Ratio) {
    let _ = b.scale(x, y);
}

fn main() {}
