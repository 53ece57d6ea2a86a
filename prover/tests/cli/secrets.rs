//! What is held, blinds and keys are in no log at its loudest, in no error, in no answer that goes to others, and in no file that others may read.
#![cfg(all(unix, feature = "ledger"))]

use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use zkmargin_circuits::{self as circuits, Blind, Parameters, RunningCommitment};
use zkmargin_ledger::ledger::{Entries, EntryFormat};
use zkmargin_risk::market::Snapshot;
use zkmargin_risk::model::Model;
use zkmargin_risk::oracle;
use zkmargin_risk::universe::Universe;
use zkmargin_verifier::Opening;

use crate::desk::{AT, EPOCH, EXPIRES, Ran, desk, mode, run_with};

/// Contracts and money that occur nowhere else, and what they are in lots.
const CONTRACTS: [&str; 2] = ["271828.1", "2718281"];
const MONEY: [&str; 2] = ["31415.9265", "3141592650000"];
const INSTRUMENT: &str = "BTC-28AUG26-70000-C";
/// The files that the test itself writes or brings.
const OWN: [&str; 4] = ["long.json", "short.json", "fills.csv", "cut.opening"];

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
        std::fs::create_dir(folder.path().join("tmp")).unwrap();
        for (name, sign) in [("long.json", ""), ("short.json", "-")] {
            let account = json!({ "venue": "optionhouse",
                "positions": [{ "instrument": INSTRUMENT, "contracts": format!("{sign}{}", CONTRACTS[0]) }],
                "balances": [{ "asset": "BTC", "amount": format!("{sign}{}", MONEY[0]) }] });
            std::fs::write(folder.path().join(name), account.to_string()).unwrap();
        }
        let fills = format!(
            "id,account,time,instrument,contracts,price,fee,asset,amount\n\
             d1,acc,2026-08-06T11:00:00Z,,,,,BTC,{}\nt1,acc,2026-08-06T11:30:00Z,{INSTRUMENT},{},0.01,0,,\n",
            MONEY[0], CONTRACTS[0]
        );
        std::fs::write(folder.path().join("fills.csv"), fills).unwrap();
        Loud {
            folder,
            heard: Vec::new(),
        }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Runs a command; its answer goes to others, or to whoever holds the account.
    fn run(&mut self, words: &str, more: &[&str], answer_is_private: bool) -> Ran {
        let words: Vec<&str> = words.split_whitespace().chain(more.iter().copied()).collect();
        let temporary = self.path("tmp");
        let environment = [
            ("ZKMARGIN_LOG", "trace"),
            ("ZKMARGIN_LEDGER", "ledger.db"),
            ("TMPDIR", temporary.to_str().unwrap()),
        ];
        let ran = run_with(self.folder.path(), &words, &environment);
        self.heard.push((words.join(" "), ran.err.clone()));
        if !answer_is_private {
            self.heard.push((words.join(" "), ran.out.clone()));
        }
        let left = std::fs::read_dir(temporary).unwrap().count();
        assert_eq!(left, 0, "{words:?} left a temporary file");
        ran
    }

    /// Everything that nobody else may read, as it would be written: keys, blinds, what is held.
    fn secrets(&self) -> Vec<(&'static str, String)> {
        let mut secrets: Vec<(&str, String)> = Vec::new();
        for key in ["optionhouse.key", "trader.key", "partner.key"] {
            let key: Value = serde_json::from_slice(&std::fs::read(self.path(key)).unwrap()).unwrap();
            for part in ["signing", "pseudonym"] {
                secrets.extend(key[part].as_str().map(|secret| ("key", secret.to_owned())));
            }
        }
        for opening in ["long.opening", "short.opening", "acc.opening"] {
            let opening = Opening::from_bytes(&std::fs::read(self.path(opening)).unwrap()).unwrap();
            for column in &opening.columns {
                secrets.push(("blind", hex::encode(column.blind.to_bytes())));
            }
        }
        secrets.extend(
            [CONTRACTS, MONEY]
                .concat()
                .into_iter()
                .map(|held| ("amount", held.to_owned())),
        );
        secrets.push(("instrument", INSTRUMENT.to_owned()));
        secrets
    }
}

fn contains(bytes: &[u8], part: &[u8]) -> bool {
    bytes.windows(part.len()).any(|window| window == part)
}

#[test]
fn no_secret_is_logged_or_said_to_others_or_in_a_file_that_they_may_read() {
    let mut loud = Loud::new();
    let desk = desk();
    let (trader, partner) = (desk.trader.as_str(), desk.partner.as_str());
    for name in ["long", "short"] {
        let (account, attestation, opening) = (
            format!("{name}.json"),
            format!("{name}.attestation"),
            format!("{name}.opening"),
        );
        let words = format!(
            "venue attest --universe universe.json --key optionhouse.key --subject {trader} --account {account} --name {name} --epoch {EPOCH} \
             --audience {partner} --book line-1 --expires {EXPIRES} --at {AT} -o {attestation} --opening {opening}"
        );
        loud.run(&words, &[], false).done();
        loud.run(&format!("inspect {attestation} --json"), &[], false).done();
    }
    loud.run(
        "venue ledger init --universe universe.json --key optionhouse.key",
        &[],
        false,
    )
    .done();
    loud.run(
        &format!("venue ledger account --name acc --subject {trader}"),
        &[],
        false,
    )
    .done();
    loud.run(&format!("venue ledger import --fills fills.csv --at {AT}"), &[], false)
        .done();
    let attest = format!(
        "venue ledger attest --key optionhouse.key --name acc --epoch {EPOCH} --audience {partner} --book line-1 --expires {EXPIRES} --at {AT} \
         -o acc.attestation --opening acc.opening"
    );
    loud.run(&attest, &[], false).done();
    loud.run(&attest, &["--held", "--force"], false).refused(3, &["epoch"]);
    loud.run(&format!("venue ledger show --at {AT}"), &[], false).done();
    loud.run(&format!("venue ledger show --at {AT}"), &["--name", "acc"], true)
        .done();
    loud.run("venue ledger audit", &[], false).done();
    loud.run("venue ledger export -o export.csv", &[], false).done();
    let prove = |attestation: &str, opening: &str, out: &str| {
        format!(
            "prove --universe universe.json --snapshot snapshot.json --model paradex-pm --attestation {attestation}.attestation --opening {opening}.opening \
             --audience {partner} --book line-1 --subject-key trader.key --at {AT} -o {out}"
        )
    };
    loud.run(&prove("long", "long", "long.bundle"), &[], false).done();
    loud.run(&prove("acc", "acc", "acc.bundle"), &["--json"], false).done();
    loud.run(&prove("short", "short", "no.bundle"), &[], false)
        .refused(4, &["margin"]);
    loud.run(&prove("long", "short", "no.bundle"), &[], false)
        .refused(2, &[]);
    // Another model: what is held does not count. That is said to whoever holds it, line by line.
    let other = prove("long", "long", "no.bundle").replace("paradex-pm", "simm-2.5");
    loud.run(&other, &[], false).refused(4, &[INSTRUMENT]);
    let not_counted = loud.heard.len() - 2;
    let mut answer = String::new();
    for kind in ["", "--json"] {
        let margin =
            "margin --universe universe.json --snapshot snapshot.json --model paradex-pm --opening long.opening";
        let kind = kind.split_whitespace().collect::<Vec<_>>();
        answer = loud.run(margin, &kind, true).done().out;
    }
    // The margin is as secret as what is held.
    let margin: Value = serde_json::from_str(&answer).unwrap();
    let figures = ["/value", "/levels/0/requirement", "/levels/0/excess"];
    let figures = figures.map(|figure| ("margin", margin.pointer(figure).unwrap().as_str().unwrap().to_owned()));
    assert!(figures.iter().all(|(_, figure)| figure.len() > 8), "{figures:?}");
    let batch = json!({ "statements": [{ "name": "batch", "book": "line-1", "subject_keys": ["trader.key"],
        "accounts": [{ "attestation": "long.attestation", "opening": "long.opening" }] }] });
    std::fs::write(loud.path("batch.json"), batch.to_string()).unwrap();
    let batch = format!(
        "prove-batch batch.json --universe universe.json --snapshot snapshot.json --model paradex-pm --audience {partner} --at {AT} --out batch"
    );
    loud.run(&batch, &[], false).done();
    std::fs::rename(loud.path("batch/proof-00001.bundle"), loud.path("of-batch.bundle")).unwrap();
    let mut cut = std::fs::read(loud.path("long.opening")).unwrap();
    cut.truncate(cut.len() - 1);
    std::fs::write(loud.path("cut.opening"), cut).unwrap();
    loud.run(&prove("long", "cut", "no.bundle"), &[], false)
        .refused(2, &["cut.opening"]);

    let logged = loud
        .heard
        .iter()
        .filter(|(_, said)| said.contains("DEBUG") || said.contains("TRACE"));
    assert!(logged.count() >= 12, "nothing is logged");
    let mut secrets = loud.secrets();
    secrets.extend(figures);
    assert!(
        secrets.iter().filter(|(kind, _)| *kind == "blind").count() >= 3,
        "blinds were read"
    );
    for (place, (words, said)) in loud.heard.iter().enumerate() {
        let to_the_holder = place >= not_counted && place < not_counted + 2;
        for (kind, secret) in secrets
            .iter()
            .filter(|(kind, _)| *kind != "instrument" || !to_the_holder)
        {
            assert!(
                !said.contains(secret.as_str()),
                "{kind} {secret} is said by {words}: {said}"
            );
        }
    }
    let mut private = Vec::new();
    for file in std::fs::read_dir(loud.folder.path()).unwrap() {
        let path = file.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        if path.is_dir() || OWN.contains(&name.as_str()) {
            continue;
        }
        if mode(&path) == 0o600 {
            private.push(name);
            continue;
        }
        assert_public(&path, &secrets);
    }
    private.sort();
    let expected = [
        "acc.opening",
        "export.csv",
        "ledger.db",
        "long.opening",
        "optionhouse.key",
        "partner.key",
        "short.opening",
        "trader.key",
    ];
    assert_eq!(private, expected);
}

/// No secret in a file that others may read, as text or as bytes. Names of instruments are public: the universe lists them.
fn assert_public(path: &Path, secrets: &[(&str, String)]) {
    let bytes = std::fs::read(path).unwrap();
    for (kind, secret) in secrets.iter().filter(|(kind, _)| *kind != "instrument") {
        assert!(!contains(&bytes, secret.as_bytes()), "{kind} in {}", path.display());
        if let Ok(raw) = hex::decode(secret) {
            assert!(
                raw.len() < 16 || !contains(&bytes, &raw),
                "{kind} in {}",
                path.display()
            );
        }
    }
}

/// Of two that differ in nothing but what is secret, `Debug` says the same.
#[test]
fn debug_of_what_is_secret_tells_no_two_apart() {
    let same = |what: &str, both: [String; 2]| assert_eq!(both[0], both[1], "{what}");
    let parameters = Parameters::load(6, None).unwrap();
    let (long, short) = ([271_828_u64, 0], [0_u64, 314_159]);
    let blinds = [(); 2].map(|()| Blind::random().unwrap());
    same("Blind", blinds.each_ref().map(|blind| format!("{blind:?}")));
    let opening = |lots: &[u64]| circuits::Opening::new(lots.to_vec(), vec![Blind::random().unwrap()]);
    same(
        "circuits::Opening",
        [long, short].map(|lots| format!("{:?}", opening(&lots))),
    );
    let running = |lots: [u64; 2]| RunningCommitment::new(&parameters, &[&lots]).unwrap();
    same(
        "RunningCommitment",
        [long, short].map(|lots| format!("{:?}", running(lots))),
    );
    let fills = ["7", "8"].map(|money| {
        let line = format!(
            "id,account,time,instrument,contracts,price,fee,asset,amount\nd,acc,2026-08-06T11:00:00Z,,,,,USDC,{money}\n"
        );
        Entries::read(line.as_bytes(), EntryFormat::Csv).unwrap()
    });
    same("Entries", fills.each_ref().map(|fills| format!("{fills:?}")));
    same("Entry", fills.each_ref().map(|fills| format!("{:?}", fills.0[0])));
    let desk = desk();
    let universe = std::fs::read_to_string(desk.path().join("universe.json")).unwrap();
    let universe = Universe::from_json(&universe).unwrap();
    let snapshot = std::fs::read_to_string(desk.path().join("snapshot.json")).unwrap();
    let snapshot = Snapshot::from_json(&snapshot).unwrap();
    let model = Model::preset("paradex-pm").unwrap();
    let usdc = universe
        .assets()
        .find(|(_, asset)| asset.name == "USDC")
        .unwrap()
        .1
        .balance;
    let evaluations = [7, 8].map(|lots| {
        let mut legs = vec![0; universe.layout().slots()];
        legs[usdc.index()] = lots;
        oracle::evaluate(&model, &universe, &snapshot, &legs).unwrap()
    });
    assert_ne!(evaluations[0].value, evaluations[1].value);
    same("Evaluation", evaluations.each_ref().map(|book| format!("{book:?}")));
    same(
        "Collateral",
        evaluations.each_ref().map(|book| format!("{:?}", book.collateral)),
    );
}
