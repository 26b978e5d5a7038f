//! QUERY_EVENT (2): a statement: BEGIN, COMMIT, DDL, and what is logged as statements.

use crate::error::{Error, Fault, Parsed, read};
use crate::primitive::{bytes, int1, int2, int3, int4, int8, rest, string_nul};

/// The body of a QUERY_EVENT.
///
/// ```text
/// int<4>       id of the session
/// int<4>       seconds that the statement took
/// int<1>       length of the schema's name
/// int<2>       error code
/// int<2>       length of the status variables
/// string<n>    status variables
/// string<n>    name of the default schema
/// int<1>       0
/// string<EOF>  statement
/// ```
///
/// Source: MySQL source documentation, `mysql::binlog::event::Query_event`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Query<'a> {
    /// The session that ran it (`CONNECTION_ID()` on the source).
    pub thread_id: u32,
    /// Seconds that it took.
    pub execution_time: u32,
    /// The error that it ended with, and must end with again; 0 for none.
    pub error_code: u16,
    /// What the session had set.
    pub status: StatusVars<'a>,
    /// The session's default schema, in UTF-8; empty when there is none.
    pub schema: &'a [u8],
    /// The statement, in the character set of the session's client.
    pub statement: &'a [u8],
}

/// What a session had set when it ran a statement, as far as reading that statement needs it.
///
/// Each is a code and a value, whose length the code tells; codes rise. One that is not known ends
/// the reading, as in the server, for nobody can tell where the next one is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct StatusVars<'a> {
    /// `@@sql_mode`, as its bits.
    pub sql_mode: Option<u64>,
    /// The collation ids of `character_set_client`, `collation_connection` and
    /// `collation_server`.
    pub charset: Option<[u16; 3]>,
    /// `@@time_zone`, when the statement depends on it.
    pub time_zone: Option<&'a [u8]>,
    /// The schemas of the tables that the statement changes. `None` where they are more than 16, and
    /// where the server does not say, as MariaDB never does.
    pub updated_schemas: Option<Schemas<'a>>,
    /// Microseconds of the event's timestamp, when the statement depends on them.
    pub microseconds: Option<u32>,
    /// The internal number of the transaction that the statement commits by itself, as DDL does
    /// since MySQL 8.0 and MariaDB 10.6.
    pub ddl_xid: Option<u64>,
}

/// Names of schemas, each with a NUL behind it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Schemas<'a>(&'a [u8]);

impl<'a> Schemas<'a> {
    /// The names, in UTF-8. An empty one stands for any schema.
    pub fn names(self) -> impl Iterator<Item = &'a [u8]> {
        let names = self.0.split_inclusive(|byte| *byte == 0);
        names.map(|name| name.strip_suffix(&[0]).unwrap_or(name))
    }
}

impl<'a> Query<'a> {
    /// Reads the body: what is between the common header and the checksum.
    ///
    /// # Errors
    /// When it, or a known status variable, ends early, or no NUL is behind the schema's name.
    pub fn parse(body: &'a [u8]) -> Result<Self, Error> {
        read("Query_event", body, event)
    }
}

fn event(input: &[u8]) -> Parsed<'_, Query<'_>> {
    let (after, thread_id) = int4(input)?;
    let (after, execution_time) = int4(after)?;
    let (after, schema_len) = int1(after)?;
    let (after, error_code) = int2(after)?;
    let (after, status_len) = int2(after)?;
    let (after, status) = bytes(usize::from(status_len))(after)?;
    let status = status_vars(status).map_err(|error| before(after, error))?.1;
    let (at_nul, schema) = bytes(usize::from(schema_len))(after)?;
    let (after, nul) = int1(at_nul)?;
    if nul != 0 {
        return Err(Fault::invalid(at_nul, "no NUL behind the schema's name"));
    }
    let (after, statement) = rest(after)?;
    let query = Query {
        thread_id,
        execution_time,
        error_code,
        status,
        schema,
        statement,
    };
    Ok((after, query))
}

/// `error`, found in something that `rest` follows.
fn before(rest: &[u8], error: nom::Err<Fault>) -> nom::Err<Fault> {
    error.map(|fault| Fault {
        remaining: fault.remaining.saturating_add(rest.len()),
        ..fault
    })
}

fn status_vars(input: &[u8]) -> Parsed<'_, StatusVars<'_>> {
    let mut vars = StatusVars::default();
    let mut rest = input;
    while !rest.is_empty() {
        let (after, code) = int1(rest)?;
        rest = match code {
            // Q_FLAGS2, Q_AUTO_INCREMENT, Q_MASTER_DATA_WRITTEN
            0 | 3 | 10 => int4(after)?.0,
            // Q_SQL_MODE
            1 => keep(int8(after)?, &mut vars.sql_mode),
            // Q_CATALOG: a NUL is behind it, which its length does not count
            2 => int1(short_string(after)?.0)?.0,
            // Q_CHARSET
            4 => keep(charset(after)?, &mut vars.charset),
            // Q_TIME_ZONE
            5 => keep(short_string(after)?, &mut vars.time_zone),
            // Q_CATALOG_NZ
            6 => short_string(after)?.0,
            // Q_LC_TIME_NAMES, Q_CHARSET_DATABASE, Q_DEFAULT_COLLATION_FOR_UTF8MB4
            7 | 8 | 18 => int2(after)?.0,
            // Q_TABLE_MAP_FOR_UPDATE
            9 => int8(after)?.0,
            // Q_INVOKER: user and host
            11 => short_string(short_string(after)?.0)?.0,
            // Q_UPDATED_DB_NAMES
            12 => {
                let (after, schemas) = updated_schemas(after)?;
                vars.updated_schemas = schemas;
                after
            }
            // Q_MICROSECONDS, and MariaDB's Q_HRNOW
            13 | 128 => keep(int3(after)?, &mut vars.microseconds),
            // Q_EXPLICIT_DEFAULTS_FOR_TIMESTAMP, Q_SQL_REQUIRE_PRIMARY_KEY,
            // Q_DEFAULT_TABLE_ENCRYPTION, Q_ENABLE_CASCADE_TRIGGERS
            16 | 19..=21 => int1(after)?.0,
            // Q_DDL_LOGGED_WITH_XID, and MariaDB's Q_XID
            17 | 129 => keep(int8(after)?, &mut vars.ddl_xid),
            _ => &[],
        };
    }
    Ok((rest, vars))
}

fn keep<'a, T>((rest, value): (&'a [u8], T), to: &mut Option<T>) -> &'a [u8] {
    *to = Some(value);
    rest
}

/// A string behind one byte of length.
fn short_string(input: &[u8]) -> Parsed<'_, &[u8]> {
    let (rest, len) = int1(input)?;
    bytes(usize::from(len))(rest)
}

fn charset(input: &[u8]) -> Parsed<'_, [u16; 3]> {
    let (rest, client) = int2(input)?;
    let (rest, connection) = int2(rest)?;
    let (rest, server) = int2(rest)?;
    Ok((rest, [client, connection, server]))
}

/// The schemas that a statement changes, which are left out when they are more than 16: 254 is written for
/// their number.
fn updated_schemas(input: &[u8]) -> Parsed<'_, Option<Schemas<'_>>> {
    let (names, count) = int1(input)?;
    if !(1..=16).contains(&count) {
        return Ok((names, None));
    }
    let mut rest = names;
    for _ in 0..count {
        rest = string_nul(rest)?.0;
    }
    let (rest, names) = bytes(names.len().saturating_sub(rest.len()))(names)?;
    Ok((rest, Some(Schemas(names))))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn body(status: &[u8]) -> Vec<u8> {
        let mut body = vec![9, 0, 0, 0, 2, 0, 0, 0, 1, 0xEA, 3];
        body.extend(u16::try_from(status.len()).unwrap().to_le_bytes());
        body.extend_from_slice(status);
        body.extend_from_slice(b"d\0SELECT 1");
        body
    }

    #[test]
    fn fixed_fields_and_strings() {
        let body = body(&[]);
        let query = Query::parse(&body).unwrap();
        assert_eq!(
            (query.thread_id, query.execution_time, query.error_code),
            (9, 2, 1002)
        );
        assert_eq!(
            (query.schema, query.statement),
            (&b"d"[..], &b"SELECT 1"[..])
        );
        assert_eq!(query.status, StatusVars::default());
        for end in 0..=14 {
            assert!(Query::parse(&body[..end]).is_err(), "{end}");
        }
        let mut body = body;
        body[14] = b'x';
        assert!(Query::parse(&body).is_err());
    }

    /// Every variable's length, by the one behind it.
    #[test]
    fn every_known_variable_is_passed() {
        let before: [&[u8]; 18] = [
            b"\0abcd",
            b"\x01abcdefgh",
            b"\x02\x03std\0",
            b"\x03abcd",
            b"\x04abcdef",
            b"\x05\x03UTC",
            b"\x06\x03std",
            b"\x07ab",
            b"\x08ab",
            b"\x09abcdefgh",
            b"\x0Aabcd",
            b"\x0B\x01u\x02hh",
            b"\x0C\x02a\0bc\0",
            b"\x0C\xFE",
            b"\x10\x01",
            b"\x12ab",
            b"\x13\x01",
            b"\x14\x01",
        ];
        let mut all = Vec::new();
        for var in before {
            let status = [var, b"\x11\x07\0\0\0\0\0\0\0"].concat();
            let body = body(&status);
            let query = Query::parse(&body).unwrap();
            assert_eq!(query.status.ddl_xid, Some(7), "{var:?}");
            all.extend_from_slice(var);
            for end in 1..var.len() {
                assert!(
                    Query::parse(&self::body(&var[..end])).is_err(),
                    "{var:?} {end}"
                );
            }
        }
        let body = body(&all);
        let status = Query::parse(&body).unwrap().status;
        assert_eq!(status.sql_mode, Some(u64::from_le_bytes(*b"abcdefgh")));
        assert_eq!(status.time_zone, Some(&b"UTC"[..]));
        assert_eq!(
            status.charset,
            Some([*b"ab", *b"cd", *b"ef"].map(u16::from_le_bytes))
        );
    }

    #[test]
    fn schemas_that_a_statement_changes() {
        let schemas = |var: &[u8]| {
            let body = body(var);
            let schemas = Query::parse(&body).unwrap().status.updated_schemas?;
            Some(schemas.names().map(<[u8]>::to_vec).collect::<Vec<_>>())
        };
        assert_eq!(
            schemas(b"\x0C\x02a\0bc\0").unwrap(),
            [&b"a"[..], &b"bc"[..]]
        );
        assert_eq!(schemas(b"\x0C\x01\0").unwrap(), [b""]);
        assert_eq!(schemas(b"\x0C\xFE"), None);
        assert_eq!(schemas(b"\x0C\0"), None);
        assert_eq!(schemas(b""), None);
    }

    #[test]
    fn an_unknown_variable_ends_them() {
        let status = [
            &b"\x11\x07\0\0\0\0\0\0\0"[..],
            b"\x7F\x01\x02",
            b"\x0D\x01\0\0",
        ]
        .concat();
        let body = body(&status);
        let query = Query::parse(&body).unwrap();
        assert_eq!(query.status.ddl_xid, Some(7));
        assert_eq!(query.status.microseconds, None);
        assert_eq!(query.statement, b"SELECT 1");
    }

    #[test]
    fn faults_in_variables_have_their_offset() {
        let error = Query::parse(&body(b"\x0D\x01")).unwrap_err();
        assert_eq!((error.kind, error.offset), (crate::Kind::Truncated, 14));
    }
}
