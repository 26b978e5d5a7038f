//! Binlog files that no server writes, or seldom: what is printed of them, what it costs, and what is said of the rest.

#![expect(clippy::unwrap_used, reason = "helpers of tests")]

use std::fs;
use std::io::{self, Write};
use std::path::PathBuf;

use allocation_counter::measure;
use bintrail_engine::files::print_file;
use bintrail_engine::filter::Filter;
use bintrail_engine::print::{Format, Printer};

const QUERY: u8 = 2;
const FORMAT_DESCRIPTION: u8 = 15;
const TABLE_MAP: u8 = 19;
const INCIDENT: u8 = 26;
const WRITE_ROWS: u8 = 30;
const DELETE_ROWS: u8 = 32;
const XA_PREPARE: u8 = 38;

/// The statement's last rows event.
const STMT_END: u16 = 1;

/// A file without checksums, event by event.
struct Binlog(Vec<u8>);

impl Binlog {
    fn new(version: &str) -> Self {
        let mut binlog = Self(b"\xfebin".to_vec());
        let mut body = vec![4, 0];
        body.extend(version.bytes());
        body.resize(2 + 50 + 4, 0);
        body.push(19);
        body.resize(body.len() + 171, 0);
        // No checksums, and room for this event's own.
        body.extend([0; 5]);
        binlog.event(FORMAT_DESCRIPTION, &body);
        binlog
    }

    fn event(&mut self, event_type: u8, body: &[u8]) {
        let size = 19 + body.len();
        let end = self.0.len() + size;
        self.0.extend(1_u32.to_le_bytes());
        self.0.push(event_type);
        self.0.extend(1_u32.to_le_bytes());
        self.0.extend(u32::try_from(size).unwrap().to_le_bytes());
        self.0.extend(u32::try_from(end).unwrap().to_le_bytes());
        self.0.extend([0; 2]);
        self.0.extend(body);
    }

    /// Of the table `d.t`. All columns may be NULL.
    fn table_map(&mut self, id: u64, types: &[u8], metadata: &[u8], optional: &[u8]) {
        let mut body = id.to_le_bytes()[..6].to_vec();
        body.extend(b"\x01\0\x01d\0\x01t\0");
        lenenc(&mut body, types.len());
        body.extend(types);
        lenenc(&mut body, metadata.len());
        body.extend(metadata);
        body.resize(body.len() + types.len().div_ceil(8), 0xff);
        body.extend(optional);
        self.event(TABLE_MAP, &body);
    }

    fn inserts(&mut self, id: u64, columns: usize, flags: u16, rows: &[u8]) {
        let mut body = id.to_le_bytes()[..6].to_vec();
        body.extend(flags.to_le_bytes());
        body.extend([2, 0]);
        lenenc(&mut body, columns);
        body.resize(body.len() + columns.div_ceil(8), 0xff);
        body.extend(rows);
        self.event(WRITE_ROWS, &body);
    }

    fn statement(&mut self, sql: &str) {
        // In the schema `d`.
        let mut body = b"\0\0\0\0\0\0\0\0\x01\0\0\0\0d\0".to_vec();
        body.extend(sql.bytes());
        self.event(QUERY, &body);
    }

    fn write(&self, name: &str) -> PathBuf {
        let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name);
        fs::write(&path, &self.0).unwrap();
        path
    }
}

fn lenenc(out: &mut Vec<u8>, number: usize) {
    match u8::try_from(number) {
        Ok(number) if number < 251 => out.push(number),
        _ => {
            out.push(0xfd);
            out.extend(&u32::try_from(number).unwrap().to_le_bytes()[..3]);
        }
    }
}

/// A table of 4096 columns takes a megabyte or more; these are of one file, and of one transaction.
#[test]
fn tables_of_statements_that_ended_are_not_kept() {
    let mut binlog = Binlog::new("9.7.4");
    binlog.statement("BEGIN");
    for id in 1..400 {
        binlog.table_map(id, &[1; 4096], b"", b"");
        binlog.inserts(id, 4096, STMT_END, &[0xff; 512]);
    }
    let path = binlog.write("many-tables");
    let mut skipped = 0;
    let cost = measure(|| {
        let mut printer = Printer::new(io::sink(), Format::Json, Filter::default());
        print_file(&path, &mut printer).unwrap();
        skipped = printer.skipped;
    });
    assert_eq!(skipped, 0);
    assert!(cost.bytes_max < 80_000_000, "{}", cost.bytes_max);
}

/// These are of one statement that never ends, and have no rows.
#[test]
fn tables_of_one_statement_are_not_all_kept() {
    let mut binlog = Binlog::new("9.7.4");
    binlog.statement("BEGIN");
    for id in 1..400 {
        binlog.table_map(id, &[1; 4096], b"", b"");
    }
    // Known, as it was told last, and forgotten.
    binlog.inserts(399, 4096, 0, &[0xff; 512]);
    binlog.inserts(1, 4096, 0, &[0xff; 512]);
    let path = binlog.write("many-tables-of-one");
    let mut skipped = 0;
    let cost = measure(|| {
        let mut printer = Printer::new(io::sink(), Format::Json, Filter::default());
        print_file(&path, &mut printer).unwrap();
        skipped = printer.skipped;
    });
    assert_eq!(skipped, 1);
    assert!(cost.bytes_max < 200_000_000, "{}", cost.bytes_max);
}

/// Prints the file; returns what was printed, and of how many events something is left out.
fn print(binlog: &Binlog, name: &str, format: Format) -> (String, u64) {
    let mut out = Vec::new();
    let mut printer = Printer::new(&mut out, format, Filter::default());
    print_file(&binlog.write(name), &mut printer).unwrap();
    let skipped = printer.skipped;
    drop(printer);
    (String::from_utf8(out).unwrap(), skipped)
}

/// A row of one byte takes 200 bytes and more in print.
#[test]
fn rows_of_one_event_are_written_as_they_come() {
    let mut binlog = Binlog::new("9.7.4");
    binlog.table_map(1, &[1], b"", b"");
    binlog.inserts(1, 1, STMT_END, &vec![0xff; 1_000_000]);
    let path = binlog.write("many-rows");
    for format in [Format::Json, Format::Mysqlbinlog] {
        let mut lines = Lines(0);
        let cost = measure(|| {
            let mut printer = Printer::new(&mut lines, format, Filter::default());
            print_file(&path, &mut printer).unwrap();
        });
        assert!(lines.0 >= 1_000_000);
        assert!(cost.bytes_max < 8_000_000, "{format:?}: {}", cost.bytes_max);
    }
}

struct Lines(usize);

impl Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0 += bytes.iter().filter(|&&byte| byte == b'\n').count();
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A DATE of month 13 between two that are none.
#[test]
fn a_value_that_no_column_has_is_told_and_costs_no_other_row() {
    let date = |month: u32| {
        let number = 2024 * 512 + month * 32 + 1;
        let [a, b, c, _] = number.to_le_bytes();
        [0, a, b, c]
    };
    let mut binlog = Binlog::new("9.7.4");
    binlog.table_map(1, &[10], b"", b"");
    binlog.inserts(1, 1, STMT_END, &[date(1), date(13), date(2)].concat());
    let (text, skipped) = print(&binlog, "undecodable-json", Format::Json);
    assert_eq!(skipped, 1);
    let lines: Vec<_> = text.lines().collect();
    assert_eq!(lines.len(), 3);
    assert!(text.contains("2024-01-01") && text.contains("base64:type10:"));
    assert!(lines.iter().any(|line| line.contains("2024-02-01")));

    let (text, skipped) = print(&binlog, "undecodable", Format::Mysqlbinlog);
    assert_eq!(skipped, 1);
    assert_eq!(text.matches("INSERT INTO").count(), 2, "{text}");
    assert!(text.contains("2024:01:01") && text.contains("2024:02:01"));
}

#[test]
fn an_enum_of_bytes_has_its_members_names() {
    // COLUMN_NAME, ENUM_STR_VALUE and ENUM_AND_SET_DEFAULT_CHARSET.
    let described = |member: &[u8]| {
        let mut optional = b"\x04\x02\x01e\x06".to_vec();
        optional.extend([4 + u8::try_from(member.len()).unwrap(), 2, 1, b'a']);
        optional.push(u8::try_from(member.len()).unwrap());
        optional.extend(member);
        optional.extend([10, 1, 63]);
        let mut binlog = Binlog::new("9.7.4");
        binlog.table_map(1, &[254], b"\xf7\x01", &optional);
        binlog.inserts(1, 1, STMT_END, &[0, 2]);
        print(&binlog, "enum-of-bytes", Format::Json).0
    };
    assert!(described("ü".as_bytes()).contains(r#"{"e":"ü"}"#));
    assert!(described(b"\xff").contains(r#"{"e":2}"#));
}

#[test]
fn what_holds_changes_and_no_rows_is_told() {
    let of = |make: &dyn Fn(&mut Binlog)| {
        let mut binlog = Binlog::new("9.7.4");
        make(&mut binlog);
        print(&binlog, "told", Format::Json).1
    };
    assert_eq!(of(&|binlog| binlog.event(INCIDENT, b"\x01\0\x04lost")), 1);
    assert_eq!(of(&|binlog| binlog.event(200, b"x")), 1);
    // So MariaDB logs a DELETE from a table of nothing but generated columns, however many rows it is of.
    let of_no_column = |binlog: &mut Binlog| {
        binlog.table_map(1, &[3], b"", b"");
        binlog.event(DELETE_ROWS, b"\x01\0\0\0\0\0\x01\0\x02\0\x01\0");
    };
    assert_eq!(of(&of_no_column), 1);
    for sql in [
        "insert into t values (1)",
        "CREATE TABLE u AS SELECT * FROM t",
    ] {
        assert_eq!(of(&|binlog| binlog.statement(sql)), 1, "{sql}");
    }
    for sql in [
        "BEGIN",
        "COMMIT",
        "CREATE TABLE u (a INT)",
        "GRANT ALL ON *.* TO a",
    ] {
        assert_eq!(of(&|binlog| binlog.statement(sql)), 0, "{sql}");
    }
    // Rows that never came to be are no rows that are missing.
    let undone = |binlog: &mut Binlog| {
        binlog.statement("XA START X'61',X'',1");
        binlog.table_map(1, &[1], b"", b"");
        binlog.inserts(1, 1, STMT_END, &[0xff]);
        binlog.event(XA_PREPARE, b"\0\x01\0\0\0\x01\0\0\0\0\0\0\0a");
        binlog.statement("XA ROLLBACK X'61',X'',1");
    };
    assert_eq!(of(&undone), 0);
}
