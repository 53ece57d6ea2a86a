#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
//! Bundles here are verdicts: that a bundle is verified before it is recorded is tested where there are proofs.

mod crash;
mod releases;
mod rules;
mod standings;

use std::path::Path;

use zkmargin_risk::canonical::{Digest, Personal, digest};
use zkmargin_risk::instant::Instant;
use zkmargin_risk::terms::{Level, Margin, Ratio20};
use zkmargin_risk::universe::Network;

use super::*;
use crate::attestation::Pseudonym;
use crate::fixture::{EPOCH, book, instant, public};
use crate::policy::Calls;
use crate::verdict::{ProvenAccount, ProvenStatement, Verdict};

const MINUTE: u64 = 60_000;

fn after(millis: u64) -> Instant {
    instant(EPOCH).checked_add(millis).unwrap()
}

fn named(name: &str) -> [u8; 32] {
    digest(Personal::Statement, name.as_bytes()).0
}

fn account(name: &str) -> Account {
    Account {
        venue: "alpha".to_owned(),
        account: Pseudonym(named(name)),
    }
}

/// A statement of this name about these accounts, good for an hour from the epoch.
fn proven(name: &str, accounts: &[&str]) -> ProvenStatement {
    let one = |name: &&str| ProvenAccount {
        venue: "alpha".to_owned(),
        account: account(name).account,
        subject: public("subject"),
        accounts_of_subject: 1,
        key: public("alpha"),
        time: after(0),
        expiry: after(120 * MINUTE),
        held: true,
    };
    ProvenStatement {
        digest: Digest(named(name)),
        level: Margin::Level(Level::Maintenance),
        ratio: Ratio20::ONE,
        excess: 0,
        order: None,
        deposit: None,
        audience: public("audience"),
        book: book("line-1"),
        nonce: hex::encode(named(name)),
        from: after(0),
        until: after(60 * MINUTE),
        replaces: None,
        venues_without_account: Vec::new(),
        accounts: accounts.iter().map(one).collect(),
    }
}

fn replacing(name: &str, replaced: &str, accounts: &[&str]) -> ProvenStatement {
    let mut statement = proven(name, accounts);
    statement.replaces = Some(Digest(named(replaced)));
    statement
}

/// Verified a minute after the epoch.
fn verdict(statements: Vec<ProvenStatement>) -> Verdict {
    Verdict {
        at: after(MINUTE),
        network: Network::Test,
        universe: Digest([1; 32]),
        snapshot: Digest([2; 32]),
        snapshot_instant: after(0),
        later: None,
        model: "some \"model\", with a comma".to_owned(),
        model_digest: Digest([3; 32]),
        history: None,
        numeraire: "USD".to_owned(),
        statements,
        not_proven: Vec::new(),
    }
}

fn calls() -> Calls {
    Calls {
        notice: "10m".parse().unwrap(),
        grace: "30m".parse().unwrap(),
    }
}

impl Registry {
    fn take(&mut self, verdict: &Verdict, nonce_is_drawn: bool) -> Result<(), RegistryError> {
        // Another proof every time: it is not what counts.
        let mut proof = [0; 32];
        getrandom::fill(&mut proof).unwrap();
        self.record(&Acceptance {
            verdict,
            calls: calls(),
            nonce_is_drawn,
            bundle: &proof,
            proof: ProofHash(proof),
        })
        .map(|recorded| assert_eq!(recorded, Recorded::Yes))
    }

    fn takes(&mut self, statement: ProvenStatement) -> Result<(), RegistryError> {
        self.take(&verdict(vec![statement]), true)
    }

    fn takes_at(&mut self, millis: u64, statement: ProvenStatement) -> Result<(), RegistryError> {
        let mut verdict = verdict(vec![statement]);
        verdict.at = after(millis);
        self.take(&verdict, true)
    }

    /// Everything that is in it.
    fn everything(&mut self) -> String {
        let mut text = Vec::new();
        self.export_json_lines(Instant::MAX, &mut text).unwrap();
        let counts = self.store.read(|tx| -> Result<String, StoreError> {
            let row = tx.one(
                "SELECT (SELECT COUNT(*) FROM nonces), (SELECT COUNT(*) FROM bundles), (SELECT COUNT(*) FROM holdings), clock FROM partner",
                &[],
            )?;
            Ok(format!("{:?}", [row.integer(0)?, row.integer(1)?, row.integer(2)?, row.integer(3)?]))
        });
        String::from_utf8(text).unwrap() + &counts.unwrap()
    }
}

fn create(path: &Path) -> Registry {
    Registry::create(path.to_str().unwrap(), Network::Test, public("audience")).unwrap()
}

struct World {
    folder: tempfile::TempDir,
    registry: Registry,
}

/// A registry in a file.
fn world() -> World {
    let folder = tempfile::tempdir().unwrap();
    let registry = create(&folder.path().join("registry.db"));
    World { folder, registry }
}

/// A registry in a file, which has no name any more but goes on being there while it is open; or, where `ZKMARGIN_TEST_POSTGRES` names a server, in a schema of its own there.
fn anywhere() -> Registry {
    match schema_of_its_own() {
        Some(url) => Registry::create(&url, Network::Test, public("audience")).unwrap(),
        None => world().registry,
    }
}

/// A new schema of the server that `ZKMARGIN_TEST_POSTGRES` names, if it names one.
fn schema_of_its_own() -> Option<String> {
    let server = std::env::var("ZKMARGIN_TEST_POSTGRES").ok()?;
    let mut bytes = [0; 8];
    getrandom::fill(&mut bytes).unwrap();
    let name = format!("registry_{}", hex::encode(bytes));
    let sql = format!("CREATE SCHEMA {name}");
    let made = std::process::Command::new("psql")
        .args([&server, "-c", &sql])
        .output()
        .unwrap();
    assert!(made.status.success(), "{made:?}");
    let mark = if server.contains('?') { '&' } else { '?' };
    Some(format!("{server}{mark}options=-csearch_path%3D{name}"))
}

#[track_caller]
fn refusal(answer: Result<(), RegistryError>) -> RegistryRefusal {
    match answer {
        Err(RegistryError::Refused(refusal)) => refusal,
        other => panic!("{other:?}"),
    }
}
