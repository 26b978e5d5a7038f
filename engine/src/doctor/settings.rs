//! A source's settings, judged by its variables alone.

use crate::source::variables::Variables;

use super::bytes;
use super::finding::{Finding, Fix};

/// How long a source should keep its binary logs: over a weekend in which nobody sees that the stream stands still.
const RETENTION_SECONDS: u64 = 3 * 86_400;

/// What is proposed in place of a shorter time.
const RETENTION_PROPOSED: u64 = 7 * 86_400;

/// What `stream` and `tail` do not start without, first things first.
pub(crate) fn refusal(variables: &Variables) -> Option<Finding> {
    [log_bin(variables), binlog_format(variables)]
        .into_iter()
        .find(|finding| finding.severity == super::Severity::Error)
}

/// All there is to say.
pub(super) fn judge(variables: &Variables) -> Vec<Finding> {
    let log_bin = log_bin(variables);
    if log_bin.severity == super::Severity::Error {
        // The others say how something is logged that is not.
        return vec![log_bin];
    }
    vec![
        log_bin,
        binlog_format(variables),
        row_image(variables),
        row_metadata(variables),
        partial_json(variables),
        checksum(variables),
        compression(variables),
        gtids(variables),
    ]
}

/// The statements, and lines in the option file, that set a variable for good.
pub(super) fn set(variables: &Variables, name: &str, value: &str) -> Vec<Fix> {
    if variables.is_mariadb() || variables.version() < (8, 0, 11) {
        vec![
            Fix::Sql(format!("SET GLOBAL {name} = {value};")),
            Fix::Advice(format!(
                "and `{name}={value}` in the server's option file, so that it stays so"
            )),
        ]
    } else {
        vec![Fix::Sql(format!("SET PERSIST {name} = {value};"))]
    }
}

/// The servers that bintrail is made for.
pub(super) fn version(variables: &Variables) -> Finding {
    const CHECK: &str = "version";
    let version = variables.text("version");
    let (name, oldest) = match variables.is_mariadb() {
        true => ("MariaDB", (10, 0, 0)),
        false => ("MySQL", (5, 6, 0)),
    };
    if variables.version() >= oldest {
        return Finding::ok(CHECK, format!("{name} {version}"));
    }
    let (major, minor, _) = oldest;
    Finding::warning(
        CHECK,
        format!("{name} {version} is older than {major}.{minor}, the oldest that bintrail reads"),
    )
}

fn log_bin(variables: &Variables) -> Finding {
    const CHECK: &str = "log_bin";
    if variables.is("log_bin", "ON") {
        return Finding::ok(CHECK, "ON");
    }
    Finding::error(
        CHECK,
        "binary logging is off (no --log-bin), so there are no changes to follow",
    )
    .fix(Fix::ServerOption("log-bin=binlog".to_owned()))
}

fn binlog_format(variables: &Variables) -> Finding {
    const CHECK: &str = "binlog_format";
    // Gone from servers that can log rows only.
    let format = variables.get("binlog_format").unwrap_or("ROW");
    if format.eq_ignore_ascii_case("ROW") {
        return Finding::ok(CHECK, "ROW");
    }
    let what = if format.eq_ignore_ascii_case("MIXED") {
        "some changes"
    } else {
        "changes"
    };
    Finding::error(
        CHECK,
        format!("{format}, so {what} are logged without their rows"),
    )
    .fixes(set(variables, "binlog_format", "ROW"))
    .fix(Fix::Advice(
        "then reconnect the applications: sessions keep the format they began with".to_owned(),
    ))
}

fn row_image(variables: &Variables) -> Finding {
    const CHECK: &str = "binlog_row_image";
    let image = variables.get(CHECK).unwrap_or("FULL");
    if image.eq_ignore_ascii_case("FULL") {
        return Finding::ok(CHECK, "FULL");
    }
    Finding::warning(
        CHECK,
        format!("{image}: rows are logged without some of their columns, and the index can only keep what is logged"),
    )
    .fixes(set(variables, CHECK, "FULL"))
}

fn row_metadata(variables: &Variables) -> Finding {
    const CHECK: &str = "binlog_row_metadata";
    match variables.get(CHECK) {
        None => Finding::info(
            CHECK,
            "this server's events never name their columns: they are looked up, and where a table may have \
             changed since, its columns are @1, @2, …",
        ),
        Some(metadata) if metadata.eq_ignore_ascii_case("FULL") => {
            Finding::ok(CHECK, "FULL: every event names its columns")
        }
        Some(metadata) => Finding::warning(
            CHECK,
            format!(
                "{metadata}: events do not name their columns. They are looked up, and where a table may have \
                 changed since, its columns are @1, @2, …"
            ),
        )
        .fixes(set(variables, CHECK, "FULL")),
    }
}

fn partial_json(variables: &Variables) -> Finding {
    const CHECK: &str = "binlog_row_value_options";
    if !variables.text(CHECK).contains("PARTIAL_JSON") {
        return Finding::ok(CHECK, "whole JSON values");
    }
    let image = variables.get("binlog_row_image").unwrap_or("FULL");
    // NOBLOB keeps a document that changes in part.
    if !image.eq_ignore_ascii_case("MINIMAL") {
        return Finding::info(
            CHECK,
            "PARTIAL_JSON: of a JSON document only what changes is logged, and bintrail puts it into the document before",
        );
    }
    Finding::warning(
        CHECK,
        format!(
            "PARTIAL_JSON: of a JSON document only what changes is logged, and with binlog_row_image={image} not the \
             document before, so that what it became is not known"
        ),
    )
    .fixes(set(variables, CHECK, "''"))
}

fn checksum(variables: &Variables) -> Finding {
    const CHECK: &str = "binlog_checksum";
    match variables.get(CHECK) {
        Some(checksum) if !checksum.eq_ignore_ascii_case("NONE") => Finding::ok(CHECK, checksum),
        _ => Finding::warning(
            CHECK,
            "NONE: events that were damaged on a disk or on the way cannot be told from good ones",
        )
        .fixes(set(variables, CHECK, "CRC32")),
    }
}

fn compression(variables: &Variables) -> Finding {
    const CHECK: &str = "binlog_transaction_compression";
    for name in [CHECK, "log_bin_compress"] {
        if variables.is(name, "ON") {
            return Finding::info(CHECK, format!("{name} is ON, and bintrail inflates it"));
        }
    }
    Finding::ok(CHECK, "OFF")
}

/// Are there GTIDs in every transaction, so that a stream goes by them?
pub(super) fn has_gtids(variables: &Variables) -> bool {
    variables.is_mariadb() || variables.is("gtid_mode", "ON")
}

fn gtids(variables: &Variables) -> Finding {
    const CHECK: &str = "gtid_mode";
    if variables.is_mariadb() {
        let domain = variables.text("gtid_domain_id");
        return if variables.is("gtid_strict_mode", "ON") {
            Finding::ok(CHECK, format!("domain {domain}, strict"))
        } else {
            Finding::warning(
                CHECK,
                format!(
                    "domain {domain}, not strict: two transactions may have one GTID, or a later one a lower number, and a \
                     stream that has to go on by them, as after a failover, then repeats a transaction or cannot go on"
                ),
            )
            .fixes(set(variables, "gtid_strict_mode", "ON"))
        };
    }
    let mode = variables.get(CHECK).unwrap_or("OFF");
    if has_gtids(variables) {
        return Finding::ok(CHECK, "ON");
    }
    let finding = Finding::warning(
        CHECK,
        format!("{mode}: the stream goes by file and position, and cannot go on at another server"),
    );
    if variables.version() < (5, 7, 6) {
        return finding
            .fix(Fix::ServerOption("gtid-mode=ON".to_owned()))
            .fix(Fix::ServerOption("enforce-gtid-consistency=ON".to_owned()))
            .fix(Fix::ServerOption("log-slave-updates=ON".to_owned()));
    }
    // One step at a time is all that the server takes.
    let steps = ["OFF", "OFF_PERMISSIVE", "ON_PERMISSIVE", "ON"];
    let at = steps.iter().position(|step| mode == *step).unwrap_or(0);
    let verb = if variables.version() < (8, 0, 11) {
        "GLOBAL"
    } else {
        "PERSIST"
    };
    let consistency = (!variables.is("enforce_gtid_consistency", "ON"))
        .then(|| Fix::Sql(format!("SET {verb} enforce_gtid_consistency = ON;")));
    finding.fixes(consistency).fixes(
        steps
            .iter()
            .skip(at.saturating_add(1))
            .map(|step| Fix::Sql(format!("SET {verb} gtid_mode = {step};"))),
    )
}

/// How long the source keeps what a stream has not read yet. `logs` are how many files it has now, and their bytes.
pub(super) fn retention(variables: &Variables, logs: Option<(u64, u64)>) -> Finding {
    const CHECK: &str = "binlog_retention";
    let now = logs.map_or(String::new(), |(files, size)| {
        let s = if files == 1 { "" } else { "s" };
        format!("; now {} in {files} file{s}", bytes(size))
    });
    // MariaDB's name, and Percona's.
    let limit = ["max_binlog_total_size", "binlog_space_limit"]
        .into_iter()
        .find_map(|name| Some((name, variables.number(name).filter(|size| *size > 0)?)));
    if let Some((name, size)) = limit {
        return Finding::warning(
            CHECK,
            format!(
                "binary logs are purged above {}, however young they are; what is purged before the stream has read \
                 it is lost{now}",
                bytes(size)
            ),
        )
        .fixes(set(variables, name, "0"));
    }
    let seconds = variables
        .number("binlog_expire_logs_seconds")
        .filter(|seconds| *seconds > 0)
        .or_else(|| days_as_seconds(variables.text("expire_logs_days")));
    let automatic = !variables.is("binlog_expire_logs_auto_purge", "OFF");
    let Some(seconds) = seconds.filter(|seconds| *seconds > 0 && automatic) else {
        return Finding::ok(CHECK, format!("binary logs are never purged by age{now}"));
    };
    let kept = format!("binary logs are kept for {}", duration(seconds));
    if seconds >= RETENTION_SECONDS {
        return Finding::ok(CHECK, format!("{kept}{now}"));
    }
    let (name, value) = if variables.get("binlog_expire_logs_seconds").is_some() {
        ("binlog_expire_logs_seconds", RETENTION_PROPOSED)
    } else {
        ("expire_logs_days", RETENTION_PROPOSED / 86_400)
    };
    Finding::warning(
        CHECK,
        format!("{kept} only: a stream that stands still for longer loses what is purged{now}"),
    )
    .fixes(set(variables, name, &value.to_string()))
}

/// MariaDB has fractions of days.
fn days_as_seconds(days: &str) -> Option<u64> {
    let (whole, fraction) = days.split_once('.').unwrap_or((days, "0"));
    let millionths: u64 = format!("{fraction:0<6}").get(..6)?.parse().ok()?;
    let whole = whole.parse::<u64>().ok()?.checked_mul(86_400)?;
    whole.checked_add(millionths.checked_mul(86_400)? / 1_000_000)
}

fn duration(seconds: u64) -> String {
    let (number, unit) = match seconds {
        0..120 => (seconds, "second"),
        120..7200 => (seconds / 60, "minute"),
        7200..172_800 => (seconds / 3600, "hour"),
        _ => (seconds / 86_400, "day"),
    };
    let s = if number == 1 { "" } else { "s" };
    format!("{number} {unit}{s}")
}

#[cfg(test)]
mod tests {
    use super::super::Severity;
    use super::*;

    fn variables(pairs: &[(&str, &str)]) -> Variables {
        pairs.iter().copied().collect()
    }

    /// As a fresh server of each kind has them.
    const MYSQL97: &[(&str, &str)] = &[
        ("version", "9.7.4"),
        ("log_bin", "ON"),
        ("binlog_format", "ROW"),
        ("binlog_row_image", "FULL"),
        ("binlog_row_metadata", "FULL"),
        ("binlog_row_value_options", ""),
        ("binlog_checksum", "CRC32"),
        ("binlog_transaction_compression", "OFF"),
        ("gtid_mode", "ON"),
        ("enforce_gtid_consistency", "ON"),
        ("binlog_expire_logs_seconds", "2592000"),
        ("binlog_expire_logs_auto_purge", "ON"),
    ];
    const MYSQL56: &[(&str, &str)] = &[
        ("version", "5.6.24-log"),
        ("log_bin", "ON"),
        ("binlog_format", "ROW"),
        ("binlog_row_image", "FULL"),
        ("binlog_checksum", "CRC32"),
        ("gtid_mode", "ON"),
        ("expire_logs_days", "0"),
    ];
    const MARIADB: &[(&str, &str)] = &[
        ("version", "10.11.18-MariaDB-log"),
        ("log_bin", "ON"),
        ("binlog_format", "ROW"),
        ("binlog_row_image", "FULL"),
        ("binlog_row_metadata", "FULL"),
        ("binlog_checksum", "CRC32"),
        ("log_bin_compress", "OFF"),
        ("gtid_domain_id", "0"),
        ("gtid_strict_mode", "ON"),
        ("expire_logs_days", "0.000000"),
        ("binlog_expire_logs_seconds", "0"),
    ];

    /// `kind` with `name` set to `value`.
    fn with(kind: &[(&str, &str)], name: &str, value: &str) -> Variables {
        let changed = kind
            .iter()
            .map(|(of, old)| (*of, if *of == name { value } else { old }));
        changed.chain([(name, value)]).collect()
    }

    #[test]
    fn nothing_is_wrong_with_a_good_server() {
        for kind in [MYSQL97, MARIADB] {
            let kind = variables(kind);
            for finding in judge(&kind).into_iter().chain([retention(&kind, None)]) {
                assert_eq!(finding.severity, Severity::Ok, "{finding:?}");
            }
        }
        let findings = judge(&variables(MYSQL56));
        assert!(findings.iter().all(|one| one.severity <= Severity::Info));
        assert_eq!(refusal(&variables(MYSQL56)), None);
    }

    #[test]
    fn each_fault_is_found_with_the_statement_that_each_server_takes() {
        let set_56 = |name: &str, value: &str| {
            vec![
                format!("SET GLOBAL {name} = {value};"),
                format!("and `{name}={value}` in the server's option file, so that it stays so"),
            ]
        };
        let persist = |name: &str, value: &str| vec![format!("SET PERSIST {name} = {value};")];
        use Severity::{Error, Info, Warning};
        for (kind, name, value, severity, fix) in [
            (
                MYSQL97,
                "log_bin",
                "OFF",
                Error,
                vec!["restart the server with `log-bin=binlog` in its option file".to_owned()],
            ),
            (
                MYSQL97,
                "binlog_row_image",
                "MINIMAL",
                Warning,
                persist("binlog_row_image", "FULL"),
            ),
            (
                MYSQL56,
                "binlog_row_image",
                "NOBLOB",
                Warning,
                set_56("binlog_row_image", "FULL"),
            ),
            (
                MARIADB,
                "binlog_row_image",
                "FULL_NODUP",
                Warning,
                set_56("binlog_row_image", "FULL"),
            ),
            (
                MYSQL97,
                "binlog_row_metadata",
                "MINIMAL",
                Warning,
                persist("binlog_row_metadata", "FULL"),
            ),
            (
                MARIADB,
                "binlog_row_metadata",
                "NO_LOG",
                Warning,
                set_56("binlog_row_metadata", "FULL"),
            ),
            (
                MYSQL97,
                "binlog_row_value_options",
                "PARTIAL_JSON",
                Info,
                vec![],
            ),
            (
                MYSQL97,
                "binlog_checksum",
                "NONE",
                Warning,
                persist("binlog_checksum", "CRC32"),
            ),
            (
                MYSQL97,
                "binlog_transaction_compression",
                "ON",
                Info,
                vec![],
            ),
            (MARIADB, "log_bin_compress", "ON", Info, vec![]),
            (
                MARIADB,
                "gtid_strict_mode",
                "OFF",
                Warning,
                set_56("gtid_strict_mode", "ON"),
            ),
            (
                MYSQL97,
                "gtid_mode",
                "OFF_PERMISSIVE",
                Warning,
                [
                    persist("gtid_mode", "ON_PERMISSIVE"),
                    persist("gtid_mode", "ON"),
                ]
                .concat(),
            ),
        ] {
            let findings = judge(&with(kind, name, value));
            let bad: Vec<_> = findings
                .iter()
                .filter(|one| {
                    one.severity > Severity::Ok
                        && !(kind == MYSQL56 && one.check == "binlog_row_metadata")
                })
                .collect();
            let [bad] = bad.as_slice() else {
                panic!("{name} {value}: {findings:?}");
            };
            assert_eq!(bad.severity, severity, "{bad:?}");
            let fixes: Vec<String> = bad.fix.iter().map(ToString::to_string).collect();
            assert_eq!(fixes, fix, "{name}");
        }
    }

    #[test]
    fn changes_to_a_document_that_is_not_logged() {
        let minimal = [MYSQL97, &[("binlog_row_image", "MINIMAL")]].concat();
        let finding = partial_json(&with(&minimal, "binlog_row_value_options", "PARTIAL_JSON"));
        assert_eq!(finding.severity, Severity::Warning);
        assert_eq!(
            finding.fix[0].text(),
            "SET PERSIST binlog_row_value_options = '';"
        );
        let others = [MYSQL97, &[("binlog_row_image", "NOBLOB")]].concat();
        let finding = partial_json(&with(&others, "binlog_row_value_options", "PARTIAL_JSON"));
        assert_eq!(finding.severity, Severity::Info);
    }

    #[test]
    fn old_servers() {
        for (version_of, severity) in [
            ("5.5.62", Severity::Warning),
            ("5.6.24-log", Severity::Ok),
            ("5.5.68-MariaDB", Severity::Warning),
            ("10.0.38-MariaDB", Severity::Ok),
        ] {
            let finding = version(&variables(&[("version", version_of)]));
            assert_eq!(finding.severity, severity, "{version_of}");
        }
    }

    #[test]
    fn a_refusal_is_one_line_with_the_remedy() {
        let format = refusal(&with(MYSQL97, "binlog_format", "STATEMENT")).unwrap();
        assert_eq!(
            format.to_string(),
            "STATEMENT, so changes are logged without their rows; SET PERSIST binlog_format = ROW; \
             then reconnect the applications: sessions keep the format they began with"
        );
        let off = refusal(&with(MYSQL97, "log_bin", "OFF")).unwrap();
        assert!(off.to_string().contains("--log-bin"), "{off}");
    }

    #[test]
    fn logs_that_are_purged_too_soon() {
        let kept = |kind: &[(&str, &str)], name: &str, value: &str| {
            let finding = retention(&with(kind, name, value), Some((1, 3 << 20)));
            (finding.severity, finding.to_string())
        };
        use Severity::{Ok, Warning};
        let (severity, text) = kept(MYSQL97, "binlog_expire_logs_seconds", "3600");
        assert_eq!(severity, Warning);
        assert!(text.contains("kept for 60 minutes only"), "{text}");
        assert!(text.contains("now 3.0 MiB in 1 file;"), "{text}");
        assert!(
            text.ends_with("SET PERSIST binlog_expire_logs_seconds = 604800"),
            "{text}"
        );
        let (severity, text) = kept(MYSQL56, "expire_logs_days", "1");
        assert_eq!(severity, Warning);
        assert!(text.contains("SET GLOBAL expire_logs_days = 7"), "{text}");
        let (severity, text) = kept(MARIADB, "expire_logs_days", "0.500000");
        assert!(severity == Warning && text.contains("12 hours"), "{text}");
        let (severity, text) = kept(MARIADB, "max_binlog_total_size", "1073741824");
        assert!(severity == Warning && text.contains("1.0 GiB"), "{text}");
        assert_eq!(kept(MYSQL97, "binlog_expire_logs_seconds", "0").0, Ok);
        assert_eq!(kept(MYSQL97, "binlog_expire_logs_seconds", "259200").0, Ok);
        assert_eq!(kept(MYSQL56, "expire_logs_days", "3").0, Ok);
        let off = [
            MYSQL97,
            &[
                ("binlog_expire_logs_seconds", "60"),
                ("binlog_expire_logs_auto_purge", "OFF"),
            ],
        ]
        .concat();
        assert_eq!(retention(&variables(&off), None).severity, Ok);
    }
}
