//! What SQLite files are made with, and what is refused.

use std::path::Path;

use zkmargin_store::{Store, StoreError};

use crate::place::{SCHEMA, create};

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

#[cfg(unix)]
#[test]
fn files_are_for_the_user_alone() {
    use std::os::unix::fs::PermissionsExt as _;
    let folder = tempfile::tempdir().unwrap();
    let mut store = create(text(&folder.path().join("s.db")));
    store
        .write(|tx| tx.execute("INSERT INTO notes (id) VALUES ('a')", &[]))
        .unwrap();
    let mut names = Vec::new();
    for entry in std::fs::read_dir(folder.path()).unwrap() {
        let entry = entry.unwrap();
        assert_eq!(
            entry.metadata().unwrap().permissions().mode() & 0o777,
            0o600,
            "{entry:?}"
        );
        names.push(entry.file_name().into_string().unwrap());
    }
    names.sort();
    assert_eq!(names, ["s.db", "s.db-shm", "s.db-wal"]);
}

#[test]
fn every_connection_syncs_what_it_commits_and_checks_references() {
    let folder = tempfile::tempdir().unwrap();
    let mut store = create(text(&folder.path().join("s.db")));
    let pragma = |store: &mut Store, sql| store.read(|tx| tx.one(sql, &[])?.integer(0)).unwrap();
    assert_eq!(
        pragma(&mut store, "SELECT synchronous FROM pragma_synchronous"),
        2,
        "FULL"
    );
    assert_eq!(pragma(&mut store, "SELECT foreign_keys FROM pragma_foreign_keys"), 1);
    let mode = store.read(|tx| {
        Ok::<_, StoreError>(
            tx.one("SELECT journal_mode FROM pragma_journal_mode", &[])?
                .text(0)?
                .to_owned(),
        )
    });
    assert_eq!(mode.unwrap(), "wal");
}

#[test]
fn what_is_no_database_is_told_as_such() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    let open = |name: &str| Store::open(text(&at.join(name)), &SCHEMA).unwrap_err();
    assert!(matches!(open("none"), StoreError::NotFound { .. }));
    assert!(matches!(open(""), StoreError::NotAFile { .. }));
    std::fs::write(
        at.join("text"),
        "no database, but long enough to be taken for one. ".repeat(100),
    )
    .unwrap();
    assert!(matches!(open("text"), StoreError::Foreign { .. }), "{}", open("text"));
    let made = Store::create(text(&at.join("no/folder")), &SCHEMA, |_| Ok::<_, StoreError>(()));
    let err = made.unwrap_err();
    assert!(err.to_string().contains("there is no such folder"), "{err}");
    let made = Store::create(text(&at.join("text")), &SCHEMA, |_| Ok::<_, StoreError>(()));
    assert!(matches!(made, Err(StoreError::Foreign { .. })));
}

#[cfg(unix)]
#[test]
fn database_with_a_second_name_is_refused_by_both_and_a_symbolic_link_is_none() {
    let folder = tempfile::tempdir().unwrap();
    let [path, second, link] = ["s.db", "second.db", "link.db"].map(|name| folder.path().join(name));
    let mut store = create(text(&path));
    store
        .write(|tx| tx.execute("INSERT INTO notes (id) VALUES ('a')", &[]))
        .unwrap();
    std::os::unix::fs::symlink(&path, &link).unwrap();
    let count = |store: &mut Store| store.read(|tx| tx.one("SELECT COUNT(*) FROM notes", &[])?.integer(0));
    // What is in the log is seen by the link.
    let mut linked = Store::open(text(&link), &SCHEMA).unwrap();
    assert_eq!(count(&mut linked).unwrap(), 1);
    std::fs::hard_link(&path, &second).unwrap();
    for name in [&path, &second, &link] {
        let refused = Store::open(text(name), &SCHEMA).unwrap_err();
        assert!(matches!(refused, StoreError::Linked { .. }), "{refused}");
    }
}

#[test]
fn damaged_file_is_told_as_such() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("s.db");
    let mut store = create(text(&path));
    for index in 0..50 {
        let (id, body) = (format!("{index}"), [7; 2000]);
        store
            .write(|tx| {
                tx.execute(
                    "INSERT INTO notes VALUES ($1, NULL, $2)",
                    &[id.as_str().into(), (&body).into()],
                )
            })
            .unwrap();
    }
    drop(store);
    let mut bytes = std::fs::read(&path).unwrap();
    bytes[4096 * 3..4096 * 12].fill(0xa5);
    std::fs::write(&path, bytes).unwrap();
    let read = Store::open(text(&path), &SCHEMA)
        .and_then(|mut store| store.read(|tx| tx.rows("SELECT body FROM notes", &[])).map(drop));
    assert!(matches!(read, Err(StoreError::Damaged { .. })), "{read:?}");
}
