//! Facts: canonical bytes, universes, accounts, snapshots, importers, and the files that are shipped.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod account;
mod canonical;
mod import;
mod import_deribit;
mod market;
mod schema;
mod sensitivity;
mod shipped;
mod universe;
mod venue_file;

use rust_decimal::Decimal;
use zkmargin_risk::amount;
use zkmargin_risk::import::Source;
use zkmargin_risk::universe::Universe;

/// Two venues on a small scale: coin options, futures and an isolated linear perpetual at `a`; collateral and a linear option at `b`.
const UNIVERSE: &str = include_str!("../fixtures/universe.json");

fn universe() -> Universe {
    Universe::from_json(UNIVERSE).unwrap()
}

fn dec(text: &str) -> Decimal {
    amount::parse(text).unwrap()
}

fn source() -> Source {
    Source {
        source: "written for tests".into(),
        licence: "CC0-1.0".into(),
    }
}

/// The fixture with one replacement, which must occur exactly once.
fn with(text: &str, from: &str, to: &str) -> String {
    assert_eq!(text.matches(from).count(), 1, "`{from}` in the fixture");
    text.replacen(from, to, 1)
}
