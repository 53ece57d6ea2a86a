use zkmargin_program::*;

fn model(b: &mut Builder, x: Upper, y: Lower) {
    let _ = b.any_of_lower("x", x, y);
}

fn main() {}
