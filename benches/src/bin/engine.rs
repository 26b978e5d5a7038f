//! `engine NAME FILE`: one engine reads one file and prints its counts.

use std::path::Path;
use std::process::ExitCode;

use bintrail_benches::engines::ENGINES;

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let [name, file] = args.as_slice() else {
        eprintln!("engine NAME FILE");
        return ExitCode::from(2);
    };
    let Some(engine) = ENGINES.iter().find(|engine| engine.name == name) else {
        eprintln!("there is no engine {name}");
        return ExitCode::from(2);
    };
    match (engine.run)(Path::new(file)) {
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
