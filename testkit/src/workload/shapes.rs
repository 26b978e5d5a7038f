//! The tables: each has a shape that a decoder may get wrong.

use super::generate::Gen;
use crate::schema::quoted;

/// A column that statements give values to.
#[derive(Debug, Clone)]
pub(super) struct Col {
    pub(super) name: String,
    definition: String,
    pub(super) values: Gen,
    pub(super) key: bool,
}

/// A table and how busy it is.
#[derive(Debug, Clone)]
pub(super) struct Shape {
    pub(super) schema: String,
    pub(super) name: String,
    pub(super) columns: Vec<Col>,
    /// Columns that fill themselves, keys and options, in SQL.
    rest: String,
    options: String,
    before: String,
    /// May columns be added to it?
    pub(super) grows: bool,
    /// How many rows an INSERT has at most.
    pub(super) rows: u64,
}

impl Shape {
    fn new(name: &str) -> Shape {
        Shape {
            schema: "shop".to_owned(),
            name: name.to_owned(),
            columns: Vec::new(),
            rest: String::new(),
            options: String::new(),
            before: String::new(),
            grows: false,
            rows: 12,
        }
    }

    fn col(mut self, name: &str, definition: &str, values: Gen) -> Shape {
        let column = Col {
            name: name.to_owned(),
            definition: definition.to_owned(),
            values,
            key: false,
        };
        self.columns.push(column);
        self
    }

    fn key(mut self, name: &str, definition: &str, values: Gen) -> Shape {
        self = self.col(name, &format!("{definition} NOT NULL"), values);
        if let Some(column) = self.columns.last_mut() {
            column.key = true;
        }
        self
    }

    fn rest(mut self, sql: &str) -> Shape {
        self.rest = format!(", {sql}");
        self
    }

    fn id(self) -> Shape {
        self.key("id", "BIGINT", Gen::Serial)
    }

    /// The table's name in SQL.
    pub(super) fn sql_name(&self) -> String {
        format!("{}.{}", quoted(&self.schema), quoted(&self.name))
    }

    /// Statements that create it.
    pub(super) fn create(&self) -> Vec<String> {
        let mut parts: Vec<String> = self
            .columns
            .iter()
            .map(|column| format!("{} {}", quoted(&column.name), column.definition))
            .collect();
        let keys: Vec<String> = self
            .columns
            .iter()
            .filter(|column| column.key)
            .map(|column| quoted(&column.name))
            .collect();
        if !keys.is_empty() {
            parts.push(format!("PRIMARY KEY ({})", keys.join(", ")));
        }
        parts.push("KEY (`n`)".to_owned());
        let create = format!(
            "CREATE TABLE {} ({}{}) {}",
            self.sql_name(),
            parts.join(", "),
            self.rest,
            self.options
        );
        [self.before.clone(), create]
            .into_iter()
            .filter(|sql| !sql.is_empty())
            .collect()
    }
}

fn labels(prefix: &str, count: usize) -> String {
    (0..count)
        .map(|n| format!("'{prefix}{n}é'"))
        .collect::<Vec<_>>()
        .join(",")
}

/// All tables. Each has a column `n` that statements find rows by.
pub(super) fn shapes() -> Vec<Shape> {
    let group = |shape: Shape| shape.col("n", "INT NOT NULL", Gen::Group);
    let text = |name: &str, charset: &str, collation: &str, set: &'static str| {
        group(Shape::new(name).key(
            "k",
            &format!("VARCHAR(60) CHARACTER SET {charset} COLLATE {collation}"),
            Gen::Key(set),
        ))
        .col(
            "v",
            &format!("VARCHAR(80) CHARACTER SET {charset} COLLATE {collation}"),
            Gen::Text(set, 80),
        )
    };
    let mut shapes = vec![
        // The busiest ones: small rows.
        Shape { rows: 60, grows: true, ..group(Shape::new("orders").id()).col("amount", "DECIMAL(12,2)", Gen::Decimal(12, 2)).col("note", "VARCHAR(100)", Gen::Text("utf8mb4", 100)) },
        Shape { rows: 60, grows: true, ..group(Shape::new("items").key("a", "INT", Gen::Serial).key("b", "SMALLINT UNSIGNED", Gen::Int(0, 65_535)).key("c", "VARCHAR(40)", Gen::Key("utf8mb4"))).col("v", "INT", Gen::Int(-9, 9)) },
        Shape { rows: 30, ..group(Shape::new("keyless")).col("i", "INT", Gen::Int(0, 3)).col("t", "VARCHAR(10)", Gen::Text("utf8mb4", 10)) },
        group(Shape::new("keyless_kinds")).col("f", "FLOAT", Gen::Float).col("j", "JSON", Gen::Json).col("b", "VARBINARY(20)", Gen::Binary(20)).col("t", "TIMESTAMP(3) NULL", Gen::Timestamp(3)),
        text("text_ai_ci", "utf8mb4", "utf8mb4_0900_ai_ci", "utf8mb4"),
        text("text_bin", "utf8mb4", "utf8mb4_bin", "utf8mb4"),
        text("text_latin1", "latin1", "latin1_german1_ci", "latin1"),
        text("text_ascii", "ascii", "ascii_general_ci", "ascii"),
        group(Shape::new("uuids").key("id", "BINARY(16)", Gen::Uuid)).col("b", "BINARY(255)", Gen::Binary(255)).col("vb", "VARBINARY(300)", Gen::Binary(300)),
        Shape { grows: true, ..group(Shape::new("ints").id())
            .col("t", "TINYINT", Gen::Int(-128, 127)).col("tu", "TINYINT UNSIGNED", Gen::Int(0, 255))
            .col("s", "SMALLINT", Gen::Int(-32_768, 32_767)).col("su", "SMALLINT UNSIGNED", Gen::Int(0, 65_535))
            .col("m", "MEDIUMINT", Gen::Int(-8_388_608, 8_388_607)).col("mu", "MEDIUMINT UNSIGNED", Gen::Int(0, 16_777_215))
            .col("i", "INT", Gen::Int(-2_147_483_648, 2_147_483_647)).col("iu", "INT UNSIGNED", Gen::Int(0, 4_294_967_295))
            .col("b", "BIGINT", Gen::Int(i64::MIN.into(), i64::MAX.into())).col("bu", "BIGINT UNSIGNED", Gen::Int(0, u64::MAX.into()))
            .col("z", "INT(8) UNSIGNED ZEROFILL", Gen::Int(0, 99)).col("flag", "BOOL", Gen::Int(0, 1)) },
        group(Shape::new("numbers").id())
            .col("d1", "DECIMAL(65,30)", Gen::Decimal(65, 30)).col("d2", "DECIMAL(5,0)", Gen::Decimal(5, 0)).col("d3", "DECIMAL(30,30)", Gen::Decimal(30, 30))
            .col("d4", "DECIMAL(10,3) UNSIGNED", Gen::Decimal(10, 3)).col("f", "FLOAT", Gen::Float).col("d", "DOUBLE", Gen::Double).col("fu", "FLOAT UNSIGNED", Gen::Float),
        group(Shape::new("temporals").id())
            .col("d", "DATE", Gen::Date).col("y", "YEAR", Gen::Year)
            .col("t0", "TIME", Gen::Time(0)).col("t1", "TIME(1)", Gen::Time(1)).col("t2", "TIME(2)", Gen::Time(2)).col("t3", "TIME(3)", Gen::Time(3)).col("t4", "TIME(4)", Gen::Time(4)).col("t5", "TIME(5)", Gen::Time(5)).col("t6", "TIME(6)", Gen::Time(6))
            .col("dt0", "DATETIME", Gen::DateTime(0)).col("dt1", "DATETIME(1)", Gen::DateTime(1)).col("dt2", "DATETIME(2)", Gen::DateTime(2)).col("dt3", "DATETIME(3)", Gen::DateTime(3)).col("dt4", "DATETIME(4)", Gen::DateTime(4)).col("dt5", "DATETIME(5)", Gen::DateTime(5)).col("dt6", "DATETIME(6)", Gen::DateTime(6))
            .col("ts0", "TIMESTAMP NULL", Gen::Timestamp(0)).col("ts1", "TIMESTAMP(1) NULL", Gen::Timestamp(1)).col("ts2", "TIMESTAMP(2) NULL", Gen::Timestamp(2)).col("ts3", "TIMESTAMP(3) NULL", Gen::Timestamp(3)).col("ts4", "TIMESTAMP(4) NULL", Gen::Timestamp(4)).col("ts5", "TIMESTAMP(5) NULL", Gen::Timestamp(5)).col("ts6", "TIMESTAMP(6) NULL", Gen::Timestamp(6))
            .rest("`made` TIMESTAMP(6) NOT NULL DEFAULT CURRENT_TIMESTAMP(6) ON UPDATE CURRENT_TIMESTAMP(6)"),
        group(Shape::new("charsets").id())
            .col("c_latin1", "CHAR(30) CHARACTER SET latin1", Gen::Text("latin1", 30)).col("v_gbk", "VARCHAR(50) CHARACTER SET gbk", Gen::Text("gbk", 50))
            .col("v_utf16", "VARCHAR(50) CHARACTER SET utf16", Gen::Text("utf16", 50)).col("t_gbk", "TEXT CHARACTER SET gbk", Gen::Text("gbk", 200))
            .col("c_utf8mb4", "CHAR(255)", Gen::Text("utf8mb4", 255)).col("t_utf16", "MEDIUMTEXT CHARACTER SET utf16", Gen::Text("utf16", 100)),
        group(Shape::new("texts").id())
            .col("tt", "TINYTEXT", Gen::Text("utf8mb4", 60)).col("t", "TEXT", Gen::Text("utf8mb4", 3000)).col("mt", "MEDIUMTEXT CHARACTER SET latin1", Gen::Text("latin1", 500)).col("lt", "LONGTEXT", Gen::Text("utf8mb4", 300)),
        Shape { rows: 4, ..group(Shape::new("blobs").id()).col("tb", "TINYBLOB", Gen::Binary(255)).col("b", "BLOB", Gen::Binary(400)).col("mb", "MEDIUMBLOB", Gen::Blob).col("lb", "LONGBLOB", Gen::Blob) },
        group(Shape::new("choices").id())
            .col("small", "ENUM('a','b''c','d,e','')", Gen::Enum(4)).col("big", &format!("ENUM({})", labels("label", 300)), Gen::Enum(300))
            .col("s8", "SET('x','y','z')", Gen::Set(3)).col("s64", &format!("SET({})", labels("s", 64)), Gen::Set(64)).col("latin", "ENUM('ä','ö') CHARACTER SET latin1", Gen::Enum(2)),
        group(Shape::new("bits").id()).col("b1", "BIT(1)", Gen::Bits(1)).col("b7", "BIT(7)", Gen::Bits(7)).col("b12", "BIT(12)", Gen::Bits(12)).col("b33", "BIT(33)", Gen::Bits(33)).col("b64", "BIT(64)", Gen::Bits(64)),
        Shape { rows: 6, ..group(Shape::new("docs").id()).col("j", "JSON", Gen::Json).col("k", "JSON", Gen::Json) },
        // mysqlbinlog cannot print GEOMETRY: nothing but INT and BIGINT beside it.
        group(Shape::new("points").id()).col("p", "POINT SRID 4326", Gen::Point),
        group(Shape::new("shapes").id()).col("g", "GEOMETRY", Gen::Geometry).col("q", "POINT", Gen::Point),
        Shape { rows: 5, ..group(Shape::new("vectors").id()).col("v", "VECTOR(3)", Gen::Vector(3)).col("w", "VECTOR(64)", Gen::Vector(64)) },
        group(Shape::new("generated").id()).col("a", "INT", Gen::Int(-1000, 1000)).col("t", "VARCHAR(20)", Gen::Text("utf8mb4", 20))
            .rest("`twice` INT GENERATED ALWAYS AS (`a` * 2) STORED, `shout` VARCHAR(60) GENERATED ALWAYS AS (CONCAT(`t`, '!')) VIRTUAL, `neg` BIGINT AS (-`a`) VIRTUAL, KEY (`neg`)"),
        group(Shape::new("invisible").id()).col("seen", "INT", Gen::Int(0, 9)).col("unseen", "VARCHAR(20) INVISIBLE", Gen::Text("utf8mb4", 20)),
        Shape { before: "SET SESSION sql_generate_invisible_primary_key = ON".to_owned(), ..group(Shape::new("gipk")).col("v", "VARCHAR(30)", Gen::Text("utf8mb4", 30)) },
        Shape { options: "PARTITION BY HASH (`id`) PARTITIONS 4".to_owned(), ..group(Shape::new("parted").id()).col("v", "INT", Gen::Int(0, 9)) },
        Shape { options: "PARTITION BY RANGE (`r`) (PARTITION p0 VALUES LESS THAN (0), PARTITION p1 VALUES LESS THAN (500), PARTITION p2 VALUES LESS THAN MAXVALUE)".to_owned(),
            ..group(Shape::new("ranged").id().key("r", "INT", Gen::Int(-1000, 1000))).col("v", "DATE", Gen::Date) },
        Shape { schema: "we.ird".to_owned(), ..group(Shape::new("dot.ted").id()).col("a.b", "INT", Gen::Int(0, 9)).col("c`d", "VARCHAR(9)", Gen::Text("utf8mb4", 9)) },
        Shape { schema: "we.ird".to_owned(), ..group(Shape::new("таблица 表").id()).col("столбец", "VARCHAR(30)", Gen::Text("utf8mb4", 30)).col("select", "INT", Gen::Int(0, 9)) },
        Shape { schema: "we.ird".to_owned(), ..group(Shape::new("back`tick's").id()).col("\"q\"", "INT", Gen::Int(0, 9)) },
    ];
    let mut wide = group(Shape::new("wide").id());
    for n in 0..58 {
        let (definition, values) = match n % 6 {
            0 => ("INT", Gen::Int(-5, 5)),
            1 => ("VARCHAR(20)", Gen::Text("utf8mb4", 20)),
            2 => ("DECIMAL(9,4)", Gen::Decimal(9, 4)),
            3 => ("DATETIME(2)", Gen::DateTime(2)),
            4 => ("TINYINT UNSIGNED", Gen::Int(0, 255)),
            _ => ("CHAR(3) CHARACTER SET latin1", Gen::Text("latin1", 3)),
        };
        wide = wide.col(&format!("c{n}"), definition, values);
    }
    shapes.push(Shape { rows: 5, ..wide });
    shapes
}
