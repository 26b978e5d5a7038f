//! JSON kept exactly as it was written: member order, duplicate members and every digit of a number.
//!
//! What `serde_json` makes of a text would hide what is to be proven here.

use std::fmt;

use crate::Result;

/// A JSON value.
#[derive(Debug, Clone, PartialEq)]
pub enum Json {
    /// `null`
    Null,
    /// `true` or `false`
    Bool(bool),
    /// A number, as it was written.
    Number(String),
    /// A string, unescaped.
    String(String),
    /// An array.
    Array(Vec<Json>),
    /// The members of an object, in order.
    Object(Vec<(String, Json)>),
}

/// Arrays and objects may nest this deep (the server stops at 100).
const DEPTH: usize = 200;

impl Json {
    /// Reads a text that is one JSON value and nothing else.
    pub fn parse(text: &str) -> Result<Json> {
        let mut parser = Parser { text, at: 0 };
        let json = parser.value(0)?;
        parser.space();
        if parser.at == text.len() {
            Ok(json)
        } else {
            Err(parser.wrong("text behind the value"))
        }
    }

    /// Do both stand for the same JSON value of MySQL? Members have to come in the order the server
    /// keeps them in; `1` and `1.0` are two values, an INTEGER and a DOUBLE.
    #[must_use]
    pub fn same(&self, other: &Json) -> bool {
        match (self, other) {
            (Json::Number(a), Json::Number(b)) => {
                is_integer(a) == is_integer(b) && same_number(a, b)
            }
            (Json::Array(a), Json::Array(b)) => {
                a.len() == b.len() && a.iter().zip(b).all(|(a, b)| a.same(b))
            }
            (Json::Object(a), Json::Object(b)) => {
                a.len() == b.len()
                    && a.iter()
                        .zip(b)
                        .all(|((name, a), (other, b))| name == other && a.same(b))
            }
            (a, b) => a == b,
        }
    }
}

/// Is this number written without fraction and exponent?
pub(crate) fn is_integer(number: &str) -> bool {
    !number.contains(['.', 'e', 'E'])
}

/// Are two numbers equal: exactly, or as the shortest forms of one double?
pub(crate) fn same_number(a: &str, b: &str) -> bool {
    if a == b {
        return true;
    }
    let (x, y) = (digits(a), digits(b));
    if x == y {
        return true;
    }
    let double = |digits: &(bool, String, i64)| digits.1.len() <= 17;
    double(&x)
        && double(&y)
        && !(is_integer(a) && is_integer(b))
        && a.parse::<f64>().map(f64::to_bits) == b.parse::<f64>().map(f64::to_bits)
}

/// Sign, significant digits and the exponent of the last of them.
fn digits(number: &str) -> (bool, String, i64) {
    let (negative, rest) = match number.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, number),
    };
    let (mantissa, exponent) = match rest.find(['e', 'E']) {
        Some(at) => (
            &rest[..at],
            rest[at + 1..].trim_start_matches('+').parse().unwrap_or(0),
        ),
        None => (rest, 0),
    };
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let mut exponent: i64 = exponent - fraction.len() as i64;
    let mut all = format!("{whole}{fraction}");
    while all.ends_with('0') {
        all.pop();
        exponent += 1;
    }
    let all = all.trim_start_matches('0').to_owned();
    if all.is_empty() {
        (negative, all, 0)
    } else {
        (negative, all, exponent)
    }
}

impl fmt::Display for Json {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Json::Null => f.write_str("null"),
            Json::Bool(value) => write!(f, "{value}"),
            Json::Number(number) => f.write_str(number),
            Json::String(text) => write!(f, "{text:?}"),
            Json::Array(items) => {
                f.write_str("[")?;
                for (n, item) in items.iter().enumerate() {
                    write!(f, "{}{item}", if n == 0 { "" } else { ", " })?;
                }
                f.write_str("]")
            }
            Json::Object(members) => {
                f.write_str("{")?;
                for (n, (name, item)) in members.iter().enumerate() {
                    write!(f, "{}{name:?}: {item}", if n == 0 { "" } else { ", " })?;
                }
                f.write_str("}")
            }
        }
    }
}

struct Parser<'a> {
    text: &'a str,
    at: usize,
}

impl Parser<'_> {
    fn wrong(&self, what: &str) -> Box<dyn std::error::Error + Send + Sync> {
        format!("not JSON: {what} at byte {} of {:.200}", self.at, self.text).into()
    }

    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn space(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\n' | b'\r' | b'\t')) {
            self.at += 1;
        }
    }

    fn take(&mut self, byte: u8) -> bool {
        self.space();
        let found = self.peek() == Some(byte);
        self.at += usize::from(found);
        found
    }

    fn value(&mut self, depth: usize) -> Result<Json> {
        if depth > DEPTH {
            return Err(self.wrong("nested too deep"));
        }
        self.space();
        match self.peek() {
            Some(b'{') => {
                self.at += 1;
                let mut members = Vec::new();
                if self.take(b'}') {
                    return Ok(Json::Object(members));
                }
                loop {
                    self.space();
                    let name = self.string()?;
                    if !self.take(b':') {
                        return Err(self.wrong("no colon"));
                    }
                    members.push((name, self.value(depth + 1)?));
                    if self.take(b'}') {
                        return Ok(Json::Object(members));
                    }
                    if !self.take(b',') {
                        return Err(self.wrong("no comma"));
                    }
                }
            }
            Some(b'[') => {
                self.at += 1;
                let mut items = Vec::new();
                if self.take(b']') {
                    return Ok(Json::Array(items));
                }
                loop {
                    items.push(self.value(depth + 1)?);
                    if self.take(b']') {
                        return Ok(Json::Array(items));
                    }
                    if !self.take(b',') {
                        return Err(self.wrong("no comma"));
                    }
                }
            }
            Some(b'"') => Ok(Json::String(self.string()?)),
            Some(b'-' | b'0'..=b'9') => self.number(),
            _ => {
                let rest = &self.text[self.at..];
                for (word, json) in [
                    ("null", Json::Null),
                    ("true", Json::Bool(true)),
                    ("false", Json::Bool(false)),
                ] {
                    if rest.starts_with(word) {
                        self.at += word.len();
                        return Ok(json);
                    }
                }
                Err(self.wrong("no value"))
            }
        }
    }

    fn number(&mut self) -> Result<Json> {
        let start = self.at;
        while matches!(
            self.peek(),
            Some(b'-' | b'+' | b'.' | b'e' | b'E' | b'0'..=b'9')
        ) {
            self.at += 1;
        }
        let text = &self.text[start..self.at];
        let whole = text.strip_prefix('-').unwrap_or(text);
        let padded =
            whole.len() > 1 && whole.starts_with('0') && whole.as_bytes()[1].is_ascii_digit();
        if text.parse::<f64>().is_err() || text.starts_with('+') || padded {
            return Err(self.wrong("a malformed number"));
        }
        Ok(Json::Number(text.to_owned()))
    }

    fn string(&mut self) -> Result<String> {
        if self.peek() != Some(b'"') {
            return Err(self.wrong("no string"));
        }
        self.at += 1;
        let mut out = String::new();
        loop {
            let rest = &self.text[self.at..];
            let Some(run) = rest.find(|c: char| c == '"' || c == '\\' || c < ' ') else {
                return Err(self.wrong("a string without an end"));
            };
            out.push_str(&rest[..run]);
            self.at += run + 1;
            match rest.as_bytes()[run] {
                b'"' => return Ok(out),
                b'\\' => out.push(self.escape()?),
                _ => return Err(self.wrong("a control character in a string")),
            }
        }
    }

    fn escape(&mut self) -> Result<char> {
        let byte = self.peek();
        self.at += 1;
        Ok(match byte {
            Some(b'n') => '\n',
            Some(b'r') => '\r',
            Some(b't') => '\t',
            Some(b'b') => '\u{8}',
            Some(b'f') => '\u{c}',
            Some(byte @ (b'"' | b'\\' | b'/')) => byte as char,
            Some(b'u') => {
                let high = self.unit()?;
                let code = if (0xd800..0xdc00).contains(&high) {
                    if !self.text[self.at..].starts_with("\\u") {
                        return Err(self.wrong("half a surrogate pair"));
                    }
                    self.at += 2;
                    let low = self.unit()?.checked_sub(0xdc00).filter(|low| *low < 0x400);
                    match low {
                        Some(low) => 0x10000 + ((high - 0xd800) << 10) + low,
                        None => return Err(self.wrong("half a surrogate pair")),
                    }
                } else {
                    high
                };
                char::from_u32(code).ok_or_else(|| self.wrong("half a surrogate pair"))?
            }
            _ => return Err(self.wrong("an unknown escape")),
        })
    }

    fn unit(&mut self) -> Result<u32> {
        let digits = self.text.get(self.at..self.at + 4);
        let unit = digits.and_then(|digits| u32::from_str_radix(digits, 16).ok());
        self.at += 4;
        unit.ok_or_else(|| self.wrong("a malformed \\u"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keeps_what_was_written() {
        let json = Json::parse(r#" {"b": 1.50, "a": [1e3, "x\u00e9\ud83d\ude00\n", null, true]} "#)
            .unwrap();
        let Json::Object(members) = &json else {
            panic!()
        };
        assert_eq!(
            members[0],
            ("b".to_owned(), Json::Number("1.50".to_owned()))
        );
        assert_eq!(
            json.to_string(),
            r#"{"b": 1.50, "a": [1e3, "xé😀\n", null, true]}"#
        );
    }

    #[test]
    fn refuses_what_is_not_json() {
        for text in [
            "",
            "{",
            "[1,]",
            "{\"a\" 1}",
            "01",
            "+1",
            "1 2",
            "\"\u{1}\"",
            "\"\\ud800x\"",
            "nul",
            "\"\\u12\"",
        ] {
            assert!(Json::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn numbers_are_compared_by_value() {
        let same = |a: &str, b: &str| Json::parse(a).unwrap().same(&Json::parse(b).unwrap());
        assert!(
            same("1e100", "1E+100") && same("1.10", "1.1") && same("0.1", "0.10000000000000001")
        );
        assert!(!same("1", "1.0") && !same("18446744073709551615", "18446744073709551614"));
        assert!(!same("1.000000000000000000000000000001", "1.0") && !same("0.1", "0.2"));
        assert!(!same("9007199254740993", "9007199254740992") && !same("-0.0", "0.0"));
    }
}
