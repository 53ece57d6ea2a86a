//! `zkmargin venue ledger`: a venue from its first fill to its auditor.
#![cfg(feature = "ledger")]

use std::path::Path;

use crate::desk::{AT, Desk, EPOCH, EXPIRES, Ran, desk, mode, run};

const HEADER: &str = "id,account,time,instrument,contracts,price,fee,asset,amount\n";
const FILLS: &str = "d1,acc,2026-08-06T11:00:00Z,,,,,USDC,20000\n\
    t1,acc,2026-08-06T11:58:03Z,BTC-PERPETUAL,-10,64010.5,0.0000005,,\n";

/// A folder with the desk's files and a ledger with the account `acc`.
struct Venue {
    folder: tempfile::TempDir,
    desk: &'static Desk,
}

impl Venue {
    fn new() -> Venue {
        let desk = desk();
        let folder = desk.copied(&[
            "universe.json",
            "perphouse.key",
            "optionhouse.key",
            "partner.key",
            "hedge-account.json",
        ]);
        let venue = Venue { folder, desk };
        venue
            .ledger(&["init", "--universe", "universe.json", "--key", "perphouse.key"])
            .done();
        venue
            .ledger(&["account", "--name", "acc", "--subject", &desk.trader])
            .done();
        venue
    }

    fn at(&self) -> &Path {
        self.folder.path()
    }

    fn write(&self, name: &str, text: &str) {
        std::fs::write(self.at().join(name), text).unwrap();
    }

    /// `venue ledger VERB --ledger ledger.db …`, with `--json`.
    fn ledger(&self, words: &[&str]) -> Ran {
        let mut all = vec!["--json", "venue", "ledger", words[0], "--ledger", "ledger.db"];
        all.extend(&words[1..]);
        run(self.at(), &all)
    }

    fn import(&self, fills: &str) -> Ran {
        self.write("fills.csv", &format!("{HEADER}{fills}"));
        self.ledger(&["import", "--fills", "fills.csv", "--at", AT])
    }

    /// `attest`, or another verb with the same terms, for an audience, to files of this name.
    fn attest(&self, verb: &[&str], audience: &str, epoch: &str, at: &str, name: &str) -> Ran {
        let (out, opening) = (format!("{name}.attestation"), format!("{name}.opening"));
        let mut words = verb.to_vec();
        words.extend([
            "--key",
            "perphouse.key",
            "--name",
            "acc",
            "--epoch",
            epoch,
            "--audience",
            audience,
        ]);
        words.extend(["--book", "line-1", "--expires", EXPIRES, "--at", at, "--held"]);
        words.extend(["-o", &out, "--opening", &opening, "--force"]);
        self.ledger(&words)
    }
}

#[test]
fn venue_works_from_its_first_fill_to_its_auditor() {
    let venue = Venue::new();
    #[cfg(unix)]
    assert_eq!(mode(&venue.at().join("ledger.db")), 0o600);
    let done = venue.import(FILLS).done().json();
    assert_eq!(
        (done["recorded"].as_u64(), done["skipped"].as_u64()),
        (Some(2), Some(0))
    );
    let done = venue.import(FILLS).done().json();
    assert_eq!(
        (done["recorded"].as_u64(), done["skipped"].as_u64()),
        (Some(0), Some(2))
    );

    let partner = venue.desk.partner.as_str();
    venue.attest(&["attest"], partner, EPOCH, AT, "first").done();
    #[cfg(unix)]
    assert_eq!(mode(&venue.at().join("first.opening")), 0o600);
    // The attestation is one like any other: the trader reads what is in it, and margin is computed from its opening.
    let shown = run(venue.at(), &["--json", "inspect", "first.attestation"])
        .done()
        .json();
    assert_eq!(
        (shown["venue"].as_str(), shown["held"].as_bool()),
        (Some("perphouse"), Some(true))
    );

    // Its files were lost: the same again, byte by byte.
    let lost = std::fs::read(venue.at().join("first.attestation")).unwrap();
    std::fs::remove_file(venue.at().join("first.attestation")).unwrap();
    let again = venue
        .attest(&["attest"], partner, EPOCH, "2026-08-06T12:02:00Z", "first")
        .done()
        .json();
    assert_eq!(again["again"].as_bool(), Some(true));
    assert_eq!(std::fs::read(venue.at().join("first.attestation")).unwrap(), lost);

    let later = "2026-08-06T12:03:00Z";
    let other = venue.desk.trader.as_str();
    venue
        .attest(&["attest"], other, later, later, "second")
        .refused(3, &["is pledged to audience", partner, "line-1"]);
    assert!(!venue.at().join("second.attestation").exists());
    venue
        .import("w,acc,2026-08-06T12:01:00Z,,,,,USDC,-1\n")
        .refused(3, &["fills.csv", "line 2", "holds withdrawals"]);
    let shown = venue.ledger(&["show", "--name", "acc", "--at", AT]).done().json();
    assert_eq!(shown["accounts"][0]["pledged"]["audience"].as_str(), Some(partner));
    assert!(
        shown["holds"]
            .as_array()
            .unwrap()
            .iter()
            .any(|held| held["amount"] == "-10")
    );

    let release = [
        "release",
        "--key",
        "partner.key",
        "--attestation",
        "first.attestation",
        "--at",
        later,
        "-o",
        "a.release",
    ];
    run(venue.at(), &release).done();
    run(venue.at(), &["inspect", "a.release"]).done();
    let handover = ["handover", "--release", "a.release"];
    venue.attest(&handover, other, later, later, "second").done();
    let done = venue
        .ledger(&["release", "--release", "a.release", "--at", later])
        .done()
        .json();
    assert_eq!(done["again"].as_bool(), Some(true));
    let audit = venue.ledger(&["audit"]).done().json();
    assert_eq!(
        (audit["fills"].as_u64(), audit["attestations"].as_u64()),
        (Some(2), Some(2))
    );
    let export = venue.ledger(&["export", "-o", "all.jsonl"]).done().json();
    assert_eq!(export["fills"].as_u64(), Some(2));
    venue.ledger(&["export", "-o", "all.csv"]).done();
    for file in ["all.jsonl", "all.csv"] {
        let again = venue.ledger(&["import", "--fills", file]).done().json();
        assert_eq!(
            (again["recorded"].as_u64(), again["skipped"].as_u64()),
            (Some(0), Some(2)),
            "{file}"
        );
    }
    assert!(
        std::fs::read_to_string(venue.at().join("all.csv"))
            .unwrap()
            .starts_with(HEADER)
    );
    venue.ledger(&["relist", "--universe", "universe.json"]).done();
}

#[test]
fn refusals_of_the_ledger_name_the_place_and_the_value() {
    let venue = Venue::new();
    for (fills, code, parts) in [
        ("1,acc,2026-08-06T11:00:00Z,,,,,USDC,x\n", 2, ["fills.csv", "line 2"]),
        (
            "1,acc,2026-08-06T11:00:00Z,BTC-PERPETUAL,0.5,64000,0,,\n",
            2,
            ["line 2", "0.5 is not a whole number of lots"],
        ),
        (
            "1,nobody,2026-08-06T11:00:00Z,,,,,USDC,1\n",
            2,
            ["line 2", "no account \"nobody\""],
        ),
        (
            "1,acc,2026-08-06T11:00:00Z,,,,,USDC,1\n1,acc,2026-08-06T11:00:00Z,,,,,USDC,2\n",
            3,
            ["line 3", "an id stands for one fill"],
        ),
    ] {
        venue.import(fills).refused(code, &parts);
    }
    venue
        .ledger(&["import", "--fills", "fills.txt"])
        .refused(2, &["ends in .csv or .jsonl"]);
    venue
        .ledger(&["export", "-o", "all.txt"])
        .refused(2, &["all.txt: the name of a file of fills ends in .csv or .jsonl"]);
    assert!(!venue.at().join("all.txt").exists());
    venue
        .ledger(&["account", "--name", "acc", "--subject", &venue.desk.trader])
        .refused(2, &["an account \"acc\" already"]);
    venue
        .ledger(&["init", "--universe", "universe.json", "--key", "perphouse.key"])
        .refused(2, &["ledger.db", "already"]);
    let words = ["venue", "ledger", "show", "--ledger", "none.db"];
    run(venue.at(), &words).refused(2, &["none.db: there is no such database"]);
    run(venue.at(), &["venue", "ledger", "show", "--ledger", "universe.json"]).refused(2, &["universe.json"]);
    let words = [
        "venue",
        "ledger",
        "show",
        "--ledger",
        "postgres://me:hunter2@127.0.0.1:1/x",
    ];
    let refused = run(venue.at(), &words);
    refused.refused(2, &["postgres://127.0.0.1:1/x: cannot be opened"]);
    assert!(!refused.err.contains("hunter2"));
    let audit = venue.ledger(&["audit"]).done().json();
    assert_eq!(audit["fills"].as_u64(), Some(0));
}

#[test]
fn account_with_a_past_meets_the_same_margin_as_its_file() {
    let venue = Venue::new();
    let desk = venue.desk;
    let words = [
        "account",
        "--name",
        "old",
        "--subject",
        &desk.trader,
        "--account",
        "hedge-account.json",
        "--at",
        EPOCH,
    ];
    venue.ledger(&words).done();
    let mut words = vec![
        "attest",
        "--key",
        "perphouse.key",
        "--name",
        "old",
        "--epoch",
        EPOCH,
        "--audience",
        &desk.partner,
    ];
    words.extend([
        "--book",
        "line-1",
        "--expires",
        EXPIRES,
        "--at",
        AT,
        "-o",
        "old.attestation",
        "--opening",
        "old.opening",
    ]);
    venue.ledger(&words).done();
    std::fs::copy(desk.path().join("snapshot.json"), venue.at().join("snapshot.json")).unwrap();
    let margin = |kind: &str, file: &str| {
        let words = [
            "--universe",
            "universe.json",
            "--snapshot",
            "snapshot.json",
            "--model",
            "paradex-pm",
            kind,
            file,
        ];
        run(venue.at(), &[&["--json", "margin"][..], &words].concat()).json()
    };
    assert_eq!(
        margin("--opening", "old.opening"),
        margin("--account", "hedge-account.json")
    );
}
