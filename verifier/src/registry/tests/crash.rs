//! Processes that accept at once, are killed, or meet a disk that takes no more.
#![cfg(unix)]

use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead as _, BufReader, Read as _};
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::process::CommandExt as _;
use std::process::{Command, Stdio};
use std::time::Duration;

use super::*;

/// Kills in the ordinary test; `ZKMARGIN_KILLS` says otherwise.
const KILLS: usize = 30;
/// Who owns nothing.
const NOBODY: u32 = 65534;

fn this_test(name: &str, url: impl AsRef<std::ffi::OsStr>) -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    let name = format!("registry::tests::crash::{name}");
    command.args(["--ignored", "--exact", &name, "--nocapture", "--quiet"]);
    command
        .env("REGISTRY", url)
        .stdout(Stdio::piped())
        .stderr(Stdio::null());
    command
}

/// A new registry: in a folder of its own, and on a server if there is one.
fn places() -> Vec<(Option<tempfile::TempDir>, String)> {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("registry.db").to_str().unwrap().to_owned();
    let server = schema_of_its_own().map(|url| (None, url));
    let places: Vec<_> = [Some((Some(folder), file)), server].into_iter().flatten().collect();
    for (_, url) in &places {
        Registry::create(url, Network::Test, public("audience")).unwrap();
    }
    places
}

/// Not a test: accepts the statements of the list in `NAMES`, one after another, for ever, and says what came of each before it goes on.
#[test]
#[ignore = "is started by other tests"]
fn accepts_until_stopped() {
    let (Ok(path), Ok(names)) = (std::env::var("REGISTRY"), std::env::var("NAMES")) else {
        return;
    };
    let (prefix, count) = names.split_once('*').unwrap();
    let count: usize = count.parse().unwrap();
    let mut registry = match Registry::open(&path, Network::Test, public("audience")) {
        Ok(registry) => registry,
        Err(error) => return println!("\nENDED {error}"),
    };
    if let Ok(start) = std::env::var("START") {
        while !Path::new(&start).exists() {
            std::hint::spin_loop();
        }
    }
    for number in 0..count {
        let name = format!("{prefix}{number}");
        match registry.takes(proven(&name, &[&name])) {
            Ok(()) => println!("\nACCEPTED {name}"),
            Err(RegistryError::Refused(RegistryRefusal::AlreadyAccepted { .. })) => println!("\nREFUSED {name}"),
            Err(error) => return println!("\nENDED {error}"),
        }
    }
    println!("\nENDED of itself");
}

fn words<'a>(text: &'a str, word: &str) -> Vec<&'a str> {
    let of = |line: &'a str| line.strip_prefix(word)?.strip_prefix(' ');
    text.lines().filter_map(of).collect()
}

#[test]
fn of_processes_that_accept_one_statement_at_once_exactly_one_wins() {
    let World { folder, mut registry } = world();
    let (path, start) = (folder.path().join("registry.db"), folder.path().join("start"));
    let children: Vec<_> = (0..4)
        .map(|_| {
            let mut command = this_test("accepts_until_stopped", &path);
            command.env("NAMES", "same*25").env("START", &start).spawn().unwrap()
        })
        .collect();
    std::thread::sleep(Duration::from_millis(200));
    std::fs::write(&start, "").unwrap();
    let mut wins: BTreeMap<String, usize> = BTreeMap::new();
    let mut refused = 0;
    for child in children {
        let said = child.wait_with_output().unwrap();
        let said = String::from_utf8(said.stdout).unwrap();
        assert_eq!(words(&said, "ENDED"), ["of itself"], "{said}");
        for name in words(&said, "ACCEPTED") {
            *wins.entry(name.to_owned()).or_default() += 1;
        }
        refused += words(&said, "REFUSED").len();
    }
    assert_eq!(wins.len(), 25);
    assert!(wins.values().all(|count| *count == 1), "{wins:?}");
    assert_eq!(refused, 75);
    assert_eq!(registry.statements(Instant::MAX).unwrap().len(), 25);
}

#[test]
fn of_two_processes_that_accept_without_pause_none_gives_up() {
    for (_folder, url) in places() {
        let mut children = ["one", "other"].map(|prefix| {
            let mut test = this_test("accepts_until_stopped", &url);
            test.env("NAMES", format!("{prefix}-*1000000")).spawn().unwrap()
        });
        for child in &mut children {
            let (mut out, mut said) = (BufReader::new(child.stdout.take().unwrap()), Vec::new());
            for _ in 0..20 {
                said.clear();
                while !said.starts_with(b"ACCEPTED") {
                    said.clear();
                    assert!(out.read_until(b'\n', &mut said).unwrap() > 0, "{url}: it ended");
                    let line = String::from_utf8_lossy(&said);
                    assert!(!line.starts_with("ENDED"), "{url}: {line}");
                }
            }
            // What it says from here on nobody waits for.
            std::thread::spawn(move || std::io::copy(&mut out, &mut std::io::sink()));
        }
        for child in &mut children {
            child.kill().unwrap();
            child.wait().unwrap();
        }
    }
}

#[test]
fn no_accepted_statement_is_lost_and_none_accepted_twice_however_often_the_process_is_killed() {
    let kills = std::env::var("ZKMARGIN_KILLS").map_or(KILLS, |count| count.parse().unwrap());
    for (folder, url) in places() {
        let accepted = survives(kills, url);
        let place = if folder.is_some() { "SQLite" } else { "PostgreSQL" };
        println!("{place}: {kills} kills of 2 processes each, {accepted} accepted: none lost, none twice");
    }
}

/// How many statements were accepted, by a registry that is killed so often.
fn survives(kills: usize, mut url: String) -> usize {
    let mut begun_anew = Vec::new();
    let mut confirmed: BTreeSet<String> = BTreeSet::new();
    let (mut unconfirmed, mut in_time) = (0, 0);
    for kill in 0..kills {
        // One process accepts new statements, another at the same time what may have been accepted before the last kill.
        let mut fresh = this_test("accepts_until_stopped", &url);
        let mut fresh = fresh.env("NAMES", format!("{kill}-*1000000")).spawn().unwrap();
        let mut again = this_test("accepts_until_stopped", &url);
        let mut again = again
            .env("NAMES", format!("{}-*1000000", kill.saturating_sub(1)))
            .spawn()
            .unwrap();
        let mut said = Vec::new();
        let mut out = BufReader::new(fresh.stdout.take().unwrap());
        // Every other kill waits until something was accepted, however slow the machine is; the others may come before anything is open.
        while kill % 2 == 0 && !String::from_utf8_lossy(&said).contains("ACCEPTED") {
            let read = out.read_until(b'\n', &mut said).unwrap();
            assert!(read > 0, "it ended of itself: {}", String::from_utf8_lossy(&said));
        }
        let mut byte = [0];
        getrandom::fill(&mut byte).unwrap();
        std::thread::sleep(Duration::from_micros(u64::from(byte[0]) * 300));
        for child in [&mut fresh, &mut again] {
            child.kill().unwrap();
            child.wait().unwrap();
        }
        out.read_to_end(&mut said).unwrap();
        // A line that was cut off says nothing.
        let whole = |bytes: &[u8]| bytes.iter().rposition(|byte| *byte == b'\n').map_or(0, |end| end + 1);
        said.truncate(whole(&said));
        let mut other = Vec::new();
        again.stdout.take().unwrap().read_to_end(&mut other).unwrap();
        said.extend_from_slice(&other[..whole(&other)]);
        let said = String::from_utf8(said).unwrap();
        assert_eq!(words(&said, "ENDED"), Vec::<&str>::new(), "{said}");
        for name in words(&said, "ACCEPTED") {
            assert!(confirmed.insert(name.to_owned()), "{name} was accepted twice");
            in_time += usize::from(name.starts_with(&format!("{kill}-")));
        }
        let mut registry = Registry::open(&url, Network::Test, public("audience")).unwrap();
        let kept = registry.statements(Instant::MAX).unwrap();
        let digests: BTreeSet<&str> = kept
            .iter()
            .filter_map(|kept| kept["statement"]["digest"].as_str())
            .collect();
        assert_eq!(digests.len(), kept.len(), "one is there twice");
        for name in &confirmed {
            let digest = Digest(named(name)).to_string();
            assert!(digests.contains(digest.as_str()), "{name} was accepted and is lost");
        }
        // Its nonce is used as well, whatever other statement says it.
        for name in words(&said, "ACCEPTED").into_iter().rev().take(3) {
            let mut other = proven(&format!("beside {name}"), &["beside"]);
            other.nonce = hex::encode(named(name));
            assert!(matches!(
                registry.takes(other),
                Err(RegistryError::Refused(RegistryRefusal::NonceUsed { nonce, .. })) if nonce == hex::encode(named(name))
            ));
        }
        unconfirmed = kept.len() - confirmed.len();
        // Begin anew before looking at everything takes long.
        if kept.len() > 2000 {
            let is_file = !url.starts_with("postgres");
            let (folder, other) = places()
                .into_iter()
                .find(|(folder, _)| folder.is_some() == is_file)
                .unwrap();
            begun_anew.push(folder);
            url = other;
            confirmed.clear();
        }
    }
    // What was recorded and not confirmed is what a kill between the commit and the answer leaves: at most one a process and kill.
    assert!(unconfirmed <= 2 * kills);
    assert!(in_time >= kills / 2, "the load was no load: {in_time} in {kills} kills");
    in_time
}

#[test]
fn read_only_folder_is_told_and_changes_nothing() {
    let World { folder, mut registry } = world();
    registry.takes(proven("a", &["one"])).unwrap();
    let before = registry.everything();
    drop(registry);
    let path = folder.path().join("registry.db");
    let set = |path: &Path, mode| std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
    set(&path, 0o644);
    set(folder.path(), 0o555);
    let mut command = this_test("accepts_until_stopped", &path);
    if std::fs::metadata("/proc/self").is_ok_and(|found| std::os::unix::fs::MetadataExt::uid(&found) == 0) {
        // Permissions do not bind root.
        command.uid(NOBODY).gid(NOBODY);
    }
    let said = command.env("NAMES", "new*1").output().unwrap();
    set(folder.path(), 0o755);
    let said = String::from_utf8(said.stdout).unwrap();
    assert!(words(&said, "ENDED")[0].contains("read-only"), "{said}");
    let mut registry = Registry::open(path.to_str().unwrap(), Network::Test, public("audience")).unwrap();
    assert_eq!(registry.everything(), before);
}

#[test]
fn full_disk_is_told_and_everything_confirmed_is_kept() {
    let World { folder, registry } = world();
    drop(registry);
    let path = folder.path().join("registry.db");
    let test = this_test("accepts_until_stopped", &path);
    let mut command = Command::new("sh");
    // A file that outgrows the limit gives an error, as a full disk does, once the signal is ignored.
    command.args(["-c", "trap '' XFSZ; ulimit -f 600; exec \"$0\" \"$@\""]);
    command.arg(test.get_program()).args(test.get_args());
    let mut child = command
        .env("REGISTRY", &path)
        .env("NAMES", "many*100000")
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let said = lines.map(|line| line.unwrap() + "\n").collect::<String>();
    child.wait().unwrap();
    let confirmed = words(&said, "ACCEPTED");
    let ended = words(&said, "ENDED");
    assert!(
        confirmed.len() > 5 && ended.len() == 1 && ended[0].contains("disk"),
        "{ended:?}"
    );
    let mut registry = Registry::open(path.to_str().unwrap(), Network::Test, public("audience")).unwrap();
    let kept: BTreeSet<String> = registry
        .statements(Instant::MAX)
        .unwrap()
        .iter()
        .map(|kept| kept["statement"]["digest"].as_str().unwrap().to_owned())
        .collect();
    assert!(
        confirmed
            .iter()
            .all(|name| kept.contains(&Digest(named(name)).to_string()))
    );
    assert!(kept.len() <= confirmed.len() + 1);
}
