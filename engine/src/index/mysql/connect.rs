//! A connection to the index server, with everything about it pinned.

use std::time::Duration;

use mysql_async::prelude::Queryable;
use mysql_async::{ClientIdentity, Conn, DriverError, Error, Opts, OptsBuilder, SslOpts};

use super::super::error::{ErrorKind, IndexError};
use super::fault::Fault;
use crate::dsn::MySqlDsn;
use crate::secret::Secret;
use crate::tls::{SslMode, TlsOptions, TlsSetupError, authorities, client_config, identity};

const CONNECT_SECONDS: u64 = 10;

/// The longest value that the server can have: what MySQL's own limit can be raised to.
const MAX_ANSWER: usize = 1 << 30;

/// An idle session that nobody keeps alive ends after this, and its lock with it: a host that
/// vanished must not hold a source for hours.
const IDLE_SECONDS: u64 = 5 * super::super::KEEP_ALIVE_SECONDS;

/// What a session of the index depends on, so that no setting of the server or of the account
/// changes what is stored. REPEATABLE READ is what every binlog format of the server takes.
const SESSION: &str = "SET SESSION sql_mode = 'STRICT_ALL_TABLES,NO_ENGINE_SUBSTITUTION',
  time_zone = '+00:00', transaction_isolation = 'REPEATABLE-READ', autocommit = 1, completion_type = 'NO_CHAIN',
  unique_checks = 1, foreign_key_checks = 1, sql_safe_updates = 0, sql_select_limit = 18446744073709551615,
  sql_big_selects = 1, max_execution_time = 0, transaction_read_only = 0,
  innodb_lock_wait_timeout = 30, lock_wait_timeout = 10,
  net_read_timeout = 120, net_write_timeout = 120, wait_timeout = ";

/// The oldest server whose SQL the view binlog_events is written in.
const OLDEST: (u16, u16, u16) = (8, 0, 14);

/// Connects to the server of `dsn`, to its database or to none.
pub(super) async fn connect(dsn: &MySqlDsn, database: Option<&str>) -> Result<Conn, Fault> {
    let mode = dsn.tls.mode();
    let connected = dial(options(dsn, database, mode)?).await;
    let mut conn = match connected {
        // Only a server that says it has no TLS gets a connection without: after any other
        // failure that would be a downgrade.
        Err(Fault::MySql(Error::Driver(DriverError::NoClientSslFlagFromServer)))
            if mode == SslMode::Preferred =>
        {
            dial(options(dsn, database, SslMode::Disabled)?).await?
        }
        connected => connected?,
    };
    let version: Option<String> = conn.query_first("SELECT VERSION()").await?;
    let version = version.unwrap_or_default();
    if version.contains("MariaDB") || conn.server_version() < OLDEST {
        return Err(IndexError::new(
            ErrorKind::Unfit,
            format!(
                "an index needs MySQL 8.0.14 or newer, and this server is {version}: name \
                 another one, or use sqlite:PATH"
            ),
        )
        .into());
    }
    conn.query_drop("SET NAMES utf8mb4 COLLATE utf8mb4_bin")
        .await?;
    conn.query_drop(format!("{SESSION}{IDLE_SECONDS}")).await?;
    if dsn.unlogged {
        unlog(&mut conn).await?;
    }
    Ok(conn)
}

/// Keeps what the session writes out of the server's binary log.
async fn unlog(conn: &mut Conn) -> Result<(), Fault> {
    match conn.query_drop("SET SESSION sql_log_bin = 0").await {
        Err(Error::Server(error)) if error.code == 1227 => Err(IndexError::new(
            ErrorKind::AccessDenied,
            "sql_log_bin=0 in the DSN needs a privilege: GRANT SESSION_VARIABLES_ADMIN ON *.* to the index's account, \
             or leave it out",
        )
        .into()),
        result => Ok(result?),
    }
}

async fn dial(options: Opts) -> Result<Conn, Fault> {
    let limit = Duration::from_secs(CONNECT_SECONDS);
    match tokio::time::timeout(limit, Conn::new(options)).await {
        Ok(connected) => Ok(connected?),
        Err(_) => Err(Fault::Timeout),
    }
}

fn options(dsn: &MySqlDsn, database: Option<&str>, mode: SslMode) -> Result<Opts, Fault> {
    let password = match &dsn.password_file {
        Some(path) => &Secret::read_again(path).map_err(|error| {
            let problem = format!("the password file {}: {error}", path.display());
            IndexError::new(ErrorKind::AccessDenied, problem)
        })?,
        None => &dsn.password,
    };
    Ok(OptsBuilder::default()
        .ip_or_hostname(dsn.host.clone())
        .tcp_port(dsn.port)
        .user(Some(dsn.user.clone()))
        .pass(Some(password.expose().to_owned()))
        .db_name(database.map(str::to_owned))
        .prefer_socket(Some(false))
        .client_found_rows(true)
        // Else the server's limit for what it takes would hold for what it sends, too.
        .max_allowed_packet(Some(MAX_ANSWER))
        .tcp_keepalive(Some(Duration::from_secs(30)))
        .ssl_opts(ssl_options(&dsn.tls, mode)?)
        .into())
}

/// What the driver calls it. It gets the files' contents: what is wrong with them is said better here.
fn ssl_options(tls: &TlsOptions, mode: SslMode) -> Result<Option<SslOpts>, TlsSetupError> {
    if mode == SslMode::Disabled {
        return Ok(None);
    }
    // Finds the faults that are in the files.
    client_config(tls)?;
    let identity = match (&tls.cert, &tls.key) {
        (Some(cert), Some(key)) => {
            let identity = identity(cert, key)?;
            Some(ClientIdentity::new(
                identity.chain_pem.into(),
                identity.key_pem.to_vec().into(),
            ))
        }
        _ => None,
    };
    let ssl = SslOpts::default().with_client_identity(identity);
    if !mode.verifies() {
        return Ok(Some(
            ssl.with_danger_accept_invalid_certs(true)
                .with_danger_skip_domain_validation(true),
        ));
    }
    let authorities = authorities(tls.ca.as_deref())?;
    // Its built-in ones are those that browsers believe, for a system that has none.
    let ssl = ssl
        .with_disable_built_in_roots(!authorities.is_empty())
        .with_root_certs(
            authorities
                .iter()
                .map(|authority| authority.to_vec().into())
                .collect(),
        );
    Ok(Some(if mode == SslMode::VerifyCa {
        // The driver (0.37.1) knows a wrong name by this word in the error's text, which no longer has it, except
        // as the name that was expected. Only the name is let pass so, and only after the chain is checked.
        ssl.with_danger_skip_domain_validation(true)
            .with_danger_tls_hostname_override(Some("NotValidForName"))
    } else {
        ssl
    }))
}
