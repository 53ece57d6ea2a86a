//! The tool as a process: pipes, full disks, signals.
#![cfg(unix)]

use std::fs::File;
use std::io::Write as _;
use std::os::unix::process::ExitStatusExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use zkmargin_verifier::output::{Outputs, Secrecy};

use crate::desk::{desk, run};

fn tool() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_zkmargin"));
    command.current_dir(desk().path());
    command
}

#[test]
fn pipes_folders_and_devices_are_refused_and_not_waited_for() {
    let desk = desk();
    assert!(
        Command::new("mkfifo")
            .arg(desk.path().join("pipe"))
            .status()
            .unwrap()
            .success()
    );
    run(desk.path(), &["inspect", "pipe"]).refused(2, &["pipe is a pipe, expected a plain file"]);
    run(desk.path(), &["inspect", "."]).refused(2, &["is a folder, expected a plain file"]);
    run(desk.path(), &["inspect", "/dev/zero"]).refused(2, &["/dev/zero is a device, expected a plain file"]);
}

#[test]
fn closed_standard_output_is_quiet_and_has_its_own_exit_code() {
    for json in [
        &["inspect", "snapshot.json"][..],
        &["--json", "inspect", "snapshot.json"][..],
    ] {
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let done = tool().args(json).stdout(writer).output().unwrap();
        assert_eq!(done.status.code(), Some(141));
        assert!(done.stderr.is_empty(), "{}", String::from_utf8_lossy(&done.stderr));
    }
}

#[test]
fn full_standard_output_is_said_on_standard_error() {
    let Ok(full) = File::options().write(true).open("/dev/full") else {
        return;
    };
    let done = tool().args(["inspect", "snapshot.json"]).stdout(full).output().unwrap();
    assert_eq!(done.status.code(), Some(2));
    let said = String::from_utf8(done.stderr).unwrap();
    assert!(
        said.starts_with("zkmargin: cannot write to standard output: "),
        "{said}"
    );
    // Where standard error is full as well, the exit code is all there is.
    let full = || File::options().write(true).open("/dev/full").unwrap();
    let status = tool()
        .args(["inspect", "absent"])
        .stdout(full())
        .stderr(full())
        .status()
        .unwrap();
    assert_eq!(status.code(), Some(2));
}

/// Not a test: the process that [`signal_takes_the_temporary_files_with_it`] starts. It waits between staging its output and naming it.
#[test]
#[ignore = "is started by another test"]
fn stages_and_waits() {
    let Some(path) = std::env::var_os("STAGED").map(PathBuf::from) else {
        return;
    };
    zkmargin_prover::signal::watch().unwrap();
    let mut outputs = Outputs::new(false);
    outputs.reserve(&path).unwrap();
    outputs.stage(&path, b"secret", Secrecy::Secret).unwrap();
    sleep(Duration::from_secs(60));
}

#[test]
fn signal_takes_the_temporary_files_with_it() {
    for (signal, number) in [("-TERM", 15), ("-INT", 2)] {
        let folder = tempfile::tempdir().unwrap();
        let names = || {
            let entries = std::fs::read_dir(folder.path()).unwrap();
            let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
            names.collect::<Vec<_>>()
        };
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--ignored", "--exact", "process::stages_and_waits"])
            .env("STAGED", folder.path().join("venue.key"))
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        await_that(|| !names().is_empty());
        assert!(names().iter().all(|name| name.ends_with(".tmp")), "{:?}", names());
        kill(signal, &child);
        assert_eq!(child.wait().unwrap().signal(), Some(number));
        assert!(names().is_empty(), "{:?}", names());
    }
}

/// The tool itself has the handler of the test above, and still dies of the signal.
#[test]
fn tool_watches_for_signals() {
    let (reader, mut writer) = std::io::pipe().unwrap();
    let out = writer.try_clone().unwrap();
    // Fills the pipe, which nobody reads, so that the tool waits with its answer.
    std::thread::spawn(move || while writer.write_all(&[0; 4096]).is_ok() {});
    sleep(Duration::from_millis(200));
    let mut child = tool().args(["inspect", "snapshot.json"]).stdout(out).spawn().unwrap();
    let status = format!("/proc/{}/status", child.id());
    if Path::new(&status).exists() {
        let caught = || {
            let text = std::fs::read_to_string(&status).unwrap();
            let mask = text.lines().find_map(|line| line.strip_prefix("SigCgt:")).unwrap();
            u64::from_str_radix(mask.trim(), 16).unwrap()
        };
        await_that(|| [2, 15].iter().all(|signal| caught() >> (signal - 1) & 1 == 1));
    }
    kill("-TERM", &child);
    assert_eq!(child.wait().unwrap().signal(), Some(15));
    drop(reader);
}

#[track_caller]
fn await_that(is_so: impl Fn() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(30);
    while !is_so() {
        assert!(Instant::now() < deadline, "waited in vain");
        sleep(Duration::from_millis(5));
    }
}

fn kill(signal: &str, child: &Child) {
    assert!(
        Command::new("kill")
            .arg(signal)
            .arg(child.id().to_string())
            .status()
            .unwrap()
            .success()
    );
}
