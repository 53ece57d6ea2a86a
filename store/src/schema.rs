//! Numbered migrations.

use sqlx::Error;

use crate::connection::Connection;
use crate::error::StoreError;
use crate::place::Place;

/// The tables of an application: what there was in the first release, and what every later one changes.
#[derive(Copy, Clone, Debug)]
pub struct Schema {
    /// Which application, in a word. A database belongs to one.
    pub application: &'static str,
    /// Statements, separated by `;`, that make version `i + 1` of the tables from version `i`. Only ever added to.
    pub migrations: &'static [&'static str],
}

/// Which application a database belongs to, and which migrations it has had.
const HISTORY: &str = "zkmargin_schema";

/// What a database is, to one who opens it.
pub(crate) enum Found {
    /// No tables at all.
    Nothing,
    /// This application's, with tables of this version.
    Ours(usize),
}

impl Schema {
    fn latest(&self) -> i64 {
        i64::try_from(self.migrations.len()).unwrap_or(i64::MAX)
    }

    /// What a database is. Within a transaction.
    pub(crate) async fn look(&self, connection: &mut Connection) -> Result<Result<Found, Misfit>, Error> {
        let tables = connection.tables().await?;
        let is_history = |row: &crate::value::Row| matches!(row.text(0), Ok(HISTORY));
        if tables.is_empty() {
            return Ok(Ok(Found::Nothing));
        }
        if !tables.iter().any(is_history) {
            return Ok(Err(Misfit::Foreign("it has tables of something else".to_owned())));
        }
        let rows = connection
            .rows("SELECT application, version FROM zkmargin_schema ORDER BY version", &[])
            .await?;
        let mut version = 0;
        for row in &rows {
            let (Ok(application), Ok(number)) = (row.text(0), row.integer(1)) else {
                return Ok(Err(Misfit::Foreign("its list of migrations cannot be read".to_owned())));
            };
            if application != self.application {
                return Ok(Err(Misfit::Foreign(format!("it is one of the kind {application:?}"))));
            }
            version = number;
        }
        if version > self.latest() {
            return Ok(Err(Misfit::Newer(version)));
        }
        Ok(match usize::try_from(version) {
            Ok(version) if version == rows.len() && version > 0 => Ok(Found::Ours(version)),
            _ => Err(Misfit::Foreign("its list of migrations has gaps".to_owned())),
        })
    }

    /// Runs the migrations from version `from` on. Within a transaction.
    pub(crate) async fn migrate(&self, connection: &mut Connection, from: usize) -> Result<(), Error> {
        if from == 0 {
            connection
                .script("CREATE TABLE zkmargin_schema (version BIGINT PRIMARY KEY, application TEXT NOT NULL)")
                .await?;
        }
        for (migration, version) in self.migrations.iter().zip(1_i64..).skip(from) {
            connection.script(migration).await?;
            connection
                .execute(
                    "INSERT INTO zkmargin_schema (version, application) VALUES ($1, $2)",
                    &[version.into(), self.application.into()],
                )
                .await?;
        }
        Ok(())
    }

    pub(crate) fn refusal(&self, place: &Place, misfit: Misfit) -> StoreError {
        let place = place.clone();
        match misfit {
            Misfit::Foreign(reason) => StoreError::Foreign {
                place,
                expected: self.application,
                reason,
            },
            Misfit::Newer(found) => StoreError::Newer {
                place,
                found,
                known: self.latest(),
            },
        }
    }
}

/// Why a database is not one of the schema's.
pub(crate) enum Misfit {
    Foreign(String),
    Newer(i64),
}
