-- The GTID_LIST_EVENT of a second file: two servers in one domain, which is one GTID of a position, and numbers at their limits.
CREATE DATABASE lists;
USE lists;
CREATE TABLE t (id INT PRIMARY KEY);
SET SESSION server_id = 4294967295;
INSERT INTO t VALUES (1);
SET SESSION server_id = 9;
INSERT INTO t VALUES (2);
SET SESSION gtid_domain_id = 7;
INSERT INTO t VALUES (3);
SET SESSION gtid_domain_id = 4294967295;
SET SESSION gtid_seq_no = 18446744073709551614;
INSERT INTO t VALUES (4);
FLUSH BINARY LOGS;
INSERT INTO t VALUES (5);
