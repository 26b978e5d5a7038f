//! Rows that `mysqlbinlog` cannot print, read from the event's bytes.
//!
//! Only for tables made of INT, BIGINT and GEOMETRY columns, all of them in the image: enough for
//! what `mysqlbinlog` lacks, and little enough to be seen right by reading.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};

use super::{Cell, Change, Image};
use crate::Result;

const INT: u8 = 3;
const BIGINT: u8 = 8;
const GEOMETRY: u8 = 255;
const HEADER: usize = 19;

/// The body of the event that starts and ends there, without header and checksum.
pub(super) fn event(file: &mut File, (start, end): (u64, u64)) -> Result<Vec<u8>> {
    let mut bytes = vec![
        0;
        usize::try_from(
            end.checked_sub(start)
                .ok_or("an event that ends before it starts")?
        )?
    ];
    file.seek(SeekFrom::Start(start))?;
    file.read_exact(&mut bytes)?;
    let body = bytes
        .len()
        .checked_sub(4)
        .filter(|end| *end >= HEADER)
        .ok_or("a short event")?;
    Ok(bytes[HEADER..body].to_vec())
}

/// The images of all rows of a version 2 rows event.
pub(super) fn rows(
    map: &[u8],
    event: &[u8],
    change: Change,
) -> Result<Vec<(Option<Image>, Option<Image>)>> {
    let types = types(map)?;
    let mut bytes = event;
    // Table id, flags, and extra data whose length counts itself.
    let head = take(&mut bytes, 10)?;
    take(
        &mut bytes,
        usize::from(u16::from_le_bytes([head[8], head[9]])) - 2,
    )?;
    let columns = usize::from(take(&mut bytes, 1)?[0]);
    if columns != types.len() {
        return Err("as many columns as the table map has not".into());
    }
    let bitmap = columns.div_ceil(8);
    let images = if change == Change::Update { 2 } else { 1 };
    for _ in 0..images {
        let present = take(&mut bytes, bitmap)?;
        if !(0..columns).all(|column| present[column / 8] >> (column % 8) & 1 == 1) {
            return Err("a GEOMETRY table with partial images".into());
        }
    }
    let mut rows = Vec::new();
    while !bytes.is_empty() {
        let mut before = None;
        let mut after = None;
        if change != Change::Insert {
            before = Some(image(&mut bytes, types)?);
        }
        if change != Change::Delete {
            after = Some(image(&mut bytes, types)?);
        }
        rows.push((before, after));
    }
    Ok(rows)
}

/// The column types of a TABLE_MAP event with up to 250 columns.
fn types(map: &[u8]) -> Result<&[u8]> {
    let mut bytes = map;
    take(&mut bytes, 8)?;
    for _ in ["schema", "table"] {
        let length = usize::from(take(&mut bytes, 1)?[0]);
        take(&mut bytes, length + 1)?;
    }
    let columns = usize::from(take(&mut bytes, 1)?[0]);
    take(&mut bytes, columns)
}

fn image(bytes: &mut &[u8], types: &[u8]) -> Result<Image> {
    let nulls = take(bytes, types.len().div_ceil(8))?;
    let mut image = Image::new();
    for (column, kind) in types.iter().enumerate() {
        let cell = if nulls[column / 8] >> (column % 8) & 1 == 1 {
            Cell::Null
        } else {
            match *kind {
                INT => {
                    let four = <[u8; 4]>::try_from(take(bytes, 4)?)?;
                    let (signed, unsigned) = (i32::from_le_bytes(four), u32::from_le_bytes(four));
                    Cell::Integer {
                        signed: signed.into(),
                        unsigned: unsigned.into(),
                    }
                }
                BIGINT => {
                    let eight = <[u8; 8]>::try_from(take(bytes, 8)?)?;
                    Cell::Integer {
                        signed: i64::from_le_bytes(eight),
                        unsigned: u64::from_le_bytes(eight),
                    }
                }
                GEOMETRY => {
                    let length = u32::from_le_bytes(take(bytes, 4)?.try_into()?);
                    Cell::Bytes(take(bytes, usize::try_from(length)?)?.to_vec())
                }
                other => return Err(format!("a column of type {other} beside a GEOMETRY").into()),
            }
        };
        image.push((column + 1, cell));
    }
    Ok(image)
}

fn take<'a>(bytes: &mut &'a [u8], count: usize) -> Result<&'a [u8]> {
    let (front, rest) = bytes
        .split_at_checked(count)
        .ok_or("an event that ends early")?;
    *bytes = rest;
    Ok(front)
}
