//! `allocations FILE`: how often the engines allocate, all in all, for each row of a file.

use std::path::Path;
use std::process::ExitCode;

use allocation_counter::measure;
use bintrail_benches::engines::{ENGINES, Kind};

fn main() -> ExitCode {
    let Some(file) = std::env::args().nth(1) else {
        eprintln!("allocations FILE");
        return ExitCode::from(2);
    };
    for engine in ENGINES.iter().filter(|engine| engine.kind != Kind::Floor) {
        let mut read = None;
        let allocations = measure(|| read = Some((engine.run)(Path::new(&file)))).count_total;
        if let Some(Ok(counts)) = read {
            println!(
                "{} {}",
                engine.name,
                allocations as f64 / counts.rows as f64
            );
        }
    }
    ExitCode::SUCCESS
}
