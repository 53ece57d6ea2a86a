//! A folder with everything that a proof needs, made once by the tool itself.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::OnceLock;

use serde_json::Value;
use tempfile::TempDir;

pub(crate) const EPOCH: &str = "2026-08-06T12:00:00Z";
pub(crate) const AT: &str = "2026-08-06T12:01:00Z";
pub(crate) const EXPIRES: &str = "2026-08-06T13:00:00Z";

/// What the tool did.
pub(crate) struct Ran {
    pub(crate) code: i32,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Ran {
    /// Standard output as JSON.
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.out).unwrap_or_else(|error| panic!("{error}: {}{}", self.out, self.err))
    }

    /// Refused with this code and a message that has all of these parts.
    #[track_caller]
    pub(crate) fn refused(&self, code: i32, parts: &[&str]) {
        assert_eq!(self.code, code, "{}{}", self.out, self.err);
        for part in parts {
            assert!(self.err.contains(part), "no {part:?} in: {}", self.err);
        }
    }

    #[track_caller]
    pub(crate) fn done(self) -> Ran {
        assert_eq!(self.code, 0, "{}{}", self.out, self.err);
        self
    }
}

/// Runs the tool in a folder.
pub(crate) fn run(folder: &Path, words: &[&str]) -> Ran {
    run_with(folder, words, &[])
}

/// The same with variables of the environment.
pub(crate) fn run_with(folder: &Path, words: &[&str], environment: &[(&str, &str)]) -> Ran {
    let Output { status, stdout, stderr } = Command::new(env!("CARGO_BIN_EXE_zkmargin"))
        .args(words)
        .current_dir(folder)
        .envs(environment.iter().copied())
        .output()
        .unwrap();
    Ran {
        code: status.code().unwrap(),
        out: String::from_utf8(stdout).unwrap(),
        err: String::from_utf8(stderr).unwrap(),
    }
}

/// The project's `examples` folder.
pub(crate) fn example(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples").join(name)
}

/// Keys, universe, and both accounts attested.
pub(crate) struct Desk {
    folder: TempDir,
    pub(crate) trader: String,
    pub(crate) partner: String,
}

impl Desk {
    pub(crate) fn path(&self) -> &Path {
        self.folder.path()
    }

    /// The words of `venue attest` for an account file in the folder.
    pub(crate) fn attest<'a>(
        &'a self,
        venue_key: &'a str,
        account: &'a str,
        out: &'a str,
        opening: &'a str,
    ) -> Vec<&'a str> {
        vec![
            "venue",
            "attest",
            "--universe",
            "universe.json",
            "--key",
            venue_key,
            "--subject",
            &self.trader,
            "--account",
            account,
            "--name",
            account,
            "--epoch",
            EPOCH,
            "--audience",
            &self.partner,
            "--book",
            "line-1",
            "--expires",
            EXPIRES,
            "--at",
            AT,
            "-o",
            out,
            "--opening",
            opening,
        ]
    }

    /// The words of `prove` for pairs of attestation and opening in the folder.
    pub(crate) fn prove<'a>(&'a self, pairs: &[(&'a str, &'a str)], out: &'a str) -> Vec<&'a str> {
        let mut words = vec![
            "prove",
            "--universe",
            "universe.json",
            "--snapshot",
            "snapshot.json",
            "--model",
            "paradex-pm",
        ];
        for (attestation, opening) in pairs {
            words.extend(["--attestation", attestation, "--opening", opening]);
        }
        words.extend([
            "--audience",
            &self.partner,
            "--book",
            "line-1",
            "--subject-key",
            "trader.key",
            "--at",
            AT,
            "-o",
            out,
        ]);
        words
    }

    /// A folder of its own with these files of the desk.
    pub(crate) fn copied(&self, names: &[&str]) -> TempDir {
        let folder = tempfile::tempdir().unwrap();
        for name in names {
            std::fs::copy(self.path().join(name), folder.path().join(name)).unwrap();
        }
        folder
    }

    pub(crate) fn exists(&self, name: &str) -> bool {
        self.path().join(name).exists()
    }

    pub(crate) fn write(&self, name: &str, text: &str) {
        std::fs::write(self.path().join(name), text).unwrap();
    }
}

fn keygen(folder: &Path, role: &str, file: &str) -> String {
    let made = run(folder, &["--json", "keygen", role, "-o", file]).done();
    made.json()["public"].as_str().unwrap().to_owned()
}

/// The desk that all tests share; each writes files of its own names.
pub(crate) fn desk() -> &'static Desk {
    static DESK: OnceLock<Desk> = OnceLock::new();
    DESK.get_or_init(|| {
        let folder = tempfile::tempdir().unwrap();
        let at = folder.path();
        for (from, to) in [
            ("snapshots/2026-08-06T1200Z.json", "snapshot.json"),
            ("venues/optionhouse.json", "optionhouse.json"),
            ("venues/perphouse.json", "perphouse.json"),
            ("accounts/options-account.json", "options-account.json"),
            ("accounts/hedge-account.json", "hedge-account.json"),
            ("accounts/short-account.json", "short-account.json"),
        ] {
            std::fs::copy(example(from), at.join(to)).unwrap();
        }
        let options = format!("optionhouse={}", keygen(at, "venue", "optionhouse.key"));
        let perps = format!("perphouse={}", keygen(at, "venue", "perphouse.key"));
        let (trader, partner) = (
            keygen(at, "subject", "trader.key"),
            keygen(at, "audience", "partner.key"),
        );
        run(
            at,
            &[
                "universe",
                "build",
                "--venue",
                "optionhouse.json",
                "--venue",
                "perphouse.json",
                "--key",
                &options,
                "--key",
                &perps,
                "--snapshot",
                "snapshot.json",
                "--network",
                "test",
                "-o",
                "universe.json",
            ],
        )
        .done();
        let desk = Desk {
            folder,
            trader,
            partner,
        };
        for (key, account, name) in [
            ("optionhouse.key", "options-account.json", "options"),
            ("perphouse.key", "hedge-account.json", "hedge"),
            ("optionhouse.key", "short-account.json", "short"),
        ] {
            let (attestation, opening) = (format!("{name}.attestation"), format!("{name}.opening"));
            run(desk.path(), &desk.attest(key, account, &attestation, &opening)).done();
        }
        desk
    })
}

/// The permission bits of a file.
#[cfg(unix)]
pub(crate) fn mode(path: &Path) -> u32 {
    use std::os::unix::fs::PermissionsExt;
    path.metadata().unwrap().permissions().mode() & 0o777
}
