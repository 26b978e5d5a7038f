-- What `scripts/bench query` asks about: orders with most rows, audit with one in 20,000. The times are the statements' own, so
-- that ten days of history are made in minutes.
SET timestamp = 1780000000;
CREATE DATABASE bench;
USE bench;
CREATE TABLE digits (n INT PRIMARY KEY);
INSERT INTO digits VALUES (0),(1),(2),(3),(4),(5),(6),(7),(8),(9),(10),(11),(12),(13),(14),(15),(16),(17),(18),(19);
CREATE TABLE orders (
    id BIGINT UNSIGNED PRIMARY KEY, customer INT NOT NULL, amount DECIMAL(10,2) NOT NULL, status VARCHAR(12) NOT NULL,
    note VARCHAR(60), changed_at DATETIME NOT NULL
);
CREATE TABLE audit (id BIGINT UNSIGNED PRIMARY KEY, what VARCHAR(60) NOT NULL);
DELIMITER //
-- Transactions FIRST up to but not END, of 20 rows each: of ten, six insert, three update and one deletes. In every
-- thousandth an audit, which gets another key at once, and the only change of a note. STEP is the seconds between two.
CREATE PROCEDURE fill(first INT, end INT, step DOUBLE)
BEGIN
    DECLARE i INT DEFAULT first;
    DECLARE old BIGINT;
    WHILE i < end DO
        SET timestamp = 1780000000 + FLOOR(i * step);
        SET old = FLOOR(i * 0.37) * 20;
        START TRANSACTION;
        IF i MOD 10 < 6 THEN
            INSERT INTO orders SELECT i * 20 + n, (i * 7 + n) MOD 10007, i MOD 900 + n, 'new', CONCAT('order ', i, ' of ', n), NOW()
                FROM digits;
        ELSEIF i MOD 10 < 9 THEN
            UPDATE orders SET status = IF(status = 'new', 'paid', 'sent'), changed_at = NOW() WHERE id BETWEEN old AND old + 19;
        ELSE
            DELETE FROM orders WHERE id BETWEEN old AND old + 19;
        END IF;
        IF i MOD 1000 = 500 THEN
            INSERT INTO audit VALUES (i, CONCAT('of ', i));
            UPDATE audit SET id = id + 1000000000 WHERE id = i;
            UPDATE orders SET note = 'changed', changed_at = NOW() WHERE id = i * 20;
        END IF;
        COMMIT;
        SET i = i + 1;
    END WHILE;
    SET timestamp = DEFAULT;
END//
DELIMITER ;
