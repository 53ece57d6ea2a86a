//! One demonstration that all tests share, and the two binaries.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::LazyLock;

use zkmargin_circuits::Parameters;
use zkmargin_risk::market::Snapshot;
use zkmargin_risk::model::Model;
use zkmargin_risk::universe::Universe;
use zkmargin_verifier::{Bundle, Context, ProofHash, SigningKey, SubjectSignature};

/// The instant at which the demonstration signs, proves and verifies.
pub const AT: &str = "2026-08-06T12:01:00Z";

/// A folder with the demonstration in it.
pub struct Stage {
    folder: tempfile::TempDir,
}

pub static STAGE: LazyLock<Stage> = LazyLock::new(|| {
    let folder = tempfile::tempdir().unwrap();
    let output = Command::new(binary("zkmargin"))
        .args(["demo", "--dir", "."])
        .current_dir(folder.path())
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    Stage { folder }
});

/// A binary of this workspace, built like the test itself; building is quick where it is built already.
pub fn binary(name: &str) -> PathBuf {
    static BUILT: LazyLock<PathBuf> = LazyLock::new(|| {
        let test = std::env::current_exe().unwrap();
        // target/PROFILE/deps/this-test
        let profile = test.parent().and_then(Path::parent).unwrap().to_owned();
        let mut build = Command::new(env!("CARGO"));
        // With all that a test of the whole workspace builds, this one included: nothing is compiled anew with other features, and the
        // tests of the verifier, in the same run, find their tool where this one is put, with the registry that they test.
        build.args(["build", "--locked", "--workspace", "--bins", "--test", "roles"]);
        if profile.ends_with("release") {
            build.arg("--release");
        }
        // What cargo tells a test about its own package would make build scripts run again, here and in the next run of the tests.
        let of_package = std::env::vars_os().map(|(name, _)| name);
        of_package
            .filter(|name| {
                ["CARGO_PKG_", "CARGO_MANIFEST_"]
                    .iter()
                    .any(|own| name.to_string_lossy().starts_with(own))
            })
            .for_each(|name| {
                build.env_remove(name);
            });
        build.env("CARGO_TARGET_DIR", profile.parent().unwrap());
        assert!(
            build
                .current_dir(env!("CARGO_MANIFEST_DIR"))
                .status()
                .unwrap()
                .success()
        );
        profile
    });
    BUILT.join(name)
}

impl Stage {
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub fn read(&self, name: &str) -> Vec<u8> {
        fs::read(self.path(name)).unwrap()
    }

    pub fn bundle(&self) -> Bundle {
        Bundle::from_bytes(&self.read("margin.bundle")).unwrap()
    }

    pub fn nonce(&self) -> [u8; 32] {
        self.bundle().statements[0].statement.nonce
    }

    pub fn universe(&self) -> Universe {
        Universe::from_json(std::str::from_utf8(&self.read("universe.json")).unwrap()).unwrap()
    }

    pub fn snapshot(&self) -> Snapshot {
        Snapshot::from_json(std::str::from_utf8(&self.read("snapshot.json")).unwrap()).unwrap()
    }

    pub fn model(&self) -> Model {
        Model::preset("paradex-pm").unwrap()
    }

    /// The secret key in a key file of the demonstration.
    pub fn key(&self, name: &str) -> SigningKey {
        let file: serde_json::Value = serde_json::from_slice(&self.read(name)).unwrap();
        let secret = hex::decode(file["signing"].as_str().unwrap()).unwrap();
        SigningKey::from_bytes(secret[..].try_into().unwrap())
    }

    /// Runs `zkmargin-verify` on a bundle, with `changes` over the demonstration's own arguments.
    pub fn verify(&self, bundle: &[u8], changes: &[(&str, &str)]) -> Output {
        let file = tempfile::NamedTempFile::new().unwrap();
        fs::write(file.path(), bundle).unwrap();
        let nonce = hex::encode(self.nonce());
        let own = [
            ("--policy", "policy.json"),
            ("--universe", "universe.json"),
            ("--snapshot", "snapshot.json"),
            ("--model", "paradex-pm"),
            ("--nonce", &nonce),
            ("--at", AT),
        ];
        let mut command = Command::new(binary("zkmargin-verify"));
        command
            .current_dir(self.folder.path())
            .env("XDG_CACHE_HOME", self.path("cache"));
        for (name, value) in own {
            let value = changes
                .iter()
                .find(|(changed, _)| *changed == name)
                .map_or(value, |(_, value)| value);
            command.args([name, value]);
        }
        command.arg(file.path()).output().unwrap()
    }
}

struct Facts {
    universe: Universe,
    snapshot: Snapshot,
    model: Model,
    parameters: Parameters,
}

static FACTS: LazyLock<Facts> = LazyLock::new(|| {
    let universe = STAGE.universe();
    let parameters = Parameters::load(universe.k(), None).unwrap();
    Facts {
        universe,
        snapshot: STAGE.snapshot(),
        model: STAGE.model(),
        parameters,
    }
});

/// The facts of the demonstration, as a verifier has them.
pub fn context() -> Context<'static> {
    let facts = &*FACTS;
    Context {
        universe: &facts.universe,
        snapshot: &facts.snapshot,
        later: None,
        model: &facts.model,
        parameters: &facts.parameters,
    }
}

/// The same under another model.
pub fn context_under(model: &Model) -> Context<'_> {
    Context { model, ..context() }
}

/// Signs every statement of a bundle again, as its subject.
pub fn signed_again(mut bundle: Bundle) -> Vec<u8> {
    let key = STAGE.key("trader.key");
    let proof = ProofHash::of(&bundle.proof);
    for signed in &mut bundle.statements {
        let digest = context().prepare(&[&signed.statement]).unwrap()[0].digest;
        signed.signatures = vec![SubjectSignature::sign(&key, digest, proof)];
    }
    bundle.to_bytes()
}

/// Exit code and everything that was said.
pub fn said(output: &Output) -> (i32, String) {
    let text = [&output.stdout[..], &output.stderr[..]].concat();
    (
        output.status.code().unwrap_or(-1),
        String::from_utf8_lossy(&text).into_owned(),
    )
}
