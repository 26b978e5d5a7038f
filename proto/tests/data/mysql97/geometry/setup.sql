-- mysqlbinlog cannot print GEOMETRY and ends at the first one. `twins` holds the same bytes as LONGBLOB, so that its
-- lines are what those of `shapes` have to be, but for the names of table and type.
CREATE DATABASE geometry;
USE geometry;
CREATE TABLE shapes (
  id INT PRIMARY KEY, g GEOMETRY, p POINT SRID 4326, n INT, l LINESTRING, y POLYGON, mp MULTIPOINT, ml MULTILINESTRING,
  my MULTIPOLYGON, c GEOMETRYCOLLECTION
);
CREATE TABLE twins (
  id INT PRIMARY KEY, g LONGBLOB, p LONGBLOB, n INT, l LONGBLOB, y LONGBLOB, mp LONGBLOB, ml LONGBLOB, my LONGBLOB, c LONGBLOB
);
INSERT INTO shapes (id, g, p, n) VALUES
  (1, NULL, NULL, -1),
  (2, ST_GeomFromText('POINT(1 2)'), ST_GeomFromText('POINT(1 2)', 4326), 2),
  (3, ST_GeomFromText('GEOMETRYCOLLECTION EMPTY'), NULL, 3),
  (4, ST_GeomFromText('POLYGON((0 0, 10 0, 10 10, 0 10, 0 0), (5 5, 7 5, 7 7, 5 7, 5 5))'), NULL, 4);
-- Each kind, in columns of its own and in one of any.
SET @l = ST_GeomFromText('LINESTRING(0 0, -1 1.5, 2 -2)'), @y = ST_GeomFromText('POLYGON((0 0, 4 0, 4 4, 0 0))'),
  @mp = ST_GeomFromText('MULTIPOINT(1 1, 2 2, 3 3)'), @ml = ST_GeomFromText('MULTILINESTRING((0 0, 1 1), (2 2, 3 3, 4 5))'),
  @my = ST_GeomFromText('MULTIPOLYGON(((0 0, 1 0, 1 1, 0 0)), ((5 5, 6 5, 6 6, 5 5)))'),
  @c = ST_GeomFromText('GEOMETRYCOLLECTION(POINT(1 1), LINESTRING(0 0, 1 1), GEOMETRYCOLLECTION(POINT(2 2)))');
INSERT INTO shapes VALUES (5, @l, NULL, 5, @l, @y, @mp, @ml, @my, @c);
INSERT INTO shapes (id, g) VALUES (6, @mp), (7, @ml), (8, @my), (9, @c);
INSERT INTO twins SELECT * FROM shapes;
UPDATE shapes SET g = NULL, n = 0 WHERE id = 2;
UPDATE twins SET g = NULL, n = 0 WHERE id = 2;
DELETE FROM shapes;
DELETE FROM twins;
