//! `loopback`: runs every engine that follows a server on every workload, as a server on this machine sends it, and
//! prints what each took.
//!
//! The server has the workloads, in their order, as its first binlog files: `scripts/bench` put them there.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use bintrail_benches::Result;
use bintrail_benches::engines::Kind;
use bintrail_benches::live::ENGINES;
use bintrail_benches::measure::{Contender, HEAD, WORKLOADS, Workload, lines};

const USAGE: &str = "loopback WORKLOADS PORT MYSQLBINLOG RECORD";

fn main() -> ExitCode {
    let args: Vec<PathBuf> = std::env::args_os().skip(1).map(PathBuf::from).collect();
    let [workloads, port, mysqlbinlog, record] = args.as_slice() else {
        eprintln!("{USAGE}");
        return ExitCode::from(2);
    };
    match compare(workloads, &port.to_string_lossy(), mysqlbinlog, record) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("loopback: {error}");
            ExitCode::FAILURE
        }
    }
}

fn contenders(port: &str, mysqlbinlog: &Path) -> Result<Vec<Contender>> {
    let live = std::env::current_exe()?.with_file_name("live");
    let mut all: Vec<Contender> = ENGINES
        .iter()
        .map(|of| Contender {
            name: of.name,
            kind: of.kind,
            program: live.clone(),
            args: vec![of.name.to_owned(), port.to_owned()],
            counts: of.kind != Kind::Floor,
        })
        .collect();
    let remote = |name, args: &[&str]| Contender {
        name,
        kind: Kind::Tool,
        program: mysqlbinlog.to_owned(),
        args: ["--no-defaults"]
            .iter()
            .chain(args)
            .chain(&["--read-from-remote-server", "--host=127.0.0.1"])
            .chain(&["--user=root", "--ssl-mode=DISABLED", "--port", port])
            .map(|arg| (*arg).to_owned())
            .collect(),
        counts: false,
    };
    all.extend([
        remote(
            "mysqlbinlog --read-from-remote-server -v",
            &["-v", "--base64-output=decode-rows"],
        ),
        remote("mysqlbinlog --read-from-remote-server", &[]),
    ]);
    Ok(all)
}

fn compare(workloads: &Path, port: &str, mysqlbinlog: &Path, record: &Path) -> Result<()> {
    let contenders = contenders(port, mysqlbinlog)?;
    let mut text = HEAD.to_owned();
    for (name, number) in WORKLOADS.into_iter().zip(1..) {
        let file = format!("mysql-bin.{number:06}");
        let workload = Workload::open(workloads, name)?;
        let measured = lines(&contenders, &workload, OsStr::new(&file), &BTreeMap::new())?;
        print!("{measured}");
        text += &measured;
    }
    fs::write(record, text)?;
    Ok(())
}
