use zkmargin_program::*;

fn model(x: Lower, y: Upper) {
    let _ = x + y;
}

fn main() {}
