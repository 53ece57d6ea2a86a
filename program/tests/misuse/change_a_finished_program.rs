use zkmargin_program::*;

fn model(p: &mut Program) {
    p.equations.clear();
}

fn main() {}
