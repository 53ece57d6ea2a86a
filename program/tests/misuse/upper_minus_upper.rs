use zkmargin_program::*;

fn model(x: Upper, y: Upper) {
    let _ = x - y;
}

fn main() {}
