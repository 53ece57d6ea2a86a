use zkmargin_program::*;

fn model(x: Upper, y: Lower) {
    let _ = x + y;
}

fn main() {}
