//! What `bintrail doctor` finds, as JSON and as text.

use std::fmt::Write as _;

use bintrail_engine::doctor::{Finding, Fix, Part, Report, Severity};
use serde_json::{Value, json};

/// It, as docs/doctor.md describes it.
#[must_use]
pub fn as_json(report: &Report) -> Value {
    let part = |part: &Part| {
        let finding = |finding: &Finding| {
            let fix = |fix: &Fix| json!({ "kind": fix.kind(), "text": fix.text() });
            json!({
                "check": finding.check,
                "severity": name(finding.severity),
                "message": finding.message,
                "fix": finding.fix.iter().map(fix).collect::<Vec<_>>(),
            })
        };
        json!({
            "place": part.place,
            "version": part.version,
            "findings": part.findings.iter().map(finding).collect::<Vec<_>>(),
        })
    };
    json!({
        "version": 1,
        "ready": report.count(Severity::Error) == 0,
        "errors": report.count(Severity::Error),
        "warnings": report.count(Severity::Warning),
        "sources": report.sources.iter().map(part).collect::<Vec<_>>(),
        "index": part(&report.index),
    })
}

/// The severity's name.
const fn name(severity: Severity) -> &'static str {
    match severity {
        Severity::Ok => "ok",
        Severity::Info => "info",
        Severity::Warning => "warning",
        Severity::Error => "error",
    }
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

/// It, for people.
#[must_use]
pub fn as_text(report: &Report, colours: bool) -> String {
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
    fn json_is_versioned() {
        let json = as_json(&report(Severity::Error));
        assert_eq!(json["version"], 1);
        assert_eq!(
            (&json["ready"], &json["errors"]),
            (&json!(false), &json!(1))
        );
        let finding = &json["sources"][0]["findings"][1];
        assert_eq!(finding["severity"], "error");
        assert_eq!(
            finding["fix"][1],
            json!({ "kind": "flag", "text": "--server-id=7" })
        );
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
