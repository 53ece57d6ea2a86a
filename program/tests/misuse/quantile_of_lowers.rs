use zkmargin_program::*;

fn model(b: &mut Builder, x: Lower) {
    let _ = b.quantile("x", [x], 1);
}

fn main() {}
