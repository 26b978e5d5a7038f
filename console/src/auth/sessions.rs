//! Who is logged in. Sessions end with the process.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use bintrail_engine::Error;

use crate::random;

/// A session that was not used for so long is over; an open page uses it.
const IDLE: Duration = Duration::from_secs(12 * 3_600);

/// And after so long in any case.
const LONGEST: Duration = Duration::from_secs(30 * 24 * 3_600);

/// More of them than one operator opens. The one that was not used for longest makes room.
const MOST: usize = 200;

/// One that holds.
#[derive(Debug, Clone)]
pub(crate) struct Session {
    /// Its key, of what is in the cookie.
    pub(crate) key: [u8; 32],
    /// What a request that changes something has to show, too: pages of other sites do not know it.
    pub(crate) csrf: String,
}

#[derive(Debug)]
struct Held {
    csrf: String,
    begun: Instant,
    used: Instant,
}

/// All of them.
#[derive(Debug, Default)]
pub(crate) struct Sessions(Mutex<HashMap<[u8; 32], Held>>);

impl Sessions {
    /// Begins one: what goes into the cookie.
    pub(crate) fn begin(&self) -> Result<String, Error> {
        let token = random::text()?;
        let now = Instant::now();
        let held = Held {
            csrf: random::text()?,
            begun: now,
            used: now,
        };
        let mut sessions = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        sessions.retain(|_, held| held.holds(now));
        if sessions.len() >= MOST {
            let oldest = sessions.iter().min_by_key(|(_, held)| held.used);
            if let Some(key) = oldest.map(|(key, _)| *key) {
                sessions.remove(&key);
            }
        }
        sessions.insert(random::digest(&token), held);
        Ok(token)
    }

    /// The session of a cookie, if it holds.
    pub(crate) fn find(&self, token: &str) -> Option<Session> {
        let key = random::digest(token);
        let csrf = self.touch(key)?;
        Some(Session { key, csrf })
    }

    /// Does it still hold? It is used now.
    pub(crate) fn holds(&self, session: &Session) -> bool {
        self.touch(session.key).is_some()
    }

    fn touch(&self, key: [u8; 32]) -> Option<String> {
        let now = Instant::now();
        let mut sessions = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let held = sessions.get_mut(&key).filter(|held| held.holds(now))?;
        held.used = now;
        Some(held.csrf.clone())
    }

    pub(crate) fn end(&self, session: &Session) {
        let mut sessions = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        sessions.remove(&session.key);
    }
}

impl Held {
    fn holds(&self, now: Instant) -> bool {
        now.duration_since(self.used) < IDLE && now.duration_since(self.begun) < LONGEST
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_session_holds_until_it_ends_or_is_old() {
        let sessions = Sessions::default();
        let token = sessions.begin().unwrap();
        let session = sessions.find(&token).unwrap();
        assert!(sessions.find("another").is_none());
        assert!(sessions.holds(&session));
        sessions.end(&session);
        assert!(!sessions.holds(&session) && sessions.find(&token).is_none());

        let begun = Instant::now();
        let held = Held {
            csrf: String::new(),
            begun,
            used: begun + LONGEST - IDLE / 2,
        };
        assert!(held.holds(begun + LONGEST - Duration::from_secs(1)));
        assert!(!held.holds(begun + LONGEST));
        let idle = Held {
            used: begun,
            ..held
        };
        assert!(!idle.holds(begun + IDLE));
    }

    #[test]
    fn there_are_never_too_many() {
        let sessions = Sessions::default();
        let first = sessions.begin().unwrap();
        let second = sessions.begin().unwrap();
        assert!(sessions.find(&first).is_some());
        for _ in 0..MOST - 1 {
            sessions.begin().unwrap();
        }
        assert!(sessions.find(&first).is_some());
        assert!(sessions.find(&second).is_none());
    }
}
