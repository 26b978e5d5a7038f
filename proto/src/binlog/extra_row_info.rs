//! The extra data in the header of a v2 rows event.

use crate::error::{Fault, Kind, Parsed};
use crate::primitive::{bytes, int1, int2};

use super::rows::RowsKind;

/// `Rows_event::Extra_row_info`'s type codes.
mod code {
    pub(super) const NDB: u8 = 0;
    pub(super) const PARTITION: u8 = 1;
}

/// Which partition the rows of an event are in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Partition {
    /// The number of the partition that the rows are written to, or deleted from.
    pub target: u16,
    /// The number of the partition that an UPDATE takes them from.
    pub source: Option<u16>,
}

/// The partition that the extra data tells, if it does; `behind` is what stands behind it.
///
/// # Errors
/// What does not fit the layout.
pub(super) fn partition(
    kind: RowsKind,
    extra: &[u8],
    behind: &[u8],
) -> Result<Option<Partition>, nom::Err<Fault>> {
    parse(kind, extra)
        .map(|(_, partition)| partition)
        .map_err(|error| {
            error.map(|fault| Fault {
                remaining: fault.remaining.saturating_add(behind.len()),
                ..fault
            })
        })
}

/// Reads all of `input`.
///
/// ```text
/// ( int<1> type code
///   0: NDB        int<1> length, itself included, and the rest of it
///   1: partition  int<2> partition; update: int<2> partition of the before image
/// ) …
/// ```
///
/// What stands behind a type that is not known cannot be told apart and is left out.
///
/// Source: MySQL source documentation, `Rows_event` ("Extra_row_info"); WL#12080.
fn parse(kind: RowsKind, mut input: &[u8]) -> Parsed<'_, Option<Partition>> {
    let mut partition = None;
    while !input.is_empty() {
        let (rest, type_code) = int1(input)?;
        input = match type_code {
            code::NDB => {
                let (_, len) = int1(rest)?;
                if len == 0 {
                    return Err(Fault::at(
                        rest,
                        Kind::Invalid("the NDB data's length leaves itself out"),
                    ));
                }
                bytes(usize::from(len))(rest)?.0
            }
            code::PARTITION => {
                let (rest, target) = int2(rest)?;
                let (rest, source) = match kind {
                    RowsKind::Update => int2(rest).map(|(rest, id)| (rest, Some(id)))?,
                    RowsKind::Write | RowsKind::Delete => (rest, None),
                };
                partition = Some(Partition { target, source });
                rest
            }
            _ => &[],
        };
    }
    Ok((input, partition))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn partition(kind: RowsKind, extra: &[u8]) -> Result<Option<Partition>, nom::Err<Fault>> {
        super::partition(kind, extra, &[])
    }

    /// From a binlog of MySQL 9.7.4 with a partitioned table.
    #[test]
    fn partitions() {
        assert_eq!(partition(RowsKind::Write, &[]), Ok(None));
        assert_eq!(
            partition(RowsKind::Write, &[1, 2, 0]),
            Ok(Some(Partition {
                target: 2,
                source: None
            }))
        );
        assert_eq!(
            partition(RowsKind::Update, &[1, 2, 0, 1, 0]),
            Ok(Some(Partition {
                target: 2,
                source: Some(1)
            }))
        );
    }

    #[test]
    fn other_data_is_passed_over() {
        assert_eq!(
            partition(RowsKind::Delete, &[0, 3, 0, 9, 1, 2, 0]),
            Ok(Some(Partition {
                target: 2,
                source: None
            }))
        );
        assert_eq!(partition(RowsKind::Delete, &[7, 1, 2, 0]), Ok(None));
    }

    #[test]
    fn lengths_are_checked() {
        assert!(partition(RowsKind::Delete, &[0, 0]).is_err());
        assert!(partition(RowsKind::Delete, &[0, 3, 0]).is_err());
        assert!(partition(RowsKind::Delete, &[0]).is_err());
        assert!(partition(RowsKind::Update, &[1, 2, 0]).is_err());
        assert_eq!(
            super::partition(RowsKind::Write, &[1, 2], &[0; 9]),
            Err(nom::Err::Error(Fault {
                remaining: 10,
                kind: Kind::Truncated
            }))
        );
    }
}
