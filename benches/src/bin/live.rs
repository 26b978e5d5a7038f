//! `live NAME PORT FILE`: one engine reads one binlog file of a server and prints its counts.

use std::process::ExitCode;

use bintrail_benches::live::ENGINES;
use bintrail_benches::{Counts, Result};

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let [name, port, file] = args.as_slice() else {
        eprintln!("live NAME PORT FILE");
        return ExitCode::from(2);
    };
    match run(name, port, file) {
        Ok(counts) => {
            println!("{counts}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn run(name: &str, port: &str, file: &str) -> Result<Counts> {
    let engine = ENGINES
        .iter()
        .find(|engine| engine.name == name)
        .ok_or_else(|| format!("there is no engine {name}"))?;
    (engine.run)(port.parse()?, file)
}
