//! A slowdown of proving or verifying by a fifth fails.
//!
//! What is compared is processor time in multiples of a multi-exponentiation by the proof library, measured in turns with it: the ratio is nearly
//! the same on machines that are fast and slow, idle and loaded. Noise only adds time, so the least of many turns counts.

#![allow(clippy::unwrap_used)]

use cpu_time::ThreadTime;
use ff::Field;
use group::prime::PrimeCurveAffine as _;
use group::{Curve, Group};
use halo2_proofs::arithmetic::best_multiexp;
use pasta_curves::{Ep, EpAffine, Fq};
use zkmargin_benches::{Case, Chain};
use zkmargin_circuits::Parameters;

/// A model, and what its proof takes to make and to verify, in units of [`reference`]. To set anew, on purpose, from what the test prints.
const BASELINE: [(&str, [f64; 2]); 2] = [("paradex-pm", [1.0, 1.0]), ("hs-es", [1.0, 1.0])];

/// How much slower is a failure.
const MOST: f64 = 1.2;

/// Turns: the more, the less noise.
const TURNS: usize = 12;

/// Points of the reference, a whole column at `k = 9`.
const POINTS: usize = 512;

/// A multi-exponentiation of full-size scalars.
fn reference() -> impl Fn() {
    let scalars: Vec<Fq> = std::iter::successors(Some(Fq::DELTA), |last| Some(*last * Fq::DELTA + Fq::ONE))
        .take(POINTS)
        .collect();
    let points: Vec<Ep> = std::iter::successors(Some(Ep::generator()), |last| {
        Some(last.double() + EpAffine::generator())
    })
    .take(POINTS)
    .collect();
    let mut affine = vec![EpAffine::identity(); POINTS];
    Ep::batch_normalize(&points, &mut affine);
    move || {
        std::hint::black_box(best_multiexp(&scalars, &affine));
    }
}

fn seconds(work: impl FnOnce()) -> f64 {
    let started = ThreadTime::now();
    work();
    started.elapsed().as_secs_f64()
}

/// Least time of `work` in units of the least time of the reference.
fn relative(reference: &impl Fn(), mut work: impl FnMut()) -> f64 {
    let (mut least, mut unit) = (f64::INFINITY, f64::INFINITY);
    for _ in 0..TURNS {
        // Twice as many of what is short.
        unit = unit.min(seconds(reference));
        least = least.min(seconds(&mut work));
        unit = unit.min(seconds(reference));
    }
    least / unit
}

/// The models and figures that are too slow.
fn too_slow(measured: &[(&str, [f64; 2])]) -> Vec<String> {
    let mut found = Vec::new();
    for ((model, now), (_, then)) in measured.iter().zip(BASELINE) {
        for ((what, now), then) in ["prove", "verify"].iter().zip(now).zip(then) {
            if *now > MOST * then {
                found.push(format!(
                    "{model}: to {what} takes {now:.2} references, {then:.2} before"
                ));
            }
        }
    }
    found
}

#[test]
fn a_fifth_slower_is_noticed_and_a_tenth_is_not() {
    let times = |factor: f64, which: usize| {
        let mut measured = BASELINE;
        measured[1].1[which] *= factor;
        too_slow(&measured)
    };
    for which in [0, 1] {
        assert_eq!(times(1.21, which).len(), 1);
        assert!(times(1.1, which).is_empty());
    }
}

#[test]
#[cfg_attr(debug_assertions, ignore = "is about optimised code")]
fn proving_and_verifying_are_not_slower_than_they_were() {
    let one_thread = rayon::ThreadPoolBuilder::new().num_threads(1).build().unwrap();
    let chain = Chain::shipped().unwrap();
    let parameters = Parameters::load(chain.universe.k(), None).unwrap();
    let cases = BASELINE.map(|(model, _)| {
        (
            model,
            Case::new(&parameters, chain.compile(model).unwrap(), chain.book(120)).unwrap(),
        )
    });
    let measure = |case: &Case| {
        let reference = reference();
        let proof = case.prove(&parameters).unwrap();
        [
            relative(&reference, || drop(case.prove(&parameters).unwrap())),
            relative(&reference, || case.verify(&parameters, &proof).unwrap()),
        ]
    };
    let measured = one_thread.install(|| cases.each_ref().map(|(model, case)| (*model, measure(case))));
    println!("{measured:.2?}");
    let slow = too_slow(&measured);
    // A machine that is busy in an unlucky way is asked once more.
    let slow = if slow.is_empty() {
        slow
    } else {
        too_slow(&one_thread.install(|| cases.each_ref().map(|(model, case)| (*model, measure(case)))))
    };
    assert!(slow.is_empty(), "{slow:#?}");
}
