//! Random markets, universes, models and books.

use rust_decimal::Decimal;
use serde_json::{Value, json};
use zkmargin_risk::market::Snapshot;
use zkmargin_risk::model::Model;
use zkmargin_risk::oracle::{self, OracleError};
use zkmargin_risk::terms::{Deposit, Level, Order, Ratio20, Terms};
use zkmargin_risk::universe::{Line, Universe};

/// A number in a range of 0 to 1 and so on, from a seed (splitmix64): a failing case is named by its seed.
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

    pub(crate) fn chance(&mut self, one_in: u64) -> bool {
        self.below(one_in) == 0
    }

    pub(crate) fn pick<'a, T>(&mut self, all: &'a [T]) -> &'a T {
        &all[usize::try_from(self.below(all.len() as u64)).unwrap()]
    }

    /// `least + 0..range` with this many decimals.
    pub(crate) fn decimal(&mut self, least: i64, range: u64, places: u32) -> Decimal {
        Decimal::new(least + i64::try_from(self.below(range + 1)).unwrap(), places).normalize()
    }

    /// 1 to `2^bits`, every order of magnitude as likely as another.
    pub(crate) fn magnitude(&mut self, bits: u64) -> u64 {
        let width = self.below(bits);
        (1 << width) + self.below(1 << width)
    }
}

pub(crate) struct World {
    pub(crate) universe: Universe,
    pub(crate) snapshot: Snapshot,
    pub(crate) model: Model,
}

/// Lots of cash at the two venues, and how many fine ones a coarse one is.
const COARSE: &str = "0.1";
const FINE: &str = "0.00000001";
pub(crate) const FINE_OF_COARSE: u64 = 10_000_000;

const NOW: &str = "2026-08-06T12:00:00Z";
const EXPIRIES: [&str; 4] = [
    "2026-08-06T13:30:00Z",
    "2026-08-14T08:00:00Z",
    "2026-10-30T08:00:00Z",
    "2027-09-24T08:00:00Z",
];

/// One underlying's market, with the strikes of its options.
fn market(random: &mut Random) -> (Value, Vec<(String, String)>) {
    let index = Decimal::new(i64::try_from(random.magnitude(36)).unwrap() + 1_000, 5);
    let near = |random: &mut Random| {
        (index * random.decimal(950, 100, 3))
            .round_dp(8)
            .normalize()
            .to_string()
    };
    let (mut expiries, mut futures, mut strikes) = (json!({}), json!({}), Vec::new());
    for expiry in EXPIRIES {
        let mut chain = json!({});
        for _ in 0..2 {
            let strike = (index * random.decimal(40, 160, 2)).round_dp(8).normalize().to_string();
            let volatility = random.decimal(1, 2_000, 3).to_string();
            chain[&strike] = json!({"volatility": volatility, "call": {}, "put": {}});
            strikes.push((expiry.to_owned(), strike));
        }
        expiries[expiry] = json!({"forward": near(random), "strikes": chain});
        futures[expiry] = json!({"price": near(random)});
    }
    let funding = random.decimal(-500, 1_000, 6).to_string();
    let rate = if random.chance(2) {
        "0".to_owned()
    } else {
        random.decimal(-50, 150, 3).to_string()
    };
    let perpetual = json!({"price": near(random), "funding": funding});
    (
        json!({"index": index.to_string(), "rate": rate, "perpetual": perpetual, "expiries": expiries, "futures": futures}),
        strikes,
    )
}

/// A venue's lines; its cash comes in lots of `cash_lot`.
fn lines(random: &mut Random, strikes: &[(&str, Vec<(String, String)>)], cash_lot: &str) -> Vec<Value> {
    let lot = |random: &mut Random| (*random.pick(&["0.0001", "0.00000001", "0.1"])).to_owned();
    let mut lines = Vec::new();
    for name in ["USDC", "AAA", "BBB", "STAA", "DOGE"] {
        let lot = if name == "USDC" {
            cash_lot.to_owned()
        } else {
            lot(random)
        };
        lines.push(json!({"asset": {"name": name, "lot": lot, "carry": true, "reserve": true}}));
    }
    let mut number = 0;
    let mut add = |underlying: &str, kind: Value, style: &str, lot: String, contract: String| {
        number += 1;
        let settlement = if style == "inverse" { underlying } else { "USDC" };
        let line = json!({"name": format!("I{number}"), "underlying": underlying, "kind": kind, "style": style, "settlement": settlement, "contract": contract, "lot": lot});
        lines.push(json!({"instrument": line}));
    };
    for (underlying, strikes) in strikes {
        for style in ["inverse", "linear"] {
            let size = |random: &mut Random| (*random.pick(&["0.1", "1", "0.001"])).to_owned();
            let contract = |random: &mut Random| random.decimal(1, 30, 1).to_string();
            add(underlying, json!("perpetual"), style, size(random), contract(random));
            add(
                underlying,
                json!({"future": {"expiry": random.pick(&EXPIRIES)}}),
                style,
                size(random),
                contract(random),
            );
            for _ in 0..3 {
                let (expiry, strike) = random.pick(strikes);
                let right = random.pick(&["call", "put"]);
                let kind = json!({"option": {"expiry": expiry, "strike": strike, "right": right}});
                add(underlying, kind, style, size(random), contract(random));
            }
        }
    }
    lines
}

fn model(random: &mut Random) -> Value {
    let coin_profit = [random.chance(2), random.chance(2)];
    let rows = 1 + random.below(6);
    let grid = |random: &mut Random| {
        let row = |random: &mut Random| {
            let weight = if random.chance(2) {
                "1".to_owned()
            } else {
                random.decimal(0, 1_300, 3).to_string()
            };
            json!({"move": random.decimal(-700, 2_000, 3).to_string(), "volatility": random.pick(&["up", "none", "down"]), "weight": weight})
        };
        (0..rows).map(|_| row(random)).collect::<Vec<Value>>()
    };
    let mut underlyings = json!({});
    for (name, in_coins) in ["AAA", "BBB"].into_iter().zip(coin_profit) {
        let mut rules = json!({
            "grid": name, "profit": if in_coins { "coin" } else { "usd" },
            "volatility": {"up": random.decimal(0, 900, 3).to_string(), "down": random.decimal(0, 900, 3).to_string(),
                "short_power": random.decimal(0, 60, 2).to_string(), "long_power": random.decimal(0, 30, 2).to_string(), "up_floor": random.decimal(0, 50, 2).to_string()},
        });
        if random.chance(2) {
            rules["delta_provision"] =
                json!({"net": random.decimal(0, 300, 4).to_string(), "gross": random.decimal(0, 100, 4).to_string()});
        }
        if random.chance(2) {
            rules["roll"] = json!({"annual_move": random.decimal(0, 200, 3).to_string(), "least": random.decimal(0, 200, 4).to_string()});
        }
        for (field, places) in [
            ("short_option_minimum", 3),
            ("option_fee", 4),
            ("future_fee", 4),
            ("funding_intervals", 1),
        ] {
            if random.chance(2) {
                rules[field] = json!(random.decimal(0, 60, places).to_string());
            }
        }
        underlyings[name] = rules;
    }
    let mut assets = json!({"USDC": {"haircut": "0"}});
    for (name, underlying) in [("AAA", "AAA"), ("BBB", "BBB"), ("STAA", "AAA")] {
        let haircut = random.decimal(0, 100, 2);
        assets[name] = json!({"haircut": haircut.to_string(), "underlying": underlying});
        if random.chance(3) {
            let more = (Decimal::ONE - haircut) / Decimal::from(3);
            let tier = |above: i64, thirds: u32| {
                let haircut = (haircut + more * Decimal::from(thirds)).round_dp(6);
                json!({"above": above.to_string(), "haircut": haircut.to_string()})
            };
            assets[name]["tiers"] = json!([tier(3, 1), tier(40, 2)]);
        }
        if random.chance(3) {
            assets[name]["debt_weight"] = json!(random.decimal(100, 150, 2).to_string());
        }
        if random.chance(3) {
            assets[name]["cap"] = json!(random.decimal(0, 500, 1).to_string());
        }
    }
    if random.chance(3) {
        assets["USDC"]["haircut"] = json!(random.decimal(0, 333, 4).to_string());
    }
    let groups = if random.chance(2) {
        let mut group = json!({"underlyings": ["BBB", "AAA"], "gain_factor": random.decimal(0, 1_000, 3).to_string()});
        if random.chance(2) {
            group["gain_cap"] = json!(random.magnitude(20).to_string());
        }
        json!([group])
    } else {
        json!([])
    };
    json!({
        "model": "scenario-grid", "name": "random", "description": "random",
        "numeraire": random.pick(&["USD", "USD", "AAA", "USDC"]),
        "collateral_in_scenarios": random.chance(2),
        "levels": {"initial": random.decimal(10, 15, 1).to_string(), "maintenance": random.decimal(0, 10, 1).to_string()},
        "grids": {"AAA": grid(random), "BBB": grid(random)}, "assets": assets, "underlyings": underlyings, "groups": groups,
    })
}

impl World {
    pub(crate) fn new(random: &mut Random) -> World {
        let (aaa, aaa_strikes) = market(random);
        let (bbb, bbb_strikes) = market(random);
        let mut assets = json!({"STAA": random.decimal(1, 3_000_000, 3).to_string()});
        assets["USDC"] = json!(if random.chance(2) {
            "1".to_owned()
        } else {
            random.decimal(9_000, 2_000, 4).to_string()
        });
        let nothing: [&str; 0] = [];
        let provenance = json!({"source": "random", "licence": "CC0-1.0", "importer": "none", "recorded": nothing, "derived": nothing, "assumed": nothing, "warnings": 0});
        let mut snapshot = json!({"instant": NOW, "provenance": provenance, "assets": assets, "underlyings": {"AAA": aaa, "BBB": bbb}});
        if random.chance(8) {
            // The model knows an underlying that the snapshot does not have; its coin may have a price nevertheless.
            snapshot["underlyings"].as_object_mut().unwrap().remove("BBB");
            if random.chance(2) {
                snapshot["assets"]["BBB"] = json!("3.5");
            }
        }
        let strikes = [("AAA", aaa_strikes), ("BBB", bbb_strikes)];
        let mut venues = Vec::new();
        for (name, key, cash_lot) in [("V", "11", COARSE), ("W", "22", FINE)] {
            venues.push(json!({"name": name, "keys": [key.repeat(32)], "lines": lines(random, &strikes, cash_lot)}));
        }
        World {
            universe: Universe::from_json(&json!({"network": "test", "k": 6, "venues": venues}).to_string()).unwrap(),
            snapshot: Snapshot::from_json(&snapshot.to_string()).unwrap(),
            model: Model::from_json(&model(random).to_string()).unwrap(),
        }
    }

    pub(crate) fn terms(&self, random: &mut Random) -> Terms {
        let level = *random.pick(&[Level::Initial, Level::Maintenance]);
        let ratio = Ratio20::new(20 + u32::try_from(random.below(30)).unwrap()).unwrap();
        let mut terms = Terms {
            margin: level.into(),
            ratio,
            excess: random.below(3) * random.below(1_000),
            order: None,
            deposit: None,
        };
        if random.chance(3) {
            let (venue, instrument) = *random.pick(&self.universe.instruments().collect::<Vec<_>>());
            let contracts = instrument.lot * Decimal::from(1 + random.below(50));
            let side = random.pick(&["buy", "sell"]);
            let price = random.decimal(1, 500, 3);
            let text = format!(
                "{side} {} {}:{} @ {price} fee 0.001",
                contracts.normalize(),
                venue.name,
                instrument.name
            );
            terms.order = Some(Order::parse(&text, &self.universe).unwrap());
        }
        if random.chance(4) {
            terms.deposit = Some(Deposit::parse("12.5 W:USDC", &self.universe).unwrap());
        }
        terms
    }

    /// Some of everything; both legs of some pairs, as accounts that are added up have them.
    pub(crate) fn book(&self, random: &mut Random) -> Vec<u64> {
        let mut book = vec![0; self.universe.layout().slots()];
        let (size, one_in) = (1 + random.below(24), 1 + random.below(5));
        for line in self.universe.venues().iter().flat_map(|venue| &venue.lines) {
            for (place, leg) in line.legs().into_iter().enumerate() {
                let of_asset = if matches!(line, Line::Asset(_)) { 10 } else { 0 };
                if random.chance(one_in * if place == 0 { 1 } else { 2 }) {
                    book[leg.index()] = random.magnitude(size + of_asset);
                }
            }
        }
        book
    }

    /// The book without what does not count.
    pub(crate) fn counted(&self, mut book: Vec<u64>) -> Vec<u64> {
        let Err(OracleError::NotCounted(refused)) =
            oracle::evaluate(&self.model, &self.universe, &self.snapshot, &book)
        else {
            return book;
        };
        for held in refused {
            let (_, venue) = self.universe.venue(&held.venue).unwrap();
            for line in &venue.lines {
                let (name, kept) = match line {
                    Line::Instrument(instrument) => (instrument.name.clone(), None),
                    Line::Asset(asset) => (asset.label(), Some(asset.balance)),
                };
                let is_it = held.line == name || held.line.starts_with(&format!("{name} "));
                line.legs()
                    .into_iter()
                    .filter(|leg| is_it && Some(*leg) != kept)
                    .for_each(|leg| book[leg.index()] = 0);
            }
        }
        book
    }
}
