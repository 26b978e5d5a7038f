//! The command line.

mod read;

use std::path::PathBuf;
use std::time::Duration;

use bintrail_cli::flags::{IndexArgs, LogArgs, ssl_mode};
use bintrail_cli::stream_flags::{
    KeepArgs, PaceArgs, ServerArgs, SourceArgs, SourceTlsArgs, StreamArgs,
};
use bintrail_engine::clock;
use bintrail_engine::index::record::Micros;
use bintrail_engine::query::moment;
use bintrail_engine::tls::SslMode;
use clap::{Args, Parser, Subcommand, ValueEnum};

const VARIABLES: &str = "A flag may be an environment variable too, BINTRAIL_ and its name in capitals, or a line \
    BINTRAIL_…=value in\na file .bintrail.env in the working directory. A flag beats the variable, and that the file.";

const QUERY_EXAMPLES: &str = "\
Examples:
  bintrail query --schema shop --table orders --pk 42
  bintrail query --schema shop --table orders --changed-column status --since 2h
  bintrail query --gtid 3e11fa47-71ca-11e1-9e33-c80aa9429562:23 --format json";

const RECOVER_EXAMPLES: &str = "\
What is undone, one of the flags under \"Which row changes\" has to say.

Examples:
  bintrail recover --schema shop --table orders --event-type delete --since 2h --dry-run
  bintrail recover --schema shop --table orders --event-type delete --since 2h --output undo.sql
  bintrail recover --schema shop --table orders --pk 42 --since 1h --target-dsn mysql://admin@db.example.com/ --apply";

/// Keeps every row change of a MySQL or MariaDB server in a queryable change index.
#[derive(Debug, Parser)]
#[command(name = "bintrail", version, propagate_version = true, after_help = VARIABLES)]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) log: LogArgs,
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Replicate from a source and keep its row changes in the index
    Stream(StreamArgs),
    /// Print the row changes that fit a question
    #[command(after_help = QUERY_EXAMPLES)]
    Query(QueryArgs),
    /// Show rows as they were at a moment, or their history
    Show(ShowArgs),
    /// Write the SQL that undoes row changes, or run it
    #[command(after_help = RECOVER_EXAMPLES)]
    Recover(RecoverArgs),
    /// Show every source's stream: where it is, how far behind, what it covers
    Status(StatusArgs),
    /// Remove row changes that are older than they are to be kept
    Rotate(RotateArgs),
    /// Make the index's tables where they are missing
    Init(IndexArgs),
    /// Put the row changes in binlog files into the index
    Index(FilesArgs),
    /// Print the row changes in binlog files
    Decode(DecodeArgs),
    /// Print a live source's row changes as they are committed
    Tail(TailArgs),
    /// Look for what stands in the way of a stream, or puts it at risk, and say what mends it
    Doctor(DoctorArgs),
}

#[derive(Debug, Args)]
pub(crate) struct FilesArgs {
    /// Directory of the binlog files: the server's own, or one with copies of its files under their own names
    #[arg(long, env = "BINTRAIL_BINLOG_DIR", value_name = "DIRECTORY")]
    pub(crate) binlog_dir: PathBuf,
    /// All binlog files in the directory; give this or --files
    #[arg(
        long,
        env = "BINTRAIL_ALL",
        conflicts_with = "files",
        required_unless_present = "files"
    )]
    pub(crate) all: bool,
    /// These files in the directory, separated by commas
    #[arg(
        long,
        env = "BINTRAIL_FILES",
        value_name = "NAMES",
        value_delimiter = ','
    )]
    pub(crate) files: Vec<String>,
    /// Server that the files come from: it tells which source they are of, and the names that they lack
    #[arg(
        long,
        env = "BINTRAIL_SOURCE_DSN",
        value_name = "DSN",
        hide_env_values = true
    )]
    pub(crate) source_dsn: Option<String>,
    /// File whose first line is the source's password; beats the one in the DSN
    #[arg(long, env = "BINTRAIL_SOURCE_PASSWORD_FILE", value_name = "FILE")]
    pub(crate) source_password_file: Option<PathBuf>,
    /// The server's server_uuid, where neither it nor its auto.cnf nor GTIDs in the files tell it
    #[arg(
        long,
        env = "BINTRAIL_SERVER_UUID",
        value_name = "UUID",
        conflicts_with = "source_dsn"
    )]
    pub(crate) server_uuid: Option<String>,
    #[command(flatten)]
    pub(crate) keep: KeepArgs,
    #[command(flatten)]
    pub(crate) pace: PaceArgs,
    #[command(flatten)]
    pub(crate) tls: SourceTlsArgs,
    #[command(flatten)]
    pub(crate) index: IndexArgs,
}

#[derive(Debug, Args)]
pub(crate) struct RotateArgs {
    /// Keep row changes for this long: 36h, 7d, 90d; at least an hour
    #[arg(long, env = "BINTRAIL_RETAIN", value_name = "TIME", value_parser = retention)]
    pub(crate) retain: Duration,
    /// Hours to come that have a partition of their own, in an index on a MySQL server
    #[arg(
        long,
        env = "BINTRAIL_ADD_FUTURE",
        value_name = "HOURS",
        default_value_t = 48,
        value_parser = clap::value_parser!(u32).range(1..=2000)
    )]
    pub(crate) add_future: u32,
    /// Do it now and then every hour, until told to stop
    #[arg(long, env = "BINTRAIL_DAEMON")]
    pub(crate) daemon: bool,
    #[command(flatten)]
    pub(crate) index: IndexArgs,
}

fn retention(text: &str) -> Result<Duration, String> {
    let retain = duration(text)?;
    if retain < Duration::from_secs(3600) {
        return Err("it is an hour at least".to_owned());
    }
    Ok(retain)
}

#[derive(Debug, Args)]
pub(crate) struct StatusArgs {
    /// Form of the output
    #[arg(
        long,
        env = "BINTRAIL_FORMAT",
        value_name = "FORMAT",
        default_value = "text"
    )]
    pub(crate) format: StatusFormat,
    /// With --watch, end with 3 when a source has lost changes in a gap; else that needs no flag
    #[arg(long, env = "BINTRAIL_FAIL_ON_GAP")]
    pub(crate) fail_on_gap: bool,
    /// Take note of the gaps there are: they are shown still, and are no failure any more
    #[arg(
        long,
        env = "BINTRAIL_ACKNOWLEDGE_GAPS",
        conflicts_with_all = ["watch", "fail_on_gap"]
    )]
    pub(crate) acknowledge_gaps: bool,
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
    #[command(flatten)]
    pub(crate) index: IndexArgs,
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
#[command(next_help_heading = "Which row changes")]
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
    pub(crate) since: Option<Time>,
    /// Committed before this time
    #[arg(long, env = "BINTRAIL_UNTIL", value_name = "TIME", value_parser = time)]
    pub(crate) until: Option<Time>,
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

/// A moment, and how it was written.
#[derive(Debug, Clone)]
pub(crate) struct Time {
    pub(crate) at: Micros,
    pub(crate) text: String,
}

fn time(text: &str) -> Result<Time, String> {
    let at = moment::parse(text, clock::now()).ok_or_else(|| format!("it is {}", moment::FORMS))?;
    let text = text.to_owned();
    Ok(Time { at, text })
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
    #[command(flatten)]
    pub(crate) filter: FilterArgs,
    #[command(flatten)]
    pub(crate) index: IndexArgs,
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
    pub(crate) at: Option<Time>,
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
    #[command(flatten)]
    pub(crate) index: IndexArgs,
}

#[derive(Debug, Args)]
pub(crate) struct RecoverArgs {
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
    pub(crate) filter: FilterArgs,
    #[command(flatten)]
    pub(crate) target: TargetArgs,
    #[command(flatten)]
    pub(crate) index: IndexArgs,
}

/// The server that `recover` changes, or looks at.
#[derive(Debug, Args)]
#[command(next_help_heading = "Target")]
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
    /// Form of the output
    #[arg(
        long,
        env = "BINTRAIL_FORMAT",
        value_name = "FORMAT",
        default_value = "text"
    )]
    pub(crate) format: StatusFormat,
    #[command(flatten)]
    pub(crate) server: ServerArgs,
    #[command(flatten)]
    pub(crate) index: IndexArgs,
}

#[derive(Debug, Args)]
pub(crate) struct TailArgs {
    /// Form of the output
    #[arg(
        long,
        env = "BINTRAIL_FORMAT",
        value_name = "FORMAT",
        default_value = "json"
    )]
    pub(crate) format: RowFormat,
    #[command(flatten)]
    pub(crate) source: SourceArgs,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
pub(crate) enum RowFormat {
    /// One JSON object a line for each row change
    Json,
    /// The row lines of `mysqlbinlog -vv --base64-output=decode-rows`
    Mysqlbinlog,
}
