use zkmargin_program::*;

fn model(x: Lower, y: Lower) {
    let _ = x - y;
}

fn main() {}
