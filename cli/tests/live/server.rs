//! A real server of one test's own, from `scripts/servers`.

use std::collections::HashMap;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// A running server; dropped, it is stopped and its data removed.
pub(crate) struct Server {
    facts: HashMap<String, String>,
}

impl Server {
    /// Makes and starts a server of `kind` (`mysql97`, `mysql56`, `mariadb`) with server options
    /// that win over the usual ones.
    pub(crate) fn up(kind: &str, options: &[&str]) -> Self {
        let mut command = servers();
        command.args(["up", kind, "--"]).args(options);
        Self {
            facts: facts(&run(&mut command)),
        }
    }

    /// One of the facts `scripts/servers up` tells: `port`, `dsn`, `datadir`, …
    pub(crate) fn fact(&self, name: &str) -> &str {
        self.facts
            .get(name)
            .unwrap_or_else(|| panic!("the server has no {name}"))
    }

    /// Stops the server and keeps its data.
    pub(crate) fn stop(&self) {
        run(servers().args(["stop", self.fact("name")]));
    }

    /// Starts it again on the same port and data.
    pub(crate) fn start(&mut self) {
        let out = run(servers().args(["start", self.fact("name")]));
        self.facts = facts(&out);
    }

    /// The command-line client, logged in as root; it stops at the first error.
    pub(crate) fn client(&self) -> Command {
        let mut client = Command::new(self.fact("mysql"));
        client
            .args(["--no-defaults", "--batch", "--raw", "--skip-column-names"])
            .args([
                "--user=root",
                "--host=127.0.0.1",
                "--default-character-set=utf8mb4",
            ])
            .arg(format!("--port={}", self.fact("port")));
        client
    }

    /// Runs statements and returns the rows, columns parted by tabs.
    pub(crate) fn sql(&self, statements: &str) -> String {
        run(self.client().arg(format!("--execute={statements}")))
    }

    /// The server's binlog files, oldest first, as they are in its datadir.
    pub(crate) fn binlogs(&self) -> Vec<PathBuf> {
        let datadir = Path::new(self.fact("datadir"));
        self.sql("SHOW BINARY LOGS")
            .lines()
            .filter_map(|line| line.split('\t').next())
            .map(|file| datadir.join(file))
            .collect()
    }

    /// What the server's own mysqlbinlog prints: the independent witness of the tests.
    pub(crate) fn mysqlbinlog<A: AsRef<OsStr>>(
        &self,
        arguments: impl IntoIterator<Item = A>,
    ) -> String {
        let mut command = Command::new(self.fact("mysqlbinlog"));
        run(command.arg("--no-defaults").args(arguments))
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // A test that panics already must not panic again; scripts/test ends what is left.
        let _ = servers().args(["down", self.fact("name")]).status();
    }
}

fn servers() -> Command {
    let mut command = Command::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../scripts/servers"));
    command.stdin(Stdio::null()).stderr(Stdio::inherit());
    command
}

fn facts(out: &str) -> HashMap<String, String> {
    out.lines()
        .filter_map(|line| line.split_once('='))
        .map(|(key, value)| (key.to_owned(), value.to_owned()))
        .collect()
}

fn run(command: &mut Command) -> String {
    let out = command
        .stderr(Stdio::inherit())
        .output()
        .unwrap_or_else(|error| panic!("{command:?} does not run: {error}"));
    assert!(out.status.success(), "{command:?}: {}", out.status);
    String::from_utf8_lossy(&out.stdout).into_owned()
}
