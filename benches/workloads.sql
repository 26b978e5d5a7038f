-- The tables and procedures that make the benchmarks' work: a procedure ends with the number of rows it changed.
CREATE DATABASE bench;
USE bench;
CREATE TABLE numbers (n INT PRIMARY KEY);
SET SESSION cte_max_recursion_depth = 10000;
INSERT INTO numbers WITH RECURSIVE c (n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM c WHERE n < 1999) SELECT n FROM c;
CREATE TABLE narrow (
    id BIGINT UNSIGNED PRIMARY KEY, account INT NOT NULL, amount DECIMAL(10,2) NOT NULL, note VARCHAR(40),
    at DATETIME NOT NULL
);
CREATE TABLE bulk LIKE narrow;
CREATE TABLE wide (
    id BIGINT UNSIGNED PRIMARY KEY,
    c_tiny TINYINT, c_utiny TINYINT UNSIGNED, c_small SMALLINT, c_medium MEDIUMINT, c_int INT,
    c_uint INT UNSIGNED NOT NULL, c_big BIGINT, c_float FLOAT, c_double DOUBLE, c_money DECIMAL(10,2),
    c_decimal DECIMAL(30,10), c_bit BIT(12), c_year YEAR, c_date DATE, c_time TIME, c_time3 TIME(3),
    c_datetime DATETIME NOT NULL, c_datetime6 DATETIME(6), c_timestamp TIMESTAMP NULL, c_timestamp3 TIMESTAMP(3) NULL,
    c_char CHAR(20), c_name VARCHAR(40) NOT NULL, c_text VARCHAR(300), c_latin1 VARCHAR(40) CHARACTER SET latin1,
    c_binary BINARY(16), c_varbinary VARBINARY(60), c_note TEXT, c_blob BLOB,
    c_enum ENUM('new','paid','sent','closed'), c_set SET('a','b','c','d'), c_json JSON, c_none VARCHAR(40)
);
DELIMITER //
-- Transaction i: 1 to 5 rows, one statement.
CREATE PROCEDURE narrow(transactions INT)
BEGIN
    DECLARE i, many, total INT DEFAULT 0;
    DECLARE next, some BIGINT DEFAULT 0;
    SET time_zone = '+00:00';
    WHILE i < transactions DO
        SET many = 1 + CRC32(i) % 5;
        -- A place that is full: deletes are too few to empty it.
        SET some = CRC32(i * 7 + 1) % GREATEST(next - 5, 1);
        IF i % 10 < 6 THEN
            INSERT INTO narrow SELECT next + n, CRC32(next + n) % 100000, CRC32(next * 3 + n) % 100000000 / 100,
                IF(n = 3, NULL, CONCAT('payment ', next + n)), '2026-01-01' + INTERVAL next SECOND
                FROM numbers WHERE n < many;
            SET next = next + many;
        ELSEIF i % 10 < 9 THEN
            UPDATE narrow SET amount = amount + 1, at = at + INTERVAL 1 HOUR WHERE id >= some ORDER BY id LIMIT many;
        ELSE
            DELETE FROM narrow WHERE id >= some ORDER BY id LIMIT many;
        END IF;
        SET total = total + ROW_COUNT();
        SET i = i + 1;
    END WHILE;
    SELECT total;
END//
CREATE PROCEDURE wide(transactions INT)
BEGIN
    DECLARE i, total INT DEFAULT 0;
    SET time_zone = '+00:00';
    WHILE i < transactions DO
        INSERT INTO wide SELECT id, r % 256 - 128, r % 256, IF(r % 5, r % 65536 - 32768, NULL), r % 16777216 - 8388608,
            r % 2000000000 - 1000000000, r, r * 1000003 - 1000000000, r / 1000, SQRT(r),
            r % 100000000 / 100, r * 12345.678901, r % 4096, 1901 + r % 255, '2000-01-01' + INTERVAL r % 9000 DAY,
            SEC_TO_TIME(r % 86400), SEC_TO_TIME(r % 3000000 + r % 1000 / 1000), '2026-01-01' + INTERVAL id SECOND,
            '2026-01-01' + INTERVAL r MICROSECOND, FROM_UNIXTIME(r % 2000000000 + 1),
            FROM_UNIXTIME(r % 2000000000 + 1 + r % 1000 / 1000),
            LEFT(SHA2(r, 224), r % 20), CONCAT('name ', id), IF(r % 3, REPEAT(CONCAT('text é ', r, ' '), 1 + r % 4), NULL), CONCAT('caf', CHAR(233 USING latin1), r),
            UNHEX(LEFT(SHA2(r, 256), 32)), LEFT(UNHEX(SHA2(r, 256)), r % 33), CONCAT('a note that says something about ', id), UNHEX(SHA2(r, 384)),
            1 + r % 4, r % 16, IF(r % 6, JSON_OBJECT('id', id, 'tags', JSON_ARRAY('x', 'yy', r), 'price', r / 100, 'ok', true), NULL),
            IF(r % 4, NULL, CONCAT('seldom ', r))
            FROM (SELECT i * 100 + n AS id, CAST(CRC32(i * 100 + n) AS SIGNED) AS r FROM numbers WHERE n < 100) AS rows_of;
        SET total = total + ROW_COUNT();
        SET i = i + 1;
    END WHILE;
    SELECT total;
END//
CREATE PROCEDURE bulk(thousands INT)
BEGIN
    SET time_zone = '+00:00';
    INSERT INTO bulk SELECT id, CRC32(id) % 100000, CRC32(id * 3) % 100000000 / 100,
        IF(id % 7, CONCAT('payment ', id), NULL), '2026-01-01' + INTERVAL id SECOND
        FROM (SELECT thousands.n * 1000 + ones.n AS id FROM numbers AS thousands, numbers AS ones
              WHERE thousands.n < thousands AND ones.n < 1000) AS ids;
    SELECT ROW_COUNT();
END//
