//! `stream`: bintrail from a real source into real indexes, beside a plain client that loads the same rows.

use std::fmt::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use bintrail_benches::Result;
use bintrail_benches::stream::index::Place;
use bintrail_benches::stream::program::{Measured, Program};
use bintrail_benches::stream::source::{Server, Work, forget, make};
use bintrail_benches::stream::{floor, latency};
use mysql_async::prelude::Queryable;

const USAGE: &str = "stream BINTRAIL SOURCE INDEX INDEX_DATA DIR RECORD WORK…\n\
  SOURCE and INDEX as PORT:PID; WORK is orders, long, wide, bulk, many, huge or latency";

/// Name, statement before it, the work itself, and what gives its disk space back.
const WORKS: [(&str, Option<&str>, &str, &str); 6] = [
    ("orders", None, "CALL orders(200000)", "TRUNCATE orders"),
    ("long", None, "CALL orders(1000000)", "TRUNCATE orders"),
    ("wide", None, "CALL wide(2000)", "TRUNCATE wide"),
    ("bulk", None, "CALL bulk(2000)", "TRUNCATE bulk"),
    (
        "many",
        Some("CALL make_tables(2000)"),
        "CALL many(2000, 50)",
        "DROP DATABASE many",
    ),
    ("huge", None, "CALL documents(5000)", "DO 0"),
];

struct Bench {
    program: Program,
    index: Server,
    data: PathBuf,
    dir: PathBuf,
    text: String,
}

#[tokio::main]
async fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let [bintrail, source, index, data, dir, record, works @ ..] = args.as_slice() else {
        eprintln!("{USAGE}");
        return ExitCode::from(2);
    };
    match bench([bintrail, source, index, data, dir, record], works).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("stream: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn bench(args: [&String; 6], works: &[String]) -> Result<()> {
    let [bintrail, source, index, data, dir, record] = args;
    let mut bench = Bench {
        program: Program {
            path: bintrail.into(),
            source: Server::parse(source)?,
        },
        index: Server::parse(index)?,
        data: data.into(),
        dir: dir.into(),
        text: String::new(),
    };
    for name in works {
        if name == "latency" {
            bench.latency().await?;
            continue;
        }
        let work = WORKS.iter().find(|(work, ..)| work == name);
        let (_, before, call, after) = work.ok_or_else(|| format!("no work {name}"))?;
        let work = make(&bench.program.source, name, *before, call).await?;
        bench.work(&work).await?;
        forget(&bench.program.source, after).await?;
    }
    std::fs::write(record, bench.text)?;
    Ok(())
}

impl Bench {
    fn mysql(&self) -> Place {
        Place::MySql {
            server: self.index.clone(),
            data: self.data.clone(),
            database: "bintrail".to_owned(),
        }
    }

    fn sqlite(&self) -> Place {
        Place::Sqlite(self.dir.join("bench.db"))
    }

    fn say(&mut self, line: &str) {
        println!("{line}");
        self.text.push_str(line);
        self.text.push('\n');
    }

    async fn work(&mut self, work: &Work) -> Result<()> {
        self.say(&format!(
            "\n## {}: {} row events, {} MB of binlog\n\n{HEAD}",
            work.name,
            work.events,
            work.bytes / 1_000_000
        ));
        let (mysql, sqlite) = (self.mysql(), self.sqlite());
        let loaded = self.program.catch_up(work, &mysql, &[]).await?;
        self.line("MySQL", work, &loaded);
        if work.name != "huge" {
            let floor = floor::load(work, &mysql, &self.program.source).await?;
            self.line("plain LOAD DATA LOCAL", work, &floor);
            let ratio = loaded.wall.as_secs_f64() / floor.wall.as_secs_f64();
            let cpu = |of: &Measured| of.index.unwrap_or_default().as_secs_f64();
            let index = cpu(&loaded) / cpu(&floor);
            self.floor(ratio, index);
        }
        if work.name == "orders" {
            self.local_infile(false).await?;
            let inserted = self.program.catch_up(work, &mysql, &[]).await?;
            self.local_infile(true).await?;
            self.line("MySQL, local_infile=OFF", work, &inserted);
        }
        mysql.remove().await?;
        let stored = self.program.catch_up(work, &sqlite, &[]).await?;
        self.line("SQLite", work, &stored);
        sqlite.remove().await?;
        let printed = self.program.tail(work).await?;
        self.line("`tail --format json`", work, &printed);
        Ok(())
    }

    fn floor(&mut self, time: f64, index: f64) {
        let line =
            format!("| MySQL beside the plain client | ×{time:.2} time | ×{index:.2} | | | | | |");
        self.say(&line);
    }

    async fn local_infile(&self, on: bool) -> Result<()> {
        let mut conn = self.index.connect(None).await?;
        conn.query_drop(format!("SET GLOBAL local_infile = {}", u8::from(on)))
            .await?;
        Ok(conn.disconnect().await?)
    }

    fn line(&mut self, name: &str, work: &Work, of: &Measured) {
        let events = work.events as f64;
        let micros = |time: Duration| time.as_secs_f64() * 1e6 / events;
        let mut line = format!(
            "| {name} | {:.0} | ",
            events / of.wall.as_secs_f64().max(1e-3)
        );
        if let Some(index) = of.index {
            let _ = write!(line, "{:.2}", micros(index));
        }
        let _ = write!(
            line,
            " | {:.2} | {:.2} | ",
            micros(of.own),
            micros(of.source)
        );
        if let Some(disk) = of.disk {
            let _ = write!(line, "{:.0}", disk as f64 / events);
        }
        let rss = match of.rss {
            0 => String::new(),
            rss => format!("{:.0}", rss as f64 / 1e6),
        };
        let _ = write!(
            line,
            " | {rss} | {:.2} |",
            of.others.as_secs_f64() / of.wall.as_secs_f64()
        );
        self.say(&line);
    }

    async fn latency(&mut self) -> Result<()> {
        self.say("\n## A commit on a quiet source, until the index shows it\n");
        self.say("| index | `--batch-size` | p50, ms | p99, ms | max, ms |\n|---|--:|--:|--:|--:|");
        for (name, place) in [("MySQL", self.mysql()), ("SQLite", self.sqlite())] {
            for batch_size in ["1", "1000", "1000000"] {
                let of = latency::measure(&self.program, &place, batch_size).await?;
                let at = |quantile| of.value_at_quantile(quantile) as f64 / 1e3;
                let line = format!(
                    "| {name} | {batch_size} | {:.1} | {:.1} | {:.1} |",
                    at(0.5),
                    at(0.99),
                    of.max() as f64 / 1e3
                );
                self.say(&line);
            }
        }
        Ok(())
    }
}

const HEAD: &str = "\
| into | events/s | index CPU, µs/event | bintrail CPU, µs/event | source CPU, µs/event | bytes/event | peak RSS, MB | \
other work, cores |
|---|--:|--:|--:|--:|--:|--:|--:|";
