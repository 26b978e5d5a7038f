//! The changes of tables that are tried, each in a schema of its own.

/// What happens in a schema of its own, `{s}`. `+t` stands for two rows written into the table `t`.
pub(super) struct Case {
    pub(super) name: &'static str,
    /// While the stream runs.
    pub(super) before: &'static [&'static str],
    /// While it is stopped.
    pub(super) after: &'static [&'static str],
    /// May rows be under `@1`, `@2`, …? Never those before the first change, nor those behind the last.
    pub(super) unsure: bool,
}

const T: &str =
    "CREATE TABLE {s}.t (id INT PRIMARY KEY, a VARCHAR(40), b VARCHAR(40), c VARCHAR(40))";
const E: &str = "CREATE TABLE {s}.t (id INT PRIMARY KEY, a VARCHAR(40), \
                 e ENUM('e x','e y','e z'), f SET('f x','f y','f z'))";

/// Understood by every server.
pub(super) const CASES: &[Case] = &[
    Case {
        name: "add first",
        before: &[T, "+t"],
        after: &[
            "+t",
            "ALTER TABLE {s}.t ADD COLUMN d VARCHAR(40) FIRST",
            "+t",
        ],
        unsure: false,
    },
    Case {
        name: "add after",
        before: &[T, "+t"],
        after: &[
            "+t",
            "ALTER TABLE {s}.t ADD d VARCHAR(40) AFTER a, ADD g INT AFTER d",
            "+t",
        ],
        unsure: false,
    },
    Case {
        name: "drop",
        before: &[T, "+t"],
        after: &[
            "+t",
            "ALTER TABLE {s}.t DROP COLUMN b, ADD x VARCHAR(40) FIRST",
            "+t",
        ],
        unsure: false,
    },
    Case {
        name: "rename",
        before: &[T, "+t"],
        after: &["+t", "ALTER TABLE {s}.t CHANGE a x VARCHAR(40)", "+t"],
        unsure: false,
    },
    Case {
        name: "swap",
        before: &[T, "+t"],
        after: &[
            "+t",
            "ALTER TABLE {s}.t CHANGE a b VARCHAR(40), CHANGE b a VARCHAR(40)",
            "+t",
        ],
        unsure: false,
    },
    Case {
        name: "reorder",
        before: &[T, "+t"],
        after: &["+t", "ALTER TABLE {s}.t MODIFY a VARCHAR(40) AFTER c", "+t"],
        unsure: false,
    },
    Case {
        name: "labels",
        before: &[E, "+t"],
        after: &[
            "+t",
            "ALTER TABLE {s}.t MODIFY e ENUM('e z','e x','e y'), MODIFY f SET('f z','f y','f x')",
            "+t",
        ],
        unsure: false,
    },
    Case {
        name: "type",
        before: &[T, "+t"],
        after: &[
            "+t",
            "DELETE FROM {s}.t",
            "ALTER TABLE {s}.t MODIFY a INT UNSIGNED",
            "+t",
        ],
        unsure: false,
    },
    Case {
        name: "charset",
        before: &[T, "+t"],
        after: &[
            "+t",
            "ALTER TABLE {s}.t CONVERT TO CHARACTER SET latin1",
            "+t",
        ],
        unsure: false,
    },
    Case {
        name: "swap of tables",
        before: &[
            T,
            "CREATE TABLE {s}.u (c VARCHAR(40), id INT PRIMARY KEY, b VARCHAR(40), a VARCHAR(40))",
            "CREATE TABLE {s}.v (id INT PRIMARY KEY, c VARCHAR(40), b VARCHAR(40), a VARCHAR(40))",
            "+t",
            "+u",
            "+v",
        ],
        after: &[
            "+t",
            "+u",
            "+v",
            "RENAME TABLE {s}.t TO {s}.tmp, {s}.v TO {s}.t, {s}.tmp TO {s}.v",
            "+t",
            "+u",
            "+v",
        ],
        unsure: false,
    },
    Case {
        name: "made again",
        before: &[T, "+t"],
        after: &[
            "+t",
            "DROP TABLE {s}.t",
            "CREATE TABLE {s}.t (id INT PRIMARY KEY, b VARCHAR(40), c VARCHAR(40), a VARCHAR(40))",
            "+t",
        ],
        unsure: false,
    },
    Case {
        name: "made from a query",
        before: &[T, "+t"],
        after: &[
            "+t",
            "CREATE TABLE {s}.n (id INT PRIMARY KEY, y VARCHAR(40), x VARCHAR(40)) SELECT 7 AS id, 'x' AS x, 'y' AS y",
            "DROP TABLE {s}.t",
            "CREATE TABLE {s}.t (id INT PRIMARY KEY) SELECT 7 AS id, 'c' AS c, 'a' AS a, 'b' AS b",
            "+t",
            "+n",
        ],
        unsure: true,
    },
    Case {
        name: "truncated",
        before: &[T, "+t"],
        after: &["+t", "TRUNCATE {s}.t", "+t"],
        unsure: false,
    },
    Case {
        name: "exchange of a partition",
        before: &[
            "CREATE TABLE {s}.p (id INT PRIMARY KEY, a VARCHAR(40), b VARCHAR(40)) PARTITION BY RANGE (id) (PARTITION p0 VALUES LESS THAN (1000000))",
            "CREATE TABLE {s}.t (id INT PRIMARY KEY, a VARCHAR(40), b VARCHAR(40))",
            "+t",
            "+p",
        ],
        after: &[
            "+t",
            "+p",
            "ALTER TABLE {s}.p EXCHANGE PARTITION p0 WITH TABLE {s}.t",
            "+t",
            "+p",
        ],
        unsure: false,
    },
    Case {
        name: "several at once",
        before: &[
            T,
            "CREATE TABLE {s}.u LIKE {s}.t",
            "CREATE TABLE {s}.v (id INT PRIMARY KEY, b VARCHAR(40), a VARCHAR(40), c VARCHAR(40))",
            "+t",
            "+u",
            "+v",
        ],
        after: &[
            "+t",
            "+u",
            "+v",
            "DROP TABLE {s}.t, {s}.u",
            "RENAME TABLE {s}.v TO {s}.t",
            "CREATE TABLE {s}.u LIKE {s}.t",
            "ALTER TABLE {s}.t CHANGE a z VARCHAR(40), RENAME TO {s}.v",
            "+u",
            "+v",
        ],
        unsure: false,
    },
    Case {
        name: "comments",
        before: &[T, "+t"],
        after: &[
            "+t",
            "/* RENAME */\n# one\n-- two\nALTER\n\t/*!50000 TABLE */ /* x */ {s}\n.\n`t` -- three\n CHANGE `b`\n`a` VARCHAR(40), CHANGE a b VARCHAR(40)",
            "+t",
        ],
        unsure: false,
    },
    Case {
        name: "ansi quotes",
        before: &[T, "+t"],
        after: &[
            "+t",
            "SET sql_mode = 'ANSI_QUOTES'",
            "ALTER TABLE {s}.\"t\" CHANGE \"b\" \"a\" VARCHAR(40), CHANGE \"a\" \"b\" VARCHAR(40)",
            "SET sql_mode = ''",
            "+t",
        ],
        unsure: false,
    },
    Case {
        name: "odd names",
        before: &[
            "CREATE TABLE {s}.`w.t` (id INT PRIMARY KEY, `a.b` VARCHAR(40), `é` VARCHAR(40), `q``q` VARCHAR(40), `a b` VARCHAR(40))",
            "CREATE TABLE {s}.`tä``b` (id INT PRIMARY KEY, `表` VARCHAR(40), `\"` VARCHAR(40))",
            "+w.t",
            "+tä`b",
        ],
        after: &[
            "+w.t",
            "+tä`b",
            "ALTER TABLE {s}.`tä``b` CHANGE `表` `\"` VARCHAR(40), CHANGE `\"` `表` VARCHAR(40)",
            "+tä`b",
            "ALTER TABLE {s}.`w.t` CHANGE `a.b` `é` VARCHAR(40), CHANGE `é` `q``q` VARCHAR(40), CHANGE `q``q` `a.b` VARCHAR(40)",
            "+w.t",
        ],
        unsure: false,
    },
    Case {
        name: "another client's charset",
        before: &[T, "CREATE TABLE {s}.`é` LIKE {s}.t", "+t", "+é"],
        after: &[
            "+t",
            "+é",
            "SET NAMES latin1",
            "ALTER TABLE {s}.t CHANGE a `é` VARCHAR(40), CHANGE b a VARCHAR(40)",
            "SET NAMES utf8mb4",
            "ALTER TABLE {s}.`é` CHANGE b a VARCHAR(40), CHANGE a b VARCHAR(40)",
            "+t",
            "+é",
        ],
        unsure: false,
    },
    Case {
        name: "a schema made again",
        before: &[T, "+t"],
        after: &[
            "+t",
            "DROP DATABASE {s}",
            "CREATE DATABASE {s}",
            "CREATE TABLE {s}.t (id INT PRIMARY KEY, c VARCHAR(40), a VARCHAR(40), b VARCHAR(40))",
            "+t",
        ],
        unsure: false,
    },
    Case {
        name: "another key",
        before: &[T, "+t"],
        after: &[
            "+t",
            "DELETE FROM {s}.t",
            "ALTER TABLE {s}.t DROP PRIMARY KEY, ADD PRIMARY KEY (b, id)",
            "+t",
        ],
        unsure: false,
    },
    Case {
        name: "no key",
        before: &[T, "+t"],
        after: &["+t", "DROP INDEX `PRIMARY` ON {s}.t", "+t"],
        unsure: false,
    },
    Case {
        name: "by a procedure",
        before: &[
            T,
            "CREATE PROCEDURE {s}.p() ALTER TABLE {s}.t CHANGE a b VARCHAR(40), CHANGE b a VARCHAR(40)",
            "+t",
        ],
        after: &["+t", "CALL {s}.p()", "+t"],
        unsure: false,
    },
    Case {
        name: "a default schema",
        before: &[T, "+t"],
        after: &[
            "+t",
            "USE {s}",
            "ALTER TABLE t CHANGE a b VARCHAR(40), CHANGE b a VARCHAR(40)",
            "USE mysql",
            "+t",
        ],
        unsure: false,
    },
    Case {
        name: "a table with a past of another",
        before: &[T, "+t"],
        after: &[
            "+t",
            "RENAME TABLE {s}.t TO {s}.old",
            "CREATE TABLE {s}.t (id INT PRIMARY KEY, b VARCHAR(40), a VARCHAR(40), c VARCHAR(40))",
            "+t",
            "+old",
        ],
        unsure: false,
    },
    Case {
        name: "one after another",
        before: &[T, "+t"],
        after: &[
            "+t",
            "ALTER TABLE {s}.t CHANGE a b VARCHAR(40), CHANGE b a VARCHAR(40)",
            "+t",
            "ALTER TABLE {s}.t ADD d VARCHAR(40) FIRST",
            "+t",
            "ALTER TABLE {s}.t MODIFY b VARCHAR(40) FIRST",
            "+t",
            "ALTER TABLE {s}.t DROP d",
            "+t",
            "CREATE INDEX i ON {s}.t (a)",
            "+t",
        ],
        unsure: true,
    },
    Case {
        name: "made, filled and gone",
        before: &[T, "+t"],
        after: &[
            "+t",
            "CREATE TABLE {s}.n (id INT PRIMARY KEY, x VARCHAR(40), y VARCHAR(40))",
            "+n",
            "DROP TABLE {s}.n",
            "CREATE TABLE {s}.n (id INT PRIMARY KEY, y VARCHAR(40), x VARCHAR(40))",
            "+n",
        ],
        unsure: true,
    },
];

/// Understood by MySQL 8 and later.
pub(super) const MYSQL: &[Case] = &[
    Case {
        name: "rename column",
        before: &[T, "+t"],
        after: &[
            "+t",
            "ALTER TABLE {s}.t RENAME COLUMN a TO b, RENAME COLUMN b TO c, RENAME COLUMN c TO a",
            "+t",
        ],
        unsure: false,
    },
    Case {
        name: "generated",
        before: &[T, "+t"],
        after: &[
            "+t",
            "ALTER TABLE {s}.t ADD g VARCHAR(40) AS ('g') STORED AFTER id, ADD v VARCHAR(40) AS ('v') FIRST, ADD h VARCHAR(40) INVISIBLE FIRST",
            "+t",
        ],
        unsure: false,
    },
    Case {
        name: "a hidden key",
        before: &[
            "SET SESSION sql_generate_invisible_primary_key = ON",
            "CREATE TABLE {s}.t (a VARCHAR(40), b VARCHAR(40))",
            "SET SESSION sql_generate_invisible_primary_key = OFF",
            "+t",
        ],
        after: &["+t", "ALTER TABLE {s}.t MODIFY a VARCHAR(40) AFTER b", "+t"],
        unsure: false,
    },
];

/// A change that no reader of the binlog can know of; a stream that knew the table before it can tell that there was one.
pub(super) const UNLOGGED: Case = Case {
    name: "without a trace",
    before: &[T, "+t"],
    after: &[
        "+t",
        "SET sql_log_bin = 0",
        "ALTER TABLE {s}.t CHANGE a b VARCHAR(40), CHANGE b a VARCHAR(40)",
        "SET sql_log_bin = 1",
        "+t",
    ],
    unsure: true,
};
