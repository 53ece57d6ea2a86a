//! A small universe and market for tests: options at one venue, futures, perpetuals and collateral at another.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use crate::amount;
use crate::market::Snapshot;
use crate::universe::{Asset, Instrument, Universe};

/// The snapshot's instant.
pub(crate) const NOW: &str = "2026-08-06T12:00:00Z";
/// An expiry of 21.83 days.
pub(crate) const NEAR: &str = "2026-08-28T08:00:00Z";
/// An expiry of 231.83 days.
pub(crate) const FAR: &str = "2027-03-26T08:00:00Z";

fn option(name: &str, underlying: &str, expiry: &str, strike: &str, right: &str, settlement: &str) -> String {
    let style = if settlement == "USDC" { "linear" } else { "inverse" };
    format!(
        r#"{{"instrument":{{"name":"{name}","underlying":"{underlying}","kind":{{"option":{{"expiry":"{expiry}","strike":"{strike}","right":"{right}"}}}},"style":"{style}","settlement":"{settlement}","contract":"1","lot":"0.1"}}}}"#
    )
}

fn carried(name: &str, underlying: &str, kind: &str, settlement: &str, contract: &str, lot: &str) -> String {
    let style = if settlement == "USDC" { "linear" } else { "inverse" };
    format!(
        r#"{{"instrument":{{"name":"{name}","underlying":"{underlying}","kind":{kind},"style":"{style}","settlement":"{settlement}","contract":"{contract}","lot":"{lot}"}}}}"#
    )
}

fn asset(name: &str, lot: &str) -> String {
    format!(r#"{{"asset":{{"name":"{name}","lot":"{lot}","carry":true,"reserve":true}}}}"#)
}

/// Venue `alpha` lists BTC and ETH options, inverse and linear; venue `beta` futures and perpetuals, and things that
/// nobody prices.
pub(crate) fn universe() -> Universe {
    let future = |expiry: &str| format!(r#"{{"future":{{"expiry":"{expiry}"}}}}"#);
    let perpetual = r#""perpetual""#;
    let alpha = [
        option("BTC-28AUG26-70000-C", "BTC", NEAR, "70000", "call", "BTC"),
        option("BTC-28AUG26-70000-P", "BTC", NEAR, "70000", "put", "BTC"),
        option("BTC-26MAR27-50000-P", "BTC", FAR, "50000", "put", "BTC"),
        option("BTC-LINEAR-60000-C", "BTC", NEAR, "60000", "call", "USDC"),
        option("ETH-28AUG26-2000-C", "ETH", NEAR, "2000", "call", "ETH"),
        option("ETH-28AUG26-2000-P", "ETH", NEAR, "2000", "put", "ETH"),
        option(
            "BTC-GONE-60000-C",
            "BTC",
            "2026-08-06T08:00:00Z",
            "60000",
            "call",
            "BTC",
        ),
        asset("BTC", "0.00000001"),
        asset("ETH", "0.0000001"),
        asset("USDC", "0.0001"),
    ];
    let beta = [
        carried("BTC-PERPETUAL", "BTC", perpetual, "BTC", "10", "1"),
        carried("BTC-28AUG26", "BTC", &future(NEAR), "BTC", "10", "1"),
        carried("BTC-26MAR27", "BTC", &future(FAR), "BTC", "10", "1"),
        carried("ETH-PERPETUAL", "ETH", perpetual, "ETH", "1", "1"),
        carried("BTC_USDC-PERPETUAL", "BTC", perpetual, "USDC", "1", "0.0001"),
        carried("SOL-PERPETUAL", "SOL", perpetual, "USDC", "1", "0.1"),
        asset("BTC", "0.00000001"),
        asset("ETH", "0.0000001"),
        asset("USDC", "0.0001"),
        asset("DUST", "0.01"),
    ];
    let venue = |name: &str, key: char, lines: &[String]| {
        let key = key.to_string().repeat(64);
        format!(r#"{{"name":"{name}","keys":["{key}"],"lines":[{}]}}"#, lines.join(","))
    };
    let text = format!(
        r#"{{"network":"test","k":6,"venues":[{},{}]}}"#,
        venue("alpha", '1', &alpha),
        venue("beta", '2', &beta)
    );
    Universe::from_json(&text).unwrap()
}

/// BTC at 64,000 and ETH at 1,800 USD.
pub(crate) fn snapshot() -> Snapshot {
    let strike = |strike: &str, volatility: &str| {
        format!(r#""{strike}":{{"volatility":"{volatility}","call":{{}},"put":{{}}}}"#)
    };
    let text = format!(
        r#"{{"instant":"{NOW}",
"provenance":{{"source":"made up","licence":"none","importer":"by hand","recorded":[],"derived":[],"assumed":[],"warnings":0}},
"assets":{{"USDC":"1"}},
"underlyings":{{
"BTC":{{"index":"64000","rate":"0.02","perpetual":{{"price":"64010.5","funding":"0.0001"}},
"futures":{{"{NEAR}":{{"price":"64200"}},"{FAR}":{{"price":"66000"}}}},
"expiries":{{"{NEAR}":{{"forward":"64200","strikes":{{{},{}}}}},"{FAR}":{{"forward":"66000","strikes":{{{}}}}}}}}},
"ETH":{{"index":"1800","rate":"0","perpetual":{{"price":"1800.25","funding":"0"}},
"expiries":{{"{NEAR}":{{"forward":"1805","strikes":{{{}}}}}}}}}}}}}"#,
        strike("60000", "0.48"),
        strike("70000", "0.45"),
        strike("50000", "0.55"),
        strike("2000", "0.7"),
    );
    Snapshot::from_json(&text).unwrap()
}

/// The instrument of this name, wherever it is listed.
pub(crate) fn instrument<'u>(universe: &'u Universe, name: &str) -> &'u Instrument {
    universe
        .instruments()
        .find(|(_, instrument)| instrument.name == name)
        .unwrap()
        .1
}

/// The asset of this name at a venue.
pub(crate) fn asset_at<'u>(universe: &'u Universe, venue: &str, name: &str) -> &'u Asset {
    universe.venue(venue).unwrap().1.asset(name, None).unwrap()
}

/// A book over all venues, one entry per slot.
pub(crate) struct Book<'u> {
    pub(crate) universe: &'u Universe,
    pub(crate) q: Vec<u64>,
}

impl<'u> Book<'u> {
    pub(crate) fn empty(universe: &'u Universe) -> Book<'u> {
        Book {
            universe,
            q: vec![0; universe.layout().slots()],
        }
    }

    fn put(&mut self, pair: zkmargin_program::Pair, lots: i64) {
        let leg = if lots < 0 { pair.second } else { pair.first };
        self.q[leg.index()] += lots.unsigned_abs();
    }

    /// Contracts of an option, or of a future or perpetual opened at `entry`.
    pub(crate) fn hold(mut self, name: &str, contracts: &str, entry: Option<&str>) -> Book<'u> {
        let universe = self.universe;
        let (venue, instrument) = universe
            .instruments()
            .find(|(_, instrument)| instrument.name == name)
            .unwrap();
        let contracts = amount::parse(contracts).unwrap();
        self.put(instrument.pair(), amount::lots(contracts, instrument.lot).unwrap());
        if let Some(entry) = entry {
            let asset = venue.settlement_of(instrument).unwrap();
            let carry = crate::account::carry(instrument, contracts, amount::parse(entry).unwrap()).unwrap();
            self.put(
                asset.carry.unwrap(),
                amount::lots_rounded_down(&carry, asset.lot).unwrap(),
            );
        }
        self
    }

    /// Coins of an asset at a venue, owed if negative.
    pub(crate) fn coins(mut self, venue: &str, asset: &str, coins: &str) -> Book<'u> {
        let asset = asset_at(self.universe, venue, asset);
        self.put(
            asset.pair(),
            amount::lots(amount::parse(coins).unwrap(), asset.lot).unwrap(),
        );
        self
    }
}
