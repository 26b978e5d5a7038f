//! Who may enter: the operator by a password, programs by a token.

pub(crate) mod handlers;
mod password;
mod sessions;
mod throttle;

use std::net::IpAddr;
use std::path::Path;
use std::sync::Arc;

use bintrail_engine::Error;
use bintrail_engine::secret::Secret;
use tokio::sync::Semaphore;

use crate::random;
use crate::store::{ApiToken, Store};

pub(crate) use sessions::{Session, Sessions};
pub(crate) use throttle::Throttle;

/// A token that is shorter could be guessed.
const SHORTEST_TOKEN: usize = 32;

/// What begins a token that the operator makes for a program.
pub(crate) const API_TOKEN: &str = "bt_";

/// What is known when the console starts.
#[derive(Debug)]
pub(crate) struct Credentials {
    store: Arc<Store>,
    token: Option<[u8; 32]>,
    password_is_set: bool,
}

impl Credentials {
    pub(crate) fn new(store: Arc<Store>, token_file: Option<&Path>) -> Result<Self, Error> {
        let token = match token_file {
            None => None,
            Some(path) => {
                let token = Secret::read_file(path).map_err(|error| Error::File {
                    path: path.to_owned(),
                    error,
                })?;
                if token.expose().len() < SHORTEST_TOKEN {
                    return Err(Error::Usage(format!(
                        "the token in {} has less than {SHORTEST_TOKEN} characters, and could be guessed: make one with \
                         `openssl rand -hex 32`",
                        path.display()
                    )));
                }
                Some(random::digest(token.expose()))
            }
        };
        let password_is_set = store.password()?.is_some();
        Ok(Self {
            store,
            token,
            password_is_set,
        })
    }

    /// Is there anything to enter with?
    pub(crate) const fn is_set(&self) -> bool {
        self.token.is_some() || self.password_is_set
    }
}

/// The keeper of the doors.
#[derive(Debug)]
pub(crate) struct Auth {
    store: Arc<Store>,
    token: Option<[u8; 32]>,
    /// What proves that who sets the first password started the console, until it is set.
    setup: Option<String>,
    pub(crate) sessions: Sessions,
    pub(crate) throttle: Throttle,
    /// A hash takes 19 MiB and a core for a moment.
    hashing: Arc<Semaphore>,
}

impl Auth {
    pub(crate) fn new(credentials: Credentials, setup: Option<String>) -> Self {
        Self {
            store: credentials.store,
            token: credentials.token,
            setup,
            sessions: Sessions::default(),
            throttle: Throttle::default(),
            hashing: Arc::new(Semaphore::new(1)),
        }
    }

    /// Where the first password is set, while none is.
    pub(crate) fn setup_link(&self) -> Option<String> {
        let token = self.setup.as_ref()?;
        Some(format!("/setup?token={token}"))
    }

    pub(crate) fn is_setup_token(&self, given: &str) -> bool {
        self.setup
            .as_deref()
            .is_some_and(|token| random::digest(token) == random::digest(given))
    }

    /// May the first password still be set?
    pub(crate) fn wants_setup(&self) -> Result<bool, Error> {
        Ok(self.setup.is_some() && self.store.password()?.is_none())
    }

    /// Is it the token of `--token-file`?
    pub(crate) fn is_token(&self, given: &str) -> bool {
        self.token
            .is_some_and(|token| token == random::digest(given))
    }

    /// The token that the operator made, if it holds.
    pub(crate) fn api_token(&self, given: &str) -> Result<Option<ApiToken>, Error> {
        match given.starts_with(API_TOKEN) {
            true => self.store.token(&random::digest(given)),
            false => Ok(None),
        }
    }

    /// Is it the operator's password, or the token?
    pub(crate) async fn is_password(&self, given: String) -> Result<bool, Error> {
        if self.is_token(&given) {
            return Ok(true);
        }
        let Some(hash) = self.store.password()? else {
            return Ok(false);
        };
        self.hash(move || Ok(password::fits(&given, &hash))).await
    }

    /// Sets the first password: false when another was quicker.
    pub(crate) async fn set_password(&self, given: String, peer: IpAddr) -> Result<bool, Error> {
        let hash = self.hash(move || password::hash(&given)).await?;
        self.store.set_password(&hash, peer)
    }

    async fn hash<T: Send + 'static>(
        &self,
        what: impl FnOnce() -> Result<T, Error> + Send + 'static,
    ) -> Result<T, Error> {
        let internal = |error: String| Error::Internal(error);
        let room = Arc::clone(&self.hashing).acquire_owned().await;
        let room = room.map_err(|error| internal(error.to_string()))?;
        let done = tokio::task::spawn_blocking(move || {
            let done = what();
            drop(room);
            done
        });
        done.await.map_err(|error| internal(error.to_string()))?
    }
}
