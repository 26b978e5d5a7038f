//! A console of a test's own, and HTTP without a client that would mend what a test breaks.

// Each of the two tests uses its part.
#![allow(dead_code, reason = "shared by tests")]

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bintrail_engine::dsn::IndexDsn;
use bintrail_engine::index::Index;
use serde_json::Value;

pub(crate) const PASSWORD: &str = "correct horse battery";
pub(crate) const TOKEN: &str = "0123456789abcdef0123456789abcdef";

/// A directory that is gone after the test.
pub(crate) struct Place(PathBuf);

impl Place {
    pub(crate) fn new() -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let next = NEXT.fetch_add(1, Ordering::Relaxed);
        let path =
            std::env::temp_dir().join(format!("bintrail-console-{}-{next}", std::process::id()));
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    /// A program in the place of another.
    pub(crate) fn program(&self, name: &str, script: &str) -> PathBuf {
        use std::os::unix::fs::PermissionsExt;
        let path = self.path(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, format!("#!/bin/sh\n{script}\n")).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
        path
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    /// An empty index.
    pub(crate) fn index(&self) -> String {
        let dsn = format!("sqlite:{}", self.path("index.db").display());
        let runtime = tokio::runtime::Runtime::new().unwrap();
        runtime.block_on(async {
            let dsn = IndexDsn::parse(&dsn).unwrap();
            Index::open(&dsn, true)
                .await
                .unwrap()
                .close()
                .await
                .unwrap();
        });
        dsn
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        // Streams outlive their console, and a test that fails has not stopped them.
        for process in std::fs::read_dir("/proc").into_iter().flatten().flatten() {
            let name = process.file_name();
            let pid = name.to_string_lossy().parse::<u32>();
            let cwd = std::fs::read_link(process.path().join("cwd"));
            if let (Ok(pid), Ok(cwd)) = (pid, cwd)
                && cwd.starts_with(&self.0)
                && pid != std::process::id()
            {
                let _ = Command::new("kill").args(["-9", &pid.to_string()]).status();
            }
        }
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

pub(crate) fn command(place: &Place, index: &str) -> Command {
    command_at("127.0.0.1:0", place, index)
}

pub(crate) fn command_at(listen: &str, place: &Place, index: &str) -> Command {
    let mut command = looking_at(listen, place, index);
    command
        .args(["--control", "--supervisor", "process", "--password-dir"])
        .arg(place.path("passwords"))
        .env("BINTRAIL_CONSOLE_BINTRAIL", "/bin/false");
    command
}

/// Without `--control`.
pub(crate) fn looking(place: &Place, index: &str) -> Command {
    looking_at("127.0.0.1:0", place, index)
}

fn looking_at(listen: &str, place: &Place, index: &str) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_bintrail-console"));
    command
        .args(["--listen", listen, "--index-dsn", index])
        .arg("--console-store")
        .arg(place.path("console.db"))
        .current_dir(&place.0);
    for (name, _) in std::env::vars() {
        if name.starts_with("BINTRAIL_") {
            command.env_remove(name);
        }
    }
    command
}

/// The program beside the console's: `cargo test --workspace` builds both.
pub(crate) fn bintrail() -> PathBuf {
    let path = Path::new(env!("CARGO_BIN_EXE_bintrail-console")).with_file_name("bintrail");
    assert!(path.exists(), "build it first: cargo build -p bintrail");
    path
}

/// A console that runs.
pub(crate) struct Console {
    child: Child,
    pub(crate) address: SocketAddr,
    /// The link of the first run, without the address.
    pub(crate) setup: Option<String>,
    log: Arc<Mutex<String>>,
}

impl Console {
    pub(crate) fn start(command: &mut Command) -> Self {
        let mut child = command.stderr(Stdio::piped()).spawn().unwrap();
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
        let log = Arc::new(Mutex::new(String::new()));
        let found = lines.by_ref().map(Result::unwrap).find_map(|line| {
            log.lock().unwrap().push_str(&format!("{line}\n"));
            let (_, link) = line.split_once("://")?;
            let (address, path) = link.split_once('/')?;
            let setup = path.starts_with("setup").then(|| format!("/{path}"));
            Some((address.parse().unwrap(), setup))
        });
        let Some((address, setup)) = found else {
            panic!("{}", log.lock().unwrap());
        };
        let kept = Arc::clone(&log);
        std::thread::spawn(move || {
            for line in lines.map_while(Result::ok) {
                kept.lock().unwrap().push_str(&format!("{line}\n"));
            }
        });
        Self {
            child,
            address,
            setup,
            log,
        }
    }

    pub(crate) fn log(&self) -> String {
        self.log.lock().unwrap().clone()
    }

    /// With a token, and none set by a person.
    pub(crate) fn with_token(place: &Place, index: &str) -> Self {
        let file = place.path("token");
        std::fs::write(&file, format!("{TOKEN}\n")).unwrap();
        Self::start(command(place, index).arg("--token-file").arg(&file))
    }

    /// Sets the password, as on the first run: the session's cookie.
    pub(crate) fn set_up(&self) -> String {
        let link = self.setup.as_deref().unwrap();
        let token = link.split_once("token=").unwrap().1;
        let form = format!("token={token}&password={PASSWORD}&again={PASSWORD}");
        let answer = self.post("/setup", &[], &form.replace(' ', "+"));
        assert_eq!(answer.status, 303, "{answer:?}");
        answer.cookie()
    }

    pub(crate) fn get(&self, path: &str, headers: &[(&str, &str)]) -> Answer {
        self.send("GET", path, headers, b"")
    }

    /// A request with a JSON body, and what it answers as JSON.
    pub(crate) fn json(&self, method: &str, path: &str, token: &str, body: &str) -> (u16, Value) {
        let bearer = format!("Bearer {token}");
        let mut headers = vec![("authorization", &*bearer)];
        if !body.is_empty() {
            headers.push(("content-type", "application/json"));
        }
        let answer = self.send(method, path, &headers, body.as_bytes());
        let value = serde_json::from_str(&answer.body).unwrap_or(Value::Null);
        (answer.status, value)
    }

    pub(crate) fn post(&self, path: &str, headers: &[(&str, &str)], form: &str) -> Answer {
        let kind = ("content-type", "application/x-www-form-urlencoded");
        let headers: Vec<_> = headers.iter().copied().chain([kind]).collect();
        self.send("POST", path, &headers, form.as_bytes())
    }

    /// One request; a `host` in the headers replaces the right one.
    pub(crate) fn send(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: &[u8],
    ) -> Answer {
        let mut head = format!("{method} {path} HTTP/1.1\r\nconnection: close\r\n");
        if !headers.iter().any(|(name, _)| *name == "host") {
            head.push_str(&format!("host: {}\r\n", self.address));
        }
        for (name, value) in headers {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        if !body.is_empty() || method != "GET" {
            head.push_str(&format!("content-length: {}\r\n", body.len()));
        }
        head.push_str("\r\n");
        let mut bytes = head.into_bytes();
        bytes.extend_from_slice(body);
        self.raw(&bytes)
    }

    /// Bytes as they are.
    pub(crate) fn raw(&self, bytes: &[u8]) -> Answer {
        let mut stream = TcpStream::connect(self.address).unwrap();
        stream
            .set_read_timeout(Some(Duration::from_secs(30)))
            .unwrap();
        // It may answer before it has read all, and then not listen any more.
        let _ = stream.write_all(bytes);
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer);
        Answer::parse(&answer)
    }
}

impl Drop for Console {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Console {
    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Ends it as `kill -9` does: nothing is put in order.
    pub(crate) fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

/// What came back.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    headers: Vec<(String, String)>,
    pub(crate) body: String,
}

impl Answer {
    fn parse(bytes: &[u8]) -> Self {
        let text = String::from_utf8_lossy(bytes);
        let (head, body) = text.split_once("\r\n\r\n").unwrap_or((&text, ""));
        let mut lines = head.lines();
        let status = lines.next().and_then(|line| line.split(' ').nth(1));
        Self {
            status: status.and_then(|status| status.parse().ok()).unwrap_or(0),
            headers: lines
                .filter_map(|line| line.split_once(": "))
                .map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned()))
                .collect(),
            body: body.to_owned(),
        }
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let found = self.headers.iter().find(|(key, _)| key == name);
        found.map(|(_, value)| value.as_str())
    }

    /// `name=value` of the cookie that it sets.
    pub(crate) fn cookie(&self) -> String {
        let cookie = self.header("set-cookie").unwrap();
        cookie.split(';').next().unwrap().to_owned()
    }
}

/// What a page shows its scripts.
pub(crate) fn csrf_of(page: &str) -> String {
    let rest = page.split_once("name=\"csrf\" content=\"").unwrap().1;
    rest.split('"').next().unwrap().to_owned()
}

pub(crate) fn mode_of(path: &Path) -> u32 {
    use std::os::unix::fs::PermissionsExt;
    std::fs::metadata(path).unwrap().permissions().mode() & 0o777
}
