//! What holds on either database.

use std::panic::{AssertUnwindSafe, catch_unwind};

use zkmargin_store::{Schema, Store, StoreError, Value};

use crate::place::{SCHEMA, count, create, places};

#[test]
fn values_come_back_as_they_were_written() {
    for place in places("values") {
        let mut store = create(&place.url);
        let none: Option<&[u8]> = None;
        store
            .write(|tx| {
                tx.execute(
                    "INSERT INTO notes VALUES ($1, $2, $3)",
                    &["a".into(), i64::MIN.into(), (&[0, 255]).into()],
                )?;
                tx.execute(
                    "INSERT INTO notes VALUES ($1, $2, $3)",
                    &["b".into(), Value::Integer(None), none.into()],
                )
            })
            .unwrap();
        let rows = store
            .read(|tx| tx.rows("SELECT id, number, body FROM notes ORDER BY id", &[]))
            .unwrap();
        assert_eq!(
            (
                rows[0].text(0).unwrap(),
                rows[0].integer(1).unwrap(),
                rows[0].bytes(2).unwrap()
            ),
            ("a", i64::MIN, &[0, 255][..])
        );
        assert_eq!(rows[1].optional_integer(1).unwrap(), None);
        assert_eq!(rows[1].optional_bytes(2).unwrap(), None);
        assert!(matches!(rows[1].integer(1), Err(StoreError::Column { column: 1, .. })));
        assert!(matches!(rows[0].unsigned(1), Err(StoreError::Column { .. })));
        assert_eq!(format!("{:?}", rows[0]), "Row(..)");
    }
}

#[test]
fn transaction_with_a_failed_statement_is_not_committed_whatever_its_closure_says() {
    for place in places("poisoned") {
        let mut store = create(&place.url);
        let insert = "INSERT INTO notes (id) VALUES ($1)";
        let refused = store.write(|tx| {
            tx.execute(insert, &["a".into()])?;
            assert!(matches!(
                tx.execute(insert, &["a".into()]),
                Err(StoreError::Constraint { .. })
            ));
            Ok::<_, StoreError>(())
        });
        assert!(refused.is_err());
        assert_eq!(count(&mut store), 0);
        store.write(|tx| tx.execute(insert, &["a".into()])).unwrap();
        assert_eq!(count(&mut store), 1, "and the store goes on");
    }
}

#[test]
fn transaction_that_errs_or_panics_leaves_nothing() {
    for place in places("panics") {
        let mut store = create(&place.url);
        let insert = "INSERT INTO notes (id) VALUES ($1)";
        let err: Result<(), StoreError> = store.write(|tx| {
            tx.execute(insert, &["a".into()])?;
            Err(StoreError::Rows { rows: 7 })
        });
        assert!(matches!(err, Err(StoreError::Rows { rows: 7 })));
        let panicked = catch_unwind(AssertUnwindSafe(|| {
            store.write::<(), StoreError>(|tx| {
                tx.execute(insert, &["a".into()])?;
                panic!("on purpose")
            })
        }));
        assert!(panicked.is_err());
        assert_eq!(count(&mut store), 0);
    }
}

#[test]
fn concurrent_read_and_write_transactions_lose_no_update() {
    const EACH: i64 = 25;
    for place in places("counter") {
        create(&place.url)
            .write(|tx| tx.execute("INSERT INTO notes (id, number) VALUES ('n', 0)", &[]))
            .unwrap();
        std::thread::scope(|scope| {
            for _ in 0..3 {
                scope.spawn(|| {
                    let mut store = Store::open(&place.url, &SCHEMA).unwrap();
                    for _ in 0..EACH {
                        // Patience is bounded on PostgreSQL; what is refused was not done.
                        while let Err(error) = store.write(|tx| {
                            let number = tx.one("SELECT number FROM notes WHERE id = 'n'", &[])?.integer(0)?;
                            tx.execute("UPDATE notes SET number = $1 WHERE id = 'n'", &[(number + 1).into()])
                        }) {
                            assert!(matches!(error, StoreError::Contended { .. }), "{error}");
                        }
                    }
                });
            }
        });
        let mut store = Store::open(&place.url, &SCHEMA).unwrap();
        let number = store.read(|tx| tx.one("SELECT number FROM notes", &[])?.integer(0));
        assert_eq!(number.unwrap(), 3 * EACH);
    }
}

#[test]
fn only_one_of_many_creators_creates() {
    for place in places("creators") {
        let made = std::thread::scope(|scope| {
            let create = || Store::create(&place.url, &SCHEMA, |_| Ok::<_, StoreError>(()));
            let threads: Vec<_> = (0..4).map(|_| scope.spawn(move || create().map(drop))).collect();
            let results = threads.into_iter().map(|thread| thread.join().unwrap());
            results
                .filter(|result| match result {
                    Ok(()) => true,
                    Err(StoreError::Exists { .. }) => false,
                    Err(error) => panic!("{error}"),
                })
                .count()
        });
        assert_eq!(made, 1);
    }
}

#[test]
fn migrations_run_once_and_in_order_and_a_newer_database_is_refused() {
    const SECOND: Schema = Schema {
        application: "test",
        migrations: &[
            SCHEMA.migrations[0],
            "ALTER TABLE notes ADD COLUMN tag TEXT; CREATE INDEX by_tag ON notes (tag)",
            "INSERT INTO notes (id, tag) VALUES ('of the third', 'x')",
        ],
    };
    for place in places("migrations") {
        drop(create(&place.url));
        for _ in 0..2 {
            let mut store = Store::open(&place.url, &SECOND).unwrap();
            assert_eq!(count(&mut store), 1);
        }
        assert!(matches!(
            Store::open(&place.url, &SCHEMA),
            Err(StoreError::Newer { found: 3, known: 1, .. })
        ));
    }
}

#[test]
fn migration_that_fails_leaves_the_old_tables() {
    const BROKEN: Schema = Schema {
        application: "test",
        migrations: &[SCHEMA.migrations[0], "CREATE TABLE more (x TEXT); NONSENSE"],
    };
    for place in places("broken") {
        drop(create(&place.url));
        assert!(Store::open(&place.url, &BROKEN).is_err());
        assert_eq!(count(&mut Store::open(&place.url, &SCHEMA).unwrap()), 0);
    }
}

#[test]
fn database_of_another_application_and_a_second_creation_are_refused() {
    let other = Schema {
        application: "other",
        ..SCHEMA
    };
    for place in places("foreign") {
        let err = Store::open(&place.url, &SCHEMA).unwrap_err();
        assert!(matches!(err, StoreError::NotFound { .. }), "{err}");
        drop(create(&place.url));
        let err = Store::open(&place.url, &other).unwrap_err();
        assert!(
            err.to_string()
                .contains("kind \"other\": it is one of the kind \"test\""),
            "{err}"
        );
        let again = |schema| Store::create(&place.url, schema, |_| Ok::<_, StoreError>(()));
        assert!(matches!(again(&SCHEMA), Err(StoreError::Exists { .. })));
        assert!(matches!(again(&other), Err(StoreError::Foreign { .. })));
    }
}

#[test]
fn creation_that_fails_can_be_done_again() {
    for place in places("again") {
        let failed = Store::create(&place.url, &SCHEMA, |_| Err::<(), _>(StoreError::Rows { rows: 9 }));
        assert!(matches!(failed, Err(StoreError::Rows { rows: 9 })));
        create(&place.url);
    }
}
