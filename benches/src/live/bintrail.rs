//! bintrail: its connection, and behind it what the engines of files do.

use std::hint::black_box;

use bintrail_engine::secret::Secret;
use bintrail_engine::source::connection::{ConnectOptions, Connection};
use bintrail_engine::source::replication::Progress;
use bintrail_engine::tls::{SslMode, TlsOptions};
use bintrail_proto::binlog::checksum::Checksum;
use bintrail_proto::binlog::decoder::Decoder;
use bintrail_proto::binlog::header::{EventHeader, EventType};

use super::{SERVER_ID, runtime};
use crate::engines::{Json, Rows, Take, Typed};
use crate::{Counts, Result};

/// Receives the events, and looks at nothing but their headers.
pub(super) fn receive(port: u16, file: &str) -> Result<Counts> {
    events(port, file, |event| {
        black_box(event);
        Ok(())
    })?;
    Ok(Counts::default())
}

pub(super) fn typed(port: u16, file: &str) -> Result<Counts> {
    run::<Typed>(port, file)
}

pub(super) fn json(port: u16, file: &str) -> Result<Counts> {
    run::<Json>(port, file)
}

fn run<T: Take>(port: u16, file: &str) -> Result<Counts> {
    let mut rows = Rows::<T>::new(Decoder::for_dump(Checksum::Crc32));
    events(port, file, |event| rows.event(event))?;
    Ok(rows.take_counts())
}

/// Hands on each event of a file.
fn events(port: u16, file: &str, mut take: impl FnMut(&[u8]) -> Result<()>) -> Result<()> {
    runtime()?.block_on(async {
        let options = ConnectOptions {
            tls: TlsOptions {
                mode: Some(SslMode::Disabled),
                ..TlsOptions::default()
            },
            ..ConnectOptions::new("127.0.0.1", port, "root", Secret::new(""))
        };
        let mut connection = Connection::connect(&options).await?;
        connection
            .execute("SET @source_binlog_checksum = 'CRC32'")
            .await?;
        connection.register_replica(SERVER_ID, "", 0).await?;
        let mut stream = connection
            .dump_by_position(SERVER_ID, file.as_bytes(), 4, 0)
            .await?;
        let mut frames = Vec::new();
        while stream.next_frames(&mut frames).await? == Progress::Events {
            for frame in frames.drain(..) {
                take(&frame)?;
                let header = EventHeader::parse(&frame)?;
                let artificial = header.flags & EventHeader::FLAG_ARTIFICIAL != 0;
                if header.event_type == EventType::ROTATE_EVENT && !artificial {
                    return Ok(());
                }
            }
        }
        Err("the server has no more, and the file did not end".into())
    })
}
