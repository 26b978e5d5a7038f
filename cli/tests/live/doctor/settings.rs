//! What is set on a source, and what its account may do.

use super::Patient;
use crate::support::{Scratch, run, source_of};

/// On every kind of server, by the statements that it takes.
fn settings_of(kind: &str, options: &[&str], faults: &[(&str, &str, &str)]) {
    let server = source_of(kind, options);
    run(&server, &["CREATE DATABASE d"]);
    let scratch = Scratch::new();
    let patient = Patient::new(
        &server,
        &format!("sqlite:{}", scratch.0.join("index.db").display()),
    );
    let report = patient.report();
    assert_eq!(report["errors"], 0, "{kind}: {report:#}");
    for (fault, check, severity) in faults {
        for statement in fault.split("; ") {
            run(&server, &[statement]);
        }
        patient.is_mended_by_sql("source", check, severity, &server);
    }
}

#[test]
fn settings_and_privileges_of_mysql_97() {
    settings_of(
        "mysql97",
        &["--binlog-row-metadata=FULL"],
        &[
            (
                "SET GLOBAL binlog_format = STATEMENT",
                "binlog_format",
                "error",
            ),
            ("SET GLOBAL binlog_format = MIXED", "binlog_format", "error"),
            (
                "SET GLOBAL binlog_row_image = MINIMAL",
                "binlog_row_image",
                "warning",
            ),
            (
                "SET GLOBAL binlog_row_image = NOBLOB",
                "binlog_row_image",
                "warning",
            ),
            (
                "SET GLOBAL binlog_row_image = MINIMAL; SET GLOBAL binlog_row_value_options = PARTIAL_JSON",
                "binlog_row_value_options",
                "warning",
            ),
            ("DO 0", "binlog_row_image", "warning"),
            (
                "SET GLOBAL binlog_checksum = NONE",
                "binlog_checksum",
                "warning",
            ),
            (
                "SET GLOBAL gtid_mode = ON_PERMISSIVE",
                "gtid_mode",
                "warning",
            ),
            (
                "SET GLOBAL gtid_mode = ON_PERMISSIVE; SET GLOBAL gtid_mode = OFF_PERMISSIVE; \
              SET GLOBAL gtid_mode = OFF; SET GLOBAL enforce_gtid_consistency = OFF",
                "gtid_mode",
                "warning",
            ),
            (
                "SET GLOBAL binlog_expire_logs_seconds = 3600",
                "binlog_retention",
                "warning",
            ),
            (
                "CREATE TABLE d.`t``t` (id INT NOT NULL UNIQUE); CREATE TABLE d.u (id INT)",
                "primary_keys",
                "warning",
            ),
            (
                "REVOKE REPLICATION SLAVE ON *.* FROM capture",
                "replication_slave",
                "error",
            ),
            (
                "REVOKE REPLICATION CLIENT ON *.* FROM capture",
                "replication_client",
                "warning",
            ),
            (
                "SET GLOBAL binlog_row_metadata = MINIMAL; REVOKE SELECT ON *.* FROM capture",
                "select",
                "warning",
            ),
            (
                "SET GLOBAL partial_revokes = ON; REVOKE SELECT ON d.* FROM capture",
                "select",
                "warning",
            ),
            (
                "SET GLOBAL binlog_row_metadata = MINIMAL",
                "binlog_row_metadata",
                "warning",
            ),
        ],
    );
}

#[test]
fn settings_and_privileges_of_mysql_56() {
    settings_of(
        "mysql56",
        &[],
        &[
            ("SET GLOBAL binlog_format = MIXED", "binlog_format", "error"),
            (
                "SET GLOBAL binlog_row_image = MINIMAL",
                "binlog_row_image",
                "warning",
            ),
            (
                "SET GLOBAL binlog_checksum = NONE",
                "binlog_checksum",
                "warning",
            ),
            (
                "SET GLOBAL expire_logs_days = 1",
                "binlog_retention",
                "warning",
            ),
            (
                "CREATE TABLE d.t (id INT NOT NULL UNIQUE); CREATE TABLE d.u (id INT)",
                "primary_keys",
                "warning",
            ),
            (
                "REVOKE REPLICATION SLAVE ON *.* FROM capture",
                "replication_slave",
                "error",
            ),
            (
                "REVOKE REPLICATION CLIENT ON *.* FROM capture",
                "replication_client",
                "warning",
            ),
            ("REVOKE SELECT ON *.* FROM capture", "select", "warning"),
        ],
    );
}

#[test]
fn settings_and_privileges_of_mariadb() {
    const FAULTS: &[(&str, &str, &str)] = &[
        (
            "SET GLOBAL binlog_format = STATEMENT",
            "binlog_format",
            "error",
        ),
        (
            "SET GLOBAL binlog_row_image = NOBLOB",
            "binlog_row_image",
            "warning",
        ),
        (
            "SET GLOBAL binlog_row_metadata = MINIMAL",
            "binlog_row_metadata",
            "warning",
        ),
        (
            "SET GLOBAL binlog_checksum = NONE",
            "binlog_checksum",
            "warning",
        ),
        ("SET GLOBAL gtid_strict_mode = OFF", "gtid_mode", "warning"),
        (
            "SET GLOBAL expire_logs_days = 0.5",
            "binlog_retention",
            "warning",
        ),
        (
            "CREATE TABLE d.t (id INT NOT NULL UNIQUE); CREATE TABLE d.u (id INT)",
            "primary_keys",
            "warning",
        ),
        (
            "REVOKE REPLICATION SLAVE ON *.* FROM capture",
            "replication_slave",
            "error",
        ),
        (
            "REVOKE REPLICATION CLIENT ON *.* FROM capture",
            "replication_client",
            "warning",
        ),
        (
            "SET GLOBAL binlog_row_metadata = NO_LOG; REVOKE SELECT ON *.* FROM capture",
            "select",
            "warning",
        ),
    ];
    settings_of("mariadb", &[], FAULTS);
    let eleven = [
        FAULTS,
        &[(
            "SET GLOBAL max_binlog_total_size = 1048576",
            "binlog_retention",
            "warning",
        )],
    ];
    settings_of("mariadb11", &[], &eleven.concat());
}
