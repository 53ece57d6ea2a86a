//! What stands in a file's place, and what a disk does: both tools refuse it at once, with little memory, and leave nothing behind.
#![cfg(unix)]

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::Write as _;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::{Command, Output};
use std::sync::{LazyLock, Mutex, MutexGuard, PoisonError};
use std::thread::sleep;
use std::time::Duration;

use serde_json::{Value, json};
use zkmargin_verifier::Bundle;

use crate::stage::{AT, STAGE, binary, said};

/// Address space of a command, in KiB: half of the file that it is given.
const ADDRESS_SPACE: &str = "1048576";

/// What stands in a file's place, and how it is refused: where it is read, where it is a database, where it is to be replaced. The names are those of fills, since a ledger
/// imports no others.
type Other = (&'static str, &'static [&'static str]);
const HUGE: Other = ("huge.jsonl", &[" is larger than ", ": not a database "]);
const PIPE: Other = (
    "pipe.jsonl",
    &[
        " is a pipe, expected a plain file",
        ": not a plain file",
        " is not a plain file and is not replaced",
    ],
);

/// What many commands have in common.
const COMMON: [(&str, &str); 3] = [
    (
        "FACTS",
        "--universe universe.json --snapshot snapshot.json --model model.json --history history.json",
    ),
    ("LATER", "--level variation --later later.json"),
    (
        "TERMS",
        "--key optionhouse.key --name a --epoch AT --audience AUDIENCE --book credit-line-7 --expires AT --at AT -o out \
         --opening out.opening",
    ),
];

/// Makes what they read beside the demonstration's files and [`copies`].
const PREPARATIONS: [&str; 7] = [
    "zkmargin keygen publisher -o publisher.key",
    "zkmargin snapshot sign --snapshot snapshot.json --key publisher.key --network test -o snapshot.signature",
    "zkmargin release --key partner.key --attestation options.attestation --at AT -o options.release",
    "zkmargin venue update --universe universe.json --account options-account.json --state options.state",
    "zkmargin venue ledger init --ledger ledger.db --universe universe.json --key optionhouse.key",
    "zkmargin bench --legs 64 --equations 4 --squares 0 --threads 1 --batch 1 --runs 1 -o bench.json",
    "zkmargin-verify registry create --registry registry.db --policy calls.json",
];

/// Every verb of both tools that reads files, with all that it reads. What it reads last is any file: what it makes of that is never seen.
const COMMANDS: [&str; 38] = [
    "zkmargin inspect universe.json",
    "zkmargin model explain model.json",
    "zkmargin model check model.json --universe universe.json --snapshot snapshot.json --history history.json",
    "zkmargin model run case.json",
    "zkmargin bench --out bench.json",
    "zkmargin bench report bench.json --baselines snapshot.json -o out",
    "zkmargin snapshot sign --snapshot snapshot.json --key publisher.key --network test -o out",
    "zkmargin snapshot import recorded-chain snapshot.json --time AT -o out",
    "zkmargin snapshot import deribit-recording snapshot.json -o out",
    "zkmargin history import closes --closes snapshot.json --dvol snapshot.json -o out",
    "zkmargin universe build --venue optionhouse.json --venue perphouse.json --snapshot snapshot.json --network test -o out",
    "zkmargin margin FACTS LATER --account hedge-account.json --opening options.opening",
    "zkmargin release --key partner.key --attestation options.attestation -o out",
    "zkmargin prove FACTS LATER --attestation options.attestation --opening options.opening --subject-key trader.key \
     --book credit-line-7 --audience AUDIENCE --at AT -o out",
    "zkmargin prove-batch FACTS LATER --audience AUDIENCE --at AT -o out batch.json",
    "zkmargin venue attest --universe universe.json --account options-account.json --subject AUDIENCE TERMS",
    "zkmargin venue attest --universe universe.json --state options.state --subject AUDIENCE TERMS",
    "zkmargin venue update --universe universe.json --state out --account options-account.json --fills snapshot.json",
    "zkmargin venue update --universe universe.json --state options.state --fills snapshot.json",
    "zkmargin venue ledger init --ledger ledger.db --universe universe.json --key optionhouse.key",
    "zkmargin venue ledger account --ledger ledger.db --name a --subject AUDIENCE --account options-account.json",
    "zkmargin venue ledger import --ledger ledger.db --fills fills.jsonl",
    "zkmargin venue ledger attest --ledger ledger.db TERMS",
    "zkmargin venue ledger release --ledger ledger.db --release options.release",
    "zkmargin venue ledger handover --ledger ledger.db --release options.release TERMS",
    "zkmargin venue ledger show --ledger ledger.db",
    "zkmargin venue ledger audit --ledger ledger.db",
    "zkmargin venue ledger export --ledger ledger.db -o out.csv",
    "zkmargin venue ledger relist --ledger ledger.db --universe universe.json",
    "zkmargin-verify --policy policy.json --registry registry.db FACTS --later later.json --snapshot-signature snapshot.signature \
     --breaker snapshot.json --at AT margin.bundle",
    "zkmargin-verify registry create --registry registry.db --policy calls.json",
    "zkmargin-verify registry accounts --registry registry.db",
    "zkmargin-verify registry history --registry registry.db --venue optionhouse --account NONCE",
    "zkmargin-verify registry release --registry registry.db options.release",
    "zkmargin-verify registry export --registry registry.db --format csv",
    "zkmargin-verify registry bundle --registry registry.db --statement NONCE -o out",
    "zkmargin-verify breaker observe --policy policy.json --snapshot snapshot.json --snapshot-signature snapshot.signature \
     --reference reference.json --journal snapshot.json --at AT",
    "zkmargin-verify breaker status --journal snapshot.json",
];

/// What stands in the tools' help for a value that names no file.
const NO_FILES: [&str; 25] = [
    "AGE",
    "AT",
    "COUNT",
    "DEPOSIT",
    "FORMAT",
    "FROM/UNTIL",
    "HEX",
    "INSTANT",
    "K",
    "K,…",
    "KIND",
    "LEVEL",
    "N",
    "N,…",
    "NAME",
    "NAME,…",
    "NETWORK",
    "NONCE",
    "ORDER",
    "RATIO",
    "ROLE",
    "SECONDS",
    "TEXT",
    "UNITS",
    "VENUE=HEX",
];

/// Other arguments that are in no command, by how they end, and why.
const NOT_READ: [(&str, &str); 10] = [
    (" --out", "is written; bench, which reads it as well, is a command"),
    (" attest --opening", "is written"),
    (" handover --opening", "is written"),
    (" margin --svg", "is written"),
    (" demo --dir", "is a folder that is written"),
    (
        "zkmargin-verify --cache",
        "is a folder; what is wrong in it is made anew",
    ),
    (" deribit-api <>", "is a folder, which has a test of its own"),
    (" registry history --venue", "is a name"),
    (" registry history --account", "is a pseudonym"),
    (" registry bundle --statement", "is a digest"),
];

/// Puts beside the demonstration's files what else the commands read. One test at a time is at work on all that: of several, one would hold a lock.
fn prepared() -> MutexGuard<'static, ()> {
    static PREPARED: LazyLock<Mutex<()>> = LazyLock::new(|| {
        copies();
        for command in PREPARATIONS {
            let (code, text) = said(&bounded(&words(command)));
            assert_eq!(code, 0, "{command}: {text}");
        }
        File::create(STAGE.path(HUGE.0)).unwrap().set_len(1 << 31).unwrap();
        assert!(
            Command::new("mkfifo")
                .arg(STAGE.path(PIPE.0))
                .status()
                .unwrap()
                .success()
        );
        Mutex::new(())
    });
    PREPARED.lock().unwrap_or_else(PoisonError::into_inner)
}

fn copies() {
    let repository = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    for (name, from) in [
        ("model.json", "risk/presets/hs-var.json"),
        ("history.json", "examples/histories/2026-08-07.json"),
        ("later.json", "examples/snapshots/2026-08-07T0400Z.json"),
        ("case.json", "examples/cases/short-call.json"),
    ] {
        fs::copy(repository.join(from), STAGE.path(name)).unwrap();
    }
    let mut policy: Value = serde_json::from_slice(&STAGE.read("policy.json")).unwrap();
    policy["calls"] = json!({ "notice": "1m", "grace": "5m" });
    let fill = json!({ "id": "1", "account": "a", "time": AT, "asset": "BTC", "amount": "1" });
    let reference = json!({ "instant": AT, "indices": { "BTC": "64415.57" } });
    let batch = batch(["options.attestation", "options.opening", "trader.key"]);
    for (name, content) in [
        ("calls.json", policy),
        ("fills.jsonl", fill),
        ("reference.json", reference),
        ("batch.json", batch),
    ] {
        fs::write(STAGE.path(name), content.to_string()).unwrap();
    }
}

fn batch([attestation, opening, key]: [&str; 3]) -> Value {
    let accounts = json!([{ "attestation": attestation, "opening": opening }]);
    json!({ "statements": [{ "name": "one", "book": "credit-line-7", "accounts": accounts, "subject_keys": [key] }] })
}

fn words(command: &str) -> Vec<String> {
    let policy: Value = serde_json::from_slice(&STAGE.read("policy.json")).unwrap();
    let audience = policy["audience"].as_str().unwrap();
    let named = |word: &str| match word {
        "AUDIENCE" => audience.to_owned(),
        "AT" => AT.to_owned(),
        "NONCE" => hex::encode(STAGE.nonce()),
        word => word.to_owned(),
    };
    let command = COMMON.iter().fold(command.to_owned(), |command, (name, words)| {
        command.replace(name, words)
    });
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

/// Where a command names a file that is there.
fn places(words: &[String]) -> Vec<usize> {
    (1..words.len())
        .filter(|place| STAGE.path(&words[*place]).is_file())
        .collect()
}

fn is_refused(words: &[String], file: &str, (_, refusals): Other) {
    let (code, text) = said(&bounded(words));
    assert_eq!(code, 2, "{}: {text}", words.join(" "));
    let is_told = refusals
        .iter()
        .any(|refusal| text.contains(&format!("{file}{refusal}")));
    assert!(is_told, "{}: {text}", words.join(" "));
}

/// Every command, with each file that it reads replaced by another in turn.
fn with_each_file_replaced(other: Other) {
    let _alone = prepared();
    let changed = || fs::metadata(STAGE.path(other.0)).unwrap().modified().unwrap();
    let before = changed();
    for command in COMMANDS {
        let words = words(command);
        for place in places(&words) {
            let mut replaced = words.clone();
            replaced[place] = other.0.to_owned();
            is_refused(&replaced, other.0, other);
            assert!(!STAGE.path("out").exists(), "{}", replaced.join(" "));
        }
    }
    assert_eq!(changed(), before);
}

#[test]
fn two_gibibytes_in_place_of_any_file_are_refused_before_they_are_read() {
    with_each_file_replaced(HUGE);
}

#[test]
fn pipe_in_place_of_any_file_is_refused_and_not_waited_for() {
    with_each_file_replaced(PIPE);
}

#[test]
fn files_of_a_folder_are_refused_like_those_that_are_named() {
    let _alone = prepared();
    for other in [HUGE, PIPE] {
        for wrong in ["instruments", "options", "futures", "perpetual"] {
            let folder = tempfile::tempdir_in(STAGE.path("")).unwrap();
            for name in ["instruments", "options", "futures", "perpetual"] {
                let from = if name == wrong { other.0 } else { "snapshot.json" };
                symlink(STAGE.path(from), folder.path().join(name).with_extension("json")).unwrap();
            }
            let folder = folder.path().to_str().unwrap();
            let import = words(&format!("zkmargin snapshot import deribit-api {folder} -o out"));
            is_refused(&import, &format!("{folder}/{wrong}.json"), other);
        }
    }
}

#[test]
fn files_that_a_batch_names_and_bundles_in_its_folder_are_refused_like_those_that_are_named() {
    let _alone = prepared();
    let files = ["options.attestation", "options.opening", "trader.key"];
    for other in [HUGE, PIPE] {
        let folder = tempfile::tempdir_in(STAGE.path("")).unwrap();
        let folder = folder.path().to_str().unwrap();
        let prove = words(&format!(
            "zkmargin prove-batch FACTS --audience AUDIENCE --at AT -o {folder} wrong.json"
        ));
        let bundle = format!("{folder}/proof-00001.bundle");
        for wrong in 0..files.len() {
            let mut files = files;
            files[wrong] = other.0;
            fs::write(STAGE.path("wrong.json"), batch(files).to_string()).unwrap();
            is_refused(&prove, other.0, other);
        }
        symlink(STAGE.path(other.0), &bundle).unwrap();
        is_refused(&prove, &bundle, other);
    }
}

/// The arguments of a verb, and of all below it, that take a value, each behind its verb, with what stands for the value: an option, or `<>` for what has no name.
fn arguments(verb: &str) -> Vec<(String, String)> {
    let mut words = words(verb);
    words.push("--help".to_owned());
    let (code, help) = said(&bounded(&words));
    assert_eq!(code, 0, "{verb}: {help}");
    let mut found = Vec::new();
    let verbs = help.lines().skip_while(|line| *line != "Commands:").skip(1);
    let verbs = verbs.map_while(|line| line.split_whitespace().next());
    for below in verbs.filter(|below| *below != "help") {
        found.extend(arguments(&format!("{verb} {below}")));
    }
    for line in help.lines() {
        let mut words = line
            .split_whitespace()
            .skip_while(|word| word.len() == 3 && word.starts_with('-'));
        let Some(first) = words.next() else { continue };
        let (argument, value) = if first.starts_with("--") {
            (first, words.next().unwrap_or(""))
        } else {
            ("<>", first)
        };
        let value = value.trim_end_matches("...");
        let of_form = |open, close| value.strip_prefix(open).and_then(|value| value.strip_suffix(close));
        if let Some(value) = of_form('<', '>').or_else(|| of_form('[', ']')) {
            found.push((format!("{verb} {argument}"), value.to_owned()));
        }
    }
    found
}

/// The arguments whose files are replaced, each behind its verb.
fn tried() -> BTreeSet<String> {
    let of_command = |command: &str| {
        let (words, places) = (words(command), places(&words(command)));
        let is_of_verb = |(place, word): &(usize, &String)| !word.starts_with('-') && !places.contains(place);
        let verb = words.iter().enumerate().take_while(is_of_verb);
        let verb = verb.map(|(_, word)| word.as_str()).collect::<Vec<_>>().join(" ");
        let argument = |place: usize| Some(words[place - 1].as_str()).filter(|word| word.starts_with("--"));
        let tried = |place: &usize| format!("{verb} {}", argument(*place).unwrap_or("<>"));
        places.iter().map(tried).collect::<Vec<_>>()
    };
    COMMANDS.into_iter().flat_map(of_command).collect()
}

#[test]
fn every_argument_of_both_tools_that_names_a_file_is_in_a_command() {
    let _alone = prepared();
    let arguments = [arguments("zkmargin"), arguments("zkmargin-verify")].concat();
    let tried = tried();
    for (argument, value) in &arguments {
        let is_no_file = NO_FILES.contains(&value.as_str()) || NOT_READ.iter().any(|(end, _)| argument.ends_with(end));
        assert!(is_no_file || tried.contains(argument), "{argument} <{value}>");
    }
    for name in NO_FILES {
        assert!(arguments.iter().any(|(_, value)| value == name), "<{name}>");
    }
    for argument in tried.iter().map(String::as_str).chain(NOT_READ.map(|(end, _)| end)) {
        assert!(
            arguments.iter().any(|(found, _)| found.ends_with(argument)),
            "{argument}"
        );
    }
}

#[test]
fn bundle_that_arrives_a_byte_at_a_time_is_refused_until_it_is_whole() {
    let bundle = STAGE.read("margin.bundle");
    for length in 0..bundle.len() {
        assert!(Bundle::from_bytes(&bundle[..length]).is_err(), "{length} bytes");
    }
    let words = words(
        "zkmargin-verify --policy policy.json --universe universe.json --snapshot snapshot.json --model paradex-pm --nonce NONCE --at AT \
         arriving.bundle",
    );
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
