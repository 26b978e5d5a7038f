-- What `scripts/bench stream` adds to workloads.sql.
USE bench;
CREATE TABLE orders (
    id BIGINT UNSIGNED PRIMARY KEY, customer INT UNSIGNED NOT NULL, status ENUM('new','paid','sent','closed') NOT NULL,
    quantity SMALLINT NOT NULL, amount DECIMAL(10,2) NOT NULL, note VARCHAR(60), created DATETIME NOT NULL,
    changed TIMESTAMP(3) NOT NULL
);
CREATE TABLE documents (id BIGINT UNSIGNED PRIMARY KEY, title VARCHAR(60) NOT NULL, body LONGTEXT NOT NULL) ENGINE=BLACKHOLE;
CREATE TABLE ticks (id BIGINT UNSIGNED AUTO_INCREMENT PRIMARY KEY, at TIMESTAMP(6) NOT NULL DEFAULT CURRENT_TIMESTAMP(6));
DELIMITER //
-- Transaction i: 1 to 5 rows, one statement; as `narrow`, on 8 columns.
CREATE PROCEDURE orders(transactions INT)
BEGIN
    DECLARE i, many, total INT DEFAULT 0;
    DECLARE next, some BIGINT DEFAULT 0;
    SET time_zone = '+00:00';
    WHILE i < transactions DO
        SET many = 1 + CRC32(i) % 5;
        SET some = CRC32(i * 7 + 1) % GREATEST(next - 5, 1);
        IF i % 10 < 6 THEN
            INSERT INTO orders SELECT next + n, CRC32(next + n) % 1000000, 1 + (next + n) % 4, 1 + n,
                CRC32(next * 3 + n) % 100000000 / 100, IF(n = 3, NULL, CONCAT('to be delivered to gate ', next % 100)),
                '2026-01-01' + INTERVAL next SECOND, '2026-01-01' + INTERVAL next * 1001000 MICROSECOND
                FROM numbers WHERE n < many;
            SET next = next + many;
        ELSEIF i % 10 < 9 THEN
            UPDATE orders SET amount = amount + 1, status = 1 + status % 4, changed = changed + INTERVAL 1 HOUR
                WHERE id >= some ORDER BY id LIMIT many;
        ELSE
            DELETE FROM orders WHERE id >= some ORDER BY id LIMIT many;
        END IF;
        SET total = total + ROW_COUNT();
        SET i = i + 1;
    END WHILE;
    SELECT total;
END//
-- One row in each of so many tables, again and again.
CREATE PROCEDURE make_tables(tables INT)
BEGIN
    DECLARE i INT DEFAULT 0;
    CREATE DATABASE many;
    WHILE i < tables DO
        SET @sql = CONCAT('CREATE TABLE many.t', i, ' LIKE bench.orders');
        PREPARE statement FROM @sql;
        EXECUTE statement;
        SET i = i + 1;
    END WHILE;
END//
CREATE PROCEDURE many(tables INT, rounds INT)
BEGIN
    DECLARE i, round INT DEFAULT 0;
    SET time_zone = '+00:00';
    WHILE round < rounds DO
        SET i = 0;
        WHILE i < tables DO
            SET @sql = CONCAT('INSERT INTO many.t', i, ' VALUES (', round, ', ', i, ', ''new'', 1, 12.50, NULL, ',
                '''2026-01-01 00:00:00'', ''2026-01-01 00:00:00.000'')');
            PREPARE statement FROM @sql;
            EXECUTE statement;
            SET i = i + 1;
        END WHILE;
        SET round = round + 1;
    END WHILE;
    SELECT tables * rounds;
END//
-- One transaction of so many MB, in a table that stores nothing: the binlog has it all the same.
CREATE PROCEDURE documents(megabytes INT)
BEGIN
    INSERT INTO documents SELECT thousands.n * 1000 + ones.n, CONCAT('document ', ones.n),
        REPEAT(CONCAT('paragraph ', ones.n, ', '), 1000000 DIV (14 + LENGTH(ones.n)) DIV 100)
        FROM numbers AS thousands, numbers AS ones
        WHERE thousands.n < megabytes DIV 10 AND ones.n < 1000;
    SELECT ROW_COUNT();
END//
DELIMITER ;
