//! Whether the time of a proof tells what is proven: books of two classes under one program are proven in turn, in random order, by one thread of
//! one process, and their processor times are compared by Welch's t and Cohen's d, as dudect does. Every proof is of another book of its class.
//!
//! What is timed is what `zkmargin prove` does with secrets: commitments to all columns, which it compares with the attested ones, and the argument.
//! Files, signatures, the compiler and the verifier's check of what was proven are left out.
//!
//! `cargo run --release -p zkmargin-tests --example timing -- [ROUNDS]`. A |t| above 4.5 is a difference, whatever its size; d is the size, in standard
//! deviations; both are given for all proofs and without the slowest tenth. The first row compares a class with itself: what is not above it is noise.
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
use zkmargin_tests::on_this_thread_alone;

const ROUNDS: usize = 200;
const K: u32 = 8;
/// Lines of the shipped universe that are kept: three columns at `k = 8`.
const LINES: usize = 300;
/// The slowest of both classes that are left out in the second half of the table: what the machine did meanwhile.
const CROPPED: f64 = 0.1;
/// Cash that is more than enough for any book here.
const AMPLE: u64 = 1 << 47;

/// A book, committed to.
struct Attested {
    points: Vec<Vec<Point>>,
    opening: Opening,
    book: Vec<u64>,
    blinds: Vec<Blind>,
}

/// What the books of a class have in common.
#[derive(Clone, Copy)]
struct Class {
    /// Of every instrument that is held, so many instruments of a hundred.
    held: u32,
    /// Most lots of an instrument that is held; at least half of it.
    lots: u64,
    /// Whether the cash is the least with which it is provable, or ample.
    barely: bool,
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

    /// A book of a class: which instruments, long or short, and how many lots are drawn.
    fn draw(&self, class: Class, random: &mut ChaCha20Rng) -> Vec<u64> {
        let mut book = vec![0; self.program.layout().slots()];
        for (long, short) in &self.instruments {
            // Drawn of every class alike.
            let [held, side, lots] = [(); 3].map(|()| random.next_u64());
            if held % 100 < u64::from(class.held) {
                let leg = if side & 1 == 0 { long } else { short };
                book[leg.index()] = class.lots - lots % class.lots.div_ceil(2);
            }
        }
        let cash = if class.barely {
            self.least_cash(&mut book)
        } else {
            AMPLE
        };
        book[self.cash.index()] = cash - random.next_u64() % 1_000 * u64::from(!class.barely);
        book
    }

    /// The least cash with which a book is provable.
    fn least_cash(&self, book: &mut [u64]) -> u64 {
        let mut is_enough = |cash: u64| {
            book[self.cash.index()] = cash;
            self.program.witness(book).is_ok()
        };
        let (mut short, mut enough) = (0, AMPLE);
        assert!(is_enough(enough));
        while enough - short > 1 {
            let middle = short + (enough - short) / 2;
            if is_enough(middle) {
                enough = middle;
            } else {
                short = middle;
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
            opening: Opening::new(book.clone(), blinds.clone()),
            book,
            blinds,
        }
    }

    /// Processor time of recomputing the commitments and of one proof, in milliseconds.
    fn prove(&self, attested: &Attested) -> f64 {
        let claim = Claim {
            statement: [0; 32],
            program: &self.program,
            attested: &attested.points,
            public: &[],
        };
        let begun = ThreadTime::now();
        let columns = attested.book.chunks(self.program.layout().rows());
        for ((column, blind), points) in columns.zip(&attested.blinds).zip(&attested.points) {
            let made = commit(&self.parameters, column, blind).unwrap();
            assert!(points == &[made], "the opening opens something else");
        }
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

/// Means, difference, `t` and `d`, as cells of the table.
fn compare(classes: [&[f64]; 2]) -> String {
    let [(a, var_a), (b, var_b)] = classes.map(moments);
    let [n_a, n_b] = classes.map(|class| class.len() as f64);
    let t = (a - b) / (var_a / n_a + var_b / n_b).sqrt();
    let d = (a - b) / ((var_a + var_b) / 2.0).sqrt();
    format!("{a:.2} | {b:.2} | {:+.2} % | {t:+.1} | {d:+.2} |", 100.0 * (a - b) / b)
}

/// Without the slowest of both classes together.
fn cropped(classes: [&[f64]; 2]) -> [Vec<f64>; 2] {
    let mut all = classes.concat();
    all.sort_by(f64::total_cmp);
    let limit = all[((1.0 - CROPPED) * (all.len() - 1) as f64) as usize];
    classes.map(|class| class.iter().copied().filter(|time| *time <= limit).collect())
}

fn main() {
    let rounds = std::env::args()
        .nth(1)
        .map_or(ROUNDS, |rounds| rounds.parse().expect("a number of rounds"));
    let desk = Desk::new();
    let class = |held, lots| Class {
        held,
        lots,
        barely: false,
    };
    let some = class(50, 1 << 10);
    let pairs = [
        ("half of the instruments held, and the same again", [some, some]),
        ("every instrument held, none held", [class(100, 1 << 10), class(0, 1)]),
        (
            "lots of half to all of 2^16, 1 lot of each",
            [class(50, 1 << 16), class(50, 1)],
        ),
        (
            "met with all there can be, met to the last lot",
            [some, Class { barely: true, ..some }],
        ),
    ];
    let mut random = ChaCha20Rng::from_seed([1; 32]);
    let mut times = vec![[Vec::new(), Vec::new()]; pairs.len()];
    // The thread's own time is all of it.
    on_this_thread_alone();
    for round in 0..=rounds {
        for ((_, classes), times) in pairs.iter().zip(&mut times) {
            let first = (random.next_u32() & 1) as usize;
            // Both are made before either is timed.
            let books = classes.map(|class| desk.attest(desk.draw(class, &mut random)));
            for class in [first, 1 - first] {
                let time = desk.prove(&books[class]);
                // The first round warms up.
                if round > 0 {
                    times[class].push(time);
                }
            }
        }
    }
    let (legs, equations) = (desk.program.layout().legs().len(), desk.program.equations().len());
    println!("paradex-pm, k = {K}, {legs} legs, {equations} equations; milliseconds of CPU, one thread\n");
    for (what, crop) in [("all proofs", false), ("without the slowest tenth of both", true)] {
        println!("{what}\n\n| classes A, B | proofs | A | B | A − B | t | d |\n|---|---|---|---|---|---|---|");
        for ((title, _), [a, b]) in pairs.iter().zip(&times) {
            let kept = if crop { cropped([a, b]) } else { [a.clone(), b.clone()] };
            let [a, b] = kept.each_ref().map(Vec::as_slice);
            println!("| {title} | {} + {} | {}", a.len(), b.len(), compare([a, b]));
        }
        println!();
    }
}
