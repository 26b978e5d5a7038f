//! The character sets of MySQL 5.6: that server reads them as the decoder does, which is made from MySQL 9.7.

#![allow(clippy::unwrap_used, reason = "test code")]

use std::path::Path;
use std::process::Command;

use bintrail_testkit::server::Server;

#[test]
fn mysql_5_6_reads_every_sequence_as_mysql_9_7_does() {
    let server = Server::start("mysql56", "charsets", &[]).unwrap();
    let client = server.mysql();
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../scripts/gen-charsets");
    let output = Command::new(script)
        .arg("--check")
        .arg(client.get_program())
        .args(client.get_args())
        .output()
        .unwrap();
    let said = String::from_utf8(output.stdout).unwrap();
    let error = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success(), "{said}{error}");
    assert_eq!(
        said,
        "58 sets of 39 character sets, 0 of them read otherwise\n"
    );
}
