//! An index as its readers see it.

use std::fs;
use std::path::{Path, PathBuf};

use mysql_async::prelude::Queryable;
use mysql_async::{Conn, Error};

use super::source::Server;
use crate::Result;

/// Where bintrail writes.
#[derive(Debug, Clone)]
pub enum Place {
    MySql {
        server: Server,
        /// The server's data directory.
        data: PathBuf,
        database: String,
    },
    Sqlite(PathBuf),
}

impl Place {
    pub fn dsn(&self) -> String {
        match self {
            Self::MySql {
                server, database, ..
            } => server.dsn(database),
            Self::Sqlite(path) => format!("sqlite:{}", path.display()),
        }
    }

    /// The process of the index, where it has one of its own.
    pub fn pid(&self) -> Option<u32> {
        match self {
            Self::MySql { server, .. } => Some(server.pid),
            Self::Sqlite(_) => None,
        }
    }

    /// Bytes of its files.
    pub fn size(&self) -> Result<u64> {
        match self {
            Self::MySql { data, database, .. } => size_of(&data.join(database)),
            Self::Sqlite(path) => Ok(fs::metadata(path)?.len()),
        }
    }

    pub async fn open(&self) -> Result<Reader> {
        Ok(match self {
            Self::MySql {
                server, database, ..
            } => Reader::MySql(server.connect(Some(database)).await?),
            Self::Sqlite(path) => {
                let connection = rusqlite::Connection::open_with_flags(
                    path,
                    rusqlite::OpenFlags::SQLITE_OPEN_READ_ONLY,
                )?;
                connection.busy_timeout(std::time::Duration::from_secs(10))?;
                Reader::Sqlite(connection)
            }
        })
    }

    pub async fn remove(&self) -> Result<()> {
        match self {
            Self::MySql {
                server, database, ..
            } => {
                let mut conn = server.connect(None).await?;
                conn.query_drop(format!("DROP DATABASE IF EXISTS {database}"))
                    .await?;
                conn.disconnect().await?;
            }
            Self::Sqlite(path) => {
                for end in ["", "-wal", "-shm"] {
                    let mut name = path.clone().into_os_string();
                    name.push(end);
                    if let Err(error) = fs::remove_file(name)
                        && error.kind() != std::io::ErrorKind::NotFound
                    {
                        return Err(error.into());
                    }
                }
            }
        }
        Ok(())
    }
}

fn size_of(directory: &Path) -> Result<u64> {
    let mut size = 0;
    for entry in fs::read_dir(directory)? {
        size += entry?.metadata()?.len();
    }
    Ok(size)
}

/// A connection that reads it.
#[derive(Debug)]
pub enum Reader {
    MySql(Conn),
    Sqlite(rusqlite::Connection),
}

impl Reader {
    /// A number; `None` while the index is not there yet.
    pub async fn number(&mut self, sql: &str) -> Result<Option<u64>> {
        match self {
            Self::MySql(conn) => match conn.query_first::<Option<u64>, _>(sql).await {
                Ok(number) => Ok(number.flatten()),
                Err(Error::Server(error)) if error.code == 1146 => Ok(None),
                Err(error) => Err(error.into()),
            },
            Self::Sqlite(connection) => {
                match connection.query_row(sql, [], |row| row.get::<_, Option<i64>>(0)) {
                    Ok(number) => Ok(number.map(u64::try_from).transpose()?),
                    Err(rusqlite::Error::QueryReturnedNoRows) => Ok(None),
                    Err(error) => Err(error.into()),
                }
            }
        }
    }

    /// Row changes that a checkpoint covers: those that the view shows.
    pub async fn indexed(&mut self) -> Result<u64> {
        let indexed = self
            .number("SELECT events_indexed FROM stream_state")
            .await?;
        Ok(indexed.unwrap_or_default())
    }
}
