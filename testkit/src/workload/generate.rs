//! Random values as SQL literals, from a seed.

use std::fmt::Write;
use std::sync::atomic::{AtomicU64, Ordering};

/// xorshift64*: the same seed gives the same numbers everywhere.
#[derive(Debug, Clone)]
pub struct Rng(u64);

impl Rng {
    /// Seeded; neighbouring seeds give unlike numbers.
    #[must_use]
    pub fn new(seed: u64) -> Rng {
        let mut z = seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        Rng((z ^ (z >> 31)) | 1)
    }

    /// The next 64 bits.
    pub fn word(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    /// Below `bound`, which is not 0.
    pub fn below(&mut self, bound: u64) -> u64 {
        self.word() % bound
    }

    /// True in `percent` of 100 cases.
    pub fn chance(&mut self, percent: u64) -> bool {
        self.below(100) < percent
    }

    /// One of `values`, of which there is at least one.
    pub fn pick<T: Copy>(&mut self, values: &[T]) -> T {
        values[self.below(values.len() as u64) as usize]
    }

    fn bytes(&mut self, count: u64) -> Vec<u8> {
        let mut bytes: Vec<u8> = (0..count).map(|_| (self.word() >> 32) as u8).collect();
        // Trailing zeros and low bytes are where decoders go wrong.
        if self.chance(20) {
            bytes.iter_mut().rev().take(2).for_each(|byte| *byte = 0);
        }
        bytes
    }
}

/// How the values of a column are made.
#[derive(Debug, Clone)]
pub(super) enum Gen {
    /// A number never used before.
    Serial,
    /// 16 bytes never used before.
    Uuid,
    /// Text never used before, with letters that collations fold, made for this character set.
    Key(&'static str),
    /// What rows are found by: one of a few numbers.
    Group,
    /// An integer from a range whose ends are drawn often.
    Int(i128, i128),
    /// BIT of this width.
    Bits(u32),
    /// DECIMAL(precision, scale).
    Decimal(u64, u64),
    /// FLOAT
    Float,
    /// DOUBLE
    Double,
    /// DATE, zero and partial ones too.
    Date,
    /// TIME with fractional digits, negative ones too.
    Time(u32),
    /// DATETIME with fractional digits, zero ones too.
    DateTime(u32),
    /// TIMESTAMP with fractional digits, zero ones too.
    Timestamp(u32),
    /// YEAR, 0 too.
    Year,
    /// Text in a character set, of at most so many characters.
    Text(&'static str, u64),
    /// Binary, of at most so many bytes.
    Binary(u64),
    /// Binary, short mostly, up to 1 MB now and then.
    Blob,
    /// An ENUM of so many labels, the invalid one too.
    Enum(u64),
    /// A SET of so many labels.
    Set(u32),
    /// A JSON document, nested.
    Json,
    /// A POINT.
    Point,
    /// A POLYGON, in two spatial reference systems.
    Geometry,
    /// A VECTOR of so many dimensions.
    Vector(u64),
}

/// Source of all that is never used before.
pub(super) static SERIAL: AtomicU64 = AtomicU64::new(1);

/// The number of groups that rows of a table are spread over.
pub(super) const GROUPS: u64 = 97;

const MEGABYTE: u64 = 1 << 20;

/// Strings of a character set: few, so that each is converted once when results are checked.
fn text(rng: &mut Rng, charset: &str, max: u64) -> String {
    let letters: &[&str] = match charset {
        "latin1" => &["a", "Z", "é", "ß", "ÿ", "€", "Ž", "'", "\\\\", " ", "0"],
        "gbk" => &["a", "中", "文", "龍", "嬭", "\\\\", "丂", "誠", "x", "€"],
        "utf16" => &["a", "é", "中", "😀", "𝄞", "'", " ", "\u{ffff}"],
        _ => &[
            "a", "é", "中", "😀", "'", "\\\\", "\"", "\\n", "\\0", "\\t", "/* x */", " ", "\u{1}",
            "%", "\u{7f}", "\\\\x0a",
        ],
    };
    let mut pool = Rng::new(rng.below(150).wrapping_mul(max) ^ charset.len() as u64);
    let count = pool.below(max + 1).min(if max > 1000 { 2000 } else { 40 });
    let mut out = String::new();
    let mut length = 0;
    for _ in 0..count {
        let letter = letters[pool.below(letters.len() as u64) as usize];
        // Escapes are longer here than in the column.
        length += letter.chars().count() as u64;
        if length <= max {
            out.push_str(letter);
        }
    }
    out.replace('\'', "''")
}

impl Gen {
    /// A literal of this kind.
    pub(super) fn literal(&self, rng: &mut Rng, out: &mut String) {
        let done = match self {
            Gen::Serial => write!(out, "{}", SERIAL.fetch_add(1, Ordering::Relaxed)),
            Gen::Uuid => {
                let serial = SERIAL.fetch_add(1, Ordering::Relaxed);
                // Ends in zeros half of the time.
                write!(
                    out,
                    "X'{serial:016x}{:016x}'",
                    if rng.chance(50) { 0 } else { rng.word() }
                )
            }
            Gen::Key(charset) => {
                let serial = SERIAL.fetch_add(1, Ordering::Relaxed);
                let letter = match *charset {
                    "latin1" => ["É", "ß", "a", "'' "][rng.below(4) as usize],
                    "ascii" => ["a", "B", "|", "\\\\"][rng.below(4) as usize],
                    _ => ["É", "ß", "😀", "中|"][rng.below(4) as usize],
                };
                write!(out, "'{letter}{serial}{letter}x'")
            }
            Gen::Group => write!(out, "{}", rng.below(GROUPS)),
            Gen::Int(low, high) => {
                let value = match rng.below(10) {
                    0 => *low,
                    1 => *high,
                    2 => (*low).max(-1),
                    3 => 0.max(*low),
                    _ => low + i128::from(rng.word()) % (high - low + 1),
                };
                write!(out, "{value}")
            }
            Gen::Bits(width) => write!(out, "{}", rng.word() >> (64 - width)),
            Gen::Decimal(precision, scale) => {
                let sign = if rng.chance(50) { "-" } else { "" };
                let digits = |rng: &mut Rng, count: u64| {
                    let fill = if rng.chance(10) { Some('9') } else { None };
                    (0..count)
                        .map(|_| fill.unwrap_or((b'0' + rng.below(10) as u8) as char))
                        .collect::<String>()
                };
                let kept = rng.below(precision - scale + 1);
                write!(out, "{sign}0{}.{}0", digits(rng, kept), digits(rng, *scale))
            }
            Gen::Float => {
                let exponent = rng.below(60) as i64 - 30;
                write!(
                    out,
                    "{}e{exponent}",
                    (rng.word() >> 40) as f64 / 8_388_608.0 - 1.0
                )
            }
            Gen::Double => {
                let exponent = rng.below(500) as i64 - 250;
                write!(
                    out,
                    "{}e{exponent}",
                    (rng.word() >> 11) as f64 / 4_503_599_627_370_496.0 - 1.0
                )
            }
            Gen::Date => match rng.below(12) {
                0 => write!(out, "'0000-00-00'"),
                1 => write!(out, "'20{:02}-00-00'", rng.below(100)),
                2 => write!(out, "'9999-12-31'"),
                _ => write!(out, "'{}'", date(rng)),
            },
            Gen::Time(digits) => {
                let sign = if rng.chance(40) { "-" } else { "" };
                write!(
                    out,
                    "'{sign}{:02}:{}'",
                    rng.below(839),
                    clock(rng, *digits, false)
                )
            }
            Gen::DateTime(digits) => match rng.below(12) {
                0 => write!(out, "'0000-00-00 00:00:00'"),
                1 => write!(out, "'1000-01-01 {}'", clock(rng, *digits, true)),
                _ => write!(out, "'{} {}'", date(rng), clock(rng, *digits, true)),
            },
            Gen::Timestamp(digits) => match rng.below(12) {
                0 => write!(out, "'0000-00-00 00:00:00'"),
                _ => write!(
                    out,
                    "'{}-0{}-1{} {}'",
                    1971 + rng.below(66),
                    1 + rng.below(9),
                    rng.below(10),
                    clock(rng, *digits, true)
                ),
            },
            Gen::Year => match rng.below(10) {
                0 => write!(out, "0"),
                _ => write!(out, "{}", 1901 + rng.below(255)),
            },
            Gen::Text(charset, max) => write!(out, "'{}'", text(rng, charset, *max)),
            Gen::Binary(max) => {
                let count = rng.below(max + 1);
                hex(&rng.bytes(count), out)
            }
            Gen::Blob => match rng.below(2000) {
                0 => {
                    let chunk = rng.bytes(61);
                    out.push_str("REPEAT(");
                    hex(&chunk, out).and_then(|()| write!(out, ", {})", rng.below(MEGABYTE) / 61))
                }
                1..40 => {
                    let count = rng.below(9000);
                    hex(&rng.bytes(count), out)
                }
                _ => {
                    let count = rng.below(200);
                    hex(&rng.bytes(count), out)
                }
            },
            Gen::Enum(labels) => match rng.below(20) {
                0 => write!(out, "'no such label'"),
                _ => write!(out, "{}", 1 + rng.below(*labels)),
            },
            Gen::Set(labels) => write!(out, "{}", (rng.word() & rng.word()) >> (64 - labels)),
            Gen::Json => {
                // NULL and JSON's null are one in an image, so only NULL comes up.
                if rng.chance(4) {
                    write!(
                        out,
                        "JSON_ARRAY(CAST('20{:02}-02-03' AS DATE), CAST('11:12:13.5' AS TIME(1)), CAST({}.50 AS DECIMAL(10, 2)), CAST('2020-01-02 03:04:05.000006' AS DATETIME(6)), CAST(X'00ff5c27' AS BINARY), b'1')",
                        rng.below(99),
                        rng.below(1000)
                    )
                } else {
                    out.push('\'');
                    json(rng, 0, out);
                    out.push('\'');
                    Ok(())
                }
            }
            Gen::Point => write!(
                out,
                "ST_GeomFromText('POINT({} {})', 4326)",
                rng.below(90),
                rng.below(180)
            ),
            Gen::Geometry => match rng.below(3) {
                0 => {
                    let side = 1 + rng.below(1000);
                    write!(
                        out,
                        "ST_GeomFromText('POLYGON((0 0,{side} 0,{side} {side},0 {side},0 0),(0.25 0.25,0.5 0.25,0.5 0.5,0.25 0.25))')"
                    )
                }
                1 => write!(
                    out,
                    "ST_GeomFromText('LINESTRING(0 0,{} 0.1,2 -3)')",
                    rng.below(50)
                ),
                _ => write!(
                    out,
                    "ST_GeomFromText('MULTIPOINT(1 {},2 3)', 3857)",
                    rng.below(50)
                ),
            },
            Gen::Vector(dimensions) => {
                out.push_str("TO_VECTOR('[");
                for n in 0..*dimensions {
                    write!(
                        out,
                        "{}{}",
                        if n == 0 { "" } else { "," },
                        (rng.word() >> 40) as f64 / 4096.0 - 1000.0
                    )
                    .ok();
                }
                write!(out, "]')")
            }
        };
        done.expect("writing to a string");
    }
}

fn hex(bytes: &[u8], out: &mut String) -> std::fmt::Result {
    out.push_str("X'");
    bytes
        .iter()
        .try_for_each(|byte| write!(out, "{byte:02x}"))?;
    out.push('\'');
    Ok(())
}

fn date(rng: &mut Rng) -> String {
    format!(
        "{:04}-{:02}-{:02}",
        1000 + rng.below(9000),
        1 + rng.below(12),
        1 + rng.below(28)
    )
}

fn clock(rng: &mut Rng, digits: u32, with_hour: bool) -> String {
    let hour = if with_hour {
        format!("{:02}:", rng.below(24))
    } else {
        String::new()
    };
    let mut text = format!("{hour}{:02}:{:02}", rng.below(60), rng.below(60));
    if digits > 0 {
        let fraction = rng.below(10_u64.pow(digits));
        write!(text, ".{fraction:0width$}", width = digits as usize).expect("writing to a string");
    }
    text
}

/// A JSON document inside an SQL string.
fn json(rng: &mut Rng, depth: u64, out: &mut String) {
    let kind = if depth == 0 {
        7 + rng.below(2)
    } else {
        rng.below(if depth > 4 { 7 } else { 9 })
    };
    let done = match kind {
        0 => write!(out, "{}", ["true", "false", "null"][rng.below(3) as usize]),
        1 => write!(
            out,
            "{}",
            [0, -1, i64::MIN, i64::MAX, 32_767, 32_768, 65_536][rng.below(7) as usize]
        ),
        2 => write!(
            out,
            "{}",
            [u64::MAX, 1 << 63, 65_535, 4_294_967_296][rng.below(4) as usize]
        ),
        3 => write!(
            out,
            "{}",
            [
                "1.0",
                "-0.0",
                "1e100",
                "0.1",
                "5e-324",
                "1.7976931348623157e308",
                "123456.789"
            ][rng.below(7) as usize]
        ),
        4 => write!(out, "{}.{}", rng.below(1000), rng.word()),
        5 | 6 => write!(
            out,
            "\"{}\"",
            [
                "",
                "é中😀",
                "\\\\\"",
                "\\\\\\\\",
                "\\\\n\\\\t\\\\u0001",
                "''",
                "base64:type15:YQ=="
            ][rng.below(7) as usize]
        )
        .and_then(|()| {
            if rng.chance(3) {
                out.pop();
                write!(out, "{}\"", "long ".repeat(rng.below(300) as usize))
            } else {
                Ok(())
            }
        }),
        7 => {
            let count = if rng.chance(1) { 8000 } else { rng.below(6) };
            out.push('[');
            for n in 0..count {
                out.push_str(if n == 0 { "" } else { "," });
                if count > 100 {
                    write!(out, "{}", rng.word() >> 32).expect("writing to a string")
                } else {
                    json(rng, depth + 1, out)
                }
            }
            write!(out, "]")
        }
        _ => {
            out.push('{');
            for n in 0..rng.below(6) {
                write!(
                    out,
                    "{}\"{}{}\":",
                    if n == 0 { "" } else { "," },
                    ["k", "é", "", "long key ", "\\\\\""][rng.below(5) as usize],
                    rng.below(50)
                )
                .expect("writing to a string");
                json(rng, depth + 1, out);
            }
            write!(out, "}}")
        }
    };
    done.expect("writing to a string");
}
