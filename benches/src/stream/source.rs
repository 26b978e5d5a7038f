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
    /// The first binlog file that has some of it.
    pub file: String,
    pub events: u64,
    /// Size of the binlog.
    pub bytes: u64,
}

/// Has the source do some work, in binlog files of its own.
pub async fn make(source: &Server, name: &str, before: Option<&str>, call: &str) -> Result<Work> {
    let mut conn = source.connect(Some("bench")).await?;
    if let Some(before) = before {
        conn.query_drop(before).await?;
    }
    conn.query_drop("FLUSH BINARY LOGS").await?;
    let file = current_file(&mut conn).await?;
    let answer: Option<u64> = conn.query_first(call).await?;
    let events = answer.ok_or("a procedure without an answer")?;
    let files: Vec<(String, u64, String)> = conn.query("SHOW BINARY LOGS").await?;
    let own = files.iter().skip_while(|(name, ..)| *name != file);
    let bytes = own.map(|(_, size, _)| size).sum();
    conn.disconnect().await?;
    Ok(Work {
        name: name.to_owned(),
        file,
        events,
        bytes,
    })
}

async fn current_file(conn: &mut Conn) -> Result<String> {
    let row: Option<mysql_async::Row> = conn.query_first("SHOW BINARY LOG STATUS").await?;
    let file = row.and_then(|row| row.get(0));
    Ok(file.ok_or("the source has no binlog")?)
}

/// Gives the work's disk space back.
pub async fn forget(source: &Server, after: &str) -> Result<()> {
    let mut conn = source.connect(Some("bench")).await?;
    conn.query_drop("FLUSH BINARY LOGS").await?;
    let now = current_file(&mut conn).await?;
    conn.query_drop(format!("PURGE BINARY LOGS TO '{now}'"))
        .await?;
    conn.query_drop(after).await?;
    Ok(conn.disconnect().await?)
}
