//! `compare`: runs every engine on every workload, in turns, and prints what each took.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use bintrail_benches::Result;
use bintrail_benches::engines::{ENGINES, Kind};
use bintrail_benches::measure::{Contender, HEAD, WORKLOADS, Workload, lines};

const USAGE: &str = "compare WORKLOADS BINTRAIL MYSQLBINLOG RECORD";

fn main() -> ExitCode {
    let args: Vec<PathBuf> = std::env::args_os().skip(1).map(PathBuf::from).collect();
    let [workloads, bintrail, mysqlbinlog, record] = args.as_slice() else {
        eprintln!("{USAGE}");
        return ExitCode::from(2);
    };
    match compare(workloads, bintrail, mysqlbinlog, record) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("compare: {error}");
            ExitCode::FAILURE
        }
    }
}

fn contenders(bintrail: &Path, mysqlbinlog: &Path) -> Result<Vec<Contender>> {
    let engine = std::env::current_exe()?.with_file_name("engine");
    let mut all: Vec<Contender> = ENGINES
        .iter()
        .map(|of| Contender {
            name: of.name,
            kind: of.kind,
            program: engine.clone(),
            args: vec![of.name.to_owned()],
            counts: of.kind != Kind::Floor,
        })
        .collect();
    let text = |name, kind, program: &Path, args: &[&str]| Contender {
        name,
        kind,
        program: program.to_owned(),
        args: args.iter().map(|arg| (*arg).to_owned()).collect(),
        counts: false,
    };
    all.extend([
        text(
            "bintrail decode --format json",
            Kind::Ours,
            bintrail,
            &["decode", "--format", "json"],
        ),
        text(
            "mysqlbinlog -v",
            Kind::Tool,
            mysqlbinlog,
            &["--no-defaults", "-v", "--base64-output=decode-rows"],
        ),
        text("mysqlbinlog", Kind::Tool, mysqlbinlog, &["--no-defaults"]),
    ]);
    Ok(all)
}

fn compare(workloads: &Path, bintrail: &Path, mysqlbinlog: &Path, record: &Path) -> Result<()> {
    let contenders = contenders(bintrail, mysqlbinlog)?;
    let mut text = HEAD.to_owned();
    for name in WORKLOADS {
        let file = workloads.join(name);
        let workload = Workload::open(workloads, name)?;
        let measured = lines(
            &contenders,
            &workload,
            file.as_os_str(),
            &allocations(&file)?,
        )?;
        print!("{measured}");
        text += &measured;
    }
    fs::write(record, text)?;
    Ok(())
}

/// Allocations a row of the libraries' engines.
fn allocations(file: &Path) -> Result<BTreeMap<String, f64>> {
    let program = std::env::current_exe()?.with_file_name("allocations");
    let output = Command::new(program).arg(file).output()?;
    String::from_utf8(output.stdout)?
        .lines()
        .map(|line| {
            let (name, per_row) = line
                .split_once(' ')
                .ok_or("allocations: a line without a number")?;
            Ok((name.to_owned(), per_row.parse()?))
        })
        .collect()
}
