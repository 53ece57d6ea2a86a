//! A market of two underlyings with every kind and style of instrument, and random books in it.

use rust_decimal::Decimal;
use serde_json::{Value, json};
use zkmargin_risk::market::Snapshot;
use zkmargin_risk::model::Model;
use zkmargin_risk::oracle::{self, OracleError};
use zkmargin_risk::universe::{Line, Universe};

/// Numbers from a seed (splitmix64): a failing case is named by its seed.
pub(crate) struct Random(pub(crate) u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound
    }

    /// 1 to `2^bits`, every order of magnitude as likely as another.
    pub(crate) fn magnitude(&mut self, bits: u64) -> u64 {
        let width = self.below(bits);
        (1 << width) + self.below(1 << width)
    }

    /// `least + 0..range` with this many decimals.
    fn decimal(&mut self, least: i64, range: u64, places: u32) -> String {
        Decimal::new(least + i64::try_from(self.below(range + 1)).unwrap(), places)
            .normalize()
            .to_string()
    }
}

pub(crate) struct World {
    pub(crate) universe: Universe,
    pub(crate) snapshot: Snapshot,
}

const NOW: &str = "2026-08-06T12:00:00Z";
const EXPIRIES: [&str; 4] = [
    "2026-08-07T08:00:00Z",
    "2026-08-28T08:00:00Z",
    "2026-10-30T08:00:00Z",
    "2027-09-24T08:00:00Z",
];

impl World {
    pub(crate) fn new(random: &mut Random) -> World {
        let mut markets = json!({});
        let mut lines = Vec::new();
        for (name, lot) in [
            ("USDC", "0.0001"),
            ("USDT", "0.01"),
            ("BTC", "0.00000001"),
            ("ETH", "0.0000001"),
        ] {
            lines.push(json!({"asset": {"name": name, "lot": lot, "carry": true, "reserve": true}}));
        }
        for (underlying, index) in [("BTC", 64_000_i64), ("ETH", 1_900)] {
            let price = |random: &mut Random| random.decimal(index * 98, u64::try_from(index * 4).unwrap(), 2);
            let (mut expiries, mut futures) = (json!({}), json!({}));
            let mut add = |kind: Value, style: &str, settlement: &str, contract: &str, lot: &str| {
                let name = format!("{underlying}-{}", lines.len());
                lines.push(json!({"instrument": {"name": name, "underlying": underlying, "kind": kind, "style": style, "settlement": settlement, "contract": contract, "lot": lot}}));
            };
            for expiry in EXPIRIES {
                let strike = random.decimal(index * 6, u64::try_from(index * 8).unwrap(), 1);
                let volatility = random.decimal(200, 900, 3);
                expiries[expiry] = json!({"forward": price(random), "strikes": {&strike: {"volatility": volatility, "call": {}, "put": {}}}});
                futures[expiry] = json!({"price": price(random)});
                for right in ["call", "put"] {
                    let kind = json!({"option": {"expiry": expiry, "strike": strike, "right": right}});
                    add(kind.clone(), "inverse", underlying, "1", "0.1");
                    add(kind, "linear", "USDC", "0.1", "1");
                }
                add(json!({"future": {"expiry": expiry}}), "inverse", underlying, "10", "1");
            }
            add(json!("perpetual"), "inverse", underlying, "10", "1");
            add(json!("perpetual"), "linear", "USDC", "0.001", "1");
            add(json!("perpetual"), "linear", "USDT", "0.01", "1");
            let funding = random.decimal(-100, 200, 6);
            markets[underlying] = json!({"index": price(random), "rate": random.decimal(0, 80, 3), "perpetual": {"price": price(random), "funding": funding}, "futures": futures, "expiries": expiries});
        }
        let nothing: [&str; 0] = [];
        let provenance = json!({"source": "random", "licence": "CC0-1.0", "importer": "none", "recorded": nothing, "derived": nothing, "assumed": nothing, "warnings": 0});
        let assets = json!({"USDC": random.decimal(9_900, 120, 4), "USDT": random.decimal(7_000, 3_010, 4)});
        let snapshot = json!({"instant": NOW, "provenance": provenance, "assets": assets, "underlyings": markets});
        let venue = json!({"name": "V", "keys": ["11".repeat(32)], "lines": lines});
        World {
            universe: Universe::from_json(&json!({"network": "test", "k": 8, "venues": [venue]}).to_string()).unwrap(),
            snapshot: Snapshot::from_json(&snapshot.to_string()).unwrap(),
        }
    }

    /// Some of everything; now and then both legs of a pair.
    pub(crate) fn book(&self, random: &mut Random, bits: u64) -> Vec<u64> {
        book_of(&self.universe, random, bits, 3)
    }

    /// The book without what does not count.
    pub(crate) fn counted(&self, model: &Model, mut book: Vec<u64>) -> Vec<u64> {
        while let Err(OracleError::NotCounted(refused)) = oracle::evaluate(model, &self.universe, &self.snapshot, &book)
        {
            let is_refused = |name: &str| {
                refused
                    .iter()
                    .any(|held| held.line == name || held.line.starts_with(&format!("{name} ")))
            };
            for line in &self.universe.venues()[0].lines {
                let name = match line {
                    Line::Instrument(instrument) => instrument.name.clone(),
                    Line::Asset(asset) => asset.label(),
                };
                if is_refused(&name) {
                    line.legs().into_iter().for_each(|leg| book[leg.index()] = 0);
                }
            }
        }
        book
    }
}

/// A random book in any universe: one in `one_in` lines.
pub(crate) fn book_of(universe: &Universe, random: &mut Random, bits: u64, one_in: u64) -> Vec<u64> {
    let mut book = vec![0; universe.layout().slots()];
    for line in universe.venues().iter().flat_map(|venue| &venue.lines) {
        let legs = line.legs();
        match line {
            Line::Instrument(_) if random.below(one_in) == 0 => {
                let side = usize::try_from(random.below(2)).unwrap();
                book[legs[side].index()] = random.magnitude(bits);
                if random.below(6) == 0 {
                    book[legs[1 - side].index()] = random.magnitude(bits);
                }
            }
            Line::Instrument(_) => {}
            Line::Asset(_) => {
                for leg in legs {
                    if random.below(3) == 0 {
                        book[leg.index()] = random.magnitude(bits + 14);
                    }
                }
            }
        }
    }
    book
}
