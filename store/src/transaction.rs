//! A store, and the one way to change it.

use std::fmt;
use std::time::Duration;

use tokio::runtime::{Builder, Runtime};

use crate::connection::{Access, Connection, Failure, classify, create_file};
use crate::error::StoreError;
use crate::place::{Kind, Place};
use crate::schema::{Found, Schema};
use crate::value::{Row, Value};

/// How often a transaction is run that collides with others, in all.
const ATTEMPTS: u32 = 30;
/// The wait before the second attempt; it grows with every further one.
const PAUSE: Duration = Duration::from_millis(5);
/// Serialises who creates and migrates the tables of a PostgreSQL database.
const MIGRATION_LOCK: &str = "SELECT pg_advisory_xact_lock(8819660113)";

/// One connection to an application's database. Not to be made, used or dropped on a thread that drives an async runtime, where that panics.
pub struct Store {
    place: Place,
    runtime: Runtime,
    /// `None` once the connection broke, and while a transaction has it: if one panics, nothing of it is kept.
    connection: Option<Connection>,
}

impl fmt::Debug for Store {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Store")
            .field("place", &self.place)
            .finish_non_exhaustive()
    }
}

/// A transaction that is under way.
pub struct Transaction<'s> {
    place: &'s Place,
    runtime: &'s Runtime,
    connection: Connection,
    /// The first statement that failed: whatever the closure makes of it, nothing is committed.
    failed: Option<Fault>,
}

/// What is kept of a [`Failure`] whose error went to the closure.
#[derive(Copy, Clone)]
struct Fault {
    is_collision: bool,
    is_lost: bool,
}

impl fmt::Debug for Transaction<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Transaction")
            .field("place", &self.place)
            .finish_non_exhaustive()
    }
}

impl Store {
    /// Makes the database: its file, or the tables in an empty PostgreSQL database. `first` writes what must be there from the beginning, in the same
    /// transaction as the tables.
    ///
    /// # Errors
    /// [`StoreError`]; [`StoreError::Exists`] if there are tables already.
    pub fn create<E: From<StoreError>>(
        url: &str,
        schema: &Schema,
        first: impl FnMut(&mut Transaction<'_>) -> Result<(), E>,
    ) -> Result<Store, E> {
        let place = Place::parse(url)?;
        if let Kind::File(path) = &place.0 {
            crate::connection::look(&place, path)?;
            create_file(&place, path)?;
        }
        let mut store = Store::connect(place)?;
        let mut first = first;
        store.change(Access::Make, |tx| {
            match tx.look(schema)? {
                Found::Nothing => tx.migrate(schema, 0)?,
                Found::Ours(_) => {
                    return Err(E::from(StoreError::Exists {
                        place: tx.place.clone(),
                        found: format!("a database of the kind {:?}", schema.application),
                    }));
                }
            }
            first(tx)
        })?;
        Ok(store)
    }

    /// Opens the database, and brings its tables to the latest version.
    ///
    /// # Errors
    /// [`StoreError`]; [`StoreError::NotFound`] if nothing is there.
    pub fn open(url: &str, schema: &Schema) -> Result<Store, StoreError> {
        let mut store = Store::connect(Place::parse(url)?)?;
        let found = |tx: &mut Transaction<'_>| match tx.look(schema)? {
            Found::Nothing => Err(StoreError::NotFound {
                place: tx.place.clone(),
            }),
            Found::Ours(version) => Ok(version),
        };
        if store.read(found)? < schema.migrations.len() {
            store.write(|tx| {
                let version = found(tx)?;
                tx.migrate(schema, version)
            })?;
        }
        Ok(store)
    }

    fn connect(place: Place) -> Result<Store, StoreError> {
        let runtime = Builder::new_current_thread().enable_all().build();
        let runtime = runtime.map_err(|error| StoreError::Unreachable {
            place: place.clone(),
            reason: error.to_string(),
        })?;
        let connection = runtime.block_on(Connection::connect(&place))?;
        Ok(Store {
            place,
            runtime,
            connection: Some(connection),
        })
    }

    /// Runs `work` in one transaction that alone writes. What it returned `Ok` for is on the disk; after
    /// `Err` nothing of it is there. `work` may be run several times, so it keeps nothing outside of what it returns.
    ///
    /// # Errors
    /// Those of `work`, and [`StoreError`].
    pub fn write<T, E: From<StoreError>>(
        &mut self,
        work: impl FnMut(&mut Transaction<'_>) -> Result<T, E>,
    ) -> Result<T, E> {
        self.change(Access::Write, work)
    }

    fn change<T, E: From<StoreError>>(
        &mut self,
        access: Access,
        mut work: impl FnMut(&mut Transaction<'_>) -> Result<T, E>,
    ) -> Result<T, E> {
        for attempt in 1..=ATTEMPTS {
            match self.attempt(access, &mut work) {
                Attempt::Done(result) => return result,
                Attempt::Collision => {
                    // Two who wait equally long collide again.
                    let spread = std::process::id() % 7 + attempt;
                    std::thread::sleep(PAUSE.saturating_mul(spread));
                }
            }
        }
        let place = self.place.clone();
        Err(StoreError::Contended {
            place,
            attempts: ATTEMPTS,
        }
        .into())
    }

    /// Runs `work` on one consistent view of the database.
    ///
    /// # Errors
    /// Those of `work`, and [`StoreError`].
    pub fn read<T, E: From<StoreError>>(
        &mut self,
        mut work: impl FnMut(&mut Transaction<'_>) -> Result<T, E>,
    ) -> Result<T, E> {
        match self.attempt(Access::Read, &mut work) {
            Attempt::Done(result) => result,
            Attempt::Collision => {
                let place = self.place.clone();
                Err(StoreError::Contended { place, attempts: 1 }.into())
            }
        }
    }

    fn attempt<T, E: From<StoreError>>(
        &mut self,
        access: Access,
        work: &mut impl FnMut(&mut Transaction<'_>) -> Result<T, E>,
    ) -> Attempt<T, E> {
        let connection = match self.connection.take() {
            Some(connection) => Ok(connection),
            None => self.runtime.block_on(Connection::connect(&self.place)),
        };
        let connection = match connection {
            Ok(connection) => connection,
            Err(error) => return Attempt::Done(Err(error.into())),
        };
        let mut tx = Transaction {
            place: &self.place,
            runtime: &self.runtime,
            connection,
            failed: None,
        };
        let begun = tx.runtime.block_on(tx.connection.begin(access));
        let result = match tx.checked(begun) {
            Ok(()) => work(&mut tx),
            Err(error) => Err(error.into()),
        };
        let (result, connection) = tx.finish(access, result);
        self.connection = connection;
        result
    }

    /// Where the database is, without user or password.
    pub fn place(&self) -> String {
        self.place.to_string()
    }
}

impl Drop for Store {
    fn drop(&mut self) {
        // A clean end folds an SQLite file's WAL into it. On a thread of somebody else's runtime nobody may wait.
        if let Some(connection) = self.connection.take()
            && tokio::runtime::Handle::try_current().is_err()
        {
            self.runtime.block_on(connection.close());
        }
    }
}

enum Attempt<T, E> {
    Done(Result<T, E>),
    Collision,
}

impl<'s> Transaction<'s> {
    /// Runs a statement; how many rows it changed.
    ///
    /// # Errors
    /// [`StoreError`]; nothing of the transaction is then committed, whatever comes after.
    pub fn execute(&mut self, sql: &'static str, values: &[Value<'_>]) -> Result<u64, StoreError> {
        let done = self.runtime.block_on(self.connection.execute(sql, values));
        self.checked(done)
    }

    /// Runs a statement; all of its rows.
    ///
    /// # Errors
    /// [`StoreError`]; nothing of the transaction is then committed, whatever comes after.
    pub fn rows(&mut self, sql: &'static str, values: &[Value<'_>]) -> Result<Vec<Row>, StoreError> {
        let rows = self.runtime.block_on(self.connection.rows(sql, values));
        self.checked(rows)
    }

    /// Runs a statement; its row, if there is one.
    ///
    /// # Errors
    /// As [`rows`](Self::rows), and [`StoreError::Rows`] for more than one.
    pub fn optional(&mut self, sql: &'static str, values: &[Value<'_>]) -> Result<Option<Row>, StoreError> {
        let mut rows = self.rows(sql, values)?;
        let row = rows.pop();
        match rows.len() {
            0 => Ok(row),
            further => Err(StoreError::Rows { rows: further + 1 }),
        }
    }

    /// Runs a statement that gives exactly one row.
    ///
    /// # Errors
    /// As [`rows`](Self::rows), and [`StoreError::Rows`].
    pub fn one(&mut self, sql: &'static str, values: &[Value<'_>]) -> Result<Row, StoreError> {
        self.optional(sql, values)?.ok_or(StoreError::Rows { rows: 0 })
    }

    fn look(&mut self, schema: &Schema) -> Result<Found, StoreError> {
        if matches!(self.connection, Connection::Postgres(_)) {
            self.rows(MIGRATION_LOCK, &[])?;
        }
        let found = self.runtime.block_on(schema.look(&mut self.connection));
        self.checked(found)?
            .map_err(|misfit| schema.refusal(self.place, misfit))
    }

    fn migrate(&mut self, schema: &Schema, from: usize) -> Result<(), StoreError> {
        let done = self.runtime.block_on(schema.migrate(&mut self.connection, from));
        self.checked(done)
    }

    fn checked<T>(&mut self, result: Result<T, sqlx::Error>) -> Result<T, StoreError> {
        result.map_err(|error| {
            let Failure {
                error,
                is_collision,
                is_lost,
            } = classify(self.place, error, false);
            self.failed.get_or_insert(Fault { is_collision, is_lost });
            error
        })
    }

    /// Commits what succeeded in every statement, and nothing else.
    fn finish<T, E: From<StoreError>>(
        mut self,
        access: Access,
        result: Result<T, E>,
    ) -> (Attempt<T, E>, Option<Connection>) {
        let result = match (self.failed, result) {
            (None, Ok(value)) => {
                let committed = self.runtime.block_on(self.connection.script("COMMIT"));
                match committed {
                    Ok(()) => return (Attempt::Done(Ok(value)), Some(self.connection)),
                    Err(error) => Err(self.commit_failed(access, error).into()),
                }
            }
            (Some(_), Ok(_)) => Err(StoreError::Other {
                place: self.place.clone(),
                reason: "a statement of the transaction failed; nothing was changed".to_owned(),
            }
            .into()),
            (_, Err(error)) => Err(error),
        };
        let fault = self.failed.unwrap_or(Fault {
            is_collision: false,
            is_lost: false,
        });
        // A connection that cannot even take back is not used again: the transaction ends with it.
        let is_usable = !fault.is_lost && self.take_back();
        let connection = is_usable.then_some(self.connection);
        match fault.is_collision {
            true => (Attempt::Collision, connection),
            false => (Attempt::Done(result), connection),
        }
    }

    /// Rolls back; whether the connection is at rest then.
    fn take_back(&mut self) -> bool {
        match self.runtime.block_on(self.connection.script("ROLLBACK")) {
            Ok(()) => true,
            // SQLite takes back by itself after some failures, and says that there is nothing left to take back.
            Err(_) => false,
        }
    }

    fn commit_failed(&mut self, access: Access, error: sqlx::Error) -> StoreError {
        let failure = classify(self.place, error, false);
        self.failed = Some(Fault {
            is_collision: failure.is_collision,
            is_lost: failure.is_lost,
        });
        match failure.error {
            StoreError::Other { place, reason } | StoreError::Unreachable { place, reason }
                if failure.is_lost && access != Access::Read =>
            {
                StoreError::Unknown { place, reason }
            }
            error => error,
        }
    }
}
