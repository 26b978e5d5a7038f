-- The tables of the benchmark's workloads (benches/workloads), with fewer rows: enough for a test of the steady state.
SET time_zone = '+00:00';
SET cte_max_recursion_depth = 10000;
CREATE DATABASE workloads;
USE workloads;

CREATE TABLE narrow (
  id BIGINT PRIMARY KEY AUTO_INCREMENT, account INT NOT NULL, amount DECIMAL(12,2) NOT NULL,
  note VARCHAR(64), at DATETIME(3) NOT NULL
);
INSERT INTO narrow (account, amount, note, at)
WITH RECURSIVE n (i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < 99)
SELECT i * 7919 % 1000, i * 12.34 - 3000, IF(i % 10 = 0, NULL, CONCAT('note ', i, REPEAT('é', i % 20))),
  '2024-02-29 12:00:00.125' + INTERVAL i MINUTE FROM n;
UPDATE narrow SET amount = -amount, note = UPPER(note) WHERE id % 3 = 0;
DELETE FROM narrow WHERE id % 5 = 0;

CREATE TABLE wide (
  id BIGINT UNSIGNED PRIMARY KEY,
  t TINYINT, tu TINYINT UNSIGNED, s SMALLINT, m MEDIUMINT, i INT, iu INT UNSIGNED, b BIGINT, bu BIGINT UNSIGNED,
  f FLOAT, d DOUBLE, dec1 DECIMAL(10,2), dec2 DECIMAL(30,10), bits BIT(13), y YEAR, da DATE, ti TIME, ti6 TIME(6),
  dt DATETIME, dt6 DATETIME(6), ts TIMESTAMP NULL, ts3 TIMESTAMP(3) NULL,
  c CHAR(20), v VARCHAR(100), v2 VARCHAR(255) CHARACTER SET latin1, tx TEXT, tx2 MEDIUMTEXT,
  bi BINARY(16), vb VARBINARY(64), bl BLOB,
  e ENUM('new', 'paid', 'sent', 'done'), st SET('a', 'b', 'c', 'd', 'e'), js JSON
);
INSERT INTO wide
WITH RECURSIVE n (i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < 39)
SELECT i, i % 256 - 128, i % 256, i * 211 % 65536 - 32768, i * 7919 % 16777216 - 8388608, i * 1000003 - 100000000,
  i * 1000003, IF(i % 7 = 0, NULL, i * 1234567890123 - 99999999999999), i * 1234567890123, i / 7, i / 13 * 1e10,
  i * 12.34, IF(i % 11 = 0, NULL, i * 123456789.0123456789), i % 8192, 1901 + i % 255, '2000-01-01' + INTERVAL i DAY,
  SEC_TO_TIME(i * 997 - 100000), SEC_TO_TIME(i * 997.123456), '2001-02-03 04:05:06' + INTERVAL i HOUR,
  '2001-02-03 04:05:06.123456' + INTERVAL i * 1001 MICROSECOND, '2010-01-01' + INTERVAL i * 61 MINUTE,
  IF(i % 5 = 0, NULL, '2010-01-01 00:00:00.125' + INTERVAL i * 61 MINUTE),
  CONCAT('char ', i), CONCAT('a varchar with the number ', i), CONCAT('caf', X'E9', ' ', i), REPEAT(CONCAT('text ', i, ' "quoted"\n'), i % 8),
  IF(i % 3 = 0, NULL, REPEAT('médium', i % 16)), LEFT(UNHEX(SHA2(i, 256)), 16), LEFT(UNHEX(SHA2(i, 256)), i % 33),
  REPEAT(LEFT(UNHEX(SHA2(i, 256)), 16), i % 5), 1 + i % 4, i % 32,
  JSON_OBJECT('id', i, 'name', CONCAT('name ', i), 'tags', JSON_ARRAY('x', i / 3, NULL, TRUE), 'in', JSON_OBJECT('at', NOW(6)))
FROM n;
UPDATE wide SET i = -i, v = NULL, tx = CONCAT(tx, '!'), st = st ^ 31 WHERE id % 4 = 0;
DELETE FROM wide WHERE id % 9 = 0;
