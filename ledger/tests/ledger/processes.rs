//! Several processes at one ledger, disks that fail, and a crash between recording and giving out.
#![cfg(unix)]

use std::io::{BufRead as _, BufReader};
use std::process::{Command, Stdio};

use zkmargin_ledger::LedgerError;

use crate::kills::now;
use crate::world::{NOON, assert_sound, at, entries, open, places, pledge, transfer, venue_key};

fn this_test(name: &str) -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--ignored", "--exact", &format!("processes::{name}"), "--nocapture"]);
    command
}

/// Not a test: records and signs, and is killed before it gives anything out.
#[test]
#[ignore = "is started by another test"]
fn signs_and_waits() {
    let Ok(url) = std::env::var("LEDGER") else { return };
    let attested = open(&url).attest(&pledge(2, NOON), venue_key(), at(NOON)).unwrap();
    println!("RECORDED {}", attested.attestation.digest());
    std::thread::sleep(std::time::Duration::from_secs(60));
}

#[test]
fn crash_between_recording_and_giving_out_pledges_to_nobody_else() {
    for place in places("crash") {
        drop(place.create());
        let mut child = this_test("signs_and_waits")
            .env("LEDGER", &place.url)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap())
            .lines()
            .map_while(Result::ok);
        let recorded = lines
            .find_map(|line| Some(line.split_once("RECORDED ")?.1.to_owned()))
            .unwrap();
        child.kill().unwrap();
        child.wait().unwrap();
        let mut ledger = place.open();
        let refused = ledger.attest(&pledge(3, NOON + 1), venue_key(), at(NOON + 1));
        assert!(matches!(refused, Err(LedgerError::Encumbered { .. })));
        let again = ledger.attest(&pledge(2, NOON), venue_key(), at(NOON + 1)).unwrap();
        assert!(again.is_again);
        assert_eq!(again.attestation.digest().to_string(), recorded);
        assert_eq!(again.attestation.verify(), Ok(()));
        assert_sound(&mut ledger);
    }
}

/// Not a test: imports fills of its own and some of everybody's, and asks for the account for an audience of its own.
#[test]
#[ignore = "is started by another test"]
fn works_beside_others() {
    let (Ok(url), Ok(number)) = (std::env::var("LEDGER"), std::env::var("NUMBER")) else {
        return;
    };
    let number: u8 = number.parse().unwrap();
    let mut ledger = open(&url);
    for round in 0..12 {
        let lines = [
            transfer(&format!("{number}-{round}"), "a", NOON, "1"),
            transfer(&format!("shared-{round}"), "a", NOON, "1"),
        ];
        // What PostgreSQL could not fit among others is tried again, as the message says.
        while let Err(error) = ledger.import(&entries(&lines), at(NOON)) {
            assert!(error.to_string().contains("attempts collided"), "{error}");
        }
    }
    loop {
        let pledge = pledge(2 + number, NOON + u64::from(number));
        match ledger.attest(&pledge, venue_key(), at(NOON + 10)) {
            Ok(_) => println!("ATTESTED"),
            Err(LedgerError::Encumbered { .. } | LedgerError::Epoch { .. }) => println!("REFUSED"),
            Err(error) if error.to_string().contains("attempts collided") => continue,
            Err(error) => panic!("{error}"),
        }
        return;
    }
}

#[test]
fn processes_at_once_lose_no_fill_and_pledge_to_one_audience() {
    for place in places("beside") {
        drop(place.create());
        let children: Vec<_> = (0..4)
            .map(|number| {
                let mut command = this_test("works_beside_others");
                command.env("LEDGER", &place.url).env("NUMBER", number.to_string());
                command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
            })
            .collect();
        let mut attested = 0;
        for child in children {
            let done = child.wait_with_output().unwrap();
            assert!(done.status.success(), "{done:?}");
            attested += usize::from(String::from_utf8(done.stdout).unwrap().contains("ATTESTED"));
        }
        assert_eq!(attested, 1);
        let mut ledger = place.open();
        let summary = ledger.accounts(at(NOON + 10)).unwrap().remove(0);
        assert_eq!((summary.fills, summary.attestations), (4 * 12 + 12, 1));
        assert_eq!(ledger.holdings("a").unwrap()[0].amount.to_string(), "60");
        assert_sound(&mut ledger);
    }
}

/// Not a test: imports until it is refused.
#[test]
#[ignore = "is started by other tests"]
fn imports_until_refused() {
    let Ok(url) = std::env::var("LEDGER") else { return };
    let mut confirmed = 0;
    let ended = loop {
        let lines: Vec<String> = (0..50)
            .map(|index| transfer(&format!("{confirmed}-{index}-{}", "x".repeat(40)), "a", NOON, "1"))
            .collect();
        match open(&url).import(&entries(&lines), now()) {
            Ok(done) => confirmed += done.recorded,
            Err(error) => break error,
        }
    };
    println!("CONFIRMED {confirmed} ENDED {ended}");
}

#[test]
fn ledger_that_cannot_grow_says_so_and_keeps_every_confirmed_fill() {
    // A file that outgrows its limit gives an error, as a full disk does, once the signal is ignored.
    let place = places("grow").remove(0);
    drop(place.create());
    let test = this_test("imports_until_refused");
    let mut command = Command::new("sh");
    command.args(["-c", "trap '' XFSZ; ulimit -f 1200; exec \"$0\" \"$@\""]);
    command
        .arg(test.get_program())
        .args(test.get_args())
        .env("LEDGER", &place.url);
    let done = command.output().unwrap();
    let said = String::from_utf8_lossy(&done.stdout);
    let (confirmed, ended) = said.split_once("CONFIRMED ").unwrap().1.split_once(" ENDED ").unwrap();
    assert!(
        ended.contains("the disk failed") && ended.contains("ledger.db"),
        "{ended}"
    );
    let mut ledger = place.open();
    let fills = ledger.accounts(at(NOON)).unwrap()[0].fills;
    assert!(fills > 0 && fills.to_string() == confirmed, "{fills} {confirmed}");
    assert_sound(&mut ledger);
}

#[test]
fn full_disk_is_told_and_keeps_every_confirmed_fill() {
    let place = places("full").remove(0);
    let mounted = Command::new("mount")
        .args(["-t", "tmpfs", "-o", "size=1m", "tmpfs"])
        .arg(place.folder.path())
        .output()
        .is_ok_and(|ran| ran.status.success());
    if !mounted {
        // A file system of its own needs rights that not everybody has.
        return;
    }
    drop(place.create());
    let done = this_test("imports_until_refused")
        .env("LEDGER", &place.url)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&done.stdout).into_owned();
    let kept = std::panic::catch_unwind(|| {
        let mut ledger = place.open();
        assert_sound(&mut ledger);
        ledger.accounts(at(NOON)).unwrap()[0].fills
    });
    assert!(
        Command::new("umount")
            .arg("-l")
            .arg(place.folder.path())
            .status()
            .unwrap()
            .success()
    );
    let (confirmed, ended) = said.split_once("CONFIRMED ").unwrap().1.split_once(" ENDED ").unwrap();
    assert!(
        ended.contains("the disk is full") && ended.contains("this change was not made"),
        "{ended}"
    );
    assert_eq!(kept.unwrap().to_string(), confirmed);
}

/// Not a claim: prints what a fill costs here.
#[test]
#[ignore = "prints figures"]
fn times_of_fills() {
    for place in places("times") {
        let mut ledger = place.create();
        let single = std::time::Instant::now();
        for index in 0..50 {
            ledger
                .import(&entries(&[transfer(&format!("s{index}"), "a", NOON, "1")]), at(NOON))
                .unwrap();
        }
        let single = single.elapsed() / 50;
        let lines: Vec<String> = (0..5_000)
            .map(|index| {
                let strike = format!("C-{}", 40_000 + 1_000 * (index % 24));
                let account = ["a", "b", "c"][index % 3];
                crate::world::trade(&format!("b{index}"), account, NOON, [&strike, "-1", "0.0215", "0.0003"])
            })
            .collect();
        let bulk = std::time::Instant::now();
        let done = ledger.import(&entries(&lines), at(NOON)).unwrap();
        let bulk = bulk.elapsed();
        println!(
            "one fill a transaction: {single:?}; {} fills of a file: {bulk:?}, {:?} each",
            done.recorded,
            bulk / 5_000
        );
        assert_sound(&mut ledger);
    }
}
