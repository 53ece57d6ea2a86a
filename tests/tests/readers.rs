//! Every reader on the fuzzers' corpus, whole, cut and with bits flipped, under a cap on memory; and the corpus itself.
//!
//! `ZKMARGIN_REWRITE_GOLDEN=1` writes the seeds anew; longer runs are `fuzz/run.sh`.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::alloc::System;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use cap::Cap;
use serde_json::{Value, json};
use zkmargin_circuits::Blind;
use zkmargin_ledger::keys::{KeyFile, Role};
use zkmargin_ledger::running::RunningAccount;
use zkmargin_risk::account::AccountVector;
use zkmargin_risk::import::{Source, closes};
use zkmargin_risk::model::PRESETS;
use zkmargin_tests::readers::{READERS, reader};
use zkmargin_tests::small::{SMALL, key, now};
use zkmargin_verifier::opening::OpenedColumn;
use zkmargin_verifier::{Opening, Release};

/// No reader may have more than this at once; an allocation beyond it fails, and the test with it.
#[global_allocator]
static ALLOCATOR: Cap<System> = Cap::new(System, 512 << 20);

/// Places of a file at which it is cut, and as many at which a bit is flipped.
const PLACES: usize = 40;
/// All of the tree.
const MAX_CORPUS_BYTES: u64 = 1 << 20;

fn tree() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn corpus() -> BTreeMap<String, Vec<(PathBuf, Vec<u8>)>> {
    let entries = |folder: PathBuf| fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    entries(tree().join("fuzz/corpus"))
        .map(|folder| {
            let name = folder.file_name().unwrap().to_str().unwrap().to_owned();
            (
                name,
                entries(folder)
                    .map(|file| (file.clone(), fs::read(file).unwrap()))
                    .collect(),
            )
        })
        .collect()
}

#[test]
fn every_reader_has_a_seed_that_it_accepts_and_the_corpus_is_small() {
    if std::env::var_os("ZKMARGIN_REWRITE_GOLDEN").is_some() {
        write_seeds();
    }
    let corpus = corpus();
    assert!(
        corpus
            .keys()
            .map(String::as_str)
            .eq(READERS.iter().map(|reader| reader.name))
    );
    for (name, files) in &corpus {
        let read = reader(name).unwrap().read;
        assert!(
            files.iter().any(|(_, bytes)| read(bytes)),
            "no seed of {name} is read: they are of another version"
        );
    }
    let bytes: usize = corpus.values().flatten().map(|(_, bytes)| bytes.len()).sum();
    assert!(bytes as u64 <= MAX_CORPUS_BYTES, "{bytes} bytes");
}

#[test]
fn no_reader_panics_on_cut_or_flipped_files() {
    for (name, files) in corpus() {
        let read = reader(&name).unwrap().read;
        for (_, bytes) in files {
            let step = (bytes.len() / PLACES).max(1);
            for (place, at) in (0..bytes.len()).step_by(step).enumerate() {
                read(&bytes[..at]);
                let mut flipped = bytes.clone();
                flipped[at] ^= 1 << (place % 8);
                read(&flipped);
            }
        }
    }
}

/// Deep nesting, long numbers, long lists: short files that ask for much.
#[test]
fn no_reader_hangs_or_fills_memory_on_files_that_promise_much() {
    let deep = |open: &str, close: &str| format!("{}{}", open.repeat(1 << 16), close.repeat(1 << 16)).into_bytes();
    let number = format!("{{\"k\":{}}}", "9".repeat(1 << 16)).into_bytes();
    let strings = format!("[{}\"\"]", "\"\",".repeat(1 << 16)).into_bytes();
    // CBOR: an array of 2^63 elements, bytes of 2^63, arrays within arrays, tags within tags.
    let lists = [
        vec![0x9b, 0x7f, 255, 255, 255, 255, 255, 255, 255],
        vec![0x5b, 0x7f, 255, 255, 255, 255, 255, 255, 255],
    ];
    let nested = [vec![0x81; 1 << 16], vec![0xc1; 1 << 16], vec![0x9f; 1 << 16]];
    let json = [
        deep("[", "]"),
        deep("{\"a\":", "}"),
        number,
        strings,
        b"-0e999999999".to_vec(),
    ];
    for bytes in lists.iter().chain(&nested).chain(&json) {
        for reader in &READERS {
            // Edits are any bytes, and a file of fills without a line but the first is one.
            let takes_any = ["bundle-edits", "proof-edits", "ledger-csv"].contains(&reader.name);
            assert!(!(reader.read)(bytes) || takes_any, "{}", reader.name);
        }
    }
}

/// Every word of our formats, for the fuzzer.
fn write_dictionary() {
    fn words(schema: &Value, found: &mut BTreeSet<String>) {
        match schema {
            Value::Array(items) => items.iter().for_each(|item| words(item, found)),
            Value::Object(fields) => {
                found.extend(
                    fields
                        .get("properties")
                        .and_then(Value::as_object)
                        .into_iter()
                        .flatten()
                        .map(|(name, _)| name.clone()),
                );
                let choices = fields
                    .get("enum")
                    .and_then(Value::as_array)
                    .into_iter()
                    .flatten()
                    .chain(fields.get("const"));
                found.extend(choices.filter_map(Value::as_str).map(str::to_owned));
                fields.values().for_each(|value| words(value, found));
            }
            _ => (),
        }
    }
    let mut found = BTreeSet::new();
    for file in fs::read_dir(tree().join("schemas")).unwrap() {
        words(
            &serde_json::from_slice(&fs::read(file.unwrap().path()).unwrap()).unwrap(),
            &mut found,
        );
    }
    let lines = found
        .iter()
        .map(|word| format!("\"\\\"{word}\\\"\"\n"))
        .collect::<String>();
    fs::write(tree().join("fuzz/dictionary"), lines).unwrap();
}

fn write_seeds() {
    write_dictionary();
    let place = tree().join("fuzz/corpus");
    let write = |reader: &str, name: &str, bytes: &[u8]| {
        let folder = place.join(reader);
        fs::create_dir_all(&folder).unwrap();
        fs::write(folder.join(name), bytes).unwrap();
    };
    let copy = |reader: &str, name: &str, from: &str| write(reader, name, &fs::read(tree().join(from)).unwrap());
    let json = |reader: &str, name: &str, value: &Value| write(reader, name, value.to_string().as_bytes());
    let small = &*SMALL;
    let attestation = &small.bundle.statements[0].statement.attestations[0];

    write("attestation", "small", &attestation.to_bytes());
    write("attestation-payload", "small", attestation.payload());
    write("bundle", "small", &small.bundle.to_bytes());
    for reader in ["bundle-edits", "proof-edits"] {
        write(reader, "none", &[]);
        write(reader, "one", &[3, 1, 2, 7]);
        write(reader, "two", &[3, 1, 2, 7, 0, 5, 1, 9]);
    }
    let content = attestation.content();
    let columns = vec![OpenedColumn {
        lots: vec![50_000_000, 0, 3],
        blind: Blind::from_bytes(&[1; 32]).unwrap(),
    }];
    let opening = Opening {
        universe: content.universe,
        k: content.k,
        venue: content.venue.clone(),
        account: content.account,
        epoch: content.epoch,
        columns,
    };
    write("opening", "small", &opening.to_bytes());
    let release = Release::of(attestation, now()).unwrap().sign(&key("partner")).unwrap();
    write("release", "small", &release.to_bytes());
    let mut lots = vec![0; small.universe.layout().slots()];
    lots[..4].copy_from_slice(&[50_000_000, 0, 3, 0]);
    let account = AccountVector::from_lots(&small.universe, 0, lots).unwrap();
    let running = RunningAccount::open(&small.universe, &small.parameters, &account).unwrap();
    write("running", "small", &running.to_bytes());
    write("snapshot-signature", "small", &small.published[0].to_bytes());

    json("universe", "small", &small.universe_file);
    json("snapshot", "small", &small.snapshot_file);
    json("policy", "small", &small.policy_file);
    json(
        "reference",
        "small",
        &json!({ "instant": "2026-08-06T12:00:00Z", "indices": { "BTC": "65000" } }),
    );
    write(
        "journal",
        "small",
        &serde_json::to_vec(&small.breaker(&small.policy).unwrap()).unwrap(),
    );
    for role in [Role::Venue, Role::Subject] {
        write(
            "key",
            role.word(),
            KeyFile::generate(role).unwrap().to_json().as_bytes(),
        );
    }
    json(
        "account",
        "small",
        &json!({
            "venue": "perps",
            "positions": [{ "instrument": "BTC-PERP", "contracts": "-0.5", "entry": "64000" }],
            "balances": [{ "asset": "USDC", "amount": "2000.5" }, { "asset": "BTC", "amount": "-0.1" }],
        }),
    );
    write(
        "order",
        "order",
        b"sell 5 options:BTC-28AUG26-70000-C @ 0.0215 fee 0.0003",
    );
    write("order", "deposit", b"2.5 options:USDC");
    json(
        "fills",
        "small",
        &json!({
            "venue": "options",
            "fills": [{ "instrument": "BTC-28AUG26-70000-C", "contracts": "-2", "price": "120", "fee": "0.5" }],
            "transfers": [{ "asset": "USDC", "amount": "1000" }],
        }),
    );
    for (name, text) in PRESETS {
        let compact: Value = serde_json::from_str(text).unwrap();
        json("model", name, &compact);
        let mut case: Value =
            serde_json::from_slice(&fs::read(tree().join("examples/cases/short-call.json")).unwrap()).unwrap();
        case["model"] = json!(name);
        // With the market of this world every field of a snapshot is there.
        case["snapshot"] = small.snapshot_file.clone();
        json("case", name, &case);
    }
    copy("model", "demand", "examples/demands/two-venues.json");
    copy("case", "short-call", "examples/cases/short-call.json");
    copy("case", "simm-100", "examples/cases/simm-100.json");
    for name in ["deribit", "optionhouse", "perphouse"] {
        copy("venue", name, &format!("examples/venues/{name}.json"));
    }

    const CLOSES: &str = "date,symbol,us_close_usd,global_close_usd,premium_pct\n2026-08-04,BTC,64010,64000.50,0.0148\n2026-08-05,BTC,63000,63010,-0.0159\n";
    const INDICES: &str = "date,currency,dvol\n2026-08-05,BTC,35.5\n2026-08-06,BTC,34.25\n";
    write("closes", "both", format!("{CLOSES}\n{INDICES}").as_bytes());
    let source = Source {
        source: "somebody".to_owned(),
        licence: "CC0-1.0".to_owned(),
    };
    let imported = closes::import(CLOSES, Some(INDICES), &source).unwrap();
    write("history", "small", imported.history.to_json().unwrap().as_bytes());
    copy(
        "deribit-recording",
        "fixture",
        "risk/tests/fixtures/deribit_recording.json",
    );
    let answers = ["instruments", "options", "futures", "perpetual"]
        .map(|part| {
            fs::read_to_string(tree().join(format!("risk/tests/fixtures/deribit_api/btc-{part}.json"))).unwrap()
        })
        .map(|text| text.trim_end().to_owned());
    write("deribit-api", "fixture", answers.join("\n\n").as_bytes());
    // Once overflowed a decimal.
    write(
        "deribit-api",
        "large-forward",
        answers
            .join("\n\n")
            .replace("64570.12", "79228162514264337593543950335")
            .as_bytes(),
    );
    write("recorded-chain", "fixture", b"date,currency,instrument,expiry,strike,type,open_interest,mark_iv,underlying_usd\n\
        2026-08-06,BTC,BTC-28AUG26-70000-C,28AUG26,70000,call,12.5,35.1,64570\n2026-08-06,BTC,BTC-28AUG26-70000-P,28AUG26,70000,put,0,35.1,64570\n");
    write(
        "ledger-csv",
        "small",
        b"id,account,time,instrument,contracts,price,fee,asset,amount\n\
        1,a,2026-08-06T12:00:00Z,BTC-PERP,-2,64000,0.5,,\n2,a,2026-08-06T12:00:01Z,,,,,USDC,10\n",
    );
    write("ledger-json", "small", b"{\"id\":\"1\",\"account\":\"a\",\"time\":\"2026-08-06T12:00:00Z\",\"instrument\":\"BTC-PERP\",\"contracts\":\"-2\",\"price\":\"64000\",\"fee\":\"0.5\"}\n\
        {\"id\":\"2\",\"account\":\"a\",\"time\":\"2026-08-06T12:00:01Z\",\"asset\":\"USDC\",\"amount\":\"10\"}\n");
}
