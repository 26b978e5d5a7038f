-- Every column type at its limits. The connection has no default schema.
SET time_zone = '+00:00';
SET sql_mode = 'ALLOW_INVALID_DATES';
CREATE DATABASE types;
USE types;

CREATE TABLE integers (
  id INT PRIMARY KEY,
  t TINYINT, tu TINYINT UNSIGNED, s SMALLINT, su SMALLINT UNSIGNED, m MEDIUMINT,
  mu MEDIUMINT UNSIGNED, i INT, iu INT UNSIGNED, b BIGINT, bu BIGINT UNSIGNED NOT NULL
);
INSERT INTO integers VALUES
  (1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0),
  (2, -1, 1, -1, 1, -1, 1, -1, 1, -1, 1),
  (3, -128, 128, -32768, 32768, -8388608, 8388608, -2147483648, 2147483648,
   -9223372036854775808, 9223372036854775808),
  (4, 127, 255, 32767, 65535, 8388607, 16777215, 2147483647, 4294967295,
   9223372036854775807, 18446744073709551615),
  (-5, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, 1);

CREATE TABLE decimals (
  a DECIMAL(65,30), b DECIMAL(1,0), c DECIMAL(30,30), d DECIMAL(65,0), e DECIMAL(10,2), f DECIMAL(14,4)
);
INSERT INTO decimals VALUES
  ('99999999999999999999999999999999999.999999999999999999999999999999', 9,
   '0.999999999999999999999999999999',
   '99999999999999999999999999999999999999999999999999999999999999999', '12345678.90', '1234567890.1234'),
  ('-99999999999999999999999999999999999.999999999999999999999999999999', -9,
   '-0.999999999999999999999999999999',
   '-99999999999999999999999999999999999999999999999999999999999999999', '-0.01', '-1234567890.1234'),
  ('0.000000000000000000000000000001', 0, '-0.000000000000000000000000000001', 1000000000, '-0.00', 0),
  (0, 0, 0, 0, 0, 0),
  (NULL, NULL, NULL, NULL, NULL, NULL);

CREATE TABLE floats (f FLOAT, d DOUBLE, g FLOAT(7,3), h DOUBLE(20,5));
INSERT INTO floats VALUES
  (0, 0, 0, 0), (-0e0, -0e0, -0e0, -0e0), (1, 1, 1, 1), (-1.5, -1.5, -1.5, -1.5),
  (3.402823466e38, 1.7976931348623157e308, 9999.999, 999999999999999.99999),
  (-3.402823466e38, -1.7976931348623157e308, -9999.999, -1),
  (1.175494351e-38, 2.2250738585072014e-308, 0.001, 0.00001), (1.4e-45, 5e-324, 0.5, 0.25),
  (0.1, 0.1, 0.1, 0.1), (123456.789, 123456.789, 123.456, 123.456), (1234567, 1234567, 1234, 1234567),
  (1e5, 1e5, 1, 1), (999999.5, 999999.5, 1, 1), (1e6, 1e19, 1, 1), (1e10, 1e20, 1, 1), (1e20, 1e21, 1, 1),
  (1e-4, 1e-4, 1, 1), (1e-5, 1e-5, 1, 1), (0.00012345678, 0.00012345678901234567, 1, 1),
  (2.5e-7, 1234567890123456789, 1, 1), (100000, 99999999999999999999, 1, 1), (33333333, 1e22, 1, 1),
  (NULL, NULL, NULL, NULL);

CREATE TABLE bits (a BIT(1), b BIT(7), c BIT(8), d BIT(9), e BIT(33), f BIT(64));
INSERT INTO bits VALUES (0, 0, 0, 0, 0, 0), (1, 1, 1, 1, 1, 1), (1, 127, 255, 511, 8589934591, 18446744073709551615),
  (b'1', b'1000001', b'10000001', b'100000001', b'100000000000000000000000000000001', 9223372036854775809),
  (NULL, NULL, NULL, NULL, NULL, NULL);

CREATE TABLE temporals (d DATE, y YEAR, t TIME, t1 TIME(1), t2 TIME(2), t3 TIME(3), t4 TIME(4), t5 TIME(5), t6 TIME(6));
INSERT INTO temporals VALUES
  ('0000-00-00', 2001, '00:00:00', 0, 0, 0, 0, 0, 0),
  ('2024-00-00', 1901, '-838:59:59', '-838:59:59', '-838:59:59', '-838:59:59', '-838:59:59', '-838:59:59', '-838:59:59'),
  ('2024-02-31', 2155, '838:59:59', '838:59:58.9', '838:59:58.99', '838:59:58.999', '838:59:58.9999', '838:59:58.99999',
   '838:59:58.999999'),
  ('9999-12-31', 2000, '-00:00:01', '-00:00:00.1', '-00:00:00.01', '-00:00:00.001', '-00:00:00.0001', '-00:00:00.00001',
   '-00:00:00.000001'),
  ('0000-01-01', 2024, '12:34:56', '-00:00:01.5', '-00:00:01.50', '-00:00:01.500', '-00:00:01.5000', '-00:00:01.50000',
   '-00:00:01.500000'),
  (NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL);

CREATE TABLE datetimes (d0 DATETIME, d1 DATETIME(1), d2 DATETIME(2), d3 DATETIME(3), d4 DATETIME(4), d5 DATETIME(5), d6 DATETIME(6));
INSERT INTO datetimes VALUES
  (0, 0, 0, 0, 0, 0, 0),
  ('2024-00-00', '2024-00-00', '2024-00-00', '2024-00-00', '2024-00-00', '2024-00-00', '0000-00-00 00:00:00.000001'),
  ('9999-12-31 23:59:59', '9999-12-31 23:59:59.9', '9999-12-31 23:59:59.99', '9999-12-31 23:59:59.999',
   '9999-12-31 23:59:59.9999', '9999-12-31 23:59:59.99999', '9999-12-31 23:59:59.999999'),
  ('2024-02-31 01:02:03', '2024-02-29 12:34:56.1', '2024-02-29 12:34:56.01', '2024-02-29 12:34:56.001',
   '2024-02-29 12:34:56.0001', '2024-02-29 12:34:56.00001', '2024-02-29 12:34:56.000001'),
  (NULL, NULL, NULL, NULL, NULL, NULL, NULL);

CREATE TABLE timestamps (
  t0 TIMESTAMP NULL, t1 TIMESTAMP(1) NULL, t2 TIMESTAMP(2) NULL, t3 TIMESTAMP(3) NULL,
  t4 TIMESTAMP(4) NULL, t5 TIMESTAMP(5) NULL, t6 TIMESTAMP(6) NULL
);
INSERT INTO timestamps VALUES
  (0, 0, 0, 0, 0, 0, 0),
  ('1970-01-01 00:00:01', '1970-01-01 00:00:01', '1970-01-01 00:00:01', '1970-01-01 00:00:01', '1970-01-01 00:00:01',
   '1970-01-01 00:00:01', '1970-01-01 00:00:01'),
  ('2038-01-19 03:14:07', '2038-01-19 03:14:07.9', '2038-01-19 03:14:07.99', '2038-01-19 03:14:07.999',
   '2038-01-19 03:14:07.9999', '2038-01-19 03:14:07.99999', '2038-01-19 03:14:07.999999'),
  ('2024-02-29 12:34:56', '2024-02-29 12:34:56.1', '2024-02-29 12:34:56.01', '2024-02-29 12:34:56.001',
   '2024-02-29 12:34:56.0001', '2024-02-29 12:34:56.00001', '2024-02-29 12:34:56.000001'),
  (NULL, NULL, NULL, NULL, NULL, NULL, NULL);

CREATE TABLE texts (
  a CHAR(1), b CHAR(63) CHARACTER SET latin1, c CHAR(64), d CHAR(255), e CHAR(255) CHARACTER SET latin1, f VARCHAR(0),
  g VARCHAR(63), h VARCHAR(64), i VARCHAR(255) CHARACTER SET latin1, j VARCHAR(256) CHARACTER SET latin1,
  k VARCHAR(4000), l BINARY(4), m BINARY(255), n VARBINARY(255), o VARBINARY(256), p CHAR(0)
) CHARACTER SET utf8mb4;
INSERT INTO texts VALUES
  ('', '', '', '', '', '', '', '', '', '', '', '', '', '', '', ''),
  ('a', 'é', '€', '😀', 'ÿ', '', 'tab\tnl\ncr\rbs\bff\fquote''dquote"back\\nul\0del', '😀ü', 'Ä', 'ß', 'line1\nline2',
   x'00010203', x'ff00', x'000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f207f80ff', x'ff', ''),
  ('x', REPEAT('b', 63), REPEAT('€', 64), REPEAT('😀', 255), REPEAT('e', 255), '', REPEAT('g', 63), REPEAT('h', 64),
   REPEAT('i', 255), REPEAT('j', 256), REPEAT('k', 300), x'01000000', x'0100', x'0100', REPEAT(x'00', 256), ''),
  (NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL);

CREATE TABLE blobs (
  a TINYBLOB, b BLOB, c MEDIUMBLOB, d LONGBLOB, e TINYTEXT, f TEXT, g MEDIUMTEXT, h LONGTEXT
) CHARACTER SET utf8mb4;
INSERT INTO blobs VALUES
  ('', '', '', '', '', '', '', ''),
  (REPEAT('a', 255), REPEAT('b', 256), REPEAT('c', 300), x'00ff1f27', REPEAT('é', 127), 'it''s', 'two\nlines', '😀'),
  (NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL);

CREATE TABLE enums (
  e1 ENUM('a','b','c'), e2 ENUM(
  'm1','m2','m3','m4','m5','m6','m7','m8','m9','m10','m11','m12','m13','m14','m15','m16','m17','m18','m19','m20',
  'm21','m22','m23','m24','m25','m26','m27','m28','m29','m30','m31','m32','m33','m34','m35','m36','m37','m38','m39','m40',
  'm41','m42','m43','m44','m45','m46','m47','m48','m49','m50','m51','m52','m53','m54','m55','m56','m57','m58','m59','m60',
  'm61','m62','m63','m64','m65','m66','m67','m68','m69','m70','m71','m72','m73','m74','m75','m76','m77','m78','m79','m80',
  'm81','m82','m83','m84','m85','m86','m87','m88','m89','m90','m91','m92','m93','m94','m95','m96','m97','m98','m99','m100',
  'm101','m102','m103','m104','m105','m106','m107','m108','m109','m110','m111','m112','m113','m114','m115','m116','m117','m118','m119','m120',
  'm121','m122','m123','m124','m125','m126','m127','m128','m129','m130','m131','m132','m133','m134','m135','m136','m137','m138','m139','m140',
  'm141','m142','m143','m144','m145','m146','m147','m148','m149','m150','m151','m152','m153','m154','m155','m156','m157','m158','m159','m160',
  'm161','m162','m163','m164','m165','m166','m167','m168','m169','m170','m171','m172','m173','m174','m175','m176','m177','m178','m179','m180',
  'm181','m182','m183','m184','m185','m186','m187','m188','m189','m190','m191','m192','m193','m194','m195','m196','m197','m198','m199','m200',
  'm201','m202','m203','m204','m205','m206','m207','m208','m209','m210','m211','m212','m213','m214','m215','m216','m217','m218','m219','m220',
  'm221','m222','m223','m224','m225','m226','m227','m228','m229','m230','m231','m232','m233','m234','m235','m236','m237','m238','m239','m240',
  'm241','m242','m243','m244','m245','m246','m247','m248','m249','m250','m251','m252','m253','m254','m255','m256','m257','m258','m259','m260',
  'm261','m262','m263','m264','m265','m266','m267','m268','m269','m270','m271','m272','m273','m274','m275','m276','m277','m278','m279','m280',
  'm281','m282','m283','m284','m285','m286','m287','m288','m289','m290','m291','m292','m293','m294','m295','m296','m297','m298','m299','m300'
), s1 SET('a','b','c'), s2 SET('a','b','c','d','e','f','g','h','i'),
  s8 SET('1','2','3','4','5','6','7','8','9','10','11','12','13','14','15','16','17','18','19','20','21','22','23','24','25',
         '26','27','28','29','30','31','32','33','34','35','36','37','38','39','40','41','42','43','44','45','46','47','48',
         '49','50','51','52','53','54','55','56','57','58','59','60','61','62','63','64')
);
INSERT INTO enums VALUES
  ('a', 'm1', '', '', ''), ('c', 'm300', 'a,b,c', 'a,i', '1,9,64'), ('b', 'm256', 'b', 'b,c', '2,33'),
  (NULL, NULL, NULL, NULL, NULL);
INSERT IGNORE INTO enums VALUES ('nope', 'nope', 'a', 'a', 1);

CREATE TABLE jsons (id INT PRIMARY KEY, j JSON);
INSERT INTO jsons VALUES
  (1, 'null'), (2, 'true'), (3, 'false'), (4, '0'), (5, '-1'), (6, '32767'), (7, '32768'), (8, '-32769'), (9, '2147483648'),
  (10, '-9223372036854775808'), (11, '18446744073709551615'), (12, '18446744073709551616'), (13, '0.1'), (14, '1.0'),
  (15, '-0.0'), (16, '1e100'), (17, '1.7976931348623157e308'), (18, '""'), (19, '"it''s \\"q\\" \\\\ \\n \\u0001 € 😀"'),
  (20, '[]'), (21, '{}'), (22, '[1, "two", [3, {"four": null}], true]'),
  (23, '{"b": 1, "aa": {"c": [1, 2, 3]}, "a": "x"}'), (24, CAST(CAST('12.340' AS DECIMAL(10,3)) AS JSON)),
  (25, CAST(CAST('2024-02-29' AS DATE) AS JSON)), (26, CAST(CAST('-12:34:56.789' AS TIME(3)) AS JSON)),
  (27, CAST(CAST('2024-02-29 12:34:56.000001' AS DATETIME(6)) AS JSON)), (28, CAST(TIMESTAMP'2024-02-29 12:34:56' AS JSON)),
  (29, CAST(x'00ff' AS JSON)), (30, CAST(b'101' AS JSON)), (31, JSON_ARRAY(CAST(1.5 AS DECIMAL(5,2)), CAST('x' AS BINARY(3)))),
  (32, CAST(ST_GeomFromText('POINT(1 2)') AS JSON)), (33, JSON_OBJECT('d', CURDATE() < '1999-01-01')), (34, NULL),
  (35, JSON_ARRAY(1e15, 1e16, 1e17, 123456789012345678.0, 0.00001, 1e-6));

CREATE TABLE vectors (id INT PRIMARY KEY, v VECTOR(3), w VECTOR);
INSERT INTO vectors VALUES (1, STRING_TO_VECTOR('[1,2,-3.5]'), STRING_TO_VECTOR('[0]')), (2, NULL, NULL);

CREATE DATABASE `we``ird ☃`;
CREATE TABLE `we``ird ☃`.`ta``ble '"\\ ☃` (`co``l` INT PRIMARY KEY, `ü` VARCHAR(10) NOT NULL, n INT);
INSERT INTO `we``ird ☃`.`ta``ble '"\\ ☃` VALUES (1, 'a', NULL), (2, 'b', 2), (3, 'c', 3);
UPDATE `we``ird ☃`.`ta``ble '"\\ ☃` SET n = -n, `ü` = CONCAT(`ü`, '''') WHERE `co``l` > 1;
DELETE FROM `we``ird ☃`.`ta``ble '"\\ ☃` WHERE `co``l` < 3;

CREATE TABLE many (a INT PRIMARY KEY, b INT, c VARCHAR(10), d BLOB);
INSERT INTO many VALUES (1, 1, 'a', 'x'), (2, NULL, NULL, NULL);
SET binlog_row_image = MINIMAL;
INSERT INTO many (a) VALUES (3);
UPDATE many SET b = 7 WHERE a = 1;
DELETE FROM many WHERE a = 1;
SET binlog_row_image = NOBLOB;
INSERT INTO many (a, b) VALUES (4, 4);
UPDATE many SET b = 8 WHERE a = 4;
DELETE FROM many WHERE a = 4;
SET binlog_row_image = FULL;

CREATE TABLE `no``row` (a INT);
SET binlog_row_image = MINIMAL;
INSERT INTO `no``row` VALUES ();
INSERT INTO `no``row` VALUES (NULL);
SET binlog_row_image = FULL;

CREATE TABLE hidden (
  a INT INVISIBLE, b INT, c INT AS (b * 2) VIRTUAL, d INT AS (b * 3) STORED, j JSON,
  KEY ((b + 1)), KEY ((CAST(j->'$.a' AS UNSIGNED ARRAY)))
);
INSERT INTO hidden (b, j) VALUES (1, '{"a": [1, 2]}');

CREATE TABLE parted (a INT) PARTITION BY HASH (a) PARTITIONS 3;
INSERT INTO parted VALUES (1), (2), (3);
UPDATE parted SET a = 5 WHERE a = 1;
DELETE FROM parted WHERE a = 2;
