//! Tokens for programs: what is kept of one is its hash.

use bintrail_engine::Error;
use bintrail_engine::clock::now;
use rusqlite::{OptionalExtension, Row, params};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{Act, Store};

/// How often it is noted that a token was used, in microseconds.
const NOTED: i64 = 60_000_000;

/// What a token allows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Scope {
    /// To look: `GET`.
    Read,
    /// To register, change, test, start and stop: `POST` and `PATCH`.
    Write,
    /// To decommission: `DELETE`.
    Delete,
}

/// One that holds.
#[derive(Debug, Clone)]
pub(crate) struct ApiToken {
    pub(crate) token_id: i64,
    pub(crate) name: String,
    pub(crate) scopes: Vec<Scope>,
}

/// One to be.
#[derive(Debug)]
pub(crate) struct NewToken<'t> {
    pub(crate) name: &'t str,
    pub(crate) digest: [u8; 32],
    pub(crate) scopes: &'t [Scope],
    pub(crate) expires_at: Option<i64>,
}

/// One that there is, or was.
#[derive(Debug)]
pub(crate) struct TokenRow {
    pub(crate) token: ApiToken,
    pub(crate) created_at: i64,
    pub(crate) expires_at: Option<i64>,
    pub(crate) revoked_at: Option<i64>,
    pub(crate) last_used_at: Option<i64>,
}

const COLUMNS: &str =
    "token_id, name, scopes, created_at, expires_at, revoked_at, last_used_at FROM tokens";

fn read(row: &Row<'_>) -> rusqlite::Result<TokenRow> {
    let scopes: String = row.get(2)?;
    Ok(TokenRow {
        token: ApiToken {
            token_id: row.get(0)?,
            name: row.get(1)?,
            // What cannot be read allows nothing.
            scopes: serde_json::from_str(&scopes).unwrap_or_default(),
        },
        created_at: row.get(3)?,
        expires_at: row.get(4)?,
        revoked_at: row.get(5)?,
        last_used_at: row.get(6)?,
    })
}

impl Store {
    /// The token of this hash, if it holds now.
    pub(crate) fn token(&self, digest: &[u8; 32]) -> Result<Option<ApiToken>, Error> {
        self.with(|connection| {
            let found = connection
                .prepare_cached(&format!("SELECT {COLUMNS} WHERE digest = ?1"))?
                .query_row(params![digest], read)
                .optional()?;
            let now = now();
            let Some(found) = found.filter(|found| found.holds(now)) else {
                return Ok(None);
            };
            if found.last_used_at.is_none_or(|at| now - at > NOTED) {
                connection.execute(
                    "UPDATE tokens SET last_used_at = ?2 WHERE token_id = ?1",
                    params![found.token.token_id, now],
                )?;
            }
            Ok(Some(found.token))
        })
    }

    pub(crate) fn add_token(&self, new: &NewToken<'_>, act: &Act) -> Result<TokenRow, Error> {
        let scopes = serde_json::to_string(new.scopes)
            .map_err(|error| Error::Internal(error.to_string()))?;
        self.with(|connection| {
            let transaction = connection.transaction()?;
            transaction.execute(
                "INSERT INTO tokens (name, digest, scopes, created_at, expires_at) VALUES (?1, ?2, ?3, ?4, ?5)",
                params![new.name, new.digest, scopes, now(), new.expires_at],
            )?;
            let id = transaction.last_insert_rowid();
            act.write(&transaction, &format!("token {id}"))?;
            let row = transaction.query_row(
                &format!("SELECT {COLUMNS} WHERE token_id = ?1"),
                params![id],
                read,
            )?;
            transaction.commit()?;
            Ok(row)
        })
    }

    /// All of them, newest first.
    pub(crate) fn tokens(&self) -> Result<Vec<TokenRow>, Error> {
        self.with(|connection| {
            let mut statement =
                connection.prepare_cached(&format!("SELECT {COLUMNS} ORDER BY token_id DESC"))?;
            statement.query_map([], read)?.collect()
        })
    }

    /// False where there is none that could be.
    pub(crate) fn revoke_token(&self, token_id: i64, act: &Act) -> Result<bool, Error> {
        self.with(|connection| {
            let transaction = connection.transaction()?;
            let done = transaction.execute(
                "UPDATE tokens SET revoked_at = ?2 WHERE token_id = ?1 AND revoked_at IS NULL",
                params![token_id, now()],
            )?;
            if done == 1 {
                act.write(&transaction, &format!("token {token_id}"))?;
            }
            transaction.commit()?;
            Ok(done == 1)
        })
    }
}

impl TokenRow {
    fn holds(&self, now: i64) -> bool {
        self.revoked_at.is_none() && self.expires_at.is_none_or(|at| now < at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_holds_until_it_is_revoked_or_expires() {
        let store = super::super::tests::store();
        let act = Act::new("operator", [127, 0, 0, 1].into(), "create_token");
        let add = |byte: u8, expires_at| {
            let new = NewToken {
                name: "ci",
                digest: [byte; 32],
                scopes: &[Scope::Read],
                expires_at,
            };
            store.add_token(&new, &act).unwrap().token.token_id
        };
        let lasting = add(1, None);
        add(2, Some(now() - 1));
        add(3, Some(now() + 60_000_000));
        let held = |byte: u8| store.token(&[byte; 32]).unwrap().is_some();
        assert!(held(1) && !held(2) && held(3) && !held(4));
        assert!(store.revoke_token(lasting, &act).unwrap());
        assert!(!held(1) && !store.revoke_token(lasting, &act).unwrap());
        assert!(store.tokens().unwrap()[0].last_used_at.is_some());
        assert_eq!(store.audit(None, 10).unwrap().len(), 4);
        assert_eq!(store.audit(Some(2), 10).unwrap()[0].target, "token 1");
    }
}
