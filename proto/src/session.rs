//! Connecting and authenticating, as a state machine without I/O.
//!
//! The driver asks [`Session::step`] what to do and does it: it reads, sends, starts TLS or encrypts by RSA,
//! until the session is [`Ready`]. Bytes and keys come in, actions and errors go out.
//!
//! A password leaves the session only as a scramble, over TLS, or in a plaintext that the
//! driver encrypts; it is in no `Debug` output and in no error.
//!
//! Source: MySQL source documentation, `page_protocol_connection_phase`.

use std::fmt;

use bytes::BytesMut;
use zeroize::Zeroizing;

use crate::auth::{self, AuthSwitchRequest, Context, Method, Reply};
use crate::capabilities::Capabilities;
use crate::error::Kind;
use crate::handshake::{HandshakeResponse41, HandshakeV10, ssl_request};
use crate::packet::{self, Framer};
use crate::response::{ErrPacket, OkPacket, ServerError};

/// When to use TLS. Whose certificate to accept is for the driver to decide.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum TlsPolicy {
    /// Never.
    Disabled,
    /// Whenever the server offers it. A handshake that fails is an error, not a reason to go on without.
    #[default]
    Preferred,
    /// Always; a server that does not offer it is an error.
    Required,
}

/// Who connects, and how.
pub struct Config {
    /// The account's user name.
    pub user: String,
    /// Its password; empty for none.
    pub password: Zeroizing<String>,
    /// The default database, if any.
    pub database: Option<String>,
    /// When to use TLS.
    pub tls: TlsPolicy,
    /// Connection attributes, for `performance_schema.session_connect_attrs`.
    pub attributes: Vec<(String, String)>,
}

/// What the driver is to do next.
#[derive(PartialEq, Eq)]
pub enum Action {
    /// Read more bytes from the server into the buffer that `step` gets.
    Read,
    /// Send these bytes.
    Send(Zeroizing<Vec<u8>>),
    /// Start TLS, then call [`Session::tls_started`].
    StartTls,
    /// Encrypt `plaintext` by RSA with OAEP (SHA-1) for `pem`, then call [`Session::encrypted`].
    Encrypt {
        /// What to encrypt.
        plaintext: Zeroizing<Vec<u8>>,
        /// The server's public key, a PEM of the kind "PUBLIC KEY".
        pem: Vec<u8>,
    },
    /// The connection takes commands.
    Ready(Ready),
}

impl fmt::Debug for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Read => f.write_str("Read"),
            Self::Send(bytes) => write!(f, "Send({} bytes)", bytes.len()),
            Self::StartTls => f.write_str("StartTls"),
            Self::Encrypt { .. } => f.write_str("Encrypt"),
            Self::Ready(ready) => ready.fmt(f),
        }
    }
}

/// What is known of a connection once it is open.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ready {
    /// For example `9.7.0` or `5.5.5-10.11.6-MariaDB-log`.
    pub server_version: String,
    /// The connection's id in `SHOW PROCESSLIST`.
    pub connection_id: u32,
    /// What both sides have.
    pub capabilities: Capabilities,
    /// Whether TLS is on.
    pub tls: bool,
}

/// Why there is no connection.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The server refused.
    #[error("{0}")]
    Server(ServerError),
    /// The account needs an authentication plugin that is not supported.
    #[error("the account uses the authentication plugin {0}, which is not supported")]
    UnsupportedPlugin(String),
    /// The account needs the password in clear, and there is no TLS to protect it.
    #[error("the account uses {0}, which would send the password in clear without TLS")]
    NeedsTls(&'static str),
    /// The account needs more than one proof.
    #[error("the account needs multi-factor authentication, which is not supported")]
    MultiFactor,
    /// TLS is required, and the server does not offer it.
    #[error("TLS is required, but the server does not offer it")]
    TlsNotOffered,
    /// Bytes that are not the protocol's.
    #[error(transparent)]
    Protocol(#[from] crate::Error),
}

/// No packet of the connection phase comes near this.
const MAX_PAYLOAD: usize = 1 << 16;

/// The most packets that an authentication may take: more than any plugin needs, and a switch.
const MAX_ROUNDS: u8 = 16;

/// One connection on its way from the greeting to the first command.
pub struct Session {
    config: Config,
    framer: Framer,
    state: State,
    rounds: u8,
    nonce: Vec<u8>,
    ready: Ready,
    method: Option<Box<dyn Method>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Greeting,
    /// The SSLRequest is sent.
    BeforeTls,
    /// The driver has TLS, or there will be none.
    Respond,
    Authenticating,
    /// The driver encrypts.
    Encrypting,
    Done,
}

impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Session")
            .field("state", &self.state)
            .field("ready", &self.ready)
            .finish_non_exhaustive()
    }
}

fn invalid(why: &'static str) -> Error {
    Error::Protocol(crate::Error::new("connection phase", Kind::Invalid(why)))
}

impl Session {
    /// A session that waits for the greeting.
    #[must_use]
    pub fn new(config: Config) -> Self {
        Self {
            config,
            framer: Framer::new(MAX_PAYLOAD),
            state: State::Greeting,
            rounds: 0,
            nonce: Vec::new(),
            ready: Ready {
                server_version: String::new(),
                connection_id: 0,
                capabilities: Capabilities::default(),
                tls: false,
            },
            method: None,
        }
    }

    /// What to do next, given what the server has sent; it consumes the packets it uses of `input`.
    ///
    /// # Errors
    /// See [`Error`]; the connection is of no more use then.
    pub fn step(&mut self, input: &mut BytesMut) -> Result<Action, Error> {
        loop {
            match self.state {
                // Anyone on the way could have put it there, to be taken for the server's.
                State::BeforeTls if !input.is_empty() => {
                    return Err(invalid("bytes in clear where TLS starts"));
                }
                State::BeforeTls => return Ok(Action::StartTls),
                State::Respond => return self.respond(),
                State::Encrypting | State::Done => {
                    return Err(invalid("step called out of order"));
                }
                State::Greeting | State::Authenticating => {}
            }
            let Some(payload) = self.framer.next_payload(input)? else {
                return Ok(Action::Read);
            };
            if payload.first() == Some(&ErrPacket::HEADER) {
                return Err(Error::Server(ServerError::parse(&payload)?));
            }
            if self.state == State::Greeting {
                return self.greeting(&payload);
            }
            if let Some(action) = self.authenticate(&payload)? {
                return Ok(action);
            }
        }
    }

    /// TLS is on; goes on with [`step`](Self::step).
    pub fn tls_started(&mut self) {
        self.ready.tls = true;
        self.state = State::Respond;
    }

    /// The result of [`Action::Encrypt`], and what to do with it.
    pub fn encrypted(&mut self, ciphertext: &[u8]) -> Action {
        self.state = State::Authenticating;
        self.send(ciphertext)
    }

    fn greeting(&mut self, payload: &[u8]) -> Result<Action, Error> {
        let greeting = HandshakeV10::parse(payload)?;
        self.nonce = greeting.nonce();
        self.method = auth::by_name(greeting.auth_plugin);
        self.ready.server_version = String::from_utf8_lossy(greeting.server_version).into_owned();
        self.ready.connection_id = greeting.connection_id;

        let mut wanted = Capabilities::LONG_PASSWORD
            | Capabilities::LONG_FLAG
            | Capabilities::PROTOCOL_41
            | Capabilities::TRANSACTIONS
            | Capabilities::SECURE_CONNECTION
            | Capabilities::PLUGIN_AUTH
            | Capabilities::PLUGIN_AUTH_LENENC_CLIENT_DATA
            | Capabilities::CONNECT_ATTRS
            | Capabilities::DEPRECATE_EOF
            | Capabilities::MULTI_FACTOR_AUTHENTICATION;
        if self.config.database.is_some() {
            wanted = wanted | Capabilities::CONNECT_WITH_DB;
        }
        let tls = match self.config.tls {
            TlsPolicy::Disabled => false,
            TlsPolicy::Preferred => greeting.capabilities.contains(Capabilities::SSL),
            TlsPolicy::Required if greeting.capabilities.contains(Capabilities::SSL) => true,
            TlsPolicy::Required => return Err(Error::TlsNotOffered),
        };
        if tls {
            wanted = wanted | Capabilities::SSL;
        }
        self.ready.capabilities = wanted & greeting.capabilities;
        if tls {
            self.state = State::BeforeTls;
            let request = ssl_request(self.ready.capabilities);
            Ok(self.send(&request))
        } else {
            self.respond()
        }
    }

    fn respond(&mut self) -> Result<Action, Error> {
        // The server's default plugin need not be the account's: one that is unknown here or cannot be used now
        // is no reason to stop.
        let mut method = match self.method.take() {
            Some(method) if self.ready.tls || !method.needs_tls() => method,
            _ => Self::fallback(self.ready.capabilities)?,
        };
        let auth_response = self.begin(method.as_mut())?;
        let response = HandshakeResponse41 {
            capabilities: self.ready.capabilities,
            user: &self.config.user,
            auth_response: &auth_response,
            database: self.config.database.as_deref().unwrap_or_default(),
            auth_plugin: method.name(),
            attributes: &self.config.attributes,
        };
        let payload = Zeroizing::new(response.to_payload()?);
        self.method = Some(method);
        self.state = State::Authenticating;
        Ok(self.send(&payload))
    }

    fn fallback(capabilities: Capabilities) -> Result<Box<dyn Method>, Error> {
        let name = if capabilities.contains(Capabilities::PLUGIN_AUTH) {
            "caching_sha2_password"
        } else {
            "mysql_native_password"
        };
        auth::by_name(name.as_bytes()).ok_or_else(|| Error::UnsupportedPlugin(name.to_owned()))
    }

    /// Takes a packet of the authentication; `None` when the server's next one comes by itself.
    fn authenticate(&mut self, payload: &[u8]) -> Result<Option<Action>, Error> {
        self.rounds = self.rounds.saturating_add(1);
        if self.rounds > MAX_ROUNDS {
            return Err(invalid("authentication does not end"));
        }
        match payload.split_first() {
            Some((&OkPacket::HEADER, _)) => {
                OkPacket::parse(payload, self.ready.capabilities)?;
                self.state = State::Done;
                Ok(Some(Action::Ready(self.ready.clone())))
            }
            Some((&AuthSwitchRequest::HEADER, _)) => {
                let switch = AuthSwitchRequest::parse(payload)?;
                let mut method = auth::by_name(switch.plugin).ok_or_else(|| {
                    Error::UnsupportedPlugin(String::from_utf8_lossy(switch.plugin).into_owned())
                })?;
                self.nonce = switch.nonce.to_vec();
                let answer = self.begin(method.as_mut())?;
                self.method = Some(method);
                Ok(Some(self.send(&answer)))
            }
            Some((&auth::NEXT_FACTOR, _)) => Err(Error::MultiFactor),
            Some((&auth::MORE_DATA, data)) => {
                let mut method = self
                    .method
                    .take()
                    .ok_or_else(|| invalid("no authentication is under way"))?;
                let reply = method.more(data, self.context())?;
                self.method = Some(method);
                match reply {
                    Reply::Wait => Ok(None),
                    Reply::Send(answer) => Ok(Some(self.send(&answer))),
                    Reply::Encrypt { plaintext, pem } => {
                        self.state = State::Encrypting;
                        Ok(Some(Action::Encrypt { plaintext, pem }))
                    }
                }
            }
            _ => Err(invalid(
                "neither OK, ERR, AuthSwitchRequest, AuthMoreData nor AuthNextFactor",
            )),
        }
    }

    /// The first answer of a plugin.
    fn begin(&self, method: &mut dyn Method) -> Result<Zeroizing<Vec<u8>>, Error> {
        if method.needs_tls() && !self.ready.tls {
            return Err(Error::NeedsTls(method.name()));
        }
        Ok(Zeroizing::new(method.start(self.context())?))
    }

    fn context(&self) -> Context<'_> {
        Context {
            password: self.config.password.as_bytes(),
            nonce: &self.nonce,
            secure: self.ready.tls,
        }
    }

    fn send(&mut self, payload: &[u8]) -> Action {
        let mut wire = Zeroizing::new(Vec::with_capacity(
            payload.len().saturating_add(packet::HEADER_LEN),
        ));
        let next = packet::write(payload, self.framer.sequence(), &mut wire);
        self.framer.set_sequence(next);
        Action::Send(wire)
    }
}

#[cfg(test)]
mod tests;
