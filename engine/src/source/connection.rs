//! A connection to a source server: small queries, then perhaps a replication stream.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bintrail_proto::command::{self, BinlogDump, BinlogDumpGtid, RegisterReplica};
use bintrail_proto::response::{ErrPacket, OkPacket, ServerError};
use bintrail_proto::resultset::{Answer, Collector, ResultSet};
use bintrail_proto::session::{Action, Config, Ready, Session, TlsPolicy};
use bytes::BytesMut;
use rustls::ClientConfig;
use tokio::io::AsyncWriteExt;
use tokio::time::timeout;
use zeroize::Zeroizing;

use super::Error;
use super::packets::{Packets, fill};
use super::replication::{MAX_EVENT_PACKET, ReplicationStream};
use super::rsa;
use super::transport::Transport;
use crate::secret::Secret;
use crate::tls::{SslMode, TlsOptions, client_config, explain};

/// The most that one answer to a query may take: the columns of a million tables.
const MAX_ANSWER: usize = 1 << 30;

/// What the connection phase reads at a time; its packets are short.
const HANDSHAKE_BLOCK: usize = 16 * 1024;

/// Where and how to connect.
#[derive(Debug, Clone)]
pub struct ConnectOptions {
    /// A name or an address. All addresses of a name are tried.
    pub host: String,
    /// The TCP port.
    pub port: u16,
    /// The account's user name.
    pub user: String,
    /// Its password; empty for none.
    pub password: Secret,
    /// The file that has it, and is read for each connection: it may be given a new one.
    pub password_file: Option<PathBuf>,
    /// Whether to encrypt, and whom to believe.
    pub tls: TlsOptions,
    /// How long connecting may take, from the name look-up to the end of authentication.
    pub connect_timeout: Duration,
    /// How long the server may be silent while it owes an answer or, in a replication stream, at all. There it must
    /// be longer than the heartbeat period.
    pub read_timeout: Duration,
}

impl ConnectOptions {
    /// An account on a server, with the defaults: TLS preferred, 10 s to connect, 60 s of silence.
    #[must_use]
    pub fn new(host: &str, port: u16, user: &str, password: Secret) -> Self {
        Self {
            host: host.to_owned(),
            port,
            user: user.to_owned(),
            password,
            password_file: None,
            tls: TlsOptions::default(),
            connect_timeout: Duration::from_secs(10),
            read_timeout: Duration::from_secs(60),
        }
    }

    /// The same account on this server, and then on each of `more`.
    pub(crate) fn on_each(&self, more: &[(String, u16)]) -> Vec<Self> {
        let more = more.iter().map(|(host, port)| Self {
            host: host.clone(),
            port: *port,
            ..self.clone()
        });
        std::iter::once(self.clone()).chain(more).collect()
    }

    fn session(&self) -> Result<Session, Error> {
        let password = match &self.password_file {
            Some(path) => &Secret::read_again(path).map_err(|error| Error::PasswordFile {
                path: path.clone(),
                error,
            })?,
            None => &self.password,
        };
        let attributes = [
            ("_client_name", env!("CARGO_PKG_NAME")),
            ("_client_version", env!("CARGO_PKG_VERSION")),
            ("_os", std::env::consts::OS),
            ("_platform", std::env::consts::ARCH),
            ("program_name", "bintrail"),
        ];
        Ok(Session::new(Config {
            user: self.user.clone(),
            password: Zeroizing::new(password.expose().to_owned()),
            database: None,
            tls: match self.tls.mode() {
                SslMode::Disabled => TlsPolicy::Disabled,
                SslMode::Preferred => TlsPolicy::Preferred,
                SslMode::Required | SslMode::VerifyCa | SslMode::VerifyIdentity => {
                    TlsPolicy::Required
                }
            },
            attributes: attributes
                .iter()
                .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
                .chain([("_pid".to_owned(), std::process::id().to_string())])
                .collect(),
        }))
    }
}

/// The answer to a query that has rows.
pub type Rows = ResultSet;

/// An open connection.
///
/// Its commands are not cancel-safe: once one was dropped half-way, all others fail.
#[derive(Debug)]
pub struct Connection {
    packets: Packets,
    ready: Ready,
    /// A command is under way, or was when its future was dropped or failed.
    busy: bool,
}

impl Connection {
    /// Connects and authenticates.
    ///
    /// # Errors
    /// See [`Error`]; any of its variants up to [`Error::Server`].
    pub async fn connect(options: &ConnectOptions) -> Result<Self, Error> {
        // Files that cannot be used are a fault here, whether or not the server has TLS.
        let tls = match options.tls.mode() {
            SslMode::Disabled => None,
            _ => Some(client_config(&options.tls)?),
        };
        let limit = options.connect_timeout;
        let started = Instant::now();
        let transport = Transport::connect(&options.host, options.port, limit).await?;
        let left = limit.saturating_sub(started.elapsed());
        timeout(left, Self::open(transport, options, tls))
            .await
            .unwrap_or_else(|_| {
                Err(Error::HandshakeTimeout {
                    address: format!("{}:{}", options.host, options.port),
                    after: limit,
                })
            })
    }

    async fn open(
        mut transport: Transport,
        options: &ConnectOptions,
        tls: Option<Arc<ClientConfig>>,
    ) -> Result<Self, Error> {
        let mut session = options.session()?;
        let mut input = BytesMut::with_capacity(HANDSHAKE_BLOCK);
        let mut action = session.step(&mut input)?;
        loop {
            action = match action {
                Action::Read => {
                    input.reserve(HANDSHAKE_BLOCK);
                    fill(&mut transport, &mut input)
                        .await
                        .map_err(Error::in_handshake)?;
                    session.step(&mut input)?
                }
                Action::Send(wire) => {
                    let sent = async {
                        transport.write_all(&wire).await?;
                        transport.flush().await
                    };
                    if let Err(error) = sent.await {
                        // A server that hung up may have said why: that it takes no such client certificate.
                        let cause = fill(&mut transport, &mut input).await.err();
                        return Err(Error::in_handshake(
                            cause
                                .filter(|cause| explain(cause).is_some())
                                .unwrap_or(error),
                        ));
                    }
                    session.step(&mut input)?
                }
                Action::StartTls => {
                    // The session starts TLS only where it may.
                    let config = tls.clone().ok_or(Error::TlsNotOffered)?;
                    transport = transport
                        .start_tls(&options.host, options.tls.mode(), config)
                        .await?;
                    session.tls_started();
                    session.step(&mut input)?
                }
                Action::Encrypt { plaintext, pem } => {
                    session.encrypted(&rsa::encrypt(&plaintext, &pem)?)
                }
                Action::Ready(ready) => {
                    return Ok(Self {
                        packets: Packets::new(transport, input, options.read_timeout),
                        ready,
                        busy: false,
                    });
                }
            };
        }
    }

    /// The server's version, for example `9.7.0` or `5.5.5-10.11.6-MariaDB-log`.
    #[must_use]
    pub fn server_version(&self) -> &str {
        &self.ready.server_version
    }

    /// The connection's id in `SHOW PROCESSLIST`.
    #[must_use]
    pub const fn connection_id(&self) -> u32 {
        self.ready.connection_id
    }

    /// Whether the connection is encrypted.
    #[must_use]
    pub const fn is_tls(&self) -> bool {
        self.ready.tls
    }

    /// Runs a statement that answers with rows; the whole answer is held in memory, up to 1 GiB.
    ///
    /// # Errors
    /// The server's error (the connection stays usable), or a broken connection. A statement
    /// without a result set gives no columns and no rows.
    pub async fn query(&mut self, statement: &str) -> Result<Rows, Error> {
        match self.answer(statement).await? {
            Answer::Rows(rows) => Ok(rows),
            Answer::Ok { .. } => Ok(Rows::default()),
            Answer::Err(error) => Err(Error::from_server(error)),
        }
    }

    /// Runs a statement for its effect.
    ///
    /// # Errors
    /// As [`query`](Self::query).
    pub async fn execute(&mut self, statement: &str) -> Result<(), Error> {
        self.query(statement).await.map(drop)
    }

    /// Runs a statement for its effect, and tells how many rows it changed.
    ///
    /// # Errors
    /// As [`query`](Self::query).
    pub async fn change(&mut self, statement: &str) -> Result<u64, Error> {
        match self.answer(statement).await? {
            Answer::Rows(_) => Ok(0),
            Answer::Ok { affected_rows } => Ok(affected_rows),
            Answer::Err(error) => Err(Error::from_server(error)),
        }
    }

    /// Asks whether the server is there.
    ///
    /// # Errors
    /// As [`query`](Self::query).
    pub async fn ping(&mut self) -> Result<(), Error> {
        self.acknowledged(command::PING).await
    }

    /// Has the server list this connection in `SHOW REPLICAS` as `server_id`.
    ///
    /// # Errors
    /// As [`query`](Self::query); [`Error::PrivilegeMissing`] or [`Error::AccessDenied`] without REPLICATION SLAVE.
    pub async fn register_replica(
        &mut self,
        server_id: u32,
        host: &str,
        port: u16,
    ) -> Result<(), Error> {
        let command = RegisterReplica {
            server_id,
            host,
            port,
        };
        self.acknowledged(&command.to_payload()?).await
    }

    /// Asks for the events of `file` from `position` on, and of the files behind it.
    ///
    /// `flags` are those of [`command::dump_flags`]. The server's refusal comes from the stream's first read.
    ///
    /// # Errors
    /// A position above 4 GiB, which the protocol cannot express, or a broken connection.
    pub async fn dump_by_position(
        self,
        server_id: u32,
        file: &[u8],
        position: u64,
        flags: u16,
    ) -> Result<ReplicationStream, Error> {
        let command = BinlogDump {
            file,
            position,
            flags,
            server_id,
        };
        let payload = command.to_payload()?;
        self.dump(&payload).await
    }

    /// Asks for the transactions that `gtid_set`, encoded as MySQL does, does not hold, from the beginning of `file` on;
    /// without its name from where the server finds the first of them.
    ///
    /// `flags` are those of [`command::dump_flags`]. The server's refusal comes from the stream's first read.
    ///
    /// # Errors
    /// A broken connection.
    pub async fn dump_by_gtid(
        self,
        server_id: u32,
        file: &[u8],
        gtid_set: &[u8],
        flags: u16,
    ) -> Result<ReplicationStream, Error> {
        let command = BinlogDumpGtid {
            file,
            gtid_set,
            flags,
            server_id,
        };
        let payload = command.to_payload()?;
        self.dump(&payload).await
    }

    /// Says goodbye to the server and closes the connection.
    pub async fn close(mut self) {
        // Nothing hangs on it: the server takes a closed socket for the same.
        if !self.busy && self.packets.command(command::QUIT, 0).await.is_ok() {
            self.packets.shutdown().await;
        }
    }

    async fn dump(mut self, payload: &[u8]) -> Result<ReplicationStream, Error> {
        self.start()?;
        self.packets.command(payload, MAX_EVENT_PACKET).await?;
        Ok(ReplicationStream::new(self.packets))
    }

    async fn answer(&mut self, statement: &str) -> Result<Answer, Error> {
        let capabilities = self.ready.capabilities;
        self.run(&command::query(statement), async |packets| {
            let mut collector = Collector::new(capabilities, MAX_ANSWER);
            loop {
                if let Some(answer) = collector.push(&packets.next().await?)? {
                    return Ok(answer);
                }
            }
        })
        .await
    }

    async fn acknowledged(&mut self, payload: &[u8]) -> Result<(), Error> {
        let capabilities = self.ready.capabilities;
        let error = self
            .run(payload, async |packets| {
                let answer = packets.next().await?;
                if answer.first() == Some(&ErrPacket::HEADER) {
                    return Ok(Some(ServerError::parse(&answer)?));
                }
                OkPacket::parse(&answer, capabilities)?;
                Ok(None)
            })
            .await?;
        error.map_or(Ok(()), |error| Err(Error::from_server(error)))
    }

    /// Sends a command and has `read` take the whole answer; if it does not, the connection is of no more use.
    async fn run<T>(
        &mut self,
        payload: &[u8],
        read: impl AsyncFnOnce(&mut Packets) -> Result<T, Error>,
    ) -> Result<T, Error> {
        self.start()?;
        self.packets.command(payload, MAX_ANSWER).await?;
        let answer = read(&mut self.packets).await?;
        self.busy = false;
        Ok(answer)
    }

    fn start(&mut self) -> Result<(), Error> {
        if std::mem::replace(&mut self.busy, true) {
            return Err(Error::Lost(io::Error::other(
                "an earlier command was left half-way",
            )));
        }
        Ok(())
    }
}
