//! What a partner runs besides: keys with a time, signed snapshots, the breaker, the registry; on proofs that are ones.

#[cfg(unix)]
mod kills;

use super::*;
use zkmargin_risk::instant::Instant;
use zkmargin_verifier::SnapshotSignature;
use zkmargin_verifier::clock;
use zkmargin_verifier::journal::Journal;

impl Folder {
    fn change_policy(&self, change: impl FnOnce(&mut Value)) {
        let mut policy: Value = serde_json::from_slice(&fs::read(self.path("policy.json")).unwrap()).unwrap();
        change(&mut policy);
        self.write("policy.json", &policy);
    }

    fn proven_world() -> Folder {
        let folder = Folder::new();
        fs::write(folder.path("bundle"), folder.proven("account", None).0).unwrap();
        folder
    }

    /// A verb of the tool.
    fn run(&self, arguments: &[&str]) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_zkmargin-verify"));
        command.current_dir(self.0.path()).args(arguments).output().unwrap()
    }

    fn observing(&self, at: &str) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_zkmargin-verify"));
        let files = ["--snapshot", "snapshot.json", "--reference", "reference.json"];
        command
            .current_dir(self.0.path())
            .args(["breaker", "observe", "--at", at])
            .args(files);
        command.args(["--policy", "policy.json", "--journal", "journal.json"]);
        command
    }

    fn observe(&self, at: &str, more: &[&str]) -> Output {
        self.observing(at).args(more).output().unwrap()
    }
}

#[track_caller]
fn assert_done(output: &Output, part: &str) {
    let (text, error) = (
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr),
    );
    assert_eq!(output.status.code(), Some(0), "{error}");
    assert!(text.contains(part), "{part:?} is not in {text}");
}

fn breaker() -> Value {
    let steps = |enter: u32| json!({ "cautious": { "enter": enter, "leave": enter / 2 }, "halted": { "enter": 4 * enter, "leave": 2 * enter } });
    let of = json!({ "reference": steps(50), "price_jump": steps(100) });
    json!({
        "dwell": "10m", "silence": "5m", "max_reference_age": "1m", "publisher_band": 30, "index_dispersion": steps(100), "asset_jump": steps(100),
        "underlyings": { "BTC": of, "ETH": of }, "cautious": { "renewals_only": true, "ratio": "1.5" },
    })
}

fn reference(btc: &str) -> Value {
    json!({ "instant": EPOCH, "indices": { "BTC": btc, "ETH": "1900" } })
}

#[test]
fn good_proof_is_valid_and_with_a_revoked_key_it_is_refused() {
    let folder = Folder::proven_world();
    assert_done(&folder.verify_now(&[]), "VALID at 2026-08-06T12:01:00Z");
    let with = |field: &str, instant: &str| {
        folder.change_policy(|policy| {
            policy["venues"]["alpha"] = json!([{ "key": public(1).to_string(), field: instant }]);
        });
        folder.verify_now(&[])
    };
    assert_done(&with("revoked", "2026-08-06T12:01:00.001Z"), "VALID");
    assert_refused(&with("revoked", NOW), 3, "which the policy revoked at");
    assert_done(&with("from", EPOCH), "VALID");
    assert_refused(
        &with("from", "2026-08-06T12:00:00.001Z"),
        3,
        "which the policy accepts from",
    );
    assert_done(&with("until", EPOCH), "VALID");
    assert_refused(
        &with("until", "2026-08-06T11:59:59.999Z"),
        3,
        "which the policy accepts until",
    );
}

#[test]
fn snapshot_must_be_signed_by_as_many_publishers_as_the_policy_says() {
    let folder = Folder::proven_world();
    folder.change_policy(|policy| {
        let of: Vec<String> = [5, 6, 7].map(|byte| public(byte).to_string()).to_vec();
        policy["snapshots"] = json!({ "signed_by": 2, "of": of });
    });
    let sign = |name: &str, byte: u8, on: Network| {
        let signed = SnapshotSignature::sign(&key(byte), on, folder.snapshot().digest());
        fs::write(folder.path(name), signed.to_bytes()).unwrap();
    };
    sign("five", 5, Network::Test);
    sign("six", 6, Network::Test);
    sign("main", 6, Network::Main);
    sign("stranger", 8, Network::Test);
    let with = |names: &[&str]| {
        let more: Vec<&str> = names.iter().flat_map(|name| ["--snapshot-signature", name]).collect();
        folder.verify_now(&more)
    };
    assert_refused(&with(&[]), 3, "is signed by 0 of the policy's publishers, it demands 2");
    assert_refused(&with(&["five", "five"]), 3, "is signed by 1");
    assert_done(&with(&["five", "six"]), "VALID");
    assert_refused(&with(&["five", "main"]), 3, "for network main, the policy is for test");
    assert_refused(
        &with(&["five", "six", "stranger"]),
        3,
        "whom the policy does not accept",
    );
    let mut wrong = fs::read(folder.path("six")).unwrap();
    *wrong.last_mut().unwrap() ^= 1;
    fs::write(folder.path("six"), wrong).unwrap();
    assert_refused(&with(&["five", "six"]), 1, "the signature is not one of key");
    assert_refused(
        &with(&["snapshot.json"]),
        2,
        "snapshot.json: not one of our binary files",
    );
}

#[test]
fn breaker_lets_pass_what_it_observed_and_nothing_once_it_is_halted() {
    let folder = Folder::proven_world();
    folder.write("reference.json", &reference("65000"));
    let with = || folder.verify_now(&["--breaker", "journal.json"]);
    assert_refused(&with(), 2, "there is no such journal");
    fs::write(folder.path("journal.json"), "{}").unwrap();
    assert_refused(&with(), 2, "not a breaker's journal");
    fs::remove_file(folder.path("journal.json")).unwrap();
    assert_refused(&folder.observe(NOW, &[]), 2, "the policy has no breaker");
    folder.change_policy(|policy| policy["breaker"] = breaker());
    assert_refused(
        &folder.verify_now(&[]),
        2,
        "--breaker: the policy has a breaker: give its journal",
    );
    assert_done(&folder.observe(NOW, &[]), "NORMAL since 2026-08-06T12:01:00Z");
    assert_done(&with(), "VALID");
    assert_refused(&folder.observe("2026-08-06T11:59:59Z", &[]), 3, "which is after");
    // 65,000 is 100 basis points from it, up: caution.
    folder.write("reference.json", &reference("64360"));
    assert_done(&folder.observe(NOW, &["--json"]), "\"stance\": \"cautious\"");
    assert_refused(
        &with(),
        3,
        "takes the place of no other: in caution the breaker lets only renewals pass",
    );
    folder.write("reference.json", &reference("60000"));
    assert_done(
        &folder.observe(NOW, &[]),
        "cautious to halted: distance from the reference of BTC is 834 basis points",
    );
    assert_refused(&with(), 3, "the breaker is halted since 2026-08-06T12:01:00Z");
    let status = folder.run(&["breaker", "status", "--journal", "journal.json"]);
    assert_done(&status, "normal to cautious");
    assert_done(&status, "HALTED since");
}

/// Without `--at`: what has waited for the journal is judged by the time at which it goes on, and not by that at which it came.
#[test]
fn clock_is_read_once_the_journal_is_there() {
    let folder = Folder::proven_world();
    folder.change_policy(|policy| policy["breaker"] = breaker());
    folder.write("reference.json", &reference("65000"));
    assert_done(&folder.observe(NOW, &[]), "NORMAL");
    let nonce = "07".repeat(32);
    let verify = || folder.verify(&["--breaker", "journal.json", "--nonce", &nonce]);
    let files = ["--snapshot", "snapshot.json", "--reference", "reference.json"];
    let own = [
        "breaker",
        "observe",
        "--policy",
        "policy.json",
        "--journal",
        "journal.json",
    ];
    let observe = || folder.run(&[&own[..], &files].concat());
    // What is of August is too old for both: they say at which instant.
    let waiting: [(&str, &(dyn Fn() -> Output + Sync)); 2] = [("refused at ", &verify), ("not observed at ", &observe)];
    for (said, waits) in waiting {
        let journal = Journal::hold(&folder.path("journal.json")).unwrap();
        let (output, gone_on) = std::thread::scope(|scope| {
            let waiting = scope.spawn(waits);
            // Longer than it takes to come as far as the journal.
            std::thread::sleep(std::time::Duration::from_secs(3));
            let gone_on = clock::now().unwrap();
            drop(journal);
            (waiting.join().unwrap(), gone_on)
        });
        let error = String::from_utf8_lossy(&output.stderr);
        let (_, rest) = error.split_once(said).unwrap_or_else(|| panic!("{error}"));
        let (at, _) = rest.split_once("Z").unwrap();
        let at: Instant = format!("{at}Z").parse().unwrap();
        assert!(at >= gone_on, "{said}{at}, and it went on at {gone_on}");
    }
}

#[cfg(feature = "registry")]
mod registry {
    use super::*;

    pub(super) fn world() -> Folder {
        let folder = Folder::proven_world();
        folder.change_policy(|policy| policy["calls"] = json!({ "notice": "10m", "grace": "30m" }));
        assert_done(
            &folder.run(&["registry", "create", "--registry", "r.db", "--policy", "policy.json"]),
            "A registry for",
        );
        folder
    }

    pub(super) fn export(folder: &Folder) -> String {
        let output = folder.run(&["registry", "export", "--registry", "r.db", "--format", "jsonl"]);
        assert_eq!(
            output.status.code(),
            Some(0),
            "{}",
            String::from_utf8_lossy(&output.stderr)
        );
        String::from_utf8(output.stdout).unwrap()
    }

    #[test]
    fn proof_is_accepted_once_and_a_refused_one_leaves_the_registry_as_it_was() {
        let folder = world();
        let with = |more: &[&str]| folder.verify_now(&[&["--registry", "r.db"], more].concat());
        let good = fs::read(folder.path("bundle")).unwrap();
        // Not a proof; and one of another statement.
        fs::write(folder.path("bundle"), folder.bundle()).unwrap();
        assert_refused(&with(&[]), 1, "bundle: refused at");
        assert_eq!(export(&folder), "");
        fs::write(folder.path("bundle"), &good).unwrap();
        assert_done(&with(&[]), "VALID");
        let accepted = export(&folder);
        assert_eq!(accepted.lines().count(), 1);
        let record: Value = serde_json::from_str(&accepted).unwrap();
        let digest = record["statement"]["digest"].as_str().unwrap();
        assert_refused(&with(&[]), 3, "which was accepted at 2026-08-06T12:01:00Z already");
        // The nonce was used by it.
        let (other, _) = folder.proven("another account", None);
        fs::write(folder.path("bundle"), other).unwrap();
        assert_refused(&with(&[]), 3, "was used at 2026-08-06T12:01:00Z already");
        assert_eq!(export(&folder), accepted);
        let get = [
            "registry",
            "bundle",
            "--registry",
            "r.db",
            "--statement",
            digest,
            "--out",
            "kept",
        ];
        assert_done(&folder.run(&get), "kept: ");
        assert_eq!(fs::read(folder.path("kept")).unwrap(), good);
        assert_refused(&folder.run(&get), 2, "kept exists already; --force replaces it");
    }

    #[test]
    fn accounts_are_shown_as_they_stood() {
        let folder = world();
        assert_done(&folder.verify_now(&["--registry", "r.db"]), "VALID");
        let at = |at: &str| folder.run(&["registry", "accounts", "--registry", "r.db", "--at", at]);
        assert_done(&at("2026-08-06T12:00:59Z"), "0 accounts");
        assert_done(&at("2026-08-06T12:49:59.999Z"), "current");
        assert_done(&at("2026-08-06T12:50:00Z"), "due");
        assert_done(&at("2026-08-06T13:00:00.001Z"), "called");
        assert_done(&at("2026-08-06T13:30:00.001Z"), "lapsed");
        let pseudonym = PseudonymSecret::from_bytes([9; 32])
            .pseudonym("account", &public(3))
            .to_string();
        let of = [
            "registry",
            "history",
            "--registry",
            "r.db",
            "--venue",
            "alpha",
            "--account",
            &pseudonym,
        ];
        assert_done(&folder.run(&of), "lapsed");
        let csv = folder.run(&["registry", "export", "--registry", "r.db", "--format", "csv"]);
        assert_done(&csv, &pseudonym);
    }

    #[test]
    fn registry_of_somebody_else_or_none_and_a_policy_without_calls_are_usage_errors() {
        let folder = world();
        let with = |url: &str| folder.verify_now(&["--registry", url]);
        assert_refused(&with("none.db"), 2, "there is no such database");
        assert_refused(&with("policy.json"), 2, "policy.json");
        assert_refused(&with("mysql://x"), 2, "mysql");
        let again = folder.run(&["registry", "create", "--registry", "r.db", "--policy", "policy.json"]);
        assert_refused(&again, 2, "already");
        folder.change_policy(|policy| policy["audience"] = json!(public(4).to_string()));
        assert_refused(&with("r.db"), 2, "the registry is of audience");
        folder.change_policy(|policy| {
            policy["audience"] = json!(public(3).to_string());
            policy.as_object_mut().unwrap().remove("calls");
        });
        assert_refused(&with("r.db"), 2, "the policy has no `calls`");
        assert_eq!(export(&folder), "");
        // A registry in which nothing could be recorded is not made.
        let made = folder.run(&["registry", "create", "--registry", "new.db", "--policy", "policy.json"]);
        assert_refused(&made, 2, "the policy has no `calls`");
        assert!(!folder.path("new.db").exists());
    }

    #[test]
    fn refusal_of_a_registry_names_the_missing_flag_as_one_without_does() {
        let folder = world();
        let refused = folder.verify(&["--at", NOW, "--registry", "r.db"]);
        assert_refused(
            &refused,
            2,
            "bundle: refused at 2026-08-06T12:01:00Z: --nonce: the policy requires a nonce",
        );
        assert_eq!(export(&folder), "");
    }
}
