//! From what was given to what is meant: flags, the environment, and `.bintrail.env`.

use bintrail_cli::flags::read;

use super::Cli;

impl Cli {
    /// Reads the command line.
    pub(crate) fn read() -> Self {
        // The console's are the console's affair.
        read(|name| {
            ["BINTRAIL_CONSOLE_", "BINTRAIL_PASSWORD_"]
                .iter()
                .any(|prefix| name.starts_with(prefix))
        })
    }
}

#[cfg(test)]
mod tests {
    use bintrail_cli::env_file;
    use bintrail_cli::flags::{variables, with_defaults};
    use clap::{CommandFactory, FromArgMatches, Parser};

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
    fn an_env_file_gives_defaults_and_flags_beat_them() {
        let file =
            "# a comment\nBINTRAIL_SOURCE_DSN='mysql://u:p@h/'\nexport BINTRAIL_BATCH_SIZE=7\n";
        let own = variables(&Cli::command());
        env_file::check(file, |name| own.contains(name)).unwrap();
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
                defaults.pace.batch_size
            ),
            ("mysql://u:p@h/", 7)
        );
        let flags = stream(parse(&["bintrail", "stream", "--batch-size", "9"]).unwrap());
        assert_eq!(flags.pace.batch_size, 9);
        let help = with_defaults(Cli::command(), file)
            .try_get_matches_from(["bintrail", "stream", "--help"]);
        assert!(!help.unwrap_err().to_string().contains("u:p@h"));
    }
}
