//! The wire and binary log formats of MySQL and MariaDB.
//!
//! Sans-IO: bytes in, borrowed views out. There is no socket, clock, runtime or policy in this
//! crate, and no `unsafe`. Every length, count and depth that comes from the wire is checked
//! before it is used, so no input can make it panic, loop or allocate without bound.
//!
//! # The way of the data
//!
//! ```text
//! socket ─▶ packet::Framer ─▶ payloads ─▶ session::Session ─▶ resultset, response
//!                                 │
//!                                 ▼ events of a dump
//! file ─▶ binlog::file::event_len ─▶ binlog::decoder::Decoder ─▶ Event ─┬▶ TableMapEvent ─▶ TableMap
//!                                        ▲                              ├▶ RowsEvent ─▶ Rows ─▶ Image ─▶ Value
//!                                        └─ transaction_payload ◀───────┴▶ TransactionPayload
//! ```
//!
//! A [`Decoder`](binlog::decoder::Decoder) takes whole events, one after another, checks their checksums and reads their
//! headers. A [`TableMap`](binlog::table_map::TableMap) is compiled once and used for all rows behind it;
//! [`Rows`](binlog::rows::Rows) finds the bytes of each value, and a [`Value`](binlog::value::Value) is only looked into when it
//! is printed. All of them borrow from the event's bytes: reading a row allocates nothing.
//!
//! # A file
//!
//! The rows of a binlog file, those in compressed transactions too. `inflate` is for the events that MariaDB compresses
//! (`log_bin_compress=ON`); all others it leaves as they are.
//!
//! ```
//! use std::collections::HashMap;
//!
//! use bintrail_proto::binlog::decoder::{Decoder, Event, EventData};
//! use bintrail_proto::binlog::file::{MAGIC, event_len};
//! use bintrail_proto::binlog::rows::RowBuf;
//! use bintrail_proto::binlog::table_map::TableMap;
//! use bintrail_proto::binlog::transaction_payload::Unpacker;
//!
//! /// What was seen so far: tables by the number that rows know them by, with the bytes that they were compiled from.
//! #[derive(Default)]
//! struct Reader {
//!     tables: HashMap<u64, (Vec<u8>, TableMap)>,
//!     buf: RowBuf,
//!     scratch: Vec<u8>,
//!     rows: usize,
//! }
//!
//! impl Reader {
//!     fn event(&mut self, event: Event<'_>) -> Result<(), Box<dyn std::error::Error>> {
//!         let event = event.inflate(&mut self.scratch)?;
//!         match &event.data {
//!             EventData::TableMap(map) => {
//!                 // It comes in front of each statement's rows, and is the same mostly.
//!                 let known = self.tables.get(&map.table_id).is_some_and(|(body, _)| body == event.body);
//!                 if !known {
//!                     self.tables.insert(map.table_id, (event.body.to_vec(), map.compile()?));
//!                 }
//!             }
//!             EventData::Rows(rows) => {
//!                 let (_, table) = self.tables.get(&rows.table_id).ok_or("rows without their table")?;
//!                 let mut rows = rows.rows(table, &mut self.buf)?;
//!                 while let Some(row) = rows.next()? {
//!                     for image in [row.before, row.after].into_iter().flatten() {
//!                         for (column, field) in image.fields() {
//!                             // `None` where the image leaves the column out.
//!                             let _value = field.value(column)?;
//!                         }
//!                     }
//!                     self.rows += 1;
//!                 }
//!             }
//!             _ => {}
//!         }
//!         Ok(())
//!     }
//! }
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/mysql97/compressed/binlog");
//! let file = std::fs::read(path)?;
//! let mut rest = file.strip_prefix(&MAGIC).ok_or("not a binlog file")?;
//! let (mut decoder, mut unpacker) = (Decoder::for_file(), Unpacker::default());
//! let mut reader = Reader::default();
//! while let Some(len) = event_len(rest)? {
//!     let (bytes, behind) = rest.split_at_checked(len).ok_or("the file is cut off")?;
//!     let event = decoder.decode(bytes)?;
//!     if let EventData::TransactionPayload(payload) = &event.data {
//!         let mut packed = unpacker.events(payload)?;
//!         while let Some(bytes) = packed.next()? {
//!             reader.event(decoder.decode_packed(bytes, &event)?)?;
//!         }
//!     } else {
//!         reader.event(event)?;
//!     }
//!     rest = behind;
//! }
//! assert!(reader.rows > 300);
//! # Ok(())
//! # }
//! ```
//!
//! # A session
//!
//! Logging in and asking for a dump, over anything that reads and writes. Here that is what a server once
//! said; over a `TcpStream` it is the same.
//!
//! ```
//! use std::io::{Read, Write};
//!
//! use bintrail_proto::binlog::checksum::Checksum;
//! use bintrail_proto::binlog::decoder::Decoder;
//! use bintrail_proto::command::{self, BinlogDump, dump_flags};
//! use bintrail_proto::packet::{self, Framer};
//! use bintrail_proto::response::{EofPacket, ErrPacket, OkPacket, ServerError};
//! use bintrail_proto::session::{Action, Config, Session, TlsPolicy};
//! use bytes::{Bytes, BytesMut};
//!
//! type Error = Box<dyn std::error::Error>;
//!
//! fn receive(server: &mut impl Read, input: &mut BytesMut) -> Result<(), Error> {
//!     let mut chunk = [0; 4096];
//!     match server.read(&mut chunk)? {
//!         0 => Err("the server hung up".into()),
//!         count => Ok(input.extend_from_slice(&chunk[..count])),
//!     }
//! }
//!
//! fn log_in(server: &mut (impl Read + Write), config: Config, input: &mut BytesMut) -> Result<(), Error> {
//!     let mut session = Session::new(config);
//!     loop {
//!         match session.step(input)? {
//!             Action::Read => receive(server, input)?,
//!             Action::Send(bytes) => server.write_all(&bytes)?,
//!             Action::Ready(_) => return Ok(()),
//!             // An account with a password may need one of them: a TLS or an RSA library does that.
//!             Action::StartTls | Action::Encrypt { .. } => return Err("not in this example".into()),
//!         }
//!     }
//! }
//!
//! fn send(server: &mut impl Write, framer: &mut Framer, command: &[u8]) -> Result<(), Error> {
//!     let mut wire = Vec::new();
//!     framer.set_sequence(packet::write(command, 0, &mut wire));
//!     Ok(server.write_all(&wire)?)
//! }
//!
//! fn next_packet(server: &mut impl Read, framer: &mut Framer, input: &mut BytesMut) -> Result<Bytes, Error> {
//!     loop {
//!         match framer.next_payload(input)? {
//!             Some(payload) if payload.first() == Some(&ErrPacket::HEADER) => {
//!                 return Err(ServerError::parse(&payload)?.to_string().into());
//!             }
//!             Some(payload) => return Ok(payload),
//!             None => receive(server, input)?,
//!         }
//!     }
//! }
//!
//! # struct Server(std::io::Cursor<Vec<u8>>);
//! # impl Read for Server {
//! #     fn read(&mut self, buf: &mut [u8]) -> std::io::Result<usize> { self.0.read(buf) }
//! # }
//! # impl Write for Server {
//! #     fn write(&mut self, buf: &[u8]) -> std::io::Result<usize> { Ok(buf.len()) }
//! #     fn flush(&mut self) -> std::io::Result<()> { Ok(()) }
//! # }
//! # fn main() -> Result<(), Error> {
//! # let mut said = Vec::new();
//! # let greeting = b"\n9.7.4-2\0\xed\0\0\0~&{\x03_}\x03e\0\xff\xff\xff\x02\0\xff\xdf\x15\0\0\0\0\0\0\0\0\0\0\x06\x1bNO>P5\x08|k%G\0caching_sha2_password\0";
//! # packet::write(greeting, 0, &mut said);
//! # packet::write(b"\0\0\0\x02\0\0\0", 2, &mut said);
//! # packet::write(b"\0\0\0\x02\0\0\0", 1, &mut said);
//! # let file = std::fs::read(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/mysql97/xa/binlog"))?;
//! # let (mut rest, mut sequence) = (&file[4..], 1);
//! # while let Some(len) = bintrail_proto::binlog::file::event_len(rest)? {
//! #     sequence = packet::write(&[&[0], &rest[..len]].concat(), sequence, &mut said);
//! #     rest = &rest[len..];
//! # }
//! # packet::write(b"\xfe\0\0\x02\0", sequence, &mut said);
//! # let mut server = Server(std::io::Cursor::new(said));
//! let (mut input, mut framer) = (BytesMut::new(), Framer::new(1 << 30));
//! let config = Config {
//!     user: "replica".to_owned(),
//!     password: String::new().into(),
//!     database: None,
//!     tls: TlsPolicy::Disabled,
//!     attributes: Vec::new(),
//! };
//! log_in(&mut server, config, &mut input)?;
//!
//! // Without a word about checksums the server refuses; servers before MySQL 8.0.26 and MariaDB know the second name.
//! let checksums = "SET @source_binlog_checksum = 'CRC32', @master_binlog_checksum = 'CRC32'";
//! send(&mut server, &mut framer, &command::query(checksums))?;
//! assert_eq!(next_packet(&mut server, &mut framer, &mut input)?.first(), Some(&OkPacket::HEADER));
//!
//! // A replica that stays would send a `RegisterReplica` first, and leave out NON_BLOCK.
//! let dump = BinlogDump {
//!     file: b"mysql-bin.000001",
//!     position: 4,
//!     flags: dump_flags::NON_BLOCK,
//!     server_id: 77,
//! };
//! send(&mut server, &mut framer, &dump.to_payload()?)?;
//! let (mut decoder, mut events) = (Decoder::for_dump(Checksum::Crc32), 0);
//! loop {
//!     let packet = next_packet(&mut server, &mut framer, &mut input)?;
//!     match packet.split_first() {
//!         // An event, behind the byte of an OK packet.
//!         Some((&OkPacket::HEADER, event)) => {
//!             let event = decoder.decode(event)?;
//!             println!("{} at {}", event.header.event_type, event.start);
//!             events += 1;
//!         }
//!         Some((&EofPacket::HEADER, _)) => break,
//!         _ => return Err("not a packet of a dump".into()),
//!     }
//! }
//! assert!(events > 20);
//! # Ok(())
//! # }
//! ```

#![forbid(unsafe_code)]

pub mod auth;
pub mod binlog;
pub mod capabilities;
pub mod command;
pub mod error;
pub mod gtid_set;
pub mod handshake;
pub mod packet;
pub mod primitive;
pub mod response;
pub mod resultset;
mod serialization;
pub mod session;

pub use error::{Error, Kind};
