-- Transactions compressed with zstd (binlog_transaction_compression=ON): of one row, of several tables, of a few hundred
-- kilobytes, with savepoints, XA, partial updates of JSON and the text of statements.
CREATE DATABASE compressed;
USE compressed;
CREATE TABLE plain (id INT PRIMARY KEY, v VARCHAR(20));
CREATE TABLE other (id INT PRIMARY KEY AUTO_INCREMENT, s VARCHAR(200) CHARACTER SET latin1, n BIGINT UNSIGNED, d DECIMAL(20,5));
CREATE TABLE documents (id INT PRIMARY KEY, j JSON);
INSERT INTO plain VALUES (0, 'not compressed');

SET binlog_transaction_compression = ON;
INSERT INTO plain VALUES (1, 'one row');
BEGIN;
INSERT INTO plain VALUES (2, 'two'), (3, 'three');
INSERT INTO other (s, n, d) VALUES ('é', 18446744073709551615, '-99999.99999');
UPDATE plain, other SET plain.v = other.s, other.n = plain.id WHERE plain.id = 2 AND other.id = 1;
SAVEPOINT s;
INSERT INTO plain VALUES (4, 'undone');
ROLLBACK TO SAVEPOINT s;
DELETE FROM plain WHERE id = 3;
COMMIT;

-- Many events in one payload, more than is unpacked at once, and an event that is larger than that.
CREATE TABLE large (id INT PRIMARY KEY, b LONGBLOB);
BEGIN;
INSERT INTO other (s, n, d)
WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 300)
SELECT REPEAT(CHAR(97 + i % 26), 100 + i % 100), i, i / 7 FROM n;
INSERT INTO large VALUES (1, REPEAT('large ', 22000));
INSERT INTO plain VALUES (5, 'behind');
COMMIT;
SET binlog_row_image = MINIMAL;
DELETE FROM large;
SET binlog_row_image = FULL;

SET binlog_transaction_compression_level_zstd = 22;
INSERT INTO other (s, n, d)
WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 20) SELECT REPEAT('x', 200), i, i FROM n;
SET binlog_transaction_compression_level_zstd = 1;
DELETE FROM other WHERE n < 20;

SET binlog_row_value_options = PARTIAL_JSON;
INSERT INTO documents VALUES (1, CONCAT('{"a": [1, 2], "long": "', REPEAT('x', 100), '"}'));
UPDATE documents SET j = JSON_SET(j, '$.a[0]', 'one');
SET binlog_row_value_options = '';

SET binlog_rows_query_log_events = ON;
DELETE FROM documents;
SET binlog_rows_query_log_events = OFF;

XA START 'x';
INSERT INTO plain VALUES (6, 'xa');
XA END 'x';
XA PREPARE 'x';
XA COMMIT 'x';
XA START 'y';
DELETE FROM plain WHERE id = 6;
XA END 'y';
XA COMMIT 'y' ONE PHASE;
CREATE TABLE made AS SELECT * FROM plain;

SET binlog_row_image = MINIMAL;
UPDATE plain SET v = 'minimal' WHERE id = 1;
SET binlog_transaction_compression = OFF;
DELETE FROM plain;
