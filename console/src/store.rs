//! What the console keeps for itself: an SQLite file that only its owner may read.

use std::fs::OpenOptions;
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use bintrail_engine::Error;
use bintrail_engine::clock::now;
use rusqlite::{Connection, OptionalExtension, params};

/// The version of its tables.
const VERSION: i64 = 1;

const TABLES: &str = "
CREATE TABLE operator (
  id INTEGER PRIMARY KEY CHECK (id = 1),
  password_hash TEXT NOT NULL,
  created_at INTEGER NOT NULL
);
PRAGMA user_version = 1;
";

/// The file.
#[derive(Debug)]
pub(crate) struct Store {
    path: PathBuf,
    connection: Mutex<Connection>,
}

impl Store {
    /// Opens it, and makes it where there is none.
    pub(crate) fn open(path: &Path) -> Result<Self, Error> {
        let unreadable = |error| Error::File {
            path: path.to_owned(),
            error,
        };
        // SQLite would make it readable for all; what it makes beside it has the same rights.
        let file = OpenOptions::new()
            .create(true)
            .truncate(false)
            .read(true)
            .write(true)
            .mode(0o600)
            .open(path)
            .map_err(unreadable)?;
        let mode = file.metadata().map_err(unreadable)?.permissions().mode();
        if mode & 0o077 != 0 {
            return Err(Error::Usage(format!(
                "{} holds the console's password, and others may read it: chmod 600 {}",
                path.display(),
                path.display()
            )));
        }
        let store = Self {
            path: path.to_owned(),
            connection: Mutex::new(Connection::open(path).map_err(|error| wrong(path, &error))?),
        };
        store.with(|connection| {
            let transaction = connection.transaction()?;
            let version: i64 =
                transaction.query_row("PRAGMA user_version", [], |row| row.get(0))?;
            if version == 0 {
                transaction.execute_batch(TABLES)?;
            }
            transaction.commit()?;
            Ok(version)
        })
        .and_then(|version| {
            if version > VERSION {
                return Err(Error::Usage(format!(
                    "{} was made by a newer bintrail-console: use that one, or another --console-store",
                    path.display()
                )));
            }
            Ok(store)
        })
    }

    fn with<T>(
        &self,
        what: impl FnOnce(&mut Connection) -> rusqlite::Result<T>,
    ) -> Result<T, Error> {
        let mut connection = self
            .connection
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        what(&mut connection).map_err(|error| wrong(&self.path, &error))
    }

    /// The hash of the operator's password, once it is set.
    pub(crate) fn password(&self) -> Result<Option<String>, Error> {
        self.with(|connection| {
            connection
                .query_row("SELECT password_hash FROM operator", [], |row| row.get(0))
                .optional()
        })
    }

    /// Keeps it, unless there is one: false then.
    pub(crate) fn set_password(&self, hash: &str) -> Result<bool, Error> {
        self.with(|connection| {
            let set = connection.execute(
                "INSERT OR IGNORE INTO operator (id, password_hash, created_at) VALUES (1, ?1, ?2)",
                params![hash, now()],
            )?;
            Ok(set == 1)
        })
    }
}

fn wrong(path: &Path, error: &rusqlite::Error) -> Error {
    Error::Usage(format!(
        "the console's store {}: {error}; name another with --console-store",
        path.display()
    ))
}
