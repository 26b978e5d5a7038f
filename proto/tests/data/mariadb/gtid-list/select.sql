SELECT @@gtid_binlog_pos;
