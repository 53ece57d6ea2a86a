use zkmargin_program::*;

fn model(x: Lower) {
    let _ = Upper::from(x);
}

fn main() {}
