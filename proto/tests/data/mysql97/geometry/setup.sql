-- mysqlbinlog cannot print GEOMETRY and ends at the first one. `twins` holds the same bytes as LONGBLOB, so that its
-- lines are what those of `shapes` have to be, but for the names of table and type.
CREATE DATABASE geometry;
USE geometry;
CREATE TABLE shapes (id INT PRIMARY KEY, g GEOMETRY, p POINT SRID 4326, n INT);
CREATE TABLE twins (id INT PRIMARY KEY, g LONGBLOB, p LONGBLOB, n INT);
INSERT INTO shapes VALUES
  (1, NULL, NULL, -1),
  (2, ST_GeomFromText('POINT(1 2)'), ST_GeomFromText('POINT(1 2)', 4326), 2),
  (3, ST_GeomFromText('GEOMETRYCOLLECTION EMPTY'), NULL, 3),
  (4, ST_GeomFromText('POLYGON((0 0, 10 0, 10 10, 0 10, 0 0), (5 5, 7 5, 7 7, 5 7, 5 5))'), NULL, 4);
INSERT INTO twins SELECT * FROM shapes;
UPDATE shapes SET g = NULL, n = 0 WHERE id = 2;
UPDATE twins SET g = NULL, n = 0 WHERE id = 2;
DELETE FROM shapes;
DELETE FROM twins;
