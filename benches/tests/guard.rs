//! A slowdown of proving or verifying by a fifth fails; so does a gain of a fifth, after which a much larger slowdown would pass.
//!
//! What is compared is processor time in multiples of a multi-exponentiation by the proof library, measured in turns with it and for about as
//! long: the ratio is nearly the same on machines that are fast and slow, idle and loaded, and whose speed changes while it is taken.
//!
//! What this cannot see: whatever slows the multi-exponentiation as much as the rest, such as a slower curve library or another level of
//! optimisation. Of these it asks for the curve library's assembly; code cannot ask with which profile it was built, but for its assertions.

#![allow(clippy::unwrap_used)]

use cpu_time::ThreadTime;
use ff::{Field, PrimeField};
use group::{Curve, Group};
use halo2_proofs::arithmetic::best_multiexp;
use pasta_curves::{Ep, Fq};
use zkmargin_benches::{Case, Chain};
use zkmargin_circuits::Parameters;

/// A model, and what its proof takes to make and to verify, in units of [`reference`]. To set anew, on purpose, from what the test prints.
const BASELINE: [(&str, [f64; 2]); 2] = [("paradex-pm", [34.3, 1.30]), ("hs-es", [47.4, 2.39])];

/// How much slower is a failure: by less than a fifth, so that noise in the other direction hides none.
const MOST: f64 = 1.15;
/// How much faster is one: what became so much faster needs another baseline.
const LEAST: f64 = 0.8;

/// Turns, of which the median counts.
const TURNS: usize = 9;

/// Least time of a turn, in seconds.
const TURN: f64 = 0.1;

/// How often a machine is asked that says that something is off.
const TRIES: usize = 3;

/// Points of the reference, a whole column at `k = 9`.
const POINTS: usize = 512;

/// A multi-exponentiation of full-size scalars.
fn reference() -> impl Fn() {
    let scalars: Vec<Fq> = std::iter::successors(Some(Fq::DELTA), |last| Some(*last * Fq::DELTA + Fq::ONE))
        .take(POINTS)
        .collect();
    let points: Vec<Ep> = std::iter::successors(Some(Ep::generator()), |last| Some(last.double() + Ep::generator()))
        .take(POINTS)
        .collect();
    let mut affine = vec![Ep::generator().to_affine(); POINTS];
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

/// Time of `work` in units of the time of the reference.
fn relative(reference: &impl Fn(), mut work: impl FnMut()) -> f64 {
    let times = |seconds: f64| (TURN / seconds).ceil().max(1.0) as u32;
    let (unit, once) = (seconds(reference), seconds(&mut work));
    let works = times(once);
    let references = times(unit).max((f64::from(works) * once / unit) as u32);
    let referred = || seconds(|| (0..references).for_each(|_| reference())) / f64::from(references);
    let mut before = referred();
    let mut ratios: Vec<f64> = Vec::with_capacity(TURNS);
    for _ in 0..TURNS {
        let worked = seconds(|| (0..works).for_each(|_| work())) / f64::from(works);
        let after = referred();
        ratios.push(2.0 * worked / (before + after));
        before = after;
    }
    ratios.sort_by(f64::total_cmp);
    ratios[TURNS / 2]
}

/// The models and figures that are too slow, or so much faster that the baseline is out of date.
fn off(measured: &[(&str, [f64; 2])]) -> Vec<String> {
    let mut found = Vec::new();
    for ((model, now), (_, then)) in measured.iter().zip(BASELINE) {
        for ((what, now), then) in ["prove", "verify"].iter().zip(now).zip(then) {
            let figures = format!("{model}: to {what} takes {now:.2} references, {then:.2} in the baseline");
            if *now > MOST * then {
                found.push(format!("{figures}: more than {MOST} times as long"));
            } else if *now < LEAST * then {
                found.push(format!(
                    "{figures}: less than {LEAST} times as long; set BASELINE anew, or a slowdown back to it passes"
                ));
            }
        }
    }
    found
}

#[test]
fn a_fifth_slower_or_faster_is_noticed_and_a_tenth_is_not() {
    let times = |factor: f64, which: usize| {
        let mut measured = BASELINE;
        measured[1].1[which] *= factor;
        off(&measured)
    };
    for which in [0, 1] {
        assert_eq!(times(1.21, which).len(), 1);
        assert!(times(0.79, which)[0].contains("set BASELINE anew"));
        assert!(times(1.1, which).is_empty() && times(0.9, which).is_empty());
    }
}

#[test]
#[cfg_attr(debug_assertions, ignore = "is about optimised code")]
fn proving_and_verifying_take_as_long_as_they_did() {
    if cfg!(any(
        target_arch = "aarch64",
        all(target_arch = "x86_64", not(target_vendor = "apple"))
    )) {
        assert_ne!(
            pasta_curves::BACKEND,
            "portable",
            "the curve library is built without its assembly, which the baseline was taken with"
        );
    }
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
    let mut found = Vec::new();
    for _ in 0..TRIES {
        let measured = one_thread.install(|| cases.each_ref().map(|(model, case)| (*model, measure(case))));
        println!("{measured:.2?}");
        found = off(&measured);
        if found.is_empty() {
            break;
        }
    }
    assert!(found.is_empty(), "{found:#?}");
}
