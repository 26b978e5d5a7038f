-- MariaDB's temporal types with fractions of before 10.1: each event's rows are wider than its TABLE_MAP_EVENT tells.
SET time_zone = '+00:00';
CREATE DATABASE old;
USE old;

CREATE TABLE many (id INT PRIMARY KEY, t3 TIME(3), t6 TIME(6), dt2 DATETIME(2), ts6 TIMESTAMP(6) NULL);
INSERT INTO many VALUES
  (1, '-00:00:01.5', '12:34:56.789012', '2024-01-02 03:04:05.67', '2024-01-02 03:04:05.678901'),
  (2, NULL, NULL, NULL, NULL);
CREATE TABLE one (id INT PRIMARY KEY, t TIME(1));
INSERT INTO one VALUES (1, '12:34:56.7');
INSERT INTO one VALUES (2, '00:00:00.0'), (3, '-12:34:56.7');
UPDATE one SET t = '00:00:01.1';
DELETE FROM one;
CREATE TABLE times (id INT PRIMARY KEY, dt DATETIME(1), ts TIMESTAMP(2) NULL);
INSERT INTO times VALUES (1, '2024-01-02 03:04:05.6', NULL), (2, NULL, '2024-01-02 03:04:05.67');

-- Read without its fraction, this row adds up too: the byte behind the seconds would be a length.
CREATE TABLE lengths (id INT, t TIMESTAMP(2) NOT NULL DEFAULT 0, b VARCHAR(100) CHARACTER SET latin1);
INSERT INTO lengths VALUES (1, '2020-01-01 00:00:00.06', 'hello');
CREATE TABLE two (id INT NOT NULL, t TIME(3) NOT NULL, d DATETIME(2) NOT NULL, b VARCHAR(100) CHARACTER SET latin1 NOT NULL);
INSERT INTO two VALUES (1, '00:00:00.002', '2020-01-01 00:00:00.06', 'hello');
