//! A venue with two columns behind another venue's, its keys, and ledgers for it.

use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use serde_json::{Value, json};
use sqlx::{AssertSqlSafe, Connection as _, PgConnection};
use tempfile::TempDir;
use zkmargin_ledger::Ledger;
use zkmargin_ledger::keys::{KeyFile, Role};
use zkmargin_ledger::ledger::{Attested, Entries, EntryFormat, Pledge};
use zkmargin_risk::instant::Instant;
use zkmargin_risk::universe::Universe;
use zkmargin_verifier::book::Book;
use zkmargin_verifier::{PublicKey, Release, SignedRelease, SigningKey};

/// Options that the venue lists: with everything else, more than the 48 rows of a column.
pub(crate) const OPTIONS: u32 = 24;

pub(crate) const SUBJECT: u8 = 1;

/// The epoch of most tests, and the instant at which they sign.
pub(crate) const NOON: u64 = 1_786_017_600_000;

pub(crate) fn at(millis: u64) -> Instant {
    Instant::from_millis(millis).unwrap()
}

/// The key of an audience or subject.
pub(crate) fn signer(number: u8) -> SigningKey {
    SigningKey::from_bytes(&[number; 32])
}

pub(crate) fn public(number: u8) -> PublicKey {
    PublicKey::of(&signer(number))
}

/// The venue's key, the same in all processes of a test run.
pub(crate) fn venue_key() -> &'static KeyFile {
    static KEY: OnceLock<KeyFile> = OnceLock::new();
    KEY.get_or_init(|| key_file(7))
}

pub(crate) fn key_file(number: u8) -> KeyFile {
    let text = json!({
        "key": "venue", "version": 1, "public": public(number), "signing": hex::encode([number; 32]), "pseudonym": hex::encode([number; 32]),
    });
    KeyFile::from_json(text.to_string().as_bytes(), Role::Venue).unwrap()
}

fn option(strike: u32) -> Value {
    json!({ "instrument": {
        "name": format!("C-{strike}"), "underlying": "BTC", "style": "inverse", "settlement": "BTC",
        "kind": { "option": { "expiry": "2026-08-28T08:00:00Z", "strike": strike.to_string(), "right": "call" } },
        "contract": "0.5", "lot": "0.1",
    } })
}

pub(crate) fn universe_file(options: u32) -> Value {
    let asset =
        |name: &str, carry| json!({ "asset": { "name": name, "lot": "0.0001", "carry": carry, "reserve": true } });
    let perpetual = |name: &str, style: &str, settlement: &str, contract: &str| {
        json!({ "instrument": {
            "name": name, "underlying": "BTC", "style": style, "settlement": settlement, "kind": "perpetual", "contract": contract, "lot": "1",
        } })
    };
    let mut lines = vec![
        asset("BTC", true),
        asset("USDC", true),
        perpetual("INVERSE", "inverse", "BTC", "10"),
        perpetual("LINEAR", "linear", "USDC", "0.001"),
    ];
    lines.extend((0..options).map(option_of));
    json!({ "network": "test", "k": 6, "venues": [
        { "name": "elsewhere", "keys": [public(9)], "lines": [json!({ "asset": { "name": "BTC", "lot": "0.0001", "reserve": true } }), option(1)] },
        { "name": "house", "keys": [public(7)], "lines": lines },
    ] })
}

fn option_of(index: u32) -> Value {
    option(40_000 + 1_000 * index)
}

pub(crate) fn universe() -> Universe {
    Universe::from_json(&universe_file(OPTIONS).to_string()).unwrap()
}

/// Where parameters are kept: shared by all tests and their children.
pub(crate) fn cache() -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join("parameters")
}

/// A place for one ledger, gone when dropped.
pub(crate) struct Place {
    pub(crate) url: String,
    pub(crate) folder: TempDir,
}

/// A place of each kind that there is here; `name` is the test's own.
pub(crate) fn places(name: &str) -> Vec<Place> {
    let file = |url: Option<String>| {
        let folder = tempfile::tempdir().unwrap();
        let url = url.unwrap_or_else(|| folder.path().join("ledger.db").to_str().unwrap().to_owned());
        Place { url, folder }
    };
    let server = std::env::var("ZKMARGIN_TEST_POSTGRES").ok();
    let server = server.map(|server| empty_schema(&server, &format!("ledger_{name}")));
    [Some(file(None)), server.map(|url| file(Some(url)))]
        .into_iter()
        .flatten()
        .collect()
}

fn empty_schema(server: &str, name: &str) -> String {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        let mut connection = PgConnection::connect(server).await.unwrap();
        let sql = format!("DROP SCHEMA IF EXISTS {name} CASCADE; CREATE SCHEMA {name}");
        sqlx::raw_sql(AssertSqlSafe(sql))
            .execute(&mut connection)
            .await
            .unwrap();
    });
    let mark = if server.contains('?') { '&' } else { '?' };
    format!("{server}{mark}options=-csearch_path%3D{name}")
}

impl Place {
    /// A ledger with the accounts `a`, `b` and `c` of one subject.
    pub(crate) fn create(&self) -> Ledger {
        let mut ledger = Ledger::create(&self.url, universe(), venue_key(), Some(&cache())).unwrap();
        for name in ["a", "b", "c"] {
            ledger.add_account(name, public(SUBJECT), None).unwrap();
        }
        ledger
    }

    pub(crate) fn open(&self) -> Ledger {
        open(&self.url)
    }
}

pub(crate) fn open(url: &str) -> Ledger {
    Ledger::open(url, Some(&cache())).unwrap()
}

/// A JSON line of a transfer of BTC.
pub(crate) fn transfer(id: &str, account: &str, millis: u64, amount: &str) -> String {
    json!({ "id": id, "account": account, "time": at(millis), "asset": "BTC", "amount": amount }).to_string()
}

/// A JSON line of a trade.
pub(crate) fn trade(id: &str, account: &str, millis: u64, terms: [&str; 4]) -> String {
    let [instrument, contracts, price, fee] = terms;
    json!({
        "id": id, "account": account, "time": at(millis), "instrument": instrument, "contracts": contracts, "price": price, "fee": fee,
    })
    .to_string()
}

pub(crate) fn entries(lines: &[String]) -> Entries {
    Entries::read(lines.join("\n").as_bytes(), EntryFormat::JsonLines).unwrap()
}

/// An hour's pledge of account `a` at an epoch, for an audience and its book `line`.
pub(crate) fn pledge(audience: u8, epoch: u64) -> Pledge {
    Pledge {
        account: "a".to_owned(),
        audience: public(audience),
        book: Book::new("line").unwrap(),
        epoch: at(epoch),
        expiry: at(epoch + 3_600_000),
        held: false,
    }
}

pub(crate) fn attest(ledger: &mut Ledger, pledge: &Pledge) -> Attested {
    ledger.attest(pledge, venue_key(), pledge.epoch).unwrap()
}

pub(crate) fn release(attested: &Attested, audience: u8, millis: u64) -> SignedRelease {
    let release = Release::of(&attested.attestation, at(millis)).unwrap();
    release.sign(&signer(audience)).unwrap()
}

#[track_caller]
pub(crate) fn assert_sound(ledger: &mut Ledger) {
    let audit = ledger.audit().unwrap();
    assert_eq!(audit.findings, [], "{audit:?}");
}
