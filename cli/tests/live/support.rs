//! What the tests share: a source, its streams, and the wait for them.

use std::fs::{self, File};
use std::os::unix::process::ExitStatusExt;
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread::sleep;
use std::time::{Duration, Instant};

use bintrail_testkit::check::same_events;
use bintrail_testkit::index::Index;
use bintrail_testkit::oracle::{Oracle, Transaction};
use bintrail_testkit::proxy::Proxy;
use bintrail_testkit::schema::Catalog;
use bintrail_testkit::server::Server;
use bintrail_testkit::value::Charsets;

/// The password that must turn up nowhere.
pub(crate) const PASSWORD: &str = "Tr0ub4dor_and_3";

/// Longest wait for anything.
pub(crate) const PATIENCE: Duration = Duration::from_secs(240);

pub(crate) const BINTRAIL: &str = env!("CARGO_BIN_EXE_bintrail");

/// A number from the environment, so that one test serves for a quick and a long run.
pub(crate) fn setting(name: &str, default: u64) -> u64 {
    std::env::var(name).map_or(default, |text| text.parse().unwrap())
}

/// A directory of one test's own, removed when dropped.
pub(crate) struct Scratch(pub(crate) PathBuf);

impl Scratch {
    pub(crate) fn new() -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let path =
            std::env::temp_dir().join(format!("bintrail-live-{}-{number}", std::process::id()));
        fs::create_dir(&path).unwrap();
        Self(path)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // What a failed test logged is worth keeping.
        if std::thread::panicking() {
            eprintln!("logs are in {}", self.0.display());
        } else {
            fs::remove_dir_all(&self.0).ok();
        }
    }
}

/// A source with a user who may do what a stream needs and no more.
pub(crate) fn source(options: &[&str]) -> Server {
    source_of("mysql97", options)
}

/// The same, of any kind that `scripts/servers` has.
pub(crate) fn source_of(kind: &str, options: &[&str]) -> Server {
    let quick = ["--sync-binlog=0", "--innodb-flush-log-at-trx-commit=0"];
    let server = Server::start(kind, "source", &[&quick, options].concat()).unwrap();
    let mut client = server.client().unwrap();
    client
        .run(&format!("CREATE USER capture IDENTIFIED BY '{PASSWORD}'"))
        .unwrap();
    client
        .run("GRANT REPLICATION SLAVE, REPLICATION CLIENT, SELECT ON *.* TO capture")
        .unwrap();
    server
}

/// A server to keep indexes in.
pub(crate) fn index_server(options: &[&str]) -> Server {
    let quick = [
        "--sync-binlog=0",
        "--innodb-flush-log-at-trx-commit=0",
        "--skip-log-bin",
    ];
    let server = Server::start("mysql97", "index", &[&quick, options].concat()).unwrap();
    let mut client = server.client().unwrap();
    client
        .run(&format!("CREATE USER keeper IDENTIFIED BY '{PASSWORD}'"))
        .unwrap();
    client.run("GRANT ALL ON *.* TO keeper").unwrap();
    server
}

pub(crate) fn source_dsn(server: &Server) -> String {
    format!("mysql://capture:{PASSWORD}@127.0.0.1:{}/", server.port)
}

/// Runs statements as root, each of which has to succeed.
pub(crate) fn run(server: &Server, statements: &[&str]) {
    let mut client = server.client().unwrap();
    for sql in statements {
        client
            .run(sql)
            .unwrap_or_else(|error| panic!("{sql}: {error}"));
    }
}

/// The first column of a query on a stream's index.
pub(crate) fn ask(stream: &Stream, sql: &str) -> Vec<String> {
    let rows = stream.index.open().unwrap().query(sql).unwrap();
    rows.into_iter()
        .map(|row| row.into_iter().flatten().next().unwrap_or_default())
        .collect()
}

/// A `bintrail stream`, started as often as a test likes.
pub(crate) struct Stream {
    pub(crate) name: String,
    pub(crate) index: Index,
    arguments: Vec<String>,
    secrets: [(&'static str, String); 2],
    environment: Vec<(&'static str, String)>,
    directory: PathBuf,
    /// Bytes in the log when it was started.
    logged: usize,
    child: Option<Child>,
}

impl Stream {
    /// A stream into an SQLite file, or into a database of its own on `keeper`.
    pub(crate) fn new(
        name: &str,
        source: &Server,
        keeper: Option<&Server>,
        scratch: &Scratch,
        arguments: &[&str],
    ) -> Self {
        let directory = scratch.0.join(name);
        fs::create_dir(&directory).unwrap();
        let (index, dsn) = match keeper {
            None => {
                let path = directory.join("index.db");
                (Index::sqlite(&path), format!("sqlite:{}", path.display()))
            }
            Some(server) => {
                let database = name.replace(|c: char| !c.is_alphanumeric(), "_");
                server
                    .client()
                    .unwrap()
                    .run(&format!("CREATE DATABASE {database}"))
                    .unwrap();
                let dsn = format!(
                    "mysql://keeper:{PASSWORD}@127.0.0.1:{}/{database}",
                    server.port
                );
                (Index::mysql(server.opts().db_name(Some(database))), dsn)
            }
        };
        Self {
            name: name.to_owned(),
            index,
            arguments: arguments
                .iter()
                .map(|argument| (*argument).to_owned())
                .collect(),
            secrets: [
                ("BINTRAIL_SOURCE_DSN", source_dsn(source)),
                ("BINTRAIL_INDEX_DSN", dsn),
            ],
            environment: Vec::new(),
            directory,
            logged: 0,
            child: None,
        }
    }

    /// Reaches the source, and an index on a server, through proxies.
    pub(crate) fn through(mut self, source: &Proxy, index: Option<&Proxy>) -> Self {
        for ((_, dsn), proxy) in self.secrets.iter_mut().zip([Some(source), index]) {
            if let Some(proxy) = proxy {
                let (user, rest) = dsn.split_once("@127.0.0.1:").unwrap();
                let database = rest.split_once('/').unwrap().1;
                *dsn = format!("{user}@127.0.0.1:{}/{database}", proxy.port);
            }
        }
        self
    }

    /// Where its index is.
    pub(crate) fn index_dsn(&self) -> &str {
        &self.secrets[1].1
    }

    /// With other arguments from the next start on.
    pub(crate) fn with(mut self, arguments: &[&str]) -> Self {
        self.arguments = arguments.iter().map(ToString::to_string).collect();
        self
    }

    /// With more in its environment from the next start on.
    pub(crate) fn knowing(mut self, name: &'static str, value: &str) -> Self {
        self.environment.push((name, value.to_owned()));
        self
    }

    /// From another address from the next start on.
    pub(crate) fn from(mut self, dsn: &str) -> Self {
        self.secrets[0].1 = dsn.to_owned();
        self
    }

    /// Starts it; the start position is without effect once there is a checkpoint.
    pub(crate) fn start(&mut self) {
        self.logged = self.log().len();
        let log = File::options()
            .create(true)
            .append(true)
            .open(self.directory.join("log"))
            .unwrap();
        let child = Command::new(BINTRAIL)
            .args(["stream", "--checkpoint", "1"])
            .args(&self.arguments)
            .envs(self.secrets.clone())
            .envs(self.environment.clone())
            .current_dir(&self.directory)
            .stdin(Stdio::null())
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .spawn()
            .unwrap();
        self.child = Some(child);
    }

    /// Another command over its index.
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(BINTRAIL);
        command
            .args(arguments)
            .envs(self.secrets.clone())
            .current_dir(&self.directory)
            .stdin(Stdio::null());
        command
    }

    /// What another command prints, which has to end well.
    pub(crate) fn output(&self, arguments: &[&str]) -> String {
        let output = self.command(arguments).output().unwrap();
        let error = String::from_utf8_lossy(&output.stderr);
        assert!(
            output.status.success(),
            "{}: {arguments:?}: {error}",
            self.name
        );
        String::from_utf8(output.stdout).unwrap()
    }

    pub(crate) fn log(&self) -> String {
        let log = fs::read(self.directory.join("log")).unwrap_or_default();
        String::from_utf8_lossy(&log).into_owned()
    }

    /// Panics when it ended by itself.
    pub(crate) fn assert_runs(&mut self) {
        let ended = self.child.as_mut().unwrap().try_wait().unwrap();
        assert!(ended.is_none(), "{}: {ended:?}\n{}", self.name, self.log());
    }

    /// How it ended, if it has.
    pub(crate) fn ended(&mut self) -> Option<ExitStatus> {
        let ended = self.child.as_mut()?.try_wait().unwrap();
        self.child.take_if(|_| ended.is_some());
        ended
    }

    /// What it has logged since it was started.
    pub(crate) fn new_log(&self) -> String {
        self.log().split_off(self.logged)
    }

    /// The most memory that it has had, in bytes.
    pub(crate) fn peak(&mut self) -> u64 {
        self.assert_runs();
        let pid = self.child.as_ref().unwrap().id();
        let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let kilobytes = line.and_then(|line| line.trim().strip_suffix(" kB"));
        kilobytes.unwrap().parse::<u64>().unwrap() << 10
    }

    /// The index holds the row events that mysqlbinlog shows of the source, one for one. Returns how many.
    pub(crate) fn equals(&self, source: &Server) -> u64 {
        self.equals_these(source, Oracle::of(source).unwrap())
    }

    /// The same, where these are the transactions that mysqlbinlog shows.
    pub(crate) fn equals_these(
        &self,
        source: &Server,
        transactions: impl IntoIterator<Item = bintrail_testkit::Result<Transaction>>,
    ) -> u64 {
        let mut catalog = Catalog::default();
        let mut client = source.client().unwrap();
        catalog.refresh(&mut client, &["d".to_owned()]).unwrap();
        let mut charsets = Charsets::new(client).unwrap();
        let index = self.index.open().unwrap();
        same_events(index, transactions, &catalog, &mut charsets)
            .unwrap_or_else(|error| panic!("{}: {error}", self.name))
    }

    /// `kill -9`
    pub(crate) fn kill(&mut self) {
        self.assert_runs();
        let mut child = self.child.take().unwrap();
        child.kill().unwrap();
        child.wait().unwrap();
    }

    /// SIGTERM: it has to flush, and to exit with 0.
    pub(crate) fn terminate(&mut self) {
        self.assert_runs();
        let status = self.ask_to_stop();
        // Before its first word it does not listen to signals yet, and has nothing to flush.
        let unborn = status.signal() == Some(15) && self.log().len() == self.logged;
        assert!(
            status.success() || unborn,
            "{}: {status}\n{}",
            self.name,
            self.log()
        );
    }

    /// SIGTERM, unless it has ended; how it ends.
    pub(crate) fn ask_to_stop(&mut self) -> ExitStatus {
        let mut child = self.child.take().unwrap();
        let sent = Command::new("kill")
            .args(["-TERM", &child.id().to_string()])
            .status()
            .unwrap();
        assert!(sent.success());
        wait(&mut child)
    }

    /// Waits until it ends by itself: its exit code, and the last line of its log.
    pub(crate) fn end(&mut self) -> (Option<i32>, String) {
        let status = wait(self.child.as_mut().unwrap());
        self.child = None;
        let log = self.log();
        (
            status.code(),
            log.lines().last().unwrap_or_default().to_owned(),
        )
    }

    /// Waits until its log since it was started has `text`, as often as `times`.
    pub(crate) fn says(&mut self, text: &str, times: usize) {
        let started = Instant::now();
        loop {
            self.assert_runs();
            let log = self.log();
            if log[self.logged..].matches(text).count() >= times {
                return;
            }
            assert!(started.elapsed() < PATIENCE, "{text} is not in\n{log}");
            sleep(Duration::from_millis(100));
        }
    }

    /// Waits until it has a checkpoint behind all that the source has.
    pub(crate) fn catch_up(&mut self, source: &Server) {
        let started = Instant::now();
        loop {
            self.assert_runs();
            // MariaDB writes events of its own behind the last transaction, some time later.
            let position = source.position().unwrap();
            let state = self.state();
            if state.as_ref() == Ok(&position) {
                return;
            }
            assert!(
                started.elapsed() < PATIENCE,
                "{} is at {state:?}, the source at {position:?}\n{}",
                self.name,
                self.log()
            );
            sleep(Duration::from_millis(100));
        }
    }

    /// File and position of its checkpoint.
    pub(crate) fn state(&self) -> Result<(String, u64), String> {
        let read = || -> bintrail_testkit::Result<(String, u64)> {
            let rows = self
                .index
                .open()?
                .query("SELECT binlog_file, binlog_position FROM stream_state")?;
            let mut cells = rows
                .into_iter()
                .next()
                .ok_or("no checkpoint")?
                .into_iter()
                .flatten();
            Ok((
                cells.next().ok_or("no file")?,
                cells.next().ok_or("no position")?.parse()?,
            ))
        };
        // The index, or its tables, may not be there yet.
        read().map_err(|error| error.to_string())
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        if let Some(child) = &mut self.child {
            child.kill().ok();
            child.wait().ok();
        }
    }
}

/// Waits until there is something.
pub(crate) fn until<T>(mut found: impl FnMut() -> Option<T>) -> T {
    let started = Instant::now();
    loop {
        if let Some(found) = found() {
            return found;
        }
        assert!(started.elapsed() < PATIENCE, "it never came");
        sleep(Duration::from_millis(100));
    }
}

/// Waits for a process, and ends it when that takes too long.
pub(crate) fn wait(child: &mut Child) -> ExitStatus {
    let started = Instant::now();
    loop {
        if let Some(status) = child.try_wait().unwrap() {
            return status;
        }
        if started.elapsed() > PATIENCE {
            child.kill().ok();
            child.wait().ok();
            panic!("process {} did not end", child.id());
        }
        sleep(Duration::from_millis(20));
    }
}
