-- binlog_row_value_options=PARTIAL_JSON: each kind of change that is logged in place of a document, in full and in partial
-- images. In full images, what an update makes of a row stands in front of its next change.
SET time_zone = '+00:00';
CREATE DATABASE partial;
USE partial;
SET binlog_row_value_options = PARTIAL_JSON;
CREATE TABLE t (id INT PRIMARY KEY, j JSON, n INT, k JSON, v VARCHAR(10) AS (j->>'$.a'), KEY ((CAST(k->'$.ids' AS UNSIGNED ARRAY))));
INSERT INTO t (id, j, n, k) VALUES
  (1, CONCAT('{"a": 1, "b": [1, 2, 3, {"q": 1}], "long": "', REPEAT('x', 200), '"}'), 1, '{"ids": [1, 2], "m": {"n": [{"o": null}]}}'),
  (2, CONCAT('["a", ["b", ["c", "', REPEAT('y', 200), '"]]]'), 2, NULL),
  (3, NULL, 3, '[]');

-- Replaced, inserted and removed, one at a time and together; a row in which nothing or not the document changes.
UPDATE t SET j = JSON_SET(j, '$.a', 2);
UPDATE t SET j = JSON_SET(j, '$.b[0]', 'it''s "q" \\ x', '$.b[3].q', JSON_OBJECT('x', 1.5)), n = n + 1 WHERE id = 1;
UPDATE t SET j = JSON_REMOVE(j, '$.b[1]') WHERE id = 1;
UPDATE t SET j = JSON_SET(j, '$.new', TRUE, '$.b[9]', 'behind the last') WHERE id = 1;
UPDATE t SET n = n + 1;
UPDATE t SET j = JSON_SET(j, '$.a', 2), n = n + 1;
UPDATE t SET j = JSON_REPLACE(j, '$.nope', 1), n = n + 1;
UPDATE t SET j = JSON_REMOVE(JSON_SET(JSON_REMOVE(j, '$.new'), '$.a', 5, '$.long', 'short', '$.z', 9, '$.y', 8), '$.b[0]', '$.b[0]') WHERE id = 1;
UPDATE t SET j = JSON_SET(j, '$.z', JSON_ARRAY(), '$.z[0]', 10, '$.z[1]', JSON_OBJECT(), '$.z[1].in', 'new') WHERE id = 1;
UPDATE t SET k = JSON_SET(k, '$.m.n[0].o', 'deep', '$.ids[1]', 7), j = JSON_SET(j, '$.long', REPEAT('long again ', 20)) WHERE id = 1;
UPDATE t SET j = JSON_SET(j, '$[1][1][0]', 'C', '$[0]', JSON_ARRAY('A', JSON_ARRAY())) WHERE id = 2;
UPDATE t SET j = JSON_ARRAY_INSERT(j, '$[0]', 'in front', '$[2][1]', 'between'), k = '{"from": "NULL"}' WHERE id = 2;
UPDATE t SET j = JSON_ARRAY_APPEND(j, '$[2]', 'at the end') WHERE id = 2;
UPDATE t SET j = JSON_SET(j, '$[0]', 1, '$[0]', 2), k = NULL WHERE id = 2;
UPDATE t SET j = '{"to": "a document"}' WHERE id = 3;
UPDATE t SET j = JSON_SET(j, '$[last]', 'of an object', '$.to', REPEAT('z', 100)) WHERE id = 3;
UPDATE t SET j = JSON_SET(j, '$.to', 'x') WHERE id = 3;

-- Places counted from the end.
UPDATE t SET j = JSON_SET(j, '$[last]', 'L', '$[last-1][last]', 'L1', '$[last-9]', 'before the first') WHERE id = 2;
UPDATE t SET j = JSON_REMOVE(j, '$[last]') WHERE id = 2;
UPDATE t SET j = JSON_SET(j, '$.a[0]', 7) WHERE id = 1;
UPDATE t SET j = JSON_SET(j, '$.a[3]', 9) WHERE id = 1;

-- Names.
UPDATE t SET j = JSON_SET(j, '$."it''s\\\\ \\n \\u0001 \\""', 1, '$."a-b"', 2, '$."1a"', 3, '$."ä.b"', 4, '$.""', 5, '$."\\u0000"', 6,
  '$._x$', 7, '$.ünï', 8, '$."日本"', 9, '$."\\ud83d\\ude00\\/"', 10, '$."[0]"', 11, '$."a\\"].b"', 12) WHERE id = 1;
UPDATE t SET j = JSON_SET(j, '$."it''s\\\\ \\n \\u0001 \\""', 'r', '$."日本"', 'r', '$."😀/"', 'r', '$."a\\"].b"', 'r') WHERE id = 1;
UPDATE t SET j = JSON_REMOVE(j, '$."a-b"', '$."1a"', '$."ä.b"', '$.""', '$."\\u0000"', '$._x$', '$.ünï', '$."[0]"') WHERE id = 1;

-- Values.
UPDATE t SET j = JSON_SET(j, '$.a', DATE'2024-02-29', '$.d1', TIME'-12:34:56.5', '$.d2', TIMESTAMP'2024-02-29 01:02:03', '$.d3', 12.340,
  '$.d4', 1.5e0, '$.d5', x'00ff27', '$.d6', b'101', '$.d7', 18446744073709551615, '$.d8', -9223372036854775808, '$.d9', -0e0) WHERE id = 1;
UPDATE t SET j = JSON_SET(j, '$.d1', FALSE, '$.d2', NULL, '$.d3', 32768, '$.d4', CAST(70000 AS UNSIGNED), '$.d5', '',
  '$.d6', CAST('"x\\u0001\\n\\u20ac"' AS JSON), '$.d7', CAST('{"it''s": "a\\\\b\\n"}' AS JSON), '$.d8', ST_GeomFromText('POINT(1 2)'),
  '$.d9', CAST(-0.05 AS DECIMAL(10,5))) WHERE id = 1;

-- From the small format to the large one and back; keys of other lengths, in another order.
UPDATE t SET j = JSON_SET(j, '$.large', REPEAT('l', 70000), '$.int', 70000) WHERE id = 3;
UPDATE t SET j = JSON_SET(j, '$.int', 80000, '$.in', JSON_OBJECT('int', 90000, 'k', CAST('[70000, 1]' AS JSON)), '$.i', 1, '$.integer', 2) WHERE id = 3;
UPDATE t SET j = JSON_SET(j, '$.in.int', -70000, '$.in.k[0]', 5) WHERE id = 3;
UPDATE t SET j = JSON_REPLACE(j, '$.large', REPEAT('m', 10)) WHERE id = 3;
UPDATE t SET j = JSON_REMOVE(j, '$.large', '$.in.k[1]') WHERE id = 3;

-- Deep.
INSERT INTO t (id, j) VALUES (4, CONCAT(REPEAT('[1, {"k": ', 49), '"inmost, with some text"', REPEAT('}, 2]', 49)));
UPDATE t SET j = JSON_SET(j, CONCAT('$', REPEAT('[1].k', 49)), 'in') WHERE id = 4;
UPDATE t SET j = JSON_REMOVE(j, CONCAT('$', REPEAT('[1].k', 48), '[1].k')) WHERE id = 4;
-- Several rows, of which one has no document.
UPDATE t SET j = JSON_SET(j, '$.many', id) WHERE id <> 2;
DELETE FROM t;

-- Many JSON columns: more than 8 bits tell which of them are changed.
CREATE TABLE many (id INT PRIMARY KEY, a JSON, b JSON, c JSON, d JSON, e JSON, x INT, f JSON, g JSON, h JSON, i JSON, j JSON);
INSERT INTO many VALUES (1, '[0, "aaaaaaaaaa"]', '[0, "bbbbbbbbbb"]', '[0, "cccccccccc"]', '[0]', '[0]', 5, NULL, '[0, "gggggggggg"]', '[0]', '[0, "iiiiiiiiii"]', '[0, "jjjjjjjjjj"]');
UPDATE many SET a = JSON_SET(a, '$[0]', 1), c = JSON_SET(c, '$[0]', 1), i = JSON_REMOVE(i, '$[0]'), j = JSON_SET(j, '$[0]', 1), g = '[1]', x = 6;
UPDATE many SET j = JSON_SET(j, '$[0]', 2), h = NULL;
DELETE FROM many;

-- Images that leave the document out of what was there before.
CREATE TABLE images (id INT PRIMARY KEY, j JSON, k JSON NOT NULL, b BLOB, n INT);
INSERT INTO images VALUES (1, '{"a": "some text", "b": 1}', '{"a": "some text", "b": 1}', 'b', 1);
SET binlog_row_image = MINIMAL;
UPDATE images SET j = JSON_SET(j, '$.b', 2), n = 2;
UPDATE images SET j = JSON_SET(j, '$.b', 3), k = JSON_REMOVE(k, '$.b'), b = 'c';
UPDATE images SET j = '[]', n = 3;
SET binlog_row_image = NOBLOB;
UPDATE images SET k = JSON_SET(k, '$.a', 'x'), n = 4;
UPDATE images SET n = 5;
SET binlog_row_image = FULL;
UPDATE images SET k = JSON_SET(k, '$.a', 'y');
DELETE FROM images;
