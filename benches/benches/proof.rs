//! Criterion benches: compile, prove and verify on the shipped chain.

#![allow(missing_docs, clippy::expect_used)]

use std::hint::black_box;

use criterion::{Criterion, criterion_group, criterion_main};
use zkmargin_benches::{Case, Chain};
use zkmargin_circuits::Parameters;

fn presets(criterion: &mut Criterion) {
    let chain = Chain::shipped().expect("the shipped files");
    let parameters = Parameters::load(chain.universe.k(), None).expect("parameters");
    for preset in ["paradex-pm", "deribit-pm"] {
        let compile = || chain.compile(preset).expect("the preset compiles");
        criterion.bench_function(&format!("{preset}/compile"), |bencher| {
            bencher.iter(|| black_box(compile()))
        });
        let case = Case::new(&parameters, compile(), chain.book(120)).expect("a book");
        let prove = || case.prove(&parameters).expect("a proof");
        criterion.bench_function(&format!("{preset}/prove"), |bencher| {
            bencher.iter(|| black_box(prove()))
        });
        let proof = prove();
        criterion.bench_function(&format!("{preset}/verify"), |bencher| {
            bencher.iter(|| case.verify(&parameters, black_box(&proof)).expect("a valid proof"));
        });
    }
}

fn held(criterion: &mut Criterion) {
    let chain = Chain::shipped().expect("the shipped files");
    let parameters = Parameters::load(chain.universe.k(), None).expect("parameters");
    let program = chain.compile("paradex-pm").expect("the preset compiles");
    for held in [0, 100, 1_000] {
        let case = Case::new(&parameters, program.clone(), chain.book(held)).expect("a book");
        criterion.bench_function(&format!("prove/{held}-instruments"), |bencher| {
            bencher.iter(|| black_box(case.prove(&parameters).expect("a proof")));
        });
    }
}

criterion_group! {
    name = benches;
    config = Criterion::default().sample_size(20);
    targets = presets, held
}
criterion_main!(benches);
