-- What binlog_row_metadata=FULL says of each type: signedness (YEAR has a bit), collations (GEOMETRY counts),
-- names, members and keys.
SET GLOBAL binlog_row_metadata = FULL;
CREATE DATABASE full;
USE full;
CREATE TABLE signs (
  a BIT(3), b INT UNSIGNED, c YEAR, d INT, e DATE, f INT UNSIGNED, g ENUM('a'), h INT, i FLOAT UNSIGNED,
  j DECIMAL(5) UNSIGNED, k SET('a'), l TINYINT UNSIGNED, m DOUBLE, n TIME, o BIGINT UNSIGNED, p VARCHAR(3), q INT UNSIGNED
);
INSERT INTO signs VALUES
  (1, 4294967295, 2024, -1, '2024-01-01', 4000000000, 'a', -2, 1.5, 2, 'a', 255, -1.5, '-01:00:00', 18446744073709551615, 'x', 4294967295);
CREATE TABLE charsets (
  a CHAR(3) CHARACTER SET latin1, b VARCHAR(3) COLLATE utf8mb4_unicode_nopad_ci, c TEXT COLLATE utf8mb4_uca1400_ai_ci,
  g POINT, d VARCHAR(10) CHARACTER SET gbk, e VARCHAR(10) CHARACTER SET utf8mb3 COLLATE utf8mb3_uca1400_as_cs,
  f ENUM('ä', 'b') CHARACTER SET latin1, h SET('x', 'ÿ') COLLATE utf8mb4_unicode_520_nopad_ci, j BLOB, k VARCHAR(9) COMPRESSED,
  l UUID, m CHAR(2) CHARACTER SET utf32 COLLATE utf32_nopad_bin, n JSON, o VARCHAR(5) COLLATE utf16_uca1400_nopad_ai_ci,
  PRIMARY KEY (b, a)
) CHARACTER SET utf8mb4;
INSERT INTO charsets VALUES
  ('é', 'é', 'é', POINT(1, 2), '你', 'é', 'ä', 'x,ÿ', x'00ff', 'é', '018f1c4e-7b3a-7000-8000-0123456789ab', 'é', '"é"', 'é');
SET GLOBAL binlog_row_metadata = NO_LOG;
