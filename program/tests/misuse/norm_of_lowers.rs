use zkmargin_program::*;

fn model(b: &mut Builder, x: Lower) {
    let _ = b.norm("x", [x]);
}

fn main() {}
