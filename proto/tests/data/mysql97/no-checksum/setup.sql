-- binlog_checksum=NONE, for plain and compressed transactions.
CREATE DATABASE none;
USE none;
CREATE TABLE t (id INT PRIMARY KEY, v VARCHAR(20));
INSERT INTO t VALUES (1, 'a'), (2, NULL);
SET binlog_transaction_compression = ON;
UPDATE t SET v = 'é';
SET binlog_transaction_compression = OFF;
DELETE FROM t;
