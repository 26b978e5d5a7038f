//! What `bintrail doctor` finds, as JSON.

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
#[must_use]
pub const fn name(severity: Severity) -> &'static str {
    match severity {
        Severity::Ok => "ok",
        Severity::Info => "info",
        Severity::Warning => "warning",
        Severity::Error => "error",
    }
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
}
