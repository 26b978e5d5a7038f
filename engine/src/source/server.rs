//! A source server: what it is, how it is set up, where its binlog is, and what its tables are.

use bintrail_proto::binlog::mariadb::gtid_set::{MariadbGtid, MariadbGtidSet};
use bintrail_proto::gtid_set::Uuid;
use bintrail_proto::resultset::ResultSet;

use sha2::{Digest, Sha256};

use crate::doctor;
use crate::error::Error;
use crate::gtids::Gtids;
use crate::index::own;
use crate::index::record::{Flavor, Place, Source};
use crate::source::connection::{ConnectOptions, Connection};
use crate::source::pinned::PINNED;
use crate::source::variables::Variables;
use crate::stream::Start;
use crate::table::SchemaColumn;

/// How long `settled` waits; a year else.
const PATIENCE: &str = "SET SESSION lock_wait_timeout = 30";

/// A connection for questions to the source.
#[derive(Debug)]
pub(crate) struct Server {
    options: ConnectOptions,
    connection: Connection,
    pub(crate) settings: Settings,
}

/// The source's variables that matter to a stream.
#[derive(Debug, Clone)]
pub(crate) struct Settings {
    pub(crate) version: String,
    pub(crate) server_uuid: String,
    pub(crate) server_id: u32,
    pub(crate) log_bin: bool,
    pub(crate) gtid_mode: String,
    pub(crate) variables: Variables,
}

impl Server {
    pub(crate) async fn connect(options: &ConnectOptions) -> Result<Self, Error> {
        let wrap = |error| source_error(options, error);
        let mut connection = Connection::connect(options).await.map_err(wrap)?;
        for statement in PINNED.into_iter().chain([PATIENCE]) {
            connection.execute(statement).await.map_err(wrap)?;
        }
        let settings = Settings::read(&mut connection).await.map_err(wrap)?;
        Ok(Self {
            options: options.clone(),
            connection,
            settings,
        })
    }

    /// Checks that row changes can be captured at all.
    pub(crate) fn check(&self) -> Result<(), Error> {
        doctor::settings::refusal(&self.settings.variables)
            .map_or(Ok(()), |finding| Err(self.refused(&finding)))
    }

    /// Checks that a replica may have this id.
    pub(crate) fn check_server_id(&self, server_id: u32) -> Result<(), Error> {
        if server_id == self.settings.server_id {
            return Err(self.refused(&doctor::own_server_id(server_id)));
        }
        Ok(())
    }

    fn refused(&self, finding: &doctor::Finding) -> Error {
        Error::SourceSetup {
            address: address(&self.options),
            problem: format!("{}: {finding}", finding.check),
        }
    }

    /// The place that `wanted` names; without one, where the source is now: by GTIDs when
    /// `gtid_mode` is ON, so that every transaction has one, else by file and position.
    pub(crate) async fn start(&mut self, wanted: Option<&Start>) -> Result<Start, Error> {
        let flavor = self.flavor();
        let has_gtids = self.has_gtids();
        let refused = |problem: String| {
            Err(Error::SourceSetup {
                address: address(&self.options),
                problem,
            })
        };
        match wanted {
            Some(Start::Gtids(_)) if !has_gtids => refused(
                "--start-gtid needs gtid_mode=ON; use --start-file and --start-pos".to_owned(),
            ),
            Some(Start::Gtids(set)) if set.is_empty() => Ok(Start::Gtids(Gtids::none(flavor))),
            Some(Start::Gtids(set)) if set.flavor() != flavor => refused(format!(
                "--start-gtid {set} is of another kind than the source's GTIDs, which look like {}",
                match flavor {
                    Flavor::MySql => "3e11fa47-71ca-11e1-9e33-c80aa9429562:1-5",
                    Flavor::MariaDb => "0-1-5",
                }
            )),
            Some(Start::Gtids(set)) => {
                let executed = parse_set(&self.gtids().await?, flavor)?;
                match set.missing_in(&executed) {
                    Some(missing) => Err(Error::Uncommitted {
                        address: address(&self.options),
                        missing,
                    }),
                    None => Ok(Start::Gtids(set.clone())),
                }
            }
            Some(start) => Ok(start.clone()),
            None if has_gtids => {
                let set = self.gtids().await?;
                parse_set(&set, flavor).map(Start::Gtids)
            }
            None => {
                let (file, position) = self.current_place().await?;
                Ok(Start::Position(file, position))
            }
        }
    }

    /// How it is reached.
    pub(crate) const fn options(&self) -> &ConnectOptions {
        &self.options
    }

    /// Has every one of its transactions a GTID?
    pub(crate) fn has_gtids(&self) -> bool {
        match self.flavor() {
            Flavor::MySql => self.settings.gtid_mode.eq_ignore_ascii_case("ON"),
            // Since 10.0.
            Flavor::MariaDb => true,
        }
    }

    /// Which family it belongs to.
    pub(crate) fn flavor(&self) -> Flavor {
        if self.settings.version.contains("MariaDB") {
            Flavor::MariaDb
        } else {
            Flavor::MySql
        }
    }

    /// Whether its connection is encrypted.
    pub(crate) const fn is_tls(&self) -> bool {
        self.connection.is_tls()
    }

    /// Says goodbye.
    pub(crate) async fn close(self) {
        self.connection.close().await;
    }

    /// What goes to the index's `sources`.
    pub(crate) fn identity(&self) -> Source {
        let flavor = self.flavor();
        let server_uuid = match flavor {
            Flavor::MySql => self.settings.server_uuid.clone(),
            Flavor::MariaDb => mariadb_identity(
                self.settings.server_id,
                &self.options.host,
                self.options.port,
            ),
        };
        Source {
            server_uuid,
            flavor,
            version: self.settings.version.clone(),
            host: self.options.host.clone(),
            port: self.options.port,
        }
    }

    /// The file and position where the source writes now.
    async fn current_place(&mut self) -> Result<(String, u64), Error> {
        let rows = match self.query("SHOW BINARY LOG STATUS").await {
            // ER_PARSE_ERROR: servers before MySQL 8.2 know it by its old name only.
            Err(Error::Source {
                error: super::Error::Server(error),
                ..
            }) if error.code == 1064 => self.query("SHOW MASTER STATUS").await?,
            other => other?,
        };
        let place = rows
            .rows
            .first()
            .and_then(|row| Some((text(row, 0)?, text(row, 1)?.parse().ok()?)));
        place.ok_or_else(|| self.not_logging())
    }

    /// It has no binary log, or no longer one.
    pub(super) fn not_logging(&self) -> Error {
        let address = address(&self.options);
        if self.settings.log_bin {
            return Error::NotLogging { address };
        }
        Error::SourceSetup {
            address,
            problem: "it has no binary log; start the server with --log-bin".to_owned(),
        }
    }

    /// The GTIDs of all that is in its binlog, or was; no privilege is needed for them.
    async fn gtids(&mut self) -> Result<String, Error> {
        let variable = match self.flavor() {
            Flavor::MySql => "gtid_executed",
            // Not `gtid_current_pos`: what that has beyond this came from another server and is not in
            // this one's binlog, so that no dump can start behind it.
            Flavor::MariaDb => "gtid_binlog_pos",
        };
        let rows = self.query(&format!("SELECT @@GLOBAL.{variable}")).await?;
        Ok(rows
            .rows
            .first()
            .and_then(|row| text(row, 0))
            .unwrap_or_default())
    }

    /// Are these transactions, read from another server, of its history too?
    pub(crate) async fn shares(&mut self, read: &Gtids) -> Result<bool, Error> {
        let Gtids::MariaDb(read) = read else {
            return Ok(read.missing_in(&self.executed().await?).is_none());
        };
        // The last one that each server has committed in each domain: sequence numbers alone say nothing.
        let rows = self.query("SELECT @@GLOBAL.gtid_binlog_state").await?;
        let row = rows.rows.first().map_or(&[][..], Vec::as_slice);
        let state = text(row, 0).unwrap_or_default();
        let last: Vec<MariadbGtid> = state
            .split(',')
            .filter_map(|gtid| gtid.trim().parse::<MariadbGtidSet>().ok())
            .filter_map(|one| one.gtids().next())
            .collect();
        Ok(read.gtids().all(|read| {
            last.iter().any(|last| {
                (last.domain, last.server_id) == (read.domain, read.server_id)
                    && last.sequence >= read.sequence
            })
        }))
    }

    /// The GTIDs of all that is in its binlog, or was.
    pub(crate) async fn executed(&mut self) -> Result<Gtids, Error> {
        parse_set(&self.gtids().await?, self.flavor())
    }

    /// A table's columns as they are now; empty when there is no such table, or no privilege to see it.
    pub(crate) async fn columns(
        &mut self,
        schema: &str,
        table: &str,
    ) -> Result<Vec<SchemaColumn>, Error> {
        let rows = self.query(&columns_question(schema, table)).await?;
        Ok(columns_of(&rows, schema, table))
    }

    /// The schemas that hold an index of bintrail, as far as the user may see them.
    pub(crate) async fn indexes(&mut self) -> Result<Vec<String>, Error> {
        let answer = self.query(own::QUESTION).await?;
        let columns = answer.rows.iter();
        let columns: Vec<_> = columns
            .filter_map(|row| Some((text(row, 0)?, text(row, 1)?)))
            .collect();
        Ok(own::schemas_of(&columns))
    }

    /// Waits until what changes a table, and may be seen before it is in the binlog, is in there; `false`
    /// when that takes too long.
    pub(crate) async fn settled(&mut self, schema: &str, table: &str) -> Result<bool, Error> {
        let [schema, table] = [schema, table].map(|name| name.replace('`', "``"));
        // It takes the lock that a change of the table holds to its end.
        match self
            .query(&format!("SHOW CREATE TABLE `{schema}`.`{table}`"))
            .await
        {
            // There is none, or none to be seen: ER_BAD_DB_ERROR, ER_NO_SUCH_TABLE.
            Err(Error::Source {
                error: super::Error::PrivilegeMissing(_) | super::Error::AccessDenied(_),
                ..
            }) => Ok(true),
            // ER_LOCK_WAIT_TIMEOUT, or whatever else ended the wait.
            Err(Error::Source {
                error: super::Error::Server(error),
                ..
            }) => Ok([1049, 1146].contains(&error.code)),
            answer => answer.map(|_| true),
        }
    }

    /// Where the source writes now; `None` when the user may not see it.
    pub(crate) async fn readable_place(&mut self) -> Result<Option<Place>, Error> {
        match self.current_place().await {
            Err(Error::Source {
                error: super::Error::PrivilegeMissing(_),
                ..
            }) => Ok(None),
            place => place.map(Some),
        }
    }

    pub(crate) fn error(&self, error: super::Error) -> Error {
        source_error(&self.options, error)
    }

    /// Runs a question; on a connection that idled for too long, on a new one.
    pub(crate) async fn query(&mut self, sql: &str) -> Result<ResultSet, Error> {
        let first = self.connection.query(sql).await;
        let answer = match first {
            Err(
                super::Error::Lost(_) | super::Error::Silent { .. } | super::Error::Protocol(_),
            ) => {
                self.reconnect().await?;
                self.connection.query(sql).await
            }
            // ER_CLIENT_INTERACTION_TIMEOUT: how newer servers end an idle connection.
            Err(super::Error::Server(error)) if error.code == 4031 => {
                self.reconnect().await?;
                self.connection.query(sql).await
            }
            answer => answer,
        };
        answer.map_err(|error| source_error(&self.options, error))
    }

    async fn reconnect(&mut self) -> Result<(), Error> {
        let again = Self::connect(&self.options).await?;
        let now = again.settings.identity(again.flavor());
        self.settings
            .is_of(self.flavor(), now)
            .map_err(|error| self.error(error))?;
        *self = again;
        Ok(())
    }
}

impl Settings {
    /// The variable that tells one server from all others that an address may lead to.
    pub(super) const fn name(flavor: Flavor) -> &'static str {
        match flavor {
            Flavor::MySql => "@@GLOBAL.server_uuid",
            Flavor::MariaDb => "@@GLOBAL.server_id",
        }
    }

    fn identity(&self, flavor: Flavor) -> String {
        match flavor {
            Flavor::MySql => self.server_uuid.clone(),
            Flavor::MariaDb => self.server_id.to_string(),
        }
    }

    /// The same address may lead to one server now and to another then: coordinates and columns must not be mixed.
    pub(super) fn is_of(&self, flavor: Flavor, now: String) -> Result<(), super::Error> {
        let before = self.identity(flavor);
        if now == before {
            Ok(())
        } else {
            Err(super::Error::Elsewhere { before, now })
        }
    }

    async fn read(connection: &mut Connection) -> Result<Self, super::Error> {
        let variables = Variables::read(connection).await?;
        let value = |name: &str| variables.text(name).to_owned();
        Ok(Self {
            version: value("version"),
            server_uuid: value("server_uuid"),
            server_id: variables
                .number("server_id")
                .and_then(|id| u32::try_from(id).ok())
                .unwrap_or(0),
            log_bin: variables.is("log_bin", "ON"),
            gtid_mode: variables.get("gtid_mode").unwrap_or("OFF").to_owned(),
            variables,
        })
    }
}

/// Orders places in one source's binlogs: numbers in file names have six digits, and more from a million on.
pub(crate) fn log_order(file: &str, position: u64) -> (usize, &str, u64) {
    (file.len(), file, position)
}

/// What a MariaDB source is known again by, in the form of a uuid.
///
/// MariaDB has none. It has `@@server_uid`, a hash of network address, port and socket, which a container
/// gets anew each time and clones have in common: a stream would take its source for another, or
/// another for its source. What stays, and tells the sources of one index apart, is the server id,
/// on which MariaDB's own GTIDs rest, and the address that the user gave.
fn mariadb_identity(server_id: u32, host: &str, port: u16) -> String {
    let digest = Sha256::digest(format!("mariadb|{server_id}|{host}|{port}"));
    let mut bytes = digest.first_chunk::<16>().copied().unwrap_or_default();
    // RFC 9562's version 8, made as its maker likes, and its variant.
    if let Some(version) = bytes.get_mut(6) {
        *version = *version & 0x0F | 0x80;
    }
    if let Some(variant) = bytes.get_mut(8) {
        *variant = *variant & 0x3F | 0x80;
    }
    Uuid(bytes).to_string()
}

pub(crate) fn parse_set(text: &str, flavor: Flavor) -> Result<Gtids, Error> {
    Gtids::parse(text, flavor).map_err(|error| Error::Usage(format!("GTID set {text:?}: {error}")))
}

pub(crate) fn address(options: &ConnectOptions) -> String {
    format!("{}:{}", options.host, options.port)
}

pub(crate) fn source_error(options: &ConnectOptions, error: super::Error) -> Error {
    let mut address = address(options);
    if error.is_refusal() {
        // The server itself names the account only where it refuses the login.
        address = format!("{address}, user {}", options.user);
    }
    Error::Source { address, error }
}

pub(crate) fn text(row: &[Option<bytes::Bytes>], column: usize) -> Option<String> {
    let bytes = row.get(column)?.as_ref()?;
    Some(String::from_utf8_lossy(bytes).into_owned())
}

/// What a server is asked for a table's columns and its primary key: in one statement, which is one snapshot, and without
/// a join, for which older servers open every table that they have.
pub(crate) fn columns_question(schema: &str, table: &str) -> String {
    let (schema, table) = (quote(schema), quote(table));
    let of = format!("TABLE_SCHEMA = {schema} AND TABLE_NAME = {table}");
    format!(
        "SELECT TABLE_SCHEMA, TABLE_NAME, ORDINAL_POSITION, COLUMN_NAME, COLUMN_TYPE, CHARACTER_SET_NAME, IS_NULLABLE, \
         EXTRA, @@lower_case_table_names FROM information_schema.COLUMNS WHERE {of} \
         UNION ALL SELECT TABLE_SCHEMA, TABLE_NAME, SEQ_IN_INDEX, COLUMN_NAME, NULL, NULL, NULL, NULL, NULL \
         FROM information_schema.STATISTICS WHERE {of} AND INDEX_NAME = 'PRIMARY'"
    )
}

/// What it answers of this table: the views may compare names less strictly than the server tells tables apart.
pub(crate) fn columns_of(answer: &ResultSet, schema: &str, table: &str) -> Vec<SchemaColumn> {
    let folds = answer
        .rows
        .iter()
        .any(|row| text(row, 8).is_some_and(|how| how != "0"));
    let is =
        |name: Option<String>, asked: &str| name.is_some_and(|name| is_name(&name, asked, folds));
    let mut rows: Vec<(u16, &Vec<_>)> = answer
        .rows
        .iter()
        .filter(|row| is(text(row, 0), schema) && is(text(row, 1), table))
        .filter_map(|row| Some((text(row, 2)?.parse().ok()?, row)))
        .collect();
    rows.sort_by_key(|(place, _)| *place);
    let (columns, key): (Vec<_>, Vec<_>) = rows
        .into_iter()
        .partition(|(_, row)| text(row, 4).is_some());
    let column = |(_, row): (u16, &Vec<_>)| {
        let extra = text(row, 7).unwrap_or_default();
        SchemaColumn {
            name: text(row, 3).unwrap_or_default(),
            column_type: text(row, 4).unwrap_or_default(),
            charset: text(row, 5),
            nullable: text(row, 6).as_deref() == Some("YES"),
            generated: Some(extra.contains(" GENERATED")),
            invisible: extra.contains("INVISIBLE"),
            pk: None,
        }
    };
    let mut columns: Vec<_> = columns.into_iter().map(column).collect();
    for (place, row) in key {
        let name = text(row, 3).unwrap_or_default();
        // Another table has taken its place between the two.
        let Some(column) = columns.iter_mut().find(|column| column.name == name) else {
            return Vec::new();
        };
        column.pk = Some(place);
    }
    columns
}

/// Is this name the one that is asked about, on a server that folds their case or does not?
pub(crate) fn is_name(name: &str, asked: &str, folds: bool) -> bool {
    name == asked || folds && name.to_lowercase() == asked.to_lowercase()
}

/// `name` as an SQL string that no `sql_mode` reads otherwise.
pub(crate) fn quote(name: &str) -> String {
    let mut hex = String::with_capacity(name.len().saturating_mul(2).saturating_add(16));
    hex.push_str("_utf8mb4 x'");
    for byte in name.bytes() {
        hex.push_str(&format!("{byte:02x}"));
    }
    hex.push('\'');
    hex
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_is_told_from_those_that_are_only_compared_as_equal() {
        let column = |table: &str, place: &str, name: &str, folds: &str| {
            let cells = ["d", table, place, name, "int", "", "NO", "", folds];
            cells.map(|cell| Some(bytes::Bytes::copy_from_slice(cell.as_bytes())))
        };
        let key = |table: &str, place: &str, name: &str| {
            let mut cells = column(table, place, name, "");
            for cell in cells.iter_mut().skip(4) {
                *cell = None;
            }
            cells
        };
        let rows = |folds: &str| ResultSet {
            rows: [
                column("orders", "2", "b", folds),
                column("Orders", "1", "b", folds),
                column("orders", "1", "a", folds),
                key("orders", "1", "a"),
                key("Orders", "1", "b"),
            ]
            .map(Vec::from)
            .to_vec(),
            ..ResultSet::default()
        };
        let of = |table: &str| -> Vec<(String, Option<u16>)> {
            let columns = columns_of(&rows("0"), "d", table);
            columns
                .into_iter()
                .map(|column| (column.name, column.pk))
                .collect()
        };
        assert_eq!(of("orders"), [("a".into(), Some(1)), ("b".into(), None)]);
        assert_eq!(of("Orders"), [("b".into(), Some(1))]);
        assert_eq!(of("ORDERS"), []);
        let mut folded = rows("1");
        folded
            .rows
            .retain(|row| text(row, 1).as_deref() == Some("orders"));
        assert_eq!(columns_of(&folded, "D", "Orders").len(), 2);
    }

    #[test]
    fn a_mariadb_source_is_known_again() {
        let identity = mariadb_identity(7, "db1", 3306);
        assert_eq!(identity, mariadb_identity(7, "db1", 3306));
        assert!(identity.parse::<Uuid>().is_ok(), "{identity}");
        assert_eq!(identity.as_bytes()[14], b'8');
        for other in [
            mariadb_identity(8, "db1", 3306),
            mariadb_identity(7, "db2", 3306),
            mariadb_identity(7, "db1", 3307),
        ] {
            assert_ne!(identity, other);
        }
    }
}
