//! `mysql_common`, the decoder of `mysql_async` and `mysql`.

use std::fs::File;
use std::hint::black_box;
use std::io::{BufRead, BufReader};
use std::path::Path;

use mysql_common::binlog::BinlogFileHeader;
use mysql_common::binlog::EventStreamReader;
use mysql_common::binlog::consts::BinlogVersion;
use mysql_common::binlog::events::{Event, EventData, RowsEventData, TableMapEvent};
use mysql_common::binlog::row::BinlogRow;
use mysql_common::binlog::value::BinlogValue;
use mysql_common::value::Value;

use crate::{Counts, Result};

pub(super) fn run(path: &Path) -> Result<Counts> {
    let mut input = BufReader::with_capacity(128 * 1024, File::open(path)?);
    BinlogFileHeader::read(&mut input)?;
    let mut reader = EventStreamReader::new(BinlogVersion::Version4);
    let mut counts = Counts::default();
    while let Some(event) = reader.read(&mut input)? {
        take(&mut reader, &event, &mut counts)?;
    }
    Ok(counts)
}

fn take(reader: &mut EventStreamReader, event: &Event, counts: &mut Counts) -> Result<()> {
    match event.read_data()? {
        Some(EventData::RowsEvent(rows)) => {
            take_rows(reader.get_tme(rows.table_id()), &rows, counts)
        }
        Some(EventData::TransactionPayloadEvent(payload)) => {
            let mut inner = BufReader::new(payload.decompressed()?);
            while !inner.fill_buf()?.is_empty() {
                let Some(event) = reader.read_decompressed(&mut inner)? else {
                    break;
                };
                take(reader, &event, counts)?;
            }
            Ok(())
        }
        data => {
            black_box(data);
            Ok(())
        }
    }
}

/// Reads the values of an event.
pub(crate) fn take_rows(
    table: Option<&TableMapEvent<'_>>,
    rows: &RowsEventData<'_>,
    counts: &mut Counts,
) -> Result<()> {
    let table = table.ok_or("rows without a table map")?;
    for row in rows.rows(table) {
        let (before, after) = row?;
        counts.rows += 1;
        for image in [before, after].into_iter().flatten() {
            take_image(image, counts);
        }
    }
    Ok(())
}

fn take_image(image: BinlogRow, counts: &mut Counts) {
    for value in image.unwrap() {
        counts.values += 1;
        if matches!(value, BinlogValue::Value(Value::NULL)) {
            counts.nulls += 1;
        }
        black_box(&value);
    }
}
