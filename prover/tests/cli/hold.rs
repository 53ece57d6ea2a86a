//! `prove --release-at`: a bundle appears when it was said that it would, or not at all.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use zkmargin_risk::instant::Instant;

use crate::desk::{EXPIRES, desk, run};

const FOREVER: &str = "2199-01-01T00:00:00Z";

/// The system's clock, so much later.
fn after(delay: Duration) -> Instant {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap() + delay;
    Instant::from_millis(u64::try_from(since.as_millis()).unwrap()).unwrap()
}

fn time_of(instant: Instant) -> SystemTime {
    UNIX_EPOCH + Duration::from_millis(instant.millis())
}

/// Attests both accounts until long after this test is run: the demonstration's day is gone by the system's clock.
fn attest_for_long(prefix: &str) -> [(String, String); 2] {
    let desk = desk();
    [
        ("optionhouse.key", "options-account.json"),
        ("perphouse.key", "hedge-account.json"),
    ]
    .map(|(key, account)| {
        let names = [".attestation", ".opening"].map(|end| format!("{prefix}-{account}{end}"));
        let mut words = desk.attest(key, account, &names[0], &names[1]);
        words
            .iter_mut()
            .filter(|word| **word == EXPIRES)
            .for_each(|word| *word = FOREVER);
        run(desk.path(), &words).done();
        let [attestation, opening] = names;
        (attestation, opening)
    })
}

fn leavings(folder: &Path, bundle: &str) -> Vec<String> {
    let names = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap());
    names.filter(|name| name == bundle || name.ends_with(".tmp")).collect()
}

#[test]
fn bundle_appears_at_the_instant_and_no_byte_of_it_before() {
    let desk = desk();
    let pairs = attest_for_long("held");
    let pairs = pairs
        .each_ref()
        .map(|(attestation, opening)| (attestation.as_str(), opening.as_str()));
    // In a folder of its own: other tests write to the desk's.
    let folder = desk.path().join("held");
    fs::create_dir(&folder).unwrap();
    // What a proof takes here, measured, several times over.
    let begun = SystemTime::now();
    run(desk.path(), &desk.prove(&pairs, "held/first.bundle")).done();
    fs::remove_file(folder.join("first.bundle")).unwrap();
    let release = after(begun.elapsed().unwrap() * 5 + Duration::from_secs(2));
    let text = release.to_string();
    let mut words = desk.prove(&pairs, "held/held.bundle");
    words.extend(["--release-at", &text]);
    let mut child = Command::new(env!("CARGO_BIN_EXE_zkmargin"))
        .args(&words)
        .current_dir(desk.path())
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    loop {
        let found = leavings(&folder, "held.bundle");
        // Looked at after the folder was: what was there then was there before this instant.
        if SystemTime::now() >= time_of(release) {
            break;
        }
        assert!(found.is_empty(), "before {release}: {found:?}");
        assert!(child.try_wait().unwrap().is_none(), "ended before {release}");
        sleep(Duration::from_millis(10));
    }
    assert!(child.wait().unwrap().success());
    let written = fs::metadata(folder.join("held.bundle")).unwrap().modified().unwrap();
    // The system marks files by a clock that may be a tick behind.
    let marked = written + Duration::from_millis(20);
    assert!(marked >= time_of(release), "the file's own time is before {release}");
    run(desk.path(), &["inspect", "held/held.bundle"]).done();
}

#[test]
fn proof_that_is_late_for_its_instant_is_not_written() {
    let desk = desk();
    let pairs = attest_for_long("late");
    let pairs = pairs
        .each_ref()
        .map(|(attestation, opening)| (attestation.as_str(), opening.as_str()));
    // Between the beginning of the work and its end: found by trying, since nobody knows how fast this machine is.
    let is_late = (1..10).any(|doublings| {
        let text = after(Duration::from_millis(2 << doublings)).to_string();
        let mut words = desk.prove(&pairs, "late.bundle");
        words.extend(["--release-at", &text]);
        let refused = run(desk.path(), &words);
        refused.refused(2, &[&text]);
        assert!(!desk.exists("late.bundle"));
        refused.err.contains("Nothing was written; give --release-at more time")
    });
    assert!(is_late);
}

#[test]
fn instant_that_is_gone_or_after_the_statement_is_refused_before_the_work() {
    let desk = desk();
    let pairs = [
        ("options.attestation", "options.opening"),
        ("hedge.attestation", "hedge.opening"),
    ];
    let mut words = desk.prove(&pairs, "gone.bundle");
    words.extend(["--release-at", "2020-01-01T00:00:00Z"]);
    run(desk.path(), &words).refused(2, &["2020-01-01T00:00:00Z is no later than now"]);
    let mut words = desk.prove(&pairs, "gone.bundle");
    words.extend(["--release-at", "2198-01-01T00:00:00Z"]);
    run(desk.path(), &words).refused(
        2,
        &["2198-01-01T00:00:00Z is after the end of the statement, 2026-08-06T13:00:00Z"],
    );
    assert!(!desk.exists("gone.bundle"));
}
