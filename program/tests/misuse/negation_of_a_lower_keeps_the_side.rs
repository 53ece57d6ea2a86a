use zkmargin_program::*;

fn model(x: Lower) {
    let _: Lower = -x;
}

fn main() {}
