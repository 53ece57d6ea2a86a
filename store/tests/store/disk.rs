//! Folders that cannot be written to, and disks without room. A child process meets them, since limits and users are a process's.
#![cfg(unix)]

use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::Command;

use zkmargin_store::{Store, StoreError};

use crate::place::{SCHEMA, count, create};

/// Who owns nothing.
const NOBODY: u32 = 65534;

/// Not a test: writes rows until it is refused, and says how many were confirmed and why it ended.
#[test]
#[ignore = "is started by other tests"]
fn writes_until_refused() {
    let Ok(path) = std::env::var("STORE") else { return };
    let mut confirmed = 0;
    let body = vec![7; 10_000];
    let ended = loop {
        let mut store = match Store::open(&path, &SCHEMA) {
            Ok(store) => store,
            Err(error) => break error,
        };
        let id = format!("{}-{confirmed}", std::process::id());
        let values = &[id.as_str().into(), body.as_slice().into()];
        match store.write(|tx| tx.execute("INSERT INTO notes (id, body) VALUES ($1, $2)", values)) {
            Ok(_) => confirmed += 1,
            Err(error) => break error,
        }
        if confirmed > 500 {
            break StoreError::Rows { rows: 500 };
        }
    };
    println!("CONFIRMED {confirmed} ENDED {ended}");
}

/// Runs [`writes_until_refused`] with this command; how many rows were confirmed, and why it ended.
fn until_refused(mut command: Command, path: &Path) -> (i64, String) {
    let ran = command.env("STORE", path).output().unwrap();
    let said = String::from_utf8_lossy(&ran.stdout);
    let rest = said
        .split_once("CONFIRMED ")
        .unwrap_or_else(|| panic!("{said}{ran:?}"))
        .1;
    let (confirmed, ended) = rest.split_once(" ENDED ").unwrap();
    (confirmed.parse().unwrap(), ended.lines().next().unwrap().to_owned())
}

fn this_test() -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--ignored", "--exact", "disk::writes_until_refused", "--nocapture"]);
    command
}

#[test]
fn read_only_folder_is_told_and_nothing_is_lost() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("s.db");
    drop(create(path.to_str().unwrap()));
    let is_root = std::fs::metadata("/proc/self").is_ok_and(|found| std::os::unix::fs::MetadataExt::uid(&found) == 0);
    let set = |path: &Path, mode| std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
    set(&path, 0o644);
    set(folder.path(), 0o555);
    let mut command = this_test();
    if is_root {
        // Permissions do not bind root.
        command.uid(NOBODY).gid(NOBODY);
    }
    let (confirmed, ended) = until_refused(command, &path);
    set(folder.path(), 0o755);
    assert_eq!(confirmed, 0);
    assert!(ended.contains("s.db: read-only"), "{ended}");
    assert_eq!(count(&mut Store::open(path.to_str().unwrap(), &SCHEMA).unwrap()), 0);
}

#[test]
fn full_disk_is_told_and_every_confirmed_row_is_kept() {
    // A file system of its own needs rights that not everybody has.
    let folder = tempfile::tempdir().unwrap();
    let mounted = Command::new("mount")
        .args(["-t", "tmpfs", "-o", "size=600k", "tmpfs"])
        .arg(folder.path())
        .output()
        .is_ok_and(|ran| ran.status.success());
    if !mounted {
        return;
    }
    let path = folder.path().join("s.db");
    drop(create(path.to_str().unwrap()));
    let (confirmed, ended) = until_refused(this_test(), &path);
    let kept = Store::open(path.to_str().unwrap(), &SCHEMA).map(|mut store| count(&mut store));
    let unmounted = Command::new("umount").arg("-l").arg(folder.path()).status();
    assert!(unmounted.is_ok_and(|status| status.success()));
    assert!(
        confirmed > 5 && ended.contains("the disk is full"),
        "{confirmed} {ended}"
    );
    assert_eq!(kept.unwrap(), confirmed);
}

#[test]
fn file_at_its_limit_is_told_and_every_confirmed_row_is_kept() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("s.db");
    drop(create(path.to_str().unwrap()));
    let mut command = Command::new("sh");
    // A file that outgrows the limit gives an error, as a full disk does, once the signal is ignored.
    command.args(["-c", "trap '' XFSZ; ulimit -f 600; exec \"$0\" \"$@\""]);
    let test = this_test();
    command.arg(test.get_program()).args(test.get_args());
    let (confirmed, ended) = until_refused(command, &path);
    assert!(
        confirmed > 5 && ended.contains("the disk failed"),
        "{confirmed} {ended}"
    );
    assert_eq!(
        count(&mut Store::open(path.to_str().unwrap(), &SCHEMA).unwrap()),
        confirmed
    );
}
