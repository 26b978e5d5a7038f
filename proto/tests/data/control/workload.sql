-- One small binlog of every kind of control event. The server's own GTIDs come first,
-- so that a later file begins with a PREVIOUS_GTIDS event of each format.
CREATE DATABASE d;
CREATE TABLE d.t (id INT PRIMARY KEY, v VARCHAR(20));
INSERT INTO d.t VALUES (1, 'a');
FLUSH BINARY LOGS;

USE d;
SET timestamp = 1700000000.123456;
SET time_zone = '+02:00', lc_time_names = 'de_DE', sql_mode = 'ANSI_QUOTES,NO_BACKSLASH_ESCAPES',
    auto_increment_increment = 3, auto_increment_offset = 2, sql_require_primary_key = ON,
    default_collation_for_utf8mb4 = utf8mb4_general_ci;
CREATE TABLE "u" (id INT PRIMARY KEY) CHARSET latin1;
CREATE TABLE "y" (ts TIMESTAMP(6) PRIMARY KEY);
SET binlog_format = STATEMENT;
INSERT INTO "y" VALUES (NOW(6));
SET binlog_format = ROW;
CREATE USER current;
GRANT SELECT ON d.* TO CURRENT_USER();
DROP USER current;
SET timestamp = DEFAULT, sql_mode = DEFAULT, time_zone = DEFAULT, lc_time_names = DEFAULT,
    sql_require_primary_key = DEFAULT, default_collation_for_utf8mb4 = DEFAULT;
SET binlog_rows_query_log_events = ON;
INSERT INTO t VALUES (2, 'ä');
SET gtid_next = '3e11fa47-71ca-11e1-9e33-c80aa9429562:9223372036854775806';
INSERT INTO t VALUES (3, 'c');
SET gtid_next = AUTOMATIC;
SET original_commit_timestamp = 1600000000654321, original_server_version = 80011;
INSERT INTO t VALUES (4, 'd');
SET original_commit_timestamp = DEFAULT, original_server_version = DEFAULT;
XA START X'ff0027', 'branch', 4294967295;
INSERT INTO t VALUES (5, 'e');
XA END X'ff0027', 'branch', 4294967295;
XA PREPARE X'ff0027', 'branch', 4294967295;
XA COMMIT X'ff0027', 'branch', 4294967295;
XA START 'one';
INSERT INTO t VALUES (6, 'f');
XA END 'one';
XA COMMIT 'one' ONE PHASE;
XA START 'back', '';
INSERT INTO t VALUES (7, 'g');
XA END 'back', '';
XA PREPARE 'back', '';
XA ROLLBACK 'back', '';
FLUSH BINARY LOGS;

SET binlog_rows_query_log_events = OFF;
SET gtid_next = 'AUTOMATIC:blue';
INSERT INTO t VALUES (8, 'h');
INSERT INTO t VALUES (9, 'i');
SET gtid_next = 'fe11fa47-71ca-11e1-9e33-c80aa9429562:a_tag_of_the_greatest_length____:9223372036854775806';
SET original_commit_timestamp = 1600000000654321, original_server_version = 80011;
INSERT INTO t VALUES (10, 'j');
SET gtid_next = 'AUTOMATIC:_green7';
INSERT INTO t VALUES (11, 'k');
CREATE TABLE x (id INT PRIMARY KEY);
FLUSH BINARY LOGS;

SET gtid_next = AUTOMATIC;
SET GLOBAL gtid_mode = ON_PERMISSIVE;
SET GLOBAL gtid_mode = OFF_PERMISSIVE;
SET original_commit_timestamp = DEFAULT, original_server_version = DEFAULT;
INSERT INTO t VALUES (12, 'l');
SET GLOBAL gtid_mode = ON_PERMISSIVE;
SET GLOBAL gtid_mode = ON;

SET GLOBAL binlog_checksum = NONE;
INSERT INTO t VALUES (13, 'm');
SET GLOBAL binlog_checksum = CRC32;
