use super::*;

fn column(name: &str, column_type: &str, pk: Option<u16>) -> Column {
    Column {
        name: name.to_owned(),
        column_type: column_type.to_owned(),
        charset: None,
        nullable: pk.is_none(),
        pk,
        members: None,
        generated: Some(false),
        invisible: false,
    }
}

fn abc() -> Vec<Column> {
    vec![
        column("a", "int", Some(1)),
        column("b", "int", Some(2)),
        column("c", "int", None),
    ]
}

/// The names after an ALTER TABLE of `abc`, the key's with their place.
fn altered(clauses: &str) -> Option<Vec<String>> {
    let sql = format!("ALTER TABLE t {clauses}");
    let Some(Change::Alter(_, edits, _)) = read(&sql, Some(0), "d") else {
        return None;
    };
    let names = apply(&abc(), &edits)?.into_iter().map(|column| {
        let place = column.pk.map(|place| place.to_string());
        assert!(column.pk.is_none() || !column.nullable);
        format!("{}{}", column.name, place.unwrap_or_default())
    });
    Some(names.collect())
}

#[test]
fn clauses() {
    for (clauses, expected) in [
        ("ADD d INT", &["a1", "b2", "c", "d"][..]),
        (
            "ADD COLUMN d INT FIRST, ADD e INT AFTER d",
            &["d", "e", "a1", "b2", "c"],
        ),
        ("ADD (d INT, e INT NOT NULL)", &["a1", "b2", "c", "d", "e"]),
        ("DROP a", &["b1", "c"]),
        ("DROP COLUMN `B` CASCADE, ADD b INT", &["a1", "c", "b"]),
        ("CHANGE a x INT", &["x1", "b2", "c"]),
        ("CHANGE a b INT, CHANGE b a INT", &["b1", "a2", "c"]),
        (
            "RENAME COLUMN a TO b, RENAME COLUMN b TO a",
            &["b1", "a2", "c"],
        ),
        (
            "MODIFY a INT AFTER c, MODIFY b INT FIRST",
            &["b2", "c", "a1"],
        ),
        (
            "MODIFY COLUMN c BIGINT UNSIGNED NOT NULL DEFAULT '1' COMMENT 'x, y' FIRST",
            &["c", "a1", "b2"],
        ),
        (
            "DROP PRIMARY KEY, ADD CONSTRAINT x PRIMARY KEY USING BTREE (c(1) DESC, A)",
            &["a2", "b", "c1"],
        ),
        (
            "DROP KEY `PRIMARY`, MODIFY c INT PRIMARY KEY",
            &["a", "b", "c1"],
        ),
        (
            "ADD INDEX (c), ADD UNIQUE KEY x (a, b), DROP FOREIGN KEY f, ENGINE=InnoDB, ALGORITHM=INPLACE",
            &["a1", "b2", "c"],
        ),
        (
            "ADD d INT AS (a + 1) STORED, ALTER c SET DEFAULT 7, ALTER INDEX i INVISIBLE",
            &["a1", "b2", "c", "d"],
        ),
        (
            "ADD d INT REFERENCES u (x) ON DELETE SET NULL ON UPDATE CASCADE FIRST",
            &["d", "a1", "b2", "c"],
        ),
        (
            "ADD d DECIMAL(5,2) DEFAULT -1.5 CHECK (d > 0), ADD e TIMESTAMP(3) DEFAULT CURRENT_TIMESTAMP(3) ON UPDATE CURRENT_TIMESTAMP(3)",
            &["a1", "b2", "c", "d", "e"],
        ),
        (
            "ADD d VARCHAR(9) CHARACTER SET latin1 COLLATE latin1_bin DEFAULT _utf8mb4'x' 'y', PARTITION BY HASH (a)",
            &["a1", "b2", "c", "d"],
        ),
        ("EXCHANGE PARTITION p WITH TABLE u", &["a1", "b2", "c"]),
    ] {
        let expected: Vec<String> = expected.iter().map(ToString::to_string).collect();
        assert_eq!(altered(clauses), Some(expected), "{clauses}");
    }
}

#[test]
fn what_is_not_certain() {
    for clauses in [
        "DROP x",
        "ADD a INT",
        "ADD d INT AFTER x",
        "ADD d INT AFTER b, CHANGE b x INT",
        "RENAME COLUMN a TO x, ADD d INT AFTER a",
        "DROP a, MODIFY a INT",
        "MODIFY a INT AFTER c, MODIFY c INT FIRST",
        "ADD PRIMARY KEY (c)",
        "DROP CONSTRAINT x",
        "ADD d SERIAL",
        "ADD d FROB",
        "ADD d INT FROBBED",
        "ADD d VARCHAR(9) CHARACTER SET binary",
        "ADD SYSTEM VERSIONING",
        "ADD COLUMN IF NOT EXISTS d INT",
        "ORDER BY a, b",
        "DROP a, DROP b, DROP c",
        "/*M!100100 DROP a */",
        "/* 99999 ADD x INT, /* y */ DROP a */",
        "WITH SYSTEM VERSIONING",
        "ADD d INT DEFAULT 'x",
    ] {
        assert_eq!(altered(clauses), None, "{clauses}");
    }
}

#[test]
fn new_tables() {
    let sql = "CREATE TABLE `t` (\n `id` BIGINT(20) UNSIGNED NOT NULL AUTO_INCREMENT,\n e ENUM('x ', 'it''s') DEFAULT 'x',\n\
               d DATETIME(0), s CHAR CHARSET latin1, PRIMARY KEY (`id`), KEY (e), CONSTRAINT CHECK (id > 1)\n) \
               ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COMMENT='a, b' START TRANSACTION";
    let Some(Change::Create(name, columns)) = read(sql, Some(0), "d") else {
        panic!("{:?}", read(sql, Some(0), "d"));
    };
    assert_eq!(name, ("d".to_owned(), "t".to_owned()));
    let expected = [
        column("id", "bigint unsigned", Some(1)),
        Column {
            members: Some(vec!["x".to_owned(), "it's".to_owned()]),
            ..column("e", "enum('x','it''s')", None)
        },
        column("d", "datetime", None),
        Column {
            charset: Some("latin1".to_owned()),
            ..column("s", "char(1)", None)
        },
    ];
    assert_eq!(columns, expected);
    for sql in [
        "CREATE TABLE IF NOT EXISTS t (a INT)",
        "CREATE TABLE t (a INT) SELECT 1 AS b",
        "CREATE TABLE t SELECT 1 AS b",
        "CREATE TEMPORARY TABLE t (a INT)",
        "CREATE TABLE t (a INT, A INT)",
        "CREATE TABLE t (a INT",
        "DROP TABLE t",
    ] {
        assert_eq!(read(sql, Some(0), "d"), None, "{sql}");
    }
}

#[test]
fn names_in_lower_case() {
    let lower = |sql: &str| read(sql, Some(0), "D")?.in_lower_case();
    let name = |schema: &str, table: &str| (schema.to_owned(), table.to_owned());
    assert_eq!(
        lower("RENAME TABLE T TO E.ü, d.`U` TO t"),
        Some(Change::Rename(vec![
            (name("d", "t"), name("e", "ü")),
            (name("d", "u"), name("d", "t")),
        ]))
    );
    assert_eq!(
        lower("ALTER TABLE T DROP A, RENAME TO U"),
        Some(Change::Alter(
            name("d", "t"),
            vec![Edit::Drop("A".to_owned())],
            Some(name("d", "u"))
        ))
    );
    // How a server folds this one depends on its version.
    assert_eq!(lower("CREATE TABLE \u{212A} LIKE t"), None);
}

#[test]
fn other_names() {
    let name = |schema: &str, table: &str| (schema.to_owned(), table.to_owned());
    assert_eq!(
        read("RENAME TABLE t TO e.u, `u` TO t;", Some(0), "d"),
        Some(Change::Rename(vec![
            (name("d", "t"), name("e", "u")),
            (name("d", "u"), name("d", "t")),
        ]))
    );
    assert_eq!(
        read("CREATE TABLE t LIKE u", Some(0), "d"),
        Some(Change::Like(name("d", "t"), name("d", "u")))
    );
    assert_eq!(
        read("ALTER TABLE t RENAME TO u", Some(0), "d"),
        Some(Change::Alter(name("d", "t"), vec![], Some(name("d", "u"))))
    );
}
