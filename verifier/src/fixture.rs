//! A small world for tests: three venues, their keys, and attestations and statements that fit it.

use std::sync::OnceLock;

use minicbor::data::Type;
use minicbor::{Decoder, Encoder};
use serde_json::{Value, json};
use zkmargin_circuits::{Blind, PROTOCOL_VERSION, Parameters, Point, commit};
use zkmargin_risk::instant::Instant;
use zkmargin_risk::market::Snapshot;
use zkmargin_risk::terms::{Level, Terms};
use zkmargin_risk::universe::{Network, Universe};

use crate::attestation::{Attestation, PseudonymSecret, SignedAttestation};
use crate::book::Book;
use crate::dsse::{PublicKey, SigningKey};
use crate::statement::{Statement, Window};

/// `k` of the universe: 48 legs per column.
pub(crate) const K: u32 = 6;

/// The instant of the snapshot, and the epoch.
pub(crate) const EPOCH: &str = "2026-08-06T12:00:00Z";

pub(crate) fn instant(text: &str) -> Instant {
    text.parse().unwrap()
}

/// The instant of verification: a minute after the epoch.
pub(crate) fn now() -> Instant {
    instant("2026-08-06T12:01:00Z")
}

/// The signing key of a name: venues, subjects and the audience.
pub(crate) fn key(name: &str) -> SigningKey {
    let mut seed = [0; 32];
    seed[..name.len()].copy_from_slice(name.as_bytes());
    SigningKey::from_bytes(&seed)
}

pub(crate) fn public(name: &str) -> PublicKey {
    PublicKey::of(&key(name))
}

pub(crate) fn book(name: &str) -> Book {
    Book::new(name).unwrap()
}

pub(crate) fn parameters() -> &'static Parameters {
    static PARAMETERS: OnceLock<Parameters> = OnceLock::new();
    PARAMETERS.get_or_init(|| Parameters::load(K, None).unwrap())
}

fn option(strike: u32) -> Value {
    json!({ "instrument": {
        "name": format!("BTC-28AUG26-{strike}-C"), "underlying": "BTC", "style": "inverse", "settlement": "BTC",
        "kind": { "option": { "expiry": "2026-08-28T08:00:00Z", "strike": strike.to_string(), "right": "call" } },
        "contract": "1", "lot": "0.1",
    } })
}

/// Alpha lists an option, beta a perpetual and dollars, gamma thirty options, which take two columns.
pub(crate) fn universe() -> Universe {
    let asset = |name: &str, carry: bool, reserve: bool| json!({ "asset": { "name": name, "lot": "0.00000001", "carry": carry, "reserve": reserve } });
    let perpetual = json!({ "instrument": {
        "name": "BTC-PERPETUAL", "underlying": "BTC", "style": "inverse", "settlement": "BTC", "kind": "perpetual",
        "contract": "10", "lot": "1",
    } });
    let keys = |name: &str| json!([public(name).to_string(), public(&format!("{name} second")).to_string()]);
    let mut gamma = vec![asset("BTC", false, true)];
    gamma.extend((1..=30).map(|index| option(40_000 + 1000 * index)));
    let file = json!({ "network": "test", "k": K, "venues": [
        { "name": "alpha", "keys": keys("alpha"), "lines": [asset("BTC", false, true), option(70_000)] },
        { "name": "beta", "keys": keys("beta"), "lines": [asset("BTC", true, true), asset("USDC", false, false), perpetual] },
        { "name": "gamma", "keys": keys("gamma"), "lines": gamma },
    ] });
    Universe::from_json(&file.to_string()).unwrap()
}

pub(crate) fn snapshot() -> Snapshot {
    let file = json!({
        "instant": EPOCH,
        "provenance": {
            "source": "made up", "licence": "CC0", "importer": "none", "recorded": [], "derived": [], "assumed": ["everything"],
            "warnings": 0,
        },
        "assets": { "BTC": "65000", "ETH": "1900", "USDC": "1" },
        "underlyings": {
            "BTC": {
                "index": "65000", "rate": "0", "perpetual": { "price": "65000", "funding": "0" },
                "expiries": { "2026-08-28T08:00:00Z": { "forward": "65200", "strikes": { "70000": { "volatility": "0.5", "call": {} } } } },
            },
            "ETH": { "index": "1900", "rate": "0" },
        },
    });
    Snapshot::from_json(&file.to_string()).unwrap()
}

/// A commitment to `lots` in one row, with a blind that is not random.
pub(crate) fn point(lots: u64) -> Point {
    let mut blind = [7; 32];
    blind[31] = 0;
    commit(parameters(), &[lots], &Blind::from_bytes(&blind).unwrap()).unwrap()
}

/// The attestation of an account at a venue of the universe, as it should be but for what `change` does to it.
pub(crate) fn attestation(venue: &str, account: &str, change: impl FnOnce(&mut Attestation)) -> SignedAttestation {
    attestation_by(venue, venue, account, change)
}

/// The same, signed with the key of `signer`.
pub(crate) fn attestation_by(
    signer: &str,
    venue: &str,
    account: &str,
    change: impl FnOnce(&mut Attestation),
) -> SignedAttestation {
    let universe = universe();
    let columns = universe.venue(venue).map_or(1, |(_, venue)| venue.columns.len());
    let mut content = Attestation {
        protocol: PROTOCOL_VERSION,
        network: Network::Test,
        universe: universe.digest(),
        k: K,
        venue: venue.to_owned(),
        subject: public("subject"),
        account: PseudonymSecret::from_bytes([9; 32]).pseudonym(account, &public("audience")),
        accounts: 1,
        epoch: instant(EPOCH),
        time: instant("2026-08-06T12:00:10Z"),
        expiry: instant("2026-08-06T13:00:00Z"),
        audience: public("audience"),
        book: book("line-1"),
        held: true,
        points: (0..columns).map(|column| point(column as u64 + 1)).collect(),
    };
    change(&mut content);
    content.sign(&key(signer))
}

/// A statement about these accounts, as it should be.
pub(crate) fn statement(attestations: Vec<SignedAttestation>) -> Statement {
    Statement {
        terms: Terms::at(Level::Initial),
        audience: public("audience"),
        book: book("line-1"),
        nonce: [3; 32],
        window: Window {
            from: instant("2026-08-06T12:00:30Z"),
            until: instant("2026-08-06T13:00:00Z"),
        },
        replaces: None,
        attestations,
    }
}

/// Of alpha and beta.
pub(crate) fn good_statement() -> Statement {
    statement(vec![
        attestation("alpha", "one", |_| {}),
        attestation("beta", "two", |_| {}),
    ])
}

/// A CBOR value of the kinds that our formats have.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Item {
    Uint(u64),
    Int(i64),
    Bytes(Vec<u8>),
    Text(String),
    Flag(bool),
    Array(Vec<Item>),
}

impl Item {
    pub(crate) fn decode(bytes: &[u8]) -> Item {
        let mut decoder = Decoder::new(bytes);
        let item = Item::read(&mut decoder);
        assert_eq!(decoder.position(), bytes.len());
        item
    }

    fn read(d: &mut Decoder<'_>) -> Item {
        match d.datatype().unwrap() {
            Type::U8 | Type::U16 | Type::U32 | Type::U64 => Item::Uint(d.u64().unwrap()),
            Type::I8 | Type::I16 | Type::I32 | Type::I64 => Item::Int(d.i64().unwrap()),
            Type::Bytes => Item::Bytes(d.bytes().unwrap().to_vec()),
            Type::String => Item::Text(d.str().unwrap().to_owned()),
            Type::Bool => Item::Flag(d.bool().unwrap()),
            Type::Array => {
                let length = d.array().unwrap().unwrap();
                Item::Array((0..length).map(|_| Item::read(d)).collect())
            }
            other => panic!("{other} in one of our formats"),
        }
    }

    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut encoder = Encoder::new(Vec::new());
        self.write(&mut encoder);
        encoder.into_writer()
    }

    fn write(&self, e: &mut Encoder<Vec<u8>>) {
        match self {
            Item::Uint(value) => e.u64(*value).map(drop),
            Item::Int(value) => e.i64(*value).map(drop),
            Item::Bytes(bytes) => e.bytes(bytes).map(drop),
            Item::Text(text) => e.str(text).map(drop),
            Item::Flag(flag) => e.bool(*flag).map(drop),
            Item::Array(items) => {
                e.array(items.len() as u64).unwrap();
                items.iter().for_each(|item| item.write(e));
                Ok(())
            }
        }
        .unwrap();
    }

    /// Every item that differs from this one in one place, with the path of that place: each leaf changed, each array with its
    /// last element left out and with it doubled.
    pub(crate) fn mutants(&self) -> Vec<(Vec<usize>, Item)> {
        let leaf = |item: Item| vec![(Vec::new(), item)];
        match self {
            Item::Uint(value) => leaf(Item::Uint(value ^ 1)),
            Item::Int(value) => leaf(Item::Int(value ^ 1)),
            Item::Flag(flag) => leaf(Item::Flag(!flag)),
            Item::Bytes(bytes) => {
                let mut changed = bytes.clone();
                changed[0] ^= 1;
                leaf(Item::Bytes(changed))
            }
            Item::Text(text) => leaf(Item::Text(format!("{text}x"))),
            Item::Array(items) => {
                let mut mutants = Vec::new();
                if let Some(last) = items.last() {
                    mutants.push((vec![usize::MAX], Item::Array(items[..items.len() - 1].to_vec())));
                    mutants.push((
                        vec![usize::MAX],
                        Item::Array([items.as_slice(), std::slice::from_ref(last)].concat()),
                    ));
                }
                for (index, item) in items.iter().enumerate() {
                    for (path, mutant) in item.mutants() {
                        let mut changed = items.clone();
                        changed[index] = mutant;
                        mutants.push(([&[index], path.as_slice()].concat(), Item::Array(changed)));
                    }
                }
                mutants
            }
        }
    }
}
