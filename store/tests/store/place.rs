//! Databases for tests: one of each kind.

use sqlx::{AssertSqlSafe, Connection as _, PgConnection};
use tempfile::TempDir;
use zkmargin_store::{Schema, Store, StoreError};

pub(crate) const SCHEMA: Schema = Schema {
    application: "test",
    migrations: &["CREATE TABLE notes (id TEXT PRIMARY KEY, number BIGINT, body BLOB)"],
};

/// A place for one database, gone when dropped.
pub(crate) struct Place {
    pub(crate) url: String,
    _folder: Option<TempDir>,
}

/// A place of each kind that there is here; `name` is the test's own.
pub(crate) fn places(name: &str) -> Vec<Place> {
    let folder = tempfile::tempdir().unwrap();
    let url = folder.path().join("store.db").to_str().unwrap().to_owned();
    let mut places = vec![Place {
        url,
        _folder: Some(folder),
    }];
    if let Ok(server) = std::env::var("ZKMARGIN_TEST_POSTGRES") {
        places.push(Place {
            url: empty_schema(&server, &format!("store_{name}")),
            _folder: None,
        });
    }
    places
}

/// A schema of the server with nothing in it, as a URL.
fn empty_schema(server: &str, name: &str) -> String {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        let mut connection = PgConnection::connect(server).await.unwrap();
        let sql = format!("DROP SCHEMA IF EXISTS {name} CASCADE; CREATE SCHEMA {name}");
        sqlx::raw_sql(AssertSqlSafe(sql))
            .execute(&mut connection)
            .await
            .unwrap();
    });
    let mark = if server.contains('?') { '&' } else { '?' };
    format!("{server}{mark}options=-csearch_path%3D{name}")
}

pub(crate) fn create(url: &str) -> Store {
    Store::create(url, &SCHEMA, |_| Ok::<_, StoreError>(())).unwrap()
}

pub(crate) fn count(store: &mut Store) -> i64 {
    store
        .read(|tx| tx.one("SELECT count(*) FROM notes", &[])?.integer(0))
        .unwrap()
}
