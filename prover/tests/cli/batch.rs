//! `zkmargin prove-batch`.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::desk::{AT, Desk, Ran, desk, run};

/// Pairs of accounts that are attested.
const PAIRS: usize = 5;

/// A folder with as many pairs of accounts as there are, each attested under names of its own.
fn pairs() -> TempDir {
    let desk = desk();
    let folder = tempfile::tempdir().unwrap();
    for name in [
        "trader.key",
        "short.attestation",
        "short.opening",
        "hedge.attestation",
        "hedge.opening",
    ] {
        std::fs::copy(desk.path().join(name), folder.path().join(name)).unwrap();
    }
    for index in 0..PAIRS {
        for (key, account) in [
            ("optionhouse.key", "options-account.json"),
            ("perphouse.key", "hedge-account.json"),
        ] {
            let name = account.split('-').next().unwrap();
            let file = |end: &str| {
                folder
                    .path()
                    .join(format!("{name}-{index}.{end}"))
                    .display()
                    .to_string()
            };
            let (attestation, opening, id) = (file("attestation"), file("opening"), format!("{name} {index}"));
            let mut words = desk.attest(key, account, &attestation, &opening);
            let place = words.iter().position(|word| *word == "--account-id").unwrap();
            words[place + 1] = &id;
            run(desk.path(), &words).done();
        }
    }
    folder
}

fn entry(name: &str, accounts: &[&str]) -> Value {
    let accounts: Vec<Value> = accounts
        .iter()
        .map(
            |account| json!({"attestation": format!("{account}.attestation"), "opening": format!("{account}.opening")}),
        )
        .collect();
    json!({"name": name, "book": "line-1", "accounts": accounts, "subject_keys": ["trader.key"]})
}

fn pair(index: usize) -> Value {
    entry(
        &format!("desk {index}"),
        &[&format!("options-{index}"), &format!("hedge-{index}")],
    )
}

fn write(folder: &Path, entries: &[Value]) -> PathBuf {
    let path = folder.join("batch.json");
    std::fs::write(&path, json!({ "statements": entries }).to_string()).unwrap();
    path
}

fn words<'a>(desk: &'a Desk, batch: &'a Path, more: &[&'a str]) -> Vec<&'a str> {
    let mut words = vec![
        "--json",
        "prove-batch",
        batch.to_str().unwrap(),
        "--universe",
        "universe.json",
    ];
    words.extend([
        "--snapshot",
        "snapshot.json",
        "--model",
        "paradex-pm",
        "--audience",
        &desk.partner,
        "--at",
        AT,
    ]);
    words.extend(more);
    words
}

fn batch(batch: &Path, out: &Path, more: &[&str]) -> Ran {
    let desk = desk();
    let mut more = more.to_vec();
    more.extend(["--out", out.to_str().unwrap()]);
    run(desk.path(), &words(desk, batch, &more))
}

/// What the bundles of a folder hold, by name.
fn bundles(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let entries = std::fs::read_dir(folder).unwrap().map(Result::unwrap);
    entries
        .map(|entry| {
            (
                entry.file_name().into_string().unwrap(),
                std::fs::read(entry.path()).unwrap(),
            )
        })
        .collect()
}

fn names(statements: &Value, kept: bool) -> Vec<&str> {
    let statements = statements["statements"].as_array().unwrap();
    let of = statements.iter().filter(|statement| statement["kept"] == kept);
    let mut names: Vec<&str> = of.map(|statement| statement["name"].as_str().unwrap()).collect();
    names.sort_unstable();
    names
}

#[test]
fn batch_proves_what_can_be_proven_names_the_rest_and_keeps_what_is_there() {
    let folder = pairs();
    let out = folder.path().join("out");
    let mut entries: Vec<Value> = (0..PAIRS).map(pair).collect();
    entries.insert(1, entry("short", &["short", "hedge"]));
    entries.insert(3, entry("absent", &["nobody"]));
    entries.push(entry("again", &["options-0", "hedge"]));
    let file = write(folder.path(), &entries);

    let ran = batch(&file, &out, &["--per-proof", "2"]);
    ran.refused(
        4,
        &[
            "\"short\": statement 1: the maintenance requirement of paradex-pm is not met",
            "short by ",
        ],
    );
    assert!(ran.err.contains("\"absent\": ") && ran.err.contains("nobody.attestation"));
    assert!(ran.err.contains("\"again\": account ") && ran.err.contains("is in statement \"desk 0\" already"));
    let told = ran.json();
    assert_eq!(names(&told, false), ["desk 0", "desk 1", "desk 2", "desk 3", "desk 4"]);
    assert_eq!(told["refused"].as_array().unwrap().len(), 3);
    assert!(told["refused"][0]["shortfall"].as_str().unwrap().ends_with(" USD"));
    let first = bundles(&out);
    assert_eq!(first.len(), 3, "two pairs to a proof");
    // All are what the partner takes, statement by statement.
    for (name, statements) in [("proof-00001.bundle", 2), ("proof-00003.bundle", 1)] {
        let looked = run(&out, &["--json", "inspect", name]).done().json();
        assert_eq!(looked["statements"].as_array().unwrap().len(), statements);
    }

    // What is missing is made again, and nothing else is touched.
    std::fs::remove_file(out.join("proof-00002.bundle")).unwrap();
    let told = batch(&file, &out, &["--per-proof", "2"]).json();
    assert_eq!(names(&told, false), ["desk 2", "desk 3"]);
    assert_eq!(names(&told, true), ["desk 0", "desk 1", "desk 4"]);
    let second = bundles(&out);
    assert_eq!(
        second.keys().collect::<Vec<_>>(),
        ["proof-00001.bundle", "proof-00003.bundle", "proof-00004.bundle"]
    );
    assert!(
        ["proof-00001.bundle", "proof-00003.bundle"]
            .iter()
            .all(|name| first[*name] == second[*name])
    );

    // A bundle of other terms is nobody's here, and one that does not verify is in the way.
    let told = batch(&file, &out, &["--ratio", "1.05"]).json();
    assert_eq!(names(&told, false).len(), PAIRS);
    let path = out.join("proof-00003.bundle");
    let mut bytes = std::fs::read(&path).unwrap();
    let last = bytes.len() - 1;
    bytes[last] ^= 1;
    std::fs::write(&path, bytes).unwrap();
    batch(&file, &out, &[]).refused(1, &["proof-00003.bundle", "cannot be kept, give another folder"]);
}

#[test]
fn killed_batch_goes_on_where_it_was() {
    let folder = pairs();
    let out = folder.path().join("out");
    let file = write(folder.path(), &(0..PAIRS).map(pair).collect::<Vec<_>>());
    let desk = desk();
    let more = ["--per-proof", "1", "--jobs", "1", "--out", out.to_str().unwrap()];
    let mut child = Command::new(env!("CARGO_BIN_EXE_zkmargin"))
        .args(words(desk, &file, &more))
        .current_dir(desk.path())
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    let started = Instant::now();
    while !out.join("proof-00001.bundle").exists() {
        assert!(started.elapsed() < Duration::from_secs(120), "no bundle");
        sleep(Duration::from_millis(5));
    }
    child.kill().unwrap();
    child.wait().unwrap();
    let before = bundles(&out);
    let finished = before.keys().filter(|name| name.ends_with(".bundle")).count();

    let told = batch(&file, &out, &more[..4]).done().json();
    assert_eq!(names(&told, true).len(), finished);
    assert_eq!(names(&told, false).len(), PAIRS - finished);
    let after = bundles(&out);
    for (name, bytes) in before.iter().filter(|(name, _)| name.ends_with(".bundle")) {
        assert_eq!(after[name], *bytes, "{name} was made again");
    }
}

#[test]
fn batches_that_cannot_be_meant_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("out");
    let entry = || entry("one", &["account"]);
    let with = |part: &str, value: Value| {
        let mut entry = entry();
        entry[part] = value;
        vec![entry]
    };
    for (entries, why) in [
        (vec![], "a batch has 1 to 100000 statements, this one has 0"),
        (vec![entry(), entry()], "two statements are called \"one\""),
        (with("accounts", json!([])), "statement \"one\" has no accounts"),
        (with("subject_keys", json!([])), "statement \"one\" has no subject_keys"),
        (with("level", json!("initial")), "unknown field `level`"),
    ] {
        batch(&write(folder.path(), &entries), &out, &[]).refused(2, &["batch.json", why]);
    }
    let file = write(folder.path(), &[entry()]);
    batch(&file, &out, &["--per-proof", "257"]).refused(2, &["--per-proof", "1..=256"]);
    assert!(!out.exists());
}
