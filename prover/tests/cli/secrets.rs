//! What is held, what a proof hides, blinds and keys are in no log at its loudest, in no error, in no answer that goes to others, and in no file that others may read.
#![cfg(all(unix, feature = "ledger"))]

use std::fs::{self, File};
use std::io::Read as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::{Value, json};
use zkmargin_circuits::Parameters;
use zkmargin_circuits::phase::Phase;
use zkmargin_risk::model::Model;
use zkmargin_verifier::{Bundle, Context, Opening, load};

use crate::desk::{AT, Desk, EPOCH, EXPIRES, Ran, desk, example, mode, run_with};

/// Contracts and money that occur nowhere else, and what they are in lots.
const CONTRACTS: [&str; 2] = ["271828.1", "2718281"];
const MONEY: [&str; 2] = ["31415.9265", "3141592650000"];
const INSTRUMENT: &str = "BTC-28AUG26-70000-C";
/// When the account in the ledger changes hands.
const LATER: &str = "2026-08-06T12:03:00Z";
/// The files that the test itself writes or brings, but for keys.
const OWN: [&str; 8] = [
    "universe.json",
    "snapshot.json",
    "long.json",
    "short.json",
    "fills.csv",
    "moves.json",
    "case.json",
    "cut.opening",
];
/// Secret files, and some that come of them: `inspect` says what they are.
const INSPECTED: [&str; 10] = [
    "long.json",
    "moves.json",
    "case.json",
    "batch.json",
    "running.state",
    "long.opening",
    "trader.key",
    "optionhouse.key",
    "long.bundle",
    "acc.release",
];
/// So many digits of a number do not occur by chance among those of digests.
const DIGITS: usize = 9;
/// The least number that has them.
const DISTINCTIVE: u128 = 10_u128.pow(DIGITS as u32 - 1);

/// What nobody else may read, in every way in which it may be written.
#[derive(Clone, Debug)]
pub(crate) struct Secret {
    kind: &'static str,
    texts: Vec<String>,
    bytes: Vec<Vec<u8>>,
}

impl Secret {
    fn text(kind: &'static str, text: &str) -> Secret {
        Secret {
            kind,
            texts: vec![text.to_owned()],
            bytes: Vec::new(),
        }
    }

    /// From either end: as bytes, as hexadecimal digits, and as `Debug` of a list.
    pub(crate) fn bytes(kind: &'static str, bytes: &[u8]) -> Secret {
        let bytes = [bytes.to_vec(), bytes.iter().rev().copied().collect()];
        let listed = bytes.iter().map(|bytes| format!("{bytes:?}"));
        let texts = listed.map(|list| list.trim_matches(['[', ']']).to_owned());
        Secret {
            kind,
            texts: bytes.iter().map(hex::encode).chain(texts).collect(),
            bytes: bytes.into(),
        }
    }

    /// In digits, and as bytes: at least five, or eight with zeros, which do not occur by chance either.
    fn number(kind: &'static str, number: u128) -> Option<Secret> {
        let bytes = number.to_le_bytes();
        let length = (u128::BITS - number.leading_zeros()).div_ceil(u8::BITS) as usize;
        let mut secret = Secret::bytes(kind, &bytes[..if length < 5 { 8 } else { length }]);
        let digits = [number.to_string(), format!("{number:x}")];
        secret
            .texts
            .extend(digits.into_iter().filter(|digits| digits.len() >= DIGITS));
        (number >= DISTINCTIVE).then_some(secret)
    }

    pub(crate) fn is_in(&self, bytes: &[u8]) -> bool {
        let texts = self.texts.iter().map(String::as_bytes);
        texts
            .chain(self.bytes.iter().map(Vec::as_slice))
            .any(|part| bytes.windows(part.len()).any(|window| window == part))
    }
}

/// All keys, and the blinds of all openings, in a folder.
fn keys_and_blinds(folder: &Path) -> Vec<Secret> {
    let mut secrets = Vec::new();
    for file in fs::read_dir(folder).unwrap() {
        let path = file.unwrap().path();
        let extension = path.extension().and_then(|extension| extension.to_str());
        if extension == Some("key") {
            let key: Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
            let parts = ["signing", "pseudonym"].map(|part| key[part].as_str());
            let parts = parts.into_iter().flatten().map(|part| hex::decode(part).unwrap());
            secrets.extend(parts.map(|part| Secret::bytes("key", &part)));
        } else if extension == Some("opening") {
            let opening = opening(&path);
            let blinds = opening.columns.iter().map(|column| column.blind.to_bytes());
            secrets.extend(blinds.map(|blind| Secret::bytes("blind", &blind)));
        }
    }
    secrets
}

fn opening(path: &Path) -> Opening {
    Opening::from_bytes(&fs::read(path).unwrap()).unwrap()
}

/// What the prover hid behind a bundle of one statement: the variables of the program and the largest root of each.
fn hidden(folder: &Path, bundle: &str, openings: &[&str]) -> Vec<Secret> {
    let universe = load::universe(&folder.join("universe.json")).unwrap();
    let context = Context {
        universe: &universe,
        snapshot: &load::snapshot(&folder.join("snapshot.json")).unwrap(),
        later: None,
        model: &Model::preset("paradex-pm").unwrap(),
        parameters: &Parameters::load(universe.k(), None).unwrap(),
    };
    let bundle = Bundle::from_bytes(&fs::read(folder.join(bundle)).unwrap()).unwrap();
    let prepared = context.prepare(&[&bundle.statements[0].statement]).unwrap();
    let layout = universe.layout();
    let mut lots = vec![0; layout.slots()];
    for name in openings {
        let opening = opening(&folder.join(name));
        let (_, venue) = universe.venue(&opening.venue).unwrap();
        for (column, opened) in venue.columns.clone().zip(&opening.columns) {
            let slots = lots.iter_mut().skip(column * layout.rows());
            slots.zip(&opened.lots).for_each(|(sum, lots)| *sum += lots);
        }
    }
    let witness = prepared[0].program.witness(&lots).unwrap();
    let large = witness.values().iter().copied().filter(|w| *w >= DISTINCTIVE);
    let numbers = large.flat_map(|w| [("variable", w), ("root", first_root(w))]);
    let secrets: Vec<Secret> = numbers
        .filter_map(|(kind, number)| Secret::number(kind, number))
        .collect();
    assert!(secrets.len() >= 10, "{} large numbers are hidden", secrets.len());
    secrets
}

/// The first of the four squares that a prover takes a number for: the largest that leaves a sum of three, which is no `4^a·(8b + 7)`.
fn first_root(w: u128) -> u128 {
    let fours = w.trailing_zeros() / 2;
    let w = w >> (2 * fours);
    let leaves_three = |root: &u128| {
        let rest = w - root * root;
        rest == 0 || (rest >> (rest.trailing_zeros() / 2 * 2)) % 8 != 7
    };
    (0..=w.isqrt()).rev().find(leaves_three).unwrap() << fours
}

/// A folder with the desk's files, where every command logs all that it can.
struct Loud {
    folder: tempfile::TempDir,
    /// What has been said to anybody, by command.
    heard: Vec<(String, String)>,
}

impl Loud {
    fn new() -> Loud {
        let folder = desk().copied(&[
            "universe.json",
            "snapshot.json",
            "optionhouse.key",
            "trader.key",
            "partner.key",
        ]);
        let loud = Loud {
            folder,
            heard: Vec::new(),
        };
        fs::create_dir(loud.path("tmp")).unwrap();
        for (name, sign) in [("long.json", ""), ("short.json", "-")] {
            let account = json!({ "venue": "optionhouse",
                "positions": [{ "instrument": INSTRUMENT, "contracts": format!("{sign}{}", CONTRACTS[0]) }],
                "balances": [{ "asset": "BTC", "amount": format!("{sign}{}", MONEY[0]) }] });
            loud.write(name, &account.to_string());
        }
        let fills = format!(
            "id,account,time,instrument,contracts,price,fee,asset,amount\n\
             d1,acc,2026-08-06T11:00:00Z,,,,,BTC,{}\nt1,acc,2026-08-06T11:30:00Z,{INSTRUMENT},{},0.01,0,,\n",
            MONEY[0], CONTRACTS[0]
        );
        loud.write("fills.csv", &fills);
        let moves = json!({ "venue": "optionhouse",
            "fills": [{ "instrument": INSTRUMENT, "contracts": CONTRACTS[0], "price": "0.01", "fee": "0" }],
            "transfers": [{ "asset": "BTC", "amount": MONEY[0] }] });
        loud.write("moves.json", &moves.to_string());
        let case = fs::read_to_string(example("cases/short-call.json")).unwrap();
        let mut case: Value = serde_json::from_str(&case).unwrap();
        case["accounts"][0]["positions"][1]["contracts"] = json!(CONTRACTS[0]);
        case["accounts"][0]["balances"][0]["amount"] = json!(MONEY[0]);
        loud.write("case.json", &case.to_string());
        loud
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn write(&self, name: &str, text: &str) {
        fs::write(self.path(name), text).unwrap();
    }

    /// Runs a command whose answer goes to others.
    fn run(&mut self, words: &str) -> Ran {
        let ran = self.run_privately(words);
        self.heard.push((words.to_owned(), ran.out.clone()));
        ran
    }

    /// Runs a command whose answer is for whoever holds the account.
    fn run_privately(&mut self, words: &str) -> Ran {
        let temporary = self.path("tmp");
        let environment = [
            ("ZKMARGIN_LOG", "trace"),
            ("ZKMARGIN_LEDGER", "ledger.db"),
            ("TMPDIR", temporary.to_str().unwrap()),
        ];
        let ran = run_with(
            self.folder.path(),
            &words.split_whitespace().collect::<Vec<_>>(),
            &environment,
        );
        logs_files_and_phases_alone(&ran.err);
        self.heard.push((words.to_owned(), ran.err.clone()));
        let left = fs::read_dir(temporary).unwrap().count();
        assert_eq!(left, 0, "{words} left a temporary file");
        ran
    }

    /// An account on file: attested, kept as a running commitment, attested from that.
    fn attest(&mut self) {
        let Desk { trader, partner, .. } = desk();
        let attest = |name: &str, from: &str| {
            let terms = attested(partner, EPOCH, AT, name);
            format!("venue attest --universe universe.json --subject {trader} {from} {terms} --name {name}")
        };
        for name in ["long", "short"] {
            self.run(&attest(name, &format!("--account {name}.json"))).done();
            self.run(&format!("inspect {name}.attestation --json")).done();
        }
        let update = "venue update --universe universe.json --state running.state";
        self.run(&format!("{update} --account short.json")).done();
        self.run(&format!("{update} --fills moves.json")).done();
        self.run(&attest("running", "--state running.state")).done();
    }

    /// An account in a ledger: attested to an audience, handed over to another one, given back.
    fn keep_a_ledger(&mut self) {
        let Desk { trader, partner, .. } = desk();
        let other = self.run("keygen audience -o other.key --json").done().json();
        let other = other["public"].as_str().unwrap();
        self.run("venue ledger init --universe universe.json --key optionhouse.key")
            .done();
        self.run(&format!("venue ledger account --name acc --subject {trader}"))
            .done();
        self.run(&format!(
            "venue ledger account --name old --subject {trader} --account long.json --at {EPOCH}"
        ))
        .done();
        self.run(&format!("venue ledger import --fills fills.csv --at {AT}"))
            .done();
        let attest = format!("venue ledger attest --name acc {}", attested(partner, EPOCH, AT, "acc"));
        self.run(&attest).done();
        self.run(&format!("{attest} --held --force")).refused(3, &["epoch"]);
        self.run(&format!("venue ledger show --at {AT}")).done();
        self.run_privately(&format!("venue ledger show --at {AT} --name acc"))
            .done();
        let release = |key: &str, name: &str| {
            format!("release --key {key} --attestation {name}.attestation --at {LATER} -o {name}.release")
        };
        self.run(&release("partner.key", "acc")).done();
        let terms = attested(other, LATER, LATER, "handed");
        self.run(&format!(
            "venue ledger handover --release acc.release --name acc {terms}"
        ))
        .done();
        self.run(&release("other.key", "handed")).done();
        self.run(&format!("venue ledger release --release handed.release --at {LATER}"))
            .done();
        self.run("venue ledger relist --universe universe.json").done();
        self.run("venue ledger audit").done();
        self.run("venue ledger export -o export.csv").done();
    }

    /// What the holder alone is told of a book, and how large it is: the figures are as secret as what is held.
    fn report(&mut self) -> Vec<Secret> {
        let margin = "margin --universe universe.json --snapshot snapshot.json --model paradex-pm --opening";
        self.run_privately(&format!("{margin} long.opening")).done();
        let hedged = format!("{margin} short.opening --hedge --hedge-time 1");
        assert_eq!(self.run_privately(&hedged).code, 4);
        let margin = format!("{margin} long.opening --svg picture.svg --json");
        let margin = self.run_privately(&margin).done().json();
        self.run_privately("model run case.json").done();
        let case = self.run_privately("model run case.json --json").done().json();
        let pointers = [
            (&margin, "/value"),
            (&margin, "/levels/0/requirement"),
            (&margin, "/levels/0/excess"),
            (&case, "/cases/0/value"),
            (&case, "/cases/0/initial/requirement"),
            (&case, "/cases/0/initial/excess"),
        ];
        let figures = pointers.map(|(answer, place)| answer.pointer(place).unwrap().as_str().unwrap());
        assert!(figures.iter().all(|figure| figure.len() > 8), "{figures:?}");
        figures.map(|figure| Secret::text("margin", figure)).into()
    }

    /// Everything else that nobody may read: keys, blinds, what is held.
    fn secrets(&self) -> Vec<Secret> {
        let mut secrets = keys_and_blinds(self.folder.path());
        for held in [CONTRACTS, MONEY].concat() {
            secrets.push(Secret::text("amount", held));
            secrets.extend(held.parse().ok().and_then(|lots| Secret::number("amount", lots)));
        }
        secrets.push(Secret::text("instrument", INSTRUMENT));
        secrets
    }
}

/// What the tool logs is which files it reads and which phase of a proof has ended: no number that is drawn for a proof, such as a mask.
fn logs_files_and_phases_alone(said: &str) {
    let levels = ["TRACE", "DEBUG", " INFO", " WARN"];
    for line in said
        .lines()
        .filter(|line| levels.iter().any(|level| line.starts_with(level)))
    {
        let file = line.strip_prefix("DEBUG zkmargin::load: read file=");
        let size = file.and_then(|file| file.rsplit_once(" bytes=")).map(|(_, size)| size);
        let phase = line.strip_prefix("TRACE zkmargin_circuits::phase: ended=");
        let is_known = size.is_some_and(|size| size.parse::<u64>().is_ok())
            || phase.is_some_and(|phase| Phase::ALL.iter().any(|known| format!("{:?}", known.name()) == phase));
        assert!(is_known, "{line}");
    }
}

/// What every verb that attests is told, and where it writes.
fn attested(audience: &str, epoch: &str, at: &str, name: &str) -> String {
    format!(
        "--key optionhouse.key --epoch {epoch} --audience {audience} --book line-1 --expires {EXPIRES} --at {at} \
         -o {name}.attestation --opening {name}.opening"
    )
}

fn prove(attestation: &str, opening: &str, out: &str) -> String {
    let partner = &desk().partner;
    format!(
        "prove --universe universe.json --snapshot snapshot.json --model paradex-pm --attestation {attestation}.attestation \
         --opening {opening}.opening --audience {partner} --book line-1 --subject-key trader.key --at {AT} -o {out}"
    )
}

#[test]
fn no_secret_is_logged_or_said_to_others_or_in_a_file_that_they_may_read() {
    let mut loud = Loud::new();
    loud.attest();
    loud.keep_a_ledger();
    loud.run("keygen publisher -o publisher.key").done();
    loud.run("snapshot sign --snapshot snapshot.json --key publisher.key --network test -o snapshot.sig")
        .done();
    loud.run(&prove("long", "long", "long.bundle")).done();
    loud.run(&format!("{} --json", prove("acc", "acc", "acc.bundle")))
        .done();
    loud.run(&prove("short", "short", "no.bundle")).refused(4, &["margin"]);
    loud.run(&prove("long", "short", "no.bundle")).refused(2, &[]);
    // Another model: what is held does not count. That is said to whoever holds it, line by line.
    let other = prove("long", "long", "no.bundle").replace("paradex-pm", "simm-2.5");
    loud.run(&other).refused(4, &[INSTRUMENT]);
    let batch = json!({ "statements": [{ "name": "batch", "book": "line-1", "subject_keys": ["trader.key"],
        "accounts": [{ "attestation": "long.attestation", "opening": "long.opening" }] }] });
    loud.write("batch.json", &batch.to_string());
    let partner = &desk().partner;
    loud.run(&format!(
        "prove-batch batch.json --universe universe.json --snapshot snapshot.json --model paradex-pm --audience {partner} --at {AT} --out batch"
    ))
    .done();
    fs::rename(loud.path("batch/proof-00001.bundle"), loud.path("of-batch.bundle")).unwrap();
    let figures = loud.report();
    for file in INSPECTED {
        loud.run(&format!("inspect {file}")).done();
        loud.run(&format!("inspect {file} --json")).done();
    }
    let mut secrets = loud.secrets();
    secrets.extend(figures);
    for name in ["long", "acc"] {
        let (bundle, opening) = (format!("{name}.bundle"), format!("{name}.opening"));
        secrets.extend(hidden(loud.folder.path(), &bundle, &[&opening]));
    }
    for kind in ["blind", "variable", "root"] {
        let found = secrets.iter().filter(|secret| secret.kind == kind).count();
        assert!(found >= 5, "{found} times {kind}");
    }
    let mut cut = fs::read(loud.path("long.opening")).unwrap();
    cut.truncate(cut.len() - 1);
    fs::write(loud.path("cut.opening"), cut).unwrap();
    loud.run(&prove("long", "cut", "no.bundle"))
        .refused(2, &["cut.opening"]);

    let logged = loud
        .heard
        .iter()
        .filter(|(_, said)| said.contains("DEBUG") || said.contains("TRACE"));
    assert!(logged.count() >= 12, "nothing is logged");
    for (words, said) in &loud.heard {
        // Names of instruments are said to whoever holds them, as above.
        let kept = secrets
            .iter()
            .filter(|secret| secret.kind != "instrument" || *words != other);
        for secret in kept {
            assert!(!secret.is_in(said.as_bytes()), "{secret:?} is said by {words}: {said}");
        }
    }
    let private = private_and_the_rest_without(loud.folder.path(), &secrets);
    let expected = [
        "acc.opening",
        "export.csv",
        "handed.opening",
        "ledger.db",
        "long.opening",
        "optionhouse.key",
        "other.key",
        "partner.key",
        "picture.svg",
        "publisher.key",
        "running.opening",
        "running.state",
        "short.opening",
        "trader.key",
    ];
    assert_eq!(private, expected);
}

/// The files of a folder that their owner alone may read. All others that the tool wrote have no secret, as text or as bytes; but names of
/// instruments, which the universe lists.
fn private_and_the_rest_without(folder: &Path, secrets: &[Secret]) -> Vec<String> {
    let mut private = Vec::new();
    for file in fs::read_dir(folder).unwrap() {
        let path = file.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        if path.is_dir() || OWN.contains(&name.as_str()) {
            continue;
        }
        if mode(&path) == 0o600 {
            private.push(name);
            continue;
        }
        let bytes = fs::read(&path).unwrap();
        for secret in secrets.iter().filter(|secret| secret.kind != "instrument") {
            assert!(!secret.is_in(&bytes), "{secret:?} in {name}");
        }
    }
    private.sort();
    private
}

#[test]
fn demonstration_says_no_key_and_no_blind_and_logs_nothing_that_is_hidden() {
    let folder = tempfile::tempdir().unwrap();
    let told = run_with(folder.path(), &["demo"], &[("ZKMARGIN_LOG", "trace")]).done();
    assert!(told.err.contains("TRACE"), "nothing is logged");
    logs_files_and_phases_alone(&told.err);
    let left = folder.path().join("zkmargin-demo");
    let secrets = keys_and_blinds(&left);
    let hidden = hidden(&left, "margin.bundle", &["options.opening", "hedge.opening"]);
    for secret in secrets.iter().chain(&hidden) {
        assert!(!secret.is_in(told.err.as_bytes()), "{secret:?} in: {}", told.err);
    }
    for secret in &secrets {
        assert!(!secret.is_in(told.out.as_bytes()), "{secret:?} in: {}", told.out);
    }
    let private = private_and_the_rest_without(&left, &[secrets, hidden].concat());
    assert!(private.iter().any(|name| name == "trader.key"), "{private:?}");
}

/// A file as it was at some instant.
#[derive(PartialEq, Eq)]
struct Seen {
    path: PathBuf,
    mode: u32,
    bytes: Vec<u8>,
}

/// Every file that was anywhere in a folder at any time while a command ran, at every instant at which it was another.
fn seen_while(command: &mut Command, folder: &Path) -> Vec<Seen> {
    let mut child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let mut seen = Vec::new();
    loop {
        // Looked at once more after the end.
        let status = child.try_wait().unwrap();
        look(folder, &mut seen);
        if let Some(status) = status {
            assert!(status.success());
            return seen;
        }
    }
}

fn look(folder: &Path, seen: &mut Vec<Seen>) {
    // What is gone meanwhile is gone.
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() {
            look(&path, seen);
        } else if let Ok(mut file) = File::open(&path) {
            // The mode first: what is written before it is narrowed was open to others.
            let mode = file.metadata().unwrap().permissions().mode() & 0o777;
            let mut bytes = Vec::new();
            file.read_to_end(&mut bytes).unwrap();
            let found = Seen { path, mode, bytes };
            if !seen.contains(&found) {
                seen.push(found);
            }
        }
    }
}

/// Every file that a command has written to a folder, which its output, temporary files and caches are in.
fn watched(loud: &Loud, words: &str) -> Vec<Seen> {
    let folder = loud.path("watched");
    let [temporary, home] = ["tmp", "home"].map(|name| folder.join(name));
    for path in [&temporary, &home] {
        fs::create_dir_all(path).unwrap();
    }
    let mut command = Command::new(env!("CARGO_BIN_EXE_zkmargin"));
    command
        .args(words.split_whitespace())
        .current_dir(loud.folder.path())
        .envs([("TMPDIR", temporary), ("HOME", home)])
        .env_remove("XDG_CACHE_HOME");
    seen_while(&mut command, &folder)
}

#[test]
fn opening_is_its_owners_alone_from_its_first_byte() {
    let loud = Loud::new();
    let Desk { trader, partner, .. } = desk();
    let terms = attested(partner, EPOCH, AT, "watched/long");
    let seen = watched(
        &loud,
        &format!("venue attest --universe universe.json --subject {trader} --account long.json {terms} --name long"),
    );
    let mut secrets = loud.secrets();
    secrets.extend(keys_and_blinds(&loud.path("watched")));
    let has_secret = |seen: &&Seen| secrets.iter().any(|secret| secret.is_in(&seen.bytes));
    let secret: Vec<&Seen> = seen.iter().filter(has_secret).collect();
    assert!(secret.iter().any(|seen| seen.path.ends_with("long.opening")));
    for seen in secret {
        let name = seen.path.file_name().unwrap().to_str().unwrap();
        assert_eq!(seen.mode, 0o600, "{name}");
        assert!(name == "long.opening" || name.ends_with(".tmp"), "{name}");
    }
}

#[test]
fn no_file_that_is_there_while_a_proof_is_made_has_a_secret() {
    let mut loud = Loud::new();
    loud.attest();
    let seen = watched(&loud, &prove("long", "long", "watched/long.bundle"));
    assert!(seen.iter().any(|seen| seen.path.ends_with("long.bundle")));
    let mut secrets = loud.secrets();
    secrets.extend(hidden(loud.folder.path(), "watched/long.bundle", &["long.opening"]));
    for Seen { path, bytes, .. } in &seen {
        for secret in &secrets {
            assert!(!secret.is_in(bytes), "{secret:?} in {}", path.display());
        }
    }
}
