//! What the console keeps for itself: an SQLite file that only its owner may read.

mod audit;
mod servers;
mod tokens;

use std::fs::OpenOptions;
use std::net::IpAddr;
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use bintrail_engine::Error;
use bintrail_engine::clock::now;
use rusqlite::{Connection, OptionalExtension, params};

pub(crate) use audit::Act;
pub(crate) use servers::{Attempts, Changed, Password, Server};
pub(crate) use tokens::{ApiToken, NewToken, Scope, TokenRow};

/// The version of its tables.
const VERSION: i64 = 2;

const FIRST: &str = "
CREATE TABLE operator (
  id INTEGER PRIMARY KEY CHECK (id = 1),
  password_hash TEXT NOT NULL,
  created_at INTEGER NOT NULL
);
PRAGMA user_version = 1;
";

/// The control plane. `attempts` is what the console knows of the processes that it supervises.
const SECOND: &str = "
CREATE TABLE servers (
  server_id TEXT PRIMARY KEY,
  definition TEXT NOT NULL,
  host TEXT NOT NULL,
  port INTEGER NOT NULL,
  password_kind TEXT NOT NULL CHECK (password_kind IN ('none', 'sealed', 'env', 'file')),
  password BLOB,
  wanted INTEGER NOT NULL,
  generation INTEGER NOT NULL,
  created_at INTEGER NOT NULL,
  updated_at INTEGER NOT NULL,
  decommissioned_at INTEGER,
  checked_at INTEGER,
  check_error TEXT
);
CREATE UNIQUE INDEX servers_place ON servers (host, port) WHERE decommissioned_at IS NULL;
CREATE TABLE attempts (
  server_id TEXT PRIMARY KEY,
  process TEXT,
  generation INTEGER NOT NULL,
  began_at INTEGER,
  restarts INTEGER NOT NULL,
  fails INTEGER NOT NULL,
  given_up INTEGER NOT NULL,
  last_exit TEXT,
  last_error TEXT
);
CREATE TABLE sealing_key (
  id INTEGER PRIMARY KEY CHECK (id = 1),
  mark BLOB NOT NULL
);
CREATE TABLE tokens (
  token_id INTEGER PRIMARY KEY AUTOINCREMENT,
  name TEXT NOT NULL,
  digest BLOB NOT NULL UNIQUE,
  scopes TEXT NOT NULL,
  created_at INTEGER NOT NULL,
  expires_at INTEGER,
  revoked_at INTEGER,
  last_used_at INTEGER
);
CREATE TABLE audit (
  audit_id INTEGER PRIMARY KEY AUTOINCREMENT,
  at INTEGER NOT NULL,
  who TEXT NOT NULL,
  peer TEXT NOT NULL,
  action TEXT NOT NULL,
  target TEXT NOT NULL,
  detail TEXT NOT NULL
);
PRAGMA user_version = 2;
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
                "{} holds the console's secrets, and others may read it: chmod 600 {}",
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
                transaction.execute_batch(FIRST)?;
            }
            if version < 2 {
                transaction.execute_batch(SECOND)?;
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
    pub(crate) fn set_password(&self, hash: &str, peer: IpAddr) -> Result<bool, Error> {
        self.with(|connection| {
            let transaction = connection.transaction()?;
            let set = transaction.execute(
                "INSERT OR IGNORE INTO operator (id, password_hash, created_at) VALUES (1, ?1, ?2)",
                params![hash, now()],
            )?;
            if set == 1 {
                Act::new("operator", peer, "set_password").write(&transaction, "")?;
            }
            transaction.commit()?;
            Ok(set == 1)
        })
    }

    /// What tells the key that passwords are sealed with from another one; `mark` is kept where there is none.
    pub(crate) fn sealing_mark(&self, mark: Option<&[u8]>) -> Result<Option<Vec<u8>>, Error> {
        self.with(|connection| {
            if let Some(mark) = mark {
                connection.execute(
                    "INSERT OR IGNORE INTO sealing_key (id, mark) VALUES (1, ?1)",
                    params![mark],
                )?;
            }
            connection
                .query_row("SELECT mark FROM sealing_key", [], |row| row.get(0))
                .optional()
        })
    }
}

fn wrong(path: &Path, error: &rusqlite::Error) -> Error {
    Error::Usage(format!(
        "the console's store {}: {error}; name another with --console-store",
        path.display()
    ))
}

#[cfg(test)]
pub(crate) mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use super::*;

    /// One whose file is gone already.
    pub(crate) fn store() -> Store {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let next = NEXT.fetch_add(1, Ordering::Relaxed);
        let name = format!("bintrail-console-store-{}-{next}", std::process::id());
        let path = std::env::temp_dir().join(name);
        let store = Store::open(&path).unwrap();
        std::fs::remove_file(path).unwrap();
        // It needs no journal beside the file either.
        store
            .with(|connection| connection.pragma_update(None, "journal_mode", "MEMORY"))
            .unwrap();
        store
    }

    #[test]
    fn a_store_of_the_first_version_is_carried_on() {
        let path = std::env::temp_dir().join(format!("bintrail-console-v1-{}", std::process::id()));
        let first = Connection::open(&path).unwrap();
        first.execute_batch(FIRST).unwrap();
        first
            .execute("INSERT INTO operator VALUES (1, 'hash', 0)", [])
            .unwrap();
        drop(first);
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
        let store = Store::open(&path).unwrap();
        assert_eq!(store.password().unwrap().as_deref(), Some("hash"));
        assert!(store.servers(true).unwrap().is_empty());
        drop(store);
        let again = Store::open(&path).unwrap();
        assert!(again.tokens().unwrap().is_empty());
        std::fs::remove_file(path).unwrap();
    }
}
