//! Markets and books that a hostile holder would choose: several venues, every kind and style, what does not count, extremes.

use rust_decimal::Decimal;
use serde_json::{Value, json};
use zkmargin_risk::market::Snapshot;
use zkmargin_risk::model::Model;
use zkmargin_risk::oracle::{self, OracleError};
use zkmargin_risk::universe::{Instrument, Line, Universe};

/// Numbers from a seed (splitmix64): a failing case is named by its seed.
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

    pub(crate) fn chance(&mut self, one_in: u64) -> bool {
        self.below(one_in) == 0
    }

    pub(crate) fn index(&mut self, bound: usize) -> usize {
        usize::try_from(self.below(bound as u64)).unwrap()
    }

    pub(crate) fn pick<'a, T>(&mut self, all: &'a [T]) -> &'a T {
        &all[self.index(all.len())]
    }

    /// 1 to `2^bits`, every order of magnitude as likely as another.
    pub(crate) fn magnitude(&mut self, bits: u64) -> u64 {
        let width = self.below(bits);
        (1 << width) + self.below(1 << width)
    }

    /// `least + 0..=range` with this many decimals.
    pub(crate) fn decimal(&mut self, least: i64, range: u64, places: u32) -> String {
        let mantissa = least + i64::try_from(self.below(range + 1)).unwrap();
        Decimal::new(mantissa, places).normalize().to_string()
    }
}

const NOW: &str = "2026-08-06T12:00:00Z";
const GONE: &str = "2026-08-06T08:00:00Z";
const EXPIRIES: [&str; 4] = [
    "2026-08-06T12:20:00Z",
    "2026-08-14T08:00:00Z",
    "2026-10-30T08:00:00Z",
    "2029-09-24T08:00:00Z",
];
/// Of every class, one more than once.
const SENSITIVITIES: [(&str, [&str; 4]); 12] = [
    ("RatesFX", ["Risk_FX", "EUR", "", ""]),
    ("RatesFX", ["Risk_FX", "JPY", "", ""]),
    ("RatesFX", ["Risk_IRCurve", "EUR", "1", "5y"]),
    ("RatesFX", ["Risk_IRCurve", "EUR", "1", "30y"]),
    ("RatesFX", ["Risk_IRVol", "EUR", "", "1y"]),
    ("Equity", ["Risk_Equity", "A", "1", ""]),
    ("Equity", ["Risk_Equity", "B", "5", ""]),
    ("Equity", ["Risk_EquityVol", "A", "1", "1y"]),
    ("Equity", ["Risk_EquityVol", "B", "5", "6m"]),
    ("Commodity", ["Risk_Commodity", "Crude oil", "2", ""]),
    ("Commodity", ["Risk_Commodity", "Gold", "12", ""]),
    ("Credit", ["Risk_CreditQ", "X", "3", "5y"]),
];
const VENUES: [(&str, &str); 3] = [("alpha", "11"), ("beta", "22"), ("gamma", "33")];

pub(crate) struct World {
    pub(crate) universe: Universe,
    pub(crate) snapshot: Snapshot,
}

type Strikes = Vec<(&'static str, String)>;

fn quote(random: &mut Random) -> Value {
    let mut quote = json!({});
    if random.chance(2) {
        quote["open_interest"] = json!(random.decimal(0, 200_000_000, 0));
        quote["volume"] = json!(random.decimal(0, 2_000_000, 0));
    }
    quote
}

fn market(random: &mut Random, index: i64, strikes: &mut Strikes) -> Value {
    let near = |random: &mut Random| {
        let width = *random.pick(&[1, 5, 40]);
        random.decimal(index * (100 - width), u64::try_from(index * 2 * width).unwrap(), 2)
    };
    let (mut expiries, mut futures) = (json!({}), json!({}));
    for expiry in EXPIRIES {
        let mut chain = json!({});
        for _ in 0..2 {
            let strike = random.decimal(index * 3, u64::try_from(index * 14).unwrap(), 1);
            let volatility = (*random.pick(&["0.01", "0.4", "0.7", "1.5", "10"])).to_owned();
            chain[&strike] = json!({"volatility": volatility, "call": quote(random), "put": quote(random)});
            strikes.push((expiry, strike));
        }
        expiries[expiry] = json!({"forward": near(random), "strikes": chain});
        if random.chance(2) {
            expiries[expiry]["rate"] = json!(random.decimal(-1_000, 2_000, 3));
        }
        if random.chance(2) {
            expiries[expiry]["confidence"] = json!(random.decimal(0, 10, 1));
        }
        if expiry == EXPIRIES[0] && random.chance(2) {
            expiries[expiry]["settled"] = json!(random.decimal(0, u64::try_from(index).unwrap() * 60, 2));
        }
        futures[expiry] = json!({"price": near(random), "quote": quote(random)});
    }
    let funding = random.decimal(-1_000, 2_000, 4);
    let perpetual = json!({"price": near(random), "funding": funding, "confidence": random.decimal(0, 10, 1), "quote": quote(random)});
    json!({"index": near(random), "confidence": random.decimal(3, 7, 1), "rate": random.decimal(-80, 160, 3),
        "perpetual": perpetual, "futures": futures, "expiries": expiries, "deliveries": {GONE: near(random)}})
}

fn lines(random: &mut Random, venue: &str, strikes: &[(&str, Strikes)]) -> Vec<Value> {
    let mut lines = Vec::new();
    for (name, lot) in [
        ("USDC", "0.0001"),
        ("USDT", "0.01"),
        ("BTC", "0.00000001"),
        ("ETH", "0.0000001"),
        ("SOL", "0.001"),
        ("DOGE", "1"),
    ] {
        lines.push(json!({"asset": {"name": name, "lot": lot, "carry": true, "reserve": true}}));
    }
    if venue == "gamma" {
        // A bank: cash alone.
        return lines;
    }
    let mut add = |underlying: &str, kind: Value, style: &str, settlement: &str, contract: &str, lot: &str| {
        let name = format!("{underlying}-{}", lines.len());
        lines.push(
            json!({"instrument": {"name": name, "underlying": underlying, "kind": kind, "style": style,
            "settlement": settlement, "contract": contract, "lot": lot}}),
        );
        name
    };
    let mut isolated = Vec::new();
    for (underlying, strikes) in strikes {
        for (style, settlement, contract, lot) in [
            ("inverse", *underlying, "10", "1"),
            ("linear", "USDC", "0.001", "1"),
            ("linear", "USDT", "1", "0.01"),
        ] {
            add(underlying, json!("perpetual"), style, settlement, contract, lot);
            let expiry = random.pick(&EXPIRIES);
            add(
                underlying,
                json!({"future": {"expiry": expiry}}),
                style,
                settlement,
                contract,
                lot,
            );
        }
        for style in ["inverse", "linear"] {
            let settlement = if style == "linear" { "USDC" } else { *underlying };
            for _ in 0..4 {
                let (expiry, strike) = random.pick(strikes);
                let right = random.pick(&["call", "put"]);
                let contract = *random.pick(&["1", "0.1"]);
                let kind = json!({"option": {"expiry": expiry, "strike": strike, "right": right}});
                add(underlying, kind, style, settlement, contract, "0.1");
            }
        }
        // Expired, not listed, isolated.
        add(
            underlying,
            json!({"future": {"expiry": GONE}}),
            "inverse",
            underlying,
            "10",
            "1",
        );
        let gone = json!({"option": {"expiry": GONE, "strike": "1", "right": "call"}});
        add(underlying, gone, "linear", "USDC", "1", "0.1");
        let unlisted = json!({"option": {"expiry": EXPIRIES[1], "strike": "1.5", "right": "put"}});
        add(underlying, unlisted, "inverse", underlying, "1", "0.1");
        isolated.push(add(underlying, json!("perpetual"), "linear", "USDC", "1", "0.001"));
    }
    add("DOGE", json!("perpetual"), "inverse", "DOGE", "10", "1");
    for (product, [risk_type, qualifier, bucket, label]) in SENSITIVITIES {
        let mut sensitivity = json!({"risk_type": risk_type, "qualifier": qualifier});
        for (field, text) in [("bucket", bucket), ("label1", label)] {
            if !text.is_empty() {
                sensitivity[field] = json!(text);
            }
        }
        if risk_type == "Risk_IRCurve" {
            sensitivity["label2"] = json!("Libor3m");
        }
        add(product, json!({"sensitivity": sensitivity}), "linear", "USDC", "1", "1");
    }
    for name in isolated {
        lines.push(json!({"asset": {"name": "USDC", "lot": "0.01", "carry": true, "reserve": true, "isolated": name}}));
    }
    lines
}

impl World {
    pub(crate) fn new(random: &mut Random) -> World {
        let mut listed: Vec<(&str, Strikes)> = Vec::new();
        let mut markets = json!({});
        for (name, index) in [("BTC", 64_000), ("ETH", 1_900), ("SOL", 140)] {
            let mut strikes = Strikes::new();
            markets[name] = market(random, index, &mut strikes);
            listed.push((name, strikes));
        }
        markets["DOGE"] = json!({"index": "0.2", "rate": "0", "perpetual": {"price": "0.21", "funding": "0"}});
        let nothing: [&str; 0] = [];
        let provenance = json!({"source": "random", "licence": "CC0-1.0", "importer": "none", "recorded": nothing, "derived": nothing, "assumed": nothing, "warnings": 0});
        let peg = |random: &mut Random| match random.below(3) {
            0 => "1".to_owned(),
            1 => random.decimal(9_800, 400, 4),
            _ => random.decimal(5_000, 7_000, 4),
        };
        let snapshot = json!({"instant": NOW, "provenance": provenance, "underlyings": markets,
            "assets": {"USDC": peg(random), "USDT": peg(random)}, "confidences": {"BTC": random.decimal(0, 10, 1)}});
        let venues = VENUES
            .map(|(name, key)| json!({"name": name, "keys": [key.repeat(32)], "lines": lines(random, name, &listed)}));
        World {
            universe: Universe::from_json(&json!({"network": "test", "k": 8, "venues": venues}).to_string()).unwrap(),
            snapshot: Snapshot::from_json(&snapshot.to_string()).unwrap(),
        }
    }

    /// The same market some hours later, at other prices; the nearest expiry has passed, and was delivered if `is_delivered`.
    pub(crate) fn later(&self, random: &mut Random, is_delivered: bool) -> Snapshot {
        let mut later = self.snapshot.clone();
        later.instant = "2026-08-06T15:00:00Z".parse().unwrap();
        let gone: zkmargin_risk::instant::Instant = EXPIRIES[0].parse().unwrap();
        for market in later.underlyings.values_mut() {
            let by = Decimal::new(i64::try_from(400 + random.below(1_400)).unwrap(), 3);
            let moved = |price: Decimal| (price * by).round_dp(8).normalize();
            market.index = moved(market.index);
            market.perpetual.iter_mut().for_each(|one| one.price = moved(one.price));
            market.futures.values_mut().for_each(|one| one.price = moved(one.price));
            market
                .expiries
                .values_mut()
                .for_each(|one| (one.forward, one.settled) = (moved(one.forward), Decimal::ZERO));
            market.futures.remove(&gone);
            if market.expiries.remove(&gone).is_some() && is_delivered {
                market.deliveries.insert(gone, market.index);
            }
        }
        later
            .assets
            .values_mut()
            .for_each(|price| *price = (*price * Decimal::new(99, 2)).normalize());
        later.check().unwrap();
        later
    }

    /// A book of one of several shapes; a magnitude of lots up to `2^bits`.
    pub(crate) fn book(&self, random: &mut Random) -> Vec<u64> {
        let mut book = vec![0; self.universe.layout().slots()];
        let bits = *random.pick(&[2, 8, 14, 20, 26, 34, 46]);
        let instruments: Vec<&Instrument> = self.universe.instruments().map(|(_, one)| one).collect();
        match random.below(6) {
            // Everything, both legs of some.
            0 => {
                for line in self.universe.venues().iter().flat_map(|venue| &venue.lines) {
                    for leg in line.legs() {
                        if random.chance(4) {
                            book[leg.index()] = random.magnitude(bits);
                        }
                    }
                }
            }
            // A few legs of one underlying against each other, in like numbers of coins.
            1 | 2 => {
                let underlying = *random.pick(&["BTC", "ETH"]);
                let on: Vec<&&Instrument> = instruments.iter().filter(|one| one.underlying == underlying).collect();
                let lots = random.magnitude(bits);
                for _ in 0..2 + random.below(4) {
                    let one = random.pick(&on);
                    let leg = if random.chance(2) { one.long } else { one.short };
                    book[leg.index()] = if random.chance(2) { lots } else { random.magnitude(bits) };
                }
            }
            // One line.
            3 => {
                let one = random.pick(&instruments);
                let leg = if random.chance(2) { one.long } else { one.short };
                book[leg.index()] = random.magnitude(bits);
            }
            // The same kind at two venues on opposite sides, and gross.
            4 => {
                let one = random.pick(&instruments);
                let alike = instruments.iter().filter(|other| {
                    (&other.kind, &other.underlying, other.style) == (&one.kind, &one.underlying, one.style)
                });
                let lots = random.magnitude(bits);
                for (place, other) in alike.enumerate() {
                    let leg = if place % 2 == 0 { other.long } else { other.short };
                    book[leg.index()] = lots;
                    if random.chance(3) {
                        book[other.long.index()] = lots;
                        book[other.short.index()] = random.magnitude(bits);
                    }
                }
            }
            // Collateral alone.
            _ => {}
        }
        if random.chance(2) {
            for asset in self.universe.assets().map(|(_, asset)| asset) {
                let carry = asset.carry.into_iter().flat_map(|pair| [pair.first, pair.second]);
                let legs = [asset.balance, asset.debt]
                    .into_iter()
                    .chain(carry)
                    .chain(asset.reserve);
                for leg in legs {
                    if random.chance(4) {
                        book[leg.index()] = random.magnitude((bits + 12).min(47));
                    }
                }
            }
        }
        book
    }

    /// The book without what does not count.
    pub(crate) fn counted(&self, model: &Model, mut book: Vec<u64>) -> Vec<u64> {
        while let Err(OracleError::NotCounted(refused)) = oracle::evaluate(model, &self.universe, &self.snapshot, &book)
        {
            for held in refused {
                let (_, venue) = self.universe.venue(&held.venue).unwrap();
                for line in &venue.lines {
                    let (name, kept) = match line {
                        Line::Instrument(instrument) => (instrument.name.clone(), None),
                        Line::Asset(asset) => (asset.label(), Some(asset.balance)),
                    };
                    if held.line == name || held.line.starts_with(&format!("{name} ")) {
                        let legs = line.legs().into_iter().filter(|leg| Some(*leg) != kept);
                        legs.for_each(|leg| book[leg.index()] = 0);
                    }
                }
            }
        }
        book
    }
}
