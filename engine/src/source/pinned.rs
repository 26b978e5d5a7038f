//! What a session's answers depend on.

/// Pins it, so that no setting of the server or of the account, nor its `init_connect`, changes what is read.
pub(crate) const PINNED: [&str; 4] = [
    "SET NAMES utf8mb4",
    // A transaction that is open goes on showing tables as they were at its first question.
    "ROLLBACK AND NO CHAIN NO RELEASE",
    // Below READ COMMITTED, tables are shown as they may never be.
    "SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ WRITE",
    "SET SESSION autocommit = 1, completion_type = 0, sql_mode = '', time_zone = '+00:00', \
     sql_select_limit = 18446744073709551615, sql_big_selects = 1, max_sort_length = 1024, \
     net_read_timeout = 120, net_write_timeout = 120 \
     /*!50708 , max_execution_time = 0 */ /*M!100101 , max_statement_time = 0 */ \
     /*!80030 , show_gipk_in_create_table_and_information_schema = 1 */",
];
