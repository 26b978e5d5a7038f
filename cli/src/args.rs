//! The command line.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use bintrail_engine::clock;
use bintrail_engine::index::record::Micros;
use bintrail_engine::query::moment;
use bintrail_engine::tls::SslMode;
use clap::{Args, CommandFactory, FromArgMatches, Parser, Subcommand, ValueEnum};

use crate::env_file;

/// Keeps every row change of a MySQL or MariaDB server in a queryable change index.
#[derive(Debug, Parser)]
#[command(name = "bintrail", version, propagate_version = true)]
pub(crate) struct Cli {
    /// Least severity of what is logged, to standard error
    #[arg(
        long,
        global = true,
        env = "BINTRAIL_LOG_LEVEL",
        value_name = "LEVEL",
        default_value = "info"
    )]
    pub(crate) log_level: LogLevel,
    /// Form of the log
    #[arg(
        long,
        global = true,
        env = "BINTRAIL_LOG_FORMAT",
        value_name = "FORMAT",
        default_value = "text"
    )]
    pub(crate) log_format: LogFormat,
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
pub(crate) enum LogLevel {
    Error,
    Warn,
    Info,
    Debug,
    Trace,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
pub(crate) enum LogFormat {
    Text,
    Json,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Replicate from a source and keep its row changes in the index
    Stream(StreamArgs),
    /// Print the row changes that fit a question
    Query(QueryArgs),
    /// Shows rows as they were at a moment, or their history
    Show(ShowArgs),
    /// Write the SQL that undoes row changes, or run it
    Recover(RecoverArgs),
    /// Show every source's stream: where it is, how far behind, what it covers
    Status(StatusArgs),
    /// Make the index's tables where they are missing
    Init(IndexArgs),
    /// Print the row changes in binlog files
    Decode(DecodeArgs),
    /// Print a live source's row changes as they are committed
    Tail(TailArgs),
    /// Look for what stands in the way of a stream, or puts it at risk, and say what mends it
    Doctor(DoctorArgs),
}

#[derive(Debug, Args)]
pub(crate) struct IndexArgs {
    /// Index: sqlite:PATH, user:password@tcp(host:3306)/database or mysql://user:password@host:3306/database
    #[arg(
        long,
        env = "BINTRAIL_INDEX_DSN",
        value_name = "DSN",
        default_value = "sqlite:bintrail.db",
        hide_env_values = true
    )]
    pub(crate) index_dsn: String,
    /// File whose first line is the index's password; beats the one in the DSN
    #[arg(long, env = "BINTRAIL_INDEX_PASSWORD_FILE", value_name = "FILE")]
    pub(crate) index_password_file: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) tls: IndexTlsArgs,
}

#[derive(Debug, Args)]
pub(crate) struct ServerArgs {
    /// Source: user:password@tcp(host:3306)/ or mysql://user:password@host:3306/. Of several hosts
    /// (host1:3306,host2:3306) stream goes on with the next when it loses one; tail takes the first
    #[arg(
        long,
        env = "BINTRAIL_SOURCE_DSN",
        value_name = "DSN",
        hide_env_values = true
    )]
    pub(crate) source_dsn: String,
    /// File whose first line is the source's password; beats the one in the DSN
    #[arg(long, env = "BINTRAIL_SOURCE_PASSWORD_FILE", value_name = "FILE")]
    pub(crate) source_password_file: Option<PathBuf>,
    /// Server id to replicate under [default: derived from this host, the source and the index]
    #[arg(long, env = "BINTRAIL_SERVER_ID", value_name = "ID", value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) server_id: Option<u32>,
    /// Schemas to keep, separated by commas [default: all but the server's own]
    #[arg(
        long,
        env = "BINTRAIL_SCHEMAS",
        value_name = "NAMES",
        value_delimiter = ','
    )]
    pub(crate) schemas: Vec<String>,
    /// Tables to keep, as table or schema.table, separated by commas [default: all]
    #[arg(
        long,
        env = "BINTRAIL_TABLES",
        value_name = "NAMES",
        value_delimiter = ','
    )]
    pub(crate) tables: Vec<String>,
    #[command(flatten)]
    pub(crate) tls: SourceTlsArgs,
}

#[derive(Debug, Args)]
pub(crate) struct SourceArgs {
    #[command(flatten)]
    pub(crate) server: ServerArgs,
    /// Binlog file to start in
    #[arg(
        long,
        env = "BINTRAIL_START_FILE",
        value_name = "FILE",
        conflicts_with = "start_gtid"
    )]
    pub(crate) start_file: Option<String>,
    /// Position to start at [default: 4]
    #[arg(
        long,
        env = "BINTRAIL_START_POS",
        value_name = "POSITION",
        requires = "start_file",
        value_parser = clap::value_parser!(u64).range(4..)
    )]
    pub(crate) start_pos: Option<u64>,
    /// GTID set to start behind: MySQL's, or a position of MariaDB's such as 0-1-100
    #[arg(long, env = "BINTRAIL_START_GTID", value_name = "GTIDS")]
    pub(crate) start_gtid: Option<String>,
}

/// TLS to the source. Each beats the parameter of the same name in the DSN.
#[derive(Debug, Args)]
pub(crate) struct SourceTlsArgs {
    /// TLS to the source: disabled, preferred (when the source offers it), required, verify-ca or
    /// verify-identity [default: preferred; verify-ca with --ssl-ca]
    #[arg(long, env = "BINTRAIL_SSL_MODE", value_name = "MODE", value_parser = ssl_mode)]
    pub(crate) ssl_mode: Option<SslMode>,
    /// PEM file of the authorities to believe [default: the system's]
    #[arg(long, env = "BINTRAIL_SSL_CA", value_name = "FILE")]
    pub(crate) ssl_ca: Option<PathBuf>,
    /// PEM file with a client certificate for the source; needs --ssl-key
    #[arg(long, env = "BINTRAIL_SSL_CERT", value_name = "FILE")]
    pub(crate) ssl_cert: Option<PathBuf>,
    /// PEM file with the client certificate's private key
    #[arg(long, env = "BINTRAIL_SSL_KEY", value_name = "FILE")]
    pub(crate) ssl_key: Option<PathBuf>,
}

/// TLS to an index on a MySQL server, likewise.
#[derive(Debug, Args)]
pub(crate) struct IndexTlsArgs {
    /// TLS to the index, as --ssl-mode has it for the source
    #[arg(long, env = "BINTRAIL_INDEX_SSL_MODE", value_name = "MODE", value_parser = ssl_mode)]
    pub(crate) index_ssl_mode: Option<SslMode>,
    /// PEM file of the authorities to believe of the index [default: the system's]
    #[arg(long, env = "BINTRAIL_INDEX_SSL_CA", value_name = "FILE")]
    pub(crate) index_ssl_ca: Option<PathBuf>,
    /// PEM file with a client certificate for the index; needs --index-ssl-key
    #[arg(long, env = "BINTRAIL_INDEX_SSL_CERT", value_name = "FILE")]
    pub(crate) index_ssl_cert: Option<PathBuf>,
    /// PEM file with that client certificate's private key
    #[arg(long, env = "BINTRAIL_INDEX_SSL_KEY", value_name = "FILE")]
    pub(crate) index_ssl_key: Option<PathBuf>,
}

fn ssl_mode(name: &str) -> Result<SslMode, String> {
    SslMode::from_name(name).ok_or_else(|| format!("it is {}", SslMode::NAMES))
}

#[derive(Debug, Args)]
pub(crate) struct StreamArgs {
    #[command(flatten)]
    pub(crate) index: IndexArgs,
    #[command(flatten)]
    pub(crate) source: SourceArgs,
    /// Row changes that are written at once while the index is busy
    #[arg(
        long,
        env = "BINTRAIL_BATCH_SIZE",
        value_name = "ROWS",
        default_value_t = 1000,
        value_parser = clap::value_parser!(u64).range(1..)
    )]
    pub(crate) batch_size: u64,
    /// Longest time between two checkpoints
    #[arg(
        long,
        env = "BINTRAIL_CHECKPOINT",
        value_name = "SECONDS",
        default_value_t = 10,
        value_parser = clap::value_parser!(u64).range(1..=3600)
    )]
    pub(crate) checkpoint: u64,
    /// Forget the checkpoint and start anew, saying what is left out
    #[arg(long, env = "BINTRAIL_RESET")]
    pub(crate) reset: bool,
    /// Longest time that the index may take nothing before stream ends; 0: wait for it for ever
    #[arg(
        long,
        env = "BINTRAIL_WRITE_TIMEOUT",
        value_name = "SECONDS",
        default_value_t = 0
    )]
    pub(crate) write_timeout: u32,
    /// Stop at a gap, changes that the source purged before they were read, instead of recording it and going
    /// on behind it
    #[arg(long, env = "BINTRAIL_NO_GAP_FILL")]
    pub(crate) no_gap_fill: bool,
    /// Longest time that the source may take to tell which changes it still has
    #[arg(
        long,
        env = "BINTRAIL_GAP_TIMEOUT",
        value_name = "SECONDS",
        default_value_t = 60,
        value_parser = clap::value_parser!(u32).range(1..)
    )]
    pub(crate) gap_timeout: u32,
    /// Address to offer metrics (/metrics) and probes (/healthz, /readyz) on, such as 127.0.0.1:9180
    #[arg(long, env = "BINTRAIL_METRICS_ADDR", value_name = "ADDRESS")]
    pub(crate) metrics_addr: Option<SocketAddr>,
}

#[derive(Debug, Args)]
pub(crate) struct StatusArgs {
    #[command(flatten)]
    pub(crate) index: IndexArgs,
    /// Form of the output
    #[arg(
        long,
        env = "BINTRAIL_FORMAT",
        value_name = "FORMAT",
        default_value = "text"
    )]
    pub(crate) format: StatusFormat,
    /// Exit with 3 when a source has lost changes in a gap
    #[arg(long, env = "BINTRAIL_FAIL_ON_GAP")]
    pub(crate) fail_on_gap: bool,
    /// Exit with 4 when a source's lag is above this, or is not known: 60s, 5m, 2h; beyond it, a stream is called
    /// behind [default for that: 60s]
    #[arg(long, env = "BINTRAIL_FAIL_ON_LAG", value_name = "TIME", value_parser = duration)]
    pub(crate) fail_on_lag: Option<Duration>,
    /// Show it again and again, every so many seconds; JSON as one document a line
    #[arg(
        long,
        env = "BINTRAIL_WATCH",
        value_name = "SECONDS",
        num_args = 0..=1,
        default_missing_value = "2",
        value_parser = clap::value_parser!(u64).range(1..=86_400)
    )]
    pub(crate) watch: Option<u64>,
}

fn duration(text: &str) -> Result<Duration, String> {
    moment::duration(text).ok_or_else(|| "it is a time such as 60s, 5m, 2h or 1d".to_owned())
}

#[derive(Debug, Clone, Copy, ValueEnum)]
pub(crate) enum StatusFormat {
    Text,
    Json,
}

/// Which row changes: those that fit everything given.
#[derive(Debug, Args)]
pub(crate) struct FilterArgs {
    /// Source, where the index holds several: its number in `bintrail status`
    #[arg(long, env = "BINTRAIL_SOURCE_ID", value_name = "ID")]
    pub(crate) source_id: Option<u32>,
    /// Schema, as it is written on the source, case included
    #[arg(long, env = "BINTRAIL_SCHEMA", value_name = "NAME")]
    pub(crate) schema: Option<String>,
    /// Table, likewise
    #[arg(long, env = "BINTRAIL_TABLE", value_name = "NAME")]
    pub(crate) table: Option<String>,
    /// Primary key, as pk_values has it: 42, or 12345|2 for one of two columns; may be given again
    #[arg(
        long,
        env = "BINTRAIL_PK",
        value_name = "KEY",
        allow_hyphen_values = true
    )]
    pub(crate) pk: Vec<String>,
    /// Primary keys, separated by commas
    #[arg(
        long,
        env = "BINTRAIL_PKS",
        value_name = "KEYS",
        value_delimiter = ',',
        allow_hyphen_values = true
    )]
    pub(crate) pks: Vec<String>,
    /// Kinds of change, separated by commas
    #[arg(
        long,
        env = "BINTRAIL_EVENT_TYPE",
        value_name = "KINDS",
        value_delimiter = ',',
        ignore_case = true
    )]
    pub(crate) event_type: Vec<EventKind>,
    /// GTID of the transaction
    #[arg(long, env = "BINTRAIL_GTID", value_name = "GTID", value_parser = gtid)]
    pub(crate) gtid: Option<String>,
    /// Committed at this time or later: 2026-11-25T12:30:00+01:00 (without a zone UTC), or 2h for two hours ago
    #[arg(long, env = "BINTRAIL_SINCE", value_name = "TIME", value_parser = time)]
    pub(crate) since: Option<Micros>,
    /// Committed before this time
    #[arg(long, env = "BINTRAIL_UNTIL", value_name = "TIME", value_parser = time)]
    pub(crate) until: Option<Micros>,
    /// Connection id of the session that made it
    #[arg(long, env = "BINTRAIL_CONNECTION_ID", value_name = "ID")]
    pub(crate) connection_id: Option<u32>,
    /// Updates that changed this column
    #[arg(long, env = "BINTRAIL_CHANGED_COLUMN", value_name = "COLUMN")]
    pub(crate) changed_column: Option<String>,
    /// A column's value before or after, as the images have it (NULL is null); may be given again
    #[arg(long = "where", env = "BINTRAIL_WHERE", value_name = "COLUMN=VALUE", value_parser = column_value)]
    pub(crate) values: Vec<(String, String)>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum EventKind {
    Insert,
    Update,
    Delete,
}

fn gtid(text: &str) -> Result<String, String> {
    let text = text.trim().to_lowercase();
    let one = |number: &str| !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit());
    let is_gtid = match text.rsplit_once(':') {
        Some((origin, number)) => origin.len() >= 36 && !origin.contains(',') && one(number),
        None => text.split('-').count() == 3 && text.split('-').all(one),
    };
    if is_gtid {
        Ok(text)
    } else {
        Err(
            "it is one transaction's: UUID:NUMBER, UUID:TAG:NUMBER, or MariaDB's 0-1-100"
                .to_owned(),
        )
    }
}

fn time(text: &str) -> Result<Micros, String> {
    moment::parse(text, clock::now()).ok_or_else(|| format!("it is {}", moment::FORMS))
}

fn column_value(text: &str) -> Result<(String, String), String> {
    let pair = text
        .split_once('=')
        .filter(|(column, _)| !column.is_empty());
    let (column, value) = pair.ok_or("it is COLUMN=VALUE")?;
    Ok((column.to_owned(), value.to_owned()))
}

#[derive(Debug, Args)]
pub(crate) struct QueryArgs {
    #[command(flatten)]
    pub(crate) index: IndexArgs,
    #[command(flatten)]
    pub(crate) filter: FilterArgs,
    /// Row changes at most
    #[arg(long, env = "BINTRAIL_LIMIT", value_name = "ROWS", value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) limit: Option<u64>,
    /// Oldest or newest first
    #[arg(
        long,
        env = "BINTRAIL_ORDER",
        value_name = "ORDER",
        default_value = "asc"
    )]
    pub(crate) order: Order,
    /// Form of the output
    #[arg(
        long,
        env = "BINTRAIL_FORMAT",
        value_name = "FORMAT",
        default_value = "table"
    )]
    pub(crate) format: QueryFormat,
    /// Tell how the index would be read, in place of reading it
    #[arg(long, env = "BINTRAIL_EXPLAIN")]
    pub(crate) explain: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Order {
    /// Oldest first
    Asc,
    /// Newest first
    Desc,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
pub(crate) enum QueryFormat {
    /// For people; as wide as the terminal
    Table,
    /// One JSON array
    Json,
    /// One JSON object a line
    Ndjson,
    /// Comma-separated, with a line of names
    Csv,
}

#[derive(Debug, Args)]
pub(crate) struct ShowArgs {
    #[command(flatten)]
    pub(crate) index: IndexArgs,
    /// Source, where the index holds several: its number in `bintrail status`
    #[arg(long, env = "BINTRAIL_SOURCE_ID", value_name = "ID")]
    pub(crate) source_id: Option<u32>,
    /// Schema, as it is written on the source, case included
    #[arg(long, env = "BINTRAIL_SCHEMA", value_name = "NAME")]
    pub(crate) schema: Option<String>,
    /// Table, likewise
    #[arg(long, env = "BINTRAIL_TABLE", value_name = "NAME")]
    pub(crate) table: String,
    /// Primary key, as pk_values has it; may be given again [default: all rows of the table that the index has]
    #[arg(
        long,
        env = "BINTRAIL_PK",
        value_name = "KEY",
        allow_hyphen_values = true
    )]
    pub(crate) pk: Vec<String>,
    /// As what was committed up to this time left them [default: the end of what the index has]
    #[arg(long, env = "BINTRAIL_AT", value_name = "TIME", value_parser = time)]
    pub(crate) at: Option<Micros>,
    /// All that happened to the row, in place of its state
    #[arg(long, env = "BINTRAIL_HISTORY", requires = "pk", conflicts_with = "at")]
    pub(crate) history: bool,
    /// Form of the output
    #[arg(
        long,
        env = "BINTRAIL_FORMAT",
        value_name = "FORMAT",
        default_value = "table"
    )]
    pub(crate) format: QueryFormat,
}

#[derive(Debug, Args)]
pub(crate) struct RecoverArgs {
    #[command(flatten)]
    pub(crate) index: IndexArgs,
    #[command(flatten)]
    pub(crate) filter: FilterArgs,
    /// Do the row changes again, in place of undoing them
    #[arg(long, env = "BINTRAIL_REDO")]
    pub(crate) redo: bool,
    /// What to do about a row that is not as it should be
    #[arg(
        long,
        env = "BINTRAIL_ON_CONFLICT",
        value_name = "WHAT",
        default_value = "stop"
    )]
    pub(crate) on_conflict: Conflict,
    /// Row changes a transaction [default: all in one]
    #[arg(long, env = "BINTRAIL_BATCH", value_name = "ROWS", value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) batch: Option<u64>,
    /// Do not let the server check foreign keys
    #[arg(long, env = "BINTRAIL_NO_FOREIGN_KEY_CHECKS")]
    pub(crate) no_foreign_key_checks: bool,
    /// File to write to, which must not be there yet [default: standard output]
    #[arg(
        long,
        env = "BINTRAIL_OUTPUT",
        value_name = "FILE",
        conflicts_with_all = ["apply", "dry_run"]
    )]
    pub(crate) output: Option<PathBuf>,
    /// Tell what would be undone, in place of writing SQL; with --target-dsn also which rows are not as they should be
    #[arg(long, env = "BINTRAIL_DRY_RUN", conflicts_with = "apply")]
    pub(crate) dry_run: bool,
    /// Run the statements on the target, in place of writing them
    #[arg(long, env = "BINTRAIL_APPLY", requires = "target_dsn")]
    pub(crate) apply: bool,
    #[command(flatten)]
    pub(crate) target: TargetArgs,
}

/// The server that `recover` changes, or looks at.
#[derive(Debug, Args)]
pub(crate) struct TargetArgs {
    /// Server to change: user:password@tcp(host:3306)/ or mysql://user:password@host:3306/. Without --apply it is
    /// asked what its tables are by now
    #[arg(
        long,
        env = "BINTRAIL_TARGET_DSN",
        value_name = "DSN",
        hide_env_values = true
    )]
    pub(crate) target_dsn: Option<String>,
    /// File whose first line is the target's password; beats the one in the DSN
    #[arg(long, env = "BINTRAIL_TARGET_PASSWORD_FILE", value_name = "FILE")]
    pub(crate) target_password_file: Option<PathBuf>,
    /// TLS to the target, as --ssl-mode has it for a source
    #[arg(long, env = "BINTRAIL_TARGET_SSL_MODE", value_name = "MODE", value_parser = ssl_mode)]
    pub(crate) target_ssl_mode: Option<SslMode>,
    /// PEM file of the authorities to believe of the target [default: the system's]
    #[arg(long, env = "BINTRAIL_TARGET_SSL_CA", value_name = "FILE")]
    pub(crate) target_ssl_ca: Option<PathBuf>,
    /// PEM file with a client certificate for the target; needs --target-ssl-key
    #[arg(long, env = "BINTRAIL_TARGET_SSL_CERT", value_name = "FILE")]
    pub(crate) target_ssl_cert: Option<PathBuf>,
    /// PEM file with that client certificate's private key
    #[arg(long, env = "BINTRAIL_TARGET_SSL_KEY", value_name = "FILE")]
    pub(crate) target_ssl_key: Option<PathBuf>,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
pub(crate) enum Conflict {
    /// End with an error, and nothing done
    Stop,
    /// Leave the row alone and print it
    Skip,
    /// Find the row by its key alone, and overwrite it
    Force,
}

#[derive(Debug, Args)]
pub(crate) struct DecodeArgs {
    /// Binlog files, in order
    #[arg(required = true, value_name = "FILE")]
    pub(crate) files: Vec<PathBuf>,
    /// Form of the output
    #[arg(
        long,
        env = "BINTRAIL_FORMAT",
        value_name = "FORMAT",
        default_value = "json"
    )]
    pub(crate) format: RowFormat,
}

#[derive(Debug, Args)]
pub(crate) struct DoctorArgs {
    #[command(flatten)]
    pub(crate) index: IndexArgs,
    #[command(flatten)]
    pub(crate) server: ServerArgs,
    /// Form of the output
    #[arg(
        long,
        env = "BINTRAIL_FORMAT",
        value_name = "FORMAT",
        default_value = "text"
    )]
    pub(crate) format: StatusFormat,
}

#[derive(Debug, Args)]
pub(crate) struct TailArgs {
    #[command(flatten)]
    pub(crate) source: SourceArgs,
    /// Form of the output
    #[arg(
        long,
        env = "BINTRAIL_FORMAT",
        value_name = "FORMAT",
        default_value = "json"
    )]
    pub(crate) format: RowFormat,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
pub(crate) enum RowFormat {
    /// One JSON object a line for each row change
    Json,
    /// The row lines of `mysqlbinlog -vv --base64-output=decode-rows`
    Mysqlbinlog,
}

impl Cli {
    /// Reads the command line: a flag beats its environment variable, and that the line in `.bintrail.env`.
    pub(crate) fn read() -> Self {
        let refuse = |problem: String| -> ! {
            eprintln!("bintrail: {problem}");
            std::process::exit(2)
        };
        let file = env_file::read().unwrap_or_else(|problem| refuse(problem));
        let command = with_defaults(Self::command(), &file);
        let cli = command
            .try_get_matches()
            .and_then(|matches| Self::from_arg_matches(&matches));
        // Help is what tells the names.
        if !cli.as_ref().is_err_and(|error| error.exit_code() == 0) {
            if let Err(problem) = env_file::check(&file, &variables(&Self::command())) {
                refuse(problem);
            }
            if let Some(concern) = env_file::concern(&file) {
                eprintln!("bintrail: {concern}");
            }
        }
        cli.unwrap_or_else(|error| {
            let given = std::env::args_os().chain(std::env::vars_os().map(|(_, value)| value));
            let given: Vec<String> = given
                .map(|value| value.to_string_lossy().into_owned())
                .chain(env_file::parse(&file).map(|(_, value)| value.to_owned()))
                .collect();
            match without_secrets(&error.to_string(), &given) {
                Some(text) => {
                    eprint!("{text}");
                    std::process::exit(error.exit_code())
                }
                None => error.exit(),
            }
        })
    }
}

/// `message` with `***` for each DSN of `given` in it, which may have landed in the place of something else;
/// `None` when it holds none.
fn without_secrets(message: &str, given: &[String]) -> Option<String> {
    let mut text = message.to_owned();
    for value in given {
        // `--flag=value` is quoted whole or by its value.
        for part in [
            Some(value.as_str()),
            value.split_once('=').map(|(_, part)| part),
        ] {
            if let Some(part) = part
                && part.contains('@')
                && part.contains(':')
            {
                text = text.replace(part, "***");
            }
        }
    }
    (text != message).then_some(text)
}

/// The environment variables of all commands' flags.
fn variables(command: &clap::Command) -> BTreeSet<String> {
    let own = command.get_arguments().filter_map(clap::Arg::get_env);
    let own = own.map(|name| name.to_string_lossy().into_owned());
    own.chain(command.get_subcommands().flat_map(variables))
        .collect()
}

/// `command` with the values of an env file as the defaults of its flags.
fn with_defaults(command: clap::Command, file: &str) -> clap::Command {
    let command = command.mut_args(|arg| {
        let value = arg.get_env().and_then(|name| {
            let in_file = env_file::parse(file).find(|(key, _)| *key == name)?;
            std::env::var_os(name).is_none().then_some(in_file.1)
        });
        match value {
            // A value may be a secret: help must not print it.
            Some(value) => arg
                .default_value(value.to_owned())
                .hide_default_value(true)
                .required(false),
            None => arg,
        }
    });
    command.mut_subcommands(|subcommand| with_defaults(subcommand, file))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_well_formed() {
        Cli::command().debug_assert();
    }

    #[test]
    fn an_unknown_ssl_mode_is_refused_with_the_known_ones() {
        let parse = |mode| {
            Cli::try_parse_from(["bintrail", "tail", "--source-dsn", "d", "--ssl-mode", mode])
        };
        assert!(parse("verify-full").is_ok());
        let error = parse("encrypted").unwrap_err();
        assert_eq!(error.exit_code(), 2);
        assert!(error.to_string().contains("verify-identity"), "{error}");
    }

    #[test]
    fn a_dsn_in_the_wrong_place_is_not_echoed() {
        for args in [
            &["bintrail", "stream", "mysql://u:s3 cret@h/"][..],
            &["bintrail", "stream", "--server-id", "u:s3 cret@tcp(h)/"],
            &["bintrail", "stream", "--server-id=u:s3 cret@tcp(h)/"],
            &["bintrail", "u:s3 cret@tcp(h)/"],
        ] {
            let given: Vec<String> = args.iter().map(ToString::to_string).collect();
            let error = Cli::try_parse_from(args).unwrap_err().to_string();
            assert!(error.contains("cret"), "{error}");
            let shown = without_secrets(&error, &given).unwrap();
            assert!(shown.contains("***") && !shown.contains("cret"), "{shown}");
        }
        assert_eq!(without_secrets("plain", &["a:b@c".to_owned()]), None);
    }

    #[test]
    fn an_env_file_gives_defaults_and_flags_beat_them() {
        let file =
            "# a comment\nBINTRAIL_SOURCE_DSN='mysql://u:p@h/'\nexport BINTRAIL_BATCH_SIZE=7\n";
        env_file::check(file, &variables(&Cli::command())).unwrap();
        let parse = |args: &[&str]| {
            let matches = with_defaults(Cli::command(), file).try_get_matches_from(args)?;
            Cli::from_arg_matches(&matches)
        };
        let stream = |cli: Cli| match cli.command {
            Command::Stream(args) => args,
            other => panic!("{other:?}"),
        };
        let defaults = stream(parse(&["bintrail", "stream"]).unwrap());
        assert_eq!(
            (
                defaults.source.server.source_dsn.as_str(),
                defaults.batch_size
            ),
            ("mysql://u:p@h/", 7)
        );
        let flags = stream(parse(&["bintrail", "stream", "--batch-size", "9"]).unwrap());
        assert_eq!(flags.batch_size, 9);
        let help = with_defaults(Cli::command(), file)
            .try_get_matches_from(["bintrail", "stream", "--help"]);
        assert!(!help.unwrap_err().to_string().contains("u:p@h"));
    }
}
