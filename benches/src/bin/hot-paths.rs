//! `hot-paths ENGINE FILE`: reads a file twice, the second time in a function of its own, for callgrind to
//! count the instructions of: by then every buffer is there, every table compiled, and the program started.

use std::fs;
use std::hint::black_box;
use std::process::ExitCode;

use bintrail_benches::engines::{Json, Rows, Take, Typed};
use bintrail_benches::{Counts, Result};
use bintrail_proto::binlog::file::event_len;

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let counted = match args.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["bintrail", file] => count::<Typed>(file),
        ["bintrail-json", file] => count::<Json>(file),
        _ => Err("hot-paths bintrail|bintrail-json FILE".into()),
    };
    match counted {
        Ok(counts) => {
            println!("{counts}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("hot-paths: {error}");
            ExitCode::FAILURE
        }
    }
}

fn count<T: Take>(file: &str) -> Result<Counts> {
    let bytes = fs::read(file)?;
    let mut rows = Rows::<T>::default();
    read(&bytes, &mut rows)?;
    rows.take_counts();
    measured(&bytes, &mut rows)?;
    Ok(rows.take_counts())
}

/// What is counted: callgrind is told this name.
#[inline(never)]
fn measured<T: Take>(bytes: &[u8], rows: &mut Rows<T>) -> Result<()> {
    read(black_box(bytes), rows)
}

#[inline(always)]
fn read<T: Take>(bytes: &[u8], rows: &mut Rows<T>) -> Result<()> {
    let mut rest = bytes.get(4..).unwrap_or_default();
    while let Some(len) = event_len(rest)? {
        let (event, behind) = rest
            .split_at_checked(len)
            .ok_or("the file ends inside an event")?;
        rows.event(event)?;
        rest = behind;
    }
    Ok(())
}
