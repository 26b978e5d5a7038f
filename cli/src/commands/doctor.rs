//! `bintrail doctor`.

use std::io::{IsTerminal, Write as _};
use std::process::ExitCode;

use bintrail_cli::doctor_report::{as_json, as_text};
use bintrail_engine::Error;
use bintrail_engine::doctor::{DoctorOptions, Severity, doctor};

use crate::args::{DoctorArgs, StatusFormat};

/// The exit code when a stream would not start, or would lose changes. `docs/exit-codes.md` lists it.
const UNWELL: u8 = 40;

pub(crate) async fn run(args: &DoctorArgs) -> Result<ExitCode, Error> {
    let options = DoctorOptions {
        index: args.index.dsn()?,
        source: args.server.connect_options()?,
        more_hosts: args.server.dsn()?.more_hosts,
        server_id: args.server.server_id,
        filter: args.server.keep.filter(),
    };
    let report = doctor(&options).await;
    let text = match args.format {
        StatusFormat::Json => format!("{:#}\n", as_json(&report)),
        StatusFormat::Text => {
            let stdout = std::io::stdout();
            let colours = stdout.is_terminal() && std::env::var_os("NO_COLOR").is_none();
            as_text(&report, colours)
        }
    };
    std::io::stdout()
        .write_all(text.as_bytes())
        .map_err(Error::Output)?;
    Ok(match report.count(Severity::Error) {
        0 => ExitCode::SUCCESS,
        _ => ExitCode::from(UNWELL),
    })
}
