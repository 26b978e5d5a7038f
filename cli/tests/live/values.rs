//! Columns of all types, and values at their limits.

/// A column: its definition, and literals of its values.
pub(crate) type Column = (&'static str, &'static [&'static str]);

pub(crate) const COMMON: &[Column] = &[
    ("t TINYINT", &["-128", "127", "0", "NULL"]),
    ("tu TINYINT UNSIGNED", &["255", "0", "NULL"]),
    ("s SMALLINT", &["-32768", "32767"]),
    ("su SMALLINT UNSIGNED", &["65535", "0"]),
    ("m MEDIUMINT", &["-8388608", "8388607"]),
    ("mu MEDIUMINT UNSIGNED", &["16777215", "1"]),
    ("i INT", &["-2147483648", "2147483647"]),
    ("iu INT UNSIGNED", &["4294967295", "NULL"]),
    (
        "bi BIGINT",
        &["-9223372036854775808", "9223372036854775807"],
    ),
    (
        "bu BIGINT UNSIGNED",
        &["18446744073709551615", "9223372036854775808", "0"],
    ),
    ("z INT(8) UNSIGNED ZEROFILL", &["0", "42"]),
    (
        "d1 DECIMAL(65,30)",
        &[
            "-99999999999999999999999999999999999.999999999999999999999999999999",
            "0.000000000000000000000000000001",
            "NULL",
        ],
    ),
    ("d2 DECIMAL(5,0)", &["-99999", "0"]),
    (
        "f FLOAT",
        &[
            "3.402823466e38",
            "-1.175494351e-38",
            "0.1",
            "16777216",
            "1e-45",
            "NULL",
        ],
    ),
    (
        "d DOUBLE",
        &[
            "1.7976931348623157e308",
            "-2.2250738585072014e-308",
            "5e-324",
            "0.1",
            "0",
            "1e15",
            "123456789012345680000",
        ],
    ),
    ("dm DOUBLE(10,3)", &["1234567.891", "-0.001"]),
    ("b1 BIT(1)", &["b'1'", "b'0'"]),
    (
        "b64 BIT(64)",
        &["18446744073709551615", "9223372036854775808", "0", "NULL"],
    ),
    ("y YEAR", &["0", "1901", "2155", "NULL"]),
    (
        "da DATE",
        &[
            "'0000-00-00'",
            "'9999-12-31'",
            "'2020-02-31'",
            "'2020-00-00'",
            "'1000-01-01'",
            "NULL",
        ],
    ),
    (
        "ti TIME(6)",
        &[
            "'-838:59:59.000000'",
            "'838:59:59'",
            "'-00:00:00.000001'",
            "'00:00:00'",
            "NULL",
        ],
    ),
    ("ti0 TIME", &["'-01:02:03'", "'12:00:00'"]),
    (
        "dt DATETIME(6)",
        &[
            "'0000-00-00 00:00:00'",
            "'9999-12-31 23:59:59.999999'",
            "'2020-06-00 01:02:03.000001'",
            "NULL",
        ],
    ),
    ("dt0 DATETIME", &["'2024-02-29 12:00:00'", "NULL"]),
    (
        "ts TIMESTAMP(6) NULL",
        &[
            "'1970-01-01 00:00:01'",
            "'2038-01-19 03:14:07.999999'",
            "'0000-00-00 00:00:00'",
            "'2021-03-28 01:30:00.5'",
            "NULL",
        ],
    ),
    (
        "made TIMESTAMP(6) NOT NULL DEFAULT CURRENT_TIMESTAMP(6) ON UPDATE CURRENT_TIMESTAMP(6)",
        &["DEFAULT", "'2001-02-03 04:05:06.789'"],
    ),
    (
        "c CHAR(255) CHARACTER SET utf8mb4",
        &[
            "'plain'",
            "'\\\\ \\' \" ` \\n\\r\\t\\0 \\Z %_'",
            "REPEAT('😀', 255)",
            "''",
            "'base64:type254:AAEC'",
            "NULL",
        ],
    ),
    (
        "v VARCHAR(300) CHARACTER SET utf8mb4",
        &[
            "'trailing  '",
            "'É'",
            "'é'",
            "'e'",
            "'NULL'",
            "'-- x; DELIMITER //'",
            "NULL",
        ],
    ),
    (
        "vl VARCHAR(300) CHARACTER SET latin1",
        &["X'80818DE9FF'", "'É'", "'é'", "REPEAT('ß', 300)", "''"],
    ),
    (
        "vg VARCHAR(50) CHARACTER SET gbk",
        &["'你好\\\\'", "_gbk X'C45C'", "''"],
    ),
    (
        "vs VARCHAR(50) CHARACTER SET sjis",
        &["'表ソ'", "_sjis X'835C'"],
    ),
    ("vu VARCHAR(50) CHARACTER SET utf16", &["'a😀'", "''"]),
    ("v5 VARCHAR(50) CHARACTER SET big5", &["'許功蓋'", "NULL"]),
    ("vj VARCHAR(50) CHARACTER SET ujis", &["'丂ｱ日本'", "'a'"]),
    ("tt TINYTEXT", &["'x'", "''", "NULL"]),
    (
        "te TEXT CHARACTER SET utf8mb4",
        &["REPEAT('ü\\'\\\\\\n', 5000)", "''", "'é'", "NULL"],
    ),
    (
        "mt MEDIUMTEXT CHARACTER SET latin1",
        &["REPEAT(X'80E95C27', 60)", "''"],
    ),
    (
        "bn BINARY(8)",
        &[
            "X'00'",
            "X'0000000000000000'",
            "X'FFFE5C270A0D001A'",
            "NULL",
        ],
    ),
    (
        "vb VARBINARY(300)",
        &["X''", "X'00'", "X'2020'", "REPEAT(X'FF00', 150)", "NULL"],
    ),
    ("tb TINYBLOB", &["X'00'", "NULL"]),
    ("bl BLOB", &["REPEAT(X'005C27FF', 8000)", "X''", "X'1A'"]),
    ("lb LONGBLOB", &["X'0A'", "NULL"]),
    (
        "e ENUM('a', 'b''c', 'd,e', 'ü', '7') CHARACTER SET latin1",
        &["1", "2", "3", "4", "'7'", "NULL"],
    ),
    (
        "st SET('x', 'y', 'ž') CHARACTER SET utf8mb4",
        &["0", "1", "5", "7", "NULL"],
    ),
    (
        "g GEOMETRY",
        &[
            "ST_GeomFromText('POINT(1 2)')",
            "ST_GeomFromText('POLYGON((0 0,0 5,5 5,0 0))')",
            "ST_GeomFromText('LINESTRING(0 0,1e300 -1)', 0)",
            "NULL",
        ],
    ),
];

pub(crate) const MYSQL: &[Column] = &[
    (
        "j JSON",
        &[
            "'null'",
            "'{\"b\": [1, -2.5, 1e100, true, null, \"x\\\\ny\"], \"a\": {\"é\": 18446744073709551615}}'",
            "'1.0'",
            "'1'",
            "'\"\\'\"'",
            "'-0.0'",
            "NULL",
        ],
    ),
    (
        "ve VECTOR(3)",
        &["STRING_TO_VECTOR('[1,-2.5,3e38]')", "NULL"],
    ),
    (
        "p POINT SRID 4326",
        &["ST_GeomFromText('POINT(60 20)', 4326)", "NULL"],
    ),
    ("dz DOUBLE", &["-0e0", "0e0"]),
    ("fz FLOAT", &["-0e0", "0e0"]),
    (
        "ci VARCHAR(20) CHARACTER SET utf8mb4 COLLATE utf8mb4_0900_ai_ci INVISIBLE DEFAULT 'dflt'",
        &["'A'", "'a'", "'á'", "DEFAULT"],
    ),
];

pub(crate) const MARIADB: &[Column] = &[
    (
        "j JSON",
        &[
            "'{\"b\": 1.50}'",
            "'null'",
            "'\"base64:type245:BAA=\"'",
            "NULL",
        ],
    ),
    (
        "u UUID",
        &[
            "'01234567-89ab-4def-8123-456789abcdef'",
            "'01234567-89ab-1def-0123-456789abcdef'",
            "'ffffffff-ffff-ffff-ffff-ffffffffffff'",
            "'00000000-0000-0000-0000-000000000000'",
            "NULL",
        ],
    ),
    ("i6 INET6", &["'2001:db8::1'", "'::ffff:1.2.3.4'", "NULL"]),
    (
        "vz VARCHAR(300) COMPRESSED CHARACTER SET utf8mb4",
        &["REPEAT('ż', 250)", "''", "NULL"],
    ),
    ("dz DOUBLE", &["-0e0", "0e0"]),
    ("fz FLOAT", &["-0e0", "0e0"]),
    ("bz BLOB COMPRESSED", &["REPEAT(X'00FF', 300)", "NULL"]),
];
