use zkmargin_program::*;

fn model(x: Upper, y: Linear) {
    let _ = x + y;
}

fn main() {}
