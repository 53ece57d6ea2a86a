//! What stands in a file's place, and what a disk does: both tools refuse it at once, with little memory, and leave nothing behind.
#![cfg(unix)]

use std::fs::{self, File};
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Output};
use std::thread::sleep;
use std::time::Duration;

use zkmargin_verifier::Bundle;

use crate::stage::{AT, STAGE, binary, said};

const HUGE: &str = "huge";
const PIPE: &str = "pipe";
/// Address space of a command, in KiB: half of the file that it is given.
const ADDRESS_SPACE: &str = "1048576";

/// Commands of both tools on the demonstration's files, with every verb that reads files from other hands.
const COMMANDS: [&str; 24] = [
    "zkmargin inspect universe.json",
    "zkmargin model explain universe.json",
    "zkmargin model run universe.json",
    "zkmargin snapshot sign --snapshot snapshot.json --key trader.key --network test -o out",
    "zkmargin snapshot import deribit-recording snapshot.json -o out",
    "zkmargin history import closes --closes snapshot.json -o out",
    "zkmargin universe build --venue universe.json --snapshot snapshot.json --network test -o out",
    "zkmargin margin --universe universe.json --snapshot snapshot.json --model paradex-pm --opening options.opening",
    "zkmargin release --key partner.key --attestation options.attestation -o out",
    "zkmargin prove --universe universe.json --snapshot snapshot.json --model paradex-pm --attestation options.attestation \
     --opening options.opening --subject-key trader.key --book credit-line-7 --audience AUDIENCE --at AT -o out",
    "zkmargin prove --universe universe.json --snapshot snapshot.json --model hs-var --history snapshot.json --attestation absent --opening absent \
     --subject-key absent --book credit-line-7 --audience AUDIENCE --at AT -o out",
    "zkmargin prove --universe universe.json --snapshot snapshot.json --model paradex-pm --level variation --later snapshot.json --attestation options.attestation \
     --opening options.opening --subject-key trader.key --book credit-line-7 --audience AUDIENCE --at AT -o out",
    "zkmargin prove-batch --universe absent --snapshot absent --model paradex-pm --audience AUDIENCE --at AT -o out snapshot.json",
    "zkmargin venue attest --universe universe.json --key optionhouse.key --account options-account.json --subject AUDIENCE --name a --epoch AT \
     --audience AUDIENCE --book credit-line-7 --expires AT --at AT -o out --opening out.opening",
    "zkmargin venue update --universe universe.json --state out --account options-account.json",
    "zkmargin venue ledger init --ledger out --universe universe.json --key optionhouse.key",
    "zkmargin venue ledger release --ledger out --release options.attestation",
    "zkmargin-verify --policy policy.json --universe universe.json --snapshot snapshot.json --model paradex-pm --nonce NONCE --at AT margin.bundle",
    "zkmargin-verify --policy policy.json --universe universe.json --snapshot snapshot.json --model paradex-pm --later snapshot.json --at AT absent",
    "zkmargin-verify --policy policy.json --universe universe.json --snapshot snapshot.json --model paradex-pm --history snapshot.json --at AT absent",
    "zkmargin-verify --policy policy.json --universe universe.json --snapshot snapshot.json --model paradex-pm --snapshot-signature snapshot.json --at AT absent",
    "zkmargin-verify --policy policy.json --universe universe.json --snapshot snapshot.json --model paradex-pm --breaker snapshot.json --at AT margin.bundle",
    "zkmargin-verify registry create --registry out --policy policy.json",
    "zkmargin-verify breaker observe --policy policy.json --journal out --snapshot snapshot.json --reference snapshot.json --at AT",
];

fn words(command: &str) -> Vec<String> {
    let policy: serde_json::Value = serde_json::from_slice(&STAGE.read("policy.json")).unwrap();
    let audience = policy["audience"].as_str().unwrap();
    let named = |word: &str| match word {
        "AUDIENCE" => audience.to_owned(),
        "AT" => AT.to_owned(),
        "NONCE" => hex::encode(STAGE.nonce()),
        word => word.to_owned(),
    };
    command.split_whitespace().map(named).collect()
}

/// Runs it in the demonstration's folder, with bounded address space.
fn bounded(words: &[String]) -> Output {
    Command::new("sh")
        .args(["-c", &format!("ulimit -v {ADDRESS_SPACE} && exec \"$@\""), "sh"])
        .arg(binary(&words[0]))
        .args(&words[1..])
        .current_dir(STAGE.path(""))
        .env("XDG_CACHE_HOME", STAGE.path("cache"))
        .output()
        .unwrap()
}

/// Every command, with each file that it reads replaced by `other` in turn.
fn with_each_file_replaced(other: &str, refused: &str) {
    let mut tried = 0;
    for command in COMMANDS {
        let words = words(command);
        for place in 1..words.len() {
            if !STAGE.path(&words[place]).is_file() {
                continue;
            }
            let mut changed = words.clone();
            changed[place] = other.to_owned();
            let (code, text) = said(&bounded(&changed));
            assert_eq!(code, 2, "{}: {text}", changed.join(" "));
            assert!(
                text.contains(&format!("{other} is {refused}")),
                "{}: {text}",
                changed.join(" ")
            );
            assert!(!STAGE.path("out").exists());
            tried += 1;
        }
    }
    assert!(tried >= 60, "{tried} files");
}

#[test]
fn two_gibibytes_in_place_of_any_file_are_refused_before_they_are_read() {
    File::create(STAGE.path(HUGE)).unwrap().set_len(1 << 31).unwrap();
    with_each_file_replaced(HUGE, "larger than");
}

#[test]
fn pipe_in_place_of_any_file_is_refused_and_not_waited_for() {
    assert!(Command::new("mkfifo").arg(STAGE.path(PIPE)).status().unwrap().success());
    with_each_file_replaced(PIPE, "a pipe, expected a plain file");
}

#[test]
fn bundle_that_arrives_a_byte_at_a_time_is_refused_until_it_is_whole() {
    let bundle = STAGE.read("margin.bundle");
    for length in 0..bundle.len() {
        assert!(Bundle::from_bytes(&bundle[..length]).is_err(), "{length} bytes");
    }
    let command = COMMANDS.into_iter().find(|command| command.ends_with(" margin.bundle"));
    let mut words = words(command.unwrap());
    *words.last_mut().unwrap() = "arriving.bundle".to_owned();
    let mut file = File::create(STAGE.path("arriving.bundle")).unwrap();
    let mut codes = Vec::new();
    std::thread::scope(|scope| {
        let writer = scope.spawn(|| {
            for byte in &bundle {
                file.write_all(&[*byte]).unwrap();
                sleep(Duration::from_micros(250));
            }
        });
        while !writer.is_finished() {
            codes.push(said(&bounded(&words)).0);
        }
    });
    codes.push(said(&bounded(&words)).0);
    // The last of them may have met it whole.
    let whole = codes.iter().position(|code| *code == 0).unwrap();
    assert!(whole > 2, "{codes:?}");
    assert!(codes[..whole].iter().all(|code| *code == 2), "{codes:?}");
    assert!(codes[whole..].iter().all(|code| *code == 0), "{codes:?}");
}

/// `RLIMIT_FSIZE`, as a quota or a full disk: the tool is told, or killed, in the middle of a write.
#[test]
fn output_that_does_not_fit_is_not_there_at_all() {
    let folder = STAGE.path("full");
    fs::create_dir(&folder).unwrap();
    let proof = "zkmargin prove --universe universe.json --snapshot snapshot.json --model paradex-pm --attestation options.attestation \
         --opening options.opening --attestation hedge.attestation --opening hedge.opening --subject-key trader.key --ratio 1.05 \
         --book credit-line-7 --audience AUDIENCE --at AT -o full/out";
    let words = words(proof);
    let run = |limit: &str| {
        Command::new("sh")
            // A shell that ignores SIGXFSZ hands that on: writes then fail, as on a full disk.
            .args(["-c", &format!("trap '' XFSZ; ulimit -f {limit} && exec \"$@\""), "sh"])
            .arg(binary(&words[0]))
            .args(&words[1..])
            .current_dir(STAGE.path(""))
            .env("XDG_CACHE_HOME", STAGE.path("cache"))
            .output()
            .unwrap()
    };
    let (code, text) = said(&run("1"));
    assert_eq!(code, 2, "{text}");
    assert!(text.contains("cannot write full/out"), "{text}");
    assert!(is_empty(&folder), "something is left");
    assert_eq!(said(&run("unlimited")).0, 0);
}

fn is_empty(folder: &Path) -> bool {
    fs::read_dir(folder).unwrap().next().is_none()
}

#[test]
fn of_many_processes_with_one_output_one_writes_it_and_all_others_say_so() {
    fs::create_dir(STAGE.path("race")).unwrap();
    let prove = words(
        "zkmargin prove --universe universe.json --snapshot snapshot.json --model paradex-pm --attestation options.attestation \
         --opening options.opening --attestation hedge.attestation --opening hedge.opening --subject-key trader.key --ratio 1.05 \
         --book credit-line-7 --audience AUDIENCE --at AT -o race/out",
    );
    let children: Vec<_> = (0..4)
        .map(|_| {
            let mut command = Command::new(binary(&prove[0]));
            command
                .args(&prove[1..])
                .current_dir(STAGE.path(""))
                .env("XDG_CACHE_HOME", STAGE.path("cache"));
            command
                .stdout(std::process::Stdio::piped())
                .stderr(std::process::Stdio::piped())
                .spawn()
                .unwrap()
        })
        .collect();
    let outcomes: Vec<(i32, String)> = children
        .into_iter()
        .map(|child| said(&child.wait_with_output().unwrap()))
        .collect();
    let done = outcomes.iter().filter(|(code, _)| *code == 0).count();
    assert_eq!(done, 1, "{outcomes:?}");
    let others = outcomes.iter().filter(|(code, _)| *code != 0);
    others.for_each(|(code, text)| assert!(*code == 2 && text.contains("race/out exists already"), "{code}: {text}"));
    let names: Vec<_> = fs::read_dir(STAGE.path("race"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name())
        .collect();
    assert_eq!(names, ["out"]);
}
