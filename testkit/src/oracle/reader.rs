//! One run of `mysqlbinlog`, read line by line.

use std::collections::HashMap;
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};

use super::{Cell, Change, Outcome, RowEvent, Transaction, cell, raw};
use crate::Result;

/// Which part of a row the next cells belong to.
#[derive(Debug, Clone, Copy)]
enum Part {
    Before,
    After,
}

/// One run of `mysqlbinlog`.
#[derive(Debug)]
pub(super) struct Reader {
    child: Child,
    output: BufReader<ChildStdout>,
    path: PathBuf,
    file: String,
    line: Vec<u8>,
    ended: bool,
    /// Start of the event that is being read.
    position: u64,
    /// End of it.
    end: u64,
    /// Set between the header of a Query event and its terminator.
    query: Option<Vec<String>>,
    /// The xid of the XA PREPARE that ended the last transaction.
    pub(super) prepared: Option<String>,
    xa_prepare: bool,
    begun: bool,
    part: Part,
    /// Where the TABLE_MAP event of each table id starts and ends.
    maps: HashMap<String, (u64, u64)>,
    /// Table id and first row of the rows event that is being read.
    rows_event: Option<(String, usize)>,
    /// Was a value met that `mysqlbinlog` does not know?
    unknown: bool,
    /// The place and the first lines of a document that is printed by its changes.
    changed: Option<(usize, String)>,
    current: Option<Transaction>,
}

impl Reader {
    pub(super) fn start(program: &[PathBuf], path: &Path, rows: bool) -> Result<Reader> {
        let mut command = Command::new(&program[0]);
        command.args(&program[1..]).env("TZ", "UTC");
        if !program[1..]
            .iter()
            .any(|argument| argument == Path::new("--no-defaults"))
        {
            command.arg("--no-defaults");
        }
        if rows {
            command.arg("-vv");
        }
        command.arg("--base64-output=decode-rows").arg(path);
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()?;
        let output = child.stdout.take().ok_or("no stdout")?;
        Ok(Reader {
            child,
            output: BufReader::with_capacity(1 << 20, output),
            path: path.to_owned(),
            file: path
                .file_name()
                .unwrap_or_default()
                .to_string_lossy()
                .into_owned(),
            line: Vec::new(),
            ended: false,
            position: 0,
            end: 0,
            query: None,
            prepared: None,
            xa_prepare: false,
            begun: false,
            part: Part::After,
            maps: HashMap::new(),
            rows_event: None,
            unknown: false,
            changed: None,
            current: None,
        })
    }

    /// The next transaction of the file.
    pub(super) fn next(&mut self) -> Result<Option<Transaction>> {
        while !self.ended {
            let mut line = std::mem::take(&mut self.line);
            line.clear();
            self.output.read_until(b'\n', &mut line)?;
            if line.is_empty() {
                self.ended = true;
                let status = self.child.wait()?;
                if !status.success() {
                    return Err(format!("mysqlbinlog {}: {status}", self.path.display()).into());
                }
                if let Some(open) = &self.current {
                    return Err(format!(
                        "{}:{}: a transaction without an end",
                        self.file, open.start
                    )
                    .into());
                }
                return Ok(None);
            }
            if line.last() == Some(&b'\n') {
                line.pop();
            }
            let done = self.take(&line).map_err(|error| {
                let line = String::from_utf8_lossy(&line);
                format!("{}:{}: {error}: {line:.300}", self.file, self.position)
            })?;
            self.line = line;
            if done {
                self.begun = false;
                return Ok(self.current.take());
            }
        }
        Ok(None)
    }

    fn transaction(&mut self) -> Result<&mut Transaction> {
        self.current
            .as_mut()
            .ok_or_else(|| "outside of a transaction".into())
    }

    /// Takes in a line; `true` when a transaction ends with it.
    fn take(&mut self, line: &[u8]) -> Result<bool> {
        if let Some(rest) = line.strip_prefix(b"###") {
            self.row_line(rest)?;
            return Ok(false);
        }
        if self.query.is_some() {
            return self.query_line(line);
        }
        let text = String::from_utf8_lossy(line);
        if let Some(position) = text.strip_prefix("# at ") {
            self.close_rows_event()?;
            self.position = position.parse()?;
        } else if line.len() > 8 && line[0] == b'#' && line[1..7].iter().all(u8::is_ascii_digit) {
            return self.header(&text);
        } else if let Some(gtid) = text.strip_prefix("SET @@SESSION.GTID_NEXT= '") {
            let gtid = gtid.split('\'').next().unwrap_or_default();
            if gtid != "ANONYMOUS" && gtid != "AUTOMATIC" {
                self.transaction()?.gtid = Some(gtid.to_owned());
            }
        } else if self.xa_prepare {
            self.xa_prepare = false;
            if let Some(xid) = text.strip_prefix("XA PREPARE ") {
                self.prepared = Some(xid.to_owned());
            } else if !text.ends_with(" ONE PHASE") {
                return Err("neither a prepare nor a one phase commit".into());
            }
            return Ok(true);
        }
        Ok(false)
    }

    /// `#261122  8:31:42 server id 7  end_log_pos 1143 CRC32 0xb685130b <tab>Query<tab>thread_id=9 …`
    fn header(&mut self, text: &str) -> Result<bool> {
        let (front, kind) = text
            .split_once('\t')
            .ok_or("a header without an event type")?;
        let end = front
            .split_once("end_log_pos ")
            .ok_or("a header without a position")?
            .1;
        self.end = end.split(' ').next().unwrap_or_default().parse()?;
        let word = kind.split(['\t', ' ', ':']).next().unwrap_or_default();
        match word {
            "GTID" | "Anonymous_GTID" | "Anonymous_Gtid" => {
                let committed = kind.split_once("immediate_commit_timestamp=");
                let committed = committed.and_then(|(_, rest)| rest.split('\t').next());
                self.current = Some(Transaction {
                    file: self.file.clone(),
                    start: self.position,
                    end: 0,
                    gtid: None,
                    connection_id: None,
                    committed_at: committed.unwrap_or("0").parse()?,
                    xa: false,
                    outcome: Outcome::Committed,
                    statement: None,
                    rows: Vec::new(),
                });
            }
            "Query" => {
                let id = kind
                    .split_once("thread_id=")
                    .and_then(|(_, rest)| rest.split('\t').next());
                let id = id.and_then(|id| id.parse().ok());
                self.query = Some(Vec::new());
                self.transaction()?.connection_id = id;
            }
            "Xid" => return self.finish(),
            "XA" => {
                self.finish()?;
                self.xa_prepare = true;
            }
            "Table_map" => {
                let id = kind.rsplit(' ').next().unwrap_or_default();
                self.maps.insert(id.to_owned(), (self.position, self.end));
            }
            "Write_rows" | "Update_rows" | "Update_rows_partial" | "Delete_rows" => {
                let id = kind
                    .split_once("table id ")
                    .ok_or("a rows event without a table")?
                    .1;
                let id = id.split(' ').next().unwrap_or_default().to_owned();
                let first = self.transaction()?.rows.len();
                self.rows_event = Some((id, first));
            }
            // Behind a payload come the events in it, with its place.
            "Start"
            | "Previous-GTIDs"
            | "Rotate"
            | "Stop"
            | "Rows_query"
            | "Transaction_Payload" => {}
            other => return Err(format!("an unknown event, {other}").into()),
        }
        Ok(false)
    }

    fn finish(&mut self) -> Result<bool> {
        let end = self.end;
        self.transaction()?.end = end;
        Ok(true)
    }

    fn query_line(&mut self, line: &[u8]) -> Result<bool> {
        let text = String::from_utf8_lossy(line);
        let Some(lines) = &mut self.query else {
            return Ok(false);
        };
        if text != "/*!*/;" {
            // What mysqlbinlog adds around a statement ends on its own line.
            if !text.ends_with("/*!*/;") {
                lines.push(text.into_owned());
            }
            return Ok(false);
        }
        let statement = lines.join("\n");
        self.query = None;
        let starts = |words: &str| statement.starts_with(words);
        if statement == "BEGIN" || starts("XA START ") {
            self.begun = true;
            self.transaction()?.xa = statement != "BEGIN";
        } else if statement == "COMMIT" {
            return self.finish();
        } else if statement == "ROLLBACK" {
            self.transaction()?.outcome = Outcome::RolledBack;
            return self.finish();
        } else if starts("XA END ") || starts("SAVEPOINT ") || starts("ROLLBACK TO ") {
            self.transaction()?;
        } else {
            // Alone in its transaction, or the CREATE TABLE of a CREATE TABLE … SELECT.
            self.transaction()?.statement = Some(statement);
            if !self.begun {
                return self.finish();
            }
        }
        Ok(false)
    }

    /// A line behind `###`.
    fn row_line(&mut self, rest: &[u8]) -> Result<()> {
        if self.unknown {
            return Ok(());
        }
        if self.changed.is_some() {
            return self.changed_line(rest);
        }
        if let Some(cell) = rest.strip_prefix(b"   @") {
            let equals = cell
                .iter()
                .position(|byte| *byte == b'=')
                .ok_or("a value without =")?;
            let place: usize = std::str::from_utf8(&cell[..equals])?.parse()?;
            let value = &cell[equals + 1..];
            if value.starts_with(b"!! Don't know how to handle column type=255 ") {
                self.unknown = true;
                return Ok(());
            }
            if value.starts_with(b"JSON_") || value.starts_with(b"@") {
                self.changed = Some((place, String::new()));
                return self.changed_line(value);
            }
            return self.value(place, cell::parse(value)?);
        }
        let text = std::str::from_utf8(rest)?.trim_start();
        if text == "WHERE" || text == "SET" {
            let before = text == "WHERE";
            self.part = if before { Part::Before } else { Part::After };
            let row = self
                .transaction()?
                .rows
                .last_mut()
                .ok_or("an image outside of a row")?;
            *(if before {
                &mut row.before
            } else {
                &mut row.after
            }) = Some(Vec::new());
            return Ok(());
        }
        if text.starts_with("Extra row info for partitioning: ") {
            return Ok(());
        }
        let starts = [
            ("INSERT INTO ", Change::Insert),
            ("UPDATE ", Change::Update),
            ("DELETE FROM ", Change::Delete),
        ];
        for (start, change) in starts {
            if let Some(name) = text.strip_prefix(start) {
                let (schema, table) = names(name)?;
                let position = self.position;
                let row = RowEvent {
                    position,
                    schema,
                    table,
                    change,
                    before: None,
                    after: None,
                };
                self.transaction()?.rows.push(row);
                return Ok(());
            }
        }
        Err("a row line that is not understood".into())
    }

    fn value(&mut self, place: usize, cell: Cell) -> Result<()> {
        let part = self.part;
        let row = self
            .transaction()?
            .rows
            .last_mut()
            .ok_or("a value outside of a row")?;
        let image = match part {
            Part::Before => &mut row.before,
            Part::After => &mut row.after,
        };
        image
            .as_mut()
            .ok_or("a value in no image")?
            .push((place, cell));
        Ok(())
    }

    /// A line of a document that is printed by its changes; the last one has the comment.
    fn changed_line(&mut self, line: &[u8]) -> Result<()> {
        let (place, mut call) = self.changed.take().ok_or("changes of nothing")?;
        let line = std::str::from_utf8(line)?.trim_start();
        let Some((last, _)) = line.rsplit_once(" /* JSON meta=") else {
            call.push_str(line);
            self.changed = Some((place, call));
            return Ok(());
        };
        call.push_str(last);
        let row = self.transaction()?.rows.last();
        let before = row.and_then(|row| row.before.as_ref());
        let mut before = before.into_iter().flatten();
        let Some((_, Cell::Json(before))) = before.find(|(column, _)| *column == place) else {
            return Err("changes of a document that is not in the before image".into());
        };
        let before = before.clone();
        let name = format!("@{place}");
        self.value(place, Cell::Changed { call, name, before })
    }

    /// Reads the rows of an event from the file when `mysqlbinlog` could not print them.
    fn close_rows_event(&mut self) -> Result<()> {
        let event = self.rows_event.take();
        if !std::mem::take(&mut self.unknown) {
            return Ok(());
        }
        let (id, first) = event.ok_or("an unknown value outside of a rows event")?;
        let map = *self.maps.get(&id).ok_or("rows of an unknown table")?;
        let span = (self.position, self.end);
        let mut file = File::open(&self.path)?;
        let map = raw::event(&mut file, map)?;
        let rows = raw::event(&mut file, span)?;
        let printed = self.transaction()?.rows.split_off(first);
        let model = printed.into_iter().next().ok_or("an event without rows")?;
        for (before, after) in raw::rows(&map, &rows, model.change)? {
            self.transaction()?.rows.push(RowEvent {
                before,
                after,
                ..model.clone()
            });
        }
        Ok(())
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        if !self.ended {
            // It may have ended by itself; either way it has to be waited for.
            self.child.kill().ok();
            self.child.wait().ok();
        }
    }
}

/// Two quoted identifiers with a dot between them.
fn names(text: &str) -> Result<(String, String)> {
    let (schema, rest) = identifier(text)?;
    let (table, rest) = identifier(rest.strip_prefix('.').ok_or("no dot")?)?;
    if rest.is_empty() {
        Ok((schema, table))
    } else {
        Err("text behind a table's name".into())
    }
}

fn identifier(text: &str) -> Result<(String, &str)> {
    let mut rest = text.strip_prefix('`').ok_or("no identifier")?;
    let mut name = String::new();
    loop {
        let at = rest.find('`').ok_or("an identifier without an end")?;
        name.push_str(&rest[..at]);
        rest = &rest[at + 1..];
        match rest.strip_prefix('`') {
            Some(more) => {
                name.push('`');
                rest = more;
            }
            None => return Ok((name, rest)),
        }
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn names_may_hold_anything() {
        let names = super::names("`w`.`we.i``rd é`").unwrap();
        assert_eq!(names, ("w".to_owned(), "we.i`rd é".to_owned()));
    }
}
