//! `bintrail`: every row change of a MySQL or MariaDB server in a queryable change index.

mod args;
mod commands;

use std::io::Write;
use std::process::ExitCode;

use bintrail_cli::logging;

fn main() -> ExitCode {
    let cli = args::Cli::read();
    logging::start(&cli.log);
    let runtime = match tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
    {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!("bintrail: cannot start: {error}");
            return ExitCode::from(1);
        }
    };
    match runtime.block_on(commands::run(cli.command)) {
        Ok(code) => code,
        Err(error) => {
            // Whoever reads it may be gone; the exit code says it too.
            let _ = writeln!(std::io::stderr(), "bintrail: {error}");
            ExitCode::from(error.exit_code())
        }
    }
}
