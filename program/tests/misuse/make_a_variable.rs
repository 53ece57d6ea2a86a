use zkmargin_program::*;

fn model() {
    let _ = VarId::new(0);
}

fn main() {}
