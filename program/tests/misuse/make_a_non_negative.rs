use zkmargin_program::*;

fn model(x: Ratio) {
    let _ = NonNegative(x);
}

fn main() {}
