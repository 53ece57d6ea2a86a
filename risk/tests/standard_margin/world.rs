//! Two venues, two underlyings, options, futures and perpetuals of both styles; markets and books at random.

use num_bigint::BigInt;
use num_rational::BigRational;
use rust_decimal::Decimal;
use serde_json::{Value, json};
use zkmargin_program::Program;
use zkmargin_risk::market::Snapshot;
use zkmargin_risk::model::Model;
use zkmargin_risk::oracle::{self, Evaluation};
use zkmargin_risk::terms::{Level, Ratio20, Terms};
use zkmargin_risk::universe::{Line, Universe};

pub(crate) const NOW: &str = "2026-08-06T12:00:00Z";
const NEAR: &str = "2026-08-28T08:00:00Z";
const FAR: &str = "2027-03-26T08:00:00Z";
const STRIKES: [(&str, u32, [&str; 3]); 2] = [
    ("BTC", 64_000, ["50000", "64000", "80000"]),
    ("ETH", 1_800, ["1500", "1850", "2400"]),
];

/// Splitmix64: a failing case is named by its seed.
pub(crate) struct Random(pub(crate) u64);

impl Random {
    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound
    }

    fn decimal(&mut self, least: u64, range: u64, places: u32) -> String {
        let mantissa = i64::try_from(least + self.below(range + 1)).unwrap();
        Decimal::new(mantissa, places).normalize().to_string()
    }

    /// 1 to `2^bits`, every order of magnitude as likely as another.
    fn magnitude(&mut self, bits: u64) -> u64 {
        let width = self.below(bits);
        (1 << width) + self.below(1 << width)
    }
}

pub(crate) fn universe() -> Universe {
    let mut venues = Vec::new();
    for (name, key) in [("alpha", "11"), ("beta", "22")] {
        let mut lines = Vec::new();
        for asset in ["USDC", "BTC", "ETH"] {
            lines.push(json!({"asset": {"name": asset, "lot": "0.00000001", "carry": true, "reserve": true}}));
        }
        for (underlying, _, strikes) in STRIKES {
            for style in ["linear", "inverse"] {
                let is_linear = style == "linear";
                let settlement = if is_linear { "USDC" } else { underlying };
                let mut add = |name: String, kind: Value, contract: &str, lot: &str| {
                    lines.push(
                        json!({"instrument": {"name": format!("{underlying}-{style}-{name}"), "underlying": underlying,
                        "kind": kind, "style": style, "settlement": settlement, "contract": contract, "lot": lot}}),
                    );
                };
                let contract = if is_linear { "0.1" } else { "10" };
                add("PERP".into(), json!("perpetual"), contract, "1");
                add("FUT".into(), json!({"future": {"expiry": NEAR}}), contract, "1");
                for (expiry, tag) in [(NEAR, "N"), (FAR, "F")] {
                    for strike in strikes {
                        for right in ["call", "put"] {
                            let kind = json!({"option": {"expiry": expiry, "strike": strike, "right": right}});
                            add(format!("{tag}-{strike}-{right}"), kind, "1", "0.1");
                        }
                    }
                }
            }
        }
        venues.push(json!({"name": name, "keys": [key.repeat(32)], "lines": lines}));
    }
    Universe::from_json(&json!({"network": "test", "k": 8, "venues": venues}).to_string()).unwrap()
}

/// Prices near what the strikes are for; now and then a stablecoin without its peg, and an oracle that is not sure.
pub(crate) fn snapshot(random: &mut Random) -> Snapshot {
    let nothing: [&str; 0] = [];
    let provenance = json!({"source": "random", "licence": "CC0-1.0", "importer": "none", "recorded": nothing, "derived": nothing, "assumed": nothing, "warnings": 0});
    let mut underlyings = json!({});
    for (name, level, strikes) in STRIKES {
        let near = |random: &mut Random| {
            (Decimal::from(level) * Decimal::new(i64::try_from(900 + random.below(200)).unwrap(), 3))
                .normalize()
                .to_string()
        };
        let confidence = |random: &mut Random| random.decimal(0, 10, 1);
        let mut expiries = json!({});
        for expiry in [NEAR, FAR] {
            let mut chain = json!({});
            for strike in strikes {
                chain[strike] = json!({"volatility": random.decimal(20, 180, 2), "call": {}, "put": {}});
            }
            expiries[expiry] = json!({"forward": near(random), "strikes": chain, "confidence": confidence(random)});
        }
        underlyings[name] = json!({"index": near(random), "confidence": confidence(random), "rate": random.decimal(0, 50, 3),
            "perpetual": {"price": near(random), "funding": "0.0003", "confidence": confidence(random), "quote": {"open_interest": random.decimal(0, 90_000_000, 0)}},
            "futures": {NEAR: {"price": near(random), "quote": {"open_interest": random.decimal(0, 90_000_000, 0)}}}, "expiries": expiries});
    }
    let assets = json!({"USDC": random.decimal(9_500, 1_000, 4)});
    let snapshot = json!({"instant": NOW, "provenance": provenance, "assets": assets,
        "confidences": {"BTC": random.decimal(0, 10, 1)}, "underlyings": underlyings});
    Snapshot::from_json(&snapshot.to_string()).unwrap()
}

/// A model on one market, compiled at both levels.
pub(crate) struct Bench {
    pub(crate) universe: Universe,
    pub(crate) snapshot: Snapshot,
    pub(crate) model: Model,
    pub(crate) programs: Vec<(Level, Program)>,
}

/// What program and oracle make of a book at one level, in the numéraire.
pub(crate) struct Both {
    pub(crate) level: Level,
    pub(crate) program: BigRational,
    pub(crate) oracle: BigRational,
    pub(crate) bound: BigRational,
}

impl Bench {
    pub(crate) fn new(model: &str, universe: Universe, snapshot: Snapshot) -> Bench {
        let model = Model::from_json(model).unwrap();
        let compile = |level| (level, model.compile(&universe, &snapshot, &Terms::at(level)).unwrap());
        let programs = [Level::Initial, Level::Maintenance].map(compile).into();
        Bench {
            universe,
            snapshot,
            model,
            programs,
        }
    }

    pub(crate) fn evaluate(&self, book: &[u64]) -> Evaluation {
        oracle::evaluate(&self.model, &self.universe, &self.snapshot, book).unwrap()
    }

    /// Every witness is checked, and its verdict is that of the largest excess.
    pub(crate) fn both(&self, book: &[u64]) -> Vec<Both> {
        let evaluation = self.evaluate(book);
        let total = |at: fn(&oracle::Component) -> &BigRational| {
            evaluation
                .components
                .iter()
                .fold(BigRational::default(), |sum, part| sum + at(part))
        };
        assert_eq!(total(|part| &part.initial), evaluation.initial);
        assert_eq!(total(|part| &part.maintenance), evaluation.maintenance);
        self.programs
            .iter()
            .map(|(level, program)| {
                let unit = BigRational::new(
                    1.into(),
                    BigInt::from(10).pow(program.header().unit_exponent.unsigned_abs()),
                );
                let units = |units: i128| BigRational::from_integer(units.into()) * &unit;
                let least = program
                    .surplus(book)
                    .unwrap()
                    .into_iter()
                    .map(|(_, units)| units)
                    .min()
                    .unwrap();
                match program.witness(book) {
                    Ok(witness) => {
                        program.check(book, witness.values()).unwrap();
                        assert!(least >= 0);
                    }
                    Err(error) => assert!(least < 0, "{error}"),
                }
                Both {
                    level: *level,
                    program: units(least),
                    oracle: evaluation.excess(*level, Ratio20::ONE, 0),
                    bound: BigRational::from_integer(program.rounding_bound(book).into()) * &unit,
                }
            })
            .collect()
    }

    /// Some of everything that counts; both legs of some pairs, as accounts that are added up have them.
    pub(crate) fn book(&self, random: &mut Random) -> Vec<u64> {
        let mut book = vec![0; self.universe.layout().slots()];
        let (size, one_in) = (1 + random.below(16), 1 + random.below(12));
        for line in self.universe.venues().iter().flat_map(|venue| &venue.lines) {
            for (place, leg) in line.legs().into_iter().enumerate() {
                let of_asset = if matches!(line, Line::Asset(_)) { 24 } else { 0 };
                if random.below(one_in * (1 + place as u64 % 2)) == 0 {
                    book[leg.index()] = random.magnitude(size + of_asset);
                }
            }
        }
        book
    }
}

/// How many markets and books of each test, a few by default: `ORACLE_CASES=1000` for a long search.
pub(crate) fn cases() -> u64 {
    std::env::var("ORACLE_CASES")
        .ok()
        .and_then(|cases| cases.parse().ok())
        .unwrap_or(24)
}
