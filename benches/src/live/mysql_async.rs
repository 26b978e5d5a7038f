//! `mysql_async`'s `BinlogStream`, which decodes with `mysql_common`.

use std::hint::black_box;

use futures_util::StreamExt as _;
use mysql_async::{BinlogStreamRequest, Conn, OptsBuilder};
use mysql_common::binlog::events::EventData;

use super::{SERVER_ID, runtime};
use crate::engines::take_rows;
use crate::{Counts, Result};

pub(super) fn run(port: u16, file: &str) -> Result<Counts> {
    runtime()?.block_on(async {
        let options = OptsBuilder::default()
            .ip_or_hostname("127.0.0.1")
            .tcp_port(port)
            .user(Some("root"))
            // Else it would go over to the server's socket.
            .prefer_socket(false);
        let request = BinlogStreamRequest::new(SERVER_ID).with_filename(file.as_bytes());
        let mut stream = Conn::new(options).await?.get_binlog_stream(request).await?;
        let mut counts = Counts::default();
        while let Some(event) = stream.next().await {
            let event = event?;
            match event.read_data()? {
                Some(EventData::RowsEvent(rows)) => {
                    let table = stream.get_tme(rows.table_id());
                    take_rows(table, &rows, &mut counts)?;
                }
                // The one that is made up for the dump stands nowhere.
                Some(EventData::RotateEvent(_)) if event.header().log_pos() != 0 => {
                    return Ok(counts);
                }
                // The events of a compressed transaction come next, as events.
                data => drop(black_box(data)),
            }
        }
        Err("the server has no more, and the file did not end".into())
    })
}
