-- The change index in SQLite. Times are microseconds since 1970-01-01 UTC.
CREATE TABLE IF NOT EXISTS index_version (
  version INTEGER NOT NULL
);
CREATE TABLE IF NOT EXISTS sources (
  source_id INTEGER PRIMARY KEY,
  server_uuid TEXT NOT NULL UNIQUE,
  flavor TEXT NOT NULL,
  version TEXT NOT NULL,
  host TEXT NOT NULL,
  port INTEGER NOT NULL,
  first_seen INTEGER NOT NULL,
  last_seen INTEGER NOT NULL
);
CREATE TABLE IF NOT EXISTS stream_state (
  source_id INTEGER PRIMARY KEY,
  mode TEXT,
  binlog_file TEXT NOT NULL DEFAULT '',
  binlog_position INTEGER NOT NULL DEFAULT 0,
  binlog_created INTEGER,
  gtid_set TEXT NOT NULL DEFAULT '',
  next_change_id INTEGER NOT NULL,
  events_indexed INTEGER NOT NULL DEFAULT 0,
  last_event_time INTEGER,
  last_checkpoint INTEGER,
  server_id INTEGER NOT NULL DEFAULT 0,
  lag_seconds REAL,
  last_error TEXT,
  gap_lost_at INTEGER,
  gap_lost_detail TEXT,
  capture_skips TEXT NOT NULL DEFAULT '{}',
  clock_latest INTEGER,
  clock_back INTEGER NOT NULL DEFAULT 0,
  streaming_since INTEGER,
  checkpoint_seconds INTEGER,
  removed_before INTEGER,
  starts TEXT NOT NULL DEFAULT '[]',
  kept TEXT
);
CREATE TABLE IF NOT EXISTS source_servers (
  source_id INTEGER NOT NULL,
  first_change_id INTEGER NOT NULL,
  server_uuid TEXT NOT NULL,
  host TEXT NOT NULL,
  port INTEGER NOT NULL,
  since INTEGER NOT NULL,
  PRIMARY KEY (source_id, since)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS table_versions (
  table_id INTEGER PRIMARY KEY,
  source_id INTEGER NOT NULL,
  schema_name TEXT NOT NULL,
  table_name TEXT NOT NULL,
  columns TEXT NOT NULL,
  known_by TEXT NOT NULL,
  valid_from_file TEXT NOT NULL,
  valid_from_position INTEGER NOT NULL,
  valid_until_file TEXT,
  valid_until_position INTEGER
);
CREATE INDEX IF NOT EXISTS table_versions_name
  ON table_versions (schema_name, table_name, source_id);
CREATE TABLE IF NOT EXISTS transactions (
  transaction_id INTEGER PRIMARY KEY,
  source_id INTEGER GENERATED ALWAYS AS ((transaction_id >> 48) + 1) VIRTUAL,
  gtid TEXT,
  binlog_file TEXT NOT NULL,
  start_position INTEGER NOT NULL,
  end_position INTEGER NOT NULL,
  committed_at INTEGER NOT NULL,
  connection_id INTEGER,
  row_count INTEGER NOT NULL,
  xid TEXT,
  xa_state TEXT,
  decided_at INTEGER,
  statement TEXT
);
-- The very expression of the view, so that a time range asked of the view is found here, and its
-- rows by the consecutive ids of their transactions: row_changes needs no index on time.
CREATE INDEX IF NOT EXISTS transactions_time ON transactions (
  (strftime('%Y-%m-%d %H:%M:%S', committed_at / 1000000, 'unixepoch')
    || printf('.%06d', committed_at % 1000000))
);
-- XA transactions that were prepared and are not decided yet: those of `transactions` need no index on xids.
CREATE TABLE IF NOT EXISTS prepared_transactions (
  source_id INTEGER NOT NULL,
  xid TEXT NOT NULL,
  transaction_id INTEGER NOT NULL,
  PRIMARY KEY (source_id, xid)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS row_changes (
  change_id INTEGER PRIMARY KEY,
  committed_at INTEGER NOT NULL,
  source_id INTEGER GENERATED ALWAYS AS ((change_id >> 48) + 1) VIRTUAL,
  table_id INTEGER NOT NULL,
  transaction_id INTEGER NOT NULL,
  event_type INTEGER NOT NULL,
  pk_hash INTEGER NOT NULL,
  pk_values TEXT,
  row_before TEXT,
  row_after TEXT
);
CREATE INDEX IF NOT EXISTS row_changes_key ON row_changes (table_id, pk_hash);
-- Updates that gave a row another key, under that one: row_changes has them under the one before.
CREATE TABLE IF NOT EXISTS key_changes (
  change_id INTEGER PRIMARY KEY,
  committed_at INTEGER NOT NULL,
  table_id INTEGER NOT NULL,
  pk_hash INTEGER NOT NULL,
  pk_values TEXT NOT NULL
);
CREATE INDEX IF NOT EXISTS key_changes_key ON key_changes (table_id, pk_hash);
-- The blocks of ids that have rows of a table (kind 1), transactions of a session (kind 2), or updates of a table that changed
-- the column at a place (kind 64 and up, by the place modulo 64).
CREATE TABLE IF NOT EXISTS places (
  kind INTEGER NOT NULL,
  number INTEGER NOT NULL,
  block INTEGER NOT NULL,
  PRIMARY KEY (kind, number, block)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS schema_changes (
  schema_change_id INTEGER PRIMARY KEY,
  source_id INTEGER NOT NULL,
  binlog_file TEXT NOT NULL,
  start_position INTEGER NOT NULL,
  end_position INTEGER NOT NULL,
  gtid TEXT,
  committed_at INTEGER NOT NULL,
  next_change_id INTEGER NOT NULL,
  schema_name TEXT NOT NULL,
  sql_mode INTEGER,
  temporary INTEGER NOT NULL,
  change_type TEXT NOT NULL,
  statement TEXT NOT NULL
);
-- What was lost before it was read: it lay before the change with this id.
CREATE TABLE IF NOT EXISTS gaps (
  source_id INTEGER NOT NULL,
  next_change_id INTEGER NOT NULL,
  found_at INTEGER NOT NULL,
  detail TEXT NOT NULL,
  PRIMARY KEY (source_id, next_change_id, found_at)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS index_state (
  source_id INTEGER NOT NULL,
  binlog_file TEXT NOT NULL,
  binlog_created INTEGER NOT NULL,
  file_size INTEGER NOT NULL,
  last_position INTEGER NOT NULL,
  events_indexed INTEGER NOT NULL,
  status TEXT NOT NULL,
  error TEXT,
  PRIMARY KEY (source_id, binlog_file)
) WITHOUT ROWID;
CREATE VIEW IF NOT EXISTS binlog_events AS
SELECT
  r.change_id,
  r.source_id,
  t.binlog_file,
  t.start_position AS start_pos,
  t.end_position AS end_pos,
  strftime('%Y-%m-%d %H:%M:%S', t.committed_at / 1000000, 'unixepoch')
    || printf('.%06d', t.committed_at % 1000000) AS event_timestamp,
  t.gtid,
  t.connection_id,
  v.schema_name,
  v.table_name,
  CASE r.event_type WHEN 1 THEN 'INSERT' WHEN 2 THEN 'UPDATE' ELSE 'DELETE' END AS event_type,
  r.pk_values,
  CASE WHEN r.event_type = 2 THEN (
    SELECT json_group_array(a.key) FROM json_each(r.row_after) AS a
    WHERE (r.row_before -> a.fullkey) IS NOT (r.row_after -> a.fullkey)
      -- SQLite before 3.47 does not find a name with a quote by its path.
      OR (instr(a.key, '"') AND a.value IS NOT
        (SELECT b.value FROM json_each(r.row_before) AS b WHERE b.key = a.key))
  ) END AS changed_columns,
  r.row_before,
  r.row_after
FROM row_changes AS r
JOIN transactions AS t
  ON t.transaction_id = r.transaction_id
  -- The planner cannot know that a transaction's rows are few among all; both bounds must gain.
  AND likelihood(r.change_id >= t.transaction_id, 0.001)
  AND likelihood(r.change_id < t.transaction_id + t.row_count, 0.001)
LEFT JOIN table_versions AS v ON v.table_id = r.table_id
WHERE (t.xa_state IS NULL OR t.xa_state = 'committed')
  AND r.change_id < (SELECT s.next_change_id FROM stream_state AS s WHERE s.source_id = r.source_id);
