//! The tools themselves, ended by SIGKILL at random instants: what they said or gave out is looked for after each.
//!
//! The long run is `ZKMARGIN_KILLS=200 cargo test --release --workspace --test roles -- --ignored kills::long --nocapture`.
#![cfg(unix)]

use std::collections::BTreeMap;
use std::fs;
use std::io::Read as _;
use std::os::unix::process::ExitStatusExt as _;
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant as Clock};

use rand_chacha::ChaCha20Rng;
use rand_core::{Rng as _, SeedableRng as _};
use serde_json::{Value, json};
use zkmargin_risk::instant::Instant;

use crate::stage::{AT, STAGE, binary, said};

/// Fills of a file: more than the ledger records in one transaction, so that a kill can come between two.
const FILLS: u64 = 600;
/// Kills of each verb before the next ledger is begun: every audit replays all fills.
const KILLS_PER_LEDGER: usize = 25;
const HEADER: &str = "id,account,time,instrument,contracts,price,fee,asset,amount\n";

/// A tool and its arguments, in a folder; `@NAME` is a file of the demonstration.
fn command(folder: &Path, words: &str) -> Command {
    let mut words = words.split_whitespace();
    let mut command = Command::new(binary(words.next().unwrap()));
    command.current_dir(folder).env("XDG_CACHE_HOME", STAGE.path("cache"));
    for word in words {
        match word.strip_prefix('@') {
            Some(name) => command.arg(STAGE.path(name)),
            None => command.arg(word),
        };
    }
    command
}

/// Standard output of what has done what it was asked.
fn done(output: &Output) -> &[u8] {
    assert_eq!(output.status.code(), Some(0), "{}", said(output).1);
    &output.stdout
}

fn data(output: &Output) -> Value {
    serde_json::from_slice(done(output)).unwrap()
}

fn assert_refused(output: &Output, because: &str) {
    let (code, text) = said(output);
    assert!(code == 3 && text.contains(because), "exit code {code}: {text}");
}

/// How kills met a verb.
#[derive(Default)]
struct Tally {
    /// How long it took when it was last left alone.
    usual: Duration,
    kills: usize,
    at_work: usize,
    /// It had recorded everything, and said nothing yet.
    unsaid: usize,
}

struct Killer {
    random: ChaCha20Rng,
    verbs: BTreeMap<&'static str, Tally>,
}

impl Killer {
    fn new() -> Killer {
        Killer {
            random: ChaCha20Rng::seed_from_u64(1),
            verbs: BTreeMap::new(),
        }
    }

    /// Runs a command to its end.
    fn leave(&mut self, verb: &'static str, mut command: Command) -> Output {
        let begun = Clock::now();
        let output = command.output().unwrap();
        self.verbs.entry(verb).or_default().usual = begun.elapsed();
        output
    }

    /// Kills a command after a part of the time that it usually takes, or, every fourth, as soon as it says something. The first of each verb is
    /// left alone: that says how long it takes.
    fn kill(&mut self, verb: &'static str, mut command: Command) -> Output {
        let Some(tally) = self.verbs.get_mut(verb) else {
            return self.leave(verb, command);
        };
        let delay = tally
            .usual
            .mul_f64(f64::from(self.random.next_u32()) / f64::from(u32::MAX));
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let mut first = Vec::new();
        if tally.kills % 4 == 3 {
            let out = child.stdout.as_mut().unwrap();
            out.take(1).read_to_end(&mut first).unwrap();
        } else {
            sleep(delay);
        }
        child.kill().unwrap();
        let mut output = child.wait_with_output().unwrap();
        output.stdout.splice(..0, first);
        tally.kills += 1;
        match output.status.signal() {
            Some(_) => tally.at_work += 1,
            None => drop(done(&output)),
        }
        output
    }

    /// What is said is recorded.
    fn compare(&mut self, verb: &'static str, output: &Output, is_recorded: bool) {
        let is_said = !output.stdout.is_empty();
        assert!(is_recorded || !is_said, "{verb} is lost: {}", said(output).1);
        self.verbs.get_mut(verb).unwrap().unsaid += usize::from(is_recorded && !is_said);
    }

    fn assert_met(&self) {
        let sum = |count: fn(&Tally) -> usize| self.verbs.values().map(count).sum::<usize>();
        let (at_work, kills) = (sum(|tally| tally.at_work), sum(|tally| tally.kills));
        assert!(
            kills > 0 && at_work * 3 >= kills,
            "{at_work} of {kills} kills met a tool at work"
        );
    }
}

/// What the ledger's tool says of an account.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Account {
    fills: u64,
    attestations: u64,
    /// To which audience.
    pledged: Option<String>,
}

/// A venue whose ledger has one account.
struct Venue {
    folder: tempfile::TempDir,
    now: Instant,
    account: Account,
}

impl Venue {
    fn new() -> Venue {
        let venue = Venue {
            folder: tempfile::tempdir().unwrap(),
            now: "2026-08-06T12:00:00Z".parse().unwrap(),
            account: Account {
                fills: 0,
                attestations: 0,
                pledged: None,
            },
        };
        venue.ok("init", "--universe @universe.json --key @perphouse.key");
        venue.ok("account", &format!("--name acc --subject {}", public("trader.key")));
        venue
    }

    fn ledger(&self, verb: &str, words: &str) -> Command {
        let words = format!("zkmargin --json venue ledger {verb} --ledger ledger.db {words}");
        command(self.folder.path(), &words)
    }

    fn ok(&self, verb: &str, words: &str) -> Value {
        data(&self.ledger(verb, words).output().unwrap())
    }

    fn tick(&mut self) -> Instant {
        self.now = self.now.checked_add(1_000).unwrap();
        self.now
    }

    /// The account as it stands, in a ledger that the audit finds sound.
    fn look(&self) -> Account {
        let shown = self.ok("show", &format!("--name acc --at {}", self.now));
        let of = &shown["accounts"][0];
        let account = Account {
            fills: of["fills"].as_u64().unwrap(),
            attestations: of["attestations"].as_u64().unwrap(),
            pledged: of["pledged"]["audience"].as_str().map(str::to_owned),
        };
        let mut held = shown["holds"].as_array().unwrap().iter();
        let position = held.find(|held| held["what"] == "position");
        let position = position.map_or("0", |held| held["amount"].as_str().unwrap());
        assert_eq!(position, account.fills.to_string(), "every fill buys one contract");
        let audit = self.ok("audit", "");
        assert_eq!(
            (audit["fills"].as_u64(), audit["attestations"].as_u64()),
            (Some(account.fills), Some(account.attestations))
        );
        account
    }

    /// Imports a file of new fills by a command that is killed, and then the same file again.
    fn import(&mut self, killer: &mut Killer) {
        let (at, before) = (self.tick(), self.account.fills);
        let line = |id| format!("{id},acc,{at},BTC-PERPETUAL,1,64000,0.0000005,,\n");
        let lines: String = (before..before + FILLS).map(line).collect();
        fs::write(self.folder.path().join("fills.csv"), format!("{HEADER}{lines}")).unwrap();
        let words = format!("--fills fills.csv --at {at}");
        let output = killer.kill("import", self.ledger("import", &words));
        let shown = self.look();
        let recorded = shown.fills.checked_sub(before).expect("no fill is lost");
        self.account.fills = shown.fills;
        assert_eq!(shown, self.account);
        killer.compare("import", &output, recorded == FILLS);
        let again = data(&killer.leave("import", self.ledger("import", &words)));
        assert_eq!(
            (again["recorded"].as_u64(), again["skipped"].as_u64()),
            (Some(FILLS - recorded), Some(recorded))
        );
        self.account.fills = before + FILLS;
    }

    /// Pledges the account by `attest` or `handover`, which is killed, and then by the same command again; the folder of what is given out.
    fn pledge(&mut self, killer: &mut Killer, verb: &'static str, words: &str, audience: &str) -> String {
        let (at, given) = (self.tick(), format!("given-{}", self.account.attestations));
        fs::create_dir(self.folder.path().join(&given)).unwrap();
        let terms = |audience: &str, at: Instant| {
            format!(
                "--key @perphouse.key --name acc --epoch {at} --audience {audience} --book line-1 --expires 2026-08-07T12:00:00Z \
                 --held --at {at} --force -o {given}/attestation --opening {given}/opening"
            )
        };
        let words = format!("{words} {}", terms(audience, at));
        let output = killer.kill(verb, self.ledger(verb, &words));
        // Also under the names of files that were being written.
        let out = self.files(&given);
        let pledged = Account {
            attestations: self.account.attestations + 1,
            pledged: Some(audience.to_owned()),
            ..self.account.clone()
        };
        let shown = self.look();
        let is_recorded = shown == pledged;
        assert!(is_recorded || shown == self.account, "{verb}: {shown:?}");
        assert!(is_recorded || out.is_empty(), "{verb} gave out what is not recorded");
        killer.compare(verb, &output, is_recorded);
        let is_out = out.contains_key("attestation") && out.contains_key("opening");
        assert!(
            is_out || output.stdout.is_empty(),
            "{verb} said so, and gave out nothing"
        );
        // To whomever it is pledged, nobody else gets it.
        if let Some(standing) = &shown.pledged {
            let mut audiences = ["partner.key", "stranger.key"].map(public).into_iter();
            let other = audiences.find(|other| other != standing).unwrap();
            let later = terms(&other, at.checked_add(1).unwrap());
            let attest = self.ledger("attest", &later).output().unwrap();
            assert_refused(&attest, &format!("is pledged to audience {standing}"));
        }
        let again = data(&killer.leave(verb, self.ledger(verb, &words)));
        assert_eq!(again["again"], json!(is_recorded), "{verb}");
        let whole = self.files(&given);
        for name in ["attestation", "opening"] {
            let is_same = out.get(name).is_none_or(|before| *before == whole[name]);
            assert!(is_same, "{verb} gave out two kinds of {name}");
        }
        self.account = pledged;
        given
    }

    /// The audience's release of what was given out.
    fn signed_release(&mut self, key: &str, given: &str) -> String {
        let (at, release) = (self.tick(), format!("{given}/release"));
        let words = format!("zkmargin release --key @{key} --attestation {given}/attestation --at {at} -o {release}");
        done(&command(self.folder.path(), &words).output().unwrap());
        release
    }

    /// Takes a release by a command that is killed, and then by the same again.
    fn release(&mut self, killer: &mut Killer, release: &str) {
        let words = format!("--release {release} --at {}", self.now);
        let output = killer.kill("release", self.ledger("release", &words));
        let released = Account {
            pledged: None,
            ..self.account.clone()
        };
        let shown = self.look();
        let is_recorded = shown == released;
        assert!(is_recorded || shown == self.account, "{shown:?}");
        killer.compare("release", &output, is_recorded);
        let again = data(&killer.leave("release", self.ledger("release", &words)));
        assert_eq!(again["again"], json!(is_recorded));
        self.account = released;
    }

    /// Everything is as it was left, and every fill that was ever imported is there once.
    fn assert_complete(&self) {
        assert_eq!(self.look(), self.account);
        self.ok("export", "-o all.csv");
        let file = fs::read_to_string(self.folder.path().join("all.csv")).unwrap();
        let id = |line: &str| line.split_once(',').unwrap().0.parse().unwrap();
        let mut ids: Vec<u64> = file.lines().skip(1).map(id).collect();
        ids.sort_unstable();
        assert!(ids.into_iter().eq(0..self.account.fills));
    }

    fn files(&self, folder: &str) -> BTreeMap<String, Vec<u8>> {
        let entries = fs::read_dir(self.folder.path().join(folder)).unwrap();
        let paths = entries.map(|entry| entry.unwrap().path());
        let named = |path: &Path| path.file_name().unwrap().to_str().unwrap().to_owned();
        paths.map(|path| (named(&path), fs::read(&path).unwrap())).collect()
    }
}

/// The public key in a key file of the demonstration.
fn public(name: &str) -> String {
    let file: Value = serde_json::from_slice(&STAGE.read(name)).unwrap();
    file["public"].as_str().unwrap().to_owned()
}

/// Kills each of the ledger's verbs so often.
fn kill_the_ledger(kills: usize) -> Killer {
    let (mut killer, mut venue) = (Killer::new(), Venue::new());
    for kill in 0..=kills {
        if kill > 0 && kill % KILLS_PER_LEDGER == 0 {
            venue.assert_complete();
            venue = Venue::new();
        }
        venue.import(&mut killer);
        let given = venue.pledge(&mut killer, "attest", "", &public("partner.key"));
        let release = venue.signed_release("partner.key", &given);
        let words = format!("--release {release}");
        let given = venue.pledge(&mut killer, "handover", &words, &public("stranger.key"));
        let release = venue.signed_release("stranger.key", &given);
        venue.release(&mut killer, &release);
    }
    venue.assert_complete();
    killer.assert_met();
    killer
}

/// A partner, and proofs of the demonstration's two accounts, each of which takes the place of the one before.
struct Partner {
    folder: tempfile::TempDir,
    statements: Vec<String>,
}

impl Partner {
    fn new(proofs: usize) -> Partner {
        let folder = tempfile::tempdir().unwrap();
        let mut policy: Value = serde_json::from_slice(&STAGE.read("policy.json")).unwrap();
        policy["calls"] = json!({ "notice": "1m", "grace": "5m" });
        policy["nonce"] = json!("waived");
        fs::write(folder.path().join("policy.json"), policy.to_string()).unwrap();
        let mut statements: Vec<String> = Vec::new();
        for number in 0..proofs {
            let replaces = statements
                .last()
                .map_or(String::new(), |last| format!("--replaces {last}"));
            let words = format!(
                "zkmargin --json prove --universe @universe.json --snapshot @snapshot.json --model paradex-pm --attestation @options.attestation \
                 --opening @options.opening --attestation @hedge.attestation --opening @hedge.opening --subject-key @trader.key \
                 --audience {} --book credit-line-7 --ratio 1.05 --excess 1000 {replaces} --valid-for 30m --at {AT} -o {number}.bundle",
                public("partner.key")
            );
            let proven = data(&command(folder.path(), &words).output().unwrap());
            statements.push(proven["statements"][0]["digest"].as_str().unwrap().to_owned());
        }
        Partner { folder, statements }
    }

    fn create(&self, registry: &str) {
        let words = format!("zkmargin-verify registry create --registry {registry} --policy policy.json");
        done(&command(self.folder.path(), &words).output().unwrap());
    }

    fn verify(&self, registry: &str, number: usize) -> Command {
        let words = format!(
            "zkmargin-verify --policy policy.json --universe @universe.json --snapshot @snapshot.json --model paradex-pm \
             --registry {registry} --at {AT} {number}.bundle"
        );
        command(self.folder.path(), &words)
    }

    /// How many statements a registry holds: each once, and each but the last replaced by the next.
    fn held(&self, registry: &str) -> usize {
        let words = format!("zkmargin-verify registry export --registry {registry} --format jsonl --at {AT}");
        let output = command(self.folder.path(), &words).output().unwrap();
        let lines = std::str::from_utf8(done(&output)).unwrap().lines();
        let rows: Vec<Value> = lines.map(|line| serde_json::from_str(line).unwrap()).collect();
        for (number, row) in rows.iter().enumerate() {
            assert_eq!(row["statement"]["digest"], json!(self.statements[number]));
            let next = (number + 1 < rows.len()).then(|| &self.statements[number + 1]);
            assert_eq!(row["replaced_by"], json!(next));
        }
        rows.len()
    }
}

/// Kills the verifier so often, over so many proofs that each new registry accepts anew.
fn kill_the_registry(kills: usize, proofs: usize) -> Killer {
    let (mut killer, partner) = (Killer::new(), Partner::new(proofs));
    for kill in 0..=kills {
        let (registry, number) = (format!("sqlite:{}.db", kill / proofs), kill % proofs);
        if number == 0 {
            partner.create(&registry);
        }
        let output = killer.kill("verify", partner.verify(&registry, number));
        let is_held = partner.held(&registry) == number + 1;
        killer.compare("verify", &output, is_held);
        let again = killer.leave("verify", partner.verify(&registry, number));
        if !is_held {
            done(&again);
        }
        let more = if is_held {
            again
        } else {
            partner.verify(&registry, number).output().unwrap()
        };
        assert_refused(
            &more,
            &format!("{}, which was accepted at {AT} already", partner.statements[number]),
        );
        assert_eq!(partner.held(&registry), number + 1);
    }
    killer.assert_met();
    killer
}

#[test]
fn what_the_ledgers_tool_said_or_gave_out_is_recorded_once_when_it_is_killed() {
    kill_the_ledger(4);
}

#[test]
fn what_the_verifier_accepted_is_held_and_accepted_no_more_when_it_is_killed() {
    kill_the_registry(12, 5);
}

/// The long run.
#[test]
#[ignore = "takes long: ZKMARGIN_KILLS says how many kills"]
fn long() {
    let kills: usize = std::env::var("ZKMARGIN_KILLS").map_or(200, |text| text.parse().unwrap());
    for killer in [kill_the_ledger(kills), kill_the_registry(kills, 20)] {
        for (verb, tally) in &killer.verbs {
            println!(
                "{verb}: {} kills of the tool: {} while it worked, {} after it had recorded and before it said so; nothing lost, nothing twice",
                tally.kills, tally.at_work, tally.unsaid
            );
        }
    }
}
