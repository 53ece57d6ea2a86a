//! Power loss, as near as a process can come to it: SIGKILL at random instants, and everything that was confirmed is looked for after each.
//!
//! The long run is `ZKMARGIN_KILLS=1000 cargo test --release -p zkmargin-ledger -- --ignored kills::long --nocapture`.
#![cfg(unix)]

use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use zkmargin_ledger::ledger::{Entries, EntryFormat, Pledge};
use zkmargin_ledger::{Ledger, LedgerError};
use zkmargin_risk::instant::Instant;
use zkmargin_verifier::book::Book;
use zkmargin_verifier::{Release, SignedAttestation};

use crate::world::{Place, at, entries, open, places, public, signer, trade, transfer, venue_key};

const ACCOUNTS: [&str; 3] = ["a", "b", "c"];
/// Kills of one ledger before the next is begun: every audit replays all fills.
const KILLS_PER_LEDGER: usize = 100;

/// A generator of tests: nothing hangs on how good it is.
pub(crate) struct Dice(u64);

impl Dice {
    pub(crate) fn new(seed: u64) -> Dice {
        Dice(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 16) % bound
    }
}

pub(crate) fn now() -> Instant {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    at(u64::try_from(since.as_millis()).unwrap())
}

fn say(words: &str) {
    let mut out = std::io::stdout().lock();
    writeln!(out, "SAID {words}").unwrap();
    out.flush().unwrap();
}

/// Not a test: the process that is killed. It says what it is about to do, and what the ledger confirmed.
#[test]
#[ignore = "is started by other tests"]
fn works_until_killed() {
    let (Ok(url), Ok(seed)) = (std::env::var("LEDGER"), std::env::var("SEED")) else {
        return;
    };
    let mut dice = Dice::new(seed.parse().unwrap());
    let mut ledger = open(&url);
    let mut last: BTreeMap<&str, SignedAttestation> = BTreeMap::new();
    say("open");
    for round in 0.. {
        let account = ACCOUNTS[usize::try_from(dice.below(3)).unwrap()];
        match dice.below(10) {
            0..6 => {
                let lines: Vec<String> = (0..=dice.below(30))
                    .map(|index| a_fill(&mut dice, &format!("{seed}-{round}-{index}"), account))
                    .collect();
                match ledger.import(&entries(&lines), now()) {
                    Ok(_) => (0..lines.len()).for_each(|index| say(&format!("fill {account} {seed}-{round}-{index}"))),
                    Err(error) => say(&format!("refused {error}")),
                }
            }
            6..8 => {
                let pledge = a_pledge(&mut dice, account);
                let audience = pledge.audience;
                match ledger.attest(&pledge, venue_key(), pledge.epoch) {
                    Ok(attested) => {
                        say(&format!("attested {account} {audience} {}", pledge.expiry.millis()));
                        last.insert(account, attested.attestation);
                    }
                    Err(
                        LedgerError::Encumbered { .. } | LedgerError::Epoch { .. } | LedgerError::MovedSince { .. },
                    ) => {}
                    Err(error) => say(&format!("refused {error}")),
                }
            }
            _ => {
                let Some(attestation) = last.remove(account) else {
                    continue;
                };
                let audience = attestation.content().audience;
                let signer = (2..5)
                    .map(signer)
                    .find(|key| zkmargin_verifier::PublicKey::of(key) == audience);
                let release = Release::of(&attestation, now())
                    .unwrap()
                    .sign(&signer.unwrap())
                    .unwrap();
                let pledge = a_pledge(&mut dice, account);
                say(&format!("releasing {account}"));
                let done = match dice.below(2) {
                    0 => ledger.release(&release, now()).map(|_| None),
                    _ => ledger.handover(&release, &pledge, venue_key(), pledge.epoch).map(Some),
                };
                match done {
                    Ok(None) => say(&format!("released {account}")),
                    Ok(Some(attested)) => {
                        say(&format!(
                            "attested {account} {} {}",
                            pledge.audience,
                            pledge.expiry.millis()
                        ));
                        last.insert(account, attested.attestation);
                    }
                    Err(error) => say(&format!("refused {error}")),
                }
            }
        }
    }
}

fn a_fill(dice: &mut Dice, id: &str, account: &str) -> String {
    let millis = now().millis();
    let contracts = format!("{}{}", if dice.below(2) == 0 { "-" } else { "" }, 1 + dice.below(50));
    let strike = format!("C-{}", 40_000 + 1_000 * dice.below(24));
    match dice.below(4) {
        0 => transfer(id, account, millis, &(1 + dice.below(1_000)).to_string()),
        1 => trade(id, account, millis, ["INVERSE", &contracts, "64123.5", "0.0003"]),
        2 => trade(id, account, millis, ["LINEAR", &contracts, "64123.5", "0.02"]),
        _ => trade(id, account, millis, [&strike, &contracts, "0.0215", "0.0003"]),
    }
}

/// A pledge from now on, for some milliseconds or for an hour.
fn a_pledge(dice: &mut Dice, account: &str) -> Pledge {
    let epoch = now();
    let length = if dice.below(2) == 0 { dice.below(80) } else { 3_600_000 };
    Pledge {
        account: account.to_owned(),
        audience: public(u8::try_from(2 + dice.below(3)).unwrap()),
        book: Book::new("line").unwrap(),
        epoch,
        expiry: epoch.checked_add(length).unwrap(),
        held: dice.below(2) == 0,
    }
}

/// What the killed processes were told.
#[derive(Default)]
struct Confirmed {
    fills: BTreeSet<String>,
    /// By account: audience and expiry of the last attestation, unless a release was begun since.
    pledged: BTreeMap<String, (String, u64)>,
    attestations: usize,
    releases: usize,
    kills_while_working: usize,
}

impl Confirmed {
    fn hear(&mut self, said: &str) {
        let words: Vec<&str> = said.split(' ').collect();
        match words[..] {
            ["fill", account, id] => {
                assert!(self.fills.insert(format!("{account} {id}")));
            }
            ["attested", account, audience, expiry] => {
                self.attestations += 1;
                self.pledged
                    .insert(account.to_owned(), (audience.to_owned(), expiry.parse().unwrap()));
            }
            // From here on, it may or may not be released.
            ["releasing", account] => {
                self.pledged.remove(account);
            }
            ["released", _] => self.releases += 1,
            ["open"] => {}
            _ => panic!("{said}"),
        }
    }

    /// Everything confirmed is there, exactly once; nothing is pledged twice; the audit finds nothing.
    fn check(&self, url: &str) {
        let mut ledger = open(url);
        let (file, _) = ledger.export(EntryFormat::JsonLines).unwrap();
        let recorded = Entries::read(&file, EntryFormat::JsonLines).unwrap();
        let mut ids = BTreeSet::new();
        for (_, entry) in &recorded.0 {
            assert!(
                ids.insert(format!("{} {}", entry.account, entry.id)),
                "{} is there twice",
                entry.id
            );
        }
        let lost: Vec<_> = self.fills.difference(&ids).collect();
        assert!(lost.is_empty(), "lost: {lost:?}");
        self.check_pledges(&mut ledger);
        crate::world::assert_sound(&mut ledger);
    }

    fn check_pledges(&self, ledger: &mut Ledger) {
        let now = now();
        for account in ledger.accounts(now).unwrap() {
            let Some((audience, expiry)) = self.pledged.get(&account.name) else {
                continue;
            };
            if *expiry < now.millis() {
                continue;
            }
            let stands = account
                .encumbrance
                .unwrap_or_else(|| panic!("{} lost its pledge to {audience}", account.name));
            // A refresh that was recorded and not confirmed may have prolonged it.
            assert_eq!(stands.audience.to_string(), *audience);
            assert!(stands.until.millis() >= *expiry);
            let other = Pledge {
                account: account.name,
                audience: public(9),
                book: Book::new("line").unwrap(),
                epoch: now,
                expiry: now,
                held: false,
            };
            let refused = ledger.attest(&other, venue_key(), now);
            assert!(
                matches!(
                    refused,
                    Err(LedgerError::Encumbered { .. } | LedgerError::Epoch { .. } | LedgerError::MovedSince { .. })
                ),
                "{refused:?}"
            );
        }
    }
}

/// Starts the worker.
pub(crate) fn worker(url: &str, seed: u64) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args(["--ignored", "--exact", "kills::works_until_killed", "--nocapture"])
        .env("LEDGER", url)
        .env("SEED", seed.to_string())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap()
}

/// Kills a worker `kills` times and checks after each.
fn kill_and_check(place: &Place, kills: usize, seed: u64, total: &mut Confirmed) {
    drop(place.create());
    let mut dice = Dice::new(seed);
    let mut confirmed = Confirmed::default();
    for kill in 0..kills {
        let mut child = worker(&place.url, seed * 1_000_000 + kill as u64);
        let out = child.stdout.take().unwrap();
        let listener = std::thread::spawn(move || {
            let lines = BufReader::new(out).lines().map_while(Result::ok);
            let said = lines.filter_map(|line| Some(line.split_once("SAID ")?.1.to_owned()));
            said.collect::<Vec<String>>()
        });
        // From before it is open to well into its work.
        std::thread::sleep(Duration::from_millis(dice.below(240)));
        child.kill().unwrap();
        child.wait().unwrap();
        let said = listener.join().unwrap();
        confirmed.kills_while_working += usize::from(said.len() > 1);
        said.iter().for_each(|said| confirmed.hear(said));
        confirmed.check(&place.url);
    }
    total
        .fills
        .extend(confirmed.fills.iter().map(|fill| format!("{seed} {fill}")));
    total.attestations += confirmed.attestations;
    total.releases += confirmed.releases;
    total.kills_while_working += confirmed.kills_while_working;
}

#[test]
fn nothing_confirmed_is_lost_or_doubled_when_the_process_is_killed() {
    const KILLS: usize = 30;
    for place in places("kills") {
        let mut total = Confirmed::default();
        kill_and_check(&place, KILLS, 1, &mut total);
        // Or nothing was checked.
        let worked = total.kills_while_working;
        assert!(
            worked >= KILLS / 5 && !total.fills.is_empty(),
            "{worked} of {KILLS} kills met it at work"
        );
    }
}

/// The long run.
#[test]
#[ignore = "takes long: ZKMARGIN_KILLS says how many kills"]
fn long() {
    let kills: usize = std::env::var("ZKMARGIN_KILLS").map_or(1_000, |text| text.parse().unwrap());
    let mut total = Confirmed::default();
    for seed in 0..kills.div_ceil(KILLS_PER_LEDGER) {
        let kills = KILLS_PER_LEDGER.min(kills - seed * KILLS_PER_LEDGER);
        for place in places("long") {
            kill_and_check(&place, kills, seed as u64, &mut total);
        }
        println!(
            "{} kills of each kind of ledger: {} while it worked, {} fills, {} attestations and {} releases confirmed; none lost, every audit clean",
            seed * KILLS_PER_LEDGER + kills,
            total.kills_while_working,
            total.fills.len(),
            total.attestations,
            total.releases,
        );
    }
}
