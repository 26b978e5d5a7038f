-- The temporal types of before MySQL 5.6, which MariaDB still makes.
SET time_zone = '+00:00';
SET sql_mode = 'ALLOW_INVALID_DATES';
CREATE DATABASE old;
USE old;

CREATE TABLE temporals (id INT PRIMARY KEY, t TIME, dt DATETIME, ts TIMESTAMP NULL, d DATE, n INT);
INSERT INTO temporals VALUES
  (1, '-838:59:59', '9999-12-31 23:59:59', '2038-01-19 03:14:07', '9999-12-31', -1),
  (2, '00:00:00', '0000-00-00', '0000-00-00', '0000-00-00', 0),
  (3, '-00:00:01', '2024-02-31 01:02:03', '1970-01-01 00:00:01', '2024-02-31', 1),
  (4, NULL, NULL, NULL, NULL, NULL),
  (5, '838:59:59', '1000-01-01', '2001-02-03 04:05:06', '2024-00-00', 2);
UPDATE temporals SET t = '12:34:56', dt = NULL WHERE id IN (2, 5);
DELETE FROM temporals WHERE id < 4;
