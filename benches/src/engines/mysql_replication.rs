//! `mysql-replication`.

use std::fs::File;
use std::hint::black_box;
use std::io::BufReader;
use std::path::Path;

use mysql_replication::events::{EventData, Full, RowValue};
use mysql_replication::file::BinlogFile;
use mysql_replication::parser::ParserConfig;

use crate::{Counts, Result};

/// Its event type for what it does not read.
const TRANSACTION_PAYLOAD_EVENT: u8 = 40;

pub(super) fn run(path: &Path) -> Result<Counts> {
    let input = BufReader::with_capacity(128 * 1024, File::open(path)?);
    let mut file = BinlogFile::<_, Full>::new(input, ParserConfig::default())?;
    let mut counts = Counts::default();
    while let Some(event) = file.next_event()? {
        match &event.event {
            EventData::Rows(rows) => {
                for row in rows.rows()? {
                    counts.rows += 1;
                    let (before, after) = row?.operation.into_images();
                    for image in before.into_iter().chain(after) {
                        for field in image.fields() {
                            let value = field?.value;
                            counts.values += 1;
                            if matches!(value, RowValue::Null) {
                                counts.nulls += 1;
                            }
                            black_box(&value);
                        }
                    }
                }
            }
            EventData::Raw(_) if event.header.event_type == TRANSACTION_PAYLOAD_EVENT => {
                return Err("does not read TRANSACTION_PAYLOAD_EVENT".into());
            }
            _ => {}
        }
    }
    Ok(counts)
}
