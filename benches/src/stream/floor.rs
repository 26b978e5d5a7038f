//! The least that has to be done: a plain client that has the very rows of an index in a file, and loads them into the
//! same tables with LOAD DATA LOCAL.

use std::fs::{self, File};
use std::io::{BufRead, BufReader};
use std::time::Duration;

use futures_util::StreamExt;
use mysql_async::Conn;
use mysql_async::prelude::Queryable;

use super::index::Place;
use super::process;
use super::program::{Clocks, Measured, outfile, settle};
use super::source::{Server, Work};
use crate::Result;

/// Rows of `row_changes` that are loaded in one transaction.
const ROWS: u64 = 10_000;

/// Loads what `place` holds into a database of its own.
pub async fn load(work: &Work, place: &Place, source: &Server) -> Result<Measured> {
    let Place::MySql {
        server,
        data,
        database,
    } = place
    else {
        return Err("only a MySQL index has a floor".into());
    };
    let floor = Place::MySql {
        server: server.clone(),
        data: data.clone(),
        database: format!("{database}_floor"),
    };
    let Place::MySql { database: name, .. } = &floor else {
        return Err("not MySQL".into());
    };
    floor.remove().await?;
    let mut conn = server.connect(Some(database)).await?;
    conn.query_drop(format!("CREATE DATABASE {name}")).await?;
    let mut tables = Vec::new();
    for table in ["row_changes", "transactions"] {
        let columns: Vec<String> = conn
            .exec(
                "SELECT column_name FROM information_schema.columns WHERE table_schema = ?
                 AND table_name = ? AND extra NOT LIKE '%GENERATED%' ORDER BY ordinal_position",
                (database, table),
            )
            .await?;
        let columns = columns.join(", ");
        let file = outfile(data, table);
        if file.exists() {
            fs::remove_file(&file)?;
        }
        conn.query_drop(format!(
            "SELECT {columns} FROM {table} ORDER BY 1 INTO OUTFILE '{}' CHARACTER SET binary",
            file.display()
        ))
        .await?;
        conn.query_drop(format!("CREATE TABLE {name}.{table} LIKE {table}"))
            .await?;
        let count: Option<u64> = conn
            .query_first(format!("SELECT COUNT(*) FROM {table}"))
            .await?;
        tables.push((table, columns, file, count.unwrap_or_default()));
    }
    conn.query_drop(format!("USE {name}")).await?;
    settle(place.pid()).await?;

    let own = process::cpu(std::process::id())?;
    let before = Clocks::read(place.pid(), source)?;
    let mut readers = Vec::new();
    for (.., file, _) in &tables {
        readers.push(BufReader::with_capacity(1 << 20, File::open(file)?));
    }
    let parts = work.events.div_ceil(ROWS);
    let mut loaded = 0;
    for part in 1..=parts {
        conn.query_drop("START TRANSACTION").await?;
        for ((table, columns, _, count), reader) in tables.iter().zip(&mut readers) {
            let rows = count * part / parts - count * (part - 1) / parts;
            let text = lines(reader, rows)?;
            load_text(&mut conn, table, columns, text).await?;
            if conn.affected_rows() != rows {
                return Err(format!("the floor lost rows of {table}").into());
            }
            loaded += rows;
        }
        conn.query_drop("COMMIT").await?;
    }
    let now = Clocks::read(place.pid(), source)?;
    let own = process::cpu(std::process::id())?.saturating_sub(own);
    let measured = before.until(now, own);
    if loaded != tables.iter().map(|(.., count)| count).sum::<u64>() {
        return Err("the floor did not load everything".into());
    }
    conn.disconnect().await?;
    let disk = floor.size()?;
    floor.remove().await?;
    for (.., file, _) in &tables {
        fs::remove_file(file)?;
    }
    Ok(Measured {
        disk: Some(disk),
        wall: measured.wall.max(Duration::from_millis(1)),
        ..measured
    })
}

/// The next so many lines. A line feed behind a backslash is part of a value.
fn lines(reader: &mut impl BufRead, rows: u64) -> Result<Vec<u8>> {
    let mut text = Vec::new();
    for _ in 0..rows {
        loop {
            if reader.read_until(b'\n', &mut text)? == 0 {
                return Err("the file ends early".into());
            }
            if !text.ends_with(b"\\\n") {
                break;
            }
        }
    }
    Ok(text)
}

async fn load_text(conn: &mut Conn, table: &str, columns: &str, text: Vec<u8>) -> Result<()> {
    let text = bytes::Bytes::from(text);
    let chunks: Vec<_> = (0..text.len())
        .step_by(256 * 1024)
        .map(|at| Ok(text.slice(at..text.len().min(at + 256 * 1024))))
        .collect();
    conn.set_infile_handler(async move { Ok(futures_util::stream::iter(chunks).boxed()) });
    conn.query_drop(format!(
        "LOAD DATA LOCAL INFILE 'floor' INTO TABLE {table} CHARACTER SET binary ({columns})"
    ))
    .await?;
    Ok(())
}
