use zkmargin_program::*;

fn model(x: Upper) {
    let _: Upper = -x;
}

fn main() {}
