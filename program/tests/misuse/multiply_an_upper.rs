use zkmargin_program::*;

fn model(x: Upper) {
    let _ = x * -1;
}

fn main() {}
