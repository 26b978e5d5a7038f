-- The rows events of MySQL 5.1 to 5.5 (log_bin_use_v1_row_events=ON), without checksums, in each row image; statements with
-- their variables, and LOAD DATA, which are no rows.
CREATE DATABASE v1;
USE v1;
CREATE TABLE t (id INT PRIMARY KEY AUTO_INCREMENT, v VARCHAR(20), b BLOB, d DATETIME, n DECIMAL(10,2), u BIGINT UNSIGNED) ENGINE = InnoDB;
INSERT INTO t VALUES (1, 'é', x'00ff', '2024-02-29 12:34:56', -1.50, 18446744073709551615), (2, NULL, NULL, NULL, NULL, NULL);
UPDATE t SET v = 'updated', n = NULL WHERE id = 1;
UPDATE t SET u = id;
DELETE FROM t WHERE id = 2;
SET binlog_row_image = MINIMAL;
INSERT INTO t (v) VALUES ('minimal');
UPDATE t SET b = 'b' WHERE id = 1;
DELETE FROM t WHERE id = 1;
SET binlog_row_image = NOBLOB;
UPDATE t SET v = 'noblob';
SET binlog_row_image = FULL;
SET binlog_format = STATEMENT;
SET @variable = 'it''s', @number = -1.5;
INSERT INTO t (v, n) VALUES (@variable, @number + RAND());
SELECT 1, 'loaded' INTO OUTFILE 'loaded.txt';
LOAD DATA INFILE 'loaded.txt' REPLACE INTO TABLE t (id, v);
SET binlog_format = ROW;
DELETE FROM t;
