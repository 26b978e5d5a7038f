-- The change index on MySQL. Times are UTC. Statements end with a semicolon at a line's end.
CREATE TABLE IF NOT EXISTS index_version (
  version INT UNSIGNED NOT NULL PRIMARY KEY
) ENGINE=InnoDB ROW_FORMAT=DYNAMIC;
CREATE TABLE IF NOT EXISTS sources (
  source_id INT UNSIGNED NOT NULL AUTO_INCREMENT PRIMARY KEY,
  server_uuid VARCHAR(64) NOT NULL UNIQUE,
  flavor VARCHAR(16) NOT NULL,
  version VARCHAR(255) NOT NULL,
  host VARCHAR(255) NOT NULL,
  port SMALLINT UNSIGNED NOT NULL,
  first_seen DATETIME(6) NOT NULL,
  last_seen DATETIME(6) NOT NULL
) ENGINE=InnoDB ROW_FORMAT=DYNAMIC DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;
CREATE TABLE IF NOT EXISTS stream_state (
  source_id INT UNSIGNED NOT NULL PRIMARY KEY,
  mode VARCHAR(16),
  binlog_file VARCHAR(512) NOT NULL DEFAULT '',
  binlog_position BIGINT UNSIGNED NOT NULL DEFAULT 0,
  binlog_created INT UNSIGNED,
  gtid_set LONGTEXT NOT NULL,
  next_change_id BIGINT UNSIGNED NOT NULL,
  events_indexed BIGINT UNSIGNED NOT NULL DEFAULT 0,
  last_event_time DATETIME(6),
  last_checkpoint DATETIME(6),
  server_id INT UNSIGNED NOT NULL DEFAULT 0,
  lag_seconds DOUBLE,
  last_error LONGTEXT,
  gap_lost_at DATETIME(6),
  gap_lost_detail LONGTEXT,
  capture_skips LONGTEXT NOT NULL,
  clock_latest DATETIME(6),
  clock_back BIGINT NOT NULL DEFAULT 0,
  streaming_since DATETIME(6),
  checkpoint_seconds INT UNSIGNED,
  removed_before DATETIME(6),
  starts VARCHAR(1024) NOT NULL DEFAULT '[]',
  kept LONGTEXT
) ENGINE=InnoDB ROW_FORMAT=DYNAMIC DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;
CREATE TABLE IF NOT EXISTS source_servers (
  source_id INT UNSIGNED NOT NULL,
  first_change_id BIGINT UNSIGNED NOT NULL,
  server_uuid VARCHAR(64) NOT NULL,
  host VARCHAR(255) NOT NULL,
  port SMALLINT UNSIGNED NOT NULL,
  since DATETIME(6) NOT NULL,
  PRIMARY KEY (source_id, since)
) ENGINE=InnoDB ROW_FORMAT=DYNAMIC DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;
CREATE TABLE IF NOT EXISTS table_versions (
  table_id INT UNSIGNED NOT NULL AUTO_INCREMENT PRIMARY KEY,
  source_id INT UNSIGNED NOT NULL,
  schema_name VARCHAR(64) NOT NULL,
  table_name VARCHAR(64) NOT NULL,
  columns LONGTEXT NOT NULL,
  known_by VARCHAR(32) NOT NULL,
  valid_from_file VARCHAR(512) NOT NULL,
  valid_from_position BIGINT UNSIGNED NOT NULL,
  valid_until_file VARCHAR(512),
  valid_until_position BIGINT UNSIGNED,
  KEY table_versions_name (schema_name, table_name, source_id)
) ENGINE=InnoDB ROW_FORMAT=DYNAMIC DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;
CREATE TABLE IF NOT EXISTS transactions (
  transaction_id BIGINT UNSIGNED NOT NULL PRIMARY KEY,
  source_id INT UNSIGNED GENERATED ALWAYS AS ((transaction_id >> 48) + 1) VIRTUAL,
  gtid VARCHAR(128),
  binlog_file VARCHAR(512) NOT NULL,
  start_position BIGINT UNSIGNED NOT NULL,
  end_position BIGINT UNSIGNED NOT NULL,
  committed_at DATETIME(6) NOT NULL,
  connection_id INT UNSIGNED,
  row_count BIGINT UNSIGNED NOT NULL,
  xid VARCHAR(512),
  xa_state VARCHAR(16),
  decided_at DATETIME(6),
  statement LONGTEXT
) ENGINE=InnoDB ROW_FORMAT=DYNAMIC DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;
-- XA transactions that were prepared and are not decided yet: those of `transactions` need no index on xids.
CREATE TABLE IF NOT EXISTS prepared_transactions (
  source_id INT UNSIGNED NOT NULL,
  xid VARCHAR(512) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  transaction_id BIGINT UNSIGNED NOT NULL,
  PRIMARY KEY (source_id, xid)
) ENGINE=InnoDB ROW_FORMAT=DYNAMIC;
CREATE TABLE IF NOT EXISTS row_changes (
  change_id BIGINT UNSIGNED NOT NULL,
  committed_at DATETIME(6) NOT NULL,
  source_id INT UNSIGNED GENERATED ALWAYS AS ((change_id >> 48) + 1) VIRTUAL,
  table_id INT UNSIGNED NOT NULL,
  place_in_transaction INT UNSIGNED NOT NULL,
  transaction_id BIGINT UNSIGNED GENERATED ALWAYS AS (change_id - place_in_transaction) VIRTUAL,
  event_type TINYINT UNSIGNED NOT NULL,
  pk_hash BINARY(8) NOT NULL,
  pk_values LONGTEXT,
  row_before LONGTEXT,
  row_after LONGTEXT,
  PRIMARY KEY (change_id, committed_at),
  KEY row_changes_key (table_id, pk_hash)
) ENGINE=InnoDB ROW_FORMAT=DYNAMIC DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin
PARTITION BY RANGE COLUMNS (committed_at) (PARTITION later VALUES LESS THAN (MAXVALUE));
-- Updates that gave a row another key, under that one: row_changes has them under the one before.
CREATE TABLE IF NOT EXISTS key_changes (
  change_id BIGINT UNSIGNED NOT NULL PRIMARY KEY,
  committed_at DATETIME(6) NOT NULL,
  table_id INT UNSIGNED NOT NULL,
  pk_hash BINARY(8) NOT NULL,
  pk_values LONGTEXT NOT NULL,
  KEY key_changes_key (table_id, pk_hash, change_id, committed_at)
) ENGINE=InnoDB ROW_FORMAT=DYNAMIC DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;
-- The blocks of ids that have rows of a table (kind 1), transactions of a session (kind 2), or updates of a table that changed
-- the column at a place (kind 64 and up, by the place modulo 64).
CREATE TABLE IF NOT EXISTS places (
  kind TINYINT UNSIGNED NOT NULL,
  number INT UNSIGNED NOT NULL,
  block BIGINT UNSIGNED NOT NULL,
  PRIMARY KEY (kind, number, block)
) ENGINE=InnoDB ROW_FORMAT=DYNAMIC;
CREATE TABLE IF NOT EXISTS schema_changes (
  schema_change_id BIGINT UNSIGNED NOT NULL AUTO_INCREMENT PRIMARY KEY,
  source_id INT UNSIGNED NOT NULL,
  binlog_file VARCHAR(512) NOT NULL,
  start_position BIGINT UNSIGNED NOT NULL,
  end_position BIGINT UNSIGNED NOT NULL,
  gtid VARCHAR(128),
  committed_at DATETIME(6) NOT NULL,
  next_change_id BIGINT UNSIGNED NOT NULL,
  schema_name VARCHAR(64) NOT NULL,
  sql_mode BIGINT UNSIGNED,
  temporary TINYINT NOT NULL,
  change_type VARCHAR(255) NOT NULL,
  statement LONGTEXT NOT NULL
) ENGINE=InnoDB ROW_FORMAT=DYNAMIC DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;
-- What was lost before it was read: it lay before the change with this id.
CREATE TABLE IF NOT EXISTS gaps (
  source_id INT UNSIGNED NOT NULL,
  next_change_id BIGINT UNSIGNED NOT NULL,
  found_at DATETIME(6) NOT NULL,
  detail LONGTEXT NOT NULL,
  PRIMARY KEY (source_id, next_change_id, found_at)
) ENGINE=InnoDB ROW_FORMAT=DYNAMIC DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;
CREATE TABLE IF NOT EXISTS index_state (
  source_id INT UNSIGNED NOT NULL,
  binlog_file VARCHAR(191) NOT NULL,
  binlog_created INT UNSIGNED NOT NULL,
  file_size BIGINT UNSIGNED NOT NULL,
  last_position BIGINT UNSIGNED NOT NULL,
  events_indexed BIGINT UNSIGNED NOT NULL,
  status VARCHAR(32) NOT NULL,
  error LONGTEXT,
  PRIMARY KEY (source_id, binlog_file)
) ENGINE=InnoDB ROW_FORMAT=DYNAMIC DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;
-- Written so that the server reads row_changes first, in the order of its ids, unless the tables
-- asked for lead to fewer rows: a condition on their names makes the outer join an inner one. For
-- the same reason a function refuses rows without a transaction: that keeps their join outer.
CREATE OR REPLACE ALGORITHM=MERGE SQL SECURITY INVOKER VIEW binlog_events AS
SELECT
  r.change_id,
  r.source_id,
  t.binlog_file,
  t.start_position AS start_pos,
  t.end_position AS end_pos,
  r.committed_at AS event_timestamp,
  t.gtid,
  t.connection_id,
  v.schema_name,
  v.table_name,
  CASE r.event_type WHEN 1 THEN 'INSERT' WHEN 2 THEN 'UPDATE' ELSE 'DELETE' END AS event_type,
  r.pk_values,
  CASE WHEN r.event_type = 2 THEN (
    SELECT COALESCE(JSON_ARRAYAGG(c.name), JSON_ARRAY())
    FROM (SELECT CAST(r.row_before AS JSON) AS b, CAST(r.row_after AS JSON) AS a) AS i,
      JSON_TABLE(v.columns, '$[*]' COLUMNS (name VARCHAR(64) PATH '$.name')) AS c
    WHERE JSON_CONTAINS_PATH(i.a, 'one', CONCAT('$.', JSON_QUOTE(c.name)))
      -- As text: as JSON, 1 and 1.0 are the same, and so are 0 and -0.
      AND NOT (CAST(JSON_EXTRACT(i.b, CONCAT('$.', JSON_QUOTE(c.name))) AS BINARY)
        <=> CAST(JSON_EXTRACT(i.a, CONCAT('$.', JSON_QUOTE(c.name))) AS BINARY))
  ) END AS changed_columns,
  r.row_before,
  r.row_after
FROM row_changes AS r
LEFT JOIN transactions AS t
  ON t.transaction_id = r.transaction_id
  AND r.change_id < t.transaction_id + t.row_count
LEFT JOIN table_versions AS v ON v.table_id = r.table_id
WHERE IF(t.transaction_id IS NULL, '', COALESCE(t.xa_state, 'committed')) = 'committed'
  AND r.change_id < (SELECT s.next_change_id FROM stream_state AS s WHERE s.source_id = r.source_id);
