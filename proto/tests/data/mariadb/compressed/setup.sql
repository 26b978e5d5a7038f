-- Statements and rows that log_bin_compress compresses, and those that are too short for it.
SET GLOBAL log_bin_compress = ON, GLOBAL log_bin_compress_min_len = 64;
CREATE DATABASE compressed COMMENT 'a database whose creation is a statement of more than sixty-four bytes';
USE compressed;
CREATE TABLE t (id INT PRIMARY KEY, v VARCHAR(200)) COMMENT 'another statement of more than sixty-four bytes, compressed';
INSERT INTO t VALUES (1, 'short');
INSERT INTO t SELECT seq, REPEAT(CHAR(97 + seq % 26), 100) FROM seq_2_to_50;
UPDATE t SET v = CONCAT('x', v) WHERE id > 25;
DELETE FROM t WHERE id > 40;
BEGIN;
INSERT INTO t VALUES (100, REPEAT('y', 200));
UPDATE t SET v = '' WHERE id = 100;
COMMIT;
