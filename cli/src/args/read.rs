//! From what was given to what is meant: flags, the environment, and `.bintrail.env`.

use std::collections::BTreeSet;

use clap::{CommandFactory, FromArgMatches};

use super::Cli;
use crate::{argv, env_file};

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
        if cli.is_ok() {
            argv::hide_passwords();
        }
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
    use clap::Parser;

    use super::super::Command;
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
