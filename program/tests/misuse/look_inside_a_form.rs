use zkmargin_program::*;

fn model(x: Upper) {
    let _ = x.0;
}

fn main() {}
