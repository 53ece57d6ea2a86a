//! Whether the time of a proof tells what is proven: two classes of books under one program are proven in turn, in random order, by one thread of
//! one process, and their processor times are compared by Welch's t and Cohen's d, as dudect does.
//!
//! `cargo run --release -p zkmargin-tests --example timing -- [ROUNDS]`. A |t| above 4.5 is a difference, whatever its size; d is the size, in standard
//! deviations. The first row compares a class with itself: what is not above it is noise.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::path::Path;
use std::time::Duration;

use cpu_time::ThreadTime;
use rand_chacha::ChaCha20Rng;
use rand_core::{Rng, SeedableRng};
use serde_json::Value;
use zkmargin_circuits::{Blind, Claim, Opening, Parameters, Point, commit, prove_unchecked};
use zkmargin_program::{LegId, Program};
use zkmargin_risk::market::Snapshot;
use zkmargin_risk::model::Model;
use zkmargin_risk::terms::{Level, Terms};
use zkmargin_risk::universe::Universe;

const ROUNDS: usize = 200;
const K: u32 = 8;
/// Lines of the shipped universe that are kept: three columns at `k = 8`.
const LINES: usize = 300;
/// The slowest of both classes that are left out: what the machine did meanwhile.
const CROPPED: f64 = 0.1;

/// A book, committed to.
struct Attested {
    points: Vec<Vec<Point>>,
    opening: Opening,
}

struct Desk {
    program: Program,
    parameters: Parameters,
    instruments: Vec<(LegId, LegId)>,
    cash: LegId,
}

impl Desk {
    fn new() -> Self {
        let read = |name: &str| {
            let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples").join(name);
            std::fs::read_to_string(path).unwrap()
        };
        let mut file: Value = serde_json::from_str(&read("universes/single.json")).unwrap();
        file["k"] = K.into();
        file["venues"][0]["lines"].as_array_mut().unwrap().truncate(LINES);
        let universe = Universe::from_json(&file.to_string()).unwrap();
        let snapshot = Snapshot::from_json(&read("snapshots/2026-08-06T1200Z.json")).unwrap();
        let model = Model::preset("paradex-pm").unwrap();
        let program = model
            .compile(&universe, &snapshot, &Terms::at(Level::Maintenance))
            .unwrap();
        let cash = universe
            .assets()
            .find(|(_, asset)| asset.name == "USDC")
            .unwrap()
            .1
            .balance;
        Self {
            program,
            parameters: Parameters::load(K, None).unwrap(),
            instruments: universe.instruments().map(|(_, one)| (one.long, one.short)).collect(),
            cash,
        }
    }

    /// So many lots of every instrument, long and short in turn, with this much cash.
    fn book(&self, lots: u64, cash: u64) -> Vec<u64> {
        let mut book = vec![0; self.program.layout().slots()];
        for (index, (long, short)) in self.instruments.iter().enumerate() {
            book[if index % 2 == 0 { long } else { short }.index()] = lots;
        }
        book[self.cash.index()] = cash;
        book
    }

    /// The least cash with which a book is provable.
    fn least_cash(&self, lots: u64) -> u64 {
        let (mut short, mut enough) = (0, 1 << 47);
        assert!(self.program.witness(&self.book(lots, enough)).is_ok());
        while enough - short > 1 {
            let middle = short + (enough - short) / 2;
            match self.program.witness(&self.book(lots, middle)) {
                Ok(_) => enough = middle,
                Err(_) => short = middle,
            }
        }
        enough
    }

    fn attest(&self, book: Vec<u64>) -> Attested {
        let columns = book.chunks(self.program.layout().rows());
        let blinds: Vec<Blind> = columns.clone().map(|_| Blind::random().unwrap()).collect();
        let points = columns
            .zip(&blinds)
            .map(|(column, blind)| vec![commit(&self.parameters, column, blind).unwrap()]);
        Attested {
            points: points.collect(),
            opening: Opening::new(book, blinds),
        }
    }

    /// Processor time of one proof, in milliseconds.
    fn prove(&self, attested: &Attested) -> f64 {
        let claim = Claim {
            statement: [0; 32],
            program: &self.program,
            attested: &attested.points,
            public: &[],
        };
        let begun = ThreadTime::now();
        prove_unchecked(&self.parameters, &[claim], std::slice::from_ref(&attested.opening)).unwrap();
        milliseconds(begun.elapsed())
    }
}

fn milliseconds(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}

/// Mean and variance.
fn moments(sample: &[f64]) -> (f64, f64) {
    let mean = sample.iter().sum::<f64>() / sample.len() as f64;
    let squares: f64 = sample.iter().map(|time| (time - mean).powi(2)).sum();
    (mean, squares / (sample.len() - 1) as f64)
}

/// A row of the table: means, difference, `t`, `d`.
fn compare(title: &str, classes: [&[f64]; 2]) {
    let mut all = classes.concat();
    all.sort_by(f64::total_cmp);
    let limit = all[((1.0 - CROPPED) * (all.len() - 1) as f64) as usize];
    let cropped = classes.map(|class| class.iter().copied().filter(|time| *time <= limit).collect::<Vec<_>>());
    let [(a, var_a), (b, var_b)] = [moments(&cropped[0]), moments(&cropped[1])];
    let [n_a, n_b] = [cropped[0].len() as f64, cropped[1].len() as f64];
    let t = (a - b) / (var_a / n_a + var_b / n_b).sqrt();
    let d = (a - b) / ((var_a + var_b) / 2.0).sqrt();
    println!(
        "| {title} | {n_a} + {n_b} | {a:.2} | {b:.2} | {:+.2} % | {t:+.1} | {d:+.2} |",
        100.0 * (a - b) / b
    );
}

fn main() {
    let rounds = std::env::args()
        .nth(1)
        .map_or(ROUNDS, |rounds| rounds.parse().expect("a number of rounds"));
    let desk = Desk::new();
    let barely = desk.least_cash(1);
    let ample = 1 << 46;
    let pairs = [
        ("empty, and the same again", [desk.book(0, ample), desk.book(0, ample)]),
        (
            "every instrument held, none held",
            [desk.book(1, ample), desk.book(0, ample)],
        ),
        (
            "2^16 lots of each, 1 lot of each",
            [desk.book(1 << 16, ample), desk.book(1, ample)],
        ),
        (
            "met with all there can be, met to the last lot",
            [desk.book(1, ample), desk.book(1, barely)],
        ),
    ];
    let pairs = pairs.map(|(title, books)| (title, books.map(|book| desk.attest(book))));
    let mut random = ChaCha20Rng::from_seed([1; 32]);
    let mut times = vec![[Vec::new(), Vec::new()]; pairs.len()];
    // The thread's own time is all of it.
    let one_thread = rayon::ThreadPoolBuilder::new().num_threads(1).build().unwrap();
    one_thread.install(|| {
        for round in 0..=rounds {
            for ((_, classes), times) in pairs.iter().zip(&mut times) {
                let first = (random.next_u32() & 1) as usize;
                for class in [first, 1 - first] {
                    let time = desk.prove(&classes[class]);
                    // The first round warms up.
                    if round > 0 {
                        times[class].push(time);
                    }
                }
            }
        }
    });
    let (legs, equations) = (desk.program.layout().legs().len(), desk.program.equations().len());
    println!("paradex-pm, k = {K}, {legs} legs, {equations} equations; milliseconds of CPU, one thread\n");
    println!("| classes A, B | proofs | A | B | A − B | t | d |\n|---|---|---|---|---|---|---|");
    for ((title, _), [a, b]) in pairs.iter().zip(&times) {
        compare(title, [a, b]);
    }
}
