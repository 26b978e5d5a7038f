-- binlog_row_metadata=FULL, with a VECTOR column among text columns of other character sets.
SET GLOBAL binlog_row_metadata = FULL;
CREATE DATABASE full_metadata;
USE full_metadata;
CREATE TABLE mixed (
  v VECTOR(2), a VARCHAR(5) CHARACTER SET latin1, b CHAR(5) CHARACTER SET utf8mb4, c TEXT CHARACTER SET gbk,
  e ENUM('x', 'é') CHARACTER SET latin1, s SET('€', 'y') CHARACTER SET utf8mb4, u BIGINT UNSIGNED, g BLOB,
  hidden INT INVISIBLE, id INT NOT NULL, PRIMARY KEY (id, a(2))
);
INSERT INTO mixed (v, a, b, c, e, s, u, g, id) VALUES
  (STRING_TO_VECTOR('[1.5,-2e10]'), 'é', '€', '中', 'é', '€,y', 18446744073709551615, x'e9', 1);
UPDATE mixed SET u = 1, hidden = -1;
DELETE FROM mixed;
SET GLOBAL binlog_row_metadata = MINIMAL;
