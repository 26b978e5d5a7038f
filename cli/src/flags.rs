//! Flags that several programs have, and the reading of them.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use bintrail_engine::Error;
use bintrail_engine::dsn::{IndexDsn, MySqlDsn};
use bintrail_engine::secret::Secret;
use bintrail_engine::tls::{SslMode, TlsOptions};
use clap::{Args, CommandFactory, FromArgMatches, ValueEnum};

use crate::{argv, env_file, environment};

/// Flags of the log.
#[derive(Debug, Args)]
pub struct LogArgs {
    /// Least severity of what is logged, to standard error
    #[arg(
        long,
        global = true,
        env = "BINTRAIL_LOG_LEVEL",
        display_order = 500,
        value_name = "LEVEL",
        default_value = "info"
    )]
    pub log_level: LogLevel,
    /// Form of the log
    #[arg(
        long,
        global = true,
        env = "BINTRAIL_LOG_FORMAT",
        display_order = 501,
        value_name = "FORMAT",
        default_value = "text"
    )]
    pub log_format: LogFormat,
}

/// The least severe line that is logged.
#[derive(Debug, Clone, Copy, ValueEnum)]
#[allow(missing_docs)] // `--help` would show what says no more than the names
pub enum LogLevel {
    Error,
    Warn,
    Info,
    Debug,
    Trace,
}

/// The form of the log.
#[derive(Debug, Clone, Copy, ValueEnum)]
#[allow(missing_docs)] // likewise
pub enum LogFormat {
    Text,
    Json,
}

/// The index.
#[derive(Debug, Args)]
#[command(next_help_heading = "Index")]
pub struct IndexArgs {
    /// Index: sqlite:PATH, user:password@tcp(host:3306)/database or mysql://user:password@host:3306/database
    #[arg(
        long,
        env = "BINTRAIL_INDEX_DSN",
        value_name = "DSN",
        default_value = "sqlite:bintrail.db",
        hide_env_values = true
    )]
    pub index_dsn: String,
    /// File whose first line is the index's password; beats the one in the DSN
    #[arg(long, env = "BINTRAIL_INDEX_PASSWORD_FILE", value_name = "FILE")]
    pub index_password_file: Option<PathBuf>,
    /// TLS to it.
    #[command(flatten)]
    pub tls: IndexTlsArgs,
}

impl IndexArgs {
    /// The DSN, with what the other flags say of it.
    ///
    /// # Errors
    /// When they cannot be read, or do not go together.
    pub fn dsn(&self) -> Result<IndexDsn, Error> {
        let mut dsn = IndexDsn::parse(&self.index_dsn).map_err(|error| Error::Dsn {
            what: "--index-dsn",
            error,
        })?;
        if let IndexDsn::MySql(dsn) = &mut dsn {
            let flags = TlsOptions {
                mode: self.tls.index_ssl_mode,
                ca: self.tls.index_ssl_ca.clone(),
                cert: self.tls.index_ssl_cert.clone(),
                key: self.tls.index_ssl_key.clone(),
            };
            complete(dsn, flags, "index-", self.index_password_file.as_deref())?;
        }
        Ok(dsn)
    }
}

/// TLS to an index on a MySQL server. Each beats the parameter of the same name in the DSN.
#[derive(Debug, Args)]
#[command(next_help_heading = "TLS to the index")]
pub struct IndexTlsArgs {
    /// TLS to the index, as --ssl-mode has it for the source
    #[arg(long, env = "BINTRAIL_INDEX_SSL_MODE", value_name = "MODE", value_parser = ssl_mode)]
    pub index_ssl_mode: Option<SslMode>,
    /// PEM file of the authorities to believe of the index [default: the system's]
    #[arg(long, env = "BINTRAIL_INDEX_SSL_CA", value_name = "FILE")]
    pub index_ssl_ca: Option<PathBuf>,
    /// PEM file with a client certificate for the index; needs --index-ssl-key
    #[arg(long, env = "BINTRAIL_INDEX_SSL_CERT", value_name = "FILE")]
    pub index_ssl_cert: Option<PathBuf>,
    /// PEM file with that client certificate's private key
    #[arg(long, env = "BINTRAIL_INDEX_SSL_KEY", value_name = "FILE")]
    pub index_ssl_key: Option<PathBuf>,
}

/// The mode of this name, for clap.
///
/// # Errors
/// The names that there are.
pub fn ssl_mode(name: &str) -> Result<SslMode, String> {
    SslMode::from_name(name).ok_or_else(|| format!("it is {}", SslMode::NAMES))
}

/// The address to listen on, for clap.
///
/// # Errors
/// What one looks like.
pub fn socket(text: &str) -> Result<SocketAddr, String> {
    text.parse().map_err(|_| {
        "it is an IP address and a port, such as 127.0.0.1:9180 or [::]:9180".to_owned()
    })
}

/// Puts what the flags say over what the DSN says.
///
/// # Errors
/// When they do not go together, or the password's file cannot be read.
pub fn complete(
    dsn: &mut MySqlDsn,
    flags: TlsOptions,
    prefix: &str,
    password_file: Option<&Path>,
) -> Result<(), Error> {
    dsn.tls = flags.or(std::mem::take(&mut dsn.tls));
    dsn.tls.check(prefix).map_err(Error::Usage)?;
    if let Some(path) = password_file {
        dsn.password = Secret::read_file(path).map_err(|error| Error::File {
            path: path.to_owned(),
            error,
        })?;
        dsn.password_file = Some(path.to_owned());
    }
    Ok(())
}

/// Reads the command line: a flag beats its environment variable, and that the line in `.bintrail.env`. Names there and in
/// the environment have to be those of flags, or `others`' that are not to be looked at. Ends the process with what is wrong.
pub fn read<C: CommandFactory + FromArgMatches>(others: impl Fn(&str) -> bool) -> C {
    let command = C::command();
    let flags = variables(&command);
    let known = |name: &str| flags.contains(name) || others(name);
    let program = command.get_name().to_owned();
    let refuse = |problem: String| -> ! {
        eprintln!("{program}: {problem}");
        std::process::exit(2)
    };
    let file = env_file::read().unwrap_or_else(|problem| refuse(problem));
    let command = with_defaults(command, &file);
    let cli = command
        .try_get_matches()
        .and_then(|matches| C::from_arg_matches(&matches));
    if cli.is_ok() {
        argv::hide_passwords();
    }
    // Help is what tells the names.
    if !cli.as_ref().is_err_and(|error| error.exit_code() == 0) {
        let names = std::env::vars_os().filter_map(|(name, _)| name.into_string().ok());
        if let Err(problem) =
            env_file::check(&file, known).and_then(|()| environment::check(names, &flags, known))
        {
            refuse(problem);
        }
        if let Some(concern) = env_file::concern(&file) {
            eprintln!("{program}: {concern}");
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
#[must_use]
pub fn variables(command: &clap::Command) -> BTreeSet<String> {
    let own = command.get_arguments().filter_map(clap::Arg::get_env);
    let own = own.map(|name| name.to_string_lossy().into_owned());
    own.chain(command.get_subcommands().flat_map(variables))
        .collect()
}

/// `command` with the values of an env file as the defaults of its flags.
#[must_use]
pub fn with_defaults(command: clap::Command, file: &str) -> clap::Command {
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
    use clap::Parser;

    #[derive(Debug, Parser)]
    struct Stream {
        #[arg(long = "server-id")]
        _server_id: Option<u32>,
    }

    #[test]
    fn a_dsn_in_the_wrong_place_is_not_echoed() {
        for args in [
            &["bintrail", "mysql://u:s3 cret@h/"][..],
            &["bintrail", "--server-id", "u:s3 cret@tcp(h)/"],
            &["bintrail", "--server-id=u:s3 cret@tcp(h)/"],
            &["bintrail", "u:s3 cret@tcp(h)/"],
        ] {
            let given: Vec<String> = args.iter().map(ToString::to_string).collect();
            let error = Stream::try_parse_from(args).unwrap_err().to_string();
            assert!(error.contains("cret"), "{error}");
            let shown = without_secrets(&error, &given).unwrap();
            assert!(shown.contains("***") && !shown.contains("cret"), "{shown}");
        }
        assert_eq!(without_secrets("plain", &["a:b@c".to_owned()]), None);
    }
}
