//! `zkmargin prove-batch`.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tempfile::TempDir;
use zkmargin_circuits::Parameters;
use zkmargin_prover::lock::Lock;
use zkmargin_risk::market::Snapshot;
use zkmargin_risk::model::Model;
use zkmargin_risk::universe::Universe;
use zkmargin_verifier::{Bundle, Context, Verifier, VerifyError};

use crate::desk::{AT, Desk, Ran, desk, run};

/// Pairs of accounts that are attested.
const PAIRS: usize = 5;

/// A folder with as many pairs of accounts as there are, each attested under names of its own.
fn pairs() -> TempDir {
    let desk = desk();
    let folder = desk.copied(&[
        "trader.key",
        "short.attestation",
        "short.opening",
        "hedge.attestation",
        "hedge.opening",
    ]);
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
            let place = words.iter().position(|word| *word == "--name").unwrap();
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

fn words<'a>(desk: &'a Desk, batch: &'a Path, at: &'a str, more: &[&'a str]) -> Vec<&'a str> {
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
        at,
    ]);
    words.extend(more);
    words
}

fn batch_at(at: &str, batch: &Path, out: &Path, more: &[&str]) -> Ran {
    let desk = desk();
    let mut more = more.to_vec();
    more.extend(["--out", out.to_str().unwrap()]);
    run(desk.path(), &words(desk, batch, at, &more))
}

fn batch(file: &Path, out: &Path, more: &[&str]) -> Ran {
    batch_at(AT, file, out, more)
}

/// The same answer in words.
fn batch_in_words(file: &Path, out: &Path, more: &[&str]) -> Ran {
    let desk = desk();
    let mut more = more.to_vec();
    more.extend(["--out", out.to_str().unwrap()]);
    run(desk.path(), &words(desk, file, AT, &more)[1..])
}

/// The names of the files in a list of an answer.
fn files(listed: &Value) -> Vec<String> {
    let name = |file: &Value| {
        let path = file["file"].as_str().or(file.as_str()).unwrap();
        Path::new(path).file_name().unwrap().to_str().unwrap().to_owned()
    };
    listed.as_array().unwrap().iter().map(name).collect()
}

/// `proof-00001.bundle` and so on.
fn numbered(numbers: &[u32]) -> Vec<String> {
    numbers
        .iter()
        .map(|number| format!("proof-{number:05}.bundle"))
        .collect()
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
            "\"short\": the maintenance requirement of paradex-pm is not met",
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

    // Bundles of other terms are of nothing that is asked for.
    let told = batch(&file, &out, &["--ratio", "1.05"]).json();
    assert_eq!(names(&told, false).len(), PAIRS);
    assert_eq!(files(&told["not_asked_for"]), numbered(&[1, 3, 4]));
}

#[test]
fn file_where_the_folder_of_a_batch_should_be_is_named() {
    let desk = desk();
    let file = write(desk.path(), &[entry("one", &["options", "hedge"])]);
    let out = desk.path().join("hedge.opening");
    batch(&file, &out, &[]).refused(2, &["hedge.opening is a file, expected a folder for the bundles"]);
}

#[test]
fn each_proof_has_a_nonce_of_its_own_of_those_given() {
    let folder = pairs();
    let out = folder.path().join("out");
    let file = write(folder.path(), &(0..PAIRS).map(pair).collect::<Vec<_>>());
    let [first, second, third, fourth] = ["0a", "0b", "0c", "0d"].map(|byte| byte.repeat(32));
    let with = |nonces: &[&String]| {
        let mut more = vec!["--per-proof", "2"];
        more.extend(nonces.iter().flat_map(|nonce| ["--nonce", nonce.as_str()]));
        batch(&file, &out, &more)
    };
    with(&[&first, &second, &first]).refused(2, &["--nonce: 3 are given, of which 2 are different"]);
    let too_few = "proofs that are still to be made: 3, each with a nonce of its own; nonces that are given: 2, of which kept bundles carry 0";
    with(&[&first, &second]).refused(2, &[too_few]);
    assert!(bundles(&out).is_empty());

    let told = with(&[&first, &second, &third]).done().json();
    let carried = |told: &Value, name: &str| {
        let statements = told["statements"].as_array().unwrap();
        let of_file = statements
            .iter()
            .filter(|stated| stated["file"].as_str().unwrap().ends_with(name));
        of_file
            .map(|stated| stated["nonce"].as_str().unwrap().to_owned())
            .collect::<Vec<_>>()
    };
    assert_eq!(carried(&told, "proof-00001.bundle"), [first.clone(), first.clone()]);
    assert_eq!(carried(&told, "proof-00002.bundle"), [second.clone(), second.clone()]);
    assert_eq!(carried(&told, "proof-00003.bundle"), std::slice::from_ref(&third));

    // What is there has used its nonce, and what is made again takes one that is left.
    std::fs::remove_file(out.join("proof-00002.bundle")).unwrap();
    with(&[&first, &third]).refused(
        2,
        &[
            "to be made: 1, ",
            "nonces that are given: 2, of which kept bundles carry 2",
        ],
    );
    let told = with(&[&first, &third, &fourth]).done().json();
    assert_eq!(names(&told, true), ["desk 0", "desk 1", "desk 4"]);
    assert_eq!(carried(&told, "proof-00004.bundle"), [fourth.clone(), fourth]);
    // A bundle whose nonce the partner did not draw is not kept.
    with(&[&second]).refused(
        2,
        &[
            "to be made: 3, ",
            "nonces that are given: 1, of which kept bundles carry 0",
        ],
    );
}

#[test]
fn bundles_that_cannot_be_kept_are_named_left_and_made_anew() {
    let folder = pairs();
    let out = folder.path().join("out");
    let file = write(folder.path(), &(0..4).map(pair).collect::<Vec<_>>());
    let one_each = ["--per-proof", "1"];
    batch(&file, &out, &[&one_each[..], &["--valid-for", "1m"]].concat()).done();
    let path = |name: &str| out.join(name);
    let mut bytes = std::fs::read(path("proof-00001.bundle")).unwrap();
    let last = bytes.len() - 1;
    std::fs::write(path("proof-00002.bundle"), &bytes[..last]).unwrap();
    bytes[last] ^= 1;
    std::fs::write(path("proof-00001.bundle"), &bytes).unwrap();
    std::fs::write(path("proof-00003.bundle"), "").unwrap();
    let before = bundles(&out);

    let ran = batch(&file, &out, &one_each).done();
    let told = ran.json();
    assert_eq!(names(&told, true), ["desk 3"]);
    assert_eq!(names(&told, false), ["desk 0", "desk 1", "desk 2"]);
    let damaged = numbered(&[1, 2, 3]);
    assert_eq!(files(&told["left"]), damaged);
    assert_eq!(files(&told["files"]), numbered(&[4, 5, 6, 7]));
    for name in &damaged {
        let line = ran.err.lines().find(|line| line.contains(name.as_str())).unwrap();
        assert!(
            line.ends_with("; the file is left as it is, and nothing of it is kept"),
            "{line}"
        );
    }
    let after = bundles(&out);
    assert!(before.iter().all(|(name, bytes)| after[name] == *bytes));

    // Later, the fourth is no longer good, and those that were made anew are.
    let ran = batch_at("2026-08-06T12:03:00Z", &file, &out, &one_each).done();
    let told = ran.json();
    assert_eq!(names(&told, true), ["desk 0", "desk 1", "desk 2"]);
    assert_eq!(names(&told, false), ["desk 3"]);
    assert_eq!(files(&told["left"]), numbered(&[1, 2, 3, 4]));
    let ended = told["left"][3]["error"].as_str().unwrap();
    assert!(ended.contains("is not good after 2026-08-06T12:02:00Z"), "{ended}");
}

#[test]
fn second_batch_in_a_folder_is_refused_before_it_proves_anything() {
    let folder = pairs();
    let out = folder.path().join("out");
    let file = write(folder.path(), &[pair(0)]);
    std::fs::create_dir(&out).unwrap();
    let lock = Lock::take(&out.join(".lock")).unwrap();
    batch(&file, &out, &[]).refused(2, &[".lock: another zkmargin is at work on it"]);
    drop(lock);
    assert!(bundles(&out).is_empty());
    // Where nothing can be written, that is found at once, too.
    std::fs::create_dir(out.join(".lock")).unwrap();
    batch(&file, &out, &[]).refused(2, &["cannot lock ", ".lock: "]);
    std::fs::remove_dir(out.join(".lock")).unwrap();
    batch(&file, &out, &[]).done();
    assert_eq!(bundles(&out).into_keys().collect::<Vec<_>>(), numbered(&[1]));
}

#[test]
fn names_that_are_not_of_the_tool_are_not_looked_at() {
    let folder = pairs();
    let out = folder.path().join("out");
    let file = write(folder.path(), &[pair(0)]);
    std::fs::create_dir(&out).unwrap();
    for name in [
        "proof-18446744073709551615.bundle",
        "proof-+0007.bundle",
        "proof-9.bundle",
    ] {
        std::fs::write(out.join(name), "").unwrap();
    }
    let told = batch(&file, &out, &[]).done().json();
    assert_eq!(files(&told["files"]), numbered(&[1]));
    assert_eq!(told["left"], json!([]));
    // After the last number there is none.
    std::fs::write(out.join("proof-999999999.bundle"), "").unwrap();
    std::fs::remove_file(out.join("proof-00001.bundle")).unwrap();
    batch(&file, &out, &[]).refused(2, &["proof-999999999.bundle: not enough numbers are left after it"]);
}

#[test]
fn answer_says_until_when_files_are_good_and_which_are_of_nothing_that_was_asked_for() {
    let folder = pairs();
    let out = folder.path().join("out");
    let file = write(folder.path(), &[pair(0), pair(1)]);
    let told = batch(&file, &out, &["--per-proof", "1", "--valid-for", "1m"])
        .done()
        .json();
    for stated in [&told["statements"], &told["files"]] {
        assert!(
            stated
                .as_array()
                .unwrap()
                .iter()
                .all(|of| of["until"] == "2026-08-06T12:02:00Z"),
            "{told}"
        );
    }

    let file = write(folder.path(), &[pair(1), pair(2)]);
    let more = ["--per-proof", "1", "--valid-for", "30m"];
    let told = batch_in_words(&file, &out, &more).done().out;
    for line in [
        "proof-00002.bundle: 1 statement, good until 2026-08-06T12:02:00Z, kept, which is sooner than --valid-for asks\n",
        "proof-00003.bundle: 1 statement, good until 2026-08-06T12:31:00Z\n",
        "1 bundle here is of nothing that was asked for, or of what another one states: proof-00001.bundle.\n",
    ] {
        assert!(told.contains(line), "{told}");
    }
    let told = batch(&file, &out, &more).done().json();
    assert_eq!(files(&told["not_asked_for"]), numbered(&[1]));
    let until = |place: usize| told["files"][place]["until"].as_str().unwrap();
    assert_eq!([until(0), until(1)], ["2026-08-06T12:02:00Z", "2026-08-06T12:31:00Z"]);
}

#[test]
fn killed_batch_goes_on_where_it_was() {
    let folder = pairs();
    let out = folder.path().join("out");
    let file = write(folder.path(), &(0..PAIRS).map(pair).collect::<Vec<_>>());
    let desk = desk();
    let more = ["--per-proof", "1", "--jobs", "1", "--out", out.to_str().unwrap()];
    let mut child = Command::new(env!("CARGO_BIN_EXE_zkmargin"))
        .args(words(desk, &file, AT, &more))
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
    let file = folder.path().join("batch.json");
    std::fs::write(&file, "[").unwrap();
    batch(&file, &out, &[]).refused(2, &["batch.json", "expected a batch: an object with `statements`"]);
    let file = write(folder.path(), &[entry()]);
    batch(&file, &out, &["--per-proof", "257"]).refused(2, &["--per-proof", "1..=256"]);
    assert!(!out.exists());
}

#[test]
fn statements_in_another_order_are_refused_by_the_proof_though_every_signature_is_right() {
    let folder = pairs();
    let out = folder.path().join("out");
    let file = write(folder.path(), &[pair(0), pair(1), pair(2)]);
    batch(&file, &out, &["--per-proof", "3"]).done();
    let bundle = Bundle::from_bytes(&std::fs::read(out.join("proof-00001.bundle")).unwrap()).unwrap();
    assert_eq!(bundle.statements.len(), 3);

    let text = |name: &str| std::fs::read_to_string(desk().path().join(name)).unwrap();
    let universe = Universe::from_json(&text("universe.json")).unwrap();
    let snapshot = Snapshot::from_json(&text("snapshot.json")).unwrap();
    let model = Model::preset("paradex-pm").unwrap();
    let parameters = Parameters::load(universe.k(), None).unwrap();
    let context = Context {
        universe: &universe,
        snapshot: &snapshot,
        later: None,
        model: &model,
        parameters: &parameters,
    };
    let verdict = |bundle: &Bundle| Verifier::new(context).check_bundle(&bundle.to_bytes(), AT.parse().unwrap());
    assert!(verdict(&bundle).is_ok());
    for (first, second) in [(0, 1), (0, 2), (1, 2)] {
        let mut other = bundle.clone();
        other.statements.swap(first, second);
        assert!(
            matches!(verdict(&other), Err(VerifyError::Proof(_))),
            "{first} {second}"
        );
    }
    // A statement that is left out takes its part of the proof with it.
    let mut fewer = bundle.clone();
    fewer.statements.pop();
    assert!(matches!(verdict(&fewer), Err(VerifyError::Proof(_))));
}
