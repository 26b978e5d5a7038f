//! Logs go to standard error; standard output is the command's own.

use tracing_subscriber::filter::LevelFilter;

use crate::flags::{LogArgs, LogFormat, LogLevel};

/// Starts logging. Called once, before anything is logged.
pub fn start(args: &LogArgs) {
    let level = match args.log_level {
        LogLevel::Error => LevelFilter::ERROR,
        LogLevel::Warn => LevelFilter::WARN,
        LogLevel::Info => LevelFilter::INFO,
        LogLevel::Debug => LevelFilter::DEBUG,
        LogLevel::Trace => LevelFilter::TRACE,
    };
    // Libraries speak only when something is wrong with them, so that our own trace stays readable.
    let filter = tracing_subscriber::EnvFilter::default()
        .add_directive(LevelFilter::WARN.min(level).into())
        .add_directive(directive("bintrail", level))
        .add_directive(directive("bintrail_cli", level))
        .add_directive(directive("bintrail_console", level))
        .add_directive(directive("bintrail_engine", level));
    let builder = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        // A reader of the log that goes away must not end the stream.
        .log_internal_errors(false)
        .with_target(false);
    match args.log_format {
        LogFormat::Text => builder
            .with_ansi(std::io::IsTerminal::is_terminal(&std::io::stderr()))
            .init(),
        LogFormat::Json => builder.json().flatten_event(true).init(),
    }
}

fn directive(target: &str, level: LevelFilter) -> tracing_subscriber::filter::Directive {
    format!("{target}={level}")
        .parse()
        .unwrap_or_else(|_| level.into())
}
