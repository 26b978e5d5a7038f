//! The servers that are registered, and what became of their streams.

use bintrail_engine::Error;
use bintrail_engine::clock::now;
use rusqlite::{OptionalExtension, Row, params};

use super::{Act, Store};
use crate::control::definition::Definition;

/// The source's password.
#[derive(Clone, PartialEq, Eq)]
pub(crate) enum Password {
    None,
    /// Encrypted with the key of the console.
    Sealed(Vec<u8>),
    /// The name of a variable in the console's environment.
    Env(String),
    /// The name of a file in the directory of passwords.
    File(String),
}

impl std::fmt::Debug for Password {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.kind())
    }
}

impl Password {
    pub(crate) const fn kind(&self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Sealed(_) => "sealed",
            Self::Env(_) => "env",
            Self::File(_) => "file",
        }
    }

    fn bytes(&self) -> Option<&[u8]> {
        match self {
            Self::None => None,
            Self::Sealed(bytes) => Some(bytes),
            Self::Env(name) | Self::File(name) => Some(name.as_bytes()),
        }
    }

    fn read(kind: &str, bytes: Option<Vec<u8>>) -> Self {
        let bytes = bytes.unwrap_or_default();
        let name = |bytes| String::from_utf8(bytes).unwrap_or_default();
        match kind {
            "sealed" => Self::Sealed(bytes),
            "env" => Self::Env(name(bytes)),
            "file" => Self::File(name(bytes)),
            _ => Self::None,
        }
    }
}

/// The last look of doctor at a source.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Check {
    pub(crate) at: i64,
    pub(crate) error: Option<String>,
}

/// One of them.
#[derive(Debug, Clone)]
pub(crate) struct Server {
    pub(crate) server_id: String,
    pub(crate) definition: Definition,
    pub(crate) password: Password,
    /// Its stream is to run.
    pub(crate) wanted: bool,
    /// Rises with what its stream is started with.
    pub(crate) generation: i64,
    pub(crate) created_at: i64,
    pub(crate) updated_at: i64,
    pub(crate) decommissioned_at: Option<i64>,
    pub(crate) check: Option<Check>,
}

/// What became of a change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Changed {
    Done,
    /// There is such a server already.
    SameId,
    /// Another server is registered at that host and port.
    SamePlace,
    /// It is not as it was any more, or not there.
    Moved,
}

/// What the console knows of the processes of a stream that it supervises.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Attempts {
    /// The process that runs, as [`Identity`](crate::control::identity::Identity) is written.
    pub(crate) process: Option<String>,
    /// What it was started with.
    pub(crate) generation: i64,
    pub(crate) began_at: Option<i64>,
    /// How often it was started again by itself.
    pub(crate) restarts: i64,
    /// How often in a row it ended soon.
    pub(crate) fails: u32,
    /// It ended with what a restart does not mend.
    pub(crate) given_up: bool,
    pub(crate) last_exit: Option<String>,
    pub(crate) last_error: Option<String>,
}

const COLUMNS: &str = "server_id, definition, password_kind, password, wanted, generation, created_at, updated_at, \
     decommissioned_at, checked_at, check_error FROM servers";

fn read(row: &Row<'_>) -> rusqlite::Result<Server> {
    let definition: String = row.get(1)?;
    let kind: String = row.get(2)?;
    let checked_at: Option<i64> = row.get(9)?;
    let error = row.get(10)?;
    Ok(Server {
        server_id: row.get(0)?,
        definition: serde_json::from_str(&definition).map_err(|error| {
            rusqlite::Error::FromSqlConversionFailure(
                1,
                rusqlite::types::Type::Text,
                Box::new(error),
            )
        })?,
        password: Password::read(&kind, row.get(3)?),
        wanted: row.get(4)?,
        generation: row.get(5)?,
        created_at: row.get(6)?,
        updated_at: row.get(7)?,
        decommissioned_at: row.get(8)?,
        check: checked_at.map(|at| Check { at, error }),
    })
}

/// What a change of a unique value met.
fn met(result: rusqlite::Result<usize>) -> rusqlite::Result<Changed> {
    match result {
        Ok(1) => Ok(Changed::Done),
        Ok(_) => Ok(Changed::Moved),
        Err(rusqlite::Error::SqliteFailure(code, text))
            if code.code == rusqlite::ErrorCode::ConstraintViolation =>
        {
            let place = text.as_ref().is_some_and(|text| text.contains("host"));
            Ok(match place {
                true => Changed::SamePlace,
                false => Changed::SameId,
            })
        }
        Err(error) => Err(error),
    }
}

fn json(definition: &Definition) -> rusqlite::Result<String> {
    serde_json::to_string(definition)
        .map_err(|error| rusqlite::Error::ToSqlConversionFailure(Box::new(error)))
}

impl Store {
    /// All that were not decommissioned, or all, by their names.
    pub(crate) fn servers(&self, decommissioned: bool) -> Result<Vec<Server>, Error> {
        self.with(|connection| {
            let mut statement = connection.prepare_cached(&format!(
                "SELECT {COLUMNS} WHERE ?1 OR decommissioned_at IS NULL ORDER BY server_id"
            ))?;
            statement
                .query_map(params![decommissioned], read)?
                .collect()
        })
    }

    pub(crate) fn server(&self, server_id: &str) -> Result<Option<Server>, Error> {
        self.with(|connection| {
            connection
                .prepare_cached(&format!("SELECT {COLUMNS} WHERE server_id = ?1"))?
                .query_row(params![server_id], read)
                .optional()
        })
    }

    pub(crate) fn add_server(
        &self,
        server_id: &str,
        definition: &Definition,
        password: &Password,
        act: &Act,
    ) -> Result<Changed, Error> {
        self.with(|connection| {
            let transaction = connection.transaction()?;
            let done = met(transaction.execute(
                "INSERT INTO servers (server_id, definition, host, port, password_kind, password, wanted, generation, \
                 created_at, updated_at) VALUES (?1, ?2, ?3, ?4, ?5, ?6, 0, 1, ?7, ?7)",
                params![
                    server_id,
                    json(definition)?,
                    definition.host,
                    definition.port,
                    password.kind(),
                    password.bytes(),
                    now()
                ],
            ))?;
            if done == Changed::Done {
                act.write(&transaction, server_id)?;
            }
            transaction.commit()?;
            Ok(done)
        })
    }

    /// Changes what `was` read, unless it was changed meanwhile. Its name is nothing that its stream is started with.
    pub(crate) fn change_server(
        &self,
        was: &Server,
        definition: &Definition,
        password: &Password,
        act: &Act,
    ) -> Result<Changed, Error> {
        let named = Definition {
            name: definition.name.clone(),
            ..was.definition.clone()
        };
        let rise = i64::from(named != *definition || was.password != *password);
        self.with(|connection| {
            let transaction = connection.transaction()?;
            let done = met(transaction.execute(
                "UPDATE servers SET definition = ?3, host = ?4, port = ?5, password_kind = ?6, password = ?7, \
                 generation = generation + ?9, updated_at = ?8, \
                 checked_at = CASE ?9 WHEN 0 THEN checked_at END, check_error = CASE ?9 WHEN 0 THEN check_error END \
                 WHERE server_id = ?1 AND updated_at = ?2 AND decommissioned_at IS NULL",
                params![
                    was.server_id,
                    was.updated_at,
                    json(definition)?,
                    definition.host,
                    definition.port,
                    password.kind(),
                    password.bytes(),
                    now().max(was.updated_at + 1),
                    rise
                ],
            ))?;
            if done == Changed::Done {
                act.write(&transaction, &was.server_id)?;
            }
            transaction.commit()?;
            Ok(done)
        })
    }

    /// Its stream is to run, or not. A start is a new one, whatever became of the last.
    pub(crate) fn want(&self, server_id: &str, wanted: bool, act: &Act) -> Result<Changed, Error> {
        self.with(|connection| {
            let transaction = connection.transaction()?;
            let done = met(transaction.execute(
                "UPDATE servers SET wanted = ?2 WHERE server_id = ?1 AND decommissioned_at IS NULL",
                params![server_id, wanted],
            ))?;
            if done == Changed::Done {
                act.write(&transaction, server_id)?;
            }
            transaction.commit()?;
            Ok(done)
        })
    }

    /// Ends it for good. Its password is forgotten; that it was there is not.
    pub(crate) fn decommission(&self, server_id: &str, act: &Act) -> Result<Changed, Error> {
        self.with(|connection| {
            let transaction = connection.transaction()?;
            let done = met(transaction.execute(
                "UPDATE servers SET wanted = 0, decommissioned_at = ?2, updated_at = ?2, password_kind = 'none', \
                 password = NULL WHERE server_id = ?1 AND decommissioned_at IS NULL",
                params![server_id, now()],
            ))?;
            if done == Changed::Done {
                act.write(&transaction, server_id)?;
            }
            transaction.commit()?;
            Ok(done)
        })
    }

    /// What doctor found; of what is not any more as it was then, nothing.
    pub(crate) fn checked(&self, server: &Server, error: Option<&str>) -> Result<(), Error> {
        self.with(|connection| {
            connection.execute(
                "UPDATE servers SET checked_at = ?3, check_error = ?4 WHERE server_id = ?1 AND generation = ?2",
                params![server.server_id, server.generation, now(), error],
            )?;
            Ok(())
        })
    }

    pub(crate) fn attempts(&self, server_id: &str) -> Result<Attempts, Error> {
        self.with(|connection| {
            let found = connection
                .prepare_cached(
                    "SELECT process, generation, began_at, restarts, fails, given_up, last_exit, last_error \
                     FROM attempts WHERE server_id = ?1",
                )?
                .query_row(params![server_id], |row| {
                    Ok(Attempts {
                        process: row.get(0)?,
                        generation: row.get(1)?,
                        began_at: row.get(2)?,
                        restarts: row.get(3)?,
                        fails: row.get(4)?,
                        given_up: row.get(5)?,
                        last_exit: row.get(6)?,
                        last_error: row.get(7)?,
                    })
                })
                .optional()?;
            Ok(found.unwrap_or_default())
        })
    }

    pub(crate) fn keep_attempts(&self, server_id: &str, kept: &Attempts) -> Result<(), Error> {
        self.with(|connection| {
            connection.execute(
                "INSERT OR REPLACE INTO attempts (server_id, process, generation, began_at, restarts, fails, given_up, \
                 last_exit, last_error) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
                params![
                    server_id,
                    kept.process,
                    kept.generation,
                    kept.began_at,
                    kept.restarts,
                    kept.fails,
                    kept.given_up,
                    kept.last_exit,
                    kept.last_error
                ],
            )?;
            Ok(())
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::control::definition::Parameters;

    fn definition(host: &str) -> Definition {
        Definition {
            name: "Shop".to_owned(),
            host: host.to_owned(),
            port: 3306,
            user: "bintrail".to_owned(),
            parameters: Parameters::default(),
        }
    }

    #[test]
    fn servers_are_told_apart_and_change_only_as_they_were_read() {
        let store = super::super::tests::store();
        let act = Act::new("operator", [127, 0, 0, 1].into(), "test");
        let none = Password::None;
        let add = |id, host| {
            store
                .add_server(id, &definition(host), &none, &act)
                .unwrap()
        };
        assert_eq!(add("shop", "db1"), Changed::Done);
        assert_eq!(add("shop", "db2"), Changed::SameId);
        assert_eq!(add("other", "db1"), Changed::SamePlace);
        assert_eq!(add("other", "db2"), Changed::Done);
        let was = store.server("shop").unwrap().unwrap();
        let sealed = Password::Sealed(vec![0, 255]);
        let change = |host| {
            store
                .change_server(&was, &definition(host), &sealed, &act)
                .unwrap()
        };
        assert_eq!(change("db2"), Changed::SamePlace);
        assert_eq!(change("db3"), Changed::Done);
        assert_eq!(change("db4"), Changed::Moved);
        let is = store.server("shop").unwrap().unwrap();
        assert_eq!((&*is.definition.host, &is.password), ("db3", &sealed));
        // What was found of the server as it was is nothing that is known of it now.
        store.checked(&was, Some("down")).unwrap();
        assert_eq!(store.server("shop").unwrap().unwrap().check, None);
        store.checked(&is, Some("down")).unwrap();
        assert!(store.server("shop").unwrap().unwrap().check.is_some());

        assert_eq!(store.decommission("shop", &act).unwrap(), Changed::Done);
        assert_eq!(store.decommission("shop", &act).unwrap(), Changed::Moved);
        assert_eq!(store.want("shop", true, &act).unwrap(), Changed::Moved);
        assert_eq!(add("again", "db3"), Changed::Done);
        assert_eq!(store.servers(false).unwrap().len(), 2);
        let all = store.servers(true).unwrap();
        let gone = all.iter().find(|server| server.server_id == "shop");
        assert_eq!(gone.unwrap().password, Password::None);
        // Every change is there, and nothing that was none.
        assert_eq!(store.audit(None, 100).unwrap().len(), 5);
    }

    #[test]
    fn attempts_are_kept() {
        let store = super::super::tests::store();
        assert_eq!(store.attempts("shop").unwrap(), Attempts::default());
        let kept = Attempts {
            process: Some("1:2:x".to_owned()),
            fails: 3,
            given_up: true,
            ..Attempts::default()
        };
        store.keep_attempts("shop", &kept).unwrap();
        assert_eq!(store.attempts("shop").unwrap(), kept);
    }
}
