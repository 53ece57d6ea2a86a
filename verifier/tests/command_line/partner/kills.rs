//! The tool, killed at work: what it said is there, and the rest is as it was.

use std::os::unix::process::ExitStatusExt as _;
use std::process::Stdio;
use std::time::Duration;

use super::*;
use zkmargin_verifier::Policy;
use zkmargin_verifier::breaker::{Breaker, Reference, Sight};

/// Kills of the tool in a test.
const KILLS: u32 = 40;

/// Kills the tool later each time, until it has ended before, and then a little earlier again: mostly about where it writes and answers.
struct Killer {
    after: Duration,
    at_work: u32,
}

impl Killer {
    fn new() -> Killer {
        Killer {
            after: Duration::from_millis(1),
            at_work: 0,
        }
    }

    /// What the tool said until it was killed.
    fn kill(&mut self, mut command: Command) -> Output {
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        std::thread::sleep(self.after);
        child.kill().unwrap();
        let output = child.wait_with_output().unwrap();
        if output.status.signal().is_some() {
            self.at_work += 1;
            self.after = self.after * 5 / 4;
        } else {
            assert_done(&output, "");
            self.after = self.after * 3 / 5;
        }
        output
    }

    fn assert_met(&self) {
        assert!(
            2 * self.at_work > KILLS && self.at_work < KILLS,
            "{} of {KILLS} kills met the tool at work",
            self.at_work
        );
    }
}

#[test]
fn observer_that_is_killed_leaves_the_old_state_or_the_new_one_and_the_new_one_once_it_said_so() {
    let folder = Folder::new();
    folder.change_policy(|policy| policy["breaker"] = breaker());
    let policy = Policy::from_json(&fs::read(folder.path("policy.json")).unwrap()).unwrap();
    let snapshots = [folder.snapshot()];
    let observed = |before: &Breaker, at: Instant, reference: &Reference| {
        let sight = Sight {
            snapshots: &snapshots,
            signatures: &[],
            reference,
            at,
        };
        before.observe(&policy, &sight).unwrap()
    };
    let mut seconds = 0..60;
    let mut next = || {
        let second = seconds.next().unwrap();
        let at = format!("2026-08-06T12:00:{second:02}Z");
        // The later, the further is the market from the reference: to caution, and to a halt.
        let reference = reference(&(65_000 - 50 * second).to_string());
        folder.write("reference.json", &reference);
        let reference = Reference::from_json(reference.to_string().as_bytes()).unwrap();
        (folder.observing(&at), at.parse::<Instant>().unwrap(), reference)
    };
    assert_done(&next().0.output().unwrap(), "NORMAL");
    let read = || {
        let journal = Journal::share(&folder.path("journal.json")).unwrap();
        journal.read().unwrap().unwrap()
    };
    let mut killer = Killer::new();
    for _ in 0..KILLS {
        let (command, at, reference) = next();
        let before = read();
        let after = observed(&before, at, &reference);
        let output = killer.kill(command);
        let found = read();
        let is_old = found == before && output.stdout.is_empty();
        assert!(is_old || found == after, "{before:?}, {found:?} after {output:?}");
    }
    killer.assert_met();
    // Whatever was killed, the next one goes on.
    let (mut command, at, reference) = next();
    let after = observed(&read(), at, &reference);
    assert_done(&command.output().unwrap(), "HALTED since");
    assert_eq!(read(), after);
}

#[cfg(feature = "registry")]
#[test]
fn tool_that_is_killed_loses_nothing_that_it_said_and_accepts_nothing_twice() {
    use registry::{export, world};

    let folder = world();
    folder.change_policy(|policy| policy["nonce"] = json!("waived"));
    let verify = || {
        let mut command = Command::new(env!("CARGO_BIN_EXE_zkmargin-verify"));
        let files = ["--universe", "universe.json", "--snapshot", "snapshot.json", "bundle"];
        command.current_dir(folder.0.path()).args(files).args(["--at", NOW]);
        command.args(["--policy", "policy.json", "--model", "paradex-pm", "--registry", "r.db"]);
        command.arg("--no-cache");
        command
    };
    let recorded = || -> Vec<Digest> {
        let digest = |line: &str| {
            let record: Value = serde_json::from_str(line).unwrap();
            record["statement"]["digest"].as_str().unwrap().parse().unwrap()
        };
        export(&folder).lines().map(digest).collect()
    };
    let mut accounts = 0..;
    // Puts the bundle of another account there; the digest of its statement.
    let mut next = || {
        let account = format!("account {}", accounts.next().unwrap());
        let (bundle, digest) = folder.proven(&account, None);
        fs::write(folder.path("bundle"), bundle).unwrap();
        digest
    };
    let mut accepted = Vec::new();
    let mut pending = next();
    let mut killer = Killer::new();
    for _ in 0..KILLS {
        let output = killer.kill(verify());
        let (found, with_it) = (recorded(), [&accepted[..], &[pending]].concat());
        let is_new = found == with_it;
        assert!(
            is_new || found == accepted && output.stdout.is_empty(),
            "{accepted:?} and {pending}: {found:?} after {output:?}"
        );
        if is_new {
            assert_refused(
                &verify().output().unwrap(),
                3,
                "was accepted at 2026-08-06T12:01:00Z already",
            );
            accepted = found;
            pending = next();
        }
    }
    killer.assert_met();
    // Whatever was killed, the next one is accepted.
    assert_done(&verify().output().unwrap(), "VALID");
    accepted.push(pending);
    assert_eq!(recorded(), accepted);
}
