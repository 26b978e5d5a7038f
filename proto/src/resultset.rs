//! Text result sets: what COM_QUERY answers with.

use bytes::Bytes;
use nom::bytes::complete::tag;

use crate::capabilities::Capabilities;
use crate::error::{Error, Kind, Parsed, read};
use crate::primitive::{bytes, int_lenenc, int1, int2, int4, string_lenenc};
use crate::response::{EofPacket, ErrPacket, OkPacket, SERVER_MORE_RESULTS_EXISTS, ServerError};

/// `Protocol::ColumnDefinition41`.
///
/// ```text
/// string<lenenc>  catalog: "def"
/// string<lenenc>  schema
/// string<lenenc>  table, by its alias
/// string<lenenc>  table
/// string<lenenc>  column, by its alias
/// string<lenenc>  column
/// int<lenenc>     12, the length of the rest
/// int<2>          collation
/// int<4>          greatest length
/// int<1>          type
/// int<2>          flags
/// int<1>          decimals
/// int<2>          0
/// ```
///
/// Source: MySQL source documentation,
/// `page_protocol_com_query_response_text_resultset_column_definition`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ColumnDefinition41<'a> {
    /// The column's name in the result: its alias, if it has one.
    pub name: &'a [u8],
    /// The id of its collation; 63 is binary.
    pub collation: u16,
    /// Its `enum_field_types`.
    pub column_type: u8,
}

impl<'a> ColumnDefinition41<'a> {
    /// Reads one.
    ///
    /// # Errors
    /// Malformed bytes.
    pub fn parse(payload: &'a [u8]) -> Result<Self, Error> {
        read("ColumnDefinition41", payload, column_definition)
    }
}

fn column_definition(input: &[u8]) -> Parsed<'_, ColumnDefinition41<'_>> {
    let (input, _catalog) = string_lenenc(input)?;
    let (input, _schema) = string_lenenc(input)?;
    let (input, _table) = string_lenenc(input)?;
    let (input, _org_table) = string_lenenc(input)?;
    let (input, name) = string_lenenc(input)?;
    let (input, _org_name) = string_lenenc(input)?;
    let (input, _) = tag(&[0x0C][..])(input)?;
    let (input, collation) = int2(input)?;
    let (input, _length) = int4(input)?;
    let (input, column_type) = int1(input)?;
    let (input, _flags) = int2(input)?;
    let (input, _decimals) = int1(input)?;
    let (input, _) = bytes(2)(input)?;
    Ok((
        input,
        ColumnDefinition41 {
            name,
            collation,
            column_type,
        },
    ))
}

/// What a statement answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// Rows.
    Rows(ResultSet),
    /// No result set, but success.
    Ok {
        /// Rows that the statement changed.
        affected_rows: u64,
    },
    /// An ERR packet, in place of the result or in the middle of it.
    Err(ServerError),
}

/// A whole result set.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ResultSet {
    /// The columns' names.
    pub columns: Vec<String>,
    /// The rows, each with one value a column; `None` is NULL.
    pub rows: Vec<Vec<Option<Bytes>>>,
}

/// Gathers the payloads of one answer to COM_QUERY.
#[derive(Debug)]
pub struct Collector {
    capabilities: Capabilities,
    /// How many bytes of payload it still takes.
    budget: usize,
    expects: Expects,
    result: ResultSet,
}

#[derive(Debug, Clone, Copy)]
enum Expects {
    Head,
    Columns { left: u64 },
    EndOfColumns,
    Rows,
}

impl Collector {
    /// A collector for one answer of at most `budget` bytes, and 64 a packet, on a connection with `capabilities`.
    #[must_use]
    pub fn new(capabilities: Capabilities, budget: usize) -> Self {
        Self {
            capabilities,
            budget,
            expects: Expects::Head,
            result: ResultSet::default(),
        }
    }

    /// Takes the next payload; `Some` once the answer is whole.
    ///
    /// # Errors
    /// Malformed bytes, an answer above the budget, and what the client never asked for: a request for a local
    /// file or a second result.
    pub fn push(&mut self, payload: &Bytes) -> Result<Option<Answer>, Error> {
        // What is kept of a row is more than its bytes.
        let cost = payload.len().saturating_add(64);
        self.budget = self.budget.checked_sub(cost).ok_or(Error::new(
            "text result set",
            Kind::Invalid("longer than the bound for a result"),
        ))?;
        if payload.first() == Some(&ErrPacket::HEADER) {
            return ServerError::parse(payload).map(|error| Some(Answer::Err(error)));
        }
        match self.expects {
            Expects::Head => self.head(payload),
            Expects::Columns { left } => {
                let column = ColumnDefinition41::parse(payload)?;
                self.result
                    .columns
                    .push(String::from_utf8_lossy(column.name).into_owned());
                self.expects = match left.saturating_sub(1) {
                    0 if self.capabilities.contains(Capabilities::DEPRECATE_EOF) => Expects::Rows,
                    0 => Expects::EndOfColumns,
                    left => Expects::Columns { left },
                };
                Ok(None)
            }
            Expects::EndOfColumns => {
                EofPacket::parse(payload)?;
                self.expects = Expects::Rows;
                Ok(None)
            }
            Expects::Rows if EofPacket::ends_rows(payload, self.capabilities) => {
                let status = if self.capabilities.contains(Capabilities::DEPRECATE_EOF) {
                    OkPacket::parse(payload, self.capabilities)?.status
                } else {
                    EofPacket::parse(payload)?.status
                };
                let rows = std::mem::take(&mut self.result);
                self.last(status, Answer::Rows(rows))
            }
            Expects::Rows => {
                let columns = self.result.columns.len();
                let row = read("TextResultsetRow", payload, |input| {
                    row(payload, columns, input)
                })?;
                self.result.rows.push(row);
                Ok(None)
            }
        }
    }

    fn head(&mut self, payload: &[u8]) -> Result<Option<Answer>, Error> {
        match payload.first() {
            Some(&OkPacket::HEADER) => {
                let ok = OkPacket::parse(payload, self.capabilities)?;
                let affected_rows = ok.affected_rows;
                self.last(ok.status, Answer::Ok { affected_rows })
            }
            Some(0xFB) => Err(Error::new(
                "COM_QUERY response",
                Kind::Unsupported("a request for a local file"),
            )),
            _ => {
                let left = read("COM_QUERY response", payload, int_lenenc)?;
                if left == 0 {
                    return Err(Error::new(
                        "COM_QUERY response",
                        Kind::Invalid("a result set without columns"),
                    ));
                }
                self.expects = Expects::Columns { left };
                Ok(None)
            }
        }
    }

    fn last(&self, status: u16, answer: Answer) -> Result<Option<Answer>, Error> {
        if status & SERVER_MORE_RESULTS_EXISTS == 0 {
            Ok(Some(answer))
        } else {
            Err(Error::new(
                "COM_QUERY response",
                Kind::Unsupported("more than one result"),
            ))
        }
    }
}

/// `Protocol::TextResultsetRow`: for each column 0xFB for NULL, or a `string<lenenc>`.
///
/// Source: `page_protocol_com_query_response_text_resultset_row`.
fn row<'a>(payload: &Bytes, columns: usize, mut input: &'a [u8]) -> Parsed<'a, Vec<Option<Bytes>>> {
    let mut values = Vec::with_capacity(columns);
    for _ in 0..columns {
        if let Some((0xFB, behind)) = input.split_first() {
            values.push(None);
            input = behind;
        } else {
            let (behind, value) = string_lenenc(input)?;
            values.push(Some(payload.slice_ref(value)));
            input = behind;
        }
    }
    Ok((input, values))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const OLD: Capabilities = Capabilities::PROTOCOL_41;

    fn collect(
        capabilities: Capabilities,
        budget: usize,
        payloads: &[&'static [u8]],
    ) -> Result<Option<Answer>, Error> {
        let mut collector = Collector::new(capabilities, budget);
        for (at, payload) in payloads.iter().enumerate() {
            if let Some(answer) = collector.push(&Bytes::from_static(payload))? {
                assert_eq!(at + 1, payloads.len(), "payloads behind the end");
                return Ok(Some(answer));
            }
        }
        Ok(None)
    }

    /// `select 1 a, null b, '' c`, as MySQL 9.7.4 answered it.
    const NEW: &[&[u8]] = &[
        b"\x03",
        b"\x03def\x00\x00\x00\x01a\x00\x0c?\x00\x02\x00\x00\x00\x08\x81\x00\x00\x00\x00",
        b"\x03def\x00\x00\x00\x01b\x00\x0c?\x00\x00\x00\x00\x00\x06\x80\x00\x00\x00\x00",
        b"\x03def\x00\x00\x00\x01c\x00\x0c\xff\x00\x00\x00\x00\x00\xfd\x01\x00\x1f\x00\x00",
        b"\x011\xfb\x00",
        b"\xfe\x00\x00\x02\x00\x00\x00",
    ];

    #[test]
    fn rows_of_9_7() {
        let answer = collect(Capabilities::DEPRECATE_EOF, 1 << 20, NEW);
        let Ok(Some(Answer::Rows(result))) = answer else {
            panic!("{answer:?}");
        };
        assert_eq!(result.columns, ["a", "b", "c"]);
        let value = |text: &'static str| Some(Bytes::from(text));
        assert_eq!(result.rows, [[value("1"), None, value("")]]);
    }

    #[test]
    fn rows_of_5_6() {
        let answer = collect(
            OLD,
            1 << 20,
            &[
                b"\x02",
                b"\x03def\x00\x00\x00\x06user()\x00\x0c-\x004\x01\x00\x00\xfd\x01\x00\x1f\x00\x00",
                b"\x03def\x00\x00\x00\x04NULL\x00\x0c?\x00\x00\x00\x00\x00\x06\x80\x00\x00\x00\x00",
                b"\xfe\x00\x00\x02\x00",
                b"\rnat@localhost\xfb",
                b"\xfe\x00\x00\x02\x00",
            ],
        );
        let Ok(Some(Answer::Rows(result))) = answer else {
            panic!("{answer:?}");
        };
        assert_eq!(result.columns, ["user()", "NULL"]);
        assert_eq!(result.rows, [[Some(Bytes::from("nat@localhost")), None]]);
    }

    #[test]
    fn errors_at_any_point() {
        for at in 0..NEW.len() {
            let mut payloads = NEW[..at].to_vec();
            payloads.push(b"\xff\x1e\x04#42S22Unknown column 'nonsense' in 'field list'");
            let answer = collect(Capabilities::DEPRECATE_EOF, 1 << 20, &payloads);
            let Ok(Some(Answer::Err(error))) = answer else {
                panic!("{answer:?}");
            };
            assert_eq!((error.code, &*error.sql_state), (1054, "42S22"));
        }
    }

    #[test]
    fn what_was_not_asked_for_is_an_error() {
        for head in [
            &b"\xfb/etc/passwd"[..],
            b"\x00\x00\x00\x0a\x00\x00\x00",
            b"\xfe",
            b"\x03\x00",
            b"",
        ] {
            assert!(collect(OLD, 1 << 20, &[head]).is_err(), "{head:?}");
        }
        let mut bad_row = NEW.to_vec();
        bad_row[4] = b"\x011\xfb\x01";
        assert!(collect(Capabilities::DEPRECATE_EOF, 1 << 20, &bad_row).is_err());
        bad_row[4] = b"\x011\xfb\x00\x00";
        assert!(collect(Capabilities::DEPRECATE_EOF, 1 << 20, &bad_row).is_err());
    }

    #[test]
    fn the_budget_holds() {
        let cost: usize = NEW.iter().map(|payload| payload.len() + 64).sum();
        assert!(collect(Capabilities::DEPRECATE_EOF, cost, NEW).is_ok());
        assert!(collect(Capabilities::DEPRECATE_EOF, cost - 1, NEW).is_err());
    }

    proptest! {
        #[test]
        fn any_payloads_end(
            payloads in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..40), 0..20),
            columns in 0_u8..5,
            bits: u32,
        ) {
            let mut collector = Collector::new(Capabilities::from_bits(bits), 1 << 16);
            let _ = collector.push(&Bytes::from(vec![columns]));
            for payload in payloads {
                let _ = collector.push(&Bytes::from(payload));
            }
        }
    }
}
