//! The command line.

use std::net::SocketAddr;
use std::path::PathBuf;

use bintrail_cli::flags::{self, IndexArgs, LogArgs};
use clap::{Args as Flags, Parser, ValueEnum};

/// Shows every stream into an index, and searches its row changes, in a browser.
#[derive(Debug, Parser)]
#[command(name = "bintrail-console", version)]
pub(crate) struct Args {
    /// Address to listen on; one that is not of this machine alone needs --tls-cert, and a password or token that is
    /// set already
    #[arg(
        long,
        env = "BINTRAIL_CONSOLE_LISTEN",
        value_name = "ADDRESS",
        default_value = "127.0.0.1:8090",
        value_parser = flags::socket
    )]
    pub(crate) listen: SocketAddr,
    /// File that the console keeps for itself: the operator's password, hashed, and servers, tokens and the audit log
    #[arg(
        long,
        env = "BINTRAIL_CONSOLE_STORE",
        value_name = "FILE",
        default_value = "bintrail-console.db"
    )]
    pub(crate) console_store: PathBuf,
    /// File whose first line is a token of at least 32 characters that opens the console: as a password, and to
    /// programs as `Authorization: Bearer TOKEN`
    #[arg(long, env = "BINTRAIL_CONSOLE_TOKEN_FILE", value_name = "FILE")]
    pub(crate) token_file: Option<PathBuf>,
    /// PEM file with the certificate to serve HTTPS with; needs --tls-key
    #[arg(
        long,
        env = "BINTRAIL_CONSOLE_TLS_CERT",
        value_name = "FILE",
        requires = "tls_key"
    )]
    pub(crate) tls_cert: Option<PathBuf>,
    /// PEM file with the certificate's private key
    #[arg(
        long,
        env = "BINTRAIL_CONSOLE_TLS_KEY",
        value_name = "FILE",
        requires = "tls_cert"
    )]
    pub(crate) tls_key: Option<PathBuf>,
    /// Names that browsers may call the console by, beside localhost and the address listened on, separated by commas
    #[arg(
        long,
        env = "BINTRAIL_CONSOLE_ALLOW_HOST",
        value_name = "NAMES",
        value_delimiter = ','
    )]
    pub(crate) allow_host: Vec<String>,
    /// Let everybody who reaches the console read /metrics; without it that takes a token with the scope read
    #[arg(long, env = "BINTRAIL_CONSOLE_OPEN_METRICS")]
    pub(crate) open_metrics: bool,
    #[command(flatten)]
    pub(crate) control: ControlArgs,
    #[command(flatten)]
    pub(crate) log: LogArgs,
    #[command(flatten)]
    pub(crate) index: IndexArgs,
}

/// The control plane.
#[derive(Debug, Flags)]
#[command(next_help_heading = "Control plane")]
pub(crate) struct ControlArgs {
    /// Register servers, and start, stop and keep a stream for each
    #[arg(long, env = "BINTRAIL_CONSOLE_CONTROL")]
    pub(crate) control: bool,
    /// What keeps the streams: systemd (units), process (the console itself), or auto: systemd where it runs and the console
    /// is root's
    #[arg(
        long,
        env = "BINTRAIL_CONSOLE_SUPERVISOR",
        value_name = "NAME",
        default_value = "auto"
    )]
    pub(crate) supervisor: SupervisorKind,
    /// Directory of the streams' own directories, with their logs
    #[arg(
        long,
        env = "BINTRAIL_CONSOLE_STREAMS_DIR",
        value_name = "DIRECTORY",
        default_value = "bintrail-streams"
    )]
    pub(crate) streams_dir: PathBuf,
    /// File with the key that passwords are encrypted with, made on the first run [default: the store's name and .key]
    #[arg(long, env = "BINTRAIL_CONSOLE_KEY_FILE", value_name = "FILE")]
    pub(crate) key_file: Option<PathBuf>,
    /// Directory of the files that may be named as a server's password_file
    #[arg(
        long,
        env = "BINTRAIL_CONSOLE_PASSWORD_DIR",
        value_name = "DIRECTORY",
        default_value = "/etc/bintrail/passwords"
    )]
    pub(crate) password_dir: PathBuf,
    /// Directory that units are written to
    #[arg(
        long,
        env = "BINTRAIL_CONSOLE_UNIT_DIR",
        value_name = "DIRECTORY",
        default_value = "/etc/systemd/system"
    )]
    pub(crate) unit_dir: PathBuf,
    /// The bintrail that streams are run by [default: the one beside the console, or on the PATH]
    #[arg(long, env = "BINTRAIL_CONSOLE_BINTRAIL", value_name = "FILE")]
    pub(crate) bintrail: Option<PathBuf>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum SupervisorKind {
    Auto,
    Systemd,
    Process,
}

/// Reads the command line.
pub(crate) fn read() -> Args {
    // The other commands' are theirs to check.
    flags::read(|name| !name.starts_with("BINTRAIL_CONSOLE_"))
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_well_formed() {
        Args::command().debug_assert();
    }
}
