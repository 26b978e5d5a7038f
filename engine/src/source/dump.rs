//! A dump: how the source is asked for its events, and as whom.

use std::hash::{BuildHasher, RandomState};
use std::sync::OnceLock;
use std::time::Duration;

use bintrail_proto::binlog::checksum::Checksum;
use bintrail_proto::command::dump_flags;

use super::connection::{ConnectOptions, Connection};
use super::replication::ReplicationStream;
use super::server::{Server, Settings, text};
use crate::error::Error;
use crate::gtids::Gtids;
use crate::index::record::{Flavor, Place};
use crate::stream::Start;

/// How often the source says that it is alive while it has no events.
pub(crate) const HEARTBEAT: Duration = Duration::from_secs(5);

impl Server {
    /// The events from a place to the end of the binlog.
    pub(crate) async fn dump_to_end(
        &self,
        server_id: u32,
        from: &Place,
    ) -> Result<(ReplicationStream, Checksum), Error> {
        let (file, position) = from;
        // What lies beyond 4 GiB cannot be asked for.
        let position = u32::try_from(*position).map_or(4, u64::from);
        let start = Start::Position(file.clone(), position);
        self.open_dump(
            self.options(),
            server_id,
            (&start, None),
            dump_flags::NON_BLOCK,
        )
        .await
        .map_err(|error| self.error(error))
    }

    /// Opens a dump as the replica `server_id`, and tells how its events are checksummed.
    pub(crate) async fn dump(
        &self,
        server_id: u32,
        from: &Start,
    ) -> Result<(ReplicationStream, Checksum), Error> {
        self.dump_within(server_id, from, None).await
    }

    /// The same, by GTIDs, from the beginning of a file that it has.
    pub(crate) async fn dump_within(
        &self,
        server_id: u32,
        from: &Start,
        file: Option<&str>,
    ) -> Result<(ReplicationStream, Checksum), Error> {
        let options = ConnectOptions {
            read_timeout: HEARTBEAT.saturating_mul(3),
            ..self.options().clone()
        };
        self.open_dump(&options, server_id, (from, file), 0)
            .await
            .map_err(|error| self.error(error))
    }

    async fn open_dump(
        &self,
        options: &ConnectOptions,
        server_id: u32,
        (from, file): (&Start, Option<&str>),
        more_flags: u16,
    ) -> Result<(ReplicationStream, Checksum), super::Error> {
        let mut connection = Connection::connect(options).await?;
        let heartbeat = HEARTBEAT.as_nanos();
        let uuid = replica_uuid(server_id);
        // The variables have new names since MySQL 8.0.26; a server reads those it knows.
        for sql in [
            format!(
                "SET @source_heartbeat_period = {heartbeat}, @master_heartbeat_period = {heartbeat}"
            ),
            "SET @source_binlog_checksum = @@GLOBAL.binlog_checksum, \
             @master_binlog_checksum = @@GLOBAL.binlog_checksum"
                .to_owned(),
            format!("SET @replica_uuid = '{uuid}', @slave_uuid = '{uuid}'"),
            // A slow index holds the source back through TCP; the source must not give up on it.
            "SET SESSION net_write_timeout = 3600, sql_select_limit = 18446744073709551615"
                .to_owned(),
        ] {
            connection.execute(&sql).await?;
        }
        let flavor = self.flavor();
        let sql = format!("SELECT @master_binlog_checksum, {}", Settings::name(flavor));
        let rows = connection.query(&sql).await?;
        let cell = |at| rows.rows.first().and_then(|row| text(row, at));
        let checksum = match cell(0).as_deref() {
            Some("CRC32") => Checksum::Crc32,
            _ => Checksum::None,
        };
        self.settings.is_of(flavor, cell(1).unwrap_or_default())?;
        connection
            .register_replica(server_id, "", process_mark())
            .await
            .map_err(|error| match error {
                // Logged in it is: what it lacks is the privilege.
                super::Error::AccessDenied(error) => super::Error::PrivilegeMissing(error),
                error => error,
            })?;
        // The second bit means one thing to MySQL and another to MariaDB.
        let flags = match flavor {
            Flavor::MySql => dump_flags::HEARTBEAT_V2,
            Flavor::MariaDb => dump_flags::SEND_ANNOTATE_ROWS,
        } | more_flags;
        if flavor == Flavor::MariaDb {
            // It has all of MariaDB's events sent as they are, and not replaced by others.
            connection
                .execute("SET @mariadb_slave_capability = 4")
                .await?;
        }
        let stream = match from {
            Start::Gtids(Gtids::MySql(set)) => {
                let mut encoded = Vec::new();
                set.encode(&mut encoded);
                let file = file.unwrap_or_default().as_bytes();
                connection
                    .dump_by_gtid(server_id, file, &encoded, flags)
                    .await?
            }
            Start::Gtids(Gtids::MariaDb(set)) => {
                // Strict: a place that the binlog does not have is refused, and not passed over.
                connection
                    .execute(&format!(
                        "SET @slave_connect_state = '{set}', @slave_gtid_strict_mode = 1, \
                         @slave_gtid_ignore_duplicates = 0"
                    ))
                    .await?;
                connection
                    .dump_by_position(server_id, b"", 4, flags)
                    .await?
            }
            Start::Position(file, position) => {
                connection
                    .dump_by_position(server_id, file.as_bytes(), *position, flags)
                    .await?
            }
        };
        Ok((stream, checksum))
    }
}

/// The port that this process says it has as a replica. Nobody connects there; it tells this process's dumps from
/// another one's under the same server id.
pub(super) fn process_mark() -> u16 {
    static MARK: OnceLock<u16> = OnceLock::new();
    *MARK.get_or_init(|| {
        let [a, b, ..] = RandomState::new()
            .hash_one(std::process::id())
            .to_ne_bytes();
        u16::from_ne_bytes([a, b])
    })
}

/// The uuid that a replica of this server id goes by. It is the same after a restart, so that the
/// source ends the dump that a killed stream left behind.
pub(crate) fn replica_uuid(server_id: u32) -> String {
    format!("b1474a11-0000-4000-8000-0000{server_id:08x}")
}
