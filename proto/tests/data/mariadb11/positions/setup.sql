-- MariaDB 11.4 and later write no end_log_pos inside transactions, and the session's id into the GTID event.
CREATE DATABASE positions;
USE positions;
CREATE TABLE t (id INT PRIMARY KEY, v TEXT, a INET4, w VECTOR(2) NOT NULL);
INSERT INTO t VALUES (1, 'one', '192.0.2.1', VEC_FromText('[1,-2.5]')), (2, 'two', '10.0.0.0', VEC_FromText('[0,0]'));
SET gtid_domain_id = 7;
BEGIN;
UPDATE t SET v = 'changed';
DELETE FROM t WHERE id = 2;
COMMIT;
XA START 'x';
INSERT INTO t VALUES (3, 'xa', NULL, VEC_FromText('[1,1]'));
XA END 'x';
XA PREPARE 'x';
XA COMMIT 'x';
