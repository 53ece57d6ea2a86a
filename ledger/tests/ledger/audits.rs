//! What the auditor finds in a database that somebody edited.

use std::path::Path;

use serde_json::json;
use sqlx::{AssertSqlSafe, Connection as _, SqliteConnection};
use tempfile::TempDir;
use zkmargin_circuits::Parameters;
use zkmargin_ledger::Ledger;
use zkmargin_ledger::attest::{Request, attest as sign};
use zkmargin_ledger::keys::{KeyFile, Role};
use zkmargin_ledger::ledger::{Attested, Pledge};
use zkmargin_ledger::running::RunningAccount;
use zkmargin_risk::account::AccountVector;
use zkmargin_verifier::{Attestation, PseudonymSecret, PublicKey, Release, SignedRelease};

use crate::world::{
    NOON, Place, SUBJECT, assert_sound, at, attest, cache, entries, key_file, open, pledge, public, release, signer,
    trade, transfer, universe,
};

const MINUTE: u64 = 60_000;

/// A ledger in a file: `a` is attested twice and pledged, `b` attested twice, released and pledged again, with a fill that came late; `c` is as it was opened.
struct World {
    folder: TempDir,
    last: Attested,
}

impl World {
    fn new() -> World {
        let folder = tempfile::tempdir().unwrap();
        let url = folder.path().join("ledger.db").to_str().unwrap().to_owned();
        let place = Place { url, folder };
        let mut ledger = place.create();
        let b = |audience, epoch| Pledge {
            account: "b".to_owned(),
            ..pledge(audience, epoch)
        };
        attest(&mut ledger, &b(2, NOON - MINUTE));
        let first = [
            transfer("1", "a", NOON, "10"),
            trade("2", "a", NOON, ["C-63000", "-2", "0.05", "0.0006"]),
            transfer("1", "b", NOON, "3"),
        ];
        ledger.import(&entries(&first), at(NOON)).unwrap();
        attest(&mut ledger, &pledge(2, NOON));
        let given_back = attest(&mut ledger, &b(2, NOON));
        let then = NOON + MINUTE;
        let second = [
            transfer("3", "a", then, "-1"),
            transfer("2", "b", then, "1"),
            transfer("late", "b", NOON, "1"),
        ];
        ledger.import(&entries(&second), at(then)).unwrap();
        ledger.release(&release(&given_back, 2, then), at(then)).unwrap();
        attest(&mut ledger, &b(3, then));
        let last = attest(
            &mut ledger,
            &Pledge {
                held: true,
                ..pledge(2, then)
            },
        );
        assert_sound(&mut ledger);
        World {
            folder: place.folder,
            last,
        }
    }

    /// The findings in a copy that was edited, as text; every account was looked at all the same.
    fn findings(&self, sql: &str) -> String {
        let mut copy = self.edited(sql);
        let audit = copy.1.audit().unwrap();
        assert!(audit.accounts >= 2, "{sql}");
        let findings = audit.findings.iter();
        findings
            .map(|finding| format!("{}: {}\n", finding.account, finding.what))
            .collect()
    }

    fn edited(&self, sql: &str) -> Edited {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("ledger.db");
        std::fs::copy(self.folder.path().join("ledger.db"), &path).unwrap();
        edit(&path, sql);
        let ledger = open(path.to_str().unwrap());
        Edited(folder, ledger)
    }
}

struct Edited(#[expect(dead_code, reason = "held")] TempDir, Ledger);

/// As with any tool for databases, which asks for no foreign key.
fn edit(path: &Path, sql: &str) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        let options = sqlx::sqlite::SqliteConnectOptions::new()
            .filename(path)
            .foreign_keys(false);
        let mut connection = SqliteConnection::connect_with(&options).await.unwrap();
        sqlx::raw_sql(AssertSqlSafe(sql.to_owned()))
            .execute(&mut connection)
            .await
            .unwrap();
        connection.close().await.unwrap();
    });
}

#[test]
fn audit_says_how_much_it_looked_at_and_by_which_universes() {
    let mut copy = World::new().edited("SELECT 1");
    let audit = copy.1.audit().unwrap();
    assert_eq!((audit.accounts, audit.commitments), (3, 3 * 2));
    assert_eq!((audit.fills, audit.attestations), (6, 2 + 3));
    assert_eq!(audit.universes, [universe().digest()]);
}

#[test]
fn edits_of_a_database_are_found() {
    let world = World::new();
    assert_eq!(world.findings("SELECT 1"), "");
    for (sql, found) in [
        ("UPDATE attestations SET ended = 1 WHERE account = 'a'; DELETE FROM encumbrances WHERE account = 'a'", "a: the attestation of epoch 2026-08-06T12:01:00Z has ended, and nobody released it"),
        ("UPDATE attestations SET ended = NULL WHERE account = 'b'", "b: the attestation of epoch 2026-08-06T12:00:00Z: its release is of another"),
        ("UPDATE attestations SET ended = ended + 1 WHERE account = 'b' AND release_file IS NULL", "b: the attestation of epoch 2026-08-06T11:59:00Z has ended, at another instant than that at which it was released"),
        ("UPDATE attestations SET ended = ended - 60001 WHERE account = 'b'", "b: the attestation of epoch 2026-08-06T12:00:00Z: its release is of another"),
        ("UPDATE attestations SET release_file = NULL", "b: the attestation of epoch 2026-08-06T12:00:00Z has ended, and nobody released it"),
        ("UPDATE accounts SET begun = moved WHERE name = 'a'", "a: a fill is of before the instant of what it held before its fills"),
        ("UPDATE accounts SET begun = (SELECT min(instant) FROM fills WHERE account = 'a') WHERE name = 'a'", "a: a fill is of before the instant of what it held before its fills"),
        ("INSERT INTO beginnings VALUES ('c', 0, 7)", "c: the instant of what it held before its fills is not kept"),
        ("UPDATE accounts SET begun = (SELECT min(epoch) + 1 FROM attestations WHERE account = 'a') WHERE name = 'a'", "a: an attestation is of before the instant of what it held before its fills"),
        ("DELETE FROM encumbrances WHERE account = 'a'", "a: the pledge that is kept is not the one"),
        ("UPDATE encumbrances SET until = until + 1 WHERE account = 'a'", "a: the pledge that is kept is not the one"),
        ("UPDATE encumbrances SET held_until = NULL WHERE account = 'a'", "a: the pledge that is kept is not the one"),
        ("UPDATE encumbrances SET book = 'other' WHERE account = 'a'", "a: the pledge that is kept is not the one"),
        ("UPDATE accounts SET clock = NULL WHERE name = 'a'", "a: the instant at which it last signed is not the one"),
        ("UPDATE accounts SET clock = 0 WHERE name = 'a'", "a: the instant at which it last signed is not the one"),
        ("UPDATE accounts SET clock = clock + 86400000; DELETE FROM encumbrances", "a: the instant at which it last signed is not the one"),
        ("UPDATE accounts SET epoch = epoch + 1 WHERE name = 'a'", "a: its last epoch is not that of its last attestation"),
        ("UPDATE accounts SET moved = moved + 1 WHERE name = 'a'", "a: the instant of its latest fill is not the one"),
        ("UPDATE accounts SET subject = (SELECT audience FROM encumbrances WHERE account = 'b') WHERE name = 'a'", "a: the attestation of epoch 2026-08-06T12:00:00Z: it is of another subject"),
        ("UPDATE accounts SET subject = zeroblob(32) WHERE name = 'c'", "c: its subject: "),
        ("UPDATE attestations SET book = 'other' WHERE account = 'a'", "a: the attestation of epoch 2026-08-06T12:00:00Z: it is recorded as another"),
        ("UPDATE attestations SET audience = zeroblob(32) WHERE account = 'a'", "a: the attestation of epoch 2026-08-06T12:00:00Z: it is recorded as another"),
        ("UPDATE attestations SET epoch = epoch - 1 WHERE account = 'a'", "it is recorded as another"),
        ("UPDATE attestations SET opening = (SELECT opening FROM attestations WHERE account = 'b') WHERE account = 'a'", "a: the attestation of epoch 2026-08-06T12:00:00Z: the opening and the attestation differ"),
        ("UPDATE attestations SET account = 'c' WHERE account = 'a'; UPDATE encumbrances SET account = 'c' WHERE account = 'a';
          UPDATE accounts SET (epoch, clock) = (SELECT epoch, clock FROM accounts WHERE name = 'a') WHERE name = 'c'; UPDATE accounts SET epoch = NULL, clock = NULL WHERE name = 'a'",
          "c: the attestation of epoch 2026-08-06T12:00:00Z opens to something else than the fills before it made"),
        ("UPDATE attestations SET account = 'nobody' WHERE account = 'a'; DELETE FROM encumbrances WHERE account = 'a'; UPDATE accounts SET epoch = NULL, clock = NULL WHERE name = 'a'",
          "nobody: the ledger has no such account, and attestations of it"),
        ("INSERT INTO legs VALUES ('ghost', 1, 5)", "ghost: the ledger has no such account, and legs of it"),
        ("UPDATE fills SET after_epoch = -1 WHERE id = '3'", "a: the attestation of epoch 2026-08-06T12:00:00Z opens to something else"),
        ("DELETE FROM fills WHERE account = 'a' AND id = '1'", "a: what it holds is not what its fills make"),
        ("UPDATE fills SET content = replace(content, '10', '11') WHERE account = 'a' AND id = '1'", "a: what it holds is not what its fills make"),
        ("UPDATE fills SET content = '{}' WHERE account = 'a' AND id = '1'", "a: fill \"1\" is not what was recorded"),
        ("INSERT INTO beginnings VALUES ('c', 0, 7)", "c: what it holds is not what its fills make"),
        ("INSERT INTO beginnings VALUES ('a', 0, 7); UPDATE legs SET lots = lots + 7 WHERE account = 'a' AND slot = 0", "a: the commitment to column 0 is not the one"),
        ("DELETE FROM commitments WHERE account = 'c' AND place = 1", "c: 1 commitments, the venue has 2 columns"),
        ("DELETE FROM attestations WHERE account = 'a' AND epoch < (SELECT epoch FROM accounts WHERE name = 'a')", "a: fill \"3\" follows an attestation that is not there"),
        ("UPDATE fills SET instant = instant + 1000, content = replace(content, '12:00:00Z', '12:00:01Z') WHERE account = 'a' AND id = '1'", "a: fill \"1\" is later than epoch 2026-08-06T12:00:00Z, and is in its attestation"),
        ("DELETE FROM commitments WHERE account = 'c'; DELETE FROM accounts WHERE name = 'c'", "a: it is attested with more accounts of its subject than there are"),
        ("UPDATE accounts SET clock = -1 WHERE name = 'c'", "c: the instant at which it last signed is not the one"),
        ("UPDATE accounts SET name = x'00' WHERE name = 'c'", "?: an account whose name is no text"),
        // What cannot be read is a finding, too.
        ("UPDATE encumbrances SET until = 'x' WHERE account = 'a'", "a: column 2 of a row holds a text"),
        ("UPDATE encumbrances SET book = '' WHERE account = 'a'", "a: an encumbrance has a book that is none"),
        ("UPDATE commitments SET blind = x'00' WHERE account = 'b'", "b: column 2 of a row holds"),
        ("INSERT INTO legs VALUES ('b', 100000, 5)", "b: account \"b\" holds something in slot 100000"),
        ("UPDATE attestations SET file = x'00' WHERE account = 'b'", "b: the attestation of epoch 2026-08-06T12:00:00Z: "),
    ] {
        let findings = world.findings(sql);
        assert!(findings.contains(found), "{sql}\n{findings}");
    }
}

fn blob(bytes: &[u8]) -> String {
    format!("x'{}'", hex::encode(bytes))
}

#[test]
fn release_that_the_audience_did_not_sign_is_found() {
    let world = World::new();
    let attestation = &world.last.attestation;
    let put = |release: &SignedRelease| {
        format!(
            "UPDATE attestations SET ended = (SELECT clock FROM accounts WHERE name = 'a') WHERE account = 'a';
             UPDATE attestations SET release_file = {} WHERE digest = {}; DELETE FROM encumbrances WHERE account = 'a'",
            blob(&release.to_bytes()),
            blob(&attestation.digest().0),
        )
    };
    let of = |audience: u8| Release {
        audience: public(audience),
        ..Release::of(attestation, at(NOON + MINUTE)).unwrap()
    };
    let honest = of(2).sign(&signer(2)).unwrap();
    assert_eq!(world.findings(&put(&honest)), "");
    let strangers = of(9).sign(&signer(9)).unwrap();
    let findings = world.findings(&put(&strangers));
    assert!(findings.contains("release: audience is"), "{findings}");
    let early = Release {
        time: at(NOON + MINUTE - 1),
        ..of(2)
    };
    let findings = world.findings(&put(&early.sign(&signer(2)).unwrap()));
    assert!(
        findings.contains("its release is of another, or of another time"),
        "{findings}"
    );
}

#[test]
fn account_whose_name_is_another_spelling_is_not_attested() {
    let mut copy = World::new().edited(
        "INSERT INTO accounts (name, subject) SELECT 'jose' || char(769), subject FROM accounts WHERE name = 'c';
         INSERT INTO commitments SELECT 'jose' || char(769), place, point, blind FROM commitments WHERE account = 'c'",
    );
    let pledge = Pledge {
        account: "jose\u{301}".to_owned(),
        ..pledge(2, NOON + 2 * MINUTE)
    };
    let refused = copy.1.attest(&pledge, &key_file(7), pledge.epoch).unwrap_err();
    assert!(refused.to_string().contains("is not in Unicode's NFC"), "{refused}");
}

#[test]
fn second_pseudonym_of_an_account_is_found() {
    let world = World::new();
    let other = PseudonymSecret::from_bytes([8; 32]);
    let check = |secret: &PseudonymSecret| blob(&secret.pseudonym("", &PublicKey([0; 32])).0);
    let swap = |to: &PseudonymSecret| format!("UPDATE venue SET secret_check = {}", check(to));
    let mut copy = world.edited(&swap(&other));
    let key = json!({
        "key": "venue", "version": 1, "public": public(7), "signing": hex::encode([7; 32]), "pseudonym": hex::encode([8; 32]),
    });
    let key = KeyFile::from_json(key.to_string().as_bytes(), Role::Venue).unwrap();
    let again = pledge(2, NOON + 2 * MINUTE);
    copy.1.attest(&again, &key, again.epoch).unwrap();
    let findings: Vec<String> = copy
        .1
        .audit()
        .unwrap()
        .findings
        .into_iter()
        .map(|finding| finding.what)
        .collect();
    assert!(
        findings
            .iter()
            .any(|what| what.contains("by another pseudonym than the ones before it")),
        "{findings:?}"
    );
}

#[test]
fn attestation_that_another_venue_signed_is_found() {
    let world = World::new();
    let (universe, parameters) = (universe(), Parameters::load(6, Some(&cache())).unwrap());
    let holds = AccountVector::from_json(r#"{"venue":"elsewhere"}"#, &universe).unwrap();
    let account = RunningAccount::open(&universe, &parameters, &holds).unwrap();
    let honest = pledge(2, NOON + MINUTE);
    let (attestation, opening) = sign(
        &Request {
            universe: &universe,
            parameters: &parameters,
            key: &key_file(9),
            account: "a",
            subject: public(SUBJECT),
            accounts: 3,
            epoch: honest.epoch,
            time: honest.epoch,
            expiry: honest.expiry,
            audience: honest.audience,
            book: honest.book.clone(),
            held: true,
        },
        &account,
    )
    .unwrap();
    let last = &world.last;
    let of = |venue: &str, key| {
        let content = last.attestation.content().clone();
        let venue = venue.to_owned();
        (Attestation { venue, ..content }.sign(&signer(key)), &last.opening)
    };
    for (attestation, opening) in [(attestation, &opening), of("house", 9), of("elsewhere", 7)] {
        let digest = blob(&attestation.digest().0);
        let findings = world.findings(&format!(
            "UPDATE attestations SET digest = {digest}, file = {}, opening = {} WHERE account = 'a' AND epoch = (SELECT epoch FROM accounts WHERE name = 'a');
             UPDATE encumbrances SET attestation = {digest} WHERE account = 'a'",
            blob(&attestation.to_bytes()),
            blob(&opening.to_bytes()),
        ));
        assert!(findings.contains("no key of this venue signed it"), "{findings}");
    }
}
