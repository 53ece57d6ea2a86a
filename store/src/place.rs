//! Where a database is: a file or a server.

use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr as _;

use sqlx::postgres::PgConnectOptions;

use crate::error::StoreError;

/// Where a database is. Shown without user or password.
#[derive(Clone)]
pub struct Place(pub(crate) Kind);

#[derive(Clone)]
pub(crate) enum Kind {
    /// An SQLite file.
    File(PathBuf),
    /// A PostgreSQL database.
    Server(Box<PgConnectOptions>),
}

/// How a text that names a server begins.
const SERVERS: [&str; 2] = ["postgres://", "postgresql://"];

impl Place {
    /// A path, `sqlite:PATH`, `sqlite://PATH`, or a PostgreSQL URL.
    pub(crate) fn parse(text: &str) -> Result<Place, StoreError> {
        let scheme = scheme(text);
        let refused = |reason: &str| StoreError::Url {
            // What stands behind the scheme of a URL may be a password.
            text: match scheme {
                Some(scheme) => format!("{scheme}:…"),
                None => text.to_owned(),
            },
            reason: reason.to_owned(),
        };
        if SERVERS.iter().any(|scheme| text.starts_with(scheme)) {
            let options =
                PgConnectOptions::from_str(text).map_err(|_| refused("not a URL of the form that PostgreSQL has"))?;
            return Ok(Place(Kind::Server(Box::new(options))));
        }
        let path = match (text.strip_prefix("sqlite:"), scheme) {
            (Some(rest), _) => rest.strip_prefix("//").unwrap_or(rest),
            (None, Some(_)) => {
                return Err(refused(
                    "unknown scheme, and a path that begins like one needs ./ before it",
                ));
            }
            (None, None) => text,
        };
        if path.is_empty() || path == ":memory:" {
            return Err(refused("no path of a file"));
        }
        Ok(Place(Kind::File(Path::new(path).to_owned())))
    }
}

/// What a text begins with if it is a URL (RFC 3986, section 3.1): two characters at least, since one is the name of a drive.
fn scheme(text: &str) -> Option<&str> {
    let (scheme, _) = text.split_once(':')?;
    let is_scheme = scheme.len() > 1
        && scheme.starts_with(|c: char| c.is_ascii_alphabetic())
        && scheme.chars().all(|c| c.is_ascii_alphanumeric() || "+-.".contains(c));
    is_scheme.then_some(scheme)
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Kind::File(path) => write!(f, "{}", path.display()),
            Kind::Server(options) => {
                let (host, port) = (options.get_host(), options.get_port());
                write!(f, "postgres://{host}:{port}")?;
                options.get_database().map_or(Ok(()), |name| write!(f, "/{name}"))
            }
        }
    }
}

impl fmt::Debug for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Place({self})")
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
    use super::*;

    #[test]
    fn file_is_named_by_path_or_url() {
        for (text, path) in [
            ("a/ledger.db", "a/ledger.db"),
            ("sqlite:ledger.db", "ledger.db"),
            ("sqlite:///var/ledger.db", "/var/ledger.db"),
            ("./postgres:ledger.db", "./postgres:ledger.db"),
            ("C:ledger.db", "C:ledger.db"),
        ] {
            assert_eq!(Place::parse(text).unwrap().to_string(), path);
        }
    }

    #[test]
    fn password_is_shown_nowhere() {
        for text in [
            "postgres://me:hunter2@db.example:5433/ledger",
            "mysql://me:hunter2@db/x",
            "postgres:me:hunter2@db/x",
            "POSTGRES:/me:hunter2@db/x",
            "postgres://me:hunter2@db:x/y",
        ] {
            let shown = match Place::parse(text) {
                Ok(place) => format!("{place} {place:?}"),
                Err(error) => format!("{error} {error:?}"),
            };
            assert!(!shown.contains("hunter2"), "{shown}");
        }
        let place = Place::parse("postgres://me:hunter2@db.example:5433/ledger").unwrap();
        assert_eq!(place.to_string(), "postgres://db.example:5433/ledger");
    }

    #[test]
    fn what_names_no_database_is_refused() {
        for text in ["", "sqlite:", ":memory:", "mysql://x/y", "postgres:x/y"] {
            assert!(matches!(Place::parse(text), Err(StoreError::Url { .. })), "{text:?}");
        }
    }
}
