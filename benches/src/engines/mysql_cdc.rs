//! `mysql_cdc`.

use std::fs::File;
use std::hint::black_box;
use std::path::Path;

use mysql_cdc::binlog_reader::BinlogReader;
use mysql_cdc::events::binlog_event::BinlogEvent;
use mysql_cdc::events::row_events::row_data::RowData;

use crate::{Counts, Result};

/// The type code of what it does not read.
const TRANSACTION_PAYLOAD_EVENT: u8 = 40;

pub(super) fn run(path: &Path) -> Result<Counts> {
    // It takes a file and nothing else.
    let reader = BinlogReader::new(File::open(path)?).map_err(text)?;
    let mut counts = Counts::default();
    for event in reader.read_events() {
        let (header, event) = event.map_err(text)?;
        match event {
            BinlogEvent::WriteRowsEvent(event) => {
                event
                    .rows
                    .into_iter()
                    .for_each(|row| take([Some(row), None], &mut counts));
            }
            BinlogEvent::UpdateRowsEvent(event) => {
                for row in event.rows {
                    take(
                        [Some(row.before_update), Some(row.after_update)],
                        &mut counts,
                    );
                }
            }
            BinlogEvent::DeleteRowsEvent(event) => {
                event
                    .rows
                    .into_iter()
                    .for_each(|row| take([Some(row), None], &mut counts));
            }
            BinlogEvent::UnknownEvent if header.event_type == TRANSACTION_PAYLOAD_EVENT => {
                return Err("does not read TRANSACTION_PAYLOAD_EVENT".into());
            }
            event => drop(black_box(event)),
        }
    }
    Ok(counts)
}

fn take(images: [Option<RowData>; 2], counts: &mut Counts) {
    counts.rows += 1;
    for value in images.into_iter().flatten().flat_map(|image| image.cells) {
        counts.values += 1;
        if value.is_none() {
            counts.nulls += 1;
        }
        black_box(&value);
    }
}

fn text(error: mysql_cdc::errors::Error) -> String {
    format!("{error:?}")
}
