//! `bintrail doctor`.

use std::fmt::Write as _;
use std::io::{IsTerminal, Write as _};
use std::process::ExitCode;

use bintrail_cli::doctor_json::{as_json, name};
use bintrail_engine::Error;
use bintrail_engine::doctor::{DoctorOptions, Report, Severity, doctor};

use crate::args::{DoctorArgs, StatusFormat};

/// The exit code when a stream would not start, or would lose changes. `docs/exit-codes.md` lists it.
const UNWELL: u8 = 40;

pub(crate) async fn run(args: &DoctorArgs) -> Result<ExitCode, Error> {
    let options = DoctorOptions {
        index: args.index.dsn()?,
        source: args.server.connect_options()?,
        more_hosts: args.server.dsn()?.more_hosts,
        server_id: args.server.server_id,
        filter: args.server.filter(),
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

/// The terminal's codes for bold red, bold yellow, blue and green.
const fn colour(severity: Severity) -> &'static str {
    match severity {
        Severity::Ok => "\x1b[32m",
        Severity::Info => "\x1b[34m",
        Severity::Warning => "\x1b[1;33m",
        Severity::Error => "\x1b[1;31m",
    }
}

fn as_text(report: &Report, colours: bool) -> String {
    let mut out = String::new();
    let sources = report.sources.iter().map(|part| ("Source", part));
    for (title, part) in sources.chain([("Index", &report.index)]) {
        let version = part
            .version
            .as_ref()
            .map_or(String::new(), |version| format!(", {version}"));
        // Writing to a String cannot fail.
        let _ = writeln!(out, "{title}  {}{version}", part.place);
        let width = part
            .findings
            .iter()
            .map(|finding| finding.check.len())
            .max();
        for finding in &part.findings {
            let (on, off) = match colours {
                true => (colour(finding.severity), "\x1b[0m"),
                false => ("", ""),
            };
            let _ = writeln!(
                out,
                "  {on}{:<7}{off}  {:<width$}  {}",
                name(finding.severity),
                finding.check,
                finding.message,
                width = width.unwrap_or_default(),
            );
            for fix in &finding.fix {
                let _ = writeln!(out, "             {fix}");
            }
        }
        out.push('\n');
    }
    let count = |severity, one: &str| match report.count(severity) {
        0 => format!("no {one}s"),
        1 => format!("1 {one}"),
        many => format!("{many} {one}s"),
    };
    let errors = count(Severity::Error, "error");
    let warnings = count(Severity::Warning, "warning");
    let verdict = match report.count(Severity::Error) {
        0 => format!("Ready to stream: {errors}, {warnings}."),
        _ => format!("Not ready to stream: {errors}, {warnings}."),
    };
    let _ = writeln!(out, "{verdict}");
    out
}

#[cfg(test)]
mod tests {
    use bintrail_engine::doctor::{Finding, Fix, Part};

    use super::*;

    fn report(severity: Severity) -> Report {
        let part = |findings| Part {
            place: "db:3306".to_owned(),
            version: Some("MySQL 9.7.4".to_owned()),
            findings,
        };
        let finding = |check, severity, fix: &[Fix]| Finding {
            check,
            severity,
            message: "so it is".to_owned(),
            fix: fix.to_vec(),
        };
        Report {
            sources: vec![part(vec![
                finding("log_bin", Severity::Ok, &[]),
                finding(
                    "binlog_row_image",
                    severity,
                    &[
                        Fix::Sql("SET PERSIST a = b;".to_owned()),
                        Fix::Flag("--server-id=7".to_owned()),
                    ],
                ),
            ])],
            index: part(vec![finding("disk", Severity::Info, &[])]),
        }
    }

    #[test]
    fn text_has_a_line_a_finding_and_a_verdict() {
        assert_eq!(
            as_text(&report(Severity::Error), false),
            "Source  db:3306, MySQL 9.7.4\n\
             \x20 ok       log_bin           so it is\n\
             \x20 error    binlog_row_image  so it is\n\
             \x20            SET PERSIST a = b;\n\
             \x20            give bintrail --server-id=7\n\
             \n\
             Index  db:3306, MySQL 9.7.4\n\
             \x20 info     disk  so it is\n\
             \n\
             Not ready to stream: 1 error, no warnings.\n"
        );
        let text = as_text(&report(Severity::Warning), true);
        assert!(
            text.ends_with("Ready to stream: no errors, 1 warning.\n"),
            "{text}"
        );
        assert!(
            text.contains("\x1b[1;33mwarning\x1b[0m  binlog_row_image"),
            "{text}"
        );
    }
}
