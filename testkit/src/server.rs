//! Real servers, through `scripts/servers`.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};

use mysql_async::{Opts, OptsBuilder};

use crate::Result;
use crate::client::Client;

/// A running server. It is taken down, with its data, when this is dropped.
#[derive(Debug)]
pub struct Server {
    /// Its name in `scripts/servers list`.
    pub name: String,
    /// Its TCP port on 127.0.0.1.
    pub port: u16,
    /// Its data directory.
    pub datadir: PathBuf,
    /// A DSN for root, who has no password, without a database.
    pub dsn: String,
    kind: String,
    mysql: PathBuf,
    mysqlbinlog: PathBuf,
}

fn script() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../scripts/servers")
}

/// Runs `scripts/servers` and returns what it prints.
fn servers(arguments: &[&str]) -> Result<String> {
    let script = script();
    let output = Command::new(&script)
        .args(arguments)
        .stdin(Stdio::null())
        .output()
        .map_err(|error| format!("{}: {error}", script.display()))?;
    if output.status.success() {
        Ok(String::from_utf8(output.stdout)?)
    } else {
        Err(String::from_utf8_lossy(&output.stderr).into())
    }
}

impl Server {
    /// Starts a new server of `kind` (`mysql97`, …) with further server options. Its name is made
    /// of `label`, this process and a number.
    pub fn start(kind: &str, label: &str, options: &[&str]) -> Result<Server> {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let name = format!("{label}-{}-{number}", std::process::id());
        let text = servers(&[&["up", kind, "--name", &name, "--"], options].concat())?;
        let facts: HashMap<&str, &str> = text
            .lines()
            .filter_map(|line| line.split_once('='))
            .collect();
        let fact = |key: &str| {
            let value = facts.get(key).map(|value| (*value).to_owned());
            value.ok_or_else(|| format!("scripts/servers names no {key}"))
        };
        Ok(Server {
            port: fact("port")?.parse()?,
            datadir: fact("datadir")?.into(),
            dsn: fact("dsn")?,
            kind: kind.to_owned(),
            mysql: fact("mysql")?.into(),
            mysqlbinlog: fact("mysqlbinlog")?.into(),
            name,
        })
    }

    /// Stops it and keeps its data.
    pub fn stop(&self) -> Result<()> {
        servers(&["stop", &self.name]).map(|_| ())
    }

    /// `kill -9`
    pub fn kill(&self) -> Result<()> {
        let file = self.datadir.with_file_name("process");
        let text = std::fs::read_to_string(&file)?;
        let pid = text.split(' ').next().unwrap_or_default();
        let killed = Command::new("kill").args(["-9", pid]).status()?;
        if !killed.success() {
            return Err(format!("process {pid} of {} cannot be killed", self.name).into());
        }
        // It sees that there is none to stop, or waits until it is gone.
        self.stop()
    }

    /// Starts it again on the same port and data.
    pub fn restart(&self) -> Result<()> {
        servers(&["start", &self.name]).map(|_| ())
    }

    /// Options of a connection as root.
    #[must_use]
    pub fn opts(&self) -> OptsBuilder {
        OptsBuilder::default()
            .ip_or_hostname("127.0.0.1")
            .tcp_port(self.port)
            .user(Some("root"))
            .prefer_socket(false)
            .max_allowed_packet(Some(64 << 20))
    }

    /// A connection as root.
    pub fn client(&self) -> Result<Client> {
        Client::connect(Opts::from(self.opts()))
    }

    /// The binlog files the server has now, oldest first.
    pub fn binlog_files(&self) -> Result<Vec<PathBuf>> {
        let names = self.client()?.strings("SHOW BINARY LOGS")?;
        Ok(names.iter().map(|row| self.datadir.join(&row[0])).collect())
    }

    /// The file and position that the next event will be written at.
    pub fn position(&self) -> Result<(String, u64)> {
        let mut client = self.client()?;
        // Other servers know it by its old name only.
        let row = client
            .strings("SHOW BINARY LOG STATUS")
            .or_else(|_| client.strings("SHOW MASTER STATUS"))?
            .remove(0);
        Ok((row[0].clone(), row[1].parse()?))
    }

    /// The server's own `mysql` client, as root.
    #[must_use]
    pub fn mysql(&self) -> Command {
        self.as_root(&self.mysql)
    }

    /// The `mysqldump` that comes with it, as root.
    ///
    /// # Errors
    ///
    /// What `scripts/servers` says.
    pub fn mysqldump(&self) -> Result<Command> {
        let path = servers(&["tool", &self.kind, "mysqldump"])?;
        Ok(self.as_root(Path::new(path.trim())))
    }

    fn as_root(&self, program: &Path) -> Command {
        let mut command = Command::new(program);
        command.args(["--no-defaults", "-uroot", "-h127.0.0.1"]);
        command.arg(format!("-P{}", self.port));
        command
    }

    /// The server's own `mysqlbinlog`.
    #[must_use]
    pub fn mysqlbinlog(&self) -> Command {
        let mut command = Command::new(&self.mysqlbinlog);
        command.arg("--no-defaults").env("TZ", "UTC");
        command
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Err(error) = servers(&["down", &self.name]) {
            eprintln!("{error}");
        }
    }
}
