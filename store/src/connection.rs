//! The two drivers behind one face, and what their errors mean.

use std::fs::OpenOptions;
use std::io;
use std::path::Path;
use std::time::Duration;

use sqlx::postgres::{PgArguments, PgConnectOptions, PgConnection};
use sqlx::sqlite::{SqliteArguments, SqliteConnectOptions, SqliteConnection, SqliteJournalMode, SqliteSynchronous};
use sqlx::{AssertSqlSafe, ConnectOptions as _, Connection as _};

use crate::error::StoreError;
use crate::place::{Kind, Place};
use crate::value::{Row, Value};

/// How long a lock of another process is waited for.
pub(crate) const PATIENCE: Duration = Duration::from_secs(10);

/// What a transaction is for.
#[derive(Copy, Clone, PartialEq, Eq)]
pub(crate) enum Access {
    Read,
    /// Writing where there may be no tables yet.
    Make,
    Write,
}

pub(crate) enum Connection {
    Sqlite(Box<SqliteConnection>),
    Postgres(Box<PgConnection>),
}

/// What came of a statement that failed.
pub(crate) struct Failure {
    /// What to tell.
    pub(crate) error: StoreError,
    /// Whether the same transaction may succeed when it is run again.
    pub(crate) is_collision: bool,
    /// Whether the connection is of no more use.
    pub(crate) is_lost: bool,
}

/// Makes an empty file that the user alone may read, if there is none.
pub(crate) fn create_file(place: &Place, path: &Path) -> Result<(), StoreError> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt as _;
        options.mode(0o600);
    }
    match options.open(path).and_then(|file| file.sync_all()) {
        Ok(()) => {
            let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
            // The name lasts once its folder is on the disk. Some file systems cannot say so, and lose nothing by it.
            let _ = std::fs::File::open(folder.unwrap_or(Path::new("."))).and_then(|folder| folder.sync_all());
            Ok(())
        }
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => own(path).map_err(|error| of_io(place, &error)),
        Err(error) => Err(of_io(place, &error)),
    }
}

/// Takes an empty file, in which the database is made, for the user alone.
fn own(path: &Path) -> io::Result<()> {
    #[cfg(unix)]
    if path.metadata()?.len() == 0 {
        use std::os::unix::fs::PermissionsExt as _;
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600))?;
    }
    Ok(())
}

fn of_io(place: &Place, error: &io::Error) -> StoreError {
    let (place, reason) = (place.clone(), error.to_string());
    match error.kind() {
        io::ErrorKind::NotFound => StoreError::Unreachable {
            place,
            reason: "there is no such folder".to_owned(),
        },
        io::ErrorKind::ReadOnlyFilesystem | io::ErrorKind::PermissionDenied => StoreError::ReadOnly { place, reason },
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => StoreError::Full { place, reason },
        _ => StoreError::Unreachable { place, reason },
    }
}

/// Refuses what is no plain file, or one with several names, and says whether anything is there.
pub(crate) fn look(place: &Place, path: &Path) -> Result<bool, StoreError> {
    match std::fs::metadata(path) {
        Ok(found) if found.is_file() => match has_one_name(&found) {
            true => Ok(true),
            false => Err(StoreError::Linked { place: place.clone() }),
        },
        Ok(_) => Err(StoreError::NotAFile { place: place.clone() }),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(StoreError::Unreachable {
            place: place.clone(),
            reason: error.to_string(),
        }),
    }
}

/// SQLite names its log after the file: under a second name there is another log.
#[cfg(unix)]
fn has_one_name(found: &std::fs::Metadata) -> bool {
    use std::os::unix::fs::MetadataExt as _;
    found.nlink() <= 1
}

#[cfg(not(unix))]
fn has_one_name(_: &std::fs::Metadata) -> bool {
    true
}

impl Connection {
    pub(crate) async fn connect(place: &Place) -> Result<Connection, StoreError> {
        match &place.0 {
            Kind::File(path) => {
                if !look(place, path)? {
                    return Err(StoreError::NotFound { place: place.clone() });
                }
                let options = SqliteConnectOptions::new()
                    .filename(path)
                    .create_if_missing(false)
                    .journal_mode(SqliteJournalMode::Wal)
                    .synchronous(SqliteSynchronous::Full)
                    .foreign_keys(true)
                    .busy_timeout(PATIENCE)
                    .disable_statement_logging();
                let opened = options.connect().await;
                Ok(Connection::Sqlite(Box::new(
                    opened.map_err(|error| classify(place, error, true).error)?,
                )))
            }
            Kind::Server(options) => {
                let options = PgConnectOptions::clone(options)
                    .options([("lock_timeout", format!("{}ms", PATIENCE.as_millis()))])
                    .disable_statement_logging();
                let opened = options.connect().await;
                let mut connection =
                    Connection::Postgres(Box::new(opened.map_err(|error| classify(place, error, true).error)?));
                connection.check_durability(place).await?;
                Ok(connection)
            }
        }
    }

    /// A server may be told to confirm what is on no disk yet.
    async fn check_durability(&mut self, place: &Place) -> Result<(), StoreError> {
        for (setting, sql) in [
            ("fsync", "SELECT current_setting('fsync')"),
            ("synchronous_commit", "SELECT current_setting('synchronous_commit')"),
        ] {
            let rows = self.rows(sql, &[]).await;
            let rows = rows.map_err(|error| classify(place, error, false).error)?;
            if rows.first().map(|row| row.text(0)).transpose()? == Some("off") {
                let place = place.clone();
                return Err(StoreError::NotDurable { place, setting });
            }
        }
        Ok(())
    }

    pub(crate) async fn begin(&mut self, access: Access) -> Result<(), sqlx::Error> {
        let sql = match (&self, access) {
            (Connection::Sqlite(_), Access::Read) => "BEGIN",
            (Connection::Sqlite(_), Access::Make | Access::Write) => "BEGIN IMMEDIATE",
            (Connection::Postgres(_), Access::Read) => "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY",
            (Connection::Postgres(_), Access::Make) => "BEGIN ISOLATION LEVEL SERIALIZABLE",
            // Who writes waits in a queue, as with SQLite: of two that write without pause, one would collide and be taken back for ever. Before
            // anything is read, so that what is read is what the one before left.
            (Connection::Postgres(_), Access::Write) => {
                "BEGIN ISOLATION LEVEL SERIALIZABLE; LOCK TABLE zkmargin_schema IN EXCLUSIVE MODE"
            }
        };
        self.script(sql).await
    }

    /// Runs statements that take no parameters and give no rows.
    pub(crate) async fn script(&mut self, sql: &str) -> Result<(), sqlx::Error> {
        match self {
            Connection::Sqlite(connection) => {
                sqlx::raw_sql(AssertSqlSafe(sql)).execute(&mut **connection).await?;
            }
            Connection::Postgres(connection) => {
                let sql = sql.replace("BLOB", "BYTEA");
                sqlx::raw_sql(AssertSqlSafe(sql)).execute(&mut **connection).await?;
            }
        }
        Ok(())
    }

    /// Runs one statement; how many rows it changed.
    pub(crate) async fn execute(&mut self, sql: &'static str, values: &[Value<'_>]) -> Result<u64, sqlx::Error> {
        Ok(match self {
            Connection::Sqlite(connection) => sqlx::query_with(sql, for_sqlite(values)?)
                .execute(&mut **connection)
                .await?
                .rows_affected(),
            Connection::Postgres(connection) => sqlx::query_with(sql, for_postgres(values)?)
                .execute(&mut **connection)
                .await?
                .rows_affected(),
        })
    }

    /// Runs one statement; its rows.
    pub(crate) async fn rows(&mut self, sql: &'static str, values: &[Value<'_>]) -> Result<Vec<Row>, sqlx::Error> {
        match self {
            Connection::Sqlite(connection) => {
                let rows = sqlx::query_with(sql, for_sqlite(values)?)
                    .fetch_all(&mut **connection)
                    .await?;
                rows.into_iter().map(Row::try_from).collect()
            }
            Connection::Postgres(connection) => {
                let rows = sqlx::query_with(sql, for_postgres(values)?)
                    .fetch_all(&mut **connection)
                    .await?;
                rows.into_iter().map(Row::try_from).collect()
            }
        }
    }

    /// The names of the tables that are there.
    pub(crate) async fn tables(&mut self) -> Result<Vec<Row>, sqlx::Error> {
        let sql = match self {
            Connection::Sqlite(_) => "SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY name",
            Connection::Postgres(_) => {
                "SELECT tablename::text FROM pg_catalog.pg_tables WHERE schemaname = current_schema() ORDER BY tablename"
            }
        };
        self.rows(sql, &[]).await
    }

    pub(crate) async fn close(self) {
        // Whatever it says: nothing that was confirmed hangs on it.
        let _ = match self {
            Connection::Sqlite(connection) => connection.close().await,
            Connection::Postgres(connection) => connection.close().await,
        };
    }
}

macro_rules! bind_all {
    ($arguments:ty, $values:expr) => {{
        use sqlx::Arguments as _;
        let mut arguments = <$arguments>::default();
        for value in $values {
            match *value {
                Value::Integer(value) => arguments.add(value),
                Value::Text(value) => arguments.add(value.map(str::to_owned)),
                Value::Bytes(value) => arguments.add(value.map(<[u8]>::to_vec)),
            }
            .map_err(sqlx::Error::Encode)?;
        }
        Ok(arguments)
    }};
}

fn for_sqlite(values: &[Value<'_>]) -> Result<SqliteArguments, sqlx::Error> {
    bind_all!(SqliteArguments, values)
}

fn for_postgres(values: &[Value<'_>]) -> Result<PgArguments, sqlx::Error> {
    bind_all!(PgArguments, values)
}

/// What a driver's error means. `is_opening`: nothing has been done yet.
pub(crate) fn classify(place: &Place, error: sqlx::Error, is_opening: bool) -> Failure {
    let place = place.clone();
    let told = |error| Failure {
        error,
        is_collision: false,
        is_lost: false,
    };
    let lost = |error| Failure {
        error,
        is_collision: false,
        is_lost: true,
    };
    let sqlx::Error::Database(database) = error else {
        // What a driver says of a row or a parameter could hold its value.
        let reason = match &error {
            sqlx::Error::Io(error) => error.to_string(),
            sqlx::Error::Tls(error) => error.to_string(),
            sqlx::Error::Protocol(_) => "the answer is not what the protocol of the server says".to_owned(),
            sqlx::Error::WorkerCrashed => "the database's own thread has ended".to_owned(),
            _ => "the driver could not carry out a statement".to_owned(),
        };
        return lost(if is_opening {
            StoreError::Unreachable { place, reason }
        } else {
            StoreError::Other { place, reason }
        });
    };
    // The message of a server may repeat the row that it refuses; its code and the names of tables and constraints do not.
    let code = database.code().unwrap_or_default().into_owned();
    let constraint = database.constraint().unwrap_or("").to_owned();
    let is_server = matches!(place.0, Kind::Server(_));
    let reason = if is_server && !is_opening {
        format!("SQLSTATE {code} {constraint}").trim_end().to_owned()
    } else {
        database.message().to_owned()
    };
    if is_server {
        return match code.as_str() {
            // Could not be fitted among others, or found a table or column that another was just making.
            "40001" | "40P01" | "42P07" | "42701" => Failure {
                error: StoreError::Contended { place, attempts: 1 },
                is_collision: true,
                is_lost: false,
            },
            "55P03" => told(StoreError::Locked {
                place,
                waited: PATIENCE,
            }),
            "53100" => told(StoreError::Full { place, reason }),
            "25006" => told(StoreError::ReadOnly { place, reason }),
            "3D000" => told(StoreError::NotFound { place }),
            "58030" => told(StoreError::Disk { place, reason }),
            code if code.starts_with("23") => told(StoreError::Constraint { place, reason }),
            code if code.starts_with("XX00") => told(StoreError::Damaged { place, reason }),
            // Connection failures, and a server that shuts down.
            code if code.starts_with("08") || code.starts_with("57P") => {
                lost(StoreError::Unreachable { place, reason })
            }
            _ if is_opening => told(StoreError::Unreachable { place, reason }),
            _ => told(StoreError::Other { place, reason }),
        };
    }
    // SQLite: the low byte is the result code, the rest its extension.
    let extended: i32 = code.parse().unwrap_or(1);
    told(match extended & 0xff {
        5 | 6 => StoreError::Locked {
            place,
            waited: PATIENCE,
        },
        8 => StoreError::ReadOnly { place, reason },
        10 => StoreError::Disk {
            place,
            reason: format!("{reason} (SQLite {extended})"),
        },
        11 => StoreError::Damaged { place, reason },
        13 => StoreError::Full { place, reason },
        14 if is_opening => opening_refused(place, reason),
        14 => StoreError::ReadOnly { place, reason },
        19 => StoreError::Constraint { place, reason },
        26 => StoreError::Foreign {
            place,
            expected: "SQLite",
            reason,
        },
        _ => StoreError::Other { place, reason },
    })
}

/// SQLite says one thing of all that it cannot open; the system knows more.
fn opening_refused(place: Place, reason: String) -> StoreError {
    if let Kind::File(path) = &place.0
        && let Err(error) = std::fs::File::open(path)
    {
        let reason = error.to_string();
        return StoreError::Unreachable { place, reason };
    }
    // The file can be read, and still not be opened: its WAL cannot be made beside it.
    StoreError::ReadOnly { place, reason }
}
