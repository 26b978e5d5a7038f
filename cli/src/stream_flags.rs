//! The flags of a stream: those of `bintrail stream`, which the console's streams have, too.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use bintrail_engine::Error;
use bintrail_engine::dsn::MySqlDsn;
use bintrail_engine::filter::Filter;
use bintrail_engine::source::connection::ConnectOptions;
use bintrail_engine::tls::{SslMode, TlsOptions};
use clap::Args;

use crate::flags::{IndexArgs, complete, socket, ssl_mode};

/// A source, and what is kept of it.
#[derive(Debug, Args)]
#[command(next_help_heading = "Source")]
pub struct ServerArgs {
    /// Source: user:password@tcp(host:3306)/ or mysql://user:password@host:3306/. Of several hosts
    /// (host1:3306,host2:3306) stream goes on with the next when it loses one; tail takes the first
    #[arg(
        long,
        env = "BINTRAIL_SOURCE_DSN",
        value_name = "DSN",
        hide_env_values = true
    )]
    pub source_dsn: String,
    /// File whose first line is the source's password; beats the one in the DSN
    #[arg(long, env = "BINTRAIL_SOURCE_PASSWORD_FILE", value_name = "FILE")]
    pub source_password_file: Option<PathBuf>,
    /// Server id to replicate under [default: derived from this host, the source and, for stream, the index]
    #[arg(long, env = "BINTRAIL_SERVER_ID", value_name = "ID", value_parser = clap::value_parser!(u32).range(1..))]
    pub server_id: Option<u32>,
    /// Which tables are kept.
    #[command(flatten)]
    pub keep: KeepArgs,
    /// TLS to it.
    #[command(flatten)]
    pub tls: SourceTlsArgs,
}

/// Which tables are kept.
#[derive(Debug, Args)]
pub struct KeepArgs {
    /// Schemas to keep, separated by commas [default: all but the server's own]
    #[arg(
        long,
        env = "BINTRAIL_SCHEMAS",
        value_name = "NAMES",
        value_delimiter = ','
    )]
    pub schemas: Vec<String>,
    /// Tables to keep, as table or schema.table, separated by commas [default: all]
    #[arg(
        long,
        env = "BINTRAIL_TABLES",
        value_name = "NAMES",
        value_delimiter = ','
    )]
    pub tables: Vec<String>,
}

impl KeepArgs {
    /// The same, as a filter.
    #[must_use]
    pub fn filter(&self) -> Filter {
        Filter::new(&self.schemas, &self.tables)
    }
}

/// How row changes go to the index.
#[derive(Debug, Args)]
pub struct PaceArgs {
    /// Row changes that are written at once while the index is busy
    #[arg(
        long,
        env = "BINTRAIL_BATCH_SIZE",
        value_name = "ROWS",
        default_value_t = 1000,
        value_parser = clap::value_parser!(u64).range(1..)
    )]
    pub batch_size: u64,
    /// Memory to get by with: no more is read while what was read takes its share of it
    #[arg(
        long,
        env = "BINTRAIL_MEMORY",
        value_name = "MB",
        default_value_t = 64,
        value_parser = clap::value_parser!(u32).range(48..=8192)
    )]
    pub memory: u32,
    /// Longest time between two checkpoints
    #[arg(
        long,
        env = "BINTRAIL_CHECKPOINT",
        value_name = "SECONDS",
        default_value_t = 10,
        value_parser = clap::value_parser!(u64).range(1..=3600)
    )]
    pub checkpoint: u64,
}

/// A source, and where to begin.
#[derive(Debug, Args)]
pub struct SourceArgs {
    /// The source.
    #[command(flatten)]
    pub server: ServerArgs,
    /// Binlog file to start in
    #[arg(
        long,
        env = "BINTRAIL_START_FILE",
        help_heading = "Source",
        value_name = "FILE",
        conflicts_with = "start_gtid"
    )]
    pub start_file: Option<String>,
    /// Position to start at [default: 4]
    #[arg(
        long,
        env = "BINTRAIL_START_POS",
        help_heading = "Source",
        value_name = "POSITION",
        requires = "start_file",
        value_parser = clap::value_parser!(u64).range(4..)
    )]
    pub start_pos: Option<u64>,
    /// GTID set to start behind: MySQL's, or a position of MariaDB's such as 0-1-100
    #[arg(
        long,
        env = "BINTRAIL_START_GTID",
        help_heading = "Source",
        value_name = "GTIDS"
    )]
    pub start_gtid: Option<String>,
}

/// TLS to the source. Each beats the parameter of the same name in the DSN.
#[derive(Debug, Args)]
#[command(next_help_heading = "TLS to the source")]
pub struct SourceTlsArgs {
    /// TLS to the source: disabled, preferred (when the source offers it), required, verify-ca or
    /// verify-identity [default: preferred; verify-ca with --ssl-ca]
    #[arg(long, env = "BINTRAIL_SSL_MODE", value_name = "MODE", value_parser = ssl_mode)]
    pub ssl_mode: Option<SslMode>,
    /// PEM file of the authorities to believe [default: the system's]
    #[arg(long, env = "BINTRAIL_SSL_CA", value_name = "FILE")]
    pub ssl_ca: Option<PathBuf>,
    /// PEM file with a client certificate for the source; needs --ssl-key
    #[arg(long, env = "BINTRAIL_SSL_CERT", value_name = "FILE")]
    pub ssl_cert: Option<PathBuf>,
    /// PEM file with the client certificate's private key
    #[arg(long, env = "BINTRAIL_SSL_KEY", value_name = "FILE")]
    pub ssl_key: Option<PathBuf>,
}

/// A stream.
#[derive(Debug, Args)]
pub struct StreamArgs {
    /// How they go to the index.
    #[command(flatten)]
    pub pace: PaceArgs,
    /// Forget the checkpoint and start anew, saying what is left out
    #[arg(long, env = "BINTRAIL_RESET")]
    pub reset: bool,
    /// Longest time that the index may take nothing before stream ends; 0: wait for it for ever
    #[arg(
        long,
        env = "BINTRAIL_WRITE_TIMEOUT",
        value_name = "SECONDS",
        default_value_t = 0
    )]
    pub write_timeout: u32,
    /// Stop at a gap, changes that the source purged before they were read, instead of recording it and going
    /// on behind it
    #[arg(long, env = "BINTRAIL_NO_GAP_FILL")]
    pub no_gap_fill: bool,
    /// Longest time that the source may take to tell which changes it still has
    #[arg(
        long,
        env = "BINTRAIL_GAP_TIMEOUT",
        value_name = "SECONDS",
        default_value_t = 60,
        value_parser = clap::value_parser!(u32).range(1..)
    )]
    pub gap_timeout: u32,
    /// Address to offer metrics (/metrics) and probes (/healthz, /readyz) on, such as 127.0.0.1:9180
    #[arg(long, env = "BINTRAIL_METRICS_ADDR", value_name = "ADDRESS", value_parser = socket)]
    pub metrics_addr: Option<SocketAddr>,
    /// The source.
    #[command(flatten)]
    pub source: SourceArgs,
    /// The index.
    #[command(flatten)]
    pub index: IndexArgs,
}

impl ServerArgs {
    /// Its DSN, as it is given: of several hosts, `more_hosts` has the others.
    ///
    /// # Errors
    /// When it is none.
    pub fn dsn(&self) -> Result<MySqlDsn, Error> {
        source_dsn(&self.source_dsn)
    }

    /// How to reach it; of several hosts, the first.
    ///
    /// # Errors
    /// When the flags do not go together, or a file of theirs cannot be read.
    pub fn connect_options(&self) -> Result<ConnectOptions, Error> {
        source_options(
            &self.source_dsn,
            self.source_password_file.as_deref(),
            &self.tls,
        )
    }
}

fn source_dsn(text: &str) -> Result<MySqlDsn, Error> {
    MySqlDsn::parse(text).map_err(|error| Error::Dsn {
        what: "--source-dsn",
        error,
    })
}

/// How to reach the source of a DSN, with what the other flags say of it.
///
/// # Errors
/// When the flags do not go together, or a file of theirs cannot be read.
pub fn source_options(
    text: &str,
    password_file: Option<&Path>,
    tls: &SourceTlsArgs,
) -> Result<ConnectOptions, Error> {
    let mut dsn = source_dsn(text)?;
    let flags = TlsOptions {
        mode: tls.ssl_mode,
        ca: tls.ssl_ca.clone(),
        cert: tls.ssl_cert.clone(),
        key: tls.ssl_key.clone(),
    };
    complete(&mut dsn, flags, "", password_file)?;
    let mut options = ConnectOptions::new(&dsn.host, dsn.port, &dsn.user, dsn.password);
    options.password_file = dsn.password_file;
    options.tls = dsn.tls;
    Ok(options)
}
