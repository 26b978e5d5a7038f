//! A server's global variables.

use std::collections::HashMap;

use super::Error;
use super::connection::Connection;

/// Global variables by name. What a server does not know, or has no more, is absent.
#[derive(Debug, Clone, Default)]
pub(crate) struct Variables(HashMap<String, String>);

/// What is asked of a source.
const NAMES: [&str; 30] = [
    "binlog_checksum",
    "binlog_expire_logs_auto_purge",
    "binlog_expire_logs_seconds",
    "binlog_format",
    "binlog_row_image",
    "binlog_space_limit",
    "binlog_row_metadata",
    "binlog_row_value_options",
    "binlog_transaction_compression",
    "enforce_gtid_consistency",
    "expire_logs_days",
    "gtid_domain_id",
    "gtid_mode",
    "gtid_strict_mode",
    "log_bin",
    "log_bin_compress",
    "log_replica_updates",
    "log_slave_updates",
    "lower_case_table_names",
    "max_allowed_packet",
    "max_binlog_total_size",
    "partial_revokes",
    "server_id",
    "server_uuid",
    "version",
    "local_infile",
    "read_only",
    "super_read_only",
    "innodb_redo_log_capacity",
    "innodb_log_file_size",
];

impl Variables {
    pub(crate) async fn read(connection: &mut Connection) -> Result<Self, Error> {
        let rows = connection.query(&Self::question()).await?;
        let text = |cell: Option<&Option<bytes::Bytes>>| {
            let cell = cell.and_then(Option::as_ref)?;
            Some(String::from_utf8_lossy(cell).into_owned())
        };
        Ok(rows
            .rows
            .iter()
            .filter_map(|row| Some((text(row.first())?, text(row.get(1))?)))
            .collect())
    }

    /// The statement that asks for them.
    pub(crate) fn question() -> String {
        format!(
            "SHOW GLOBAL VARIABLES WHERE Variable_name IN ('{}')",
            NAMES.join("', '")
        )
    }

    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }

    pub(crate) fn text(&self, name: &str) -> &str {
        self.get(name).unwrap_or_default()
    }

    pub(crate) fn is(&self, name: &str, value: &str) -> bool {
        self.text(name).eq_ignore_ascii_case(value)
    }

    pub(crate) fn number(&self, name: &str) -> Option<u64> {
        self.get(name)?.parse().ok()
    }

    /// The first three numbers of its version.
    pub(crate) fn version(&self) -> (u16, u16, u16) {
        let mut numbers = self
            .text("version")
            .split(|c: char| !c.is_ascii_digit())
            .map(|digits| digits.parse().unwrap_or(0));
        let mut next = || numbers.next().unwrap_or(0);
        (next(), next(), next())
    }

    pub(crate) fn is_mariadb(&self) -> bool {
        self.text("version").contains("MariaDB")
    }
}

impl<K: Into<String>, V: Into<String>> FromIterator<(K, V)> for Variables {
    fn from_iter<I: IntoIterator<Item = (K, V)>>(pairs: I) -> Self {
        let pairs = pairs
            .into_iter()
            .map(|(name, value)| (name.into(), value.into()));
        Self(pairs.collect())
    }
}
