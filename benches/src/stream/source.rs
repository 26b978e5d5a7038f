//! The source server: work, and where in the binlog it stands.

use mysql_async::prelude::Queryable;
use mysql_async::{Conn, OptsBuilder};

use crate::Result;

/// A server on this machine.
#[derive(Debug, Clone)]
pub struct Server {
    pub port: u16,
    pub pid: u32,
}

impl Server {
    /// As `PORT:PID`.
    pub fn parse(text: &str) -> Result<Self> {
        let (port, pid) = text.split_once(':').ok_or("a server is PORT:PID")?;
        Ok(Self {
            port: port.parse()?,
            pid: pid.parse()?,
        })
    }

    pub fn dsn(&self, database: &str) -> String {
        format!("mysql://root@127.0.0.1:{}/{database}", self.port)
    }

    /// A connection without TLS, as all have here.
    pub async fn connect(&self, database: Option<&str>) -> Result<Conn> {
        let options = OptsBuilder::default()
            .ip_or_hostname("127.0.0.1")
            .tcp_port(self.port)
            .user(Some("root"))
            .db_name(database)
            .prefer_socket(Some(false));
        Ok(Conn::new(options).await?)
    }
}

/// Row changes in a binlog file.
#[derive(Debug, Clone)]
pub struct Work {
    pub name: String,
    pub file: String,
    pub events: u64,
    /// Size of the binlog.
    pub bytes: u64,
}

/// Has the source do some work, in a binlog file of its own.
pub async fn make(source: &Server, name: &str, before: Option<&str>, call: &str) -> Result<Work> {
    let mut conn = source.connect(Some("bench")).await?;
    if let Some(before) = before {
        conn.query_drop(before).await?;
    }
    conn.query_drop("FLUSH BINARY LOGS").await?;
    let (file, ..) = status(&mut conn).await?;
    let answer: Option<u64> = conn.query_first(call).await?;
    let events = answer.ok_or("a procedure without an answer")?;
    let (last, bytes) = status(&mut conn).await?;
    if last != file {
        return Err(format!("{name} goes over several binlog files").into());
    }
    conn.disconnect().await?;
    Ok(Work {
        name: name.to_owned(),
        file,
        events,
        bytes,
    })
}

async fn status(conn: &mut Conn) -> Result<(String, u64)> {
    let row: Option<mysql_async::Row> = conn.query_first("SHOW BINARY LOG STATUS").await?;
    let row = row.ok_or("the source has no binlog")?;
    let missing = "SHOW BINARY LOG STATUS: no file";
    Ok((row.get(0).ok_or(missing)?, row.get(1).ok_or(missing)?))
}

/// Gives the work's disk space back.
pub async fn forget(source: &Server, after: &str) -> Result<()> {
    let mut conn = source.connect(Some("bench")).await?;
    conn.query_drop("FLUSH BINARY LOGS").await?;
    let (now, _) = status(&mut conn).await?;
    conn.query_drop(format!("PURGE BINARY LOGS TO '{now}'"))
        .await?;
    conn.query_drop(after).await?;
    Ok(conn.disconnect().await?)
}
