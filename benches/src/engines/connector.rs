//! `mysql-binlog-connector-rust`.

use std::collections::HashMap;
use std::fs::File;
use std::hint::black_box;
use std::io::{self, BufRead, BufReader, Read, Seek, SeekFrom};
use std::path::Path;

use mysql_binlog_connector_rust::binlog_parser::BinlogParser;
use mysql_binlog_connector_rust::column::column_value::ColumnValue;
use mysql_binlog_connector_rust::event::event_data::EventData;
use mysql_binlog_connector_rust::event::row_event::RowEvent;

use crate::{Counts, Result};

pub(super) fn run(path: &Path) -> Result<Counts> {
    let mut input = Buffered(BufReader::with_capacity(128 * 1024, File::open(path)?));
    let mut parser = BinlogParser {
        checksum_length: 4,
        table_map_event_by_table_id: HashMap::new(),
    };
    parser.check_magic(&mut input)?;
    let mut counts = Counts::default();
    while !input.0.fill_buf()?.is_empty() {
        let (_, data) = parser.next(&mut input)?;
        take(data, &mut counts);
    }
    Ok(counts)
}

fn take(data: EventData, counts: &mut Counts) {
    match data {
        EventData::WriteRows(event) => {
            rows(event.rows.into_iter().map(|row| [Some(row), None]), counts)
        }
        EventData::UpdateRows(event) => {
            rows(
                event
                    .rows
                    .into_iter()
                    .map(|(before, after)| [Some(before), Some(after)]),
                counts,
            );
        }
        EventData::DeleteRows(event) => {
            rows(event.rows.into_iter().map(|row| [Some(row), None]), counts)
        }
        EventData::TransactionPayload(event) => {
            for (_, data) in event.uncompressed_events {
                take(data, counts);
            }
        }
        data => drop(black_box(data)),
    }
}

fn rows(rows: impl Iterator<Item = [Option<RowEvent>; 2]>, counts: &mut Counts) {
    for images in rows {
        counts.rows += 1;
        for value in images
            .into_iter()
            .flatten()
            .flat_map(|image| image.column_values)
        {
            counts.values += 1;
            if value == ColumnValue::None {
                counts.nulls += 1;
            }
            black_box(&value);
        }
    }
}

/// The parser seeks over each checksum, for which a plain `BufReader` throws its buffer away.
struct Buffered(BufReader<File>);

impl Read for Buffered {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        self.0.read(into)
    }
}

impl Seek for Buffered {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        match to {
            SeekFrom::Current(by) => {
                self.0.seek_relative(by)?;
                // The parser does not look at it, and asking the file would cost a system call.
                Ok(0)
            }
            to => self.0.seek(to),
        }
    }
}
