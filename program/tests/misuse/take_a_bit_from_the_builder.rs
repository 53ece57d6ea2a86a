use zkmargin_program::*;

fn model(b: &mut Builder) {
    let _ = b.bit(0);
}

fn main() {}
