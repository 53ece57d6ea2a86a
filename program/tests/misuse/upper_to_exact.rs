use zkmargin_program::*;

fn model(x: Upper) {
    let _ = Exact::from(x);
}

fn main() {}
