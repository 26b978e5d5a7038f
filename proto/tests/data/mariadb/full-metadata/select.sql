-- The character set of each column with one, in order, as the server names it.
SELECT GROUP_CONCAT(IFNULL(CHARACTER_SET_NAME, '-') ORDER BY ORDINAL_POSITION) FROM information_schema.COLUMNS
WHERE TABLE_SCHEMA = 'full' AND TABLE_NAME = 'charsets';
SELECT GROUP_CONCAT(IF(COLUMN_TYPE LIKE '%unsigned%', 1, 0) ORDER BY ORDINAL_POSITION) FROM information_schema.COLUMNS
WHERE TABLE_SCHEMA = 'full' AND TABLE_NAME = 'signs';
