use zkmargin_program::*;

fn model() {
    struct Mine;
    impl Side for Mine {}
}

fn main() {}
